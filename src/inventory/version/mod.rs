//! Semantic versions as the two upstream libraries read and compare them.
//!
//! The v1 filter and the update graph use `github.com/blang/semver/v4` ([`blang`]), the v2 filter uses
//! `github.com/Masterminds/semver/v3` ([`masterminds`]); `imageset.md` §3.3 sets them side by side. Both compare
//! alike (semver.org 2.0: build metadata ignored, numeric prerelease parts as numbers); they differ in what they
//! accept and in how a range treats prereleases, which is why the `semver` crate does not serve here.
//!
//! Error texts are upstream's, letter for letter: users search for them.

pub mod blang;
pub mod masterminds;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;

/// Why a version or a range was refused; upstream's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VersionError(pub(crate) String);

/// A version. Ordering lives in [`Version::precedence`], because equal precedence does not mean equal text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Version {
    /// X of X.Y.Z.
    pub major: u64,
    /// Y of X.Y.Z.
    pub minor: u64,
    /// Z of X.Y.Z.
    pub patch: u64,
    /// What follows `-`, without it; empty when there is none.
    pub pre: String,
    /// What follows `+`, without it; empty when there is none.
    pub build: String,
}

impl Version {
    /// Compares by precedence: build metadata is ignored, a prerelease sorts before its release.
    pub fn precedence(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| compare_prerelease(&self.pre, &other.pre))
    }

    /// Whether both have the same precedence.
    pub fn same(&self, other: &Self) -> bool {
        self.precedence(other) == Ordering::Equal
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.build.is_empty() {
            write!(f, "+{}", self.build)?;
        }
        Ok(())
    }
}

fn compare_prerelease(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let (mut left, mut right) = (a.split('.'), b.split('.'));
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return Ordering::Equal,
                    (None, Some(_)) => return Ordering::Less,
                    (Some(_), None) => return Ordering::Greater,
                    (Some(x), Some(y)) => match compare_part(x, y) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        }
    }
}

/// Numbers compare as numbers and sort before words. A number beyond 64 bits is a word, as in both libraries.
fn compare_part(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(x), Ok(y)) => x.cmp(&y),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// Quotes as Go's `%q` does for the texts that occur here.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                use fmt::Write as _;
                let code = u32::from(c);
                let written = if code < 0x80 {
                    write!(quoted, "\\x{code:02x}")
                } else {
                    write!(quoted, "\\u{code:04x}")
                };
                debug_assert!(written.is_ok(), "writing to a String cannot fail");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
