//! `okta-twilio setup`: from a deployed stack to a working pair of hooks.
//!
//! It reads everything first, shows one plan, asks once, applies it, and reads everything again. What it creates is
//! remembered right away, so a second run continues where the first one ended.

mod connection;
mod context;
mod error;
pub(crate) mod interrupts;
pub(crate) mod memory;
mod okta;
pub(crate) mod okta_secret;
mod options;
mod part;
mod secret;
mod service_app;
pub(crate) mod service_key;
mod state;
pub(crate) mod teardown;
mod twilio;
pub(crate) mod url;

use std::process::ExitCode;

use self::{context::Context, interrupts::Interrupts, memory::Thing, part::Part, state::State};
pub(crate) use self::{context::okta_address, error::SetupError, options::SetupOptions};
use crate::{
    environment::Environment,
    failure::Failure,
    plan::{Action, Answer, Plan, Stage, Step},
    terminal::Terminal,
};

/// Sets everything up that is missing.
///
/// # Errors
/// Fails if something cannot be read or changed. What was changed before stays, and the next run continues there.
pub(crate) async fn run(
    options: &SetupOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    let context = context::gather(options, environment, terminal).await?;
    terminal.progress("Reading Twilio and Okta");
    let state = State::read(&context).await?;
    terminal.progress("Calling the hooks without the secret");
    context.check_urls(&state.memory, &environment.http).await?;
    let mut plan = state.plan(&context)?;
    if let (Some(app), Some(source), true) = (&state.service_app, &context.source, plan.is_done())
        && !options.decision.plan
        && app.is_whole()
    {
        service_app::prove(source, &context, environment).await?;
    }
    match plan.confirm(&options.decision, "Apply this plan?", &state.memory.all_made(), terminal)? {
        Answer::Yes => {}
        other => return Ok(other.exit_code()),
    }
    apply(&state, &mut plan, &context, environment, terminal).await?;
    terminal.progress("Reading everything again");
    let after = State::read(&context).await?;
    if !after.plan(&context)?.is_done() {
        plan.remove(Step::OktaToken);
        plan.print(terminal, Stage::Unfinished, &after.memory.all_made())?;
        return Err(SetupError::NotAsPlanned.into());
    }
    if plan.has(Step::OktaToken, Action::Delete) {
        terminal.progress("Revoking the API token");
        if let Err(error) = context.okta()?.revoke_own_token().await {
            plan.remove(Step::OktaToken);
            plan.print(terminal, Stage::Applied, &after.memory.all_made())?;
            return Err(SetupError::NotRevoked(error).into());
        }
    }
    plan.print(terminal, Stage::Applied, &after.memory.all_made())?;
    Ok(ExitCode::SUCCESS)
}

/// Applies the plan step by step. A step is a change and its record, so Ctrl-C ends the command between two steps only.
async fn apply(
    state: &State,
    plan: &mut Plan,
    context: &Context<'_>,
    environment: &Environment,
    terminal: Terminal,
) -> Result<(), Failure> {
    let mut interrupts = Interrupts::start()?;
    if state.is_announced_in_vain(context) {
        memory::forget(context.aws, &context.stack, &[Thing::VerifyService]).await?;
    }
    for (thing, id) in state.unremembered(context) {
        memory::remember(context.aws, &context.stack, thing, &id).await?;
    }
    for (hook, url) in state.new_urls(context) {
        memory::remember_url(context.aws, &context.stack, hook, url).await?;
    }
    if let Some(twilio) = &state.twilio {
        apply_twilio(twilio, plan, context, &mut interrupts, terminal).await?;
    }
    let Some(okta) = &state.okta else { return Ok(()) };
    okta::finish_replacement(okta, context).await?;
    interrupts.check().await?;
    let secret = state.secret.auth_secret()?;
    if context.wants(Part::Telephony) {
        okta::apply_telephony(okta, secret, plan, context, terminal).await?;
        interrupts.check().await?;
    }
    if context.wants(Part::Events) {
        okta::apply_events(okta, secret, plan, context, terminal).await?;
        interrupts.check().await?;
    }
    match (&state.service_app, &context.source) {
        (Some(app), Some(source)) => service_app::apply(app, source, plan, context, environment, terminal).await,
        _ => Ok(()),
    }
}

async fn apply_twilio(
    state: &twilio::State,
    plan: &mut Plan,
    context: &Context<'_>,
    interrupts: &mut Interrupts,
    terminal: Terminal,
) -> Result<(), Failure> {
    interrupts.check().await?;
    let service = twilio::apply_service(state, plan, context, terminal).await?;
    interrupts.check().await?;
    twilio::apply_rate_limits(&service, plan, context, terminal).await?;
    interrupts.check().await?;
    twilio::delete_orphan(state, context, terminal).await?;
    interrupts.check().await?;
    if plan.has(Step::Key, Action::Create) {
        twilio::create_key(&service, plan, context, terminal).await?;
        interrupts.check().await?;
    }
    Ok(())
}
