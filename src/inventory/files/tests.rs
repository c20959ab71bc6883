use super::*;

/// One entry of a test layer: path, and what is there.
enum Is<'a> {
    File(&'a str),
    Dir,
    Symlink(&'a str),
    Hardlink(&'a str),
}

fn tar(entries: &[(&str, Is<'_>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, is) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o755);
        match is {
            Is::File(text) => {
                header.set_size(text.len() as u64);
                builder
                    .append_data(&mut header, path, text.as_bytes())
                    .unwrap();
            }
            Is::Dir => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, path, io::empty()).unwrap();
            }
            Is::Symlink(to) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, to).unwrap();
            }
            Is::Hardlink(to) => {
                header.set_entry_type(tar::EntryType::Link);
                builder.append_link(&mut header, path, to).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// What a container of these layers, base first, reads at `path`: the search without a source of images around it.
fn read(layers: &[Vec<u8>], path: &str) -> Result<Option<(String, String)>, String> {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("out");
    fs_err::write(&to, "what was here before, and is longer").unwrap();
    let file = WantedFile {
        path: path.to_owned(),
        to: to.clone(),
    };
    let image = SingleImage {
        reference: "quay.io/o/i:t".parse().unwrap(),
        config: crate::oci::Descriptor::new("c", Digest::of(b""), 0),
        layers: Vec::new(),
        from_index: false,
    };
    let mut search = Search::new(&file, layers.len());
    while let Some(below) = search.next() {
        let wanted = std::slice::from_ref(&search.file);
        let sights = scan(&mut layers[below - 1].as_slice(), wanted).map_err(|e| e.to_string())?;
        let mut sights = sights.map_err(|Unwritable(_, e)| e.to_string())?;
        let sight = sights.pop().unwrap();
        search
            .learn(sight, layers.len(), &image)
            .map_err(|e| e.to_string())?;
    }
    Ok(search.result().map(|taken| {
        let bytes = fs_err::read(&to).unwrap();
        assert_eq!(taken.sha256, Digest::of(&bytes));
        assert_eq!(taken.size, bytes.len() as u64);
        (taken.path, String::from_utf8(bytes).unwrap())
    }))
}

#[track_caller]
fn assert_reads(layers: &[Vec<u8>], path: &str, expected: Option<(&str, &str)>) {
    let expected = expected.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(read(layers, path), Ok(expected));
}

#[test]
fn the_upper_layer_wins_and_whiteouts_hide() {
    let base = || {
        tar(&[
            ("usr/bin/oc", Is::File("old")),
            ("usr/bin/x", Is::File("x")),
        ])
    };
    let upper = tar(&[("usr/bin/oc", Is::File("new"))]);
    assert_reads(&[base(), upper], "usr/bin/oc", Some(("usr/bin/oc", "new")));
    assert_reads(&[base()], "usr/bin/kubectl", None);
    for hiding in [
        "usr/bin/.wh.oc",
        "usr/.wh.bin",
        ".wh.usr",
        "usr/bin/.wh..wh..opq",
        ".wh..wh..opq",
    ] {
        let hiding = tar(&[(hiding, Is::File(""))]);
        assert_reads(&[base(), hiding], "usr/bin/oc", None);
    }
    // Others' whiteouts do not, nor does one beside the file in its own layer, before or after it.
    let other = tar(&[
        ("usr/bin/.wh.oc2", Is::File("")),
        ("usr/lib/.wh..wh..opq", Is::File("")),
    ]);
    assert_reads(&[base(), other], "usr/bin/oc", Some(("usr/bin/oc", "old")));
    let after = tar(&[
        ("usr/bin/oc", Is::File("new")),
        ("usr/bin/.wh..wh..opq", Is::File("")),
    ]);
    let before = tar(&[
        ("usr/bin/.wh..wh..opq", Is::File("")),
        ("usr/bin/oc", Is::File("new")),
    ]);
    for upper in [after, before] {
        assert_reads(&[base(), upper], "usr/bin/oc", Some(("usr/bin/oc", "new")));
    }
}

#[test]
fn a_directory_above_is_merged_and_anything_else_replaces() {
    let base = || tar(&[("usr/bin/oc", Is::File("old"))]);
    let merged = tar(&[("usr", Is::Dir), ("usr/bin", Is::Dir)]);
    assert_reads(&[base(), merged], "usr/bin/oc", Some(("usr/bin/oc", "old")));
    for gone in [
        tar(&[("usr/bin", Is::File("a file now"))]),
        tar(&[("usr/bin/oc", Is::Dir)]),
    ] {
        assert_reads(&[base(), gone], "usr/bin/oc", None);
    }
}

#[test]
fn links_are_followed_through_the_layers() {
    // /bin is a link of the base, the file is in the layer above, its real name in a third.
    let layers = [
        tar(&[("bin", Is::Symlink("usr/bin")), ("usr/bin", Is::Dir)]),
        tar(&[("usr/bin/oc", Is::Symlink("../share/oc.rhel9"))]),
        tar(&[("usr/share/oc.rhel9", Is::File("program"))]),
    ];
    let found = Some(("usr/share/oc.rhel9", "program"));
    assert_reads(&layers, "bin/oc", found);
    assert_reads(&layers, "usr/bin/oc", found);
    let absolute = tar(&[("usr/bin/kubectl", Is::Symlink("/bin/./oc"))]);
    let mut layers = layers.to_vec();
    layers.push(absolute);
    assert_reads(&layers, "usr/bin/kubectl", found);
    // `..` does not leave the root.
    layers.push(tar(&[("x", Is::Symlink("../../usr/share/oc.rhel9"))]));
    assert_reads(&layers, "x", found);
    // A hard link stands for a file of its own layer, whatever upper layers made of the target's name.
    let hard = [
        tar(&[
            ("usr/bin/oc", Is::File("first")),
            ("usr/bin/kubectl", Is::Hardlink("usr/bin/oc")),
        ]),
        tar(&[("usr/bin/oc", Is::File("second"))]),
    ];
    assert_reads(&hard, "usr/bin/kubectl", Some(("usr/bin/oc", "first")));
    assert_reads(&hard, "usr/bin/oc", Some(("usr/bin/oc", "second")));
    // A link whose target was removed leads nowhere.
    let dangling = [
        tar(&[("a", Is::Symlink("b")), ("b", Is::File("b"))]),
        tar(&[(".wh.b", Is::File(""))]),
    ];
    assert_reads(&dangling, "a", None);
}

#[test]
fn circles_and_hostile_links_end() {
    let circle = [tar(&[("a", Is::Symlink("b")), ("b", Is::Symlink("a"))])];
    assert!(read(&circle, "a").unwrap_err().contains("too many links"));
    let own = [tar(&[("a", Is::Hardlink("a"))])];
    assert!(read(&own, "a").unwrap_err().contains("too many links"));
    let root = [tar(&[("a", Is::Symlink("/"))])];
    assert!(read(&root, "a").unwrap_err().contains("root directory"));
    let below = [tar(&[("a", Is::Symlink("."))])];
    assert!(read(&below, "a/a/x").is_err());
}

#[test]
fn long_link_names_of_both_dialects() {
    let long = format!("{}/oc", "d".repeat(150));
    let gnu = tar(&[("a", Is::Symlink(&long)), (&long, Is::File("found"))]);
    assert_reads(&[gnu], "a", Some((&long, "found")));
    let mut pax = tar::Builder::new(Vec::new());
    pax.append_pax_extensions([("linkpath", long.as_bytes())])
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_path("a").unwrap();
    header.set_link_name("short").unwrap();
    header.set_cksum();
    pax.append(&header, io::empty()).unwrap();
    let file = tar(&[(&long, Is::File("found"))]);
    assert_reads(
        &[pax.into_inner().unwrap(), file],
        "a",
        Some((&long, "found")),
    );
}

#[test]
fn a_full_disk_is_not_the_layers_fault() {
    let wanted = WantedFile {
        path: "f".to_owned(),
        to: "/dev/full".into(),
    };
    let layer = tar(&[("f", Is::File("text"))]);
    let Ok(Err(Unwritable(path, error))) = scan(&mut layer.as_slice(), &[wanted]) else {
        panic!("written to /dev/full");
    };
    assert_eq!(path, Path::new("/dev/full"));
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
