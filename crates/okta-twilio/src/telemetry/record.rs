//! The records of the larger log events.

use super::safe::log_record;
use crate::{
    id::SafeId,
    phone::{CountryCode, MaskedPhone, NetworkCode},
    reason::Reason,
};

log_record! {
    /// An admin should look at this, although the function works.
    #[derive(Clone, Debug, Default)]
    pub struct ConfigurationWarning {
        /// What to look at. Never contains a value.
        pub problem: &'static str,
        /// The name of the variable, if it comes from the environment.
        pub variable: Option<SafeId>,
        /// The secret, if the warning is about one.
        pub secret: Option<&'static str>,
        /// The variable or field that was probably meant.
        pub meant: Option<&'static str>,
    }
}

impl ConfigurationWarning {
    /// A warning that needs only its text.
    pub fn of(problem: &'static str) -> Self {
        Self { problem, ..Self::default() }
    }
}

log_record! {
    /// The facts about one request to send a code.
    #[derive(Clone, Debug)]
    pub struct SendRecord {
        /// The result as one code.
        pub reason: Reason,
        /// The last part of Okta's `requestType`.
        pub request_type: &'static str,
        /// `sms`, `call` or `whatsapp`.
        pub channel: &'static str,
        /// The country and the last two digits.
        pub phone: Option<MaskedPhone>,
        /// The country from Lookup, or else from the number.
        pub country: Option<CountryCode>,
        /// Twilio's line type.
        pub line_type: Option<&'static str>,
        /// The carrier's network codes.
        pub network: Option<NetworkCode>,
        /// Twilio's score, 0 to 100.
        pub sms_pumping_risk: Option<u8>,
        /// Okta's user id.
        pub user_id: Option<SafeId>,
        /// Okta's `eventId`.
        pub okta_event_id: Option<SafeId>,
        /// Okta's request id.
        pub okta_request_id: Option<SafeId>,
        /// The `VE…` sid.
        pub verification_sid: Option<SafeId>,
        /// The `VL…` sid of the last attempt.
        pub attempt_sid: Option<SafeId>,
        /// Twilio's id of the request, for Twilio's support.
        pub twilio_request_id: Option<SafeId>,
        /// Twilio's error code.
        pub twilio_code: Option<u32>,
        /// HTTP status of Twilio's response.
        pub twilio_status: Option<u16>,
        /// What an admin can do.
        pub advice: Option<&'static str>,
        /// What `REPLACE_PENDING` did before the send: `canceled`, `nothing_pending` or `failed`.
        pub replaced: Option<&'static str>,
        /// Why the pending verification could not be canceled. The send continued.
        pub replace_failure: Option<Reason>,
        /// How many messages the user received at this number within the last ten minutes (`RESEND_CHANNELS`).
        pub earlier_sends: Option<u32>,
        /// Why the sends table did not return this count. The request then counts as the first.
        pub table_failure: Option<Reason>,
        /// Whether this is a preview from Okta.
        pub preview: bool,
        /// The number of requests to Verify.
        pub attempts: u32,
        /// Time since the request reached the gateway.
        pub duration_ms: u64,
        /// The part of it that was spent on Lookup.
        pub lookup_ms: Option<u64>,
        /// The part of it that was spent on Verify.
        pub verify_ms: u64,
    }
}

log_record! {
    /// The facts about the feedback for one event.
    #[derive(Clone, Debug)]
    pub struct FeedbackRecord {
        /// The result as one code.
        pub reason: Reason,
        /// Okta's id of the event.
        pub event_uuid: Option<SafeId>,
        /// Okta's user id.
        pub user_id: Option<SafeId>,
        /// `authentication` or `enrollment`.
        pub kind: Option<&'static str>,
        /// `sms`, `call` or `either`.
        pub channel: Option<&'static str>,
        /// Time since Okta published the event.
        pub age_seconds: Option<i64>,
        /// Country and last two digits of the number that identified the verification.
        pub phone: Option<MaskedPhone>,
        /// How many numbers were tried.
        pub numbers: u32,
        /// Where the verification was found: `sends`, `factors` or `profile`.
        pub source: Option<&'static str>,
        /// How the sends table failed, if it failed.
        pub table_failure: Option<Reason>,
        /// From Okta's event to Twilio's approval.
        pub delay_ms: Option<u64>,
        /// The `VE…` sid.
        pub verification_sid: Option<SafeId>,
        /// Twilio's id of the failed request, for Twilio's support.
        pub twilio_request_id: Option<SafeId>,
        /// Twilio's error code.
        pub twilio_code: Option<u32>,
        /// HTTP status of Twilio's refusal.
        pub twilio_status: Option<u16>,
        /// What an admin can do.
        pub advice: Option<&'static str>,
        /// Whether the failure can clear without a change by anyone.
        pub transient: bool,
        /// How often the queue has delivered the message.
        pub receive_count: Option<u32>,
        /// The queue's id of an unreadable message.
        pub message_id: Option<SafeId>,
        /// Processing time of this event.
        pub duration_ms: u64,
    }
}

impl FeedbackRecord {
    /// A record with only the event's id and the reason.
    pub fn new(event_uuid: Option<SafeId>, reason: Reason) -> Self {
        Self {
            reason,
            event_uuid,
            user_id: None,
            kind: None,
            channel: None,
            age_seconds: None,
            phone: None,
            numbers: 0,
            source: None,
            table_failure: None,
            delay_ms: None,
            verification_sid: None,
            twilio_request_id: None,
            twilio_code: None,
            twilio_status: None,
            advice: None,
            transient: false,
            receive_count: None,
            message_id: None,
            duration_ms: 0,
        }
    }
}

log_record! {
    /// A failure of Lookup or of one of its packages.
    #[derive(Clone, Debug)]
    pub struct LookupFailure {
        /// What happened.
        pub reason: Reason,
        /// The package without data. `None` if the whole response is missing.
        pub package: Option<&'static str>,
        /// Twilio's error code.
        pub twilio_code: Option<u32>,
        /// HTTP status of Twilio's response.
        pub twilio_status: Option<u16>,
        /// Twilio's id of the request.
        pub twilio_request_id: Option<SafeId>,
        /// What an admin can do.
        pub advice: Option<&'static str>,
    }
}

impl LookupFailure {
    /// A failure without a response.
    pub fn of(reason: Reason) -> Self {
        Self { reason, package: None, twilio_code: None, twilio_status: None, twilio_request_id: None, advice: None }
    }

    /// A package without data.
    pub fn of_package(package: &'static str, twilio_code: Option<u32>, advice: Option<&'static str>) -> Self {
        Self { package: Some(package), twilio_code, advice, ..Self::of(Reason::NoData) }
    }
}
