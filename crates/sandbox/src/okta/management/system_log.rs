//! The System Log.

use serde_json::{Map, Value, json};

use super::{Answer, Answered, OktaError, Org, Step, call::Call, filter::Filter};

/// Entries of a page at most. Okta's limit is 1000: a small one makes every reader follow the pages.
const PAGE: usize = 3;

/// An entry of the System Log. It carries names and an address, as Okta's do.
#[derive(Debug, Clone)]
pub struct LogEvent {
    /// Okta's id of the event.
    pub uuid: String,
    /// Such as `system.sms.send_factor_verify_message`.
    pub event_type: String,
    /// `2026-11-25T14:02:11.204Z`
    pub published: String,
    /// `SUCCESS`, `FAILURE`, `DENY`, …
    pub result: String,
    /// A text about the result.
    pub reason: Option<String>,
    /// The user of the event.
    pub target_user: Option<String>,
    /// The id of the transaction.
    pub transaction: String,
    /// Details. Numbers are private.
    pub debug_data: Map<String, Value>,
}

impl LogEvent {
    /// A successful event about no user.
    pub fn new(uuid: &str, event_type: &str, published: &str) -> Self {
        Self {
            uuid: uuid.to_owned(),
            event_type: event_type.to_owned(),
            published: published.to_owned(),
            result: "SUCCESS".to_owned(),
            reason: None,
            target_user: None,
            transaction: format!("req{uuid}"),
            debug_data: Map::new(),
        }
    }

    /// The same event about a user.
    #[must_use]
    pub fn about(self, user_id: &str) -> Self {
        Self { target_user: Some(user_id.to_owned()), ..self }
    }

    /// The same event with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.debug_data.insert(name.to_owned(), value.into());
        self
    }

    /// As Okta writes it.
    pub fn describe(&self) -> Value {
        let user = |id: &str| {
            json!({
                "id": id, "type": "User", "alternateId": "private.login@example.com", "displayName": "Private Name",
                "detailEntry": null,
            })
        };
        let system = json!({
            "id": "okta.00000000", "type": "SystemPrincipal", "alternateId": "system@okta.com",
            "displayName": "Okta System", "detailEntry": null,
        });
        json!({
            "actor": system,
            "client": { "ipAddress": "203.0.113.77", "userAgent": null, "zone": "null", "geographicalContext": null },
            "displayMessage": "A text of Okta, which nobody must see.", "eventType": self.event_type,
            "outcome": { "result": self.result, "reason": self.reason }, "published": self.published,
            "severity": "INFO", "securityContext": {}, "debugContext": { "debugData": self.debug_data },
            "legacyEventType": null, "transaction": { "type": "WEB", "id": self.transaction, "detail": {} },
            "uuid": self.uuid, "version": "0",
            "request": { "ipChain": [{ "ip": "203.0.113.77", "version": "V4" }] },
            "target": self.target_user.as_deref().map(user).into_iter().collect::<Vec<_>>(),
        })
    }
}

impl Org {
    pub(super) fn logs(&self, call: &Call) -> Answer {
        call.allow(&["since", "until", "filter", "q", "sortOrder", "limit", "after"])?;
        let time = |name: &str| match call.value(name) {
            Some(text) => with_milliseconds(text).map(Some).ok_or_else(|| OktaError::invalid(name)),
            None => Ok(None),
        };
        let (since, until) = (time("since")?, time("until")?);
        let filter = call.value("filter").map(|text| Filter::parse(text).ok_or_else(|| OktaError::invalid("filter")));
        let filter = filter.transpose()?;
        let limit = call.number("limit", 100)?;
        if limit > 1000 {
            return Err(OktaError::invalid("limit"));
        }
        let mut events: Vec<_> = self
            .log
            .iter()
            // Texts of one form compare as their times do.
            .filter(|event| since.as_ref().is_none_or(|since| event.published >= *since))
            .filter(|event| until.as_ref().is_none_or(|until| event.published < *until))
            .map(LogEvent::describe)
            .filter(|event| filter.as_ref().is_none_or(|filter| filter.matches(event)))
            .collect();
        match call.value("sortOrder") {
            Some("DESCENDING") => events.reverse(),
            Some("ASCENDING") | None => {}
            Some(_) => return Err(OktaError::invalid("sortOrder")),
        }
        let from = call.number("after", 0)?;
        let page: Vec<_> = events.iter().skip(from).take(limit.min(PAGE)).cloned().collect();
        let after = from + page.len();
        // A query without an end is polled, so there is always a next page.
        let next = (after < events.len() || until.is_none()).then(|| {
            let base = format!("{}/api/v1/logs?", self.options.org_url.trim_end_matches('/'));
            let mut url = url::form_urlencoded::Serializer::new(base);
            url.extend_pairs(call.query.iter().filter(|(name, _)| name != "after"));
            url.append_pair("after", &after.to_string()).finish()
        });
        Ok(Step::Done(Answered { status: 200, body: Value::Array(page), next }))
    }
}

/// `2026-11-25T14:02:11Z` or `2026-11-25T14:02:11.204Z`, as the latter. `None` for any other text.
fn with_milliseconds(text: &str) -> Option<String> {
    const FORM: &[u8] = b"0000-00-00T00:00:00.000Z";
    let text = if text.len() + 4 == FORM.len() { format!("{}.000Z", text.strip_suffix('Z')?) } else { text.to_owned() };
    let fits = |(byte, &form): (u8, &u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    (text.len() == FORM.len() && text.bytes().zip(FORM).all(fits)).then_some(text)
}
