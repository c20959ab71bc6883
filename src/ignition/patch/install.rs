//! The command line in `install-to-disk.sh` that writes the disk, edited by its words.
//!
//! Why the script and no drop-in: `install-to-disk.service` starts long before the disk is written (it waits for bootkube inside the
//! script), so that only a line in front of the command runs at the right moment.
//!
//! ```text
//!   # snoforge added: --copy-network --save-partlabel data
//!   /usr/local/bin/snoforge-data release /dev/sda # snoforge
//!   coreos-installer install --copy-network --save-partlabel data -i /opt/openshift/master.ign /dev/sda
//! ```

use std::fmt::Write as _;
use std::ops::Range;

use super::{PatchError, assets};

/// The script.
pub(super) const PATH: &str = "/usr/local/bin/install-to-disk.sh";

const ADDED: &str = "# snoforge added:";
const DEVICE: &str = "# snoforge device was:";
const OURS: &str = " # snoforge";

/// Long options of `coreos-installer install` that take a value (0.8 to 0.27).
const VALUED: [&str; 19] = [
    "--append-karg",
    "--architecture",
    "--config-file",
    "--console",
    "--delete-karg",
    "--fetch-retries",
    "--firstboot-args",
    "--ignition",
    "--ignition-file",
    "--ignition-hash",
    "--ignition-url",
    "--image-file",
    "--image-url",
    "--network-dir",
    "--platform",
    "--save-partindex",
    "--save-partlabel",
    "--stream",
    "--stream-base-url",
];
/// Short options that take a value.
const VALUED_SHORT: &str = "acfiIpsuk";

/// Takes out what [`edit`] put in.
pub(super) fn strip(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    let mut added: Option<&str> = None;
    let mut device: Option<&str> = None;
    for line in script.split_inclusive('\n') {
        if let Some(words) = line.trim().strip_prefix(ADDED) {
            added = Some(words.trim());
        } else if let Some(word) = line.trim().strip_prefix(DEVICE) {
            device = Some(word.trim());
        } else if line.trim_end().ends_with(OURS) && line.trim_start().starts_with(assets::SCRIPT) {
            // The line that lets go of the partition.
        } else if let Some(words) = added.filter(|_| is_install(line)) {
            out.push_str(&line.replacen(&format!("install {words} "), "install ", 1));
            added = None;
        } else {
            out.push_str(line);
        }
    }
    match device {
        Some(device) => with_device(&out, device).unwrap_or(out),
        None => out,
    }
}

/// The script with another device in its one command line.
fn with_device(script: &str, device: &str) -> Result<String, PatchError> {
    let place = the_device(&find(script)?)?;
    let mut out = script.to_owned();
    out.replace_range(place, device);
    Ok(out)
}

fn the_device(command: &Command) -> Result<Range<usize>, PatchError> {
    let mut devices = Arguments::of(&command.words).devices;
    match (devices.pop(), devices.len()) {
        (Some(device), 0) => Ok(device),
        (last, more) => Err(refuse(format!(
            "`coreos-installer install` has {} devices, not one",
            more + usize::from(last.is_some())
        ))),
    }
}

/// Adds what keeps network and data partition, and lets go of the partition before; to a script without marks of ours. `disk` takes
/// the place of the device.
///
/// # Errors
/// No such command line, several, or one without exactly one device.
pub(super) fn edit(
    script: &str,
    save_partlabel: Option<&str>,
    disk: Option<&str>,
) -> Result<String, PatchError> {
    let command = find(script)?;
    let given = the_device(&command)?;
    let stock = script.get(given).unwrap_or_default().to_owned();
    let replaced = disk.filter(|disk| *disk != stock);
    let script = &match replaced {
        Some(disk) => with_device(script, disk)?,
        None => script.to_owned(),
    };
    let command = find(script)?;
    let arguments = Arguments::of(&command.words);
    let device = script.get(the_device(&command)?).unwrap_or_default();
    let mut words = Vec::new();
    if !arguments.copies_network {
        words.push("--copy-network".to_owned());
    }
    if let Some(label) = save_partlabel.filter(|label| !arguments.saves(label)) {
        words.push(format!("--save-partlabel {label}"));
    }
    let start = script.get(..command.start).unwrap_or_default();
    let (before, indent) = start.rsplit_once('\n').map_or(("", start), |(b, i)| (b, i));
    let line_start = start.len() - indent.len();
    let blank: String = indent.chars().take_while(|c| c.is_whitespace()).collect();
    let mut out = script.get(..line_start).unwrap_or(before).to_owned();
    if !words.is_empty() {
        let _ = writeln!(out, "{blank}{ADDED} {}", words.join(" "));
    }
    if replaced.is_some() {
        let _ = writeln!(out, "{blank}{DEVICE} {stock}");
    }
    let _ = writeln!(out, "{blank}{} release {device}{OURS}", assets::SCRIPT);
    out += script.get(line_start..command.install).unwrap_or_default();
    for word in words {
        out.push(' ');
        out += &word;
    }
    out += script.get(command.install..).unwrap_or_default();
    Ok(out)
}

