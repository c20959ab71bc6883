//! `data:` URLs as Ignition reads them: RFC 2397 with the charset of RFC 2396.
//!
//! `data:[type/subtype][;name=value]*[;base64],DATA`, the scheme in lower case. DATA is base64 of the standard alphabet with padding,
//! or percent-encoded bytes. Which characters stand for themselves was asked of `ignition-validate` 2.14, character by character.
//! Decoding has a cap: a few kilobytes of gzip can be gigabytes.

use std::io::Read as _;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The most one source may hold when decoded, in bytes; a config of that size fits no embed area.
pub const CAP: usize = 64 << 20;

/// Go's decoder, which Ignition uses, takes non-zero trailing bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Why a source does not decode. The source itself is never part of the message: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is fetched from elsewhere.
    #[error("is not a data URL but {scheme}")]
    Remote {
        /// The scheme, or what stands for it.
        scheme: String,
    },
    /// There is no comma.
    #[error("the data URL has no comma before its data")]
    NoComma,
    /// The part before the comma.
    #[error("the media type of the data URL is not type/subtype;name=value")]
    MediaType,
    /// A character that must be percent-encoded.
    #[error("character {found:?} at offset {offset} of the data must be percent-encoded")]
    Character {
        /// The character.
        found: char,
        /// Byte offset behind the comma.
        offset: usize,
    },
    /// A percent sign without two hexadecimal digits.
    #[error("percent sign at offset {offset} of the data without two hexadecimal digits")]
    Percent {
        /// Byte offset behind the comma.
        offset: usize,
    },
    /// Base64 that does not decode.
    #[error("the data is not base64 with padding")]
    Base64,
    /// `compression` is not `gzip`.
    #[error("compression {0:?} is unknown, Ignition knows only gzip")]
    Compression(String),
    /// `compression: gzip`, but the data is not gzip.
    #[error("the data is not gzip, as its compression says")]
    Gzip,
    /// Too much.
    #[error("decodes to more than {cap} bytes")]
    TooLarge {
        /// The cap in bytes.
        cap: usize,
    },
}

/// A data URL, split but not decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DataUrl<'a> {
    /// What stands between `data:` and the comma, without `;base64`; often empty.
    pub media_type: &'a str,
    /// Whether the data is base64.
    pub base64: bool,
    /// The data, still encoded.
    data: &'a str,
}

impl std::fmt::Debug for DataUrl<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataUrl")
            .field("media_type", &self.media_type)
            .field("base64", &self.base64)
            .field("encoded_bytes", &self.data.len())
            .finish()
    }
}

impl<'a> DataUrl<'a> {
    /// Splits a source.
    ///
    /// # Errors
    /// Not a data URL, or its head is malformed.
    pub fn parse(source: &'a str) -> Result<Self, Error> {
        let Some(rest) = source.strip_prefix("data:") else {
            return Err(Error::Remote {
                scheme: scheme(source),
            });
        };
        let (head, data) = rest.split_once(',').ok_or(Error::NoComma)?;
        let (media_type, base64) = match head.strip_suffix(";base64") {
            Some(media_type) => (media_type, true),
            None => (head, false),
        };
        if !is_media_type(media_type) {
            return Err(Error::MediaType);
        }
        Ok(Self {
            media_type,
            base64,
            data,
        })
    }

    /// The bytes.
    ///
    /// # Errors
    /// Malformed data, or more than `cap` bytes.
    pub fn decode(&self, cap: usize) -> Result<Vec<u8>, Error> {
        let shortest = if self.base64 {
            (self.data.len() / 4 * 3).saturating_sub(2)
        } else {
            self.data.len() / 3
        };
        if shortest > cap {
            return Err(Error::TooLarge { cap });
        }
        let bytes = if self.base64 {
            BASE64.decode(self.data).map_err(|_| Error::Base64)?
        } else {
            unescape(self.data)?
        };
        if bytes.len() > cap {
            return Err(Error::TooLarge { cap });
        }
        Ok(bytes)
    }

