//! The sentences of a story.

use super::{Hook, Outcome, Story};

/// The answer where no source says anything.
pub(crate) const NOTHING_KNOWN: &str = "The sources say nothing about this request.";

/// Okta's request types in plain words.
pub fn flow(request_type: &str) -> Option<&'static str> {
    Some(match request_type {
        "mfa-verification" => "sign-in",
        "mfa-enrollment" | "enrollment" => "phone enrollment",
        "pre-enrollment" => "first phone enrollment",
        "account-unlock" => "account unlock",
        "password-reset" => "password reset",
        _ => return None,
    })
}

/// The meaning of a reason code. For a code that is not in this table, the code in words.
pub(crate) fn why(reason: &str) -> String {
    sentence(reason).map_or_else(|| reason.replace('_', " "), str::to_owned)
}

fn sentence(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "accepted" => "Twilio accepted the message.",
        "method_not_allowed" => "The hook does not accept this HTTP method.",
        "body_too_large" => "The request body is too large.",
        "not_a_hook_request" => "The request is not one that Okta sends to this hook.",
        "payload_format" => "The gateway's payload format is not 2.0.",
        "challenge_missing" => "Okta's one-time verification request has no challenge.",
        "not_authenticated" => "The caller's secret is missing or wrong.",
        "secret_unavailable" => "The function could not read its secret.",
        "phone_number_invalid" => "The phone number is not valid.",
        "landline" => "The number is a landline, which cannot receive SMS.",
        "unreachable" => "Twilio cannot reach this carrier or country.",
        "unsubscribed" => "The user has unsubscribed from these messages.",
        "code_expired" => "The code expired before it could be sent.",
        "paused" => "Sending is paused in the hooks secret.",
        "country_blocked" => "The number's country is blocked.",
        "country_not_allowed" => "The number's country is not on the list of allowed countries.",
        "line_type_blocked" => "This type of line is blocked.",
        "carrier_blocked" => "The carrier is blocked.",
        "line_inactive" => "The phone line is not in use.",
        "sms_pumping_risk" => "The number is probably used for SMS pumping fraud.",
        "sim_swapped" => "The SIM card was replaced recently.",
        "call_forwarded" => "Calls to this number are forwarded to another number.",
        "lookup_unavailable" => "Twilio Lookup failed, and the policy requires its data for this number.",
        "no_data" => "Twilio Lookup has no data on this number.",
        "blocked_as_fraud" => "Twilio blocked the number as fraud.",
        "country_blocked_by_twilio" => "The country is not enabled in Twilio's Geo Permissions.",
        "not_registered" => "Twilio requires a sender registration that is missing.",
        "too_many_sends" => "The number received five messages within ten minutes.",
        "rate_limited" => "A rate limit of the Verify service was reached.",
        "throttled" => "The Twilio account has too many requests at the same time.",
        "twilio_authentication" => "Twilio rejected the credentials.",
        "twilio_account" => "The Twilio account does not have permission, or is suspended.",
        "verify_service" => "The Verify service does not exist or lacks a setting.",
        "template" => "The template cannot be used.",
        "locale" => "The language is not supported.",
        "channel_unavailable" => "The channel is disabled or not set up.",
        "owned_by_other" => "Another integration also uses the Verify service.",
        "request_invalid" => "Twilio rejected the request as invalid.",
        "twilio_refused" => "Twilio refused with an unknown error code.",
        "out_of_time" => "No time was left to send the code.",
        "twilio_unreachable" => "Twilio could not be reached in time.",
        "twilio_timeout" => "Twilio did not respond in time. The message may have been sent.",
        "twilio_interrupted" => "The connection to Twilio was lost. The message may have been sent.",
        "twilio_failed" => "Twilio had an internal error.",
        "event_not_classified" => "The event reports a phone, but not the channel.",
        "event_without_user" => "The event names no user.",
        "approved" => "Twilio now knows that the code was right.",
        "queued" => "The event is waiting in the queue.",
        "no_pending_verification" => "Twilio has no pending verification for the user.",
        "event_too_old" => "The event is too old for its verification.",
        "no_phone" => "Okta lists no active phone for the user.",
        "not_remembered" => "The sends table has no code that fits the event.",
        "user_not_found" => "Okta does not know this user.",
        "table_unavailable" => "The sends table did not respond.",
        "table_forbidden" => "The function does not have permission to use the sends table.",
        "table_not_found" => "There is no sends table with this name.",
        "table_refused" => "The sends table does not have the expected keys.",
        "okta_authentication" => "Okta rejected the credentials.",
        "okta_forbidden" => "The credentials do not have permission to read the user.",
        "okta_rate_limited" => "Okta's rate limit was reached.",
        "okta_failed" => "Okta had an internal error.",
        "okta_not_understood" => "Okta's response could not be understood.",
        "okta_unreachable" => "Okta could not be reached in time.",
        "okta_timeout" => "Okta did not respond in time.",
        "okta_interrupted" => "The connection to Okta was lost.",
        "queue_unavailable" => "The queue did not respond.",
        "queue_forbidden" => "The function does not have permission to use the queue.",
        "queue_not_found" => "There is no queue with this URL.",
        "queue_refused" => "The queue is not a FIFO queue.",
        "panicked" => "The function failed because of a bug.",
        "message_unreadable" => "The queue's message could not be read.",
        _ => return None,
    })
}

