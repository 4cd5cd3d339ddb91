//! The Lambda harness, with a real function: `examples/lambda_function.rs`.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests that look at a process from outside"
)]

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sandbox::lambda::{Function, GatewayEvent, Outcome, StartError, gateway_event};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

/// Cargo builds the examples along with the tests, next to their folder.
fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().unwrap().with_file_name("examples").join("lambda_function")
}

fn ready_function() -> Function {
    let function = Function::builder(program()).spawn();
    function.wait_until_ready(PATIENCE).unwrap();
    function
}

fn response(function: &Function, event: &Value) -> Value {
    match function.invoke(event).outcome {
        Outcome::Response(response) => response,
        other => panic!("{other:?}\n{}", function.output()),
    }
}

/// Whether a process has ended. A zombie counts, because its new parent reaps it.
fn is_gone(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.is_empty() || status.contains("\nState:\tZ")
}

fn wait_until_gone(pid: u32) {
    let deadline = Instant::now() + PATIENCE;
    while !is_gone(pid) {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_function_gets_its_event_and_lambdas_environment() {
    let function = Function::builder(program())
        .env("GREETING", "hello")
        .envs([("AWS_REGION", "eu-central-1")])
        .memory(512)
        .timeout(Duration::from_secs(20))
        .spawn();
    let ready_after = function.wait_until_ready(PATIENCE).unwrap();
    assert!(ready_after > Duration::ZERO && ready_after < PATIENCE);

    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let invocation = function.invoke(&json!({ "number": 1 }));
    let Outcome::Response(seen) = invocation.outcome else { panic!("{:?}", invocation.outcome) };
    assert_eq!(seen["payload"], json!({ "number": 1 }));
    assert_eq!(seen["request_id"], invocation.request_id);
    assert_eq!(seen["arn"], "arn:aws:lambda:us-east-1:123456789012:function:lambda_function");
    let remaining = u128::from(seen["deadline"].as_u64().unwrap()) - before;
    assert!((20_000..21_000).contains(&remaining), "{remaining} ms");

    let environment = &seen["environment"];
    assert_eq!(environment["GREETING"], "hello");
    assert_eq!(environment["AWS_REGION"], "eu-central-1");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "512");
    assert!(environment["_X_AMZN_TRACE_ID"].as_str().unwrap().starts_with("Root=1-"));
    assert_eq!(environment["HOME"], Value::Null, "the test's own environment is not passed on");
    assert!(function.peak_memory_kib().unwrap() > 500);
}

#[test]
fn each_invocation_has_its_own_request_id_and_response() {
    let function = ready_function();
    let responses = [1, 2, 3].map(|number| (number, response(&function, &json!({ "number": number }))));
    for (number, response) in &responses {
        assert_eq!(response["payload"]["number"], *number);
    }
    assert_ne!(responses[0].1["request_id"], responses[1].1["request_id"]);
}

#[test]
fn a_handler_error_is_an_error_and_the_function_goes_on() {
    let function = ready_function();
    let Outcome::Error(error) = function.invoke(&json!({ "do": "fail" })).outcome else { panic!("no error") };
    assert_eq!(error["errorMessage"], "as asked");
    assert_eq!(response(&function, &json!({}))["payload"], json!({}));
}

#[test]
fn an_event_that_is_not_json_reaches_the_function() {
    let function = ready_function();
    assert!(matches!(function.invoke("not JSON").outcome, Outcome::Error(_)));
}

#[test]
fn payloads_are_limited_to_six_megabytes() {
    let function = ready_function();
    let length = 6 * 1024 * 1024 - 100;
    let event = json!({ "do": "measure", "text": "x".repeat(length) });
    assert_eq!(response(&function, &event), json!(length));

    let filled = response(&function, &json!({ "do": "fill", "bytes": 6 * 1024 * 1024 }));
    assert_eq!(filled.as_str().unwrap().len(), 6 * 1024 * 1024);
    let Outcome::Error(error) = function.invoke(&json!({ "do": "fill", "bytes": 7 * 1024 * 1024 })).outcome else {
        panic!("7 MB were let through")
    };
    assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(response(&function, &json!({}))["payload"], json!({}));
}

#[test]
fn a_crash_ends_the_invocation_and_a_restart_brings_a_new_process() {
    let mut function = ready_function();
    let first = function.pid().unwrap();
    assert_eq!(function.invoke(&json!({ "do": "crash" })).outcome, Outcome::Crashed);
    assert_eq!(function.pid(), None);
    assert_eq!(function.invoke(&json!({})).outcome, Outcome::Crashed, "it is not restarted automatically");

    function.restart();
    function.wait_until_ready(PATIENCE).unwrap();
    assert_ne!(function.pid().unwrap(), first);
    assert_eq!(response(&function, &json!({}))["payload"], json!({}));
    assert_eq!(function.log_lines().len(), 2, "the log of the first process is kept");
}

#[test]
fn a_test_can_act_in_the_middle_of_an_invocation() {
    let function = ready_function();
    let pending = function.start_invoke(&json!({ "do": "hang" }));
    let request_id = pending.request_id().to_owned();
    let line = function.wait_for_log(|line| line["event"] == "received", PATIENCE);
    assert_eq!(line["request_id"], request_id);
    function.kill();
    assert_eq!(pending.wait().outcome, Outcome::Crashed);
}

#[test]
fn a_function_without_a_response_is_killed_at_its_timeout() {
    let function = Function::builder(program()).timeout(Duration::from_millis(300)).spawn();
    function.wait_until_ready(PATIENCE).unwrap();
    let invocation = function.invoke(&json!({ "do": "hang" }));
    assert_eq!(invocation.outcome, Outcome::TimedOut);
    assert!(invocation.duration >= Duration::from_millis(300));
    assert_eq!(function.pid(), None);
}

#[test]
fn a_failed_init_is_reported_with_its_output() {
    let function = Function::builder(program()).env("FAIL_INIT", "no secret").spawn();
    let error = function.wait_until_ready(PATIENCE).unwrap_err();
    assert!(matches!(error, StartError::Exited { .. }));
    assert!(error.to_string().contains("no secret"), "{error}");
}

#[test]
fn a_frozen_function_does_nothing_until_it_is_thawed() {
    let function = ready_function();
    let state = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix("State:\t")?.chars().next()).unwrap()
    };
    let pid = function.pid().unwrap();
    for number in [1, 2] {
        assert_eq!(response(&function, &json!({ "number": number }))["payload"]["number"], number);
        function.freeze();
        assert_eq!(state(pid), 'T');
    }
    function.thaw();
    assert_ne!(state(pid), 'T');
    function.freeze();
    // An invocation thaws, as Lambda does.
    assert_eq!(response(&function, &json!({ "number": 3 }))["payload"]["number"], 3);
}

