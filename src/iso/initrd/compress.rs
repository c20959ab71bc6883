//! Compressed streams within an initramfs.
//!
//! Encoding is that of coreos-installer: one xz stream, preset 9, CRC32, a block for each part. Its dictionary of 64 MiB makes liblzma
//! keep tables of 600 MiB, of which more than 64 MiB are touched for a stock config. A dictionary that just covers the input finds the
//! same matches, so we encode with that, and declare 64 MiB in the block headers: the same bytes from a tenth of the memory (checked by
//! a test that encodes both ways).

use std::io::{self, Read as _, Write as _};

use liblzma::bufread::XzDecoder;
use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use liblzma::write::XzEncoder;

use crate::iso::error::InitrdError;

/// The dictionary of preset 9.
const DICTIONARY: u32 = 64 << 20;
/// Below this the hash tables shrink, and with them the matches that are found.
const MIN_DICTIONARY: u32 = 4 << 20;
/// Bytes before the first block.
const STREAM_HEADER: u64 = 12;
/// A block header: LZMA2 with a dictionary of 64 MiB, no sizes; the last four bytes are its CRC32.
const BLOCK_HEADER: [u8; 12] = [2, 0, 0x21, 1, 0x1c, 0, 0, 0, 0x10, 0xcf, 0x58, 0xcc];

/// Compresses with xz.
pub(super) fn xz(parts: &[Vec<u8>]) -> Result<Vec<u8>, InitrdError> {
    let length = parts.iter().map(Vec::len).sum::<usize>();
    let covering = u32::try_from(length).unwrap_or(DICTIONARY).min(DICTIONARY);
    let dictionary = covering
        .next_power_of_two()
        .clamp(MIN_DICTIONARY, DICTIONARY);
    let (mut out, blocks) = xz_with(parts, dictionary)?;
    for at in blocks {
        let header = usize::try_from(at)
            .ok()
            .and_then(|at| out.get_mut(at..at + BLOCK_HEADER.len()));
        if let Some(header) = header {
            header.copy_from_slice(&BLOCK_HEADER);
        }
    }
    Ok(out)
}

/// Also returns where the blocks begin.
pub(super) fn xz_with(
    parts: &[Vec<u8>],
    dictionary: u32,
) -> Result<(Vec<u8>, Vec<u64>), InitrdError> {
    encode(parts, dictionary).map_err(|e| InitrdError::Encode(e.to_string()))
}

fn encode(parts: &[Vec<u8>], dictionary: u32) -> io::Result<(Vec<u8>, Vec<u64>)> {
    let mut options = LzmaOptions::new_preset(9)?;
    options.dict_size(dictionary);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    let mut blocks = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        blocks.push(encoder.total_out().max(STREAM_HEADER));
        encoder.write_all(part)?;
        encoder.flush()?;
    }
    Ok((encoder.finish()?, blocks))
}

/// Expands the stream that `bytes` begin with to at most `limit` bytes; returns what follows it. `at` is for errors.
pub(super) fn expand(
    bytes: &[u8],
    at: usize,
    limit: usize,
) -> Result<(Vec<u8>, &[u8]), InitrdError> {
    let failed = |format| {
        move |e: io::Error| InitrdError::Compressed {
            format,
            at,
            reason: e.to_string(),
        }
    };
    let mut rest = bytes;
    let expanded = match bytes {
        [0x1f, 0x8b, ..] => {
            capped(flate2::bufread::GzDecoder::new(&mut rest), limit).map_err(failed("gzip"))?
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            capped(XzDecoder::new(&mut rest), limit).map_err(failed("xz"))?
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::Decoder::with_buffer(&mut rest)
            .and_then(|decoder| capped(decoder.single_frame(), limit))
            .map_err(failed("zstd"))?,
        [b'B', b'Z', b'h', ..] => return Err(InitrdError::Unsupported("bzip2")),
        [0x5d, 0, 0, ..] => return Err(InitrdError::Unsupported("lzma")),
        [0x89, b'L', b'Z', b'O', ..] => return Err(InitrdError::Unsupported("lzo")),
        [0x02, 0x21, 0x4c, 0x18, ..] => return Err(InitrdError::Unsupported("lz4")),
        _ => return Err(InitrdError::Unknown(at)),
    };
    if expanded.len() > limit {
        return Err(InitrdError::TooLarge(super::MAX_EXPANDED));
    }
    Ok((expanded, rest))
}

fn capped(reader: impl io::Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut out)?;
    Ok(out)
}
