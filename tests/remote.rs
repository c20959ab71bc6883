//! The registry client against a registry that misbehaves, and against the real one.
#![expect(clippy::unwrap_used, reason = "a broken fixture should stop the test")]

mod support;

use std::time::Duration;

use futures_util::TryStreamExt as _;
use snoforge::oci::{BlobRequest, Descriptor, ImageSource as _, Reference, SourceError};
use snoforge::remote::{Client, Environment, Options, RetryPolicy};
use support::faulty::{Fault, Faulty, Image, Rule};

/// Options that read nothing of this machine, take plain HTTP and do not wait long.
fn options(dir: &std::path::Path) -> Options {
    Options {
        environment: Environment {
            home: Some(dir.join("home")),
            etc: dir.join("etc"),
            run: dir.join("run"),
            ..Environment::default()
        },
        tls_verify: false,
        retry: RetryPolicy {
            attempts: 5,
            base_delay: Duration::from_millis(10),
            stall_timeout: Duration::from_millis(300),
            deadline: Duration::from_secs(20),
            ..RetryPolicy::default()
        },
        ..Options::default()
    }
}

fn client() -> Client {
    Client::new(options(std::path::Path::new("/nonexistent"))).unwrap()
}

/// Bytes that do not repeat within a chunk.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect()
}

async fn read(
    client: &Client,
    image: &Reference,
    blob: &Descriptor,
    offset: u64,
    avoid: &[String],
) -> Result<Vec<u8>, SourceError> {
    let request = BlobRequest {
        image,
        digest: &blob.digest,
        size: blob.size,
        offset,
        avoid,
    };
    let stream = client.blob(request).await?;
    stream
        .body
        .try_fold(Vec::new(), |mut all, bytes| async move {
            all.extend_from_slice(&bytes);
            Ok(all)
        })
        .await
}

/// A registry with one image of one layer of 3 MB, and the layer's bytes.
fn registry() -> (Faulty, Image, Vec<u8>) {
    let registry = Faulty::start();
    let layer = noise(3_000_000, 7);
    let image = registry.add_image("team/app", "v1", std::slice::from_ref(&layer));
    (registry, image, layer)
}

#[tokio::test]
async fn manifest_tag_and_blob() {
    let (registry, image, layer) = registry();
    let client = client();
    assert_eq!(
        client.resolve(&image.reference).await.unwrap(),
        image.manifest
    );
    assert_eq!(registry.count("GET /v2/team/app/manifests/"), 0);
    let manifest = client.manifest(&image.pinned()).await.unwrap();
    assert_eq!(*manifest.descriptor(), image.manifest);
    let got = read(&client, &image.reference, &image.layers[0], 0, &[])
        .await
        .unwrap();
    assert!(got == layer);
    let tail = read(&client, &image.reference, &image.layers[0], 2_999_990, &[])
        .await
        .unwrap();
    assert_eq!(tail, layer[2_999_990..]);
    assert_eq!(client.bytes_received(), registry.bytes_sent());
}

#[tokio::test]
async fn a_cut_blob_goes_on_where_it_was() {
    for fault in [
        Fault::ResetAfter(1_000_000),
        Fault::TruncateAfter(1_000_000),
        Fault::StallAfter(1_000_000),
    ] {
        let (registry, image, layer) = registry();
        registry.rule(Rule::new(fault.clone()).on("/blobs/").times(2));
        let got = read(&client(), &image.reference, &image.layers[0], 0, &[])
            .await
            .unwrap();
        assert!(got == layer, "{fault:?}");
        let ranges: Vec<_> = registry
            .seen()
            .iter()
            .filter_map(|s| s.headers.get("range").cloned())
            .collect();
        assert_eq!(ranges, ["bytes=1000000-", "bytes=2000000-"], "{fault:?}");
    }
}
