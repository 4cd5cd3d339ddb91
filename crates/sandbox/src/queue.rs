//! A queue of the AWS emulator, and Lambda's event source mapping, which passes its messages to a function in batches.
//!
//! AWS, "Using Lambda with Amazon SQS": messages of a group keep their order, and a message is delivered again only
//! after the earlier ones are done. A message that the function reports in `batchItemFailures` stays in the queue until
//! its visibility timeout has passed. Every other message of the batch is deleted. The queue's redrive policy decides
//! when a message moves to the dead-letter queue. Lambda runs several batches in parallel; this mapping runs them one
//! after the other, as a single execution environment does.

use crate::aws::{self, AwsError, Operation};
use crate::lambda::{Builder, Function, Outcome};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The maximum number of messages in one SQS request, and so in a batch of a FIFO queue.
pub(crate) const LARGEST_BATCH: usize = 10;

/// The time that a receive waits for a message in an empty queue.
const LONG_POLL: Duration = Duration::from_secs(1);
/// Pause after a failed connection to the queue.
const PAUSE: Duration = Duration::from_millis(200);
/// Longer than any function may take, including the build for which its first request can wait.
const INVOCATION_LIMIT: Duration = Duration::from_secs(90);

const GET_ATTRIBUTES: Operation = Operation::sqs("AmazonSQS.GetQueueAttributes");
const RECEIVE: Operation = Operation::sqs("AmazonSQS.ReceiveMessage");
const SEND: Operation = Operation::sqs("AmazonSQS.SendMessage");
const DELETE: Operation = Operation::sqs("AmazonSQS.DeleteMessageBatch");

/// One queue.
#[derive(Debug, Clone)]
pub struct Queue {
    endpoint: String,
    url: String,
    arn: String,
}

/// The number of messages in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that were received and are neither deleted nor visible again.
    pub in_flight: u64,
}

impl QueueDepth {
    /// All of them.
    pub fn total(self) -> u64 {
        self.visible + self.in_flight
    }
}

impl Queue {
    /// Opens an existing queue.
    ///
    /// # Errors
    /// The queue does not exist, or the emulator does not respond.
    pub fn open(endpoint: &str, url: &str) -> Result<Self, AwsError> {
        let mut queue = Self { endpoint: endpoint.to_owned(), url: url.to_owned(), arn: String::new() };
        [queue.arn] = queue.attributes(["QueueArn"])?;
        Ok(queue)
    }

    /// For `FEEDBACK_QUEUE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Counts its messages.
    ///
    /// # Errors
    /// The emulator does not respond.
    pub fn depth(&self) -> Result<QueueDepth, AwsError> {
        const VISIBLE: &str = "ApproximateNumberOfMessages";
        const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
        // In one request, because a message could move between the two counts otherwise.
        let [visible, in_flight] = self.attributes([VISIBLE, IN_FLIGHT])?;
        match (visible.parse(), in_flight.parse()) {
            (Ok(visible), Ok(in_flight)) => Ok(QueueDepth { visible, in_flight }),
            _ => Err(GET_ATTRIBUTES.not_understood(format!("{visible}, {in_flight}"))),
        }
    }

    /// Puts a message into a FIFO queue.
    ///
    /// # Errors
    /// The emulator refuses the request or does not respond.
    pub fn send(&self, body: &str, group: &str, deduplication_id: &str) -> Result<(), AwsError> {
        let parameters = json!({
            "QueueUrl": self.url, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": deduplication_id
        });
        self.call(SEND, &parameters, Duration::ZERO).map(drop)
    }

    /// Receives messages, in the form of Lambda's records.
    fn receive(&self) -> Result<Vec<Value>, AwsError> {
        let parameters = json!({
            "QueueUrl": self.url, "MaxNumberOfMessages": LARGEST_BATCH, "WaitTimeSeconds": LONG_POLL.as_secs(),
            "AttributeNames": ["All"], "MessageAttributeNames": ["All"]
        });
        let answer = self.call(RECEIVE, &parameters, LONG_POLL)?;
        let messages = answer.get("Messages").and_then(Value::as_array);
        Ok(messages.into_iter().flatten().map(|message| record(message, &self.arn)).collect())
    }

