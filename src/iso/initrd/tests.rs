use std::fmt::Write as _;
use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn with(files: &[(&str, &[u8])]) -> Initrd {
    let mut initrd = Initrd::default();
    for (path, data) in files {
        initrd.set(path, data.to_vec());
    }
    initrd
}

fn archive(members: &Members) -> Vec<u8> {
    cpio::write(members).concat()
}

fn expand_xz(bytes: &[u8]) -> Vec<u8> {
    compress::expand(bytes, 0, MAX_EXPANDED).unwrap().0
}

/// The names of an archive in their order, by the simplest possible reading.
fn order(cpio: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(cpio);
    let parts = text.split("070701").skip(1);
    parts
        .map(|p| p[104..].split('\0').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn parents_come_before_their_files() {
    let initrd = with(&[
        ("c/f", b""),
        ("c/a/b/d/f", b""),
        ("d", b""),
        ("c/g", b""),
        ("c/a/c/f", b""),
        ("c-x", b""),
    ]);
    let expected = [
        "c-x",
        "c",
        "c/a",
        "c/a/b",
        "c/a/b/d",
        "c/a/b/d/f",
        "c/a/c",
        "c/a/c/f",
        "c/f",
        "c/g",
        "d",
        "TRAILER!!!",
    ];
    assert_eq!(order(&expand_xz(&initrd.write().unwrap())), expected);
}

#[test]
fn nothing_is_written_as_nothing() {
    assert_eq!(Initrd::default().write().unwrap(), b"");
    assert!(Initrd::read(&[0; 4096]).unwrap().is_empty());
    assert!(Initrd::read(b"").unwrap().is_empty());
}

#[test]
fn reads_what_the_kernel_reads() {
    let (raw, gzipped) = (
        archive(&with(&[("raw", b"1"), ("twice", b"old")]).members),
        {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder
                .write_all(&archive(&with(&[("gzip", b"22")]).members))
                .unwrap();
            encoder.finish().unwrap()
        },
    );
    let zstd = zstd::encode_all(
        archive(&with(&[("zstd", b"333"), ("twice", b"new")]).members).as_slice(),
        3,
    )
    .unwrap();
    let xz = with(&[("xz", b"4444")]).write().unwrap();
    let mut area = Vec::new();
    for part in [raw, gzipped, zstd, xz] {
        area.extend(part);
        area.extend([0; 5]);
    }
    let read = Initrd::read(&area).unwrap();
    let names: Vec<(&str, usize)> = read.members().map(|(n, m)| (n, m.data.len())).collect();
    assert_eq!(
        names,
        [
            ("gzip", 2),
            ("raw", 1),
            ("twice", 3),
            ("xz", 4),
            ("zstd", 3)
        ]
    );
    assert_eq!(read.get("twice"), Some(b"new".as_slice()));
}

#[test]
fn members_keep_what_they_are() {
    let mut initrd = with(&[("config.ign", b"{}")]);
    for (path, mode, data) in [
        ("usr/bin/tool", 0o100_755, b"#!".as_slice()),
        ("usr/lib/link", 0o120_777, b"../bin/tool"),
        ("dev/null", 0o020_666, b""),
        ("private", 0o040_700, b""),
    ] {
        let mut member = Member::new(mode, data.to_vec());
        (member.uid, member.mtime, member.rdev) = (7, 1_700_000_000, (1, 3));
        initrd.members.insert(path.to_owned(), member);
    }
    assert_eq!(Initrd::read(&initrd.write().unwrap()).unwrap(), initrd);
}

#[test]
fn hard_links_all_have_the_data() {
    let mut archive = archive(&with(&[("a", b""), ("b", b"data")]).members);
    // Both have inode 0 and two links; only the last carries the bytes, as cpio(1) writes it.
    for name in [b"a\0".as_slice(), b"b\0"] {
        let at = archive.windows(2).position(|w| w == name).unwrap() - 110;
        archive[at + 6..at + 14].copy_from_slice(b"00000000");
        archive[at + 38..at + 46].copy_from_slice(b"00000002");
    }
    let read = Initrd::read(&archive).unwrap();
    assert_eq!(
        (read.get("a"), read.get("b")),
        (Some(b"data".as_slice()), Some(b"data".as_slice()))
    );
}

/// A few kilobytes that would be gigabytes in memory.
#[test]
fn what_grows_without_end_is_refused() {
    let zeroes = |mebibytes: usize| {
        let file = with(&[("f", vec![0; mebibytes << 20].as_slice())]);
        compress::xz(&[archive(&file.members)]).unwrap()
    };
    let many = [zeroes(40), vec![0; 4], zeroes(40)].concat();
    assert!(matches!(
        Initrd::read(&many),
        Err(InitrdError::TooLarge(MAX_EXPANDED))
    ));
    let mut links = Members::new();
    for n in 0..100 {
        let data = vec![b'x'; if n == 99 { 1 << 20 } else { 0 }];
        links.insert(format!("{n:02}"), Member::new(FILE_MODE, data));
    }
    // One inode with a hundred names: every header says so.
    let mut linked = archive(&links);
    for at in 0..linked.len() - 110 {
        if linked[at..].starts_with(b"070701") && linked[at + 14..].starts_with(b"00008180") {
            linked[at + 6..at + 14].copy_from_slice(b"00000001");
            linked[at + 38..at + 46].copy_from_slice(b"00000064");
        }
    }
    assert!(matches!(
        Initrd::read(&linked),
        Err(InitrdError::TooLarge(MAX_EXPANDED))
    ));
}

#[test]
fn wrong_bytes_are_named() {
    let good = with(&[("a", b"1")]).write().unwrap();
    let mut torn = good.clone();
    torn.truncate(good.len() / 2);
    let mut junk_inside = archive(&with(&[("a", b"1")]).members);
    junk_inside.extend(b"junk");
    let junk_inside = compress::xz(&[junk_inside]).unwrap();
    let bomb = compress::xz_with(&[vec![0; MAX_EXPANDED + 1]], 1 << 20)
        .unwrap()
        .0;
    for (bytes, expected) in [
        (b"garbage".as_slice(), "unknown format at byte 0"),
        (b"\0\0\0garbage", "unknown format at byte 3"),
        (b"BZh9", "bzip2 compression is not supported"),
        (&torn, "damaged xz stream at byte 0"),
        (
            &junk_inside,
            "wrong cpio archive: no header is there (byte 0)",
        ),
        (&bomb, "more than 67108864 bytes when decompressed"),
        (b"070701zz", "wrong cpio archive"),
    ] {
        let error = Initrd::read(bytes).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error} is not {expected}");
    }
}

/// The encoder's shortcut gives what preset 9 gives: noise, text, repetition, base64 as in a config.
#[test]
fn a_small_dictionary_gives_the_same_bytes() {
    let mut seed = 1_u64;
    let mut noise = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    };
    let mut inputs: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0; 100_000],
        (0..300_000).map(|_| noise()).collect(),
        (0..600_000)
            .map(|_| b"abcdefgh"[usize::from(noise()) % 8])
            .collect(),
    ];
    let mut config = String::from("{");
    for file in 0..120 {
        use base64::Engine as _;
        let body: Vec<u8> = (0..usize::from(noise()) * 20)
            .map(|_| b"etaoin shrdlu\n{}"[usize::from(noise()) % 16])
            .collect();
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        let _ = writeln!(
            config,
            "{{\"path\": \"/opt/openshift/{file}\", \"contents\": {{\"source\": \"data:;base64,{body}\"}}}},"
        );
    }
    inputs.push(config.into_bytes());
    for input in inputs {
        let parts = [input.clone(), b"more".to_vec(), input.clone()];
        let plain = compress::xz_with(&parts, 64 << 20).unwrap().0;
        assert!(
            compress::xz(&parts).unwrap() == plain,
            "{} bytes",
            input.len()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_is_written_reads_back(files in prop::collection::btree_map("[a-z]{1,8}(/[a-z0-9.]{1,8}){0,3}", prop::collection::vec(any::<u8>(), 0..200), 0..6)) {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(n, d)| (n.as_str(), d.as_slice())).collect();
        let initrd = with(&files);
        prop_assert_eq!(Initrd::read(&initrd.write().unwrap()).unwrap(), initrd);
    }

    #[test]
    fn what_reads_is_written_as_the_same(edits in prop::collection::vec((0..700_usize, any::<u8>()), 0..12)) {
        let mut bytes = archive(&with(&[("a/b", b"1"), ("c", b"22"), ("d", b""), ("e/f/g", b"4444")]).members);
        for (at, byte) in edits {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(read) = Initrd::read(&bytes) {
            prop_assert_eq!(Initrd::read(&read.write().unwrap()).unwrap(), read);
        }
    }

    #[test]
    fn never_panics(prefix in 0..5_usize, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let heads: [&[u8]; 5] = [b"", b"070701", b"\x1f\x8b\x08\0", b"\xfd7zXZ\0\0\x01", b"\x28\xb5\x2f\xfd"];
        let _ = Initrd::read(&[heads[prefix], &bytes].concat());
    }
}
