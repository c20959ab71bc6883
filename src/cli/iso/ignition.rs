//! `iso ignition embed|show|remove`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Input;
use super::sink::Target;
use crate::cli::context::{Context, raw};
use crate::cli::exit::{Exit, Failure};
use crate::cli::ignition::load;
use crate::ignition::fit::Step;
use crate::iso::initrd::CONFIG;
use crate::iso::{Change, Changes, IsoError, Plan};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Ignition {
    /// Embed an Ignition config; one that does not fit is made smaller, else the area larger.
    Embed(Embed),
    /// Print the embedded Ignition config.
    Show(Show),
    /// Remove the embedded Ignition config.
    Remove(Target),
}

impl Ignition {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Embed(args) => args.run(context),
            Self::Show(Show { input }) => raw(input.open(context)?.1.ignition()?),
            Self::Remove(target) => target.change(context, |_| {
                Ok(Changes {
                    ignition: Change::Remove,
                    ..Changes::default()
                })
            }),
        }
    }
}

/// Flags of `embed`.
#[derive(Debug, Args)]
pub(crate) struct Embed {
    /// The config; stdin when absent.
    #[arg(short, long, value_name = "FILE")]
    ignition_file: Option<PathBuf>,
    /// Fail when the config does not fit as it is.
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    target: Target,
}

/// Flags of `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    input: Input,
}

impl Embed {
    fn run(self, context: &Context) -> Result<(), Failure> {
        self.target.preflight()?;
        let path = self.ignition_file.as_deref().unwrap_or(Path::new("-"));
        let (bytes, config) = load(path)?;
        if config.version().major() < 3 {
            let message = format!(
                "{}: Ignition spec {} is too old: CoreOS live ISOs take 3.0 and newer",
                path.display(),
                config.version()
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        self.target.carry_out(context, |medium, iso| {
            // An unreadable area holds nothing that could be kept.
            let clear = self.target.force && iso.initrd().is_err();
            if !self.target.force && iso.initrd()?.get(CONFIG).is_some() {
                return Err(IsoError::HasIgnition.into());
            }
            let changes = Changes {
                clear,
                may_grow: !self.exact,
                ..Changes::default()
            };
            if self.exact {
                let changes = Changes {
                    ignition: Change::Set(bytes),
                    ..changes
                };
                return Ok(Plan::new(medium, iso, &changes)?);
            }
            let (plan, steps) = Plan::fitted(medium, iso, (&config, &bytes), &changes)?;
            say_steps(context, &steps);
            Ok(plan)
        })
    }
}

/// One line for each step.
pub(super) fn say_steps(context: &Context, steps: &[Step]) {
    for step in steps {
        context.say(&format!("the config does not fit: {step}"));
    }
}
