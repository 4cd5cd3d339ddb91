//! The Okta secret: the credentials with which event-hook reads users.

use std::time::Duration;

use okta_twilio::{
    id::SafeId,
    json,
    okta::{
        OktaSecret,
        client::{OktaClient, OktaConfig, OktaError as UserError},
    },
    secrets::Cached,
    telemetry::Log,
    time::deadline::Deadline,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{SetupError, service_key::ServiceKey};
use crate::{
    aws::{Aws, secrets_manager},
    environment::Environment,
    failure::Failure,
    secret_fields::Fields,
};

/// A user that does not exist. That Okta says so proves that users can be read.
const NO_USER: &str = "00u00000000000000000";

/// How long the proof may take.
const PROOF_TIMEOUT: Duration = Duration::from_secs(10);

const CLIENT_ID: &str = "okta_client_id";
const PRIVATE_KEY: &str = "okta_private_key";
const KEY_ID: &str = "okta_key_id";

/// What `setup` needs of the secret.
#[derive(Debug, Default)]
pub(crate) struct OktaFields {
    /// Whether event-hook can use it.
    pub(crate) is_usable: bool,
    pub(crate) client_id: Option<String>,
    pub(crate) key_id: Option<String>,
}

impl OktaFields {
    /// Reads the secret. One without a value has no fields.
    ///
    /// # Errors
    /// Fails if it cannot be read.
    pub(crate) async fn read(aws: &Aws, id: &str) -> Result<Self, Failure> {
        let Some(text) = secrets_manager::value(aws, id).await? else { return Ok(Self::default()) };
        let is_usable = OktaSecret::read(&text).is_ok();
        let text = json::readable(text.expose_secret()).ok_or(SetupError::OktaSecretUnreadable)?;
        let fields = fields(&text)?;
        let text = |name: &str| fields.get(name).and_then(|json| serde_json::from_str::<String>(json.get()).ok());
        Ok(Self { is_usable, client_id: text(CLIENT_ID), key_id: text(KEY_ID) })
    }
}

/// Stores a key of the service app, and leaves every other field as it was written.
///
/// # Errors
/// Fails if somebody else wrote at the same moment.
pub(crate) async fn store(aws: &Aws, id: &str, client_id: &str, key: &ServiceKey) -> Result<(), Failure> {
    let text = |text: &str| Some(Value::from(text).to_string());
    let new =
        [(CLIENT_ID, text(client_id)), (PRIVATE_KEY, text(key.private.expose_secret())), (KEY_ID, text(&key.kid))];
    change(aws, id, new).await
}

/// Removes the service app's fields.
///
/// # Errors
/// As [`store`].
pub(crate) async fn clear(aws: &Aws, id: &str) -> Result<(), Failure> {
    change(aws, id, [CLIENT_ID, PRIVATE_KEY, KEY_ID].map(|name| (name, None))).await
}

async fn change(aws: &Aws, id: &str, new: [(&str, Option<String>); 3]) -> Result<(), Failure> {
    let old = secrets_manager::current(aws, id).await?;
    let mut text = match &old {
        Some(old) => json::readable(old.text.expose_secret()).ok_or(SetupError::OktaSecretUnreadable)?.into_owned(),
        None => "{}".to_owned(),
    };
    for (name, value) in new {
        text = fields(&text)?.with(name, value.as_deref());
    }
    let text = SecretString::from(text);
    match &old {
        Some(old) => Ok(secrets_manager::replace(aws, id, old, &text).await?),
        None => Ok(secrets_manager::put_first(aws, id, &text).await?),
    }
}

/// Reads a user as event-hook does, with what the secret holds now.
///
/// # Errors
/// Fails if users cannot be read.
pub(crate) async fn prove(config: &OktaConfig, aws: &Aws, environment: &Environment) -> Result<(), Failure> {
    let text = secrets_manager::value(aws, &config.secret_id).await?;
    let text = text.ok_or(SetupError::OktaSecretUnreadable)?;
    let cached = Cached::new(Duration::from_secs(3_600), move |_limit| {
        let secret = OktaSecret::read(&text);
        async move { secret }
    });
    let client = OktaClient::new(environment.http.clone(), config, cached, environment.clock.clone());
    let log = Log::outside_invocations("okta-twilio", environment.clock.clone());
    let deadline = Deadline::starting(PROOF_TIMEOUT, environment.clock.now(), None);
    let Some(user) = SafeId::parse(NO_USER) else { return Ok(()) };
    match client.profile_phones(&user, &deadline, &log).await {
        Ok(_) | Err(UserError::UserNotFound) => Ok(()),
        Err(error) => Err(SetupError::ServiceApp { error }.into()),
    }
}

fn fields(text: &str) -> Result<Fields<'_>, SetupError> {
    Fields::parse(if text.trim().is_empty() { "{}" } else { text }).ok_or(SetupError::OktaSecretUnreadable)
}
