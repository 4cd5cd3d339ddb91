//! Joins what the three sources say of one code. Ids join; times only where a source has no id.

use std::{collections::HashSet, convert::Infallible, time::Duration};

use okta_twilio::{id::SafeId, time::clock::Timestamp};
use okta_twilio_story::{Delivery, DeliveryState, FeedbackStep, Hook, Moment, OktaAct, OktaStep, Outcome, Story};
use serde_json::Value;

use crate::{
    aws::logs::Line,
    okta::system_log::{EventKind, EventResult, LogEvent},
    twilio::attempts::{Attempt, AttemptChannel, Conversion, DeliveryStatus},
};

/// A story without phones: only the sandbox sees these.
pub(crate) type CodeStory = Story<Infallible>;

/// Okta sends by itself at the latest so long after it called the hook.
const FAILOVER_LIMIT: Duration = Duration::from_secs(30);

/// Feedback comes at the latest so long after the code.
const FEEDBACK_LIMIT: Duration = Duration::from_mins(20);

/// The clocks of Okta and AWS differ by less.
const SKEW: Duration = Duration::from_secs(5);

/// What the sources returned.
#[derive(Default)]
pub(crate) struct Evidence {
    pub(crate) lines: Vec<Line>,
    pub(crate) events: Vec<LogEvent>,
    pub(crate) attempts: Vec<Attempt>,
}

/// The stories, oldest first.
pub(crate) fn stories(evidence: Evidence) -> Vec<CodeStory> {
    let mut joined = Joined::default();
    joined.read_lines(evidence.lines);
    for event in &evidence.events {
        joined.read_event(event);
    }
    for attempt in &evidence.attempts {
        joined.read_attempt(attempt);
    }
    let mut stories = joined.stories;
    for story in &mut stories {
        story.conclude();
    }
    stories.sort_by_key(|story| story.at);
    stories
}

#[derive(Default)]
struct Joined {
    stories: Vec<CodeStory>,
}

