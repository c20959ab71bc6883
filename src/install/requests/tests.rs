//! Requests as kubelets make them, and as others might.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, SanType};

use super::super::tests::node;
use super::*;

fn request(
    cn: &str,
    organizations: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for organization in organizations {
        params
            .distinguished_name
            .push(DnType::OrganizationName, *organization);
    }
    params.distinguished_name.push(DnType::CommonName, cn);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

fn names(list: &[&str]) -> Vec<SanType> {
    let list: Vec<String> = list.iter().map(|n| (*n).to_owned()).collect();
    CertificateParams::new(list).unwrap().subject_alt_names
}

fn object(pem: &str, spec: &Value) -> Value {
    let mut object = json!({"metadata": {"name": "csr-1"}, "spec": spec, "status": {}});
    object["spec"]["request"] = json!(BASE64.encode(pem));
    object
}

fn client_spec() -> Value {
    json!({"signerName": CLIENT, "username": BOOTSTRAPPER, "groups": ["system:serviceaccounts", BOOTSTRAPPERS, "system:authenticated"],
        "usages": ["digital signature", "client auth"]})
}

fn serving_spec() -> Value {
    json!({"signerName": SERVING, "username": "system:node:bip", "groups": [NODES, "system:authenticated"],
        "usages": ["digital signature", "key encipherment", "server auth"]})
}

fn changed(mut spec: Value, field: &str, value: Value) -> Value {
    spec[field] = value;
    spec
}

/// Of a cluster that has no other request.
fn judge(request: &Value, nodes: &[Value]) -> Result<(), String> {
    Judge::new(nodes, std::slice::from_ref(request), None).judge(request)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_client_request_is_for_a_node_that_is_not_there() {
    let own = request("system:node:bip", &[NODES], |_| {});
    let there = [node(&[])];
    let mut other = node(&[]);
    other["metadata"]["name"] = json!("other");
    assert_eq!(judge(&object(&own, &client_spec()), &[]), Ok(()));
    for (pem, spec, nodes, why) in [
        (
            &own,
            client_spec(),
            &there[..],
            "node bip is registered already",
        ),
        (
            &own,
            client_spec(),
            &[other][..],
            "the cluster has its node other",
        ),
        (
            &own,
            changed(client_spec(), "username", json!("system:admin")),
            &[],
            "`system:admin` asks, not the node-bootstrapper",
        ),
        (
            &own,
            changed(client_spec(), "groups", json!(["system:authenticated"])),
            &[],
            "not the node-bootstrapper",
        ),
        (
            &own,
            changed(
                client_spec(),
                "usages",
                json!(["client auth", "server auth"]),
            ),
            &[],
            "the usage \"server auth\"",
        ),
        (
            &own,
            changed(client_spec(), "usages", json!([])),
            &[],
            "does not ask for client auth",
        ),
        (
            &own,
            changed(
                client_spec(),
                "signerName",
                json!("kubernetes.io/kube-apiserver-client"),
            ),
            &[],
            "none of a kubelet",
        ),
        (
            &request("system:admin", &["system:masters"], |_| {}),
            client_spec(),
            &[],
            "`system:admin` is no node's",
        ),
        (
            &request("system:node:", &[NODES], |_| {}),
            client_spec(),
            &[],
            "is no node's",
        ),
        (
            &request("system:node:localhost", &[NODES], |_| {}),
            client_spec(),
            &[],
            "`localhost` is a machine that has no name yet",
        ),
        (
            &request("system:node:localhost.localdomain", &[NODES], |_| {}),
            client_spec(),
            &[],
            "no name yet",
        ),
        (
            &request("system:node:bip", &["system:masters"], |_| {}),
            client_spec(),
            &[],
            "not of system:nodes alone",
        ),
        (
            &request("system:node:bip", &[], |_| {}),
            client_spec(),
            &[],
            "not of system:nodes alone",
        ),
        (
            &request("system:node:bip", &[NODES], |p| {
                p.subject_alt_names = names(&["api.bip"]);
            }),
            client_spec(),
            &[],
            "it asks for names",
        ),
    ] {
        let said = judge(&object(pem, &spec), nodes).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    }
}

#[test]
fn requests_of_more_nodes_than_one_need_the_name_of_the_right_one() {
    let client = |node: &str| {
        let pem = request(&format!("system:node:{node}"), &[NODES], |_| {});
        object(&pem, &client_spec())
    };
    let with = |mut request: Value, kind: &str| {
        request["status"] = json!({"conditions": [{"type": kind, "status": "True"}]});
        request
    };
    let names = request("system:node:bip", &[NODES], |p| {
        p.subject_alt_names = names(&["bip"]);
    });
    let serving = object(&names, &serving_spec());
    let strange = changed(client("evil")["spec"].clone(), "username", json!("me"));
    let strange = json!({"metadata": {"name": "csr-2"}, "spec": strange});
    let two = "requests for more nodes than one (bip, evil): `--node` says which is right";
    let other = "it is for node bip, not for evil";
    // Beside which others, with which `--node`: what is said of a request of bip.
    for (others, wanted, why) in [
        (vec![], None, None),
        (vec![client("bip")], None, None),
        (vec![client("evil")], None, Some(two)),
        (vec![with(client("evil"), "Approved")], None, Some(two)),
        (vec![with(client("evil"), "Denied")], None, None),
        // Neither would be approved by itself.
        (vec![strange, client("localhost")], None, None),
        (vec![client("evil")], Some("bip"), None),
        (vec![], Some("evil"), Some(other)),
    ] {
        let own = client("bip");
        let all = [std::slice::from_ref(&own), &others[..]].concat();
        let said = Judge::new(&[], &all, wanted).judge(&own);
        match why {
            None => assert_eq!(said, Ok(()), "{others:?}"),
            Some(why) => assert!(said.unwrap_err().contains(why), "{why}"),
        }
    }
    let nodes = [node(&[])];
    for (wanted, expected) in [("bip", Ok(())), ("evil", Err(other.to_owned()))] {
        assert_eq!(
            Judge::new(&nodes, &[], Some(wanted)).judge(&serving),
            expected
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_serving_request_is_for_names_that_the_node_has() {
    let nodes = [node(&[])];
    let with = |list: &[&str]| {
        request("system:node:bip", &[NODES], |p| {
            p.subject_alt_names = names(list);
        })
    };
    for list in [&["bip", "192.168.86.45"][..], &["fd00::45"], &["BIP"]] {
        assert_eq!(
            judge(&object(&with(list), &serving_spec()), &nodes),
            Ok(()),
            "{list:?}"
        );
    }
    let uri = request("system:node:bip", &[NODES], |p| {
        p.subject_alt_names = vec![SanType::URI("spiffe://x".try_into().unwrap())];
    });
    // The same extension twice: both count.
    let twice = request("system:node:bip", &[NODES], |p| {
        p.subject_alt_names = names(&["bip"]);
        let second = b"\x30\x0a\x82\x08evil.lab".to_vec();
        p.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], second)];
    });
    for (pem, spec, nodes, why) in [
        (
            &with(&["bip", "10.0.0.1"]),
            serving_spec(),
            &nodes[..],
            "the address 10.0.0.1, which node bip does not have",
        ),
        (
            &with(&["bip", "api.bip.lab"]),
            serving_spec(),
            &nodes,
            "the name `api.bip.lab`",
        ),
        (&with(&[]), serving_spec(), &nodes, "no name at all"),
        (&with(&["bip"]), serving_spec(), &[], "there is no node bip"),
        (
            &with(&["bip"]),
            changed(serving_spec(), "username", json!("system:node:other")),
            &nodes,
            "`system:node:other` asks for system:node:bip",
        ),
        (
            &with(&["bip"]),
            changed(serving_spec(), "groups", json!([])),
            &nodes,
            "asks for system:node:bip",
        ),
        (
            &with(&["bip"]),
            changed(
                serving_spec(),
                "usages",
                json!(["client auth", "server auth"]),
            ),
            &nodes,
            "the usage \"client auth\"",
        ),
        (
            &uri,
            serving_spec(),
            &nodes,
            "neither DNS names nor addresses",
        ),
        (&twice, serving_spec(), &nodes, "the name `evil.lab`"),
    ] {
        let said = judge(&object(pem, &spec), nodes).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let own = request("system:node:bip", &[NODES], |_| {});
    for text in [
        String::new(),
        "LS0t".to_owned(),
        format!("{own}{own}"),
        format!("see below\n{own}"),
        own.replace("MI", "MJ"),
        own.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
    ] {
        let said = judge(&object(&text, &client_spec()), &[]).unwrap_err();
        assert_eq!(said, "it holds no certificate request", "{text}");
    }
    assert!(judge(&json!({"spec": {"request": "%"}}), &[]).is_err());
    assert!(judge(&json!(7), &[]).is_err());
}

#[test]
fn no_change_of_a_byte_panics_or_makes_another_node() {
    let own = request("system:node:bip", &[NODES], |p| {
        p.subject_alt_names = names(&["bip"]);
    });
    let body: String = own.lines().filter(|l| !l.starts_with("-----")).collect();
    let bytes = BASE64.decode(body).unwrap();
    let nodes = [node(&[])];
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            let encoded = BASE64.encode(&bytes);
            let lines: Vec<&str> = encoded
                .as_bytes()
                .chunks(64)
                .map(|l| std::str::from_utf8(l).unwrap())
                .collect();
            let pem = format!(
                "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
                lines.join("\n")
            );
            if judge(&object(&pem, &serving_spec()), &nodes).is_ok() {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                assert!(text.contains("system:node:bip"), "{at}");
            }
        }
    }
}

#[test]
fn an_approval_adds_to_what_was_decided() {
    let at = "2026-11-21T12:00:00Z".parse().unwrap();
    for status in [Value::Null, json!({}), json!({"conditions": []})] {
        let mut request = object("x", &client_spec());
        request["status"] = status;
        assert_eq!(state(&request), State::Pending);
        let approved = approved(&request, at);
        assert_eq!(state(&approved), State::Approved);
        assert_eq!(
            approved["status"]["conditions"][0]["lastUpdateTime"],
            "2026-11-21T12:00:00Z"
        );
        assert_eq!(approved["spec"], request["spec"]);
    }
    let denied = json!({"status": {"conditions": [{"type": "Denied", "status": "True"}]}});
    assert_eq!(state(&denied), State::Refused);
}
