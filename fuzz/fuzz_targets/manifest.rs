//! Manifests: the first byte chooses the media type, the rest are the bytes of a registry.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use snoforge::oci::{RawManifest, media_type};

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    let types = [
        media_type::OCI_MANIFEST,
        media_type::OCI_INDEX,
        media_type::DOCKER_MANIFEST,
        media_type::DOCKER_LIST,
        "",
    ];
    let media_type = types[usize::from(*choice) % types.len()];
    let raw = RawManifest::new(media_type, Bytes::copy_from_slice(body));
    assert_eq!(raw.descriptor().size, body.len() as u64);
    let _ = raw.parse();
});
