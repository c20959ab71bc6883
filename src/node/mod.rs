//! What runs on the machine itself, offline.

pub mod binary;
pub mod registry;
