//! `precache download`: image set → lock → every blob once → verified store; run again to go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::cached::Cached;
use super::finish;
use super::plan::expected;
use super::published;
use crate::cli::context::{Context, block_on, on_interrupt};
use crate::cli::exit::{Categorised, Exit, Failure};
use crate::cli::imageset::resolve::{
    ResolveFlags, Wanted, create_dir, figures, read_lock, resolve, write,
};
use crate::cli::imageset::{TemplateFlags, check};
use crate::config::template;
use crate::fetch::{self, FetchError};
use crate::inventory::Summary;
use crate::inventory::lock::Inventory;
use crate::oci::ImageSource;
use crate::remote::Client;
use crate::store::{Store, StoreLock};
use crate::ui::format;

/// Flags of `download`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the command line"
)]
pub(crate) struct Download {
    /// OpenShift release, X.Y.Z.
    #[arg(short, long, value_name = "X.Y.Z", required_unless_present = "mapping")]
    pub release: Option<String>,
    /// Directory for the data: the mounted data partition.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    pub folder: PathBuf,
    /// Transfers in flight.
    #[arg(short, long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallel: u16,
    /// Use DIR/imageset.yaml as it is instead of writing it.
    #[arg(long, conflicts_with_all = ["generate_imageset", "mapping"])]
    pub skip_imageset: bool,
    /// Write DIR/imageset.yaml and stop.
    #[arg(long, conflicts_with = "mapping")]
    pub generate_imageset: bool,
    /// Resolve again although nothing changed, here or on a mirror: tags and channels may have moved.
    #[arg(long)]
    pub refresh: bool,
    /// Remove what the inventory no longer names when everything is there.
    #[arg(short = 's', long = "rm-stale")]
    pub rm_stale: bool,
    /// Also download this file (the RHCOS rootfs) into DIR/files; may be repeated.
    #[arg(short = 'u', long = "rootfs-url", value_name = "URL")]
    pub rootfs_url: Vec<url::Url>,
    /// Work out and write the lists, fetch nothing.
    #[arg(long)]
    pub testmode: bool,
    /// Print the figures and stop; nothing is written.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub template: TemplateFlags,
    #[command(flatten)]
    pub flags: ResolveFlags,
}

