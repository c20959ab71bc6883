//! Finds PEM blocks in whatever they are wrapped in, and puts others in their place.
//!
//! | wrapping | where it occurs |
//! |---|---|
//! | nothing; several blocks in a row | `*.crt`, `*.key`, bundles |
//! | indentation, escaped line breaks | config maps (YAML, JSON) |
//! | base64, in one line or in several | kubeconfigs (`certificate-authority-data`), Secrets (`tls.crt`) |
//! | data URL, base64 or percent-encoded | `ignition.config.merge`, user data in Secrets |
//! | gzip | `compression: gzip`, gzipped user data |
//!
//! They nest: a Secret holds base64 of an Ignition config, which holds a data URL of a bundle. Files are not parsed as what
//! their names say: a wrapping is recognised by its bytes, so that no list of files has to be right. Certificates in DER are
//! found where base64 or a whole file is one.

use std::fmt;
use std::io::Write as _;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::der::SEQUENCE;
use super::layout::Layout;
use super::x509::Certificate;
use crate::ignition::data_url::{self, CAP, DataUrl};

/// Wrappings within wrappings; real configs have four.
const MAX_DEPTH: usize = 8;
/// A PEM block is some kilobytes; a bound keeps a file full of beginnings without ends from taking forever.
const MAX_BLOCK: usize = 64 << 10;
/// `ENCRYPTED PRIVATE KEY` has 21 characters.
const MAX_LABEL: usize = 40;
/// Base64 shorter than this holds no certificate and no key.
static INTERESTING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"-----BEGIN ([A-Z0-9 ]{1,40})-----|data:[!-~&&[^"'\\]]+|[A-Za-z0-9+/]{64,}={0,2}"#)
        .expect("a constant pattern")
});

/// Where a certificate stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Path of the file, name of the unit, or JSON pointer of anything else in the config.
    pub file: String,
    /// Keys on the way in, the outermost first: `certificate-authority-data`.
    pub keys: Vec<String>,
    /// Which block of a bundle, from 1.
    pub index: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for key in &self.keys {
            write!(f, ": {key}")?;
        }
        if self.index > 1 {
            write!(f, " #{}", self.index)?;
        }
        Ok(())
    }
}

/// What is called for each block: where, its label, its bytes (`None` when the block is no base64). What it returns takes the
/// block's place.
pub(super) type Visitor<'v> = dyn FnMut(&Place, &str, Option<&[u8]>) -> Option<Vec<u8>> + 'v;

/// Looks through the bytes of one file. Returns them changed if the visitor changed anything.
pub(super) fn bytes(file: &str, bytes: &[u8], visit: &mut Visitor<'_>) -> Option<Vec<u8>> {
    let place = Place {
        file: file.to_owned(),
        ..Place::default()
    };
    Scan { place, visit }.bytes(bytes)
}

/// As [`bytes()`], for text.
pub(super) fn text(file: &str, text: &str, visit: &mut Visitor<'_>) -> Option<String> {
    let place = Place {
        file: file.to_owned(),
        ..Place::default()
    };
    Scan { place, visit }.text(text)
}

struct Scan<'s, 'v> {
    place: Place,
    visit: &'s mut Visitor<'v>,
}

impl Scan<'_, '_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.place.keys.len() >= MAX_DEPTH {
            return None;
        }
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let inner = data_url::gunzip(bytes, CAP).ok()?;
            return self
                .below("gzip", |scan| scan.bytes(&inner))
                .map(|b| gzip(&b));
        }
        if bytes.first() == Some(&SEQUENCE) && Certificate::parse(bytes).is_ok() {
            return self.block("CERTIFICATE", Some(bytes));
        }
        let text = std::str::from_utf8(bytes).ok()?;
        self.text(text).map(String::into_bytes)
    }

    fn text(&mut self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        let mut at = 0;
        let mut key = None;
        let mut gap = 0;
        let mut ends = Ends(0);
        while let Some(found) = INTERESTING.captures_at(text, at) {
            let (Some(whole), label) = (found.get(0), found.get(1)) else {
                break;
            };
            if let Some(named) = key_before(text.get(gap..whole.start()).unwrap_or_default()) {
                key = Some(named.to_owned());
                self.place.index = 0;
            }
            let (end, replaced) = match label {
                Some(label) => {
                    let inside = ends.before(text, whole.end());
                    self.pem(whole.end(), inside, label.as_str(), key.as_deref())
                }
                None if whole.as_str().starts_with("data:") => {
                    self.url(whole.as_str(), whole.start(), key.as_deref())
                }
                None => self.base64(text, whole.range(), key.as_deref()),
            };
            if let Some((range, new)) = replaced {
                out.push_str(text.get(copied..range.start).unwrap_or_default());
                out.push_str(&new);
                copied = range.end;
            }
            at = end;
            gap = end;
        }
        if copied == 0 && out.is_empty() {
            return None;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Some(out)
    }

    /// One level deeper, under a key.
    fn below<T>(&mut self, key: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        let index = std::mem::take(&mut self.place.index);
        self.place.keys.push(key.to_owned());
        let result = look(self);
        self.place.keys.pop();
        self.place.index = index;
        result
    }

    fn block(&mut self, label: &str, bytes: Option<&[u8]>) -> Option<Vec<u8>> {
        if label.ends_with("CERTIFICATE") {
            self.place.index += 1;
        } else if !label.ends_with("PRIVATE KEY") {
            return None;
        }
        (self.visit)(&self.place, label, bytes)
    }

    /// A PEM block that begins at `start`, its beginning line left out: where to go on, and what to put where.
    fn pem(&mut self, start: usize, inside: &str, label: &str, key: Option<&str>) -> Step {
        let Some(inside) = inside.strip_suffix(&format!("-----END {label}-----")) else {
            return (start, None);
        };
        let separator = separator(inside);
        let body = inside.get(separator.len()..).unwrap_or_default();
        let body = body
            .strip_suffix(separator)
            .unwrap_or_else(|| body.trim_end());
        let read = Layout::read(body, separator);
        let bytes = read.as_ref().map(|(bytes, _)| bytes.as_slice());
        let new = self.under(key, |scan| scan.block(label, bytes));
        let range = start + separator.len()..start + separator.len() + body.len();
        let replaced = new
            .zip(read)
            .map(|(new, (_, layout))| (range, layout.write(&new)));
        (start + inside.len(), replaced)
    }

    fn url(&mut self, url: &str, start: usize, key: Option<&str>) -> Step {
        let decoded = DataUrl::parse(url).and_then(|parsed| Ok((parsed, parsed.decode(CAP)?)));
        let Ok((parsed, bytes)) = decoded else {
            return (start + "data:".len(), None);
        };
        let end = start + url.len();
        let new = self.below(key.unwrap_or("data URL"), |scan| scan.bytes(&bytes));
        (end, new.map(|new| (start..end, parsed.with_bytes(&new))))
    }

    fn base64(&mut self, text: &str, first: std::ops::Range<usize>, key: Option<&str>) -> Step {
        let (range, separator) = wrapped(text, first);
        let body = text.get(range.clone()).unwrap_or_default();
        let Some((bytes, layout)) = Layout::read(body, separator) else {
            return (range.end, None);
        };
        let new = self.below(key.unwrap_or("base64"), |scan| scan.bytes(&bytes));
        (range.end, new.map(|new| (range, layout.write(&new))))
    }

    /// As [`Self::below`], but the blocks of one key are counted on.
    fn under<T>(&mut self, key: Option<&str>, look: impl FnOnce(&mut Self) -> T) -> T {
        if let Some(key) = key {
            self.place.keys.push(key.to_owned());
        }
        let result = look(self);
        if key.is_some() {
            self.place.keys.pop();
        }
        result
    }
}

