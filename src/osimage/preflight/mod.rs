//! Every requirement of a build, checked at once over [`Facts`], before the cluster is asked for anything.
//!
//! A rule is a pure function over named answers; when one of them failed or was never asked, the rule is `unknown` and the finding
//! is of the rule `api-access`, once for each answer. What each registry says to a push and a pull is for whoever has a network ([`Report::add`]).
//!
//! The known limitations of 4.14 (seed document 004), and where they are seen:
//!
//! | limitation | rule | in v1 |
//! |---|---|---|
//! | no rolling back from a layered pool | `rollback` warns of the one-way road, and again where nodes are on it; `osimage clean` refuses | revert is there: delete the `MachineOSConfig` |
//! | the Image Builder capability is not detected | `builder` says which of the two will build | one builder, a Job |
//! | 1 MB of `MachineConfig`, because a `ConfigMap` carries it | `size` | the same |
//! | `osImageURL` of a `MachineConfig` is not ingested | `os-image-url` | it is the base |
//! | no multi-arch | `architecture` | the same: one image for one architecture |
//! | upgrades are untested | `release` warns while one goes on | it waits |
//! | buildah is not pinned, `quay.io/buildah/stable:latest`: disconnected builds fail | `disconnected` | the operator's own image builds |
//! | no extensions, no other kernels | `extensions` | both are built in |
//! | a changed Containerfile does not start a build (seed document 004, notes) | `osimage build` says so, `osimage clean` starts one | the build starts |
//! | HyperShift is untested | `topology` | the same |

mod limits;
mod needs;

use serde::Serialize;

use super::facts::{CONFIGS, Facts, MIRRORS, OLD_MIRRORS, pool_path};
use super::resources::OsImage;
use crate::objects::{Answer, Finding, Rules, has_errors};
pub use crate::objects::{Outcome, Row};

/// What a preflight found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// No error.
    pub ok: bool,
    /// Every rule, in the order of the checks.
    pub rules: Vec<Row>,
    /// Everything that is wrong, in the same order.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Adds what somebody with a network found.
    pub fn add(&mut self, rule: &'static str, requirement: &'static str, found: Vec<Finding>) {
        self.rules.push(Row::new(rule, requirement, &found));
        self.ok &= !has_errors(&found);
        self.findings.extend(found);
    }
}

/// One requirement: its name, what it asks for, the paths that it reads, and the check.
struct Rule {
    id: &'static str,
    requirement: &'static str,
    reads: fn(&Facts, &OsImage) -> Vec<String>,
    check: fn(&Facts, &OsImage, &mut Vec<Finding>),
}

/// Checks everything.
pub fn run(facts: &Facts, image: &OsImage) -> Report {
    let mut rules = Rules::new(access(facts, image));
    for rule in needs::RULES.iter().chain(limits::RULES) {
        let paths = (rule.reads)(facts, image);
        let found = paths.iter().all(|path| is_known(facts, path)).then(|| {
            let mut found = Vec::new();
            (rule.check)(facts, image, &mut found);
            found
        });
        rules.add(rule.id, rule.requirement, found);
    }
    Report {
        ok: !has_errors(&rules.findings),
        rules: rules.rows,
        findings: rules.findings,
    }
}

/// Whether what is missing is made by the build itself.
pub fn is_made_by_build(finding: &Finding) -> bool {
    [needs::NO_POOL, needs::NO_STREAM].contains(&finding.message.as_str())
}

/// Whether an answer tells something; that an object is not there tells something too, a rule says what.
fn is_known(facts: &Facts, path: &str) -> bool {
    facts
        .answers
        .get(path)
        .is_some_and(|answer| trouble(path, answer).is_none())
}

fn trouble(path: &str, answer: &Answer) -> Option<String> {
    let lists = [super::facts::NODES, CONFIGS, MIRRORS, OLD_MIRRORS];
    match answer {
        Answer::Error(reason) => Some(format!("it could not be read: {reason}")),
        Answer::Items(_) if !lists.contains(&path) => {
            Some("a list, where the API has one object".to_owned())
        }
        Answer::Object(_) if lists.contains(&path) => {
            Some("one object, where the API has a list".to_owned())
        }
        Answer::Items(items) if items.is_empty() && path == super::facts::NODES => {
            Some("the list is empty, which no cluster's is".to_owned())
        }
        _ => None,
    }
}

/// One finding for each answer that tells nothing, or that no cluster is without.
fn access(facts: &Facts, image: &OsImage) -> Vec<Finding> {
    let always = [
        super::facts::NODES,
        super::facts::INFRASTRUCTURE,
        super::facts::VERSION,
        super::facts::PULL_SECRET,
    ];
    let rendered = facts.rendered_path(image);
    let found = facts.needed(image).into_iter().filter_map(|path| {
        let (why, cure) = match facts.answers.get(&path) {
            None => ("nobody asked for it".to_owned(), "run the preflight again"),
            Some(Answer::Absent)
                if always.contains(&path.as_str()) || rendered.as_ref() == Some(&path) =>
            {
                (
                    "it is not there".to_owned(),
                    "this is no complete OpenShift cluster, or its API is not up",
                )
            }
            Some(answer) => (
                trouble(&path, answer)?,
                "give the user the right to read it (cluster-admin has it), then run again",
            ),
        };
        Some(Finding::error("api-access", path, why, cure))
    });
    found.collect()
}

/// The pool's path alone.
fn reads_pool(_: &Facts, image: &OsImage) -> Vec<String> {
    vec![pool_path(image)]
}
