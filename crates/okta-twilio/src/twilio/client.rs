//! One authorised call to Twilio: the credentials, the rule for 401, what a refusal says, what silence means.
//!
//! Verify and Lookup share this client. Twilio's error message can quote the phone number, so it is read here and never
//! kept.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use serde_json::Value;

use crate::{
    http_client::{self, CallError, HttpResponse},
    id::SafeId,
    reason::Reason,
    secrets::{Authorized, Cached, HooksSecret, SecretError},
    telemetry::Log,
    time::deadline::Deadline,
    twilio::ErrorCode,
};

/// A client for all of Twilio, on the shared HTTP client.
#[derive(Clone)]
pub struct TwilioClient {
    http: reqwest::Client,
    hooks_secret: Arc<Cached<HooksSecret>>,
}

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallOptions {
    /// When the last answer must be there.
    pub(super) deadline: Deadline,
    /// The second call, with newer credentials, is made only if this much is left.
    pub(super) min_remaining: Duration,
    /// Whether the call may be carried out twice without harm, so that it is repeated when the connection is lost.
    pub(super) repeatable: bool,
}

/// Why a call to Twilio failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwilioError {
    /// Twilio answered, and the answer is no.
    #[error("Twilio answered {}", .0.status)]
    Refused(Refusal),
    /// The answer says yes but cannot be read.
    #[error("Twilio's answer cannot be read")]
    Unreadable,
    /// There was no answer.
    #[error(transparent)]
    NoResponse(#[from] CallError),
    /// There are no credentials to call with; nothing was sent.
    #[error("the hooks secret cannot be used: {0}")]
    NoCredentials(#[from] SecretError),
}

impl From<Refusal> for TwilioError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The stable code of a call that got no answer.
pub fn reason_of_no_response(error: CallError) -> Reason {
    match error {
        CallError::NotConnected => Reason::TwilioUnreachable,
        CallError::TimedOut => Reason::TwilioTimeout,
        CallError::Interrupted => Reason::TwilioInterrupted,
    }
}

impl TwilioClient {
    /// A client with the credentials of the hooks secret.
    pub fn new(http: reqwest::Client, hooks_secret: Arc<Cached<HooksSecret>>) -> Self {
        Self { http, hooks_secret }
    }

    /// Makes a call: `request` is built for each try, with the secret that authorises it.
    pub(super) async fn call(
        &self,
        options: CallOptions,
        log: &Log,
        request: impl Fn(&reqwest::Client, &HooksSecret) -> reqwest::RequestBuilder,
    ) -> Result<Authorized<Result<HttpResponse, CallError>>, SecretError> {
        let CallOptions { deadline, min_remaining, repeatable } = options;
        let call = async |secret: &Arc<HooksSecret>| {
            let request = secret.twilio.authenticate(request(&self.http, secret));
            let timeout = deadline.remaining();
            if repeatable {
                http_client::call_repeatable(request, timeout).await
            } else {
                http_client::call(request, timeout).await
            }
        };
        let is_refused = |response: &Result<HttpResponse, CallError>| matches!(response, Ok(response) if response.status == StatusCode::UNAUTHORIZED);
        self.hooks_secret.authorize((&deadline, min_remaining), log, is_refused, call).await
    }
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

impl Refusal {
    /// What the table says of it.
    pub fn error_code(&self) -> ErrorCode {
        match (self.code, self.parameter) {
            (Some(60200), Some(Parameter::Other | Parameter::Locale)) => ErrorCode::OTHER_PARAMETER,
            _ => ErrorCode::of(self.code, self.status),
        }
    }

    /// Reads an answer that is no success. Its body may be anything: each field is read by itself.
    pub(super) fn of(response: &HttpResponse) -> Self {
        let body = body_of(response);
        Self {
            status: response.status.as_u16(),
            code: body.get("code").and_then(code_of),
            parameter: text(&body, "message").and_then(Parameter::named_in),
            reached_rate_limit: response.headers.contains_key("twilio-reached-rate-limit"),
            // Seconds; the other form that HTTP allows, a date, is not used by Twilio.
            retry_after: response
                .header("retry-after")
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
            request_id: request_id_of(response),
        }
    }
}

/// A parameter of a call, as far as it matters which.
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

/// The body as JSON; null where it is none.
pub(super) fn body_of(response: &HttpResponse) -> Value {
    response.json().unwrap_or_default()
}

/// Twilio's id of the request, for its support.
pub(super) fn request_id_of(response: &HttpResponse) -> Option<SafeId> {
    response.header("twilio-request-id").and_then(SafeId::parse)
}

/// A field that is a text, and not an empty one.
pub(super) fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// An id, where the field holds one.
pub(super) fn id(body: &Value, field: &str) -> Option<SafeId> {
    SafeId::parse(text(body, field)?)
}

/// One of Twilio's error codes: a number by the specification, a text in at least one package of Lookup.
pub(super) fn code_of(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_u64().and_then(|code| code.try_into().ok()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A client that is never used to call.
    pub(in crate::twilio) fn client() -> TwilioClient {
        let secret = Cached::new(Duration::from_secs(1), |_limit| async { Err(SecretError::NotFound) });
        TwilioClient::new(http_client::build(None).unwrap(), secret)
    }

    /// An answer of Twilio's.
    pub(in crate::twilio) fn response(status: u16, body: &str) -> HttpResponse {
        let mut headers = http::HeaderMap::new();
        headers.insert("twilio-request-id", "RQaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        HttpResponse { status, headers, body: Some(body.to_owned().into()) }
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
        let refusal = Refusal::of(&response(400, body));
        assert_eq!((refusal.code, refusal.parameter), (Some(60200), Some(Parameter::To)));
        assert!(refusal.request_id.is_some());
        let error = TwilioError::from(refusal);
        assert!(!format!("{error} {error:?}").contains("2025550123"));
        assert_eq!(Refusal::of(&response(502, "<html>")).code, None);
    }

    #[test]
    fn an_odd_field_of_a_refusal_does_not_lose_its_neighbours() {
        for (body, code, parameter) in [
            (r#"{"code":60200,"message":null}"#, Some(60200), None),
            (r#"{"code":60200,"message":{"text":"Invalid parameter: To"}}"#, Some(60200), None),
            (r#"{"code":60200,"message":["x"],"status":"400","more_info":7}"#, Some(60200), None),
            (r#"{"code":"60200","message":"Invalid parameter: Locale"}"#, Some(60200), Some(Parameter::Locale)),
            (r#"{"code":null,"message":"Invalid parameter: To"}"#, None, Some(Parameter::To)),
            (r#"{"code":[60200],"message":"Invalid parameter: To"}"#, None, Some(Parameter::To)),
            (r#"{"code":-1,"message":"Invalid parameter: To"}"#, None, Some(Parameter::To)),
            (r#"{"code":60200.5}"#, None, None),
            (r#"{"code":99999999999}"#, None, None),
            (r#"[60200,"Invalid parameter: To"]"#, None, None),
            ("null", None, None),
            ("", None, None),
        ] {
            let refusal = Refusal::of(&response(400, body));
            assert_eq!((refusal.status, refusal.code, refusal.parameter), (400, code, parameter), "{body}");
        }
    }
}
