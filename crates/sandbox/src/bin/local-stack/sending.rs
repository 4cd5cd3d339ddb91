//! One request to send a code and its result.

use std::time::{Duration, Instant};

use sandbox::{Message, Outcome, recorded_events::Sending};
use serde_json::Value;

use crate::{
    error::Error,
    functions::TELEPHONY_HOOK,
    http::Answer,
    request::Request,
    scene::Scene,
    terminal::{self, LOG_LIMIT},
};

/// The result of a request.
pub(crate) struct Observed {
    pub(crate) answer: Answer,
    pub(crate) took: Duration,
    pub(crate) log: Vec<Value>,
    pub(crate) messages: Vec<Message>,
}

/// Sends a request over HTTP. The caller must reset the sandbox before, so that no request sees Twilio's state from an
/// earlier one.
pub(crate) fn observe(scene: &Scene<'_>, request: Request) -> Result<Observed, Error> {
    let (sandbox, output) = (&scene.outside.sandbox, &scene.functions.output);
    let position = output.position();
    let started = Instant::now();
    let answer = scene.functions.send(scene.waiter, &TELEPHONY_HOOK, request)?;
    let took = started.elapsed();
    let is_decision = |line: &str| terminal::log_line(line).is_some_and(|line| is_decision(&line));
    let lines = output.wait_for(position, LOG_LIMIT, is_decision);
    Ok(Observed {
        answer,
        took,
        log: lines.iter().filter_map(|line| terminal::log_line(line)).collect(),
        messages: sandbox.messages(),
    })
}

/// Whether a log line is the one that ends a request.
pub(crate) fn is_decision(line: &Value) -> bool {
    Outcome::of_event(terminal::message(line)).is_some()
}

impl Observed {
    /// The result in the log.
    pub(crate) fn decided(&self) -> Outcome {
        Outcome::of_event(terminal::message(self.decision())).unwrap_or(Outcome::Rejected)
    }

    /// The final log line of the request; null without one.
    fn decision(&self) -> &Value {
        self.log.iter().find(|line| is_decision(line)).unwrap_or(&Value::Null)
    }

    /// The reason in the log.
    fn logged_reason(&self) -> &str {
        self.decision().get("reason").and_then(Value::as_str).unwrap_or("no reason")
    }

    fn body(&self) -> Value {
        serde_json::from_str(&self.answer.body).unwrap_or_default()
    }

    /// Whether the response says that the code was sent.
    fn is_successful(&self) -> bool {
        self.body().pointer("/commands/0/value/0/status").is_some_and(|status| status == "SUCCESSFUL")
    }

    /// The reason in the response.
    fn reason(&self) -> String {
        let body = self.body();
        let reason = body.pointer("/error/errorCauses/0/reason").or(body.pointer("/debugContext/reason"));
        reason.and_then(Value::as_str).unwrap_or("no reason").to_owned()
    }

    /// A short description of the result.
    pub(crate) fn outcome(&self) -> String {
        let phone = self.messages.first().map_or_else(String::new, |message| format!(", {}", message.channel.name()));
        format!("{} {}{phone}", self.answer.status, self.logged_reason())
    }

    /// Whether the result is the recorded one. The tests check the whole response, and each request and message.
    pub(crate) fn is_as_expected(&self, expected: &Sending) -> bool {
        self.answer.status == expected.status
            && self.reason() == expected.reason
            && self.logged_reason() == expected.reason
            && self.is_successful() == expected.successful
            && self.messages.len() == expected.messages.len()
    }
}
