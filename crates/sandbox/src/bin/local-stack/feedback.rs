//! The story of feedback: Okta finds a code right, and Twilio learns of it.

use std::time::{Duration, Instant, SystemTime};

use sandbox::{
    deployment::{AUTH_SECRET, TelephonyRequest},
    events::{self, Engine, Okta},
    lambda::gateway_event,
    recorded_events::{Feedback, RecordedEvent},
};
use serde_json::Value;

use crate::{
    error::Error,
    functions::{EVENT_HOOK, TELEPHONY_HOOK},
    http::Answer,
    request::Request,
    scene::Scene,
    terminal,
};

/// A user of the stand-in Okta, the user's phone, and the code that is sent to it.
const USER: &str = "00uyxxSknGtK8022w0g3";
const PHONE: &str = "+12025550123";
const CODE: &str = "314159";

/// From Okta's delivery through the queue to Twilio.
const FEEDBACK_LIMIT: Duration = Duration::from_secs(15);

/// Tells of one sign-in from end to end, and returns whether it ended as expected.
pub(crate) fn tell_round_trip(scene: &Scene<'_>) -> Result<bool, Error> {
    let (terminal, sandbox) = (scene.terminal, &scene.outside.sandbox);
    println!("\n{}", terminal.title("A sign-in from end to end"));
    sandbox.reset();
    let request = Request::of(&TelephonyRequest::sms(PHONE, CODE).event().build());
    println!("{}", terminal.row("Okta asks", None, request.summary()));
    scene.functions.send(scene.waiter, &TELEPHONY_HOOK, request)?;
    for message in sandbox.messages() {
        println!("{}", terminal::phone(terminal, &message));
    }
    println!("{}", terminal.row("user types", None, "the code; Okta finds it right"));

    let position = scene.functions.output.position();
    let delivery = Request::of(&delivery());
    println!("{}", terminal.row("Okta reports", None, delivery.summary()));
    let (answer, took) = deliver(scene, delivery)?;
    let is_final = |line: &str| terminal::log_line(line).is_some_and(|line| is_final(&line));
    let lines = scene.functions.output.wait_for(position, FEEDBACK_LIMIT, is_final);
    for request in sandbox.okta_requests() {
        println!("{}", terminal.row("Okta got", None, format!("{} {}", request.method, request.path)));
    }
    for line in lines.iter().filter_map(|line| terminal::log_line(line)) {
        println!("{}", terminal.row("logged", None, terminal::in_short(&line)));
    }
    println!("{}", terminal.row("Okta is told", Some(took), answer.status));
    let approved = sandbox.approved();
    println!("{}", terminal.row("Twilio knows", None, format!("approved: {}", list(&approved))));
    let is_as_expected = answer.status == 200 && approved == [PHONE];
    println!("   {}", terminal.verdict(is_as_expected));
    Ok(is_as_expected)
}

/// Tells the end of a delivery in one line, and returns whether it is the expected one.
pub(crate) fn tell_outcome(scene: &Scene<'_>, event: &RecordedEvent<Feedback>) -> Result<bool, Error> {
    let sandbox = &scene.outside.sandbox;
    sandbox.reset();
    for number in &event.expected.pending {
        sandbox.send_code(number, CODE);
    }
    let (answer, took) = deliver(scene, Request::of(&event.event()))?;
    let approved = sandbox.approved();
    let is_as_expected = event.expected.status == Some(answer.status) && approved == event.expected.approved;
    let outcome = format!("{}, approved: {}", answer.status, list(&approved));
    println!("{}", scene.terminal.outcome(&event.name, took, &outcome, is_as_expected));
    Ok(is_as_expected)
}

fn deliver(scene: &Scene<'_>, delivery: Request) -> Result<(Answer, Duration), Error> {
    let started = Instant::now();
    let answer = scene.functions.send(scene.waiter, &EVENT_HOOK, delivery)?;
    Ok((answer, started.elapsed()))
}

fn list(numbers: &[String]) -> String {
    if numbers.is_empty() { "none".to_owned() } else { numbers.join(" ") }
}

fn is_final(line: &Value) -> bool {
    ["feedback_approved", "feedback_not_needed", "feedback_failed"].contains(&terminal::message(line))
}

/// Okta's delivery of the event that a code sent by SMS was right.
#[expect(clippy::disallowed_methods, reason = "Okta's clock: the function compares it with its own")]
fn delivery() -> Value {
    let mut okta = Okta::new(1, SystemTime::now());
    let event = okta.authentication(Engine::Identity, events::SMS, USER);
    let body = okta.delivery([event]).body();
    gateway_event("POST", EVENT_HOOK.path, &[("content-type", "application/json"), ("auth_secret", AUTH_SECRET)], &body)
}
