//! `osimage.yaml`: the values that the objects are made of.
//!
//! ```yaml
//! apiVersion: snoforge.io/v1
//! kind: OSImage
//! image:   {pool: master, pushSpec: quay.io/org/os:latest, containerfile: Containerfile, api: v1}
//! secrets: {push: os-image-push, pushAuthfile: push.json, base: os-image-base, baseAuthfile: pull.json}
//! cluster: {multiNode: false}
//! ```
//!
//! Every value may be left out, and given as a flag, which beats the file. With `image.imageStream` instead of `image.pushSpec` the
//! image goes into the integrated registry. What is wrong is reported with its line and column, all at once.

use super::Era;
use super::error::Error;
use super::names::{Pool, PushSpec};
use super::resources::OsImage;
use crate::config::Finding;
use crate::config::values::{Field, Values};
use crate::objects;
use crate::objects::names::object_name;

/// Section and key in the file, name of the flag, whether it takes several values.
const FIELDS: [Field; 10] = [
    ("image", "pool", "pool", false),
    ("image", "pushSpec", "push-spec", false),
    ("image", "imageStream", "image-stream", false),
    ("image", "containerfile", "containerfile", false),
    ("image", "api", "api", false),
    ("secrets", "push", "push-secret", false),
    ("secrets", "pushAuthfile", "push-authfile", false),
    ("secrets", "base", "base-secret", false),
    ("secrets", "baseAuthfile", "base-authfile", false),
    ("cluster", "multiNode", "multi-node", false),
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
            Values::read(file, text, "OSImage", &FIELDS).map_err(|finding| vec![finding])?;
        let settings = Self { values };
        let checks = [
            settings.era().map(drop),
            settings.pool().map(drop),
            settings.push().map(drop),
            settings.push_secret().map(drop),
            settings.base_secret().map(drop),
        ];
        for error in checks.into_iter().filter_map(Result::err) {
            let finding = settings.located(&error);
            if !matches!(error, Error::Missing(_)) && !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        findings.sort_by_key(|finding| finding.at);
        if findings.is_empty() {
            Ok(settings)
        } else {
            Err(findings)
        }
    }

    /// Sets a value from a flag.
    pub fn set(&mut self, field: &'static str, value: Option<String>) {
        self.values.set(field, value);
    }

    /// A value, and whether it comes from the file.
    pub fn text(&self, field: &str) -> Option<(&str, bool)> {
        self.values.text(field)
    }

    fn get(&self, field: &str) -> Option<&str> {
        self.text(field).map(|(text, _)| text)
    }

    /// An error with the place of its value in the file, when it has one.
    pub fn located(&self, error: &Error) -> Finding {
        let field = match error {
            Error::Object(objects::Error::Value { field, .. }) => field,
            _ => "",
        };
        let mut finding = self.values.finding(field, error.to_string());
        finding.hint = error.hint();
        finding
    }

    /// Whose objects.
    ///
    /// # Errors
    /// Neither `v1` nor `4.14`.
    pub fn era(&self) -> Result<Era, Error> {
        match self.get("api") {
            None | Some("v1") => Ok(Era::V1),
            Some("4.14") => Ok(Era::V414),
            Some(other) => {
                Err(objects::Error::value("api", other, "it is neither v1 nor 4.14").into())
            }
        }
    }

    fn single_node(&self) -> Result<bool, Error> {
        match self.get("multi-node") {
            None | Some("false") => Ok(true),
            Some("true") => Ok(false),
            Some(other) => {
                let reason = "it is neither true nor false";
                Err(objects::Error::value("multi-node", other, reason).into())
            }
        }
    }

    fn pool(&self) -> Result<Pool, Error> {
        Pool::new(
            self.get("pool").ok_or(Error::Missing("pool"))?,
            self.single_node()?,
        )
    }

    fn push(&self) -> Result<PushSpec, Error> {
        let era = self.era()?;
        match (self.get("push-spec"), self.get("image-stream")) {
            (Some(text), None) => PushSpec::new(text, era),
            (None, Some(name)) => PushSpec::image_stream(name, era),
            (None, None) => Err(Error::Missing("push-spec")),
            (Some(_), Some(name)) => {
                let reason = "there is a push spec too, and the image goes to one place";
                Err(objects::Error::value("image-stream", name, reason).into())
            }
        }
    }

    fn push_secret(&self) -> Result<String, Error> {
        let name = self.get("push-secret");
        let stream = self.get("image-stream").is_some();
        if stream && let Some((path, _)) = self.text("push-authfile") {
            let reason =
                "the integrated registry has its builder's secret: name that with --push-secret";
            return Err(objects::Error::value("push-authfile", path, reason).into());
        }
        let name = name.ok_or(Error::Missing(if stream {
            "push-secret-of-stream"
        } else {
            "push-secret"
        }))?;
        object_name("push-secret", name)?;
        Ok(name.to_owned())
    }

    fn base_secret(&self) -> Result<Option<String>, Error> {
        let name = self.get("base-secret");
        if name.is_none() && self.get("base-authfile").is_some() {
            return Err(Error::Missing("base-secret"));
        }
        name.map_or(Ok(()), |name| object_name("base-secret", name))?;
        Ok(name.map(str::to_owned))
    }

    /// What is asked for; the text of the Containerfile comes from the caller.
    ///
    /// # Errors
    /// A value is missing or wrong.
    pub fn os_image(&self, containerfile: Option<String>) -> Result<OsImage, Error> {
        Ok(OsImage {
            pool: self.pool()?,
            push: self.push()?,
            push_secret: self.push_secret()?,
            base_secret: self.base_secret()?,
            containerfile,
            era: self.era()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "apiVersion: snoforge.io/v1\nkind: OSImage\nimage:\n  pool: master\n  pushSpec: quay.io/org/os:latest\n  api: v1\nsecrets:\n  push: os-push\n";

    #[test]
    fn the_sample_is_right_and_names_every_field() {
        let sample = include_str!("../../templates/osimage/osimage.yaml");
        let settings = Settings::parse("osimage.yaml", sample).unwrap();
        assert!(settings.os_image(None).is_ok());
        for (_, key, field, _) in FIELDS {
            assert!(
                settings.values.has(field) || field == "image-stream",
                "{key}"
            );
        }
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        assert!(
            Settings::parse("o.yaml", GOOD)
                .unwrap()
                .os_image(None)
                .is_ok()
        );
        for (from, to, expected) in [
            (
                "pool: master",
                "pool: worker",
                "o.yaml:4:9: pool `worker` is refused: on Single Node",
            ),
            (
                "pool: master",
                "pool: Master",
                "o.yaml:4:9: pool `Master` is refused",
            ),
            ("quay.io", "localhost:5000", "o.yaml:5:13: push-spec"),
            ("api: v1", "api: v2", "o.yaml:6:8: api `v2` is refused"),
            (
                "api: v1",
                "imageStream: os",
                "o.yaml:6:16: image-stream `os` is refused: there is a push spec too",
            ),
            ("push: os-push", "push: os_push", "o.yaml:8:9: push-secret"),
            ("secrets:", "secret:", "o.yaml:7:1: unknown field `secret`"),
            (
                "kind: OSImage",
                "kind: Seed",
                "o.yaml:2:7: `kind` is not OSImage",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let findings = Settings::parse("o.yaml", &text).unwrap_err();
            let first = findings[0].to_string();
            assert!(first.starts_with(expected), "{to}: {first}");
        }
    }

    #[test]
    fn a_stream_needs_the_builders_secret() {
        let mut settings = Settings::default();
        settings.set("pool", Some("master".to_owned()));
        settings.set("image-stream", Some("os-image".to_owned()));
        let error = settings.os_image(None).unwrap_err();
        assert!(error.hint().unwrap().contains("builder-dockercfg"));
        settings.set("push-secret", Some("builder-dockercfg-g8mgj".to_owned()));
        let image = settings.os_image(None).unwrap();
        assert!(image.push.is_internal());
        settings.set("push-authfile", Some("x.json".to_owned()));
        assert!(settings.os_image(None).is_err());
    }
}
