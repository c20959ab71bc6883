//! The registry client against a registry that misbehaves, and against the real one.
#![expect(clippy::unwrap_used, reason = "a broken fixture should stop the test")]

mod support;

use std::time::Duration;

use futures_util::TryStreamExt as _;
use snoforge::oci::{
    BlobRequest, Descriptor, ImageSource as _, Reference, SourceError, SourceErrorKind,
};
use snoforge::remote::{Client, Environment, Options, RetryPolicy};
use support::faulty::{Access, Fault, Faulty, Image, Rule};

/// Options that read nothing of this machine, take plain HTTP and do not wait long.
fn options(dir: &std::path::Path) -> Options {
    Options {
        environment: Environment {
            home: Some(dir.join("home")),
            etc: dir.join("etc"),
            run: dir.join("run"),
            ..Environment::default()
        },
        tls_verify: false,
        retry: RetryPolicy {
            attempts: 5,
            base_delay: Duration::from_millis(10),
            stall_timeout: Duration::from_millis(300),
            deadline: Duration::from_secs(20),
            ..RetryPolicy::default()
        },
        ..Options::default()
    }
}

fn client() -> Client {
    Client::new(options(std::path::Path::new("/nonexistent"))).unwrap()
}

/// Bytes that do not repeat within a chunk.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect()
}

async fn read(
    client: &Client,
    image: &Reference,
    blob: &Descriptor,
    offset: u64,
    avoid: &[String],
) -> Result<Vec<u8>, SourceError> {
    let request = BlobRequest {
        image,
        digest: &blob.digest,
        size: blob.size,
        offset,
        avoid,
    };
    let stream = client.blob(request).await?;
    stream
        .body
        .try_fold(Vec::new(), |mut all, bytes| async move {
            all.extend_from_slice(&bytes);
            Ok(all)
        })
        .await
}

/// A registry with one image of one layer of 3 MB, and the layer's bytes.
fn registry() -> (Faulty, Image, Vec<u8>) {
    let registry = Faulty::start();
    let layer = noise(3_000_000, 7);
    let image = registry.add_image("team/app", "v1", std::slice::from_ref(&layer));
    (registry, image, layer)
}

#[tokio::test]
async fn manifest_tag_and_blob() {
    let (registry, image, layer) = registry();
    let client = client();
    assert_eq!(
        client.resolve(&image.reference).await.unwrap(),
        image.manifest
    );
    assert_eq!(registry.count("GET /v2/team/app/manifests/"), 0);
    let manifest = client.manifest(&image.pinned()).await.unwrap();
    assert_eq!(*manifest.descriptor(), image.manifest);
    let got = read(&client, &image.reference, &image.layers[0], 0, &[])
        .await
        .unwrap();
    assert!(got == layer);
    let tail = read(&client, &image.reference, &image.layers[0], 2_999_990, &[])
        .await
        .unwrap();
    assert_eq!(tail, layer[2_999_990..]);
    assert_eq!(client.bytes_received(), registry.bytes_sent());
}

#[tokio::test]
async fn a_cut_blob_goes_on_where_it_was() {
    for fault in [
        Fault::ResetAfter(1_000_000),
        Fault::TruncateAfter(1_000_000),
        Fault::StallAfter(1_000_000),
    ] {
        let (registry, image, layer) = registry();
        registry.rule(Rule::new(fault.clone()).on("/blobs/").times(2));
        let got = read(&client(), &image.reference, &image.layers[0], 0, &[])
            .await
            .unwrap();
        assert!(got == layer, "{fault:?}");
        let ranges: Vec<_> = registry
            .seen()
            .iter()
            .filter_map(|s| s.headers.get("range").cloned())
            .collect();
        assert_eq!(ranges, ["bytes=1000000-", "bytes=2000000-"], "{fault:?}");
    }
}

