//! Every line that the functions print: one JSON object each, from one closed list of events.
//!
//! Two rules make a leak hard:
//! - An event is a variant of [`LogEvent`], and its fields have types that are safe to log: fixed words, numbers,
//!   [`SafeId`] and [`MaskedPhone`]. There is no variant that takes a free text from outside.
//! - The subscriber prints these events only. What any dependency emits, at any level, ends here: `lambda_runtime`
//!   would print whole invocations at TRACE and a handler's error in full.
//!
//! The keys follow Powertools for AWS Lambda, so that saved queries work. See `docs/logging.md`.

use std::{fmt, io::Write as _};

use serde::Serialize;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

use crate::{
    id::SafeId,
    phone::{CountryCode, MaskedPhone, NetworkCode},
    reason::Reason,
    time::clock::Clock,
};

/// The only target that is printed.
const TARGET: &str = "okta_twilio::event";

/// The catalogue of log events. `message` is the variant's name in snake case.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum LogEvent {
    /// INIT is over; what could be prepared is.
    Started {
        /// From the start of `main` until the first invocation is asked for.
        milliseconds: u64,
        /// Whether the hooks secret is at hand.
        secret: Preparation,
        /// Whether the Okta secret is at hand, where one is needed.
        #[serde(skip_serializing_if = "Option::is_none")]
        okta_secret: Option<Preparation>,
        /// Whether the connections to Twilio are open: to Verify and, if it is asked, to Lookup.
        connection: Preparation,
    },
    /// A variable cannot be used; the process ends.
    ConfigurationInvalid {
        /// Variable, problem and an example; never the value.
        problem: String,
    },
    /// The function works, and probably not as it is meant to.
    ConfigurationWarning {
        /// What to look at; never a value.
        problem: &'static str,
    },
    /// Twilio accepted the message.
    OtpSent(Box<SendRecord>),
    /// Policy decided against sending.
    OtpRefused(Box<SendRecord>),
    /// The code could not be sent.
    OtpFailed(Box<SendRecord>),
    /// A request to Twilio is made again because the first provably sent nothing.
    OtpRetried {
        /// What the first attempt met.
        reason: Reason,
        /// Twilio's code, where it answered with one.
        #[serde(skip_serializing_if = "Option::is_none")]
        twilio_code: Option<u32>,
    },
    /// Lookup, or one of its packages, could not tell about a number; the send goes on without.
    LookupFailed(LookupFailure),
    /// The queue keeps the event until Twilio has been told.
    FeedbackQueued(Box<FeedbackRecord>),
    /// Twilio was told that the verification is approved.
    FeedbackApproved(Box<FeedbackRecord>),
    /// There is no verification that feedback could be given for.
    FeedbackNotNeeded(Box<FeedbackRecord>),
    /// Feedback should be given and was not.
    FeedbackFailed(Box<FeedbackRecord>),
    /// A request was not from Okta, or not one that can be served.
    RequestRejected {
        /// Status of the answer.
        status: u16,
        /// Why.
        reason: Reason,
        /// Path of the field, where one is at fault.
        #[serde(skip_serializing_if = "Option::is_none")]
        location: Option<&'static str>,
    },
    /// A secret was read from Secrets Manager.
    SecretRefreshed {
        /// Which.
        secret: &'static str,
        /// Whether it differs from the one at hand.
        changed: bool,
    },
    /// A secret could not be read or used; an older one stays in use if there is one.
    SecretRefreshFailed {
        /// Which.
        secret: &'static str,
        /// Why.
        reason: &'static str,
        /// Whether an older value is still at hand.
        stale_value_in_use: bool,
    },
    /// A handler met a bug. The panic's text is not printed: it could quote the input.
    Panicked {
        /// Source file.
        file: String,
        /// Line in it.
        line: u32,
    },
}

impl LogEvent {
    /// How serious the event is.
    pub fn level(&self) -> Level {
        match self {
            Self::Started { .. }
            | Self::OtpSent(_)
            | Self::FeedbackQueued(_)
            | Self::FeedbackApproved(_)
            | Self::SecretRefreshed { .. } => Level::INFO,
            Self::FeedbackNotNeeded(record) => match record.reason {
                Reason::NoPendingVerification | Reason::UserNotFound => Level::INFO,
                _ => Level::WARN,
            },
            // A package without data is everyday, unless there is something to do about it.
            Self::LookupFailed(failure) if failure.reason == Reason::NoData && failure.advice.is_none() => Level::INFO,
            Self::FeedbackFailed(record) if record.transient => Level::WARN,
            Self::OtpRefused(_)
            | Self::ConfigurationWarning { .. }
            | Self::LookupFailed(_)
            | Self::OtpRetried { .. }
            | Self::RequestRejected { .. }
            | Self::SecretRefreshFailed { stale_value_in_use: true, .. } => Level::WARN,
            Self::OtpFailed(record) if record.reason.is_users_own() => Level::WARN,
            Self::OtpFailed(_)
            | Self::FeedbackFailed(_)
            | Self::ConfigurationInvalid { .. }
            | Self::Panicked { .. }
            | Self::SecretRefreshFailed { .. } => Level::ERROR,
        }
    }
}

