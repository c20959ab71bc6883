//! `snoforge assets`: `openshift-install`, the live ISO and `oc` of a release, out of its own payload or from a mirror.

mod desk;
mod mirror;
mod payload;
mod verdict;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::context::{Context, block_on, on_interrupt};
use super::exit::{Exit, Failure};
use super::global::RegistryFlags;
use super::ignition::printable;
use super::precache::finish;
use crate::oci::Reference;
use crate::progress::Event;
use crate::ui::{format, table};

use desk::{Desk, Entry};
pub(super) use payload::Release;

/// What can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Asset {
    /// `openshift-install`, made for this release.
    Installer,
    /// The RHCOS live ISO that belongs to the release.
    LiveIso,
    /// The client `oc`.
    Oc,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    Installer,
    LiveIso,
    Oc,
    /// All three.
    All,
}

impl Asset {
    const ALL: [Self; 3] = [Self::Installer, Self::LiveIso, Self::Oc];

    /// The name of the file; `machine` is `x86_64`, `aarch64`, ….
    fn file_name(self, machine: &str) -> String {
        match self {
            Self::Installer => "openshift-install".to_owned(),
            Self::LiveIso => format!("rhcos-live.{machine}.iso"),
            Self::Oc => "oc".to_owned(),
        }
    }

    fn is_program(self) -> bool {
        self != Self::LiveIso
    }
}

/// Flags of `assets`.
#[derive(Debug, Args)]
#[command(
    after_help = "Out of the payload, each file is as good as the digests of the release: layers are verified while they are read, openshift-install gets the name of the release as `oc adm release extract` writes it, the live ISO is compared with its own checksum. What is there and right is not taken again.\n\nExamples:\n  snoforge assets -f /mnt                                   (all three into /mnt/files)\n  snoforge assets installer oc -f /mnt -o bin/\n  snoforge assets -r 4.13.1 -o files/ --authfile pull-secret.json\n  snoforge assets -r 4.13.1 -o files/ --from-mirror https://mirror.openshift.com/pub/openshift-v4"
)]
pub(super) struct Assets {
    /// What to take. Default: all.
    #[arg(value_enum, value_name = "ASSET")]
    wanted: Vec<Wanted>,
    /// Data directory that `precache download` filled: the release is taken from it.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Directory for the files. Default: DIR/files.
    #[arg(short, long, value_name = "OUT", required_unless_present = "folder")]
    out: Option<PathBuf>,
    /// Release, X.Y.Z. Default: the one in DIR.
    #[arg(short, long, value_name = "X.Y.Z")]
    release: Option<String>,
    /// Architecture of the machine (amd64, arm64, ppc64le, s390x). Default: the release's; of a multi release amd64.
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// Take it from this payload in a registry.
    #[arg(long, value_name = "REF", conflicts_with_all = ["folder", "release"])]
    release_image: Option<Reference>,
    /// Take it from a mirror of <https://mirror.openshift.com/pub/openshift-v4>, checked against its sha256sum.txt.
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "release_image",
        requires = "release"
    )]
    from_mirror: Option<url::Url>,
    /// RHCOS version on the mirror (4.13.0). Default: the latest of the release's minor version.
    #[arg(long, value_name = "VERSION", requires = "from_mirror")]
    rhcos: Option<String>,
    /// Do not look for the release's signature.
    #[arg(long)]
    ignore_release_signature: bool,
    #[command(flatten)]
    registry: RegistryFlags,
}

/// One asset as it is now.
#[derive(Debug)]
pub(super) struct Done {
    asset: Asset,
    /// The file.
    pub(super) path: PathBuf,
    entry: Entry,
    /// It was there and right.
    kept: bool,
}

