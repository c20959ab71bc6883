//! Manifests on their way out: to stdout, into one file, into a directory.

use std::path::Path;

use serde_json::json;

use super::context::{Context, raw};
use super::exit::Failure;
use crate::io::atomic;

/// One file.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) name: &'static str,
    pub(super) text: String,
    /// Only the owner may read it.
    pub(super) secret: bool,
}

impl Manifest {
    pub(super) fn new(name: &'static str, text: String) -> Self {
        Self {
            name,
            text,
            secret: false,
        }
    }
}

/// One file, or stdout.
pub(super) fn write(
    context: &Context,
    path: Option<&Path>,
    manifests: &[Manifest],
) -> Result<(), Failure> {
    let text: String = manifests.iter().map(|m| m.text.as_str()).collect();
    let Some(path) = path else {
        if context.is_json() {
            let list: Vec<_> = manifests
                .iter()
                .map(|m| json!({"name": m.name, "yaml": m.text}))
                .collect();
            return context.result(&json!({ "manifests": list }), String::new);
        }
        return raw(text.as_bytes());
    };
    if manifests.iter().any(|m| m.secret) {
        atomic::write_private(path, text.as_bytes())?;
    } else {
        atomic::write(path, text.as_bytes())?;
    }
    context.result(&json!({"written": [path]}), || {
        format!("wrote {}", path.display())
    })
}

/// A file each, below a directory that is made when absent.
pub(super) fn write_all(context: &Context, dir: &Path, files: &[Manifest]) -> Result<(), Failure> {
    fs_err::create_dir_all(dir)?;
    let mut written = Vec::new();
    for file in files {
        let path = dir.join(file.name);
        let write = if file.secret {
            atomic::write_private
        } else {
            atomic::write
        };
        write(&path, file.text.as_bytes())?;
        written.push(path);
    }
    context.result(&json!({ "written": written }), || {
        let lines: Vec<_> = written
            .iter()
            .map(|p| format!("wrote {}", p.display()))
            .collect();
        lines.join("\n")
    })
}
