use super::*;

fn auth(login: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(login)
}

fn user(content: &Content, registry: &str, repository: &str) -> Option<String> {
    match content.find(registry, repository)?.1 {
        Found::Known(Credential::Login { user, .. }) => Some(user.clone()),
        Found::Known(Credential::IdentityToken(_)) => Some("(token)".to_owned()),
        Found::Helper(helper) => Some(format!("({helper})")),
    }
}

#[test]
fn the_longest_key_wins() {
    let file = serde_json::json!({
        "auths": {
            "quay.io": {"auth": auth("host:p")},
            "quay.io/ns": {"auth": auth("ns:p")},
            "quay.io/ns/repo": {"auth": auth("repo:p")},
            "reg:5000": {"auth": auth("port:p:with:colons\0")},
            "https://index.docker.io/v1/": {"auth": auth("hub:p")},
            "empty.io": {},
            "nocolon.io": {"auth": auth("nocolon")},
            "id.io": {"auth": auth("u:p"), "identitytoken": "t"},
        },
        "credHelpers": {"helped.io": "x"},
    });
    let content = parse(file.to_string().as_bytes()).unwrap();
    let table = [
        ("quay.io", "other/repo", Some("host")),
        ("quay.io", "ns/other", Some("ns")),
        ("quay.io", "ns/repo", Some("repo")),
        ("quay.io", "ns/repo/deep", Some("repo")),
        ("quay.io", "nsx/repo", Some("host")),
        ("reg:5000", "a", Some("port")),
        ("reg", "a", None),
        ("docker.io", "library/busybox", Some("hub")),
        ("empty.io", "a", None),
        ("nocolon.io", "a", None),
        ("id.io", "a", Some("(token)")),
        ("helped.io", "a", Some("(x)")),
    ];
    for (registry, repository, expected) in table {
        let got = user(&content, registry, repository);
        assert_eq!(got.as_deref(), expected, "{registry}/{repository}");
    }
    let Some(Credential::Login { password, .. }) = content.logins.get("reg:5000") else {
        panic!("a login");
    };
    assert_eq!(password.expose(), "p:with:colons");
}

#[test]
fn a_broken_file_is_named_and_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth.json");
    for bad in [
        "",
        r#"{"auths":{"quay.io":"hunter2"}}"#,
        r#"{"auths":{"quay.io":{"auth":"hunter2!"}}}"#,
    ] {
        fs_err::write(&path, bad).unwrap();
        let options = Options {
            authfile: Some(path.clone()),
            ..Options::default()
        };
        let text = Credentials::load(&options).unwrap_err().to_string();
        assert!(
            text.contains("auth.json") && !text.contains("hunter2"),
            "{text}"
        );
    }
    let options = Options {
        authfile: Some(dir.path().join("missing")),
        ..Options::default()
    };
    assert!(Credentials::load(&options).is_err());
}

#[test]
fn files_in_order_and_the_first_match_answers() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, key: &str, login: &str| {
        let path = dir.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let file = serde_json::json!({"auths": {key: {"auth": auth(login)}}});
        fs_err::write(path, file.to_string()).unwrap();
    };
    write("run/containers/7/auth.json", "a.io", "runtime:p");
    write("home/.config/containers/auth.json", "b.io", "config:p");
    write("home/.docker/config.json", "a.io", "docker:p");
    fs_err::write(
        dir.path().join("home/.dockercfg"),
        format!(r#"{{"c.io":{{"auth":"{}"}}}}"#, auth("cfg:p")),
    )
    .unwrap();
    let environment = Environment {
        home: Some(dir.path().join("home")),
        run: dir.path().join("run"),
        uid: 7,
        ..Environment::default()
    };
    let credentials = Credentials::load(&Options {
        environment,
        ..Options::default()
    })
    .unwrap();
    let file = |registry| {
        let source = credentials.source(registry, "x").unwrap()?;
        Some(
            source
                .file
                .strip_prefix(dir.path())
                .unwrap()
                .display()
                .to_string(),
        )
    };
    assert_eq!(file("a.io").as_deref(), Some("run/containers/7/auth.json"));
    assert_eq!(
        file("b.io").as_deref(),
        Some("home/.config/containers/auth.json")
    );
    assert_eq!(file("c.io").as_deref(), Some("home/.dockercfg"));
    assert_eq!(file("d.io"), None);
}

#[test]
fn helpers_are_asked_on_stdin() {
    let dir = tempfile::tempdir().unwrap();
    let (text, program) = (dir.path().join("text"), dir.path().join("helper"));
    let script = r#"#!/bin/sh
read host
case $1.$host in
get.a.io) echo '{"ServerURL":"a.io","Username":"u","Secret":"hunter2"}' ;;
get.b.io) echo '{"ServerURL":"b.io","Username":"<token>","Secret":"t"}' ;;
get.c.io) echo 'credentials not found in native keychain'; exit 1 ;;
get.d.io) echo 'hunter2' ;;
*) echo 'locked' >&2; exit 1 ;;
esac
"#;
    // Copied by another process: a file that this one has just written may still be open in a fork of another test.
    fs_err::write(&text, script).unwrap();
    let copy = [
        "-m",
        "755",
        text.to_str().unwrap(),
        program.to_str().unwrap(),
    ];
    exec::run("install", &copy).unwrap();
    let ask = |host| ask_helper(program.to_str().unwrap(), host);
    assert!(matches!(ask("a.io"), Ok(Some(Credential::Login { user, .. })) if user == "u"));
    assert!(matches!(
        ask("b.io"),
        Ok(Some(Credential::IdentityToken(_)))
    ));
    assert_eq!(ask("c.io"), Ok(None));
    assert!(!ask("d.io").unwrap_err().contains("hunter2"));
    assert!(ask("e.io").unwrap_err().contains("locked"));
}

#[test]
fn secrets_do_not_show() {
    let login = Credential::Login {
        user: "u".to_owned(),
        password: Secret::new("hunter2"),
    };
    assert!(!format!("{login:?}").contains("hunter2"));
}
