//! The AWS emulator for tests. It is a separate process, which ends when the value is dropped or the test process is
//! killed.
//!
//! The emulator is `MiniStack`, which `make` installs. `docs/local-stack.md` gives the reasons. It keeps all data in
//! memory.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness: what goes wrong here fails the test that uses it"
)]

use crate::aws::{self, AwsError, Operation};
pub use crate::aws::{ACCESS_KEY, REGION};
use crate::guard::Guard;
use crate::loopback::HeldPort;
use crate::queue::Queue;
use crate::random;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// The emulator reports the value of this variable in its health response, and does not use it otherwise.
const MARK_VARIABLE: &str = "MINISTACK_EDITION";
const MARK_FIELD: &str = "edition";

/// A running emulator.
pub struct AwsEmulator {
    port: HeldPort,
    mark: String,
    process: Mutex<Option<Process>>,
}

struct Process {
    child: Child,
    guard: Guard,
}

/// A queue and its dead-letter queue.
#[derive(Debug, Clone)]
pub struct QueuePair {
    /// The queue.
    pub queue: Queue,
    /// Its dead-letter queue.
    pub dead_letters: Queue,
}

impl QueuePair {
    /// Creates both queues in the emulator at this address. See [`AwsEmulator::create_fifo_queue_with_dead_letter`].
    ///
    /// # Errors
    /// The emulator refuses the request or does not respond.
    pub fn create(
        endpoint: &str,
        name: &str,
        visibility_timeout: Duration,
        max_receive_count: u32,
    ) -> Result<Self, AwsError> {
        let dead_letters = create_queue(endpoint, &format!("{name}-dead.fifo"), &json!({ "FifoQueue": "true" }))?;
        let redrive = json!({ "deadLetterTargetArn": dead_letters.arn(), "maxReceiveCount": max_receive_count });
        let attributes = json!({
            "FifoQueue": "true",
            "VisibilityTimeout": visibility_timeout.as_secs().to_string(),
            "RedrivePolicy": redrive.to_string(),
        });
        Ok(Self { queue: create_queue(endpoint, &format!("{name}.fifo"), &attributes)?, dead_letters })
    }
}

fn create_queue(endpoint: &str, name: &str, attributes: &Value) -> Result<Queue, AwsError> {
    const CREATE: Operation = Operation::sqs("AmazonSQS.CreateQueue");
    let parameters = json!({ "QueueName": name, "Attributes": attributes });
    let created = aws::call(endpoint, CREATE, &parameters, Duration::ZERO)?;
    let url = created.get("QueueUrl").and_then(Value::as_str).expect("the queue's URL");
    Queue::open(endpoint, url)
}

