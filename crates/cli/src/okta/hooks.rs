//! Hooks: where they are, and whether Okta uses them. Names are dropped while they are read.

use std::time::Duration;

use http::Method;
use okta_twilio::id::SafeId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use url::Url;

use super::{Okta, OktaError, unless_gone};

/// The type of the telephony inline hook.
pub(crate) const TELEPHONY: &str = "com.okta.telephony.provider";

/// Okta asks a hook for its challenge within 3 s. A function that starts can take longer, and the next try succeeds.
const VERIFICATION_TRIES: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// The version of every hook and channel.
const VERSION: &str = "1.0.0";

pub(super) const MANAGE_INLINE: &str = "okta.inlineHooks.manage";
pub(super) const MANAGE_EVENTS: &str = "okta.eventHooks.manage";

/// The events that event-hook understands.
pub(crate) const EVENTS: [&str; 2] = ["user.authentication.auth_via_mfa", "user.mfa.factor.activate"];

/// What a filter of an event hook can look at. Source: Okta, "Event hook filters".
const FILTERABLE: [&str; 9] = [
    "event.eventType",
    "event.outcome.reason",
    "event.outcome.result",
    "event.actor.id",
    "event.actor.type",
    "event.actor.alternateId",
    "event.actor.displayName",
    "event.debugData.changedAttributes",
    "event.target",
];

/// An inline hook.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct InlineHook {
    pub(crate) id: SafeId,
    pub(crate) status: Status,
    pub(crate) channel: Channel,
}

/// An event hook.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventHook {
    pub(crate) id: SafeId,
    pub(crate) status: Status,
    #[serde(default)]
    verification_status: Option<String>,
    pub(crate) events: Events,
    pub(crate) channel: Channel,
}

impl EventHook {
    /// Whether the URL has answered Okta's challenge. Okta delivers nothing before.
    pub(crate) fn is_verified(&self) -> bool {
        self.verification_status.as_deref() == Some("VERIFIED")
    }
}

/// Whether something is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Active,
    #[serde(other)]
    Inactive,
}

impl Status {
    /// The last part of a path that changes it.
    pub(super) fn change(self) -> &'static str {
        match self {
            Self::Active => "activate",
            Self::Inactive => "deactivate",
        }
    }
}

/// Where a hook is.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Channel {
    #[serde(rename = "type")]
    kind: Option<String>,
    config: ChannelConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChannelConfig {
    #[serde(default)]
    uri: String,
    auth_scheme: Option<AuthScheme>,
}

#[derive(Clone, Debug, Deserialize)]
struct AuthScheme {
    key: Option<String>,
}

impl Channel {
    /// Whether the hook is at this URL.
    pub(crate) fn is_at(&self, url: &str) -> bool {
        plain(&self.config.uri).is_some_and(|own| Some(own) == plain(url))
    }

    /// The URL of the hook, as [`plain`] writes it.
    pub(crate) fn url(&self) -> Option<String> {
        plain(&self.config.uri)
    }

    /// The name of the header with the secret. `None`: Okta authenticates in another way.
    pub(crate) fn header(&self) -> Option<&str> {
        self.config.auth_scheme.as_ref()?.key.as_deref()
    }

    /// Whether Okta sends a token of OAuth 2.0.
    pub(crate) fn is_oauth(&self) -> bool {
        self.kind.as_deref() == Some("OAUTH")
    }
}

/// A URL without what makes no difference: capitals in the host, a port that goes without saying, a slash at the end.
pub(crate) fn plain(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    Some(format!("{}://{host}:{port}{}", url.scheme(), url.path().trim_end_matches('/')))
}

/// What a hook is to be.
pub(crate) struct Target<'a> {
    pub(crate) name: &'a str,
    pub(crate) url: &'a str,
    /// The header with the secret.
    pub(crate) header: &'a str,
    pub(crate) secret: &'a SecretString,
    /// Whether an event hook leaves out what did not succeed.
    pub(crate) is_filtered: bool,
}

impl Target<'_> {
    fn channel(&self) -> Value {
        json!({
            "type": "HTTP",
            "version": VERSION,
            "config": {
                "uri": self.url,
                "method": "POST",
                "headers": [],
                "authScheme": {"type": "HEADER", "key": self.header, "value": self.secret.expose_secret()},
            },
        })
    }

    fn event_hook(&self) -> Value {
        let condition = json!({"expression": "event.outcome.result eq 'SUCCESS'"});
        let map = EVENTS.map(|event| json!({"event": event, "condition": condition}));
        let events = if self.is_filtered {
            let filter = json!({"type": "EXPRESSION_LANGUAGE", "eventFilterMap": map});
            json!({"type": "EVENT_TYPE", "items": EVENTS, "filter": filter})
        } else {
            json!({"type": "EVENT_TYPE", "items": EVENTS})
        };
        json!({"name": self.name, "events": events, "channel": self.channel()})
    }
}

