//! Certificates in configs, against chains that openssl made and openssl checks.
#![expect(
    clippy::too_many_lines,
    clippy::print_stdout,
    clippy::format_collect,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "long tables, a printed reason where a test is skipped, names that this file made"
)]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test may stop at the first broken invariant"
)]

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Digest as _;
use snoforge::exec;
use snoforge::ignition::Config;
use snoforge::ignition::certs::{self, Extension, Survey};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The certificates of openshift-install 4.13 and their lifetimes (`seed-image.md` section 8.3), one of each kind: name, issuer,
/// days, whether its key is in the config.
const CHAIN: [(&str, &str, u32, bool); 19] = [
    ("aggregator-ca", "", 1, true),
    ("apiserver-proxy", "aggregator-ca", 1, true),
    ("aggregator-signer", "", 1, true),
    ("aggregator-client", "aggregator-signer", 1, true),
    ("kubelet-signer", "", 1, true),
    ("kube-apiserver-localhost-signer", "", 3650, true),
    (
        "kube-apiserver-localhost-server",
        "kube-apiserver-localhost-signer",
        1,
        true,
    ),
    ("kube-apiserver-lb-signer", "", 3650, true),
    (
        "kube-apiserver-lb-server",
        "kube-apiserver-lb-signer",
        1,
        true,
    ),
    (
        "kube-apiserver-internal-lb-server",
        "kube-apiserver-lb-signer",
        1,
        true,
    ),
    ("kube-apiserver-to-kubelet-signer", "", 365, true),
    (
        "kube-apiserver-to-kubelet-client",
        "kube-apiserver-to-kubelet-signer",
        365,
        true,
    ),
    ("kube-control-plane-signer", "", 365, true),
    (
        "kube-control-plane-kube-scheduler-client",
        "kube-control-plane-signer",
        365,
        true,
    ),
    ("admin-kubeconfig-signer", "", 3650, false),
    ("admin", "admin-kubeconfig-signer", 3650, true),
    ("root-ca", "", 3650, false),
    ("machine-config-server", "root-ca", 3650, true),
    ("journal-gatewayd", "root-ca", 3650, true),
];

fn sh(dir: &Path, script: &str) -> String {
    let script = format!("set -eu -o pipefail; {script}");
    let out = exec::run_in(dir, "bash", &["-c", &script]).expect("openssl does its work");
    String::from_utf8(out).unwrap()
}

fn no_openssl() -> bool {
    let missing = exec::run("openssl", &["version"]).is_err();
    if missing {
        println!("skipped: openssl is not installed");
    }
    missing
}

/// Makes `name.key` (in the form that `-traditional` gives) and `name.crt`. `algorithm` goes to `-newkey`, `digest` to the signature.
fn make(dir: &Path, name: &str, issuer: &str, days: u32, (algorithm, digest): (&str, &str)) {
    let subject = format!("/OU=openshift/CN={name}");
    let new = format!("-newkey {algorithm} -nodes -keyout {name}.p8 -subj '{subject}'");
    let key = format!("openssl pkey -traditional -in {name}.p8 -out {name}.key");
    if issuer.is_empty() {
        sh(
            dir,
            &format!(
                "openssl req -x509 {new} -{digest} -days {days} -out {name}.crt \
                 -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature; {key}"
            ),
        );
        return;
    }
    sh(
        dir,
        &format!(
            "openssl req -new {new} -out {name}.csr; {key}
             printf 'subjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid,issuer:always\\nbasicConstraints=critical,CA:FALSE\\nkeyUsage=critical,digitalSignature,keyEncipherment\\nextendedKeyUsage=serverAuth,clientAuth\\nsubjectAltName=DNS:localhost,DNS:api-int.bip.lab,IP:127.0.0.1,IP:fd00::1\\n' > {name}.ext
             openssl x509 -req -in {name}.csr -CA {issuer}.crt -CAkey {issuer}.key -CAcreateserial -{digest} -days {days} -extfile {name}.ext -out {name}.crt"
        ),
    );
}

fn file(path: &str, contents: &str) -> Value {
    let source = format!(
        "data:text/plain;charset=utf-8;base64,{}",
        STANDARD.encode(contents)
    );
    json!({"path": path, "mode": 384, "contents": {"source": source}})
}

fn read(dir: &Path, name: &str) -> String {
    fs_err::read_to_string(dir.join(name)).unwrap()
}

fn config(files: &[Value]) -> Config {
    let root = json!({"ignition": {"version": "3.2.0"}, "storage": {"files": files}});
    Config::parse(root.to_string().as_bytes()).unwrap()
}

