use proptest::prelude::*;

use super::*;
use crate::config::yaml::{self, Value};

const HEAD: &str = "apiVersion: snoforge.io/v1\nkind: Factory\n";
const JOB: &str = "release: {version: 4.13.1, mceVersion: 2.2.4}\ndownload: {folder: data}\n";

/// Every finding with its place.
fn findings(text: &str) -> Vec<String> {
    match Factory::parse("f", text) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_template_has_every_field_and_is_read() {
    let factory = Factory::parse("bench/factory.yaml", TEMPLATE).unwrap();
    let document = yaml::parse(TEMPLATE).unwrap();
    for field in &FIELDS {
        // What excludes something else in it stands there as a comment.
        let note = format!("# {}: ", field.key);
        let section = document.root.get(field.section.key()).unwrap();
        let there = match &section.value.value {
            Value::List(items) => items.iter().any(|item| item.get(field.key).is_some()),
            _ => section.value.get(field.key).is_some(),
        };
        assert!(there || TEMPLATE.contains(&note), "{}", field.key);
    }
    assert_eq!(factory.download.text("folder"), Some("bench/data"));
    assert_eq!(factory.report, Path::new("bench/report.json"));
    assert_eq!(factory.disks.len(), 2);
    assert_eq!(factory.rates.download, 12_500_000);
    let flags = factory.download.flags(Section::Download);
    assert!(flags.contains(&"--tls-verify=true".to_owned()), "{flags:?}");
    assert!(!flags.contains(&"--rm-stale".to_owned()), "{flags:?}");
    let iso = factory.iso.unwrap();
    assert_eq!(iso.sites.value, None);
    let flags = iso.values.flags(Section::Iso);
    let out = flags.iter().position(|flag| flag == "-o").unwrap();
    assert_eq!(flags.get(out + 1).unwrap(), "bench/isos");
}

#[test]
fn little_is_needed() {
    let factory = Factory::parse("f", &format!("{HEAD}{JOB}")).unwrap();
    assert!(matches!(&factory.imageset, ImageSetSource::Made(text) if text.contains("4.13.1")));
    assert_eq!(factory.report, Path::new("report.json"));
    assert!(factory.disks.is_empty() && factory.iso.is_none());
}

/// What stands below the header, and what is said of it.
const WRONG: [(&str, &str); 19] = [
    ("@isos: {}\n", "f:5:1: unknown field `isos`"),
    ("@kind: Factory\n", "f:5:1: the key `kind` is there already"),
    (
        "release: {version: 4.13}\ndownload: {folder: d}\n",
        "f:3:20: `version` is not a version X.Y.Z",
    ),
    (
        "release: {version: 4.13.1}\ndownload: {folder: d}\n",
        "f:3:20: MCE version must be specified",
    ),
    (
        "release: {mapping: m}\ndownload: {parallel: 0}\n",
        "f:4:22: `parallel` is not a whole number from 1 to 256",
    ),
    (
        "release: {mapping: m}\ndownload: {}\n",
        "f:4:11: `download.folder` is missing",
    ),
    (
        "release: {mapping: m}\ndownload: {folder: d, mirrors: [lan:5000, lan/ocp]}\n",
        "f:4:43: `mirrors` is not a registry host[:port][/path], or a map of `source` and `mirror`",
    ),
    (
        "release: {mapping: m}\ndownload: {folder: d, mirrors: [{source: q.io, miror: lan:5000}]}\n",
        "f:4:48: unknown field `miror`",
    ),
    ("@disks: [{device: sda}]\n", "f:5:18: `sda` is no disk"),
    (
        "@disks: [{size: 3}]\n",
        "f:5:9: one of `device` and `image` is expected here",
    ),
    (
        "@disks: [{image: a, wipe: true}]\n",
        "f:5:17: `wipe` is of no use",
    ),
    (
        "@disks:\n- image: a\n- image: a\n",
        "f:7:10: a is in the list already",
    ),
    ("@iso: {live: a, out: b}\n", "f:5:6: `iso.sites` is missing"),
    (
        "@iso: {live: a, out: b, sites: c, ntp: d}\n",
        "f:5:39: `ntp` is no list",
    ),
    (
        "@iso: {live: a, out: b, sites: c, force: 'yes'}\n",
        "f:5:41: `force` is not true or false",
    ),
    ("@rates: {disk: fast}\n", "f:5:15: `disk` is not a rate"),
    ("@imageset: {kind: x}\n", "the image set is in braces"),
    ("@imageset: ''\n", "f:5:11: `imageset` is not a path"),
    (
        "release: {version: 4.13.1, duProfile: true}\nimageset: a\ndownload: {folder: d}\n",
        "f:3:39: `release.duProfile` is of no use",
    ),
];

#[test]
fn what_is_wrong_has_its_place() {
    for (body, expected) in WRONG {
        let text = format!("{HEAD}{}", body.replace('@', JOB));
        let found = findings(&text);
        let told = found.iter().any(|finding| finding.contains(expected));
        assert!(told, "{expected}: {found:?}");
    }
    assert!(findings("[]")[0].starts_with("f:1:1: a map with"));
    let newer = findings("apiVersion: snoforge.io/v2\nkind: Factory\nnew: 1\n");
    assert_eq!(newer, ["f:1:13: `apiVersion` is not snoforge.io/v1"]);
    // All at once, in file order.
    let all = findings(&format!(
        "{HEAD}relase: {{}}\ndownload: {{folder: 1, parallel: x}}\n"
    ));
    assert_eq!(all.len(), 4, "{all:?}");
}

#[test]
fn an_image_set_in_the_file_keeps_its_text_and_places() {
    let set = "\
imageset:
  # why
  apiVersion: mirror.openshift.io/v1alpha2
  kind: ImageSetConfiguration
  mirror:
    platform:
# outdented

      channels:
      - name: stable-4.13
        typ: ocp

# of the next field
download: {folder: data}
";
    let text = format!("{HEAD}release: {{version: 4.13.1}}\n{set}");
    let factory = Factory::parse("f", &text).unwrap();
    let ImageSetSource::Inline(inline) = factory.imageset else {
        panic!("{:?}", factory.imageset)
    };
    assert!(
        inline.text.starts_with("apiVersion: mirror"),
        "{}",
        inline.text
    );
    assert!(inline.text.ends_with("    typ: ocp\n"), "{}", inline.text);
    let found = inline.check("f").unwrap_err();
    assert!(found[0].to_string().starts_with("f:14:9: "), "{}", found[0]);
}

/// Pieces that get far into the schema.
const PIECES: [&str; 22] = [
    HEAD,
    JOB,
    "release:\n",
    "  version: 4.13.1\n",
    "download:\n",
    "  folder: data\n",
    "imageset:\n",
    "  kind: x\n",
    "disks:\n",
    "- device: /dev/sda\n",
    "- image: a\n",
    "  size: 18446744073709551616\n",
    "iso:\n",
    "  sites: []\n",
    "null",
    "[",
    "{",
    "&a ",
    "*a",
    "<<: ",
    "\u{feff}",
    "\t",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_panics_on_any_text(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn never_panics_on_shuffled_pieces(indices in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = indices.iter().map(|i| PIECES[*i]).collect();
        check(&text);
    }

    #[test]
    fn never_panics_on_a_damaged_file(place in 0..4000_usize, insert in "[\\PC\n]{0,3}", cut in any::<bool>()) {
        let mut text = TEMPLATE.to_owned();
        if let Some((at, _)) = text.char_indices().nth(place) {
            if cut {
                text.truncate(at);
            }
            text.insert_str(at, &insert);
        }
        check(&text);
    }
}

fn check(text: &str) {
    match Factory::parse("f", text) {
        Ok(factory) => {
            if let ImageSetSource::Inline(inline) = &factory.imageset {
                let _ = inline.check("f");
            }
        }
        Err(findings) => assert!(!findings.is_empty()),
    }
}
