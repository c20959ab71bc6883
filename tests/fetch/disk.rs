//! Full disks, by a small tmpfs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::mount::{MsFlags, mount, umount};
use snoforge::fetch::{FailureKind, FetchError};
use snoforge::store::Store;

use super::fake::Fake;
use super::{check_names, download};

const MIB: u64 = 1 << 20;

/// A mounted tmpfs; `None` (with the reason on stderr) where that is not allowed.
struct Small(tempfile::TempDir);

impl Small {
    fn of(mib: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={}", mib * MIB);
        let flags = MsFlags::empty();
        match mount(
            Some("tmpfs"),
            dir.path(),
            Some("tmpfs"),
            flags,
            Some(size.as_str()),
        ) {
            Ok(()) => Some(Self(dir)),
            Err(error) => {
                eprintln!("skipped: cannot mount a tmpfs: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = umount(self.path());
    }
}

fn images() -> Fake {
    let mut fake = Fake::default();
    for n in 0..8 {
        fake.image("r.example/a", &[(n, 2 * MIB)]);
    }
    fake
}

#[tokio::test]
async fn a_plan_that_does_not_fit_is_refused_before_the_first_byte() {
    let Some(small) = Small::of(15) else { return };
    let store = Store::create(small.path()).unwrap();
    let fake = Arc::new(images());
    let error = download(&fake, &store).await.unwrap_err();
    let FetchError::NoSpace { need, have, .. } = &error else {
        panic!("{error}")
    };
    assert!(*need >= fake.unique() && *have <= 15 * MIB);
    assert!(error.to_string().contains("too little room"));
    assert!(fake.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_partials_hold_is_not_asked_for_twice() {
    let Some(small) = Small::of(17) else { return };
    let store = Store::create(small.path()).unwrap();
    let mut fake = images();
    let first = fake.blob_of(0, 0);
    fake.break_next(&first, &[super::fake::Fault::CutAt(2 * MIB - 1)]);
    let fake = Arc::new(fake);
    assert_eq!(download(&fake, &store).await.unwrap().failed.len(), 1);
    assert!(download(&fake, &store).await.unwrap().is_complete());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_stops_the_run_and_says_what_is_missing() {
    let Some(small) = Small::of(24) else { return };
    let store = Store::create(small.path()).unwrap();
    let mut fake = images();
    fake.pause = std::time::Duration::from_millis(2);
    let hog = small.path().join("hog");
    let (path, done) = (hog.clone(), AtomicBool::new(false));
    // Someone else takes all that is left in mid-run.
    fake.hook = Some(Arc::new(move |_| {
        if !done.swap(true, Ordering::Relaxed) {
            let _ = fs_err::write(&path, vec![1; 24 << 20]);
        }
    }));
    let fake = Arc::new(fake);
    let summary = download(&fake, &store).await.unwrap();
    assert!(summary.disk_full && !summary.interrupted && !summary.is_complete());
    assert!(
        summary
            .failed
            .iter()
            .any(|f| f.kind == FailureKind::DiskFull)
    );
    assert!(summary.missing.bytes > 0 && summary.missing.items > 0);
    check_names(&store);
    fs_err::remove_file(hog).unwrap();
    assert!(download(&fake, &store).await.unwrap().is_complete());
    check_names(&store);
}
