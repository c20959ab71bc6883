//! The few bytes of DER (X.690) that have to be taken apart and put together by hand.
//!
//! x509-cert writes a whole certificate anew; here everything but the not-after must stay byte for byte, even what its writer
//! should not have written.

use der::{Reader as _, SliceReader};

/// SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]`, the version of a certificate.
const VERSION: u8 = 0xa0;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The parts of a certificate that a signature is about, as slices of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    /// What is signed.
    pub(super) tbs: &'a [u8],
    /// The signature algorithm.
    pub(super) algorithm: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes a certificate apart; nothing when it is none, or when its two signature algorithms differ.
    pub(super) fn of(certificate: &'a [u8]) -> Option<Self> {
        let whole = elements(certificate)?;
        let [outer] = whole.as_slice() else {
            return None;
        };
        let inner = elements(content(outer, SEQUENCE)?)?;
        let [tbs, algorithm, signature] = inner.as_slice() else {
            return None;
        };
        // The first byte of a BIT STRING is the number of unused bits: a signature has none.
        let signature = content(signature, BIT_STRING)?.strip_prefix(&[0])?;
        let fields = elements(content(tbs, SEQUENCE)?)?;
        let stated = fields.get(position(&fields) + 1)?;
        (stated == algorithm).then_some(Self {
            tbs,
            algorithm,
            signature,
        })
    }

    /// What is signed, with another not-after.
    pub(super) fn with_not_after(&self, not_after: jiff::Timestamp) -> Option<Vec<u8>> {
        let mut fields = elements(content(self.tbs, SEQUENCE)?)?;
        let position = position(&fields) + 3;
        let validity = fields.get_mut(position)?;
        let times = elements(content(validity, SEQUENCE)?)?;
        let [not_before, old] = times.as_slice() else {
            return None;
        };
        content(old, UTC_TIME).or_else(|| content(old, GENERALIZED_TIME))?;
        let new = sequence(&[not_before, &time(not_after)]);
        *validity = &new;
        Some(sequence(&fields))
    }
}

/// Where the serial number stands: behind the version, if there is one.
fn position(fields: &[&[u8]]) -> usize {
    usize::from(fields.first().and_then(|f| f.first()) == Some(&VERSION))
}

/// A certificate from what was signed, the algorithm and the signature.
pub(super) fn certificate(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(signature);
    sequence(&[tbs, algorithm, &tlv(BIT_STRING, &bits)])
}

/// RFC 5280 section 4.1.2.5: `UTCTime` through 2049, `GeneralizedTime` from 2050, both in whole seconds of UTC.
fn time(at: jiff::Timestamp) -> Vec<u8> {
    if at.strftime("%Y").to_string().as_str() < "2050" {
        tlv(
            UTC_TIME,
            at.strftime("%y%m%d%H%M%SZ").to_string().as_bytes(),
        )
    } else {
        let text = at.strftime("%Y%m%d%H%M%SZ").to_string();
        tlv(GENERALIZED_TIME, text.as_bytes())
    }
}

fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &elements.concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|b| *b != 0).unwrap_or(length.len());
    let length = length.get(significant..).unwrap_or_default();
    match (content.len(), u8::try_from(length.len())) {
        (0, _) => out.push(0),
        (1..=127, _) => out.extend_from_slice(length),
        (_, Ok(octets)) => {
            out.push(0x80 | octets);
            out.extend_from_slice(length);
        }
        (_, Err(_)) => unreachable!("a length has at most eight octets"),
    }
    out.extend_from_slice(content);
    out
}

/// The elements one after another, each with its header.
fn elements(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(reader.tlv_bytes().ok()?);
    }
    Some(elements)
}

/// The content of one element of this tag.
fn content(element: &[u8], tag: u8) -> Option<&[u8]> {
    let first = *element.first()?;
    let length = usize::from(*element.get(1)?);
    let header = if length < 0x80 {
        2
    } else {
        2 + (length & 0x7f)
    };
    (first == tag).then(|| element.get(header..))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_change_their_form_in_2050() {
        for (at, bytes) in [
            ("2024-02-29T23:59:59Z", &b"\x17\x0d240229235959Z"[..]),
            ("2049-12-31T23:59:59Z", b"\x17\x0d491231235959Z"),
            ("2050-01-01T00:00:00Z", b"\x18\x0f20500101000000Z"),
        ] {
            assert_eq!(time(at.parse().unwrap()), bytes, "{at}");
        }
    }

    #[test]
    fn lengths() {
        for (length, header) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
            (65536, &[4, 0x83, 1, 0, 0]),
        ] {
            let element = tlv(4, &vec![7; length]);
            assert_eq!(&element[..header.len()], header, "{length}");
            assert_eq!(content(&element, 4).map(<[u8]>::len), Some(length));
            assert_eq!(elements(&element).map(|e| e.len()), Some(1));
        }
    }

    #[test]
    fn garbage_is_no_certificate() {
        let hostile: [&[u8]; 6] = [
            b"",
            b"\x30",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x00",
            b"\x30\x80\x00\x00",
            b"\x30\x03\x30\x01\x00",
        ];
        for bytes in hostile {
            assert!(Parts::of(bytes).is_none(), "{bytes:x?}");
        }
    }
}
