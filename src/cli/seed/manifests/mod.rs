//! `seed manifests`.

mod flags;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use flags::{
    All, Common, Detach, DnsmasqFlags, OperatorFlags, PartitionFlags, SeedgenFlags, UpgradeFlags,
};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::manifest::{Manifest, write, write_all};
use crate::seed::auth::AuthFile;
use crate::seed::dnsmasq::Dnsmasq;
use crate::seed::partition::gib;
use crate::seed::resources::{self, SeedGenerator};
use crate::seed::settings::Settings;
use crate::seed::{Error, Severity};

/// Which manifests.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Every value comes from a flag or from `-c seed.yaml`; a flag beats the file. Nothing is written before all values are right.\n\nExamples:\n  snoforge seed manifests dnsmasq --name mysno --domain sno.example.com --ip 10.20.30.5 --mc\n  snoforge seed manifests all -c seed.yaml -o manifests/"
)]
pub(crate) enum Manifests {
    /// dnsmasq that can be moved to another name and address: site-policy subsection, or MachineConfig with --mc.
    Dnsmasq(DnsmasqFlags),
    /// The partition for container storage, with its mount unit: a MachineConfig for the installation.
    Partition(PartitionFlags),
    /// Secret seedgen and SeedGenerator seedimage: applying them starts the imaging.
    Seedgen(SeedgenFlags),
    /// ImageBasedUpgrade of a target, in stage Idle.
    Upgrade(UpgradeFlags),
    /// Namespace, OperatorGroup and Subscription of lifecycle-agent.
    Operator(OperatorFlags),
    /// Take the seed cluster out of a kustomization, so that GitOps detaches it from the hub.
    Detach(Detach),
    /// Everything that seed.yaml describes, into a directory.
    All(All),
}

impl Manifests {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Dnsmasq(flags) => flags.run(context),
            Self::Partition(flags) => flags.run(context),
            Self::Seedgen(flags) => flags.run(context),
            Self::Upgrade(flags) => flags.run(context),
            Self::Operator(flags) => flags.run(context),
            Self::Detach(flags) => flags.run(context),
            Self::All(flags) => flags.run(context),
        }
    }
}

impl Common {
    /// The file's values, or none.
    fn settings(&self) -> Result<Settings, Failure> {
        self.config
            .as_deref()
            .map_or_else(|| Ok(Settings::default()), settings)
    }

    fn write(&self, context: &Context, manifests: &[Manifest]) -> Result<(), Failure> {
        write(context, self.o.as_deref(), manifests)
    }
}

pub(super) fn settings(path: &Path) -> Result<Settings, Failure> {
    let text = fs_err::read_to_string(path).map_err(|e| unreadable(path, &e))?;
    Settings::parse(&path.display().to_string(), &text).map_err(|findings| {
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        Failure {
            exit: Exit::Usage,
            message: lines.join("\nerror: "),
            hint: findings.iter().find_map(|f| f.hint.clone()),
        }
    })
}

/// The failure that an error of a value is, at its place.
fn at(settings: &Settings, error: &Error) -> Failure {
    let finding = settings.located(error);
    let message = if finding.at.line == 0 {
        finding.message
    } else {
        finding.to_string()
    };
    Failure {
        exit: Exit::Usage,
        message,
        hint: finding.hint,
    }
}

fn dnsmasq(settings: &Settings) -> Result<Dnsmasq, Error> {
    let (cluster, ip) = settings.cluster()?;
    Ok(Dnsmasq {
        cluster,
        ip,
        wave: settings.wave()?,
        guarded: settings.guarded()?,
    })
}

