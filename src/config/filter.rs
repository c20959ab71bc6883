//! Patterns over pull specs: `mirror.blockedImages` and factory-precaching-cli's `--filter` file (`imageset.md` 4.3, 4.5).
//!
//! A pattern is an unanchored regular expression in Go's RE2 dialect. The `regex` crate reads nearly the same; what it does not
//! (`\Q…\E`, `\C`, an unescaped `[` inside a class) is an error, never a different match, on ASCII text as pull specs are.

use regex::Regex;

use super::finding::{Finding, nearest};
use super::model::{At, Located};
use super::yaml::{self, Node, Value};

/// A set of unanchored regular expressions.
#[derive(Debug, Clone, Default)]
pub struct Patterns(Vec<Regex>);

impl Patterns {
    /// Compiles every pattern; the errors carry the place and RE2's wording of each one that is wrong.
    pub fn compile(patterns: &[Located<String>]) -> Result<Self, Vec<(At, String)>> {
        let mut compiled = Vec::with_capacity(patterns.len());
        let mut wrong = Vec::new();
        for pattern in patterns {
            match Regex::new(&pattern.value) {
                Ok(regex) => compiled.push(regex),
                Err(error) => wrong.push((pattern.at, re2_text(&pattern.value, &error))),
            }
        }
        if wrong.is_empty() {
            Ok(Self(compiled))
        } else {
            Err(wrong)
        }
    }

    /// Whether any pattern matches somewhere in the text. No patterns match nothing.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(text))
    }
}

/// A filter file; the default matches nothing.
#[derive(Debug, Clone, Default)]
pub struct ImageFilter {
    patterns: Patterns,
}

impl ImageFilter {
    /// Reads `patterns: [regex, …]`. `file` is the name to print.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Finding>> {
        let fail = |at, message: String, hint: &str| {
            let message = format!("Error parsing filter file: {file}: {message}");
            Finding::new(file, at, message).with_hint(hint)
        };
        let document =
            yaml::parse(text).map_err(|error| vec![fail(error.at, error.message, SHAPE)])?;
        let mut findings: Vec<Finding> = document
            .duplicates
            .iter()
            .map(|d| {
                fail(
                    d.at,
                    format!("key {:?} already set in map", d.key),
                    "merge the two lists",
                )
            })
            .collect();
        let patterns = match read_patterns(&document.root) {
            Ok(patterns) => patterns,
            Err(wrong) => {
                findings.extend(
                    wrong
                        .into_iter()
                        .map(|(at, message, hint)| fail(at, message, &hint)),
                );
                Vec::new()
            }
        };
        let patterns = Patterns::compile(&patterns).unwrap_or_else(|wrong| {
            findings.extend(wrong.into_iter().map(|(at, message)| {
                let message = format!("Error: Failed while parsing filter file: {file}: {message}");
                Finding::new(file, at, message).with_hint(REGEX_HINT)
            }));
            Patterns::default()
        });
        if findings.is_empty() {
            Ok(Self { patterns })
        } else {
            Err(findings)
        }
    }

    /// The patterns as written, in file order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.patterns.0.iter().map(Regex::as_str)
    }

    /// Whether a mapping line is to be left out: a pattern matches its source or its destination.
    pub fn matches(&self, source: &str, destination: &str) -> bool {
        self.patterns.is_match(source) || self.patterns.is_match(destination)
    }
}

const SHAPE: &str = "write `patterns:` and below it one regular expression per line after `- `";
pub(super) const REGEX_HINT: &str = "write the expression in single quotes, and a backslash before . * + ? ( ) [ ] that are meant literally";

type Wrong = (At, String, String);

fn read_patterns(root: &Node) -> Result<Vec<Located<String>>, Vec<Wrong>> {
    let entries = match &root.value {
        Value::Map(entries) => entries.as_slice(),
        _ if root.is_null() => &[],
        _ => return Err(vec![wrong_type(root, "main.ImageFilterPatterns")]),
    };
    let mut wrong = Vec::new();
    let mut patterns = Vec::new();
    for entry in entries {
        match &entry.value.value {
            // yaml.v3 would skip it, and a file with a slip in its only key would filter nothing.
            _ if entry.key != "patterns" => {
                let hint = match nearest(&entry.key, &["patterns"]) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => SHAPE.to_owned(),
                };
                wrong.push((entry.at, format!("unknown field {:?}", entry.key), hint));
            }
            Value::List(items) => {
                for item in items {
                    match &item.value {
                        Value::Scalar { text, .. } if !item.is_null() => patterns.push(Located {
                            value: text.clone(),
                            at: item.at,
                        }),
                        // An empty pattern would match every image.
                        Value::Scalar { .. } => {
                            wrong.push((item.at, "empty pattern".to_owned(), SHAPE.to_owned()));
                        }
                        _ => wrong.push(wrong_type(item, "string")),
                    }
                }
            }
            _ if entry.value.is_null() => {}
            _ => wrong.push(wrong_type(&entry.value, "[]string")),
        }
    }
    if wrong.is_empty() {
        Ok(patterns)
    } else {
        Err(wrong)
    }
}

fn wrong_type(node: &Node, target: &str) -> Wrong {
    let tag = match &node.value {
        Value::List(_) => "!!seq".to_owned(),
        Value::Map(_) => "!!map".to_owned(),
        Value::Scalar { text, .. } => format!("!!str `{text}`"),
    };
    let line = node.at.line;
    let message =
        format!("yaml: unmarshal errors:\n  line {line}: cannot unmarshal {tag} into {target}");
    (node.at, message, SHAPE.to_owned())
}

/// The error as Go's `regexp` words it, for what people get wrong; else the last line of the `regex` crate's text.
fn re2_text(pattern: &str, error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    // The crate prints the pattern indented by four, and below it a caret where it went wrong.
    let caret = text.lines().find_map(|line| {
        line.strip_prefix("    ")?
            .trim_end()
            .find('^')
            .filter(|_| line.trim().chars().all(|c| c == '^'))
    });
    let rest = caret
        .and_then(|n| pattern.char_indices().nth(n))
        .map_or(pattern, |(i, _)| pattern.get(i..).unwrap_or(pattern));
    let first = |count: usize| rest.chars().take(count).collect::<String>();
    let (code, part) = match reason {
        r if r.starts_with("unclosed character class") => ("missing closing ]", rest.to_owned()),
        r if r.starts_with("unclosed group") => ("missing closing )", pattern.to_owned()),
        r if r.starts_with("unopened group") => ("unexpected )", pattern.to_owned()),
        r if r.starts_with("repetition operator missing") => {
            ("missing argument to repetition operator", first(1))
        }
        r if r.starts_with("incomplete escape") => {
            ("trailing backslash at end of expression", String::new())
        }
        r if r.starts_with("unrecognized escape") || r.starts_with("backreferences") => {
            ("invalid escape sequence", first(2))
        }
        r if r.starts_with("look-around") => ("invalid or unsupported Perl syntax", first(3)),
        r if r.starts_with("invalid character class range") => {
            ("invalid character class range", first(3))
        }
        r => return format!("error parsing regexp: {r}: `{pattern}`"),
    };
    format!("error parsing regexp: {code}: `{part}`")
}

#[cfg(test)]
mod tests;
