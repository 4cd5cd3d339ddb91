//! Okta's side of `setup`: both hooks.

use okta_twilio::{hooks::auth::HeaderName, id::SafeId};
use secrecy::SecretString;

use super::{
    Context, SetupError, connection,
    memory::{self, Memory, Thing},
    part::Part,
};
use crate::{
    failure::Failure,
    okta::{
        Okta, OktaError,
        hooks::{Channel, EVENTS, EventHook, InlineHook, Status, Target},
    },
    plan::{Action, Plan, Step},
    stack::Hook,
    terminal::Terminal,
};

const TELEPHONY_NAME: &str = "Twilio Verify";
const EVENTS_NAME: &str = "Twilio Verify feedback";

/// Okta as it is now.
pub(super) struct State {
    /// Where Okta finds telephony-hook.
    telephony_url: String,
    /// Where Okta finds event-hook.
    events_url: String,
    telephony: Option<(InlineHook, Fit)>,
    /// The built-in connections that are on.
    connections: Vec<SafeId>,
    /// Those that a run has switched off before it was broken off, and that no hook of ours stands in for yet.
    connections_off: Vec<SafeId>,
    /// The active telephony hook of somebody else.
    other: Option<SafeId>,
    /// The telephony hook of somebody else that a run has deactivated and not replaced yet.
    deactivated: Option<SafeId>,
    /// The same, if ours has replaced it.
    replaced: Option<SafeId>,
    events: Option<(EventHook, Fit)>,
    /// Other active event hooks of this stack.
    twins: Vec<SafeId>,
    /// Whether event hooks of this org can have filters.
    has_filters: bool,
    /// What the phone authenticator offers. `None`: the org has none, or does not show it.
    phone: Option<&'static str>,
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
    pub(super) async fn read(context: &Context<'_>, memory: &Memory) -> Result<Self, SetupError> {
        let (telephony_url, events_url) = (context.url(memory, Hook::Telephony)?, context.url(memory, Hook::Event)?);
        let wanted = HeaderName::parse(&context.header);
        let has_header = |header: Option<&str>| header.and_then(HeaderName::parse) == wanted;
        let fit = |status: Status, is_right: bool| match (status, is_right) {
            (_, false) => Fit::Differs,
            (Status::Inactive, true) => Fit::Inactive,
            (Status::Active, true) => Fit::Fits,
        };
        let hooks = context.okta()?.telephony_hooks().await?;
        let parts = |hook: &InlineHook| (hook.id.clone(), hook.status, hook.channel.clone());
        let (ours, others) = choose(hooks, (Thing::TelephonyHook, telephony_url), memory, parts);
        let telephony = ours.map(|hook| {
            let is_right = hook.channel.is_at(telephony_url) && has_header(hook.channel.header());
            let fit = fit(hook.status, is_right);
            (hook, fit)
        });
        let remembered = memory.made(Thing::DeactivatedHook);
        let is_off = others.iter().any(|hook| Some(&hook.id) == remembered && hook.status == Status::Inactive);
        let other = others.into_iter().find(|hook| hook.status == Status::Active).map(|hook| hook.id);
        let remembered = remembered.filter(|_| is_off && other.is_none()).cloned();
        let is_ours_active = telephony.as_ref().is_some_and(|(hook, _)| hook.status == Status::Active);
        let (replaced, deactivated) = if is_ours_active { (remembered, None) } else { (None, remembered) };
        let hooks = context.okta()?.event_hooks().await?;
        let parts = |hook: &EventHook| (hook.id.clone(), hook.status, hook.channel.clone());
        let (ours, others) = choose(hooks, (Thing::EventHook, events_url), memory, parts);
        let stack_url = context.stack.output(Hook::Event.url_output()).unwrap_or(events_url);
        let twins = others.into_iter().filter(|hook| {
            hook.status == Status::Active && (hook.channel.is_at(events_url) || hook.channel.is_at(stack_url))
        });
        let events = ours.map(|hook| {
            let has_events = EVENTS.iter().all(|event| hook.events.items.iter().any(|item| item == event));
            let is_right = hook.channel.is_at(events_url) && has_events && has_header(hook.channel.header());
            let fit = fit(hook.status, is_right);
            (hook, fit)
        });
        let twins = twins.map(|hook| hook.id).collect();
        let is_right = events.as_ref().is_some_and(|(hook, fit)| *fit == Fit::Fits && hook.is_verified());
        let has_filters = context.wants(Part::Events) && !is_right && has_filters(context.okta()?).await?;
        let phone = phone_authenticator(context.okta()?).await;
        let okta = context.okta()?;
        let connections = if context.wants(Part::Telephony) { connection::active(okta).await? } else { Vec::new() };
        let is_open = context.wants(Part::Telephony) && !is_ours_active && other.is_none();
        let connections_off = if is_open { connection::remembered(okta, memory).await? } else { Vec::new() };
        let (telephony_url, events_url) = (telephony_url.to_owned(), events_url.to_owned());
        Ok(Self {
            telephony_url,
            events_url,
            telephony,
            connections,
            connections_off,
            other,
            deactivated,
            replaced,
            events,
            twins,
            has_filters,
            phone,
        })
    }

