//! Deliveries of Okta's event hook for tests. The body is what Okta posts.
//!
//! [`Okta`] creates events with unique ids, which depend on the seed only. An [`Event`] can take every [`Shape`] that
//! Okta is known to write. A [`Delivery`] wraps events in Okta's envelope. Sources: Okta, "Event hooks", "Event types"
//! and the System Log API. No recording of an event about a phone is public. The factor names are those of Okta's
//! Workflows templates.

#![expect(clippy::indexing_slicing, reason = "an index on a JSON object that is built here inserts")]

use serde_json::{Map, Value, json};
use std::time::SystemTime;
use time::OffsetDateTime;

/// Okta documents no limit for a delivery. No larger one is known.
pub const MOST_EVENTS: usize = 200;

const HOOK_ID: &str = "whosandbox0eventhook";

/// The personal data in events, which no output may contain.
pub const PRIVATE_VALUES: [&str; 3] = ["Test User", "test.user@example.com", "203.0.113.10"];

/// The Okta engine that wrote an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The user is the only target. Okta reports only second factors.
    Classic,
    /// The authenticator's enrollment is a target as well. Okta reports passwords, too.
    Identity,
}

/// A factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    /// `debugContext.debugData.factor`
    pub name: &'static str,
    /// Display name of the authenticator, in the Identity Engine.
    pub authenticator: &'static str,
    /// `detailEntry.methodTypeUsed` of the enrollment, in the Identity Engine.
    pub method: &'static str,
}

/// A code by text message.
pub const SMS: Factor = Factor { name: "SMS_FACTOR", authenticator: "Phone", method: "SMS" };
/// A code by voice call.
pub const CALL: Factor = Factor { name: "CALL_FACTOR", authenticator: "Phone", method: "VOICE" };
/// The password, which is a factor for the Identity Engine.
pub const PASSWORD: Factor = Factor { name: "PASSWORD_AS_FACTOR", authenticator: "Password", method: "Password" };

/// All factors that are not phones.
pub const OTHER_FACTORS: &[Factor] = &[
    PASSWORD,
    Factor { name: "OKTA_VERIFY_PUSH", authenticator: "Okta Verify", method: "Get a push notification" },
    Factor { name: "SIGNED_NONCE", authenticator: "Okta Verify", method: "Use Okta FastPass" },
    Factor { name: "OKTA_SOFT_TOKEN", authenticator: "Okta Verify", method: "Enter a code" },
    Factor { name: "FIDO_WEBAUTHN", authenticator: "Security Key or Biometric", method: "WebAuthn" },
    Factor { name: "EMAIL_FACTOR", authenticator: "Email", method: "EMAIL" },
    Factor { name: "GOOGLE_OTP", authenticator: "Google Authenticator", method: "Enter a code" },
    Factor { name: "SOFT_TOKEN", authenticator: "Google Authenticator", method: "Enter a code" },
    Factor { name: "SECURITY_QUESTION", authenticator: "Security Question", method: "Security Question" },
    Factor { name: "SECURID_FACTOR", authenticator: "RSA SecurID", method: "Enter a code" },
    Factor { name: "SYMANTEC_TOKEN", authenticator: "Symantec VIP", method: "Enter a code" },
    Factor { name: "YUBIKEY_OTP_FACTOR", authenticator: "YubiKey OTP", method: "YubiKey" },
    Factor { name: "DUO_SECURITY", authenticator: "Duo Security", method: "Duo" },
    Factor { name: "SMART_CARD", authenticator: "Smart Card Authenticator", method: "PIV" },
    Factor { name: "CUSTOM_SMS_FACTOR_X", authenticator: "Custom OTP", method: "Custom SMS" },
];

/// A form in which Okta is known to write events. Every form still names the user whose code was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Every field that is not about the factor or the user is null.
    ExplicitNulls,
    /// The same fields are missing, as in 2019.
    MissingFields,
    /// `target` is null, so only the actor names the user.
    NoTarget,
    /// Further values of `debugData` are objects, numbers, arrays and truth values.
    DebugDataOfAnyType,
    /// Text fields hold the string `"null"`.
    NullAsText,
    /// The event has unknown fields.
    UnknownFields,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 6] = [
        Self::ExplicitNulls,
        Self::MissingFields,
        Self::NoTarget,
        Self::DebugDataOfAnyType,
        Self::NullAsText,
        Self::UnknownFields,
    ];
}

