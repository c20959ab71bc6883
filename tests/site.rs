//! Sites: what is accepted, what is refused and why, and that dracut understands what is written.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test may stop at the first broken invariant; its tables are long"
)]

use proptest::prelude::*;
use snoforge::site::{self, Error, Field, Hostname, Interface, Mac, Request, Resolved, list};

/// `ip=192.168.86.45/24 gateway=…`: one field each.
fn request(text: &str) -> Request {
    let mut values = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let (name, value) = word.split_once('=').expect("field=value");
        values.entry(name).or_default().push(value);
    }
    let field = |name: &str| {
        Field::ALL
            .into_iter()
            .find(|f| f.name() == name)
            .expect(name)
    };
    values
        .into_iter()
        .fold(Request::default(), |request, (name, values)| {
            request.with(field(name), values)
        })
}

fn resolve(text: &str) -> Resolved {
    request(text)
        .resolve()
        .unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

fn kargs(text: &str) -> String {
    site::kargs(&resolve(text).site).join(" ")
}

/// Seed 003 section 4, then everything it does not have.
#[test]
fn kernel_arguments() {
    let seed = "hostname=bip interface=enp0s25 ip=192.168.86.45/24 gateway=192.168.86.1 nameserver=192.168.86.27";
    for (asked, written) in [
        (
            seed.to_owned(),
            "rd.neednet=1 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp0s25:none:192.168.86.27",
        ),
        (
            seed.replace("/24", "/255.255.255.0"),
            "rd.neednet=1 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp0s25:none:192.168.86.27",
        ),
        (
            seed.replace("/24", "") + " netmask=255.255.254.0",
            "rd.neednet=1 ip=192.168.86.45::192.168.86.1:255.255.254.0:bip:enp0s25:none:192.168.86.27",
        ),
        (
            format!("{seed} nameserver=192.168.86.28 nameserver=192.168.86.29 karg=console=ttyS0"),
            "rd.neednet=1 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp0s25:none:192.168.86.27:192.168.86.28 nameserver=192.168.86.29 console=ttyS0",
        ),
        (
            "hostname=bip interface=eno1 ip=fd00::45/64 gateway=fd00::1 nameserver=fd00::53"
                .to_owned(),
            "rd.neednet=1 ip=[fd00::45]::[fd00::1]:64:bip:eno1:none:[fd00::53]",
        ),
        (
            "hostname=bip interface=eno1 ip=fd00::45/64 gateway=fe80::1 nameserver=fd00::53"
                .to_owned(),
            "rd.neednet=1 ip=[fd00::45]::[fe80::1]:64:bip:eno1:none:[fd00::53]",
        ),
        (
            format!(
                "{seed} ip=fd00::45/64 gateway=fd00::1 nameserver=fd00::53 nameserver=fd00::54"
            ),
            "rd.neednet=1 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp0s25:none:192.168.86.27:[fd00::53] ip=[fd00::45]::[fd00::1]:64:bip:enp0s25:none nameserver=[fd00::54]",
        ),
        (
            format!("{seed} vlan=100"),
            "rd.neednet=1 vlan=enp0s25.100:enp0s25 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp0s25.100:none:192.168.86.27",
        ),
        (
            seed.replace("enp0s25", "enp0s20f0u1u4") + " vlan=4094",
            "rd.neednet=1 vlan=vlan4094:enp0s20f0u1u4 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:vlan4094:none:192.168.86.27",
        ),
        (
            seed.replace("enp0s25", "mac=28-D2-44-D3-EF-1C"),
            "rd.neednet=1 ifname=lan0:28:d2:44:d3:ef:1c ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:lan0:none:192.168.86.27",
        ),
        (
            seed.replace("enp0s25", "uplink,mac=28:d2:44:d3:ef:1c"),
            "rd.neednet=1 ifname=uplink:28:d2:44:d3:ef:1c ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:uplink:none:192.168.86.27",
        ),
        (
            seed.replace(
                "interface=enp0s25",
                "bond=bond0:eno1,eno2:mode=active-backup,miimon=100",
            ) + " vlan=7",
            "rd.neednet=1 bond=bond0:eno1,eno2:mode=active-backup,miimon=100 vlan=bond0.7:bond0 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:bond0.7:none:192.168.86.27",
        ),
        (
            seed.replace("interface=enp0s25", "bond=bond0:eno1,eno2::9000"),
            "rd.neednet=1 bond=bond0:eno1,eno2::9000 ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:bond0:none:192.168.86.27",
        ),
        (
            "hostname=bip interface=eno1 ip=10.0.0.1/31".to_owned(),
            "rd.neednet=1 ip=10.0.0.1:::255.255.255.254:bip:eno1:none",
        ),
        ("hostname=bip karg=a=b".to_owned(), "a=b"),
        (String::new(), ""),
    ] {
        assert_eq!(kargs(&asked), written, "{asked}");
        let words: Vec<String> = written.split(' ').map(str::to_owned).collect();
        assert_eq!(site::lint(&words), [""; 0], "{written}");
    }
}

/// The field that says it, and a piece of the sentence.
#[test]
fn refused_with_the_reason() {
    let ok = "hostname=bip interface=eno1 ip=192.168.86.45/24 gateway=192.168.86.1 nameserver=192.168.86.27";
    let (with, without) = (
        |more: &str| format!("{ok} {more}"),
        |field: &str| {
            ok.split(' ')
                .filter(|w| !w.starts_with(field))
                .collect::<Vec<_>>()
                .join(" ")
        },
    );
    let change =
        |field: &str, value: &str| format!("{} {field}={value}", without(&format!("{field}=")));
    for (asked, field, reason) in [
        (
            change("ip", "192.168.86.0/24"),
            Field::Ip,
            "is the network address of 192.168.86.0/24",
        ),
        (
            change("ip", "192.168.86.255/24"),
            Field::Ip,
            "is the broadcast address of 192.168.86.0/24",
        ),
        (change("ip", "192.168.86.45"), Field::Ip, "no prefix length"),
        (change("ip", "192.168.86.45/33"), Field::Ip, "1 to 32"),
        (change("ip", "192.168.86.45/0"), Field::Ip, "1 to 32"),
        (change("ip", "192.168.86.45/"), Field::Ip, "neither"),
        (
            change("ip", "192.168.86.45/255.255.0.255"),
            Field::Ip,
            "ones followed by zeros",
        ),
        (
            change("ip", "192.168.86.45/0.0.0.0"),
            Field::Ip,
            "ones followed by zeros",
        ),
        (change("ip", "192.168.86.45/+24"), Field::Ip, "neither"),
        (
            change("ip", "192.168.86.256/24"),
            Field::Ip,
            "is no address",
        ),
        (
            change("ip", "192.168.086.45/24"),
            Field::Ip,
            "is no address",
        ),
        (change("ip", "bip/24"), Field::Ip, "is no address"),
        (change("ip", "127.0.0.1/8"), Field::Ip, "loopback"),
        (change("ip", "224.0.0.5/24"), Field::Ip, "multicast"),
        (change("ip", "255.255.255.255/32"), Field::Ip, "broadcast"),
        (
            change("ip", "0.0.0.0/8"),
            Field::Ip,
            "stands for no address",
        ),
        (change("ip", "0.1.2.3/8"), Field::Ip, "0.0.0.0/8"),
        (change("ip", "250.1.2.3/8"), Field::Ip, "reserved"),
        (change("ip", "169.254.1.2/16"), Field::Ip, "link-local"),
        (change("ip", "::1/64"), Field::Ip, "loopback"),
        (change("ip", "ff02::1/64"), Field::Ip, "multicast"),
        (change("ip", "fe80::5/64"), Field::Ip, "link-local"),
        (change("ip", "::ffff:1.2.3.4/96"), Field::Ip, "IPv4"),
        (change("ip", "fd00::/64"), Field::Ip, "network address"),
        (change("ip", "fd00::5/129"), Field::Ip, "1 to 128"),
        (change("ip", "fd00::5/ffff::"), Field::Ip, "neither"),
        (
            change("gateway", "192.168.87.1"),
            Field::Gateway,
            "outside the subnet 192.168.86.0/24",
        ),
        (
            change("gateway", "192.168.86.45"),
            Field::Gateway,
            "own address",
        ),
        (
            change("gateway", "192.168.86.0"),
            Field::Gateway,
            "network address",
        ),
        (
            change("gateway", "192.168.86.255"),
            Field::Gateway,
            "broadcast address",
        ),
        (change("gateway", "127.0.0.1"), Field::Gateway, "loopback"),
        (
            change("gateway", "fd00::1"),
            Field::Gateway,
            "no ip of its family",
        ),
        (
            with("gateway=192.168.86.2"),
            Field::Gateway,
            "second of its family",
        ),
        (
            with("ip=192.168.86.46/24"),
            Field::Ip,
            "second of its family",
        ),
        (
            change("nameserver", "fd00::53"),
            Field::Nameserver,
            "no ip of its family",
        ),
        (
            change("nameserver", "127.0.0.53"),
            Field::Nameserver,
            "loopback",
        ),
        (
            change("nameserver", "dns.example.com"),
            Field::Nameserver,
            "is no address",
        ),
        (
            with("netmask=255.255.0.0"),
            Field::Netmask,
            "says another one",
        ),
        (without("interface"), Field::Ip, "interface is not"),
        (without("ip="), Field::Interface, "ip is not"),
        (
            change("interface", "a-name-too-long0"),
            Field::Interface,
            "16 characters",
        ),
        (
            change("interface", "en/0"),
            Field::Interface,
            "cannot stand",
        ),
        (
            change("interface", "en:0"),
            Field::Interface,
            "cannot stand",
        ),
        (
            change("interface", "en%d"),
            Field::Interface,
            "cannot stand",
        ),
        (change("interface", "lo"), Field::Interface, "for itself"),
        (change("interface", ".."), Field::Interface, "for itself"),
        (
            change("interface", "mac=28:d2:44:d3:ef"),
            Field::Interface,
            "six octets",
        ),
        (
            change("interface", "mac=28:d2:44:d3:ef:1c:00"),
            Field::Interface,
            "more than six",
        ),
        (
            change("interface", "mac=29:d2:44:d3:ef:1c"),
            Field::Interface,
            "group",
        ),
        (
            change("interface", "mac=00:00:00:00:00:00"),
            Field::Interface,
            "zero",
        ),
        (
            change("interface", "mac=28:d2:44:d3:ef:+1"),
            Field::Interface,
            "six octets",
        ),
        (
            change("interface", "eth0,mac=28:d2:44:d3:ef:1c"),
            Field::Interface,
            "gives such names itself",
        ),
        (with("vlan=0"), Field::Vlan, "1 to 4094"),
        (with("vlan=4095"), Field::Vlan, "1 to 4094"),
        (with("vlan=x"), Field::Vlan, "1 to 4094"),
        (
            with("bond=bond0:eno1,eno2"),
            Field::Interface,
            "exclude each other",
        ),
        (with("hostname=bip2"), Field::Hostname, "given already"),
        (change("hostname", "-bip"), Field::Hostname, "hyphen"),
        (change("hostname", "bip_1"), Field::Hostname, "'_'"),
        (
            change("hostname", "bip..lab"),
            Field::Hostname,
            "empty label",
        ),
        (change("hostname", "bip."), Field::Hostname, "empty label"),
        (change("hostname", "bïp"), Field::Hostname, "'ï'"),
        (change("hostname", &"a".repeat(64)), Field::Hostname, "63"),
        (
            change("hostname", &["abcdefghi"; 7].join(".")),
            Field::Hostname,
            "Linux takes 64",
        ),
        (
            change("hostname", "192.168.1.1"),
            Field::Hostname,
            "address",
        ),
        (
            change("hostname", "localhost.localdomain"),
            Field::Hostname,
            "without a name",
        ),
        (with("ntp=0.0.0.0"), Field::Ntp, "stands for no address"),
        (with("ntp=pool_x"), Field::Ntp, "'_'"),
        (
            with("installation-disk=sda"),
            Field::InstallationDisk,
            "below /dev",
        ),
        (
            with("installation-disk=/dev/../sda"),
            Field::InstallationDisk,
            "not plain",
        ),
        (
            with("installation-disk=/dev/sda;reboot"),
            Field::InstallationDisk,
            "characters",
        ),
        (with("label=a/b"), Field::Label, "by-partlabel"),
        (
            with(&format!("label={}", "a".repeat(37))),
            Field::Label,
            "36",
        ),
        (with("karg=a\nb"), Field::Karg, "line break"),
        (with("cluster=bip"), Field::Cluster, "domain is not"),
        (
            with("cluster=bip.lab domain=x"),
            Field::Cluster,
            "has a dot",
        ),
        (with("domain=Lab.example.com"), Field::Domain, "upper case"),
        (with("domain=lab..com"), Field::Domain, "empty label"),
        (with("domain=-x.com"), Field::Domain, "hyphen"),
        (
            with(&format!("domain={}", ["abcdefghi"; 22].join("."))),
            Field::Domain,
            "253",
        ),
    ] {
        let errors = request(&asked).resolve().expect_err(&asked);
        let [error] = errors.as_slice() else {
            panic!("{asked}: {errors:?}");
        };
        assert_eq!(error.field(), field, "{asked}: {error}");
        assert!(error.to_string().contains(reason), "{asked}: {error}");
    }
    for bond in [
        "bond0",
        "bond0:",
        "bond0:eno1,eno1",
        "bond0:bond0",
        "bond0:eno1:mode=fast",
        "bond0:eno1:miimon",
        "bond0:eno1:speed=1",
        "bond0:eno1:arp_ip_target=10.0.0.1;10.0.0.2",
        "bond0:eno1:mode=1,mode=2",
        "bond0:eno1:primary=eno3",
        "bond0:eno1::9",
        "bond0:eno1:mode=1:1500:x",
    ] {
        let errors = request(&format!("bond={bond} ip=10.0.0.5/24"))
            .resolve()
            .expect_err(bond);
        assert!(
            matches!(errors[..], [Error::Bond { .. }]),
            "{bond}: {errors:?}"
        );
    }
}

/// The cluster's name and domain: what is said goes before what the host name shows.
#[test]
fn names_of_clusters() {
    for (asked, expected) in [
        ("hostname=bip", None),
        ("ip=10.0.0.5/24 interface=eno1", None),
        (
            "hostname=bip domain=lab.example.com",
            Some("bip lab.example.com"),
        ),
        (
            "hostname=BIP domain=lab.example.com",
            Some("bip lab.example.com"),
        ),
        ("hostname=bip.lab.example.com", Some("bip lab.example.com")),
        (
            "hostname=bip.lab.example.com domain=example.com",
            Some("lab example.com"),
        ),
        (
            "hostname=bip.elsewhere.org domain=example.com",
            Some("bip example.com"),
        ),
        (
            "hostname=bip.lab.example.com domain=lab.example.com",
            Some("bip lab.example.com"),
        ),
        (
            "hostname=bip.lab.example.com cluster=lab",
            Some("lab example.com"),
        ),
        (
            "hostname=bip.lab.example.com cluster=bip",
            Some("bip lab.example.com"),
        ),
        (
            "hostname=node cluster=bip domain=example.com",
            Some("bip example.com"),
        ),
        ("cluster=bip domain=example.com", Some("bip example.com")),
    ] {
        let cluster = resolve(asked).site.cluster;
        let found = cluster.map(|c| format!("{} {}", c.name(), c.domain()));
        assert_eq!(found.as_deref(), expected, "{asked}");
    }
    let errors = request("domain=example.com")
        .resolve()
        .expect_err("no name");
    assert!(
        errors[0]
            .hint()
            .is_some_and(|hint| hint.contains("api.CLUSTER.DOMAIN"))
    );
}

/// Everything wrong is told at once, every sentence without a full stop.
#[test]
fn all_at_once() {
    let errors = request("hostname=b_p interface=lo ip=1.2.3.4 gateway=x ntp=- vlan=0 label=/")
        .resolve()
        .unwrap_err();
    let fields: Vec<_> = errors.iter().map(Error::field).collect();
    assert_eq!(
        fields,
        [
            Field::Hostname,
            Field::Interface,
            Field::Ip,
            Field::Gateway,
            Field::Ntp,
            Field::Label
        ]
    );
    assert!(errors.iter().all(|e| !e.to_string().ends_with('.')));
}

#[test]
fn warned_about() {
    let ok = "hostname=bip interface=eno1 ip=10.0.0.5/24 gateway=10.0.0.1 nameserver=10.0.0.2";
    assert_eq!(resolve(ok).warnings, []);
    for (asked, field, text) in [
        (ok.replace("eno1", "eth0"), Field::Interface, "predictable"),
        (
            ok.replace("hostname=bip", ""),
            Field::Hostname,
            "no hostname",
        ),
        (ok.replace("=bip", "=BIP"), Field::Hostname, "`bip`"),
        (
            ok.replace("gateway=10.0.0.1", ""),
            Field::Gateway,
            "no gateway",
        ),
        (
            ok.replace("nameserver=10.0.0.2", ""),
            Field::Nameserver,
            "no nameserver",
        ),
        (
            format!("{ok} nameserver=10.0.0.3 nameserver=10.0.0.4 nameserver=10.0.0.6"),
            Field::Nameserver,
            "first 3",
        ),
        (format!("{ok} karg=ip=dhcp"), Field::Karg, "on top"),
    ] {
        let warnings = resolve(&asked).warnings;
        let [(about, warning)] = warnings.as_slice() else {
            panic!("{asked}: {warnings:?}");
        };
        assert!(
            *about == field && warning.contains(text),
            "{asked}: {warning}"
        );
    }
    let told = ok.replace("eno1", "eth0") + " karg=net.ifnames=0";
    assert_eq!(resolve(&told).warnings, []);
    let bond = ok.replace("interface=eno1", "bond=bond0:eth0,eth1");
    assert_eq!(resolve(&bond).warnings.len(), 1);
}

/// dracut.cmdline(7), argument by argument: accepted without a word, or told about.
#[test]
fn dracuts_grammar() {
    let accepted = [
        "ip=dhcp",
        "ip=auto6",
        "ip=enp1s0:dhcp",
        "ip=enp1s0:dhcp:1500",
        "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1:none",
        "ip=10.0.0.5::10.0.0.1:24:bip:eno1:none",
        "ip=10.0.0.5::10.0.0.1:255.255.255.0::eno1:off",
        "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip::none",
        "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1:none:1500",
        "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1:none:10.0.0.2:10.0.0.3",
        "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1:none::10.0.0.3",
        "ip=[2001:db8::5]::[2001:db8::1]:64:bip:eno1:none:[2001:db8::53]",
        "ip=[2001:db8::5/64]::[2001:db8::1]::bip:eno1:none",
        "nameserver=10.0.0.2",
        "nameserver=[2001:db8::53]",
        "ifname=bootnet:28:d2:44:d3:ef:1c",
        "vlan=vlan0005:eno1",
        "vlan=vlan5:eno1",
        "vlan=eno1.0005:eno1",
        "vlan=eno1.5:eno1",
        "bond=bond0:eno1,eno2",
        "bond=bond0:eno1,eno2:mode=balance-rr",
        "bond=bond0:eno1,eno2:mode=802.3ad,miimon=100,xmit_hash_policy=layer3+4:9000",
        "quiet",
        "console=ttyS0,115200n8",
    ];
    let told = [
        ("ip=", "fields"),
        ("ip=10.0.0.5", "fields"),
        ("ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1", "fields"),
        (
            "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1:none:a:b:c",
            "fields",
        ),
        ("ip=2001:db8::5::2001:db8::1:64:bip:eno1:none", "fields"),
        ("ip=::10.0.0.1:255.255.255.0:bip:eno1:none", "no address"),
        (
            "ip=10.0.0.5::10.0.0.1:255.0.255.0:bip:eno1:none",
            "ones followed by zeros",
        ),
        ("ip=10.0.0.5::10.0.0.1::bip:eno1:none", "no prefix"),
        (
            "ip=10.0.0.5::10.0.1.1:255.255.255.0:bip:eno1:none",
            "outside",
        ),
        (
            "ip=10.0.0.5::10.0.0.1:255.255.255.0:b_p:eno1:none",
            "hostname",
        ),
        (
            "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:a/b:none",
            "interface",
        ),
        (
            "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1:dhcp",
            "write `none`",
        ),
        (
            "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1:static",
            "write `none`",
        ),
        (
            "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eth0:none",
            "predictable",
        ),
        (
            "ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eno1:none:ns1",
            "address",
        ),
        ("ip=eno1:static", "fields"),
        ("nameserver=ns1", "address"),
        ("nameserver=[10.0.0.2]", "address"),
        ("ifname=bootnet", "INTERFACE:MAC"),
        ("ifname=bootnet:28:D2:44:d3:ef:1c", "28:d2:44:d3:ef:1c"),
        ("ifname=eth0:28:d2:44:d3:ef:1c", "kernel"),
        ("vlan=eno1", "NAME:INTERFACE"),
        ("vlan=data:eno1", "no VLAN number"),
        ("vlan=vlan4095:eno1", "4094"),
        ("vlan=eno2.5:eno1", "no VLAN number"),
        ("bond=bond0", "names no interfaces"),
    ];
    let lint = |karg: &str| site::lint(&["rd.neednet=1".to_owned(), karg.to_owned()]);
    for karg in accepted {
        assert_eq!(lint(karg), [""; 0], "{karg}");
    }
    for (karg, reason) in told {
        let notes = lint(karg);
        assert!(
            notes.len() == 1 && notes[0].contains(reason),
            "{karg}: {notes:?}"
        );
    }
    let without = site::lint(&["ip=dhcp".to_owned()]);
    assert!(without[0].contains("rd.neednet=1"), "{without:?}");
}

/// What `nmcli` would write for the same, by hand.
#[test]
fn profiles() {
    let files = |text: &str| site::keyfiles(&resolve(text).site.network.unwrap());
    let plain = files(
        "interface=enp0s25 ip=192.168.86.45/24 gateway=192.168.86.1 nameserver=192.168.86.27 nameserver=192.168.86.28",
    );
    let [file] = plain.as_slice() else {
        panic!("{plain:?}")
    };
    assert_eq!(file.name, "enp0s25.nmconnection");
    assert_eq!(
        file.contents,
        "[connection]\nid=enp0s25\ntype=ethernet\ninterface-name=enp0s25\n\n[ethernet]\n\n[ipv4]\nmethod=manual\nmay-fail=false\naddress1=192.168.86.45/24,192.168.86.1\ndns=192.168.86.27;192.168.86.28;\n\n[ipv6]\nmethod=disabled\n"
    );
    let mac = files("interface=mac=28:d2:44:d3:ef:1c ip=fd00::45/64 gateway=fe80::1 vlan=9");
    let [file] = mac.as_slice() else {
        panic!("{mac:?}")
    };
    assert_eq!(
        file.contents,
        "[connection]\nid=lan0.9\ntype=vlan\ninterface-name=lan0.9\n\n[ethernet]\nmac-address=28:d2:44:d3:ef:1c\n\n[vlan]\nflags=1\nid=9\n\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=manual\nmay-fail=false\naddress1=fd00::45/64,fe80::1\n"
    );
    let bond = files("bond=bond0:eno1,eno2:miimon=100:9000 vlan=7 ip=10.0.0.5/24");
    let names: Vec<_> = bond.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "eno1.nmconnection",
            "eno2.nmconnection",
            "bond0.nmconnection",
            "bond0.7.nmconnection"
        ]
    );
    assert!(
        bond[0]
            .contents
            .ends_with("master=bond0\nslave-type=bond\n")
    );
    assert!(
        bond[2].contents.contains("mtu=9000")
            && bond[2]
                .contents
                .contains("[bond]\nmode=balance-rr\nmiimon=100\n")
    );
    assert!(bond[2].contents.contains("[ipv4]\nmethod=disabled"));
    assert!(
        bond[3].contents.contains("parent=bond0")
            && bond[3].contents.contains("address1=10.0.0.5/24\n")
    );
}

