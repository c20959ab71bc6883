//! Kubernetes objects as they are written and judged: names, pull specs, credentials that become Secrets, YAML scalars, findings,
//! and what an API answers.
//!
//! Formats: DNS-1123 names (Kubernetes API conventions), `containers-auth.json(5)`.
//!
//! Invariant: secret bytes are in a Secret's manifest and nowhere else.
//!
//! What this room does not do: it knows no kind of object, talks to no cluster, reads no files.

mod answer;
pub mod auth;
mod check;
mod error;
pub mod finding;
pub(crate) mod json;
pub mod names;
pub(crate) mod yaml;

pub use answer::Answer;
pub(crate) use check::Rules;
pub use check::{Outcome, Row};
pub use error::Error;
pub use finding::{Finding, Severity, has_errors};
