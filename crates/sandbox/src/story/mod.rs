//! The stories of the requests that the sandbox sees.
//!
//! The sandbox records Twilio's side and the phones, the functions log their decisions, and the sender of a request
//! through a [`Door`] knows the request and the response. A request that did not come through a door has only the masked
//! number from the log.

mod book;
mod request;

pub(crate) use self::book::{Stories, Traffic};
pub use okta_twilio_story::{
    Asked, Decided, FeedbackStep, Hook, HookResponse, OKTA_TIMEOUT, Outcome, Step, TwilioStep,
};

use crate::twilio::records::Message;
use serde_json::Value;

/// One request from Okta, with the messages on the phone.
pub type Story = okta_twilio_story::Story<Message>;

/// Sends the page's requests to the functions.
pub trait Door: Send + Sync {
    /// Sends the request that the gateway would turn into this event. Returns the status and the body of the response.
    ///
    /// # Errors
    /// No response came; the text is one sentence.
    fn send(&self, function: &str, event: &Value) -> Result<(u16, String), String>;
}
