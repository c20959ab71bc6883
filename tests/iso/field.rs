//! What the field's own tools make of our ISOs.

use super::{Bench, CONFIG, KEYFILE, isos, large_config, program};

fn output(program: &str, args: &[&str], bench: &Bench) -> String {
    let output = assert_cmd::Command::new(program)
        .current_dir(bench.dir.path())
        .args(args)
        .output()
        .unwrap();
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// xz(1) and cpio(1), or at least xz, unpack the area; and xz says CRC32, which is all that the kernel knows.
#[test]
fn the_area_is_an_initramfs() {
    let (Some(_), Some(_)) = (program("xz"), program("xorriso")) else {
        eprintln!("skipped: xz or xorriso is not installed");
        return;
    };
    let bench = Bench::new();
    bench.write("live.iso", snoforge::demo::live_iso::bytes().unwrap());
    bench.write("c.ign", CONFIG);
    bench.write("a.nmconnection", KEYFILE);
    bench.ok(&["iso", "ignition", "embed", "-i", "c.ign", "live.iso"]);
    bench.ok(&[
        "iso",
        "network",
        "embed",
        "-k",
        "a.nmconnection",
        "live.iso",
    ]);
    output(
        "xorriso",
        &[
            "-osirrox",
            "on",
            "-indev",
            "live.iso",
            "-extract",
            "/images/ignition.img",
            "area.xz",
        ],
        &bench,
    );
    let listing = output("xz", &["--list", "-vv", "area.xz"], &bench);
    assert!(listing.contains("CRC32"), "{listing}");
    let cpio = assert_cmd::Command::new("xz")
        .current_dir(bench.dir.path())
        .args(["-dc", "--single-stream", "area.xz"])
        .output()
        .unwrap()
        .stdout;
    let text = String::from_utf8_lossy(&cpio);
    for part in [
        "config.ign",
        CONFIG,
        "etc/coreos-firstboot-network/a.nmconnection",
        KEYFILE,
        "TRAILER!!!",
    ] {
        assert!(text.contains(part), "{part}");
    }
    if program("cpio").is_some() {
        let names = assert_cmd::Command::new("cpio")
            .args(["-it", "--quiet"])
            .write_stdin(cpio)
            .output()
            .unwrap()
            .stdout;
        let names = String::from_utf8_lossy(&names).into_owned();
        assert_eq!(
            names,
            "config.ign\netc\netc/coreos-firstboot-network\netc/coreos-firstboot-network/a.nmconnection\n"
        );
    }
}

/// A grown ISO is still an ISO to xorriso, and its partition tables are as sound as they were.
#[test]
fn a_grown_iso_is_sound() {
    let (Some(_), Some(_)) = (program("xorriso"), program("sgdisk")) else {
        eprintln!("skipped: xorriso or sgdisk is not installed");
        return;
    };
    let config = large_config(1_500_000);
    for (name, iso) in isos()
        .into_iter()
        .filter(|(name, _)| !name.contains("s390x"))
    {
        let bench = Bench::new();
        bench.write("live.iso", &iso);
        bench.write("big.ign", &config);
        bench.ok(&[
            "iso", "ignition", "embed", "-i", "big.ign", "-o", "big.iso", "live.iso",
        ]);
        let check = |file: &str| {
            let findings = output("sgdisk", &["-v", file], &bench);
            let free = |line: &&str| !line.contains("free sectors") && !line.contains("segments");
            findings.lines().filter(free).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(check("big.iso"), check("live.iso"), "{name}");
        let list = |file: &str| {
            output(
                "xorriso",
                &["-indev", file, "-find", "/", "-exec", "lsdl"],
                &bench,
            )
        };
        let files = |text: &str| {
            text.lines()
                .filter(|l| l.starts_with(['-', 'd']) && !l.contains("ignition.img"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(files(&list("big.iso")), files(&list("live.iso")), "{name}");
        let report = output(
            "xorriso",
            &[
                "-indev",
                "big.iso",
                "-find",
                "/images/ignition.img",
                "-exec",
                "report_lba",
            ],
            &bench,
        );
        assert!(
            !report.contains("FAILURE") && report.contains("/images/ignition.img"),
            "{name}: {report}"
        );
        assert!(bench.ok(&["iso", "ignition", "show", "big.iso"]) == config);
    }
}

/// The kernel mounts it, where we may ask it to.
#[test]
fn the_kernel_reads_a_grown_iso() {
    if !super::is_root() {
        eprintln!("skipped: mounting needs root");
        return;
    }
    let bench = Bench::new();
    bench.write("live.iso", snoforge::demo::live_iso::bytes().unwrap());
    bench.write("big.ign", large_config(1_500_000));
    bench.ok(&["iso", "ignition", "embed", "-i", "big.ign", "live.iso"]);
    fs_err::create_dir(bench.path("at")).unwrap();
    for options in ["ro,loop", "ro,loop,norock", "ro,loop,norock,nojoliet"] {
        let mount = output(
            "mount",
            &["-o", options, "-t", "iso9660", "live.iso", "at"],
            &bench,
        );
        let file = ["at/images/ignition.img", "at/images/ignition.img;1"]
            .map(|n| bench.path(n))
            .into_iter()
            .find(|p| p.exists());
        let Some(file) = file else {
            eprintln!("skipped: cannot mount an ISO here: {mount}");
            return;
        };
        let area = fs_err::read(file).unwrap();
        output("umount", &["at"], &bench);
        assert!(
            area.starts_with(b"\xfd7zXZ\0") && area.len() > 1 << 20,
            "{options}"
        );
    }
}
