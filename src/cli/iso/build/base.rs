//! The Ignition configs that the machines of a run start from, read once each.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Run;
use crate::cli::context::{self, Context};
use crate::cli::exit::{Exit, Failure};
use crate::cli::ignition::{failure, load};
use crate::ignition::Config;
use crate::ignition::certs;
use crate::ignition::lint::{self, Severity};
use crate::ignition::patch::{self, Note, Options};
use crate::iso::too_new;
use crate::site::Site;

/// A config and what it is worth.
pub(super) struct Base {
    path: PathBuf,
    /// As read; embedded like this when nothing is patched.
    bytes: Vec<u8>,
    config: Config,
    /// How it is patched; none when it is not.
    options: Option<Options>,
    /// The moment after which the installation fails, and what expires then.
    pub use_before: Option<(Timestamp, String)>,
}

impl Base {
    /// Reads a config and refuses one that cannot work.
    pub(super) fn load(context: &Context, run: &Run, path: &Path) -> Result<Self, Failure> {
        let (bytes, config) = load(path)?;
        let name = path.display();
        if config.version().major() < 3 {
            let message = format!(
                "{name}: Ignition spec {} is too old: CoreOS live ISOs take 3.0 and newer",
                config.version()
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        if let Some(warning) = too_new(&run.iso.volume.id, config.version()) {
            context.warn(&format!("{name}: {warning}"));
        }
        let use_before = use_before(path, &config, context::today())?;
        let options = run
            .patch
            .as_ref()
            .map(|flags| flags.options(&config))
            .transpose()?;
        let base = Self {
            path: path.to_owned(),
            bytes,
            config,
            options,
            use_before,
        };
        base.notes(context)?;
        Ok(base)
    }

    /// What patching finds is the same for every machine: it is said once.
    fn notes(&self, context: &Context) -> Result<(), Failure> {
        let Some(options) = &self.options else {
            return Ok(());
        };
        for note in patch::plan(&self.config, options)?.notes {
            match note {
                Note::Found(text) => context.say(&text),
                Note::Wrong(text) => context.warn(&text),
            }
        }
        Ok(())
    }

    /// The config of one machine, as bytes to embed.
    pub(super) fn of(&self, site: &Site) -> Result<(Vec<u8>, Config), Failure> {
        let Some(options) = &self.options else {
            return self.checked(self.config.clone(), self.bytes.clone());
        };
        let options = own(options, site);
        let mut config = self.config.clone();
        let plan = patch::plan(&config, &options)?;
        patch::apply(&mut config, &plan.edits).map_err(|e| failure(&self.path, &e))?;
        let bytes = config.render();
        self.checked(config, bytes)
    }

    fn checked(&self, config: Config, bytes: Vec<u8>) -> Result<(Vec<u8>, Config), Failure> {
        let findings = lint::lint(&config, None);
        let errors: Vec<String> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| {
                format!(
                    "{}: {}: {}",
                    self.path.display(),
                    finding.pointer,
                    finding.message
                )
            })
            .collect();
        if errors.is_empty() {
            return Ok((bytes, config));
        }
        Err(Failure::new(Exit::Usage, errors.join("\nerror: ")))
    }
}

/// The options of the run with what the machine says.
fn own(options: &Options, site: &Site) -> Options {
    let label = site.label.clone().unwrap_or_else(|| options.label.clone());
    let keeps_own = options.save_partlabel.as_ref() == Some(&options.label);
    Options {
        hostname: site.hostname.as_ref().map(ToString::to_string),
        ntp: site.ntp.clone(),
        installation_disk: site.installation_disk.clone(),
        save_partlabel: if keeps_own {
            Some(label.clone())
        } else {
            options.save_partlabel.clone()
        },
        label,
        ..options.clone()
    }
}

/// When the config must be used; one that is too old is refused.
fn use_before(
    path: &Path,
    config: &Config,
    now: Timestamp,
) -> Result<Option<(Timestamp, String)>, Failure> {
    let survey = certs::survey(config);
    let Some(first) = survey.use_before() else {
        return Ok(None);
    };
    if survey.expired(now) {
        let message = format!(
            "{}: the certificate `{}` expired at {}: the installation would fail",
            path.display(),
            first.subject,
            first.not_after
        );
        return Err(Failure::new(Exit::Usage, message).hint(
            "make the config again, or `snoforge ignition certs FILE --extend 365d -o NEW`",
        ));
    }
    Ok(Some((first.not_after, first.subject.clone())))
}
