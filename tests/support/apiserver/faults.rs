//! What goes wrong, and when: set at run time, for a path and all below it.

/// What goes wrong at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This status, with a `Status` object: 401, 403, 404 of a group, 429, 5xx.
    Status(u16, &'static str),
    /// 410 for the next page of a list only.
    ExpiredPage,
    /// No answer for ten seconds.
    Slow,
    /// The connection ends inside the answer.
    Cut,
    /// A page that is no JSON.
    Garbage,
    /// `continue` for ever.
    Endless,
    /// 302 to another server.
    Elsewhere,
}

/// How a watch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As at its time limit.
    Whole,
    /// The connection breaks.
    Broken,
    /// The connection breaks inside an event.
    InEvent,
}

#[derive(Default)]
pub(crate) struct Faults {
    set: Vec<(String, Fault, Option<usize>)>,
}

impl Faults {
    /// `times`: for how many requests; for ever without.
    pub(crate) fn set(&mut self, path: &str, fault: Fault, times: Option<usize>) {
        self.set
            .push((path.trim_end_matches('/').to_owned(), fault, times));
    }

    pub(crate) fn heal(&mut self) {
        self.set.clear();
    }

    /// The fault of this request; one that is counted has happened.
    pub(crate) fn take(&mut self, path: &str, is_next_page: bool) -> Option<Fault> {
        let hit = self.set.iter_mut().find(|(place, fault, times)| {
            let below = path.strip_prefix(place.as_str());
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                && *times != Some(0)
                && (*fault != Fault::ExpiredPage || is_next_page)
        });
        let (_, fault, times) = hit?;
        if let Some(times) = times {
            *times -= 1;
        }
        Some(*fault)
    }
}
