//! A registry that misbehaves on order.
//!
//! It serves images from memory over plain HTTP/1.1 with Range, HEAD, tags and, if asked, a token service, and counts what it is
//! asked and what it sends. A [`Rule`] makes the next matching requests go wrong. It runs on a thread of its own, so that blocking
//! tests and tests of the built binary can use it too. Written on bare sockets, because servers are made not to do such things.
//!
//! ```ignore
//! let registry = Faulty::start();
//! let image = registry.add_image("team/app", "v1", &[layer]);
//! registry.rule(Rule::new(Fault::ResetAfter(1000)).on("/blobs/").times(3));
//! …                                            // drive a client at registry.host()
//! assert_eq!(registry.count("/blobs/"), 5);
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a broken fixture should stop the test"
)]

mod answers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use answers::{Answer, State, read_request};
use bytes::Bytes;
use snoforge::oci::{Descriptor, Digest, Reference, media_type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What goes wrong. Byte counts are of the response body.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Answers with this status, these extra headers and this body.
    Status(u16, Vec<(&'static str, String)>, &'static str),
    /// Sends so much of the body, then resets the connection.
    ResetAfter(usize),
    /// Sends so much of the body, then nothing, with the connection open.
    StallAfter(usize),
    /// Sends so much of the body under the full `Content-Length`, then closes.
    TruncateAfter(usize),
    /// Flips a bit of the last byte.
    WrongBytes,
    /// Sends so many bytes too many, under a `Content-Length` that says so.
    Longer(usize),
    /// Sends so many bytes too few, under a `Content-Length` that says so.
    Shorter(usize),
    /// As `Longer` and `Shorter` (negative), in chunked encoding, where no header tells.
    Chunked(isize),
    /// Answers a Range with 200 and the whole.
    IgnoreRange,
    /// Answers a Range with 206 from so many bytes earlier.
    RangeEarlier(usize),
    /// Answers a Range with 206 and a wrong total size.
    RangeTotal(usize),
    /// Answers 416 to any Range.
    NoRange,
    /// Redirects (307) to the same path at another host.
    RedirectTo(String),
    /// Closes without an answer.
    Hangup,
    /// Answers properly, but so much later.
    Delay(Duration),
}

impl Fault {
    /// 429 with `Retry-After` and the distribution-spec error body.
    pub(crate) fn too_many(retry_after: &str) -> Self {
        let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}"#;
        Self::Status(429, vec![("Retry-After", retry_after.to_owned())], body)
    }

    /// 429 as quay's front end sends it: HTML, no `Retry-After`.
    pub(crate) fn too_many_html() -> Self {
        let body = "<html><head><title>429 Too Many Requests</title></head></html>";
        Self::Status(429, vec![("Content-Type", "text/html".to_owned())], body)
    }

    /// A bare status.
    pub(crate) fn status(code: u16) -> Self {
        Self::Status(code, Vec::new(), "")
    }
}

/// When a [`Fault`] happens: on requests whose `METHOD path` contains a text, so many times.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    fault: Fault,
    on: String,
    skip: usize,
    left: usize,
}

impl Rule {
    /// On any request, once.
    pub(crate) fn new(fault: Fault) -> Self {
        Self {
            fault,
            on: String::new(),
            skip: 0,
            left: 1,
        }
    }

    /// Only on requests whose `METHOD path` contains this.
    pub(crate) fn on(mut self, text: impl Into<String>) -> Self {
        self.on = text.into();
        self
    }

    /// So many times.
    pub(crate) fn times(mut self, times: usize) -> Self {
        self.left = times;
        self
    }

    /// For ever.
    pub(crate) fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Lets so many matching requests pass first.
    pub(crate) fn after(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }
}

/// Who may read.
#[derive(Debug, Clone, Default)]
pub(crate) enum Access {
    /// Everyone.
    #[default]
    Open,
    /// `user:password`.
    Basic(String),
    /// A token of `/token`, which asks for `user:password` if there is one.
    Token {
        /// The credentials the token service wants.
        login: Option<String>,
        /// What it says in `expires_in`.
        expires_in: Option<u64>,
    },
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `METHOD /path?query`.
    pub(crate) line: String,
    /// Headers, names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body of a POST.
    pub(crate) body: String,
    /// When.
    pub(crate) at: Instant,
}

/// An image that was added.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// By tag.
    pub(crate) reference: Reference,
    /// The manifest.
    pub(crate) manifest: Descriptor,
    /// The config.
    pub(crate) config: Descriptor,
    /// The layers, base first.
    pub(crate) layers: Vec<Descriptor>,
}

