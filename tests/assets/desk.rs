//! What `ignition create` needs: a pull secret, a key and the stand-in for openshift-install; and a look at all that it prints.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::installer;
use super::program::{Run, snoforge};
use super::support::registry::installed;

pub(super) const IGNITION: &str = "bootstrap-in-place-for-live-iso.ign";
pub(super) const FILES: [&str; 4] = ["auth", IGNITION, "install.json", "metadata.json"];
const PASSWORD: &str = "hunter2-hunter2";

/// A desk with a pull secret, a key and the stand-in.
pub(super) struct Desk {
    pub(super) home: tempfile::TempDir,
}

fn secret(password: &str) -> String {
    let auth = BASE64.encode(format!("me:{password}"));
    json!({"auths": {"quay.io": {"auth": auth, "email": "me@example.com"}}}).to_string()
}

impl Desk {
    pub(super) fn new() -> Option<Self> {
        if !installed(&["openssl", "ssh-keygen"]) {
            return None;
        }
        let python = installer::python()?;
        let desk = Self {
            home: tempfile::tempdir().unwrap(),
        };
        installer::equip(desk.home.path(), &python, &secret(PASSWORD));
        Some(desk)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(super) fn write_secret(&self, password: &str) {
        fs_err::write(self.path("pull-secret.json"), secret(password)).unwrap();
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = snoforge(self.home.path());
        command.args(["ignition", "create", "--pull-secret", "pull-secret.json"]);
        command.args(["--ssh-key", "key.pub"]).args(args);
        command
    }

    /// Runs it in a mode of the stand-in, and looks at all that was printed for secrets.
    pub(super) fn run(&self, mode: &str, args: &[&str]) -> Run {
        let mut command = self.command(args);
        let output = command.env("STANDIN", mode).stdin(Stdio::null()).output();
        let output = output.unwrap();
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        self.assert_no_secret(&run.stdout);
        self.assert_no_secret(&run.stderr);
        run
    }

    pub(super) fn one(&self, standin: &str, more: &[&str]) -> Run {
        let args = ["--hostname", "bip", "--domain", "lab.example.com"];
        let machine = ["--installation-disk", "/dev/sda", "--machine-network"];
        let to = ["192.168.86.0/24", "-o", "out", "--output", "json"];
        let installer = ["--installer", "openshift-install"];
        self.run(
            standin,
            &[&args[..], &machine, &to, &installer, more].concat(),
        )
    }

    #[track_caller]
    pub(super) fn assert_no_secret(&self, text: &str) {
        let key = fs_err::read_to_string(self.path("key.pub")).unwrap();
        let body = key.split(' ').nth(1).unwrap();
        let auth = BASE64.encode(format!("me:{PASSWORD}"));
        for word in [PASSWORD, body, &auth, &auth[..auth.len() - 4]] {
            assert!(!text.contains(word), "a secret is in: {text}");
        }
    }

    /// Names in a directory, sorted.
    pub(super) fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs_err::read_dir(self.path(dir)).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(super) fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().permissions().mode() & 0o777
}
