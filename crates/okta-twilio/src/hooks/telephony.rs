//! The telephony hook, from the gateway's request to the gateway's answer.
//!
//! limit -> authenticate -> parse -> decide -> act -> answer, in this order, so that nobody unknown makes this function
//! read, decide or send anything.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::{
    config::{StartError, Variables},
    hooks::{
        context::{Parts, Rejection},
        gateway::{NotARequest, Request, Response},
    },
    okta::telephony::{AnswerBody, DebugContext, MAX_BODY_BYTES, OtpRequest},
    otp::{
        config::SendConfig,
        number::{LookupConfig, LookupUsage, NumberLookup},
        outcome::Outcome,
        policy::Policy,
        send::{Report, Sender},
        sends::SendsTable,
    },
    reason::Reason,
    telemetry::{ConfigurationWarning, Log, LogEvent, Metric, Metrics},
    time::{
        clock::{Clock, Timestamp},
        deadline::Deadline,
    },
};

/// Time for the answer before Lambda ends the invocation.
const ANSWER_MARGIN: Duration = Duration::from_millis(100);

/// Everything that the function needs, built once.
#[derive(Clone)]
pub struct TelephonyHook {
    parts: Parts,
    sender: Sender,
    /// Where the first request leads: to Verify and, if it is asked, to Lookup.
    first_urls: Vec<Url>,
}

impl std::fmt::Debug for TelephonyHook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TelephonyHook").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl TelephonyHook {
    /// Builds the function from its variables.
    ///
    /// # Errors
    /// If a variable cannot be used.
    pub async fn build(variables: &Variables<'_>, clock: Clock) -> Result<Self, StartError> {
        let config = SendConfig::from_variables(variables)?;
        let lookup = LookupConfig::from_variables(variables)?;
        let policy = Policy::from_variables(variables, lookup.as_ref().map(|lookup| &lookup.packages))?;
        let parts = Parts::build(variables, clock).await?;
        let lookup_url = lookup.as_ref().map(|config| config.url.clone());
        let first_urls = [parts.verify_url.clone()].into_iter().chain(lookup_url).collect();
        let lookup = lookup.map(|config| NumberLookup::new(config, parts.twilio.clone()));
        let sends = config.sends_table.clone().map(|table| SendsTable::new(&parts.sdk, table));
        let (verify, clock) = (parts.verify.clone(), parts.clock.clone());
        let sender = Sender::new(config, policy, lookup, verify, sends, clock);
        Ok(Self { parts, sender, first_urls })
    }

    /// Uses INIT for what a request would have to wait for.
    pub async fn prepare(&self, log: &Log) {
        for problem in self.sender.warnings() {
            log.emit(&LogEvent::ConfigurationWarning(ConfigurationWarning::of(problem)));
        }
        self.parts.prepare(None, &self.first_urls, log).await;
    }

    /// Answers one invocation. Always: what cannot be served gets an answer that says so. `end` is when Lambda ends the
    /// invocation.
    pub async fn handle(&self, event: &str, end: Timestamp, log: &Log) -> Response {
        let started = Instant::now();
        let request = match Request::from_event(event) {
            Err(NotARequest::Ping) => return Response::empty(StatusCode::NO_CONTENT),
            request => request.map_err(Rejection::from),
        };
        let mut metrics = log.metrics();
        self.parts.begin_invocation();
        let response = match self.try_handle(request, end, log, &mut metrics).await {
            Ok(response) => response,
            Err(rejection) => rejection.answer("POST", log, &mut metrics),
        };
        self.parts.end_invocation(None, log).await;
        metrics.duration(Metric::HookLatency, started.elapsed());
        log.emit_metrics(&metrics);
        response
    }

    async fn try_handle(
        &self,
        request: Result<Request, Rejection>,
        end: Timestamp,
        log: &Log,
        metrics: &mut Metrics,
    ) -> Result<Response, Rejection> {
        let request = request?;
        let now = self.parts.clock.now();
        let deadline = Deadline::while_okta_waits(self.sender.budget(), now, request.gateway_time);
        let deadline = deadline.before_end(end, now, ANSWER_MARGIN);
        if request.body.len() > MAX_BODY_BYTES {
            return Err(Rejection::new(Reason::BodyTooLarge));
        }
        self.parts.authenticate(&request, &deadline, log).await?;
        if request.method != Method::POST {
            return Err(Rejection::new(Reason::MethodNotAllowed));
        }
        let otp_request = OtpRequest::parse(&request.body)
            .map_err(|error| Rejection { reason: Reason::NotAHookRequest, location: error.location() })?;
        // Boxed, because the compiler limits how deep futures may lie in one another, and the SDK's are deep.
        let report = Box::pin(self.sender.send(&otp_request, &deadline, log)).await;
        Ok(answer(report, log, metrics))
    }
}

/// The answer to a request that was understood, with its log line and its measurements.
fn answer(report: Report, log: &Log, metrics: &mut Metrics) -> Response {
    let Report { outcome, record, verify_latency, lookup } = report;
    metrics.set("Outcome", &outcome.as_str()).set("Channel", &record.channel).set("Reason", &record.reason);
    metrics.count(Metric::Sends, 1);
    match &outcome {
        Outcome::Sent(_) => _ = metrics.count(Metric::SendErrors, 0),
        // A user's own number or pace is no fault of the system.
        Outcome::Failed(failure) if !failure.reason.is_users_own() => _ = metrics.count(Metric::SendErrors, 1),
        Outcome::Failed(_) | Outcome::Refused { .. } => {}
    }
    if let Some(country) = &record.country {
        metrics.set("Country", country);
    }
    if let Some(latency) = verify_latency {
        metrics.duration(Metric::VerifyLatency, latency);
    }
    if let Some(lookup) = lookup {
        measure_lookup(&lookup, log, metrics);
    }
    let debug_context = DebugContext {
        request_id: log.function_request_id().cloned(),
        reason: record.reason,
        twilio_request_id: record.twilio_request_id.clone(),
        twilio_code: record.twilio_code,
        milliseconds: record.duration_ms,
    };
    let record = Box::new(record);
    log.emit(&match outcome {
        Outcome::Sent(_) => LogEvent::OtpSent(record),
        Outcome::Refused { .. } => LogEvent::OtpRefused(record),
        Outcome::Failed(_) => LogEvent::OtpFailed(record),
    });
    Response::json(StatusCode::OK, &AnswerBody::of_verdict(&outcome.verdict(), debug_context))
}

/// How long Lookup took, and for what Twilio charges.
fn measure_lookup(usage: &LookupUsage, log: &Log, metrics: &mut Metrics) {
    metrics.duration(Metric::LookupLatency, usage.latency);
    for package in usage.asked() {
        let mut lookups = log.further_metrics();
        log.emit_metrics(lookups.set("Package", &package).count(Metric::Lookups, 1));
    }
}
