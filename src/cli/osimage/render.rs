//! `osimage render`.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::osimage::render::{MAX_BYTES, render};

/// Flags of `render`.
#[derive(Debug, Args)]
#[command(
    after_help = "Files of the MachineConfig are shown decoded. What looks like a secret is shown by size and digest.\n\nExamples:\n  snoforge osimage render machineconfig.json.gz\n  oc get cm -n openshift-machine-config-operator -l machineconfiguration.openshift.io/ephemeral-build-object -o yaml | snoforge osimage render --dockerfile -"
)]
pub(crate) struct Render {
    /// machineconfig.json.gz, its base64, the ConfigMap that holds it (YAML or JSON, a list too), a MachineConfig, or an Ignition config; `-` for stdin.
    file: PathBuf,
    /// Only the Containerfile.
    #[arg(long, visible_alias = "containerfile")]
    dockerfile: bool,
    /// Show secrets too.
    #[arg(long)]
    show_secrets: bool,
}

impl Render {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let mut bytes = Vec::new();
        let most = MAX_BYTES as u64 + 1;
        let read = if name == "-" {
            std::io::stdin().lock().take(most).read_to_end(&mut bytes)
        } else {
            fs_err::File::open(&self.file).and_then(|f| f.take(most).read_to_end(&mut bytes))
        };
        read.map_err(|e| unreadable(&self.file, &e))?;
        let mut shown = render(&name, &bytes, self.show_secrets)?;
        if self.dockerfile {
            shown.retain(|part| part.kind == "Containerfile");
            if shown.is_empty() {
                let failure = Failure::new(
                    Exit::Usage,
                    format!("{name}: there is no Containerfile in it"),
                );
                return Err(failure.hint("it is in the ConfigMap containerfile-BUILD, in 4.14 dockerfile-RENDERED, while the build is going on or has failed"));
            }
        }
        context.result(&json!({ "rendered": shown }), || {
            let single = shown.len() == 1;
            let text = |part: &crate::osimage::render::Rendered| {
                let text = part.text.trim_end();
                if single {
                    return text.to_owned();
                }
                format!("# {} {}\n---\n{text}", part.kind, part.name)
            };
            let parts: Vec<String> = shown.iter().map(text).collect();
            crate::cli::findings::printable(&parts.join("\n"))
        })
    }
}
