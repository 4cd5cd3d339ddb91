//! The six stories of `make demo`: one deployment, as the template makes it, with two rules against fraud.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use sandbox::{
    Fault, Hook, Operation, Outcome, Story, Times,
    deployment::{AUTH_SECRET, TelephonyRequest},
    events::{self, Engine, Okta},
    lambda::gateway_event,
    recorded_events::{self, PrivateValue, RecordedEvent, Sending},
};
use serde_json::Value;

use crate::{
    error::Error,
    feedback::is_final,
    functions::{EVENT_HOOK, Function, TELEPHONY_HOOK, Variables},
    request::Request,
    scene::Scene,
    sending::is_decision,
    tally::Tally,
    terminal,
};

/// The user, the user's phone, and the code.
const USER: &str = "00uyxxSknGtK8022w0g3";
const PHONE: &str = "+12025550123";
const CODE: &str = "314159";

/// The limit for the last log line of a request. Feedback goes from Okta's delivery through the queue to Twilio.
const LAST_LINE_LIMIT: Duration = Duration::from_secs(15);

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
    let sent = tell(scene, tally, &TELEPHONY_HOOK, &TelephonyRequest::sms(PHONE, CODE).event().build(), is_decision)?;
    terminal.say(terminal.row("the user", "types the code, and Okta accepts it"))?;
    let reported = tell(scene, tally, &EVENT_HOOK, &delivery(), is_final)?;
    let approved = sandbox.approved();
    let twilio_knows = if approved == [PHONE] { "that the code was right (approved)" } else { "nothing" };
    terminal.say(terminal.row("Twilio knows", twilio_knows))?;
    let sources: Vec<_> = reported.feedback.iter().map(|step| step.source.as_deref()).collect();
    let is_exact = approved == [PHONE] && sources == [Some("sends")];
    verdict(scene, tally, is_exact && sent.outcome == Outcome::Sent && sandbox.okta_requests().is_empty())
}

/// A fault that affects one request only.
fn fails_once(scene: &Scene<'_>, tally: &mut Tally) -> Result<(), Error> {
    let sandbox = &scene.outside.sandbox;
    sandbox.reset();
    sandbox.fault(Operation::VerifyCreate, Fault::Status(503), Times::Next(1));
    tally.must_not_show(person());
    let story = tell(scene, tally, &TELEPHONY_HOOK, &TelephonyRequest::sms(PHONE, CODE).event().build(), is_decision)?;
    let tries = sandbox.requests_for(Operation::VerifyCreate).len();
    verdict(scene, tally, story.outcome == Outcome::Sent && tries == 2 && story.phone.len() == 1)
}

fn show_recorded(scene: &Scene<'_>, tally: &mut Tally, event: Option<&RecordedEvent<Sending>>) -> Result<(), Error> {
    let Some(event) = event else { return verdict(scene, tally, false) };
    scene.outside.sandbox.reset();
    tally.must_not_show(event.private_values());
    let story = tell(scene, tally, &TELEPHONY_HOOK, &event.event(), is_decision)?;
    let terminal = scene.terminal;
    terminal.say(terminal.coloured_row("2", "recorded in", format!("events/{}.json", event.name)))?;
    // The rule about SIM cards is the same, whatever the response to a refusal is.
    let is_same_reason = story.decided.is_some_and(|decided| decided.reason == event.expected.reason);
    verdict(scene, tally, is_same_reason && story.phone.len() == event.expected.messages.len())
}

fn verdict(scene: &Scene<'_>, tally: &mut Tally, is_as_expected: bool) -> Result<(), Error> {
    tally.add(is_as_expected);
    if is_as_expected { Ok(()) } else { scene.terminal.say(scene.terminal.bad("  NOT as expected")) }
}

/// Sends a request of Okta, waits for the log line that ends it, and shows each step of its story.
fn tell(
    scene: &Scene<'_>,
    tally: &mut Tally,
    function: &'static Function,
    event: &Value,
    is_end: fn(&Value) -> bool,
) -> Result<Story, Error> {
    let (sandbox, output) = (&scene.outside.sandbox, &scene.functions.output);
    let position = output.position();
    let hook = if function.name == EVENT_HOOK.name { Hook::Event } else { Hook::Telephony };
    let id = sandbox.record_request(hook, event, None);
    let started = Instant::now();
    let answer = scene.functions.send(scene.waiter, function, Request::of(event))?;
    let took = started.elapsed();
    sandbox.record_response(id, answer.status, &answer.body, took);
    let is_last = |line: &str| terminal::log_line(line).is_some_and(|line| is_end(&line));
    for line in output.wait_for(position, LAST_LINE_LIMIT, is_last) {
        sandbox.record_log_line(&line);
    }
    let story = sandbox.story(id).ok_or(Error::Panicked)?;
    for step in story.steps() {
        let style = if step.is_of_people() { "1" } else { "" };
        scene.terminal.say(scene.terminal.coloured_row(style, step.label, step.text))?;
    }
    if hook == Hook::Telephony {
        tally.decided(story.outcome);
    }
    tally.answered(if hook == Hook::Event { "the delivery of the event" } else { "a request to send a code" }, took);
    Ok(story)
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
