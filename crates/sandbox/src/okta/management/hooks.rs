//! Inline hooks and event hooks.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Answered, OktaError, Org, Step, call::Call, done, settings::status};

const TELEPHONY: &str = "com.okta.telephony.provider";
/// Okta waits this long for a hook.
const TIMEOUT: Duration = Duration::from_secs(3);

/// An inline hook.
#[derive(Debug, Clone)]
pub struct InlineHook {
    /// `cal…`
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// Such as `com.okta.telephony.provider`.
    pub kind: String,
    /// Whether Okta uses it.
    pub is_active: bool,
    /// Where it is.
    pub channel: Channel,
}

/// An event hook.
#[derive(Debug, Clone)]
pub struct EventHook {
    /// `who…`
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// Whether Okta uses it.
    pub is_active: bool,
    /// Whether the URL has answered Okta's challenge.
    pub is_verified: bool,
    /// The event types.
    pub events: Vec<String>,
    /// The filters: event type and expression.
    pub filters: Vec<(String, String)>,
    /// Where it is.
    pub channel: Channel,
}

/// Where a hook is, and how Okta authenticates there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The URL.
    pub uri: String,
    /// Name of the header with the secret. `None`: OAuth.
    pub header: Option<String>,
    /// The secret. Okta never returns it.
    pub secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewInlineHook {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    version: String,
    channel: NewChannel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEventHook {
    name: String,
    #[serde(rename = "description")]
    _description: Option<String>,
    events: NewEvents,
    channel: NewChannel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEvents {
    #[serde(rename = "type")]
    kind: String,
    items: Vec<String>,
    filter: Option<NewFilter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewFilter {
    #[serde(rename = "type")]
    _kind: Option<String>,
    event_filter_map: Vec<NewFilterEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFilterEntry {
    event: String,
    condition: NewCondition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCondition {
    expression: String,
    #[serde(rename = "version")]
    _version: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewChannel {
    #[serde(rename = "type")]
    kind: String,
    version: String,
    config: NewConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewConfig {
    uri: String,
    method: Option<String>,
    #[serde(default, rename = "headers")]
    _headers: Vec<Value>,
    auth_scheme: NewAuthScheme,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAuthScheme {
    #[serde(rename = "type")]
    kind: String,
    key: String,
    value: String,
}

impl NewChannel {
    fn accept(self) -> Result<Channel, OktaError> {
        let NewConfig { uri, method, auth_scheme, .. } = self.config;
        let is_valid = self.kind == "HTTP"
            && self.version == "1.0.0"
            && method.is_none_or(|method| method == "POST")
            && auth_scheme.kind == "HEADER"
            && !auth_scheme.value.is_empty()
            && uri.starts_with("http");
        let channel = Channel { uri, header: Some(auth_scheme.key), secret: auth_scheme.value };
        if is_valid { Ok(channel) } else { Err(OktaError::invalid("channel")) }
    }
}

impl Channel {
    /// The only channel that an event hook can have.
    fn describe_http(&self) -> Value {
        let mut config = json!({ "uri": self.uri, "method": "POST", "headers": [] });
        if let (Some(header), Some(config)) = (&self.header, config.as_object_mut()) {
            config.insert("authScheme".to_owned(), json!({ "type": "HEADER", "key": header }));
        }
        json!({ "type": "HTTP", "version": "1.0.0", "config": config })
    }

    fn describe(&self) -> Value {
        match &self.header {
            Some(_) => self.describe_http(),
            None => json!({
                "type": "OAUTH", "version": "1.0.0",
                "config": {
                    "uri": self.uri, "method": "POST", "headers": [], "authType": "client_secret_post",
                    "clientId": "0oasandbox0hookapp00", "tokenUrl": "https://example.okta.com/oauth2/default/v1/token",
                    "scope": "okta-twilio",
                },
            }),
        }
    }
}

impl InlineHook {
    fn describe(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "type": self.kind, "version": "1.0.0", "status": status(self.is_active),
            "channel": self.channel.describe(), "created": "2026-01-15T09:30:00.000Z",
            "lastUpdated": "2026-01-15T09:30:00.000Z", "_links": {},
        })
    }
}

impl EventHook {
    fn describe(&self) -> Value {
        let filter = |(event, expression): &(String, String)| json!({ "event": event, "condition": { "version": null, "expression": expression } });
        let filter = (!self.filters.is_empty()).then(|| {
            let map: Vec<_> = self.filters.iter().map(filter).collect();
            json!({ "type": "EXPRESSION_LANGUAGE", "eventFilterMap": map })
        });
        json!({
            "id": self.id, "name": self.name, "status": status(self.is_active), "description": null,
            "verificationStatus": if self.is_verified { "VERIFIED" } else { "UNVERIFIED" },
            "events": { "type": "EVENT_TYPE", "items": self.events, "filter": filter },
            "channel": self.channel.describe_http(), "created": "2026-01-15T09:30:00.000Z",
            "createdBy": "00usandbox0admin0000", "lastUpdated": "2026-01-15T09:30:00.000Z", "_links": {},
        })
    }
}

/// A call of a hook's URL.
pub(super) struct HookCall {
    channel: Channel,
    what: What,
}

enum What {
    /// The body is the request.
    Execute(Value),
    /// The id is the event hook's.
    Verify { id: String, challenge: String },
}

/// What the hook answered.
#[derive(Default)]
pub(super) enum Outcome {
    #[default]
    Failed,
    Executed(Value),
    Verified(String),
}

impl HookCall {
    /// Calls the hook; once more if it fails.
    pub(super) fn send(self) -> Outcome {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(true).build().into();
        let header = self.channel.header.as_deref().unwrap_or("authorization");
        let attempt = || {
            let response = match &self.what {
                What::Execute(body) => agent
                    .post(&self.channel.uri)
                    .header(header, &self.channel.secret)
                    .header("content-type", "application/json")
                    .send(body.to_string()),
                What::Verify { challenge, .. } => agent
                    .get(&self.channel.uri)
                    .header(header, &self.channel.secret)
                    .header("x-okta-verification-challenge", challenge)
                    .call(),
            };
            let text = response.ok()?.into_body().read_to_string().ok()?;
            serde_json::from_str::<Value>(&text).ok()
        };
        let Some(body) = attempt().or_else(attempt) else { return Outcome::Failed };
        match self.what {
            What::Execute(_) if body.get("commands").is_some_and(Value::is_array) || body.get("error").is_some() => {
                Outcome::Executed(body)
            }
            What::Verify { id, challenge } if body.get("verification").and_then(Value::as_str) == Some(&challenge) => {
                Outcome::Verified(id)
            }
            _ => Outcome::Failed,
        }
    }
}

impl Org {
    /// What is answered after a hook was called.
    pub(super) fn after(&mut self, outcome: Outcome) -> Result<Answered, OktaError> {
        match outcome {
            Outcome::Failed => Err(OktaError::invalid("the hook did not answer as it must")),
            Outcome::Executed(body) => Ok(Answered { status: 200, body, next: None }),
            Outcome::Verified(id) => {
                let hook = self.event_hooks.iter_mut().find(|hook| hook.id == id);
                let hook = hook.ok_or_else(|| OktaError::not_found(&id))?;
                hook.is_verified = true;
                Ok(Answered { status: 200, body: hook.describe(), next: None })
            }
        }
    }

    pub(super) fn inline_hooks(&mut self, call: &Call, rest: &[&str]) -> Answer {
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                call.allow(&["type"])?;
                let is_wanted = |hook: &&InlineHook| call.value("type").is_none_or(|kind| hook.kind == kind);
                done(200, self.inline_hooks.iter().filter(is_wanted).map(InlineHook::describe).collect())
            }
            ("POST", []) => {
                let new: NewInlineHook = call.json()?;
                let kind = new.kind.ok_or_else(|| OktaError::invalid("type"))?;
                if self.refused_hooks > 0 {
                    self.refused_hooks -= 1;
                    return Err(OktaError::internal());
                }
                self.check_only_active(&kind, "")?;
                let hook = InlineHook {
                    id: self.id("cal"),
                    name: new.name,
                    kind,
                    is_active: true,
                    channel: new.channel.accept()?,
                };
                let body = hook.describe();
                self.inline_hooks.push(hook);
                if self.lost_hooks > 0 {
                    self.lost_hooks -= 1;
                    return Err(OktaError::internal());
                }
                done(200, body)
            }
            ("GET", [id]) => done(200, self.inline_hook(id)?.describe()),
            ("PUT", [id]) => {
                let new: NewInlineHook = call.json()?;
                let channel = new.channel.accept()?;
                let hook = self.inline_hook(id)?;
                if new.kind.is_some_and(|kind| kind != hook.kind) || new.version != "1.0.0" {
                    return Err(OktaError::invalid("type"));
                }
                (hook.name, hook.channel) = (new.name, channel);
                done(200, hook.describe())
            }
            ("DELETE", [id]) => {
                if self.inline_hook(id)?.is_active {
                    return Err(OktaError::invalid("the hook is active"));
                }
                self.inline_hooks.retain(|hook| hook.id != *id);
                done(204, Value::Null)
            }
            ("POST", [id, "lifecycle", change @ ("activate" | "deactivate")]) => {
                let is_active = *change == "activate";
                let kind = self.inline_hook(id)?.kind.clone();
                if is_active {
                    self.check_only_active(&kind, id)?;
                }
                let hook = self.inline_hook(id)?;
                hook.is_active = is_active;
                done(200, hook.describe())
            }
            ("POST", [id, "execute"]) => {
                let body: Value = call.json()?;
                let channel = self.inline_hook(id)?.channel.clone();
                Ok(Step::Call(HookCall { channel, what: What::Execute(body) }))
            }
            _ => Err(OktaError::not_found(&call.path.join("/"))),
        }
    }

    /// What Okta does about a second active telephony hook is not documented. Refusing is the harder case.
    fn check_only_active(&self, kind: &str, id: &str) -> Result<(), OktaError> {
        let is_other = |hook: &InlineHook| hook.kind == TELEPHONY && hook.is_active && hook.id != id;
        if kind == TELEPHONY && self.inline_hooks.iter().any(is_other) {
            return Err(OktaError::invalid("another telephony hook is active"));
        }
        let has_connection = self.telephony_providers.iter().flatten().any(|enabled| *enabled);
        if kind == TELEPHONY && has_connection {
            return Err(OktaError::invalid("a telephony provider is enabled"));
        }
        Ok(())
    }

    fn inline_hook(&mut self, id: &str) -> Result<&mut InlineHook, OktaError> {
        self.inline_hooks.iter_mut().find(|hook| hook.id == id).ok_or_else(|| OktaError::not_found(id))
    }

    pub(super) fn event_hooks(&mut self, call: &Call, rest: &[&str]) -> Answer {
        match (call.method.as_str(), rest) {
            ("GET", []) => done(200, self.event_hooks.iter().map(EventHook::describe).collect()),
            ("POST", []) => {
                let hook = EventHook { id: self.id("who"), ..self.accept(call.json()?)? };
                let body = hook.describe();
                self.event_hooks.push(hook);
                done(200, body)
            }
            ("GET", [id]) => done(200, self.event_hook(id)?.describe()),
            ("PUT", [id]) => {
                let new = self.accept(call.json()?)?;
                let hook = self.event_hook(id)?;
                let is_verified = hook.is_verified && hook.channel == new.channel;
                *hook = EventHook { id: hook.id.clone(), is_active: hook.is_active, is_verified, ..new };
                done(200, hook.describe())
            }
            ("DELETE", [id]) => {
                if self.event_hook(id)?.is_active {
                    return Err(OktaError::invalid("the hook is active"));
                }
                self.event_hooks.retain(|hook| hook.id != *id);
                done(204, Value::Null)
            }
            ("POST", [id, "lifecycle", change @ ("activate" | "deactivate")]) => {
                let is_active = *change == "activate";
                let hook = self.event_hook(id)?;
                hook.is_active = is_active;
                done(200, hook.describe())
            }
            ("POST", [id, "lifecycle", "verify"]) => {
                let hook = self.event_hook(id)?;
                let what = What::Verify { id: hook.id.clone(), challenge: crate::random::hex() };
                Ok(Step::Call(HookCall { channel: hook.channel.clone(), what }))
            }
            _ => Err(OktaError::not_found(&call.path.join("/"))),
        }
    }

    fn event_hook(&mut self, id: &str) -> Result<&mut EventHook, OktaError> {
        self.event_hooks.iter_mut().find(|hook| hook.id == id).ok_or_else(|| OktaError::not_found(id))
    }

    /// The hook that a request describes, without an id.
    fn accept(&self, new: NewEventHook) -> Result<EventHook, OktaError> {
        if new.events.kind != "EVENT_TYPE" || new.events.items.is_empty() {
            return Err(OktaError::invalid("events"));
        }
        let filters: Vec<_> = new.events.filter.into_iter().flat_map(|filter| filter.event_filter_map).collect();
        // What Okta does about a filter while the feature is off is not documented. Refusing is the harder case.
        if !filters.is_empty() && !self.features.values().any(|is_on| *is_on) {
            return Err(OktaError::invalid("filter"));
        }
        Ok(EventHook {
            id: String::new(),
            name: new.name,
            is_active: true,
            is_verified: false,
            events: new.events.items,
            filters: filters.into_iter().map(|entry| (entry.event, entry.condition.expression)).collect(),
            channel: new.channel.accept()?,
        })
    }
}
