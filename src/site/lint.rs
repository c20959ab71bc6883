//! What will not work although it can be written: in a site, and in kernel arguments that somebody else wrote.

use std::net::IpAddr;

use super::Site;
use super::address::{self, Address};
use super::error::{Error, Field};
use super::name::{Hostname, Interface, Mac};
use super::network::Bond;

/// glibc's resolver looks at no more (`MAXNS` in resolv.h).
const RESOLV_CONF: usize = 3;

/// What the author of a site should know.
pub(super) fn site(site: &Site) -> Vec<(Field, String)> {
    let mut notes = Vec::new();
    let mut note = |field, text: String| notes.push((field, text));
    if let Some(name) = &site.hostname
        && name.as_str().bytes().any(|b| b.is_ascii_uppercase())
    {
        let lower = name.as_str().to_ascii_lowercase();
        note(
            Field::Hostname,
            format!("the node of `{name}` will be called `{lower}`"),
        );
    }
    let Some(network) = &site.network else {
        let foreign = lint(&site.kargs).into_iter();
        notes.extend(foreign.map(|text| (Field::Karg, text)));
        return notes;
    };
    if site.hostname.is_none() {
        note(
            Field::Hostname,
            "no hostname: the machine asks reverse DNS for one, or stays `localhost`".to_owned(),
        );
    }
    if network.link().cards().iter().any(Interface::is_kernel_name) && !old_names(&site.kargs) {
        note(Field::Interface, trap(network.link().name()));
    }
    if network.addresses().iter().all(|a| a.gateway().is_none()) {
        let text = "no gateway: the machine reaches its own subnet only";
        note(Field::Gateway, text.to_owned());
    }
    match network.nameservers().len() {
        0 => note(
            Field::Nameserver,
            "no nameserver: the cluster needs the names api, api-int and *.apps".to_owned(),
        ),
        n if n > RESOLV_CONF => note(
            Field::Nameserver,
            format!("{n} nameservers: the resolver looks at the first {RESOLV_CONF} only"),
        ),
        _ => (),
    }
    let own = ["ip=", "nameserver=", "ifname=", "bond=", "vlan="];
    for karg in &site.kargs {
        if own.iter().any(|prefix| karg.starts_with(prefix)) {
            note(
                Field::Karg,
                format!("`{karg}` comes on top of the network asked for"),
            );
        }
    }
    notes
}

/// Seed 003, Troubleshooting: "DNS is not set?".
fn trap(interface: &Interface) -> String {
    format!(
        "`{interface}`: names such as eth0 are replaced at boot by predictable ones (enp0s25, eno1), then the address goes nowhere; name the card as the machine does, write mac=…, or add net.ifnames=0"
    )
}

fn old_names(kargs: &[String]) -> bool {
    kargs.iter().any(|karg| karg == "net.ifnames=0")
}

/// Judges kernel arguments: one sentence for each network argument that dracut would not understand, or would understand as
/// something that cannot work. Arguments that do not concern the network pass.
pub fn lint(kargs: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut network = false;
    for karg in kargs {
        let Some((key, value)) = karg.split_once('=') else {
            continue;
        };
        let checked = match key {
            "ip" => {
                network = true;
                check_ip(value, kargs)
            }
            "nameserver" => server(value).map(|_| None),
            "ifname" => check_ifname(value),
            "vlan" => check_vlan(value),
            "bond" => Bond::new(value).map(|_| None).map_err(sentence),
            _ => Ok(None),
        };
        match checked {
            Ok(None) => (),
            Ok(Some(reason)) | Err(reason) => notes.push(format!("`{karg}`: {reason}")),
        }
    }
    if network && !kargs.iter().any(|karg| karg == "rd.neednet=1") {
        notes.push(
            "`ip=` without `rd.neednet=1`: the initrd brings the network up only when Ignition asks for it"
                .to_owned(),
        );
    }
    notes
}

type Checked = Result<Option<String>, String>;

#[expect(clippy::needless_pass_by_value, reason = "reads as a step of map_err")]
fn sentence(error: Error) -> String {
    error.to_string()
}

/// The `ip=` argument that gives an address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ip {
    pub(super) address: Address,
    pub(super) hostname: Option<Hostname>,
    pub(super) interface: Option<Interface>,
    pub(super) nameservers: Vec<IpAddr>,
}

