//! The feedback queue: stores the events that Okta delivers, and reads the batches that Lambda delivers.
//!
//! It is an SQS FIFO queue. A message is one [`PhoneSuccess`]: ids and times, without private data. The event's uuid is
//! the deduplication id, so SQS drops Okta's redelivery for five minutes. The user id is the message group, so the
//! events of one user stay in order and do not delay those of other users.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use url::Url;

use crate::{
    aws::{
        error::AwsFailure,
        json_api::{JsonApi, SQS, Tries},
    },
    config::{ConfigError, Variables},
    id::SafeId,
    json,
    okta::event::PhoneSuccess,
    reason::Reason,
    time::{deadline::Deadline, pauses::Pauses},
};

/// Timeout for changing a message's visibility. It must fit between a batch's deadline and the end of the invocation.
const POSTPONE_TIMEOUT: Duration = Duration::from_millis(400);

/// Maximum number of messages in one SQS request.
const BATCH_SIZE: usize = 10;

/// How many batches are sent in parallel. A delivery of maximum size has about forty.
const CONCURRENCY: usize = 16;

/// A retry starts only if this much time is left.
const MIN_TIME_FOR_RETRY: Duration = Duration::from_millis(200);

/// The first and the longest pause between tries. About six tries fit into the budget of a delivery.
const PAUSES: (Duration, Duration) = (Duration::from_millis(60), Duration::from_millis(800));

/// Maximum number of tries for one message in a delivery.
const MAX_TRIES: usize = 12;

/// The wait after a message's first failure. It doubles after each further failure.
const FIRST_BACK_OFF: Duration = Duration::from_secs(5);

/// Maximum wait. A verification lives ten minutes, so a longer wait would give up on it.
const MAX_BACK_OFF: Duration = Duration::from_secs(120);

/// `FEEDBACK_QUEUE_URL` (none): the queue. Without it, feedback is given within Okta's request.
///
/// # Errors
/// Fails if it is not the URL of a FIFO queue.
pub fn queue_url(variables: &Variables<'_>) -> Result<Option<String>, ConfigError> {
    const VARIABLE: &str = "FEEDBACK_QUEUE_URL";
    const EXAMPLE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/feedback.fifo";
    match variables.base_url(VARIABLE, EXAMPLE)? {
        Some(url) if url.path().rsplit('.').next() != Some("fifo") => {
            Err(ConfigError::new(VARIABLE, "must be the URL of a FIFO queue", EXAMPLE))
        }
        url => Ok(url.map(String::from)),
    }
}

/// A stored message. A message of an unknown version is not processed.
#[derive(Deserialize)]
#[serde(tag = "version")]
enum StoredMessage {
    #[serde(rename = "1")]
    V1(PhoneSuccess),
}

/// The same message in the form for writing.
#[derive(Serialize)]
#[serde(tag = "version")]
enum NewMessage<'a> {
    #[serde(rename = "1")]
    V1(&'a PhoneSuccess),
}

/// Why a message was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// SQS did not respond in time, or it failed.
    #[error("SQS was unreachable or failed")]
    Unavailable,
    /// SQS or the queue's KMS key throttles requests.
    #[error("SQS throttles the requests")]
    Throttled,
    /// The function's role lacks permission to send.
    #[error("access to the queue is denied")]
    AccessDenied,
    /// The queue's KMS key is disabled or deleted, or the role lacks permission for it.
    #[error("the queue's key cannot be used")]
    KeyDenied,
    /// The queue does not exist.
    #[error("the queue does not exist")]
    NotFound,
    /// SQS rejected the message.
    #[error("SQS refused the message")]
    Refused,
}

impl QueueError {
    /// The reason code.
    pub fn reason(self) -> Reason {
        match self {
            Self::Unavailable | Self::Throttled => Reason::QueueUnavailable,
            Self::AccessDenied | Self::KeyDenied => Reason::QueueForbidden,
            Self::NotFound => Reason::QueueNotFound,
            Self::Refused => Reason::QueueRefused,
        }
    }