#[tokio::test]
async fn an_unusable_range_is_answered_by_the_whole() {
    for fault in [Fault::IgnoreRange, Fault::RangeEarlier(10), Fault::NoRange] {
        let (registry, image, layer) = registry();
        let client = client();
        registry.rule(Rule::new(fault.clone()).on("/blobs/").always());
        let blob = &image.layers[0];
        let got = read(&client, &image.reference, blob, 1_000_000, &[]).await;
        if matches!(fault, Fault::RangeEarlier(_)) {
            // The whole is asked for without Range, so the rule does not touch it.
            assert!(got.unwrap() == layer[1_000_000..], "{fault:?}");
            assert_eq!(registry.count("/blobs/"), 2);
        } else {
            assert!(got.unwrap() == layer[1_000_000..], "{fault:?}");
            // What was thrown away counts as received.
            assert_eq!(client.bytes_received(), 3_000_000, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_body_of_another_length_is_refused() {
    let faults = [
        Fault::Longer(1),
        Fault::Shorter(1),
        Fault::Chunked(1),
        Fault::Chunked(100_000),
        Fault::Chunked(-1),
    ];
    for fault in faults {
        let (registry, image, _) = registry();
        registry.rule(Rule::new(fault.clone()).on("/blobs/").always());
        let error = read(&client(), &image.reference, &image.layers[0], 0, &[])
            .await
            .unwrap_err();
        assert_eq!(error.kind, SourceErrorKind::Protocol, "{fault:?}: {error}");
        assert!(error.to_string().contains("3000000"), "{error}");
    }
    let (registry, image, _) = registry();
    registry.rule(Rule::new(Fault::RangeTotal(3_000_001)).on("/blobs/"));
    let error = read(&client(), &image.reference, &image.layers[0], 5, &[]).await;
    assert_eq!(error.unwrap_err().kind, SourceErrorKind::Protocol);
}

#[tokio::test]
async fn chunked_without_a_length_is_taken() {
    let (registry, image, layer) = registry();
    registry.rule(Rule::new(Fault::Chunked(0)).on("/blobs/"));
    let got = read(&client(), &image.reference, &image.layers[0], 0, &[]).await;
    assert!(got.unwrap() == layer);
}

#[tokio::test]
async fn server_errors_are_tried_again_and_counted() {
    for code in [408, 500, 502, 503, 504] {
        let (registry, image, _) = registry();
        registry.rule(Rule::new(Fault::status(code)).on("/manifests/").times(3));
        client().manifest(&image.reference).await.unwrap();
        assert_eq!(registry.count("/manifests/"), 4, "{code}");
    }
    let (registry, image, _) = registry();
    registry.rule(Rule::new(Fault::Hangup).on("/manifests/").always());
    let error = client().manifest(&image.reference).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Unavailable);
    assert!(error.to_string().contains("tried 5 times"), "{error}");
    assert_eq!(registry.count("/manifests/"), 5);
}

#[tokio::test]
async fn what_is_final_is_not_tried_again() {
    let (registry, image, _) = registry();
    let client = client();
    let absent = registry.reference("team/app:v2");
    let error = client.manifest(&absent).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        format!("manifest of {absent}: not found (MANIFEST_UNKNOWN: manifest unknown)")
    );
    assert_eq!(registry.count("/manifests/v2"), 1);
    registry.rule(Rule::new(Fault::WrongBytes).on("GET /v2/team/app/manifests/"));
    let error = client.manifest(&image.pinned()).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Digest);
    assert_eq!(registry.count("/manifests/sha256"), 1);
    registry.rule(Rule::new(Fault::WrongBytes).on("GET /v2/team/app/manifests/"));
    let error = client.manifest(&image.reference).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Digest);
}

#[tokio::test]
async fn resolve_falls_back_to_get() {
    let (registry, image, _) = registry();
    registry.rule(Rule::new(Fault::status(405)).on("HEAD "));
    let got = client().resolve(&image.reference).await.unwrap();
    assert_eq!(got, image.manifest);
    assert_eq!(registry.count("GET /v2/team/app/manifests/"), 1);
}

#[tokio::test]
async fn retry_after_holds_all_workers_back() {
    let (registry, image, _) = registry();
    let client = client();
    client.manifest(&image.reference).await.unwrap();
    registry.rule(Rule::new(Fault::too_many("1")).on("/manifests/"));
    let first = client.manifest(&image.reference);
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let many = (0..8).map(|_| client.manifest(&image.reference));
        futures_util::future::try_join_all(many).await
    };
    let (first, others) = tokio::join!(first, others);
    first.unwrap();
    others.unwrap();
    let seen = registry.seen();
    let refused = seen
        .iter()
        .filter(|s| s.line.contains("/manifests/"))
        .nth(1)
        .unwrap();
    let early = seen
        .iter()
        .filter(|s| s.at > refused.at && s.at - refused.at < Duration::from_millis(990))
        .count();
    assert_eq!(early, 0, "requests while the gate was closed");
    assert_eq!(registry.count("/manifests/"), 11);
}

