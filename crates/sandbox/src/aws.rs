//! Requests to the AWS emulator, in AWS's JSON protocols.

use serde_json::Value;
use std::time::Duration;
use ureq::Agent;

/// The region of all AWS resources in the local stack.
pub const REGION: &str = "us-east-1";

/// The account of all AWS resources in the local stack.
pub(crate) const ACCOUNT: &str = "123456789012";

/// Access key and secret key: the emulator accepts any.
pub const ACCESS_KEY: &str = "local";

/// A response takes a few milliseconds. A paused emulator does not respond.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// The reason why a request to the emulator failed.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The emulator did not respond in time.
    #[error("the AWS emulator does not respond: {0}")]
    NoResponse(#[source] Box<ureq::Error>),
    /// The emulator responded with an error or with an unexpected body.
    #[error("{operation}: {status}: {body}")]
    Refused {
        /// The operation, as in `X-Amz-Target`.
        operation: &'static str,
        /// HTTP status.
        status: u16,
        /// Response body.
        body: String,
    },
}

/// An operation of a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    service: &'static str,
    target: &'static str,
    content_type: &'static str,
}

impl Operation {
    pub(crate) const fn sqs(target: &'static str) -> Self {
        Self { service: "sqs", target, content_type: "application/x-amz-json-1.0" }
    }

    pub(crate) const fn dynamodb(target: &'static str) -> Self {
        Self { service: "dynamodb", target, content_type: "application/x-amz-json-1.0" }
    }

    pub(crate) const fn secrets_manager(target: &'static str) -> Self {
        Self { service: "secretsmanager", target, content_type: "application/x-amz-json-1.1" }
    }

    /// The error for a response without an expected field.
    pub(crate) fn not_understood(self, body: String) -> AwsError {
        AwsError::Refused { operation: self.target, status: 200, body }
    }
}

/// Sends one request. `waiting` is the time that the request asks the emulator to wait before it responds.
pub(crate) fn call(
    endpoint: &str,
    operation: Operation,
    parameters: &Value,
    waiting: Duration,
) -> Result<Value, AwsError> {
    let failed = |error| AwsError::NoResponse(Box::new(error));
    // The emulator reads the service from this header and does not check the signature.
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/{}/aws4_request, SignedHeaders=host, Signature=0",
        operation.service
    );
    let mut answer = agent(TIME_LIMIT + waiting)
        .post(endpoint)
        .header("x-amz-target", operation.target)
        .content_type(operation.content_type)
        .header("authorization", authorization)
        .send(parameters.to_string())
        .map_err(failed)?;
    let body = answer.body_mut().read_to_string().map_err(failed)?;
    let status = answer.status().as_u16();
    match serde_json::from_str(&body) {
        Ok(value) if status == 200 => Ok(value),
        _ => Err(AwsError::Refused { operation: operation.target, status, body }),
    }
}

/// A client for loopback that returns every response, whatever its status.
pub(crate) fn agent(limit: Duration) -> Agent {
    // A machine's proxy settings are not meant for loopback.
    Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false).proxy(None).build().into()
}
