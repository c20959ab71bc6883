//! How the downloads went: every run of one inventory, in `report.json`.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::oci::Digest;
use crate::ui::record::{End, SAMPLES, Session};

/// The version that this program writes and reads.
const VERSION: u32 = 1;

/// Runs that are kept: the first one says when it began, the others are the latest.
const RUNS: usize = 24;

/// The runs, oldest first. All of them have [`SAMPLES`] samples at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Downloads {
    pub version: u32,
    /// What was downloaded.
    pub inventory: Digest,
    pub sessions: Vec<Session>,
}

impl Downloads {
    /// Those of this version; others are history, and none that a job would stop for.
    pub(super) fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Self>, D::Error> {
        let value = Option::<Value>::deserialize(from)?;
        let known = value.and_then(|value| serde_json::from_value::<Self>(value).ok());
        Ok(known.filter(|downloads| downloads.version == VERSION))
    }

    /// A run begins: if nothing is said later, it was killed.
    pub(super) fn begin(downloads: &mut Option<Self>, inventory: &Digest, start: String) {
        let same = downloads.take().filter(|d| d.inventory == *inventory);
        let mut runs = same.map(|d| d.sessions).unwrap_or_default();
        runs.push(Session {
            start,
            ..Session::default()
        });
        if runs.len() > RUNS {
            runs.remove(1);
        }
        *downloads = Some(Self {
            version: VERSION,
            inventory: inventory.clone(),
            sessions: runs,
        });
    }

    /// The run that began last is over; none when it did not come to a download.
    pub(super) fn end(&mut self, session: Option<Session>, end: End) {
        match (session, self.sessions.last_mut()) {
            (Some(session), Some(last)) => *last = session,
            (None, Some(_)) if end == End::Complete => drop(self.sessions.pop()),
            (None, Some(last)) => last.end = end,
            (_, None) => {}
        }
        // The one with most samples loses most by being thinned, and needs it least.
        while self.sessions.iter().map(|s| s.bytes.len()).sum::<usize>() > SAMPLES {
            let longest = self.sessions.iter_mut().max_by_key(|s| s.bytes.len());
            longest.into_iter().for_each(Session::thin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(samples: usize) -> Session {
        Session {
            bytes: vec![1; samples],
            images: vec![1; samples],
            ..Session::default()
        }
    }

    #[test]
    fn runs_are_kept_in_bounds_until_the_inventory_changes() {
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        let mut downloads = None;
        for n in 0..40 {
            Downloads::begin(&mut downloads, &one, n.to_string());
            let runs = downloads.as_mut().unwrap();
            let mut session = recorded(600);
            session.start = n.to_string();
            runs.end(Some(session), End::Interrupted);
        }
        let runs = &downloads.as_ref().unwrap().sessions;
        assert_eq!(
            (runs.len(), runs[0].start.as_str(), runs[23].start.as_str()),
            (RUNS, "0", "39")
        );
        assert!(runs.iter().map(|s| s.bytes.len()).sum::<usize>() <= SAMPLES);
        assert!(
            runs.iter()
                .all(|s| s.bytes.len() == s.images.len() && s.fetched() == 600)
        );
        // Killed: the run stays as it began. Nothing to do: no run.
        Downloads::begin(&mut downloads, &other, "k".to_owned());
        Downloads::begin(&mut downloads, &other, "l".to_owned());
        downloads.as_mut().unwrap().end(None, End::Complete);
        let runs = &downloads.unwrap().sessions;
        assert_eq!((runs.len(), runs[0].end), (1, End::Unknown));
    }

    #[test]
    fn another_version_is_left_alone() {
        #[derive(Deserialize)]
        struct Holder {
            #[serde(default, deserialize_with = "Downloads::known")]
            downloads: Option<Downloads>,
        }
        let read = |text: &str| serde_json::from_str::<Holder>(text).unwrap().downloads;
        let digest = Digest::of(b"");
        assert!(read(&format!("{{\"downloads\": {{\"version\": 1, \"inventory\": \"{digest}\", \"sessions\": []}}}}")).is_some());
        assert_eq!(
            read(&format!(
                "{{\"downloads\": {{\"version\": 2, \"inventory\": \"{digest}\", \"sessions\": []}}}}"
            )),
            None
        );
        assert_eq!(
            read("{\"downloads\": {\"version\": 2, \"runs\": []}}"),
            None
        );
        assert_eq!(read("{}"), None);
    }
}
