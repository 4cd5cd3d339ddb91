//! A client for AWS Secrets Manager.

use std::{sync::Arc, time::Duration};

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{Client, Config, error::ProvideErrorMetadata as _};
use secrecy::SecretString;

use crate::{
    aws::error::AwsFailure,
    secrets::{Cached, Secret, SecretError},
};

/// Time reserved for a retry after a lost response. A slow response may use all the other time.
const LEFT_FOR_RETRY: Duration = Duration::from_millis(400);

/// A client for Secrets Manager.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    client: Client,
}

impl SecretsManager {
    /// Creates the client on the shared HTTP client.
    pub fn new(sdk: &aws_config::SdkConfig) -> Self {
        let retries = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50));
        let config = aws_sdk_secretsmanager::config::Builder::from(sdk).retry_config(retries).build();
        Self { client: Client::from_conf(config) }
    }

    /// A cached secret. `read` parses its text.
    pub fn cached<T: Secret>(
        &self,
        id: &str,
        ttl: Duration,
        read: impl Fn(&SecretString) -> Result<T, SecretError> + Send + Sync + 'static,
    ) -> Arc<Cached<T>> {
        let (this, id, read) = (self.clone(), Arc::<str>::from(id), Arc::new(read));
        Cached::new(ttl, move |limit| {
            let (this, id, read) = (this.clone(), Arc::clone(&id), Arc::clone(&read));
            async move { read(&this.fetch(&id, limit).await?) }
        })
    }

    async fn fetch(&self, id: &str, limit: Duration) -> Result<SecretString, SecretError> {
        let attempt = limit.saturating_sub(LEFT_FOR_RETRY).max(limit / 2);
        let timeouts = TimeoutConfig::builder().operation_timeout(limit).operation_attempt_timeout(attempt).build();
        let request = self.client.get_secret_value().secret_id(id).customize();
        let response = request.config_override(Config::builder().timeout_config(timeouts)).send().await;
        let response = response.map_err(|error| match error.code() {
            // The secret is marked for deletion.
            Some("InvalidRequestException") => SecretError::NotFound,
            _ => SecretError::from(AwsFailure::of(&error)),
        })?;
        match (response.secret_string, response.secret_binary) {
            (Some(text), _) => Ok(text.into()),
            // The secret was stored as a file.
            (None, Some(bytes)) => match String::from_utf8(bytes.into_inner()) {
                Ok(text) => Ok(text.into()),
                Err(_not_utf8) => Err(SecretError::NotJson),
            },
            (None, None) => Err(SecretError::NotFound),
        }
    }
}
