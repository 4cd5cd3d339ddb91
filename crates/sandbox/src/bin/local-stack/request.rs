//! Okta's request, read from a recorded invocation.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Headers of the recorded connection, not of Okta's request.
const OF_THE_CONNECTION: &[&str] = &["host", "content-length", "connection"];

/// A request from Okta.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Request {
    /// The request that API Gateway passed to the function as this event (payload format 2.0).
    pub(crate) fn of(event: &Value) -> Self {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, value) in event.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let value = HeaderValue::try_from(value.as_str().unwrap_or_default());
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value)
                && !OF_THE_CONNECTION.contains(&name.as_str())
            {
                headers.insert(name, value);
            }
        }
        let body = text("/body");
        let body = if event.get("isBase64Encoded") == Some(&Value::Bool(true)) {
            String::from_utf8(BASE64_STANDARD.decode(body).unwrap_or_default()).unwrap_or_default()
        } else {
            body.to_owned()
        };
        Self {
            method: text("/requestContext/http/method").parse().unwrap_or_default(),
            path: text("/rawPath").to_owned(),
            headers,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(body: &str, is_base64_encoded: bool) -> Value {
        json!({
            "version": "2.0",
            "rawPath": "/telephony",
            "headers": { "auth_secret": "a", "host": "example.com", "content-length": "2" },
            "requestContext": { "http": { "method": "POST", "path": "/telephony" } },
            "body": body,
            "isBase64Encoded": is_base64_encoded,
        })
    }

    #[test]
    fn the_request_is_taken_without_what_belongs_to_its_connection() {
        let request = Request::of(&event("{}", false));
        assert_eq!(request.method, Method::POST);
        assert_eq!((request.path.as_str(), request.body.as_str()), ("/telephony", "{}"));
        let names: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["auth_secret"]);
    }

    #[test]
    fn an_encoded_body_is_decoded() {
        assert_eq!(Request::of(&event("e30=", true)).body, "{}");
    }
}