/// A source of events and deliveries.
#[derive(Debug, Clone)]
pub struct Okta {
    random: Random,
    now: SystemTime,
}

impl Okta {
    /// Creates a source whose events depend on the seed and the time only. Events are published at `now`.
    pub fn new(seed: u64, now: SystemTime) -> Self {
        Self { random: Random(seed), now }
    }

    /// A user has signed in with a factor: `user.authentication.auth_via_mfa`.
    pub fn authentication(&mut self, engine: Engine, factor: Factor, user_id: &str) -> Event {
        let mut event = self.event(user_id);
        event["eventType"] = json!("user.authentication.auth_via_mfa");
        event["displayMessage"] = json!("Authentication of user via MFA");
        event["legacyEventType"] = json!("core.user.factor.attempt_success");
        event["authenticationContext"]["authenticationProvider"] = json!("FACTOR_PROVIDER");
        let data = &mut event["debugContext"]["debugData"];
        data["factor"] = json!(factor.name);
        match engine {
            Engine::Classic => data["requestUri"] = json!("/api/v1/authn/factors/smssandbox0000000000/verify"),
            Engine::Identity => {
                data["requestUri"] = json!("/idp/idx/challenge/answer");
                data["factorIntent"] = json!("AUTHENTICATION");
                let enrollment = json!({
                    "id": self.random.id("pae"), "type": "AuthenticatorEnrollment", "alternateId": "unknown",
                    "displayName": factor.authenticator,
                    "detailEntry": {
                        "methodTypeUsed": factor.method, "methodUsedVerifiedProperties": "[USER_PRESENCE]"
                    }
                });
                if let Some(targets) = event["target"].as_array_mut() {
                    // Okta guarantees no order.
                    targets.insert(self.random.below(2), enrollment);
                }
            }
        }
        Event(event)
    }

    /// A user has enrolled a factor: `user.mfa.factor.activate`.
    pub fn enrollment(&mut self, factor: Factor, user_id: &str) -> Event {
        let mut event = self.event(user_id);
        event["eventType"] = json!("user.mfa.factor.activate");
        event["displayMessage"] = json!("Activate factor for user");
        event["legacyEventType"] = json!("core.user.factor.activate");
        event["outcome"]["reason"] = json!(format!("User set up {} factor", factor.name));
        Event(event)
    }

    /// An event that does not report a correct code.
    pub fn noise(&mut self, user_id: &str) -> Event {
        let factor = OTHER_FACTORS[self.random.below(OTHER_FACTORS.len())];
        let phone = [SMS, CALL][self.random.below(2)];
        match self.random.below(5) {
            0 => self.authentication(Engine::Classic, factor, user_id),
            1 => self.authentication(Engine::Identity, factor, user_id),
            2 => self.authentication(Engine::Classic, phone, user_id).failed(),
            3 => self.authentication(Engine::Identity, phone, user_id).failed(),
            _ => self.enrollment(factor, user_id),
        }
    }

    /// Wraps events in Okta's envelope.
    pub fn delivery(&mut self, events: impl IntoIterator<Item = Event>) -> Delivery {
        Delivery { id: self.random.uuid(), time: self.now, events: events.into_iter().map(|event| event.0).collect() }
    }

    /// Splits events into deliveries of 1 to 200 events each.
    pub fn deliveries(&mut self, events: impl IntoIterator<Item = Event>) -> Vec<Delivery> {
        let mut events = events.into_iter().peekable();
        let mut deliveries = Vec::new();
        while events.peek().is_some() {
            let size = 1 + self.random.below(MOST_EVENTS);
            let batch: Vec<_> = events.by_ref().take(size).collect();
            deliveries.push(self.delivery(batch));
        }
        deliveries
    }

