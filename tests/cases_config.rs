//! The acceptance cases of `../shared/data/imagesets/cases` that concern configuration, and the samples in `imagesets/`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may stop at the first surprise, and says why it skips"
)]

use std::path::Path;

use serde_json::{Map, Value, json};
use snoforge::config::Finding;
use snoforge::config::filter::ImageFilter;
use snoforge::config::imageset::{Parsed, parse};
use snoforge::config::model::{
    ApiVersion, ImageSet, Located, PackageSet, Product, ReleaseChannel, VersionRange,
};
use snoforge::config::template::{Options, from_hub_version, render};

/// oc-mirror v1 refuses the other version; one program that reads both does not.
const READS_BOTH: &str = "v1cfg.x.v2-version";

fn cases(file: &str) -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/imagesets/cases"
    );
    let path = Path::new(path).join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return Vec::new();
    };
    let mut json: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(json["cases"].take()).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str()
}

#[test]
fn config_validation() {
    let mut failed = Vec::new();
    for case in cases("config-validation.examples.json") {
        let id = text(&case, "id").unwrap();
        let parsed = parse("imageset.yaml", text(&case, "yaml").unwrap());
        let expect = &case["expect"];
        let verdict = match (text(expect, "result").unwrap(), parsed) {
            _ if id == READS_BOTH => Ok(()),
            ("ok", Ok(parsed)) => same_spec(expect, &parsed),
            ("error", Err(findings)) => same_error(expect, &findings),
            (_, parsed) => Err(format!("{parsed:?}")),
        };
        if let Err(reason) = verdict {
            failed.push(format!("{id}: {reason}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn same_error(expect: &Value, findings: &[Finding]) -> Result<(), String> {
    let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
    let placed = findings.iter().all(|f| f.at.line > 0 && f.at.column > 0);
    let found = match (text(expect, "error_equals"), text(expect, "error_contains")) {
        (Some(expected), _) => messages.contains(&expected) || same_aggregate(expected, &messages),
        (_, Some(expected)) => messages.iter().any(|message| message.contains(expected)),
        _ => false,
    };
    if found && placed {
        Ok(())
    } else {
        Err(format!("{findings:?} for {expect}"))
    }
}

/// Upstream prints several errors of one check as `invalid configuration: [e1, e2]`, in its own order.
fn same_aggregate(expected: &str, messages: &[&str]) -> bool {
    const PREFIX: &str = "invalid configuration: ";
    let Some(list) = expected
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'))
    else {
        return false;
    };
    let mut left = list.to_owned();
    for message in messages {
        let Some(message) = message
            .strip_prefix(PREFIX)
            .filter(|message| left.contains(message))
        else {
            return false;
        };
        left = left.replacen(message, "", 1);
    }
    left.replace(", ", "").is_empty()
}

fn same_spec(expect: &Value, parsed: &Parsed) -> Result<(), String> {
    let imageset = &parsed.imageset;
    if let Some(spec) = expect.get("spec") {
        let (expected, found) = (known_part(&spec["mirror"]), as_spec(imageset));
        if expected != found {
            return Err(format!("expected {expected}\nfound {found}"));
        }
    }
    if let Some(names) = expect.get("unique_names") {
        let found: Vec<&str> = imageset
            .operators
            .iter()
            .map(|o| o.unique_name.as_str())
            .collect();
        if *names != json!(found) {
            return Err(format!("unique names {found:?}, not {names}"));
        }
    }
    if let Some(heads) = expect.get("heads_only") {
        let channels: Vec<bool> = imageset.platform.channels.iter().map(|c| !c.full).collect();
        let operators: Vec<bool> = imageset.operators.iter().map(|o| !o.full).collect();
        if *heads != json!({"channels": channels, "operators": operators}) {
            return Err(format!(
                "heads only {channels:?} {operators:?}, not {heads}"
            ));
        }
    }
    Ok(())
}

/// Go's JSON of `mirror` without what the model does not keep.
fn known_part(mirror: &Value) -> Value {
    let mut mirror = mirror.clone();
    let charts = chart_names(&mirror["helm"]);
    let map = mirror.as_object_mut().unwrap();
    map.retain(|key, _| {
        ["platform", "operators", "additionalImages", "blockedImages"].contains(&key.as_str())
    });
    map.insert("helmCharts".to_owned(), json!(charts));
    map.entry("operators").or_insert_with(|| json!([]));
    map.entry("additionalImages").or_insert_with(|| json!([]));
    map.entry("blockedImages").or_insert_with(|| json!([]));
    for operator in mirror["operators"].as_array_mut().unwrap() {
        let operator = operator.as_object_mut().unwrap();
        operator.retain(|key, _| !key.starts_with("target") && key != "originalRef");
        if operator.get("packages").is_none_or(Value::is_null) {
            operator.insert("packages".to_owned(), json!([]));
        }
    }
    mirror
}

fn chart_names(helm: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let repositories = list(&helm["repositories"]);
    let remote = repositories
        .iter()
        .flat_map(|repository| list(&repository["charts"]));
    let charts: Vec<Value> = remote.chain(list(&helm["local"])).collect();
    charts
        .iter()
        .map(|chart| text(chart, "name").unwrap().to_owned())
        .collect()
}

/// The model the way Go would print it.
fn as_spec(imageset: &ImageSet) -> Value {
    let platform = &imageset.platform;
    let mut fields = Map::new();
    flag(&mut fields, "graph", platform.graph);
    if !platform.channels.is_empty() {
        fields.insert(
            "channels".to_owned(),
            platform.channels.iter().map(channel).collect(),
        );
        fields.insert("architectures".to_owned(), json!(platform.architectures));
    }
    let names = |list: Vec<&str>| {
        list.iter()
            .map(|name| json!({"name": name}))
            .collect::<Value>()
    };
    json!({
        "platform": fields,
        "operators": imageset.operators.iter().map(operator).collect::<Value>(),
        "additionalImages": names(imageset.additional_images.iter().map(|i| i.name.value.as_str()).collect()),
        "blockedImages": names(imageset.blocked_images.iter().map(|i| i.value.as_str()).collect()),
        "helmCharts": imageset.helm_charts.iter().map(|c| c.value.as_str()).collect::<Vec<_>>(),
    })
}

fn flag(fields: &mut Map<String, Value>, key: &str, set: bool) {
    if set {
        fields.insert(key.to_owned(), json!(true));
    }
}

fn optional(fields: &mut Map<String, Value>, key: &str, value: Option<&Located<String>>) {
    if let Some(value) = value {
        fields.insert(key.to_owned(), json!(value.value));
    }
}

fn channel(channel: &ReleaseChannel) -> Value {
    let product = if channel.product == Product::Okd {
        "okd"
    } else {
        "ocp"
    };
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(channel.name.value));
    fields.insert("type".to_owned(), json!(product));
    optional(&mut fields, "minVersion", channel.min_version.as_ref());
    optional(&mut fields, "maxVersion", channel.max_version.as_ref());
    flag(&mut fields, "shortestPath", channel.shortest_path);
    flag(&mut fields, "full", channel.full);
    fields.into()
}

fn operator(operator: &snoforge::config::model::OperatorSet) -> Value {
    let mut fields = Map::new();
    fields.insert(
        "packages".to_owned(),
        operator.packages.iter().map(package).collect(),
    );
    fields.insert("catalog".to_owned(), json!(operator.catalog.value));
    flag(&mut fields, "full", operator.full);
    flag(&mut fields, "skipDependencies", operator.skip_dependencies);
    fields.into()
}

fn package(package: &PackageSet) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(package.name.value));
    if !package.channels.is_empty() {
        let channels = package.channels.iter().map(|channel| {
            let mut fields = Map::new();
            fields.insert("name".to_owned(), json!(channel.name.value));
            range(&mut fields, &channel.range);
            Value::from(fields)
        });
        fields.insert("channels".to_owned(), channels.collect());
    }
    optional(
        &mut fields,
        "defaultChannel",
        package.default_channel.as_ref(),
    );
    range(&mut fields, &package.range);
    fields.into()
}

fn range(fields: &mut Map<String, Value>, range: &VersionRange) {
    optional(fields, "minVersion", range.min.as_ref());
    optional(fields, "maxVersion", range.max.as_ref());
    optional(fields, "minBundle", range.min_bundle.as_ref());
}

fn options(input: &Value) -> Options {
    let owned = |key: &str| text(input, key).map(str::to_owned);
    let list = |key: &str| {
        let items = input[key].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| item.as_str().unwrap().to_owned())
            .collect()
    };
    Options {
        release: owned("release").unwrap(),
        mce_version: owned("mce_version"),
        acm_version: owned("acm_version"),
        du_profile: input["du_profile"].as_bool().unwrap_or_default(),
        ai_images: list("ai_img"),
        images: list("img"),
        catalog_redhat_operators: owned("catalog_redhat_operators"),
        catalog_certified_operators: owned("catalog_certified_operators"),
    }
}

