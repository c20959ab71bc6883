//! A new `imageset.yaml` from a few options, byte for byte what `factory-precaching-cli download --generate-imageset` writes
//! (telco-ran-tools ecd9e261, `cmd/templates.go`, `cmd/download.go`; `imageset.md` 4.7).
//!
//! The text is `imagesets/telco.yaml.in`. In it a line `%name rest` stands only when `name` holds (`image`: once per image),
//! and `{name}` is replaced by a value. The channels `stable-2.4`, `release-2.9` and `stable-5.8` are written out there because
//! the older tool does so: OLM wants a package's default channel in a mirrored catalog, and those were the defaults of its day.
//!
//! One thing is ours: without an MCE version the file asks for the release and the images alone.

use std::collections::BTreeMap;

const TEMPLATE: &str = include_str!("../../imagesets/telco.yaml.in");
const REDHAT_CATALOG: &str = "registry.redhat.io/redhat/redhat-operator-index";
const CERTIFIED_CATALOG: &str = "registry.redhat.io/redhat/certified-operator-index";

/// What goes into the file. Versions are `X.Y.Z`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// OpenShift release.
    pub release: String,
    /// multicluster-engine; no operators at all without it.
    pub mce_version: Option<String>,
    /// advanced-cluster-management; written with the DU profile only, as the older tool does.
    pub acm_version: Option<String>,
    /// Whether the operators of the RAN DU profile are asked for.
    pub du_profile: bool,
    /// Images the assisted installer needs, listed before `images`.
    pub ai_images: Vec<String>,
    /// Other images.
    pub images: Vec<String>,
    /// Pull spec in place of Red Hat's catalog of the release.
    pub catalog_redhat_operators: Option<String>,
    /// Pull spec in place of the catalog of certified operators; see [`Options::warnings`].
    pub catalog_certified_operators: Option<String>,
}

/// Options that cannot be used. The texts are the older tool's, capitals included: scripts look for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A version is not three numbers.
    #[error("Invalid {option} specified. X.Y.Z format expected: {value}")]
    Version {
        /// `release`, `mce-version`, `acm-version` or `hub-version`.
        option: &'static str,
        /// What was given.
        value: String,
    },
    /// Operators are asked for, and no MCE version.
    #[error("MCE version must be specified with --mce-version")]
    MceMissing,
    /// The DU profile is asked for, and no ACM version.
    #[error("ACM version must be specified with --acm-version when --du-profile is selected")]
    AcmMissing,
    /// `--hub-version` along with what replaced it.
    #[error(
        "--hub-version is deprecated, and conflicts with --mce-version and --acm-version options"
    )]
    HubConflict,
    /// `--hub-version` other than 2.5 and 2.6.
    #[error(
        "Use of --hub-version is unsupported for {0}. Please use --acm-version and --mce-version options"
    )]
    HubUnsupported(String),
}

impl TemplateError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Version {
                option: "release", ..
            } => "give three numbers, e.g. --release 4.14.1; candidates have no imageset",
            Self::Version { .. } => "give three numbers, e.g. --mce-version 2.4.1",
            Self::MceMissing => {
                "`snoforge imageset operators --catalog REF --package multicluster-engine` lists the versions"
            }
            Self::AcmMissing => "add --acm-version X.Y.Z, or leave --du-profile out",
            Self::HubConflict | Self::HubUnsupported(_) => {
                "give --acm-version and --mce-version only"
            }
        }
    }
}

impl Options {
    /// What `download` demands beyond [`render`]: an MCE version, as the older tool does.
    pub fn require_mce(&self) -> Result<(), TemplateError> {
        let given = self
            .mce_version
            .as_ref()
            .is_some_and(|version| !version.is_empty());
        given.then_some(()).ok_or(TemplateError::MceMissing)
    }

    /// Where the older tool, and so the file, does not do what the catalog options say.
    pub fn warnings(&self) -> Vec<&'static str> {
        match (
            &self.catalog_redhat_operators,
            &self.catalog_certified_operators,
        ) {
            (None, Some(_)) => {
                vec!["--catalog-certified-operators is ignored without --catalog-redhat-operators"]
            }
            (Some(_), None) if self.du_profile => {
                vec![
                    "--catalog-redhat-operators alone leaves the catalog of certified operators blank: give both",
                ]
            }
            _ => Vec::new(),
        }
    }
}

/// ACM and MCE versions for the deprecated `--hub-version`, in that order.
pub fn from_hub_version(
    hub: &str,
    acm: Option<&str>,
    mce: Option<&str>,
) -> Result<(String, String), TemplateError> {
    if acm.is_some() || mce.is_some() {
        return Err(TemplateError::HubConflict);
    }
    let (_, patch) = split("hub-version", hub)?;
    match hub.rsplit_once('.') {
        Some(("2.6", _)) => Ok((hub.to_owned(), format!("2.1.{patch}"))),
        Some(("2.5", _)) => Ok((hub.to_owned(), format!("2.0.{patch}"))),
        _ => Err(TemplateError::HubUnsupported(hub.to_owned())),
    }
}

