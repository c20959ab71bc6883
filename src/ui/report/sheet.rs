//! The travel sheet of a machine: one A4 page that goes with it, and its QR code.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::html::{Text, moment};
use super::{Machine, Page, qr};
use crate::ui::format;

/// PARTUUIDs that fit on a sheet.
const PARTITIONS: usize = 4;

/// What the technician does.
const STEPS: [&str; 8] = [
    "Serial number and MAC address are written down above",
    "Firmware clock is right (UTC), and before the use-before time",
    "Data disk is in, or its partition is on the machine's disk",
    "Boot medium holds the ISO named above, SHA-256 compared",
    "Network cable is in the interface named above, link is up",
    "Booted once from the boot medium",
    "Installed, rebooted from the installation disk",
    "Boot medium is out, data disk is out or stays as agreed",
];

/// The facts as compact JSON: what the QR code says.
pub(super) fn facts(page: &Page, machine: &Machine) -> String {
    let mut facts = Map::new();
    let mut put = |key: &str, value: Value| {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !empty {
            facts.insert(key.to_owned(), value);
        }
    };
    put("snoforge", json!(1));
    put("host", json!(machine.hostname));
    put("mac", json!(machine.mac));
    put("if", json!(machine.interface));
    put("vlan", json!(machine.vlan));
    put("ip", json!(machine.addresses));
    put("gw", json!(machine.gateways));
    put("dns", json!(machine.nameservers));
    put("disk", json!(machine.installation_disk));
    // Which of several goes with the machine is not known yet.
    let disks = page.disks.iter().filter(|disk| disk.current);
    let disks: Vec<&str> = disks.map(|disk| disk.partition.as_str()).collect();
    if let [only] = disks.as_slice() {
        put("data", json!(only));
    }
    put("images", json!(page.inventory.as_ref().map(|i| &i.digest)));
    put("iso", json!(file_name(&machine.iso)));
    put("sha256", json!(machine.sha256));
    put("before", json!(machine.use_before));
    Value::Object(facts).to_string()
}

/// The sheet; `number` counts from 1.
pub(super) fn sheet(page: &Page, machine: &Machine, number: usize) -> String {
    let total = page.machines.len();
    let (host, domain) = machine
        .hostname
        .split_at(machine.hostname.find('.').unwrap_or(machine.hostname.len()));
    let domain = if domain.is_empty() {
        String::new()
    } else {
        format!("<small>{}</small>", Text(domain))
    };
    let name = format!("{}{domain}", Text(host));
    let mut out = format!(
        "<section class=\"sheet\" id=\"m-{number}\" aria-labelledby=\"h-{number}\"><header><div><p class=\"kicker\">Travel sheet {number} of {total}</p><h3 id=\"h-{number}\">{name}</h3></div>{}</header>\n",
        use_before(machine)
    );
    out.push_str("<div class=\"cols\"><dl>");
    machine_facts(&mut out, machine);
    out.push_str("</dl>");
    let facts = facts(page, machine);
    match qr::svg(
        &facts,
        &format!("QR code: the facts of {} as JSON", machine.hostname),
    ) {
        Some(code) => {
            let _ = write!(
                out,
                "<figure>{code}<figcaption>This sheet as JSON</figcaption></figure>"
            );
        }
        None => out.push_str("<p class=\"dim\">These facts are too long for a QR code.</p>"),
    }
    out.push_str("</div>\n<h4>Boot medium and images</h4><dl class=\"wide\">");
    medium_facts(&mut out, page, machine);
    out.push_str("</dl>\n<h4>At the machine</h4><ul class=\"steps\">");
    for step in STEPS {
        let _ = write!(
            out,
            "<li><span class=\"box\" aria-hidden=\"true\"></span>{step}</li>"
        );
    }
    out.push_str("</ul>\n<div class=\"sign\"><span>Name</span><span>Date and time (UTC)</span><span>Signature</span></div>");
    let _ = writeln!(
        out,
        "<footer>{} · {} · {}</footer></section>",
        Text(&page.title),
        Text(&moment(&page.made)),
        Text(&page.tool)
    );
    out
}

