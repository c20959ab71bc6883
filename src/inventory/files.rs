//! Single files out of an image, as a container of it would see them.
//!
//! Layers are read top-down and each as far up as one decides: it has the file, or a whiteout (image-spec `layer.md`) hides what
//! lower layers have. Symbolic links, in the file itself or in a directory above it, begin again at the top with the new path; a hard
//! link with that of its target in the same layer, since it may stand there before the link. A layer's digest is checked after its
//! last byte; before that nothing that was read counts.
//!
//! Not here: what a file is for ([`super::stamp()`], `cli`), modes and owners, files of 8 GiB and more.

use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use crate::oci::{Algorithm, Digest, Hasher, Reference};

use super::session::{Services, Session, SingleImage};
use super::tarball::{self, Entry, Kind, Whiteout};
use super::{InventoryError, layer};

/// Links followed for one file; Linux follows as many.
const MAX_LINKS: u32 = 40;

const CHUNK: usize = 128 << 10;

/// A file to take out of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedFile {
    /// Path in the image, without the leading `/`.
    pub path: String,
    /// The file to fill, which exists and is emptied first.
    pub to: PathBuf,
}

/// A file that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Where it was after all links.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// Takes files out of the linux/`architecture` image of `image`, all in one pass where one layer has them. `None` for a file that a
/// container of the image would not see.
///
/// # Errors
/// The image cannot be read, a layer has the wrong digest or is none, a file cannot be written, links go round in circles.
pub async fn take_files(
    image: &Reference,
    architecture: &str,
    files: &[WantedFile],
    services: Services<'_>,
) -> Result<Vec<Option<Taken>>, InventoryError> {
    let session = Session::new(services);
    let single = session.single_image(image, architecture).await?;
    let layers: Vec<_> = single.layers.iter().filter(|l| !l.is_foreign()).collect();
    let mut searches: Vec<Search> = files.iter().map(|f| Search::new(f, layers.len())).collect();
    // The highest layer that somebody still waits for, for all who wait for it.
    while let Some(below) = searches.iter().filter_map(Search::next).max() {
        let Some(layer) = layers.get(below - 1) else {
            break;
        };
        let waiting = || searches.iter().filter(|s| s.next() == Some(below));
        let wanted: Vec<WantedFile> = waiting().map(|s| s.file.clone()).collect();
        let visit = move |tar: &mut dyn Read| scan(tar, &wanted);
        let seen = layer::read(&session, &single.reference, layer, visit).await?;
        let mut seen = seen
            .map_err(|Unwritable(path, source)| InventoryError::Io {
                action: "write",
                path,
                source,
            })?
            .into_iter();
        for search in &mut searches {
            if search.next() == Some(below) {
                let sight = seen.next().unwrap_or(Sight::Nothing);
                search.learn(sight, layers.len(), &single)?;
            }
        }
    }
    Ok(searches.into_iter().map(Search::result).collect())
}

/// Takes one member out of a tar archive, compressed or not, that lies on disk: what a mirror serves.
///
/// # Errors
/// It is no archive, or the file cannot be written.
pub fn take_from_archive(
    archive: &Path,
    wanted: &WantedFile,
) -> Result<Option<Taken>, InventoryError> {
    let failed = |path: &Path, action, source| InventoryError::Io {
        action,
        path: path.to_owned(),
        source,
    };
    let file = fs_err::File::open(archive).map_err(|e| failed(archive, "read", e))?;
    let file = io::BufReader::with_capacity(CHUNK, file);
    let seen = crate::io::unpack::decompressed(file, crate::io::unpack::LARGEST_WINDOW_LOG)
        .and_then(|mut tar| scan(&mut *tar, std::slice::from_ref(wanted)))
        .map_err(|e| failed(archive, "read", e))?;
    let seen = seen.map_err(|Unwritable(path, source)| failed(&path, "write", source))?;
    Ok(seen.into_iter().find_map(|sight| match sight {
        Sight::File { size, sha256 } => Some(Taken {
            path: wanted.path.clone(),
            size,
            sha256,
        }),
        _ => None,
    }))
}

/// How far the search for one file has come.
struct Search {
    /// Its path as links left it.
    file: WantedFile,
    state: State,
    links: u32,
}

enum State {
    /// Layers below this number are still to be asked.
    Below(usize),
    Found(Taken),
    Absent,
}

impl Search {
    fn new(file: &WantedFile, layers: usize) -> Self {
        Self {
            file: file.clone(),
            state: State::Below(layers),
            links: 0,
        }
    }

    /// The number of layers that are left, while there are any.
    fn next(&self) -> Option<usize> {
        match self.state {
            State::Below(below) if below > 0 => Some(below),
            _ => None,
        }
    }

    fn learn(
        &mut self,
        sight: Sight,
        layers: usize,
        image: &SingleImage,
    ) -> Result<(), InventoryError> {
        let State::Below(below) = self.state else {
            return Ok(());
        };
        self.state = match sight {
            Sight::Nothing => State::Below(below - 1),
            Sight::Hidden => State::Absent,
            Sight::File { size, sha256 } => State::Found(Taken {
                path: self.file.path.clone(),
                size,
                sha256,
            }),
            Sight::Link { path, same_layer } => {
                self.links += 1;
                if self.links > MAX_LINKS {
                    return Err(InventoryError::Image {
                        image: image.reference.to_string(),
                        detail: format!("too many links on the way to /{path}"),
                        hint: None,
                    });
                }
                self.file.path = path;
                State::Below(if same_layer { below } else { layers })
            }
        };
        Ok(())
    }