    /// Shuffles items.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.random.below(last + 1));
        }
    }

    /// The fields that all events have.
    fn event(&mut self, user_id: &str) -> Value {
        let user = json!({
            "id": user_id, "type": "User", "alternateId": "test.user@example.com", "displayName": "Test User",
            "detailEntry": null
        });
        let request_id = self.random.id("req");
        let place = json!({
            "city": "San Jose", "state": "California", "country": "United States", "postalCode": "95101",
            "geolocation": { "lat": 37.3388, "lon": -121.8914 }
        });
        json!({
            "uuid": self.random.uuid(),
            "published": timestamp(self.now),
            "version": "0",
            "severity": "INFO",
            "client": {
                "userAgent": { "rawUserAgent": "Mozilla/5.0", "os": "Mac OS X", "browser": "CHROME" },
                "zone": "null", "device": "Computer", "id": null, "ipAddress": "203.0.113.10",
                "geographicalContext": place,
                "ipChain": [{ "ip": "203.0.113.10", "geographicalContext": place, "version": "V4", "source": null }]
            },
            "device": null,
            "actor": user,
            "outcome": { "result": "SUCCESS", "reason": null },
            "target": [user],
            "transaction": { "type": "WEB", "id": request_id, "detail": {} },
            "debugContext": { "debugData": {
                "requestId": request_id, "dtHash": "9b1b10", "threatSuspected": "false", "targetEventHookIds": HOOK_ID
            } },
            "authenticationContext": {
                "authenticationProvider": null, "credentialProvider": null, "credentialType": null, "issuer": null,
                "authenticationStep": 0, "externalSessionId": self.random.id("idx"), "interface": null
            },
            "securityContext": {
                "asNumber": 64496, "asOrg": "example", "isp": "example", "domain": "example.net", "isProxy": false
            },
            "insertionTimestamp": null
        })
    }
}

/// One event of Okta's System Log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event(Value);

impl Event {
    /// Okta's id of the event.
    pub fn uuid(&self) -> &str {
        self.0["uuid"].as_str().unwrap_or_default()
    }

    /// The event as JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The event as JSON.
    pub fn into_json(self) -> Value {
        self.0
    }

    /// Makes the event report a wrong code.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.0["outcome"] = json!({ "result": "FAILURE", "reason": "INVALID_CREDENTIALS" });
        self.0["legacyEventType"] = json!("core.user.factor.attempt_fail");
        self
    }

    /// Gives the event another shape.
    #[must_use]
    pub fn shaped(mut self, shape: Shape) -> Self {
        const ESSENTIAL: &[&str] = &["uuid", "published", "eventType", "outcome", "actor", "target", "debugContext"];
        let empty = Map::new();
        let fields = self.0.as_object().unwrap_or(&empty);
        let other: Vec<_> = fields.keys().filter(|name| !ESSENTIAL.contains(&name.as_str())).cloned().collect();
        match shape {
            Shape::ExplicitNulls => other.into_iter().for_each(|name| self.0[name] = Value::Null),
            Shape::MissingFields => {
                if let Some(fields) = self.0.as_object_mut() {
                    fields.retain(|name, _| !other.contains(name));
                }
            }
            Shape::NoTarget => self.0["target"] = Value::Null,
            Shape::DebugDataOfAnyType => {
                let data = &mut self.0["debugContext"]["debugData"];
                data["originalPrincipal"] = json!({ "id": "00usandbox0other0000", "type": "User" });
                data["risk"] = json!(0.5);
                data["behaviors"] = json!(["New IP", null]);
                data["threatSuspected"] = json!(false);
                data["deviceFingerprint"] = Value::Null;
            }
            Shape::NullAsText => other.into_iter().for_each(|name| self.0[name] = json!("null")),
            Shape::UnknownFields => {
                self.0["newInNextRelease"] = json!({ "eventType": "user.authentication.auth_via_mfa" });
                self.0["outcome"]["score"] = json!(7);
            }
        }
        self
    }
}

/// One request from the event hook.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    id: String,
    time: SystemTime,
    events: Vec<Value>,
}

impl Delivery {
    /// The number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether the delivery has no events.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The body of the request.
    pub fn body(&self) -> String {
        envelope(&self.id, &self.events, self.time).to_string()
    }
}

/// Okta's envelope around events.
pub fn envelope(id: &str, events: &[Value], time: SystemTime) -> Value {
    json!({
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": format!("https://example.okta.com/api/v1/eventHooks/{HOOK_ID}"),
        "eventId": id,
        "data": { "events": events },
        "eventTime": timestamp(time),
        "contentType": "application/json",
    })
}

