//! Follows a seed generation: cluster, registry and clock into the state machine, its lines to the user, its state to the file.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::printable;
use crate::cli::context::{Context, today};
use crate::cli::exit::{Exit, Failure, unreadable};
use crate::cli::values;
use crate::cluster::{self, Client, Seen};
use crate::io::atomic;
use crate::oci::{Digest, ImageSource as _, Reference, SourceError, SourceErrorKind};
use crate::progress::Event as Progress;
use crate::remote;
use crate::seed::imaging::{self, Event, Limits, Line, State, Verdict, Watch};
use crate::seed::resources::Api;
use crate::seed::{Error, has_errors, image};

/// The only name that a SeedGenerator may have.
pub(super) const NAME: &str = "seedimage";

/// How long to wait.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits (90s, 60m, 2h)")]
pub(super) struct Wait {
    /// For all of it; whoever takes it up again gets the whole time again.
    #[arg(long, value_name = "TIME", default_value = "60m", value_parser = values::wait)]
    timeout: Duration,
    /// For the cluster to become healthy; lifecycle-agent itself waits for ever.
    #[arg(long, value_name = "TIME", default_value = "20m", value_parser = values::wait)]
    health_timeout: Duration,
    /// For the cluster to come back from the imaging.
    #[arg(long, value_name = "TIME", default_value = "40m", value_parser = values::wait)]
    return_timeout: Duration,
    /// Between two looks at the registry.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = values::wait)]
    poll: Duration,
}

impl Wait {
    pub(super) fn limits(&self) -> Limits {
        let standard = Limits::default();
        Limits {
            health: self.health_timeout,
            unreachable: standard.unreachable.min(self.return_timeout),
            away: self.return_timeout,
            total: self.timeout,
        }
    }
}

/// The state file.
#[derive(Debug, Clone, Copy)]
pub(super) struct StateFile<'a>(pub(super) &'a Path);

impl StateFile<'_> {
    /// What it holds; `None` when it is not there.
    ///
    /// # Errors
    /// It cannot be read, or is no state file.
    pub(super) fn load(self) -> Result<Option<State>, Failure> {
        match fs_err::read(self.0) {
            Ok(bytes) => Ok(Some(State::parse(&self.0.display().to_string(), &bytes)?)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(unreadable(self.0, &e)),
        }
    }

    pub(super) fn save(self, state: &State) -> Result<(), Failure> {
        let bytes = state.to_json(&self.0.display().to_string())?;
        Ok(atomic::write_private(self.0, &bytes)?)
    }
}

/// What a watch needs.
#[derive(Debug)]
pub(super) struct Follow<'a> {
    pub(super) context: &'a Context,
    pub(super) client: &'a Client,
    /// `None` when it is unknown what the tag named before.
    pub(super) registry: Option<&'a remote::Client>,
    pub(super) file: Option<StateFile<'a>>,
    pub(super) wait: &'a Wait,
    /// Whether it was said that the registry does not answer.
    pub(super) complained: AtomicBool,
}

