//! One request, and how a response leaves.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Answer, TwilioError};

/// A request, taken apart.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path, decoded.
    pub(super) path: Vec<String>,
    /// The query of a `GET`, else the form.
    pub(super) values: Vec<(String, String)>,
    /// User and password.
    pub(super) credentials: Option<(String, String)>,
}

impl Call {
    pub(super) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        let text = if method == Method::GET { uri.query().unwrap_or_default().as_bytes() } else { body };
        Self {
            method: method.clone(),
            path: uri.path().split('/').filter(|part| !part.is_empty()).map(decode).collect(),
            values: url::form_urlencoded::parse(text).into_owned().collect(),
            credentials: credentials(headers),
        }
    }

    /// The value of a parameter.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A boolean parameter, or what it was before.
    pub(super) fn flag(&self, name: &str, before: bool) -> Result<bool, TwilioError> {
        match self.value(name) {
            None => Ok(before),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(TwilioError::invalid_parameter(name)),
        }
    }

    /// Refuses a parameter that is not documented.
    pub(super) fn allow(&self, names: &[&str]) -> Result<(), TwilioError> {
        const PAGING: [&str; 3] = ["PageSize", "Page", "PageToken"];
        let is_get = self.method == Method::GET;
        let is_known = |name: &str| names.contains(&name) || (is_get && PAGING.contains(&name));
        match self.values.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(TwilioError::invalid_parameter(name)),
            None => Ok(()),
        }
    }
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

pub(super) fn respond(answer: Answer) -> Response {
    let (status, body, headers) = match answer {
        Ok((204, _)) => (StatusCode::NO_CONTENT, Body::empty(), Vec::new()),
        Ok((status, body)) => {
            let json = HeaderValue::from_static("application/json");
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Body::from(body.to_string()), vec![(header::CONTENT_TYPE, json)])
        }
        Err(error) => {
            let reply = error.into_reply();
            (reply.status, Body::from(reply.body), reply.headers)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}
