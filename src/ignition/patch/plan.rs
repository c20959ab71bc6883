//! From a config and options to the list of edits.
//!
//! The planner works on a copy: it takes out what is ours, takes a hand-made patch back to stock, and adds everything anew. So the
//! result depends on the stock config and the options alone, however often and with whatever it was patched before.

use std::collections::BTreeSet;

use regex::Regex;

use super::super::edit::{Edit, NewFile, Secret};
use super::assets::{self, Asset, Stage};
use super::fcc;
use super::os_images::os_images;
use super::registries::{self, Site};
use super::{Change, Config, NewUnit, Options, PatchError, install, installed, legacy};
use crate::oci::Reference;

/// Units of the live stage that pull images, or start what does. Those that the config or the image does not have are left out,
/// except for CRI-O, which every image has.
const LIVE_HOOKS: [&str; 6] = [
    "release-image.service",
    "node-image-pull.service",
    "crio-configure.service",
    "crio.service",
    "kubelet.service",
    "bootkube.service",
];

const PULL_SECRET: &str = "/root/.docker/config.json";

/// Scripts that name the release image.
const RELEASE_SCRIPTS: [&str; 3] = [
    "/usr/local/bin/release-image-download.sh",
    "/usr/local/bin/release-image.sh",
    "/usr/local/bin/bootkube.sh",
];

/// Something that a person should read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A fact about the config.
    Found(String),
    /// Something was wrong and is put right, or needs attention.
    Wrong(String),
}

impl Note {
    /// The sentence.
    pub fn text(&self) -> &str {
        match self {
            Self::Found(text) | Self::Wrong(text) => text,
        }
    }
}

/// What a patch does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The edits, in order; none when the config is patched so already.
    pub edits: Vec<Edit>,
    /// What was found.
    pub notes: Vec<Note>,
}

/// Plans a patch.
///
/// # Errors
/// An option that cannot be right, no bootstrap-in-place config, a file that has to be edited and cannot be.
pub fn plan(config: &Config, options: &Options) -> Result<Plan, PatchError> {
    options.check()?;
    for path in [install::PATH, fcc::PATH] {
        if config.file(path).is_none() {
            return Err(PatchError::NotBootstrapInPlace { path });
        }
    }
    let mut planner = Planner {
        config: config.clone(),
        edits: Vec::new(),
        notes: Vec::new(),
    };
    planner.strip()?;
    let stripped = planner.edits.len();
    legacy::live(&mut planner)?;
    let mirrors = planner.mirrors(options)?;
    planner.live(options, &mirrors)?;
    planner.script(options)?;
    planner.installed(options, &mirrors)?;
    planner.pull_secret(options)?;
    Ok(planner.finish(config, stripped))
}

/// The release images (`host/path@sha256:…`) that the scripts of a config name, sorted.
///
/// # Panics
/// Never: the pattern is a constant.
pub fn release_images(config: &Config) -> Vec<String> {
    let reference = Regex::new(r"[a-z0-9][a-z0-9.:-]*(?:/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}");
    let reference = reference.expect("a constant pattern");
    let bytes = |path: &str| config.file(path)?.bytes().ok().flatten();
    let texts = RELEASE_SCRIPTS.iter().filter_map(|path| bytes(path));
    let mut found = BTreeSet::new();
    for text in texts {
        let text = String::from_utf8_lossy(&text);
        found.extend(reference.find_iter(&text).map(|m| m.as_str().to_owned()));
    }
    found.into_iter().collect()
}

/// The config while it is patched, and how it got so.
#[derive(Debug)]
pub(super) struct Planner {
    pub(super) config: Config,
    edits: Vec<Edit>,
    notes: Vec<Note>,
}

