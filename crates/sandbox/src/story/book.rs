//! Builds stories from what arrives, in any order: requests, responses, log lines and Twilio's side.
//!
//! A function handles one request at a time. So a new piece belongs to the oldest story that still waits for it, unless
//! an id names another story. Readers receive each change as a server-sent event.

use super::{Asked, FeedbackStep, Hook, HookResponse, Outcome, Story, TwilioStep, request};
use crate::clock::{Clock, Moment};
use crate::twilio::faults::Operation;
use crate::twilio::records::{Channel, Message, RecordedRequest, Status};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The maximum number of stories. The oldest is dropped first.
const MEMORY: usize = 500;
/// The maximum number of lines that wait for a story. All of them are dropped when there are more.
const LOOSE_MEMORY: usize = 1_000;
/// After this time, a waiting story receives nothing more from Twilio's side.
const TWILIO_LIMIT: Duration = Duration::from_secs(10);
/// After this time, a waiting story receives only log lines that carry its ids.
const LOG_LIMIT: Duration = Duration::from_mins(1);

/// The effect of a request to Twilio.
pub(crate) struct Traffic {
    pub(crate) request: RecordedRequest,
    /// The message that it sent to a phone.
    pub(crate) message: Option<Message>,
}

/// All stories and their readers.
#[derive(Default)]
pub(crate) struct Stories(Mutex<Book>);

#[derive(Default)]
struct Book {
    /// The stories by id, oldest first.
    stories: BTreeMap<u64, Story>,
    last_id: u64,
    /// Lines that arrived before their story was known, by invocation.
    loose: HashMap<String, Vec<Value>>,
    changed: BTreeSet<u64>,
    readers: Vec<UnboundedSender<Bytes>>,
}

impl Stories {
    /// Newest first.
    pub(crate) fn all(&self) -> Vec<Story> {
        self.book().stories.values().rev().cloned().collect()
    }

    pub(crate) fn find(&self, id: u64) -> Option<Story> {
        self.book().stories.get(&id).cloned()
    }

    /// Starts the story of an event that the door sends. Returns the story's id.
    pub(crate) fn asked(&self, hook: Hook, event: &Value, recorded: Option<&str>) -> u64 {
        self.change(|book| {
            let id = book.begin(hook, now());
            if let Some(story) = book.touch(id) {
                story.asked = Asked { recorded: recorded.map(str::to_owned), ..request::of_event(event) };
            }
            id
        })
    }

    /// Adds the response to the request of [`asked`](Self::asked).
    pub(crate) fn answered(&self, id: u64, answer: Result<(u16, String), String>, took: Duration) {
        self.change(|book| book.answer(id, answer, took));
    }

    /// Adds a line that a function wrote. Ignores a line that is not the log line of an invocation.
    pub(crate) fn log_line(&self, line: &str) {
        if let Ok(line) = serde_json::from_str::<Value>(line)
            && let Some(invocation) = text(&line, "function_request_id")
            && let Some(hook) = text(&line, "service").as_deref().and_then(Hook::of_function)
        {
            self.change(|book| book.log(hook, &invocation, line));
        }
    }

    /// Adds a request that reached Twilio.
    pub(crate) fn twilio(&self, traffic: Traffic) {
        self.change(|book| book.twilio(traffic));
    }

    /// Updates the status of the stories' verifications.
    pub(crate) fn settle(&self, status: impl Fn(&str) -> Option<Status>) {
        self.change(|book| {
            for story in book.stories.values_mut() {
                let is_open = matches!(story.verification, None | Some(Status::Pending));
                let current = story.verification_sid.as_deref().filter(|_| is_open).and_then(&status);
                if current.is_some() && current != story.verification {
                    story.verification = current;
                    book.changed.insert(story.id);
                }
            }
        });
    }

    /// Removes all stories and notifies the readers.
    pub(crate) fn reset(&self) {
        let mut book = self.book();
        book.stories.clear();
        book.loose.clear();
        book.publish("reset", &Value::Null);
    }

    /// Sends an event to the readers.
    pub(crate) fn publish(&self, event: &str, data: &impl Serialize) {
        self.book().publish(event, data);
    }

