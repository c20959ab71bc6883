//! `ignition create`: `install-config.yaml` written from a site, and `openshift-install` run on it; for one machine or a list.
//!
//! ```text
//! OUT/                        with --sites OUT/HOSTNAME/
//! ├── bootstrap-in-place-for-live-iso.ign   0600: keys of the cluster, the pull secret
//! ├── auth/kubeconfig  auth/kubeadmin-password   0600, in a directory of 0700
//! ├── metadata.json
//! └── install.json            what it was made from (digest), by which installer, use-before
//! ```
//! The pull secret and the SSH key are named by file. They are in the install config, which exists in a private directory while the
//! installer works and is removed with it, and in nothing that is printed.

mod cluster;
mod flags;
mod installer;

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::SignedDuration;
use rayon::prelude::*;
use serde_json::json;

use super::printable;
use crate::cli::assets::Release;
use crate::cli::context::{Context, block_on, on_interrupt};
use crate::cli::exit::{Categorised, Exit, Failure, unreadable};
use crate::cli::imageset::check::{findings_failure, told};
use crate::cli::iso;
use crate::cli::precache::finish;
use crate::cli::values;
use crate::config::Finding;
use crate::io::atomic;
use crate::progress::Event;
use crate::site::install_config::{self, Secrets, render};
use crate::site::list::{self, Listed};
use crate::site::{Field, Request, Site};
use crate::ui::table;

use cluster::{Job, Made};
use flags::ClusterFlags;
use installer::Installer;

pub(in crate::cli) use cluster::IGNITION;

/// Flags of `create`.
#[derive(Debug, Args)]
#[command(
    after_help = "The result is good for 24 hours: `ignition certs --extend` makes it last. A second run with the same inputs keeps what is there; other inputs need --force, since a new config has new keys and fits no machine that was installed from the old one.\n\nExamples:\n  snoforge ignition create --hostname bip --domain lab.example.com --machine-network 192.168.86.0/24 --installation-disk /dev/sda \\\n    --pull-secret pull-secret.json --ssh-key ~/.ssh/id_ed25519.pub -f /mnt -o cluster/\n  snoforge ignition create --sites sites.csv --domain lab.example.com --pull-secret pull-secret.json --ssh-key key.pub \\\n    --installer ./openshift-install -o clusters/"
)]
pub(crate) struct Create {
    /// List of machines (CSV or YAML): each becomes a cluster of its own, in OUT/HOSTNAME.
    #[arg(long, value_name = "FILE", conflicts_with = "hostname")]
    sites: Option<PathBuf>,
    /// Name of the machine.
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Name of the cluster. Default: the first label of the hostname.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Base domain: the API is `api.CLUSTER.DOMAIN`.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Disk that the machine is installed on.
    #[arg(long, value_name = "DISK")]
    installation_disk: Option<String>,
    /// Pull secret from console.redhat.com.
    #[arg(long, value_name = "FILE")]
    pull_secret: PathBuf,
    /// Public SSH key for the user `core`.
    #[arg(long, value_name = "FILE")]
    ssh_key: PathBuf,
    /// The `openshift-install` to run. Default: the one of -f, else the one in the PATH.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["folder", "config_only"])]
    installer: Option<PathBuf>,
    /// Data directory: `openshift-install` is taken out of its release, as `assets installer` does.
    #[arg(
        short = 'f',
        long = "folder",
        value_name = "DIR",
        conflicts_with = "config_only"
    )]
    folder: Option<PathBuf>,
    /// Release in the data directory, X.Y.Z, when it has several.
    #[arg(short, long, value_name = "X.Y.Z", requires = "folder")]
    release: Option<String>,
    /// Directory for the result.
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    /// Installers at work at once.
    #[arg(short, long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    /// Write install-config.yaml, which holds the pull secret, and stop.
    #[arg(long)]
    config_only: bool,
    /// Sign certificates that expire sooner than this again, as `ignition certs --extend`: 365d, 12w, 48h.
    #[arg(long, value_name = "DURATION", value_parser = values::lifetime, conflicts_with = "config_only")]
    extend: Option<SignedDuration>,
    /// Replace a config that is there, when it is of other inputs or has expired.
    #[arg(long)]
    force: bool,
    /// Check everything that can be checked without the installer, and stop.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    network: iso::build::NetworkFlags,
    #[command(flatten)]
    cluster_flags: ClusterFlags,
}

