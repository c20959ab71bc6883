//! The installed stage: what `master-update.fcc` gets, and the files that it takes from the live system.

use super::assets::{self, Asset, Stage};
use super::fcc::{Document, FILES, UNITS};
use super::{Note, Options, PatchError, legacy};

/// Units of the installed stage that pull images. They come from the machine-config operator and are in no file that we see.
pub(super) const HOOKS: [&str; 5] = [
    "machine-config-daemon-pull.service",
    "machine-config-daemon-firstboot.service",
    "nodeip-configuration.service",
    "crio.service",
    "kubelet.service",
];

const HOOK: &str = "hook.conf";
const HOSTNAME: &str = "/etc/hostname";

/// The Butane file with our items, and what was found in it.
///
/// # Errors
/// It cannot be edited.
pub(super) fn edit(
    text: &str,
    options: &Options,
    mirrors: &str,
) -> Result<(String, Vec<Note>), PatchError> {
    let mut document = Document::read(text)?;
    let mut notes = legacy::installed(&mut document)?;
    let mut files: Vec<(String, String)> = Vec::new();
    for asset in assets::files(Stage::Installed, options, mirrors) {
        let item = local_item(&asset.path, asset.mode, &staged_name(&asset.path));
        files.push((asset.path, item));
    }
    files.extend(HOOKS.map(|unit| {
        let path = assets::dropin_path(unit);
        let item = local_item(&path, 0o644, HOOK);
        (path, item)
    }));
    if let Some(name) = &options.hostname {
        if document.has(FILES, HOSTNAME) {
            let text = format!("hostname of the installed machine replaced by {name}");
            notes.push(Note::Found(text));
        }
        files.push((HOSTNAME.to_owned(), hostname_item(name)));
    }
    // Marks may have been lost on the way; a path or a unit must not come twice.
    for (path, _) in &files {
        document.remove(FILES, path)?;
    }
    for name in assets::UNITS {
        document.remove(UNITS, name)?;
    }
    let files: Vec<_> = files.into_iter().map(|(_, item)| item).collect();
    document.insert(FILES, &files)?;
    let units = assets::units(options).into_iter();
    let units: Vec<_> = units.map(|(n, e, text)| unit_item(n, e, &text)).collect();
    document.insert(UNITS, &units)?;
    Ok((document.render(), notes))
}

/// The files as they lie in the live system, where the Butane file takes them from.
pub(super) fn staged(options: &Options, mirrors: &str) -> Vec<Asset> {
    let mut staged = assets::files(Stage::Installed, options, mirrors);
    staged.push(Asset {
        path: HOOK.to_owned(),
        mode: 0o644,
        contents: assets::hook(Stage::Installed, options.loader),
    });
    for asset in &mut staged {
        asset.path = format!("{}{}", assets::STAGED, staged_name(&asset.path));
        asset.mode = 0o644;
    }
    staged
}

/// A flat name: `etc-motd.d-50-snoforge`.
fn staged_name(path: &str) -> String {
    path.trim_start_matches('/').replace('/', "-")
}

fn local_item(path: &str, mode: u32, staged: &str) -> String {
    format!(
        "- path: {path}\n  mode: {mode:04o}\n  overwrite: true\n  contents:\n    local: snoforge/{staged}"
    )
}

fn hostname_item(name: &str) -> String {
    format!(
        "- path: {HOSTNAME}\n  mode: 0644\n  overwrite: true\n  contents:\n    inline: |\n      {name}"
    )
}

fn unit_item(name: &str, enabled: Option<bool>, text: &str) -> String {
    let mut lines = vec![format!("- name: {name}")];
    lines.extend(enabled.map(|enabled| format!("  enabled: {enabled}")));
    lines.push("  contents: |".to_owned());
    lines.extend(text.lines().map(|line| match line {
        "" => String::new(),
        line => format!("    {line}"),
    }));
    lines.join("\n")
}