/// Whether something was ready when INIT ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Preparation {
    /// Ready.
    Ready,
    /// Not ready; made good on the first request.
    Failed,
}

/// What is known of one request to send a code.
#[derive(Clone, Debug, Serialize)]
pub struct SendRecord {
    /// Outcome in one word.
    pub reason: Reason,
    /// Okta's `requestType`, last part.
    pub request_type: &'static str,
    /// `sms`, `call` or `whatsapp`.
    pub channel: &'static str,
    /// Country and last two digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<MaskedPhone>,
    /// Lookup's country, else the number's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// Twilio's kind of line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_type: Option<&'static str>,
    /// The carrier's codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkCode>,
    /// Twilio's score, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_pumping_risk: Option<u8>,
    /// Okta's user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<SafeId>,
    /// Okta's `eventId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub okta_event_id: Option<SafeId>,
    /// Okta's request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub okta_request_id: Option<SafeId>,
    /// The `VE…` sid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_sid: Option<SafeId>,
    /// The `VL…` sid of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_sid: Option<SafeId>,
    /// Twilio's own id of the request, for its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_request_id: Option<SafeId>,
    /// Twilio's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_code: Option<u32>,
    /// HTTP status of Twilio's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_status: Option<u16>,
    /// What an admin can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// What `REPLACE_PENDING` did before the send: `canceled`, `nothing_pending` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<&'static str>,
    /// Why what is pending could not be cancelled; the send went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_failure: Option<Reason>,
    /// Whether it is one of Okta's previews.
    pub preview: bool,
    /// How many requests to Verify were made.
    pub attempts: u32,
    /// Since the request reached the gateway.
    pub milliseconds: u64,
    /// Of these, waiting for Lookup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup_milliseconds: Option<u64>,
    /// Of these, waiting for Verify.
    pub verify_milliseconds: u64,
}

/// What is known of the feedback for one event.
#[derive(Clone, Debug, Serialize)]
pub struct FeedbackRecord {
    /// Outcome in one word.
    pub reason: Reason,
    /// Okta's id of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_uuid: Option<SafeId>,
    /// Okta's user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<SafeId>,
    /// `authentication` or `enrolment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// `sms`, `call` or `either`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'static str>,
    /// Since Okta published the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// Country and last two digits of the number that the verification was found by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<MaskedPhone>,
    /// How many numbers were tried.
    pub numbers: u32,
    /// The `VE…` sid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_sid: Option<SafeId>,
    /// Twilio's own id of the request that failed, for its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_request_id: Option<SafeId>,
    /// Twilio's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_code: Option<u32>,
    /// HTTP status of Twilio's refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_status: Option<u16>,
    /// What an admin can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// Whether a failure may pass without anybody's help.
    pub transient: bool,
    /// How often the queue has handed the message over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive_count: Option<u32>,
    /// The queue's id of a message that says nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<SafeId>,
    /// For this event.
    pub milliseconds: u64,
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
            verification_sid: None,
            twilio_request_id: None,
            twilio_code: None,
            twilio_status: None,
            advice: None,
            transient: false,
            receive_count: None,
            message_id: None,
            milliseconds: 0,
        }
    }
}

/// How Lookup failed, or one of its packages.
#[derive(Clone, Debug, Serialize)]
pub struct LookupFailure {
    /// What happened.
    pub reason: Reason,
    /// The package without data; none: there is no answer at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<&'static str>,
    /// Twilio's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_code: Option<u32>,
    /// HTTP status of Twilio's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_status: Option<u16>,
    /// Twilio's own id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_request_id: Option<SafeId>,
    /// What an admin can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
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

/// What every line of one invocation carries.
#[derive(Clone, Debug)]
pub struct Log {
    service: &'static str,
    function_request_id: Option<SafeId>,
    cold_start: bool,
    clock: Clock,
}

#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    timestamp: String,
    level: &'static str,
    service: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_request_id: Option<&'a SafeId>,
    cold_start: bool,
    #[serde(flatten)]
    content: &'a T,
}

impl Log {
    /// A log for what happens outside any invocation.
    pub fn outside_invocations(service: &'static str, clock: Clock) -> Self {
        Self { service, function_request_id: None, cold_start: true, clock }
    }

    /// The log of one invocation.
    #[must_use]
    pub fn of_invocation(&self, function_request_id: &str, cold_start: bool) -> Self {
        let function_request_id = SafeId::parse(function_request_id);
        Self { service: self.service, function_request_id, cold_start, clock: self.clock.clone() }
    }