impl Create {
    /// Runs the verb.
    ///
    /// # Errors
    /// A site, a secret or a flag that cannot work; an installer that is missing or refuses; a config that is there already; the
    /// disk; or interrupted.
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let sites = self.read(context)?;
        let secrets = self.secrets()?;
        let options = self.cluster_flags.options()?;
        let mut jobs = Vec::new();
        for site in &sites {
            let dir = match (&self.sites, &site.hostname) {
                (Some(_), Some(name)) => self.out.join(name.to_string()),
                _ => self.out.clone(),
            };
            let config = render(site, &options, &secrets)?;
            jobs.push(Job { site, dir, config });
        }
        if self.dry_run {
            return planned(context, &jobs);
        }
        if self.config_only {
            return written(context, &jobs, self.force);
        }
        block_on(self.make(context, &jobs, &secrets))
    }

    fn read(&self, context: &Context) -> Result<Vec<Site>, Failure> {
        let base = Request::default()
            .with(Field::Hostname, self.hostname.clone())
            .with(Field::Cluster, self.cluster.clone())
            .with(Field::Domain, self.domain.clone())
            .with(Field::InstallationDisk, self.installation_disk.clone());
        let base = self.network.over(base);
        let Some(list) = &self.sites else {
            return Ok(vec![iso::build::resolve(context, &base)?]);
        };
        let name = list.display().to_string();
        let parsed = list::parse(&name, &text(list)?, &base);
        let Listed { sites, warnings } =
            parsed.map_err(|found: Vec<Finding>| findings_failure(&found))?;
        for warning in told(&warnings) {
            context.warn(&warning);
        }
        let (own, sites): (Vec<Site>, Vec<Site>) =
            sites.into_iter().partition(|site| site.ignition.is_some());
        for site in own {
            let name = site.hostname.map(|name| name.to_string());
            let name = name.unwrap_or_default();
            context.say(&format!(
                "{name}: the list names a config of its own: none is made"
            ));
        }
        Ok(sites)
    }

    fn secrets(&self) -> Result<Secrets, Failure> {
        let read = |path: &Path| fs_err::read(path).map_err(|e| unreadable(path, &e));
        let key = text(&self.ssh_key)?;
        Secrets::new(&read(&self.pull_secret)?, &key).map_err(|e| {
            let of_key = matches!(e, install_config::Error::SshKey(_));
            at(
                if of_key {
                    &self.ssh_key
                } else {
                    &self.pull_secret
                },
                e,
            )
        })
    }

    async fn make(
        &self,
        context: &Context,
        jobs: &[Job<'_>],
        secrets: &Secrets,
    ) -> Result<(), Failure> {
        let cancel = on_interrupt();
        let program = tokio::select! {
            program = self.program(context) => program?,
            () = cancel.cancelled() => return Err(finish::interrupted(&self.out)),
        };
        let made = tokio::task::block_in_place(|| {
            let stop = || cancel.is_cancelled();
            let installer = Installer::ask(&program, secrets, &stop)?;
            installer.warnings().for_each(|w| context.warn(&w));
            self.run_all(context, jobs, &installer)
        })?;
        if cancel.is_cancelled() {
            return Err(finish::interrupted(&self.out));
        }
        self.report(context, jobs, made)
    }

    /// The installer to run: named, out of the data directory, or found in the PATH.
    async fn program(&self, context: &Context) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.installer {
            // A program is looked for in the PATH unless its name has a slash.
            return fs_err::canonicalize(path).map_err(|e| unreadable(path, &e));
        }
        let Some(folder) = &self.folder else {
            return Ok(PathBuf::from("openshift-install"));
        };
        let arch = Some(self.cluster_flags.arch.as_str());
        let release = Release::in_folder(folder, self.release.as_deref(), arch).await?;
        let out = folder.join("files");
        crate::cli::imageset::resolve::create_dir(&out)?;
        let program = release.installer(context, &out).await?;
        Ok(fs_err::canonicalize(program)?)
    }

    fn run_all(
        &self,
        context: &Context,
        jobs: &[Job<'_>],
        installer: &Installer<'_>,
    ) -> Result<Vec<Result<Made, Failure>>, Failure> {
        let report = |event: Event<'_>| context.reporter.report(event);
        report(Event::Phase {
            name: "create",
            items: Some(jobs.len() as u64),
            bytes: None,
        });
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(self.parallel));
        let pool = pool
            .build()
            .map_err(|e| Failure::new(Exit::Internal, format!("cannot start threads: {e}")))?;
        let one = |(id, job): (usize, &Job<'_>)| {
            let (id, name) = (id as u64, job.name());
            report(Event::Started {
                id,
                name: &name,
                size: None,
            });
            let made = job.make(context, installer, (self.force, self.extend));
            match &made {
                Ok(_) => report(Event::Finished { id }),
                Err(failure) => report(Event::Failed {
                    id,
                    reason: &failure.message,
                }),
            }
            made
        };
        let made = pool.install(|| jobs.par_iter().enumerate().map(one).collect());
        report(Event::PhaseDone);
        Ok(made)
    }

    fn report(
        &self,
        context: &Context,
        jobs: &[Job<'_>],
        made: Vec<Result<Made, Failure>>,
    ) -> Result<(), Failure> {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for result in made {
            match result {
                Ok(made) => done.push(made),
                Err(failure) => failed.push(failure),
            }
        }
        let total = done.len() + failed.len();
        let document = json!({
            "sites": done,
            "failures": failed.iter().map(|f| &f.message).collect::<Vec<_>>(),
        });
        if !done.is_empty() {
            context.result(&document, || printable(&listing(&done)))?;
            context.say(&format!("next: {}", self.next(jobs)));
        }
        let count = failed.len();
        let Some(first) = failed.into_iter().next() else {
            return Ok(());
        };
        if done.is_empty() && count == 1 {
            return Err(first);
        }
        let message = format!(
            "{count} of {total} configs were not made: {}",
            first.message
        );
        let exit = if done.is_empty() {
            first.exit
        } else {
            Exit::Partial
        };
        Err(Failure {
            message,
            exit,
            hint: first.hint,
        })
    }

    /// The line that makes boot media of the result.
    fn next(&self, jobs: &[Job<'_>]) -> String {
        let machine = crate::inventory::architecture::machine(&self.cluster_flags.arch);
        let live = format!("rhcos-live.{machine}.iso");
        let beside = self.folder.as_ref().map(|f| f.join("files").join(&live));
        let live = beside.filter(|path| path.exists()).unwrap_or(live.into());
        let (live, out) = (live.display(), self.out.display());
        match (&self.sites, jobs.first()) {
            (Some(list), _) => {
                let list = list.display();
                format!("snoforge iso build --iso {live} --sites {list} --ignition {out} -o isos/")
            }
            (None, job) => {
                let site = job.map(|job| job.site);
                let hostname = site.and_then(|s| s.hostname.as_ref());
                let flag = hostname.map_or_else(String::new, |h| format!(" --hostname {h}"));
                let ignition = self.out.join(IGNITION);
                let ignition = ignition.display();
                format!("snoforge iso build --iso {live} --ignition {ignition}{flag} … -o boot.iso")
            }
        }
    }
}

/// `--dry-run`.
fn planned(context: &Context, jobs: &[Job<'_>]) -> Result<(), Failure> {
    let row = |job: &Job<'_>| json!({"cluster": job.name(), "out": job.dir});
    let rows: Vec<_> = jobs.iter().map(row).collect();
    context.result(&json!({"dryRun": true, "sites": rows}), || {
        let lines = jobs.iter();
        let lines = lines.map(|job| format!("{} in {}", job.name(), job.dir.display()));
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// `--config-only`.
fn written(context: &Context, jobs: &[Job<'_>], force: bool) -> Result<(), Failure> {
    let path = |job: &Job<'_>| job.dir.join("install-config.yaml");
    let files: Vec<PathBuf> = jobs.iter().map(path).collect();
    for (job, path) in jobs.iter().zip(&files).filter(|_| !force) {
        // Edited, most likely: that is what it is written for.
        if path.exists() && fs_err::read(path)? != job.config.expose().as_bytes() {
            let message = format!("{} is there, of other contents", path.display());
            let failure = Failure::new(Exit::Usage, message);
            return Err(failure.hint("move it away, or add --force to have it replaced"));
        }
    }
    for (job, path) in jobs.iter().zip(&files) {
        cluster::private_dir(&job.dir)?;
        atomic::write_private(path, job.config.expose().as_bytes())?;
    }
    context.result(&json!({ "files": files }), || {
        let lines = files.iter().map(|f| format!("wrote {}", f.display()));
        lines.collect::<Vec<_>>().join("\n")
    })
}

fn listing(done: &[Made]) -> String {
    let rows = done.iter().map(|made| {
        vec![
            made.cluster.clone(),
            made.ignition.display().to_string(),
            if made.kept { "there already" } else { "made" }.to_owned(),
            made.use_before.clone().unwrap_or_default(),
            made.kubeconfig.display().to_string(),
        ]
    });
    let header = ["CLUSTER", "IGNITION", "", "USE BEFORE", "KUBECONFIG"];
    table::render(&header, rows.collect(), &[])
}

fn text(path: &Path) -> Result<String, Failure> {
    fs_err::read_to_string(path).map_err(|e| unreadable(path, &e))
}

fn at(path: &Path, error: install_config::Error) -> Failure {
    let failure = Failure::from(error);
    Failure {
        message: format!("{}: {}", path.display(), failure.message),
        ..failure
    }
}

impl Categorised for install_config::Error {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn advice(&self) -> Option<String> {
        self.hint().map(str::to_owned)
    }
}
