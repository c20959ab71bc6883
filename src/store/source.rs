//! A store as a source of images: what push and export to registries read.

use std::io;

use async_trait::async_trait;
use futures_util::StreamExt as _;

use super::{Store, StoreError, read_range};
use crate::oci::{
    BlobRequest, BlobStream, Descriptor, ImageSource, RawManifest, Reference, SourceError,
    SourceErrorKind,
};

#[async_trait]
impl ImageSource for Store {
    async fn manifest(&self, image: &Reference) -> Result<RawManifest, SourceError> {
        let what = format!("manifest of {image}");
        let (store, image) = (self.clone(), image.clone());
        let read = tokio::task::spawn_blocking(move || store.manifest_of(&image)).await;
        let read = read.map_err(|e| SourceError::new(SourceErrorKind::Io, &what, e.to_string()))?;
        read.map_err(|e| source_error(what, &e))
    }

    async fn blob(&self, request: BlobRequest<'_>) -> Result<BlobStream, SourceError> {
        let what = format!("blob {} of {}", request.digest, request.image.name());
        let found = self
            .blob_size(request.digest)
            .and_then(|size| size.ok_or_else(|| StoreError::Missing(request.digest.clone())))
            .map_err(|e| source_error(what.clone(), &e))?;
        if found != request.size {
            let detail = format!("{found} bytes instead of {}", request.size);
            return Err(SourceError::new(SourceErrorKind::Digest, what, detail));
        }
        let path = self.blob_path(request.digest);
        let opened = read_range(&path, request.offset, request.size).await;
        let stream = opened.map_err(|e| io_error(what.clone(), &e))?;
        Ok(BlobStream {
            endpoint: self.root().display().to_string(),
            body: stream
                .map(move |piece| piece.map_err(|e| io_error(what.clone(), &e)))
                .boxed(),
        })
    }

    async fn tags(&self, image: &Reference) -> Result<Vec<String>, SourceError> {
        let what = format!("tags of {}", image.name());
        let entries = self
            .read_index()
            .map_err(|e| source_error(what.clone(), &e))?;
        let references: Vec<Reference> = entries
            .iter()
            .filter_map(super::IndexEntry::reference)
            .collect();
        let mut same = references
            .iter()
            .filter(|r| r.name() == image.name())
            .peekable();
        if same.peek().is_none() {
            let detail = "the store has no image of that repository";
            return Err(SourceError::new(SourceErrorKind::NotFound, what, detail));
        }
        Ok(same.filter_map(|r| r.tag().map(str::to_owned)).collect())
    }
}

impl Store {
    /// By digest whatever the store has; else by the name in the index.
    fn manifest_of(&self, image: &Reference) -> Result<RawManifest, StoreError> {
        let entries = self.read_index()?;
        let named = |descriptor: &Descriptor| {
            self.read_manifest(&descriptor.digest, Some(&descriptor.media_type))
        };
        if let Some(digest) = image.digest() {
            let entry = entries.iter().find(|e| e.descriptor.digest == *digest);
            return match entry {
                Some(entry) => named(&entry.descriptor),
                None => self.read_manifest(digest, None),
            };
        }
        let tag = image.tag_or_latest();
        let entry = entries.iter().find(|entry| {
            entry
                .reference()
                .is_some_and(|r| r.name() == image.name() && r.tag_or_latest() == tag)
        });
        let entry = entry.ok_or_else(|| StoreError::UnknownImage(image.to_string()))?;
        named(&entry.descriptor)
    }
}

fn source_error(what: String, error: &StoreError) -> SourceError {
    use std::error::Error as _;
    let kind = match error {
        StoreError::Missing(_) | StoreError::UnknownImage(_) => SourceErrorKind::NotFound,
        StoreError::Damaged { .. } => SourceErrorKind::Digest,
        StoreError::Manifest { .. } | StoreError::Malformed { .. } => SourceErrorKind::Protocol,
        _ => SourceErrorKind::Io,
    };
    let detail = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let failed = SourceError::new(kind, what, detail);
    match error.hint() {
        Some(hint) => failed.with_hint(hint),
        None => failed,
    }
}

fn io_error(what: String, error: &io::Error) -> SourceError {
    SourceError::new(SourceErrorKind::Io, what, error.to_string())
}
