//! The network: logins, registries, other servers, the proxy.

use std::collections::BTreeSet;

use super::{Fault, Outcome, Row, moment};

/// How a place received us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It let us in.
    Welcome,
    /// It refuses the login, or asks for one and none is known.
    Refused(Fault),
    /// It does not answer.
    Silent(Fault),
    /// It answers and cannot be used: TLS, or no registry.
    Broken(Fault),
}

/// One physical registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// `host[:port]`.
    pub host: String,
    /// Whether it is a mirror.
    pub mirror: bool,
    /// The key of the login that is known for it.
    pub account: Option<String>,
    /// Whether it asked for a login.
    pub challenged: bool,
    /// How it received us.
    pub state: State,
}

/// A registry as images name it, and the places that answer for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The repository that was tried, with its registry.
    pub name: String,
    /// Mirrors first, never empty.
    pub places: Vec<Met>,
}

impl Source {
    /// Whether one place lets us in, which is enough.
    pub fn is_open(&self) -> bool {
        self.places.iter().any(|met| met.state == State::Welcome)
    }
}

/// The keys of the logins, and the hosts, that the job cannot do without: those of sources that no place lets us in for.
pub fn missed(sources: &[Source]) -> (BTreeSet<String>, BTreeSet<String>) {
    let shut = sources.iter().filter(|source| !source.is_open());
    let places: Vec<&Met> = shut.flat_map(|source| &source.places).collect();
    let keys = places.iter().filter_map(|met| met.account.clone());
    let hosts = places.iter().map(|met| met.host.clone());
    (keys.collect(), hosts.collect())
}

/// A row per place. One that lets us in is enough: what is wrong with the others is a warning then.
pub fn registries(sources: &[Source]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for source in sources {
        let wrong = if source.is_open() {
            Outcome::Warning
        } else {
            Outcome::Fail
        };
        for met in &source.places {
            let object = if met.mirror {
                format!("{} for {}", met.host, source.name)
            } else {
                source.name.clone()
            };
            let row = match &met.state {
                State::Welcome => {
                    let shown = met.account.as_ref().filter(|_| met.challenged);
                    let as_whom = shown.map_or_else(
                        || "it answers; no login is needed".to_owned(),
                        |key| format!("it answers, and takes the login `{key}`"),
                    );
                    Row::pass("registry", object, as_whom)
                }
                State::Refused(fault) | State::Silent(fault) | State::Broken(fault) => {
                    Row::new(wrong, "registry", object, fault.clone())
                }
            };
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    rows
}

/// What a registry said to a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is good.
    Good,
    /// It is refused.
    Wrong(String),
    /// It could not be tried.
    Unknown(String),
    /// The host is no registry, or asks for no login: nobody looked at it.
    Untold(String),
}

/// An entry of the credential files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its key.
    pub key: String,
    /// The file.
    pub file: String,
    /// `user NAME`, `a token`, or the program that is asked; none when there is no login in it.
    pub who: Option<String>,
    /// Seconds since 1970 at which it ends, when that is known.
    pub expires: Option<i64>,
    /// Whether the job needs it: no place lets us in without it.
    pub needed: bool,
    /// What its registry said.
    pub verdict: Verdict,
}

/// A row per entry, at the moment `now`. Without a registry that needs it, nothing that is wrong with an entry ends the job.
pub fn logins(logins: &[Login], now: i64) -> Vec<Row> {
    let row = |login: &Login| {
        let cure = format!(
            "log in again: podman login --authfile {} {}",
            login.file, login.key
        );
        let wrong = if login.needed {
            Outcome::Fail
        } else {
            Outcome::Warning
        };
        let judged = |outcome, message: String| {
            Row::new(
                outcome,
                "login",
                &login.key,
                Fault::new(message, cure.clone()),
            )
        };
        let Some(who) = &login.who else {
            let message = "it has no login: `auth` is not base64 of user:password";
            return judged(wrong, message.to_owned());
        };
        if let Some(end) = login.expires.filter(|end| *end < now) {
            return judged(wrong, format!("{who}: the token ended at {}", moment(end)));
        }
        let until = login.expires.map(|end| format!(", until {}", moment(end)));
        let until = until.unwrap_or_default();
        match &login.verdict {
            Verdict::Good => Row::pass("login", &login.key, format!("{who}: taken{until}")),
            Verdict::Wrong(reason) => judged(wrong, format!("{who}: {reason}")),
            Verdict::Unknown(reason) => Row {
                outcome: Outcome::Unknown,
                ..Row::pass(
                    "login",
                    &login.key,
                    format!("{who}: not tried: {reason}{until}"),
                )
            },
            Verdict::Untold(reason) => {
                Row::pass("login", &login.key, format!("{who}: {reason}{until}"))
            }
        }
    };
    logins.iter().map(row).collect()
}

/// A server that is no registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its host.
    pub host: String,
    /// What it is for.
    pub what: String,
    /// Why it cannot be reached.
    pub fault: Option<Fault>,
    /// Whether the job needs it.
    pub needed: bool,
}

/// A row per server.
pub fn services(services: &[Service]) -> Vec<Row> {
    let row = |service: &Service| match &service.fault {
        None => Row::pass(
            "server",
            &service.host,
            format!("it answers, for {}", service.what),
        ),
        Some(fault) => {
            let outcome = if service.needed {
                Outcome::Fail
            } else {
                Outcome::Warning
            };
            let message = format!("for {}: {}", service.what, fault.message);
            let fault = Fault::new(message, &fault.cure);
            Row::new(outcome, "server", &service.host, fault)
        }
    };
    services.iter().map(row).collect()
}

/// One proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its URL without the password.
    pub url: String,
    /// The hosts that are asked through it.
    pub hosts: Vec<String>,
    /// Why it cannot be reached; none when it can, or was not tried.
    pub fault: Option<Fault>,
    /// Whether the job ends without one of the hosts.
    pub needed: bool,
}

/// A row per proxy, and one for the hosts that go round it.
pub fn proxy(proxies: &[Proxy], direct: &[String]) -> Vec<Row> {
    let mut rows: Vec<Row> = proxies
        .iter()
        .map(|proxy| match &proxy.fault {
            None => Row::pass(
                "proxy",
                &proxy.url,
                format!("for {}", proxy.hosts.join(", ")),
            ),
            Some(fault) => {
                let message = format!("{}; it is for {}", fault.message, proxy.hosts.join(", "));
                let fault = Fault::new(message, &fault.cure);
                let outcome = if proxy.needed {
                    Outcome::Fail
                } else {
                    Outcome::Warning
                };
                Row::new(outcome, "proxy", &proxy.url, fault)
            }
        })
        .collect();
    if !proxies.is_empty() && !direct.is_empty() {
        let message = format!("asked without a proxy: {}", direct.join(", "));
        rows.push(Row::pass("proxy", "NO_PROXY", message));
    }
    rows
}
