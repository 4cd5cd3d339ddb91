//! Send Okta's code through Twilio Verify.
//!
//! The order is fixed: is there time, is the code still good, can the number be dialled, what does the policy say
//! (`prepare`), send (`attempts`). The log's record is built once, at the end.

use std::time::Duration;

use crate::{
    okta::telephony::{OtpRequest, PHONE_NUMBER},
    otp::{
        attempts::{Attempted, Attempts, LEAST_TIME_FOR_FIRST_ATTEMPT},
        config::SendConfig,
        number::{LookupUsage, NumberLookup},
        outcome::{Failure, Outcome},
        policy::{DenyResponse, Policy},
        prepare::{Known, Preparation, Prepared, Route, Stop},
        sends::{Send, SendsTable},
    },
    phone::{DialableNumber, PhoneNumber, Region},
    reason::Reason,
    telemetry::{Log, LogEvent, SendRecord},
    time::{
        clock::{Clock, Timestamp},
        deadline::Deadline,
    },
    twilio::{
        lookup::LineType,
        verify::{Channel, Target, Updated, Verification, VerifyClient},
    },
};

/// The longest wait for what is pending to be cancelled, and the share of the budget that it may take.
const MAX_REPLACE_TIME: Duration = Duration::from_millis(400);
const REPLACE_SHARE_OF_BUDGET: u32 = 3;

/// The longest wait for the sends table, and the wait that it gets even if the budget has passed.
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
    clock: Clock,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sender").field("config", &self.config).finish_non_exhaustive()
    }
}

/// An outcome, and what is logged and measured about it.
#[derive(Debug)]
pub struct Report {
    /// What became of the code.
    pub outcome: Outcome,
    /// What is logged, and counted.
    pub record: SendRecord,
    /// Waiting for Verify, over all attempts; `None` if it was not asked.
    pub verify_latency: Option<Duration>,
    /// The request to Lookup; `None` if there was none.
    pub lookup: Option<LookupUsage>,
}

impl Sender {
    /// A sender for one Verify service. Without `lookup`, Lookup is never asked; without `sends`, the table is not.
    pub fn new(
        config: SendConfig,
        policy: Policy,
        lookup: Option<NumberLookup>,
        verify: VerifyClient,
        sends: Option<SendsTable>,
        clock: Clock,
    ) -> Self {
        Self { config, policy, lookup, verify, sends, clock }
    }

