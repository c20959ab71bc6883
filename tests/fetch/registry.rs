//! Whole downloads over HTTP from a registry that misbehaves.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use snoforge::fetch::{FailureKind, Summary};
use snoforge::inventory::lock::{Content, FORMAT, Image, Inventory, Request};
use snoforge::oci::{ImageSource, SourceErrorKind};
use snoforge::progress::{Event, Reporter};
use snoforge::remote::{Client, Environment, Options, RetryPolicy};
use snoforge::store::Store;

use super::support::faulty::{self, Access, Fault, Faulty, Rule};
use super::{check_names, new_store, options, run};

const IMAGES: usize = 6;
const BASE: usize = 3 << 20;
const BLOBS: &str = "/blobs/";

/// Six images in two repositories over one base.
struct Setup {
    registry: Faulty,
    inventory: Inventory,
    base: String,
    first_own: String,
    unique: u64,
}

/// The base is made once: a debug build takes its time.
fn base() -> Vec<u8> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| noise(BASE, 99));
    BYTES.clone()
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let words = (0..len as u64).map(|n| (n ^ (seed << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    words.map(|w| w.to_be_bytes()[0]).collect()
}

fn setup() -> Setup {
    let registry = Faulty::start();
    let mut images = Vec::new();
    for (n, repository) in (0..IMAGES as u64).zip(["rel/art", "ops/one"].into_iter().cycle()) {
        let own = noise(200_000 + usize::try_from(n).unwrap() * 11, n + 1);
        let tag = format!("v{n}");
        images.push(registry.add_image(repository, &tag, &[base(), own]));
    }
    let inventory = inventory(&images);
    let manifests: u64 = images.iter().map(|i| i.manifest.size).sum();
    Setup {
        unique: inventory.blobs.values().sum::<u64>() + manifests,
        base: images[0].layers[0].digest.to_string(),
        first_own: images[0].layers[1].digest.to_string(),
        registry,
        inventory,
    }
}

fn inventory(images: &[faulty::Image]) -> Inventory {
    let blobs = images
        .iter()
        .flat_map(|i| i.layers.iter().chain([&i.config]));
    let image = |image: &faulty::Image| Image {
        source: image.pinned(),
        requested: None,
        destination: image.reference.repository().to_owned(),
        groups: Vec::new(),
        origins: Vec::new(),
        manifest: image.manifest.clone(),
        contents: vec![Content {
            manifest: image.manifest.clone(),
            platform: None,
            config: image.config.digest.clone(),
            layers: image.layers.iter().map(|l| l.digest.clone()).collect(),
        }],
    };
    Inventory {
        format: FORMAT,
        request: Request::default(),
        releases: Vec::new(),
        catalogs: Vec::new(),
        images: images.iter().map(image).collect(),
        ignored: Vec::new(),
        blobs: blobs.map(|b| (b.digest.clone(), b.size)).collect(),
    }
}

/// A client that reads nothing of this machine and does not wait long.
fn client(home: &Path) -> Arc<dyn ImageSource> {
    let client = Client::new(Options {
        environment: Environment {
            home: Some(home.join("home")),
            etc: home.join("etc"),
            run: home.join("run"),
            ..Environment::default()
        },
        tls_verify: false,
        retry: RetryPolicy {
            attempts: 4,
            base_delay: Duration::from_millis(5),
            stall_timeout: Duration::from_millis(300),
            deadline: Duration::from_secs(10),
            ..RetryPolicy::default()
        },
        ..Options::default()
    });
    Arc::new(client.unwrap())
}

impl Setup {
    async fn download(&self, store: &Store) -> Summary {
        let source = client(store.root());
        run(&self.inventory, store, source, options(4))
            .await
            .unwrap()
    }
}

/// Faults that pass: the download is complete all the same, and costs little more than the unique bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_faults_are_ridden_out() {
    let cut = BASE / 2;
    let half = BASE as u64 / 2;
    // (fault, how often, bytes that may come twice)
    let table: Vec<(Fault, usize, u64)> = vec![
        (Fault::too_many("0"), 3, 0),
        (Fault::too_many("1"), 1, 0),
        (Fault::too_many_html(), 2, 0),
        (Fault::status(500), 3, 0),
        (Fault::status(503), 2, 0),
        (Fault::Hangup, 2, 0),
        (Fault::Delay(Duration::from_millis(150)), 4, 0),
        (Fault::ResetAfter(cut), 3, half),
        (Fault::StallAfter(cut), 2, half),
        (Fault::TruncateAfter(cut), 3, half),
        (Fault::TruncateAfter(0), 2, 0),
        (Fault::WrongBytes, 1, BASE as u64),
        (Fault::Longer(7), 1, BASE as u64),
        (Fault::Shorter(7), 1, BASE as u64),
        (Fault::Chunked(7), 1, BASE as u64),
        (Fault::Chunked(-7), 1, BASE as u64),
    ];
    for (fault, times, twice) in table {
        for on in ["/blobs/", "/manifests/"] {
            let (_dir, store) = new_store();
            let setup = setup();
            setup
                .registry
                .rule(Rule::new(fault.clone()).on(on).times(times));
            let summary = setup.download(&store).await;
            let name = format!("{fault:?} on {on}");
            assert!(summary.is_complete(), "{name}: {:?}", summary.failed);
            assert_eq!(summary.downloaded, IMAGES, "{name}");
            let most = setup.unique + twice * times as u64;
            assert!(
                summary.bytes_fetched <= most,
                "{name}: {} bytes",
                summary.bytes_fetched
            );
            assert_eq!(check_names(&store), 1 + 3 * IMAGES);
        }
    }
}

/// Faults that stay on one blob: its images are named, all others are there, and the next run mends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lasting_faults_cost_only_the_images_they_hit() {
    use SourceErrorKind::{Digest, NotFound, Protocol, Unauthorized, Unavailable};
    let table: Vec<(Fault, Vec<SourceErrorKind>)> = vec![
        (Fault::status(404), vec![NotFound]),
        (Fault::status(403), vec![Unauthorized]),
        (Fault::status(500), vec![Unavailable]),
        (Fault::too_many("0"), vec![Unavailable]),
        (Fault::Hangup, vec![Unavailable]),
        (Fault::StallAfter(1000), vec![Unavailable]),
        (Fault::WrongBytes, vec![Digest]),
        (Fault::Longer(1), vec![Protocol]),
        (Fault::Shorter(1), vec![Protocol]),
        (Fault::Chunked(1), vec![Protocol, Unavailable]),
    ];
    for (fault, kinds) in table {
        let (_dir, store) = new_store();
        let setup = setup();
        setup
            .registry
            .rule(Rule::new(fault.clone()).on(&setup.first_own).always());
        let summary = setup.download(&store).await;
        assert_eq!(summary.failed.len(), 1, "{fault:?}: {:?}", summary.failed);
        assert_eq!(summary.downloaded, IMAGES - 1, "{fault:?}");
        let failure = &summary.failed[0];
        assert_eq!(failure.image, setup.inventory.images[0].source);
        assert!(failure.reason.contains(&setup.first_own), "{failure}");
        let FailureKind::Source(kind) = failure.kind else {
            panic!("{failure:?}")
        };
        assert!(kinds.contains(&kind), "{fault:?}: {kind:?}: {failure}");
        setup.registry.clear_rules();
        let again = setup.download(&store).await;
        assert!(again.is_complete());
        assert_eq!((again.downloaded, again.skipped), (1, IMAGES - 1));
        check_names(&store);
    }
}

