//! One site: its names, its time servers, its network card.

use std::net::IpAddr;

use super::{Fault, Outcome, Row};

/// A clock that is off by more makes fresh certificates invalid on the other side.
const TOO_FAR_MS: u64 = 300_000;

/// A name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The name.
    pub name: String,
    /// The name server.
    pub server: String,
    /// The addresses that it must have, of one family.
    pub expected: Vec<IpAddr>,
    /// What came.
    pub answer: Answer,
    /// What stands behind a failure to resolve: the installation, or less.
    pub needed: bool,
}

/// What a name server said.
pub type Answer = Result<Vec<IpAddr>, Missing>;

/// Why there are no addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// There is no such name.
    Name,
    /// The server did not answer, or refused.
    Server(Fault),
}

/// A row per name and server.
pub fn lookups(lookups: &[Lookup]) -> Vec<Row> {
    let row = |lookup: &Lookup| {
        let (name, server) = (&lookup.name, &lookup.server);
        let list = |addresses: &[IpAddr]| {
            let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            texts.join(", ")
        };
        let expected = list(&lookup.expected);
        let wrong = if lookup.needed {
            Outcome::Fail
        } else {
            Outcome::Warning
        };
        let cure =
            format!("add `{name}` with {expected} there; `snoforge site dns` prints the records");
        let judged =
            |outcome, message: String| Row::new(outcome, "name", name, Fault::new(message, &cure));
        match &lookup.answer {
            Ok(found) if found.is_empty() => {
                judged(wrong, format!("{server} has that name without {expected}"))
            }
            Ok(found) if found.iter().any(|a| !lookup.expected.contains(a)) => judged(
                wrong,
                format!("{server} says {}, not {expected}", list(found)),
            ),
            Ok(found) => Row::pass("name", name, format!("{server} says {}", list(found))),
            Err(Missing::Name) => judged(wrong, format!("{server} says that it does not exist")),
            Err(Missing::Server(fault)) => Row::new(Outcome::Unknown, "name", name, fault.clone()),
        }
    };
    lookups.iter().map(row).collect()
}

/// A time server and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeServer {
    /// Its name or address.
    pub server: String,
    /// What has to be added to the clock of this machine in milliseconds, and its stratum.
    pub answer: Result<(i64, u8), Fault>,
}

/// A row per server, and one when none answers: the machine's clock is then what its battery says.
pub fn time_servers(servers: &[TimeServer]) -> Vec<Row> {
    let row = |server: &TimeServer| match &server.answer {
        Ok((offset, stratum)) => {
            let sign = if *offset < 0 { '-' } else { '+' };
            let off = offset.unsigned_abs();
            let shown = format!(
                "{sign}{}.{:03} s, stratum {stratum}",
                off / 1000,
                off % 1000
            );
            if off > TOO_FAR_MS {
                let message = format!("{shown}: this machine's clock or the server's is wrong");
                let cure = "compare both with a third one; certificates are good for 24 hours only";
                return Row::new(
                    Outcome::Warning,
                    "time",
                    &server.server,
                    Fault::new(message, cure),
                );
            }
            Row::pass("time", &server.server, shown)
        }
        Err(fault) => Row::new(Outcome::Warning, "time", &server.server, fault.clone()),
    };
    servers.iter().map(row).collect()
}

/// The network card that a site names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its name; none when it is known by its hardware address.
    pub name: Option<String>,
    /// The hardware address.
    pub mac: Option<String>,
    /// Whether `net.ifnames=0` is among the kernel arguments.
    pub old_names: bool,
    /// Names and hardware addresses of the machine's cards, when they are known.
    pub seen: Option<Vec<(String, String)>>,
}

/// A row per card.
pub fn cards(cards: &[Card]) -> Vec<Row> {
    cards.iter().map(card).collect()
}

fn card(card: &Card) -> Row {
    let object = card.mac.as_ref().map(|mac| format!("mac={mac}"));
    let object = object.or_else(|| card.name.clone()).unwrap_or_default();
    if let Some(seen) = &card.seen {
        return compared(card, object, seen);
    }
    let Some(name) = card.name.as_deref().filter(|_| card.mac.is_none()) else {
        return Row::pass(
            "interface",
            object,
            "known by its hardware address, whatever it is called",
        );
    };
    let warning = |message: &str, cure: &str| {
        Row::new(
            Outcome::Warning,
            "interface",
            name,
            Fault::new(message, cure),
        )
    };
    let kernel = name.strip_prefix("eth").is_some_and(is_number);
    match (kernel, card.old_names) {
        (true, true) => Row::pass(
            "interface",
            name,
            "a name of the kernel, kept by net.ifnames=0",
        ),
        (true, false) => warning(
            "udev replaces such names at boot by predictable ones (eno1, enp0s25)",
            "name the card as `ip -br link` on the machine does, write mac=…, or add the argument net.ifnames=0",
        ),
        (false, true) => warning(
            "with net.ifnames=0 cards are called eth0, eth1, …",
            "name it so, or leave the argument out",
        ),
        (false, false) if predictable(name) => Row::pass(
            "interface",
            name,
            "a predictable name; `ip -j link` of the machine, by --interfaces-from, would tell for sure",
        ),
        (false, false) => warning(
            "no name that udev gives by itself",
            "compare with `ip -br link` on the machine, or write mac=…",
        ),
    }
}

/// With the cards that the machine has.
fn compared(card: &Card, object: String, seen: &[(String, String)]) -> Row {
    let is_it = |(name, mac): &&(String, String)| match &card.mac {
        Some(wanted) => mac.eq_ignore_ascii_case(wanted),
        None => Some(name) == card.name.as_ref(),
    };
    if let Some((name, mac)) = seen.iter().find(is_it) {
        return Row::pass(
            "interface",
            object,
            format!("the machine has it: {name}, {mac}"),
        );
    }
    let all: Vec<String> = seen.iter().map(|(n, m)| format!("{n} ({m})")).collect();
    let message = format!("the machine has none of that name: {}", all.join(", "));
    let cure = "name one of those as `interface`, or write mac=…";
    Row::new(
        Outcome::Fail,
        "interface",
        object,
        Fault::new(message, cure),
    )
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a name is one of systemd.net-naming-scheme(7) for Ethernet or `InfiniBand`: a prefix, then on-board index (`o1`), slot
/// (`s1`), path (`p0s25`, with domain `P1`, function `f0`, port `np0` or `d1`, USB `u1u4`, configuration `c2`, interface `i1`), or
/// hardware address (`x28d244d3ef1c`).
pub fn predictable(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("en").or_else(|| name.strip_prefix("ib")) else {
        return false;
    };
    if let Some(mac) = rest.strip_prefix('x') {
        return mac.len() == 12 && mac.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let mut rest = rest;
    let mut kinds = String::new();
    while let Some(kind) = rest.chars().next() {
        let Some(after) = rest
            .strip_prefix(kind)
            .filter(|_| "oPpsfdnuciva".contains(kind))
        else {
            return false;
        };
        let end = after.bytes().take_while(u8::is_ascii_digit).count();
        // `np0` is a port name behind an `n`.
        if end == 0 && !(kind == 'n' && after.starts_with('p')) {
            return false;
        }
        kinds.push(kind);
        rest = after.get(end..).unwrap_or_default();
    }
    let kinds = kinds.trim_start_matches('P');
    kinds.starts_with(['o', 's', 'v', 'a']) || kinds.starts_with("ps")
}
