//! On-cluster OS images: the objects that ask for a build, what is wrong with them before anybody asks, and what comes of it.
//!
//! Formats: `machineconfiguration.openshift.io/v1` (`MachineOSConfig`, `MachineOSBuild`) and the `ConfigMaps` of OpenShift 4.14
//! (`appliance-osimage.md` section 3; seed document 004).
//!
//! Invariants: the same values give the same bytes; secrets are in the Secret's manifest and nowhere else; sizes of what is read
//! are bounded.
//!
//! What this room does not do: it talks to no cluster, writes no files of its own accord, prints nothing.

mod error;
pub mod precache;

pub use error::Error;
