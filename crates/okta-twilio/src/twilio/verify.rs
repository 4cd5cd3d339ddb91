//! Twilio Verify: starts a verification with Okta's code, and reports how it ended.
//!
//! Source: Twilio, Verify v2 API, "Verifications". A start is not idempotent, because each one sends a message. So the
//! caller must know whether the first one could have sent a message. Each field of a response is read separately,
//! because it can be null, missing or malformed.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use url::Url;

use crate::{
    http_client::HttpResponse,
    id::{SafeId, Sid},
    phone::{Channel, Extension, PhoneNumber},
    private::OneTimeCode,
    secrets::{Authorized, HooksSecret},
    telemetry::Log,
    time::deadline::Deadline,
    twilio::client::{CallOptions, Refusal, TwilioClient, TwilioError, body_of, id, request_id_of, text},
};

/// An update takes about 100 to 300 ms. A second one does not start with less time than this.
const MIN_TIME_FOR_UPDATE: Duration = Duration::from_millis(100);

/// Twilio's codes for an update without a pending verification: not found, and an invalid number. A 404 without a code
/// could come from a proxy.
const NOTHING_PENDING: [u32; 2] = [20404, 60200];

/// A verification to start. It has no `Debug`, because the rate limits can hold the number.
#[derive(Clone)]
pub struct NewVerification<'a> {
    /// The recipient.
    pub to: &'a PhoneNumber,
    /// The channel of the message.
    pub channel: Channel,
    /// Okta's code.
    pub code: &'a OneTimeCode,
    /// A locale from [`super::locale::supported`], or one that the admin has configured.
    pub locale: Option<&'a str>,
    /// Only for calls.
    pub extension: Option<&'a Extension>,
    /// `HJ…`. Not for WhatsApp.
    pub template_sid: Option<&'a Sid>,
    /// The service's rate limits with the values of this request, as a JSON object.
    pub rate_limits: Option<&'a str>,
    /// Okta's id of the request. It becomes a tag that Twilio repeats in Verify's events and shows in its logs.
    pub okta_event_id: Option<&'a SafeId>,
}

/// A verification that Twilio accepted. Both sids are missing if the body of the response was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// `VE…`
    pub sid: Option<SafeId>,
    /// `VL…` of the last attempt. The list grows with each message of a verification.
    pub attempt_sid: Option<SafeId>,
    /// Twilio's id of the request.
    pub request_id: Option<SafeId>,
}

/// Which verification to update.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The verification with this sid: `VE…`.
    Sid(&'a SafeId),
    /// The pending verification for a number, on any channel.
    Number(&'a PhoneNumber),
}

/// The result of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Updated {
    /// The verification has the new status.
    Done {
        /// `VE…`, if the response has it.
        sid: Option<SafeId>,
    },
    /// No verification is pending: it was approved before, or it has ended.
    NotPending,
}

/// The result of a start.
#[derive(Debug)]
pub struct StartResult {
    /// The result of the last request.
    pub result: Result<Verification, TwilioError>,
    /// The refusal (401) of older credentials, if there was one. In that case two requests were made.
    pub refused: Option<Refusal>,
}

/// A client for one Verify service.
#[derive(Clone)]
pub struct VerifyClient {
    twilio: TwilioClient,
    base: Url,
}

impl VerifyClient {
    /// Creates a client for the service that the hooks secret names. `base` is an HTTP URL.
    pub fn new(twilio: TwilioClient, base: Url) -> Self {
        Self { twilio, base }
    }

    /// The URL of the service's verifications, followed by `path`, which is empty or begins with a slash.
    fn url(&self, secret: &HooksSecret, path: &str) -> Url {
        let (base, service) = (self.base.path().trim_end_matches('/'), secret.verify_service_sid.as_str());
        let mut url = self.base.clone();
        url.set_path(&format!("{base}/v2/Services/{service}/Verifications{path}"));
        url
    }

