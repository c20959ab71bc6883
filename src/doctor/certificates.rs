//! Certificates in files: of registries, and of the clusters that Ignition configs make.

use super::machine::span;
use super::{Fault, Outcome, Row, moment};

/// A file of certificates for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The file.
    pub path: String,
    /// Whether it is the client's own: registries look at its end, while TLS does not look at that of an authority.
    pub client: bool,
    /// Subject and end of each certificate in it, or why it cannot be used.
    pub found: Result<Vec<(String, i64)>, String>,
}

/// One row each, at the moment `now`.
pub fn authorities(files: &[Authority], now: i64) -> Vec<Row> {
    let row = |file: &Authority| {
        const CURE: &str =
            "the directory holds *.crt for CAs and *.cert with *.key for the client, all PEM";
        let judged = |outcome, message: String, cure| {
            Row::new(outcome, "ca", &file.path, Fault::new(message, cure))
        };
        let wrong = if file.client {
            Outcome::Fail
        } else {
            Outcome::Warning
        };
        let found = match &file.found {
            Ok(found) if found.is_empty() => {
                return judged(wrong, "it holds no certificate in PEM".to_owned(), CURE);
            }
            Ok(found) => found,
            Err(reason) => return judged(Outcome::Fail, reason.clone(), CURE),
        };
        let expired = found.iter().find(|(_, end)| *end < now);
        if let Some((subject, end)) = expired {
            let message = format!("`{subject}` expired at {}", moment(*end));
            return judged(
                wrong,
                message,
                "get the new certificate from whoever runs the registry",
            );
        }
        let names: Vec<String> = found
            .iter()
            .map(|(subject, end)| format!("`{subject}` until {}", moment(*end)))
            .collect();
        Row::pass("ca", &file.path, names.join(", "))
    };
    files.iter().map(row).collect()
}

/// An Ignition config and the first of its certificates to expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The file.
    pub path: String,
    /// Subject and end, when it has any.
    pub first: Option<(String, i64)>,
}

/// One row each, at the moment `now`.
pub fn certificates(configs: &[Certificates], now: i64) -> Vec<Row> {
    const CURE: &str =
        "make the config again, or `snoforge ignition certs FILE --extend 365d -o FILE`";
    const DAY: i64 = 86_400;
    let row = |config: &Certificates| {
        let Some((subject, end)) = &config.first else {
            return Row::pass("ignition", &config.path, "it has no certificates that end");
        };
        let at = moment(*end);
        let judged = |outcome, message: String| {
            Row::new(outcome, "ignition", &config.path, Fault::new(message, CURE))
        };
        if *end < now {
            return judged(Outcome::Fail, format!("`{subject}` expired at {at}"));
        }
        if end - now < DAY {
            let left = span((end - now).unsigned_abs());
            let message =
                format!("to be used within {left}, before {at}: then `{subject}` expires");
            return judged(Outcome::Warning, message);
        }
        Row::pass("ignition", &config.path, format!("to be used before {at}"))
    };
    configs.iter().map(row).collect()
}
