//! HTTP calls of a tool that a person waits for: larger limits than a function has, and a few retries.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use okta_twilio::{http_client::CallError, json};
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;

/// Timeout of one attempt.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Maximum size of a response body. A page of a thousand verification attempts has about 1 MB.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// Pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a header, if it is valid text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON of the expected type.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        json::read(&self.body)
    }
}

/// Makes one call.
///
/// # Errors
/// Fails if no whole response arrived.
pub(crate) async fn once(request: RequestBuilder) -> Result<Response, CallError> {
    let error = |error: reqwest::Error| CallError::of(&error);
    let mut response = request.timeout(TIMEOUT).send().await.map_err(error)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(error)? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(CallError::Interrupted);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status, headers, body })
}

/// Makes a call that is safe to repeat: up to three attempts, while the server fails or asks to slow down.
///
/// # Errors
/// Fails if the last attempt got no whole response.
pub(crate) async fn repeatable(build: impl Fn() -> RequestBuilder) -> Result<Response, CallError> {
    let mut result = once(build()).await;
    for pause in PAUSES {
        let is_final = matches!(&result, Ok(Response { status, .. }) if !status.is_server_error() && *status != 429);
        if is_final {
            break;
        }
        tokio::time::sleep(pause).await;
        result = once(build()).await;
    }
    result
}
