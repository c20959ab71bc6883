//! The demo's sample ISO and those of `../shared/data/live-iso`, for unit tests.

use std::io::Read as _;

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/live-iso");

/// A name, the embed area, the kargs areas.
type Known = (&'static str, (u64, u64), Option<(usize, &'static [u64])>);

/// The sample, and real ISOs of every generation with tiny kernels.
pub(super) const ALL: [Known; 6] = [
    (
        "sample",
        (116_736, 262_144),
        Some((1115, &[114_855, 385_245])),
    ),
    ("embed-areas-2020-09", (92160, 262_144), None),
    (
        "embed-areas-2021-12",
        (161_792, 262_144),
        Some((1139, &[139_086, 431_050])),
    ),
    (
        "embed-areas-2022-09",
        (159_744, 262_144),
        Some((1139, &[137_038, 429_002])),
    ),
    (
        "embed-areas-2023-07.x86_64",
        (139_264, 262_144),
        Some((1139, &[137_037, 408_522])),
    ),
    (
        "embed-areas-2023-07.s390x",
        (203_776, 262_144),
        Some((896, &[138_368])),
    ),
];

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
/// One of them, decompressed; none (with a word on why) where the data are not at hand.
pub(super) fn load(name: &str) -> Option<Vec<u8>> {
    let path = format!("{DIR}/{name}.iso.xz");
    let packed = match name {
        "sample" => Ok(include_bytes!("../demo/live.iso.xz").to_vec()),
        _ => fs_err::read(&path),
    };
    let Ok(packed) = packed else {
        eprintln!("skipped: {path} is not there");
        return None;
    };
    let mut iso = Vec::new();
    liblzma::read::XzDecoder::new(packed.as_slice())
        .read_to_end(&mut iso)
        .unwrap();
    Some(iso)
}

/// Applies a plan in memory.
pub(super) fn apply(mut iso: Vec<u8>, plan: &super::Plan) -> Vec<u8> {
    let size = |n: u64| usize::try_from(n).unwrap();
    iso.resize(size(plan.new_size.max(plan.old_size)), 0);
    for region in &plan.regions {
        iso[size(region.offset)..size(region.end())].copy_from_slice(&region.contents);
    }
    iso.truncate(size(plan.new_size));
    iso
}
