//! Preflight of a live cluster: a server of ours, one fault each.

use std::path::Path;

use serde_json::{Value, json};
use snoforge::cluster::Kubeconfig;
use snoforge::seed::facts::paths;

use crate::apiserver::{ApiServer, Fault};
use crate::facts::{PASSWORD, healthy};
use crate::{Run, run};

const TOKEN: &str = "sha256~s3cr3t";

fn kubeconfig(home: &Path, server: &str, user: &Value) {
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "admin",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "admin", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}]});
    fs_err::write(home.join("kubeconfig"), config.to_string()).unwrap();
}

fn preflight(home: &Path) -> Run {
    let args = [
        "seed",
        "preflight",
        "--kubeconfig",
        "kubeconfig",
        "--save-facts",
        "facts.json",
        "--request-timeout",
        "1",
        "--output",
        "json",
    ];
    let run = run(home, &args);
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(TOKEN) && !text.contains(PASSWORD), "{text}");
    }
    run
}

/// A run against a healthy cluster with these faults.
fn with(faults: &[(&str, Fault)], token: &str) -> (Run, tempfile::TempDir, Vec<String>) {
    let home = tempfile::tempdir().unwrap();
    let server = ApiServer::start(TOKEN, healthy(), faults);
    kubeconfig(
        home.path(),
        &format!("http://{}", server.address),
        &json!({"token": token}),
    );
    (preflight(home.path()), home, server.seen())
}

#[test]
fn a_healthy_cluster_has_no_finding_and_its_facts_say_the_same() {
    let (live, home, seen) = with(&[], TOKEN);
    let live = live.expect(0).json();
    assert_eq!(live["findings"], json!([]));
    assert!(seen.iter().all(|line| line.starts_with("GET ")), "{seen:?}");
    // Three CRDs are two pages.
    let crds = seen
        .iter()
        .filter(|line| line.contains(paths::CRDS))
        .count();
    assert_eq!(crds, 2);
    let text = fs_err::read_to_string(home.path().join("facts.json")).unwrap();
    assert!(!text.contains(PASSWORD) && !text.contains(TOKEN));
    let args = [
        "seed",
        "preflight",
        "--facts",
        "facts.json",
        "--output",
        "json",
    ];
    assert_eq!(run(home.path(), &args).expect(0).json(), live);
}

#[test]
fn what_one_list_refuses_is_one_finding_of_its_path() {
    for (fault, said) in [
        (
            Fault::Status(403, "volumes is forbidden"),
            "403 Forbidden: volumes is forbidden",
        ),
        (
            Fault::Status(500, "etcdserver: leader changed"),
            "500 Internal Server Error: etcdserver",
        ),
        (
            Fault::Status(503, "starting"),
            "503 Service Unavailable: starting",
        ),
        (Fault::Status(302, ""), "302 Found"),
        (Fault::Slow, "no answer within 1 s"),
        (Fault::Cut, "the answer was cut"),
        (Fault::Garbage, "the answer is no JSON object"),
        (Fault::Endless, "the list does not end"),
    ] {
        let (run, ..) = with(&[(paths::LVM, fault)], TOKEN);
        let report = run.expect(7).json();
        let findings = report["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{fault:?}: {findings:?}");
        assert_eq!(findings[0]["object"], paths::LVM);
        let message = findings[0]["message"].as_str().unwrap();
        assert!(message.contains(said), "{fault:?}: {message}");
    }
    // An absent group means for an optional operator that it is not installed, else that this is no OpenShift.
    let absent = Fault::Status(404, "not found");
    with(&[(paths::IP_CONFIGS, absent)], TOKEN).0.expect(0);
    let (run, ..) = with(&[(paths::POOLS, absent)], TOKEN);
    let report = run.expect(7).json();
    assert_eq!(report["findings"][0]["object"], paths::POOLS);
}

#[test]
fn what_every_request_would_meet_ends_the_work() {
    let (unknown, home, seen) = with(&[], "other");
    let unknown = unknown.expect(5);
    assert!(
        unknown.stderr.contains("401 Unauthorized"),
        "{}",
        unknown.stderr
    );
    assert!(unknown.stderr.contains("hint: "), "{}", unknown.stderr);
    assert!(seen.len() <= 4, "{seen:?}");
    assert!(!home.path().join("facts.json").exists());
    // Nobody listens there any more.
    let refused = preflight(home.path()).expect(5);
    assert!(
        refused.stderr.contains("no connection: connection refused"),
        "{}",
        refused.stderr
    );
    // TLS to a server that speaks none.
    let server = ApiServer::start(TOKEN, healthy(), &[]);
    let url = format!("https://{}", server.address);
    kubeconfig(home.path(), &url, &json!({"token": TOKEN}));
    let plain = preflight(home.path()).expect(5);
    assert!(plain.stderr.contains("TLS: "), "{}", plain.stderr);
    assert_eq!(server.seen(), Vec::<String>::new());
}

