//! `github.com/Masterminds/semver/v3`: strict and lenient versions, and constraints that leave prereleases out.
//!
//! Two rule sets for prereleases: before 3.4 each comparator must itself name a prerelease to accept one; since 3.4
//! it is enough that any comparator of the same and-group does ([`Prereleases`]). Partial versions are "dirty":
//! `<=1.2` means below 1.3.0, `>=1.2` means from 1.2.0.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use super::blang::parse_u64;
use super::{Version, VersionError};

/// Which comparators of a constraint accept a prerelease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prereleases {
    /// semver < 3.4: only comparators that name a prerelease themselves.
    PerComparator,
    /// semver >= 3.4: all of an and-group when any of it names one.
    PerGroup,
}

/// Parses a version as `StrictNewVersion`: three parts, no leading zeros, no `v`.
///
/// # Errors
/// Upstream's text.
pub fn parse_strict(text: &str) -> Result<Version, VersionError> {
    if text.is_empty() {
        return fail("version string empty");
    }
    let mut parts = text.splitn(3, '.');
    let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return fail("invalid semantic version");
    };
    // An empty prerelease or build (`1.0.0-`) passes here and not in blang.
    let (rest, build) = rest.split_once('+').unwrap_or((rest, ""));
    let (patch, pre) = rest.split_once('-').unwrap_or((rest, ""));
    for part in [major, minor, patch] {
        if !part.bytes().all(|b| b.is_ascii_digit()) {
            return fail("invalid characters in version");
        }
        if part.len() > 1 && part.starts_with('0') {
            return fail("version segment starts with 0");
        }
    }
    let version = Version {
        major: parse_u64(major)?,
        minor: parse_u64(minor)?,
        patch: parse_u64(patch)?,
        pre: pre.to_owned(),
        build: build.to_owned(),
    };
    check_prerelease(pre)?;
    check_words(build, "invalid metadata string")?;
    Ok(version)
}

/// Parses a version as `NewVersion`: a `v`, leading zeros and missing parts are fine.
///
/// # Errors
/// Upstream's text.
pub fn parse_lenient(text: &str) -> Result<Version, VersionError> {
    let Some(found) = LENIENT.captures(text) else {
        return fail("invalid semantic version");
    };
    let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
    let number = |i: usize| match part(i).trim_start_matches('.') {
        "" => Ok(0),
        digits => parse_u64(digits)
            .map_err(|e| VersionError(format!("error parsing version segment: {e}"))),
    };
    let (pre, build) = (part(5), part(8));
    if !pre.is_empty() {
        check_prerelease(pre)?;
    }
    Ok(Version {
        major: number(1)?,
        minor: number(2)?,
        patch: number(3)?,
        pre: pre.to_owned(),
        build: build.to_owned(),
    })
}

fn fail<T>(text: &str) -> Result<T, VersionError> {
    Err(VersionError(text.to_owned()))
}

fn check_words(text: &str, error: &str) -> Result<(), VersionError> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if text.split('.').all(|part| part.bytes().all(word)) {
        Ok(())
    } else {
        fail(error)
    }
}

fn check_prerelease(text: &str) -> Result<(), VersionError> {
    for part in text.split('.') {
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        if digits && part.len() > 1 && part.starts_with('0') {
            return fail("version segment starts with 0");
        }
        check_words(part, "invalid prerelease string")?;
    }
    Ok(())
}

const OPS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";
const VERSION: &str = r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

static LENIENT: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?$",
    )
});
static ONE: LazyLock<Regex> = LazyLock::new(|| compile(&format!(r"^\s*({OPS})\s*({VERSION})\s*$")));
static HYPHEN: LazyLock<Regex> =
    LazyLock::new(|| compile(&format!(r"\s*({VERSION})\s+-\s+({VERSION})\s*")));
static FIND: LazyLock<Regex> = LazyLock::new(|| compile(&format!(r"({OPS})\s*({VERSION})")));
static VALID: LazyLock<Regex> = LazyLock::new(|| {
    compile(&format!(
        r"^(\s*({OPS})\s*({VERSION})\s*)((?:\s+|,\s*)({OPS})\s*({VERSION})\s*)*$"
    ))
});

/// A parsed constraint: a disjunction of conjunctions.
#[derive(Debug, Clone)]
pub struct Constraint {
    groups: Vec<Vec<Comparator>>,
    prereleases: Prereleases,
}

#[derive(Debug, Clone)]
struct Comparator {
    op: String,
    /// The version as written, for messages.
    written: String,
    version: Version,
    minor_dirty: bool,
    patch_dirty: bool,
    dirty: bool,
}

