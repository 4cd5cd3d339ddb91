//! The System Log: what Okta did about a code. Okta keeps it for 90 days. Names, logins, addresses and Okta's own texts
//! are dropped, and numbers are masked, while an event is read.

use okta_twilio::{
    id::SafeId,
    phone::{self, DialableNumber, MaskedPhone},
    time::clock::Timestamp,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Okta, OktaError};

const SCOPE: &str = "okta.logs.read";

/// The events of SMS and calls with a code.
pub(crate) const SENDS: [&str; 8] = [
    "system.sms.send_factor_verify_message",
    "system.sms.send_phone_verification_message",
    "system.sms.send_password_reset_message",
    "system.sms.send_account_unlock_message",
    "system.voice.send_mfa_challenge_call",
    "system.voice.send_phone_verification_call",
    "system.voice.send_password_reset_call",
    "system.voice.send_account_unlock_call",
];

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct LogEvent {
    pub(crate) published: Timestamp,
    pub(crate) kind: EventKind,
    pub(crate) result: EventResult,
    /// The user of the event.
    pub(crate) user: Option<SafeId>,
    pub(crate) details: Details,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// Okta, or a hook for it, sent an SMS; or Okta did not want to.
    SmsSend,
    /// The same by a call.
    CallSend,
    /// Okta could not use an inline hook's answer, or got none.
    InlineHookFailed,
    /// Okta has processed an inline hook's answer.
    InlineHookProcessed,
    /// Deliveries to an event hook.
    EventHookDelivery,
    /// A user entered something to sign in.
    Authentication,
    /// A user enrolled a factor.
    Enrollment,
    Other,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum EventResult {
    Success,
    Failure,
    Skipped,
    Allow,
    Deny,
    Challenge,
    #[default]
    #[serde(other)]
    Unknown,
}

/// The details that are used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// The number, masked.
    pub(crate) phone: Option<MaskedPhone>,
    /// The id that the provider gave: our verification, if the hook sent the code.
    pub(crate) provider_transaction: Option<SafeId>,
    /// Whether Okta sent by itself, because the hook did not.
    pub(crate) is_failover: bool,
    /// The debug context of the response of the hook.
    pub(crate) hook: Option<HookDetails>,
}

/// The `debugContext` of our own answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct HookDetails {
    /// Lambda's id of the invocation.
    pub(crate) request_id: Option<SafeId>,
    /// The reason code.
    pub(crate) reason: Option<SafeId>,
    pub(crate) twilio_request_id: Option<SafeId>,
}

/// Which events.
#[derive(Clone, Debug)]
pub(crate) struct Query<'a> {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    /// In Okta's language. Values come from [`SafeId`]s or from this program.
    pub(crate) filter: &'a str,
}

impl Okta {
    /// The events that the query selects, the newest first, at most `max`.
    ///
    /// # Errors
    /// Fails if Okta does not return them.
    pub(crate) async fn system_log(&self, query: &Query<'_>, max: usize) -> Result<Vec<LogEvent>, OktaError> {
        let (since, until) = (query.since.to_rfc3339(), query.until.to_rfc3339());
        let parameters = [
            ("since", since.as_str()),
            ("until", until.as_str()),
            ("filter", query.filter),
            ("sortOrder", "DESCENDING"),
            ("limit", "1000"),
        ];
        let mut found = Vec::new();
        self.pages("/api/v1/logs", &parameters, SCOPE, |event: LogEvent| {
            found.push(event);
            found.len() < max
        })
        .await?;
        Ok(found)
    }
}

/// A filter for any of these event types.
pub(crate) fn any_of(event_types: &[&str]) -> String {
    let terms: Vec<_> = event_types.iter().map(|event_type| format!("eventType eq \"{event_type}\"")).collect();
    format!("({})", terms.join(" or "))
}

impl EventKind {
    fn of(event_type: &str) -> Self {
        match event_type {
            "inline_hook.executed" => Self::InlineHookFailed,
            "inline_hook.response.processed" => Self::InlineHookProcessed,
            "event_hook.delivery" => Self::EventHookDelivery,
            "user.authentication.auth_via_mfa" => Self::Authentication,
            "user.mfa.factor.activate" => Self::Enrollment,
            sms if sms.starts_with("system.sms.send_") => Self::SmsSend,
            call if call.starts_with("system.voice.send_") => Self::CallSend,
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for LogEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            published: Timestamp,
            event_type: String,
            #[serde(default)]
            outcome: Value,
            #[serde(default)]
            target: Value,
            #[serde(default)]
            debug_context: Value,
        }
        let raw = Raw::deserialize(deserializer)?;
        let id = |value: &Value| value.get("id").and_then(Value::as_str).and_then(SafeId::parse);
        let targets = raw.target.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_user = |target: &&Value| target.get("type").and_then(Value::as_str) == Some("User");
        let result = raw.outcome.get("result").and_then(|result| EventResult::deserialize(result).ok());
        Ok(Self {
            published: raw.published,
            kind: EventKind::of(&raw.event_type),
            result: result.unwrap_or_default(),
            user: targets.iter().find(is_user).and_then(id),
            details: Details::of(raw.debug_context.get("debugData").unwrap_or(&Value::Null)),
        })
    }
}

