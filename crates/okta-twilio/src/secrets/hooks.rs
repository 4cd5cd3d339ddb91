//! The hooks secret.

use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    id::Sid,
    private::SecretDigest,
    secrets::{
        Field, Pause, Secret, SecretError, TwilioCredentials, Warning,
        text::{SecretFields, is_word, readable, trimmed},
    },
};

/// The fields of the hooks secret.
const FIELDS: &[Field] = &[
    Field::AuthSecret,
    Field::TwilioApiKeySid,
    Field::TwilioApiKeySecret,
    Field::TwilioAccountSid,
    Field::TwilioAuthToken,
    Field::VerifyServiceSid,
    Field::Paused,
];

/// Accepted caller secrets, Twilio credentials, the Verify service, and the pause.
#[derive(PartialEq)]
pub struct HooksSecret {
    callers: Vec<SecretDigest>,
    /// Credentials for Verify and Lookup.
    pub twilio: TwilioCredentials,
    /// `VA…`: the Verify service, from the variable `VERIFY_SERVICE_SID` or else from the secret.
    pub verify_service_sid: Sid,
    /// The pause of sending.
    pub paused: Pause,
    warnings: Vec<Warning>,
}

impl HooksSecret {
    /// Parses the secret's JSON. `verify_service_sid` is the configured service, which takes precedence over the
    /// secret's.
    ///
    /// # Errors
    /// Fails if a required field is missing, blank or malformed.
    pub fn read(text: &SecretString, verify_service_sid: Option<&Sid>) -> Result<Self, SecretError> {
        let text = readable(text.expose_secret());
        let fields = SecretFields::parse(&text)?;
        let digest = |secret: &SecretString| SecretDigest::of(secret.expose_secret().as_bytes());
        let callers = callers(&fields)?.iter().map(digest).collect();
        let api_key = credentials(&fields, "SK", Field::TwilioApiKeySid, Field::TwilioApiKeySecret)?;
        let account = credentials(&fields, "AC", Field::TwilioAccountSid, Field::TwilioAuthToken)?;
        let twilio = api_key.or(account).ok_or(SecretError::Unusable(Field::TwilioApiKeySid))?;
        let own_service = sid(&fields, "VA", Field::VerifyServiceSid);
        let verify_service_sid = match verify_service_sid {
            Some(configured) => configured.clone(),
            None => own_service?.ok_or(SecretError::Unusable(Field::VerifyServiceSid))?,
        };
        let mut warnings: Vec<_> = fields.unknown(FIELDS).into_iter().map(Warning::UnknownField).collect();
        let paused = fields.json(Field::Paused).map(Pause::parse).transpose();
        let paused = paused.unwrap_or_else(|_unreadable| {
            warnings.push(Warning::PausedUnreadable);
            Some(Pause::everything())
        });
        Ok(Self { callers, twilio, verify_service_sid, paused: paused.unwrap_or_default(), warnings })
    }

    /// Whether `candidate` is an accepted secret. It takes constant time: all digests are compared, and they have equal
    /// length.
    pub fn accepts(&self, candidate: &[u8]) -> bool {
        let candidate = SecretDigest::of(candidate);
        self.callers.iter().fold(false, |accepted, secret| (*secret == candidate) | accepted)
    }
}

/// Reads the secrets of the caller, the newest first, for a program that gives one of them to Okta.
///
/// # Errors
/// Fails if the functions could not use them.
pub fn caller_secrets(text: &SecretString) -> Result<Vec<SecretString>, SecretError> {
    callers(&SecretFields::parse(&readable(text.expose_secret()))?)
}

