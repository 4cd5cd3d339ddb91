//! Replays every recorded invocation of `events/` with the real binary. Checks the response and what reaches Verify and
//! the phones, and that no private value reaches the log.

#![expect(clippy::expect_used, reason = "clippy knows tests, but not the functions that they share")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::Duration,
};

use okta_twilio::twilio::ErrorCode;
use sandbox::{
    Effect, MAGIC_NUMBERS, Operation, Options, VerifyEffect,
    deployment::{Deployment, HttpAnswer},
    lambda::Function,
    recorded_events::{self, RecordedEvent},
};
use serde_json::{Value, json};

/// The complete responses, in one file per event.
const ANSWERS: &str = "answers";

#[test]
fn every_event_has_its_response() {
    let mut by_variables: BTreeMap<_, Vec<RecordedEvent>> = BTreeMap::new();
    for event in recorded_events::of_telephony_hook() {
        by_variables.entry(event.variables.clone()).or_default().push(event);
    }
    // One function for each set of variables. Only a few run in parallel, because more would slow each other down and
    // some events are about time.
    for some in by_variables.iter().collect::<Vec<_>>().chunks(3) {
        thread::scope(|threads| {
            for (variables, events) in some {
                threads.spawn(move || replay_all(variables, events));
            }
        });
    }
}

fn replay_all(variables: &BTreeMap<String, String>, events: &[RecordedEvent]) {
    let deployment = Deployment::start(Options::default());
    let function = deployment.function(env!("CARGO_BIN_EXE_telephony-hook")).envs(variables).spawn();
    function.wait_until_ready(Duration::from_secs(10)).expect("the function starts");
    for event in events {
        replay(&deployment, &function, event);
    }
    assert_nothing_private(&function.output(), events);
}

fn replay(deployment: &Deployment, function: &Function, event: &RecordedEvent) {
    let RecordedEvent { name, expected, .. } = event;
    let twilio = &deployment.twilio;
    twilio.reset();
    let response = HttpAnswer::of(function.invoke(&event.event()));
    assert_eq!(response.status, expected.status, "{name}");
    let pointer = |pointer: &str| response.body.pointer(pointer).cloned().unwrap_or_default();
    let (context, cause) = (pointer("/debugContext/reason"), pointer("/error/errorCauses/0/reason"));
    for reported in [&context, &cause].into_iter().filter(|reported| !reported.is_null()) {
        assert_eq!(*reported, json!(expected.reason), "{name}");
    }
    let reported = if expected.successful { json!("SUCCESSFUL") } else { Value::Null };
    assert_eq!(pointer("/commands/0/value/0/status"), reported, "{name}");
    assert_eq!(cause.is_null(), expected.successful, "{name}");
    assert_eq!(pointer("/error/errorCauses/0/location"), json!(expected.location), "{name}");
    assert_eq!(pointer("/debugContext/twilioCode"), json!(expected.twilio_code), "{name}");
    let requests = |operation| twilio.requests_for(operation).len();
    assert_eq!(requests(Operation::Lookup), expected.lookup_requests, "requests to Lookup: {name}");
    assert_eq!(requests(Operation::VerifyCreate), expected.verify_requests, "requests to Verify: {name}");
    let messages: Vec<Value> = twilio.messages().iter().map(|message| json!(message)).collect();
    assert_eq!(messages.len(), expected.messages.len(), "messages: {name}");
    for (message, fields) in messages.iter().zip(&expected.messages) {
        for (field, value) in fields {
            assert_eq!(&message[field], value, "{field} of the message: {name}");
        }
    }
    assert_response_matches(name, &response);
}

/// Compares with the stored response, except for values that are new each time.
fn assert_response_matches(name: &str, response: &HttpAnswer) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(ANSWERS);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_redaction(".body.debugContext.requestId", "[request id]");
    settings.add_redaction(".body.debugContext.twilioRequestId", "[Twilio's request id]");
    settings.add_redaction(".body.debugContext.milliseconds", "[milliseconds]");
    settings.add_redaction(".body.commands[].value[].transactionId", sid("VE"));
    settings.add_redaction(".body.commands[].value[].transactionMetadata", sid("VL"));
    let response = json!({"status": response.status, "headers": response.headers, "body": response.body});
    settings.bind(|| insta::assert_json_snapshot!(name, response));
}

/// Replaces a sid and keeps only its prefix. Anything else stays as it is.
fn sid(prefix: &'static str) -> insta::internals::Redaction {
    insta::dynamic_redaction(move |value, _path| {
        let is_sid = |text: &str| text.starts_with(prefix) && text.len() == 34;
        if value.as_str().is_some_and(is_sid) { format!("{prefix}[32 digits]").into() } else { value }
    })
}

fn assert_nothing_private(output: &str, events: &[RecordedEvent]) {
    for event in events {
        for value in event.private_values() {
            // The value itself is not printed, because test output is output too.
            assert!(!value.is_in(output), "the {} of {} is in the output", value.kind(), event.name);
        }
    }
}

#[test]
fn the_stored_responses_match_the_events() {
    let events: BTreeSet<_> = recorded_events::of_telephony_hook().into_iter().map(|event| event.name).collect();
    let folder = fs::read_dir(format!("{}/tests/{ANSWERS}", env!("CARGO_MANIFEST_DIR"))).expect("the answers' folder");
    let names = folder.map(|file| file.expect("a file").file_name().into_string().expect("a name in UTF-8"));
    let responses: BTreeSet<_> = names.filter_map(|name| name.strip_suffix(".snap").map(str::to_owned)).collect();
    assert_eq!(responses, events);
}

#[test]
fn every_reason_of_a_magic_number_has_an_event() {
    let shown: BTreeSet<_> =
        recorded_events::of_telephony_hook().into_iter().map(|event| event.expected.reason).collect();
    for magic in MAGIC_NUMBERS {
        let reason = match magic.effect {
            Effect::Verify(VerifyEffect::Refuse(refusal)) => {
                ErrorCode::of(Some(refusal.code), refusal.status).reason.as_str()
            }
            Effect::Verify(VerifyEffect::ReachedRateLimit) => "rate_limited",
            Effect::Verify(VerifyEffect::RespondLate(_)) => "twilio_timeout",
            Effect::Verify(VerifyEffect::HangUp | VerifyEffect::SendAndHangUp) => "twilio_interrupted",
            Effect::Lookup(_) => continue,
        };
        assert!(shown.contains(reason), "no event shows {reason}, as {} would", magic.number);
    }
}