impl Image {
    /// By digest.
    pub(crate) fn pinned(&self) -> Reference {
        self.reference.pinned(self.manifest.digest.clone())
    }
}

/// The running registry; it stops with the process.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    host: String,
    state: Arc<Mutex<State>>,
}

impl Faulty {
    /// Starts it on a free port of the loopback.
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("non-blocking");
        let host = listener.local_addr().expect("an address").to_string();
        let registry = Self {
            host,
            state: Arc::default(),
        };
        let server = registry.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(server.accept(listener));
        });
        registry
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// `127.0.0.1:PORT/rest`, parsed.
    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.host)
            .parse()
            .expect("a reference")
    }

    /// Adds a blob.
    pub(crate) fn add_blob(&self, media_type: &str, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        let descriptor = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
        self.state.lock().unwrap().blobs.insert(digest, bytes);
        descriptor
    }

    /// Removes a blob.
    pub(crate) fn remove_blob(&self, digest: &Digest) {
        self.state.lock().unwrap().blobs.remove(digest);
    }

    /// Adds manifest bytes under a tag and their digest.
    pub(crate) fn add_manifest(
        &self,
        repository: &str,
        tag: &str,
        kind: &str,
        bytes: impl Into<Bytes>,
    ) -> Descriptor {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        let mut state = self.state.lock().unwrap();
        for key in [tag.to_owned(), digest.to_string()] {
            let path = format!("{repository}/manifests/{key}");
            state
                .manifests
                .insert(path, (kind.to_owned(), bytes.clone()));
        }
        Descriptor::new(kind, digest, bytes.len() as u64)
    }

    /// Adds an OCI image with these layers (any bytes); its config differs per repository and tag.
    pub(crate) fn add_image(&self, repository: &str, tag: &str, layers: &[Vec<u8>]) -> Image {
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}},"author":"{repository}:{tag}"}}"#
        );
        let config = self.add_blob("application/vnd.oci.image.config.v1+json", config);
        let layers: Vec<Descriptor> = layers
            .iter()
            .map(|layer| {
                self.add_blob("application/vnd.oci.image.layer.v1.tar+gzip", layer.clone())
            })
            .collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config,
            "layers": layers,
        });
        let manifest = self.add_manifest(
            repository,
            tag,
            media_type::OCI_MANIFEST,
            manifest.to_string(),
        );
        Image {
            reference: self.reference(&format!("{repository}:{tag}")),
            manifest,
            config,
            layers,
        }
    }

    /// Adds an OCI index over images of the same repository, with their architectures.
    pub(crate) fn add_index(
        &self,
        repository: &str,
        tag: &str,
        images: &[(&str, &Image)],
    ) -> Descriptor {
        let entry = |(architecture, image): &(&str, &Image)| {
            let mut entry = serde_json::to_value(&image.manifest).expect("a descriptor is JSON");
            entry["platform"] = serde_json::json!({"architecture": architecture, "os": "linux"});
            entry
        };
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": images.iter().map(entry).collect::<Vec<_>>(),
        });
        self.add_manifest(repository, tag, media_type::OCI_INDEX, index.to_string())
    }

    /// Orders a misbehaviour; earlier orders go first.
    pub(crate) fn rule(&self, rule: Rule) {
        self.state.lock().unwrap().rules.push(rule);
    }

    /// From now on it behaves.
    pub(crate) fn clear_rules(&self) {
        self.state.lock().unwrap().rules.clear();
    }

    /// Who may read from now on.
    pub(crate) fn access(&self, access: Access) {
        self.state.lock().unwrap().access = access;
    }

    /// Makes every token issued so far worthless.
    pub(crate) fn expire_tokens(&self) {
        self.state.lock().unwrap().valid_tokens.clear();
    }

    /// Pages the list of tags.
    pub(crate) fn tags_per_page(&self, tags: usize) {
        self.state.lock().unwrap().tags_per_page = Some(tags);
    }

    /// Waits so long before each 64 KiB of a body.
    pub(crate) fn pace(&self, pause: Option<Duration>) {
        self.state.lock().unwrap().pace = pause;
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// How many requests so far had this in their `METHOD path`.
    pub(crate) fn count(&self, text: &str) -> usize {
        let state = self.state.lock().unwrap();
        state
            .seen
            .iter()
            .filter(|seen| seen.line.contains(text))
            .count()
    }

    /// Body bytes of manifests and blobs that were handed to the kernel, or were about to be.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.state.lock().unwrap().sent
    }

    async fn accept(self, listener: std::net::TcpListener) {
        let listener = TcpListener::from_std(listener).expect("a listener");
        while let Ok((socket, _)) = listener.accept().await {
            let registry = self.clone();
            tokio::spawn(async move { registry.converse(socket).await });
        }
    }

    /// One connection, kept alive until either side ends it.
    async fn converse(&self, mut socket: TcpStream) {
        socket.set_nodelay(true).ok();
        let mut buffer = Vec::new();
        while let Some(seen) = read_request(&mut socket, &mut buffer).await {
            let (answer, fault) = self.decide(&seen);
            if self.perform(&mut socket, answer, fault).await.is_none() {
                return;
            }
        }
    }

    /// Works out the right answer and what is to go wrong with it.
    fn decide(&self, seen: &Seen) -> (Answer, Option<Fault>) {
        let mut state = self.state.lock().unwrap();
        state.seen.push(seen.clone());
        let fault = state.take_fault(&seen.line);
        let whole = matches!(fault, Some(Fault::IgnoreRange | Fault::NoRange));
        let mut answer = state.answer(seen, &self.host);
        if let Some(range) = seen
            .headers
            .get("range")
            .filter(|_| answer.status == 200 && !whole)
        {
            answer.cut(range, fault.as_ref());
        }
        if matches!(fault, Some(Fault::NoRange)) && seen.headers.contains_key("range") {
            answer = Answer::status(416);
        }
        match &fault {
            Some(Fault::Status(code, headers, body)) => {
                answer = Answer::status(*code);
                answer.body = Bytes::from_static(body.as_bytes());
                answer
                    .headers
                    .extend(headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())));
            }
            Some(Fault::RedirectTo(host)) => {
                let path = seen.line.split_once(' ').map_or("", |(_, path)| path);
                answer = Answer::status(307).with("Location", format!("http://{host}{path}"));
            }
            _ => {}
        }
        answer.head_only = seen.line.starts_with("HEAD ");
        (answer, fault)
    }

    /// Sends an answer, wrongly if so ordered. `None`: the connection is over.
    async fn perform(
        &self,
        socket: &mut TcpStream,
        mut answer: Answer,
        fault: Option<Fault>,
    ) -> Option<()> {
        let mut cut = usize::MAX;
        let mut chunked = false;
        match fault {
            Some(Fault::Hangup) => return None,
            Some(Fault::Delay(pause)) => tokio::time::sleep(pause).await,
            Some(
                Fault::ResetAfter(bytes) | Fault::StallAfter(bytes) | Fault::TruncateAfter(bytes),
            ) => cut = bytes,
            Some(Fault::WrongBytes) => answer.flip_last_bit(),
            Some(Fault::Longer(bytes)) => answer.resize(isize::try_from(bytes).unwrap()),
            Some(Fault::Shorter(bytes)) => answer.resize(-isize::try_from(bytes).unwrap()),
            Some(Fault::Chunked(bytes)) => {
                answer.resize(bytes);
                chunked = true;
            }
            _ => {}
        }
        socket
            .write_all(answer.head(chunked).as_bytes())
            .await
            .ok()?;
        if answer.head_only {
            return Some(());
        }
        let body = answer.body.slice(..cut.min(answer.body.len()));
        let pace = self.state.lock().unwrap().pace;
        for piece in body.chunks(64 << 10) {
            if let Some(pause) = pace {
                tokio::time::sleep(pause).await;
            }
            // Before it is written: whoever has the bytes may ask for the count at once.
            if answer.counted {
                self.state.lock().unwrap().sent += piece.len() as u64;
            }
            if chunked {
                let head = format!("{:x}\r\n", piece.len());
                socket.write_all(head.as_bytes()).await.ok()?;
            }
            socket.write_all(piece).await.ok()?;
            if chunked {
                socket.write_all(b"\r\n").await.ok()?;
            }
        }
        if chunked {
            socket.write_all(b"0\r\n\r\n").await.ok()?;
        }
        match fault {
            Some(Fault::ResetAfter(_)) => {
                // Let the bytes out first: a reset throws away what the peer has not read.
                tokio::time::sleep(Duration::from_millis(30)).await;
                socket.set_zero_linger().ok();
                None
            }
            Some(Fault::TruncateAfter(_)) => None,
            Some(Fault::StallAfter(_)) => {
                // Until the client gives up.
                socket.read_u8().await.ok();
                None
            }
            _ => Some(()),
        }
    }
}
