//! The objects: kinds with their schemas, versions, uids, generations, and what happened, as etcd and the API's registry keep
//! them. Stricter than a real server: unknown fields are refused, not dropped.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kinds::{BUILT_IN, Kind, Place};
use crate::schema::Schemas;

/// When every object was made; a fixed time keeps tests the same.
const CREATED: &str = "2026-11-21T06:00:00Z";

pub(crate) struct Event {
    pub(crate) version: u64,
    pub(crate) what: &'static str,
    pub(crate) place: Place,
    pub(crate) object: Value,
}

/// What the server says no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

pub(crate) type Answered = Result<Value, Refusal>;

pub(crate) fn refusal(code: u16, reason: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        code,
        reason,
        message: message.into(),
    }
}

pub(crate) struct Store {
    pub(super) kinds: BTreeMap<String, Kind>,
    pub(super) schemas: Schemas,
    pub(crate) objects: BTreeMap<Place, Value>,
    pub(crate) events: Vec<Event>,
    pub(crate) version: u64,
    /// Versions below are forgotten.
    pub(crate) compacted: u64,
    born: u64,
}

impl Default for Store {
    fn default() -> Self {
        let mut store = Self {
            kinds: BTreeMap::new(),
            schemas: Schemas::default(),
            objects: BTreeMap::new(),
            events: Vec::new(),
            version: 1000,
            compacted: 0,
            born: 0,
        };
        for (api_version, kind, plural, namespaced) in BUILT_IN {
            store.add_kind(plural, Kind::new(api_version, kind, namespaced));
        }
        store
    }
}

impl Store {
    /// Makes an object in a collection; its status is dropped where that is a subresource.
    pub(crate) fn create(&mut self, place: &Place, mut object: Value) -> Answered {
        let kind = self.kind(place);
        if object["apiVersion"] != *kind.api_version || object["kind"] != *kind.name {
            let message = "the object provided is unrecognized (must be of type of the path)";
            return Err(refusal(400, "BadRequest", message));
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let place = Place {
            name: name.to_owned(),
            ..place.clone()
        };
        let said = object["metadata"]["namespace"].as_str();
        if said.is_some_and(|said| said != place.namespace) {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(refusal(400, "BadRequest", message));
        }
        if name.is_empty() {
            let message = "name: Required value: name or generateName is required";
            return Err(refusal(422, "Invalid", message));
        }
        if self.objects.contains_key(&place) {
            let message = format!("{} already exists", self.named(&place));
            return Err(refusal(409, "AlreadyExists", message));
        }
        if kind.status {
            object.as_object_mut().unwrap().remove("status");
        }
        self.check(&place, &object, None)?;
        self.born += 1;
        let metadata = object["metadata"].as_object_mut().unwrap();
        if !place.namespace.is_empty() {
            metadata.insert("namespace".into(), place.namespace.clone().into());
        }
        let uid = format!("{:08x}-0000-4000-8000-000000000000", self.born);
        metadata.insert("uid".into(), uid.into());
        metadata.insert("generation".into(), 1.into());
        // A test may say when; a client of a real server may not, and none here does.
        let created = metadata.entry("creationTimestamp").or_insert(Value::Null);
        if created.is_null() {
            *created = CREATED.into();
        }
        Ok(self.keep("ADDED", &place, object))
    }

    /// Puts an object in place of another: all but the status, or only the status.
    pub(crate) fn update(&mut self, place: &Place, mut object: Value, status: bool) -> Answered {
        let old = self.get(place)?.clone();
        let sent = &object["metadata"];
        for (field, code) in [("uid", 409), ("resourceVersion", 409), ("name", 400)] {
            if !sent[field].is_null() && sent[field] != old["metadata"][field] {
                let message = format!(
                    "Operation cannot be fulfilled on {}: the object has been modified; please apply your changes to the latest version and try again",
                    self.named(place)
                );
                return Err(refusal(code, "Conflict", message));
            }
        }
        let sub = self.kind(place).status;
        if status {
            let mut with = old.clone();
            with["status"] = object["status"].take();
            object = with;
        } else if sub {
            object["status"] = old["status"].clone();
        }
        let map = object.as_object_mut().unwrap();
        if map.get("status").is_some_and(Value::is_null) {
            map.remove("status");
        }
        for field in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "namespace",
        ] {
            if !old["metadata"][field].is_null() {
                object["metadata"][field] = old["metadata"][field].clone();
            }
        }
        self.check(place, &object, Some(&old))?;
        if object == old {
            return Ok(old);
        }
        let body = |o: &Value| {
            let mut o = o.clone();
            o.as_object_mut()
                .unwrap()
                .retain(|k, _| k != "metadata" && !(sub && k == "status"));
            o
        };
        if body(&object) != body(&old) {
            let generation = old["metadata"]["generation"].as_u64().unwrap_or(0);
            object["metadata"]["generation"] = (generation + 1).into();
        }
        Ok(self.keep("MODIFIED", place, object))
    }

