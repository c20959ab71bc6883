//! Release payloads of an image set (`imageset.md` §2): found, read, their signatures checked, their lines made.
//!
//! A payload named by digest or tag (`--release-image`, v2alpha1 `platform.release`) is taken as it is. Else the update graph says which
//! versions the channels hold. Without a graph only exact versions can be had: by the registry's own tag, which is
//! how Red Hat's `ClusterImageSets` name releases; the tag is pinned, so that the lines are those of the graph.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use crate::config::model::{Located, PlatformSet, Product, ReleaseChannel};
use crate::oci::Reference;

use super::architecture::machine;
use super::candidates::{Candidate, Destination};
use super::graph::{GraphError, select_releases};
use super::graphs::SourcedGraphs;
use super::lock::{self, Origin, Signature};
use super::payload::{self, Payload};
use super::resolve::architectures;
use super::session::{Services, Session};
use super::signature::{Checked, SignatureCheck};
use super::version::blang;
use super::{Inputs, InventoryError, os_images, signature};

/// Where Red Hat keeps release payloads by version.
const RELEASE_REPOSITORY: &str = "quay.io/openshift-release-dev/ocp-release";

/// Payloads read at once.
const PAYLOADS_AT_ONCE: usize = 4;

/// What the releases of an image set come to.
#[derive(Debug, Default)]
pub(super) struct Releases {
    /// By version, then architecture.
    pub(super) found: Vec<lock::Release>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) failures: Vec<InventoryError>,
    pub(super) warnings: Vec<String>,
}

/// Finds and reads every payload; one that fails does not stop the others.
pub(super) async fn gather(session: &Session<'_>, inputs: &Inputs) -> Releases {
    let mut out = Releases::default();
    let mut images: Vec<Reference> = find(session, inputs, &mut out).await;
    images.sort();
    images.dedup();
    let kubevirt = inputs.image_set.platform.kubevirt_container;
    let reads = images
        .iter()
        .map(|image| read(session, image, kubevirt, &inputs.signature));
    let results: Vec<Result<(Payload, Checked), InventoryError>> = stream::iter(reads)
        .buffered(PAYLOADS_AT_ONCE)
        .collect()
        .await;
    let mut payloads: Vec<(Payload, Checked)> = Vec::new();
    for result in results {
        match result {
            Ok(payload) => payloads.push(payload),
            Err(error) => out.failures.push(error),
        }
    }
    payloads.sort_by(|(a, _), (b, _)| {
        let versions = compare_versions(&a.version, &b.version);
        versions.then_with(|| (&a.architecture, &a.image).cmp(&(&b.architecture, &b.image)))
    });
    for (payload, signature) in payloads {
        out.add(payload, signature, inputs);
    }
    out
}

/// Red Hat's payload of a version (`X.Y.Z`) for an architecture (`amd64`), by tag.
///
/// # Errors
/// The version cannot be part of a tag.
pub fn release_image(version: &str, architecture: &str) -> Result<Reference, InventoryError> {
    let tag = format!("{version}-{}", machine(architecture));
    let image = format!("{RELEASE_REPOSITORY}:{tag}").parse();
    image.map_err(|error| InventoryError::Reference {
        place: format!("release {version}"),
        error,
    })
}

/// Reads one payload and checks its signature.
///
/// # Errors
/// It cannot be read, is no payload, or is signed by somebody else.
pub async fn read_release(
    image: &Reference,
    check: &SignatureCheck,
    services: Services<'_>,
) -> Result<(os_images::Payload, Signature), InventoryError> {
    let session = Session::new(services);
    let (payload, (signature, _)) = read(&session, image, false, check).await?;
    let components = payload.components.into_iter();
    let payload = os_images::Payload {
        components: components.map(|c| (c.name, c.image)).collect(),
        version: payload.version,
        architecture: payload.architecture,
    };
    Ok((payload, signature))
}

