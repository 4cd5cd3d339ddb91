//! One HTTP client and one TLS configuration for Twilio, Okta and the AWS SDK.
//!
//! Why one: every further client costs a TLS configuration at cold start (the SDK's own reads the system's
//! certificates twice), and a connection pool that the others cannot use. The roots are compiled in, so no certificate
//! file is read unless `EXTRA_CA_FILE` names one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::time::Instant;

use crate::json;

/// Longest wait for a connection. It leaves room for a second try within Okta's 3 s.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);

/// An idle connection is given up before the far side's load balancer would close it (60 s is the common setting).
const IDLE_TIMEOUT: Duration = Duration::from_secs(25);

/// Longest answer of Twilio or Okta that is read. Theirs have less than 4 KB, lists of factors less than 50.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Why the client could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The file of `EXTRA_CA_FILE` cannot be read.
    #[error("EXTRA_CA_FILE: the file cannot be read; for example EXTRA_CA_FILE=/opt/ca.pem")]
    ExtraRootsUnreadable,
    /// The file of `EXTRA_CA_FILE` holds no usable certificate.
    #[error("EXTRA_CA_FILE: the file holds no PEM certificate; for example EXTRA_CA_FILE=/opt/ca.pem")]
    ExtraRootsInvalid,
    /// The TLS library refused its own defaults.
    #[error("the TLS configuration cannot be built")]
    Tls,
}

/// Builds the client.
///
/// # Errors
/// If the file of further roots cannot be used.
pub fn build(extra_ca_file: Option<&str>) -> Result<reqwest::Client, ClientError> {
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
    // HTTP/1.1 only: one request at a time, and no second protocol in the binary.
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    #[expect(clippy::disallowed_methods, reason = "the one place that builds the client")]
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        // Neither Twilio nor Okta redirects, and credentials must not follow one.
        .redirect(reqwest::redirect::Policy::none())
        // A request must be repeated by our own rules only.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
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

/// How a call ended without an answer. Which one matters: only the first proves that nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection: the request was not written.
    #[error("no connection")]
    NotConnected,
    /// Time ran out; the request may have been carried out.
    #[error("time ran out")]
    TimedOut,
    /// The connection ended after the request was written, or the request could not be completed.
    #[error("the connection was lost")]
    Interrupted,
}

/// Status, headers and as much of the body as could be read.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: http::StatusCode,
    /// Headers.
    pub headers: http::HeaderMap,
    /// The whole body; `None` if it was cut off or is larger than any that is expected.
    pub body: Option<Bytes>,
}

impl Answer {
    /// A header's text, if it has one that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON of the expected shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        json::read(self.body.as_ref()?)
    }
}

/// Makes one call, with one time-out for all of it. Foreign error texts end here.
///
/// # Errors
/// If no status line arrived. An answer whose body is lost is still an answer: its status tells what was done.
pub async fn call(request: reqwest::RequestBuilder, timeout: Duration) -> Result<Answer, CallError> {
    // Lambda may have frozen the process for a long time. Lets the pool's connections, which are tasks of this thread, see
    // first that their peers have gone.
    tokio::task::yield_now().await;
    let mut response = request.timeout(timeout).send().await.map_err(|error| classify(&error))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    Ok(Answer { status, headers, body: read_body(response).await })
}

/// Makes a call that may be carried out twice without harm: once more, within the same time-out, where the connection was
/// lost or could not be made, such as one that the far side closed while Lambda had frozen the function.
///
/// # Errors
/// As [`call`].
pub async fn call_repeatable(request: reqwest::RequestBuilder, timeout: Duration) -> Result<Answer, CallError> {
    let started = Instant::now();
    let again = request.try_clone();
    match (call(request, timeout).await, again) {
        (Err(CallError::NotConnected | CallError::Interrupted), Some(again)) => {
            call(again, timeout.saturating_sub(started.elapsed())).await
        }
        (answer, _) => answer,
    }
}

fn classify(error: &reqwest::Error) -> CallError {
    if error.is_connect() {
        CallError::NotConnected
    } else if error.is_timeout() {
        CallError::TimedOut
    } else {
        CallError::Interrupted
    }
}

async fn read_body(mut response: reqwest::Response) -> Option<Bytes> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.into())
}
