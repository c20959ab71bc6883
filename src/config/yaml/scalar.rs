//! What a plain scalar stands for: the resolution of `gopkg.in/yaml.v2` (YAML 1.1 without sexagesimal numbers).

/// What a scalar stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `~`, `null` or nothing.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// An integer or a float in any notation.
    Number,
    /// Everything else, and whatever is quoted. Timestamps are text: so they are for go-yaml when the target is JSON.
    Text,
}

/// Resolves an unquoted scalar.
pub(crate) fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Kind::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Kind::Bool(false)
        }
        _ if is_special_float(text) => Kind::Number,
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
            && (is_integer(text) || is_float(text)) =>
        {
            Kind::Number
        }
        _ => Kind::Text,
    }
}

fn is_special_float(text: &str) -> bool {
    matches!(text, ".nan" | ".NaN" | ".NAN")
        || matches!(
            text.strip_prefix(['+', '-']).unwrap_or(text),
            ".inf" | ".Inf" | ".INF"
        )
}

/// `strconv.ParseInt(text, 0, 64)` after dropping `_`. Values beyond 64 bits fall through to floats, so size does not matter.
fn is_integer(text: &str) -> bool {
    let plain = text.replace('_', "");
    let digits = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let radix = |prefixes: [&str; 2]| prefixes.iter().find_map(|p| digits.strip_prefix(p));
    let all =
        |digits: &str, valid: fn(char) -> bool| !digits.is_empty() && digits.chars().all(valid);
    all(digits, |c| c.is_ascii_digit())
        || radix(["0x", "0X"]).is_some_and(|d| all(d, |c| c.is_ascii_hexdigit()))
        || radix(["0o", "0O"]).is_some_and(|d| all(d, |c| c.is_digit(8)))
        || radix(["0b", "0B"]).is_some_and(|d| all(d, |c| c.is_digit(2)))
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$` after dropping `_`.
fn is_float(text: &str) -> bool {
    let plain = text.replace('_', "");
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_1_1_as_go_reads_it() {
        for (kind, texts) in [
            (Kind::Null, &["", "~", "null", "NULL"][..]),
            (Kind::Bool(true), &["y", "yes", "on", "True"]),
            (Kind::Bool(false), &["n", "NO", "off", "false"]),
            (
                Kind::Number,
                &[
                    "4.13",
                    "2",
                    "0x1F",
                    "0o17",
                    "0b101",
                    "1_000",
                    "-1",
                    "+2.5",
                    ".5",
                    "4.",
                    "1e3",
                    "-.inf",
                    ".nan",
                    "99999999999999999999999",
                ],
            ),
            (
                Kind::Text,
                &[
                    "4.13.1",
                    "v4.13",
                    "4.13.0-202305262054",
                    "stable-4.13",
                    "2023-05-26",
                    "12:30:45",
                    "0x",
                    "1e",
                    "e3",
                    ".",
                    "-",
                    "nUll",
                    "yEs",
                    "_1",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(resolve(text), kind, "{text}");
            }
        }
    }
}
