use super::Filesystem::{Fat, Local, Memory, Network, Sharing};
use super::*;

fn text(row: &Row) -> String {
    let cure = row.cure.as_deref().unwrap_or("-");
    format!(
        "{:?} {} {}: {} | {cure}",
        row.outcome, row.check, row.object, row.message
    )
}

#[test]
fn clocks() {
    let now = 1_795_000_000;
    let judge = |heard: &[i64]| {
        let heard = heard.iter().map(|o| ("r".to_owned(), *o)).collect();
        clock(&Clock {
            now,
            heard,
            verified: false,
        })
    };
    for (heard, outcome, piece) in [
        (&[][..], Outcome::Pass, "no server told"),
        (&[2], Outcome::Pass, "within 2 s"),
        (&[-31], Outcome::Warning, "31 s ahead of r"),
        (&[301], Outcome::Fail, "5 min 1 s behind r"),
        (&[0, 1, 90_000], Outcome::Pass, "within 1 s"),
        (&[0, 7_200], Outcome::Pass, "within 0 s"),
        (&[-7_200, 1], Outcome::Pass, "within 1 s"),
        (&[-9_000, -5, 40, 9_000], Outcome::Pass, "within 5 s"),
        (&[-200_000, -200_001], Outcome::Fail, "2 d 7 h ahead of r"),
    ] {
        let row = judge(heard);
        assert_eq!(row.outcome, outcome, "{}", text(&row));
        assert!(row.message.contains(piece), "{}", text(&row));
    }
    // TLS that went well says that it is a server that is wrong.
    let row = clock(&Clock {
        now,
        heard: vec![("r".to_owned(), 90_000)],
        verified: true,
    });
    assert_eq!(row.outcome, Outcome::Warning, "{}", text(&row));
    assert!(!row.message.contains("will fail"), "{}", text(&row));
    let row = clock(&Clock {
        now: 1_000_000_000,
        heard: Vec::new(),
        verified: false,
    });
    assert_eq!(row.outcome, Outcome::Fail, "{}", text(&row));
}

fn judge(
    (role, kind): (Role, Filesystem),
    free_gib: u64,
    need: Need,
    largest: Option<u64>,
) -> (Outcome, String) {
    let found = Ok(("fs".to_owned(), kind, free_gib << 30));
    let path = "d".to_owned();
    let row = places(&[Place {
        path,
        role,
        need,
        largest,
        found,
    }])
    .remove(0);
    (row.outcome, row.message)
}

fn place(
    role: Role,
    kind: Filesystem,
    free_gib: u64,
    needed_gib: Option<u64>,
    largest: Option<u64>,
) -> (Outcome, String) {
    let need = needed_gib.map_or(Need::Unknown, |gib| Need::Known(gib << 30));
    judge((role, kind), free_gib, need, largest)
}

#[test]
fn room() {
    let data = |kind, free, needed| place(Role::Data, kind, free, needed, None);
    assert_eq!(data(Local, 120, None).0, Outcome::Pass);
    assert_eq!(data(Local, 50, None).0, Outcome::Warning);
    assert_eq!(data(Local, 50, Some(49)).0, Outcome::Pass);
    let short = data(Local, 50, Some(60));
    assert_eq!(
        short,
        (
            Outcome::Fail,
            "50.0 GiB free on fs, 60.0 GiB needed: 10.0 GiB short".to_owned()
        )
    );
    assert_eq!(data(Fat, 500, Some(1)).0, Outcome::Warning);
    assert_eq!(
        place(Role::Data, Fat, 500, Some(9), Some(4 << 30)).0,
        Outcome::Fail
    );
    assert_eq!(data(Network, 500, Some(1)).0, Outcome::Warning);
    assert_eq!(data(Memory, 500, Some(1)).0, Outcome::Warning);
    assert_eq!(
        place(Role::Temporary, Memory, 2, None, None).0,
        Outcome::Pass
    );
    assert_eq!(
        place(Role::Temporary, Memory, 0, None, None).0,
        Outcome::Warning
    );
}

