//! Twilio Verify: start a verification with Okta's code, and tell how it ended.
//!
//! Source: Twilio, Verify v2 API, "Verifications". Two rules shape this client. A start is no idempotent request: it
//! sends a message each time, so the caller must know whether the first one could have. And Twilio's error message can
//! quote the phone number, so it is looked at here and never kept.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::{
    http_client::{self, Answer, CallError},
    id::SafeId,
    phone::{Extension, PhoneNumber},
    private::OneTimeCode,
    reason::Reason,
    twilio::credentials::TwilioCredentials,
};

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

/// A verification to start.
#[derive(Clone, Debug)]
pub struct NewVerification<'a> {
    /// Whom to reach.
    pub to: &'a PhoneNumber,
    /// How.
    pub channel: Channel,
    /// Okta's code.
    pub code: &'a OneTimeCode,
    /// One of [`super::locale::supported`], or one that the admin has set.
    pub locale: Option<&'a str>,
    /// For calls.
    pub extension: Option<&'a Extension>,
    /// `HJ…`; not for WhatsApp.
    pub template_sid: Option<&'a str>,
    /// The service's rate limits with this request's values, as a JSON object.
    pub rate_limits: Option<&'a str>,
}

/// A verification that Twilio has accepted. Both sids are missing if the answer's body was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// `VE…`
    pub sid: Option<SafeId>,
    /// `VL…` of the last attempt: the list grows with each message of one verification.
    pub attempt_sid: Option<SafeId>,
    /// Twilio's id of the request.
    pub request_id: Option<SafeId>,
}

/// Which verification is meant.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The very one: `VE…`.
    Sid(&'a SafeId),
    /// The one that is pending for a number, whatever its channel.
    Number(&'a PhoneNumber),
}

/// What came of feedback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// The verification is approved now.
    Approved {
        /// `VE…`, if Twilio tells.
        sid: Option<SafeId>,
    },
    /// There is none that is pending: it is approved already, or has ended.
    NotPending,
}

/// How a request to Verify failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Twilio answered, and the answer is no.
    #[error("Twilio answered {}", .0.status)]
    Refused(Refusal),
    /// There was no answer.
    #[error(transparent)]
    NoAnswer(#[from] CallError),
}

/// Twilio's no. Without its message, which can hold the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Twilio's error code, if the body was Twilio's.
    pub code: Option<u32>,
    /// The parameter that Twilio objects to, if it names one.
    pub parameter: Option<Parameter>,
    /// The header `Twilio-Reached-Rate-Limit` is there: a rate limit of the service, which will not clear in a moment.
    pub reached_rate_limit: bool,
    /// How long Twilio asks to wait.
    pub retry_after: Option<Duration>,
    /// Twilio's id of the request.
    pub request_id: Option<SafeId>,
}

/// A parameter of a start, as far as it matters which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// The number.
    To,
    /// The language.
    Locale,
    /// Any other.
    Other,
}

impl Parameter {
    /// From Twilio's message, such as ``Invalid parameter `To`: …`` or `Invalid parameter: Locale`.
    fn named_in(message: &str) -> Option<Self> {
        let name = message.split_once("arameter")?.1;
        let name = name.trim_start_matches(|character: char| !character.is_ascii_alphabetic());
        let end = name.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(name.len());
        match name.get(..end)? {
            "" => None,
            "To" => Some(Self::To),
            "Locale" => Some(Self::Locale),
            _ => Some(Self::Other),
        }
    }
}

/// A client for one Verify service.
#[derive(Clone, Debug)]
pub struct VerifyClient {
    http: reqwest::Client,
    base: Url,
    verifications: Url,
}

impl VerifyClient {
    /// A client on the shared HTTP client. `service_sid` is `VA…`; `base` is an HTTP URL.
    pub fn new(http: reqwest::Client, base: Url, service_sid: &str) -> Self {
        let mut verifications = base.clone();
        verifications
            .set_path(&format!("{}/v2/Services/{service_sid}/Verifications", base.path().trim_end_matches('/')));
        Self { http, base, verifications }
    }

