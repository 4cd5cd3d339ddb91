//! The Okta secret: an API token, or an OAuth 2.0 service app and the assertion that authenticates it.
//!
//! Sources: Okta, "Implement OAuth for Okta with a service app" and "Client authentication methods". For scopes of its
//! own API, Okta accepts only `private_key_jwt`.

use std::time::Duration;

use aws_lc_rs::{error::Unspecified, rand};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::private_key::SigningKey;
use crate::{
    private::SecretDigest,
    secrets::{
        Field, Secret, SecretError, Warning,
        text::{SecretFields, is_word, readable},
    },
    time::clock::Timestamp,
};

/// Lifetime of an assertion. Okta allows one hour, but it is used at once.
const ASSERTION_LIFETIME: Duration = Duration::from_mins(5);

/// The fields of the Okta secret.
const FIELDS: &[Field] = &[Field::OktaApiToken, Field::OktaClientId, Field::OktaPrivateKey, Field::OktaKeyId];

/// Credentials for Okta's API.
pub struct OktaSecret {
    pub(super) credentials: Credentials,
    warnings: Vec<Warning>,
    /// Digest of the secret's text. Secrets are equal if their texts are equal.
    digest: SecretDigest,
}

impl PartialEq for OktaSecret {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// One of the two types of credentials.
pub(super) enum Credentials {
    /// `Authorization: SSWS …`
    ApiToken(SecretString),
    /// `Authorization: Bearer …`, with a token that the service app requests.
    ServiceApp(ServiceApp),
}

/// An OAuth 2.0 service app.
pub(super) struct ServiceApp {
    client_id: String,
    key: SigningKey,
    key_id: Option<String>,
}

impl OktaSecret {
    /// Parses the secret's JSON.
    ///
    /// # Errors
    /// Fails if it has neither an API token nor a complete service app.
    pub fn read(text: &SecretString) -> Result<Self, SecretError> {
        let digest = SecretDigest::of(text.expose_secret().as_bytes());
        let text = readable(text.expose_secret());
        let fields = SecretFields::parse(&text)?;
        let client_id = word(&fields, Field::OktaClientId)?;
        let credentials = match (client_id, fields.json(Field::OktaPrivateKey)) {
            (Some(client_id), Some(key)) => {
                let (key, own_id) = SigningKey::parse(key).ok_or(SecretError::Unusable(Field::OktaPrivateKey))?;
                let key_id = word(&fields, Field::OktaKeyId)?.map(|id| id.expose_secret().to_owned()).or(own_id);
                Credentials::ServiceApp(ServiceApp { client_id: client_id.expose_secret().to_owned(), key, key_id })
            }
            (None, None) => {
                let token = word(&fields, Field::OktaApiToken)?;
                Credentials::ApiToken(token.ok_or(SecretError::Unusable(Field::OktaApiToken))?)
            }
            // An incomplete pair is a configuration error, never "unset".
            (None, Some(_)) => return Err(SecretError::Unusable(Field::OktaClientId)),
            (Some(_), None) => return Err(SecretError::Unusable(Field::OktaPrivateKey)),
        };
        let warnings = fields.unknown(FIELDS).into_iter().map(Warning::UnknownField).collect();
        Ok(Self { credentials, warnings, digest })
    }
}

impl OktaSecret {
    /// The API token, unless the secret has a service app.
    pub fn api_token(&self) -> Option<&SecretString> {
        match &self.credentials {
            Credentials::ApiToken(token) => Some(token),
            Credentials::ServiceApp(_) => None,
        }
    }
}

impl Secret for OktaSecret {
    const NAME: &'static str = "okta";

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// A value that is valid in a header or a form, if the field has one.
fn word(fields: &SecretFields<'_>, field: Field) -> Result<Option<SecretString>, SecretError> {
    let text = fields.text(field)?;
    let is_usable = text.as_ref().is_none_or(|text| is_word(text.expose_secret()));
    if is_usable { Ok(text) } else { Err(SecretError::Unusable(field)) }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

impl ServiceApp {
    /// The signed assertion that authenticates the app. `audience` is the URL of Okta's token endpoint.
    pub(super) fn assertion(&self, audience: &str, now: Timestamp) -> Result<SecretString, Unspecified> {
        // Okta rejects an assertion that it has seen.
        let mut id = [0_u8; 16];
        rand::fill(&mut id)?;
        let header = Header { alg: self.key.algorithm(), kid: self.key_id.as_deref() };
        let claims = Claims {
            aud: audience,
            iss: &self.client_id,
            sub: &self.client_id,
            iat: now.as_secs(),
            exp: now.as_secs().saturating_add_unsigned(ASSERTION_LIFETIME.as_secs()),
            jti: BASE64_URL_SAFE_NO_PAD.encode(id),
        };
        let signed = format!("{}.{}", encode_json(&header)?, encode_json(&claims)?);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes())?);
        Ok(format!("{signed}.{signature}").into())
    }
}

fn encode_json<T: Serialize>(value: &T) -> Result<String, Unspecified> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).map_err(|_serde_error| Unspecified)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okta::private_key::tests::new_pem;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
    };
    use base64::prelude::BASE64_STANDARD;
    use serde_json::{Value, json};

    const AUDIENCE: &str = "https://example.okta.com/oauth2/v1/token";

    fn read(secret: &Value) -> Result<OktaSecret, SecretError> {
        OktaSecret::read(&secret.to_string().into())
    }

    fn service_app(secret: &Value) -> ServiceApp {
        match read(secret).unwrap_or_else(|error| panic!("{error}")).credentials {
            Credentials::ServiceApp(app) => app,
            Credentials::ApiToken(_) => panic!("an API token"),
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }

    /// The header and the claims, after the signature was checked.
    fn checked(assertion: &SecretString, verify: impl Fn(&[u8], &[u8]) -> bool) -> (Value, Value) {
        let (signed, signature) = assertion.expose_secret().rsplit_once('.').unwrap();
        assert!(verify(signed.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()));
        let (header, claims) = signed.split_once('.').unwrap();
        let json = |part| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        (json(header), json(claims))
    }

    #[test]
    fn a_service_app_signs_its_assertion() {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = key.public_key().as_ref().to_vec();
        let verify = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).verify(message, signature).is_ok()
        };
        let pem = BASE64_STANDARD.encode(key.to_pkcs8v1().unwrap());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
        for (configured_id, expected_id) in [(json!(null), None), (json!(" key-1\n"), Some("key-1"))] {
            let app = service_app(&json!({
                "okta_client_id": " 0oa1\r\n", "okta_private_key": pem, "okta_key_id": configured_id,
            }));
            let (header, claims) = checked(&app.assertion(AUDIENCE, now()).unwrap(), verify);
            assert_eq!((&header["alg"], header["kid"].as_str()), (&json!("ES256"), expected_id));
            assert_eq!(
                (&claims["iss"], &claims["sub"], &claims["aud"]),
                (&json!("0oa1"), &json!("0oa1"), &json!(AUDIENCE))
            );
            assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_800_000_000), &json!(1_800_000_300)));
        }
    }

    #[test]
    fn no_assertion_is_the_same_twice() {
        let app = service_app(&json!({"okta_client_id": "0oa1", "okta_private_key": new_pem()}));
        let id = || checked(&app.assertion(AUDIENCE, now()).unwrap(), |_, _| true).1["jti"].clone();
        assert_ne!(id(), id());
    }

    #[test]
    fn a_token_is_trimmed() {
        let token = |text: &str| match OktaSecret::read(&text.to_owned().into()).unwrap().credentials {
            Credentials::ApiToken(token) => token.expose_secret().to_owned(),
            Credentials::ServiceApp(_) => panic!("a service app"),
        };
        assert_eq!(token(r#"{"okta_api_token":"00aBcD"}"#), "00aBcD");
        assert_eq!(token("\u{feff}{\"okta_api_token\":\"00aB\u{20}\r\n\"}\n"), "00aB");
    }

    #[test]
    fn an_unknown_field_is_noticed() {
        let secret = read(&json!({"okta_api_token": "00aBcD", "okta_privat_key": "a", "note": "b"})).unwrap();
        let nearest = |warning: &Warning| match warning {
            Warning::UnknownField(field) => field.nearest,
            Warning::PausedUnreadable => panic!("of the hooks secret"),
        };
        assert_eq!(secret.warnings().iter().map(nearest).collect::<Vec<_>>(), [None, Some("okta_private_key")]);
    }

    #[test]
    fn names_the_unusable_field() {
        let pem = new_pem();
        for (secret, field) in [
            (json!({}), Field::OktaApiToken),
            (json!({"okta_api_token": ""}), Field::OktaApiToken),
            (json!({"okta_api_token": "two words"}), Field::OktaApiToken),
            (json!({"okta_api_token": "00a", "okta_client_id": "0oa1"}), Field::OktaPrivateKey),
            (json!({"okta_private_key": pem}), Field::OktaClientId),
            (json!({"okta_client_id": " ", "okta_private_key": pem}), Field::OktaClientId),
            (json!({"okta_client_id": "a b", "okta_private_key": pem}), Field::OktaClientId),
            (json!({"okta_client_id": "0oa1", "okta_private_key": ""}), Field::OktaPrivateKey),
            (json!({"okta_client_id": "0oa1", "okta_private_key": "-----BEGIN"}), Field::OktaPrivateKey),
            (json!({"okta_client_id": "0oa1", "okta_private_key": {"kty": "RSA"}}), Field::OktaPrivateKey),
            (json!({"okta_client_id": "0oa1", "okta_private_key": pem, "okta_key_id": 7}), Field::OktaKeyId),
        ] {
            assert_eq!(read(&secret).err(), Some(SecretError::Unusable(field)), "{secret}");
        }
        assert_eq!(read(&json!([])).err(), Some(SecretError::NotJson));
    }
}
