//! The CoreOS live ISO: what it is, what is embedded in it, and how to change that.
//!
//! ```text
//! Medium ─ LiveIso::read ─→ volume, area, kargs, features, initrd
//! Changes ─ Plan::new (pure) ─→ regions ─ write ─→ in place (journal) | new file (reflink, copy) | stream
//! ```
//!
//! An ISO has three places that are made to be changed: the Ignition embed area (an initramfs that the boot loader appends), and one
//! kernel arguments area in each boot loader's file. Every change is a list of [`Region`]s within them; nothing else is written, unless
//! the Ignition area is moved to make it larger (`grow`).
//!
//! Formats: ECMA-119, IEEE P1282, Joliet; `newc` cpio; the descriptions in `/coreos` as coreos-assembler and osbuild write them.
//!
//! Invariants: same inputs, same bytes, and those of coreos-installer where it writes them; a limit is checked before anything is written;
//! an output is there as a whole or not at all; an interrupted change in place is taken back at the next use.
//!
//! What this room does not do: it edits no Ignition config, knows no machine's address, prints nothing.

mod changes;
mod digest;
mod error;
mod extract;
#[cfg(test)]
mod fixtures;
mod grow;
mod image;
pub mod initrd;
mod inspect;
pub mod iso9660;
pub mod kargs;
mod keyfile;
mod layout;
mod region;
mod release;
mod source;
pub mod write;

pub use changes::{Change, Changes, KargsChange, Keyfiles, Plan};
pub use digest::{Derived, digests};
pub use error::{InitrdError, IsoError};
pub use extract::extract;
pub use image::LiveIso;
pub use inspect::{ConfigReport, KargsReport, MemberReport, Report};
pub use keyfile::check_keyfile;
pub use layout::{Features, IgnitionArea};
pub use region::Region;
pub use release::too_new;
pub use source::{Medium, ReadAt};
