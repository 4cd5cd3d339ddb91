//! `explain` names the reason of every code that was not sent, follows the others to the phone, and works without any of
//! its sources.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use okta_twilio::time::clock::{Clock, Timestamp};
use sandbox::{
    Options,
    deployment::{Deployment, OKTA_SECRET_ID},
    dynamodb::DynamoDb,
    lambda::Function,
    okta_org::LogEvent,
    recorded_events::{self, PrivateValue},
    twilio_account::Attempt,
};
use serde_json::{Value, json};

use crate::world::{EVENT_LOG, Output, SERVICE, TELEPHONY_LOG, World};

const USER: &str = "00uyxxSknGtK8022w0g3";
const NUMBER: &str = "+12025550123";
const LOGIN: &str = "private.login@example.com";
const REQUEST: &str = "00000000-0000-4000-8000-0000000000a1";
const VERIFICATION: &str = "VE00000000000000000000000000000001";
const ATTEMPT: &str = "VL00000000000000000000000000000001";

/// The folder of the functions' own programs, built with the features of the tests.
fn functions() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--workspace", "--bins"]);
        assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success(), "the functions are built");
        Path::new(env!("CARGO_BIN_EXE_okta-twilio")).parent().unwrap().to_owned()
    })
}

/// Some seconds before now.
fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_millis(Clock::system().now().as_millis() - seconds * 1_000)
}

fn to_the_second(time: Timestamp) -> String {
    time.to_rfc3339_seconds()
}

/// A line of telephony-hook, as the function writes it.
fn line(message: &str, seconds_ago: i64, members: Value) -> Value {
    let mut line = json!({
        "timestamp": ago(seconds_ago).to_rfc3339(), "level": "INFO", "message": message, "service": "telephony-hook",
        "function_request_id": REQUEST,
    });
    let Value::Object(members) = members else { panic!("an object") };
    line.as_object_mut().unwrap().extend(members);
    line
}

fn sent(seconds_ago: i64) -> Value {
    let members = json!({
        "reason": "accepted", "request_type": "mfa-verification", "channel": "sms", "phone": "US…23", "user_id": USER,
        "okta_event_id": "uS5871kJThSyU8qlA1LTcg", "okta_request_id": "reqRgSk8IBBRhuo0YdlEDTmUw",
        "verification_sid": VERIFICATION, "attempt_sid": ATTEMPT,
        "twilio_request_id": "RQ00000000000000000000000000000001", "duration_ms": 320,
    });
    line("otp_sent", seconds_ago, members)
}

fn refused(seconds_ago: i64) -> Value {
    let members = json!({
        "reason": "sms_pumping_risk", "request_type": "mfa-verification", "channel": "sms", "phone": "US…23",
        "user_id": USER, "sms_pumping_risk": 95, "duration_ms": 120,
    });
    line("otp_refused", seconds_ago, members)
}

fn approved(seconds_ago: i64) -> Value {
    let members = json!({
        "service": "event-hook", "function_request_id": "00000000-0000-4000-8000-0000000000a2", "reason": "approved",
        "event_uuid": "11111111-6881-11ee-8754-050a89ee763e", "user_id": USER, "channel": "sms",
        "verification_sid": VERIFICATION,
    });
    line("feedback_approved", seconds_ago, members)
}

/// A world whose functions have written these lines.
fn world(lines: &[Value]) -> World {
    let world = World::healthy();
    world.aws.change(|account| {
        for (name, group) in [("telephony-hook", TELEPHONY_LOG), ("event-hook", EVENT_LOG)] {
            let of_function = lines.iter().filter(|line| line["service"] == name).map(Value::to_string);
            account.log_groups.get_mut(group).unwrap().lines = of_function.collect();
        }
    });
    world.okta.change(|org| org.users.insert(LOGIN.to_owned(), USER.to_owned()));
    world.set_variable("VERIFY_SERVICE_SID", SERVICE);
    world
}

