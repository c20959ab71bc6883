//! A SeedGenerator as the API shows it.

use serde_json::Value;

use crate::seed::facts::{list, text};

/// Steps of a seed generation, the last is its completion.
pub const STEPS: u8 = 9;

/// Messages of condition `SeedGenInProgress` and their steps (LCA `controllers/seedgen_controller.go` at 0e1bf182).
const MESSAGES: [(&str, u8); 7] = [
    ("Waiting for system to stabilize", 1),
    ("Starting seed generation", 3),
    ("Pulling recert image", 4),
    ("Preparing for seed generation", 5),
    ("Cleaning cluster resources", 6),
    ("Launching imager container", 7),
    ("Finalizing seed generation", 8),
];
/// The second step appends what is not healthy to the first one's message.
const UNHEALTHY: &str = "Waiting for system to stabilize: ";
/// Failures of the imager carry it twice.
const PREFIX: &str = "Seed generation failed: ";

/// What it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet: just created, or just restored.
    Silent,
    /// In progress; `None` for a message that this version does not know.
    Step(Option<u8>),
    /// Completed.
    Completed,
    /// Failed, with the reason.
    Failed(String),
}

/// What a watcher reads of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `metadata.uid`.
    pub uid: String,
    /// `spec.seedImage`.
    pub seed_image: String,
    /// Its phase.
    pub phase: Phase,
    /// The message that belongs to the phase, empty when there is none.
    pub message: String,
}

impl Seen {
    /// Reads the object. The reasons decide, `Failed` before `Completed`, wherever in the list they are.
    pub fn new(object: &Value) -> Self {
        let conditions = list(object, "/status/conditions");
        let of_type = |kind: &str| conditions.iter().find(|c| text(c, "/type") == kind);
        let running = of_type("SeedGenInProgress");
        let ended = of_type("SeedGenCompleted");
        let has = |c: Option<&Value>, field: &str, value: &str| {
            c.is_some_and(|c| text(c, field) == value)
        };
        // The first one's message is the bare error.
        let failed = [running, ended]
            .into_iter()
            .find(|c| has(*c, "/reason", "Failed"))
            .flatten();
        let (phase, message) = if let Some(failed) = failed {
            let mut reason = text(failed, "/message");
            while let Some(rest) = reason.strip_prefix(PREFIX) {
                reason = rest;
            }
            (Phase::Failed(reason.to_owned()), reason)
        } else if has(ended, "/status", "True") {
            (Phase::Completed, ended.map_or("", |c| text(c, "/message")))
        } else if has(running, "/status", "True") {
            let message = running.map_or("", |c| text(c, "/message"));
            (
                if message.is_empty() {
                    Phase::Silent
                } else {
                    Phase::Step(step_of(message))
                },
                message,
            )
        } else {
            (Phase::Silent, "")
        };
        Self {
            uid: text(object, "/metadata/uid").to_owned(),
            seed_image: text(object, "/spec/seedImage").to_owned(),
            message: message.to_owned(),
            phase,
        }
    }

    /// Whether it ended, well or not.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Completed | Phase::Failed(_))
    }
}

fn step_of(message: &str) -> Option<u8> {
    if message.starts_with(UNHEALTHY) {
        return Some(2);
    }
    let found = MESSAGES.iter().find(|(text, _)| *text == message);
    found.map(|(_, step)| *step)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(conditions: &Value) -> Phase {
        Seen::new(&json!({"metadata": {"uid": "a"}, "status": {"conditions": conditions}})).phase
    }

    #[test]
    fn reasons_decide_and_not_the_last_condition() {
        let running = json!({"type": "SeedGenInProgress", "status": "True", "reason": "InProgress", "message": "Pulling recert image"});
        let stopped = json!({"type": "SeedGenInProgress", "status": "False", "reason": "Failed", "message": "Seed generation failed: x"});
        let failed = json!({"type": "SeedGenCompleted", "status": "False", "reason": "Failed", "message": "Seed generation failed: Seed generation failed: x"});
        let done = json!({"type": "SeedGenCompleted", "status": "True", "reason": "Completed", "message": "Seed Generation completed"});
        let over = json!({"type": "SeedGenInProgress", "status": "False", "reason": "Completed", "message": "Seed Generation completed"});
        let x = || Phase::Failed("x".to_owned());
        assert_eq!(seen(&json!([failed, stopped])), x());
        assert_eq!(seen(&json!([stopped, failed])), x());
        assert_eq!(seen(&json!([failed])), x());
        assert_eq!(seen(&json!([done, stopped])), x());
        assert_eq!(seen(&json!([over, done])), Phase::Completed);
        assert_eq!(seen(&json!([done, over])), Phase::Completed);
        // Of a run before this one, which an operator of another version left.
        assert_eq!(
            seen(
                &json!([running, {"type": "SeedGenCompleted", "status": "False", "reason": "InProgress"}])
            ),
            Phase::Step(Some(4))
        );
        assert_eq!(seen(&json!([])), Phase::Silent);
        assert_eq!(seen(&json!("hostile")), Phase::Silent);
        assert_eq!(Seen::new(&json!(7)).phase, Phase::Silent);
        let other = json!([{"type": "SeedGenInProgress", "status": "True", "reason": "InProgress", "message": "Preparing coffee"}]);
        assert_eq!(seen(&other), Phase::Step(None));
    }
}