/// The time in Okta's format: `2026-11-23T12:00:00.000Z`.
pub fn timestamp(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (hour, minute, second, millisecond) = time.to_hms_milli();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// The `SplitMix64` generator, which gives the same sequence on every platform.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let variant = low >> 48 & 0x3fff | 0x8000;
        format!(
            "{:08x}-{:04x}-4{:03x}-{variant:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }

    /// An id like Okta's: a prefix of three letters, then seventeen characters.
    fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}{:017x}", u128::from(self.next()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    const USER: &str = "00usandbox0onephone0";

    fn okta(seed: u64) -> Okta {
        Okta::new(seed, SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123))
    }

    fn parsed(delivery: &Delivery) -> Value {
        serde_json::from_str(&delivery.body()).unwrap()
    }

    #[test]
    fn the_seed_decides() {
        let body = |seed| {
            let mut okta = okta(seed);
            let events: Vec<_> = (0..300).map(|_| okta.noise(USER)).collect();
            okta.deliveries(events).iter().map(Delivery::body).collect::<Vec<_>>()
        };
        assert_eq!(body(1), body(1));
        assert_ne!(body(1), body(2));
    }

    #[test]
    fn every_event_is_delivered_once_in_deliveries_of_1_to_200() {
        let mut okta = okta(3);
        let events: Vec<_> = (0..2_000).map(|_| okta.authentication(Engine::Identity, SMS, USER)).collect();
        let sent: BTreeSet<_> = events.iter().map(|event| event.uuid().to_owned()).collect();
        assert_eq!(sent.len(), 2_000, "ids are unique");
        let deliveries = okta.deliveries(events);
        let sizes: BTreeSet<_> = deliveries.iter().map(Delivery::len).collect();
        assert!(sizes.first() >= Some(&1) && sizes.last() <= Some(&MOST_EVENTS) && sizes.len() > 5);
        let delivered: Vec<_> = deliveries
            .iter()
            .flat_map(|delivery| parsed(delivery)["data"]["events"].as_array().unwrap().clone())
            .map(|event| event["uuid"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(delivered.len(), 2_000);
        assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), sent);
    }

    #[test]
    fn the_envelope_is_oktas() {
        let mut okta = okta(1);
        let event = okta.authentication(Engine::Classic, SMS, USER);
        let delivery = okta.delivery([event]);
        let body = parsed(&delivery);
        assert_eq!(body["eventType"], "com.okta.event_hook");
        assert_eq!(body["eventTime"], "2027-01-15T08:00:00.123Z");
        assert_eq!(body["data"]["events"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn engines_differ_in_the_targets() {
        let mut okta = okta(1);
        let classic = okta.authentication(Engine::Classic, SMS, USER);
        assert_eq!(classic.json()["target"].as_array().unwrap().len(), 1);
        assert_eq!(classic.json()["debugContext"]["debugData"]["factor"], "SMS_FACTOR");
        let mut places = BTreeSet::new();
        for _ in 0..20 {
            let identity = okta.authentication(Engine::Identity, CALL, USER);
            let targets = identity.json()["target"].as_array().unwrap().clone();
            let place = targets.iter().position(|target| target["type"] == "AuthenticatorEnrollment").unwrap();
            assert_eq!(targets[place]["detailEntry"]["methodTypeUsed"], "VOICE");
            places.insert(place);
        }
        assert_eq!(places.len(), 2, "in any order");
    }

    #[test]
    fn shapes_keep_what_tells_whose_code_was_right() {
        for shape in Shape::ALL {
            let plain = okta(1).authentication(Engine::Classic, SMS, USER);
            let shaped = plain.clone().shaped(shape);
            assert_ne!(plain, shaped, "{shape:?}");
            for pointer in ["/uuid", "/eventType", "/outcome/result", "/actor/id", "/debugContext/debugData/factor"] {
                assert_eq!(plain.json().pointer(pointer), shaped.json().pointer(pointer), "{shape:?} {pointer}");
            }
        }
    }

    #[test]
    fn shuffling_loses_nothing() {
        let mut things: Vec<_> = (0..100).collect();
        okta(1).shuffle(&mut things);
        assert!(!things.is_sorted());
        things.sort_unstable();
        assert_eq!(things, (0..100).collect::<Vec<_>>());
    }
}