    /// What is there of the things that a run creates.
    pub(super) fn found(&self, memory: &Memory) -> Vec<(Thing, String)> {
        let telephony = self.telephony.iter().map(|(hook, _)| (Thing::TelephonyHook, &hook.id, &hook.channel));
        let events = self.events.iter().map(|(hook, _)| (Thing::EventHook, &hook.id, &hook.channel));
        let own = telephony.chain(events).filter(|(thing, id, channel)| memory.is_own_hook(*thing, id, channel));
        own.map(|(thing, id, _)| (thing, id.to_string())).collect()
    }

    /// Whether a run was broken off after our hook had replaced another one.
    pub(super) fn has_replaced(&self) -> bool {
        self.replaced.is_some()
    }
}

/// Our hook and the others: the one that setup has created, wherever it is, or else one at our URL, best an active one.
fn choose<H>(
    mut hooks: Vec<H>,
    (thing, url): (Thing, &str),
    memory: &Memory,
    parts: impl Fn(&H) -> (SafeId, Status, Channel),
) -> (Option<H>, Vec<H>) {
    let rank = |hook: &H| {
        let (id, status, channel) = parts(hook);
        let (is_own, is_at_url) = (memory.is_own_hook(thing, &id, &channel), channel.is_at(url));
        (is_own || is_at_url).then_some((!is_own, !is_at_url, status != Status::Active))
    };
    let ranked = hooks.iter().enumerate().filter_map(|(place, hook)| Some((rank(hook)?, place)));
    let best = ranked.min().map(|(_, place)| place);
    (best.map(|place| hooks.remove(place)), hooks)
}

fn action(fit: Option<Fit>) -> Action {
    match fit {
        None => Action::Create,
        Some(Fit::Fits) => Action::Keep,
        Some(Fit::Inactive | Fit::Differs) => Action::Change,
    }
}

/// Whether the event hook can have a filter. Without the right to read features, it gets none.
async fn has_filters(okta: &Okta) -> Result<bool, SetupError> {
    match okta.has_event_filters().await {
        Err(OktaError::Forbidden { .. } | OktaError::NotFound) => Ok(false),
        filters => Ok(filters?),
    }
}

/// What the phone authenticator offers, in words. It is only reported: enrolment policies decide who sees it.
async fn phone_authenticator(okta: &Okta) -> Option<&'static str> {
    let authenticators = okta.authenticators().await.ok()?;
    let phone = authenticators.iter().find(|authenticator| authenticator.is_phone());
    let Some(phone) = phone.filter(|phone| phone.status == Status::Active) else {
        return Some("the phone authenticator, which is not active: no user is asked for a code by phone");
    };
    let methods = okta.methods(phone).await.ok()?;
    let is_on = |kind: &str| methods.iter().any(|method| method.kind == kind && method.status == Status::Active);
    Some(match (is_on("sms"), is_on("voice")) {
        (true, true) => "the phone authenticator, which is active with SMS and voice calls",
        (true, false) => "the phone authenticator, which is active with SMS, and without voice calls",
        (false, true) => "the phone authenticator, which is active with voice calls, and without SMS",
        (false, false) => "the phone authenticator, whose SMS and voice calls are off",
    })
}

/// Adds Okta's lines.
pub(super) fn plan(state: &State, context: &Context<'_>, plan: &mut Plan) {
    if context.wants(Part::Telephony) {
        plan_telephony(state, context, plan);
    }
    if context.wants(Part::Events) {
        plan_events(state, context, plan);
    }
    if let Some(phone) = state.phone {
        plan.add(Step::PhoneAuthenticator, Action::Keep, phone);
    }
}

