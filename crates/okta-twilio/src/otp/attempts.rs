//! The requests to Verify for one code, and the retry rule.
//!
//! Nothing is sent twice. A request is repeated only if the previous one provably sent nothing, once for each kind of
//! retry, and only while the budget leaves time for a response. A 401 is not handled here, because every call to Twilio
//! handles it: see [`Cached::authorize`](crate::secrets::Cached::authorize).

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    http_client::CallError,
    okta::telephony::OtpRequest,
    otp::{config::SendConfig, outcome::SendFailure},
    phone::{Channel, PhoneNumber, Region},
    telemetry::{Log, LogEvent},
    time::deadline::Deadline,
    twilio::{
        Retry,
        client::{Parameter, Refusal, TwilioError},
        verify::{NewVerification, StartResult, Verification, VerifyClient},
    },
};

/// A retry starts only if this much time is left. Verify's responses take about 200 to 400 ms.
const MIN_TIME_FOR_ATTEMPT: Duration = Duration::from_millis(500);

/// The first request starts only if this much time is left. A message that is sent after Okta has given up is one too
/// many.
pub(super) const MIN_TIME_FOR_FIRST_ATTEMPT: Duration = Duration::from_millis(250);

/// Pause before a retry, if a throttled or unavailable service does not request one.
const PAUSE: Duration = Duration::from_millis(150);

/// Maximum number of requests to Verify for one code: the first one and one for each kind of retry.
const MAX_ATTEMPTS: u32 = 6;

/// The result of the requests for one code.
pub(super) struct Attempted {
    /// The channel of the last request.
    pub(super) channel: Channel,
    /// The number of requests.
    pub(super) requests: u32,
    /// The time spent on Verify, for all requests.
    pub(super) latency: Duration,
    /// The result of the last request.
    pub(super) result: Result<Verification, SendFailure>,
}

/// The requests to Verify for one code.
pub(super) struct Attempts<'a> {
    pub(super) config: &'a SendConfig,
    pub(super) verify: &'a VerifyClient,
    pub(super) request: &'a OtpRequest,
    pub(super) to: &'a PhoneNumber,
    /// The region of the number.
    pub(super) region: Region,
    /// Whether a message that WhatsApp cannot deliver can be sent as SMS.
    pub(super) may_fall_back_to_sms: bool,
    pub(super) deadline: &'a Deadline,
    pub(super) log: &'a Log,
}

impl Attempts<'_> {
    /// Sends the code by `channel`, and repeats it if the retry rule allows that.
    pub(super) async fn run(&self, mut channel: Channel) -> Attempted {
        let rate_limits = self.config.rate_limits(self.request, self.to);
        let (mut with_locale, mut done) = (true, Vec::new());
        let (mut requests, mut latency) = (0, Duration::ZERO);
        loop {
            let locale = self.config.locale(self.request, self.region, channel).filter(|_| with_locale);
            let started = Instant::now();
            let StartResult { result, refused } = self.start(channel, locale, rate_limits.as_deref()).await;
            latency += started.elapsed();
            requests += 1;
            if let Some(refusal) = refused {
                requests += 1;
                self.note_retry(&SendFailure::of_refusal(&refusal));
            }
            let error = match result {
                Ok(verification) => return Attempted { channel, requests, latency, result: Ok(verification) },
                Err(error) => error,
            };
            let failure = SendFailure::of(&error);
            let retry = retry_kind(&error, channel, locale.is_some())
                .filter(|kind| !done.contains(kind) && requests < MAX_ATTEMPTS)
                .filter(|kind| *kind != RetryKind::AsSms || self.may_fall_back_to_sms)
                .map(|kind| (kind, pause_before(kind, &error)))
                .filter(|(_, pause)| self.deadline.remaining() >= *pause + MIN_TIME_FOR_ATTEMPT);
            let Some((kind, pause)) = retry else {
                return Attempted { channel, requests, latency, result: Err(failure) };
            };
            done.push(kind);
            self.note_retry(&failure);
            match kind {
                RetryKind::Connect => {}
                RetryKind::AfterAMoment => tokio::time::sleep(pause).await,
                RetryKind::WithoutLocale => with_locale = false,
                RetryKind::AsSms => channel = Channel::Sms,
            }
        }
    }

    async fn start(&self, channel: Channel, locale: Option<&str>, rate_limits: Option<&str>) -> StartResult {
        let new = NewVerification {
            to: self.to,
            channel,
            code: &self.request.code,
            locale,
            extension: self.request.extension.as_ref().ok().and_then(Option::as_ref),
            template_sid: self.config.template(self.region),
            rate_limits,
            okta_event_id: self.request.event_id.as_ref(),
        };
        self.verify.start(&new, *self.deadline, MIN_TIME_FOR_ATTEMPT, self.log).await
    }

    fn note_retry(&self, failure: &SendFailure) {
        self.log.emit(&LogEvent::OtpRetried { reason: failure.reason, twilio_code: failure.twilio_code });
    }
}

