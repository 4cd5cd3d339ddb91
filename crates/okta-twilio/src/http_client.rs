//! One HTTP client and one TLS configuration for Twilio, Okta and the AWS SDK.
//!
//! Each additional client costs a TLS configuration at cold start (the SDK's own client reads the system's certificates
//! twice) and has a connection pool that the others cannot use. The root certificates are compiled in, so no
//! certificate file is read unless `EXTRA_CA_FILE` names one.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::time::Instant;

use crate::json;

/// Timeout for a connection, including its TLS handshake. It leaves time for a second try within Okta's 3 s.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Maximum number of addresses for one connection attempt. The addresses of one family share [`CONNECT_TIMEOUT`]
/// equally. With all eight addresses of a large service, each would have 125 ms, which is too short over a long
/// distance.
const MAX_ADDRESSES: usize = 2;

/// If a name is resolved again within this time, the last attempt failed. The addresses of that attempt then move to
/// the end.
const SECOND_TRY: Duration = Duration::from_secs(5);

/// An idle connection is closed before the server's load balancer would close it (60 s is a common setting).
const IDLE_TIMEOUT: Duration = Duration::from_secs(25);

/// Maximum size of a response body. Responses of Twilio and Okta have less than 4 KB, lists of factors less than 50 KB.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// Why the client could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The file named by `EXTRA_CA_FILE` cannot be read.
    #[error("EXTRA_CA_FILE: the file cannot be read; for example EXTRA_CA_FILE=/opt/ca.pem")]
    ExtraRootsUnreadable,
    /// The file named by `EXTRA_CA_FILE` has no usable certificate.
    #[error("EXTRA_CA_FILE: the file has no PEM certificate; for example EXTRA_CA_FILE=/opt/ca.pem")]
    ExtraRootsInvalid,
    /// The TLS library rejected its own defaults.
    #[error("the TLS configuration cannot be built")]
    Tls,
}

/// Builds the client.
///
/// # Errors
/// Fails if the file of additional root certificates cannot be used.
pub fn build(extra_ca_file: Option<&str>) -> Result<reqwest::Client, ClientError> {
    build_with(SystemResolver, extra_ca_file)
}

fn build_with(resolver: impl Resolve + 'static, extra_ca_file: Option<&str>) -> Result<reqwest::Client, ClientError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = extra_ca_file {
        add_roots(&mut roots, file)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_rustls_error| ClientError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // HTTP/1.1 only: a connection carries one request at a time, and the binary needs no second protocol.
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    #[expect(clippy::disallowed_methods, reason = "the one place that builds the client")]
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        // Neither Twilio nor Okta sends redirects, and credentials must not follow one.
        .redirect(reqwest::redirect::Policy::none())
        // Only our own rules may repeat a request.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(FewAddresses { resolver, tried: Arc::default() })
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("okta-twilio/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_reqwest_error| ClientError::Tls)
}

fn add_roots(roots: &mut rustls::RootCertStore, file: &str) -> Result<(), ClientError> {
    let pem = std::fs::read(file).map_err(|_io_error| ClientError::ExtraRootsUnreadable)?;
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_pem_error| ClientError::ExtraRootsInvalid)?;
        roots.add(certificate).map_err(|_rustls_error| ClientError::ExtraRootsInvalid)?;
        added += 1;
    }
    if added == 0 { Err(ClientError::ExtraRootsInvalid) } else { Ok(()) }
}

/// The operating system's resolver.
struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The client fills in the port of the URL.
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Returns a few addresses at a time and others on the next try. Each address has enough time, and a try can survive
/// unreachable addresses.
struct FewAddresses<R> {
    resolver: R,
    /// The addresses of the last try, by name.
    tried: Arc<Mutex<HashMap<String, Tried>>>,
}

struct Tried {
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl<R: Resolve> Resolve for FewAddresses<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let (key, tried) = (name.as_str().to_owned(), Arc::clone(&self.tried));
        let resolving = self.resolver.resolve(name);
        Box::pin(async move {
            let found: Vec<_> = resolving.await?.collect();
            // The lock covers only look-ups and assignments, which cannot panic halfway.
            let mut tried = tried.lock().unwrap_or_else(PoisonError::into_inner);
            let last = tried.get(&key).filter(|last| last.at.elapsed() < SECOND_TRY);
            let addresses = few(found, last.map_or(&[], |last| &last.addresses));
            tried.insert(key, Tried { addresses: addresses.clone(), at: Instant::now() });
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Returns at most [`MAX_ADDRESSES`] in the resolver's order. Addresses of the last try move to the end. If there are
/// two address families, it returns one address of each: the client starts on the second family while it still waits
/// for the first.
fn few(mut found: Vec<SocketAddr>, tried_last: &[SocketAddr]) -> Vec<SocketAddr> {
    found.sort_by_key(|address| tried_last.contains(address));
    if let Some(first) = found.first().copied()
        && let Some(other) = found.iter().position(|address| address.is_ipv4() != first.is_ipv4())
    {
        found.swap(1, other);
    }
    found.truncate(MAX_ADDRESSES);
    found
}

/// Why a call has no response. Only the first variant proves that nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There was no connection. The request was not written.
    #[error("no connection")]
    NotConnected,
    /// The time ran out. The server may have processed the request.
    #[error("the call timed out")]
    TimedOut,
    /// The connection ended after the request was written, or the request could not be completed.
    #[error("the connection was lost")]
    Interrupted,
}

impl CallError {
    /// Classifies the client's error. Its text is dropped.
    pub fn of(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::NotConnected
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Interrupted
        }
    }
}

/// The status, the headers, and the body if it could be read. It has no `Debug`, because it can quote the request.
pub struct HttpResponse {
    /// HTTP status.
    pub status: http::StatusCode,
    /// Headers.
    pub headers: http::HeaderMap,
    /// The whole body. `None` if it was cut off or is larger than the limit.
    pub body: Option<Bytes>,
}

impl HttpResponse {
    /// The value of a header, if it is valid text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON of the expected type.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        json::read(self.body.as_ref()?)
    }
}

