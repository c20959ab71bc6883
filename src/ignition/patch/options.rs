//! What a patch is asked for, checked.

use std::net::IpAddr;

use super::super::edit::Secret;
use super::PatchError;

/// How images get from the partition into the containers' storage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Loader {
    /// The partition is a registry on loopback; images are pulled from it when they are needed.
    #[default]
    Registry,
    /// The same, and every image is loaded before anything starts. The registry is needed still: `podman pull` asks it even for
    /// images that are in storage.
    Copy,
}

/// What a patch is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the installed machine.
    pub hostname: Option<String>,
    /// How images are loaded.
    pub loader: Loader,
    /// Partition label of the data partition.
    pub label: String,
    /// Partition label that the installation keeps; none keeps none.
    pub save_partlabel: Option<String>,
    /// The disk to install to, below `/dev`; none leaves the one of the config.
    pub installation_disk: Option<String>,
    /// NTP servers, names or addresses, in order.
    pub ntp: Vec<String>,
    /// Text for people who log in, in place of ours.
    pub motd: Option<String>,
    /// The pull secret (a `config.json`) that replaces the one of the live stage.
    pub pull_secret: Option<Secret>,
    /// Repositories (`host/path`, no tag or digest) that the data partition holds; empty when unknown: then whole registries are mirrored.
    pub sources: Vec<String>,
}

/// Registries that OpenShift and its operators come from. A mirror for a whole host costs one refused request on loopback for each
/// image that the partition does not hold.
pub(super) const GENERIC_HOSTS: [&str; 5] = [
    "nvcr.io",
    "quay.io",
    "registry.access.redhat.com",
    "registry.connect.redhat.com",
    "registry.redhat.io",
];

impl Default for Options {
    fn default() -> Self {
        Self {
            hostname: None,
            loader: Loader::default(),
            label: "data".to_owned(),
            save_partlabel: Some("data".to_owned()),
            installation_disk: None,
            ntp: Vec::new(),
            motd: None,
            pull_secret: None,
            sources: Vec::new(),
        }
    }
}

impl Options {
    /// Finds values that would break a script, a unit or the machine.
    pub(super) fn check(&self) -> Result<(), PatchError> {
        let labels = [
            Some((&self.label, "--label")),
            self.save_partlabel
                .as_ref()
                .map(|l| (l, "--save-partlabel")),
        ];
        for (label, option) in labels.into_iter().flatten() {
            require(
                is_label(label),
                option,
                label,
                "a partition label of 1 to 36 letters, digits, `.`, `_`, `-`",
            )?;
        }
        if let Some(name) = &self.hostname {
            let expected =
                "a host name: labels of letters, digits and `-`, together at most 64 characters";
            require(
                name.len() <= 64 && is_host(name),
                "--hostname",
                name,
                expected,
            )?;
        }
        if let Some(disk) = &self.installation_disk {
            let safe = |c: char| c.is_ascii_alphanumeric() || "/._:+@=-".contains(c);
            let holds = disk.starts_with("/dev/") && disk.chars().all(safe);
            require(holds, "--installation-disk", disk, "a path below /dev")?;
        }
        for server in &self.ntp {
            let known = is_host(server) || server.parse::<IpAddr>().is_ok();
            require(known, "--ntp", server, "a host name or an address")?;
        }
        for source in &self.sources {
            require(is_repository(source), "--inventory", source, "a repository")?;
        }
        Ok(())
    }
}

fn require(
    holds: bool,
    option: &'static str,
    value: &str,
    expected: &'static str,
) -> Result<(), PatchError> {
    let value = value.to_owned();
    if holds {
        return Ok(());
    }
    Err(PatchError::Option {
        option,
        value,
        expected,
    })
}

/// GPT names have 36 UTF-16 units; the letters are those that no shell, unit or glob reads as something else.
fn is_label(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=36).contains(&text.len()) && !text.starts_with('-') && text.chars().all(safe)
}

/// RFC 1123.
fn is_host(text: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn is_repository(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-/:[]".contains(c);
    !text.is_empty() && text.chars().all(safe) && !text.starts_with('/') && !text.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_break_something() {
        let with = |change: &dyn Fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options.check()
        };
        assert!(with(&|_| ()).is_ok());
        assert!(with(&|o| o.ntp = vec!["2001:db8::1".into(), "ntp.example.com".into()]).is_ok());
        for label in ["", "a b", "da*ta", "-n", "$(reboot)", &"x".repeat(37)] {
            let error = with(&|o| o.label = label.to_owned()).unwrap_err();
            assert!(error.to_string().starts_with("--label: "), "{error}");
            assert!(with(&|o| o.save_partlabel = Some(label.to_owned())).is_err());
        }
        for name in [
            "",
            "a_b",
            "-a",
            "a..b",
            "a b",
            &"x".repeat(64),
            &"x.".repeat(40),
        ] {
            assert!(
                with(&|o| o.hostname = Some(name.to_owned())).is_err(),
                "{name}"
            );
        }
        for server in ["", "ntp server", "1.2.3.4/24", "x\nmakestep"] {
            assert!(
                with(&|o| o.ntp = vec![server.to_owned()]).is_err(),
                "{server}"
            );
        }
        assert!(with(&|o| o.sources = vec!["quay.io/a\"b".into()]).is_err());
    }
}