/// Writes the file. The checks, and their order, are the older tool's.
pub fn render(options: &Options) -> Result<String, TemplateError> {
    let given = |version: &'_ Option<String>| version.clone().filter(|version| !version.is_empty());
    let (channel, _) = split("release", &options.release)?;
    let mce = given(&options.mce_version);
    let acm = given(&options.acm_version);
    if options.du_profile {
        options.require_mce()?;
    }
    let mce_channel = xy("mce-version", mce.as_deref())?;
    if options.du_profile && acm.is_none() {
        return Err(TemplateError::AcmMissing);
    }
    let acm_channel = xy("acm-version", acm.as_deref())?;
    let (redhat, certified) = catalogs(options, channel);
    let values = BTreeMap::from([
        ("release", options.release.as_str()),
        ("release-channel", channel),
        ("mce", mce.as_deref().unwrap_or_default()),
        ("mce-channel", mce_channel),
        ("acm", acm.as_deref().unwrap_or_default()),
        ("acm-channel", acm_channel),
        ("redhat-catalog", redhat.as_str()),
        ("certified-catalog", certified.as_str()),
    ]);
    let conditions = BTreeMap::from([
        ("mce", mce.is_some()),
        ("mce-default", mce.is_some() && mce_channel != "2.4"),
        ("du", options.du_profile),
        ("acm-default", options.du_profile && acm_channel != "2.9"),
    ]);
    let images: Vec<&str> = options
        .ai_images
        .iter()
        .chain(&options.images)
        .map(String::as_str)
        .collect();
    let lines = TEMPLATE
        .lines()
        .flat_map(|line| expand(line, &values, &conditions, &images));
    Ok(lines.map(|line| line + "\n").collect())
}

/// What one line of the template becomes.
fn expand(
    line: &str,
    values: &BTreeMap<&str, &str>,
    conditions: &BTreeMap<&str, bool>,
    images: &[&str],
) -> Vec<String> {
    let Some((name, rest)) = line.strip_prefix('%').and_then(|line| line.split_once(' ')) else {
        return vec![fill(line, values)];
    };
    if name == "image" {
        let named = images.iter().filter(|image| !image.is_empty());
        return named.map(|image| rest.replace("{image}", image)).collect();
    }
    let holds = conditions.get(name).copied().unwrap_or(false);
    if holds {
        vec![fill(rest, values)]
    } else {
        Vec::new()
    }
}

/// Replaces each `{name}` once, so that a value is never read as a template.
fn fill(line: &str, values: &BTreeMap<&str, &str>) -> String {
    let mut filled = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}') {
            Some((name, after)) => {
                filled.push_str(values.get(name).copied().unwrap_or_default());
                rest = after;
            }
            None => rest = after,
        }
    }
    filled + rest
}

fn xy<'a>(option: &'static str, version: Option<&'a str>) -> Result<&'a str, TemplateError> {
    version.map_or(Ok(""), |version| split(option, version).map(|(xy, _)| xy))
}

/// `X.Y` and `Z` of `X.Y.Z`.
fn split<'a>(option: &'static str, version: &'a str) -> Result<(&'a str, &'a str), TemplateError> {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let valid = version.split('.').count() == 3 && version.split('.').all(number);
    match version.rsplit_once('.') {
        Some(parts) if valid => Ok(parts),
        _ => Err(TemplateError::Version {
            option,
            value: version.to_owned(),
        }),
    }
}

/// The older tool looks at the Red Hat override only, and then takes both as they are.
fn catalogs(options: &Options, channel: &str) -> (String, String) {
    match &options.catalog_redhat_operators {
        Some(redhat) if !redhat.is_empty() => (
            redhat.clone(),
            options
                .catalog_certified_operators
                .clone()
                .unwrap_or_default(),
        ),
        _ => (
            format!("{REDHAT_CATALOG}:v{channel}"),
            format!("{CERTIFIED_CATALOG}:v{channel}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_has_only_known_names() {
        for line in TEMPLATE.lines().filter(|line| line.starts_with('%')) {
            let name = line.split([' ', '%']).nth(1).unwrap();
            assert!(
                ["image", "mce", "mce-default", "du", "acm-default"].contains(&name),
                "{line}"
            );
        }
    }

    #[test]
    fn values_are_not_templates() {
        let options = Options {
            release: "4.14.1".to_owned(),
            images: vec!["{release}".to_owned(), String::new(), "{".to_owned()],
            ..Options::default()
        };
        let text = render(&options).unwrap();
        assert!(
            text.contains("    - name: {release}\n    - name: {\n#\n"),
            "{text}"
        );
        assert!(!text.contains("\n  operators:"), "{text}");
    }

    #[test]
    fn hub_version() {
        assert_eq!(
            from_hub_version("2.6.1", None, None),
            Ok(("2.6.1".to_owned(), "2.1.1".to_owned()))
        );
        assert_eq!(
            from_hub_version("2.5.7", None, None),
            Ok(("2.5.7".to_owned(), "2.0.7".to_owned()))
        );
        assert_eq!(
            from_hub_version("2.7.0", None, None),
            Err(TemplateError::HubUnsupported("2.7.0".to_owned()))
        );
        assert_eq!(
            from_hub_version("2.6.1", None, Some("2.1.1")),
            Err(TemplateError::HubConflict)
        );
        assert!(matches!(
            from_hub_version("2.6", None, None),
            Err(TemplateError::Version { .. })
        ));
    }

    #[test]
    fn versions() {
        for bad in [
            "",
            "4",
            "4.14",
            "4.14.1.0",
            "4.14.x",
            "4..1",
            "4.14.1-rc.1",
            " 4.14.1",
            "4.14.1\n",
            "v4.14.1",
            "４.14.1",
        ] {
            let options = Options {
                release: bad.to_owned(),
                ..Options::default()
            };
            let error = render(&options).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("Invalid release specified. X.Y.Z format expected: "),
                "{bad}"
            );
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn overrides_that_do_nothing_are_told() {
        let mut options = Options {
            du_profile: true,
            catalog_certified_operators: Some("a/b:c".to_owned()),
            ..Options::default()
        };
        assert_eq!(options.warnings().len(), 1);
        options.catalog_redhat_operators = Some("a/b:d".to_owned());
        assert!(options.warnings().is_empty());
        options.catalog_certified_operators = None;
        assert_eq!(options.warnings().len(), 1);
    }
}
