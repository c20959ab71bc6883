//! The end of an installation: takes away what the patch brought to the installed system, so that the machine is as if installed over
//! the network. Running it again finds nothing to do.
//!
//! Servers of the site (`--ntp`) and the hostname stay: they are the machine's, not the installation's. So does the program itself.
//! Everything is found below one root, so that it can be tried in a directory.

use std::io;
use std::path::{Path, PathBuf};

use crate::exec::{self, ExecError};
use crate::ignition::patch::Footprint;

/// What is there of ours, sorted; paths as they are below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers {
    root: PathBuf,
    /// Units that are installed.
    pub units: Vec<String>,
    /// Files and links.
    pub files: Vec<PathBuf>,
}

/// Something could not be taken away.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// A directory cannot be listed, or a file not removed.
    #[error("cannot {operation} {path}")]
    Io {
        /// The verb.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The service manager refused.
    #[error("cannot {operation}")]
    Manager {
        /// What was asked.
        operation: &'static str,
        /// The reason.
        source: ExecError,
    },
}

impl FinishError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "run as root on the installed machine; run again to go on",
            Self::Manager { .. } => "look at `systemctl status 'snoforge-*'`, then run again",
        }
    }
}

fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FinishError + use<> {
    let path = path.to_owned();
    move |source| FinishError::Io {
        operation,
        path,
        source,
    }
}

/// Looks for what the patch installs.
///
/// # Errors
/// A directory cannot be listed.
pub fn leftovers(root: &Path, footprint: &Footprint) -> Result<Leftovers, FinishError> {
    let systemd = root.join("etc/systemd/system");
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    let there = |path: &Path| fs_err::symlink_metadata(path).is_ok();
    let units = footprint
        .units
        .iter()
        .filter(|unit| there(&systemd.join(unit)));
    let mut files: Vec<PathBuf> = footprint.files.iter().map(|path| below(path)).collect();
    files.extend(footprint.units.iter().map(|unit| systemd.join(unit)));
    for entry in list(&systemd)? {
        // What enabling a unit left: links in `multi-user.target.wants` and the like.
        if entry
            .extension()
            .is_some_and(|e| e == "wants" || e == "requires")
        {
            let ours = |link: &PathBuf| {
                let name = link.file_name().unwrap_or_default().to_string_lossy();
                footprint.units.contains(&unit_of(&name).as_str())
            };
            files.extend(list(&entry)?.into_iter().filter(ours));
        }
    }
    files.retain(|path| there(path));
    files.sort();
    files.dedup();
    Ok(Leftovers {
        root: root.to_owned(),
        units: units.map(|unit| (*unit).to_owned()).collect(),
        files,
    })
}

/// `snoforge-load@ocp.service` is of `snoforge-load@.service`.
fn unit_of(name: &str) -> String {
    match (name.split_once('@'), name.rsplit_once('.')) {
        (Some((stem, _)), Some((_, kind))) => format!("{stem}@.{kind}"),
        _ => name.to_owned(),
    }
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, FinishError> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(e) => return Err(io_error("list", directory)(e)),
    };
    let paths = entries.map(|entry| entry.map(|e| e.path()));
    paths
        .collect::<Result<_, _>>()
        .map_err(io_error("list", directory))
}

impl Leftovers {
    /// Stops the units, the data partition's mount with them.
    ///
    /// # Errors
    /// The service manager refuses; a loader that runs is stopped too.
    pub fn stop(&self) -> Result<(), FinishError> {
        if self.units.is_empty() {
            return Ok(());
        }
        let mut args = vec!["stop".to_owned()];
        // Instances of a template are stopped by pattern.
        args.extend(self.units.iter().map(|unit| unit.replace("@.", "@*.")));
        let stopped = exec::run("systemctl", &args);
        stopped.map(drop).map_err(|source| FinishError::Manager {
            operation: "stop the units",
            source,
        })
    }

    /// Removes the files, and the drop-in directories that are empty then.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove(&self) -> Result<(), FinishError> {
        for file in &self.files {
            fs_err::remove_file(file).map_err(io_error("remove", file))?;
            let parent = file.parent().filter(|p| *p != self.root);
            if let Some(dropins) = parent.filter(|p| p.extension().is_some_and(|e| e == "d")) {
                // Not empty: somebody else's drop-ins are in it.
                fs_err::remove_dir(dropins).ok();
            }
        }
        Ok(())
    }

    /// Tells the service manager and CRI-O that files are gone.
    ///
    /// # Errors
    /// The service manager refuses. Nothing is lost then: both notice at the next boot.
    pub fn reload(&self) -> Result<(), FinishError> {
        let manager = |operation, args: &[&str]| {
            let ran = exec::run("systemctl", args);
            ran.map(drop)
                .map_err(|source| FinishError::Manager { operation, source })
        };
        manager("reload the service manager", &["daemon-reload"])?;
        // CRI-O reads its mirrors when it starts and when it is reloaded.
        if exec::run("systemctl", &["is-active", "--quiet", "crio.service"]).is_ok() {
            manager("reload CRI-O", &["reload", "crio.service"])?;
        }
        Ok(())
    }
}
