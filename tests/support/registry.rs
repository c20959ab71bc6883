//! Debian's docker-registry on a free port: plain, with htpasswd, or with TLS under a private CA.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a broken fixture should stop the test, an absent one should say so"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// What stands before the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing.
    Plain,
    /// `user:hunter2`, bcrypt.
    Password,
    /// A certificate for 127.0.0.1 of a CA made for the test.
    Tls,
    /// The same, and clients show a certificate of that CA.
    MutualTls,
}

/// The running registry and its directory; both end with it.
#[derive(Debug)]
pub(crate) struct DockerRegistry {
    child: Child,
    pub(crate) host: String,
    pub(crate) dir: tempfile::TempDir,
}

/// The password of [`Guard::Password`].
pub(crate) const LOGIN: (&str, &str) = ("user", "hunter2");

/// Whether all of these programs are installed; says so when not.
pub(crate) fn installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| snoforge::exec::run("which", &[**program]).is_err())
        .collect();
    if missing.is_empty() {
        return true;
    }
    eprintln!("skipped: not installed: {missing:?}");
    false
}

impl DockerRegistry {
    /// `None`, with the reason printed, when a program that it needs is not installed.
    pub(crate) fn start(guard: Guard) -> Option<Self> {
        if !installed(&["docker-registry", "skopeo", "htpasswd", "openssl"]) {
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        // Bound and let go: the registry takes the port a moment later.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let host = port.to_string();
        let config = dir.path().join("config.yml");
        fs_err::write(&config, yaml(guard, &host, dir.path())).unwrap();
        let log = fs_err::File::create(dir.path().join("log")).unwrap();
        let child = spawn(&config, log.into_file());
        let registry = Self { child, host, dir };
        for _ in 0..200 {
            if std::net::TcpStream::connect(&registry.host).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("docker-registry does not listen: {}", registry.log());
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        fs_err::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The directory with the CA, for `--cert-dir`.
    pub(crate) fn cert_dir(&self) -> PathBuf {
        self.dir.path().join("certs")
    }

    /// Runs skopeo and stops the test when it fails.
    pub(crate) fn skopeo(args: &[&str]) -> Vec<u8> {
        let mut all = vec!["--insecure-policy"];
        all.extend(args);
        snoforge::exec::run("skopeo", &all).unwrap_or_else(|e| panic!("{e}"))
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server that outlives the call, which crate::exec does not do"
)]
fn spawn(config: &Path, log: impl Into<Stdio>) -> Child {
    std::process::Command::new("docker-registry")
        .arg("serve")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("docker-registry starts")
}

fn yaml(guard: Guard, host: &str, dir: &Path) -> String {
    let data = dir.join("data");
    let mut text = format!(
        "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: {host}\n",
        data.display()
    );
    match guard {
        Guard::Plain => {}
        Guard::Tls | Guard::MutualTls => {
            make_certificates(dir, guard);
            let dir = dir.display();
            let clients = match guard {
                Guard::MutualTls => format!(", clientcas: [{dir}/certs/ca.crt]"),
                _ => String::new(),
            };
            text.extend([format!(
                "  tls: {{certificate: {dir}/server.crt, key: {dir}/server.key{clients}}}\n"
            )]);
        }
        Guard::Password => {
            let (user, password) = LOGIN;
            let line = snoforge::exec::run("htpasswd", &["-Bbn", user, password]).unwrap();
            let path = dir.join("htpasswd");
            fs_err::write(&path, line).unwrap();
            let path = path.display();
            text.extend([format!(
                "auth: {{htpasswd: {{realm: test, path: {path}}}}}\n"
            )]);
        }
    }
    text
}

/// A CA in `certs/ca.crt`, a server certificate of it, and a client's beside the CA when one is wanted.
fn make_certificates(dir: &Path, guard: Guard) {
    const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    fs_err::create_dir(dir.join("certs")).unwrap();
    fs_err::write(dir.join("ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    // No part of a path of tempfile has a blank.
    let path = dir.display();
    let openssl = |line: String| {
        let args: Vec<&str> = line.split_whitespace().collect();
        snoforge::exec::run("openssl", &args).unwrap_or_else(|e| panic!("{e}"));
    };
    openssl(format!(
        "req -x509 {KEY} -days 2 -subj /CN=test-ca -keyout {path}/ca.key -out {path}/certs/ca.crt"
    ));
    let sign = |key: &str, cert: &str| {
        openssl(format!(
            "req {KEY} -subj /CN=test -keyout {path}/{key} -out {path}/request"
        ));
        openssl(format!(
            "x509 -req -CAcreateserial -days 2 -in {path}/request -extfile {path}/ext -CA {path}/certs/ca.crt -CAkey {path}/ca.key -out {path}/{cert}"
        ));
    };
    sign("server.key", "server.crt");
    if guard == Guard::MutualTls {
        sign("certs/client.key", "certs/client.cert");
    }
}
