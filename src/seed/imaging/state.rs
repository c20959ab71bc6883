//! The state file: what a watch must know to be taken up again after the workstation died.
//!
//! ```text
//! {"format":1, "server":"https://api…:6443", "cluster":"mysno.sno.example.com", "seedImage":"quay.io/org/seed:4.18.27",
//!  "api":"v1", "namespace":"openshift-lifecycle-agent", "pullSecretBackup":"pull-secret.json", "oldDigest":null, "acmLeftovers":false,
//!  "applied":"2026-11-21T06:30:00Z", "uid":"…", "step":7, "stepSince":"…", "message":"…", "deleted":true, "lostSince":"…",
//!  "image":null, "warnings":[], "ended":null}
//! ```
//!
//! `applied` is written before the SeedGenerator is created, `uid` afterwards: with the one and without the other nobody knows, and
//! the cluster has to be asked. It holds no secret.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{STEPS, Verdict};
use crate::objects::json;
use crate::oci::Digest;
use crate::seed::Error;
use crate::seed::resources::Api;

/// Version of the document.
pub const FORMAT: u32 = 1;

/// A seed generation as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// Version of this document, [`FORMAT`].
    pub format: u32,
    /// The API's URL, as the kubeconfig has it.
    pub server: String,
    /// Name and domain of the cluster; the image's label must say the same.
    pub cluster: String,
    /// Where the image goes, as in the SeedGenerator.
    pub seed_image: String,
    /// Version of the SeedGenerator.
    pub api: Api,
    /// Namespace of the operator.
    pub namespace: String,
    /// Where the cluster's pull secret was saved.
    pub pull_secret_backup: PathBuf,
    /// What the tag named before; `None` when it was not there.
    pub old_digest: Option<Digest>,
    /// Lifecycle-agent has ACM to delete, which takes it up to half an hour.
    pub acm_leftovers: bool,
    /// When the SeedGenerator was about to be created.
    #[serde(with = "moment")]
    pub applied: Option<Timestamp>,
    /// Its uid, the restored one's after the imaging.
    pub uid: Option<String>,
    /// The last step seen, 0 to 9.
    pub step: u8,
    /// Since when.
    #[serde(with = "moment")]
    pub step_since: Option<Timestamp>,
    /// What lifecycle-agent said last.
    pub message: String,
    /// It was seen to be gone after step 6.
    pub deleted: bool,
    /// Since when API or SeedGenerator are away.
    #[serde(with = "moment")]
    pub lost_since: Option<Timestamp>,
    /// The new image under the tag, once it is there and its labels are good.
    pub image: Option<Digest>,
    /// What a person should know, each said once.
    pub warnings: Vec<String>,
    /// The final verdict.
    pub ended: Option<Verdict>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            format: FORMAT,
            server: String::new(),
            cluster: String::new(),
            seed_image: String::new(),
            api: Api::V1,
            namespace: String::new(),
            pull_secret_backup: PathBuf::new(),
            old_digest: None,
            acm_leftovers: false,
            applied: None,
            uid: None,
            step: 0,
            step_since: None,
            message: String::new(),
            deleted: false,
            lost_since: None,
            image: None,
            warnings: Vec::new(),
            ended: None,
        }
    }
}

impl State {
    /// Reads a state file; `file` is for messages.
    ///
    /// # Errors
    /// No such document, one of another format version, or one that this program cannot have written.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |reason: String| Error::State {
            file: file.to_owned(),
            reason,
        };
        let state: Self = json::document(bytes, FORMAT, "state file").map_err(refuse)?;
        if state.step > STEPS {
            return Err(refuse(format!("step {}, the last is {STEPS}", state.step)));
        }
        if state.ended.as_ref().is_some_and(|v| !v.is_final()) {
            return Err(refuse(
                "it ended with a verdict that is not final".to_owned(),
            ));
        }
        Ok(state)
    }

    /// The document, one field a line.
    ///
    /// # Errors
    /// A path that is no UTF-8.
    pub fn to_json(&self, file: &str) -> Result<Vec<u8>, Error> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| Error::State {
            file: file.to_owned(),
            reason: e.to_string(),
        })?;
        text.push(b'\n');
        Ok(text)
    }

    /// Whether it is of this cluster and, when one is named, of this image.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, file: &str, server: &str, seed_image: Option<&str>) -> Result<(), Error> {
        let refuse = |reason: String| {
            Err(Error::State {
                file: file.to_owned(),
                reason,
            })
        };
        if self.server != server {
            return refuse(format!(
                "it is of cluster {}, the kubeconfig names {server}",
                self.server
            ));
        }
        match seed_image {
            Some(image) if image != self.seed_image => {
                refuse(format!("it is of image {}, not {image}", self.seed_image))
            }
            _ => Ok(()),
        }
    }
}

/// RFC 3339, or null.
mod moment {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|t| t.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text: Option<String> = Deserialize::deserialize(from)?;
        let parse = |text: String| text.parse().map_err(serde::de::Error::custom);
        text.map(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn state() -> State {
        State {
            server: "https://api.mysno:6443".to_owned(),
            seed_image: "quay.io/org/seed:1".to_owned(),
            applied: Some(Timestamp::from_second(1_800_000_000).unwrap()),
            uid: Some("a".to_owned()),
            step: 7,
            ended: Some(Verdict::Failed {
                reason: "x".to_owned(),
            }),
            ..State::default()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = state().to_json("s.json").unwrap();
        assert_eq!(State::parse("s.json", &bytes).unwrap(), state());
    }

    #[test]
    fn what_nobody_wrote_is_refused() {
        let written: Value = serde_json::from_slice(&state().to_json("s").unwrap()).unwrap();
        let with = |field: &str, value: Value| {
            let mut document = written.clone();
            document[field] = value;
            document.to_string()
        };
        let mut lacking = written.clone();
        lacking.as_object_mut().unwrap().shift_remove("deleted");
        for (text, why) in [
            ("{".to_owned(), "line 1, column 1: no JSON"),
            ("{}".to_owned(), "no `format`"),
            (with("format", 2.into()), "format 2, this version reads 1"),
            (with("step", 10.into()), "step 10, the last is 9"),
            (with("step", 300.into()), "invalid value"),
            (with("more", 1.into()), "unknown field `more`"),
            (with("applied", "yesterday".into()), "parse"),
            (with("oldDigest", "sha256:1".into()), "digest"),
            (
                with("ended", serde_json::json!({"verdict": "going-on"})),
                "not final",
            ),
            (lacking.to_string(), "missing field `deleted`"),
        ] {
            let error = State::parse("s.json", text.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("state s.json: ") && error.contains(why),
                "{why}: {error}"
            );
        }
    }

    #[test]
    fn another_cluster_or_image_is_refused() {
        let (server, image) = ("https://api.mysno:6443", "quay.io/org/seed:1");
        state().check("s", server, None).unwrap();
        state().check("s", server, Some(image)).unwrap();
        for (server, image) in [
            ("https://api.other:6443", image),
            (server, "quay.io/org/seed:2"),
        ] {
            let error = state().check("s", server, Some(image)).unwrap_err();
            assert!(error.to_string().contains("it is of "), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
