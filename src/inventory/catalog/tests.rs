use proptest::prelude::*;

use super::filter::{Semantics, needed_packages, select};
use super::model::Catalog;
use super::parse::{Builder, Format, load_dir, sniff};
use super::pins::{Missing, verify_pins};
use super::{CatalogError, listing, validate};
use crate::config::model::{At, ChannelSet, Located, OperatorSet, PackageSet, VersionRange};

const JSON: &str = r#"
{"schema":"olm.package","name":"foo","defaultChannel":"stable","icon":{"base64data":"AAAA","mediatype":"x"}}
{"schema":"olm.channel","name":"stable","package":"foo","entries":[
  {"name":"foo.v1.0.0"},{"name":"foo.v1.1.0","replaces":"foo.v1.0.0","skipRange":"<1.1.0"}],
 "properties":[{"type":"olm.channel","value":{"channelName":"stable","priority":7}}]}
{"schema":"olm.bundle","name":"foo.v1.0.0","package":"foo","image":"reg/foo:1.0.0",
 "properties":[{"value":{"packageName":"foo","version":"1.0.0"},"type":"olm.package"},
   {"type":"olm.csv.metadata","value":{"version":{"deep":[1,2.5,null,true]}}},{"type":"olm.maxOpenShiftVersion","value":"4.9"}],
 "relatedImages":[{"name":"","image":"reg/foo:1.0.0"},{"image":"reg/operand@sha256:00"}]}
{"schema":"olm.bundle","name":"foo.v1.1.0","package":"foo","image":"reg/foo:1.1.0",
 "properties":[{"type":"olm.package","value":{"packageName":"foo","version":"1.1.0"}},
   {"type":"olm.gvk.required","value":{"group":"g","version":"v1","kind":"K"}}],
 "relatedImages":[{"name":"b","image":"reg/foo:1.1.0"}]}
{"schema":"olm.deprecations","package":"foo","entries":[{"reference":{"schema":"olm.package"},"message":"old"}]}
{"schema":"custom","entries":{"not":"a list"},"properties":3,"name":4}
"#;

const YAML: &str = "# a comment\n---\nschema: olm.package\nname: bar\ndefaultChannel: alpha\n---\n\n---\n# nothing\n---\nschema: olm.channel\npackage: bar\nname: alpha\nentries:\n- name: bar.v0.1.0\n  skips: [bar.v0.0.9]\n---\nschema: olm.bundle\npackage: bar\nname: bar.v0.1.0\nimage: reg/bar:0.1.0\nproperties:\n- type: olm.package\n  value: {packageName: bar, version: 0.1.0}\n- type: olm.gvk\n  value: {group: g, version: v1, kind: K}\nrelatedImages:\n- {name: op, image: 'reg/bar:0.1.0'}\n";

fn both() -> Catalog {
    let mut builder = Builder::new();
    builder.file("foo/catalog.json", JSON.as_bytes()).unwrap();
    builder.file("bar/catalog.yaml", YAML.as_bytes()).unwrap();
    builder.finish().unwrap()
}

fn at(value: &str, line: u32) -> Located<String> {
    let at = At { line, column: 5 };
    Located {
        value: value.to_owned(),
        at,
    }
}

fn package(name: &str, channels: Vec<ChannelSet>) -> PackageSet {
    PackageSet {
        name: at(name, 1),
        channels,
        ..PackageSet::default()
    }
}

fn channel(name: &str, min: Option<&str>, max: Option<&str>) -> ChannelSet {
    let range = VersionRange {
        min: min.map(|v| at(v, 3)),
        max: max.map(|v| at(v, 4)),
        min_bundle: None,
    };
    ChannelSet {
        name: at(name, 2),
        range,
    }
}

fn operator(packages: Vec<PackageSet>) -> OperatorSet {
    OperatorSet {
        catalog: at("reg/index:v1", 1),
        packages,
        ..OperatorSet::default()
    }
}

#[test]
fn json_and_yaml_give_the_same_model() {
    let catalog = both();
    let names: Vec<_> = catalog.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["bar", "foo"], "in path order");
    let foo = catalog
        .bundles
        .iter()
        .find(|b| b.name == "foo.v1.0.0")
        .unwrap();
    assert_eq!(foo.version(), Some("1.0.0"));
    assert_eq!(foo.related_images.len(), 2);
    let stable = catalog
        .channels
        .iter()
        .find(|c| c.name == "stable")
        .unwrap();
    assert_eq!(
        (
            stable.priorities[0].priority,
            stable.entries[1].replaces.as_str()
        ),
        (7, "foo.v1.0.0")
    );
    let bar = catalog.bundles.iter().find(|b| b.package == "bar").unwrap();
    assert_eq!((bar.version(), bar.provided.len()), (Some("0.1.0"), 1));
    assert_eq!(validate::problem(&catalog), None);
    let stored = serde_json::to_vec(&catalog).unwrap();
    assert_eq!(serde_json::from_slice::<Catalog>(&stored).unwrap(), catalog);
    // YAML is a superset: the JSON stream as YAML documents gives the same.
    let mut builder = Builder::new();
    let documents = JSON.trim().replace("\n{", "\n---\n{");
    builder
        .file("x", format!("---\n{documents}").as_bytes())
        .unwrap();
    let mut plain = Builder::new();
    plain.file("x", JSON.as_bytes()).unwrap();
    assert_eq!(builder.finish().unwrap(), plain.finish().unwrap());
}

