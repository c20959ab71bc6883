//! `osimage predict`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::lint::Api;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::osimage::names::PushSpec;
use crate::osimage::predict::{self, OsImages, Prediction};
use crate::osimage::{Era, Error};

/// Flags of `predict`.
#[derive(Debug, Args)]
#[command(
    after_help = "The name is a hash over text that the operator's YAML writer makes; texts that its versions write differently are refused (exit code 3). Compare one prediction with one build of your release before you rely on it.\n\nExamples:\n  oc get mcp master -o yaml > mcp.yaml; oc get cm -n openshift-machine-config-operator machine-config-osimageurl -o yaml > urls.yaml\n  snoforge osimage predict --config machineosconfig.yaml --mcp mcp.yaml --os-images urls.yaml\n  snoforge osimage predict --api 4.14 --rendered rendered-layering-dd37180c… --push-spec quay.io/org/os"
)]
pub(crate) struct Predict {
    /// The MachineOSConfig (YAML or JSON, among other objects too).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The MachineConfigPool, as the cluster has it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rendered", "source"])]
    mcp: Option<PathBuf>,
    /// Name of the rendered MachineConfig, instead of --mcp.
    #[arg(long, value_name = "NAME")]
    rendered: Option<String>,
    /// MachineConfigs that went into it, in their order.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    source: Vec<String>,
    /// The ConfigMap machine-config-osimageurl.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["base_image", "extensions_image", "release"])]
    os_images: Option<PathBuf>,
    /// Its key baseOSContainerImage.
    #[arg(long, value_name = "REF")]
    base_image: Option<String>,
    /// Its key baseOSExtensionsContainerImage.
    #[arg(long, value_name = "REF")]
    extensions_image: Option<String>,
    /// Its key releaseVersion.
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    /// Whose names.
    #[arg(long, value_enum, default_value_t, value_name = "VERSION")]
    api: Api,
    /// Where the image is pushed; only for 4.14, else the MachineOSConfig says it.
    #[arg(long, value_name = "REF")]
    push_spec: Option<String>,
}

impl Predict {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let predicted = match self.api.into() {
            Era::V1 => self.v1()?,
            Era::V414 => {
                let rendered = self.rendered.ok_or(Error::Missing("rendered"))?;
                let push = self.push_spec.ok_or(Error::Missing("push-spec"))?;
                predict::build_of_4_14(&rendered, &PushSpec::new(&push, Era::V414)?)?
            }
        };
        context.result(&predicted, || text(&predicted))
    }

    fn v1(&self) -> Result<Prediction, Failure> {
        let path = self.config.as_ref().ok_or(Error::Missing("config"))?;
        let config = object(path, "MachineOSConfig")?;
        let configuration = match (&self.mcp, &self.rendered) {
            (Some(path), _) => {
                let pool = object(path, "MachineConfigPool")?;
                let found = pool.pointer("/spec/configuration").cloned();
                found.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
            }
            (None, Some(name)) => predict::configuration(name, &self.source),
            (None, None) => return Err(Error::Missing("mcp").into()),
        };
        let images = match &self.os_images {
            Some(path) => {
                OsImages::from_config_map(&path.display().to_string(), &object(path, "ConfigMap")?)?
            }
            None => OsImages {
                base: self.base_image.clone().ok_or(Error::Missing("os-images"))?,
                extensions: self
                    .extensions_image
                    .clone()
                    .ok_or(Error::Missing("extensions-image"))?,
                release: self.release.clone().ok_or(Error::Missing("release"))?,
            },
        };
        let file = path.display().to_string();
        Ok(predict::machine_os_build(
            &file,
            &config,
            &configuration,
            &images,
        )?)
    }
}

fn text(predicted: &Prediction) -> String {
    let mut lines = Vec::new();
    if let Some(name) = &predicted.machine_os_build {
        lines.push(format!("MachineOSBuild  {name}"));
    }
    lines.push(format!("build           {}", predicted.build));
    lines.push(format!("image           {}", predicted.image));
    lines.push(format!(
        "ConfigMaps      {}",
        predicted.config_maps.join(", ")
    ));
    lines.join("\n")
}

/// The first object of a kind in a file.
fn object(path: &Path, kind: &str) -> Result<Value, Failure> {
    /// Far above any of these objects.
    const MAX_BYTES: usize = 4 << 20;
    let bytes = fs_err::read(path).map_err(|e| unreadable(path, &e))?;
    let refuse = |reason: &str| Failure::new(Exit::Usage, format!("{}: {reason}", path.display()));
    if bytes.len() > MAX_BYTES {
        return Err(refuse("more than 4 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is no text"))?;
    let all: Vec<Value> =
        serde_saphyr::from_multiple(&text).map_err(|_| refuse("it is neither YAML nor JSON"))?;
    let items = |object: Value| match object.get("items").and_then(Value::as_array) {
        Some(items) => items.clone(),
        None => vec![object],
    };
    let mut all = all.into_iter().flat_map(items);
    let found = all.find(|object| object.get("kind").and_then(Value::as_str) == Some(kind));
    found.ok_or_else(|| refuse(&format!("there is no {kind} in it")))
}
