//! The event hook, from the gateway's request to the gateway's answer, and from the queue's batch to its.
//!
//! limit -> authenticate -> parse -> act -> answer. Okta waits three seconds, tries once more after a 5xx and then
//! forgets the delivery: so 503 is answered where a second delivery can mend something, and nowhere else.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    auth::AuthMode,
    clock::Clock,
    config::{ConfigError, Variables},
    deadline::Deadline,
    feedback::{self, Failure, Feedback, FeedbackConfig, Outcome},
    function::StartError,
    gateway::{Request, Response},
    hook::{Parts, Rejection},
    logging::Log,
    metrics::Metrics,
    okta::{
        OktaSecret,
        client::{OktaClient, OktaConfig},
        event::{Delivery, MAX_BODY_BYTES, PhoneChannel, PhoneSuccess},
    },
    reason::Reason,
    secrets::Cached,
};

/// All the time for one delivery, counted from the gateway: it leaves room within Okta's 3 s for the way back.
const DELIVERY_BUDGET: Duration = Duration::from_millis(2_500);

/// How many events are worked on at the same time: enough for a large delivery, and below what Twilio throttles.
const CONCURRENCY: usize = 8;

/// The header that the one-time verification brings.
const CHALLENGE: &str = "x-okta-verification-challenge";

/// Everything that the function needs, built once.
#[derive(Clone)]
pub struct EventHook {
    parts: Parts,
    okta_secret: Option<Arc<Cached<OktaSecret>>>,
    feedback: Feedback,
}

impl std::fmt::Debug for EventHook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EventHook").field("feedback", &self.feedback).finish_non_exhaustive()
    }
}

/// The answer to Okta's one-time verification.
#[derive(Serialize)]
struct Verification<'a> {
    verification: &'a str,
}

impl EventHook {
    /// Builds the function from its variables.
    ///
    /// # Errors
    /// If a variable cannot be used.
    pub async fn build(variables: &Variables<'_>, clock: Clock) -> Result<Self, StartError> {
        let config = FeedbackConfig::from_variables(variables)?;
        let okta = if config.sources.is_empty() { None } else { Some(OktaConfig::from_variables(variables)?) };
        let parts = Parts::build(variables, clock).await?;
        if parts.auth == AuthMode::Jwt {
            let problem = "must be header for this function: Okta's event hooks have no other authentication";
            return Err(ConfigError::new("AUTH_MODE", problem, "header").into());
        }
        let okta_secret = okta.as_ref().map(|okta| parts.secrets.cached(&okta.secret_id, parts.secret_ttl));
        let okta = okta.zip(okta_secret.clone());
        let okta = okta.map(|(okta, secret)| OktaClient::new(parts.http.clone(), &okta, secret, parts.clock.clone()));
        let (verify, hooks_secret) = (parts.verify.clone(), Arc::clone(&parts.hooks_secret));
        let feedback = Feedback::new(config, verify, hooks_secret, okta, parts.clock.clone());
        Ok(Self { parts, okta_secret, feedback })
    }

    /// Uses INIT for what a request would have to wait for.
    pub async fn prepare(&self, log: &Log) {
        self.parts.prepare(self.okta_secret.as_ref(), None, log).await;
    }

    /// Answers one invocation. Always: what cannot be served gets an answer that says so.
    pub async fn handle(&self, event: &str, log: &Log) -> Response {
        let started = Instant::now();
        let mut metrics = Metrics::new(log);
        let response = match self.try_handle(event, log).await {
            Ok(response) => response,
            Err(rejection) => rejection.answer("GET, POST", log, &mut metrics),
        };
        metrics.duration("HookLatency", started.elapsed(), &["Hook"]);
        metrics.emit(log);
        response
    }

    async fn try_handle(&self, event: &str, log: &Log) -> Result<Response, Rejection> {
        let request = Request::from_event(event).map_err(|_not_http| Rejection::new(Reason::NotAHookRequest))?;
        let now = self.parts.clock.now();
        let deadline = Deadline::starting(DELIVERY_BUDGET, now, request.gateway_time);
        if request.body.len() > MAX_BODY_BYTES {
            return Err(Rejection::new(Reason::BodyTooLarge));
        }
        self.parts.authenticate(&request, log).await?;
        match request.method {
            Method::GET => verification(&request),
            Method::POST => {
                let delivery = Delivery::parse(&request.body, now)
                    .map_err(|error| Rejection { reason: Reason::NotAHookRequest, location: error.location() })?;
                Ok(self.take(delivery, &deadline, log).await)
            }
            _ => Err(Rejection::new(Reason::MethodNotAllowed)),
        }
    }

    /// Gives feedback for every event that wants it, side by side.
    async fn take(&self, delivery: Delivery, deadline: &Deadline, log: &Log) -> Response {
        let mut tally = Tally::default();
        for event in delivery.unusable {
            tally.add(None, feedback::tell_unusable(event, log));
        }
        let give =
            |success: PhoneSuccess| async move { (success.channel, self.feedback.give(&success, deadline, log).await) };
        let outcomes: Vec<_> =
            stream::iter(delivery.phone_successes).map(give).buffer_unordered(CONCURRENCY).collect().await;
        let mut retry = false;
        for (channel, outcome) in outcomes {
            retry |= matches!(outcome, Outcome::Failed(Failure { is_transient: true, .. }));
            tally.add(Some(channel), outcome);
        }
        tally.emit(log);
        // Okta reads the status only.
        Response::empty(if retry { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK })
    }
}

fn verification(request: &Request) -> Result<Response, Rejection> {
    let challenge = request.headers.get(CHALLENGE).and_then(|value| value.to_str().ok());
    let missing = Rejection { reason: Reason::ChallengeMissing, location: Some(CHALLENGE) };
    let verification = challenge.filter(|challenge| !challenge.is_empty()).ok_or(missing)?;
    Ok(Response::json(StatusCode::OK, &Verification { verification }))
}

/// How often each outcome was, in one invocation.
#[derive(Default)]
struct Tally(BTreeMap<(&'static str, &'static str, &'static str), u64>);

impl Tally {
    fn add(&mut self, channel: Option<PhoneChannel>, outcome: Outcome) {
        let channel = channel.map_or("unknown", PhoneChannel::as_str);
        *self.0.entry((outcome.as_str(), channel, outcome.reason().as_str())).or_default() += 1;
    }

    fn emit(&self, log: &Log) {
        for ((outcome, channel, reason), count) in &self.0 {
            let mut metrics = Metrics::beside(log);
            metrics.set("Outcome", *outcome).set("Channel", *channel).set("Reason", *reason);
            metrics.count("Feedback", *count, &["Hook", "Outcome", "Channel", "Reason"]).emit(log);
        }
    }
}
