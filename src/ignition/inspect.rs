//! What a config does, without what it must not show: no password hash, no key, no file contents.
//!
//! The bootstrap-in-place part (release image, install disk, era) is read out of the scripts that `openshift-install` writes;
//! `bootstrap-in-place.md` sections 2 to 4.

use std::collections::BTreeSet;

use base64::Engine as _;
use serde::Serialize;
use serde_json::Value;
use sha2::Digest as _;

use super::config::Config;
use super::view::{File, Resource, Unit, User};

/// Scripts that name the release image, best first.
const RELEASE_SCRIPTS: [&str; 3] = [
    "/usr/local/bin/release-image-download.sh",
    "/usr/local/bin/release-image.sh",
    "/usr/local/bin/bootkube.sh",
];
const INSTALL_SCRIPT: &str = "/usr/local/bin/install-to-disk.sh";
const PULL_SECRETS: [&str; 2] = ["/root/.docker/config.json", "/var/lib/kubelet/config.json"];

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// Spec version.
    pub version: String,
    /// Users.
    pub users: Vec<UserInfo>,
    /// Files, in the order of the config.
    pub files: Vec<FileInfo>,
    /// Directories, their paths.
    pub directories: Vec<String>,
    /// Links, as `path -> target`.
    pub links: Vec<String>,
    /// Units.
    pub units: Vec<UnitInfo>,
    /// What makes it a bootstrap-in-place config; none when it is another kind.
    pub bootstrap_in_place: Option<BootstrapInPlace>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// The name.
    pub name: String,
    /// Whether a password hash is set.
    pub password: bool,
    /// The SSH keys.
    pub ssh_keys: Vec<KeyInfo>,
}

/// An SSH key: enough to recognise it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// The algorithm, `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…` as `ssh-keygen -l` prints it; none when the key does not decode.
    pub fingerprint: Option<String>,
    /// The comment.
    pub comment: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileInfo {
    /// The path.
    pub path: String,
    /// The mode in octal, `0644`; none when the config leaves it to Ignition.
    pub mode: Option<String>,
    /// Decoded size in bytes, appended parts included; none when a part is remote or does not decode.
    pub bytes: Option<usize>,
    /// SHA-256 of the same bytes, in hexadecimal.
    pub sha256: Option<String>,
    /// How the contents are packed.
    pub compression: Option<String>,
    /// Where remote contents come from, without credentials and query.
    pub remote: Option<String>,
    /// Number of appended parts.
    pub appended: usize,
    /// Whether a file of the image is replaced.
    pub overwrite: bool,
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitInfo {
    /// The name.
    pub name: String,
    /// Enabled, disabled, or left to presets.
    pub enabled: Option<bool>,
    /// Masked.
    pub masked: bool,
    /// Whether the config holds the unit itself, not only drop-ins.
    pub contents: bool,
    /// Names of the drop-ins.
    pub dropins: Vec<String>,
}

/// What is special about a config for bootstrap in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BootstrapInPlace {
    /// Which shape it has.
    pub era: Era,
    /// The release payload, as the scripts name it; none when they are blank.
    pub release_image: Option<String>,
    /// The disk it installs to.
    pub install_disk: Option<String>,
    /// The registries that the pull secret is for; none when the config has no pull secret that can be read.
    pub pull_secret_registries: Option<BTreeSet<String>>,
}

/// The shapes that `openshift-install` has given its config; `bootstrap-in-place.md` section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Era {
    /// 4.9 and older: bootkube orders itself after the release image.
    A,
    /// 4.10 to 4.18: `crio-configure.service`.
    B,
    /// Newer: the node image is pulled and overlaid before anything else.
    C,
}

impl std::fmt::Display for Era {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::A => "A (4.9 and older)",
            Self::B => "B (4.10 to 4.18)",
            Self::C => "C (node image, newer than 4.18)",
        })
    }
}

/// Looks at a config.
pub fn inspect(config: &Config) -> Overview {
    Overview {
        version: config.version().to_string(),
        users: config.users().map(|user| user_info(&user)).collect(),
        files: config.files().map(|file| file_info(&file)).collect(),
        directories: config.directories().map(|d| d.path().to_owned()).collect(),
        links: config
            .links()
            .map(|l| format!("{} -> {}", l.path(), l.target()))
            .collect(),
        units: config.units().map(|unit| unit_info(&unit)).collect(),
        bootstrap_in_place: era(config).map(|era| BootstrapInPlace {
            era,
            release_image: release_image(config),
            install_disk: install_disk(config),
            pull_secret_registries: registries(config),
        }),
    }
}

/// Which era a bootstrap-in-place config is of; none when it is no such config.
pub fn era(config: &Config) -> Option<Era> {
    let unit_or_file = |name: &str| {
        config.unit(name).is_some()
            || config
                .file(&format!("/etc/systemd/system/{name}"))
                .is_some()
    };
    if config.file(INSTALL_SCRIPT).is_none() && !unit_or_file("install-to-disk.service") {
        return None;
    }
    Some(if unit_or_file("node-image-pull.service") {
        Era::C
    } else if unit_or_file("crio-configure.service") {
        Era::B
    } else {
        Era::A
    })
}

