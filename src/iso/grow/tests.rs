use crate::iso::fixtures::{self, apply, load};
use crate::iso::{Change, Changes, IsoError, LiveIso, Plan};

/// A config that no compressor makes small.
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 7_u64;
    let next = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(seed >> 58) as usize]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn change(iso: &[u8], changes: &Changes) -> Result<Vec<u8>, IsoError> {
    let plan = Plan::new(&iso, &LiveIso::read(&iso)?, changes)?;
    Ok(apply(iso.to_vec(), &plan))
}

fn embed(config: Vec<u8>) -> Changes {
    Changes {
        ignition: Change::Set(config),
        may_grow: true,
        ..Changes::default()
    }
}

fn remove() -> Changes {
    Changes {
        ignition: Change::Remove,
        ..Changes::default()
    }
}

#[test]
fn grows_and_shrinks_back_to_the_same_bytes() {
    for (name, _, _) in fixtures::ALL {
        let Some(pristine) = load(name) else { continue };
        let config = noise(900_000);
        if name.contains("s390x") {
            let error = change(&pristine, &embed(config)).unwrap_err();
            assert!(matches!(error, IsoError::CannotGrow { .. }), "{error}");
            continue;
        }
        let grown = change(&pristine, &embed(config.clone())).unwrap();
        let iso = LiveIso::read(&grown.as_slice()).unwrap();
        assert!(iso.ignition().unwrap() == config, "{name}");
        assert!(iso.area.length > 262_144 && iso.area.length.is_multiple_of(262_144));
        // Still one undo record after growing again, and it leads to the beginning.
        let more = noise(1_300_000);
        let larger = change(&grown, &embed(more.clone())).unwrap();
        assert!(
            LiveIso::read(&larger.as_slice())
                .unwrap()
                .ignition()
                .unwrap()
                == more
        );
        let direct = change(&pristine, &embed(more)).unwrap();
        assert!(larger == direct, "{name}: growing twice is growing once");
        // A small config uses the room that is there.
        let small = change(&larger, &embed(b"{}".to_vec())).unwrap();
        assert_eq!(small.len(), larger.len());
        for iso in [&grown, &larger, &small] {
            assert!(change(iso, &remove()).unwrap() == pristine, "{name}");
            assert!(
                change(iso, &Changes::reset()).unwrap() == pristine,
                "{name}"
            );
        }
    }
}

#[test]
fn an_old_config_does_not_stay_behind() {
    let Some(pristine) = load("sample") else {
        return;
    };
    let old = change(&pristine, &embed(b"{\"secret\": 1}".to_vec())).unwrap();
    let grown = change(&old, &embed(noise(900_000))).unwrap();
    assert!(grown[116_736..116_736 + 262_144].iter().all(|b| *b == 0));
    assert!(change(&grown, &remove()).unwrap() == pristine);
}

#[test]
fn asks_before_it_grows() {
    let Some(pristine) = load("sample") else {
        return;
    };
    let changes = Changes {
        may_grow: false,
        ..embed(noise(900_000))
    };
    let error = change(&pristine, &changes).unwrap_err();
    assert!(
        matches!(
            error,
            IsoError::TooLarge {
                capacity: 262_144,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_damaged_undo_record_is_not_used() {
    let Some(pristine) = load("sample") else {
        return;
    };
    let mut grown = change(&pristine, &embed(noise(900_000))).unwrap();
    let iso = LiveIso::read(&grown.as_slice()).unwrap();
    let at = usize::try_from(iso.area.offset + iso.area.length).unwrap();
    assert!(grown[at..].starts_with(b"SNOFORGE UNDO 1\n"));
    grown[at + 100] ^= 1;
    let emptied = change(&grown, &remove()).unwrap();
    assert_eq!(emptied.len(), grown.len());
    assert!(
        LiveIso::read(&emptied.as_slice())
            .unwrap()
            .initrd()
            .unwrap()
            .is_empty()
    );
}
