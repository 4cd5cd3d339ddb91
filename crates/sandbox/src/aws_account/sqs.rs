//! Amazon SQS: what is known about queues. The emulator has queues that take messages.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::{
    Account,
    protocol::{self, Call, Refusal},
};
use crate::aws::{ACCOUNT, REGION};

const MISSING: Refusal = Refusal::new(400, "QueueDoesNotExist");

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Whether it keeps the order and drops duplicates.
    pub is_fifo: bool,
    /// In seconds.
    pub visibility_timeout: u64,
    /// Name of its dead-letter queue.
    pub dead_letter_queue: Option<String>,
    /// The number of messages that can be received.
    pub visible: u64,
    /// The number of messages that were received and are not deleted.
    pub in_flight: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { is_fifo: true, visibility_timeout: 180, dead_letter_queue: None, visible: 0, in_flight: 0 }
    }
}

/// The URL of a queue.
pub fn queue_url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

pub(super) fn url(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let (name, _queue) = account.queues.get_key_value(text(call, "QueueName")?).ok_or(MISSING)?;
    Ok(protocol::json_body(&json!({"QueueUrl": queue_url(name)})))
}

pub(super) fn attributes(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let name = text(call, "QueueUrl")?.rsplit('/').next().ok_or(MISSING)?;
    let queue = account.queues.get(name).ok_or(MISSING)?;
    if call.body.get("AttributeNames") != Some(&json!(["All"])) {
        return Err(Refusal::new(400, "InvalidAttributeName"));
    }
    let mut attributes = BTreeMap::from([
        ("QueueArn", arn(name)),
        ("VisibilityTimeout", queue.visibility_timeout.to_string()),
        ("ApproximateNumberOfMessages", queue.visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", queue.in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
    ]);
    if queue.is_fifo {
        attributes.insert("FifoQueue", "true".to_owned());
    }
    if let Some(dead_letters) = &queue.dead_letter_queue {
        let policy = json!({"deadLetterTargetArn": arn(dead_letters), "maxReceiveCount": 8});
        attributes.insert("RedrivePolicy", policy.to_string());
    }
    Ok(protocol::json_body(&json!({"Attributes": attributes})))
}

fn text<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    call.body.get(name).and_then(Value::as_str).ok_or(Refusal::new(400, "MissingParameter"))
}
