//! `seed.yaml`: the few values that all manifests of a seed cluster are made of.
//!
//! ```yaml
//! apiVersion: snoforge.io/v1
//! kind: Seed
//! cluster:   {name: mysno, domain: sno.example.com, nodeIP: 10.20.30.5}
//! dnsmasq:   {wave: 100, guarded: true}
//! partition: {device: /dev/disk/by-id/wwn-…, startMiB: 250000, sizeMiB: 0, label: varlibcontainers, role: master, diskSize: 480GiB}
//! image:     {seedImage: registry/repo:tag, authfile: auth.json, recertImage: …, hubKubeconfig: …, api: v1}
//! operator:  {namespace: openshift-lifecycle-agent, channel: stable, source: redhat-operators}
//! upgrade:   {version: 4.18.27, pullSecret: …, oadpContent: [ns/name], extraManifests: [ns/name], initMonitorTimeoutSeconds: 1800}
//! ```
//!
//! Every section may be left out. A flag of the same meaning beats the file. What is wrong is reported with its line and column,
//! all at once.

use std::net::IpAddr;

use super::error::Error;
use super::names::{self, Cluster, SeedImage, Wave};
use super::partition::Partition;
use super::resources::{Api, ConfigMapRef, Operator, Upgrade};
use super::version::Version;
use crate::config::Finding;
use crate::config::values::{Field, Values};
use crate::oci::Reference;

/// Section and key in the file, name of the flag, whether it takes several values.
const FIELDS: [Field; 25] = [
    ("cluster", "name", "name", false),
    ("cluster", "domain", "domain", false),
    ("cluster", "nodeIP", "ip", false),
    ("dnsmasq", "wave", "wave", false),
    ("dnsmasq", "guarded", "guarded", false),
    ("partition", "device", "device", false),
    ("partition", "startMiB", "start-mib", false),
    ("partition", "sizeMiB", "size-mib", false),
    ("partition", "label", "label", false),
    ("partition", "role", "role", false),
    ("partition", "diskSize", "disk-size", false),
    ("image", "seedImage", "seed-image", false),
    ("image", "authfile", "authfile", false),
    ("image", "recertImage", "recert-image", false),
    ("image", "hubKubeconfig", "hub-kubeconfig", false),
    ("image", "api", "api", false),
    ("operator", "namespace", "namespace", false),
    ("operator", "channel", "channel", false),
    ("operator", "source", "source", false),
    ("upgrade", "version", "version", false),
    ("upgrade", "pullSecret", "pull-secret", false),
    ("upgrade", "oadpContent", "oadp-content", true),
    ("upgrade", "extraManifests", "extra-manifest", true),
    (
        "upgrade",
        "initMonitorTimeoutSeconds",
        "init-monitor-timeout",
        false,
    ),
    ("upgrade", "image", "upgrade-image", false),
];

/// Values by the name of their flag.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: Values,
}

