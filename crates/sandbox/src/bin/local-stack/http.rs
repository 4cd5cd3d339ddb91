//! The HTTP client of the local stack: without TLS, on loopback, with a timeout.

use std::time::Duration;

use ureq::{
    Agent,
    http::{HeaderMap, Method, Request},
};

use crate::error::Error;

/// Longer than any function may take, because a first request also waits for the build.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A response, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends a request and reads the whole response.
pub(crate) fn send(
    method: &Method,
    url: &str,
    headers: &HeaderMap,
    body: &str,
    limit: Duration,
) -> Result<Answer, Error> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        // A machine's proxy settings are not meant for loopback.
        .proxy(None)
        .build()
        .into();
    let failed = |source| Error::Http { url: url.to_owned(), source: Box::new(source) };
    let mut request = Request::builder().method(method).uri(url);
    if let Some(all) = request.headers_mut() {
        all.clone_from(headers);
    }
    let request = request.body(body).map_err(|error| failed(error.into()))?;
    let mut answer = agent.run(request).map_err(failed)?;
    Ok(Answer { status: answer.status().as_u16(), body: answer.body_mut().read_to_string().map_err(failed)? })
}
