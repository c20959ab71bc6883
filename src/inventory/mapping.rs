//! `mapping.txt`: one `source=destination` per line (`imageset.md` §4.1).
//!
//! Written sorted and without prefix, as oc-mirror up to 4.13 does. Read with the `file://` of later v1 releases and the
//! `docker://localhost:55000/` of v2 as well.

use crate::oci::{Reference, ReferenceError};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The pull spec.
    pub source: Reference,
    /// `repository:tag` without registry.
    pub destination: String,
}

/// A line that is no mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct MappingError {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl MappingError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "each line is `registry/name@sha256:<hex>=name:tag`, as `oc-mirror --dry-run` writes it"
    }
}

/// Parses a mapping file; lines keep their order, equal lines are kept once, blank lines are skipped.
///
/// # Errors
/// The first line that is no mapping, or that gives a source a second destination.
pub fn parse(text: &str) -> Result<Vec<Line>, MappingError> {
    let mut seen = std::collections::BTreeMap::new();
    let mut lines: Vec<Line> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let fail = |reason: String| MappingError {
            line: index + 1,
            reason,
        };
        let raw = raw.trim();
        if raw.is_empty() {
            continue;
        }
        let line = parse_line(raw).map_err(fail)?;
        match seen.insert(line.source.clone(), line.destination.clone()) {
            None => lines.push(line),
            Some(other) if other == line.destination => {}
            Some(other) => {
                return Err(fail(format!(
                    "{} is mapped to {other} already",
                    line.source
                )));
            }
        }
    }
    Ok(lines)
}

fn parse_line(raw: &str) -> Result<Line, String> {
    let (source, destination) = raw
        .split_once('=')
        .ok_or_else(|| "no `=` between source and destination".to_owned())?;
    let bare = source.strip_prefix("docker://").unwrap_or(source);
    let source: Reference = bare.parse().map_err(|e: ReferenceError| e.to_string())?;
    Ok(Line {
        source,
        destination: parse_destination(destination)?,
    })
}

fn parse_destination(text: &str) -> Result<String, String> {
    if let Some(rest) = text.strip_prefix("docker://") {
        let place: Reference = rest.parse().map_err(|e: ReferenceError| e.to_string())?;
        let tag = place.tag().unwrap_or("latest");
        return Ok(format!("{}:{tag}", place.repository()));
    }
    let bare = text.strip_prefix("file://").unwrap_or(text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b);
    let repository = bare.split(':').next().unwrap_or_default();
    if repository.is_empty() || !bare.bytes().all(plain) || !bare.contains(':') {
        return Err(format!("`{text}` is not a destination (`name:tag`)"));
    }
    Ok(bare.to_owned())
}

/// Renders lines sorted, each ended by a line feed.
pub fn render<'a>(lines: impl IntoIterator<Item = (&'a Reference, &'a str)>) -> String {
    let mut texts: Vec<String> = lines
        .into_iter()
        .map(|(source, destination)| format!("{source}={destination}\n"))
        .collect();
    texts.sort_unstable();
    texts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_dialect() {
        let hex = "a".repeat(64);
        let text = format!(
            "q.io/b/c@sha256:{hex}=b/c:1\n\nq.io/a@sha256:{hex}=file://a:2\r\ndocker://q.io/z:t=docker://localhost:55000/z:t\nq.io/b/c@sha256:{hex}=b/c:1\n"
        );
        let lines = parse(&text).unwrap();
        let got: Vec<&str> = lines.iter().map(|l| l.destination.as_str()).collect();
        assert_eq!(got, ["b/c:1", "a:2", "z:t"]);
        let sorted = render(lines.iter().map(|l| (&l.source, l.destination.as_str())));
        assert_eq!(
            sorted.lines().next(),
            Some(&*format!("q.io/a@sha256:{hex}=a:2"))
        );
        let again = parse(&sorted).unwrap();
        assert_eq!(again.len(), 3);
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_written(text in "([a-z.:/=@#-]{0,40}\n){0,6}", tail in ".{0,60}") {
            let text = text + &tail;
            if let Ok(lines) = parse(&text) {
                let written = render(lines.iter().map(|l| (&l.source, l.destination.as_str())));
                let mut again = parse(&written).unwrap();
                let mut lines = lines;
                lines.sort();
                again.sort();
                proptest::prop_assert_eq!(again, lines);
            }
        }
    }

    #[test]
    fn names_the_line() {
        for bad in [
            "quay.io/a/b",
            "=x:y",
            "quay.io/a=",
            "quay.io/a=x y:z",
            "quay.io/A=x:y",
            "q.io/a=:t",
        ] {
            let error = parse(&format!("q.io/ok:1=ok:1\n{bad}\n")).unwrap_err();
            assert_eq!(error.line, 2, "{bad}");
        }
        let twice = parse("q.io/a:1=a:1\nq.io/a:1=a:2\n").unwrap_err();
        assert!(twice.to_string().contains("line 2"), "{twice}");
    }
}