#[test]
fn telco_imageset() {
    for case in cases("telco-imageset.json") {
        let written = render(&options(&case["input"])).unwrap();
        let expected = text(&case["expect"], "imageset_yaml").unwrap();
        assert_eq!(written, expected, "{}", case["id"]);
        let parsed = parse("imageset.yaml", &written);
        assert!(parsed.is_ok(), "{}: {parsed:?}", case["id"]);
    }
}

#[test]
fn telco_cli_errors() {
    for case in cases("telco-cli-errors.json") {
        let args = &case["args"];
        if args["needs_catalog"] == json!(true) {
            println!("skipped: {} is about a catalog", case["id"]);
            continue;
        }
        let options = options(args);
        let errors: Vec<String> = match (text(args, "filter_yaml"), text(args, "hub_version")) {
            (Some(filter), _) => {
                let findings = ImageFilter::parse("filter.yaml", filter).unwrap_err();
                findings.iter().map(ToString::to_string).collect()
            }
            (_, Some(hub)) => {
                let found = from_hub_version(
                    hub,
                    options.acm_version.as_deref(),
                    options.mce_version.as_deref(),
                );
                vec![found.unwrap_err().to_string()]
            }
            _ => vec![
                options
                    .require_mce()
                    .and_then(|()| render(&options))
                    .unwrap_err()
                    .to_string(),
            ],
        };
        let expected = text(&case["expect"], "error_contains").unwrap();
        assert!(
            errors.iter().any(|e| e.contains(expected)),
            "{}: {errors:?}",
            case["id"]
        );
    }
}

