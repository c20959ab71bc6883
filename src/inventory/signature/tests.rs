use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::inventory::documents::{DocumentError, Offline};

/// A throw-away `gpg` home with one signing key; `None` when gpg is not installed.
struct Gpg(tempfile::TempDir);

impl Gpg {
    fn new() -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let gpg = Self(home);
        match gpg.run(&[
            "--quick-gen-key",
            "release <r@example.com>",
            "rsa2048",
            "sign",
            "never",
        ]) {
            Ok(_) => Some(gpg),
            Err(crate::exec::ExecError::Missing(program)) => {
                tracing::warn!("skipped: {program} is not installed");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn run(&self, args: &[&str]) -> Result<Vec<u8>, crate::exec::ExecError> {
        let home = self.0.path().to_str().unwrap();
        let mut all = vec!["--homedir", home, "--batch", "--quiet", "--passphrase", ""];
        all.extend(["--pinentry-mode", "loopback", "--yes"]);
        all.extend(args);
        crate::exec::run("gpg", &all)
    }

    fn keyring(&self) -> Keyring {
        let armor = self.run(&["--armor", "--export"]).unwrap();
        Keyring::from_armor(std::str::from_utf8(&armor).unwrap()).unwrap()
    }

    fn sign(&self, body: &str, extra: &[&str]) -> Vec<u8> {
        let path = self.0.path().join("body");
        crate::io::atomic::write(&path, body.as_bytes()).unwrap();
        let mut args = extra.to_vec();
        args.extend(["--output", "-", "--sign", path.to_str().unwrap()]);
        self.run(&args).unwrap()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let home = self.0.path().to_str().unwrap();
        let _ = crate::exec::run("gpgconf", &["--homedir", home, "--kill", "all"]);
    }
}

fn body(digest: &Digest) -> String {
    format!(
        r#"{{"critical":{{"type":"atomic container signature","image":{{"docker-manifest-digest":"{digest}"}},"identity":{{"docker-reference":"quay.io/openshift-release-dev/ocp-release:4.13.1-x86_64"}}}},"optional":{{"creator":"Red Hat OpenShift Signing Authority 0.0.1"}}}}"#
    )
}

#[test]
fn the_embedded_key_is_release_key_2() {
    let ids: Vec<String> = Keyring::red_hat()
        .0
        .iter()
        .map(|k| hex::encode_upper(k.legacy_key_id().as_ref()))
        .collect();
    assert_eq!(ids, ["199E2F91FD431D51"]);
}

#[test]
fn gpg_made_signatures() {
    let Some(gpg) = Gpg::new() else { return };
    let keyring = gpg.keyring();
    let digest = Digest::of(b"payload");
    let now = 4_000_000_000;
    let good = gpg.sign(&body(&digest), &[]);
    let key = verify(&good, &digest, &keyring, now).unwrap();
    assert_eq!(key.len(), 16);
    for level in ["--compress-level", "-z"] {
        let plain = gpg.sign(&body(&digest), &[level, "0"]);
        assert_eq!(verify(&plain, &digest, &keyring, now), Ok(key.clone()));
    }
    let unknown = verify(&good, &digest, &Keyring::red_hat(), now);
    assert_eq!(unknown, Err(SignatureError::NotSigned));
    let other = verify(&good, &Digest::of(b"other"), &keyring, now);
    assert_eq!(other, Err(SignatureError::OtherDigest(digest.to_string())));
    let weak = gpg.sign(&body(&digest), &["--digest-algo", "SHA1"]);
    assert!(verify(&weak, &digest, &keyring, now).is_err());
    let short = gpg.sign(&body(&digest), &["--default-sig-expire", "1d"]);
    assert_eq!(
        verify(&short, &digest, &keyring, now),
        Err(SignatureError::Expired)
    );
    assert!(verify(&short, &digest, &keyring, 0).is_ok());
}

#[test]
fn no_altered_byte_is_accepted() {
    let Some(gpg) = Gpg::new() else { return };
    let keyring = gpg.keyring();
    let digest = Digest::of(b"payload");
    let good = gpg.sign(&body(&digest), &["-z", "0"]);
    let from = good.len() - body(&digest).len() - 300;
    for at in (from..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        if let Ok(key) = verify(&bad, &digest, &keyring, 0) {
            // Only what the signature does not cover (unhashed subpackets, packet framing) may change.
            let text = body(&digest);
            let start = good.windows(text.len()).position(|w| w == text.as_bytes());
            let start = start.unwrap();
            assert!(
                !(start..start + text.len()).contains(&at),
                "byte {at} of the body changed and {key} still verifies"
            );
        }
    }
    for cut in [0, 1, good.len() / 2, good.len() - 1] {
        assert!(verify(&good[..cut], &digest, &keyring, 0).is_err(), "{cut}");
    }
}

#[test]
fn bodies_are_read_strictly() {
    let Some(gpg) = Gpg::new() else { return };
    let keyring = gpg.keyring();
    let digest = Digest::of(b"payload");
    let good = body(&digest);
    let changes = [
        good.replace("atomic container", "cosign container"),
        good.replace("\"optional\"", "\"extra\":1,\"optional\""),
        good.replace(
            "quay.io/openshift-release-dev/ocp-release:4.13.1-x86_64",
            "",
        ),
        good.replace("docker-manifest-digest", "docker-manifest"),
        format!("{good}{good}"),
        "[]".to_owned(),
    ];
    for text in changes {
        let signed = gpg.sign(&text, &[]);
        let error = verify(&signed, &digest, &keyring, 0).unwrap_err();
        assert!(matches!(error, SignatureError::Body(_)), "{text}: {error}");
    }
    // Literal text without any signature.
    assert!(verify(good.as_bytes(), &digest, &keyring, 0).is_err());
}

#[derive(Debug)]
struct Shelf(BTreeMap<String, Bytes>);

#[async_trait]
impl Documents for Shelf {
    async fn get(&self, url: &str, _accept: &str) -> Result<Option<Bytes>, DocumentError> {
        Ok(self.0.get(url).cloned())
    }
}

#[tokio::test]
async fn states_of_the_stores() {
    let Some(gpg) = Gpg::new() else { return };
    let digest = Digest::of(b"payload");
    let at =
        |store: usize, n: u32| format!("{}/sha256={}/signature-{n}", STORES[store], digest.hex());
    let mode = SignatureCheck::WhenAvailable {
        now_unix: 0,
        keyring: gpg.keyring(),
    };
    let good = Bytes::from(gpg.sign(&body(&digest), &[]));
    let wrong = Bytes::from(gpg.sign(&body(&Digest::of(b"x")), &[]));
    // The second object of the second store decides.
    let shelf = Shelf(BTreeMap::from([
        (at(1, 1), wrong.clone()),
        (at(1, 2), good),
    ]));
    let (state, _) = check(&shelf, &digest, &mode).await.unwrap();
    assert!(matches!(state, Signature::Verified { .. }));
    let shelf = Shelf(BTreeMap::from([(at(0, 1), wrong)]));
    let error = check(&shelf, &digest, &mode).await.unwrap_err();
    assert!(error.to_string().contains("it is for"), "{error}");
    let unavailable = |state: Signature| match state {
        Signature::Unavailable { reason } => reason,
        other => panic!("{other:?}"),
    };
    let (state, detail) = check(&Offline, &digest, &mode).await.unwrap();
    assert_eq!(unavailable(state), "no signature store could be reached");
    assert!(detail.unwrap().contains("offline"));
    let empty = Shelf(BTreeMap::new());
    let (state, detail) = check(&empty, &digest, &mode).await.unwrap();
    assert_eq!(
        (unavailable(state).as_str(), detail),
        ("none is published", None)
    );
    let skipped = check(&Offline, &digest, &SignatureCheck::Skip).await;
    assert_eq!(skipped.unwrap().0, Signature::Skipped);
}
