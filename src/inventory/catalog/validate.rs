//! What operator-registry objects to in a catalog: `alpha/declcfg` `ConvertToModel` and `alpha/model` `Validate`.
//!
//! Rules: `imageset.md` §3.4. The v1 filter reads catalogs through this check and runs it again over its result; v2 never
//! does. Upstream walks Go maps, so the order of several complaints is not fixed there; here it is sorted by name.
//! Kept as upstream has it: entries without a bundle are only looked for in the channel that was read last of each
//! package (the others then fail in the bundle check, with another text).

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Bundle, Catalog, Entry, Gvk, RequiredPackage};
use crate::inventory::version::{Version, blang, quote};

/// A catalog as operator-registry links it: packages hold channels, channels hold entries joined with their bundles.
#[derive(Debug, Default)]
pub(super) struct Model<'a>(pub(super) BTreeMap<&'a str, ModelPackage<'a>>);

#[derive(Debug, Default)]
pub(super) struct ModelPackage<'a> {
    pub(super) default_channel: &'a str,
    priorities: Vec<(&'a str, i64)>,
    pub(super) channels: BTreeMap<&'a str, ModelChannel<'a>>,
}

impl<'a> ModelPackage<'a> {
    /// The channel with the highest priority among `names`, and those of the same priority; the last by name wins.
    pub(super) fn by_priority(&self, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let names: BTreeSet<&str> = names.collect();
        let all = self
            .priorities
            .iter()
            .filter(|(name, _)| names.contains(name));
        let Some(highest) = all.clone().map(|(_, priority)| priority).max() else {
            return Vec::new();
        };
        let best = all.filter(|(_, priority)| priority == highest);
        let best: BTreeSet<&str> = best.map(|(name, _)| *name).collect();
        best.into_iter().rev().collect()
    }
}

/// Entries by name.
#[derive(Debug, Default)]
pub(super) struct ModelChannel<'a>(pub(super) BTreeMap<&'a str, ModelBundle<'a>>);

/// An entry and the bundle of its name.
#[derive(Debug, Clone)]
pub(super) struct ModelBundle<'a> {
    pub(super) entry: &'a Entry,
    pub(super) blob: Option<&'a Bundle>,
    /// 0.0.0 when there is no bundle.
    pub(super) version: Version,
}

impl<'a> ModelBundle<'a> {
    pub(super) fn required(&self) -> &'a [Gvk] {
        self.blob.map_or(&[], |b| &b.required)
    }

    pub(super) fn required_packages(&self) -> &'a [RequiredPackage] {
        self.blob.map_or(&[], |b| &b.required_packages)
    }
}

impl<'a> ModelChannel<'a> {
    /// The one entry that no other entry replaces or skips.
    ///
    /// # Errors
    /// Upstream's text.
    pub(super) fn head(&self) -> Result<&'a str, String> {
        let entries = self.0.values();
        let named: BTreeSet<&str> = entries
            .flat_map(|b| b.entry.skips.iter().chain([&b.entry.replaces]))
            .map(String::as_str)
            .collect();
        let heads: Vec<&str> = self
            .0
            .keys()
            .filter(|n| !named.contains(*n))
            .copied()
            .collect();
        match *heads.as_slice() {
            [] => Err("no channel head found in graph".to_owned()),
            [head] => Ok(head),
            _ => Err(format!(
                "multiple channel heads found in graph: {}",
                heads.join(", ")
            )),
        }
    }

    fn replaces_chain_problem(&self) -> Option<String> {
        let head = match self.head() {
            Ok(head) => head,
            Err(problem) => return Some(problem),
        };
        let entries = self.0.values();
        let skipped: BTreeSet<&str> = entries
            .flat_map(|b| b.entry.skips.iter().map(String::as_str))
            .collect();
        let mut chain = vec![head];
        let mut current = self.0.get(head);
        while let Some(bundle) = current {
            let next = bundle.entry.replaces.as_str();
            if skipped.contains(next) {
                break;
            }
            if let Some(from) = chain.iter().position(|name| *name == next) {
                let cycle = chain.iter().skip(from).chain([&next]).copied();
                let cycle = cycle.collect::<Vec<_>>().join(" -> ");
                return Some(format!(
                    "detected cycle in replaces chain of upgrade graph: {cycle}"
                ));
            }
            chain.push(next);
            current = self.0.get(next);
        }
        let names = self.0.keys();
        let stranded: Vec<&str> = names
            .filter(|name| !chain.contains(name) && !skipped.contains(**name))
            .copied()
            .collect();
        (!stranded.is_empty()).then(|| {
            format!(
                "channel contains one or more stranded bundles: {}",
                stranded.join(", ")
            )
        })
    }
}