#[test]
fn dependencies_follow_apis_and_can_be_switched_off() {
    let catalog = both();
    let mut wanted = operator(vec![package("foo", Vec::new())]);
    let found = select(&catalog, &wanted, Semantics::V1).unwrap();
    let bundles: Vec<_> = found.bundles.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(bundles, ["bar.v0.1.0", "foo.v1.1.0"]);
    let origin = found.images["reg/bar:0.1.0"].first().unwrap();
    assert_eq!(
        (origin.bundle.as_str(), origin.channels.as_slice()),
        ("bar.v0.1.0", &["alpha".to_owned()][..])
    );
    assert_eq!(needed_packages(&wanted, Semantics::V1), None);
    wanted.skip_dependencies = true;
    let found = select(&catalog, &wanted, Semantics::V1).unwrap();
    assert_eq!(found.bundles.len(), 1);
    let needed = needed_packages(&wanted, Semantics::V1).unwrap();
    let mut builder = Builder::new().keep_only(needed);
    builder.file("foo/catalog.json", JSON.as_bytes()).unwrap();
    builder.file("bar/catalog.yaml", YAML.as_bytes()).unwrap();
    let small = builder.finish().unwrap();
    assert_eq!(small.packages.len(), 1);
    assert_eq!(
        select(&small, &wanted, Semantics::V1).unwrap().images,
        found.images
    );
}

#[test]
fn errors_name_the_place_and_what_exists() {
    let catalog = both();
    let rows = [
        (package("fo", Vec::new()), 1, "nearest packages: foo"),
        (
            package("foo", vec![channel("stabel", None, None)]),
            2,
            "nearest channels: stable",
        ),
        (
            package("foo", vec![channel("stable", Some("1.0.9"), None)]),
            3,
            "nearest versions: 1.0.0, 1.1.0",
        ),
    ];
    for (wanted, line, hint) in rows {
        let error = select(&catalog, &operator(vec![wanted]), Semantics::V1).unwrap_err();
        assert_eq!(error.place().map(|at| at.line), Some(line), "{error}");
        assert_eq!(error.hint(), Some(hint), "{error}");
    }
    let wanted = operator(vec![package(
        "foo",
        vec![channel("stable", Some("2.0.0"), Some("2.0.0"))],
    )]);
    let error = select(&catalog, &wanted, Semantics::V2).unwrap_err();
    assert_eq!(error.place().map(|at| at.line), Some(4));
    assert_eq!(error.hint(), Some("versions of foo: 1.0.0, 1.1.0"));
}

#[test]
fn ties_are_broken_the_same_way_and_told() {
    let text = JSON.replace("\"version\":\"1.0.0\"", "\"version\":\"1.1.0+1\"");
    let mut builder = Builder::new();
    builder.file("a", text.as_bytes()).unwrap();
    let catalog = builder.finish().unwrap();
    let wanted = operator(vec![package(
        "foo",
        vec![channel("stable", Some("1.1.0"), Some("1.1.0"))],
    )]);
    let found = select(&catalog, &wanted, Semantics::V2).unwrap();
    assert_eq!(
        found.bundles[0].name, "foo.v1.0.0",
        "the highest build metadata"
    );
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn pins_that_do_not_exist_are_found() {
    let catalog = both();
    let wanted = operator(vec![
        package(
            "foo",
            vec![
                channel("stable", Some("1.0.0"), Some("1.0.0")),
                channel("stable", None, Some("1.0.5")),
                channel("beta", None, None),
            ],
        ),
        package("baz", Vec::new()),
    ]);
    let findings = verify_pins(&catalog, &wanted);
    let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "foo version 1.0.5 not found in channel stable: Catalog reg/index:v1",
            "foo channel beta not found: Catalog reg/index:v1",
            "baz not found: Catalog reg/index:v1",
        ]
    );
    assert_eq!(findings[0].nearest, ["1.0.0", "1.1.0"]);
    assert_eq!(findings[0].at.line, 4);
    assert_eq!(findings[1].hint().unwrap(), "nearest channels: stable");
    assert!(matches!(findings[2].missing, Missing::Package(_)));
    let mut pinned = package("foo", Vec::new());
    pinned.range = VersionRange {
        min: Some(at("9.0.0", 1)),
        max: Some(at("9.0.0", 1)),
        min_bundle: None,
    };
    assert_eq!(
        verify_pins(&catalog, &operator(vec![pinned.clone()])).len(),
        1
    );
    // A range is no pin.
    pinned.range.min = Some(at("1.0.0", 1));
    assert_eq!(verify_pins(&catalog, &operator(vec![pinned])), []);
}

