//! `seed create` and `seed status`: the whole generation, its ways to fail, and a program that is killed at every step.

use serde_json::{Value, json};
use snoforge::seed::facts::paths;

use crate::apiserver::Fault;
use crate::facts::{PASSWORD, base64};
use crate::lab::{GENERATOR, GENERATORS, Lab, SANITIZED, SECRET, SECRETS, failed, step};
use crate::{run, shared};

/// Nothing that was read or applied is said anywhere.
fn no_secret(texts: &[&str]) {
    for text in texts {
        for secret in [PASSWORD, &base64(b"user:hunter2")] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

/// The imaging: Secret and SeedGenerator go, the API is refused, the image comes, the API comes back with another certificate,
/// without the group, and at last with a restored SeedGenerator.
fn image(lab: &Lab, process: &mut crate::lab::Process<'_>, push: bool) {
    let object = lab.cleans();
    process.until("deleted", |lab| lab.state("deleted") == json!(true));
    lab.server.close();
    if push {
        lab.pushes();
        process.until("the image", |lab| lab.state("image").is_string());
    }
    lab.server.fault(
        "/apis/lca.openshift.io",
        Fault::Status(404, "the server could not find the requested resource"),
    );
    lab.server.open();
    let asked = lab.asked(&format!("GET {GENERATORS}?"));
    process.until("a look", |lab| {
        lab.asked(&format!("GET {GENERATORS}?")) > asked
    });
    lab.server.heal();
    lab.server.renew_certificate();
    restore(lab, object);
}

/// As lifecycle-agent restores it: without status for an instant, then as it was.
fn restore(lab: &Lab, object: Value) {
    let mut object = object;
    let status = object.as_object_mut().unwrap().remove("status").unwrap();
    lab.server.put(GENERATOR, &object);
    lab.says(&status["conditions"]);
}

#[test]
fn a_generation_from_start_to_end() {
    let Some(lab) = Lab::new() else { return };
    let Some(list) = shared("data/seed-image/golden/status/seedgen-transitions.derived.json")
    else {
        return;
    };
    let list: Value = serde_json::from_slice(&fs_err::read(list).unwrap()).unwrap();
    let conditions = |begin: &str| {
        let steps = list["steps"].as_array().unwrap().iter();
        let found = steps.filter(|s| s["step"].as_str().unwrap().starts_with(begin));
        found.map(|s| s["conditions"].clone()).collect::<Vec<_>>()
    };
    let before = lab.server.object(paths::PULL_SECRET).unwrap();
    let mut process = lab.start(&lab.create());
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    assert_eq!(
        lab.server.object(GENERATOR).unwrap()["spec"]["seedImage"],
        *lab.image
    );
    let secret = lab.server.object(SECRET).unwrap();
    assert_eq!(secret["type"], "Opaque");
    let auth = fs_err::read(lab.path("auth.json")).unwrap();
    assert_eq!(secret["data"], json!({"seedAuth": base64(&auth)}));
    let first = lab.state("uid");
    for (n, conditions) in (1..).zip(conditions("in-progress: ")) {
        lab.says(&conditions);
        process.knows(n);
    }
    image(&lab, &mut process, true);
    process.until("the other uid", |lab| lab.state("uid") != first);
    lab.says(&conditions("after API returns")[0]);
    process.knows(8);
    lab.says(&conditions("completed")[0]);
    let run = process.end().expect(0);
    let document = run.json();
    assert_eq!(document["verdict"], "completed");
    assert_eq!(document["image"]["info"]["cluster_name"], "mysno");
    assert_eq!(document["findings"], json!([]));
    assert_eq!(document["warnings"], json!([]));
    let mut said = Vec::new();
    for n in 1..=9 {
        let place = run.stderr.find(&format!("step {n}/9 "));
        said.push(place.unwrap_or_else(|| panic!("step {n}: {}", run.stderr)));
    }
    assert!(said.is_sorted(), "{}", run.stderr);
    for part in [
        "the SeedGenerator is gone",
        "the cluster does not answer",
        "back under a new uid",
        "a new seed image",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    // What was kept is for the owner only, and holds no more than it must.
    let state = fs_err::read_to_string(lab.path("seed-create.json")).unwrap();
    no_secret(&[&run.stdout, &run.stderr, &state]);
    for (name, bytes) in [
        ("seed-create.json", None),
        (
            "pull-secret-backup.json",
            before["data"][".dockerconfigjson"].as_str(),
        ),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs_err::metadata(lab.path(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let kept = base64(&fs_err::read(lab.path(name)).unwrap());
        assert!(bytes.is_none_or(|bytes| bytes == kept), "{name}");
    }
    // The status is told again without the cluster, and by a cluster without a state file.
    let again = lab.run(&lab.status()).expect(0).json();
    assert_eq!(again["verdict"], "completed");
    fs_err::remove_file(lab.path("seed-create.json")).unwrap();
    let bare = lab.run(&lab.status()).expect(0).json();
    assert_eq!(
        (&bare["verdict"], &bare["state"]),
        (&json!("completed"), &Value::Null)
    );
    assert_eq!(lab.asked("POST "), 2, "{:?}", lab.server.seen());
}

#[test]
fn killed_at_every_step_it_goes_on_and_applies_nothing_twice() {
    let Some(lab) = Lab::new() else { return };
    let status = [lab.status(), vec!["--watch".to_owned()]].concat();
    let create = lab.create();
    let mut process = lab.start(&create);
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    for n in 0..=7 {
        if n > 0 {
            lab.says(&step(n));
            process.knows(n);
        }
        process.kill();
        // `create` goes on as `status --watch` does.
        process = lab.start(if n % 2 == 0 { &status } else { &create });
    }
    let object = lab.cleans();
    process.until("deleted", |lab| lab.state("deleted") == json!(true));
    process.kill();
    lab.server.close();
    process = lab.start(&status);
    process.says("the cluster does not answer, as it does during the imaging: no connection: ");
    process.kill();
    lab.server.open();
    // Everything that an API server says before it is one again.
    for (fault, said) in [
        (Fault::Status(401, ""), "401 Unauthorized"),
        (Fault::Status(403, "forbidden"), "403 Forbidden"),
        (
            Fault::Status(404, "the server could not find the requested resource"),
            "404 Not Found",
        ),
        (
            Fault::Status(429, "too many requests"),
            "429 Too Many Requests",
        ),
        (
            Fault::Status(500, "etcdserver: leader changed"),
            "500 Internal Server Error",
        ),
        (Fault::Status(503, "starting"), "503 Service Unavailable"),
        (Fault::Cut, "the answer was cut"),
        (Fault::Garbage, "the answer is no JSON object"),
    ] {
        lab.server.fault("/", fault);
        process = lab.start(&status);
        process.says(said);
        process.kill();
        lab.server.heal();
    }
    lab.server.change_certificate();
    process = lab.start(&status);
    process.says("the cluster does not answer, as it does during the imaging: TLS: ");
    process.kill();
    lab.server.renew_certificate();
    process = lab.start(&status);
    process.says("the SeedGenerator is not restored yet");
    process.kill();
    lab.server.close();
    process = lab.start(&create);
    lab.pushes();
    process.until("the image", |lab| lab.state("image").is_string());
    process.kill();
    lab.server.open();
    let first = lab.state("uid");
    process = lab.start(&status);
    restore(&lab, object);
    process.until("the other uid", |lab| lab.state("uid") != first);
    process.kill();
    process = lab.start(&create);
    lab.says(&step(8));
    process.knows(8);
    process.kill();
    // It ends while nobody looks.
    lab.says(&step(9));
    let run = lab.start(&status).end().expect(0);
    assert_eq!(run.json()["verdict"], "completed");
    assert_eq!(run.json()["warnings"], json!([]));
    let posts = [format!("POST {SECRETS}?"), format!("POST {GENERATORS}?")];
    assert_eq!(
        posts.map(|post| lab.asked(&post)),
        [1, 1],
        "{:?}",
        lab.server.seen()
    );
}

#[test]
fn killed_between_intent_and_creation_it_asks_the_cluster() {
    let Some(lab) = Lab::new() else { return };
    let mut process = lab.start(&lab.create());
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    process.kill();
    // Created, but killed before the uid was written.
    lab.set_state("uid", Value::Null);
    let status = lab.run(&lab.status()).expect(0).json();
    assert_eq!(status["verdict"], "going-on");
    assert_eq!(
        lab.state("uid"),
        lab.server.object(GENERATOR).unwrap()["metadata"]["uid"]
    );
    // Never created: the Secret is there alone.
    lab.set_state("uid", Value::Null);
    lab.set_state("step", json!(0));
    lab.server.remove(GENERATOR);
    let run = lab.run(&lab.status()).expect(8);
    assert!(run.stderr.contains("was not created yet"), "{}", run.stderr);
    assert_eq!(lab.state("applied"), Value::Null);
    let mut process = lab.start(&lab.create());
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    process.kill();
    // Created and deleted for the imaging already: neither is there.
    lab.set_state("uid", Value::Null);
    let object = lab.cleans();
    let mut process = lab.start(&[lab.status(), vec!["--watch".to_owned()]].concat());
    process.until("deleted", |lab| lab.state("deleted") == json!(true));
    lab.pushes();
    let mut object = object;
    object["status"] = json!({"conditions": step(9)});
    lab.server.put(GENERATOR, &object);
    assert_eq!(process.end().expect(0).json()["verdict"], "completed");
    assert_eq!(lab.asked(&format!("POST {GENERATORS}?")), 2);
}

#[test]
fn every_failure_is_told_and_the_next_run_takes_the_old_one_away() {
    let Some(lab) = Lab::new() else { return };
    for (n, text) in [
        (
            1,
            "Rejected: Cluster must not have any Persistent Volumes configured",
        ),
        (
            2,
            "failed to wipe previous workspace: remove /var/tmp/backup: device or resource busy",
        ),
        (
            4,
            "failed to pull recert image: failed to pull recertImage (quay.io/x/recert:v0)",
        ),
        (
            5,
            "could not access secret seedgen in openshift-lifecycle-agent: not found",
        ),
        (5, "could not find seedAuth in seedgen secret"),
        (5, "could not access pull-secret: not found"),
        (
            6,
            "failed to cleanup resources: timed out waiting for ACM CRD deletion",
        ),
        (
            6,
            "failed to cleanup resources: timed out waiting for ACM namespace deletion",
        ),
        (6, "failed to cleanup Succeeded pods: conflict"),
        (6, "failed to cleanup Failed pods: conflict"),
        (
            6,
            "failed sanitizing cluster's pull-secret: timed out waiting for MCO to override pull-secret file",
        ),
        (6, "failed to cleanup old machine configs: conflict"),
        (
            7,
            "imager failed: failed to run imager container: exit status 125",
        ),
        (7, "unexpected return from launching imager container"),
        (
            8,
            "Seed generation failed: imager container status check failed: expected container status exited, found: running",
        ),
        (
            8,
            "Seed generation failed: imager container status check failed: expected container exit code 0, found: 1",
        ),
    ] {
        let old = lab
            .server
            .object(GENERATOR)
            .map(|o| o["metadata"]["uid"].clone());
        let mut process = lab.start(&lab.create());
        process.until("a SeedGenerator of its own", |lab| {
            let uid = lab.state("uid");
            uid.is_string() && Some(&uid) != old.as_ref()
        });
        lab.says(&step(n));
        process.knows(n);
        lab.says(&failed(text));
        let run = process.end().expect(5);
        let document = run.json();
        let bare = text
            .strip_prefix("Seed generation failed: ")
            .unwrap_or(text);
        assert_eq!(
            (&document["verdict"], &document["reason"]),
            (&json!("failed"), &json!(bare))
        );
        assert!(run.stderr.contains("\nhint: "), "{}", run.stderr);
        // The column that people look at still says that it is going on.
        let object = lab.server.object(GENERATOR).unwrap();
        let last = object["status"]["conditions"]
            .as_array()
            .unwrap()
            .last()
            .unwrap();
        assert_eq!(last["type"], "SeedGenInProgress");
        assert_eq!(lab.run(&lab.status()).expect(5).json()["verdict"], "failed");
    }
    // A run of another tool is not taken away while it runs, nor when its end is of a file that is not ours.
    fs_err::remove_file(lab.path("seed-create.json")).unwrap();
    lab.says(&step(3));
    let posts = lab.asked("POST ");
    let run = lab.run(&lab.create()).expect(7);
    assert!(run.stdout.contains("a run is under way"), "{}", run.stdout);
    assert_eq!(lab.asked("POST "), posts);
    // One that completed is.
    lab.says(&step(9));
    let mut process = lab.start(&lab.create());
    process.until("a SeedGenerator of its own", |lab| {
        lab.state("uid").is_string()
    });
    process.kill();
}

#[test]
fn an_image_that_is_published_is_not_a_failure() {
    let Some(lab) = Lab::new() else { return };
    let mut process = lab.start(&lab.create());
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    lab.says(&step(7));
    process.knows(7);
    lab.server.put(paths::PULL_SECRET, &pull_secret(SANITIZED));
    // The registry is only looked at when the failure is seen: the image is there nevertheless.
    let object = lab.cleans();
    process.until("deleted", |lab| lab.state("deleted") == json!(true));
    process.kill();
    lab.pushes();
    restore(&lab, object);
    lab.says(&failed("Seed generation failed: imager container status check failed: expected container exit code 0, found: 1"));
    let watch = [lab.status(), vec!["--watch".to_owned()]].concat();
    let run = lab.run(&watch).expect(8);
    let document = run.json();
    assert_eq!(document["verdict"], "image-published-seed-not-recovered");
    assert_eq!(document["image"]["info"]["cluster_name"], "mysno");
    assert!(run.stderr.contains("restore-pull-secret"), "{}", run.stderr);
    no_secret(&[&run.stdout, &run.stderr]);
}

#[test]
fn a_cluster_that_never_comes_back_passes_a_deadline() {
    let Some(lab) = Lab::new() else { return };
    let short = ["--return-timeout".to_owned(), "3s".to_owned()];
    let mut process = lab.start(&[lab.create(), short.to_vec()].concat());
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    lab.says(&step(7));
    process.knows(7);
    let object = lab.cleans();
    lab.server.close();
    let run = process.end().expect(5);
    let document = run.json();
    assert_eq!(
        (&document["verdict"], &document["deadline"]),
        (&json!("deadline-passed"), &json!("return"))
    );
    assert!(
        run.stderr
            .contains("seed status --watch --state seed-create.json"),
        "{}",
        run.stderr
    );
    // Published in the meantime: another verdict, and still not the last word.
    lab.pushes();
    let watch = [lab.status(), short.to_vec(), vec!["--watch".to_owned()]].concat();
    let run = lab.run(&watch).expect(8);
    assert_eq!(run.json()["verdict"], "image-published-seed-not-recovered");
    assert_eq!(lab.state("ended"), Value::Null);
    lab.server.open();
    restore(&lab, object);
    lab.says(&step(9));
    assert_eq!(lab.run(&watch).expect(0).json()["verdict"], "completed");
}

#[test]
fn other_deadlines_pass_too_and_the_run_goes_on() {
    let Some(lab) = Lab::new() else { return };
    let with = |args: Vec<String>, more: &[&str]| {
        let more = more.iter().map(|s| (*s).to_owned());
        args.into_iter().chain(more).collect::<Vec<_>>()
    };
    let passed = |run: crate::Run, deadline: &str| {
        let document = run.expect(5).json();
        assert_eq!(document["deadline"], deadline, "{document}");
        assert_eq!(lab.state("ended"), Value::Null);
    };
    // Away before anything can be imaged.
    let mut process = lab.start(&with(lab.create(), &["--return-timeout", "2s"]));
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    lab.says(&step(3));
    process.knows(3);
    lab.server.close();
    passed(process.end(), "unreachable");
    lab.server.open();
    lab.says(&step(2));
    let run = lab.run(&with(lab.status(), &["--watch", "--health-timeout", "1s"]));
    assert!(
        run.stderr
            .contains("restarted at step 3 and is at step 2 again"),
        "{}",
        run.stderr
    );
    passed(run, "health");
    lab.says(&step(3));
    let mut short = with(lab.status(), &["--watch"]);
    let total = short.iter().position(|a| a == "--timeout").unwrap() + 1;
    short[total] = "1s".to_owned();
    passed(lab.run(&short), "total");
    // A short absence is none.
    let mut process = lab.start(&lab.create());
    lab.says(&step(4));
    process.knows(4);
    lab.server.close();
    process.says("the cluster does not answer: ");
    lab.server.open();
    process.says("the cluster answers again");
    // A registry that is away is said once.
    drop(process);
    let mut object = lab.cleans();
    object["spec"]["seedImage"] = "127.0.0.1:1/sno1/seed:1".into();
    lab.set_state("seedImage", object["spec"]["seedImage"].clone());
    lab.server.put(GENERATOR, &object);
    let mut process = lab.start(&with(lab.status(), &["--watch"]));
    process.says("warning: registry: ");
    drop(process);
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let Some(lab) = Lab::new() else { return };
    let mut process = lab.start(&lab.create());
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    lab.says(&step(3));
    process.knows(3);
    process.interrupt();
    let run = process.end().expect(130);
    assert!(
        run.stderr.contains("interrupted at step 3 of 9"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("seed status --watch --state seed-create.json"),
        "{}",
        run.stderr
    );
    let document = lab.run(&lab.status()).expect(0).json();
    assert_eq!(
        (&document["verdict"], &document["step"]),
        (&json!("going-on"), &json!(3))
    );
    // Lifecycle-agent says completed, and the tag names nothing, or what it named before.
    lab.says(&step(9));
    let run = lab.run(&lab.create()).expect(5);
    assert_eq!(run.json()["verdict"], "completed");
    assert!(run.stderr.contains("not found"), "{}", run.stderr);
    lab.pushes();
    let mut process = lab.start(&lab.create());
    process.until("a run of its own", |lab| {
        lab.state("oldDigest").is_string() && lab.state("uid").is_string()
    });
    lab.says(&step(9));
    let run = process.end().expect(7);
    assert!(run.stdout.contains("the tag still names"), "{}", run.stdout);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_applied() {
    let Some(lab) = Lab::new() else { return };
    let refused = |args: &[String], code: i32, said: &str| {
        let run = lab.run(args).expect(code);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(text.contains(said), "{said}: {text}");
        no_secret(&[&text]);
        let writes = ["POST ", "PUT ", "PATCH ", "DELETE "].map(|verb| lab.asked(verb));
        assert_eq!(writes, [0; 4], "{said}");
        assert_eq!(lab.state("format"), Value::Null, "{said}");
    };
    let with = |more: &[&str]| {
        let more = more.iter().map(|s| (*s).to_owned());
        lab.create().into_iter().chain(more).collect::<Vec<_>>()
    };
    // A token is refused before the cluster is asked anything.
    let certificate = lab.server.kubeconfig();
    let mut token = certificate.clone();
    token["users"][0]["user"] = json!({"token": "t"});
    lab.write("kubeconfig", &token);
    refused(
        &lab.create(),
        2,
        "its user has no client certificate: the imaging gives the cluster new keys",
    );
    assert_eq!(lab.server.seen(), Vec::<String>::new());
    lab.write("kubeconfig", &certificate);
    let image = |image: &str| {
        let args = lab.create().into_iter();
        args.map(|a| if a == lab.image { image.to_owned() } else { a })
            .collect::<Vec<_>>()
    };
    refused(&image("https://quay.io/a/seed:t"), 2, "seed-image");
    refused(&image("quay.io/a/seed"), 2, "seed-image");
    refused(&image("quay.io/a/seed:t"), 2, "no entry for quay.io");
    refused(
        &with(&["--health-timeout", "60"]),
        2,
        "a time such as 90s, 60m or 2h",
    );
    let no_yes: Vec<_> = lab.create().into_iter().filter(|a| a != "--yes").collect();
    refused(&no_yes, 2, "no terminal to ask on");
    refused(&with(&["--dry-run"]), 0, "seedImage: ");
    // Values from a file, with the credentials beside it; a flag beats it.
    fs_err::create_dir(lab.path("site")).unwrap();
    fs_err::copy(lab.path("auth.json"), lab.path("site/push.json")).unwrap();
    let seed = "apiVersion: snoforge.io/v1\nkind: Seed\nimage: {seedImage: quay.io/a/seed:1, authfile: push.json}\n";
    fs_err::write(lab.path("site/seed.yaml"), seed).unwrap();
    let flags = ["--authfile", "auth.json"];
    let mut file: Vec<_> = with(&["--dry-run", "-c", "site/seed.yaml"]);
    file.retain(|a| !flags.contains(&a.as_str()));
    refused(&file, 0, "seedImage: ");
    file.retain(|a| *a != lab.image && a != "--seed-image");
    refused(&file, 2, "site/seed.yaml:3:");
    lab.login("wrong");
    refused(&lab.create(), 5, "access refused");
    lab.login("hunter2");
    lab.write("pull-secret-backup.json", &json!({"auths": {}}));
    refused(&lab.create(), 2, "is not the cluster's pull secret");
    fs_err::remove_file(lab.path("pull-secret-backup.json")).unwrap();
    lab.server
        .fault(paths::VOLUMES, Fault::Status(403, "forbidden"));
    refused(&lab.create(), 7, "it could not be read: 403 Forbidden");
    lab.server.heal();
    let none = lab.run(&lab.status()).expect(0).json();
    assert_eq!(none, json!({"verdict": "none"}));
    // A state file of another cluster or image.
    let mut process = lab.start(&lab.create());
    process.until("the SeedGenerator", |lab| lab.state("uid").is_string());
    process.kill();
    let run = lab
        .run(&image(&lab.image.replace("4.18.27", "other")))
        .expect(2);
    assert!(run.stderr.contains("it is of image "), "{}", run.stderr);
    lab.set_state("server", json!("https://elsewhere:6443"));
    for args in [lab.create(), lab.status()] {
        let run = lab.run(&args).expect(2);
        assert!(
            run.stderr
                .contains("it is of cluster https://elsewhere:6443"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(lab.asked("POST "), 2);
}

fn pull_secret(text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull-secret", "namespace": "openshift-config"},
        "data": {".dockerconfigjson": base64(text.as_bytes())}})
}

#[test]
fn the_saved_pull_secret_is_put_back() {
    let server = crate::apiserver::ApiServer::mutual_tls();
    let home = tempfile::tempdir().unwrap();
    fs_err::write(
        home.path().join("kubeconfig"),
        server.kubeconfig().to_string(),
    )
    .unwrap();
    let saved = format!(r#"{{"auths":{{"quay.io":{{"auth":"{PASSWORD}"}}}}}}"#);
    fs_err::write(home.path().join("saved.json"), &saved).unwrap();
    let restore = |file: &str, more: &[&str], code: i32| {
        let args = [
            "seed",
            "restore-pull-secret",
            "--kubeconfig",
            "kubeconfig",
            "--output",
            "json",
            file,
        ];
        let run = run(home.path(), &[&args, more].concat()).expect(code);
        assert!(!run.stdout.contains(PASSWORD) && !run.stderr.contains(PASSWORD));
        run
    };
    let now = || server.object(paths::PULL_SECRET).unwrap()["data"][".dockerconfigjson"].clone();
    restore("saved.json", &[], 5);
    server.put(paths::PULL_SECRET, &pull_secret(SANITIZED));
    for (name, text) in [
        ("other.json", PASSWORD),
        ("none.json", "{}"),
        ("substitute.json", SANITIZED),
    ] {
        fs_err::write(home.path().join(name), text).unwrap();
        restore(name, &[], 2);
    }
    assert_eq!(
        restore("saved.json", &["--dry-run"], 0).json()["restored"],
        false
    );
    assert_eq!(now(), base64(SANITIZED.as_bytes()));
    assert_eq!(restore("saved.json", &[], 0).json()["restored"], true);
    assert_eq!(now(), base64(saved.as_bytes()));
    assert_eq!(restore("saved.json", &[], 0).json()["was_in_place"], true);
    // Somebody's own is kept unless they say so.
    server.put(paths::PULL_SECRET, &pull_secret(r#"{"auths":{}}"#));
    restore("saved.json", &[], 2);
    restore("saved.json", &["--yes"], 0);
    assert_eq!(now(), base64(saved.as_bytes()));
}
