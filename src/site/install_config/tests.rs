use super::*;
use crate::site::Request;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBJ3fZ0hq8E5u9tG4mJ0r1p0kTq5f0l8x2d3c4b5a697 me@desk";

fn secret() -> String {
    // `user:p"ass\word` and another.
    json!({"auths": {
        "quay.io": {"auth": "dXNlcjpwImFzc1x3b3Jk", "email": "me@example.com"},
        "registry.redhat.io": {"auth": "cmg6dG9rZW4tMTIzNDU="},
    }})
    .to_string()
}

fn secrets() -> Secrets {
    Secrets::new(secret().as_bytes(), KEY).unwrap()
}

fn site(fields: &[(Field, &str)]) -> Site {
    let request = fields.iter().fold(Request::default(), |r, (field, text)| {
        r.with(*field, text.split(' '))
    });
    request.resolve().unwrap().site
}

fn bip(more: &[(Field, &str)]) -> Site {
    let fields = [
        (Field::Hostname, "bip"),
        (Field::Domain, "lab.example.com"),
        (Field::Interface, "enp0s25"),
        (Field::Ip, "192.168.86.45/24"),
        (Field::InstallationDisk, "/dev/sda"),
    ];
    site(&[&fields, more].concat())
}

fn config(site: &Site, options: &Options) -> Value {
    let text = render(site, options, &secrets()).unwrap();
    serde_saphyr::from_str(text.expose()).unwrap()
}

#[test]
fn the_fields_of_the_installers_type() {
    let expected = json!({
        "apiVersion": "v1",
        "baseDomain": "lab.example.com",
        "metadata": {"name": "bip"},
        "compute": [{"architecture": "amd64", "name": "worker", "replicas": 0}],
        "controlPlane": {"architecture": "amd64", "name": "master", "replicas": 1},
        "networking": {
            "clusterNetwork": [{"cidr": "10.128.0.0/14", "hostPrefix": 23}],
            "machineNetwork": [{"cidr": "192.168.86.0/24"}],
            "networkType": "OVNKubernetes",
            "serviceNetwork": ["172.30.0.0/16"],
        },
        "platform": {"none": {}},
        "bootstrapInPlace": {"installationDisk": "/dev/sda"},
        "pullSecret": secret(),
        "sshKey": KEY,
    });
    assert_eq!(config(&bip(&[]), &Options::default()), expected);
    let bundle = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let options = Options {
        fips: true,
        trust_bundle: Some(trust_bundle(bundle).unwrap()),
        ..Options::default()
    };
    let with = config(&bip(&[]), &options);
    assert_eq!(with["fips"], true);
    assert_eq!(with["additionalTrustBundle"], bundle);
    assert_eq!(with["additionalTrustBundlePolicy"], "Always");
}

#[test]
fn networks_follow_the_machines_families() {
    let both = site(&[
        (Field::Hostname, "bip.lab.example.com"),
        (Field::Interface, "e"),
        (Field::Ip, "192.168.86.45/24 fd00:1::5/64"),
        (Field::InstallationDisk, "/dev/sda"),
    ]);
    let networking = config(&both, &Options::default())["networking"].clone();
    assert_eq!(
        networking["serviceNetwork"],
        json!(["172.30.0.0/16", "fd02::/112"])
    );
    assert_eq!(
        networking["clusterNetwork"][1],
        json!({"cidr": "fd01::/48", "hostPrefix": 64})
    );
    assert_eq!(networking["machineNetwork"].as_array().unwrap().len(), 2);
    let dhcp = site(&[
        (Field::Cluster, "bip"),
        (Field::Domain, "lab"),
        (Field::InstallationDisk, "/dev/sda"),
    ]);
    let error = render(&dhcp, &Options::default(), &secrets()).unwrap_err();
    assert_eq!(error.to_string(), "site bip.lab: `ip` is missing");
    assert!(error.hint().unwrap().contains("--machine-network"));
    let options = Options {
        machine_networks: vec!["fd00::/64".parse().unwrap()],
        ..Options::default()
    };
    let networking = config(&dhcp, &options)["networking"].clone();
    assert_eq!(networking["serviceNetwork"], json!(["fd02::/112"]));
    let mixed = Options {
        service_networks: vec!["172.30.0.0/16".parse().unwrap()],
        ..options
    };
    let error = render(&dhcp, &mixed, &secrets()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "site bip.lab: the service network must be one of IPv6, as the machine's"
    );
}

