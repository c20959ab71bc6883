//! Files that people write, parsed into types that cannot hold a wrong value.

pub mod model;