    /// Opens the connection, so that the first send does not have to. What is answered does not matter.
    ///
    /// # Errors
    /// If there is no connection in time.
    pub async fn connect(&self, timeout: Duration) -> Result<(), CallError> {
        http_client::call(self.http.head(self.base.clone()), timeout).await.map(|_answer| ())
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If Twilio refuses, or does not answer within `timeout`.
    pub async fn start(
        &self,
        credentials: &TwilioCredentials,
        new: &NewVerification<'_>,
        timeout: Duration,
    ) -> Result<Verification, VerifyError> {
        let send_digits = new.extension.filter(|_| new.channel == Channel::Call).map(Extension::send_digits);
        let template_sid = new.template_sid.filter(|_| new.channel != Channel::WhatsApp);
        let mut form = vec![
            ("To", new.to.on_the_wire()),
            ("Channel", new.channel.as_str()),
            ("CustomCode", new.code.on_the_wire()),
        ];
        let optional = [
            ("Locale", new.locale),
            ("SendDigits", send_digits.as_deref()),
            ("TemplateSid", template_sid),
            ("RateLimits", new.rate_limits),
        ];
        form.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let request = credentials.authenticate(self.http.post(self.verifications.clone())).form(&form);
        let answer = http_client::call(request, timeout).await?;
        let verification = accepted(&answer);
        // Created: the message is on its way, whatever became of the body. Another success could be a proxy's page, unless it
        // has a verification in it.
        let is_accepted =
            answer.status == http::StatusCode::CREATED || (answer.status.is_success() && verification.sid.is_some());
        if is_accepted { Ok(verification) } else { Err(refused(&answer).into()) }
    }

    /// Tells Twilio that the user typed the right code. It may be told again: a verification is approved once, and then
    /// no longer pending. So a lost connection is made good here.
    ///
    /// # Errors
    /// If Twilio refuses, or does not answer within `timeout`.
    pub async fn approve(
        &self,
        credentials: &TwilioCredentials,
        target: Target<'_>,
        timeout: Duration,
    ) -> Result<Approval, VerifyError> {
        let name = match target {
            Target::Sid(sid) => sid.to_string(),
            // A plus sign in a path stands for itself, but not every proxy knows.
            Target::Number(number) => number.on_the_wire().replace('+', "%2B"),
        };
        let request = self.http.post(format!("{}/{name}", self.verifications));
        let request = credentials.authenticate(request).form(&[("Status", "approved")]);
        let answer = http_client::call_repeatable(request, timeout).await?;
        match answer.status {
            http::StatusCode::OK => Ok(Approval::Approved { sid: accepted(&answer).sid }),
            _ => match refused(&answer) {
                // Twilio's own 404: a proxy's would lose feedback. And what Twilio takes for no number has no verification.
                Refusal { code: Some(20404 | 60200), .. } => Ok(Approval::NotPending),
                refusal => Err(refusal.into()),
            },
        }
    }
}

/// The stable code of a call to Twilio that got no answer.
pub fn reason_of_silence(error: CallError) -> Reason {
    match error {
        CallError::NotConnected => Reason::TwilioUnreachable,
        CallError::TimedOut => Reason::TwilioTimeout,
        CallError::Interrupted => Reason::TwilioInterrupted,
    }
}

impl From<Refusal> for VerifyError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[derive(Deserialize)]
struct VerificationBody {
    sid: Option<String>,
    #[serde(default)]
    send_code_attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    attempt_sid: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: Option<u32>,
    message: Option<String>,
}

fn accepted(answer: &Answer) -> Verification {
    let request_id = request_id(answer);
    match answer.json::<VerificationBody>() {
        Some(body) => Verification {
            sid: body.sid.as_deref().and_then(SafeId::parse),
            attempt_sid: body.send_code_attempts.last().and_then(|last| SafeId::parse(last.attempt_sid.as_deref()?)),
            request_id,
        },
        None => Verification { request_id, ..Verification::default() },
    }
}

fn refused(answer: &Answer) -> Refusal {
    let body = answer.json::<ErrorBody>();
    let message = body.as_ref().and_then(|body| body.message.as_deref()).unwrap_or_default();
    Refusal {
        status: answer.status.as_u16(),
        parameter: Parameter::named_in(message),
        code: body.and_then(|body| body.code),
        reached_rate_limit: answer.headers.contains_key("twilio-reached-rate-limit"),
        // Seconds; the other form that HTTP allows, a date, is not used by Twilio.
        retry_after: answer.header("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs),
        request_id: request_id(answer),
    }
}

fn request_id(answer: &Answer) -> Option<SafeId> {
    answer.header("twilio-request-id").and_then(SafeId::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let mut headers = http::HeaderMap::new();
        headers.insert("twilio-request-id", "RQaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap());
        let status = http::StatusCode::from_u16(status).unwrap();
        Answer { status, headers, body: Some(body.to_owned().into()) }
    }

    #[test]
    fn the_last_attempt_counts() {
        let body =
            r#"{"sid":"VEa","send_code_attempts":[{"attempt_sid":"VL1"},{"channel":"SMS","attempt_sid":"VL2"}]}"#;
        let verification = accepted(&answer(201, body));
        assert_eq!(verification.sid, SafeId::parse("VEa"));
        assert_eq!(verification.attempt_sid, SafeId::parse("VL2"));
        assert!(verification.request_id.is_some());
    }

    #[test]
    fn an_odd_body_does_not_unsend_a_message() {
        for body in ["", "<html>", "{}", "[]", r#"{"sid":null}"#, r#"{"sid":7}"#, r#"{"sid":"+12025550123"}"#] {
            assert_eq!(accepted(&answer(201, body)).sid, None, "{body}");
        }
        let old = accepted(&answer(201, r#"{"sid":"VEa","send_code_attempts":[{"channel_id":"VL1"}]}"#));
        assert_eq!((old.sid, old.attempt_sid), (SafeId::parse("VEa"), None));
    }

    #[test]
    fn knows_the_parameter_that_twilio_names() {
        for (message, parameter) in [
            ("Invalid parameter `To`: +12025550123", Some(Parameter::To)),
            ("Invalid parameter: To", Some(Parameter::To)),
            ("Invalid parameter: Locale", Some(Parameter::Locale)),
            ("Invalid parameter `CustomCode`", Some(Parameter::Other)),
            ("Invalid parameter", None),
            ("Locale", None),
            ("", None),
        ] {
            assert_eq!(Parameter::named_in(message), parameter, "{message}");
        }
    }

    #[test]
    fn a_refusal_keeps_no_message() {
        let body = r#"{"code":60200,"message":"Invalid parameter `To`: +12025550123","status":400}"#;
        let refusal = refused(&answer(400, body));
        assert_eq!((refusal.code, refusal.parameter), (Some(60200), Some(Parameter::To)));
        let error = VerifyError::from(refusal);
        assert!(!format!("{error} {error:?}").contains("2025550123"));
        assert_eq!(refused(&answer(502, "<html>")).code, None);
    }
}
