//! `install watch` against an API server that plays an installation.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops at the first broken invariant"
)]

#[path = "../support/apiserver/mod.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod apiserver;
mod lab;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/schema.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod schema;
mod traps;
mod watch;
