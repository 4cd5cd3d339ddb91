//! The sentences of a story.

use super::{Hook, Outcome, Story};

/// Okta's request types for people.
pub(super) fn flow(request_type: &str) -> Option<&'static str> {
    Some(match request_type {
        "mfa-verification" => "sign-in",
        "mfa-enrollment" | "enrollment" => "enrolment of a phone",
        "pre-enrollment" => "first enrolment of a phone",
        "account-unlock" => "account unlock",
        "password-reset" => "password reset",
        _ => return None,
    })
}

/// What a reason code means; the code itself where this table is older than the code.
pub(super) fn why(reason: &str) -> String {
    sentence(reason).map_or_else(|| reason.replace('_', " "), str::to_owned)
}

fn sentence(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "accepted" => "Twilio accepted the message.",
        "method_not_allowed" => "The hook does not serve this method.",
        "body_too_large" => "The request's body is too large.",
        "not_a_hook_request" => "This is not a request that the hook serves.",
        "payload_format" => "The gateway's payload format is not 2.0.",
        "challenge_missing" => "The verification came without its challenge.",
        "not_authenticated" => "The caller's secret is missing or wrong.",
        "secret_unavailable" => "The function could not read its own secret.",
        "phone_number_invalid" => "The number cannot be dialled.",
        "landline" => "A landline takes no SMS.",
        "unreachable" => "The carrier or the country is out of Twilio's reach.",
        "unsubscribed" => "The user has told the sender to stop.",
        "code_expired" => "Okta's code had ended before it could be sent.",
        "paused" => "Sending is paused in the hooks secret.",
        "country_blocked" => "The number's country is blocked.",
        "country_not_allowed" => "The number's country is not allowed.",
        "line_type_blocked" => "This kind of line is blocked.",
        "carrier_blocked" => "The carrier is blocked.",
        "line_inactive" => "Nobody has this line at present.",
        "sms_pumping_risk" => "The number is probably part of SMS pumping.",
        "sim_swapped" => "The SIM was swapped a short while ago.",
        "call_forwarded" => "The call would be forwarded to another number.",
        "lookup_unavailable" => "Lookup failed, and the number needs it.",
        "no_data" => "Lookup has no data on the number.",
        "blocked_as_fraud" => "Twilio blocked the number as fraud.",
        "country_blocked_by_twilio" => "The country is off in Twilio's Geo permissions.",
        "not_registered" => "A registration that Twilio asks for is missing.",
        "too_many_sends" => "Five messages went to the number within ten minutes.",
        "rate_limited" => "A rate limit of the Verify service is reached.",
        "throttled" => "Twilio is busy with other requests of the account.",
        "twilio_authentication" => "Twilio refuses the credentials.",
        "twilio_account" => "The Twilio account may not do this.",
        "verify_service" => "The Verify service does not exist or lacks a setting.",
        "template" => "The template cannot be used.",
        "locale" => "The language is not supported.",
        "channel_unavailable" => "The channel is off or not set up.",
        "owned_by_other" => "Another integration uses the Verify service.",
        "request_invalid" => "Twilio does not understand the request.",
        "twilio_refused" => "Twilio refused with a code that nobody knows here.",
        "out_of_time" => "No time was left.",
        "twilio_unreachable" => "Twilio could not be reached in time.",
        "twilio_timeout" => "Twilio gave no answer in time; the message may have been sent.",
        "twilio_interrupted" => "The connection to Twilio broke; the message may have been sent.",
        "twilio_failed" => "Twilio failed.",
        "event_not_classified" => "A phone was used, but the event does not say by which channel.",
        "event_without_user" => "The event names no user.",
        "approved" => "Twilio knows that the code was right.",
        "queued" => "The event waits in the queue.",
        "no_pending_verification" => "Twilio has no verification open for the user.",
        "event_too_old" => "The event is too old for its verification.",
        "no_phone" => "Okta shows no active phone of the user.",
        "not_remembered" => "No send is remembered that the event could be about.",
        "user_not_found" => "The user was deleted.",
        "table_unavailable" => "The sends table gave no answer.",
        "table_forbidden" => "The function may not use the sends table.",
        "table_not_found" => "There is no sends table of this name.",
        "table_refused" => "The sends table has other keys.",
        "okta_authentication" => "Okta refuses the credentials.",
        "okta_forbidden" => "The credentials may not read the user.",
        "okta_rate_limited" => "Okta's rate limit is reached.",
        "okta_failed" => "Okta failed.",
        "okta_not_understood" => "Okta's answer is not one of its API.",
        "okta_unreachable" => "Okta could not be reached in time.",
        "okta_timeout" => "Okta gave no answer in time.",
        "okta_interrupted" => "The connection to Okta broke.",
        "queue_unavailable" => "The queue gave no answer.",
        "queue_forbidden" => "The function may not use the queue.",
        "queue_not_found" => "There is no such queue.",
        "queue_refused" => "The queue is not a FIFO queue.",
        "panicked" => "The function met a bug.",
        "message_unreadable" => "The message is not one of this function.",
        _ => return None,
    })
}