/// Okta's event about a message to the user.
fn okta_event(number: u32, seconds_ago: i64) -> LogEvent {
    let uuid = format!("22222222-6881-11ee-8754-05000000000{number}");
    let event = LogEvent::new(&uuid, "system.sms.send_factor_verify_message", &ago(seconds_ago).to_rfc3339());
    event.about(USER).with("phoneNumber", NUMBER)
}

fn attempt(seconds_ago: i64) -> Attempt {
    let created = to_the_second(ago(seconds_ago)).replace(".000Z", "Z");
    Attempt::sms(ATTEMPT, SERVICE, VERIFICATION, &created, NUMBER)
}

/// The newest story of a report.
fn newest(report: &Value) -> &Value {
    report["stories"].as_array().unwrap().last().unwrap_or_else(|| panic!("no story: {report}"))
}

/// The exit status and the verdict about the user.
fn verdict(world: &World) -> (i32, Value) {
    let (exit, report) = world.run_json(&["explain", USER]);
    (exit, newest(&report)["verdict"].clone())
}

/// Runs the program with an input.
fn run_with_input(world: &World, arguments: &[&str], input: &str) -> Output {
    let mut command = world.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn last_line(output: &Output) -> &str {
    output.stdout.lines().last().unwrap_or_default()
}

// Every recorded event, by the real functions.

/// One invocation of a real function.
struct Invocation {
    name: String,
    request_id: String,
    /// The reasons that its log lines name.
    reasons: Vec<String>,
    private_values: Vec<PrivateValue>,
}

/// Invokes the function, and returns what it wrote about it.
fn invoke(function: &Function, name: &str, event: &Value) -> (String, Vec<String>) {
    let before = function.log_lines().len();
    let invocation = function.invoke(event);
    let lines = function.log_lines();
    let is_answer = |line: &&Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("feedback_") || ["otp_failed", "otp_refused", "request_rejected"].contains(&message)
    };
    let answers = lines.iter().skip(before).filter(is_answer);
    let reasons = answers.map(|line| line["reason"].as_str().unwrap_or_else(|| panic!("{name}: {line}")).to_owned());
    (invocation.request_id, reasons.collect())
}

/// Every recorded event for which a function refuses, fails or rejects, with all lines of all functions.
fn recorded() -> (Vec<Invocation>, Vec<String>) {
    let mut invocations = Vec::new();
    let mut all_lines = Vec::new();
    let mut of_telephony = recorded_events::of_telephony_hook();
    of_telephony.retain(|event| !event.expected.successful || event.expected.messages.is_empty());
    of_telephony.sort_by_key(|event| format!("{:?}", event.variables));
    for events in of_telephony.chunk_by(|one, two| one.variables == two.variables) {
        let deployment = Deployment::start(Options::default());
        let function = deployment.function(functions().join("telephony-hook")).envs(&events[0].variables).spawn();
        function.wait_until_ready(Duration::from_secs(10)).unwrap();
        for event in events {
            deployment.twilio.reset();
            let (request_id, reasons) = invoke(&function, &event.name, &event.event());
            assert_eq!(reasons, std::slice::from_ref(&event.expected.reason), "{}", event.name);
            let (name, private_values) = (event.name.clone(), event.private_values());
            invocations.push(Invocation { name, request_id, reasons, private_values });
        }
        all_lines.extend(function.log_lines());
    }
    let mut of_events = recorded_events::of_event_hook();
    of_events.sort_by_key(|event| format!("{:?}", event.variables));
    for events in of_events.chunk_by(|one, two| one.variables == two.variables) {
        let options = Options::default();
        let deployment = Deployment::start(options.clone());
        deployment.secrets.put(OKTA_SECRET_ID, &json!({"okta_api_token": options.okta.api_token}));
        let table = DynamoDb::start();
        let function = deployment.function(functions().join("event-hook")).envs([
            ("AWS_ENDPOINT_URL_DYNAMODB", table.url().as_str()),
            ("OKTA_ORG_URL", options.okta.org_url.as_str()),
            ("OKTA_API_URL", &deployment.twilio.https_url()),
            ("OKTA_SECRET_ID", OKTA_SECRET_ID),
        ]);
        let function = function.envs(&events[0].variables).spawn();
        function.wait_until_ready(Duration::from_secs(10)).unwrap();
        for event in events {
            deployment.twilio.reset();
            let (request_id, reasons) = invoke(&function, &event.name, &event.event());
            if !reasons.is_empty() {
                let (name, private_values) = (event.name.clone(), event.private_values());
                invocations.push(Invocation { name, request_id, reasons, private_values });
            }
        }
        all_lines.extend(function.log_lines());
    }
    (invocations, all_lines.iter().map(Value::to_string).collect())
}