/// A config as openshift-install makes it: every certificate several times.
fn stock(dir: &Path) -> Config {
    for (name, issuer, days, _) in CHAIN {
        make(dir, name, issuer, days, ("rsa:2048", "sha256"));
    }
    let tls = |name: &str| format!("/opt/openshift/tls/{name}");
    let mut files = Vec::new();
    for (name, issuer, _, key) in CHAIN {
        // Serving certificates carry their issuer (`seed-image.md` section 8.3).
        let mut pem = read(dir, &format!("{name}.crt"));
        if name.ends_with("-server") {
            pem += &read(dir, &format!("{issuer}.crt"));
        }
        files.push(file(&tls(&format!("{name}.crt")), &pem));
        if key {
            let pem = read(dir, &format!("{name}.key"));
            assert!(pem.contains("BEGIN RSA PRIVATE KEY"));
            files.push(file(&tls(&format!("{name}.key")), &pem));
        }
    }
    let bundle = |names: &[&str]| -> String {
        names
            .iter()
            .map(|n| read(dir, &format!("{n}.crt")))
            .collect()
    };
    let clients = bundle(&[
        "aggregator-signer",
        "kubelet-signer",
        "kube-apiserver-to-kubelet-signer",
        "admin-kubeconfig-signer",
    ]);
    let b64 = |text: &str| STANDARD.encode(text);
    let kubeconfig = format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {}\n    server: https://localhost:6443\nusers:\n- name: admin\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
        b64(&bundle(&[
            "kube-apiserver-localhost-signer",
            "kube-apiserver-lb-signer"
        ])),
        b64(&read(dir, "admin.crt")),
        b64(&read(dir, "admin.key")),
    );
    let secret = format!(
        "apiVersion: v1\nkind: Secret\ndata:\n  tls.crt: {}\n  tls.key: {}\n",
        b64(&read(dir, "kube-apiserver-lb-server.crt")),
        b64(&read(dir, "kube-apiserver-lb-server.key")),
    );
    let config_map = json!({"kind": "ConfigMap", "data": {"ca-bundle.crt": clients}}).to_string();
    let indented: String = clients.lines().map(|l| format!("    {l}\n")).collect();
    let yaml_map = format!("kind: ConfigMap\ndata:\n  ca-bundle.crt: |\n{indented}  other: x\n");
    files.extend([
        file(
            &tls("kube-apiserver-complete-client-ca-bundle.crt"),
            &clients,
        ),
        file("/opt/openshift/auth/kubeconfig-loopback", &kubeconfig),
        file("/opt/openshift/manifests/secret.yaml", &secret),
        file("/opt/openshift/manifests/config-map.json", &config_map),
        file("/opt/openshift/manifests/config-map.yaml", &yaml_map),
        file("/etc/motd", "hello\n"),
    ]);
    config(&files)
}

/// One hour into the life of a fresh config.
fn start(survey: &Survey) -> Timestamp {
    let first = survey
        .certificates
        .iter()
        .map(|c| c.not_before)
        .max()
        .unwrap();
    first + SignedDuration::from_hours(1)
}

fn decoded(config: &Config) -> BTreeMap<String, String> {
    let files = config.files();
    files
        .map(|f| {
            let bytes = f.bytes().unwrap().unwrap();
            (f.path().to_owned(), String::from_utf8(bytes).unwrap())
        })
        .collect()
}

/// Writes the first certificate of every `*.crt` where openssl can see it.
fn unpack(config: &Config, dir: &Path) {
    for (path, text) in decoded(config) {
        if let Some(name) = path.strip_prefix("/opt/openshift/tls/") {
            let first = text.split_inclusive("-----END CERTIFICATE-----\n").next();
            let text = if path.ends_with(".crt") {
                first.unwrap()
            } else {
                &text
            };
            fs_err::write(dir.join(name), text).unwrap();
        }
    }
}

fn verify(dir: &Path, at: Timestamp) {
    for (name, issuer, ..) in CHAIN {
        let ca = if issuer.is_empty() { name } else { issuer };
        let seconds = at.as_second();
        let out = sh(
            dir,
            &format!(
                "openssl verify -x509_strict -attime {seconds} -CAfile {ca}.crt {name}.crt || true"
            ),
        );
        // The strict check wants an authority key identifier in every CA; the order of names is not what is tested.
        assert!(out.contains(": OK"), "{name} at {at}: {out}");
    }
}

