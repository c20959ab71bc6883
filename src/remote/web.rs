//! What no registry serves: documents (the update graph, release signatures) and files (the RHCOS rootfs).

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, ETAG, HeaderName, LAST_MODIFIED};
use reqwest::Url;

use super::blob;
use super::client::Client;
use super::error::Fault;
use super::itinerary::Place;
use super::transport;
use crate::oci::{BlobStream, Reference, SourceError, SourceErrorKind};

/// Largest document taken; the update graph of a channel is about 1 MB.
const DOCUMENT_CAP: usize = 64 << 20;

/// What a server says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHead {
    /// Bytes.
    pub size: u64,
    /// Its `ETag`, else its `Last-Modified`: what changes when the file does.
    pub version: Option<String>,
}

impl Client {
    /// Fetches a document without credentials, with the retries of a manifest. `None` when the server says that it is not there.
    ///
    /// # Errors
    /// Refused, longer than 64 MiB, or out of retries; see [`SourceErrorKind`].
    pub async fn get_document(
        &self,
        url: &str,
        accept: &str,
    ) -> Result<Option<Bytes>, SourceError> {
        let what = format!("document {}", without_login(url));
        let place = self.web_place(url).map_err(|fault| fault.about(&what))?;
        let mut itinerary = self.itinerary(what, vec![place]);
        loop {
            let (index, place) = itinerary.next().await?;
            match self.get_once(&place, url, accept).await {
                Ok(body) => return Ok(Some(body)),
                Err(fault) if fault.kind == SourceErrorKind::NotFound => return Ok(None),
                Err(fault) => itinerary.failed(index, fault),
            }
        }
    }

    /// The size and version of a file, by HEAD.
    ///
    /// # Errors
    /// As [`Client::get_document`], and [`SourceErrorKind::Protocol`] when the server does not tell the size.
    pub async fn file_head(&self, url: &Url) -> Result<FileHead, SourceError> {
        let what = format!("file {}", without_login(url.as_str()));
        let place = self
            .web_place(url.as_str())
            .map_err(|fault| fault.about(&what))?;
        let mut itinerary = self.itinerary(what, vec![place]);
        loop {
            let (index, place) = itinerary.next().await?;
            match self.head_once(&place, url).await {
                Ok(head) => return Ok(head),
                Err(fault) => itinerary.failed(index, fault),
            }
        }
    }

    async fn head_once(&self, place: &Place, url: &Url) -> Result<FileHead, Fault> {
        let request = place.host.http.head(url.clone());
        let response = transport::answer_of(&place.host, request, self.stall()).await?;
        let response = transport::judge(response, self.stall()).await?;
        // Not `content_length()`: that is the length of the body, and a HEAD has none.
        let header = |name: HeaderName| response.headers().get(name)?.to_str().ok();
        let size = header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        Ok(FileHead {
            size: size
                .ok_or_else(|| Fault::protocol("the server does not tell the size".to_owned()))?,
            version: header(ETAG)
                .or_else(|| header(LAST_MODIFIED))
                .map(str::to_owned),
        })
    }

    /// Opens the bytes of a file; the stream promises what a blob's does.
    ///
    /// # Errors
    /// Not a URL of a web server. What fails later, fails in the stream.
    pub fn open_file(
        &self,
        url: &Url,
        bytes: std::ops::Range<u64>,
    ) -> Result<BlobStream, SourceError> {
        let what = format!("file {}", without_login(url.as_str()));
        let place = self
            .web_place(url.as_str())
            .map_err(|fault| fault.about(&what))?;
        Ok(blob::open_file(self, what, (place, url.clone()), bytes))
    }

    async fn get_once(&self, place: &Place, url: &str, accept: &str) -> Result<Bytes, Fault> {
        let _slot = place.host.enter(self.inner.options.retry.deadline).await?;
        let request = place.host.http.get(url).header(ACCEPT, accept);
        let response = transport::answer_of(&place.host, request, self.stall()).await?;
        let mut response = transport::judge(response, self.stall()).await?;
        transport::read_capped(&mut response, DOCUMENT_CAP, self.stall()).await
    }
}

impl Client {
    /// The server as a place: its gate is the one of a registry of that name.
    pub(super) fn web_place(&self, url: &str) -> Result<Place, Fault> {
        let wrong = || Fault::config("not a URL with http or https and a host");
        let url: Url = url.parse().map_err(|_| wrong())?;
        let insecure = match url.scheme() {
            "http" => true,
            "https" => false,
            _ => return Err(wrong()),
        };
        let host = url.host_str().ok_or_else(wrong)?;
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        // Only the host of this reference is used; its port makes any host name one.
        let image: Reference = format!("{host}:{port}/document")
            .parse()
            .map_err(|_| wrong())?;
        let host = match url.port() {
            Some(port) => self.host(&format!("{host}:{port}"), insecure)?,
            None => self.host(host, insecure)?,
        };
        Ok(Place { host, image })
    }
}

/// A URL for messages.
fn without_login(url: &str) -> String {
    let Ok(mut parsed) = url.parse::<Url>() else {
        return url.chars().take(200).collect();
    };
    parsed.set_username("").ok();
    parsed.set_password(None).ok();
    parsed.to_string()
}
