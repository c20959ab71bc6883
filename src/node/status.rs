//! What is there on the machine: the mounted data partition, the registry, the images. Looks only, changes nothing.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::load::Job;

/// How long the registry may take: it answers from memory, so a slow answer is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// A mounted filesystem, as `/proc/self/mountinfo` has it (proc(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// The device.
    pub source: String,
    /// `xfs`, `ext4`, …
    pub filesystem: String,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// The filesystem that is mounted at exactly this directory; the last one when there are several.
pub fn mounted_at(mountinfo: &str, directory: &Path) -> Option<Mount> {
    let at = |line: &&str| {
        line.split(' ')
            .nth(4)
            .is_some_and(|at| Path::new(at) == directory)
    };
    let line = mountinfo.lines().rfind(at)?;
    let (before, after) = line.split_once(" - ")?;
    let mut fields = after.split(' ');
    let (filesystem, source) = (fields.next()?, fields.next()?);
    let options = before.split(' ').nth(5)?;
    Some(Mount {
        source: source.to_owned(),
        filesystem: filesystem.to_owned(),
        read_only: options.split(',').any(|option| option == "ro"),
    })
}

/// Asks a registry for its version (distribution-spec, `GET /v2/`).
///
/// # Errors
/// Nothing listens there, or it is no registry.
pub fn ask_registry(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece: a server that answers after the first one and closes would reset the connection.
    let request = format!("GET /v2/ HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(16 << 10).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    let registry = head
        .to_ascii_lowercase()
        .contains("\r\ndocker-distribution-api-version:");
    if status == "200" && registry {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "not a registry: status {status:?}"
    )))
}

/// Where the images of a group can be had from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// How many there are.
    pub images: usize,
    /// In containers-storage under all their names; `None` when storage cannot be asked.
    pub loaded: Option<usize>,
    /// Whole on the data partition, with the registry answering.
    pub served: usize,
    /// Neither: these would come over the network.
    pub missing: Vec<String>,
}

/// Sums up a group. `names` are those of containers-storage, `served` says whether the registry answers.
pub fn coverage(jobs: &[Job], names: Option<&BTreeSet<String>>, served: bool) -> Coverage {
    let loaded = |job: &&Job| names.is_some_and(|names| job.is_in(names));
    let whole = |job: &&Job| served && job.lacks.is_none();
    let missing = jobs.iter().filter(|job| !loaded(job) && !whole(job));
    Coverage {
        images: jobs.len(),
        loaded: names.map(|_| jobs.iter().filter(loaded).count()),
        served: jobs.iter().filter(whole).count(),
        missing: missing.map(|job| job.source.to_string()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_a_directory() {
        let table = "22 1 8:4 / / rw,relatime shared:1 - xfs /dev/sda4 rw,seclabel\n\
                     40 22 0:25 / /run rw,nosuid - tmpfs tmpfs rw\n\
                     91 40 8:5 / /run/snoforge/data ro,noatime shared:9 - xfs /dev/sda5 ro,seclabel\n";
        let mount = mounted_at(table, Path::new("/run/snoforge/data")).unwrap();
        assert_eq!(
            (mount.source.as_str(), mount.filesystem.as_str()),
            ("/dev/sda5", "xfs")
        );
        assert!(mount.read_only);
        assert!(!mounted_at(table, Path::new("/")).unwrap().read_only);
        assert_eq!(mounted_at(table, Path::new("/run/snoforge")), None);
        assert_eq!(mounted_at("x y\n", Path::new("/")), None);
    }

    #[test]
    fn something_else_on_the_port_is_no_registry() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            for answer in [
                "HTTP/1.0 200 OK\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n{}",
                "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello",
                "HTTP/1.0 503 No\r\n\r\n",
                "",
            ] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.push(byte[0]);
                }
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        assert!(ask_registry(address).is_ok());
        for _ in 0..3 {
            assert!(ask_registry(address).is_err());
        }
        server.join().unwrap();
        assert!(ask_registry(address).is_err(), "nothing listens any more");
    }
}