/// How servers answer a Range when there is something to resume.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resume_survives_every_answer_to_a_range() {
    for fault in [
        None,
        Some(Fault::IgnoreRange),
        Some(Fault::NoRange),
        Some(Fault::RangeEarlier(1000)),
        Some(Fault::RangeTotal(5)),
    ] {
        let (_dir, store) = new_store();
        let setup = setup();
        let base = Rule::new(Fault::ResetAfter(BASE / 2)).on(&setup.base);
        setup.registry.rule(base);
        let later = Rule::new(Fault::status(500)).on(&setup.base).always();
        setup.registry.rule(later);
        let first = setup.download(&store).await;
        assert_eq!(first.failed.len(), IMAGES, "{fault:?}");
        let held = fs_err::metadata(store.partial_dir().join(&setup.base[7..])).unwrap();
        assert_eq!(held.len(), BASE as u64 / 2);
        setup.registry.clear_rules();
        if let Some(fault) = &fault {
            setup
                .registry
                .rule(Rule::new(fault.clone()).on(&setup.base));
        }
        let second = setup.download(&store).await;
        assert!(second.is_complete(), "{fault:?}: {:?}", second.failed);
        let again = if fault.is_none() { 0 } else { BASE as u64 };
        let fetched = first.bytes_fetched + second.bytes_fetched;
        assert!(fetched <= setup.unique + again, "{fault:?}: {fetched}");
        check_names(&store);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_may_live_on_another_host() {
    let (_dir, store) = new_store();
    let setup = setup();
    let other = Faulty::start();
    for n in 0..IMAGES as u64 {
        let own = noise(200_000 + usize::try_from(n).unwrap() * 11, n + 1);
        let repository = ["rel/art", "ops/one"][usize::try_from(n).unwrap() % 2];
        other.add_image(repository, &format!("v{n}"), &[base(), own]);
    }
    let away = Fault::RedirectTo(other.host().to_owned());
    setup.registry.rule(Rule::new(away).on(BLOBS).always());
    // The first answer of the other host breaks off: the resume is redirected once more.
    other.rule(Rule::new(Fault::ResetAfter(BASE / 2)).on(&setup.base));
    let summary = setup.download(&store).await;
    assert!(summary.is_complete(), "{:?}", summary.failed);
    assert!(other.count(BLOBS) > 2 * IMAGES);
    check_names(&store);
}

/// Makes all tokens worthless before the eighth item.
#[derive(Debug)]
struct Expiring(Faulty, AtomicUsize);

impl Reporter for Expiring {
    fn report(&self, event: Event<'_>) {
        if let Event::Started { .. } = event
            && self.1.fetch_add(1, Ordering::Relaxed) == 7
        {
            self.0.expire_tokens();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_expire_in_mid_run_are_renewed() {
    let (_dir, store) = new_store();
    let setup = setup();
    setup.registry.access(Access::Token {
        login: None,
        expires_in: Some(300),
    });
    let mut options = options(4);
    options.reporter = Arc::new(Expiring(setup.registry.clone(), AtomicUsize::new(0)));
    let source = client(store.root());
    let summary = run(&setup.inventory, &store, source, options)
        .await
        .unwrap();
    assert!(summary.is_complete(), "{:?}", summary.failed);
    // One per repository before, and at least one after.
    assert!(setup.registry.count("/token") >= 3);
    check_names(&store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_service_that_is_down_is_named_and_comes_back() {
    let (_dir, store) = new_store();
    let setup = setup();
    setup.registry.access(Access::Token {
        login: None,
        expires_in: Some(300),
    });
    setup
        .registry
        .rule(Rule::new(Fault::status(503)).on("/token").always());
    let summary = setup.download(&store).await;
    assert_eq!((summary.failed.len(), summary.downloaded), (IMAGES, 0));
    let reason = &summary.failed[0].reason;
    assert!(reason.contains("token"), "{reason}");
    setup.registry.clear_rules();
    let down_at_first = Rule::new(Fault::status(503)).on("/token").times(2);
    setup.registry.rule(down_at_first);
    assert!(setup.download(&store).await.is_complete());
}
