//! Reading catalog files, streamed: one object in memory at a time, and of that only the fields in use.
//!
//! A file is a stream of JSON values or of YAML documents separated by `---` lines (operator-registry
//! `alpha/declcfg/load.go`, k8s `NewYAMLOrJSONDecoder`): it is JSON when its first character that is no white space is
//! `{`. Every file counts whatever its name, except `.indexignore` files and what these ignore. An object without
//! `schema` is an error; unknown schemas are passed over.
//!
//! A [`Builder`] keeps the objects by file, so that an image's layers can be applied bottom-up: a later file of the
//! same path replaces the earlier one, and [`Builder::remove`] follows a whiteout. What is wrong inside a file is
//! reported by [`Builder::finish`], because a file may turn out to be ignored or replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::CatalogError;
use super::ignore::Ignores;
use super::model::Catalog;
use super::raw::Raw;

const IGNORE_FILE: &str = ".indexignore";

/// The two ways a catalog file may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A stream of JSON values.
    Json,
    /// YAML documents separated by `---` lines.
    Yaml,
}

/// Says how a file is written from its first bytes: JSON when the first character that is no white space is `{`.
pub fn sniff(start: &[u8]) -> Format {
    let first = start.iter().find(|b| !b.is_ascii_whitespace());
    if first == Some(&b'{') {
        Format::Json
    } else {
        Format::Yaml
    }
}

/// Collects the files of a catalog.
#[derive(Debug, Default)]
pub struct Builder {
    /// By path components, which is upstream's walking order.
    files: BTreeMap<Vec<String>, File>,
    keep: Option<BTreeSet<String>>,
}

#[derive(Debug)]
enum File {
    Objects(Catalog),
    Ignore(String),
    Broken(String),
}

impl Builder {
    /// Makes an empty builder that keeps every package.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps only objects of these packages, for callers that need no others ([`super::filter::needed_packages`]).
    #[must_use]
    pub fn keep_only(mut self, packages: impl IntoIterator<Item = String>) -> Self {
        self.keep = Some(packages.into_iter().collect());
        self
    }

    /// Reads a file. `path` is relative to the catalog's directory, with `/` between its parts.
    /// A file already read under this path is replaced.
    ///
    /// # Errors
    /// Only when `reader` fails; bad content is reported by [`Builder::finish`].
    pub fn file(&mut self, path: &str, reader: impl Read) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(64 << 10, reader);
        let key = components(path);
        if key.last().is_some_and(|name| name == IGNORE_FILE) {
            let mut text = Vec::new();
            reader.read_to_end(&mut text)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            self.files.insert(key, File::Ignore(text));
            return Ok(());
        }
        let mut sink = Sink {
            catalog: Catalog::default(),
            keep: self.keep.as_ref(),
        };
        let file = match read_objects(&mut reader, &mut sink) {
            Ok(()) => File::Objects(sink.catalog),
            Err(ParseError::Content(reason)) => File::Broken(reason),
            Err(ParseError::Io(error)) => return Err(error),
        };
        self.files.insert(key, file);
        Ok(())
    }

    /// Removes a file, or everything below a directory, as a whiteout in an image layer does.
    pub fn remove(&mut self, path: &str) {
        let gone = components(path);
        self.files.retain(|key, _| !key.starts_with(&gone));
    }

    /// Removes everything below a directory but not the directory itself, as an opaque whiteout does. The empty path
    /// is the catalog's own directory.
    pub fn clear(&mut self, directory: &str) {
        self.remove(directory);
    }

    /// Applies `.indexignore` files and joins what is left, in upstream's order.
    ///
    /// # Errors
    /// [`CatalogError::Content`] for the first file that is no catalog content, [`CatalogError::Empty`] when there is
    /// no file at all.
    pub fn finish(self) -> Result<Catalog, CatalogError> {
        let mut ignores = Ignores::default();
        let mut ignore_files: Vec<_> = self
            .files
            .iter()
            .filter_map(|(key, file)| match file {
                File::Ignore(text) => Some((key.split_last()?.1, text)),
                File::Objects(_) | File::Broken(_) => None,
            })
            .collect();
        ignore_files.sort_by_key(|(directory, _)| directory.len());
        for (directory, text) in ignore_files {
            ignores.add(&directory.join("/"), text);
        }
        let mut whole = Catalog::default();
        let mut files = 0usize;
        for (key, file) in self.files {
            let path = key.join("/");
            if ignores.ignores(&path) {
                continue;
            }
            match file {
                File::Ignore(_) => {}
                File::Broken(reason) => return Err(CatalogError::Content { path, reason }),
                File::Objects(part) => {
                    files += 1;
                    whole.packages.extend(part.packages);
                    whole.channels.extend(part.channels);
                    whole.bundles.extend(part.bundles);
                }
            }
        }
        if files == 0 {
            return Err(CatalogError::Empty);
        }
        Ok(whole)
    }
}

fn components(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.map(str::to_owned).collect()
}

/// Reads a local catalog directory.
///
/// # Errors
/// [`CatalogError::Read`] names the file that cannot be read, [`CatalogError::Escape`] a link out of the directory;
/// otherwise as [`Builder::finish`].
pub fn load_dir(path: &Path) -> Result<Catalog, CatalogError> {
    load_dir_into(path, Builder::new())
}

