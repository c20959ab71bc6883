//! The installation directory: what is in it already, and the new manifests.

use std::path::{Path, PathBuf};

use crate::cli::exit::{Failure, unreadable};
use crate::io::atomic;
use crate::objects::auth::AuthFile;
use crate::objects::{Finding, Severity};
use crate::osimage::Error;
use crate::osimage::precache::{Manifest, Push, Seen};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) seen: Seen,
    pub(super) findings: Vec<Finding>,
}

/// Reads every manifest of `openshift/` and `manifests/`, except those that are to be written.
///
/// # Errors
/// A file cannot be read.
pub(super) fn read(dir: &Path, ours: &[Manifest]) -> Result<Beside, Failure> {
    let mut beside = Beside::default();
    let ours: Vec<PathBuf> = ours.iter().map(|m| dir.join(&m.path)).collect();
    let mut any = false;
    for part in ["openshift", "manifests"] {
        for path in files(&dir.join(part))? {
            any = true;
            if ours.contains(&path) {
                continue;
            }
            let text = fs_err::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
            match serde_saphyr::from_multiple(&text) {
                Ok(objects) => {
                    let objects: Vec<serde_json::Value> = objects;
                    for object in &objects {
                        beside.seen.add(object);
                    }
                }
                Err(_) => beside.findings.push(warning(
                    "unread",
                    &path,
                    "it is no YAML that this program reads, and was not looked at",
                    "look whether it names an OS image",
                )),
            }
        }
    }
    if !any {
        beside.findings.push(warning(
            "no-manifests",
            dir,
            "it holds no manifests of openshift-install",
            "run `openshift-install create manifests --dir DIR` into it before the Ignition config is made",
        ));
    }
    Ok(beside)
}

fn warning(rule: &'static str, path: &Path, message: &str, cure: &str) -> Finding {
    Finding {
        rule,
        severity: Severity::Warning,
        object: path.display().to_string(),
        message: message.to_owned(),
        cure: cure.to_owned(),
    }
}

/// YAML and JSON files, sorted; none when there is no such directory.
fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs_err::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(unreadable(dir, &e)),
    };
    let is_manifest = |path: &PathBuf| {
        let extension = path.extension().and_then(|e| e.to_str());
        matches!(extension, Some("yaml" | "yml" | "json"))
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if is_manifest(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes the manifests.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write(dir: &Path, manifests: &[Manifest]) -> Result<(), Failure> {
    for manifest in manifests {
        let path = dir.join(&manifest.path);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let write = if manifest.secret {
            atomic::write_private
        } else {
            atomic::write
        };
        write(&path, manifest.text.as_bytes())?;
    }
    Ok(())
}

/// The login for the push secret.
///
/// # Errors
/// Not readable, or without an entry for the registry.
pub(super) fn login(path: &Path, push: &Push) -> Result<AuthFile, Failure> {
    let bytes = fs_err::read(path).map_err(|e| unreadable(path, &e))?;
    let login = AuthFile::parse(path, bytes, push.spec.reference());
    Ok(login.map_err(Error::from)?)
}
