//! Reads secrets from Secrets Manager.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;

use crate::{
    aws::error::AwsFailure,
    secrets::{Cached, FromSecret, SecretError},
};

/// Secrets Manager.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    client: aws_sdk_secretsmanager::Client,
}

impl SecretsManager {
    /// A client with time-outs that fit a hook, on the shared HTTP client.
    pub fn new(sdk: &aws_config::SdkConfig) -> Self {
        Self { client: aws_sdk_secretsmanager::Client::new(sdk) }
    }

    /// One secret, kept.
    pub fn cached<T: FromSecret>(&self, id: &str, ttl: Duration) -> Arc<Cached<T>> {
        let (this, id) = (self.clone(), id.to_owned());
        Cached::new(ttl, move || {
            let (this, id) = (this.clone(), id.clone());
            async move { T::from_secret(&this.read(&id).await?) }
        })
    }

    async fn read(&self, id: &str) -> Result<SecretString, SecretError> {
        let answer = self.client.get_secret_value().secret_id(id).send().await;
        let answer = answer.map_err(|error| match AwsFailure::of(&error) {
            AwsFailure::Throttled | AwsFailure::Unavailable => SecretError::Unreachable,
            AwsFailure::AccessDenied | AwsFailure::KeyDenied => SecretError::AccessDenied,
            AwsFailure::NotFound => SecretError::NotFound,
            AwsFailure::Refused => SecretError::Refused,
        })?;
        answer.secret_string.map(SecretString::from).ok_or(SecretError::NotFound)
    }
}
