//! Okta's event hook: a delivery of System Log events, and which of them show that a user typed the right code.
//!
//! Sources: Okta, "Event hooks" (concept and API reference), "Event types" and the System Log API. Okta publishes no
//! schema for deliveries and says that `debugData` is not a contract. So every field can be missing, `null` or of any
//! type, and several signals are read. The code never guesses: an ambiguous event goes to [`EventDelivery::unusable`].
//!
//! Okta states no limit for a delivery, so Lambda's 6 MB for an invocation is the only one. Events are parsed one by
//! one. So memory holds the text, one event, and the data of the relevant events.

use std::{collections::HashSet, fmt};

use aws_lc_rs::digest;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::field::{as_text, at, items, text};
use crate::{id::SafeId, json, reason::Reason, time::clock::Timestamp};

/// The only `eventType` of a delivery.
const DELIVERY_TYPE: &str = "com.okta.event_hook";
/// Path of the events.
const EVENTS: &str = "data.events";
/// Path of the delivery's type.
const EVENT_TYPE: &str = "eventType";

/// The relevant events of one delivery.
#[derive(Debug, Default)]
pub struct EventDelivery {
    /// The right code was typed. Each event occurs once.
    pub phone_successes: Vec<PhoneSuccess>,
    /// Events that belong to them but lack a field.
    pub unusable: Vec<UnusableEvent>,
}

/// A user typed the right code from a phone. It is also the queue's message: ids and times, without personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhoneSuccess {
    /// Okta's id of the event. If it is missing, the digest of the event's text.
    pub event_uuid: SafeId,
    /// The owner of the phone.
    pub user_id: SafeId,
    /// The channel of the code.
    pub channel: PhoneChannel,
    /// What the code was for.
    pub kind: Kind,
    /// When it happened.
    pub published: Timestamp,
}

/// The channel of a code, if the event shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneChannel {
    /// A text message.
    Sms,
    /// A voice call.
    Call,
    /// SMS or call. An enrollment produces one event for each, whichever was used.
    Either,
}

impl PhoneChannel {
    /// The name in the log and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
            Self::Either => "either",
        }
    }
}

/// What a code was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sign-in or recovery: `user.authentication.auth_via_mfa`.
    Authentication,
    /// `user.mfa.factor.activate`. The queue has the word of the release before this one, and this release reads both
    /// words: while both releases run, each must read the other's messages. The next release writes `enrollment`.
    #[serde(rename = "enrolment", alias = "enrollment")]
    Enrollment,
}

impl Kind {
    /// The name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Enrollment => "enrollment",
        }
    }

    fn of_event_type(text: &str) -> Option<Self> {
        match text {
            "user.authentication.auth_via_mfa" => Some(Self::Authentication),
            "user.mfa.factor.activate" => Some(Self::Enrollment),
            _ => None,
        }
    }
}

/// An event that needs feedback but cannot get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableEvent {
    /// The id of the event.
    pub event_uuid: SafeId,
    /// What is missing: [`Reason::EventNotClassified`] or [`Reason::EventWithoutUser`].
    pub reason: Reason,
}

/// Why a body is not a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The body is not JSON or not an object.
    #[error("the body is not a JSON object")]
    NotJson,
    /// This field shows that it is something else.
    #[error("{0} is not valid for a delivery")]
    Field(&'static str),
}

impl DeliveryError {
    /// Path of the invalid field.
    pub fn location(self) -> Option<&'static str> {
        match self {
            Self::NotJson => None,
            Self::Field(path) => Some(path),
        }
    }
}

