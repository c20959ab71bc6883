//! What a test does to a running server: kinds, objects, faults, the ends of watches.

use std::path::Path;

use serde_json::Value;

use super::ApiServer;
use super::faults::{End, Fault};
use super::kinds::Kind;
use super::store::Store;

impl ApiServer {
    /// Serves the kind of this CRD, in all its versions.
    pub(crate) fn crd(&self, path: &Path) {
        self.shared.store.lock().unwrap().add_crd(path);
    }

    /// Serves a kind without a schema.
    pub(crate) fn kind(&self, api_version: &str, plural: &str, kind: &str, namespaced: bool) {
        let mut store = self.shared.store.lock().unwrap();
        store.add_kind(plural, Kind::new(api_version, kind, namespaced));
    }

    /// Creates or replaces the object at a path, and its status, as operators do. What the rules refuse stops the test.
    pub(crate) fn put(&self, path: &str, object: &Value) -> Value {
        self.change(|store| {
            let (place, _) = store.find(path).expect("a kind that is served");
            let mut now = match store.get(&place) {
                Ok(old) => {
                    let mut object = object.clone();
                    for field in ["uid", "resourceVersion"] {
                        object["metadata"][field] = old["metadata"][field].clone();
                    }
                    store.update(&place, object, false).unwrap()
                }
                Err(_) => store.create(&place, object.clone()).unwrap(),
            };
            if object.get("status").is_some() && store.kind(&place).status {
                now["status"] = object["status"].clone();
                now = store.update(&place, now, true).unwrap();
            }
            now
        })
    }

    /// The object at a path.
    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        let store = self.shared.store.lock().unwrap();
        let (place, _) = store.find(path)?;
        store.get(&place).ok().cloned()
    }

    /// Deletes the object at a path, which is there.
    pub(crate) fn remove(&self, path: &str) -> Value {
        self.change(|store| {
            let (place, _) = store.find(path).expect("a kind that is served");
            store.delete(&place, None).unwrap()
        })
    }

    /// Deletes an object and makes it anew under another uid, without its status.
    pub(crate) fn remake(&self, path: &str) -> Value {
        let mut object = self.remove(path);
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp"] {
            object["metadata"].as_object_mut().unwrap().remove(field);
        }
        object.as_object_mut().unwrap().remove("status");
        self.put(path, &object)
    }

    fn change<T>(&self, work: impl FnOnce(&mut Store) -> T) -> T {
        let done = work(&mut self.shared.store.lock().unwrap());
        self.shared.changed.send_replace(());
        done
    }

    /// What goes wrong from now on at a path and below; `/` is everything. The first that was set counts.
    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        self.shared.faults.lock().unwrap().set(path, fault, None);
    }

    /// What goes wrong so many times.
    pub(crate) fn fault_times(&self, path: &str, fault: Fault, times: usize) {
        let mut faults = self.shared.faults.lock().unwrap();
        faults.set(path, fault, Some(times));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.shared.faults.lock().unwrap().heal();
    }

    /// Ends all watches.
    pub(crate) fn end_watches(&self, end: End) {
        let ends: &[End] = match end {
            End::InEvent => &[End::InEvent, End::Broken],
            _ => &[end],
        };
        self.shared.ends.lock().unwrap().extend(ends);
        self.shared.changed.send_replace(());
    }

    /// Sends a bookmark to all watches.
    pub(crate) fn bookmark(&self) {
        *self.shared.bookmarks.lock().unwrap() += 1;
        self.shared.changed.send_replace(());
    }

    /// Forgets all versions before now.
    pub(crate) fn compact(&self) {
        self.shared.store.lock().unwrap().compact();
    }

    /// The log of a container, by its pod's path.
    pub(crate) fn log(&self, pod: &str, container: &str, text: &str) {
        let mut logs = self.shared.logs.lock().unwrap();
        logs.insert((pod.to_owned(), container.to_owned()), text.to_owned());
    }

    /// Requests so far, as `METHOD PATH?QUERY`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }
}
