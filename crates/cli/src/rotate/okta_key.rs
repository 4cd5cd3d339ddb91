//! The key of the service app with which event-hook reads users.
//!
//! The id of a new key says which key it replaces, so Okta and the Okta secret themselves say where a rotation stands.

use std::{process::ExitCode, time::Duration};

use okta_twilio::{config::Variables, id::SafeId, okta::client::OktaConfig};

use super::{
    Context, RotateError, RotateOptions,
    secret::{self, SHORT},
};
use crate::{
    aws::secrets_manager,
    failure::Failure,
    okta::{
        Okta,
        apps::{App, AppKey},
        token_of_environment,
    },
    plan::{Action, Answer, Closing, Plan, Step},
    setup::{
        interrupts::Interrupts,
        okta_secret::{self, OktaFields},
        service_key::{self, ServiceKey},
    },
};

const NEXT: &str = "Both keys are valid. Later: `okta-twilio rotate okta-key --finish`.";
const NOTHING: &str = "There is nothing to finish: the key in the Okta secret replaces no other.";
const DONE: &str = "Only the new key is valid.";

/// Okta and the Okta secret as they are now.
struct State {
    config: OktaConfig,
    okta: Okta,
    app: App,
    /// The id of the key in the secret.
    kid: String,
    /// The key that the key in the secret has replaced, if it is still there.
    replaced: Option<AppKey>,
    /// Keys of runs that were broken off. Nobody has their private halves.
    leftovers: Vec<AppKey>,
    age: Option<Duration>,
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
        plan.add(Step::ServiceKey, Action::Create, "key of the service app");
        plan.add(Step::ServiceKey, Action::Change, "the key in the Okta secret; then users are read with it");
        plan.add(Step::ServiceKey, Action::Keep, "the old key, until --finish");
    } else {
        plan.add(Step::ServiceKey, Action::Keep, "the key of a rotation that is not finished");
    }
    state.plan_leftovers(&mut plan);
    match context.confirm(&plan, &options.decision)? {
        Answer::Yes => {}
        other => return Ok(other.exit_code()),
    }
    let mut interrupts = Interrupts::start()?;
    if is_new {
        let key = ServiceKey::replacing(&state.kid)?;
        context.terminal.progress("Creating the key");
        state.okta.add_app_key(&state.app.id, &key.public).await.map_err(RotateError::from)?;
        okta_secret::store(context.aws, &state.config.secret_id, state.app.client_id().as_str(), &key).await?;
        interrupts.check().await?;
        context.terminal.progress("Reading a user with it");
        okta_secret::prove(&state.config, context.aws, context.environment).await?;
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
    let mut plan = Plan::new(Closing { nothing: NOTHING, applied: DONE });
    match &state.replaced {
        Some(_) => plan.add(Step::ServiceKey, Action::Delete, "the old key of the service app"),
        None => plan.add(Step::ServiceKey, Action::Keep, "the key of the service app"),
    }
    state.plan_leftovers(&mut plan);
    let wait = secret::wait(context.ttl, state.age)?;
    if state.replaced.is_some() && wait > SHORT && !options.decision.plan {
        return Err(RotateError::TooEarly(wait.as_secs() + 1).into());
    }
    match context.confirm(&plan, &options.decision)? {
        Answer::Yes => {}
        other => return Ok(other.exit_code()),
    }
    if let Some(replaced) = &state.replaced {
        context.wait(wait, "Until event-hook uses the new key").await;
        context.terminal.progress("Reading a user with the new key");
        okta_secret::prove(&state.config, context.aws, context.environment).await?;
        context.terminal.progress("Deleting the old key");
        state.okta.delete_app_key(&state.app.id, replaced).await.map_err(RotateError::from)?;
    }
    state.delete_leftovers(context).await?;
    context.print(&plan)?;
    Ok(ExitCode::SUCCESS)
}

impl State {
    async fn read(context: &Context<'_>) -> Result<Self, Failure> {
        let event = context.event.as_ref().ok_or(RotateError::NoServiceApp)?;
        let lookup = |name: &str| event.variable(name);
        let variables = Variables::new(&lookup);
        if variables.optional("OKTA_SECRET_ID").is_none() {
            return Err(RotateError::NoServiceApp.into());
        }
        let config = OktaConfig::from_variables(&variables)?;
        let token = token_of_environment();
        let token = token.or_else(|| context.terminal.ask_secret("API token of an Okta super administrator"));
        let okta = token.and_then(|token| Okta::new(&context.environment.http, &config.api_url, &token));
        let okta = okta.ok_or(RotateError::NoOktaToken)?;
        // In this order: a change in between makes the age too small, which is safe.
        let age = secrets_manager::age(context.aws, &config.secret_id).await?;
        let fields = OktaFields::read(context.aws, &config.secret_id).await?;
        let client_id = fields.client_id.as_deref().filter(|_| fields.is_usable).and_then(SafeId::parse);
        let app = okta.app(&client_id.ok_or(RotateError::NoServiceApp)?).await.map_err(RotateError::from)?;
        let mut keys = okta.app_keys(&app.id).await.map_err(RotateError::from)?;
        // The id is not required while there is one key only.
        let only = match keys.as_slice() {
            [only] => only.kid.clone(),
            _ => None,
        };
        let kid = fields.key_id.or(only).ok_or(RotateError::UnknownKey)?;
        let is_replaced = |key: &AppKey| key.kid.as_deref().is_some_and(|old| service_key::replaces(&kid, old));
        let replaced = keys.iter().find(|key| is_replaced(key)).cloned();
        keys.retain(|key| key.kid.as_deref().is_some_and(|other| service_key::replaces(other, &kid)));
        Ok(Self { config, okta, app, kid, replaced, leftovers: keys, age })
    }

    fn plan_leftovers(&self, plan: &mut Plan) {
        if !self.leftovers.is_empty() {
            plan.add(
                Step::OrphanServiceKey,
                Action::Delete,
                "keys of the service app that a run has left which was broken off",
            );
        }
    }

    /// Deletes what broken-off runs have left, but never the key that another run has stored meanwhile.
    async fn delete_leftovers(&self, context: &Context<'_>) -> Result<(), Failure> {
        if self.leftovers.is_empty() {
            return Ok(());
        }
        let stored = OktaFields::read(context.aws, &self.config.secret_id).await?.key_id;
        for key in self.leftovers.iter().filter(|key| key.kid != stored) {
            self.okta.delete_app_key(&self.app.id, key).await.map_err(RotateError::from)?;
        }
        Ok(())
    }
}
