//! `osimage precache`: a built OS image and the operator's image onto the data disk, and the manifests that make the first boot take it.

mod beside;
mod release;
mod report;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cli::context::{Context, block_on, on_interrupt};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::cli::imageset::resolve::{create_dir, read_lock};
use crate::cli::precache::cached::Cached;
use crate::cli::precache::finish;
use crate::fetch;
use crate::inventory::lock::{FORMAT, Inventory, Request};
use crate::inventory::{Services, from_mapping, mapping, tags, views};
use crate::objects::Finding;
use crate::oci::{Descriptor, Digest, ImageSource, Reference};
use crate::osimage::precache::{
    Built, Install, Manifest, Method, OsImage, Push, reads_annotation, traps,
};
use crate::remote::Client;
use crate::store::{Store, StoreLock};

use beside::Beside;
use release::Release;

/// Configurations are a few KiB.
const MAX_CONFIG: u64 = 8 << 20;

/// The type is asked of nobody: a blob is found by its digest.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// `--prebuilt`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Prebuilt {
    /// By the release: the annotation from 4.21 on, else os-image-url.
    #[default]
    Auto,
    /// A machine OS config with the annotation pre-built-image.
    Annotation,
    /// A machine config with spec.osImageURL.
    OsImageUrl,
}

/// Flags of `precache`.
#[derive(Debug, Args)]
#[command(
    after_help = "The first boot compares names: the image is kept under exactly REF@DIGEST, so write it as the build printed it, without a tag. Put the manifests beside those of `openshift-install create manifests` before the Ignition config is made. A later `precache download` into DIR keeps both images; another REF for the same pool replaces the first, `precache prune` frees its blobs.\n\nExamples:\n  snoforge osimage precache -f /mnt registry.example.com/os/rhcos@sha256:… --dry-run\n  snoforge osimage precache -f /mnt registry.example.com/os/rhcos@sha256:… --manifests cluster/\n  snoforge osimage precache -f disk/ -r 4.21.3 --push-secret push --push-authfile push.json --manifests cluster/ registry.example.com/os/rhcos@sha256:…"
)]
pub(crate) struct Precache {
    /// The OS image, by the digest that its build printed.
    #[arg(value_name = "REF@DIGEST")]
    image: String,
    /// The data directory: one that `precache download` filled, or a new one.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
    /// Release that is installed, X.Y.Z. Default: the one in DIR.
    #[arg(short, long, value_name = "X.Y.Z", help_heading = "Release")]
    release: Option<String>,
    /// Its payload, when it is neither in DIR nor at Red Hat's.
    #[arg(long, value_name = "REF", help_heading = "Release")]
    release_image: Option<Reference>,
    /// The release's machine-config-operator image, instead of looking it up.
    #[arg(long, value_name = "REF@DIGEST", help_heading = "Release")]
    mco_image: Option<String>,
    /// Architecture of the node (amd64, arm64, ppc64le, s390x). Default: the release's.
    #[arg(long, value_name = "ARCH", help_heading = "Release")]
    arch: Option<String>,
    /// Do not look for the release's signature.
    #[arg(long, help_heading = "Release")]
    ignore_release_signature: bool,
    /// The pool; a single node has master alone.
    #[arg(long, default_value = "master", help_heading = "Manifests")]
    pool: String,
    /// Installation directory: the manifests go to DIR/openshift. Without it they are not written.
    #[arg(long, value_name = "DIR", help_heading = "Manifests")]
    manifests: Option<PathBuf>,
    /// How the release is told.
    #[arg(long, value_enum, default_value_t, help_heading = "Manifests")]
    prebuilt: Prebuilt,
    /// Secret with the login for later builds (annotation only).
    #[arg(
        long,
        value_name = "NAME",
        default_value = "os-image-push",
        help_heading = "Manifests"
    )]
    push_secret: String,
    /// Where later builds go, with a tag (annotation only). Default: the image's repository.
    #[arg(long, value_name = "REF", help_heading = "Manifests")]
    push_spec: Option<String>,
    /// Credentials that become that Secret: a manifest that only its owner may read.
    #[arg(long, value_name = "FILE", help_heading = "Manifests")]
    push_authfile: Option<PathBuf>,
    /// Transfers in flight.
    #[arg(short, long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Print the plan and stop; nothing is written.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    registry: RegistryFlags,
}

