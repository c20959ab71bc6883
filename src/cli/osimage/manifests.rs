//! `osimage manifests`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{config_failure, lint};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::findings::findings_text;
use crate::cli::manifest::{Manifest, write, write_all};
use crate::objects::auth::{AuthFile, Credentials};
use crate::objects::{Severity, has_errors};
use crate::osimage::resources::{self, OsImage};
use crate::osimage::settings::Settings;
use crate::osimage::{Era, Error, containerfile};

/// Flags of `manifests`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every value comes from a flag or from `-f osimage.yaml`; a flag beats the file. Nothing is written before all values are right, the Containerfile included.\n\nExamples:\n  snoforge osimage manifests --pool master --push-spec quay.io/org/os:latest --push-secret os-push --push-authfile push.json --containerfile Containerfile\n  snoforge osimage manifests --pool master --image-stream os-image --push-secret builder-dockercfg-g8mgj\n  snoforge osimage manifests -f osimage.yaml -o manifests/"
)]
pub(crate) struct Manifests {
    /// The values, in one file.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The pool that boots the image: `master` on Single Node OpenShift.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Where the image is pushed: host.with.dot[:port]/namespace/name:tag.
    #[arg(long, value_name = "REF")]
    push_spec: Option<String>,
    /// Push into this ImageStream of the integrated registry instead.
    #[arg(long, value_name = "NAME", conflicts_with = "push_spec")]
    image_stream: Option<String>,
    /// Secret to push with, in the operator's namespace.
    #[arg(long, value_name = "NAME")]
    push_secret: Option<String>,
    /// Write that Secret too, from this credential file (containers-auth.json).
    #[arg(long, value_name = "FILE")]
    push_authfile: Option<String>,
    /// Secret to pull the base image with [default: the cluster's pull secret].
    #[arg(long, value_name = "NAME")]
    base_secret: Option<String>,
    /// Write that Secret too, from this credential file.
    #[arg(long, value_name = "FILE")]
    base_authfile: Option<String>,
    /// What to add to the image.
    #[arg(long, value_name = "FILE")]
    containerfile: Option<String>,
    /// v1, or 4.14 for the ConfigMaps of that release [default: v1].
    #[arg(long, value_name = "VERSION")]
    api: Option<String>,
    /// The cluster has more than one node, and so other pools.
    #[arg(long)]
    multi_node: bool,
    /// Write a file each into this directory (made when absent) instead of all to stdout.
    #[arg(short, value_name = "DIR")]
    o: Option<PathBuf>,
}

