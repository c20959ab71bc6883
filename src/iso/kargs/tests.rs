use proptest::prelude::*;

use super::*;
use crate::iso::fixtures::{self, load};

fn kargs(iso: &[u8]) -> Kargs {
    Kargs::find(&iso, &Volume::open(&iso).unwrap())
        .unwrap()
        .unwrap()
}

#[test]
fn finds_every_generation() {
    for (name, _, expected) in fixtures::ALL {
        let Some(iso) = load(name) else { continue };
        let source = iso.as_slice();
        let found = Kargs::find(&source, &Volume::open(&source).unwrap()).unwrap();
        let Some((size, offsets)) = expected else {
            assert!(found.is_none(), "{name}");
            continue;
        };
        let found = found.unwrap();
        let places: Vec<u64> = found.areas.iter().map(|a| a.offset).collect();
        assert_eq!(places, offsets, "{name}");
        assert!(found.areas.iter().all(|a| a.length == size), "{name}");
        assert_eq!(found.current().unwrap(), found.default().unwrap(), "{name}");
        assert!(!found.is_modified());
        assert!(
            found.default().unwrap().contains("coreos.liveiso="),
            "{name}"
        );
    }
}

/// The header and the marker lead to the areas that kargs.json names.
#[test]
fn older_descriptions_agree() {
    let Some(mut iso) = load("embed-areas-2021-12") else {
        return;
    };
    let by_json = kargs(&iso);
    assert_eq!(by_json.origin, Origin::KargsJson);
    rename(&mut iso, "coreos/kargs.json");
    let by_header = kargs(&iso);
    assert_eq!(by_header.origin, Origin::Header);
    assert_eq!(by_header.default, by_json.default);
    iso[32672..32680].fill(0);
    let by_marker = kargs(&iso);
    assert_eq!(by_marker.origin, Origin::Marker);
    assert!(matches!(by_marker.default(), Err(IsoError::NoDefaultKargs)));
    for found in [by_header, by_marker] {
        let places = |k: &Kargs| {
            k.areas
                .iter()
                .map(|a| (a.offset, a.length))
                .collect::<Vec<_>>()
        };
        assert_eq!(places(&found), places(&by_json));
        assert_eq!(found.current().unwrap(), by_json.current().unwrap());
    }
    // The misspelt header of December 2020 had a wrong size.
    iso[32672..32680].copy_from_slice(b"corekarg");
    assert_eq!(kargs(&iso).origin, Origin::Marker);
}

/// Makes a file unknown under each of its names.
fn rename(iso: &mut [u8], path: &str) {
    let source: &[u8] = iso;
    let volume = Volume::open(&source).unwrap();
    let records: Vec<u64> = volume
        .trees()
        .iter()
        .filter_map(|t| t.find(&source, path).unwrap())
        .map(|e| e.record_at)
        .collect();
    for at in records {
        let at = usize::try_from(at).unwrap();
        let record = &mut iso[at + 33..at + 33 + 100];
        for i in 0..record.len() - 5 {
            if record[i..i + 5].eq_ignore_ascii_case(b"kargs") {
                record[i] = b'x';
            }
            if record[i..i + 3] == [0, b'k', 0] || record[i..i + 3] == [b'k', 0, b'a'] {
                record[i + usize::from(record[i] == 0)] = b'x';
            }
        }
    }
}

#[test]
fn longest_arguments() {
    for (name, _, expected) in fixtures::ALL {
        let (Some(iso), Some(_)) = (load(name), expected) else {
            continue;
        };
        let kargs = kargs(&iso);
        let default = kargs.default().unwrap().to_owned();
        let room = kargs.areas[0].length - default.len() - 2;
        let text = |n: usize| format!("{default} {}", "x".repeat(n));
        let regions = kargs.regions(&text(room)).unwrap();
        assert!(
            regions
                .iter()
                .all(|r| r.contents.ends_with(&[kargs.areas[0].end as u8]))
        );
        let error = kargs.regions(&text(room + 1)).unwrap_err();
        assert!(
            matches!(error, IsoError::KargsTooLong { needed, capacity } if needed == capacity + 1)
        );
        assert_eq!(kargs.capacity(), text(room).len());
    }
}

#[test]
fn edits_as_the_peer_does() {
    for (append, delete, replace, before, after) in [
        (&["x"][..], &[][..], &[][..], "a b", "a b x"),
        (&[" x=1 y "], &["a"], &[], "a b", "b x=1 y"),
        (&[], &["b"], &[], "a b bc b", "a bc"),
        (&[], &["b"], &[], "b b b a b b", "a"),
        (&[], &["a b"], &[], "a b c a b", "c"),
        (&[], &["none"], &["k=none=x"], "a k=1", "a k=1"),
        (
            &[],
            &[],
            &["k=1=2"],
            "k=1 k=1 ak=1 k=11",
            "k=2 k=2 ak=1 k=11",
        ),
        (&["k=1"], &["k=0"], &["k=1=2"], "k=0 a", "a k=2"),
        (&[], &[], &[], " a  b ", "a  b"),
        (&["x"], &["a"], &[], "a", "x"),
    ] {
        let edit = Edit::new(append, delete, replace).unwrap();
        assert_eq!(edit.apply(before), after, "{before} {edit:?}");
    }
    for bad in ["k", "k=1", "k=1=2=3", "=1=2", "k==2", "k=1="] {
        assert!(
            matches!(Edit::new(&[], &[], &[bad]), Err(IsoError::BadReplace(_))),
            "{bad}"
        );
    }
    assert!(matches!(
        Edit::new(&["a;b"], &[], &[]),
        Err(IsoError::BadKarg { .. })
    ));
    assert!(matches!(
        Edit::new(&[], &[], &["a=1=$x"]),
        Err(IsoError::BadKarg { .. })
    ));
}

proptest! {
    #[test]
    fn appended_and_deleted_is_as_before(base in "[a-z]{1,5}( [a-z]{1,5}=[0-9]{1,3}){0,4}", karg in "new[a-z]{0,4}=[a-z0-9.,:/]{1,20}") {
        let append = Edit::new(&[&karg], &[], &[]).unwrap();
        let delete = Edit::new(&[], &[&karg], &[]).unwrap();
        prop_assert_eq!(delete.apply(&append.apply(&base)), base);
    }

    #[test]
    fn never_panics(base in ".{0,60}", a in ".{0,20}", d in ".{0,20}", r in ".{0,20}") {
        if let Ok(edit) = Edit::new(&[a], &[d], &[r]) {
            let once = edit.apply(&base);
            prop_assert_eq!(once.trim(), once.as_str());
        }
        let _ = Edit::new(&[&base], &[], &[]);
    }
}
