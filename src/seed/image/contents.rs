//! The eleven files of a layer (`seed-image.md` section 4.3): which there are, and whether they are what they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use ::tar::EntryType;
use serde::de::IgnoredAny;
use serde_json::Value;

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
/// The eleventh has the deployment in its name.
const ORIGIN: &str = "ostree-<deployment>.origin";
/// Largest text that is held; real ones have some hundred KiB.
const TEXT_CAP: u64 = 16 << 20;
const DAMAGED: &str =
    "make the image again; if it comes out the same, look at the seed cluster's files";
const HOSTILE: &str = "do not use this image: find out who pushed it";

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) findings: Vec<Finding>,
    /// Size by name.
    pub(super) members: BTreeMap<String, u64>,
    pub(super) info_text: Option<String>,
    pub(super) containers: Option<Vec<String>>,
    rpm_ostree: Option<Value>,
    origin: Option<String>,
    seen: BTreeSet<String>,
}

impl Contents {
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
        if size == 0 && path != "etc.deletions" && EXPECTED.contains(&path.as_str()) {
            self.wrong(&path, "it is empty", DAMAGED);
            return Ok(true);
        }
        match self.read(&path, body) {
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

    fn read(&mut self, path: &str, body: &mut dyn Read) -> io::Result<()> {
        match path {
            "containers.list" => {
                let list = text(body)?;
                let lines: Vec<String> = list
                    .lines()
                    .filter(|l| !l.trim().is_empty())
                    .map(|l| l.trim().to_owned())
                    .collect();
                if let Some(bad) = lines.iter().find(|l| l.parse::<Reference>().is_err()) {
                    self.wrong(path, format!("{:?} is no pull spec", shown(bad)), DAMAGED);
                }
                self.containers = Some(lines);
            }
            "manifest.json" => self.info_text = Some(text(body)?),
            "rpm-ostree.json" => {
                self.rpm_ostree = Some(serde_json::from_str(&text(body)?).map_err(|e| json(&e))?);
            }
            "mco-currentconfig.json" | "recert_config.json" => {
                serde_json::from_reader::<_, IgnoredAny>(body).map_err(|e| json(&e))?;
            }
            "etc.deletions" => {
                let list = text(body)?;
                let inside =
                    |line: &str| line.starts_with("/etc/") && !line.split('/').any(|p| p == "..");
                if let Some(bad) = list.lines().find(|l| !l.is_empty() && !inside(l)) {
                    self.wrong(
                        path,
                        format!("hostile: it deletes {:?}", shown(bad)),
                        HOSTILE,
                    );
                }
            }
            "var.tgz" => drop(nested::check(body, Some("var"))?),
            "etc.tgz" => drop(nested::check(body, Some("etc"))?),
            "ostree.tgz" => drop(nested::check(body, None)?),
            "lca-cli" => {}
            other => {
                if let Some(id) = deployment(other) {
                    self.origin = Some(id.to_owned());
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
        let file = self.info_text.take();
        if let (Some(file), Some(label)) = (&file, label)
            && file != label
        {
            self.wrong(
                "manifest.json",
                "it is not what the label seed_cluster_info says",
                HOSTILE,
            );
        }
        self.info_text = file;
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
        // rhcos-<deployment>: what is after the last hyphen.
        let own = id.rsplit('-').next().unwrap_or_default().to_owned();
        match &self.origin {
            _ if own.is_empty() => {
                self.wrong("rpm-ostree.json", "it has no booted deployment", DAMAGED);
            }
            Some(origin) if *origin != own => {
                let message =
                    format!("the booted deployment is {own}, the origin file is of {origin}");
                self.wrong("rpm-ostree.json", message, DAMAGED);
            }
            _ => {}
        }
    }
}

/// The deployment in `ostree-<64 hex>.<serial>.origin`.
fn deployment(name: &str) -> Option<&str> {
    let id = name.strip_prefix("ostree-")?.strip_suffix(".origin")?;
    let (sum, serial) = id.split_once('.')?;
    let hex = sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit());
    let number = !serial.is_empty() && serial.bytes().all(|b| b.is_ascii_digit());
    (hex && number).then_some(id)
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