#[test]
fn listing_shows_heads_and_versions() {
    let catalog = both();
    let rows = listing::packages(&catalog);
    assert_eq!(rows[1].head.as_deref(), Some("foo.v1.1.0"));
    assert_eq!(rows[1].version.as_deref(), Some("1.1.0"));
    let channels = listing::channels(&catalog, "foo");
    assert!(channels[0].is_default && channels.len() == 1);
    let versions = listing::versions(&catalog, "foo", Some("stable"));
    let versions: Vec<_> = versions.iter().map(|v| v.version.as_str()).collect();
    assert_eq!(versions, ["1.0.0", "1.1.0"]);
    assert_eq!(listing::versions(&catalog, "foo", Some("none")), []);
}

#[test]
fn validity_is_worded_as_upstream() {
    let rows = [
        (
            "\"defaultChannel\":\"stable\"",
            "\"defaultChannel\":\"gone\"",
            "invalid index:\n└── invalid package \"foo\":\n    └── invalid channel \"gone\":\n        └── channel must contain at least one bundle",
        ),
        (
            "\"replaces\":\"foo.v1.0.0\",",
            "",
            "invalid index:\n└── invalid package \"foo\":\n    └── invalid channel \"stable\":\n        └── multiple channel heads found in graph: foo.v1.0.0, foo.v1.1.0",
        ),
        (
            "{\"name\":\"foo.v1.0.0\"},",
            "{\"name\":\"foo.v1.0.0\",\"replaces\":\"foo.v1.1.0\"},",
            "invalid index:\n└── invalid package \"foo\":\n    └── invalid channel \"stable\":\n        └── no channel head found in graph",
        ),
        (
            "{\"name\":\"foo.v1.0.0\"},",
            "{\"name\":\"foo.v1.0.0\",\"replaces\":\"foo.v1.0.0\"},",
            "invalid index:\n└── invalid package \"foo\":\n    └── invalid channel \"stable\":\n        └── detected cycle in replaces chain of upgrade graph: foo.v1.0.0 -> foo.v1.0.0",
        ),
        (
            "{\"name\":\"foo.v1.0.0\"},",
            "",
            "package \"foo\", bundle \"foo.v1.0.0\" not found in any channel entries",
        ),
        (
            "{\"name\":\"foo.v1.0.0\"},",
            "{\"name\":\"foo.v1.0.0\"},{\"name\":\"x\",\"skips\":[\"foo.v1.1.0\"]},",
            "no olm.bundle blobs found in package \"foo\" for olm.channel entries [x]",
        ),
        (
            "\"version\":\"1.1.0\"",
            "\"version\":\"v1\"",
            "error parsing bundle \"foo.v1.1.0\" version \"v1\": No Major.Minor.Patch elements found",
        ),
        (
            "\"packageName\":\"foo\",\"version\":\"1.1.0\"",
            "\"packageName\":\"fox\",\"version\":\"1.1.0\"",
            "package \"foo\" does not match \"olm.package\" property \"fox\"",
        ),
        (
            "\"image\":\"reg/foo:1.1.0\",",
            "",
            "invalid index:\n└── invalid package \"foo\":\n    └── invalid channel \"stable\":\n        └── invalid bundle \"foo.v1.1.0\":\n            └── bundle image must be set",
        ),
    ];
    for (from, to, problem) in rows {
        let text = JSON.replace(from, to);
        assert_ne!(text, JSON);
        let mut builder = Builder::new();
        builder.file("a.json", text.as_bytes()).unwrap();
        let catalog = builder.finish().unwrap();
        assert_eq!(validate::problem(&catalog).as_deref(), Some(problem));
        let refused = select(&catalog, &operator(Vec::new()), Semantics::V1).unwrap_err();
        assert!(refused.to_string().ends_with(problem), "{refused}");
    }
}

