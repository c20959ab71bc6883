//! The cluster room against an API server of ours.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first broken invariant"
)]

#[path = "support/apiserver/mod.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod apiserver;
#[path = "support/schema.rs"]
#[allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses another part"
)]
mod schema;

use std::path::{Path, PathBuf};
use std::time::Duration;

use apiserver::{ApiServer, End, Fault};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use snoforge::cluster::{Client, Error, Got, Kubeconfig, Reason, Seen};

const GENERATORS: &str = "/apis/lca.openshift.io/v1/seedgenerators";
const GENERATOR: &str = "/apis/lca.openshift.io/v1/seedgenerators/seedimage";
const SECRETS: &str = "/api/v1/namespaces/openshift-lifecycle-agent/secrets";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

fn crd(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/seed/crds")
        .join(name)
}

/// A server with TLS that knows SeedGenerators.
fn server() -> ApiServer {
    let server = ApiServer::mutual_tls();
    server.crd(&crd("lca.openshift.io_seedgenerators.yaml"));
    server
}

fn client_for(kubeconfig: &Value, timeout_secs: u64) -> Result<Client, Error> {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kubeconfig");
    fs_err::write(&path, kubeconfig.to_string()).unwrap();
    Client::new(&Kubeconfig::load(&path)?, timeout_secs)
}

fn client(server: &ApiServer) -> Client {
    client_for(&server.kubeconfig(), 60).unwrap()
}

fn generator(image: &str) -> Value {
    json!({"apiVersion": "lca.openshift.io/v1", "kind": "SeedGenerator", "metadata": {"name": "seedimage"},
        "spec": {"seedImage": image}})
}

fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "data": {"seedAuth": "e30="}})
}