impl Planner {
    pub(super) fn edit(&mut self, edit: Edit) -> Result<(), PatchError> {
        self.config.apply(&edit)?;
        self.edits.push(edit);
        Ok(())
    }

    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// The text of a file; none when the config does not have it.
    pub(super) fn text(&self, path: &str) -> Result<Option<String>, PatchError> {
        let Some(file) = self.config.file(path) else {
            return Ok(None);
        };
        let bytes = file.bytes().map_err(|source| PatchError::Contents {
            path: path.to_owned(),
            source,
        })?;
        let text = String::from_utf8(bytes.unwrap_or_default());
        text.map(Some).map_err(|_| PatchError::NotText {
            path: path.to_owned(),
        })
    }

    /// Takes out what is ours, except inside files of others.
    fn strip(&mut self) -> Result<(), PatchError> {
        let files = self.config.files().map(|f| f.path());
        let ours = files.filter(|path| assets::is_ours(path));
        let mut edits: Vec<_> = ours
            .map(|path| Edit::RemoveFile {
                path: path.to_owned(),
            })
            .collect();
        for unit in self.config.units() {
            let name = unit.name().to_owned();
            if assets::UNITS.contains(&name.as_str()) {
                edits.push(Edit::RemoveUnit { name });
            } else if unit.dropin(assets::DROPIN).is_some() {
                edits.push(Edit::RemoveDropin {
                    unit: name,
                    name: assets::DROPIN.to_owned(),
                });
            }
        }
        edits.into_iter().try_for_each(|edit| self.edit(edit))
    }

    /// The registries configuration, merged with the site's.
    fn mirrors(&mut self, options: &Options) -> Result<String, PatchError> {
        let mut sources: BTreeSet<String> = options.sources.iter().cloned().collect();
        let releases = release_images(&self.config);
        let names = releases.iter().filter_map(|image| image.split_once('@'));
        sources.extend(names.map(|(name, _)| name.to_owned()));
        for image in os_images(&self.config) {
            // A name that is none is the machine-config operator's to refuse.
            if let Ok(reference) = image.parse::<Reference>() {
                sources.insert(reference.name());
                let text = format!("the first boot takes the OS image {image}");
                self.note(Note::Found(text));
            }
        }
        if options.sources.is_empty() {
            sources.extend(super::options::GENERIC_HOSTS.map(str::to_owned));
        }
        let files = self.config.files().map(|f| f.path());
        let dropin = |path: &&str| {
            let name = path.strip_prefix(registries::DROPINS);
            name.is_some_and(|name| {
                name.strip_suffix(".conf")
                    .is_some_and(|stem| !stem.contains('/'))
            })
        };
        // In the order in which they are read: the main file, then the drop-ins by name.
        let dropins: BTreeSet<String> = files.filter(dropin).map(str::to_owned).collect();
        let mut site = Site::default();
        for path in std::iter::once(registries::MAIN).chain(dropins.iter().map(String::as_str)) {
            if let Some(text) = self.text(path)? {
                site.read(path, &text)?;
            }
            if path.starts_with(registries::DROPINS) && path > assets::REGISTRIES {
                self.note(Note::Wrong(format!(
                    "{path}: is read after {}; an entry of the same prefix takes our mirror away",
                    assets::REGISTRIES
                )));
            }
        }
        let sources: Vec<_> = sources.into_iter().collect();
        Ok(site.dropin(&sources))
    }

    fn live(&mut self, options: &Options, mirrors: &str) -> Result<(), PatchError> {
        let staged = installed::staged(options, mirrors);
        for asset in assets::files(Stage::Live, options, mirrors)
            .into_iter()
            .chain(staged)
        {
            self.set_file(asset)?;
        }
        for (name, enabled, contents) in assets::units(options) {
            self.edit(Edit::SetUnit(NewUnit {
                name: name.to_owned(),
                enabled,
                contents: Some(contents),
            }))?;
        }
        let contents = assets::hook(Stage::Live, options.loader);
        for unit in LIVE_HOOKS {
            let as_file = self
                .config
                .file(&format!("/etc/systemd/system/{unit}"))
                .is_some();
            if self.config.unit(unit).is_some() {
                self.edit(Edit::SetDropin {
                    unit: unit.to_owned(),
                    name: assets::DROPIN.to_owned(),
                    contents: contents.clone(),
                })?;
            } else if as_file || unit == "crio.service" {
                self.set_file(Asset {
                    path: assets::dropin_path(unit),
                    mode: 0o644,
                    contents: contents.clone(),
                })?;
            }
        }
        Ok(())
    }

