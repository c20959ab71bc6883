//! Documents that no registry serves: the update graph, release signatures.

use bytes::Bytes;
use http::header::ACCEPT;
use reqwest::Url;

use super::client::Client;
use super::error::Fault;
use super::itinerary::Place;
use super::transport;
use crate::oci::{Reference, SourceError, SourceErrorKind};

/// Largest document taken; the update graph of a channel is about 1 MB.
const DOCUMENT_CAP: usize = 64 << 20;

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

    async fn get_once(&self, place: &Place, url: &str, accept: &str) -> Result<Bytes, Fault> {
        let _slot = place.host.enter(self.inner.options.retry.deadline).await?;
        let request = place.host.http.get(url).header(ACCEPT, accept);
        let response = transport::answer(request, self.stall()).await?;
        let mut response = transport::judge(response, self.stall()).await?;
        transport::read_capped(&mut response, DOCUMENT_CAP, self.stall()).await
    }
}

impl Client {
    /// The server as a place: its gate is the one of a registry of that name.
    fn web_place(&self, url: &str) -> Result<Place, Fault> {
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
