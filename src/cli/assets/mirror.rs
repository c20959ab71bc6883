//! Assets from a mirror with the layout of <https://mirror.openshift.com/pub/openshift-v4>.
//!
//! ```text
//! ARCH/clients/ocp/4.13.1/            openshift-install-linux-4.13.1.tar.gz, openshift-client-linux-4.13.1.tar.gz, sha256sum.txt
//! ARCH/dependencies/rhcos/4.13/latest/  rhcos-4.13.10-x86_64-live.x86_64.iso, sha256sum.txt
//! ```
//! Downloads go on where they stopped; what does not have the digest of `sha256sum.txt` never gets its name. The list itself is only
//! as good as the server that sends it: HTTPS, or a mirror that one trusts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio_util::sync::CancellationToken;
use url::Url;

use super::desk::{Desk, Entry, sha256};
use super::{Asset, Done};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::global::RegistryFlags;
use crate::cli::precache::file;
use crate::inventory::architecture::machine;
use crate::inventory::{WantedFile, take_from_archive};
use crate::oci::Digest;
use crate::remote::Client;

const SUMS: &str = "sha256sum.txt";

/// A mirror, and what is wanted of it.
#[derive(Debug)]
pub(super) struct Mirror {
    client: Client,
    base: String,
    version: String,
    machine: String,
    rhcos: Option<String>,
}

/// A file on the mirror.
struct Listed {
    url: Url,
    name: String,
    sha256: Digest,
}

impl Mirror {
    /// Checks what becomes part of a URL.
    ///
    /// # Errors
    /// A base with a password in it, a version that is none, or flags of the client.
    pub(super) fn new(
        base: &Url,
        version: String,
        architecture: &str,
        rhcos: Option<String>,
        registry: &RegistryFlags,
    ) -> Result<Self, Failure> {
        if !base.username().is_empty() || base.password().is_some() {
            let failure = Failure::new(Exit::Usage, "--from-mirror: the URL has a user in it");
            return Err(failure.hint(
                "URLs are shown and written down in assets.json; name a mirror that asks for no password",
            ));
        }
        let plain = |text: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            !text.is_empty() && text.chars().all(good) && !text.contains("..")
        };
        let flags = [
            ("-r", Some(&version)),
            ("--rhcos", rhcos.as_ref()),
            ("--arch", Some(&architecture.to_owned())),
        ];
        for (flag, text) in flags {
            if let Some(text) = text.filter(|text| !plain(text)) {
                let message = format!("{flag}: `{text}` cannot be part of a mirror's URL");
                return Err(Failure::new(Exit::Usage, message));
            }
        }
        Ok(Self {
            client: registry.client()?,
            base: base.as_str().trim_end_matches('/').to_owned(),
            version,
            machine: machine(architecture).to_owned(),
            rhcos,
        })
    }

    /// Takes assets, in their order.
    ///
    /// # Errors
    /// The mirror does not have one, sends wrong bytes or fails; or the disk.
    pub(super) async fn take(
        &self,
        context: &Context,
        desk: &mut Desk,
        assets: &BTreeSet<Asset>,
        cancel: &CancellationToken,
    ) -> Result<Vec<Done>, Failure> {
        let mut lists = BTreeMap::new();
        let mut done = Vec::new();
        for asset in assets {
            let directory = self.directory(*asset)?;
            if !lists.contains_key(&directory) {
                let sums = self.sums(&directory).await?;
                lists.insert(directory.clone(), sums);
            }
            let sums = lists.get(&directory).map_or(&[][..], Vec::as_slice);
            let listed = self.find(*asset, &directory, sums)?;
            done.push(
                self.take_one(context, desk, (*asset, &listed), cancel)
                    .await?,
            );
        }
        Ok(done)
    }

    fn directory(&self, asset: Asset) -> Result<String, Failure> {
        let (base, machine, version) = (&self.base, &self.machine, &self.version);
        if asset.is_program() {
            return Ok(format!("{base}/{machine}/clients/ocp/{version}"));
        }
        let of = self.rhcos.as_deref().unwrap_or(version);
        let mut parts = of.splitn(3, '.');
        let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
            let message = format!("`{of}` is no version X.Y.Z");
            return Err(Failure::new(Exit::Usage, message));
        };
        let directory = self.rhcos.as_deref().unwrap_or("latest");
        Ok(format!(
            "{base}/{machine}/dependencies/rhcos/{major}.{minor}/{directory}"
        ))
    }

    async fn sums(&self, directory: &str) -> Result<Vec<(String, Digest)>, Failure> {
        let url = format!("{directory}/{SUMS}");
        let Some(text) = self.client.get_document(&url, "*/*").await? else {
            let failure = Failure::new(Exit::Remote, format!("{url} is not there"));
            return Err(failure.hint("does the mirror have this version and architecture? --rhcos names the RHCOS version, -r the release"));
        };
        Ok(parse_sums(&String::from_utf8_lossy(&text)))
    }

    /// The file that a list has of an asset.
    fn find(
        &self,
        asset: Asset,
        directory: &str,
        sums: &[(String, Digest)],
    ) -> Result<Listed, Failure> {
        let program = match asset {
            Asset::Installer => "openshift-install",
            Asset::Oc => "openshift-client",
            Asset::LiveIso => "",
        };
        let names = [
            format!("{program}-linux-{}.tar.gz", self.version),
            format!("{program}-linux.tar.gz"),
        ];
        let of_iso = |name: &str| {
            let ending = format!(".{}.iso", self.machine);
            name.starts_with("rhcos-") && name.contains("-live") && name.ends_with(&ending)
        };
        let found = if asset.is_program() {
            let listed = |name: &String| sums.iter().find(|(other, _)| other == name);
            names.iter().find_map(listed)
        } else {
            // `latest` has it twice: the longer name says which version it is.
            let isos = sums.iter().filter(|(name, _)| of_iso(name));
            isos.max_by_key(|(name, _)| name.len())
        };
        let Some((name, sha256)) = found else {
            let wanted = if asset.is_program() {
                names.join(" or ")
            } else {
                format!("rhcos-…-live….{}.iso", self.machine)
            };
            let message = format!("{directory}/{SUMS} does not name {wanted}");
            return Err(Failure::new(Exit::Remote, message));
        };
        let url = format!("{directory}/{name}");
        Ok(Listed {
            url: url
                .parse()
                .map_err(|e| Failure::new(Exit::Usage, format!("{url}: {e}")))?,
            name: name.clone(),
            sha256: sha256.clone(),
        })
    }

    async fn take_one(
        &self,
        context: &Context,
        desk: &mut Desk,
        (asset, listed): (Asset, &Listed),
        cancel: &CancellationToken,
    ) -> Result<Done, Failure> {
        let name = asset.file_name(&self.machine);
        let source = format!("{}#{}", listed.url, listed.sha256);
        let kept = tokio::task::block_in_place(|| desk.kept(asset, &name, (&source, None)))?;
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let download = desk.download(&listed.name);
        file::download(context, &self.client, (&listed.url, &download), cancel).await?;
        tokio::task::block_in_place(|| {
            let found = sha256(&download)?;
            if found != listed.sha256 {
                fs_err::remove_file(&download)?;
                return Err(wrong(listed, &found));
            }
            let file = unpack(desk, asset, &download)?;
            let entry = Entry {
                version: self.version.clone(),
                architecture: self.machine.clone(),
                source,
                release: None,
                size: file.as_file().metadata()?.len(),
                sha256: sha256(file.path())?,
            };
            let done = desk.put(asset, &name, (file, entry))?;
            if asset.is_program() {
                fs_err::remove_file(&download)?;
            }
            Ok(done)
        })
    }
}

