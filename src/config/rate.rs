//! Rates as people write them: of flags and of files.

/// Parses a rate into bytes per second: `500K`, `20M`, `1G` (bytes, binary units) or `200mbit`, `1gbit` (bits, decimal units).
///
/// # Errors
/// Not a positive number with a known unit.
pub fn rate(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 9] = [
        ("kbit", 125.0),
        ("mbit", 125_000.0),
        ("gbit", 125_000_000.0),
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("k", 1024.0),
        ("m", 1_048_576.0),
        ("g", 1_073_741_824.0),
    ];
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("/s").unwrap_or(&lower);
    let found = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?, *factor)));
    let (digits, factor) = found.unwrap_or((lower, 1.0));
    let bytes = digits
        .trim()
        .parse::<f64>()
        .map_err(|_| "a number with K, M, G or mbit".to_owned())?
        * factor;
    // A rate below one byte per second never ends; the upper bound keeps the cast exact.
    if (1.0..1e15).contains(&bytes) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was just checked"
        )]
        return Ok(bytes as u64);
    }
    Err("a rate above zero".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, bytes) in [
            ("1024", 1024),
            ("20M", 20 << 20),
            ("200mbit", 25_000_000),
            ("1.5 MiB/s", 3 << 19),
        ] {
            assert_eq!(rate(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "-1M", "0", "nan", "inf", "10 parsecs"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
