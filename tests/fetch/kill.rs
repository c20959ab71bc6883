//! `kill -9` at random points, and the memory of a process that only downloads. This test binary starts itself.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use snoforge::oci::ImageSource;
use snoforge::store::Store;

use super::fake::Fake;
use super::{check_names, new_store, options, run};

const MIB: u64 = 1 << 20;
const SLOTS: u64 = 10;

fn images(count: u64, size: u64, pause: Duration) -> Fake {
    let mut fake = Fake::default();
    for n in 0..count {
        fake.image("r.example/a", &[(1, 3 * size), (n + 10, size + n)]);
    }
    fake.pause = pause;
    fake
}

#[expect(clippy::disallowed_methods, reason = "a test drives itself as a child")]
fn start(test: &str, store: &Store) -> Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("SNOFORGE_TEST_STORE", store.root())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "how a child is told its store")]
fn my_store() -> Option<Store> {
    let root = std::env::var_os("SNOFORGE_TEST_STORE")?;
    Some(Store::create(root.as_ref()).unwrap())
}

fn slow() -> Fake {
    images(12, 2 * MIB, Duration::from_millis(2))
}

/// Downloads slowly, and logs how many bytes it was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of killed_at_random_points_it_loses_only_what_was_in_flight"]
async fn child_that_is_killed() {
    let Some(store) = my_store() else { return };
    let mut fake = slow();
    let log = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(store.root().join("given"))
        .unwrap();
    let log = Mutex::new(log);
    fake.hook = Some(Arc::new(move |bytes| {
        let _ = writeln!(log.lock().unwrap(), "{bytes}");
    }));
    let inventory = fake.inventory();
    let source: Arc<dyn ImageSource> = Arc::new(fake);
    let summary = run(&inventory, &store, source, options(10)).await.unwrap();
    assert!(summary.is_complete());
}

#[test]
fn killed_at_random_points_it_loses_only_what_was_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    let fake = slow();
    let mut kills = 0;
    let log = store.root().join("given");
    let given = || fs_err::read_to_string(&log).unwrap_or_default();
    // After so many more chunks; a fixed sequence, so that a failure can be had again. Some are more than all slots gather
    // before their first write (160), else no run would get on.
    for chunks in [120, 9, 230, 3, 75, 330, 27, 180].into_iter().cycle() {
        let before = given().lines().count();
        let mut child = start("kill::child_that_is_killed", &store);
        let done = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.success();
            }
            if given().lines().count() >= before + chunks {
                child.kill().unwrap();
                child.wait().unwrap();
                break false;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        check_names(&store);
        if done {
            break;
        }
        kills += 1;
        assert!(kills < 100, "it never gets done");
    }
    assert!(kills > 0, "it was done before it could be killed");
    assert_eq!(check_names(&store), 1 + 12 * 3);
    assert_eq!(fs_err::read_dir(store.partial_dir()).unwrap().count(), 0);
    let given: u64 = given().lines().map(|l| l.parse::<u64>().unwrap_or(0)).sum();
    // Per kill at most one unwritten batch (1 MiB) and one chunk for each slot.
    let most = fake.unique() + kills * SLOTS * (MIB + 64 * 1024);
    assert!(given <= most, "{given} bytes given, at most {most}");
}

/// Downloads 1 GB without holding it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of memory_does_not_grow_with_the_blobs"]
async fn child_that_is_measured() {
    let Some(store) = my_store() else { return };
    let fake = images(40, 8 * MIB, Duration::ZERO);
    let inventory = fake.inventory();
    let source: Arc<dyn ImageSource> = Arc::new(fake);
    let summary = run(&inventory, &store, source, options(10)).await.unwrap();
    assert!(summary.is_complete());
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    fs_err::write(store.root().join("status"), status).unwrap();
}

#[test]
fn memory_does_not_grow_with_the_blobs() {
    let (_dir, store) = new_store();
    let child = start("kill::child_that_is_measured", &store)
        .wait()
        .unwrap();
    assert!(child.success());
    let status = fs_err::read_to_string(store.root().join("status")).unwrap();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib <= 64 << 10, "peak memory {kib} KiB");
    eprintln!("peak memory {kib} KiB");
}