/// Everything of a certificate that must not change.
fn identity(dir: &Path, name: &str) -> String {
    sh(
        dir,
        &format!(
            "openssl x509 -in {name}.crt -noout -pubkey -serial -subject -issuer -startdate -ext subjectKeyIdentifier,authorityKeyIdentifier,subjectAltName,extendedKeyUsage,keyUsage,basicConstraints 2>&1"
        ),
    )
}

#[test]
fn a_stock_config_lives_a_year() {
    if no_openssl() {
        return;
    }
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut config = stock(old.path());
    let before = certs::survey(&config);
    let now = start(&before);
    assert_eq!(before.certificates.len(), CHAIN.len());
    assert_eq!(before.unreadable, []);
    assert!(before.certificates.iter().all(|c| c.needed));
    let first = before.use_before().unwrap();
    assert!(first.left(now) < DAY && !before.expired(now) && before.expired(now + DAY));
    verify(old.path(), now);

    let original = config.clone();
    let done = certs::extend(&mut config, now, DAY * 365).unwrap();
    let target = now + DAY * 365;
    let short: Vec<_> = CHAIN.iter().filter(|c| c.2 <= 365).map(|c| c.0).collect();
    assert_eq!(done.extended.len(), short.len());
    assert!(done.extended.iter().all(|e| e.not_after == target));
    assert_eq!(done.left, []);
    assert_eq!(done.survey, certs::survey(&config));
    assert_eq!(done.survey.use_before().unwrap().not_after, target);

    unpack(&config, new.path());
    verify(new.path(), now);
    verify(new.path(), now + DAY * 364);
    for (name, ..) in CHAIN {
        assert_eq!(
            identity(old.path(), name),
            identity(new.path(), name),
            "{name}"
        );
    }
    copies(&original, &config, old.path(), new.path());
    issuers_first(&done);
    again(config, now);
}

/// Every copy of a certificate is the new one, and nothing else differs.
fn copies(before: &Config, after: &Config, old: &Path, new: &Path) {
    let mut expected = decoded(before);
    for text in expected.values_mut() {
        for (name, ..) in CHAIN {
            let (old, new) = (
                read(old, &format!("{name}.crt")),
                read(new, &format!("{name}.crt")),
            );
            let indent = |pem: &str| pem.trim_end().replace('\n', "\n    ");
            *text = text
                .replace(&old, &new)
                .replace(&old.replace('\n', "\\n"), &new.replace('\n', "\\n"))
                .replace(&indent(&old), &indent(&new));
        }
        let swap = |line: &str| match line.split_once(": ") {
            Some((key, value)) if value.len() > 100 => {
                let mut pem = String::from_utf8(STANDARD.decode(value).unwrap()).unwrap();
                for (name, ..) in CHAIN {
                    let name = format!("{name}.crt");
                    pem = pem.replace(&read(old, &name), &read(new, &name));
                }
                format!("{key}: {}\n", STANDARD.encode(pem))
            }
            _ => format!("{line}\n"),
        };
        if text.contains("apiVersion") {
            *text = text.lines().map(swap).collect();
        }
    }
    assert_eq!(expected, decoded(after));
    let survey = certs::survey(after);
    let places: usize = survey.certificates.iter().map(|c| c.places.len()).sum();
    let were: usize = certs::survey(before)
        .certificates
        .iter()
        .map(|c| c.places.len())
        .sum();
    assert_eq!((places, survey.certificates.len()), (were, CHAIN.len()));
    let kubelet = survey
        .certificates
        .iter()
        .find(|c| c.subject == "OU=openshift, CN=kubelet-signer")
        .unwrap();
    let places: Vec<_> = kubelet.places.iter().map(ToString::to_string).collect();
    assert_eq!(
        places,
        [
            "/opt/openshift/tls/kubelet-signer.crt",
            "/opt/openshift/tls/kube-apiserver-complete-client-ca-bundle.crt #2",
            "/opt/openshift/manifests/config-map.json: ca-bundle.crt #2",
            "/opt/openshift/manifests/config-map.yaml: ca-bundle.crt #2",
        ]
    );
}

fn issuers_first(done: &Extension) {
    let place = |name: &str| {
        let subject = format!("OU=openshift, CN={name}");
        done.extended.iter().position(|e| e.subject == subject)
    };
    for (name, issuer, ..) in CHAIN {
        if let (Some(child), Some(parent)) = (place(name), place(issuer)) {
            assert!(parent < child, "{name}");
        }
    }
}

