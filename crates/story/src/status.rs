//! The status of a verification.

use serde::Serialize;

/// The status of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Sent, and neither approved nor expired.
    Pending,
    /// Approved. Twilio deletes it.
    Approved,
    /// Canceled by a request.
    Canceled,
    /// Expired. Twilio deletes it.
    Expired,
}

impl Status {
    /// Twilio's name of the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}
