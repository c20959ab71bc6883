//! A truck of machines: `sites.yaml` or `sites.csv`.
//!
//! ```text
//! sites.csv                                  sites.yaml
//! hostname,interface,ip,gateway,nameserver   defaults:            # optional: what the sites share
//! bip-1,enp0s25,10.1.0.5/24,10.1.0.1,…         gateway: 10.1.0.1
//! bip-2,enp0s25,10.1.0.6/24,10.1.0.1,…         nameserver: [10.1.0.2, 10.1.0.3]
//!                                            sites:               # or this list alone, at the top
//!                                            - hostname: bip-1
//!                                              ip: 10.1.0.5/24
//! ```
//!
//! Keys and columns are the words of [`Field`]; case does not matter, `_` is as good as `-`, and lists may be named in the plural
//! (`nameservers`). What a site leaves open comes from `defaults`, then from the flags. In CSV (RFC 4180: quotes, line breaks
//! in quotes) an empty cell leaves a field open, several values in one cell are separated by blanks or `;`, and lines whose first
//! cell begins with `#` are notes. In YAML an empty list asks for nothing, whatever the flags say.
//!
//! Of a `factory.yaml` the list under `iso.sites` is read.
//!
//! Reading is strict: every finding has its line and column, and all are told at once. Host names, addresses and cards that two
//! sites share are refused. This module reads no files.

mod csv;
mod yaml;

use std::collections::BTreeMap;

use super::{Error, Field, Request, Site};
use crate::config::Finding;
use crate::config::model::At;

/// Sites that can be worked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// In file order; host names are unique.
    pub sites: Vec<Site>,
    /// What the author should know, in file order.
    pub warnings: Vec<Finding>,
}

/// One site as written.
#[derive(Debug, Default)]
struct Row {
    at: At,
    request: Request,
    /// Where each field stands.
    places: BTreeMap<Field, At>,
}

impl Row {
    fn place(&self, field: Field) -> At {
        self.places.get(&field).copied().unwrap_or(self.at)
    }

    fn set(&mut self, field: Field, at: At, values: Vec<String>) {
        self.places.insert(field, at);
        self.request.set(field, values);
    }
}

/// Reads a list; `file` is the name to print, and its ending chooses the form: `.csv`, or YAML (JSON is YAML too). `base` is
/// what the flags say about every site.
///
/// # Errors
/// Every finding that makes the list unusable, in file order; never empty.
pub fn parse(file: &str, text: &str, base: &Request) -> Result<Listed, Vec<Finding>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let csv = file
        .rsplit_once('.')
        .is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("csv"));
    let mut findings = Vec::new();
    let rows = if csv {
        csv::rows(file, text, &mut findings)
    } else {
        yaml::rows(file, text, &mut findings)
    };
    if rows.is_empty() && findings.is_empty() {
        findings.push(
            Finding::new(file, At::default(), "the list names no sites")
                .with_hint("a site is a row with at least a hostname"),
        );
    }
    let mut sites = Vec::new();
    let mut warnings = Vec::new();
    let mut seen = Seen::default();
    for row in &rows {
        match row.request.over(base).resolve() {
            Ok(resolved) => {
                let notes = resolved.warnings.into_iter();
                warnings
                    .extend(notes.map(|(field, text)| Finding::new(file, row.place(field), text)));
                seen.check(file, row, &resolved.site, &mut findings);
                sites.push(resolved.site);
            }
            Err(errors) => findings.extend(errors.iter().map(|e| finding(file, row, e))),
        }
    }
    if findings.is_empty() {
        return Ok(Listed { sites, warnings });
    }
    findings.sort_by_key(|finding| finding.at);
    Err(findings)
}

fn finding(file: &str, row: &Row, error: &Error) -> Finding {
    let finding = Finding::new(file, row.place(error.field()), error.to_string());
    match error.hint() {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

/// What must be different from site to site, and the line that has it.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, u32>);

impl Seen {
    fn check(&mut self, file: &str, row: &Row, site: &Site, findings: &mut Vec<Finding>) {
        let Some(hostname) = &site.hostname else {
            findings.push(
                Finding::new(file, row.at, "the site has no hostname")
                    .with_hint("the hostname also names the output file"),
            );
            return;
        };
        // DNS and file systems of the factory's desks do not tell upper from lower case.
        let name = hostname.as_str().to_ascii_lowercase();
        findings.extend(self.unique(file, row, Field::Hostname, &format!("hostname {name}")));
        let Some(network) = &site.network else {
            return;
        };
        for address in network.addresses() {
            let ip = format!("ip {}", address.ip());
            findings.extend(self.unique(file, row, Field::Ip, &ip));
        }
        if let super::Link::Mac { mac, .. } = network.link() {
            let mac = format!("MAC address {mac}");
            findings.extend(self.unique(file, row, Field::Interface, &mac));
        }
    }

    fn unique(&mut self, file: &str, row: &Row, field: Field, what: &str) -> Option<Finding> {
        let at = row.place(field);
        let Some(line) = self.0.get(what) else {
            self.0.insert(what.to_owned(), row.at.line);
            return None;
        };
        let message = format!("the {what} is that of the site in line {line} too");
        Some(Finding::new(file, at, message))
    }
}

/// The field that a key or column names.
fn field(name: &str) -> Option<Field> {
    let plain = name.trim().to_ascii_lowercase().replace('_', "-");
    Field::ALL.into_iter().find(|field| {
        let word = field.name();
        plain == word || (field.is_list() && plain.strip_suffix('s') == Some(word))
    })
}

/// The finding for a key or column that there is not. `mac` is told about: it is the usual mistake.
fn unknown(file: &str, at: At, what: &str, name: &str) -> Finding {
    let names = Field::ALL.map(Field::name);
    let plain = name.to_ascii_lowercase().replace('_', "-");
    let hint = match crate::config::nearest(&plain, &names) {
        _ if plain == "mac" => "write it as the interface: mac=28:d2:44:d3:ef:1c".to_owned(),
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the fields are {}", names.join(", ")),
    };
    Finding::new(file, at, format!("unknown {what} `{name}`")).with_hint(hint)
}

/// Several values in one text.
fn split(text: &str) -> Vec<String> {
    text.split(|c: char| c == ';' || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}