    /// Adds a reader. It receives all stories and `state` first, then each change.
    pub(crate) fn read(&self, state: &impl Serialize) -> (Bytes, UnboundedReceiver<Bytes>) {
        let (reader, changes) = unbounded_channel();
        let mut book = self.book();
        book.readers.push(reader);
        let all: Vec<&Story> = book.stories.values().collect();
        (server_sent("all", &json!({ "stories": all, "state": state })), changes)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        let mut book = self.book();
        let result = change(&mut book);
        book.publish_changed();
        result
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn begin(&mut self, hook: Hook, at: Moment) -> u64 {
        if self.stories.len() >= MEMORY {
            self.stories.pop_first();
        }
        self.last_id += 1;
        self.stories.insert(self.last_id, Story::new(self.last_id, at, hook));
        self.last_id
    }

    /// Returns a story to change, and marks it as changed.
    fn touch(&mut self, id: u64) -> Option<&mut Story> {
        self.changed.insert(id);
        self.stories.get_mut(&id)
    }

    fn publish_changed(&mut self) {
        for id in std::mem::take(&mut self.changed) {
            let Some(story) = self.stories.get_mut(&id) else { continue };
            story.conclude();
            if !self.readers.is_empty() {
                let event = server_sent("story", story);
                self.readers.retain(|reader| reader.send(event.clone()).is_ok());
            }
        }
    }

    fn publish(&mut self, event: &str, data: &impl Serialize) {
        if !self.readers.is_empty() {
            let event = server_sent(event, data);
            self.readers.retain(|reader| reader.send(event.clone()).is_ok());
        }
    }

    fn answer(&mut self, id: u64, answer: Result<(u16, String), String>, took: Duration) {
        let took_ms = Some(milliseconds(took));
        let (response, body) = match answer {
            Ok((status, body)) => {
                let body: Value = serde_json::from_str(&body).unwrap_or_default();
                (HookResponse { status: Some(status), took_ms, ..response_of_body(&body) }, body)
            }
            Err(error) => (
                HookResponse { status: None, word: "no response".to_owned(), text: error, took_ms, body: None },
                Value::Null,
            ),
        };
        let invocation = body.pointer("/debugContext/requestId").and_then(Value::as_str);
        // The log line may have arrived first and started a story of its own.
        let known = invocation.and_then(|invocation| self.of_invocation(invocation)).filter(|known| *known != id);
        let Some(story) = self.touch(id) else { return };
        story.response = Some(response);
        if known.is_none()
            && let Some(invocation) = invocation
            && !story.invocations.iter().any(|known| known == invocation)
        {
            story.invocations.push(invocation.to_owned());
        }
        if story.hook == Hook::Event && story.outcome == Outcome::Waiting {
            story.outcome = Outcome::Reported;
        }
    }

    fn log(&mut self, hook: Hook, invocation: &str, line: Value) {
        if line.get("_aws").is_some() {
            if text(&line, "Outcome").as_deref() == Some("swallowed")
                && let Some(id) = self.of_invocation(invocation)
                && let Some(story) = self.touch(id)
            {
                story.conclude_swallowed();
            }
            return;
        }
        let message = text(&line, "message").unwrap_or_default();
        let id = match (hook, message.as_str()) {
            (Hook::Telephony, "otp_sent" | "otp_refused" | "otp_failed") | (_, "request_rejected" | "panicked") => {
                Some(self.of_decision(hook, invocation, &line))
            }
            (Hook::Event, name) if name.starts_with("feedback_") => Some(self.of_feedback(invocation, &line)),
            _ => self.of_invocation(invocation),
        };
        let Some(id) = id else {
            if self.loose.len() >= LOOSE_MEMORY {
                self.loose.clear();
            }
            self.loose.entry(invocation.to_owned()).or_default().push(line);
            return;
        };
        let earlier = self.loose.remove(invocation).unwrap_or_default();
        let Some(story) = self.touch(id) else { return };
        if !story.invocations.iter().any(|known| known == invocation) {
            story.invocations.push(invocation.to_owned());
        }
        story.log.extend(earlier);
        story.read_line(line.clone());
        if let Some(step) = FeedbackStep::of_line(&line) {
            let sending = self.of_sending(&line);
            // While the event waited in the queue, only its user was known, and the user may have received several
            // codes.
            self.take_back(&step, sending);
            if let Some(sending) = sending.and_then(|id| self.touch(id)) {
                sending.log.push(line);
                sending.give_feedback(step);
            }
        }
    }

    fn of_invocation(&self, invocation: &str) -> Option<u64> {
        self.newest(|story| story.invocations.iter().any(|known| known == invocation))
    }

    fn newest(&self, wanted: impl Fn(&Story) -> bool) -> Option<u64> {
        self.stories.values().rev().find(|story| wanted(story)).map(|story| story.id)
    }

    fn oldest(&self, wanted: impl Fn(&Story) -> bool) -> Option<u64> {
        self.stories.values().find(|story| wanted(story)).map(|story| story.id)
    }

    /// The story of a decision: the one with its id, else the oldest one without a decision, else a new one.
    fn of_decision(&mut self, hook: Hook, invocation: &str, line: &Value) -> u64 {
        let now = now();
        let differ =
            |one: &Option<String>, name| matches!((one, text(line, name)), (Some(one), Some(two)) if *one != two);
        let waits = |story: &Story| {
            story.hook == hook
                && story.decided.is_none()
                && story.feedback.is_empty()
                && story.invocations.is_empty()
                && now.since(story.at) < LOG_LIMIT
                // A rejected request never reaches Twilio.
                && (story.twilio.is_empty() || text(line, "message").as_deref() != Some("request_rejected"))
                && !differ(&story.asked.okta_event_id, "okta_event_id")
                && !differ(&story.asked.user_id, "user_id")
                // A delivery that reports no code has no log line. It cannot be the rejected one.
                && match (story.response.as_ref().and_then(|response| response.status), line.get("status")) {
                    (Some(response), Some(logged)) => logged.as_u64() == Some(response.into()),
                    _ => true,
                }
                && text(line, "phone").is_none_or(|phone| story.asked.can_be(&phone))
        };
        let known = self.of_invocation(invocation).or_else(|| self.oldest(waits));
        known.unwrap_or_else(|| {
            let took = line.get("duration_ms").and_then(Value::as_u64).unwrap_or_default();
            self.begin(hook, now.earlier_by(Duration::from_millis(took)))
        })
    }

    /// The delivery that a feedback line belongs to.
    fn of_feedback(&mut self, invocation: &str, line: &Value) -> u64 {
        let uuid = text(line, "event_uuid");
        let by_uuid = |story: &Story| {
            story.hook == Hook::Event && uuid.as_ref().is_some_and(|uuid| story.asked.event_uuids.contains(uuid))
        };
        let known = self.newest(by_uuid).or_else(|| self.of_invocation(invocation));
        known.unwrap_or_else(|| self.begin(Hook::Event, now()))
    }

    /// The request that sent the code of a feedback line.
    fn of_sending(&self, line: &Value) -> Option<u64> {
        let (sid, user) = (text(line, "verification_sid"), text(line, "user_id"));
        let by_sid = |story: &Story| story.hook == Hook::Telephony && sid.is_some() && story.verification_sid == sid;
        let channel = text(line, "channel").unwrap_or_default();
        let fits = |message: &Message| match channel.as_str() {
            "sms" => message.channel != Channel::Call,
            "call" => message.channel == Channel::Call,
            _ => true,
        };
        let by_user = |story: &Story| {
            story.outcome == Outcome::Sent
                && sid.is_none()
                && user.is_some()
                && story.asked.user_id == user
                && story.phone.last().is_some_and(fits)
        };
        self.newest(by_sid).or_else(|| self.newest(by_user))
    }

    /// Removes feedback from the requests to which it was assigned by mistake.
    fn take_back(&mut self, step: &FeedbackStep, sending: Option<u64>) {
        for story in self.stories.values_mut().filter(|story| story.hook == Hook::Telephony) {
            let is_same = |known: &FeedbackStep| step.event_uuid.is_some() && known.event_uuid == step.event_uuid;
            if Some(story.id) != sending && story.feedback.iter().any(is_same) {
                story.feedback.retain(|known| !is_same(known));
                self.changed.insert(story.id);
            }
        }
    }

    fn twilio(&mut self, Traffic { request, message }: Traffic) {
        let key = request.path.rsplit('/').next().unwrap_or_default().replace("%2B", "+").replace("%2b", "+");
        let id = match request.operation {
            Operation::VerifyCreate => {
                let number = request.parameter("To").unwrap_or_default().to_owned();
                Some(self.of_number(&number, &request))
            }
            Operation::Lookup => Some(self.of_number(&key, &request)),
            Operation::VerifyUpdate => {
                let by_key = |story: &Story| {
                    let number = story.asked.number.as_deref();
                    story.hook == Hook::Telephony
                        && (story.verification_sid.as_deref() == Some(&key) || number == Some(&key))
                };
                self.newest(by_key)
            }
            // The functions open their connections with a request that has no effect.
            _ => None,
        };
        let Some(story) = id.and_then(|id| self.touch(id)) else { return };
        story.twilio.push(twilio_step(&request));
        let asked = &mut story.asked;
        for (field, name) in [(&mut asked.channel, "Channel"), (&mut asked.language, "Locale")] {
            *field = field.take().or_else(|| request.parameter(name).map(str::to_owned));
        }
        if let Some(message) = message {
            story.verification_sid = Some(message.verification_sid.clone());
            story.verification = Some(Status::Pending);
            story.phone.push(message);
        }
    }

    /// The oldest story that waits for Twilio and fits the number; else a new one.
    fn of_number(&mut self, number: &str, request: &RecordedRequest) -> u64 {
        let tags: Value =
            request.parameter("Tags").and_then(|tags| serde_json::from_str(tags).ok()).unwrap_or_default();
        let event_id = text(&tags, "okta_event_id");
        let now = now();
        let waits = |story: &Story| {
            let other = matches!((&story.asked.okta_event_id, &event_id), (Some(one), Some(two)) if one != two);
            story.hook == Hook::Telephony
                && story.decided.is_none()
                && story.response.is_none()
                && story.phone.is_empty()
                && now.since(story.at) < TWILIO_LIMIT
                && story.asked.can_be(number)
                && !other
        };
        if let Some(id) = self.oldest(waits) {
            return id;
        }
        let id = self.begin(Hook::Telephony, now);
        if let Some(story) = self.touch(id) {
            story.asked.number = Some(number.to_owned());
            story.asked.okta_event_id = event_id;
        }
        id
    }
}

/// Reads everything of a response except status and time.
fn response_of_body(body: &Value) -> HookResponse {
    let value = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let word = value("/commands/0/value/0/status").or_else(|| value("/error/errorCauses/0/reason"));
    let text = value("/commands/0/value/0/transactionId")
        .or_else(|| value("/commands/0/value/0/transactionMetadata"))
        .or_else(|| value("/error/errorSummary"));
    HookResponse {
        status: None,
        word: word.unwrap_or_default(),
        text: text.unwrap_or_default(),
        took_ms: None,
        body: (!body.is_null()).then(|| body.clone()),
    }
}

fn twilio_step(request: &RecordedRequest) -> TwilioStep {
    let is_service = |part: &&str| part.len() == 34 && part.starts_with("VA");
    let path: Vec<&str> = request.path.split('/').map(|part| if is_service(&part) { "VA…" } else { part }).collect();
    let answer = match request.response {
        None => "no response".to_owned(),
        Some(response) => match response.code {
            Some(code) => format!("{}, error {code}", response.status),
            None => response.status.to_string(),
        },
    };
    let fault = request.fault.as_ref().and_then(|fault| serde_json::to_string(fault).ok());
    TwilioStep {
        what: match request.operation {
            Operation::Lookup => "look up the number",
            Operation::VerifyCreate => "send the code",
            _ => match request.parameter("Status") {
                Some("canceled") => "cancel the previous code",
                _ => "report a correct code",
            },
        },
        request: format!("{} {}", request.method, path.join("/")),
        parameters: request.parameters.clone(),
        answer,
        good: request.response.is_some_and(|response| response.status < 300) && fault.is_none(),
        fault,
    }
}

fn text(line: &Value, name: &str) -> Option<String> {
    line.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn now() -> Moment {
    Clock::default().now()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A server-sent event. Compact JSON has no line breaks. (Source:
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html>)
fn server_sent(event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\ndata: {data}\n\n").into()
}
