//! The mirrors: a drop-in for `/etc/containers/registries.conf.d` that sends every pull to the loopback registry first.
//!
//! Format: containers-registries.conf(5), version 2. An entry of a drop-in replaces the entry of the same prefix that was read before
//! it, and the longest prefix that fits a reference wins over all others. So an entry of ours takes over the mirrors of the site's
//! entry that it replaces or hides (ours first), and every site entry below one of our prefixes gets our mirror too. The source stays
//! the last resort: it is asked when the loader is gone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::{Table, Value};

use super::{PatchError, assets};

/// The main file.
pub(super) const MAIN: &str = "/etc/containers/registries.conf";
/// The directory of drop-ins.
pub(super) const DROPINS: &str = "/etc/containers/registries.conf.d/";

/// Entries of the site by prefix.
#[derive(Debug, Default)]
pub(super) struct Site {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    location: String,
    /// `insecure`, `blocked` and `mirror-by-digest-only` as they stand.
    flags: Table,
    mirrors: Vec<Table>,
}

impl Site {
    /// Reads one more file; what it says replaces what was read before, prefix by prefix.
    ///
    /// # Errors
    /// Not TOML, not version 2.
    pub(super) fn read(&mut self, path: &str, text: &str) -> Result<(), PatchError> {
        let problem = |problem: String| PatchError::Registries {
            path: path.to_owned(),
            problem,
        };
        let document: Table = text
            .parse()
            .map_err(|e: toml::de::Error| problem(e.message().to_owned()))?;
        if document.contains_key("registries") {
            return Err(problem("is of version 1".to_owned()));
        }
        let list = document
            .get("registry")
            .map_or(Some(&[][..]), |v| v.as_array().map(Vec::as_slice));
        let list = list.ok_or_else(|| problem("`registry` is no list of tables".to_owned()))?;
        for item in list {
            let entry = item.as_table().and_then(Entry::of);
            let (prefix, entry) = entry
                .ok_or_else(|| problem("an entry with neither prefix nor location".to_owned()))?;
            self.entries.insert(prefix, entry);
        }
        Ok(())
    }

    /// The entry that decides for a repository or prefix.
    fn covering(&self, name: &str) -> Option<(&str, &Entry)> {
        let fits = self.entries.iter().filter(|(p, _)| is_below(name, p));
        fits.max_by_key(|(p, _)| p.len())
            .map(|(p, e)| (p.as_str(), e))
    }

    /// The drop-in for these sources, sorted by prefix.
    pub(super) fn dropin(&self, sources: &[String]) -> String {
        let mut entries: BTreeMap<&str, Entry> = BTreeMap::new();
        for source in sources {
            let inside = sources.iter().any(|s| s != source && is_below(source, s));
            if !inside {
                entries.insert(source, self.ours(source));
            }
            let below = self.entries.keys().filter(|p| is_below(p, source));
            entries.extend(below.map(|prefix| (prefix.as_str(), self.ours(prefix))));
        }
        let mut text = String::from(
            "# Written by `snoforge ignition patch`: the data partition first, then the site's mirrors, then the source.\n",
        );
        for (prefix, entry) in entries {
            entry.render(prefix, &mut text);
        }
        text
    }

    /// The entry that asks us first, then whatever the site's entry asks.
    fn ours(&self, prefix: &str) -> Entry {
        let mut loopback = Table::new();
        loopback.insert("location".to_owned(), loopback_name(prefix).into());
        loopback.insert("insecure".to_owned(), true.into());
        let mut entry = Entry {
            location: prefix.to_owned(),
            ..Entry::default()
        };
        if let Some((covering, site)) = self.covering(prefix) {
            let rest = prefix.get(covering.len()..).unwrap_or_default();
            entry = site.clone();
            entry.location += rest;
            for mirror in &mut entry.mirrors {
                if let Some(Value::String(location)) = mirror.get_mut("location") {
                    location.push_str(rest);
                }
            }
        }
        entry.mirrors.insert(0, loopback);
        entry
    }
}

impl Entry {
    fn of(table: &Table) -> Option<(String, Self)> {
        let text = |key: &str| {
            table
                .get(key)
                .and_then(Value::as_str)
                .filter(|t| !t.is_empty())
        };
        let prefix = text("prefix").or(text("location"))?;
        let flags = table.iter().filter(|(_, v)| v.is_bool());
        let mirrors = table.get("mirror").and_then(Value::as_array);
        let mirrors = mirrors.into_iter().flatten().filter_map(Value::as_table);
        let entry = Self {
            location: text("location").unwrap_or(prefix).to_owned(),
            flags: flags.map(|(k, v)| (k.clone(), v.clone())).collect(),
            mirrors: mirrors.cloned().collect(),
        };
        Some((prefix.to_owned(), entry))
    }

    fn render(&self, prefix: &str, out: &mut String) {
        let mut line = |key: &str, value: &Value| {
            let _ = writeln!(out, "{key} = {value}");
        };
        line("\n[[registry]]\nprefix", &prefix.into());
        line("location", &self.location.as_str().into());
        self.flags.iter().for_each(|(key, value)| line(key, value));
        for mirror in &self.mirrors {
            let mut head = "\n[[registry.mirror]]\n";
            for (key, value) in mirror
                .iter()
                .filter(|(_, v)| !v.is_table() && !v.is_array())
            {
                line(&format!("{head}{key}"), value);
                head = "";
            }
        }
    }
}

