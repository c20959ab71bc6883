//! Who is let in, what goes wrong, and how it is told.

use std::path::Path;

use serde_json::{Value, json};
use snoforge::cluster::{Client, Got, Kubeconfig, Reason};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::apiserver::{ApiServer, Fault};
use crate::{GENERATORS, block_on, client, client_for, generator, reason, server};

#[test]
fn each_fault_is_a_reason_of_its_own() {
    let server = server();
    let kubeconfig = server.kubeconfig();
    let hurried = client_for(&kubeconfig, 1).unwrap();
    let client = client_for(&kubeconfig, 60).unwrap();
    let group = "/apis/lca.openshift.io";
    let check = |fault: Fault, test: fn(&Reason) -> bool, general: bool| {
        server.fault(group, fault);
        let told = block_on(async {
            let client = if fault == Fault::Slow {
                &hurried
            } else {
                &client
            };
            reason(client.create(GENERATORS, &generator("quay.io/a:1")).await)
        });
        assert!(test(&told), "{fault:?}: {told:?}");
        assert_eq!(told.is_general(), general, "{told:?}");
        server.heal();
    };
    check(Fault::Status(401, ""), |r| *r == Reason::Unauthorized, true);
    check(
        Fault::Status(403, "forbidden"),
        |r| matches!(r, Reason::Forbidden(t) if t == "403 Forbidden: forbidden"),
        false,
    );
    check(
        Fault::Status(404, ""),
        |r| matches!(r, Reason::Absent(_)),
        false,
    );
    for code in [429, 500, 502, 503, 504] {
        check(
            Fault::Status(code, ""),
            |r| matches!(r, Reason::Busy(_)) && r.may_pass(),
            false,
        );
    }
    check(Fault::Elsewhere, |r| matches!(r, Reason::Status(_)), false);
    check(Fault::Slow, |r| *r == Reason::Slow(1), false);
    check(
        Fault::Cut,
        |r| matches!(r, Reason::Answer(t) if t.contains("cut")),
        false,
    );
    check(Fault::Garbage, |r| matches!(r, Reason::Answer(_)), false);
}

#[test]
fn a_server_that_is_away_or_another_is_told() {
    let server = server();
    let client = client(&server);
    // A group that is away is no error to a reader.
    server.fault("/apis/lca.openshift.io", Fault::Status(404, ""));
    assert_eq!(block_on(client.get(GENERATORS)).unwrap(), Got::Absent);
    server.heal();
    server.close();
    let refused = block_on(async { reason(client.get(GENERATORS).await) });
    assert!(
        matches!(&refused, Reason::Connect(t) if t == "connection refused"),
        "{refused:?}"
    );
    server.open();
    assert_eq!(
        block_on(client.get(GENERATORS)).unwrap(),
        Got::Items(Vec::new())
    );
    server.change_certificate();
    let other = block_on(async { reason(client.get(GENERATORS).await) });
    assert!(matches!(&other, Reason::Tls(_)), "{other:?}");
    assert!(!other.may_pass() && other.is_general());
}

#[test]
fn the_right_certificate_of_client_and_server_is_needed() {
    let server = server();
    let good = server.kubeconfig();
    let ask = |kubeconfig: &Value| {
        let client = client_for(kubeconfig, 60).unwrap();
        block_on(async move { client.get(GENERATORS).await })
    };
    assert_eq!(ask(&good).unwrap(), Got::Items(Vec::new()));
    // Somebody else's.
    let mut strange = good.clone();
    strange["users"][0]["user"] = ApiServer::mutual_tls().kubeconfig()["users"][0]["user"].clone();
    let told = reason(ask(&strange));
    assert!(matches!(told, Reason::Tls(_)), "{told:?}");
    // None.
    let mut none = good.clone();
    none["users"][0]["user"] = json!({"token": "t"});
    assert_eq!(reason(ask(&none)), Reason::Unauthorized);
    // A server that is not the cluster's, and one that nobody checks.
    let ca = ApiServer::mutual_tls().kubeconfig()["clusters"][0]["cluster"]["certificate-authority-data"].clone();
    let mut other = good.clone();
    other["clusters"][0]["cluster"]["certificate-authority-data"] = ca;
    let told = reason(ask(&other));
    assert!(
        matches!(&told, Reason::Tls(text) if text.starts_with("invalid peer certificate")),
        "{told:?}"
    );
    let address = &good["clusters"][0]["cluster"]["server"];
    other["clusters"][0]["cluster"] = json!({"server": address, "insecure-skip-tls-verify": true});
    assert_eq!(ask(&other).unwrap(), Got::Items(Vec::new()));
}

