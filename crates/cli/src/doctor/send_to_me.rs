//! `doctor --send-to-me`: a real code to one's own phone, and on request a second one while the first is pending.

use std::time::Duration;

use http::StatusCode;
use okta_twilio::{
    phone,
    time::clock::{Clock, Timestamp},
};
use serde_json::{Value, json};

use crate::{
    aws::{Aws, logs::Line},
    call,
    doctor::{
        caller::{Caller, CodeRequest},
        check::Check,
        facts::Facts,
        log::{self, Wanted},
        report::Report,
    },
    environment::Environment,
    stack::Hook,
    terminal::Terminal,
};

const YES: &str = "yes";

/// Checks E4 and E7. Each message is sent only after a `yes`.
pub(super) async fn check(wait: Duration, facts: &Facts, environment: &Environment, report: &mut Report<'_>) {
    let circle = match Circle::new(facts, environment) {
        Ok(circle) => circle,
        Err(why) => return skip(report, why),
    };
    let Some(number) = Terminal::ask("Your phone number, with + and country code").filter(|it| !it.is_empty()) else {
        return skip(report, "no number was entered");
    };
    if phone::parse(&number).is_err() {
        return skip(report, "what was entered is no phone number");
    }
    if !confirms("This sends a real SMS to it, at your account's cost. Type yes to go on") {
        return skip(report, "nothing was sent");
    }
    let Some(first) = random_code() else { return skip(report, "the operating system gave no random numbers") };
    if let Err(read) = circle.send(&number, &first).await {
        report.skip(Check::SecondCode, "the first code was not sent (E4)");
        return not_sent(Check::Delivery, read, report);
    }
    let typed = Terminal::ask("The code that arrived (Enter: none)").unwrap_or_default();
    second_code(&circle, &number, &first, report).await;
    let check = Check::Delivery;
    if typed.is_empty() {
        report.fail(
            check,
            "Twilio accepted the message, and none arrived",
            "The carrier or the phone did not take it.",
            "Wait two minutes, run `okta-twilio explain`, and look at the message in the Twilio Console, Monitor, Logs.",
        );
    } else if typed != first {
        report.fail(
            check,
            "another code arrived than the one of the request",
            "Okta accepts only its own code, so that no user can sign in.",
            "Check that custom codes are on (T3), and that no older verification of the number was pending (E7).",
        );
    } else {
        feedback(&circle, wait, facts, report).await;
    }
}

/// What a code passes on its way to the phone and back.
struct Circle<'a> {
    http: &'a reqwest::Client,
    aws: &'a Aws,
    clock: &'a Clock,
    telephony: &'a str,
    events: Option<&'a str>,
    caller: Caller,
    /// A user id that no org has.
    user_id: String,
}

