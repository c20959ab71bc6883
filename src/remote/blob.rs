//! Blob streams: contiguous bytes to the declared size, reconnected by Range inside the stream.
//!
//! A 206 counts when its `Content-Range` begins at the asked byte and its total is the blob's size; from another byte it is not
//! used and the whole blob is asked for. A 200 to a Range is taken from its first byte and what is on disk already is skipped.
//! The bytes are handed on as hyper read them, without a copy.

use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::StatusCode;
use http::header::{CONTENT_RANGE, HeaderMap, RANGE};
use reqwest::{Response, Url};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::client::Client;
use super::error::{Fault, Retry};
use super::itinerary::{Itinerary, Place};
use super::registries::Purpose;
use super::transport::{self, Ask};
use crate::oci::{BlobRequest, BlobStream, SourceError};

/// Opens a blob: the first answer has come when this returns.
pub(super) async fn open(
    client: &Client,
    request: BlobRequest<'_>,
) -> Result<BlobStream, SourceError> {
    let what = format!("blob {} of {}", request.digest, request.image.name());
    let mut places = client
        .places(request.image, Purpose::Blob)
        .map_err(|fault| fault.about(&what))?;
    places.sort_by_key(|place| request.avoid.contains(&place.endpoint()));
    let endpoint = places.first().map(Place::endpoint).unwrap_or_default();
    let target = Target::Blob(format!("blobs/{}", request.digest));
    let itinerary = client.itinerary(what, places);
    let mut download = Download::new(client, itinerary, target, request.offset..request.size);
    let endpoint = if download.position < download.size {
        download.connect().await?
    } else {
        endpoint
    };
    Ok(download.into_stream(endpoint))
}

/// Opens a file of a web server, `size` bytes long, from an offset.
pub(super) fn open_file(
    client: &Client,
    what: String,
    (place, url): (Place, Url),
    bytes: Range<u64>,
) -> BlobStream {
    let endpoint = place.host.name.clone();
    let itinerary = client.itinerary(what, vec![place]);
    Download::new(client, itinerary, Target::File(url), bytes).into_stream(endpoint)
}

/// What is asked for at a place.
enum Target {
    /// A path below the repository.
    Blob(String),
    /// A URL as it is.
    File(Url),
}

struct Download {
    client: Client,
    itinerary: Itinerary,
    target: Target,
    size: u64,
    /// The next byte of the blob that the reader gets.
    position: u64,
    /// A server answered a Range in a way that cannot be used: ask for the whole blob from now on.
    whole_only: bool,
    answer: Option<Answer>,
}

struct Answer {
    response: Response,
    /// Which place of the itinerary answers.
    index: usize,
    /// Bytes at the front that the reader has already.
    skip: u64,
    /// Held as long as the body flows.
    _slot: OwnedSemaphorePermit,
}

impl Download {
    fn new(client: &Client, itinerary: Itinerary, target: Target, bytes: Range<u64>) -> Self {
        Self {
            client: client.clone(),
            itinerary,
            target,
            size: bytes.end,
            position: bytes.start,
            whole_only: false,
            answer: None,
        }
    }