impl DnsmasqFlags {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let mut settings = self.common.settings()?;
        settings.set("name", self.name);
        settings.set("domain", self.domain);
        settings.set("ip", self.ip);
        settings.set("wave", self.wave);
        settings.set("guarded", self.guarded.then(|| "true".to_owned()));
        let dnsmasq = dnsmasq(&settings).map_err(|e| at(&settings, &e))?;
        let text = if self.mc {
            dnsmasq.machine_config()
        } else {
            dnsmasq.site_policy()
        };
        self.common.write(
            context,
            &[Manifest::new("50-master-dnsmasq-configuration", text)],
        )
    }
}

impl PartitionFlags {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let mut settings = self.common.settings()?;
        settings.set("device", self.device);
        settings.set("start-mib", self.start_mib);
        settings.set("size-mib", self.size_mib);
        settings.set("label", self.label);
        settings.set("role", self.role);
        settings.set("disk-size", self.disk_size);
        let manifest = partition(context, &settings)?;
        self.common.write(context, &[manifest])
    }
}

/// The manifest, when no lint forbids it; the others are said.
fn partition(context: &Context, settings: &Settings) -> Result<Manifest, Failure> {
    let partition = settings.partition().map_err(|e| at(settings, &e))?;
    let disk = settings.disk_bytes().map_err(|e| at(settings, &e))?;
    let sizes = partition.sizes(disk);
    let mut errors = Vec::new();
    for lint in partition.lints(disk) {
        match lint.severity {
            Severity::Error => errors.push(lint.message),
            Severity::Warning => context.warn(&lint.message),
            Severity::Note => context.say(&format!("note: {}", lint.message)),
        }
    }
    if !errors.is_empty() {
        let hint = "choose --start-mib and --size-mib so that root and container storage have room; --disk-size tells the disk's size";
        return Err(Failure::new(Exit::Usage, errors.join("\nerror: ")).hint(hint));
    }
    let containers = sizes
        .containers_mib
        .map_or_else(|| "the rest of the disk".to_owned(), gib);
    context.say(&format!(
        "root gets {}, container storage {containers}",
        gib(sizes.root_mib)
    ));
    context.say("note: it works at installation only: put it among the install manifests, the machine config operator refuses it later");
    Ok(Manifest::new(
        "98-var-lib-containers-partitioned",
        partition.machine_config(),
    ))
}

impl SeedgenFlags {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let mut settings = self.common.settings()?;
        let path = |p: Option<PathBuf>| p.map(|p| p.to_string_lossy().into_owned());
        settings.set("seed-image", self.seed_image);
        settings.set("authfile", path(self.authfile));
        settings.set("hub-kubeconfig", path(self.hub_kubeconfig));
        settings.set("api", self.api);
        settings.set("recert-image", self.recert_image);
        settings.set("namespace", self.namespace);
        let manifests = seedgen(context, &settings, self.common.config.as_deref())?;
        self.common.write(context, &manifests)
    }
}

/// A path from the file is relative to the file.
pub(super) fn named(settings: &Settings, field: &str, config: Option<&Path>) -> Option<PathBuf> {
    let (text, from_file) = settings.text(field)?;
    let directory = config.and_then(Path::parent).filter(|_| from_file);
    Some(directory.map_or_else(|| PathBuf::from(text), |d| d.join(text)))
}

/// What is asked of lifecycle-agent, with the credentials.
pub(super) fn generator(
    context: &Context,
    settings: &Settings,
    config: Option<&Path>,
) -> Result<SeedGenerator, Failure> {
    let wrong = |e: Error| at(settings, &e);
    let image = settings.seed_image().map_err(wrong)?;
    let path =
        named(settings, "authfile", config).ok_or_else(|| wrong(Error::Missing("authfile")))?;
    let bytes = fs_err::read(&path).map_err(|e| unreadable(&path, &e))?;
    let auth = AuthFile::parse(&path, bytes, image.reference()).map_err(|e| wrong(e.into()))?;
    if !auth.others.is_empty() {
        context.warn(&format!(
            "{} holds credentials for other places too ({}); they go to the seed cluster with it",
            path.display(),
            auth.others.join(", ")
        ));
    }
    let hub = named(settings, "hub-kubeconfig", config).map(|path| {
        context.warn("lifecycle-agent reads no hubKubeconfig since February 2024: detach the cluster before (`snoforge seed manifests detach`)");
        let bytes = fs_err::read(&path).map_err(|e| unreadable(&path, &e))?;
        resources::hub_kubeconfig(&path, bytes).map_err(wrong)
    });
    Ok(SeedGenerator {
        image,
        auth,
        hub_kubeconfig: hub.transpose()?,
        recert: settings.recert().map_err(wrong)?,
        api: settings.api().map_err(wrong)?,
        namespace: settings.operator().map_err(wrong)?.namespace,
    })
}