/// Says what upstream would object to; `None` when the catalog is valid.
pub fn problem(catalog: &Catalog) -> Option<String> {
    model(catalog).err()
}

/// Links a catalog and checks it.
///
/// # Errors
/// Upstream's text; the validity part is a tree drawn over several lines.
pub(super) fn model(catalog: &Catalog) -> Result<Model<'_>, String> {
    let mut model = link_channels(catalog)?;
    link_bundles(catalog, &mut model)?;
    for package in model.0.values_mut() {
        if !package.default_channel.is_empty() {
            // A missing default channel becomes an empty one, and is then found to be empty.
            package.channels.entry(package.default_channel).or_default();
        }
    }
    match Problem::of_index(&model) {
        Some(problem) => Err(problem.draw()),
        None => Ok(model),
    }
}

fn link_channels(catalog: &Catalog) -> Result<Model<'_>, String> {
    let mut model = Model::default();
    for package in &catalog.packages {
        if package.name.is_empty() {
            return Err("config contains package with no name".to_owned());
        }
        let linked = ModelPackage {
            default_channel: &package.default_channel,
            ..ModelPackage::default()
        };
        if model.0.insert(&package.name, linked).is_some() {
            return Err(format!("duplicate package {}", quote(&package.name)));
        }
    }
    for channel in &catalog.channels {
        let (package, name) = (quote(&channel.package), quote(&channel.name));
        let Some(owner) = model.0.get_mut(channel.package.as_str()) else {
            return Err(format!("unknown package {package} for channel {name}"));
        };
        if channel.name.is_empty() {
            return Err(format!("package {package} contains channel with no name"));
        }
        if owner.channels.contains_key(channel.name.as_str()) {
            return Err(format!("package {package} has duplicate channel {name}"));
        }
        let mut linked = ModelChannel::default();
        for entry in &channel.entries {
            let bundle = ModelBundle {
                entry,
                blob: None,
                version: Version::default(),
            };
            if linked.0.insert(&entry.name, bundle).is_some() {
                let entry = quote(&entry.name);
                return Err(format!(
                    "invalid package {package}, channel {name}: duplicate entry {entry}"
                ));
            }
        }
        let priorities = channel.priorities.iter();
        let priorities = priorities.map(|p| (channel.name.as_str(), p.priority));
        owner.priorities.extend(priorities);
        owner.channels.insert(&channel.name, linked);
    }
    Ok(model)
}

fn link_bundles<'a>(catalog: &'a Catalog, model: &mut Model<'a>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for bundle in &catalog.bundles {
        let (package, name) = (quote(&bundle.package), quote(&bundle.name));
        if bundle.package.is_empty() {
            return Err(format!("package name must be set for bundle {name}"));
        }
        let Some(owner) = model.0.get_mut(bundle.package.as_str()) else {
            return Err(format!("unknown package {package} for bundle {name}"));
        };
        if !seen.insert((bundle.package.as_str(), bundle.name.as_str())) {
            return Err(format!("package {package} has duplicate bundle {name}"));
        }
        let version = identity_version(bundle)?;
        let mut found = false;
        for channel in owner.channels.values_mut() {
            if let Some(entry) = channel.0.get_mut(bundle.name.as_str()) {
                entry.blob = Some(bundle);
                entry.version = version.clone();
                found = true;
            }
        }
        if !found {
            return Err(format!(
                "package {package}, bundle {name} not found in any channel entries"
            ));
        }
    }
    let mut last_channels = BTreeMap::new();
    for channel in &catalog.channels {
        last_channels.insert(channel.package.as_str(), channel);
    }
    for (package, channel) in last_channels {
        let names: BTreeSet<&str> = channel.entries.iter().map(|e| e.name.as_str()).collect();
        let missing = names
            .into_iter()
            .filter(|name| !seen.contains(&(package, *name)));
        let missing: Vec<&str> = missing.collect();
        if !missing.is_empty() {
            return Err(format!(
                "no olm.bundle blobs found in package {} for olm.channel entries [{}]",
                quote(package),
                missing.join(" ")
            ));
        }
    }
    Ok(())
}

