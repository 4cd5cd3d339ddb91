//! The story of one sign-in from end to end: Okta has its code sent, the user types it, and Twilio learns that it was right.

use std::time::{Duration, Instant, SystemTime};

use sandbox::{
    Status,
    deployment::{AUTH_SECRET, TelephonyRequest},
    events::{self, Engine, Okta},
    lambda::gateway_event,
};
use serde_json::Value;

use crate::{
    error::Error,
    events::Waiter,
    functions::{EVENT_HOOK, Functions, TELEPHONY_HOOK},
    outside::Outside,
    request::Request,
    terminal::{self, Terminal},
};

/// A user of the stand-in Okta, and the user's phone.
const USER: &str = "00uyxxSknGtK8022w0g3";
const PHONE: &str = "+12025550123";

/// Far more than Twilio and Okta may take together.
const FEEDBACK_LIMIT: Duration = Duration::from_secs(15);

/// Tells it, and returns whether it ended as expected.
pub(crate) fn run(
    functions: &Functions,
    outside: &Outside,
    waiter: &Waiter,
    terminal: Terminal,
) -> Result<bool, Error> {
    let sandbox = &outside.sandbox;
    sandbox.reset();
    println!("\n{}", terminal.title("A sign-in from end to end"));
    let send = Request::of(&TelephonyRequest::sms(PHONE, "314159").event().build());
    println!("{}", terminal.row("Okta asks", None, send.summary()));
    functions.send(waiter, &TELEPHONY_HOOK, send)?;
    for message in sandbox.messages() {
        println!("{}", terminal::phone(terminal, &message));
    }
    println!("{}", terminal.row("user types", None, "the code; Okta finds it right"));

    let position = functions.output.position();
    let delivery = Request::of(&delivery());
    println!("{}", terminal.row("Okta reports", None, delivery.summary()));
    let started = Instant::now();
    let answer = functions.send(waiter, &EVENT_HOOK, delivery)?;
    let took = started.elapsed();
    let is_final = |line: &str| terminal::log_line(line).is_some_and(|line| is_final(&line));
    let lines = functions.output.wait_for(position, FEEDBACK_LIMIT, is_final);
    for request in sandbox.okta_requests() {
        println!("{}", terminal.row("Okta got", None, format!("{} {}", request.method, request.path)));
    }
    for line in lines.iter().filter_map(|line| terminal::log_line(line)) {
        println!("{}", terminal.row("logged", None, terminal::in_short(&line)));
    }
    println!("{}", terminal.row("Okta is told", Some(took), answer.status));
    let status = sandbox.verifications().last().map(|verification| verification.status);
    println!("{}", terminal.row("Twilio knows", None, status.map_or("no verification", Status::name)));

    let is_expected = answer.status == 200 && status == Some(Status::Approved);
    let verdict = if is_expected { terminal.good("as expected") } else { terminal.bad("NOT as expected") };
    println!("   {verdict}");
    Ok(is_expected)
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
