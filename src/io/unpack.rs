//! The content of a layer, told by its first bytes as every container engine does it: media types lie about compression.
//!
//! Formats: gzip (RFC 1952, several members), zstd (RFC 8878), or no compression.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;

/// zstd's own limit: 128 MiB, what `--ultra` asks for at most.
pub const LARGEST_WINDOW_LOG: u32 = 27;

/// The uncompressed bytes. A zstd frame may ask for any window: one above 2^`window_log` bytes is refused.
///
/// # Errors
/// The first bytes cannot be read.
pub fn decompressed<'a>(
    mut raw: impl BufRead + 'a,
    window_log: u32,
) -> io::Result<Box<dyn Read + 'a>> {
    let start = raw.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(MultiGzDecoder::new(raw)));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::Decoder::with_buffer(raw)?;
        decoder.window_log_max(window_log)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(raw))
}
