//! Areas of ISOs without `kargs.json`.
//!
//! ```text
//! header in the system area (RHCOS 4.7 to 4.9)
//!   32672 "coreKarg"   32680 size of an area   32688 offset of the default arguments   32696 six offsets of areas, 0 ends
//! ```
//! All numbers are u64 little endian, absolute. `corekarg` (December 2020) had an off-by-one and is not read.
//!
//! marker: in `EFI/<vendor>/grub.cfg` and `isolinux/isolinux.cfg` the line of the arguments is followed by a line of `#` and
//! ` COREOS_KARG_EMBED_AREA`. The arguments begin after the second word of their line; the last `#` stays, or the boot loader would
//! take the marker for a command. Nothing records the defaults.

use super::{Area, Found, MAX_SIZE, Origin};
use crate::iso::error::IsoError;
use crate::iso::iso9660::Volume;
use crate::iso::source::{ReadAt, read};

const HEADER_AT: u64 = 32768 - 24 - 72;
const MAGIC: &[u8] = b"coreKarg";
const MARKER: &[u8] = b"# COREOS_KARG_EMBED_AREA";
/// A boot loader's file has some 3 KiB.
const MAX_CONFIG: u64 = 64 << 10;

pub(super) fn header(source: &dyn ReadAt) -> Result<Option<Found>, IsoError> {
    let bytes = read(source, HEADER_AT, 72)?;
    let Some(numbers) = bytes.strip_prefix(MAGIC) else {
        return Ok(None);
    };
    let wrong = |reason: String| IsoError::Description {
        file: "the coreKarg header",
        reason,
    };
    let (numbers, _) = numbers.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let (size, default) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    if length == 0 || length > MAX_SIZE {
        return Err(wrong(format!(
            "areas of {size} bytes (more than {MAX_SIZE})"
        )));
    }
    let area = |offset| Area {
        file: None,
        offset,
        length,
        pad: '#',
        end: '\n',
    };
    let areas: Vec<Area> = numbers
        .take_while(|offset| *offset != 0)
        .map(area)
        .collect();
    if areas.is_empty() {
        return Err(wrong("no area is there".to_owned()));
    }
    let default = area(default).read(source)?;
    Ok(Some((Origin::Header, Some(default), areas)))
}

pub(super) fn marker(source: &dyn ReadAt, volume: &Volume) -> Result<Option<Found>, IsoError> {
    let mut areas = Vec::new();
    for path in boot_files(source, volume)? {
        let Some((_, extent)) = volume.find_file(source, &path)? else {
            continue;
        };
        let length = u64::from(extent.length);
        if length > MAX_CONFIG {
            continue;
        }
        let text = read(source, extent.lba.offset(), length)?;
        if let Some((start, length)) = within(&text) {
            areas.push(Area {
                file: Some(path),
                offset: extent.lba.offset() + start as u64,
                length,
                pad: '#',
                end: '\n',
            });
        }
    }
    Ok((!areas.is_empty()).then_some((Origin::Marker, None, areas)))
}

fn boot_files(source: &dyn ReadAt, volume: &Volume) -> Result<Vec<String>, IsoError> {
    let all = volume.walk(source)?;
    let wanted = |path: &&str| {
        let path = path.to_ascii_lowercase();
        path == "isolinux/isolinux.cfg"
            || path == "boot/grub/grub.cfg"
            || path.starts_with("efi/") && path.ends_with("/grub.cfg")
    };
    let paths = all.iter().map(|(path, _)| path.as_str());
    Ok(paths.filter(wanted).map(str::to_owned).collect())
}

/// Start and length of the area in a boot loader's file.
fn within(text: &[u8]) -> Option<(usize, usize)> {
    let marker = text.windows(MARKER.len()).position(|w| w == MARKER)?;
    let before = text.get(..marker)?;
    // The `#` of the marker itself is the one that stays.
    let newline = before.iter().rposition(|b| *b != b'#')?;
    if before.get(newline) != Some(&b'\n') {
        return None;
    }
    let line_start = before
        .get(..newline)?
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |n| n + 1);
    let line = text.get(line_start..newline)?;
    let start = line_start + second_word_end(line)?;
    Some((start, marker.checked_sub(start)?)).filter(|(_, length)| *length <= MAX_SIZE)
}

/// Where the arguments begin: `linux KERNEL ARGUMENTS`, `append initrd=FILES ARGUMENTS`.
fn second_word_end(line: &[u8]) -> Option<usize> {
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let mut at = 0;
    for _ in 0..2 {
        at += line.get(at..)?.iter().position(|b| !blank(b))?;
        at += line
            .get(at..)?
            .iter()
            .position(blank)
            .unwrap_or(line.len() - at);
    }
    Some((at + 1).min(line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_area_before_a_marker() {
        for (text, expected) in [
            (
                "x\n\tlinux /vmlinuz a b\n#### COREOS_KARG_EMBED_AREA\n",
                Some("a b\n###"),
            ),
            (
                "  append initrd=/i a\n## COREOS_KARG_EMBED_AREA\n",
                Some("a\n#"),
            ),
            (
                "  append initrd=/i a\n# COREOS_KARG_EMBED_AREA\n",
                Some("a\n"),
            ),
            ("  append initrd=/i a\n COREOS_KARG_EMBED_AREA\n", None),
            ("linux\n## COREOS_KARG_EMBED_AREA\n", None),
            ("no marker", None),
        ] {
            let found = within(text.as_bytes()).map(|(at, len)| &text[at..at + len]);
            assert_eq!(found, expected, "{text}");
        }
    }
}
