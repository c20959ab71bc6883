//! Verbs that need no network: image sets, templates, completions, usage errors.

use super::run;

const GOOD: &str = "apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\nmirror:\n  additionalImages:\n  - name: quay.io/a/b:c\n";

#[test]
fn findings_name_their_place() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("imageset.yaml");
    let path = file.to_str().unwrap();
    fs_err::write(&file, GOOD.replace("additionalImages", "aditionalImages")).unwrap();
    let bad = run(home.path(), &["imageset", "check", "-c", path]).expect(2);
    assert!(
        bad.stderr.contains(&format!("{path}:4:3: ")),
        "{}",
        bad.stderr
    );
    assert!(
        bad.stderr.contains("additionalImages"),
        "the nearest name: {}",
        bad.stderr
    );
    let json = run(
        home.path(),
        &["imageset", "check", "-c", path, "--output", "json"],
    )
    .expect(2)
    .json();
    assert_eq!(json["findings"][0]["line"], 4);
    fs_err::write(&file, GOOD).unwrap();
    let good = run(home.path(), &["imageset", "check", "-c", path]).expect(0);
    assert!(good.stdout.contains("ok"), "{}", good.stdout);
}

#[test]
fn template_is_a_good_image_set() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("i.yaml");
    let path = file.to_str().unwrap();
    for release in ["4.12.8", "4.19.0"] {
        run(
            home.path(),
            &[
                "imageset",
                "init",
                "-r",
                release,
                "--mce-version",
                "2.2.4",
                "-o",
                path,
            ],
        )
        .expect(0);
        run(home.path(), &["imageset", "check", "-c", path]).expect(0);
    }
    let wrong = run(home.path(), &["imageset", "init", "-r", "4.14"]).expect(2);
    assert!(
        wrong.stderr.contains("X.Y.Z format expected"),
        "{}",
        wrong.stderr
    );
    assert!(wrong.stderr.contains("hint:"), "{}", wrong.stderr);
}

#[test]
fn wrong_usage_is_exit_2_and_help_is_0() {
    let home = tempfile::tempdir().unwrap();
    run(home.path(), &["precache", "downlod"]).expect(2);
    run(home.path(), &["precache", "verify"]).expect(2);
    let help = run(home.path(), &["precache", "download", "--help"]).expect(0);
    assert!(help.stdout.contains("--skip-imageset"), "{}", help.stdout);
    let version = run(home.path(), &["version", "--output", "json"])
        .expect(0)
        .json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn failures_are_documents_too_when_json_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let line = ["ignition", "inspect", "/none.ign", "--output", "json"];
    let failed = run(home.path(), &line).expect(2);
    let error = &failed.json()["error"];
    assert_eq!(error["exit"], 2);
    assert_eq!(error["message"], "cannot read /none.ign: no such file");
    assert!(failed.stderr.starts_with("error: cannot read"));
    let text = run(home.path(), &line[..3]).expect(2);
    assert_eq!(text.stdout, "");
}

#[test]
fn completions_and_manual_pages_are_made() {
    let home = tempfile::tempdir().unwrap();
    let bash = run(home.path(), &["completions", "bash"]).expect(0);
    assert!(bash.stdout.contains("complete -F"), "{}", bash.stdout);
    let man = home.path().join("man");
    run(home.path(), &["man", man.to_str().unwrap()]).expect(0);
    let page = fs_err::read_to_string(man.join("snoforge-precache-download.1")).unwrap();
    assert!(page.contains("rm\\-stale"), "{page}");
}

#[test]
fn a_directory_without_data_is_told() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().to_str().unwrap();
    let failed = run(home.path(), &["precache", "verify", "-f", dir]).expect(2);
    assert!(
        failed.stderr.contains("is not a snoforge data directory"),
        "{}",
        failed.stderr
    );
}

#[test]
fn local_catalog_needs_no_registry() {
    let home = tempfile::tempdir().unwrap();
    let package = home.path().join("configs/p");
    fs_err::create_dir_all(&package).unwrap();
    let fbc = concat!(
        r#"{"schema":"olm.package","name":"p","defaultChannel":"stable"}"#,
        r#"{"schema":"olm.channel","package":"p","name":"stable","entries":[{"name":"p.v1.0.0"},{"name":"p.v1.1.0","replaces":"p.v1.0.0"}]}"#,
        r#"{"schema":"olm.bundle","package":"p","name":"p.v1.0.0","image":"q.io/p:1","properties":[{"type":"olm.package","value":{"packageName":"p","version":"1.0.0"}}],"relatedImages":[{"name":"","image":"q.io/p:1"}]}"#,
        r#"{"schema":"olm.bundle","package":"p","name":"p.v1.1.0","image":"q.io/p:2","properties":[{"type":"olm.package","value":{"packageName":"p","version":"1.1.0"}}],"relatedImages":[{"name":"","image":"q.io/p:2"}]}"#,
    );
    fs_err::write(package.join("catalog.json"), fbc).unwrap();
    let catalog = format!("file://{}", home.path().join("configs").display());
    let set = home.path().join("i.yaml");
    let text = format!(
        "apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  operators:\n  - catalog: {catalog}\n    packages:\n    - name: p\n"
    );
    fs_err::write(&set, text).unwrap();
    let json = run(
        home.path(),
        &[
            "imageset",
            "bundles",
            "-c",
            set.to_str().unwrap(),
            "--output",
            "json",
        ],
    )
    .expect(0)
    .json();
    assert_eq!(
        json["catalogs"][0]["bundles"],
        serde_json::json!(["p/p.v1.1.0"])
    );
    assert_eq!(
        json["catalogs"][0]["images"],
        serde_json::json!(["q.io/p:2"])
    );
    let table = run(
        home.path(),
        &[
            "imageset",
            "operators",
            "--catalog",
            &catalog,
            "--package",
            "p",
            "--channel",
            "stable",
        ],
    )
    .expect(0);
    assert!(
        table.stdout.contains("1.0.0") && table.stdout.contains("1.1.0"),
        "{}",
        table.stdout
    );
}

#[test]
fn a_redirected_log_has_no_colours_and_help_keeps_shared_flags_apart() {
    let home = tempfile::tempdir().unwrap();
    let help = run(home.path(), &["precache", "download", "--help"]).expect(0);
    assert!(help.stdout.contains("\nReporting:\n"), "{}", help.stdout);
    let logged = run(
        home.path(),
        &[
            "-vv",
            "imageset",
            "operators",
            "--catalog",
            "127.0.0.1:1/none:v1",
            "--tls-verify=false",
        ],
    )
    .expect(5);
    assert!(logged.stderr.contains("DEBUG"), "{}", logged.stderr);
    assert!(!logged.stderr.contains('\u{1b}'), "{}", logged.stderr);
}
