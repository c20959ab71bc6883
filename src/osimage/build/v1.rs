//! Builds of today: `MachineOSConfig`, `MachineOSBuild`, Job.

use std::collections::BTreeSet;

use serde_json::Value;

use super::job::{ATTEMPTS, JobState, job_state};
use super::{
    BUILD_CONTAINER, Log, State, Verdict, broken, builder, clause, condition, no_nodes,
    unschedulable,
};
use crate::objects::json::{list, name, text};
use crate::osimage::names;

/// Annotation of the `MachineOSConfig` with the build that counts.
const CURRENT: &str =
    "/metadata/annotations/machineconfiguration.openshift.io~1current-machine-os-build";
/// Annotation that asks for the build once more; the operator takes it away when it has seen it.
pub(super) const REBUILD: &str = "machineconfiguration.openshift.io/rebuild";

/// What there is at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Objects<'a> {
    /// The pool.
    pub pool: Option<&'a Value>,
    /// The `MachineOSConfig`.
    pub config: Option<&'a Value>,
    /// The `MachineOSBuild` that [`current`] chose.
    pub build: Option<&'a Value>,
    /// Its Job.
    pub job: Option<&'a Value>,
    /// The Job's pods.
    pub pods: &'a [Value],
    /// The operator's deployment.
    pub builder: Option<&'a Value>,
    /// Events of the `MachineOSConfig` and the build.
    pub events: &'a [Value],
    /// Names of the Secrets in the operator's namespace; none when nobody looked.
    pub secrets: Option<&'a BTreeSet<String>>,
}

/// The build of a `MachineOSConfig`: the annotated one, else that of its status, else the youngest.
pub fn current<'a>(config: &Value, builds: &'a [Value]) -> Option<&'a Value> {
    let own = |b: &&Value| text(b, "/spec/machineOSConfig/name") == name(config);
    for pointer in [CURRENT, "/status/machineOSBuild/name"] {
        let wanted = text(config, pointer);
        if !wanted.is_empty() {
            // A build that is named and gone is no reason to take an older one for it.
            return builds.iter().find(|b| name(b) == wanted);
        }
    }
    builds
        .iter()
        .filter(own)
        .max_by_key(|b| text(b, "/metadata/creationTimestamp"))
}

/// Where the build stands.
pub fn state(objects: &Objects<'_>) -> State {
    let mut state = stand(objects);
    state.notes.extend(objects.pool.and_then(no_nodes));
    state
}

fn stand(objects: &Objects<'_>) -> State {
    let Some(config) = objects.config else {
        return State::waiting("there is no MachineOSConfig: nobody asked for an image");
    };
    if let Some(ended) = before_the_build(objects, config) {
        return ended;
    }
    let Some(build) = objects.build else {
        return unstarted(objects, config);
    };
    if condition(build, "Succeeded").is_some() {
        return succeeded(build);
    }
    if let Some(failed) = condition(build, "Failed") {
        return failed_state(objects, &clause(failed));
    }
    if let Some(interrupted) = condition(build, "Interrupted") {
        let reason = clause(interrupted);
        return State {
            line: format!("interrupted: {reason}"),
            verdict: Verdict::Interrupted { reason },
            notes: Vec::new(),
        };
    }
    going_on(objects, build)
}

/// What makes every build of this moment one of the past, or impossible.
fn before_the_build(objects: &Objects<'_>, config: &Value) -> Option<State> {
    let pool = text(config, "/spec/machineConfigPool/name");
    if objects.pool.is_none() {
        return Some(State::failed(format!("there is no pool `{pool}`"), None));
    }
    for pointer in [
        "/spec/renderedImagePushSecret/name",
        "/spec/baseImagePullSecret/name",
    ] {
        let secret = text(config, pointer);
        let gone = objects.secrets.is_some_and(|known| !known.contains(secret));
        // The build holds copies of the secrets, so one that has begun goes on without them.
        if !secret.is_empty() && gone && objects.build.is_none() {
            let reason =
                format!("the Secret `{secret}` is not in openshift-machine-config-operator");
            return Some(State::failed(reason, None));
        }
    }
    let annotations = config.pointer("/metadata/annotations");
    if annotations.is_some_and(|a| a.get(REBUILD).is_some()) {
        return Some(State::waiting(
            "the operator has not taken up the request to rebuild yet",
        ));
    }
    let seen = config
        .pointer("/status/observedGeneration")
        .and_then(Value::as_u64);
    let now = config
        .pointer("/metadata/generation")
        .and_then(Value::as_u64);
    let behind = seen.zip(now).is_some_and(|(seen, now)| seen < now);
    behind
        .then(|| State::waiting("the operator has not seen the change of the MachineOSConfig yet"))
}

