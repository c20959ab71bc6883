//! `imageset bundles|operators`: what a catalog has, and what an image set takes of it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::check;
use super::resolve::cache_directory;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::{Exit, Failure, chain};
use crate::cli::global::RegistryFlags;
use crate::config::model::OperatorSet;
use crate::inventory::catalog::filter::{FilterError, Selection, Semantics, select};
use crate::inventory::catalog::listing::{channels, packages, versions};
use crate::inventory::catalog::model::Catalog;
use crate::inventory::{Services, read_catalog};
use crate::ui::{format, table};

/// `--semantics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rules {
    /// As oc-mirror v1.
    V1,
    /// As oc-mirror v2.
    V2,
}

/// Flags of `bundles`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  snoforge imageset bundles -c imageset.yaml --output json")]
pub(crate) struct Bundles {
    /// The image set.
    #[arg(short, long, value_name = "FILE", default_value = "imageset.yaml")]
    config: PathBuf,
    /// Rules of the operator filter; default: those of the file's apiVersion.
    #[arg(long, value_enum)]
    semantics: Option<Rules>,
    #[command(flatten)]
    registries: RegistryFlags,
}

impl Bundles {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let (parsed, _) = check::load(context, &self.config)?;
        let semantics = match self.semantics {
            Some(Rules::V1) => Semantics::V1,
            Some(Rules::V2) => Semantics::V2,
            None => Semantics::from(parsed.imageset.api),
        };
        let mut rows = Vec::new();
        for operator in &parsed.imageset.operators {
            let catalog = catalog(context, &self.registries, &operator.catalog.value)?;
            let selection =
                select(&catalog, operator, semantics).map_err(|e| self.refused(operator, &e))?;
            rows.push((operator.catalog.value.clone(), selection));
        }
        let document = json!({"catalogs": rows.iter().map(document).collect::<Vec<_>>()});
        context.result(&document, || {
            rows.iter().map(text).collect::<Vec<_>>().join("\n\n")
        })
    }

    /// The filter's error with its place in the file.
    fn refused(&self, operator: &OperatorSet, error: &FilterError) -> Failure {
        let at = error
            .place()
            .filter(|at| at.line > 0)
            .unwrap_or(operator.catalog.at);
        let file = self.config.display();
        let message = format!("{file}:{}:{}: {}", at.line, at.column, chain(error));
        Failure {
            exit: Exit::Usage,
            message,
            hint: error.hint().map(str::to_owned),
        }
    }
}

fn document((catalog, selection): &(String, Selection)) -> Value {
    let package = |p: &crate::inventory::catalog::filter::SelectedPackage| json!({"name": p.name, "defaultChannel": p.default_channel});
    let channel = |c: &crate::inventory::catalog::filter::SelectedChannel| json!({"package": c.package, "name": c.name, "entries": c.entries});
    json!({
        "catalog": catalog,
        "packages": selection.packages.iter().map(package).collect::<Vec<_>>(),
        "channels": selection.channels.iter().map(channel).collect::<Vec<_>>(),
        "bundles": selection.bundles.iter().map(|b| format!("{}/{}", b.package, b.name)).collect::<Vec<_>>(),
        "images": selection.images.keys().collect::<Vec<_>>(),
        "warnings": warnings(selection),
    })
}

/// The filter's warnings, with what it left empty or made invalid.
fn warnings(selection: &Selection) -> Vec<String> {
    let mut all = selection.warnings.clone();
    all.extend(
        selection
            .missing_packages
            .iter()
            .map(|p| format!("nothing of package {} is left", p.value)),
    );
    all.extend(
        selection
            .validation_error
            .iter()
            .map(|e| format!("the filtered catalog is invalid: {e}")),
    );
    all
}