/// What is to be done, worked out before anything is written.
#[derive(Debug)]
struct Plan {
    image: OsImage,
    method: Method,
    release: Release,
    /// The install-time manifests.
    files: Vec<Manifest>,
    /// Both images.
    part: Inventory,
    /// The lock with both images.
    lock: Inventory,
    /// OS images that these replace.
    dropped: Vec<Reference>,
    findings: Vec<Finding>,
}

impl Precache {
    /// Runs the verb.
    ///
    /// # Errors
    /// A name or release that cannot work, a registry, the disk; or images that are not complete (exit 8 or 130).
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let image = OsImage::parse("REF@DIGEST", &self.image)?;
        if self.pool != "master" {
            let message = format!(
                "--pool {}: a single node is in pool master alone",
                self.pool
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        let client = Arc::new(self.registry.client()?);
        let old = read_lock(&self.folder.join("inventory.json"))?;
        if self.dry_run {
            let plan = block_on(self.plan(context, image, (old, client)))?;
            self.say(context, &plan);
            return context.result(&self.document(&plan, None), || "nothing written".to_owned());
        }
        create_dir(&self.folder)?;
        let store = Store::create(&self.folder)?;
        let lock = store.lock()?;
        block_on(self.fill(context, image, (old, &store, &lock), client))
    }

    async fn fill(
        &self,
        context: &Context,
        image: OsImage,
        (old, store, lock): (Option<Inventory>, &Store, &StoreLock),
        client: Arc<Client>,
    ) -> Result<(), Failure> {
        let cancel = on_interrupt();
        let plan = tokio::select! {
            plan = self.plan(context, image, (old, Arc::clone(&client))) => plan?,
            () = cancel.cancelled() => return Err(finish::interrupted(&self.folder)),
        };
        self.say(context, &plan);
        views::write_all(store.root(), &plan.lock, None)?;
        let options = fetch::Options {
            parallel: usize::from(self.parallel),
            reporter: Arc::clone(&context.reporter),
            cancel,
        };
        let summary = fetch::run(&plan.part, store, lock, client, options).await?;
        // The other images may be on their way still.
        finish::record(store, &plan.lock, false)?;
        finish::put_program(context, &self.folder)?;
        if summary.is_complete()
            && let Some(dir) = &self.manifests
        {
            beside::write(dir, &plan.files)?;
        }
        context.result(&self.document(&plan, Some(&summary)), || {
            self.text(&summary)
        })?;
        finish::ending(context, &self.folder, &summary)
    }

    /// Works everything out. What the data directory has is not asked of a registry again, and nothing is written there.
    async fn plan(
        &self,
        context: &Context,
        image: OsImage,
        (old, client): (Option<Inventory>, Arc<Client>),
    ) -> Result<Plan, Failure> {
        let source: Arc<dyn ImageSource> = match Store::open(&self.folder) {
            Ok(store) => Arc::new(Cached::new(store, client)),
            Err(_) => client,
        };
        let old = old.unwrap_or_else(empty);
        let release = self.release(context, &old, source.as_ref()).await?;
        let method = self.method(&release, &image)?;
        let part = self.part(context, &image, (&old, &release), source.as_ref());
        let part = part.await?;
        let built = self.built(&image, &part, source.as_ref()).await?;
        let install = Install {
            pool: &self.pool,
            image: &image,
            method: &method,
        };
        let files = install.manifests()?;
        let beside = match &self.manifests {
            Some(dir) => beside::read(dir, &files)?,
            None => Beside::default(),
        };
        let mut findings = traps(&install, release.target(), &built, &beside.seen);
        findings.extend(beside.findings);
        findings.extend(release.findings());
        let mut lock = old;
        let dropped = lock.set_os_images(&self.pool, part.clone());
        Ok(Plan {
            image,
            method,
            release,
            files,
            part,
            lock,
            dropped,
            findings,
        })
    }

    /// The way the release is told, which decides how strict the name is judged.
    fn method(&self, release: &Release, image: &OsImage) -> Result<Method, Failure> {
        let annotation = match (self.prebuilt, release.version.as_deref()) {
            (Prebuilt::Annotation, _) => true,
            (Prebuilt::OsImageUrl, _) => false,
            (Prebuilt::Auto, Some(version)) => reads_annotation(version)?,
            (Prebuilt::Auto, None) => {
                let failure = Failure::new(Exit::Usage, "the release is not known");
                return Err(failure.hint("name it with -r, or choose with --prebuilt"));
            }
        };
        if !annotation {
            return Ok(Method::OsImageUrl);
        }
        if let Some(fault) = image.api_fault() {
            let failure = Failure::new(Exit::Usage, format!("{image} is refused: {fault}"));
            return Err(failure.hint("push it under a shorter name, or use --prebuilt os-image-url: a MachineConfig takes every name"));
        }
        let mut push = Push::new(&self.push_secret, self.push_spec.as_deref(), image)?;
        if let Some(path) = &self.push_authfile {
            push.login = Some(beside::login(path, &push)?);
        }
        Ok(Method::Annotation(push))
    }

    /// The two images as a lock of their own.
    async fn part(
        &self,
        context: &Context,
        image: &OsImage,
        (old, release): (&Inventory, &Release),
        source: &dyn ImageSource,
    ) -> Result<Inventory, Failure> {
        let operator = release.operator.clone();
        let known = old.only(std::slice::from_ref(&operator));
        let line = |source: &Reference, destination: String| mapping::Line {
            source: source.clone(),
            destination,
        };
        let reference = image.reference();
        let mut lines = vec![line(reference, tags::additional_destination(reference))];
        if known.images.is_empty() {
            lines.push(line(&operator, release.destination()));
        }
        let options = crate::inventory::Options {
            architectures: vec![release.architecture.clone()],
            ..crate::inventory::Options::default()
        };
        let documents = self.registry.web()?;
        let services = Services {
            source,
            documents: &documents,
            reporter: context.reporter.as_ref(),
        };
        let resolved = from_mapping(&lines, &Digest::of(b""), &options, services).await?;
        let warnings = resolved.warnings.iter();
        warnings.for_each(|warning| context.warn(warning));
        let mut part = resolved.inventory;
        part.images.extend(known.images);
        part.blobs.extend(known.blobs);
        Ok(part)
    }

    /// What the OS image says of itself; from the data directory when it is there.
    async fn built(
        &self,
        image: &OsImage,
        part: &Inventory,
        source: &dyn ImageSource,
    ) -> Result<Built, Failure> {
        let found = part.images.iter().find(|i| i.source == *image.reference());
        let content = found.and_then(|found| found.contents.first());
        let Some((content, size)) = content.and_then(|c| Some((c, *part.blobs.get(&c.config)?)))
        else {
            return Ok(Built::default());
        };
        let config = Descriptor::new(CONFIG, content.config.clone(), size);
        let of = image.reference().pinned(content.manifest.digest.clone());
        let store = Store::open(&self.folder).ok();
        let there =
            store.filter(|s| matches!(s.blob_size(&config.digest), Ok(Some(n)) if n == size));
        let bytes = match &there {
            Some(store) => store.small_blob(&of, &config, MAX_CONFIG).await?,
            None => source.small_blob(&of, &config, MAX_CONFIG).await?,
        };
        let config: Value = serde_json::from_slice(&bytes).map_err(|e| {
            let message = format!("{image}: its configuration is not JSON: {e}");
            Failure::new(Exit::Verification, message)
        })?;
        Ok(Built::read(&config))
    }
}

/// The lock of a directory that has none.
fn empty() -> Inventory {
    Inventory {
        format: FORMAT,
        request: Request::default(),
        releases: Vec::new(),
        catalogs: Vec::new(),
        images: Vec::new(),
        ignored: Vec::new(),
        blobs: std::collections::BTreeMap::new(),
    }
}
