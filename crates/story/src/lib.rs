//! The story of one request from Okta, from end to end: the request, the decision, Twilio's part, the response, the
//! phone and the feedback. The local stack's page, its demo and `okta-twilio explain` share this model and its sentences.
//!
//! A story combines several sources, and a field without a source stays empty. The functions' log lines give the
//! decision. Only the sandbox sees the requests to Twilio, the phones and the whole number.

mod actions;
mod answer;
mod asked;
mod carriers;
mod log;
mod moment;
mod outside;
#[cfg(test)]
mod reasons;
mod status;
mod steps;
mod texts;
mod timeline;

pub use self::answer::{Answer, Sources, Verdict};
pub use self::moment::Moment;
pub use self::outside::{Delivery, DeliveryState, OktaAct, OktaStep};
pub use self::status::Status;
pub use self::steps::Step;
pub use self::texts::flow;
pub use self::timeline::Entry;

use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// The time that Okta waits for a response. (Source: Okta, "Telephony inline hook".)
pub const OKTA_TIMEOUT: Duration = Duration::from_secs(3);

/// Which of the two hooks receives the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// Okta's telephony inline hook: send a code.
    Telephony,
    /// Okta's event hook: a code was right.
    Event,
}

impl Hook {
    /// The hook of the function with this name.
    pub fn of_function(name: &str) -> Option<Self> {
        match name {
            "telephony-hook" => Some(Self::Telephony),
            "event-hook" => Some(Self::Event),
            _ => None,
        }
    }
}

/// The result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The result is not known yet.
    #[default]
    Waiting,
    /// The code is on its way.
    Sent,
    /// The policy refused to send.
    Refused,
    /// The code could not be sent.
    Failed,
    /// The hook rejected the request before any decision.
    Rejected,
    /// The hook accepted events.
    Reported,
}

impl Outcome {
    /// The result that a log line with this event reports. `None` if the line does not end a request to send a code.
    pub fn of_event(event: &str) -> Option<Self> {
        Some(match event {
            "otp_sent" => Self::Sent,
            "otp_refused" => Self::Refused,
            "otp_failed" | "panicked" => Self::Failed,
            "request_rejected" => Self::Rejected,
            _ => return None,
        })
    }
}

/// One request from Okta. `M` is a message on a phone, which only the sandbox sees.
#[derive(Debug, Clone, Serialize)]
pub struct Story<M> {
    /// Counts from 1 in the order of arrival.
    pub id: u64,
    /// The system's time at which it was first seen.
    pub at: Moment,
    /// The hook that received it.
    pub hook: Hook,
    /// Its result.
    pub outcome: Outcome,
    /// A summary in one sentence.
    pub summary: String,
    /// What Okta requested.
    pub asked: Asked,
    /// The function's decision; `None` until its log line arrives.
    pub decided: Option<Decided>,
    /// The requests to Twilio, oldest first.
    pub twilio: Vec<TwilioStep>,
    /// The response to Okta.
    pub response: Option<HookResponse>,
    /// What Okta does next.
    pub okta_next: &'static str,
    /// Why the user received no code from the hook, and what to do. `None` if the hook sent one.
    pub answer: Option<Answer>,
    /// The messages that reached the phone, oldest first.
    pub phone: Vec<M>,
    /// `VE…`
    pub verification_sid: Option<String>,
    /// The status of that verification.
    pub verification: Option<Status>,
    /// The feedback to Twilio about correct codes: one entry for each of Okta's events.
    pub feedback: Vec<FeedbackStep>,
    /// What Okta's System Log has about it, oldest first. Only `okta-twilio explain` reads it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub okta: Vec<OktaStep>,
    /// What Twilio's attempts say of its messages, oldest first. Only `okta-twilio explain` reads them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<Delivery>,
    /// The request ids of its Lambda invocations.
    pub invocations: Vec<String>,
    /// Their log lines, without metrics.
    pub log: Vec<Value>,
}

