//! One packet to one time server: SNTP version 4, RFC 4330.
//!
//! ```text
//! 0   leap (2 bits), version (3), mode (3)   client 0x23, server 0x24
//! 1   stratum: 0 is a refusal, 16 and more has no time
//! 12  reference identifier: the word of a refusal
//! 24  originate: our transmit time, given back
//! 32  receive    40 transmit                 seconds since 1900 and a 32-bit fraction
//! ```
//!
//! The clock is the caller's: this module only subtracts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::Error;

/// Seconds from 1900 to 1970.
const EPOCH: u64 = 2_208_988_800;
const LENGTH: usize = 48;

/// What a time server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// What has to be added to our clock, in milliseconds.
    pub offset_ms: i64,
    /// How long the packet was under way both ways, in milliseconds.
    pub delay_ms: u64,
    /// How far it is from a clock.
    pub stratum: u8,
}

/// Asks for the time; `now` is our clock, time since 1970. Two tries of `patience` each.
///
/// # Errors
/// No answer; or the server has no time, or says so.
pub fn time(
    server: SocketAddr,
    now: &dyn Fn() -> Duration,
    patience: Duration,
) -> Result<Time, Error> {
    let failed = |source| Error::socket(&server, source, patience.as_secs());
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).map_err(failed)?;
    socket.connect(server).map_err(failed)?;
    let mut last = None;
    for _ in 0..2 {
        let sent = now();
        let mut packet = [0; LENGTH];
        packet[0] = 0x23;
        packet[40..].copy_from_slice(&stamp(sent));
        let begun = Instant::now();
        socket.send(&packet).map_err(failed)?;
        match receive(&socket, stamp(sent), patience) {
            Ok(answer) => return read(server, &answer, sent, begun.elapsed()),
            Err(source) => {
                let error = failed(source);
                if matches!(error, Error::Unreachable { .. }) {
                    return Err(error);
                }
                last = Some(error);
            }
        }
    }
    Err(last.unwrap_or(Error::Silent {
        server: server.to_string(),
        seconds: patience.as_secs(),
    }))
}

/// The answer that gives our own time back; others are passed over.
fn receive(socket: &UdpSocket, ours: [u8; 8], patience: Duration) -> std::io::Result<[u8; LENGTH]> {
    let end = Instant::now() + patience;
    let mut buffer = [0; 512];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        let answer = buffer.get(..length).and_then(|b| b.first_chunk::<LENGTH>());
        if let Some(answer) = answer
            && answer[24..32] == ours
        {
            return Ok(*answer);
        }
    }
}

fn read(
    server: SocketAddr,
    answer: &[u8; LENGTH],
    sent: Duration,
    took: Duration,
) -> Result<Time, Error> {
    let refused = |reason: String| Error::Refused {
        server: server.to_string(),
        reason,
    };
    if answer[0] & 7 != 4 {
        return Err(Error::Garbled {
            server: server.to_string(),
            reason: "it is no answer of a time server".to_owned(),
        });
    }
    let stratum = answer[1];
    if stratum == 0 {
        let word = answer[12..16].iter().filter(|b| b.is_ascii_graphic());
        let word: String = word.map(|b| char::from(*b)).collect();
        return Err(refused(format!("kiss of death `{word}`")));
    }
    if answer[0] >> 6 == 3 || stratum >= 16 {
        return Err(refused("its own clock is not set".to_owned()));
    }
    let moment = |at: usize| {
        let bytes = answer.get(at..at + 8).and_then(|b| b.first_chunk::<8>());
        milliseconds(*bytes.unwrap_or(&[0; 8]))
    };
    let (received, transmitted) = (moment(32), moment(40));
    let sent = i64::try_from(sent.as_millis()).unwrap_or(i64::MAX);
    let took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    // Our own clock may jump meanwhile: the answer's arrival is the departure and what a steady clock says.
    let arrived = sent.saturating_add(took_ms);
    let offset = (received - sent).saturating_add(transmitted - arrived) / 2;
    let delay = took_ms.saturating_sub(transmitted - received).max(0);
    Ok(Time {
        offset_ms: offset,
        delay_ms: delay.unsigned_abs(),
        stratum,
    })
}

/// Seconds since 1900, modulo 2³², and a fraction.
fn stamp(time: Duration) -> [u8; 8] {
    let seconds = time.as_secs().wrapping_add(EPOCH) & u64::from(u32::MAX);
    let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
    ((seconds << 32) | fraction).to_be_bytes()
}

/// Milliseconds since 1970; the era from 2036 on begins where the first bit is not set (RFC 4330 section 3).
fn milliseconds(stamp: [u8; 8]) -> i64 {
    let stamp = u64::from_be_bytes(stamp);
    let (seconds, fraction) = (stamp >> 32, stamp & u64::from(u32::MAX));
    let era = if seconds >> 31 == 0 { 1_i64 << 32 } else { 0 };
    let seconds = seconds.cast_signed() + era - EPOCH.cast_signed();
    seconds * 1000 + ((fraction * 1000) >> 32).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_eras() {
        for seconds in [1_795_000_000, 2_085_978_495, 2_085_978_496, 2_200_000_000] {
            let time = Duration::from_millis(seconds * 1000 + 500);
            let expected = i64::try_from(time.as_millis()).unwrap();
            assert!(
                (milliseconds(stamp(time)) - expected).abs() <= 1,
                "{seconds}"
            );
        }
    }

    #[test]
    fn answers_are_judged() {
        let server: SocketAddr = "192.0.2.1:123".parse().unwrap();
        let ours = Duration::from_secs(1_795_000_000);
        let mut answer = [0; LENGTH];
        answer[0] = 0x24;
        answer[1] = 2;
        answer[32..40].copy_from_slice(&stamp(ours + Duration::from_millis(90_040)));
        answer[40..].copy_from_slice(&stamp(ours + Duration::from_millis(90_050)));
        let took = Duration::from_millis(90);
        let time = read(server, &answer, ours, took).unwrap();
        // Fractions are cut to milliseconds.
        assert!((89_998..=90_000).contains(&time.offset_ms), "{time:?}");
        assert_eq!(time.stratum, 2);
        assert!((79..=81).contains(&time.delay_ms), "{time:?}");
        let refused = |change: fn(&mut [u8; LENGTH])| {
            let mut answer = answer;
            change(&mut answer);
            read(server, &answer, ours, took).unwrap_err().to_string()
        };
        let rate = refused(|a| {
            a[1] = 0;
            a[12..16].copy_from_slice(b"RATE");
        });
        assert!(rate.contains("`RATE`"), "{rate}");
        assert!(refused(|a| a[0] = 0xe4).contains("not set"));
        assert!(refused(|a| a[1] = 16).contains("not set"));
        assert!(refused(|a| a[0] = 0x23).contains("no answer of a time server"));
    }
}
