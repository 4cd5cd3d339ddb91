//! Caller authentication: only Okta may call a hook.

use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::{
    config::{ConfigError, Variables},
    hooks::gateway::HookRequest,
    reason::Reason,
    secrets::{Cached, HooksSecret},
    telemetry::Log,
    time::deadline::Deadline,
};

/// How Okta authenticates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// By a shared secret in a header.
    Header(HeaderName),
    /// By an access token from Okta. The gateway's JWT authorizer has verified it, but it must also be intended for
    /// this hook.
    Jwt(TokenRule),
}

impl AuthMode {
    /// `AUTH_MODE` (`header`) and `AUTH_HEADER` (`auth_secret`).
    ///
    /// # Errors
    /// Fails if one of them is invalid.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let header_help = ("must be the name of an HTTP header", "auth_secret");
        let header = variables.read("AUTH_HEADER", header_help, HeaderName::parse)?;
        let header = header.or_else(|| HeaderName::parse("auth_secret"));
        let is_jwt = |value: &str| match value {
            "header" => Some(false),
            "jwt" => Some(true),
            _ => None,
        };
        if variables.read("AUTH_MODE", ("must be header or jwt", "header"), is_jwt)? == Some(true) {
            return TokenRule::from_variables(variables).map(Self::Jwt);
        }
        let (problem, example) = header_help;
        header.map(Self::Header).ok_or(ConfigError::new("AUTH_HEADER", problem, example))
    }
}

/// The claims that a token must have. The authorizer checks only the issuer and the audience, and any user or
/// application of the org may have such a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRule {
    /// `JWT_SCOPE` (required with `jwt`): a scope that the token must have.
    scope: String,
    /// `JWT_CLIENT_ID` (none): the client that the token must be issued to.
    client_id: Option<String>,
}

impl TokenRule {
    fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        const SCOPE: &str = "JWT_SCOPE";
        let scope_help = ("must be one scope, without blanks, quotes or brackets", "telephony");
        let client_help = ("must be an Okta client id: letters, digits, - and _", "0oa1example2Client3d7");
        // RFC 6749, section 3.3, without the brackets that the gateway uses for lists.
        let is_part = |byte: u8| byte.is_ascii_graphic() && !b"\"\\[],".contains(&byte);
        variables.required(SCOPE, scope_help.1)?;
        let scope = variables.read(SCOPE, scope_help, |it| it.bytes().all(is_part).then(|| it.to_owned()))?;
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        Ok(Self {
            scope: scope.ok_or(ConfigError::new(SCOPE, scope_help.0, scope_help.1))?,
            client_id: variables
                .read("JWT_CLIENT_ID", client_help, |it| it.bytes().all(is_id).then(|| it.to_owned()))?,
        })
    }

    /// Whether a token with these claims may use the hook.
    fn accepts(&self, claims: &Map<String, Value>) -> bool {
        let has_scope = ["scp", "scope"].into_iter().filter_map(|name| claims.get(name)).any(|it| self.is_among(it));
        let is_client = self.client_id.as_ref().is_none_or(|id| claims.get("cid").and_then(Value::as_str) == Some(id));
        has_scope && is_client
    }

    /// Okta writes scopes as a list in `scp`. Other issuers write them as a text with blanks in `scope`. The gateway
    /// turns a list into a text: `[a b]`.
    fn is_among(&self, scopes: &Value) -> bool {
        match scopes {
            Value::String(scopes) => {
                let list = scopes.strip_prefix('[').and_then(|scopes| scopes.strip_suffix(']')).unwrap_or(scopes);
                list.split(' ').any(|scope| scope == self.scope)
            }
            Value::Array(scopes) => scopes.iter().any(|scope| scope.as_str() == Some(&self.scope)),
            _ => false,
        }
    }
}

/// The name of the header with the secret. It ignores case and treats `_` and `-` as equal, because proxies and local
/// gateways may rewrite one into the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

