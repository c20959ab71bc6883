use super::*;
use crate::iso::fixtures::{self, load};

fn paths(iso: &[u8]) -> Vec<String> {
    let volume = Volume::open(&iso).unwrap();
    volume
        .walk(&iso)
        .unwrap()
        .into_iter()
        .map(|(p, _)| p)
        .collect()
}

#[test]
fn reads_every_generation() {
    for (name, (offset, length), _) in fixtures::ALL {
        let Some(iso) = load(name) else { continue };
        let source = iso.as_slice();
        let volume = Volume::open(&source).unwrap();
        let file = if name.contains("s390x") {
            "images/cdboot.img"
        } else {
            "images/ignition.img"
        };
        let (_, extent) = volume.find_file(&source, file).unwrap().unwrap();
        assert!(extent.lba.offset() <= offset, "{name}");
        assert!(u64::from(extent.length) >= length, "{name}");
        assert_eq!(volume.trees().len(), 2, "{name}");
        // The same file under each of the three namings.
        for tree in volume.trees() {
            let entry = tree.find(&source, file).unwrap().unwrap();
            assert_eq!(entry.extent(), Some(extent), "{name}");
        }
        let plain = Tree {
            descriptor_at: 0,
            naming: Naming::Plain,
            root: volume.trees()[0].root,
        };
        assert_eq!(
            plain.find(&source, file).unwrap().unwrap().extent(),
            Some(extent)
        );
    }
}

#[test]
fn reads_odd_trees() {
    let Some(iso) = load("synthetic") else { return };
    let found = paths(&iso);
    assert_eq!(
        found.iter().filter(|p| p.starts_with("LARGEDIR/")).count(),
        150
    );
    assert!(
        found.contains(&"CONTENT/DIR/SUBFILE.TXT".to_owned()),
        "{found:?}"
    );
    let source = iso.as_slice();
    let volume = Volume::open(&source).unwrap();
    assert_eq!(volume.id, "volume-ID-string");
    let (_, file) = volume
        .find_file(&source, "content/dir/subfile.txt")
        .unwrap()
        .unwrap();
    assert_eq!(file.length, 4);
    assert!(volume.find(&source, "content/nothing").unwrap().is_none());
    assert!(
        volume
            .find(&source, "content/file.txt/deeper")
            .unwrap()
            .is_none()
    );
    assert!(volume.find_file(&source, "content").is_err());
}

#[test]
fn says_what_is_wrong() {
    let Some(iso) = load("sample") else {
        return;
    };
    let short = &iso[..900_000];
    assert!(matches!(
        Volume::open(&short),
        Err(IsoError::Incomplete {
            expected: 1_048_576,
            found: 900_000
        })
    ));
    for (bytes, expected) in [
        (
            b"\x1f\x8b\x08 and more".as_slice(),
            "the ISO is compressed with gzip",
        ),
        (b"\xfd7zXZ\0\0\x04", "the ISO is compressed with xz"),
        (b"\x28\xb5\x2f\xfd....", "the ISO is compressed with zstd"),
        (
            b"",
            "not a sound ISO 9660 image: the file ends before the volume descriptors do (byte 32768)",
        ),
        (
            &vec![0; 40000],
            "not a sound ISO 9660 image: no volume descriptor is there (byte 32768)",
        ),
    ] {
        assert_eq!(Volume::open(&bytes).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_cyclic_tree_ends() {
    let Some(mut iso) = load("sample") else {
        return;
    };
    let source = iso.as_slice();
    let volume = Volume::open(&source).unwrap();
    let root = volume.trees()[0].root;
    let images = volume.trees()[0].find(&source, "images").unwrap().unwrap();
    let at = usize::try_from(images.record_at).unwrap();
    iso[at + 2..at + 6].copy_from_slice(&root.lba.0.to_le_bytes());
    let source = iso.as_slice();
    let error = Volume::open(&source).unwrap().walk(&source).unwrap_err();
    assert!(error.to_string().contains("contains itself"), "{error}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    /// Whatever bytes change in the descriptors and directories: an answer or an error, and no panic.
    #[test]
    fn hostile_bytes(edits in proptest::collection::vec((32768_usize..98304, proptest::num::u8::ANY), 1..40)) {
        let Some(mut iso) = load("sample") else { return Ok(()) };
        for (at, byte) in edits {
            iso[at] = byte;
        }
        let source = iso.as_slice();
        if let Ok(volume) = Volume::open(&source) {
            let _ = volume.walk(&source);
            let _ = volume.find(&source, "images/ignition.img");
            let _ = crate::iso::LiveIso::read(&source);
        }
    }
}
