//! Send Okta's code through Twilio Verify.
//!
//! The order is fixed: is the code still good, can the number be dialled, what does policy say, send. Nothing is sent
//! twice: a request is made again only where the first provably sent nothing, and only while enough of the budget is
//! left for an answer to arrive.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    config::{ConfigError, Variables},
    http_client::CallError,
    id::SafeId,
    okta::telephony::{Delivery, OTP_EXPIRES, OtpRequest, PHONE_NUMBER, Verdict},
    otp::{
        number::{KnownNumber, LookupUsage, NumberLookup},
        policy::{self, Decision, DenyResponse, Facts, Policy},
    },
    phone::{DialableNumber, PhoneNumber},
    reason::Reason,
    secrets::{Cached, HooksSecret},
    telemetry::{Log, LogEvent, SendRecord},
    time::{clock::Clock, deadline::Deadline},
    twilio::{
        ErrorCode, Retry,
        locale::{self, supported},
        lookup::{LineType, NumberFacts},
        sid::is_sid,
        verify::{
            Channel, NewVerification, Parameter, Refusal, Verification, VerifyClient, VerifyError, reason_of_silence,
        },
    },
};

/// A further request is made only if this much is left: Verify's answers take some 200 to 400 ms.
const LEAST_TIME_FOR_ATTEMPT: Duration = Duration::from_millis(500);

/// The first request is made only if this much is left: a message that goes out after Okta has given up is one too many.
const LEAST_TIME_FOR_FIRST_ATTEMPT: Duration = Duration::from_millis(250);

/// Pause before a request is made again at a throttled or unavailable service that names none.
const PAUSE: Duration = Duration::from_millis(150);

/// Most requests to Verify for one code: the first, and one for each kind of retry at worst.
const MOST_ATTEMPTS: u32 = 6;

/// How to send.
#[derive(Clone, Debug)]
pub struct SendConfig {
    /// `HOOK_BUDGET_MS` (2600): all of Lookup, Verify and retries.
    pub budget: Duration,
    /// `SMS_CHANNEL` (`sms`): `sms` or `whatsapp`.
    pub sms_channel: Channel,
    /// `VERIFY_LOCALE` (`okta`).
    pub locale: LocaleChoice,
    /// `VERIFY_TEMPLATE_SID` (none): `HJ…`.
    pub template_sid: Option<String>,
    /// `VERIFY_RATE_LIMITS` (none).
    pub rate_limits: Vec<RateLimit>,
}

/// Which language the message has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocaleChoice {
    /// Okta's, mapped to one that Twilio supports for the channel.
    Okta,
    /// Twilio goes by the number's country.
    Auto,
    /// Always this one.
    Fixed(String),
}

/// A rate limit of the Verify service, and what it counts by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    key: String,
    source: RateLimitSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RateLimitSource {
    UserId,
    Phone,
    Ip,
    RequestType,
}

impl SendConfig {
    /// Reads the variables of sending.
    ///
    /// # Errors
    /// At the first variable that cannot be used.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let channel = |value: &str| match value {
            "sms" => Some(Channel::Sms),
            "whatsapp" => Some(Channel::WhatsApp),
            _ => None,
        };
        let budget_help = ("must be a number of milliseconds from 500 to 2900", "2600");
        let template_help = ("must be HJ and 32 hexadecimal digits", "HJ0123456789abcdef0123456789abcdef");
        let rate_limit_help =
            ("must be key=source pairs; source is user_id, phone, ip or request_type", "okta_user=user_id,ip=ip");
        Ok(Self {
            budget: Duration::from_millis(variables.number("HOOK_BUDGET_MS", budget_help, 500..=2_900, 2_600)?),
            sms_channel: variables
                .read("SMS_CHANNEL", ("must be sms or whatsapp", "sms"), channel)?
                .unwrap_or(Channel::Sms),
            locale: variables
                .read("VERIFY_LOCALE", ("must be okta, auto or a locale of Twilio", "okta"), LocaleChoice::parse)?
                .unwrap_or(LocaleChoice::Okta),
            template_sid: variables
                .read("VERIFY_TEMPLATE_SID", template_help, |value| is_sid(value, "HJ").then(|| value.to_owned()))?,
            rate_limits: variables.list("VERIFY_RATE_LIMITS", rate_limit_help, RateLimit::parse)?,
        })
    }
}

