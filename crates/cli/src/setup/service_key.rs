//! The key pair of a service app. The private half goes into the Okta secret only.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::SetupError;

/// How the id of a key begins that this tool has made.
const OWN: &str = "okta-twilio-";

/// Stands in the id of a key before that of the key that it replaces.
const REPLACES: &str = ".replaces.";

/// Whether this tool has made a key.
pub(crate) fn is_own(kid: &str) -> bool {
    kid.starts_with(OWN)
}

/// Whether a key was made to replace another one.
pub(crate) fn replaces(kid: &str, old: &str) -> bool {
    is_own(kid) && kid.split_once(REPLACES).is_some_and(|(_, replaced)| replaced == base(old))
}

/// The id without what it replaces itself.
fn base(kid: &str) -> &str {
    kid.split_once(REPLACES).map_or(kid, |(base, _)| base)
}

/// A new key pair for ES256.
pub(crate) struct ServiceKey {
    /// The id of the key: the same in Okta and in the secret.
    pub(crate) kid: String,
    /// The public half, as a JWK.
    pub(crate) public: Value,
    /// The private half, as a PEM of PKCS #8.
    pub(crate) private: SecretString,
}

impl ServiceKey {
    /// Makes a key pair.
    ///
    /// # Errors
    /// Fails if the operating system gives no random numbers.
    pub(crate) fn generate() -> Result<Self, SetupError> {
        Self::with_id("")
    }

    /// Makes a key pair that is to replace another one. Its id says so.
    ///
    /// # Errors
    /// As [`ServiceKey::generate`].
    pub(crate) fn replacing(old: &str) -> Result<Self, SetupError> {
        Self::with_id(&format!("{REPLACES}{}", base(old)))
    }

    fn with_id(end: &str) -> Result<Self, SetupError> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(|_no_random_numbers| SetupError::NoRandomNumbers)?;
        let kid = format!("{OWN}{:016x}{end}", u64::from_ne_bytes(id));
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let pair = pair.map_err(|_unspecified| SetupError::NoRandomNumbers)?;
        let private = pair.to_pkcs8v1().map_err(|_unspecified| SetupError::NoRandomNumbers)?;
        // 4 for an uncompressed point, then x and y.
        let point = pair.public_key().as_ref();
        let coordinate = |range| point.get(range).map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
        let (x, y) = (coordinate(1..33), coordinate(33..65));
        let public = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"});
        // Some readers of PEM take lines of 64 characters only.
        let private = BASE64_STANDARD.encode(private.as_ref());
        let lines: Vec<_> = private.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let private = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        Ok(Self { kid, public, private: SecretString::from(private) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_which_key_it_replaces_and_does_not_grow() {
        let replacing = |old: &str| ServiceKey::replacing(old).unwrap().kid;
        let first = replacing("key-1");
        let second = replacing(&first);
        assert!(replaces(&first, "key-1") && replaces(&second, &first) && !replaces(&second, "key-1"));
        assert_eq!(replacing(&second).len(), second.len());
        let own = ServiceKey::generate().unwrap().kid;
        assert!(is_own(&own) && !is_own("key-1") && !replaces(&own, "key-1") && !replaces("a.replaces.b", "b"));
    }
}
