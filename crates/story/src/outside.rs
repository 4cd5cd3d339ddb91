//! What Okta and Twilio know of a code: Okta's System Log and Twilio's attempts.

use crate::Moment;
use serde::Serialize;

/// Something that Okta did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OktaStep {
    /// When Okta did it.
    pub at: Moment,
    /// What it did.
    pub act: OktaAct,
}

/// What Okta did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OktaAct {
    /// It noted a message that the hook sent.
    HookSent,
    /// It sent the code by its own provider, because the hook did not send it.
    SentAfterHook,
    /// It sent the code by its own provider, and did not call the hook.
    SentItself,
    /// It tried to send the code by its own provider, and failed.
    NotSent,
    /// Its protection against toll fraud, or its limit for a number, refused to send.
    Denied,
    /// It could not use the hook's response, or got none.
    ResponseUnusable,
    /// It processed the hook's response.
    ResponseRead,
}

/// What became of a message after Twilio accepted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// When Twilio made the attempt.
    pub at: Moment,
    /// The state of the message or the call.
    pub state: DeliveryState,
    /// Twilio's code of a failed delivery, such as 30008.
    pub error_code: Option<u32>,
    /// Whether Twilio knows that the code was right.
    pub is_converted: bool,
}

/// The state of a message or a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// The carrier reported that it arrived, or somebody took the call.
    Delivered,
    /// It did not arrive.
    Failed,
    /// Nobody took the call.
    NotAnswered,
    /// There is no report yet.
    Pending,
}
