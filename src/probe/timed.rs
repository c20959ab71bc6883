//! A connection that ends at a moment, however slowly the other side sends: time-outs of a socket are for one read each.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Reads and writes fail with [`io::ErrorKind::TimedOut`] from the moment on.
#[derive(Debug)]
pub(super) struct Timed {
    stream: TcpStream,
    end: Instant,
}

impl Timed {
    /// From now on so long.
    pub(super) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self {
            stream,
            end: Instant::now() + patience,
        }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.end.checked_duration_since(Instant::now());
        left.filter(|left| !left.is_zero())
            .ok_or_else(|| io::ErrorKind::TimedOut.into())
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer).map_err(late)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Linux says that a socket out of time would block, which rustls takes for a socket that is polled.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, UdpSocket};
    use std::time::Duration;

    use simple_dns::{Packet, PacketFlag};

    use crate::probe::{Error, Family, certificate, lookup};

    const PATIENCE: Duration = Duration::from_millis(300);

    /// Sends these bytes and then zeros, one every 20 ms, 500 in all; never what is asked for.
    fn dripping(begin: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.read_exact(&mut [0; 2]).unwrap();
            let bytes = begin.iter().chain(std::iter::repeat(&0)).take(500);
            for byte in bytes {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        address
    }

    #[test]
    fn who_sends_slowly_is_not_waited_for() {
        // A record of TLS of 16 KiB: a handshake.
        let server = dripping(&[22, 3, 3, 0x40, 0]);
        let error = certificate("127.0.0.1", server.port(), PATIENCE).unwrap_err();
        assert!(matches!(error, Error::Silent { .. }), "{error:?}");
        // A message of DNS of 64 KiB, after one over UDP that was cut.
        let server = dripping(&[0xff, 0xff]);
        let udp = UdpSocket::bind(server).unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                let query = Packet::parse(&buffer[..length]).unwrap();
                let mut answer = Packet::new_reply(query.id());
                answer.questions.clone_from(&query.questions);
                answer.set_flags(PacketFlag::TRUNCATION);
                udp.send_to(&answer.build_bytes_vec().unwrap(), from)
                    .unwrap();
            }
        });
        let error = lookup(server, "a.example.com", Family::V4, PATIENCE).unwrap_err();
        assert!(matches!(error, Error::Silent { .. }), "{error:?}");
    }
}