fn plan_telephony(state: &State, context: &Context<'_>, plan: &mut Plan) {
    connection::plan(&state.connections, &state.connections_off, plan);
    if let Some(other) = &state.other {
        plan.add(
            Step::OtherTelephonyHook,
            Action::Deactivate,
            format!("the telephony hook {other}, which Okta uses now; it stays, inactive"),
        );
    }
    if let Some(deactivated) = &state.deactivated {
        plan.add(
            Step::OtherTelephonyHook,
            Action::Keep,
            format!(
                "the telephony hook {deactivated}, which a run that was broken off has deactivated; it stays, \
                 inactive. Okta uses no telephony hook now"
            ),
        );
    }
    let telephony = action(state.telephony.as_ref().map(|(_, fit)| *fit));
    let at = at(Hook::Telephony, &state.telephony_url, context);
    plan.add(Step::TelephonyHook, telephony, format!("telephony inline hook {at}"));
}

/// Where a hook is. A URL that was given is named, now and in later runs.
fn at(hook: Hook, url: &str, context: &Context<'_>) -> String {
    match context.stack.output(hook.url_output()) {
        Some(own) if own == url => format!("with the URL of {}", hook.name()),
        _ => format!("with the given URL {url}"),
    }
}

fn plan_events(state: &State, context: &Context<'_>, plan: &mut Plan) {
    let events = action(state.events.as_ref().map(|(_, fit)| *fit));
    let filter = match (events, state.has_filters) {
        (Action::Keep, _) => "",
        (_, true) => ", and a filter that leaves out failures",
        (_, false) => ", without a filter, which this org does not offer",
    };
    let at = at(Hook::Event, &state.events_url, context);
    plan.add(Step::EventHook, events, format!("event hook {at}{filter}"));
    let is_verified = state.events.as_ref().is_some_and(|(hook, fit)| hook.is_verified() && *fit == Fit::Fits);
    let verification = if is_verified { Action::Keep } else { Action::Change };
    plan.add(Step::Verification, verification, "the event hook is verified");
    for twin in &state.twins {
        let what = format!(
            "the event hook {twin}, which is active at a URL of this stack too, so each event comes twice. Deactivate it in \
             the Admin Console, if nobody needs it"
        );
        plan.add(Step::EventHook, Action::Keep, what);
    }
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
) -> Result<(), Failure> {
    if plan.has(Step::TelephonyHook, Action::Keep) && state.other.is_none() && state.connections.is_empty() {
        return Ok(());
    }
    terminal.progress("Setting up the telephony hook");
    let url = state.telephony_url.as_str();
    let target = Target { name: TELEPHONY_NAME, url, header: &context.header, secret, is_filtered: false };
    connection::switch_off(&state.connections, context).await?;
    match replace_active(state, &target, context).await {
        Ok(()) => Ok(()),
        Err(failure) => {
            // The primary one first. Those of this run and those of a run before are never the same.
            let all = [&state.connections[..], &state.connections_off].concat();
            Err(connection::switch_on_again(&all, failure, context).await)
        }
    }
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
) -> Result<(), Failure> {
    if plan.has(Step::EventHook, Action::Keep) && plan.has(Step::Verification, Action::Keep) {
        return Ok(());
    }
    terminal.progress("Setting up the event hook");
    let url = state.events_url.as_str();
    let target = Target { name: EVENTS_NAME, url, header: &context.header, secret, is_filtered: state.has_filters };
    let hook = match event_hook(state, &target, plan, context).await {
        Err(Failure::Setup(SetupError::Okta { error: OktaError::Refused { status: 400, .. } }))
            if target.is_filtered =>
        {
            terminal.progress("Okta refuses the filter, so the event hook has none");
            event_hook(state, &Target { is_filtered: false, ..target }, plan, context).await?
        }
        hook => hook?,
    };
    if !hook.is_verified() {
        terminal.progress("Verifying the event hook");
        if !context.okta()?.verify_event_hook(&hook.id).await.map_err(SetupError::from)? {
            return Err(SetupError::NotVerified.into());
        }
    }
    Ok(())
}

