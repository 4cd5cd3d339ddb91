//! The six stories of `make demo`: one deployment, as the template makes it, with two rules against fraud.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use sandbox::{
    Fault, Operation, RecordedRequest, Times,
    deployment::{AUTH_SECRET, TelephonyRequest},
    events::{self, Engine, Okta},
    lambda::gateway_event,
    recorded_events::{self, PrivateValue, RecordedEvent, Sending},
};
use serde_json::Value;

use crate::{
    error::Error,
    feedback,
    functions::{EVENT_HOOK, Variables},
    request::Request,
    scene::Scene,
    sending::{self, Observed},
    tally::Tally,
    terminal,
};

/// The user, the user's phone, and the code.
const USER: &str = "00uyxxSknGtK8022w0g3";
const PHONE: &str = "+12025550123";
const CODE: &str = "314159";

/// The limit for feedback from Okta's delivery through the queue to Twilio.
const FEEDBACK_LIMIT: Duration = Duration::from_secs(15);

/// The recorded events of the stories.
const PUMPING: &str = "telephony-policy-pumping-swallowed";
const SIM_SWAPPED: &str = "telephony-policy-sim-swapped";
const WRONG_SECRET: &str = "telephony-rejected-secret-wrong";
const TIMEOUT: &str = "telephony-twilio-timeout";

/// The recorded events that a story shows completely. They are not sent again.
pub(crate) const SHOWN: [&str; 3] = [PUMPING, WRONG_SECRET, TIMEOUT];

