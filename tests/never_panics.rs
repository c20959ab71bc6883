//! The parsers of hostile bytes refuse or accept, and never panic: what `fuzz/` does for hours, here for a second.
//!
//! Image sets and filter files have theirs beside them in `src/config/imageset/tests.rs`.
#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

use proptest::prelude::*;
use snoforge::inventory::catalog::parse::Builder;
use snoforge::inventory::catalog::{listing, validate};
use snoforge::oci::{Digest, RawManifest, Reference, media_type};

/// Words of catalogs and manifests; random rows of them get deeper than random bytes do.
const WORDS: [&str; 30] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    "---\n",
    "- ",
    "\"",
    "schema",
    "\"schema\":\"olm.package\"",
    "\"schema\":\"olm.channel\"",
    "\"schema\":\"olm.bundle\"",
    "schema: olm.bundle\n",
    "\"name\":\"a\"",
    "name: a\n",
    "\"package\":\"a\"",
    "\"entries\":[{\"name\":\"a\",\"replaces\":\"a\"}]",
    "\"properties\":[{\"type\":\"olm.package\",\"value\":{\"packageName\":\"a\",\"version\":\"1.0.0\"}}]",
    "\"relatedImages\":[{}]",
    "\"defaultChannel\":\"a\"",
    "null",
    "1e999",
    "\\u0000",
    "\u{feff}",
    "&a ",
    "*a",
    "\"schemaVersion\":2",
    "\"manifests\":[{\"digest\":\"sha256:00\",\"size\":-1}]",
];

fn words() -> impl Strategy<Value = Vec<u8>> {
    let rows = prop::collection::vec(prop::sample::select(&WORDS[..]), 0..40);
    prop_oneof![
        rows.prop_map(|row| row.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..200)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn references_read_back(text in "[a-zA-Z0-9./:@_-]{0,80}|\\PC{0,40}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
        }
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text);
        }
    }

    #[test]
    fn manifests(body in words()) {
        for kind in [media_type::OCI_MANIFEST, media_type::OCI_INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_LIST] {
            let raw = RawManifest::new(kind, body.clone().into());
            let _ = raw.parse();
        }
    }

    #[test]
    fn catalogs(first in words(), second in words(), ignore in "[!*/?a-z\\[\\]\\\\\n]{0,20}") {
        let mut builder = Builder::new();
        for (path, body) in [("a/x.json", first.as_slice()), ("a/y.yaml", &second), (".indexignore", ignore.as_bytes())] {
            builder.file(path, body).expect("memory does not fail");
        }
        if let Ok(catalog) = builder.finish() {
            let _ = validate::problem(&catalog);
            for row in listing::packages(&catalog) {
                let _ = listing::channels(&catalog, &row.name);
            }
        }
    }
}
