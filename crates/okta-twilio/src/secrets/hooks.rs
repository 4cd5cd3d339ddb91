//! What the hooks secret holds.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::{
    id::Sid,
    private::SecretDigest,
    secrets::{FromSecret, SecretError, TwilioCredentials},
};

/// Whom to believe, and how to speak to Twilio.
#[derive(PartialEq)]
pub struct HooksSecret {
    callers: Vec<SecretDigest>,
    /// Credentials for Verify and Lookup.
    pub twilio: TwilioCredentials,
    /// `verify_service_sid`: used where `VERIFY_SERVICE_SID` is not set.
    pub verify_service_sid: Option<Sid>,
}

impl HooksSecret {
    /// Whether `candidate` is one of the accepted secrets. Takes the same time for each: digests of one length are
    /// compared, and all of them are.
    pub fn accepts(&self, candidate: &[u8]) -> bool {
        let candidate = SecretDigest::of(candidate);
        self.callers.iter().fold(false, |accepted, secret| (*secret == candidate) | accepted)
    }
}

#[derive(Deserialize)]
struct HooksSecretFields {
    auth_secret: Option<OneOrMany>,
    twilio_api_key_sid: Option<String>,
    twilio_api_key_secret: Option<SecretString>,
    twilio_account_sid: Option<String>,
    twilio_auth_token: Option<SecretString>,
    verify_service_sid: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(SecretString),
    Many(Vec<SecretString>),
}

impl FromSecret for HooksSecret {
    const NAME: &'static str = "hooks";

    fn from_secret(text: &SecretString) -> Result<Self, SecretError> {
        let fields: HooksSecretFields =
            serde_json::from_str(text.expose_secret()).map_err(|_serde_error| SecretError::NotJson)?;
        let callers = match fields.auth_secret {
            Some(OneOrMany::One(secret)) => vec![secret],
            Some(OneOrMany::Many(secrets)) => secrets,
            None => Vec::new(),
        };
        let usable = (1..=4).contains(&callers.len()) && callers.iter().all(is_strong);
        if !usable {
            return Err(SecretError::AuthSecret);
        }
        let callers = callers.iter().map(|secret| SecretDigest::of(secret.expose_secret().as_bytes())).collect();
        let api_key = credentials("SK", fields.twilio_api_key_sid, fields.twilio_api_key_secret)?;
        let account = credentials("AC", fields.twilio_account_sid, fields.twilio_auth_token)?;
        let twilio = api_key.or(account).ok_or(SecretError::TwilioCredentials)?;
        let verify_service_sid = fields.verify_service_sid.filter(|sid| !sid.trim().is_empty());
        let verify_service_sid = match verify_service_sid {
            Some(sid) => Some(Sid::parse(sid.trim(), "VA").ok_or(SecretError::VerifyServiceSid)?),
            None => None,
        };
        Ok(Self { callers, twilio, verify_service_sid })
    }
}

fn is_strong(secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    // A header's value arrives without blanks around it, so one that has them could never match.
    secret.chars().count() >= 16 && secret.trim() == secret
}

/// One of the two pairs. Half a pair, or one that is not of its kind, is a mistake to be told and not to be passed over.
fn credentials(
    prefix: &str,
    user: Option<String>,
    password: Option<SecretString>,
) -> Result<Option<TwilioCredentials>, SecretError> {
    let user = user.map(|user| user.trim().to_owned()).filter(|user| !user.is_empty());
    let password = password.filter(|password| !password.expose_secret().trim().is_empty());
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) if Sid::parse(&user, prefix).is_some() => {
            Ok(Some(TwilioCredentials::new(user, password)))
        }
        _ => Err(SecretError::TwilioCredentials),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API_KEY: &str = r#""twilio_api_key_sid":"SK00000000000000000000000000000000","twilio_api_key_secret":"key""#;
    const ACCOUNT: &str = r#""twilio_account_sid":"AC00000000000000000000000000000000","twilio_auth_token":"token""#;

    fn read(json: &str) -> Result<HooksSecret, SecretError> {
        HooksSecret::from_secret(&SecretString::from(json))
    }

    #[test]
    fn accepts_one_or_several_callers() {
        let secret = read(&format!(r#"{{"auth_secret":"0123456789abcdef",{API_KEY}}}"#)).unwrap();
        assert!(secret.accepts(b"0123456789abcdef"));
        for wrong in
            ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdef,0123456789abcdef"]
        {
            assert!(!secret.accepts(wrong.as_bytes()), "{wrong}");
        }
        let secret = read(&format!(r#"{{"auth_secret":["0123456789abcdef","fedcba9876543210"],{API_KEY}}}"#)).unwrap();
        assert!(secret.accepts(b"0123456789abcdef") && secret.accepts(b"fedcba9876543210"));
    }

    #[test]
    fn prefers_the_api_key() {
        let secret = read(&format!(r#"{{"auth_secret":"0123456789abcdef",{API_KEY},{ACCOUNT}}}"#)).unwrap();
        assert!(secret.twilio.user().starts_with("SK"));
        let secret = read(&format!(r#"{{"auth_secret":"0123456789abcdef",{ACCOUNT}}}"#)).unwrap();
        assert!(secret.twilio.user().starts_with("AC"));
    }

    #[test]
    fn nothing_is_let_in_because_something_is_unset() {
        let strong = r#""auth_secret":"0123456789abcdef""#;
        for (json, error) in [
            (String::new(), SecretError::NotJson),
            ("null".into(), SecretError::NotJson),
            ("[]".into(), SecretError::NotJson),
            ("plain text".into(), SecretError::NotJson),
            ("{}".into(), SecretError::AuthSecret),
            (format!("{{{API_KEY}}}"), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":"",{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":null,{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":"                ",{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":"short",{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":[],{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":["0123456789abcdef",""],{API_KEY}}}"#), SecretError::AuthSecret),
            (
                format!(
                    r#"{{"auth_secret":["0123456789abcde1","0123456789abcde2","0123456789abcde3","0123456789abcde4","0123456789abcde5"],{API_KEY}}}"#
                ),
                SecretError::AuthSecret,
            ),
            (format!("{{{strong}}}"), SecretError::TwilioCredentials),
            (
                format!(r#"{{{strong},"twilio_api_key_sid":"SK00000000000000000000000000000000"}}"#),
                SecretError::TwilioCredentials,
            ),
            (
                format!(
                    r#"{{{strong},"twilio_api_key_sid":"AC00000000000000000000000000000000","twilio_api_key_secret":"x"}}"#
                ),
                SecretError::TwilioCredentials,
            ),
            (
                format!(
                    r#"{{{strong},"twilio_api_key_sid":"SK00000000000000000000000000000000","twilio_api_key_secret":" "}}"#
                ),
                SecretError::TwilioCredentials,
            ),
        ] {
            assert_eq!(read(&json).err(), Some(error), "{json}");
        }
    }
}
