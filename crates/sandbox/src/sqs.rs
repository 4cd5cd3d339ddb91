//! A FIFO queue of SQS with its dead-letter queue, in this process. Its time passes only when a test advances it, so
//! that visibility timeouts and back-off are tested without waiting. The test also acts as Lambda's event source
//! mapping: it receives a batch, passes it to the function and returns the response.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness: what goes wrong here fails the test that uses it"
)]

use crate::loopback::Server;
use crate::queue::{self, Failures, LARGEST_BATCH};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The queue's own visibility timeout.
pub const VISIBILITY: Duration = Duration::from_secs(60);

/// A message moves to the dead-letter queue after this many receives.
pub const MAX_RECEIVE_COUNT: u32 = 5;

/// The time for which SQS drops messages with the same deduplication id.
const DEDUPLICATION: Duration = Duration::from_mins(5);

const ARN: &str = "arn:aws:sqs:us-east-1:123456789012:feedback.fifo";
const MD5: &str = "00000000000000000000000000000000";

/// A running queue.
pub struct Sqs {
    server: Server,
    state: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    now: Duration,
    messages: Vec<Message>,
    dead_letters: Vec<Message>,
    /// Deduplication ids, with the time at which each was last stored.
    seen: HashMap<String, Duration>,
    requests: usize,
    stored: u64,
    entries_to_fail: usize,
    /// `Code` and `SenderFault` of the entries that fail.
    entry_failure: Option<(&'static str, bool)>,
    /// The error code of every response.
    fault: Option<&'static str>,
}

/// A message in the queue.
#[derive(Clone, Debug)]
pub struct Message {
    /// SQS's id.
    pub id: String,
    /// The message body.
    pub body: String,
    /// `MessageGroupId`
    pub group: String,
    /// `MessageDeduplicationId`
    pub deduplication_id: String,
    /// The number of receives.
    pub receive_count: u32,
    hidden_until: Duration,
}

impl Sqs {
    /// Starts the server with an empty queue.
    pub fn start() -> Self {
        let state = Arc::<Mutex<Queue>>::default();
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&state));
        Self { server: Server::start(router), state }
    }

    /// For `AWS_ENDPOINT_URL_SQS`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// For `FEEDBACK_QUEUE_URL`.
    pub fn queue_url(&self) -> String {
        format!("{}/123456789012/feedback.fifo", self.url())
    }

    /// The messages in the queue, hidden ones included.
    pub fn messages(&self) -> Vec<Message> {
        self.lock().messages.clone()
    }

    /// The messages in the dead-letter queue.
    pub fn dead_letters(&self) -> Vec<Message> {
        self.lock().dead_letters.clone()
    }

    /// The number of requests that arrived.
    pub fn requests(&self) -> usize {
        self.lock().requests
    }

    /// Stores a message on behalf of the test.
    pub fn put(&self, body: &str, group: &str) {
        self.lock().store(body, group, None);
    }

    /// Fails the next entries of batches.
    pub fn fail_entries(&self, count: usize) {
        self.fail_entries_with(count, "InternalError", false);
    }

    /// Fails the next entries of batches with this code.
    pub fn fail_entries_with(&self, count: usize, code: &'static str, sender_fault: bool) {
        let mut queue = self.lock();
        (queue.entries_to_fail, queue.entry_failure) = (count, Some((code, sender_fault)));
    }

    /// Whether every request fails from now on.
    pub fn set_down(&self, down: bool) {
        self.set_fault(down.then_some("InternalFailure"));
    }

    /// Fails every request from now on with this error code. The status is SQS's: 500 for an internal failure, else
    /// 400.
    pub fn set_fault(&self, code: Option<&'static str>) {
        self.lock().fault = code;
    }

    /// Lets time pass.
    pub fn advance(&self, duration: Duration) {
        self.lock().now += duration;
    }

    /// The time for which the first message stays hidden.
    pub fn first_hidden_for(&self) -> Duration {
        let queue = self.lock();
        queue.messages.first().expect("a message").hidden_until.saturating_sub(queue.now)
    }

    /// Receives up to ten visible messages as Lambda's event; `None` if there are none. A group waits while one of its
    /// messages is hidden.
    pub fn receive(&self) -> Option<Value> {
        let mut queue = self.lock();
        let now = queue.now;
        let is_dead = |message: &Message| message.hidden_until <= now && message.receive_count >= MAX_RECEIVE_COUNT;
        let (dead, alive): (Vec<_>, _) = std::mem::take(&mut queue.messages).into_iter().partition(is_dead);
        queue.dead_letters.extend(dead);
        queue.messages = alive;
        let hidden = queue.messages.iter().filter(|message| message.hidden_until > now);
        let in_flight: HashSet<_> = hidden.map(|message| message.group.clone()).collect();
        let visible = queue.messages.iter_mut().filter(|message| !in_flight.contains(&message.group));
        let records: Vec<_> = visible.take(LARGEST_BATCH).map(|message| message.receive(now)).collect();
        (!records.is_empty()).then(|| json!({ "Records": records }))
    }

    /// Handles the response to a batch as Lambda does: deletes the messages that the response does not report as
    /// failed.
    pub fn settle(&self, batch: &Value, response: &Value) {
        let records = batch["Records"].as_array().expect("a batch");
        let failures = Failures::read(records, response);
        let done = records.iter().filter(|record| !failures.contain(record)).filter_map(queue::id_of);
        let done: HashSet<_> = done.collect();
        self.lock().messages.retain(|message| !done.contains(message.id.as_str()));
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.state)
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Message {
    fn receive(&mut self, now: Duration) -> Value {
        self.receive_count += 1;
        self.hidden_until = now + VISIBILITY;
        let received = json!({
            "MessageId": self.id,
            "ReceiptHandle": format!("receipt-of-{}", self.id),
            "Body": self.body,
            "Attributes": {
                "ApproximateReceiveCount": self.receive_count.to_string(),
                "SentTimestamp": "1800000000000",
                "MessageGroupId": self.group,
                "MessageDeduplicationId": self.deduplication_id,
            },
            "MD5OfBody": MD5,
        });
        queue::record(&received, ARN)
    }
}