    fn set_file(&mut self, asset: Asset) -> Result<(), PatchError> {
        self.edit(Edit::SetFile(NewFile {
            path: asset.path,
            mode: asset.mode,
            contents: asset.contents.into_bytes(),
        }))
    }

    /// Sets the contents of an existing text file.
    fn set_text(&mut self, path: &str, text: String) -> Result<(), PatchError> {
        self.edit(Edit::SetContents {
            path: path.to_owned(),
            contents: Secret(text.into_bytes()),
        })
    }

    fn script(&mut self, options: &Options) -> Result<(), PatchError> {
        let script = self.text(install::PATH)?.unwrap_or_default();
        let stock = install::strip(&script);
        let new = install::edit(
            &stock,
            options.save_partlabel.as_deref(),
            options.installation_disk.as_deref(),
        )?;
        self.set_text(install::PATH, new)
    }

    fn installed(&mut self, options: &Options, mirrors: &str) -> Result<(), PatchError> {
        let text = self.text(fcc::PATH)?.unwrap_or_default();
        let (text, notes) = installed::edit(&text, options, mirrors)?;
        self.notes.extend(notes);
        self.set_text(fcc::PATH, text)
    }

    fn pull_secret(&mut self, options: &Options) -> Result<(), PatchError> {
        if let Some(secret) = &options.pull_secret {
            let contents = secret.clone();
            let path = PULL_SECRET.to_owned();
            if self.config.file(PULL_SECRET).is_some() {
                self.edit(Edit::SetContents { path, contents })?;
            } else {
                self.edit(Edit::SetFile(NewFile {
                    path,
                    mode: 0o600,
                    contents: contents.0,
                }))?;
            }
        }
        let text = self.text(PULL_SECRET)?.unwrap_or_default();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let registries = document
            .get("auths")
            .and_then(|a| a.as_object())
            .map_or(0, serde_json::Map::len);
        self.note(Note::Found(match registries {
            0 => format!("the config has no pull secret (its {PULL_SECRET}): the node can pull what needs no login"),
            count => format!("the config has a pull secret (its {PULL_SECRET}) for {count} registries"),
        }));
        Ok(())
    }

    /// Drops edits that cancel each other, as long as the bytes stay the same.
    fn finish(self, before: &Config, stripped: usize) -> Plan {
        let (strips, rest) = self.edits.split_at(stripped);
        let outdated = strips
            .iter()
            .filter(|s| !rest.iter().any(|edit| sets_again(s, edit)));
        let mut short = before.clone();
        let mut edits = Vec::new();
        for edit in outdated.chain(rest) {
            match short.apply(edit) {
                Ok(Change::Unchanged) => {}
                Ok(_) => edits.push(edit.clone()),
                Err(_) => break,
            }
        }
        let same = short == self.config && short.render() == self.config.render();
        Plan {
            edits: if same { edits } else { self.edits },
            notes: self.notes,
        }
    }
}

/// Whether `edit` sets what `strip` took out.
fn sets_again(strip: &Edit, edit: &Edit) -> bool {
    match (strip, edit) {
        (Edit::RemoveFile { path }, Edit::SetFile(file)) => *path == file.path,
        (Edit::RemoveUnit { name }, Edit::SetUnit(unit)) => *name == unit.name,
        (Edit::RemoveDropin { unit, .. }, Edit::SetDropin { unit: again, .. }) => unit == again,
        _ => false,
    }
}
