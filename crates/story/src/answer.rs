//! The last line of an explanation: what became of the code, and what to do.

use crate::{DeliveryState, FeedbackStep, Hook, OktaAct, Outcome, Story, actions, carriers, texts};
use serde::Serialize;
use std::fmt;

/// Which sources could be read. A missing source proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    /// The functions' log.
    pub log: bool,
    /// Okta's System Log.
    pub okta: bool,
    /// Twilio's attempts.
    pub attempts: bool,
}

/// What became of a code, as one word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The user received the code and used it.
    Used,
    /// The carrier reported that the message arrived.
    Delivered,
    /// Twilio accepted the message, and nothing more is known.
    Sent,
    /// Twilio accepted the message, and it did not arrive.
    NotDelivered,
    /// Both the hook and Okta sent a code.
    SentTwice,
    /// The policy or a pause refused the code.
    Refused,
    /// The code was refused, and Okta was told that it was sent.
    Swallowed,
    /// The code could not be sent.
    Failed,
    /// Nobody knows whether Twilio sent the code.
    Unclear,
    /// The hook rejected the request.
    Rejected,
    /// Okta sent the code without the hook.
    SentByOkta,
    /// Okta did not send the code, and the hook was not called.
    NotSentByOkta,
    /// Okta reported a code that was right.
    Feedback,
    /// There is too little to say anything.
    Unknown,
}

impl Verdict {
    /// Whether the user probably has a code.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Used | Self::Delivered | Self::Sent | Self::SentTwice | Self::SentByOkta | Self::Feedback)
    }
}

/// The answer to "why did this user get no code?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What became of the code.
    pub verdict: Verdict,
    /// The same in one or more sentences.
    pub answer: String,
    /// What to do. Empty if there is nothing to do.
    pub action: String,
}

impl Answer {
    fn new(verdict: Verdict, answer: impl Into<String>, action: impl Into<String>) -> Self {
        Self { verdict, answer: answer.into(), action: action.into() }
    }
}

/// What became of the code and what to do, in one paragraph.
impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answer, action, .. } = self;
        formatter.write_str(answer)?;
        if action.is_empty() { Ok(()) } else { write!(formatter, " {action}") }
    }
}

impl<M> Story<M> {
    /// What became of the code, and what to do.
    pub fn answer(&self, sources: Sources) -> Answer {
        self.answer_of_hook().unwrap_or_else(|| match (self.hook, self.outcome) {
            (Hook::Event, _) => self.reported(),
            (Hook::Telephony, Outcome::Waiting) => self.undecided(sources),
            (Hook::Telephony, _) => self.sent(sources),
        })
    }

    /// The answer that the hook alone gives, because it sent no code or could not give feedback. `None` if it did, or if
    /// its decision is not known.
    pub(crate) fn answer_of_hook(&self) -> Option<Answer> {
        match (self.hook, self.outcome) {
            (_, Outcome::Rejected) => Some(self.rejected()),
            (Hook::Telephony, Outcome::Refused) => Some(self.refused()),
            (Hook::Telephony, Outcome::Failed) => Some(self.failed()),
            (Hook::Event, Outcome::Failed) => Some(Answer::new(Verdict::Failed, self.why(), self.action())),
            _ => None,
        }
    }

    fn okta_did(&self, act: OktaAct) -> bool {
        self.okta.iter().any(|step| step.act == act)
    }

    /// Whether Okta sent a code by its own provider.
    fn okta_sent(&self) -> bool {
        self.okta_did(OktaAct::SentAfterHook) || self.okta_did(OktaAct::SentItself)
    }

