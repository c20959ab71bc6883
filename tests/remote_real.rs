//! The registry client against Debian's docker-registry, filled and read back by skopeo, so that client and server cannot share
//! one mistake. Skipped, with the reason printed, where these are not installed.
#![expect(clippy::unwrap_used, reason = "a broken fixture should stop the test")]

mod support;

use std::io::Write as _;
use std::path::Path;

use futures_util::TryStreamExt as _;
use snoforge::oci::{
    BlobRequest, Descriptor, Digest, ImageSource as _, Manifest, Reference, SourceErrorKind,
    media_type,
};
use snoforge::remote::{Client, Environment, Options};
use support::faulty::Faulty;
use support::registry::{DockerRegistry, Guard, LOGIN};

/// Options that read nothing of this machine.
fn options(dir: &Path) -> Options {
    Options {
        environment: Environment {
            home: Some(dir.join("home")),
            etc: dir.join("etc"),
            run: dir.join("run"),
            ..Environment::default()
        },
        ..Options::default()
    }
}

fn with_login(dir: &Path, host: &str) -> Options {
    use base64::Engine as _;
    let (user, password) = LOGIN;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let path = dir.join("auth.json");
    let file = serde_json::json!({"auths": {host: {"auth": auth}}});
    fs_err::write(&path, file.to_string()).unwrap();
    Options {
        authfile: Some(path),
        tls_verify: false,
        ..options(dir)
    }
}

/// A layer as builders make it: one file in a tar.gz.
fn layer(name: &str, len: usize) -> Vec<u8> {
    let mut data: Vec<u8> = Vec::with_capacity(len);
    let mut state = u32::try_from(len).unwrap() | 1;
    while data.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        data.extend_from_slice(&state.to_le_bytes()[1..]);
    }
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, &data[..]).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&builder.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}

/// Writes a `dir:` image of Docker schema 2, which skopeo pushes without changing a byte; returns the manifest.
fn docker_image(dir: &Path, layers: &[Vec<u8>]) -> Vec<u8> {
    fs_err::create_dir_all(dir).unwrap();
    fs_err::write(dir.join("version"), "Directory Transport Version: 1.1\n").unwrap();
    let put = |kind: &str, bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs_err::write(dir.join(digest.hex()), bytes).unwrap();
        Descriptor::new(kind, digest, bytes.len() as u64)
    };
    let tars: Vec<String> = layers
        .iter()
        .map(|bytes| {
            let mut plain = Vec::new();
            std::io::copy(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut plain).unwrap();
            Digest::of(&plain).to_string()
        })
        .collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": tars},
    });
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::DOCKER_MANIFEST,
        "config": put("application/vnd.docker.container.image.v1+json", config.to_string().as_bytes()),
        "layers": layers.iter().map(|l| put("application/vnd.docker.image.rootfs.diff.tar.gzip", l)).collect::<Vec<_>>(),
    });
    // Indented, so that a writer that parses and prints again would change the digest.
    let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
    fs_err::write(dir.join("manifest.json"), &bytes).unwrap();
    bytes
}

/// Reads an image wholly and checks every digest; returns the bytes read.
async fn pull(client: &Client, image: &Reference) -> u64 {
    let manifest = client.manifest(image).await.unwrap();
    let Manifest::Image { config, layers } = manifest.parse().unwrap() else {
        panic!("an image");
    };
    let mut total = 0;
    for blob in layers.iter().chain([&config]) {
        for offset in [0, blob.size / 2] {
            let request = BlobRequest {
                image,
                digest: &blob.digest,
                size: blob.size,
                offset,
                avoid: &[],
            };
            let body = client.blob(request).await.unwrap().body;
            let bytes: Vec<u8> = body.map_ok(|b| b.to_vec()).try_concat().await.unwrap();
            assert_eq!(bytes.len() as u64, blob.size - offset);
            if offset == 0 {
                assert_eq!(Digest::of(&bytes), blob.digest);
            }
            total += bytes.len() as u64;
        }
    }
    total
}