impl EventDelivery {
    /// Parses a body. An event without a time gets the time of the delivery, or else the time of arrival.
    ///
    /// # Errors
    /// Fails if it is not a JSON object, or if it belongs to another hook.
    pub fn parse(body: &[u8], arrived: Timestamp) -> Result<Self, DeliveryError> {
        let body = std::str::from_utf8(body).map_err(|_not_utf8| DeliveryError::NotJson)?;
        let body = json::readable(body).ok_or(DeliveryError::NotJson)?;
        let mut reader = serde_json::Deserializer::from_str(&body);
        // `readable` has checked the depth.
        reader.disable_recursion_limit();
        let mut found = Found::new(arrived);
        let is_json = Level { place: Place::Delivery, found: &mut found }.deserialize(&mut reader).is_ok();
        if !is_json || reader.end().is_err() || !found.is_object {
            return Err(DeliveryError::NotJson);
        }
        match found.event_type.as_deref() {
            Some(DELIVERY_TYPE) => {}
            Some(_) => return Err(DeliveryError::Field(EVENT_TYPE)),
            None if found.has_events => {}
            None => return Err(DeliveryError::Field(EVENTS)),
        }
        let made = found.event_time.unwrap_or(arrived);
        let mut delivery = Self { unusable: found.unusable, ..Self::default() };
        for (mut success, has_time) in found.phone_successes {
            if !has_time {
                success.published = made;
            }
            delivery.phone_successes.push(success);
        }
        Ok(delivery)
    }
}

/// What a delivery says, as far as it was read. Only what is needed of an event becomes values, and only until the next.
struct Found {
    /// Stands for the time of an event that has none.
    arrived: Timestamp,
    is_object: bool,
    has_events: bool,
    event_type: Option<String>,
    /// When Okta made the delivery.
    event_time: Option<Timestamp>,
    /// And whether the event has a time. If not, that of the delivery counts, which can come later in the text.
    phone_successes: Vec<(PhoneSuccess, bool)>,
    unusable: Vec<UnusableEvent>,
    seen: HashSet<SafeId>,
}

impl Found {
    fn new(arrived: Timestamp) -> Self {
        Self {
            arrived,
            is_object: false,
            has_events: false,
            event_type: None,
            event_time: None,
            phone_successes: Vec::new(),
            unusable: Vec::new(),
            seen: HashSet::new(),
        }
    }

    fn look_at(&mut self, event: &Value) {
        match look_at(event, self.arrived) {
            None => {}
            Some(Ok(success)) if self.seen.insert(success.event_uuid.clone()) => {
                self.phone_successes.push((success, time(event, "published").is_some()));
            }
            Some(Err(unusable)) if self.seen.insert(unusable.event_uuid.clone()) => self.unusable.push(unusable),
            Some(_again) => {}
        }
    }
}

/// A level of a delivery.
#[derive(Clone, Copy)]
enum Place {
    Delivery,
    Data,
    Events,
    Event,
}

/// Reads one level, and skips a value of any other type. So a delivery of a megabyte is read once, and never is in
/// memory as values.
struct Level<'a> {
    place: Place,
    found: &'a mut Found,
}

