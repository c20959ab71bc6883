//! `node status`: is the data partition there, does the registry answer, where is each image.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde::{Serialize, Serializer};

use super::load::Group;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, chain};
use crate::cli::precache::plan::DataDir;
use crate::node::load::{Containers, Job, Storage as _, jobs};
use crate::node::status::{Coverage, Mount, ask_registry, coverage, mounted_at};
use crate::ui::table;

/// Flags of `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The data directory.
    #[arg(
        short = 'f',
        long = "folder",
        value_name = "DIR",
        default_value = "/run/snoforge/data"
    )]
    folder: PathBuf,
    /// Address of the registry.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Boot stage to look at; both without it.
    #[arg(short, long, value_enum)]
    group: Option<Group>,
}

/// The result; a text is the reason why there is nothing better to say.
#[derive(Debug, Serialize)]
struct Facts {
    folder: PathBuf,
    mount: Option<Mount>,
    #[serde(serialize_with = "answer")]
    store: Result<(), String>,
    #[serde(serialize_with = "answer")]
    registry: Result<(), String>,
    #[serde(serialize_with = "answer")]
    storage: Result<(), String>,
    groups: BTreeMap<&'static str, Coverage>,
}

/// `{"ok": false, "reason": "…"}`.
fn answer<S: Serializer>(result: &Result<(), String>, serializer: S) -> Result<S::Ok, S::Error> {
    let reason = result.as_ref().err();
    serde_json::json!({"ok": reason.is_none(), "reason": reason}).serialize(serializer)
}

impl Status {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let facts = self.facts();
        context.result(&facts, || facts.text(self.listen))?;
        let missing: usize = facts.groups.values().map(|group| group.missing.len()).sum();
        let failure = match (&facts.store, missing) {
            (Ok(()), 0) => return Ok(()),
            (Ok(()), count) => Failure::new(
                Exit::Partial,
                format!("{count} images are neither loaded nor served"),
            ),
            (Err(reason), _) => Failure::new(Exit::Partial, reason.clone()),
        };
        Err(failure
            .hint("journalctl -b -u snoforge-data.service -u snoforge-registry.service says why"))
    }

    fn facts(&self) -> Facts {
        let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let folder = fs_err::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let registry = ask_registry(self.listen).map_err(|e| e.to_string());
        let names = Containers {
            registry: self.listen,
        }
        .names();
        let groups = self.groups();
        let cover = |jobs: &Vec<Job>| coverage(jobs, names.as_ref().ok(), registry.is_ok());
        Facts {
            mount: mounted_at(&mounts, &folder),
            folder,
            groups: groups
                .iter()
                .flatten()
                .map(|(name, jobs)| (*name, cover(jobs)))
                .collect(),
            store: groups.map(drop).map_err(|failure| failure.message),
            storage: names.map(drop).map_err(|e| chain(&e)),
            registry,
        }
    }

    fn groups(&self) -> Result<Vec<(&'static str, Vec<Job>)>, Failure> {
        let data = DataDir::open(&self.folder)?;
        let inventory = data.inventory()?;
        let mut groups = Vec::new();
        for (name, group) in [("ai", Group::Ai), ("ocp", Group::Ocp)] {
            if self.group.is_none_or(|asked| asked == group) {
                groups.push((name, jobs(&inventory, group.into(), &data.store)?));
            }
        }
        Ok(groups)
    }
}

impl Facts {
    fn text(&self, listen: SocketAddr) -> String {
        let mount = self.mount.as_ref().map_or_else(
            || format!("nothing is mounted at {}", self.folder.display()),
            |m| {
                let mode = if m.read_only { "read-only" } else { "writable" };
                format!(
                    "{} ({}, {mode}) at {}",
                    m.source,
                    m.filesystem,
                    self.folder.display()
                )
            },
        );
        let said = |result: &Result<(), String>, good: String| match result {
            Ok(()) => good,
            Err(reason) => format!("NO: {reason}"),
        };
        let rows = [
            ("Data partition", mount),
            ("Store", said(&self.store, "there".to_owned())),
            (
                "Registry",
                said(&self.registry, format!("answers on {listen}")),
            ),
            (
                "containers-storage",
                said(&self.storage, "there".to_owned()),
            ),
        ];
        let groups = self.groups.iter().map(|(name, group)| {
            let loaded = group
                .loaded
                .map_or_else(|| "?".to_owned(), |n| n.to_string());
            let row = [
                group.images.to_string(),
                loaded,
                group.served.to_string(),
                group.missing.len().to_string(),
            ];
            [vec![(*name).to_owned()], row.to_vec()].concat()
        });
        let groups: Vec<_> = groups.collect();
        let mut lines = vec![table::summary(&rows)];
        if !groups.is_empty() {
            let header = ["GROUP", "IMAGES", "LOADED", "SERVED", "MISSING"];
            lines.push(table::render(&header, groups, &[1, 2, 3, 4]));
        }
        let missing = self.groups.values().flat_map(|group| &group.missing);
        lines.extend(missing.map(|image| format!("missing: {image}")));
        lines.join("\n")
    }
}
