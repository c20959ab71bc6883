mod never_panics;
mod rules;

use super::*;

const V1_HEAD: &str = "apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\n";
const V2_HEAD: &str = "apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\n";

/// Errors as `line:column: message` with the hint after `|`.
fn errors(text: &str) -> Vec<String> {
    match parse("f", text) {
        Ok(parsed) => panic!("accepted: {parsed:?}"),
        Err(findings) => shown(&findings),
    }
}

fn warnings(text: &str) -> Vec<String> {
    shown(
        &parse("f", text)
            .unwrap_or_else(|e| panic!("{e:?}"))
            .warnings,
    )
}

fn shown(findings: &[Finding]) -> Vec<String> {
    let line = |f: &Finding| {
        let text = f.to_string();
        let text = text.strip_prefix("f:").unwrap().trim_start().to_owned();
        f.hint()
            .map_or(text.clone(), |hint| format!("{text} | {hint}"))
    };
    findings.iter().map(line).collect()
}

fn v1(mirror: &str) -> String {
    format!("{V1_HEAD}mirror:\n{mirror}")
}

fn v2(mirror: &str) -> String {
    format!("{V2_HEAD}mirror:\n{mirror}")
}

const EVERYTHING_V1: &str = "
archiveSize: 4
storageConfig:
  registry: {imageURL: r.io/meta, skipTLS: true}
  local: {path: /tmp}
mirror:
  platform:
    graph: yes
    architectures: [arm64]
    channels:
      - {name: stable-4.14, type: ocp, minVersion: 4.14.1, maxVersion: 4.14.5, shortestPath: true, full: true}
  operators:
    - catalog: r.io/a/b:v1
      targetCatalog: x/y
      targetTag: v2
      targetName: t
      originalRef: o
      full: true
      skipDependencies: true
      packages:
        - name: p
          defaultChannel: c
          minVersion: 1.0.0
          maxVersion: 2.0.0
          minBundle: p.v1
          channels:
            - {name: c, minVersion: 1.1.0, maxVersion: 1.2.0, minBundle: b}
  additionalImages: [{name: r.io/i:t}]
  blockedImages: [{name: alpine}]
";

#[test]
fn whole_schema_v1() {
    let text = format!("{V1_HEAD}{EVERYTHING_V1}");
    let Parsed { imageset, warnings } = parse("f", &text).unwrap();
    assert_eq!(warnings, []);
    assert!(imageset.platform.graph, "yes is a YAML 1.1 truth value");
    assert_eq!(imageset.platform.architectures, ["arm64"]);
    let operator = &imageset.operators[0];
    assert_eq!(operator.unique_name, "r.io/x/y:v2");
    let package = &operator.packages[0];
    let bundle = package.range.min_bundle.as_ref().unwrap();
    assert_eq!(
        (bundle.value.as_str(), bundle.at),
        (
            "p.v1",
            At {
                line: 27,
                column: 22
            }
        )
    );
    assert_eq!(
        package.channels[0].name.at,
        At {
            line: 29,
            column: 22
        }
    );
    assert_eq!(operator.catalog.at.line, 15);
    assert_eq!(imageset.platform.channels[0].name.at.line, 13);
}

#[test]
fn whole_schema_v2() {
    let text = v2("
  platform:
    graph: true
    release: quay.io/r@sha256:0
    kubeVirtContainer: true
    platforms: [{os: linux, architecture: arm64}, {os: linux, architecture: arm64}]
    channels: [{name: stable-4.14}]
  operators:
    - catalog: r.io/a/b:v1
      targetCatalogSourceTemplate: /t
      platforms: [{os: linux, architecture: amd64}]
      packages: [{name: p, defaultChannel: c}]
  additionalImages:
    - {name: r.io/i:t, targetRepo: a/b, targetTag: c, platforms: []}
");
    let Parsed { imageset, warnings } = parse("f", &text).unwrap();
    assert_eq!(warnings, []);
    assert!(imageset.platform.kubevirt_container);
    assert_eq!(imageset.platform.platforms.len(), 2);
    assert_eq!(
        imageset.platform.architectures,
        ["arm64"],
        "taken from platforms, each once"
    );
    assert_eq!(
        imageset.additional_images[0].target_repo.as_deref(),
        Some("a/b")
    );
}

#[test]
fn unknown_fields_everywhere_with_the_nearest_name() {
    let text = v1(
        "  plattform: {}\n  operators:\n    - catalog: a/b\n      package:\n      packages:\n      - name: p\n        channels:\n        - {name: c, minversoin: 1.0.0, zzz: 1}\n",
    );
    let found = errors(&text);
    let decode =
        "decode mirror.openshift.io/v1alpha2, Kind=ImageSetConfiguration: json: unknown field";
    assert_eq!(
        found[0],
        format!("4:3: {decode} \"plattform\" | did you mean `platform`?")
    );
    assert_eq!(
        found[1],
        format!("7:7: {decode} \"package\" | did you mean `packages`?")
    );
    assert_eq!(
        found[2],
        format!("11:21: {decode} \"minversoin\" | did you mean `minVersion`?")
    );
    assert_eq!(
        found[3],
        format!(
            "11:40: {decode} \"zzz\" | the fields here are name, minVersion, maxVersion, minBundle"
        )
    );
    assert_eq!(found.len(), 4);
    for only_v1 in ["      minBundle: b\n", "      targetName: b\n"] {
        let text = v2(&format!("  operators:\n    - catalog: a/b:c\n{only_v1}"));
        assert!(errors(&text)[0].contains("decode ImageSetConfiguration: json: unknown field"));
    }
}

#[test]
fn wrong_types_as_go_words_them() {
    for (mirror, expected) in [
        (
            "  platform: {channels: [{name: stable-4.13, minVersion: 4.13}]}\n",
            "4:57: decode mirror.openshift.io/v1alpha2, Kind=ImageSetConfiguration: json: cannot unmarshal number into Go struct field ReleaseChannel.mirror.platform.channels.minVersion of type string | put it in quotes: '4.13'",
        ),
        (
            "  platform: {channels: [{name: on}]}\n",
            "cannot unmarshal bool into Go struct field ReleaseChannel.mirror.platform.channels.name of type string | put it in quotes: 'on'",
        ),
        (
            "  platform: {graph: 'true'}\n",
            "cannot unmarshal string into Go struct field Platform.mirror.platform.graph of type bool",
        ),
        (
            "  operators: {a: b}\n",
            "cannot unmarshal object into Go struct field Mirror.mirror.operators of type []v1alpha2.Operator",
        ),
        (
            "  operators: [a]\n",
            "cannot unmarshal string into Go struct field Mirror.mirror.operators of type v1alpha2.Operator",
        ),
        (
            "  platform: []\n",
            "cannot unmarshal array into Go struct field Mirror.mirror.platform of type v1alpha2.Platform",
        ),
        (
            "  platform: {architectures: amd64}\n",
            "Platform.mirror.platform.architectures of type []string",
        ),
        (
            "  platform: {architectures: [64]}\n",
            "cannot unmarshal number into Go struct field Platform.mirror.platform.architectures of type string",
        ),
        (
            "  {}\narchiveSize: 4.5\n",
            "cannot unmarshal number 4.5 into Go struct field ImageSetConfiguration.archiveSize of type int64",
        ),
    ] {
        let found = errors(&v1(mirror));
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{mirror}: {found:?}"
        );
    }
    for fine in ["4", "4.0", "0x10", "1_000", "null"] {
        assert_eq!(
            warnings(&format!("{V1_HEAD}archiveSize: {fine}\nmirror: {{}}\n")),
            [""; 0]
        );
    }
}

