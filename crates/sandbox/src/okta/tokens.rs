//! The org's token endpoint: OAuth 2.0 client credentials with `private_key_jwt`, and the access tokens that it issued.
//! (Sources: Okta, "Implement OAuth for Okta with a service app" and "Client authentication methods".)

use crate::clock::Moment;
use crate::okta::error::OauthError;
use crate::okta::options::OktaOptions;
use crate::okta::service_app;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, UNIX_EPOCH};

/// The only scope that the hooks need.
const SCOPE: &str = "okta.users.read";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The lifetime of access tokens, which Okta fixes at one hour. It is also the maximum lifetime of a client assertion.
const LIFETIME: Duration = Duration::from_hours(1);

/// Issued tokens and used assertions.
#[derive(Default)]
pub(crate) struct Tokens {
    ends: HashMap<String, Moment>,
    assertion_ids: HashSet<String>,
}

impl Tokens {
    /// Whether this is an issued token that has not expired.
    pub(crate) fn accepts(&self, token: &str, now: Moment) -> bool {
        self.ends.get(token).is_some_and(|end| now < *end)
    }

    /// `POST /oauth2/v1/token`. `endpoint` checks whether a URL is that of this endpoint.
    pub(crate) fn grant(
        &mut self,
        options: &OktaOptions,
        form: &[(String, String)],
        endpoint: impl Fn(&str) -> bool,
        now: Moment,
    ) -> Result<Value, OauthError> {
        let value = |name: &str| form.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        if value("grant_type") != Some("client_credentials") {
            return Err(OauthError::bad_request(
                "unsupported_grant_type",
                "The service app has client_credentials only.",
            ));
        }
        let (Some(ASSERTION_TYPE), Some(assertion)) = (value("client_assertion_type"), value("client_assertion"))
        else {
            return Err(OauthError::invalid_client("A client_assertion of the type jwt-bearer is needed."));
        };
        let claims = claims(options, assertion).map_err(OauthError::invalid_client)?;
        self.check(options, &claims, endpoint, now).map_err(OauthError::invalid_client)?;
        if value("scope") != Some(SCOPE) || !options.scope_granted {
            return Err(OauthError::bad_request("invalid_scope", "A scope was asked for that is not granted."));
        }
        let token = format!("sandbox-access-token-{}", crate::random::hex());
        self.ends.insert(token.clone(), now.later(LIFETIME));
        Ok(json!({
            "token_type": "Bearer", "expires_in": LIFETIME.as_secs(), "access_token": token, "scope": SCOPE
        }))
    }

    fn check(
        &mut self,
        options: &OktaOptions,
        claims: &Value,
        endpoint: impl Fn(&str) -> bool,
        now: Moment,
    ) -> Result<(), &'static str> {
        let claim = |name: &str| claims.get(name).and_then(Value::as_str);
        let client = Some(options.client_id.as_str());
        if claim("iss") != client || claim("sub") != client {
            return Err("The iss and sub of the client_assertion must be the client_id.");
        }
        if !claim("aud").is_some_and(endpoint) {
            return Err("The aud of the client_assertion must be this endpoint's URL.");
        }
        let Some(end) = claims.get("exp").and_then(Value::as_u64) else {
            return Err("The client_assertion has no exp.");
        };
        let now = now.time().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if end <= now {
            return Err("The client_assertion has expired.");
        }
        if end > now + LIFETIME.as_secs() {
            return Err("The exp of the client_assertion is too far ahead.");
        }
        if claim("jti").is_some_and(|id| !self.assertion_ids.insert(id.to_owned())) {
            return Err("The client_assertion has been used before.");
        }
        Ok(())
    }
}

/// The claims of an assertion, if one of the service app's keys signed it.
fn claims(options: &OktaOptions, assertion: &str) -> Result<Value, &'static str> {
    let read = || {
        let (message, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let parse = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).ok();
        Some((message, parse(header)?, parse(claims)?, decode(signature)?))
    };
    let (message, header, claims, signature) = read().ok_or("The client_assertion is not a JWT.")?;
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let key_id = header.get("kid");
    // If the header names a key, that key must have signed. Otherwise any key may.
    let mut keys = options.public_keys.iter().filter(|key| key_id.is_none() || key.get("kid") == key_id);
    if keys.any(|key| service_app::verify(key, algorithm, message.as_bytes(), &signature)) {
        Ok(claims)
    } else {
        Err("The client_assertion is not signed by a key of the service app.")
    }
}
