//! A Job's status as the operator reads it (`mapJobStatusToBuildStatus`): 4 attempts, because its `backoffLimit` is 3.

use serde_json::Value;

/// Pods that may fail before the Job has.
pub const ATTEMPTS: u64 = 4;

/// What the operator makes of a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// No pod yet.
    Prepared,
    /// One of the attempts is going on.
    Building {
        /// From 1.
        attempt: u64,
    },
    /// A pod ended well.
    Succeeded,
    /// All attempts failed.
    Failed,
    /// It is being deleted before it came to anything.
    Interrupted,
}

/// Reads a Job.
pub fn job_state(job: &Value) -> JobState {
    let count = |name: &str| {
        let value = job.get("status").and_then(|status| status.get(name));
        value.and_then(Value::as_u64).unwrap_or_default()
    };
    let (active, succeeded, failed) = (count("active"), count("succeeded"), count("failed"));
    let deleting = job
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|t| !t.is_null());
    let uncounted = job
        .pointer("/status/uncountedTerminatedPods")
        .is_some_and(|p| !p.is_null());
    let has_failed = super::condition(job, "Failed").is_some();
    if deleting && succeeded == 0 && failed < ATTEMPTS {
        JobState::Interrupted
    } else if active == 0 && succeeded == 0 && failed == 0 && !uncounted {
        JobState::Prepared
    } else if succeeded == 0 && failed < ATTEMPTS {
        JobState::Building {
            attempt: failed + 1,
        }
    } else if succeeded > 0 && !has_failed {
        JobState::Succeeded
    } else {
        JobState::Failed
    }
}
