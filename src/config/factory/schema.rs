//! The JSON Schema (draft 2020-12) of `factory.yaml`, made of the same table as the reader.

use serde_json::{Map, Value, json};

use super::{API_VERSION, Field, KIND, Kind, Section};

/// The schema.
pub fn schema() -> Value {
    let sites = json!({
        "description": "List of machines: a file (CSV or YAML), or the list itself.",
        "oneOf": [path(), {"type": "array"}, {"type": "object"}],
    });
    let one_target = json!([{"required": ["device"]}, {"required": ["image"]}]);
    let mut disk = section(Section::Disk, &[], []);
    disk.insert("oneOf".to_owned(), one_target);
    let release = section(Section::Release, &[], []);
    let download = section(Section::Download, &["folder"], []);
    let install = section(Section::Install, &["pullSecret", "sshKey", "out"], []);
    let iso = section(Section::Iso, &["live", "out", "sites"], [("sites", sites)]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://snoforge.io/schemas/factory-v1.json",
        "title": "snoforge factory.yaml",
        "type": "object",
        "additionalProperties": false,
        "required": ["apiVersion", "kind", "release", "download"],
        "dependentRequired": {"install": ["iso"]},
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "release": release,
            "imageset": {
                "description": "Image set: a file, or the ImageSetConfiguration itself. Without it one is made of `release`.",
                "oneOf": [path(), {"type": "object"}],
            },
            "download": download,
            "disks": {"description": "Data disks to fill.", "type": "array", "items": disk},
            "install": install,
            "iso": iso,
            "rates": section(Section::Rates, &[], []),
            "report": path(),
        },
    })
}

fn section<const N: usize>(
    section: Section,
    required: &[&str],
    more: [(&str, Value); N],
) -> Map<String, Value> {
    let mut properties: Map<String, Value> = section
        .fields()
        .map(|field| (field.key.to_owned(), property(field)))
        .collect();
    properties.extend(more.map(|(key, value)| (key.to_owned(), value)));
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema
}

fn property(field: &Field) -> Value {
    let mut value = if field.list {
        json!({"type": "array", "items": kind(field.kind)})
    } else {
        kind(field.kind)
    };
    if let Value::Object(value) = &mut value {
        value.insert("description".to_owned(), json!(field.about));
    }
    value
}

fn path() -> Value {
    kind(Kind::Path)
}

/// A first part without dot and port would be a path in docker.io.
fn registry(before: &str) -> Value {
    let pattern = format!("^{before}(http://)?(localhost|[^/= ]*[.:A-Z][^/= ]*)(/[^=: ]*)?$");
    json!({"type": "string", "pattern": pattern})
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({"type": ["string", "number"], "minLength": 1}),
        Kind::Version => json!({"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"}),
        Kind::Path => json!({"type": "string", "minLength": 1}),
        Kind::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Switch | Kind::Bool => json!({"type": "boolean"}),
        Kind::Choice(words) => json!({"enum": words}),
        Kind::Registry => registry(""),
        Kind::Mirror => json!({"oneOf": [registry("([^=]+=)?"), {
            "type": "object",
            "additionalProperties": false,
            "required": ["source", "mirror"],
            "properties": {"source": registry(""), "mirror": registry("")},
        }]}),
        Kind::Rate => json!({
            "type": ["string", "number"],
            "exclusiveMinimum": 0,
            "pattern": "^ *[0-9.]+ *([kKmMgG]([iI][bB]|[bB][iI][tT])?)?(/s)?$",
        }),
    }
}
