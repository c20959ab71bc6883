//! Spec versions.

use std::fmt;

/// A stable Ignition spec version; the patch level is always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u8,
    minor: u8,
}

/// Why a version string is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not `major.minor.0`.
    Malformed,
    /// `…-experimental`: such a spec changes without notice.
    Experimental,
    /// Not one of 2.0.0–2.4.0 and 3.0.0–3.5.0.
    Unsupported,
}

impl Version {
    /// The newest version this program knows.
    pub const NEWEST: Self = Self { major: 3, minor: 5 };

    /// Whether configs of this version are edited and written, not only read.
    pub fn writable(self) -> bool {
        self.major == 3
    }

    /// The major number: 2 or 3.
    pub fn major(self) -> u8 {
        self.major
    }

    /// The minor number.
    pub fn minor(self) -> u8 {
        self.minor
    }

    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.ends_with("-experimental") {
            return Err(Refusal::Experimental);
        }
        let numbers: Option<Vec<u8>> = text.split('.').map(number).collect();
        let Some([major, minor, patch]) = numbers.as_deref() else {
            return Err(Refusal::Malformed);
        };
        match (*major, *minor, *patch) {
            (2, 0..=4, 0) | (3, 0..=5, 0) => Ok(Self {
                major: *major,
                minor: *minor,
            }),
            _ => Err(Refusal::Unsupported),
        }
    }
}

/// A number as semantic versions write it: digits, no leading zero, no sign.
fn number(part: &str) -> Option<u8> {
    let canonical = part == "0" || !part.starts_with(['0', '+', '-']);
    part.parse().ok().filter(|_| canonical)
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.0", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for text in ["2.0.0", "2.4.0", "3.0.0", "3.2.0", "3.5.0"] {
            assert_eq!(Version::parse(text).unwrap().to_string(), text);
        }
        assert!(!Version::parse("2.2.0").unwrap().writable());
        for (text, refusal) in [
            ("3.6.0-experimental", Refusal::Experimental),
            ("3.6.0", Refusal::Unsupported),
            ("3.2.1", Refusal::Unsupported),
            ("2.5.0", Refusal::Unsupported),
            ("1.0.0", Refusal::Unsupported),
            ("3.2", Refusal::Malformed),
            ("", Refusal::Malformed),
            ("3.02.0", Refusal::Malformed),
            ("+3.2.0", Refusal::Malformed),
            ("3.300.0", Refusal::Malformed),
        ] {
            assert_eq!(Version::parse(text), Err(refusal), "{text}");
        }
    }
}
