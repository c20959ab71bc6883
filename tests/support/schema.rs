//! The structural schemas of CRDs, as a kube-apiserver applies them to an object: types, required fields, unknown fields, enums,
//! patterns, lengths, ranges, and the CEL rules, which `cel.rs` writes out by hand.
//!
//! What is not supported stops the test: a schema that uses a keyword outside [`KNOWN`] is not silently taken for valid.
#![expect(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a broken fixture should stop the test; lengths are small"
)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

#[path = "cel.rs"]
mod cel;

/// Keywords that are applied, or that constrain nothing.
const KNOWN: [&str; 33] = [
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "description",
    "enum",
    "example",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
    "x-kubernetes-validations",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string",
];

/// CRDs by API version and kind.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    kinds: BTreeMap<(String, String), Value>,
    /// Every `x-kubernetes-validations`, wherever it is: rule and message.
    rules: BTreeMap<(String, String), Vec<(String, String)>>,
}

impl Schemas {
    /// Reads a CRD in YAML; every version of it.
    pub(crate) fn add(&mut self, path: &Path) {
        let text = fs_err::read_to_string(path).expect("a CRD");
        let crd: Value = yaml(&text).into_iter().next().expect("a document");
        let spec = crd.get("spec").expect("spec");
        let group = spec["group"].as_str().expect("group");
        let kind = spec["names"]["kind"].as_str().expect("kind");
        for version in spec["versions"].as_array().expect("versions") {
            let name = version["name"].as_str().expect("name");
            let schema = version["schema"]["openAPIV3Schema"].clone();
            check_keywords(&schema, kind);
            let key = (format!("{group}/{name}"), kind.to_owned());
            let mut rules = Vec::new();
            all_rules(&schema, &mut |rule| {
                let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
                rules.push((text("rule"), text("message")));
            });
            self.rules.insert(key.clone(), rules);
            self.kinds.insert(key, schema);
        }
    }

    /// The rules of a kind, in all versions: how many there are, and those that `cel.rs` does not write out.
    pub(crate) fn rules(&self, kind: &str) -> (usize, Vec<String>) {
        let ours = self.rules.iter().filter(|((_, k), _)| k == kind);
        let all: Vec<_> = ours.flat_map(|(_, rules)| rules).collect();
        let unknown = all
            .iter()
            .filter(|(rule, message)| cel::holds(rule, message, &Value::Null, None).is_none());
        (all.len(), unknown.map(|(rule, _)| rule.clone()).collect())
    }

    /// Every CRD of a directory, not below it.
    pub(crate) fn add_dir(&mut self, dir: &Path) {
        for entry in fs_err::read_dir(dir).expect("a directory").flatten() {
            if entry.path().extension().is_some_and(|e| e == "yaml") {
                self.add(&entry.path());
            }
        }
    }

    /// What the API server would say to this object, created new or in place of `old`. `None` when no CRD is of its kind.
    pub(crate) fn faults(&self, object: &Value, old: Option<&Value>) -> Option<Vec<String>> {
        let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let schema = self.kinds.get(&(text("apiVersion"), text("kind")))?;
        let mut faults = Vec::new();
        let at = At { place: "", old };
        validate(schema, object, &at, &mut faults);
        Some(faults)
    }
}

/// All documents of a YAML text as JSON values.
pub(crate) fn yaml(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    documents.into_iter().filter(|d| !d.is_null()).collect()
}

fn check_keywords(schema: &Value, place: &str) {
    let Value::Object(map) = schema else { return };
    for (key, value) in map {
        let listed = KNOWN.contains(&key.as_str())
            || key.starts_with("x-kubernetes-list-")
            || key == "x-kubernetes-map-type"
            || key == "x-kubernetes-embedded-resource";
        assert!(listed, "{place}: the keyword {key} is not supported");
        match key.as_str() {
            "properties" => {
                for (name, inner) in value.as_object().expect("a map") {
                    check_keywords(inner, &format!("{place}.{name}"));
                }
            }
            "items" | "additionalProperties" | "not" => check_keywords(value, place),
            "allOf" | "anyOf" | "oneOf" => value
                .as_array()
                .expect("a list")
                .iter()
                .for_each(|s| check_keywords(s, place)),
            _ => {}
        }
    }
}

/// Where a value is, and what was there before.
struct At<'a> {
    place: &'a str,
    old: Option<&'a Value>,
}

fn all_rules(schema: &Value, found: &mut impl FnMut(&Value)) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("x-kubernetes-validations", Value::Array(rules)) => {
                        rules.iter().for_each(&mut *found);
                    }
                    _ => all_rules(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all_rules(item, found)),
        _ => {}
    }
}