impl Constraint {
    /// Parses a constraint.
    ///
    /// # Errors
    /// `improper constraint: …`.
    pub fn parse(text: &str, prereleases: Prereleases) -> Result<Self, VersionError> {
        let text = HYPHEN.replace_all(text, |found: &regex::Captures<'_>| {
            let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
            format!(">= {} <= {} ", part(1), part(11))
        });
        let mut groups = Vec::new();
        for group in text.split("||") {
            if !VALID.is_match(group) {
                return fail(&format!("improper constraint: {group}"));
            }
            let found = FIND.find_iter(group).map(|m| m.as_str());
            groups.push(found.map(Comparator::parse).collect::<Result<_, _>>()?);
        }
        Ok(Self {
            groups,
            prereleases,
        })
    }

    /// Whether the version satisfies the constraint.
    pub fn accepts(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            let with_pre = self.prereleases == Prereleases::PerGroup
                && group.iter().any(|c| !c.version.pre.is_empty());
            group.iter().all(|c| c.accepts(version, with_pre))
        })
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, group) in self.groups.iter().enumerate() {
            if i > 0 {
                f.write_str(" || ")?;
            }
            for (j, comparator) in group.iter().enumerate() {
                let space = if j > 0 { " " } else { "" };
                write!(f, "{space}{}{}", comparator.op, comparator.written)?;
            }
        }
        Ok(())
    }
}

fn is_any(part: &str) -> bool {
    matches!(part, "" | "x" | "X" | "*")
}

impl Comparator {
    fn parse(text: &str) -> Result<Self, VersionError> {
        let Some(found) = ONE.captures(text) else {
            return fail(&format!("improper constraint: {text}"));
        };
        let part = |i: usize| found.get(i).map_or("", |m| m.as_str());
        let (major, pre) = (part(3), part(6));
        let (minor, patch) = (
            part(4).trim_start_matches('.'),
            part(5).trim_start_matches('.'),
        );
        let (mut minor_dirty, mut patch_dirty) = (false, false);
        let mut dirty = true;
        let version = if is_any(major) {
            format!("0.0.0{pre}")
        } else if is_any(minor) {
            minor_dirty = true;
            format!("{major}.0.0{pre}")
        } else if is_any(patch) {
            patch_dirty = true;
            format!("{major}.{minor}.0{pre}")
        } else {
            dirty = false;
            part(2).to_owned()
        };
        let Ok(version) = parse_lenient(&version) else {
            return fail("constraint parser error");
        };
        Ok(Self {
            op: part(1).to_owned(),
            written: part(2).to_owned(),
            version,
            minor_dirty,
            patch_dirty,
            dirty,
        })
    }

    fn accepts(&self, v: &Version, with_pre: bool) -> bool {
        let unwanted = !v.pre.is_empty() && self.version.pre.is_empty() && !with_pre;
        // A full `!=` is the one comparator that looks at unwanted prereleases.
        if unwanted && (self.op != "!=" || self.dirty) {
            return false;
        }
        let c = &self.version;
        let order = v.precedence(c);
        match self.op.as_str() {
            "!=" => self.differs(v),
            ">" => self.greater(v),
            "<" => order.is_lt(),
            ">=" | "=>" => order.is_ge(),
            "<=" | "=<" if self.dirty => {
                v.major < c.major || v.major == c.major && (v.minor <= c.minor || self.minor_dirty)
            }
            "<=" | "=<" => order.is_le(),
            "~" | "~>" => self.tilde(v),
            "^" => self.caret(v),
            _ if self.dirty => self.tilde(v),
            _ => order.is_eq(),
        }
    }

    fn differs(&self, v: &Version) -> bool {
        let c = &self.version;
        if !self.dirty || v.major != c.major {
            return !v.same(c);
        }
        if self.minor_dirty {
            return false;
        }
        if v.minor != c.minor || v.patch != c.patch && !self.patch_dirty {
            return true;
        }
        if self.patch_dirty {
            return super::compare_prerelease(&v.pre, &c.pre).is_ne();
        }
        !v.same(c)
    }

    fn greater(&self, v: &Version) -> bool {
        let c = &self.version;
        if !self.dirty || v.major != c.major {
            return v.precedence(c).is_gt();
        }
        if self.minor_dirty {
            return false;
        }
        if self.patch_dirty {
            return v.minor > c.minor;
        }
        v.precedence(c).is_gt()
    }

    fn tilde(&self, v: &Version) -> bool {
        let c = &self.version;
        if v.precedence(c).is_lt() {
            return false;
        }
        let zero = (c.major, c.minor, c.patch) == (0, 0, 0);
        if zero && !self.minor_dirty && !self.patch_dirty {
            return true;
        }
        v.major == c.major && (v.minor == c.minor || self.minor_dirty)
    }

    fn caret(&self, v: &Version) -> bool {
        let c = &self.version;
        if v.precedence(c).is_lt() {
            return false;
        }
        if c.major > 0 || self.minor_dirty {
            return v.major == c.major;
        }
        if v.major > 0 {
            return false;
        }
        if c.minor > 0 || self.patch_dirty {
            return v.minor == c.minor;
        }
        if c.minor == 0 && v.minor > 0 {
            return false;
        }
        v.patch == c.patch
    }
}
