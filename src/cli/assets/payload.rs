//! Assets out of a release payload: release image → `image-references` → component → the file in its layers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::desk::{Desk, Entry};
use super::verdict::{check_iso, judge, unstamped};
use super::{Asset, Done, phase};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::cli::imageset::resolve::read_lock;
use crate::inventory::architecture::{goarch, machine};
use crate::inventory::lock::Signature;
use crate::inventory::{
    InventoryError, Mark, Offline, Payload, Services, SignatureCheck, WantedFile, read_release,
    stamp, take_files,
};
use crate::oci::{ImageSource, Reference, SourceErrorKind};
use crate::store::Store;

/// A release, and where its images are.
#[derive(Debug)]
pub(in crate::cli) struct Release {
    source: Arc<dyn ImageSource>,
    /// The data directory, when the images are in one.
    folder: Option<std::path::PathBuf>,
    /// By digest.
    image: Reference,
    payload: Payload,
    /// `GOARCH`.
    architecture: String,
}

/// A component that has an asset, and the path in it; `{}` is the `GOARCH`.
struct Place {
    component: &'static str,
    path: &'static str,
}

/// Where releases have it, the better place first (oc `extract_tools.go`; machine-os-images `fetch_image.sh`).
const fn places(asset: Asset) -> &'static [Place] {
    const fn place(component: &'static str, path: &'static str) -> Place {
        Place { component, path }
    }
    match asset {
        Asset::Installer => {
            const {
                &[
                    place("installer", "usr/bin/openshift-install"),
                    place(
                        "installer-artifacts",
                        "usr/share/openshift/linux_{}/openshift-install",
                    ),
                ]
            }
        }
        Asset::Oc => {
            const {
                &[
                    place("cli", "usr/bin/oc"),
                    place("cli-artifacts", "usr/share/openshift/linux_{}/oc"),
                ]
            }
        }
        Asset::LiveIso => const { &[place("machine-os-images", "coreos/coreos-{}.iso")] },
    }
}

impl Release {
    /// The release in a data directory.
    ///
    /// # Errors
    /// There is none, none of that version or architecture, or several and none is named.
    pub(in crate::cli) async fn in_folder(
        folder: &Path,
        version: Option<&str>,
        arch: Option<&str>,
    ) -> Result<Self, Failure> {
        let lock = read_lock(&folder.join("inventory.json"))?.ok_or_else(|| {
            let message = format!("{} holds no inventory", folder.display());
            Failure::new(Exit::Usage, message).hint("`snoforge precache download -r X.Y.Z -f DIR` fills it; -r X.Y.Z without -f takes from the registry")
        })?;
        let meant = |r: &&crate::inventory::lock::Release| {
            let fits = |a: &str| r.architecture == "multi" || r.architecture == machine(a);
            version.is_none_or(|v| r.version == v) && arch.is_none_or(fits)
        };
        let found: Vec<_> = lock.releases.iter().filter(meant).collect();
        let [release] = found.as_slice() else {
            let all = lock.releases.iter();
            let all = all.map(|r| format!("{} {}", r.version, r.architecture));
            let all: Vec<String> = all.collect();
            let message = match (found.len(), all.is_empty()) {
                (_, true) => format!("{} holds no release payload", folder.display()),
                (0, _) => format!("{} holds release {} only", folder.display(), all.join(", ")),
                _ => format!("{} holds several releases", folder.display()),
            };
            let hint = format!("choose with -r and --arch: {}", all.join(", "));
            let failure = Failure::new(Exit::Usage, message);
            return Err(if all.is_empty() {
                failure
            } else {
                failure.hint(hint)
            });
        };
        let store = Store::open(folder)?;
        let services = Services {
            source: &store,
            documents: &Offline,
            reporter: &crate::progress::Silent,
        };
        // The signature was judged when the inventory was made.
        let read = read_release(&release.payload, &SignatureCheck::Skip, services).await;
        let (payload, _) = read.map_err(|e| absent(e, folder, "release image"))?;
        let found = Self::new(Arc::new(store), &release.payload, payload, arch)?;
        found.is_version(&release.version)?;
        Ok(Self {
            folder: Some(folder.to_owned()),
            ..found
        })
    }

