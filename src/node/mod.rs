//! What runs on the machine itself, offline.

pub mod registry;
