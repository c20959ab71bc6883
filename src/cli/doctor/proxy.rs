//! The proxy of the environment, read by the same code as the HTTP client's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use crate::doctor::{self, Fault, Proxy, Row};
use crate::probe;

const PATIENCE: Duration = Duration::from_secs(5);

/// What the environment says.
pub(super) struct Proxies(Matcher);

impl Proxies {
    pub(super) fn from_environment() -> Self {
        Self(Matcher::from_env())
    }

    /// Scheme, host and port of the proxy that a host is asked through; never its password.
    pub(super) fn of(&self, host: &str) -> Option<Uri> {
        let url: Uri = format!("https://{host}/").parse().ok()?;
        let found = self.0.intercept(&url)?;
        let uri = found.uri();
        let (name, port) = (uri.host()?, uri.port_u16());
        let scheme = uri.scheme_str().unwrap_or("http");
        let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
        format!("{scheme}://{name}:{port}").parse().ok()
    }

    /// Rows for these hosts, of which the job ends without the `needed`.
    pub(super) async fn rows(
        &self,
        hosts: BTreeSet<String>,
        needed: &BTreeSet<String>,
    ) -> Vec<Row> {
        let mut through: BTreeMap<String, (Uri, Vec<String>)> = BTreeMap::new();
        let mut direct = Vec::new();
        for host in hosts {
            match self.of(&host) {
                Some(uri) => {
                    let entry = through.entry(uri.to_string());
                    entry.or_insert_with(|| (uri, Vec::new())).1.push(host);
                }
                None => direct.push(host),
            }
        }
        let mut proxies = Vec::new();
        for (url, (uri, hosts)) in through {
            let fault = reach(uri).await;
            let url = url.trim_end_matches('/').to_owned();
            proxies.push(Proxy {
                url,
                needed: hosts.iter().any(|host| needed.contains(host)),
                hosts,
                fault,
            });
        }
        doctor::proxy(&proxies, &direct)
    }
}

async fn reach(uri: Uri) -> Option<Fault> {
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16()?;
    let asked = tokio::task::spawn_blocking(move || probe::connect(&host, port, PATIENCE));
    let error = asked.await.ok()?.err()?;
    let reason = std::error::Error::source(&error).map(crate::io::root_text);
    let reason = reason.map_or_else(|| error.to_string(), |reason| format!("{error}: {reason}"));
    let cure =
        "correct HTTPS_PROXY, or unset it; NO_PROXY names the hosts that are asked without it";
    Some(Fault::new(reason, cure))
}
