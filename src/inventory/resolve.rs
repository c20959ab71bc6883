//! The whole job: image set → releases, catalogs, additional images → pins → lines → contents → lock.
//!
//! One part that cannot be resolved never hides the others: failures are collected and returned together, with the inventory of
//! all that could be. Order of work and of answers do not depend on the network's timing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};

use crate::config::filter::Patterns;
use crate::config::model::{ImageSet, Located};
use crate::oci::{Digest, Reference};
use crate::progress::Event;

use super::candidates::{self, Candidate, Destination, Line, Lines, Rules};
use super::catalog::filter::Semantics;
use super::contents::{self, Contents, Wanted};
use super::lock::{FORMAT, Image, Inventory, Origin};
use super::session::{Services, Session};
use super::{Inputs, InventoryError, Options, Resolved, mapping, operators, releases};

/// Works out an inventory.
///
/// # Errors
/// [`InventoryError::Incomplete`] with every failure and what could be resolved.
pub async fn resolve(inputs: &Inputs, services: Services<'_>) -> Result<Resolved, InventoryError> {
    let session = Session::new(services);
    let set = &inputs.image_set;
    let semantics = inputs.semantics.unwrap_or_else(|| Semantics::from(set.api));
    let mut found = Findings::default();
    found.warnings.extend(unsupported(set));
    session.report(Event::Phase {
        name: "read releases and catalogs",
        items: None,
        bytes: None,
    });
    let cache = inputs.cache_directory.as_deref();
    let (releases, operators) = futures_util::join!(
        releases::gather(&session, inputs),
        operators::gather(&session, &set.operators, semantics, cache),
    );
    session.report(Event::PhaseDone);
    found.add(releases.failures, releases.warnings);
    found.add(operators.failures, operators.warnings);
    let mut candidates = releases.candidates;
    candidates.extend(operators.candidates);
    candidates.extend(found.keep(additional(inputs)));

    let lines = pin_and_join(
        &session,
        &inputs.options,
        &set.blocked_images,
        candidates,
        &mut found,
    )
    .await;
    let architectures = architectures(&inputs.options, &set.platform.architectures);
    let wanted = wanted(&inputs.options, architectures);
    let (images, blobs) = fill(
        &session,
        inputs.options.concurrency,
        lines.kept,
        &wanted,
        &mut found,
    )
    .await;
    let inventory = Inventory {
        format: FORMAT,
        request: inputs.request(),
        releases: releases.found,
        catalogs: operators.catalogs,
        images,
        ignored: lines.ignored,
        blobs,
    };
    found.finish(inventory)
}

/// Failures and warnings so far.
#[derive(Debug, Default)]
struct Findings {
    failures: Vec<InventoryError>,
    warnings: Vec<String>,
}

impl Findings {
    fn add(&mut self, failures: Vec<InventoryError>, warnings: Vec<String>) {
        self.failures.extend(failures);
        self.warnings.extend(warnings);
    }

    /// Keeps the failures, returns the rest.
    fn keep<T>(&mut self, results: Vec<Result<T, InventoryError>>) -> Vec<T> {
        let mut good = Vec::new();
        for result in results {
            match result {
                Ok(value) => good.push(value),
                Err(error) => self.failures.push(error),
            }
        }
        good
    }

    fn finish(self, inventory: Inventory) -> Result<Resolved, InventoryError> {
        let resolved = Resolved {
            inventory,
            warnings: self.warnings,
        };
        if self.failures.is_empty() {
            return Ok(resolved);
        }
        Err(InventoryError::Incomplete {
            failures: self.failures,
            partial: Box::new(resolved),
        })
    }
}

fn unsupported(set: &ImageSet) -> Vec<String> {
    let mut warnings = Vec::new();
    if set.platform.graph {
        warnings.push(
            "platform.graph: the graph-data image is built by oc-mirror, a single node does not need it; left out".to_owned(),
        );
    }
    for chart in &set.helm_charts {
        let chart = &chart.value;
        warnings.push(format!(
            "helm chart {chart}: images of charts are not computed; name them in additionalImages"
        ));
    }
    warnings
}

