//! `snoforge node` with the machine's own podman and skopeo: a data directory with every form of image, loaded, served, looked at and
//! taken away again.
//!
//! Tests that need root or a tool that is not there say so and pass.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says why it skips"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the program under test is a child process"
)]

mod data;
mod finish;
#[path = "../support/images.rs"]
mod images;
mod load;
mod pull;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Why the tests with containers cannot run here.
fn skipped() -> bool {
    let missing = ["podman", "skopeo"]
        .into_iter()
        .find(|tool| snoforge::exec::run("which", &[*tool]).is_err());
    if let Some(tool) = missing {
        eprintln!("skipped: `{tool}` is not installed");
    } else if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
    } else {
        return false;
    }
    true
}

/// containers-storage of its own. The vfs driver needs no mounts and leaves none.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let text = format!(
            "[storage]\ndriver = \"vfs\"\nrunroot = \"{at}/run\"\ngraphroot = \"{at}/graph\"\n"
        );
        fs_err::write(dir.path().join("storage.conf"), text).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("CONTAINERS_STORAGE_CONF", self.path("storage.conf"))
            .env("CONTAINERS_REGISTRIES_CONF", self.path("registries.conf"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a tool with this storage.
    fn tool(&self, program: &str, args: &[&str]) -> Output {
        self.command(program).args(args).output().unwrap()
    }

    #[track_caller]
    fn good(&self, program: &str, args: &[&str]) -> Vec<u8> {
        let output = self.tool(program, args);
        assert!(
            output.status.success(),
            "{program} {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// Runs `snoforge node …` and returns its exit code, its JSON and what it said.
    fn node(&self, args: &[&str]) -> (i32, serde_json::Value, String) {
        let output = self
            .command(env!("CARGO_BIN_EXE_snoforge"))
            .arg("node")
            .args(args)
            .args(["--output", "json"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}\n{said}", String::from_utf8_lossy(&output.stdout)));
        (output.status.code().unwrap_or(-1), document, said)
    }

    fn exists(&self, image: &str) -> bool {
        self.tool("podman", &["image", "exists", image])
            .status
            .success()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
