//! Everything with a source: data URLs that decode, compression, verification hashes, headers, duplicates.

use std::collections::BTreeSet;

use sha2::Digest as _;

use super::Findings;
use crate::ignition::config::Config;
use crate::ignition::data_url::Error;
use crate::ignition::view::Resource;

/// Schemes that Ignition fetches; `arn:` from spec 3.4 on.
const REMOTE: [&str; 5] = ["http:", "https:", "tftp:", "s3:", "gs:"];
/// The first bytes of gzip.
const GZIP: &[u8] = b"\x1f\x8b\x08";

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for resource in config.other_resources() {
        let source = resource.source().unwrap_or_default();
        let list = resource
            .pointer()
            .rsplit_once('/')
            .map(|(list, _)| list.to_owned());
        if source.is_empty() && !resource.pointer().ends_with("/replace") {
            findings.error(resource.pointer(), "resource without a source");
        } else if !seen.insert((list, source)) {
            findings.error(resource.pointer(), "the same source comes twice");
        }
        one(config, &resource, "resource", findings);
    }
    for file in config.files() {
        if let Some(contents) = file.contents() {
            one(config, &contents, file.path(), findings);
        }
        for part in file.append() {
            one(config, &part, file.path(), findings);
        }
    }
}

fn one(config: &Config, resource: &Resource<'_>, what: &str, findings: &mut Findings) {
    headers(resource, what, findings);
    let source = resource.source().unwrap_or_default();
    let bytes = decoded(config, resource, (what, source), findings);
    hash(config, resource, (what, source, bytes.as_deref()), findings);
    if let Some(bytes) = bytes
        && resource.compression().is_none()
        && bytes.starts_with(GZIP)
        && !has_gzip_name(what)
    {
        findings
            .warning(
                format!("{}/compression", resource.pointer()),
                format!("{what} holds gzip, but no compression is set: it is written as gzip"),
            )
            .hint("\"compression\": \"gzip\" makes Ignition write it inflated");
    }
}

fn has_gzip_name(path: &str) -> bool {
    let extension = std::path::Path::new(path).extension();
    extension.is_some_and(|e| e.eq_ignore_ascii_case("gz") || e.eq_ignore_ascii_case("tgz"))
}

/// The decoded bytes of a data URL; reports what does not decode.
fn decoded(
    config: &Config,
    resource: &Resource<'_>,
    (what, source): (&str, &str),
    findings: &mut Findings,
) -> Option<Vec<u8>> {
    if source.is_empty() {
        return None;
    }
    match resource.decode() {
        Ok(bytes) => Some(bytes),
        Err(Error::Remote { scheme }) => {
            let unknown_compression = resource.compression().filter(|c| *c != "gzip");
            if let Some(compression) = unknown_compression {
                let error = Error::Compression(compression.to_owned());
                findings.error(
                    format!("{}/compression", resource.pointer()),
                    format!("{what}: {error}"),
                );
            }
            let scheme = scheme.to_ascii_lowercase();
            let is_arn = scheme == "arn:" && config.version().minor() >= 4;
            if !is_arn && !REMOTE.contains(&scheme.as_str()) {
                findings
                    .error(
                        format!("{}/source", resource.pointer()),
                        format!("source of {what} has none of the schemes that Ignition knows"),
                    )
                    .hint("data:, http:, https:, tftp:, s3: or gs:");
            }
            None
        }
        Err(error) => {
            let key = match error {
                Error::Compression(_) | Error::Gzip => "compression",
                _ => "source",
            };
            findings.error(
                format!("{}/{key}", resource.pointer()),
                format!("{what}: {error}"),
            );
            None
        }
    }
}

fn headers(resource: &Resource<'_>, what: &str, findings: &mut Findings) {
    let headers = resource
        .json()
        .get("httpHeaders")
        .and_then(|h| h.as_array());
    let mut seen = BTreeSet::new();
    for (index, header) in headers.into_iter().flatten().enumerate() {
        let name = header
            .get("name")
            .and_then(|n| n.as_str())
            .unwrap_or_default();
        let pointer = format!("{}/httpHeaders/{index}/name", resource.pointer());
        if name.is_empty() {
            findings.error(pointer, format!("HTTP header of {what} without a name"));
        } else if seen.contains(name) {
            findings.error(pointer, format!("HTTP header {name} of {what} comes twice"));
        }
        seen.insert(name);
    }
    let source = resource.source().unwrap_or_default();
    let http = ["http:", "https:"].iter().any(|s| source.starts_with(s));
    if !seen.is_empty() && !http {
        findings.error(
            format!("{}/httpHeaders", resource.pointer()),
            format!("{what} has HTTP headers, but its source is not HTTP"),
        );
    }
}

fn hash(
    config: &Config,
    resource: &Resource<'_>,
    (what, source, bytes): (&str, &str, Option<&[u8]>),
    findings: &mut Findings,
) {
    let Some(hash) = resource.hash() else {
        return;
    };
    let pointer = format!("{}/verification/hash", resource.pointer());
    if source.is_empty() {
        findings.error(pointer, format!("{what} has a hash, but no source"));
        return;
    }
    let (function, sum) = hash.split_once('-').unwrap_or_default();
    let old = config.version().writable() && config.version().minor() == 0;
    let length = match function {
        "sha256" if !old => 64,
        "sha512" => 128,
        _ => {
            findings
                .error(pointer, format!("hash of {what} is of no known function"))
                .hint("sha512-HEX, and from spec 3.1 on sha256-HEX");
            return;
        }
    };
    if sum.len() != length || !sum.bytes().all(|b| b.is_ascii_hexdigit()) {
        findings.error(
            pointer,
            format!("hash of {what} is not {length} hexadecimal digits"),
        );
        return;
    }
    let Some(bytes) = bytes else {
        return;
    };
    let actual = if function == "sha256" {
        hex::encode(sha2::Sha256::digest(bytes))
    } else {
        hex::encode(sha2::Sha512::digest(bytes))
    };
    if !actual.eq_ignore_ascii_case(sum) {
        findings
            .error(pointer, format!("{what} does not match its hash"))
            .hint("the hash covers the decoded, inflated contents");
    }
}
