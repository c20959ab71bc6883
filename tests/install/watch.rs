//! Installations that go well, slowly, or not to their end.

use std::collections::BTreeSet;

use crate::apiserver::Fault;
use crate::lab::{Lab, REQUESTS};

#[test]
fn an_installation_is_followed_through_its_reboot() {
    let lab = Lab::new();
    lab.server.close();
    let mut watch = lab.start(&["--output", "json"]);
    watch.says("api             waiting for the API at https://");
    watch.says("no API listens yet (connection refused)");
    lab.bootstrap();
    lab.server.open();
    watch.says("bootstrap       waiting for bootkube");
    watch.says("Working towards 4.13.1: 12 of 840 done");
    lab.server.close();
    watch.says("reboot          waiting for the installed system's API");
    lab.server.open();
    watch.says("waiting for the installed system to say");
    lab.bootstrapped();
    watch.says("node            waiting for the kubelet");
    lab.request("csr-1", "bip", None);
    watch.says("certificate request csr-1 (kube-apiserver-client-kubelet, of node-bootstrapper) is pending");
    let mut request = lab.server.object(&format!("{REQUESTS}/csr-1")).unwrap();
    request["status"] = serde_json::json!({"conditions": [{"type": "Approved", "status": "True"}], "certificate": "LS0t"});
    lab.server.put(&format!("{REQUESTS}/csr-1"), &request);
    watch.says("csr-1 (kube-apiserver-client-kubelet, of node-bootstrapper) is approved");
    lab.node("False", "container runtime network not ready");
    watch.says(
        "ready           waiting for node bip to become ready: container runtime network not ready",
    );
    lab.node("True", "kubelet is posting ready status");
    watch.says("machine-config  waiting for the machine-config-operator");
    lab.pool(0);
    watch.says("pool master, 0 of 1 nodes updated; machine-config-daemon: Working");
    lab.pool(1);
    watch.says("operators       waiting for the cluster-version-operator");
    lab.operator(
        "authentication",
        false,
        "OAuthServerDeploymentAvailable: no pods",
    );
    lab.operator("console", true, "");
    watch.says("operators: 1 of 2 available; not yet: authentication: OAuthServerDeploymentAvailable: no pods");
    // The API server takes its new configuration.
    lab.server.close();
    watch.says("the API does not answer: the machine is up");
    lab.server.open();
    watch.says("the API answers again");
    lab.operator("authentication", true, "");
    watch.says("version         waiting for ClusterVersion: Working towards 4.13.1");
    lab.installed();
    let done = watch.end().expect(0);
    let report = done.json();
    assert_eq!(report["verdict"], "completed");
    assert_eq!(
        report["console"],
        "https://console-openshift-console.apps.bip.lab"
    );
    assert_eq!(
        (&report["node"], &report["version"]),
        (&"bip".into(), &"4.13.1".into())
    );
    let stages = report["stages"].as_array().unwrap();
    let names: Vec<_> = stages
        .iter()
        .map(|s| s["stage"].as_str().unwrap())
        .collect();
    let all = [
        "api",
        "bootstrap",
        "reboot",
        "node",
        "ready",
        "machine-config",
        "operators",
        "version",
    ];
    assert_eq!(names, all);
    assert!(
        stages
            .iter()
            .all(|s| s["watched"] == true && s["seconds"].is_u64() && s["ended"].is_string()),
        "{report}"
    );
    assert_eq!(report["operators"]["available"], 2);
    let last = done.stderr.lines().last().unwrap();
    assert!(
        last.ends_with("complete        the cluster is installed"),
        "{last}"
    );
    // Who comes later is told the same, with what the objects know of the times.
    let again = lab.run(&[]).expect(0);
    assert!(
        again.stdout.starts_with("installed: bip, 4.13.1, in "),
        "{}",
        again.stdout
    );
    assert!(
        again
            .stdout
            .contains("console: https://console-openshift-console.apps.bip.lab"),
        "{}",
        again.stdout
    );
    assert_eq!(again.stderr.lines().count(), 1, "{}", again.stderr);
}

