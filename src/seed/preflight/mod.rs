//! Every requirement on a seed cluster, checked at once over [`Facts`]: lifecycle-agent's own reject checks and health checks,
//! and what it does not check although the image is useless without (`seed-image.md` section 3).
//!
//! A rule is a pure function. It reads named answers; when one of them failed or was never asked, the rule is `unknown`, and the
//! finding is of the rule `api-access`, once for each answer, so that one broken fact is one finding.
//!
//! Not seen through the API, and so not checked: `ostree admin set-default` on the host (the version stands in for it), whether
//! the registry takes the push (`seed create` tries), whether the CPU topology is that of the targets.

mod dnsmasq;
mod health;
mod holes;
mod machine_config;
mod plan;
mod rejects;

use serde::Serialize;

pub(super) use machine_config::CurrentConfig;
pub use plan::deletions;

use super::facts::{Answer, Facts};
use super::finding::{Finding, has_errors};
use crate::objects::Rules;
pub use crate::objects::{Outcome, Row};

/// What the seed image is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Image-Based Upgrade: needs OADP on the seed.
    #[default]
    Upgrade,
    /// Image-Based Installation.
    Install,
}

/// An answer that a rule reads: a fixed path, or one that depends on other answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Path(&'static str),
    MachineConfig,
    Stats,
    TrustedCa,
}

struct Rule {
    id: &'static str,
    requirement: &'static str,
    reads: &'static [Read],
    check: fn(&Facts, Purpose, &mut Vec<Finding>),
}

/// What a preflight found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// No error.
    pub ok: bool,
    /// Every rule, in the order of the checks.
    pub rules: Vec<Row>,
    /// Everything that is wrong, in the same order.
    pub findings: Vec<Finding>,
    /// What lifecycle-agent will delete on the seed cluster.
    pub deletions: Vec<String>,
}

/// Checks everything.
pub fn run(facts: &Facts, purpose: Purpose) -> Report {
    let mut rules = Rules::new(access(facts));
    for rule in rejects::RULES
        .iter()
        .chain(holes::RULES)
        .chain(health::RULES)
    {
        let known = rule.reads.iter().all(|read| is_known(facts, *read));
        let found = known.then(|| {
            let mut found = Vec::new();
            (rule.check)(facts, purpose, &mut found);
            found
        });
        rules.add(rule.id, rule.requirement, found);
    }
    Report {
        ok: !has_errors(&rules.findings),
        rules: rules.rows,
        findings: rules.findings,
        deletions: deletions(facts),
    }
}

fn is_known(facts: &Facts, read: Read) -> bool {
    match read {
        Read::Path(path) => facts.is_known(path),
        Read::MachineConfig => facts.machine_config().is_some(),
        Read::Stats => facts
            .stats_path()
            .is_some_and(|path| facts.object(&path).is_some()),
        Read::TrustedCa => facts
            .trusted_ca_path()
            .is_none_or(|path| facts.is_known(&path)),
    }
}

/// One finding for each answer that tells nothing.
fn access(facts: &Facts) -> Vec<Finding> {
    let cure = |path: &str| match facts.answers.get(path) {
        None => "collect the facts again with this version",
        Some(Answer::Error(_)) => {
            "give the user the right to read it (cluster-admin has it), then run again"
        }
        Some(_) => "this is no complete OpenShift cluster, or its API is not up",
    };
    let needed = facts.needed().into_iter();
    let found = needed.filter_map(|path| {
        let why = facts.trouble(&path)?;
        let cure = cure(&path);
        Some(Finding::error("api-access", path, why, cure))
    });
    found.collect()
}