fn use_before(machine: &Machine) -> String {
    let Some(end) = &machine.use_before else {
        return "<p class=\"before none\"><span>Use before</span><strong>no certificate ends</strong></p>".to_owned();
    };
    let end = moment(end);
    let end = Text(&end);
    if machine.expired {
        format!(
            "<p class=\"before bad\"><span>Expired: do not use after</span><strong>{end}</strong></p>"
        )
    } else {
        format!("<p class=\"before\"><span>Use before</span><strong>{end}</strong></p>")
    }
}

fn machine_facts(out: &mut String, machine: &Machine) {
    blank(out, "Serial number", None);
    blank(out, "MAC address", machine.mac.as_deref());
    let mut interface = machine.interface.clone().unwrap_or_default();
    if let Some(vlan) = machine.vlan {
        let _ = write!(interface, ", VLAN {vlan}");
    }
    if machine.addresses.is_empty() {
        row(out, "Address", "by DHCP");
    } else {
        row(out, "Interface", &interface);
        row(out, "Address", &machine.addresses.join(", "));
        row(out, "Gateway", &or_dash(&machine.gateways));
        row(out, "DNS", &or_dash(&machine.nameservers));
    }
    if !machine.ntp.is_empty() {
        row(out, "NTP", &machine.ntp.join(", "));
    }
    let disk = machine.installation_disk.as_deref();
    row(
        out,
        "Installation disk",
        disk.unwrap_or("as the Ignition config says"),
    );
}

fn medium_facts(out: &mut String, page: &Page, machine: &Machine) {
    let size = format::bytes(machine.iso_size);
    let iso = format!("{} ({size})", file_name(&machine.iso));
    row(out, "ISO file", &iso);
    digest(out, "ISO SHA-256", machine.sha256.as_deref());
    let inventory = page
        .inventory
        .as_ref()
        .map(|inventory| inventory.digest.as_str());
    digest(
        out,
        "Image set",
        inventory.map(|d| d.strip_prefix("sha256:").unwrap_or(d)),
    );
    let disks: Vec<_> = page.disks.iter().filter(|disk| disk.current).collect();
    match disks.as_slice() {
        [] => blank(out, "Data disk", None),
        disks if disks.len() <= PARTITIONS => {
            out.push_str("<div><dt>Data disk</dt><dd>");
            for disk in disks {
                let mark = if disks.len() > 1 {
                    "<span class=\"box\" aria-hidden=\"true\"></span>"
                } else {
                    ""
                };
                let _ = write!(
                    out,
                    "<span class=\"disk\">{mark}{} · <code>{}</code> · PARTUUID <code>{}</code></span>",
                    Text(&disk.target),
                    Text(&disk.label),
                    Text(&disk.partition)
                );
            }
            out.push_str("</dd></div>");
        }
        disks => blank(
            out,
            &format!(
                "Data disk (PARTUUID, one of the {} in the list)",
                disks.len()
            ),
            None,
        ),
    }
}

fn or_dash(list: &[String]) -> String {
    if list.is_empty() {
        "–".to_owned()
    } else {
        list.join(", ")
    }
}

fn row(out: &mut String, name: &str, value: &str) {
    let _ = write!(
        out,
        "<div><dt>{}</dt><dd>{}</dd></div>",
        Text(name),
        Text(value)
    );
}

/// A value, or a line to write it on.
fn blank(out: &mut String, name: &str, value: Option<&str>) {
    match value {
        Some(value) => row(out, name, value),
        None => {
            let _ = write!(
                out,
                "<div><dt>{}</dt><dd class=\"blank\"><span class=\"hidden\">to fill in</span></dd></div>",
                Text(name)
            );
        }
    }
}

/// A digest in groups of eight, for eyes that compare.
fn digest(out: &mut String, name: &str, hex: Option<&str>) {
    let Some(hex) = hex else {
        return row(out, name, "not computed");
    };
    let characters: Vec<char> = hex.chars().collect();
    let groups = characters.chunks(8).map(|group| {
        let group: String = group.iter().collect();
        format!("<span>{}</span>", Text(&group))
    });
    let groups: String = groups.collect();
    let _ = write!(
        out,
        "<div><dt>{}</dt><dd><code class=\"hash\">{groups}</code></dd></div>",
        Text(name)
    );
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