impl Follow<'_> {
    /// Follows to a verdict.
    ///
    /// # Errors
    /// The user interrupts, or the state file cannot be written.
    pub(super) async fn run(
        &self,
        mut watch: Watch,
        stop: &CancellationToken,
    ) -> Result<Watch, Failure> {
        // Both are polled together and nothing else is awaited meanwhile: they wait for each other inside the registry's client.
        let mut events = stream::select(self.cluster(watch.state()), self.images(watch.state()));
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        while *watch.verdict() == Verdict::GoingOn {
            tokio::select! {
                event = events.next() => {
                    self.note(&mut watch, event.as_ref())?;
                }
                _ = clock.tick() => self.note(&mut watch, None)?,
                () = stop.cancelled() => return Err(self.interrupted(&watch)),
            }
        }
        drop(events);
        // The last look at the registry may be a poll ago.
        if matches!(watch.verdict(), Verdict::DeadlinePassed { .. })
            && let Some(image) = self.look(watch.state()).await
        {
            self.note(&mut watch, Some(&image))?;
        }
        Ok(watch)
    }

    /// One look at cluster and registry.
    ///
    /// # Errors
    /// The state file cannot be written.
    pub(super) async fn once(&self, mut watch: Watch) -> Result<Watch, Failure> {
        let event = match self.client.get(&object_path(watch.state().api)).await {
            Ok(cluster::Got::Object(object)) => Event::Object(object),
            Ok(_) => Event::Absent,
            Err(error) => lost(&error),
        };
        if let Some(image) = self.look(watch.state()).await {
            self.note(&mut watch, Some(&image))?;
        }
        self.note(&mut watch, Some(&event))?;
        Ok(watch)
    }

    /// Takes an event, or none and looks at the clock; says what there is to say, and keeps the state.
    ///
    /// # Errors
    /// The state file cannot be written.
    pub(super) fn note(&self, watch: &mut Watch, event: Option<&Event>) -> Result<(), Failure> {
        let (before, now) = (watch.state().clone(), today());
        let lines = match event {
            Some(event) => watch.take(event, now),
            None => watch.tick(now),
        };
        if let Some(file) = self.file
            && *watch.state() != before
        {
            file.save(watch.state())?;
        }
        for line in &lines {
            match line {
                Line::Say(text) => self.report(Progress::Note(&printable(text))),
                Line::Warn(text) => self.report(Progress::Warning(&printable(text))),
            }
        }
        Ok(())
    }

    fn report(&self, event: Progress<'_>) {
        self.context.reporter.report(event);
    }

    fn interrupted(&self, watch: &Watch) -> Failure {
        let message = format!(
            "interrupted at step {} of {}; lifecycle-agent goes on by itself",
            watch.state().step,
            imaging::STEPS
        );
        Failure::new(Exit::Interrupted, message).hint(resume(self.file))
    }

    /// What the cluster says. Its end is only told after a look at the registry: an image that is there turns a failure.
    fn cluster(&self, state: &State) -> BoxStream<'_, Event> {
        let state = state.clone();
        let seen = self.client.watch(&state.api.generators(), NAME);
        let event = |seen: Result<Seen, cluster::Error>| match seen {
            Ok(Seen::Object(object)) => Event::Object(object),
            Ok(Seen::Absent) => Event::Absent,
            Err(error) => lost(&error),
        };
        let looked = move |event| {
            let state = state.clone();
            async move {
                let image = match &event {
                    Event::Object(object) if imaging::Seen::new(object).has_ended() => {
                        self.look(&state).await
                    }
                    _ => None,
                };
                stream::iter(image.into_iter().chain([event]))
            }
        };
        seen.map(event).then(looked).flatten().boxed()
    }

    /// The tag, again and again, whenever it names something else.
    fn images(&self, state: &State) -> BoxStream<'_, Event> {
        let mut clock = tokio::time::interval(self.wait.poll);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let begin = (state.clone(), None, clock);
        let poll = stream::unfold(begin, move |(state, last, mut clock)| async move {
            clock.tick().await;
            let found = self.tagged(&state).await;
            let event = if found.is_some() && found != last {
                self.look(&state).await
            } else {
                None
            };
            let last = if event.is_some() { found } else { last };
            Some((event, (state, last, clock)))
        });
        if self.registry.is_some() {
            poll.filter_map(futures_util::future::ready).boxed()
        } else {
            stream::pending().boxed()
        }
    }

    async fn tagged(&self, state: &State) -> Option<Digest> {
        let reference: Reference = state.seed_image.parse().ok()?;
        let found = self.registry?.resolve(&reference).await;
        found
            .map_err(|e| self.complain(&e))
            .ok()
            .map(|found| found.digest)
    }

    /// What the tag names now, and whether it is a seed image of this cluster.
    async fn look(&self, state: &State) -> Option<Event> {
        let reference: Reference = state.seed_image.parse().ok()?;
        let found = image::inspect(self.registry?, &reference).boxed().await;
        match found {
            Ok(seed) => {
                let own = seed.info.as_ref().is_some_and(|info| {
                    format!("{}.{}", info.cluster_name, info.base_domain) == state.cluster
                });
                Some(Event::Image {
                    good: own && !has_errors(&seed.findings),
                    digest: seed.digest,
                })
            }
            Err(Error::Source(error)) => {
                self.complain(&error);
                None
            }
            // Not even an image: said when it is looked at in the end.
            Err(_) => None,
        }
    }

    /// Says once that the registry does not answer: it may the next time. Most of the time there is no image yet.
    fn complain(&self, error: &SourceError) {
        let expected = error.kind == SourceErrorKind::NotFound;
        if !expected && !self.complained.swap(true, Ordering::Relaxed) {
            self.report(Progress::Warning(&printable(&format!("registry: {error}"))));
        }
    }
}

/// How to go on after this process.
pub(super) fn resume(file: Option<StateFile<'_>>) -> String {
    let state = file.map_or_else(String::new, |file| format!(" --state {}", file.0.display()));
    format!("`snoforge seed status --watch{state}` goes on from here; nothing is applied twice")
}

/// Path of the SeedGenerator.
pub(super) fn object_path(api: Api) -> String {
    format!("{}/{NAME}", api.generators())
}

fn lost(error: &cluster::Error) -> Event {
    Event::Lost(match error {
        cluster::Error::Request { reason, .. } => reason.to_string(),
        cluster::Error::Kubeconfig { .. } => error.to_string(),
    })
}