    fn into_stream(self, endpoint: String) -> BlobStream {
        let body = futures_util::stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|bytes| (bytes, download)))
        });
        BlobStream {
            endpoint,
            body: body.boxed(),
        }
    }

    /// Makes the next place answer, however many tries it takes, and names it.
    async fn connect(&mut self) -> Result<String, SourceError> {
        loop {
            let (index, place) = self.itinerary.next().await?;
            match self.ask(index, &place).await {
                Ok(answer) => {
                    self.answer = Some(answer);
                    return Ok(place.endpoint());
                }
                Err(fault) => self.itinerary.failed(index, fault),
            }
        }
    }

    async fn ask(&mut self, index: usize, place: &Place) -> Result<Answer, Fault> {
        let slot = place
            .host
            .enter(self.client.inner.options.retry.deadline)
            .await?;
        let mut from = if self.whole_only { 0 } else { self.position };
        let mut sent = self.send(place, from).await;
        if from > 0 && !usable(&sent, self.position, self.size)? {
            tracing::debug!(
                place = place.endpoint(),
                "Range not usable, the whole blob is asked for"
            );
            self.whole_only = true;
            from = 0;
            sent = self.send(place, from).await;
        }
        let response = sent?;
        let skip = match response.status() {
            StatusCode::PARTIAL_CONTENT if from > 0 => 0,
            StatusCode::OK => self.position,
            status => {
                return Err(Fault::protocol(format!(
                    "unexpected answer: HTTP {}",
                    status.as_u16()
                )));
            }
        };
        let expected = self.size - (self.position - skip);
        match response.content_length() {
            Some(length) if length != expected => Err(wrong_length(length, expected)),
            _ => Ok(Answer {
                response,
                index,
                skip,
                _slot: slot,
            }),
        }
    }

    async fn send(&self, place: &Place, from: u64) -> Result<Response, Fault> {
        match &self.target {
            Target::Blob(path) => {
                let mut ask = Ask::get(path);
                ask.from = from;
                transport::send(&self.client, place, &ask).await
            }
            Target::File(url) => {
                let mut request = place.host.http.get(url.clone());
                if from > 0 {
                    request = request.header(RANGE, format!("bytes={from}-"));
                }
                let stall = self.client.stall();
                let response = transport::answer_of(&place.host, request, stall).await?;
                transport::judge(response, stall).await
            }
        }
    }

    /// The next bytes, `None` at the declared end.
    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        loop {
            if self.answer.is_none() {
                if self.position >= self.size {
                    return Ok(None);
                }
                self.connect().await?;
            }
            let Some(answer) = &mut self.answer else {
                continue;
            };
            let (index, stall) = (answer.index, self.client.stall());
            let fault = match timeout(stall, answer.response.chunk()).await {
                Ok(Ok(Some(chunk))) => match self.take(chunk).await {
                    Ok(Some(bytes)) => return Ok(Some(bytes)),
                    Ok(None) => continue,
                    Err(fault) => fault,
                },
                Ok(Ok(None)) if self.position == self.size => {
                    self.answer = None;
                    return Ok(None);
                }
                Ok(Ok(None)) => wrong_length(self.position, self.size),
                Ok(Err(error)) => error.into(),
                Err(_) => transport::stalled(stall),
            };
            self.answer = None;
            let too_long = fault.retry == Retry::Never && self.position == self.size;
            self.itinerary.failed(index, fault);
            if too_long {
                return Err(self.itinerary.exhausted());
            }
        }
    }

    /// Accounts for a piece of the body; returns what of it the reader does not have yet.
    async fn take(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, Fault> {
        self.client.count(chunk.len());
        if let Some(limit) = &self.client.inner.limit {
            limit.pass(chunk.len()).await;
        }
        if let Some(answer) = &mut self.answer
            && answer.skip > 0
        {
            let known = answer.skip.min(chunk.len() as u64);
            answer.skip -= known;
            drop(chunk.split_to(usize::try_from(known).unwrap_or(usize::MAX)));
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        let end = self.position + chunk.len() as u64;
        if end > self.size {
            return Err(Fault::protocol(format!(
                "the body is longer than the {} bytes of the descriptor",
                self.size
            )));
        }
        self.position = end;
        self.itinerary.progressed(chunk.len());
        Ok(Some(chunk))
    }
}

/// Whether an answer to a Range from `first` of a blob of `size` bytes can be used; an error when it contradicts the size.
fn usable(sent: &Result<Response, Fault>, first: u64, size: u64) -> Result<bool, Fault> {
    match sent {
        Ok(response) if response.status() == StatusCode::PARTIAL_CONTENT => {
            match content_range(response.headers()) {
                Some((_, _, Some(total))) if total != size => Err(wrong_length(total, size)),
                Some((begin, last, _)) => Ok(begin == first && last.checked_add(1) == Some(size)),
                None => Ok(false),
            }
        }
        Ok(response) => Ok(response.status() != StatusCode::RANGE_NOT_SATISFIABLE),
        Err(_) => Ok(true),
    }
}

/// `bytes FIRST-LAST/TOTAL`; the total may be `*`.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64, Option<u64>)> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = match total.trim() {
        "*" => None,
        number => Some(number.parse().ok()?),
    };
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?, total))
}

fn wrong_length(got: u64, expected: u64) -> Fault {
    Fault::protocol(format!(
        "{got} bytes instead of the {expected} of the descriptor"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, value.parse().unwrap());
            content_range(&headers)
        };
        assert_eq!(range("bytes 5-9/10"), Some((5, 9, Some(10))));
        assert_eq!(range("bytes 5-9/*"), Some((5, 9, None)));
        for bad in [
            "",
            "bytes",
            "bytes */10",
            "bytes 5-/10",
            "items 5-9/10",
            "bytes 5-99999999999999999999/10",
            "bytes -1-9/10",
        ] {
            assert_eq!(range(bad), None, "{bad}");
        }
        assert!(range("bytes 0-18446744073709551615/*").is_some());
    }
}
