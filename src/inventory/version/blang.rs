//! `github.com/blang/semver/v4`: strict versions, and ranges in which a prerelease is a version like any other.
//!
//! Grammar of a range: `op version` terms, separated by spaces (and), joined by `||` (or); `op` is one of
//! nothing, `=`, `==`, `!`, `!=`, `>`, `>=`, `<`, `<=`; `x` may stand for the last part (`1.x`, `1.2.x`).
//! Upstream's oddities are kept where a catalog or a configuration can reach them.

use std::cmp::Ordering;

use super::{Version, VersionError, quote};

/// Parses a version: `X.Y.Z[-pre][+build]`, no `v`, no leading zeros.
///
/// # Errors
/// Upstream's text, for instance `Version string empty` or `No Major.Minor.Patch elements found`.
pub fn parse(text: &str) -> Result<Version, VersionError> {
    if text.is_empty() {
        return fail("Version string empty");
    }
    let mut parts = text.splitn(3, '.');
    let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return fail("No Major.Minor.Patch elements found");
    };
    let major = number(major, "major", "Major")?;
    let minor = number(minor, "minor", "Minor")?;
    let (rest, build) = split_at_mark(rest, '+');
    let (patch, pre) = split_at_mark(rest, '-');
    let patch = number(patch, "patch", "Patch")?;
    for part in pre.iter().flat_map(|pre| pre.split('.')) {
        check_prerelease(part)?;
    }
    for part in build.iter().flat_map(|build| build.split('.')) {
        if part.is_empty() {
            return fail("Build meta data is empty");
        }
        if !part.bytes().all(is_word) {
            return fail(&format!(
                "Invalid character(s) found in build meta data {}",
                quote(part)
            ));
        }
    }
    Ok(Version {
        major,
        minor,
        patch,
        pre: pre.unwrap_or_default().to_owned(),
        build: build.unwrap_or_default().to_owned(),
    })
}

fn fail<T>(text: &str) -> Result<T, VersionError> {
    Err(VersionError(text.to_owned()))
}

fn split_at_mark(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn number(part: &str, lower: &str, upper: &str) -> Result<u64, VersionError> {
    if !part.bytes().all(|b| b.is_ascii_digit()) {
        return fail(&format!(
            "Invalid character(s) found in {lower} number {}",
            quote(part)
        ));
    }
    if part.len() > 1 && part.starts_with('0') {
        return fail(&format!(
            "{upper} number must not contain leading zeroes {}",
            quote(part)
        ));
    }
    parse_u64(part)
}

/// `strconv.ParseUint` with its messages.
pub(super) fn parse_u64(part: &str) -> Result<u64, VersionError> {
    part.parse().map_err(|_| {
        let reason = if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            "invalid syntax"
        } else {
            "value out of range"
        };
        VersionError(format!(
            "strconv.ParseUint: parsing {}: {reason}",
            quote(part)
        ))
    })
}

fn check_prerelease(part: &str) -> Result<(), VersionError> {
    if part.is_empty() {
        return fail("Prerelease is empty");
    }
    if part.bytes().all(|b| b.is_ascii_digit()) {
        if part.len() > 1 && part.starts_with('0') {
            return fail(&format!(
                "Numeric PreRelease version must not contain leading zeroes {}",
                quote(part)
            ));
        }
        return parse_u64(part).map(drop);
    }
    if !part.bytes().all(is_word) {
        return fail(&format!(
            "Invalid character(s) found in prerelease {}",
            quote(part)
        ));
    }
    Ok(())
}

/// A parsed range: a disjunction of conjunctions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range(Vec<Vec<Term>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    op: Op,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Range {
    /// Parses a range.
    ///
    /// # Errors
    /// Upstream's text; the v1 filter ignores it and goes on without a range.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let mut all = Vec::new();
        for group in split_or(&split_and_trim(text))? {
            let mut terms = Vec::new();
            for part in group {
                for term in expand_wildcard(&part)? {
                    terms.push(parse_term(&term)?);
                }
            }
            all.push(terms);
        }
        Ok(Self(all))
    }

    /// `>=min <=max` or `<=max`, as the v1 filter builds it.
    ///
    /// # Errors
    /// As [`Range::parse`].
    pub fn between(min: Option<&str>, max: &str) -> Result<Self, VersionError> {
        match min {
            Some(min) => Self::parse(&format!(">={min} <={max}")),
            None => Self::parse(&format!("<={max}")),
        }
    }

    /// Whether the version lies in the range. A prerelease is a version like any other here.
    pub fn contains(&self, version: &Version) -> bool {
        self.0.iter().any(|terms| {
            terms.iter().all(|term| {
                let order = version.precedence(&term.version);
                match term.op {
                    Op::Eq => order == Ordering::Equal,
                    Op::Ne => order != Ordering::Equal,
                    Op::Gt => order == Ordering::Greater,
                    Op::Ge => order != Ordering::Less,
                    Op::Lt => order == Ordering::Less,
                    Op::Le => order != Ordering::Greater,
                }
            })
        })
    }
}

