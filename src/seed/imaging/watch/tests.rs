use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::seed::imaging::advice;

const IMAGE: &str = "quay.io/org/seed:4.18.27";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
}

fn new() -> Digest {
    Digest::of(b"new")
}

fn state() -> State {
    State {
        server: "https://api.mysno:6443".to_owned(),
        seed_image: IMAGE.to_owned(),
        namespace: "openshift-lifecycle-agent".to_owned(),
        old_digest: Some(Digest::of(b"old")),
        applied: Some(at(0)),
        ..State::default()
    }
}

fn watch() -> Watch {
    Watch::new(state(), Limits::default(), at(0))
}

fn object(uid: &str, conditions: &Value) -> Event {
    Event::Object(
        json!({"metadata": {"uid": uid}, "spec": {"seedImage": IMAGE}, "status": {"conditions": conditions}}),
    )
}

fn running(uid: &str, message: &str) -> Event {
    let condition = json!({"type": "SeedGenInProgress", "status": "True", "reason": "InProgress", "message": message});
    object(uid, &json!([condition]))
}

/// As lifecycle-agent says it: the last condition is the one "in progress".
fn failed(uid: &str, text: &str) -> Event {
    object(
        uid,
        &json!([
            {"type": "SeedGenCompleted", "status": "False", "reason": "Failed", "message": format!("Seed generation failed: {text}")},
            {"type": "SeedGenInProgress", "status": "False", "reason": "Failed", "message": text},
        ]),
    )
}

fn completed(uid: &str) -> Event {
    object(
        uid,
        &json!([
            {"type": "SeedGenInProgress", "status": "False", "reason": "Completed", "message": "Seed Generation completed"},
            {"type": "SeedGenCompleted", "status": "True", "reason": "Completed", "message": "Seed Generation completed"},
        ]),
    )
}

fn refused() -> Event {
    Event::Lost("connection refused".to_owned())
}

fn image(good: bool) -> Event {
    Event::Image {
        digest: new(),
        good,
    }
}

/// Step `n` of the first SeedGenerator.
fn step(n: u8) -> Event {
    let messages = [
        "",
        "Waiting for system to stabilize",
        "Waiting for system to stabilize: one or more health checks failed: node",
        "Starting seed generation",
        "Pulling recert image",
        "Preparing for seed generation",
        "Cleaning cluster resources",
        "Launching imager container",
        "Finalizing seed generation",
    ];
    running("a", messages[usize::from(n)])
}

/// Plays events, one a minute; gives everything that was said.
fn play(watch: &mut Watch, events: &[Event]) -> Vec<String> {
    let mut said = Vec::new();
    for (minute, event) in (1..).zip(events) {
        for line in watch.take(event, at(minute)) {
            said.push(match line {
                Line::Say(text) => text,
                Line::Warn(text) => format!("warning: {text}"),
            });
        }
    }
    said
}

/// The list of transitions that the data folder holds, where it is.
fn transitions() -> Option<Vec<(String, Value)>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/seed-image/golden/status/seedgen-transitions.derived.json"
    );
    let Ok(text) = fs_err::read_to_string(path) else {
        #[expect(clippy::print_stderr, reason = "a test says why it did not run")]
        {
            eprintln!("skipped: {path} is not there");
        }
        return None;
    };
    let document: Value = serde_json::from_str(&text).unwrap();
    let steps = document["steps"].as_array().unwrap().iter();
    let pair = |s: &Value| {
        (
            s["step"].as_str().unwrap().to_owned(),
            s["conditions"].clone(),
        )
    };
    Some(steps.map(pair).collect())
}