/// Where the command stands.
struct Command {
    /// Offset of its first word.
    start: usize,
    /// Offset behind the word `install`.
    install: usize,
    /// The words behind `install`.
    words: Vec<Word>,
}

struct Word {
    span: Range<usize>,
    text: String,
}

fn refuse(problem: String) -> PatchError {
    PatchError::InstallLine {
        path: PATH,
        problem,
    }
}

fn find(script: &str) -> Result<Command, PatchError> {
    let mut found = Vec::new();
    let mut offset = 0;
    let mut continued = false;
    for line in script.split_inclusive('\n') {
        if !continued {
            found.extend(command(script, offset));
        }
        continued = line.trim_end_matches('\n').ends_with('\\');
        offset += line.len();
    }
    let count = found.len();
    match found.pop() {
        Some(command) if count == 1 => Ok(command),
        Some(_) => Err(refuse(format!(
            "`coreos-installer install` is there {count} times"
        ))),
        None => Err(refuse(
            "no line that runs `coreos-installer install`".to_owned(),
        )),
    }
}

fn is_install(line: &str) -> bool {
    command(line, 0).is_some()
}

/// The command at the beginning of the line at `offset`, when it is `coreos-installer install`.
fn command(script: &str, offset: usize) -> Option<Command> {
    let mut words = words(script, offset);
    let lead = |w: &Word| {
        let assignment = w.text.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        assignment || ["sudo", "exec", "if", "until", "while", "!", "time"].contains(&&*w.text)
    };
    let program = words.iter().position(|w| !lead(w))?;
    let name = words.get(program)?.text.rsplit('/').next()?;
    let install = words.get(program + 1)?;
    if name != "coreos-installer" || install.text != "install" {
        return None;
    }
    Some(Command {
        start: words.first()?.span.start,
        install: install.span.end,
        words: words.split_off(program + 2),
    })
}

