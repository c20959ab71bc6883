//! The whole job on an embedded sample: own registry on loopback, sample release and catalog. No network, no root.

pub mod image;
pub mod sample;
