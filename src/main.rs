//! The `snoforge` program: parse, run, exit code.

fn main() {}
