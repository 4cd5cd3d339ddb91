//! The sandbox's records: requests to Twilio, messages to phones, verifications.

use super::faults::{Fault, Operation};
use crate::clock::Moment;
pub use okta_twilio_story::Status;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The channel of a message.
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
    /// The name in requests.
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

    /// The name in `send_code_attempts`, where only some channels are in capitals.
    pub(crate) fn attempt_name(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Call => "CALL",
            Self::Whatsapp => "whatsapp",
        }
    }
}

/// A request that arrived, even if a fault then dropped it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedRequest {
    /// The requested operation.
    pub operation: Operation,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as received: percent-encoded, without the query.
    pub path: String,
    /// The decoded names and values of the query or the form.
    pub parameters: Vec<(String, String)>,
    /// The names that Twilio does not know and ignores (warning 20001).
    pub ignored_parameters: Vec<String>,
    /// Whether its credentials were valid.
    pub authenticated: bool,
    /// The response; `None` if the connection was closed without one.
    pub response: Option<TwilioResponse>,
    /// The fault that affected it.
    pub fault: Option<Fault>,
    /// The number of its connection, counted from 1. It shows whether connections are reused.
    pub connection: u64,
    /// The time of its arrival.
    pub at: Moment,
}

impl RecordedRequest {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.parameters.iter().find(|(found, _)| found == name)?;
        Some(value)
    }

    /// Whether it was read and got no response.
    pub fn swallowed(&self) -> bool {
        self.response.is_none()
    }
}

/// The response to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TwilioResponse {
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
    /// The channel by which it arrived. After a fall-back this is not the requested one.
    pub channel: Channel,
    /// The requested channel, if Twilio used another one.
    pub fallback_from: Option<Channel>,
    /// The code.
    pub code: String,
    /// The text that the user reads or hears.
    pub text: String,
    /// The requested language.
    pub locale: Option<String>,
    /// The requested template (`HJ…`).
    pub template: Option<String>,
    /// Digits dialled after the call was answered, for an extension.
    pub send_digits: Option<String>,
    /// `VE…`
    pub verification_sid: String,
    /// `VL…`
    pub attempt_sid: String,
    /// The time of sending.
    pub at: Moment,
}

/// The text, the channel and the number.
impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({} to {})", self.text, self.channel.name(), self.to)
    }
}

/// A verification with its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// `VE…`
    pub sid: String,
    /// The phone's number (E.164).
    pub to: String,
    /// The channel of the last attempt.
    pub channel: Channel,
    /// Its status.
    pub status: Status,
    /// The last code that was sent.
    pub code: String,
    /// The attempts, oldest first. Twilio allows five.
    pub attempts: Vec<Attempt>,
    /// The time of its creation.
    pub created: Moment,
    /// The time of the last attempt or change of status.
    pub updated: Moment,
}

/// One attempt to deliver a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// `VL…`
    pub sid: String,
    /// The channel.
    pub channel: Channel,
    /// The time of sending.
    pub at: Moment,
    /// The error that prevented delivery. Twilio learns of it only after its response.
    pub error_code: Option<u32>,
    /// The tags of the create request, by name.
    pub tags: BTreeMap<String, String>,
}
