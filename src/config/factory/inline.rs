//! An image set that is written in the factory file: its text, cut out as it stands, so that comments and places survive.

use crate::config::model::At;
use crate::config::yaml::Node;
use crate::config::{Finding, imageset};

/// The text of an image set and where it was cut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineImageSet {
    /// As a file of its own.
    pub text: String,
    at: At,
}

impl InlineImageSet {
    /// Cuts out the block map that begins at `node`; `None` when it is a flow map.
    pub(super) fn cut(text: &str, node: &Node) -> Option<Self> {
        let at = node.at;
        let index = |n: u32| usize::try_from(n).ok()?.checked_sub(1);
        let (line, indent) = (index(at.line)?, index(at.column)?);
        let mut lines = text.lines().skip(line);
        let first = strip(lines.next()?, indent)?;
        if first.starts_with('{') {
            return None;
        }
        let mut cut = vec![first.to_owned()];
        for line in lines {
            let bare = line.trim_start_matches(' ');
            match strip(line, indent) {
                Some(rest) => cut.push(rest.to_owned()),
                None if bare.trim().is_empty() => cut.push(String::new()),
                None if bare.starts_with('#') => cut.push(bare.to_owned()),
                None => break,
            }
        }
        // Comments and blank lines at the end belong to what follows.
        while cut
            .last()
            .is_some_and(|l| l.is_empty() || l.starts_with('#'))
        {
            cut.pop();
        }
        cut.push(String::new());
        Some(Self {
            text: cut.join("\n"),
            at,
        })
    }

    /// What is wrong with it, with places in the factory file; and what its author should know.
    ///
    /// # Errors
    /// Every finding that makes it unusable.
    pub fn check(&self, file: &str) -> Result<Vec<Finding>, Vec<Finding>> {
        let moved = |found: Vec<Finding>| found.into_iter().map(|f| self.moved(f)).collect();
        let parsed = imageset::parse(file, &self.text).map_err(moved)?;
        let late = imageset::selection_errors(file, &parsed.imageset);
        if !late.is_empty() {
            return Err(moved(late));
        }
        Ok(moved(parsed.warnings))
    }

    fn moved(&self, mut finding: Finding) -> Finding {
        let at = &mut finding.at;
        if at.line == 0 {
            *at = self.at;
            return finding;
        }
        at.line = at.line.saturating_add(self.at.line).saturating_sub(1);
        at.column = at.column.saturating_add(self.at.column).saturating_sub(1);
        finding
    }
}

/// The line without so many blanks; `None` when it has fewer. The first line has its key before it.
fn strip(line: &str, indent: usize) -> Option<&str> {
    let blanks = line.bytes().take_while(|b| *b == b' ').count();
    if blanks < indent {
        return None;
    }
    line.get(indent..)
}
