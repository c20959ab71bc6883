//! Stages and traps from the objects of one moment.

use serde_json::json;

use super::*;
use crate::cluster::Reason;
use crate::objects::{Answer, Finding};

pub(super) const NOW: &str = "2026-11-21T12:00:00Z";
const CV: &str = "/apis/config.openshift.io/v1/clusterversions/version";
const CO: &str = "/apis/config.openshift.io/v1/clusteroperators";
const MAP: &str = "/api/v1/namespaces/kube-system/configmaps/bootstrap";
const POOL: &str = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools/master";
const PODS: &str = "/api/v1/pods?fieldSelector=status.phase=Pending";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn now() -> Timestamp {
    at(NOW)
}

/// A condition as it has been for so many minutes.
pub(super) fn since_mins(kind: &str, status: &str, message: &str, mins: i64) -> Value {
    let then = now() - jiff::SignedDuration::from_mins(mins);
    json!({"type": kind, "status": status, "message": message, "lastTransitionTime": then.to_string()})
}

/// What an installation put into its API so far; `up_to` is the last that is there.
pub(super) fn facts(up_to: Stage) -> Facts {
    let mut all: Vec<(&str, Answer)> = vec![
        (
            "/api/v1/namespaces/kube-system",
            Answer::Object(
                json!({"metadata": {"uid": "u1", "creationTimestamp": "2026-11-21T11:00:00Z"}}),
            ),
        ),
        (CV, Answer::Object(version(up_to == Stage::Complete))),
    ];
    if up_to >= Stage::Node {
        let map = json!({"metadata": {"creationTimestamp": "2026-11-21T11:10:00Z"}, "data": {"status": "complete"}});
        all.push((MAP, Answer::Object(map)));
    }
    if up_to >= Stage::Ready {
        let ready = if up_to > Stage::Ready {
            "True"
        } else {
            "False"
        };
        all.push((
            NODES,
            Answer::Items(vec![node(&[since_mins(
                "Ready",
                ready,
                "runtime network not ready",
                1,
            )])]),
        ));
    }
    if up_to >= Stage::Operators {
        let pool = json!({"status": {"machineCount": 1, "updatedMachineCount": 1, "conditions": [since_mins("Updated", "True", "", 20)]}});
        all.push((POOL, Answer::Object(pool)));
        let second = operator("console", up_to > Stage::Operators);
        all.push((CO, Answer::Items(vec![operator("dns", true), second])));
    }
    Facts::new(
        all.into_iter()
            .map(|(path, answer)| (path.to_owned(), answer)),
    )
}

fn version(done: bool) -> Value {
    let status = |yes: bool| if yes { "True" } else { "False" };
    json!({"metadata": {"name": "version"}, "status": {"desired": {"version": "4.13.1"},
        "history": [{"completionTime": if done { json!("2026-11-21T11:50:00Z") } else { Value::Null }}],
        "conditions": [since_mins("Available", status(done), "", 5), since_mins("Failing", "False", "", 5),
            since_mins("Progressing", status(!done), "Working towards 4.13.1: 700 of 840 done", 5)]}})
}

fn operator(name: &str, available: bool) -> Value {
    let status = |yes: bool| if yes { "True" } else { "False" };
    json!({"kind": "ClusterOperator", "metadata": {"name": name}, "status": {"conditions": [since_mins("Available", status(available), "no pods", 5),
        since_mins("Progressing", status(!available), "", 5), since_mins("Degraded", "False", "", 5)]}})
}

pub(super) fn node(conditions: &[Value]) -> Value {
    json!({"kind": "Node", "metadata": {"name": "bip", "creationTimestamp": "2026-11-21T11:20:00Z"}, "status": {"conditions": conditions,
        "addresses": [{"type": "InternalIP", "address": "192.168.86.45"}, {"type": "InternalIP", "address": "fd00::45"}, {"type": "Hostname", "address": "bip"}]}})
}

fn traps(facts: &Facts) -> Vec<Finding> {
    let judge = requests::Judge::new(facts.nodes(), facts.requests(), None);
    traps::of_cluster(facts, &judge, now())
}

