//! Flag values that need more than clap's own parsers.

pub(super) use crate::config::rate;

/// Parses how long certificates shall live: `365d`, `12w`, `48h`, `2y` (of 365 days).
///
/// # Errors
/// Not a whole number above zero with a unit.
pub(super) fn lifetime(text: &str) -> Result<jiff::SignedDuration, String> {
    const UNITS: [(char, i64); 4] = [('h', 1), ('d', 24), ('w', 24 * 7), ('y', 24 * 365)];
    let expected = || "a duration such as 365d, 12w, 48h or 2y".to_owned();
    let (digits, hours) = UNITS
        .iter()
        .find_map(|(unit, hours)| Some((text.strip_suffix(*unit)?, *hours)))
        .ok_or_else(expected)?;
    // Ten thousand years is more than any certificate can say.
    let count = Some(digits)
        .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|d| d.parse::<i64>().ok())
        .filter(|n| (1..=10_000 * 24 * 365).contains(n))
        .ok_or_else(expected)?;
    Ok(jiff::SignedDuration::from_hours(count * hours))
}

/// Parses how long to wait: `90s`, `60m`, `2h`.
///
/// # Errors
/// Not a whole number above zero with a unit, or more than a week.
pub(super) fn wait(text: &str) -> Result<std::time::Duration, String> {
    const UNITS: [(char, u64); 3] = [('s', 1), ('m', 60), ('h', 3600)];
    const WEEK_SECS: u64 = 7 * 24 * 3600;
    let found = UNITS
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)));
    found
        .filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|(digits, seconds)| digits.parse::<u64>().ok()?.checked_mul(seconds))
        .filter(|seconds| (1..=WEEK_SECS).contains(seconds))
        .map(std::time::Duration::from_secs)
        .ok_or_else(|| "a time such as 90s, 60m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        for (text, seconds) in [("90s", 90), ("60m", 3600), ("2h", 7200)] {
            assert_eq!(wait(text).map(|w| w.as_secs()), Ok(seconds), "{text}");
        }
        for text in [
            "",
            "m",
            "0s",
            "-1s",
            "+1s",
            "1.5m",
            "60",
            "1000h",
            "99999999999999999999h",
        ] {
            assert!(wait(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lifetimes() {
        for (text, hours) in [("48h", 48), ("365d", 8760), ("12w", 2016), ("2y", 17520)] {
            let expected = jiff::SignedDuration::from_hours(hours);
            assert_eq!(lifetime(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1.5d",
            "365",
            "1 d",
            "99999999999y",
            "1m",
        ] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }
}
