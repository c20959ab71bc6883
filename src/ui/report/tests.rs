//! The page as a whole.

use super::*;
use crate::ui::record::{Mark, MarkKind, Session};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=y>&\u{202e}";

fn text() -> String {
    HOSTILE.to_owned()
}

fn hostile() -> Page {
    Page {
        title: text(),
        made: text(),
        tool: text(),
        complete: false,
        inventory: Some(inventory()),
        sessions: vec![(None, session())],
        checks: vec![Check {
            what: text(),
            result: Verdict::Bad,
            when: Some(text()),
            detail: text(),
        }],
        disks: vec![Disk {
            target: text(),
            label: text(),
            partition: text(),
            size_gib: 1,
            filled: Some(text()),
            check: text(),
            read_back: true,
            current: true,
        }],
        machines: vec![machine()],
    }
}

fn inventory() -> Inventory {
    let image = |own| Image {
        name: text(),
        source: text(),
        stages: text(),
        whole: own + 5,
        own,
    };
    let group = Group {
        name: text(),
        images: vec![image(1 << 30), image(1 << 20)],
        needs: 2 << 30,
        within: 3 << 20,
    };
    let layer = Layer {
        digest: text(),
        size: 1,
        saved: 2,
        images: vec![text(), text(), text()],
    };
    let contents = Contents {
        groups: vec![group.clone(), group],
        between: 1 << 20,
        pairs: vec![vec![1, 2], vec![2, 1]],
        layers: vec![layer],
        saved: 5,
    };
    let release = Release {
        name: text(),
        payload: text(),
    };
    Inventory {
        digest: text(),
        images: 2,
        blobs: 9,
        unique_bytes: 3 << 30,
        disk_bytes: 4 << 30,
        releases: vec![release],
        stages: vec![(text(), 1, 1)],
        contents: Some(contents),
    }
}

fn session() -> Session {
    let mark = Mark {
        at: 3,
        kind: MarkKind::Failed,
        text: text(),
    };
    Session {
        start: text(),
        millis: 1000,
        bytes: vec![7, 0, 9, 1],
        images: vec![0, 0, 1, 1],
        images_total: 1,
        marks: vec![mark],
        ..Session::default()
    }
}

fn machine() -> Machine {
    Machine {
        hostname: text(),
        interface: Some(text()),
        mac: Some(text()),
        addresses: vec![text()],
        gateways: vec![text()],
        nameservers: vec![text()],
        ntp: vec![text()],
        installation_disk: Some(text()),
        iso: text(),
        sha256: Some(text()),
        use_before: Some(text()),
        expired: true,
        ..Machine::default()
    }
}

/// Every tag of a page, its name and whether it closes.
fn tags(html: &str) -> Vec<(String, bool, bool)> {
    let body = html.split_once("</style>").unwrap();
    let head = body.0.split_once("<style>").unwrap().0;
    let text = format!("{head}{}", body.1);
    let mut found = Vec::new();
    for part in text.split('<').skip(1) {
        let tag = part.split_once('>').unwrap().0;
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        found.push((name.to_owned(), tag.starts_with('/'), tag.ends_with('/')));
    }
    found
}

#[test]
fn texts_from_outside_stay_text() {
    let html = render(&hostile());
    assert!(html.starts_with(MARK));
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains('\u{202e}'));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    // What opens is closed, in order.
    let mut open = Vec::new();
    for (name, closes, empty) in tags(&html) {
        if ["!doctype", "!--", "meta"].contains(&name.as_str()) || empty {
            continue;
        }
        if closes {
            assert_eq!(open.pop(), Some(name));
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let html = render(&hostile());
    for word in [
        "src=\"",
        "http://",
        "https://",
        "@import",
        "javascript:",
        " onerror=\"",
        "<script",
        "<link",
        "<iframe",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    for part in html.split("url(").skip(1) {
        assert!(part.starts_with("#hatch"), "{}", &part[..20]);
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn ids_are_unique_and_every_link_has_its_end() {
    let mut page = hostile();
    page.machines.push(page.machines[0].clone());
    let html = render(&page);
    let mut ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .map(|part| part.split_once('"').unwrap().0)
        .collect();
    for part in html.split("href=\"#").skip(1) {
        let target = part.split_once('"').unwrap().0;
        assert!(ids.contains(&target), "{target}");
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn the_same_page_gives_the_same_bytes_and_an_empty_one_is_fine() {
    assert_eq!(render(&hostile()), render(&hostile()));
    let empty = render(&Page::default());
    assert!(empty.contains("not complete") && empty.contains("Verification"));
}

#[test]
fn facts_are_compact_json() {
    let page = Page::default();
    let machine = Machine {
        hostname: "bip-1".to_owned(),
        addresses: vec!["10.1.0.5/24".to_owned()],
        iso: "isos/bip-1.iso".to_owned(),
        ..Machine::default()
    };
    let text = facts(&page, &machine);
    assert_eq!(
        text,
        "{\"snoforge\":1,\"host\":\"bip-1\",\"ip\":[\"10.1.0.5/24\"],\"iso\":\"bip-1.iso\"}"
    );
}
