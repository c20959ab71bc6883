//! The install-time manifests, as files of `openshift-install`'s `openshift/` directory.
//!
//! bootkube copies everything of that directory to the bootstrap machine-config-controller (`cp openshift/* /etc/mcc/bootstrap/`), and
//! applies it to the cluster. The pool `master` comes from the operator's own manifests there, so that none is written here.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use super::{Method, OsImage};
use crate::objects::Error;
use crate::objects::auth::AuthFile;
use crate::objects::names::{object_name, pull_spec};
use crate::objects::yaml::scalar;
use crate::oci::Reference;

/// The longest pull spec that the API takes.
pub(super) const MAX_SPEC_LEN: usize = 447;

/// Where `MachineOSConfig`s look for their secrets.
pub(super) const NAMESPACE: &str = "openshift-machine-config-operator";

/// What makes an image count as the pool's first build.
pub(super) const ANNOTATION: &str = "machineconfiguration.openshift.io/pre-built-image";

/// `spec.renderedImagePushSpec` of the CRD.
pub(super) static PUSH_SPEC: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let rules = [
        r"^([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(:[0-9]{2,5})?(/[a-zA-Z0-9-_]{1,61})*/[a-zA-Z0-9-_.]+:[a-zA-Z0-9._-]+$",
        r"^[^.]+\.[^.]+\.svc:\d+\/[^\/]+\/[^\/]+:[^\/]+$",
    ];
    rules.map(|rule| Regex::new(rule).expect("a constant pattern"))
});

/// What a `MachineOSConfig` needs for later builds.
#[derive(Debug, Clone)]
pub struct Push {
    /// Name of the secret.
    pub secret: String,
    /// `spec.renderedImagePushSpec`, with a tag.
    pub spec: String,
    /// The secret's contents, when it is to be written.
    pub login: Option<AuthFile>,
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
        object_name("push-secret", secret)?;
        let fits = PUSH_SPEC.iter().any(|rule| rule.is_match(&push.spec));
        if !fits || push.spec.len() > MAX_SPEC_LEN {
            let reason = "the API wants host[:port]/[namespace/…]name:tag with a dot in the host, or name.namespace.svc:port/repository/name:tag";
            return Err(Error::value("push-spec", &push.spec, reason));
        }
        Ok(push)
    }

    /// The spec as a reference, which a login is looked up for.
    ///
    /// # Errors
    /// The API's pattern takes a little more than image names have.
    pub fn reference(&self) -> Result<Reference, Error> {
        pull_spec("push-spec", &self.spec)
    }
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
            scalar(&self.image.to_string())
        );
        file(&format!("machineconfig_{name}"), text)
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
            scalar(&self.image.to_string()),
            scalar(&self.push.secret),
            scalar(&self.push.spec),
            pool = self.pool,
        );
        file(&format!("machineosconfig_{}", self.pool), text)
    }

    fn secret(&self, login: &AuthFile) -> Manifest {
        let contents = login.bytes.base64();
        let text = format!(
            "apiVersion: v1\n\
             kind: Secret\n\
             metadata:\n  \
               name: {}\n  \
               namespace: {NAMESPACE}\n\
             type: kubernetes.io/dockerconfigjson\n\
             data:\n  \
               .dockerconfigjson: {contents}\n",
            scalar(&self.push.secret)
        );
        Manifest {
            secret: true,
            ..file(&format!("machineosconfig_{}-push-secret", self.pool), text)
        }
    }
}

/// The installer's own naming.
fn file(name: &str, text: String) -> Manifest {
    Manifest {
        path: format!("openshift/99_openshift-{name}.yaml"),
        text,
        secret: false,
    }
}
