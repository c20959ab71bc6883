//! Stopped in every step, and run again.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::support::faulty::{Fault, Faulty, Rule};
use super::{Bench, snoforge};

#[test]
fn every_step_goes_on_where_it_stopped() {
    let mut bench = Bench::offline();
    bench.edit("out/report.json", "report.json");
    // No registry: nothing is known.
    let stopped = bench.build(&[]).expect(5);
    assert!(
        stopped.stderr.contains("stopped in step `inventory`"),
        "{}",
        stopped.stderr
    );
    // A registry that lacks a layer: the rest comes.
    let damaged = bench.damaged();
    bench.serve_from(&damaged);
    let stopped = bench.build(&[]).expect(8);
    assert!(
        stopped.stderr.contains("stopped in step `download`"),
        "{}",
        stopped.stderr
    );
    // The data directory is whole, and the image cannot be made.
    bench.serve();
    bench.write("out", "in the way");
    let stopped = bench.build(&[]);
    assert_eq!(stopped.code, 6, "{}", stopped.stderr);
    assert!(bench.path("data/snoforge.json").is_file());
    fs_err::remove_file(bench.path("out")).unwrap();
    // What a killed run left of the image, and a file where the ISOs go.
    fs_err::create_dir(bench.path("out")).unwrap();
    bench.write("out/data.img.partial", "half");
    bench.write("isos", "in the way");
    let stopped = bench.build(&[]).expect(2);
    assert!(
        stopped.stderr.contains("stopped in step `isos`"),
        "{}",
        stopped.stderr
    );
    assert!(bench.path("out/data.img").is_file());
    assert!(!bench.path("out/data.img.partial").exists());
    let report: serde_json::Value = serde_json::from_str(&bench.read("report.json")).unwrap();
    assert_eq!(report["complete"], false);
    // And without the registry to the end.
    fs_err::remove_file(bench.path("isos")).unwrap();
    bench.unplug();
    let done = bench.build(&[]).expect(0).json();
    assert_eq!(
        Bench::steps(&done),
        ["inventory", "download", "disk", "+isos"]
    );
    assert_eq!(done["result"]["complete"], true);
}

/// Waits until a partial blob has bytes.
fn until_under_way(to: &Path) {
    let deadline = Instant::now() + Duration::from_mins(1);
    let under_way = || {
        let entries = fs_err::read_dir(to.join(".partial")).into_iter().flatten();
        let mut sizes = entries.flatten().filter_map(|e| e.metadata().ok());
        sizes.any(|meta| meta.len() > 100_000)
    };
    while !under_way() {
        assert!(Instant::now() < deadline, "no partial blob appeared");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn start(bench: &Bench) -> Child {
    let mut command = snoforge(bench.home());
    command
        .arg("build")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn ctrl_c_and_kill_keep_what_is_there() {
    let bench = Bench::offline();
    let registry = Faulty::start();
    let size: u32 = 16 << 20;
    let noise: Vec<u8> = (0..size)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let image = registry.add_image("ns/image", "v1", &[noise]);
    bench.write("mapping.txt", format!("{}=ns/image:v1\n", image.pinned()));
    bench.write("factory.yaml", "apiVersion: snoforge.io/v1\nkind: Factory\nrelease: {mapping: mapping.txt}\ndownload: {folder: data, tlsVerify: false}\n");
    // A quarter comes at a time, then nothing: no run of these ends by itself.
    let layer = image.layers[0].digest.to_string();
    registry.rule(Rule::new(Fault::StallAfter(4 << 20)).on(layer).always());
    for (signal, code) in [("INT", Some(130)), ("KILL", None)] {
        let mut child = start(&bench);
        until_under_way(&bench.path("data"));
        snoforge::exec::run("kill", &[format!("-{signal}"), child.id().to_string()]).unwrap();
        assert_eq!(child.wait().unwrap().code(), code, "{signal}");
    }
    registry.clear_rules();
    let sent = registry.bytes_sent();
    let done = bench.build(&[]).expect(0).json();
    assert_eq!(Bench::steps(&done), ["inventory", "+download"]);
    assert!(
        registry.bytes_sent() - sent < u64::from(size),
        "what was there is not sent again"
    );
    bench.run(&["precache", "verify", "-f", "data"]).expect(0);
}
