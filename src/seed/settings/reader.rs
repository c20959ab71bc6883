//! From the YAML tree to values by the name of their flag.

use std::collections::BTreeMap;

use crate::config::model::{At, Located};
use crate::config::yaml::{Kind, Node, Value};
use crate::config::{Finding, nearest};

const API_VERSION: &str = "snoforge.io/v1";
const KIND: &str = "Seed";

/// Section and key in the file, name of the flag, whether it takes several values.
pub(super) const FIELDS: [(&str, &str, &str, bool); 25] = [
    ("cluster", "name", "name", false),
    ("cluster", "domain", "domain", false),
    ("cluster", "nodeIP", "ip", false),
    ("dnsmasq", "wave", "wave", false),
    ("dnsmasq", "guarded", "guarded", false),
    ("partition", "device", "device", false),
    ("partition", "startMiB", "start-mib", false),
    ("partition", "sizeMiB", "size-mib", false),
    ("partition", "label", "label", false),
    ("partition", "role", "role", false),
    ("partition", "diskSize", "disk-size", false),
    ("image", "seedImage", "seed-image", false),
    ("image", "authfile", "authfile", false),
    ("image", "recertImage", "recert-image", false),
    ("image", "hubKubeconfig", "hub-kubeconfig", false),
    ("image", "api", "api", false),
    ("operator", "namespace", "namespace", false),
    ("operator", "channel", "channel", false),
    ("operator", "source", "source", false),
    ("upgrade", "version", "version", false),
    ("upgrade", "pullSecret", "pull-secret", false),
    ("upgrade", "oadpContent", "oadp-content", true),
    ("upgrade", "extraManifests", "extra-manifest", true),
    (
        "upgrade",
        "initMonitorTimeoutSeconds",
        "init-monitor-timeout",
        false,
    ),
    ("upgrade", "image", "upgrade-image", false),
];

/// Collects values and complaints.
pub(super) struct Reader<'a> {
    file: &'a str,
    pub(super) findings: Vec<Finding>,
    pub(super) values: BTreeMap<&'static str, Vec<Located<String>>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self {
            file,
            findings: Vec::new(),
            values: BTreeMap::new(),
        }
    }

    pub(super) fn wrong(&mut self, at: At, message: String) {
        self.findings.push(Finding::new(self.file, at, message));
    }

    fn unknown(&mut self, at: At, key: &str, known: &[&str]) {
        let hint = match nearest(key, known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the fields here are {}", known.join(", ")),
        };
        let finding = Finding::new(self.file, at, format!("unknown field `{key}`"));
        self.findings.push(finding.with_hint(hint));
    }

    /// Reads the whole document.
    pub(super) fn root(&mut self, root: &Node) {
        let Value::Map(entries) = &root.value else {
            return self.wrong(
                root.at,
                format!(
                    "a map with `apiVersion: {API_VERSION}` and `kind: {KIND}` is expected here"
                ),
            );
        };
        for (key, wanted) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            match root.get(key).map(|e| (&e.value.value, e.value.at)) {
                None => self.wrong(root.at, format!("`{key}: {wanted}` is missing")),
                Some((Value::Scalar { text, .. }, _)) if text == wanted => {}
                Some((_, at)) => self.wrong(at, format!("`{key}` is not {wanted}")),
            }
        }
        let mut sections: Vec<&str> = FIELDS.iter().map(|(section, ..)| *section).collect();
        sections.dedup();
        for entry in entries {
            match entry.key.as_str() {
                "apiVersion" | "kind" => {}
                key if sections.contains(&key) => self.section(key, &entry.value),
                key => {
                    let known: Vec<_> = ["apiVersion", "kind"]
                        .into_iter()
                        .chain(sections.iter().copied())
                        .collect();
                    self.unknown(entry.at, key, &known);
                }
            }
        }
    }

    fn section(&mut self, section: &str, node: &Node) {
        let Value::Map(entries) = &node.value else {
            if !node.is_null() {
                self.wrong(node.at, format!("`{section}` is no map"));
            }
            return;
        };
        for entry in entries {
            let field = FIELDS
                .iter()
                .find(|(of, key, ..)| *of == section && *key == entry.key);
            let Some((_, key, flag, several)) = field else {
                let known: Vec<_> = FIELDS
                    .iter()
                    .filter(|(of, ..)| *of == section)
                    .map(|(_, key, ..)| *key)
                    .collect();
                self.unknown(entry.at, &entry.key, &known);
                continue;
            };
            match values(&entry.value, *several) {
                Ok(values) if values.is_empty() => {}
                Ok(values) => {
                    self.values.insert(flag, values);
                }
                Err(at) => self.wrong(
                    at,
                    format!(
                        "`{key}` is no {}",
                        if *several {
                            "list of texts"
                        } else {
                            "text or number"
                        }
                    ),
                ),
            }
        }
    }
}

/// Text, number or truth value as written; null is nothing.
fn values(node: &Node, several: bool) -> Result<Vec<Located<String>>, At> {
    let scalar = |node: &Node| match &node.value {
        Value::Scalar { text, kind } if *kind != Kind::Null => Ok(Located {
            value: match kind {
                Kind::Bool(value) => value.to_string(),
                _ => text.clone(),
            },
            at: node.at,
        }),
        _ => Err(node.at),
    };
    match &node.value {
        _ if node.is_null() => Ok(Vec::new()),
        Value::List(items) if several => items.iter().map(scalar).collect(),
        _ if several => Err(node.at),
        _ => Ok(vec![scalar(node)?]),
    }
}
