//! What runs on the machine itself, offline: the store served as a registry, the store loaded into containers-storage, a look at both,
//! and the end of it all.

pub mod binary;
pub mod finish;
pub mod load;
pub mod registry;
pub mod status;
