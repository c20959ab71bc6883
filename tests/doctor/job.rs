//! `doctor` for the job: registries with logins, an authority of their own, a lying clock, a closed port, a proxy.

use std::path::Path;

use base64::Engine as _;

use crate::program::run;
use crate::server::{closed, date, http, reply};
use crate::support::registry::{DockerRegistry, Guard, LOGIN};
use crate::{Run, has, rows, run_with};

/// Both registries of a job, and the update graph, at one place.
fn everything_at(home: &Path, host: &str, insecure: bool) {
    let rule = |name: &str| {
        format!("[[registry]]\nprefix = \"{name}\"\nlocation = \"{host}\"\ninsecure = {insecure}\n")
    };
    let text = format!("{}{}", rule("quay.io"), rule("registry.redhat.io"));
    fs_err::write(home.join("registries.conf"), text).unwrap();
}

fn authfile(home: &Path, entries: &[(&str, &str)]) {
    let entry = |(host, login): &(&str, &str)| {
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        (host.to_string(), serde_json::json!({"auth": login}))
    };
    let auths: serde_json::Map<_, _> = entries.iter().map(entry).collect();
    let text = serde_json::json!({"auths": auths}).to_string();
    fs_err::write(home.join("auth.json"), text).unwrap();
}

/// The general check; the update graph answers at `graph`, and nothing outside of this machine is asked: the proxy is dead.
fn doctor(home: &Path, graph: &str, more: &[&str]) -> Run {
    let url = format!("http://{graph}/graph");
    let proxy = format!("http://{}", closed());
    let environment = [
        ("UPDATE_URL_OVERRIDE", url.as_str()),
        ("HTTPS_PROXY", &proxy),
        ("NO_PROXY", "127.0.0.1"),
    ];
    let args = [
        "doctor",
        "--registries-conf",
        "registries.conf",
        "--output",
        "json",
    ];
    run_with(home, &environment, &[&args, more].concat())
}

fn graph() -> String {
    http(|_, _| reply("200 OK", &date(0), "", ""))
}

#[test]
fn a_real_registry_judges_the_logins() {
    let Some(registry) = DockerRegistry::start(Guard::Password) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (home, host, graph) = (dir.path(), registry.host.as_str(), graph());
    everything_at(home, host, true);
    let (user, password) = LOGIN;
    let right = format!("{user}:{password}");
    let dead = closed();
    authfile(
        home,
        &[
            (host, &right),
            (&dead, "a:secret-a"),
            ("cloud.example", "no-colon"),
        ],
    );
    let good = doctor(home, &graph, &["--authfile", "auth.json"]);
    has(
        &good,
        "registry",
        "pass quay.io/openshift-release-dev",
        &format!("takes the login `{host}`"),
    );
    has(
        &good,
        "registry",
        "pass registry.redhat.io/",
        "takes the login",
    );
    has(
        &good,
        "login",
        &format!("pass {host}"),
        "user `user`: taken",
    );
    has(
        &good,
        "login",
        &format!("unknown {dead}"),
        "connection refused",
    );
    has(
        &good,
        "login",
        "warning cloud.example",
        "not base64 of user:password",
    );
    has(&good, "clock", "pass this machine", "right within");
    has(&good, "server", &format!("pass {graph}"), "update graph");
    assert!(
        rows(&good, "registry")
            .iter()
            .all(|row| row.starts_with("pass "))
    );
    // Only the signatures are asked for through it, and there is a second place for them.
    has(&good, "proxy", "warning http://", "mirror.openshift.com");

    authfile(home, &[(host, "user:wrong-secret")]);
    let bad = doctor(home, &graph, &["--authfile", "auth.json"]);
    has(&bad, "login", &format!("fail {host}"), "HTTP 401");
    has(
        &bad,
        "registry",
        "fail quay.io/",
        "access refused to the account under",
    );
    assert_eq!(bad.code, 4, "{}", bad.stderr);
    let said = format!("{}{}{}{}", good.stdout, good.stderr, bad.stdout, bad.stderr);
    for secret in ["hunter2", "secret-a", "wrong-secret"] {
        assert!(!said.contains(secret), "{secret}");
    }
    authfile(home, &[]);
    let none = doctor(home, &graph, &["--authfile", "auth.json"]);
    has(
        &none,
        "registry",
        "fail quay.io/",
        "no credentials are known",
    );
    has(&none, "login", "warning any", "no credential file");
    fs_err::write(home.join("auth.json"), "{").unwrap();
    let broken = doctor(home, &graph, &["--authfile", "auth.json"]);
    has(
        &broken,
        "configuration",
        "fail registries",
        "not a JSON file of credentials",
    );
    assert_eq!(broken.code, 4);
}

