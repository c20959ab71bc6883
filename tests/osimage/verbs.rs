//! `lint`, `render` and `predict` as a person runs them.

use crate::{shared, with_files};

#[test]
fn lint_names_lines_and_cures() {
    let files = [(
        "C",
        "FROM configs AS final\nCOPY a /b\nRUN dnf install -y x\n",
    )];
    let run = with_files(&files, &["osimage", "lint", "C"]).expect(7);
    assert!(
        run.stdout
            .starts_with("error: OCL002: C:2: `a` comes from the build context"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("warning: OCL006: C:3:") && run.stdout.contains("\n  cure: "));
    let run = with_files(&files, &["osimage", "lint", "C", "--output", "json"]).expect(7);
    assert_eq!(run.json()["findings"][1]["object"], "C:3");
    let files = [("C", "FROM configs AS final\nRUN true\n")];
    let run = with_files(&files, &["osimage", "lint", "C"]).expect(0);
    assert_eq!(run.stdout, "C: nothing is wrong\n");
    let long = format!("FROM configs\n#{}", "x".repeat(4096));
    with_files(&[("C", &long)], &["osimage", "lint", "C"]).expect(7);
    with_files(&[("C", &long)], &["osimage", "lint", "C", "--api", "4.14"]).expect(0);
}

#[test]
fn the_fixtures_are_rendered_whatever_their_packing() {
    let mut texts = Vec::new();
    for name in [
        "ign_config.json",
        "compressed_ign_config.json.gz",
        "compressed_and_encoded_ign_config.json.gz",
    ] {
        let Some(path) = shared(&format!("data/osimage/fixtures/{name}")) else {
            return;
        };
        let run = with_files(&[], &["osimage", "render", path.to_str().unwrap()]).expect(0);
        texts.push(run.stdout);
    }
    assert!(texts[0].contains("text: |\n"), "{}", texts[0]);
    assert!(
        texts[0].contains("hello world") && texts[0].contains("mode: \"0644\""),
        "{}",
        texts[0]
    );
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
}

#[test]
fn the_dockerfile_is_shown_alone() {
    let map = "kind: List\nitems:\n- kind: ConfigMap\n  metadata: {name: dockerfile-x}\n  data: {Dockerfile: \"FROM a\\nRUN b\\n\"}\n- kind: MachineConfig\n  metadata: {name: r}\n";
    let run = with_files(&[("m", map)], &["osimage", "render", "--dockerfile", "m"]).expect(0);
    assert_eq!(run.stdout, "FROM a\nRUN b\n");
    let run = with_files(&[("m", map)], &["osimage", "render", "m"]).expect(0);
    assert!(
        run.stdout
            .contains("# Containerfile dockerfile-x\n---\nFROM a")
            && run.stdout.contains("# MachineConfig r\n"),
        "{}",
        run.stdout
    );
    let run = with_files(&[("m", "kind: Pod\n")], &["osimage", "render", "m"]).expect(2);
    assert!(
        run.stderr
            .starts_with("error: m: it is no ConfigMap of a build"),
        "{}",
        run.stderr
    );
}

#[test]
fn names_are_predicted_from_what_the_cluster_says() {
    let config = "kind: MachineOSConfig\nmetadata: {name: worker}\nspec:\n  containerFile: []\n  imageBuilder: {imageBuilderType: Job}\n  machineConfigPool: {name: worker}\n  renderedImagePushSecret: {name: \"\"}\n  renderedImagePushSpec: registry.hostname.com/org/repo:latest\n";
    let urls = "kind: ConfigMap\ndata:\n  baseOSContainerImage: registry.hostname.com/org/repo@sha256 string = 220a60ecd4a3c32c282622a625a54db9ba0ff55b5ba9c29c7064a2bc358b6a3e\n  baseOSExtensionsContainerImage: registry.hostname.com/org/repo@sha256 string = 5fb4ba1a651bae8057ec6b5cdafc93fa7e0b7d944d6f02a4b751de4e15464def\n  osImageURL: x\n  releaseVersion: release-version\n";
    let files = [
        ("c", config),
        ("u", urls),
        ("p", "kind: MachineConfigPool\nspec: {configuration: {}}\n"),
    ];
    let args = [
        "osimage",
        "predict",
        "--config",
        "c",
        "--mcp",
        "p",
        "--os-images",
        "u",
    ];
    let run = with_files(&files, &args).expect(0);
    assert!(
        run.stdout
            .contains("registry.hostname.com/org/repo:worker-699e6be74658adcb3ff2b48f32cd1584\n"),
        "{}",
        run.stdout
    );
    let run = with_files(&files, &["osimage", "predict", "--config", "c"]).expect(2);
    assert!(run.stderr.contains("mcp is missing"), "{}", run.stderr);
    let old = [
        "osimage",
        "predict",
        "--api",
        "4.14",
        "--rendered",
        "rendered-worker-1",
        "--push-spec",
        "quay.io/myorg/myrepo:latest",
    ];
    let run = with_files(&[], &old).expect(0);
    assert!(
        run.stdout
            .contains("image           quay.io/myorg/myrepo:rendered-worker-1"),
        "{}",
        run.stdout
    );
    let folded = config.replace("[]", &format!("[{{content: \"{}\"}}]", "word ".repeat(30)));
    let files = [("c", folded.as_str()), ("u", urls), ("p", files[2].1)];
    let run = with_files(&files, &args).expect(3);
    assert!(run.stderr.contains("cannot be predicted"), "{}", run.stderr);
}
