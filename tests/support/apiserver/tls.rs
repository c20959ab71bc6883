//! Certificates, and TLS below the server: a client's certificate lets in, a token does too.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A CA.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(crate) struct Leaf {
    pub(crate) pem: String,
    pub(crate) key_pem: String,
    der: rustls::pki_types::CertificateDer<'static>,
    key_der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// For a server at this address, or for a user of this name.
    pub(crate) fn leaf(&self, name: &str) -> Leaf {
        self.leaf_of_years(name, (1975, 4096))
    }

    /// The same, valid from the first day of a year to that of another.
    pub(crate) fn leaf_of_years(&self, name: &str, years: (i32, i32)) -> Leaf {
        let names = name.parse::<std::net::IpAddr>().map(|_| name.to_owned());
        let mut params = CertificateParams::new(names.into_iter().collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Leaf {
            pem: made.pem(),
            key_pem: key.serialize_pem(),
            der: made.der().clone(),
            key_der: key.serialize_der(),
        }
    }
}

/// A server's side of TLS; clients of `users` are known.
pub(crate) fn config(leaf: &Leaf, users: &Authority) -> Arc<ServerConfig> {
    let mut roots = RootCertStore::empty();
    let (known, _) = roots.add_parsable_certificates(certificates(&users.pem));
    assert_eq!(known, 1);
    let clients = WebPkiClientVerifier::builder(Arc::new(roots));
    let clients = clients.allow_unauthenticated().build().unwrap();
    let key = PrivateKeyDer::Pkcs8(leaf.key_der.clone().into());
    let config = ServerConfig::builder().with_client_cert_verifier(clients);
    Arc::new(
        config
            .with_single_cert(vec![leaf.der.clone()], key)
            .unwrap(),
    )
}

fn certificates(pem: &str) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject as _;
    let all = rustls::pki_types::CertificateDer::pem_slice_iter(pem.as_bytes());
    all.map(Result::unwrap).collect()
}

/// Handshakes run beside each other, so that a client that says nothing holds up nobody.
pub(super) struct Tls {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Tls {
    pub(super) fn new(tcp: TcpListener, config: Arc<ServerConfig>) -> Self {
        let (done, ready) = mpsc::channel(16);
        let address = tcp.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(config);
        tokio::spawn(async move {
            while let Ok((stream, peer)) = tcp.accept().await {
                let (acceptor, done) = (acceptor.clone(), done.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        // The server has ended when nobody takes it.
                        let _ = done.send((stream, peer)).await;
                    }
                });
            }
        });
        Self { ready, address }
    }
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(next) => next,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Whether the client showed a certificate that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certified(pub(super) bool);

impl Connected<IncomingStream<'_, Tls>> for Certified {
    fn connect_info(stream: IncomingStream<'_, Tls>) -> Self {
        let (_, session) = stream.io().get_ref();
        Self(session.peer_certificates().is_some())
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Certified {
    fn connect_info(_: IncomingStream<'_, TcpListener>) -> Self {
        Self(false)
    }
}
