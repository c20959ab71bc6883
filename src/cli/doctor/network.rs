//! Facts about the network: every registry, login, server and proxy is asked at the same time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::logins;
use super::proxy::Proxies;
use crate::cli::build::{Needs, usual_images};
use crate::cli::context::{env, today};
use crate::cli::global::RegistryFlags;
use crate::doctor::{self, Fault, Met, Outcome, Row, Service, Source, State, Verdict};
use crate::oci::{Location, Reference, SourceError, SourceErrorKind};
use crate::probe;
use crate::remote::{self, Client, Greeting, Options, RetryPolicy, Visit};

/// A person waits for the slowest of all.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
const GRAPH: &str = "https://api.openshift.com/";
const SIGNATURES: &str = "https://mirror.openshift.com/";

type Heard = Vec<(String, i64)>;

/// A server that is no registry.
struct Server {
    url: url::Url,
    what: &'static str,
    needed: bool,
    /// Whether this very file has to be there.
    file: bool,
}

impl Server {
    /// `host[:port]`.
    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

/// What the places of a source said beside the answer.
#[derive(Default)]
struct Told {
    heard: Heard,
    verified: bool,
}

/// What the network said.
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    /// Servers that were heard, and by how much their clocks differ from ours.
    pub(super) heard: Heard,
    /// Whether a certificate was good by our clock.
    pub(super) verified: bool,
}

/// What is asked.
pub(super) struct Job {
    client: Result<Client, remote::Error>,
    options: Options,
    images: Vec<(Reference, Visit)>,
    /// Registries that are pushed to.
    push: Vec<Location>,
    servers: Vec<Server>,
    proxies: Proxies,
    /// Whether everything is downloaded.
    complete: bool,
}

impl Job {
    pub(super) fn new(flags: &RegistryFlags, needs: Option<&Needs>) -> Self {
        let options = Options {
            retry: RetryPolicy {
                attempts: 1,
                deadline: PATIENCE,
                stall_timeout: PATIENCE,
                connect_timeout: CONNECT,
                ..RetryPolicy::default()
            },
            ..flags.options()
        };
        Self {
            client: Client::new(options.clone()),
            options,
            images: needs.map_or_else(usual_images, |needs| needs.images.clone()),
            push: needs.map_or_else(Vec::new, |needs| needs.push.clone()),
            servers: servers(flags, needs),
            proxies: Proxies::from_environment(),
            complete: needs.is_some_and(|needs| needs.missing.is_some() && needs.images.is_empty()),
        }
    }

    /// What can be said without the network.
    pub(super) fn offline(&mut self) -> Vec<Row> {
        let client = match &self.client {
            Ok(client) => client,
            Err(error) => return vec![broken(error)],
        };
        let untried = |_: &str| Verdict::Unknown("--offline".to_owned());
        let mut rows = logins::rows(client, &BTreeSet::new(), untried);
        let landings: Vec<Reference> = self.push.iter().filter_map(landing).collect();
        let images = self.images.iter().map(|(image, _)| image);
        rows.extend(
            images
                .chain(&landings)
                .map(|image| untried_registry(client, image)),
        );
        rows
    }

