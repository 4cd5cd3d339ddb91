//! How a code reaches a phone.

/// How the code travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Text message (Twilio itself may make it RCS).
    Sms,
    /// Voice call.
    Call,
    /// WhatsApp; Twilio falls back to SMS where it can.
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
