//! `containers-registries.conf(5)`, version 2: which physical places may answer for a reference.
//!
//! The file is the one named, else the user's, else the system's; then `*.conf` of `registries.conf.d` in name order, where a later
//! `[[registry]]` replaces an earlier one of the same prefix. The longest prefix that ends at `/`, `:`, `@` or the end decides;
//! `*.example.com` stands for any subdomain. A mirror's name is its location and what follows the prefix. Not read here:
//! `unqualified-search-registries` and aliases (references are spelled out), `credential-helpers`.
//! Mirrors of the options come before all of it, whatever prefix decides; an image that the file blocks stays blocked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{Error, Fault};
use super::{Environment, Options};
use crate::io::root_text;
use crate::oci::{self, Reference};

/// Mirrors of the options, and the merged rules by prefix.
#[derive(Debug, Default)]
pub(super) struct Registries {
    mirrors: Vec<oci::Mirror>,
    rules: BTreeMap<String, Rule>,
}

#[derive(Debug)]
struct Rule {
    /// `None` for a wildcard prefix without location: the name stays.
    location: Option<String>,
    insecure: bool,
    blocked: bool,
    mirrors: Vec<Mirror>,
    /// The file, for messages.
    file: PathBuf,
}

#[derive(Debug)]
struct Mirror {
    location: String,
    insecure: bool,
    pull: PullFrom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PullFrom {
    All,
    DigestOnly,
    TagOnly,
}

/// What is looked for: mirrors may serve tags or digests only; blobs come from any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Manifest,
    Blob,
}

/// A place and whether it may be insecure.
pub(super) type Located = (Reference, bool);

impl Registries {
    pub(super) fn load(options: &Options) -> Result<Self, Error> {
        let mut registries = Self {
            mirrors: options.mirrors.clone(),
            ..Self::default()
        };
        for path in files(options)? {
            let text = fs_err::read_to_string(&path).map_err(|e| fail(&path, root_text(&e)))?;
            registries
                .add(&path, &text)
                .map_err(|reason| fail(&path, reason))?;
        }
        Ok(registries)
    }

    /// The places for a reference, mirrors in order, the location itself last.
    pub(super) fn places(
        &self,
        image: &Reference,
        purpose: Purpose,
    ) -> Result<Vec<Located>, Fault> {
        let own = self.mirrors.iter().map(oci::Mirror::location);
        let own: Vec<_> = own.filter(|at| at.holds(image)).collect();
        // What is asked of a mirror by its own name is as insecure there, and no other mirror's affair.
        let insecure = own.iter().any(|at| at.is_insecure());
        let mirrors = self.mirrors.iter().filter(|_| own.is_empty());
        let mut places: Vec<Located> = mirrors
            .filter_map(|mirror| Some((mirror.place(image)?, mirror.location().is_insecure())))
            .collect();
        let ruled = self.ruled(image, purpose)?.into_iter();
        places.extend(ruled.map(|(place, was)| (place, was || insecure)));
        Ok(places)
    }

