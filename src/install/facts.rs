//! What a watch asks a cluster for, and what was answered.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{has, moment};
use crate::objects::Answer;
use crate::objects::json::{list, name, text};

/// The nodes: what is asked first, because its answer tells whether there is an API that lets one in.
pub const NODES: &str = "/api/v1/nodes";
/// The web console's route.
pub const CONSOLE: &str = "/apis/route.openshift.io/v1/namespaces/openshift-console/routes/console";
const NAMESPACE: &str = "/api/v1/namespaces/kube-system";
const BOOTSTRAP: &str = "/api/v1/namespaces/kube-system/configmaps/bootstrap";
const REQUESTS: &str = super::requests::COLLECTION;
/// A pod whose image cannot be pulled is pending; all pods of a cluster would be megabytes at every look.
const PODS: &str = "/api/v1/pods?fieldSelector=status.phase=Pending";
const POOL: &str = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools/master";
const OPERATORS: &str = "/apis/config.openshift.io/v1/clusteroperators";
const VERSION: &str = "/apis/config.openshift.io/v1/clusterversions/version";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

/// The answers of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts(BTreeMap<String, Answer>);

impl Facts {
    /// What to ask for besides [`NODES`].
    pub fn paths() -> Vec<String> {
        let all = [
            NAMESPACE, BOOTSTRAP, REQUESTS, PODS, POOL, OPERATORS, VERSION, LEASES,
        ];
        all.map(str::to_owned).to_vec()
    }

    /// From the answers by path.
    pub fn new(answers: impl IntoIterator<Item = (String, Answer)>) -> Self {
        Self(answers.into_iter().collect())
    }

    /// What this look could not have is taken from the one before: an API that starts refuses one list and gives another.
    pub(super) fn or(mut self, before: &Self) -> Self {
        for (path, answer) in &before.0 {
            if matches!(self.0.get(path), None | Some(Answer::Error(_))) {
                self.0.insert(path.clone(), answer.clone());
            }
        }
        self
    }

    fn list(&self, path: &str) -> &[Value] {
        match self.0.get(path) {
            Some(Answer::Items(items)) => items,
            _ => &[],
        }
    }

    fn object(&self, path: &str) -> Option<&Value> {
        match self.0.get(path) {
            Some(Answer::Object(object)) => Some(object),
            _ => None,
        }
    }

    pub(super) fn nodes(&self) -> &[Value] {
        self.list(NODES)
    }

    /// The one node.
    pub(super) fn node(&self) -> Option<&Value> {
        self.nodes().first()
    }

    pub(super) fn requests(&self) -> &[Value] {
        self.list(REQUESTS)
    }

    pub(super) fn pods(&self) -> &[Value] {
        self.list(PODS)
    }

    pub(super) fn pool(&self) -> Option<&Value> {
        self.object(POOL)
    }

    pub(super) fn operators(&self) -> &[Value] {
        self.list(OPERATORS)
    }

    pub(super) fn version(&self) -> Option<&Value> {
        self.object(VERSION)
    }

    /// What tells this cluster from another that the same medium makes.
    pub(super) fn uid(&self) -> Option<&str> {
        let uid = text(self.object(NAMESPACE)?, "/metadata/uid");
        (!uid.is_empty()).then_some(uid)
    }

    /// What this user may not see.
    pub(super) fn forbidden(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(path, answer)| match answer {
            Answer::Error(said) if said.starts_with("403") => Some(path.as_str()),
            _ => None,
        })
    }

    /// When the API of the live system first answered.
    pub(super) fn born(&self) -> Option<jiff::Timestamp> {
        moment(self.object(NAMESPACE)?, "/metadata/creationTimestamp")
    }

    /// The installed system's word that the bootstrap is over.
    pub(super) fn bootstrapped(&self) -> Option<&Value> {
        let map = self.object(BOOTSTRAP)?;
        (text(map, "/data/status") == "complete").then_some(map)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.node().is_some_and(|node| has(node, "Ready", "True"))
    }

    /// When the kubelet last said that it lives, by the machine's clock.
    pub(super) fn heartbeat(&self) -> Option<jiff::Timestamp> {
        let own = name(self.node()?);
        let lease = self.list(LEASES).iter().find(|lease| name(lease) == own)?;
        moment(lease, "/spec/renewTime")
    }
}

/// The web console's address, from its route.
pub fn console_url(route: &Value) -> Option<String> {
    let admitted = |ingress: &&Value| {
        let mut conditions = list(ingress, "/conditions").iter();
        conditions.any(|c| text(c, "/type") == "Admitted" && text(c, "/status") == "True")
    };
    let ingress = list(route, "/status/ingress").iter().find(admitted)?;
    let host = text(ingress, "/host");
    (!host.is_empty()).then(|| format!("https://{host}"))
}
