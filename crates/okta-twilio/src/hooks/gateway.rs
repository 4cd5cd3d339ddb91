//! The front door: API Gateway's HTTP API, payload format 2.0.
//!
//! The event's types are those of `lambda_http`; the conversion is done here, because the crate's own panics on a body
//! that is not the base64 it claims to be, and because `event-hook` takes two kinds of events.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header::HeaderValue};
use lambda_http::aws_lambda_events::{
    apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    encodings::Body,
};
use serde::Serialize;

use crate::time::clock::Timestamp;

/// A request as the gateway took it.
#[derive(Debug)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Headers; the gateway sends their names in lower case and joins repeated ones with commas.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Bytes,
    /// When the gateway took it.
    pub gateway_time: Option<Timestamp>,
    /// Whether the gateway's JWT authorizer let it in. Only the gateway can write this.
    pub has_jwt_claims: bool,
}

/// The event is no HTTP request of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event is no API Gateway HTTP request in payload format 2.0")]
pub struct NotAnHttpRequest;

impl Request {
    /// Reads an invocation's event.
    ///
    /// # Errors
    /// If it is not a request in payload format 2.0, or its body is not what it claims to be.
    pub fn from_event(event: &str) -> Result<Self, NotAnHttpRequest> {
        let event: ApiGatewayV2httpRequest = serde_json::from_str(event).map_err(|_serde_error| NotAnHttpRequest)?;
        let body = event.body.unwrap_or_default();
        let body = if event.is_base64_encoded {
            BASE64_STANDARD.decode(body).map_err(|_base64_error| NotAnHttpRequest)?.into()
        } else {
            Bytes::from(body)
        };
        let context = event.request_context;
        let claims = context.authorizer.and_then(|authorizer| authorizer.jwt).map(|jwt| jwt.claims);
        Ok(Self {
            method: context.http.method,
            headers: event.headers,
            body,
            gateway_time: (context.time_epoch > 0).then(|| Timestamp::from_millis(context.time_epoch)),
            has_jwt_claims: claims.is_some_and(|claims| !claims.is_empty()),
        })
    }
}

/// An answer to the caller.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: StatusCode,
    /// JSON, or nothing.
    pub body: Option<String>,
    /// For 405.
    pub allow: Option<&'static str>,
}

impl Response {
    /// An answer with a JSON body.
    pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Self {
        // Maps with text keys and plain values always serialise.
        Self { status, body: Some(serde_json::to_string(body).unwrap_or_default()), allow: None }
    }

    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, body: None, allow: None }
    }

    /// The answer in the gateway's form.
    pub fn into_event(self) -> ApiGatewayV2httpResponse {
        let mut headers = HeaderMap::new();
        if self.body.is_some() {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        // Nothing on the way may keep an answer that belongs to one code.
        headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(allow) = self.allow {
            headers.insert(http::header::ALLOW, HeaderValue::from_static(allow));
        }
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = self.status.as_u16().into();
        response.headers = headers;
        response.body = Some(Body::from(self.body.unwrap_or_default()));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(body: &str, base64: bool) -> String {
        json!({
            "version": "2.0", "routeKey": "POST /telephony", "rawPath": "/telephony", "rawQueryString": "",
            "headers": {"auth_secret": "a"}, "body": body, "isBase64Encoded": base64,
            "requestContext": {"timeEpoch": 1_800_000_000_000_i64, "http": {"method": "POST", "path": "/telephony"}}
        })
        .to_string()
    }

    #[test]
    fn reads_plain_and_base64_bodies() {
        let request = Request::from_event(&event("{}", false)).unwrap();
        assert_eq!((&request.method, &request.body[..]), (&Method::POST, &b"{}"[..]));
        assert_eq!(request.gateway_time, Some(Timestamp::from_millis(1_800_000_000_000)));
        assert_eq!(request.headers["auth_secret"], "a");
        assert!(!request.has_jwt_claims);
        assert_eq!(Request::from_event(&event("e30=", true)).unwrap().body, "{}");
    }

    #[test]
    fn refuses_anything_else() {
        for event in [event("not base64!", true), "null".into(), "[]".into(), "{\"Records\":[]}".into(), "{}".into()] {
            assert_eq!(Request::from_event(&event).err(), Some(NotAnHttpRequest), "{event}");
        }
    }

    #[test]
    fn sees_the_authorizer() {
        let mut with_claims: serde_json::Value = serde_json::from_str(&event("{}", false)).unwrap();
        with_claims["requestContext"]["authorizer"] =
            json!({"jwt": {"claims": {"sub": "0oa1"}, "scopes": ["telephony"]}});
        assert!(Request::from_event(&with_claims.to_string()).unwrap().has_jwt_claims);
        with_claims["requestContext"]["authorizer"] = json!({"jwt": {"claims": {}, "scopes": null}});
        assert!(!Request::from_event(&with_claims.to_string()).unwrap().has_jwt_claims);
        with_claims["requestContext"]["authorizer"] = json!({"lambda": {"sub": "0oa1"}});
        assert!(!Request::from_event(&with_claims.to_string()).unwrap().has_jwt_claims);
    }
}
