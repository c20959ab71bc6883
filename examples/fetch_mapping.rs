//! Fetches the images of a mapping file into a directory: `fetch_mapping MAPPING DIR [PARALLEL]`. For measuring.
#![expect(clippy::print_stdout, reason = "a program of its own")]
#![expect(clippy::expect_used, reason = "a program of its own")]

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use snoforge::inventory::lock::{Content, FORMAT, Image, Inventory, Request};
use snoforge::oci::{Descriptor, Digest, ImageSource, Manifest, Reference, SourceError};
use snoforge::{fetch, progress, remote, store};
use tokio_util::sync::CancellationToken;

type Blobs = BTreeMap<Digest, u64>;

async fn image(
    client: &remote::Client,
    source: Reference,
    to: String,
) -> Result<(Image, Blobs), SourceError> {
    let raw = client.manifest(&source).await?;
    let mut blobs = Blobs::new();
    let mut contents = Vec::new();
    let mut add = |of: Descriptor, manifest: Manifest| {
        let Manifest::Image { config, layers } = manifest else {
            return;
        };
        blobs.extend(
            layers
                .iter()
                .chain([&config])
                .map(|d| (d.digest.clone(), d.size)),
        );
        contents.push(Content {
            platform: of.platform.clone(),
            manifest: of,
            config: config.digest,
            layers: layers.into_iter().map(|d| d.digest).collect(),
        });
    };
    match raw.parse().expect("a manifest") {
        Manifest::Index { manifests } => {
            for of in manifests {
                let inner = client.manifest(&source.pinned(of.digest.clone())).await?;
                add(of, inner.parse().expect("a manifest"));
            }
        }
        single @ Manifest::Image { .. } => add(raw.descriptor().clone(), single),
    }
    let image = Image {
        source,
        requested: None,
        destination: to,
        groups: Vec::new(),
        origins: Vec::new(),
        manifest: raw.descriptor().clone(),
        contents,
    };
    Ok((image, blobs))
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [mapping, dir, rest @ ..] = args.as_slice() else {
        panic!("fetch_mapping MAPPING DIR [PARALLEL]")
    };
    let parallel = rest.first().map_or(10, |n| n.parse().expect("a number"));
    let client = remote::Client::new(remote::Options {
        tls_verify: false,
        ..remote::Options::default()
    })
    .expect("a client");
    let lines = fs_err::read_to_string(mapping).expect("a mapping");
    let images = lines.lines().filter_map(|l| l.split_once('='));
    let found: Vec<(Image, Blobs)> = futures_util::stream::iter(images)
        .map(|(from, to)| image(&client, from.parse().expect("a reference"), to.into()))
        .buffered(10)
        .try_collect()
        .await
        .expect("manifests");
    let mut inventory = Inventory {
        format: FORMAT,
        request: Request::default(),
        releases: Vec::new(),
        catalogs: Vec::new(),
        images: Vec::new(),
        ignored: Vec::new(),
        blobs: Blobs::new(),
    };
    for (image, blobs) in found {
        inventory.images.push(image);
        inventory.blobs.extend(blobs);
    }
    let resolved = client.bytes_received();
    let store = store::Store::create(dir.as_ref()).expect("a store");
    let lock = store.lock().expect("the store's lock");
    let options = fetch::Options {
        parallel,
        reporter: Arc::new(progress::Silent),
        cancel: CancellationToken::new(),
    };
    let summary = fetch::run(&inventory, &store, &lock, Arc::new(client.clone()), options).await;
    println!("{:#?}", summary.expect("a begun run"));
    println!(
        "received {} (resolving: {resolved})",
        client.bytes_received()
    );
}
