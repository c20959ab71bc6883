//! `precache export`: archives for other tools.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::plan::DataDir;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::progress::Event;
use crate::store::{IndexEntry, artefact_name, dir_tgz, docker_archive, oci_archive};

/// Flags of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The data directory.
    #[arg(short = 'f', long = "folder", value_name = "DIR")]
    folder: PathBuf,
    /// Form of the archive.
    #[arg(long, value_enum)]
    format: ArchiveFormat,
    /// Images, as `precache list` names them.
    #[arg(value_name = "IMAGE", required_unless_present = "all")]
    images: Vec<String>,
    /// All images.
    #[arg(long, conflicts_with = "images")]
    all: bool,
    /// Which image of a list goes into a docker-archive.
    #[arg(long, value_name = "ARCH", default_value = "amd64")]
    arch: String,
    /// The archive; for dir-tgz the directory that gets one file for each image.
    #[arg(short, value_name = "OUT")]
    out: PathBuf,
    /// Print what would be written and stop.
    #[arg(long)]
    dry_run: bool,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArchiveFormat {
    /// One `<name>.tgz` for each image, as factory-precaching-cli and its extract scripts have it.
    DirTgz,
    /// One OCI layout in a tar.
    OciArchive,
    /// What `docker load` and `podman load` read.
    DockerArchive,
}

impl Export {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let data = DataDir::open(&self.folder)?;
        let images = self.entries(&data)?;
        let files = self.files(&images);
        distinct(&images, &files)?;
        if !self.dry_run {
            match self.format {
                ArchiveFormat::DirTgz => self.write_each(&data, &images, &files, context)?,
                ArchiveFormat::OciArchive => oci_archive(&data.store, &images, &self.out)?,
                ArchiveFormat::DockerArchive => {
                    docker_archive(&data.store, &images, &self.arch, &self.out)?;
                }
            }
        }
        let verb = if self.dry_run { "would write" } else { "wrote" };
        context.result(&json!({"dryRun": self.dry_run, "files": files}), || {
            files
                .iter()
                .map(|file| format!("{verb} {}", file.display()))
                .collect::<Vec<_>>()
                .join("\n")
        })
    }

    fn entries(&self, data: &DataDir) -> Result<Vec<IndexEntry>, Failure> {
        if self.all {
            return Ok(data.store.read_index()?);
        }
        self.images
            .iter()
            .map(|name| Ok(data.store.find_image(name)?))
            .collect()
    }

    fn files(&self, images: &[IndexEntry]) -> Vec<PathBuf> {
        if self.format != ArchiveFormat::DirTgz {
            return vec![self.out.clone()];
        }
        images
            .iter()
            .map(|image| {
                self.out
                    .join(format!("{}.tgz", artefact_name(&image.label())))
            })
            .collect()
    }

    fn write_each(
        &self,
        data: &DataDir,
        images: &[IndexEntry],
        files: &[PathBuf],
        context: &Context,
    ) -> Result<(), Failure> {
        fs_err::create_dir_all(&self.out)?;
        let reporter = context.reporter.as_ref();
        reporter.report(Event::Phase {
            name: "export",
            items: Some(images.len() as u64),
            bytes: None,
        });
        for (id, (image, file)) in (0..).zip(images.iter().zip(files)) {
            let label = image.label();
            reporter.report(Event::Started {
                id,
                name: &label,
                size: None,
            });
            dir_tgz(&data.store, image, &artefact_name(&label), file)?;
            reporter.report(Event::Finished { id });
        }
        reporter.report(Event::PhaseDone);
        Ok(())
    }
}

/// The older tool's names leave registry and path out: two images must not become one file, the second over the first.
fn distinct(images: &[IndexEntry], files: &[PathBuf]) -> Result<(), Failure> {
    let mut seen = BTreeMap::new();
    for (image, file) in images.iter().zip(files) {
        let other = seen.insert(file, image);
        let differ = |other: &&IndexEntry| other.descriptor.digest != image.descriptor.digest;
        if let Some(other) = other.filter(differ) {
            let (file, a, b) = (file.display(), other.label(), image.label());
            let failure = Failure::new(Exit::Usage, format!("{a} and {b} would both be {file}"));
            return Err(failure.hint("export them into different directories"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::{Descriptor, Digest};

    #[test]
    fn two_images_never_share_a_file() {
        let entry = |name: &str, content: &[u8]| IndexEntry {
            name: Some(name.to_owned()),
            descriptor: Descriptor::new("m", Digest::of(content), 1),
        };
        let images = [entry("q.io/a/x:1", b"1"), entry("q.io/b/x:1", b"2")];
        let same: Vec<PathBuf> = vec!["x_1.tgz".into(), "x_1.tgz".into()];
        assert!(distinct(&images, &same).is_err());
        assert!(distinct(&images, &["a".into(), "b".into()]).is_ok());
        assert!(distinct(&images, &["all.tar".into()]).is_ok());
        let one_image = [entry("q.io/a/x:1", b"1"), entry("q.io/b/x:1", b"1")];
        assert!(distinct(&one_image, &same).is_ok());
    }
}