#[test]
fn output_before_a_response_can_be_read_after_it() {
    let function = ready_function();
    for count in 1..=20 {
        response(&function, &json!({}));
        assert_eq!(function.log_lines().len(), count);
    }
    assert!(function.output().contains(r#""event":"received""#));
}

#[test]
#[should_panic(expected = "a log line is not JSON")]
fn a_log_line_that_is_not_json_fails_the_test() {
    let function = ready_function();
    function.invoke(&json!({ "do": "print", "text": "hello" }));
    function.log_lines();
}

#[test]
fn functions_run_side_by_side() {
    let functions = [ready_function(), ready_function(), ready_function()];
    let pending = functions.each_ref().map(|function| function.start_invoke(&json!({ "pid": function.pid() })));
    for (function, pending) in functions.iter().zip(pending) {
        let Outcome::Response(seen) = pending.wait().outcome else { panic!("{}", function.output()) };
        assert_eq!(seen["payload"]["pid"], json!(function.pid()));
    }
}

#[test]
fn nothing_is_left_after_a_drop() {
    let (idle, frozen, busy) = (ready_function(), ready_function(), ready_function());
    frozen.freeze();
    let pending = busy.start_invoke(&json!({ "do": "hang" }));
    busy.wait_for_log(|line| line["event"] == "received", PATIENCE);
    let pids = [&idle, &frozen, &busy].map(|function| function.pid().unwrap());
    drop((idle, frozen, busy));
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "not reaped");
    }
    assert_eq!(pending.wait().outcome, Outcome::Crashed);
}

/// Not a test of its own: the process that `no_function_outlives_a_killed_test_process` kills.
#[test]
#[ignore = "it waits to be killed"]
fn holds_a_frozen_function_and_waits() {
    let function = ready_function();
    function.freeze();
    eprintln!("pid {}", function.pid().unwrap());
    thread::sleep(PATIENCE);
}

#[test]
fn no_function_outlives_a_killed_test_process() {
    let mut test_process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "holds_a_frozen_function_and_waits", "--ignored", "--nocapture"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(test_process.stderr.take().unwrap());
    let pid = stderr.lines().find_map(|line| line.unwrap().strip_prefix("pid ")?.parse().ok());
    test_process.kill().unwrap();
    test_process.wait().unwrap();
    wait_until_gone(pid.unwrap());
}

#[test]
fn a_gateway_event_is_a_request_received_now() {
    let before = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let event = gateway_event("POST", "/hook", &[("Auth_Secret", "one"), ("auth_secret", "two")], "{}");
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["rawPath"], "/hook");
    assert_eq!(event["headers"]["auth_secret"], "one,two");
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
    assert_eq!(event["requestContext"]["http"]["method"], "POST");
    assert!(event["requestContext"].get("authorizer").is_none());
    let received = event["requestContext"]["timeEpoch"].as_u64().unwrap();
    assert!((before..before + 1000).contains(&received));
}

#[test]
fn a_gateway_event_can_carry_claims_binary_bodies_and_another_time() {
    let event = GatewayEvent::new("POST", "/")
        .body("text")
        .base64()
        .jwt_claims(&[("aud", "hook")])
        .time_epoch(1_583_348_638_390)
        .build();
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("dGV4dA=="), &json!(true)));
    assert_eq!(event["requestContext"]["authorizer"]["jwt"]["claims"], json!({ "aud": "hook" }));
    assert_eq!(event["requestContext"]["timeEpoch"], 1_583_348_638_390_u64);
    assert_eq!(event["requestContext"]["time"], "04/Mar/2020:19:03:58 +0000");

    let binary = GatewayEvent::new("POST", "/").body([0xff, 0x00]).build();
    assert_eq!((&binary["body"], &binary["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
    assert!(GatewayEvent::new("GET", "/").build().get("body").is_none());
}
