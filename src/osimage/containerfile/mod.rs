//! Containerfiles as the operator and buildah read them.
//!
//! Format: `Containerfile(5)`: instructions with continuations, comments inside them, parser directives, heredocs, `ARG` before
//! `FROM`. What is read is the user's part: the operator puts it behind its own stages `extract` and `configs` (and, in 4.14,
//! `extensions`), so parser directives and numbers of stages do not mean what they mean in a file that is built alone.
//!
//! The parser never fails: what it cannot read becomes a [`Fault`] with its line, and it goes on, so that all faults are told at
//! once. (The parser crates that are alive stop at the first.)

pub mod lint;
mod parse;

pub use parse::{Fault, Heredoc, Instruction, Parsed, Stage, parse};

/// The user's part of the rendered Containerfile: what follows the operator's last `LABEL`.
pub(crate) const OPERATOR_STAGES: [&str; 3] = ["extract", "configs", "extensions"];

/// Images that a build pulls besides the base: of every `FROM`, `COPY --from` and `RUN --mount=from=`, without stages, in order,
/// each once.
pub fn images(text: &str) -> Vec<String> {
    let mut images: Vec<String> = Vec::new();
    let used = parse(text);
    for (_, image) in used.external_images() {
        if !images.contains(&image) {
            images.push(image);
        }
    }
    images
}
