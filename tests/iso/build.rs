//! `iso build`: stock configs of three eras with real certificates, one machine and many.

use std::path::Path;

use super::{Bench, ROOT, program};

/// A directory with the sample ISO and stock configs; none where openssl or python3 is missing.
fn bench() -> Option<Bench> {
    if program("openssl").is_none() || program("python3").is_none() {
        eprintln!("skipped: openssl or python3 is not installed");
        return None;
    }
    let bench = Bench::new();
    bench.write("live.iso", snoforge::demo::live_iso::bytes().unwrap());
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bip-keys");
    make(&bench, &keys, &[]);
    Some(bench)
}

/// The keys are made once and shared by the tests.
static KEYS: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn make(bench: &Bench, keys: &Path, more: &[&str]) {
    let _one_at_a_time = KEYS.lock();
    let output = assert_cmd::Command::new("python3")
        .arg(format!("{ROOT}/scripts/make-ignition-fixtures"))
        .arg("--out")
        .arg(bench.dir.path())
        .arg("--keys")
        .arg(keys)
        .args(more)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

const MACHINE: [&str; 10] = [
    "--hostname",
    "bip",
    "--interface",
    "enp0s25",
    "--ip",
    "192.168.86.45/24",
    "--gateway",
    "192.168.86.1",
    "--nameserver",
    "192.168.86.27",
];

fn build(config: &str, out: &str) -> Vec<String> {
    let base = [
        "iso",
        "build",
        "--iso",
        "live.iso",
        "--ignition",
        config,
        "-o",
        out,
    ];
    base.iter()
        .chain(&MACHINE)
        .map(ToString::to_string)
        .collect()
}

fn run(bench: &Bench, args: &[String], more: &[&str]) -> String {
    let args: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    bench.ok(&args)
}

#[test]
fn one_machine_of_each_era() {
    let Some(bench) = bench() else { return };
    for era in ["era-a.ign", "era-b.ign", "era-c.ign"] {
        let out = format!("{era}.iso");
        let text = run(
            &bench,
            &build(era, &out),
            &[
                "--ntp",
                "192.168.86.1",
                "--installation-disk",
                "/dev/disk/by-id/wwn-1",
            ],
        );
        assert!(text.contains("Use before "), "{text}");
        let kargs = bench.ok(&["iso", "kargs", "show", &out]);
        assert!(kargs.ends_with(" rd.neednet=1 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp0s25:none:192.168.86.27\n"), "{kargs}");
        let config = bench.ok(&["iso", "ignition", "show", &out]);
        let path = bench.write("shown.ign", &config);
        if program("ignition-validate").is_some() {
            let check = assert_cmd::Command::new("ignition-validate")
                .arg(&path)
                .output()
                .unwrap();
            assert!(
                check.status.success(),
                "{era}: {}",
                String::from_utf8_lossy(&check.stderr)
            );
        }
        let inspected = bench.ok(&["ignition", "inspect", "shown.ign"]);
        assert!(inspected.contains("/dev/disk/by-id/wwn-1"), "{inspected}");
        // The same as the two steps by hand.
        bench.ok(&[
            "ignition",
            "patch",
            era,
            "-o",
            "patched.ign",
            "--hostname",
            "bip",
            "--ntp",
            "192.168.86.1",
            "--installation-disk",
            "/dev/disk/by-id/wwn-1",
        ]);
        assert!(
            config == fs_err::read_to_string(bench.path("patched.ign")).unwrap(),
            "{era}"
        );
        run(
            &bench,
            &build(era, "again.iso"),
            &[
                "--ntp",
                "192.168.86.1",
                "--installation-disk",
                "/dev/disk/by-id/wwn-1",
                "-f",
            ],
        );
        assert_eq!(
            bench.sha256("again.iso"),
            bench.sha256(&out),
            "same inputs, same bytes"
        );
    }
}

#[test]
fn refusals() {
    let Some(bench) = bench() else { return };
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bip-keys");
    fs_err::create_dir(bench.path("old")).unwrap();
    let old = Bench {
        dir: tempfile::tempdir_in(bench.dir.path()).unwrap(),
    };
    make(
        &old,
        &keys,
        &["--start", "2024-01-01T00:00:00Z", "--era", "b"],
    );
    fs_err::copy(old.path("era-b.ign"), bench.path("expired.ign")).unwrap();
    let fails = |more: &[&str], message: &str| {
        let args: Vec<&str> = ["iso", "build", "--iso", "live.iso", "-o", "out.iso"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let error = bench.fails(2, &args);
        assert!(error.contains(message), "{more:?}: {error}");
        assert!(!bench.path("out.iso").exists());
    };
    fails(&["--ignition", "expired.ign"], "expired at 2024-01-02");
    // Expiry is a matter of the real time.
    let pinned = bench
        .command(&[
            "iso",
            "build",
            "--iso",
            "live.iso",
            "-o",
            "out.iso",
            "--ignition",
            "expired.ign",
        ])
        .env("SOURCE_DATE_EPOCH", "1704070000")
        .output()
        .unwrap();
    assert_eq!(pinned.status.code(), Some(2));
    fails(&["--ignition", "era-b.ign", "--ip", "10.0.0.5/24"], "--ip");
    fails(
        &[
            "--ignition",
            "era-b.ign",
            "--ip",
            "10.0.0.5/24",
            "--interface",
            "eno1",
            "--gateway",
            "10.0.1.1",
        ],
        "gateway",
    );
    fails(
        &["--ignition", "era-b.ign", "--karg", "a;b"],
        "everything after it is lost",
    );
    fails(
        &["--ignition", "era-b.ign", "--hostname", "a_b"],
        "hostname",
    );
    fails(&["--ignition", "missing.ign"], "missing.ign");
    let nowhere = ["iso", "build", "--iso", "live.iso", "--ignition"];
    let error = bench.fails(
        2,
        &[&nowhere[..], &["era-b.ign", "-o", "none/o.iso"]].concat(),
    );
    assert!(
        error.contains("the directory none does not exist"),
        "{error}"
    );
    bench.write("other.ign", super::CONFIG);
    fails(&["--ignition", "other.ign"], "no bootstrap-in-place config");
    // The same config, not patched.
    bench.ok(&[
        "iso",
        "build",
        "--iso",
        "live.iso",
        "--ignition",
        "other.ign",
        "--no-patch",
        "-o",
        "out.iso",
    ]);
    assert_eq!(
        bench.ok(&["iso", "ignition", "show", "out.iso"]),
        super::CONFIG
    );
    let error = bench.fails(
        2,
        &[
            "iso",
            "build",
            "--iso",
            "out.iso",
            "--ignition",
            "era-b.ign",
            "-o",
            "two.iso",
        ],
    );
    assert!(
        error.contains("customised already: an Ignition config"),
        "{error}"
    );
    bench.ok(&[
        "iso",
        "build",
        "--iso",
        "out.iso",
        "--ignition",
        "era-b.ign",
        "-f",
        "-o",
        "two.iso",
    ]);
}

#[test]
fn keyfiles_in_place_of_arguments() {
    let Some(bench) = bench() else { return };
    bench.write("a.nmconnection", super::KEYFILE);
    bench.ok(&[
        "iso",
        "build",
        "--iso",
        "live.iso",
        "--ignition",
        "era-b.ign",
        "--hostname",
        "bip",
        "--network-keyfile",
        "a.nmconnection",
        "-o",
        "out.iso",
    ]);
    assert!(
        bench
            .ok(&["iso", "network", "extract", "out.iso"])
            .contains("id=static")
    );
    assert!(
        !bench
            .ok(&["iso", "kargs", "show", "out.iso"])
            .contains("ip=")
    );
    let both = build("era-b.ign", "both.iso");
    let mut args: Vec<&str> = both.iter().map(String::as_str).collect();
    args.extend(["--network-keyfile", "a.nmconnection"]);
    assert!(bench.fails(2, &args).contains("cannot be used with"));
    // What cannot be refused is warned about.
    let words = [
        "iso",
        "build",
        "--iso",
        "live.iso",
        "--ignition",
        "era-b.ign",
    ];
    let more = [
        "--network-keyfile",
        "a.nmconnection",
        "--karg",
        "rd.neednet=1 ip=dhcp",
        "--dry-run",
        "-o",
        "mixed.iso",
    ];
    let mixed = bench.run(&[&words[..], &more].concat());
    let said = String::from_utf8_lossy(&mixed.stderr);
    assert!(
        said.contains("the keyfiles replace what `ip=` sets up"),
        "{said}"
    );
    let plan = String::from_utf8_lossy(&mixed.stdout);
    assert!(
        plan.starts_with("would write ") && !bench.path("mixed.iso").exists(),
        "{plan}"
    );
}

const SITES: &str = "hostname,interface,ip,gateway,nameserver,installation-disk\n\
    bip-1,enp0s25,10.1.0.5/24,10.1.0.1,10.1.0.1,/dev/sda\n\
    bip-2,mac=52:54:00:11:22:33,10.1.0.6/24,10.1.0.1,10.1.0.1,\n\
    bip-3,enp0s25,fd00::7/64,fd00::1,fd00::1,/dev/nvme0n1\n";

#[test]
fn a_truck_of_machines() {
    let Some(bench) = bench() else { return };
    bench.write("sites.csv", SITES);
    fs_err::create_dir(bench.path("isos")).unwrap();
    bench.write("isos/bip-2.iso", "in the way");
    let args = [
        "iso",
        "build",
        "--iso",
        "live.iso",
        "--ignition",
        "era-b.ign",
        "--sites",
        "sites.csv",
        "-o",
        "isos",
    ];
    let error = bench.fails(8, &args);
    assert!(error.contains("bip-2.iso exists already"), "{error}");
    assert_eq!(
        fs_err::read(bench.path("isos/bip-2.iso")).unwrap(),
        b"in the way"
    );
    bench.ok(&[&args[..], &["--force"]].concat());
    let report: serde_json::Value =
        serde_json::from_slice(&fs_err::read(bench.path("isos/sites.json")).unwrap()).unwrap();
    let sites = report["sites"].as_array().unwrap();
    assert_eq!(sites.len(), 3);
    for site in sites {
        let iso = site["iso"].as_str().unwrap();
        assert_eq!(site["sha256"], bench.sha256(iso), "{iso}");
        assert_eq!(
            site["kargs"],
            bench.ok(&["iso", "kargs", "show", iso]).trim()
        );
        assert!(site["useBefore"].as_str().unwrap().ends_with('Z'));
        let name = site["hostname"].as_str().unwrap();
        assert!(
            site["kargs"]
                .as_str()
                .unwrap()
                .contains(&format!(":{name}:")),
            "{site}"
        );
    }
    // Run again, it goes on: what is there stays as it is.
    fs_err::remove_file(bench.path("isos/bip-3.iso")).unwrap();
    let inode = |name: &str| {
        std::os::unix::fs::MetadataExt::ino(&fs_err::metadata(bench.path(name)).unwrap())
    };
    let before = inode("isos/bip-1.iso");
    bench.ok(&args);
    assert_eq!(inode("isos/bip-1.iso"), before);
    let again = fs_err::read(bench.path("isos/sites.json")).unwrap();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&again).unwrap(),
        report
    );
    // One machine alone gives the same ISO.
    bench.ok(&[
        "iso",
        "build",
        "--iso",
        "live.iso",
        "--ignition",
        "era-b.ign",
        "--hostname",
        "bip-1",
        "--interface",
        "enp0s25",
        "--ip",
        "10.1.0.5/24",
        "--gateway",
        "10.1.0.1",
        "--nameserver",
        "10.1.0.1",
        "--installation-disk",
        "/dev/sda",
        "-o",
        "one.iso",
    ]);
    assert_eq!(bench.sha256("one.iso"), bench.sha256("isos/bip-1.iso"));
    let dry = bench.ok(&[&args[..7], &["sites.csv", "-o", "dry", "--dry-run"]].concat());
    assert!(
        dry.contains("dry/bip-1.iso") && !bench.path("dry").exists(),
        "{dry}"
    );
    bench.write("wrong.csv", SITES.replace("10.1.0.6/24", "10.1.0.5/24"));
    let error = bench.fails(2, &[&args[..7], &["wrong.csv", "-o", "none"]].concat());
    assert!(
        error.contains("wrong.csv:3:") && !bench.path("none").exists(),
        "{error}"
    );
}
