use super::*;

fn registries(text: &str) -> Registries {
    let mut registries = Registries::default();
    registries.add(Path::new("r.conf"), text).unwrap();
    registries
}

fn places(registries: &Registries, image: &str, purpose: Purpose) -> Vec<String> {
    let places = registries.places(&image.parse().unwrap(), purpose).unwrap();
    let show = |(place, insecure): (Reference, bool)| {
        format!("{place}{}", if insecure { " insecure" } else { "" })
    };
    places.into_iter().map(show).collect()
}

const CONF: &str = r#"
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "quay.io/ns"
location = "rewritten.example:5000/other"
[[registry.mirror]]
location = "m1.example"
insecure = true
[[registry.mirror]]
location = "m2.example/deep/er"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "m3.example"
pull-from-mirror = "tag-only"
[[registry]]
location = "quay.io/ns/blocked"
blocked = true
[[registry]]
location = "quay.io"
insecure = true
[[registry]]
prefix = "*.corp.example"
[[registry]]
prefix = "special.corp.example"
location = "special.corp.example"
mirror-by-digest-only = true
mirror = [{ location = "m4.example" }]
"#;

#[test]
fn the_longest_prefix_decides() {
    let registries = registries(CONF);
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(
        places(&registries, "elsewhere.io/a:b", Purpose::Manifest),
        ["elsewhere.io/a:b"]
    );
    assert_eq!(
        places(&registries, "quay.io/a:b", Purpose::Manifest),
        ["quay.io/a:b insecure"]
    );
    assert_eq!(
        places(&registries, "quay.io/nsx/a:b", Purpose::Manifest),
        ["quay.io/nsx/a:b insecure"]
    );
    assert_eq!(
        places(&registries, "quay.io/ns/a:b", Purpose::Manifest),
        [
            "m1.example/a:b insecure",
            "m3.example/a:b",
            "rewritten.example:5000/other/a:b"
        ]
    );
    assert_eq!(
        places(
            &registries,
            &format!("quay.io/ns/a@{digest}"),
            Purpose::Manifest
        ),
        [
            format!("m1.example/a@{digest} insecure"),
            format!("m2.example/deep/er/a@{digest}"),
            format!("rewritten.example:5000/other/a@{digest}")
        ]
    );
    assert_eq!(
        places(&registries, "quay.io/ns/a:b", Purpose::Blob).len(),
        4
    );
    let blocked = registries.places(&"quay.io/ns/blocked:x".parse().unwrap(), Purpose::Manifest);
    assert!(blocked.unwrap_err().detail.contains("quay.io/ns/blocked"));
    assert_eq!(
        places(&registries, "a.b.corp.example:5000/x", Purpose::Manifest),
        ["a.b.corp.example:5000/x"]
    );
    assert_eq!(
        places(&registries, "special.corp.example/x:1", Purpose::Manifest).len(),
        1
    );
    assert_eq!(
        places(
            &registries,
            &format!("special.corp.example/x@{digest}"),
            Purpose::Manifest
        )
        .len(),
        2
    );
}

#[test]
fn wildcards_stand_for_subdomains_only() {
    assert_eq!(match_end("*.example.com", "a.example.com/x"), Some(13));
    for name in [
        "example.com/x",
        "a.example.community/x",
        "b.io/a.example.com/x",
    ] {
        assert_eq!(match_end("*.example.com", name), None, "{name}");
    }
}

#[test]
fn refused_files_say_where() {
    let table = [
        (
            "[registries.search]\nregistries = ['a']\n",
            "v2 format but is in v1",
        ),
        ("[[registry]]\nprefix = 5\n", "line 2, column 10"),
        (
            "[[registry]]\ninsecure = true\n",
            "neither prefix nor location",
        ),
        ("[[registry]]\nprefix = 'a.io'\n", "no location"),
        ("[[registry]]\nlocation = 'https://a.io'\n", "no URL scheme"),
        (
            "[[registry]]\nlocation='a.io'\nmirror-by-digest-only=true\nmirror=[{location='b.io',pull-from-mirror='all'}]\n",
            "mirror-by-digest-only",
        ),
    ];
    for (text, expected) in table {
        let error = Registries::default()
            .add(Path::new("r.conf"), text)
            .unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let bare = registries("[[registry]]\nlocation='a.io'\nmirror=[{location='mirror'}]\n");
    assert!(
        bare.places(&"a.io/x".parse().unwrap(), Purpose::Manifest)
            .is_err()
    );
}

#[test]
fn drop_ins_override_by_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
    };
    write(
        "etc/containers/registries.conf",
        "[[registry]]\nlocation='a.io'\n",
    );
    write(
        "etc/containers/registries.conf.d/1.conf",
        "[[registry]]\nlocation='a.io'\nblocked=true\n",
    );
    write(
        "etc/containers/registries.conf.d/2.conf",
        "[[registry]]\nprefix='a.io'\nlocation='b.io'\n",
    );
    write("etc/containers/registries.conf.d/3.txt", "nonsense");
    write(
        "home/.config/containers/registries.conf.d/1.conf",
        "[[registry]]\nprefix='c.io'\nlocation='d.io'\n",
    );
    let mut options = Options {
        environment: Environment {
            home: Some(dir.path().join("home")),
            etc: dir.path().join("etc"),
            ..Environment::default()
        },
        ..Options::default()
    };
    let registries = Registries::load(&options).unwrap();
    assert_eq!(places(&registries, "a.io/x", Purpose::Manifest), ["b.io/x"]);
    assert_eq!(places(&registries, "c.io/x", Purpose::Manifest), ["d.io/x"]);
    options.registries_conf = Some(dir.path().join("missing.conf"));
    assert!(
        Registries::load(&options)
            .unwrap_err()
            .to_string()
            .contains("missing.conf")
    );
}

#[test]
fn what_lies_on_a_mirror_is_asked_of_no_other() {
    let mirrors = [
        "http://one.example/ocp",
        "two.example",
        "quay.io=three.example/q",
    ];
    let registries = Registries {
        mirrors: mirrors.map(|text| text.parse().unwrap()).to_vec(),
        rules: BTreeMap::new(),
    };
    for (image, expected) in [
        (
            "quay.io/ns/a:v1",
            &[
                "one.example/ocp/ns/a:v1 insecure",
                "two.example/ns/a:v1",
                "three.example/q/ns/a:v1",
                "quay.io/ns/a:v1",
            ][..],
        ),
        (
            "two.example/snoforge/inventory:x",
            &["two.example/snoforge/inventory:x"],
        ),
        (
            "one.example/ocp/snoforge/inventory:x",
            &["one.example/ocp/snoforge/inventory:x insecure"],
        ),
    ] {
        assert_eq!(places(&registries, image, Purpose::Manifest), expected);
    }
}
