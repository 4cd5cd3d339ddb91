//! Amazon SQS: the feedback queue and its dead-letter queue.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Aws, AwsError, Message, Service};

const SQS: Service = Service { host: "sqs", signing_name: "sqs", endpoint_variable: "AWS_ENDPOINT_URL_SQS" };

/// Hides a message while it is stored again.
const VISIBILITY_TIMEOUT_SECONDS: u32 = 60;

/// A message of a FIFO queue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct QueueMessage {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    pub(crate) body: String,
    pub(crate) attributes: FifoAttributes,
}

/// The attributes that order messages and drop duplicates.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FifoAttributes {
    pub(crate) message_group_id: String,
    pub(crate) message_deduplication_id: String,
}

/// The URL of a queue's dead-letter queue. `None` if it has none.
///
/// # Errors
/// Fails if SQS cannot be asked, or if a queue does not exist.
pub(crate) async fn dead_letter_queue(aws: &Aws, queue: &str) -> Result<Option<String>, AwsError> {
    #[derive(Default, Deserialize)]
    struct Attributes {
        #[serde(rename = "RedrivePolicy")]
        redrive_policy: Option<String>,
    }
    #[derive(Deserialize)]
    struct Response {
        #[serde(default, rename = "Attributes")]
        attributes: Attributes,
    }
    #[derive(Deserialize)]
    struct RedrivePolicy {
        #[serde(rename = "deadLetterTargetArn")]
        arn: String,
    }
    #[derive(Deserialize)]
    struct Url {
        #[serde(rename = "QueueUrl")]
        url: String,
    }
    let action = "sqs:GetQueueAttributes";
    let body = json!({"QueueUrl": queue, "AttributeNames": ["RedrivePolicy"]});
    let response: Response = call(aws, action, "GetQueueAttributes", &body).await?;
    let Some(policy) = response.attributes.redrive_policy else { return Ok(None) };
    let policy: RedrivePolicy =
        serde_json::from_str(&policy).map_err(|_not_json| AwsError::NotUnderstood { action })?;
    let name = policy.arn.rsplit(':').next().unwrap_or_default();
    let url: Url = call(aws, "sqs:GetQueueUrl", "GetQueueUrl", &json!({"QueueName": name})).await?;
    Ok(Some(url.url))
}

/// Receives up to ten messages, which are hidden from others for a minute.
///
/// # Errors
/// Fails if SQS cannot be asked.
pub(crate) async fn receive(aws: &Aws, queue: &str) -> Result<Vec<QueueMessage>, AwsError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(default, rename = "Messages")]
        messages: Vec<QueueMessage>,
    }
    let body = json!({
        "QueueUrl": queue,
        "MaxNumberOfMessages": 10,
        "VisibilityTimeout": VISIBILITY_TIMEOUT_SECONDS,
        "MessageSystemAttributeNames": ["MessageGroupId", "MessageDeduplicationId"],
    });
    let response: Response = call(aws, "sqs:ReceiveMessage", "ReceiveMessage", &body).await?;
    Ok(response.messages)
}

/// Stores a message in a queue.
///
/// # Errors
/// Fails if SQS does not store it.
pub(crate) async fn send(
    aws: &Aws,
    queue: &str,
    message: &QueueMessage,
    deduplication_id: &str,
) -> Result<(), AwsError> {
    let body = json!({
        "QueueUrl": queue,
        "MessageBody": message.body,
        "MessageGroupId": message.attributes.message_group_id,
        "MessageDeduplicationId": deduplication_id,
    });
    call::<Value>(aws, "sqs:SendMessage", "SendMessage", &body).await.map(drop)
}

/// Deletes a message that was received.
///
/// # Errors
/// Fails if SQS does not delete it.
pub(crate) async fn delete(aws: &Aws, queue: &str, message: &QueueMessage) -> Result<(), AwsError> {
    let body = json!({"QueueUrl": queue, "ReceiptHandle": message.receipt_handle});
    // The response has no body.
    let message = Message::Json { version: "1.0", target: "AmazonSQS.DeleteMessage", body: &body };
    aws.send(SQS, "sqs:DeleteMessage", message).await.map(drop)
}

async fn call<T: DeserializeOwned>(
    aws: &Aws,
    action: &'static str,
    operation: &'static str,
    body: &Value,
) -> Result<T, AwsError> {
    let target = format!("AmazonSQS.{operation}");
    aws.json(SQS, action, Message::Json { version: "1.0", target: &target, body }).await
}
