//! `doctor --site`: a real name server, one that cuts, none; a time server; cards.

use crate::dns::{SITES, dnsmasq};
use crate::program::run;
use crate::{has, rows, server};

const ONE: &str = "- {hostname: bip, domain: lab.example.com, interface: eth0, ip: 192.0.2.5/24, gateway: 192.0.2.1, nameserver: 192.0.2.53}\n";

#[test]
fn names_are_asked_of_a_name_server() {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("sites.csv"), SITES).unwrap();
    let args = ["site", "dns", "--sites", "sites.csv", "--format", "dnsmasq"];
    let out = run(dir.path(), &args).expect(0);
    let Some(server) = dnsmasq(dir.path(), &out.stdout) else {
        return;
    };
    let doctor = [
        "doctor",
        "--site",
        "sites.csv",
        "--nameserver",
        &server.address,
        "--output",
        "json",
    ];
    let good = run(dir.path(), &doctor).expect(0);
    let names = rows(&good, "name");
    // Both families of the first site, one of the second; five names each.
    assert_eq!(names.len(), 15, "{names:#?}");
    assert!(
        names.iter().all(|row| row.starts_with("pass ")),
        "{names:#?}"
    );
    drop(server);
    let other = "address=/apps.bip-1.lab.example.com/192.168.86.99\nhost-record=api.bip-1.lab.example.com,192.168.86.45\nlocal=/example.com/\n";
    let server = dnsmasq(dir.path(), other).unwrap();
    let doctor = [
        "doctor",
        "--site",
        "sites.csv",
        "--name",
        "bip-1",
        "--nameserver",
        &server.address,
        "--output",
        "json",
    ];
    let bad = run(dir.path(), &doctor).expect(4);
    has(&bad, "name", "pass api.bip-1", "192.168.86.45");
    has(&bad, "name", "fail api-int.bip-1", "does not exist");
    has(
        &bad,
        "name",
        "fail console-openshift-console.apps.bip-1",
        "says 192.168.86.99, not 192.168.86.45",
    );
    has(&bad, "name", "fail api.bip-1", "that name without fd00::45");
    has(
        &bad,
        "name",
        "warning bip-1.lab.example.com",
        "without 192.168.86.45",
    );
    let cure = bad.json()["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["outcome"] == "fail")
        .unwrap()["cure"]
        .clone();
    assert!(
        cure.as_str().unwrap().contains("`snoforge site dns`"),
        "{cure}"
    );
}

#[test]
fn cut_answers_come_by_tcp() {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("s.yaml"), ONE).unwrap();
    let address = server::cutting_dns();
    let args = [
        "doctor",
        "--site",
        "s.yaml",
        "--nameserver",
        &address,
        "--output",
        "json",
    ];
    let out = run(dir.path(), &args).expect(0);
    has(
        &out,
        "name",
        "pass api.bip.lab.example.com",
        "says 192.0.2.5",
    );
    assert_eq!(rows(&out, "name").len(), 5);
}

#[test]
fn times_cards_and_silence() {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("s.yaml"), ONE).unwrap();
    let (right, wrong, closed) = (server::ntp(0), server::ntp(7200), server::closed());
    let site = [
        "doctor",
        "--site",
        "s.yaml",
        "--output",
        "json",
        "--nameserver",
        &closed,
    ];
    let args = [
        &site[..],
        &["--ntp", &right, "--ntp", &wrong, "--ntp", &closed],
    ]
    .concat();
    let out = run(dir.path(), &args).expect(0);
    has(
        &out,
        "name",
        "unknown api.bip.lab.example.com",
        "cannot be reached: connection refused",
    );
    has(&out, "time", &format!("pass {right} of bip"), "stratum 3");
    has(&out, "time", &format!("warning {wrong} of bip"), "+7");
    has(
        &out,
        "time",
        &format!("warning {closed} of bip"),
        "connection refused",
    );
    has(&out, "interface", "warning eth0 of bip", "predictable");
    let cards = r#"[{"ifname":"lo"},{"ifname":"enp1s0","address":"28:d2:44:d3:ef:1c","altnames":["eno1"]}]"#;
    fs_err::write(dir.path().join("cards.json"), cards).unwrap();
    let offline = [
        "doctor",
        "--site",
        "s.yaml",
        "--output",
        "json",
        "--offline",
        "--interfaces-from",
        "cards.json",
    ];
    let out = run(dir.path(), &offline).expect(4);
    has(
        &out,
        "interface",
        "fail eth0 of bip",
        "enp1s0 (28:d2:44:d3:ef:1c), eno1",
    );
    fs_err::write(
        dir.path().join("s.yaml"),
        ONE.replace("eth0", "'mac=28:D2:44:D3:EF:1C'"),
    )
    .unwrap();
    has(
        &run(dir.path(), &offline).expect(0),
        "interface",
        "pass mac=28:d2:44:d3:ef:1c of bip",
        "enp1s0",
    );
    assert!(
        run(dir.path(), &["doctor", "--site", "s.yaml", "--name", "x"])
            .expect(2)
            .stderr
            .contains("the sites are bip")
    );
}