    /// A release in a registry, with its signature checked.
    ///
    /// # Errors
    /// The registry, a wrong signature, or no release payload.
    pub(in crate::cli) async fn in_registry(
        context: &Context,
        image: &Reference,
        registry: &RegistryFlags,
        (check, arch): (&SignatureCheck, Option<&str>),
    ) -> Result<Self, Failure> {
        let (client, documents) = (registry.client()?, registry.web()?);
        let services = Services {
            source: &client,
            documents: &documents,
            reporter: context.reporter.as_ref(),
        };
        let image = match image.digest() {
            Some(digest) => image.pinned(digest.clone()),
            None => image.pinned(client.resolve(image).await?.digest),
        };
        let (payload, signature) = read_release(&image, check, services).await?;
        if let Signature::Unavailable { reason } = &signature {
            context.warn(&format!("{image}: signature not checked: {reason}"));
        }
        Self::new(Arc::new(client), &image, payload, arch)
    }

    fn new(
        source: Arc<dyn ImageSource>,
        image: &Reference,
        payload: Payload,
        arch: Option<&str>,
    ) -> Result<Self, Failure> {
        let own = payload.architecture.as_str();
        let architecture = match (arch, own) {
            (Some(asked), own) if own != "multi" && machine(asked) != own => {
                let message = format!("{image} is for {own}, not for {asked}");
                return Err(Failure::new(Exit::Usage, message));
            }
            (Some(asked), _) => asked,
            (None, own) => goarch(own),
        }
        .to_owned();
        Ok(Self {
            source,
            folder: None,
            image: image.clone(),
            payload,
            architecture,
        })
    }

    /// Refuses a payload that is another release than its place says: a tag may be moved, and a mirror may have any.
    ///
    /// # Errors
    /// It is another one.
    pub(super) fn is_version(&self, version: &str) -> Result<(), Failure> {
        let own = &self.payload.version;
        if own == version {
            return Ok(());
        }
        let message = format!("release {version} was asked for, {} is {own}", self.image);
        Err(Failure::new(Exit::Verification, message)
            .hint("name the payload of that version with --release-image"))
    }

    /// Takes assets, in their order.
    ///
    /// # Errors
    /// The release lacks one, an image is not there or wrong, or the disk.
    pub(super) async fn take(
        &self,
        context: &Context,
        desk: &mut Desk,
        assets: &BTreeSet<Asset>,
    ) -> Result<Vec<Done>, Failure> {
        phase(context, async {
            let mut done = Vec::new();
            for asset in assets {
                done.push(self.take_one(context, desk, *asset).await?);
            }
            Ok(done)
        })
        .await
    }

    /// The installer alone, in a directory of the caller's.
    ///
    /// # Errors
    /// As [`Release::take`].
    pub(in crate::cli) async fn installer(
        &self,
        context: &Context,
        out: &Path,
    ) -> Result<std::path::PathBuf, Failure> {
        let mut desk = Desk::open(out)?;
        let assets = BTreeSet::from([Asset::Installer]);
        let done = self.take(context, &mut desk, &assets).await?;
        let done = done.into_iter().next();
        Ok(done.map(|done| done.path).unwrap_or_default())
    }

    async fn take_one(
        &self,
        context: &Context,
        desk: &mut Desk,
        asset: Asset,
    ) -> Result<Done, Failure> {
        let machine = machine(&self.architecture);
        let name = asset.file_name(machine);
        let components = || {
            places(asset)
                .iter()
                .filter_map(|p| Some((self.component(p)?, p)))
        };
        let release = asset.is_program().then(|| self.image.to_string());
        for (image, place) in components() {
            let path = self.path(asset, place);
            let source = format!("{image}:/{path}");
            let kept = tokio::task::block_in_place(|| {
                desk.kept(asset, &name, (&source, release.as_deref()))
            })?;
            if let Some(kept) = kept {
                return Ok(kept);
            }
            let Some(file) = self.extract(context, desk, asset, (image, &path)).await? else {
                continue;
            };
            let entry = Entry {
                version: self.payload.version.clone(),
                architecture: machine.to_owned(),
                source,
                release,
                size: file.as_file().metadata()?.len(),
                sha256: tokio::task::block_in_place(|| super::desk::sha256(file.path()))?,
            };
            return tokio::task::block_in_place(|| desk.put(asset, &name, (file, entry)));
        }
        Err(self.lacking(asset))
    }