fn seedgen(
    context: &Context,
    settings: &Settings,
    config: Option<&Path>,
) -> Result<Vec<Manifest>, Failure> {
    let generator = generator(context, settings, config)?;
    let secret = Manifest {
        secret: true,
        ..Manifest::new("seedgen", generator.secret())
    };
    Ok(vec![
        secret,
        Manifest::new("seedimage", generator.generator()),
    ])
}

impl UpgradeFlags {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let mut settings = self.common.settings()?;
        settings.set("upgrade-image", self.seed_image);
        settings.set("version", self.version);
        settings.set("pull-secret", self.pull_secret);
        settings.set("oadp-content", self.oadp_content);
        settings.set("extra-manifest", self.extra_manifest);
        settings.set("api", self.api);
        let upgrade = settings.upgrade().map_err(|e| at(&settings, &e))?;
        self.common
            .write(context, &[Manifest::new("upgrade", upgrade.manifest())])
    }
}

impl OperatorFlags {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let mut settings = self.common.settings()?;
        settings.set("namespace", self.namespace);
        settings.set("channel", self.channel);
        settings.set("source", self.source);
        let operator = settings.operator().map_err(|e| at(&settings, &e))?;
        self.common.write(
            context,
            &[Manifest::new("lifecycle-agent", operator.manifests())],
        )
    }
}

impl Detach {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let text = fs_err::read_to_string(&self.file).map_err(|e| unreadable(&self.file, &e))?;
        let out = resources::detached(&self.file.display().to_string(), &text, &self.resource)?;
        write(
            context,
            self.o.as_deref(),
            &[Manifest::new("kustomization", out)],
        )?;
        context.say("commit it, and wait until the managed cluster is gone from the hub before the SeedGenerator is applied");
        Ok(())
    }
}

impl All {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let settings = settings(&self.config)?;
        // Everything is made before anything is written.
        let mut files = Vec::new();
        let operator = settings.operator().map_err(|e| at(&settings, &e))?;
        files.push(Manifest::new("lifecycle-agent.yaml", operator.manifests()));
        if settings.has("name") {
            let dnsmasq = dnsmasq(&settings).map_err(|e| at(&settings, &e))?;
            files.push(Manifest::new(
                "50-master-dnsmasq-configuration.yaml",
                dnsmasq.machine_config(),
            ));
            files.push(Manifest::new(
                "site-policy-dnsmasq.yaml",
                dnsmasq.site_policy(),
            ));
        }
        if settings.has("device") {
            let manifest = partition(context, &settings)?;
            files.push(Manifest::new(
                "98-var-lib-containers-partitioned.yaml",
                manifest.text,
            ));
        }
        if settings.has("authfile") {
            let names = ["seedgen-secret.yaml", "seedgenerator.yaml"];
            let manifests = seedgen(context, &settings, Some(&self.config))?;
            files.extend(
                manifests
                    .into_iter()
                    .zip(names)
                    .map(|(m, name)| Manifest { name, ..m }),
            );
        }
        if settings.has("version") {
            let upgrade = settings.upgrade().map_err(|e| at(&settings, &e))?;
            files.push(Manifest::new("imagebasedupgrade.yaml", upgrade.manifest()));
        }
        write_all(context, &self.o, &files)
    }
}
