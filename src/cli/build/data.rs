//! The inventory and the data directory: what the file asks for, and how much of it is there.

use std::path::PathBuf;

use super::lines;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure};
use crate::cli::imageset::resolve::{Wanted, create_dir, read_lock};
use crate::cli::precache::Precache;
use crate::cli::precache::download::{Download, write_image_set};
use crate::cli::precache::finish::file_target;
use crate::cli::precache::published;
use crate::cli::{Command, parse};
use crate::config::factory::{Factory, ImageSetSource};
use crate::inventory::lock::{Inventory, Request};
use crate::oci::LocationError;
use crate::store::Store;

/// The question, and the answer where it is known.
pub(super) struct Data {
    flags: Box<Download>,
    /// The question.
    pub wanted: Wanted,
    /// What answers the question.
    pub inventory: Option<Inventory>,
    /// Whether it is the one in the data directory.
    pub locked: bool,
    /// Bytes of it that are not in the data directory.
    pub missing: u64,
    /// Whether the whole download is done.
    pub complete: bool,
    /// Holds the image set where it has no file.
    _scratch: tempfile::TempDir,
}

impl Data {
    /// Looks; asks no registry.
    ///
    /// # Errors
    /// A file is missing or wrong.
    pub(super) fn look(context: &Context, factory: &Factory) -> Result<Self, Failure> {
        let flags = flags(factory)?;
        let scratch = tempfile::tempdir()?;
        let mut file = scratch.path().join("imageset.yaml");
        match &factory.imageset {
            ImageSetSource::Made(text) => crate::io::atomic::write(&file, text.as_bytes())?,
            ImageSetSource::Inline(set) => crate::io::atomic::write(&file, set.text.as_bytes())?,
            ImageSetSource::File(path) => file.clone_from(&path.value),
            ImageSetSource::Mapping => {}
        }
        let wanted = flags.flags.wanted(context, &file, &flags.template.ai_img)?;
        let lock = read_lock(&flags.folder.join("inventory.json"))
            .ok()
            .flatten();
        let inventory = lock.filter(|lock| lock.request == wanted.request());
        let mut data = Self {
            flags,
            wanted,
            locked: inventory.is_some(),
            inventory,
            missing: 0,
            complete: false,
            _scratch: scratch,
        };
        data.count()?;
        Ok(data)
    }

    /// Asks the registries where the answer is not known; writes nothing.
    ///
    /// # Errors
    /// As `precache download --dry-run`.
    pub(super) fn resolve(&mut self, context: &Context) -> Result<(), Failure> {
        if self.inventory.is_some() {
            return Ok(());
        }
        let source = self.flags.flags.registries.client()?;
        let found = self.flags.answer(context, &self.wanted, (&source, &source));
        self.inventory = Some(block_on(found)?);
        self.count()
    }

    /// Counts what is missing, by size alone: a final name is only given to what was right.
    fn count(&mut self) -> Result<(), Failure> {
        let Some(inventory) = &self.inventory else {
            return Ok(());
        };
        let store = Store::open(&self.flags.folder).ok();
        let blobs = inventory.blobs.iter().map(|(digest, size)| (digest, *size));
        self.missing = 0;
        let mut whole = true;
        for (digest, size) in blobs.chain(inventory.manifests()) {
            let Some(store) = &store else {
                self.missing += size;
                whole = false;
                continue;
            };
            if store.blob_size(digest)? != Some(size) {
                let partial = fs_err::metadata(store.partial_path(digest));
                self.missing += size.saturating_sub(partial.map_or(0, |meta| meta.len()));
                whole = false;
            }
        }
        // The header is written when everything else is.
        let header = store.and_then(|store| store.read_header().ok().flatten());
        let recorded = header.is_some_and(|header| {
            header.inventory == inventory.digest()
                && header.tool == concat!("snoforge ", env!("CARGO_PKG_VERSION"))
        });
        self.complete = whole && recorded && self.files()?.iter().all(|f| f.is_file());
        Ok(())
    }

    /// The files beside the images.
    fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let urls = self.flags.rootfs_url.iter();
        urls.map(|url| file_target(url, &self.flags.folder))
            .collect()
    }
}

/// Why a push of an earlier run still counts: what is pushed last is there, or the registry is away. `None` when it is not there.
///
/// # Errors
/// A flag is wrong.
pub(super) fn pushed(
    factory: &Factory,
    target: &str,
    request: &Request,
) -> Result<Option<String>, Failure> {
    let registries = flags(factory)?.flags.registries;
    let location = target
        .parse()
        .map_err(|e: LocationError| Failure::new(Exit::Usage, e.to_string()))?;
    Ok(
        match block_on(published::is_there(&registries, &location, request)) {
            Ok(true) => Some("pushed by an earlier run, and there".to_owned()),
            Ok(false) => None,
            Err(e) => Some(format!(
                "pushed by an earlier run, not to be asked now: {}",
                e.message
            )),
        },
    )
}

/// Puts an image set that is not made of flags where `precache download --skip-imageset` reads it.
///
/// # Errors
/// It cannot be written.
pub(super) fn place_image_set(context: &Context, factory: &Factory) -> Result<(), Failure> {
    let text = match &factory.imageset {
        ImageSetSource::File(path) => crate::cli::imageset::check::read(&path.value)?,
        ImageSetSource::Inline(set) => set.text.clone(),
        ImageSetSource::Made(_) | ImageSetSource::Mapping => return Ok(()),
    };
    let folder = flags(factory)?.folder;
    create_dir(&folder)?;
    write_image_set(context, &folder.join("imageset.yaml"), &text)
}

/// The flags of the download, as its verb reads them.
///
/// # Errors
/// One is wrong.
pub(super) fn flags(factory: &Factory) -> Result<Box<Download>, Failure> {
    match parse(&lines::download(factory))? {
        Command::Precache(Precache::Download(flags)) => Ok(flags),
        _ => Err(Failure::new(Exit::Internal, "no download")),
    }
}
