//! What the stack asks of the AWS emulator.

use serde_json::{Value, json};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{error::Error, http};

/// The region that everything here runs in.
pub(crate) const REGION: &str = "us-east-1";

/// Access key and secret key: the emulator takes any.
pub(crate) const ACCESS_KEY: &str = "local";

/// An operation of a service, in AWS's JSON protocol.
struct Operation {
    name: &'static str,
    target: &'static str,
    service: &'static str,
    content_type: &'static str,
}

const CREATE_SECRET: Operation = Operation {
    name: "CreateSecret",
    target: "secretsmanager.CreateSecret",
    service: "secretsmanager",
    content_type: "application/x-amz-json-1.1",
};

/// Stores a secret.
pub(crate) fn create_secret(endpoint: &str, name: &str, secret: &Value) -> Result<(), Error> {
    let parameters = json!({ "Name": name, "SecretString": secret.to_string() });
    call(endpoint, &CREATE_SECRET, &parameters).map(drop)
}

fn call(endpoint: &str, operation: &Operation, parameters: &Value) -> Result<Value, Error> {
    let service = operation.service;
    // The emulator finds the service by it and does not check the signature.
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    );
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("x-amz-target"), HeaderValue::from_static(operation.target));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(operation.content_type));
    if let Ok(authorization) = HeaderValue::try_from(authorization) {
        headers.insert(header::AUTHORIZATION, authorization);
    }
    let answer = http::send(&Method::POST, endpoint, &headers, &parameters.to_string())?;
    let refused = |body| Error::Aws { operation: operation.name, status: answer.status, body };
    if answer.status != 200 {
        return Err(refused(answer.body));
    }
    serde_json::from_str(&answer.body).map_err(|_not_json| refused(answer.body))
}
