//! Objects and lists: made, read, changed, deleted, refused.

use serde_json::{Value, json};
use snoforge::cluster::{Got, Reason};

use crate::apiserver::Fault;
use crate::{GENERATOR, GENERATORS, SECRETS, block_on, client, generator, reason, secret, server};

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
fn the_end_of_a_log_is_told() {
    let server = server();
    let pod = "/api/v1/namespaces/ns/pods/p";
    server.put(
        pod,
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}),
    );
    let lines: Vec<String> = (0..500).map(|n| format!("line {n}")).collect();
    server.log(pod, "manager", &(lines.join("\n") + "\n"));
    let client = client(&server);
    block_on(async {
        let tail = client.log_tail(pod, "manager", 2).await.unwrap();
        assert_eq!(tail, "line 498\nline 499\n");
        let absent = client.log_tail("/api/v1/namespaces/ns/pods/q", "manager", 2);
        assert!(matches!(reason(absent.await), Reason::Absent(_)));
    });
}
