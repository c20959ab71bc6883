use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::oci::{Digest, Reference};
use crate::progress::Silent;

/// Storage in memory that fails as told.
#[derive(Debug, Default)]
struct Fake {
    state: Mutex<State>,
    /// How often copies of an image fail before one succeeds.
    failing: BTreeMap<String, usize>,
    /// Copies of this image end well and leave nothing.
    forgetful: Option<String>,
    /// Copies go on until they are stopped.
    endless: bool,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeSet<String>,
    tries: Vec<String>,
    running: BTreeSet<String>,
    most: usize,
    together: BTreeSet<(String, String)>,
}

impl Storage for Fake {
    fn names(&self) -> Result<BTreeSet<String>, StorageError> {
        Ok(self.state.lock().unwrap().names.clone())
    }

    fn copy(
        &self,
        source: &Reference,
        name: &Reference,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), StorageError> {
        let (source, name) = (source.to_string(), name.to_string());
        {
            let mut state = self.state.lock().unwrap();
            state.tries.push(source.clone());
            let others = state.running.clone().into_iter();
            state
                .together
                .extend(others.map(|other| (other, source.clone())));
            state.running.insert(source.clone());
            state.most = state.most.max(state.running.len());
        }
        while self.endless && !stop() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(20));
        let mut state = self.state.lock().unwrap();
        state.running.remove(&source);
        let tries = state.tries.iter().filter(|t| **t == source).count();
        if self.endless || tries <= self.failing.get(&source).copied().unwrap_or(0) {
            return Err(StorageError::Copy(format!("no luck {tries}")));
        }
        if self.forgetful.as_ref() != Some(&source) {
            state.names.insert(name);
        }
        Ok(())
    }
}

fn job(name: &str, layers: &[&str]) -> Job {
    let repository: Reference = format!("q.io/{name}").parse().unwrap();
    Job {
        source: repository.pinned(Digest::of(name.as_bytes())),
        tags: Vec::new(),
        layers: layers.iter().map(|l| Digest::of(l.as_bytes())).collect(),
        size_bytes: 1,
        lacks: None,
    }
}

fn quick(parallel: usize) -> Options {
    Options {
        parallel,
        attempts: 3,
        backoff: Duration::from_millis(10),
        deadline: Duration::from_mins(1),
    }
}

fn run(fake: &Fake, jobs: &[Job], options: &Options) -> Outcome {
    load(jobs.to_vec(), fake, options, (&Silent, &|| false)).unwrap()
}

fn names(outcome: &Outcome) -> Vec<&str> {
    outcome
        .failed
        .iter()
        .map(|(name, _)| name.as_str())
        .collect()
}

#[test]
fn each_failed_image_is_tried_again_and_only_the_hopeless_one_is_listed() {
    let jobs = ["a", "b", "c", "d"].map(|name| job(name, &[name]));
    let name = |i: usize| jobs[i].source.to_string();
    let fake = Fake {
        failing: [(name(0), 2), (name(1), 9), (name(2), 1)].into(),
        ..Fake::default()
    };
    let outcome = run(&fake, &jobs, &quick(2));
    assert_eq!(
        (outcome.loaded, outcome.loaded_bytes, outcome.present),
        (3, 3, 0)
    );
    assert_eq!(
        outcome.failed,
        [(name(1), "cannot copy the image: no luck 3".to_owned())]
    );
    let state = fake.state.lock().unwrap();
    let tries = |i: usize| state.tries.iter().filter(|t| **t == name(i)).count();
    assert_eq!([tries(0), tries(1), tries(2), tries(3)], [3, 3, 2, 1]);
}

#[test]
fn a_second_run_copies_nothing_and_a_missing_tag_is_copied() {
    let mut jobs = ["a", "b"].map(|name| job(name, &[name]));
    let fake = Fake::default();
    assert_eq!(run(&fake, &jobs, &quick(1)).loaded, 2);
    let again = run(&fake, &jobs, &quick(1));
    assert_eq!(
        (
            again.loaded,
            again.present,
            fake.state.lock().unwrap().tries.len()
        ),
        (0, 2, 2)
    );
    jobs[1].tags.push("q.io/b:v1".parse().unwrap());
    let tagged = run(&fake, &jobs, &quick(1));
    assert_eq!((tagged.loaded, tagged.present), (1, 1));
    assert!(fake.state.lock().unwrap().names.contains("q.io/b:v1"));
}

#[test]
fn images_with_a_new_layer_in_common_are_not_copied_together() {
    let jobs = [
        job("a", &["base", "a"]),
        job("b", &["base", "b"]),
        job("c", &["other"]),
        job("d", &["base", "d"]),
    ];
    let fake = Fake::default();
    assert_eq!(run(&fake, &jobs, &quick(4)).loaded, 4);
    let state = fake.state.lock().unwrap();
    let name = |i: usize| jobs[i].source.to_string();
    let together = |i, j| {
        state.together.contains(&(name(i), name(j))) || state.together.contains(&(name(j), name(i)))
    };
    assert!(together(0, 2), "nothing in common");
    assert!(
        !together(0, 1) && !together(0, 3),
        "the base is not there yet"
    );
    assert!(together(1, 3), "now it is");
}

#[test]
fn what_the_store_lacks_is_not_tried_and_what_storage_forgets_is_a_failure() {
    let mut jobs = ["a", "b", "c"].map(|name| job(name, &[name]));
    jobs[0].lacks = Some("a layer is gone".to_owned());
    let fake = Fake {
        forgetful: Some(jobs[1].source.to_string()),
        ..Fake::default()
    };
    let outcome = run(&fake, &jobs, &quick(2));
    assert_eq!(outcome.loaded, 1);
    assert_eq!(
        names(&outcome),
        [jobs[0].source.to_string(), jobs[1].source.to_string()]
    );
    assert_eq!(outcome.failed[0].1, "a layer is gone");
    assert!(
        !fake
            .state
            .lock()
            .unwrap()
            .tries
            .contains(&jobs[0].source.to_string())
    );
}

#[test]
fn the_deadline_ends_copies_and_names_every_image_that_is_left() {
    let jobs = ["a", "b", "c"].map(|name| job(name, &[name]));
    let fake = Fake {
        endless: true,
        ..Fake::default()
    };
    let options = Options {
        deadline: Duration::from_millis(100),
        ..quick(2)
    };
    let outcome = run(&fake, &jobs, &options);
    assert_eq!((outcome.loaded, outcome.failed.len()), (0, 3));
    let reasons: BTreeSet<_> = outcome.failed.iter().map(|(_, r)| r.as_str()).collect();
    let expected = ["not done after 0 minutes", "not tried: the time was up"];
    assert_eq!(reasons, expected.into());
    assert_eq!(fake.state.lock().unwrap().most, 2);
}

#[test]
fn an_interrupt_is_no_failure() {
    let jobs = ["a", "b", "c"].map(|name| job(name, &[name]));
    let fake = Fake {
        endless: true,
        ..Fake::default()
    };
    let begun = Instant::now();
    let told = AtomicBool::new(false);
    let stop = || {
        told.fetch_or(
            begun.elapsed() > Duration::from_millis(60),
            Ordering::Relaxed,
        );
        told.load(Ordering::Relaxed)
    };
    let outcome = load(jobs.to_vec(), &fake, &quick(2), (&Silent, &stop)).unwrap();
    assert!(outcome.interrupted);
    assert_eq!((outcome.loaded, outcome.failed.len()), (0, 0));
}