/// The program in its archive; the ISO is the download itself.
fn unpack(desk: &Desk, asset: Asset, download: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    if !asset.is_program() {
        let path = tempfile::TempPath::try_from_path(download)?;
        let file = fs_err::File::open(download)?.into_file();
        return Ok(tempfile::NamedTempFile::from_parts(file, path));
    }
    let file = desk.blank()?;
    let member = asset.file_name("");
    let wanted = WantedFile {
        path: member.clone(),
        to: file.path().to_owned(),
    };
    if take_from_archive(download, &wanted)?.is_some() {
        return Ok(file);
    }
    let message = format!("{} has no {member} in it", download.display());
    Err(Failure::new(Exit::Remote, message))
}

fn wrong(listed: &Listed, found: &Digest) -> Failure {
    let message = format!(
        "{} has SHA-256 {}, {SUMS} says {}",
        listed.url,
        found.hex(),
        listed.sha256.hex()
    );
    Failure::new(Exit::Verification, message).hint(
        "it was removed; run the same command again, and ask for the mirror to be repaired when it stays so",
    )
}

/// Lines of sha256sum(1): digest, blank, blank or `*`, name. What is no such line says nothing about a file.
fn parse_sums(text: &str) -> Vec<(String, Digest)> {
    let lines = text.lines().filter_map(|line| {
        let (hex, name) = line.trim_end().split_once(' ')?;
        let name = name.strip_prefix([' ', '*']).unwrap_or(name);
        let digest = format!("sha256:{}", hex.to_ascii_lowercase())
            .parse()
            .ok()?;
        // A name becomes part of a URL and of a path.
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
        let good = name.chars().all(plain) && !name.starts_with('.') && !name.is_empty();
        good.then(|| (name.to_owned(), digest))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_sha256sum() {
        let hex = "0123456789abcdef".repeat(4);
        let upper = hex.to_ascii_uppercase();
        let text = format!(
            "{hex}  a.iso\n{upper} *b.tar.gz\r\n{hex}  ../c\n{hex}  .d\nabc  e\n\n-----BEGIN PGP\n{hex} f\n"
        );
        let names: Vec<_> = parse_sums(&text)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["a.iso", "b.tar.gz", "f"]);
    }
}