/// The release payload: the first pull spec by digest, else by tag, in the scripts that pull it.
pub fn release_image(config: &Config) -> Option<String> {
    let words = RELEASE_SCRIPTS.iter().flat_map(|path| {
        let text = script(config, path).unwrap_or_default();
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| {
                line.split(|c: char| c.is_whitespace() || "\"'=();|&`$<>{}".contains(c))
            })
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    let images: Vec<_> = words.filter(|word| is_pull_spec(word)).collect();
    let by_digest = images.iter().find(|image| image.contains("@sha256:"));
    by_digest.or(images.first()).cloned()
}

/// `host/name@sha256:…` or `host/name:tag`.
fn is_pull_spec(word: &str) -> bool {
    let Some((host, rest)) = word.split_once('/') else {
        return false;
    };
    let is_host = (host.contains('.') || host.contains(':') || host == "localhost")
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".:-[]".contains(c))
        && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    is_host
        && rest.contains(':')
        && !rest.contains("//")
        && word.parse::<crate::oci::Reference>().is_ok()
}

/// The device argument of `coreos-installer install`: the last word that starts with a slash and belongs to no option.
pub fn install_disk(config: &Config) -> Option<String> {
    let text = script(config, INSTALL_SCRIPT)?.replace("\\\n", " ");
    let command = text.lines().map(str::trim).find(|line| {
        !line.starts_with('#')
            && line.contains("coreos-installer install")
            && !line.starts_with("echo")
    })?;
    let arguments = command.split_once("coreos-installer install")?.1;
    let mut words: Vec<_> = arguments.split_whitespace().collect();
    if let Some(end) = words
        .iter()
        .position(|word| word.starts_with([';', '&', '|', '>', '#']))
    {
        words.truncate(end);
    }
    let after_option = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        before.is_some_and(|word| {
            word.starts_with('-')
                && !word.contains('=')
                && !matches!(
                    *word,
                    "-n" | "--copy-network" | "--offline" | "--insecure" | "--preserve-on-error"
                )
        })
    };
    let (_, disk) = words
        .iter()
        .enumerate()
        .rev()
        .find(|(at, word)| !word.starts_with('-') && !after_option(*at))?;
    Some(
        disk.trim_matches(['"', '\''])
            .trim_end_matches(';')
            .to_owned(),
    )
}

/// The registries that the pull secret has credentials for.
fn registries(config: &Config) -> Option<BTreeSet<String>> {
    PULL_SECRETS.iter().find_map(|path| {
        let json: Value = serde_json::from_slice(&config.file(path)?.bytes().ok()??).ok()?;
        Some(json.get("auths")?.as_object()?.keys().cloned().collect())
    })
}

fn script(config: &Config, path: &str) -> Option<String> {
    String::from_utf8(config.file(path)?.bytes().ok()??).ok()
}

fn user_info(user: &User<'_>) -> UserInfo {
    UserInfo {
        name: user.name().to_owned(),
        password: user.has_password(),
        ssh_keys: user.ssh_keys().map(key_info).collect(),
    }
}

/// An `authorized_keys` line: options, algorithm, base64, comment. Options are not shown: `environment=` may hold anything.
fn key_info(line: &str) -> KeyInfo {
    let mut words = line.split_whitespace();
    let is_algorithm = |w: &&str| ["ssh-", "ecdsa-", "sk-"].iter().any(|p| w.starts_with(p));
    let algorithm = words.by_ref().find(is_algorithm);
    let blob = algorithm.and_then(|_| words.next());
    let blob = blob.and_then(|b| base64::engine::general_purpose::STANDARD.decode(b).ok());
    let fingerprint = blob.map(|blob| {
        let sum = sha2::Sha256::digest(blob);
        let sum = base64::engine::general_purpose::STANDARD_NO_PAD.encode(sum);
        format!("SHA256:{sum}")
    });
    let comment = fingerprint
        .as_ref()
        .map(|_| words.collect::<Vec<_>>().join(" "));
    KeyInfo {
        algorithm: algorithm.unwrap_or("unknown").to_owned(),
        fingerprint,
        comment: comment.unwrap_or_default(),
    }
}

fn file_info(file: &File<'_>) -> FileInfo {
    let bytes = whole(file);
    FileInfo {
        path: file.path().to_owned(),
        mode: file.mode().map(octal),
        bytes: bytes.as_ref().map(Vec::len),
        sha256: bytes.map(|bytes| hex::encode(sha2::Sha256::digest(bytes))),
        compression: file
            .contents()
            .and_then(|c| c.compression())
            .map(str::to_owned),
        remote: file.contents().as_ref().and_then(remote),
        appended: file.append().count(),
        overwrite: file.overwrite().unwrap_or(false),
    }
}

/// A mode as people write it.
pub fn octal(mode: i64) -> String {
    if mode < 0 {
        mode.to_string()
    } else {
        format!("0{mode:03o}")
    }
}

/// Contents and appended parts together.
pub(super) fn whole(file: &File<'_>) -> Option<Vec<u8>> {
    let mut bytes = match file.contents() {
        Some(contents) => contents.decode().ok()?,
        None => Vec::new(),
    };
    for part in file.append() {
        bytes.extend(part.decode().ok()?);
    }
    Some(bytes)
}

/// A remote source without user, password, query and fragment.
fn remote(resource: &Resource<'_>) -> Option<String> {
    let source = resource
        .source()
        .filter(|s| !s.is_empty() && !s.starts_with("data:"))?;
    let Ok(mut url) = url::Url::parse(source) else {
        return Some("no URL".to_owned());
    };
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(url.to_string())
}

fn unit_info(unit: &Unit<'_>) -> UnitInfo {
    UnitInfo {
        name: unit.name().to_owned(),
        enabled: unit.enabled(),
        masked: unit.masked(),
        contents: unit.contents().is_some(),
        dropins: unit.dropins().map(|d| d.name().to_owned()).collect(),
    }
}
