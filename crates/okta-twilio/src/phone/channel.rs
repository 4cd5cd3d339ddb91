//! The channel of a message.

use serde::{Serialize, Serializer};

/// The channel that delivers a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Text message. Twilio may upgrade it to RCS.
    Sms,
    /// Voice call.
    Call,
    /// WhatsApp. Twilio falls back to SMS if it can.
    WhatsApp,
}

impl Channel {
    /// The value of the `Channel` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
            Self::WhatsApp => "whatsapp",
        }
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