/// What an event hook gets.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Events {
    #[serde(default)]
    pub(crate) items: Vec<String>,
    filter: Option<Filter>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    event_filter_map: Vec<FilterEntry>,
}

#[derive(Clone, Debug, Deserialize)]
struct FilterEntry {
    condition: Option<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    #[serde(default)]
    expression: String,
}

impl Events {
    /// How many filters there are.
    pub(crate) fn filters(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.event_filter_map.len())
    }

    /// Whether each filter looks only at what a filter can see. Any other field is empty for it.
    pub(crate) fn has_usable_filters(&self) -> bool {
        let entries = self.filter.iter().flat_map(|filter| &filter.event_filter_map);
        let mut expressions = entries.filter_map(|entry| entry.condition.as_ref());
        expressions.all(|condition| fields(&condition.expression).all(is_filterable))
    }
}

/// The fields of the event in an expression. Texts in quotes are not fields.
fn fields(expression: &str) -> impl Iterator<Item = &str> {
    let outside = expression.split('\'').step_by(2);
    let is_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_');
    outside
        .flat_map(move |text| text.split(move |character| !is_word(character)))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.starts_with("event."))
}

fn is_filterable(field: &str) -> bool {
    FILTERABLE.iter().any(|known| field == *known || field.starts_with(&format!("{known}.")))
}

impl Okta {
    /// The telephony inline hooks of the org.
    ///
    /// # Errors
    /// Fails if Okta does not return them.
    pub(crate) async fn telephony_hooks(&self) -> Result<Vec<InlineHook>, OktaError> {
        self.list("/api/v1/inlineHooks", &[("type", TELEPHONY)], "okta.inlineHooks.read").await
    }

    /// The event hooks of the org.
    ///
    /// # Errors
    /// Fails if Okta does not return them.
    pub(crate) async fn event_hooks(&self) -> Result<Vec<EventHook>, OktaError> {
        self.list("/api/v1/eventHooks", &[], "okta.eventHooks.read").await
    }

    /// Whether event hooks of this org can have filters: an early-access feature.
    ///
    /// # Errors
    /// Fails if Okta does not return the features.
    pub(crate) async fn has_event_filters(&self) -> Result<bool, OktaError> {
        #[derive(Deserialize)]
        struct Feature {
            name: String,
            status: String,
        }
        let features: Vec<Feature> = self.list("/api/v1/features", &[], "okta.features.read").await?;
        let is_of_filters = |name: &str| name.to_ascii_lowercase().contains("event hook filter");
        Ok(features.iter().any(|feature| is_of_filters(&feature.name) && feature.status == "ENABLED"))
    }

    /// Has Okta send a request to an inline hook. It is a real request: the hook does what it says.
    ///
    /// # Errors
    /// [`OktaError::Refused`] with 400 if Okta got no response that it can use. What Okta answers if the hook reports an
    /// error is not documented.
    pub(crate) async fn execute(&self, hook: &SafeId, request: &Value) -> Result<(), OktaError> {
        let path = format!("/api/v1/inlineHooks/{hook}/execute");
        self.send::<IgnoredAny>((Method::POST, &path), Some(request), MANAGE_INLINE).await.map(drop)
    }

    /// Creates the telephony inline hook. It is active at once.
    ///
    /// # Errors
    /// Fails if Okta refuses. It may do so while another telephony hook is active.
    pub(crate) async fn create_telephony_hook(&self, target: &Target<'_>) -> Result<InlineHook, OktaError> {
        let body = json!({"name": target.name, "type": TELEPHONY, "version": VERSION, "channel": target.channel()});
        self.send((Method::POST, "/api/v1/inlineHooks"), Some(&body), MANAGE_INLINE).await
    }

