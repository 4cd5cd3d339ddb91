//! What is learned of a request after it was sent.

use super::{Asked, texts};
use serde_json::Value;

impl Asked {
    /// Fills in the fields that are still empty.
    pub(crate) fn learn_from_log(&mut self, line: &Value) {
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
    pub fn can_be(&self, number: &str) -> bool {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let known = self.number.as_deref().map(digits).unwrap_or_default();
        let last = |digits: &str| digits.get(digits.len().saturating_sub(2)..).unwrap_or_default().to_owned();
        // The known number may be longer or shorter: extensions, national prefixes, masks.
        known.is_empty() || known.contains(&digits(number)) || last(&known) == last(&digits(number))
    }
}
