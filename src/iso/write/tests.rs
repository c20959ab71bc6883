use std::sync::Mutex;

use super::*;
use crate::iso::fixtures::{self, load};
use crate::iso::{Change, Changes, KargsChange, LiveIso, kargs};
use crate::progress::Silent;

/// A medium whose cable is pulled after so many bytes and cuts: from then on nothing works, and the last write is torn.
#[derive(Debug)]
struct Cable {
    bytes: Mutex<Vec<u8>>,
    left: Mutex<Option<u64>>,
}

impl Cable {
    fn new(bytes: &[u8], left: Option<u64>) -> Self {
        Self {
            bytes: Mutex::new(bytes.to_vec()),
            left: Mutex::new(left),
        }
    }

    /// How much of a write of `cost` still happens.
    fn spend(&self, cost: u64) -> (u64, io::Result<()>) {
        let mut left = self.left.lock().unwrap();
        let Some(have) = *left else {
            return (cost, Ok(()));
        };
        *left = Some(have.saturating_sub(cost));
        let whole = have >= cost && have > 0;
        (
            have.min(cost),
            if whole {
                Ok(())
            } else {
                Err(io::Error::other("cable pulled"))
            },
        )
    }

    fn bytes(self) -> Vec<u8> {
        self.bytes.into_inner().unwrap()
    }
}

impl ReadAt for Cable {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.bytes
            .lock()
            .unwrap()
            .as_slice()
            .read_exact_at(offset, buffer)
    }

    fn size(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }
}

impl Target for Cable {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (happens, result) = self.spend(bytes.len() as u64);
        let (at, happens) = (
            usize::try_from(offset).unwrap(),
            usize::try_from(happens).unwrap(),
        );
        self.bytes.lock().unwrap()[at..at + happens].copy_from_slice(&bytes[..happens]);
        result
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        let (happens, result) = self.spend(1);
        if happens == 1 {
            self.bytes
                .lock()
                .unwrap()
                .resize(usize::try_from(size).unwrap(), 0);
        }
        result
    }

    fn sync(&self) -> io::Result<()> {
        self.spend(1).1
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut seed = 3_u64;
    let next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn changes(config: Change<Vec<u8>>) -> Changes {
    Changes {
        ignition: config,
        kargs: KargsChange::Edit(kargs::Edit::new(&["a=1"], &[], &[]).unwrap()),
        may_grow: true,
        ..Changes::default()
    }
}

/// Pulls the cable at every interesting byte; afterwards the ISO is, by itself or at the next use, as before or as wanted.
fn cut_everywhere(before: &[u8], changes: &Changes) -> Vec<u8> {
    let plan = Plan::new(&before, &LiveIso::read(&before).unwrap(), changes).unwrap();
    let after = fixtures::apply(before.to_vec(), &plan);
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("journal");
    let iso = Path::new("stick");
    let edges: Vec<u64> = plan
        .regions
        .iter()
        .scan(0, |sum, r| {
            let start = *sum;
            *sum += r.contents.len() as u64;
            Some([
                start,
                start + 1,
                start + 2,
                start + (*sum - start) / 2,
                *sum - 1,
                *sum,
            ])
        })
        .flatten()
        .flat_map(|edge| [edge, edge + 1, edge + 2, edge + 3])
        .collect();
    assert!(edges.len() > 20);
    for left in edges {
        let cable = Cable::new(before, Some(left));
        let result = journaled(&cable, iso, &plan, &at);
        let torn = Cable::new(&cable.bytes(), None);
        let there = Journal::is_at(&at);
        assert_eq!(recover_from(&torn, iso, &at).unwrap(), there, "at {left}");
        assert!(!Journal::is_at(&at));
        let now = torn.bytes();
        if result.is_ok() {
            assert!(now == after, "at {left}: done, but not as wanted");
        } else {
            // A change that only its cut was missing from is done, not taken back.
            assert!(now == before || now == after, "at {left}: broken");
            LiveIso::read(&now.as_slice())
                .unwrap()
                .kargs()
                .unwrap()
                .current()
                .unwrap();
        }
    }
    let cable = Cable::new(before, None);
    journaled(&cable, iso, &plan, &at).unwrap();
    assert!(cable.bytes() == after);
    after
}

#[test]
fn a_pulled_cable_never_leaves_a_broken_iso() {
    let Some(pristine) = load("sample") else {
        return;
    };
    let embedded = cut_everywhere(&pristine, &changes(Change::Set(noise(3000))));
    let grown = cut_everywhere(&embedded, &changes(Change::Set(noise(300_000))));
    let shrunk = cut_everywhere(&grown, &Changes::reset());
    assert!(shrunk == pristine);
}

#[test]
fn a_journal_of_other_content_is_refused() {
    let Some(pristine) = load("sample") else {
        return;
    };
    let plan = Plan::new(
        &pristine.as_slice(),
        &LiveIso::read(&pristine.as_slice()).unwrap(),
        &changes(Change::Set(noise(3000))),
    )
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("journal");
    journaled(
        &Cable::new(&pristine, Some(1000)),
        Path::new("iso"),
        &plan,
        &at,
    )
    .unwrap_err();
    assert!(Journal::is_at(&at));
    let Some(other) = load("embed-areas-2022-09") else {
        return;
    };
    let other = Cable::new(&other, None);
    assert!(matches!(
        recover_from(&other, Path::new("iso"), &at),
        Err(IsoError::Journal { .. })
    ));
    let shorter = Cable::new(&pristine[..800_000], None);
    assert!(matches!(
        recover_from(&shorter, Path::new("iso"), &at),
        Err(IsoError::Journal { .. })
    ));
    // A damaged journal is told as such.
    fs_err::write(&at, b"SNOFORGE JOURNL1 and nothing").unwrap();
    let error = recover_from(&other, Path::new("iso"), &at).unwrap_err();
    assert!(matches!(error, IsoError::Open { .. }), "{error}");
}

#[test]
fn a_medium_that_forgets_is_noticed() {
    /// Loses every second write.
    #[derive(Debug)]
    struct Forgetful(Cable, std::sync::atomic::AtomicU32);
    impl ReadAt for Forgetful {
        fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            self.0.read_exact_at(offset, buffer)
        }
        fn size(&self) -> u64 {
            self.0.size()
        }
    }
    impl Target for Forgetful {
        fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            match self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                1 => Ok(()),
                _ => self.0.write_all_at(bytes, offset),
            }
        }
        fn set_len(&self, size: u64) -> io::Result<()> {
            self.0.set_len(size)
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }
    let Some(pristine) = load("sample") else {
        return;
    };
    let plan = Plan::new(
        &pristine.as_slice(),
        &LiveIso::read(&pristine.as_slice()).unwrap(),
        &changes(Change::Set(noise(3000))),
    )
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let stick = Forgetful(Cable::new(&pristine, None), 0.into());
    let error = journaled(&stick, Path::new("stick"), &plan, &dir.path().join("j")).unwrap_err();
    assert!(matches!(error, IsoError::ReadBack { .. }), "{error}");
    assert!(stick.0.bytes() == pristine);
}

