//! The operator case files of `../shared/data/imagesets/cases` against both filter engines.
//!
//! The files called `*.examples.json` are parts of larger sets: nothing here may know a case by name.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says what it skipped"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use snoforge::config::model::{ChannelSet, Located, OperatorSet, PackageSet, VersionRange};
use snoforge::inventory::catalog::filter::{
    ChannelChain, Selection, Semantics, select, v1_config_error,
};
use snoforge::inventory::catalog::model::{Catalog, Channel, Entry};
use snoforge::inventory::catalog::parse::{Builder, load_dir};
use snoforge::inventory::version::masterminds::{Constraint, Prereleases, parse_strict};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/imagesets")
}

/// The cases of a file; none, with a printed reason, when it is not there.
fn cases(name: &str) -> Vec<Value> {
    let path = data().join("cases").join(name);
    let Ok(text) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return Vec::new();
    };
    let file: Value = serde_json::from_slice(&text).expect("a case file is JSON");
    file.as_array().expect("a list of cases").clone()
}

fn text(value: &Value, key: &str) -> Option<Located<String>> {
    let text = value.get(key)?.as_str().filter(|text| !text.is_empty())?;
    Some(text.into())
}

fn range(value: &Value) -> VersionRange {
    VersionRange {
        min: text(value, "minVersion"),
        max: text(value, "maxVersion"),
        min_bundle: text(value, "minBundle"),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn operator(value: &Value) -> OperatorSet {
    let flag = |key| value.get(key).and_then(Value::as_bool).unwrap_or(false);
    let channel = |value: &Value| ChannelSet {
        name: text(value, "name").unwrap_or_default(),
        range: range(value),
    };
    let package = |value: &Value| PackageSet {
        name: text(value, "name").unwrap_or_default(),
        range: range(value),
        channels: list(value, "channels").iter().map(channel).collect(),
        default_channel: text(value, "defaultChannel"),
    };
    OperatorSet {
        full: flag("full"),
        skip_dependencies: flag("skipDependencies"),
        packages: list(value, "packages").iter().map(package).collect(),
        ..OperatorSet::default()
    }
}

/// The catalog of a case; `None` when its directory is not in the data folder.
fn catalog(case: &Value, loaded: &mut BTreeMap<String, Option<Catalog>>) -> Option<Catalog> {
    let source = case.get("catalog").expect("a catalog");
    if let Some(objects) = source.get("inline") {
        let objects = objects.as_array().expect("a list of objects");
        let text: String = objects.iter().map(Value::to_string).collect();
        let mut builder = Builder::new();
        builder
            .file("catalog.json", text.as_bytes())
            .expect("a slice reads");
        return Some(builder.finish().expect("inline objects parse"));
    }
    let dir = source.get("dir").and_then(Value::as_str).expect("a dir");
    loaded
        .entry(dir.to_owned())
        .or_insert_with(|| {
            let path = data().join(dir);
            path.exists()
                .then(|| load_dir(&path).expect("the catalog parses"))
        })
        .clone()
}

fn strings(value: &Value, key: &str) -> Option<BTreeSet<String>> {
    let all = value.get(key)?.as_array()?;
    Some(
        all.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    )
}

/// Compares what the case names; returns the differences.
fn compare(expect: &Value, selection: &Selection) -> Vec<String> {
    let sets = [
        (
            "bundles",
            selection
                .bundles
                .iter()
                .map(|b| format!("{}/{}", b.package, b.name))
                .collect(),
        ),
        ("images", selection.images.keys().cloned().collect()),
        (
            "missing_packages",
            selection
                .missing_packages
                .iter()
                .map(|p| p.value.clone())
                .collect::<BTreeSet<_>>(),
        ),
    ];
    let mut wrong = Vec::new();
    for (what, got) in sets {
        if let Some(wanted) = strings(expect, what)
            && wanted != got
        {
            wrong.push(format!("{what}: wanted {wanted:?}, got {got:?}"));
        }
    }
    let packages = selection.packages.iter();
    let got: BTreeSet<_> = packages
        .map(|p| (p.name.clone(), p.default_channel.clone()))
        .collect();
    let packages = list(expect, "packages").iter();
    let wanted: BTreeSet<_> = packages
        .map(|p| (field(p, "name"), field(p, "defaultChannel")))
        .collect();
    if expect.get("packages").is_some() && wanted != got {
        wrong.push(format!("packages: wanted {wanted:?}, got {got:?}"));
    }
    let channels = selection.channels.iter();
    let got: BTreeSet<_> = channels
        .map(|c| {
            let entries: BTreeSet<_> = c.entries.iter().cloned().collect();
            (c.package.clone(), c.name.clone(), entries)
        })
        .collect();
    let channels = list(expect, "channels").iter();
    let wanted: BTreeSet<_> = channels
        .map(|c| {
            let entries = strings(c, "entries").unwrap_or_default();
            (field(c, "package"), field(c, "name"), entries)
        })
        .collect();
    if expect.get("channels").is_some() && wanted != got {
        wrong.push(format!("channels: wanted {wanted:?}, got {got:?}"));
    }
    wrong
}

fn field(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Runs one expectation; returns what is wrong.
fn check(
    expect: &Value,
    catalog: &Catalog,
    operator: &OperatorSet,
    semantics: Semantics,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(wanted) = expect.get("cli_error").and_then(Value::as_str) {
        let got = v1_config_error(operator).map(|e| e.to_string());
        if !got
            .as_ref()
            .is_some_and(|got| wanted.contains(got.as_str()))
        {
            wrong.push(format!("cli error: wanted {wanted}, got {got:?}"));
        }
    }
    let result = field(expect, "result");
    match (result.as_str(), select(catalog, operator, semantics)) {
        ("error", Err(error)) => {
            let wanted = field(expect, "error_contains");
            if !error.to_string().contains(&wanted) {
                wrong.push(format!(
                    "error: wanted {wanted:?}, got {:?}",
                    error.to_string()
                ));
            }
        }
        ("error", Ok(_)) => wrong.push(format!("no error, wanted {expect}")),
        (_, Err(error)) => wrong.push(format!("error: {error}")),
        ("ok", Ok(selection)) => {
            wrong.extend(compare(expect, &selection));
            if semantics.is_v1() {
                let wanted = expect
                    .get("catalog_validation_error")
                    .and_then(Value::as_str);
                let got = selection.validation_error.as_deref();
                // Only the oracle's runs looked at validity; they name the error or have none.
                let looked = expect.get("images").is_some() && expect.get("packages").is_some();
                if wanted != got && (looked || wanted.is_some()) {
                    wrong.push(format!("validity: wanted {wanted:?}, got {got:?}"));
                }
            }
        }
        ("nondeterministic", Ok(selection)) => {
            if selection.warnings.is_empty() {
                wrong.push("a tie without a warning".to_owned());
            }
            let again = select(catalog, operator, semantics);
            if again.as_ref() != Ok(&selection) {
                wrong.push("two runs differ".to_owned());
            }
        }
        (other, Ok(_)) => wrong.push(format!("unknown result {other}")),
    }
    wrong
}

/// `v1@4.13`, `v2@catalog-filter0.0.4 (4.18)`: the name before the space.
fn semantics(name: &str) -> Semantics {
    let name = name.split(' ').next().unwrap_or(name);
    Semantics::from_name(name).expect("a known variant")
}

/// The expectations of a case by variant. A variant that the case leaves out behaves as its base.
fn expectations(case: &Value) -> Vec<(Semantics, &Value)> {
    let expect = case.get("expect").expect("an expectation");
    if expect.get("result").is_some() {
        let name = field(case, "semantics");
        return vec![(semantics(&name), expect)];
    }
    let named: BTreeMap<Semantics, &Value> = expect
        .as_object()
        .expect("expectations by variant")
        .iter()
        .map(|(name, expect)| (semantics(name), expect))
        .collect();
    let mut all = named.clone();
    let bases = [
        (Semantics::V1At413, [Semantics::V1, Semantics::V1]),
        (Semantics::V2Semver33, [Semantics::V2, Semantics::V2]),
        (
            Semantics::V2Filter004,
            [Semantics::V2Semver33, Semantics::V2],
        ),
    ];
    for (variant, bases) in bases {
        if !named.contains_key(&variant)
            && let Some(expect) = bases.iter().find_map(|base| named.get(base))
        {
            all.insert(variant, expect);
        }
    }
    all.into_iter().collect()
}

fn run(name: &str, at_least: usize) {
    let cases = cases(name);
    if cases.is_empty() {
        return;
    }
    let (mut ran, mut skipped, mut failed) = (0, 0, Vec::new());
    let mut loaded = BTreeMap::new();
    for case in &cases {
        let id = field(case, "id");
        let Some(catalog) = catalog(case, &mut loaded) else {
            eprintln!("skipped: {id}: its catalog is not in the data folder");
            skipped += 1;
            continue;
        };
        let operator = operator(case.get("operator").expect("an operator entry"));
        for (semantics, expect) in expectations(case) {
            ran += 1;
            let wrong = check(expect, &catalog, &operator, semantics);
            if !wrong.is_empty() {
                failed.push(format!(
                    "{id} ({}):\n    {}",
                    semantics.name(),
                    wrong.join("\n    ")
                ));
            }
        }
    }
    eprintln!("{name}: {ran} expectations ran, {skipped} cases skipped");
    assert!(
        failed.is_empty(),
        "{} of {ran} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(
        ran >= at_least,
        "only {ran} expectations ran, at least {at_least} should"
    );
}

#[test]
fn v1_diff() {
    run("v1-diff.examples.json", 8);
}

#[test]
fn v1_end_to_end() {
    run("v1-e2e.json", 13);
}

#[test]
fn v2_filter_catalog() {
    run("v2-filtercatalog.examples.json", 6);
}

#[test]
fn real_catalogs() {
    run("real-catalogs.examples.json", 100);
}

fn channel(case: &Value) -> Channel {
    let entry = |value: &Value| Entry {
        name: field(value, "name"),
        replaces: field(value, "replaces"),
        skips: list(value, "skips")
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    };
    Channel {
        entries: list(case, "entries").iter().map(entry).collect(),
        ..Channel::default()
    }
}

#[test]
fn v2_channel_checks() {
    let cases = cases("v2-channel-validate.json");
    for case in &cases {
        let id = field(case, "id");
        let expect = case.get("expect").expect("an expectation");
        let channel = channel(case);
        let chain = ChannelChain::new(&channel);
        match (field(expect, "result").as_str(), chain) {
            ("ok", Ok(chain)) => {
                if expect.get("head").is_some() {
                    assert_eq!(chain.head(), field(expect, "head"), "{id}");
                }
            }
            ("error", Err(error)) => {
                let wanted = field(expect, "error_contains");
                assert!(
                    error.contains(&wanted),
                    "{id}: wanted {wanted}, got {error}"
                );
            }
            (wanted, got) => panic!("{id}: wanted {wanted}, got {got:?}"),
        }
    }
    assert!(cases.is_empty() || cases.len() >= 15, "too few cases");
}

#[test]
fn v2_channel_ranges() {
    let cases = cases("v2-channel-range.json");
    for case in &cases {
        let id = field(case, "id");
        let expect = case.get("expect").expect("an expectation");
        let channel = channel(case);
        let chain = ChannelChain::new(&channel).expect("the channel is sound");
        let versions = case.get("bundle_versions").and_then(Value::as_object);
        let versions = versions
            .into_iter()
            .flatten()
            .map(|(name, version)| {
                let version = version.as_str().expect("a version");
                (
                    name.as_str(),
                    parse_strict(version).expect("a sound version"),
                )
            })
            .collect();
        let range = Constraint::parse(&field(case, "range"), Prereleases::PerGroup);
        let mut warnings = Vec::new();
        let kept = chain.in_range(&range.expect("a range"), &versions, &mut warnings);
        assert_eq!(Some(kept), strings(expect, "kept"), "{id}");
        for wanted in strings(expect, "warnings_contain").unwrap_or_default() {
            assert!(
                warnings.contains(&wanted),
                "{id}: no {wanted} in {warnings:?}"
            );
        }
    }
    assert!(cases.is_empty() || cases.len() >= 11, "too few cases");
}

/// `imageset.md` §3.7: catalog, operator entry; then the number of bundles (`!`: the catalog is invalid), or what stops, for
/// v1 main, v1 of 4.13, v2, and v2 of 4.18 (where the table is silent, that column holds what the rules of §3.6 give).
const TABLE: &str = r#"
real-art-fbc-4.17 | {"name":"nfd","channels":[{"name":"stable","minVersion":"4.17.0-202410211206","maxVersion":"4.17.0-202410211206"}]} | 1 | 1 | 1 | 2
real-art-fbc-4.17 | {"name":"nfd","channels":[{"name":"stable","minVersion":"4.17.0-202409100034","maxVersion":"4.17.0-202410211206"}]} | 4! | 4! | 5 | 5
real-art-fbc-4.17 | {"name":"nfd","channels":[{"name":"stable","minVersion":"4.17.0-202411121637"}]} | 1 | 1 | 5 | 5
real-art-fbc-4.17 | {"name":"nfd","channels":[{"name":"stable","minVersion":"4.16.0","maxVersion":"4.17.0"}]} | 10 | 10 | empty channel | empty channel
real-lvms-4.14 | {"name":"lvms-operator","channels":[{"name":"stable-4.13"}]} | 1 | default channel | filtered out | filtered out
real-lvms-4.14 | {"name":"lvms-operator","defaultChannel":"stable-4.13","channels":[{"name":"stable-4.13"}]} | 1 | 1 | 1 | 1
real-mce-acm | {"name":"multicluster-engine","channels":[{"name":"stable-2.17"},{"name":"stable-2.8","minVersion":"99.99.99","maxVersion":"99.99.99"}]} | 1 | 1 | not found | 1
real-mce-acm | {"name":"multicluster-engine","minVersion":"2.11.3"} | default channel | default channel | 6 | 6
real-mce-acm | {"name":"multicluster-engine","minVersion":"2.11.3","maxVersion":"2.11.3"} | default channel | default channel | 1 | empty channel
real-ocmirror-testdata | {"name":"jaeger-product","channels":[{"name":"stable","minVersion":"1.47.1"}]} | 2 | do not exist | empty channel | empty channel
real-ocmirror-testdata | {"name":"jaeger-product","channels":[{"name":"stable","minVersion":"1.34.1-5","maxVersion":"1.50.0"}]} | 4 | 4 | 4 | empty channel
real-ocmirror-testdata | {"name":"jaeger-product","minVersion":"1.34.1-5","maxVersion":"1.50.0-1","channels":[{"name":"stable"}]} | 1 | 1 | 4 | 4
real-submariner-4.14 | {"name":"submariner","channels":[{"name":"stable-0.18","minVersion":"0.18.99"},{"name":"stable-0.24"}]} | do not exist | do not exist | 1 | 1
"#;

#[test]
fn documented_table() {
    let mut loaded = BTreeMap::new();
    let variants = [
        Semantics::V1,
        Semantics::V1At413,
        Semantics::V2,
        Semantics::V2Filter004,
    ];
    for row in TABLE.trim().lines() {
        let mut cells = row.split(" | ");
        let (dir, package) = (cells.next().expect("a catalog"), cells.next());
        let case = serde_json::json!({"catalog": {"dir": format!("catalogs/{dir}")}});
        let Some(catalog) = catalog(&case, &mut loaded) else {
            eprintln!("skipped: {dir} is not in the data folder");
            continue;
        };
        let package: Value = serde_json::from_str(package.expect("a package")).expect("JSON");
        let operator = operator(&serde_json::json!({"packages": [package]}));
        for (semantics, expected) in variants.into_iter().zip(cells) {
            let got = match select(&catalog, &operator, semantics) {
                Ok(found) if found.validation_error.is_some() => {
                    format!("{}!", found.bundles.len())
                }
                Ok(found) => found.bundles.len().to_string(),
                Err(error) => error.to_string(),
            };
            let fits = got == expected || expected.contains(' ') && got.contains(expected);
            assert!(fits, "{row}\n{}: got {got}", semantics.name());
        }
    }
}
