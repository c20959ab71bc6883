//! Destinations of mapping lines (`imageset.md` §4.1, §4.2; upstream `oc adm catalog mirror`).

use crate::oci::Reference;

/// Tag of an operator image that is known by digest only: FNV-1a (32 bit) over the exact pull spec, lower-case hex without
/// padding. Tags of seven and fewer digits occur in the field.
pub fn hash_tag(source: &Reference) -> String {
    let hash = source
        .to_string()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    format!("{hash:x}")
}

/// `repository:tag` of an operator image: its own tag, else [`hash_tag`].
pub fn operator_destination(requested: &Reference) -> String {
    let tag = requested
        .tag_or_latest()
        .map_or_else(|| hash_tag(requested), str::to_owned);
    format!("{}:{tag}", requested.repository())
}

/// `repository:tag` of an additional image: its own tag, else `latest`, also when it is known by digest only.
pub fn additional_destination(requested: &Reference) -> String {
    format!(
        "{}:{}",
        requested.repository(),
        requested.tag().unwrap_or("latest")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_real_lines() {
        let dcgm: Reference = "nvcr.io/nvidia/cloud-native/dcgm@sha256:03e43d6b1460cadb33509d5ee07a5e27603ab89d7ec35f67d8a51bb78745b463"
            .parse()
            .unwrap();
        assert_eq!(
            operator_destination(&dcgm),
            "nvidia/cloud-native/dcgm:13f6dd89"
        );
        assert_eq!(
            additional_destination(&dcgm),
            "nvidia/cloud-native/dcgm:latest"
        );
        let tagged: Reference = "quay.io/a/b:v1".parse().unwrap();
        assert_eq!(operator_destination(&tagged), "a/b:v1");
        let bare: Reference = "quay.io/a/b".parse().unwrap();
        assert_eq!(operator_destination(&bare), "a/b:latest");
    }
}
