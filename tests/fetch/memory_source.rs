//! The scheduler against the source in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use snoforge::fetch::FailureKind;
use snoforge::oci::SourceErrorKind;
use snoforge::progress::{Event, Reporter};

use super::fake::{Fake, Fault};
use super::{check_names, download, new_store, options, run};

const MIB: u64 = 1 << 20;

/// Twelve images in three repositories over two shared bases.
fn release() -> Fake {
    let mut fake = Fake::default();
    let repositories = ["r.example/a", "r.example/b", "r.example/c"];
    for (n, repository) in (0..12).zip(repositories.into_iter().cycle()) {
        let own = (100 + n, 100_000 + n * 70_001);
        fake.image(repository, &[(1, 5 * MIB + 3), (2, 2 * MIB), own]);
    }
    fake
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_blob_comes_once_and_a_second_run_asks_nothing() {
    let (_dir, store) = new_store();
    let fake = Arc::new(release());
    let summary = download(&fake, &store).await.unwrap();
    assert!(summary.is_complete() && summary.failed.is_empty());
    assert_eq!(
        (summary.images_total, summary.downloaded, summary.skipped),
        (12, 12, 0)
    );
    assert_eq!(summary.bytes_fetched, fake.unique());
    assert_eq!(summary.bytes_unique, fake.unique());
    assert_eq!(summary.bytes_shared_saved, 11 * (7 * MIB + 3));
    assert_eq!(check_names(&store), 2 + 12 * 3);
    let asked = std::mem::take(&mut *fake.asked.lock().unwrap());
    assert_eq!(asked.len(), 2 + 12 * 2);
    let again = download(&fake, &store).await.unwrap();
    assert_eq!(
        (again.downloaded, again.skipped, again.bytes_fetched),
        (0, 12, 0)
    );
    assert!(fake.asked.lock().unwrap().is_empty());
    assert_eq!(fs_err::read_dir(store.partial_dir()).unwrap().count(), 0);
}

#[tokio::test]
async fn one_slot_takes_the_largest_first() {
    let (_dir, store) = new_store();
    let fake = Arc::new(release());
    let inventory = fake.inventory();
    let one = run(&inventory, &store, Arc::<Fake>::clone(&fake), options(0));
    assert!(one.await.unwrap().is_complete());
    let asked = fake.asked.lock().unwrap();
    let sizes: Vec<u64> = asked.iter().map(|a| inventory.blobs[&a.digest]).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
}

#[tokio::test]
async fn wrong_bytes_are_retried_once_elsewhere_then_reported_by_image() {
    for fault in [Fault::WrongByte, Fault::TooLong, Fault::TooShort] {
        let (_dir, store) = new_store();
        let mut fake = release();
        let shared = fake.blob_of(1, 0);
        let own = fake.blob_of(100, 0);
        fake.break_next(&shared, &[fault.clone(), fault.clone()]);
        fake.break_next(&own, std::slice::from_ref(&fault));
        let lonely = fake.image("r.example/d", &[(900, 1000)]);
        let fake = Arc::new(fake);
        let summary = download(&fake, &store).await.unwrap();
        assert_eq!(
            (summary.failed.len(), summary.downloaded),
            (12, 1),
            "{fault:?}"
        );
        assert_eq!(summary.missing.items, 1);
        let failure = &summary.failed[0];
        assert!(failure.reason.contains(shared.hex()), "{failure}");
        assert!(matches!(
            failure.kind,
            FailureKind::Source(SourceErrorKind::Digest | SourceErrorKind::Protocol)
        ));
        assert!(
            summary
                .failed
                .iter()
                .all(|f| f.image != fake.inventory().images[lonely].source)
        );
        let asked = fake.asked.lock().unwrap().clone();
        let of_own: Vec<_> = asked.iter().filter(|a| a.digest == own).collect();
        assert_eq!(of_own.len(), 2);
        assert_eq!(of_own[1].avoid, ["r.example/a"]);
        if matches!(fault, Fault::WrongByte) {
            assert_eq!(of_own[1].offset, 0);
        }
        let again = download(&fake, &store).await.unwrap();
        assert!(again.is_complete());
        assert_eq!(again.downloaded, 12);
        check_names(&store);
    }
}

#[tokio::test]
async fn a_cut_transfer_goes_on_where_it_stopped() {
    let (_dir, store) = new_store();
    let mut fake = release();
    let shared = fake.blob_of(1, 0);
    fake.break_next(&shared, &[Fault::CutAt(3 * MIB)]);
    let fake = Arc::new(fake);
    let first = download(&fake, &store).await.unwrap();
    assert_eq!(first.failed.len(), 12);
    assert_eq!(first.missing.bytes, 2 * MIB + 3);
    assert_eq!(
        first.failed[0].kind,
        FailureKind::Source(SourceErrorKind::Unavailable)
    );
    fake.asked.lock().unwrap().clear();
    let second = download(&fake, &store).await.unwrap();
    assert!(second.is_complete());
    assert_eq!(fake.asked.lock().unwrap()[0].offset, 3 * MIB);
    assert_eq!(first.bytes_fetched + second.bytes_fetched, fake.unique());
}

#[tokio::test]
async fn a_damaged_partial_of_an_earlier_run_costs_one_more_attempt() {
    let (_dir, store) = new_store();
    let mut fake = release();
    let shared = fake.blob_of(1, 0);
    for rubbish in [
        vec![7; 1_000_000],
        vec![7; 5 * 1024 * 1024 + 3],
        vec![7; 6 << 20],
    ] {
        fs_err::write(store.partial_path(&shared), rubbish).unwrap();
        let _ = fs_err::remove_file(store.blob_path(&shared));
        let fake = Arc::new(release());
        fake.break_next(&shared, &[Fault::CutAt(u64::MAX), Fault::CutAt(u64::MAX)]);
        let summary = download(&fake, &store).await.unwrap();
        assert!(summary.is_complete(), "{:?}", summary.failed);
    }
    check_names(&store);
}

#[tokio::test]
async fn another_images_repository_stands_in() {
    let (_dir, store) = new_store();
    let mut fake = release();
    fake.absent.push("r.example/a".into());
    let fake = Arc::new(fake);
    let summary = download(&fake, &store).await.unwrap();
    // Images of `a` lose their own layer and manifest; the bases come through `b`.
    assert_eq!((summary.failed.len(), summary.downloaded), (4, 8));
    assert_eq!(
        summary.failed[0].kind,
        FailureKind::Source(SourceErrorKind::NotFound)
    );
    assert!(!summary.interrupted && !summary.disk_full);
}

#[tokio::test]
async fn a_wrong_size_in_the_inventory_is_a_failure_not_a_blob() {
    let (_dir, store) = new_store();
    let mut fake = release();
    let shared = fake.blob_of(1, 0);
    let mut inventory = fake.inventory();
    for size in [None, Some(10), Some(6 * MIB)] {
        match size {
            None => inventory.blobs.remove(&shared),
            Some(size) => inventory.blobs.insert(shared.clone(), size),
        };
        let fake = Arc::new(release());
        let summary = run(&inventory, &store, fake, options(4)).await.unwrap();
        assert_eq!(summary.failed.len(), 12);
        assert_eq!(store.blob_size(&shared).unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_at_any_byte_it_goes_on_without_losing_one() {
    let (_dir, store) = new_store();
    let unique = release().unique();
    let mut fetched = 0;
    let mut runs = 0;
    loop {
        let mut options = options(4);
        let left = Arc::new(AtomicU64::new(700_001 + runs * 131_071));
        let cancel = options.cancel.clone();
        let mut fake = release();
        fake.hook = Some(Arc::new(move |bytes| {
            let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_sub(bytes))
            });
            if before.unwrap_or(0) <= bytes {
                cancel.cancel();
            }
        }));
        let seen = Arc::new(Counter::default());
        options.reporter = Arc::<Counter>::clone(&seen);
        let fake = Arc::new(fake);
        let inventory = fake.inventory();
        let summary = run(&inventory, &store, fake, options).await.unwrap();
        fetched += summary.bytes_fetched;
        runs += 1;
        assert!(summary.failed.is_empty(), "{:?}", summary.failed);
        assert_eq!(unique - summary.missing.bytes, fetched);
        // Partials that this run did not come to are not reported.
        assert!(seen.bytes() <= fetched, "{} of {fetched}", seen.bytes());
        check_names(&store);
        if summary.is_complete() {
            assert!(!summary.interrupted);
            assert_eq!(seen.bytes(), unique);
            break;
        }
        assert!(summary.interrupted);
    }
    assert!(runs > 5, "{runs}");
    assert_eq!(fetched, unique);
}

/// Adds up bytes as a progress bar does.
#[derive(Debug, Default)]
struct Counter(Mutex<(u64, u64)>);

impl Counter {
    fn bytes(&self) -> u64 {
        self.0.lock().unwrap().0
    }
}

impl Reporter for Counter {
    fn report(&self, event: Event<'_>) {
        let mut sum = self.0.lock().unwrap();
        match event {
            Event::Advanced { bytes, .. }
            | Event::Kept { bytes, .. }
            | Event::Skipped { bytes, .. } => sum.0 += bytes,
            Event::Rewound { bytes, .. } => sum.0 -= bytes,
            _ => {}
        }
    }
}
