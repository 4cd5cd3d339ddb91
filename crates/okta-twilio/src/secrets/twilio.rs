//! Twilio's credentials.

use aws_lc_rs::hkdf;
use secrecy::{ExposeSecret as _, SecretString};

use crate::private::SecretDigest;

/// User name and password for Twilio's basic authentication.
#[derive(PartialEq)]
pub struct TwilioCredentials {
    user: String,
    password: SecretDigestible,
}

impl TwilioCredentials {
    /// Takes an API key (`SK…`) and its secret, or an account (`AC…`) and its auth token.
    pub fn new(user: String, password: SecretString) -> Self {
        Self { user, password: SecretDigestible(password) }
    }

    /// Derives a key for one purpose. Equal credentials give equal keys, and a key does not reveal the credentials.
    /// Returns `None` if the cryptographic library fails, which it does not do for a key of this length.
    pub fn derive_key(&self, purpose: &[u8]) -> Option<[u8; 32]> {
        let secret = self.password.0.expose_secret().as_bytes();
        let mut key = [0; 32];
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
        extracted.expand(&[purpose], hkdf::HKDF_SHA256).ok()?.fill(&mut key).ok()?;
        Some(key)
    }

    /// The sid of the API key or of the account. It is not secret.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Adds the credentials to a request.
    pub fn authenticate(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.user, Some(self.password.0.expose_secret()))
    }
}

struct SecretDigestible(SecretString);

impl PartialEq for SecretDigestible {
    fn eq(&self, other: &Self) -> bool {
        SecretDigest::of(self.0.expose_secret().as_bytes()) == SecretDigest::of(other.0.expose_secret().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_key_depends_on_secret_and_purpose() {
        let key = |secret: &str, purpose: &[u8]| {
            TwilioCredentials::new("SK1".to_owned(), SecretString::from(secret)).derive_key(purpose).unwrap()
        };
        assert_eq!(key("secret", b"one"), key("secret", b"one"));
        assert_ne!(key("secret", b"one"), key("secret", b"two"));
        assert_ne!(key("secret", b"one"), key("rotated", b"one"));
    }
}
