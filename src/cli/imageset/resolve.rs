//! `imageset resolve`: pin everything, write the lock and its views. `precache download` resolves through the same code.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::check;
use crate::cli::context::{Context, block_on, env, env_path};
use crate::cli::exit::{Categorised, Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::config::filter::ImageFilter;
use crate::inventory::lock::{Inventory, LockError, Signature};
use crate::inventory::{
    Category, GraphSource, Inputs, InventoryError, Keyring, Options, Resolved, Services,
    SignatureCheck, Summary, mapping, views,
};
use crate::oci::{Digest, ImageSource, Reference};
use crate::ui::{format, table};

/// What decides an inventory beside the image set; the same flags on `precache download`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResolveFlags {
    /// Release payload to use instead of the update graph.
    #[arg(long, value_name = "REF", help_heading = "Image set")]
    pub release_image: Option<Reference>,
    /// Architecture (amd64, arm64, ppc64le, s390x, multi); may be repeated. Default: the image set's, else amd64.
    #[arg(long, value_name = "ARCH", help_heading = "Image set")]
    pub arch: Vec<String>,
    /// Take every architecture of each image.
    #[arg(long, alias = "all-arches", help_heading = "Image set")]
    pub all_arch: bool,
    /// File with `patterns:` of images to leave out.
    #[arg(long, value_name = "FILE", help_heading = "Image set")]
    pub filter: Option<PathBuf>,
    /// Saved update graph to use instead of the service.
    #[arg(long, value_name = "FILE", help_heading = "Image set")]
    pub graph: Option<PathBuf>,
    /// Do not look for release signatures.
    #[arg(long, help_heading = "Image set")]
    pub ignore_release_signature: bool,
    /// Start from an existing mapping.txt instead of an image set.
    #[arg(long, value_name = "FILE", help_heading = "Image set")]
    pub mapping: Option<PathBuf>,
    #[command(flatten)]
    pub registries: RegistryFlags,
}

/// What to resolve.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// An image set.
    Set {
        /// What it asks for, with the flags.
        inputs: Box<Inputs>,
        /// Its file.
        file: PathBuf,
        /// Its text.
        text: String,
    },
    /// Lines of a mapping file, whose bytes have this digest.
    Mapping(Vec<mapping::Line>, Digest, Options),
}

impl Wanted {
    /// What a lock made from this says of its request.
    pub(crate) fn request(&self) -> crate::inventory::lock::Request {
        match self {
            Self::Set { inputs, .. } => inputs.request(),
            Self::Mapping(_, digest, options) => options.request(digest),
        }
    }

    /// The text of the image set, if there is one.
    pub(crate) fn image_set(&self) -> Option<&str> {
        match self {
            Self::Set { text, .. } => Some(text),
            Self::Mapping(..) => None,
        }
    }
}

impl ResolveFlags {
    /// Reads what the flags name: the mapping, or else the image set at `config`.
    ///
    /// # Errors
    /// A file is missing or wrong.
    pub(crate) fn wanted(
        &self,
        context: &Context,
        config: &Path,
        ai_images: &[String],
    ) -> Result<Wanted, Failure> {
        let options = self.options(ai_images)?;
        if let Some(path) = &self.mapping {
            let text = check::read(path)?;
            let lines = mapping::parse(&text).map_err(|e| {
                Failure::new(
                    Exit::Usage,
                    format!("{}: {}", path.display(), crate::cli::exit::chain(&e)),
                )
                .hint(e.hint())
            })?;
            return Ok(Wanted::Mapping(lines, Digest::of(text.as_bytes()), options));
        }
        let (parsed, text) = check::load(context, config)?;
        let signature = signature_check(self.ignore_release_signature)?;
        let mut inputs = Inputs::new(parsed.imageset, Digest::of(text.as_bytes()), signature);
        inputs.release_image.clone_from(&self.release_image);
        inputs.graph = graph_source(self.graph.as_deref())?;
        inputs.cache_directory = cache_directory();
        inputs.options = options;
        Ok(Wanted::Set {
            inputs: Box::new(inputs),
            file: config.to_owned(),
            text,
        })
    }

    fn options(&self, ai_images: &[String]) -> Result<Options, Failure> {
        let filter = match &self.filter {
            Some(path) => {
                let text = check::read(path)?;
                ImageFilter::parse(&path.display().to_string(), &text)
                    .map_err(|found| check::findings_failure(&found))?
            }
            None => ImageFilter::default(),
        };
        let ai_images = ai_images.iter().map(|text| text.parse::<Reference>());
        let ai_images: Result<Vec<_>, _> = ai_images.collect();
        Ok(Options {
            architectures: self.arch.clone(),
            all_architectures: self.all_arch,
            ai_images: ai_images
                .map_err(|e| Failure::new(Exit::Usage, format!("--ai-img: {e}")))?,
            filter,
            ..Options::default()
        })
    }
}