impl<'a> Circle<'a> {
    fn new(facts: &'a Facts, environment: &'a Environment) -> Result<Self, &'static str> {
        const UNREADABLE: &str = "the stack could not be read, or has no telephony-hook";
        let clock = &environment.clock;
        Ok(Self {
            http: &environment.http,
            aws: environment.aws.as_ref().map_err(|_no_credentials| UNREADABLE)?,
            clock,
            telephony: facts.url(Hook::Telephony).ok_or(UNREADABLE)?,
            events: facts.url(Hook::Event),
            caller: Caller::of(facts)?,
            user_id: format!("00udoctor{}", clock.now().as_millis()),
        })
    }

    /// Asks the hook to send a code. An error says what came instead of success.
    async fn send(&self, number: &str, code: &str) -> Result<(), String> {
        let body = CodeRequest::real(self.clock.now(), &self.user_id, number, code).body();
        let request = self.caller.authenticate(self.http.post(self.telephony).body(body.to_string()));
        let response = call::once(request).await.map_err(|error| error.to_string())?;
        let body: Value = response.json().unwrap_or_default();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let is_refused = text("/commands/0/value/0/transactionMetadata").is_some_and(|it| it.starts_with("refused:"));
        if text("/commands/0/value/0/status") == Some("SUCCESSFUL") && !is_refused {
            return Ok(());
        }
        let reason = text("/debugContext/reason").and_then(okta_twilio::id::SafeId::parse);
        Err(match reason {
            Some(reason) => format!("the hook did not send the code: {reason}"),
            None => format!("the hook answered {}", response.status.as_u16()),
        })
    }

    /// Reports the success as Okta's event hook does.
    async fn report_success(&self, url: &str) -> Result<(), String> {
        let now = self.clock.now();
        let request = self.caller.authenticate(self.http.post(url).body(self.delivery(now).to_string()));
        match call::once(request).await {
            Ok(response) if response.status.is_success() => Ok(()),
            Ok(response) if response.status == StatusCode::UNAUTHORIZED => {
                Err("event-hook refused the caller's secret".to_owned())
            }
            Ok(response) => Err(format!("event-hook answered {}", response.status.as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn delivery(&self, now: Timestamp) -> Value {
        let time = now.to_rfc3339();
        let user = json!({"id": self.user_id, "type": "User"});
        let event = json!({
            "uuid": format!("doctor-{}", now.as_millis()),
            "published": time,
            "eventType": "user.authentication.auth_via_mfa",
            "version": "0",
            "actor": user,
            "target": [user],
            "outcome": {"result": "SUCCESS"},
            "debugContext": {"debugData": {"factor": "SMS_FACTOR"}},
        });
        json!({
            "eventType": "com.okta.event_hook",
            "eventTypeVersion": "1.0",
            "cloudEventsVersion": "0.1",
            "eventId": format!("doctor-{}", now.as_millis()),
            "eventTime": time,
            "contentType": "application/json",
            "data": {"events": [event]},
        })
    }
}

/// Asks for a second code while the first is pending. Twilio does not document which of both it sends.
async fn second_code(circle: &Circle<'_>, number: &str, first: &str, report: &mut Report<'_>) {
    let check = Check::SecondCode;
    if !confirms("Ask for a second code while the first is pending? It costs a second SMS. Type yes to do so") {
        return report.skip(check, "no second code was wanted");
    }
    let Some(second) = random_code() else {
        return report.skip(check, "the operating system gave no random numbers");
    };
    if let Err(read) = circle.send(number, &second).await {
        return not_sent(check, read, report);
    }
    let typed = Terminal::ask("The code of the second message (Enter: none)").unwrap_or_default();
    if typed == second {
        report.ok(check, "the second message had the second code, so that REPLACE_PENDING is not needed for this");
    } else if typed == first {
        report.fail(
            check,
            "the second message had the first code again",
            "Okta accepts only the newest code. A user who asks twice cannot sign in.",
            "Set REPLACE_PENDING=true, and VERIFY_RATE_LIMITS with it: see docs/policy.md.",
        );
    } else {
        report.skip(check, "neither of both codes was entered");
    }
}

/// Tells event-hook that the code was right, and waits until its log says that Twilio knows it.
async fn feedback(circle: &Circle<'_>, wait: Duration, facts: &Facts, report: &mut Report<'_>) {
    const FIX: &str = "Read the log for feedback_failed and feedback_not_needed, and docs/runbook.md.";
    const MEANS: &str = "The code arrived, but Twilio does not learn that it was right.";
    let check = Check::Delivery;
    let remembers = facts.function(Hook::Event).and_then(|event| event.variable("SENDS_TABLE"));
    let (Some(url), true) = (circle.events, remembers.is_some_and(|table| !table.trim().is_empty())) else {
        return report.ok(check, "the code arrived; feedback needs an Okta user here, because there is no sends table");
    };
    let since = circle.clock.now();
    if let Err(read) = circle.report_success(url).await {
        return report.fail(check, read, MEANS, FIX);
    }
    let is_final = |line: &Line| {
        log::text(line, "message")
            .is_some_and(|message| message.starts_with("feedback_") && message != "feedback_queued")
    };
    let wanted = Wanted { since, any_of: vec![("user_id", circle.user_id.clone())], wait };
    let lines = match log::wait_for(&wanted, is_final, circle.aws, facts, circle.clock).await {
        Ok(lines) => lines,
        Err(error) => return report.fail(check, error.to_string(), "The code arrived. The log could not be read.", ""),
    };
    match lines.iter().find(|line| is_final(line)).and_then(|line| log::text(line, "message")) {
        Some("feedback_approved") => report.ok(check, "the code arrived, and Twilio knows that it was right"),
        Some(_other) => report.fail(check, "the code arrived, and its feedback failed", MEANS, FIX),
        None => report.fail(check, "the code arrived, and no feedback is in the log yet", MEANS, FIX),
    }
}

fn not_sent(check: Check, read: String, report: &mut Report<'_>) {
    let means = "Users get no code from Twilio either, unless only this number is refused.";
    report.fail(check, read, means, "Look the reason up in docs/runbook.md, or run `okta-twilio explain`.");
}

fn skip(report: &mut Report<'_>, why: &str) {
    for check in [Check::Delivery, Check::SecondCode] {
        report.skip(check, why);
    }
}

fn confirms(question: &str) -> bool {
    Terminal::ask(question).is_some_and(|answer| answer.eq_ignore_ascii_case(YES))
}

/// Six digits.
fn random_code() -> Option<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{:06}", u64::from_ne_bytes(bytes) % 1_000_000))
}
