//! What the stack asks of the AWS emulator.

use serde_json::{Value, json};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{error::Error, http};

/// The region that everything here runs in.
pub(crate) const REGION: &str = "us-east-1";

/// Access key and secret key: the emulator takes any.
pub(crate) const ACCESS_KEY: &str = "local";

/// The AWS emulator.
pub(crate) struct Aws {
    endpoint: String,
}

impl Aws {
    pub(crate) fn new(endpoint: String) -> Self {
        Self { endpoint }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stores a secret.
    pub(crate) fn create_secret(&self, name: &str, secret: &Value) -> Result<(), Error> {
        const OPERATION: &str = "secretsmanager.CreateSecret";
        // The emulator finds the service by it and does not check the signature.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/secretsmanager/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-amz-target"), HeaderValue::from_static(OPERATION));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        if let Ok(authorization) = HeaderValue::try_from(authorization) {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        let parameters = json!({ "Name": name, "SecretString": secret.to_string() });
        let answer = http::send(&Method::POST, &self.endpoint, &headers, &parameters.to_string())?;
        match answer.status {
            200 => Ok(()),
            status => Err(Error::Aws { operation: OPERATION, status, body: answer.body }),
        }
    }
}
