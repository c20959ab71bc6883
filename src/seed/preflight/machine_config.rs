//! The `MachineConfig` that the node runs: its mount of container storage, its dnsmasq script, FIPS.

use serde_json::Value;

use crate::ignition::data_url;
use crate::seed::facts::{list, name, text};

/// Largest file that is decoded.
const CAP: usize = 1 << 20;

/// A rendered configuration.
#[derive(Debug, Clone, Copy)]
pub(in crate::seed) struct CurrentConfig<'a>(pub(in crate::seed) &'a Value);

impl<'a> CurrentConfig<'a> {
    /// `MachineConfig/rendered-master-…`.
    pub(in crate::seed) fn object(self) -> String {
        format!("MachineConfig/{}", name(self.0))
    }

    /// Whether FIPS is on.
    pub(in crate::seed) fn fips(self) -> bool {
        self.0
            .pointer("/spec/fips")
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }

    /// A unit.
    pub(in crate::seed) fn unit(self, unit: &str) -> Option<&'a Value> {
        let mut units = list(self.0, "/spec/config/systemd/units").iter();
        units.find(|u| text(u, "/name") == unit)
    }

    /// The device of container storage: the first `What=` of its mount unit, as lifecycle-agent reads it.
    pub(in crate::seed) fn storage(self) -> Option<&'a str> {
        setting(
            text(self.unit("var-lib-containers.mount")?, "/contents"),
            "What",
        )
    }

    /// What the config says of the filesystem at a path.
    pub(super) fn filesystem_device(self, path: &str) -> Option<&'a str> {
        let mut all = list(self.0, "/spec/config/storage/filesystems").iter();
        all.find(|f| text(f, "/path") == path)
            .map(|f| text(f, "/device"))
    }

    /// A file's text; the error says why it cannot be read.
    pub(super) fn file(self, path: &str) -> Option<Result<String, String>> {
        let mut files = list(self.0, "/spec/config/storage/files").iter();
        let contents = files.find(|f| text(f, "/path") == path)?.get("contents");
        let get = |key: &str| contents.and_then(|c| c.get(key)).and_then(Value::as_str);
        let source = get("source").unwrap_or_default();
        let compression = get("compression").filter(|c| !c.is_empty());
        let decoded = data_url::decode(source, compression, CAP).map_err(|e| e.to_string());
        Some(decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// The first value of a key in a unit.
pub(super) fn setting<'a>(unit: &'a str, key: &str) -> Option<&'a str> {
    settings(unit, key).next()
}

/// All values of a key in a unit.
pub(super) fn settings<'a>(unit: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    unit.lines().filter_map(move |line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then_some(value.trim())
    })
}