impl Download {
    /// Runs the verb.
    ///
    /// # Errors
    /// A wrong flag or file; a registry, the disk; or a download that is not complete (exit 8 or 130).
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        if self.dry_run {
            return self.dry_run(context);
        }
        create_dir(&self.folder)?;
        let config = self.folder.join("imageset.yaml");
        if self.flags.mapping.is_none() && !self.skip_imageset {
            write_image_set(context, &config, &self.image_set()?)?;
            if self.generate_imageset {
                return context.result(&serde_json::json!({"file": config}), || {
                    format!("wrote {}", config.display())
                });
            }
        }
        let wanted = self.wanted(context, &config)?;
        let store = Store::create(&self.folder)?;
        let lock = store.lock()?;
        let client = self.flags.registries.client()?;
        block_on(self.fill(context, &wanted, (&store, &lock), Arc::new(client)))
    }

    /// The text of the image set that the flags describe.
    fn image_set(&self) -> Result<String, Failure> {
        let options = self
            .template
            .options(self.release.as_deref().unwrap_or_default())?;
        options.require_mce()?;
        Ok(template::render(&options)?)
    }

    fn wanted(&self, context: &Context, config: &Path) -> Result<Wanted, Failure> {
        if self.flags.mapping.is_none() && !config.exists() {
            let failure = Failure::new(
                Exit::Usage,
                format!(
                    "--skip-imageset was given, and {} does not exist",
                    config.display()
                ),
            );
            return Err(failure.hint("leave --skip-imageset out to have it written"));
        }
        self.flags.wanted(context, config, &self.template.ai_img)
    }

    fn dry_run(self, context: &Context) -> Result<(), Failure> {
        let scratch = tempfile::tempdir()?;
        let mut config = self.folder.join("imageset.yaml");
        if self.flags.mapping.is_none() && !self.skip_imageset {
            config = scratch.path().join("imageset.yaml");
            write_image_set(context, &config, &self.image_set()?)?;
        }
        let wanted = self.wanted(context, &config)?;
        let source = self.flags.registries.client()?;
        let inventory = block_on(self.answer(context, &wanted, (&source, &source)))?;
        crate::cli::imageset::resolve::report(context, &inventory)
    }

    async fn fill(
        &self,
        context: &Context,
        wanted: &Wanted,
        (store, lock): (&Store, &StoreLock),
        client: Arc<Client>,
    ) -> Result<(), Failure> {
        let cancel = on_interrupt();
        let source: Arc<dyn ImageSource> =
            Arc::new(Cached::new(store.clone(), Arc::clone(&client)));
        let inventory = tokio::select! {
            inventory = self.inventory(context, wanted, store, (source.as_ref(), &client)) => inventory?,
            () = cancel.cancelled() => return Err(finish::interrupted(&self.folder)),
        };
        context.say(&figures(&Summary::of(&inventory)));
        if self.testmode {
            return crate::cli::imageset::resolve::report(context, &inventory);
        }
        let options = fetch::Options {
            parallel: usize::from(self.parallel),
            reporter: Arc::clone(&context.reporter),
            cancel: cancel.clone(),
        };
        let summary = fetch::run(&inventory, store, lock, source, options).await?;
        finish::record(store, &inventory, summary.is_complete())?;
        finish::put_program(context, &self.folder)?;
        if summary.is_complete() && self.rm_stale {
            finish::remove_stale(context, (store, lock), &expected(&inventory))?;
        }
        for url in &self.rootfs_url {
            finish::download_file(context, &client, url, &self.folder, &cancel).await?;
        }
        finish::report(context, self, &summary)
    }

    /// The lock: the one in the directory or else of a mirror when it answers the same question, else a new one, written with its views.
    async fn inventory(
        &self,
        context: &Context,
        wanted: &Wanted,
        store: &Store,
        sources: (&dyn ImageSource, &Client),
    ) -> Result<Inventory, Failure> {
        if !self.refresh
            && let Some(known) = read_lock(&store.root().join("inventory.json"))
                .ok()
                .flatten()
            && known.request == wanted.request()
        {
            context.say(
                "image set unchanged: using the inventory that is there (--refresh resolves again)",
            );
            return Ok(known);
        }
        let inventory = self.answer(context, wanted, sources).await?;
        write(store.root(), inventory, wanted.image_set())
    }

    /// What a mirror has been given, or else what the registries say.
    ///
    /// # Errors
    /// As [`resolve`].
    pub(in crate::cli) async fn answer(
        &self,
        context: &Context,
        wanted: &Wanted,
        (source, client): (&dyn ImageSource, &Client),
    ) -> Result<Inventory, Failure> {
        if !self.refresh
            && let Some(found) = published::look(context, &self.flags, wanted, client).await
        {
            return Ok(found);
        }
        let resolved = resolve(wanted, source, &self.flags, context).await?;
        Ok(resolved.inventory)
    }
}

/// Writes the image set; one that a person may have edited is kept beside it.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write_image_set(context: &Context, path: &Path, text: &str) -> Result<(), Failure> {
    if path.exists() {
        let old = check::read(path)?;
        if old == text {
            return Ok(());
        }
        let kept = path.with_extension("yaml.bak");
        crate::io::atomic::write(&kept, old.as_bytes())?;
        let (path, kept) = (path.display(), kept.display());
        context.warn(&format!("{path} is written anew, the one that was there is now {kept}; --skip-imageset uses an edited one as it is"));
    }
    Ok(crate::io::atomic::write(path, text.as_bytes())?)
}

impl Categorised for FetchError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoSpace { .. } => Exit::Io,
            Self::Store(error) => error.exit(),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::NoSpace { need, have, .. } => Some(format!(
                "free {} more, make the partition larger, or take images out of the image set",
                format::bytes(need.saturating_sub(*have))
            )),
            Self::Store(error) => error.advice(),
        }
    }
}
