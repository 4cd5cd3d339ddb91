//! What to do about each reason. A log line can have a better advice, because it knows Twilio's code.

const NUMBER: &str = "Correct the user's number in Okta, or let the user take another factor.";
const SECRET: &str =
    "An admin compares the secret in Okta with the one in Secrets Manager: `okta-twilio doctor` helps.";
const TWILIO: &str =
    "Ask for another code. If it happens again, read Twilio's status page; an admin runs `okta-twilio doctor`.";
const SERVICE: &str = "An admin corrects the Verify service: `okta-twilio doctor --only twilio` says what is wrong.";

const OKTA: &str = "The queue delivers the event again. If it fails for an hour, an admin reads Okta's status page.";
const OKTA_ACCESS: &str =
    "An admin corrects the Okta secret, and the scope and admin role of its app: see docs/runbook.md.";
const QUEUE: &str = "An admin corrects FEEDBACK_QUEUE_URL or the function's permissions for the queue.";
const TABLE: &str =
    "An admin corrects SENDS_TABLE, or deploys the stack again, which creates the table and the permissions.";
const AWS: &str = "If it happens again, an admin looks for the AWS service in the AWS Health Dashboard.";

/// What to do, in one or two sentences. Empty if there is nothing to do. A newer function can log a reason that this
/// version does not know.
pub(crate) fn action(reason: &str) -> &'static str {
    known(reason).unwrap_or("See docs/runbook.md.")
}

fn known(reason: &str) -> Option<&'static str> {
    Some(match reason {
        // Nothing is wrong, or nothing can be done.
        "accepted" | "approved" | "queued" | "no_data" | "user_not_found" => "",
        "phone_number_invalid" | "landline" | "unreachable" | "unsubscribed" => NUMBER,
        "code_expired" => "The user asks for another code. If it happens often, Okta or the gateway is slow.",
        "country_blocked" => {
            "Your own policy refused. To allow the country, an admin takes it out of BLOCKED_COUNTRIES."
        }
        "country_not_allowed" => {
            "Your own policy refused. To allow the country, an admin adds it to ALLOWED_COUNTRIES."
        }
        "line_type_blocked" => {
            "Your own policy refused: see BLOCKED_LINE_TYPES. The user takes another number or factor."
        }
        "carrier_blocked" => "Your own policy refused: see BLOCKED_CARRIERS. The user takes another number or factor.",
        "line_inactive" => "Your own policy refused, because the line is not in use. Check the user's number.",
        "sms_pumping_risk" => {
            "Your own policy refused: see MAX_SMS_PUMPING_RISK. For a genuine user, use another factor or number."
        }
        "sim_swapped" => {
            "Your own policy refused: see MAX_SIM_SWAP_AGE_HOURS. Make sure that it is the user before you reset a factor."
        }
        "call_forwarded" => "Your own policy refused, because calls are forwarded. The user takes another factor.",
        "paused" => "Ask who paused sending. `okta-twilio resume` ends the pause.",
        "lookup_unavailable" => "Store the user's number in Okta with its country code: +1…",
        "blocked_as_fraud" => {
            "For a genuine user, an admin puts the number on Twilio's Global Safe List. Meanwhile, use another factor."
        }
        "country_blocked_by_twilio" => {
            "To allow the country, an admin switches it on in the Twilio Console: Verify, Settings, Geo permissions."
        }
        "too_many_sends" => {
            "The user waits ten minutes. If it happens to users who sign in, feedback is missing: see docs/runbook.md."
        }
        "rate_limited" => "The user waits. If it happens often, an admin raises the rate limit of the Verify service.",
        "twilio_authentication" | "twilio_account" => {
            "An admin corrects the Twilio account or its key: `okta-twilio doctor` says what is wrong."
        }
        "verify_service" | "template" | "locale" | "channel_unavailable" | "not_registered" | "owned_by_other" => {
            SERVICE
        }
        "twilio_refused" | "request_invalid" => "Report it with Twilio's code: this version does not know the case.",
        "throttled" | "twilio_unreachable" | "twilio_timeout" | "twilio_interrupted" | "twilio_failed" => TWILIO,
        "out_of_time" => {
            "The user asks for another code. If it happens often, give the function more memory: cold starts are slow."
        }
        "not_authenticated" => SECRET,
        "secret_unavailable" => "An admin stores the hooks secret: `okta-twilio doctor --only A3` says what is wrong.",
        "not_a_hook_request" | "method_not_allowed" | "body_too_large" | "challenge_missing" => {
            "Look at who calls the hook: the request is not one that Okta sends to it."
        }
        "payload_format" => "An admin uses an HTTP API with payload format 2.0: see docs/runbook.md.",
        "event_not_classified" | "event_without_user" => {
            "Report the event as Okta's System Log shows it: this version does not know its form."
        }
        "no_pending_verification" => {
            "Single cases are normal. If it happens often, an admin checks that VERIFY_SERVICE_SID is the service that sends."
        }
        "event_too_old" => "If it happens often, an admin looks for messages that wait in the queue.",
        "no_phone" => {
            "An admin checks that Okta shows the user's phone to the function: see docs/runbook.md, or use the sends table."
        }
        "not_remembered" => {
            "Single cases are normal. If it happens often, an admin checks that both functions have the same SENDS_TABLE."
        }
        "table_unavailable" | "queue_unavailable" => AWS,
        "table_forbidden" | "table_not_found" | "table_refused" => TABLE,
        "queue_forbidden" | "queue_not_found" | "queue_refused" => QUEUE,
        "okta_authentication" | "okta_forbidden" => OKTA_ACCESS,
        "okta_rate_limited" => "An admin raises the app's share of the rate limit in Okta.",
        "okta_not_understood" => {
            "An admin corrects OKTA_ORG_URL or OKTA_API_URL, or removes a proxy that answers for Okta."
        }
        "okta_failed" | "okta_unreachable" | "okta_timeout" | "okta_interrupted" => OKTA,
        "message_unreadable" => "An admin looks at the message in the dead-letter queue, and deletes it.",
        "panicked" => "Report this bug with the request id.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasons;

    #[test]
    fn every_reason_has_an_action() {
        let missing: Vec<_> = reasons::all().into_iter().filter(|reason| known(reason).is_none()).collect();
        assert!(missing.is_empty(), "no action: {missing:?}");
        assert_eq!(known("a_reason_of_a_newer_version"), None);
    }
}
