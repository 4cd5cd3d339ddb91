//! One authorized call to Twilio: the credentials, the retry after 401, and the meaning of errors.
//!
//! Verify and Lookup share this client. Twilio's error message can quote the phone number, so it is parsed here and
//! never stored.

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

/// A client for Twilio's APIs, on the shared HTTP client.
#[derive(Clone)]
pub struct TwilioClient {
    http: reqwest::Client,
    hooks_secret: Arc<Cached<HooksSecret>>,
}

/// How to make a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallOptions {
    /// When the last response must have arrived.
    pub(super) deadline: Deadline,
    /// A second call with newer credentials is made only if this much time is left.
    pub(super) min_remaining: Duration,
    /// Whether the call is safe to repeat. If so, it is repeated after a lost connection.
    pub(super) repeatable: bool,
}

/// Why a call to Twilio failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwilioError {
    /// Twilio refused the request.
    #[error("Twilio responded with {}", .0.status)]
    Refused(Refusal),
    /// The response reports success but cannot be parsed.
    #[error("Twilio's response cannot be parsed")]
    Unreadable,
    /// There was no response.
    #[error(transparent)]
    NoResponse(#[from] CallError),
    /// There were no credentials, so nothing was sent.
    #[error("the hooks secret cannot be used: {0}")]
    NoCredentials(#[from] SecretError),
}

impl From<Refusal> for TwilioError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The reason code of a call without a response.
pub fn reason_of_no_response(error: CallError) -> Reason {
    match error {
        CallError::NotConnected => Reason::TwilioUnreachable,
        CallError::TimedOut => Reason::TwilioTimeout,
        CallError::Interrupted => Reason::TwilioInterrupted,
    }
}

impl TwilioClient {
    /// Creates a client that uses the credentials of the hooks secret.
    pub fn new(http: reqwest::Client, hooks_secret: Arc<Cached<HooksSecret>>) -> Self {
        Self { http, hooks_secret }
    }

    /// Makes a call. `request` builds the request for each try, with the secret that authorizes it.
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

/// A refusal by Twilio. It does not include Twilio's message, which can contain the phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Twilio's error code, if the body is Twilio's.
    pub code: Option<u32>,
    /// The invalid parameter, if Twilio names one.
    pub parameter: Option<Parameter>,
    /// The response has the header `Twilio-Reached-Rate-Limit`: a rate limit of the service, which does not clear
    /// quickly.
    pub reached_rate_limit: bool,
    /// The wait that Twilio requested.
    pub retry_after: Option<Duration>,
    /// Twilio's id of the request.
    pub request_id: Option<SafeId>,
}

impl Refusal {
    /// The entry of the code table.
    pub fn error_code(&self) -> ErrorCode {
        match (self.code, self.parameter) {
            (Some(60200), Some(Parameter::Other | Parameter::Locale)) => ErrorCode::OTHER_PARAMETER,
            _ => ErrorCode::of(self.code, self.status),
        }
    }

    /// Parses an error response. Its body can be anything, so each field is read separately.
    pub(super) fn of(response: &HttpResponse) -> Self {
        let body = body_of(response);
        Self {
            status: response.status.as_u16(),
            code: body.get("code").and_then(code_of),
            parameter: text(&body, "message").and_then(Parameter::named_in),
            reached_rate_limit: response.headers.contains_key("twilio-reached-rate-limit"),
            // In seconds. Twilio does not use the date form that HTTP also allows.
            retry_after: response
                .header("retry-after")
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
            request_id: request_id_of(response),
        }
    }
}

/// The parameters that need different handling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// The phone number.
    To,
    /// The language.
    Locale,
    /// Any other parameter.
    Other,
}

impl Parameter {
    /// Parses Twilio's message, such as ``Invalid parameter `To`: …`` or `Invalid parameter: Locale`.
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

/// The body as JSON. Null if it is not JSON.
pub(super) fn body_of(response: &HttpResponse) -> Value {
    response.json().unwrap_or_default()
}

/// Twilio's id of the request, for Twilio's support.
pub(super) fn request_id_of(response: &HttpResponse) -> Option<SafeId> {
    response.header("twilio-request-id").and_then(SafeId::parse)
}

/// A text field that is not empty.
pub(super) fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// An id, if the field has a valid one.
pub(super) fn id(body: &Value, field: &str) -> Option<SafeId> {
    SafeId::parse(text(body, field)?)
}

/// A Twilio error code. The specification has a number, but at least one package of Lookup uses a text. Twilio's codes
/// have five digits. A longer number could be a phone number or a one-time code, and codes are logged.
pub(super) fn code_of(value: &Value) -> Option<u32> {
    let code: Option<u32> = match value {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_u64().and_then(|code| code.try_into().ok()),
    };
    code.filter(|code| *code < 100_000)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A client that makes no calls.
    pub(in crate::twilio) fn client() -> TwilioClient {
        let secret = Cached::new(Duration::from_secs(1), |_limit| async { Err(SecretError::NotFound) });
        TwilioClient::new(http_client::build(None).unwrap(), secret)
    }

    /// A response from Twilio.
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
    fn a_refusal_does_not_keep_twilios_message() {
        let body = r#"{"code":60200,"message":"Invalid parameter `To`: +12025550123","status":400}"#;
        let refusal = Refusal::of(&response(400, body));
        assert_eq!((refusal.code, refusal.parameter), (Some(60200), Some(Parameter::To)));
        assert!(refusal.request_id.is_some());
        let error = TwilioError::from(refusal);
        assert!(!format!("{error} {error:?}").contains("2025550123"));
        assert_eq!(Refusal::of(&response(502, "<html>")).code, None);
    }

    #[test]
    fn an_odd_field_of_a_refusal_does_not_affect_its_neighbors() {
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
            (r#"{"code":2025550123,"message":"Invalid parameter: To"}"#, None, Some(Parameter::To)),
            (r#"{"code":"867530"}"#, None, None),
            (r#"{"code":99999}"#, Some(99_999), None),
            (r#"[60200,"Invalid parameter: To"]"#, None, None),
            ("null", None, None),
            ("", None, None),
        ] {
            let refusal = Refusal::of(&response(400, body));
            assert_eq!((refusal.status, refusal.code, refusal.parameter), (400, code, parameter), "{body}");
        }
    }
}