#[test]
fn the_reason_of_every_recorded_event_is_named() {
    let (invocations, lines) = recorded();
    let count = |name: &str| invocations.iter().filter(|invocation| invocation.name.starts_with(name)).count();
    assert!(count("telephony-") > 50 && count("event-") > 20, "{}, {}", count("telephony-"), count("event-"));
    let world = World::healthy();
    // Each line is found by its ids, whatever its group.
    world.aws.change(|account| account.log_groups.get_mut(TELEPHONY_LOG).unwrap().lines = lines);
    thread::scope(|threads| {
        for part in invocations.chunks(invocations.len().div_ceil(6)) {
            let world = &world;
            threads.spawn(move || {
                for invocation in part {
                    assert_explained(world, invocation);
                }
            });
        }
    });
}

fn assert_explained(world: &World, invocation: &Invocation) {
    let Invocation { name, request_id, reasons, private_values } = invocation;
    let text = world.run(&["explain", request_id]);
    let json = world.run(&["explain", request_id, "--json"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap_or_else(|_| panic!("{name}: {}", json.stderr));
    let stories = report["stories"].as_array().unwrap();
    assert!(!stories.is_empty(), "{name}: {report}");
    for reason in reasons {
        let is_named = |story: &Value| {
            let steps = story["steps"].as_array().unwrap();
            story["reason"] == **reason
                || steps.iter().any(|step| step["what"].as_str().unwrap().contains(reason.as_str()))
                // These two are said in words.
                || (["approved", "queued"].contains(&reason.as_str()) && story["verdict"] == "feedback")
        };
        assert!(stories.iter().any(is_named), "{name}: {reason} is not in {report}");
    }
    if name.starts_with("telephony-") {
        let story = newest(&report);
        assert_eq!((text.status, json.status), (1, 1), "{name}");
        assert!(!story["action"].as_str().unwrap().is_empty(), "{name}: {story}");
        let last = last_line(&text);
        let answer = story["answer"].as_str().unwrap();
        assert!(last.starts_with("Answer: ") && last.contains(answer), "{name}: {last}");
        let is_swallowed = name.contains("swallowed");
        assert_eq!(story["verdict"] == "swallowed", is_swallowed, "{name}: {story}");
    }
    for value in private_values {
        for output in [&text, &json] {
            // The value itself is not printed, because test output is output too.
            let is_found = value.is_in(&output.stdout) || value.is_in(&output.stderr);
            assert!(!is_found, "the {} of {name} is in the output", value.kind());
        }
    }
}

// Joins.

#[test]
fn a_code_is_found_by_each_of_its_ids() {
    let world = world(&[sent(60), approved(30)]);
    world.twilio.change(|account| account.attempts = vec![attempt(60)]);
    for thing in [
        USER,
        VERIFICATION,
        ATTEMPT,
        "RQ00000000000000000000000000000001",
        REQUEST,
        "11111111-6881-11ee-8754-050a89ee763e",
        "uS5871kJThSyU8qlA1LTcg",
        "reqRgSk8IBBRhuo0YdlEDTmUw",
    ] {
        let (exit, report) = world.run_json(&["explain", thing]);
        assert_eq!(report["stories"].as_array().unwrap().len(), 1, "{thing}: {report}");
        let story = newest(&report);
        assert_eq!(
            (exit, &story["verdict"], &story["user_id"]),
            (0, &"used".into(), &USER.into()),
            "{thing}: {report}"
        );
        assert_eq!((&story["phone"], &story["channel"]), (&"US…23".into(), &"sms".into()), "{thing}");
    }
}

#[test]
fn the_first_line_says_who_and_the_last_one_answers() {
    let world = world(&[refused(60)]);
    let mut event = okta_event(1, 58);
    event = event.with("isSmsHookFailover", "true");
    world.okta.change(|org| org.log = vec![event]);
    let output = world.run(&["explain", USER]);
    let first = output.stdout.lines().next().unwrap();
    assert!(first.starts_with(USER) && first.contains("by SMS") && first.contains("(sign-in, US…23)"), "{first}");
    assert!(output.stdout.contains("risk score 95"), "{}", output.stdout);
    let last = last_line(&output);
    assert!(last.contains("pumping") && last.contains("Okta sent a code itself"), "{last}");
    assert!(last.contains("MAX_SMS_PUMPING_RISK"), "{last}");
    assert_eq!(output.status, 1);
}

#[test]
fn a_message_is_followed_to_the_carrier() {
    let world = world(&[sent(60)]);
    assert_eq!(verdict(&world), (0, "sent".into()));
    world.twilio.change(|account| account.attempts = vec![attempt(60)]);
    assert_eq!(verdict(&world), (0, "delivered".into()));
    world.twilio.change(|account| {
        let attempt = &mut account.attempts[0];
        (attempt.delivery, attempt.error_code) = (Some("undelivered"), Some(30007));
    });
    assert_eq!(verdict(&world), (1, "not_delivered".into()));
    assert!(last_line(&world.run(&["explain", USER])).contains("(30007)"));
    world.twilio.change(|account| account.attempts[0].is_converted = true);
    assert_eq!(verdict(&world), (0, "used".into()));
}

#[test]
fn a_second_message_of_okta_is_seen() {
    let world = world(&[sent(60)]);
    let noted = okta_event(1, 60).with("transactionId", VERIFICATION);
    world.okta.change(|org| org.log = vec![noted.clone()]);
    assert_eq!(verdict(&world), (0, "sent".into()), "our own message is no second one");
    let failover = okta_event(2, 57).with("isSmsHookFailover", "true");
    world.okta.change(|org| org.log = vec![noted, failover]);
    assert_eq!(verdict(&world), (0, "sent_twice".into()));
}

#[test]
fn a_code_that_never_reached_the_hook_is_explained_by_okta() {
    let world = world(&[]);
    let set = |change: fn(LogEvent) -> LogEvent| world.okta.change(|org| org.log = vec![change(okta_event(1, 60))]);
    set(|event| event);
    assert_eq!(verdict(&world), (0, "sent_by_okta".into()));
    assert!(last_line(&world.run(&["explain", USER])).contains("without the hook"));
    set(|event| LogEvent { result: "FAILURE".to_owned(), ..event });
    assert_eq!(verdict(&world), (1, "not_sent_by_okta".into()));
    assert!(last_line(&world.run(&["explain", USER])).contains("30 seconds"));
    set(|event| LogEvent { result: "DENY".to_owned(), ..event });
    assert!(last_line(&world.run(&["explain", USER])).contains("toll fraud"));
    set(|event| event.with("isSmsHookFailover", "true"));
    assert!(last_line(&world.run(&["explain", USER])).contains("no usable response"));
}

#[test]
fn a_rejected_request_belongs_to_the_user_for_whom_okta_then_sent() {
    let rejected = line("request_rejected", 60, json!({"reason": "not_authenticated", "status": 401}));
    let world = world(&[rejected]);
    let (exit, report) = world.run_json(&["explain", USER]);
    assert_eq!((exit, report["stories"].as_array().unwrap().len()), (1, 0), "it names no user: {report}");
    world.okta.change(|org| org.log = vec![okta_event(1, 59).with("isSmsHookFailover", "true")]);
    assert_eq!(verdict(&world), (1, "rejected".into()));
    let last = world.run(&["explain", USER]);
    assert!(
        last_line(&last).contains("secret") && last_line(&last).contains("Okta sent a code itself"),
        "{}",
        last.stdout
    );
}

#[test]
fn okta_reads_our_response_by_the_id_of_the_request() {
    let world = world(&[refused(60)]);
    let context = json!({"requestId": REQUEST, "reason": "sms_pumping_risk"});
    let uuid = "33333333-6881-11ee-8754-050000000001";
    let processed = |context: Value| {
        LogEvent::new(uuid, "inline_hook.response.processed", &ago(59).to_rfc3339()).with("inlineHook", context)
    };
    let has_read = || world.run(&["explain", USER]).stdout.contains("read the hook's response");
    world.okta.change(|org| org.log = vec![processed(json!({"requestId": "00000000-0000-4000-8000-0000000000ff"}))]);
    assert!(!has_read(), "another request");
    world.okta.change(|org| org.log = vec![processed(context)]);
    assert!(has_read());
    let unusable = LogEvent::new(uuid, "inline_hook.executed", &ago(59).to_rfc3339());
    world.okta.change(|org| org.log = vec![unusable]);
    assert!(world.run(&["explain", USER]).stdout.contains("no usable response"));
}

// Sources.

#[test]
fn each_source_can_be_missing() {
    let sources = |world: &World| {
        let (_, report) = world.run_json(&["explain", USER]);
        let read = report["sources"].as_array().unwrap().iter();
        let read = read.map(|source| source["is_read"].as_bool().unwrap()).collect::<Vec<_>>();
        (read, newest(&report)["verdict"].clone())
    };
    let all = || {
        let world = world(&[sent(60)]);
        world.okta.change(|org| org.log = vec![okta_event(1, 60).with("transactionId", VERIFICATION)]);
        world.twilio.change(|account| account.attempts = vec![attempt(60)]);
        world
    };
    assert_eq!(sources(&all()), (vec![true, true, true], "delivered".into()));
    // Without the log, Okta names the verification, and Twilio says what became of it.
    let world = all();
    world.aws.change(|account| account.denied.insert("logs:StartQuery"));
    assert_eq!(sources(&world), (vec![false, true, true], "delivered".into()));
    let text = world.run(&["explain", USER]).stdout;
    assert!(text.contains("Not read: the hook's log (these AWS credentials may not call logs:StartQuery"), "{text}");
    let mut world = all();
    world.environment.remove("OKTA_API_TOKEN");
    assert_eq!(sources(&world), (vec![true, false, true], "delivered".into()));
    assert!(world.run(&["explain", USER]).stdout.contains("OKTA_API_TOKEN is not set"));
    let world = all();
    world.okta.change(|org| org.denied.insert("okta.logs.read"));
    assert_eq!(sources(&world), (vec![true, false, true], "delivered".into()));
    let mut world = all();
    world.environment.remove("TWILIO_AUTH_TOKEN");
    assert_eq!(sources(&world), (vec![true, true, false], "sent".into()));
    assert!(last_line(&world.run(&["explain", USER])).contains("not known here"));
}

#[test]
fn without_any_source_it_could_not_run() {
    let mut world = world(&[sent(60)]);
    world.aws.change(|account| account.is_expired = true);
    world.environment.clear();
    let output = world.run(&["explain", USER]);
    assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{}", output.stderr);
    for why in ["expired", "OKTA_API_TOKEN", "TWILIO_API_KEY"] {
        assert!(output.stderr.contains(why), "{}", output.stderr);
    }
}

#[test]
fn nothing_found_is_an_answer() {
    let mut world = world(&[]);
    let answer = |world: &World, thing: &[&str]| {
        let output = world.run(&[&["explain"], thing].concat());
        (output.status, last_line(&output).to_owned())
    };
    let (exit, last) = answer(&world, &[USER]);
    assert!(exit == 1 && last.contains("asked for no code"), "{last}");
    let (exit, last) = answer(&world, &[VERIFICATION]);
    assert!(exit == 1 && last.contains("--since 7d"), "{last}");
    let (exit, last) = answer(&world, &[]);
    assert!(exit == 0 && last.contains("went out"), "{last}");
    world.environment.remove("OKTA_API_TOKEN");
    let (exit, last) = answer(&world, &[USER]);
    assert!(exit == 1 && last.contains("OKTA_API_TOKEN"), "{last}");
}

#[test]
fn without_a_thing_the_last_failures_are_explained() {
    let of = |number: i64, line: Value| {
        let mut line = line;
        line["function_request_id"] = format!("00000000-0000-4000-8000-{number:012x}").into();
        line
    };
    let mut lines: Vec<_> = (0..12).map(|number| of(number, refused(600 - number))).collect();
    lines.push(of(100, sent(60)));
    let world = world(&lines);
    let (exit, report) = world.run_json(&["explain"]);
    let stories = report["stories"].as_array().unwrap();
    assert_eq!((exit, stories.len()), (1, 10), "{report}");
    assert!(stories.iter().all(|story| story["verdict"] == "refused"), "{report}");
    let (first, last) = (stories[0]["at"].as_str().unwrap(), stories[9]["at"].as_str().unwrap());
    assert!(first < last, "the newest is the last: {first}, {last}");
    assert_eq!(newest(&report)["function_request_ids"][0], "00000000-0000-4000-8000-00000000000b");
}

#[test]
fn a_time_range_limits_what_is_found() {
    let world = world(&[refused(7_200)]);
    let count = |arguments: &[&str]| {
        let (_, report) = world.run_json(&[&["explain", USER], arguments].concat());
        report["stories"].as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 1);
    assert_eq!((count(&["--since", "1h"]), count(&["--since", "3h"])), (0, 1));
    assert_eq!(count(&["--since", "5h", "--until", "3h"]), 0);
    let output = world.run(&["explain", USER, "--since", "yesterday"]);
    assert!(output.status == 2 && output.stderr.contains("30m"), "{}", output.stderr);
}

// Prompts, and what nobody may see.

#[test]
fn a_login_is_asked_for_and_dropped() {
    let world = world(&[refused(60)]);
    let output = run_with_input(&world, &["explain", "--ask-user"], &format!("{LOGIN}\n"));
    assert!(output.stdout.starts_with(USER), "{}{}", output.stdout, output.stderr);
    assert!(!output.stdout.contains("private.login") && !output.stderr.contains("private.login"));
    let output = run_with_input(&world, &["explain", "--ask-user"], "other.login@example.com\n");
    assert_eq!((output.status, output.stdout.as_str()), (2, ""));
    assert!(output.stderr.contains("no user with this login") && !output.stderr.contains("other"), "{}", output.stderr);
    assert_eq!(run_with_input(&world, &["explain", "--ask-user"], "\n").status, 2);
}

#[test]
fn a_number_is_asked_for_and_goes_to_twilio_only() {
    let world = world(&[sent(60)]);
    world.twilio.change(|account| account.attempts = vec![attempt(60)]);
    let ask = |number: &str| run_with_input(&world, &["explain", "--ask-phone", "--json"], number);
    let output = ask("+1 (202) 555-0123\n");
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let story = newest(&report);
    assert_eq!((&story["user_id"], &story["verdict"]), (&USER.into(), &"delivered".into()), "{report}");
    let output = ask("+12025550199\n");
    assert!(output.status == 1 && output.stdout.contains("nothing_found"), "{}", output.stdout);
    for wrong in ["2025550123\n", "Jane\n", "+12\n"] {
        let output = ask(wrong);
        assert!(output.status == 2 && !output.stderr.contains(wrong.trim()), "{}", output.stderr);
    }
}

/// Runs the program in a terminal, answers its prompt, and returns what the terminal showed.
fn run_in_terminal(world: &World, arguments: &[&str], answer: &str) -> Output {
    const SCRIPT: &str = r"
import os, pty, select, sys, termios, time
answer, program = sys.argv[1], sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execv(program[0], program)
shown, answered, deadline = b'', False, time.monotonic() + 60
while True:
    if time.monotonic() > deadline:
        os.kill(child, 9)
    try:
        if select.select([terminal], [], [], 0.02)[0]:
            shown += os.read(terminal, 4096)
        # The prompt discards what was typed before it hides the input.
        is_hidden = not termios.tcgetattr(terminal)[3] & termios.ECHO
    except (OSError, termios.error):
        break
    if b': ' in shown and is_hidden and not answered:
        os.write(terminal, answer.encode() + b'\n')
        answered = True
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
";
    let mut command = Command::new("python3");
    command.args(["-c", SCRIPT, answer, env!("CARGO_BIN_EXE_okta-twilio")]).args(arguments);
    #[expect(clippy::disallowed_methods, reason = "Python has to be found")]
    let path = std::env::var("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("TERM", "xterm").envs(world.aws.variables()).envs(&world.environment);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_terminal_does_not_show_what_is_entered() {
    let world = world(&[refused(60)]);
    world.twilio.change(|account| account.attempts = vec![attempt(60)]);
    let output = run_in_terminal(&world, &["explain", "--ask-user"], LOGIN);
    assert!(output.stdout.contains("Login of the user") && output.stdout.contains(USER), "{}", output.stdout);
    assert!(output.stdout.contains("Answer"), "{}{}", output.stdout, output.stderr);
    assert!(!output.stdout.contains("private"), "{}", output.stdout);
    let output = run_in_terminal(&world, &["explain", "--ask-phone"], NUMBER);
    assert!(output.stdout.contains("Phone number") && output.stdout.contains("US…23"), "{}", output.stdout);
    assert!(!output.stdout.contains("2025550"), "{}", output.stdout);
}

#[test]
fn what_is_no_id_is_not_repeated() {
    let world = world(&[]);
    for thing in [LOGIN, NUMBER, "Jane", "867530"] {
        let output = world.run(&["explain", thing]);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{thing}");
        assert!(output.stderr.contains("--ask-user") && !output.stderr.contains(thing), "{}", output.stderr);
    }
}

#[test]
fn nothing_private_is_printed() {
    let rejected = line("request_rejected", 300, json!({"reason": "not_authenticated", "status": 401}));
    let world = world(&[sent(60), approved(30), rejected]);
    world.twilio.change(|account| account.attempts = vec![attempt(60)]);
    world.okta.change(|org| {
        org.log = vec![
            okta_event(1, 299).with("isSmsHookFailover", "true"),
            okta_event(2, 60).with("transactionId", VERIFICATION),
            LogEvent { result: "DENY".to_owned(), ..okta_event(3, 20) },
        ];
    });
    for thing in [&["explain", USER][..], &["explain", VERIFICATION], &["explain"]] {
        assert!(world.run(thing).stdout.contains("Answer"), "there is something to read");
        world.assert_no_leak(thing, &["+1202", LOGIN, "private", "Private"]);
    }
    world.okta.change(|org| org.options.api_token = "another".to_owned());
    world.twilio.change(|account| account.auth_token = "another".to_owned());
    world.assert_no_leak(&["explain", USER], &["+1202", LOGIN]);
}