/// The same moment again changes nothing; nothing that was shown is a key.
fn again(mut config: Config, now: Timestamp) {
    let bytes = config.render();
    let done = certs::extend(&mut config, now, DAY * 365).unwrap();
    assert_eq!(done.extended, []);
    assert!(config.render() == bytes);
    let shown = format!("{done:?}{}", serde_json::to_string(&done).unwrap());
    for text in decoded(&config).values() {
        let lines = text
            .split("PRIVATE KEY-----\n")
            .skip(1)
            .flat_map(str::lines);
        for line in lines.filter(|line| line.len() == 64) {
            assert!(!shown.contains(line));
        }
    }
}

#[test]
fn every_kind_of_key_and_form() {
    if no_openssl() {
        return;
    }
    let kinds = [
        ("rsa:2048", "sha384"),
        ("rsa:3072", "sha512"),
        ("ec -pkeyopt ec_paramgen_curve:P-256", "sha256"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "sha384"),
        ("ec -pkeyopt ec_paramgen_curve:P-521", "sha512"),
    ];
    for (kind, form) in kinds.iter().flat_map(|k| [(k, "key"), (k, "p8")]) {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        make(dir, "ca", "", 2, *kind);
        make(dir, "leaf", "ca", 1, *kind);
        let mut config = config(&[
            file("/ca.key", &read(dir, &format!("ca.{form}"))),
            file("/ca.crt", &read(dir, "ca.crt").replace('\n', "\r\n")),
            file("/leaf.crt", &read(dir, "leaf.crt")),
        ]);
        let now = start(&certs::survey(&config));
        let before = ["ca", "leaf"].map(|name| identity(dir, name));
        // Beyond 2050: GeneralizedTime.
        let done = certs::extend(&mut config, now, DAY * 365 * 30).unwrap();
        assert_eq!(done.extended.len(), 2, "{kind:?} {form}");
        for (path, text) in decoded(&config) {
            fs_err::write(dir.join(&path[1..]), text).unwrap();
        }
        let at = (now + DAY * 365 * 29).as_second();
        let out = sh(
            dir,
            &format!("openssl verify -attime {at} -CAfile ca.crt leaf.crt"),
        );
        assert_eq!(out.trim(), "leaf.crt: OK");
        let parsed = sh(dir, "openssl asn1parse -in leaf.crt");
        assert!(parsed.contains("GENERALIZEDTIME") && parsed.contains("UTCTIME"));
        assert!(read(dir, "ca.crt").contains("\r\n"));
        assert_eq!(
            before,
            ["ca", "leaf"].map(|name| identity(dir, name)),
            "{kind:?}"
        );
    }
}

#[test]
fn what_cannot_be_signed_is_left_and_said() {
    if no_openssl() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let rsa = ("rsa:2048", "sha256");
    make(dir, "foreign-ca", "", 2, rsa);
    make(dir, "foreign-leaf", "foreign-ca", 1, rsa);
    make(dir, "stranger", "", 1, rsa);
    make(dir, "old", "", 1, ("rsa:2048", "sha1"));
    make(
        dir,
        "pss",
        "",
        1,
        ("rsa:2048", "sha256 -sigopt rsa_padding_mode:pss"),
    );
    make(
        dir,
        "mixed",
        "",
        1,
        ("ec -pkeyopt ec_paramgen_curve:P-384", "sha256"),
    );
    let mut files: Vec<_> = [
        "foreign-ca",
        "foreign-leaf",
        "stranger",
        "old",
        "pss",
        "mixed",
    ]
    .iter()
    .map(|n| file(&format!("/{n}.crt"), &read(dir, &format!("{n}.crt"))))
    .collect();
    files.extend(
        ["foreign-leaf", "old", "pss", "mixed"]
            .map(|n| file(&format!("/{n}.key"), &read(dir, &format!("{n}.key")))),
    );
    files.push(file(
        "/broken.crt",
        "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
    ));
    let mut config = config(&files);
    let bytes = config.render();
    let now = start(&certs::survey(&config));
    let done = certs::extend(&mut config, now, DAY * 30).unwrap();
    assert_eq!(done.extended, []);
    assert!(config.render() == bytes);
    let left: BTreeMap<_, _> = done
        .left
        .iter()
        .map(|l| {
            (
                l.subject.rsplit('=').next().unwrap(),
                (l.needed, l.reason.as_str()),
            )
        })
        .collect();
    let no_key = "the key of its issuer is not in the file";
    assert_eq!(left["foreign-leaf"], (true, no_key));
    assert_eq!(left["foreign-ca"], (true, no_key));
    assert_eq!(left["stranger"], (false, no_key));
    assert!(left["old"].1.contains("1.2.840.113549.1.1.5"), "{left:?}");
    assert!(left["pss"].1.contains("1.2.840.113549.1.1.10"), "{left:?}");
    assert!(left["mixed"].1.contains("does not go with"), "{left:?}");
    assert_eq!(done.survey.unreadable.len(), 1);
    // The stranger came with some bundle: its end is not that of the installation.
    assert_ne!(
        done.survey.use_before().unwrap().subject,
        "OU=openshift, CN=stranger"
    );
}

