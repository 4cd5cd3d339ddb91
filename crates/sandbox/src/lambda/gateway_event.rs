//! The event that an API Gateway HTTP API passes to a function for a request, payload format 2.0:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.

#![expect(clippy::indexing_slicing, reason = "an index on a JSON object that is built here inserts")]

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    aws::{ACCOUNT, REGION},
    clock::unix_time,
};

const API: &str = "a1b2c3d4e5";
const SOURCE_IP: &str = "192.0.2.10";

/// The event of a request that the gateway has just received.
pub fn gateway_event(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let event = GatewayEvent::new(method, path).body(body);
    headers.iter().fold(event, |event, (name, value)| event.header(name, value)).build()
}

/// A builder for events that [`gateway_event`] does not cover.
#[derive(Clone)]
pub struct GatewayEvent {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    base64: bool,
    claims: Option<Map<String, Value>>,
    received: Duration,
}

impl GatewayEvent {
    /// A request without a body and without a query, which the gateway has just received.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: BTreeMap::new(),
            body: Vec::new(),
            base64: false,
            claims: None,
            received: unix_time(),
        }
    }

    /// Adds a header. The gateway converts names to lower case and joins the values of a repeated header with commas.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|values| *values = format!("{values},{value}"))
            .or_insert_with(|| value.to_owned());
        self
    }

    /// Sets the body. A body that is not UTF-8 is encoded as base64.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Encodes the body as base64, as the gateway does for binary content types.
    #[must_use]
    pub fn base64(mut self) -> Self {
        self.base64 = true;
        self
    }

    /// Adds the claims of a token that the JWT authorizer has accepted. The gateway passes every value as a string.
    #[must_use]
    pub fn jwt_claims(mut self, claims: &[(&str, &str)]) -> Self {
        self.claims = Some(claims.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect());
        self
    }

    /// When the gateway received the request, in milliseconds since 1970.
    #[must_use]
    pub fn time_epoch(mut self, milliseconds: u64) -> Self {
        self.received = Duration::from_millis(milliseconds);
        self
    }

    /// The event.
    pub fn build(self) -> Value {
        let domain = format!("{API}.execute-api.{REGION}.amazonaws.com");
        let mut headers = self.headers;
        for (name, value) in [("host", domain.as_str()), ("x-forwarded-for", SOURCE_IP), ("x-forwarded-proto", "https")]
        {
            headers.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        if !self.body.is_empty() {
            headers.insert("content-length".to_owned(), self.body.len().to_string());
        }
        let mut context = json!({
            "accountId": ACCOUNT,
            "apiId": API,
            "domainName": domain,
            "domainPrefix": API,
            "http": {
                "method": self.method,
                "path": self.path,
                "protocol": "HTTP/1.1",
                "sourceIp": SOURCE_IP,
                "userAgent": headers.get("user-agent").map_or("", String::as_str),
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": common_log_time(self.received),
            "timeEpoch": u64::try_from(self.received.as_millis()).unwrap_or(u64::MAX),
        });
        if let Some(claims) = self.claims {
            context["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
        }
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": "",
            "headers": headers,
            "requestContext": context,
            "isBase64Encoded": false,
        });
        if !self.body.is_empty() {
            let text = if self.base64 { None } else { str::from_utf8(&self.body).ok() };
            event["isBase64Encoded"] = json!(text.is_none());
            event["body"] = text.map_or_else(|| json!(BASE64_STANDARD.encode(&self.body)), |text| json!(text));
        }
        event
    }
}

/// `requestContext.time`: `12/Mar/2020:19:03:58 +0000`.
fn common_log_time(since_1970: Duration) -> String {
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + since_1970);
    let mut parts = date.split(' ').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    format!("{}/{}/{}:{} +0000", next(), next(), next(), next())
}