    fn delete<'a>(&self, records: impl Iterator<Item = &'a Value>) -> Result<(), AwsError> {
        let entry = |(number, record): (usize, &Value)| json!({ "Id": number.to_string(), "ReceiptHandle": record.get("receiptHandle") });
        let entries: Vec<_> = records.enumerate().map(entry).collect();
        if entries.is_empty() {
            return Ok(());
        }
        self.call(DELETE, &json!({ "QueueUrl": self.url, "Entries": entries }), Duration::ZERO).map(drop)
    }

    fn attributes<const COUNT: usize>(&self, names: [&str; COUNT]) -> Result<[String; COUNT], AwsError> {
        let parameters = json!({ "QueueUrl": self.url, "AttributeNames": names.as_slice() });
        let answer = self.call(GET_ATTRIBUTES, &parameters, Duration::ZERO)?;
        let value = |name| answer.get("Attributes")?.get(name)?.as_str();
        if names.iter().any(|name| value(*name).is_none()) {
            return Err(GET_ATTRIBUTES.not_understood(answer.to_string()));
        }
        Ok(names.map(|name| value(name).unwrap_or_default().to_owned()))
    }

    fn call(&self, operation: Operation, parameters: &Value, waiting: Duration) -> Result<Value, AwsError> {
        aws::call(&self.endpoint, operation, parameters, waiting)
    }
}

/// A received message as Lambda passes it to a function.
pub(crate) fn record(message: &Value, queue_arn: &str) -> Value {
    let field = |name| message.get(name).cloned().unwrap_or_default();
    json!({
        "messageId": field("MessageId"),
        "receiptHandle": field("ReceiptHandle"),
        "body": field("Body"),
        "attributes": field("Attributes"),
        "messageAttributes": {},
        "md5OfBody": field("MD5OfBody"),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": aws::REGION,
    })
}

/// A function that accepts batches.
pub trait Invoke: Send + Sync + 'static {
    /// Invokes the function. Returns `None` if it fails, ends or takes too long.
    fn invoke(&self, event: &Value) -> Option<Value>;
}

/// A function that starts on demand: for its first invocation, and again after its process has ended.
pub struct OnDemandFunction {
    builder: Builder,
    environments: Mutex<Vec<Arc<Function>>>,
}

impl OnDemandFunction {
    /// Creates a function that is not running yet.
    pub fn new(builder: Builder) -> Self {
        Self { builder, environments: Mutex::default() }
    }

    /// Its execution environments so far, oldest first. All except the last one have ended.
    pub fn environments(&self) -> Vec<Arc<Function>> {
        self.lock().clone()
    }