fn listed(file: &str, text: &str) -> Vec<String> {
    let listed = list::parse(file, text, &Request::default()).unwrap_or_else(|e| panic!("{e:?}"));
    listed
        .sites
        .iter()
        .map(|s| {
            format!(
                "{} {}",
                s.hostname.as_ref().unwrap(),
                site::kargs(s).join(" ")
            )
        })
        .collect()
}

fn refused(file: &str, text: &str) -> Vec<String> {
    let findings = list::parse(file, text, &Request::default()).expect_err(text);
    findings
        .iter()
        .map(|f| {
            format!(
                "{f}{}",
                f.hint().map(|h| format!(" ({h})")).unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn lists_of_both_forms_say_the_same() {
    let csv = "Hostname,interface,ip,gateway,nameservers,KARG,installation_disk\r\n\
               # the first truck\r\n\
               bip-1,enp0s25,10.1.0.5/24,10.1.0.1,10.1.0.2;10.1.0.3,\"console=\"\"ttyS0,115200n8\"\"\",/dev/sda\r\n\
               \r\n\
               bip-2,enp0s25,10.1.0.6/24,10.1.0.1,10.1.0.2 10.1.0.3,,/dev/sda\r\n";
    let yaml = "defaults:\n  interface: enp0s25\n  gateway: 10.1.0.1\n  nameserver: [10.1.0.2, 10.1.0.3]\n  installation-disk: /dev/sda\n\
                sites:\n- hostname: bip-1\n  ip: 10.1.0.5/24\n  kargs: ['console=\"ttyS0,115200n8\"']\n- hostname: bip-2\n  ip: 10.1.0.6/24\n";
    let sites = listed("x/sites.CSV", csv);
    assert_eq!(sites, listed("sites.yaml", yaml));
    assert_eq!(
        sites,
        [
            "bip-1 rd.neednet=1 ip=10.1.0.5::10.1.0.1:255.255.255.0:bip-1:enp0s25:none:10.1.0.2:10.1.0.3 console=\"ttyS0,115200n8\"",
            "bip-2 rd.neednet=1 ip=10.1.0.6::10.1.0.1:255.255.255.0:bip-2:enp0s25:none:10.1.0.2:10.1.0.3",
        ]
    );
    assert_eq!(
        listed(
            "s.json",
            r#"[{"hostname":"a","vlan":5,"interface":"eno1","ip":"10.0.0.2/8"}]"#
        )
        .len(),
        1
    );
}

/// Flags are the base; each site may say otherwise about everything.
#[test]
fn sites_override_the_flags() {
    let base = request(
        "bond=bond0:eno1,eno2 gateway=10.0.0.1 nameserver=10.0.0.2 label=data karg=quiet ignition=a.ign installation-disk=/dev/sda ntp=10.0.0.9",
    );
    let text = "- {hostname: a, ip: 10.0.0.5/24}\n\
                - {hostname: b, ip: 10.0.0.6/24, interface: enp0s25, label: cache, karg: [], ignition: b.ign, installation-disk: /dev/vda, ntp: [a.pool, b.pool], gateway: 10.0.0.254}\n";
    let sites = list::parse("s.yaml", text, &base).unwrap().sites;
    assert_eq!(
        site::kargs(&sites[0]).join(" "),
        "rd.neednet=1 bond=bond0:eno1,eno2 ip=10.0.0.5::10.0.0.1:255.255.255.0:a:bond0:none:10.0.0.2 quiet"
    );
    assert_eq!(
        site::kargs(&sites[1]).join(" "),
        "rd.neednet=1 ip=10.0.0.6::10.0.0.254:255.255.255.0:b:enp0s25:none:10.0.0.2"
    );
    let b = &sites[1];
    assert_eq!(b.label.as_deref(), Some("cache"));
    assert_eq!(b.ignition.as_deref(), Some("b.ign".as_ref()));
    assert_eq!(b.installation_disk.as_deref(), Some("/dev/vda"));
    assert_eq!(b.ntp, ["a.pool", "b.pool"]);
}

#[test]
fn findings_have_their_places() {
    for (file, text, expected) in [
        (
            "s.csv",
            "",
            "s.csv: the list names no sites (a site is a row with at least a hostname)",
        ),
        (
            "s.csv",
            "hostname,ip\n",
            "s.csv: the list names no sites (a site is a row with at least a hostname)",
        ),
        (
            "s.csv",
            "hostname,gatway\na,10.0.0.1\n",
            "s.csv:1:10: unknown column `gatway` (did you mean `gateway`?)",
        ),
        (
            "s.csv",
            "hostname,mac\na,x\n",
            "s.csv:1:10: unknown column `mac` (write it as the interface: mac=28:d2:44:d3:ef:1c)",
        ),
        (
            "s.csv",
            "hostname,hostname\na,b\n",
            "s.csv:1:10: the column `hostname` is there already",
        ),
        (
            "s.csv",
            "hostname,interface\na\n",
            "s.csv:2:1: 1 cells below 2 columns (put a value with a comma in quotes)",
        ),
        (
            "s.csv",
            "hostname\n\"a\n",
            "s.csv:2:1: the quote that opens here is never closed",
        ),
        (
            "s.csv",
            "hostname\n\"a\"b\n",
            "s.csv:2:4: text after the closing quote; write a quote inside quotes twice",
        ),
        (
            "s.csv",
            "hostname,ip,interface\na,10.0.0.5/24,eno1\nb,10.0.0.5/24,eno1\n",
            "s.csv:3:3: the ip 10.0.0.5 is that of the site in line 2 too",
        ),
        (
            "s.csv",
            "hostname\na\nA\n",
            "s.csv:3:1: the hostname a is that of the site in line 2 too",
        ),
        (
            "s.csv",
            "ip,interface\n10.0.0.5/24,eno1\n",
            "s.csv:2:1: the site has no hostname (the hostname also names the output file)",
        ),
        (
            "s.csv",
            "hostname,ip,interface\na,10.0.0.0/24,eno1\n",
            "s.csv:2:3: ip 10.0.0.0 is the network address of 10.0.0.0/24",
        ),
        (
            "s.yaml",
            "sites:\n- hostname: a\n  ipx: 1\n",
            "s.yaml:3:3: unknown key `ipx` (did you mean `ip`?)",
        ),
        (
            "s.yaml",
            "sits: []\n",
            "s.yaml:1:1: unknown key `sits` (the keys here are sites and defaults)",
        ),
        (
            "s.yaml",
            "- hostname: a\n  hostname: b\n",
            "s.yaml:2:3: the key `hostname` is there already",
        ),
        (
            "s.yaml",
            "- a\n",
            "s.yaml:1:3: a site with its fields is expected here (a site is written as `- hostname: bip-1`, its other fields below that)",
        ),
        (
            "s.yaml",
            "- hostname: [a]\n",
            "s.yaml:1:13: text is expected here (a site is written as `- hostname: bip-1`, its other fields below that)",
        ),
        (
            "s.yaml",
            "- hostname: a\n  kargs: [{a: b}]\n",
            "s.yaml:2:11: text or a list of texts is expected here (a site is written as `- hostname: bip-1`, its other fields below that)",
        ),
        (
            "s.yaml",
            "- hostname: a\n  interface: mac=28:d2:44:d3:ef:1c\n  ip: 10.0.0.5/24\n- hostname: b\n  interface: mac=28:D2:44:D3:EF:1C\n  ip: 10.0.0.6/24\n",
            "s.yaml:5:14: the MAC address 28:d2:44:d3:ef:1c is that of the site in line 1 too",
        ),
    ] {
        let findings = refused(file, text);
        assert!(
            findings.contains(&expected.to_owned()),
            "{text:?}: {findings:#?}"
        );
    }
    let several = refused("s.csv", "hostname,ip\nb_p,10.0.0.5\nc,x/24\n");
    assert!(
        several.len() >= 4 && several[0].starts_with("s.csv:2:1: "),
        "{several:#?}"
    );
}

fn hostname() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]([a-z0-9-]{0,8}[a-z0-9])?){0,2}"
        .prop_filter("not localhost", |n| Hostname::new(n).is_ok())
}

fn interface() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9._-]{0,14}".prop_filter("free", |n| {
        !n.starts_with("eth") && Interface::new(n).is_ok()
    })
}

