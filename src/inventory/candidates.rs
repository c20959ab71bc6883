//! Images as they are asked for, joined into one line per pinned source (`imageset.md` §4.1–4.4).
//!
//! Pure: pins are looked up before. What was asked for first gives a source its destination (releases, then operators, then additional
//! images; upstream merges its mappings in that order and keeps what is there), every asker becomes an origin.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::filter::{ImageFilter, Patterns};
use crate::oci::Reference;

use super::lock::{Group, Origin};
use super::{InventoryError, split, tags};

/// How the destination of a line is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// As it is.
    Fixed(String),
    /// [`tags::operator_destination`].
    Operator,
    /// [`tags::additional_destination`].
    Additional,
}

/// An image that something asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// As it is written.
    pub(super) text: String,
    pub(super) reference: Reference,
    pub(super) destination: Destination,
    pub(super) origin: Origin,
}

/// A line of the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) source: Reference,
    /// As asked for, where that was by tag.
    pub(super) requested: Option<String>,
    pub(super) destination: String,
    pub(super) origins: BTreeSet<Origin>,
    pub(super) groups: Vec<Group>,
}

/// The lines, sorted by source, and what was taken out of them.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) kept: Vec<Line>,
    /// Whole mapping lines that the filter took out, sorted.
    pub(super) ignored: Vec<String>,
    pub(super) failures: Vec<InventoryError>,
    pub(super) warnings: Vec<String>,
}

/// What is taken out, and which images are of the live ISO stage.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    pub(super) blocked: &'a Patterns,
    pub(super) filter: &'a ImageFilter,
    /// `--ai-img`, as written.
    pub(super) ai_images: &'a [Reference],
}

/// Joins candidates. `pins` has the digest form of each reference; those without one failed earlier and are left out.
pub(super) fn join(
    candidates: Vec<Candidate>,
    pins: &BTreeMap<Reference, Reference>,
    rules: &Rules<'_>,
) -> Lines {
    let mut joined: BTreeMap<String, Line> = BTreeMap::new();
    let mut hashed = BTreeSet::new();
    for candidate in candidates {
        let Some(source) = pins.get(&candidate.reference) else {
            continue;
        };
        let key = source.to_string();
        if rules.blocked.is_match(&key) || rules.blocked.is_match(&candidate.text) {
            continue;
        }
        let tagged = candidate.reference.digest().is_none();
        let line = joined.entry(key).or_insert_with_key(|key| {
            let by_hash = candidate.destination == Destination::Operator && !tagged;
            if by_hash && candidate.reference.tag().is_none() {
                hashed.insert(key.clone());
            }
            Line {
                source: source.clone(),
                requested: tagged.then(|| candidate.text.clone()),
                destination: destination(&candidate),
                origins: BTreeSet::new(),
                groups: Vec::new(),
            }
        });
        line.origins.insert(candidate.origin);
    }
    let ai: BTreeSet<String> = rules
        .ai_images
        .iter()
        .filter_map(|r| Some(pins.get(r)?.to_string()))
        .collect();
    let mut lines = Lines::default();
    for (key, mut line) in joined {
        if rules.filter.matches(&key, &line.destination) {
            lines.ignored.push(format!("{key}={}", line.destination));
            continue;
        }
        line.groups = split::groups(&key, &line.destination, &ai);
        lines.kept.push(line);
    }
    lines.ignored.sort_unstable();
    lines.find_collisions(&hashed);
    lines
}

fn destination(candidate: &Candidate) -> String {
    match &candidate.destination {
        Destination::Fixed(text) => text.clone(),
        Destination::Operator => tags::operator_destination(&candidate.reference),
        Destination::Additional => tags::additional_destination(&candidate.reference),
    }
}

