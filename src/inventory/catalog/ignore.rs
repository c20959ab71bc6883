//! `.indexignore`: gitignore syntax, in any directory of a catalog.
//!
//! Rules: [gitignore(5)](https://git-scm.com/docs/gitignore). A pattern with a slash other than at its end is anchored
//! at the file's directory, others match at any depth; `!` takes back; the last match wins; what lies below an ignored
//! directory is ignored.

use regex::Regex;

/// The patterns of all `.indexignore` files of a catalog, shallow directories first.
#[derive(Debug, Default)]
pub(super) struct Ignores(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    negated: bool,
    directories_only: bool,
}

impl Ignores {
    /// Adds the patterns of the file in `directory` (relative to the root, empty for the root itself).
    /// Call it for shallow directories first.
    pub(super) fn add(&mut self, directory: &str, text: &str) {
        self.0
            .extend(text.lines().filter_map(|l| Pattern::parse(directory, l)));
    }

    /// Whether a file is ignored.
    pub(super) fn ignores(&self, path: &str) -> bool {
        let directories = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        for directory in directories {
            if self.last_match(directory, true) == Some(true) {
                return true;
            }
        }
        self.last_match(path, false) == Some(true)
    }

    fn last_match(&self, path: &str, is_directory: bool) -> Option<bool> {
        let mut patterns = self.0.iter().rev();
        patterns
            .find(|p| (is_directory || !p.directories_only) && p.regex.is_match(path))
            .map(|p| !p.negated)
    }
}

impl Pattern {
    fn parse(directory: &str, line: &str) -> Option<Self> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = trim_trailing_spaces(line);
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (negated, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (directories_only, line) = match line.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        if line.is_empty() {
            return None;
        }
        let anchored = line.contains('/');
        let line = line.strip_prefix('/').unwrap_or(line);
        let mut source = String::from("^");
        if !directory.is_empty() {
            source.push_str(&regex::escape(directory));
            source.push('/');
        }
        if !anchored {
            source.push_str("(?:.*/)?");
        }
        glob(line, &mut source);
        source.push('$');
        // A glob that makes no expression (an open class) matches nothing, as in git.
        let regex = Regex::new(&source).ok()?;
        Some(Self {
            regex,
            negated,
            directories_only,
        })
    }
}

fn trim_trailing_spaces(line: &str) -> &str {
    let trimmed = line.trim_end_matches(' ');
    if trimmed.ends_with('\\') && trimmed.len() < line.len() {
        line.get(..=trimmed.len()).unwrap_or(trimmed)
    } else {
        trimmed
    }
}

/// Translates a glob into a regular expression.
fn glob(pattern: &str, out: &mut String) {
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let (used, piece) = match c {
            '*' if rest.starts_with("**/") => (3, "(?:.*/)?".to_owned()),
            '*' if rest == "**" => (2, ".*".to_owned()),
            '*' => (
                rest.len() - rest.trim_start_matches('*').len(),
                "[^/]*".to_owned(),
            ),
            '?' => (1, "[^/]".to_owned()),
            '[' => class(rest),
            '\\' => match rest.chars().nth(1) {
                Some(next) => (1 + next.len_utf8(), regex::escape(&next.to_string())),
                None => (1, r"\\".to_owned()),
            },
            c => (c.len_utf8(), regex::escape(&c.to_string())),
        };
        out.push_str(&piece);
        rest = rest.get(used..).unwrap_or_default();
    }
}

/// A `[…]` class: bytes used, and the expression.
fn class(rest: &str) -> (usize, String) {
    let inner = rest.get(1..).unwrap_or_default();
    let negated = inner.starts_with(['!', '^']);
    let body = if negated {
        inner.get(1..).unwrap_or_default()
    } else {
        inner
    };
    // A `]` that comes first is a member.
    let from = usize::from(body.starts_with(']'));
    let Some(end) = body
        .get(from..)
        .and_then(|b| b.find(']'))
        .map(|at| at + from)
    else {
        return (1, r"\[".to_owned());
    };
    let members = body.get(..end).unwrap_or_default();
    let members = members
        .replace('\\', r"\\")
        .replace('[', r"\[")
        .replace(']', r"\]");
    let members = members.replace('&', r"\&").replace('~', r"\~");
    let mark = if negated { "^/" } else { "" };
    (
        1 + usize::from(negated) + end + 1,
        format!("[{mark}{members}]"),
    )
}
