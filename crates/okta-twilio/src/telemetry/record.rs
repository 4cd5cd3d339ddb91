//! What the larger log events hold.

use super::safe::log_record;
use crate::{
    id::SafeId,
    phone::{CountryCode, MaskedPhone, NetworkCode},
    reason::Reason,
};

log_record! {
    /// What an admin should look at, although the function works.
    #[derive(Clone, Debug, Default)]
    pub struct ConfigurationWarning {
        /// What to look at; never a value.
        pub problem: &'static str,
        /// The name of the variable, where it is one that is not known by this program's own text.
        pub variable: Option<SafeId>,
        /// Which secret, where it is about one.
        pub secret: Option<&'static str>,
        /// The variable or field that was probably meant.
        pub meant: Option<&'static str>,
    }
}

impl ConfigurationWarning {
    /// Where the problem says all.
    pub fn of(problem: &'static str) -> Self {
        Self { problem, ..Self::default() }
    }
}

log_record! {
    /// What is known of one request to send a code.
    #[derive(Clone, Debug)]
    pub struct SendRecord {
        /// Outcome in one word.
        pub reason: Reason,
        /// Okta's `requestType`, last part.
        pub request_type: &'static str,
        /// `sms`, `call` or `whatsapp`.
        pub channel: &'static str,
        /// Country and last two digits.
        pub phone: Option<MaskedPhone>,
        /// Lookup's country, else the number's own.
        pub country: Option<CountryCode>,
        /// Twilio's kind of line.
        pub line_type: Option<&'static str>,
        /// The carrier's codes.
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
        /// Twilio's own id of the request, for its support.
        pub twilio_request_id: Option<SafeId>,
        /// Twilio's error code.
        pub twilio_code: Option<u32>,
        /// HTTP status of Twilio's answer.
        pub twilio_status: Option<u16>,
        /// What an admin can do about it.
        pub advice: Option<&'static str>,
        /// What `REPLACE_PENDING` did before the send: `canceled`, `nothing_pending` or `failed`.
        pub replaced: Option<&'static str>,
        /// Why the pending verification could not be cancelled; the send went on.
        pub replace_failure: Option<Reason>,
        /// Whether it is one of Okta's previews.
        pub preview: bool,
        /// How many requests to Verify were made.
        pub attempts: u32,
        /// Since the request reached the gateway.
        pub duration_ms: u64,
        /// Of these, waiting for Lookup.
        pub lookup_ms: Option<u64>,
        /// Of these, waiting for Verify.
        pub verify_ms: u64,
    }
}

log_record! {
    /// What is known of the feedback for one event.
    #[derive(Clone, Debug)]
    pub struct FeedbackRecord {
        /// Outcome in one word.
        pub reason: Reason,
        /// Okta's id of the event.
        pub event_uuid: Option<SafeId>,
        /// Okta's user id.
        pub user_id: Option<SafeId>,
        /// `authentication` or `enrollment`.
        pub kind: Option<&'static str>,
        /// `sms`, `call` or `either`.
        pub channel: Option<&'static str>,
        /// Since Okta published the event.
        pub age_seconds: Option<i64>,
        /// Country and last two digits of the number that the verification was found by.
        pub phone: Option<MaskedPhone>,
        /// How many numbers were tried.
        pub numbers: u32,
        /// What told the verification: `sends`, `factors` or `profile`.
        pub source: Option<&'static str>,
        /// How the sends table failed, if it did.
        pub table_failure: Option<Reason>,
        /// From Okta's event to Twilio's approval.
        pub delay_ms: Option<u64>,
        /// The `VE…` sid.
        pub verification_sid: Option<SafeId>,
        /// Twilio's own id of the request that failed, for its support.
        pub twilio_request_id: Option<SafeId>,
        /// Twilio's error code.
        pub twilio_code: Option<u32>,
        /// HTTP status of Twilio's refusal.
        pub twilio_status: Option<u16>,
        /// What an admin can do about it.
        pub advice: Option<&'static str>,
        /// Whether a failure may pass without anybody's help.
        pub transient: bool,
        /// How often the queue has handed the message over.
        pub receive_count: Option<u32>,
        /// The queue's id of a message that says nothing else.
        pub message_id: Option<SafeId>,
        /// For this event.
        pub duration_ms: u64,
    }
}

impl FeedbackRecord {
    /// Nothing but the event's id and what became of it.
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
    /// How Lookup failed, or one of its packages.
    #[derive(Clone, Debug)]
    pub struct LookupFailure {
        /// What happened.
        pub reason: Reason,
        /// The package without data; none: there is no answer at all.
        pub package: Option<&'static str>,
        /// Twilio's error code.
        pub twilio_code: Option<u32>,
        /// HTTP status of Twilio's answer.
        pub twilio_status: Option<u16>,
        /// Twilio's own id of the request.
        pub twilio_request_id: Option<SafeId>,
        /// What an admin can do about it.
        pub advice: Option<&'static str>,
    }
}

impl LookupFailure {
    /// There is no answer.
    pub fn of(reason: Reason) -> Self {
        Self { reason, package: None, twilio_code: None, twilio_status: None, twilio_request_id: None, advice: None }
    }

    /// A package has no data.
    pub fn of_package(package: &'static str, twilio_code: Option<u32>, advice: Option<&'static str>) -> Self {
        Self { package: Some(package), twilio_code, advice, ..Self::of(Reason::NoData) }
    }
}
