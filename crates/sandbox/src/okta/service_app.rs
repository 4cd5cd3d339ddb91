//! The keys of a service app. A test creates a key pair, gives the private key to the function as a secret and the
//! public key to Okta.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a harness: what goes wrong here fails the test that uses it"
)]

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A new key pair of a service app.
pub struct ServiceAppKey {
    id: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl ServiceAppKey {
    /// Creates a key for RS256.
    pub fn rsa(id: impl Into<String>) -> Self {
        Self { id: id.into(), pair: Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")) }
    }

    /// Creates a key for ES256.
    pub fn p256(id: impl Into<String>) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { id: id.into(), pair: Pair::P256(pair) }
    }

    /// The id of the key (`kid`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as JWK, for [`OktaOptions::public_keys`](crate::OktaOptions::public_keys).
    pub fn public_jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let [modulus, exponent, ..] = rsa_numbers(pair);
                json!({ "kty": "RSA", "kid": self.id, "n": base64url(&modulus), "e": base64url(&exponent) })
            }
            Pair::P256(pair) => {
                // 4 for an uncompressed point, then x and y.
                let (x, y) = pair.public_key().as_ref().get(1..).expect("a point").split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "x": base64url(x), "y": base64url(y) })
            }
        }
    }

    /// The private key as JWK, one of the two formats of the Okta secret.
    pub fn private_jwk(&self) -> Value {
        let private = match &self.pair {
            Pair::Rsa(pair) => {
                let [_, _, d, p, q, dp, dq, qi] = rsa_numbers(pair).map(|number| base64url(&number));
                json!({ "d": d, "p": p, "q": q, "dp": dp, "dq": dq, "qi": qi })
            }
            Pair::P256(pair) => {
                let number: EcPrivateKeyBin = pair.private_key().as_be_bytes().expect("a private key");
                json!({ "d": base64url(number.as_ref()) })
            }
        };
        let mut jwk = self.public_jwk();
        if let (Value::Object(jwk), Value::Object(private)) = (&mut jwk, private) {
            jwk.extend(private);
        }
        jwk
    }

    /// The private key as PKCS#8 in PEM, the other format.
    pub fn private_pem(&self) -> String {
        let base64 = BASE64_STANDARD.encode(self.private_der());
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
    }

    /// A signed client assertion with these claims (`private_key_jwt`).
    pub fn assertion(&self, claims: &Value) -> String {
        let algorithm = if matches!(self.pair, Pair::Rsa(_)) { "RS256" } else { "ES256" };
        let header = json!({ "alg": algorithm, "kid": self.id });
        let message = [header.to_string(), claims.to_string()].map(|part| base64url(part.as_bytes())).join(".");
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", base64url(&signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            Pair::P256(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
        }
    }

    fn private_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => private_der(pair),
            Pair::P256(pair) => pair.to_pkcs8v1().expect("PKCS#8").as_ref().to_vec(),
        }
    }
}

/// Whether a message was signed with the private key that belongs to a public JWK.
pub(crate) fn verify(jwk: &Value, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
    let part = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
    let valid = || {
        let kind = jwk.get("kty")?.as_str()?;
        let verified = match (algorithm, kind) {
            ("RS256", "RSA") => {
                let key = RsaPublicKeyComponents { n: part("n")?, e: part("e")? };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            ("ES256", "EC") => {
                let point = [vec![4], part("x")?, part("y")?].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            _ => return None,
        };
        verified.ok()
    };
    valid().is_some()
}

fn private_der(pair: &RsaKeyPair) -> Vec<u8> {
    AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(pair).expect("PKCS#8").as_ref().to_vec()
}

/// The numbers of an RSA key: n, e, d, p, q, d mod (p-1), d mod (q-1), 1/q mod p (RFC 8017, A.1.2, within RFC 5208).
fn rsa_numbers(pair: &RsaKeyPair) -> [Vec<u8>; 8] {
    let der = private_der(pair);
    let (key_info, _) = der_value(&der);
    let (_version, rest) = der_value(key_info);
    let (_algorithm, rest) = der_value(rest);
    let (octets, _) = der_value(rest);
    let (key, _) = der_value(octets);
    let (_version, mut rest) = der_value(key);
    std::array::from_fn(|_| {
        let (number, after) = der_value(rest);
        rest = after;
        // DER puts a zero before a number whose first bit is set.
        number.strip_prefix(&[0]).unwrap_or(number).to_vec()
    })
}

/// The content of the first DER element, and the bytes after it.
fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let (&[_tag, first], rest) = der.split_first_chunk().expect("an element");
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // The low bits give the number of length bytes.
        let (length, rest) = rest.split_at(usize::from(first & 0x7f));
        (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    rest.split_at(length)
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_that_signed_verifies_and_only_what_it_signed() {
        let (rsa, p256) = (ServiceAppKey::rsa("rsa"), ServiceAppKey::p256("p256"));
        for (key, algorithm, other) in [(&rsa, "RS256", &p256), (&p256, "ES256", &rsa)] {
            let signature = key.sign(b"message");
            assert!(verify(&key.public_jwk(), algorithm, b"message", &signature));
            assert!(!verify(&key.public_jwk(), algorithm, b"another", &signature));
            assert!(!verify(&key.public_jwk(), "none", b"message", &signature));
            assert!(!verify(&other.public_jwk(), algorithm, b"message", &signature));
        }
        assert!(!verify(&ServiceAppKey::p256("new").public_jwk(), "ES256", b"message", &p256.sign(b"message")));
    }

    #[test]
    fn the_private_pem_is_the_same_key() {
        for key in [ServiceAppKey::rsa("rsa"), ServiceAppKey::p256("p256")] {
            let pem = key.private_pem();
            assert!(pem.lines().all(|line| line.len() <= 64), "every PEM reader accepts such lines");
            let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            let der = BASE64_STANDARD.decode(base64).unwrap();
            let pair = match &key.pair {
                Pair::Rsa(_) => Pair::Rsa(RsaKeyPair::from_pkcs8(&der).unwrap()),
                Pair::P256(_) => Pair::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap()),
            };
            assert_eq!(ServiceAppKey { id: key.id.clone(), pair }.private_jwk(), key.private_jwk());
        }
    }

    #[test]
    fn the_private_jwk_is_the_same_key() {
        for key in [ServiceAppKey::rsa("rsa"), ServiceAppKey::p256("p256")] {
            let (public, private) = (key.public_jwk(), key.private_jwk());
            for (name, value) in public.as_object().unwrap() {
                assert_eq!(&private[name], value);
            }
            assert!(private["d"].is_string());
        }
        // The numbers are consistent: n is p times q.
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let [n, e, _, p, q, ..] = rsa_numbers(&rsa);
        assert_eq!((n.len(), e.as_slice(), p.len(), q.len()), (256, &[1, 0, 1][..], 128, 128));
        let last = |number: &[u8]| u64::from_be_bytes(*number.last_chunk().unwrap());
        assert_eq!(last(&n), last(&p).wrapping_mul(last(&q)));
    }
}
