//! The CEL rules of the CRDs that we write objects of, by hand. A rule of a value that is validated and that is not here stops
//! the test.

use serde_json::Value;

use super::regex;

/// Whether a rule holds of a value that is new, or was `old` before; `None` for a rule that is not written out here.
pub(super) fn holds(rule: &str, message: &str, value: &Value, old: Option<&Value>) -> Option<bool> {
    let text = value.as_str().unwrap_or_default();
    Some(match rule {
        "self.metadata.name == 'seedimage'" => value["metadata"]["name"] == "seedimage",
        "self.metadata.name == 'upgrade'" => value["metadata"]["name"] == "upgrade",
        rule if rule.starts_with("has(self.spec.capabilities) && ") => {
            // Of a ClusterVersion, whose capabilities no test sets.
            assert!(value["spec"]["capabilities"].is_null());
            true
        }
        "self.metadata.name == 'ipconfig'" => value["metadata"]["name"] == "ipconfig",
        // A transition rule: it applies when the value was there before and is there now.
        "self == oldSelf" => old.is_none_or(|old| old.is_null() || old == value),
        "self >= oldSelf" => old.is_none_or(|old| value.as_f64() >= old.as_f64()),
        "self >= oldSelf || (self == 0 && oldSelf > 0)" => {
            old.is_none_or(|old| value.as_f64() >= old.as_f64() || *value == 0)
        }
        "self.metadata.name == self.spec.machineConfigPool.name || oldSelf.hasValue() && oldSelf.spec.machineConfigPool.name.value() == self.spec.machineConfigPool.name" =>
        {
            let pool = &value["spec"]["machineConfigPool"]["name"];
            value["metadata"]["name"] == *pool
                || old.is_some_and(|old| old["spec"]["machineConfigPool"]["name"] == *pool)
        }
        "!format.dns1123Subdomain().validate(self).hasValue()" => {
            let labels = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
            text.len() <= 253 && regex(labels).is_match(text)
        }
        "!format.dns1123Label().validate(self).hasValue()" => {
            text.len() <= 63 && regex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$").is_match(text)
        }
        "!format.dns1035Label().validate(self).hasValue()" => {
            text.len() <= 63 && regex("^[a-z]([-a-z0-9]*[a-z0-9])?$").is_match(text)
        }
        "(self.split('@').size() == 2 && self.split('@')[1].matches('^sha256:[a-f0-9]{64}$'))" => {
            let parts: Vec<&str> = text.split('@').collect();
            parts.len() == 2 && regex("^sha256:[a-f0-9]{64}$").is_match(parts[1])
        }
        "has(self.buildEnd) ? has(self.buildStart) && timestamp(self.buildStart) < timestamp(self.buildEnd) : true" =>
        {
            let time = |field: &str| value[field].as_str()?.parse::<jiff::Timestamp>().ok();
            value.get("buildEnd").is_none()
                || time("buildStart").is_some_and(|start| Some(start) < time("buildEnd"))
        }
        "has(self.imageBuilderType) && self.imageBuilderType == 'Job' ?  has(self.job) : !has(self.job)" => {
            (value["imageBuilderType"] == "Job") == value.get("job").is_some()
        }
        _ => {
            return counts(rule, value)
                .or_else(|| final_condition(rule, value, old))
                .or_else(|| name_matches(rule, text))
                .or_else(|| upgrade(rule, message, value, old));
        }
    })
}

/// `self.a >= self.b`.
fn counts(rule: &str, value: &Value) -> Option<bool> {
    let found = regex("^self\\.([A-Za-z]+) >= self\\.([A-Za-z]+)$").captures(rule)?;
    let number = |index: usize| value[&found[index]].as_f64().unwrap_or_default();
    Some(number(1) >= number(2))
}

/// Conditions that stay once one of a type is true.
fn final_condition(rule: &str, value: &Value, old: Option<&Value>) -> Option<bool> {
    let pattern = r"^oldSelf\.exists\(x, x\.type=='([A-Za-z]+)' && x\.status=='True'\) \? self==oldSelf : true$";
    let found = regex(pattern).captures(rule)?;
    Some(old.is_none_or(|old| !has_true(old, &found[1]) || old == value))
}

/// `self.matches('…')` and `self.split('@')[0].matches('…')`, also several of them joined by `||`.
fn name_matches(rule: &str, text: &str) -> Option<bool> {
    let whole = r"^(\(?self(\.split\('@'\)\[0\])?\.matches\('[^']*'\)\)?( \|\| )?)+$";
    if !regex(whole).is_match(rule) {
        return None;
    }
    let each = regex(r"self(\.split\('@'\)\[0\])?\.matches\('([^']*)'\)");
    let fits = each.captures_iter(rule).any(|found| {
        let part = found
            .get(1)
            .map_or(text, |_| text.split('@').next().unwrap_or_default());
        // CEL's string has `\\` for a backslash, and `\/` is none of Rust's escapes.
        let pattern = found[2].replace("\\\\", "\\").replace("\\/", "/");
        regex(&pattern).is_match(part)
    });
    Some(fits)
}

fn has_true(conditions: &Value, kind: &str) -> bool {
    let all = conditions.as_array().into_iter().flatten();
    all.into_iter()
        .any(|c| c["type"] == kind && c["status"] == "True")
}

/// ImageBasedUpgrade: what may change while one is in progress.
fn upgrade(rule: &str, message: &str, value: &Value, old: Option<&Value>) -> Option<bool> {
    if !rule.starts_with("!has(oldSelf.status) || ") {
        return None;
    }
    let Some(old) = old.filter(|old| !old["status"].is_null()) else {
        return Some(true);
    };
    let same = |field: &str| old["spec"][field] == value["spec"][field];
    let locked = regex("^can not change spec\\.([A-Za-z]+) while ibu is in progress$");
    if let Some(found) = locked.captures(message) {
        let idle = has_true(&old["status"]["conditions"], "Idle");
        return Some(idle || value["spec"]["stage"] == "Idle" || same(&found[1]));
    }
    rule.contains("oldSelf.status.validNextStages").then(|| {
        let stages = old["status"]["validNextStages"].as_array();
        let valid = stages.is_some_and(|s| s.contains(&value["spec"]["stage"]));
        valid || (!value["spec"]["stage"].is_null() && same("stage"))
    })
}