#[tokio::test]
async fn retry_after_as_a_date_and_html() {
    let (registry, image, _) = registry();
    let headers = vec![
        ("Date", "Fri, 20 Nov 2026 10:00:00 GMT".to_owned()),
        ("Retry-After", "Fri, 20 Nov 2026 10:00:01 GMT".to_owned()),
    ];
    registry.rule(Rule::new(Fault::Status(429, headers, "")).on("/manifests/"));
    registry.rule(Rule::new(Fault::too_many_html()).on("/manifests/").times(2));
    let begin = std::time::Instant::now();
    client().manifest(&image.reference).await.unwrap();
    let took = begin.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(3),
        "{took:?}"
    );
    // Longer than the deadline: told at once.
    registry.rule(Rule::new(Fault::too_many("3600")).on("/manifests/"));
    let begin = std::time::Instant::now();
    let error = client().manifest(&image.reference).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert_eq!(error.kind, SourceErrorKind::Unavailable);
    assert!(error.to_string().contains("429"), "{error}");
}

#[tokio::test]
async fn redirects_lose_the_credentials() {
    let (registry, image, layer) = registry();
    let storage = Faulty::start();
    storage.add_image("team/app", "v1", std::slice::from_ref(&layer));
    registry.access(Access::Token {
        login: None,
        expires_in: None,
    });
    registry.rule(
        Rule::new(Fault::RedirectTo(storage.host().to_owned()))
            .on("/blobs/")
            .always(),
    );
    storage.rule(Rule::new(Fault::ResetAfter(1_000_000)).on("/blobs/"));
    let client = client();
    client.manifest(&image.reference).await.unwrap();
    let got = read(&client, &image.reference, &image.layers[0], 10, &[]).await;
    assert!(got.unwrap() == layer[10..]);
    let there = storage.seen();
    assert!(
        there
            .iter()
            .all(|s| !s.headers.contains_key("authorization"))
    );
    assert_eq!(there.last().unwrap().headers["range"], "bytes=1000010-");
    // Each reconnect goes to the registry again: a signed URL may have ended.
    assert_eq!(registry.count("/blobs/"), 2);
    assert!(
        registry
            .seen()
            .last()
            .unwrap()
            .headers
            .contains_key("authorization")
    );
}

fn with_login(dir: &tempfile::TempDir, key: &str, login: &str) -> Options {
    use base64::Engine as _;
    let auth = base64::engine::general_purpose::STANDARD.encode(login);
    let path = dir.path().join("auth.json");
    let file = serde_json::json!({"auths": {key: {"auth": auth}}});
    fs_err::write(&path, file.to_string()).unwrap();
    Options {
        authfile: Some(path),
        ..options(dir.path())
    }
}

#[tokio::test]
async fn one_token_for_all_workers_and_renewal_in_flight() {
    let (registry, image, layer) = registry();
    registry.access(Access::Token {
        login: Some("user:pass".to_owned()),
        expires_in: Some(300),
    });
    let dir = tempfile::tempdir().unwrap();
    let key = format!("{}/team", registry.host());
    let client = Client::new(with_login(&dir, &key, "user:pass")).unwrap();
    let source = client.credential_source(&image.reference).unwrap().unwrap();
    assert_eq!(source.key, key);
    let many = (0..16).map(|_| client.manifest(&image.reference));
    futures_util::future::try_join_all(many).await.unwrap();
    assert_eq!(registry.count("/token"), 1);
    let asked = registry
        .seen()
        .into_iter()
        .find(|s| s.line.contains("/token"))
        .unwrap();
    for part in [
        "account=user",
        "service=faulty",
        "scope=repository%3Ateam%2Fapp%3Apull",
    ] {
        assert!(asked.line.contains(part), "{}", asked.line);
    }
    // Once known, no request goes without.
    let before = registry.seen().len();
    client.manifest(&image.reference).await.unwrap();
    assert_eq!(registry.seen().len(), before + 1);
    registry.rule(Rule::new(Fault::ResetAfter(1_000_000)).on("/blobs/"));
    registry.expire_tokens();
    let got = read(&client, &image.reference, &image.layers[0], 0, &[]).await;
    assert!(got.unwrap() == layer);
    assert_eq!(registry.count("/token"), 2);
}