impl Assets {
    /// Runs the verb.
    ///
    /// # Errors
    /// A wrong flag, a release that is not there or lacks a file, a registry or mirror, the disk, wrong bytes; or interrupted.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let out = self.out()?;
        super::imageset::resolve::create_dir(&out)?;
        let done = block_on(self.take(context, &out))?;
        let document = json!({ "out": out, "assets": done.iter().map(row).collect::<Vec<_>>() });
        context.result(&document, || printable(&text(&done)))
    }

    fn out(&self) -> Result<PathBuf, Failure> {
        let beside = || self.folder.as_ref().map(|folder| folder.join("files"));
        self.out
            .clone()
            .or_else(beside)
            .ok_or_else(|| Failure::new(Exit::Usage, "neither -o nor -f says where the files go"))
    }

    async fn take(&self, context: &Context, out: &Path) -> Result<Vec<Done>, Failure> {
        let cancel = on_interrupt();
        let mut desk = Desk::open(out)?;
        let work = self.work(context, &mut desk, &cancel);
        tokio::select! {
            done = work => done,
            () = cancel.cancelled() => Err(finish::interrupted(out)),
        }
    }

    async fn work(
        &self,
        context: &Context,
        desk: &mut Desk,
        cancel: &CancellationToken,
    ) -> Result<Vec<Done>, Failure> {
        let assets = self.chosen();
        if let Some(base) = &self.from_mirror {
            let mirror = self.mirror(base)?;
            return mirror.take(context, desk, &assets, cancel).await;
        }
        let release = self.payload(context).await?;
        release.take(context, desk, &assets).await
    }

    fn chosen(&self) -> BTreeSet<Asset> {
        let all = self.wanted.is_empty() || self.wanted.contains(&Wanted::All);
        let asked = |asset: &Asset| {
            let word = match asset {
                Asset::Installer => Wanted::Installer,
                Asset::LiveIso => Wanted::LiveIso,
                Asset::Oc => Wanted::Oc,
            };
            all || self.wanted.contains(&word)
        };
        Asset::ALL.into_iter().filter(asked).collect()
    }

    fn mirror(&self, base: &url::Url) -> Result<mirror::Mirror, Failure> {
        let version = self.release.clone().unwrap_or_default();
        let architecture = self.arch.as_deref().unwrap_or("amd64");
        mirror::Mirror::new(
            base,
            version,
            architecture,
            self.rhcos.clone(),
            &self.registry,
        )
    }

    async fn payload(&self, context: &Context) -> Result<Release, Failure> {
        let arch = self.arch.as_deref();
        let release = match (&self.folder, &self.release_image, &self.release) {
            (Some(folder), ..) => Release::in_folder(folder, self.release.as_deref(), arch).await?,
            (None, Some(image), _) => self.fetched(context, image).await?,
            (None, None, Some(version)) => {
                let image = crate::inventory::release_image(version, arch.unwrap_or("amd64"))?;
                let release = self.fetched(context, &image).await?;
                release.is_version(version)?;
                release
            }
            (None, None, None) => {
                let failure = Failure::new(Exit::Usage, "no release is named");
                return Err(failure.hint("name a data directory with -f, a version with -r or a payload with --release-image"));
            }
        };
        Ok(release)
    }

    async fn fetched(&self, context: &Context, image: &Reference) -> Result<Release, Failure> {
        let check = super::imageset::resolve::signature_check(self.ignore_release_signature)?;
        Release::in_registry(
            context,
            image,
            &self.registry,
            (&check, self.arch.as_deref()),
        )
        .await
    }
}

/// Runs steps under one heading of the progress.
async fn phase<T>(
    context: &Context,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let report = |event: Event<'_>| context.reporter.report(event);
    report(Event::Phase {
        name: "assets",
        items: None,
        bytes: None,
    });
    let done = work.await;
    report(Event::PhaseDone);
    done
}

fn row(done: &Done) -> serde_json::Value {
    let mut row = json!(done.entry);
    if let Some(row) = row.as_object_mut() {
        let asset = done.asset.to_possible_value();
        let asset = asset.as_ref().map(clap::builder::PossibleValue::get_name);
        row.insert("asset".to_owned(), json!(asset));
        row.insert("file".to_owned(), json!(done.path));
        row.insert("kept".to_owned(), json!(done.kept));
    }
    row
}

fn text(done: &[Done]) -> String {
    let rows = done.iter().map(|done| {
        let entry = &done.entry;
        vec![
            done.path.display().to_string(),
            format::bytes(entry.size),
            if done.kept { "there already" } else { "taken" }.to_owned(),
            entry.sha256.hex().to_owned(),
            entry.source.clone(),
        ]
    });
    table::render(
        &["FILE", "SIZE", "", "SHA-256", "FROM"],
        rows.collect(),
        &[1],
    )
}
