//! The whole job, and what a second run leaves out.

use super::Bench;
use super::support::registry::installed;

#[test]
fn one_file_gives_data_disk_boot_media_and_report() {
    let mut bench = Bench::new();
    bench.run(&["check"]).expect(0);
    let before = bench.files();
    let plan = bench.build(&["--dry-run"]).expect(0).json();
    assert_eq!(plan["steps"].as_array().unwrap().len(), 4, "{plan}");
    assert!(
        plan["inventory"]["fetchBytes"].as_u64() > Some(1 << 20),
        "{plan}"
    );
    let download = &plan["steps"][1];
    assert_eq!(download["bytes"], plan["inventory"]["fetchBytes"]);
    assert!(download["seconds"].as_u64() > Some(0) && plan["seconds"].as_u64() > Some(0));
    let cached = |file: &&String| !file.starts_with(".cache/");
    let after = bench.files();
    let after: Vec<_> = after.iter().filter(cached).collect();
    assert_eq!(
        after,
        before.iter().collect::<Vec<_>>(),
        "a plan writes nothing"
    );

    let done = bench.build(&[]).expect(0).json();
    assert_eq!(
        Bench::steps(&done),
        ["+inventory", "+download", "+image", "+isos"]
    );
    bench
        .run(&["precache", "verify", "-f", "data", "--deep"])
        .expect(0);
    let report = bench.report();
    assert_eq!(report["complete"], true);
    assert_eq!(
        report["inventory"]["groups"]["ai"]["images"],
        plan["inventory"]["aiImages"]
    );
    assert_eq!(report["disks"][0]["target"], "out/data.img");
    for (row, name) in [(0, "bip-1"), (1, "bip-2")] {
        let site = &report["isos"]["sites"][row];
        assert_eq!(site["hostname"], name);
        let iso = fs_err::read(bench.path(site["iso"].as_str().unwrap())).unwrap();
        let digest = snoforge::oci::Digest::of(&iso);
        assert_eq!(site["sha256"], digest.hex(), "{name}");
        assert!(
            site["kargs"]
                .as_str()
                .unwrap()
                .contains(&format!(":{name}:enp0s25:"))
        );
    }
    the_image_holds_the_data(&bench);

    // Without the registry: everything is there, from wherever the file is named.
    bench.unplug();
    let before = bench.files();
    let again = bench.build(&["-f", bench.path("factory.yaml").to_str().unwrap()]);
    let again = again.expect(0).json();
    assert_eq!(
        Bench::steps(&again),
        ["inventory", "download", "disk", "isos"]
    );
    assert!(bench.files() == before, "nothing is written anew");
    let plan = bench.build(&["--dry-run"]).expect(0).json();
    assert_eq!(plan["seconds"], 0, "{plan}");
}

fn the_image_holds_the_data(bench: &Bench) {
    if !installed(&["sgdisk", "dd", "blkid"]) {
        return;
    }
    let image = bench.path("out/data.img");
    let judged = snoforge::exec::run("sgdisk", &["-v".as_ref(), image.as_os_str()]).unwrap();
    assert!(String::from_utf8_lossy(&judged).contains("No problems found"));
    let listed = bench.run(&["precache", "copy", "out/data.img", "copy", "--dry-run"]);
    // Only root can mount it.
    if listed.code == 0 {
        assert!(listed.stdout.contains("image"), "{}", listed.stdout);
    }
}

#[test]
fn what_changes_is_made_anew_and_nothing_is_replaced_unasked() {
    let bench = Bench::new();
    bench.edit("disks:\n- image: out/data.img\n  size: 1\n", "");
    bench.build(&[]).expect(0);
    // Resolving reads more manifests than the disk needs: none stays that the inventory does not name.
    bench.run(&["precache", "verify", "-f", "data"]).expect(0);
    // Another site: the first two stay.
    let sites = "  - hostname: bip-3\n    ip: 10.1.0.7/24\nreport:";
    bench.edit("report:", sites);
    let one = fs_err::metadata(bench.path("isos/bip-1.iso")).unwrap();
    let more = bench.build(&[]).expect(0).json();
    assert_eq!(Bench::steps(&more), ["inventory", "download", "+isos"]);
    assert_eq!(more["result"]["isos"]["sites"].as_array().unwrap().len(), 3);
    let same = fs_err::metadata(bench.path("isos/bip-1.iso")).unwrap();
    assert_eq!(one.modified().unwrap(), same.modified().unwrap());
    // Another address: the ISO that is there is not replaced unless that is said.
    bench.edit("10.1.0.5", "10.1.0.55");
    let refused = bench.build(&[]).expect(2);
    assert!(
        refused.stderr.contains("set `force: true` under `iso`"),
        "{}",
        refused.stderr
    );
    bench.edit("  out: isos\n", "  out: isos\n  force: true\n");
    bench.build(&[]).expect(0);
    // A disk is added, a changed image set needs a new download only.
    bench.edit("iso:\n", "disks:\n- image: out/data.img\n  size: 1\niso:\n");
    let disk = bench.build(&[]).expect(0).json();
    assert_eq!(
        Bench::steps(&disk),
        ["inventory", "download", "+image", "isos"]
    );
    // Without the report nobody knows what the image is.
    fs_err::remove_file(bench.path("out/report.json")).unwrap();
    let refused = bench.build(&[]).expect(2);
    assert!(
        refused.stderr.contains("--yes was not given"),
        "{}",
        refused.stderr
    );
    let yes = bench.build(&["--yes"]).expect(0).json();
    assert_eq!(
        Bench::steps(&yes),
        ["inventory", "download", "+image", "+isos"]
    );
    // A deleted ISO is made again.
    fs_err::remove_file(bench.path("isos/bip-2.iso")).unwrap();
    let iso = bench.build(&[]).expect(0).json();
    assert_eq!(
        Bench::steps(&iso),
        ["inventory", "download", "disk", "+isos"]
    );
    assert!(bench.path("isos/bip-2.iso").is_file());
}

#[test]
fn an_image_set_in_the_file_is_the_one_on_the_disk() {
    let bench = Bench::new();
    let made = bench.run(&[
        "imageset",
        "init",
        "-r",
        "4.13.1",
        "--acm-version",
        "2.7.4",
        "--mce-version",
        "2.2.4",
    ]);
    let set = made.expect(0).stdout;
    let set = set.trim_start().trim_start_matches("---\n").to_owned();
    let indented = set.lines().collect::<Vec<_>>().join("\n  ");
    let text = bench.read("factory.yaml");
    let (head, _) = text.split_once("iso:\n").unwrap();
    let head = head.replace("disks:\n- image: out/data.img\n  size: 1\n", "");
    bench.write("factory.yaml", format!("{head}imageset:\n  {indented}\n"));
    bench.run(&["check"]).expect(0);
    let done = bench.build(&[]).expect(0).json();
    assert_eq!(Bench::steps(&done), ["+inventory", "+download"]);
    assert_eq!(bench.read("data/imageset.yaml").trim_end(), set.trim_end());
    // Whoever edits the copy is told, and the factory file wins.
    bench.write("data/imageset.yaml", "mine");
    let again = bench.build(&[]).expect(0);
    assert!(
        again.stderr.contains("imageset.yaml.bak"),
        "{}",
        again.stderr
    );
    assert_eq!(bench.read("data/imageset.yaml").trim_end(), set.trim_end());
}

impl Bench {
    fn report(&self) -> serde_json::Value {
        serde_json::from_str(&self.read("out/report.json")).unwrap()
    }
}
