//! Just enough of versions to check a file; comparing bundles is the inventory's work.
//!
//! Two readings: Masterminds semver `NewVersion` (oc-mirror v2: `v1` and `1.2` are fine) and blang semver `Parse` (oc-mirror v1).

use std::cmp::Ordering;

/// A leniently read version, ordered as semver 2.0 says; build metadata does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    numbers: [u64; 3],
    pre: PreRelease,
}

/// Prerelease identifiers; none sorts after any.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PreRelease(Vec<String>);

impl Ord for PreRelease {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0.is_empty(), other.0.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let pairs = self.0.iter().zip(&other.0);
                pairs
                    .map(|(a, b)| identifiers(a, b))
                    .find(|order| order.is_ne())
                    .unwrap_or_else(|| self.0.len().cmp(&other.0.len()))
            }
        }
    }
}

impl PartialOrd for PreRelease {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Numeric identifiers compare as numbers (of any length) and sort before others.
fn identifiers(a: &str, b: &str) -> Ordering {
    let value = |text: &str| text.trim_start_matches('0').to_owned();
    match (digits(a), digits(b)) {
        (true, true) => {
            let (a, b) = (value(a), value(b));
            a.len().cmp(&b.len()).then_with(|| a.cmp(&b))
        }
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn leading_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0')
}

/// Masterminds `NewVersion`.
pub(super) fn lenient(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (core, pre) = match text.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (text, None),
    };
    if build.is_some_and(|build| !build.split('.').all(identifier)) {
        return None;
    }
    let pre: Vec<String> = pre
        .map(|pre| pre.split('.').map(str::to_owned).collect())
        .unwrap_or_default();
    if !pre
        .iter()
        .all(|id| identifier(id) && !(digits(id) && leading_zero(id)))
    {
        return None;
    }
    let mut numbers = [0; 3];
    let mut parts = core.split('.');
    for number in &mut numbers {
        let Some(part) = parts.next() else { break };
        *number = Some(part).filter(|part| digits(part))?.parse().ok()?;
    }
    let version = Version {
        numbers,
        pre: PreRelease(pre),
    };
    parts.next().is_none().then_some(version)
}

/// What blang `semver.Parse` says against a text; `Ok` when nothing.
pub(super) fn strict(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("Version string empty".to_owned());
    }
    let mut parts = text.splitn(3, '.');
    let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("No Major.Minor.Patch elements found".to_owned());
    };
    let (rest, build) = match rest.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (rest, None),
    };
    let (patch, pre) = match rest.split_once('-') {
        Some((patch, pre)) => (patch, Some(pre)),
        None => (rest, None),
    };
    for (name, number) in [("Major", major), ("Minor", minor), ("Patch", patch)] {
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            let name = name.to_ascii_lowercase();
            return Err(format!(
                "Invalid character(s) found in {name} number {number:?}"
            ));
        }
        if leading_zero(number) {
            return Err(format!(
                "{name} number must not contain leading zeroes {number:?}"
            ));
        }
        if let Err(error) = number.parse::<u64>() {
            let reason = if number.is_empty() {
                "invalid syntax".to_owned()
            } else {
                error.to_string()
            };
            return Err(format!("strconv.ParseUint: parsing {number:?}: {reason}"));
        }
    }
    pre.map_or(Ok(()), |pre| pre.split('.').try_for_each(strict_prerelease))?;
    build.map_or(Ok(()), |build| build.split('.').try_for_each(strict_build))
}

fn strict_prerelease(id: &str) -> Result<(), String> {
    if id.is_empty() {
        Err("Prerelease is empty".to_owned())
    } else if digits(id) && leading_zero(id) {
        Err(format!(
            "Numeric PreRelease version must not contain leading zeroes {id:?}"
        ))
    } else if identifier(id) {
        Ok(())
    } else {
        Err(format!("Invalid character(s) found in prerelease {id:?}"))
    }
}

fn strict_build(id: &str) -> Result<(), String> {
    if id.is_empty() {
        Err("Build meta data is empty".to_owned())
    } else if identifier(id) {
        Ok(())
    } else {
        Err(format!(
            "Invalid character(s) found in build meta data {id:?}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_reading() {
        for good in [
            "1",
            "v1",
            "1.2",
            "1.2.3",
            "01.02.03",
            "1.2.3-rc.1+b.2",
            "1-a",
            "4.13.0-202305262054",
        ] {
            assert!(lenient(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "abc",
            "-+?",
            "1.2.3.4",
            "1..2",
            "V1",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3+",
            "1.2.3-a..b",
            " 1",
        ] {
            assert!(lenient(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn order() {
        let sorted = [
            "1",
            "1.0.1-2",
            "1.0.1-10",
            "1.0.1-10.1",
            "1.0.1-a",
            "1.0.1",
            "1.1",
            "2.0.0-0",
            "2.0.0",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(lenient(a).cmp(&lenient(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(lenient("1.0+a"), lenient("v1"));
    }

    #[test]
    fn strict_reading() {
        for good in ["1.2.3", "0.0.0", "1.2.3-rc.1+b.01", "4.13.0-202305262054"] {
            assert_eq!(strict(good), Ok(()), "{good}");
        }
        for (bad, reason) in [
            ("", "Version string empty"),
            ("1.2", "No Major.Minor.Patch elements found"),
            (
                "v1.2.3",
                "Invalid character(s) found in major number \"v1\"",
            ),
            (
                "1.02.3",
                "Minor number must not contain leading zeroes \"02\"",
            ),
            (
                "1.2.3.4",
                "Invalid character(s) found in patch number \"3.4\"",
            ),
            ("1.2.3-", "Prerelease is empty"),
            (
                "1.2.3-01",
                "Numeric PreRelease version must not contain leading zeroes \"01\"",
            ),
            (
                "1.2.3-a_b",
                "Invalid character(s) found in prerelease \"a_b\"",
            ),
            ("1.2.3+", "Build meta data is empty"),
            ("1..3", "strconv.ParseUint: parsing \"\": invalid syntax"),
        ] {
            assert_eq!(strict(bad), Err(reason.to_owned()), "{bad}");
        }
    }
}
