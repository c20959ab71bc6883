//! What the seed cluster had booted: the deployment in `rpm-ostree.json`, and the kernel arguments in `mco-currentconfig.json`.
//!
//! Formats: `rpm-ostree status --json`, and a MachineConfig as the machine-config-daemon keeps it (`seed-image.md` section 4.5).

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use serde::Deserialize;

/// `<commit>.<serial>`: one checkout of a commit below `ostree/deploy/<osname>/deploy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// 64 hexadecimal digits.
    pub commit: String,
    serial: String,
}

/// Not a deployment, or an identifier that has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no deployment (rhcos-<64 hexadecimal digits>.0)")]
pub struct DeploymentError(pub String);

impl Deployment {
    /// The deployment in rpm-ostree's identifier `<osname>-<deployment>`: what is after the last hyphen.
    ///
    /// # Errors
    /// There is no hyphen, or no deployment after it.
    pub fn from_id(id: &str) -> Result<Self, DeploymentError> {
        let own = id.rsplit_once('-').map(|(_, own)| own);
        own.and_then(|own| own.parse().ok())
            .ok_or_else(|| DeploymentError(id.chars().take(200).collect()))
    }
}

impl FromStr for Deployment {
    type Err = DeploymentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |sum: &str| sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit());
        let number = |n: &str| (1..10).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit());
        match text.split_once('.') {
            Some((commit, serial)) if hex(commit) && number(serial) => Ok(Self {
                commit: commit.to_owned(),
                serial: serial.to_owned(),
            }),
            _ => Err(DeploymentError(text.chars().take(200).collect())),
        }
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.commit, self.serial)
    }
}

/// The kernel arguments of a MachineConfig, in order; in FIPS mode `fips=1` and `boot=LABEL=boot` too.
///
/// # Errors
/// It is no MachineConfig, or has an argument that is empty or has a control character: a boot entry has one line for all.
pub fn kernel_arguments(machine_config: &mut dyn Read) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        spec: Spec,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec {
        #[serde(default)]
        kernel_arguments: Option<Vec<String>>,
        #[serde(default)]
        fips: Option<bool>,
    }
    let Config { spec } =
        serde_json::from_reader(machine_config).map_err(|e| format!("it is no JSON: {e}"))?;
    let mut arguments = spec.kernel_arguments.unwrap_or_default();
    let unfit = |a: &&String| a.trim().is_empty() || a.chars().any(char::is_control);
    if let Some(bad) = arguments.iter().find(unfit) {
        let shown: String = bad.chars().take(100).collect();
        return Err(format!("hostile: {shown:?} is no kernel argument"));
    }
    if spec.fips == Some(true) {
        arguments.extend(["fips=1", "boot=LABEL=boot"].map(str::to_owned));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "ed4ab3244a76c6503a21441da650634b5abd25aba4255ca116782b2b3020519c";

    #[test]
    fn a_deployment_is_what_is_after_the_last_hyphen() {
        // lifecycle-agent internal/prep/prep_test.go; `tests/seed/restore.rs` reads the whole table.
        for id in [
            format!("rhcos-{SUM}.1"),
            format!("4.15.0-0.nightly-2023-12-04-223539-{SUM}.1"),
        ] {
            let own = Deployment::from_id(&id).unwrap();
            assert_eq!((own.to_string(), &*own.commit), (format!("{SUM}.1"), SUM));
        }
        for bad in [
            format!("{SUM}.1"),
            format!("rhcos-{SUM}"),
            format!("rhcos-{SUM}.x"),
            "rhcos-../../etc.0".to_owned(),
            String::new(),
        ] {
            assert!(Deployment::from_id(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn kernel_arguments_are_one_line_each() {
        let read = |text: &str| kernel_arguments(&mut text.as_bytes());
        assert_eq!(read("{}"), Ok(Vec::new()));
        let some = r#"{"spec":{"kernelArguments":["a=\"b c\"","$(reboot)"],"fips":true}}"#;
        assert_eq!(
            read(some).unwrap(),
            ["a=\"b c\"", "$(reboot)", "fips=1", "boot=LABEL=boot"]
        );
        for bad in [
            r#"{"spec":{"kernelArguments":["a\nlinux /evil"]}}"#,
            r#"{"spec":{"kernelArguments":[" "]}}"#,
            r#"{"spec":{"kernelArguments":"a"}}"#,
            "{",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
