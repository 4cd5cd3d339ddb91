//! The Okta secret: an API token, or the private key of an OAuth 2.0 service app and what is signed with it.
//!
//! Sources: Okta, "Implement OAuth for Okta with a service app" and "Client authentication methods". For scopes of its own
//! API Okta takes `private_key_jwt` only.

use std::time::Duration;

use aws_lc_rs::{
    error::Unspecified,
    rand::{self, SystemRandom},
    rsa::KeyPair as RsaKeyPair,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    private::SecretDigest,
    secrets::{FromSecret, SecretError},
    time::clock::Timestamp,
};

/// How long an assertion is valid. Okta allows one hour; it is used at once.
const ASSERTION_LIFETIME: Duration = Duration::from_mins(5);

/// How to speak to Okta's API.
pub struct OktaSecret {
    pub(super) credentials: Credentials,
    /// Of the secret's text: equal secrets are equal texts.
    digest: SecretDigest,
}

impl PartialEq for OktaSecret {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// One of the two ways.
pub(super) enum Credentials {
    /// `Authorization: SSWS …`
    ApiToken(SecretString),
    /// `Authorization: Bearer …`, with a token that the service app asks for.
    ServiceApp(ServiceApp),
}

/// An OAuth 2.0 service app.
pub(super) struct ServiceApp {
    client_id: String,
    key: SigningKey,
    key_id: Option<String>,
}

enum SigningKey {
    Rs256(Box<RsaKeyPair>),
    Es256(Box<EcdsaKeyPair>),
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "okta_api_token")]
    api_token: Option<SecretString>,
    #[serde(rename = "okta_client_id")]
    client_id: Option<String>,
    #[serde(rename = "okta_private_key")]
    private_key: Option<PrivateKeyField>,
    #[serde(rename = "okta_key_id")]
    key_id: Option<String>,
}

/// A PEM or a JWK as text, or a JWK as it is.
#[derive(Deserialize)]
#[serde(untagged)]
enum PrivateKeyField {
    Text(SecretString),
    Jwk(Box<Jwk>),
}

/// A private key as Okta's Admin Console shows it (RFC 7517, RFC 7518).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    // RSA.
    n: Option<String>,
    e: Option<String>,
    p: Option<SecretString>,
    q: Option<SecretString>,
    dp: Option<SecretString>,
    dq: Option<SecretString>,
    qi: Option<SecretString>,
    // Elliptic curve.
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    // Both.
    d: Option<SecretString>,
}

impl FromSecret for OktaSecret {
    const NAME: &'static str = "okta";

    fn from_secret(text: &SecretString) -> Result<Self, SecretError> {
        let text = text.expose_secret();
        let fields: Fields = serde_json::from_str(text).map_err(|_serde_error| SecretError::NotJson)?;
        let credentials = match (fields.client_id, fields.private_key) {
            (Some(client_id), Some(key)) => service_app(&client_id, key, fields.key_id)?,
            (None, None) => api_token(fields.api_token)?,
            // Half a pair is a mistake to be told and not to be passed over.
            _ => return Err(SecretError::OktaCredentials),
        };
        Ok(Self { credentials, digest: SecretDigest::of(text.as_bytes()) })
    }
}

fn api_token(token: Option<SecretString>) -> Result<Credentials, SecretError> {
    let token = token.ok_or(SecretError::OktaCredentials)?;
    let usable = is_word(token.expose_secret());
    usable.then_some(Credentials::ApiToken(token)).ok_or(SecretError::OktaCredentials)
}

fn service_app(client_id: &str, key: PrivateKeyField, key_id: Option<String>) -> Result<Credentials, SecretError> {
    if !is_word(client_id) {
        return Err(SecretError::OktaCredentials);
    }
    let (key, own_id) = key.read().ok_or(SecretError::OktaPrivateKey)?;
    let key_id = key_id.filter(|id| !id.trim().is_empty()).or(own_id);
    Ok(Credentials::ServiceApp(ServiceApp { client_id: client_id.to_owned(), key, key_id }))
}

/// Whether a text can travel in a header or a form as it is.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl PrivateKeyField {
    /// The key, and its id if it has one.
    fn read(self) -> Option<(SigningKey, Option<String>)> {
        match self {
            Self::Jwk(jwk) => jwk.read(),
            Self::Text(text) => {
                let text = text.expose_secret().trim();
                if text.starts_with('{') {
                    serde_json::from_str::<Jwk>(text).ok()?.read()
                } else {
                    Some((SigningKey::from_pem(text)?, None))
                }
            }
        }
    }
}

