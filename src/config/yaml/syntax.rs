//! Syntax errors in the words of libyaml, whose Go port oc-mirror and factory-precaching-cli print.
//!
//! go-yaml names the line before for errors of its parser, and none at all on the first line (`yaml.v2` `decode.go`,
//! `parser.fail`); the number inside the message follows it. The finding's own place is the true one.

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use super::SyntaxError;
use super::loader::place;

/// Translates an error; what has no counterpart keeps the parser's own text.
pub(super) fn in_go_words(error: &ScanError, text: &str) -> SyntaxError {
    let at = place(*error.marker());
    let newlines = u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX);
    let parser = |message: &'static str| (at.line.saturating_sub(1), message.to_owned());
    let scanner =
        |message: &'static str| (if at.line == 1 { 0 } else { at.line }, message.to_owned());
    let unclosed = |message: &'static str| (newlines, message.to_owned());
    let (line, message) = match error.kind() {
        ErrorKind::ExpectedFlowSequenceSeparator => parser("did not find expected ',' or ']'"),
        ErrorKind::ExpectedFlowMappingSeparator => parser("did not find expected ',' or '}'"),
        ErrorKind::UnclosedFlowCollection { open: '[' } => {
            unclosed("did not find expected ',' or ']'")
        }
        ErrorKind::UnclosedFlowCollection { .. } => unclosed("did not find expected ',' or '}'"),
        ErrorKind::ExpectedBlockMappingKey => parser("did not find expected key"),
        ErrorKind::ExpectedBlockSequenceEntry => parser("did not find expected '-' indicator"),
        ErrorKind::ExpectedNodeContent => parser("did not find expected node content"),
        ErrorKind::SimpleKeyExpected => scanner("could not find expected ':'"),
        ErrorKind::UnclosedQuotedScalar => unclosed("found unexpected end of stream"),
        ErrorKind::MappingValueNotAllowed => {
            scanner("mapping values are not allowed in this context")
        }
        ErrorKind::BlockSequenceEntryNotAllowed => {
            scanner("block sequence entries are not allowed in this context")
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::UnexpectedCharacter { .. } => {
            scanner("found character that cannot start any token")
        }
        _ => (at.line, error.info()),
    };
    let message = if line == 0 {
        format!("yaml: {message}")
    } else {
        format!("yaml: line {line}: {message}")
    };
    SyntaxError { at, message }
}