#[test]
fn the_list_of_transitions_plays_from_start_to_end() {
    let Some(steps) = transitions() else { return };
    let mut watch = watch();
    let (mut events, mut ends) = (Vec::new(), Vec::new());
    for (name, conditions) in steps {
        match name.as_str() {
            "completed" => events.push(object("b", &conditions)),
            n if n.starts_with("failed") || n.starts_with("rejected") => {
                ends.push((name, conditions));
            }
            n if n.starts_with("after API returns") => {
                let silent = object("b", &Value::Null);
                events.extend([Event::Absent, refused(), image(true), Event::Absent, silent]);
                events.push(object("b", &conditions));
            }
            _ => events.push(object("a", &conditions)),
        }
    }
    let said = play(&mut watch, &events);
    assert_eq!(*watch.verdict(), Verdict::Completed);
    assert_eq!(watch.state().image, Some(new()));
    assert_eq!(watch.state().uid.as_deref(), Some("b"));
    let numbers: Vec<_> = said
        .iter()
        .filter_map(|l| l.strip_prefix("step ")?.split('/').next())
        .collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let others: Vec<_> = said.iter().filter(|l| !l.starts_with("step ")).collect();
    assert_eq!(others.len(), 5, "{others:?}");
    assert!(watch.state().warnings.is_empty());
    // The three ways to fail, from where they happen.
    assert_eq!(ends.len(), 3);
    for (name, conditions) in ends {
        let mut watch = self::watch();
        play(&mut watch, &[step(1), object("a", &conditions)]);
        let Verdict::Failed { reason } = watch.verdict() else {
            panic!("{name}: {:?}", watch.verdict())
        };
        assert!(!reason.contains("Seed generation failed"), "{reason}");
    }
}

#[test]
fn every_failure_text_fails_with_its_own_advice() {
    for text in [
        "Rejected: Cluster must be detached from hub prior to seed generation",
        "Rejected due to system missing dnsmasq config required for IBU",
        "Failure occurred during check for klusterlets CRD in system validation",
        "failed to wipe previous workspace: /var/tmp/backup: busy",
        "failed to pull recert image: failed to pull recertImage (quay.io/x/recert:v0)",
        "could not access secret seedgen in openshift-lifecycle-agent: not found",
        "could not find seedAuth in seedgen secret",
        "could not access pull-secret: not found",
        "failed to cleanup resources: timed out waiting for ACM CRD deletion",
        "failed to cleanup resources: timed out waiting for ACM namespace deletion",
        "failed to cleanup Succeeded pods: x",
        "failed to cleanup Failed pods: x",
        "failed sanitizing cluster's pull-secret: timed out waiting for MCO to override pull-secret file",
        "failed to cleanup old machine configs: x",
        "imager failed: failed to run imager container: exit status 1",
        "unexpected return from launching imager container",
        "Seed generation failed: imager container status check failed: expected container status exited, found: running",
        "Seed generation failed: imager container status check failed: expected container exit code 0, found: 1",
    ] {
        for at_step in 1..=8 {
            let mut watch = watch();
            let before: Vec<_> = (1..=at_step).map(step).collect();
            play(&mut watch, &before);
            play(&mut watch, &[failed("a", text)]);
            let bare = text
                .strip_prefix("Seed generation failed: ")
                .unwrap_or(text);
            let reason = bare.to_owned();
            assert_eq!(*watch.verdict(), Verdict::Failed { reason });
            assert_eq!(watch.state().message, bare);
            assert!(!advice(bare).is_empty());
        }
    }
    let other = "failed to cleanup Failed pods: x";
    assert!(advice(other).contains("the operator's pod"));
    for text in ["Rejected: x", "could not find seedAuth", "imager failed: x"] {
        assert_ne!(advice(text), advice(other));
    }
}

