//! What `site dns` prints, read by bind and dnsmasq.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::program::run;
use crate::support::registry::installed;

pub(crate) const SITES: &str = "\
hostname,interface,ip,gateway,nameserver,cluster,domain
bip-1,eno1,192.168.86.45/24;fd00::45/64,192.168.86.1,192.168.86.27,,lab.example.com
node,eno1,192.168.86.46/24,192.168.86.1,192.168.86.27,bip-2,lab.example.com
";

/// dnsmasq with a file of ours on a free port; ends with the test.
pub(crate) struct Dnsmasq {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `None`, with the reason printed, when a program is not installed.
pub(crate) fn dnsmasq(directory: &Path, config: &str) -> Option<Dnsmasq> {
    if !installed(&["dnsmasq", "dig"]) {
        return None;
    }
    let file = directory.join("dnsmasq.conf");
    fs_err::write(&file, config).unwrap();
    let file = format!("--conf-file={}", file.display());
    snoforge::exec::run("dnsmasq", &["--test", &file]).unwrap();
    let server = (0..5).find_map(|_| started(&file));
    Some(server.expect("dnsmasq gets a port"))
}

/// dnsmasq cannot choose its port: one that was free a moment ago. `None` when somebody else took it meanwhile.
fn started(file: &str) -> Option<Dnsmasq> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    #[expect(clippy::disallowed_methods, reason = "a server that outlives the call")]
    let child = Command::new("dnsmasq")
        .args([
            "--keep-in-foreground",
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
            "--pid-file",
        ])
        .args([
            "--listen-address=127.0.0.1",
            &format!("--port={port}"),
            file,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Dnsmasq {
        child,
        address: format!("127.0.0.1:{port}"),
    };
    // dig itself waits for an answer; until dnsmasq listens it is refused at once.
    for _ in 0..100 {
        if server.child.try_wait().unwrap().is_some() {
            return None;
        }
        if dig(&server, "version.bind", "TXT").is_ok() {
            return Some(server);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("dnsmasq does not answer");
}

fn dig(server: &Dnsmasq, name: &str, kind: &str) -> Result<Vec<String>, snoforge::exec::ExecError> {
    let port = server.address.rsplit(':').next().unwrap();
    let args = [
        "@127.0.0.1",
        "-p",
        port,
        "+short",
        "+tries=2",
        "+time=10",
        name,
        kind,
    ];
    let out = snoforge::exec::run("dig", &args)?;
    Ok(String::from_utf8(out)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect())
}

#[test]
fn bind_reads_the_zone() {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("sites.csv"), SITES).unwrap();
    let out = run(dir.path(), &["site", "dns", "--sites", "sites.csv"]).expect(0);
    for line in [
        "$ORIGIN lab.example.com.",
        "api.bip-1\tIN\tA\t192.168.86.45",
        "api-int.bip-2\tIN\tA\t192.168.86.46",
        "*.apps.bip-1\tIN\tAAAA\tfd00::45",
        "bip-1\tIN\tA\t192.168.86.45",
        "node.bip-2\tIN\tA\t192.168.86.46",
        "46.86.168.192.in-addr.arpa.\tIN\tPTR\tnode.bip-2.lab.example.com.",
    ] {
        assert!(
            out.stdout.lines().any(|l| l == line),
            "{line}: {}",
            out.stdout
        );
    }
    if !installed(&["named-checkzone"]) {
        return;
    }
    let head = "$TTL 60\n@ IN SOA ns.lab.example.com. root.lab.example.com. 1 60 60 60 60\n@ IN NS ns.lab.example.com.\n";
    let (forward, reverse) = out
        .stdout
        .split_once("; in the zones of the addresses:\n")
        .unwrap();
    let check = |zone: &str, lines: &str| {
        let file = dir.path().join(zone);
        fs_err::write(&file, format!("{head}{lines}")).unwrap();
        let file = file.display().to_string();
        let said = snoforge::exec::run("named-checkzone", &["-D", "-i", "local", zone, &file]);
        String::from_utf8(said.unwrap_or_else(|e| panic!("{e}"))).unwrap()
    };
    let zone = check(
        "lab.example.com",
        &format!("ns IN A 192.168.86.27\n{forward}"),
    );
    assert!(zone.contains("*.apps.bip-2.lab.example.com."), "{zone}");
    let of = |family: &str| -> String {
        let lines = reverse.split_inclusive('\n');
        lines.filter(|line| line.contains(family)).collect()
    };
    let zone = check("86.168.192.in-addr.arpa", &of("in-addr"));
    assert!(zone.contains("bip-1.lab.example.com."), "{zone}");
    check("0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", &of("ip6"));
}

#[test]
fn dnsmasq_answers() {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("sites.csv"), SITES).unwrap();
    let args = ["site", "dns", "--sites", "sites.csv", "--format", "dnsmasq"];
    let out = run(dir.path(), &args).expect(0);
    let Some(server) = dnsmasq(dir.path(), &out.stdout) else {
        return;
    };
    for (name, kind, answer) in [
        ("api.bip-1.lab.example.com", "A", "192.168.86.45"),
        ("api-int.bip-1.lab.example.com", "AAAA", "fd00::45"),
        ("any.thing.apps.bip-2.lab.example.com", "A", "192.168.86.46"),
        ("bip-1.lab.example.com", "AAAA", "fd00::45"),
        ("node.bip-2.lab.example.com", "A", "192.168.86.46"),
        (
            "45.86.168.192.in-addr.arpa",
            "PTR",
            "bip-1.lab.example.com.",
        ),
    ] {
        assert_eq!(dig(&server, name, kind).unwrap(), [answer], "{name} {kind}");
    }
    // Without a name server above: it answers itself, that there is such a name.
    let port = server.address.rsplit(':').next().unwrap();
    let args = [
        "@127.0.0.1",
        "-p",
        port,
        "api.bip-2.lab.example.com",
        "AAAA",
    ];
    let out = snoforge::exec::run("dig", &args).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.contains("status: NOERROR") && out.contains("ANSWER: 0"),
        "{out}"
    );
}

#[test]
fn hosts_and_refusals() {
    let dir = tempfile::tempdir().unwrap();
    let one = [
        "site",
        "dns",
        "--name",
        "bip",
        "--domain",
        "lab.example.com",
        "--ip",
        "10.0.0.5",
    ];
    let out = run(dir.path(), &[&one[..], &["--format", "hosts"]].concat()).expect(0);
    assert!(
        out.stdout
            .contains("oauth-openshift.apps.bip.lab.example.com"),
        "{}",
        out.stdout
    );
    assert!(
        out.stdout.starts_with("# A hosts file has no wildcards"),
        "{}",
        out.stdout
    );
    let out = run(dir.path(), &[&one[..], &["--output", "json"]].concat()).expect(0);
    let records = out.json()["sites"][0]["records"].clone();
    assert_eq!(records[2]["name"], "*.apps.bip.lab.example.com");
    assert_eq!(records[2]["type"], "A");
    fs_err::write(dir.path().join("s.yaml"), "- {hostname: a}\n").unwrap();
    let told = run(dir.path(), &["site", "dns", "--sites", "s.yaml"]).expect(2);
    assert!(told.stderr.contains("a: no domain"), "{}", told.stderr);
    let two = "defaults: {cluster: bip, domain: x.org, interface: eno1}\nsites: [{hostname: a, ip: 10.0.0.5/24}, {hostname: b, ip: 10.0.0.6/24}]\n";
    fs_err::write(dir.path().join("s.yaml"), two).unwrap();
    let told = run(dir.path(), &["site", "dns", "--sites", "s.yaml"]).expect(2);
    assert!(
        told.stderr
            .contains("two sites are the cluster bip.x.org: 10.0.0.5 and 10.0.0.6"),
        "{}",
        told.stderr
    );
    let args = ["site", "dns", "--sites", "s.yaml", "--hostname", "b"];
    let out = run(dir.path(), &args).expect(0);
    assert!(
        out.stdout.contains("api.bip\tIN\tA\t10.0.0.6"),
        "{}",
        out.stdout
    );
    for (args, piece) in [
        (
            ["--name", "a.b", "--domain", "x.org", "--ip", "10.0.0.5"],
            "--name: `a.b`",
        ),
        (
            ["--name", "a", "--domain", "X.org", "--ip", "10.0.0.5"],
            "upper case",
        ),
        (
            ["--name", "a", "--domain", "x.org", "--ip", "127.0.0.1"],
            "loopback",
        ),
    ] {
        let told = run(dir.path(), &[&["site", "dns"][..], &args].concat()).expect(2);
        assert!(told.stderr.contains(piece), "{}", told.stderr);
    }
}