impl Details {
    fn of(debug_data: &Value) -> Self {
        let text = |name: &str| debug_data.get(name).and_then(Value::as_str);
        // A flag is a text in the System Log.
        let is_set = |name: &str| text(name) == Some("true") || debug_data.get(name) == Some(&Value::Bool(true));
        // A map, which Okta's log may hold as a text.
        let hook = debug_data.get("inlineHook").and_then(|hook| match hook {
            Value::String(text) => serde_json::from_str(text).ok(),
            hook => HookDetails::deserialize(hook).ok(),
        });
        Self {
            phone: text("phoneNumber").and_then(masked),
            provider_transaction: text("transactionId").and_then(SafeId::parse),
            is_failover: is_set("isSmsHookFailover") || is_set("isCallHookFailover"),
            hook,
        }
    }
}

fn masked(number: &str) -> Option<MaskedPhone> {
    match phone::parse(number) {
        Ok((DialableNumber::International(number), _)) => Some(number.masked()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use okta_twilio::http_client;
    use sandbox::{
        OktaOptions,
        okta_org::{self, OktaOrg},
    };
    use serde_json::json;

    const USER: &str = "00usandbox0onephone0";

    fn org() -> (OktaOrg, Okta) {
        let org = OktaOrg::start(OktaOptions::default());
        let token = OktaOptions::default().api_token.into();
        let okta = Okta::new(&http_client::build(None).unwrap(), &org.url().parse().unwrap(), &token).unwrap();
        (org, okta)
    }

    fn find(okta: &Okta, filter: &str) -> Result<Vec<LogEvent>, OktaError> {
        let time = |text| Timestamp::parse(text).unwrap();
        let query = Query { since: time("2026-11-25T14:00:00Z"), until: time("2026-11-25T15:00:00Z"), filter };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(okta.system_log(&query, 100))
    }

    fn event(number: u32, event_type: &str) -> okta_org::LogEvent {
        let uuid = format!("11111111-6881-11ee-8754-05000000000{number}");
        okta_org::LogEvent::new(&uuid, event_type, &format!("2026-11-25T14:0{number}:11.204Z"))
    }

    #[test]
    fn every_page_is_read_the_newest_first() {
        let (org, okta) = org();
        let sends = |number| event(number, SENDS[0]).about(USER);
        org.change(|org| org.log = (0..8).map(sends).chain([event(8, "user.session.start").about(USER)]).collect());
        let found = find(&okta, &format!("{} and target.id eq \"{USER}\"", any_of(&SENDS))).unwrap();
        assert_eq!(found.len(), 8);
        assert!(found.windows(2).all(|pair| pair[0].published > pair[1].published));
        assert_eq!(found[0].user.as_ref().unwrap().as_str(), USER);
        assert!(find(&okta, "target.id eq \"00usandbox0twophones\"").unwrap().is_empty());
    }

    #[test]
    fn a_failover_and_our_own_answer_are_recognized() {
        let (org, okta) = org();
        let failover = event(1, "system.sms.send_factor_verify_message")
            .with("phoneNumber", "+12025550123")
            .with("isSmsHookFailover", "true");
        let ours = event(2, "system.voice.send_mfa_challenge_call")
            .with("transactionId", "VE00000000000000000000000000000001")
            .with("isCallHookFailover", "false");
        let context = json!({"requestId": "00000000-0000-4000-8000-000000000060", "reason": "sms_pumping_risk"});
        let as_map = event(3, "inline_hook.response.processed").with("inlineHook", context.clone());
        let as_text = event(4, "inline_hook.response.processed").with("inlineHook", context.to_string());
        org.change(|org| org.log = vec![failover, ours, as_map, as_text]);
        let found = find(&okta, &any_of(&[SENDS[0], SENDS[4], "inline_hook.response.processed"])).unwrap();
        let [as_text, as_map, ours, failover] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((failover.kind, failover.details.is_failover), (EventKind::SmsSend, true));
        assert_eq!(failover.details.phone.as_ref().unwrap().to_string(), "US…23");
        assert_eq!((ours.kind, ours.details.is_failover), (EventKind::CallSend, false));
        assert!(ours.details.provider_transaction.as_ref().unwrap().as_str().starts_with("VE"));
        for processed in [as_map, as_text] {
            assert_eq!(processed.kind, EventKind::InlineHookProcessed);
            let hook = processed.details.hook.as_ref().unwrap();
            assert_eq!(hook.reason.as_ref().unwrap().as_str(), "sms_pumping_risk");
            assert!(hook.request_id.is_some());
        }
        let all = format!("{found:?}");
        assert!(!["2025550", "Private", "private", "203.0.113"].iter().any(|secret| all.contains(secret)), "{all}");
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        let (org, okta) = org();
        org.change(|org| org.denied.insert(SCOPE));
        assert_eq!(find(&okta, "uuid eq \"a\"").unwrap_err(), OktaError::Forbidden { scope: SCOPE });
        org.change(|org| org.options.api_token = "another".to_owned());
        assert_eq!(find(&okta, "uuid eq \"a\"").unwrap_err(), OktaError::Unauthorized);
    }
}
