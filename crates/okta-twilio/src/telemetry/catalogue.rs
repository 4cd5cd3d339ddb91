//! The closed list of log events.

use serde::Serialize;
use tracing::Level;

use super::{
    record::{ConfigurationWarning, FeedbackRecord, LookupFailure, SendRecord},
    safe::{SourceFile, log_events, safe_to_log},
};
use crate::{
    config::StartError,
    id::SafeId,
    phone::{CountryCode, MaskedPhone},
    reason::Reason,
};

log_events! {
    /// INIT is over; what could be prepared is.
    "started" Started {
        /// From the start of `main` until the first invocation is asked for.
        duration_ms: u64,
        /// Whether the hooks secret is at hand.
        secret: Readiness,
        /// Whether the Okta secret is at hand, where one is needed.
        okta_secret: Option<Readiness>,
        /// Whether the connections that the first request needs are open.
        connection: Readiness,
    },
    /// A variable cannot be used; the process ends.
    "configuration_invalid" ConfigurationInvalid {
        /// Variable, problem and an example; never the value.
        problem: StartError,
    },
    /// The function works, but probably not as intended.
    "configuration_warning" ConfigurationWarning(ConfigurationWarning),
    /// Twilio accepted the message.
    "otp_sent" OtpSent(Box<SendRecord>),
    /// Policy decided against sending.
    "otp_refused" OtpRefused(Box<SendRecord>),
    /// The policy only observes and would have decided against sending; the code goes out.
    "would_refuse" WouldRefuse {
        /// The rule's reason.
        reason: Reason,
        /// Okta's `requestType`, last part.
        request_type: &'static str,
        /// `sms`, `call` or `whatsapp`.
        channel: &'static str,
        /// Country and last two digits.
        phone: Option<MaskedPhone>,
        /// Lookup's country, else the number's own.
        country: Option<CountryCode>,
        /// Okta's user id.
        user_id: Option<SafeId>,
        /// Okta's `eventId`.
        okta_event_id: Option<SafeId>,
    },
    /// The code could not be sent.
    "otp_failed" OtpFailed(Box<SendRecord>),
    /// A request to Twilio is made again because the first provably sent nothing.
    "otp_retried" OtpRetried {
        /// What the first attempt met.
        reason: Reason,
        /// Twilio's code, where it answered with one.
        twilio_code: Option<u32>,
    },
    /// Twilio accepted the message, and the sends table does not know of it: its feedback cannot be exact.
    "send_not_remembered" SendNotRemembered {
        /// Why.
        reason: Reason,
        /// Okta's user id.
        user_id: Option<SafeId>,
        /// The `VE…` sid.
        verification_sid: Option<SafeId>,
        /// What an admin can do about it.
        advice: Option<&'static str>,
    },
    /// Lookup, or one of its packages, could not tell about a number; the send goes on without.
    "lookup_failed" LookupFailed(LookupFailure),
    /// The queue keeps the event until Twilio has been told.
    "feedback_queued" FeedbackQueued(Box<FeedbackRecord>),
    /// Twilio was told that the verification is approved.
    "feedback_approved" FeedbackApproved(Box<FeedbackRecord>),
    /// There is no verification that feedback could be given for.
    "feedback_not_needed" FeedbackNotNeeded(Box<FeedbackRecord>),
    /// Feedback should be given and was not.
    "feedback_failed" FeedbackFailed(Box<FeedbackRecord>),
    /// A request was not from Okta, or not one that can be served.
    "request_rejected" RequestRejected {
        /// Status of the answer.
        status: u16,
        /// Why.
        reason: Reason,
        /// Path of the field, where one is at fault.
        location: Option<&'static str>,
    },
    /// A secret was read from Secrets Manager.
    "secret_refreshed" SecretRefreshed {
        /// Which.
        secret: &'static str,
        /// Whether it differs from the one at hand.
        changed: bool,
    },
    /// A secret could not be read or used; an older one stays in use if there is one.
    "secret_refresh_failed" SecretRefreshFailed {
        /// Which.
        secret: &'static str,
        /// Why.
        reason: &'static str,
        /// The field at fault, where one is.
        field: Option<&'static str>,
        /// Whether an older value is still at hand.
        stale_value_in_use: bool,
    },
    /// A handler met a bug. The panic's text is not printed: it could quote the input.
    "panicked" Panicked {
        /// Source file.
        file: SourceFile,
        /// Line in it.
        line: u32,
    },
}

impl LogEvent {
    /// How serious the event is.
    pub fn level(&self) -> Level {
        match self {
            Self::Started { .. }
            | Self::OtpSent(_)
            | Self::FeedbackQueued(_)
            | Self::FeedbackApproved(_)
            | Self::SecretRefreshed { .. } => Level::INFO,
            Self::FeedbackNotNeeded(record) => match record.reason {
                Reason::NoPendingVerification | Reason::UserNotFound | Reason::NotRemembered => Level::INFO,
                _ => Level::WARN,
            },
            // A package without data is everyday, unless there is something to do about it.
            Self::LookupFailed(failure) if failure.reason == Reason::NoData && failure.advice.is_none() => Level::INFO,
            Self::FeedbackFailed(record) if record.transient => Level::WARN,
            Self::OtpRefused(_)
            | Self::WouldRefuse { .. }
            | Self::ConfigurationWarning { .. }
            | Self::SendNotRemembered { .. }
            | Self::LookupFailed(_)
            | Self::OtpRetried { .. }
            | Self::RequestRejected { .. }
            | Self::SecretRefreshFailed { stale_value_in_use: true, .. } => Level::WARN,
            Self::OtpFailed(record) if record.reason.is_users_own() => Level::WARN,
            Self::OtpFailed(_)
            | Self::FeedbackFailed(_)
            | Self::ConfigurationInvalid { .. }
            | Self::Panicked { .. }
            | Self::SecretRefreshFailed { .. } => Level::ERROR,
        }
    }
}

/// Whether something was ready when INIT ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Ready.
    Ready,
    /// Not ready; tried again by the first request.
    Failed,
    /// Not ready yet; goes on into the first request.
    UnderWay,
}

safe_to_log!(Readiness);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_in_the_docs_is_the_one_in_the_code() {
        let docs = include_str!("../../../../docs/logging.md");
        let rows = docs.split_once("## Events").unwrap().1.split_once("\n## ").unwrap().0.lines();
        let mut documented: Vec<_> =
            rows.filter_map(|row| row.strip_prefix("| `")?.split_once('`')).map(|row| row.0).collect();
        documented.retain(|name| *name != "message");
        documented.sort_unstable();
        let mut catalogue = LogEvent::NAMES.to_vec();
        catalogue.sort_unstable();
        assert_eq!(documented, catalogue);
    }
}