    /// Asks everybody.
    pub(super) async fn rows(&mut self) -> Found {
        let client = match &self.client {
            Ok(client) => client,
            Err(error) => {
                return Found {
                    rows: vec![broken(error)],
                    heard: Vec::new(),
                    verified: false,
                };
            }
        };
        let images = self.images.iter();
        let visits = join_all(images.map(|(image, visit)| self.source(client, image, *visit)));
        let pushes = join_all(self.push.iter().map(|to| self.target(client, to)));
        let servers = self.servers.iter();
        let reached = join_all(servers.map(|server| self.server(client, server)));
        let (mut sources, pushes, services, others) =
            tokio::join!(visits, pushes, reached, logins::others(client));
        sources.extend(pushes.into_iter().flatten());
        let (sources, times): (Vec<Source>, Vec<Told>) = sources.into_iter().unzip();
        let verified = times.iter().any(|told| told.verified);
        let mut heard: Heard = times.into_iter().flat_map(|told| told.heard).collect();
        let mut rows = doctor::registries(&sources);
        if self.complete {
            rows.push(Row::pass("registry", "all", "nothing is left to download"));
        }
        let (keys, mut needed) = doctor::missed(&sources);
        let mut verdicts = others;
        verdicts.extend(logins::verdicts(&sources));
        let verdict = |key: &str| {
            let untold = || Verdict::Unknown("the key names no registry".to_owned());
            verdicts.get(key).cloned().unwrap_or_else(untold)
        };
        rows.extend(logins::rows(client, &keys, verdict));
        let (services, times): (Vec<Service>, Vec<Heard>) = services.into_iter().unzip();
        heard.extend(times.into_iter().flatten());
        rows.extend(doctor::services(&services));
        let failed = services.iter().filter(|s| s.needed && s.fault.is_some());
        needed.extend(failed.map(|service| service.host.clone()));
        let places = sources.iter().flat_map(|source| &source.places);
        let hosts = places.map(|met| met.host.clone());
        let hosts = hosts.chain(services.iter().map(|service| service.host.clone()));
        rows.extend(self.proxies.rows(hosts.collect(), &needed).await);
        heard.sort();
        heard.dedup_by(|(a, _), (b, _)| a == b);
        Found {
            rows,
            heard,
            verified,
        }
    }

    /// A registry that is pushed to: itself, no mirror of it, and insecure where its own name says so.
    async fn target(&self, client: &Client, to: &Location) -> Option<(Source, Told)> {
        let image = landing(to)?;
        let insecure = Options {
            tls_verify: false,
            ..self.options.clone()
        };
        let client = if to.is_insecure() {
            Client::new(insecure).ok()?
        } else {
            client.clone()
        };
        let (mut source, told) = self.source(&client, &image, Visit::Login).await;
        source.name = format!("push to {to}");
        source.places.drain(..source.places.len().saturating_sub(1));
        Some((source, told))
    }

    async fn source(&self, client: &Client, image: &Reference, visit: Visit) -> (Source, Told) {
        let name = format!("{}/{}", image.registry(), image.repository());
        let mut told = Told::default();
        let places = match client.greet(image, visit).await {
            Ok(greetings) => {
                let mut places = Vec::new();
                for greeting in greetings {
                    told.verified |= greeting.verified && greeting.answer.is_ok();
                    told.heard.extend(self.time_of(&greeting).await);
                    places.push(self.met(greeting).await);
                }
                places
            }
            Err(error) => vec![Met {
                host: image.registry().to_owned(),
                mirror: false,
                account: None,
                challenged: false,
                state: State::Broken(said(error)),
            }],
        };
        (Source { name, places }, told)
    }

    async fn met(&self, greeting: Greeting) -> Met {
        let Greeting {
            host,
            mirror,
            account,
            challenged,
            answer,
            ..
        } = greeting;
        let state = match answer {
            Ok(()) => State::Welcome,
            Err(error) => {
                let kind = error.kind;
                let mut fault = said(error);
                match kind {
                    SourceErrorKind::Unauthorized => State::Refused(fault),
                    SourceErrorKind::Unavailable => State::Silent(fault),
                    _ => {
                        self.name_issuer(&host, &mut fault).await;
                        State::Broken(fault)
                    }
                }
            }
        };
        Met {
            host,
            mirror,
            account: account.map(|source| source.key),
            challenged,
            state,
        }
    }

    /// Adds who signed a certificate that is refused, when the server can be asked without a proxy.
    async fn name_issuer(&self, host: &str, fault: &mut Fault) {
        if !fault.message.contains("certificate") || self.proxies.of(host).is_some() {
            return;
        }
        let (name, port) = name_and_port(host);
        let shown = tokio::task::spawn_blocking(move || probe::certificate(&name, port, CONNECT));
        let Ok(Ok(shown)) = shown.await else {
            return;
        };
        let at = |seconds: u64| doctor::moment(i64::try_from(seconds).unwrap_or(i64::MAX));
        let (from, until) = (at(shown.not_before), at(shown.not_after));
        let (subject, issuer) = (shown.subject, shown.issuer);
        fault.message = format!(
            "{}; it shows `{subject}`, signed by `{issuer}`, good from {from} to {until}",
            fault.message
        );
    }

