//! The eleven files of a layer (`seed-image.md` section 4.3): which there are, and whether they are what they should be.
//!
//! The small ones are held as text; the three archives go through [`Archives`], which only checks them, or unpacks them too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use ::tar::EntryType;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::deployment::{Deployment, kernel_arguments};
use super::nested;
use super::tar::{Member, shown};
use crate::oci::Reference;
use crate::seed::finding::Finding;

const EXPECTED: [&str; 10] = [
    "containers.list",
    "etc.deletions",
    "etc.tgz",
    "lca-cli",
    "manifest.json",
    "mco-currentconfig.json",
    "ostree.tgz",
    "recert_config.json",
    "rpm-ostree.json",
    "var.tgz",
];
const LIST: &str = "containers.list";
const INFO: &str = "manifest.json";
const DELETIONS: &str = "etc.deletions";
/// The eleventh has the deployment in its name.
const ORIGIN: &str = "ostree-<deployment>.origin";
/// Largest text that is held; real ones have some hundred KiB.
const TEXT_CAP: u64 = 16 << 20;
const DAMAGED: &str =
    "make the image again; if it comes out the same, look at the seed cluster's files";
const HOSTILE: &str = "do not use this image: find out who pushed it";

/// Where the archives within a layer go.
pub(in crate::seed) trait Archives: Send {
    /// Takes one of `var.tgz`, `etc.tgz` and `ostree.tgz`, of members below `root`; within: what is wrong with it.
    fn take(
        &mut self,
        name: &str,
        root: Option<&str>,
        body: &mut dyn Read,
    ) -> Result<io::Result<()>, Stopped>;
}

/// There is no use in reading on, for a reason of the [`Archives`]' own.
#[derive(Debug)]
pub(in crate::seed) struct Stopped;

/// Checks them.
pub(super) struct CheckOnly;

impl Archives for CheckOnly {
    fn take(
        &mut self,
        _: &str,
        root: Option<&str>,
        body: &mut dyn Read,
    ) -> Result<io::Result<()>, Stopped> {
        let checked = nested::pass(body, root, &mut io::sink());
        Ok(checked.unwrap_or_else(Err).map(drop))
    }
}

/// What a restore needs of the small files.
#[derive(Debug, Clone)]
pub(in crate::seed) struct Files {
    /// What the seed cluster had booted.
    pub(in crate::seed) deployment: Deployment,
    /// Its kernel arguments, in order.
    pub(in crate::seed) kernel_arguments: Vec<String>,
    /// The origin file.
    pub(in crate::seed) origin: String,
    /// Paths that start with `/etc/` and have no `..`.
    pub(in crate::seed) deletions: Vec<String>,
    /// `containers.list`.
    pub(in crate::seed) containers: String,
    /// `manifest.json`.
    pub(in crate::seed) info: String,
}

/// What was seen.
pub(super) struct Contents {
    pub(super) findings: Vec<Finding>,
    /// Size by name.
    pub(super) members: BTreeMap<String, u64>,
    /// The archives want no more.
    pub(super) stopped: bool,
    archives: Box<dyn Archives>,
    texts: BTreeMap<&'static str, String>,
    kernel_arguments: Option<Vec<String>>,
    rpm_ostree: Option<Value>,
    origin: Option<(Deployment, String)>,
    deployment: Option<Deployment>,
    seen: BTreeSet<String>,
}

impl Contents {
    pub(super) fn new(archives: Box<dyn Archives>) -> Self {
        Self {
            findings: Vec::new(),
            members: BTreeMap::new(),
            stopped: false,
            archives,
            texts: BTreeMap::new(),
            kernel_arguments: None,
            rpm_ostree: None,
            origin: None,
            deployment: None,
            seen: BTreeSet::new(),
        }
    }

    /// Images in `containers.list`.
    pub(super) fn containers(&self) -> usize {
        let list = self.texts.get(LIST).map_or("", String::as_str);
        list.lines().filter(|l| !l.trim().is_empty()).count()
    }

