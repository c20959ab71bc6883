//! Whether what came out of an image is what it should be.

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::inventory::Mark;
use crate::oci::{Digest, Reference};

/// A program without a place for its release would install another one.
pub(super) fn judge(
    context: &Context,
    (image, path): (&Reference, &str),
    missing: &[Mark],
) -> Result<(), Failure> {
    for mark in missing {
        match mark {
            Mark::Image(_) => {
                return Err(
                    unstamped(image, path, "it has no place for the name of its release")
                        .hint("it would install another release; take it with --from-mirror"),
                );
            }
            Mark::Version(version) => context.warn(&format!(
                "{image}:/{path} has no place for its version: it will not call itself {version}"
            )),
            // Only newer installers have it.
            Mark::Architecture(_) => (),
        }
    }
    Ok(())
}

pub(super) fn unstamped(image: &Reference, path: &str, reason: &str) -> Failure {
    Failure::new(
        Exit::Verification,
        format!("{image}:/{path} cannot be made the one of its release: {reason}"),
    )
}

/// The checksum that was made with the image: hex, perhaps with a name behind it.
pub(super) fn check_iso(text: &str, found: &Digest, image: &Reference) -> Result<(), Failure> {
    let expected = text.split_whitespace().next().unwrap_or_default();
    if expected == found.hex() {
        return Ok(());
    }
    let expected: String = expected.chars().take(64).collect();
    Err(Failure::new(
        Exit::Verification,
        format!(
            "the live ISO in {image} has SHA-256 {}, its own checksum file says {expected:?}",
            found.hex()
        ),
    ))
}