/// What Okta requested.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Asked {
    /// The name of the recorded event, if the request is one.
    pub recorded: Option<String>,
    /// Last part of `requestType`: `mfa-verification`.
    pub flow: Option<String>,
    /// The same in plain words: `sign-in`.
    pub flow_text: Option<&'static str>,
    /// The number as Okta wrote it, or as the log masks it.
    pub number: Option<String>,
    /// The ISO country that the function determined.
    pub country: Option<String>,
    /// Okta's channel, else the channel in the request to Twilio.
    pub channel: Option<String>,
    /// Okta's `locale`, else the language in the request to Twilio.
    pub language: Option<String>,
    /// Okta's user id.
    pub user_id: Option<String>,
    /// `eventId` of the inline hook.
    pub okta_event_id: Option<String>,
    /// `uuid` of each event of a delivery.
    pub event_uuids: Vec<String>,
}

/// What the function decided.
#[derive(Debug, Clone, Serialize)]
pub struct Decided {
    /// The stable code.
    pub reason: String,
    /// The meaning of the code, in one sentence.
    pub why: String,
    /// The advice for an admin.
    pub advice: Option<String>,
    /// Twilio's error code.
    pub twilio_code: Option<u64>,
    /// The time since the gateway received the request.
    pub duration_ms: Option<u64>,
    /// The part spent on Lookup.
    pub lookup_ms: Option<u64>,
    /// The part spent on Verify.
    pub verify_ms: Option<u64>,
}

/// A request to Twilio and the response.
#[derive(Debug, Clone, Serialize)]
pub struct TwilioStep {
    /// The purpose of the request.
    pub what: &'static str,
    /// Method and path. The service's sid is shortened.
    pub request: String,
    /// The names and values of the form or the query.
    pub parameters: Vec<(String, String)>,
    /// Status and error code, or a note that there was no response.
    pub answer: String,
    /// Whether Twilio did what was requested and confirmed it.
    pub good: bool,
    /// The fault that affected it.
    pub fault: Option<String>,
}

/// The response to Okta.
#[derive(Debug, Clone, Serialize)]
pub struct HookResponse {
    /// HTTP status; `None` if no response came.
    pub status: Option<u16>,
    /// `SUCCESSFUL`, or the reason of the error.
    pub word: String,
    /// The sid that Okta keeps, or the text for the user.
    pub text: String,
    /// The time from the request to the response, if both were seen.
    pub took_ms: Option<u64>,
    /// The response's body. `None` if the response was not seen; then the other fields come from the log.
    pub body: Option<Value>,
}

/// The result for one of Okta's events.
#[derive(Debug, Clone, Serialize)]
pub struct FeedbackStep {
    /// Okta's id of the event.
    pub event_uuid: Option<String>,
    /// `queued`, `approved`, `not_needed` or `failed`.
    pub outcome: String,
    /// The stable code.
    pub reason: String,
    /// The meaning of the code, in one sentence.
    pub why: String,
    /// Where the verification was found: `sends`, `factors` or `profile`.
    pub source: Option<String>,
}

impl<M> Story<M> {
    /// A story of which only the beginning is known.
    pub fn new(id: u64, at: Moment, hook: Hook) -> Self {
        Self {
            id,
            at,
            hook,
            outcome: Outcome::default(),
            summary: String::new(),
            asked: Asked::default(),
            decided: None,
            twilio: Vec::new(),
            response: None,
            okta_next: "",
            answer: None,
            phone: Vec::new(),
            verification_sid: None,
            verification: None,
            feedback: Vec::new(),
            okta: Vec::new(),
            deliveries: Vec::new(),
            invocations: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Whether the response claims success although the policy refused the code (`DENY_RESPONSE=swallow`).
    fn is_swallowed(&self) -> bool {
        self.response.as_ref().is_some_and(|response| response.text.starts_with("refused:"))
    }

    /// Whether the response came after Okta's timeout.
    fn is_late(&self) -> bool {
        let limit = u64::try_from(OKTA_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        let response = self.response.as_ref().and_then(|response| response.took_ms);
        let decided = self.decided.as_ref().and_then(|decided| decided.duration_ms);
        decided.or(response).is_some_and(|took| took > limit)
    }

    /// Updates the texts that depend on the other fields.
    pub fn conclude(&mut self) {
        self.okta_next = texts::okta_next(self);
        self.answer = self.answer_of_hook();
        self.summary = texts::summary(self);
    }
}
