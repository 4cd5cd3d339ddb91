//! A FIFO queue of SQS with Lambda's event source mapping beside it: what the function stores, what it is handed, and what becomes of the messages that it leaves.
//!
//! Time stands still unless a test lets it pass, so that time-outs are tried without waiting.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// The queue's own visibility time-out.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(60);

/// After so many receipts a message goes to the dead-letter queue.
pub(crate) const MAX_RECEIVE_COUNT: u32 = 5;

pub(crate) struct Sqs {
    address: SocketAddr,
    queue: Arc<Mutex<Queue>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    now: Duration,
    messages: Vec<Message>,
    dead_letters: Vec<Message>,
    deduplication_ids: HashSet<String>,
    requests: usize,
    stored: u64,
    entries_to_fail: usize,
    down: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) group: String,
    pub(crate) deduplication_id: String,
    pub(crate) receive_count: u32,
    /// Until when it is hidden.
    pub(crate) hidden_until: Duration,
}

impl Sqs {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("the listener's address");
        listener.set_nonblocking(true).expect("a listener that tokio can wait for");
        let queue = Arc::<Mutex<Queue>>::default();
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&queue));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    served = axum::serve(listener, router) => served.expect("the server"),
                    _ = stopped => {}
                }
            });
        });
        Self { address, queue, stop: Some(stop), thread: Some(thread) }
    }

    /// For `AWS_ENDPOINT_URL_SQS`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// For `FEEDBACK_QUEUE_URL`.
    pub(crate) fn queue_url(&self) -> String {
        format!("{}/123456789012/feedback.fifo", self.url())
    }

    /// What waits, also what is hidden.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.queue().messages.clone()
    }

    pub(crate) fn dead_letters(&self) -> Vec<Message> {
        self.queue().dead_letters.clone()
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.queue().requests
    }

    /// Puts something in that the function did not store.
    pub(crate) fn put(&self, body: &str, group: &str) {
        self.queue().store(body, group, None);
    }

    /// So many entries of batches are answered as failed.
    pub(crate) fn fail_entries(&self, count: usize) {
        self.queue().entries_to_fail = count;
    }

    /// Every request is answered with an error, or not any more.
    pub(crate) fn set_down(&self, down: bool) {
        self.queue().down = down;
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, duration: Duration) {
        self.queue().now += duration;
    }

    /// How long the first message stays hidden.
    pub(crate) fn first_hidden_for(&self) -> Duration {
        let queue = self.queue();
        queue.messages.first().expect("a message").hidden_until.saturating_sub(queue.now)
    }

    /// Up to ten messages that are due, as Lambda would hand them over; none if there are none. A group with a hidden
    /// message waits for it.
    pub(crate) fn receive(&self) -> Option<Value> {
        let mut queue = self.queue();
        let now = queue.now;
        let is_dead = |message: &Message| message.hidden_until <= now && message.receive_count >= MAX_RECEIVE_COUNT;
        let (dead, alive) = std::mem::take(&mut queue.messages).into_iter().partition(is_dead);
        queue.dead_letters.extend::<Vec<_>>(dead);
        queue.messages = alive;
        let hidden = queue.messages.iter().filter(|message| message.hidden_until > now);
        let in_flight: HashSet<_> = hidden.map(|message| message.group.clone()).collect();
        let due = queue.messages.iter_mut().filter(|message| !in_flight.contains(&message.group)).take(10);
        let records: Vec<_> = due.map(|message| message.receive(now)).collect();
        (!records.is_empty()).then(|| json!({"Records": records}))
    }

    /// Takes the answer to a batch: what is not named in it is done.
    pub(crate) fn settle(&self, batch: &Value, answer: &Value) {
        let identifiers = |list: &Value, name: &str| -> HashSet<String> {
            let items = list.as_array().expect("an array").iter();
            items.map(|item| item[name].as_str().expect("an identifier").to_owned()).collect()
        };
        let failed = identifiers(&answer["batchItemFailures"], "itemIdentifier");
        if !failed.contains("") {
            let done: HashSet<_> = identifiers(&batch["Records"], "messageId").difference(&failed).cloned().collect();
            self.queue().messages.retain(|message| !done.contains(&message.id));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Message {
    fn receive(&mut self, now: Duration) -> Value {
        self.receive_count += 1;
        self.hidden_until = now + VISIBILITY;
        json!({
            "messageId": self.id,
            "receiptHandle": format!("receipt-of-{}", self.id),
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": self.receive_count.to_string(),
                "SentTimestamp": "1800000000000",
                "MessageGroupId": self.group,
                "MessageDeduplicationId": self.deduplication_id,
            },
            "messageAttributes": {},
            "md5OfBody": "00000000000000000000000000000000",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:feedback.fifo",
            "awsRegion": "us-east-1",
        })
    }
}

impl Queue {
    fn store(&mut self, body: &str, group: &str, deduplication_id: Option<&str>) -> String {
        self.stored += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", self.stored);
        let deduplication_id = deduplication_id.unwrap_or(&id).to_owned();
        if self.deduplication_ids.insert(deduplication_id.clone()) {
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
        assert!((1..=10).contains(&entries.len()), "SQS takes 1 to 10 entries, not {}", entries.len());
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            if self.entries_to_fail > 0 {
                self.entries_to_fail -= 1;
                failed.push(json!({"Id": entry["Id"], "SenderFault": false, "Code": "InternalError"}));
            } else {
                let text = |name: &str| entry[name].as_str().expect("a FIFO queue wants it");
                let id = self.store(text("MessageBody"), text("MessageGroupId"), Some(text("MessageDeduplicationId")));
                let md5 = "00000000000000000000000000000000";
                successful.push(json!({"Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": md5}));
            }
        }
        json!({"Successful": successful, "Failed": failed})
    }

    fn change_visibility(&mut self, request: &Value) -> Value {
        let receipt = request["ReceiptHandle"].as_str().expect("a receipt handle");
        let seconds = request["VisibilityTimeout"].as_u64().expect("a time-out");
        let message = self.messages.iter_mut().find(|message| receipt.ends_with(&message.id)).expect("the message");
        message.hidden_until = self.now + Duration::from_secs(seconds);
        json!({})
    }
}

async fn answer(State(queue): State<Arc<Mutex<Queue>>>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    queue.requests += 1;
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let request: Value = serde_json::from_slice(&body).expect("a JSON request");
    let (status, answer) = match target {
        _ if queue.down => (StatusCode::INTERNAL_SERVER_ERROR, json!({"__type": "com.amazonaws.sqs#InternalFailure"})),
        "AmazonSQS.SendMessageBatch" => (StatusCode::OK, queue.send_batch(&request)),
        "AmazonSQS.ChangeMessageVisibility" => (StatusCode::OK, queue.change_visibility(&request)),
        other => panic!("the function must not ask SQS for {other}"),
    };
    (status, [(CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string()).into_response()
}

impl Drop for Sqs {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
