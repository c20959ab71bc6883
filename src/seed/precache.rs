//! The images inside a seed image, as a target pulls them (`seed-image.md` section 4.6; lifecycle-agent's
//! `ShouldOverrideSeedRegistry` and `ReplaceImageRegistry`).
//!
//! The registry that the seed's release came from is replaced by the target's own, when the target's mirrors do not cover it.
//! Other than lifecycle-agent's, the match ends at a `/`: `quay.io` is not the beginning of `quay.io.example/…`.

use std::collections::BTreeSet;

use super::error::Error;
use super::facts::{Facts, list, paths, text};
use super::image::Info;
use super::names;
use crate::oci::Reference;

/// How a target gets images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// Hosts that its registries.conf has mirrors for.
    sources: BTreeSet<String>,
    /// Where its own release came from.
    release_registry: Option<String>,
}

impl Mirrors {
    /// From flags: hosts with mirrors, and the registry of the target's release.
    ///
    /// # Errors
    /// One is no registry.
    pub fn new(sources: &[String], release_registry: Option<&str>) -> Result<Self, Error> {
        let host = |field: &'static str, text: &str| {
            let host = text.split('/').next().unwrap_or_default();
            names::pull_spec(field, &format!("{host}/x/y")).map(|r| r.registry().to_owned())
        };
        Ok(Self {
            sources: sources
                .iter()
                .map(|s| host("mirror-source", s))
                .collect::<Result<_, _>>()?,
            release_registry: release_registry
                .map(|r| host("release-registry", r))
                .transpose()?,
        })
    }

    /// From a target's facts: sources of its `ImageDigestMirrorSet`s and `ImageContentSourcePolicy`s, registry of its release.
    pub fn from_facts(facts: &Facts) -> Self {
        let mut sources = BTreeSet::new();
        for (path, field) in [
            (paths::IDMS, "/spec/imageDigestMirrors"),
            (paths::ICSP, "/spec/repositoryDigestMirrors"),
        ] {
            for set in facts.items(path) {
                let hosts = list(set, field)
                    .iter()
                    .map(|m| text(m, "/source").split('/').next().unwrap_or_default());
                sources.extend(hosts.filter(|h| !h.is_empty()).map(str::to_owned));
            }
        }
        let version = facts
            .items(paths::DEPLOYMENTS)
            .iter()
            .find(|d| super::facts::name(d) == "cluster-version-operator");
        let image = version.map(|d| text(d, "/image")).or_else(|| {
            facts
                .object(paths::VERSION)
                .map(|v| text(v, "/status/desired/image"))
        });
        let registry = image
            .and_then(|i| i.split_once('/'))
            .map(|(host, _)| host.to_owned());
        Self {
            sources,
            release_registry: registry,
        }
    }

    /// The same with another registry of the release.
    #[must_use]
    pub fn with_release_registry(self, other: Self) -> Self {
        Self {
            release_registry: other.release_registry.or(self.release_registry),
            sources: self.sources.into_iter().chain(other.sources).collect(),
        }
    }

    /// What replaces the seed's release registry, when something does.
    fn replacement(&self, info: &Info) -> Option<&str> {
        let replaced = if self.sources.is_empty() {
            info.mirror_registry_configured
        } else {
            !self.sources.contains(&info.release_registry)
        };
        let own = self.release_registry.as_deref()?;
        (replaced
            && !own.is_empty()
            && !info.release_registry.is_empty()
            && own != info.release_registry)
            .then_some(own)
    }

    /// The pull specs that the target uses, sorted, each once, with the line of the list that each is from.
    ///
    /// # Errors
    /// A line is no pull spec.
    pub fn rewrite(&self, info: &Info, containers: &[String]) -> Result<Vec<Reference>, Error> {
        let replacement = self.replacement(info);
        let rewrite = |line: &String| {
            let rest = line
                .strip_prefix(&info.release_registry)
                .filter(|rest| rest.starts_with('/'));
            let text = match (replacement, rest) {
                (Some(own), Some(rest)) => format!("{own}{rest}"),
                _ => line.clone(),
            };
            text.parse::<Reference>()
                .map_err(|e| Error::reference("containers.list", &e))
        };
        let all: BTreeSet<_> = containers.iter().map(rewrite).collect::<Result<_, _>>()?;
        Ok(all.into_iter().collect())
    }
}

/// `mapping.txt` for `precache download --mapping`: `source=name:tag`, where an image without a tag gets the first digits of its
/// digest, as oc-mirror writes them.
pub fn mapping(images: &[Reference]) -> String {
    let line = |image: &Reference| {
        let digits = image.digest().and_then(|d| d.hex().get(..8));
        let tag = image.tag().or(digits).unwrap_or("latest");
        format!("{image}={}:{tag}\n", image.repository())
    };
    images.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn registries_are_replaced_as_lifecycle_agent_does() {
        let table: Value = serde_json::from_str(include_str!(
            "../../tests/seed/golden/should_override_seed_registry.json"
        ))
        .unwrap();
        for case in table["cases"].as_array().unwrap() {
            let info = Info {
                mirror_registry_configured: case["seed_mirror"].as_bool().unwrap(),
                release_registry: case["seed_reg"].as_str().unwrap().to_owned(),
                ..Info::default()
            };
            let sources: Vec<String> =
                serde_json::from_value(case["target_sources"].clone()).unwrap();
            let mirrors = Mirrors::new(&sources, Some("own.lab:5000")).unwrap();
            assert_eq!(
                mirrors.replacement(&info).is_some(),
                case["out"].as_bool().unwrap(),
                "{case}"
            );
        }
        let table: Value = serde_json::from_str(include_str!(
            "../../tests/seed/golden/replace_registry.json"
        ))
        .unwrap();
        for case in table["cases"].as_array().unwrap() {
            let text = |key: &str| case[key].as_str().unwrap().trim().to_owned();
            let info = Info {
                mirror_registry_configured: true,
                release_registry: text("seed"),
                ..Info::default()
            };
            let mirrors = Mirrors::new(&[], Some(&text("cluster"))).unwrap();
            let out = mirrors.rewrite(&info, &[text("image")]).unwrap();
            assert_eq!(
                out[0].registry() == "bbb.io",
                case["changed"].as_bool().unwrap(),
                "{case}"
            );
        }
    }

    #[test]
    fn only_whole_registries_match_and_equal_ones_are_listed_once() {
        let info = Info {
            mirror_registry_configured: true,
            release_registry: "quay.io".to_owned(),
            ..Info::default()
        };
        let mirrors = Mirrors::new(&[], Some("infra.lab:8443")).unwrap();
        let digest = format!("sha256:{:064}", 1);
        let lines = [
            format!("quay.io/a/b@{digest}"),
            "quay.io.example/a:t".to_owned(),
            "quay.io.example/a:t".to_owned(),
        ];
        let images = mirrors.rewrite(&info, &lines).unwrap();
        assert_eq!(
            mapping(&images),
            format!("infra.lab:8443/a/b@{digest}=a/b:00000000\nquay.io.example/a:t=a:t\n")
        );
        assert!(mirrors.rewrite(&info, &["quay.io/A B".to_owned()]).is_err());
        assert!(Mirrors::new(&["no registry".to_owned()], None).is_err());
    }
}
