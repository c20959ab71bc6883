//! The objects that ask for an image: Secrets, `MachineConfigPool`, and `MachineOSConfig` or the `ConfigMaps` of 4.14.
//!
//! A `MachineOSConfig` has the name of its pool (CEL rule of its CRD). The content of `containerFile` is for every architecture,
//! `NoArch`: the builder reads no other. In 4.14 the opt-in is a label on the pool, which is no part of these manifests: it is set
//! when the build is started.

use super::error::Error;
use super::names::{Pool, PushSpec};
use super::{Era, NAMESPACE};
use crate::objects::auth::{AuthFile, Credentials, SecretBytes};
use crate::objects::names::object_name;
use crate::objects::yaml::{block, scalar};

/// Label on a pool that opts it in, in 4.14.
pub const ENABLED_LABEL: &str = "machineconfiguration.openshift.io/layering-enabled";
/// `ConfigMap` with the secrets and the push spec, in 4.14.
pub const BUILD_CONFIG: &str = "on-cluster-build-config";
/// `ConfigMap` with the Containerfiles by pool, in 4.14.
pub const CUSTOM_DOCKERFILE: &str = "on-cluster-build-custom-dockerfile";
/// Secret that the operator copies from the cluster's pull secret when no other is named; in 4.14 the user makes it.
pub const BASE_SECRET: &str = "global-pull-secret-copy";
/// Bytes of a Secret's data.
const MAX_SECRET: usize = 1 << 20;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsImage {
    /// The pool.
    pub pool: Pool,
    /// Where the image is pushed.
    pub push: PushSpec,
    /// Secret with which it is pushed.
    pub push_secret: String,
    /// Secret with which the base image, and every other, is pulled.
    pub base_secret: Option<String>,
    /// What the user adds.
    pub containerfile: Option<String>,
    /// Whose objects.
    pub era: Era,
}

impl OsImage {
    /// The `MachineOSConfig`, or the `ConfigMaps` of 4.14.
    pub fn config(&self) -> String {
        match self.era {
            Era::V1 => self.machine_os_config(),
            Era::V414 => self.config_maps(),
        }
    }

    fn machine_os_config(&self) -> String {
        let pool = scalar(self.pool.name());
        let base = self.base_secret.as_ref().map_or_else(String::new, |name| {
            format!("  baseImagePullSecret:\n    name: {}\n", scalar(name))
        });
        let file = self
            .containerfile
            .as_ref()
            .map_or_else(String::new, |text| {
                format!(
                    "  containerFile:\n    - containerfileArch: NoArch\n      content: {}",
                    block(text, "        ")
                )
            });
        format!(
            "---\napiVersion: machineconfiguration.openshift.io/v1\nkind: MachineOSConfig\nmetadata:\n  name: {pool}\nspec:\n  machineConfigPool:\n    name: {pool}\n  imageBuilder:\n    imageBuilderType: Job\n{base}  renderedImagePushSecret:\n    name: {}\n  renderedImagePushSpec: {}\n{file}",
            scalar(&self.push_secret),
            scalar(&self.push.to_string())
        )
    }

    fn config_maps(&self) -> String {
        let base = self.base_secret.as_deref().unwrap_or(BASE_SECRET);
        let mut text = format!(
            "{}data:\n  baseImagePullSecretName: {}\n  finalImagePushSecretName: {}\n  finalImagePullspec: {}\n",
            head("ConfigMap", BUILD_CONFIG),
            scalar(base),
            scalar(&self.push_secret),
            scalar(&self.push.to_string())
        );
        if let Some(file) = &self.containerfile {
            text.push_str(&head("ConfigMap", CUSTOM_DOCKERFILE));
            let key = scalar(self.pool.name());
            text.extend(["data:\n  ", &key, ": ", &block(file, "    ")]);
        }
        text
    }

    /// The pool, when it is not one that every cluster has.
    pub fn machine_config_pool(&self) -> Option<String> {
        if self.pool.is_stock() {
            return None;
        }
        let name = self.pool.name();
        Some(format!(
            "---\napiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfigPool\nmetadata:\n  name: {plain}\nspec:\n  machineConfigSelector:\n    matchExpressions:\n      - key: machineconfiguration.openshift.io/role\n        operator: In\n        values:\n          - worker\n          - {plain}\n  nodeSelector:\n    matchLabels:\n      node-role.kubernetes.io/{name}: \"\"\n",
            plain = scalar(name)
        ))
    }
}

/// A core object in the operator's namespace, up to `metadata`.
fn head(kind: &str, name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: {kind}\nmetadata:\n  name: {}\n  namespace: {NAMESPACE}\n",
        scalar(name)
    )
}

/// An `ImageStream` to push into.
pub fn image_stream(name: &str) -> String {
    format!(
        "---\napiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: {}\n  namespace: {NAMESPACE}\n",
        scalar(name)
    )
}

/// The Secret to push with. It holds the credentials.
///
/// # Errors
/// The name is none, or there is too much.
pub fn push_secret(name: &str, auth: &AuthFile) -> Result<String, Error> {
    secret("push-secret", name, &auth.bytes)
}

/// The Secret to pull with. It holds the credentials.
///
/// # Errors
/// The name is none, or there is too much.
pub fn base_secret(name: &str, auth: &Credentials) -> Result<String, Error> {
    secret("base-secret", name, &auth.bytes)
}

fn secret(field: &'static str, name: &str, bytes: &SecretBytes) -> Result<String, Error> {
    object_name(field, name)?;
    let data = bytes.base64();
    if bytes.len() > MAX_SECRET {
        let reason = "its auth file is larger than the 1 MiB of a Secret";
        return Err(crate::objects::Error::value(field, name, reason).into());
    }
    Ok(format!(
        "{}type: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: {data}\n",
        head("Secret", name)
    ))
}
