//! `install`: the job makes each site's Ignition config itself.

use serde_json::Value;

use super::support::registry::installed;
use super::{Bench, installer};

const SECRET: &str = r#"{"auths":{"quay.io":{"auth":"bWU6aHVudGVyMg=="}}}"#;

/// The job with `install` in place of `iso.ignition`.
fn bench() -> Option<Bench> {
    if !installed(&["openssl", "ssh-keygen"]) {
        return None;
    }
    let python = installer::python()?;
    let bench = Bench::new();
    installer::equip(bench.home(), &python, SECRET);
    let install = "install:\n  pullSecret: pull-secret.json\n  sshKey: key.pub\n  out: clusters\n  installer: openshift-install\niso:\n";
    bench.edit("iso:\n", install);
    let shared = "  domain: lab.example.com\n  installationDisk: /dev/sda\n";
    bench.edit("  ignition: bip.ign\n", shared);
    Some(bench)
}

fn signers(bench: &Bench) -> Vec<Value> {
    let signer = |name: &str| {
        let iso = format!("isos/{name}.iso");
        let shown = bench.run(&["iso", "ignition", "show", &iso]).expect(0);
        let config: Value = serde_json::from_str(&shown.stdout).unwrap();
        let mut files = config["storage"]["files"].as_array().unwrap().iter();
        let path = "/opt/openshift/tls/kubelet-signer.crt";
        files.find(|f| f["path"] == path).unwrap()["contents"]["source"].clone()
    };
    ["bip-1", "bip-2"].map(signer).to_vec()
}

#[test]
fn each_site_gets_a_cluster_of_its_own() {
    let Some(bench) = bench() else { return };
    bench.run(&["check"]).expect(0);
    let plan = bench.build(&["--dry-run"]).expect(0).json();
    let step = &plan["steps"][3];
    assert_eq!(step["step"], "clusters", "{plan}");
    assert!(plan["seconds"].as_u64() > Some(0), "{plan}");
    assert!(!bench.path("clusters").exists(), "a plan writes nothing");
    let done = bench.build(&[]).expect(0);
    let steps = Bench::steps(&done.json());
    assert_eq!(
        steps,
        ["+inventory", "+download", "+image", "+clusters", "+isos"]
    );
    assert!(!(done.stderr + &done.stdout).contains("hunter2"));
    let made = signers(&bench);
    assert_ne!(made[0], made[1], "two clusters, two signers");
    assert!(bench.path("clusters/bip-2/auth/kubeconfig").exists());

    // Again: the configs are kept, and so are the media.
    let again = bench.build(&[]).expect(0).json();
    let steps = Bench::steps(&again);
    assert_eq!(
        steps,
        ["inventory", "download", "disk", "+clusters", "isos"]
    );
    assert_eq!(signers(&bench), made);
    // Other inputs are not put in the place of keys that machines may have.
    bench.edit("lab.example.com", "site.example.com");
    let other = bench.build(&[]).expect(2);
    let hint = "set `force: true` under `install`";
    assert!(other.stderr.contains(hint), "{}", other.stderr);
    bench.edit("  out: clusters\n", "  out: clusters\n  force: true\n");
    bench.edit("  out: isos\n", "  out: isos\n  force: true\n");
    bench.build(&[]).expect(0);
    assert_ne!(signers(&bench), made);
}

#[test]
fn what_a_cluster_lacks_is_found_before_the_work() {
    let Some(bench) = bench() else { return };
    for (from, to, said) in [
        (
            "  installationDisk: /dev/sda\n",
            "",
            "`installation-disk` is missing",
        ),
        ("key.pub", "key", "it is a private key"),
        (
            "ip: 10.1.0.5/24",
            "ip: 10.129.0.5/24\n    gateway: [10.129.0.1]",
            "overlap",
        ),
        (
            "  out: isos",
            "  out: isos\n  ignition: bip.ign",
            "exclude each other",
        ),
        ("  sshKey: key.pub\n", "", "`install.sshKey` is missing"),
    ] {
        let good = bench.read("factory.yaml");
        bench.edit(from, to);
        let wrong = bench.run(&["check"]).expect(2);
        assert!(wrong.stderr.contains(said), "{to}: {}", wrong.stderr);
        bench.write("factory.yaml", good);
    }
}
