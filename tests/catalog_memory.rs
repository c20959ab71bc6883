//! A large catalog streams through: its size is not its share of memory.
//!
//! Its own binary, because the peak is the process's. The stream has the make-up of a Red Hat index: most bytes are icons,
//! CSV metadata and bundle objects.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may stop at the first broken invariant, and says what it skipped"
)]

use std::io::Read;

use snoforge::inventory::catalog::parse::Builder;

/// Bytes of one bundle's junk, near the mean of redhat-operator-index.
const JUNK: usize = 256 << 10;
/// Bundles; 32 MiB in all. 1 GiB was tried by hand: 25 MiB at the peak, nearly all of it the model.
const BUNDLES: usize = 128;
/// What the process may hold at its peak, in KiB.
const LIMIT_KIB: u64 = 16 << 10;

/// Makes the catalog while it is read.
struct Source {
    next: usize,
    pending: std::io::Cursor<Vec<u8>>,
}

impl Source {
    fn bundle(i: usize) -> String {
        let junk = "iVBORw0KGgo".repeat(JUNK / 22);
        let images: Vec<_> = (0..20)
            .map(|n| serde_json::json!({"name": format!("i{n}"), "image": format!("registry.example.com/team/op{i}-{n}@sha256:{i:064x}")}))
            .collect();
        serde_json::json!({
            "schema": "olm.bundle", "package": "foo", "name": format!("foo.v1.{i}.0"), "image": "reg/foo",
            "properties": [
                {"type": "olm.package", "value": {"packageName": "foo", "version": format!("1.{i}.0")}},
                {"type": "olm.bundle.object", "value": {"data": junk}},
                {"type": "olm.csv.metadata", "value": {"annotations": {"alm-examples": junk}, "nested": [[{"a": junk.get(..99)}]]}},
            ],
            "relatedImages": images,
        })
        .to_string()
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.pending.read(buffer)?;
        if read > 0 || self.next == BUNDLES {
            return Ok(read);
        }
        self.pending = std::io::Cursor::new(Self::bundle(self.next).into_bytes());
        self.next += 1;
        self.pending.read(buffer)
    }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_large_catalog_stays_small() {
    let Some(before) = peak_kib() else {
        eprintln!("skipped: no /proc/self/status here");
        return;
    };
    let mut builder = Builder::new();
    let source = Source {
        next: 0,
        pending: std::io::Cursor::default(),
    };
    builder.file("foo/catalog.json", source).expect("it reads");
    let catalog = builder.finish().expect("it parses");
    assert_eq!(catalog.bundles.len(), BUNDLES);
    let peak = peak_kib().expect("it was there before");
    eprintln!("peak {peak} KiB, {before} KiB before");
    assert!(peak < LIMIT_KIB, "peak {peak} KiB");
}