/// The words of the simple command at `offset`, as a shell splits it: quotes and backslashes count, an operator ends it.
fn words(script: &str, offset: usize) -> Vec<Word> {
    let mut found = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote = None;
    let mut chars = script
        .get(offset..)
        .unwrap_or_default()
        .char_indices()
        .map(|(at, c)| (at + offset, c))
        .peekable();
    while let Some((at, c)) = chars.next() {
        let literal = match (quote, c) {
            (None, '\\') if chars.next_if(|(_, c)| *c == '\n').is_some() => {
                found.extend(word.take());
                continue;
            }
            (None | Some('"'), '\\') => chars.next().map(|(_, c)| c),
            (None, '\'' | '"') => {
                quote = Some(c);
                None
            }
            (Some(open), _) if open == c => {
                quote = None;
                None
            }
            (None, ' ' | '\t') => {
                found.extend(word.take());
                continue;
            }
            (None, '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
            (None, '#') if word.is_none() => break,
            (_, c) => Some(c),
        };
        let end = chars.peek().map_or(script.len(), |(next, _)| *next);
        let current = word.get_or_insert_with(|| Word {
            span: at..end,
            text: String::new(),
        });
        current.span.end = end;
        current.text.extend(literal);
    }
    found.extend(word);
    found
}

/// The arguments that matter.
#[derive(Default)]
struct Arguments {
    copies_network: bool,
    labels: Vec<String>,
    devices: Vec<Range<usize>>,
}

impl Arguments {
    fn of(words: &[Word]) -> Self {
        let mut found = Self::default();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            if let Some(label) = text.strip_prefix("--save-partlabel=") {
                found.label(label);
            } else if text == "--save-partlabel" {
                found.label(rest.next().map_or("", |w| &w.text));
            } else if VALUED.contains(&text) {
                rest.next();
            } else if text == "--copy-network" {
                found.copies_network = true;
            } else if text.starts_with("--") {
                // A flag, or an option with its value in the same word.
            } else if let Some(cluster) = text.strip_prefix('-').filter(|c| !c.is_empty()) {
                let valued = cluster.find(|c| VALUED_SHORT.contains(c));
                let flags = cluster.get(..valued.unwrap_or(cluster.len()));
                found.copies_network |= flags.is_some_and(|f| f.contains('n'));
                // `-iFILE` has its value in the word, `-i FILE` in the next.
                if valued == Some(cluster.len() - 1) {
                    rest.next();
                }
            } else {
                found.devices.push(word.span.clone());
            }
        }
        found
    }

    fn label(&mut self, globs: &str) {
        self.labels.extend(globs.split(',').map(str::to_owned));
    }

    fn saves(&self, label: &str) -> bool {
        self.labels.iter().any(|l| l == label || l == "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str = "#!/bin/bash\nif true; then\n  echo \"install: coreos-installer install -i x /dev/sda\"\n  \
        coreos-installer install -i /opt/openshift/master.ign /dev/sda\n\n  touch x\nfi\n";

    fn line(arguments: &str) -> String {
        let script = format!("coreos-installer install {arguments}\n");
        let edited = edit(&script, Some("data"), None).unwrap();
        assert_eq!(strip(&edited), script);
        edited.lines().last().unwrap().to_owned()
    }

    #[test]
    fn one_line_gets_what_it_lacks() {
        let edited = edit(STOCK, Some("data"), None).unwrap();
        let new = "  # snoforge added: --copy-network --save-partlabel data\n  \
            /usr/local/bin/snoforge-data release /dev/sda # snoforge\n  \
            coreos-installer install --copy-network --save-partlabel data -i /opt";
        assert!(edited.contains(new), "{edited}");
        assert_eq!(strip(&edited), STOCK);
        assert_eq!(edit(&strip(&edited), Some("data"), None).unwrap(), edited);
        assert_eq!(strip(STOCK), STOCK);
        let none = edit(STOCK, None, None).unwrap();
        assert!(none.contains("install --copy-network -i /opt"), "{none}");
    }

    #[test]
    fn another_disk() {
        let edited = edit(STOCK, Some("data"), Some("/dev/disk/by-id/wwn-1")).unwrap();
        assert!(
            edited.contains("  # snoforge device was: /dev/sda\n"),
            "{edited}"
        );
        assert!(edited.contains("release /dev/disk/by-id/wwn-1 # snoforge\n"));
        assert!(edited.contains("master.ign /dev/disk/by-id/wwn-1\n"));
        assert_eq!(strip(&edited), STOCK);
        let same = edit(STOCK, Some("data"), Some("/dev/sda")).unwrap();
        assert_eq!(same, edit(STOCK, Some("data"), None).unwrap());
        let quoted = "coreos-installer install -i x \\\n  \"$DISK\" || exit 1\n";
        assert_eq!(
            strip(&edit(quoted, None, Some("/dev/vda")).unwrap()),
            quoted
        );
    }

    #[test]
    fn every_other_argument_stays() {
        for (given, expected) in [
            (
                "-n --save-partlabel data -i x /dev/sda",
                "-n --save-partlabel data -i x /dev/sda",
            ),
            (
                "-ni x --save-partlabel=boot,data /dev/sda",
                "-ni x --save-partlabel=boot,data /dev/sda",
            ),
            (
                "--save-partlabel '*' --copy-network -i x /dev/sda",
                "--save-partlabel '*' --copy-network -i x /dev/sda",
            ),
            (
                "--save-partlabel cache -n -ix /dev/sda",
                "--save-partlabel data --save-partlabel cache -n -ix /dev/sda",
            ),
            (
                "--console ttyS0,115200n8 -i n.ign \"$DISK\" || exit 1",
                "--copy-network --save-partlabel data --console ttyS0,115200n8 -i n.ign \"$DISK\" || exit 1",
            ),
        ] {
            assert_eq!(line(given), format!("coreos-installer install {expected}"));
        }
    }

    #[test]
    fn continuation_lines_and_prefixes() {
        let script = "until sudo RUST_LOG=x /usr/bin/coreos-installer install \\\n    -i x \\\n    /dev/disk/by-id/a\\ b\ndo sleep 1; done\n";
        let edited = edit(script, Some("data"), None).unwrap();
        assert!(
            edited.contains("snoforge-data release /dev/disk/by-id/a\\ b # snoforge\nuntil sudo"),
            "{edited}"
        );
        assert!(edited.contains("install --copy-network --save-partlabel data \\\n    -i x"));
        assert_eq!(strip(&edited), script);
    }

    #[test]
    fn refuses_to_guess() {
        for script in [
            "echo coreos-installer install -i x /dev/sda\n",
            "coreos-installer iso customize /dev/sda\n",
            "coreos-installer install -i x /dev/sda\ncoreos-installer install -i x /dev/sdb\n",
            "coreos-installer install -i x\n",
            "coreos-installer install -i x /dev/sda /dev/sdb\n",
            "# coreos-installer install -i x /dev/sda\n",
            "",
        ] {
            let error = edit(script, Some("data"), None)
                .err()
                .map(|e| e.to_string());
            assert!(error.is_some_and(|e| e.starts_with(PATH)), "{script}");
        }
    }
}
