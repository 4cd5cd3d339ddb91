//! AWS's three protocols: JSON, Query and REST.

use std::collections::HashMap;

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, Uri, header::AUTHORIZATION},
    response::Response,
};
use serde_json::{Value, json};

/// In which form a request came. Its response has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Json,
    Query,
}

/// A request that is signed for its service.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) protocol: Protocol,
    /// As in IAM: `cloudformation`.
    pub(super) service: &'static str,
    /// As in IAM: `DescribeStacks`.
    pub(super) operation: String,
    /// The form of a Query request, or the query of a REST request.
    pub(super) form: HashMap<String, String>,
    /// The body of a JSON request.
    pub(super) body: Value,
    /// The path of a REST request, decoded, without slashes at its ends.
    pub(super) path: Vec<String>,
}

impl Call {
    /// Reads a request.
    pub(super) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let signed_for = signed_for(headers).ok_or(Refusal::new(403, "MissingAuthenticationToken"))?;
        let service = match signed_for.as_str() {
            "sts" => "sts",
            "cloudformation" => "cloudformation",
            "lambda" => "lambda",
            "secretsmanager" => "secretsmanager",
            "sqs" => "sqs",
            "logs" => "logs",
            "monitoring" => "cloudwatch",
            _ => return Err(Refusal::new(403, "SignatureDoesNotMatch")),
        };
        let path: Vec<String> = uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let call = |protocol, operation: &str, form, body| Self {
            protocol,
            service,
            operation: operation.to_owned(),
            form,
            body,
            path: path.clone(),
        };
        if let Some(target) = headers.get("x-amz-target") {
            let operation = target.to_str().ok().and_then(|target| target.rsplit('.').next());
            let body = serde_json::from_slice(body).map_err(|_not_json| Refusal::new(400, "SerializationException"))?;
            return Ok(call(Protocol::Json, operation.unwrap_or_default(), HashMap::new(), body));
        }
        if method == Method::POST {
            let form: HashMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
            let operation = form.get("Action").cloned().ok_or(Refusal::new(400, "MissingAction"))?;
            return Ok(call(Protocol::Query, &operation, form, Value::Null));
        }
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let operation = match (service, path.last().map(String::as_str)) {
            ("lambda", Some("configuration")) => "GetFunctionConfiguration",
            _ => return Err(Refusal::new(404, "UnknownOperationException")),
        };
        Ok(call(Protocol::Json, operation, query, Value::Null))
    }
}

/// The service in the scope of the signature: `Credential=AKIA…/20261125/us-east-1/sts/aws4_request`.
fn signed_for(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let credential = header.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
    let [_key, _date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    (region == crate::aws::REGION && headers.contains_key("x-amz-date")).then(|| service.to_owned())
}

/// An error response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
}

impl Refusal {
    pub(super) const fn new(status: u16, code: &'static str) -> Self {
        Self { status, code }
    }

    pub(super) fn into_response(self, protocol: Protocol) -> Response {
        // What AWS writes into messages is not for people: it names resources and repeats what was sent.
        let message = "The text of AWS, which nobody must see.";
        let body = match protocol {
            Protocol::Json => json!({"__type": self.code, "message": message}).to_string(),
            Protocol::Query => format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{message}</Message></Error>\
                 <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>",
                self.code
            ),
        };
        respond(self.status, body)
    }
}

pub(super) fn xml(operation: &str, namespace: &str, result: &str) -> Response {
    respond(
        200,
        format!(
            "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{result}</{operation}Result>\
             <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>\
             </{operation}Response>"
        ),
    )
}

pub(super) fn json_body(body: &Value) -> Response {
    respond(200, body.to_string())
}

/// The response of an operation that returns nothing.
pub(super) fn empty() -> Response {
    respond(200, String::new())
}

fn respond(status: u16, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// A text as XML holds it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
