//! One broken fact, one finding.

use serde_json::{Value, json};
use snoforge::seed::facts::{Answer, paths};
use snoforge::seed::preflight::{self, Outcome, Purpose};
use snoforge::seed::{Facts, Severity};

use crate::facts::{CONFIG, PASSWORD, Raw, STATS, base64, collect, first, healthy, push};
use crate::run;

fn check(raw: &Raw) -> preflight::Report {
    preflight::run(&collect(raw), Purpose::Upgrade)
}

type Break = fn(&mut Raw);

/// A rule, what breaks it, a part of what is said, and of the object that decides it.
const ROWS: &[(&str, Break, &str, &str)] = &[
    (
        "ostree-set-default",
        |r| {
            first(r, paths::VERSION)["status"]["desired"]["version"] = json!("4.13.40");
            csv(r, "lifecycle")["spec"]["version"] = json!("4.13.2");
        },
        "ostree admin set-default",
        "ClusterVersion/version",
    ),
    (
        "ostree-set-default",
        |r| first(r, paths::VERSION)["status"]["desired"]["version"] = json!("latest"),
        "is no version",
        "ClusterVersion",
    ),
    (
        "container-storage",
        |r| units(r).retain(|u| u["name"] != "var-lib-containers.mount"),
        "Cluster must be configured with shared container storage",
        "MachineConfig/rendered-master-1",
    ),
    (
        "container-storage",
        |r| mount(r)["enabled"] = json!(false),
        "not enabled",
        "MachineConfig",
    ),
    (
        "container-storage",
        |r| edit_mount(r, "What=", "Which="),
        "has no What=",
        "MachineConfig",
    ),
    (
        "container-storage",
        |r| edit_mount(r, "Where=/var/lib/containers", "Where=/var/lib"),
        "does not mount",
        "MachineConfig",
    ),
    (
        "container-storage",
        |r| {
            edit_mount(
                r,
                r"by\x2dpartlabel-varlibcontainers",
                "by-partlabel-varlibcontainers",
            );
        },
        "waits for /dev/disk/by/partlabel/varlibcontainers",
        "MachineConfig",
    ),
    (
        "container-storage",
        |r| {
            first(r, CONFIG)["spec"]["config"]["storage"]["filesystems"][0]["device"] =
                json!("/dev/vda5");
        },
        "is made on /dev/vda5",
        "MachineConfig",
    ),
    (
        "container-filesystem",
        |r| {
            first(r, STATS)["node"]["runtime"]["imageFs"]["capacityBytes"] =
                json!(62_000_000_000_u64);
        },
        "one filesystem",
        "Node/seed",
    ),
    (
        "container-filesystem",
        |r| *first(r, STATS) = json!({"node": {}}),
        "no filesystem sizes",
        "Node/seed",
    ),
    (
        "detached",
        |r| {
            push(
                r,
                paths::CRDS,
                json!({"metadata": {"name": "klusterlets.operator.open-cluster-management.io"}}),
            );
        },
        "must be detached from hub",
        "CustomResourceDefinition/klusterlets",
    ),
    (
        "acm-addons",
        |r| {
            push(
                r,
                paths::NAMESPACES,
                json!({"metadata": {"name": "open-cluster-management-addon-observability"}}),
            );
        },
        "ACM addon(s): open-cluster-management-addon-observability",
        "Namespace/open-",
    ),
    (
        "dnsmasq",
        |r| files(r).clear(),
        "missing dnsmasq config",
        "MachineConfig/rendered-master-1 file",
    ),
    (
        "dnsmasq",
        |r| script(r, "SNO_DNSMASQ_IP_OVERRIDE:-", "IP:-"),
        "does not read SNO_DNSMASQ_IP_OVERRIDE",
        "dnsmasq_config.sh",
    ),
    (
        "dnsmasq",
        |r| script(r, "\"mysno\"", "\"other\""),
        "is `other`, the cluster has mysno",
        "dnsmasq_config.sh",
    ),
    (
        "dnsmasq",
        |r| script(r, "10.20.30.5", "10.20.30.6"),
        "is `10.20.30.6`, the cluster has 10.20.30.5",
        "dnsmasq_config.sh",
    ),
    (
        "dnsmasq",
        |r| script(r, "sno.cluster-domain.com", "example.com"),
        "the cluster has sno.cluster-domain.com",
        "dnsmasq_config.sh",
    ),
    (
        "dnsmasq",
        |r| files(r)[0]["contents"]["source"] = json!("https://x/y"),
        "cannot be decoded",
        "dnsmasq_config.sh",
    ),
    (
        "dnsmasq",
        |r| first(r, paths::INSTALL_CONFIG)["data"] = json!({"install-config": ": ["}),
        "the cluster has none",
        "dnsmasq_config.sh",
    ),
    (
        "dnsmasq",
        |r| first(r, paths::NODES)["status"]["addresses"] = json!([]),
        "the cluster has none",
        "dnsmasq_config.sh",
    ),
    (
        "pull-secret",
        |r| {
            first(r, paths::PULL_SECRET)["data"][".dockerconfigjson"] = json!(base64(b"{\"auths\":{\"registry.connect.redhat.com\":{\"username\":\"empty\",\"password\":\"empty\",\"auth\":\"ZW1wdHk6ZW1wdHk=\",\"email\":\"\"}}}\n"));
        },
        "previously sanitized",
        "Secret/openshift-config/pull-secret",
    ),
    (
        "persistent-volumes",
        |r| push(r, paths::VOLUMES, json!({"metadata": {"name": "pv-1"}})),
        "must not have any Persistent Volumes",
        "PersistentVolume/pv-1",
    ),
    (
        "local-volumes",
        |r| {
            push(
                r,
                paths::LOCAL_VOLUMES,
                json!({"metadata": {"name": "lv", "namespace": "n"}}),
            );
        },
        "must not have any LocalVolumes",
        "LocalVolume/n/lv",
    ),
    (
        "lvm-clusters",
        |r| push(r, paths::LVM, json!({"metadata": {"name": "lvm"}})),
        "must not have any LVMClusters",
        "LVMCluster/lvm",
    ),
    (
        "oadp-applications",
        |r| {
            push(
                r,
                paths::DPAS,
                json!({"metadata": {"name": "dpa", "namespace": "openshift-adp"}}),
            );
        },
        "DataProtectionApplication resources",
        "DataProtectionApplication/openshift-adp/dpa",
    ),
    (
        "oadp-version",
        |r| csv(r, "oadp")["spec"]["version"] = json!("1.3.0"),
        "OADP version >= 1.3.1",
        "oadp-operator",
    ),
    (
        "oadp-installed",
        |r| csvs(r).retain(|c| !name(c).contains("oadp")),
        "no OADP operator",
        "Namespace/openshift-adp",
    ),
    (
        "single-node",
        |r| {
            first(r, paths::INFRASTRUCTURE)["status"]["infrastructureTopology"] =
                json!("HighlyAvailable");
        },
        "HighlyAvailable",
        "Infrastructure/cluster",
    ),
    (
        "single-node",
        |r| {
            let mut other = first(r, paths::NODES).clone();
            other["metadata"]["name"] = json!("second");
            push(r, paths::NODES, other);
        },
        "has 2 nodes",
        "Node/seed, second",
    ),
    (
        "machine-config",
        |r| first(r, paths::NODES)["metadata"]["annotations"] = json!({}),
        "no annotation",
        "Node/seed",
    ),
    (
        "pools",
        |r| {
            push(
                r,
                paths::POOLS,
                json!({"metadata": {"name": "ran"}, "status": {"machineCount": 0, "readyMachineCount": 0}}),
            );
        },
        "pool",
        "MachineConfigPool/ran",
    ),
    (
        "hub",
        |r| push(r, paths::HUBS, json!({"metadata": {"name": "hub"}})),
        "RHACM",
        "MultiClusterHub/hub",
    ),
    (
        "hub",
        |r| push(r, paths::ENGINES, json!({"metadata": {"name": "mce"}})),
        "multicluster engine",
        "MultiClusterEngine/mce",
    ),
    (
        "lifecycle-agent",
        |r| {
            r.insert(paths::DEPLOYMENTS.to_owned(), Answer::Items(vec![]));
        },
        "not installed",
        "Deployment/lifecycle-agent",
    ),
    (
        "lifecycle-agent",
        |r| first(r, paths::DEPLOYMENTS)["status"] = json!({}),
        "no available replica",
        "Deployment/openshift-lifecycle-agent",
    ),
    (
        "lifecycle-agent",
        |r| {
            if let Some(Answer::Items(items)) = r.get_mut(paths::CRDS) {
                items.remove(0);
            }
        },
        "no such CRD",
        "CustomResourceDefinition/seedgenerators",
    ),
    (
        "lifecycle-agent-version",
        |r| csv(r, "lifecycle")["spec"]["version"] = json!("4.16.0"),
        "`4.16.0`, the cluster 4.18.27",
        "lifecycle-agent.v4.18.2",
    ),
    (
        "seed-generator",
        |r| {
            push(
                r,
                paths::GENERATORS,
                json!({"metadata": {"name": "seedimage"}, "status": {"conditions": [{"type": "SeedGenInProgress", "status": "True", "reason": "InProgress"}]}}),
            );
        },
        "under way",
        "SeedGenerator/seedimage",
    ),
    (
        "seed-generator",
        |r| {
            push(
                r,
                paths::GENERATORS,
                json!({"metadata": {"name": "seedimage"}, "status": {"conditions": [{"type": "SeedGenInProgress", "status": "False", "reason": "Failed"}]}}),
            );
        },
        "earlier run",
        "SeedGenerator/seedimage",
    ),
    (
        "upgrade-idle",
        |r| first(r, paths::UPGRADES)["status"]["conditions"][0]["status"] = json!("False"),
        "not Idle",
        "ImageBasedUpgrade/upgrade",
    ),
    (
        "upgrade-idle",
        |r| {
            push(
                r,
                paths::IP_CONFIGS,
                json!({"metadata": {"name": "ipconfig"}}),
            );
        },
        "not Idle",
        "IPConfig/ipconfig",
    ),
    (
        "trust-bundle",
        |r| first(r, paths::PROXY)["spec"]["trustedCA"]["name"] = json!("corp-ca"),
        "not there",
        "ConfigMap/openshift-config/corp-ca",
    ),
    (
        "trust-bundle",
        |r| {
            r.insert(
                paths::USER_CA.to_owned(),
                Answer::Object(
                    json!({"metadata": {"name": "user-ca-bundle"}, "data": {"ca-bundle.crt": ""}}),
                ),
            );
        },
        "no ca-bundle.crt",
        "ConfigMap/openshift-config/user-ca-bundle",
    ),
    (
        "room",
        |r| first(r, STATS)["node"]["fs"]["availableBytes"] = json!(19_u64 << 30),
        "root has 19.0 GiB free",
        "Node/seed",
    ),
    (
        "room",
        |r| first(r, STATS)["node"]["runtime"]["imageFs"]["availableBytes"] = json!(1),
        "container storage has 0.0 GiB free",
        "Node/seed",
    ),
    (
        "cluster-operators",
        |r| first(r, paths::OPERATORS)["status"]["conditions"][0]["status"] = json!("False"),
        "ClusterOperators not yet ready: etcd",
        "ClusterOperator/etcd",
    ),
    (
        "cluster-operators",
        |r| first(r, paths::OPERATORS)["status"]["conditions"][1]["status"] = json!("True"),
        "not yet ready: etcd",
        "ClusterOperator/etcd",
    ),
    (
        "cluster-operators",
        |r| {
            first(r, paths::OPERATORS)["status"]["conditions"][1] =
                json!({"type": "Degraded", "status": "True"});
        },
        "not yet ready: etcd",
        "ClusterOperator/etcd",
    ),
    (
        "pools-ready",
        |r| first(r, paths::POOLS)["status"]["readyMachineCount"] = json!(0),
        "MachineConfigPools not yet ready: master",
        "MachineConfigPool/master",
    ),
    (
        "sriov",
        |r| first(r, paths::SRIOV)["status"]["syncStatus"] = json!("InProgress"),
        "not ready: seed",
        "SriovNetworkNodeState/n/seed",
    ),
    (
        "sriov",
        |r| {
            r.insert(paths::SRIOV.to_owned(), Answer::Items(vec![]));
        },
        "no SriovNetworkNodeStates present",
        "CustomResourceDefinition/sriov",
    ),
    (
        "node",
        |r| first(r, paths::NODES)["status"]["conditions"][1]["status"] = json!("Unknown"),
        "not yet ready: seed",
        "Node/seed",
    ),
    (
        "node",
        |r| {
            first(r, paths::NODES)["status"]["conditions"][0] =
                json!({"type": "NetworkUnavailable", "status": "True"});
        },
        "network unavailable",
        "Node/seed",
    ),
    (
        "node",
        |r| {
            first(r, paths::NODES)["metadata"]["labels"]
                .as_object_mut()
                .unwrap()
                .remove("node-role.kubernetes.io/worker");
        },
        "missing node-role.kubernetes.io/worker label",
        "Node/seed",
    ),
    (
        "operators-installed",
        |r| csv(r, "oadp")["status"]["phase"] = json!("Installing"),
        "not yet ready: oadp-operator",
        "ClusterServiceVersion/openshift-adp",
    ),
    (
        "signing-requests",
        |r| first(r, paths::CSRS)["status"] = json!({}),
        "not yet approved: csr-1",
        "CertificateSigningRequest/csr-1",
    ),
];