#[test]
fn no_leaf_outlives_its_issuer() {
    if no_openssl() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let rsa = ("rsa:2048", "sha256");
    make(dir, "root", "", 40, rsa);
    make(dir, "middle", "root", 30, rsa);
    make(dir, "leaf", "middle", 1, rsa);
    // The root's key stays at home, the middle's does not.
    let mut config = config(&[
        file(
            "/bundle.crt",
            &(read(dir, "leaf.crt") + &read(dir, "middle.crt") + &read(dir, "root.crt")),
        ),
        file("/middle.key", &read(dir, "middle.key")),
    ]);
    let survey = certs::survey(&config);
    let now = start(&survey);
    let end = survey.certificates[1].not_after;
    let done = certs::extend(&mut config, now, DAY * 365).unwrap();
    let [leaf] = done.extended.as_slice() else {
        panic!("{:?}", done.extended);
    };
    assert_eq!(
        (leaf.subject.as_str(), leaf.not_after),
        ("OU=openshift, CN=leaf", end)
    );
    assert_eq!(done.left.len(), 2);
}

#[test]
fn compressed_hashed_and_nested_sources() {
    if no_openssl() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, "ca", "", 1, ("rsa:2048", "sha256"));
    let (pem, key) = (read(dir, "ca.crt"), read(dir, "ca.key"));
    sh(dir, "gzip -nk ca.crt");
    let gzip = STANDARD.encode(fs_err::read(dir.join("ca.crt.gz")).unwrap());
    sh(dir, "openssl x509 -in ca.crt -outform DER -out ca.der");
    let der = STANDARD.encode(fs_err::read(dir.join("ca.der")).unwrap());
    let percent: String = pem
        .replace('\n', "%0A")
        .replace(' ', "%20")
        .replace('+', "%2B");
    let inner = json!({"ignition": {"version": "3.2.0", "security": {"tls": {"certificateAuthorities": [
        {"source": format!("data:text/plain;charset=utf-8;base64,{}", STANDARD.encode(&pem))}]}}}});
    let user_data = format!(
        "kind: Secret\ndata:\n  userData: {}\n",
        STANDARD.encode(inner.to_string())
    );
    let root = json!({
        "ignition": {"version": "3.2.0", "security": {"tls": {"certificateAuthorities": [{"source": format!("data:,{percent}")}]}}},
        "storage": {"files": [
            {"path": "/gz", "contents": {"compression": "gzip", "source": format!("data:;base64,{gzip}"),
             "verification": {"hash": format!("sha512-{}", hex::encode(sha2::Sha512::digest(&pem)))}}},
            {"path": "/der", "contents": {"source": format!("data:;base64,{der}")}},
            {"path": "/appended", "append": [{"source": format!("data:;base64,{}", STANDARD.encode(&pem))}]},
            file("/user-data", &user_data),
            file("/ca.key", &key),
        ]},
        "systemd": {"units": [{"name": "x.service", "contents": format!("[Unit]\n{pem}")}]},
    });
    let mut config = Config::parse(root.to_string().as_bytes()).unwrap();
    let survey = certs::survey(&config);
    let [found] = survey.certificates.as_slice() else {
        panic!("{survey:?}");
    };
    let places: Vec<_> = found.places.iter().map(ToString::to_string).collect();
    assert_eq!(
        places,
        [
            "/ignition/security/tls/certificateAuthorities/0",
            "/gz",
            "/der",
            "/appended",
            "/user-data: userData: source",
            "x.service",
        ]
    );
    certs::extend(&mut config, start(&survey), DAY * 30).unwrap();
    let after = certs::survey(&config);
    assert_eq!(after.certificates.len(), 1, "a copy was missed");
    assert_eq!(after.certificates[0].places, found.places);
    let gz = config.file("/gz").unwrap();
    let bytes = gz.bytes().unwrap().unwrap();
    let hash = format!("sha512-{}", hex::encode(sha2::Sha512::digest(&bytes)));
    assert_eq!(gz.contents().unwrap().hash(), Some(hash.as_str()));
    fs_err::write(dir.join("new.crt"), bytes).unwrap();
    sh(dir, "openssl verify -CAfile new.crt new.crt");
}

