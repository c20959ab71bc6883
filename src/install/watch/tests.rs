//! Watches over scripted looks.

use serde_json::json;

use super::super::tests::{facts, now, renewed, since_mins, with};
use super::*;
use crate::objects::Answer;

const HOUR: Duration = Duration::from_hours(2);

fn later(seconds: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_secs(seconds)
}

fn refused() -> Event {
    Event::Away(Reason::Connect("Connection refused".to_owned()))
}

fn here(up_to: Stage) -> Event {
    Event::Here(facts(up_to))
}

/// What a watch says to these looks, by second.
fn said(watch: &mut Watch, looks: Vec<(i64, Event)>) -> Vec<String> {
    let text = |line: Line| match line {
        Line::Stage(stage, text) => format!("[{stage}] {text}"),
        Line::Say(text) => text,
        Line::Trap(trap) => format!("trap {}", trap.rule),
    };
    let lines = looks
        .into_iter()
        .flat_map(|(second, look)| watch.take(look, later(second)));
    lines.map(text).collect()
}

fn new() -> Watch {
    Watch::new("https://api.bip:6443", HOUR, now())
}

#[test]
fn each_stage_is_said_once_and_timed() {
    let mut watch = new();
    let mut looks = vec![
        (0, refused()),
        (10, refused()),
        (100, here(Stage::Bootstrap)),
        (110, here(Stage::Bootstrap)),
    ];
    looks.extend((0..6).map(|n| (400 + 10 * n, refused())));
    let stages = [
        Stage::Node,
        Stage::Ready,
        Stage::MachineConfig,
        Stage::Operators,
        Stage::Version,
        Stage::Complete,
    ];
    looks.extend((1000..).step_by(100).zip(stages.map(here)));
    let said = said(&mut watch, looks);
    let stages: Vec<&str> = said
        .iter()
        .filter_map(|l| l.strip_prefix('[')?.split(']').next())
        .collect();
    let names: Vec<&str> = Stage::ALL.iter().map(|s| s.name()).collect();
    assert_eq!(stages, names, "{said:#?}");
    assert_eq!(*watch.verdict(), Verdict::Completed);
    let report = watch.report(later(1500));
    let took: Vec<_> = report.stages.iter().map(|t| t.seconds.unwrap()).collect();
    // The reboot counts from the first look that failed.
    assert_eq!(
        took,
        [100, 300, 600, 100, 100, 100, 100, 100],
        "{report:#?}"
    );
    assert_eq!(report.installed_in, Some(50 * 60));
    // After the end nothing changes.
    assert!(watch.take(refused(), later(2000)).is_empty());
    assert_eq!(*watch.verdict(), Verdict::Completed);
}

#[test]
fn whoever_comes_late_takes_the_times_from_the_objects() {
    let mut watch = new();
    let said = said(&mut watch, vec![(0, here(Stage::Operators))]);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].starts_with("[operators] waiting for operators: 1 of 2 available")
            && said[0].ends_with("(for 20m now)"),
        "{}",
        said[0]
    );
    let report = watch.report(later(60));
    let took: Vec<_> = report
        .stages
        .iter()
        .map(|t| (t.stage, t.seconds, t.watched))
        .collect();
    assert_eq!(
        took,
        [
            (Stage::Api, None, false),
            (Stage::Bootstrap, None, false),
            (Stage::Reboot, None, false),
            (Stage::Node, Some(600), false),
            (Stage::Ready, Some(39 * 60), false),
            (Stage::MachineConfig, Some(0), false),
            (Stage::Operators, Some(21 * 60), false),
        ]
    );
}

#[test]
fn a_short_absence_is_no_reboot_and_a_later_one_is_no_stage() {
    let mut watch = new();
    let said = said(
        &mut watch,
        vec![
            (0, here(Stage::Bootstrap)),
            (10, refused()),
            (20, here(Stage::Bootstrap)),
            (30, here(Stage::Operators)),
            (40, refused()),
            (50, refused()),
            (60, refused()),
            (70, refused()),
            (300, here(Stage::Operators)),
        ],
    );
    assert!(!said.iter().any(|l| l.contains("[reboot]")), "{said:#?}");
    let away = said
        .iter()
        .filter(|l| l.starts_with("the API does not answer"))
        .count();
    assert_eq!(away, 2, "{said:#?}");
    assert!(
        said.contains(&"the API answers again, after 4m".to_owned()),
        "{said:#?}"
    );
}

