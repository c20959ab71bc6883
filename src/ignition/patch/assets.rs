//! Names and texts of what is ours: the files of the top-level directory `ignition/`, with the options filled in.

use super::{Loader, Options};

/// Address of the registry on the node, also the default of `precache serve`.
pub(super) const LISTEN: &str = "127.0.0.1:5000";

/// Name of every drop-in of ours.
pub(super) const DROPIN: &str = "50-snoforge.conf";

/// Where the files of the installed stage lie in the live system; `local:` of the Butane file is relative to `/opt/openshift`.
pub(super) const STAGED: &str = "/opt/openshift/snoforge/";

pub(super) const SCRIPT: &str = "/usr/local/bin/snoforge-data";
pub(super) const REGISTRIES: &str = "/etc/containers/registries.conf.d/50-snoforge.conf";
pub(super) const MOTD: &str = "/etc/motd.d/50-snoforge";
pub(super) const CHRONY: &str = "/etc/snoforge/chrony.conf";
pub(super) const CHRONY_ENV: &str = "/etc/snoforge/chronyd.env";

pub(super) const DATA: &str = "snoforge-data.service";
pub(super) const REGISTRY: &str = "snoforge-registry.service";
pub(super) const LOAD: &str = "snoforge-load@.service";
/// Every unit of ours.
pub(super) const UNITS: [&str; 3] = [DATA, REGISTRY, LOAD];

const SCRIPT_TEXT: &str = include_str!("../../../ignition/snoforge-data");
const DATA_TEXT: &str = include_str!("../../../ignition/snoforge-data.service");
const REGISTRY_TEXT: &str = include_str!("../../../ignition/snoforge-registry.service");
const LOAD_TEXT: &str = include_str!("../../../ignition/snoforge-load@.service");
const HOOK_TEXT: &str = include_str!("../../../ignition/hook.conf");
const NTP_TEXT: &str = include_str!("../../../ignition/chronyd.conf");
const MOTD_LIVE: &str = include_str!("../../../ignition/motd-live.txt");
const MOTD_INSTALLED: &str = include_str!("../../../ignition/motd-installed.txt");

/// A boot stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Live,
    Installed,
}

/// A file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asset {
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) contents: String,
}

fn asset(path: impl Into<String>, contents: impl Into<String>) -> Asset {
    Asset {
        path: path.into(),
        mode: 0o644,
        contents: contents.into(),
    }
}

/// The files of a stage, hooks not included. `mirrors` is the registries configuration.
pub(super) fn files(stage: Stage, options: &Options, mirrors: &str) -> Vec<Asset> {
    let motd = options.motd.as_deref().unwrap_or(match stage {
        Stage::Live => MOTD_LIVE,
        Stage::Installed => MOTD_INSTALLED,
    });
    let mut files = vec![
        Asset {
            mode: 0o755,
            ..asset(SCRIPT, SCRIPT_TEXT)
        },
        asset(REGISTRIES, mirrors),
        asset(MOTD, motd),
    ];
    if !options.ntp.is_empty() {
        files.push(asset(CHRONY, chrony(&options.ntp)));
        files.push(asset(CHRONY_ENV, format!("OPTIONS=\"-f {CHRONY}\"\n")));
        files.push(asset(dropin_path("chronyd.service"), NTP_TEXT));
    }
    files
}

/// The units of a stage, as name, enabled, text.
pub(super) fn units(options: &Options) -> Vec<(&'static str, Option<bool>, String)> {
    let mut units = vec![
        (
            DATA,
            Some(true),
            DATA_TEXT.replace("@LABEL@", &options.label),
        ),
        (
            REGISTRY,
            Some(true),
            REGISTRY_TEXT.replace("@LISTEN@", LISTEN),
        ),
    ];
    if options.loader == Loader::Copy {
        // A template: the hooks want its instance.
        units.push((LOAD, None, LOAD_TEXT.to_owned()));
    }
    units
}

/// The drop-in for units that pull images.
pub(super) fn hook(stage: Stage, loader: Loader) -> String {
    let group = match stage {
        Stage::Live => "ai",
        Stage::Installed => "ocp",
    };
    let wanted = match loader {
        Loader::Registry => REGISTRY.to_owned(),
        Loader::Copy => format!("{REGISTRY} snoforge-load@{group}.service"),
    };
    HOOK_TEXT.replace("@LOADER@", &wanted)
}

/// Where the drop-in of a unit lies as a file.
pub(super) fn dropin_path(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}.d/{DROPIN}")
}

/// What the patch brings to an installed system, without what belongs to the site: its time servers and the hostname.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    /// Units in `/etc/systemd/system`.
    pub units: Vec<&'static str>,
    /// Absolute paths of the other files.
    pub files: Vec<String>,
}

impl Footprint {
    /// All of it, whatever the options were.
    pub fn installed() -> Self {
        let hooks = super::installed::HOOKS.map(dropin_path);
        let named = [SCRIPT, REGISTRIES, MOTD].map(str::to_owned);
        Self {
            units: UNITS.to_vec(),
            files: named.into_iter().chain(hooks).collect(),
        }
    }
}

/// Whether a file of the live config is ours.
pub(super) fn is_ours(path: &str) -> bool {
    let named = [SCRIPT, REGISTRIES, MOTD, CHRONY, CHRONY_ENV];
    let dropin = path.strip_prefix("/etc/systemd/system/");
    named.contains(&path)
        || path.starts_with(STAGED)
        || dropin.is_some_and(|rest| rest.ends_with(&format!(".d/{DROPIN}")))
}

fn chrony(servers: &[String]) -> String {
    let head = "# Written by `snoforge ignition patch`: what the system has, and the site's servers before it.\ninclude /etc/chrony.conf\n";
    let lines = servers
        .iter()
        .map(|s| format!("server {s} iburst prefer\n"));
    head.to_owned() + &lines.collect::<String>()
}