    /// The same kind of URL (media type, base64 or not) with other bytes.
    pub fn with_bytes(&self, bytes: &[u8]) -> String {
        let media_type = self.media_type;
        if self.base64 {
            format!("data:{media_type};base64,{}", BASE64.encode(bytes))
        } else {
            format!("data:{media_type},{}", escape(bytes))
        }
    }
}

/// Decodes a source with its compression (absent and empty mean none).
///
/// # Errors
/// Not a data URL, malformed, or more than `cap` bytes.
pub fn decode(source: &str, compression: Option<&str>, cap: usize) -> Result<Vec<u8>, Error> {
    let bytes = DataUrl::parse(source)?.decode(cap)?;
    match compression {
        None | Some("") => Ok(bytes),
        Some("gzip") => gunzip(&bytes, cap),
        Some(other) => Err(Error::Compression(other.to_owned())),
    }
}

/// Encodes bytes in the form that takes the least room in an xz-packed embed area: percent-encoded, because base64 hides what repeats
/// (`live-iso.md` section 2.1: 22 to 31 % smaller), except for binary data, which does not pack and is shorter as base64.
pub fn encode(bytes: &[u8]) -> String {
    let escaped = bytes.iter().filter(|byte| !stays(**byte)).count();
    // base64 costs 4/3; percent-encoding 3 for each escaped byte. Text of any language stays readable for xz, binary does not.
    if std::str::from_utf8(bytes).is_ok() || escaped * 6 <= bytes.len() {
        format!("data:,{}", escape(bytes))
    } else {
        format!("data:;base64,{}", BASE64.encode(bytes))
    }
}

/// Inflates gzip, all members.
///
/// # Errors
/// Not gzip, cut short, or more than `cap` bytes.
pub fn gunzip(bytes: &[u8], cap: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(cap as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|_| Error::Gzip)?;
    if out.len() > cap {
        return Err(Error::TooLarge { cap });
    }
    Ok(out)
}

/// The scheme for a message; never more of the source than that.
fn scheme(source: &str) -> String {
    match source.split_once(':') {
        Some((scheme, _))
            if scheme.len() < 16 && scheme.chars().all(|c| c.is_ascii_alphanumeric()) =>
        {
            format!("{scheme}:")
        }
        _ => "something without a scheme".to_owned(),
    }
}

/// Empty, `;name=value…` or `type/subtype;name=value…`.
fn is_media_type(text: &str) -> bool {
    let token = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~\"".contains(&b))
    };
    let mut parts = text.split(';');
    let kind = parts.next().unwrap_or_default();
    let kind_ok = kind.is_empty()
        || kind
            .split_once('/')
            .is_some_and(|(main, sub)| token(main) && token(sub));
    kind_ok
        && parts.all(|part| {
            part.split_once('=')
                .is_some_and(|(name, value)| token(name) && token(value))
        })
}

/// Bytes that need no escape for Ignition's reader.
fn readable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$&'()*+,-./:;=?@_~".contains(&byte)
}

/// Bytes that we do not escape: fewer than the reader takes, so that no URL library on the way sees a query or a plus.
fn stays(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/:=,;@()".contains(&byte)
}

fn escape(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    let mut out = String::with_capacity(bytes.len() * 3 / 2);
    for &byte in bytes {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

fn unescape(text: &str) -> Result<Vec<u8>, Error> {
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().enumerate();
    while let Some((offset, byte)) = bytes.next() {
        if byte == b'%' {
            let digits = (bytes.next(), bytes.next());
            let (Some((_, high)), Some((_, low))) = digits else {
                return Err(Error::Percent { offset });
            };
            let (Some(high), Some(low)) = (hex(high), hex(low)) else {
                return Err(Error::Percent { offset });
            };
            out.push(high << 4 | low);
        } else if readable(byte) {
            out.push(byte);
        } else {
            let found = text
                .get(offset..)
                .and_then(|t| t.chars().next())
                .unwrap_or_default();
            return Err(Error::Character { found, offset });
        }
    }
    Ok(out)
}
