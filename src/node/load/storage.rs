//! containers-storage as the node's own tools see it: `podman` lists, `skopeo` copies. Where storage is, they know (`storage.conf`(5)).

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::exec::{self, ExecError};
use crate::oci::Reference;

/// Storage that images can be copied into.
pub trait Storage: Sync + fmt::Debug {
    /// Every name of every image: `repo:tag` and `repo@digest`.
    ///
    /// # Errors
    /// Storage does not answer.
    fn names(&self) -> Result<BTreeSet<String>, StorageError>;

    /// Copies the image `source` of the store under `name`, until `stop` says so.
    ///
    /// # Errors
    /// The copy failed or was stopped.
    fn copy(
        &self,
        source: &Reference,
        name: &Reference,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), StorageError>;
}

/// Storage did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Its images cannot be listed.
    #[error("cannot list the images in containers-storage")]
    List(#[source] ExecError),
    /// `podman images` said something else than it does.
    #[error("cannot read the list of images from `podman images`: {0}")]
    Syntax(String),
    /// An image cannot be copied.
    #[error("cannot copy the image: {0}")]
    Copy(String),
}

impl StorageError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::List(ExecError::Missing(_)) => Some(
                "`node load` runs on the machine, where podman and skopeo are; install them elsewhere",
            ),
            Self::List(_) => Some("it has to run as root, with storage that podman can open"),
            Self::Syntax(_) | Self::Copy(_) => None,
        }
    }
}

/// The machine's own storage, filled from a registry on loopback.
#[derive(Debug)]
pub struct Containers {
    /// Where the registry listens.
    pub registry: SocketAddr,
}

/// An entry of `podman images --format json`; fields that an older podman lacks are empty.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(alias = "names")]
    names: Option<Vec<String>>,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
}

/// The names in what `podman images` prints.
///
/// # Errors
/// It is no such list.
fn listed_names(json: &[u8]) -> Result<BTreeSet<String>, StorageError> {
    let images: Option<Vec<Listed>> =
        serde_json::from_slice(json).map_err(|e| StorageError::Syntax(e.to_string()))?;
    let lists = images.unwrap_or_default().into_iter();
    let lists = lists.flat_map(|image| [image.names, image.repo_tags, image.repo_digests]);
    Ok(lists.flatten().flatten().collect())
}

impl Storage for Containers {
    fn names(&self) -> Result<BTreeSet<String>, StorageError> {
        let args = ["images", "--no-trunc", "--format", "json"];
        listed_names(&exec::run("podman", &args).map_err(StorageError::List)?)
    }

    fn copy(
        &self,
        source: &Reference,
        name: &Reference,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), StorageError> {
        // The registry knows repositories without their host too, and a host with a port cannot be part of a path.
        let (repository, key) = (source.repository(), source.manifest_key());
        let at = if source.digest().is_some() { '@' } else { ':' };
        let from = format!("docker://{}/{repository}{at}{key}", self.registry);
        let to = format!("containers-storage:{name}");
        // The site's policy and credentials are for registries of the network. What comes from here is what the inventory pinned: the
        // digest decides.
        let args = [
            "--insecure-policy",
            "copy",
            "--quiet",
            "--src-no-creds",
            "--src-tls-verify=false",
            &from,
            &to,
        ];
        let copied = exec::run_until("skopeo", &args, stop);
        copied.map(drop).map_err(|e| StorageError::Copy(said(&e)))
    }
}

/// The message of a Go program's log line: `time="…" level=fatal msg="…"`.
fn said(error: &ExecError) -> String {
    let text = error.to_string();
    let message = text.rsplit_once("msg=\"").map(|(_, rest)| rest);
    let message = message.and_then(|rest| rest.rsplit_once('"'));
    message.map_or(text.clone(), |(message, _)| message.replace("\\\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_form() {
        let json = br#"[
            {"Id": "1", "RepoTags": null, "RepoDigests": ["q.io/a@sha256:1"], "Names": ["q.io/a@sha256:1"]},
            {"Id": "2", "RepoTags": ["q.io/b:1"], "RepoDigests": null},
            {"id": "3", "names": ["q.io/c:2"], "digest": "sha256:3"},
            {"Id": "4"}]"#;
        let names: Vec<_> = listed_names(json).unwrap().into_iter().collect();
        assert_eq!(names, ["q.io/a@sha256:1", "q.io/b:1", "q.io/c:2"]);
        assert!(listed_names(b"null").unwrap().is_empty());
        assert!(listed_names(b"[]").unwrap().is_empty());
        assert!(matches!(
            listed_names(b"Error:"),
            Err(StorageError::Syntax(_))
        ));
    }

    #[test]
    fn a_log_line_is_cut_to_its_message() {
        let stopped = ExecError::Stopped("skopeo".into());
        assert_eq!(said(&stopped), "`skopeo` was stopped");
        let script =
            r#"echo 'time="2026-11-21T03:00:00Z" level=fatal msg="reading \"x\": no"' >&2; exit 1"#;
        let failed = exec::run("sh", &["-c", script]).unwrap_err();
        assert_eq!(said(&failed), r#"reading "x": no"#);
    }
}
