//! Reads what Okta requested from the gateway's event.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use okta_twilio_story::Asked;
use serde_json::Value;

/// Reads the gateway's event.
pub(super) fn of_event(event: &Value) -> Asked {
    let body = body(event).unwrap_or_default();
    let text = |pointer: &str| match body.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let events = body.pointer("/data/events").and_then(Value::as_array);
    let uuids = events.into_iter().flatten().filter_map(|event| event.get("uuid")?.as_str().map(str::to_owned));
    let flow = text("/requestType").map(|name| name.rsplit('.').next().unwrap_or_default().to_owned());
    Asked {
        recorded: None,
        flow_text: flow.as_deref().and_then(okta_twilio_story::flow),
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

/// The body of a request, if it is JSON.
fn body(event: &Value) -> Option<Value> {
    let text = event.get("body")?.as_str()?;
    if event.get("isBase64Encoded") == Some(&Value::Bool(true)) {
        return serde_json::from_slice(&BASE64_STANDARD.decode(text).ok()?).ok();
    }
    serde_json::from_str(text).ok()
}
