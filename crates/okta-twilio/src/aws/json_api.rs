//! Calls of AWS services with a JSON protocol, on the shared HTTP client.
//!
//! The functions make three calls of DynamoDB and two of SQS. The SDK's clients for them would add 127 kB to telephony-hook's zip and
//! 208 kB to event-hook's, for protocols that are one POST of JSON. The signature, the credentials and the configured endpoints are the
//! SDK's own. Sources: AWS, "AWS JSON 1.0 protocol" (Smithy), and the API references of both services.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use aws_types::service_config::ServiceConfigKey;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use crate::{
    aws::{ATTEMPT_TIMEOUT, OPERATION_TIMEOUT, error::AwsFailure, signature::Signer},
    http_client::{self, HttpResponse},
    time::pauses::Pauses,
};

/// Maximum size of a response body. A page of DynamoDB has up to 1 MB of items, and more as JSON.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// The pause before a retry.
const PAUSE: Duration = Duration::from_millis(50);

/// A service, by its names in `AWS_ENDPOINT_URL_…`, in the endpoint and the signature, and in the header of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    id: &'static str,
    name: &'static str,
    target: &'static str,
}

/// Amazon DynamoDB.
pub const DYNAMODB: Service = Service { id: "DynamoDB", name: "dynamodb", target: "DynamoDB_20120810" };

/// Amazon Simple Queue Service.
pub const SQS: Service = Service { id: "SQS", name: "sqs", target: "AmazonSQS" };

/// How often a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tries {
    /// Once. The caller counts and spaces the tries.
    One,
    /// Once more after a transient failure.
    Two,
}

/// A client for one service.
#[derive(Clone, Debug)]
pub struct JsonApi {
    service: Service,
    endpoint: Option<Url>,
    region: String,
    credentials: Option<SharedCredentialsProvider>,
    clock: SharedTimeSource,
    http: reqwest::Client,
}

impl JsonApi {
    /// Creates the client. It makes no call.
    pub fn new(service: Service, sdk: &SdkConfig, http: &reqwest::Client) -> Self {
        Self {
            service,
            endpoint: endpoint(service, sdk),
            region: sdk.region().map(ToString::to_string).unwrap_or_default(),
            credentials: sdk.credentials_provider(),
            clock: sdk.time_source().unwrap_or_default(),
            http: http.clone(),
        }
    }

    /// The URL that calls go to, if the region or `AWS_ENDPOINT_URL` is usable.
    pub fn endpoint(&self) -> Option<&Url> {
        self.endpoint.as_ref()
    }

    /// Makes a call within 1.5 s, and returns the body of the response.
    ///
    /// # Errors
    /// Fails if the service does not respond in time, or refuses.
    pub async fn call(&self, operation: &str, body: &impl Serialize, tries: Tries) -> Result<Bytes, AwsFailure> {
        let body = Bytes::from(serde_json::to_vec(body).map_err(|_serde_error| AwsFailure::Refused)?);
        let end = Instant::now() + OPERATION_TIMEOUT;
        let first = self.attempt(operation, body.clone(), ATTEMPT_TIMEOUT).await;
        match first {
            Err(failure) if failure.is_transient() && tries == Tries::Two => {
                tokio::time::sleep(Pauses::new(PAUSE, PAUSE).take()).await;
                self.attempt(operation, body, end.saturating_duration_since(Instant::now()).min(ATTEMPT_TIMEOUT)).await
            }
            first => first,
        }
    }

    async fn attempt(&self, operation: &str, body: Bytes, timeout: Duration) -> Result<Bytes, AwsFailure> {
        let request = self.request(operation, body).await?;
        let request = reqwest::RequestBuilder::from_parts(self.http.clone(), request);
        let response = http_client::call_up_to(MAX_RESPONSE_BYTES, request, timeout)
            .await
            .map_err(|_call_error| AwsFailure::Unavailable)?;
        if response.status.is_success() {
            response.body.ok_or(AwsFailure::Unavailable)
        } else {
            Err(refusal(&response))
        }
    }

    async fn request(&self, operation: &str, body: Bytes) -> Result<reqwest::Request, AwsFailure> {
        let endpoint = self.endpoint.as_ref().ok_or(AwsFailure::Refused)?;
        let credentials = self.credentials.as_ref().ok_or(AwsFailure::AccessDenied)?.provide_credentials().await;
        let credentials = credentials.map_err(|_provider_error| AwsFailure::AccessDenied)?;
        let mut request = http::Request::post(endpoint.as_str())
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", format!("{}.{operation}", self.service.target))
            .body(body)
            .map_err(|_invalid| AwsFailure::Refused)?;
        let signer = Signer { credentials, region: &self.region, service: self.service.name, time: self.clock.now() };
        signer.sign(&mut request).map_err(|_cannot_sign| AwsFailure::Refused)?;
        reqwest::Request::try_from(request).map_err(|_invalid| AwsFailure::Refused)
    }
}

