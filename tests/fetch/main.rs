//! Whole downloads: a source in memory that misbehaves, a registry that does, processes that are killed, disks that are full.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant"
)]

mod disk;
mod fake;
mod kill;
mod memory_source;
mod registry;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use fake::Fake;
use snoforge::fetch::{self, FetchError, Options, Summary};
use snoforge::inventory::lock::Inventory;
use snoforge::oci::{Digest, ImageSource};
use snoforge::progress::Silent;
use snoforge::store::Store;
use tokio_util::sync::CancellationToken;

pub(crate) fn options(parallel: usize) -> Options {
    Options {
        parallel,
        reporter: Arc::new(Silent),
        cancel: CancellationToken::new(),
    }
}

pub(crate) async fn download(fake: &Arc<Fake>, store: &Store) -> Result<Summary, FetchError> {
    let source: Arc<dyn ImageSource> = Arc::<Fake>::clone(fake);
    run(&fake.inventory(), store, source, options(4)).await
}

pub(crate) async fn run(
    inventory: &Inventory,
    store: &Store,
    source: Arc<dyn ImageSource>,
    options: Options,
) -> Result<Summary, FetchError> {
    let lock = store.lock().unwrap();
    fetch::run(inventory, store, &lock, source, options).await
}

pub(crate) fn new_store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    (dir, store)
}

/// Every file under a final name has the digest of its name; returns how many there are.
pub(crate) fn check_names(store: &Store) -> usize {
    let mut count = 0;
    for entry in fs_err::read_dir(store.blobs_dir()).unwrap() {
        let entry = entry.unwrap();
        let digest = Digest::of(&fs_err::read(entry.path()).unwrap());
        assert_eq!(entry.file_name().to_str().unwrap(), digest.hex());
        count += 1;
    }
    count
}