/// One sample per release and profile, each read without a word and asking for what its name says.
#[test]
fn samples() {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/imagesets"));
    for minor in 12..=19 {
        for profile in ["base", "du"] {
            let name = format!("4.{minor}-{profile}.yaml");
            let text = std::fs::read_to_string(directory.join(&name)).unwrap();
            let parsed = parse(&name, &text).unwrap_or_else(|findings| panic!("{findings:?}"));
            assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
            sample_is_sane(&name, minor, profile == "du", &parsed.imageset);
        }
    }
    let samples = std::fs::read_dir(directory).unwrap().count();
    assert_eq!(samples, 2 * 8 + 1, "a file in imagesets/ is not tested");
}

fn sample_is_sane(name: &str, minor: u32, du: bool, imageset: &ImageSet) {
    assert_eq!(imageset.api, ApiVersion::V1Alpha2, "{name}");
    let [channel] = imageset.platform.channels.as_slice() else {
        panic!("{name}: not one release channel");
    };
    assert_eq!(channel.name.value, format!("stable-4.{minor}"));
    let version = channel.min_version.as_ref().unwrap();
    assert!(version.value.starts_with(&format!("4.{minor}.")), "{name}");
    assert_eq!(
        channel.min_version, channel.max_version,
        "{name}: one release is pinned"
    );
    let packages: Vec<&str> = imageset
        .operators
        .iter()
        .flat_map(|o| &o.packages)
        .map(|p| p.name.value.as_str())
        .collect();
    assert!(packages.contains(&"multicluster-engine"), "{name}");
    for package in ["advanced-cluster-management", "ptp-operator", "sriov-fec"] {
        assert_eq!(packages.contains(&package), du, "{name} {package}");
    }
    for operator in &imageset.operators {
        assert!(
            operator.catalog.value.ends_with(&format!(":v4.{minor}")),
            "{name}"
        );
        for channel in operator.packages.iter().flat_map(|p| &p.channels) {
            assert_eq!(
                channel.range.min, channel.range.max,
                "{name}: versions are pinned or heads"
            );
            assert!(channel.name.at.line > 0);
        }
    }
}
