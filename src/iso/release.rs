//! What the OS of a live ISO understands, as far as its volume id tells.

use crate::ignition::Version;

/// The newest Ignition 3.x minor spec that an RHCOS can know, by OCP minor release: the first Ignition that has a spec
/// (<https://coreos.github.io/ignition/specs/>: 3.1 in 2.3, 3.2 in 2.7, 3.3 in 2.11, 3.4 in 2.15, 3.5 in 2.20) against the releases
/// of RHCOS. An upper bound: the release may know less.
const NEWEST: [(u32, u8); 4] = [(6, 1), (8, 2), (12, 3), (17, 4)];

/// A sentence when the config's spec is newer than what the OS of the volume knows; nothing when the volume does not tell.
pub fn too_new(volume: &str, spec: Version) -> Option<String> {
    let release = ocp_minor(volume)?;
    let (_, newest) = NEWEST.iter().find(|(last, _)| release <= *last)?;
    (spec.major() == 3 && spec.minor() > *newest).then(|| {
        format!(
            "the config has Ignition spec {spec}, `{volume}` knows at most 3.{newest}: the machine will not read it"
        )
    })
}

/// `rhcos-413.92.202305021736-0` → 13; `rhcos-46.82.…` → 6. From 4.19 on the id has the RHEL version instead (`rhcos-9.6.…`).
fn ocp_minor(volume: &str) -> Option<u32> {
    let (release, rest) = volume.strip_prefix("rhcos-")?.split_once('.')?;
    let (rhel, _) = rest.split_once('.')?;
    let minor = release.strip_prefix('4').filter(|m| !m.is_empty())?;
    // Two digits of RHEL tell the old style from `rhcos-4.18.0`.
    (rhel.len() == 2).then(|| minor.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_only_where_it_knows() {
        let spec = |text: &str| {
            let json = format!("{{\"ignition\": {{\"version\": \"{text}\"}}}}");
            crate::ignition::Config::parse(json.as_bytes())
                .unwrap()
                .version()
        };
        for (volume, version, warns) in [
            ("rhcos-46.82.202112161843-0", "3.1.0", false),
            ("rhcos-46.82.202112161843-0", "3.2.0", true),
            ("rhcos-412.86.202301061548-0", "3.3.0", false),
            ("rhcos-412.86.202301061548-0", "3.4.0", true),
            ("rhcos-416.94.202501270445-0", "3.5.0", true),
            ("rhcos-418.94.202501270445-0", "3.5.0", false),
            ("rhcos-9.6.20250523-0", "3.5.0", false),
            ("rhcos-4.18.0", "3.5.0", false),
            ("fedora-coreos-38.20230718.dev.0", "3.5.0", false),
        ] {
            assert_eq!(
                too_new(volume, spec(version)).is_some(),
                warns,
                "{volume} {version}"
            );
        }
    }
}