#[test]
fn several_kubeconfigs_are_one_and_the_first_that_names_a_thing_counts() {
    let server = server();
    let whole = server.kubeconfig();
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        let path = home.path().join(name);
        fs_err::write(&path, value.to_string()).unwrap();
        path.display().to_string()
    };
    let names = write(
        "names",
        json!({"current-context": "admin", "contexts": whole["contexts"]}),
    );
    let cluster = write("cluster", json!({"clusters": whole["clusters"]}));
    let wrong = json!([{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]);
    let users = write("users", json!({"users": whole["users"], "clusters": wrong}));
    let missing = home.path().join("missing").display().to_string();
    let load = |files: &[&String]| {
        let joined: Vec<&str> = files.iter().map(|f| f.as_str()).collect();
        Kubeconfig::load(Path::new(&joined.join(":")))
    };
    let config = load(&[&names, &missing, &cluster, &users]).unwrap();
    assert!(config.has_client_certificate());
    let client = Client::new(&config, 60).unwrap();
    assert_eq!(
        block_on(client.get(GENERATORS)).unwrap(),
        Got::Items(Vec::new())
    );
    let told = load(&[&missing, &missing]).unwrap_err().to_string();
    assert!(told.ends_with("missing: no such file"), "{told}");
    let told = load(&[&names, &users]).unwrap();
    assert_eq!(told.server(), "https://127.0.0.1:1");
    let token = write(
        "token",
        json!({"current-context": "admin", "contexts": whole["contexts"],
        "clusters": whole["clusters"], "users": [{"name": "u", "user": {"token": "t"}}]}),
    );
    assert!(!load(&[&token]).unwrap().has_client_certificate());
}

/// A proxy that knows `CONNECT` only; tells the first head that it got.
async fn proxy(listener: TcpListener) -> String {
    let (mut near, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap();
    let mut far = TcpStream::connect(target).await.unwrap();
    near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
    head
}

#[test]
fn what_a_kubeconfig_says_of_the_way_is_followed() {
    let server = server();
    let mut config = server.kubeconfig();
    let head = block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        config["clusters"][0]["cluster"]["proxy-url"] = format!("http://u:p%40ss@{address}").into();
        let proxied = client_for(&config, 60).unwrap();
        let (head, got) = tokio::join!(proxy(listener), proxied.get(GENERATORS));
        assert_eq!(got.unwrap(), Got::Items(Vec::new()));
        head
    });
    assert!(
        head.starts_with(&format!("CONNECT {} ", server.address)),
        "{head}"
    );
    // `u:p@ss`.
    assert!(
        head.to_lowercase()
            .contains("proxy-authorization: basic dtpwqhnz"),
        "{head}"
    );

    config["clusters"][0]["cluster"]["proxy-url"] = "socks5://127.0.0.1:1".into();
    let told = client_for(&config, 60).unwrap_err().to_string();
    assert!(
        told.ends_with("the proxy on the way to `server` is no http:// URL"),
        "{told}"
    );

    let mut config = server.kubeconfig();
    config["clusters"][0]["cluster"]["tls-server-name"] = "api.other".into();
    let other = client_for(&config, 60).unwrap();
    let told = block_on(async { reason(other.get(GENERATORS).await) });
    assert!(
        matches!(&told, Reason::Tls(text) if text.contains("api.other")),
        "{told:?}"
    );

    let mut config = server.kubeconfig();
    config["users"][0]["user"]["as"] = "nobody".into();
    let nobody = client_for(&config, 60).unwrap();
    let told = block_on(async { reason(nobody.get(GENERATORS).await) });
    assert!(
        matches!(&told, Reason::Forbidden(text) if text.contains("nobody")),
        "{told:?}"
    );
}