impl Secret for HooksSecret {
    const NAME: &'static str = "hooks";

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// `auth_secret`: one text, or an array of up to four. Each has at least 16 characters. They are returned without the
/// blanks around them.
fn callers(fields: &SecretFields<'_>) -> Result<Vec<SecretString>, SecretError> {
    const UNUSABLE: SecretError = SecretError::Unusable(Field::AuthSecret);
    let list = |json: &str| serde_json::from_str::<Vec<SecretString>>(json).ok();
    let json = fields.json(Field::AuthSecret).ok_or(UNUSABLE)?;
    let secrets = if json.starts_with('[') {
        list(json).ok_or(UNUSABLE)?
    } else {
        let text = fields.text(Field::AuthSecret)?.ok_or(UNUSABLE)?;
        // The console of Secrets Manager stores only texts, so an array can be inside a text.
        list(text.expose_secret()).unwrap_or_else(|| vec![text])
    };
    if !(1..=4).contains(&secrets.len()) {
        return Err(UNUSABLE);
    }
    let usable = |secret: &SecretString| {
        // A header's value arrives without surrounding blanks, and never has a line break.
        let secret = trimmed(secret.expose_secret())?;
        let is_usable = secret.chars().count() >= 16 && !secret.chars().any(char::is_control);
        is_usable.then(|| SecretString::from(secret))
    };
    secrets.iter().map(usable).collect::<Option<_>>().ok_or(UNUSABLE)
}

/// One of the two credential pairs. An incomplete pair is a configuration error, never "unset".
fn credentials(
    fields: &SecretFields<'_>,
    prefix: &str,
    user: Field,
    password: Field,
) -> Result<Option<TwilioCredentials>, SecretError> {
    match (sid(fields, prefix, user)?, fields.text(password)?) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(SecretError::Unusable(user)),
        (Some(sid), Some(secret)) if is_word(secret.expose_secret()) => {
            Ok(Some(TwilioCredentials::new(sid.as_str().to_owned(), secret)))
        }
        (Some(_), _) => Err(SecretError::Unusable(password)),
    }
}