#[test]
fn durations_that_no_certificate_can_say() {
    let mut config = config(&[]);
    let now: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    for duration in [SignedDuration::ZERO, -DAY, DAY * 365 * 9000] {
        let refused = certs::extend(&mut config, now, duration).unwrap_err();
        assert!(
            matches!(refused, certs::Error::OutOfRange { .. }),
            "{refused}"
        );
    }
    assert!(certs::survey(&config).use_before().is_none());
}

#[test]
fn the_config_of_seed_003_holds_none() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/ignition/bip-4.13.1-patched-by-hand.ign"
    );
    let Ok(bytes) = fs_err::read(path) else {
        println!("skipped: ../shared is absent");
        return;
    };
    let survey = certs::survey(&Config::parse(&bytes).unwrap());
    assert!(survey.certificates.is_empty() && survey.unreadable.is_empty());
}

/// The verb: what it prints, what it writes, how it ends.
#[test]
fn on_the_command_line() {
    use std::os::unix::fs::PermissionsExt as _;

    if no_openssl() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, "ca", "", 1, ("rsa:2048", "sha256"));
    let config = config(&[
        file("/ca.crt", &read(dir, "ca.crt")),
        file("/ca.key", &read(dir, "ca.key")),
    ]);
    fs_err::write(dir.join("in.ign"), config.render()).unwrap();
    let now = start(&certs::survey(&config)).as_second();
    let run = |args: &[&str], now: i64| {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_snoforge"));
        command
            .current_dir(dir)
            .env("SOURCE_DATE_EPOCH", now.to_string());
        command
            .args(["ignition", "certs"])
            .args(args)
            .output()
            .unwrap()
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();

    let listed = run(&["in.ign"], now);
    assert_eq!(listed.status.code(), Some(0));
    let out = text(&listed.stdout);
    assert!(
        out.contains("OU=openshift, CN=ca") && out.contains("23h 5"),
        "{out}"
    );
    assert!(text(&listed.stderr).is_empty());

    // What has expired has expired, whatever time is to be written.
    sh(
        dir,
        "printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=p\n[p]\nCN=supplied\n' > ca.conf
         : > index; echo 01 > serial; openssl req -new -key ca.key -subj /CN=old -out old.csr
         openssl ca -batch -notext -selfsign -config ca.conf -keyfile ca.key -in old.csr -startdate 20240101000000Z -enddate 20240102000000Z -out old.crt",
    );
    let old = self::config(&[
        file("/old.crt", &read(dir, "old.crt")),
        file("/old.key", &read(dir, "ca.key")),
    ]);
    fs_err::write(dir.join("old.ign"), old.render()).unwrap();
    let late = run(&["old.ign", "--output", "json"], 1_704_070_000);
    let document: Value = serde_json::from_slice(&late.stdout).unwrap();
    assert_eq!(document["expired"], true);
    assert!(document["certificates"][0]["secondsLeft"].as_i64().unwrap() < 0);
    assert!(text(&late.stderr).contains("has expired on"));
    assert_eq!(late.status.code(), Some(0));

    for wrong in [
        &["in.ign", "--extend", "365d"][..],
        &["in.ign", "-o", "x"],
        &["in.ign", "--extend", "soon", "-o", "x"],
        &["in.ign", "--extend", "9999y", "-o", "x"],
        &["absent.ign"],
    ] {
        assert_eq!(run(wrong, now).status.code(), Some(2), "{wrong:?}");
    }
    assert!(!dir.join("x").exists());

    let done = run(&["in.ign", "--extend", "365d", "-o", "out.ign"], now);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(
        text(&done.stdout).contains("1 signed again, 0 left. Use before "),
        "{}",
        text(&done.stdout)
    );
    let mode = fs_err::metadata(dir.join("out.ign")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600, "it holds private keys");
    let written = Config::parse(&fs_err::read(dir.join("out.ign")).unwrap()).unwrap();
    let end = certs::survey(&written)
        .use_before()
        .unwrap()
        .not_after
        .as_second();
    assert_eq!(end, now + 365 * 86_400);
    for out in [done, late, listed] {
        assert!(!(text(&out.stdout) + &text(&out.stderr)).contains("PRIVATE"));
    }
}
