//! `node serve` behind the mirrors that the patch writes: podman pulls under the original names, and no other way is tried.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use snoforge::ignition::Config;
use snoforge::ignition::patch::{Options, apply, plan};

use super::data::{Data, RELEASE, TAGGED};
use super::{Machine, skipped};

const MIRRORS: &str = "/etc/containers/registries.conf.d/50-snoforge.conf";

/// The running registry and its address.
struct Served(Child, String);

impl Served {
    fn new(machine: &Machine, data: &Data) -> Self {
        let mut command = machine.command(env!("CARGO_BIN_EXE_snoforge"));
        command.args([
            "node",
            "serve",
            "--folder",
            data.folder(),
            "--listen",
            "127.0.0.1:0",
        ]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .unwrap_or_else(|| panic!("{line}"));
        let address = address.split(',').next().unwrap().to_owned();
        Self(child, address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The mirrors of a patched config for the images' hosts, with the port of this test.
fn mirrors(address: &str) -> String {
    let stock = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/ignition/golden/stock/era-b.ign"
    );
    let mut config = Config::parse(&fs_err::read(stock).unwrap()).unwrap();
    let hosts = ["quay.io", "registry.redhat.io", "registry.example:5000"];
    let options = Options {
        sources: hosts.map(str::to_owned).to_vec(),
        ..Options::default()
    };
    let edits = plan(&config, &options).unwrap().edits;
    apply(&mut config, &edits).unwrap();
    let bytes = config.file(MIRRORS).unwrap().bytes().unwrap().unwrap();
    String::from_utf8(bytes)
        .unwrap()
        .replace("127.0.0.1:5000", address)
}

#[test]
fn podman_pulls_every_image_by_its_own_name() {
    if skipped() {
        return;
    }
    let (data, machine) = (Data::new(), Machine::new());
    let served = Served::new(&machine, &data);
    let status = ["status", "--folder", data.folder(), "--listen", &served.1];
    let (code, document, said) = machine.node(&status);
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        (
            &document["groups"]["ocp"]["served"],
            &document["groups"]["ocp"]["loaded"]
        ),
        (&4.into(), &0.into())
    );

    fs_err::write(machine.path("registries.conf"), mirrors(&served.1)).unwrap();
    for image in &data.inventory.images {
        let name = image.source.to_string();
        machine.good("podman", &["pull", "--quiet", &name]);
        assert!(machine.exists(&name), "{name}");
    }
    machine.good("podman", &["pull", "--quiet", &format!("{TAGGED}:v1")]);
    assert!(machine.exists(&format!("{TAGGED}:v1")));
    // What podman pulled counts as loaded.
    let (code, document, said) =
        machine.node(&["load", "--folder", data.folder(), "--group", "ocp"]);
    assert_eq!((code, &document["present"]), (0, &4.into()), "{said}");

    let absent = format!("{RELEASE}@sha256:{}", "0".repeat(64));
    assert!(
        !machine
            .tool("podman", &["pull", "--quiet", &absent])
            .status
            .success()
    );
}
