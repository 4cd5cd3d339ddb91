//! Reason codes: why the hook did or did not do something. Okta, the log and the metrics use the same stable codes.

use serde::{Serialize, Serializer};
use strum::{IntoStaticStr, VariantArray};

/// The text for a user who needs another number or another factor. Another request would not help.
const CHECK_THE_NUMBER: &str =
    "We could not send a code to this phone number. Check the number or choose another way to verify.";

/// A reason code. Okta shows it in its System Log, and CloudWatch has it as the `Reason` dimension. Neither ever
/// receives Twilio's own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// Twilio accepted the message.
    Accepted,

    // The request.
    /// This hook does not accept the HTTP method.
    MethodNotAllowed,
    /// The body is larger than the hook's limit.
    BodyTooLarge,
    /// The body is not JSON, or lacks a field.
    NotAHookRequest,
    /// The gateway is a REST API, or it uses a payload format other than 2.0.
    PayloadFormat,
    /// Okta's one-time verification request has no challenge header.
    ChallengeMissing,
    /// The secret or the authorizer's claims are missing or wrong.
    NotAuthenticated,
    /// The hooks secret is missing, blank or unreadable.
    SecretUnavailable,

    // The number and the code.
    /// The phone number cannot be dialed.
    PhoneNumberInvalid,
    /// A landline cannot receive SMS.
    Landline,
    /// Twilio cannot reach this carrier or country.
    Unreachable,
    /// The user opted out of messages from this sender.
    Unsubscribed,
    /// Okta's code expired before it could be sent.
    CodeExpired,

    // Refusals by the policy.
    /// The country is on the block list.
    CountryBlocked,
    /// The country is unknown or not on the allow list.
    CountryNotAllowed,
    /// This line type is blocked.
    LineTypeBlocked,
    /// The carrier is blocked.
    CarrierBlocked,
    /// The phone number is not in use at present.
    LineInactive,
    /// The phone number shows signs of SMS pumping.
    SmsPumpingRisk,
    /// The SIM was changed recently.
    SimSwapped,
    /// A call would be forwarded to another number.
    CallForwarded,
    /// The field `paused` of the hooks secret stops this message.
    Paused,

    // Twilio Lookup.
    /// Lookup failed, so a national number could not be completed.
    LookupUnavailable,
    /// A Lookup package has no data on the phone number.
    NoData,

    // Refusals by Twilio.
    /// Twilio's Fraud Guard or risk rules blocked the phone number.
    BlockedAsFraud,
    /// Verify's Geo permissions do not allow the country.
    CountryBlockedByTwilio,
    /// Twilio requires a registration or vetting that is missing.
    NotRegistered,
    /// Verify sent five messages within ten minutes and received no feedback.
    TooManySends,
    /// The request reached a rate limit of the Verify service.
    RateLimited,
    /// Twilio throttles the account because of its other requests.
    Throttled,
    /// The Twilio credentials are wrong or lack a permission.
    TwilioAuthentication,
    /// The Twilio account is a trial, is suspended, or lacks this permission.
    TwilioAccount,
    /// The Verify service does not exist or lacks a setting.
    VerifyService,
    /// Twilio cannot use the template.
    Template,
    /// Twilio does not support the language.
    Locale,
    /// The channel is disabled or not set up.
    ChannelUnavailable,
    /// Another integration owns the verification of this phone number.
    OwnedByOther,
    /// Twilio does not understand our request.
    RequestInvalid,
    /// The code table has no entry for this Twilio code.
    TwilioRefused,

    // The connection to Twilio.
    /// The time budget ended before the request to Twilio. Nothing was sent.
    OutOfTime,
    /// No connection could be opened in time.
    TwilioUnreachable,
    /// No response arrived in time. The message may have been sent.
    TwilioTimeout,
    /// The connection was lost after the request. The message may have been sent.
    TwilioInterrupted,
    /// Twilio had an internal error.
    TwilioFailed,

    // Feedback.
    /// The event's target shows that a phone was used, but no field names the channel.
    EventNotClassified,
    /// The event does not name a user.
    EventWithoutUser,
    /// Twilio marked the verification as approved.
    Approved,
    /// The user has no pending verification: it was approved before, or it has ended.
    NoPendingVerification,
    /// The event is too old: by now the number may have a newer verification.
    EventTooOld,
    /// Okta has no active phone for the channel.
    NoPhone,
    /// The sends table has no verification that matches the event.
    NotRemembered,
    /// The sends table was unreachable or had an internal error.
    TableUnavailable,
    /// The function's role lacks permission for the sends table.
    TableForbidden,
    /// The sends table does not exist.
    TableNotFound,
    /// The sends table has different keys.
    TableRefused,
    /// The Okta user was deleted.
    UserNotFound,
    /// Okta rejected the credentials.
    OktaAuthentication,
    /// The Okta credentials lack permission to read the user.
    OktaForbidden,
    /// The request reached Okta's rate limit.
    OktaRateLimited,
    /// Okta had an internal error.
    OktaFailed,
    /// The response does not look like one from Okta.
    OktaNotUnderstood,
    /// No connection to Okta could be opened in time.
    OktaUnreachable,
    /// Okta did not respond in time.
    OktaTimeout,
    /// The connection to Okta was lost.
    OktaInterrupted,
    /// The message is in the queue.
    Queued,
    /// The queue was unreachable or had an internal error.
    QueueUnavailable,
    /// The function's role lacks permission for the queue.
    QueueForbidden,
    /// The queue does not exist.
    QueueNotFound,
    /// The queue rejected the message.
    QueueRefused,
    /// A message in the queue is not one of ours.
    MessageUnreadable,
}

