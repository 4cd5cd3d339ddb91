//! Another secret for a hook that exists. Everything else of the hook stays as it is.

use http::Method;
use okta_twilio::id::SafeId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{
    Okta, OktaError,
    hooks::{MANAGE_EVENTS, MANAGE_INLINE},
};

/// What a request may hold of what a response holds.
const INLINE_FIELDS: [&str; 3] = ["name", "version", "channel"];
const EVENT_FIELDS: [&str; 4] = ["name", "description", "events", "channel"];

impl Okta {
    /// Gives an inline hook another secret.
    ///
    /// # Errors
    /// Fails if Okta refuses, or the hook does not send a secret in a header.
    pub(crate) async fn set_inline_secret(&self, id: &SafeId, secret: &SecretString) -> Result<(), OktaError> {
        let path = format!("/api/v1/inlineHooks/{id}");
        let hook = self.get(&path, &[], "okta.inlineHooks.read").await?;
        let body = with_secret(hook, &INLINE_FIELDS, secret).ok_or(OktaError::NotUnderstood)?;
        self.send::<IgnoredAny>((Method::PUT, &path), Some(&body), MANAGE_INLINE).await.map(drop)
    }

    /// Gives an event hook another secret. It has to be verified again.
    ///
    /// # Errors
    /// As [`Okta::set_inline_secret`].
    pub(crate) async fn set_event_secret(&self, id: &SafeId, secret: &SecretString) -> Result<(), OktaError> {
        let path = format!("/api/v1/eventHooks/{id}");
        let hook = self.get(&path, &[], "okta.eventHooks.read").await?;
        let body = with_secret(hook, &EVENT_FIELDS, secret).ok_or(OktaError::NotUnderstood)?;
        self.send::<IgnoredAny>((Method::PUT, &path), Some(&body), MANAGE_EVENTS).await.map(drop)
    }
}

/// The hook as a request, with the secret that no response has.
fn with_secret(hook: Value, fields: &[&str], secret: &SecretString) -> Option<Value> {
    let Value::Object(hook) = hook else { return None };
    let is_sent = |(name, value): &(String, Value)| fields.contains(&name.as_str()) && !value.is_null();
    let mut hook: Map<_, _> = hook.into_iter().filter(is_sent).collect();
    if let Some(Value::Object(events)) = hook.get_mut("events") {
        events.retain(|_name, value| !value.is_null());
    }
    let mut hook = Value::Object(hook);
    let scheme = hook.pointer_mut("/channel/config/authScheme")?.as_object_mut()?;
    scheme.insert("value".to_owned(), secret.expose_secret().into());
    Some(hook)
}
