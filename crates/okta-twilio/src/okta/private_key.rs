//! A service app's private key, as PEM or JWK, and its signatures.
//!
//! Only the base64 of a PEM is used. In a stored secret, line breaks may have become blanks, the two characters `\n`, or
//! nothing. The label is ignored too: the content shows whether it is PKCS#8, PKCS#1 or SEC1.

use aws_lc_rs::{
    error::Unspecified,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256},
};
use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::Deserialize;

use crate::secrets::text::{is_blank, readable, trimmed};

/// Base64 with or without padding.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, ANY_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, ANY_PADDING);

/// A key for signatures.
pub(super) enum SigningKey {
    /// RSA, of 2048 bits or more.
    Rs256(Box<RsaKeyPair>),
    /// On the curve P-256.
    Es256(Box<EcdsaKeyPair>),
}

/// A private key in the form that Okta's Admin Console shows (RFC 7517, RFC 7518).
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

impl SigningKey {
    /// Parses the field's JSON: a JWK object, or a text with a PEM or a JWK. Returns the key, and its id if there is
    /// one.
    pub(super) fn parse(json: &str) -> Option<(Self, Option<String>)> {
        if json.starts_with('{') {
            return serde_json::from_str::<Jwk>(json).ok()?.read();
        }
        let text: SecretString = serde_json::from_str(json).ok()?;
        let text = trimmed(text.expose_secret())?;
        if text.starts_with('{') {
            serde_json::from_str::<Jwk>(readable(text).expose_secret()).ok()?.read()
        } else {
            Some((Self::from_pem(text)?, None))
        }
    }

    fn from_pem(pem: &str) -> Option<Self> {
        // Base64 has no dashes. So the key is the text between the line that begins a private key and the next dashes.
        let begin = pem.find("PRIVATE KEY-----").or_else(|| pem.find("PRIVATEKEY-----"))?;
        let body = pem.get(begin..)?.split("-----").nth(1)?;
        let der = decode(&BASE64, &body.replace("\\r", "").replace("\\n", ""))?;
        let der = der.expose_secret();
        let rsa = RsaKeyPair::from_pkcs8(der).or_else(|_not_pkcs8| RsaKeyPair::from_der(der));
        let rsa = rsa.ok().map(|key| Self::Rs256(Box::new(key)));
        rsa.or_else(|| {
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let key = EcdsaKeyPair::from_pkcs8(algorithm, der);
            let key = key.or_else(|_not_pkcs8| EcdsaKeyPair::from_private_key_der(algorithm, der));
            Some(Self::Es256(Box::new(key.ok()?)))
        })
    }

    /// The algorithm's name in a JWT.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
        }
    }

    /// Signs a message.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
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
            "RSA" => SigningKey::Rs256(Box::new(self.rsa()?)),
            "EC" if self.crv.as_deref() == Some("P-256") => {
                let (x, y) = (public(self.x.as_ref())?, public(self.y.as_ref())?);
                let point = [&[0x04][..], &x, &y].concat();
                let private = private(self.d.as_ref())?;
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let key = EcdsaKeyPair::from_private_key_and_public_key(algorithm, private.expose_secret(), &point);
                SigningKey::Es256(Box::new(key.ok()?))
            }
            _ => return None,
        };
        Some((key, self.kid.as_deref().and_then(trimmed).map(str::to_owned)))
    }

    fn rsa(&self) -> Option<RsaKeyPair> {
        let numbers = [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi].map(|number| private(number.as_ref()));
        let [Some(d), Some(p), Some(q), Some(dp), Some(dq), Some(qi)] = &numbers else { return None };
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: public(self.n.as_ref())?, e: public(self.e.as_ref())? },
            d: d.expose_secret(),
            p: p.expose_secret(),
            q: q.expose_secret(),
            dP: dp.expose_secret(),
            dQ: dq.expose_secret(),
            qInv: qi.expose_secret(),
        };
        RsaKeyPair::from_components(&components).ok()
    }
}

fn public(number: Option<&String>) -> Option<Vec<u8>> {
    Some(decode(&BASE64_URL, number?)?.expose_secret().to_vec())
}

fn private(number: Option<&SecretString>) -> Option<SecretSlice<u8>> {
    decode(&BASE64_URL, number?.expose_secret())
}