async fn skopeo_to_us(guard: Guard, options: impl Fn(&DockerRegistry) -> Options) {
    let Some(registry) = DockerRegistry::start(guard) else {
        return;
    };
    let image = registry.dir.path().join("image");
    let manifest = docker_image(&image, &[layer("a", 300_000), layer("b", 2_000_000)]);
    let source = format!("dir:{}", image.display());
    let target = format!("docker://{}/team/app:v1", registry.host);
    let login = format!("{}:{}", LOGIN.0, LOGIN.1);
    let cert_dir = registry.cert_dir().display().to_string();
    let mut args = vec!["copy"];
    match guard {
        Guard::Plain => args.push("--dest-tls-verify=false"),
        Guard::Password => args.extend(["--dest-tls-verify=false", "--dest-creds", &login]),
        Guard::Tls | Guard::MutualTls => args.extend(["--dest-cert-dir", &cert_dir]),
    }
    args.extend([source.as_str(), target.as_str()]);
    DockerRegistry::skopeo(&args);

    let client = Client::new(options(&registry)).unwrap();
    let reference: Reference = format!("{}/team/app:v1", registry.host).parse().unwrap();
    let described = client.resolve(&reference).await.unwrap();
    assert_eq!(described.digest, Digest::of(&manifest));
    assert_eq!(described.media_type, media_type::DOCKER_MANIFEST);
    assert_eq!(described.size, manifest.len() as u64);
    let raw = client.manifest(&reference).await.unwrap();
    assert_eq!(raw.bytes(), &manifest);
    let bytes = pull(&client, &reference.pinned(described.digest)).await;
    assert_eq!(client.bytes_received(), bytes + 2 * manifest.len() as u64);
    assert_eq!(client.tags(&reference).await.unwrap(), ["v1"]);
    let absent = reference.with_tag("v2").unwrap();
    let error = client.resolve(&absent).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::NotFound);
}

#[tokio::test]
async fn pull_from_a_plain_registry() {
    skopeo_to_us(Guard::Plain, |registry| Options {
        tls_verify: false,
        ..options(registry.dir.path())
    })
    .await;
}

#[tokio::test]
async fn pull_with_a_password() {
    skopeo_to_us(Guard::Password, |registry| {
        with_login(registry.dir.path(), &registry.host)
    })
    .await;
}

#[tokio::test]
async fn pull_under_a_private_ca() {
    skopeo_to_us(Guard::Tls, |registry| Options {
        cert_dir: Some(registry.cert_dir()),
        ..options(registry.dir.path())
    })
    .await;
    // As certs.d has it.
    skopeo_to_us(Guard::Tls, |registry| {
        let options = options(registry.dir.path());
        let certs = options
            .environment
            .etc
            .join("containers/certs.d")
            .join(&registry.host);
        fs_err::create_dir_all(&certs).unwrap();
        fs_err::copy(registry.cert_dir().join("ca.crt"), certs.join("x.crt")).unwrap();
        options
    })
    .await;
    // Unchecked.
    skopeo_to_us(Guard::Tls, |registry| Options {
        tls_verify: false,
        ..options(registry.dir.path())
    })
    .await;
}

#[tokio::test]
async fn pull_with_a_client_certificate() {
    skopeo_to_us(Guard::MutualTls, |registry| Options {
        cert_dir: Some(registry.cert_dir()),
        ..options(registry.dir.path())
    })
    .await;
    let Some(registry) = DockerRegistry::start(Guard::MutualTls) else {
        return;
    };
    // Without it the registry does not talk, and pushing with it is told to be impossible.
    let image: Reference = format!("{}/team/app:v1", registry.host).parse().unwrap();
    let push = |options: Options| {
        let (client, image) = (Client::new(options).unwrap(), image.clone());
        let origin = Faulty::start();
        let source = origin.add_image("a", "v", &[]).reference;
        let path = insecure(&registry, origin.host());
        let from = Client::new(Options {
            registries_conf: Some(path),
            ..client_options(&registry)
        });
        async move {
            client
                .push(&from.unwrap(), &source, &image)
                .await
                .unwrap_err()
        }
    };
    let error = push(client_options(&registry)).await;
    assert_eq!(error.kind, SourceErrorKind::Config);
    assert!(error.to_string().contains("client.cert"), "{error}");
    fs_err::remove_file(registry.cert_dir().join("client.cert")).unwrap();
    let mut options = client_options(&registry);
    options.retry.attempts = 1;
    let error = Client::new(options).unwrap().manifest(&image).await;
    assert_ne!(error.unwrap_err().kind, SourceErrorKind::NotFound);
}