impl SigningKey {
    fn from_pem(pem: &str) -> Option<Self> {
        // Line ends are often pasted into a secret as the two characters of their escape.
        let pem = SecretString::from(pem.replace("\\n", "\n"));
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.expose_secret().as_bytes()).ok()?;
        let key = key.secret_pkcs8_der();
        let rsa = RsaKeyPair::from_pkcs8(key).ok().map(|key| Self::Rs256(Box::new(key)));
        rsa.or_else(|| {
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key).ok()?;
            Some(Self::Es256(Box::new(key)))
        })
    }

    /// The name of the algorithm in a JWT.
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Self::Es256(key) => Ok(key.sign(&random, message)?.as_ref().to_vec()),
        }
    }
}

impl Jwk {
    fn read(&self) -> Option<(SigningKey, Option<String>)> {
        let key = match self.kty.as_str() {
            "RSA" => SigningKey::Rs256(Box::new(RsaKeyPair::from_der(&self.rsa_private_key()?).ok()?)),
            "EC" if self.crv.as_deref() == Some("P-256") => {
                let public = [&[0x04][..], &decode(self.x.as_deref()?)?, &decode(self.y.as_deref()?)?].concat();
                let private = secret(self.d.as_ref())?;
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let key = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, &public).ok()?;
                SigningKey::Es256(Box::new(key))
            }
            _ => return None,
        };
        Some((key, self.kid.clone()))
    }

    /// `RSAPrivateKey` (RFC 8017, A.1.2) in DER: the form in which the library takes the numbers.
    fn rsa_private_key(&self) -> Option<Vec<u8>> {
        let version = vec![0];
        let (modulus, exponent) = (decode(self.n.as_deref()?)?, decode(self.e.as_deref()?)?);
        let private = [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi];
        let private = private.into_iter().map(|number| secret(number.as_ref())).collect::<Option<Vec<_>>>()?;
        let numbers = [version, modulus, exponent].into_iter().chain(private);
        Some(der(0x30, &numbers.flat_map(|number| der_integer(&number)).collect::<Vec<_>>()))
    }
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(base64).ok().filter(|bytes| !bytes.is_empty())
}

fn secret(base64: Option<&SecretString>) -> Option<Vec<u8>> {
    decode(base64?.expose_secret())
}

