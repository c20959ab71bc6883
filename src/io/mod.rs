//! Stream adapters and whole-file writes: the effects that every room above shares.

pub mod atomic;
pub mod pipe;
pub mod unfinished;
pub mod unpack;

/// What sort of failure of a disk or an ISO it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// The request or an input file is wrong (exit 2).
    Usage,
    /// Nothing wrong with it, but we do not do it, or this medium cannot (exit 3).
    Unsupported,
    /// The machine is not ready: not found, in use, no permission, a tool is missing (exit 4).
    Environment,
    /// Reading or writing failed (exit 6).
    Io,
    /// The medium is damaged, or what was read back is not what was written (exit 7).
    Verification,
}

/// What an error says at its root, where the reason is; the outer layers only say "error sending request". Lower case, without the
/// system's error number.
pub fn root_text(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    // rustls adds a link to its manual.
    let text = text.split(": https://docs.rs/").next().unwrap_or_default();
    let mut chars = text.chars();
    let first = chars.next();
    first
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}
