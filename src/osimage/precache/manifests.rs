//! The install-time manifests, as files of `openshift-install`'s `openshift/` directory.
//!
//! bootkube copies everything of that directory to the bootstrap machine-config-controller (`cp openshift/* /etc/mcc/bootstrap/`), and
//! applies it to the cluster. The pool `master` comes from the operator's own manifests there, so that none is written here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Value, json};

use super::super::Error;
use super::{Method, OsImage};

/// Where `MachineOSConfig`s look for their secrets.
pub(super) const NAMESPACE: &str = "openshift-machine-config-operator";

/// What makes an image count as the pool's first build.
pub(super) const ANNOTATION: &str = "machineconfiguration.openshift.io/pre-built-image";

/// `spec.renderedImagePushSpec` of the CRD.
static PUSH_SPEC: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let rules = [
        r"^([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(:[0-9]{2,5})?(/[a-zA-Z0-9-_]{1,61})*/[a-zA-Z0-9-_.]+:[a-zA-Z0-9._-]+$",
        r"^[^.]+\.[^.]+\.svc:\d+\/[^\/]+\/[^\/]+:[^\/]+$",
    ];
    rules.map(|rule| Regex::new(rule).expect("a constant pattern"))
});

/// The login of a push secret: a `.dockerconfigjson` with nothing but logins.
#[derive(Clone)]
pub struct Login(BTreeMap<String, Value>);

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login(for {:?})", self.0.keys().collect::<Vec<_>>())
    }
}

impl Login {
    /// Takes the logins of a credential file that a registry's name could use.
    ///
    /// # Errors
    /// Not JSON with `auths`, or no login for the registry in it.
    pub fn parse(file: &str, bytes: &[u8], registry: &str) -> Result<Self, Error> {
        let refused = |reason: String| Error::Value {
            field: "push-authfile",
            text: file.to_owned(),
            reason,
        };
        let document: Value = serde_json::from_slice(bytes)
            .map_err(|_| refused("it is no JSON document".to_owned()))?;
        let auths = document.get("auths").and_then(Value::as_object);
        let host = |key: &str| key.split('/').next() == Some(registry);
        let auths = auths.into_iter().flatten().filter(|(key, login)| {
            host(key) && login.get("auth").is_some_and(|a| a.as_str() != Some(""))
        });
        let auths: BTreeMap<_, _> = auths.map(|(k, v)| (k.clone(), v.clone())).collect();
        if auths.is_empty() {
            return Err(refused(format!("there is no login for {registry} in it")));
        }
        Ok(Self(auths))
    }
}

/// What a `MachineOSConfig` needs for later builds.
#[derive(Debug, Clone)]
pub struct Push {
    /// Name of the secret.
    pub secret: String,
    /// `spec.renderedImagePushSpec`, with a tag.
    pub spec: String,
    /// The secret's contents, when it is to be written.
    pub login: Option<Login>,
}

impl Push {
    /// Checks both texts; without a spec later builds go to the image's own repository.
    ///
    /// # Errors
    /// A text that the API would refuse.
    pub fn new(secret: &str, spec: Option<&str>, image: &OsImage) -> Result<Self, Error> {
        let own = || format!("{}:latest", image.reference().name());
        let push = Self {
            secret: secret.to_owned(),
            spec: spec.map_or_else(own, str::to_owned),
            login: None,
        };
        let refused = |field, text: &str, reason: &str| Error::Value {
            field,
            text: text.to_owned(),
            reason: reason.to_owned(),
        };
        if !is_subdomain(secret) {
            let reason = "a name has lower-case letters, digits, `-` and `.`, with a letter or digit at both ends";
            return Err(refused("push-secret", secret, reason));
        }
        let fits = PUSH_SPEC.iter().any(|rule| rule.is_match(&push.spec));
        if !fits || push.spec.len() > 447 {
            let reason = "the API wants host[:port]/[namespace/…]name:tag with a dot in the host, or name.namespace.svc:port/repository/name:tag";
            return Err(refused("push-spec", &push.spec, reason));
        }
        Ok(push)
    }

    /// Host and port that it goes to.
    pub fn registry(&self) -> &str {
        self.spec.split('/').next().unwrap_or_default()
    }
}

/// RFC 1123, as `format.dns1123Subdomain()` of the CRD.
fn is_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| word(b) || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// A file below the installation directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    /// `openshift/99_….yaml`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Only the owner may read it.
    pub secret: bool,
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.secret { "…" } else { &self.text };
        write!(f, "Manifest({}, {text:?})", self.path)
    }
}

/// What is to be installed.
#[derive(Debug, Clone)]
pub struct Install<'a> {
    /// The pool; a single node has `master` alone.
    pub pool: &'a str,
    /// The image.
    pub image: &'a OsImage,
    /// How the release is told.
    pub method: Method,
    /// For [`Method::Annotation`].
    pub push: &'a Push,
}

impl Install<'_> {
    /// The files.
    pub fn manifests(&self) -> Vec<Manifest> {
        match self.method {
            Method::OsImageUrl => vec![self.machine_config()],
            Method::Annotation => {
                let secret = self.push.login.as_ref().map(|login| self.secret(login));
                [self.machine_os_config()]
                    .into_iter()
                    .chain(secret)
                    .collect()
            }
        }
    }

    /// The name of the `MachineConfig`.
    pub(super) fn machine_config_name(&self) -> String {
        format!("99-{}-os-image", self.pool)
    }

    fn machine_config(&self) -> Manifest {
        let name = self.machine_config_name();
        let text = format!(
            "apiVersion: machineconfiguration.openshift.io/v1\n\
             kind: MachineConfig\n\
             metadata:\n  \
               labels:\n    \
                 machineconfiguration.openshift.io/role: {}\n  \
               name: {name}\n\
             spec:\n  \
               osImageURL: {}\n",
            self.pool,
            quoted(&self.image.to_string())
        );
        self.file(&format!("machineconfig_{name}"), text)
    }

    fn machine_os_config(&self) -> Manifest {
        let text = format!(
            "apiVersion: machineconfiguration.openshift.io/v1\n\
             kind: MachineOSConfig\n\
             metadata:\n  \
               annotations:\n    \
                 {ANNOTATION}: {}\n  \
               name: {pool}\n\
             spec:\n  \
               imageBuilder:\n    \
                 imageBuilderType: Job\n  \
               machineConfigPool:\n    \
                 name: {pool}\n  \
               renderedImagePushSecret:\n    \
                 name: {}\n  \
               renderedImagePushSpec: {}\n",
            quoted(&self.image.to_string()),
            quoted(&self.push.secret),
            quoted(&self.push.spec),
            pool = self.pool,
        );
        self.file(&format!("machineosconfig_{}", self.pool), text)
    }

    fn secret(&self, login: &Login) -> Manifest {
        let contents = STANDARD.encode(json!({"auths": login.0}).to_string());
        let text = format!(
            "apiVersion: v1\n\
             kind: Secret\n\
             metadata:\n  \
               name: {}\n  \
               namespace: {NAMESPACE}\n\
             type: kubernetes.io/dockerconfigjson\n\
             data:\n  \
               .dockerconfigjson: {contents}\n",
            quoted(&self.push.secret)
        );
        Manifest {
            secret: true,
            ..self.file(&format!("machineosconfig_{}-push-secret", self.pool), text)
        }
    }

    fn file(&self, name: &str, text: String) -> Manifest {
        Manifest {
            path: format!("openshift/99_openshift-{name}.yaml"),
            text,
            secret: false,
        }
    }
}

/// In double quotes: JSON's are YAML's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
