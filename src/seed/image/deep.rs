//! Over the layer: once and whole for [`deep`], up to the list of images for [`containers`].

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::contents::{Archives, CheckOnly, Contents, Files, text};
use super::{SeedImage, stream, tar};
use crate::oci::ImageSource;
use crate::progress::Reporter;
use crate::seed::error::Error;
use crate::seed::finding::{Finding, has_errors};

const AGAIN: &str = "push the image again; if it stays, check the registry's storage";

/// What a whole layer holds.
#[derive(Debug, Clone, Serialize)]
pub struct DeepReport {
    /// Bytes of the layer uncompressed; `None` when it could not be read to its end.
    pub unpacked_bytes: Option<u64>,
    /// Name and size of each file.
    pub files: BTreeMap<String, u64>,
    /// Images in `containers.list`.
    pub containers: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Streams the whole layer: digests, files, the archives within, hostile paths. Needs no disk space and a few MiB of memory.
///
/// # Errors
/// The registry; what is wrong with the bytes is in [`DeepReport::findings`].
pub async fn deep(
    source: &dyn ImageSource,
    image: &SeedImage,
    reporter: &dyn Reporter,
) -> Result<DeepReport, Error> {
    let (report, _) = whole(source, image, reporter, Box::new(CheckOnly)).await?;
    Ok(report)
}

/// [`deep`], with the archives within for `archives`, and the small files where nothing is wrong. When `archives` wants no more,
/// the transfer ends and the report says nothing of use.
pub(in crate::seed) async fn whole(
    source: &dyn ImageSource,
    image: &SeedImage,
    reporter: &dyn Reporter,
    archives: Box<dyn Archives>,
) -> Result<(DeepReport, Option<Files>), Error> {
    let visit = |reader: &mut dyn io::Read| {
        let mut contents = Contents::new(archives);
        let walked = tar::walk(reader, &mut |member| contents.member(member));
        if contents.stopped {
            return Err(io::ErrorKind::Other.into());
        }
        Ok((contents, walked))
    };
    let place = (&image.reference, &image.layer);
    let outcome = stream::read(source, place, reporter, true, visit).await?;
    Ok(judge(image, outcome))
}

type Walked = (Contents, io::Result<bool>);

fn judge(image: &SeedImage, outcome: stream::Outcome<Walked>) -> (DeepReport, Option<Files>) {
    let layer = image.layer.digest.to_string();
    let mut findings = Vec::new();
    if outcome.digest.as_ref() != Some(&image.layer.digest) {
        findings.push(Finding::error(
            "layer-digest",
            &layer,
            "the bytes do not have this digest",
            AGAIN,
        ));
        // Nothing that such bytes say counts.
        let report = DeepReport {
            unpacked_bytes: None,
            files: BTreeMap::new(),
            containers: 0,
            findings,
        };
        return (report, None);
    }
    let unpacked = outcome.unpacked;
    let (mut contents, walked) = outcome
        .value
        .unwrap_or_else(|error| (Contents::new(Box::new(CheckOnly)), Err(error)));
    match walked {
        Ok(_) => contents.finish(image.info_text.as_deref()),
        Err(error) => findings.push(Finding::error(
            "layer",
            &layer,
            error.to_string(),
            "do not use this image: make it again, and find out who pushed it",
        )),
    }
    match (&image.diff_id, &unpacked) {
        (Some(expected), Some((own, _))) if expected != own => {
            findings.push(Finding::error(
                "diff-id",
                &layer,
                format!("uncompressed it is {own}, the configuration says {expected}"),
                AGAIN,
            ));
        }
        (Some(_), None) if findings.is_empty() => findings.push(Finding::error(
            "layer",
            &layer,
            "it is no gzip tar to its end",
            AGAIN,
        )),
        _ => {}
    }
    findings.append(&mut contents.findings);
    let good = !has_errors(&findings);
    let report = DeepReport {
        unpacked_bytes: unpacked.map(|(_, bytes)| bytes),
        containers: contents.containers(),
        files: std::mem::take(&mut contents.members),
        findings,
    };
    (report, contents.into_files().filter(|_| good))
}

/// The images of `containers.list`, in its order, blank lines left out. Reads the layer no further than that file, which is
/// first in every image that podman built; the layer's digest is not checked.
///
/// # Errors
/// The registry, or the layer has no such file.
pub async fn containers(
    source: &dyn ImageSource,
    image: &SeedImage,
    reporter: &dyn Reporter,
) -> Result<Vec<String>, Error> {
    const LIST: &str = "containers.list";
    let visit = |reader: &mut dyn io::Read| {
        let mut list = None;
        tar::walk(reader, &mut |member| {
            if member.path == LIST {
                list = Some(text(member.body)?);
            }
            Ok(list.is_none())
        })?;
        Ok(list)
    };
    let outcome = stream::read(
        source,
        (&image.reference, &image.layer),
        reporter,
        false,
        visit,
    )
    .await?;
    let refuse = |reason: String| Error::Image {
        image: image.reference.to_string(),
        reason,
    };
    let list = outcome
        .value
        .map_err(|e| refuse(format!("layer {}: {e}", image.layer.digest)))?;
    let list = list.ok_or_else(|| refuse(format!("layer {} has no {LIST}", image.layer.digest)))?;
    Ok(list
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(str::to_owned)
        .collect())
}
