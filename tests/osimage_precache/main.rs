//! `snoforge osimage precache` against a real registry with a password, into real data directories, read back by the other verbs, by
//! podman and by the schemas of the real CRDs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says why it skips"
)]

mod disk;
#[path = "../support/images.rs"]
#[expect(dead_code, reason = "one of its functions is another test binary's")]
mod images;
mod manifests;
mod node;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/schema.rs"]
#[expect(
    dead_code,
    reason = "the rules of other CRDs are another test binary's business"
)]
mod schema;
#[path = "../support/mod.rs"]
mod support;
mod world;
