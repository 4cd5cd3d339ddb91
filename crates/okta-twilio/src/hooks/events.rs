//! The event hook: from a gateway request, or a queue batch, to its response.
//!
//! The order is authenticate, parse, act, respond. Okta waits 3 s, retries once after a 5xx and then drops the
//! delivery. So the hook returns 503 only if redelivery can help. Lambda's own limit is the only limit on the size of a
//! delivery, because Okta does not retry after a 413.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

use crate::{
    config::{StartError, Variables},
    feedback::{
        approve::{self, Feedback, FeedbackConfig, FeedbackFailure, FeedbackOutcome},
        queue::{self, BatchResponse, NotABatch, Queue, QueueMessage},
    },
    hooks::{
        context::{HookContext, Rejection},
        gateway::{GatewayResponse, HookRequest, HookResponse, NotARequest},
    },
    okta::{
        OktaSecret,
        client::{OktaClient, OktaConfig},
        event::{EventDelivery, PhoneChannel, PhoneSuccess, UnusableEvent},
    },
    otp::sends::SendsTable,
    reason::Reason,
    secrets::Cached,
    telemetry::{FeedbackRecord, Log, Metric},
    time::{
        clock::{Clock, Timestamp},
        deadline::Deadline,
    },
};

/// Time budget of one delivery, counted from the gateway. It leaves time for the response within Okta's 3 s.
const DELIVERY_BUDGET: Duration = Duration::from_millis(2_500);

/// Time reserved before the Lambda timeout to return the response to a delivery, after the grace period of the last call.
const RESPONSE_MARGIN: Duration = Duration::from_millis(250);

/// How many events are processed in parallel. It is enough for a large delivery, and below Twilio's throttling limit.
const CONCURRENCY: usize = 8;

/// The same for the users of a batch. A batch has ten messages at most, so five and eight need two rounds both, and five
/// need fewer connections.
const BATCH_CONCURRENCY: usize = 5;

/// Time reserved before the Lambda timeout to return the batch response.
const BATCH_RESPONSE_MARGIN: Duration = Duration::from_millis(1_000);

/// Time budget of one batch if the end of the invocation is unknown.
const BATCH_TIME_WITHOUT_END: Duration = Duration::from_secs(10);

/// Maximum delay of a message at the request of Okta or Twilio. Its verification lives ten minutes.
const MAX_DELAY: Duration = Duration::from_secs(300);

/// The header of Okta's one-time verification request.
const CHALLENGE: &str = "x-okta-verification-challenge";

/// The event hook, built once.
#[derive(Clone)]
pub struct EventHook {
    context: HookContext,
    okta_secret: Option<Arc<Cached<OktaSecret>>>,
    feedback: Feedback,
    queue: Option<Queue>,
    /// The services that Okta's first delivery leads to: the queue, or Twilio, the sends table and Okta.
    first_urls: Vec<Url>,
}

impl std::fmt::Debug for EventHook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EventHook").field("feedback", &self.feedback).finish_non_exhaustive()
    }
}

/// The response to Okta's one-time verification request.
#[derive(Serialize)]
struct ChallengeResponse<'a> {
    verification: &'a str,
}

impl EventHook {
    /// Builds the hook from its variables.
    ///
    /// # Errors
    /// Fails if a variable is invalid.
    pub async fn build(variables: &Variables<'_>, clock: Clock) -> Result<Self, StartError> {
        let config = FeedbackConfig::from_variables(variables)?;
        let queue_url = queue::queue_url(variables)?;
        let okta = if config.sources.is_empty() { None } else { Some(OktaConfig::from_variables(variables)?) };
        let problem = "must be header for this function: Okta's event hooks have no other authentication";
        variables.read("AUTH_MODE", (problem, "header"), |mode| (mode == "header").then_some(()))?;
        let context = HookContext::build(variables, clock).await?;
        let okta_url = okta.as_ref().map(|okta| okta.api_url.clone());
        let okta_secret =
            okta.as_ref().map(|okta| context.secrets.cached(&okta.secret_id, context.secret_ttl, OktaSecret::read));
        let okta = okta.zip(okta_secret.clone());
        let okta =
            okta.map(|(okta, secret)| OktaClient::new(context.http.clone(), &okta, secret, context.clock.clone()));
        let sends = config.sends_table.clone().map(|table| SendsTable::new(&context.sdk, &context.http, table));
        let queue = queue_url.map(|url| Queue::new(&context.sdk, &context.http, url));
        let table_url = sends.as_ref().and_then(|sends| sends.endpoint().cloned());
        let first_urls = match &queue {
            Some(queue) => queue.endpoint().cloned().into_iter().collect(),
            None => [context.verify_url.clone()].into_iter().chain(table_url).chain(okta_url).collect(),
        };
        let feedback = Feedback::new(config, context.verify.clone(), sends, okta, context.clock.clone());
        Ok(Self { context, okta_secret, feedback, queue, first_urls })
    }