impl LocaleChoice {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "okta" => Some(Self::Okta),
            "auto" => Some(Self::Auto),
            fixed => {
                let channels = [Channel::Sms, Channel::Call, Channel::WhatsApp];
                let known = |channel| supported(channel).iter().any(|locale| locale.eq_ignore_ascii_case(fixed));
                channels.into_iter().any(known).then(|| Self::Fixed(fixed.to_owned()))
            }
        }
    }

    /// The locale to send, if any.
    fn of<'a>(&'a self, request: &OtpRequest, channel: Channel) -> Option<&'a str> {
        match self {
            Self::Okta => locale::for_okta(request.locale.as_deref()?, channel),
            Self::Auto => None,
            // One that another channel has may be missing in this one.
            Self::Fixed(fixed) => locale::for_okta(fixed, channel),
        }
    }
}

impl RateLimit {
    fn parse(text: &str) -> Option<Self> {
        let (key, source) = text.split_once('=')?;
        let (key, source) = (key.trim(), source.trim());
        let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let source = match source {
            "user_id" => RateLimitSource::UserId,
            "phone" => RateLimitSource::Phone,
            "ip" => RateLimitSource::Ip,
            "request_type" => RateLimitSource::RequestType,
            _ => return None,
        };
        (!key.is_empty() && key.bytes().all(is_key)).then(|| Self { key: key.to_owned(), source })
    }

    fn value(&self, request: &OtpRequest, to: &PhoneNumber) -> Option<String> {
        match self.source {
            RateLimitSource::UserId => request.user_id.as_ref().map(SafeId::to_string),
            RateLimitSource::Phone => Some(to.on_the_wire().to_owned()),
            RateLimitSource::Ip => request.ip_address.map(|address| address.to_string()),
            RateLimitSource::RequestType => Some(request.request_type.as_str().to_owned()),
        }
    }
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// What Okta is told.
    pub verdict: Verdict,
    /// What is logged, and counted.
    pub record: SendRecord,
    /// Waiting for Verify, over all attempts; `None` if it was not asked.
    pub verify_latency: Option<Duration>,
    /// The request to Lookup; `None` if there was none.
    pub lookup: Option<LookupUsage>,
}

/// Sends codes.
#[derive(Clone)]
pub struct Sender {
    config: SendConfig,
    policy: Policy,
    lookup: Option<NumberLookup>,
    verify: VerifyClient,
    secret: Arc<Cached<HooksSecret>>,
    clock: Clock,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sender").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender for one Verify service. Without `lookup`, Lookup is never asked.
    pub fn new(
        config: SendConfig,
        policy: Policy,
        lookup: Option<NumberLookup>,
        verify: VerifyClient,
        secret: Arc<Cached<HooksSecret>>,
        clock: Clock,
    ) -> Self {
        Self { config, policy, lookup, verify, secret, clock }
    }

    /// All the time there is for one request.
    pub fn budget(&self) -> Duration {
        self.config.budget
    }

    /// Does what the request asks for, within the deadline.
    pub async fn send(
        &self,
        request: &OtpRequest,
        hooks_secret: Arc<HooksSecret>,
        deadline: &Deadline,
        log: &Log,
    ) -> Outcome {
        let mut record = record_of(request, self.channel(request));
        let mut preparation =
            Preparation { sender: self, request, deadline, log, record: &mut record, hooks_secret, lookup: None };
        let prepared = preparation.run().await;
        let Preparation { hooks_secret, lookup, .. } = preparation;
        let mut verify_latency = None;
        let verdict = match prepared {
            Err((reason, verdict)) => {
                record.reason = reason;
                verdict
            }
            Ok((to, channel)) => {
                let mut attempts = Attempts { sender: self, request, to: &to, deadline, log, record: &mut record };
                let (verdict, latency) = attempts.run(channel, hooks_secret).await;
                verify_latency = Some(latency);
                verdict
            }
        };
        record.duration_ms = millis(deadline.elapsed());
        record.lookup_ms = lookup.as_ref().map(|lookup| millis(lookup.latency));
        record.verify_ms = millis(verify_latency.unwrap_or_default());
        Outcome { verdict, record, verify_latency, lookup }
    }