/// The bytes of a base64 text, which may contain blanks. `None` if there are no bytes.
fn decode(engine: &GeneralPurpose, text: &str) -> Option<SecretSlice<u8>> {
    let text = SecretString::from(text.chars().filter(|character| !is_blank(*character)).collect::<String>());
    let bytes = engine.decode(text.expose_secret()).ok().filter(|bytes| !bytes.is_empty())?;
    Some(bytes.into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use aws_lc_rs::{
        encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, EcPrivateKeyRfc5915Der},
        rsa::KeySize,
        signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
    };
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    fn pem(label: &str, der: &[u8]) -> String {
        let base64 = BASE64_STANDARD.encode(der);
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    /// A new elliptic-curve key as PEM.
    pub(crate) fn new_pem() -> String {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        pem("PRIVATE KEY", key.to_pkcs8v1().unwrap().as_ref())
    }

    fn rsa() -> (RsaKeyPair, Vec<u8>) {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8 = key.as_der().unwrap().as_ref().to_vec();
        (key, pkcs8)
    }

    /// Splits DER into the bytes of the first value and the rest.
    fn value(der: &[u8]) -> (&[u8], &[u8]) {
        let (length, start) = match der[1] {
            length @ ..=0x7f => (usize::from(length), 2),
            0x80 => panic!("an indefinite length"),
            0x81 => (usize::from(der[2]), 3),
            _ => (usize::from(der[2]) * 256 + usize::from(der[3]), 4),
        };
        (&der[start..start + length], &der[start + length..])
    }

    /// The PKCS#1 document inside a PKCS#8 document.
    fn pkcs1(pkcs8: &[u8]) -> &[u8] {
        let (_version, rest) = value(value(pkcs8).0);
        let (_algorithm, rest) = value(rest);
        value(rest).0
    }

    /// The eight numbers of an RSA key, as JWK.
    fn jwk(pkcs1: &[u8], encode: impl Fn(&[u8]) -> String) -> Value {
        let (_version, mut rest) = value(value(pkcs1).0);
        let mut jwk = json!({"kty": "RSA", "kid": " from-jwk "});
        for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            let (number, next) = value(rest);
            jwk[name] = json!(encode(&number[number.iter().take_while(|byte| **byte == 0).count()..]));
            rest = next;
        }
        jwk
    }

    fn parse(field: &Value) -> Option<(SigningKey, Option<String>)> {
        SigningKey::parse(&field.to_string())
    }

    /// Whether `verify` accepts a signature of the field's key.
    fn signs(field: &Value, verify: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        parse(field).is_some_and(|(key, _)| verify(b"message", &key.sign(b"message").unwrap()))
    }

    /// A PEM in all the forms in which secrets store it.
    fn stored(pem: &str) -> Vec<String> {
        vec![
            pem.to_owned(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', " "),
            pem.replace('\n', "\\n"),
            pem.replace('\n', "\\r\\n"),
            pem.replace('\n', ""),
            pem.replace('\n', "\n    "),
            pem.replace(['\n', ' '], ""),
            format!("\u{feff}  {pem}\n\n"),
            format!("Bag Attributes\n    friendlyName: okta\n{pem}"),
        ]
    }

    #[test]
    fn a_pem_is_read_however_it_is_stored() {
        let (key, pkcs8) = rsa();
        let public = key.public_key().as_ref().to_vec();
        let verify = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public).verify(message, signature).is_ok()
        };
        for pem in [pem("PRIVATE KEY", &pkcs8), pem("RSA PRIVATE KEY", pkcs1(&pkcs8))] {
            for text in stored(&pem) {
                assert!(signs(&json!(text), verify), "{} characters", text.len());
            }
        }
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = key.public_key().as_ref().to_vec();
        let verify = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).verify(message, signature).is_ok()
        };
        let sec1 = AsDer::<EcPrivateKeyRfc5915Der<'_>>::as_der(&key.private_key()).unwrap();
        let sec1 = pem("EC PRIVATE KEY", sec1.as_ref());
        let with_parameters =
            format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{sec1}");
        for pem in [pem("PRIVATE KEY", key.to_pkcs8v1().unwrap().as_ref()), sec1, with_parameters] {
            for text in stored(&pem) {
                assert!(signs(&json!(text), verify), "{} characters", text.len());
            }
        }
    }

    #[test]
    fn a_jwk_is_read_however_it_is_stored() {
        let (key, pkcs8) = rsa();
        let public = key.public_key().as_ref().to_vec();
        let verify = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public).verify(message, signature).is_ok()
        };
        let pkcs1 = pkcs1(&pkcs8);
        let plain = jwk(pkcs1, |number| BASE64_URL_SAFE_NO_PAD.encode(number));
        let padded = jwk(pkcs1, |number| BASE64_URL_SAFE.encode(number));
        let broken_lines = jwk(pkcs1, |number| BASE64_URL_SAFE_NO_PAD.encode(number).replace('A', "A\n "));
        let pretty = json!(serde_json::to_string_pretty(&plain).unwrap());
        let wrapped = json!(plain.to_string().replace('B', "B\n"));
        for field in [json!(plain.to_string()), plain, padded, broken_lines, pretty, wrapped] {
            assert!(signs(&field, verify));
            assert_eq!(parse(&field).unwrap().1.as_deref(), Some("from-jwk"));
        }
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = key.public_key().as_ref().to_vec();
        let verify = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).verify(message, signature).is_ok()
        };
        let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let private = AsBigEndian::<EcPrivateKeyBin<'_>>::as_be_bytes(&key.private_key()).unwrap();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "sig",
            "x": number(&public[1..33]), "y": number(&public[33..]), "d": number(private.as_ref()),
        });
        assert!(signs(&jwk, verify) && signs(&json!(jwk.to_string()), verify));
        assert_eq!(parse(&jwk).unwrap().1, None);
    }

    #[test]
    fn an_invalid_key_is_rejected() {
        let pem = new_pem();
        let small = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQ", "p": "Aw", "q": "BQ", "dp": "AQ", "dq": "AQ", "qi": "AQ"});
        for field in [
            json!(""),
            json!("text"),
            json!(7),
            json!("-----BEGIN"),
            json!("-----BEGIN PRIVATE KEY-----"),
            json!("-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----"),
            json!(pem.replace("PRIVATE", "PUBLIC")),
            json!(pem.replace('M', "N")),
            json!(
                pem.replace("-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n")
            ),
            json!({"kty": "RSA"}),
            json!({"kty": "oct", "d": "AA"}),
            json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "d": "AA"}),
            json!("{"),
            small,
        ] {
            assert!(parse(&field).is_none(), "{field}");
        }
    }
}