#[test]
fn layers_replace_and_remove_files() {
    let mut builder = Builder::new();
    builder.file("foo/catalog.json", &b"{not json"[..]).unwrap();
    builder.file("bar/catalog.yaml", YAML.as_bytes()).unwrap();
    builder.file("bar2/catalog.yaml", YAML.as_bytes()).unwrap();
    builder.file("foo/catalog.json", JSON.as_bytes()).unwrap();
    builder.remove("bar");
    builder.remove("bar2/catalog.yaml");
    let catalog = builder.finish().unwrap();
    assert_eq!(catalog.packages.len(), 1);
    let mut builder = Builder::new();
    builder.file("foo/catalog.json", JSON.as_bytes()).unwrap();
    builder.clear("");
    assert!(matches!(builder.finish(), Err(CatalogError::Empty)));
}

#[test]
fn content_errors_name_file_and_line() {
    let rows: [(&[u8], &str); 6] = [
        (b"{\"schema\":\"olm.package\"}\n{\"a\":}", "line 2"),
        (
            b"{\"name\":\"x\"}",
            "object 'x' is missing root schema field",
        ),
        (b"README\n", "not a catalog object"),
        (b"---\nschema: olm.package\n---\na: [", "document at line 4"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{\"schema\":\"olm.package\"} trailing", "line 1 column 28"),
    ];
    for (bytes, reason) in rows {
        let mut builder = Builder::new();
        builder.file("dir/file", bytes).unwrap();
        let error = builder.finish().unwrap_err().to_string();
        assert!(
            error.starts_with("dir/file: ") && error.contains(reason),
            "{error}"
        );
    }
    assert_eq!(sniff(b" \n\t{"), Format::Json);
    assert_eq!(sniff(b"---\n{"), Format::Yaml);
}

#[test]
fn a_failing_reader_is_an_error_at_once() {
    struct Failing(usize);
    impl std::io::Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let text = JSON.as_bytes();
            let take = buffer.len().min(50).min(text.len() - self.0);
            if self.0 > 200 {
                return Err(std::io::Error::other("reset"));
            }
            buffer[..take].copy_from_slice(&text[self.0..self.0 + take]);
            self.0 += take;
            Ok(take)
        }
    }
    let mut builder = Builder::new();
    assert!(builder.file("a", Failing(0)).is_err());
}

#[test]
fn directories_follow_indexignore_and_refuse_escapes() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    write("foo/catalog.json", JSON);
    write("foo/README.md", "no catalog");
    write("foo/.indexignore", "*.md\n");
    write(
        ".indexignore",
        "# comment\n/docs/\n**/*.txt\n!keep.txt\n[ab].tmp\n",
    );
    write("docs/deep/a.json", "{broken");
    write("x/y.txt", "{broken");
    write("x/keep.txt", YAML);
    write("x/a.tmp", "{broken");
    std::os::unix::fs::symlink("../foo/catalog.json", root.path().join("x/again.json")).unwrap();
    let catalog = load_dir(root.path()).unwrap();
    let names: Vec<_> = catalog.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["foo", "foo", "bar"]);
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("x/out.json")).unwrap();
    assert!(matches!(
        load_dir(root.path()),
        Err(CatalogError::Escape { .. })
    ));
    assert!(matches!(
        load_dir(&root.path().join("none")),
        Err(CatalogError::Read { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_files_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[-{}\\[\\]\":,a-z\n #&*!|>]{0,120}") {
        let mut builder = Builder::new();
        builder.file("a", &bytes[..]).unwrap();
        let _ = builder.finish();
        let mut builder = Builder::new();
        builder.file("b/.indexignore", text.as_bytes()).unwrap();
        builder.file("b/c", text.as_bytes()).unwrap();
        let _ = builder.finish();
    }

    /// Any cut of a good catalog, and any wild graph, ends in an answer.
    #[test]
    fn hostile_graphs_do_not_panic(
        cut in 0..JSON.len(),
        edges in proptest::collection::vec((0..6u8, 0..6u8, 0..6u8), 0..8),
        min in 0..4u8, max in 0..4u8,
    ) {
        let mut builder = Builder::new();
        builder.file("a", &JSON.as_bytes()[..cut]).unwrap();
        let _ = builder.finish();
        let mut catalog = both();
        let channel = catalog.channels.last_mut().unwrap();
        channel.entries = edges.iter().map(|(name, replaces, skip)| super::model::Entry {
            name: format!("foo.v1.{name}.0"),
            replaces: format!("foo.v1.{replaces}.0"),
            skips: vec![format!("foo.v1.{skip}.0")],
        }).collect();
        let (min, max) = (format!("1.{min}.0"), format!("1.{max}.0"));
        for semantics in Semantics::ALL {
            for range in [(None, None), (Some(min.as_str()), None), (Some(min.as_str()), Some(max.as_str()))] {
                let wanted = operator(vec![package("foo", vec![super::tests::channel("stable", range.0, range.1)])]);
                let once = select(&catalog, &wanted, semantics);
                prop_assert_eq!(once, select(&catalog, &wanted, semantics));
            }
        }
        let _ = listing::versions(&catalog, "foo", None);
    }
}
