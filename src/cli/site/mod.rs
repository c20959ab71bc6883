//! `snoforge site`: what a site needs besides its disk and its boot medium.

mod dns;
mod list;

use clap::Subcommand;

use super::context::Context;
use super::exit::Failure;
pub(super) use list::{chosen, name_of};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Site {
    /// Print the DNS records that sites need: bind, dnsmasq or hosts lines.
    Dns(dns::Dns),
}

impl Site {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the verb says.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Dns(args) => args.run(context),
        }
    }
}
