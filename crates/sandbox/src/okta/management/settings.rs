//! Authenticators, telephony providers, features and API tokens.

use serde_json::{Value, json};

use super::{Answer, OktaError, Org, call::Call, done};

/// An authenticator of an org on Identity Engine.
#[derive(Debug, Clone)]
pub struct Authenticator {
    /// `aut…`
    pub id: String,
    /// Such as `phone_number`.
    pub key: &'static str,
    /// Whether it is active.
    pub is_active: bool,
    /// The methods, such as `sms`, and whether each is active.
    pub methods: Vec<(&'static str, bool)>,
}

/// What Okta knows of an API token.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// `00T…`
    pub id: String,
    /// When it ends if it is not used.
    pub expires_at: String,
}

impl Org {
    pub(super) fn settings(&mut self, call: &Call, rest: &[&str]) -> Answer {
        let unknown = || Err(OktaError::not_found(&call.path.join("/")));
        match (call.method.as_str(), rest) {
            ("GET", ["authenticators"]) => {
                call.allow(&[])?;
                done(200, self.authenticators.iter().map(describe).collect())
            }
            ("GET", ["authenticators", id, "methods"]) => {
                let found = self.authenticators.iter().find(|authenticator| authenticator.id == *id);
                let found = found.ok_or_else(|| OktaError::not_found(id))?;
                let method = |(kind, is_active): &(&str, bool)| json!({ "type": kind, "status": status(*is_active) });
                done(200, found.methods.iter().map(method).collect())
            }
            ("GET", ["telephony-providers"]) => {
                let providers = self.telephony_providers.as_ref();
                let providers = providers.ok_or_else(|| OktaError::not_found("telephony-providers"))?;
                done(200, providers.iter().enumerate().map(|(place, enabled)| provider(place, *enabled)).collect())
            }
            ("POST", ["telephony-providers", id, "lifecycle", change @ ("activate" | "deactivate")]) => {
                let is_active = *change == "activate";
                let is_hook_active = self.inline_hooks.iter().any(|hook| hook.is_active);
                let providers = self.telephony_providers.as_mut().ok_or_else(|| OktaError::not_found(id))?;
                let place = (0..providers.len()).find(|place| provider_id(*place) == *id);
                let place = place.ok_or_else(|| OktaError::not_found(id))?;
                // Of two, the primary one goes last.
                let is_second_on = providers.iter().skip(1).any(|enabled| *enabled);
                if (!is_active && place == 0 && is_second_on) || (is_active && is_hook_active) {
                    return Err(OktaError::invalid("the order of the providers"));
                }
                if let Some(enabled) = providers.get_mut(place) {
                    *enabled = is_active;
                }
                done(200, provider(place, is_active))
            }
            ("GET", ["features"]) => {
                let feature = |(place, (name, is_on)): (usize, (&String, &bool))| {
                    json!({
                        "id": format!("ftrsandbox{place:010}"), "type": "self-service", "name": name,
                        "stage": { "value": "EA", "state": "OPEN" }, "description": "A text of Okta",
                        "status": if *is_on { "ENABLED" } else { "DISABLED" },
                    })
                };
                done(200, self.features.iter().enumerate().map(feature).collect())
            }
            ("GET", ["api-tokens"]) => {
                call.allow(&["after", "limit", "q"])?;
                let token = |token: &ApiToken| {
                    json!({
                        "id": token.id, "name": "The name of a token", "userId": "00usandbox0admin0000",
                        "tokenWindow": "P30D", "created": "2026-01-15T09:30:00.000Z",
                        "lastUpdated": "2026-01-15T09:30:00.000Z", "expiresAt": token.expires_at,
                        "clientName": "Okta API",
                    })
                };
                done(200, self.api_tokens.iter().map(token).collect())
            }
            ("DELETE", ["api-tokens", "current"]) => {
                // Nobody knows the next one, so the old one is gone.
                self.options.api_token = crate::random::hex();
                done(204, Value::Null)
            }
            _ => unknown(),
        }
    }
}

fn provider_id(place: usize) -> String {
    format!("octsandbox{place:010}")
}

fn provider(place: usize, enabled: bool) -> Value {
    json!({
        "id": provider_id(place), "isPrimaryProvider": place == 0, "enabled": enabled, "providerCapability": "ALL",
        "providerName": "TWILIO", "providerSid": "AC00000000000000000000000000000009",
        "providerSettings": { "sms": { "twilioPhoneNumber": "+12025550199" } },
    })
}

fn describe(authenticator: &Authenticator) -> Value {
    json!({
        "id": authenticator.id, "key": authenticator.key, "status": status(authenticator.is_active),
        "name": "The name of an authenticator", "type": "phone", "created": "2026-01-15T09:30:00.000Z",
        "lastUpdated": "2026-01-15T09:30:00.000Z", "settings": { "allowedFor": "any" },
    })
}

pub(super) fn status(is_active: bool) -> &'static str {
    if is_active { "ACTIVE" } else { "INACTIVE" }
}
