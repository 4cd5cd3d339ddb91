//! AWS Secrets Manager.

use std::{collections::BTreeMap, time::Duration};

use okta_twilio::{id::SafeId, time::clock::Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Aws, AwsError, Message, Service};
use crate::call::Response;

const SECRETS_MANAGER: Service = Service {
    host: "secretsmanager",
    signing_name: "secretsmanager",
    endpoint_variable: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
};

/// Label of a version that is not current yet.
const STAGED: &str = "okta-twilio-staged";

/// The current version of a secret.
pub(crate) struct SecretVersion {
    pub(crate) text: SecretString,
    id: SafeId,
}

/// Why a secret was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("somebody else changed the secret at the same moment, so it was left as it is: run the command again")]
    Conflict,
}

/// The current value of a secret. `None` if the secret does not exist, or has no value.
///
/// # Errors
/// Fails if Secrets Manager cannot be asked.
pub(crate) async fn value(aws: &Aws, id: &str) -> Result<Option<SecretString>, AwsError> {
    Ok(current(aws, id).await?.map(|version| version.text))
}

/// The current version of a secret. `None` if the secret does not exist, or has no value.
///
/// # Errors
/// Fails if Secrets Manager cannot be asked.
pub(crate) async fn current(aws: &Aws, id: &str) -> Result<Option<SecretVersion>, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Response {
        secret_string: Option<SecretString>,
        version_id: SafeId,
    }
    let response: Result<Response, _> =
        call(aws, "secretsmanager:GetSecretValue", "GetSecretValue", json!({"SecretId": id})).await;
    match response {
        Ok(response) => Ok(response.secret_string.map(|text| SecretVersion { text, id: response.version_id })),
        Err(error) if error.is_code("ResourceNotFoundException") || error.is_code("InvalidRequestException") => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// When a secret was changed last. `None` if that is not known.
///
/// # Errors
/// Fails if Secrets Manager cannot be asked.
pub(crate) async fn last_changed(aws: &Aws, id: &str) -> Result<Option<Timestamp>, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Description {
        /// In seconds since 1970, with a fraction.
        last_changed_date: Option<f64>,
    }
    let description: Description =
        call(aws, "secretsmanager:DescribeSecret", "DescribeSecret", json!({"SecretId": id})).await?;
    #[expect(clippy::cast_possible_truncation, reason = "a cast from f64 saturates")]
    let time = |seconds: f64| Timestamp::from_millis((seconds * 1_000.0) as i64);
    Ok(description.last_changed_date.map(time))
}

