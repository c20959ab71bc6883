//! `assets`: a release with its programs and live ISO in real images, taken out of a data directory, a registry and a mirror. And what
//! one of them is for: `ignition create`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first broken invariant"
)]

#[path = "../support/images.rs"]
#[expect(dead_code, reason = "other test binaries use the rest of it")]
mod images;
#[path = "../support/installer.rs"]
mod installer;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

mod create;
mod desk;
mod mirror;
mod payload;
mod refuse;
mod web;
mod world;