    /// The name of the function, also the `Hook` dimension of metrics.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Lambda's id of the invocation.
    pub fn function_request_id(&self) -> Option<&SafeId> {
        self.function_request_id.as_ref()
    }

    /// Whether this is the first invocation of the instance.
    pub fn cold_start(&self) -> bool {
        self.cold_start
    }

    /// The clock that stamps the lines.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Prints an event, if its level is to be printed.
    pub fn emit(&self, event: &LogEvent) {
        self.emit_at(event.level(), event);
    }

    /// Prints a line of measurements; never filtered, since CloudWatch reads its metrics from it.
    pub(crate) fn emit_metrics<T: Serialize>(&self, document: &T) {
        write_line(&self.line(Level::INFO, document));
    }

    fn emit_at<T: Serialize>(&self, level: Level, content: &T) {
        let line = self.line(level, content);
        // The macro wants a constant level.
        match level {
            Level::ERROR => tracing::event!(target: TARGET, Level::ERROR, line),
            Level::WARN => tracing::event!(target: TARGET, Level::WARN, line),
            Level::INFO => tracing::event!(target: TARGET, Level::INFO, line),
            _ => tracing::event!(target: TARGET, Level::DEBUG, line),
        }
    }

    fn line<T: Serialize>(&self, level: Level, content: &T) -> String {
        let line = Line {
            timestamp: self.clock.now().to_rfc3339(),
            level: level.as_str(),
            service: self.service,
            function_request_id: self.function_request_id.as_ref(),
            cold_start: self.cold_start,
            content,
        };
        // Maps with text keys and plain values always serialise.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// Installs the subscriber and the panic hook. Called once, first thing in `main`.
pub fn install(level: Level, log: &Log) {
    // A second call (tests in one process) keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(Printer { level });
    let log = log.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let (file, line) = panic.location().map_or(("unknown", 0), |location| (location.file(), location.line()));
        log.emit(&LogEvent::Panicked { file: file.to_owned(), line });
    }));
}

/// Prints lines of [`Log`] and drops every other event.
struct Printer {
    level: Level,
}

impl Subscriber for Printer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == TARGET && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut LineVisitor);
    }

    // Spans are not used: nothing enables them.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct LineVisitor;

impl Visit for LineVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "line" {
            write_line(value);
        }
    }

    // A value that only has `Debug` is no line of ours.
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

fn write_line(line: &str) {
    #[expect(clippy::disallowed_methods, reason = "the one place that writes to standard output")]
    let mut stdout = std::io::stdout().lock();
    // There is nowhere to report that standard output is gone.
    let _ = writeln!(stdout, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_common_keys() {
        let clock = Clock::fixed(std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_800_000_000_123));
        let log = Log::outside_invocations("telephony-hook", clock).of_invocation("req-1", false);
        let event = LogEvent::RequestRejected { status: 401, reason: Reason::NotAuthenticated, location: None };
        let line: serde_json::Value = serde_json::from_str(&log.line(event.level(), &event)).unwrap();
        insta::assert_json_snapshot!(line, @r#"
        {
          "cold_start": false,
          "function_request_id": "req-1",
          "level": "WARN",
          "message": "request_rejected",
          "reason": "not_authenticated",
          "service": "telephony-hook",
          "status": 401,
          "timestamp": "2027-01-15T08:00:00.123Z"
        }
        "#);
    }

    /// The names of the catalogue: the variants of [`LogEvent`], as serde writes them.
    fn catalogue() -> Vec<String> {
        let source = include_str!("log.rs");
        let list = source.split_once("pub enum LogEvent {").unwrap().1.split_once("\n}").unwrap().0;
        let variants = list
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| line.starts_with(char::is_uppercase));
        let name = |variant: &str| variant.split(|end: char| !end.is_alphanumeric()).next().unwrap().to_owned();
        let snake = |name: String| {
            let words = name.chars().flat_map(|letter| {
                let start = letter.is_uppercase().then_some('_');
                start.into_iter().chain(letter.to_lowercase())
            });
            words.collect::<String>().trim_start_matches('_').to_owned()
        };
        variants.map(name).map(snake).collect()
    }

    #[test]
    fn the_catalogue_in_the_docs_is_the_one_in_the_code() {
        let docs = include_str!("../../../../docs/logging.md");
        let rows = docs.split_once("## Events").unwrap().1.split_once("\n## ").unwrap().0.lines();
        let mut documented: Vec<_> =
            rows.filter_map(|row| row.strip_prefix("| `")?.split_once('`')).map(|row| row.0).collect();
        documented.retain(|name| *name != "message");
        documented.sort_unstable();
        let mut catalogue = catalogue();
        catalogue.sort_unstable();
        assert_eq!(documented, catalogue);
    }
}
