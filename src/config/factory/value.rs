//! Whether a scalar is what a field wants.

use super::Kind;
use crate::config::rate;
use crate::config::yaml::Kind as Scalar;
use crate::oci::{Location, Mirror};

/// Keys of a mirror that has a source, in the order of the flag.
pub(super) const MIRROR: [&str; 2] = ["source", "mirror"];

/// The value's text when it is of this kind; else what is expected.
pub(super) fn value(kind: Kind, text: &str, scalar: Scalar) -> Result<String, String> {
    let plain = matches!(scalar, Scalar::Text | Scalar::Number);
    let good = match kind {
        Kind::Switch | Kind::Bool => {
            return match scalar {
                Scalar::Bool(value) => Ok(value.to_string()),
                _ => Err(expected(kind)),
            };
        }
        Kind::Text => plain && !text.is_empty() && !text.chars().any(char::is_control),
        Kind::Path => {
            scalar == Scalar::Text && !text.is_empty() && !text.chars().any(char::is_control)
        }
        Kind::Version => {
            let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            text.split('.').count() == 3 && text.split('.').all(number)
        }
        Kind::Whole { min, max } => {
            let digits = scalar == Scalar::Number && text.bytes().all(|b| b.is_ascii_digit());
            let octal = text.len() > 1 && text.starts_with('0');
            digits && !octal && text.parse().is_ok_and(|n| (min..=max).contains(&n))
        }
        Kind::Choice(words) => scalar == Scalar::Text && words.contains(&text),
        Kind::Rate => plain && rate(text).is_ok(),
        Kind::Registry => scalar == Scalar::Text && text.parse::<Location>().is_ok(),
        Kind::Mirror => scalar == Scalar::Text && text.parse::<Mirror>().is_ok(),
    };
    if good {
        Ok(text.to_owned())
    } else {
        Err(expected(kind))
    }
}

/// What a value of this kind is, in words.
pub(super) fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Version => "a version X.Y.Z".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Whole { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Switch | Kind::Bool => "true or false".to_owned(),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Registry => "a registry host[:port][/path]".to_owned(),
        Kind::Mirror => {
            "a registry host[:port][/path], or a map of `source` and `mirror`".to_owned()
        }
        Kind::Rate => "a rate such as 20M or 200mbit".to_owned(),
    }
}

/// What stands in a hint.
pub(super) fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Choice(words) => words.first().copied().unwrap_or_default(),
        _ => "…",
    }
}
