//! What image is wanted: flags or one osimage.yaml.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{config_failure, lint};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::findings::findings_text;
use crate::objects::{Severity, has_errors};
use crate::osimage::resources::OsImage;
use crate::osimage::settings::Settings;
use crate::osimage::{Era, Error, containerfile};

/// The flags.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The values, in one file.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The pool that boots the image: `master` on Single Node OpenShift.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Where the image is pushed: registry/namespace/name:tag; the registry has a dot.
    #[arg(long, value_name = "REF")]
    push_spec: Option<String>,
    /// Push into this ImageStream of the integrated registry instead.
    #[arg(long, value_name = "NAME", conflicts_with = "push_spec")]
    image_stream: Option<String>,
    /// Secret to push with, in the operator's namespace.
    #[arg(long, value_name = "NAME")]
    push_secret: Option<String>,
    /// Secret to pull the base image with [default: the cluster's pull secret].
    #[arg(long, value_name = "NAME")]
    base_secret: Option<String>,
    /// What to add to the image.
    #[arg(long, value_name = "FILE")]
    containerfile: Option<String>,
    /// v1, or 4.14 for the ConfigMaps of that release [default: v1].
    #[arg(long, value_name = "VERSION")]
    api: Option<String>,
    /// The cluster has more than one node, and so other pools.
    #[arg(long)]
    multi_node: bool,
}

/// The values, and where the paths among them begin.
pub(super) struct Values {
    pub(super) settings: Settings,
    directory: Option<PathBuf>,
}

impl Wanted {
    /// Reads the file, and lets the flags beat it.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub(super) fn values(self) -> Result<Values, Failure> {
        let mut settings = match &self.file {
            None => Settings::default(),
            Some(path) => {
                let text = fs_err::read_to_string(path).map_err(|e| unreadable(path, &e))?;
                Settings::parse(&path.display().to_string(), &text).map_err(|findings| {
                    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
                    Failure {
                        exit: Exit::Usage,
                        message: lines.join("\nerror: "),
                        hint: findings.iter().find_map(|f| f.hint.clone()),
                    }
                })?
            }
        };
        settings.set("pool", self.pool);
        settings.set("push-spec", self.push_spec);
        settings.set("image-stream", self.image_stream);
        settings.set("push-secret", self.push_secret);
        settings.set("base-secret", self.base_secret);
        settings.set("containerfile", self.containerfile);
        settings.set("api", self.api);
        settings.set("multi-node", self.multi_node.then(|| "true".to_owned()));
        let directory = self.file.as_deref().and_then(Path::parent);
        Ok(Values {
            directory: directory.map(Path::to_owned),
            settings,
        })
    }
}

impl Values {
    /// A path; one from the file is relative to the file.
    pub(super) fn path(&self, field: &str) -> Option<PathBuf> {
        let (text, from_file) = self.settings.text(field)?;
        let directory = self.directory.as_ref().filter(|_| from_file);
        Some(directory.map_or_else(|| PathBuf::from(text), |d| d.join(text)))
    }

    /// An error at its place.
    pub(super) fn at(&self, error: &Error) -> Failure {
        config_failure(&self.settings.located(error))
    }

    /// The image that is wanted.
    ///
    /// # Errors
    /// A value is missing or wrong, or the Containerfile does not work.
    pub(super) fn image(&self, context: &Context) -> Result<OsImage, Failure> {
        let era = self.settings.era().map_err(|e| self.at(&e))?;
        let file = self.path("containerfile");
        let file = file.map(|path| checked(context, &path, era)).transpose()?;
        self.settings.os_image(file).map_err(|e| self.at(&e))
    }
}

/// The Containerfile, when no rule forbids it; the others are said.
fn checked(context: &Context, path: &Path, era: Era) -> Result<String, Failure> {
    let text = lint::read(path)?;
    let findings = containerfile::lint::lint(&path.display().to_string(), &text, era);
    if has_errors(&findings) {
        let mut errors = findings;
        errors.retain(|f| f.severity == Severity::Error);
        let message = format!(
            "the Containerfile does not work\n{}",
            findings_text(&errors)
        );
        return Err(Failure::new(Exit::Usage, message)
            .hint("`snoforge osimage lint` tells the warnings too"));
    }
    if !findings.is_empty() {
        context.say(&findings_text(&findings));
    }
    Ok(text)
}
