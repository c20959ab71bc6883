//! `report.html`: what the build writes beside the report, and what writes it again.

use serde_json::Value;

use super::Bench;
use super::support::faulty::{Fault, Faulty, Rule};

/// Parts of a page between two texts.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

#[test]
fn the_page_tells_what_was_made_and_is_made_again_of_the_report() {
    let bench = Bench::new();
    bench.edit(
        "ip: 10.1.0.5/24",
        "ip: 10.1.0.5/24\n    interface: mac=28:d2:44:d3:ef:1c\n    ntp: [ntp.example.com]",
    );
    let done = bench.build(&[]).expect(0).json();
    assert_eq!(done["page"], "out/report.html");
    let page = bench.read("out/report.html");
    let report: Value = serde_json::from_str(&bench.read("out/report.json")).unwrap();
    assert!(page.contains(report["inventory"]["digest"].as_str().unwrap()));
    assert!(between(&page, "<h1>", "</h1>").contains(">complete<"));
    the_sheets_say_what_the_list_says(&page, &report);
    the_run_is_told(&page, &report);
    it_is_made_again(&bench, &page);
    damage_is_found(&bench);
}

fn the_sheets_say_what_the_list_says(page: &str, report: &Value) {
    // One sheet each, with what the list, the ISO and the disk say.
    let sheets: Vec<&str> = page.split("<section class=\"sheet\"").skip(1).collect();
    assert_eq!(sheets.len(), 2);
    let site = &report["isos"]["sites"][0];
    let mac = "28:d2:44:d3:ef:1c";
    assert_eq!(site["machine"]["mac"], mac);
    for text in [
        mac,
        "10.1.0.5/24",
        "10.1.0.1",
        "ntp.example.com",
        "bip-1.iso",
        report["disks"][0]["partition"].as_str().unwrap(),
        "as the Ignition config says",
    ] {
        assert!(sheets[0].contains(text), "{text}");
    }
    let hash = between(
        sheets[0],
        "ISO SHA-256</dt><dd><code class=\"hash\">",
        "</code>",
    );
    let hash = hash.replace("<span>", "").replace("</span>", "");
    assert_eq!(hash, site["sha256"].as_str().unwrap());
    assert!(sheets[1].contains("/dev/nvme0n1") && sheets[1].contains("to fill in"));
    // `iso build` refuses what has expired.
    assert!(!sheets[0].contains("Expired"));
}

fn the_run_is_told(page: &str, report: &Value) {
    // The tiles are the sample's images, the download has a run, and disk and medium were looked at.
    for text in [
        "class=\"treemap\"",
        "release 4.13.1",
        "Runs of the download",
        "SHA-256 and size of each compared",
        "all there, each with its size",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let runs = report["downloads"]["sessions"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["end"]), (1, &"complete".into()));
    let images = runs[0]["images"].as_array().unwrap();
    assert_eq!(images.last(), Some(&report["inventory"]["images"]));
    let bytes = runs[0]["bytes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap());
    // Resolving it left manifests there.
    let kept = runs[0]["keptBytes"].as_u64().unwrap();
    let whole = report["inventory"]["fetchBytes"].as_u64().unwrap();
    assert_eq!(bytes.sum::<u64>() + kept, whole);
}

fn it_is_made_again(bench: &Bench, page: &str) {
    let named = bench.path("factory.yaml");
    bench
        .run(&["report", "-f", named.to_str().unwrap(), "-o", "again.html"])
        .expect(0);
    assert!(
        bench.read("again.html") == page,
        "the same report, the same bytes"
    );
    assert!(
        !page.contains(bench.home().to_str().unwrap()),
        "no path of this machine"
    );
    // Of the data directory alone.
    bench
        .run(&["report", "-f", "data", "-o", "data.html"])
        .expect(0);
    let page = bench.read("data.html");
    assert!(page.contains("class=\"treemap\"") && !page.contains("class=\"sheet\""));
}

fn damage_is_found(bench: &Bench) {
    let read = bench.run(&["report", "--verify"]);
    assert_eq!(read.code, 0, "{}", bench.read("out/report.json"));
    assert!(
        bench
            .read("out/report.html")
            .contains("every digest is right")
    );
    // A damaged blob is found, told, and kept in mind by the next build.
    let lock: Value = serde_json::from_str(&bench.read("data/inventory.json")).unwrap();
    let digest = lock["blobs"].as_object().unwrap().keys().next().unwrap();
    let file = format!("data/oci/blobs/sha256/{}", &digest["sha256:".len()..]);
    let length = fs_err::metadata(bench.path(&file)).unwrap().len();
    fs_err::set_permissions(
        bench.path(&file),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    bench.write(&file, vec![b'x'; usize::try_from(length).unwrap()]);
    let found = bench.run(&["report", "--verify"]).expect(7);
    assert!(found.stderr.contains("1 problem found"), "{}", found.stderr);
    assert!(bench.read("out/report.html").contains(">not good<"));
}

#[test]
fn a_page_of_somebody_else_stays_and_without_a_report_there_is_none() {
    let bench = Bench::offline();
    let none = bench.run(&["report"]).expect(2);
    assert!(none.stderr.contains("is not there yet"), "{}", none.stderr);
    fs_err::create_dir(bench.path("out")).unwrap();
    bench.write("out/report.html", "mine");
    let refused = bench.run(&["check"]).expect(2);
    assert!(
        refused.stderr.contains("no page of ours"),
        "{}",
        refused.stderr
    );
    assert_eq!(bench.read("out/report.html"), "mine");
}

#[test]
fn every_run_of_a_download_is_told() {
    let bench = Bench::offline();
    let registry = Faulty::start();
    let noise: Vec<u8> = (0..2_u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let image = registry.add_image("ns/image", "v1", &[noise]);
    bench.write("mapping.txt", format!("{}=ns/image:v1\n", image.pinned()));
    bench.write("factory.yaml", "apiVersion: snoforge.io/v1\nkind: Factory\nrelease: {mapping: mapping.txt}\ndownload: {folder: data, tlsVerify: false}\n");
    let layer = image.layers[0].digest.to_string();
    registry.rule(
        Rule::new(Fault::Status(404, Vec::new(), ""))
            .on(layer)
            .always(),
    );
    let stopped = bench.build(&[]).expect(5);
    let page = bench.read("report.html");
    assert!(
        page.contains(">not complete<") && page.contains("gave up"),
        "{}",
        stopped.stderr
    );
    registry.clear_rules();
    bench.build(&[]).expect(0);
    let report: Value = serde_json::from_str(&bench.read("report.json")).unwrap();
    let runs = report["downloads"]["sessions"].as_array().unwrap();
    let ends: Vec<_> = runs
        .iter()
        .map(|run| run["end"].as_str().unwrap())
        .collect();
    assert_eq!(ends, ["failed", "complete"]);
    let kinds: Vec<_> = runs[0]["marks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mark| mark["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"failed"), "{kinds:?}");
    // Only what was missing moved.
    assert!(runs[1]["keptBytes"].as_u64() > Some(0));
    assert_eq!(runs[1]["images"].as_array().unwrap().last().unwrap(), 1);
}