impl Reason {
    /// The code as text.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the reason is a failure of the sends table.
    pub fn is_table_failure(self) -> bool {
        matches!(self, Self::TableUnavailable | Self::TableForbidden | Self::TableNotFound | Self::TableRefused)
    }

    /// Whether the policy refused the number.
    pub fn is_refusal_by_policy(self) -> bool {
        matches!(
            self,
            Self::CountryBlocked
                | Self::CountryNotAllowed
                | Self::LineTypeBlocked
                | Self::CarrierBlocked
                | Self::LineInactive
                | Self::SmsPumpingRisk
                | Self::SimSwapped
                | Self::CallForwarded
        )
    }

    /// Whether the cause is one user's number, code or request rate. Nobody needs to be paged for it.
    pub fn is_users_own(self) -> bool {
        matches!(
            self,
            Self::PhoneNumberInvalid
                | Self::Landline
                | Self::Unreachable
                | Self::Unsubscribed
                | Self::CodeExpired
                | Self::BlockedAsFraud
                | Self::CountryBlockedByTwilio
                | Self::TooManySends
                | Self::RateLimited
        )
    }

    /// The text for the user. It is polite, covers many causes, and does not help an attacker.
    pub fn user_text(self) -> &'static str {
        match self {
            // A refusal by the policy reads like an unreachable number.
            refused if refused.is_refusal_by_policy() => CHECK_THE_NUMBER,
            Self::PhoneNumberInvalid | Self::Landline | Self::Unreachable | Self::Unsubscribed => CHECK_THE_NUMBER,
            Self::CodeExpired => "This code has expired. Please ask for a new one.",
            Self::TooManySends | Self::RateLimited => {
                "Too many codes were requested for this phone number. Please wait ten minutes and try again."
            }
            _ => "We could not send your code. Please try again, or choose another way to verify.",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runbook_knows_every_reason() {
        let runbook = include_str!("../../../docs/runbook.md");
        let codes = Reason::VARIANTS.iter().map(|reason| reason.as_str());
        let missing: Vec<_> = codes.filter(|code| !runbook.contains(&format!("`{code}`"))).collect();
        assert!(missing.is_empty(), "not in docs/runbook.md: {missing:?}");
    }
}
