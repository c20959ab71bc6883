//! Both directions against coreos-installer: they embed and we show, we embed and they show, and where both write, the same bytes.

use std::path::PathBuf;
use std::process::Output;

use super::{Bench, CONFIG, KEYFILE, isos, large_config, program};

/// coreos-installer, where `scripts/install-peer-coreos-installer` put it.
struct Peer(PathBuf);

impl Peer {
    fn find() -> Option<Self> {
        let named = std::env::var_os("COREOS_INSTALLER").map(PathBuf::from);
        let found = named.or_else(|| program("coreos-installer"));
        if found.is_none() {
            eprintln!(
                "skipped: coreos-installer is not installed (scripts/install-peer-coreos-installer; $COREOS_INSTALLER)"
            );
        }
        found.map(Self)
    }

    fn run(&self, bench: &Bench, args: &[&str]) -> Output {
        assert_cmd::Command::new(&self.0)
            .current_dir(bench.dir.path())
            .env("RUST_BACKTRACE", "0")
            .arg("iso")
            .args(args)
            .output()
            .unwrap()
    }

    fn ok(&self, bench: &Bench, args: &[&str]) -> String {
        let output = self.run(bench, args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// ISOs that coreos-installer reads: not those with long plain names.
fn common() -> Vec<(String, Vec<u8>)> {
    let mut isos = isos();
    isos.retain(|(name, _)| name != "made-long-names");
    isos
}

fn bench(iso: &[u8]) -> Bench {
    let bench = Bench::new();
    for name in ["theirs.iso", "ours.iso", "pristine.iso"] {
        bench.write(name, iso);
    }
    bench.write("c.ign", CONFIG);
    bench.write("a.nmconnection", KEYFILE);
    bench.write("b.nmconnection", KEYFILE.replace("ens3", "ens4"));
    bench
}

fn same(bench: &Bench, what: &str) {
    let (theirs, ours) = (bench.sha256("theirs.iso"), bench.sha256("ours.iso"));
    assert_eq!(theirs, ours, "{what}");
}

#[test]
fn every_verb_gives_the_same_bytes() {
    let Some(peer) = Peer::find() else { return };
    for (name, iso) in common() {
        let bench = bench(&iso);
        let both = |args: &[&str]| {
            let of = |file: &'static str| [args, &[file]].concat();
            peer.ok(&bench, &of("theirs.iso"));
            bench.ok(&[&["iso"], of("ours.iso").as_slice()].concat());
            same(&bench, &format!("{name}: {args:?}"));
        };
        both(&["ignition", "embed", "-i", "c.ign"]);
        let shown = peer.ok(&bench, &["ignition", "show", "ours.iso"]);
        assert_eq!(shown, CONFIG, "{name}: they show what we embedded");
        let shown = bench.ok(&["iso", "ignition", "show", "theirs.iso"]);
        assert_eq!(shown, CONFIG, "{name}: we show what they embedded");
        let has = |ability: &str| {
            let report = bench.ok(&["iso", "inspect", "ours.iso"]);
            report.lines().last().unwrap().contains(ability)
        };
        if has("kargs") {
            both(&[
                "kargs",
                "modify",
                "-a",
                "x=1 y=2",
                "-a",
                "ip=[fd00::10]::[fd00::1]:64::ens3:none",
                "-d",
                "ignition.firstboot",
                "-r",
                "ignition.platform.id=metal=qemu",
            ]);
            for flags in [&["kargs", "show"][..], &["kargs", "show", "-d"]] {
                let theirs = peer.ok(&bench, &[flags, &["ours.iso"]].concat());
                let ours = bench.ok(&[&["iso"], flags, &["theirs.iso"]].concat());
                assert_eq!(theirs, ours, "{name}: {flags:?}");
            }
        }
        if has("network") {
            both(&[
                "network",
                "embed",
                "-k",
                "a.nmconnection",
                "-k",
                "b.nmconnection",
            ]);
            let theirs = peer.ok(&bench, &["network", "extract", "ours.iso"]);
            assert_eq!(
                theirs,
                bench.ok(&["iso", "network", "extract", "theirs.iso"])
            );
            both(&["network", "embed", "-f", "-k", "b.nmconnection"]);
            both(&["ignition", "remove"]);
            both(&["ignition", "embed", "-i", "c.ign"]);
            both(&["network", "remove"]);
        }
        if has("kargs") {
            both(&["kargs", "reset"]);
        }
        both(&["ignition", "remove"]);
        assert_eq!(
            bench.sha256("ours.iso"),
            bench.sha256("pristine.iso"),
            "{name}"
        );
        both(&["ignition", "embed", "-i", "c.ign"]);
        both(&["reset"]);
        assert_eq!(
            bench.sha256("ours.iso"),
            bench.sha256("pristine.iso"),
            "{name}"
        );
    }
}

#[test]
fn realistic_configs_pack_to_the_same_bytes() {
    let Some(peer) = Peer::find() else { return };
    let (_, iso) = isos().swap_remove(0);
    let bench = bench(&iso);
    let root = super::ROOT;
    let mut configs: Vec<PathBuf> = ["a", "b", "c"]
        .map(|era| format!("{root}/ignition/golden/stock/era-{era}.ign").into())
        .to_vec();
    configs.push(format!("{root}/../shared/data/ignition/bip-4.13.1-patched-by-hand.ign").into());
    configs.push(bench.write("noise.ign", large_config(200_000)));
    for length in 1..9 {
        // Every padding of the archive.
        let text = CONFIG.to_owned() + &" ".repeat(length);
        configs.push(bench.write(&format!("pad-{length}.ign"), text));
    }
    for config in configs.iter().filter(|c| c.exists()) {
        let config = config.display().to_string();
        for (file, ours) in [("theirs.iso", false), ("ours.iso", true)] {
            let args = ["ignition", "embed", "-f", "-i", &config, file];
            if ours {
                bench.ok(&[&["iso"], &args[..]].concat());
            } else {
                peer.ok(&bench, &args);
            }
        }
        same(&bench, &config);
    }
}

#[test]
fn streams_files_and_in_place_agree() {
    let Some(peer) = Peer::find() else { return };
    let (_, iso) = isos().swap_remove(0);
    let bench = bench(&iso);
    peer.ok(&bench, &["ignition", "embed", "-i", "c.ign", "theirs.iso"]);
    let embed = ["iso", "ignition", "embed", "-i", "c.ign"];
    bench.ok(&[&embed[..], &["-o", "new.iso", "pristine.iso"]].concat());
    let stream = bench.run(&[&embed[..], &["-o", "-", "pristine.iso"]].concat());
    bench.write("stream.iso", stream.stdout);
    bench.ok(&[&embed[..], &["ours.iso"]].concat());
    for name in ["new.iso", "stream.iso", "ours.iso"] {
        assert_eq!(bench.sha256(name), bench.sha256("theirs.iso"), "{name}");
    }
}

/// A config of 2.3 MB: we move the area, they show it back, they replace it, and removing gives the pristine ISO.
#[test]
fn a_moved_area_is_theirs_too() {
    let Some(peer) = Peer::find() else { return };
    let config = large_config(2_300_000);
    for (name, iso) in common() {
        let bench = bench(&iso);
        bench.write("big.ign", &config);
        let embed = ["iso", "ignition", "embed", "-i", "big.ign", "ours.iso"];
        if name.contains("s390x") {
            let error = bench.fails(3, &embed);
            assert!(error.contains("cannot be moved"), "{error}");
            continue;
        }
        bench.ok(&embed);
        assert!(
            peer.ok(&bench, &["ignition", "show", "ours.iso"]) == config,
            "{name}"
        );
        peer.ok(
            &bench,
            &["ignition", "embed", "-f", "-i", "c.ign", "ours.iso"],
        );
        assert_eq!(bench.ok(&["iso", "ignition", "show", "ours.iso"]), CONFIG);
        // Theirs leaves the area where it is; ours puts everything back.
        peer.ok(&bench, &["reset", "ours.iso"]);
        bench.ok(&["iso", "reset", "ours.iso"]);
        assert_eq!(
            bench.sha256("ours.iso"),
            bench.sha256("pristine.iso"),
            "{name}"
        );
    }
}

/// What coreos-installer leaves behind for good, we repair.
#[test]
fn repairs_what_the_peer_cannot() {
    let Some(peer) = Peer::find() else { return };
    for (name, iso) in common() {
        let bench = bench(&iso);
        let report: serde_json::Value =
            serde_json::from_str(&bench.ok(&["iso", "inspect", "--output", "json", "ours.iso"]))
                .unwrap();
        let mut broken = iso.clone();
        let area = usize::try_from(report["area"]["offset"].as_u64().unwrap()).unwrap();
        broken[area..area + 100].fill(b'G');
        if let Some(kargs) = report["kargs"]["areas"].as_array().filter(|a| a.len() > 1) {
            let at = usize::try_from(kargs[1]["offset"].as_u64().unwrap()).unwrap();
            broken[at] = b'X';
        }
        bench.write("ours.iso", &broken);
        assert!(
            !peer.run(&bench, &["reset", "ours.iso"]).status.success(),
            "{name}"
        );
        let error = bench.fails(7, &["iso", "ignition", "show", "ours.iso"]);
        assert!(error.contains("snoforge iso reset"), "{error}");
        bench.ok(&["iso", "reset", "ours.iso"]);
        assert_eq!(
            bench.sha256("ours.iso"),
            bench.sha256("pristine.iso"),
            "{name}"
        );
    }
}

#[test]
fn files_come_out_the_same() {
    let Some(peer) = Peer::find() else { return };
    for (_, iso) in common() {
        let bench = bench(&iso);
        peer.ok(&bench, &["extract", "pxe", "-o", "theirs", "pristine.iso"]);
        bench.ok(&["iso", "extract", "pxe", "-o", "ours", "pristine.iso"]);
        let listing = |dir: &str| {
            let mut files: Vec<(String, Vec<u8>)> = fs_err::read_dir(bench.path(dir))
                .unwrap()
                .flatten()
                .map(|f| {
                    (
                        f.file_name().to_string_lossy().into_owned(),
                        fs_err::read(f.path()).unwrap(),
                    )
                })
                .collect();
            files.sort();
            files
        };
        assert!(listing("theirs") == listing("ours") && !listing("ours").is_empty());
    }
}
