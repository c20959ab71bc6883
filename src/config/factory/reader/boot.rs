//! The sections that make the boot media: `install` and `iso`.

use super::super::{Iso, Section, Values, beside};
use super::Reader;
use crate::config::model::Located;
use crate::config::yaml::{Node, Value};

impl Reader<'_> {
    pub(super) fn install(&mut self, root: &Node, iso: Option<&Iso>) -> Option<Values> {
        let entry = root.get("install")?;
        let values = self.values(&entry.value, Section::Install, &[])?;
        for key in ["pullSecret", "sshKey", "out"] {
            if values.text(key).is_none() && entry.value.get(key).is_none() {
                self.wrong(values.at, format!("`install.{key}` is missing"));
            }
        }
        if root.get("iso").is_none() {
            let hint = "the sites stand there";
            self.advised(values.at, "`install` is of no use without `iso`", hint);
        }
        if let Some(iso) = iso.filter(|iso| iso.values.text("ignition").is_some()) {
            let at = iso.values.place("ignition");
            self.wrong(at, "`install` and `iso.ignition` exclude each other");
        }
        Some(values)
    }

    pub(super) fn iso(&mut self, root: &Node) -> Option<Iso> {
        let entry = root.get("iso")?;
        let values = self.values(&entry.value, Section::Iso, &["sites"])?;
        for key in ["live", "out"] {
            if values.text(key).is_none() && entry.value.get(key).is_none() {
                self.wrong(values.at, format!("`iso.{key}` is missing"));
            }
        }
        let Some(sites) = entry.value.get("sites") else {
            self.wrong(values.at, "`iso.sites` is missing");
            return None;
        };
        let value = match &sites.value.value {
            Value::Scalar { .. } => {
                let path = self.path_value("sites", &sites.value)?;
                Some(beside(self.file, &path))
            }
            Value::List(_) | Value::Map(_) => None,
        };
        let at = sites.value.at;
        Some(Iso {
            values,
            sites: Located { value, at },
        })
    }
}