    /// The subresource `approval` of a certificate request, as `registry/certificates` of Kubernetes has it: only the conditions
    /// that decide are taken over, a decision is never taken back, and it must be a valid one.
    pub(crate) fn approve(&mut self, place: &Place, mut object: Value) -> Answered {
        let old = self.get(place)?.clone();
        let none = Vec::new();
        let of = |o: &Value| o["status"]["conditions"].as_array().cloned();
        let (sent, had) = (of(&object).unwrap_or_default(), of(&old).unwrap_or(none));
        let is = |c: &Value, kind: &str| c["type"] == kind;
        let count = |kind: &str| sent.iter().filter(|c| is(c, kind)).count();
        let invalid = |why: &str| {
            let message = format!(
                "CertificateSigningRequest.certificates.k8s.io \"{}\" is invalid: status.conditions: {why}",
                place.name
            );
            Err(refusal(422, "Invalid", message))
        };
        if sent.iter().any(|c| c["status"] != "True") {
            return invalid("status: Unsupported value: supported values: \"True\"");
        }
        if count("Approved") > 1 || count("Denied") > 1 || count("Approved") + count("Denied") > 1 {
            return invalid("Approved and Denied conditions are mutually exclusive");
        }
        if had.iter().any(|c| !sent.contains(c)) {
            return invalid("Forbidden: updates may not remove a condition");
        }
        for field in ["spec", "kind", "apiVersion"] {
            object[field] = old[field].clone();
        }
        let mut status = old["status"].clone();
        status["conditions"] = sent.into();
        object["status"] = status;
        self.update(place, object, false)
    }

    /// A merge patch (RFC 7386).
    pub(crate) fn patch(&mut self, place: &Place, patch: &Value, status: bool) -> Answered {
        let mut object = self.get(place)?.clone();
        merge(&mut object, patch);
        self.update(place, object, status)
    }

    pub(crate) fn delete(&mut self, place: &Place, uid: Option<&str>) -> Answered {
        let old = self.get(place)?.clone();
        let is = old["metadata"]["uid"].as_str();
        if uid.is_some() && uid != is {
            let message = format!(
                "Operation cannot be fulfilled on {}: Precondition failed: UID in precondition: {}, UID in object meta: {}",
                self.named(place),
                uid.unwrap_or_default(),
                is.unwrap_or_default()
            );
            return Err(refusal(409, "Conflict", message));
        }
        let last = self.keep("DELETED", place, old);
        self.objects.remove(place);
        Ok(last)
    }

    pub(crate) fn get(&self, place: &Place) -> Result<&Value, Refusal> {
        let absent = || refusal(404, "NotFound", format!("{} not found", self.named(place)));
        self.objects.get(place).ok_or_else(absent)
    }

    /// Forgets everything before now: older watches and pages are answered with 410.
    pub(crate) fn compact(&mut self) {
        // A version of its own, as other objects' changes would make, so that one read before is older.
        self.version += 1;
        self.compacted = self.version;
        self.events.clear();
    }

    fn keep(&mut self, what: &'static str, place: &Place, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(place.clone(), object.clone());
        self.events.push(Event {
            version: self.version,
            what,
            place: place.clone(),
            object: object.clone(),
        });
        object
    }

    fn check(&self, place: &Place, object: &Value, old: Option<&Value>) -> Result<(), Refusal> {
        let faults = self.schemas.faults(object, old).unwrap_or_default();
        if faults.is_empty() {
            return Ok(());
        }
        let kind = self.kind(place);
        let group = kind
            .api_version
            .split_once('/')
            .map_or("", |(group, _)| group);
        let message = format!(
            "{}.{group} \"{}\" is invalid: {}",
            kind.name,
            place.name,
            faults.join(", ")
        );
        Err(refusal(422, "Invalid", message))
    }

    /// As the server names it in messages: `seedgenerators.lca.openshift.io "seedimage"`.
    fn named(&self, place: &Place) -> String {
        let plural = place.collection.rsplit('/').next().unwrap_or_default();
        let group = self.kind(place).api_version.split_once('/');
        let dot = group.map_or(String::new(), |(group, _)| format!(".{group}"));
        format!("{plural}{dot} \"{}\"", place.name)
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().unwrap();
    for (key, value) in changes {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
