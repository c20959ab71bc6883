//! YAML: a list of sites, or a map with `sites` and `defaults`.

use super::{Row, field, split, unknown};
use crate::config::Finding;
use crate::config::model::At;
use crate::config::yaml::{self, Entry, Kind, Node, Value};
use crate::site::{Field, Request};

/// The sites that could be read, defaults filled in.
pub(super) fn rows(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<Row> {
    let document = match yaml::parse(text) {
        Ok(document) => document,
        Err(error) => {
            findings.push(Finding::new(file, error.at, error.message));
            return Vec::new();
        }
    };
    findings.extend(document.duplicates.iter().map(|duplicate| {
        let message = format!("the key `{}` is there already", duplicate.key);
        Finding::new(file, duplicate.at, message)
    }));
    let root = inline(&document.root);
    let (sites, defaults) = match &root.value {
        Value::Map(entries) => top(file, entries, findings),
        _ => (Some(root), None),
    };
    let defaults = defaults.map(|node| row(file, node, findings));
    let base = defaults.map(|row| row.request).unwrap_or_default();
    let items = match sites.map(|node| (&node.value, node)) {
        Some((Value::List(items), _)) => items.as_slice(),
        Some((_, node)) if !node.is_null() => {
            findings.push(expected(file, node.at, "a list of sites"));
            &[]
        }
        _ => &[],
    };
    let rows = items.iter().map(|item| {
        let mut row = row(file, item, findings);
        row.request = row.request.over(&base);
        row
    });
    rows.collect()
}

/// The list in a `factory.yaml`, under `iso.sites`; else the whole document.
fn inline(root: &Node) -> &Node {
    let kind = root.get("kind").map(|entry| &entry.value.value);
    if !matches!(kind, Some(Value::Scalar { text, .. }) if text == "Factory") {
        return root;
    }
    let sites = root.get("iso").and_then(|iso| iso.value.get("sites"));
    sites.map_or(root, |sites| &sites.value)
}

fn top<'a>(
    file: &str,
    entries: &'a [Entry],
    findings: &mut Vec<Finding>,
) -> (Option<&'a Node>, Option<&'a Node>) {
    let (mut sites, mut defaults) = (None, None);
    for entry in entries {
        match entry.key.as_str() {
            "sites" => sites = Some(&entry.value),
            "defaults" => defaults = Some(&entry.value),
            key => findings.push(
                Finding::new(file, entry.at, format!("unknown key `{key}`"))
                    .with_hint("the keys here are sites and defaults"),
            ),
        }
    }
    (sites, defaults)
}

fn row(file: &str, node: &Node, findings: &mut Vec<Finding>) -> Row {
    let mut row = Row {
        at: node.at,
        request: Request::default(),
        ..Row::default()
    };
    let Value::Map(entries) = &node.value else {
        if !node.is_null() {
            findings.push(expected(file, node.at, "a site with its fields"));
        }
        return row;
    };
    for entry in entries {
        let Some(field) = field(&entry.key) else {
            findings.push(unknown(file, entry.at, "key", &entry.key));
            continue;
        };
        if row.places.contains_key(&field) {
            let message = format!(
                "`{}` is there already, under another spelling",
                field.name()
            );
            findings.push(Finding::new(file, entry.at, message));
        }
        match values(field, &entry.value) {
            Ok(Some(values)) => row.set(field, entry.value.at, values),
            Ok(None) => (),
            Err(at) => {
                let wanted = if field.is_list() {
                    "text or a list of texts"
                } else {
                    "text"
                };
                findings.push(expected(file, at, wanted));
            }
        }
    }
    row
}

/// The values of a field; `None` for null. Numbers are text: a VLAN or a host name may look like one.
fn values(field: Field, node: &Node) -> Result<Option<Vec<String>>, At> {
    let scalar = |node: &Node| match &node.value {
        Value::Scalar {
            text,
            kind: Kind::Text | Kind::Number,
        } => Ok(text.clone()),
        _ => Err(node.at),
    };
    match &node.value {
        _ if node.is_null() => Ok(None),
        Value::List(items) if field.is_list() || items.is_empty() => {
            items.iter().map(scalar).collect::<Result<_, _>>().map(Some)
        }
        _ => {
            let text = scalar(node)?;
            let several = field.is_list() && field != Field::Karg;
            Ok(Some(if several { split(&text) } else { vec![text] }))
        }
    }
}

fn expected(file: &str, at: At, wanted: &str) -> Finding {
    Finding::new(file, at, format!("{wanted} is expected here"))
        .with_hint("a site is written as `- hostname: bip-1`, its other fields below that")
}