#[test]
fn an_unknown_authority_is_named() {
    let Some(registry) = DockerRegistry::start(Guard::Tls) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (home, graph) = (dir.path(), graph());
    everything_at(home, &registry.host, false);
    let refused = doctor(home, &graph, &[]);
    has(
        &refused,
        "registry",
        "fail quay.io/",
        "signed by `CN=test-ca`",
    );
    // Its clock is heard all the same.
    has(&refused, "clock", "pass this machine", "right within");
    let certs = registry.cert_dir().display().to_string();
    // What stands beside the certificates is not read by anybody.
    let authority = registry.cert_dir().join("ca.crt");
    let text = fs_err::read_to_string(&authority).unwrap() + "\nOf the factory.\n";
    fs_err::write(&authority, text).unwrap();
    let trusted = doctor(home, &graph, &["--cert-dir", &certs]);
    has(&trusted, "registry", "pass quay.io/", "no login is needed");
    has(
        &trusted,
        "ca",
        &format!("pass {certs}/ca.crt"),
        "`CN=test-ca` until",
    );
    fs_err::write(registry.cert_dir().join("other.crt"), "none").unwrap();
    let broken = doctor(home, &graph, &["--cert-dir", &certs]);
    has(
        &broken,
        "ca",
        &format!("warning {certs}/other.crt"),
        "no certificate in PEM",
    );
}

/// A registry with a token service, two hours ahead.
#[test]
fn tokens_and_a_lying_clock() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let place = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let own = std::sync::Arc::clone(&place);
    let good = base64::engine::general_purpose::STANDARD.encode("robot:good");
    let host = http(move |request, authorization| {
        let date = date(2);
        let said = |status: &str, more: &str, body: &str| reply(status, &date, more, body);
        match authorization {
            _ if request.contains(" /token") => match authorization {
                Some(login) if login == format!("Basic {good}") => {
                    said("200 OK", "", r#"{"token":"t"}"#)
                }
                _ => said("401 Unauthorized", "", ""),
            },
            Some("Bearer t") if request.starts_with("HEAD") => said("404 Not Found", "", ""),
            Some("Bearer t") => said("200 OK", "", ""),
            _ => {
                let host = own.get().unwrap();
                let challenge = format!(
                    "WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"s\"\r\n"
                );
                said("401 Unauthorized", &challenge, "")
            }
        }
    });
    place.set(host.clone()).unwrap();
    everything_at(home, &host, true);
    authfile(home, &[(&host, "robot:good")]);
    let out = doctor(home, &host, &["--authfile", "auth.json"]);
    has(&out, "registry", "pass quay.io/", "takes the login");
    has(
        &out,
        "clock",
        "fail this machine",
        "TLS and certificates will fail",
    );
    has(
        &out,
        "clock",
        "fail this machine",
        &format!("behind {host}"),
    );
    authfile(home, &[(&host, "robot:bad-secret")]);
    let out = doctor(home, &host, &["--authfile", "auth.json"]);
    has(
        &out,
        "login",
        &format!("fail {host}"),
        "refuses the credentials",
    );
    assert!(!out.stdout.contains("bad-secret"), "{}", out.stdout);
    // A login that no image goes by is shown to its registry, too.
    everything_at(home, &closed(), true);
    let out = doctor(
        home,
        &host,
        &["--authfile", "auth.json", "--tls-verify=false"],
    );
    has(
        &out,
        "login",
        &format!("warning {host}"),
        "refuses the credentials",
    );
    has(&out, "registry", "fail quay.io/", "connection refused");
}

#[test]
fn the_proxy_of_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let (proxy, graph) = (closed(), graph());
    let url = format!("http://me:proxy-secret@{proxy}");
    let update = format!("http://{graph}/graph");
    let environment = [
        ("HTTPS_PROXY", url.as_str()),
        ("NO_PROXY", "127.0.0.1"),
        ("UPDATE_URL_OVERRIDE", &update),
    ];
    let near = closed();
    let rule = format!("[[registry]]\nprefix = \"registry.redhat.io\"\nlocation = \"{near}\"\n");
    fs_err::write(home.join("registries.conf"), rule).unwrap();
    let args = [
        "doctor",
        "--registries-conf",
        "registries.conf",
        "--output",
        "json",
    ];
    let out = run_with(home, &environment, &args).expect(4);
    has(&out, "proxy", &format!("fail http://{proxy}"), "quay.io");
    has(&out, "proxy", "pass NO_PROXY", &near);
    assert!(
        !rows(&out, "proxy")
            .iter()
            .any(|row| row.starts_with("fail") && row.contains(&near))
    );
    assert!(
        !format!("{}{}", out.stdout, out.stderr).contains("proxy-secret"),
        "{}",
        out.stdout
    );
}

