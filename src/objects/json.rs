//! Fields of objects that may not be there, and documents of ours with a format version.

use serde_json::Value;

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// Text at a JSON pointer, empty when there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A list at a JSON pointer, empty when there is none.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Reads a document of ours whose `format` must be this one; the reason why not is one clause. `what` is what it should be.
pub(crate) fn document<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    format: u32,
    what: &str,
) -> Result<T, String> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|e| format!("line {}, column {}: no JSON", e.line(), e.column()))?;
    match value.get("format").and_then(Value::as_u64) {
        Some(found) if found == u64::from(format) => {}
        Some(found) => return Err(format!("format {found}, this version reads {format}")),
        None => return Err(format!("no `format`: it is no {what}")),
    }
    serde_json::from_value(value).map_err(|e| e.to_string())
}
