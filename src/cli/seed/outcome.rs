//! What a seed generation came to: the document, its text, and the exit code.

use serde_json::{Value, json};

use super::follow::{StateFile, resume};
use super::{findings_text, printable, pull_secret, unmet, verify};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cluster::Client;
use crate::oci::Reference;
use crate::remote;
use crate::seed::facts::is_sanitized;
use crate::seed::image::{self, SeedImage};
use crate::seed::imaging::{STEPS, State, Verdict, Watch, advice};
use crate::seed::{Finding, Severity};

/// What the end is told with.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) context: &'a Context,
    pub(super) client: &'a Client,
    pub(super) registry: &'a remote::Client,
    pub(super) file: Option<StateFile<'a>>,
}

impl Outcome<'_> {
    /// Looks at the published image and tells the verdict.
    ///
    /// # Errors
    /// Every verdict but a good one and "going on".
    pub(super) async fn tell(&self, watch: &Watch) -> Result<(), Failure> {
        let (state, verdict) = (watch.state(), watch.verdict());
        let published = matches!(
            verdict,
            Verdict::Completed | Verdict::ImagePublishedSeedNotRecovered { .. }
        );
        let inspected = match state.seed_image.parse::<Reference>() {
            Ok(reference) if published => image::inspect(self.registry, &reference).await.map(Some),
            _ => Ok(None),
        };
        let seed = inspected.as_ref().ok().and_then(Option::as_ref);
        let findings = seed.map(|seed| faults(seed, state)).unwrap_or_default();
        let restore = self.restore_hint(watch).await;
        let document = self.document(watch, seed, &findings, restore.as_deref())?;
        self.context.result(&document, || {
            let mut parts = vec![text(state, verdict)];
            if let Some(seed) = seed {
                parts.push(verify::head(seed, None));
            }
            if !findings.is_empty() {
                parts.push(findings_text(&findings));
            }
            parts.join("\n\n")
        })?;
        if let Some(restore) = &restore {
            self.context.warn(restore);
        }
        failure(watch, self.file)?;
        inspected?;
        unmet(
            &findings,
            &format!("{} is published, but", state.seed_image),
        )
    }

    fn document(
        &self,
        watch: &Watch,
        seed: Option<&SeedImage>,
        findings: &[Finding],
        restore: Option<&str>,
    ) -> Result<Value, Failure> {
        let (state, verdict) = (watch.state(), watch.verdict());
        let mut document = serde_json::to_value(verdict)
            .map_err(|e| Failure::new(Exit::Internal, format!("verdict as JSON: {e}")))?;
        let more = json!({
            "step": state.step, "steps": STEPS, "message": state.message, "cluster": state.cluster, "server": state.server,
            "seed_image": state.seed_image, "uid": state.uid, "lost_since": state.lost_since.map(|t| t.to_string()),
            "image": seed.map(SeedImage::summary), "findings": findings, "warnings": state.warnings,
            "pull_secret_backup": state.pull_secret_backup, "restore_pull_secret": restore,
            "state": self.file.map(|file| file.0),
        });
        if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
            document.extend(more);
        }
        Ok(document)
    }

    /// How to put the pull secret back, when the generation ended and lifecycle-agent's substitute is still there.
    async fn restore_hint(&self, watch: &Watch) -> Option<String> {
        if *watch.verdict() == Verdict::GoingOn {
            return None;
        }
        let current = pull_secret::read(self.client).await.ok()?;
        let backup = watch.state().pull_secret_backup.display();
        is_sanitized(&current).then(|| format!("the cluster still has lifecycle-agent's substitute for its pull secret; `snoforge seed restore-pull-secret {backup}` puts the saved one back"))
    }
}

/// What is wrong with the image as the result of this generation.
fn faults(seed: &SeedImage, state: &State) -> Vec<Finding> {
    let mut findings = seed.findings.clone();
    let mut add = |rule, message: String, cure: &str| {
        findings.push(Finding {
            rule,
            severity: Severity::Error,
            object: state.seed_image.clone(),
            message,
            cure: cure.to_owned(),
        });
    };
    // Of a state that nobody kept neither is known.
    if state.old_digest.as_ref() == Some(&seed.digest) {
        add(
            "new-image",
            format!("the tag still names {}, as before", seed.digest),
            "look at the registry's log, and at who else pushes to this tag",
        );
    }
    if let Some(info) = &seed.info {
        let cluster = format!("{}.{}", info.cluster_name, info.base_domain);
        if !state.cluster.is_empty() && cluster != state.cluster {
            add(
                "own-image",
                format!("it is of cluster {cluster}, not of {}", state.cluster),
                "look at who else pushes to this tag",
            );
        }
    }
    findings
}

fn text(state: &State, verdict: &Verdict) -> String {
    let place = format!("step {}/{STEPS} {}", state.step, state.message);
    let text = match verdict {
        Verdict::GoingOn => match state.lost_since {
            Some(since) => format!("going on: {place}; the cluster is away since {since}"),
            None => format!("going on: {place}"),
        },
        Verdict::Completed => {
            "completed: the image is published, the seed cluster is back".to_owned()
        }
        Verdict::Failed { reason } => format!("failed: {reason}"),
        Verdict::ImagePublishedSeedNotRecovered { reason } => {
            format!("image published, seed cluster not recovered: {reason}")
        }
        Verdict::DeadlinePassed { deadline } => {
            format!("undecided: {deadline}; last seen: {place}")
        }
    };
    printable(&text)
}

fn failure(watch: &Watch, file: Option<StateFile<'_>>) -> Result<(), Failure> {
    let image = &watch.state().seed_image;
    let failure = match watch.verdict() {
        Verdict::GoingOn | Verdict::Completed => return Ok(()),
        Verdict::Failed { reason } => Failure::new(
            Exit::Remote,
            printable(&format!("the seed generation failed: {reason}")),
        )
        .hint(advice(reason)),
        Verdict::ImagePublishedSeedNotRecovered { .. } => Failure::new(
            Exit::Partial,
            format!("{image} is published and can be used, the seed cluster is not recovered"),
        )
        .hint("`snoforge seed verify --deep` checks its bytes; provision a new seed cluster for the next image"),
        Verdict::DeadlinePassed { deadline } => {
            Failure::new(Exit::Remote, deadline.to_string()).hint(resume(file))
        }
    };
    Err(failure)
}
