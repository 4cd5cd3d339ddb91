//! The event source mapping and the AWS emulator that it is used with.

#![expect(clippy::unwrap_used, reason = "clippy knows tests, but not the functions that they share")]

use sandbox::AwsEmulator;
use sandbox::aws_emulator::QueuePair;
use sandbox::lambda::Function;
use sandbox::queue::{
    Batch, EventSourceMapping, InvocationError, Invoke, LARGEST_BATCH, OnDemandFunction, QueueDepth, hand_over_batch,
};
use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
const VISIBILITY: Duration = Duration::from_secs(2);

fn queues(emulator: &AwsEmulator, max_receive_count: u32) -> QueuePair {
    emulator.create_fifo_queue_with_dead_letter("feedback", VISIBILITY, max_receive_count).unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn bodies(event: &Value) -> Vec<String> {
    event["Records"].as_array().unwrap().iter().map(|record| record["body"].as_str().unwrap().to_owned()).collect()
}

/// A function that does nothing but tell what it was handed.
fn recorder() -> (impl Invoke, mpsc::Receiver<Value>) {
    let (sender, received) = mpsc::channel();
    let sender = Mutex::new(sender);
    let function = move |event: &Value| {
        sender.lock().unwrap().send(event.clone()).unwrap();
        Ok(json!({ "batchItemFailures": [] }))
    };
    (function, received)
}

/// Leaves the messages with this body in the queue.
fn refusing(body: &'static str) -> impl Invoke {
    move |event: &Value| -> Result<Value, InvocationError> {
        let records = event["Records"].as_array().unwrap();
        let refused = records.iter().filter(|record| record["body"] == body);
        let failures: Vec<_> = refused.map(|record| json!({ "itemIdentifier": record["messageId"] })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }
}

/// Tries until the queue had something to hand over.
fn next_batch(queues: &QueuePair, function: &impl Invoke) -> Batch {
    let mut batch = None;
    eventually("a batch", || {
        batch = hand_over_batch(&queues.queue, function, LARGEST_BATCH).unwrap();
        batch.is_some()
    });
    batch.unwrap()
}

#[test]
fn a_batch_has_ten_messages_at_most_in_the_order_of_their_group_and_lambdas_form() {
    let emulator = AwsEmulator::start();
    let queues = queues(&emulator, 3);
    for number in 0..12 {
        queues.queue.send("user", &number.to_string(), &number.to_string()).unwrap();
        queues.queue.send("user", &number.to_string(), "a duplicate").unwrap();
    }
    assert_eq!(queues.queue.depth().unwrap(), QueueDepth { visible: 12, in_flight: 0 });
    let (function, received) = recorder();
    assert_eq!(next_batch(&queues, &function), Batch { deleted: 10, left: 0 });
    assert_eq!(next_batch(&queues, &function), Batch { deleted: 2, left: 0 });
    let [first, second] = [received.recv().unwrap(), received.recv().unwrap()];
    let expected: Vec<_> = (0..12).map(|number| number.to_string()).collect();
    assert_eq!([bodies(&first), bodies(&second)].concat(), expected);
    let record = &first["Records"][0];
    assert_eq!((&record["eventSource"], &record["awsRegion"]), (&json!("aws:sqs"), &json!("us-east-1")));
    assert_eq!(record["eventSourceARN"], queues.queue.arn());
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(record["attributes"]["MessageGroupId"], "user");
    assert!(record["messageId"].is_string() && record["receiptHandle"].is_string());
    assert_eq!(queues.queue.depth().unwrap().total(), 0);
    assert_eq!(hand_over_batch(&queues.queue, &function, LARGEST_BATCH).unwrap(), None);
}

#[test]
fn what_failed_comes_again_after_its_time_out_and_goes_to_the_dead_letters_in_the_end() {
    let emulator = AwsEmulator::start();
    let queues = queues(&emulator, 2);
    for body in ["good", "bad", "fine"] {
        queues.queue.send(body, body, body).unwrap();
    }
    let function = refusing("bad");
    let handed_over = Instant::now();
    assert_eq!(next_batch(&queues, &function), Batch { deleted: 2, left: 1 });
    assert_eq!(queues.queue.depth().unwrap(), QueueDepth { visible: 0, in_flight: 1 });
    assert_eq!(next_batch(&queues, &function), Batch { deleted: 0, left: 1 });
    assert!(handed_over.elapsed() >= VISIBILITY, "it was hidden meanwhile");
    let _mapping = EventSourceMapping::start(queues.queue.clone(), Arc::new(function));
    eventually("a dead letter", || queues.dead_letters.depth().unwrap().visible == 1);
    assert_eq!(queues.queue.depth().unwrap().total(), 0);
}

#[test]
fn a_function_that_fails_leaves_everything_and_the_others_of_the_group_wait() {
    let emulator = AwsEmulator::start();
    let queues = queues(&emulator, 5);
    queues.queue.send("user", "1", "first").unwrap();
    let failing = |_: &Value| Err(InvocationError("as asked".to_owned()));
    assert_eq!(next_batch(&queues, &failing), Batch { deleted: 0, left: 1 });
    queues.queue.send("user", "2", "second").unwrap();
    let (function, received) = recorder();
    assert_eq!(next_batch(&queues, &function).left, 0);
    assert_eq!(bodies(&received.recv().unwrap()), ["first", "second"]);
}

#[test]
fn the_mapping_goes_on_after_the_queue_was_away() {
    let emulator = AwsEmulator::start();
    let queues = queues(&emulator, 5);
    let (function, received) = recorder();
    let mapping = EventSourceMapping::start(queues.queue.clone(), Arc::new(function));
    queues.queue.send("user", "1", "before").unwrap();
    assert_eq!(bodies(&received.recv_timeout(PATIENCE).unwrap()), ["before"]);
    emulator.pause();
    assert!(queues.queue.send("user", "2", "meanwhile").is_err());
    emulator.resume();
    queues.queue.send("user", "3", "after").unwrap();
    eventually("the last message", || {
        received.recv_timeout(PATIENCE).is_ok_and(|event| bodies(&event).contains(&"after".to_owned()))
    });
    drop(mapping);
    queues.queue.send("user", "4", "nobody takes it").unwrap();
    assert_eq!(queues.queue.depth().unwrap().visible, 1);
    emulator.stop();
    assert!(queues.queue.depth().is_err());
}

/// Cargo builds the examples along with the tests, next to their folder.
fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().unwrap().with_file_name("examples").join("lambda_function")
}

#[test]
fn a_function_that_was_killed_in_the_middle_of_a_batch_is_started_again() {
    let function = Arc::new(OnDemandFunction::new(Function::builder(program())));
    let hang = thread::spawn({
        let function = Arc::clone(&function);
        move || function.invoke(&json!({ "do": "hang" }))
    });
    eventually("an environment", || !function.environments().is_empty());
    let first = function.environments()[0].clone();
    first.wait_for_log(|line| line["event"] == "received", PATIENCE);
    first.kill();
    assert!(hang.join().unwrap().is_err());
    assert_eq!(function.invoke(&json!({ "still": "there" })).unwrap()["payload"], json!({ "still": "there" }));
    assert!(function.invoke(&json!({ "do": "fail" })).unwrap_err().0.contains("as asked"));
    assert_eq!(function.environments().len(), 2);
}

#[test]
fn secrets_can_be_stored() {
    let emulator = AwsEmulator::start();
    emulator.put_secret("okta-twilio/hooks", &json!({ "auth_secret": "example" })).unwrap();
    let again = emulator.put_secret("okta-twilio/hooks", &json!({})).unwrap_err();
    assert!(again.to_string().contains("ResourceExistsException"), "{again}");
}

fn is_gone(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.is_empty() || status.contains("\nState:\tZ")
}

#[test]
fn nothing_is_left_after_a_drop() {
    let emulator = AwsEmulator::start();
    let pid = emulator.pid().unwrap();
    emulator.pause();
    drop(emulator);
    assert!(is_gone(pid));
}

#[test]
#[ignore = "it waits to be killed"]
fn holds_an_emulator_and_waits() {
    let emulator = AwsEmulator::start();
    eprintln!("pid {}", emulator.pid().unwrap());
    thread::sleep(PATIENCE);
}

#[test]
fn the_emulator_does_not_outlive_a_killed_test_process() {
    let mut test_process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "holds_an_emulator_and_waits", "--ignored", "--nocapture"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(test_process.stderr.take().unwrap());
    let pid: Option<u32> = stderr.lines().find_map(|line| line.unwrap().strip_prefix("pid ")?.parse().ok());
    test_process.kill().unwrap();
    test_process.wait().unwrap();
    eventually("the emulator's end", || is_gone(pid.unwrap()));
}