fn additional(inputs: &Inputs) -> Vec<Result<Candidate, InventoryError>> {
    let written = inputs.image_set.additional_images.iter().map(|image| {
        let text = &image.name.value;
        let bare = text.strip_prefix("docker://").unwrap_or(text);
        let reference: Reference = bare.parse().map_err(|error| InventoryError::Reference {
            place: format!("additionalImages, line {}", image.name.at.line),
            error,
        })?;
        let destination = match (&image.target_repo, &image.target_tag) {
            (None, None) => Destination::Additional,
            (repository, tag) => Destination::Fixed(format!(
                "{}:{}",
                repository.as_deref().unwrap_or(reference.repository()),
                tag.as_deref().or(reference.tag()).unwrap_or("latest")
            )),
        };
        Ok(Candidate {
            text: text.clone(),
            reference,
            destination,
            origin: Origin::Additional,
        })
    });
    let flags = inputs.extra_images.iter().chain(&inputs.options.ai_images);
    let flags = flags.map(|reference| {
        Ok(Candidate {
            text: reference.to_string(),
            reference: reference.clone(),
            destination: Destination::Additional,
            origin: Origin::Additional,
        })
    });
    written.chain(flags).collect()
}

/// Tags become digests, candidates become lines.
async fn pin_and_join(
    session: &Session<'_>,
    options: &Options,
    blocked: &[Located<String>],
    candidates: Vec<Candidate>,
    found: &mut Findings,
) -> Lines {
    let blocked = Patterns::compile(blocked).unwrap_or_else(|wrong| {
        found.failures.extend(
            wrong
                .into_iter()
                .map(|(at, reason)| InventoryError::Request {
                    detail: format!("blockedImages: {reason}"),
                    at: Some(at),
                    hint: None,
                }),
        );
        Patterns::default()
    });
    // A blocked image is not asked for: it may well be gone, which is why people block it.
    let asked: BTreeSet<&Reference> = candidates
        .iter()
        .filter(|c| !blocked.is_match(&c.text))
        .map(|c| &c.reference)
        .chain(&options.ai_images)
        .collect();
    let pins = stream::iter(asked.into_iter().map(|image| async move {
        let pinned = session.pin(image).await?;
        Ok((image.clone(), pinned))
    }));
    let pins: Vec<Result<_, InventoryError>> =
        pins.buffered(options.concurrency.max(1)).collect().await;
    let pins: BTreeMap<Reference, Reference> = found.keep(pins).into_iter().collect();
    let rules = Rules {
        blocked: &blocked,
        filter: &options.filter,
        ai_images: &options.ai_images,
    };
    let mut lines = candidates::join(candidates, &pins, &rules);
    found.add(
        std::mem::take(&mut lines.failures),
        std::mem::take(&mut lines.warnings),
    );
    lines
}

/// `multi` names a kind of payload, not an architecture of images.
fn wanted(options: &Options, architectures: Vec<String>) -> Wanted {
    let named: Vec<String> = architectures.into_iter().filter(|a| a != "multi").collect();
    if options.all_architectures || named.is_empty() {
        Wanted::All
    } else {
        Wanted::Architectures(named)
    }
}

/// Works out the inventory of an existing mapping file, whose bytes have `digest`.
///
/// # Errors
/// As [`resolve`].
pub async fn from_mapping(
    lines: &[mapping::Line],
    digest: &Digest,
    options: &Options,
    services: Services<'_>,
) -> Result<Resolved, InventoryError> {
    let session = Session::new(services);
    let mut found = Findings::default();
    let candidates = lines.iter().map(|line| Candidate {
        text: line.source.to_string(),
        reference: line.source.clone(),
        destination: Destination::Fixed(line.destination.clone()),
        origin: Origin::Mapping,
    });
    let lines = pin_and_join(&session, options, &[], candidates.collect(), &mut found).await;
    let wanted = wanted(options, architectures(options, &[]));
    let (images, blobs) = fill(
        &session,
        options.concurrency,
        lines.kept,
        &wanted,
        &mut found,
    )
    .await;
    let inventory = Inventory {
        format: FORMAT,
        request: options.request(digest),
        releases: Vec::new(),
        catalogs: Vec::new(),
        images,
        ignored: lines.ignored,
        blobs,
    };
    found.finish(inventory)
}