/// The endpoint of the SDK's variables, or else the one of the region.
fn endpoint(service: Service, sdk: &SdkConfig) -> Option<Url> {
    let key =
        ServiceConfigKey::builder().service_id(service.id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let configured = sdk.service_config().zip(key.ok()).and_then(|(config, key)| config.load_config(key));
    let configured = configured.or_else(|| sdk.endpoint_url().map(str::to_owned));
    let url = match configured {
        Some(url) => Url::parse(&url).ok()?,
        None => Url::parse(&regional_endpoint(service, sdk.region()?, sdk)).ok()?,
    };
    url.has_host().then_some(url)
}

/// Source: AWS, "AWS service endpoints", with the partitions in which both services have FIPS and dual-stack endpoints.
fn regional_endpoint(service: Service, region: &Region, sdk: &SdkConfig) -> String {
    let (name, region) = (service.name, region.as_ref());
    // In GovCloud, the ordinary endpoint is the FIPS endpoint.
    let is_fips = sdk.use_fips() == Some(true) && !region.starts_with("us-gov-");
    let suffix = dns_suffix(region, sdk.use_dual_stack() == Some(true));
    format!("https://{name}{}.{region}.{suffix}/", if is_fips { "-fips" } else { "" })
}

/// The end of an endpoint's name, which depends on the partition of the region.
pub fn dns_suffix(region: &str, is_dual_stack: bool) -> &'static str {
    match (is_dual_stack, region.split('-').next()) {
        (false, Some("cn")) => "amazonaws.com.cn",
        (true, Some("cn")) => "api.amazonwebservices.com.cn",
        (false, Some("eusc")) => "amazonaws.eu",
        (true, Some("eusc")) => "api.amazonwebservices.eu",
        (false, _) => "amazonaws.com",
        (true, _) => "api.aws",
    }
}

/// Reads the error code, which is in a header or in the body. The text of the service is dropped.
fn refusal(response: &HttpResponse) -> AwsFailure {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        name: Option<String>,
        code: Option<String>,
    }
    let of_body = || response.json::<Body>().and_then(|body| body.name.or(body.code));
    let code = response.header("x-amzn-errortype").map(str::to_owned).or_else(of_body);
    // `com.amazonaws.dynamodb.v20120810#ResourceNotFoundException:http://…`
    let code = code.as_deref().and_then(|code| code.split(':').next()?.rsplit('#').next());
    AwsFailure::of_code(code, response.status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdk(region: &'static str) -> aws_types::sdk_config::Builder {
        SdkConfig::builder().region(Region::from_static(region))
    }

    #[test]
    fn the_endpoint_is_that_of_the_partition() {
        for (region, dynamodb) in [
            ("eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com/"),
            ("us-gov-west-1", "https://dynamodb.us-gov-west-1.amazonaws.com/"),
            ("cn-north-1", "https://dynamodb.cn-north-1.amazonaws.com.cn/"),
            ("eusc-de-east-1", "https://dynamodb.eusc-de-east-1.amazonaws.eu/"),
        ] {
            assert_eq!(endpoint(DYNAMODB, &sdk(region).build()).unwrap().as_str(), dynamodb);
        }
        let of = |sdk: aws_types::sdk_config::Builder| endpoint(SQS, &sdk.build()).unwrap().to_string();
        assert_eq!(of(sdk("us-east-1")), "https://sqs.us-east-1.amazonaws.com/");
        assert_eq!(of(sdk("us-east-1").use_fips(true)), "https://sqs-fips.us-east-1.amazonaws.com/");
        assert_eq!(of(sdk("us-gov-west-1").use_fips(true)), "https://sqs.us-gov-west-1.amazonaws.com/");
        assert_eq!(of(sdk("us-east-1").use_dual_stack(true)), "https://sqs.us-east-1.api.aws/");
        assert_eq!(of(sdk("us-east-1").endpoint_url("http://127.0.0.1:4566")), "http://127.0.0.1:4566/");
        assert_eq!(endpoint(SQS, &SdkConfig::builder().build()), None);
        assert_eq!(endpoint(SQS, &sdk("no region").build()), None);
    }

    #[test]
    fn the_code_is_read_from_the_header_or_the_body() {
        let failure = |header: Option<&str>, body: &str| {
            let mut headers = http::HeaderMap::new();
            if let Some(header) = header {
                headers.insert("x-amzn-errortype", header.parse().unwrap());
            }
            let body = Some(Bytes::copy_from_slice(body.as_bytes()));
            refusal(&HttpResponse { status: http::StatusCode::BAD_REQUEST, headers, body })
        };
        let throttled = "ProvisionedThroughputExceededException:http://internal.amazon.com/coral/";
        assert_eq!(failure(Some(throttled), "{}"), AwsFailure::Throttled);
        for body in [
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"+12025550123"}"#,
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","code":"Other"}"#,
            r#"{"code":"ResourceNotFoundException"}"#,
        ] {
            assert_eq!(failure(None, body), AwsFailure::NotFound, "{body}");
        }
        for body in ["", "<html>", "{}", "null", r#"{"__type":7}"#] {
            assert_eq!(failure(None, body), AwsFailure::Refused, "{body}");
        }
    }
}
