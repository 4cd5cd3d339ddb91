//! The result of a request to send a code.

use crate::{
    id::SafeId,
    okta::telephony::{PHONE_NUMBER, Verdict},
    reason::Reason,
    twilio::{
        client::{Refusal, TwilioError, reason_of_no_response},
        verify::Verification,
    },
};

/// The result of a request to send a code.
#[derive(Debug)]
pub enum SendOutcome {
    /// Twilio accepted the message.
    Sent(Verification),
    /// The policy refused, or Twilio's protection refused and the response is the same as for the policy.
    Refused {
        /// Why it was refused.
        failure: SendFailure,
        /// Whether the response reports success, so that Okta does not send the code either (`DENY_RESPONSE=swallow`).
        suppressed: bool,
    },
    /// The code could not be sent.
    Failed(SendFailure),
}

/// Why a code was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFailure {
    /// The reason code.
    pub reason: Reason,
    /// Path of the invalid field, if there is one.
    pub location: Option<&'static str>,
    /// Twilio's error code, if it sent one.
    pub twilio_code: Option<u32>,
    /// HTTP status of Twilio's response.
    pub twilio_status: Option<u16>,
    /// Twilio's id of the request.
    pub twilio_request_id: Option<SafeId>,
    /// What an admin can do.
    pub advice: Option<&'static str>,
}

impl SendOutcome {
    /// The name in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sent(_) => "sent",
            Self::Refused { suppressed: true, .. } => "swallowed",
            Self::Refused { suppressed: false, .. } => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// The result for Okta.
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
    /// A failure before any call to Twilio, without an invalid field.
    pub(super) fn new(reason: Reason) -> Self {
        let (twilio_code, twilio_status, twilio_request_id) = (None, None, None);
        Self { reason, location: None, twilio_code, twilio_status, twilio_request_id, advice: None }
    }

    /// A failure before any call to Twilio. The field at `location` is invalid.
    pub(super) fn at(location: &'static str, reason: Reason) -> Self {
        Self { location: Some(location), ..Self::new(reason) }
    }

    /// The meaning of a failed call to Verify.
    pub(super) fn of(error: &TwilioError) -> Self {
        match error {
            TwilioError::Refused(refusal) => Self::of_refusal(refusal),
            TwilioError::NoResponse(error) => Self::new(reason_of_no_response(*error)),
            TwilioError::Unreadable => Self::new(Reason::TwilioFailed),
            TwilioError::NoCredentials(_) => Self {
                advice: Some("See secret_refresh_failed, and check HOOKS_SECRET_ID and the function's role."),
                ..Self::new(Reason::SecretUnavailable)
            },
        }
    }

    /// The meaning of a refusal by Twilio.
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
