//! `make demo`: sends the recorded events through the front door, and tells the story of some and the outcome of all.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sandbox::{
    Message, Operation, Options, RecordedRequest,
    recorded_events::{self, RecordedEvent, Sending},
};
use serde_json::Value;

use crate::{
    error::Error,
    events::{Events, Waiter},
    functions::{EVENT_HOOK, Functions, Mode, TELEPHONY_HOOK},
    http::Answer,
    outside::Outside,
    request::Request,
    round_trip,
    terminal::{self, Terminal},
};

/// The events whose story is told; of the others the outcome only.
const STORIES: &[&str] = &[
    "telephony-sms-mfa-verification",
    "telephony-call-voice-call",
    "telephony-sms-locale-portuguese",
    "telephony-twilio-60205-landline",
    "telephony-twilio-60410-fraud-guard",
    "telephony-twilio-timeout",
    "telephony-rejected-secret-wrong",
    "telephony-whatsapp-mfa-verification",
    "telephony-policy-country-blocked",
    "telephony-policy-number-national",
    "telephony-policy-line-landline",
    "telephony-policy-line-premium",
    "telephony-policy-pumping-high",
    "telephony-policy-pumping-swallowed",
    "telephony-policy-sim-swapped",
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

/// The functions that are running, and what they run in.
struct Scene<'a> {
    functions: Functions,
    outside: &'a Outside,
    waiter: &'a Waiter,
    terminal: Terminal,
}

/// Sends all, and returns how many had another outcome than expected.
pub(crate) fn run(outside: &Outside, events: &Events, waiter: &Waiter, terminal: Terminal) -> Result<usize, Error> {
    let recorded = recorded_events::of_telephony_hook();
    let (sent, left_out): (Vec<_>, Vec<_>) = recorded.into_iter().partition(can_be_sent);
    let mut count = sent.len();
    let mut unexpected = 0;
    for (variables, group) in by_variables(sent) {
        let is_first = variables.is_empty();
        let functions = Functions::start(&Mode::Fixed(&variables), &[&TELEPHONY_HOOK], outside, events, waiter)?;
        let scene = Scene { functions, outside, waiter, terminal };
        scene.introduce(&variables);
        let (stories, others): (Vec<_>, Vec<_>) =
            group.iter().partition(|event| STORIES.contains(&event.name.as_str()));
        for event in &stories {
            unexpected += usize::from(!scene.tell_story(event)?);
        }
        if is_first {
            println!("\n{}", terminal.title("The other recorded events in short"));
        } else if !stories.is_empty() && !others.is_empty() {
            println!();
        }
        for event in others {
            unexpected += usize::from(!scene.tell_outcome(event)?);
        }
    }
    // And the one from end to end.
    let hooks = [&TELEPHONY_HOOK, &EVENT_HOOK];
    let functions = Functions::start(&Mode::Fixed(&BTreeMap::new()), &hooks, outside, events, waiter)?;
    count += 1;
    unexpected += usize::from(!round_trip::run(&functions, outside, waiter, terminal)?);
    let conclusion = match unexpected {
        0 => terminal.good(format!("All {count} stories ended as expected.")),
        _ => terminal.bad(format!("{unexpected} of {count} stories did not end as expected.")),
    };
    println!("\n{conclusion}");
    let left_out = format!("{} more cannot go through this door; `make test` sends them.", left_out.len());
    println!("{}", terminal.quiet(left_out));
    Ok(unexpected)
}

/// Not through the front door: what has no file because of its size, and what an authorizer adds to a request.
fn can_be_sent(event: &RecordedEvent) -> bool {
    event.kept && !event.variables.contains_key("AUTH_MODE")
}

/// The events in groups that need the same variables of the function, the group without any first.
fn by_variables(events: Vec<RecordedEvent>) -> BTreeMap<BTreeMap<String, String>, Vec<RecordedEvent>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events {
        groups.entry(event.variables.clone()).or_default().push(event);
    }
    groups
}