impl Settings {
    /// Reads a file; `file` is the name to print.
    ///
    /// # Errors
    /// Everything that is wrong with it, in file order; never empty.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Finding>> {
        let (values, mut findings) =
            Values::read(file, text, "Seed", &FIELDS).map_err(|finding| vec![finding])?;
        let settings = Self { values };
        findings.extend(settings.wrong_values());
        findings.sort_by_key(|finding| finding.at);
        if findings.is_empty() {
            Ok(settings)
        } else {
            Err(findings)
        }
    }

    /// Sets a value from a flag.
    pub fn set(&mut self, field: &'static str, values: impl IntoIterator<Item = String>) {
        self.values.set(field, values);
    }

    /// A value, and whether it comes from the file.
    pub fn text(&self, field: &str) -> Option<(&str, bool)> {
        self.values.text(field)
    }

    /// Whether the value of a field is there.
    pub fn has(&self, field: &str) -> bool {
        self.values.has(field)
    }

    /// An error with the place of its value in the file, when it has one.
    pub fn located(&self, error: &Error) -> Finding {
        let field = match error {
            Error::Value { field, .. } => field,
            Error::Auth { .. } => "authfile",
            Error::HubKubeconfig { .. } => "hub-kubeconfig",
            _ => "",
        };
        let mut finding = self.values.finding(field, error.to_string());
        finding.hint = error.hint();
        finding
    }

    fn get(&self, field: &'static str) -> Option<&str> {
        self.text(field).map(|(text, _)| text)
    }

    fn need(&self, field: &'static str) -> Result<&str, Error> {
        self.get(field).ok_or(Error::Missing(field))
    }

    fn number(&self, field: &'static str) -> Result<Option<u64>, Error> {
        let parse = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse().ok().filter(|_| plain);
            number.ok_or_else(|| Error::value(field, text, "it is no whole number"))
        };
        self.get(field).map(parse).transpose()
    }

    /// Name, domain and address.
    ///
    /// # Errors
    /// One is missing or wrong.
    pub fn cluster(&self) -> Result<(Cluster, IpAddr), Error> {
        let cluster = Cluster::new(self.need("name")?, self.need("domain")?)?;
        Ok((cluster, names::node_ip(self.need("ip")?)?))
    }

    /// The wave, when one is asked for.
    ///
    /// # Errors
    /// It is none.
    pub fn wave(&self) -> Result<Option<Wave>, Error> {
        self.get("wave").map(Wave::new).transpose()
    }

    /// Whether the overrides file is read only where it exists.
    ///
    /// # Errors
    /// Neither `true` nor `false`.
    pub fn guarded(&self) -> Result<bool, Error> {
        match self.get("guarded") {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Error::value(
                "guarded",
                other,
                "it is neither true nor false",
            )),
        }
    }

    /// The partition.
    ///
    /// # Errors
    /// Device or start are missing, or a value is wrong.
    pub fn partition(&self) -> Result<Partition, Error> {
        let device = self.need("device")?;
        let start = self
            .number("start-mib")?
            .ok_or(Error::Missing("start-mib"))?;
        let size = self.number("size-mib")?.unwrap_or_default();
        let label = self.get("label").unwrap_or("varlibcontainers");
        Partition::new(
            device,
            label,
            start,
            size,
            self.get("role").unwrap_or("master"),
        )
    }

    /// The disk's size in bytes, when it is told.
    ///
    /// # Errors
    /// It is no size.
    pub fn disk_bytes(&self) -> Result<Option<u64>, Error> {
        let parse = |text: &str| {
            disk_size(text)
                .ok_or_else(|| Error::value("disk-size", text, "it is no size such as 200GiB"))
        };
        self.get("disk-size").map(parse).transpose()
    }

    /// Where the image is pushed.
    ///
    /// # Errors
    /// It is missing or wrong.
    pub fn seed_image(&self) -> Result<SeedImage, Error> {
        SeedImage::new(self.need("seed-image")?)
    }

    /// The recert image, when one is asked for.
    ///
    /// # Errors
    /// It is no pull spec.
    pub fn recert(&self) -> Result<Option<Reference>, Error> {
        let recert = self.get("recert-image");
        let recert = recert.map(|text| names::pull_spec("recert-image", text));
        Ok(recert.transpose()?)
    }

    /// Version of the custom resources.
    ///
    /// # Errors
    /// An unknown one.
    pub fn api(&self) -> Result<Api, Error> {
        match self.get("api") {
            None | Some("v1") => Ok(Api::V1),
            Some("v1alpha1") => Ok(Api::V1Alpha1),
            Some(other) => Err(Error::value(
                "api",
                other,
                "the versions are v1 and v1alpha1",
            )),
        }
    }

    /// The operator.
    ///
    /// # Errors
    /// A name is none.
    pub fn operator(&self) -> Result<Operator, Error> {
        let standard = Operator::default();
        let or = |field, standard| self.get(field).unwrap_or(standard);
        Operator::new(
            or("namespace", &standard.namespace),
            or("channel", &standard.channel),
            or("source", &standard.source),
        )
    }

    /// The upgrade of a target.
    ///
    /// # Errors
    /// Image or version are missing, or a value is wrong.
    pub fn upgrade(&self) -> Result<Upgrade, Error> {
        let version = self.need("version")?;
        let parsed: Version = version
            .parse()
            .map_err(|_| Error::value("version", version, "it is no version such as 4.18.27"))?;
        let image = match self.get("upgrade-image") {
            Some(text) => names::pull_spec("upgrade-image", text)?,
            None => self.seed_image()?.reference().clone(),
        };
        let pull_secret = self.get("pull-secret");
        pull_secret.map_or(Ok(()), |name| names::object_name("pull-secret", name))?;
        let maps = |field: &'static str| {
            self.values
                .all(field)
                .map(|text| ConfigMapRef::new(field, text))
                .collect::<Result<Vec<_>, _>>()
        };
        let timeout = self.number("init-monitor-timeout")?;
        let timeout = timeout.map(|n| {
            u32::try_from(n).map_err(|_| {
                Error::value(
                    "init-monitor-timeout",
                    &n.to_string(),
                    "no timeout is that long",
                )
            })
        });
        Ok(Upgrade {
            image,
            version: parsed,
            pull_secret: pull_secret.map(str::to_owned),
            oadp_content: maps("oadp-content")?,
            extra_manifests: maps("extra-manifest")?,
            init_monitor_timeout: timeout.transpose()?,
            api: self.api()?,
        })
    }

    /// What the rules say of the values, each with its place; what is missing is left to whoever needs it.
    fn wrong_values(&self) -> Vec<Finding> {
        let checks: [Result<(), Error>; 11] = [
            self.cluster().map(drop),
            self.get("ip")
                .map_or(Ok(()), |ip| names::node_ip(ip).map(drop)),
            self.wave().map(drop),
            self.guarded().map(drop),
            self.partition().map(drop),
            self.disk_bytes().map(drop),
            self.seed_image().map(drop),
            self.recert().map(drop),
            self.api().map(drop),
            self.operator().map(drop),
            self.upgrade().map(drop),
        ];
        let mut findings: Vec<Finding> = Vec::new();
        for error in checks.into_iter().filter_map(Result::err) {
            if matches!(error, Error::Missing(_)) {
                continue;
            }
            let finding = self.located(&error);
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        findings
    }
}

/// `200GiB`, `1.8TB` without the fraction, bytes without a unit: binary but for KB, MB, GB, TB.
fn disk_size(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 9] = [
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("MiB", 1 << 20),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("MB", 1_000_000),
        ("G", 1 << 30),
        ("T", 1 << 40),
        ("M", 1 << 20),
    ];
    let found = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (digits, factor) = found.unwrap_or((text, 1));
    let digits = digits.trim_end();
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| plain)?;
    count.checked_mul(factor)
}

#[cfg(test)]
mod tests;
