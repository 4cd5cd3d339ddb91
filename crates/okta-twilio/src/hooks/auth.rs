//! Who calls: Okta, or nobody that is let in.

use std::sync::Arc;

use http::HeaderMap;

use crate::{
    config::{ConfigError, Variables},
    hooks::gateway::Request,
    reason::Reason,
    secrets::{Cached, HooksSecret},
    telemetry::Log,
    time::deadline::Deadline,
};

/// How a caller proves to be Okta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// A shared secret in a header.
    Header(HeaderName),
    /// The gateway's JWT authorizer has checked an access token of Okta.
    Jwt,
}

impl AuthMode {
    /// `AUTH_MODE` (`header`) and `AUTH_HEADER` (`auth_secret`).
    ///
    /// # Errors
    /// If one of them cannot be used.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let header_help = ("must be the name of an HTTP header", "auth_secret");
        let header = variables.read("AUTH_HEADER", header_help, HeaderName::parse)?;
        let header = header.or_else(|| HeaderName::parse("auth_secret"));
        let read = |value: &str| match value {
            "header" => header.clone().map(Self::Header),
            "jwt" => Some(Self::Jwt),
            _ => None,
        };
        let mode = variables.read("AUTH_MODE", ("must be header or jwt", "header"), read)?;
        let (problem, example) = header_help;
        mode.or_else(|| header.map(Self::Header)).ok_or(ConfigError::new("AUTH_HEADER", problem, example))
    }
}

/// The name of the header with the secret. Case does not matter and `_` equals `-`: proxies and local gateways are
/// known to rewrite one into the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

impl HeaderName {
    /// `None` if the text cannot name a header.
    pub fn parse(text: &str) -> Option<Self> {
        http::HeaderName::try_from(text).ok().map(|name| Self(normalised(name.as_str())))
    }

    /// The header's value, if there is exactly one. Two, under either spelling, are no proof of anything.
    fn value<'a>(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        let mut values = headers.iter().filter(|(name, _)| normalised(name.as_str()) == self.0).map(|(_, value)| value);
        let value = values.next()?;
        values.next().is_none().then(|| value.as_bytes())
    }
}

fn normalised(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Lets Okta in, and gives the secret that let it in.
///
/// A secret that does not match is compared once more after a refresh, so that a rotation needs no redeploy.
///
/// # Errors
/// [`Reason::NotAuthenticated`] for a caller that is not Okta, [`Reason::SecretUnavailable`] while there is no secret to
/// compare with.
pub async fn authenticate(
    mode: &AuthMode,
    request: &Request,
    secret: &Arc<Cached<HooksSecret>>,
    deadline: &Deadline,
    log: &Log,
) -> Result<Arc<HooksSecret>, Reason> {
    // Before any secret is fetched: a caller without any proof costs nothing.
    let presented = match mode {
        AuthMode::Header(name) => Some(name.value(&request.headers).ok_or(Reason::NotAuthenticated)?),
        AuthMode::Jwt if request.has_jwt_claims => None,
        AuthMode::Jwt => return Err(Reason::NotAuthenticated),
    };
    let current =
        secret.get_within(deadline.remaining(), log).await.map_err(|_secret_error| Reason::SecretUnavailable)?;
    match presented {
        Some(presented) if !current.accepts(presented) => {
            let newer = secret.newer_than_within(deadline.remaining(), &current, log).await;
            newer.filter(|newer| newer.accepts(presented)).ok_or(Reason::NotAuthenticated)
        }
        _ => Ok(current),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::tests::lookup, secrets::FromSecret as _};
    use http::HeaderValue;
    use proptest::prelude::*;

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
    fn two_values_are_none() {
        let name = HeaderName::parse("auth_secret").unwrap();
        assert_eq!(name.value(&headers(&[("auth_secret", "a"), ("auth_secret", "a")])), None);
        assert_eq!(name.value(&headers(&[("auth_secret", "a"), ("auth-secret", "a")])), None);
        assert_eq!(name.value(&headers(&[])), None);
    }

    #[test]
    fn a_name_must_be_one() {
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
            });
            let hooks = HooksSecret::from_secret(&json.to_string().into()).ok().unwrap();
            prop_assert!(hooks.accepts(secret.as_bytes()));
            prop_assert_eq!(hooks.accepts(other.as_bytes()), other == secret);
            prop_assert!(!hooks.accepts(&secret.as_bytes()[1..]));
        }
    }

    fn mode(list: &[(&'static str, &'static str)]) -> Result<AuthMode, ConfigError> {
        AuthMode::from_variables(&Variables::new(&lookup(list)))
    }

    #[test]
    fn a_header_is_the_default() {
        assert_eq!(mode(&[]).unwrap(), AuthMode::Header(HeaderName::parse("auth_secret").unwrap()));
        assert_eq!(mode(&[("AUTH_MODE", "jwt")]).unwrap(), AuthMode::Jwt);
    }

    #[test]
    fn a_malformed_value_is_told_and_not_shown() {
        for (variable, value) in [("AUTH_MODE", "none"), ("AUTH_HEADER", "two words")] {
            let error = mode(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{variable}: must be ")) && !error.contains(value), "{error}");
        }
    }
}