#[test]
fn a_machine_among_the_pods_is_refused() {
    let inside = bip(&[(Field::Ip, "10.130.1.5/24")]);
    let error = render(&inside, &Options::default(), &secrets()).unwrap_err();
    let text =
        "site bip: the machine network 10.130.1.0/24 and the cluster network 10.128.0.0/14 overlap";
    assert_eq!(error.to_string(), text);
    let moved = Options {
        cluster_networks: vec!["10.200.0.0/14".parse().unwrap()],
        ..Options::default()
    };
    config(&inside, &moved);
    for (wrong, why) in [
        ("10.0.0.1/8", "host in it"),
        ("10.0.0.0", "no prefix"),
        ("10.0.0.0/33", "too large"),
        ("x/8", "no address"),
        ("fd00::/129", "too large"),
    ] {
        assert!(wrong.parse::<Cidr>().unwrap_err().contains(why), "{wrong}");
    }
    let all: Cidr = "0.0.0.0/0".parse().unwrap();
    assert!(all.overlaps(&"255.0.0.0/8".parse().unwrap()));
    assert!(!all.overlaps(&"::/0".parse().unwrap()));
}

#[test]
fn what_a_site_lacks() {
    let without = site(&[
        (Field::Hostname, "bip"),
        (Field::InstallationDisk, "/dev/sda"),
    ]);
    let error = render(&without, &Options::default(), &secrets()).unwrap_err();
    assert_eq!(error.to_string(), "site bip: `domain` is missing");
    let without = site(&[(Field::Hostname, "bip.lab")]);
    let error = render(&without, &Options::default(), &secrets()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "site bip.lab: `installation-disk` is missing"
    );
}

#[test]
fn secrets_are_checked_and_never_quoted() {
    for (text, why) in [
        ("{", "no JSON"),
        ("{\"auths\":{}}", "empty"),
        ("{\"a\":\"hunter2\"}", "no object `auths`"),
    ] {
        let error = Secrets::new(text.as_bytes(), KEY).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2";
    let odd = "ssh-rsa hunter2";
    let other = KEY.replace("ssh-ed25519", "ssh-rsa");
    for (key, why) in [
        (private, "private key"),
        (odd, "no public key"),
        (other.as_str(), "no public key"),
        ("\n# none\n", "empty"),
    ] {
        let error = Secrets::new(secret().as_bytes(), key)
            .unwrap_err()
            .to_string();
        assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
    }
    let (secrets, text) = (
        secrets(),
        render(&bip(&[]), &Options::default(), &secrets()).unwrap(),
    );
    assert!(!format!("{secrets:?} {text:?}").contains("auth"));
}

#[test]
fn masked_output_has_nothing_of_them() {
    let go = Value::from(secret()).to_string();
    let printed = format!(
        "pullSecret: Invalid value: {go}: bad\nlogin user:p\"ass\\word at quay.io\npassword p\\\"ass\\\\word\ntoken-12345 {KEY}\nme@example.com",
    );
    let masked = secrets().mask(&printed);
    for word in [
        "dXNlcjpw",
        "cmg6dG9r",
        "p\"ass",
        "ass\\\\word",
        "token-12345",
        "AAAAC3Nz",
    ] {
        assert!(!masked.contains(word), "{word}: {masked}");
    }
    assert!(masked.contains("pullSecret: Invalid value:"), "{masked}");
    assert!(masked.contains("quay.io"), "{masked}");
}
