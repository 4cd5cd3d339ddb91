//! The story of one request to send a code.

use std::time::{Duration, Instant};

use sandbox::{
    Message, Operation, Options, RecordedRequest,
    recorded_events::{RecordedEvent, Sending},
};
use serde_json::Value;

use crate::{
    error::Error,
    functions::TELEPHONY_HOOK,
    http::Answer,
    request::Request,
    scene::Scene,
    terminal::{self, LOG_LIMIT, Terminal},
};

/// What came of a request.
struct Observed {
    answer: Answer,
    took: Duration,
    log: Vec<Value>,
    requests: Vec<RecordedRequest>,
    messages: Vec<Message>,
}

/// Tells all of it, and returns whether it ended as expected.
pub(crate) fn tell_story(scene: &Scene<'_>, event: &RecordedEvent<Sending>) -> Result<bool, Error> {
    let terminal = scene.terminal;
    println!("\n{}  {}", terminal.title(&event.shows), terminal.quiet(format!("events/{}.json", event.name)));
    let request = Request::of(&event.event());
    println!("{}", terminal.row("Okta asks", None, request.summary()));
    let observed = observe(scene, request)?;
    observed.tell(terminal);
    let is_as_expected = observed.is_as_expected(&event.expected);
    println!("   {}", terminal.verdict(is_as_expected));
    Ok(is_as_expected)
}

/// Tells the end of it in one line, and returns whether it is the expected one.
pub(crate) fn tell_outcome(scene: &Scene<'_>, event: &RecordedEvent<Sending>) -> Result<bool, Error> {
    let observed = observe(scene, Request::of(&event.event()))?;
    let is_as_expected = observed.is_as_expected(&event.expected);
    println!("{}", scene.terminal.outcome(&event.name, observed.took, &observed.outcome(), is_as_expected));
    Ok(is_as_expected)
}

fn observe(scene: &Scene<'_>, request: Request) -> Result<Observed, Error> {
    let sandbox = &scene.outside.sandbox;
    // Each event stands alone: none may find what another one has left at Twilio.
    sandbox.reset();
    let output = &scene.functions.output;
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
        requests: sandbox.requests(),
        messages: sandbox.messages(),
    })
}

/// Whether a log line is the one that ends a request.
fn is_decision(line: &Value) -> bool {
    ["otp_sent", "otp_refused", "otp_failed", "request_rejected"].contains(&terminal::message(line))
}

impl Observed {
    fn tell(&self, terminal: Terminal) {
        for line in &self.log {
            let took = terminal::milliseconds(line, "duration_ms");
            let label = if is_decision(line) { "decided" } else { "logged" };
            println!("{}", terminal.row(label, took, terminal::in_short(line)));
        }
        for request in &self.requests {
            let field = match request.operation {
                Operation::Lookup => "lookup_ms",
                _ => "verify_ms",
            };
            let took = self.log.iter().find_map(|line| terminal::milliseconds(line, field));
            println!("{}", terminal.row("Twilio got", took, describe(request)));
        }
        if self.requests.is_empty() {
            println!("{}", terminal.row("Twilio got", None, "nothing"));
        }
        println!("{}", terminal.row("Okta is told", Some(self.took), self.told()));
        for message in &self.messages {
            println!("{}", terminal::phone(terminal, message));
        }
        if self.messages.is_empty() {
            println!("{}", terminal.row("phone shows", None, "nothing"));
        }
    }

    fn body(&self) -> Value {
        serde_json::from_str(&self.answer.body).unwrap_or_default()
    }

    /// The answer in short.
    fn told(&self) -> String {
        let body = self.body();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
        let status = self.answer.status;
        if body.pointer("/commands").is_some() {
            let value = |name: &str| text(&format!("/commands/0/value/0/{name}"));
            let reference = if self.has_transaction() { value("transactionId") } else { value("transactionMetadata") };
            return format!("{status} {}, {reference}", value("status"));
        }
        format!("{status} {}: {}", self.reason(), text("/error/errorSummary"))
    }

    fn has_transaction(&self) -> bool {
        self.body().pointer("/commands/0/value/0/transactionId").is_some()
    }

    fn reason(&self) -> String {
        let body = self.body();
        let reason = body.pointer("/error/errorCauses/0/reason").or(body.pointer("/debugContext/reason"));
        reason.and_then(Value::as_str).unwrap_or("no reason").to_owned()
    }

    /// What became of it, in a few words.
    fn outcome(&self) -> String {
        let phone = self.messages.first().map_or_else(String::new, |message| format!(", {}", message.channel.name()));
        format!("{} {}{phone}", self.answer.status, self.reason())
    }

    /// Whether it ended as recorded. The tests look at the rest: the whole answer, the requests and the messages.
    fn is_as_expected(&self, expected: &Sending) -> bool {
        (self.answer.status, self.reason()) == (expected.status, expected.reason.clone())
    }
}

/// A request to Twilio in short. The code is on the phone; here it is covered.
fn describe(request: &RecordedRequest) -> String {
    let parameters: Vec<String> = request
        .parameters
        .iter()
        .map(|(name, value)| match name.as_str() {
            "CustomCode" => format!("{name}={}", "*".repeat(value.len())),
            _ => format!("{name}={value}"),
        })
        .collect();
    let answered = request.answered.map_or_else(
        || "no answer".to_owned(),
        |answered| match answered.code {
            Some(code) => format!("{}, error {code}", answered.status),
            None => answered.status.to_string(),
        },
    );
    let path = request.path.replace(&Options::default().service_sid, "VA…");
    format!("{} {path} {} -> {answered}", request.method, parameters.join("&"))
}
