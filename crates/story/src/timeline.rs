//! What happened, step by step, with times.

use crate::{DeliveryState, Hook, Moment, OktaAct, Story, texts};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::time::Duration;

/// Something that happened, with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When it happened.
    #[serde(serialize_with = "with_milliseconds")]
    pub at: Moment,
    /// Who did it: `Okta`, `hook` or `Twilio`.
    pub who: &'static str,
    /// What happened.
    pub what: String,
}

fn with_milliseconds<S: Serializer>(moment: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment.to_rfc3339_millis())
}

impl Entry {
    fn new(at: Moment, who: &'static str, what: impl Into<String>) -> Self {
        Self { at, who, what: what.into() }
    }
}

impl<M> Story<M> {
    /// Who asked for what, and when, in one line.
    pub fn heading(&self) -> String {
        let user = self.asked.user_id.as_deref().unwrap_or("A user");
        let when = format!("{} {} UTC", self.at.date(), self.at.time_of_day().get(..8).unwrap_or_default());
        if self.outcome == crate::Outcome::Rejected {
            let hook = if self.hook == Hook::Telephony { "telephony-hook" } else { "event-hook" };
            return format!("Okta, or another caller, sent {hook} a request at {when} that was rejected");
        }
        if self.hook == Hook::Event {
            return format!("Okta reported at {when} that {user} entered a right code");
        }
        let how = match self.asked.channel.as_deref() {
            Some("sms") => " by SMS",
            Some("call") => " by voice call",
            Some("whatsapp") => " by WhatsApp",
            _ => "",
        };
        let flow = self.asked.flow_text.or(self.asked.flow.as_deref());
        let details: Vec<&str> = [flow, self.asked.number.as_deref()].into_iter().flatten().collect();
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        format!("{user} asked for a code{how} at {when}{details}")
    }

    /// What happened, oldest first.
    pub fn timeline(&self) -> Vec<Entry> {
        let mut steps: Vec<Entry> = self.log.iter().flat_map(|line| self.of_line(line)).collect();
        steps.extend(self.okta.iter().map(|step| Entry::new(step.at, "Okta", okta(step.act))));
        for delivery in &self.deliveries {
            let code = delivery.error_code.map(|code| format!(", error {code}")).unwrap_or_default();
            let used = if delivery.is_converted { "; the code was right" } else { "" };
            let what = match delivery.state {
                DeliveryState::Delivered => "sent the message, and it arrived",
                DeliveryState::Failed => "sent the message, and it did not arrive",
                DeliveryState::NotAnswered => "called, and nobody took the call",
                DeliveryState::Pending => "sent the message; there is no report yet",
            };
            steps.push(Entry::new(delivery.at, "Twilio", format!("{what}{code}{used}")));
        }
        steps.sort_by_key(|step| step.at);
        steps
    }

    fn of_line(&self, line: &Value) -> Vec<Entry> {
        let Some(at) = text(line, "timestamp").and_then(Moment::parse) else { return Vec::new() };
        let reason = text(line, "reason").unwrap_or_default();
        let one = |who, what: String| vec![Entry::new(at, who, what)];
        match text(line, "message").unwrap_or_default() {
            "otp_sent" => self.decision(at, line, "sent the code by Twilio"),
            "otp_refused" => self.decision(at, line, "refused to send"),
            "otp_failed" => self.decision(at, line, "could not send the code"),
            "request_rejected" => {
                let location = text(line, "location").map(|field| format!(", {field}")).unwrap_or_default();
                let status = number(line, "status").unwrap_or_default();
                one("hook", format!("rejected the request with {status}: {reason}{location}"))
            }
            "otp_retried" => one("hook", format!("asked Twilio once more: {reason}")),
            "lookup_failed" => {
                let package = text(line, "package").map_or_else(String::new, |package| format!(" ({package})"));
                one("hook", format!("went on without the data of Lookup{package}: {reason}"))
            }
            "would_refuse" => one("hook", format!("would have refused: {reason}. The policy only observes")),
            "secret_refresh_failed" => one("hook", "could not read its secret".to_owned()),
            "panicked" => one("hook", "failed because of a bug".to_owned()),
            "feedback_queued" => one("Okta", "reported that the code was right".to_owned()),
            "feedback_approved" => one("Twilio", "learned that the code was right".to_owned()),
            "feedback_not_needed" | "feedback_failed" => {
                one("hook", format!("gave Twilio no feedback: {reason}. {}", texts::why(reason)))
            }
            _ => Vec::new(),
        }
    }

    /// Okta's call, the decision and the response.
    fn decision(&self, at: Moment, line: &Value, did: &str) -> Vec<Entry> {
        let reason = text(line, "reason").unwrap_or_default();
        let invocation = text(line, "function_request_id").map_or_else(String::new, |id| format!(" (request {id})"));
        let took = Duration::from_millis(number(line, "duration_ms").unwrap_or_default());
        let mut facts = vec![reason.to_owned()];
        facts.extend(number(line, "sms_pumping_risk").map(|score| format!("risk score {score}")));
        facts.extend(text(line, "line_type").map(|line_type| format!("line type {line_type}")));
        facts.extend(number(line, "twilio_code").map(|code| format!("Twilio's code {code}")));
        facts.extend(text(line, "verification_sid").map(str::to_owned));
        vec![
            Entry::new(at.earlier_by(took), "Okta", format!("called the hook{invocation}")),
            Entry::new(at, "hook", format!("{did}: {}", facts.join(", "))),
            Entry::new(at, "Okta", format!("got the response after {} ms. {}", took.as_millis(), self.okta_next)),
        ]
    }
}

fn okta(act: OktaAct) -> &'static str {
    match act {
        OktaAct::HookSent => "noted the message that the hook sent",
        OktaAct::SentAfterHook => "sent a code itself, because the hook did not (fail-over)",
        OktaAct::SentItself => "sent a code itself, without the hook",
        OktaAct::NotSent => "could not send a code",
        OktaAct::Denied => "refused to send a code",
        OktaAct::ResponseUnusable => "got no usable response from the hook",
        OktaAct::ResponseRead => "read the hook's response",
    }
}

fn text<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line.get(name).and_then(Value::as_str)
}

fn number(line: &Value, name: &str) -> Option<u64> {
    line.get(name).and_then(Value::as_u64)
}
