//! One site's cluster: its files, whether they are there already, and how they come to be.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::installer::Installer;
use crate::cli::context::{self, Context};
use crate::cli::exit::{Exit, Failure};
use crate::cli::ignition::certs::extended_file;
use crate::cli::ignition::load;
use crate::ignition::certs;
use crate::ignition::lint::{self, Severity};
use crate::io::atomic;
use crate::oci::Digest;
use crate::site::Site;
use crate::site::install_config::Rendered;

/// What openshift-install calls its result.
pub(in crate::cli) const IGNITION: &str = "bootstrap-in-place-for-live-iso.ign";

const KUBECONFIG: &str = "auth/kubeconfig";
/// Says that everything beside it is of one run: gone before the first file is replaced, back after the last.
const RECORD: &str = "install.json";

/// Version of `install.json`.
const FORMAT: u32 = 1;

/// How the names of directories begin in which installers work.
const WORK: &str = ".tmp-install-";

/// A site, its directory and its install config.
pub(super) struct Job<'a> {
    pub(super) site: &'a Site,
    pub(super) dir: PathBuf,
    pub(super) config: Rendered,
}

/// A cluster's files.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    /// `bip.lab.example.com`.
    pub(super) cluster: String,
    pub(super) hostname: Option<String>,
    pub(super) ignition: PathBuf,
    pub(super) kubeconfig: PathBuf,
    /// When its first certificate expires.
    pub(super) use_before: Option<String>,
    pub(super) release_image: Option<String>,
    /// It was there, of the same inputs.
    pub(super) kept: bool,
}

/// `install.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    format: u32,
    /// Of the install config, what the installer says it is, and how long the certificates shall live.
    inputs: Digest,
    installer: String,
    ignition: Digest,
}