#[test]
fn a_job_is_asked_for_what_it_needs() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let host = http(|request, _| {
        let status = if request.contains("/manifests/") {
            "404 Not Found"
        } else {
            "200 OK"
        };
        reply(status, &date(0), "", "")
    });
    fs_err::write(home.join("mapping.txt"), format!("{host}/a/b:1=a/b:1\n")).unwrap();
    let factory = |folder: &str, size: u32| {
        let text = format!(
            "apiVersion: snoforge.io/v1\nkind: Factory\nrelease: {{mapping: mapping.txt}}\ndownload: {{folder: {folder}, tlsVerify: false}}\ndisks: [{{image: out.img, size: {size}}}]\n"
        );
        fs_err::write(home.join("factory.yaml"), text).unwrap();
    };
    factory("data", 1);
    let args = ["doctor", "-f", "factory.yaml", "--output", "json"];
    let out = run(home, &args);
    has(&out, "file", "pass factory.yaml", "nothing is wrong");
    has(
        &out,
        "registry",
        &format!("pass {host}/a/b"),
        "no login is needed",
    );
    assert!(rows(&out, "server").is_empty(), "{}", out.stdout);
    has(&out, "disk", "pass out.img", "a new file of 1 GiB");
    has(&out, "space", "pass", "(disk images)");
    factory("data", 1_000_000);
    // The file is sparse, and nobody knows yet how much it will hold.
    let short = run(home, &args);
    has(&short, "space", "warning", "needed at most");
    factory("mapping.txt", 1);
    let out = run(home, &args).expect(4);
    has(&out, "space", "fail mapping.txt (data)", "is no directory");
    let text = run(home, &["doctor", "-f", "factory.yaml", "--offline"]).expect(4);
    assert!(
        text.stdout.contains("To do:")
            && text
                .stdout
                .contains("not asked: --offline; no login is known for it"),
        "{}",
        text.stdout
    );
    assert!(
        text.stderr.contains("would make the job fail"),
        "{}",
        text.stderr
    );
    let mut wrong = fs_err::read_to_string(home.join("factory.yaml")).unwrap();
    wrong.push_str("isos: 1\n");
    fs_err::write(home.join("factory.yaml"), wrong).unwrap();
    run(home, &args).expect(2);
}

/// A bench without the Internet: the mirror has everything, the origins do not answer.
#[test]
fn a_mirror_of_the_job_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    // Asks for no login, and has one image and one file.
    let host = http(|request, _| {
        let there = request.contains(" /v2/ ") || request.contains(" /rootfs ");
        let status = if there { "200 OK" } else { "404 Not Found" };
        reply(status, &date(0), "", "")
    });
    let dead = closed();
    everything_at(home, &dead, true);
    authfile(home, &[(&host, "user:any")]);
    let factory = |file: &str| {
        let text = format!(
            "apiVersion: snoforge.io/v1\nkind: Factory\nrelease: {{version: 4.13.1, mceVersion: 2.2.4, ignoreReleaseSignature: true}}\ndownload:\n  folder: data\n  registriesConf: registries.conf\n  authfile: auth.json\n  mirrors: ['http://{host}/ocp']\n  push: ['http://{host}/a', 'http://{dead}/b']\n  rootfsUrl: ['http://{host}/{file}']\n"
        );
        fs_err::write(home.join("factory.yaml"), text).unwrap();
        let update = format!("http://{dead}/graph");
        let environment = [("UPDATE_URL_OVERRIDE", update.as_str())];
        let args = ["doctor", "-f", "factory.yaml", "--output", "json"];
        run_with(home, &environment, &args)
    };
    let out = factory("rootfs");
    let images = rows(&out, "registry");
    let mirror = format!("pass {host} for quay.io/openshift-release-dev/");
    has(&out, "registry", &mirror, "no login is needed");
    has(&out, "registry", "warning quay.io/", "connection refused");
    assert!(
        !images.iter().any(|row| row.starts_with("fail quay.io")),
        "{images:#?}"
    );
    has(
        &out,
        "server",
        &format!("warning {dead}"),
        "the update graph",
    );
    has(&out, "login", &format!("pass {host}"), "asks for no login");
    // Where it is pushed to has no mirror.
    let push = format!("pass push to http://{host}/a");
    has(&out, "registry", &push, "it answers");
    let push = format!("fail push to http://{dead}/b");
    has(&out, "registry", &push, "connection refused");
    let server = rows(&out, "server");
    assert!(
        server.contains(&format!("pass {host}: it answers, for `rootfsUrl`")),
        "{server:#?}"
    );
    let out = factory("typo").expect(4);
    has(&out, "server", &format!("fail {host}"), "`rootfsUrl`");
}
