//! The release's name written into its programs, as `oc adm release extract --command` does.
//!
//! `openshift-install` and `oc` are built before the release that they belong to; each has places for what is known only then:
//!
//! ```text
//! \0_RELEASE_IMAGE_LOCATION_\0XXXX…X\0          pull spec of the payload, by digest
//! \0_RELEASE_VERSION_LOCATION_\0XXXX…X\0        4.13.1
//! \0_RELEASE_ARCHITECTURE_LOCATION_\0XXXX…X\0   linux/amd64, multi (linux/amd64); newer installers only
//! ```
//! The value and a NUL go over the beginning of the first place of each kind; the rest of it stays. A program with the untouched
//! place falls back to what it was built with, a CI release, and installs that. Sources: openshift/installer
//! `pkg/asset/releaseimage/default.go` and `pkg/version/version.go`, openshift/oc `pkg/cli/admin/release/extract_tools.go`.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::LazyLock;

use regex::bytes::Regex;

/// Longer than any place (the pull spec's has 300 bytes and some), and what two chunks share at most.
const LONGEST: usize = 1 << 10;
const CHUNK: usize = 1 << 20;

/// The places; the words alone, which the programs compare with, have no X behind them.
static PLACES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)\x00_RELEASE_(IMAGE|VERSION|ARCHITECTURE)_LOCATION_\x00X{16,900}\x00")
        .expect("the expression is well formed")
});

/// A kind of place, and what goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// The pull spec of the release payload, by digest.
    Image(String),
    /// The version of the release.
    Version(String),
    /// The platform of the payload: `linux/amd64`, `multi (linux/amd64)`.
    Architecture(String),
}

impl Mark {
    fn word(&self) -> &'static [u8] {
        match self {
            Self::Image(_) => b"IMAGE",
            Self::Version(_) => b"VERSION",
            Self::Architecture(_) => b"ARCHITECTURE",
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::Image(value) | Self::Version(value) | Self::Architecture(value) => value,
        }
    }
}

/// Why a program could not be given its release.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// A value does not fit into its place.
    #[error("`{value}` does not fit into the {room} bytes that the program has for it")]
    TooLong {
        /// The value.
        value: String,
        /// Bytes of the place, less the final NUL.
        room: usize,
    },
    /// The program cannot be read or written.
    #[error("the program cannot be read or written")]
    Io(#[from] io::Error),
}

/// Writes each mark into the first place of its kind; those that the program has no place for are given back, in the same order.
///
/// # Errors
/// A value is too long, which is known before anything is written, or the file fails.
pub fn stamp<F: Read + Write + Seek>(
    file: &mut F,
    marks: Vec<Mark>,
) -> Result<Vec<Mark>, StampError> {
    let mut found = Vec::new();
    let mut missing = marks;
    file.seek(SeekFrom::Start(0))?;
    let (mut buffer, mut start) = (Vec::with_capacity(CHUNK + LONGEST), 0);
    loop {
        let count = Read::take(&mut *file, CHUNK as u64).read_to_end(&mut buffer)?;
        for place in PLACES.captures_iter(&buffer) {
            let (Some(whole), Some(word)) = (place.get(0), place.get(1)) else {
                continue;
            };
            let kind = missing.iter().position(|m| m.word() == word.as_bytes());
            if let Some(mark) = kind.map(|at| missing.remove(at)) {
                let room = whole.len() - 1;
                if mark.value().len() > room {
                    let value = mark.value().to_owned();
                    return Err(StampError::TooLong { value, room });
                }
                found.push((start + whole.start() as u64, mark));
            }
        }
        if count == 0 || missing.is_empty() {
            break;
        }
        let done = buffer.len().saturating_sub(LONGEST);
        buffer.drain(..done);
        start += done as u64;
    }
    for (offset, mark) in found {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(mark.value().as_bytes())?;
        file.write_all(b"\0")?;
    }
    file.flush()?;
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(word: &str, xs: usize) -> Vec<u8> {
        format!("\0_RELEASE_{word}_LOCATION_\0{}\0", "X".repeat(xs)).into_bytes()
    }

    fn marks() -> Vec<Mark> {
        vec![
            Mark::Image("quay.io/o/release@sha256:ab".to_owned()),
            Mark::Version("4.13.1".to_owned()),
            Mark::Architecture("linux/amd64".to_owned()),
        ]
    }

    /// What the program itself makes of its constant: the text before the first NUL.
    fn value(bytes: &[u8], at: usize) -> String {
        let text = bytes[at..].split(|b| *b == 0).next().unwrap();
        String::from_utf8(text.to_vec()).unwrap()
    }

    #[test]
    fn first_places_only_wherever_chunks_end() {
        // The second chunk begins in the middle of the first place, the last place ends the file.
        for gap in [100, CHUNK - 150, CHUNK - 20, CHUNK - 1, CHUNK, CHUNK + 700] {
            let mut bytes = vec![b'x'; gap];
            // The prefix alone is compared with, and must stay as it is.
            bytes.extend(b"\0_RELEASE_IMAGE_LOCATION_\0other text");
            let at = bytes.len();
            bytes.extend(place("IMAGE", 300));
            let second = bytes.len();
            bytes.extend(place("IMAGE", 300));
            bytes.extend(vec![0; CHUNK]);
            let version = bytes.len();
            bytes.extend(place("VERSION", 64));
            let before = bytes.clone();
            let mut file = io::Cursor::new(bytes);
            let missing = stamp(&mut file, marks()).unwrap();
            assert_eq!(missing, marks()[2..]);
            let after = file.into_inner();
            assert_eq!(value(&after, at), "quay.io/o/release@sha256:ab", "{gap}");
            assert_eq!(value(&after, version), "4.13.1");
            let length = "quay.io/o/release@sha256:ab\0".len();
            assert_eq!(after.len(), before.len());
            assert_eq!(after[..at], before[..at]);
            assert_eq!(after[at + length..version], before[at + length..version]);
            assert_eq!(after[second], 0);
        }
    }

    #[test]
    fn a_value_that_does_not_fit_changes_nothing() {
        let mut bytes = place("VERSION", 64);
        bytes.extend(place("IMAGE", 16));
        let long = Mark::Image("r".repeat(200));
        let mut file = io::Cursor::new(bytes.clone());
        let marks = vec![Mark::Version("4.13.1".to_owned()), long];
        let error = stamp(&mut file, marks).unwrap_err();
        assert!(error.to_string().contains("42 bytes"), "{error}");
        assert_eq!(file.into_inner(), bytes);
        let exact = Mark::Image("r".repeat(42));
        let mut file = io::Cursor::new(bytes);
        assert!(stamp(&mut file, vec![exact]).unwrap().is_empty());
    }
}
