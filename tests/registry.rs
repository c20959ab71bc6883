//! `node::registry` against the field's clients and against every form of request.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first broken invariant"
)]

#[path = "support/images.rs"]
mod images;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use images::{Family, Image, image, index, noise, put, tar};
use reqwest::{Client, Method, Response, StatusCode};
use snoforge::exec;
use snoforge::node::registry::{Registry, serve};
use snoforge::oci::{Digest, RawManifest, Reference};
use snoforge::store::{IndexEntry, Store};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const NAME: &str = "registry.example/ns/name";
const LAYER: usize = 5 << 20;

/// A registry on loopback over a store with a Docker and an OCI image and their lists.
struct Served {
    dir: tempfile::TempDir,
    store: Store,
    address: SocketAddr,
    docker: Image,
    oci: Image,
    docker_list: RawManifest,
    oci_index: RawManifest,
    client: Client,
    stop: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

async fn served() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    let docker = image(
        Family::Docker,
        "amd64",
        &[tar(&[("large", &noise(7, LAYER))])],
    );
    let oci = image(
        Family::Oci,
        "amd64",
        &[tar(&[("a", b"oci")]), tar(&[("b", b"2")])],
    );
    let arm = image(Family::Oci, "arm64", &[tar(&[("a", b"arm")])]);
    let docker_list = index(Family::Docker, &[&docker]);
    let oci_index = index(Family::Oci, &[&arm, &oci]);
    for image in [&docker, &oci] {
        put(&store, image);
    }
    let name: Reference = NAME.parse().unwrap();
    let mut entries = Vec::new();
    for (tag, raw) in [
        ("docker", &docker.manifest),
        ("oci", &oci.manifest),
        ("list", &docker_list),
        ("index", &oci_index),
    ] {
        store.put_manifest(raw).unwrap();
        let descriptor = raw.descriptor().clone();
        let pinned = name.pinned(descriptor.digest.clone());
        entries.push(IndexEntry::new(&pinned, descriptor.clone()));
        entries.push(IndexEntry::new(&name.with_tag(tag).unwrap(), descriptor));
    }
    store.replace_index(entries).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let registry = Registry::open(Store::open(dir.path()).unwrap()).unwrap();
    assert_eq!(registry.repositories(), 1);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let shutdown = async move { drop(stopped.await) };
        serve(registry, listener, None, shutdown).await.unwrap();
    });
    // Certificates of the system are of no use on loopback and need not be there.
    let client = Client::builder().tls_certs_only([]).build().unwrap();
    Served {
        dir,
        store,
        address,
        docker,
        oci,
        docker_list,
        oci_index,
        client,
        stop,
        server,
    }
}

