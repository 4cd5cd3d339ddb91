//! AWS Lambda: how a function is configured.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Aws, AwsError, Message, Service};

const LAMBDA: Service =
    Service { host: "lambda", signing_name: "lambda", endpoint_variable: "AWS_ENDPOINT_URL_LAMBDA" };

/// The configuration of one version of a function.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FunctionConfiguration {
    #[serde(default)]
    environment: Environment,
    /// In seconds.
    pub(crate) timeout: u64,
    /// In MB.
    pub(crate) memory_size: u64,
    #[serde(default)]
    pub(crate) architectures: Vec<String>,
    #[serde(default)]
    pub(crate) logging_config: LoggingConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: HashMap<String, String>,
}

/// Where a function's lines go, and which are dropped.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LoggingConfig {
    pub(crate) log_group: Option<String>,
    pub(crate) application_log_level: Option<String>,
}

impl FunctionConfiguration {
    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.environment.variables.get(name).cloned()
    }

    /// The names of all variables.
    pub(crate) fn variable_names(&self) -> impl Iterator<Item = String> {
        self.environment.variables.keys().cloned()
    }
}

/// The configuration behind an alias.
///
/// # Errors
/// Fails if Lambda refuses, or has no such function.
pub(crate) async fn configuration(aws: &Aws, function: &str, alias: &str) -> Result<FunctionConfiguration, AwsError> {
    let encoded: String = url::form_urlencoded::byte_serialize(function.as_bytes()).collect();
    let path = format!("/2015-03-31/functions/{encoded}/configuration?Qualifier={alias}");
    aws.json(LAMBDA, "lambda:GetFunctionConfiguration", Message::Get { path: &path }).await
}
