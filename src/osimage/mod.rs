//! On-cluster OS images: the objects that ask for a build, what is wrong with them before anybody asks, and what comes of it.
//!
//! Formats: `machineconfiguration.openshift.io/v1` (`MachineOSConfig`, `MachineOSBuild`) and the `ConfigMaps` of OpenShift 4.14
//! (`appliance-osimage.md` section 3; seed document 004).
//!
//! Invariants: the same values give the same bytes; secrets are in the Secret's manifest and nowhere else; sizes of what is read
//! are bounded.
//!
//! What this room does not do: it talks to no cluster, writes no files of its own accord, prints nothing.

pub mod build;
pub mod containerfile;
mod error;
pub mod facts;
pub mod names;
pub mod precache;
pub mod predict;
pub mod preflight;
pub mod render;
pub mod resources;
pub mod settings;

pub use error::Error;

/// Whose objects are written and watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Era {
    /// `machineconfiguration.openshift.io/v1`: `MachineOSConfig` and `MachineOSBuild`.
    #[default]
    V1,
    /// The `ConfigMaps` and the pool's label of OpenShift 4.14.
    V414,
}

/// Where the operator, the secrets and the builds are.
pub const NAMESPACE: &str = "openshift-machine-config-operator";