    fn channel(&self, request: &OtpRequest) -> Channel {
        match request.delivery {
            Delivery::Sms => self.config.sms_channel,
            Delivery::Call => Channel::Call,
        }
    }

    fn rate_limits(&self, request: &OtpRequest, to: &PhoneNumber) -> Option<String> {
        let limits = self.config.rate_limits.iter();
        let limits: BTreeMap<_, _> = limits.filter_map(|limit| Some((&limit.key, limit.value(request, to)?))).collect();
        if limits.is_empty() { None } else { serde_json::to_string(&limits).ok() }
    }
}

/// What must be known and decided before anything is sent.
struct Preparation<'a> {
    sender: &'a Sender,
    request: &'a OtpRequest,
    deadline: &'a Deadline,
    log: &'a Log,
    record: &'a mut SendRecord,
    hooks_secret: Arc<HooksSecret>,
    lookup: Option<LookupUsage>,
}

/// Why a code is not sent, and what Okta is told.
type NotSent = (Reason, Verdict);

impl Preparation<'_> {
    /// The number and the channel to send to. What costs nothing is asked first: the time, the number's syntax, its
    /// country. Then Lookup, then the policy once more with what Lookup tells.
    async fn run(&mut self) -> Result<(PhoneNumber, Channel), NotSent> {
        // A preview carries sample dates.
        if !self.request.preview && self.request.expires.is_some_and(|expires| expires <= self.sender.clock.now()) {
            return Err((Reason::CodeExpired, Verdict::NotSent { location: Some(OTP_EXPIRES) }));
        }
        let number = self.request.number.as_ref().map_err(|_phone_error| number_invalid())?;
        match (number, &self.sender.lookup) {
            (DialableNumber::International(to), lookup) => {
                self.note_number(to);
                let channel = self.decide(to, None)?;
                match lookup {
                    None => Ok((to.clone(), channel)),
                    Some(lookup) => self.look_up(lookup, number).await,
                }
            }
            (DialableNumber::National(_), Some(lookup)) if lookup.completes_national_numbers() => {
                self.look_up(lookup, number).await
            }
            (DialableNumber::National(_), _) => Err(number_invalid()),
        }
    }

    async fn look_up(
        &mut self,
        lookup: &NumberLookup,
        number: &DialableNumber,
    ) -> Result<(PhoneNumber, Channel), NotSent> {
        let packages = self.sender.policy.packages(self.asked(), lookup.packages());
        let hooks_secret = Arc::clone(&self.hooks_secret);
        let found = lookup.look_up(number, &packages, hooks_secret, self.deadline, self.log).await;
        self.hooks_secret = found.hooks_secret;
        self.lookup = found.usage;
        match (found.number, number) {
            (KnownNumber::Invalid, _) => Err(number_invalid()),
            (KnownNumber::Valid { number, facts }, _) => {
                self.note_number(&number);
                self.note_facts(&facts);
                let channel = self.decide(&number, Some(&facts))?;
                Ok((number, channel))
            }
            // It fails open: what the number itself tells has been decided before.
            (KnownNumber::Unknown, DialableNumber::International(to)) => Ok((to.clone(), self.asked().channel)),
            (KnownNumber::Unknown, DialableNumber::National(_)) => {
                Err((Reason::LookupUnavailable, Verdict::NotSent { location: Some(PHONE_NUMBER) }))
            }
        }
    }

    fn decide(&mut self, to: &PhoneNumber, lookup: Option<&NumberFacts>) -> Result<Channel, NotSent> {
        let Sender { policy, clock, .. } = self.sender;
        match policy.decide(self.asked(), Facts { country: to.country(), lookup }, clock.now()) {
            Decision::Send { channel } => {
                self.record.channel = channel.as_str();
                Ok(channel)
            }
            Decision::Refuse { reason } => Err((
                reason,
                match policy.deny_response {
                    DenyResponse::Error => Verdict::NotSent { location: Some(PHONE_NUMBER) },
                    DenyResponse::Swallow => Verdict::Swallowed,
                },
            )),
        }
    }

    fn asked(&self) -> policy::Request {
        policy::Request { channel: self.sender.channel(self.request), request_type: self.request.request_type }
    }

    fn note_number(&mut self, to: &PhoneNumber) {
        self.record.phone = Some(to.masked());
        self.record.country = to.country();
    }

    fn note_facts(&mut self, facts: &NumberFacts) {
        self.record.country = facts.country.or(self.record.country);
        self.record.line_type = facts.line.as_ref().and_then(|line| line.line_type).map(LineType::as_str);
        self.record.network = facts.line.as_ref().and_then(|line| line.network);
        self.record.sms_pumping_risk = facts.sms_pumping.and_then(|risk| risk.score);
    }
}

