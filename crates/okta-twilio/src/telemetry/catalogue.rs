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
    phone::{Channel, CountryCode, MaskedPhone, Region},
    reason::Reason,
};

log_events! {
    /// INIT is over.
    "started" Started {
        /// From the start of `main` until the function asks for its first invocation.
        duration_ms: u64,
        /// Whether the hooks secret is loaded.
        secret: Readiness,
        /// Whether the Okta secret is loaded, if one is needed.
        okta_secret: Option<Readiness>,
        /// Whether the connections that the first request needs are open.
        connection: Readiness,
    },
    /// A variable is invalid, and the process exits.
    "configuration_invalid" ConfigurationInvalid {
        /// The variable, the problem and an example, but never the value.
        problem: StartError,
    },
    /// The function works, but probably not as intended.
    "configuration_warning" ConfigurationWarning(ConfigurationWarning),
    /// Twilio accepted the message.
    "otp_sent" OtpSent(Box<SendRecord>),
    /// The policy refused to send the code.
    "otp_refused" OtpRefused(Box<SendRecord>),
    /// The policy only observes and would have refused. The code is sent.
    "would_refuse" WouldRefuse {
        /// The reason of the rule.
        reason: Reason,
        /// The last part of Okta's `requestType`.
        request_type: &'static str,
        /// `sms`, `call` or `whatsapp`.
        channel: &'static str,
        /// The country and the last two digits.
        phone: Option<MaskedPhone>,
        /// The country from Lookup, or else from the number.
        country: Option<CountryCode>,
        /// Okta's user id.
        user_id: Option<SafeId>,
        /// Okta's `eventId`.
        okta_event_id: Option<SafeId>,
    },
    /// The field `paused` of the hooks secret has changed: sending stops or resumes.
    "sending_paused" SendingPaused {
        /// Whether anything is paused now.
        active: bool,
        /// Whether everything is paused.
        everything: bool,
        /// The countries that are paused by name. `001` stands for numbers without a country.
        countries: Vec<Region>,
        /// The channels that are paused by name.
        channels: Vec<Channel>,
    },
    /// The code could not be sent.
    "otp_failed" OtpFailed(Box<SendRecord>),
    /// A request to Twilio is repeated, because the first one provably sent nothing.
    "otp_retried" OtpRetried {
        /// Why the first attempt failed.
        reason: Reason,
        /// Twilio's error code, if it sent one.
        twilio_code: Option<u32>,
    },
    /// Twilio accepted the message, but the sends table could not store it. Its feedback cannot be exact.
    "send_not_remembered" SendNotRemembered {
        /// Why.
        reason: Reason,
        /// Okta's user id.
        user_id: Option<SafeId>,
        /// The `VE…` sid.
        verification_sid: Option<SafeId>,
        /// What an admin can do.
        advice: Option<&'static str>,
    },
    /// Lookup, or one of its packages, returned no data on a number. The send continues without it.
    "lookup_failed" LookupFailed(LookupFailure),
    /// The queue stores the event until Twilio has received the feedback.
    "feedback_queued" FeedbackQueued(Box<FeedbackRecord>),
    /// Twilio marked the verification as approved.
    "feedback_approved" FeedbackApproved(Box<FeedbackRecord>),
    /// No verification needs this feedback.
    "feedback_not_needed" FeedbackNotNeeded(Box<FeedbackRecord>),
    /// The feedback failed.
    "feedback_failed" FeedbackFailed(Box<FeedbackRecord>),
    /// A request was not from Okta, or it was invalid.
    "request_rejected" RequestRejected {
        /// Status of the response.
        status: u16,
        /// Why.
        reason: Reason,
        /// Path of the invalid field, if there is one.
        location: Option<&'static str>,
    },
    /// A secret was read from Secrets Manager.
    "secret_refreshed" SecretRefreshed {
        /// Name of the secret.
        secret: &'static str,
        /// Whether it differs from the loaded value.
        changed: bool,
    },
    /// A secret could not be read or used. An older value stays in use if there is one.
    "secret_refresh_failed" SecretRefreshFailed {
        /// Name of the secret.
        secret: &'static str,
        /// Why.
        reason: &'static str,
        /// The invalid field, if there is one.
        field: Option<&'static str>,
        /// Whether an older value is still in use.
        stale_value_in_use: bool,
    },
    /// A handler panicked because of a bug. The panic's text is not printed, because it could quote the input.
    "panicked" Panicked {
        /// Source file.
        file: SourceFile,
        /// Line in the source file.
        line: u32,
    },
}

impl LogEvent {
    /// The level of the event.
    pub fn level(&self) -> Level {
        match self {
            Self::Started { .. }
            | Self::OtpSent(_)
            | Self::FeedbackQueued(_)
            | Self::FeedbackApproved(_)
            | Self::SendingPaused { active: false, .. }
            | Self::SecretRefreshed { .. } => Level::INFO,
            Self::FeedbackNotNeeded(record) => match record.reason {
                Reason::NoPendingVerification | Reason::UserNotFound | Reason::NotRemembered => Level::INFO,
                _ => Level::WARN,
            },
            // A package without data is normal, unless an admin can do something about it.
            Self::LookupFailed(failure) if failure.reason == Reason::NoData && failure.advice.is_none() => Level::INFO,
            Self::FeedbackFailed(record) if record.transient => Level::WARN,
            Self::OtpRefused(_)
            | Self::WouldRefuse { .. }
            | Self::ConfigurationWarning { .. }
            | Self::SendingPaused { active: true, .. }
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

/// Whether a dependency was ready when INIT ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Ready.
    Ready,
    /// Not ready. The first request tries again.
    Failed,
    /// Not ready yet. The work continues during the first request.
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
