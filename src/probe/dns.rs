//! One question to one name server. Messages are `simple_dns`'s; this is what goes round them: a socket that takes answers of the
//! asked server only, the identifier and the question compared, a second try, TCP when the answer was cut (RFC 7766).

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE};

use super::Error;
use super::timed::Timed;

/// Tries over UDP: one packet in a busy network gets lost.
const TRIES: u32 = 2;
/// An answer over UDP without EDNS is no longer (RFC 1035 section 4.2.1); some servers do not care.
const LARGEST: usize = 4096;

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `A`.
    V4,
    /// `AAAA`.
    V6,
}

impl Family {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    fn record(self) -> TYPE {
        match self {
            Self::V4 => TYPE::A,
            Self::V6 => TYPE::AAAA,
        }
    }
}

/// The addresses of a name, in the server's order, aliases followed by the server; empty when the name has others only. Waits for
/// `patience` per try, three tries at most; over TCP for connecting and for the answer each.
///
/// # Errors
/// No answer, no such name, or a refusal.
pub fn lookup(
    server: SocketAddr,
    name: &str,
    family: Family,
    patience: Duration,
) -> Result<Vec<IpAddr>, Error> {
    let query = query(name, family)?;
    let mut answer = over_udp(server, &query, patience)?;
    if parsed(server, &answer)?.has_flags(PacketFlag::TRUNCATION) {
        answer = over_tcp(server, &query, patience)
            .map_err(|source| Error::socket(&server, source, patience.as_secs()))?;
        if !answers(&query, &answer) {
            return Err(garbled(server, "it answers another question"));
        }
    }
    read(server, name, &answer, family)
}

fn query(name: &str, family: Family) -> Result<Vec<u8>, Error> {
    let wrong = |_| Error::Name {
        name: name.to_owned(),
    };
    // Random, so that an answer to somebody else's question is not taken for one to ours.
    let [a, b, ..] = uuid::Uuid::new_v4().into_bytes();
    let mut packet = Packet::new_query(u16::from_be_bytes([a, b]));
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = QTYPE::TYPE(family.record());
    let asked = Name::new(name).map_err(wrong)?;
    let question = Question::new(asked, kind, CLASS::IN.into(), false);
    packet.questions.push(question);
    packet.build_bytes_vec().map_err(wrong)
}

fn over_udp(server: SocketAddr, query: &[u8], patience: Duration) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::socket(&server, source, patience.as_secs());
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).map_err(failed)?;
    socket.connect(server).map_err(failed)?;
    let mut buffer = vec![0; LARGEST];
    let mut last = None;
    for _ in 0..TRIES {
        socket.send(query).map_err(failed)?;
        let end = Instant::now() + patience;
        // Late answers to somebody else are passed over, but nobody may keep us here with them.
        while let Some(left) = end
            .checked_duration_since(Instant::now())
            .filter(|l| !l.is_zero())
        {
            socket.set_read_timeout(Some(left)).map_err(failed)?;
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    let answer = buffer.get(..length).unwrap_or_default();
                    if answers(query, answer) {
                        return Ok(answer.to_vec());
                    }
                }
                Err(source) => {
                    let error = failed(source);
                    if matches!(error, Error::Unreachable { .. }) {
                        return Err(error);
                    }
                    last = Some(error);
                    break;
                }
            }
        }
    }
    Err(last.unwrap_or(Error::Silent {
        server: server.to_string(),
        seconds: patience.as_secs(),
    }))
}

/// Messages have their length in front (RFC 1035 section 4.2.2).
fn over_tcp(server: SocketAddr, query: &[u8], patience: Duration) -> std::io::Result<Vec<u8>> {
    let stream = TcpStream::connect_timeout(&server, patience)?;
    let mut stream = Timed::new(stream, patience);
    let length = u16::try_from(query.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Whether a message answers the query: the same identifier and question.
fn answers(query: &[u8], answer: &[u8]) -> bool {
    let (Ok(query), Ok(answer)) = (Packet::parse(query), Packet::parse(answer)) else {
        return false;
    };
    let asked = |packet: &Packet<'_>| {
        let question = packet.questions.first()?;
        Some((
            question.qname.to_string().to_ascii_lowercase(),
            question.qtype,
        ))
    };
    answer.id() == query.id()
        && answer.has_flags(PacketFlag::RESPONSE)
        && (answer.questions.is_empty() || asked(&answer) == asked(&query))
}

fn parsed(server: SocketAddr, answer: &[u8]) -> Result<Packet<'_>, Error> {
    Packet::parse(answer).map_err(|e| garbled(server, &e.to_string()))
}

fn read(
    server: SocketAddr,
    name: &str,
    answer: &[u8],
    family: Family,
) -> Result<Vec<IpAddr>, Error> {
    let packet = parsed(server, answer)?;
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => {
            return Err(Error::NoSuchName {
                server,
                name: name.to_owned(),
            });
        }
        other => {
            return Err(Error::Refused {
                server: server.to_string(),
                reason: format!("{other:?}"),
            });
        }
    }
    let records = packet.answers.iter();
    let addresses = records.filter_map(|record| match (&record.rdata, family) {
        (RData::A(a), Family::V4) => Some(IpAddr::V4(Ipv4Addr::from(a.address))),
        (RData::AAAA(a), Family::V6) => Some(IpAddr::V6(Ipv6Addr::from(a.address))),
        _ => None,
    });
    Ok(addresses.collect())
}

fn garbled(server: SocketAddr, reason: &str) -> Error {
    Error::Garbled {
        server: server.to_string(),
        reason: reason.to_owned(),
    }
}