/// Splits at spaces that do not follow an operator; single characters are lost, as upstream loses them.
fn split_and_trim(text: &str) -> Vec<String> {
    let (mut parts, mut start, mut last) = (Vec::new(), 0usize, ' ');
    for (i, c) in text.char_indices() {
        if c != ' ' {
            last = c;
        } else if !matches!(last, '>' | '<' | '=') {
            if start + 1 < i {
                parts.push(text.get(start..i));
            }
            start = i + 1;
        }
    }
    if start + 1 < text.len() {
        parts.push(text.get(start..));
    }
    let whole = parts.into_iter().flatten();
    whole.map(|part| part.replace(' ', "")).collect()
}

fn split_or(parts: &[String]) -> Result<Vec<Vec<String>>, VersionError> {
    if parts.first().is_some_and(|first| first == "||") {
        return fail("First element in range is '||'");
    }
    if parts.last().is_none_or(|last| last == "||") {
        return fail("Last element in range is '||'");
    }
    let groups = parts.split(|part| part == "||");
    Ok(groups.map(<[String]>::to_vec).collect())
}

fn split_comparator(text: &str) -> Result<(&str, &str), VersionError> {
    match text.find(|c: char| c.is_ascii_digit()) {
        Some(at) => {
            let (op, version) = text.split_at(at);
            Ok((op.trim(), version))
        }
        None => fail(&format!(
            "Could not get version from string: {}",
            quote(text)
        )),
    }
}

fn parse_term(text: &str) -> Result<Term, VersionError> {
    let (op, version) = split_comparator(text)?;
    let op = match op {
        "" | "=" | "==" => Op::Eq,
        "!" | "!=" => Op::Ne,
        ">" => Op::Gt,
        ">=" => Op::Ge,
        "<" => Op::Lt,
        "<=" => Op::Le,
        other => {
            return fail(&format!(
                "Could not parse Range {}: Could not parse comparator {} in {}",
                quote(text),
                quote(other),
                quote(text)
            ));
        }
    };
    let version = parse(version).map_err(|e| {
        VersionError(format!(
            "Could not parse Range {}: Could not parse version {} in {}: {e}",
            quote(text),
            quote(version),
            quote(text)
        ))
    })?;
    Ok(Term { op, version })
}

/// Rewrites a term that holds an `x`. A term whose `x` is no wildcard (`<=1.0.0-next`) loses its version where the
/// operator would need the next one, and then fails to parse: upstream's behaviour.
fn expand_wildcard(term: &str) -> Result<Vec<String>, VersionError> {
    if !term.contains('x') {
        return Ok(vec![term.to_owned()]);
    }
    let (op, version) = split_comparator(term)?;
    let parts: Vec<&str> = version.split('.').collect();
    let flat = {
        let flat = version.replacen(".x.x", ".x", 1).replacen(".x", ".0", 1);
        if flat.split('.').count() == 2 {
            flat + ".0"
        } else {
            flat
        }
    };
    let next = || match (parts.last(), parts.len()) {
        (Some(&"x"), 3) => {
            parse(&flat).map(|v| format!("{}.{}.0", v.major, v.minor.saturating_add(1)))
        }
        (Some(&"x"), 2) => parse(&flat).map(|v| format!("{}.0.0", v.major.saturating_add(1))),
        _ => Ok(String::new()),
    };
    let next = || next().unwrap_or_default();
    Ok(match op {
        ">" => vec![format!(">={}", next())],
        ">=" => vec![format!(">={flat}")],
        "<" => vec![format!("<{flat}")],
        "<=" => vec![format!("<{}", next())],
        "" | "=" | "==" => vec![format!(">={flat}"), format!("<{}", next())],
        "!" | "!=" => vec![format!("<{flat}"), format!(">={}", next())],
        _ => vec![flat],
    })
}
