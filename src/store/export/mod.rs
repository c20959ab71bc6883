//! Images as archives for other tools. Every archive is streamed: no blob is in memory, every blob's digest is checked on the
//! way, and the output gets its name only when it is whole. Same images, same bytes.
//!
//! | format | contents | readers |
//! |---|---|---|
//! | dir-tgz | gzip tar of one image in skopeo's `dir:` layout (`imageset.md` §4.6) | the older `extract-ai.sh`, `extract-ocp.sh` |
//! | oci-archive | tar of an OCI layout | `skopeo`, `podman load` |
//! | docker-archive | tar as `docker save` writes it | `docker load`, `podman load`, `skopeo` |

mod docker;

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{IndexEntry, Store, StoreError, index};
use crate::oci::Digest;
pub use docker::docker_archive;

/// containers/image `directory/directory_dest.go`; 1.2 is for digests other than SHA-256, which images do not have here.
const DIR_VERSION: &[u8] = b"Directory Transport Version: 1.1\n";

/// Bytes per read and write; the tar and gzip writers pass on pieces of 8 KiB.
const BUFFER: usize = 1 << 20;

/// The name, without `.tgz`, under which the older scripts look for an image: the last path component of its source with `_` for
/// the first `:` (`basename "${uri/:/_}"`).
///
/// A registry with a port takes that first `:`; the older tool then makes a name with a `:`, which tar takes for a remote host.
/// Here the first `:` of the last component counts, which is the same for every registry without a port.
pub fn artefact_name(source: &str) -> String {
    let base = source.rsplit('/').next().unwrap_or(source);
    base.replacen(':', "_", 1)
}

/// Writes one image as `<name>.tgz` of the older tool; `name` from [`artefact_name`].
///
/// The gzip stream only wraps: layers are compressed already, and compressing them again is what made the older tool slow.
///
/// # Errors
/// The image is incomplete or damaged, or `out` cannot be written; `out` is then untouched.
pub fn dir_tgz(
    store: &Store,
    image: &IndexEntry,
    name: &str,
    out: &Path,
) -> Result<(), StoreError> {
    let closure = store.closure(&image.descriptor)?;
    whole(out, |file| {
        let gzip = GzEncoder::new(file, Compression::none());
        let mut archive = Archive::new(gzip, out);
        archive.directory(&format!("{name}/"))?;
        archive.bytes(&format!("{name}/version"), DIR_VERSION)?;
        for (position, manifest) in closure.manifests.iter().enumerate() {
            let file = match position {
                0 => "manifest.json".to_owned(),
                _ => format!("{}.manifest.json", manifest.descriptor().digest.hex()),
            };
            archive.bytes(&format!("{name}/{file}"), manifest.bytes())?;
        }
        for (digest, size) in &closure.blobs {
            let path = format!("{name}/{}", digest.hex());
            archive.blob(&path, *size, store.open_blob(digest, *size)?)?;
        }
        let gzip = archive.finish()?;
        gzip.finish().map_err(StoreError::io("write", out))?;
        Ok(())
    })
}

/// Writes images as one OCI layout in a tar, with the names they have in the store.
///
/// # Errors
/// As [`dir_tgz`].
pub fn oci_archive(store: &Store, images: &[IndexEntry], out: &Path) -> Result<(), StoreError> {
    let index = index::to_json(images.iter().cloned())?;
    let closures: Result<Vec<_>, _> = images
        .iter()
        .map(|i| store.closure(&i.descriptor))
        .collect();
    let closures = closures?;
    whole(out, |file| {
        let mut archive = Archive::new(file, out);
        let mut seen = BTreeSet::new();
        archive.bytes("oci-layout", super::layout::OCI_LAYOUT)?;
        archive.bytes("index.json", index.as_bytes())?;
        for closure in &closures {
            for manifest in &closure.manifests {
                if seen.insert(manifest.descriptor().digest.clone()) {
                    archive.bytes(&blob_name(&manifest.descriptor().digest), manifest.bytes())?;
                }
            }
            for (digest, size) in &closure.blobs {
                if seen.insert(digest.clone()) {
                    archive.blob(&blob_name(digest), *size, store.open_blob(digest, *size)?)?;
                }
            }
        }
        archive.finish().map(drop)
    })
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// Fills `out` atomically, and gives back the error of the filler, not the one of the file.
fn whole(
    out: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut failure = None;
    let written = crate::io::atomic::write_with(out, |file| {
        let mut large = io::BufWriter::with_capacity(BUFFER, file);
        let filled =
            fill(&mut large).and_then(|()| large.flush().map_err(StoreError::io("write", out)));
        filled.map_err(|error| {
            failure = Some(error);
            io::Error::other("export failed")
        })
    });
    match failure {
        Some(error) => Err(error),
        None => written.map_err(StoreError::io("write", out)),
    }
}

/// A tar with the same owner, mode and time everywhere.
struct Archive<'a, W: Write> {
    tar: tar::Builder<W>,
    out: &'a Path,
}

impl<'a, W: Write> Archive<'a, W> {
    fn new(writer: W, out: &'a Path) -> Self {
        let tar = tar::Builder::new(writer);
        Self { tar, out }
    }

    fn directory(&mut self, name: &str) -> Result<(), StoreError> {
        let mut header = header(0o755, 0);
        header.set_entry_type(tar::EntryType::Directory);
        self.append(&mut header, name, io::empty())
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.append(&mut header(0o644, bytes.len() as u64), name, bytes)
    }

    /// Adds a file of exactly `size` bytes. A content that is shorter or fails ends the export: the archive is then broken.
    fn blob(&mut self, name: &str, size: u64, content: impl Read) -> Result<(), StoreError> {
        let content = io::BufReader::with_capacity(BUFFER, content);
        self.append(&mut header(0o644, size), name, content)
    }

    fn append(
        &mut self,
        header: &mut tar::Header,
        name: &str,
        content: impl Read,
    ) -> Result<(), StoreError> {
        self.tar
            .append_data(header, name, content)
            .map_err(StoreError::io("copy a blob into", self.out))
    }

    fn finish(self) -> Result<W, StoreError> {
        self.tar
            .into_inner()
            .map_err(StoreError::io("write", self.out))
    }
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(test)]
mod tests {
    use super::artefact_name;

    #[test]
    fn names_as_the_older_scripts_make_them() {
        for (source, name) in [
            (
                "registry.redhat.io/lvms4/lvms-operator-bundle@sha256:aba7",
                "lvms-operator-bundle@sha256_aba7",
            ),
            ("quay.io/a/b:v1", "b_v1"),
            ("127.0.0.1:5000/a/b@sha256:00", "b@sha256_00"),
            ("q.io/b:t@sha256:00", "b_t@sha256:00"),
        ] {
            assert_eq!(artefact_name(source), name);
        }
    }
}