impl Scene<'_> {
    /// What the functions run with, and how their cold start went, as they log it.
    fn introduce(&self, variables: &BTreeMap<String, String>) {
        let terminal = self.terminal;
        if !variables.is_empty() {
            let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
            println!("\n{}", terminal.title(format!("With {}", variables.join(" "))));
        }
        for line in self.functions.start_lines(LOG_LIMIT) {
            let took = terminal::milliseconds(&line, "milliseconds");
            println!("{}", terminal.row("cold start", took, terminal::in_short(&line)));
        }
    }

    /// Tells all of it, and returns whether it ended as expected.
    fn tell_story(&self, event: &RecordedEvent) -> Result<bool, Error> {
        let terminal = self.terminal;
        println!("\n{}  {}", terminal.title(&event.shows), terminal.quiet(format!("events/{}.json", event.name)));
        let request = Request::of(&event.event());
        println!("{}", terminal.row("Okta asks", None, request.summary()));
        let observed = self.observe(request)?;
        observed.tell(terminal);
        let differences = observed.differences(&event.expected);
        println!("   {}", verdict(&differences, terminal));
        Ok(differences.is_empty())
    }

    /// Tells the end of it in one line, and returns whether it is the expected one.
    fn tell_outcome(&self, event: &RecordedEvent) -> Result<bool, Error> {
        let observed = self.observe(Request::of(&event.event()))?;
        let differences = observed.differences(&event.expected);
        let outcome = if differences.is_empty() { observed.outcome() } else { verdict(&differences, self.terminal) };
        println!("   {:<44} {:>6} ms  {outcome}", event.name, observed.took.as_millis());
        Ok(differences.is_empty())
    }

    fn observe(&self, request: Request) -> Result<Observed, Error> {
        // Each event stands alone: none may find what another one has left at Twilio.
        self.outside.sandbox.reset();
        let output = &self.functions.output;
        let position = output.position();
        let started = Instant::now();
        let answer = self.functions.send(self.waiter, &TELEPHONY_HOOK, request)?;
        let took = started.elapsed();
        let is_decision = |line: &str| terminal::log_line(line).is_some_and(|line| is_decision(&line));
        let lines = output.wait_for(position, LOG_LIMIT, is_decision);
        Ok(Observed {
            answer,
            took,
            log: lines.iter().filter_map(|line| terminal::log_line(line)).collect(),
            requests: self.outside.sandbox.requests(),
            messages: self.outside.sandbox.messages(),
        })
    }
}

fn verdict(differences: &[String], terminal: Terminal) -> String {
    if differences.is_empty() {
        terminal.good("as expected")
    } else {
        terminal.bad(format!("NOT as expected: {}", differences.join(", ")))
    }
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
        for request in &self.requests {
            let field = match request.operation {
                Operation::Lookup => "lookup_milliseconds",
                _ => "verify_milliseconds",
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

    fn requests_for(&self, operation: Operation) -> String {
        requests(self.requests.iter().filter(|request| request.operation == operation).count())
    }

    fn differences(&self, expected: &Sending) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, got: String, wanted: String| {
            if got != wanted {
                differences.push(format!("{what} is {got} instead of {wanted}"));
            }
        };
        compare("the status", self.answer.status.to_string(), expected.status.to_string());
        compare("the reason", self.reason(), expected.reason.clone());
        compare("what Lookup got", self.requests_for(Operation::Lookup), requests(expected.lookup_requests));
        compare("what Verify got", self.requests_for(Operation::VerifyCreate), requests(expected.verify_requests));
        let wanted = expected.messages.iter().map(|message| message.get("channel").and_then(Value::as_str));
        let got = self.messages.iter().map(|message| Some(message.channel.name()));
        compare("what phones got", list(got), list(wanted));
        differences
    }
}

fn requests(count: usize) -> String {
    format!("{count} requests")
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
        let events = recorded_events::of_telephony_hook();
        for story in STORIES {
            let event = events.iter().find(|event| event.name == *story);
            assert!(event.is_some_and(can_be_sent), "{story}");
        }
    }
}
