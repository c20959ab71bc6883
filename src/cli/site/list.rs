//! The sites of a list, whatever form it has.

use std::path::Path;

use crate::cli::build::factory_sites;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::imageset::check::{findings_failure, read, told};
use crate::site::list::{self, Listed};
use crate::site::{Hostname, Request, Site};

/// The sites of a CSV or YAML list, or of a `factory.yaml` with what its sites share; `request` is what the flags say about each.
/// With `hostname` only that one.
///
/// # Errors
/// Not readable, wrong, or no site has that name.
pub(in crate::cli) fn chosen(
    context: &Context,
    path: &Path,
    request: &Request,
    hostname: Option<&str>,
) -> Result<Vec<Site>, Failure> {
    let text = read(path)?;
    let Listed {
        mut sites,
        warnings,
    } = match factory_sites(path, &text, request)? {
        Some(listed) => listed,
        None => list::parse(&path.display().to_string(), &text, request)
            .map_err(|found| findings_failure(&found))?,
    };
    for warning in told(&warnings) {
        context.warn(&warning);
    }
    let Some(wanted) = hostname else {
        return Ok(sites);
    };
    let names: Vec<String> = sites.iter().map(name_of).collect();
    sites.retain(|site| name_of(site).eq_ignore_ascii_case(wanted));
    if sites.is_empty() {
        let message = format!("{}: no site is called `{wanted}`", path.display());
        let hint = format!("the sites are {}", names.join(", "));
        return Err(Failure::new(Exit::Usage, message).hint(hint));
    }
    Ok(sites)
}

/// The name of a site for messages.
pub(in crate::cli) fn name_of(site: &Site) -> String {
    let name = site.hostname.as_ref().map(Hostname::as_str);
    name.unwrap_or("the site").to_owned()
}