    /// What an admin can do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Unavailable => "Check AWS's status page and the function's network access to SQS.",
            Self::Throttled => {
                "Do nothing if it clears. Otherwise turn on high throughput for the FIFO queue, or raise the KMS key's request quota."
            }
            Self::AccessDenied => "Allow sqs:SendMessage on the queue for the function's role.",
            Self::KeyDenied => {
                "Enable the queue's KMS key, and allow kms:GenerateDataKey and kms:Decrypt for the function's role."
            }
            Self::NotFound => "Check FEEDBACK_QUEUE_URL and the function's region.",
            Self::Refused => "Report it. SQS rejects the format of the message.",
        }
    }

    /// Whether a retry a moment later could succeed without a change by anyone.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unavailable | Self::Throttled)
    }
}

impl From<AwsFailure> for QueueError {
    fn from(failure: AwsFailure) -> Self {
        match failure {
            AwsFailure::Throttled => Self::Throttled,
            AwsFailure::Unavailable => Self::Unavailable,
            AwsFailure::AccessDenied => Self::AccessDenied,
            AwsFailure::KeyDenied => Self::KeyDenied,
            AwsFailure::NotFound => Self::NotFound,
            AwsFailure::Refused => Self::Refused,
        }
    }
}

/// One message of a batch.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    id: String,
    message_body: String,
    message_deduplication_id: &'a str,
    message_group_id: &'a str,
}

impl<'a> Entry<'a> {
    fn of(index: usize, message: &'a PhoneSuccess) -> Option<Self> {
        Some(Self {
            id: index.to_string(),
            message_body: serde_json::to_string(&NewMessage::V1(message)).ok()?,
            message_deduplication_id: message.event_uuid.as_str(),
            message_group_id: message.user_id.as_str(),
        })
    }
}

/// The result of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchResult {
    #[serde(default)]
    successful: Vec<Stored>,
    #[serde(default)]
    failed: Vec<NotStored>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NotStored {
    id: String,
    code: String,
    #[serde(default)]
    sender_fault: bool,
}

/// A client for one queue.
#[derive(Clone, Debug)]
pub struct Queue {
    sqs: JsonApi,
    url: String,
}

impl Queue {
    /// Creates the client from the SDK's configuration, on the shared HTTP client.
    pub fn new(sdk: &aws_config::SdkConfig, http: &reqwest::Client, url: String) -> Self {
        Self { sqs: JsonApi::new(SQS, sdk, http), url }
    }

    /// The URL that calls go to.
    pub fn endpoint(&self) -> Option<&Url> {
        self.sqs.endpoint()
    }

    /// Stores messages in parallel batches. Retries rejected ones after growing pauses until the deadline. Returns one
    /// result per message.
    pub async fn store(&self, messages: &[PhoneSuccess], deadline: &Deadline) -> Vec<Result<(), QueueError>> {
        let mut results = vec![Err(QueueError::Unavailable); messages.len()];
        let mut open: Vec<usize> = (0..messages.len()).collect();
        let mut pauses = Pauses::new(PAUSES.0, PAUSES.1);
        for tries in 1.. {
            let send = |batch: &[usize]| {
                let entries = batch.iter().filter_map(|index| Some((*index, messages.get(*index)?))).collect();
                self.send(entries, deadline)
            };
            let mut responses = stream::iter(open.chunks(BATCH_SIZE)).map(send).buffer_unordered(CONCURRENCY);
            while let Some(response) = responses.next().await {
                for (index, result) in response {
                    if let Some(slot) = results.get_mut(index) {
                        *slot = result;
                    }
                }
            }
            drop(responses);
            open.retain(|index| matches!(results.get(*index), Some(Err(error)) if error.is_transient()));
            let pause = pauses.take();
            if open.is_empty() || tries == MAX_TRIES || deadline.remaining() < pause + MIN_TIME_FOR_RETRY {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        results
    }

    /// Sends one batch. SQS reports each message by the id in the request, which is its index here.
    async fn send(
        &self,
        messages: Vec<(usize, &PhoneSuccess)>,
        deadline: &Deadline,
    ) -> Vec<(usize, Result<(), QueueError>)> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct SendMessageBatch<'a> {
            queue_url: &'a str,
            entries: Vec<Entry<'a>>,
        }
        let entries = messages.iter().filter_map(|(index, message)| Entry::of(*index, message)).collect();
        let batch = SendMessageBatch { queue_url: &self.url, entries };
        // Only our own code counts and spaces the tries.
        let request = self.sqs.call("SendMessageBatch", &batch, Tries::One);
        let response = match tokio::time::timeout(deadline.remaining(), request).await {
            Ok(Ok(body)) => json::read::<BatchResult>(&body).ok_or(QueueError::Unavailable),
            Ok(Err(failure)) => Err(failure.into()),
            Err(_elapsed) => Err(QueueError::Unavailable),
        };
        let result_of = |index: usize| match &response {
            Ok(response) => result_in(response, &index.to_string()),
            Err(error) => Err(*error),
        };
        messages.iter().map(|(index, _)| (*index, result_of(*index))).collect()
    }

