//! The gateway's format: API Gateway HTTP API, payload format 2.0. Function URLs use the same format.
//!
//! Each field is read separately, so an odd value in an unused field does no harm. Only the gateway can write this
//! envelope. The caller's data is in `headers` and `body`.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{json, time::clock::Timestamp};

/// A request that the gateway received. It has no `Debug`, because it holds the secret, the code and the number.
pub struct HookRequest {
    /// HTTP method.
    pub method: Method,
    /// The headers. The gateway lowercases their names and joins repeated headers with commas.
    pub headers: HeaderMap,
    /// The decoded body.
    pub body: Bytes,
    /// When the gateway received the request.
    pub gateway_time: Option<Timestamp>,
    /// The claims of the token that the gateway's JWT authorizer accepted. Only the gateway can write them.
    pub claims: Option<Map<String, Value>>,
}

/// Why an event is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARequest {
    /// No caller waits for a response: a scheduled event, or a plugin that keeps the function warm.
    #[error("the event is a ping")]
    Ping,
    /// The gateway is a REST API, a load balancer, or an HTTP API that is set to payload format 1.0.
    #[error("the event is a request in a payload format other than 2.0")]
    PayloadFormat,
    /// Anything else.
    #[error("the event is not a request from an API Gateway HTTP API")]
    Other,
}

/// A request, a batch or a hook payload has at least one of these fields. A ping has none.
const FIELDS_OF_NO_PING: [&str; 8] =
    ["requestContext", "httpMethod", "routeKey", "headers", "body", "Records", "eventType", "data"];

impl HookRequest {
    /// Parses an invocation's event.
    ///
    /// # Errors
    /// Fails if the event is not a request in payload format 2.0, or if its body is not in the declared encoding.
    pub fn from_event(event: &str) -> Result<Self, NotARequest> {
        let Some(Value::Object(mut event)) = json::read(event.as_bytes()) else {
            return Err(NotARequest::Other);
        };
        let context = event.remove("requestContext").unwrap_or_default();
        let Some(method) = context.pointer("/http/method").and_then(Value::as_str) else {
            return Err(match event {
                _ if event.contains_key("httpMethod") || event.get("version") == Some(&"1.0".into()) => {
                    NotARequest::PayloadFormat
                }
                _ if context.is_null() && !FIELDS_OF_NO_PING.iter().any(|field| event.contains_key(*field)) => {
                    NotARequest::Ping
                }
                _ => NotARequest::Other,
            });
        };
        let body = match event.remove("body") {
            Some(Value::String(body)) if event.get("isBase64Encoded") == Some(&true.into()) => {
                BASE64_STANDARD.decode(body).map_err(|_base64_error| NotARequest::Other)?.into()
            }
            Some(Value::String(body)) => body.into(),
            None | Some(Value::Null) => Bytes::new(),
            Some(_) => return Err(NotARequest::Other),
        };
        let time = context.get("timeEpoch").and_then(Value::as_i64).filter(|time| *time > 0);
        Ok(Self {
            method: Method::from_bytes(method.as_bytes()).map_err(|_invalid_method| NotARequest::Other)?,
            headers: headers(event.get("headers")),
            body,
            gateway_time: time.map(Timestamp::from_millis),
            claims: context.pointer("/authorizer/jwt/claims").and_then(Value::as_object).cloned(),
        })
    }
}

/// The readable headers.
fn headers(headers: Option<&Value>) -> HeaderMap {
    let headers = headers.and_then(Value::as_object).into_iter().flatten();
    let readable = headers.filter_map(|(name, value)| {
        let value = HeaderValue::from_bytes(value.as_str()?.as_bytes()).ok()?;
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    });
    // A header that occurs under two spellings stays two headers.
    readable.fold(HeaderMap::new(), |mut headers, (name, value)| {
        headers.append(name, value);
        headers
    })
}

/// A response to the caller.
#[derive(Debug)]
pub struct HookResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// JSON, or `None`.
    pub body: Option<String>,
    /// The header `Allow` of a 405.
    pub allow: Option<&'static str>,
}

impl HookResponse {
    /// A response with a JSON body.
    pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Self {
        // Maps with text keys and plain values always serialize.
        Self { status, body: Some(serde_json::to_string(body).unwrap_or_default()), allow: None }
    }

    /// A response without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, body: None, allow: None }
    }

    /// Converts the response to the gateway's format.
    pub fn into_event(self) -> GatewayResponse {
        let mut headers = BTreeMap::new();
        if self.body.is_some() {
            headers.insert(CONTENT_TYPE.as_str(), "application/json");
        }
        // The response belongs to one code, so no cache may store it.
        headers.insert(CACHE_CONTROL.as_str(), "no-store");
        if let Some(allow) = self.allow {
            headers.insert(ALLOW.as_str(), allow);
        }
        let (status_code, body) = (self.status.as_u16(), self.body.unwrap_or_default());
        GatewayResponse { status_code, headers, body, is_base64_encoded: false, cookies: [] }
    }
}