    /// What Okta did about a code that the hook did not send.
    fn okta_instead(&self) -> &'static str {
        if self.okta_sent() {
            "Okta sent a code itself."
        } else if self.okta_did(OktaAct::NotSent) || self.okta_did(OktaAct::Denied) {
            "Okta could not send one either."
        } else {
            "Okta sends a code itself, if the org has a provider of its own."
        }
    }

    fn reason(&self) -> &str {
        self.decided.as_ref().map_or("", |decided| decided.reason.as_str())
    }

    fn why(&self) -> &str {
        self.decided.as_ref().map_or("", |decided| decided.why.as_str())
    }

    /// The log's advice, which knows Twilio's code, or else the reason's own.
    fn action(&self) -> String {
        let advice = self.decided.as_ref().and_then(|decided| decided.advice.clone());
        advice.unwrap_or_else(|| actions::action(self.reason()).to_owned())
    }

    fn rejected(&self) -> Answer {
        let consequence = match self.hook {
            Hook::Telephony => self.okta_instead(),
            Hook::Event => "Twilio does not learn from it that a code was right.",
        };
        Answer::new(
            Verdict::Rejected,
            format!("The hook rejected the request. {} {consequence}", self.why()),
            self.action(),
        )
    }

    fn reported(&self) -> Answer {
        match self.feedback.last() {
            Some(step) => Answer::new(
                Verdict::Feedback,
                format!("The user entered a right code. {}", step.why),
                if step.outcome == "failed" { actions::action(&step.reason) } else { "" },
            ),
            None => Answer::new(Verdict::Unknown, "Okta delivered an event that reports no right code.", ""),
        }
    }

    fn sent(&self, sources: Sources) -> Answer {
        if self.is_late() || self.okta_sent() || self.okta_did(OktaAct::ResponseUnusable) {
            let took = self.decided.as_ref().and_then(|decided| decided.duration_ms).filter(|_| self.is_late());
            let why = took.map_or_else(
                || "Okta did not use the hook's response".to_owned(),
                |took| format!("The hook took {took} ms, and Okta waits 3000"),
            );
            return Answer::new(
                Verdict::SentTwice,
                format!("{why}. So both the hook and Okta sent a code, and only one of them is right."),
                "The user tries the newest code. If it happens often, an admin runs `okta-twilio doctor`.",
            );
        }
        let is_approved = |step: &FeedbackStep| step.outcome == "approved";
        let was_used =
            self.feedback.iter().any(is_approved) || self.deliveries.iter().any(|delivery| delivery.is_converted);
        if was_used {
            return Answer::new(Verdict::Used, "The code arrived, and the user entered it correctly.", "");
        }
        match self.deliveries.last() {
            Some(delivery) => match delivery.state {
                DeliveryState::Delivered => Answer::new(
                    Verdict::Delivered,
                    "The carrier reported that the message arrived, but the user has not used the code.",
                    "Compare the last two digits with the user's phone, and look for blocked senders. Codes end after some minutes.",
                ),
                DeliveryState::NotAnswered => Answer::new(
                    Verdict::NotDelivered,
                    "Twilio called, but nobody took the call.",
                    "The user asks for another call, and takes it; or takes another factor.",
                ),
                DeliveryState::Failed => {
                    let (why, action) = carriers::why(delivery.error_code);
                    let code = delivery.error_code.map(|code| format!(" ({code})")).unwrap_or_default();
                    Answer::new(
                        Verdict::NotDelivered,
                        format!("Twilio sent the message, but it did not arrive{code}. {why}"),
                        action,
                    )
                }
                DeliveryState::Pending => Answer::new(
                    Verdict::Sent,
                    "Twilio accepted the message. The carrier has not reported yet whether it arrived.",
                    "Wait a minute, and run this command again.",
                ),
            },
            None if sources.attempts => Answer::new(
                Verdict::Sent,
                "Twilio accepted the message. There is no delivery report yet.",
                "Wait a minute, and run this command again.",
            ),
            None => Answer::new(
                Verdict::Sent,
                "Twilio accepted the message. Whether it arrived is not known here.",
                "Look up the verification in the Twilio Console: Verify, Logs.",
            ),
        }
    }

    fn refused(&self) -> Answer {
        if self.is_swallowed() {
            let text = format!(
                "No code was sent. {} Okta was told that it was sent, so the user waits for a code that never comes.",
                self.why()
            );
            return Answer::new(Verdict::Swallowed, text, self.action());
        }
        Answer::new(
            Verdict::Refused,
            format!("The hook sent no code. {} {}", self.why(), self.okta_instead()),
            self.action(),
        )
    }

    fn failed(&self) -> Answer {
        if matches!(self.reason(), "twilio_timeout" | "twilio_interrupted") {
            let text = format!("{} Okta was told that it was not. {}", self.why(), self.okta_instead());
            return Answer::new(Verdict::Unclear, text, "The user tries the newest code, or asks for another one.");
        }
        Answer::new(
            Verdict::Failed,
            format!("The hook could not send the code. {} {}", self.why(), self.okta_instead()),
            self.action(),
        )
    }

    /// A code of which the log has no decision.
    fn undecided(&self, sources: Sources) -> Answer {
        if self.okta_did(OktaAct::HookSent) || self.verification_sid.is_some() {
            return self.sent(sources);
        }
        let is_unseen = "The hook's log has no such request. ";
        let unseen = if sources.log { is_unseen } else { "" };
        if self.okta_did(OktaAct::SentAfterHook) {
            let action = if sources.log {
                "An admin looks for throttled or rejected requests: `okta-twilio doctor`."
            } else {
                "Run this command with access to the hook's log."
            };
            return Answer::new(
                Verdict::SentByOkta,
                format!("Okta got no usable response from the hook, and sent the code itself. {unseen}").trim_end(),
                action,
            );
        }
        if self.okta_did(OktaAct::SentItself) {
            return Answer::new(
                Verdict::SentByOkta,
                format!("Okta sent the code itself, without the hook. {unseen}").trim_end(),
                "An admin checks that this hook is the org's active telephony hook: `okta-twilio doctor --only okta`.",
            );
        }
        if self.okta_did(OktaAct::Denied) {
            return Answer::new(
                Verdict::NotSentByOkta,
                format!("Okta refused to send a code: by its protection against toll fraud. {unseen}").trim_end(),
                "An admin reads the event in Okta's System Log. The user takes another factor.",
            );
        }
        if self.okta_did(OktaAct::NotSent) {
            return Answer::new(
                Verdict::NotSentByOkta,
                format!("Okta did not send the code. {unseen}It sends one code in 30 seconds to a number."),
                "The user waits half a minute, and asks once more. If it fails again, an admin reads Okta's System Log.",
            );
        }
        Answer::new(Verdict::Unknown, texts::NOTHING_KNOWN, "Run this command with access to the hook's log.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delivery, Moment, OktaStep};
    use serde_json::{Value, json};

    const ALL: Sources = Sources { log: true, okta: true, attempts: true };

    fn at() -> Moment {
        Moment::parse("2026-11-25T14:02:11.204Z").unwrap()
    }

    /// A story with these log lines and acts of Okta.
    fn story(lines: &[Value], acts: &[OktaAct]) -> Story<()> {
        let mut story = Story::new(1, at(), Hook::Telephony);
        for line in lines {
            story.read_line(line.clone());
        }
        story.okta = acts.iter().map(|&act| OktaStep { at: at(), act }).collect();
        story
    }

    fn sent() -> Value {
        json!({"message": "otp_sent", "reason": "accepted", "duration_ms": 300, "verification_sid": "VE1"})
    }

    fn delivery(state: DeliveryState, error_code: Option<u32>) -> Delivery {
        Delivery { at: at(), state, error_code, is_converted: false }
    }

    #[test]
    fn a_message_is_followed_to_the_phone() {
        let after = |state, code| {
            let mut story = story(&[sent()], &[]);
            story.deliveries.push(delivery(state, code));
            story.answer(ALL)
        };
        assert_eq!(after(DeliveryState::Delivered, None).verdict, Verdict::Delivered);
        assert_eq!(after(DeliveryState::Pending, None).verdict, Verdict::Sent);
        assert_eq!(after(DeliveryState::NotAnswered, None).verdict, Verdict::NotDelivered);
        let failed = after(DeliveryState::Failed, Some(30007));
        assert_eq!(failed.verdict, Verdict::NotDelivered);
        assert!(failed.answer.contains("(30007)") && failed.answer.contains("spam"), "{failed:?}");
        for code in [30001, 30002, 30003, 30004, 30005, 30006, 30007, 30034, 63024] {
            assert_ne!(carriers::why(Some(code)), carriers::why(None), "{code}");
        }
    }

    #[test]
    fn a_missing_source_proves_nothing() {
        let story = story(&[sent()], &[]);
        let without = story.answer(Sources { attempts: false, ..ALL });
        assert!(without.answer.contains("not known here"), "{without:?}");
        assert!(story.answer(ALL).answer.contains("no delivery report yet"));
    }

    #[test]
    fn a_used_code_is_seen_by_each_source() {
        let approved = json!({"message": "feedback_approved", "reason": "approved", "event_uuid": "a"});
        let mut converted = story(&[sent()], &[]);
        converted.deliveries.push(Delivery { is_converted: true, ..delivery(DeliveryState::Pending, None) });
        for story in [story(&[sent(), approved], &[]), converted] {
            assert_eq!(story.answer(ALL).verdict, Verdict::Used);
        }
    }

    #[test]
    fn two_messages_are_named() {
        let late = json!({"message": "otp_sent", "reason": "accepted", "duration_ms": 3400, "verification_sid": "VE1"});
        let late = story(&[late], &[]).answer(ALL);
        assert!(late.verdict == Verdict::SentTwice && late.answer.contains("3400 ms"), "{late:?}");
        assert_eq!(story(&[sent()], &[OktaAct::SentAfterHook]).answer(ALL).verdict, Verdict::SentTwice);
        assert_eq!(story(&[sent()], &[OktaAct::ResponseUnusable]).answer(ALL).verdict, Verdict::SentTwice);
    }

    #[test]
    fn a_refusal_says_what_okta_did() {
        let line = json!({"message": "otp_refused", "reason": "sms_pumping_risk"});
        let after = |acts: &[OktaAct]| story(std::slice::from_ref(&line), acts).answer(ALL);
        assert!(after(&[]).answer.contains("if the org has"), "{:?}", after(&[]));
        assert!(after(&[OktaAct::SentAfterHook]).answer.contains("Okta sent a code itself"));
        assert!(after(&[OktaAct::NotSent]).answer.contains("either"));
        assert!(after(&[]).action.contains("MAX_SMS_PUMPING_RISK"));
        let mut swallowed = story(&[line], &[]);
        swallowed.conclude_swallowed();
        assert_eq!(swallowed.answer(ALL).verdict, Verdict::Swallowed);
    }

    #[test]
    fn a_failure_has_the_advice_of_the_log() {
        let line = json!({"message": "otp_failed", "reason": "verify_service", "advice": "Turn custom codes on."});
        assert_eq!(story(&[line], &[]).answer(ALL).action, "Turn custom codes on.");
        let line = json!({"message": "otp_failed", "reason": "twilio_timeout"});
        assert_eq!(story(&[line], &[]).answer(ALL).verdict, Verdict::Unclear);
        let line = json!({"message": "request_rejected", "reason": "not_authenticated", "status": 401});
        let rejected = story(&[line], &[]).answer(ALL);
        assert!(rejected.verdict == Verdict::Rejected && rejected.answer.contains("secret"), "{rejected:?}");
    }

    #[test]
    fn a_code_that_the_hook_never_saw_is_explained_by_okta() {
        for (act, verdict) in [
            (OktaAct::SentAfterHook, Verdict::SentByOkta),
            (OktaAct::SentItself, Verdict::SentByOkta),
            (OktaAct::Denied, Verdict::NotSentByOkta),
            (OktaAct::NotSent, Verdict::NotSentByOkta),
            (OktaAct::HookSent, Verdict::Sent),
        ] {
            let answer = story(&[], &[act]).answer(ALL);
            assert_eq!(answer.verdict, verdict, "{act:?}");
            let without_log = story(&[], &[act]).answer(Sources { log: false, ..ALL });
            assert!(!without_log.answer.contains("log has no such request"), "{without_log:?}");
        }
        assert_eq!(story(&[], &[]).answer(ALL).verdict, Verdict::Unknown);
    }
}