/// The asked architectures: the flags', else the image set's, else `amd64`; each once.
pub(super) fn architectures(options: &Options, image_set: &[String]) -> Vec<String> {
    let asked = if options.architectures.is_empty() {
        image_set
    } else {
        &options.architectures
    };
    let mut unique: Vec<String> = Vec::new();
    for architecture in asked {
        if !unique.contains(architecture) {
            unique.push(architecture.clone());
        }
    }
    if unique.is_empty() {
        unique.push("amd64".to_owned());
    }
    unique
}

/// Resolves every line's manifests; lines that fail are left out.
async fn fill(
    session: &Session<'_>,
    concurrency: usize,
    lines: Vec<Line>,
    wanted: &Wanted,
    found: &mut Findings,
) -> (Vec<Image>, BTreeMap<Digest, u64>) {
    session.report(Event::Phase {
        name: "resolve",
        items: Some(lines.len() as u64),
        bytes: None,
    });
    let reads = lines.into_iter().map(|line| async move {
        let result = read_reported(session, &line.source, wanted).await;
        (line, result)
    });
    let results: Vec<(Line, Result<Contents, InventoryError>)> = stream::iter(reads)
        .buffered(concurrency.max(1))
        .collect()
        .await;
    session.report(Event::PhaseDone);
    let mut images = Vec::new();
    let mut blobs: BTreeMap<Digest, u64> = BTreeMap::new();
    for (line, result) in results {
        match result.and_then(|contents| agree(&line.source, contents, &blobs)) {
            Ok(contents) => {
                found.warnings.extend(missing(&line.source, &contents));
                blobs.extend(contents.blobs);
                images.push(Image {
                    source: line.source,
                    requested: line.requested,
                    destination: line.destination,
                    groups: line.groups,
                    origins: line.origins.into_iter().collect(),
                    manifest: contents.manifest,
                    contents: contents.images,
                });
            }
            Err(error) => found.failures.push(error),
        }
    }
    images.sort_by_key(|image: &Image| image.source.to_string());
    (images, blobs)
}

async fn read_reported(
    session: &Session<'_>,
    image: &Reference,
    wanted: &Wanted,
) -> Result<Contents, InventoryError> {
    let id = session.next_item();
    let name = image.to_string();
    session.report(Event::Started {
        id,
        name: &name,
        size: None,
    });
    let result = contents::read(session, image, wanted).await;
    match &result {
        Ok(_) => session.report(Event::Finished { id }),
        Err(error) => session.report(Event::Failed {
            id,
            reason: &error.to_string(),
        }),
    }
    result
}

/// A blob has one size, whichever image names it.
fn agree(
    image: &Reference,
    contents: Contents,
    known: &BTreeMap<Digest, u64>,
) -> Result<Contents, InventoryError> {
    let mut blobs = contents.blobs.iter();
    match blobs.find(|(digest, size)| known.get(*digest).is_some_and(|k| k != *size)) {
        None => Ok(contents),
        Some((digest, size)) => Err(InventoryError::Image {
            image: image.to_string(),
            detail: format!(
                "says that blob {digest} has {size} bytes, another image says otherwise"
            ),
            hint: None,
        }),
    }
}

fn missing(image: &Reference, contents: &Contents) -> Option<String> {
    let names = contents.missing.join(", ");
    (!names.is_empty()).then(|| format!("{image}: not available for {names}"))
}
