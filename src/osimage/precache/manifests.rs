//! The install-time manifests, as files of `openshift-install`'s `openshift/` directory.
//!
//! bootkube copies everything of that directory to the bootstrap machine-config-controller (`cp openshift/* /etc/mcc/bootstrap/`), and
//! applies it to the cluster. The pool `master` comes from the operator's own manifests there, so that none is written here.

use std::fmt;

use super::super::names::PushSpec;
use super::super::{Era, Error, resources};
use super::{Method, OsImage};
use crate::objects::auth::AuthFile;
use crate::objects::names::object_name;
use crate::objects::yaml::scalar;

/// What makes an image count as the pool's first build.
pub(super) const ANNOTATION: &str = "machineconfiguration.openshift.io/pre-built-image";

/// What a `MachineOSConfig` needs for later builds.
#[derive(Debug, Clone)]
pub struct Push {
    /// Name of the secret.
    pub secret: String,
    /// `spec.renderedImagePushSpec`, with a tag.
    pub spec: PushSpec,
    /// The secret's contents, when it is to be written.
    pub login: Option<AuthFile>,
}

impl Push {
    /// Checks both texts; without a spec later builds go to the image's own repository.
    ///
    /// # Errors
    /// A text that the API would refuse.
    pub fn new(secret: &str, spec: Option<&str>, image: &OsImage) -> Result<Self, Error> {
        object_name("push-secret", secret)?;
        let own = format!("{}:latest", image.reference().name());
        Ok(Self {
            secret: secret.to_owned(),
            spec: PushSpec::new(spec.unwrap_or(&own), Era::V1)?,
            login: None,
        })
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
    pub method: &'a Method,
}

impl Install<'_> {
    /// The files.
    ///
    /// # Errors
    /// The credentials are too large for a Secret.
    pub fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        Ok(match self.method {
            Method::OsImageUrl => vec![self.machine_config()],
            Method::Annotation(push) => {
                let secret = push.login.as_ref().map(|login| self.secret(push, login));
                let config = self.machine_os_config(push);
                [config].into_iter().chain(secret.transpose()?).collect()
            }
        })
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

    fn machine_os_config(&self, push: &Push) -> Manifest {
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
            scalar(&push.secret),
            scalar(&push.spec.to_string()),
            pool = self.pool,
        );
        file(&format!("machineosconfig_{}", self.pool), text)
    }

    fn secret(&self, push: &Push, login: &AuthFile) -> Result<Manifest, Error> {
        let name = format!("machineosconfig_{}-push-secret", self.pool);
        Ok(Manifest {
            secret: true,
            ..file(&name, resources::push_secret(&push.secret, login)?)
        })
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
