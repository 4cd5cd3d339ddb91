//! Reads what Okta requested from the gateway's event, from a request to Twilio, or from a log line.

use super::{Asked, texts};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

impl Asked {
    /// Reads the gateway's event.
    pub(super) fn of_event(event: &Value) -> Self {
        let body = body(event).unwrap_or_default();
        let text = |pointer: &str| match body.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let events = body.pointer("/data/events").and_then(Value::as_array);
        let uuids = events.into_iter().flatten().filter_map(|event| event.get("uuid")?.as_str().map(str::to_owned));
        let flow = text("/requestType").map(|name| name.rsplit('.').next().unwrap_or_default().to_owned());
        Self {
            recorded: None,
            flow_text: flow.as_deref().and_then(texts::flow),
            flow,
            number: text("/data/messageProfile/phoneNumber"),
            country: None,
            channel: text("/data/messageProfile/deliveryChannel"),
            language: text("/data/messageProfile/locale"),
            user_id: text("/data/userProfile/userId").or_else(|| text("/data/events/0/actor/id")),
            okta_event_id: text("/eventId"),
            event_uuids: uuids.collect(),
        }
    }

    /// Fills in the fields that are still empty.
    pub(super) fn learn_from_log(&mut self, line: &Value) {
        let text = |name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
        self.flow = self.flow.take().or_else(|| text("request_type"));
        self.flow_text = self.flow.as_deref().and_then(texts::flow);
        self.number = self.number.take().or_else(|| text("phone"));
        self.country = self.country.take().or_else(|| text("country"));
        self.channel = self.channel.take().or_else(|| text("channel"));
        self.user_id = self.user_id.take().or_else(|| text("user_id"));
        self.okta_event_id = self.okta_event_id.take().or_else(|| text("okta_event_id"));
        let uuid = text("event_uuid").filter(|uuid| !self.event_uuids.contains(uuid));
        self.event_uuids.extend(uuid);
    }

    /// Whether a number in a request to Twilio can be the one that Okta requested. The known number may be masked or in
    /// another notation.
    pub(super) fn can_be(&self, number: &str) -> bool {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let known = self.number.as_deref().map(digits).unwrap_or_default();
        let last = |digits: &str| digits.get(digits.len().saturating_sub(2)..).unwrap_or_default().to_owned();
        // The known number may be longer or shorter: extensions, national prefixes, masks.
        known.is_empty() || known.contains(&digits(number)) || last(&known) == last(&digits(number))
    }
}

/// The body of a request, if it is JSON.
fn body(event: &Value) -> Option<Value> {
    let text = event.get("body")?.as_str()?;
    if event.get("isBase64Encoded") == Some(&Value::Bool(true)) {
        return serde_json::from_slice(&BASE64_STANDARD.decode(text).ok()?).ok();
    }
    serde_json::from_str(text).ok()
}
