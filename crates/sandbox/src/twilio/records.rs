//! What the sandbox remembers: the requests that arrived, the messages that phones got, the verifications.

use super::faults::{Fault, Operation};
use crate::clock::Moment;
use serde::Serialize;
use std::collections::BTreeMap;

/// How a code reaches its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A text message.
    Sms,
    /// A voice call.
    Call,
    /// A WhatsApp message.
    Whatsapp,
}

impl Channel {
    /// As it is written in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
            Self::Whatsapp => "whatsapp",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Sms, Self::Call, Self::Whatsapp].into_iter().find(|channel| channel.name() == name)
    }

    /// As it is written in `send_code_attempts`, where only some channels are in capitals.
    pub(crate) fn attempt_name(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Call => "CALL",
            Self::Whatsapp => "whatsapp",
        }
    }
}

/// A request that arrived, also if a fault then swallowed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedRequest {
    /// What it asked for.
    pub operation: Operation,
    /// `GET`, `POST`, …
    pub method: String,
    /// As on the wire: percent-encoded, without the query.
    pub path: String,
    /// The query's or form's names and values, decoded.
    pub parameters: Vec<(String, String)>,
    /// Names among them that Twilio does not know and therefore ignores (warning 20001).
    pub ignored_parameters: Vec<String>,
    /// Whether its credentials were right.
    pub authenticated: bool,
    /// What was answered; none if the connection was closed instead.
    pub answered: Option<Answered>,
    /// The fault that happened to it.
    pub fault: Option<Fault>,
    /// The connection that carried it, counted from 1. It shows whether connections are reused.
    pub connection: u64,
    /// When it arrived.
    pub at: Moment,
}

impl RecordedRequest {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.parameters.iter().find(|(found, _)| found == name)?;
        Some(value)
    }

    /// Whether it was read but not answered.
    pub fn swallowed(&self) -> bool {
        self.answered.is_none()
    }
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// Twilio's error code.
    pub code: Option<u32>,
}

/// A message that reached a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The phone's number (E.164).
    pub to: String,
    /// How it came; after a fall-back not the channel that was asked for.
    pub channel: Channel,
    /// The channel that was asked for, if another one had to be used.
    pub fallback_from: Option<Channel>,
    /// The code.
    pub code: String,
    /// What is read, or heard, on the phone.
    pub text: String,
    /// The language that was asked for.
    pub locale: Option<String>,
    /// The template that was asked for (`HJ…`).
    pub template: Option<String>,
    /// Digits that were dialled after the call was answered, for an extension.
    pub send_digits: Option<String>,
    /// `VE…`
    pub verification_sid: String,
    /// `VL…`
    pub attempt_sid: String,
    /// When it was sent.
    pub at: Moment,
}

/// How far a verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Sent, and neither confirmed nor expired.
    Pending,
    /// Confirmed; Twilio forgets it.
    Approved,
    /// Given up on request.
    Canceled,
    /// Too old; Twilio forgets it.
    Expired,
}

impl Status {
    /// As Twilio writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}

/// A verification with all that was sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// `VE…`
    pub sid: String,
    /// The phone's number (E.164).
    pub to: String,
    /// The channel of the last attempt.
    pub channel: Channel,
    /// How far it has come.
    pub status: Status,
    /// The code that was sent last.
    pub code: String,
    /// Every sending, oldest first; Twilio allows five.
    pub attempts: Vec<Attempt>,
    /// When it was started.
    pub created: Moment,
    /// When something was last sent for it or its status was set.
    pub updated: Moment,
}

/// One sending of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// `VL…`
    pub sid: String,
    /// How it was sent.
    pub channel: Channel,
    /// When it was sent.
    pub at: Moment,
    /// Why it did not arrive, which Twilio finds out only after its answer.
    pub error_code: Option<u32>,
    /// What the create was tagged with, by name.
    pub tags: BTreeMap<String, String>,
}