impl Served {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let url = format!("http://{}/v2/{path}", self.address);
        let mut request = self.client.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path, &[]).await
    }

    fn layer(&self) -> (&Digest, &[u8]) {
        let (descriptor, bytes) = self.docker.blobs.last().unwrap();
        (&descriptor.digest, bytes)
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn code(response: Response) -> String {
    assert_eq!(header(&response, "content-type"), "application/json");
    let body: serde_json::Value = response.json().await.unwrap();
    let code = body.pointer("/errors/0/code").unwrap();
    assert!(body.pointer("/errors/0/message").unwrap().is_string());
    code.as_str().unwrap().to_owned()
}

/// Runs a tool off the async threads; `None`, with a printed reason, when it is not installed.
async fn tool(program: &'static str, args: &[&str]) -> Option<Vec<u8>> {
    let args: Vec<String> = args.iter().map(|&a| a.to_owned()).collect();
    let ran = tokio::task::spawn_blocking(move || exec::run(program, &args)).await;
    match ran.unwrap() {
        Ok(out) => Some(out),
        Err(exec::ExecError::Missing(name)) => {
            skipped(&format!("`{name}` is not installed"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[tokio::test]
async fn manifests_by_tag_and_digest_with_their_own_types() {
    let served = served().await;
    let version = served.get("").await;
    assert_eq!(
        (
            version.status(),
            header(&version, "docker-distribution-api-version")
        ),
        (StatusCode::OK, "registry/2.0")
    );
    for (tag, raw) in [
        ("docker", &served.docker.manifest),
        ("oci", &served.oci.manifest),
        ("list", &served.docker_list),
        ("index", &served.oci_index),
    ] {
        let digest = raw.descriptor().digest.to_string();
        for name in ["registry.example/ns/name", "ns/name"] {
            for key in [tag, &digest, &digest.replace(':', "%3A")] {
                let path = format!("{name}/manifests/{key}");
                for method in [Method::GET, Method::HEAD] {
                    let answer = served.ask(method.clone(), &path, &[]).await;
                    assert_eq!(answer.status(), StatusCode::OK, "{path}");
                    assert_eq!(header(&answer, "content-type"), raw.descriptor().media_type);
                    assert_eq!(header(&answer, "docker-content-digest"), digest);
                    assert_eq!(
                        header(&answer, "content-length"),
                        raw.bytes().len().to_string()
                    );
                    let body = answer.bytes().await.unwrap();
                    let expected: &[u8] = if method == Method::HEAD {
                        b""
                    } else {
                        raw.bytes()
                    };
                    assert_eq!(&body[..], expected);
                }
            }
        }
        let same = served
            .ask(
                Method::GET,
                &format!("ns/name/manifests/{tag}"),
                &[("if-none-match", &format!("\"{digest}\""))],
            )
            .await;
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_the_right_code() {
    let served = served().await;
    let absent = Digest::of(b"absent");
    let layer = served.layer().0.clone();
    let arm = served.oci_index.parse().unwrap();
    let snoforge::oci::Manifest::Index { manifests } = arm else {
        panic!("an index")
    };
    let arm = &manifests.first().unwrap().digest;
    for (path, status, expected) in [
        (
            format!("ns/name/manifests/{absent}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (format!("ns/name/manifests/{arm}"), 404, "MANIFEST_UNKNOWN"),
        (
            format!("ns/name/manifests/{layer}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        ("ns/name/manifests/nope".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (format!("ns/name/blobs/{absent}"), 404, "BLOB_UNKNOWN"),
        (format!("ns/other/blobs/{layer}"), 404, "NAME_UNKNOWN"),
        ("other/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        (
            "ns/name/blobs/sha256:..%2f..%2fetc%2fpasswd".to_owned(),
            404,
            "UNSUPPORTED",
        ),
        ("ns/name/blobs/sha256:xyz".to_owned(), 400, "DIGEST_INVALID"),
        ("ns/name/referrers/latest".to_owned(), 400, "DIGEST_INVALID"),
        ("ns/name/tags/other".to_owned(), 404, "UNSUPPORTED"),
        ("ns/name".to_owned(), 404, "UNSUPPORTED"),
        ("blobs".to_owned(), 404, "NAME_UNKNOWN"),
    ] {
        let answer = served.get(&path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(code(answer).await, expected, "{path}");
        let head = served.ask(Method::HEAD, &path, &[]).await;
        assert_eq!(
            (head.status().as_u16(), head.bytes().await.unwrap().len()),
            (status, 0)
        );
    }
    for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
        let answer = served.ask(method, "ns/name/blobs/uploads/", &[]).await;
        assert_eq!(
            (answer.status(), header(&answer, "allow")),
            (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD")
        );
        assert_eq!(code(answer).await, "UNSUPPORTED");
    }
}

#[tokio::test]
async fn blobs_whole_and_by_range() {
    let served = served().await;
    let (digest, bytes) = served.layer();
    let path = format!("registry.example/ns/name/blobs/{digest}");
    let len = bytes.len();
    let head = served.ask(Method::HEAD, &path, &[]).await;
    assert_eq!(header(&head, "content-length"), len.to_string());
    assert_eq!(header(&head, "accept-ranges"), "bytes");
    let whole = served.get(&path).await;
    assert_eq!(header(&whole, "docker-content-digest"), digest.to_string());
    assert!(whole.bytes().await.unwrap() == bytes);

    let last = len - 1;
    for (range, start, end) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=1048575-2097153".to_owned(), 1_048_575, 2_097_154),
        ("bytes=100-".to_owned(), 100, len),
        ("bytes=-7".to_owned(), len - 7, len),
        (format!("bytes={last}-{len}"), last, len),
        (format!("bytes=-{}", len + 1), 0, len),
    ] {
        let part = served.ask(Method::GET, &path, &[("range", &range)]).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(
            header(&part, "content-range"),
            format!("bytes {start}-{}/{len}", end - 1)
        );
        assert_eq!(header(&part, "content-length"), (end - start).to_string());
        assert!(
            part.bytes().await.unwrap() == bytes.get(start..end).unwrap(),
            "{range}"
        );
    }
    let beyond = served
        .ask(Method::GET, &path, &[("range", &format!("bytes={len}-"))])
        .await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&beyond, "content-range"), format!("bytes */{len}"));
    for ignored in ["bytes=5-3", "bytes=0-1,4-5", "lines=0-1"] {
        let whole = served.ask(Method::GET, &path, &[("range", ignored)]).await;
        assert_eq!(
            (whole.status(), header(&whole, "content-length")),
            (StatusCode::OK, &*len.to_string())
        );
    }
    let tag = format!("\"{digest}\"");
    for (given, status) in [(tag.as_str(), 206), ("\"other\"", 200)] {
        let headers = [("range", "bytes=1-2"), ("if-range", given)];
        let answer = served.ask(Method::GET, &path, &headers).await;
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_blob_that_cannot_be_read_is_an_error_that_says_so() {
    // The kernel has no speed of the loopback interface: a file of 4096 bytes that fails when it is read.
    let unreadable = std::path::Path::new("/sys/class/net/lo/speed");
    if fs_err::metadata(unreadable).is_ok_and(|meta| meta.len() > 0) {
        let served = served().await;
        let (digest, _) = served.layer();
        let path = served.store.blob_path(digest);
        fs_err::remove_file(&path).unwrap();
        fs_err::os::unix::fs::symlink(unreadable, &path).unwrap();
        let url = format!("ns/name/blobs/{digest}");
        let answer = served.get(&url).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = answer.text().await.unwrap();
        assert!(
            body.contains("cannot read") && body.contains(digest.hex()),
            "{body}"
        );
    } else {
        skipped("no file here fails when it is read");
    }
}

#[tokio::test]
async fn a_blob_of_another_size_than_expected_is_not_served() {
    let (digest, size) = (Digest::of(b"whole"), 5);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    let image = image(Family::Oci, "amd64", &[]);
    put(&store, &image);
    fs_err::write(store.blob_path(&digest), b"whol").unwrap();
    let name: Reference = NAME.parse().unwrap();
    let descriptor = image.manifest.descriptor().clone();
    let pinned = name.pinned(descriptor.digest.clone());
    let entry = IndexEntry::new(&pinned, descriptor);
    store.replace_index([entry]).unwrap();
    let registry = Registry::open(store.clone()).unwrap();
    let registry = registry.expecting([(digest.clone(), size)].into());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/v2/ns/name/blobs/{digest}",
        listener.local_addr().unwrap()
    );
    tokio::spawn(serve(registry, listener, None, std::future::pending()));
    let client = Client::builder().tls_certs_only([]).build().unwrap();
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = answer.text().await.unwrap();
    assert!(body.contains("4 bytes instead of 5"), "{body}");
    fs_err::write(store.blob_path(&digest), b"whole").unwrap();
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(&answer.bytes().await.unwrap()[..], b"whole");
}

#[tokio::test]
async fn tags_catalog_and_referrers() {
    let served = served().await;
    let json = |response: Response| async { response.json::<serde_json::Value>().await.unwrap() };
    let all = json(served.get("ns/name/tags/list").await).await;
    assert_eq!(
        all,
        serde_json::json!({ "name": "ns/name", "tags": ["docker", "index", "list", "oci"] })
    );
    let first = served.get("ns/name/tags/list?n=3").await;
    let link = header(&first, "link").to_owned();
    assert_eq!(link, "</v2/ns/name/tags/list?n=3&last=list>; rel=\"next\"");
    let rest = served.get("ns/name/tags/list?n=3&last=list").await;
    assert_eq!(header(&rest, "link"), "");
    assert_eq!(
        json(rest).await.get("tags"),
        Some(&serde_json::json!(["oci"]))
    );
    let catalog = json(served.get("_catalog").await).await;
    assert_eq!(catalog, serde_json::json!({ "repositories": [NAME] }));
    let referrers = served
        .get(&format!("ns/name/referrers/{}", served.layer().0))
        .await;
    assert_eq!(
        header(&referrers, "content-type"),
        "application/vnd.oci.image.index.v1+json"
    );
    assert_eq!(
        json(referrers).await.get("manifests"),
        Some(&serde_json::json!([]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pulls_everything_under_its_digest() {
    let served = served().await;
    let out = tempfile::tempdir().unwrap();
    let whole = [
        ("docker", &served.docker.manifest, &served.docker.manifest),
        ("oci", &served.oci.manifest, &served.oci.manifest),
        ("list", &served.docker_list, &served.docker.manifest),
        ("index", &served.oci_index, &served.oci.manifest),
    ];
    for (tag, raw, amd64) in whole {
        let host = format!("docker://{}", served.address);
        let digest = &raw.descriptor().digest;
        for (position, source) in [
            format!("{host}/registry.example/ns/name:{tag}"),
            format!("{host}/ns/name@{digest}"),
        ]
        .iter()
        .enumerate()
        {
            let target = out.path().join(format!("{tag}{position}"));
            let args = [
                "--insecure-policy",
                "copy",
                "--src-tls-verify=false",
                source,
                &format!("dir:{}", target.display()),
            ];
            if tool("skopeo", &args).await.is_none() {
                return;
            }
            let manifest = fs_err::read(target.join("manifest.json")).unwrap();
            assert_eq!(Digest::of(&manifest), amd64.descriptor().digest, "{source}");
            let shown = tool(
                "skopeo",
                &["inspect", "--raw", "--tls-verify=false", source],
            )
            .await;
            assert_eq!(&shown.unwrap()[..], &raw.bytes()[..]);
        }
    }
    let source = format!("docker://{}/ns/name:list", served.address);
    let target = format!("dir:{}", out.path().join("all").display());
    let args = [
        "--insecure-policy",
        "copy",
        "--all",
        "--src-tls-verify=false",
        &source,
        &target,
    ];
    tool("skopeo", &args).await;
    let manifest = fs_err::read(out.path().join("all/manifest.json")).unwrap();
    assert_eq!(&manifest[..], &served.docker_list.bytes()[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_pulls_by_digest() {
    let served = served().await;
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("podman with a storage of its own needs root");
    }
    let out = tempfile::tempdir().unwrap();
    let (root, run) = (out.path().join("root"), out.path().join("run"));
    for raw in [&served.docker.manifest, &served.oci_index] {
        let digest = &raw.descriptor().digest;
        let source = format!("{}/registry.example/ns/name@{digest}", served.address);
        let (root, run) = (root.to_str().unwrap(), run.to_str().unwrap());
        let at = ["--root", root, "--runroot", run, "--storage-driver", "vfs"];
        let pull = ["pull", "--tls-verify=false", "-q", &source];
        if tool("podman", &[&at[..], &pull[..]].concat())
            .await
            .is_none()
        {
            return;
        }
        let exists = ["image", "exists", &source];
        tool("podman", &[&at[..], &exists[..]].concat()).await;
    }
}

/// A client that cannot see the error must at least not see a clean end.
#[tokio::test]
async fn a_blob_that_ends_early_cuts_the_connection() {
    let served = served().await;
    let path = served.store.blob_path(served.layer().0);
    let address = served.address;
    let request = format!(
        "GET /v2/ns/name/blobs/{} HTTP/1.1\r\nhost: x\r\n\r\n",
        served.layer().0
    );
    // More than the buffers of both sockets hold, so that the file shrinks while the server still has to read it.
    let len = 64 << 20;
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(len).unwrap();
    let received = tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut first = [0; 15];
        socket.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        file.set_len(64 << 10).unwrap();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
        rest.len() as u64
    });
    let received = tokio::time::timeout(std::time::Duration::from_secs(20), received).await;
    let received = received.expect("the connection is closed").unwrap();
    assert!(received < len, "{received} bytes: a cut body is not padded");
}

#[tokio::test]
async fn stops_when_told_and_lets_the_store_alone() {
    let served = served().await;
    let before = tree(served.dir.path());
    served
        .get(&format!("ns/name/blobs/{}", served.layer().0))
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(tree(served.dir.path()), before);
    served.stop.send(()).unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(8), served.server).await;
    ended.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).is_err());
}

#[tokio::test]
async fn tells_the_service_manager_when_it_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path()).unwrap();
    let socket = dir.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let listener = || TcpListener::bind("127.0.0.1:0");
    for (name, told) in [
        (socket.as_os_str(), true),
        ("/no/such/socket".as_ref(), false),
    ] {
        let registry = Registry::open(store.clone()).unwrap();
        let listener = listener().await.unwrap();
        let served = serve(registry, listener, Some(name), std::future::ready(())).await;
        assert_eq!(served.is_ok(), told, "{served:?}");
    }
    let mut message = [0; 16];
    let count = manager.recv(&mut message).unwrap();
    assert_eq!(message.get(..count), Some(&b"READY=1"[..]));
}

fn tree(dir: &std::path::Path) -> Vec<(std::path::PathBuf, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        found.push((entry.path(), meta.len(), meta.modified().unwrap()));
        if meta.is_dir() {
            found.extend(tree(&entry.path()));
        }
    }
    found.sort();
    found
}
