//! Files that people write, parsed into types that cannot hold a wrong value.
//!
//! | module | file |
//! |---|---|
//! | [`imageset`] | `imageset.yaml`: `ImageSetConfiguration` v1alpha2 and v2alpha1 |
//! | [`factory`] | `factory.yaml`: a whole job, from the inventory to the boot media |
//! | [`filter`] | `--filter`: patterns of images to leave out |
//! | [`template`] | the other way: a new `imageset.yaml` from a few options |
//! | `values` | `seed.yaml`, `osimage.yaml`: values by the name of their flag |
//!
//! Whatever is wrong in a file becomes a [`Finding`] with its line and column; a parser reports all of them, not the first.
//! This room reads no files: callers pass the text and the name to print.

pub mod factory;
mod fields;
pub mod filter;
mod finding;
pub mod imageset;
pub mod model;
mod rate;
pub mod template;
pub(crate) mod values;
mod version;
pub(crate) mod yaml;

pub use finding::Finding;
pub(crate) use finding::nearest;
pub use rate::rate;