/// How release signatures are judged.
///
/// # Errors
/// The key that the environment names is not readable.
pub(crate) fn signature_check(ignore: bool) -> Result<SignatureCheck, Failure> {
    if ignore {
        return Ok(SignatureCheck::Skip);
    }
    let keyring = match env_path("OCP_SIGNATURE_VERIFICATION_PK") {
        Some(path) => Keyring::from_armor(&check::read(&path)?)
            .map_err(|e| Failure::new(Exit::Usage, format!("{}: {e}", path.display())))?,
        None => Keyring::red_hat(),
    };
    let now_unix = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    Ok(SignatureCheck::WhenAvailable { now_unix, keyring })
}

/// The saved graph, or the service (`UPDATE_URL_OVERRIDE` as in oc-mirror).
///
/// # Errors
/// The file is not readable.
pub(crate) fn graph_source(file: Option<&Path>) -> Result<GraphSource, Failure> {
    let Some(path) = file else {
        return Ok(GraphSource::Service(env("UPDATE_URL_OVERRIDE")));
    };
    let bytes = check::read(path)?.into_bytes().into();
    Ok(GraphSource::File {
        name: path.display().to_string(),
        bytes,
    })
}

/// `$XDG_CACHE_HOME/snoforge` or `~/.cache/snoforge`; none without a home.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    let base = env_path("XDG_CACHE_HOME").or_else(|| Some(env_path("HOME")?.join(".cache")));
    base.map(|base| base.join("snoforge"))
}

/// Resolves, and says the warnings.
///
/// # Errors
/// Every failure, in one message.
pub(crate) async fn resolve(
    wanted: &Wanted,
    source: &dyn ImageSource,
    flags: &ResolveFlags,
    context: &Context,
) -> Result<Resolved, Failure> {
    let documents = flags.registries.web()?;
    let services = Services {
        source,
        documents: &documents,
        reporter: context.reporter.as_ref(),
    };
    let result = match wanted {
        Wanted::Set { inputs, .. } => crate::inventory::resolve(inputs, services).await,
        Wanted::Mapping(lines, digest, options) => {
            crate::inventory::from_mapping(lines, digest, options, services).await
        }
    };
    let resolved = result.map_err(|error| located(&error, wanted))?;
    resolved
        .warnings
        .iter()
        .for_each(|warning| context.warn(warning));
    for release in &resolved.inventory.releases {
        context.say(&format!(
            "release {} {}: {}",
            release.version,
            release.architecture,
            signature_text(&release.signature)
        ));
    }
    Ok(resolved)
}

/// Every failure on a line of its own, with its place in the image set where one value is to blame.
fn located(error: &InventoryError, wanted: &Wanted) -> Failure {
    let failures = match error {
        InventoryError::Incomplete { failures, .. } => failures.as_slice(),
        other => std::slice::from_ref(other),
    };
    let line = |failure: &InventoryError| {
        let text = crate::cli::exit::chain(failure);
        let text = match (failure.place().filter(|at| at.line > 0), wanted) {
            (Some(at), Wanted::Set { file, .. }) => {
                format!("{}:{}:{}: {text}", file.display(), at.line, at.column)
            }
            _ => text,
        };
        match failure.hint().filter(|_| failures.len() > 1) {
            Some(hint) => format!("{text}\n  hint: {hint}"),
            None => text,
        }
    };
    let message = failures
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\nerror: ");
    let hint = failures
        .first()
        .filter(|_| failures.len() == 1)
        .and_then(InventoryError::hint);
    Failure {
        exit: error.exit(),
        message,
        hint,
    }
}

pub(crate) fn signature_text(signature: &Signature) -> String {
    match signature {
        Signature::Verified { key } => format!("signature verified (key {key})"),
        Signature::Unavailable { reason } => format!("signature NOT checked: {reason}"),
        Signature::Skipped => "signature not checked, as asked".to_owned(),
    }
}

/// Flags of `resolve`.
#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The image set.
    #[arg(short, long, value_name = "FILE", default_value = "imageset.yaml")]
    config: PathBuf,
    /// Release instead of the image set's, X.Y.Z.
    #[arg(short, long, value_name = "X.Y.Z")]
    release: Option<String>,
    /// An image for the live stage; may be repeated.
    #[arg(long = "ai-img", value_name = "REF")]
    ai_img: Vec<String>,
    /// With --mapping: write the text files without asking any registry.
    #[arg(long, requires = "mapping")]
    offline: bool,
    /// Directory for the files; made when absent.
    #[arg(short, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Print the figures and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    flags: ResolveFlags,
}