    fn component(&self, place: &Place) -> Option<&Reference> {
        let mut components = self.payload.components.iter();
        let found = components.find(|(name, _)| name == place.component);
        found.map(|(_, image)| image)
    }

    fn path(&self, asset: Asset, place: &Place) -> String {
        let architecture = match asset {
            Asset::LiveIso => machine(&self.architecture),
            _ => &self.architecture,
        };
        place.path.replace("{}", architecture)
    }

    /// Takes the file, checks it or writes the release into it; `None` when the image does not have it.
    async fn extract(
        &self,
        context: &Context,
        desk: &Desk,
        asset: Asset,
        (image, path): (&Reference, &str),
    ) -> Result<Option<tempfile::NamedTempFile>, Failure> {
        let (mut file, checksum) = (desk.blank()?, desk.blank()?);
        let mut wanted = vec![WantedFile {
            path: path.to_owned(),
            to: file.path().to_owned(),
        }];
        if asset == Asset::LiveIso {
            wanted.push(WantedFile {
                path: format!("{path}.sha256"),
                to: checksum.path().to_owned(),
            });
        }
        let services = Services {
            source: self.source.as_ref(),
            documents: &Offline,
            reporter: context.reporter.as_ref(),
        };
        let taken = take_files(image, &self.architecture, &wanted, services).await;
        let taken = taken.map_err(|e| match &self.folder {
            Some(folder) => absent(e, folder, &image.to_string()),
            None => e.into(),
        })?;
        let mut taken = taken.into_iter();
        let Some(own) = taken.next().flatten() else {
            return Ok(None);
        };
        match asset {
            Asset::LiveIso => {
                if taken.next().flatten().is_some() {
                    let text = fs_err::read_to_string(checksum.path())?;
                    check_iso(&text, &own.sha256, image)?;
                }
            }
            Asset::Installer | Asset::Oc => {
                let missing =
                    tokio::task::block_in_place(|| stamp(file.as_file_mut(), self.marks(asset)))
                        .map_err(|e| unstamped(image, path, &crate::cli::exit::chain(&e)))?;
                judge(context, (image, path), &missing)?;
            }
        }
        Ok(Some(file))
    }

    /// What `oc adm release extract` writes into which program.
    fn marks(&self, asset: Asset) -> Vec<Mark> {
        let version = Mark::Version(self.payload.version.clone());
        if asset == Asset::Oc {
            return vec![version];
        }
        let platform = match self.payload.architecture.as_str() {
            // The config that was read for it is that of amd64.
            "multi" => "multi (linux/amd64)".to_owned(),
            _ => format!("linux/{}", self.architecture),
        };
        vec![
            Mark::Image(self.image.to_string()),
            version,
            Mark::Architecture(platform),
        ]
    }

    fn lacking(&self, asset: Asset) -> Failure {
        let looked = places(asset).iter();
        let looked = looked.map(|p| format!("{}:/{}", p.component, self.path(asset, p)));
        let message = format!(
            "release {} ({}) has no {}: looked for {}",
            self.payload.version,
            self.image,
            asset.file_name(machine(&self.architecture)),
            looked.collect::<Vec<_>>().join(", ")
        );
        Failure::new(Exit::Unsupported, message).hint(
            "--from-mirror takes it from a mirror; releases before 4.11 have no live ISO in them",
        )
    }
}

/// An image that the data directory lacks.
fn absent(error: InventoryError, folder: &Path, what: &str) -> Failure {
    match &error {
        InventoryError::Source(source) if source.kind == SourceErrorKind::NotFound => {
            let message = format!("{what} is not in {}: {source}", folder.display());
            Failure::new(Exit::Usage, message).hint("`snoforge precache download` with the same image set brings what is missing; -r X.Y.Z without -f takes from the registry")
        }
        _ => error.into(),
    }
}