fn validate(schema: &Value, value: &Value, at: &At<'_>, faults: &mut Vec<String>) {
    let place = at.place;
    if value.is_null() {
        if schema["nullable"] != true {
            faults.push(format!("{place}: null is not allowed"));
        }
        return;
    }
    if schema["x-kubernetes-int-or-string"] == true && (value.is_string() || value.is_i64()) {
        return;
    }
    if let Some(kind) = schema["type"].as_str()
        && !is_type(kind, value)
    {
        faults.push(format!("{place}: {value} is no {kind}"));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        faults.push(format!("{place}: {value} is not supported"));
    }
    match value {
        Value::Object(map) => object(schema, map, at, faults),
        Value::Array(items) => {
            bounds(
                schema,
                ("minItems", "maxItems"),
                items.len() as f64,
                place,
                faults,
            );
            for (index, item) in items.iter().enumerate() {
                let inner = format!("{place}[{index}]");
                // Rules see an item's past only in lists that are maps, which none of ours needs.
                let at = At {
                    place: &inner,
                    old: None,
                };
                validate(&schema["items"], item, &at, faults);
            }
        }
        Value::String(text) => string(schema, text, place, faults),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            bounds(schema, ("minimum", "maximum"), number, place, faults);
        }
        _ => {}
    }
    combined(schema, value, place, faults);
    rules(schema, value, at, faults);
}

fn rules(schema: &Value, value: &Value, at: &At<'_>, faults: &mut Vec<String>) {
    let place = at.place;
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let (text, message) = (rule["rule"].as_str(), rule["message"].as_str());
        let (text, message) = (text.expect("a rule"), message.expect("a message"));
        let holds = cel::holds(text, message, value, at.old);
        if !holds.unwrap_or_else(|| panic!("{place}: a rule that cel.rs does not have: {text}")) {
            faults.push(if place.is_empty() {
                message.to_owned()
            } else {
                format!("{place}: {message}")
            });
        }
    }
}

fn is_type(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("the type {other} is not supported"),
    }
}

fn object(schema: &Value, map: &Map<String, Value>, at: &At<'_>, faults: &mut Vec<String>) {
    let place = at.place;
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !map.contains_key(name) {
            faults.push(format!("{place}.{name}: required"));
        }
    }
    bounds(
        schema,
        ("minProperties", "maxProperties"),
        map.len() as f64,
        place,
        faults,
    );
    let preserved = schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["x-kubernetes-embedded-resource"] == true;
    for (name, value) in map {
        let inner = format!("{place}.{name}");
        let old = at.old.and_then(|old| old.get(name));
        let at = At { place: &inner, old };
        // The API server knows metadata whatever the schema says.
        if inner == ".metadata" {
            metadata(value, faults);
        } else if let Some(schema) = schema["properties"].get(name) {
            validate(schema, value, &at, faults);
        } else if schema["additionalProperties"].is_object() {
            validate(&schema["additionalProperties"], value, &at, faults);
        } else if !preserved
            && schema["additionalProperties"] != true
            && (schema["type"] == "object" || schema.get("properties").is_some())
        {
            faults.push(format!("{inner}: unknown field"));
        }
    }
}

fn metadata(value: &Value, faults: &mut Vec<String>) {
    const FIELDS: [&str; 12] = [
        "name",
        "namespace",
        "labels",
        "annotations",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "finalizers",
        "ownerReferences",
        "managedFields",
    ];
    let name = regex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$");
    if !name.is_match(value["name"].as_str().unwrap_or_default()) {
        faults.push(".metadata.name: no DNS-1123 subdomain".to_owned());
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        if !FIELDS.contains(&key.as_str()) {
            faults.push(format!(".metadata.{key}: unknown field"));
        }
        if matches!(key.as_str(), "labels" | "annotations") {
            let texts = value
                .as_object()
                .is_some_and(|map| map.values().all(Value::is_string));
            if !texts {
                faults.push(format!(".metadata.{key}: not all are strings"));
            }
        }
    }
}

fn string(schema: &Value, text: &str, place: &str, faults: &mut Vec<String>) {
    bounds(
        schema,
        ("minLength", "maxLength"),
        text.chars().count() as f64,
        place,
        faults,
    );
    if let Some(pattern) = schema["pattern"].as_str()
        && !regex(pattern).is_match(text)
    {
        faults.push(format!("{place}: {text:?} does not match {pattern}"));
    }
    if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
        faults.push(format!("{place}: {text:?} is no date-time"));
    }
}

fn bounds(
    schema: &Value,
    (least, most): (&str, &str),
    number: f64,
    place: &str,
    faults: &mut Vec<String>,
) {
    if schema[least].as_f64().is_some_and(|least| number < least) {
        faults.push(format!("{place}: {number} is below {least}"));
    }
    if schema[most].as_f64().is_some_and(|most| number > most) {
        faults.push(format!("{place}: {number} is above {most}"));
    }
}

/// `allOf`, `anyOf`, `oneOf`, `not`: in a structural schema they only narrow.
fn combined(schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    let holds = |inner: &Value| {
        let mut found = Vec::new();
        validate(inner, value, &At { place, old: None }, &mut found);
        found.retain(|fault| !fault.ends_with("unknown field"));
        found.is_empty()
    };
    let count = |key: &str| {
        schema[key]
            .as_array()
            .map(|all| (all.iter().filter(|s| holds(s)).count(), all.len()))
    };
    let wrong = count("allOf").is_some_and(|(n, of)| n < of)
        || count("anyOf").is_some_and(|(n, _)| n == 0)
        || count("oneOf").is_some_and(|(n, _)| n != 1);
    if wrong || (schema["not"].is_object() && holds(&schema["not"])) {
        faults.push(format!("{place}: no combination of its schema holds"));
    }
}

fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a pattern of Go's regexp")
}
