//! What `doctor` judges: facts about the machine, the network and a site, each to rows with an outcome and a cure.
//!
//! ```text
//! cli::doctor gathers → Tool, Place, Clock, Login, Source, …  → rules here → Row…
//! ```
//!
//! Nothing is asked here, and no clock is read: facts are plain data. A rule fails a row only when the main job (inventory, download,
//! data disks, boot media) would end there; what is not needed for it is a warning at most, and what could not be asked is unknown.

mod certificates;
mod machine;
mod network;
mod site;

use serde::Serialize;

pub use crate::objects::Outcome;
pub use certificates::{Authority, Certificates, authorities, certificates};
pub use machine::{
    Clock, Disk, Filesystem, Need, Place, Role, Tool, User, clock, disks, places, tools, user,
};
pub use network::{
    Login, Met, Proxy, Service, Source, State, Verdict, logins, missed, proxy, registries, services,
};
pub use site::{
    Answer, Card, Lookup, Missing, TimeServer, cards, lookups, predictable, time_servers,
};

/// A fault and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One sentence without full stop.
    pub message: String,
    /// What to do.
    pub cure: String,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What is checked: `tool`, `disk`, `registry`, …
    pub check: &'static str,
    /// Which one.
    pub object: String,
    /// How it is.
    pub outcome: Outcome,
    /// What was found.
    pub message: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Row {
    /// Nothing is wrong.
    pub fn pass(
        check: &'static str,
        object: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            check,
            object: object.into(),
            outcome: Outcome::Pass,
            message: message.into(),
            cure: None,
        }
    }

    /// Something is.
    pub fn new(
        outcome: Outcome,
        check: &'static str,
        object: impl Into<String>,
        fault: Fault,
    ) -> Self {
        Self {
            outcome,
            cure: Some(fault.cure).filter(|cure| !cure.is_empty()),
            ..Self::pass(check, object, fault.message)
        }
    }
}

impl Fault {
    /// Both sentences.
    pub fn new(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            cure: cure.into(),
        }
    }
}

/// A moment, seconds since 1970, as people read it.
pub fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "?".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests;
