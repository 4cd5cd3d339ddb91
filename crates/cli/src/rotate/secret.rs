//! The hooks secret, for a change of some of its fields.

use std::time::Duration;

use okta_twilio::{json, secrets::caller_secrets};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::RotateError;
use crate::{
    aws::{
        Aws,
        secrets_manager::{self, SecretVersion},
    },
    failure::Failure,
    secret_fields::Fields,
    stack::Stack,
};

/// The version that a plan is made for. It is replaced only if it is still current.
pub(super) struct Stored {
    id: String,
    version: SecretVersion,
    /// How long nothing has changed it. `None` if AWS does not say so.
    age: Option<Duration>,
}

impl Stored {
    /// Reads the secret.
    ///
    /// # Errors
    /// Fails if it cannot be read, or if the functions could not use it.
    pub(super) async fn read(aws: &Aws, stack: &Stack) -> Result<Self, Failure> {
        let id = stack.output("HooksSecretArn").ok_or(RotateError::NoOutput("HooksSecretArn"))?;
        // In this order: a change in between makes the age too small, which is safe.
        let age = secrets_manager::age(aws, id).await?;
        let version = secrets_manager::current(aws, id).await?.ok_or(Failure::NoHooksSecret)?;
        let stored = Self { id: id.to_owned(), version, age };
        stored.text()?;
        Ok(stored)
    }

    /// ARN of the secret.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// How long to wait until every function uses this version. A function uses a value for twice its time to live at
    /// most.
    ///
    /// # Errors
    /// Fails if the age is not known.
    pub(super) fn wait(&self, ttl: Duration) -> Result<Duration, RotateError> {
        wait(ttl, self.age)
    }

    /// The text of a field. `None` if it is missing or blank.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let text = self.text().ok()?;
        let fields = Fields::parse(&text)?;
        let text = serde_json::from_str::<String>(fields.get(name)?.get()).ok()?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The secrets of the caller, the newest first.
    ///
    /// # Errors
    /// Fails if the functions could not use them.
    pub(super) fn callers(&self) -> Result<Vec<SecretString>, Failure> {
        caller_secrets(&self.version.text).map_err(|_secret_error| Failure::HooksSecretUnusable)
    }

    /// Stores new values of fields, or removes them. Every other field stays as it was written.
    ///
    /// # Errors
    /// Fails if somebody else wrote since this version was read.
    pub(super) async fn replace(&self, aws: &Aws, changes: &[(&str, Option<Value>)]) -> Result<(), Failure> {
        let mut text = self.text()?.into_owned();
        for (name, value) in changes {
            let fields = Fields::parse(&text).ok_or(Failure::HooksSecretUnreadable)?;
            text = fields.with(name, value.as_ref().map(Value::to_string).as_deref());
        }
        Ok(secrets_manager::replace(aws, &self.id, &self.version, &SecretString::from(text)).await?)
    }

    fn text(&self) -> Result<std::borrow::Cow<'_, str>, Failure> {
        json::readable(self.version.text.expose_secret()).ok_or(Failure::HooksSecretUnreadable)
    }
}

/// How long to wait until every function uses a secret of this age.
///
/// # Errors
/// Fails if the age is not known.
pub(super) fn wait(ttl: Duration, age: Option<Duration>) -> Result<Duration, RotateError> {
    Ok((ttl * 2 + MARGIN).saturating_sub(age.ok_or(RotateError::UnknownAge)?))
}

/// A wait that a second run makes itself. AWS gives times in whole seconds, so the wait of a first run can end this much
/// earlier than it looks to the second one.
pub(super) const SHORT: Duration = Duration::from_secs(1);

/// AWS gives the time in whole seconds, and the new version becomes current a moment after it was stored.
const MARGIN: Duration = Duration::from_secs(2);