async fn read(
    session: &Session<'_>,
    image: &Reference,
    kubevirt: bool,
    check: &SignatureCheck,
) -> Result<(Payload, Checked), InventoryError> {
    let pinned = session.pin(image).await?;
    let payload = payload::read(session, &pinned, kubevirt).await?;
    let digest = pinned.digest().ok_or_else(|| InventoryError::Image {
        image: image.to_string(),
        detail: "the registry gave no digest for it".to_owned(),
        hint: None,
    })?;
    let documents = session.services.documents;
    let signature = signature::check(documents, digest, check).await?;
    Ok((payload, signature))
}

impl Releases {
    fn add(&mut self, payload: Payload, (signature, detail): Checked, inputs: &Inputs) {
        if let Some(asked) = &inputs.release
            && *asked != payload.version
        {
            self.failures.push(InventoryError::Request {
                detail: format!(
                    "release {asked} was asked for, {} is {}",
                    payload.image, payload.version
                ),
                at: None,
                hint: Some("name the payload of that version with --release-image".to_owned()),
            });
        }
        if let Signature::Unavailable { reason } = &signature {
            let detail = detail.map_or_else(String::new, |d| format!(" ({d})"));
            self.warnings.push(format!(
                "release {} {}: signature not checked: {reason}{detail}",
                payload.version, payload.architecture
            ));
        }
        self.candidates.extend(lines(&payload));
        self.found.push(lock::Release {
            version: payload.version,
            architecture: payload.architecture,
            payload: payload.image,
            signature,
        });
    }
}

/// The payload's own line, then its components'. Of several components with one digest the last gives the line its tag.
fn lines(payload: &Payload) -> Vec<Candidate> {
    let (version, architecture) = (&payload.version, &payload.architecture);
    let prefix = format!("{version}-{architecture}");
    let mut tags: BTreeMap<&Reference, &str> = BTreeMap::new();
    for component in &payload.components {
        tags.insert(&component.image, &component.name);
    }
    let own = Candidate {
        text: payload.image.to_string(),
        reference: payload.image.clone(),
        destination: Destination::Fixed(format!("openshift/release-images:{prefix}")),
        origin: Origin::Release {
            version: version.clone(),
            architecture: architecture.clone(),
        },
    };
    let components = payload.components.iter().map(|component| {
        let tag = tags.get(&component.image).copied();
        let tag = tag.unwrap_or(&component.name);
        Candidate {
            text: component.image.to_string(),
            reference: component.image.clone(),
            destination: Destination::Fixed(format!("openshift/release:{prefix}-{tag}")),
            origin: Origin::Component {
                version: version.clone(),
                architecture: architecture.clone(),
                name: component.name.clone(),
            },
        }
    });
    std::iter::once(own).chain(components).collect()
}

fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    match (blang::parse(a), blang::parse(b)) {
        (Ok(left), Ok(right)) => left.precedence(&right).then_with(|| a.cmp(b)),
        _ => a.cmp(b),
    }
}

/// The payload images asked for, not yet pinned.
async fn find(session: &Session<'_>, inputs: &Inputs, out: &mut Releases) -> Vec<Reference> {
    let platform = &inputs.image_set.platform;
    if let Some(image) = &inputs.release_image {
        return vec![image.clone()];
    }
    if let (None, Some(written)) = (&inputs.release, &platform.release) {
        match written.value.parse() {
            Ok(image) => return vec![image],
            Err(error) => out.failures.push(InventoryError::Reference {
                place: format!("platform.release, line {}", written.at.line),
                error,
            }),
        }
        return Vec::new();
    }
    let channels = match &inputs.release {
        None => platform.channels.clone(),
        Some(version) => match stable_channel(version) {
            Ok(channel) => vec![channel],
            Err(error) => {
                out.failures.push(error);
                return Vec::new();
            }
        },
    };
    if channels.is_empty() {
        return Vec::new();
    }
    let platform = PlatformSet {
        channels,
        ..platform.clone()
    };
    let graphs = match SourcedGraphs::new(&inputs.graph, session.services.documents) {
        Ok(graphs) => graphs,
        Err(error) => {
            out.failures.push(error);
            return Vec::new();
        }
    };
    let mut images = Vec::new();
    for architecture in architectures(&inputs.options, &platform.architectures) {
        images.extend(for_architecture(inputs, &platform, &architecture, &graphs, out).await);
    }
    images
}

