//! Sends Okta's code through Twilio Verify.
//!
//! The order is fixed: check the time, the code's expiry, the number and the policy (`prepare`), then send
//! (`attempts`). The log record is built once, at the end.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    okta::telephony::{DeliveryChannel, OtpRequest, PHONE_NUMBER},
    otp::{
        attempts::{Attempted, Attempts, MIN_TIME_FOR_FIRST_ATTEMPT},
        config::SendConfig,
        number::{LookupUsage, NumberLookup},
        outcome::{SendFailure, SendOutcome},
        policy::{DenyResponse, Policy},
        prepare::{LoggedNumber, PreparedSend, Preparer, Route, Stop},
        resend::{self, Ladder, Resend},
        sends::{AcceptedMessage, SendsTable, TableError, ToMac},
    },
    phone::{Channel, DialableNumber, PhoneNumber, Region},
    reason::Reason,
    secrets::{HooksSecret, Pause},
    telemetry::{Log, LogEvent, SendRecord},
    time::{
        clock::{Clock, Timestamp},
        deadline::Deadline,
    },
    twilio::{
        lookup::LineType,
        verify::{Target, Updated, Verification, VerifyClient},
    },
};

/// Maximum time to cancel a pending verification, and the fraction of the budget that it may use.
const MAX_REPLACE_TIME: Duration = Duration::from_millis(400);
const REPLACE_SHARE_OF_BUDGET: u32 = 3;

/// Maximum time for the sends table, and the minimum that it gets even if the budget is used up.
const MAX_REMEMBER_TIME: Duration = Duration::from_millis(300);
const MIN_REMEMBER_TIME: Duration = Duration::from_millis(150);

/// Sends codes.
#[derive(Clone)]
pub struct Sender {
    config: SendConfig,
    policy: Policy,
    lookup: Option<NumberLookup>,
    verify: VerifyClient,
    sends: Option<SendsTable>,
    /// The last value of `paused` that this execution environment logged.
    last_pause: Arc<Mutex<Pause>>,
    clock: Clock,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sender").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A result, with its log record and its measurements.
#[derive(Debug)]
pub struct SendReport {
    /// The result for the code.
    pub outcome: SendOutcome,
    /// The log record, which metrics use too.
    pub record: SendRecord,
    /// The time spent on Verify, for all attempts. `None` if there was no request.
    pub verify_latency: Option<Duration>,
    /// The request to Lookup; `None` if there was none.
    pub lookup: Option<LookupUsage>,
}

impl Sender {
    /// Creates a sender for one Verify service. Without `lookup` it never calls Lookup, and without `sends` it never
    /// uses the table.
    pub fn new(
        config: SendConfig,
        policy: Policy,
        lookup: Option<NumberLookup>,
        verify: VerifyClient,
        sends: Option<SendsTable>,
        clock: Clock,
    ) -> Self {
        Self { config, policy, lookup, verify, sends, last_pause: Arc::default(), clock }
    }

    /// Settings that work but are probably not intended, for the log at startup.
    pub fn warnings(&self) -> Vec<&'static str> {
        self.config.warnings()
    }

    /// The time budget of one request.
    pub fn budget(&self) -> Duration {
        self.config.budget
    }

    /// Handles one request within the deadline.
    pub async fn send(&self, request: &OtpRequest, secret: &HooksSecret, deadline: &Deadline, log: &Log) -> SendReport {
        self.note_pause(&secret.paused, log);
        let region = match &request.number {
            Ok(DialableNumber::International(to)) => to.country().into(),
            _ => Region::World,
        };
        let channel = self.config.channel(request.delivery, region, None);
        // This check comes before Lookup, which costs money.
        let prepared = if deadline.remaining() < MIN_TIME_FOR_FIRST_ATTEMPT {
            Stop::Failed(SendFailure::new(Reason::OutOfTime)).into()
        } else {
            let Self { config, policy, lookup, clock, .. } = self;
            let (lookup, ladder, paused) = (lookup.as_ref(), self.ladder(request, secret), &secret.paused);
            Preparer { config, policy, lookup, ladder, paused, clock, request, deadline, log }.run().await
        };
        let PreparedSend { known, lookup, resend, decision } = prepared;
        let done = match decision {
            Ok(route) => {
                if let Some(reason) = route.would_refuse {
                    log.emit(&LogEvent::WouldRefuse {
                        reason,
                        request_type: request.request_type.as_str(),
                        channel: route.channel.as_str(),
                        phone: known.phone.clone(),
                        country: known.country,
                        user_id: request.user_id.clone(),
                        okta_event_id: request.event_id.clone(),
                    });
                }
                self.send_by(&route, request, secret, deadline, log).await
            }
            Err(stop) => SendResult::nothing(channel, self.outcome_of_stop(stop)),
        };
        SendReport {
            record: record_of(request, &known, (lookup.as_ref(), resend), &done, deadline),
            outcome: done.outcome,
            verify_latency: done.latency,
            lookup,
        }
    }