    /// Sets the visibility timeout before the next attempt.
    ///
    /// # Errors
    /// Fails if SQS does not do it. The queue's own visibility timeout then applies.
    pub async fn postpone(&self, receipt_handle: &str, delay: Duration) -> Result<(), QueueError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct ChangeMessageVisibility<'a> {
            queue_url: &'a str,
            receipt_handle: &'a str,
            visibility_timeout: u64,
        }
        let change =
            ChangeMessageVisibility { queue_url: &self.url, receipt_handle, visibility_timeout: delay.as_secs() };
        let request = self.sqs.call("ChangeMessageVisibility", &change, Tries::Two);
        match tokio::time::timeout(POSTPONE_TIMEOUT, request).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(QueueError::Unavailable),
        }
    }
}

fn result_in(response: &BatchResult, id: &str) -> Result<(), QueueError> {
    if response.successful.iter().any(|entry| entry.id == id) {
        return Ok(());
    }
    let failed = response.failed.iter().find(|entry| entry.id == id);
    // A message that the response does not list could be stored or not. A retry is safe, because the queue drops a
    // duplicate. The sender's fault matters only for an unknown code, because SQS also blames the sender for
    // throttling.
    Err(failed.map_or(QueueError::Unavailable, |failed| {
        AwsFailure::of_code(Some(&failed.code), if failed.sender_fault { 400 } else { 500 }).into()
    }))
}

/// Back-off after `receive_count` failed receives.
pub fn back_off(receive_count: u32) -> Duration {
    let doublings = receive_count.saturating_sub(1).min(16);
    FIRST_BACK_OFF.saturating_mul(1 << doublings).min(MAX_BACK_OFF)
}

/// A message that Lambda delivers.
#[derive(Debug)]
pub struct QueueMessage {
    /// SQS's id of the message. The batch response uses it.
    pub message_id: String,
    /// The handle of this receipt.
    pub receipt_handle: Option<String>,
    /// The message group. A message without a group forms its own.
    pub group: String,
    /// How often SQS has delivered it, including this time.
    pub receive_count: u32,
    /// The event in it. `None` if the message is not ours.
    pub message: Option<PhoneSuccess>,
}

/// The event looks like a batch, but its messages cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event is not a batch of SQS messages")]
pub struct NotABatch;

/// The messages of a batch. `None` if the event is not a batch. An event with `Records` is never treated as a request.
/// Each record is parsed separately, and only its used fields.
pub fn records(event: &str) -> Option<Result<Vec<QueueMessage>, NotABatch>> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        // `RawValue` distinguishes `null` from a missing field.
        #[serde(rename = "Records", borrow, default)]
        records: Records<'a>,
    }
    #[derive(Default)]
    struct Records<'a>(Option<&'a RawValue>);
    impl<'de: 'a, 'a> Deserialize<'de> for Records<'a> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <&RawValue>::deserialize(deserializer).map(|raw| Self(Some(raw)))
        }
    }
    // A request can be a megabyte, and has no such member.
    memmem::find(event.as_bytes(), br#""Records""#)?;
    let records = serde_json::from_str::<Envelope<'_>>(event).ok()?.records.0?;
    let records = json::read::<Vec<Value>>(records.get().as_bytes()).ok_or(NotABatch);
    Some(records.and_then(|records| records.iter().map(QueueMessage::read).collect()))
}