fn client_options(registry: &DockerRegistry) -> Options {
    Options {
        cert_dir: Some(registry.cert_dir()),
        ..options(registry.dir.path())
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let (Some(tls), Some(password)) = (
        DockerRegistry::start(Guard::Tls),
        DockerRegistry::start(Guard::Password),
    ) else {
        return;
    };
    let image = |registry: &DockerRegistry| -> Reference {
        format!("{}/team/app:v1", registry.host).parse().unwrap()
    };
    let client = Client::new(options(tls.dir.path())).unwrap();
    let begin = std::time::Instant::now();
    let error = client.manifest(&image(&tls)).await.unwrap_err();
    assert!(
        begin.elapsed().as_secs() < 2,
        "a bad certificate is not tried again"
    );
    assert!(error.to_string().contains("unknown authority"), "{error}");
    assert!(error.hint.unwrap().contains("--cert-dir"));

    let mut options = with_login(password.dir.path(), "other.example");
    let client = Client::new(options.clone()).unwrap();
    let error = client.manifest(&image(&password)).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Unauthorized);
    let hint = error.hint.clone().unwrap();
    assert!(
        hint.contains("auth.json") && hint.contains(&password.host),
        "{error} {hint}"
    );

    options.tls_verify = true;
    let client = Client::new(options).unwrap();
    let error = client.manifest(&image(&password)).await.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    assert!(error.hint.unwrap().contains("insecure"));
}

async fn us_to_skopeo(guard: Guard, options: impl Fn(&DockerRegistry) -> Options) {
    let Some(registry) = DockerRegistry::start(guard) else {
        return;
    };
    let origin = Faulty::start();
    let shared = layer("shared", 5_000_000);
    let first = origin.add_image("team/app", "v1", &[shared.clone(), layer("a", 10_000)]);
    let second = origin.add_image("team/app", "v2", &[shared, layer("b", 10_000)]);
    let index = origin.add_index("team/app", "v", &[("amd64", &first), ("arm64", &second)]);
    let client = Client::new(Options {
        // The source is plain HTTP whatever the target is.
        registries_conf: Some(insecure(&registry, origin.host())),
        ..options(&registry)
    })
    .unwrap();
    let target: Reference = format!("{}/copy/app:v", registry.host).parse().unwrap();
    let image = origin.reference("team/app:v");
    let pushed = client.push(&client, &image, &target).await.unwrap();
    assert_eq!((pushed.blobs, pushed.present, pushed.manifests), (5, 0, 3));
    let again = client.push(&client, &image, &target).await.unwrap();
    assert_eq!((again.blobs, again.bytes), (0, 0));

    let name = format!("docker://{}/copy/app:v", registry.host);
    let login = format!("{}:{}", LOGIN.0, LOGIN.1);
    let cert_dir = registry.cert_dir().display().to_string();
    let access: &[&str] = match guard {
        Guard::Plain => &["--tls-verify=false"],
        Guard::Password => &["--tls-verify=false", "--creds", &login],
        Guard::Tls | Guard::MutualTls => &["--cert-dir", &cert_dir],
    };
    let inspect = [&["inspect", "--raw"], access, &[name.as_str()]].concat();
    let raw = DockerRegistry::skopeo(&inspect);
    assert_eq!(Digest::of(&raw), index.digest);
    // skopeo pulls and checks every blob of every platform.
    let out = format!("dir:{}", registry.dir.path().join("out").display());
    let source: Vec<String> = access.iter().map(|a| a.replace("--", "--src-")).collect();
    let mut copy = vec!["copy", "--all", "--preserve-digests"];
    copy.extend(source.iter().map(String::as_str));
    copy.extend([name.as_str(), out.as_str()]);
    DockerRegistry::skopeo(&copy);
}

/// A registries.conf that lets one host be plain HTTP.
fn insecure(registry: &DockerRegistry, host: &str) -> std::path::PathBuf {
    let path = registry.dir.path().join("registries.conf");
    fs_err::write(
        &path,
        format!("[[registry]]\nlocation='{host}'\ninsecure=true\n"),
    )
    .unwrap();
    path
}

#[tokio::test]
async fn push_to_a_plain_registry() {
    us_to_skopeo(Guard::Plain, |registry| Options {
        tls_verify: false,
        ..options(registry.dir.path())
    })
    .await;
}

#[tokio::test]
async fn push_with_a_password() {
    us_to_skopeo(Guard::Password, |registry| {
        with_login(registry.dir.path(), &registry.host)
    })
    .await;
}

#[tokio::test]
async fn push_under_a_private_ca() {
    us_to_skopeo(Guard::Tls, |registry| Options {
        cert_dir: Some(registry.cert_dir()),
        ..options(registry.dir.path())
    })
    .await;
}

