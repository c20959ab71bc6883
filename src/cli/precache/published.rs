//! The inventory in a registry: `precache push` leaves it beside the images, and who pulls from that mirror takes it instead of
//! asking the update graph, the catalogs and the signature store, none of which a bench without the Internet reaches.
//!
//! ```text
//! LOCATION/snoforge/inventory:HEX      OCI image manifest; HEX is the SHA-256 of the request's JSON: image set and flags
//! ├── config  {}                       application/vnd.oci.empty.v1+json
//! └── layer   inventory.json           application/vnd.snoforge.inventory.v1+json
//! ```
//!
//! It is pushed last, after every image that it names. It is taken only when it answers the very same request, so it decides no
//! more than an `inventory.json` in the data directory does; whoever may write to the mirror decides what the benches install.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::imageset::resolve::{ResolveFlags, Wanted};
use crate::inventory::lock::{Inventory, Request};
use crate::io::atomic;
use crate::oci::{
    Digest, ImageSource, Location, Manifest, RawManifest, Reference, SourceError, SourceErrorKind,
    media_type,
};
use crate::remote::{Client, Pushed};
use crate::store::Store;

const INVENTORY: &str = "application/vnd.snoforge.inventory.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Some hundred times a real one.
const MAX_BYTES: u64 = 128 << 20;

/// Where the answer to a request lies below a location.
fn place(location: &Location, request: &Request) -> Option<Reference> {
    let text = serde_json::to_vec(request).ok()?;
    let digest = Digest::of(&text);
    let name = format!("{}/snoforge/inventory:{}", location.name(), digest.hex());
    name.parse().ok()
}

/// Pushes an inventory.
///
/// # Errors
/// The registry refuses it, or the scratch directory cannot be written.
pub(super) async fn publish(
    client: &Client,
    location: &Location,
    inventory: &Inventory,
) -> Result<Pushed, Failure> {
    let target = place(location, &inventory.request)
        .ok_or_else(|| Failure::new(Exit::Usage, format!("{location}: the path is too long")))?;
    let scratch = tempfile::tempdir()?;
    let store = Store::create(scratch.path())?;
    let blob = |kind: &str, bytes: &[u8]| -> Result<_, Failure> {
        let digest = Digest::of(bytes);
        atomic::write(&store.blob_path(&digest), bytes)?;
        Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
    };
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": INVENTORY,
        "config": blob(EMPTY, b"{}")?, "layers": [blob(INVENTORY, &inventory.render())?],
    });
    let manifest = RawManifest::new(media_type::OCI_MANIFEST, manifest.to_string().into());
    store.put_manifest(&manifest)?;
    let image = target.pinned(manifest.descriptor().digest.clone());
    Ok(client.push(&store, &image, &target).await?)
}

/// The answer that a mirror has to the same request; what else is wrong with a mirror is a warning.
pub(in crate::cli) async fn look(
    context: &Context,
    flags: &ResolveFlags,
    wanted: &Wanted,
    source: &dyn ImageSource,
) -> Option<Inventory> {
    let request = wanted.request();
    for mirror in &flags.registries.mirror {
        let location = mirror.location();
        let Some(image) = place(location, &request) else {
            continue;
        };
        match read(source, &image).await {
            Ok(bytes) => match Inventory::parse(&bytes) {
                Ok(inventory) if inventory.request == request => {
                    context.say(&format!(
                        "the inventory is the one that was pushed to {location}"
                    ));
                    return Some(inventory);
                }
                Ok(_) => context.warn(&format!("{image} answers another request")),
                Err(error) => context.warn(&format!("{image}: {error}")),
            },
            Err(error) if error.kind == SourceErrorKind::NotFound => {}
            Err(error) => context.warn(&format!("no inventory from {location}: {error}")),
        }
    }
    None
}

async fn read(source: &dyn ImageSource, image: &Reference) -> Result<Vec<u8>, SourceError> {
    let wrong = || {
        let what = format!("inventory {image}");
        SourceError::new(SourceErrorKind::Protocol, what, "it is no inventory")
    };
    let manifest = source.manifest(image).await?;
    let Ok(Manifest::Image { layers, .. }) = manifest.parse() else {
        return Err(wrong());
    };
    let layer = layers.iter().find(|layer| layer.media_type == INVENTORY);
    let layer = layer.ok_or_else(wrong)?;
    source.small_blob(image, layer, MAX_BYTES).await
}
