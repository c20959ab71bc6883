//! From the YAML tree to a [`Factory`].

mod boot;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::inline::InlineImageSet;
use super::value::{MIRROR, example, expected, value};
use super::{
    API_VERSION, DISK_GIB, Disk, Factory, Field, ImageSetSource, KIND, Kind, Rates, Section,
    Target, Values, beside, made,
};
use crate::config::model::{At, Located};
use crate::config::yaml::{self, Document, Entry, Kind as Scalar, Node, Value};
use crate::config::{Finding, nearest};

/// Keys of the whole file.
pub(super) const KEYS: [&str; 10] = [
    "apiVersion",
    "kind",
    "release",
    "imageset",
    "download",
    "disks",
    "install",
    "iso",
    "rates",
    "report",
];

/// What only an image set of our own is made of.
const TEMPLATE_ONLY: [&str; 4] = [
    "duProfile",
    "images",
    "catalogRedhatOperators",
    "catalogCertifiedOperators",
];

pub(super) fn read(file: &str, text: &str) -> Result<Factory, Vec<Finding>> {
    let document = yaml::parse(text).map_err(|e| vec![Finding::new(file, e.at, e.message)])?;
    let mut reader = Reader {
        file,
        findings: Vec::new(),
    };
    let factory = reader.factory(&document, text);
    let mut findings = reader.findings;
    match factory {
        Some(factory) if findings.is_empty() => Ok(factory),
        _ => {
            findings.sort_by_key(|finding| finding.at);
            Err(findings)
        }
    }
}

