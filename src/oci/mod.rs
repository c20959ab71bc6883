//! The vocabulary of container images: references, digests, descriptors, manifests, and where they come from.
//!
//! Formats: [OCI image-spec](https://github.com/opencontainers/image-spec) v1.1 (descriptor, manifest, index),
//! [distribution-spec](https://github.com/opencontainers/distribution-spec) v1.1, and Docker image manifest v2 schema 2,
//! whose manifests and lists have the same shape under other media types. Manifests are kept byte for byte:
//! their digest is over those bytes. This room does no I/O.

mod descriptor;
mod digest;
mod manifest;
mod mirror;
mod reference;
mod source;

pub(crate) use descriptor::size as deserialize_size;
pub use descriptor::{Descriptor, MAX_SIZE, Platform, media_type};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use manifest::{Manifest, ManifestError, RawManifest};
pub use mirror::{Location, LocationError, Mirror};
pub use reference::{Reference, ReferenceError};
pub use source::{BlobRequest, BlobStream, ImageSource, SourceError, SourceErrorKind};