#[track_caller]
fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Reason {
    match result {
        Err(Error::Request { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// The next item, however long it takes; a test that waits for ever is ended by this.
async fn next(watch: &mut BoxStream<'static, Result<Seen, Error>>) -> Result<Seen, Error> {
    let item = tokio::time::timeout(Duration::from_secs(120), watch.next());
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

#[test]
fn objects_are_made_read_changed_and_deleted() {
    let server = server();
    let client = client(&server);
    block_on(async {
        assert_eq!(client.get(GENERATOR).await.unwrap(), Got::Absent);
        let made = client
            .create(GENERATORS, &generator("quay.io/a:1"))
            .await
            .unwrap();
        assert_eq!(made["metadata"]["generation"], 1);
        let uid = made["metadata"]["uid"].as_str().unwrap();
        assert_eq!(
            client.get(GENERATOR).await.unwrap(),
            Got::Object(made.clone())
        );
        let again = reason(client.create(GENERATORS, &generator("quay.io/a:1")).await);
        assert!(
            matches!(&again, Reason::Conflict(said) if said.contains("already exists")),
            "{again}"
        );

        let marks = json!({"metadata": {"labels": {"a": "b"}}});
        let marked = client.patch(GENERATOR, &marks).await.unwrap();
        assert_eq!(marked["metadata"]["labels"]["a"], "b");
        assert_eq!(marked["spec"], made["spec"]);
        // What was read before the change is old.
        let old = reason(client.replace(GENERATOR, &made).await);
        assert!(
            matches!(&old, Reason::Conflict(said) if said.contains("has been modified")),
            "{old}"
        );
        let mut bare = marked.clone();
        bare["metadata"] =
            json!({"name": "seedimage", "resourceVersion": marked["metadata"]["resourceVersion"]});
        let replaced = client.replace(GENERATOR, &bare).await.unwrap();
        assert_eq!(replaced["metadata"]["labels"], Value::Null);

        let other = reason(client.delete(GENERATOR, Some("other")).await);
        assert!(
            matches!(&other, Reason::Conflict(said) if said.contains("UID in precondition")),
            "{other}"
        );
        assert!(client.delete(GENERATOR, Some(uid)).await.unwrap());
        assert!(!client.delete(GENERATOR, None).await.unwrap());

        let path = format!("{SECRETS}/seedgen");
        let first = client.apply(&path, &secret("seedgen")).await.unwrap();
        let second = client.apply(&path, &secret("seedgen")).await.unwrap();
        assert_eq!(first, second);
        assert_eq!(first["metadata"]["namespace"], "openshift-lifecycle-agent");
    });
    let seen = server.seen();
    assert!(
        seen.iter()
            .any(|line| line.starts_with("PATCH ") && line.contains("fieldManager=snoforge")),
        "{seen:?}"
    );
}

#[test]
fn what_schema_and_rules_refuse_is_told_in_the_servers_words() {
    let server = server();
    let client = client(&server);
    block_on(async {
        let mut wrong = generator("quay.io/a:1");
        wrong["metadata"]["name"] = "other".into();
        for (object, words) in [
            (
                wrong,
                "seedgen is a singleton, metadata.name must be 'seedimage'",
            ),
            (generator(""), ".spec.seedImage: 0 is below minLength"),
        ] {
            let said = reason(client.create(GENERATORS, &object).await);
            assert!(
                matches!(&said, Reason::Invalid(said) if said.starts_with("422 ") && said.contains(words)),
                "{said}"
            );
        }
        client
            .create(GENERATORS, &generator("quay.io/a:1"))
            .await
            .unwrap();
        let changed = json!({"spec": {"seedImage": "quay.io/b:1"}});
        let said = reason(client.patch(GENERATOR, &changed).await);
        assert!(
            said.to_string()
                .contains("cannot modify spec, cr must be deleted and recreated"),
            "{said}"
        );
        // The status is a subresource: whoever writes the object cannot write it.
        let status = json!({"status": {"observedGeneration": 7}});
        let same = client.patch(GENERATOR, &status).await.unwrap();
        assert_eq!(same.get("status"), None);
        // Another kind than the path's.
        let said = reason(client.create(SECRETS, &generator("quay.io/a:1")).await);
        assert!(matches!(&said, Reason::Invalid(_)), "{said}");
    });
}

#[test]
fn lists_come_in_pages_and_an_expired_one_is_read_once_more() {
    let server = server();
    let client = client(&server);
    for number in 0..1203 {
        let name = format!("s{number:04}");
        server.put(&format!("{SECRETS}/{name}"), &secret(&name));
    }
    block_on(async {
        let all = |got: Got| match got {
            Got::Items(items) => items.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(all(client.get(SECRETS).await.unwrap()), 1203);
        assert_eq!(server.seen().len(), 3);
        // All namespaces, and none.
        assert_eq!(all(client.get("/api/v1/secrets").await.unwrap()), 1203);
        assert_eq!(
            all(client.get("/api/v1/namespaces/x/secrets").await.unwrap()),
            0
        );
        server.fault_times(SECRETS, Fault::ExpiredPage, 1);
        assert_eq!(all(client.get(SECRETS).await.unwrap()), 1203);
        server.fault_times(SECRETS, Fault::ExpiredPage, 2);
        assert!(matches!(
            reason(client.get(SECRETS).await),
            Reason::Expired(_)
        ));
    });
}

#[test]
fn each_fault_is_a_reason_of_its_own() {
    let server = server();
    let kubeconfig = server.kubeconfig();
    let hurried = client_for(&kubeconfig, 1).unwrap();
    let client = client_for(&kubeconfig, 60).unwrap();
    let group = "/apis/lca.openshift.io";
    let check = |fault: Fault, test: fn(&Reason) -> bool, general: bool| {
        server.fault(group, fault);
        let told = block_on(async {
            let client = if fault == Fault::Slow {
                &hurried
            } else {
                &client
            };
            reason(client.create(GENERATORS, &generator("quay.io/a:1")).await)
        });
        assert!(test(&told), "{fault:?}: {told:?}");
        assert_eq!(told.is_general(), general, "{told:?}");
        server.heal();
    };
    check(Fault::Status(401, ""), |r| *r == Reason::Unauthorized, true);
    check(
        Fault::Status(403, "forbidden"),
        |r| matches!(r, Reason::Forbidden(t) if t == "403 Forbidden: forbidden"),
        false,
    );
    check(
        Fault::Status(404, ""),
        |r| matches!(r, Reason::Absent(_)),
        false,
    );
    for code in [429, 500, 502, 503, 504] {
        check(
            Fault::Status(code, ""),
            |r| matches!(r, Reason::Busy(_)) && r.may_pass(),
            false,
        );
    }
    check(Fault::Elsewhere, |r| matches!(r, Reason::Status(_)), false);
    check(Fault::Slow, |r| *r == Reason::Slow(1), false);
    check(
        Fault::Cut,
        |r| matches!(r, Reason::Answer(t) if t.contains("cut")),
        false,
    );
    check(Fault::Garbage, |r| matches!(r, Reason::Answer(_)), false);
    // A group that is away is no error to a reader.
    server.fault(group, Fault::Status(404, ""));
    assert_eq!(block_on(client.get(GENERATORS)).unwrap(), Got::Absent);
    server.heal();
    server.close();
    let refused = block_on(async { reason(client.get(GENERATORS).await) });
    assert!(
        matches!(&refused, Reason::Connect(t) if t == "connection refused"),
        "{refused:?}"
    );
    server.open();
    assert_eq!(
        block_on(client.get(GENERATORS)).unwrap(),
        Got::Items(Vec::new())
    );
    server.change_certificate();
    let other = block_on(async { reason(client.get(GENERATORS).await) });
    assert!(matches!(&other, Reason::Tls(_)), "{other:?}");
    assert!(!other.may_pass() && other.is_general());
}

#[test]
fn the_right_certificate_of_client_and_server_is_needed() {
    let server = server();
    let good = server.kubeconfig();
    let ask = |kubeconfig: &Value| {
        let client = client_for(kubeconfig, 60).unwrap();
        block_on(async move { client.get(GENERATORS).await })
    };
    assert_eq!(ask(&good).unwrap(), Got::Items(Vec::new()));
    // Somebody else's.
    let mut strange = good.clone();
    strange["users"][0]["user"] = ApiServer::mutual_tls().kubeconfig()["users"][0]["user"].clone();
    let told = reason(ask(&strange));
    assert!(matches!(told, Reason::Tls(_)), "{told:?}");
    // None.
    let mut none = good.clone();
    none["users"][0]["user"] = json!({"token": "t"});
    assert_eq!(reason(ask(&none)), Reason::Unauthorized);
    // A server that is not the cluster's, and one that nobody checks.
    let ca = ApiServer::mutual_tls().kubeconfig()["clusters"][0]["cluster"]["certificate-authority-data"].clone();
    let mut other = good.clone();
    other["clusters"][0]["cluster"]["certificate-authority-data"] = ca;
    let told = reason(ask(&other));
    assert!(
        matches!(&told, Reason::Tls(text) if text.starts_with("invalid peer certificate")),
        "{told:?}"
    );
    let address = &good["clusters"][0]["cluster"]["server"];
    other["clusters"][0]["cluster"] = json!({"server": address, "insecure-skip-tls-verify": true});
    assert_eq!(ask(&other).unwrap(), Got::Items(Vec::new()));
}

#[test]
fn the_end_of_a_log_is_told() {
    let server = server();
    let pod = "/api/v1/namespaces/ns/pods/p";
    server.put(
        pod,
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}),
    );
    let text: String = (0..500).map(|n| format!("line {n}\n")).collect();
    server.log(pod, "manager", &text);
    let client = client(&server);
    block_on(async {
        let tail = client.log_tail(pod, "manager", 2).await.unwrap();
        assert_eq!(tail, "line 498\nline 499\n");
        let absent = client.log_tail("/api/v1/namespaces/ns/pods/q", "manager", 2);
        assert!(matches!(reason(absent.await), Reason::Absent(_)));
    });
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
        for (number, end) in [(2, End::Broken), (3, End::InEvent)] {
            let mut next = made.clone();
            next["status"] = json!({"observedGeneration": number});
            let next = server.put(GENERATOR, &next);
            // The watch is open when it has told this.
            assert_eq!(state(&mut watch).await, (Seen::Object(next), Vec::new()));
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
        // Another certificate, for ever: told each time.
        server.change_certificate();
        loop {
            if matches!(reason(next(&mut watch).await), Reason::Tls(_)) {
                break;
            }
        }
        assert!(matches!(reason(next(&mut watch).await), Reason::Tls(_)));
    });
}

#[test]
fn several_kubeconfigs_are_one_and_the_first_that_names_a_thing_counts() {
    let server = server();
    let whole = server.kubeconfig();
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        let path = home.path().join(name);
        fs_err::write(&path, value.to_string()).unwrap();
        path.display().to_string()
    };
    let names = write(
        "names",
        json!({"current-context": "admin", "contexts": whole["contexts"]}),
    );
    let cluster = write("cluster", json!({"clusters": whole["clusters"]}));
    let wrong = json!([{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]);
    let users = write("users", json!({"users": whole["users"], "clusters": wrong}));
    let missing = home.path().join("missing").display().to_string();
    let load = |files: &[&String]| {
        let joined: Vec<&str> = files.iter().map(|f| f.as_str()).collect();
        Kubeconfig::load(Path::new(&joined.join(":")))
    };
    let config = load(&[&names, &missing, &cluster, &users]).unwrap();
    assert!(config.has_client_certificate());
    let client = Client::new(&config, 60).unwrap();
    assert_eq!(
        block_on(client.get(GENERATORS)).unwrap(),
        Got::Items(Vec::new())
    );
    let told = load(&[&missing, &missing]).unwrap_err().to_string();
    assert!(told.ends_with("missing: no such file"), "{told}");
    let told = load(&[&names, &users]).unwrap();
    assert_eq!(told.server(), "https://127.0.0.1:1");
    let token = write(
        "token",
        json!({"current-context": "admin", "contexts": whole["contexts"],
        "clusters": whole["clusters"], "users": [{"name": "u", "user": {"token": "t"}}]}),
    );
    assert!(!load(&[&token]).unwrap().has_client_certificate());
}
