//! Changing kernel arguments as `coreos-installer iso kargs modify` does: delete, then append, then replace; by whole words, so that
//! an argument with blanks is a sequence of words. Two defects are not kept: of adjacent duplicates every one is deleted or replaced
//! (coreos-installer leaves every second), and several arguments in one `--append` are the same as several `--append`.

use super::check::{self, Warning};
use crate::iso::error::IsoError;

/// A change of kernel arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    delete: Vec<Vec<String>>,
    append: Vec<String>,
    replace: Vec<(String, String)>,
    warnings: Vec<Warning>,
}

impl Edit {
    /// A change out of the values of `--append`, `--delete` and `--replace KEY=OLD=NEW`.
    ///
    /// # Errors
    /// [`IsoError::BadKarg`] for what a boot loader would not pass on; [`IsoError::BadReplace`].
    pub fn new<S: AsRef<str>>(append: &[S], delete: &[S], replace: &[S]) -> Result<Self, IsoError> {
        let mut edit = Self::default();
        for text in append {
            edit.warnings.extend(check::check(text.as_ref())?);
            edit.append.push(text.as_ref().trim().to_owned());
        }
        for text in delete {
            edit.delete.push(words(text.as_ref()));
        }
        for text in replace {
            let (old, new) = replacement(text.as_ref())?;
            edit.warnings.extend(check::check(&new)?);
            edit.replace.push((old, new));
        }
        Ok(edit)
    }

    /// What the user should know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.append.is_empty() && self.replace.is_empty()
    }

    /// The changed arguments.
    pub fn apply(&self, kargs: &str) -> String {
        let mut line = kargs.trim().to_owned();
        for run in &self.delete {
            line = substitute(&line, run, "");
        }
        for text in self.append.iter().filter(|text| !text.is_empty()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(text);
        }
        for (old, new) in &self.replace {
            line = substitute(&line, &words(old), new);
        }
        line.trim().to_owned()
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn replacement(text: &str) -> Result<(String, String), IsoError> {
    let parts: Vec<&str> = text.split('=').collect();
    match parts.as_slice() {
        [key, old, new] if !key.is_empty() && !old.is_empty() && !new.is_empty() => {
            Ok((format!("{key}={old}"), format!("{key}={new}")))
        }
        _ => Err(IsoError::BadReplace(text.to_owned())),
    }
}

/// Puts `new` in the place of every run of words `run`; the text between other words stays as it is.
fn substitute(line: &str, run: &[String], new: &str) -> String {
    if run.is_empty() {
        return line.to_owned();
    }
    let mut out = String::new();
    let mut pending: Vec<(&str, &str)> = pieces(line);
    while !pending.is_empty() {
        let hit = pending.len() >= run.len()
            && std::iter::zip(run, &pending).all(|(wanted, (_, word))| wanted == word);
        let taken: Vec<(&str, &str)> = pending.drain(..if hit { run.len() } else { 1 }).collect();
        let Some((blank, word)) = taken.first() else {
            break;
        };
        let word = if hit { new } else { word };
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push_str(if blank.is_empty() { " " } else { blank });
        }
        out.push_str(word);
    }
    out
}

/// Words with the blanks before each.
fn pieces(line: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| !c.is_whitespace()) {
        let (blank, tail) = rest.split_at(start);
        let end = tail.find(char::is_whitespace).unwrap_or(tail.len());
        let (word, tail) = tail.split_at(end);
        found.push((blank, word));
        rest = tail;
    }
    found
}
