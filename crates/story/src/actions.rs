//! What to do about each reason. A log line can have a better advice, because it knows Twilio's code.

const NUMBER: &str = "Correct the user's number in Okta, or let the user take another factor.";
const SECRET: &str =
    "An admin compares the secret in Okta with the one in Secrets Manager: `okta-twilio doctor` helps.";
const TWILIO: &str =
    "Ask for another code. If it happens again, read Twilio's status page; an admin runs `okta-twilio doctor`.";
const SERVICE: &str = "An admin corrects the Verify service: `okta-twilio doctor --only twilio` says what is wrong.";

/// What to do, in one or two sentences. Empty if there is nothing to do.
pub(crate) fn action(reason: &str) -> &'static str {
    match reason {
        "accepted" | "approved" | "queued" => "",
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
        "panicked" => "Report this bug with the request id.",
        _ => "See docs/runbook.md.",
    }
}
