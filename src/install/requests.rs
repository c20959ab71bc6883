//! Certificate requests of the node's kubelet: which are pending, and which may be approved.
//!
//! Formats: `certificates.k8s.io/v1` (<https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/>),
//! PKCS#10 (RFC 2986). The rules are those of OpenShift's cluster-machine-approver (`pkg/controller/csr_check.go` at 00abec5), but
//! that a node's addresses stand in for those of its Machine, which a Single Node without a platform does not have.
//!
//! An approval hands out an identity: what is not understood is refused, with the reason, and so is what could be of two nodes.

mod asked;

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use asked::Asked;

use super::some;
use crate::objects::json::{list, name, text};

/// Where they are.
pub const COLLECTION: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/// Signer of the certificate that a kubelet shows to the API.
const CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// Signer of the certificate that it shows to whoever asks it for logs.
const SERVING: &str = "kubernetes.io/kubelet-serving";
const BOOTSTRAPPER: &str =
    "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper";
const BOOTSTRAPPERS: &str = "system:serviceaccounts:openshift-machine-config-operator";
const NODES: &str = "system:nodes";
const NODE: &str = "system:node:";

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody decided.
    Pending,
    /// Approved, whether or not the certificate is there already.
    Approved,
    /// Denied, or the signer refused it.
    Refused,
}

/// What became of it.
pub fn state(request: &Value) -> State {
    let is = |kind: &str| {
        list(request, "/status/conditions")
            .iter()
            .any(|c| text(c, "/type") == kind)
    };
    if is("Denied") || is("Failed") {
        State::Refused
    } else if is("Approved") || !text(request, "/status/certificate").is_empty() {
        State::Approved
    } else {
        State::Pending
    }
}

/// Whether a kubelet asks, by the signer.
pub(super) fn is_of_kubelet(request: &Value) -> bool {
    matches!(text(request, "/spec/signerName"), CLIENT | SERVING)
}

/// `certificate request csr-7xk2p (kubelet-serving, of system:node:bip)`.
pub fn shown(request: &Value) -> String {
    let signer = text(request, "/spec/signerName");
    let signer = signer.rsplit('/').next().unwrap_or(signer);
    let user = text(request, "/spec/username");
    let user = user
        .rsplit_once(':')
        .filter(|_| user == BOOTSTRAPPER)
        .map_or(user, |(_, last)| last);
    format!(
        "certificate request {} ({signer}, of {user})",
        name(request)
    )
}

/// What a person runs.
pub(super) fn by_hand(request: &Value) -> String {
    format!("oc adm certificate approve {}", name(request))
}

/// What a request is judged by.
#[derive(Debug)]
pub struct Judge<'a> {
    nodes: &'a [Value],
    wanted: Option<&'a str>,
    /// Of which nodes there are client requests that look right, undecided or approved.
    asked: BTreeSet<String>,
}

impl<'a> Judge<'a> {
    /// By the nodes that are registered, all requests of the cluster, and the one node that is `wanted`, when the user named it.
    pub fn new(nodes: &'a [Value], requests: &[Value], wanted: Option<&'a str>) -> Self {
        let asks = |request: &Value| {
            let (asked, own) = subject(request).ok()?;
            client(request, &asked, &own).ok()?;
            Some(own)
        };
        let open = requests
            .iter()
            .filter(|r| text(r, "/spec/signerName") == CLIENT && state(r) != State::Refused);
        Self {
            nodes,
            wanted,
            asked: open.filter_map(asks).collect(),
        }
    }

    /// Whether a request is what this cluster's one node would ask for.
    ///
    /// # Errors
    /// Why not, in one clause.
    pub fn judge(&self, request: &Value) -> Result<(), String> {
        let (asked, own) = subject(request)?;
        if let Some(wanted) = self.wanted.filter(|wanted| *wanted != own) {
            return Err(format!("it is for node {own}, not for {wanted}"));
        }
        match text(request, "/spec/signerName") {
            CLIENT => {
                client(request, &asked, &own)?;
                self.first(&own)
            }
            SERVING => serving(request, &asked, &own, self.nodes),
            other => Err(format!("its signer `{other}` is none of a kubelet")),
        }
    }

    /// Whoever has the node-bootstrapper's token may ask for any name: before there is a node, nothing tells which of two is right.
    fn first(&self, own: &str) -> Result<(), String> {
        match self.nodes.first() {
            Some(node) if name(node) == own => Err(format!("node {own} is registered already")),
            Some(node) => Err(format!(
                "it is for node {own}, and the cluster has its node {}",
                name(node)
            )),
            None if self.wanted.is_none() && self.asked.iter().any(|other| other != own) => {
                let all: Vec<&str> = self.asked.iter().map(String::as_str).collect();
                Err(format!(
                    "there are requests for more nodes than one ({}): `--node` says which is right",
                    some(&all)
                ))
            }
            None => Ok(()),
        }
    }
}