    /// What works and is probably not meant, for the log at start.
    pub fn warnings(&self) -> Vec<&'static str> {
        self.config.warnings()
    }

    /// All the time there is for one request.
    pub fn budget(&self) -> Duration {
        self.config.budget
    }

    /// Does what the request asks for, within the deadline.
    pub async fn send(&self, request: &OtpRequest, deadline: &Deadline, log: &Log) -> Report {
        let region = match &request.number {
            Ok(DialableNumber::International(to)) => to.country().into(),
            _ => Region::World,
        };
        let channel = self.config.channel(request.delivery, region, None);
        // Before Lookup, which costs money.
        let prepared = if deadline.remaining() < LEAST_TIME_FOR_FIRST_ATTEMPT {
            Stop::Failed(Failure::new(Reason::OutOfTime)).into()
        } else {
            let Self { config, policy, lookup, clock, .. } = self;
            Preparation { config, policy, lookup: lookup.as_ref(), clock, request, deadline, log }.run().await
        };
        let Prepared { known, lookup, decision } = prepared;
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
                self.send_by(&route, request, deadline, log).await
            }
            Err(stop) => Done::nothing(channel, self.outcome_of_stop(stop)),
        };
        Report {
            record: record_of(request, &known, lookup.as_ref(), &done, deadline),
            outcome: done.outcome,
            verify_latency: done.latency,
            lookup,
        }
    }

    async fn send_by(&self, route: &Route, request: &OtpRequest, deadline: &Deadline, log: &Log) -> Done {
        let replaced =
            if self.config.replace_pending { Some(self.replace_pending(&route.to, deadline, log).await) } else { None };
        if deadline.remaining() < LEAST_TIME_FOR_FIRST_ATTEMPT {
            let outcome = Outcome::Failed(Failure::new(Reason::OutOfTime));
            return Done { replaced, ..Done::nothing(route.channel, outcome) };
        }
        let (config, verify) = (&self.config, &self.verify);
        let attempts = Attempts { config, verify, request, to: &route.to, region: route.region, deadline, log };
        // Before the message, so that no event of its code can be older.
        let asked_at = self.clock.now();
        let Attempted { channel, requests, latency, result } = attempts.run(route.channel).await;
        if let (Some(table), Ok(verification)) = (&self.sends, &result) {
            // Boxed: the SDK's call is deeply nested, and not part of every send.
            Box::pin(remember(table, request, verification, (channel, asked_at), deadline, log)).await;
        }
        let outcome = self.outcome_of_attempts(result);
        Done { channel, requests, latency: Some(latency), replaced, outcome }
    }

    /// Cancels what is pending for the number, so that Verify cannot send an older code. Whatever comes of it, the send
    /// goes on, and has the time that it needs.
    async fn replace_pending(&self, to: &PhoneNumber, deadline: &Deadline, log: &Log) -> Replaced {
        let limit = MAX_REPLACE_TIME.min(self.config.budget / REPLACE_SHARE_OF_BUDGET);
        let deadline = deadline.earlier_by(LEAST_TIME_FOR_FIRST_ATTEMPT).within(limit);
        if deadline.remaining().is_zero() {
            return Replaced::failed(Reason::OutOfTime);
        }
        match self.verify.cancel(Target::Number(to), deadline, log).await {
            Ok(Updated::Done { .. }) => Replaced { result: "canceled", failure: None },
            Ok(Updated::NotPending) => Replaced { result: "nothing_pending", failure: None },
            Err(error) => Replaced::failed(Failure::of(&error).reason),
        }
    }

    fn outcome_of_stop(&self, stop: Stop) -> Outcome {
        match stop {
            Stop::Failed(failure) => Outcome::Failed(failure),
            Stop::Refused(reason) => {
                Outcome::Refused { failure: Failure::at(PHONE_NUMBER, reason), swallowed: self.swallows() }
            }
        }
    }

    fn outcome_of_attempts(&self, result: Result<Verification, Failure>) -> Outcome {
        match result {
            Ok(verification) => Outcome::Sent(verification),
            // Okta must not send what Twilio takes for fraud.
            Err(failure) if self.swallows() && is_protection(failure.reason) => {
                Outcome::Refused { failure, swallowed: true }
            }
            Err(failure) => Outcome::Failed(failure),
        }
    }

    fn swallows(&self) -> bool {
        self.policy.deny_response == DenyResponse::Swallow
    }
}

/// Remembers an accepted message, so that feedback finds its verification. A failure is logged and changes nothing else.
async fn remember(
    table: &SendsTable,
    request: &OtpRequest,
    verification: &Verification,
    (channel, sent_at): (Channel, Timestamp),
    deadline: &Deadline,
    log: &Log,
) {
    // Nobody signs in with a preview's code: no event will ask for it.
    if request.preview {
        return;
    }
    let (user_id, verification_sid) = (request.user_id.as_ref(), verification.sid.as_ref());
    let (reason, advice) = match (user_id, verification_sid) {
        (Some(user_id), Some(verification_sid)) => {
            let OtpRequest { delivery, request_type, .. } = *request;
            let send = Send { user_id, verification_sid, delivery, channel, request_type, sent_at, to_mac: None };
            let limit = deadline.for_duty(MIN_REMEMBER_TIME, MAX_REMEMBER_TIME);
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

/// Whether Twilio's own protection refused, which `DENY_RESPONSE` answers like the policy.
fn is_protection(reason: Reason) -> bool {
    matches!(reason, Reason::BlockedAsFraud | Reason::CountryBlockedByTwilio)
}

/// What was done about a code.
struct Done {
    /// The channel that was used last, or would have been used.
    channel: Channel,
    /// How many requests to Verify were made.
    requests: u32,
    /// Waiting for them.
    latency: Option<Duration>,
    replaced: Option<Replaced>,
    outcome: Outcome,
}

impl Done {
    fn nothing(channel: Channel, outcome: Outcome) -> Self {
        Self { channel, requests: 0, latency: None, replaced: None, outcome }
    }
}

/// What `REPLACE_PENDING` did.
struct Replaced {
    result: &'static str,
    failure: Option<Reason>,
}

impl Replaced {
    fn failed(reason: Reason) -> Self {
        Self { result: "failed", failure: Some(reason) }
    }
}

/// The log's record of a request.
fn record_of(
    request: &OtpRequest,
    known: &Known,
    lookup: Option<&LookupUsage>,
    done: &Done,
    deadline: &Deadline,
) -> SendRecord {
    let (sent, failure) = match &done.outcome {
        Outcome::Sent(verification) => (Some(verification), None),
        Outcome::Refused { failure, .. } | Outcome::Failed(failure) => (None, Some(failure)),
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
