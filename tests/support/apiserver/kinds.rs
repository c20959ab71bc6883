//! The kinds that are served, and what a path names.

use std::path::Path;

use serde_json::Value;

use super::store::Store;
use crate::schema::yaml;

/// Kinds that every cluster has, without schemas here.
pub(super) const BUILT_IN: [(&str, &str, &str, bool); 11] = [
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "PersistentVolume", "persistentvolumes", false),
    ("v1", "Pod", "pods", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Event", "events", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("batch/v1", "Job", "jobs", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    (
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        false,
    ),
];

pub(crate) struct Kind {
    pub(crate) api_version: String,
    pub(crate) name: String,
    pub(crate) namespaced: bool,
    /// Whether the status is a subresource.
    pub(crate) status: bool,
    pub(crate) columns: Vec<Value>,
}

impl Kind {
    /// Without columns of its own, and with the status in the object.
    pub(crate) fn new(api_version: &str, name: &str, namespaced: bool) -> Self {
        Self {
            api_version: api_version.to_owned(),
            name: name.to_owned(),
            namespaced,
            status: false,
            columns: Vec::new(),
        }
    }
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

impl Store {
    pub(crate) fn add_kind(&mut self, plural: &str, kind: Kind) {
        let root = if kind.api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let collection = format!("/{root}/{}/{plural}", kind.api_version);
        self.kinds.insert(collection, kind);
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
            let columns = version["additionalPrinterColumns"].as_array();
            let made = Kind {
                status: version["subresources"]["status"].is_object(),
                columns: columns.cloned().unwrap_or_default(),
                ..Kind::new(&api_version, &kind, spec["scope"] == "Namespaced")
            };
            self.add_kind(&plural, made);
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
}
