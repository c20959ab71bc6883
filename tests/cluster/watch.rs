//! A watch, through all that an API does.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::json;
use snoforge::cluster::{Error, Reason, Seen};

use crate::apiserver::{ApiServer, End, Fault};
use crate::{
    GENERATOR, GENERATORS, SECRETS, block_on, client, client_for, generator, reason, secret, server,
};

/// The next item, however long it takes; a test that waits for ever is ended by this.
async fn next(watch: &mut BoxStream<'static, Result<Seen, Error>>) -> Result<Seen, Error> {
    let item = tokio::time::timeout(Duration::from_mins(2), watch.next());
    item.await.expect("an item in time").expect("no end")
}

/// The next state, after any number of failures, which are handed out too.
async fn state(watch: &mut BoxStream<'static, Result<Seen, Error>>) -> (Seen, Vec<Reason>) {
    let mut failures = Vec::new();
    loop {
        match next(watch).await {
            Ok(seen) => return (seen, failures),
            Err(Error::Request { reason, .. }) => failures.push(reason),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Changes the object and waits until the watch has told it: then it is open.
async fn change(server: &ApiServer, watch: &mut BoxStream<'static, Result<Seen, Error>>) {
    let mut object = server.object(GENERATOR).unwrap();
    let last = object["status"]["observedGeneration"]
        .as_u64()
        .unwrap_or_default();
    object["status"] = json!({"observedGeneration": last + 1});
    let object = server.put(GENERATOR, &object);
    assert_eq!(state(watch).await, (Seen::Object(object), Vec::new()));
}

#[test]
fn a_watch_tells_each_state_and_goes_on_where_it_ended() {
    let server = server();
    let client = client(&server);
    block_on(async {
        let mut watch = client.watch(GENERATORS, "seedimage");
        assert_eq!(state(&mut watch).await, (Seen::Absent, Vec::new()));
        let made = server.put(GENERATOR, &generator("quay.io/a:1"));
        assert_eq!(state(&mut watch).await.0, Seen::Object(made.clone()));
        // Another object's versions come with bookmarks; the next watch begins there.
        server.put(&format!("{SECRETS}/a"), &secret("a"));
        server.bookmark();
        server.end_watches(End::Whole);
        let mut with = made.clone();
        with["status"] = json!({"observedGeneration": 1});
        let with = server.put(GENERATOR, &with);
        assert_eq!(state(&mut watch).await, (Seen::Object(with), Vec::new()));
        let lists = || {
            server
                .seen()
                .iter()
                .filter(|l| l.contains(GENERATORS) && !l.contains("watch="))
                .count()
        };
        assert_eq!(lists(), 1, "{:?}", server.seen());
        // What breaks is told, and everything is read anew.
        for end in [End::Broken, End::InEvent] {
            change(&server, &mut watch).await;
            server.end_watches(end);
            let (seen, failures) = state(&mut watch).await;
            assert!(matches!(seen, Seen::Object(_)));
            assert!(
                matches!(&failures[..], [Reason::Answer(_)]),
                "{end:?}: {failures:?}"
            );
        }
        // Gone, and back under another uid.
        server.remove(GENERATOR);
        assert_eq!(state(&mut watch).await.0, Seen::Absent);
        let back = server.put(GENERATOR, &generator("quay.io/a:1"));
        assert_ne!(back["metadata"]["uid"], made["metadata"]["uid"]);
        assert_eq!(state(&mut watch).await.0, Seen::Object(back));
    });
}

#[test]
fn a_watch_lives_through_all_that_an_api_does_when_it_goes_away() {
    let server = server();
    server.put(GENERATOR, &generator("quay.io/a:1"));
    let client = client(&server);
    block_on(async {
        let mut watch = client.watch(GENERATORS, "seedimage");
        let (first, _) = state(&mut watch).await;
        // A version that is forgotten is nothing to tell.
        server.end_watches(End::Whole);
        server.compact();
        assert_eq!(state(&mut watch).await, (first, Vec::new()));
        for (fault, test) in [
            (
                Fault::Status(401, ""),
                (|r| *r == Reason::Unauthorized) as fn(&Reason) -> bool,
            ),
            (Fault::Status(403, ""), |r| {
                matches!(r, Reason::Forbidden(_))
            }),
            (Fault::Status(404, ""), |r| matches!(r, Reason::Absent(_))),
            (Fault::Status(429, ""), |r| matches!(r, Reason::Busy(_))),
            (Fault::Status(503, ""), |r| matches!(r, Reason::Busy(_))),
            (Fault::Garbage, |r| matches!(r, Reason::Answer(_))),
            (Fault::Cut, |r| matches!(r, Reason::Answer(_))),
        ] {
            change(&server, &mut watch).await;
            server.fault_times("/apis/lca.openshift.io", fault, 1);
            server.end_watches(End::Whole);
            let (seen, failures) = state(&mut watch).await;
            assert!(matches!(seen, Seen::Object(_)), "{fault:?}: {seen:?}");
            assert!(
                failures.len() == 1 && test(&failures[0]),
                "{fault:?}: {failures:?}"
            );
        }
        // Refused, and back.
        server.close();
        loop {
            let told = reason(next(&mut watch).await);
            if matches!(&told, Reason::Connect(text) if text == "connection refused") {
                break;
            }
        }
        let after = server.remake(GENERATOR);
        server.open();
        assert_eq!(state(&mut watch).await.0, Seen::Object(after));
        // Another certificate: told each time, until it is the cluster's again.
        server.change_certificate();
        loop {
            if matches!(reason(next(&mut watch).await), Reason::Tls(_)) {
                break;
            }
        }
        assert!(matches!(reason(next(&mut watch).await), Reason::Tls(_)));
        server.renew_certificate();
        assert!(matches!(state(&mut watch).await.0, Seen::Object(_)));
    });
}

/// A server that takes a request and says nothing.
#[test]
fn a_watch_does_not_wait_for_ever() {
    let server = server();
    let client = client_for(&server.kubeconfig(), 1).unwrap();
    server.fault_times("/apis/lca.openshift.io", Fault::Slow, 2);
    block_on(async {
        let mut watch = client.watch(GENERATORS, "seedimage");
        let (seen, failures) = state(&mut watch).await;
        assert_eq!(seen, Seen::Absent);
        assert!(
            failures.len() >= 2 && failures.iter().all(|f| *f == Reason::Slow(1)),
            "{failures:?}"
        );
    });
}

/// Where one may read but not watch, reading goes on.
#[test]
fn a_watch_that_is_forbidden_is_read_again_and_again() {
    let server = server();
    let client = client(&server);
    block_on(async {
        let mut watch = client.watch(GENERATORS, "seedimage");
        assert_eq!(state(&mut watch).await.0, Seen::Absent);
        // Every second request is a watch.
        for number in 1..=2 {
            server.fault_times(GENERATORS, Fault::Status(403, "cannot watch"), 1);
            let put = server.put(GENERATOR, &json!({"apiVersion": "lca.openshift.io/v1", "kind": "SeedGenerator",
                "metadata": {"name": "seedimage"}, "spec": {"seedImage": "quay.io/a:1"}, "status": {"observedGeneration": number}}));
            let (seen, failures) = state(&mut watch).await;
            assert_eq!(seen, Seen::Object(put));
            assert!(
                matches!(&failures[..], [Reason::Forbidden(_)]),
                "{failures:?}"
            );
        }
    });
}
