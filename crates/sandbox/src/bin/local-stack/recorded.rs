//! A recorded invocation: what API Gateway hands to a function (payload format 2.0), one file of `events/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::error::Error;

/// Headers that belong to the recorded connection and not to Okta's request.
const OF_THE_CONNECTION: &[&str] = &["host", "content-length", "connection"];

/// A request of Okta's.
pub(crate) struct Recorded {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewayEvent {
    raw_path: String,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    request_context: RequestContext,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

/// The files of `events/`, in the order of their names.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: std::io::Error| Error::Event { path: directory.to_owned(), problem: error.to_string() };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Recorded {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let failed = |problem: String| Error::Event { path: path.to_owned(), problem };
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text).map_err(failed)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let event: GatewayEvent = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        for (name, value) in &event.headers {
            if !OF_THE_CONNECTION.contains(&name.as_str()) {
                let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
                headers.insert(name, HeaderValue::try_from(value).map_err(|error| error.to_string())?);
            }
        }
        let body = if event.is_base64_encoded {
            let bytes = BASE64_STANDARD.decode(&event.body).map_err(|error| error.to_string())?;
            String::from_utf8(bytes).map_err(|error| error.to_string())?
        } else {
            event.body
        };
        let method = event.request_context.http.method;
        Ok(Self {
            method: method.parse().map_err(|_invalid| format!("no HTTP method: {method}"))?,
            path: event.raw_path,
            headers,
            body,
        })
    }

    /// The function behind the path.
    pub(crate) fn function(&self) -> &'static str {
        match self.path.as_str() {
            "/events" => "event-hook",
            _ => "telephony-hook",
        }
    }

    /// What Okta asks for, in a few words.
    pub(crate) fn summary(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let text = |pointer: &str| match body.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "?".to_owned(),
        };
        let request = format!("{} {}", self.method, self.path);
        if body.pointer("/data/messageProfile").is_none() {
            return request;
        }
        let reason = text("/requestType");
        let reason = reason.rsplit('.').next().unwrap_or_default();
        format!(
            "{request}: {reason}, {} to {}, locale {}",
            text("/data/messageProfile/deliveryChannel"),
            text("/data/messageProfile/phoneNumber"),
            text("/data/messageProfile/locale"),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(body: &str, is_base64_encoded: bool) -> String {
        let event = json!({
            "version": "2.0",
            "rawPath": "/telephony",
            "headers": { "auth_secret": "a", "host": "example.com", "content-length": "2" },
            "requestContext": { "http": { "method": "POST", "path": "/telephony" } },
            "body": body,
            "isBase64Encoded": is_base64_encoded,
        });
        event.to_string()
    }

    #[test]
    fn the_request_is_taken_without_what_belongs_to_its_connection() {
        let recorded = Recorded::parse(&event("{}", false)).unwrap();
        assert_eq!(recorded.method, Method::POST);
        assert_eq!((recorded.path.as_str(), recorded.body.as_str()), ("/telephony", "{}"));
        let names: Vec<_> = recorded.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["auth_secret"]);
    }

    #[test]
    fn an_encoded_body_is_decoded() {
        assert_eq!(Recorded::parse(&event("e30=", true)).unwrap().body, "{}");
        assert!(Recorded::parse(&event("{}", true)).is_err());
    }
}
