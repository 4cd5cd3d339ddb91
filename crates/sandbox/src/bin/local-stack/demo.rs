//! `make demo`: sends the recorded events through the front door, and tells the story of some and the outcome of all.

use std::time::{Duration, Instant};

use sandbox::{
    Message, Options, RecordedRequest,
    recorded_events::{self, RecordedEvent},
};
use serde_json::Value;

use crate::{
    error::Error,
    events::Waiter,
    http::Answer,
    request::Request,
    stack::Stack,
    terminal::{self, Terminal},
};

/// The function that the events are for.
const FUNCTION: &str = "telephony-hook";

/// The events whose story is told; of the others the outcome only.
const STORIES: &[&str] = &[
    "telephony-sms-mfa-verification",
    "telephony-call-voice-call",
    "telephony-sms-locale-portuguese",
    "telephony-twilio-60205-landline",
    "telephony-twilio-60410-fraud-guard",
    "telephony-twilio-timeout",
    "telephony-rejected-secret-wrong",
];

/// A function writes its log line before it answers; the line only has to come through the pipes.
const LOG_LIMIT: Duration = Duration::from_secs(2);

/// What came of a request.
struct Observed {
    answer: Answer,
    took: Duration,
    log: Vec<Value>,
    requests: Vec<RecordedRequest>,
    messages: Vec<Message>,
}

/// Sends all, and returns how many had another outcome than expected.
pub(crate) fn run(stack: &Stack, waiter: &Waiter, terminal: Terminal) -> Result<usize, Error> {
    let events = recorded_events::of_function(FUNCTION);
    let (sent, left_out): (Vec<&RecordedEvent>, Vec<&RecordedEvent>) =
        events.iter().partition(|event| event.kept && event.variables.is_empty());
    let (stories, others): (Vec<&RecordedEvent>, Vec<&RecordedEvent>) =
        sent.iter().partition(|event| STORIES.contains(&event.name.as_str()));
    let mut unexpected = 0;

    tell_cold_start(stack, terminal);
    for event in stories {
        println!("\n{}  {}", terminal.title(&event.shows), terminal.quiet(format!("events/{}.json", event.name)));
        let request = Request::of(&event.event());
        println!("{}", terminal.row("Okta asks", None, request.summary()));
        let observed = observe(stack, waiter, request)?;
        observed.tell(terminal);
        let differences = observed.differences(event);
        println!("   {}", verdict(&differences, terminal));
        unexpected += usize::from(!differences.is_empty());
    }

    println!("\n{}", terminal.title("The other recorded events in short"));
    for event in others {
        let observed = observe(stack, waiter, Request::of(&event.event()))?;
        let differences = observed.differences(event);
        println!(
            "   {:<44} {:>6} ms  {}",
            event.name,
            observed.took.as_millis(),
            if differences.is_empty() { observed.outcome() } else { verdict(&differences, terminal) }
        );
        unexpected += usize::from(!differences.is_empty());
    }

    let conclusion = match unexpected {
        0 => terminal.good(format!("All {} requests ended as expected.", sent.len())),
        _ => terminal.bad(format!("{unexpected} of {} requests did not end as expected.", sent.len())),
    };
    println!("\n{conclusion}");
    let left_out = format!("{} more need other variables of the function; `make test` sends them.", left_out.len());
    println!("{}", terminal.quiet(left_out));
    Ok(unexpected)
}

fn verdict(differences: &[String], terminal: Terminal) -> String {
    if differences.is_empty() {
        terminal.good("as expected")
    } else {
        terminal.bad(format!("NOT as expected: {}", differences.join(", ")))
    }
}

/// How the cold start went, as the functions log it.
fn tell_cold_start(stack: &Stack, terminal: Terminal) {
    for line in stack.output.since(0).iter().filter_map(|line| terminal::log_line(line)) {
        if terminal::message(&line) == "started" {
            let took = terminal::milliseconds(&line, "milliseconds");
            println!("{}", terminal.row("cold start", took, terminal::in_short(&line)));
        }
    }
}

fn observe(stack: &Stack, waiter: &Waiter, request: Request) -> Result<Observed, Error> {
    // Each event stands alone: none may find what another one has left at Twilio.
    stack.sandbox.reset();
    let position = stack.output.position();
    let started = Instant::now();
    let answer = stack.send(waiter, FUNCTION, request)?;
    let took = started.elapsed();
    let lines = stack
        .output
        .wait_for(position, LOG_LIMIT, |line| terminal::log_line(line).is_some_and(|line| is_decision(&line)));
    Ok(Observed {
        answer,
        took,
        log: lines.iter().filter_map(|line| terminal::log_line(line)).collect(),
        requests: stack.sandbox.requests(),
        messages: stack.sandbox.messages(),
    })
}

/// Whether a log line is the one that ends a request.
fn is_decision(line: &Value) -> bool {
    ["otp_sent", "otp_refused", "otp_failed", "request_rejected"].contains(&terminal::message(line))
}

impl Observed {
    fn tell(&self, terminal: Terminal) {
        for line in &self.log {
            let took = terminal::milliseconds(line, "milliseconds");
            let label = if is_decision(line) { "decided" } else { "logged" };
            println!("{}", terminal.row(label, took, terminal::in_short(line)));
        }
        let mut verify = self.log.iter().find_map(|line| terminal::milliseconds(line, "verify_milliseconds"));
        for request in &self.requests {
            println!("{}", terminal.row("Twilio got", verify.take(), describe(request)));
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
            let status_word = text("/commands/0/value/0/status");
            return format!("{status} {status_word}, {}", text("/commands/0/value/0/transactionId"));
        }
        format!("{status} {}: {}", self.reason(), text("/error/errorSummary"))
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

    fn differences(&self, event: &RecordedEvent) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, got: String, wanted: String| {
            if got != wanted {
                differences.push(format!("{what} is {got} instead of {wanted}"));
            }
        };
        compare("the status", self.answer.status.to_string(), event.status.to_string());
        compare("the reason", self.reason(), event.reason.clone());
        let wanted = event.messages.iter().map(|message| message.get("channel").and_then(Value::as_str));
        let got = self.messages.iter().map(|message| Some(message.channel.name()));
        compare("what phones got", list(got), list(wanted));
        differences
    }
}

fn list<'a>(channels: impl Iterator<Item = Option<&'a str>>) -> String {
    let channels: Vec<_> = channels.map(|channel| channel.unwrap_or("?")).collect();
    if channels.is_empty() { "nothing".to_owned() } else { channels.join(" and ") }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stories_are_recorded_events_that_the_demo_can_send() {
        let events = recorded_events::of_function(FUNCTION);
        for story in STORIES {
            let event = events.iter().find(|event| event.name == *story);
            assert!(event.is_some_and(|event| event.kept && event.variables.is_empty()), "{story}");
        }
    }
}
