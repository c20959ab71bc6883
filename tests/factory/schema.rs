//! The JSON Schema and the reader agree; python's jsonschema is the judge.

use serde_json::Value;
use snoforge::config::factory::{Factory, TEMPLATE};

use super::bench::FACTORY;
use super::program::run;
use super::support::registry::installed;

/// Reads `{"schema", "documents"}` and prints for each document whether it is valid.
const JUDGE: &str = "
import json, sys
import jsonschema
job = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(job['schema'])
judge = jsonschema.Draft202012Validator(job['schema'])
print(json.dumps([judge.is_valid(document) for document in job['documents']]))
";

fn judged(documents: &[Value]) -> Option<Vec<bool>> {
    if !installed(&["python3"])
        || snoforge::exec::run("python3", &["-c", "import jsonschema"]).is_err()
    {
        eprintln!("skipped: python3 with jsonschema is not installed");
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let schema = run(home.path(), &["schema"]).expect(0).json();
    assert_eq!(schema, snoforge::config::factory::schema());
    let job = home.path().join("job.json");
    fs_err::write(
        &job,
        serde_json::json!({"schema": schema, "documents": documents}).to_string(),
    )
    .unwrap();
    let said = snoforge::exec::run("python3", &["-c", JUDGE, job.to_str().unwrap()]).unwrap();
    Some(serde_json::from_slice(&said).unwrap())
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn what_the_reader_takes_is_valid() {
    let home = tempfile::tempdir().unwrap();
    let printed = run(home.path(), &["schema", "--template"]).expect(0).stdout;
    assert_eq!(printed, TEMPLATE);
    let small =
        "apiVersion: snoforge.io/v1\nkind: Factory\nrelease: {mapping: m}\ndownload: {folder: d}\n";
    let good = [TEMPLATE, FACTORY, small];
    for text in good {
        Factory::parse("f", text).unwrap();
    }
    if let Some(valid) = judged(&good.map(yaml)) {
        assert_eq!(valid, [true; 3]);
    }
}

/// What is changed in the file.
const REFUSED: [(&str, &str); 31] = [
    ("apiVersion: snoforge.io/v1", "apiVersion: snoforge.io/v2"),
    ("kind: Factory", "kind: Seed"),
    ("release:", "releases:"),
    ("  version: 4.13.1", "  version: 4.13"),
    ("  version: 4.13.1", "  version: 4.13.1\n  arch: [x86]"),
    ("  version: 4.13.1", "  version: 4.13.1\n  arch: amd64"),
    ("  folder: data\n", ""),
    ("  folder: data", "  folder: data\n  parallel: 0"),
    ("  folder: data", "  folder: data\n  parallel: '10'"),
    ("  folder: data", "  folder: data\n  limitRate: fast"),
    ("  folder: data", "  folder: data\n  tlsVerify: 'no'"),
    ("  folder: data", "  folder: data\n  mirrors: [lan/ocp]"),
    ("  folder: data", "  folder: data\n  mirrors: lan:5000"),
    (
        "  folder: data",
        "  folder: data\n  mirrors: ['https://lan:5000']",
    ),
    (
        "  folder: data",
        "  folder: data\n  mirrors: [{source: quay.io}]",
    ),
    (
        "  folder: data",
        "  folder: data\n  mirrors: [{source: q.io, mirror: lan:5000, as: x}]",
    ),
    ("  folder: data", "  folder: data\n  push: [lan]"),
    (
        "  folder: data",
        "  folder: data\n  push: [quay.io=lan:5000]",
    ),
    ("- image: out/data.img\n  size: 1", "- size: 1"),
    (
        "- image: out/data.img",
        "- image: out/data.img\n  device: /dev/sda",
    ),
    ("  size: 1", "  size: 0"),
    ("  size: 1", "  size: 1\n  fs: btrfs"),
    ("  live: live.iso\n", ""),
    ("  out: isos\n", ""),
    ("  out: isos", "  out: isos\n  loader: rsync"),
    ("gateway: [10.1.0.1]", "gateway: 10.1.0.1"),
    ("  out: isos", "  out: isos\n  hostname: one"),
    ("report: out/report.json", "report: ''"),
    ("report: out/report.json", "report:"),
    ("report: out/report.json", "rates: {disk: -1}"),
    ("report: out/report.json", "imageset: []"),
];

#[test]
fn what_the_reader_refuses_is_not() {
    let texts = REFUSED.map(|(from, to)| {
        assert!(FACTORY.contains(from), "{from}");
        FACTORY.replacen(from, to, 1)
    });
    for (text, (_, to)) in texts.iter().zip(REFUSED) {
        let found = Factory::parse("f", text).unwrap_err();
        assert!(found.iter().all(|f| f.at.line > 0), "{to}: {found:?}");
    }
    let Some(valid) = judged(&texts.each_ref().map(|text| yaml(text))) else {
        return;
    };
    for (valid, (_, to)) in valid.iter().zip(REFUSED) {
        assert!(!valid, "{to}");
    }
}
