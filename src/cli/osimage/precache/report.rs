//! The plan, the result, the document.

use serde_json::{Value, json};

use super::{Plan, Precache};
use crate::cli::context::Context;
use crate::cli::findings::findings_text;
use crate::fetch;
use crate::inventory::Summary;
use crate::osimage::precache::{Manifest, Method};
use crate::ui::{format, table};

impl Precache {
    /// The plan and the traps, before anything is done.
    pub(super) fn say(&self, context: &Context, plan: &Plan) {
        let summary = Summary::of(&plan.part);
        let release = &plan.release;
        let version = release.version.as_deref().unwrap_or("not known");
        let mut rows = vec![
            ("OS image", plan.image.to_string()),
            ("Pool", self.pool.clone()),
            ("Release", format!("{version} ({})", release.architecture)),
            ("Operator", release.operator.to_string()),
            ("Told by", told(&plan.method).to_owned()),
            ("On disk", format::bytes(summary.disk_bytes)),
        ];
        let dropped = plan.dropped.iter().map(|old| ("Replaces", old.to_string()));
        rows.extend(dropped);
        if let Some(dir) = &self.manifests {
            let file = |m: &Manifest| ("Manifest", dir.join(&m.path).display().to_string());
            rows.extend(plan.files.iter().map(file));
        }
        context.say(&table::summary(&rows));
        if !plan.findings.is_empty() {
            context.say(&findings_text(&plan.findings));
        }
    }

    pub(super) fn text(&self, summary: &fetch::Summary) -> String {
        if !summary.is_complete() {
            return format!("not complete: {}", self.folder.display());
        }
        let state = format!(
            "{}: {} fetched, {} there before",
            self.folder.display(),
            format::bytes(summary.bytes_fetched),
            format::count(summary.skipped as u64, "image")
        );
        let next = match &self.manifests {
            Some(dir) => format!("{}: manifests written; next: openshift-install create single-node-ignition-config --dir {0}, then snoforge ignition patch", dir.display()),
            None => "no manifests written: --manifests DIR does, in the directory of `openshift-install create manifests`".to_owned(),
        };
        format!("{state}\n{next}")
    }

    pub(super) fn document(&self, plan: &Plan, summary: Option<&fetch::Summary>) -> Value {
        let complete = summary.is_some_and(fetch::Summary::is_complete);
        let dir = self.manifests.iter();
        let files = dir.flat_map(|dir| plan.files.iter().map(|m| dir.join(&m.path)));
        let files: Vec<_> = files.collect();
        json!({
            "image": plan.image.to_string(), "pool": self.pool, "release": plan.release.version,
            "architecture": plan.release.architecture, "operator": plan.release.operator, "prebuilt": plan.method.name(),
            "replaces": plan.dropped, "findings": plan.findings, "manifests": files,
            "dryRun": self.dry_run, "complete": complete,
            "bytesFetched": summary.map(|s| s.bytes_fetched), "bytesOnDisk": Summary::of(&plan.part).disk_bytes,
        })
    }
}

fn told(method: &Method) -> &'static str {
    match method {
        Method::Annotation(_) => "MachineOSConfig with the annotation pre-built-image",
        Method::OsImageUrl => "MachineConfig with spec.osImageURL",
    }
}