/// A port that takes connections and never says a word, of which it is not known whether it speaks TLS.
#[tokio::test]
async fn a_silent_host_is_not_waited_for_for_ever() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(Options {
        tls_verify: false,
        ..options(dir.path())
    });
    let image = format!("{}/team/app:v1", silent.local_addr().unwrap());
    let image: Reference = image.parse().unwrap();
    let client = client.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(15), client.manifest(&image)).await;
    let error = answer.expect("it gives up").unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Unavailable);
}

/// Two workers with one token each see it expire; the second renewal expires before the first worker uses it.
#[tokio::test]
async fn two_expiries_in_a_row_are_not_a_refusal() {
    let (registry, image, _) = registry();
    registry.access(Access::Token {
        login: None,
        expires_in: Some(300),
    });
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(options(dir.path())).unwrap();
    client.manifest(&image.reference).await.unwrap();
    registry.expire_tokens();
    // The first worker's refusal is held up until the second has renewed the token and that has expired, too.
    registry.rule(Rule::new(Fault::Delay(Duration::from_millis(400))).on("/manifests/"));
    let slow = client.manifest(&image.reference);
    let other = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.manifest(&image.reference).await.unwrap();
        registry.expire_tokens();
    };
    let (answer, ()) = futures_util::join!(slow, other);
    answer.unwrap();
    assert_eq!(registry.count("/token"), 3);
}

#[tokio::test]
async fn a_refusal_is_not_asked_in_a_loop() {
    let (registry, image, _) = registry();
    let dir = tempfile::tempdir().unwrap();
    for (access, requests, tokens) in [
        (Access::Basic("user:other".to_owned()), 2, 0),
        (
            Access::Token {
                login: Some("user:other".to_owned()),
                expires_in: None,
            },
            1,
            1,
        ),
    ] {
        registry.access(access);
        let client = Client::new(with_login(&dir, registry.host(), "user:hunter2")).unwrap();
        let (seen, asked) = (registry.count("/manifests/"), registry.count("/token"));
        let error = client.manifest(&image.reference).await.unwrap_err();
        assert_eq!(error.kind, SourceErrorKind::Unauthorized);
        let text = format!("{error} {:?}", error.hint);
        assert!(
            text.contains("auth.json") && text.contains(registry.host()),
            "{text}"
        );
        assert!(
            !text.contains("hunter2") && !format!("{client:?}").contains("hunter2"),
            "{text}"
        );
        assert_eq!(registry.count("/manifests/") - seen, requests);
        assert_eq!(registry.count("/token") - asked, tokens);
    }
    // A registry whose fresh tokens are worth nothing.
    registry.access(Access::Token {
        login: None,
        expires_in: None,
    });
    registry.rule(
        Rule::new(Fault::Status(
            401,
            vec![(
                "WWW-Authenticate",
                format!(
                    r#"Bearer realm="http://{}/token",service="x""#,
                    registry.host()
                ),
            )],
            "",
        ))
        .on("/manifests/")
        .always(),
    );
    let client = Client::new(options(dir.path())).unwrap();
    let seen = registry.count("/manifests/");
    let error = client.manifest(&image.reference).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Unauthorized);
    assert!(error.hint.unwrap().contains("auths"));
    assert_eq!(registry.count("/manifests/") - seen, 3);
}

#[tokio::test]
async fn the_token_service_is_tried_again_and_named() {
    let (registry, image, _) = registry();
    registry.access(Access::Token {
        login: None,
        expires_in: None,
    });
    registry.rule(Rule::new(Fault::status(503)).on("/token").times(2));
    client().manifest(&image.reference).await.unwrap();
    registry.rule(Rule::new(Fault::status(503)).on("/token").always());
    let client = client();
    let begin = registry.count("/token");
    let many = (0..8).map(|_| client.manifest(&image.reference));
    let failed = futures_util::future::join_all(many).await;
    for result in failed {
        let error = result.unwrap_err();
        assert_eq!(error.kind, SourceErrorKind::Unavailable);
        assert!(
            error.to_string().contains("token service http://"),
            "{error}"
        );
        assert!(error.to_string().contains("503"), "{error}");
    }
    let asked = registry.count("/token") - begin;
    assert!(asked <= 8 * 5, "{asked}");
}