/// Whether a name is the prefix or lies below it.
fn is_below(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Our registry knows repositories with their host before them; a host with a port cannot be part of a name.
fn loopback_name(prefix: &str) -> String {
    let (host, path) = prefix.split_once('/').unwrap_or((prefix, ""));
    match (host.contains(':'), path) {
        (false, _) => format!("{}/{prefix}", assets::LISTEN),
        (true, "") => assets::LISTEN.to_owned(),
        (true, path) => format!("{}/{path}", assets::LISTEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropin(main: &str, sources: &[&str]) -> Table {
        let mut site = Site::default();
        site.read(MAIN, main).unwrap();
        let sources: Vec<_> = sources.iter().map(|s| (*s).to_owned()).collect();
        let text = site.dropin(&sources);
        text.parse().unwrap_or_else(|e| panic!("{e}\n{text}"))
    }

    fn entries(document: &Table) -> Vec<(String, String, Vec<String>)> {
        let text = |t: &Value, k: &str| t.get(k).unwrap().as_str().unwrap().to_owned();
        let list = document.get("registry").unwrap().as_array().unwrap();
        let mirrors = |e: &Value| -> Vec<String> {
            let list = e.get("mirror").unwrap().as_array().unwrap();
            list.iter().map(|m| text(m, "location")).collect()
        };
        list.iter()
            .map(|e| (text(e, "prefix"), text(e, "location"), mirrors(e)))
            .collect()
    }

    fn row(prefix: &str, location: &str, mirrors: &[&str]) -> (String, String, Vec<String>) {
        let mirrors = mirrors.iter().map(|m| (*m).to_owned()).collect();
        (prefix.to_owned(), location.to_owned(), mirrors)
    }

    #[test]
    fn without_a_site_configuration() {
        let document = dropin(
            "",
            &[
                "quay.io",
                "quay.io/a/b",
                "r.example:5000/x",
                "r.example:6000",
            ],
        );
        let expected = [
            row("quay.io", "quay.io", &["127.0.0.1:5000/quay.io"]),
            row(
                "r.example:5000/x",
                "r.example:5000/x",
                &["127.0.0.1:5000/x"],
            ),
            row("r.example:6000", "r.example:6000", &["127.0.0.1:5000"]),
        ];
        assert_eq!(entries(&document), expected);
        let first = document["registry"][0]["mirror"][0]["insecure"].as_bool();
        assert_eq!(first, Some(true));
    }

    #[test]
    fn site_mirrors_stay_behind_ours() {
        let main = r#"
            unqualified-search-registries = ["registry.access.redhat.com"]
            [[registry]]
            location = "quay.io/openshift-release-dev"
            insecure = false
            mirror-by-digest-only = true
            [[registry.mirror]]
            location = "mirror.site:8443/ocp"
            insecure = true
            pull-from-mirror = "digest-only"
            [[registry]]
            prefix = "registry.redhat.io/redhat/special"
            location = "other.example/special"
            [[registry]]
            location = "untouched.example"
        "#;
        let sources = [
            "quay.io/openshift-release-dev/ocp-release",
            "registry.redhat.io",
        ];
        let document = dropin(main, &sources);
        let release = "quay.io/openshift-release-dev/ocp-release";
        let special = "registry.redhat.io/redhat/special";
        let expected = [
            row(
                release,
                release,
                &[
                    "127.0.0.1:5000/quay.io/openshift-release-dev/ocp-release",
                    "mirror.site:8443/ocp/ocp-release",
                ],
            ),
            row(
                "registry.redhat.io",
                "registry.redhat.io",
                &["127.0.0.1:5000/registry.redhat.io"],
            ),
            row(
                special,
                "other.example/special",
                &["127.0.0.1:5000/registry.redhat.io/redhat/special"],
            ),
        ];
        assert_eq!(entries(&document), expected);
        let first = &document["registry"][0];
        assert_eq!(first["mirror-by-digest-only"].as_bool(), Some(true));
        assert_eq!(
            first["mirror"][1]["pull-from-mirror"].as_str(),
            Some("digest-only")
        );
        assert!(
            document["registry"][1]
                .get("mirror-by-digest-only")
                .is_none()
        );
    }

    #[test]
    fn prefixes_end_at_slashes() {
        let main =
            "[[registry]]\nlocation = \"quay.io/open\"\n[[registry.mirror]]\nlocation = \"m\"\n";
        let document = dropin(main, &["quay.io/openshift"]);
        assert_eq!(
            entries(&document),
            [row(
                "quay.io/openshift",
                "quay.io/openshift",
                &["127.0.0.1:5000/quay.io/openshift"]
            )]
        );
    }

    #[test]
    fn what_is_no_configuration() {
        for text in [
            "[registries.search]\nregistries = []\n",
            "[[registry",
            "registry = 1\n",
            "[[registry]]\n",
        ] {
            let error = Site::default().read(MAIN, text).unwrap_err().to_string();
            assert!(error.starts_with(MAIN), "{error}");
        }
    }
}
