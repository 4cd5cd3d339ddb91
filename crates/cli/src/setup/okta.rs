//! Okta's side of `setup`: both hooks.

use std::time::Duration;

use okta_twilio::{hooks::auth::HeaderName, id::SafeId};
use secrecy::SecretString;

use super::{
    Context, SetupError,
    plan::{Action, Plan, Step},
};
use crate::{
    okta::{
        OktaError,
        hooks::{EVENTS, EventHook, InlineHook, Status, Target},
    },
    terminal::Terminal,
};

const TELEPHONY_NAME: &str = "Twilio Verify";
const EVENTS_NAME: &str = "Twilio Verify feedback";

/// Okta asks a hook for its challenge within 3 s. A function that starts can take longer, and the next try succeeds.
const VERIFICATION_TRIES: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Okta as it is now.
pub(super) struct State {
    telephony: Option<(InlineHook, Fit)>,
    /// The active telephony hook of somebody else.
    other: Option<SafeId>,
    events: Option<(EventHook, Fit)>,
}

/// Whether a hook is as it must be. Okta does not return its secret, so that is proved by use only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Fits,
    Inactive,
    Differs,
}

impl State {
    /// Reads the hooks.
    ///
    /// # Errors
    /// Fails if Okta does not return them, or the stack has no URL.
    pub(super) async fn read(context: &Context<'_>) -> Result<Self, SetupError> {
        let (telephony_url, events_url) = (output(context, "TelephonyUrl")?, output(context, "EventsUrl")?);
        let wanted = HeaderName::parse(&context.header);
        let has_header = |header: Option<&str>| header.and_then(HeaderName::parse) == wanted;
        let fit = |status: Status, is_right: bool| match (status, is_right) {
            (_, false) => Fit::Differs,
            (Status::Inactive, true) => Fit::Inactive,
            (Status::Active, true) => Fit::Fits,
        };
        let hooks = context.okta.telephony_hooks().await?;
        let (ours, others): (Vec<_>, Vec<_>) = hooks.into_iter().partition(|hook| hook.channel.is_at(telephony_url));
        let telephony = ours.into_iter().min_by_key(|hook| hook.status != Status::Active).map(|hook| {
            let fit = fit(hook.status, has_header(hook.channel.header()));
            (hook, fit)
        });
        let other = others.into_iter().find(|hook| hook.status == Status::Active).map(|hook| hook.id);
        let hooks = context.okta.event_hooks().await?.into_iter().filter(|hook| hook.channel.is_at(events_url));
        let events = hooks.min_by_key(|hook| hook.status != Status::Active).map(|hook| {
            let has_events = EVENTS.iter().all(|event| hook.events.items.iter().any(|item| item == event));
            let fit = fit(hook.status, has_events && has_header(hook.channel.header()));
            (hook, fit)
        });
        Ok(Self { telephony, other, events })
    }
}

fn output<'a>(context: &'a Context<'_>, name: &'static str) -> Result<&'a str, SetupError> {
    context.stack.output(name).ok_or(SetupError::NoOutput(name))
}

fn action(fit: Option<Fit>) -> Action {
    match fit {
        None => Action::Create,
        Some(Fit::Fits) => Action::Keep,
        Some(Fit::Inactive | Fit::Differs) => Action::Change,
    }
}

/// Adds Okta's lines.
pub(super) fn plan(state: &State, plan: &mut Plan) {
    if let Some(other) = &state.other {
        plan.add(
            Step::OtherTelephonyHook,
            Action::Deactivate,
            format!("the telephony hook {other}, which Okta uses now; it stays, inactive"),
        );
    }
    let telephony = action(state.telephony.as_ref().map(|(_, fit)| *fit));
    plan.add(Step::TelephonyHook, telephony, "telephony inline hook with the URL of telephony-hook");
    let events = action(state.events.as_ref().map(|(_, fit)| *fit));
    plan.add(Step::EventHook, events, "event hook with the URL of event-hook");
    let is_verified = state.events.as_ref().is_some_and(|(hook, fit)| hook.is_verified() && *fit == Fit::Fits);
    let verification = if is_verified { Action::Keep } else { Action::Change };
    plan.add(Step::Verification, verification, "the event hook is verified");
}