/// Makes one call, with one timeout for the whole call. Errors do not contain the library's texts.
///
/// # Errors
/// Fails if no status line arrived. A response without its body is still a response, because the status says what
/// happened.
pub async fn call(request: reqwest::RequestBuilder, timeout: Duration) -> Result<HttpResponse, CallError> {
    call_up_to(MAX_RESPONSE_BYTES, request, timeout).await
}

/// As [`call`], with another maximum size of the response body.
///
/// # Errors
/// As [`call`].
pub async fn call_up_to(
    max_response_bytes: usize,
    request: reqwest::RequestBuilder,
    timeout: Duration,
) -> Result<HttpResponse, CallError> {
    // Lambda may have frozen the process for a long time. Yield once, so that pooled connections notice a remote close
    // before they are reused.
    tokio::task::yield_now().await;
    let mut response = request.timeout(timeout).send().await.map_err(|error| CallError::of(&error))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    Ok(HttpResponse { status, headers, body: read_body(response, max_response_bytes).await })
}

/// Makes a call that is safe to repeat. If the connection could not be opened or was lost, it repeats the call once
/// within the same timeout. A typical case is a connection that the server closed while Lambda had frozen the process.
///
/// # Errors
/// As [`call`].
pub async fn call_repeatable(request: reqwest::RequestBuilder, timeout: Duration) -> Result<HttpResponse, CallError> {
    let started = Instant::now();
    let again = request.try_clone();
    match (call(request, timeout).await, again) {
        (Err(CallError::NotConnected | CallError::Interrupted), Some(again)) => {
            call(again, timeout.saturating_sub(started.elapsed())).await
        }
        (response, _) => response,
    }
}

async fn read_body(mut response: reqwest::Response, max_bytes: usize) -> Option<Bytes> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > max_bytes {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use socket2::{Domain, Socket, Type};

    struct Fixed(Vec<SocketAddr>);

    impl Resolve for Fixed {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses = self.0.clone();
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
        }
    }

    /// A client that resolves every name to these addresses.
    pub(crate) fn client_of(addresses: &[SocketAddr]) -> reqwest::Client {
        build_with(Fixed(addresses.to_vec()), None).unwrap()
    }

    /// An address that does not reply to a SYN, because its backlog is full. It stays full while these sockets exist.
    pub(crate) fn black_hole(address: SocketAddr) -> (Socket, TcpStream) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(0).unwrap();
        let only = TcpStream::connect(socket.local_addr().unwrap().as_socket().unwrap()).unwrap();
        (socket, only)
    }

    /// A server that responds once to each connection, with 200 and JSON.
    pub(crate) fn server(body: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(response.as_bytes());
            }
        });
        address
    }

    #[tokio::test]
    async fn two_unreachable_addresses_of_four_are_tolerated() {
        let alive = server("");
        let at = |last: u8| SocketAddr::from(([127, 0, 0, last], alive.port()));
        let _dead = [black_hole(at(2)), black_hole(at(3))];
        let client = client_of(&[at(2), at(3), alive, at(4)]);
        let url = format!("http://verify.test:{}/", alive.port());
        let timeout = Duration::from_secs(20);
        assert_eq!(call(client.post(&url), timeout).await.err(), Some(CallError::NotConnected));
        assert_eq!(call(client.post(&url), timeout).await.unwrap().status, 200, "the other two");
        // One repeatable call covers both tries.
        let client = client_of(&[at(2), at(3), alive, at(4)]);
        assert_eq!(call_repeatable(client.get(&url), timeout).await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn one_unreachable_address_needs_no_retry() {
        let alive = server("");
        let at = |last: u8| SocketAddr::from(([127, 0, 0, last], alive.port()));
        let _dead = black_hole(at(2));
        let client = client_of(&[at(2), alive, at(3), at(4)]);
        let url = format!("http://verify.test:{}/", alive.port());
        assert_eq!(call(client.post(&url), Duration::from_secs(20)).await.unwrap().status, 200);
    }

    #[test]
    fn each_address_has_enough_time() {
        let addresses =
            |list: &[&str]| -> Vec<SocketAddr> { list.iter().map(|address| address.parse().unwrap()).collect() };
        let eight: Vec<_> = (1..=8).map(|last| SocketAddr::from(([192, 0, 2, last], 0))).collect();
        let first = few(eight.clone(), &[]);
        assert_eq!(first, addresses(&["192.0.2.1:0", "192.0.2.2:0"]));
        assert_eq!(few(eight, &first), addresses(&["192.0.2.3:0", "192.0.2.4:0"]));
        let both = addresses(&["[2001:db8::1]:0", "[2001:db8::2]:0", "192.0.2.1:0", "192.0.2.2:0"]);
        let first = few(both.clone(), &[]);
        assert_eq!(first, addresses(&["[2001:db8::1]:0", "192.0.2.1:0"]));
        assert_eq!(few(both, &first), addresses(&["[2001:db8::2]:0", "192.0.2.2:0"]));
        assert_eq!(few(addresses(&["192.0.2.1:0"]), &addresses(&["192.0.2.1:0"])).len(), 1, "the only one, again");
        let most = u32::try_from(MAX_ADDRESSES).unwrap();
        assert!(CONNECT_TIMEOUT / most >= Duration::from_millis(450));
    }
}
