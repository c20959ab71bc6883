//! Rules beyond the shape: what may stand together, what cannot be meant.

use super::*;

#[test]
fn v1_rules() {
    let text = v1("
  platform: {channels: [{name: a}, {name: a}, {name: a}]}
  operators:
    - catalog: r.io/a:v1
    - catalog: docker://r.io/a:v1
    - catalog: r.io/b:v1
      packages:
        - {name: p, defaultChannel: x, channels: [{name: z}]}
");
    let found = errors(&text);
    assert_eq!(
        found,
        [
            "5:43: invalid configuration: release channel \"a\": duplicate found in configuration",
            "5:54: invalid configuration: release channel \"a\": duplicate found in configuration",
            "8:16: invalid configuration: catalog \"r.io/a:v1\": duplicate found in configuration",
            "11:37: defaultChannel has been set with 'x', please ensure that 'x' is declared in the channels section for the package 'p' in the config ",
        ]
    );
}

#[test]
fn v2_rules_are_all_collected() {
    let text = v2("
  platform:
    architectures: [amd64]
    platforms: [{os: linux, architecture: amd64}]
  operators:
    - catalog: r.io/a:v1
      packages:
        - name: p
          minVersion: abc
          channels: [{name: c, maxVersion: '-+?'}, {name: c}]
        - name: p
    - catalog: r.io/a:v1
    - catalog: untagged
    - catalog: r.io/c:v1
      targetCatalog: a:b
  blockedImages: [{name: '[x'}]
");
    let found = errors(&text);
    let part = |expected: &str| {
        assert!(
            found.iter().any(|e| e.contains(expected)),
            "{expected}: {found:#?}"
        );
    };
    part(
        "invalid configuration: platform.platforms and platform.architectures cannot be used together; use",
    );
    part("operator \"p\": minVersion \"abc\" must respect semantic versioning notation");
    part(
        "operator \"p\": channel \"c\": maxVersion \"-+?\" must respect semantic versioning notation",
    );
    part(
        "operator \"p\": mixing both filtering by minVersion/maxVersion and filtering by channel minVersion/maxVersion is not allowed",
    );
    part("operator \"p\": duplicate channel entry \"c\"");
    part("catalog \"r.io/a:v1\": duplicate package entry \"p\"");
    part("catalog \"r.io/a:v1\": duplicate found in configuration");
    part(
        "invalid configuration: untagged unable to parse image correctly : tag and digest are empty",
    );
    part("18:22: invalid configuration: invalid target path component \"a:b\"");
    part(
        "blocked image \"[x\": invalid regular expression: error parsing regexp: missing closing ]: `[x`",
    );
    assert_eq!(found.len(), 10, "{found:#?}");
}

#[test]
fn what_cannot_be_meant_is_warned_about() {
    let text = v1("
  platform:
    architectures: [x86_64, amd46]
    channels: [{name: a, type: okdd, minVersion: 4.14.2, maxVersion: 4.14.1}, {}]
  operators:
    - packages:
        - {name: p, minVersion: 2.0.0, maxVersion: 1.0.0}
        - {name: p, channels: [{name: c}, {name: c}]}
  additionalImages: [{}]
  helm: {repositories: [{name: r, url: u, charts: [{name: h, version: '1', imagePaths: [a]}]}], local: [{name: l, path: p}]}
  samples: [{name: s}]
  blockedImages: [{}]
");
    let found = warnings(&text);
    let part = |expected: &str| {
        assert!(
            found.iter().any(|e| e.contains(expected)),
            "{expected}: {found:#?}"
        );
    };
    part("6:21: unknown architecture \"x86_64\" | known are amd64,");
    part("6:29: unknown architecture \"amd46\" | did you mean `amd64`?");
    part("7:32: unknown type \"okdd\" is taken as ocp | did you mean `okd`?");
    part("minVersion \"4.14.2\" is higher than maxVersion \"4.14.1\"");
    part("release channel without a name");
    part("operators entry without a catalog");
    part("minVersion \"2.0.0\" is higher than maxVersion \"1.0.0\"");
    part("package \"p\" is listed twice in this catalog");
    part("channel \"c\" is listed twice, only this one counts");
    part("additional image without a name");
    part("helm chart \"h\" is not resolved");
    part("helm chart \"l\" is not resolved");
    part("sample \"s\" is not mirrored");
    part("blocked image without a name: it blocks every image");
    assert_eq!(found.len(), 14, "{found:#?}");
}

#[test]
fn what_oc_mirror_refuses_later() {
    let text = v1("
  operators:
    - catalog: r.io/a:v1
      packages:
        - {name: p, minVersion: 1.0.0, minBundle: b}
        - {minVersion: '1.0'}
        - {name: q, channels: [{name: c, minVersion: 1.0.0, minBundle: b}, {maxVersion: '1'}, {name: d, minVersion: v1}]}
");
    let Parsed { imageset, .. } = parse("f", &text).unwrap();
    assert_eq!(
        shown(&selection_errors("f", &imageset)),
        [
            "8:33: package p: minimum version and bundle are mutually exclusive",
            "9:11: package 1 requires a name",
            "9:24: package : No Major.Minor.Patch elements found",
            "10:54: channel c: minimum version and bundle are mutually exclusive",
            "10:76: package q: channel 1 requires a name",
            "10:117: channel d: No Major.Minor.Patch elements found",
        ]
    );
    let Parsed { imageset, .. } = parse(
        "f",
        &v2("  operators: [{catalog: 'r.io/a:v1', packages: [{}]}]\n"),
    )
    .unwrap();
    assert_eq!(selection_errors("f", &imageset), []);
    let text = v2("  platform: {channels: [{name: c, minVersion: v4.14, maxVersion: 4.14.1}]}\n");
    let Parsed { imageset, .. } = parse("f", &text).unwrap();
    assert_eq!(
        shown(&selection_errors("f", &imageset)),
        [
            "4:47: release channel \"c\": minVersion \"v4.14\": No Major.Minor.Patch elements found | write it as X.Y.Z"
        ]
    );
}

#[test]
fn anchors_and_merge_keys() {
    let text = v1("
  operators:
    - catalog: r.io/a:v1
      packages: &both
        - &pin {name: p, minVersion: 1.0.0, maxVersion: 1.0.0}
        - {<<: *pin, name: q}
        - {<<: [{name: z}, *pin]}
    - catalog: r.io/b:v1
      packages: *both
");
    let imageset = parse("f", &text).unwrap().imageset;
    let names: Vec<_> = imageset.operators[1]
        .packages
        .iter()
        .map(|p| p.name.value.as_str())
        .collect();
    assert_eq!(names, ["p", "q", "z"]);
    assert_eq!(
        imageset.operators[0].packages[1].range.max,
        Some("1.0.0".into())
    );
    assert!(errors(&v1("  operators: &a [*a]\n"))[0].contains("anchor value contains itself"));
    assert!(errors(&v1("  {<<: 1}\n"))[0].contains("map merge requires map or sequence of maps"));
}