/// Reads a local catalog directory with a prepared builder.
///
/// # Errors
/// As [`load_dir`].
pub fn load_dir_into(path: &Path, mut builder: Builder) -> Result<Catalog, CatalogError> {
    let root = fs_err::canonicalize(path).map_err(|e| read_error(path, e))?;
    let mut files = Vec::new();
    walk(&root, &root, &mut files)?;
    for (file, relative) in files {
        let opened = fs_err::File::open(&file).map_err(|e| read_error(&file, e))?;
        builder
            .file(&relative, opened)
            .map_err(|e| read_error(&file, e))?;
    }
    builder.finish()
}

fn read_error(path: &Path, source: io::Error) -> CatalogError {
    CatalogError::Read {
        path: path.to_owned(),
        source,
    }
}

/// Collects regular files, and links to regular files inside `root`. Linked directories are not entered, as in Go.
fn walk(
    root: &Path,
    directory: &Path,
    files: &mut Vec<(PathBuf, String)>,
) -> Result<(), CatalogError> {
    let entries = fs_err::read_dir(directory).map_err(|e| read_error(directory, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| read_error(directory, e))?;
        let path = entry.path();
        let mut kind = entry.file_type().map_err(|e| read_error(&path, e))?;
        if kind.is_symlink() {
            let target = fs_err::canonicalize(&path).map_err(|e| read_error(&path, e))?;
            if !target.starts_with(root) {
                return Err(CatalogError::Escape { path });
            }
            kind = fs_err::metadata(&path)
                .map_err(|e| read_error(&path, e))?
                .file_type();
            if kind.is_dir() {
                continue;
            }
        }
        if kind.is_dir() {
            walk(root, &path, files)?;
        } else if kind.is_file() {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let parts = relative.iter().map(|part| part.to_string_lossy());
            let relative = parts.collect::<Vec<_>>().join("/");
            files.push((path, relative));
        }
    }
    Ok(())
}

enum ParseError {
    Io(io::Error),
    Content(String),
}

impl From<io::Error> for ParseError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where objects go.
struct Sink<'a> {
    catalog: Catalog,
    keep: Option<&'a BTreeSet<String>>,
}

impl Sink<'_> {
    fn take(&mut self, mut object: Raw) -> Result<(), ParseError> {
        if !matches!(object, Raw::Map(_)) {
            return Err(ParseError::Content("not a catalog object".to_owned()));
        }
        let schema = object.text("schema");
        if schema.is_empty() {
            let name = object.text("name");
            return Err(ParseError::Content(format!(
                "object '{name}' is missing root schema field"
            )));
        }
        match schema.as_str() {
            "olm.package" => {
                let package = object.into_package();
                if self.wanted(&package.name) {
                    self.catalog.packages.push(package);
                }
            }
            "olm.channel" => {
                let channel = object.into_channel();
                if self.wanted(&channel.package) {
                    self.catalog.channels.push(channel);
                }
            }
            "olm.bundle" => {
                let bundle = object.into_bundle();
                if self.wanted(&bundle.package) {
                    self.catalog.bundles.push(bundle);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn wanted(&self, package: &str) -> bool {
        self.keep.is_none_or(|keep| keep.contains(package))
    }
}

fn read_objects(reader: &mut impl BufRead, sink: &mut Sink<'_>) -> Result<(), ParseError> {
    match sniff(reader.fill_buf()?) {
        Format::Json => read_json(reader, sink),
        Format::Yaml => read_yaml(reader, sink),
    }
}

fn read_json(reader: &mut impl BufRead, sink: &mut Sink<'_>) -> Result<(), ParseError> {
    let values = serde_json::Deserializer::from_reader(reader).into_iter::<Raw>();
    for value in values {
        sink.take(value.map_err(json_error)?)?;
    }
    Ok(())
}

fn json_error(error: serde_json::Error) -> ParseError {
    if error.is_io() {
        ParseError::Io(error.into())
    } else {
        ParseError::Content(error.to_string())
    }
}

fn read_yaml(reader: &mut impl BufRead, sink: &mut Sink<'_>) -> Result<(), ParseError> {
    let (mut document, mut line) = (Vec::new(), Vec::new());
    let (mut first_line, mut lines) = (0usize, 0usize);
    loop {
        line.clear();
        let end = reader.read_until(b'\n', &mut line)? == 0;
        if end || line.starts_with(b"---") {
            read_document(&document, first_line, sink)?;
            document.clear();
            first_line = lines + 1;
            if end {
                return Ok(());
            }
        } else {
            document.extend_from_slice(&line);
        }
        lines += 1;
    }
}

fn read_document(
    document: &[u8],
    first_line: usize,
    sink: &mut Sink<'_>,
) -> Result<(), ParseError> {
    let Ok(text) = std::str::from_utf8(document) else {
        return Err(ParseError::Content("the file is not UTF-8".to_owned()));
    };
    let empty = |l: &str| l.trim().is_empty() || l.trim_start().starts_with('#');
    if text.lines().all(empty) {
        return Ok(());
    }
    let object = serde_saphyr::from_str::<Raw>(text)
        .map_err(|e| ParseError::Content(format!("document at line {}: {e}", first_line + 1)))?;
    sink.take(object)
}
