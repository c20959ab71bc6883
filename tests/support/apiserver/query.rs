//! What a request asks for behind `?`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::kinds::Place;

/// The part behind `?`.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn new(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether an object is in the collection and fits the selectors.
    pub(super) fn selects(&self, collection: &Place, at: &Place, object: &Value) -> bool {
        let inside = at.collection == collection.collection
            && (collection.namespace.is_empty() || collection.namespace == at.namespace);
        let fields = self.get("fieldSelector").unwrap_or_default();
        let labels = self.get("labelSelector").unwrap_or_default();
        let pairs = |text: &str| -> Vec<(String, String)> {
            let parts = text.split(',').filter(|part| !part.is_empty());
            let parts = parts.map(|part| part.split_once('=').expect("only `=` is supported"));
            parts
                .map(|(k, v)| (k.to_owned(), v.trim_start_matches('=').to_owned()))
                .collect()
        };
        inside
            && pairs(fields).iter().all(|(key, value)| match key.as_str() {
                "metadata.name" => at.name == *value,
                "metadata.namespace" => at.namespace == *value,
                "status.phase" => object["status"]["phase"] == *value.as_str(),
                "involvedObject.name" => object["involvedObject"]["name"] == *value.as_str(),
                other => panic!("the field selector {other} is not supported"),
            })
            && pairs(labels)
                .iter()
                .all(|(key, value)| object["metadata"]["labels"][key] == *value.as_str())
    }
}