/// The variables of the functions, in addition to those of every deployment.
pub(crate) fn variables() -> Variables {
    let variables = [
        ("LOOKUP_FIELDS", "sms_pumping_risk,sim_swap"),
        ("MAX_SMS_PUMPING_RISK", "75"),
        ("MAX_SIM_SWAP_AGE_HOURS", "72"),
        ("DENY_RESPONSE", "swallow"),
    ];
    BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// Runs the stories.
pub(crate) fn run(scene: &Scene<'_>, tally: &mut Tally) -> Result<(), Error> {
    let events = recorded_events::of_telephony_hook();
    let recorded = |name: &str| events.iter().find(|event| event.name == name);
    scene.terminal.say(scene.terminal.quiet(
        "Six stories of one deployment. It refuses numbers that are probably part of SMS pumping (risk above 75) and SIMs that \
         were swapped within 72 hours. Okta gets success even for a refusal (DENY_RESPONSE=swallow), so that it does not send the code \
         itself. Nothing here has access to Okta's API.",
    ))?;

    heading(scene, 1, "A user signs in, and Twilio learns that the code was right")?;
    sign_in(scene, tally)?;
    heading(scene, 2, "A fraudster pumps SMS to numbers that earn money: refused before a message costs anything")?;
    show_recorded(scene, tally, recorded(PUMPING))?;
    heading(scene, 3, "A thief has taken over the user's SIM: refused, the code does not reach the thief")?;
    show_recorded(scene, tally, recorded(SIM_SWAPPED))?;
    heading(scene, 4, "A caller does not know the hook's secret: rejected")?;
    show_recorded(scene, tally, recorded(WRONG_SECRET))?;
    heading(scene, 5, "Twilio fails once: the second attempt sends the code, and the user notices nothing")?;
    fails_once(scene, tally)?;
    heading(scene, 6, "Twilio hangs: Okta still gets a response within its three seconds")?;
    show_recorded(scene, tally, recorded(TIMEOUT))
}

fn heading(scene: &Scene<'_>, number: u8, sentence: &str) -> Result<(), Error> {
    scene.terminal.say(format!("\n{}", scene.terminal.title(format!("{number}. {sentence}"))))
}

/// From Okta's request to the approved verification.
fn sign_in(scene: &Scene<'_>, tally: &mut Tally) -> Result<(), Error> {
    let (terminal, sandbox) = (scene.terminal, &scene.outside.sandbox);
    sandbox.reset();
    tally.must_not_show(person());
    let observed = show_request(scene, tally, Request::of(&TelephonyRequest::sms(PHONE, CODE).event().build()))?;
    terminal.say(terminal.row("the user", "types the code, and Okta accepts it"))?;

    let position = scene.functions.output.position();
    let (answer, took) = feedback::deliver(scene, Request::of(&delivery()))?;
    let is_final = |line: &str| terminal::log_line(line).is_some_and(|line| feedback::is_final(&line));
    let lines = scene.functions.output.wait_for(position, FEEDBACK_LIMIT, is_final);
    let log: Vec<Value> = lines.iter().filter_map(|line| terminal::log_line(line)).collect();
    let last = log.iter().find(|line| feedback::is_final(line)).unwrap_or(&Value::Null);
    let text = |name: &str| last.get(name).and_then(Value::as_str).unwrap_or("?");
    let took_ms = took.as_millis();
    terminal.say(terminal.row("Okta reports", format!("the event and gets {} after {took_ms} ms", answer.status)))?;
    let known = match text("source") {
        "sends" => "the sends table has the verification, Okta's API is not used".to_owned(),
        source => format!("reason {}, source {source}", text("reason")),
    };
    terminal.say(terminal.row("event-hook", format!("takes the event from its queue: {known}")))?;
    let approved = sandbox.approved();
    let twilio_knows = if approved == [PHONE] { "that the code was right (approved)" } else { "nothing" };
    terminal.say(terminal.row("Twilio knows", twilio_knows))?;
    tally.answered("the delivery of the event", took);
    let is_exact = answer.status == 200 && approved == [PHONE] && text("source") == "sends";
    verdict(scene, tally, is_exact && observed.is_successful() && sandbox.okta_requests().is_empty())
}

/// A fault that affects one request only.
fn fails_once(scene: &Scene<'_>, tally: &mut Tally) -> Result<(), Error> {
    let sandbox = &scene.outside.sandbox;
    sandbox.reset();
    sandbox.fault(Operation::VerifyCreate, Fault::Status(503), Times::Next(1));
    tally.must_not_show(person());
    let observed = show_request(scene, tally, Request::of(&TelephonyRequest::sms(PHONE, CODE).event().build()))?;
    let tries = sandbox.requests_for(Operation::VerifyCreate).len();
    verdict(scene, tally, observed.is_successful() && tries == 2 && observed.messages.len() == 1)
}

fn show_recorded(scene: &Scene<'_>, tally: &mut Tally, event: Option<&RecordedEvent<Sending>>) -> Result<(), Error> {
    let Some(event) = event else { return verdict(scene, tally, false) };
    scene.outside.sandbox.reset();
    tally.must_not_show(event.private_values());
    let observed = show_request(scene, tally, Request::of(&event.event()))?;
    let terminal = scene.terminal;
    terminal.say(terminal.coloured_row("2", "recorded in", format!("events/{}.json", event.name)))?;
    // The rule about SIM cards is the same, whatever the response to a refusal is.
    let is_same_reason = observed.logged_reason() == event.expected.reason;
    verdict(scene, tally, is_same_reason && observed.messages.len() == event.expected.messages.len())
}

fn verdict(scene: &Scene<'_>, tally: &mut Tally, is_as_expected: bool) -> Result<(), Error> {
    tally.add(is_as_expected);
    if is_as_expected { Ok(()) } else { scene.terminal.say(scene.terminal.bad("  NOT as expected")) }
}

/// Shows each step from Okta's request to the message on the phone.
fn show_request(scene: &Scene<'_>, tally: &mut Tally, request: Request) -> Result<Observed, Error> {
    let terminal = scene.terminal;
    terminal.say(terminal.row("Okta asks", request.summary()))?;
    let observed = sending::observe(scene, request)?;
    terminal.say(terminal.row("decided", decided(&observed)))?;
    let is_silent = observed.logged_reason() == "twilio_timeout";
    for (index, step) in observed.requests.iter().enumerate() {
        let is_last = index + 1 == observed.requests.len();
        terminal.say(terminal.row("Twilio", asked(step, is_silent && is_last)))?;
    }
    if observed.requests.is_empty() {
        terminal.say(terminal.row("Twilio", "is not asked"))?;
    }
    terminal.say(terminal.row("Okta gets", responded(&observed)))?;
    for message in &observed.messages {
        terminal.say(terminal::phone(terminal, message))?;
    }
    if observed.messages.is_empty() {
        terminal.say(terminal.row("phone shows", "nothing"))?;
    }
    terminal.say(terminal.coloured_row("1", "Okta then", next(&observed)))?;
    tally.decided(&observed);
    tally.answered("a request to send a code", observed.took);
    Ok(observed)
}

fn decided(observed: &Observed) -> String {
    let line = observed.decision();
    let decision = match terminal::message(line) {
        "otp_sent" => "to send it",
        "otp_refused" => "not to send it",
        "otp_failed" => "that it cannot be sent",
        "request_rejected" => "to reject the request",
        _ => "nothing",
    };
    let risk = line.get("sms_pumping_risk").and_then(Value::as_u64);
    let risk = risk.filter(|_| observed.logged_reason() == "sms_pumping_risk");
    let risk = risk.map_or_else(String::new, |risk| format!(" of {risk}"));
    format!("{decision}, reason {}{risk}", observed.logged_reason())
}

fn asked(request: &RecordedRequest, is_silent: bool) -> String {
    let what = match request.operation {
        Operation::Lookup => "is asked for data on the number (Lookup)",
        _ => "is asked to send the code (Verify)",
    };
    match request.response.filter(|_| !is_silent) {
        Some(response) => format!("{what}: {}", response.status),
        None => format!("{what}: no response in time"),
    }
}

fn responded(observed: &Observed) -> String {
    let took = observed.took.as_millis();
    let what = match (observed.answer.status, observed.is_successful()) {
        (_, true) => "SUCCESSFUL".to_owned(),
        (200, false) => "an error with status 200".to_owned(),
        (status, false) => status.to_string(),
    };
    format!("{what}, after {took} ms")
}

/// What Okta does after the response. (Source: Okta, "Telephony inline hook", failover.)
fn next(observed: &Observed) -> &'static str {
    match (observed.is_successful(), observed.messages.is_empty()) {
        (true, false) => "asks the user for the code",
        (true, true) => "asks for a code that never arrives, and does not send one itself",
        (false, true) if observed.answer.status == 401 => {
            "sends the code itself, if the caller was Okta with an outdated secret and the org has a provider"
        }
        (false, true) => "sends the code itself, if the org has a provider for that",
        (false, false) => "sends the code itself, so that the user may receive two",
    }
}