#[test]
fn a_kubeconfig_that_cannot_work_is_refused_before_anything_is_sent() {
    let home = tempfile::tempdir().unwrap();
    for (server, user, said) in [
        (
            "https://h:6443",
            json!({"exec": {"command": "oc"}}),
            "credential plugin",
        ),
        (
            "https://h:6443",
            json!({"username": "a", "password": TOKEN}),
            "name and password",
        ),
        (
            "https://h:6443",
            json!({}),
            "neither client certificate nor token",
        ),
        (
            "https://h:6443",
            json!({"client-key-data": "eA=="}),
            "a client key without",
        ),
        (
            "https://h:6443",
            json!({"client-certificate-data": "!"}),
            "is no base64",
        ),
        (
            "https://h:6443",
            json!({"client-certificate": "none.crt"}),
            "none.crt: no such file",
        ),
        (
            "https://u:p@h",
            json!({"token": TOKEN}),
            "user name or password",
        ),
        (
            "ftp://h",
            json!({"token": TOKEN}),
            "no plain http or https URL",
        ),
        ("h", json!({"token": TOKEN}), "`server` is no URL"),
        (
            "https://h",
            json!({"token": "a\u{7}b"}),
            "the token has characters",
        ),
        (
            "https://h",
            json!({"client-key-data": "eA==", "client-certificate-data": "eA=="}),
            "are no PEM",
        ),
    ] {
        kubeconfig(home.path(), server, &user);
        let run = preflight(home.path()).expect(2);
        let said_it = run.stderr.to_lowercase().contains(&said.to_lowercase());
        assert!(said_it, "{said}: {}", run.stderr);
    }
    fs_err::write(home.path().join("kubeconfig"), format!("users: {TOKEN}\n")).unwrap();
    let wrong = preflight(home.path()).expect(2);
    assert!(wrong.stderr.contains("no kubeconfig"), "{}", wrong.stderr);
    let none = run(home.path(), &["seed", "preflight"]).expect(2);
    assert!(
        none.stderr.contains("no cluster is named"),
        "{}",
        none.stderr
    );
    kubeconfig(home.path(), "https://h:6443/", &json!({"token": TOKEN}));
    let config = Kubeconfig::load(&home.path().join("kubeconfig")).unwrap();
    assert_eq!(
        format!("{config:?}"),
        "Kubeconfig { server: \"https://h:6443\", .. }"
    );
}

/// As `auth/kubeconfig` of an installation: a client certificate and the cluster's own CA.
#[test]
fn a_client_certificate_is_enough_and_another_server_is_not() {
    let home = tempfile::tempdir().unwrap();
    let server = ApiServer::mutual_tls_with(healthy());
    let path = home.path().join("kubeconfig");
    fs_err::write(&path, server.kubeconfig().to_string()).unwrap();
    assert_eq!(
        preflight_patiently(home.path(), &[]).expect(0).json()["findings"],
        json!([])
    );
    // The user's environment names several files; the first that has a thing counts.
    fs_err::write(home.path().join("other"), "current-context: admin\n").unwrap();
    let list = ("KUBECONFIG", "missing:other:kubeconfig");
    preflight_patiently(home.path(), &[list]).expect(0);
    // A proxy of the environment, and the exception from it.
    let proxy = ("HTTPS_PROXY", "http://127.0.0.1:1");
    let proxied = preflight_patiently(home.path(), &[list, proxy]).expect(5);
    assert!(
        proxied.stderr.contains("no connection: "),
        "{}",
        proxied.stderr
    );
    let direct = [list, proxy, ("NO_PROXY", "127.0.0.0/8")];
    preflight_patiently(home.path(), &direct).expect(0);
    // Another server at its address; then the cluster with a new certificate.
    server.change_certificate();
    let strange = preflight_patiently(home.path(), &[]).expect(5);
    assert!(
        strange.stderr.contains("TLS: invalid peer certificate"),
        "{}",
        strange.stderr
    );
    server.renew_certificate();
    preflight_patiently(home.path(), &[]).expect(0);
    server.close();
    let refused = preflight_patiently(home.path(), &[]).expect(5);
    assert!(
        refused.stderr.contains("no connection: connection refused"),
        "{}",
        refused.stderr
    );
}

/// With the default time limit, and the flag's file or those of the environment.
fn preflight_patiently(home: &Path, environment: &[(&str, &str)]) -> Run {
    let mut command = crate::program::snoforge(home);
    command.args(["seed", "preflight", "--output", "json"]);
    command.envs(environment.iter().copied());
    if environment.is_empty() {
        command.args(["--kubeconfig", "kubeconfig"]);
    }
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