fn name(value: &Value) -> &str {
    value["metadata"]["name"].as_str().unwrap()
}

fn units(raw: &mut Raw) -> &mut Vec<Value> {
    first(raw, CONFIG)["spec"]["config"]["systemd"]["units"]
        .as_array_mut()
        .unwrap()
}

fn mount(raw: &mut Raw) -> &mut Value {
    units(raw)
        .iter_mut()
        .find(|u| u["name"] == "var-lib-containers.mount")
        .unwrap()
}

fn edit_mount(raw: &mut Raw, from: &str, to: &str) {
    let contents = &mut mount(raw)["contents"];
    let text = contents.as_str().unwrap();
    assert!(text.contains(from), "{text}");
    *contents = json!(text.replacen(from, to, 1));
}

fn files(raw: &mut Raw) -> &mut Vec<Value> {
    first(raw, CONFIG)["spec"]["config"]["storage"]["files"]
        .as_array_mut()
        .unwrap()
}

fn script(raw: &mut Raw, from: &str, to: &str) {
    let source = &mut files(raw)[0]["contents"]["source"];
    let bytes =
        snoforge::ignition::data_url::decode(source.as_str().unwrap(), None, 1 << 20).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(from));
    *source = json!(format!(
        "data:;base64,{}",
        base64(text.replace(from, to).as_bytes())
    ));
}