/// `stable-X.Y` with exactly X.Y.Z, as factory-precaching-cli writes it.
fn stable_channel(version: &str) -> Result<ReleaseChannel, InventoryError> {
    let parsed = blang::parse(version).map_err(|e| InventoryError::Request {
        detail: format!("`{version}` is not a release version: {e}"),
        at: None,
        hint: Some("write it as X.Y.Z, 4.13.1 for one".to_owned()),
    })?;
    let name = format!("stable-{}.{}", parsed.major, parsed.minor);
    let exact = Some(Located::from(version));
    Ok(ReleaseChannel {
        name: Located::from(name.as_str()),
        min_version: exact.clone(),
        max_version: exact,
        ..ReleaseChannel::default()
    })
}

/// The registry's own tags for channels that want one exact version.
fn by_tag(
    channels: &[ReleaseChannel],
    architecture: &str,
    why: &str,
    out: &mut Releases,
) -> Vec<Reference> {
    let mut images = Vec::new();
    for channel in channels {
        let exact = match (&channel.min_version, &channel.max_version) {
            (Some(min), Some(max)) if min == max => Some(&max.value),
            _ => None,
        };
        let name = &channel.name.value;
        let Some(version) = exact.filter(|_| channel.product == Product::Ocp) else {
            out.failures.push(InventoryError::Release(format!(
                "channel {name}: its versions are known to the update graph only, which cannot be had ({why})"
            )));
            continue;
        };
        let tag = format!("{version}-{}", machine(architecture));
        match format!("{RELEASE_REPOSITORY}:{tag}").parse() {
            Ok(image) => {
                out.warnings.push(format!(
                    "release {version} {architecture}: taken from {RELEASE_REPOSITORY}:{tag} ({why})"
                ));
                images.push(image);
            }
            Err(error) => out.failures.push(InventoryError::Reference {
                place: format!("channel {name}"),
                error,
            }),
        }
    }
    images
}

/// Graph first; by tag where the graph cannot be had, or where `-r` names a version that its stable channel does not have (yet).
async fn for_architecture(
    inputs: &Inputs,
    platform: &PlatformSet,
    architecture: &str,
    graphs: &SourcedGraphs<'_>,
    out: &mut Releases,
) -> Vec<Reference> {
    let errors = match select_releases(platform, architecture, graphs).await {
        Ok(selection) => {
            out.warnings.extend(selection.warnings);
            let payloads = selection.releases.iter().map(|r| &r.payload);
            return out.references(payloads);
        }
        Err(errors) => errors,
    };
    let by_version = inputs.release.is_some();
    let other_way = |e: &GraphError| e.is_unavailable() || (by_version && e.hint().is_some());
    match errors.first() {
        Some(first) if errors.iter().all(other_way) => {
            let why = first.to_string();
            by_tag(&platform.channels, architecture, &why, out)
        }
        _ => {
            let errors = errors.into_iter().map(InventoryError::Graph);
            out.failures.extend(errors);
            Vec::new()
        }
    }
}

impl Releases {
    fn references<'a>(&mut self, payloads: impl Iterator<Item = &'a String>) -> Vec<Reference> {
        let mut images = Vec::new();
        for payload in payloads {
            match payload.parse() {
                Ok(image) => images.push(image),
                Err(error) => self.failures.push(InventoryError::Reference {
                    place: "update graph".to_owned(),
                    error,
                }),
            }
        }
        images
    }
}