fn check_ip(value: &str, kargs: &[String]) -> Checked {
    const METHODS: [&str; 12] = [
        "dhcp",
        "on",
        "any",
        "dhcp6",
        "auto",
        "auto6",
        "either6",
        "link6",
        "single-dhcp",
        "none",
        "off",
        "ibft",
    ];
    let fields = fields(value);
    let method = |n: usize| fields.get(n).is_some_and(|f| METHODS.contains(f));
    match fields.len() {
        1 if method(0) => return Ok(None),
        2..=4 if method(1) => {
            let interface = fields.first().copied().unwrap_or_default();
            return Interface::new(interface).map(|_| None).map_err(sentence);
        }
        _ => (),
    }
    let ip = parse_ip(value)?;
    let trapped = ip
        .interface
        .filter(|i| i.is_kernel_name() && !old_names(kargs));
    Ok(trapped.map(|interface| trap(&interface)))
}

/// Reads `IP:[PEER]:GW:NETMASK:HOST:IF:METHOD[:DNS1[:DNS2]]`; a PEER, an MTU and a MAC to set are passed over.
pub(super) fn parse_ip(value: &str) -> Result<Ip, String> {
    let fields = fields(value);
    let field = |n: usize| fields.get(n).copied().unwrap_or_default();
    if !(7..=9).contains(&fields.len()) {
        return Err(format!(
            "it has {} fields, not IP::GATEWAY:NETMASK:HOSTNAME:INTERFACE:none[:DNS[:DNS]]",
            fields.len()
        ));
    }
    if field(0).is_empty() {
        return Err("it has no address".to_owned());
    }
    let text = match field(3) {
        "" => field(0).to_owned(),
        mask => format!("{}/{mask}", field(0)),
    };
    let mut address = Address::new(&text, None).map_err(sentence)?;
    if !field(2).is_empty() {
        let gateway = address::parse(Field::Gateway, field(2)).map_err(sentence)?;
        address = address.via(gateway).map_err(sentence)?;
    }
    let hostname = some(field(4)).map(Hostname::new).transpose();
    let interface = some(field(5)).map(Interface::new).transpose();
    if !matches!(field(6), "none" | "off") {
        return Err(format!("`{}` with an address: write `none`", field(6)));
    }
    let mtu = field(7).bytes().all(|b| b.is_ascii_digit());
    let nameservers = match fields.get(7..) {
        Some(servers) if !mtu => servers
            .iter()
            .filter_map(|text| some(text))
            .map(server)
            .collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    Ok(Ip {
        address,
        hostname: hostname.map_err(sentence)?,
        interface: interface.map_err(sentence)?,
        nameservers,
    })
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

/// Splits at colons, except inside brackets.
fn fields(value: &str) -> Vec<&str> {
    let mut inside = false;
    value
        .split(move |c| {
            inside = match c {
                '[' => true,
                ']' => false,
                _ => inside,
            };
            c == ':' && !inside
        })
        .collect()
}

fn server(text: &str) -> Result<IpAddr, String> {
    let address = address::parse(Field::Nameserver, text).map_err(sentence)?;
    address::usable(Field::Nameserver, address).map_err(sentence)?;
    Ok(address)
}

fn check_ifname(value: &str) -> Checked {
    let (name, mac) = value
        .split_once(':')
        .ok_or_else(|| "it is not INTERFACE:MAC".to_owned())?;
    let name = Interface::new(name).map_err(sentence)?;
    let mac = Mac::new(mac).map_err(sentence)?;
    if value.ends_with(&mac.to_string()) {
        return Ok(name
            .is_kernel_name()
            .then(|| format!("`{name}` is a name that the kernel gives itself")));
    }
    Ok(Some(format!("write the MAC address as {mac}")))
}

fn check_vlan(value: &str) -> Checked {
    let (name, parent) = value
        .split_once(':')
        .ok_or_else(|| "it is not NAME:INTERFACE".to_owned())?;
    let name = Interface::new(name).map_err(sentence)?;
    let parent = Interface::new(parent).map_err(sentence)?;
    let text = name.as_str();
    let number = text
        .strip_prefix("vlan")
        .or_else(|| text.strip_prefix(parent.as_str())?.strip_prefix('.'))
        .filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|n| n.parse::<u16>().ok());
    match number {
        Some(1..=4094) => Ok(None),
        Some(n) => Ok(Some(Error::Vlan(n.to_string()).to_string())),
        None => Ok(Some(format!(
            "`{name}` tells no VLAN number: write vlan100 or {parent}.100"
        ))),
    }
}
