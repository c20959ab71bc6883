//! The logins of the credential files: what registries say to each.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::network::broken;
use crate::cli::context::today;
use crate::doctor::{self, Fault, Login, Met, Outcome, Row, Source, State, Verdict};
use crate::oci::{Reference, SourceErrorKind};
use crate::remote::{Account, Client, Greeting, Visit};

/// A row per entry; the job does not go on without the `needed`.
pub(super) fn rows(
    client: &Client,
    needed: &BTreeSet<String>,
    verdict: impl Fn(&str) -> Verdict,
) -> Vec<Row> {
    let (mut rows, mut entries) = (Vec::new(), Vec::new());
    for login in client.logins() {
        let login = match login {
            Ok(login) => login,
            Err(error) => {
                rows.push(broken(&error));
                continue;
            }
        };
        let key = login.source.key;
        entries.push(Login {
            file: login.source.file.display().to_string(),
            who: match login.account {
                Account::User(name) => Some(format!("user `{name}`")),
                Account::Token => Some("a refresh token".to_owned()),
                Account::Helper(name) => Some(format!("docker-credential-{name}")),
                Account::Empty => None,
            },
            expires: login.expires,
            needed: needed.contains(&key),
            verdict: verdict(&key),
            key,
        });
    }
    if entries.is_empty() && rows.is_empty() {
        let cure = "download the pull secret from https://console.redhat.com/openshift/install/pull-secret and name it by --authfile";
        let fault = Fault::new("no credential file is there, or none has an entry", cure);
        rows.push(Row::new(Outcome::Warning, "login", "any", fault));
    }
    rows.extend(doctor::logins(&entries, today().as_second()));
    rows
}

/// What the places that images are at say to the logins that are known for them.
pub(super) fn verdicts(sources: &[Source]) -> BTreeMap<String, Verdict> {
    let mut known = BTreeMap::new();
    for place in sources.iter().flat_map(|source| &source.places) {
        let Some(key) = &place.account else { continue };
        let verdict = verdict(place);
        let better = matches!(verdict, Verdict::Good | Verdict::Wrong(_));
        if better || !known.contains_key(key) {
            known.insert(key.clone(), verdict);
        }
    }
    known
}

fn unasked() -> Verdict {
    Verdict::Untold("not tried: the registry asks for no login".to_owned())
}

fn verdict(met: &Met) -> Verdict {
    match &met.state {
        State::Welcome if !met.challenged => unasked(),
        State::Welcome => Verdict::Good,
        State::Refused(fault) => Verdict::Wrong(fault.message.clone()),
        State::Silent(fault) | State::Broken(fault) => Verdict::Unknown(fault.message.clone()),
    }
}

/// Logins that no image of the job goes by: each is shown to its own registry.
pub(super) async fn others(client: &Client) -> BTreeMap<String, Verdict> {
    let keys = client.logins().into_iter().flatten().map(|l| l.source.key);
    let tried = keys.map(|key| async move {
        let verdict = other(client, &key).await;
        Some((key, verdict?))
    });
    join_all(tried).await.into_iter().flatten().collect()
}

async fn other(client: &Client, key: &str) -> Option<Verdict> {
    let place = key.strip_prefix("credHelpers.").unwrap_or(key);
    let place = place.split_once("://").map_or(place, |(_, rest)| rest);
    let host = place.split('/').next()?;
    let namespace = place.strip_prefix(host)?.trim_matches('/');
    // Docker's own keys end in the version of an API.
    let namespace = match namespace {
        "" | "v1" | "v2" => "snoforge".to_owned(),
        namespace => format!("{namespace}/snoforge"),
    };
    let host = if host == "index.docker.io" {
        "docker.io"
    } else {
        host
    };
    let image: Reference = format!("{host}/{namespace}:doctor").parse().ok()?;
    let greetings = match client.greet(&image, Visit::Login).await {
        Ok(greetings) => greetings,
        Err(error) => return Some(Verdict::Unknown(error.detail)),
    };
    let own = |greeting: &Greeting| greeting.account.as_ref().is_some_and(|a| a.key == key);
    let greeting = greetings.into_iter().rfind(own)?;
    Some(match greeting.answer {
        Ok(()) if greeting.challenged => Verdict::Good,
        Ok(()) => unasked(),
        Err(error) => match error.kind {
            SourceErrorKind::Unauthorized => Verdict::Wrong(error.detail),
            SourceErrorKind::Protocol | SourceErrorKind::NotFound => {
                Verdict::Untold(format!("not tried, and not needed: {}", error.detail))
            }
            _ => Verdict::Unknown(error.detail),
        },
    })
}
