//! One request, and how a response leaves.

use std::time::UNIX_EPOCH;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use serde::de::DeserializeOwned;

use super::{Answered, OktaError};
use crate::clock::Moment;

/// Requests a minute.
const RATE_LIMIT: u32 = 600;

/// A request, taken apart.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path, decoded.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    /// The body as a form.
    pub(super) form: Vec<(String, String)>,
    body: Vec<u8>,
    /// Scheme and token.
    pub(super) authorization: Option<(String, String)>,
}

impl Call {
    pub(super) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        Self {
            method: method.clone(),
            path: uri.path().split('/').filter(|part| !part.is_empty()).map(decode).collect(),
            query: url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect(),
            form: url::form_urlencoded::parse(body).into_owned().collect(),
            body: body.to_vec(),
            authorization: authorization.map(|(scheme, token)| (scheme.to_owned(), token.to_owned())),
        }
    }

    /// The value of a parameter.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number.
    pub(super) fn number(&self, name: &str, default: usize) -> Result<usize, OktaError> {
        self.value(name).map_or(Ok(default), |text| text.parse().map_err(|_no_number| OktaError::invalid(name)))
    }

    /// Refuses a parameter that is not documented.
    pub(super) fn allow(&self, names: &[&str]) -> Result<(), OktaError> {
        match self.query.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, _)) => Err(OktaError::invalid(name)),
            None => Ok(()),
        }
    }

    /// The body as JSON, with the documented fields only.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, OktaError> {
        serde_json::from_slice(&self.body).map_err(|error| OktaError::invalid(&error.to_string()))
    }
}

pub(super) fn respond(answer: Result<Answered, OktaError>, left: u32, now: Moment) -> Response {
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    let (status, body) = match answer {
        Ok(Answered { status: 204, .. }) => (StatusCode::NO_CONTENT, Body::empty()),
        Ok(Answered { status, body, next }) => {
            headers.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
            let link = next.and_then(|url| HeaderValue::try_from(format!("<{url}>; rel=\"next\"")).ok());
            headers.extend(link.map(|link| (header::LINK, link)));
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Body::from(body.to_string()))
        }
        Err(error) => {
            let reply = error.into_reply();
            headers.extend(reply.headers);
            (reply.status, Body::from(reply.body))
        }
    };
    let reset = now.time().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() + 60;
    let mut number = |name: &'static str, value: u64| {
        headers.push((HeaderName::from_static(name), HeaderValue::from(value)));
    };
    number("x-rate-limit-limit", RATE_LIMIT.into());
    number("x-rate-limit-remaining", left.into());
    number("x-rate-limit-reset", reset);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}
