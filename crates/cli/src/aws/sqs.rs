//! Amazon SQS: the feedback queue and its dead-letter queue.

use std::collections::HashMap;

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

/// The attributes of a queue.
#[derive(Debug)]
pub(crate) struct Queue {
    attributes: HashMap<String, String>,
}

impl Queue {
    pub(crate) fn is_fifo(&self) -> bool {
        self.attributes.get("FifoQueue").is_some_and(|value| value == "true")
    }

    /// In seconds.
    pub(crate) fn visibility_timeout(&self) -> Option<u64> {
        self.attributes.get("VisibilityTimeout")?.parse().ok()
    }

    /// The number of all messages, also of those that are hidden or delayed.
    pub(crate) fn depth(&self) -> u64 {
        let count = |name| self.attributes.get(&format!("ApproximateNumberOfMessages{name}"))?.parse::<u64>().ok();
        ["", "NotVisible", "Delayed"].into_iter().filter_map(count).sum()
    }

    /// Name of the dead-letter queue, if there is one.
    fn dead_letter_name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct RedrivePolicy {
            #[serde(rename = "deadLetterTargetArn")]
            arn: String,
        }
        let policy: RedrivePolicy = serde_json::from_str(self.attributes.get("RedrivePolicy")?).ok()?;
        policy.arn.rsplit(':').next().map(str::to_owned)
    }
}

/// Reads a queue. `None` if it does not exist.
///
/// # Errors
/// Fails if SQS cannot be asked.
pub(crate) async fn find(aws: &Aws, queue: &str) -> Result<Option<Queue>, AwsError> {
    existing(describe(aws, queue).await)
}

/// Reads the dead-letter queue of a queue. `None` if there is none.
///
/// # Errors
/// Fails if SQS cannot be asked.
pub(crate) async fn find_dead_letters(aws: &Aws, queue: &Queue) -> Result<Option<Queue>, AwsError> {
    let Some(name) = queue.dead_letter_name() else { return Ok(None) };
    match existing(url(aws, &name).await)? {
        Some(url) => find(aws, &url).await,
        None => Ok(None),
    }
}

/// The URL of a queue's dead-letter queue. `None` if it has none.
///
/// # Errors
/// Fails if SQS cannot be asked, or if a queue does not exist.
pub(crate) async fn dead_letter_queue(aws: &Aws, queue: &str) -> Result<Option<String>, AwsError> {
    match describe(aws, queue).await?.dead_letter_name() {
        Some(name) => url(aws, &name).await.map(Some),
        None => Ok(None),
    }
}

async fn describe(aws: &Aws, queue: &str) -> Result<Queue, AwsError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(default, rename = "Attributes")]
        attributes: HashMap<String, String>,
    }
    let body = json!({"QueueUrl": queue, "AttributeNames": ["All"]});
    let response: Response = call(aws, "sqs:GetQueueAttributes", "GetQueueAttributes", &body).await?;
    Ok(Queue { attributes: response.attributes })
}

async fn url(aws: &Aws, name: &str) -> Result<String, AwsError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "QueueUrl")]
        url: String,
    }
    let response: Response = call(aws, "sqs:GetQueueUrl", "GetQueueUrl", &json!({"QueueName": name})).await?;
    Ok(response.url)
}

/// A queue that does not exist is no error here.
fn existing<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_code("QueueDoesNotExist") => Ok(None),
        Err(error) => Err(error),
    }
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