    /// The places that registries.conf names.
    fn ruled(&self, image: &Reference, purpose: Purpose) -> Result<Vec<Located>, Fault> {
        let name = image.to_string();
        let Some((prefix, end, rule)) = self.matching(&name) else {
            return Ok(vec![(image.clone(), false)]);
        };
        if rule.blocked {
            let file = rule.file.display();
            return Err(
                Fault::config(format!("blocked by the prefix `{prefix}` in {file}")).with_hint(
                    "remove `blocked = true` there, or take the image from another registry",
                ),
            );
        }
        let rest = name.get(end..).unwrap_or_default();
        let by_digest = image.digest().is_some();
        let wanted = |pull| match (purpose, pull) {
            (Purpose::Blob, _) | (_, PullFrom::All) => true,
            (_, PullFrom::DigestOnly) => by_digest,
            (_, PullFrom::TagOnly) => !by_digest,
        };
        let mirrors = rule.mirrors.iter().filter(|mirror| wanted(mirror.pull));
        let mut places = mirrors
            .map(|mirror| {
                Ok((
                    relocate(&mirror.location, rest, &rule.file)?,
                    mirror.insecure,
                ))
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let own = match &rule.location {
            Some(location) => relocate(location, rest, &rule.file)?,
            None => image.clone(),
        };
        places.push((own, rule.insecure));
        Ok(places)
    }

    /// The longest matching prefix, where in the name it ends, and its rule. A literal prefix beats a wildcard of equal length.
    fn matching(&self, name: &str) -> Option<(&str, usize, &Rule)> {
        self.rules
            .iter()
            .filter_map(|(prefix, rule)| Some((prefix.as_str(), match_end(prefix, name)?, rule)))
            .max_by_key(|(prefix, end, _)| (*end, !prefix.starts_with('*')))
    }

    fn add(&mut self, path: &Path, text: &str) -> Result<(), String> {
        let document: Document = toml::from_str(text).map_err(|e| located(text, &e))?;
        if document.registries.is_some() {
            return Err("registries.conf must be in v2 format but is in v1".to_owned());
        }
        for raw in document.registry {
            let (prefix, rule) = raw.check(path)?;
            self.rules.insert(prefix, rule);
        }
        Ok(())
    }
}

fn fail(path: &Path, reason: String) -> Error {
    Error::RegistriesConf {
        path: path.to_owned(),
        reason,
    }
}

/// `line:column: message`, on one line.
fn located(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = at - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
    let message = error.message().lines().next().unwrap_or_default();
    format!("line {line}, column {column}: {message}")
}

/// The main file and the drop-ins behind it.
fn files(options: &Options) -> Result<Vec<PathBuf>, Error> {
    let environment = &options.environment;
    let explicit = options
        .registries_conf
        .as_ref()
        .or(environment.containers_registries_conf.as_ref());
    let (main, directories) = if let Some(path) = explicit {
        (Some(path.clone()), vec![drop_ins_of(path)])
    } else {
        let candidates = default_files(environment);
        // Drop-ins of the system come first, those of the user override them.
        let directories = candidates
            .iter()
            .rev()
            .map(|path| drop_ins_of(path))
            .collect();
        (
            candidates.into_iter().find(|path| path.exists()),
            directories,
        )
    };
    let mut files: Vec<PathBuf> = main.into_iter().collect();
    for directory in directories {
        files.extend(drop_ins(&directory)?);
    }
    Ok(files)
}

fn default_files(environment: &Environment) -> Vec<PathBuf> {
    let user = environment.config_home();
    user.into_iter()
        .chain([environment.etc.clone()])
        .map(|base| base.join("containers/registries.conf"))
        .collect()
}

fn drop_ins_of(path: &Path) -> PathBuf {
    path.with_file_name("registries.conf.d")
}

fn drop_ins(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(directory, root_text(&error))),
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "conf"))
        .collect();
    paths.sort();
    Ok(paths)
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    registry: Vec<RawRule>,
    /// Only version 1 has this table.
    registries: Option<toml::Table>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawRule {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<RawMirror>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawMirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<PullFrom>,
}

impl RawRule {
    fn check(self, path: &Path) -> Result<(String, Rule), String> {
        let location = place(&self.location)?;
        let prefix = match place(&self.prefix)? {
            prefix if prefix.is_empty() => location.clone(),
            prefix => prefix,
        };
        if prefix.is_empty() {
            return Err("a [[registry]] has neither prefix nor location".to_owned());
        }
        if location.is_empty() && !prefix.starts_with("*.") {
            return Err(format!("[[registry]] `{prefix}` has no location"));
        }
        let default = if self.mirror_by_digest_only {
            PullFrom::DigestOnly
        } else {
            PullFrom::All
        };
        let mut mirrors = Vec::new();
        for raw in self.mirror {
            let location = place(&raw.location)?;
            if location.is_empty() {
                return Err(format!("a mirror of `{prefix}` has no location"));
            }
            if self.mirror_by_digest_only && raw.pull_from_mirror.is_some() {
                return Err(format!(
                    "mirror `{location}` of `{prefix}` has pull-from-mirror although its registry has mirror-by-digest-only"
                ));
            }
            mirrors.push(Mirror {
                location,
                insecure: raw.insecure,
                pull: raw.pull_from_mirror.unwrap_or(default),
            });
        }
        let rule = Rule {
            location: (!location.is_empty()).then_some(location),
            insecure: self.insecure,
            blocked: self.blocked,
            mirrors,
            file: path.to_owned(),
        };
        Ok((prefix, rule))
    }
}

/// A prefix or location without its trailing slashes.
fn place(text: &str) -> Result<String, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Err(format!("`{text}`: a location has no URL scheme"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Where in `name` the prefix ends, if it matches.
fn match_end(prefix: &str, name: &str) -> Option<usize> {
    let end = match prefix.strip_prefix('*') {
        Some(suffix) => {
            let at = name.find(suffix)?;
            // The star stands for labels of the host only.
            if at == 0 || name.get(..at)?.contains(['/', ':', '@']) {
                return None;
            }
            at + suffix.len()
        }
        None => name.starts_with(prefix).then_some(prefix.len())?,
    };
    let next = name.get(end..)?.chars().next();
    matches!(next, None | Some('/' | ':' | '@')).then_some(end)
}

fn relocate(location: &str, rest: &str, file: &Path) -> Result<Reference, Fault> {
    let name = format!("{location}{rest}");
    let wrong = || {
        Fault::config(format!(
            "{}: location `{location}` makes `{name}`, which is not an image reference",
            file.display()
        ))
    };
    let place: Reference = name.parse().map_err(|_| wrong())?;
    // `mirror/a` would be taken as docker.io/mirror/a.
    let host = location.split('/').next().unwrap_or(location);
    if place.registry() == host || place.registry() == "docker.io" && host.ends_with("docker.io") {
        Ok(place)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests;
