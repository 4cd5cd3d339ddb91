//! AWS Secrets Manager.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::{Aws, AwsError, Message, Service};

const SECRETS_MANAGER: Service = Service {
    host: "secretsmanager",
    signing_name: "secretsmanager",
    endpoint_variable: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
};

/// The current value of a secret. `None` if the secret does not exist, or has no value.
///
/// # Errors
/// Fails if Secrets Manager cannot be asked.
pub(crate) async fn value(aws: &Aws, id: &str) -> Result<Option<SecretString>, AwsError> {
    #[derive(Deserialize)]
    struct Value {
        #[serde(rename = "SecretString")]
        text: Option<SecretString>,
    }
    let body = json!({"SecretId": id});
    let message = Message::Json { version: "1.1", target: "secretsmanager.GetSecretValue", body: &body };
    match aws.json::<Value>(SECRETS_MANAGER, "secretsmanager:GetSecretValue", message).await {
        Ok(value) => Ok(value.text),
        Err(error) if error.is_code("ResourceNotFoundException") || error.is_code("InvalidRequestException") => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