/// What it asks for, and the node of its subject.
fn subject(request: &Value) -> Result<(Asked, String), String> {
    let asked = Asked::parse(text(request, "/spec/request"))?;
    let own = asked
        .common_name
        .strip_prefix(NODE)
        .filter(|own| !own.is_empty());
    let own = own
        .ok_or_else(|| format!("its subject `{}` is no node's", asked.common_name))?
        .to_owned();
    if asked.organizations != [NODES] {
        return Err(format!("its subject is not of {NODES} alone"));
    }
    Ok((asked, own))
}

/// What can be said of a client request by itself.
fn client(request: &Value, asked: &Asked, own: &str) -> Result<(), String> {
    let user = text(request, "/spec/username");
    if user != BOOTSTRAPPER || !in_group(request, BOOTSTRAPPERS) {
        return Err(format!("`{user}` asks, not the node-bootstrapper"));
    }
    usages(request, "client auth")?;
    if !asked.dns.is_empty() || !asked.addresses.is_empty() || asked.others {
        return Err("it asks for names, which a client has none of".to_owned());
    }
    if own == "localhost" || own.starts_with("localhost.") {
        return Err(format!("`{own}` is a machine that has no name yet"));
    }
    Ok(())
}

fn serving(request: &Value, asked: &Asked, own: &str, nodes: &[Value]) -> Result<(), String> {
    let user = text(request, "/spec/username");
    if user != asked.common_name || !in_group(request, NODES) {
        return Err(format!("`{user}` asks for {}", asked.common_name));
    }
    usages(request, "server auth")?;
    let node = nodes.iter().find(|node| name(node) == own);
    let node = node.ok_or_else(|| format!("there is no node {own}"))?;
    let addresses = list(node, "/status/addresses");
    let of = |kinds: &[&str]| -> Vec<&str> {
        let those = addresses
            .iter()
            .filter(|a| kinds.contains(&text(a, "/type")));
        those.map(|a| text(a, "/address")).collect()
    };
    let names = of(&["Hostname", "InternalDNS", "ExternalDNS"]);
    let strange = asked.dns.iter().find(|dns| {
        let is = |name: &&str| name.trim_end_matches('.').eq_ignore_ascii_case(dns);
        !names.iter().any(is)
    });
    if let Some(dns) = strange {
        return Err(format!(
            "it asks for the name `{dns}`, which node {own} does not have"
        ));
    }
    let known = of(&["InternalIP", "ExternalIP"]);
    let strange = asked.addresses.iter().find(|ip| {
        let is = |text: &&str| text.parse().is_ok_and(|known: IpAddr| known == **ip);
        !known.iter().any(is)
    });
    if let Some(ip) = strange {
        return Err(format!(
            "it asks for the address {ip}, which node {own} does not have"
        ));
    }
    if asked.others {
        return Err("it asks for names that are neither DNS names nor addresses".to_owned());
    }
    if asked.dns.is_empty() && asked.addresses.is_empty() {
        return Err("it asks for no name at all".to_owned());
    }
    Ok(())
}

fn in_group(request: &Value, group: &str) -> bool {
    list(request, "/spec/groups").iter().any(|g| g == group)
}

/// These usages and no others.
fn usages(request: &Value, main: &str) -> Result<(), String> {
    let usages = list(request, "/spec/usages");
    let known = ["digital signature", "key encipherment", main];
    let strange = usages.iter().find(|u| !known.iter().any(|k| u == k));
    match strange {
        Some(usage) => Err(format!("it asks for the usage {usage}")),
        None if !usages.iter().any(|u| u == main) => Err(format!("it does not ask for {main}")),
        None => Ok(()),
    }
}

/// Where its approval is put: only this subresource takes one.
pub fn approval(request: &Value) -> String {
    format!("{COLLECTION}/{}/approval", name(request))
}

/// The request with our approval, for [`approval`].
pub fn approved(request: &Value, now: Timestamp) -> Value {
    let mut request = request.clone();
    let condition = json!({
        "type": "Approved", "status": "True", "reason": "SnoforgeApprove",
        "message": "This CSR was approved by snoforge install watch.",
        "lastUpdateTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    let mut conditions = list(&request, "/status/conditions").to_vec();
    conditions.push(condition);
    let mut status = request.get("status").cloned().unwrap_or_default();
    if let Some(status) = status.as_object_mut() {
        status.insert("conditions".to_owned(), conditions.into());
    } else {
        status = json!({"conditions": conditions});
    }
    if let Some(request) = request.as_object_mut() {
        request.insert("status".to_owned(), status);
    }
    request
}

#[cfg(test)]
mod tests;