impl AwsEmulator {
    /// Starts the emulator on a free port and waits until it responds.
    ///
    /// # Panics
    /// If the emulator is not installed or does not start.
    pub fn start() -> Self {
        let program = program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|problem| panic!("{problem}"));
        let mut output = tempfile::tempfile().expect("a temporary file");
        let port = HeldPort::take(Ipv4Addr::LOCALHOST.into(), 0).expect("a free port on 127.0.0.1");
        let mark = mark();
        let mut command = command(&program, port.number(), &mark);
        command.process_group(0).stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a handle for stdout"));
        command.stderr(output.try_clone().expect("a handle for stderr"));
        let child = command.spawn().expect("the AWS emulator");
        let guard = Guard::start(child.id()).expect("sh");
        let emulator = Self { port, mark, process: Mutex::new(Some(Process { child, guard })) };
        let deadline = Instant::now() + START_LIMIT;
        while !emulator.answers() {
            if Instant::now() > deadline || emulator.has_ended() {
                let mut written = String::new();
                let _ = output.seek(SeekFrom::Start(0)).and_then(|_| output.read_to_string(&mut written));
                panic!("the AWS emulator did not start:\n{written}");
            }
            thread::sleep(POLL);
        }
        emulator
    }

    /// For `AWS_ENDPOINT_URL`, or `AWS_ENDPOINT_URL_SQS`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Creates a FIFO queue and its dead-letter queue. The name must not contain the ending `.fifo`. After the maximum
    /// number of receives, a message moves to the dead-letter queue.
    ///
    /// # Errors
    /// The emulator refuses the request or does not respond.
    pub fn create_fifo_queue_with_dead_letter(
        &self,
        name: &str,
        visibility_timeout: Duration,
        max_receive_count: u32,
    ) -> Result<QueuePair, AwsError> {
        QueuePair::create(&self.url(), name, visibility_timeout, max_receive_count)
    }

    /// Makes the emulator accept connections without responding.
    pub fn pause(&self) {
        let process = self.lock();
        let Some(Process { child, .. }) = &*process else { return };
        let pid = Pid::from_child(child);
        rustix::process::kill_process(pid, Signal::STOP).expect("to stop the AWS emulator");
        rustix::io::retry_on_intr(|| {
            rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT)
        })
        .expect("to see the AWS emulator stop");
    }

    /// Resumes the emulator, with all of its data.
    pub fn resume(&self) {
        if let Some(Process { child, .. }) = &*self.lock() {
            rustix::process::kill_process(Pid::from_child(child), Signal::CONT).expect("to resume the AWS emulator");
        }
    }

    fn answers(&self) -> bool {
        answers(&self.url(), &self.mark)
    }

    fn has_ended(&self) -> bool {
        self.lock().as_mut().is_none_or(|process| !matches!(process.child.try_wait(), Ok(None)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AwsEmulator {
    fn drop(&mut self) {
        if let Some(Process { mut child, guard }) = self.lock().take() {
            child.kill().expect("to kill the AWS emulator");
            drop(guard);
            child.wait().expect("the end of the AWS emulator");
            // The emulator removes this file itself, but not when it is killed.
            let _ = fs::remove_file(process_id_file(self.port.number()));
        }
    }
}

/// The file in which the emulator stores its process id.
fn process_id_file(port: u16) -> PathBuf {
    std::env::temp_dir().join(format!("ministack-{port}.pid"))
}

/// Stores a secret in the emulator at this address.
///
/// # Errors
/// The emulator refuses the request or does not respond.
pub fn create_secret(endpoint: &str, name: &str, secret: &Value) -> Result<(), AwsError> {
    let operation = Operation::secrets_manager("secretsmanager.CreateSecret");
    let parameters = json!({ "Name": name, "SecretString": secret.to_string() });
    aws::call(endpoint, operation, &parameters, Duration::ZERO).map(drop)
}

/// Changes one field of a secret that holds a JSON object, and keeps the others.
///
/// # Errors
/// The emulator refuses the request or does not respond, or the secret does not hold an object.
pub fn change_secret(endpoint: &str, name: &str, field: &str, value: &Value) -> Result<(), AwsError> {
    let get = Operation::secrets_manager("secretsmanager.GetSecretValue");
    let found = aws::call(endpoint, get, &json!({ "SecretId": name }), Duration::ZERO)?;
    let text = found.get("SecretString").and_then(Value::as_str).unwrap_or_default();
    let mut secret: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(fields) = secret.as_object_mut() else {
        return Err(get.not_understood("the secret is no JSON object".to_owned()));
    };
    fields.insert(field.to_owned(), value.clone());
    let put = Operation::secrets_manager("secretsmanager.PutSecretValue");
    let parameters = json!({ "SecretId": name, "SecretString": secret.to_string() });
    aws::call(endpoint, put, &parameters, Duration::ZERO).map(drop)
}

/// Creates the sends table.
///
/// # Errors
/// The emulator refuses the request or does not respond.
pub fn create_sends_table(endpoint: &str, name: &str) -> Result<(), AwsError> {
    let keys = [("user_id", "HASH"), ("verification_sid", "RANGE")];
    let attributes = keys.map(|(name, _)| json!({ "AttributeName": name, "AttributeType": "S" }));
    let schema = keys.map(|(name, key)| json!({ "AttributeName": name, "KeyType": key }));
    let parameters = json!({
        "TableName": name, "AttributeDefinitions": attributes, "KeySchema": schema, "BillingMode": "PAY_PER_REQUEST",
    });
    aws::call(endpoint, Operation::dynamodb("DynamoDB_20120810.CreateTable"), &parameters, Duration::ZERO).map(drop)
}

/// A value that only the emulator started with it reports.
pub fn mark() -> String {
    random::hex()
}

/// Whether the emulator with this mark responds. Another emulator on the same port does not count.
pub fn answers(endpoint: &str, mark: &str) -> bool {
    let health = aws::agent(Duration::from_secs(1)).get(format!("{endpoint}/_ministack/health")).call();
    let body = health.and_then(|mut answer| answer.body_mut().read_to_string()).unwrap_or_default();
    serde_json::from_str::<Value>(&body).is_ok_and(|health| health.get(MARK_FIELD) == Some(&json!(mark)))
}

/// The command that starts the emulator on this port of 127.0.0.1.
pub fn command(program: &Path, port: u16, mark: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env(MARK_VARIABLE, mark)
        // By default the emulator listens on every interface.
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        // Its MQTT broker would listen on every interface all the same.
        .env("IOT_MTLS_ENABLED", "0")
        .env("LOG_LEVEL", "WARNING")
        // No data may remain from an earlier run, and none may be left on the disk.
        .env("PERSIST_STATE", "0")
        .env("S3_PERSIST", "0")
        .env_remove("LOCALSTACK_PERSISTENCE")
        // Otherwise queue URLs would contain that host instead of the host of the request.
        .env_remove("MINISTACK_HOST");
    command
}

/// The path of the emulator's program, or a text that says how to install it.
fn program(crate_folder: &Path) -> Result<PathBuf, String> {
    let program = crate_folder.join("../../.tools/venv/bin/ministack");
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("the AWS emulator is not installed at {}: run `make tools`", program.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_do_where_it_is_not_installed() {
        let problem = program(Path::new("/nowhere/crates/sandbox")).unwrap_err();
        assert!(problem.ends_with("/.tools/venv/bin/ministack: run `make tools`"), "{problem}");
    }
}
