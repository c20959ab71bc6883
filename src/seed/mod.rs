//! Seed images for Image-Based Upgrade and Installation: get a seed cluster imaged, and tell whether the image is good.
//!
//! ```text
//! seed.yaml | flags → settings, names (cannot be wrong) → dnsmasq | partition | resources → manifests
//! facts.json (API answers) → preflight::rules → findings, all at once
//! registry → image (labels from the manifest) → verdict against a target's facts; deep: one pass over the layer
//! cluster, registry, clock → imaging: how a seed generation stands, and how it ended
//! registry → containers.list → precache: the images inside, as the target names them
//! registry | store → restore: the layer, checked while it is unpacked, → a stateroot in a sysroot
//! ```
//!
//! Formats: lifecycle-agent's (LCA) CRDs `lca.openshift.io/v1`, seed image format 4 (`seed-image.md` sections 1 to 6).
//!
//! Invariants: the same values give the same bytes; a list that could not be read is a finding, never a pass; secrets are in the
//! Secret's manifest and nowhere else; the layer is never whole in memory or on disk.
//!
//! What this room does not do: it talks to no cluster (it says which API paths it needs, [`Facts::missing`]), prints nothing, and
//! writes no files but those of [`restore`].

pub mod dnsmasq;
mod error;
mod escape;
pub mod facts;
pub mod image;
pub mod imaging;
pub mod names;
pub mod partition;
pub mod precache;
pub mod preflight;
pub mod resources;
pub mod restore;
pub mod settings;
mod version;

pub use crate::objects::{Finding, Severity, auth, has_errors};
use crate::objects::{finding, yaml};
pub use error::Error;
pub use escape::{escape_path, unescape_path};
pub use facts::Facts;
pub use version::Version;
