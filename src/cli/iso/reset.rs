//! `iso reset`.

use clap::Args;

use super::sink::Target;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::iso::Changes;

/// Flags of `reset`.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    target: Target,
}

impl Reset {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        self.target.change(context, |iso| {
            if iso
                .kargs
                .as_ref()
                .is_some_and(|kargs| kargs.default.is_none())
            {
                context.warn("the ISO does not record its default kernel arguments: they stay");
            }
            Ok(Changes::reset())
        })
    }
}
