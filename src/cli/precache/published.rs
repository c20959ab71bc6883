//! The inventory in a registry: `precache push` leaves it beside the images, and who pulls from that mirror takes it instead of
//! asking the update graph, the catalogs and the signature store, none of which a bench without the Internet reaches.
//!
//! ```text
//! LOCATION/snoforge/inventory:HEX      OCI image manifest; HEX is the SHA-256 of the request's JSON: image set and flags
//! ├── config  {}                       application/vnd.oci.empty.v1+json
//! └── layer   inventory.json           application/vnd.snoforge.inventory.v1+json
//! ```
//!
//! It is pushed last, after every image that it names. It is taken only when it answers the very same request and its releases are
//! those asked for, by their own payloads; what it says of their signatures counts for nothing: they are looked for here. For the
//! rest it decides as much as an `inventory.json` in the data directory does: whoever may write to the mirror decides which images
//! the benches take beside the release.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::cli::imageset::resolve::{ResolveFlags, Wanted, signature_check, signature_text};
use crate::inventory::lock::{Inventory, Request, Signature};
use crate::inventory::{Services, read_release};
use crate::io::atomic;
use crate::oci::{
    Digest, ImageSource, Location, Manifest, Mirror, RawManifest, Reference, SourceError,
    SourceErrorKind, media_type,
};
use crate::progress::Silent;
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

/// Whether a registry still has the answer to a request. Asked once: a finished job must not wait for a registry that is away.
///
/// # Errors
/// It cannot be asked.
pub(in crate::cli) async fn is_there(
    registries: &RegistryFlags,
    location: &Location,
    request: &Request,
) -> Result<bool, Failure> {
    let Some(image) = place(location, request) else {
        return Ok(false);
    };
    let mut options = registries.options();
    options.mirrors.clear();
    options.tls_verify &= !location.is_insecure();
    options.retry.attempts = 1;
    match Client::new(options)?.resolve(&image).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == SourceErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The answer that a mirror has to the same request; what else is wrong with a mirror is a warning.
pub(super) async fn look(
    context: &Context,
    flags: &ResolveFlags,
    wanted: &Wanted,
    source: &dyn ImageSource,
) -> Option<Inventory> {
    let request = wanted.request();
    // What has the images of one source only is not asked about all of them.
    let mirrors = flags.registries.mirror.iter().filter(|m| m.is_general());
    for location in mirrors.map(Mirror::location) {
        let Some(image) = place(location, &request) else {
            continue;
        };
        match read(source, &image).await {
            Ok(bytes) => match judged(context, flags, wanted, source, (&bytes, location)).await {
                Ok(inventory) => {
                    context.say(&format!(
                        "the inventory is the one that was pushed to {location}"
                    ));
                    return Some(inventory);
                }
                Err(failure) => context.warn(&format!("{image}: {}", failure.message)),
            },
            Err(error) if error.kind == SourceErrorKind::NotFound => {}
            Err(error) => context.warn(&format!("no inventory from {location}: {error}")),
        }
    }
    None
}

/// A mirror's inventory, with its releases as their payloads and the signature stores have them.
async fn judged(
    context: &Context,
    flags: &ResolveFlags,
    wanted: &Wanted,
    source: &dyn ImageSource,
    (bytes, location): (&[u8], &Location),
) -> Result<Inventory, Failure> {
    let wrong = |what: String| Failure::new(Exit::Verification, what);
    let mut inventory = Inventory::parse(bytes)?;
    if inventory.request != wanted.request() {
        return Err(wrong("it answers another request".to_owned()));
    }
    let name = |version: &str, architecture: &str| format!("release {version} {architecture}");
    if let Wanted::Set { inputs, .. } = wanted
        && !inputs.may_have(&inventory.releases)
    {
        let found = inventory.releases.iter();
        let found: Vec<_> = found.map(|r| name(&r.version, &r.architecture)).collect();
        let what = match found.as_slice() {
            [] => "it has no release".to_owned(),
            found => format!("{} is not what was asked for", found.join(", ")),
        };
        return Err(wrong(what));
    }
    let (check, documents) = (
        signature_check(flags.ignore_release_signature)?,
        flags.registries.web()?,
    );
    let services = Services {
        source,
        documents: &documents,
        reporter: &Silent,
    };
    for release in &mut inventory.releases {
        let (payload, signature) = read_release(&release.payload, &check, services).await?;
        let claimed = name(&release.version, &release.architecture);
        let own = name(&payload.version, &payload.architecture);
        if claimed != own {
            let image = &release.payload;
            return Err(wrong(format!("{image} is {own}, not {claimed}")));
        }
        release.signature = match signature {
            Signature::Unavailable { reason } => Signature::Unavailable {
                reason: format!("{reason}; taken from the mirror {location}"),
            },
            known => known,
        };
        let line = format!("{own}: {}", signature_text(&release.signature));
        match &release.signature {
            Signature::Unavailable { .. } => context.warn(&line),
            _ => context.say(&line),
        }
    }
    Ok(inventory)
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