fn csvs(raw: &mut Raw) -> &mut Vec<Value> {
    match raw.get_mut(paths::CSVS) {
        Some(Answer::Items(items)) => items,
        other => panic!("{other:?}"),
    }
}

fn csv<'a>(raw: &'a mut Raw, part: &str) -> &'a mut Value {
    csvs(raw)
        .iter_mut()
        .find(|c| name(c).contains(part))
        .unwrap()
}

#[test]
fn a_healthy_cluster_passes_every_rule() {
    let report = check(&healthy());
    assert_eq!(report.findings, []);
    assert!(report.ok && report.rules.iter().all(|r| r.outcome == Outcome::Pass));
    assert_eq!(
        report.deletions,
        [
            "Namespace assisted-installer",
            "succeeded Pod installer-1",
            "MachineConfig rendered-master-0",
            "ImageBasedUpgrade upgrade"
        ]
    );
}

#[test]
fn one_broken_fact_is_one_finding() {
    let mut broken = std::collections::BTreeSet::new();
    for (rule, spoil, said, object) in ROWS {
        let mut raw = healthy();
        spoil(&mut raw);
        let report = check(&raw);
        assert_eq!(
            report.findings.len(),
            1,
            "{rule}, {said}: {:#?}",
            report.findings
        );
        let finding = &report.findings[0];
        assert_eq!(finding.rule, *rule);
        assert!(
            finding.message.contains(said),
            "{rule}: {}",
            finding.message
        );
        assert!(
            finding.object.contains(object),
            "{rule}: {}",
            finding.object
        );
        assert!(!finding.cure.is_empty());
        assert_eq!(report.ok, finding.severity < Severity::Error);
        broken.insert(*rule);
    }
    // No rule without a row.
    for row in check(&healthy())
        .rules
        .iter()
        .filter(|r| r.rule != "api-access")
    {
        assert!(broken.contains(row.rule), "{} is never broken", row.rule);
    }
}