#[test]
fn room_for_images_and_isos() {
    for (role, kind, needed, largest, outcome) in [
        (Role::Isos, Local, 2, 1, Outcome::Fail),
        (Role::Isos, Memory, 2, 1, Outcome::Fail),
        (Role::Isos, Sharing, 2, 1, Outcome::Warning),
        (Role::Images, Sharing, 2, 1, Outcome::Fail),
        (Role::Isos, Fat, 1, 1, Outcome::Pass),
        (Role::Isos, Fat, 1, 4, Outcome::Fail),
        (Role::Images, Fat, 1, 4, Outcome::Fail),
    ] {
        let found = place(role, kind, 1, Some(needed), Some(largest << 30));
        assert_eq!(found.0, outcome, "{role:?} {kind:?}: {found:?}");
    }
    // An image file of 100 GiB may take as much, or next to nothing.
    let image = |free| {
        judge(
            (Role::Images, Local),
            free,
            Need::AtMost(100 << 30),
            Some(100 << 30),
        )
    };
    assert_eq!(
        image(60),
        (
            Outcome::Warning,
            "60.0 GiB free on fs, 100.0 GiB needed at most: 40.0 GiB short".to_owned()
        )
    );
    assert_eq!(image(100).0, Outcome::Pass);
}

#[test]
fn one_place_that_answers_is_enough() {
    let fault = || Fault::new("no", "do");
    let met = |host: &str, mirror, state| Met {
        host: host.to_owned(),
        mirror,
        account: Some(host.to_owned()),
        challenged: true,
        state,
    };
    let source = |places| {
        [Source {
            name: "quay.io/a".to_owned(),
            places,
        }]
    };
    let outcomes = |places| -> Vec<Outcome> {
        registries(&source(places))
            .iter()
            .map(|row| row.outcome)
            .collect()
    };
    let mirror = met("m", true, State::Welcome);
    let dead = met("quay.io", false, State::Silent(fault()));
    assert_eq!(
        outcomes(vec![mirror.clone(), dead.clone()]),
        [Outcome::Pass, Outcome::Warning]
    );
    let refused = met("m", true, State::Refused(fault()));
    let origin = met("quay.io", false, State::Welcome);
    // Neither the mirror's login nor the way to the origin matters while the other lets us in.
    assert_eq!(
        missed(&source(vec![refused.clone(), origin])),
        Default::default()
    );
    assert_eq!(
        missed(&source(vec![mirror, dead.clone()])),
        Default::default()
    );
    let both = ["m", "quay.io"].map(str::to_owned);
    let (keys, hosts) = missed(&source(vec![refused.clone(), dead.clone()]));
    assert_eq!((keys, hosts), (both.clone().into(), both.into()));
    assert_eq!(outcomes(vec![dead.clone()]), [Outcome::Fail]);
    assert_eq!(
        outcomes(vec![refused, dead]),
        [Outcome::Fail, Outcome::Fail]
    );
    let unasked = Met {
        challenged: false,
        ..met("quay.io", false, State::Welcome)
    };
    let row = registries(&source(vec![unasked])).remove(0);
    assert!(row.message.contains("no login is needed"), "{}", text(&row));
}

#[test]
fn a_proxy_matters_where_its_hosts_do() {
    let judge = |needed, fault| {
        let proxy = Proxy {
            url: "http://p".to_owned(),
            hosts: vec!["quay.io".to_owned()],
            fault,
            needed,
        };
        super::proxy(&[proxy], &[]).remove(0).outcome
    };
    let fault = || Some(Fault::new("no", "do"));
    assert_eq!(judge(true, fault()), Outcome::Fail);
    assert_eq!(judge(false, fault()), Outcome::Warning);
    assert_eq!(judge(true, None), Outcome::Pass);
}

#[test]
fn tools_and_authorities() {
    let judge = |needed, found: Option<&str>| {
        let tool = Tool {
            program: "mkfs.xfs".to_owned(),
            verb: "v".to_owned(),
            package: "install it".to_owned(),
            needed,
            found: found.map(str::to_owned),
        };
        tools(&[tool]).remove(0).outcome
    };
    assert_eq!(judge(true, Some("/usr/sbin/mkfs.xfs")), Outcome::Pass);
    assert_eq!(judge(true, None), Outcome::Fail);
    assert_eq!(judge(false, None), Outcome::Warning);
    let judge = |client, found| {
        let path = "f".to_owned();
        let file = Authority {
            path,
            client,
            found,
        };
        authorities(&[file], 1000).remove(0).outcome
    };
    let ends = |end| Ok(vec![("a".to_owned(), end)]);
    assert_eq!(judge(false, ends(1001)), Outcome::Pass);
    // TLS does not look at the end of what it trusts; registries look at ours.
    assert_eq!(judge(false, ends(999)), Outcome::Warning);
    assert_eq!(judge(true, ends(999)), Outcome::Fail);
    assert_eq!(judge(false, Ok(Vec::new())), Outcome::Warning);
    assert_eq!(judge(true, Ok(Vec::new())), Outcome::Fail);
    assert_eq!(judge(false, Err("bad".to_owned())), Outcome::Fail);
}