/// Where the verification of a correct code was found.
pub(super) fn source(source: &str) -> Option<&'static str> {
    Some(match source {
        "sends" => " The verification was in the sends table, so Okta's API was not used.",
        "factors" => " The number came from the user's factors in Okta.",
        "profile" => " The number came from the user's profile in Okta.",
        _ => return None,
    })
}

/// What Okta does after the response. (Sources: Okta, "Telephony inline hook" and "Event hooks".)
pub(crate) fn okta_next<M>(story: &Story<M>) -> &'static str {
    let Some(response) = &story.response else { return "" };
    match (story.hook, response.status) {
        (Hook::Telephony, _) if story.is_late() => {
            "Okta gave up after three seconds and sends the code itself. The user may receive two codes."
        }
        (Hook::Telephony, Some(200)) if story.is_swallowed() => {
            "Okta asks the user for a code that never arrives, and does not send one itself."
        }
        (Hook::Telephony, Some(200)) if story.outcome == Outcome::Sent => "Okta asks the user for the code.",
        (Hook::Telephony, Some(401)) => {
            "If the caller was Okta with an outdated secret, Okta sends the code itself, through its own provider, if the org has one."
        }
        (Hook::Telephony, _) if !story.phone.is_empty() => {
            "Okta sends the code itself as well. The user receives two messages."
        }
        (Hook::Telephony, _) => "Okta sends the code itself, through its own provider, if the org has one.",
        (Hook::Event, Some(200..=299)) => "Okta does not deliver the event again.",
        (Hook::Event, Some(400..=499)) => "Okta drops the delivery. It does not retry after a 4xx response.",
        (Hook::Event, _) => "Okta retries the delivery once.",
    }
}

/// A summary in one sentence.
pub(crate) fn summary<M>(story: &Story<M>) -> String {
    let to = story.asked.number.as_ref().map_or_else(String::new, |number| format!(" for {number}"));
    let why = story.decided.as_ref().map_or("", |decided| decided.why.as_str());
    match (story.hook, story.outcome) {
        (Hook::Event, Outcome::Waiting) => "Okta is delivering events.".to_owned(),
        (Hook::Event, Outcome::Rejected) => format!("A delivery was rejected. {why}"),
        (Hook::Event, _) => match story.feedback.as_slice() {
            [] => "Okta delivered events. None reports a correct code.".to_owned(),
            [step] => format!("Okta reported that a code was right. {}", step.why),
            steps => format!("Okta reported that {} codes were right.", steps.len()),
        },
        (Hook::Telephony, Outcome::Waiting) => format!("A code{to} is in progress."),
        (Hook::Telephony, Outcome::Sent | Outcome::Reported) => format!("A code{to} was sent."),
        (Hook::Telephony, Outcome::Refused) => format!("A code{to} was refused. {why}"),
        (Hook::Telephony, Outcome::Failed) => format!("A code{to} could not be sent. {why}"),
        (Hook::Telephony, Outcome::Rejected) => format!("A request was rejected. {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasons;

    #[test]
    fn every_reason_has_a_sentence() {
        let missing: Vec<_> = reasons::all().into_iter().filter(|reason| sentence(reason).is_none()).collect();
        assert!(missing.is_empty(), "no sentence: {missing:?}");
    }
}
