//! The telephony hook: from the gateway's request to its response.
//!
//! The order is limit, authenticate, parse, decide, act, respond. So an unauthenticated caller cannot trigger parsing,
//! policy or a send.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::{
    config::{StartError, Variables},
    hooks::{
        context::{HookContext, Rejection},
        gateway::{HookRequest, HookResponse, NotARequest},
    },
    okta::telephony::{DebugContext, MAX_BODY_BYTES, OtpRequest, ResponseBody},
    otp::{
        config::SendConfig,
        number::{LookupConfig, LookupUsage, NumberLookup},
        outcome::SendOutcome,
        policy::Policy,
        send::{SendReport, Sender},
        sends::SendsTable,
    },
    reason::Reason,
    telemetry::{ConfigurationWarning, Log, LogEvent, Metric, Metrics},
    time::{
        clock::{Clock, Timestamp},
        deadline::Deadline,
    },
};

/// Time reserved before the Lambda timeout to return the response.
const RESPONSE_MARGIN: Duration = Duration::from_millis(100);

/// The telephony hook, built once.
#[derive(Clone)]
pub struct TelephonyHook {
    context: HookContext,
    sender: Sender,
    /// The services that the first request leads to: Verify and, if configured, Lookup and the sends table.
    first_urls: Vec<Url>,
}

impl std::fmt::Debug for TelephonyHook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TelephonyHook").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl TelephonyHook {
    /// Builds the hook from its variables.
    ///
    /// # Errors
    /// Fails if a variable is invalid.
    pub async fn build(variables: &Variables<'_>, clock: Clock) -> Result<Self, StartError> {
        let config = SendConfig::from_variables(variables)?;
        let lookup = LookupConfig::from_variables(variables)?;
        let policy = Policy::from_variables(variables, lookup.as_ref().map(|lookup| &lookup.packages))?;
        let context = HookContext::build(variables, clock).await?;
        let lookup_url = lookup.as_ref().map(|config| config.url.clone());
        let lookup = lookup.map(|config| NumberLookup::new(config, context.twilio.clone()));
        let sends = config.sends_table.clone().map(|table| SendsTable::new(&context.sdk, &context.http, table));
        let table_url = sends.as_ref().and_then(|sends| sends.endpoint().cloned());
        let first_urls = [context.verify_url.clone()].into_iter().chain(lookup_url).chain(table_url).collect();
        let (verify, clock) = (context.verify.clone(), context.clock.clone());
        let sender = Sender::new(config, policy, lookup, verify, sends, clock);
        Ok(Self { context, sender, first_urls })
    }

    /// Does the work of INIT, so that no request has to wait for it.
    pub async fn prepare(&self, log: &Log) {
        for problem in self.sender.warnings() {
            log.emit(&LogEvent::ConfigurationWarning(ConfigurationWarning::of(problem)));
        }
        self.context.prepare(None, &self.first_urls, log).await;
    }

    /// Handles one invocation. Always returns a response, also for an event that it cannot process. `end` is the time
    /// at which Lambda ends the invocation.
    pub async fn handle(&self, event: &str, end: Timestamp, log: &Log) -> HookResponse {
        let started = Instant::now();
        let request = match HookRequest::from_event(event) {
            Err(NotARequest::Ping) => return HookResponse::empty(StatusCode::NO_CONTENT),
            request => request.map_err(Rejection::from),
        };
        let mut metrics = log.metrics();
        self.context.begin_invocation();
        let response = match self.try_handle(request, end, log, &mut metrics).await {
            Ok(response) => response,
            Err(rejection) => rejection.into_response("POST", log, &mut metrics),
        };
        self.context.end_invocation(None, log).await;
        metrics.duration(Metric::HookLatency, started.elapsed());
        log.emit_metrics(&metrics);
        response
    }

    async fn try_handle(
        &self,
        request: Result<HookRequest, Rejection>,
        end: Timestamp,
        log: &Log,
        metrics: &mut Metrics,
    ) -> Result<HookResponse, Rejection> {
        let request = request?;
        let now = self.context.clock.now();
        let deadline = Deadline::while_okta_waits(self.sender.budget(), now, request.gateway_time);
        let deadline = deadline.before_end(end, now, RESPONSE_MARGIN);
        if request.body.len() > MAX_BODY_BYTES {
            return Err(Rejection::new(Reason::BodyTooLarge));
        }
        let secret = self.context.authenticate(&request, &deadline, log).await?;
        if request.method != Method::POST {
            return Err(Rejection::new(Reason::MethodNotAllowed));
        }
        let otp_request = OtpRequest::parse(&request.body)
            .map_err(|error| Rejection { reason: Reason::NotAHookRequest, location: error.location() })?;
        // Boxed, because the compiler limits the nesting depth of futures, and the SDK's futures are deep.
        let report = Box::pin(self.sender.send(&otp_request, &secret, &deadline, log)).await;
        Ok(respond(report, log, metrics))
    }
}

/// Builds the response to a parsed request, logs it and measures it.
fn respond(report: SendReport, log: &Log, metrics: &mut Metrics) -> HookResponse {
    let SendReport { outcome, record, verify_latency, lookup } = report;
    metrics.set("Outcome", &outcome.as_str()).set("Channel", &record.channel).set("Reason", &record.reason);
    metrics.count(Metric::Sends, 1);
    match &outcome {
        SendOutcome::Sent(_) => _ = metrics.count(Metric::SendErrors, 0),
        // A user's own number or request rate is not an error of the system.
        SendOutcome::Failed(failure) if !failure.reason.is_users_own() => _ = metrics.count(Metric::SendErrors, 1),
        SendOutcome::Failed(_) | SendOutcome::Refused { .. } => {}
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
        duration_ms: record.duration_ms,
    };
    let record = Box::new(record);
    log.emit(&match outcome {
        SendOutcome::Sent(_) => LogEvent::OtpSent(record),
        SendOutcome::Refused { .. } => LogEvent::OtpRefused(record),
        SendOutcome::Failed(_) => LogEvent::OtpFailed(record),
    });
    HookResponse::json(StatusCode::OK, &ResponseBody::of_verdict(&outcome.verdict(), debug_context))
}

/// Measures the latency of Lookup and the packages that Twilio charges for.
fn measure_lookup(usage: &LookupUsage, log: &Log, metrics: &mut Metrics) {
    metrics.duration(Metric::LookupLatency, usage.latency);
    for package in usage.asked() {
        let mut lookups = log.further_metrics();
        log.emit_metrics(lookups.set("Package", &package).count(Metric::Lookups, 1));
    }
}