#[test]
fn outputs_are_whole_or_absent() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(pristine) = load("sample") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.iso"), dir.path().join("out.iso"));
    fs_err::write(&input, &pristine).unwrap();
    let medium = Medium::open(&input).unwrap();
    let iso = LiveIso::read(&medium).unwrap();
    for config in [noise(3000), noise(300_000)] {
        let plan = Plan::new(&medium, &iso, &changes(Change::Set(config))).unwrap();
        let expected = fixtures::apply(pristine.clone(), &plan);
        to_file(&medium, &plan, &output, Overwrite::Refuse, (&Silent, 0)).unwrap();
        assert!(fs_err::read(&output).unwrap() == expected);
        assert_eq!(
            fs_err::metadata(&output).unwrap().permissions().mode() & 0o600,
            0o600
        );
        let again = to_file(&medium, &plan, &output, Overwrite::Refuse, (&Silent, 0));
        assert!(matches!(again, Err(IsoError::OutputExists(_))));
        to_file(&medium, &plan, &output, Overwrite::Replace, (&Silent, 0)).unwrap();
        let mut stream = Vec::new();
        to_stream(&medium, &plan, &mut stream).unwrap();
        assert!(stream == expected);
        fs_err::remove_file(&output).unwrap();
    }
    let plan = Plan::new(&medium, &iso, &Changes::reset()).unwrap();
    assert!(plan.is_empty());
    let own = to_file(&medium, &plan, &input, Overwrite::Replace, (&Silent, 0));
    assert!(matches!(own, Err(IsoError::OutputIsInput(_))));
    assert_eq!(
        fs_err::read_dir(dir.path()).unwrap().count(),
        1,
        "no leftovers"
    );
    assert!(fs_err::read(&input).unwrap() == pristine);
}