/// The tags of a secret.
///
/// # Errors
/// Fails if Secrets Manager cannot be asked.
pub(crate) async fn tags(aws: &Aws, id: &str) -> Result<BTreeMap<String, String>, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Description {
        #[serde(default)]
        tags: Vec<Tag>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Tag {
        key: String,
        #[serde(default)]
        value: String,
    }
    let description: Description =
        call(aws, "secretsmanager:DescribeSecret", "DescribeSecret", json!({"SecretId": id})).await?;
    Ok(description.tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

/// Adds a tag to a secret, or changes its value.
///
/// # Errors
/// Fails if Secrets Manager refuses, for example because the secret has 50 tags.
pub(crate) async fn tag(aws: &Aws, id: &str, key: &str, value: &str) -> Result<(), AwsError> {
    let body = json!({"SecretId": id, "Tags": [{"Key": key, "Value": value}]});
    send(aws, "secretsmanager:TagResource", "TagResource", body).await.map(drop)
}

/// Removes tags from a secret. One that the secret does not have is no error.
///
/// # Errors
/// Fails if Secrets Manager refuses.
pub(crate) async fn untag(aws: &Aws, id: &str, keys: &[&str]) -> Result<(), AwsError> {
    let body = json!({"SecretId": id, "TagKeys": keys});
    send(aws, "secretsmanager:UntagResource", "UntagResource", body).await.map(drop)
}

/// How long nothing has changed a secret, by the clock of AWS alone. `None` if that is not known.
///
/// # Errors
/// Fails if Secrets Manager cannot be asked.
pub(crate) async fn age(aws: &Aws, id: &str) -> Result<Option<Duration>, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Description {
        /// In seconds since 1970, with a fraction.
        last_changed_date: Option<f64>,
    }
    let action = "secretsmanager:DescribeSecret";
    let body = json!({"SecretId": id});
    let message = Message::Json { version: "1.1", target: "secretsmanager.DescribeSecret", body: &body };
    let response = aws.send(SECRETS_MANAGER, action, message).await?;
    let description: Description = response.json().ok_or(AwsError::NotUnderstood { action })?;
    let now = response.header("date").and_then(Timestamp::parse_http_date);
    #[expect(clippy::cast_precision_loss, reason = "a time in seconds has fewer than 53 bits")]
    let age = |now: Timestamp, changed: f64| Duration::try_from_secs_f64(now.as_secs() as f64 - changed);
    // A negative age is a change within the present second.
    Ok(now.zip(description.last_changed_date).map(|(now, changed)| age(now, changed).unwrap_or_default()))
}

/// Replaces a version of a secret. The new version is stored next to it, and becomes current only if `old` still is.
///
/// # Errors
/// [`WriteError::Conflict`] if somebody else wrote since `old` was read. The secret then has their value.
pub(crate) async fn replace(aws: &Aws, id: &str, old: &SecretVersion, text: &SecretString) -> Result<(), WriteError> {
    const MOVE: &str = "secretsmanager:UpdateSecretVersionStage";
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Stored {
        version_id: SafeId,
    }
    let put = json!({
        "SecretId": id,
        "SecretString": text.expose_secret(),
        "VersionStages": [STAGED],
        // A repeated request stores nothing new.
        "ClientRequestToken": random_hex()?,
    });
    let new: Stored = call(aws, "secretsmanager:PutSecretValue", "PutSecretValue", put).await?;
    let make_current = json!({
        "SecretId": id,
        "VersionStage": "AWSCURRENT",
        "MoveToVersionId": new.version_id,
        "RemoveFromVersionId": old.id,
    });
    let moved = call::<Value>(aws, MOVE, "UpdateSecretVersionStage", make_current).await;
    // A version without a label is deleted by Secrets Manager. If the label stays, it harms nothing.
    let unlabel = json!({"SecretId": id, "VersionStage": STAGED, "RemoveFromVersionId": new.version_id});
    let _ = call::<Value>(aws, MOVE, "UpdateSecretVersionStage", unlabel).await;
    match moved {
        Err(error) if error.is_code("InvalidParameterException") || error.is_code("InvalidRequestException") => {
            // The first response can have been lost: then the repeated request finds its own version current.
            let is_ours = current(aws, id).await?.is_some_and(|version| version.id == new.version_id);
            if is_ours { Ok(()) } else { Err(WriteError::Conflict) }
        }
        moved => Ok(moved.map(drop)?),
    }
}

/// Stores the first version of a secret that has no value yet.
///
/// # Errors
/// Fails if Secrets Manager refuses.
pub(crate) async fn put_first(aws: &Aws, id: &str, text: &SecretString) -> Result<(), WriteError> {
    let put = json!({"SecretId": id, "SecretString": text.expose_secret(), "ClientRequestToken": random_hex()?});
    call::<Value>(aws, "secretsmanager:PutSecretValue", "PutSecretValue", put).await?;
    Ok(())
}

async fn call<T: serde::de::DeserializeOwned>(
    aws: &Aws,
    action: &'static str,
    operation: &'static str,
    body: Value,
) -> Result<T, AwsError> {
    let target = format!("secretsmanager.{operation}");
    aws.json(SECRETS_MANAGER, action, Message::Json { version: "1.1", target: &target, body: &body }).await
}

/// Sends a request whose response has no body.
async fn send(aws: &Aws, action: &'static str, operation: &str, body: Value) -> Result<Response, AwsError> {
    let target = format!("secretsmanager.{operation}");
    aws.send(SECRETS_MANAGER, action, Message::Json { version: "1.1", target: &target, body: &body }).await
}

/// 32 random hexadecimal digits.
///
/// # Errors
/// Fails if the system has no random numbers.
pub(crate) fn random_hex() -> Result<String, AwsError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_no_random_numbers| AwsError::NoRandomNumbers)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
