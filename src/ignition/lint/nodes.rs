//! Files, directories and links: paths, modes, owners, and who stands below whom.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Findings;
use crate::ignition::config::Config;

/// What a path is in the config.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Link,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Link => "link",
        }
    }
}

/// Modes as people write them, in decimal digits, that are no mode anyone means when taken as decimal: 755 is 01363.
const OCTAL_LOOKS: [i64; 27] = [
    400, 440, 444, 500, 550, 555, 600, 640, 644, 660, 664, 666, 700, 710, 711, 740, 744, 750, 751,
    755, 770, 775, 777, 1777, 2755, 4755, 6755,
];

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let mut nodes: Vec<(Kind, String, &str, &Value)> = Vec::new();
    nodes.extend(
        config
            .directories()
            .map(|n| (Kind::Directory, n.pointer().to_owned(), n.path(), n.json())),
    );
    nodes.extend(
        config
            .files()
            .map(|n| (Kind::File, n.pointer().to_owned(), n.path(), n.json())),
    );
    nodes.extend(
        config
            .links()
            .map(|n| (Kind::Link, n.pointer().to_owned(), n.path(), n.json())),
    );
    let mut seen: BTreeMap<&str, (Kind, &str)> = BTreeMap::new();
    for (kind, pointer, path, value) in &nodes {
        check_path(path, pointer, findings);
        // Spec 2 writes each appended part as an entry of its own.
        let part = value.get("append").and_then(Value::as_bool) == Some(true);
        if let Some((other, first)) = seen.get(path).filter(|_| !path.is_empty() && !part) {
            findings
                .error(
                    pointer,
                    format!("{path} comes twice, first as {} at {first}", other.name()),
                )
                .hint("Ignition takes one entry per path; delete one of them");
        } else {
            seen.insert(path, (*kind, pointer));
        }
        owners(path, pointer, value, findings);
        if *kind != Kind::Link {
            mode(config, *kind, path, (pointer, value), findings);
        }
    }
    for (kind, pointer, path, _) in &nodes {
        below_non_directory(*kind, pointer, path, &seen, findings);
    }
    for link in config.links().filter(|link| link.target().is_empty()) {
        findings.error(
            format!("{}/target", link.pointer()),
            format!("link {} without a target", link.path()),
        );
    }
    for file in config.files() {
        let source = file.contents().and_then(|c| c.source());
        // Spec 2 has other rules for overwrite.
        if config.version().writable()
            && file.overwrite() == Some(true)
            && source.is_none_or(str::is_empty)
            && file.contents().is_none_or(|c| c.source().is_none())
        {
            findings
                .error(
                    format!("{}/overwrite", file.pointer()),
                    format!("{} is to be overwritten, but has no contents", file.path()),
                )
                .hint("an empty file has \"contents\": {\"source\": \"data:,\"}");
        }
    }
}

fn check_path(path: &str, pointer: &str, findings: &mut Findings) {
    let pointer = format!("{pointer}/path");
    if path.is_empty() {
        findings.error(pointer, "entry without a path");
    } else if !path.starts_with('/') {
        findings.error(pointer, format!("path {path} is not absolute"));
    } else if path.contains('\0') {
        findings.error(pointer, "path holds a NUL character");
    } else if !is_clean(path) {
        findings
            .error(pointer, format!("path {path} is not in its simplest form"))
            .hint("no `//`, no `.` or `..`, no slash at the end");
    }
}

/// As Go's `path.Clean` leaves it.
fn is_clean(path: &str) -> bool {
    path == "/"
        || path
            .split('/')
            .skip(1)
            .all(|part| !matches!(part, "" | "." | ".."))
}

fn owners(path: &str, pointer: &str, value: &Value, findings: &mut Findings) {
    for key in ["user", "group"] {
        let owner = value.get(key);
        let has = |k| owner.and_then(|o| o.get(k)).is_some_and(|v| !v.is_null());
        let name = owner.and_then(|o| o.get("name")).and_then(Value::as_str);
        if has("id") && name.is_some_and(|n| !n.is_empty()) {
            findings.error(
                format!("{pointer}/{key}"),
                format!("{key} of {path} is given by number and by name"),
            );
        }
    }
}

fn mode(
    config: &Config,
    kind: Kind,
    path: &str,
    (pointer, value): (&str, &Value),
    findings: &mut Findings,
) {
    let Some(mode) = value.get("mode").and_then(Value::as_i64) else {
        return;
    };
    let pointer = format!("{pointer}/mode");
    if !(0..=0o7777).contains(&mode) {
        findings.error(
            pointer,
            format!("mode {mode} of {path} is outside 0 to 4095 (07777)"),
        );
    } else if OCTAL_LOOKS.contains(&mode) {
        let meant = i64::from_str_radix(&mode.to_string(), 8).unwrap_or(mode);
        findings
            .warning(
                pointer,
                format!(
                    "mode of {} {path} is decimal {mode}, which is {mode:#05o}",
                    kind.name()
                )
                .replace("0o", "0"),
            )
            .hint(format!(
                "write {meant} when {mode:04} was meant: JSON has no octal numbers"
            ));
    } else if mode > 0o777 && config.version().minor() < 4 {
        findings.warning(
            pointer,
            format!("setuid, setgid and sticky bits of {path} need spec 3.4 or newer"),
        );
    }
}

fn below_non_directory(
    kind: Kind,
    pointer: &str,
    path: &str,
    seen: &BTreeMap<&str, (Kind, &str)>,
    findings: &mut Findings,
) {
    for (end, _) in path.match_indices('/').filter(|(end, _)| *end > 0) {
        let parent = path.get(..end).unwrap_or_default();
        if let Some((other, _)) = seen.get(parent).filter(|(k, _)| *k != Kind::Directory) {
            findings.error(
                pointer,
                format!(
                    "{} {path} lies below {parent}, which is a {} in this config",
                    kind.name(),
                    other.name()
                ),
            );
            return;
        }
    }
}
