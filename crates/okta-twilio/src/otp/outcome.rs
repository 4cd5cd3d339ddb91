//! What became of a code, and why it was not sent.

use crate::{
    id::SafeId,
    okta::telephony::{PHONE_NUMBER, Verdict},
    reason::Reason,
    twilio::{
        client::{Refusal, TwilioError, reason_of_no_response},
        verify::Verification,
    },
};

/// What became of a code.
#[derive(Debug)]
pub enum SendOutcome {
    /// Twilio accepted it.
    Sent(Verification),
    /// The policy decided against sending it, or Twilio's protection did and is to be answered like the policy.
    Refused {
        /// Why.
        failure: SendFailure,
        /// Whether Okta is told that it was sent, so that Okta does not send it either (`DENY_RESPONSE=swallow`).
        suppressed: bool,
    },
    /// It could not be sent.
    Failed(SendFailure),
}

/// Why a code was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFailure {
    /// In one word.
    pub reason: Reason,
    /// Path of the field at fault, where one is.
    pub location: Option<&'static str>,
    /// Twilio's code, if it answered with one.
    pub twilio_code: Option<u32>,
    /// Status of Twilio's answer.
    pub twilio_status: Option<u16>,
    /// Twilio's id of the request.
    pub twilio_request_id: Option<SafeId>,
    /// What an admin can do about it.
    pub advice: Option<&'static str>,
}

impl SendOutcome {
    /// The word in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sent(_) => "sent",
            Self::Refused { suppressed: true, .. } => "swallowed",
            Self::Refused { suppressed: false, .. } => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// What Okta is told.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Sent(Verification { sid, attempt_sid, .. }) => {
                Verdict::Sent { verification_sid: sid.clone(), attempt_sid: attempt_sid.clone() }
            }
            Self::Refused { suppressed: true, .. } => Verdict::Suppressed,
            Self::Refused { failure, .. } | Self::Failed(failure) => Verdict::NotSent { location: failure.location },
        }
    }
}

impl SendFailure {
    /// Without Twilio, and without a field at fault.
    pub(super) fn new(reason: Reason) -> Self {
        let (twilio_code, twilio_status, twilio_request_id) = (None, None, None);
        Self { reason, location: None, twilio_code, twilio_status, twilio_request_id, advice: None }
    }

    /// Without Twilio; the field at `location` is at fault.
    pub(super) fn at(location: &'static str, reason: Reason) -> Self {
        Self { location: Some(location), ..Self::new(reason) }
    }

    /// What a failed call to Verify means.
    pub(super) fn of(error: &TwilioError) -> Self {
        match error {
            TwilioError::Refused(refusal) => Self::of_refusal(refusal),
            TwilioError::NoResponse(error) => Self::new(reason_of_no_response(*error)),
            TwilioError::Unreadable => Self::new(Reason::TwilioFailed),
            TwilioError::NoCredentials(_) => Self {
                advice: Some("See secret_refresh_failed: check HOOKS_SECRET_ID and the function's role."),
                ..Self::new(Reason::SecretUnavailable)
            },
        }
    }

    /// What Twilio's no means.
    pub(super) fn of_refusal(refusal: &Refusal) -> Self {
        let code = refusal.error_code();
        let reason = if refusal.reached_rate_limit { Reason::RateLimited } else { code.reason };
        let is_numbers_own = matches!(
            reason,
            Reason::PhoneNumberInvalid | Reason::Landline | Reason::Unreachable | Reason::Unsubscribed
        );
        Self {
            reason,
            location: is_numbers_own.then_some(PHONE_NUMBER),
            twilio_code: refusal.code,
            twilio_status: Some(refusal.status),
            twilio_request_id: refusal.request_id.clone(),
            advice: Some(code.advice),
        }
    }
}
