//! The patch that makes a bootstrap-in-place config install from the data partition, as a list of typed edits.
//!
//! What a stock config holds and what pulls images in it: `bootstrap-in-place.md`. The units and the script that are added stand in
//! the top-level directory `ignition/` and are the same at both stages.
//!
//! | stage | how it is reached | what is added |
//! |---|---|---|
//! | live | the config itself | data partition, registry (and loader), hooks, mirrors, NTP, motd; arguments of `coreos-installer install` |
//! | installed | `master-update.fcc` | the same, hooked to the machine-config-daemon's units, and the hostname |
//!
//! A *hook* is the drop-in `50-snoforge.conf` of a unit that pulls images: it wants the loader and starts after it. It does not require
//! it: without a data partition the machine installs over the network, as it would have without us.
//!
//! Invariants: patching twice gives the same bytes; patching again with other options gives what these options alone give; nothing
//! that is not ours is touched, except for what a config patched by hand after seed 003 needs (`legacy`). Ours are the names below
//! and, inside files that others own, the text between `# snoforge` marks.
//!
//! Not done here: reading inventories or credentials (the caller hands over repositories and bytes), certificates, embedding.

mod assets;
mod error;
mod fcc;
mod install;
mod installed;
mod legacy;
mod options;
mod os_images;
mod plan;
mod registries;

pub use assets::Footprint;
pub use error::PatchError;
pub use options::{Loader, Options};
pub use os_images::os_images;
pub use plan::{Note, Plan, plan, release_images};

use super::{Change, Config, Edit, Error, NewUnit};

/// Applies a plan and says what each edit did.
///
/// # Errors
/// As [`Config::apply`]; a plan applies to the config it was made for.
pub fn apply<'a>(config: &mut Config, edits: &'a [Edit]) -> Result<Vec<(&'a Edit, Change)>, Error> {
    let each = edits.iter().map(|edit| Ok((edit, config.apply(edit)?)));
    each.collect()
}