/// A sid, if the field has one.
fn sid(fields: &SecretFields<'_>, prefix: &str, field: Field) -> Result<Option<Sid>, SecretError> {
    let Some(sid) = fields.text(field)? else { return Ok(None) };
    Sid::parse(sid.expose_secret(), prefix).map(Some).ok_or(SecretError::Unusable(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{phone::Channel, secrets::UnknownField};

    const API_KEY: &str = r#""twilio_api_key_sid":"SK00000000000000000000000000000000","twilio_api_key_secret":"key""#;
    const ACCOUNT: &str = r#""twilio_account_sid":"AC00000000000000000000000000000000","twilio_auth_token":"token""#;
    const SERVICE: &str = "VA00000000000000000000000000000000";

    fn read(json: &str) -> Result<HooksSecret, SecretError> {
        HooksSecret::read(&SecretString::from(json), Sid::parse(SERVICE, "VA").as_ref())
    }

    fn with_strong_secret(more: &str) -> String {
        format!(r#"{{"auth_secret":"0123456789abcdef",{API_KEY}{more}}}"#)
    }

    #[test]
    fn accepts_one_or_several_callers() {
        let secret = read(&with_strong_secret("")).unwrap();
        assert!(secret.accepts(b"0123456789abcdef"));
        for wrong in
            ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdef,0123456789abcdef"]
        {
            assert!(!secret.accepts(wrong.as_bytes()), "{wrong}");
        }
        let secret = read(&format!(r#"{{"auth_secret":["0123456789abcdef","fedcba9876543210"],{API_KEY}}}"#)).unwrap();
        assert!(secret.accepts(b"0123456789abcdef") && secret.accepts(b"fedcba9876543210"));
        let as_text = r#"[ \"0123456789abcdef\", \"fedcba9876543210\" ]"#;
        let secret = read(&format!(r#"{{"auth_secret":"{as_text}",{API_KEY}}}"#)).unwrap();
        assert!(secret.accepts(b"0123456789abcdef") && secret.accepts(b"fedcba9876543210"));
    }

    #[test]
    fn every_value_is_trimmed() {
        let text = format!(
            "\u{feff}{{\"auth_secret\":[\" 0123456789abcdef\r\n\",\"\u{a0}fedcba9876543210\"],\
             \"twilio_api_key_sid\":\"SK00000000000000000000000000000000\\r\\n\",\"twilio_api_key_secret\":\" key\n\",\
             \"verify_service_sid\":\"\t{SERVICE} \"}}"
        );
        let secret = HooksSecret::read(&text.into(), None).unwrap();
        assert!(secret.accepts(b"0123456789abcdef") && secret.accepts(b"fedcba9876543210"));
        assert_eq!(secret.verify_service_sid.as_str(), SERVICE);
        assert!(secret.twilio == TwilioCredentials::new("SK00000000000000000000000000000000".into(), "key".into()));
    }

    #[test]
    fn prefers_the_api_key() {
        let secret = read(&with_strong_secret(&format!(",{ACCOUNT}"))).unwrap();
        assert!(secret.twilio.user().starts_with("SK"));
        let secret = read(&format!(r#"{{"auth_secret":"0123456789abcdef",{ACCOUNT}}}"#)).unwrap();
        assert!(secret.twilio.user().starts_with("AC"));
    }

    #[test]
    fn the_configured_service_wins() {
        let own = with_strong_secret(r#","verify_service_sid":"VA11111111111111111111111111111111""#);
        let sid = |json: &str, configured: Option<&str>| {
            let configured = configured.and_then(|sid| Sid::parse(sid, "VA"));
            let secret = HooksSecret::read(&SecretString::from(json), configured.as_ref());
            secret.map(|secret| secret.verify_service_sid.as_str().to_owned())
        };
        assert_eq!(sid(&own, Some(SERVICE)), Ok(SERVICE.to_owned()));
        assert_eq!(sid(&own, None), Ok("VA11111111111111111111111111111111".to_owned()));
        assert_eq!(sid(&with_strong_secret(""), Some(SERVICE)), Ok(SERVICE.to_owned()));
        for none in
            ["", r#","verify_service_sid":" ""#, r#","verify_service_sid":"MG00000000000000000000000000000000""#]
        {
            let json = with_strong_secret(none);
            assert_eq!(sid(&json, None), Err(SecretError::Unusable(Field::VerifyServiceSid)), "{none}");
            assert_eq!(sid(&json, Some(SERVICE)), Ok(SERVICE.to_owned()), "{none}");
        }
    }

    #[test]
    fn an_unreadable_pause_pauses_everything_and_warns() {
        let read =
            |paused: &str| read(&with_strong_secret(paused)).map(|secret| (secret.paused, secret.warnings)).unwrap();
        assert_eq!(read(""), (Pause::default(), vec![]));
        assert_eq!(read(r#","paused":true"#), (Pause::everything(), vec![]));
        assert_eq!(read(r#","paused":"soon""#), (Pause::everything(), vec![Warning::PausedUnreadable]));
        let (nigeria, _) = read(r#","paused":["NG"]"#);
        assert!(
            nigeria.applies("NG".parse().unwrap(), Channel::Sms)
                && !nigeria.applies("GB".parse().unwrap(), Channel::Sms)
        );
        let meant = Warning::UnknownField(UnknownField { nearest: Some("paused") });
        assert_eq!(read(r#","pause":true"#), (Pause::default(), vec![meant]));
    }

    #[test]
    fn an_unset_field_never_lets_a_caller_in() {
        const AUTH_SECRET: SecretError = SecretError::Unusable(Field::AuthSecret);
        let strong = r#""auth_secret":"0123456789abcdef""#;
        let sid = r#""twilio_api_key_sid":"SK00000000000000000000000000000000""#;
        for (json, error) in [
            (String::new(), SecretError::NotJson),
            ("null".into(), SecretError::NotJson),
            ("[]".into(), SecretError::NotJson),
            ("plain text".into(), SecretError::NotJson),
            ("{}".into(), AUTH_SECRET),
            (format!("{{{API_KEY}}}"), AUTH_SECRET),
            (format!(r#"{{"auth_secret":"",{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":null,{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":1234567890123456,{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":"                ",{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":"01234567\n9abcdef",{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":" 0123456789abcde ",{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":"short",{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":[],{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":["0123456789abcdef",""],{API_KEY}}}"#), AUTH_SECRET),
            (format!(r#"{{"auth_secret":["0123456789abcdef",null],{API_KEY}}}"#), AUTH_SECRET),
            (
                format!(
                    r#"{{"auth_secret":["0123456789abcde1","0123456789abcde2","0123456789abcde3","0123456789abcde4","0123456789abcde5"],{API_KEY}}}"#
                ),
                AUTH_SECRET,
            ),
            (format!("{{{strong}}}"), SecretError::Unusable(Field::TwilioApiKeySid)),
            (format!("{{{strong},{sid}}}"), SecretError::Unusable(Field::TwilioApiKeySecret)),
            (format!(r#"{{{strong},"twilio_api_key_secret":"x"}}"#), SecretError::Unusable(Field::TwilioApiKeySid)),
            (
                format!(
                    r#"{{{strong},"twilio_api_key_sid":"AC00000000000000000000000000000000","twilio_api_key_secret":"x"}}"#
                ),
                SecretError::Unusable(Field::TwilioApiKeySid),
            ),
            (
                format!(r#"{{{strong},{sid},"twilio_api_key_secret":" "}}"#),
                SecretError::Unusable(Field::TwilioApiKeySecret),
            ),
            (
                format!(r#"{{{strong},{sid},"twilio_api_key_secret":"two words"}}"#),
                SecretError::Unusable(Field::TwilioApiKeySecret),
            ),
            (
                format!(r#"{{{strong},{API_KEY},"twilio_account_sid":"AC00000000000000000000000000000000"}}"#),
                SecretError::Unusable(Field::TwilioAuthToken),
            ),
        ] {
            assert_eq!(read(&json).err(), Some(error), "{json}");
        }
    }
}