proptest! {
    /// Whatever is accepted, dracut understands, and says the same when read back.
    #[test]
    fn kargs_parse_back(
        name in hostname(),
        card in interface(),
        v4 in any::<[u8; 4]>(),
        v6 in any::<[u16; 7]>(),
        prefix in 1_u8..=32,
        wide in 1_u8..=128,
        both in 0..3,
        vlan in prop::option::of(1_u16..=4094),
        dns in prop::collection::vec(any::<[u8; 4]>(), 0..4),
    ) {
        let v4 = std::net::Ipv4Addr::from(v4);
        let [a, b, c, d, e, f, g] = v6;
        let v6 = std::net::Ipv6Addr::new(0xfd00, a, b, c, d, e, f, g);
        let mut asked = Request::default()
            .with(Field::Hostname, [name.as_str()])
            .with(Field::Interface, [card.as_str()])
            .with(Field::Vlan, vlan.map(|v| v.to_string()));
        let ips = [format!("{v4}/{prefix}"), format!("{v6}/{wide}")];
        asked = match both {
            0 => asked.with(Field::Ip, [ips[0].as_str()]),
            1 => asked.with(Field::Ip, [ips[1].as_str()]),
            _ => asked.with(Field::Ip, ips.clone()),
        };
        if both != 1 {
            asked = asked.with(Field::Nameserver, dns.iter().map(|d| std::net::Ipv4Addr::from(*d).to_string()));
        }
        let Ok(resolved) = asked.resolve() else { return Ok(()) };
        let kargs = site::kargs(&resolved.site);
        prop_assert_eq!(site::lint(&kargs), Vec::<String>::new());
        let network = resolved.site.network.as_ref().unwrap();
        let written: Vec<&str> = kargs.iter().filter_map(|k| k.strip_prefix("ip=")).collect();
        prop_assert_eq!(written.len(), network.addresses().len());
        for (text, address) in written.iter().zip(network.addresses()) {
            prop_assert!(!text.contains(char::is_whitespace));
            let bare = text.replace(['[', ']'], "");
            let ip = address.ip().to_string();
            prop_assert!(bare.starts_with(&format!("{ip}::")), "{}", text);
            let tail = format!(":{}:{name}:{}:none", address.netmask(), network.device());
            prop_assert!(text.contains(&tail), "{} {}", text, tail);
        }
        let servers = kargs.iter().map(|k| match k.strip_prefix("nameserver=") {
            Some(_) => 1,
            None => k.split_once(":none").map_or(0, |(_, t)| t.matches(':').count()),
        });
        prop_assert_eq!(servers.sum::<usize>(), network.nameservers().len());
    }

    /// Lists are files that people write: anything ends in sites or findings.
    #[test]
    fn lists_never_panic(text in "(?s)[-a-z0-9,:\"#\r\n\\[\\]{} ./=é]{0,200}", yaml in any::<bool>()) {
        let file = if yaml { "s.yaml" } else { "s.csv" };
        let text = format!("hostname{text}");
        match list::parse(file, &text, &Request::default()) {
            Ok(listed) => prop_assert!(!listed.sites.is_empty()),
            Err(findings) => prop_assert!(!findings.is_empty()),
        }
    }

    /// So are flags and kernel arguments.
    #[test]
    fn words_never_panic(word in "\\PC{0,40}") {
        let _ = (Hostname::new(&word), Interface::new(&word), Mac::new(&word));
        for key in ["ip", "vlan", "bond", "ifname", "nameserver"] {
            let _ = site::lint(&[format!("{key}={word}")]);
        }
        for field in Field::ALL {
            let _ = Request::default().with(field, [word.as_str()]).resolve();
        }
    }
}
