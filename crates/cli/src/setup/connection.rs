//! Okta's built-in connection to a telephony provider, which must be off while a telephony hook is active.

use okta_twilio::id::SafeId;

use super::{
    Context, SetupError,
    memory::{self, Memory, Thing},
};
use crate::{
    failure::Failure,
    okta::{Okta, OktaError, hooks::Status},
    plan::{Action, Plan, Step},
};

/// The tags of the connections that setup has switched off, the primary one first. Okta has two at most.
const THINGS: [Thing; 2] = [Thing::Connection, Thing::SecondConnection];

/// The connections that are on, the primary one first.
///
/// # Errors
/// Fails if Okta cannot be asked. An org that does not show its connections has none.
pub(super) async fn active(okta: &Okta) -> Result<Vec<SafeId>, SetupError> {
    match okta.telephony_providers().await {
        Ok(providers) => Ok(providers.into_iter().filter(|each| each.enabled).map(|each| each.id).collect()),
        Err(OktaError::Forbidden { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Adds a line for each connection that is on, or that a run has switched off before it was broken off.
pub(super) fn plan(active: &[SafeId], off: &[SafeId], plan: &mut Plan) {
    for connection in off {
        let what = format!(
            "Okta's built-in telephony connection {connection}, which a run that was broken off has switched off; it stays \
             off. Okta does not send by it now"
        );
        plan.add(Step::Connection, Action::Keep, what);
    }
    for connection in active {
        let what = format!("Okta's built-in telephony connection {connection}, which sends now; it stays, inactive");
        plan.add(Step::Connection, Action::Deactivate, what);
    }
}

/// Switches the connections off, and remembers them before: Okta switches the primary one off last.
///
/// # Errors
/// Fails if Okta refuses, or the tags cannot be written. What was switched off is on again then.
pub(super) async fn switch_off(active: &[SafeId], context: &Context<'_>) -> Result<(), Failure> {
    for (thing, connection) in THINGS.into_iter().zip(active) {
        memory::remember(context.aws, &context.stack, thing, connection.as_str()).await?;
    }
    for connection in active.iter().rev() {
        let changed = context.okta()?.set_telephony_provider(connection, Status::Inactive).await;
        if let Err(error) = changed {
            return Err(switch_on_again(active, SetupError::from(error).into(), context).await);
        }
    }
    Ok(())
}

/// Switches the connections on again after a failure, and returns what to report.
pub(super) async fn switch_on_again(active: &[SafeId], failure: Failure, context: &Context<'_>) -> Failure {
    if active.is_empty() {
        return failure;
    }
    let Ok(okta) = context.okta() else { return failure };
    for connection in active {
        if okta.set_telephony_provider(connection, Status::Active).await.is_err() {
            let connection = connection.to_string();
            return SetupError::ConnectionOff { failure: Box::new(failure), connection }.into();
        }
    }
    // A tag that stays harms nothing: the next run finds the connection on.
    let _ = memory::forget(context.aws, &context.stack, &THINGS).await;
    SetupError::ConnectionOnAgain(Box::new(failure)).into()
}

/// The connections that setup has switched off and that are still off, for `teardown`.
///
/// # Errors
/// Fails if Okta cannot be asked.
pub(super) async fn remembered(okta: &Okta, memory: &Memory) -> Result<Vec<SafeId>, SetupError> {
    let ids: Vec<_> = THINGS.into_iter().filter_map(|thing| memory.made(thing).cloned()).collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    let providers = okta.telephony_providers().await?;
    let is_off = |id: &SafeId| providers.iter().any(|each| each.id == *id && !each.enabled);
    Ok(ids.into_iter().filter(is_off).collect())
}
