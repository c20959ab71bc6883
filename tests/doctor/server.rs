//! Small servers of one test: HTTP with any answer, DNS that cuts answers, a time server with any clock.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, PacketFlag, ResourceRecord};

/// Method and path, and the `Authorization` header.
pub(crate) type Answer = dyn Fn(&str, Option<&str>) -> String + Send + Sync;

/// Answers every request, one per connection; ends with the test's process. Gives `127.0.0.1:PORT`.
pub(crate) fn http(
    answer: impl Fn(&str, Option<&str>) -> String + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let answer: Arc<Answer> = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || one(stream, &*answer));
        }
    });
    host
}

fn one(mut stream: TcpStream, answer: &Answer) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else {
        return;
    };
    let mut authorization = None;
    for line in lines.map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_default();
        if name.eq_ignore_ascii_case("authorization") {
            authorization = Some(value.to_owned());
        }
    }
    let text = answer(&first, authorization.as_deref());
    // The other side may have gone: TLS is tried before plain HTTP.
    let _ = stream.write_all(text.as_bytes());
}

/// Status line, headers and body as HTTP/1.1 has them, by the clock `date`.
pub(crate) fn reply(status: &str, date: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nDate: {date}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    )
}

/// A date of HTTP, so far from now.
pub(crate) fn date(hours: i64) -> String {
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A port that nothing listens on, and that nobody else gets while the test's process lives: one end of a connection has it.
pub(crate) fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let accepted = listener.accept().unwrap().0;
    Box::leak(Box::new((taken, accepted)));
    address
}

/// A name server whose answers are cut over UDP and whole over TCP, and that loses the first packet.
pub(crate) fn cutting_dns() -> String {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        for n in 0.. {
            let Ok((length, from)) = udp.recv_from(&mut buffer) else {
                return;
            };
            if n == 0 {
                continue;
            }
            // An answer with another identifier comes first: it is not taken.
            let mut forged = answer(&buffer[..length], [203, 0, 113, 66], false);
            forged[0] ^= 0xff;
            udp.send_to(&forged, from).unwrap();
            udp.send_to(&answer(&buffer[..length], [0; 4], true), from)
                .unwrap();
        }
    });
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            let whole = answer(&query, [192, 0, 2, 5], false);
            let length = u16::try_from(whole.len()).unwrap().to_be_bytes();
            stream
                .write_all(&[&length, whole.as_slice()].concat())
                .unwrap();
        }
    });
    address.to_string()
}

fn answer(query: &[u8], address: [u8; 4], cut: bool) -> Vec<u8> {
    let query = Packet::parse(query).unwrap();
    let mut packet = Packet::new_reply(query.id());
    packet.questions.clone_from(&query.questions);
    if cut {
        packet.set_flags(PacketFlag::TRUNCATION);
    } else {
        let address = u32::from_be_bytes(address);
        let name = query.questions[0].qname.clone();
        let record = ResourceRecord::new(name, CLASS::IN, 60, RData::A(A { address }));
        packet.answers.push(record);
    }
    packet.build_bytes_vec().unwrap()
}

/// A time server so many seconds ahead.
pub(crate) fn ntp(ahead: u64) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut packet = [0; 48];
        while let Ok((_, from)) = socket.recv_from(&mut packet) {
            assert_eq!(packet[0], 0x23);
            #[expect(clippy::disallowed_methods, reason = "a clock is what is served")]
            let now = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap();
            let now = now + Duration::from_secs(2_208_988_800 + ahead);
            let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
            let stamp = ((now.as_secs() << 32) | fraction).to_be_bytes();
            let ours: [u8; 8] = packet[40..].try_into().unwrap();
            packet[0] = 0x24;
            packet[1] = 3;
            packet[24..32].copy_from_slice(&ours);
            packet[32..40].copy_from_slice(&stamp);
            packet[40..].copy_from_slice(&stamp);
            socket.send_to(&packet, from).unwrap();
        }
    });
    address
}