#[test]
fn headers() {
    let hint = "write `apiVersion: mirror.openshift.io/v1alpha2` or mirror.openshift.io/v2alpha1, and `kind: ImageSetConfiguration`";
    assert_eq!(
        errors(""),
        [format!("config GVK not recognized: /, Kind= | {hint}")]
    );
    assert_eq!(
        errors("a: b"),
        [format!("1:1: config GVK not recognized: /, Kind= | {hint}")]
    );
    for (api, kind, expected) in [
        (
            "v1",
            "Pod",
            "1:13: config GVK not recognized: /v1, Kind=Pod",
        ),
        (
            "a/b/c",
            "Pod",
            "1:13: config GVK not recognized: /, Kind=Pod",
        ),
        (
            "mirror.openshift.io/v1alpha1",
            KIND,
            "1:13: config GVK not recognized: mirror.openshift.io/v1alpha1, Kind=ImageSetConfiguration",
        ),
        (
            V1,
            "Foo",
            "2:7: config GVK not recognized: mirror.openshift.io/v1alpha2, Kind=Foo",
        ),
        (
            V2,
            "Foo",
            "2:7: cannot parse \"Foo\" as \"ImageSetConfiguration\"",
        ),
    ] {
        let found = errors(&format!("apiVersion: {api}\nkind: {kind}\nmirror: {{}}\n"));
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{found:?}"
        );
    }
    assert!(
        errors("- a\n")[0].contains("cannot unmarshal array into Go value of type v1.TypeMeta")
    );
    assert!(errors(&format!("apiVersion: {V2}\n"))[0].contains("configuration missing `kind`"));
    let found = errors(&format!("{V2_HEAD}mirrors: {{}}\ndelete: {{}}\n"));
    assert!(
        found[0].contains("configuration missing the `mirror` stanza"),
        "{found:?}"
    );
    assert!(
        found[1].contains("unknown field \"mirrors\" | did you mean `mirror`?"),
        "{found:?}"
    );
    assert!(
        found[2].contains("delete: is not allowed in ImageSetConfiguration"),
        "{found:?}"
    );
    assert_eq!(found.len(), 3);
}

#[test]
fn syntax_errors_carry_the_reader_that_met_them() {
    let found = errors(&v1("  operators: [a\n"));
    assert_eq!(
        found,
        [
            "4:14: get type meta: error converting YAML to JSON: yaml: line 4: did not find expected ',' or ']'"
        ]
    );
    let found = errors(&v2("  operators: [a\n"));
    assert!(
        found[0]
            .contains("failed to unmarshal config: error converting YAML to JSON: yaml: line 4")
    );
}

#[test]
fn duplicate_keys() {
    let twice = "operators: []\nmirror:\n  additionalImages:\n  - name: a/b:c\n";
    let text = format!("{V1_HEAD}mirror:\n  {twice}");
    let parsed = parse("f", &text).unwrap();
    assert_eq!(
        parsed.imageset.additional_images.len(),
        1,
        "the last one wins"
    );
    assert_eq!(
        shown(&parsed.warnings),
        ["5:1: key \"mirror\" is written twice, only this one counts | merge the two"]
    );
    let found = errors(&format!("{V2_HEAD}mirror:\n  {twice}"));
    assert_eq!(
        found,
        [
            "5:1: failed to unmarshal config: error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key \"mirror\" already set in map"
        ]
    );
}

#[test]
fn one_field_in_two_spellings() {
    let text = v1("  additionalImages: [{name: a}]\n  additionalimages: [{name: b}, {name: c}]\n");
    let parsed = parse("f", &text).unwrap();
    assert_eq!(parsed.imageset.additional_images.len(), 2);
    assert_eq!(
        shown(&parsed.warnings),
        [
            "5:3: \"additionalImages\" and \"additionalimages\" are the same field, only this one counts | merge the two"
        ]
    );
}
