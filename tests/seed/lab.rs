//! A seed cluster for `seed create`: an API server with what preflight reads, a registry with a password, a real seed image, the
//! program as a process that can be killed, and lifecycle-agent's part played by the test. Nothing sleeps to be in time: the state
//! file tells what the program has seen.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use snoforge::seed::facts::{Answer, paths};

use crate::apiserver::ApiServer;
use crate::facts::{base64, healthy};
use crate::registry::{DockerRegistry, Guard, LOGIN, installed};
use crate::{Run, program};

pub(crate) const GENERATORS: &str = "/apis/lca.openshift.io/v1/seedgenerators";
pub(crate) const GENERATOR: &str = "/apis/lca.openshift.io/v1/seedgenerators/seedimage";
pub(crate) const SECRETS: &str = "/api/v1/namespaces/openshift-lifecycle-agent/secrets";
pub(crate) const SECRET: &str = "/api/v1/namespaces/openshift-lifecycle-agent/secrets/seedgen";
/// What lifecycle-agent puts in place of the pull secret.
pub(crate) const SANITIZED: &str = r#"{"auths":{"registry.connect.redhat.com":{"username":"empty","password":"empty","auth":"ZW1wdHk6ZW1wdHk=","email":""}}}"#;
/// A loaded machine is slow; nothing takes so long.
const PATIENCE: Duration = Duration::from_mins(2);

/// Steps 1 to 8, as lifecycle-agent says them.
const MESSAGES: [&str; 8] = [
    "Waiting for system to stabilize",
    "Waiting for system to stabilize: one or more health checks failed: one or more ClusterOperators not yet ready: authentication",
    "Starting seed generation",
    "Pulling recert image",
    "Preparing for seed generation",
    "Cleaning cluster resources",
    "Launching imager container",
    "Finalizing seed generation",
];

/// Cluster, registry, and a home for the program.
pub(crate) struct Lab {
    pub(crate) home: tempfile::TempDir,
    pub(crate) server: ApiServer,
    pub(crate) registry: DockerRegistry,
    pub(crate) image: String,
}

/// The image of `scripts/make-seed-image`, made once: an OCI layout.
fn layout() -> Option<&'static Path> {
    static MADE: OnceLock<Option<tempfile::TempDir>> = OnceLock::new();
    let make = || {
        if !installed(&["ostree", "python3", "tar"]) {
            return None;
        }
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("skipped: ostree needs root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/make-seed-image");
        snoforge::exec::run(script, &[dir.path()]).unwrap_or_else(|e| panic!("{e}"));
        Some(dir)
    };
    MADE.get_or_init(make).as_ref().map(tempfile::TempDir::path)
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

/// Conditions of a step, 9 is completed.
pub(crate) fn step(n: usize) -> Value {
    if n == 9 {
        let done = |kind, status| condition(kind, status, "Completed", "Seed Generation completed");
        return json!([
            done("SeedGenInProgress", "False"),
            done("SeedGenCompleted", "True")
        ]);
    }
    json!([condition(
        "SeedGenInProgress",
        "True",
        "InProgress",
        MESSAGES[n - 1]
    )])
}

/// Conditions of a failure; the last is the one "in progress".
pub(crate) fn failed(text: &str) -> Value {
    json!([
        condition(
            "SeedGenCompleted",
            "False",
            "Failed",
            &format!("Seed generation failed: {text}")
        ),
        condition("SeedGenInProgress", "False", "Failed", text),
    ])
}

fn with_times(flags: &[&str]) -> Vec<String> {
    let more = "--kubeconfig kubeconfig --authfile auth.json --tls-verify=false --output json --poll 1s --timeout 10m";
    let all = flags.iter().copied().chain(more.split(' '));
    all.map(str::to_owned).collect()
}

impl Lab {
    /// `None`, with the reason printed, where something is not installed.
    pub(crate) fn new() -> Option<Self> {
        layout()?;
        let registry = DockerRegistry::start(Guard::Password)?;
        let mut fixed = healthy();
        fixed.remove(paths::GENERATORS);
        let Some(Answer::Object(mut secret)) = fixed.remove(paths::PULL_SECRET) else {
            panic!("a pull secret")
        };
        let server = ApiServer::mutual_tls_with(fixed);
        let crd = "tests/seed/crds/lca.openshift.io_seedgenerators.yaml";
        server.crd(&Path::new(env!("CARGO_MANIFEST_DIR")).join(crd));
        secret["apiVersion"] = "v1".into();
        secret["kind"] = "Secret".into();
        server.put(paths::PULL_SECRET, &secret);
        let home = tempfile::tempdir().unwrap();
        let image = format!("{}/sno1/seed:4.18.27", registry.host);
        let lab = Self {
            home,
            server,
            registry,
            image,
        };
        lab.write("kubeconfig", &lab.server.kubeconfig());
        lab.login(LOGIN.1);
        Some(lab)
    }

