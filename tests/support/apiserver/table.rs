//! What `oc get` shows: a Table of the columns that a CRD names.

use jsonpath_rust::JsonPath as _;
use serde_json::{Value, json};

use super::kinds::Kind;

pub(crate) fn table(kind: &Kind, items: &[Value], metadata: &Value) -> Value {
    let mut columns = vec![
        json!({"name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name must be unique within a namespace."}),
    ];
    columns.extend(kind.columns.iter().map(|column| {
        json!({"name": column["name"], "type": column["type"], "format": column["format"].as_str().unwrap_or_default(),
            "priority": column["priority"].as_i64().unwrap_or_default(), "description": column["description"].as_str().unwrap_or_default()})
    }));
    let rows: Vec<Value> = items
        .iter()
        .map(|item| {
            let mut cells = vec![item["metadata"]["name"].clone()];
            cells.extend(kind.columns.iter().map(|column| cell(column, item)));
            let object = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]});
            json!({"cells": cells, "object": object})
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns, "rows": rows})
}

/// A date is an age on a real server; here it is the time itself, which stays the same.
fn cell(column: &Value, item: &Value) -> Value {
    let path = format!("${}", column["jsonPath"].as_str().unwrap());
    let found = item.query(&path).unwrap();
    found.first().map_or(Value::Null, |value| (*value).clone())
}
