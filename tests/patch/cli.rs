//! `snoforge ignition patch` as a person runs it, on generated configs with real certificate chains.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use assert_cmd::Command;
use snoforge::exec;
use snoforge::ignition::Config;

use super::{FCC, by_hand, root, text};

fn snoforge(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("snoforge").unwrap();
    command.args(["ignition", "patch"]).args(arguments);
    command.env_remove("REGISTRY_AUTH_FILE");
    command
}

fn stdout(command: &mut Command) -> String {
    let output = command.assert().success().get_output().stdout.clone();
    String::from_utf8(output).unwrap()
}

fn stderr(command: &mut Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().stderr.clone();
    String::from_utf8(output).unwrap()
}

/// Stock configs with keys and certificates; none when the generator's tools are not there.
fn generated(dir: &Path) -> bool {
    let generator = root().join("scripts/make-ignition-fixtures");
    // Keys take long to make; they are kept between runs.
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ignition-keys");
    let arguments = [
        "--out".as_ref(),
        dir.as_os_str(),
        "--keys".as_ref(),
        keys.as_os_str(),
    ];
    let call = [&[generator.as_os_str()], &arguments[..]].concat();
    let made = exec::run("python3", &call);
    if let Err(error) = &made {
        eprintln!("skipped: {error}");
    }
    made.is_ok()
}

fn tls(path: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let config = Config::parse(&fs_err::read(path).unwrap()).unwrap();
    let files = config.files();
    files
        .filter(|f| f.path().starts_with("/opt/openshift/tls/"))
        .map(|f| (f.path().to_owned(), f.bytes().unwrap()))
        .collect()
}

#[test]
fn a_config_with_real_chains() {
    let dir = tempfile::tempdir().unwrap();
    if !generated(dir.path()) {
        return;
    }
    let path = |name: &str| dir.path().join(name).display().to_string();
    for era in ["era-a", "era-b", "era-c"] {
        let (stock, once, twice) = (path(&format!("{era}.ign")), path("once"), path("twice"));
        let flags = ["--hostname", "bip", "--ntp", "192.0.2.1"];
        let plan = stdout(snoforge(&[&stock, "--dry-run"]).args(flags));
        assert!(
            plan.contains("edits, nothing written") && plan.contains(FCC),
            "{plan}"
        );
        assert!(!Path::new(&once).exists() || era != "era-a");
        let said = stdout(snoforge(&[&stock, "-o", &once]).args(flags));
        assert!(
            said.contains("added    file /usr/local/bin/snoforge-data mode 0755"),
            "{said}"
        );
        let again = stdout(snoforge(&[&once, "-o", &twice]).args(flags));
        assert!(again.contains("patched so already"), "{again}");
        let bytes = fs_err::read(&once).unwrap();
        assert_eq!(bytes, fs_err::read(&twice).unwrap());
        let mode = fs_err::metadata(&once).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds private keys");
        let chains = tls(Path::new(&once));
        assert!(chains.len() > 30 && chains == tls(Path::new(&stock)));
        let piped = snoforge(&["-", "-o", "-"])
            .args(flags)
            .write_stdin(bytes.clone())
            .output();
        assert_eq!(piped.unwrap().stdout, bytes);
    }
}

#[test]
fn what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let stock = root()
        .join("ignition/golden/stock/era-b.ign")
        .display()
        .to_string();
    let out = dir.path().join("out.ign").display().to_string();
    let json = stdout(&mut snoforge(&[&stock, "-o", &out, "--output", "json"]));
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(document["edits"].as_array().unwrap().len() > 10);
    assert_eq!(document["output"], out.as_str());
    for (arguments, code, said) in [
        (
            vec!["--label", "a b"],
            2,
            "--label: `a b` is not a partition label",
        ),
        (
            vec!["--hostname", "_"],
            2,
            "--hostname: `_` is not a host name",
        ),
        (vec!["--motd", "/no/such/file"], 2, "/no/such/file"),
        (vec!["--inventory", &stock], 2, "not an inventory"),
    ] {
        let error = stderr(snoforge(&[&stock, "-o", &out]).args(arguments), code);
        assert!(error.contains(said), "{error}");
    }
    let other = dir.path().join("other.ign");
    fs_err::write(&other, r#"{"ignition":{"version":"3.2.0"}}"#).unwrap();
    let error = stderr(
        &mut snoforge(&[&other.display().to_string(), "-o", &out]),
        2,
    );
    assert!(
        error.contains("no bootstrap-in-place config") && error.contains("hint: "),
        "{error}"
    );
    if by_hand().is_some() {
        let hand = root().join("../shared/data/ignition/bip-4.13.1-patched-by-hand.ign");
        let error = stderr(
            &mut snoforge(&[&hand.display().to_string(), "--dry-run"]),
            0,
        );
        assert!(
            error.contains("warning: /usr/local/bin/extract-ai.sh: mode 755 is decimal"),
            "{error}"
        );
    }
}

#[test]
fn the_pull_secret_comes_from_the_credential_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let stock = root()
        .join("ignition/golden/stock/era-b.ign")
        .display()
        .to_string();
    let secret = r#"{"auths":{"quay.io":{"auth":"czNjcjN0"}},"credHelpers":{"x":"y"}}"#;
    fs_err::write(path("auth.json"), secret).unwrap();
    let mut command = snoforge(&[&stock, "-o", &path("out"), "--embed-pull-secret"]);
    let output = command
        .args(["--authfile", &path("auth.json")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("for 1 registries") && !said.contains("czNjcjN0"),
        "{said}"
    );
    let config = Config::parse(&fs_err::read(path("out")).unwrap()).unwrap();
    let written = text(&config, "/root/.docker/config.json");
    assert_eq!(written, r#"{"auths":{"quay.io":{"auth":"czNjcjN0"}}}"#);
    fs_err::write(path("auth.json"), "{}").unwrap();
    let mut command = snoforge(&[&stock, "-o", &path("x"), "--embed-pull-secret"]);
    let error = stderr(command.args(["--authfile", &path("auth.json")]), 2);
    assert!(error.contains("no logins"), "{error}");
}

#[test]
fn an_inventory_of_another_release_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let stock = root()
        .join("ignition/golden/stock/era-b.ign")
        .display()
        .to_string();
    let inventory = r#"{"format":1,"request":{"source":"","options":[]},"releases":[],"catalogs":[],"images":[],"blobs":{}}"#;
    fs_err::write(path("inventory.json"), inventory).unwrap();
    let mut command = snoforge(&[
        &stock,
        "-o",
        &path("x"),
        "--inventory",
        &path("inventory.json"),
    ]);
    let error = stderr(&mut command, 2);
    assert!(
        error.contains("does not hold quay.io/openshift-release-dev/ocp-release@sha256:"),
        "{error}"
    );
}
