//! `okta-twilio rotate`: a new secret in place of an old one, without a refused request.
//!
//! A rotation has two runs. The first one makes the new secret known everywhere, next to the old one. The second one,
//! with `--finish`, removes the old one. Where a rotation stands is read from the hooks secret and from Twilio, so a run
//! that was broken off is simply run again.

mod caller;
mod error;
mod okta_key;
mod secret;
mod twilio_key;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use okta_twilio::config::{CommonConfig, Variables};

pub(crate) use self::error::RotateError;
use crate::{
    aws::{Aws, lambda::FunctionConfiguration},
    environment::Environment,
    failure::Failure,
    plan::{Answer, Decision, Plan, Stage},
    stack::{Hook, Stack},
    terminal::Terminal,
};

/// The options of `rotate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Credentials come from the environment: OKTA_API_TOKEN for `caller` and `okta-key`; TWILIO_ACCOUNT_SID and \
    TWILIO_AUTH_TOKEN (or TWILIO_API_KEY and TWILIO_API_SECRET of a Main key) for `twilio-key`."
)]
pub(crate) struct RotateOptions {
    /// What to rotate
    #[arg(value_enum)]
    what: What,
    /// Remove the old secret, once every function has read the new one
    #[arg(long)]
    finish: bool,
    #[command(flatten)]
    decision: Decision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The secret that Okta sends to both hooks
    Caller,
    /// The API key with which the functions call Twilio
    TwilioKey,
    /// The key with which event-hook reads users in Okta, if it does
    OktaKey,
}

/// What every rotation needs.
struct Context<'a> {
    environment: &'a Environment,
    aws: &'a Aws,
    stack: Stack,
    telephony: FunctionConfiguration,
    /// `None` if only telephony-hook is deployed.
    event: Option<FunctionConfiguration>,
    /// The larger time to live of the two functions.
    ttl: Duration,
    terminal: Terminal,
}

impl Context<'_> {
    fn confirm(&self, plan: &Plan, decision: &Decision) -> Result<Answer, Failure> {
        plan.confirm(decision, "Apply this plan?", &BTreeMap::new(), self.terminal)
    }

    /// Prints what was done.
    fn print(&self, plan: &Plan) -> Result<(), Failure> {
        plan.print(self.terminal, Stage::Applied, &BTreeMap::new())
    }

    /// Waits, and says how long it still takes.
    async fn wait(&self, duration: Duration, why: &str) {
        const STEP: Duration = Duration::from_secs(15);
        let started = Instant::now();
        while let Some(left) = duration.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            self.terminal.progress(&format!("{why}: {} s left", left.as_millis().div_ceil(1_000)));
            tokio::time::sleep(left.min(STEP)).await;
        }
    }
}

/// Rotates one secret.
///
/// # Errors
/// Fails if something cannot be read or changed. The old secret stays accepted then, and the next run continues.
pub(crate) async fn run(
    options: &RotateOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    let aws = environment.aws()?;
    terminal.progress("Reading the stack");
    let stack = Stack::require(aws, &environment.stack_name).await?;
    let telephony = stack.function(aws, Hook::Telephony).await?.ok_or(Failure::NoFunction)?;
    let event = stack.function(aws, Hook::Event).await?;
    let ttl = [Some(&telephony), event.as_ref()].into_iter().flatten().map(secret_ttl);
    let ttl = ttl.collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or_default();
    let context = Context { environment, aws, stack, telephony, event, ttl, terminal };
    match (options.what, options.finish) {
        (What::Caller, false) => caller::begin(&context, options).await,
        (What::Caller, true) => caller::finish(&context, options).await,
        (What::TwilioKey, false) => twilio_key::begin(&context, options).await,
        (What::TwilioKey, true) => twilio_key::finish(&context, options).await,
        (What::OktaKey, false) => okta_key::begin(&context, options).await,
        (What::OktaKey, true) => okta_key::finish(&context, options).await,
    }
}

fn secret_ttl(function: &FunctionConfiguration) -> Result<Duration, Failure> {
    let lookup = |name: &str| function.variable(name);
    Ok(CommonConfig::from_variables(&Variables::new(&lookup))?.secret_ttl)
}
