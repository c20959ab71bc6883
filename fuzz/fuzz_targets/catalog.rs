//! Catalog files as an index image holds them: read, joined, checked, listed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use snoforge::inventory::catalog::{listing, parse::Builder, validate};

fuzz_target!(|data: &[u8]| {
    // A zero byte parts two files, so that ignore files and split packages are reached.
    let mut builder = Builder::new();
    for (index, file) in data.split(|byte| *byte == 0).enumerate() {
        let path = if index == 1 {
            ".indexignore".to_owned()
        } else {
            format!("p/{index}.yaml")
        };
        builder.file(&path, file).expect("memory does not fail");
    }
    if let Ok(catalog) = builder.finish() {
        let _ = validate::problem(&catalog);
        for row in listing::packages(&catalog) {
            let _ = listing::channels(&catalog, &row.name);
            let _ = listing::versions(&catalog, &row.name, None);
        }
    }
});
