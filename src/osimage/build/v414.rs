//! Builds of OpenShift 4.14: the pool's label and conditions, the build pod or Build.

use serde_json::Value;

use super::{
    BUILD_CONTAINER, Log, State, Verdict, broken, builder, clause, condition, no_nodes,
    unschedulable,
};
use crate::objects::json::{name, text};
use crate::osimage::names;
use crate::osimage::resources::ENABLED_LABEL;

/// Annotation of the pool with the digested pull spec.
const IMAGE: &str =
    "/metadata/annotations/machineconfiguration.openshift.io~1newestImageEquivalentConfig";

/// What there is at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Objects<'a> {
    /// The pool.
    pub pool: Option<&'a Value>,
    /// The pod `build-RENDERED`.
    pub pod: Option<&'a Value>,
    /// The Build `build-RENDERED`, on clusters with the Build capability.
    pub build: Option<&'a Value>,
    /// The operator's deployment.
    pub builder: Option<&'a Value>,
}

/// Where the build stands.
pub fn state(objects: &Objects<'_>) -> State {
    let Some(pool) = objects.pool else {
        return State::failed("there is no such pool", None);
    };
    let mut state = stand(objects, pool);
    state.notes.extend(no_nodes(pool));
    state
}

fn stand(objects: &Objects<'_>, pool: &Value) -> State {
    let labels = pool.pointer("/metadata/labels");
    if labels.is_none_or(|labels| labels.get(ENABLED_LABEL).is_none()) {
        return State::waiting(format!(
            "the pool has no label {ENABLED_LABEL}: nobody asked for an image"
        ));
    }
    // While one of these holds, the conditions of an earlier build say nothing.
    if condition(pool, "BuildPending").is_some() || condition(pool, "Building").is_some() {
        return going_on(objects);
    }
    if let Some(failed) = condition(pool, "BuildFailed") {
        return failed_state(objects, pool, &clause(failed));
    }
    if let Some(interrupted) = condition(pool, "BuildInterrupted") {
        let reason = clause(interrupted);
        return State {
            line: format!("interrupted: {reason}"),
            verdict: Verdict::Interrupted { reason },
            notes: Vec::new(),
        };
    }
    if condition(pool, "BuildSuccess").is_some() {
        let image = text(pool, IMAGE);
        // Any registry will do in 4.14, so only the digest is asked for.
        return match image.split_once("@sha256:") {
            Some((_, hex)) if hex.len() == 64 => State {
                line: format!("built: {image}"),
                verdict: Verdict::Succeeded {
                    image: image.to_owned(),
                },
                notes: pullable(image),
            },
            _ => State::waiting("the image is pushed, its digest is not noted yet"),
        };
    }
    match builder(objects.builder) {
        Some(why) => State::waiting(why),
        None => going_on(objects),
    }
}

/// What today's API would not take, for those who move on.
fn pullable(image: &str) -> Vec<String> {
    let refused = names::digested("image", image).err();
    refused
        .map(|e| format!("from 4.16 on the API takes no such name: {e}"))
        .into_iter()
        .collect()
}

fn going_on(objects: &Objects<'_>) -> State {
    if let Some(build) = objects.build {
        let phase = text(build, "/status/phase");
        return State::waiting(format!("{}: {phase}", name(build)));
    }
    let Some(pod) = objects.pod else {
        return State::waiting("the build pod is not there yet");
    };
    let own = name(pod);
    State::waiting(match text(pod, "/status/phase") {
        "Succeeded" => format!("{own}: the image is pushed, the operator notes its digest"),
        "Failed" => format!("{own}: failed, the operator notes it"),
        "Running" => match broken(pod) {
            Some((_, what)) => format!("{own}: building; {what}"),
            None => format!("{own}: building"),
        },
        _ => match unschedulable(pod).or_else(|| broken(pod).map(|(_, what)| what)) {
            Some(why) => format!("{own}: pending; {why}"),
            None => format!("{own}: pending"),
        },
    })
}

fn failed_state(objects: &Objects<'_>, pool: &Value, reason: &str) -> State {
    if let Some(build) = objects.build {
        let message = text(build, "/status/message");
        let snippet = text(build, "/status/logSnippet");
        let reason = [reason, message, snippet]
            .into_iter()
            .filter(|t| !t.is_empty());
        let log = Log {
            pod: format!("{}-build", name(build)),
            container: "docker-build".to_owned(),
        };
        return State::failed(reason.collect::<Vec<_>>().join("; "), Some(log));
    }
    if let Some((log, what)) = objects.pod.and_then(broken) {
        return State::failed(format!("{reason}; {what}"), Some(log));
    }
    let rendered = text(pool, "/spec/configuration/name");
    let log = objects.pod.map(|_| Log {
        pod: format!("build-{rendered}"),
        container: BUILD_CONTAINER.to_owned(),
    });
    State::failed(reason, log)
}