    /// Does the work of INIT, so that no request has to wait for it.
    pub async fn prepare(&self, log: &Log) {
        // With a queue, only batches call Okta, and they have enough time.
        let okta_secret = self.okta_secret.as_ref().filter(|_| self.queue.is_none());
        self.context.prepare(okta_secret, &self.first_urls, log).await;
    }

    /// Handles one invocation: a request or a batch. Always returns a response, also for an event that it cannot
    /// process. `end` is the time at which Lambda ends the invocation.
    pub async fn handle(&self, event: &str, end: Timestamp, log: &Log) -> InvocationResponse {
        self.context.begin_invocation();
        let response = match queue::records(event) {
            None => InvocationResponse::Gateway(self.handle_request(event, end, log).await.into_event()),
            Some(records) => InvocationResponse::Batch(self.handle_batch(records, end, log).await),
        };
        self.context.end_invocation(self.okta_secret.as_ref(), log).await;
        response
    }

    async fn handle_request(&self, event: &str, end: Timestamp, log: &Log) -> HookResponse {
        let started = Instant::now();
        let request = match HookRequest::from_event(event) {
            Err(NotARequest::Ping) => return HookResponse::empty(StatusCode::NO_CONTENT),
            request => request.map_err(Rejection::from),
        };
        let mut metrics = log.metrics();
        let response = match self.try_request(request, end, log).await {
            Ok(response) => response,
            Err(rejection) => rejection.into_response("GET, POST", log, &mut metrics),
        };
        metrics.duration(Metric::HookLatency, started.elapsed());
        log.emit_metrics(&metrics);
        response
    }

    async fn try_request(
        &self,
        request: Result<HookRequest, Rejection>,
        end: Timestamp,
        log: &Log,
    ) -> Result<HookResponse, Rejection> {
        let request = request?;
        let now = self.context.clock.now();
        let deadline = Deadline::starting(DELIVERY_BUDGET, now, request.gateway_time);
        let deadline = deadline.before_end(end, now, RESPONSE_MARGIN);
        self.context.authenticate(&request, &deadline, log).await?;
        match request.method {
            Method::GET => verification(&request),
            Method::POST => {
                let delivery = EventDelivery::parse(&request.body, now)
                    .map_err(|error| Rejection { reason: Reason::NotAHookRequest, location: error.location() })?;
                Ok(self.take(delivery, &deadline, log).await)
            }
            _ => Err(Rejection::new(Reason::MethodNotAllowed)),
        }
    }

    /// Stores the events that need feedback in the queue. Without a queue, gives the feedback at once.
    async fn take(&self, delivery: EventDelivery, deadline: &Deadline, log: &Log) -> HookResponse {
        let mut tally = Tally::default();
        for event in delivery.unusable {
            tally.add(None, unusable(event, log));
        }
        let (outcomes, all_stored) = match &self.queue {
            Some(queue) => store(queue, &delivery.phone_successes, deadline, log).await,
            None => self.give(&delivery.phone_successes, deadline, log).await,
        };
        for (success, outcome) in outcomes {
            tally.add(Some(success.channel), outcome);
        }
        tally.emit(log);
        // Okta reads only the status.
        HookResponse::empty(if all_stored { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE })
    }