/// A number that is not negative: without leading zeros, and with one where its highest bit would be a sign.
fn der_integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let sign = if number.first().is_none_or(|byte| *byte >= 0x80) { &[0][..] } else { &[] };
    der(0x02, &[sign, number].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = length.get(length.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default();
    let mut encoded = vec![tag];
    match (content.len(), u8::try_from(length.len())) {
        (0, _) => encoded.push(0),
        (..0x80, _) | (_, Err(_)) => encoded.extend_from_slice(length),
        (_, Ok(bytes)) => {
            encoded.push(0x80 | bytes);
            encoded.extend_from_slice(length);
        }
    }
    encoded.extend_from_slice(content);
    encoded
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
    /// The signed statement by which the app proves who it is. `audience` is the URL of Okta's token endpoint.
    pub(super) fn assertion(&self, audience: &str, now: Timestamp) -> Result<SecretString, Unspecified> {
        // Okta refuses an assertion that it has seen.
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
pub(crate) mod tests {
    use super::*;
    use aws_lc_rs::{
        encoding::{AsBigEndian as _, AsDer as _, EcPrivateKeyBin},
        rsa::KeySize,
        signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
    };
    use base64::prelude::BASE64_STANDARD;
    use serde_json::{Value, json};

    const AUDIENCE: &str = "https://example.okta.com/oauth2/v1/token";

    fn read(secret: &Value) -> Result<OktaSecret, SecretError> {
        OktaSecret::from_secret(&secret.to_string().into())
    }

    fn service_app(secret: &Value) -> ServiceApp {
        match read(secret).unwrap_or_else(|error| panic!("{error}")).credentials {
            Credentials::ServiceApp(app) => app,
            Credentials::ApiToken(_) => panic!("an API token"),
        }
    }

    fn pem(pkcs8: &[u8]) -> String {
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64_STANDARD.encode(pkcs8))
    }

    /// A new elliptic-curve key as PEM.
    pub(crate) fn new_pem() -> String {
        pem(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap().as_ref())
    }

    /// Header and claims, once the signature has been checked.
    fn checked(assertion: &SecretString, verify: impl Fn(&[u8], &[u8]) -> bool) -> (Value, Value) {
        let (signed, signature) = assertion.expose_secret().rsplit_once('.').unwrap();
        assert!(verify(signed.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()));
        let (header, claims) = signed.split_once('.').unwrap();
        let json = |part| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        (json(header), json(claims))
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }

    #[test]
    fn signs_with_an_elliptic_curve_key_in_both_forms() {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = key.public_key().as_ref().to_vec();
        let verify = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).verify(message, signature).is_ok()
        };
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let private: EcPrivateKeyBin<'_> = key.private_key().as_be_bytes().unwrap();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": "from-jwk", "use": "sig", "d": encode(private.as_ref()),
            "x": encode(&public[1..33]), "y": encode(&public[33..]),
        });
        let pem = pem(key.to_pkcs8v1().unwrap().as_ref());
        for (private_key, own_id) in [
            (json!(pem), None),
            (json!(pem.replace('\n', "\\n")), None),
            (jwk.clone(), Some("from-jwk")),
            (json!(jwk.to_string()), Some("from-jwk")),
        ] {
            for (configured_id, expected_id) in [(json!(null), own_id), (json!("configured"), Some("configured"))] {
                let app = service_app(&json!({
                    "okta_client_id": "0oa1", "okta_private_key": private_key, "okta_key_id": configured_id,
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
    }

    #[test]
    fn signs_with_an_rsa_key_in_both_forms() {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = key.public_key().as_ref().to_vec();
        let verify = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public).verify(message, signature).is_ok()
        };
        let pkcs8 = key.as_der().unwrap();
        let mut jwk = json!({"kty": "RSA", "kid": "from-jwk"});
        for (name, number) in ["n", "e", "d", "p", "q", "dp", "dq", "qi"].into_iter().zip(integers(pkcs8.as_ref())) {
            jwk[name] = json!(BASE64_URL_SAFE_NO_PAD.encode(number));
        }
        for (private_key, kid) in [(json!(pem(pkcs8.as_ref())), None), (jwk, Some("from-jwk"))] {
            let app = service_app(&json!({"okta_client_id": "0oa1", "okta_private_key": private_key}));
            let (header, _) = checked(&app.assertion(AUDIENCE, now()).unwrap(), verify);
            assert_eq!((&header["alg"], header["kid"].as_str()), (&json!("RS256"), kid));
        }
    }

    /// The eight numbers of the RSA key in a PKCS#8 document.
    fn integers(pkcs8: &[u8]) -> Vec<Vec<u8>> {
        fn value(der: &[u8]) -> (&[u8], &[u8]) {
            let (length, start) = match der[1] {
                length @ ..=0x7f => (usize::from(length), 2),
                0x80 => panic!("an indefinite length"),
                0x81 => (usize::from(der[2]), 3),
                _ => (usize::from(der[2]) * 256 + usize::from(der[3]), 4),
            };
            (&der[start..start + length], &der[start + length..])
        }
        let (_version, rest) = value(value(pkcs8).0);
        let (_algorithm, rest) = value(rest);
        let (_version, mut rest) = value(value(value(rest).0).0);
        let mut numbers = Vec::new();
        while !rest.is_empty() {
            let (number, next) = value(rest);
            numbers.push(number[number.iter().take_while(|byte| **byte == 0).count()..].to_vec());
            rest = next;
        }
        numbers
    }

    #[test]
    fn no_assertion_is_the_same_twice() {
        let app = service_app(&json!({"okta_client_id": "0oa1", "okta_private_key": new_pem()}));
        let id = || checked(&app.assertion(AUDIENCE, now()).unwrap(), |_, _| true).1["jti"].clone();
        assert_ne!(id(), id());
    }

    #[test]
    fn tells_what_a_secret_lacks() {
        let pem = new_pem();
        for (secret, error) in [
            (json!([]), SecretError::NotJson),
            (json!({}), SecretError::OktaCredentials),
            (json!({"okta_api_token": ""}), SecretError::OktaCredentials),
            (json!({"okta_api_token": "two words"}), SecretError::OktaCredentials),
            (json!({"okta_api_token": "00a", "okta_client_id": "0oa1"}), SecretError::OktaCredentials),
            (json!({"okta_private_key": pem}), SecretError::OktaCredentials),
            (json!({"okta_client_id": " ", "okta_private_key": pem}), SecretError::OktaCredentials),
            (json!({"okta_client_id": "0oa1", "okta_private_key": ""}), SecretError::OktaPrivateKey),
            (json!({"okta_client_id": "0oa1", "okta_private_key": "-----BEGIN"}), SecretError::OktaPrivateKey),
            (json!({"okta_client_id": "0oa1", "okta_private_key": {"kty": "RSA"}}), SecretError::OktaPrivateKey),
            (
                json!({"okta_client_id": "0oa1", "okta_private_key": {"kty": "oct", "d": "AA"}}),
                SecretError::OktaPrivateKey,
            ),
        ] {
            assert_eq!(read(&secret).err(), Some(error), "{secret}");
        }
        assert!(read(&json!({"okta_api_token": "00aBcD"})).is_ok());
    }

    #[test]
    fn integers_have_their_shortest_form() {
        assert_eq!(der_integer(&[0, 0]), [2, 1, 0]);
        assert_eq!(der_integer(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(der_integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(der_integer(&[1; 0x80])[..3], [2, 0x81, 0x80]);
        assert_eq!(der_integer(&[1; 0x101])[..4], [2, 0x82, 1, 1]);
    }
}
