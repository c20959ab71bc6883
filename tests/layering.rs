//! A room imports only rooms of lower layers (the table in `src/lib.rs`); siblings never import each other.
#![expect(
    clippy::expect_used,
    reason = "a test may stop at the first broken invariant"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn layers() -> BTreeMap<&'static str, u8> {
    let rows: [(u8, &[&str]); 6] = [
        (6, &["cli", "demo"]),
        (5, &["ui", "fetch", "node", "doctor", "appliance"]),
        (
            4,
            &["inventory", "iso", "site", "seed", "osimage", "install"],
        ),
        (
            3,
            &[
                "config", "ignition", "remote", "store", "disk", "cluster", "objects", "probe",
            ],
        ),
        (2, &["io", "exec"]),
        (1, &["oci", "progress"]),
    ];
    rows.iter()
        .flat_map(|(layer, rooms)| rooms.iter().map(move |room| (*room, *layer)))
        .collect()
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("src is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn data_flows_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = layers();
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).expect("below src");
        let room = relative
            .iter()
            .next()
            .expect("a name")
            .to_string_lossy()
            .replace(".rs", "");
        let Some(own) = layers.get(room.as_str()) else {
            assert!(
                matches!(room.as_str(), "main" | "lib"),
                "room `{room}` is not in the layer table"
            );
            continue;
        };
        let text = std::fs::read_to_string(&file).expect("UTF-8 source");
        let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        for used in code.flat_map(|l| l.split("crate::").skip(1)) {
            let name: String = used
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let same = name == room;
            if !same
                && layers
                    .get(name.as_str())
                    .is_none_or(|layer| layer >= own && !(own == &6 && *layer == 6))
            {
                wrong.push(format!("{} uses crate::{name}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