#[test]
fn numbers_alone_are_said_from_time_to_time_and_silence_is_broken() {
    let working = |n: u32| {
        let condition = json!({"type": "Progressing", "status": "True", "message": format!("Working towards 4.13.1: {n} of 840 done")});
        let version =
            json!({"metadata": {"name": "version"}, "status": {"conditions": [condition]}});
        Event::Here(with(
            &facts(Stage::Bootstrap),
            "/apis/config.openshift.io/v1/clusterversions/version",
            Answer::Object(version),
        ))
    };
    let mut watch = new();
    let looks = (0..12_u32)
        .map(|n| (i64::from(n) * 10, working(n)))
        .collect();
    let lines = said(&mut watch, looks);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[1].contains("6 of 840"), "{lines:#?}");
    let lines = said(
        &mut watch,
        vec![
            (200, working(11)),
            (280, working(11)),
            (600, working(11)),
            (610, working(11)),
        ],
    );
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[1].starts_with("still bootstrap, for 1h10m: waiting for bootkube"),
        "{lines:#?}"
    );
}

#[test]
fn operators_settle_by_either_clock() {
    // This workstation is three hours behind: what the operators say lies ahead.
    let behind = |seconds: i64| later(seconds - 3 * 3600);
    let mut watch = Watch::new("https://api.bip:6443", HOUR, behind(0));
    let mut busy = facts(Stage::Complete);
    for (second, progressing, stage) in [
        (0, "False", Stage::Version),
        (20, "False", Stage::Version),
        // One begins again and comes to rest between two looks, or is seen at work.
        (25, "False, later", Stage::Version),
        (35, "False, later", Stage::Version),
        (50, "True", Stage::Version),
        (60, "False, later", Stage::Version),
        (90, "False, later", Stage::Version),
        (91, "False, later", Stage::Complete),
    ] {
        let mins = if progressing == "False" { 5 } else { 4 };
        let status = progressing.split(',').next().unwrap();
        let operator = json!({"metadata": {"name": "dns"}, "status": {"conditions": [since_mins("Progressing", status, "", mins)]}});
        let path = "/apis/config.openshift.io/v1/clusteroperators";
        busy = with(&busy, path, Answer::Items(vec![operator]));
        watch.take(Event::Here(busy.clone()), behind(second));
        assert_eq!(watch.report(behind(second)).stage, stage, "{second}");
    }
    assert_eq!(*watch.verdict(), Verdict::Completed);
    // Who comes late need not wait.
    let mut watch = new();
    watch.take(here(Stage::Complete), now());
    assert_eq!(*watch.verdict(), Verdict::Completed);
}

#[test]
fn an_end_must_be_meant() {
    let not_allowed = || Event::Away(Reason::Unauthorized);
    let expired = || Event::Away(Reason::CertificateExpired(later(-3600)));
    let mut watch = new();
    said(
        &mut watch,
        vec![
            (0, not_allowed()),
            (1, not_allowed()),
            (2, not_allowed()),
            (3, refused()),
            (4, not_allowed()),
            (5, not_allowed()),
        ],
    );
    assert_eq!(*watch.verdict(), Verdict::GoingOn);
    said(
        &mut watch,
        vec![
            (6, not_allowed()),
            (7, not_allowed()),
            (8, not_allowed()),
            (9, not_allowed()),
            (10, not_allowed()),
        ],
    );
    assert!(
        matches!(watch.verdict(), Verdict::Failed { cure, .. } if cure.contains("auth/kubeconfig")),
        "{:?}",
        watch.verdict()
    );
    // Nothing was seen before: the machine may run its own disk, after a day without power.
    let mut watch = new();
    let looks = (0..20).map(|n| (n, expired()));
    said(&mut watch, looks.chain([(20, here(Stage::Node))]).collect());
    assert_eq!(*watch.verdict(), Verdict::GoingOn);
    // A live system that bootstraps gets no others.
    let mut watch = new();
    let bootstrap = (0, here(Stage::Bootstrap));
    let looks = std::iter::once(bootstrap).chain((1..7).map(|n| (n, expired())));
    let lines = said(&mut watch, looks.collect());
    assert!(
        lines.contains(&"trap expired-certificate".to_owned()),
        "{lines:#?}"
    );
    assert!(matches!(watch.verdict(), Verdict::Failed { cure, .. } if cure.contains("--extend")));
    // Who was let in before is refused only for a while.
    let mut watch = new();
    let looks = std::iter::once((0, here(Stage::Node))).chain((1..20).map(|n| (n, not_allowed())));
    said(&mut watch, looks.collect());
    assert_eq!(*watch.verdict(), Verdict::GoingOn);
    // The installed system makes new certificates.
    let mut watch = new();
    let looks = std::iter::once((0, here(Stage::Node))).chain((1..20).map(|n| (n, expired())));
    said(&mut watch, looks.collect());
    assert_eq!(*watch.verdict(), Verdict::GoingOn);
}