/// What Okta does after the answer. (Sources: Okta, "Telephony inline hook" and "Event hooks".)
pub(super) fn okta_next(story: &Story) -> &'static str {
    let Some(told) = &story.told else { return "" };
    match (story.hook, told.status) {
        (Hook::Telephony, _) if story.is_late() => {
            "Okta gave up after three seconds and sends the code itself: the user may get two."
        }
        (Hook::Telephony, Some(200)) if story.is_swallowed() => {
            "Okta asks the user for a code that never comes, and sends none itself."
        }
        (Hook::Telephony, Some(200)) if story.outcome == Outcome::Sent => "Okta asks the user for the code.",
        (Hook::Telephony, _) if !story.phone.is_empty() => "Okta sends the code itself as well: the user gets two.",
        (Hook::Telephony, _) => "Okta sends the code itself, through its own provider, if the org has one.",
        (Hook::Event, Some(200..=299)) => "Okta does not deliver the event again.",
        (Hook::Event, Some(400..=499)) => "Okta drops the delivery: it does not repeat one that was answered with 4xx.",
        (Hook::Event, _) => "Okta delivers once more.",
    }
}

/// All of it in one sentence.
pub(super) fn summary(story: &Story) -> String {
    let to = story.asked.number.as_ref().map_or_else(String::new, |number| format!(" for {number}"));
    let why = story.decided.as_ref().map_or("", |decided| decided.why.as_str());
    match (story.hook, story.outcome) {
        (Hook::Event, Outcome::Waiting) => "Okta delivers events.".to_owned(),
        (Hook::Event, Outcome::Rejected) => format!("A delivery was turned away. {why}"),
        (Hook::Event, _) => match story.feedback.as_slice() {
            [] => "Okta delivered events. None was about a code.".to_owned(),
            [step] => format!("Okta reported that a code was right. {}", step.why),
            steps => format!("Okta reported that {} codes were right.", steps.len()),
        },
        (Hook::Telephony, Outcome::Waiting) => format!("A code{to} is under way."),
        (Hook::Telephony, Outcome::Sent | Outcome::Reported) => format!("A code{to} was sent."),
        (Hook::Telephony, Outcome::Refused) => format!("A code{to} was refused. {why}"),
        (Hook::Telephony, Outcome::Failed) => format!("A code{to} could not be sent. {why}"),
        (Hook::Telephony, Outcome::Rejected) => format!("A request was turned away. {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_sentence() {
        // The sandbox does not depend on the core, so it reads the list where it is written.
        let source = include_str!("../../../okta-twilio/src/reason.rs");
        let list = source.split_once("pub enum Reason {").unwrap().1.split_once("\n}").unwrap().0;
        let variants: Vec<_> = list.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
        assert!(variants.len() > 50, "the list is found: {variants:?}");
        for variant in variants {
            let mut reason = String::new();
            for letter in variant.chars() {
                if letter.is_ascii_uppercase() && !reason.is_empty() {
                    reason.push('_');
                }
                reason.push(letter.to_ascii_lowercase());
            }
            assert!(sentence(&reason).is_some(), "{reason}");
        }
    }
}
