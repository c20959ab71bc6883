//! The objects: kinds with their schemas, versions, uids, generations, and what happened, as etcd and the API's registry keep
//! them. Stricter than a real server: unknown fields are refused, not dropped.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::schema::{Schemas, yaml};

/// When every object was made; a fixed time keeps tests the same.
const CREATED: &str = "2026-11-21T06:00:00Z";

/// Kinds that every cluster has, without schemas here.
const BUILT_IN: [(&str, &str, &str, bool); 9] = [
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "PersistentVolume", "persistentvolumes", false),
    ("v1", "Pod", "pods", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Event", "events", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("batch/v1", "Job", "jobs", true),
];

pub(crate) struct Kind {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
    /// Whether the status is a subresource.
    pub(crate) status: bool,
    pub(crate) columns: Vec<Value>,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The collection's path without a namespace.
    pub(crate) collection: String,
    /// Empty: of the cluster, or of all namespaces.
    pub(crate) namespace: String,
    /// Empty: the collection.
    pub(crate) name: String,
}

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
    kinds: BTreeMap<String, Kind>,
    schemas: Schemas,
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
            store.add_kind(api_version, plural, kind, namespaced, None);
        }
        store
    }
}

impl Store {
    /// A kind; its status is a subresource when the version of the CRD that is given says so.
    pub(crate) fn add_kind(
        &mut self,
        api_version: &str,
        plural: &str,
        kind: &str,
        namespaced: bool,
        crd: Option<&Value>,
    ) {
        let root = if api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let columns = crd.and_then(|v| v["additionalPrinterColumns"].as_array());
        let made = Kind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespaced,
            status: crd.is_some_and(|v| v["subresources"]["status"].is_object()),
            columns: columns.cloned().unwrap_or_default(),
        };
        self.kinds
            .insert(format!("/{root}/{api_version}/{plural}"), made);
    }

    /// Every served version of a CRD.
    pub(crate) fn add_crd(&mut self, path: &Path) {
        self.schemas.add(path);
        let crd = yaml(&fs_err::read_to_string(path).unwrap()).remove(0);
        let spec = &crd["spec"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for version in spec["versions"].as_array().unwrap() {
            let api_version = format!("{}/{}", text(&spec["group"]), text(&version["name"]));
            let (plural, kind) = (text(&spec["names"]["plural"]), text(&spec["names"]["kind"]));
            let namespaced = spec["scope"] == "Namespaced";
            self.add_kind(&api_version, &plural, &kind, namespaced, Some(version));
        }
    }

    pub(crate) fn kind(&self, place: &Place) -> &Kind {
        &self.kinds[&place.collection]
    }

    /// What a path names, and the subresource of it.
    pub(crate) fn find(&self, path: &str) -> Option<(Place, Option<String>)> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let head = if parts.first() == Some(&"api") { 2 } else { 3 };
        let (group, rest) = parts.split_at_checked(head)?;
        let place = |namespace: &str, rest: &[&str]| {
            let collection = format!("/{}/{}", group.join("/"), rest.first()?);
            let kind = self.kinds.get(&collection)?;
            let name = (*rest.get(1).unwrap_or(&"")).to_owned();
            let whole = namespace.is_empty() && name.is_empty();
            let fits = kind.namespaced != namespace.is_empty() || whole;
            let sub = rest.get(2).map(|s| (*s).to_owned());
            let place = Place {
                collection,
                namespace: namespace.to_owned(),
                name,
            };
            (fits && rest.len() <= 3).then_some((place, sub))
        };
        match rest {
            ["namespaces", namespace, inner @ ..] if !inner.is_empty() && *inner != ["status"] => {
                place(namespace, inner)
            }
            rest => place("", rest),
        }
    }

    /// Makes an object in a collection; its status is dropped where that is a subresource.
    pub(crate) fn create(&mut self, place: &Place, mut object: Value) -> Answered {
        let kind = self.kind(place);
        if object["apiVersion"] != *kind.api_version || object["kind"] != *kind.kind {
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
        metadata.insert("creationTimestamp".into(), CREATED.into());
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
            kind.kind,
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