    /// Gives feedback for several events in parallel. The second value is false if redelivery can help with at least
    /// one failure.
    async fn give<'a>(
        &self,
        successes: &'a [PhoneSuccess],
        deadline: &Deadline,
        log: &Log,
    ) -> (Vec<(&'a PhoneSuccess, FeedbackOutcome)>, bool) {
        let give = |success| async move { (success, self.feedback.give(success, None, deadline, log).await) };
        let outcomes: Vec<_> = stream::iter(successes).map(give).buffer_unordered(CONCURRENCY).collect().await;
        let redelivery_helps = outcomes.iter().any(|(_, outcome)| outcome.needs_redelivery());
        (outcomes, !redelivery_helps)
    }

    /// Processes a batch from the queue: different users in parallel, the events of one user in order. A failed message
    /// and the messages after it in its group stay in the queue.
    async fn handle_batch(
        &self,
        records: Result<Vec<QueueMessage>, NotABatch>,
        end: Timestamp,
        log: &Log,
    ) -> BatchResponse {
        let deadline = batch_deadline(end, self.context.clock.now());
        let mut tally = Tally::default();
        let response = if let Ok(records) = records {
            let work = |group| self.process_group(group, &deadline, log);
            let groups = stream::iter(groups(records)).map(work).buffer_unordered(BATCH_CONCURRENCY);
            let worked: Vec<GroupResult> = groups.collect().await;
            let mut failed = Vec::new();
            for mut group in worked {
                failed.append(&mut group.failed);
                group.outcomes.into_iter().for_each(|(channel, outcome)| tally.add(channel, outcome));
            }
            BatchResponse::failed(failed)
        } else {
            tally.add(None, unreadable(None, log));
            BatchResponse::all_failed()
        };
        // This line carries the cold start metric.
        log.emit_metrics(&log.metrics());
        tally.emit(log);
        response
    }

    async fn process_group(&self, group: Vec<QueueMessage>, deadline: &Deadline, log: &Log) -> GroupResult {
        let mut worked = GroupResult::default();
        let mut records = group.into_iter();
        while let Some(record) = records.next() {
            let channel = record.message.as_ref().map(|success| success.channel);
            let outcome = self.process(&record, deadline, log).await;
            worked.outcomes.push((channel, outcome));
            let FeedbackOutcome::Failed(failure) = outcome else { continue };
            let is_unreadable = record.message.is_none();
            let mut failed = vec![record];
            // An unreadable message has no order to keep. For any other failure, the user's later events wait as well,
            // for the same time: SQS returns no message of a group while one of its messages is hidden.
            if !is_unreadable {
                failed.extend(records.by_ref());
            }
            let postponed = failed.iter().map(|record| self.postpone(record, failure));
            stream::iter(postponed).buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
            worked.failed.extend(failed.into_iter().map(|record| record.message_id));
        }
        worked
    }

    async fn process(&self, record: &QueueMessage, deadline: &Deadline, log: &Log) -> FeedbackOutcome {
        match &record.message {
            None => unreadable(Some(record), log),
            Some(success) => self.feedback.give(success, Some(record.receive_count), deadline, log).await,
        }
    }

    /// Hides a message that may succeed later. Any other message waits for the queue's own visibility timeout, so
    /// nothing is lost while someone fixes the cause.
    async fn postpone(&self, record: &QueueMessage, failure: FeedbackFailure) {
        if let (true, Some(queue), Some(receipt_handle)) = (failure.is_transient, &self.queue, &record.receipt_handle) {
            let back_off = queue::back_off(record.receive_count);
            let delay = failure.retry_after.map_or(back_off, |asked| asked.min(MAX_DELAY).max(back_off));
            // If this call fails, the queue's own visibility timeout applies.
            let _ = queue.postpone(receipt_handle, delay).await;
        }
    }
}

/// Lambda ends an invocation in the future. A local emulator may set an end in the past (cargo-lambda uses a constant).
/// The batch then gets a default time budget.
fn batch_deadline(end: Timestamp, now: Timestamp) -> Deadline {
    if end > now {
        Deadline::until(end, now).earlier_by(BATCH_RESPONSE_MARGIN)
    } else {
        Deadline::starting(BATCH_TIME_WITHOUT_END, now, None)
    }
}

