//! How often a warm request allocates, which neither the machine nor its load changes. `make check-limits` counts instructions as
//! well, of a release build and where valgrind is installed.
//!
//! A process of its own handles requests between the stand-ins, on one thread, by the hooks' own code. So the stand-ins'
//! work is not counted.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "what goes wrong here fails the test that uses it; the time of the events is now"
)]

use std::{
    fs,
    future::Future,
    path::Path,
    pin::Pin,
    process::Command,
    time::{Duration, SystemTime},
};

use okta_twilio::{
    hooks::{events::EventHook, function::Function, telephony::TelephonyHook},
    time::clock::Timestamp,
};
use sandbox::{
    Options,
    deployment::{AUTH_SECRET, Deployment, HOOKS_SECRET_ID, TelephonyRequest},
    dynamodb::{DynamoDb, TABLE},
    events::{self, Engine, Okta, SMS},
    lambda::GatewayEvent,
    sqs::Sqs,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Runtime;

/// The hook that the counted process runs.
const HOOK: &str = "COUNTED_HOOK";

/// The file for its result.
const RESULT: &str = "COUNTED_RESULT";

/// The functions, and how often a warm request of each may allocate. An improvement lowers the number.
const LIMITS: [(&str, u64); 2] = [("telephony-hook", 534), ("event-hook", 2_478)];

/// Successful requests in a row before it counts.
const WARM_UP: usize = 5;

const COUNTED: usize = 20;

/// Events in one delivery of Okta.
const EVENTS: usize = 20;

/// What the counted process found.
#[derive(Debug, Deserialize, Serialize)]
struct Allocations {
    /// The median of the counted requests.
    count: u64,
    bytes: u64,
}

#[test]
fn a_warm_request_allocates_no_more_often_than_recorded() {
    for (hook, limit) in LIMITS {
        let found = count(hook, &mut Command::new(std::env::current_exe().expect("this program")));
        println!("{hook}: {} allocations with {} bytes in a warm request", found.count, found.bytes);
        assert!(found.count <= limit, "{hook}: {} allocations in a warm request, {limit} are allowed", found.count);
    }
}

/// Runs the counted process: `command` with the test below.
fn count(hook: &str, command: &mut Command) -> Allocations {
    let (deployment, table, queue) = (Deployment::start(Options::default()), DynamoDb::start(), Sqs::start());
    let folder = tempfile::tempdir().expect("a folder");
    let result = folder.path().join("result");
    let output = command
        .args(["--exact", "counted_process", "--ignored", "--nocapture"])
        .env_clear()
        .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("AWS_REGION", "us-east-1"), ("LOG_LEVEL", "info")])
        .envs([("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "example")])
        .envs([("HOOKS_SECRET_ID", HOOKS_SECRET_ID), ("SENDS_TABLE", TABLE), (HOOK, hook)])
        .env("VERIFY_SERVICE_SID", Options::default().service_sid)
        .env("TWILIO_VERIFY_URL", deployment.twilio.https_url())
        .env("EXTRA_CA_FILE", deployment.twilio.ca_file())
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", deployment.secrets.url())
        .env("AWS_ENDPOINT_URL_DYNAMODB", table.url())
        .env("AWS_ENDPOINT_URL_SQS", queue.url())
        .env("FEEDBACK_QUEUE_URL", queue.queue_url())
        .env(RESULT, &result)
        .output()
        .expect("to run the counted process");
    let text = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{hook}: {}", text());
    serde_json::from_slice(&fs::read(result).unwrap_or_else(|_| panic!("{hook}: {}", text()))).expect("its counts")
}

/// Either hook.
enum Hook {
    Telephony(TelephonyHook),
    Event(EventHook),
}

impl Hook {
    async fn build(name: &str, function: &Function) -> Self {
        let variables = Function::variables();
        if name == "event-hook" {
            let hook = EventHook::build(&variables, function.clock()).await.expect("valid variables");
            hook.prepare(function.log()).await;
            Self::Event(hook)
        } else {
            let hook = TelephonyHook::build(&variables, function.clock()).await.expect("valid variables");
            hook.prepare(function.log()).await;
            Self::Telephony(hook)
        }
    }

    /// A new event that it must answer with success.
    fn event(&self, number: usize) -> String {
        match self {
            Self::Telephony(_) => {
                // Verify allows five messages to one number, and the table counts each user's.
                let request = TelephonyRequest::sms(&format!("+1202555{:04}", 100 + number % 100), "867530");
                request.with("/data/userProfile/userId", format!("00u{number:017}")).event().build().to_string()
            }
            Self::Event(_) => {
                let mut okta = Okta::new(number as u64, SystemTime::now());
                let events: Vec<Value> = (0..EVENTS)
                    .map(|user| okta.authentication(Engine::Identity, SMS, &format!("00u{user:017}")).into_json())
                    .collect();
                let body = events::envelope("b5a188b9-5ec5-4636-8c5e-7eeadf2ba5e2", &events, SystemTime::now());
                let event = GatewayEvent::new("POST", "/events").header("auth_secret", AUTH_SECRET);
                event.body(body.to_string()).build().to_string()
            }
        }
    }

    async fn answer(&self, event: &str, function: &Function) -> bool {
        let log = function.log_of_invocation("8f507cfc-xmpl-4697-b07a-ac58fc914c95");
        let end = Timestamp::from_millis(function.clock().now().as_millis() + 10_000);
        let answer = match self {
            Self::Telephony(hook) => serde_json::to_string(&hook.handle(event, end, &log).await.into_event()),
            Self::Event(hook) => serde_json::to_string(&hook.handle(event, end, &log).await),
        };
        let answer = answer.expect("an answer");
        match self {
            Self::Telephony(_) => answer.contains("SUCCESSFUL"),
            Self::Event(_) => answer.contains("\"statusCode\":200"),
        }
    }
}

#[test]
#[ignore = "the process whose allocations the other test counts"]
fn counted_process() {
    let (Ok(name), Ok(result)) = (std::env::var(HOOK), std::env::var(RESULT)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let function = Function::start("counted").expect("valid variables");
    let hook = runtime.block_on(Hook::build(&name, &function));
    let mut numbers = 0..;
    let mut next = || hook.event(numbers.next().expect("another number"));
    let mut successes = 0;
    for _ in 0..10 * WARM_UP {
        let event = next();
        successes = if runtime.block_on(hook.answer(&event, &function)) { successes + 1 } else { 0 };
        if successes == WARM_UP {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(successes, WARM_UP, "{name} is not warm");
    let mut counts: Vec<_> = (0..COUNTED)
        .map(|_| {
            let event = next();
            let mut answered = false;
            let counts = allocation_counter::measure(|| {
                answered = counted_request(&runtime, Box::pin(hook.answer(&event, &function)));
            });
            assert!(answered, "{name} fails when it is warm");
            (counts.count_total, counts.bytes_total)
        })
        .collect();
    counts.sort_unstable();
    let (count, bytes) = counts[COUNTED / 2];
    let found = serde_json::to_string(&Allocations { count, bytes }).expect("JSON");
    fs::write(Path::new(&result), found).expect("to write the counts");
}

fn counted_request(runtime: &Runtime, answer: Pin<Box<dyn Future<Output = bool> + '_>>) -> bool {
    runtime.block_on(answer)
}
