//! The API key with which the functions call Twilio.
//!
//! The name of a new key says which key it replaces, and for which hooks secret. So Twilio itself remembers where a
//! rotation stands, from the moment at which the key exists.

use std::{process::ExitCode, time::Duration};

use okta_twilio::{
    config::{CommonConfig, Variables},
    id::Sid,
    secrets::TwilioCredentials,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{
    Context, RotateError, RotateOptions,
    secret::{SHORT, Stored},
};
use crate::{
    failure::Failure,
    plan::{Action, Answer, Closing, Plan, Step},
    setup::{
        interrupts::Interrupts,
        memory::{self, Memory, Thing},
    },
    twilio::{
        Addresses, Twilio, TwilioError, credentials_of_environment,
        keys::{self, ListedKey, NewKey},
    },
};

/// Twilio may need a moment until it accepts a new key.
const PROOF_TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

const NEXT: &str = "Both keys are valid. When codes go out as before: `okta-twilio rotate twilio-key --finish`.";
const NOTHING: &str = "There is nothing to finish: the key in the hooks secret replaces no other.";

/// Twilio and the hooks secret as they are now.
struct State {
    twilio: Twilio,
    addresses: Addresses,
    account: Sid,
    service: Sid,
    stored: Stored,
    /// The key of the hooks secret, or the account.
    in_use: Sid,
    /// What the key in use has replaced and is still there: a key, or the account's own credentials.
    replaced: Option<Sid>,
    /// Keys of runs that were broken off. Nobody knows their secrets.
    leftovers: Vec<Sid>,
}

/// The first run. Returns the status of the command.
///
/// # Errors
/// Fails if a step fails. The old key is valid then, and the next run continues.
pub(super) async fn begin(context: &Context<'_>, options: &RotateOptions) -> Result<ExitCode, Failure> {
    let state = State::read(context).await?;
    let mut plan = Plan::new(Closing { nothing: NEXT, applied: NEXT });
    let is_new = state.replaced.is_none();
    if is_new {
        plan.add(
            Step::Key,
            Action::Create,
            "API key, restricted to what the functions need, proved before it is stored",
        );
        plan.add(Step::Key, Action::Change, "the key in the hooks secret");
        plan.add(Step::Key, Action::Keep, format!("{}, until --finish", state.in_use.as_str()));
    } else {
        plan.add(Step::Key, Action::Keep, format!("{} of a rotation that is not finished", state.in_use.as_str()));
    }
    state.plan_leftovers(&mut plan);
    match context.confirm(&plan, &options.decision)? {
        Answer::Yes => {}
        other => return Ok(other.exit_code()),
    }
    // Ctrl-C must not come between a new key and its record.
    let mut interrupts = Interrupts::start()?;
    if is_new {
        state.replace_key(&mut plan, context).await?;
        interrupts.check().await?;
    }
    state.delete_leftovers(context).await?;
    context.print(&plan)?;
    Ok(ExitCode::SUCCESS)
}

/// The second run. Returns the status of the command.
///
/// # Errors
/// Fails if it is too early or a step fails. The old key is valid then.
pub(super) async fn finish(context: &Context<'_>, options: &RotateOptions) -> Result<ExitCode, Failure> {
    let state = State::read(context).await?;
    let applied = match &state.replaced {
        Some(replaced) if replaced.as_str().starts_with("AC") => {
            "Only the new key is used. The account's auth token is still valid: replace it in Twilio's Console."
        }
        _ => "Only the new key is valid.",
    };
    let mut plan = Plan::new(Closing { nothing: NOTHING, applied });
    match &state.replaced {
        Some(replaced) if replaced.as_str().starts_with("AC") => {
            plan.add(Step::Key, Action::Delete, "the account's auth token in the hooks secret");
            plan.add(Step::Key, Action::Keep, "the account's auth token at Twilio");
        }
        Some(replaced) => plan.add(Step::Key, Action::Delete, format!("API key {}", replaced.as_str())),
        None => plan.add(Step::Key, Action::Keep, format!("{} in the hooks secret", state.in_use.as_str())),
    }
    state.plan_leftovers(&mut plan);
    let wait = state.stored.wait(context.ttl)?;
    if state.replaced.is_some() && wait > SHORT && !options.decision.plan {
        return Err(RotateError::TooEarly(wait.as_secs() + 1).into());
    }
    match context.confirm(&plan, &options.decision)? {
        Answer::Yes => {}
        other => return Ok(other.exit_code()),
    }
    if let Some(replaced) = &state.replaced {
        context.wait(wait, "Until every function uses the new key").await;
        let secret = state.stored.field("twilio_api_key_secret").ok_or(Failure::HooksSecretUnusable)?;
        state.prove(&state.in_use, &SecretString::from(secret), context).await?;
        if replaced.as_str().starts_with("AC") {
            let changes = [("twilio_account_sid", None), ("twilio_auth_token", None)];
            state.stored.replace(context.aws, &changes).await?;
        } else {
            context.terminal.progress("Deleting the old key");
            state.remember(replaced, context).await?;
            state.twilio.delete_key(replaced).await.map_err(RotateError::from)?;
        }
    }
    state.delete_leftovers(context).await?;
    context.print(&plan)?;
    Ok(ExitCode::SUCCESS)
}

impl State {
    async fn read(context: &Context<'_>) -> Result<Self, Failure> {
        let stored = Stored::read(context.aws, &context.stack).await?;
        let lookup = |name: &str| context.telephony.variable(name);
        let common = CommonConfig::from_variables(&Variables::new(&lookup))?;
        let addresses = Addresses::new(common.verify_url)?;
        let credentials = credentials_of_environment().ok_or(RotateError::NoTwilioCredentials)?;
        let twilio = Twilio::new(&context.environment.http, &addresses, credentials);
        let sid = |name: &str, prefix: &str| stored.field(name).and_then(|text| Sid::parse(&text, prefix));
        let service = common.verify_service_sid.or_else(|| sid("verify_service_sid", "VA"));
        let service = service.ok_or(Failure::HooksSecretUnusable)?;
        let own_account = sid("twilio_account_sid", "AC");
        // The functions prefer the key.
        let in_use = sid("twilio_api_key_sid", "SK").or_else(|| own_account.clone());
        let in_use = in_use.ok_or(Failure::HooksSecretUnusable)?;
        context.terminal.progress("Reading Twilio");
        let account = twilio.service(&service).await.map_err(RotateError::from)?.account_sid;
        let account = Sid::parse(&account, "AC").ok_or(RotateError::NoSid)?;
        let all = twilio.keys(&account).await.map_err(RotateError::from)?;
        let name = |replaced: &Sid| keys::replacement_name(stored.id(), replaced);
        let candidates = all.iter().filter_map(|key| Sid::parse(&key.sid, "SK")).chain(own_account);
        let own_name = all.iter().find(|key| key.sid == in_use.as_str()).map(|key| key.friendly_name.as_str());
        let replaced = candidates.into_iter().find(|candidate| own_name == Some(&name(candidate)));
        let is_leftover = |key: &&ListedKey| {
            let names = [Some(&in_use), replaced.as_ref()].into_iter().flatten().map(name);
            key.sid != in_use.as_str() && names.into_iter().any(|name| key.friendly_name == name)
        };
        let leftovers = all.iter().filter(is_leftover).filter_map(|key| Sid::parse(&key.sid, "SK")).collect();
        Ok(Self { twilio, addresses, account, service, stored, in_use, replaced, leftovers })
    }

    fn plan_leftovers(&self, plan: &mut Plan) {
        for key in &self.leftovers {
            let what = format!("API key {}, which a run that was broken off has created and not stored", key.as_str());
            plan.add(Step::OrphanKey, Action::Delete, what);
        }
    }

    /// Creates a key, proves it, and stores it if nobody else has changed the secret.
    async fn replace_key(&self, plan: &mut Plan, context: &Context<'_>) -> Result<(), Failure> {
        context.terminal.progress("Creating the API key");
        let uses_lookup = context.telephony.variable("LOOKUP_FIELDS").is_some_and(|fields| !fields.trim().is_empty());
        let lookup = uses_lookup.then_some(keys::LOOKUP);
        let permissions: Vec<_> = keys::FUNCTIONS.into_iter().chain(lookup).collect();
        let name = keys::replacement_name(self.stored.id(), &self.in_use);
        let key = self.twilio.create_key_with_fallback(&self.account, &name, &permissions).await;
        let key = key.map_err(RotateError::from)?;
        if !key.is_restricted() {
            context.terminal.progress(keys::NOT_RESTRICTED);
            plan.warn(keys::NOT_RESTRICTED);
        }
        let sid = Sid::parse(&key.sid, "SK").ok_or(RotateError::NoSid)?;
        if let Err(error) = self.prove_and_store(&sid, &key, context).await {
            // A write without an answer can have succeeded, so only a key that was surely not stored is deleted.
            let is_unused = matches!(
                error,
                Failure::Rotate(_) | Failure::SecretNotWritten(crate::aws::secrets_manager::WriteError::Conflict)
            );
            if is_unused {
                let _ = self.twilio.delete_key(&sid).await;
            }
            return Err(error);
        }
        Ok(())
    }

    async fn prove_and_store(&self, sid: &Sid, key: &NewKey, context: &Context<'_>) -> Result<(), Failure> {
        self.prove(sid, &key.secret, context).await?;
        context.terminal.progress("Storing the API key");
        let fields = [
            ("twilio_api_key_sid", Some(Value::from(sid.as_str()))),
            ("twilio_api_key_secret", Some(Value::from(key.secret.expose_secret()))),
        ];
        self.stored.replace(context.aws, &fields).await
    }

    /// Uses a key as the functions do, for a verification that does not exist.
    async fn prove(&self, sid: &Sid, secret: &SecretString, context: &Context<'_>) -> Result<(), RotateError> {
        let credentials = TwilioCredentials::new(sid.as_str().to_owned(), secret.clone());
        let twilio = Twilio::new(&context.environment.http, &self.addresses, credentials);
        for attempt in 1..=PROOF_TRIES {
            match twilio.can_update_verifications(&self.service).await {
                Ok(()) => return Ok(()),
                Err(TwilioError::Unauthorized) if attempt < PROOF_TRIES => tokio::time::sleep(PAUSE).await,
                Err(TwilioError::Unauthorized | TwilioError::Forbidden { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Err(RotateError::KeyRefused)
    }

    /// If setup has made the old key, the new one is from now on what setup has made.
    async fn remember(&self, replaced: &Sid, context: &Context<'_>) -> Result<(), Failure> {
        let memory = Memory::read(context.aws, &context.stack).await?;
        match memory.made(Thing::TwilioKey) {
            Some(made) if made.as_str() == replaced.as_str() => {
                memory::remember(context.aws, &context.stack, Thing::TwilioKey, self.in_use.as_str()).await
            }
            _ => Ok(()),
        }
    }

    /// Deletes what broken-off runs have left, but never the key that another run has stored meanwhile.
    async fn delete_leftovers(&self, context: &Context<'_>) -> Result<(), Failure> {
        if self.leftovers.is_empty() {
            return Ok(());
        }
        let stored = Stored::read(context.aws, &context.stack).await?.field("twilio_api_key_sid");
        for key in self.leftovers.iter().filter(|key| stored.as_deref() != Some(key.as_str())) {
            context.terminal.progress("Deleting the API key of a run that was broken off");
            self.twilio.delete_key(key).await.map_err(RotateError::from)?;
        }
        Ok(())
    }
}
