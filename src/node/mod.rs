//! What runs on the machine itself, offline: the store served as a registry, the store loaded into containers-storage.

pub mod load;
pub mod registry;
