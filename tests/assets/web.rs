//! A web server over files in memory: HEAD, GET, Range, and a connection that stops in the middle.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it serves and has seen.
#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Bytes of a body after which nothing more comes, and the connection stays open.
    stall_after: Option<usize>,
    /// `METHOD /path first-byte`.
    seen: Vec<String>,
    /// Connections that stalled.
    held: Vec<TcpStream>,
}

/// The server; it ends with the process.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Web {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let web = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
        };
        let served = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                std::thread::spawn(move || served.converse(stream));
            }
        });
        web
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap();
        state.files.insert(path.to_owned(), bytes.to_vec());
    }

    pub(crate) fn stall_after(&self, bytes: Option<usize>) {
        self.state.lock().unwrap().stall_after = bytes;
    }

    /// Requests since the last call.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// One request to a connection.
    fn converse(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        let mut start = 0;
        if reader.read_line(&mut first).is_err() {
            return;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(range) = lower.strip_prefix("range: bytes=") {
                start = range.split('-').next().unwrap().parse().unwrap();
            }
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        // A client that was killed is no fault of ours.
        let _ = self.answer(stream, method, path, start);
    }

    fn answer(
        &self,
        mut stream: TcpStream,
        method: &str,
        path: &str,
        start: usize,
    ) -> std::io::Result<()> {
        let (body, stall) = {
            let mut state = self.state.lock().unwrap();
            state.seen.push(format!("{method} {path} {start}"));
            (state.files.get(path).cloned(), state.stall_after)
        };
        let Some(body) = body else {
            return stream.write_all(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        };
        let (total, rest) = (body.len(), &body[start.min(body.len())..]);
        let status = match start {
            0 => "200 OK".to_owned(),
            _ => format!(
                "206 Partial Content\r\nContent-Range: bytes {start}-{}/{total}",
                total - 1
            ),
        };
        let tag = snoforge::oci::Digest::of(&body);
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"{}\"\r\nConnection: close\r\n\r\n",
            rest.len(),
            &tag.hex()[..12]
        )?;
        if method == "HEAD" {
            return Ok(());
        }
        match stall {
            Some(bytes) if bytes < rest.len() => {
                stream.write_all(&rest[..bytes])?;
                stream.flush()?;
                self.state.lock().unwrap().held.push(stream);
                Ok(())
            }
            _ => stream.write_all(rest),
        }
    }
}