impl Lines {
    /// Two sources under one destination: wrong when both tags are hashes (upstream's last writer wins silently), else told,
    /// because only one of them can be pushed under that tag.
    fn find_collisions(&mut self, hashed: &BTreeSet<String>) {
        let mut seen: BTreeMap<&str, &Line> = BTreeMap::new();
        for line in &self.kept {
            let Some(other) = seen.insert(&line.destination, line) else {
                continue;
            };
            let (first, second) = (other.source.to_string(), line.source.to_string());
            let destination = line.destination.clone();
            if hashed.contains(&first) && hashed.contains(&second) {
                self.failures.push(InventoryError::Collision {
                    first,
                    second,
                    destination,
                });
            } else {
                self.warnings.push(format!(
                    "{first} and {second} both map to {destination}; both are kept on disk by digest"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Located;

    fn digest_ref(name: &str, digit: char) -> String {
        format!("{name}@sha256:{}", digit.to_string().repeat(64))
    }

    fn candidate(text: &str, destination: Destination, origin: Origin) -> Candidate {
        Candidate {
            text: text.to_owned(),
            reference: text.parse().unwrap(),
            destination,
            origin,
        }
    }

    fn pins(candidates: &[Candidate]) -> BTreeMap<Reference, Reference> {
        let pin = |c: &Candidate| {
            let digest = c.reference.digest().cloned();
            let digest = digest.unwrap_or_else(|| crate::oci::Digest::of(b"tagged"));
            (c.reference.clone(), c.reference.pinned(digest))
        };
        candidates.iter().map(pin).collect()
    }

    fn join_all(candidates: Vec<Candidate>, blocked: &str, filter: &str, ai: &[&str]) -> Lines {
        let blocked: Vec<Located<String>> = blocked.split_whitespace().map(Located::from).collect();
        let yaml = if filter.is_empty() {
            "patterns: []".to_owned()
        } else {
            format!("patterns: ['{filter}']")
        };
        let pins = pins(&candidates);
        let ai: Vec<Reference> = ai.iter().map(|t| t.parse().unwrap()).collect();
        let rules = Rules {
            blocked: &Patterns::compile(&blocked).unwrap(),
            filter: &ImageFilter::parse("test", &yaml).unwrap(),
            ai_images: &ai,
        };
        join(candidates, &pins, &rules)
    }

    #[test]
    fn one_line_per_source_first_asker_decides() {
        let image = digest_ref("quay.io/a/b", 'a');
        let fixed = Destination::Fixed("openshift/release:4.13.1-x86_64-b".to_owned());
        let lines = join_all(
            vec![
                candidate(&image, fixed, Origin::Mapping),
                candidate(&image, Destination::Operator, Origin::Additional),
                candidate(
                    "quay.io/a/c:v1",
                    Destination::Additional,
                    Origin::Additional,
                ),
            ],
            "",
            "",
            &["quay.io/a/c:v1"],
        );
        assert_eq!(lines.kept.len(), 2);
        let [first, second] = &lines.kept[..] else {
            panic!()
        };
        assert_eq!(first.destination, "openshift/release:4.13.1-x86_64-b");
        assert_eq!(first.origins.len(), 2);
        assert_eq!(first.requested, None);
        assert_eq!(second.requested.as_deref(), Some("quay.io/a/c:v1"));
        assert_eq!(
            second.groups,
            [Group::Ai],
            "an --ai-img by tag is matched after pinning"
        );
        assert_eq!(second.destination, "a/c:v1");
    }

    #[test]
    fn blocked_and_filtered_are_out() {
        let images = ["quay.io/a/b", "nvcr.io/a/c", "quay.io/a/d"].map(|n| digest_ref(n, 'b'));
        let all = || {
            let make = |t: &String| candidate(t, Destination::Operator, Origin::Additional);
            images.iter().map(make).collect::<Vec<_>>()
        };
        let lines = join_all(all(), "a/b", "^nvcr", &[]);
        assert_eq!(lines.kept.len(), 1);
        assert_eq!(lines.ignored.len(), 1);
        assert!(lines.ignored[0].starts_with(&format!("{}=a/c:", images[1])));
        let by_destination = join_all(all(), "", "^a/d:", &[]);
        assert_eq!(by_destination.kept.len(), 2);
    }

    #[test]
    fn collisions() {
        let (first, second) = (
            digest_ref("quay.io/a/b", 'a'),
            digest_ref("quay.io/a/b", 'b'),
        );
        let same = |t: &str| candidate(t, Destination::Additional, Origin::Additional);
        let lines = join_all(vec![same(&first), same(&second)], "", "", &[]);
        assert_eq!((lines.warnings.len(), lines.failures.len()), (1, 0));
        // Two registries, one path and, by the hash of the whole pull spec, two tags.
        let other = first.replace("quay.io", "quay.example");
        let operator = |t: &str| candidate(t, Destination::Operator, Origin::Additional);
        let lines = join_all(vec![operator(&first), operator(&other)], "", "", &[]);
        assert_eq!((lines.warnings.len(), lines.failures.len()), (0, 0));
        // A real 32-bit collision cannot be written down here; the check itself can.
        let mut twice = join_all(vec![operator(&first), operator(&second)], "", "", &[]);
        let tag = twice.kept[0].destination.clone();
        twice.kept[1].destination = tag;
        twice.find_collisions(&BTreeSet::from([first, second]));
        assert_eq!(twice.failures.len(), 1);
    }
}