impl HeaderName {
    /// Returns `None` if the text is not a valid header name.
    pub fn parse(text: &str) -> Option<Self> {
        http::HeaderName::try_from(text).ok().map(|name| Self(normalised(name.as_str())))
    }

    /// The value of the header if it occurs exactly once. Two values, even under different spellings, prove nothing.
    fn value<'a>(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        let mut values = headers.iter().filter(|(name, _)| normalised(name.as_str()) == self.0).map(|(_, value)| value);
        let value = values.next()?;
        values.next().is_none().then(|| value.as_bytes())
    }
}

fn normalised(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Authenticates Okta, and returns the secret that was used.
///
/// If a secret does not match, it is refreshed and compared again, so a rotation needs no redeploy.
///
/// # Errors
/// [`Reason::NotAuthenticated`] if the caller is not Okta. [`Reason::SecretUnavailable`] if there is no secret to
/// compare with.
pub async fn authenticate(
    mode: &AuthMode,
    request: &HookRequest,
    secret: &Arc<Cached<HooksSecret>>,
    deadline: &Deadline,
    log: &Log,
) -> Result<Arc<HooksSecret>, Reason> {
    // This check comes before any secret is fetched, so a caller without credentials costs nothing.
    let presented = match mode {
        AuthMode::Header(name) => Some(name.value(&request.headers).ok_or(Reason::NotAuthenticated)?),
        AuthMode::Jwt(rule) if request.claims.as_ref().is_some_and(|claims| rule.accepts(claims)) => None,
        AuthMode::Jwt(_) => return Err(Reason::NotAuthenticated),
    };
    let current = secret.get(deadline, log).await.map_err(|_secret_error| Reason::SecretUnavailable)?;
    match presented {
        Some(presented) if !current.accepts(presented) => {
            let newer = secret.newer_than(&current, deadline, log).await;
            newer.filter(|newer| newer.accepts(presented)).ok_or(Reason::NotAuthenticated)
        }
        _ => Ok(current),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::lookup;
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::json;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(http::HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn case_and_underscore_do_not_matter() {
        for configured in ["auth_secret", "Auth-Secret", "AUTH_SECRET"] {
            let name = HeaderName::parse(configured).unwrap();
            for sent in ["auth_secret", "auth-secret", "Auth_Secret", "AUTH-SECRET"] {
                assert_eq!(name.value(&headers(&[(sent, "value")])), Some(&b"value"[..]), "{configured} {sent}");
            }
            assert_eq!(name.value(&headers(&[("authsecret", "value")])), None);
        }
    }

    #[test]
    fn two_values_are_rejected() {
        let name = HeaderName::parse("auth_secret").unwrap();
        assert_eq!(name.value(&headers(&[("auth_secret", "a"), ("auth_secret", "a")])), None);
        assert_eq!(name.value(&headers(&[("auth_secret", "a"), ("auth-secret", "a")])), None);
        assert_eq!(name.value(&headers(&[])), None);
    }

    #[test]
    fn an_invalid_name_is_rejected() {
        assert!(HeaderName::parse("auth secret").is_none());
        assert!(HeaderName::parse("").is_none());
    }

    proptest! {
        #[test]
        fn only_the_very_secret_is_accepted(secret in "[!-~]{16,40}", other in "[!-~]{0,40}") {
            let json = serde_json::json!({
                "auth_secret": secret,
                "twilio_api_key_sid": "SK00000000000000000000000000000000",
                "twilio_api_key_secret": "key",
                "verify_service_sid": "VA00000000000000000000000000000000",
            });
            let hooks = HooksSecret::read(&json.to_string().into(), None).ok().unwrap();
            prop_assert!(hooks.accepts(secret.as_bytes()));
            prop_assert_eq!(hooks.accepts(other.as_bytes()), other == secret);
            prop_assert!(!hooks.accepts(&secret.as_bytes()[1..]));
        }
    }

    fn mode(list: &[(&'static str, &'static str)]) -> Result<AuthMode, ConfigError> {
        AuthMode::from_variables(&Variables::new(&lookup(list)))
    }

    #[test]
    fn the_default_is_a_header() {
        assert_eq!(mode(&[]).unwrap(), AuthMode::Header(HeaderName::parse("auth_secret").unwrap()));
    }

    #[test]
    fn a_malformed_value_is_rejected_without_showing_it() {
        let jwt = [("AUTH_MODE", "jwt"), ("JWT_SCOPE", "telephony")];
        for (variable, value) in [
            ("AUTH_MODE", "none"),
            ("AUTH_HEADER", "two words"),
            ("JWT_SCOPE", "openid profile"),
            ("JWT_SCOPE", "[telephony]"),
            ("JWT_SCOPE", "openid,profile"),
            ("JWT_SCOPE", "\"telephony\""),
            ("JWT_CLIENT_ID", "0oa1 0oa2"),
        ] {
            let error = mode(&[jwt[0], jwt[1], (variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{variable}: must be ")) && !error.contains(value), "{error}");
        }
    }

    #[test]
    fn tokens_need_a_scope() {
        let error = mode(&[("AUTH_MODE", "jwt")]).unwrap_err().to_string();
        assert_eq!(error, "JWT_SCOPE: is required but not set; for example JWT_SCOPE=telephony");
    }

    fn accepts(list: &[(&'static str, &'static str)], claims: &Value) -> bool {
        let base = [("AUTH_MODE", "jwt"), ("JWT_SCOPE", "okta.telephony")];
        let AuthMode::Jwt(rule) = mode(&[&base, list].concat()).unwrap() else { panic!() };
        rule.accepts(claims.as_object().unwrap())
    }

    #[test]
    fn a_scope_is_read_in_every_form() {
        for scopes in [
            json!("okta.telephony"),
            json!("[okta.telephony]"),
            json!("openid okta.telephony profile"),
            json!("[openid okta.telephony]"),
            json!(["openid", "okta.telephony"]),
            json!([7, null, "okta.telephony"]),
        ] {
            for name in ["scp", "scope"] {
                assert!(accepts(&[], &json!({"sub": "a", name: scopes})), "{name} {scopes}");
            }
            assert!(accepts(&[], &json!({"scp": "[openid]", "scope": scopes})), "either");
            assert!(!accepts(&[], &json!({"scopes": scopes, "SCP": scopes, "aud": scopes})), "another claim");
        }
    }

    #[test]
    fn a_scope_is_compared_exactly() {
        for scopes in [
            json!("openid profile"),
            json!("Okta.Telephony"),
            json!("okta.telephony.read"),
            json!("xokta.telephony"),
            json!("okta_telephony"),
            json!("okta.telephony,openid"),
            json!("okta.telephony\topenid"),
            json!("[[okta.telephony]]"),
            json!("[okta.telephony"),
            json!(["okta.telephony openid"]),
            json!([["okta.telephony"]]),
            json!({"okta.telephony": true}),
            json!(null),
            json!(true),
            json!(""),
            json!("[]"),
            json!([]),
        ] {
            assert!(!accepts(&[], &json!({"scp": scopes, "scope": scopes})), "{scopes}");
        }
        assert!(!accepts(&[], &json!({})));
    }

    #[test]
    fn only_the_configured_client_is_accepted() {
        let client = [("JWT_CLIENT_ID", "0oa1")];
        assert!(accepts(&client, &json!({"scp": "okta.telephony", "cid": "0oa1"})));
        for cid in
            [json!("0oa2"), json!("0OA1"), json!("0oa1 "), json!("[0oa1]"), json!(["0oa1"]), json!(null), json!(7)]
        {
            assert!(!accepts(&client, &json!({"scp": "okta.telephony", "cid": cid})), "{cid}");
        }
        assert!(!accepts(&client, &json!({"scp": "okta.telephony", "client_id": "0oa1", "sub": "0oa1"})));
        assert!(!accepts(&client, &json!({"scp": "openid", "cid": "0oa1"})), "the scope is needed all the same");
    }
}