fn number_invalid() -> NotSent {
    (Reason::PhoneNumberInvalid, Verdict::NotSent { location: Some(PHONE_NUMBER) })
}

/// The requests to Verify for one code.
struct Attempts<'a> {
    sender: &'a Sender,
    request: &'a OtpRequest,
    to: &'a PhoneNumber,
    deadline: &'a Deadline,
    log: &'a Log,
    record: &'a mut SendRecord,
}

/// What the next request is, and how it differs from the last.
struct Next {
    channel: Channel,
    with_locale: bool,
    hooks_secret: Arc<HooksSecret>,
    pause: Duration,
}

impl Attempts<'_> {
    async fn run(&mut self, channel: Channel, hooks_secret: Arc<HooksSecret>) -> (Verdict, Duration) {
        if self.deadline.remaining() < LEAST_TIME_FOR_FIRST_ATTEMPT {
            self.record.reason = Reason::OutOfTime;
            return (self.not_sent(), Duration::ZERO);
        }
        let rate_limits = self.sender.rate_limits(self.request, self.to);
        let mut next = Next { channel, with_locale: true, hooks_secret, pause: Duration::ZERO };
        // Each kind of retry is done once.
        let mut done = Vec::new();
        let mut latency = Duration::ZERO;
        loop {
            let locale = self.sender.config.locale.of(self.request, next.channel).filter(|_| next.with_locale);
            let new = NewVerification {
                to: self.to,
                channel: next.channel,
                code: &self.request.code,
                locale,
                extension: self.request.extension.as_ref(),
                template_sid: self.sender.config.template_sid.as_deref(),
                rate_limits: rate_limits.as_deref(),
            };
            self.record.channel = next.channel.as_str();
            self.record.attempts += 1;
            let started = tokio::time::Instant::now();
            let answer = self.sender.verify.start(&next.hooks_secret.twilio, &new, self.deadline.remaining()).await;
            latency += started.elapsed();
            let error = match answer {
                Ok(verification) => return (self.sent(verification), latency),
                Err(error) => error,
            };
            self.note(&error);
            match self.retry(&error, &next, locale.is_some(), &mut done).await {
                Some(retry) => {
                    self.log.emit(&LogEvent::OtpRetried {
                        reason: self.record.reason,
                        twilio_code: self.record.twilio_code,
                    });
                    tokio::time::sleep(retry.pause).await;
                    next = retry;
                }
                None => return (self.not_sent(), latency),
            }
        }
    }

    fn sent(&mut self, verification: Verification) -> Verdict {
        self.record.reason = Reason::Accepted;
        // What a first attempt met is not the outcome.
        (self.record.twilio_code, self.record.twilio_status, self.record.advice) = (None, None, None);
        self.record.verification_sid.clone_from(&verification.sid);
        self.record.attempt_sid.clone_from(&verification.attempt_sid);
        self.record.twilio_request_id = verification.request_id;
        Verdict::Sent { verification_sid: verification.sid, attempt_sid: verification.attempt_sid }
    }

    fn not_sent(&self) -> Verdict {
        let about_number = matches!(
            self.record.reason,
            Reason::PhoneNumberInvalid | Reason::Landline | Reason::Unreachable | Reason::Unsubscribed
        );
        Verdict::NotSent { location: about_number.then_some(PHONE_NUMBER) }
    }

    /// Writes an error into the record.
    fn note(&mut self, error: &VerifyError) {
        match error {
            VerifyError::Refused(refusal) => {
                let code = code_of(refusal);
                self.record.set_twilio_code(&code);
                if refusal.code.is_none() {
                    self.record.twilio_code = None;
                }
                self.record.reason = if refusal.reached_rate_limit { Reason::RateLimited } else { code.reason };
                self.record.twilio_status = Some(refusal.status);
                self.record.twilio_request_id.clone_from(&refusal.request_id);
            }
            VerifyError::NoAnswer(error) => {
                // What an earlier attempt was answered is not what this one met.
                (self.record.twilio_code, self.record.twilio_status, self.record.advice) = (None, None, None);
                self.record.twilio_request_id = None;
                self.record.reason = reason_of_silence(*error);
            }
        }
    }

    /// The request that may follow, if any: only where this one provably sent nothing, each kind once, and with enough
    /// time left.
    async fn retry(
        &self,
        error: &VerifyError,
        last: &Next,
        had_locale: bool,
        done: &mut Vec<RetryKind>,
    ) -> Option<Next> {
        let kind = retry_kind(error, last.channel, had_locale)?;
        if done.contains(&kind) || self.record.attempts >= MOST_ATTEMPTS {
            return None;
        }
        done.push(kind);
        let mut next = Next {
            channel: last.channel,
            with_locale: last.with_locale,
            hooks_secret: Arc::clone(&last.hooks_secret),
            pause: Duration::ZERO,
        };
        match kind {
            RetryKind::Connect => {}
            RetryKind::AfterAMoment => next.pause = pause_of(error),
            RetryKind::WithoutLocale => next.with_locale = false,
            RetryKind::AsSms => next.channel = Channel::Sms,
            RetryKind::NewCredentials => {
                let limit = self.deadline.remaining().saturating_sub(LEAST_TIME_FOR_ATTEMPT);
                next.hooks_secret = self.sender.secret.newer_than_within(limit, &last.hooks_secret, self.log).await?;
            }
        }
        (self.deadline.remaining() >= next.pause + LEAST_TIME_FOR_ATTEMPT).then_some(next)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RetryKind {
    Connect,
    AfterAMoment,
    WithoutLocale,
    AsSms,
    NewCredentials,
}

fn retry_kind(error: &VerifyError, channel: Channel, had_locale: bool) -> Option<RetryKind> {
    let refusal = match error {
        VerifyError::NoAnswer(CallError::NotConnected) => return Some(RetryKind::Connect),
        // The message may be on its way.
        VerifyError::NoAnswer(CallError::TimedOut | CallError::Interrupted) => return None,
        VerifyError::Refused(refusal) => refusal,
    };
    if refusal.status == 401 {
        return Some(RetryKind::NewCredentials);
    }
    // Whatever the body says: only a 503 asks to be tried again.
    if refusal.status >= 500 && refusal.status != 503 {
        return None;
    }
    // Twilio documents 404 for a language it does not have, and is known to answer 400 with 60200.
    if had_locale && (refusal.parameter == Some(Parameter::Locale) || refusal.status == 404) {
        return Some(RetryKind::WithoutLocale);
    }
    match code_of(refusal).retry {
        Retry::Never => None,
        Retry::AfterAMoment => {
            let was_not_processed = matches!(refusal.status, 429 | 503) && !refusal.reached_rate_limit;
            was_not_processed.then_some(RetryKind::AfterAMoment)
        }
        Retry::WithoutLocale => had_locale.then_some(RetryKind::WithoutLocale),
        Retry::AsSms => (channel == Channel::WhatsApp).then_some(RetryKind::AsSms),
    }
}

fn pause_of(error: &VerifyError) -> Duration {
    match error {
        VerifyError::Refused(Refusal { retry_after: Some(pause), .. }) => *pause,
        _ => PAUSE,
    }
}

fn code_of(refusal: &Refusal) -> ErrorCode {
    match (refusal.code, refusal.parameter) {
        (Some(60200), Some(Parameter::Other | Parameter::Locale)) => ErrorCode::OTHER_PARAMETER,
        _ => ErrorCode::of(refusal.code, refusal.status),
    }
}

fn record_of(request: &OtpRequest, channel: Channel) -> SendRecord {
    SendRecord {
        reason: Reason::Accepted,
        request_type: request.request_type.as_str(),
        channel: channel.as_str(),
        phone: None,
        country: None,
        line_type: None,
        network: None,
        sms_pumping_risk: None,
        user_id: request.user_id.clone(),
        okta_event_id: request.event_id.clone(),
        okta_request_id: request.request_id.clone(),
        verification_sid: None,
        attempt_sid: None,
        twilio_request_id: None,
        twilio_code: None,
        twilio_status: None,
        advice: None,
        preview: request.preview,
        attempts: 0,
        duration_ms: 0,
        lookup_ms: None,
        verify_ms: 0,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::lookup;

    fn read(list: &[(&'static str, &'static str)]) -> Result<SendConfig, ConfigError> {
        SendConfig::from_variables(&Variables::new(&lookup(list)))
    }

    #[test]
    fn has_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config.budget, Duration::from_millis(2_600));
        assert_eq!(config.sms_channel, Channel::Sms);
        assert_eq!(config.locale, LocaleChoice::Okta);
        assert!(config.template_sid.is_none() && config.rate_limits.is_empty());
    }

    #[test]
    fn a_malformed_value_is_told() {
        for (variable, value) in [
            ("HOOK_BUDGET_MS", "3000"),
            ("HOOK_BUDGET_MS", "2.6s"),
            ("SMS_CHANNEL", "WhatsApp"),
            ("SMS_CHANNEL", "call"),
            ("VERIFY_LOCALE", "english"),
            ("VERIFY_TEMPLATE_SID", "VA0123456789abcdef0123456789abcdef"),
            ("VERIFY_RATE_LIMITS", "okta_user"),
            ("VERIFY_RATE_LIMITS", "okta_user=login"),
            ("VERIFY_RATE_LIMITS", "okta_user=user_id,"),
            ("VERIFY_RATE_LIMITS", "okta user=user_id"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{variable}: must be ")), "{error}");
        }
    }

    fn refusal(status: u16, code: u32) -> Refusal {
        let (code, parameter, retry_after, request_id) = (Some(code), None, None, None);
        Refusal { status, code, parameter, reached_rate_limit: false, retry_after, request_id }
    }

    #[test]
    fn repeats_only_what_sent_nothing() {
        let limited = Refusal { reached_rate_limit: true, ..refusal(429, 20429) };
        let locale = Refusal { parameter: Some(Parameter::Locale), ..refusal(400, 60200) };
        let cases = [
            (VerifyError::NoAnswer(CallError::NotConnected), Some(RetryKind::Connect)),
            (VerifyError::NoAnswer(CallError::TimedOut), None),
            (VerifyError::NoAnswer(CallError::Interrupted), None),
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
            (refusal(401, 20003).into(), Some(RetryKind::NewCredentials)),
            (refusal(403, 60605).into(), None),
        ];
        for (error, expected) in cases {
            assert_eq!(retry_kind(&error, Channel::WhatsApp, true), expected, "{error:?}");
        }
        assert_eq!(retry_kind(&refusal(400, 68008).into(), Channel::Sms, true), None);
        assert_eq!(retry_kind(&refusal(404, 20404).into(), Channel::Sms, false), None);
    }
}
