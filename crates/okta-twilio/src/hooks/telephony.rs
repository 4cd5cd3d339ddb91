//! The telephony hook, from the gateway's request to the gateway's answer.
//!
//! limit -> authenticate -> parse -> decide -> act -> answer, in this order, so that nobody unknown makes this function
//! read, decide or send anything.

use std::sync::Arc;

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::{
    config::{StartError, Variables},
    hooks::{
        context::{Parts, Rejection},
        gateway::{Request, Response},
    },
    okta::telephony::{AnswerBody, DebugContext, MAX_BODY_BYTES, OtpRequest, Verdict},
    otp::{
        number::{LookupConfig, LookupUsage, NumberLookup},
        policy::Policy,
        send::{Outcome, SendConfig, Sender},
    },
    reason::Reason,
    telemetry::{Log, LogEvent, Metric, Metrics},
    time::{clock::Clock, deadline::Deadline},
};

/// Everything that the function needs, built once.
#[derive(Clone)]
pub struct TelephonyHook {
    parts: Parts,
    lookup: Option<NumberLookup>,
    sender: Sender,
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
        let (verify, secret) = (parts.verify.clone(), Arc::clone(&parts.hooks_secret));
        let lookup = lookup.map(|config| NumberLookup::new(config, parts.http.clone(), Arc::clone(&secret)));
        let sender = Sender::new(config, policy, lookup.clone(), verify, secret, parts.clock.clone());
        Ok(Self { parts, lookup, sender })
    }

    /// Uses INIT for what a request would have to wait for.
    pub async fn prepare(&self, log: &Log) {
        self.parts.prepare(None, self.lookup.as_ref(), log).await;
    }

    /// Answers one invocation. Always: what cannot be served gets an answer that says so.
    pub async fn handle(&self, event: &str, log: &Log) -> Response {
        let started = Instant::now();
        let mut metrics = log.metrics();
        let response = match self.try_handle(event, log, &mut metrics).await {
            Ok(response) => response,
            Err(rejection) => rejection.answer("POST", log, &mut metrics),
        };
        metrics.duration(Metric::HookLatency, started.elapsed());
        log.emit_metrics(&metrics);
        response
    }

    async fn try_handle(&self, event: &str, log: &Log, metrics: &mut Metrics) -> Result<Response, Rejection> {
        let request = Request::from_event(event).map_err(|_not_http| Rejection::new(Reason::NotAHookRequest))?;
        let deadline = Deadline::starting(self.sender.budget(), self.parts.clock.now(), request.gateway_time);
        if request.body.len() > MAX_BODY_BYTES {
            return Err(Rejection::new(Reason::BodyTooLarge));
        }
        let secret = self.parts.authenticate(&request, &deadline, log).await?;
        if request.method != Method::POST {
            return Err(Rejection::new(Reason::MethodNotAllowed));
        }
        let otp_request = OtpRequest::parse(&request.body)
            .map_err(|error| Rejection { reason: Reason::NotAHookRequest, location: error.location() })?;
        let outcome = self.sender.send(&otp_request, secret, &deadline, log).await;
        Ok(answer(outcome, log, metrics))
    }
}

/// The answer to a request that was understood, with its log line and its measurements.
fn answer(outcome: Outcome, log: &Log, metrics: &mut Metrics) -> Response {
    let Outcome { verdict, record, verify_latency, lookup } = outcome;
    let refused = record.reason.is_refusal_by_policy();
    let word = match verdict {
        Verdict::Sent { .. } => "sent",
        Verdict::Swallowed => "swallowed",
        Verdict::NotSent { .. } if refused => "refused",
        Verdict::NotSent { .. } => "failed",
    };
    metrics.set("Outcome", &word).set("Channel", &record.channel).set("Reason", &record.reason);
    metrics.count(Metric::Sends, 1);
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
    log.emit(&match verdict {
        Verdict::Sent { .. } => LogEvent::OtpSent(Box::new(record)),
        Verdict::Swallowed => LogEvent::OtpRefused(Box::new(record)),
        Verdict::NotSent { .. } if refused => LogEvent::OtpRefused(Box::new(record)),
        Verdict::NotSent { .. } => LogEvent::OtpFailed(Box::new(record)),
    });
    Response::json(StatusCode::OK, &AnswerBody::of_verdict(&verdict, debug_context))
}

/// How long Lookup took, and for what Twilio charges.
fn measure_lookup(usage: &LookupUsage, log: &Log, metrics: &mut Metrics) {
    metrics.duration(Metric::LookupLatency, usage.latency);
    for package in usage.asked() {
        let mut lookups = log.further_metrics();
        log.emit_metrics(lookups.set("Package", &package).count(Metric::Lookups, 1));
    }
}