#[test]
fn a_failed_answer_is_a_finding_and_never_a_pass() {
    let all: Vec<String> = collect(&healthy()).answers.into_keys().collect();
    for path in all {
        let mut raw = healthy();
        raw.insert(
            path.clone(),
            Answer::Error("403 Forbidden: cannot list".to_owned()),
        );
        let report = check(&raw);
        let found: Vec<_> = report
            .findings
            .iter()
            .map(|f| (f.rule, f.object.as_str()))
            .collect();
        assert_eq!(found, [("api-access", path.as_str())]);
        assert!(!report.ok && report.findings[0].message.contains("403 Forbidden"));
        let mirrors = [paths::IDMS, paths::ICSP, paths::PODS, paths::CONFIGS];
        if !mirrors.contains(&path.as_str()) {
            assert!(
                report.rules.iter().any(|r| r.outcome == Outcome::Unknown),
                "{path} decides nothing"
            );
        }
        // Nor is an answer of the other kind.
        let mut raw = healthy();
        let other = match &raw[&path] {
            Answer::Object(_) => Answer::Items(Vec::new()),
            _ if path == paths::USER_CA => Answer::Items(Vec::new()),
            _ => Answer::Object(json!({})),
        };
        raw.insert(path.clone(), other);
        let report = check(&raw);
        assert_eq!(report.findings.len(), 1, "{path}: {:#?}", report.findings);
        assert_eq!(report.findings[0].rule, "api-access");
        // Absent is a pass for what may be absent only.
        let absent = check(&{
            let mut raw = healthy();
            raw.insert(path.clone(), Answer::Absent);
            raw
        });
        let optional = paths::OPTIONAL.contains(&path.as_str());
        // SR-IOV's CRD is there, so that its states must be.
        assert_eq!(
            absent.ok,
            optional && path != paths::SRIOV,
            "{path}: {:#?}",
            absent.findings
        );
        assert!(absent.findings.len() <= 1, "{path}: {:#?}", absent.findings);
    }
}