#[tokio::test]
async fn identity_tokens_and_a_missing_helper() {
    let (registry, image, _) = registry();
    registry.access(Access::Token {
        login: Some("refresh-me".to_owned()),
        expires_in: None,
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth.json");
    let file = serde_json::json!({"auths": {registry.host(): {"identitytoken": "refresh-me"}}});
    fs_err::write(&path, file.to_string()).unwrap();
    let with = |path: &std::path::Path| Options {
        authfile: Some(path.to_owned()),
        ..options(dir.path())
    };
    let client = Client::new(with(&path)).unwrap();
    client.manifest(&image.reference).await.unwrap();
    let asked = registry
        .seen()
        .into_iter()
        .find(|s| s.line.contains("/token"))
        .unwrap();
    assert!(
        asked.line.starts_with("POST ") && asked.body.contains("grant_type=refresh_token"),
        "{asked:?}"
    );

    registry.access(Access::Basic("u:p".to_owned()));
    let file = serde_json::json!({"credHelpers": {registry.host(): "no-such-helper"}});
    fs_err::write(&path, file.to_string()).unwrap();
    let client = Client::new(with(&path)).unwrap();
    let error = client.manifest(&image.reference).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Config);
    assert!(
        error
            .to_string()
            .contains("docker-credential-no-such-helper"),
        "{error}"
    );
}

fn with_conf(dir: &tempfile::TempDir, conf: &str) -> Client {
    let path = dir.path().join("registries.conf");
    fs_err::write(&path, conf).unwrap();
    Client::new(Options {
        registries_conf: Some(path),
        ..options(dir.path())
    })
    .unwrap()
}

#[tokio::test]
async fn mirrors_in_order_then_the_origin() {
    let (origin, image, layer) = registry();
    let (empty, down) = (Faulty::start(), Faulty::start());
    down.rule(Rule::new(Fault::Hangup).always());
    let dir = tempfile::tempdir().unwrap();
    let conf = format!(
        "[[registry]]\nprefix = 'release.example/ocp'\nlocation = '{}/team'\n[[registry.mirror]]\nlocation = '{}'\n[[registry.mirror]]\nlocation = '{}/copy'\n",
        origin.host(),
        down.host(),
        empty.host()
    );
    let client = with_conf(&dir, &conf);
    let logical: Reference = "release.example/ocp/app:v1".parse().unwrap();
    let begin = std::time::Instant::now();
    assert_eq!(client.resolve(&logical).await.unwrap(), image.manifest);
    let got = read(&client, &logical, &image.layers[0], 0, &[]).await;
    assert!(got.unwrap() == layer);
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "a place that fails costs no waiting"
    );
    assert!(empty.count("HEAD /v2/copy/app/manifests/v1") == 1);

    let absent: Reference = "release.example/ocp/none:v1".parse().unwrap();
    let error = client.manifest(&absent).await.unwrap_err().to_string();
    for place in [origin.host(), empty.host(), down.host()] {
        assert!(error.contains(place), "{error}");
    }
}

#[tokio::test]
async fn a_mirror_that_dies_in_a_blob_is_left() {
    let (origin, image, layer) = registry();
    let mirror = Faulty::start();
    mirror.add_image("app", "v1", std::slice::from_ref(&layer));
    let dir = tempfile::tempdir().unwrap();
    let conf = format!(
        "[[registry]]\nprefix = 'r.example/team'\nlocation = '{}/team'\n[[registry.mirror]]\nlocation = '{}'\n",
        origin.host(),
        mirror.host()
    );
    let client = with_conf(&dir, &conf);
    let logical: Reference = "r.example/team/app:v1".parse().unwrap();
    mirror.rule(Rule::new(Fault::ResetAfter(1_000_000)).on("/blobs/"));
    mirror.rule(Rule::new(Fault::status(404)).on("/blobs/").always());
    let got = read(&client, &logical, &image.layers[0], 0, &[]).await;
    assert!(got.unwrap() == layer);
    assert_eq!(
        origin.seen().last().unwrap().headers["range"],
        "bytes=1000000-"
    );

    // An endpoint that sent wrong bytes is asked last.
    let avoid = [format!("{}/app", mirror.host())];
    let before = mirror.count("/blobs/");
    let got = read(&client, &logical, &image.layers[0], 0, &avoid).await;
    assert!(got.unwrap() == layer);
    assert_eq!(mirror.count("/blobs/"), before);
}

