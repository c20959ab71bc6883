//! What several test binaries share.
#![allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part of this module, which `expect` cannot say"
)]

pub(crate) mod faulty;
pub(crate) mod registry;