fn text((catalog, selection): &(String, Selection)) -> String {
    let rows = selection.bundles.iter().map(|bundle| {
        let within = selection
            .channels
            .iter()
            .filter(|c| c.package == bundle.package && c.entries.contains(&bundle.name));
        vec![
            bundle.package.clone(),
            bundle.name.clone(),
            within.map(|c| c.name.clone()).collect::<Vec<_>>().join(" "),
        ]
    });
    let table = table::render(&["PACKAGE", "BUNDLE", "CHANNELS"], rows.collect(), &[]);
    let count = |n: usize, noun| format::count(n as u64, noun);
    let total = format!(
        "{}, {}",
        count(selection.bundles.len(), "bundle"),
        count(selection.images.len(), "image")
    );
    let mut lines = vec![catalog.clone(), table, total];
    lines.extend(warnings(selection).iter().map(|w| format!("warning: {w}")));
    lines.join("\n")
}

fn catalog(context: &Context, registries: &RegistryFlags, name: &str) -> Result<Catalog, Failure> {
    let client = registries.client()?;
    let documents = registries.web()?;
    let services = Services {
        source: &client,
        documents: &documents,
        reporter: context.reporter.as_ref(),
    };
    let cache = cache_directory();
    let read = async { Ok(read_catalog(services, name, cache.as_deref()).await?) };
    block_on(read).map(|(_, catalog)| catalog)
}

/// Flags of `operators`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  snoforge imageset operators --catalog registry.redhat.io/redhat/redhat-operator-index:v4.13\n  snoforge imageset operators --catalog ./configs --package nfd --channel stable"
)]
pub(crate) struct Operators {
    /// The catalog: a pull spec, or a local directory as ./dir or <file:///dir>.
    #[arg(long, value_name = "REF")]
    catalog: String,
    /// List the channels of this package.
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// List the versions of this channel.
    #[arg(long, value_name = "NAME", requires = "package")]
    channel: Option<String>,
    #[command(flatten)]
    registries: RegistryFlags,
}

impl Operators {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let catalog = catalog(context, &self.registries, &self.catalog)?;
        let (header, rows) = self.rows(&catalog);
        if rows.is_empty() {
            let what = self
                .channel
                .as_ref()
                .or(self.package.as_ref())
                .map_or("packages", String::as_str);
            return Err(
                Failure::new(Exit::Usage, format!("{}: there is no {what}", self.catalog))
                    .hint("leave out --channel or --package to see what there is"),
            );
        }
        let object = |row: &Vec<String>| {
            Value::Object(
                header
                    .iter()
                    .map(|h| camel(h))
                    .zip(row.iter().map(|v| json!(v)))
                    .collect(),
            )
        };
        let document =
            json!({"catalog": self.catalog, "rows": rows.iter().map(object).collect::<Vec<_>>()});
        context.result(&document, || table::render(&header, rows.clone(), &[]))
    }

    fn rows(&self, catalog: &Catalog) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        match (&self.package, &self.channel) {
            (None, _) => {
                let row = |p: crate::inventory::catalog::listing::PackageRow| {
                    vec![
                        p.name,
                        p.default_channel,
                        or_dash(p.head),
                        or_dash(p.version),
                    ]
                };
                (
                    vec!["NAME", "DEFAULT CHANNEL", "HEAD", "VERSION"],
                    packages(catalog).into_iter().map(row).collect(),
                )
            }
            (Some(package), None) => {
                let row = |c: crate::inventory::catalog::listing::ChannelRow| {
                    let mark = if c.is_default { "default" } else { "" };
                    vec![
                        c.package,
                        c.channel,
                        or_dash(c.head),
                        or_dash(c.version),
                        mark.to_owned(),
                    ]
                };
                (
                    vec!["PACKAGE", "CHANNEL", "HEAD", "VERSION", "DEFAULT"],
                    channels(catalog, package).into_iter().map(row).collect(),
                )
            }
            (Some(package), channel) => {
                let row = |v: crate::inventory::catalog::listing::VersionRow| {
                    vec![v.channel, v.bundle, v.version]
                };
                (
                    vec!["CHANNEL", "BUNDLE", "VERSION"],
                    versions(catalog, package, channel.as_deref())
                        .into_iter()
                        .map(row)
                        .collect(),
                )
            }
        }
    }
}

/// `DEFAULT CHANNEL` → `defaultChannel`.
fn camel(header: &str) -> String {
    let mut words = header.split(' ').map(str::to_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |text, word| {
        text + &word.get(..1).unwrap_or_default().to_uppercase() + word.get(1..).unwrap_or_default()
    })
}
