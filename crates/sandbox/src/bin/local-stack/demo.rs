//! `make demo`: sends every sample through the front door and tells the story of each.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sandbox::{Message, Options, RecordedRequest};
use serde_json::Value;

use crate::{
    error::Error,
    events::Waiter,
    http::Answer,
    recorded::{self, Recorded},
    stack::Stack,
    terminal::{self, Terminal},
};

const EVENTS: &str = "crates/sandbox/src/bin/local-stack/samples";

/// A function writes its log line before it answers; the line only has to come through the pipes.
const LOG_LIMIT: Duration = Duration::from_secs(2);

/// What a sample is about and what has to come of it.
struct Case {
    file: &'static str,
    title: &'static str,
    status: u16,
    /// The reason code that Okta is told.
    reason: &'static str,
    /// The channel on which the user gets the code.
    channel: Option<&'static str>,
}

const CASES: &[Case] = &[
    Case { file: "telephony-sms.json", title: "A code by SMS", status: 200, reason: "accepted", channel: Some("sms") },
    Case {
        file: "telephony-call.json",
        title: "A code by voice call",
        status: 200,
        reason: "accepted",
        channel: Some("call"),
    },
    Case {
        file: "telephony-landline.json",
        title: "A code by SMS to a landline, which Twilio refuses",
        status: 200,
        reason: "landline",
        channel: None,
    },
    Case {
        file: "telephony-wrong-secret.json",
        title: "Somebody who does not know the secret",
        status: 401,
        reason: "not_authenticated",
        channel: None,
    },
];

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
    let files = in_order_of_the_cases(recorded::files(Path::new(EVENTS))?);
    tell_start(stack, terminal);
    let mut unexpected = 0;
    for (index, (path, case)) in files.iter().enumerate() {
        let recorded = Recorded::read(path)?;
        let title = case.map_or("No expectation is known for this file", |case| case.title);
        println!("\n{}  {}", terminal.title(format!("{}. {title}", index + 1)), terminal.quiet(path.display()));
        println!("{}", terminal.row("Okta asks", None, recorded.summary()));
        let observed = observe(stack, waiter, recorded)?;
        observed.tell(terminal);
        match case.map(|case| observed.differences(case)) {
            Some(differences) if differences.is_empty() => println!("   {}", terminal.good("as expected")),
            Some(differences) => {
                unexpected += 1;
                println!("   {}", terminal.bad(format!("NOT as expected: {}", differences.join(", "))));
            }
            None => unexpected += 1,
        }
    }
    let count = files.len();
    let conclusion = match unexpected {
        0 => terminal.good(format!("All {count} requests ended as expected.")),
        _ => terminal.bad(format!("{unexpected} of {count} requests did not end as expected.")),
    };
    println!("\n{conclusion}");
    Ok(unexpected)
}

/// How the cold start went, as the functions log it.
fn tell_start(stack: &Stack, terminal: Terminal) {
    for line in stack.output.since(0).iter().filter_map(|line| terminal::log_line(line)) {
        if terminal::message(&line) == "started" {
            let took = terminal::milliseconds(&line, "milliseconds");
            println!("{}", terminal.row("cold start", took, terminal::in_short(&line)));
        }
    }
}

/// The story is told in the order of the cases; files without a case come last.
fn in_order_of_the_cases(files: Vec<PathBuf>) -> Vec<(PathBuf, Option<&'static Case>)> {
    let case = |path: &Path| CASES.iter().position(|case| path.file_name().is_some_and(|name| name == case.file));
    let mut files: Vec<_> = files.into_iter().map(|path| (case(&path), path)).collect();
    files.sort_by_key(|(case, _path)| case.unwrap_or(usize::MAX));
    files.into_iter().map(|(case, path)| (path, case.and_then(|case| CASES.get(case)))).collect()
}

fn observe(stack: &Stack, waiter: &Waiter, recorded: Recorded) -> Result<Observed, Error> {
    let position = stack.output.position();
    let requests = stack.sandbox.requests().len();
    let messages = stack.sandbox.messages().len();
    let function = recorded.function();
    let Recorded { method, path, headers, body } = recorded;
    let started = Instant::now();
    let answer = stack.send(waiter, function, method, &path, headers, body)?;
    let took = started.elapsed();
    let lines = stack
        .output
        .wait_for(position, LOG_LIMIT, |line| terminal::log_line(line).is_some_and(|line| is_decision(&line)));
    Ok(Observed {
        answer,
        took,
        log: lines.iter().filter_map(|line| terminal::log_line(line)).collect(),
        requests: stack.sandbox.requests().into_iter().skip(requests).collect(),
        messages: stack.sandbox.messages().into_iter().skip(messages).collect(),
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

    fn differences(&self, case: &Case) -> Vec<String> {
        let channel = self.messages.first().map(|message| message.channel.name());
        let mut differences = Vec::new();
        let mut compare = |what: &str, got: String, wanted: String| {
            if got != wanted {
                differences.push(format!("{what} is {got} instead of {wanted}"));
            }
        };
        compare("the status", self.answer.status.to_string(), case.status.to_string());
        compare("the reason", self.reason(), case.reason.to_owned());
        let nothing = "none";
        compare("the channel", channel.unwrap_or(nothing).to_owned(), case.channel.unwrap_or(nothing).to_owned());
        differences
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_case_for_each_file_and_one_file_for_each_case() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(EVENTS);
        let files = recorded::files(&directory).unwrap();
        let mut names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
        names.sort();
        let mut cases: Vec<_> = CASES.iter().map(|case| case.file).collect();
        cases.sort_unstable();
        assert_eq!(names, cases);
    }
}
