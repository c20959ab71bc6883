//! The `snoforge` program: parse, run, exit code.

fn main() -> std::process::ExitCode {
    snoforge::cli::run(std::env::args_os())
}
