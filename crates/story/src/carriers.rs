//! What carriers report about messages that Twilio had accepted. (Source: Twilio, "Error and warning dictionary".)

/// Why a message did not arrive, and what to do. A code that is not in this table has a general answer.
pub(crate) fn why(code: Option<u32>) -> (&'static str, &'static str) {
    match code {
        Some(30001) => ("Twilio's queue for the account was full.", "Ask for another code in a few minutes."),
        Some(30002) => ("The Twilio account was suspended meanwhile.", "Ask Twilio's support about the account."),
        Some(30003 | 30005) => (
            "The phone could not be reached: it is switched off, has no reception, or the number does not exist.",
            "Check the phone, and compare the last two digits with the user's number.",
        ),
        Some(30004) => (
            "The carrier blocks messages to this phone.",
            "The user asks the carrier to allow short messages from services, or uses another factor.",
        ),
        Some(30006) => (
            "The number is a landline, or its carrier cannot receive this message.",
            "Correct the user's number in Okta, or use a voice call.",
        ),
        Some(30007) => (
            "The carrier filtered the message as spam.",
            "An admin asks Twilio's support. Until then the user takes a voice call or another factor.",
        ),
        Some(30034) => (
            "The carrier refused it because the sender is not registered.",
            "An admin completes the registration of the sender in the Twilio Console.",
        ),
        Some(63024) => (
            "The user does not have WhatsApp.",
            "The user takes another factor. An admin asks Twilio to turn on the fallback to SMS.",
        ),
        _ => (
            "The carrier did not say why.",
            "Ask for another code. If that fails too, use a voice call or another factor, and ask Twilio's support.",
        ),
    }
}
