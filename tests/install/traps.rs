//! The traps of an installation, seen through the API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::lab::{LONG_AGO, Lab, condition};

#[test]
fn an_expired_certificate_is_told_with_its_date_and_may_pass() {
    let lab = Lab::new();
    lab.bootstrap();
    lab.server.certificate_of_years((2022, 2023));
    // Nothing tells whether it is the medium or the installed system, after a day without power, that answers.
    let run = lab.run(&["--timeout", "1s", "--output", "json"]).expect(5);
    for text in [
        "warning: expired-certificate: https://",
        "the API's certificate expired on 2023-01-01 00:00:00 UTC",
        "cure: a machine that runs its own disk",
        "One that runs the boot medium: make the config anew",
        "snoforge ignition certs IN.ign --extend 365d",
    ] {
        assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
    }
    assert_eq!(run.json()["verdict"], "deadline-passed");
    assert_eq!(run.json()["traps"][0]["rule"], "expired-certificate");
    // After the reboot the operators make new certificates.
    lab.server.renew_certificate();
    let mut watch = lab.start(&[]);
    watch.says("bootstrap");
    lab.bootstrapped();
    watch.says("node  ");
    lab.server.certificate_of_years((2022, 2023));
    watch.says("warning: expired-certificate");
    lab.server.renew_certificate();
    watch.says("over: expired-certificate");
    lab.installed();
    watch.end().expect(0);
}

#[test]
fn a_clock_that_is_wrong_is_told_from_an_old_medium() {
    let lab = Lab::new();
    lab.bootstrap();
    lab.server.certificate_of_years((4000, 4001));
    let run = lab.run(&["--timeout", "1s"]).expect(5);
    for text in [
        "warning: clock: https://",
        "valid from 4000-01-01 00:00:00 UTC on",
        "set both clocks",
    ] {
        assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
    }
    lab.server.change_certificate();
    let run = lab.run(&["--timeout", "1s"]).expect(5);
    assert!(
        run.stderr.contains("warning: another-server: https://"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_kubeconfig_that_has_expired_is_refused_before_anything_is_asked() {
    let lab = Lab::new();
    lab.server.user_of_years((2022, 2023));
    lab.kubeconfig();
    let run = lab.run(&[]).expect(2);
    for text in [
        "the kubeconfig's client certificate `",
        "system:admin` expired on 2023-01-01T00:00:00Z",
        "hint: take auth/kubeconfig",
    ] {
        assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
    }
    assert!(lab.server.seen().is_empty());
    let mut params = rcgen::CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(2023, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    lab.server.user_of_years((2022, 4096));
    let mut kubeconfig = lab.server.kubeconfig();
    kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] =
        json!(BASE64.encode(authority));
    let path = lab.home.path().join("kubeconfig");
    fs_err::write(path, kubeconfig.to_string()).unwrap();
    let run = lab.run(&[]).expect(2);
    assert!(
        run.stderr
            .contains("the kubeconfig's certificate authority `"),
        "{}",
        run.stderr
    );
    lab.server.user_of_years((4000, 4001));
    lab.kubeconfig();
    let run = lab.run(&["--timeout", "1s"]);
    assert!(
        run.stderr.contains(
            "is not valid before 4000-01-01T00:00:00Z: is the clock of this machine right?"
        ),
        "{}",
        run.stderr
    );
}

#[test]
fn what_the_objects_show_is_named_with_its_cure() {
    let lab = Lab::new();
    lab.bootstrap();
    lab.bootstrapped();
    let cni = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: No CNI configuration file in /etc/kubernetes/cni/net.d/. Has your network provider started?";
    lab.node_with(&json!([
        condition("Ready", "False", cni),
        condition("DiskPressure", "True", "kubelet has disk pressure")
    ]));
    let image = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:1111111111111111111111111111111111111111111111111111111111111111";
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": format!("Back-off pulling image \"{image}\"")}});
    let pod = json!({"metadata": {"creationTimestamp": LONG_AGO}, "status": {"phase": "Pending", "containerStatuses": [{"name": "multus", "image": image, "state": waiting}]}});
    lab.put(
        "/api/v1/namespaces/openshift-multus/pods/multus-1",
        "v1",
        "Pod",
        pod.clone(),
    );
    let mut running = pod;
    running["status"]["phase"] = json!("Running");
    running["status"]["containerStatuses"][0]["image"] = json!("quay.io/elsewhere@sha256:2");
    lab.put(
        "/api/v1/namespaces/default/pods/other",
        "v1",
        "Pod",
        running,
    );
    lab.operator_with(
        "network",
        &json!([
            condition("Available", "False", ""),
            condition("Progressing", "True", ""),
            condition(
                "Degraded",
                "True",
                "DaemonSet \"/openshift-multus/multus\" rollout is not making progress"
            )
        ]),
    );
    let mut watch = lab.start(&["--output", "json"]);
    for text in [
        "warning: cni: node bip: no network for",
        "cure: reboot the node once",
        "warning: pressure: node bip: DiskPressure",
        "openshift-multus/multus-1 cannot pull it",
        "the data partition is not served",
        "warning: operator: operator network: degraded for",
    ] {
        watch.says(text);
    }
    lab.node("True", "kubelet is posting ready status");
    for text in ["over: cni: node bip", "over: pressure: node bip"] {
        watch.says(text);
    }
    lab.installed();
    lab.operator("network", true, "");
    let run = watch.end().expect(0);
    assert!(!run.stderr.contains("elsewhere"), "{}", run.stderr);
    let report = run.json();
    let traps = report["traps"].as_array().unwrap();
    let of = |rule: &str| traps.iter().find(|t| t["rule"] == rule).unwrap();
    assert!(
        of("cni")["until"].is_string() && of("image-pull")["until"].is_null(),
        "{report}"
    );
    assert_eq!(of("image-pull")["object"], image);
}