#[tokio::test]
async fn blocked_is_not_asked() {
    let (registry, image, _) = registry();
    let dir = tempfile::tempdir().unwrap();
    let conf = format!(
        "[[registry]]\nlocation = '{}'\nblocked = true\n",
        registry.host()
    );
    let client = with_conf(&dir, &conf);
    let error = client.manifest(&image.reference).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Config);
    assert!(error.to_string().contains("registries.conf"), "{error}");
    assert_eq!(registry.seen().len(), 0);
}

#[tokio::test]
async fn plain_http_is_refused_without_insecure() {
    let (registry, image, _) = registry();
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(Options {
        tls_verify: true,
        ..options(dir.path())
    })
    .unwrap();
    let error = client.manifest(&image.reference).await.unwrap_err();
    let text = format!("{error} {:?}", error.hint);
    assert!(
        registry.seen().is_empty() && text.contains("--tls-verify=false"),
        "{text}"
    );
}

#[tokio::test]
async fn tags_by_pages() {
    let registry = Faulty::start();
    let tags: Vec<String> = (0..25).map(|n| format!("v{n:02}")).collect();
    for tag in &tags {
        registry.add_image("team/app", tag, &[]);
    }
    registry.tags_per_page(10);
    let image = registry.reference("team/app");
    assert_eq!(client().tags(&image).await.unwrap(), tags);
    assert_eq!(registry.count("/tags/list"), 3);
}