/// Makes our hook the active one. Okta takes one active telephony hook only, so the other one goes first.
async fn replace_active(state: &State, target: &Target<'_>, context: &Context<'_>) -> Result<(), Failure> {
    let (aws, stack, okta) = (context.aws, &context.stack, context.okta()?);
    if let Some(other) = &state.other {
        memory::remember(aws, stack, Thing::DeactivatedHook, other.as_str()).await?;
        okta.set_inline_hook(other, Status::Inactive).await.map_err(SetupError::from)?;
    }
    let other = state.other.as_ref().or(state.deactivated.as_ref());
    let failure = match activate_ours(state, target, context).await {
        Ok(()) => None,
        // The response can have been lost after Okta did what it was asked for.
        Err(failure) if other.is_some() || state.telephony.is_none() => match active_hook(target, context).await {
            Some(hook) => {
                remember_if_new(state, &hook, context).await?;
                None
            }
            None => Some(failure),
        },
        Err(failure) => Some(failure),
    };
    match (failure, other) {
        (None, None) => Ok(()),
        (None, Some(other)) => replaced(other, context).await,
        (Some(failure), None) => Err(failure),
        (Some(failure), Some(other)) => Err(roll_back(other, failure, context).await.into()),
    }
}

/// Creates our hook, or corrects and activates it.
async fn activate_ours(state: &State, target: &Target<'_>, context: &Context<'_>) -> Result<(), Failure> {
    let okta = context.okta()?;
    let Some((hook, fit)) = &state.telephony else {
        let creation = okta.create_telephony_hook(target);
        return context
            .create((Thing::TelephonyHook, &memory::mark_of_hook(target.url)), creation, |hook| hook.id.as_str())
            .await
            .map(drop);
    };
    let mut hook = hook.clone();
    if *fit == Fit::Differs {
        hook = okta.replace_inline_hook(&hook.id, target).await.map_err(SetupError::from)?;
    }
    if hook.status == Status::Inactive {
        okta.set_inline_hook(&hook.id, Status::Active).await.map_err(SetupError::from)?;
    }
    Ok(())
}

async fn remember_if_new(state: &State, hook: &SafeId, context: &Context<'_>) -> Result<(), Failure> {
    match state.telephony {
        Some(_) => Ok(()),
        None => memory::remember(context.aws, &context.stack, Thing::TelephonyHook, hook.as_str()).await,
    }
}

/// Our hook, if it is active.
async fn active_hook(target: &Target<'_>, context: &Context<'_>) -> Option<SafeId> {
    let hooks = context.okta().ok()?.telephony_hooks().await.ok()?;
    let is_ours = |hook: &InlineHook| hook.status == Status::Active && hook.channel.is_at(target.url);
    hooks.into_iter().find(is_ours).map(|hook| hook.id)
}

/// Activates the other hook again. Says why ours is not there.
async fn roll_back(other: &SafeId, failure: Failure, context: &Context<'_>) -> SetupError {
    let failure = Box::new(failure);
    let Ok(okta) = context.okta() else { return SetupError::NoOktaToken };
    match okta.set_inline_hook(other, Status::Active).await {
        Ok(_active) => {
            // A tag that stays harms nothing: the next run finds the hook active.
            let _ = memory::forget(context.aws, &context.stack, &[Thing::DeactivatedHook]).await;
            SetupError::RolledBack(failure)
        }
        Err(_) => SetupError::NotRolledBack { failure, hook: other.to_string() },
    }
}

/// Remembers which hook was active before, if a run was broken off before it could.
///
/// # Errors
/// Fails if the tags cannot be written.
pub(super) async fn finish_replacement(state: &State, context: &Context<'_>) -> Result<(), Failure> {
    match &state.replaced {
        Some(other) => replaced(other, context).await,
        None => Ok(()),
    }
}

async fn replaced(other: &SafeId, context: &Context<'_>) -> Result<(), Failure> {
    memory::remember(context.aws, &context.stack, Thing::PreviousHook, other.as_str()).await?;
    memory::forget(context.aws, &context.stack, &[Thing::DeactivatedHook]).await
}

async fn event_hook(
    state: &State,
    target: &Target<'_>,
    plan: &Plan,
    context: &Context<'_>,
) -> Result<EventHook, Failure> {
    let Some((hook, fit)) = &state.events else {
        let creation = context.okta()?.create_event_hook(target);
        return context
            .create((Thing::EventHook, &memory::mark_of_hook(target.url)), creation, |hook| hook.id.as_str())
            .await;
    };
    let mut hook = hook.clone();
    // Okta does not return the secret, so a hook that cannot be verified gets it again.
    if *fit == Fit::Differs || !plan.has(Step::Verification, Action::Keep) {
        hook = context.okta()?.replace_event_hook(&hook.id, target).await.map_err(SetupError::from)?;
    }
    if hook.status == Status::Inactive {
        hook = context.okta()?.activate_event_hook(&hook.id).await.map_err(SetupError::from)?;
    }
    Ok(hook)
}
