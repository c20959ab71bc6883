//! Units and drop-ins: names, syntax, sections, and units named that are nowhere.

use std::collections::BTreeSet;

use super::{Findings, known};
use crate::ignition::config::Config;
use crate::ignition::unit::{self, UnitFile};

/// Keys that hold unit names.
const REFERENCES: [(&str, &str); 17] = [
    ("Unit", "Requires"),
    ("Unit", "Requisite"),
    ("Unit", "Wants"),
    ("Unit", "BindsTo"),
    ("Unit", "PartOf"),
    ("Unit", "Upholds"),
    ("Unit", "Conflicts"),
    ("Unit", "Before"),
    ("Unit", "After"),
    ("Unit", "OnFailure"),
    ("Unit", "OnSuccess"),
    ("Unit", "JoinsNamespaceOf"),
    ("Service", "Sockets"),
    ("Install", "WantedBy"),
    ("Install", "RequiredBy"),
    ("Install", "UpheldBy"),
    ("Install", "Also"),
];
/// Where units and drop-ins stand that are storage files.
const UNIT_DIRECTORIES: [&str; 2] = ["/etc/systemd/system/", "/usr/lib/systemd/system/"];

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let present = present(config);
    let mut seen = BTreeSet::new();
    for entry in config.units() {
        let name = entry.name();
        check_name(name, &format!("{}/name", entry.pointer()), findings);
        if !seen.insert(name) {
            findings.error(entry.pointer(), format!("unit {name} comes twice"));
        }
        if let Some(text) = entry.contents() {
            let pointer = format!("{}/contents", entry.pointer());
            let parsed = text_of(name, name, text, (&pointer, &present), findings);
            if entry.enabled() == Some(true) && !text.is_empty() && !parsed.has_section("Install") {
                findings
                    .warning(
                        &pointer,
                        format!(
                            "{name} is enabled, but has no [Install] section: enabling does nothing"
                        ),
                    )
                    .hint("add [Install] with WantedBy=");
            }
            if entry.masked() && !text.is_empty() {
                findings.warning(
                    &pointer,
                    format!("{name} is masked: its contents do nothing"),
                );
            }
        }
        dropins(&entry, &present, findings);
    }
    files(config, &present, findings);
}

fn dropins(
    entry: &crate::ignition::view::Unit<'_>,
    present: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let mut seen = BTreeSet::new();
    for dropin in entry.dropins() {
        let what = format!("{}.d/{}", entry.name(), dropin.name());
        let pointer = format!("{}/name", dropin.pointer());
        let stem = dropin.name().strip_suffix(".conf");
        if stem.is_none_or(str::is_empty) || dropin.name().contains('/') {
            findings
                .error(pointer, format!("drop-in {what} is not named NAME.conf"))
                .hint("for example 10-snoforge.conf");
        } else if seen.contains(dropin.name()) {
            findings.error(dropin.pointer(), format!("drop-in {what} comes twice"));
        }
        seen.insert(dropin.name());
        if let Some(text) = dropin.contents() {
            let pointer = format!("{}/contents", dropin.pointer());
            text_of(&what, entry.name(), text, (&pointer, present), findings);
        }
    }
}

/// Units and drop-ins that are storage files: what Ignition does not check, and systemd only logs.
fn files(config: &Config, present: &BTreeSet<String>, findings: &mut Findings) {
    for file in config.files() {
        let relative = UNIT_DIRECTORIES
            .iter()
            .find_map(|d| file.path().strip_prefix(d));
        let Some(relative) = relative else {
            continue;
        };
        let name = match relative.split_once('/') {
            None => relative,
            Some((directory, rest))
                if rest.strip_suffix(".conf").is_some_and(|r| !r.contains('/')) =>
            {
                match directory.strip_suffix(".d") {
                    Some(unit) => unit,
                    None => continue,
                }
            }
            Some(_) => continue,
        };
        let text = file.bytes().ok().flatten();
        let text = text.as_deref().and_then(|b| std::str::from_utf8(b).ok());
        if let (Some(text), Some(contents)) = (text, file.contents())
            && unit::suffix(name).is_some()
        {
            let mut own = Findings(Vec::new());
            text_of(
                relative,
                name,
                text,
                (contents.pointer(), present),
                &mut own,
            );
            // Not refused by Ignition: it writes any file.
            own.0
                .iter_mut()
                .for_each(|f| f.severity = super::Severity::Warning);
            findings.0.append(&mut own.0);
        }
    }
}

