//! `kill -9` while a copy to two destinations runs. This test binary starts itself.

use std::process::{Child, Stdio};
use std::time::Duration;

use snoforge::oci::Digest;
use snoforge::progress::{Event, Reporter};
use snoforge::store::{CopyPlan, Store};

use super::source_of;

/// A slow disk.
#[derive(Debug)]
struct Slow;

impl Reporter for Slow {
    fn report(&self, event: Event<'_>) {
        if matches!(event, Event::Advanced { .. }) {
            std::thread::sleep(Duration::from_millis(4));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test drives itself as a child")]
fn start(root: &std::path::Path) -> Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child_that_is_killed", "--ignored"])
        .env("SNOFORGE_TEST_COPY", root)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "a child of killed_again_and_again_it_gets_done"]
#[expect(clippy::disallowed_methods, reason = "how a child is told its source")]
fn child_that_is_killed() {
    let Some(root) = std::env::var_os("SNOFORGE_TEST_COPY") else {
        return;
    };
    let root = std::path::PathBuf::from(root);
    let roots = [root.join("a"), root.join("b")];
    let plan = CopyPlan::new(&root.join("source"), &roots).unwrap();
    let report = plan.run(&Slow, &|| false);
    assert!(report.destinations.iter().all(|d| d.settled), "{report:?}");
}

#[test]
fn killed_again_and_again_it_gets_done() {
    let source = source_of(40 << 20);
    let root = source.dir.path();
    let mut kills = 0;
    // A fixed sequence, so that a failure can be had again; the longest is enough for the whole rest.
    for millis in [20, 150, 60, 230, 40, 90, 300, 500, 700, 20_000] {
        let mut child = start(root);
        let mut done = false;
        for _ in 0..millis / 10 {
            std::thread::sleep(Duration::from_millis(10));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success());
                done = true;
                break;
            }
        }
        let _ = child.kill();
        child.wait().unwrap();
        for name in ["a", "b"] {
            let blobs = root.join(name).join("oci/blobs/sha256");
            for entry in fs_err::read_dir(&blobs).into_iter().flatten() {
                let path = entry.unwrap().path();
                let found = Digest::of(&fs_err::read(&path).unwrap());
                assert!(path.ends_with(found.hex()), "a wrong blob has a name");
            }
            if root.join(name).join("oci/index.json").exists() {
                source.assert_whole(&root.join(name));
            }
        }
        if done {
            break;
        }
        kills += 1;
    }
    assert!(kills > 1, "it was done before it could be killed");
    for name in ["a", "b"] {
        source.assert_whole(&root.join(name));
        let store = Store::open(&root.join(name)).unwrap();
        assert_eq!(fs_err::read_dir(store.partial_dir()).unwrap().count(), 0);
    }
    eprintln!("{kills} kills");
}