    pub(crate) fn write(&self, name: &str, document: &Value) {
        fs_err::write(self.path(name), document.to_string()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The auth file, with this password.
    pub(crate) fn login(&self, password: &str) {
        let auth = base64(format!("{}:{password}", LOGIN.0).as_bytes());
        let host = &self.registry.host;
        self.write("auth.json", &json!({"auths": {host: {"auth": auth}}}));
    }

    /// Flags of `create`, with short times.
    pub(crate) fn create(&self) -> Vec<String> {
        let flags = ["seed", "create", "--seed-image", &self.image, "--yes"];
        with_times(&flags)
    }

    /// Flags of `status`, with the same.
    #[expect(clippy::unused_self, reason = "called like `create`")]
    pub(crate) fn status(&self) -> Vec<String> {
        with_times(&["seed", "status"])
    }

    pub(crate) fn run(&self, args: &[String]) -> Run {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        program::run(self.home.path(), &args)
    }

    /// Starts the program.
    pub(crate) fn start(&self, args: &[String]) -> Process<'_> {
        let file = |name: &str| fs_err::File::create(self.path(name)).unwrap().into_file();
        let child = program::snoforge(self.home.path())
            .args(args)
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Process { child, lab: self }
    }

    /// Field of the state file; null when there is none.
    pub(crate) fn state(&self, field: &str) -> Value {
        let bytes = fs_err::read(self.path("seed-create.json")).unwrap_or_default();
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        document[field].clone()
    }

    /// Changes the state file.
    pub(crate) fn set_state(&self, field: &str, value: Value) {
        let bytes = fs_err::read(self.path("seed-create.json")).unwrap();
        let mut document: Value = serde_json::from_slice(&bytes).unwrap();
        document[field] = value;
        self.write("seed-create.json", &document);
    }

    /// As the operator: sets the conditions.
    pub(crate) fn says(&self, conditions: &Value) {
        let mut object = self.server.object(GENERATOR).expect("a SeedGenerator");
        object["status"] = json!({"observedGeneration": 1, "conditions": conditions});
        self.server.put(GENERATOR, &object);
    }

    /// As the operator: deletes Secret and SeedGenerator, gives the latter to whoever restores it.
    pub(crate) fn cleans(&self) -> Value {
        self.server.remove(SECRET);
        let mut object = self.server.remove(GENERATOR);
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp"] {
            object["metadata"].as_object_mut().unwrap().remove(field);
        }
        object
    }

    /// As the imager: pushes the image.
    pub(crate) fn pushes(&self) {
        let source = format!("oci:{}/oci:seed", layout().unwrap().display());
        let login = format!("{}:{}", LOGIN.0, LOGIN.1);
        let target = format!("docker://{}", self.image);
        let args = [
            "copy",
            "-q",
            "--dest-tls-verify=false",
            "--dest-creds",
            &login,
            &source,
            &target,
        ];
        DockerRegistry::skopeo(&args);
    }

    /// How often something was asked of the API.
    pub(crate) fn asked(&self, begin: &str) -> usize {
        let seen = self.server.seen();
        seen.iter().filter(|line| line.starts_with(begin)).count()
    }
}

/// The program while it runs; killed with this.
pub(crate) struct Process<'a> {
    child: Child,
    lab: &'a Lab,
}

impl Process<'_> {
    /// Waits until something is so, while the program runs.
    pub(crate) fn until(&mut self, what: &str, is: impl Fn(&Lab) -> bool) {
        let begin = Instant::now();
        while !is(self.lab) {
            let ended = self.child.try_wait().unwrap();
            let said = || format!("{what}:\n{}{}", self.read("stdout"), self.read("stderr"));
            if let Some(status) = ended {
                panic!("it ended with {status} before {}", said());
            }
            assert!(begin.elapsed() < PATIENCE, "never {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it knows the step.
    pub(crate) fn knows(&mut self, step: usize) {
        self.until(&format!("step {step}"), |lab| {
            lab.state("step") == json!(step)
        });
    }

    /// Waits until it has said something on stderr.
    pub(crate) fn says(&mut self, text: &str) {
        self.until(text, |lab| {
            let said = fs_err::read_to_string(lab.path("stderr")).unwrap();
            said.contains(text)
        });
    }

    /// `SIGKILL`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `SIGINT`.
    pub(crate) fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGINT).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Run {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "it does not end: {}",
                self.read("stderr")
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        Run {
            code: status.code().unwrap_or(-1),
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
        }
    }

    fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.lab.path(name)).unwrap()
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
