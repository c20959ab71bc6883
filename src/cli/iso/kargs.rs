//! `iso kargs show|modify|reset`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Input;
use super::sink::Target;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::iso::kargs::Edit;
use crate::iso::{Changes, KargsChange};
use crate::site;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Kargs {
    /// Print the kernel arguments.
    Show(Show),
    /// Delete, then append, then replace kernel arguments.
    Modify(Modify),
    /// Put the default kernel arguments back.
    Reset(Target),
}

impl Kargs {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Show(args) => args.run(context),
            Self::Modify(args) => args.run(context),
            Self::Reset(target) => target.change(context, |iso| {
                iso.kargs()?.default()?;
                Ok(Changes {
                    kargs: KargsChange::Reset,
                    ..Changes::default()
                })
            }),
        }
    }
}

/// Flags of `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The default ones instead.
    #[arg(short, long)]
    default: bool,
    #[command(flatten)]
    input: Input,
}

impl Show {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let (_, iso) = self.input.open(context)?;
        let kargs = iso.kargs()?;
        let shown = if self.default {
            kargs.default()?
        } else {
            kargs.current()?
        };
        let document = json!({
            "kargs": shown,
            "default": kargs.default,
            "capacity": kargs.capacity(),
            "areas": kargs.areas,
            "origin": kargs.origin,
        });
        context.result(&document, || shown.to_owned())
    }
}

/// Flags of `modify`.
#[derive(Debug, Args)]
pub(crate) struct Modify {
    /// Append; repeatable, and one value may hold several arguments.
    #[arg(short, long, value_name = "KARG", allow_hyphen_values = true)]
    append: Vec<String>,
    /// Delete every occurrence; repeatable.
    #[arg(short, long, value_name = "KARG", allow_hyphen_values = true)]
    delete: Vec<String>,
    /// Replace a value; repeatable.
    #[arg(short, long, value_name = "KEY=OLD=NEW")]
    replace: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Modify {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let edit = Edit::new(&self.append, &self.delete, &self.replace)?;
        let words: Vec<String> = self
            .append
            .iter()
            .flat_map(|a| a.split_whitespace())
            .map(str::to_owned)
            .collect();
        for note in site::lint(&words) {
            context.warn(&note);
        }
        self.target.change(context, |iso| {
            if edit.is_empty() {
                // Differing areas are an error here too.
                iso.kargs()?.current()?;
                return Ok(Changes::default());
            }
            Ok(Changes {
                kargs: KargsChange::Edit(edit),
                ..Changes::default()
            })
        })
    }
}