#[tokio::test]
async fn documents() {
    let registry = Faulty::start();
    let client = client();
    let get = |path: &str| {
        let (client, url) = (client.clone(), format!("http://{}{path}", registry.host()));
        async move { client.get_document(&url, "application/json").await }
    };
    registry.rule(Rule::new(Fault::status(503)).on("/doc/").times(2));
    let body = get("/doc/graph?channel=x").await.unwrap().unwrap();
    assert_eq!(body, r#"{"name":"graph"}"#);
    assert!(registry.seen().last().unwrap().line.contains("channel=x"));
    assert_eq!(get("/nothing").await.unwrap(), None);
    registry.rule(Rule::new(Fault::status(500)).always());
    assert_eq!(
        get("/doc/a").await.unwrap_err().kind,
        SourceErrorKind::Unavailable
    );
    let error = client
        .get_document("ftp://u:hunter2@h/", "*/*")
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn the_rate_is_limited() {
    let (_registry, image, layer) = registry();
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(Options {
        limit_rate: std::num::NonZeroU64::new(3_000_000),
        ..options(dir.path())
    })
    .unwrap();
    let begin = std::time::Instant::now();
    let got = read(&client, &image.reference, &image.layers[0], 0, &[]).await;
    assert!(got.unwrap() == layer);
    let took = begin.elapsed().as_secs_f64();
    assert!((0.85..2.0).contains(&took), "{took}");
}

#[tokio::test]
async fn slots_per_host() {
    let registry = Faulty::start();
    let layer = noise(400_000, 3);
    let image = registry.add_image("a", "v", std::slice::from_ref(&layer));
    registry.pace(Some(Duration::from_millis(20)));
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(Options {
        per_host: 1,
        ..options(dir.path())
    })
    .unwrap();
    let begin = std::time::Instant::now();
    let many = (0..3).map(|_| read(&client, &image.reference, &image.layers[0], 0, &[]));
    futures_util::future::try_join_all(many).await.unwrap();
    // 7 pieces of 20 ms each, one blob after the other.
    assert!(
        begin.elapsed() >= Duration::from_millis(400),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn a_throttled_or_dead_mirror_is_left_alone() {
    let (origin, image, _) = registry();
    let mirror = Faulty::start();
    mirror.rule(Rule::new(Fault::too_many("10")).always());
    // Nobody listens there.
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let conf = format!(
        "[[registry]]\nprefix = 'r.example'\nlocation = '{}'\n[[registry.mirror]]\nlocation = '{dead}'\n[[registry.mirror]]\nlocation = '{}'\n",
        origin.host(),
        mirror.host()
    );
    let client = with_conf(&dir, &conf);
    let logical: Reference = "r.example/team/app:v1".parse().unwrap();
    let begin = std::time::Instant::now();
    for _ in 0..5 {
        assert_eq!(client.resolve(&logical).await.unwrap(), image.manifest);
    }
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!((mirror.count("HEAD "), origin.count("HEAD ")), (1, 5));
}

#[tokio::test]
async fn an_empty_rest_needs_no_request() {
    let (registry, image, _) = registry();
    let layer = &image.layers[0];
    let got = read(&client(), &image.reference, layer, layer.size, &[]).await;
    assert_eq!(got.unwrap().len(), 0);
    assert!(registry.seen().is_empty());
}

/// Runs other tests of this binary on a machine without certificate authorities.
#[test]
fn plain_http_needs_no_ca_store() {
    let this = std::env::current_exe().unwrap().display().to_string();
    let run = |test: &str| {
        let args = [
            "SSL_CERT_FILE=/dev/null",
            "SSL_CERT_DIR=/nonexistent",
            &this,
            "--exact",
            test,
            "--ignored",
        ];
        let with: Vec<&str> = args.to_vec();
        snoforge::exec::run("env", &with).map(|out| String::from_utf8(out).unwrap())
    };
    for test in ["plain_without_authorities", "https_without_authorities"] {
        let out = run(test).unwrap();
        assert!(out.contains("1 passed"), "{out}");
    }
}

#[tokio::test]
#[ignore = "run by plain_http_needs_no_ca_store"]
async fn plain_without_authorities() {
    let (_registry, image, layer) = registry();
    let client = client();
    client.manifest(&image.reference).await.unwrap();
    let got = read(&client, &image.reference, &image.layers[0], 0, &[]).await;
    assert!(got.unwrap() == layer);
}

#[tokio::test]
#[ignore = "run by plain_http_needs_no_ca_store"]
async fn https_without_authorities() {
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(Options {
        tls_verify: true,
        ..options(dir.path())
    })
    .unwrap();
    let image: Reference = "127.0.0.1:1/a:b".parse().unwrap();
    let error = client.manifest(&image).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Config);
    assert!(error.to_string().contains("CA certificates"), "{error}");
    assert!(error.hint.unwrap().contains("ca-certificates"));
    // The crate that pushes would panic here.
    let error = client.push(&client, &image, &image).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Config);
}

#[tokio::test]
async fn push_rights_are_tried_and_the_upload_is_cancelled() {
    let (registry, image, _) = registry();
    registry.access(Access::Token {
        login: Some("user:pass".to_owned()),
        expires_in: None,
    });
    let accepted = |location: &str| Fault::Status(202, vec![("Location", location.to_owned())], "");
    let dir = tempfile::tempdir().unwrap();
    let client = || Client::new(with_login(&dir, registry.host(), "user:pass")).unwrap();
    let uploads = "POST /v2/team/app/blobs/uploads/";
    let session = "/v2/team/app/blobs/uploads/1?_state=x";
    registry.rule(Rule::new(accepted(session)).on(uploads));
    client().try_push(&image.reference).await.unwrap();
    let asked = |text: &str| {
        let all = registry
            .seen()
            .into_iter()
            .filter(|s| s.line.contains(text));
        all.collect::<Vec<_>>()
    };
    assert!(
        asked("/token")[0]
            .line
            .contains("scope=repository%3Ateam%2Fapp%3Apull%2Cpush")
    );
    let cancelled = asked("DELETE ");
    assert_eq!(cancelled[0].line, format!("DELETE {session}"));
    assert!(cancelled[0].headers["authorization"].starts_with("Bearer "));
    // A session elsewhere gets no credentials, and none is needed.
    registry.rule(Rule::new(accepted("http://127.0.0.1:1/upload")).on(uploads));
    client().try_push(&image.reference).await.unwrap();
    // A busy registry is asked again; one that says no is not.
    registry.rule(Rule::new(Fault::status(503)).on(uploads));
    registry.rule(Rule::new(accepted(session)).on(uploads));
    let before = asked(uploads).len();
    client().try_push(&image.reference).await.unwrap();
    assert_eq!(asked(uploads).len(), before + 2);
    let denied = r#"{"errors":[{"code":"DENIED","message":"read only"}]}"#;
    for (answer, kind, said) in [
        (
            Fault::Status(403, Vec::new(), denied),
            SourceErrorKind::Unauthorized,
            "DENIED: read only",
        ),
        (Fault::status(405), SourceErrorKind::Protocol, "HTTP 405"),
        (Fault::status(200), SourceErrorKind::Protocol, "HTTP 200"),
    ] {
        registry.rule(Rule::new(answer).on(uploads));
        let before = asked(uploads).len();
        let error = client().try_push(&image.reference).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(asked(uploads).len(), before + 1);
    }
    let wrong = Client::new(with_login(&dir, registry.host(), "user:wrong")).unwrap();
    let error = wrong.try_push(&image.reference).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Unauthorized);
}
