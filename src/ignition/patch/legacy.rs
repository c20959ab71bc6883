//! Configs patched by hand after seed 003: the loader of telco-ran-tools as `precache-images.service` and `precache-ocp-images.service`.
//!
//! Their parts are taken out, what they replaced is put back as the installer writes it, and what was wrong is said. After that the
//! config is patched as a stock one. What the author added and stock configs have no other value for (`-n`, `--save-partlabel`,
//! the hostname) stays.

use super::super::edit::Edit;
use super::fcc::{self, Document};
use super::plan::Planner;
use super::{NewUnit, Note, PatchError};

const LIVE_UNIT: &str = "precache-images.service";
const INSTALLED_UNIT: &str = "precache-ocp-images.service";
const LIVE_SCRIPT: &str = "/usr/local/bin/extract-ai.sh";
const STAGED_SCRIPT: &str = "/opt/openshift/bootstrap-in-place/extract-ocp.sh";
const INSTALLED_SCRIPT: &str = "/usr/local/bin/extract-ocp.sh";
const MOTD: &str = "/etc/motd";

const RELEASE_UNIT: &str = "release-image.service";
/// As every release since 4.6 has it.
const RELEASE_TEXT: &str = "[Unit]
Description=Download the OpenShift Release Image
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory=/opt/openshift
ExecStart=/usr/local/bin/release-image-download.sh
RemainAfterExit=true
";

/// Takes the live stage back to stock.
pub(super) fn live(planner: &mut Planner) -> Result<(), PatchError> {
    let scripts = [LIVE_SCRIPT, STAGED_SCRIPT];
    let by_hand = planner.config.unit(LIVE_UNIT).is_some()
        || scripts
            .iter()
            .any(|path| planner.config.file(path).is_some());
    if !by_hand {
        return Ok(());
    }
    planner.note(Note::Found(
        "patched by hand before (precache-images.service): upgraded".to_owned(),
    ));
    for path in scripts {
        script(planner, path)?;
    }
    if planner.config.unit(LIVE_UNIT).is_some() {
        planner.edit(Edit::RemoveUnit {
            name: LIVE_UNIT.to_owned(),
        })?;
    }
    dependencies(planner)?;
    motd(planner)
}

fn script(planner: &mut Planner, path: &str) -> Result<(), PatchError> {
    let Some(file) = planner.config.file(path) else {
        return Ok(());
    };
    let mode = file.mode().unwrap_or_default();
    let text = planner.text(path)?.unwrap_or_default();
    if mode == 755 {
        planner.note(Note::Wrong(format!(
            "{path}: mode 755 is decimal and means 0{mode:o}; 0755 is written 493"
        )));
    }
    if text.contains("for failed_copy in") && text.contains("grep \"^${uri}=\"") {
        planner.note(Note::Wrong(format!(
            "{path}: the retry loop copies the image that was read last, not the ones that failed"
        )));
    }
    planner.edit(Edit::RemoveFile {
        path: path.to_owned(),
    })
}

/// Units that waited for the hand-made loader wait for the release image again.
fn dependencies(planner: &mut Planner) -> Result<(), PatchError> {
    let units = planner.config.units().filter_map(|unit| {
        let text = unit.contents()?;
        let new = text.replace(LIVE_UNIT, RELEASE_UNIT);
        (new != text).then(|| (unit.name().to_owned(), new))
    });
    let units: Vec<_> = units.collect();
    let needed = !units.is_empty() && planner.config.unit(RELEASE_UNIT).is_none();
    for (name, contents) in units {
        planner.note(Note::Found(format!(
            "{name}: waits for {RELEASE_UNIT} again instead of {LIVE_UNIT}"
        )));
        planner.edit(Edit::SetUnit(NewUnit {
            name,
            enabled: None,
            contents: Some(contents),
        }))?;
    }
    if needed {
        planner.note(Note::Wrong(format!(
            "{RELEASE_UNIT} was removed: nothing checked that the release image is there and fits the machine"
        )));
        planner.edit(Edit::SetUnit(NewUnit {
            name: RELEASE_UNIT.to_owned(),
            enabled: None,
            contents: Some(RELEASE_TEXT.to_owned()),
        }))?;
    }
    Ok(())
}

fn motd(planner: &mut Planner) -> Result<(), PatchError> {
    let Some(file) = planner.config.file(MOTD) else {
        return Ok(());
    };
    let parts: Vec<_> = file
        .append()
        .filter_map(|part| part.decode().ok())
        .collect();
    let texts: Vec<_> = parts
        .into_iter()
        .filter_map(|p| String::from_utf8(p).ok())
        .collect();
    if !texts.iter().any(|text| text.contains(LIVE_UNIT)) {
        return Ok(());
    }
    planner.edit(Edit::RemoveFile {
        path: MOTD.to_owned(),
    })?;
    for text in texts {
        planner.edit(Edit::Append {
            path: MOTD.to_owned(),
            contents: text.replace(LIVE_UNIT, RELEASE_UNIT).into_bytes(),
        })?;
    }
    Ok(())
}

/// Takes the installed stage back to stock.
pub(super) fn installed(document: &mut Document) -> Result<Vec<Note>, PatchError> {
    let mut notes = Vec::new();
    document.remove(fcc::FILES, INSTALLED_SCRIPT)?;
    let unit = document.item(fcc::UNITS, INSTALLED_UNIT);
    let text = unit
        .and_then(|u| u.get("contents")?.as_str())
        .unwrap_or_default();
    if text.contains("Before=network-pre.target") {
        notes.push(Note::Wrong(format!(
            "{INSTALLED_UNIT}: ordered before the network only, so that machine-config-daemon-pull and the OS pivot did not use the cache"
        )));
    }
    if text.contains("Description==") {
        notes.push(Note::Wrong(format!(
            "{INSTALLED_UNIT}: `Description==` has one `=` too many"
        )));
    }
    document.remove(fcc::UNITS, INSTALLED_UNIT)?;
    Ok(notes)
}
