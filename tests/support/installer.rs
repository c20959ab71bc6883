//! The stand-in for openshift-install as a program.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a broken fixture should stop the test, an absent one should say so"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// An interpreter with the YAML module, by its own path: pyenv's shims need a home directory that the program does not get. `None`,
/// with the reason printed, without one.
pub(crate) fn python() -> Option<PathBuf> {
    let print = "import sys, yaml; print(sys.executable)";
    match snoforge::exec::run("python3", &["-c", print]) {
        Ok(path) => Some(String::from_utf8(path).unwrap().trim().into()),
        Err(e) => {
            eprintln!("skipped: {e}");
            None
        }
    }
}

/// The stand-in; `more` follows what runs.
pub(crate) fn standin(python: &Path, more: &[u8]) -> Vec<u8> {
    let root = env!("CARGO_MANIFEST_DIR");
    let script = format!(
        "#!/bin/sh\nexec {} {root}/tests/support/openshift_install.py \"$0\" {root}/ignition/golden/stock/era-b.ign \"$@\"\n",
        python.display()
    );
    [script.as_bytes(), more].concat()
}

/// A pull secret, a key pair `key`, and the stand-in as `openshift-install`.
pub(crate) fn equip(home: &Path, python: &Path, secret: &str) {
    let installer = home.join("openshift-install");
    fs_err::write(&installer, standin(python, b"")).unwrap();
    fs_err::set_permissions(&installer, std::fs::Permissions::from_mode(0o755)).unwrap();
    fs_err::write(home.join("pull-secret.json"), secret).unwrap();
    let key = home.join("key");
    let key = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    snoforge::exec::run("ssh-keygen", &key).unwrap();
}