impl Manifests {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let config = self.file.clone();
        let out = self.o.clone();
        let settings = self.settings()?;
        let at = |error: Error| config_failure(&settings.located(&error));
        let base = config.as_deref().and_then(Path::parent);
        let named = |field: &str| {
            let (text, from_file) = settings.text(field)?;
            let directory = base.filter(|_| from_file);
            Some(directory.map_or_else(|| PathBuf::from(text), |d| d.join(text)))
        };
        let era = settings.era().map_err(at)?;
        let file = named("containerfile")
            .map(|path| checked(context, &path, era))
            .transpose()?;
        let image = settings.os_image(file).map_err(at)?;
        let mut manifests = Vec::new();
        if let Some((name, _)) = settings.text("image-stream") {
            let stream = resources::image_stream(name);
            manifests.push(Manifest::new("imagestream.yaml", stream));
        }
        if let Some(path) = named("push-authfile") {
            let bytes = read(&path)?;
            let auth =
                AuthFile::parse(&path, bytes, image.push.reference()).map_err(|e| at(e.into()))?;
            let text = resources::push_secret(&image.push_secret, &auth).map_err(at)?;
            manifests.push(secret("secret-push.yaml", text));
        }
        if let (Some(path), Some(name)) = (named("base-authfile"), &image.base_secret) {
            let auth = Credentials::parse(&path, read(&path)?).map_err(|e| at(e.into()))?;
            uncovered(context, &path, &auth, &image);
            let text = resources::base_secret(name, &auth).map_err(at)?;
            manifests.push(secret("secret-base.yaml", text));
        }
        if let Some(pool) = image.machine_config_pool() {
            manifests.push(Manifest::new("machineconfigpool.yaml", pool));
        }
        let name = match image.era {
            Era::V1 => "machineosconfig.yaml",
            Era::V414 => "on-cluster-build.yaml",
        };
        manifests.push(Manifest::new(name, image.config()));
        notes(context, &image);
        match out {
            Some(dir) => write_all(context, &dir, &manifests),
            None => write(context, None, &manifests),
        }
    }

    fn settings(self) -> Result<Settings, Failure> {
        let mut settings = match &self.file {
            None => Settings::default(),
            Some(path) => {
                let text = fs_err::read_to_string(path).map_err(|e| unreadable(path, &e))?;
                Settings::parse(&path.display().to_string(), &text).map_err(|findings| {
                    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
                    Failure {
                        exit: Exit::Usage,
                        message: lines.join("\nerror: "),
                        hint: findings.iter().find_map(|f| f.hint.clone()),
                    }
                })?
            }
        };
        settings.set("pool", self.pool);
        settings.set("push-spec", self.push_spec);
        settings.set("image-stream", self.image_stream);
        settings.set("push-secret", self.push_secret);
        settings.set("push-authfile", self.push_authfile);
        settings.set("base-secret", self.base_secret);
        settings.set("base-authfile", self.base_authfile);
        settings.set("containerfile", self.containerfile);
        settings.set("api", self.api);
        settings.set("multi-node", self.multi_node.then(|| "true".to_owned()));
        Ok(settings)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs_err::read(path).map_err(|e| unreadable(path, &e))
}

fn secret(name: &'static str, text: String) -> Manifest {
    Manifest {
        secret: true,
        ..Manifest::new(name, text)
    }
}

/// The Containerfile, when no rule forbids it; the others are said.
fn checked(context: &Context, path: &Path, era: Era) -> Result<String, Failure> {
    let text = lint::read(path)?;
    let findings = containerfile::lint::lint(&path.display().to_string(), &text, era);
    if has_errors(&findings) {
        let mut errors = findings;
        errors.retain(|f| f.severity == Severity::Error);
        let message = format!(
            "the Containerfile does not work\n{}",
            findings_text(&errors)
        );
        return Err(Failure::new(Exit::Usage, message)
            .hint("`snoforge osimage lint` tells the warnings too"));
    }
    if !findings.is_empty() {
        context.say(&findings_text(&findings));
    }
    Ok(text)
}

/// Warns of images that the pull secret has no entry for: they may be public.
fn uncovered(context: &Context, path: &Path, auth: &Credentials, image: &OsImage) {
    let text = image.containerfile.as_deref().unwrap_or_default();
    for used in containerfile::images(text) {
        let known: Option<crate::oci::Reference> = used.parse().ok();
        if known.is_some_and(|image| !auth.covers(&image)) {
            let path = path.display();
            context.warn(&format!(
                "{path} has no entry for {used}; that is right only if anyone may pull it"
            ));
        }
    }
}

fn notes(context: &Context, image: &OsImage) {
    if image.push.is_internal() {
        context.say("note: on bare metal the integrated registry is off until it has storage (`oc get configs.imageregistry/cluster`)");
    }
    match image.era {
        Era::V1 => context.say("note: applying the MachineOSConfig starts the build, and the finished image is rolled out by a reboot of the node"),
        Era::V414 => {
            if image.base_secret.is_none() {
                let name = resources::BASE_SECRET;
                context.say(&format!("note: the Secret {name} must be there; it is a copy of the cluster's pull secret"));
            }
            let label = resources::ENABLED_LABEL;
            let pool = image.pool.name();
            context.say(&format!("note: the build starts with `oc label mcp/{pool} {label}=`; a pool that was opted in cannot be rolled back in 4.14"));
        }
    }
}
