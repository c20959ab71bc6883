//! OpenShift versions, ordered as coreos/go-semver orders them: a pre-release is before its release, build metadata counts for
//! nothing (`seed-image.md` section 3.6).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// `MAJOR.MINOR.PATCH[-PRE][+BUILD]`. Displays as written; compares without the build.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    numbers: [u64; 3],
    pre: String,
}

/// Not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version (4.18.27)")]
pub struct VersionError(pub String);

impl Version {
    /// Major and minor.
    pub fn minor(&self) -> (u64, u64) {
        (self.numbers[0], self.numbers[1])
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || VersionError(text.chars().take(100).collect());
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
        let (rest, build) = text.split_once('+').unwrap_or((text, ""));
        let (numbers, pre) = rest.split_once('-').unwrap_or((rest, ""));
        let mut parts = numbers.split('.');
        let mut number = || {
            let part = parts
                .next()
                .filter(|p| p.bytes().all(|b| b.is_ascii_digit()));
            part.and_then(|p| p.parse().ok()).ok_or_else(fail)
        };
        let numbers = [number()?, number()?, number()?];
        if parts.next().is_some()
            || !pre.bytes().chain(build.bytes()).all(word)
            || rest.ends_with('-')
        {
            return Err(fail());
        }
        Ok(Self {
            text: text.to_owned(),
            numbers,
            pre: pre.to_owned(),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => pre_release(&self.pre, &other.pre),
            }
        })
    }
}

/// Semantic Versioning 2.0.0, section 11.4.
fn pre_release(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u64>(), y.parse::<u64>()) {
                (Ok(x), Ok(y)) => x.cmp(&y),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => x.cmp(y),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_semver() {
        let sorted = [
            "4.14.7-rc.1",
            "4.14.8-ec.2",
            "4.14.8-rc.2",
            "4.14.8-rc.10",
            "4.14.8",
            "4.14.9",
            "4.15.0",
        ];
        for pair in sorted.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|v| v.parse::<Version>().unwrap());
            assert!(a < b, "{a} {b}");
        }
        let build: Version = "4.14.8+metadata".parse().unwrap();
        assert_eq!(build, "4.14.8".parse().unwrap());
        for bad in [
            "", "4", "4.14", "v4.14.8", "4.14.8.1", "4.14.x", "4.14.8-", "4.-1.0", "4.14.8 ",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
