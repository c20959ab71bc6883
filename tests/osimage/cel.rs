//! The CEL rules of the operator's CRDs as code, found by their text: a rule that is not written out here stops the test.

use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::schema::Schemas;

/// The schemas, and a walk over their rules.
pub(crate) struct Crds {
    structural: Schemas,
    raw: Vec<Value>,
}

impl Crds {
    pub(crate) fn load() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/osimage/crds");
        let mut structural = Schemas::default();
        structural.add_dir(&dir);
        let files = fs_err::read_dir(dir).unwrap().flatten();
        let raw = files.map(|f| {
            let text = fs_err::read_to_string(f.path()).unwrap();
            serde_saphyr::from_str(&text).unwrap()
        });
        Self {
            structural,
            raw: raw.collect(),
        }
    }

    /// What the API server says to a new object; none when no CRD is of its kind.
    pub(crate) fn faults(&self, object: &Value) -> Option<Vec<String>> {
        let mut faults = self.structural.faults(object, None)?;
        walk(self.schema(object)?, object, &mut |rules, value| {
            for rule in rules {
                let text = rule["rule"].as_str().unwrap();
                if !holds(text, value).unwrap_or_else(|| panic!("the rule {text} is not known")) {
                    faults.push(rule["message"].as_str().unwrap().to_owned());
                }
            }
        });
        Some(faults)
    }

    fn schema(&self, object: &Value) -> Option<&Value> {
        let crd = self
            .raw
            .iter()
            .find(|crd| crd["spec"]["names"]["kind"] == object["kind"])?;
        Some(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    }

    /// Every rule of a kind's CRD.
    pub(crate) fn rules(&self, kind: &str) -> Vec<String> {
        let mut all = Vec::new();
        let crd = self
            .raw
            .iter()
            .find(|crd| crd["spec"]["names"]["kind"] == kind)
            .unwrap();
        every_rule(crd, &mut all);
        all
    }
}

fn every_rule(schema: &Value, all: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "x-kubernetes-validations" {
                    let rules = value.as_array().unwrap().iter();
                    all.extend(rules.map(|r| r["rule"].as_str().unwrap().to_owned()));
                }
                every_rule(value, all);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| every_rule(item, all)),
        _ => {}
    }
}

fn walk(schema: &Value, value: &Value, see: &mut dyn FnMut(&[Value], &Value)) {
    if value.is_null() {
        return;
    }
    if let Some(rules) = schema["x-kubernetes-validations"].as_array() {
        see(rules, value);
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(inner, &value[name], see);
    }
    for item in value.as_array().into_iter().flatten() {
        walk(&schema["items"], item, see);
    }
}

/// Whether a rule holds for a new object; none when it is not written out here.
pub(crate) fn holds(rule: &str, value: &Value) -> Option<bool> {
    let text = value.as_str().unwrap_or_default();
    let number = |key: &str| value[key].as_u64().unwrap_or_default();
    let matches = |pattern: &str| Regex::new(pattern).unwrap().is_match(text);
    if let Some(counts) = rule.strip_prefix("self.")
        && let Some((left, right)) = counts.split_once(" >= self.")
    {
        return Some(number(left) >= number(right));
    }
    Some(match rule {
        "!format.dns1123Subdomain().validate(self).hasValue()" => {
            text.len() <= 253
                && matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        }
        "!format.dns1123Label().validate(self).hasValue()" => {
            text.len() <= 63 && matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
        }
        "!format.dns1035Label().validate(self).hasValue()" => {
            text.len() <= 63 && matches(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
        }
        // Transition rules without an old object.
        "self == oldSelf" | "self >= oldSelf" | "self >= oldSelf || (self == 0 && oldSelf > 0)" => {
            true
        }
        rule if rule.starts_with("oldSelf.exists(") => true,
        "self.metadata.name == self.spec.machineConfigPool.name || oldSelf.hasValue() && oldSelf.spec.machineConfigPool.name.value() == self.spec.machineConfigPool.name" => {
            value["metadata"]["name"] == value["spec"]["machineConfigPool"]["name"]
        }
        "has(self.imageBuilderType) && self.imageBuilderType == 'Job' ?  has(self.job) : !has(self.job)" => {
            (value["imageBuilderType"] == "Job") == value["job"].is_object()
        }
        "has(self.buildEnd) ? has(self.buildStart) && timestamp(self.buildStart) < timestamp(self.buildEnd) : true" =>
        {
            let at = |key: &str| {
                value[key]
                    .as_str()
                    .and_then(|t| t.parse::<jiff::Timestamp>().ok())
            };
            value["buildEnd"].is_null()
                || at("buildStart").is_some_and(|start| Some(start) < at("buildEnd"))
        }
        "(self.split('@').size() == 2 && self.split('@')[1].matches('^sha256:[a-f0-9]{64}$'))" => {
            matches("^[^@]*@sha256:[a-f0-9]{64}$")
        }
        rule => {
            // `self.matches('…') || self.matches('…')`, and the same of the part before `@`: their own patterns are run.
            let of_name = rule.starts_with("(self.split('@')[0].matches(");
            if !of_name && !rule.starts_with("self.matches(") {
                return None;
            }
            let subject = if of_name {
                text.split('@').next().unwrap()
            } else {
                text
            };
            let mut patterns = rule
                .split("matches('")
                .skip(1)
                .map(|p| p.split("')").next().unwrap());
            // CEL's string escapes; and Go takes `9-_` for `9`, `-`, `_`.
            patterns.any(|p| {
                let pattern = p
                    .replace("\\\\", "\\")
                    .replace("0-9-_.]", "0-9_.-]")
                    .replace("0-9-_]", "0-9_-]")
                    .replace("\\/", "/");
                Regex::new(&pattern).unwrap().is_match(subject)
            })
        }
    })
}

#[test]
fn every_rule_of_the_crds_is_known() {
    let crds = Crds::load();
    for (kind, least) in [
        ("MachineOSConfig", 12),
        ("MachineOSBuild", 20),
        ("MachineConfigPool", 8),
    ] {
        let rules = crds.rules(kind);
        assert!(rules.len() >= least, "{kind}: {}", rules.len());
        for rule in rules {
            assert!(holds(&rule, &Value::Null).is_some(), "{rule}");
        }
    }
}