impl Resolve {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut wanted = self.flags.wanted(context, &self.config, &self.ai_img)?;
        if let Wanted::Set { inputs, .. } = &mut wanted {
            inputs.release.clone_from(&self.release);
        }
        if let (Wanted::Mapping(lines, _, options), true) = (&wanted, self.offline) {
            return self.offline(context, lines, options);
        }
        let source = self.flags.registries.client()?;
        let mut inventory = block_on(resolve(&wanted, &source, &self.flags, context))?.inventory;
        if !self.dry_run {
            create_dir(&self.out)?;
            inventory = write(&self.out, inventory, wanted.image_set())?;
        }
        report(context, &inventory)
    }

    fn offline(
        &self,
        context: &Context,
        lines: &[mapping::Line],
        options: &Options,
    ) -> Result<(), Failure> {
        let ai_images = options.ai_images.iter().map(ToString::to_string).collect();
        let texts = views::Texts::of_mapping(lines, &options.filter, &ai_images);
        if !self.dry_run {
            create_dir(&self.out)?;
            views::write_texts(&self.out, &texts)?;
        }
        let count = |text: &str| text.lines().count();
        let (all, ai, ocp) = (count(&texts.mapping), count(&texts.ai), count(&texts.ocp));
        context.result(&json!({"images": all, "aiImages": ai, "ocpImages": ocp, "ignored": count(&texts.ignored)}), || {
            format!("{all} images: {ai} for the live stage, {ocp} for the installed stage")
        })
    }
}

/// Writes a new lock and its views in place of those that are there. The OS images of the old one stay (`osimage precache`).
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(
    directory: &Path,
    mut inventory: Inventory,
    image_set: Option<&str>,
) -> Result<Inventory, Failure> {
    // What cannot be read is replaced, whatever the reason.
    if let Some(old) = read_lock(&directory.join("inventory.json")).ok().flatten() {
        inventory.keep_os_images(&old);
    }
    views::write_all(directory, &inventory, image_set)?;
    Ok(inventory)
}

/// Makes a directory for results.
///
/// # Errors
/// It cannot be made.
pub(crate) fn create_dir(path: &Path) -> Result<(), Failure> {
    Ok(fs_err::create_dir_all(path)?)
}

/// Prints the figures of an inventory.
///
/// # Errors
/// Stdout cannot be written.
pub(crate) fn report(context: &Context, inventory: &Inventory) -> Result<(), Failure> {
    let summary = Summary::of(inventory);
    context.result(&summary, || figures(&summary))
}

/// The figures as a table.
pub(crate) fn figures(summary: &Summary) -> String {
    let rows = summary.kinds.iter().map(|kind| {
        vec![
            kind.name.clone(),
            kind.images.to_string(),
            format::bytes(kind.bytes),
        ]
    });
    let kinds = table::render(&["FROM", "IMAGES", "BYTES"], rows.collect(), &[1, 2]);
    let lines = table::summary(&[
        (
            "Images",
            format!(
                "{} ({} live stage, {} installed stage)",
                summary.images, summary.ai_images, summary.ocp_images
            ),
        ),
        ("Unique blobs", summary.blobs.to_string()),
        (
            "To fetch",
            format!(
                "{} ({} if each image were fetched whole)",
                format::bytes(summary.fetch_bytes),
                format::bytes(summary.whole_bytes)
            ),
        ),
        ("On disk", format::bytes(summary.disk_bytes)),
        (
            "Partition to make",
            format!("{} GiB or more", summary.partition.gib),
        ),
    ]);
    format!("{kinds}\n\n{lines}")
}

impl Categorised for InventoryError {
    fn exit(&self) -> Exit {
        match self.category() {
            Category::Input => Exit::Usage,
            Category::Unsupported => Exit::Unsupported,
            Category::Remote => Exit::Remote,
            Category::Io => Exit::Io,
            Category::Verification => Exit::Verification,
        }
    }

    fn advice(&self) -> Option<String> {
        self.hint()
    }
}

impl Categorised for LockError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn advice(&self) -> Option<String> {
        Some(self.hint().to_owned())
    }
}

/// Reads an `inventory.json`; `None` when there is none.
///
/// # Errors
/// It is not readable.
pub(crate) fn read_lock(path: &Path) -> Result<Option<Inventory>, Failure> {
    match fs_err::read(path) {
        Ok(bytes) => {
            let named = |e: LockError| {
                let failure = Failure::from(e);
                Failure {
                    message: format!("{}: {}", path.display(), failure.message),
                    ..failure
                }
            };
            Ok(Some(Inventory::parse(&bytes).map_err(named)?))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}