    async fn send_by(
        &self,
        route: &Route,
        request: &OtpRequest,
        secret: &HooksSecret,
        deadline: &Deadline,
        log: &Log,
    ) -> SendResult {
        let replaced =
            if self.config.replace_pending { Some(self.replace_pending(&route.to, deadline, log).await) } else { None };
        if deadline.remaining() < MIN_TIME_FOR_FIRST_ATTEMPT {
            let outcome = SendOutcome::Failed(SendFailure::new(Reason::OutOfTime));
            return SendResult { replaced, ..SendResult::nothing(route.channel, outcome) };
        }
        let (config, verify) = (&self.config, &self.verify);
        let (to, region) = (&route.to, route.region);
        let may_fall_back_to_sms = !secret.paused.applies(region, Channel::Sms);
        let attempts = Attempts { config, verify, request, to, region, may_fall_back_to_sms, deadline, log };
        // Taken before the send, so that no event about the code can be older.
        let asked_at = self.clock.now();
        let Attempted { channel, requests, latency, result } = attempts.run(route.channel).await;
        if let (Some(table), Ok(verification)) = (&self.sends, &result) {
            // Boxed, because the SDK's future is deeply nested and not every send uses it.
            let to_mac = if config.resend_channels.is_empty() { None } else { resend::mark(secret, to) };
            let sent = Accepted { verification, channel, asked_at, to_mac };
            Box::pin(remember(table, request, &sent, deadline, log)).await;
        }
        let outcome = self.outcome_of_attempts(result);
        SendResult { channel, requests, latency: Some(latency), replaced, outcome }
    }

    /// The ladder of `RESEND_CHANNELS`, for an SMS delivery to a known user. A call stays a call.
    fn ladder<'a>(&'a self, request: &'a OtpRequest, secret: &'a HooksSecret) -> Option<Ladder<'a>> {
        let channels = &self.config.resend_channels[..];
        if channels.is_empty() || request.delivery == DeliveryChannel::Call {
            return None;
        }
        Some(Ladder { channels, table: self.sends.as_ref()?, user_id: request.user_id.as_ref()?, secret })
    }

    /// Logs a pause and its end, once per change and execution environment.
    fn note_pause(&self, paused: &Pause, log: &Log) {
        // The lock covers only assignments, which cannot panic halfway.
        let mut last = self.last_pause.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != *paused {
            last.clone_from(paused);
            log.emit(&LogEvent::SendingPaused {
                active: paused.is_active(),
                everything: paused.is_of_everything(),
                countries: paused.regions().to_vec(),
                channels: paused.channels().to_vec(),
            });
        }
    }

    /// Cancels the pending verification of the number, so that Verify cannot send an older code. The send continues in
    /// any case, and has enough time left.
    async fn replace_pending(&self, to: &PhoneNumber, deadline: &Deadline, log: &Log) -> Replaced {
        let limit = MAX_REPLACE_TIME.min(self.config.budget / REPLACE_SHARE_OF_BUDGET);
        let deadline = deadline.earlier_by(MIN_TIME_FOR_FIRST_ATTEMPT).within(limit);
        if deadline.remaining().is_zero() {
            return Replaced::failed(Reason::OutOfTime);
        }
        match self.verify.cancel(Target::Number(to), deadline, log).await {
            Ok(Updated::Done { .. }) => Replaced { result: "canceled", failure: None },
            Ok(Updated::NotPending) => Replaced { result: "nothing_pending", failure: None },
            Err(error) => Replaced::failed(SendFailure::of(&error).reason),
        }
    }

    fn outcome_of_stop(&self, stop: Stop) -> SendOutcome {
        match stop {
            Stop::Failed(failure) => SendOutcome::Failed(failure),
            // Another number would not help.
            Stop::Refused(Reason::Paused) => {
                SendOutcome::Refused { failure: SendFailure::new(Reason::Paused), suppressed: self.suppresses() }
            }
            Stop::Refused(reason) => {
                SendOutcome::Refused { failure: SendFailure::at(PHONE_NUMBER, reason), suppressed: self.suppresses() }
            }
        }
    }

    fn outcome_of_attempts(&self, result: Result<Verification, SendFailure>) -> SendOutcome {
        match result {
            Ok(verification) => SendOutcome::Sent(verification),
            // Okta must not send a code that Twilio considers fraud.
            Err(failure) if self.suppresses() && is_protection(failure.reason) => {
                SendOutcome::Refused { failure, suppressed: true }
            }
            Err(failure) => SendOutcome::Failed(failure),
        }
    }

    fn suppresses(&self) -> bool {
        self.policy.deny_response == DenyResponse::Suppress
    }
}

