//! What an explanation is about.

use okta_twilio::id::{SafeId, Sid};

/// What somebody wants to have explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The last codes that did not go out.
    Failures,
    /// A user of Okta: `00u…`.
    User(SafeId),
    /// A verification: `VE…`.
    Verification(Sid),
    /// An attempt: `VL…`.
    Attempt(Sid),
    /// A request to Twilio: `RQ…`.
    TwilioRequest(SafeId),
    /// An invocation of a function, or an event in Okta's System Log.
    Uuid(SafeId),
    /// Okta's `eventId` of a telephony request.
    OktaEvent(SafeId),
    /// Okta's request: `req…`.
    OktaRequest(SafeId),
    /// A number, which goes to Twilio only.
    Number,
}

impl Subject {
    /// Recognises an id. `None` for anything else, such as a login or a number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let id = SafeId::parse(text)?;
        let sid = |prefix| Sid::parse(text, prefix);
        if let Some(sid) = sid("VE") {
            Some(Self::Verification(sid))
        } else if let Some(sid) = sid("VL") {
            Some(Self::Attempt(sid))
        } else if sid("RQ").is_some() {
            Some(Self::TwilioRequest(id))
        } else if is_uuid(text) {
            Some(Self::Uuid(id))
        } else if text.starts_with("00u") && text.len() == 20 {
            Some(Self::User(id))
        } else if text.starts_with("req") {
            Some(Self::OktaRequest(id))
        } else {
            // Okta's event ids have 22 letters, but Okta does not promise it.
            (20..=32).contains(&text.len()).then_some(Self::OktaEvent(id))
        }
    }

    /// The members of our log lines that lead to it, with their values.
    pub(crate) fn conditions(&self) -> Vec<(&'static str, String)> {
        let id = |member, id: &SafeId| vec![(member, id.as_str().to_owned())];
        match self {
            Self::Failures => ["otp_failed", "otp_refused", "request_rejected", "panicked"]
                .map(|message| ("message", message.to_owned()))
                .into(),
            Self::User(user) => id("user_id", user),
            Self::Verification(sid) => vec![("verification_sid", sid.as_str().to_owned())],
            Self::Attempt(sid) => vec![("attempt_sid", sid.as_str().to_owned())],
            Self::TwilioRequest(request) => id("twilio_request_id", request),
            Self::Uuid(uuid) => [id("function_request_id", uuid), id("event_uuid", uuid)].concat(),
            Self::OktaEvent(event) => id("okta_event_id", event),
            Self::OktaRequest(request) => id("okta_request_id", request),
            Self::Number => Vec::new(),
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_recognised_by_their_form() {
        let hex = "0123456789abcdef0123456789abcdef";
        for (text, member) in [
            ("00u1hnx4oekfTHgqY0h8", "user_id"),
            (&format!("VE{hex}"), "verification_sid"),
            (&format!("VL{hex}"), "attempt_sid"),
            (&format!("RQ{hex}"), "twilio_request_id"),
            ("11111111-6881-11ee-8754-050a89ee763e", "function_request_id"),
            ("reqRgSk8IBBRhuo0YdlEDTmUw", "okta_request_id"),
            ("uS5871kJThSyU8qlA1LTcg", "okta_event_id"),
            (" 00u1hnx4oekfTHgqY0h8\n", "user_id"),
        ] {
            assert_eq!(Subject::parse(text).unwrap().conditions()[0].0, member, "{text}");
        }
    }

    #[test]
    fn a_login_or_a_number_is_no_id() {
        for text in ["jane.doe@example.com", "+12025550123", "12025550123", "Jane", "867530", ""] {
            assert_eq!(Subject::parse(text), None, "{text}");
        }
    }
}