#[test]
fn only_the_nodes_own_requests_are_approved_and_only_when_asked() {
    let lab = Lab::new();
    lab.bootstrap();
    lab.bootstrapped();
    lab.request("csr-own", "bip", None);
    lab.request("csr-names", "bip", Some(&["bip", "192.168.86.45"]));
    lab.request("csr-strange", "bip", Some(&["bip", "10.0.0.1"]));
    let dry_run = |more: &[&str], says: &str, approves: bool| {
        let args = [&["--dry-run", "--approve-csr"], more].concat();
        let shown = lab.run(&args).expect(0).stderr;
        let would = shown.matches("would approve certificate request ").count();
        let own = shown.contains("would approve certificate request csr-own");
        assert_eq!((would, own), (usize::from(approves), approves), "{shown}");
        assert!(shown.contains(says), "{says}: {shown}");
    };
    dry_run(&[], "", true);
    // Of two nodes neither, until somebody says which.
    lab.request("csr-other", "other", None);
    dry_run(&[], "requests for more nodes than one (bip, other)", false);
    dry_run(
        &["--node", "bip"],
        "it is for node other, not for bip",
        true,
    );
    let path = format!("{REQUESTS}/csr-other");
    let mut other = lab.server.object(&path).unwrap();
    other["status"] = serde_json::json!({"conditions": [{"type": "Denied", "status": "True"}]});
    lab.server.put(&path, &other);
    // Nobody asked: shown, with the line for a person.
    let shown = lab.run(&["--timeout", "1s"]).expect(8);
    for text in [
        "else: `oc adm certificate approve csr-own`",
        "warning: certificate-request: certificate request csr-own",
        "not installed in time: stage node, waiting for the node to register; certificate requests pending: 3",
    ] {
        assert!(shown.stderr.contains(text), "{text}: {}", shown.stderr);
    }
    assert!(!lab.server.seen().iter().any(|r| r.starts_with("PUT")));

    // Who may not is told once.
    let path = format!("{REQUESTS}/csr-own/approval");
    lab.server
        .fault(&path, Fault::Status(403, "may not approve"));
    let mut watch = lab.start(&["--approve-csr"]);
    // The third attempt begins when all is said of the second.
    watch.until("three attempts", |_| {
        let seen = lab.server.seen();
        seen.iter().filter(|r| r.starts_with("PUT")).count() >= 3
    });
    watch.interrupt();
    let run = watch.end().expect(130);
    let told = run.stderr.matches("warning: not approved: ").count();
    assert_eq!(told, 1, "{}", run.stderr);
    lab.server.heal();

    let mut watch = lab.start(&["--approve-csr", "--output", "json"]);
    watch.says("approved certificate request csr-own");
    assert_eq!(lab.decision("csr-own")["type"], "Approved");
    assert!(lab.decision("csr-names").is_null());
    lab.node("False", "container runtime network not ready");
    watch.says("approved certificate request csr-names");
    watch.says("over: certificate-request: certificate request csr-names");
    assert!(lab.decision("csr-strange").is_null());
    lab.installed();
    let done = watch.end().expect(0).json();
    let traps = done["traps"].as_array().unwrap();
    let strange = traps.iter().find(|t| t["until"].is_null()).unwrap();
    let says = strange["message"].as_str().unwrap();
    assert!(
        says.contains("it asks for the address 10.0.0.1, which node bip does not have"),
        "{done}"
    );
    assert_eq!(
        done["approved"],
        serde_json::json!(["csr-names", "csr-own"])
    );
    let puts: BTreeSet<_> = lab
        .server
        .seen()
        .into_iter()
        .filter(|r| !r.starts_with("GET"))
        .collect();
    let expected = ["csr-names", "csr-own"]
        .map(|name| format!("PUT {REQUESTS}/{name}/approval?&fieldManager=snoforge"));
    assert!(puts.iter().eq(expected.iter()), "{puts:?}");
}

#[test]
fn a_time_that_is_over_says_how_to_go_on() {
    let lab = Lab::new();
    lab.server.close();
    let never = lab.run(&["--timeout", "1s", "--output", "json"]).expect(5);
    assert_eq!(never.json()["verdict"], "deadline-passed");
    assert_eq!(never.json()["away"], true);
    assert_eq!(never.json()["stage"], "api");
    assert!(
        never
            .stderr
            .contains("not installed in time: stage api, waiting for the API at https://"),
        "{}",
        never.stderr
    );
    lab.bootstrap();
    lab.server.open();
    let late = lab.run(&["--timeout", "1s"]).expect(8);
    assert!(
        late.stderr
            .contains("hint: the installation goes on by itself; run the same command again"),
        "{}",
        late.stderr
    );
    assert!(late.stdout.contains("so far"), "{}", late.stdout);
}

#[test]
fn who_may_not_look_is_told_soon() {
    let lab = Lab::new();
    lab.bootstrap();
    // An API that starts says so to everyone, for a moment.
    lab.server
        .fault_times("/api/v1/nodes", Fault::Status(401, "Unauthorized"), 2);
    lab.start(&[]).says("bootstrap       waiting for");
    for (code, text) in [
        (401, "the credentials are not accepted"),
        (403, "403 Forbidden: nodes is forbidden"),
    ] {
        lab.server.heal();
        lab.server
            .fault("/api/v1/nodes", Fault::Status(code, "nodes is forbidden"));
        let run = lab.run(&["--output", "json"]).expect(5);
        assert_eq!(run.json()["verdict"], "failed");
        assert!(
            run.stderr.contains(text) && run.stderr.contains("auth/kubeconfig"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_signal_ends_the_watch_and_not_the_installation() {
    let lab = Lab::new();
    lab.bootstrap();
    let mut watch = lab.start(&[]);
    watch.says("bootstrap");
    watch.interrupt();
    let run = watch.end().expect(130);
    assert!(run.stderr.contains("interrupted in stage bootstrap; the installation goes on by itself\nhint: run the same command again"), "{}", run.stderr);
}

#[test]
fn the_progress_is_lines_of_json_when_asked() {
    let lab = Lab::new();
    lab.installed();
    let run = lab
        .run(&["--progress", "json", "--output", "json"])
        .expect(0);
    let lines: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines[0]["event"], "note");
    assert_eq!(lines.last().unwrap()["verdict"], "completed");
}
