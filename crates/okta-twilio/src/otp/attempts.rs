//! The requests to Verify for one code, and the retry rule.
//!
//! Nothing is sent twice: a request is made again only where the one before it provably sent nothing, each kind of retry
//! once, and only while enough of the budget is left for an answer to arrive. A 401 is not handled here: every call to
//! Twilio does that, see [`Cached::authorize`](crate::secrets::Cached::authorise).

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

/// A further request is made only if this much is left: Verify's answers take some 200 to 400 ms.
const MIN_TIME_FOR_ATTEMPT: Duration = Duration::from_millis(500);

/// The first request is made only if this much is left: a message that goes out after Okta has given up is one too many.
pub(super) const MIN_TIME_FOR_FIRST_ATTEMPT: Duration = Duration::from_millis(250);

/// Pause before a request is made again at a throttled or unavailable service that names none.
const PAUSE: Duration = Duration::from_millis(150);

/// Most requests to Verify for one code: the first, and one for each kind of retry at worst.
const MAX_ATTEMPTS: u32 = 6;

/// What the requests for one code came to.
pub(super) struct Attempted {
    /// The channel of the last request.
    pub(super) channel: Channel,
    /// How many requests were made.
    pub(super) requests: u32,
    /// Waiting for Verify, over all of them.
    pub(super) latency: Duration,
    /// What the last one met.
    pub(super) result: Result<Verification, SendFailure>,
}

/// The requests to Verify for one code.
pub(super) struct Attempts<'a> {
    pub(super) config: &'a SendConfig,
    pub(super) verify: &'a VerifyClient,
    pub(super) request: &'a OtpRequest,
    pub(super) to: &'a PhoneNumber,
    /// Where the number belongs.
    pub(super) region: Region,
    /// Whether a message that WhatsApp cannot carry may go as SMS.
    pub(super) may_fall_back_to_sms: bool,
    pub(super) deadline: &'a Deadline,
    pub(super) log: &'a Log,
}

impl Attempts<'_> {
    /// Sends the code by `channel`, and again where the retry rule allows it.
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

/// How a request may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RetryKind {
    /// On a new connection.
    Connect,
    /// After a pause.
    AfterAMoment,
    /// Without `Locale`.
    WithoutLocale,
    /// By SMS in place of WhatsApp.
    AsSms,
}

/// The retry rule: how the request may be made again, if at all.
fn retry_kind(error: &TwilioError, channel: Channel, had_locale: bool) -> Option<RetryKind> {
    let refusal = match error {
        TwilioError::NoResponse(CallError::NotConnected) => return Some(RetryKind::Connect),
        // The message may be on its way; or nothing was sent, and there is nothing to send it with.
        TwilioError::NoResponse(CallError::TimedOut | CallError::Interrupted)
        | TwilioError::Unreadable
        | TwilioError::NoCredentials(_) => return None,
        TwilioError::Refused(refusal) => refusal,
    };
    // The client has tried newer credentials.
    if refusal.status == 401 {
        return None;
    }
    // Whatever the body says: only a 503 asks to be tried again.
    if refusal.status >= 500 && refusal.status != 503 {
        return None;
    }
    // Twilio documents 404 for a language it does not have, and is known to answer 400 with 60200.
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
    fn repeats_only_what_sent_nothing() {
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