#[tokio::test]
async fn a_push_that_fails_says_which_side() {
    let Some(registry) = DockerRegistry::start(Guard::Password) else {
        return;
    };
    let origin = Faulty::start();
    let image = origin.add_image("team/app", "v1", &[layer("a", 10_000)]);
    let target: Reference = format!("{}/copy/app:v", registry.host).parse().unwrap();
    let options = with_login(registry.dir.path(), &registry.host);
    let client = Client::new(options.clone()).unwrap();
    origin.remove_blob(&image.layers[0].digest);
    let error = client
        .push(&client, &image.reference, &target)
        .await
        .unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::NotFound);
    assert!(error.to_string().contains(origin.host()), "{error}");

    let client = Client::new(Options {
        authfile: None,
        ..options
    })
    .unwrap();
    let error = client
        .push(&client, &image.reference, &target)
        .await
        .unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Unauthorized);
    assert!(error.to_string().contains(&registry.host), "{error}");
}

/// A proxy that cuts the first so many connections that bring more than `after` bytes from the client.
async fn cutting_proxy(to: String, cuts: usize, after: u64) -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let left = std::sync::Arc::new(AtomicUsize::new(cuts));
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = tokio::net::TcpStream::connect(&to).await.unwrap();
            let left = std::sync::Arc::clone(&left);
            tokio::spawn(async move {
                let (mut from_far, mut to_far) = far.split();
                let (mut from_near, mut to_near) = near.split();
                let up = async {
                    let mut begin = (&mut from_near).take(after);
                    let brought = tokio::io::copy(&mut begin, &mut to_far).await.unwrap_or(0);
                    let take = |n: usize| n.checked_sub(1);
                    let cut = brought == after
                        && left
                            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                            .is_ok();
                    if !cut {
                        tokio::io::copy(&mut from_near, &mut to_far).await.ok();
                    }
                };
                let down = tokio::io::copy(&mut from_far, &mut to_near);
                tokio::select! { () = up => {}, _ = down => {} }
            });
        }
    });
    host
}

#[tokio::test]
async fn a_push_that_is_cut_goes_on() {
    let Some(registry) = DockerRegistry::start(Guard::Plain) else {
        return;
    };
    let proxy = cutting_proxy(registry.host.clone(), 2, 2_000_000).await;
    let origin = Faulty::start();
    let image = origin.add_image("team/app", "v1", &[layer("a", 5_000_000)]);
    let mut options = options(registry.dir.path());
    options.tls_verify = false;
    options.retry.base_delay = std::time::Duration::from_millis(20);
    let client = Client::new(options).unwrap();
    let target: Reference = format!("{proxy}/copy/app:v1").parse().unwrap();
    let pushed = client
        .push(&client, &image.reference, &target)
        .await
        .unwrap();
    assert_eq!((pushed.blobs, pushed.manifests), (2, 1));
    assert!(
        origin.count(&image.layers[0].digest.to_string()) == 3,
        "the blob is opened again after each cut"
    );
    let there: Reference = format!("{}/copy/app:v1", registry.host).parse().unwrap();
    assert_eq!(client.resolve(&there).await.unwrap(), image.manifest);
    pull(&client, &there).await;
}

#[tokio::test]
async fn push_rights_leave_nothing_behind() {
    let Some(registry) = DockerRegistry::start(Guard::Password) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let target: Reference = format!("{}/team/seed:v1", registry.host).parse().unwrap();
    let client = Client::new(with_login(dir.path(), &registry.host)).unwrap();
    client.try_push(&target).await.unwrap();
    let mut stranger = options(dir.path());
    stranger.tls_verify = false;
    let refused = Client::new(stranger).unwrap().try_push(&target).await;
    assert_eq!(refused.unwrap_err().kind, SourceErrorKind::Unauthorized);
    let uploads = registry
        .dir
        .path()
        .join("data/docker/registry/v2/repositories/team/seed/_uploads");
    // This registry keeps an empty upload's hash state when it is cancelled; session and data are gone.
    let mut left: Vec<_> = walk(&uploads);
    left.retain(|name| name == "data" || name == "startedat");
    assert_eq!(left, Vec::<String>::new());
}

/// Names of all files below.
fn walk(dir: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(dir).map(|d| d.flatten().collect::<Vec<_>>());
    let below = |e: fs_err::DirEntry| {
        if e.path().is_dir() {
            walk(&e.path())
        } else {
            vec![e.file_name().to_string_lossy().into_owned()]
        }
    };
    entries
        .unwrap_or_default()
        .into_iter()
        .flat_map(below)
        .collect()
}
