//! What is wrong in a config, with a JSON pointer for each finding.
//!
//! An error is what Ignition refuses at parse time or fails on at boot; a warning is what boots, but hardly as it was meant. On what
//! `ignition-validate` refuses we refuse; where we refuse more (a file below a file, a hash that does not match, gzip that is none)
//! the boot would fail. Not checked: disks, RAID, LUKS and filesystems, which a bootstrap-in-place config does not have.
//! No message holds file contents.

mod known;
mod nodes;
mod resources;
mod units;

use std::collections::BTreeSet;

use serde::Serialize;

use super::config::Config;
use super::fit;
use super::shape;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Boots, but hardly as meant.
    Warning,
    /// Refused, or fails at boot.
    Error,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// JSON pointer (RFC 6901) of the value.
    pub pointer: String,
    /// What is wrong; names the path or unit.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Checks a whole config. `embed_area` is the size in bytes of the area it is meant for; none skips that check.
/// Findings stand in the order of the sections, worst not first.
pub fn lint(config: &Config, embed_area: Option<usize>) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    unknown_keys(config, &mut findings);
    passwd(config, &mut findings);
    kernel_arguments(config, &mut findings);
    resources::check(config, &mut findings);
    nodes::check(config, &mut findings);
    units::check(config, &mut findings);
    if let Some(area) = embed_area {
        size(config, area, &mut findings);
    }
    findings.0
}

/// Collects findings.
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, pointer: impl Into<String>, message: impl Into<String>) -> &mut Finding {
        self.push(Severity::Error, pointer.into(), message.into())
    }

    fn warning(&mut self, pointer: impl Into<String>, message: impl Into<String>) -> &mut Finding {
        self.push(Severity::Warning, pointer.into(), message.into())
    }

    fn push(&mut self, severity: Severity, pointer: String, message: String) -> &mut Finding {
        self.0.push(Finding {
            severity,
            pointer,
            message,
            hint: None,
        });
        self.0.last_mut().expect("just pushed")
    }
}

impl Finding {
    fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}

fn unknown_keys(config: &Config, findings: &mut Findings) {
    if !config.version().writable() {
        return;
    }
    let mut unknown = Vec::new();
    let minor = config.version().minor();
    shape::unknown_keys(
        config.json(),
        shape::SPEC_3,
        minor,
        &mut String::new(),
        &mut unknown,
    );
    for pointer in unknown {
        let message = format!(
            "key is not part of spec {} and is ignored",
            config.version()
        );
        findings.warning(pointer, message);
    }
}

fn passwd(config: &Config, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for user in config.users() {
        let pointer = format!("{}/name", user.pointer());
        if user.name().is_empty() {
            findings.error(pointer, "user without a name");
        } else if !seen.insert(user.name()) {
            findings.error(pointer, format!("user {} comes twice", user.name()));
        }
        let mut keys = BTreeSet::new();
        for (index, key) in user.ssh_keys().enumerate() {
            let pointer = format!("{}/sshAuthorizedKeys/{index}", user.pointer());
            if !keys.insert(key) {
                findings.error(pointer, "SSH key comes twice");
            } else if key.trim().is_empty() {
                findings.warning(pointer, "empty SSH key");
            }
        }
    }
    let groups = config.json().pointer("/passwd/groups");
    let groups = groups.and_then(serde_json::Value::as_array);
    let mut seen = BTreeSet::new();
    for (index, group) in groups.into_iter().flatten().enumerate() {
        let name = group.get("name").and_then(serde_json::Value::as_str);
        let pointer = format!("/passwd/groups/{index}/name");
        match name.unwrap_or_default() {
            "" => _ = findings.error(pointer, "group without a name"),
            name if !seen.insert(name) => {
                findings.error(pointer, format!("group {name} comes twice"));
            }
            _ => {}
        }
    }
}

fn kernel_arguments(config: &Config, findings: &mut Findings) {
    let list = |key| {
        let pointer = format!("/kernelArguments/{key}");
        let items = config.json().pointer(&pointer).and_then(|v| v.as_array());
        let texts = items.into_iter().flatten().enumerate();
        texts.map(move |(index, item)| {
            (
                format!("{pointer}/{index}"),
                item.as_str().unwrap_or_default(),
            )
        })
    };
    // Before 3.3 the section is unknown and ignored.
    if config.version().minor() < 3 {
        return;
    }
    let mut seen = BTreeSet::new();
    for (pointer, argument) in list("shouldExist").chain(list("shouldNotExist")) {
        if !seen.insert(argument) {
            findings.error(pointer, format!("kernel argument {argument} comes twice"));
        }
    }
}

fn size(config: &Config, area: usize, findings: &mut Findings) {
    let packed = fit::packed_size(&config.render());
    if packed > area {
        findings
            .warning(
                "",
                format!("packs to about {packed} bytes, the embed area holds {area}"),
            )
            .hint("`snoforge iso build` encodes the files smaller and, when that is not enough, moves the area");
    }
}