/// The kinds of retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RetryKind {
    /// On a new connection.
    Connect,
    /// After a pause.
    AfterAMoment,
    /// Without `Locale`.
    WithoutLocale,
    /// As SMS instead of WhatsApp.
    AsSms,
}

/// The retry rule: how the request can be repeated, or `None`.
fn retry_kind(error: &TwilioError, channel: Channel, had_locale: bool) -> Option<RetryKind> {
    let refusal = match error {
        TwilioError::NoResponse(CallError::NotConnected) => return Some(RetryKind::Connect),
        // Either the message is on its way, or nothing was sent and there are no credentials for a retry.
        TwilioError::NoResponse(CallError::TimedOut | CallError::Interrupted)
        | TwilioError::Unreadable
        | TwilioError::NoCredentials(_) => return None,
        TwilioError::Refused(refusal) => refusal,
    };
    // The client has already tried newer credentials.
    if refusal.status == 401 {
        return None;
    }
    // Of the server errors, only a 503 allows a retry, whatever its body says.
    if refusal.status >= 500 && refusal.status != 503 {
        return None;
    }
    // Twilio documents 404 for an unsupported language, but may respond with 400 and 60200.
    if had_locale && (refusal.parameter == Some(Parameter::Locale) || refusal.status == 404) {
        return Some(RetryKind::WithoutLocale);
    }
    match refusal.error_code().retry {
        Retry::Never => None,
        Retry::AfterAMoment => {
            let was_not_processed = matches!(refusal.status, 429 | 503) && !refusal.reached_rate_limit;
            was_not_processed.then_some(RetryKind::AfterAMoment)
        }
        Retry::WithoutLocale => had_locale.then_some(RetryKind::WithoutLocale),
        Retry::AsSms => (channel == Channel::WhatsApp).then_some(RetryKind::AsSms),
    }
}

fn pause_before(kind: RetryKind, error: &TwilioError) -> Duration {
    match (kind, error) {
        (RetryKind::AfterAMoment, TwilioError::Refused(Refusal { retry_after: Some(pause), .. })) => *pause,
        (RetryKind::AfterAMoment, _) => PAUSE,
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SecretError;

    fn refusal(status: u16, code: u32) -> Refusal {
        let (code, parameter, retry_after, request_id) = (Some(code), None, None, None);
        Refusal { status, code, parameter, reached_rate_limit: false, retry_after, request_id }
    }

    #[test]
    fn repeats_a_request_only_if_it_sent_nothing() {
        let limited = Refusal { reached_rate_limit: true, ..refusal(429, 20429) };
        let locale = Refusal { parameter: Some(Parameter::Locale), ..refusal(400, 60200) };
        let cases = [
            (TwilioError::NoResponse(CallError::NotConnected), Some(RetryKind::Connect)),
            (TwilioError::NoResponse(CallError::TimedOut), None),
            (TwilioError::NoResponse(CallError::Interrupted), None),
            (refusal(429, 20429).into(), Some(RetryKind::AfterAMoment)),
            (limited.into(), None),
            (refusal(429, 60203).into(), None),
            (refusal(429, 60212).into(), None),
            (refusal(503, 20503).into(), Some(RetryKind::AfterAMoment)),
            (refusal(500, 20500).into(), None),
            (refusal(502, 0).into(), None),
            (refusal(500, 20429).into(), None),
            (refusal(502, 60223).into(), None),
            (refusal(400, 20429).into(), None),
            (refusal(400, 60200).into(), None),
            (locale.into(), Some(RetryKind::WithoutLocale)),
            (refusal(400, 60331).into(), Some(RetryKind::WithoutLocale)),
            (refusal(404, 20404).into(), Some(RetryKind::WithoutLocale)),
            (refusal(400, 68008).into(), Some(RetryKind::AsSms)),
            (refusal(401, 20003).into(), None),
            (TwilioError::NoCredentials(SecretError::Unreachable), None),
            (refusal(403, 60605).into(), None),
        ];
        for (error, expected) in cases {
            assert_eq!(retry_kind(&error, Channel::WhatsApp, true), expected, "{error:?}");
        }
        assert_eq!(retry_kind(&refusal(400, 68008).into(), Channel::Sms, true), None);
        assert_eq!(retry_kind(&refusal(404, 20404).into(), Channel::Sms, false), None);
    }
}
