//! `imageset init`: the template, as factory-precaching-cli writes it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::context::Context;
use crate::cli::exit::{Categorised, Exit, Failure};
use crate::config::template;

/// What goes into the template; the same flags on `precache download`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Image set")]
pub(crate) struct TemplateFlags {
    /// Advanced Cluster Management version, X.Y.Z.
    #[arg(long, value_name = "X.Y.Z")]
    pub acm_version: Option<String>,
    /// Multicluster engine version, X.Y.Z.
    #[arg(long, value_name = "X.Y.Z")]
    pub mce_version: Option<String>,
    /// Deprecated: stands for ACM and MCE versions of 2.5 and 2.6.
    #[arg(long, value_name = "X.Y.Z", hide = true)]
    pub hub_version: Option<String>,
    /// Include the operators of the telco DU profile.
    #[arg(long)]
    pub du_profile: bool,
    /// An image for the live stage (assisted installer); may be repeated.
    #[arg(long = "ai-img", value_name = "REF")]
    pub ai_img: Vec<String>,
    /// An additional image; may be repeated.
    #[arg(long = "img", value_name = "REF")]
    pub img: Vec<String>,
    /// Catalog to use instead of redhat-operator-index.
    #[arg(long, value_name = "REF")]
    pub catalog_redhat_operators: Option<String>,
    /// Catalog to use instead of certified-operator-index.
    #[arg(long, value_name = "REF")]
    pub catalog_certified_operators: Option<String>,
}

/// `--profile`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// Release, ACM, MCE.
    #[default]
    Base,
    /// With the telco DU operators.
    Du,
}

/// Flags of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// OpenShift release, X.Y.Z.
    #[arg(short, long, value_name = "X.Y.Z")]
    release: String,
    /// Set of operators.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    #[command(flatten)]
    template: TemplateFlags,
    /// File to write; stdout when absent.
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl TemplateFlags {
    /// The template's options for a release.
    ///
    /// # Errors
    /// `--hub-version` together with what replaced it.
    pub(crate) fn options(&self, release: &str) -> Result<template::Options, Failure> {
        let (mut acm, mut mce) = (self.acm_version.clone(), self.mce_version.clone());
        if let Some(hub) = &self.hub_version {
            let (a, m) = template::from_hub_version(hub, acm.as_deref(), mce.as_deref())?;
            (acm, mce) = (Some(a), Some(m));
        }
        Ok(template::Options {
            release: release.to_owned(),
            mce_version: mce,
            acm_version: acm,
            du_profile: self.du_profile,
            ai_images: self.ai_img.clone(),
            images: self.img.clone(),
            catalog_redhat_operators: self.catalog_redhat_operators.clone(),
            catalog_certified_operators: self.catalog_certified_operators.clone(),
        })
    }
}

impl Categorised for template::TemplateError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn advice(&self) -> Option<String> {
        Some(self.hint().to_owned())
    }
}

impl Init {
    pub(super) fn run(mut self, context: &Context) -> Result<(), Failure> {
        self.template.du_profile |= self.profile == Profile::Du;
        let options = self.template.options(&self.release)?;
        options
            .warnings()
            .iter()
            .for_each(|warning| context.warn(warning));
        let text = template::render(&options)?;
        let Some(out) = self.out else {
            return context.result(&serde_json::json!({"imageset": text}), || {
                text.trim_end().to_owned()
            });
        };
        crate::io::atomic::write(&out, text.as_bytes())?;
        context.result(&serde_json::json!({"file": out}), || {
            format!("wrote {}", out.display())
        })
    }
}