/// The private values of the user, which no output may show.
fn person() -> Vec<PrivateValue> {
    let text = |value: &str| PrivateValue::Text("name or login", value.to_owned());
    let names = ["Zaphod", "Beeblebrox"].map(text);
    let event = events::PRIVATE_VALUES.map(text);
    let digits = PHONE.trim_start_matches('+').to_owned();
    [PrivateValue::Code(CODE.to_owned()), PrivateValue::Number(digits)].into_iter().chain(names).chain(event).collect()
}

/// Okta's delivery of the event that a code sent by SMS was right.
#[expect(clippy::disallowed_methods, reason = "Okta's clock: the function compares it with its own")]
fn delivery() -> Value {
    let mut okta = Okta::new(1, SystemTime::now());
    let event = okta.authentication(Engine::Identity, events::SMS, USER);
    let body = okta.delivery([event]).body();
    gateway_event("POST", EVENT_HOOK.path, &[("content-type", "application/json"), ("auth_secret", AUTH_SECRET)], &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stories_are_recorded_events_that_the_demo_can_send() {
        let events = recorded_events::of_telephony_hook();
        for story in [PUMPING, SIM_SWAPPED, WRONG_SECRET, TIMEOUT] {
            let event = events.iter().find(|event| event.name == story);
            assert!(event.is_some_and(crate::demo::can_be_sent), "{story}");
        }
    }
}