impl Joined {
    fn begin(&mut self, at: Moment, hook: Hook) -> &mut CodeStory {
        let id = u64::try_from(self.stories.len()).unwrap_or_default() + 1;
        self.stories.push(Story::new(id, at, hook));
        let last = self.stories.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "it was pushed just now")]
        &mut self.stories[last]
    }

    fn find(&mut self, wanted: impl Fn(&CodeStory) -> bool) -> Option<&mut CodeStory> {
        self.stories.iter_mut().rev().find(|story| wanted(story))
    }

    fn read_lines(&mut self, lines: Vec<Line>) {
        let mut invocations: Vec<(String, Vec<Value>)> = Vec::new();
        for line in lines.into_iter().map(Value::Object) {
            let Some(invocation) = text(&line, "function_request_id") else { continue };
            match invocations.iter_mut().find(|(known, _)| known == invocation) {
                Some((_, lines)) => lines.push(line),
                None => invocations.push((invocation.to_owned(), vec![line])),
            }
        }
        let mut feedback = Vec::new();
        for (invocation, lines) in invocations {
            let (of_feedback, lines): (Vec<_>, Vec<_>) =
                lines.into_iter().partition(|line| message(line).starts_with("feedback_"));
            feedback.extend(of_feedback);
            self.read_invocation(invocation, lines);
        }
        // A line with a verification belongs to one code only. The others of the same event follow it.
        feedback.sort_by_key(|line| text(line, "verification_sid").is_none());
        for line in feedback {
            self.read_feedback(line);
        }
    }

    fn read_invocation(&mut self, invocation: String, lines: Vec<Value>) {
        let is_decision = |line: &&Value| {
            matches!(message(line), "otp_sent" | "otp_refused" | "otp_failed" | "request_rejected" | "panicked")
        };
        let Some(decision) = lines.iter().find(is_decision) else { return };
        let hook = text(decision, "service").and_then(Hook::of_function);
        let (Some(hook), Some(at)) = (hook, moment(decision)) else { return };
        let took = decision.get("duration_ms").and_then(Value::as_u64).unwrap_or_default();
        let story = self.begin(at.earlier_by(Duration::from_millis(took)), hook);
        story.invocations.push(invocation);
        let (metrics, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.get("_aws").is_some());
        for line in lines {
            story.read_line(line);
        }
        // Only the metrics say what Okta was told of a refusal.
        if metrics.iter().any(|line| text(line, "Outcome") == Some("swallowed")) {
            story.conclude_swallowed();
        }
    }

    fn read_feedback(&mut self, line: Value) {
        let (Some(step), Some(at)) = (FeedbackStep::of_line(&line), moment(&line)) else { return };
        let (sid, user) = (text(&line, "verification_sid"), text(&line, "user_id"));
        let channel = text(&line, "channel").unwrap_or_default();
        let is_known = |story: &CodeStory| {
            step.event_uuid.is_some() && story.feedback.iter().any(|known| known.event_uuid == step.event_uuid)
        };
        let is_of_sid = |story: &CodeStory| sid.is_some() && story.verification_sid.as_deref() == sid;
        let is_of_user = |story: &CodeStory| {
            let is_call = story.asked.channel.as_deref() == Some("call");
            sid.is_none()
                && story.hook == Hook::Telephony
                && story.outcome == Outcome::Sent
                && user.is_some()
                && story.asked.user_id.as_deref() == user
                && story.at <= at.later(SKEW)
                && at.since(story.at) < FEEDBACK_LIMIT
                && (channel == "either" || is_call == (channel == "call"))
        };
        let position = [&is_of_sid as &dyn Fn(&CodeStory) -> bool, &is_known, &is_of_user]
            .iter()
            .find_map(|wanted| self.stories.iter().rposition(wanted));
        match position.and_then(|position| self.stories.get_mut(position)) {
            Some(story) if story.hook == Hook::Telephony => {
                story.give_feedback(step);
                story.log.push(line);
            }
            Some(story) => story.read_line(line),
            None => self.begin(at, Hook::Event).read_line(line),
        }
    }

    fn read_event(&mut self, event: &LogEvent) {
        let at = moment_of(event.published);
        match event.kind {
            EventKind::SmsSend | EventKind::CallSend => self.read_send(event, at),
            EventKind::InlineHookProcessed => {
                let request = event.details.hook.as_ref().and_then(|hook| hook.request_id.as_ref());
                let is_ours = |story: &CodeStory| is_invocation(story, request);
                if let Some(story) = self.find(is_ours) {
                    story.okta.push(OktaStep { at, act: OktaAct::ResponseRead });
                }
            }
            EventKind::InlineHookFailed => {
                // It names no user and no request of ours, so only the time is left.
                let is_near = |story: &CodeStory| {
                    story.hook == Hook::Telephony && at.later(SKEW) >= story.at && at.since(story.at) < SKEW * 2
                };
                let near: HashSet<_> =
                    self.stories.iter().filter(|story| is_near(story)).map(|story| story.id).collect();
                if let ([_one], Some(story)) = (near.iter().collect::<Vec<_>>().as_slice(), self.find(is_near)) {
                    story.okta.push(OktaStep { at, act: OktaAct::ResponseUnusable });
                }
            }
            EventKind::EventHookDelivery | EventKind::Authentication | EventKind::Enrollment | EventKind::Other => {}
        }
    }

    fn read_send(&mut self, event: &LogEvent, at: Moment) {
        let user = event.user.as_ref().map(SafeId::as_str);
        let sid = event.details.provider_transaction.as_ref().map(SafeId::as_str).filter(|sid| sid.starts_with("VE"));
        let act = match event.result {
            EventResult::Deny => OktaAct::Denied,
            EventResult::Failure | EventResult::Skipped => OktaAct::NotSent,
            _ if event.details.is_failover => OktaAct::SentAfterHook,
            _ if sid.is_some() => OktaAct::HookSent,
            _ => OktaAct::SentItself,
        };
        let step = OktaStep { at, act };
        let is_of_sid = |story: &CodeStory| sid.is_some() && story.verification_sid.as_deref() == sid;
        let is_near = |story: &CodeStory| {
            story.hook == Hook::Telephony && story.at <= at.later(SKEW) && at.since(story.at) < FAILOVER_LIMIT
        };
        let is_of_user = |story: &CodeStory| {
            sid.is_none() && is_near(story) && user.is_some() && story.asked.user_id.as_deref() == user
        };
        // A request that was rejected before it was read has no user.
        let has_no_user = |story: &CodeStory| {
            act == OktaAct::SentAfterHook && is_near(story) && story.asked.user_id.is_none() && story.okta.is_empty()
        };
        let position = [&is_of_sid as &dyn Fn(&CodeStory) -> bool, &is_of_user, &has_no_user]
            .iter()
            .find_map(|wanted| self.stories.iter().rposition(wanted));
        let story = match position.and_then(|position| self.stories.get_mut(position)) {
            Some(story) => story,
            None => self.begin(at, Hook::Telephony),
        };
        story.okta.push(step);
        let asked = &mut story.asked;
        asked.user_id = asked.user_id.take().or_else(|| user.map(str::to_owned));
        let phone = event.details.phone.as_ref();
        asked.number = asked.number.take().or_else(|| phone.map(ToString::to_string));
        let channel = if event.kind == EventKind::CallSend { "call" } else { "sms" };
        asked.channel = asked.channel.take().or_else(|| Some(channel.to_owned()));
        story.verification_sid = story.verification_sid.take().or_else(|| sid.map(str::to_owned));
    }

    fn read_attempt(&mut self, attempt: &Attempt) {
        let delivery = Delivery {
            at: moment_of(attempt.created),
            state: state(attempt),
            error_code: attempt.delivery.error_code,
            is_converted: attempt.conversion_status == Conversion::Converted,
        };
        let sid = attempt.verification_sid.as_str();
        let attempt_sid = attempt.sid.as_str();
        let is_of_attempt =
            |story: &CodeStory| story.log.iter().any(|line| text(line, "attempt_sid") == Some(attempt_sid));
        // Several messages of one verification are several codes: an attempt belongs to the one before it.
        let is_before = |story: &CodeStory| {
            story.hook == Hook::Telephony
                && story.verification_sid.as_deref() == Some(sid)
                && story.at <= delivery.at.later(SKEW)
        };
        let position = self.stories.iter().rposition(is_of_attempt);
        let position = position.or_else(|| {
            let before = self.stories.iter().enumerate().filter(|(_, story)| is_before(story));
            before.max_by_key(|(_, story)| story.at).map(|(position, _)| position)
        });
        let story = match position.and_then(|position| self.stories.get_mut(position)) {
            Some(story) => story,
            None => self.begin(delivery.at, Hook::Telephony),
        };
        story.verification_sid = story.verification_sid.take().or_else(|| Some(sid.to_owned()));
        let channel = match attempt.channel {
            AttemptChannel::Sms => Some("sms"),
            AttemptChannel::Call => Some("call"),
            AttemptChannel::Whatsapp => Some("whatsapp"),
            AttemptChannel::Other => None,
        };
        let asked = &mut story.asked;
        asked.channel = asked.channel.take().or_else(|| channel.map(str::to_owned));
        asked.number = asked.number.take().or_else(|| attempt.delivery.phone.as_ref().map(ToString::to_string));
        story.deliveries.push(delivery);
    }
}

fn state(attempt: &Attempt) -> DeliveryState {
    use DeliveryStatus::{
        Busy, Canceled, Completed, Delivered, Failed, NoAnswer, PartiallyDelivered, Read, Undelivered,
    };
    match attempt.delivery.status() {
        Some(Delivered | Read | PartiallyDelivered | Completed) => DeliveryState::Delivered,
        Some(Undelivered | Failed | Canceled) => DeliveryState::Failed,
        Some(Busy | NoAnswer) => DeliveryState::NotAnswered,
        _ if attempt.delivery.error_code.is_some() => DeliveryState::Failed,
        _ => DeliveryState::Pending,
    }
}

fn is_invocation(story: &CodeStory, request: Option<&SafeId>) -> bool {
    request.is_some_and(|request| story.invocations.iter().any(|known| known == request.as_str()))
}

/// The time of a log line.
pub(crate) fn moment(line: &Value) -> Option<Moment> {
    text(line, "timestamp").and_then(Moment::parse)
}

fn moment_of(time: Timestamp) -> Moment {
    Moment::from_unix_millis(time.as_millis())
}

fn message(line: &Value) -> &str {
    text(line, "message").unwrap_or_default()
}

fn text<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line.get(name).and_then(Value::as_str)
}
