//! Whether something listens.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::Error;

/// Connects to one of the addresses of a host; waits for `patience` per address, and takes three at most.
///
/// # Errors
/// The name is not known, nobody answers, or nothing listens.
pub fn connect(host: &str, port: u16, patience: Duration) -> Result<TcpStream, Error> {
    let server = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let failed = |source| Error::socket(&server, source, patience.as_secs());
    let addresses = (host, port).to_socket_addrs().map_err(failed)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.take(3) {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}
