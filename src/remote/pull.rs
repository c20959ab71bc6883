//! Manifests, what tags are now, and lists of tags.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LINK};
use reqwest::{Method, Response};

use super::client::Client;
use super::error::Fault;
use super::itinerary::{Itinerary, Place};
use super::registries::Purpose;
use super::transport::{self, Ask};
use crate::oci::{
    Descriptor, Digest, Hasher, RawManifest, Reference, SourceError, SourceErrorKind, media_type,
};

/// Largest manifest taken, as in containers/image (`iolimits`) and what registries must accept (distribution-spec, Push).
const MANIFEST_CAP: usize = 4 << 20;
/// Largest page of tags taken.
const TAGS_CAP: usize = 4 << 20;
/// Most pages of tags followed; a server that never ends is not followed for ever.
const TAG_PAGES: usize = 10_000;
/// Largest whole list taken: the longest of the field are some MB, and it is held in memory.
const TAG_LIST_CAP: usize = 64 << 20;

pub(super) async fn resolve(client: &Client, image: &Reference) -> Result<Descriptor, SourceError> {
    let mut itinerary = way(client, image, format!("manifest of {image}"))?;
    loop {
        let (index, place) = itinerary.next().await?;
        match resolve_at(client, &place).await {
            Ok(descriptor) => return Ok(descriptor),
            Err(fault) => itinerary.failed(index, fault),
        }
    }
}

pub(super) async fn manifest(
    client: &Client,
    image: &Reference,
) -> Result<RawManifest, SourceError> {
    let mut itinerary = way(client, image, format!("manifest of {image}"))?;
    loop {
        let (index, place) = itinerary.next().await?;
        match manifest_at(client, &place).await {
            Ok(manifest) => return Ok(manifest),
            Err(fault) => itinerary.failed(index, fault),
        }
    }
}

pub(super) async fn tags(client: &Client, image: &Reference) -> Result<Vec<String>, SourceError> {
    let mut itinerary = way(client, image, format!("tags of {}", image.name()))?;
    loop {
        let (index, place) = itinerary.next().await?;
        match tags_at(client, &place).await {
            Ok(tags) => return Ok(tags),
            Err(fault) => itinerary.failed(index, fault),
        }
    }
}

/// Through the places of an image's manifests, for `what`.
fn way(client: &Client, image: &Reference, what: String) -> Result<Itinerary, SourceError> {
    let places = client.places(image, Purpose::Manifest);
    let places = places.map_err(|fault| fault.about(&what))?;
    Ok(client.itinerary(what, places))
}

/// HEAD; where the answer lacks a header or the method, GET.
async fn resolve_at(client: &Client, place: &Place) -> Result<Descriptor, Fault> {
    let path = format!("manifests/{}", place.image.manifest_key());
    let ask = Ask {
        method: Method::HEAD,
        accept: Some(media_type::ACCEPT),
        ..Ask::get(&path)
    };
    let slot = place
        .host
        .enter(client.inner.options.retry.deadline)
        .await?;
    let headers = match transport::send(client, place, &ask).await {
        Ok(response) => response.headers().clone(),
        Err(fault) if fault.kind == SourceErrorKind::Protocol => HeaderMap::new(),
        Err(fault) => return Err(fault),
    };
    drop(slot);
    match described(&headers) {
        Some(descriptor) => {
            if let Some(asked) = place.image.digest()
                && asked.algorithm() == descriptor.digest.algorithm()
                && *asked != descriptor.digest
            {
                return Err(wrong_digest(&descriptor.digest));
            }
            Ok(descriptor)
        }
        None => Ok(manifest_at(client, place).await?.descriptor().clone()),
    }
}

/// The descriptor that the headers of an answer to HEAD make, when they are all there.
fn described(headers: &HeaderMap) -> Option<Descriptor> {
    let size = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    let size = size.filter(|size| *size <= MANIFEST_CAP as u64)?;
    let media_type = bare_type(headers).filter(|t| is_manifest_type(t))?;
    Some(Descriptor::new(media_type, content_digest(headers)?, size))
}

fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    let value = headers.get("docker-content-digest")?;
    value.to_str().ok()?.parse().ok()
}

/// `Content-Type` without parameters.
fn bare_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

fn is_manifest_type(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.")
}

async fn manifest_at(client: &Client, place: &Place) -> Result<RawManifest, Fault> {
    let path = format!("manifests/{}", place.image.manifest_key());
    let ask = Ask {
        accept: Some(media_type::ACCEPT),
        ..Ask::get(&path)
    };
    let (response, body) = document(client, place, &ask, MANIFEST_CAP).await?;
    let headers = response.headers();
    // By tag the header's digest is all there is to check the transfer against.
    let expected = place.image.digest().cloned().or(content_digest(headers));
    if let Some(expected) = expected {
        let mut hasher = Hasher::new(expected.algorithm());
        hasher.update(&body);
        let got = hasher.finish();
        if got != expected {
            return Err(wrong_digest(&got));
        }
    }
    let media_type = match bare_type(headers).filter(|t| is_manifest_type(t)) {
        Some(media_type) => media_type.to_owned(),
        None => own_type(&body)?,
    };
    Ok(RawManifest::new(&media_type, body))
}

/// The type that a manifest gives itself, for servers that say `text/plain`.
fn own_type(body: &[u8]) -> Result<String, Fault> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: Option<String>,
    }
    let typed: Option<Typed> = serde_json::from_slice(body).ok();
    typed
        .and_then(|typed| typed.media_type)
        .filter(|media_type| is_manifest_type(media_type))
        .ok_or_else(|| {
            Fault::protocol("the answer is not a manifest: neither header nor body name its type")
        })
}

fn wrong_digest(got: &Digest) -> Fault {
    Fault::never(
        SourceErrorKind::Digest,
        format!("the registry sent a manifest with digest {got}"),
    )
}

async fn tags_at(client: &Client, place: &Place) -> Result<Vec<String>, Fault> {
    #[derive(serde::Deserialize)]
    struct Page {
        tags: Option<Vec<String>>,
    }
    let mut all = Vec::new();
    let mut path = "tags/list?n=1000".to_owned();
    let mut left = TAG_LIST_CAP;
    for _ in 0..TAG_PAGES {
        let cap = TAGS_CAP.min(left);
        let (response, body) = document(client, place, &Ask::get(&path), cap).await?;
        left -= body.len();
        let page: Page = serde_json::from_slice(&body)
            .map_err(|e| Fault::protocol(format!("the list of tags is not JSON: {e}")))?;
        all.extend(page.tags.unwrap_or_default());
        match next_page(response.headers(), place.image.repository()) {
            Some(next) => path = next,
            None => return Ok(all),
        }
    }
    Err(Fault::protocol(format!(
        "the list of tags has more than {TAG_PAGES} pages"
    )))
}

/// The query of `Link: <…/tags/list?…>; rel="next"`, applied to our own path: a link to another host or repository is not followed.
fn next_page(headers: &HeaderMap, repository: &str) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
    let (path, query) = target.split_once('?')?;
    let own = path.ends_with(&format!("/{repository}/tags/list"));
    (rest.contains("next") && own).then(|| format!("tags/list?{query}"))
}

/// A small body and its head, counted.
async fn document(
    client: &Client,
    place: &Place,
    ask: &Ask<'_>,
    cap: usize,
) -> Result<(Response, bytes::Bytes), Fault> {
    let _slot = place
        .host
        .enter(client.inner.options.retry.deadline)
        .await?;
    let mut response = transport::send(client, place, ask).await?;
    let body = transport::read_capped(&mut response, cap, client.stall()).await?;
    client.count(body.len());
    Ok((response, body))
}
