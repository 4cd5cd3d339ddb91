//! A story in short lines: the steps from Okta's request to what Okta does next, for output without a page.

use super::{Decided, FeedbackStep, Hook, HookResponse, Outcome, Story, texts};
use std::fmt::Display;

/// One step of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Who acts, in at most 13 letters: `Okta asks`.
    pub label: &'static str,
    /// What happens.
    pub text: String,
}

impl Step {
    fn new(label: &'static str, text: impl Into<String>) -> Self {
        Self { label, text: text.into() }
    }

    /// Whether it is about what the user sees.
    pub fn is_of_people(&self) -> bool {
        ["phone shows", "next"].contains(&self.label)
    }
}

impl<M: Display> Story<M> {
    /// The steps that are known so far, in the order in which they happen.
    pub fn steps(&self) -> Vec<Step> {
        match self.hook {
            Hook::Telephony => self.steps_of_sending(),
            Hook::Event => self.steps_of_delivery(),
        }
    }

    fn steps_of_sending(&self) -> Vec<Step> {
        let mut steps = vec![Step::new("Okta asks", self.request())];
        let is_rejected = self.outcome == Outcome::Rejected;
        steps.extend(self.decided.iter().map(|decided| Step::new("decided", decided.text(self.outcome))));
        if self.twilio.is_empty() && !is_rejected {
            steps.push(Step::new("Twilio", "is not asked"));
        }
        for step in &self.twilio {
            steps.push(Step::new("Twilio", format!("is asked to {}: {}", step.what, step.answer)));
        }
        steps.extend(self.response.iter().map(|response| Step::new("Okta gets", response.summary())));
        for message in &self.phone {
            steps.push(Step::new("phone shows", message.to_string()));
        }
        if self.phone.is_empty() {
            steps.push(Step::new("phone shows", "nothing"));
        }
        steps.extend(self.feedback.iter().map(|feedback| Step::new("feedback", feedback.text())));
        steps.extend(self.last_steps());
        steps
    }

    fn steps_of_delivery(&self) -> Vec<Step> {
        let mut steps = vec![Step::new("Okta reports", "what became of a code")];
        steps.extend(self.decided.iter().map(|decided| Step::new("decided", decided.text(self.outcome))));
        steps.extend(self.response.iter().map(|response| Step::new("Okta gets", response.summary())));
        steps.extend(self.feedback.iter().map(|feedback| Step::new("feedback", feedback.text())));
        steps.extend(self.last_steps());
        steps
    }

    fn last_steps(&self) -> impl Iterator<Item = Step> {
        let answer = self.answer.as_ref().map(|answer| Step::new("answer", answer.to_string()));
        [Step::new("next", self.okta_next)].into_iter().chain(answer)
    }

    /// `for a code by SMS to +12025550123 (sign-in, EN-US)`
    fn request(&self) -> String {
        let asked = &self.asked;
        let by = asked.channel.as_ref().map_or_else(String::new, |channel| format!(" by {channel}"));
        let to = asked.number.as_ref().map_or_else(String::new, |number| format!(" to {number}"));
        let flow = asked.flow_text.or(asked.flow.as_deref());
        let details: Vec<&str> = flow.into_iter().chain(asked.language.as_deref()).collect();
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        format!("for a code{by}{to}{details}")
    }
}

impl Decided {
    fn text(&self, outcome: Outcome) -> String {
        let outcome = match outcome {
            Outcome::Sent => "to send",
            Outcome::Refused => "not to send",
            Outcome::Failed => "sending failed",
            Outcome::Rejected => "to reject",
            Outcome::Waiting | Outcome::Reported => "nothing",
        };
        format!("{outcome}, reason {}. {}", self.reason, self.why)
    }
}

impl HookResponse {
    fn summary(&self) -> String {
        let status = self.status.map_or_else(String::new, |status| format!("{status} "));
        let word = if self.word.is_empty() { String::new() } else { format!("{} ", self.word) };
        let took = self.took_ms.map_or_else(String::new, |took| format!("after {took} ms"));
        format!("{status}{word}{took}").trim_end().to_owned()
    }
}

impl FeedbackStep {
    fn text(&self) -> String {
        let source = self.source.as_deref().and_then(texts::source);
        format!("{}, reason {}. {}{}", self.outcome, self.reason, self.why, source.unwrap_or_default())
    }
}