    /// What a server's clock says. Where its certificate is refused, perhaps because of ours, it is asked without looking at it: a
    /// date is no secret, and what it says is only advice.
    async fn time_of(&self, greeting: &Greeting) -> Option<(String, i64)> {
        let now = || today().as_second();
        let host = greeting.host.clone();
        if let Some(date) = greeting.date {
            return Some((host, date - now()));
        }
        let error = greeting.answer.as_ref().err()?;
        if !error.detail.contains("certificate") {
            return None;
        }
        let options = Options {
            tls_verify: false,
            ..self.options.clone()
        };
        let client = Client::new(options).ok()?;
        let date = client.reach(&format!("https://{host}/v2/")).await.ok()??;
        Some((host, date - now()))
    }

    async fn server(&self, client: &Client, server: &Server) -> (Service, Heard) {
        let answer = if server.file {
            client.file_head(&server.url).await.map(|_| None)
        } else {
            client.reach(server.url.as_str()).await
        };
        let host = server.host();
        let date = answer.as_ref().ok().copied().flatten();
        let heard = date.map(|date| (host.clone(), date - today().as_second()));
        let mut fault = answer.err().map(said);
        if let Some(fault) = &mut fault {
            self.name_issuer(&host, fault).await;
        }
        let service = Service {
            fault,
            host,
            what: server.what.to_owned(),
            needed: server.needed,
        };
        (service, heard.into_iter().collect())
    }
}

fn servers(flags: &RegistryFlags, needs: Option<&Needs>) -> Vec<Server> {
    let server = |url: &str, what, needed| {
        let url = url.parse().ok()?;
        Some(Server {
            url,
            what,
            needed,
            file: false,
        })
    };
    let graph = env("UPDATE_URL_OVERRIDE").unwrap_or_else(|| GRAPH.to_owned());
    let mut all = Vec::new();
    if needs.is_none_or(|needs| needs.graph) {
        // A mirror may have the inventory, which is asked for first.
        let needed = flags.mirror.is_empty();
        all.extend(server(&graph, "the update graph", needed));
    }
    if needs.is_none_or(|needs| needs.signatures) {
        // There is a second place for those.
        all.extend(server(SIGNATURES, "release signatures", false));
    }
    let files = needs.into_iter().flat_map(|needs| &needs.files);
    all.extend(files.map(|url| Server {
        url: url.clone(),
        what: "`rootfsUrl`",
        needed: true,
        file: true,
    }));
    all
}

/// What is pushed last.
fn landing(to: &Location) -> Option<Reference> {
    format!("{}/snoforge/inventory:doctor", to.name())
        .parse()
        .ok()
}

/// A registry that is not asked: whether a login is known for it.
fn untried_registry(client: &Client, image: &Reference) -> Row {
    let name = format!("{}/{}", image.registry(), image.repository());
    let message = match client.credential_source(image) {
        Ok(Some(source)) => format!("not asked: --offline; its login would be `{}`", source.key),
        Ok(None) => "not asked: --offline; no login is known for it".to_owned(),
        Err(error) => return Row::new(Outcome::Fail, "registry", name, said(error)),
    };
    Row {
        outcome: Outcome::Unknown,
        ..Row::pass("registry", name, message)
    }
}

/// A credential file, registries.conf or certificate that cannot be used.
pub(super) fn broken(error: &remote::Error) -> Row {
    let cure = error.hint().unwrap_or_default();
    let fault = Fault::new(error.to_string(), cure);
    Row::new(Outcome::Fail, "configuration", "registries", fault)
}

/// The reason alone: the row names the server.
fn said(error: SourceError) -> Fault {
    let cure = match error.kind {
        SourceErrorKind::Unavailable => {
            "check the cable, DNS, the firewall, and whether a proxy is needed (HTTPS_PROXY)"
                .to_owned()
        }
        _ => String::new(),
    };
    Fault::new(error.detail, error.hint.unwrap_or(cure))
}

fn name_and_port(host: &str) -> (String, u16) {
    let split = host.rsplit_once(':');
    let port = split.and_then(|(name, port)| Some((name, port.parse().ok()?)));
    let (name, port) = port.unwrap_or((host, 443));
    (name.trim_matches(['[', ']']).to_owned(), port)
}