impl QueueMessage {
    fn read(record: &Value) -> Result<Self, NotABatch> {
        let text = |pointer| record.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let message_id = text("/messageId").ok_or(NotABatch)?.to_owned();
        let body = text("/body").filter(|_| text("/eventSource") == Some("aws:sqs"));
        let message = body.and_then(|body| json::read(body.as_bytes())).map(|StoredMessage::V1(success)| success);
        Ok(Self {
            receipt_handle: text("/receiptHandle").map(str::to_owned),
            group: text("/attributes/MessageGroupId").unwrap_or(&message_id).to_owned(),
            receive_count: text("/attributes/ApproximateReceiveCount").and_then(|text| text.parse().ok()).unwrap_or(1),
            message,
            message_id,
        })
    }

    /// The id of the message, for the log.
    pub fn log_id(&self) -> Option<SafeId> {
        SafeId::parse(&self.message_id)
    }
}

/// Lambda's partial batch response: the messages that stay in the queue.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

impl BatchResponse {
    /// These messages stay in the queue, and the others are done.
    pub fn failed(message_ids: impl IntoIterator<Item = String>) -> Self {
        let failures = message_ids.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        Self { batch_item_failures: failures.collect() }
    }

    /// All messages stay in the queue. Lambda treats an empty identifier as a complete failure.
    pub fn all_failed() -> Self {
        Self::failed([String::new()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::tests::lookup, okta::event::PhoneChannel, time::clock::Timestamp};
    use proptest::prelude::*;
    use serde_json::json;

    const MESSAGE: &str = r#"{"version":"1","event_uuid":"5f1c2a3b-c921-11f1-8754-050a89ee763e","user_id":"00uyxxSknGtK8022w0g3","channel":"sms","kind":"authentication","published":"2026-11-23T12:00:00.000Z"}"#;

    fn record(body: &str) -> Value {
        json!({
            "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "3", "MessageGroupId": "00uyxxSknGtK8022w0g3"},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "eu-west-1",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:feedback.fifo"
        })
    }

    fn read(records: &[Value]) -> Result<Vec<QueueMessage>, NotABatch> {
        super::records(&json!({"Records": records}).to_string()).unwrap()
    }

    #[test]
    fn reads_what_it_writes() {
        let record = read(&[record(MESSAGE)]).unwrap().pop().unwrap();
        assert_eq!((record.receive_count, record.group.as_str()), (3, "00uyxxSknGtK8022w0g3"));
        let success = record.message.unwrap();
        assert_eq!(success.channel, PhoneChannel::Sms);
        assert_eq!(Some(success.published), Timestamp::parse("2026-11-23T12:00:00Z"));
        assert_eq!(serde_json::to_string(&NewMessage::V1(&success)).unwrap(), MESSAGE);
    }

    #[test]
    fn a_foreign_message_is_unreadable() {
        for body in [
            "",
            "{}",
            "null",
            "approve everything",
            &MESSAGE.replace(r#""version":"1""#, r#""version":"2""#),
            &MESSAGE.replace(r#""version":"1","#, ""),
            &MESSAGE.replace("00uyxxSknGtK8022w0g3", "../../admins"),
            &MESSAGE.replace("\"sms\"", "\"password\""),
            &MESSAGE.replace("2026-11-23T12:00:00.000Z", "yesterday"),
        ] {
            assert!(read(&[record(body)]).unwrap()[0].message.is_none(), "{body}");
        }
        let mut foreign = record(MESSAGE);
        foreign["eventSource"] = json!("aws:sns");
        assert!(read(&[foreign]).unwrap()[0].message.is_none());
    }

    #[test]
    fn an_unused_field_may_be_unreadable() {
        let odd_message = MESSAGE.replacen('{', r#"{"note":"\ud83d","n":1e999,"#, 1);
        let event = json!({"Records": [record(MESSAGE), record(&odd_message)]}).to_string();
        let event = event.replace(r#""messageAttributes":{}"#, r#""messageAttributes":{"a":"\udc00","b":-1e999}"#);
        let records = records(&event).unwrap().unwrap();
        assert!(records.len() == 2 && records.iter().all(|record| record.message.is_some()));
    }

    #[test]
    fn the_code_of_an_entry_decides_and_not_the_senders_fault() {
        let failed = |code: &str, sender_fault| {
            let entry = json!({"Id": "0", "Code": code, "SenderFault": sender_fault, "Message": "text of SQS"});
            let response = json!({"Successful": [], "Failed": [entry]});
            result_in(&serde_json::from_value(response).unwrap(), "0").unwrap_err()
        };
        for (code, error) in [
            ("RequestThrottled", QueueError::Throttled),
            ("KmsThrottled", QueueError::Throttled),
            ("InternalError", QueueError::Unavailable),
            ("KmsAccessDenied", QueueError::KeyDenied),
            ("AccessDenied", QueueError::AccessDenied),
            ("InvalidMessageContents", QueueError::Refused),
        ] {
            assert_eq!(failed(code, true), error, "{code}");
        }
        assert_eq!(failed("SomethingNew", false), QueueError::Unavailable);
        assert_eq!(failed("InternalError", false), QueueError::Unavailable);
    }

    #[test]
    fn a_batch_is_never_taken_for_a_request() {
        for records in ["null", "7", "{}", "[null]", "[{}]", r#"[{"messageId":null}]"#, r#"[{"messageId":""}]"#] {
            let event = format!(r#"{{"Records":{records},"requestContext":{{}}}}"#);
            assert!(matches!(super::records(&event), Some(Err(NotABatch))), "{event}");
        }
        assert!(matches!(records(r#"{"Records":[]}"#), Some(Ok(records)) if records.is_empty()));
        for event in [r#"{"requestContext":{}}"#, "[]", "null", "{", r#"{"records":[]}"#] {
            assert!(records(event).is_none(), "{event}");
        }
    }

    #[test]
    fn a_message_without_a_group_forms_its_own() {
        let mut lone = record(MESSAGE);
        lone["attributes"] = Value::Null;
        let lone = read(&[lone]).unwrap().pop().unwrap();
        assert_eq!((lone.group, lone.receive_count), (lone.message_id, 1));
    }

    #[test]
    fn the_batch_response_has_lambdas_form() {
        let json = |response| serde_json::to_string(&response).unwrap();
        assert_eq!(json(BatchResponse::default()), r#"{"batchItemFailures":[]}"#);
        assert_eq!(json(BatchResponse::all_failed()), r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#);
    }

    #[test]
    fn the_back_off_grows() {
        let seconds: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 7, u32::MAX].map(|count| back_off(count).as_secs()).into();
        assert_eq!(seconds, [5, 5, 10, 20, 40, 80, 120, 120, 120]);
    }

    #[test]
    fn the_queue_is_a_fifo_queue() {
        let read = |url| queue_url(&Variables::new(&lookup(&[("FEEDBACK_QUEUE_URL", url)])));
        assert_eq!(read(""), Ok(None));
        let fifo = "https://sqs.eu-west-1.amazonaws.com/123456789012/feedback.fifo";
        assert_eq!(read(fifo), Ok(Some(fifo.to_owned())));
        for url in
            ["https://sqs.eu-west-1.amazonaws.com/123456789012/feedback", "feedback.fifo", "http://example.com/f.fifo"]
        {
            assert!(read(url).unwrap_err().to_string().starts_with("FEEDBACK_QUEUE_URL: must be "), "{url}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(event in "\\PC*", body in "\\PC*") {
            let _ = records(&event);
            let _ = read(&[record(&body)]);
        }
    }
}
