//! Why something was or was not done: one word each, stable, the same for Okta, the log and the metrics.

use serde::{Serialize, Serializer};
use strum::{IntoStaticStr, VariantArray};

/// The user's text where another number or another factor helps, and asking again does not.
const CHECK_THE_NUMBER: &str =
    "We could not send a code to this phone number. Check the number or choose another way to verify.";

/// A reason code. Okta shows it in its System Log, CloudWatch has it as the `Reason` dimension; neither ever gets
/// Twilio's own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// Twilio accepted the message.
    Accepted,

    // The request.
    /// The method is not the hook's.
    MethodNotAllowed,
    /// The body is larger than the hook's limit.
    BodyTooLarge,
    /// The body is not JSON, or lacks a field.
    NotAHookRequest,
    /// The gateway is a REST API, or sends another payload format than 2.0.
    PayloadFormat,
    /// The one-time verification came without its challenge.
    ChallengeMissing,
    /// The secret or the authorizer's claims are missing or wrong.
    NotAuthenticated,
    /// The function's own secret is missing, blank or cannot be read.
    SecretUnavailable,

    // The number and the code.
    /// The number cannot be dialled.
    PhoneNumberInvalid,
    /// A landline takes no SMS.
    Landline,
    /// Carrier or country is out of Twilio's reach.
    Unreachable,
    /// The user told the sender to stop.
    Unsubscribed,
    /// Okta's code ended before it could be sent.
    CodeExpired,

    // The policy's refusals.
    /// The country is among those blocked.
    CountryBlocked,
    /// The country is not among those allowed, or not known.
    CountryNotAllowed,
    /// The kind of line is blocked.
    LineTypeBlocked,
    /// The carrier is blocked.
    CarrierBlocked,
    /// Nobody has the line at present.
    LineInactive,
    /// The number looks like part of SMS pumping.
    SmsPumpingRisk,
    /// The SIM was changed a short while ago.
    SimSwapped,
    /// A call would be forwarded to another number.
    CallForwarded,

    // Twilio Lookup.
    /// A national number could not be completed, because Lookup failed.
    LookupUnavailable,
    /// A package of Lookup has no data on the number.
    NoData,

    // Twilio's refusals.
    /// Twilio's Fraud Guard or risk rules blocked the number.
    BlockedAsFraud,
    /// The country is off in Verify's Geo permissions.
    CountryBlockedByTwilio,
    /// A registration or vetting that Twilio asks for is missing.
    NotRegistered,
    /// Five messages in ten minutes without feedback.
    TooManySends,
    /// A rate limit of the Verify service was reached.
    RateLimited,
    /// Twilio is busy with the account's other requests.
    Throttled,
    /// The Twilio credentials are wrong or lack a permission.
    TwilioAuthentication,
    /// The Twilio account is a trial, suspended or not allowed to do this.
    TwilioAccount,
    /// The Verify service does not exist or lacks a setting.
    VerifyService,
    /// The template cannot be used.
    Template,
    /// The language is not supported.
    Locale,
    /// The channel is off or not set up.
    ChannelUnavailable,
    /// Another integration owns the verification of this number.
    OwnedByOther,
    /// A request of ours that Twilio does not understand.
    RequestInvalid,
    /// A Twilio code that the table does not know.
    TwilioRefused,

    // The way to Twilio.
    /// The budget was over before Twilio could be asked: nothing was sent.
    OutOfTime,
    /// No connection could be made in time.
    TwilioUnreachable,
    /// No answer in time; the message may have been sent.
    TwilioTimeout,
    /// The connection was lost after the request; the message may have been sent.
    TwilioInterrupted,
    /// Twilio failed.
    TwilioFailed,

    // Feedback.
    /// The event says by its target that a phone was used, and by no word which channel.
    EventNotClassified,
    /// The event names no user.
    EventWithoutUser,
    /// The verification is approved.
    Approved,
    /// No verification of the user's is open: approved already, or ended.
    NoPendingVerification,
    /// The event is so old that a number could name a newer verification.
    EventTooOld,
    /// Okta knows no active phone of the channel.
    NoPhone,
    /// The sends table knows of no verification that the event could be about.
    NotRemembered,
    /// The sends table could not be reached, or failed.
    TableUnavailable,
    /// The function's role may not use the sends table.
    TableForbidden,
    /// There is no such table.
    TableNotFound,
    /// The sends table has other keys.
    TableRefused,
    /// The user was deleted.
    UserNotFound,
    /// Okta does not accept the credentials.
    OktaAuthentication,
    /// The credentials may not read the user.
    OktaForbidden,
    /// Okta's rate limit was reached.
    OktaRateLimited,
    /// Okta failed.
    OktaFailed,
    /// Okta's answer is none of its own.
    OktaNotUnderstood,
    /// No connection to Okta could be made in time.
    OktaUnreachable,
    /// No answer of Okta in time.
    OktaTimeout,
    /// The connection to Okta was lost.
    OktaInterrupted,
    /// The message is in the queue.
    Queued,
    /// The queue could not be reached, or failed.
    QueueUnavailable,
    /// The function's role may not use the queue.
    QueueForbidden,
    /// There is no such queue.
    QueueNotFound,
    /// The queue does not take the message.
    QueueRefused,
    /// A message of the queue is not one of ours.
    MessageUnreadable,
}

impl Reason {
    /// The code.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the sends table failed.
    pub fn is_tables(self) -> bool {
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

    /// Whether the cause lies with one user's number, code or pace, so that nobody needs to be called for it.
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

    /// What the user may read. Polite, the same for many causes, and no help to an attacker.
    pub fn user_text(self) -> &'static str {
        match self {
            // A refusal by policy reads like a number that cannot be reached.
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