fn check_name(name: &str, pointer: &str, findings: &mut Findings) {
    if unit::suffix(name).is_none() {
        findings
            .error(
                pointer,
                format!("unit {name:?} has no suffix that systemd knows"),
            )
            .hint(".service, .socket, .mount, .timer, .target, …");
    } else if !unit::is_name(name) {
        findings
            .error(
                pointer,
                format!("unit {name:?} has characters that no unit name has"),
            )
            .hint("letters, digits and : - _ . \\ @; systemd-escape makes such names");
    }
}

fn text_of(
    what: &str,
    unit_name: &str,
    text: &str,
    (pointer, present): (&str, &BTreeSet<String>),
    findings: &mut Findings,
) -> UnitFile {
    let parsed = UnitFile::parse(text);
    for problem in &parsed.problems {
        let message = format!("{what} line {}: {}", problem.line, problem.message);
        if problem.fatal {
            findings.error(pointer, message);
        } else {
            findings.warning(pointer, message);
        }
    }
    let suffix = unit::suffix(unit_name).unwrap_or_default();
    for (section, line) in &parsed.sections {
        if !unit::knows_section(suffix, section) {
            findings.warning(
                pointer,
                format!(
                    "{what} line {line}: a .{suffix} unit has no section [{section}], it is ignored"
                ),
            );
        }
    }
    references(what, &parsed, (pointer, present), findings);
    parsed
}

fn references(
    what: &str,
    parsed: &UnitFile,
    (pointer, present): (&str, &BTreeSet<String>),
    findings: &mut Findings,
) {
    let naming = |a: &&unit::Assignment| REFERENCES.contains(&(a.section.as_str(), a.key.as_str()));
    for assignment in parsed.assignments.iter().filter(naming) {
        for name in assignment.value.split_whitespace() {
            if name.contains('%') || exists(name, present) {
                continue;
            }
            let place = format!("{what} line {}: {}=", assignment.line, assignment.key);
            if unit::suffix(name).is_none() {
                findings.warning(
                    pointer,
                    format!("{place} names {name}, which is no unit name"),
                );
            } else {
                findings
                    .warning(pointer, format!("{place} names {name}, which is neither in this config nor known of RHCOS"))
                    .hint("check the spelling; a unit that does not exist orders and starts nothing");
            }
        }
    }
}

/// The units of the config: entries and storage files.
fn present(config: &Config) -> BTreeSet<String> {
    let files = config.files().filter_map(|file| {
        let path = file.path();
        let relative = UNIT_DIRECTORIES.iter().find_map(|d| path.strip_prefix(d))?;
        (!relative.contains('/')).then(|| relative.to_owned())
    });
    let links = config.links().filter_map(|link| {
        let path = link.path();
        let relative = UNIT_DIRECTORIES.iter().find_map(|d| path.strip_prefix(d))?;
        (!relative.contains('/')).then(|| relative.to_owned())
    });
    // An entry with drop-ins only extends a unit that is elsewhere.
    let units = config.units().filter(|u| u.contents().is_some());
    units
        .map(|unit| unit.name().to_owned())
        .chain(files)
        .chain(links)
        .collect()
}

fn exists(name: &str, present: &BTreeSet<String>) -> bool {
    let there = |name: &str| present.contains(name) || known::is_known(name);
    if there(name) {
        return true;
    }
    // `a@b.service` is an instance of `a@.service`.
    let template = name
        .split_once('@')
        .and_then(|(stem, rest)| Some(format!("{stem}@.{}", rest.rsplit_once('.')?.1)));
    template.is_some_and(|template| there(&template))
}