/// A message that Twilio accepted.
struct Accepted<'a> {
    verification: &'a Verification,
    channel: Channel,
    /// When the request to Twilio started.
    asked_at: Timestamp,
    to_mac: Option<ToMac>,
}

/// Stores an accepted message, so that feedback finds its verification. A failure is only logged.
async fn remember(table: &SendsTable, request: &OtpRequest, accepted: &Accepted<'_>, deadline: &Deadline, log: &Log) {
    // No user signs in with a preview's code, so no event will need it.
    if request.preview {
        return;
    }
    let Accepted { verification, channel, asked_at: sent_at, ref to_mac } = *accepted;
    let (user_id, verification_sid) = (request.user_id.as_ref(), verification.sid.as_ref());
    let (reason, advice) = match (user_id, verification_sid) {
        (Some(user_id), Some(verification_sid)) => {
            let OtpRequest { delivery, request_type, .. } = *request;
            let send = AcceptedMessage {
                user_id,
                verification_sid,
                delivery,
                channel,
                request_type,
                sent_at,
                to_mac: to_mac.as_ref(),
            };
            let limit = deadline.for_required_work(MIN_REMEMBER_TIME, MAX_REMEMBER_TIME);
            match table.remember(&send, limit).await {
                Ok(()) => return,
                Err(error) => (error.reason(), Some(error.advice())),
            }
        }
        (None, _) => (Reason::EventWithoutUser, None),
        // The body of Twilio's response was lost.
        (_, None) => (Reason::TwilioInterrupted, None),
    };
    let (user_id, verification_sid) = (user_id.cloned(), verification_sid.cloned());
    log.emit(&LogEvent::SendNotRemembered { reason, user_id, verification_sid, advice });
}

/// Whether Twilio's own protection refused. `DENY_RESPONSE` handles it like a refusal by the policy.
fn is_protection(reason: Reason) -> bool {
    matches!(reason, Reason::BlockedAsFraud | Reason::CountryBlockedByTwilio)
}

/// The result of a send, before it is reported.
struct SendResult {
    /// The last channel that was used, or that would have been used.
    channel: Channel,
    /// The number of requests to Verify.
    requests: u32,
    /// The time spent on them.
    latency: Option<Duration>,
    replaced: Option<Replaced>,
    outcome: SendOutcome,
}

impl SendResult {
    fn nothing(channel: Channel, outcome: SendOutcome) -> Self {
        Self { channel, requests: 0, latency: None, replaced: None, outcome }
    }
}

/// The result of `REPLACE_PENDING`.
struct Replaced {
    result: &'static str,
    failure: Option<Reason>,
}

impl Replaced {
    fn failed(reason: Reason) -> Self {
        Self { result: "failed", failure: Some(reason) }
    }
}

/// The log record of a request.
fn record_of(
    request: &OtpRequest,
    known: &LoggedNumber,
    (lookup, resend): (Option<&LookupUsage>, Resend),
    done: &SendResult,
    deadline: &Deadline,
) -> SendRecord {
    let (sent, failure) = match &done.outcome {
        SendOutcome::Sent(verification) => (Some(verification), None),
        SendOutcome::Refused { failure, .. } | SendOutcome::Failed(failure) => (None, Some(failure)),
    };
    SendRecord {
        reason: failure.map_or(Reason::Accepted, |failure| failure.reason),
        request_type: request.request_type.as_str(),
        channel: done.channel.as_str(),
        phone: known.phone.clone(),
        country: known.country,
        line_type: known.line_type.map(LineType::as_str),
        network: known.network,
        sms_pumping_risk: known.sms_pumping_risk,
        user_id: request.user_id.clone(),
        okta_event_id: request.event_id.clone(),
        okta_request_id: request.request_id.clone(),
        verification_sid: sent.and_then(|verification| verification.sid.clone()),
        attempt_sid: sent.and_then(|verification| verification.attempt_sid.clone()),
        twilio_request_id: sent
            .and_then(|verification| verification.request_id.clone())
            .or_else(|| failure.and_then(|failure| failure.twilio_request_id.clone())),
        twilio_code: failure.and_then(|failure| failure.twilio_code),
        twilio_status: failure.and_then(|failure| failure.twilio_status),
        advice: failure.and_then(|failure| failure.advice),
        replaced: done.replaced.as_ref().map(|replaced| replaced.result),
        replace_failure: done.replaced.as_ref().and_then(|replaced| replaced.failure),
        earlier_sends: resend.earlier_sends,
        table_failure: resend.failure.map(TableError::reason),
        preview: request.preview,
        attempts: done.requests,
        duration_ms: millis(deadline.elapsed()),
        lookup_ms: lookup.map(|lookup| millis(lookup.latency)),
        verify_ms: millis(done.latency.unwrap_or_default()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