#[test]
fn an_image_that_is_there_is_not_a_failure() {
    let failure = failed(
        "b",
        "imager container status check failed: expected container exit code 0, found: 1",
    );
    let gone = [step(6), step(7), Event::Absent, refused()];
    let mut watch = self::watch();
    play(&mut watch, &gone);
    play(&mut watch, &[image(true), failure.clone()]);
    assert!(matches!(
        watch.verdict(),
        Verdict::ImagePublishedSeedNotRecovered { .. }
    ));
    assert!(watch.state().ended.is_some());
    // Labels of something else, the old image, and an image before there can be one of this run.
    let old = Event::Image {
        digest: Digest::of(b"old"),
        good: true,
    };
    for other in [image(false), old] {
        let mut watch = self::watch();
        play(&mut watch, &gone);
        play(&mut watch, &[other, failure.clone()]);
        assert!(matches!(watch.verdict(), Verdict::Failed { .. }));
    }
    let mut watch = self::watch();
    play(&mut watch, &[step(3), image(true), failed("a", "Rejected")]);
    assert!(matches!(watch.verdict(), Verdict::Failed { .. }));
}

#[test]
fn deadlines_pass_and_a_resumed_watch_gets_the_whole_time_again() {
    let away = |events: &[Event], minutes| {
        let mut watch = watch();
        play(&mut watch, events);
        watch.tick(at(minutes));
        watch
    };
    let table: [(&[Event], i64, i64, Deadline); 6] = [
        (&[object("a", &Value::Null)], 20, 21, Deadline::Health),
        (&[step(1), step(2)], 21, 22, Deadline::Health),
        (&[step(3), refused()], 7, 8, Deadline::Unreachable),
        (&[step(3), Event::Absent], 7, 8, Deadline::Unreachable),
        (
            &[step(7), Event::Absent, refused()],
            42,
            43,
            Deadline::Return,
        ),
        (&[step(7)], 60, 61, Deadline::Total),
    ];
    for (events, still, over, deadline) in table {
        assert_eq!(
            *away(events, still).verdict(),
            Verdict::GoingOn,
            "{deadline:?}"
        );
        let passed = away(events, over);
        assert_eq!(*passed.verdict(), Verdict::DeadlinePassed { deadline });
        assert_eq!(passed.state().ended, None);
        // Resumed at that moment, nothing has passed yet; blind, the cluster may be imaging.
        let mut resumed = Watch::new(passed.state().clone(), Limits::default(), at(over));
        resumed.take(&refused(), at(over + 39));
        assert_eq!(*resumed.verdict(), Verdict::GoingOn, "{deadline:?}");
        resumed.take(&completed("b"), at(over + 39));
        assert_eq!(*resumed.verdict(), Verdict::Completed);
    }
    let published = away(&[step(7), Event::Absent, image(true)], 43);
    assert!(matches!(
        published.verdict(),
        Verdict::ImagePublishedSeedNotRecovered { .. }
    ));
    assert_eq!(published.state().ended, None);
    // The same when it is only looked for after the deadline.
    let mut late = away(&[step(7), Event::Absent], 43);
    assert_eq!(late.take(&completed("b"), at(43)), []);
    late.take(&image(true), at(43));
    assert_eq!(late.verdict(), published.verdict());
    // A clock that goes back ends nothing.
    assert_eq!(*away(&[step(7)], -100_000).verdict(), Verdict::GoingOn);
}

#[test]
fn what_a_person_should_know_is_said_once() {
    let warned = |events: &[Event]| {
        let mut watch = watch();
        let said = play(&mut watch, events);
        let warnings: Vec<_> = said
            .into_iter()
            .filter_map(|l| Some(l.strip_prefix("warning: ")?.to_owned()))
            .collect();
        assert_eq!(warnings, watch.state().warnings);
        warnings
    };
    for (events, part) in [
        (
            vec![step(4), step(2), step(4), step(2)],
            "restarted at step 4 and is at step 2 again: from the health check",
        ),
        (vec![step(7), step(3)], "a second run that images again"),
        (vec![step(8), step(2)], "a second run that images again"),
        (
            vec![step(5), running("b", "Starting seed generation")],
            "somebody deleted the old one",
        ),
        (
            vec![step(5), Event::Absent, Event::Absent],
            "is gone at step 5, before the imaging",
        ),
        (
            vec![step(7), image(false), image(false)],
            "no seed image of this cluster",
        ),
    ] {
        let warnings = warned(&events);
        assert_eq!(warnings.len(), 1, "{events:?}: {warnings:?}");
        assert!(warnings[0].contains(part), "{part}: {warnings:?}");
    }
    // 1 to 2 and back is no restart of anything; nor are a message of a newer operator, and a restored object without status.
    for events in [
        vec![step(1), step(2), running("a", "Polishing"), step(3)],
        vec![
            step(7),
            Event::Absent,
            object("b", &Value::Null),
            running("b", "Launching imager container"),
            running("b", "Finalizing seed generation"),
        ],
        vec![step(6), refused(), refused(), step(7)],
    ] {
        assert_eq!(warned(&events), Vec::<String>::new(), "{events:?}");
    }
}

