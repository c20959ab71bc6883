//! The inventory through the registry client against Debian's docker-registry: a mirror named in registries.conf gives, byte for
//! byte, the lock that the images in memory give, under their logical names. Skipped where the registry is not installed.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "support/memory.rs"]
mod memory;
#[path = "support/registry.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod registry;

use memory::{Fake, Shelf, WORLD};
use registry::{DockerRegistry, Guard};
use snoforge::config::imageset;
use snoforge::inventory::{GraphSource, Inputs, Resolved, Services, SignatureCheck, resolve};
use snoforge::oci::{Digest, ImageSource, Reference};
use snoforge::progress::Silent;
use snoforge::remote::{Client, Environment, Options};

fn inputs() -> Inputs {
    let yaml = format!(
        "apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\nmirror:\n{WORLD}"
    );
    let parsed = imageset::parse("imageset.yaml", &yaml).unwrap();
    let digest = Digest::of(yaml.as_bytes());
    let mut inputs = Inputs::new(parsed.imageset, digest, SignatureCheck::Skip);
    inputs.graph = GraphSource::None;
    inputs
}

async fn run(source: &dyn ImageSource) -> Resolved {
    let services = Services {
        source,
        documents: &Shelf::default(),
        reporter: &Silent,
    };
    resolve(&inputs(), services).await.unwrap()
}

/// A client that reads nothing of this machine and finds both registries behind one mirror.
fn client(directory: &std::path::Path, host: &str) -> Client {
    let conf = directory.join("registries.conf");
    let mirror = |prefix: &str| {
        format!(
            "[[registry]]\nprefix = \"{prefix}\"\nlocation = \"{host}/{prefix}\"\ninsecure = true\n"
        )
    };
    let text = mirror("quay.io") + &mirror("registry.example.com");
    snoforge::io::atomic::write(&conf, text.as_bytes()).unwrap();
    let options = Options {
        registries_conf: Some(conf),
        tls_verify: false,
        environment: Environment {
            home: Some(directory.join("home")),
            etc: directory.join("etc"),
            run: directory.join("run"),
            ..Environment::default()
        },
        ..Options::default()
    };
    Client::new(options).unwrap()
}

/// Pushes everything that the fake has a name for.
async fn fill(client: &Client, fake: &Fake, host: &str) {
    for name in fake.names() {
        let image: Reference = name.parse().unwrap();
        let target = image
            .relocated(&format!("{host}/{}", image.name()))
            .unwrap();
        client.push(fake, &image, &target).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_registry_gives_the_same_lock() {
    let Some(registry) = DockerRegistry::start(Guard::Plain) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let world = memory::world();
    let client = client(directory.path(), &registry.host);
    fill(&client, &world.fake, &registry.host).await;
    let expected = run(&world.fake).await;
    let resolved = run(&client).await;
    assert_eq!(
        String::from_utf8(resolved.inventory.render()).unwrap(),
        String::from_utf8(expected.inventory.render()).unwrap()
    );
    assert_eq!(resolved.inventory.images.len(), 5);
}