/// Where to go on, and what to put into which range.
type Step = (usize, Option<(std::ops::Range<usize>, String)>);

/// Finds the ends of PEM blocks in one pass: it never looks at the same text twice, whatever stands there.
struct Ends(usize);

impl Ends {
    /// From `start` to behind the next end line; empty when there is none within reach.
    fn before<'a>(&mut self, text: &'a str, start: usize) -> &'a str {
        const END: &str = "-----END ";
        if self.0 < start {
            let found = text.get(start..).and_then(|rest| rest.find(END));
            self.0 = found.map_or(text.len(), |n| start + n);
        }
        let line = text.get(self.0..).unwrap_or_default();
        let label = line.get(END.len()..).and_then(|l| l.find("-----"));
        match label {
            Some(label) if self.0 - start <= MAX_BLOCK && label <= MAX_LABEL => text
                .get(start..self.0 + END.len() + label + 5)
                .unwrap_or_default(),
            _ => "",
        }
    }
}

/// What stands between the lines of a block: white space, or escapes such as `\n` in a JSON string (`\\n` in one within one).
fn separator(inside: &str) -> &str {
    let mut end = 0;
    let mut rest = inside;
    loop {
        let white = rest.len() - rest.trim_start().len();
        let after = rest.trim_start_matches('\\');
        let slashes = rest.len() - after.len();
        let step = match (white, slashes) {
            (0, 0) => break,
            (0, n) if after.starts_with(['n', 'r', 't']) => n + 1,
            (0, _) => break,
            (n, _) => n,
        };
        end += step;
        rest = rest.get(step..).unwrap_or_default();
    }
    inside.get(..end).unwrap_or_default()
}

/// The key that a value belongs to, from the text before it: `key: `, `"key": "`, `key: |` and a line break.
fn key_before(gap: &str) -> Option<&str> {
    let gap = gap.trim_end_matches(|c: char| c.is_whitespace() || "\"'|>-+\\".contains(c));
    let gap = gap.trim_end_matches("!!binary").trim_end();
    let gap = gap
        .strip_suffix([':', '='])?
        .trim_end_matches(|c: char| c.is_whitespace() || "\"'\\".contains(c));
    let start = gap
        .rfind(|c: char| !c.is_ascii_alphanumeric() && !"._-/".contains(c))
        .map_or(0, |n| n + 1);
    gap.get(start..)
        .filter(|key| !key.is_empty() && key.len() <= 64)
}

/// Base64 in lines of one width (as `base64` and `!!binary` write it): the whole range, and what separates the lines.
fn wrapped(text: &str, first: std::ops::Range<usize>) -> (std::ops::Range<usize>, &str) {
    let width = first.len();
    let rest = text.get(first.end..).unwrap_or_default();
    let white = rest.len() - rest.trim_start().len();
    let separator = rest.get(..white).unwrap_or_default();
    if !matches!(width, 64 | 76) || separator.matches('\n').count() != 1 {
        return (first, "");
    }
    let mut end = first.end;
    while let Some(line) = text.get(end..).and_then(|t| t.strip_prefix(separator)) {
        let length = line
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c))
            .unwrap_or(line.len());
        // A shorter line is the last one; a word with a colon behind it is the next key.
        if length == 0
            || length > width
            || line
                .get(length..)
                .is_some_and(|t| t.starts_with([':', '-', '_', '.']))
        {
            break;
        }
        end += separator.len() + length;
        if length < width {
            break;
        }
    }
    if end == first.end {
        (first, "")
    } else {
        (first.start..end, separator)
    }
}

/// Without a time stamp, so that equal bytes stay equal.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("a vector takes every write")
}

#[cfg(test)]
mod tests;