#[test]
fn absent_operators_are_no_findings_and_old_releases_a_warning() {
    let mut raw = healthy();
    csvs(&mut raw).retain(|c| !name(c).contains("oadp"));
    let install = preflight::run(&collect(&raw), Purpose::Install);
    // No OADP is needed; but an installation has to be told the label.
    assert!(install.ok && install.findings.len() == 1);
    assert!(
        install.findings[0]
            .cure
            .contains("extraPartitionLabel: varlibcontainers")
    );
    let mut raw = healthy();
    first(&mut raw, paths::VERSION)["status"]["desired"]["version"] = json!("4.14.30");
    csv(&mut raw, "lifecycle")["spec"]["version"] = json!("4.14.5");
    let report = check(&raw);
    assert!(
        report.ok && report.findings.len() == 1 && report.findings[0].severity == Severity::Warning
    );
    // All at once, not one for each run.
    let mut raw = healthy();
    for (_, spoil, ..) in ROWS.iter().filter(|(rule, ..)| {
        matches!(
            *rule,
            "pull-secret" | "persistent-volumes" | "acm-addons" | "signing-requests"
        )
    }) {
        spoil(&mut raw);
    }
    assert_eq!(check(&raw).findings.len(), 4);
}

#[test]
fn facts_hold_no_secret_and_survive_the_file() {
    let facts = collect(&healthy());
    let text = serde_json::to_string(&facts).unwrap();
    assert!(
        !text.contains(PASSWORD) && !text.contains("managedFields"),
        "{text}"
    );
    assert_eq!(Facts::parse("f", text.as_bytes()).unwrap(), facts);
    for (bytes, why) in [
        ("", "no JSON"),
        ("{}", "no `format`"),
        ("{\"format\":2,\"answers\":{}}", "format 2"),
        ("{\"format\":1,\"answers\":{},\"x\":1}", "unknown field `x`"),
        ("{\"format\":1,\"answers\":{\"/a\":[]}}", "facts f: "),
    ] {
        let error = Facts::parse("f", bytes.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{bytes}: {error}");
    }
}

/// The partitions that are in circulation: seed 000's is right, lifecycle-agent's own document and the field guide are not.
#[test]
fn partitions_of_the_field_are_told_apart() {
    for (golden, said) in [
        ("seed000-varlibcontainers-byid.yaml", None),
        (
            "lca-HEAD-var-lib-containers-BAD-ESCAPE.yaml",
            Some("waits for /dev/disk/by-partlabel/var/lib/containers"),
        ),
        (
            "seed001-fieldguide-vda-NO-MOUNT-UNIT.yaml",
            Some("there is no var-lib-containers.mount"),
        ),
    ] {
        let config = crate::schema::yaml(&crate::golden(golden)).remove(0);
        let config = &config["spec"]["config"];
        let mut raw = healthy();
        first(&mut raw, CONFIG)["spec"]["config"]["storage"]["filesystems"] =
            config["storage"]["filesystems"].clone();
        units(&mut raw).retain(|u| u["name"] != "var-lib-containers.mount");
        if let Some(own) = config["systemd"]["units"].as_array() {
            units(&mut raw).extend(own.clone());
        }
        let found = check(&raw).findings;
        let messages: Vec<_> = found.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages.len(),
            usize::from(said.is_some()),
            "{golden}: {messages:?}"
        );
        assert!(
            messages
                .iter()
                .all(|m| m.contains(said.unwrap_or_default())),
            "{messages:?}"
        );
    }
}

