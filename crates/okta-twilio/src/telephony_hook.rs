//! The telephony hook, from the gateway's request to the gateway's answer.
//!
//! limit -> authenticate -> parse -> decide -> act -> answer, in this order, so that nobody unknown makes this function
//! read, decide or send anything.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::{
    auth,
    auth::AuthMode,
    clock::Clock,
    config::{CommonConfig, Variables},
    deadline::Deadline,
    function::StartError,
    gateway::{Request, Response},
    http_client,
    logging::{Log, LogEvent, Preparation},
    metrics::Metrics,
    okta::telephony::{AnswerBody, DebugContext, MAX_BODY_BYTES, OtpRequest, Verdict},
    reason::Reason,
    secrets::{self, Cached, HooksSecret, SecretsManager},
    send::{Outcome, SendConfig, Sender},
    twilio::verify::VerifyClient,
};

/// Longest time that INIT waits for the secret and the connection. What is not ready then is made good later.
const PREPARATION_TIMEOUT: Duration = Duration::from_millis(1_600);

/// Everything that the function needs, built once.
#[derive(Clone)]
pub struct TelephonyHook {
    auth: AuthMode,
    secret: Arc<Cached<HooksSecret>>,
    verify: VerifyClient,
    sender: Sender,
    clock: Clock,
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
        let common = CommonConfig::from_variables(variables)?;
        let config = SendConfig::from_variables(variables)?;
        let http = http_client::build(common.extra_ca_file.as_deref())?;
        let verify = VerifyClient::new(http.clone(), common.verify_url, &common.verify_service_sid);
        let sdk = secrets::sdk_config(common.region, &http).await;
        let secret = SecretsManager::new(&sdk).cached(&common.hooks_secret_id, common.secret_ttl);
        let sender = Sender::new(config, verify.clone(), Arc::clone(&secret), clock.clone());
        Ok(Self { auth: common.auth, secret, verify, sender, clock })
    }

    /// Fetches the secret and opens the connection to Twilio, side by side: INIT has the full CPU, a request has not.
    /// A failure is logged and made good on the first request.
    pub async fn prepare(&self, log: &Log) {
        let started = Instant::now();
        let secret = tokio::time::timeout(PREPARATION_TIMEOUT, self.secret.get(log));
        let (secret, connection) = tokio::join!(secret, self.verify.connect(PREPARATION_TIMEOUT));
        let readiness = |ready| if ready { Preparation::Ready } else { Preparation::Failed };
        log.emit(&LogEvent::Started {
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            secret: readiness(matches!(secret, Ok(Ok(_)))),
            connection: readiness(connection.is_ok()),
        });
    }

    /// Answers one invocation. Always: what cannot be served gets an answer that says so.
    pub async fn handle(&self, event: &str, log: &Log) -> Response {
        let started = Instant::now();
        let mut metrics = Metrics::new(log);
        let response = match self.try_handle(event, log, &mut metrics).await {
            Ok(response) => response,
            Err(rejection) => rejection.answer(log, &mut metrics),
        };
        metrics.duration("HookLatency", started.elapsed(), &["Hook"]);
        metrics.emit(log);
        response
    }

    async fn try_handle(&self, event: &str, log: &Log, metrics: &mut Metrics) -> Result<Response, Rejection> {
        let request = Request::from_event(event).map_err(|_not_http| Rejection::new(Reason::NotAHookRequest))?;
        let deadline = Deadline::starting(self.sender.budget(), self.clock.now(), request.gateway_time);
        if request.body.len() > MAX_BODY_BYTES {
            return Err(Rejection::new(Reason::BodyTooLarge));
        }
        let secret = auth::authenticate(&self.auth, &request, &self.secret, log).await.map_err(Rejection::new)?;
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
    let Outcome { verdict, record, verify_latency } = outcome;
    let word = match verdict {
        Verdict::Sent { .. } => "sent",
        Verdict::Swallowed => "swallowed",
        Verdict::NotSent { .. } => "failed",
    };
    metrics.set("Outcome", word).set("Channel", record.channel).set("Reason", record.reason.as_str());
    metrics.count("Sends", 1, &["Hook", "Outcome", "Channel", "Reason"]);
    if let Some(country) = record.phone.as_ref().and_then(crate::phone::MaskedPhone::country) {
        metrics.set("Country", country.to_string());
    }
    if let Some(latency) = verify_latency {
        metrics.duration("VerifyLatency", latency, &["Hook"]);
    }
    let debug_context = DebugContext {
        request_id: log.function_request_id().cloned(),
        reason: record.reason,
        twilio_request_id: record.twilio_request_id.clone(),
        twilio_code: record.twilio_code,
        milliseconds: record.milliseconds,
    };
    log.emit(&match verdict {
        Verdict::Sent { .. } => LogEvent::OtpSent(Box::new(record)),
        Verdict::Swallowed => LogEvent::OtpRefused(Box::new(record)),
        Verdict::NotSent { .. } => LogEvent::OtpFailed(Box::new(record)),
    });
    Response::json(StatusCode::OK, &AnswerBody::of_verdict(&verdict, debug_context))
}

/// A request that is not served.
struct Rejection {
    reason: Reason,
    location: Option<&'static str>,
}

impl Rejection {
    fn new(reason: Reason) -> Self {
        Self { reason, location: None }
    }

    fn answer(self, log: &Log, metrics: &mut Metrics) -> Response {
        let status = match self.reason {
            Reason::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Reason::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Reason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Reason::SecretUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        metrics.set("Reason", self.reason.as_str()).count("Rejected", 1, &["Hook", "Reason"]);
        let (reason, location) = (self.reason, self.location);
        log.emit(&LogEvent::RequestRejected { status: status.as_u16(), reason, location });
        let mut response = Response::json(status, &AnswerBody::of_rejection(reason, location));
        response.allow = (reason == Reason::MethodNotAllowed).then_some("POST");
        response
    }
}