    /// Sends a message. A second request with newer credentials after a 401 is made only if `min_remaining` is left.
    pub async fn start(
        &self,
        new: &NewVerification<'_>,
        deadline: Deadline,
        min_remaining: Duration,
        log: &Log,
    ) -> StartResult {
        let send_digits = new.extension.filter(|_| new.channel == Channel::Call).map(Extension::send_digits);
        let template_sid = new.template_sid.filter(|_| new.channel != Channel::WhatsApp).map(Sid::as_str);
        let tags = new.okta_event_id.map(|id| format!(r#"{{"okta_event_id":"{id}"}}"#));
        let mut form =
            vec![("To", new.to.expose()), ("Channel", new.channel.as_str()), ("CustomCode", new.code.expose())];
        let optional = [
            ("Locale", new.locale),
            ("SendDigits", send_digits),
            ("TemplateSid", template_sid),
            ("RateLimits", new.rate_limits),
            ("Tags", tags.as_deref()),
        ];
        form.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let options = CallOptions { deadline, min_remaining, repeatable: false };
        let call = self.twilio.call(options, log, |http, secret| http.post(self.url(secret, "")).form(&form)).await;
        match call {
            Ok(Authorized { response, refused }) => StartResult {
                result: response.map_err(TwilioError::from).and_then(|response| accepted(&response)),
                refused: refused.and_then(Result::ok).as_ref().map(Refusal::of),
            },
            Err(error) => StartResult { result: Err(error.into()), refused: None },
        }
    }

    /// Reports that the user typed the right code. It is safe to repeat: once a verification is approved, it is no
    /// longer pending.
    ///
    /// # Errors
    /// Fails if Twilio refuses or does not respond in time.
    pub async fn approve(&self, target: Target<'_>, deadline: Deadline, log: &Log) -> Result<Updated, TwilioError> {
        self.update("approved", target, deadline, log).await
    }

    /// Cancels the pending verification, so that the next start sends its own code. It is safe to repeat.
    ///
    /// # Errors
    /// Fails if Twilio refuses or does not respond in time.
    pub async fn cancel(&self, target: Target<'_>, deadline: Deadline, log: &Log) -> Result<Updated, TwilioError> {
        self.update("canceled", target, deadline, log).await
    }

    async fn update(
        &self,
        status: &'static str,
        target: Target<'_>,
        deadline: Deadline,
        log: &Log,
    ) -> Result<Updated, TwilioError> {
        let path = match target {
            Target::Sid(sid) => format!("/{sid}"),
            // A plus sign in a path is literal, but not every proxy knows that.
            Target::Number(number) => format!("/{}", number.expose().replace('+', "%2B")),
        };
        let options = CallOptions { deadline, min_remaining: MIN_TIME_FOR_UPDATE, repeatable: true };
        let request = |http: &reqwest::Client, secret: &HooksSecret| {
            http.post(self.url(secret, &path)).form(&[("Status", status)])
        };
        let response = self.twilio.call(options, log, request).await?.response?;
        if response.status == StatusCode::OK {
            return Ok(Updated::Done { sid: id(&body_of(&response), "sid") });
        }
        match Refusal::of(&response) {
            Refusal { code: Some(code), .. } if NOTHING_PENDING.contains(&code) => Ok(Updated::NotPending),
            refusal => Err(refusal.into()),
        }
    }
}

/// Parses the response to a start.
fn accepted(response: &HttpResponse) -> Result<Verification, TwilioError> {
    let body = body_of(response);
    let last_attempt = body.get("send_code_attempts").and_then(Value::as_array).and_then(|attempts| attempts.last());
    let verification = Verification {
        sid: id(&body, "sid"),
        attempt_sid: last_attempt.and_then(|attempt| id(attempt, "attempt_sid")),
        request_id: request_id_of(response),
    };
    // With 201 the message is on its way, even if the body is lost. Another success status could come from a proxy,
    // unless the body has a verification.
    let is_verification = verification.sid.is_some() || text(&body, "status") == Some("pending");
    if response.status == StatusCode::CREATED || (response.status.is_success() && is_verification) {
        Ok(verification)
    } else {
        Err(Refusal::of(response).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::client::tests::response;

    #[test]
    fn the_last_attempt_counts() {
        let body =
            r#"{"sid":"VEa","send_code_attempts":[{"attempt_sid":"VL1"},{"channel":"SMS","attempt_sid":"VL2"}]}"#;
        let verification = accepted(&response(201, body)).unwrap();
        assert_eq!(verification.sid, SafeId::parse("VEa"));
        assert_eq!(verification.attempt_sid, SafeId::parse("VL2"));
        assert!(verification.request_id.is_some());
    }

    #[test]
    fn an_odd_body_does_not_turn_a_sent_message_into_a_failure() {
        for body in ["", "<html>", "{}", "[]", r#"{"sid":null}"#, r#"{"sid":7}"#, r#"{"sid":"+12025550123"}"#] {
            assert_eq!(accepted(&response(201, body)).unwrap().sid, None, "{body}");
        }
        let old = accepted(&response(201, r#"{"sid":"VEa","send_code_attempts":[{"channel_id":"VL1"}]}"#)).unwrap();
        assert_eq!((old.sid, old.attempt_sid), (SafeId::parse("VEa"), None));
    }

    #[test]
    fn an_odd_field_does_not_lose_the_sid() {
        let odd = ["null", "{}", "[]", r#"["x"]"#, "[null]", "[[]]", r#"[{"attempt_sid":7}]"#, "7", "true", r#""VL1""#];
        for attempts in odd {
            let body = format!(r#"{{"status":[],"sid":"VEa","send_code_attempts":{attempts},"channel":{{}}}}"#);
            for status in [200, 201] {
                let verification = accepted(&response(status, &body)).unwrap();
                assert_eq!(verification.sid, SafeId::parse("VEa"), "{status} {attempts}");
                assert_eq!(verification.attempt_sid, None, "{status} {attempts}");
            }
        }
        for sid in ["null", "{}", "7", r#"["VEa"]"#] {
            let body = format!(r#"{{"sid":{sid},"status":"pending","send_code_attempts":[{{"attempt_sid":"VL1"}}]}}"#);
            assert_eq!(accepted(&response(200, &body)).unwrap().attempt_sid, SafeId::parse("VL1"), "{sid}");
        }
    }

    #[test]
    fn another_success_status_is_not_a_verification() {
        for body in ["", "<html>", "{}", r#"{"sid":null}"#, r#"{"status":"ok"}"#] {
            assert!(accepted(&response(200, body)).is_err(), "{body}");
        }
    }
}