/// A response in the format that every type of API Gateway accepts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayResponse {
    status_code: u16,
    headers: BTreeMap<&'static str, &'static str>,
    body: String,
    is_base64_encoded: bool,
    /// Always empty, but `cargo lambda watch` requires the field.
    cookies: [&'static str; 0],
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(body: &str, base64: bool) -> Value {
        json!({
            "version": "2.0", "routeKey": "POST /telephony", "rawPath": "/telephony", "rawQueryString": "",
            "headers": {"auth_secret": "a"}, "body": body, "isBase64Encoded": base64,
            "requestContext": {"timeEpoch": 1_800_000_000_000_i64, "http": {"method": "POST", "path": "/telephony"}}
        })
    }

    fn read(event: &Value) -> Result<HookRequest, NotARequest> {
        HookRequest::from_event(&event.to_string())
    }

    #[test]
    fn reads_plain_and_base64_bodies() {
        let request = read(&event("{}", false)).unwrap();
        assert_eq!((&request.method, &request.body[..]), (&Method::POST, &b"{}"[..]));
        assert_eq!(request.gateway_time, Some(Timestamp::from_millis(1_800_000_000_000)));
        assert_eq!(request.headers["auth_secret"], "a");
        assert_eq!(request.claims, None);
        assert_eq!(read(&event("e30=", true)).unwrap().body, "{}");
    }

    #[test]
    fn odd_values_in_unused_fields_do_no_harm() {
        for path in [
            "version",
            "routeKey",
            "rawPath",
            "rawQueryString",
            "cookies",
            "queryStringParameters",
            "stageVariables",
            "pathParameters",
            "isBase64Encoded",
            "tomorrow",
            "requestContext/accountId",
            "requestContext/authorizer",
            "requestContext/timeEpoch",
            "requestContext/time",
            "requestContext/http/path",
            "requestContext/http/tls",
            "requestContext/authentication",
            "headers/x-other",
            "headers/bad name",
        ] {
            for value in ["null", "7", "-1", "1e999", "[]", "{}", "[1]", "\"\\ud83d\"", "{\"a\":{\"b\":null}}"] {
                let mut changed = event("{}", false);
                let (parent, field) = path.rsplit_once('/').unwrap_or(("", path));
                let parent = if parent.is_empty() { String::new() } else { format!("/{parent}") };
                changed.pointer_mut(&parent).unwrap()[field] = json!("@");
                let text = changed.to_string().replace("\"@\"", value);
                let request = HookRequest::from_event(&text).unwrap();
                assert_eq!(
                    (&request.body[..], request.headers.get("auth_secret").unwrap().as_bytes()),
                    (&b"{}"[..], &b"a"[..])
                );
            }
        }
    }

    #[test]
    fn unreadable_headers_are_dropped() {
        for headers in
            [json!(null), json!([]), json!("auth_secret"), json!({"auth_secret": ["a"]}), json!({"auth_secret": 7})]
        {
            let mut changed = event("{}", false);
            changed["headers"] = headers;
            assert!(read(&changed).unwrap().headers.is_empty());
        }
    }

    #[test]
    fn refuses_anything_else() {
        let mut bodies = [json!(7), json!({}), json!([])]
            .map(|body| {
                let mut changed = event("", false);
                changed["body"] = body;
                changed.to_string()
            })
            .to_vec();
        bodies.push(event("not base64!", true).to_string());
        bodies.extend(
            ["null", "[]", "\"\"", "7", "{", "", "{\"Records\":[]}", "{\"requestContext\":{}}", "\u{feff}{}"]
                .map(str::to_owned),
        );
        // A gateway that passes only the body.
        bodies.push(json!({"eventType": "com.okta.telephony.provider", "data": {}}).to_string());
        for event in bodies {
            assert_eq!(HookRequest::from_event(&event).err(), Some(NotARequest::Other), "{event}");
        }
    }

    #[test]
    fn knows_other_payload_formats() {
        for event in [
            json!({"resource": "/telephony", "path": "/telephony", "httpMethod": "POST", "headers": {}, "body": "{}",
                "requestContext": {"resourcePath": "/telephony", "httpMethod": "POST"}}),
            json!({"version": "1.0", "resource": "/telephony", "httpMethod": "POST", "requestContext": {}}),
            json!({"requestContext": {"elb": {}}, "httpMethod": "POST", "path": "/"}),
        ] {
            assert_eq!(read(&event).err(), Some(NotARequest::PayloadFormat), "{event}");
        }
    }

    #[test]
    fn knows_a_ping() {
        for event in [
            json!({}),
            json!({"source": "serverless-plugin-warmup"}),
            json!({"warmer": true, "concurrency": 3}),
            json!({"version": "0", "id": "53dc4d37", "detail-type": "Scheduled Event", "source": "aws.events",
                "account": "123456789012", "time": "2026-11-23T00:00:00Z", "region": "eu-west-1",
                "resources": ["arn:aws:events:eu-west-1:123456789012:rule/warm"], "detail": {}}),
        ] {
            assert_eq!(read(&event).err(), Some(NotARequest::Ping), "{event}");
        }
    }

    #[test]
    fn sees_the_claims_of_the_jwt_authorizer_only() {
        let mut changed = event("{}", false);
        let claims = json!({"sub": "0oa1", "exp": 1_800_000_000, "groups": ["a", 7], "scp": "[telephony]"});
        changed["requestContext"]["authorizer"] = json!({"jwt": {"claims": claims, "scopes": ["telephony"]}});
        assert_eq!(read(&changed).unwrap().claims.map(Value::from), Some(claims));
        for authorizer in [json!({"lambda": {"sub": "0oa1"}}), json!({"jwt": {"claims": "x"}}), json!({"jwt": null})] {
            changed["requestContext"]["authorizer"] = authorizer;
            assert_eq!(read(&changed).unwrap().claims, None);
        }
    }

    #[test]
    fn a_response_has_the_form_that_gateways_accept() {
        let mut response = HookResponse::json(StatusCode::METHOD_NOT_ALLOWED, &json!({"a": 1}));
        response.allow = Some("POST");
        assert_eq!(
            serde_json::to_value(response.into_event()).unwrap(),
            json!({
                "statusCode": 405, "isBase64Encoded": false, "body": "{\"a\":1}", "cookies": [],
                "headers": {"allow": "POST", "cache-control": "no-store", "content-type": "application/json"}
            })
        );
    }
}