pub(super) fn with(facts: &Facts, path: &str, answer: Answer) -> Facts {
    Facts::new([(path.to_owned(), answer)]).or(facts)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_stage_is_read_from_the_objects_alone() {
    let rests = stage::Rests::default();
    let standing = |facts: &Facts| stage::standing(facts, &rests, now());
    for (up_to, stage, waits) in [
        (
            Stage::Bootstrap,
            Stage::Bootstrap,
            "Working towards 4.13.1: 700 of 840 done",
        ),
        (
            Stage::Node,
            Stage::Node,
            "the kubelet, which registers the node",
        ),
        (
            Stage::Ready,
            Stage::Ready,
            "node bip to become ready: runtime network not ready",
        ),
        (
            Stage::MachineConfig,
            Stage::MachineConfig,
            "which makes the pool master",
        ),
        (
            Stage::Operators,
            Stage::Operators,
            "operators: 1 of 2 available; not yet: console: no pods",
        ),
        (
            Stage::Version,
            Stage::Version,
            "ClusterVersion: Working towards",
        ),
        (Stage::Complete, Stage::Complete, ""),
    ] {
        let (found, says) = standing(&facts(up_to));
        assert_eq!(found, stage, "{up_to}: {says}");
        assert!(says.contains(waits), "{up_to}: {says}");
    }
    // An operator that has just stopped working may start again.
    let mut busy = operator("dns", true);
    busy["status"]["conditions"][1] = since_mins("Progressing", "False", "", 0);
    let unsettled = with(&facts(Stage::Complete), CO, Answer::Items(vec![busy]));
    let (stage, says) = standing(&unsettled);
    assert_eq!(
        (stage, says.as_str()),
        (Stage::Version, "operators that settle: dns")
    );
    // A bootstrap that is not complete, and objects that nobody would write.
    let odd = with(
        &facts(Stage::Node),
        MAP,
        Answer::Object(json!({"data": {"status": "progress"}})),
    );
    assert_eq!(standing(&odd).0, Stage::Bootstrap);
    for answer in [
        json!(7),
        json!(null),
        json!({"status": []}),
        json!({"status": {"conditions": [1, {"type": 2}]}}),
    ] {
        let mut strange = facts(Stage::Complete);
        for path in Facts::paths().iter().map(String::as_str).chain([NODES]) {
            strange = with(&strange, path, Answer::Items(vec![answer.clone()]));
            strange = with(&strange, path, Answer::Object(answer.clone()));
            standing(&strange);
            traps(&strange);
        }
    }
    for stage in Stage::ALL {
        assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
    }
}

fn rules(facts: &Facts) -> Vec<&'static str> {
    traps(facts).iter().map(|f| f.rule).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn traps_are_named_once_they_are_traps() {
    const CNI: &str = "NetworkPluginNotReady message:Network plugin returns error: No CNI configuration file in /etc/kubernetes/cni/net.d/. Has your network provider started?";
    let of_node = |conditions: &[Value]| {
        with(
            &facts(Stage::Ready),
            NODES,
            Answer::Items(vec![node(conditions)]),
        )
    };
    let none: Vec<&str> = Vec::new();
    for (conditions, expected) in [
        (vec![since_mins("Ready", "False", CNI, 3)], none.clone()),
        (vec![since_mins("Ready", "False", CNI, 11)], vec!["cni"]),
        (
            vec![since_mins("Ready", "False", "PLEG is not healthy", 60)],
            none.clone(),
        ),
        (
            vec![since_mins(
                "Ready",
                "Unknown",
                "Kubelet stopped posting node status.",
                6,
            )],
            vec!["silent-kubelet"],
        ),
        (
            vec![
                since_mins("Ready", "True", "", 60),
                since_mins("DiskPressure", "True", "", 0),
            ],
            vec!["pressure"],
        ),
        (
            vec![
                since_mins("Ready", "True", "", 60),
                since_mins("DiskPressure", "False", "", 0),
            ],
            none.clone(),
        ),
    ] {
        assert_eq!(rules(&of_node(&conditions)), expected, "{conditions:?}");
    }
    let mut lost = node(&[since_mins("Ready", "True", "", 60)]);
    lost["metadata"]["annotations"] = json!({"machineconfiguration.openshift.io/state": "Degraded", "machineconfiguration.openshift.io/reason": "unexpected on-disk state"});
    assert_eq!(
        rules(&with(
            &facts(Stage::Operators),
            NODES,
            Answer::Items(vec![lost])
        )),
        ["machine-config"]
    );
    let pod = |reason: &str| json!({"metadata": {"name": "p", "namespace": "n"}, "status": {"initContainerStatuses": [{"image": "quay.io/a@sha256:1", "state": {"waiting": {"reason": reason}}}]}});
    for (reason, expected) in [
        ("ImagePullBackOff", vec!["image-pull"]),
        ("ErrImagePull", none.clone()),
        ("PodInitializing", none.clone()),
    ] {
        let found = with(
            &facts(Stage::Operators),
            PODS,
            Answer::Items(vec![pod(reason), pod(reason)]),
        );
        assert_eq!(rules(&found), expected, "{reason}");
    }
    for (mins, expected) in [(3, none), (15, vec!["operator"])] {
        let mut degraded = operator("network", true);
        degraded["status"]["conditions"][2] =
            since_mins("Degraded", "True", "rollout is not making progress", mins);
        let found = with(&facts(Stage::Operators), CO, Answer::Items(vec![degraded]));
        assert_eq!(rules(&found), expected, "{mins}");
    }
}

#[test]
fn certificates_that_an_object_complains_of_tell_their_date() {
    let says = |words: &str| {
        let message = format!(
            "Get \"https://localhost:6443\": x509: certificate has expired or is not yet valid: current time {words}, retrying"
        );
        let mut complains = operator("network", true);
        complains["status"]["conditions"][2] = since_mins("Degraded", "True", &message, 1);
        let found = with(&facts(Stage::Operators), CO, Answer::Items(vec![complains]));
        let found: Vec<Finding> = traps(&found);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    // Seed 003, "Your boot certificate has expired".
    let expired = says("2023-06-08T09:09:25Z is after 2023-06-08T07:49:18Z");
    assert_eq!(
        (expired.rule, expired.object.as_str()),
        ("expired-certificate", "ClusterOperator network")
    );
    assert!(
        expired.message.contains("(2023-06-08T07:49:18Z)") && expired.cure.contains("--extend"),
        "{expired:?}"
    );
    let early = says("2023-06-08T09:09:25Z is before 2023-06-08T10:00:00Z");
    assert_eq!(early.rule, "clock");
    assert!(early.message.contains("2023-06-08T09:09:25Z"), "{early:?}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn why_an_api_is_away_is_said_plainly() {
    let past = at("2026-11-20T11:00:00Z");
    for (reason, rule, says) in [
        (
            Reason::Connect("Connection refused".to_owned()),
            None,
            "no API listens yet",
        ),
        (
            Reason::Connect("No route to host".to_owned()),
            None,
            "the machine does not answer",
        ),
        (
            Reason::Connect("no connection within the time limit".to_owned()),
            None,
            "the machine does not answer",
        ),
        (
            Reason::Connect(
                "failed to lookup address information: Name or service not known".to_owned(),
            ),
            Some("dns"),
            "does not resolve",
        ),
        (
            Reason::Busy("503 Service Unavailable".to_owned()),
            None,
            "the API starts",
        ),
        (Reason::Slow(30), None, "the API went away"),
        (
            Reason::Tls("invalid peer certificate: UnknownIssuer".to_owned()),
            Some("another-server"),
            "UnknownIssuer",
        ),
        (
            Reason::CertificateExpired(past),
            Some("expired-certificate"),
            "expired on 2026-11-20T11:00:00Z",
        ),
        (
            Reason::CertificateNotYetValid(now()),
            Some("clock"),
            "not valid before",
        ),
    ] {
        let trap = absence::trap(Stage::Api, "https://api.bip:6443", &reason, now());
        assert_eq!(trap.map(|t| t.rule), rule, "{reason}");
        assert!(
            absence::plainly(&reason).contains(says),
            "{reason}: {}",
            absence::plainly(&reason)
        );
    }
    // A medium that was seen to bootstrap is the one to replace; else the installed system may be the one that answers.
    for (stage, starts) in [
        (Stage::Api, "a machine that runs its own disk"),
        (Stage::Bootstrap, "make the config anew"),
        (Stage::Node, "a machine that runs its own disk"),
    ] {
        let expired = absence::trap(stage, "s", &Reason::CertificateExpired(past), now()).unwrap();
        assert!(
            expired
                .message
                .contains("2026-11-20 11:00:00 UTC (1d1h ago)")
                && expired.cure.starts_with(starts),
            "{expired:?}"
        );
    }
}

/// The node's lease, renewed at this moment.
pub(super) fn renewed(facts: &Facts, time: &str) -> Facts {
    let lease = json!({"metadata": {"name": "bip"}, "spec": {"renewTime": time}});
    with(facts, LEASES, Answer::Items(vec![lease]))
}

#[test]
fn the_console_is_where_its_route_is_admitted() {
    let route = |status: &str| json!({"status": {"ingress": [{"host": "console.apps.bip", "conditions": [{"type": "Admitted", "status": status}]}]}});
    assert_eq!(
        console_url(&route("True")).as_deref(),
        Some("https://console.apps.bip")
    );
    assert_eq!(console_url(&route("False")), None);
    assert_eq!(console_url(&json!({})), None);
}

#[test]
fn ages_and_lists_are_short() {
    for (seconds, text) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (7500, "2h5m"),
        (100_000, "1d3h"),
    ] {
        assert_eq!(age(Duration::from_secs(seconds)), text);
    }
    assert_eq!(some(&["a", "b"]), "a, b");
    assert_eq!(
        some(&["a", "b", "c", "d", "e", "f"]),
        "a, b, c, d and 2 more"
    );
    assert_eq!(short("one\ntwo"), "one");
    assert_eq!(short(&"ä".repeat(300)).chars().count(), 201);
}
