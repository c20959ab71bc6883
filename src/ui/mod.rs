//! What a person or a script sees: bars, plain lines, JSON lines, tables. Knows events, not rooms.

mod bars;
pub mod format;
mod json;
mod meter;
mod plain;
pub mod record;
pub mod report;
pub mod table;

use std::io::IsTerminal as _;
use std::sync::Arc;

use crate::progress::{Reporter, Silent};

/// `--progress`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Bars on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// Bars.
    Always,
    /// Nothing.
    Never,
    /// JSON lines on stdout.
    Json,
}

/// The reporter for a mode; `Auto` looks at stderr.
pub fn reporter(mode: Mode) -> Arc<dyn Reporter> {
    match mode {
        Mode::Never => Arc::new(Silent),
        Mode::Json => Arc::new(json::JsonLines::default()),
        Mode::Always => Arc::new(bars::Bars::new()),
        Mode::Auto if std::io::stderr().is_terminal() => Arc::new(bars::Bars::new()),
        Mode::Auto => Arc::new(plain::Plain::default()),
    }
}