#[test]
fn entries() {
    let login = |needed, who: Option<&str>, expires, verdict| {
        let who = who.map(str::to_owned);
        let login = Login {
            key: "q".to_owned(),
            file: "f".to_owned(),
            who,
            expires,
            needed,
            verdict,
        };
        logins(&[login], 1000).remove(0)
    };
    let wrong = || Verdict::Wrong("HTTP 401".to_owned());
    assert_eq!(
        login(true, Some("user a"), None, Verdict::Good).outcome,
        Outcome::Pass
    );
    assert_eq!(
        login(true, Some("user a"), None, wrong()).outcome,
        Outcome::Fail
    );
    assert_eq!(
        login(false, Some("user a"), None, wrong()).outcome,
        Outcome::Warning
    );
    assert_eq!(
        login(true, None, None, Verdict::Good).outcome,
        Outcome::Fail
    );
    assert_eq!(
        login(true, Some("user a"), Some(999), Verdict::Good).outcome,
        Outcome::Fail
    );
    assert_eq!(
        login(true, Some("user a"), Some(1001), Verdict::Good).outcome,
        Outcome::Pass
    );
    let unknown = login(
        true,
        Some("user a"),
        None,
        Verdict::Unknown("refused".to_owned()),
    );
    assert_eq!(unknown.outcome, Outcome::Unknown);
    let row = login(true, Some("user a"), None, wrong());
    assert_eq!(
        row.cure.as_deref(),
        Some("log in again: podman login --authfile f q")
    );
}

#[test]
fn names_of_cards() {
    for good in [
        "eno1",
        "ens3",
        "ens3f0",
        "ens1f0np0",
        "enp0s25",
        "enp1s0f1",
        "enP2p1s0",
        "enp3s0f0np0",
        "enp0s20f0u1u4",
        "enp0s20u1i5",
        "enx28d244d3ef1c",
        "ibp5s0",
        "eno12399np0",
        "enp1s0v3",
        "ens3d1",
    ] {
        assert!(predictable(good), "{good}");
    }
    for bad in [
        "eth0", "en", "enp", "enp0", "eno", "enx28", "lan0", "bond0", "wlp2s0", "en0", "enz1",
        "enps1", "ens3x",
    ] {
        assert!(!predictable(bad), "{bad}");
    }
    let judge =
        |name: Option<&str>, mac: Option<&str>, old_names, seen: Option<&[(&str, &str)]>| {
            let own = |text: &str| text.to_owned();
            let seen = seen.map(|all| all.iter().map(|(n, m)| (own(n), own(m))).collect());
            let card = Card {
                name: name.map(own),
                mac: mac.map(own),
                old_names,
                seen,
            };
            cards(&[card]).remove(0).outcome
        };
    let seen = Some(&[("eno1", "28:d2:44:d3:ef:1c")][..]);
    assert_eq!(judge(Some("eno1"), None, false, None), Outcome::Pass);
    assert_eq!(judge(Some("eth0"), None, false, None), Outcome::Warning);
    assert_eq!(judge(Some("eth0"), None, true, None), Outcome::Pass);
    assert_eq!(judge(Some("eno1"), None, true, None), Outcome::Warning);
    assert_eq!(judge(Some("uplink"), None, false, None), Outcome::Warning);
    assert_eq!(
        judge(Some("lan0"), Some("28:D2:44:D3:EF:1C"), false, None),
        Outcome::Pass
    );
    assert_eq!(
        judge(Some("lan0"), Some("28:D2:44:D3:EF:1C"), false, seen),
        Outcome::Pass
    );
    assert_eq!(judge(Some("eno1"), None, false, seen), Outcome::Pass);
    assert_eq!(judge(Some("eno2"), None, false, seen), Outcome::Fail);
}
