//! Twilio's credentials.

use secrecy::{ExposeSecret as _, SecretString};

use crate::private::SecretDigest;

/// User name and password of Twilio's basic authentication.
#[derive(PartialEq)]
pub struct TwilioCredentials {
    user: String,
    password: SecretDigestible,
}

impl TwilioCredentials {
    /// An API key (`SK…`) with its secret, or an account (`AC…`) with its auth token.
    pub(crate) fn new(user: String, password: SecretString) -> Self {
        Self { user, password: SecretDigestible(password) }
    }

    #[cfg(test)]
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Adds them to a request.
    pub(crate) fn authenticate(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.user, Some(self.password.0.expose_secret()))
    }
}

struct SecretDigestible(SecretString);

impl PartialEq for SecretDigestible {
    fn eq(&self, other: &Self) -> bool {
        SecretDigest::of(self.0.expose_secret().as_bytes()) == SecretDigest::of(other.0.expose_secret().as_bytes())
    }
}
