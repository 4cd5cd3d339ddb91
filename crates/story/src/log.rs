//! Reads the functions' log lines into a story.

use super::{Decided, FeedbackStep, HookResponse, Outcome, Story, texts};
use serde_json::Value;

impl<M> Story<M> {
    /// Adds a log line of one of the request's invocations.
    pub fn read_line(&mut self, line: Value) {
        self.asked.learn_from_log(&line);
        if let Some(outcome) = text(&line, "message").as_deref().and_then(Outcome::of_event) {
            self.decide(outcome, &line);
        }
        if let Some(step) = FeedbackStep::of_line(&line) {
            self.outcome = Outcome::Reported;
            self.give_feedback(step);
        }
        self.log.push(line);
    }

    fn decide(&mut self, outcome: Outcome, line: &Value) {
        let number = |name: &str| line.get(name).and_then(Value::as_u64);
        let reason = text(line, "reason").unwrap_or_else(|| "panicked".to_owned());
        self.outcome = outcome;
        // Twilio's side recorded the response that the function did not wait for.
        if let Some(last) = self.twilio.last_mut().filter(|_| reason == "twilio_timeout") {
            "no response in time".clone_into(&mut last.answer);
            last.good = false;
        }
        self.decided = Some(Decided {
            why: texts::why(&reason),
            advice: text(line, "advice"),
            twilio_code: number("twilio_code"),
            duration_ms: number("duration_ms"),
            lookup_ms: number("lookup_ms"),
            verify_ms: number("verify_ms"),
            reason: reason.clone(),
        });
        let sid = text(line, "verification_sid");
        self.verification_sid = sid.clone().or_else(|| self.verification_sid.take());
        if self.response.is_none() {
            let status = number("status").and_then(|status| u16::try_from(status).ok());
            let (status, word, text) = match outcome {
                Outcome::Sent => (Some(200), "SUCCESSFUL".to_owned(), sid.unwrap_or_default()),
                Outcome::Rejected => (status, reason, String::new()),
                _ => (Some(200), reason, String::new()),
            };
            self.response = Some(HookResponse { status, word, text, took_ms: None, body: None });
        }
    }

    /// Marks the response as success. The metrics say so, although the response itself was not seen.
    pub fn conclude_swallowed(&mut self) {
        if let Some(response) = self.response.as_mut().filter(|response| response.body.is_none()) {
            response.text = format!("refused:{}", response.word);
            "SUCCESSFUL".clone_into(&mut response.word);
        }
    }

    /// Adds feedback, or replaces the earlier entry for the same event, such as `queued`.
    pub fn give_feedback(&mut self, step: FeedbackStep) {
        match self.feedback.iter_mut().find(|known| known.event_uuid == step.event_uuid) {
            Some(known) => *known = step,
            None => self.feedback.push(step),
        }
    }
}

impl FeedbackStep {
    /// Reads a line about feedback.
    pub fn of_line(line: &Value) -> Option<Self> {
        let outcome = text(line, "message")?.strip_prefix("feedback_")?.to_owned();
        let reason = text(line, "reason").unwrap_or_default();
        let (event_uuid, source) = (text(line, "event_uuid"), text(line, "source"));
        Some(Self { event_uuid, outcome, why: texts::why(&reason), source, reason })
    }
}

fn text(line: &Value, name: &str) -> Option<String> {
    line.get(name).and_then(Value::as_str).map(str::to_owned)
}
