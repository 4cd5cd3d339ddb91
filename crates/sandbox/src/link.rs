//! A link over TLS to a stand-in, with a set round trip: what lies between a function and a service in another place.
//!
//! Each connection pays one round trip for TCP, then half of one for every byte in either direction. So a TLS handshake
//! and a request cost what they cost over that distance. All links have one certificate authority.

#![expect(clippy::expect_used, reason = "a benchmark that cannot have its link has nothing to measure")]

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional, duplex, split},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::certificate;

/// The most bytes on their way in one direction of a connection before its sender waits.
const WINDOW_BYTES: usize = 1 << 20;

/// The links of one benchmark. Dropping it ends every connection.
pub struct Links {
    ca_file: NamedTempFile,
    listeners: Option<mpsc::UnboundedSender<(TcpListener, SocketAddr)>>,
    thread: Option<JoinHandle<()>>,
}

impl Links {
    /// Starts without links.
    ///
    /// # Panics
    /// If the certificate cannot be made or stored.
    pub fn start(round_trip: Duration) -> Self {
        let certificate = certificate::make().expect("a certificate");
        let ca_file = NamedTempFile::with_prefix("okta-twilio-sandbox-").expect("a temporary file");
        std::fs::write(&ca_file, &certificate.authority_pem).expect("to store the certificate authority");
        let tls = TlsAcceptor::from(Arc::clone(&certificate.server));
        let (listeners, mut received) = mpsc::unbounded_channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                while let Some((listener, service)) = received.recv().await {
                    tokio::spawn(accept(listener, service, tls.clone(), round_trip));
                }
            });
        });
        Self { ca_file, listeners: Some(listeners), thread: Some(thread) }
    }

    /// Lays a link to a service on 127.0.0.1, given by its plain HTTP URL, and returns the URL of its near end.
    ///
    /// # Panics
    /// If the URL has no port, or no port is free.
    pub fn to(&self, service: &str) -> String {
        let service = Url::parse(service).ok().and_then(|url| url.port()).expect("a URL with a port");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that tokio can wait for");
        let port = listener.local_addr().expect("the listener's address").port();
        let listeners = self.listeners.as_ref().expect("the channel lives as long as the links");
        listeners.send((listener, (Ipv4Addr::LOCALHOST, service).into())).expect("the thread lives as well");
        format!("https://localhost:{port}")
    }

    /// The certificate authority to trust (PEM).
    pub fn ca_file(&self) -> &Path {
        self.ca_file.path()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        drop(self.listeners.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, service: SocketAddr, tls: TlsAcceptor, round_trip: Duration) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((near, _)) = listener.accept().await {
        let tls = tls.clone();
        // A connection that breaks is the client's to notice.
        tokio::spawn(async move {
            near.set_nodelay(true)?;
            if round_trip.is_zero() {
                return forward(near, service, &tls).await;
            }
            let (near_end, far_end) = duplex(WINDOW_BYTES);
            tokio::spawn(delay(near, near_end, round_trip));
            forward(far_end, service, &tls).await
        });
    }
}

async fn forward(near: impl AsyncRead + AsyncWrite + Unpin, service: SocketAddr, tls: &TlsAcceptor) -> io::Result<()> {
    let mut near = tls.accept(near).await?;
    let mut far = TcpStream::connect(service).await?;
    far.set_nodelay(true)?;
    copy_bidirectional(&mut near, &mut far).await.map(|_bytes| ())
}

/// Carries bytes between the two for as long as both are open.
async fn delay(near: TcpStream, far: impl AsyncRead + AsyncWrite, round_trip: Duration) {
    // The client's TCP handshake took no time on the loopback interface.
    sleep(round_trip).await;
    let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
    tokio::join!(carry(near_read, far_write, round_trip / 2), carry(far_read, near_write, round_trip / 2));
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, time: Duration) {
    let (sender, mut under_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let receive = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + time, bytes)).is_err() {
                return;
            }
        }
    };
    let deliver = async move {
        while let Some((due, bytes)) = under_way.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(receive, deliver);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{deployment::Deployment, options::Options};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test is not a function, and needs another root certificate")]
    fn a_connection_costs_three_round_trips_and_a_further_request_one() {
        let deployment = Deployment::start(Options::default());
        let links = Links::start(Duration::from_millis(100));
        let url = links.to(&deployment.twilio.http_url());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let times = runtime.block_on(async {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in rustls::pki_types::pem::PemObject::pem_file_iter(links.ca_file()).unwrap() {
                roots.add(certificate.unwrap()).unwrap();
            }
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let tls = tls.unwrap().with_root_certificates(roots).with_no_client_auth();
            let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
            let mut times = Vec::new();
            for _ in 0..2 {
                let started = Instant::now();
                assert!(client.get(&url).send().await.is_ok());
                times.push(started.elapsed());
            }
            times
        });
        // TCP, TLS 1.3, the request. A busy machine adds to it, but cannot take from it.
        assert!(times[0] >= Duration::from_millis(300), "{times:?}");
        assert!(times[1] >= Duration::from_millis(100) && times[1] < times[0], "{times:?}");
    }
}