#[test]
fn a_stuck_step_points_to_the_operator() {
    for (leftovers, silent, warns) in [(false, 21, 22), (true, 46, 47)] {
        for n in [5, 6] {
            let mut watch = Watch::new(
                State {
                    acm_leftovers: leftovers,
                    ..state()
                },
                Limits::default(),
                at(0),
            );
            watch.take(&step(n), at(1));
            assert_eq!(watch.tick(at(silent)), []);
            let lines = watch.tick(at(warns));
            assert!(
                matches!(lines.as_slice(), [Line::Warn(text)] if text.contains("restart count")),
                "{lines:?}"
            );
            assert_eq!(watch.tick(at(warns + 1)), []);
            assert_eq!(*watch.verdict(), Verdict::GoingOn);
        }
    }
}

#[test]
fn a_seed_generator_of_another_image_is_not_ours() {
    let mut watch = watch();
    let other = json!({"metadata": {"uid": "c"}, "spec": {"seedImage": "quay.io/other/seed:1"}});
    watch.take(&step(3), at(1));
    watch.take(&Event::Object(other), at(2));
    assert!(
        matches!(watch.verdict(), Verdict::Failed { reason } if reason.contains("quay.io/other/seed:1"))
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    let uid = prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        6 => (uid.clone(), 0..9_u8).prop_map(|(uid, n)| {
            let Event::Object(mut object) = step(n) else { unreachable!("step is an object") };
            object["metadata"]["uid"] = uid.into();
            Event::Object(object)
        }),
        2 => Just(Event::Absent),
        2 => Just(refused()),
        2 => any::<bool>().prop_map(image),
        1 => uid.clone().prop_map(completed),
        1 => uid.clone().prop_map(|uid| failed(uid, "x")),
        1 => uid.prop_map(|uid| object(uid, &json!([7, {"type": "SeedGenInProgress"}]))),
        1 => Just(Event::Object(Value::Null)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// No order of events panics, no verdict changes, and the state can always be written and read.
    #[test]
    fn any_order_of_events(events in prop::collection::vec((any_event(), 0..30_i64, any::<bool>()), 0..40)) {
        let (mut watch, mut minute) = (watch(), 0);
        for (event, minutes, resume) in events {
            minute += minutes;
            let before = watch.clone();
            let lines = watch.take(&event, at(minute));
            let late_image = matches!(before.verdict(), Verdict::DeadlinePassed { .. })
                && matches!(event, Event::Image { .. });
            if *before.verdict() != Verdict::GoingOn && !late_image {
                prop_assert_eq!(before.verdict(), watch.verdict());
                prop_assert_eq!(before.state(), watch.state());
                prop_assert!(lines.is_empty());
            }
            let bytes = watch.state().to_json("s").unwrap();
            let read = State::parse("s", &bytes).unwrap();
            prop_assert_eq!(&read, watch.state());
            if resume {
                let ended = watch.state().ended.clone();
                watch = Watch::new(read, Limits::default(), at(minute));
                prop_assert_eq!(watch.verdict(), &ended.unwrap_or(Verdict::GoingOn));
            }
        }
    }
}