    /// The small files; `None` when there are findings.
    pub(super) fn into_files(mut self) -> Option<Files> {
        let mut text = |name| self.texts.remove(name);
        let deletions = text(DELETIONS)?;
        Some(Files {
            deployment: self.deployment?,
            kernel_arguments: self.kernel_arguments?,
            origin: self.origin?.1,
            deletions: deletions
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty())
                .map(str::to_owned)
                .collect(),
            containers: text(LIST)?,
            info: text(INFO)?,
        })
    }

    fn wrong(&mut self, object: &str, message: impl Into<String>, cure: &str) {
        self.findings
            .push(Finding::error("layer-contents", object, message, cure));
    }

    /// Takes a member of the layer.
    pub(super) fn member(&mut self, member: Member<'_>) -> io::Result<bool> {
        let Member {
            path,
            kind,
            size,
            body,
            ..
        } = member;
        if kind == EntryType::Directory && path.is_empty() {
            return Ok(true);
        }
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            self.wrong(&shown(&path), "it is no regular file", HOSTILE);
            return Ok(true);
        }
        if !self.seen.insert(path.clone()) {
            self.wrong(&path, "it is there twice", HOSTILE);
            return Ok(true);
        }
        // A layer of other files must not fill the memory with their names.
        if self.seen.len() > 1000 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "no seed image: it has more than 1000 files",
            ));
        }
        self.members.insert(path.clone(), size);
        if size == 0 && path != DELETIONS && EXPECTED.contains(&path.as_str()) {
            self.wrong(&path, "it is empty", DAMAGED);
            return Ok(true);
        }
        let Ok(read) = self.read(&path, body) else {
            self.stopped = true;
            return Ok(false);
        };
        match read {
            // What the layer itself does wrong is told by the walk.
            Err(error) if error.kind() == io::ErrorKind::Other => return Err(error),
            Err(error) => {
                let text = error.to_string();
                let cure = if text.contains("hostile") {
                    HOSTILE
                } else {
                    DAMAGED
                };
                self.wrong(&path, text, cure);
            }
            Ok(()) => {}
        }
        Ok(true)
    }

    fn read(&mut self, path: &str, body: &mut dyn Read) -> Result<io::Result<()>, Stopped> {
        match path {
            "var.tgz" => self.archives.take(path, Some("var"), body),
            "etc.tgz" => self.archives.take(path, Some("etc"), body),
            "ostree.tgz" => self.archives.take(path, None, body),
            _ => Ok(self.read_small(path, body)),
        }
    }

    fn read_small(&mut self, path: &str, body: &mut dyn Read) -> io::Result<()> {
        match path {
            LIST => {
                let list = text(body)?;
                let mut lines = list.lines().map(str::trim).filter(|l| !l.is_empty());
                if let Some(bad) = lines.find(|l| l.parse::<Reference>().is_err()) {
                    self.wrong(path, format!("{:?} is no pull spec", shown(bad)), DAMAGED);
                }
                self.texts.insert(LIST, list);
            }
            INFO => drop(self.texts.insert(INFO, text(body)?)),
            "rpm-ostree.json" => {
                self.rpm_ostree = Some(serde_json::from_str(&text(body)?).map_err(|e| json(&e))?);
            }
            "mco-currentconfig.json" => {
                let bad = |why| io::Error::new(io::ErrorKind::InvalidData, why);
                self.kernel_arguments = Some(kernel_arguments(body).map_err(bad)?);
            }
            "recert_config.json" => {
                serde_json::from_reader::<_, IgnoredAny>(body).map_err(|e| json(&e))?;
            }
            DELETIONS => {
                let list = text(body)?;
                let inside =
                    |line: &str| line.starts_with("/etc/") && !line.split('/').any(|p| p == "..");
                if let Some(bad) = list
                    .lines()
                    .map(str::trim)
                    .find(|l| !l.is_empty() && !inside(l))
                {
                    self.wrong(
                        path,
                        format!("hostile: it deletes {:?}", shown(bad)),
                        HOSTILE,
                    );
                }
                self.texts.insert(DELETIONS, list);
            }
            "lca-cli" => {}
            other => {
                if let Some(deployment) = of_origin(other) {
                    self.origin = Some((deployment, text(body)?));
                    return Ok(());
                }
                let finding = Finding::error(
                    "layer-contents",
                    shown(other),
                    "no seed image has this file",
                    "find out who made the image",
                );
                self.findings.push(finding.warning());
            }
        }
        Ok(())
    }

    /// What can be told only at the end: what is missing, and what does not fit together.
    pub(super) fn finish(&mut self, label: Option<&str>) {
        let missing: Vec<_> = EXPECTED
            .iter()
            .filter(|name| !self.seen.contains(**name))
            .collect();
        for name in missing {
            self.wrong(name, "it is not in the layer", DAMAGED);
        }
        if self.origin.is_none() {
            self.wrong(ORIGIN, "it is not in the layer", DAMAGED);
        }
        if let (Some(file), Some(label)) = (self.texts.get(INFO), label)
            && file != label
        {
            self.wrong(
                "manifest.json",
                "it is not what the label seed_cluster_info says",
                HOSTILE,
            );
        }
        let Some(status) = &self.rpm_ostree else {
            return;
        };
        let booted = super::super::facts::list(status, "/deployments")
            .iter()
            .find(|d| d.get("booted") == Some(&Value::Bool(true)));
        let id = booted
            .and_then(|d| d.get("id"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        if id.is_empty() {
            self.wrong("rpm-ostree.json", "it has no booted deployment", DAMAGED);
            return;
        }
        match (Deployment::from_id(id), &self.origin) {
            (Err(error), _) => self.wrong("rpm-ostree.json", error.to_string(), DAMAGED),
            (Ok(own), Some((origin, _))) if *origin != own => {
                let message =
                    format!("the booted deployment is {own}, the origin file is of {origin}");
                self.wrong("rpm-ostree.json", message, DAMAGED);
            }
            (Ok(own), _) => self.deployment = Some(own),
        }
    }
}

/// The deployment in `ostree-<deployment>.origin`.
fn of_origin(name: &str) -> Option<Deployment> {
    let id = name.strip_prefix("ostree-")?.strip_suffix(".origin")?;
    id.parse().ok()
}

fn json(error: &serde_json::Error) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it is no JSON: {error}"),
    )
}

/// A whole text of at most [`TEXT_CAP`] bytes.
pub(super) fn text(body: &mut dyn Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    body.take(TEXT_CAP + 1).read_to_end(&mut bytes)?;
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    if bytes.len() as u64 > TEXT_CAP {
        return Err(bad("it is larger than any such file"));
    }
    String::from_utf8(bytes).map_err(|_| bad("it is no text"))
}