    fn running(&self) -> Arc<Function> {
        let mut environments = self.lock();
        if let Some(last) = environments.last()
            && last.pid().is_some()
        {
            return Arc::clone(last);
        }
        let new = Arc::new(self.builder.clone().spawn());
        environments.push(Arc::clone(&new));
        new
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Function>>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Invoke for OnDemandFunction {
    fn invoke(&self, event: &Value) -> Option<Value> {
        match self.running().invoke(event).outcome {
            Outcome::Response(response) => Some(response),
            Outcome::Error(_) | Outcome::Crashed | Outcome::TimedOut => None,
        }
    }
}

/// A function behind Lambda's `Invoke` operation, as `cargo lambda watch` serves it.
#[derive(Debug, Clone)]
pub struct HttpFunction {
    url: String,
}

impl HttpFunction {
    /// The function with this name. `base_url` is such as `http://127.0.0.1:9000`.
    pub fn new(base_url: &str, name: &str) -> Self {
        Self { url: format!("{base_url}/2015-03-31/functions/{name}/invocations") }
    }
}

impl Invoke for HttpFunction {
    fn invoke(&self, event: &Value) -> Option<Value> {
        let agent = aws::agent(INVOCATION_LIMIT);
        let sent = agent.post(&self.url).content_type("application/json").send(event.to_string());
        let mut answer = sent.ok()?;
        let body = answer.body_mut().read_to_string().ok()?;
        let refused = answer.status() != 200 || answer.headers().contains_key("x-amz-function-error");
        if refused { None } else { serde_json::from_str(&body).ok() }
    }
}

/// Waits up to a second for messages and passes them to a function in one batch.
fn hand_over_batch(queue: &Queue, function: &dyn Invoke) -> Result<(), AwsError> {
    let records = queue.receive()?;
    if records.is_empty() {
        return Ok(());
    }
    let response = function.invoke(&json!({ "Records": records }));
    let failures = response.map_or(Failures::All, |response| Failures::read(&records, &response));
    queue.delete(records.iter().filter(|record| !failures.contain(record)))
}

/// The messages of a batch that stay in the queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failures {
    All,
    These(HashSet<String>),
}

impl Failures {
    /// Reads a partial batch response. An invalid response, or one that names a message outside the batch, is a
    /// complete failure. An empty response or list is a complete success.
    pub(crate) fn read(records: &[Value], response: &Value) -> Self {
        let items = match response {
            Value::Null => None,
            Value::Object(fields) => fields.get("batchItemFailures"),
            _ => return Self::All,
        };
        let items = match items {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(items)) => items,
            Some(_) => return Self::All,
        };
        let known: HashSet<_> = records.iter().filter_map(id_of).collect();
        let id = |item: &Value| {
            let id = item.get("itemIdentifier")?.as_str()?;
            known.contains(id).then(|| id.to_owned())
        };
        items.iter().map(id).collect::<Option<_>>().map_or(Self::All, Self::These)
    }

    pub(crate) fn contain(&self, record: &Value) -> bool {
        match self {
            Self::All => true,
            Self::These(ids) => id_of(record).is_some_and(|id| ids.contains(id)),
        }
    }
}

pub(crate) fn id_of(record: &Value) -> Option<&str> {
    record.get("messageId")?.as_str()
}

/// Passes one batch after the other to a function, on a thread of its own, until it is dropped.
pub struct EventSourceMapping {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EventSourceMapping {
    /// Starts the mapping with batches of ten. It keeps trying while the queue cannot be reached.
    pub fn start(queue: Queue, function: Arc<dyn Invoke>) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            loop {
                let pause = if hand_over_batch(&queue, function.as_ref()).is_ok() { Duration::ZERO } else { PAUSE };
                if stopped.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for EventSourceMapping {
    /// Waits for the current batch.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_batch_response_means_what_lambda_says() {
        let records = ["one", "two"].map(|id| json!({ "messageId": id }));
        let none = || Failures::These(HashSet::new());
        for success in
            [json!(null), json!({}), json!({ "batchItemFailures": null }), json!({ "batchItemFailures": [] })]
        {
            assert_eq!(Failures::read(&records, &success), none(), "{success}");
        }
        let one = json!({ "batchItemFailures": [{ "itemIdentifier": "one" }] });
        assert_eq!(Failures::read(&records, &one), Failures::These(["one".to_owned()].into()));
        for items in [
            json!([{ "itemIdentifier": "" }]),
            json!([{ "itemIdentifier": null }]),
            json!([{ "itemIdentifier": "three" }]),
            json!([{ "itemIdentifier": "one" }, { "ItemIdentifier": "two" }]),
            json!("one"),
        ] {
            assert_eq!(Failures::read(&records, &json!({ "batchItemFailures": items })), Failures::All, "{items}");
        }
        assert_eq!(Failures::read(&records, &json!("done")), Failures::All);
    }
}