struct Reader<'a> {
    file: &'a str,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn wrong(&mut self, at: At, message: impl Into<String>) {
        self.findings.push(Finding::new(self.file, at, message));
    }

    fn advised(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        self.findings
            .push(Finding::new(self.file, at, message).with_hint(hint));
    }

    /// `None`, and a finding at least, when it cannot be worked with.
    fn factory(&mut self, document: &Document, text: &str) -> Option<Factory> {
        let root = &document.root;
        self.header(root)?;
        for duplicate in &document.duplicates {
            let message = format!("the key `{}` is there already", duplicate.key);
            self.wrong(duplicate.at, message);
        }
        self.known(root, &KEYS);
        let release = self.section(root, Section::Release);
        let download = self.section(root, Section::Download);
        let rates = self.section(root, Section::Rates).unwrap_or_default();
        let disks = self.disks(root);
        let iso = self.iso(root);
        let install = self.install(root, iso.as_ref());
        let report = match root.get("report") {
            Some(entry) => self.path_value("report", &entry.value),
            None => Some("report.json".to_owned()),
        };
        for (there, section) in [(&release, Section::Release), (&download, Section::Download)] {
            if there.is_none() && root.get(section.key()).is_none() {
                self.wrong(root.at, format!("`{}` is missing", section.key()));
            }
        }
        let (release, download) = (release?, download?);
        let imageset = self.imageset(root, &release, text);
        if download.text("folder").is_none() {
            self.wrong(download.at, "`download.folder` is missing");
        }
        Some(Factory {
            file: self.file.to_owned(),
            release,
            imageset: imageset?,
            download,
            disks,
            install,
            iso,
            rates: Rates {
                download: rates.rate("download", 12_500_000),
                disk: rates.rate("disk", 100 << 20),
                push: rates.rate("push", 100 << 20),
                iso: rates.rate("iso", 500 << 20),
            },
            report: beside(self.file, &report?),
        })
    }

    /// Another version may mean anything: then nothing else is looked at.
    fn header(&mut self, root: &Node) -> Option<()> {
        if !matches!(root.value, Value::Map(_)) {
            let message = format!(
                "a map with `apiVersion: {API_VERSION}` and `kind: {KIND}` is expected here"
            );
            self.advised(root.at, message, "`snoforge schema --template` prints one");
            return None;
        }
        for (key, wanted) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            match root.get(key).map(|e| (&e.value.value, e.value.at)) {
                None => self.wrong(root.at, format!("`{key}: {wanted}` is missing")),
                Some((Value::Scalar { text, .. }, _)) if text == wanted => {}
                Some((_, at)) => self.wrong(at, format!("`{key}` is not {wanted}")),
            }
        }
        self.findings.is_empty().then_some(())
    }

    fn known(&mut self, node: &Node, known: &[&str]) {
        let Value::Map(entries) = &node.value else {
            return;
        };
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let hint = match nearest(&entry.key, known) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("the fields here are {}", known.join(", ")),
                };
                self.advised(entry.at, format!("unknown field `{}`", entry.key), hint);
            }
        }
    }

    fn section(&mut self, root: &Node, section: Section) -> Option<Values> {
        let entry = root.get(section.key())?;
        self.values(&entry.value, section, &[])
    }

    /// The fields of a section; `more` are keys that somebody else reads.
    fn values(&mut self, node: &Node, section: Section, more: &[&str]) -> Option<Values> {
        let Value::Map(entries) = &node.value else {
            self.wrong(node.at, format!("`{}` is no map", section.key()));
            return None;
        };
        let known: Vec<&str> = section
            .fields()
            .map(|f| f.key)
            .chain(more.to_vec())
            .collect();
        self.known(node, &known);
        let mut values = BTreeMap::new();
        for entry in entries {
            if let Some(field) = section.field(&entry.key)
                && let Some(found) = self.field(field, entry)
            {
                values.insert(field.key, found);
            }
        }
        Some(Values {
            at: node.at,
            values,
        })
    }

    fn field(&mut self, field: &Field, entry: &Entry) -> Option<Vec<Located<String>>> {
        let key = field.key;
        match &entry.value.value {
            Value::List(items) if field.list => {
                let found: Vec<_> = items.iter().map(|item| self.scalar(field, item)).collect();
                found.into_iter().collect()
            }
            _ if field.list => {
                let hint = format!("write `{key}: [{}]`", example(field.kind));
                self.advised(entry.value.at, format!("`{key}` is no list"), hint);
                None
            }
            _ => Some(vec![self.scalar(field, &entry.value)?]),
        }
    }

    fn scalar(&mut self, field: &Field, node: &Node) -> Option<Located<String>> {
        let read = match &node.value {
            Value::Scalar { text, kind } => value(field.kind, text, *kind),
            Value::Map(_) if field.kind == Kind::Mirror => {
                self.known(node, &MIRROR);
                let text = |key| match &node.get(key)?.value.value {
                    Value::Scalar { text, .. } => Some(text.as_str()),
                    _ => None,
                };
                let words = MIRROR.map(|key| text(key).unwrap_or_default());
                value(field.kind, &words.join("="), Scalar::Text)
            }
            _ => Err(expected(field.kind)),
        };
        match read {
            Ok(text) => Some(Located {
                value: match field.kind {
                    Kind::Path => beside(self.file, &text).display().to_string(),
                    _ => text,
                },
                at: node.at,
            }),
            Err(expected) => {
                self.wrong(node.at, format!("`{}` is not {expected}", field.key));
                None
            }
        }
    }

    /// A path outside the table, as written.
    fn path_value(&mut self, key: &str, node: &Node) -> Option<String> {
        let read = match &node.value {
            Value::Scalar { text, kind } => value(Kind::Path, text, *kind).ok(),
            _ => None,
        };
        if read.is_none() {
            let expected = expected(Kind::Path);
            self.wrong(node.at, format!("`{key}` is not {expected}"));
        }
        read
    }

    fn imageset(&mut self, root: &Node, release: &Values, text: &str) -> Option<ImageSetSource> {
        let entry = root.get("imageset");
        if let Some(entry) = entry {
            if release.text("mapping").is_some() {
                self.wrong(
                    entry.at,
                    "`imageset` and `release.mapping` exclude each other",
                );
            }
            for key in TEMPLATE_ONLY {
                if release.all(key).next().is_some() {
                    let message = format!("`release.{key}` is of no use beside `imageset`");
                    self.advised(release.place(key), message, "write it into the image set");
                }
            }
        }
        if release.text("version").is_none() && release.text("mapping").is_none() {
            self.wrong(release.at, "`release.version` is missing");
            return None;
        }
        match entry.map(|entry| &entry.value) {
            Some(node) if matches!(node.value, Value::Map(_)) => {
                let inline = InlineImageSet::cut(text, node);
                if inline.is_none() {
                    let hint = "write it below `imageset:`, a field on each line";
                    self.advised(node.at, "the image set is in braces", hint);
                }
                inline.map(ImageSetSource::Inline)
            }
            Some(node) => {
                let path = self.path_value("imageset", node)?;
                let path = Located {
                    value: beside(self.file, &path),
                    at: node.at,
                };
                Some(ImageSetSource::File(path))
            }
            None if release.text("mapping").is_some() => Some(ImageSetSource::Mapping),
            None => match made(release) {
                Ok(text) => Some(ImageSetSource::Made(text)),
                Err((at, error)) => {
                    self.advised(at, error.to_string(), error.hint());
                    None
                }
            },
        }
    }

    fn disks(&mut self, root: &Node) -> Vec<Disk> {
        let Some(entry) = root.get("disks") else {
            return Vec::new();
        };
        let Value::List(items) = &entry.value.value else {
            self.wrong(entry.value.at, "`disks` is no list");
            return Vec::new();
        };
        let mut disks: Vec<Disk> = Vec::new();
        for item in items {
            let Some(disk) = self.disk(item) else {
                continue;
            };
            let twice = disks.iter().any(|d| d.target.text() == disk.target.text());
            if twice {
                let message = format!("{} is in the list already", disk.target.text());
                self.wrong(disk.target.at(), message);
            }
            disks.push(disk);
        }
        disks
    }

    fn disk(&mut self, node: &Node) -> Option<Disk> {
        let values = self.values(node, Section::Disk, &[])?;
        let one = |key| values.all(key).next().cloned();
        let target = match (one("device"), one("image")) {
            (Some(device), None) => Target::Device(self.device(device)?),
            (None, Some(image)) if values.is_on("wipe") => {
                self.wrong(
                    image.at,
                    "`wipe` is of no use with `image`: the file is new",
                );
                return None;
            }
            (None, Some(image)) => Target::Image(Located {
                value: PathBuf::from(image.value),
                at: image.at,
            }),
            // Something else is wrong with it, and was told.
            (None, None) if node.get("device").is_some() || node.get("image").is_some() => {
                return None;
            }
            _ => {
                self.wrong(node.at, "one of `device` and `image` is expected here");
                return None;
            }
        };
        let size_gib = values.number("size").unwrap_or(DISK_GIB);
        Some(Disk {
            target,
            values,
            size_gib,
        })
    }

    fn device(&mut self, device: Located<String>) -> Option<Located<String>> {
        let text = &device.value;
        let rest = ["serial=", "wwn=", "/dev/"]
            .iter()
            .find_map(|start| text.strip_prefix(start));
        if rest.is_some_and(|rest| !rest.is_empty()) {
            return Some(device);
        }
        let hint = "name it by /dev/…, serial=… or wwn=…; an image file is `image: FILE`";
        self.advised(device.at, format!("`{text}` is no disk"), hint);
        None
    }
}
