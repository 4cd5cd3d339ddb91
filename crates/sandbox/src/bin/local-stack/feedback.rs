//! One delivery of Okta's event hook and its result.

use std::time::{Duration, Instant};

use sandbox::recorded_events::{Feedback, RecordedEvent};
use serde_json::Value;

use crate::{
    error::Error,
    functions::EVENT_HOOK,
    http::Answer,
    output::Output,
    request::Request,
    scene::Scene,
    terminal::{self, LOG_LIMIT},
};

/// The code that is sent before an event reports it as correct.
const CODE: &str = "314159";

/// The result of a recorded delivery.
pub(crate) struct Delivered {
    pub(crate) took: Duration,
    /// A short description.
    pub(crate) outcome: String,
    pub(crate) is_as_expected: bool,
}

/// Sends the codes that a recorded delivery is about, then the delivery itself over HTTP.
pub(crate) fn observe(scene: &Scene<'_>, event: &RecordedEvent<Feedback>) -> Result<Delivered, Error> {
    let (sandbox, output, expected) = (&scene.outside.sandbox, &scene.functions.output, &event.expected);
    sandbox.reset();
    for number in &expected.pending {
        sandbox.send_code(number, CODE);
    }
    let position = output.position();
    let (answer, took) = deliver(scene, Request::of(&event.event()))?;
    let is_outcome = |line: &str| outcome(line).is_some();
    let lines = output.wait_for_several(expected.feedback.len(), position, LOG_LIMIT, is_outcome);
    let mut found: Vec<String> = lines.iter().filter_map(|line| outcome(line)).collect();
    found.sort();
    let approved = sandbox.approved();
    let is_as_expected =
        expected.status == Some(answer.status) && approved == expected.approved && found == expected.feedback;
    let result = if found.is_empty() && (400..500).contains(&answer.status) {
        logged_rejection(output, position)
    } else if found.is_empty() {
        let is_challenge = answer.body.contains("\"verification\"");
        if is_challenge { "Okta's challenge answered" } else { "nothing to approve" }.to_owned()
    } else {
        found.join(", ")
    };
    Ok(Delivered { took, outcome: format!("{} {result}", answer.status), is_as_expected })
}

/// Why the function rejected a delivery, as its log says.
fn logged_rejection(output: &Output, position: usize) -> String {
    let reason = |line: &str| {
        let line = terminal::log_line(line).filter(|line| terminal::message(line) == "request_rejected")?;
        line.get("reason").and_then(Value::as_str).map(str::to_owned)
    };
    let lines = output.wait_for(position, LOG_LIMIT, |line| reason(line).is_some());
    lines.iter().find_map(|line| reason(line)).unwrap_or_else(|| "no reason".to_owned())
}

/// Sends a delivery over HTTP.
pub(crate) fn deliver(scene: &Scene<'_>, delivery: Request) -> Result<(Answer, Duration), Error> {
    let started = Instant::now();
    let answer = scene.functions.send(scene.waiter, &EVENT_HOOK, delivery)?;
    Ok((answer, started.elapsed()))
}

/// Whether a log line reports the final outcome of an event.
pub(crate) fn is_final(line: &Value) -> bool {
    ["feedback_approved", "feedback_not_needed", "feedback_failed"].contains(&terminal::message(line))
}

/// The outcome of an event in the format of `events/expected.json`.
fn outcome(line: &str) -> Option<String> {
    let line = terminal::log_line(line).filter(is_final)?;
    let outcome = terminal::message(&line).trim_start_matches("feedback_").to_owned();
    let reason = line.get("reason").and_then(Value::as_str).unwrap_or_default();
    Some(if outcome == reason { outcome } else { format!("{outcome}: {reason}") })
}