/// Creates or changes the telephony hook.
///
/// # Errors
/// Fails if Okta refuses. The hook that was active before is then active again.
pub(super) async fn apply_telephony(
    state: &State,
    secret: &SecretString,
    plan: &Plan,
    context: &Context<'_>,
    terminal: Terminal,
) -> Result<(), SetupError> {
    if plan.has(Step::TelephonyHook, Action::Keep) && state.other.is_none() {
        return Ok(());
    }
    terminal.progress("Setting up the telephony hook");
    let url = output(context, "TelephonyUrl")?;
    let target = Target { name: TELEPHONY_NAME, url, header: &context.header, secret };
    replace_active(state, &target, context).await
}

/// Creates or changes the event hook, and has Okta verify it.
///
/// # Errors
/// Fails if Okta refuses, or the hook does not answer its challenge.
pub(super) async fn apply_events(
    state: &State,
    secret: &SecretString,
    plan: &Plan,
    context: &Context<'_>,
    terminal: Terminal,
) -> Result<(), SetupError> {
    if plan.has(Step::EventHook, Action::Keep) && plan.has(Step::Verification, Action::Keep) {
        return Ok(());
    }
    terminal.progress("Setting up the event hook");
    let url = output(context, "EventsUrl")?;
    let target = Target { name: EVENTS_NAME, url, header: &context.header, secret };
    let hook = event_hook(state, &target, plan, context).await?;
    if !hook.is_verified() {
        terminal.progress("Verifying the event hook");
        verify(&hook, context).await?;
    }
    Ok(())
}

/// Makes our hook the active one. Okta takes one active telephony hook only, so the other one goes first.
async fn replace_active(state: &State, target: &Target<'_>, context: &Context<'_>) -> Result<(), SetupError> {
    let okta = &context.okta;
    if let Some(other) = &state.other {
        okta.set_inline_hook(other, Status::Inactive).await?;
    }
    let ours = async {
        match &state.telephony {
            None => okta.create_telephony_hook(target).await,
            Some((hook, fit)) => {
                let mut hook = hook.clone();
                if *fit == Fit::Differs {
                    hook = okta.replace_inline_hook(&hook.id, target).await?;
                }
                if hook.status == Status::Inactive {
                    hook = okta.set_inline_hook(&hook.id, Status::Active).await?;
                }
                Ok(hook)
            }
        }
    };
    let (error, other) = match (ours.await, &state.other) {
        (Ok(_active), _) => return Ok(()),
        (Err(error), None) => return Err(error.into()),
        (Err(error), Some(other)) => (error, other),
    };
    match okta.set_inline_hook(other, Status::Active).await {
        Ok(_active) => Err(SetupError::RolledBack(error)),
        Err(_) => Err(SetupError::NotRolledBack { error, hook: other.to_string() }),
    }
}

async fn event_hook(
    state: &State,
    target: &Target<'_>,
    plan: &Plan,
    context: &Context<'_>,
) -> Result<EventHook, SetupError> {
    let Some((hook, fit)) = &state.events else {
        return Ok(context.okta.create_event_hook(target).await?);
    };
    let mut hook = hook.clone();
    // Okta does not return the secret, so a hook that cannot be verified gets it again.
    if *fit == Fit::Differs || !plan.has(Step::Verification, Action::Keep) {
        hook = context.okta.replace_event_hook(&hook.id, target).await?;
    }
    if hook.status == Status::Inactive {
        hook = context.okta.activate_event_hook(&hook.id).await?;
    }
    Ok(hook)
}

async fn verify(hook: &EventHook, context: &Context<'_>) -> Result<(), SetupError> {
    for attempt in 1..=VERIFICATION_TRIES {
        match context.okta.verify_event_hook(&hook.id).await {
            Ok(hook) if hook.is_verified() => return Ok(()),
            Ok(_) | Err(OktaError::Refused { status: 400, .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if attempt < VERIFICATION_TRIES {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Err(SetupError::NotVerified)
}