fn unstarted(objects: &Objects<'_>, config: &Value) -> State {
    let refused = objects.events.iter().filter(|event| {
        text(event, "/reason") == "ConfigReconcileFailed"
            && text(event, "/involvedObject/name") == name(config)
    });
    if let Some(event) = refused.max_by_key(|e| text(e, "/lastTimestamp")) {
        return State::waiting(format!(
            "the operator refuses the MachineOSConfig: {}",
            text(event, "/message")
        ));
    }
    let why = builder(objects.builder).unwrap_or("the operator has not started the build yet");
    State::waiting(why)
}

fn succeeded(build: &Value) -> State {
    let image = text(build, "/status/digestedImagePushSpec");
    if names::digested("image", image).is_err() {
        return State::waiting("the image is pushed, its digest is not noted yet");
    }
    State {
        line: format!("built: {image}"),
        verdict: Verdict::Succeeded {
            image: image.to_owned(),
        },
        notes: Vec::new(),
    }
}

/// The pod to look at: the youngest that is broken, else the youngest.
fn last_pod<'a>(objects: &Objects<'a>) -> Option<(&'a Value, Option<(Log, String)>)> {
    let mut pods: Vec<&Value> = objects.pods.iter().collect();
    pods.sort_by_key(|p| text(p, "/metadata/creationTimestamp"));
    let mut youngest = pods.iter().rev();
    let found = youngest.find_map(|pod| Some((*pod, Some(broken(pod)?))));
    found.or_else(|| pods.last().map(|pod| (*pod, None)))
}

fn failed_state(objects: &Objects<'_>, reason: &str) -> State {
    match last_pod(objects) {
        None => State::failed(reason, None),
        Some((_, Some((log, what)))) => State::failed(format!("{reason}; {what}"), Some(log)),
        Some((pod, None)) => {
            let log = Log {
                pod: name(pod).to_owned(),
                container: BUILD_CONTAINER.to_owned(),
            };
            State::failed(reason, Some(log))
        }
    }
}

fn going_on(objects: &Objects<'_>, build: &Value) -> State {
    let Some(job) = objects.job else {
        return State::waiting(format!("{}: being prepared", name(build)));
    };
    match job_state(job) {
        JobState::Prepared => State::waiting(format!("{}: prepared", name(build))),
        JobState::Succeeded => State::waiting("the image is pushed, the operator notes it"),
        JobState::Interrupted => State::waiting("the Job is being deleted"),
        JobState::Failed => State::waiting(format!(
            "all {ATTEMPTS} attempts failed, the operator notes it"
        )),
        JobState::Building { attempt } => State::waiting(attempt_line(objects, build, attempt)),
    }
}

fn attempt_line(objects: &Objects<'_>, build: &Value, attempt: u64) -> String {
    let mut line = format!("{}: attempt {attempt} of {ATTEMPTS}", name(build));
    let waiting = |pod: &&Value| text(pod, "/status/phase") == "Pending";
    if let Some(why) = objects.pods.iter().filter(waiting).find_map(unschedulable) {
        line.extend(["; the pod finds no node: ", &why]);
    } else if let Some((_, Some((_, what)))) = last_pod(objects) {
        line.extend(["; ", &what]);
    } else if let Some(pod) = objects
        .pods
        .iter()
        .find(|p| text(p, "/status/phase") == "Running")
    {
        let running = list(pod, "/status/containerStatuses").iter();
        let mut running = running.filter(|s| s.pointer("/state/running").is_some());
        if running.next().is_some() {
            line.push_str("; the image is pushed, its digest is being noted");
        }
    }
    line
}
