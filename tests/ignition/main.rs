//! Ignition configs against Ignition's own validator, the field's configs and the built binary.
//!
//! Tests that need a file or a tool that is not there say so and pass.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says why it skips"
)]

mod agreement;
mod field;
mod generated;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Value, json};
use snoforge::exec;
use snoforge::ignition::Config;
use snoforge::ignition::lint::{self, Severity};

pub(crate) const VALIDATOR: &str = "/usr/bin/ignition-validate";

pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/ignition"
    ))
    .join(name);
    if !path.exists() {
        eprintln!("skipped: no shared data {name}");
        return None;
    }
    Some(path)
}

pub(crate) fn snoforge(args: &[&str]) -> Result<String, String> {
    match exec::run(env!("CARGO_BIN_EXE_snoforge"), args) {
        Ok(out) => Ok(String::from_utf8(out).unwrap()),
        Err(exec::ExecError::Failed { status, stderr, .. }) => {
            Err(format!("{}: {stderr}", status.code().unwrap_or(-1)))
        }
        Err(other) => panic!("{other}"),
    }
}

/// Whether Ignition takes the config.
pub(crate) fn accepted(dir: &Path, text: &str) -> bool {
    let path = dir.join("case.ign");
    fs_err::write(&path, text).unwrap();
    exec::run(VALIDATOR, &[path.to_str().unwrap()]).is_ok()
}

pub(crate) fn ours(text: &str) -> Result<(), Vec<String>> {
    let config = Config::parse(text.as_bytes()).map_err(|e| vec![e.to_string()])?;
    let errors: Vec<_> = lint::lint(&config, None)
        .into_iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| format!("{}: {}", f.pointer, f.message))
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    let data = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("data:text/plain;charset=utf-8;base64,{data}")
}

pub(crate) fn file(path: &str, mode: u32, contents: &str) -> Value {
    json!({"overwrite": true, "path": path, "user": {"name": "root"}, "mode": mode,
           "contents": {"source": base64(contents.as_bytes())}})
}