    /// Replaces name and channel of an inline hook.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn replace_inline_hook(&self, id: &SafeId, target: &Target<'_>) -> Result<InlineHook, OktaError> {
        // Okta never returns the secret, so a partial change could lose it.
        let body = json!({"name": target.name, "version": VERSION, "channel": target.channel()});
        self.send((Method::PUT, &format!("/api/v1/inlineHooks/{id}")), Some(&body), MANAGE_INLINE).await
    }

    /// Switches an inline hook on or off.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn set_inline_hook(&self, id: &SafeId, status: Status) -> Result<InlineHook, OktaError> {
        let path = format!("/api/v1/inlineHooks/{id}/lifecycle/{}", status.change());
        self.send((Method::POST, &path), None, MANAGE_INLINE).await
    }

    /// Creates the event hook. It gets nothing before it is verified.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn create_event_hook(&self, target: &Target<'_>) -> Result<EventHook, OktaError> {
        self.send((Method::POST, "/api/v1/eventHooks"), Some(&target.event_hook()), MANAGE_EVENTS).await
    }

    /// Replaces an event hook. If its channel has changed, it has to be verified again.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn replace_event_hook(&self, id: &SafeId, target: &Target<'_>) -> Result<EventHook, OktaError> {
        let path = format!("/api/v1/eventHooks/{id}");
        self.send((Method::PUT, &path), Some(&target.event_hook()), MANAGE_EVENTS).await
    }

    /// Switches an event hook on.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn activate_event_hook(&self, id: &SafeId) -> Result<EventHook, OktaError> {
        let path = format!("/api/v1/eventHooks/{id}/lifecycle/{}", Status::Active.change());
        self.send((Method::POST, &path), None, MANAGE_EVENTS).await
    }

    /// Deletes an inline hook, after it was deactivated. One that is gone is no error.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn delete_inline_hook(&self, id: &SafeId) -> Result<(), OktaError> {
        self.set_inline_hook(id, Status::Inactive).await.map(drop).or_else(unless_gone)?;
        self.delete(&format!("/api/v1/inlineHooks/{id}"), MANAGE_INLINE).await
    }

    /// Deletes an event hook, after it was deactivated. One that is gone is no error.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn delete_event_hook(&self, id: &SafeId) -> Result<(), OktaError> {
        let path = format!("/api/v1/eventHooks/{id}");
        let deactivate = format!("{path}/lifecycle/{}", Status::Inactive.change());
        let deactivated = self.send::<IgnoredAny>((Method::POST, &deactivate), None, MANAGE_EVENTS).await;
        deactivated.map(drop).or_else(unless_gone)?;
        self.delete(&path, MANAGE_EVENTS).await
    }

    /// Has Okta ask the URL of an event hook for its challenge, with retries. Returns whether the URL has answered it.
    ///
    /// # Errors
    /// Fails if Okta refuses to ask.
    pub(crate) async fn verify_event_hook(&self, id: &SafeId) -> Result<bool, OktaError> {
        let path = format!("/api/v1/eventHooks/{id}/lifecycle/verify");
        for attempt in 1..=VERIFICATION_TRIES {
            match self.send::<EventHook>((Method::POST, &path), None, MANAGE_EVENTS).await {
                Ok(hook) if hook.is_verified() => return Ok(true),
                // With 400, the URL did not answer in time, twice.
                Ok(_) | Err(OktaError::Refused { status: 400, .. }) => {}
                Err(error) => return Err(error),
            }
            if attempt < VERIFICATION_TRIES {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_sees_only_some_fields() {
        let usable = |expression: &str| {
            let filter =
                serde_json::json!({"eventFilterMap": [{"event": "a", "condition": {"expression": expression}}]});
            let events = serde_json::json!({"items": ["a"], "filter": filter});
            serde_json::from_value::<Events>(events).unwrap().has_usable_filters()
        };
        for expression in [
            "event.outcome.result eq 'SUCCESS'",
            "event.outcome.result eq 'SUCCESS' && event.target.?[type eq 'User' && displayName eq 'event.x'].size()>0",
            "event.actor.alternateId ne 'a' || event.debugData.changedAttributes eq 'b'",
        ] {
            assert!(usable(expression), "{expression}");
        }
        for expression in
            ["event.debugData.factor eq 'SMS_FACTOR'", "event.outcome.result eq 'SUCCESS' && event.severity eq 'INFO'"]
        {
            assert!(!usable(expression), "{expression}");
        }
    }

    #[test]
    fn a_url_is_compared_without_its_details() {
        let channel = |uri: &str| -> Channel {
            serde_json::from_value(serde_json::json!({"type": "HTTP", "config": {"uri": uri}})).unwrap()
        };
        assert!(channel("https://Hooks.example.com:443/telephony/").is_at("https://hooks.example.com/telephony"));
        for other in ["http://hooks.example.com/telephony", "https://hooks.example.com/events", "text", ""] {
            assert!(!channel(other).is_at("https://hooks.example.com/telephony"), "{other}");
        }
    }
}
