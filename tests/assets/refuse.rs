//! `ignition create` where it cannot, or is ended: what it says, and that neither files nor secrets stay.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::desk::{Desk, FILES, IGNITION};

#[test]
fn a_site_without_a_disk_stops_the_job_before_anything_is_made() {
    let Some(desk) = Desk::new() else { return };
    let flags = [
        "--sites",
        "sites.csv",
        "--domain",
        "lab.example.com",
        "-o",
        "clusters",
    ];
    let installer = ["--installer", "openshift-install"];
    fs_err::write(
        desk.path("sites.csv"),
        "hostname,interface,ip\nbip-4,e,10.1.0.8/24\n",
    )
    .unwrap();
    let wrong = desk.run("", &[&flags[..], &installer].concat()).expect(2);
    assert!(
        wrong
            .stderr
            .contains("site bip-4: `installation-disk` is missing"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn refusals_are_told_without_the_secrets() {
    let Some(desk) = Desk::new() else { return };
    let leak = desk.one("leak", &[]).expect(2);
    for stream in [&leak.stderr, &leak.stdout] {
        assert!(stream.contains("pullSecret: Invalid value: "), "{stream}");
        assert!(stream.contains("(secret)"), "{stream}");
    }
    let broken = desk.one("broken", &[]).expect(7);
    assert!(
        broken.stderr.contains("/storage/files/"),
        "{}",
        broken.stderr
    );
    let without = desk.one("no-auth", &[]).expect(7);
    assert!(
        without.stderr.contains("auth/kubeconfig"),
        "{}",
        without.stderr
    );
    // Nothing of the attempts stays, and above all no install config.
    assert!(!desk.path("out").join(IGNITION).exists());
    assert!(desk.names("out").is_empty());
    let none = [
        "--hostname",
        "bip.lab",
        "--installation-disk",
        "/dev/sda",
        "-o",
        "x",
    ];
    let none = [&none[..], &["--machine-network", "10.0.0.0/24"]].concat();
    let missing = desk.run("", &none).expect(4);
    assert!(
        missing.stderr.contains("`openshift-install` is not there"),
        "{}",
        missing.stderr
    );
    fs_err::write(
        desk.path("openshift-install"),
        b"\x7fELF of another machine",
    )
    .unwrap();
    let foreign = desk.one("", &[]).expect(4);
    assert!(
        foreign.stderr.contains("is it for this machine?"),
        "{}",
        foreign.stderr
    );
    fs_err::copy(desk.path("key"), desk.path("key.pub")).unwrap();
    let mut private = desk.command(&none);
    let private = private.output().unwrap();
    assert_eq!(private.status.code(), Some(2));
    assert!(
        String::from_utf8(private.stderr)
            .unwrap()
            .contains("key.pub: the SSH key is not usable: it is a private key")
    );
}

#[test]
fn an_interrupted_run_takes_the_secret_with_it() {
    let Some(desk) = Desk::new() else { return };
    let args = [
        "--hostname",
        "bip.lab",
        "--installation-disk",
        "/dev/sda",
        "-o",
        "out",
    ];
    let args = [
        &args[..],
        &[
            "--machine-network",
            "10.0.0.0/24",
            "--installer",
            "openshift-install",
        ],
    ]
    .concat();
    let work = || {
        let entries = fs_err::read_dir(desk.path("out"))
            .into_iter()
            .flatten()
            .flatten();
        let mut paths = entries.map(|e| e.path());
        paths.find(|p| p.join(".openshift_install_state.json").exists())
    };
    for (signal, left) in [("INT", false), ("KILL", true)] {
        let mut command = desk.command(&args);
        command
            .env("STANDIN", "hang")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while work().is_none() {
            assert!(Instant::now() < deadline, "the installer was not begun");
            std::thread::sleep(Duration::from_millis(5));
        }
        snoforge::exec::run("kill", &[format!("-{signal}"), child.id().to_string()]).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!(code, (signal == "INT").then_some(130));
        assert_eq!(work().is_some(), left, "{signal}");
        assert!(!desk.path("out").join(IGNITION).exists());
    }
    // A killed one could not; the next run does.
    let done = desk.run("", &args).expect(0);
    assert!(done.stdout.contains("made"), "{}", done.stdout);
    assert_eq!(desk.names("out"), FILES);
}