impl Queue {
    fn store(&mut self, body: &str, group: &str, deduplication_id: Option<&str>) -> String {
        self.stored += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", self.stored);
        let deduplication_id = deduplication_id.unwrap_or(&id).to_owned();
        let is_known =
            self.seen.get(&deduplication_id).is_some_and(|stored| self.now.saturating_sub(*stored) < DEDUPLICATION);
        if !is_known {
            self.seen.insert(deduplication_id.clone(), self.now);
            self.messages.push(Message {
                id: id.clone(),
                body: body.to_owned(),
                group: group.to_owned(),
                deduplication_id,
                receive_count: 0,
                hidden_until: Duration::ZERO,
            });
        }
        id
    }

    fn send_batch(&mut self, request: &Value) -> Value {
        let entries = request["Entries"].as_array().expect("entries");
        assert!((1..=LARGEST_BATCH).contains(&entries.len()), "SQS takes 1 to 10 entries, not {}", entries.len());
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            if self.entries_to_fail > 0 {
                self.entries_to_fail -= 1;
                let (code, sender_fault) = self.entry_failure.unwrap_or(("InternalError", false));
                failed.push(json!({ "Id": entry["Id"], "SenderFault": sender_fault, "Code": code }));
            } else {
                let text = |name: &str| entry[name].as_str().expect("a FIFO queue requires it");
                let id = self.store(text("MessageBody"), text("MessageGroupId"), Some(text("MessageDeduplicationId")));
                successful.push(json!({ "Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": MD5 }));
            }
        }
        json!({ "Successful": successful, "Failed": failed })
    }

    fn change_visibility(&mut self, request: &Value) -> Value {
        let receipt = request["ReceiptHandle"].as_str().expect("a receipt handle");
        let seconds = request["VisibilityTimeout"].as_u64().expect("a timeout");
        let message = self.messages.iter_mut().find(|message| receipt.ends_with(&message.id)).expect("the message");
        message.hidden_until = self.now + Duration::from_secs(seconds);
        json!({})
    }
}

async fn answer(State(queue): State<Arc<Mutex<Queue>>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut queue = lock(&queue);
    queue.requests += 1;
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let request: Value = serde_json::from_slice(&body).expect("a JSON request");
    let (status, answer) = match (queue.fault, target) {
        (Some(code), _) => {
            let own = code.starts_with("Internal") || code.starts_with("ServiceUnavailable");
            let status = if own { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
            (status, json!({ "__type": format!("com.amazonaws.sqs#{code}") }))
        }
        (None, "AmazonSQS.SendMessageBatch") => (StatusCode::OK, queue.send_batch(&request)),
        (None, "AmazonSQS.ChangeMessageVisibility") => (StatusCode::OK, queue.change_visibility(&request)),
        (None, other) => panic!("the function must not ask SQS for {other}"),
    };
    (status, [(CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(batch: &Value) -> Vec<&str> {
        batch["Records"].as_array().unwrap().iter().map(|record| record["body"].as_str().unwrap()).collect()
    }

    fn failed(batch: &Value, body: &str) -> Value {
        let records = batch["Records"].as_array().unwrap().iter().filter(|record| record["body"] == body);
        let items: Vec<_> = records.map(|record| json!({ "itemIdentifier": record["messageId"] })).collect();
        json!({ "batchItemFailures": items })
    }

    #[test]
    fn a_batch_has_ten_messages_at_most_and_a_group_waits_for_the_batch_under_way() {
        let sqs = Sqs::start();
        for number in 0..12 {
            sqs.put(&number.to_string(), "user");
        }
        let first = sqs.receive().unwrap();
        assert_eq!(bodies(&first), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        assert_eq!(sqs.receive(), None);
        sqs.settle(&first, &Value::Null);
        assert_eq!(bodies(&sqs.receive().unwrap()), ["10", "11"]);
    }

    #[test]
    fn a_duplicate_is_dropped_for_five_minutes() {
        let sqs = Sqs::start();
        let store = || sqs.lock().store("body", "user", Some("one"));
        store();
        store();
        assert_eq!(sqs.messages().len(), 1);
        sqs.advance(DEDUPLICATION);
        store();
        assert_eq!(sqs.messages().len(), 2);
    }

    #[test]
    fn a_failed_message_is_received_again_after_its_timeout_and_ends_as_a_dead_letter() {
        let sqs = Sqs::start();
        for body in ["good", "bad"] {
            sqs.put(body, body);
        }
        let batch = sqs.receive().unwrap();
        sqs.settle(&batch, &failed(&batch, "bad"));
        assert_eq!(sqs.receive(), None);
        for count in 2..=MAX_RECEIVE_COUNT {
            sqs.advance(VISIBILITY);
            let batch = sqs.receive().unwrap();
            assert_eq!(bodies(&batch), ["bad"]);
            assert_eq!(batch["Records"][0]["attributes"]["ApproximateReceiveCount"], count.to_string());
        }
        sqs.advance(VISIBILITY);
        assert_eq!((sqs.receive(), sqs.messages().len(), sqs.dead_letters().len()), (None, 0, 1));
    }
}