impl Job<'_> {
    /// What the cluster is called.
    pub(super) fn name(&self) -> String {
        let cluster = self.site.cluster.as_ref();
        cluster.map(crate::site::Cluster::full).unwrap_or_default()
    }

    /// Makes the config, or keeps the one that is there; `force` replaces what cannot be kept, and nothing else.
    ///
    /// # Errors
    /// One of other inputs is there, the installer refuses, its result is not what it should be, or the disk.
    pub(super) fn make(
        &self,
        context: &Context,
        installer: &Installer<'_>,
        (force, extend): (bool, Option<SignedDuration>),
    ) -> Result<Made, Failure> {
        let extended = extend.map_or_else(String::new, |extend| format!("\n{extend}"));
        let inputs = format!(
            "{}\n{}{extended}",
            installer.version(),
            self.config.expose()
        );
        let inputs = Digest::of(inputs.as_bytes());
        self.sweep();
        // A kubeconfig alone is there too: machines may have been installed from a config that was moved away.
        if [IGNITION, KUBECONFIG].map(|name| self.dir.join(name).exists()) != [false, false] {
            match self.kept(&inputs, installer) {
                Err(_) if force => (),
                known => return known,
            }
        }
        private_dir(&self.dir)?;
        // Private from the first moment: the default is what the umask says.
        let work = tempfile::Builder::new()
            .prefix(WORK)
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(&self.dir)?;
        // While it is held, another run knows that the directory is in use.
        let _held = hold(work.path());
        let config = work.path().join("install-config.yaml");
        atomic::write_private(&config, self.config.expose().as_bytes())?;
        installer.run(context, &self.name(), work.path())?;
        let made = work.path().join(IGNITION);
        if let Some(extend) = extend {
            extended_file((&made, &made), extend)?;
        }
        let (bytes, use_before) = checked(&made)?;
        let record = Record {
            format: FORMAT,
            inputs,
            installer: installer.version().to_owned(),
            ignition: Digest::of(&bytes),
        };
        self.replace(work.path(), &bytes, &record)?;
        Ok(self.made(use_before, installer, false))
    }

    /// What is there, when it is of these inputs and lives.
    fn kept(&self, inputs: &Digest, installer: &Installer<'_>) -> Result<Made, Failure> {
        let [path, kubeconfig] = [IGNITION, KUBECONFIG].map(|name| self.dir.join(name));
        let refuse_at = |path: &Path, why: &str| {
            let message = format!("{} is there, {why}", path.display());
            Failure::new(Exit::Usage, message).hint(
                "add --force to have it replaced: the new one has other keys, for machines that are not installed yet",
            )
        };
        if !path.exists() {
            return Err(refuse_at(&kubeconfig, &format!("without its {IGNITION}")));
        }
        let refuse = |why: &str| refuse_at(&path, why);
        let record = fs_err::read(self.dir.join(RECORD)).unwrap_or_default();
        let record: Option<Record> = serde_json::from_slice(&record).ok();
        let record = record.filter(|r| r.format == FORMAT);
        let record = record.ok_or_else(|| refuse("and nothing tells what it was made from"))?;
        if record.inputs != *inputs {
            return Err(refuse(
                "made from another install config or by another installer",
            ));
        }
        if Digest::of(&fs_err::read(&path)?) != record.ignition {
            return Err(refuse("changed since it was made"));
        }
        let (_, use_before) = checked(&path).map_err(|e| refuse(&e.message))?;
        // Its bytes are not compared: `oc` writes into a kubeconfig that is used.
        if !kubeconfig.exists() {
            return Err(refuse(&format!("without its {KUBECONFIG}")));
        }
        Ok(self.made(use_before, installer, true))
    }

    fn made(&self, use_before: Option<Timestamp>, installer: &Installer<'_>, kept: bool) -> Made {
        Made {
            cluster: self.name(),
            hostname: self.site.hostname.as_ref().map(ToString::to_string),
            ignition: self.dir.join(IGNITION),
            kubeconfig: self.dir.join(KUBECONFIG),
            use_before: use_before.map(|time| time.to_string()),
            release_image: installer.release_image().map(str::to_owned),
            kept,
        }
    }

    /// Puts a cluster's files in the place of those that are there: after a run that ends in the midst nothing is taken for whole.
    fn replace(&self, work: &Path, ignition: &[u8], record: &Record) -> Result<(), Failure> {
        let mut files = Vec::new();
        for (name, needed) in [
            (KUBECONFIG, true),
            ("auth/kubeadmin-password", true),
            ("metadata.json", false),
        ] {
            match fs_err::read(work.join(name)) {
                Ok(bytes) => files.push((name, bytes)),
                Err(_) if !needed => (),
                Err(e) => {
                    let message = format!("openshift-install left no {name}: {}", e.kind());
                    return Err(Failure::new(Exit::Verification, message));
                }
            }
        }
        let mut text = serde_json::to_vec_pretty(record)
            .map_err(|e| Failure::new(Exit::Internal, format!("{RECORD}: {e}")))?;
        text.push(b'\n');
        match fs_err::remove_file(self.dir.join(RECORD)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => atomic::sync_dir(&self.dir)?,
        }
        private_dir(&self.dir.join("auth"))?;
        for (name, bytes) in &files {
            atomic::write_private(&self.dir.join(name), bytes)?;
        }
        atomic::write_private(&self.dir.join(IGNITION), ignition)?;
        Ok(atomic::write_private(&self.dir.join(RECORD), &text)?)
    }

    /// Removes what killed runs left: their directories hold the pull secret.
    fn sweep(&self) {
        for entry in fs_err::read_dir(&self.dir).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(WORK);
            if ours && hold(&entry.path()).is_some() {
                // What cannot be removed is no reason not to go on; the next run tries again.
                let _ = fs_err::remove_dir_all(entry.path());
            }
        }
    }
}

/// Locks a directory, as long as the result lives; `None` when somebody else has it.
fn hold(dir: &Path) -> Option<fs_err::File> {
    let file = fs_err::File::open(dir).ok()?;
    file.file().try_lock().ok().map(|()| file)
}

/// A directory that only its owner may look into; one that is there stays as it is, except for `auth`.
pub(super) fn private_dir(path: &Path) -> Result<(), Failure> {
    if !path.exists() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
    } else if path.ends_with("auth") {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The bytes of a config that can be installed from, and when it must be.
fn checked(path: &Path) -> Result<(Vec<u8>, Option<Timestamp>), Failure> {
    let wrong = |failure: Failure| Failure {
        exit: Exit::Verification,
        ..failure
    };
    let (bytes, config) = load(path).map_err(wrong)?;
    let findings = lint::lint(&config, None);
    let error = findings.iter().find(|f| f.severity == Severity::Error);
    if let Some(found) = error {
        let message = format!("{}: {}: {}", path.display(), found.pointer, found.message);
        return Err(Failure::new(Exit::Verification, message));
    }
    if config.version().major() < 3 {
        let (path, version) = (path.display(), config.version());
        let message = format!("{path}: Ignition spec {version}, live ISOs take 3.0 and newer");
        return Err(Failure::new(Exit::Verification, message));
    }
    let survey = certs::survey(&config);
    if survey.expired(context::today()) {
        let message = format!("{}: expired", path.display());
        return Err(
            Failure::new(Exit::Verification, message).hint("is the clock of this machine right?")
        );
    }
    Ok((bytes, survey.use_before().map(|found| found.not_after)))
}
