//! What became of one request of Okta's, from end to end: asked, decided, Twilio, told, phone, feedback.
//!
//! One model for whoever shows it. A story is put together from what three parties saw: the sandbox sees Twilio's side and
//! the phones, the functions say in their log what they decided, and whoever sends through a [`Door`] sees request and
//! answer. What nobody saw stays empty: a request that came another way has the log's masked number, not the whole one.

mod asked;
mod book;
mod texts;

pub(crate) use self::book::{Stories, Traffic};

use crate::clock::Moment;
use crate::twilio::records::{Message, Status};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// How long Okta waits for an answer. (Source: Okta, "Telephony inline hook".)
pub const OKTA_WAITS: Duration = Duration::from_secs(3);

/// The way to the functions, for whoever sends from the page.
pub trait Door: Send + Sync {
    /// Sends the request that the gateway would hand over as this event, and returns status and body of the answer.
    ///
    /// # Errors
    /// In one sentence, if no answer came.
    fn send(&self, function: &str, event: &Value) -> Result<(u16, String), String>;
}

/// Which of the two hooks is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// Okta's telephony inline hook: send a code.
    Telephony,
    /// Okta's event hook: a code was right.
    Event,
}

impl Hook {
    pub(crate) fn of_function(name: &str) -> Option<Self> {
        match name {
            "telephony-hook" => Some(Self::Telephony),
            "event-hook" => Some(Self::Event),
            _ => None,
        }
    }
}

/// What came of it, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nobody knows yet.
    #[default]
    Waiting,
    /// The code is on its way.
    Sent,
    /// Policy decided against sending.
    Refused,
    /// The code could not be sent.
    Failed,
    /// Not a request that the hook serves: it was turned away.
    Rejected,
    /// An event of Okta's was taken.
    Reported,
}

/// One request of Okta's.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    /// Counts from 1 in the order of arrival.
    pub id: u64,
    /// When it was first seen, by the system's clock.
    pub at: Moment,
    /// Which hook was asked.
    pub hook: Hook,
    /// What came of it.
    pub outcome: Outcome,
    /// All of it in one sentence.
    pub summary: String,
    /// What Okta asked for.
    pub asked: Asked,
    /// What the function decided; none before its log line came.
    pub decided: Option<Decided>,
    /// What Twilio was asked, oldest first.
    pub twilio: Vec<TwilioStep>,
    /// What Okta was told.
    pub told: Option<Told>,
    /// What Okta does next.
    pub okta_next: &'static str,
    /// What the phone got, oldest first.
    pub phone: Vec<Message>,
    /// `VE…`
    pub verification_sid: Option<String>,
    /// How far that verification has come.
    pub verification: Option<Status>,
    /// What Twilio was told of codes that were right: one entry for each event of Okta's.
    pub feedback: Vec<FeedbackStep>,
    /// Lambda's ids of the invocations that it took.
    pub invocations: Vec<String>,
    /// Their log lines, metrics left out.
    pub log: Vec<Value>,
}

/// What Okta asked for.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Asked {
    /// The recorded event that was sent, where it was one.
    pub recorded: Option<String>,
    /// Last part of `requestType`: `mfa-verification`.
    pub flow: Option<String>,
    /// The same for people: `sign-in`.
    pub flow_text: Option<&'static str>,
    /// As Okta wrote it, or as the log masks it.
    pub number: Option<String>,
    /// ISO country, as the function found it.
    pub country: Option<String>,
    /// Okta's own word, else what Twilio was asked for.
    pub channel: Option<String>,
    /// Okta's `locale`, else what Twilio was asked for.
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
    /// The same in one sentence.
    pub why: String,
    /// What an admin can do about it.
    pub advice: Option<String>,
    /// Twilio's error code.
    pub twilio_code: Option<u64>,
    /// Since the gateway took the request.
    pub duration_ms: Option<u64>,
    /// Of these, waiting for Lookup.
    pub lookup_ms: Option<u64>,
    /// Of these, waiting for Verify.
    pub verify_ms: Option<u64>,
}

/// A request to Twilio, and its answer.
#[derive(Debug, Clone, Serialize)]
pub struct TwilioStep {
    /// What it was for.
    pub what: &'static str,
    /// Method and path, the service's sid shortened.
    pub request: String,
    /// The form's or query's names and values.
    pub parameters: Vec<(String, String)>,
    /// Status and code, or that there was no answer.
    pub answer: String,
    /// Whether Twilio did what it was asked for, and said so.
    pub good: bool,
    /// The fault that was ordered for it.
    pub fault: Option<String>,
}

/// What Okta was told.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// HTTP status; none if no answer came.
    pub status: Option<u16>,
    /// `SUCCESSFUL`, or the reason of the error.
    pub word: String,
    /// The sid that Okta keeps, or the text for the user.
    pub text: String,
    /// From request to answer, where somebody saw both.
    pub took_ms: Option<u64>,
    /// The answer's body, where somebody saw it; else the rest is concluded from the log.
    pub body: Option<Value>,
}

/// What became of one event of Okta's.
#[derive(Debug, Clone, Serialize)]
pub struct FeedbackStep {
    /// Okta's id of the event.
    pub event_uuid: Option<String>,
    /// `queued`, `approved`, `not_needed` or `failed`.
    pub outcome: String,
    /// The stable code.
    pub reason: String,
    /// The same in one sentence.
    pub why: String,
    /// Where the verification was found: `sends`, `factors` or `profile`.
    pub source: Option<String>,
}

impl Story {
    fn new(id: u64, at: Moment, hook: Hook) -> Self {
        Self {
            id,
            at,
            hook,
            outcome: Outcome::default(),
            summary: String::new(),
            asked: Asked::default(),
            decided: None,
            twilio: Vec::new(),
            told: None,
            okta_next: "",
            phone: Vec::new(),
            verification_sid: None,
            verification: None,
            feedback: Vec::new(),
            invocations: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Whether Okta was told that the code is on its way although the policy refused it (`DENY_RESPONSE=swallow`).
    fn is_swallowed(&self) -> bool {
        self.told.as_ref().is_some_and(|told| told.text.starts_with("refused:"))
    }

    /// Whether Okta had gone on by itself when the answer came.
    fn is_late(&self) -> bool {
        let limit = u64::try_from(OKTA_WAITS.as_millis()).unwrap_or(u64::MAX);
        let told = self.told.as_ref().and_then(|told| told.took_ms);
        let decided = self.decided.as_ref().and_then(|decided| decided.duration_ms);
        decided.or(told).is_some_and(|took| took > limit)
    }

    /// Says what follows from what is known by now.
    fn conclude(&mut self) {
        self.okta_next = texts::okta_next(self);
        self.summary = texts::summary(self);
    }
}