/// The members that [`look_at`] needs. An event has some twenty, and the others are much larger.
const NEEDED: [&str; 7] = ["uuid", "published", EVENT_TYPE, "actor", "outcome", "target", "debugContext"];

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { place, found } = self;
        let mut event = Map::new();
        while let Some(name) = members.next_key_seed(Name)? {
            match (place, name) {
                (Place::Delivery, Some(EVENT_TYPE)) => found.event_type = as_text(&members.next_value()?),
                (Place::Delivery, Some("eventTime")) => {
                    found.event_time = as_text(&members.next_value()?).as_deref().and_then(Timestamp::parse);
                }
                (Place::Delivery, Some("data")) => {
                    members.next_value_seed(Level { place: Place::Data, found: &mut *found })?;
                }
                (Place::Data, Some("events")) => {
                    members.next_value_seed(Level { place: Place::Events, found: &mut *found })?;
                }
                (Place::Event, Some(name)) if NEEDED.contains(&name) => {
                    event.insert(name.to_owned(), members.next_value()?);
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        match place {
            Place::Delivery => found.is_object = true,
            Place::Event => found.look_at(&Value::Object(event)),
            Place::Data | Place::Events => {}
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { place, found } = self;
        if let Place::Events = place {
            found.has_events = true;
            while items.next_element_seed(Level { place: Place::Event, found: &mut *found })?.is_some() {}
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a name without storing it.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static str>;
    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static str>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(["eventTime", "data", "events"].into_iter().chain(NEEDED).find(|known| *known == name))
    }
}

/// Parses a phone event. Returns `None` for an event about something else.
fn look_at(event: &Value, made: Timestamp) -> Option<Result<PhoneSuccess, UnusableEvent>> {
    let kind = Kind::of_event_type(&text(event, "eventType")?)?;
    if !text(event, "outcome.result")?.eq_ignore_ascii_case("SUCCESS") {
        return None;
    }
    let unusable = |reason| Some(Err(UnusableEvent { event_uuid: event_uuid(event), reason }));
    let Some(channel) = phone_channel(event) else {
        // Okta may have changed its wording, so an admin should know.
        let ambiguous = kind == Kind::Authentication && enrollments(event).any(is_phone);
        return if ambiguous { unusable(Reason::EventNotClassified) } else { None };
    };
    let Some(user_id) = user_id(event) else { return unusable(Reason::EventWithoutUser) };
    Some(Ok(PhoneSuccess {
        event_uuid: event_uuid(event),
        user_id,
        channel: match kind {
            Kind::Authentication => channel,
            Kind::Enrollment => PhoneChannel::Either,
        },
        kind,
        published: time(event, "published").unwrap_or(made),
    }))
}

/// The channel of a phone factor. `None` for any other factor, and if no signal shows it.
///
/// `debugData` comes first and is final. Until 2026.07.0 the target's `methodTypeUsed` could name the prompted method
/// instead of the used one (OKTA-1200335). Identity Engine also sends this event for passwords, so only a clear word
/// may count as a phone.
fn phone_channel(event: &Value) -> Option<PhoneChannel> {
    let data = |name| at(event, "debugContext.debugData").and_then(|data| signal(data, name));
    if let Some(factor) = data("factor").or_else(|| data("factorType")) {
        return match factor.as_str() {
            "SMS_FACTOR" | "SMS" => Some(PhoneChannel::Sms),
            "CALL_FACTOR" | "CALL" => Some(PhoneChannel::Call),
            _ => None,
        };
    }
    // Such as "User set up SMS_FACTOR factor". Compare whole words, because CUSTOM_SMS_FACTOR_X is not a phone.
    let reason = signal(event, "outcome.reason").unwrap_or_default();
    let names = |word| reason.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_').any(|it| it == word);
    if names("SMS_FACTOR") {
        return Some(PhoneChannel::Sms);
    }
    if names("CALL_FACTOR") {
        return Some(PhoneChannel::Call);
    }
    enrollments(event).find_map(|target| match signal(target, "detailEntry.methodTypeUsed")?.as_str() {
        "SMS" => Some(PhoneChannel::Sms),
        "VOICE" | "VOICE CALL" | "CALL" => Some(PhoneChannel::Call),
        _ => None,
    })
}

/// A field in upper case. `None` if it is missing, blank, `null` or the string `"null"`, which Okta also writes. A
/// value of another type counts as an unknown signal.
fn signal(value: &Value, path: &str) -> Option<String> {
    let text = match at(value, path)? {
        Value::Null => return None,
        Value::String(text) => text.trim().to_ascii_uppercase(),
        other => other.to_string(),
    };
    (!text.is_empty() && text != "NULL").then_some(text)
}

/// The targets that are authenticator enrollments. Okta does not promise an order of targets.
fn enrollments(event: &Value) -> impl Iterator<Item = &Value> {
    targets(event, "AUTHENTICATORENROLLMENT")
}

fn targets<'a>(event: &'a Value, upper_case_type: &'static str) -> impl Iterator<Item = &'a Value> {
    items(event, "target").filter(move |target| signal(target, "type").as_deref() == Some(upper_case_type))
}

/// Whether an enrollment belongs to the authenticator "Phone".
fn is_phone(enrollment: &Value) -> bool {
    signal(enrollment, "displayName").as_deref() == Some("PHONE")
}

/// The user of the event. An admin who enrolls a phone for someone else can be the actor, so the actor counts only if
/// no target is a user.
fn user_id(event: &Value) -> Option<SafeId> {
    let target = targets(event, "USER").find_map(|user| text(user, "id"));
    SafeId::parse(&target.or_else(|| text(event, "actor.id"))?)
}

/// The event's uuid. Without one, a digest of what was read of the event, which is the same when Okta delivers it again.
fn event_uuid(event: &Value) -> SafeId {
    text(event, "uuid").as_deref().and_then(SafeId::parse).unwrap_or_else(|| {
        let digest = digest::digest(&digest::SHA256, event.to_string().as_bytes());
        SafeId::of_digest(digest.as_ref())
    })
}

fn time(value: &Value, path: &str) -> Option<Timestamp> {
    Timestamp::parse(&text(value, path)?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn arrived() -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }

    /// An event from Classic Engine. The user is the only target.
    pub(crate) fn classic(factor: &str) -> Value {
        json!({
            "uuid": "5f1c2a3b-c921-11f1-8754-050a89ee763e",
            "published": "2026-11-23T12:00:00.000Z",
            "eventType": "user.authentication.auth_via_mfa",
            "version": "0",
            "displayMessage": "Authentication of user via MFA",
            "severity": "INFO",
            "client": {"zone": "null", "device": "Computer", "id": null, "ipAddress": "203.0.113.10"},
            "device": null,
            "actor": {
                "id": "00uyxxSknGtK8022w0g3", "type": "User", "alternateId": "test.user@example.com",
                "displayName": "Test User", "detailEntry": null
            },
            "outcome": {"result": "SUCCESS", "reason": null},
            "target": [{
                "id": "00uyxxSknGtK8022w0g3", "type": "User", "alternateId": "test.user@example.com",
                "displayName": "Test User", "detailEntry": null
            }],
            "transaction": {"type": "WEB", "id": "ZScaAaFNZFIMj9ZJeUbfAAAD2Q", "detail": {}},
            "debugContext": {"debugData": {
                "factor": factor, "requestUri": "/api/v1/authn/factors/smsgeyhtlm2SEPZ9m0g3/verify",
                "originalPrincipal": {"id": "00uyxxSknGtK8022w0g3", "type": "User"}
            }},
            "legacyEventType": "core.user.factor.attempt_success",
            "authenticationContext": {"authenticationProvider": "FACTOR_PROVIDER", "credentialType": null},
            "securityContext": {},
            "insertionTimestamp": null
        })
    }

    /// An event from Identity Engine. The authenticator's enrollment is a target too.
    pub(crate) fn identity_engine(factor: &str, authenticator: &str, method: &str) -> Value {
        let mut event = classic(factor);
        event["target"].as_array_mut().unwrap().insert(
            0,
            json!({
                "id": "paeycvijoxFZoyTJw0g3", "type": "AuthenticatorEnrollment", "alternateId": "unknown",
                "displayName": authenticator, "detailEntry": {"methodTypeUsed": method}
            }),
        );
        event
    }

    /// An enrollment. Its `debugData` names no factor.
    pub(crate) fn enrollment(reason: &str) -> Value {
        let mut event = classic("null");
        event["eventType"] = json!("user.mfa.factor.activate");
        event["legacyEventType"] = json!("core.user.factor.activate");
        event["outcome"]["reason"] = json!(reason);
        event["debugContext"]["debugData"].as_object_mut().unwrap().remove("factor");
        event
    }

    pub(crate) fn delivery(events: &[Value]) -> Value {
        json!({
            "eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1",
            "source": "https://example.okta.com/api/v1/eventHooks/whoql0KfhvZGbNqZu0g3",
            "eventId": "b5a188b9-5ec5-4636-8c5e-7eeadf2ba5e2",
            "data": {"events": events},
            "eventTime": "2026-11-23T12:00:05.000Z", "contentType": "application/json"
        })
    }

    fn with(mut event: Value, pointer: &str, value: Value) -> Value {
        *event.pointer_mut(pointer).unwrap() = value;
        event
    }

    fn parse(body: &Value) -> Result<EventDelivery, DeliveryError> {
        EventDelivery::parse(body.to_string().as_bytes(), arrived())
    }

    fn one(event: Value) -> Option<Result<PhoneSuccess, Reason>> {
        let EventDelivery { mut phone_successes, mut unusable } = parse(&delivery(&[event])).unwrap();
        assert!(phone_successes.len() + unusable.len() <= 1);
        phone_successes.pop().map(Ok).or_else(|| unusable.pop().map(|unusable| Err(unusable.reason)))
    }

    fn channel(event: Value) -> Option<PhoneChannel> {
        one(event).map(|finding| finding.unwrap().channel)
    }

    #[test]
    fn a_message_has_only_ids_and_times() {
        insta::assert_json_snapshot!(one(classic("SMS_FACTOR")).unwrap().unwrap(), @r#"
        {
          "event_uuid": "5f1c2a3b-c921-11f1-8754-050a89ee763e",
          "user_id": "00uyxxSknGtK8022w0g3",
          "channel": "sms",
          "kind": "authentication",
          "published": "2026-11-23T12:00:00.000Z"
        }
        "#);
    }

    #[test]
    fn knows_the_phone_factors_of_both_engines() {
        for (event, expected) in [
            (classic("SMS_FACTOR"), PhoneChannel::Sms),
            (classic("CALL_FACTOR"), PhoneChannel::Call),
            (classic("sms"), PhoneChannel::Sms),
            (classic("Call"), PhoneChannel::Call),
            (identity_engine("SMS_FACTOR", "Phone", "SMS"), PhoneChannel::Sms),
            (identity_engine("CALL_FACTOR", "Phone", "Voice call"), PhoneChannel::Call),
            // The factor in debugData counts, and not the prompted method.
            (identity_engine("CALL_FACTOR", "Phone", "SMS"), PhoneChannel::Call),
            (identity_engine("", "Phone", "SMS"), PhoneChannel::Sms),
            (identity_engine("null", "Phone", "VOICE"), PhoneChannel::Call),
            (with(identity_engine("", "Phone", "call"), "/debugContext", Value::Null), PhoneChannel::Call),
            (with(classic("null"), "/debugContext/debugData", json!({"factorType": "call"})), PhoneChannel::Call),
            (with(classic("null"), "/outcome/reason", json!("verified sms_factor.")), PhoneChannel::Sms),
            (enrollment("User set up SMS_FACTOR factor"), PhoneChannel::Either),
            (enrollment("User set up CALL_FACTOR factor"), PhoneChannel::Either),
        ] {
            assert_eq!(channel(event.clone()), Some(expected), "{event}");
        }
    }

    #[test]
    fn no_other_factor_is_a_phone() {
        for event in [
            classic("PASSWORD_AS_FACTOR"),
            classic("OKTA_VERIFY_PUSH"),
            classic("EMAIL_FACTOR"),
            classic("CUSTOM_SMS_FACTOR_X"),
            classic("null"),
            identity_engine("PASSWORD_AS_FACTOR", "Password", "Password"),
            // The bug in methodTypeUsed must not turn a push into a phone.
            identity_engine("OKTA_VERIFY_PUSH", "Okta Verify", "SMS"),
            identity_engine("", "Okta Verify", "Get a push notification"),
            enrollment("User set up EMAIL_FACTOR factor"),
            enrollment("User set up CUSTOM_SMS_FACTOR_X factor"),
            with(classic("SMS_FACTOR"), "/outcome/result", json!("FAILURE")),
            with(classic("SMS_FACTOR"), "/outcome", Value::Null),
            with(classic("SMS_FACTOR"), "/eventType", json!("user.session.start")),
            with(classic("SMS_FACTOR"), "/eventType", json!("user.mfa.factor.deactivate")),
        ] {
            assert_eq!(one(event.clone()), None, "{event}");
        }
    }

    #[test]
    fn reports_a_phone_that_it_cannot_classify() {
        for event in [
            identity_engine("", "Phone", "Carrier pigeon"),
            identity_engine("PHONE_OTP", "Phone", "SMS"),
            with(identity_engine("", "phone", ""), "/target/0/detailEntry", Value::Null),
            with(identity_engine("", "Phone", "SMS"), "/debugContext/debugData/factor", json!({"type": "sms"})),
        ] {
            assert_eq!(one(event.clone()), Some(Err(Reason::EventNotClassified)), "{event}");
        }
    }

    #[test]
    fn the_user_is_the_target_or_else_the_actor() {
        let user = |event| one(event).map(|finding| finding.map(|success| success.user_id.to_string()));
        let by_admin = with(enrollment("SMS_FACTOR"), "/actor/id", json!("00uadmin0000000000g3"));
        assert_eq!(user(by_admin.clone()), Some(Ok("00uyxxSknGtK8022w0g3".into())));
        for target in [json!(null), json!([]), json!({}), json!([null, 7]), json!([{"type": "AppUser", "id": "0ua1"}])]
        {
            let event = with(by_admin.clone(), "/target", target);
            assert_eq!(user(event), Some(Ok("00uadmin0000000000g3".into())));
        }
        // A malformed id is not replaced by the admin's.
        let odd = with(by_admin, "/target/0/id", json!("../../admins"));
        assert_eq!(user(odd), Some(Err(Reason::EventWithoutUser)));
        let no_user = with(with(classic("sms"), "/target", Value::Null), "/actor", Value::Null);
        assert_eq!(user(no_user), Some(Err(Reason::EventWithoutUser)));
    }

    #[test]
    fn an_event_counts_once() {
        let other = with(classic("SMS_FACTOR"), "/uuid", json!("6a2b3c4d-c921-11f1-8754-050a89ee763e"));
        let twin =
            with(enrollment("User set up CALL_FACTOR factor"), "/uuid", json!("7b3c4d5e-c921-11f1-8754-050a89ee"));
        let without_id = with(classic("SMS_FACTOR"), "/uuid", Value::Null);
        let events = [classic("SMS_FACTOR"), other, classic("SMS_FACTOR"), twin, without_id.clone(), without_id];
        let delivery = parse(&delivery(&events)).unwrap();
        let ids: Vec<_> = delivery.phone_successes.iter().map(|success| success.event_uuid.as_str()).collect();
        assert_eq!(ids.len(), 4);
        assert!(ids[3].starts_with("digest-"), "{ids:?}");
    }

    #[test]
    fn an_event_without_a_time_gets_the_deliverys_time() {
        let published = |body: &Value| parse(body).unwrap().phone_successes.pop().unwrap().published;
        let mut body = delivery(&[with(classic("sms"), "/published", json!("yesterday"))]);
        assert_eq!(Some(published(&body)), Timestamp::parse("2026-11-23T12:00:05.000Z"));
        body["eventTime"] = Value::Null;
        assert_eq!(published(&body), arrived());
    }

    #[test]
    fn rejects_a_body_that_is_not_a_delivery() {
        for (body, error) in [
            ("", DeliveryError::NotJson),
            ("[]", DeliveryError::NotJson),
            ("null", DeliveryError::NotJson),
            ("{}", DeliveryError::Field(EVENTS)),
            (r#"{"eventType": "com.okta.telephony.provider"}"#, DeliveryError::Field(EVENT_TYPE)),
        ] {
            assert_eq!(EventDelivery::parse(body.as_bytes(), arrived()).err(), Some(error), "{body}");
        }
    }

    #[test]
    fn an_unused_field_may_be_unreadable() {
        let good = classic("SMS_FACTOR").to_string();
        let other = good.replace("5f1c2a3b", "6a2b3c4d");
        for odd in
            [r#""\ud83d""#, "1e999", r#"{"\udc00":[-1e999]}"#, &format!("{}{}", "[".repeat(120), "]".repeat(120))]
        {
            let spoilt = |field: &str| other.replacen(field, &format!("{field}{odd},\"x\":"), 1);
            for events in [
                format!("{odd},{good}"),
                format!("{good},{}", spoilt(r#""securityContext":"#)),
                format!("{good},{}", spoilt(r#""displayMessage":"#)),
                format!("{good},{}", spoilt(r#""target":"#)),
            ] {
                let body = format!(
                    r#"{{"eventType":"com.okta.event_hook","x":{odd},"data":{{"y":{odd},"events":[{events}]}},"eventId":{odd}}}"#
                );
                let delivery = EventDelivery::parse(body.as_bytes(), arrived()).unwrap();
                let user = |success: &PhoneSuccess| success.user_id.as_str() == "00uyxxSknGtK8022w0g3";
                assert!(!delivery.phone_successes.is_empty() && delivery.phone_successes.iter().all(user), "{body}");
            }
        }
    }

    #[test]
    fn an_unreadable_factor_is_not_a_phone() {
        let event = identity_engine("SMS_FACTOR", "Phone", "SMS").to_string();
        let event = event.replace("\"SMS_FACTOR\"", r#""SMS\ud83d""#);
        let body = format!(r#"{{"data":{{"events":[{event}]}}}}"#);
        let delivery = EventDelivery::parse(body.as_bytes(), arrived()).unwrap();
        assert_eq!(delivery.phone_successes, []);
        assert_eq!(delivery.unusable[0].reason, Reason::EventNotClassified);
    }

    #[test]
    fn the_body_is_one_json_value_of_a_limited_depth() {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth - 3), "]".repeat(depth - 3));
            format!(r#"{{"data":{{"events":[{open}{close}]}}}}"#)
        };
        assert!(EventDelivery::parse(nested(128).as_bytes(), arrived()).is_ok());
        for body in [nested(129), format!("\u{feff}{}", nested(5)), nested(5) + "{}", nested(5) + "x"] {
            assert_eq!(EventDelivery::parse(body.as_bytes(), arrived()).err(), Some(DeliveryError::NotJson));
        }
    }

    #[test]
    fn a_delivery_may_be_empty() {
        for body in [
            json!({"eventType": "com.okta.event_hook"}),
            json!({"eventType": "com.okta.event_hook", "data": null}),
            json!({"eventType": "com.okta.event_hook", "data": {"events": null}}),
            json!({"data": {"events": [null, 7, "x", [], {}]}}),
        ] {
            assert!(parse(&body).unwrap().phone_successes.is_empty(), "{body}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop_oneof![
                "\\PC{0,12}",
                Just("SMS_FACTOR".to_owned()),
                Just("User".to_owned()),
                Just("SUCCESS".to_owned()),
                Just("null".to_owned()),
            ]
            .prop_map(Value::from),
        ];
        let name = prop_oneof![
            "[a-z]{0,6}",
            Just("factor".to_owned()),
            Just("target".to_owned()),
            Just("id".to_owned()),
            Just("type".to_owned()),
            Just("outcome".to_owned()),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..6)
                    .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    /// All fields of the fixtures.
    const FIELDS: [&str; 16] = [
        "/uuid",
        "/published",
        "/eventType",
        "/actor",
        "/actor/id",
        "/outcome",
        "/outcome/result",
        "/outcome/reason",
        "/target",
        "/target/0",
        "/target/0/type",
        "/target/0/detailEntry",
        "/target/1/id",
        "/debugContext",
        "/debugContext/debugData",
        "/debugContext/debugData/factor",
    ];

    #[test]
    fn the_queues_words_of_both_releases_are_read() {
        let success = one(enrollment("User set up SMS_FACTOR factor")).unwrap().unwrap();
        let written = serde_json::to_string(&success).unwrap();
        // The release before this one reads only its own word.
        assert!(written.contains(r#""kind":"enrolment""#), "{written}");
        let next = written.replace("enrolment", "enrollment");
        for message in [written, next] {
            assert_eq!(serde_json::from_str::<PhoneSuccess>(&message).unwrap(), success);
        }
        assert_eq!(success.kind.as_str(), "enrollment");
    }

    proptest! {
        #[test]
        fn never_panics_on_bytes(body in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = EventDelivery::parse(&body, arrived());
        }

        #[test]
        fn never_panics_on_json(events in prop::collection::vec(any_json(), 0..4), body in any_json()) {
            let _ = parse(&body);
            prop_assert!(parse(&delivery(&events)).is_ok());
        }

        #[test]
        fn one_odd_field_is_no_panic_and_no_other_users_event(
            field in prop::sample::select(&FIELDS[..]), value in any_json(),
        ) {
            let event = with(identity_engine("SMS_FACTOR", "Phone", "SMS"), field, value.clone());
            if let Some(Ok(success)) = one(event) {
                let foreign = success.user_id.as_str() != "00uyxxSknGtK8022w0g3";
                prop_assert!(!foreign || matches!(field, "/target/1/id" | "/target" | "/target/0" | "/target/0/type"), "{}", value);
            }
        }

        #[test]
        fn another_factor_is_never_a_phone(
            factor in "[A-Z_]{1,24}", reason in "\\PC{0,40}", method in prop::sample::select(&["SMS", "VOICE"][..]),
        ) {
            prop_assume!(!["SMS_FACTOR", "SMS", "CALL_FACTOR", "CALL", "NULL"].contains(&factor.as_str()));
            let event = with(identity_engine(&factor, "Okta Verify", method), "/outcome/reason", json!(reason));
            prop_assert_eq!(one(event), None);
        }

        #[test]
        fn a_message_survives_the_queue(factor in prop::sample::select(&["SMS_FACTOR", "CALL_FACTOR"][..])) {
            let success = one(classic(factor)).unwrap().unwrap();
            let message = serde_json::to_string(&success).unwrap();
            prop_assert_eq!(serde_json::from_str::<PhoneSuccess>(&message).unwrap(), success);
        }
    }
}
