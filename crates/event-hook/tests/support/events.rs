//! System Log events as Okta delivers them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

/// What the events hold and no output may.
pub(crate) const PRIVATE_VALUES: [&str; 4] = ["Beeblebrox", "zaphod.beeblebrox@example.com", "203.0.113.10", "867530"];

/// A sign-in a moment ago, of the Classic Engine, with this factor.
pub(crate) fn sign_in(user_id: &str, factor: &str) -> Value {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let user = json!({
        "id": user_id, "type": "User", "alternateId": "zaphod.beeblebrox@example.com",
        "displayName": "Zaphod Beeblebrox", "detailEntry": null
    });
    json!({
        "uuid": format!("e{:07x}-c921-11f1-8754-050a89ee763e", COUNT.fetch_add(1, Ordering::Relaxed)),
        "published": ago(Duration::ZERO),
        "eventType": "user.authentication.auth_via_mfa",
        "version": "0",
        "displayMessage": "Authentication of user via MFA",
        "severity": "INFO",
        "client": {"zone": "null", "device": "Computer", "id": null, "ipAddress": "203.0.113.10"},
        "device": null,
        "actor": user,
        "outcome": {"result": "SUCCESS", "reason": null},
        "target": [user],
        "transaction": {"type": "WEB", "id": "ZScaAaFNZFIMj9ZJeUbfAAAD2Q", "detail": {}},
        "debugContext": {"debugData": {"factor": factor, "requestUri": "/idp/idx/challenge/answer"}},
        "legacyEventType": "core.user.factor.attempt_success",
        "authenticationContext": {"authenticationProvider": "FACTOR_PROVIDER", "credentialType": null},
        "securityContext": {},
        "insertionTimestamp": null
    })
}

/// An enrolment a moment ago; Okta reports one for each channel of the phone.
pub(crate) fn enrolment(user_id: &str, factor: &str) -> Value {
    let mut event = sign_in(user_id, "null");
    event["eventType"] = json!("user.mfa.factor.activate");
    event["outcome"]["reason"] = json!(format!("User set up {factor} factor"));
    event["debugContext"]["debugData"] = json!({"requestUri": "/idp/idx/challenge/answer"});
    event
}

/// One delivery.
pub(crate) fn delivery(events: &[Value]) -> Value {
    json!({
        "eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1",
        "source": "https://example.okta.com/api/v1/eventHooks/whoql0KfhvZGbNqZu0g3",
        "eventId": "b5a188b9-5ec5-4636-8c5e-7eeadf2ba5e2",
        "data": {"events": events},
        "eventTime": ago(Duration::ZERO), "contentType": "application/json"
    })
}

/// A time as Okta writes it.
pub(crate) fn ago(age: Duration) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test plays Okta, which has a clock of its own")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let millis = i64::try_from(now.saturating_sub(age).as_millis()).expect("a time that is not far");
    okta_twilio::time::clock::Timestamp::from_millis(millis).to_rfc3339()
}
