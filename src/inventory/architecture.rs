//! The two names of an architecture: `GOARCH` in images and flags, the machine's in release tags and file names.
//!
//! ```text
//! amd64 x86_64 · arm64 aarch64 · ppc64le and s390x are the same · multi is a tag's only
//! ```

/// A `GOARCH` as release tags, machines and files call it.
pub fn machine(goarch: &str) -> &str {
    match goarch {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    }
}

/// The `GOARCH` of a release tag's architecture; a `multi` release says nothing of the machine, which is taken for `amd64`.
pub fn goarch(tag: &str) -> &str {
    match tag {
        "x86_64" | "multi" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