fn identity_version(bundle: &Bundle) -> Result<Version, String> {
    let (package, name) = (quote(&bundle.package), quote(&bundle.name));
    let [identity] = bundle.identities.as_slice() else {
        let found = bundle.identities.len();
        return Err(format!(
            "package {package} bundle {name} must have exactly 1 \"olm.package\" property, found {found}"
        ));
    };
    if identity.package != bundle.package {
        return Err(format!(
            "package {package} does not match \"olm.package\" property {}",
            quote(&identity.package)
        ));
    }
    blang::parse(&identity.version).map_err(|e| {
        let version = quote(&identity.version);
        format!("error parsing bundle {name} version {version}: {e}")
    })
}

/// A complaint with the complaints below it.
struct Problem {
    text: String,
    below: Vec<Problem>,
}

impl Problem {
    fn leaf(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            below: Vec::new(),
        }
    }

    fn node(text: String, below: Vec<Self>) -> Option<Self> {
        (!below.is_empty()).then_some(Self { text, below })
    }

    fn of_index(model: &Model<'_>) -> Option<Self> {
        let packages = model.0.iter();
        let below = packages.filter_map(|(name, package)| Self::of_package(name, package));
        Self::node("invalid index".to_owned(), below.collect())
    }

    fn of_package(name: &str, package: &ModelPackage<'_>) -> Option<Self> {
        let mut below = Vec::new();
        if package.default_channel.is_empty() {
            below.push(Self::leaf("default channel must be set"));
        }
        if package.channels.is_empty() {
            below.push(Self::leaf("package must contain at least one channel"));
        }
        let channels = package.channels.iter();
        below.extend(channels.filter_map(|(name, channel)| Self::of_channel(name, channel)));
        Self::node(format!("invalid package {}", quote(name)), below)
    }

    fn of_channel(name: &str, channel: &ModelChannel<'_>) -> Option<Self> {
        let mut below = Vec::new();
        if channel.0.is_empty() {
            below.push(Self::leaf("channel must contain at least one bundle"));
        } else {
            below.extend(channel.replaces_chain_problem().map(Self::leaf));
        }
        below.extend(channel.0.values().filter_map(Self::of_bundle));
        Self::node(format!("invalid channel {}", quote(name)), below)
    }

    fn of_bundle(bundle: &ModelBundle<'_>) -> Option<Self> {
        let mut below = Vec::new();
        if bundle.entry.name.is_empty() {
            below.push(Self::leaf("name must be set"));
        }
        for (i, _) in bundle
            .entry
            .skips
            .iter()
            .enumerate()
            .filter(|(_, s)| s.is_empty())
        {
            below.push(Self::leaf(format!("skip[{i}] is empty")));
        }
        if bundle.blob.is_none() {
            below.push(Self::leaf(
                "must be exactly one property with type \"olm.package\"",
            ));
        }
        if bundle
            .blob
            .is_none_or(|b| b.image.is_empty() && !b.has_objects)
        {
            below.push(Self::leaf("bundle image must be set"));
        }
        Self::node(
            format!("invalid bundle {}", quote(&bundle.entry.name)),
            below,
        )
    }

    /// Draws the tree as upstream prints it.
    fn draw(&self) -> String {
        let mut lines = Vec::new();
        self.lines("", "", &mut lines);
        lines.join("\n")
    }

    fn lines(&self, own_prefix: &str, prefix: &str, lines: &mut Vec<String>) {
        let colon = if self.below.is_empty() { "" } else { ":" };
        lines.push(format!("{own_prefix}{}{colon}", self.text));
        let last = self.below.len().saturating_sub(1);
        for (i, problem) in self.below.iter().enumerate() {
            let (branch, bar) = if i == last {
                ("└── ", "    ")
            } else {
                ("├── ", "│   ")
            };
            problem.lines(
                &format!("{prefix}{branch}"),
                &format!("{prefix}{bar}"),
                lines,
            );
        }
    }
}
