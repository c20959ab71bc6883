//! `osimage manifests`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::wanted::Wanted;
use crate::cli::context::Context;
use crate::cli::exit::{Failure, unreadable};
use crate::cli::manifest::{Manifest, write, write_all};
use crate::objects::auth::{AuthFile, Credentials};
use crate::osimage::resources::{self, OsImage};
use crate::osimage::{Era, Error, containerfile};

/// Flags of `manifests`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every value comes from a flag or from `-f osimage.yaml`; a flag beats the file. Nothing is written before all values are right, the Containerfile included.\n\nExamples:\n  snoforge osimage manifests --pool master --push-spec quay.io/org/os:latest --push-secret os-push --push-authfile push.json --containerfile Containerfile\n  snoforge osimage manifests --pool master --image-stream os-image --push-secret builder-dockercfg-g8mgj\n  snoforge osimage manifests -f osimage.yaml -o manifests/"
)]
pub(crate) struct Manifests {
    #[command(flatten)]
    wanted: Wanted,
    /// Write the push secret too, from this credential file (containers-auth.json).
    #[arg(long, value_name = "FILE")]
    push_authfile: Option<String>,
    /// Write the base secret too, from this credential file.
    #[arg(long, value_name = "FILE")]
    base_authfile: Option<String>,
    /// Write a file each into this directory (made when absent) instead of all to stdout.
    #[arg(short, value_name = "DIR")]
    o: Option<PathBuf>,
}

impl Manifests {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let mut values = self.wanted.values()?;
        values.settings.set("push-authfile", self.push_authfile);
        values.settings.set("base-authfile", self.base_authfile);
        let at = |error: Error| values.at(&error);
        let image = values.image(context)?;
        let mut manifests = Vec::new();
        if let Some((name, _)) = values.settings.text("image-stream") {
            let stream = resources::image_stream(name);
            manifests.push(Manifest::new("imagestream.yaml", stream));
        }
        if let Some(path) = values.path("push-authfile") {
            let bytes = read(&path)?;
            let auth =
                AuthFile::parse(&path, bytes, image.push.reference()).map_err(|e| at(e.into()))?;
            let text = resources::push_secret(&image.push_secret, &auth).map_err(at)?;
            manifests.push(secret("secret-push.yaml", text));
        }
        if let (Some(path), Some(name)) = (values.path("base-authfile"), &image.base_secret) {
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
        match self.o {
            Some(dir) => write_all(context, &dir, &manifests),
            None => write(context, None, &manifests),
        }
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