/// The response to one invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum InvocationResponse {
    /// The response to a request.
    Gateway(GatewayResponse),
    /// The response to a batch.
    Batch(BatchResponse),
}

/// The result of one group in a batch.
#[derive(Default)]
struct GroupResult {
    outcomes: Vec<(Option<PhoneChannel>, FeedbackOutcome)>,
    /// The ids of the messages that stay in the queue.
    failed: Vec<String>,
}

/// Groups the messages. The order within a group stays the same.
fn groups(records: Vec<QueueMessage>) -> Vec<Vec<QueueMessage>> {
    let mut groups: BTreeMap<String, Vec<QueueMessage>> = BTreeMap::new();
    for record in records {
        groups.entry(record.group.clone()).or_default().push(record);
    }
    groups.into_values().collect()
}

/// Stores events in the queue. The second value says whether all of them were stored.
async fn store<'a>(
    queue: &Queue,
    successes: &'a [PhoneSuccess],
    deadline: &Deadline,
    log: &Log,
) -> (Vec<(&'a PhoneSuccess, FeedbackOutcome)>, bool) {
    let results = queue.store(successes, deadline).await;
    let all_stored = results.iter().all(Result::is_ok);
    let report = |(success, result): (&'a PhoneSuccess, Result<(), queue::QueueError>)| {
        let mut record = approve::record_of(success, Reason::Queued);
        record.advice = result.err().map(queue::QueueError::advice);
        let outcome = match result {
            Ok(()) => FeedbackOutcome::Queued,
            Err(error) if error.is_transient() => FeedbackOutcome::transient(error.reason()),
            Err(error) => FeedbackOutcome::permanent(error.reason()),
        };
        approve::emit(outcome, record, log);
        (success, outcome)
    };
    (successes.iter().zip(results).map(report).collect(), all_stored)
}

/// Logs an event that cannot get feedback.
fn unusable(event: UnusableEvent, log: &Log) -> FeedbackOutcome {
    let outcome = FeedbackOutcome::permanent(event.reason);
    let mut record = FeedbackRecord::new(Some(event.event_uuid), event.reason);
    record.advice = Some("Report the form of this event. Okta's System Log shows it under this uuid.");
    approve::emit(outcome, record, log);
    outcome
}

/// Logs a message or a whole batch that is not ours.
fn unreadable(message: Option<&QueueMessage>, log: &Log) -> FeedbackOutcome {
    let outcome = FeedbackOutcome::permanent(Reason::MessageUnreadable);
    let mut record = FeedbackRecord::new(None, Reason::MessageUnreadable);
    record.message_id = message.and_then(QueueMessage::log_id);
    record.receive_count = message.map(|message| message.receive_count);
    record.advice = Some("Look at the message in the dead-letter queue, and find out who else sends to the queue.");
    approve::emit(outcome, record, log);
    outcome
}

fn verification(request: &HookRequest) -> Result<HookResponse, Rejection> {
    let challenge = request.headers.get(CHALLENGE).and_then(|value| value.to_str().ok());
    let missing = Rejection { reason: Reason::ChallengeMissing, location: Some(CHALLENGE) };
    let verification = challenge.filter(|challenge| !challenge.is_empty()).ok_or(missing)?;
    Ok(HookResponse::json(StatusCode::OK, &ChallengeResponse { verification }))
}

/// Counts of each outcome in one invocation.
#[derive(Default)]
struct Tally(BTreeMap<(&'static str, &'static str, &'static str), u64>);

impl Tally {
    fn add(&mut self, channel: Option<PhoneChannel>, outcome: FeedbackOutcome) {
        let channel = channel.map_or("unknown", PhoneChannel::as_str);
        *self.0.entry((outcome.as_str(), channel, outcome.reason().as_str())).or_default() += 1;
    }

    fn emit(&self, log: &Log) {
        for ((outcome, channel, reason), count) in &self.0 {
            let mut metrics = log.further_metrics();
            metrics.set("Outcome", outcome).set("Channel", channel).set("Reason", reason);
            log.emit_metrics(metrics.count(Metric::Feedback, *count));
        }
    }
}