/// Every place of a document, as JSON pointers.
fn pointers(value: &Value, place: &str, found: &mut Vec<String>) {
    let mut into = |key: &str, inner: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        pointers(inner, &format!("{place}/{key}"), found);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| into(key, inner)),
        Value::Array(items) => (0..)
            .zip(items)
            .for_each(|(n, inner)| into(&format!("{n}"), inner)),
        _ => {}
    }
    found.push(place.to_owned());
}

#[test]
fn a_strange_document_is_no_panic() {
    let facts = collect(&healthy());
    let document = serde_json::to_value(&facts).unwrap();
    let mut places = Vec::new();
    pointers(&document, "", &mut places);
    assert!(places.len() > 200);
    for place in &places {
        for junk in [json!(null), json!(-1), json!("x"), json!([]), json!({})] {
            let mut changed = document.clone();
            *changed.pointer_mut(place).unwrap() = junk;
            if let Ok(facts) = Facts::parse("f", changed.to_string().as_bytes()) {
                drop(preflight::run(&facts, Purpose::Upgrade));
            }
        }
    }
    // What the API answers is as strange: putting it in is no panic either.
    for path in facts.answers.keys() {
        for junk in [
            json!(null),
            json!(1),
            json!("x"),
            json!([1]),
            json!({"metadata": 1, "spec": [], "status": "x", "data": []}),
        ] {
            let mut raw = healthy();
            raw.insert(path.clone(), Answer::Items(vec![junk.clone()]));
            drop(check(&raw));
            raw.insert(path.clone(), Answer::Object(junk));
            drop(check(&raw));
        }
    }
}

#[test]
fn the_verb_reports_all_and_says_it_by_its_code() {
    let home = tempfile::tempdir().unwrap();
    let write = |raw: &Raw| {
        fs_err::write(
            home.path().join("facts.json"),
            serde_json::to_vec(&collect(raw)).unwrap(),
        )
        .unwrap();
    };
    write(&healthy());
    let good = run(home.path(), &["seed", "preflight", "--facts", "facts.json"]).expect(0);
    assert!(
        good.stdout.contains("lifecycle-agent will delete"),
        "{}",
        good.stdout
    );
    let mut raw = healthy();
    push(
        &mut raw,
        paths::VOLUMES,
        json!({"metadata": {"name": "pv\u{1b}[31m"}}),
    );
    raw.insert(
        paths::CSRS.to_owned(),
        Answer::Error("connection refused".to_owned()),
    );
    write(&raw);
    let bad = run(home.path(), &["seed", "preflight", "--facts", "facts.json"]).expect(7);
    assert!(
        bad.stdout
            .contains("error: persistent-volumes: PersistentVolume/pv\u{fffd}[31m: Rejected:"),
        "{}",
        bad.stdout
    );
    assert!(
        bad.stdout.contains("could not be read: connection refused"),
        "{}",
        bad.stdout
    );
    let json = run(
        home.path(),
        &[
            "seed",
            "preflight",
            "--facts",
            "facts.json",
            "--output",
            "json",
        ],
    )
    .expect(7)
    .json();
    assert_eq!(
        (
            json["ok"].as_bool(),
            json["findings"].as_array().unwrap().len()
        ),
        (Some(false), 2)
    );
    run(home.path(), &["seed", "preflight", "--facts", "none.json"]).expect(2);
    // An answer that was never asked for is no pass either.
    fs_err::write(
        home.path().join("facts.json"),
        "{\"format\":1,\"answers\":{}}",
    )
    .unwrap();
    let empty = run(
        home.path(),
        &[
            "seed",
            "preflight",
            "--facts",
            "facts.json",
            "--output",
            "json",
        ],
    )
    .expect(7)
    .json();
    assert_eq!(
        empty["findings"].as_array().unwrap().len(),
        paths::REQUIRED.len() + paths::OPTIONAL.len()
    );
}