    fn result(self) -> Option<Taken> {
        match self.state {
            State::Found(taken) => Some(taken),
            _ => None,
        }
    }
}

/// What one layer has to say of a file.
#[derive(Debug)]
enum Sight {
    Nothing,
    /// Not there, and not below either.
    Hidden,
    File {
        size: u64,
        sha256: Digest,
    },
    /// Look there instead.
    Link {
        path: String,
        same_layer: bool,
    },
}

/// A file of ours that cannot be written, which is not the layer's fault.
struct Unwritable(PathBuf, io::Error);

/// Looks through a layer for files and writes those that it has. Paths that are wanted differ.
fn scan(tar: &mut dyn Read, wanted: &[WantedFile]) -> io::Result<Result<Vec<Sight>, Unwritable>> {
    let mut sights: Vec<Sight> = wanted.iter().map(|_| Sight::Nothing).collect();
    let mut hidden = vec![false; wanted.len()];
    let mut unwritable = None;
    let walked = tarball::walk(tar, &mut |mut entry| {
        let whiteout = tarball::whiteout(entry.path);
        for ((file, sight), hidden) in wanted.iter().zip(&mut sights).zip(&mut hidden) {
            match &whiteout {
                Some(whiteout) => *hidden |= hides(whiteout, &file.path),
                None => match look(&mut entry, file) {
                    Ok(None) => (),
                    Ok(Some(seen)) => *sight = seen,
                    Err(Fault::Layer(error)) => return Err(error),
                    Err(Fault::Ours(error)) => {
                        unwritable = Some(Unwritable(file.to.clone(), error));
                        return Err(io::ErrorKind::Other.into());
                    }
                },
            }
        }
        Ok(())
    });
    if let Some(unwritable) = unwritable {
        return Ok(Err(unwritable));
    }
    walked?;
    // A whiteout hides lower layers only, wherever it stands.
    for (sight, hidden) in sights.iter_mut().zip(hidden) {
        if hidden && matches!(sight, Sight::Nothing) {
            *sight = Sight::Hidden;
        }
    }
    Ok(Ok(sights))
}

fn hides(whiteout: &Whiteout<'_>, path: &str) -> bool {
    match whiteout {
        Whiteout::Opaque("") => true,
        Whiteout::Opaque(directory) => below(path, directory).is_some(),
        Whiteout::Path { parent: "", name } => path == *name || below(path, name).is_some(),
        Whiteout::Path { parent, name } => {
            let gone = format!("{parent}/{name}");
            path == gone || below(path, &gone).is_some()
        }
    }
}

/// The rest of a path below a directory.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    path.strip_prefix(directory)?.strip_prefix('/')
}

enum Fault {
    Layer(io::Error),
    Ours(io::Error),
}

/// What an entry says of a file; nothing when it is about something else.
fn look(entry: &mut Entry<'_>, file: &WantedFile) -> Result<Option<Sight>, Fault> {
    let rest = if entry.path == file.path {
        ""
    } else {
        match below(&file.path, entry.path) {
            // Directories above are merged with those of lower layers.
            Some(rest) if entry.kind != Kind::Directory => rest,
            _ => return Ok(None),
        }
    };
    let seen = match entry.kind {
        Kind::File if rest.is_empty() => {
            let (size, sha256) = write(entry.body, &file.to)?;
            Sight::File { size, sha256 }
        }
        Kind::Symlink => Sight::Link {
            path: joined(
                &followed(entry.path, entry.link).map_err(Fault::Layer)?,
                rest,
            ),
            same_layer: false,
        },
        Kind::Hardlink => Sight::Link {
            path: joined(&tarball::normalize(entry.link).map_err(Fault::Layer)?, rest),
            same_layer: true,
        },
        _ => Sight::Hidden,
    };
    Ok(Some(seen))
}

fn joined(path: &str, rest: &str) -> String {
    match (path, rest) {
        (path, "") => path.to_owned(),
        ("", rest) => rest.to_owned(),
        (path, rest) => format!("{path}/{rest}"),
    }
}

/// The path that a symbolic link at `from` stands for. `..` cannot leave the root, as in a container. It is taken by text: what is above
/// the link is a directory of the same layer, so that going up from there is right; `LINK/..` within a target would be wrong, and
/// no image of the field has it.
fn followed(from: &str, target: &str) -> io::Result<String> {
    let mut parts: Vec<&str> = if target.starts_with('/') {
        Vec::new()
    } else {
        let parent = from.rsplit_once('/').map_or("", |(parent, _)| parent);
        parent.split('/').filter(|p| !p.is_empty()).collect()
    };
    for part in target.split('/') {
        match part {
            "" | "." => (),
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the link {from} leads to the root directory"),
        ));
    }
    Ok(parts.join("/"))
}

/// Writes a body; size and SHA-256.
fn write(body: &mut dyn Read, to: &Path) -> Result<(u64, Digest), Fault> {
    // Not created here: its maker may have given up and removed it.
    let file = fs_err::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(to);
    let mut file = file.map_err(Fault::Ours)?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Fault::Layer(e)),
        };
        let chunk = buffer.get(..count).unwrap_or_default();
        hasher.update(chunk);
        file.write_all(chunk).map_err(Fault::Ours)?;
        size += count as u64;
    }
    Ok((size, hasher.finish()))
}

#[cfg(test)]
mod tests;
