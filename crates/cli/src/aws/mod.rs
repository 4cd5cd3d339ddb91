//! The AWS calls of the tool, signed as the functions sign theirs and sent over the shared HTTP client.
//!
//! Three more SDK crates for about ten operations would be half a million lines of generated code.

pub(crate) mod cloudformation;
pub(crate) mod cloudwatch;
pub(crate) mod lambda;
pub(crate) mod logs;
pub(crate) mod secrets_manager;
pub(crate) mod sqs;
pub(crate) mod sts;
mod xml;

use std::time::{Duration, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use http::{Method, StatusCode};
use okta_twilio::{
    aws::{SdkHttpClient, json_api, signature::Signer},
    config,
    http_client::CallError,
    id::SafeId,
    time::clock::Clock,
};
use serde::Deserialize;
use serde_json::Value;

use crate::call::{self, Response};

/// Why AWS did not do what it was asked for. The texts of AWS are dropped, because they can hold what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AwsError {
    #[error("there are no AWS credentials here: sign in first, for example with `aws sso login`, or set AWS_PROFILE")]
    NoCredentials,
    #[error("no AWS region is set: give --region, or set AWS_REGION")]
    NoRegion,
    #[error("AWS did not answer {action}: {error}")]
    NoResponse { action: &'static str, error: CallError },
    #[error("the AWS credentials have expired: sign in again")]
    Expired,
    #[error("these AWS credentials may not call {action}: `okta-twilio permissions` prints the policy that is needed")]
    Forbidden { action: &'static str },
    #[error("AWS refused {action}: {}", code.as_ref().map_or("no code", SafeId::as_str))]
    Refused { action: &'static str, code: Option<SafeId>, status: u16 },
    #[error("the operating system gave no random numbers")]
    NoRandomNumbers,
    #[error("AWS answered {action} in a form that this version does not know")]
    NotUnderstood { action: &'static str },
}

impl AwsError {
    /// Whether AWS refused with this code.
    pub(crate) fn is_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if code.as_str() == wanted)
    }
}

/// A service, with its names in the endpoint, in the signature, and in the variable that replaces the endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    host: &'static str,
    signing_name: &'static str,
    endpoint_variable: &'static str,
}

/// What is sent, in the protocol of its service.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    /// AWS JSON: the operation is a header.
    Json { version: &'static str, target: &'a str, body: &'a Value },
    /// AWS Query: a form. The response is XML.
    Query { version: &'static str, operation: &'static str, form: &'a [(&'a str, &'a str)] },
    /// REST: `GET` of a path with its query.
    Get { path: &'a str },
}

/// An AWS account, as one person may use it.
#[derive(Clone)]
pub(crate) struct Aws {
    credentials: Credentials,
    region: Region,
    http: reqwest::Client,
    clock: Clock,
}

impl Aws {
    /// Finds credentials and region the way every AWS tool does.
    ///
    /// # Errors
    /// Fails if there is neither, or only one.
    pub(crate) async fn load(
        region: Option<&str>,
        profile: Option<&str>,
        http: &reqwest::Client,
        clock: &Clock,
    ) -> Result<Self, AwsError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(SdkHttpClient(http.clone()));
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        let sdk = loader.load().await;
        let provider = sdk.credentials_provider().ok_or(AwsError::NoCredentials)?;
        let credentials = provider.provide_credentials().await.map_err(|_provider_error| AwsError::NoCredentials)?;
        let region = sdk.region().cloned().ok_or(AwsError::NoRegion)?;
        Ok(Self { credentials, region, http: http.clone(), clock: clock.clone() })
    }

    /// The region, such as `eu-west-1`.
    pub(crate) fn region(&self) -> &str {
        self.region.as_ref()
    }

    /// Sends a message. `action` is the IAM action that allows it.
    ///
    /// # Errors
    /// Fails if AWS does not respond, or refuses.
    pub(crate) async fn send(
        &self,
        service: Service,
        action: &'static str,
        message: Message<'_>,
    ) -> Result<Response, AwsError> {
        let base = self.endpoint(service);
        let response = call::repeatable(|| self.request(service, &base, message)).await;
        let response = response.map_err(|error| AwsError::NoResponse { action, error })?;
        if response.status.is_success() { Ok(response) } else { Err(refusal(action, &response)) }
    }

    /// Sends a message and reads the JSON of its response.
    ///
    /// # Errors
    /// As [`Aws::send`], and if the response has another form.
    pub(crate) async fn json<T: serde::de::DeserializeOwned>(
        &self,
        service: Service,
        action: &'static str,
        message: Message<'_>,
    ) -> Result<T, AwsError> {
        let response = self.send(service, action, message).await?;
        response.json().ok_or(AwsError::NotUnderstood { action })
    }

    fn endpoint(&self, service: Service) -> String {
        let replaced = config::environment(service.endpoint_variable).filter(|url| !url.is_empty());
        let replaced = replaced.or_else(|| config::environment("AWS_ENDPOINT_URL").filter(|url| !url.is_empty()));
        if let Some(url) = replaced {
            return url.trim_end_matches('/').to_owned();
        }
        let suffix = json_api::dns_suffix(self.region(), false);
        format!("https://{}.{}.{suffix}", service.host, self.region())
    }

    fn request(&self, service: Service, base: &str, message: Message<'_>) -> reqwest::RequestBuilder {
        let (method, path, content_type, target, body) = match message {
            Message::Json { version, target, body } => {
                let content_type = format!("application/x-amz-json-{version}");
                (Method::POST, "/", Some(content_type), Some(target), body.to_string())
            }
            Message::Query { version, operation, form } => {
                let mut body = url::form_urlencoded::Serializer::new(String::new());
                body.append_pair("Action", operation).append_pair("Version", version).extend_pairs(form);
                let content_type = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
                (Method::POST, "/", Some(content_type), None, body.finish())
            }
            Message::Get { path } => (Method::GET, path, None, None, String::new()),
        };
        let mut request = http::Request::builder().method(method).uri(format!("{base}{path}"));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        let request = request.body(body).map_err(|_http_error| ()).and_then(|request| self.sign(service, request));
        match request.and_then(|request| reqwest::Request::try_from(request).map_err(|_url_error| ())) {
            Ok(request) => reqwest::RequestBuilder::from_parts(self.http.clone(), request),
            // An endpoint that is no URL: the client reports it when the request is sent.
            Err(()) => self.http.get(""),
        }
    }

    fn sign(&self, service: Service, mut request: http::Request<String>) -> Result<http::Request<String>, ()> {
        let millis = u64::try_from(self.clock.now().as_millis()).unwrap_or_default();
        let signer = Signer {
            credentials: self.credentials.clone(),
            region: self.region(),
            service: service.signing_name,
            time: UNIX_EPOCH + Duration::from_millis(millis),
        };
        signer.sign(&mut request).map_err(|_cannot_sign| ())?;
        Ok(request)
    }
}

/// Reads an error of any of the three protocols.
fn refusal(action: &'static str, response: &Response) -> AwsError {
    let code = response.header("x-amzn-errortype").map(str::to_owned).or_else(|| code_of_body(response));
    // `com.amazonaws.logs#AccessDeniedException:http://…`
    let code = code.as_deref().map(|code| code.split(':').next().unwrap_or(code));
    let code = code.map(|code| code.rsplit('#').next().unwrap_or(code));
    match code {
        Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => AwsError::Expired,
        Some(
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch",
        ) => AwsError::NoCredentials,
        Some("AccessDenied" | "AccessDeniedException") => AwsError::Forbidden { action },
        _ if response.status == StatusCode::FORBIDDEN && code.is_none() => AwsError::Forbidden { action },
        code => AwsError::Refused { action, code: code.and_then(SafeId::parse), status: response.status.as_u16() },
    }
}

fn code_of_body(response: &Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "__type", alias = "code", alias = "Code")]
        code: Option<String>,
    }
    if let Some(body) = response.json::<Body>() {
        return body.code;
    }
    let text = std::str::from_utf8(&response.body).ok()?;
    let document = roxmltree::Document::parse(text).ok()?;
    document.descendants().find(|node| node.has_tag_name("Code"))?.text().map(str::to_owned)
}
