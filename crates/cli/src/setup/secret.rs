//! The hooks secret, field by field.

use okta_twilio::{id::Sid, json, secrets::caller_secrets};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::SetupError;
use crate::{
    aws::{
        Aws,
        secrets_manager::{self, SecretVersion},
    },
    failure::Failure,
    secret_fields::Fields,
    stack::Stack,
};

/// What `setup` needs of the secret.
pub(super) struct HooksFields {
    auth_secret: Option<SecretString>,
    /// `VA…`
    pub(super) service: Option<Sid>,
    /// `SK…`
    pub(super) key: Option<Sid>,
    /// Whether it has credentials for Twilio.
    pub(super) has_credentials: bool,
}

impl HooksFields {
    /// Reads the secret.
    ///
    /// # Errors
    /// Fails if it cannot be read.
    pub(super) async fn read(aws: &Aws, stack: &Stack) -> Result<Self, Failure> {
        let (_, version) = current(aws, stack).await?;
        let text = json::readable(version.text.expose_secret()).ok_or(Failure::HooksSecretUnreadable)?;
        let fields = Fields::parse(&text).ok_or(Failure::HooksSecretUnreadable)?;
        let text = |name: &str| fields.get(name).and_then(|json| serde_json::from_str::<String>(json.get()).ok());
        let has = |name: &str| text(name).is_some_and(|text| !text.trim().is_empty());
        let service = text("verify_service_sid").and_then(|sid| Sid::parse(sid.trim(), "VA"));
        let key = text("twilio_api_key_sid").and_then(|sid| Sid::parse(sid.trim(), "SK"));
        let has_credentials = (has("twilio_api_key_sid") && has("twilio_api_key_secret"))
            || (has("twilio_account_sid") && has("twilio_auth_token"));
        let callers = caller_secrets(&version.text).unwrap_or_default();
        let auth_secret = callers.into_iter().next();
        Ok(Self { auth_secret, service, key, has_credentials })
    }

    /// The secret that Okta sends.
    ///
    /// # Errors
    /// Fails if there is none that can be used.
    pub(super) fn auth_secret(&self) -> Result<&SecretString, SetupError> {
        self.auth_secret.as_ref().ok_or(SetupError::NoAuthSecret)
    }
}

/// Stores fields, and leaves every other field as it was written.
///
/// # Errors
/// Fails if somebody else wrote at the same moment.
pub(super) async fn store(aws: &Aws, stack: &Stack, new: &[(&str, &SecretString)]) -> Result<(), Failure> {
    let new = new.iter().map(|(name, value)| (*name, Some(Value::from(value.expose_secret()).to_string())));
    change(aws, stack, new).await
}

/// Removes fields, and leaves every other field as it was written.
///
/// # Errors
/// As [`store`].
pub(super) async fn remove(aws: &Aws, stack: &Stack, names: &[&str]) -> Result<(), Failure> {
    change(aws, stack, names.iter().map(|name| (*name, None))).await
}

async fn change(aws: &Aws, stack: &Stack, fields: impl Iterator<Item = (&str, Option<String>)>) -> Result<(), Failure> {
    let (id, old) = current(aws, stack).await?;
    let mut text = json::readable(old.text.expose_secret()).ok_or(Failure::HooksSecretUnreadable)?.into_owned();
    for (name, value) in fields {
        let old = Fields::parse(&text).ok_or(Failure::HooksSecretUnreadable)?;
        text = old.with(name, value.as_deref());
    }
    Ok(secrets_manager::replace(aws, &id, &old, &SecretString::from(text)).await?)
}

async fn current(aws: &Aws, stack: &Stack) -> Result<(String, SecretVersion), Failure> {
    let id = stack.output("HooksSecretArn").ok_or(SetupError::NoOutput("HooksSecretArn"))?;
    let version = secrets_manager::current(aws, id).await?.ok_or(Failure::NoHooksSecret)?;
    Ok((id.to_owned(), version))
}
