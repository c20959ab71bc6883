//! snoforge prepares Single Node OpenShift machines at the factory.
//!
//! This page is the map: which room does what, and which way data flows.
//!
//! ```text
//! factory.yaml → config → cli::build: every step below, as command lines
//! imagesets/*.yaml → config → inventory → fetch → store ─┬→ node::{registry, load}
//!                                ▲          ▲            ├→ store::copy → N data directories
//!                                │          │            └→ store::export
//!                             oci::ImageSource: remote | store | fake
//! disk: find → plan (pure) → apply
//! probe, remote, disk, site → cli::doctor → doctor::Facts → rows with cures
//! templates/ + *.ign + site → ignition::Patch → iso::Region[] → live ISO per site
//! live ISO + data directory → appliance → disk: one stick that boots
//! seed.yaml → seed::{dnsmasq, partition, resources}; kubeconfig → cluster → facts.json → seed::preflight, events → seed::imaging; remote → seed::image; remote | store → seed::restore; cluster → install::Watch
//! ```
//!
//! | layer | rooms | meaning |
//! |---|---|---|
//! | 6 | [`cli`], [`demo`] | may use everything |
//! | 5 | [`ui`], [`fetch`], [`node`], [`doctor`], [`appliance`] | stages (`ui` uses `progress` only) |
//! | 4 | [`inventory`], [`iso`], [`site`], [`seed`], [`osimage`], [`install`] | derived artefacts |
//! | 3 | [`config`], [`ignition`], [`remote`], [`store`], [`disk`], [`cluster`], [`objects`], [`probe`] | one mechanism or format each |
//! | 2 | [`io`], [`exec`] | effects |
//! | 1 | [`oci`], [`progress`] | vocabulary, no I/O |
//!
//! A room imports only rooms of lower layers; `tests/layering.rs` checks it.

pub mod appliance;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod demo;
pub mod disk;
pub mod doctor;
pub mod exec;
pub mod fetch;
pub mod ignition;
pub mod install;
pub mod inventory;
pub mod io;
pub mod iso;
pub mod node;
pub mod objects;
pub mod oci;
pub mod osimage;
pub mod probe;
pub mod progress;
pub mod remote;
pub mod seed;
pub mod site;
pub mod store;
pub mod ui;