#[test]
fn a_medium_that_boots_again_is_noticed() {
    let mut watch = new();
    said(
        &mut watch,
        vec![
            (0, here(Stage::Bootstrap)),
            (10, refused()),
            (20, refused()),
            (30, refused()),
        ],
    );
    let another = json!({"metadata": {"uid": "u2", "creationTimestamp": "2026-11-21T12:05:00Z"}});
    let again = Event::Here(with(
        &facts(Stage::Bootstrap),
        "/api/v1/namespaces/kube-system",
        Answer::Object(another),
    ));
    let lines = said(&mut watch, vec![(600, again)]);
    assert!(
        lines.iter().any(|l| l.starts_with("[bootstrap]"))
            && lines.contains(&"trap boots-again".to_owned()),
        "{lines:#?}"
    );
    let another = json!({"metadata": {"uid": "u2"}});
    let node = Event::Here(with(
        &facts(Stage::Node),
        "/api/v1/namespaces/kube-system",
        Answer::Object(another),
    ));
    let lines = said(&mut watch, vec![(900, node)]);
    assert!(
        lines.contains(&"over: boots-again: boot order".to_owned()),
        "{lines:#?}"
    );
}

#[test]
fn clocks_are_compared_by_a_heartbeat_that_is_new() {
    let beat = |at: &str| Event::Here(renewed(&facts(Stage::Operators), at));
    let mut watch = new();
    // The first may be of a machine that was switched off.
    let lines = said(
        &mut watch,
        vec![
            (0, beat("2026-11-21T10:00:00Z")),
            (10, beat("2026-11-21T12:00:05Z")),
        ],
    );
    assert!(!lines.iter().any(|l| l.starts_with("trap")), "{lines:#?}");
    let lines = said(
        &mut watch,
        vec![
            (20, beat("2026-11-21T13:00:20Z")),
            (25, beat("2026-11-21T13:00:20Z")),
        ],
    );
    assert_eq!(lines, ["trap clock"]);
    let report = watch.report(later(25));
    assert_eq!(
        report.traps[0].finding.message,
        "it is 1h0m ahead of this one"
    );
    let lines = said(&mut watch, vec![(30, beat("2026-11-21T12:00:30Z"))]);
    assert_eq!(lines, ["over: clock: the machine's clock"]);
}

#[test]
fn a_stage_that_lasts_and_a_time_that_is_over_are_told() {
    let mut watch = new();
    let lines = said(
        &mut watch,
        vec![(0, here(Stage::Ready)), (19 * 60, here(Stage::Ready))],
    );
    assert!(!lines.iter().any(|l| l == "trap slow"), "{lines:#?}");
    let lines = said(
        &mut watch,
        vec![
            (21 * 60, here(Stage::Ready)),
            (22 * 60, refused()),
            (23 * 60, here(Stage::Ready)),
        ],
    );
    assert_eq!(
        lines.iter().filter(|l| *l == "trap slow").count(),
        1,
        "{lines:#?}"
    );
    said(&mut watch, vec![(7199, here(Stage::Ready))]);
    assert_eq!(*watch.verdict(), Verdict::GoingOn);
    said(&mut watch, vec![(7200, here(Stage::Ready))]);
    assert_eq!(*watch.verdict(), Verdict::DeadlinePassed { away: false });
    let mut watch = new();
    said(&mut watch, vec![(0, here(Stage::Ready)), (7200, refused())]);
    assert_eq!(*watch.verdict(), Verdict::DeadlinePassed { away: true });
}

#[test]
fn what_one_look_could_not_have_is_kept() {
    let mut watch = new();
    said(&mut watch, vec![(0, here(Stage::Operators))]);
    let hidden = || {
        Event::Here(Facts::new(
            Facts::paths()
                .into_iter()
                .map(|path| (path, Answer::Error("403 Forbidden: no".to_owned()))),
        ))
    };
    let lines = said(&mut watch, vec![(10, hidden()), (20, hidden())]);
    assert_eq!(lines.len(), Facts::paths().len(), "{lines:#?}");
    assert!(
        lines
            .iter()
            .any(|l| l.contains("may not see /api/v1/pods: ")),
        "{lines:#?}"
    );
    assert_eq!(watch.report(later(20)).operators.total, 2);
}
