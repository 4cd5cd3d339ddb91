//! The AWS SDK on the shared HTTP client.

pub mod error;
pub mod json_api;
pub mod signature;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

/// Timeout of one operation, including its retry.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Timeout of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// The SDK's configuration. Region and credentials come from Lambda's variables, so a cold start reads no file and
/// calls no metadata service.
pub async fn sdk_config(region: Option<String>, client: &reqwest::Client) -> aws_config::SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(OPERATION_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let retries =
        aws_config::retry::RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(50));
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(region.map(aws_config::Region::new))
        .credentials_provider(aws_config::environment::EnvironmentVariableCredentialsProvider::new())
        .http_client(SdkHttpClient(client.clone()))
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
}

/// The shared HTTP client as the AWS SDK's connector.
///
/// It does not apply the SDK's connect and read timeouts. The client has its own connect timeout, and the SDK's attempt
/// and operation timeouts bound the rest.
#[derive(Clone, Debug)]
pub struct SdkHttpClient(pub reqwest::Client);

impl HttpClient for SdkHttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SdkHttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { sdk_call(&client, request).await })
    }
}

async fn sdk_call(client: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    // The SDK's JSON calls keep their bodies in memory. A streamed body would be our mistake.
    let body = body.bytes().map(Bytes::copy_from_slice).ok_or_else(|| ConnectorError::user("streamed body".into()))?;
    let request = reqwest::Request::try_from(http::Request::from_parts(parts, body))
        .map_err(|error| ConnectorError::user(error.into()))?;
    let mut response = client.execute(request).await.map_err(connector_error)?;
    let status =
        StatusCode::try_from(response.status().as_u16()).map_err(|error| ConnectorError::other(error.into(), None))?;
    let headers = std::mem::take(response.headers_mut());
    let body = response.bytes().await.map_err(connector_error)?;
    let mut sdk_response = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            sdk_response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(sdk_response)
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    use aws_sdk_secretsmanager::config::{Builder, Credentials};

    use crate::http_client::tests::{black_hole, client_of, server};

    #[tokio::test]
    async fn two_unreachable_addresses_of_four_are_tolerated() {
        let alive = server(r#"{"SecretString":"{}"}"#);
        let at = |last: u8| SocketAddr::from(([127, 0, 0, last], alive.port()));
        let _dead = [black_hole(at(5)), black_hole(at(6))];
        let client = client_of(&[at(5), at(6), alive, at(7)]);
        let sdk = sdk_config(Some("eu-west-1".to_owned()), &client).await;
        let config = Builder::from(&sdk)
            .endpoint_url(format!("http://secretsmanager.test:{}", alive.port()))
            .credentials_provider(Credentials::new("example", "example", None, None, "test"))
            // The machine can be busy, so the test checks the retry and not the time.
            .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).build());
        let secrets = aws_sdk_secretsmanager::Client::from_conf(config.build());
        let response = secrets.get_secret_value().secret_id("hooks").send().await.unwrap();
        assert_eq!(response.secret_string(), Some("{}"));
    }
}
