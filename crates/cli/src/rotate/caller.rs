//! The secret that Okta sends to both hooks.
//!
//! The first run stores a new secret before the old one, waits until every function accepts both, and gives the new one
//! to Okta. The second run gives it to Okta again, since Okta shows it to nobody, and then removes the old one. So it is
//! safe wherever the first run has ended.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use okta_twilio::{config::Variables, hooks::auth::AuthMode, id::SafeId, reason::Reason, time::clock::Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{
    Context, RotateError, RotateOptions,
    secret::{SHORT, Stored},
};
use crate::{
    aws::{
        logs::{self, Query},
        secrets_manager,
    },
    doctor::caller::CodeRequest,
    failure::Failure,
    okta::{Okta, OktaError, hooks::Status, token_of_environment},
    plan::{Action, Answer, Closing, Plan, Step},
    setup::{
        self,
        interrupts::Interrupts,
        memory::{Memory, Thing},
    },
    stack::Hook,
};

/// Okta sends a request again if the first one got no answer within 3 s. After this time it has sent the last one with
/// the secret that it had before.
const IN_FLIGHT: Duration = Duration::from_secs(10);

/// How far this machine's clock may be off while the hook's log is searched.
const CLOCK_MARGIN_MS: i64 = 5 * 60 * 1_000;

/// CloudWatch shows a line some seconds after it was written.
const LOG_WAIT: Duration = Duration::from_secs(60);
const LOG_PAUSE: Duration = Duration::from_secs(2);

const NEXT: &str = "Both secrets are accepted. When codes go out as before: `okta-twilio rotate caller --finish`.";
const CLOSING: Closing = Closing {
    nothing: "There is nothing to finish: one secret is accepted.",
    applied: "Only the new secret is accepted.",
};

/// The hooks at Okta.
struct Hooks {
    okta: Okta,
    telephony: SafeId,
    /// `None` if only telephony-hook is deployed.
    events: Option<SafeId>,
}

/// The first run. Returns the status of the command.
///
/// # Errors
/// Fails if a step fails. Both secrets are accepted then, and the next run continues.
pub(super) async fn begin(context: &Context<'_>, options: &RotateOptions) -> Result<ExitCode, Failure> {
    let hooks = Hooks::read(context).await?;
    let mut stored = Stored::read(context.aws, &context.stack).await?;
    let mut secrets = stored.callers()?;
    let is_new = secrets.len() == 1;
    let full = context.ttl * 2;
    let wait = if is_new { full } else { stored.wait(context.ttl)? };
    let mut plan = Plan::new(Closing { nothing: NEXT, applied: NEXT });
    if is_new {
        plan.add(
            Step::CallerSecret,
            Action::Create,
            "a second secret of the caller in the hooks secret, before the one in use",
        );
    } else {
        plan.add(Step::CallerSecret, Action::Keep, "the newest secret of a rotation that is not finished");
    }
    if !wait.is_zero() {
        let seconds = wait.as_millis().div_ceil(1_000);
        plan.add(
            Step::Pause,
            Action::Wait,
            format!("{seconds} s, until every function accepts it. You can stop and run this again"),
        );
    }
    hooks.plan(&mut plan);
    plan.add(Step::CallerSecret, Action::Keep, "the old secret, until --finish");
    match context.confirm(&plan, &options.decision)? {
        Answer::Yes => {}
        other => return Ok(other.exit_code()),
    }
    if is_new {
        context.terminal.progress("Storing a new secret next to the old one");
        secrets.insert(0, new_secret()?);
        stored.replace(context.aws, &[("auth_secret", Some(list(&secrets)))]).await?;
        stored = Stored::read(context.aws, &context.stack).await?;
    }
    context.wait(stored.wait(context.ttl)?, "Until every function accepts the new secret").await;
    let newest = secrets.first().ok_or(Failure::HooksSecretUnusable)?;
    // Ctrl-C must not leave the event hook unverified.
    let _interrupts = Interrupts::start()?;
    hooks.hand_over(newest, context).await?;
    context.print(&plan)?;
    Ok(ExitCode::SUCCESS)
}

/// The second run. Returns the status of the command.
///
/// # Errors
/// Fails if it is too early or a step fails. Both secrets are accepted then.
pub(super) async fn finish(context: &Context<'_>, options: &RotateOptions) -> Result<ExitCode, Failure> {
    let stored = Stored::read(context.aws, &context.stack).await?;
    let secrets = stored.callers()?;
    let Some((newest, old)) = secrets.split_first().filter(|(_, old)| !old.is_empty()) else {
        let mut plan = Plan::new(CLOSING);
        plan.add(Step::CallerSecret, Action::Keep, "the secret of the caller");
        return Ok(context.confirm(&plan, &options.decision)?.exit_code());
    };
    let hooks = Hooks::read(context).await?;
    let wait = stored.wait(context.ttl)?;
    if wait > SHORT && !options.decision.plan {
        return Err(RotateError::TooEarly(wait.as_secs() + 1).into());
    }
    let mut plan = Plan::new(CLOSING);
    if !wait.is_zero() {
        plan.add(
            Step::Pause,
            Action::Wait,
            format!("{} s, until every function accepts the new secret", wait.as_secs() + 1),
        );
    }
    hooks.plan(&mut plan);
    let old = if old.len() == 1 { "the old secret".to_owned() } else { format!("{} old secrets", old.len()) };
    plan.add(Step::CallerSecret, Action::Delete, format!("{old} in the hooks secret"));
    match context.confirm(&plan, &options.decision)? {
        Answer::Yes => {}
        other => return Ok(other.exit_code()),
    }
    let mut interrupts = Interrupts::start()?;
    context.wait(wait, "Until every function accepts the new secret").await;
    interrupts.check().await?;
    hooks.hand_over(newest, context).await?;
    context.wait(IN_FLIGHT, "Until Okta's last request with the old secret has arrived").await;
    interrupts.check().await?;
    context.terminal.progress("Removing the old secret");
    let newest = Value::from(newest.expose_secret());
    stored.replace(context.aws, &[("auth_secret", Some(newest))]).await?;
    context.print(&plan)?;
    Ok(ExitCode::SUCCESS)
}

impl Hooks {
    /// Finds the hooks with the stack's URLs.
    async fn read(context: &Context<'_>) -> Result<Self, Failure> {
        let lookup = |name: &str| context.telephony.variable(name);
        if matches!(AuthMode::from_variables(&Variables::new(&lookup))?, AuthMode::Jwt(_)) {
            return Err(RotateError::Oauth.into());
        }
        // The proof is a line that this level leaves out.
        if context.telephony.variable("LOG_LEVEL").is_some_and(|level| level.trim().eq_ignore_ascii_case("error")) {
            return Err(RotateError::LogLevel.into());
        }
        let token = token_of_environment();
        let token = token.or_else(|| context.terminal.ask_secret("API token of an Okta administrator"));
        let api = setup::okta_address(context.event.as_ref())?;
        let okta = token.and_then(|token| Okta::new(&context.environment.http, &api, &token));
        let okta = okta.ok_or(RotateError::NoOktaToken)?;
        context.terminal.progress("Reading Okta");
        let memory = Memory::read(context.aws, &context.stack).await?;
        let url = |hook: Hook| {
            memory.url(&context.stack, hook).ok_or_else(|| Failure::from(RotateError::NoOutput(hook.url_output())))
        };
        let telephony_url = url(Hook::Telephony)?;
        let all = okta.telephony_hooks().await.map_err(RotateError::from)?;
        let ours = all.into_iter().find(|hook| {
            let is_own = memory.is_own_hook(Thing::TelephonyHook, &hook.id, &hook.channel);
            hook.status == Status::Active && (is_own || hook.channel.is_at(telephony_url))
        });
        let telephony = ours.ok_or(RotateError::NoHook("telephony-hook"))?.id;
        let mut events = None;
        if context.event.is_some() {
            let url = url(Hook::Event)?;
            let all = okta.event_hooks().await.map_err(RotateError::from)?;
            let ours = all.into_iter().find(|hook| {
                let is_own = memory.is_own_hook(Thing::EventHook, &hook.id, &hook.channel);
                hook.status == Status::Active && (is_own || hook.channel.is_at(url))
            });
            events = Some(ours.ok_or(RotateError::NoHook("event-hook"))?.id);
        }
        Ok(Self { okta, telephony, events })
    }

    fn plan(&self, plan: &mut Plan) {
        plan.add(
            Step::TelephonyHook,
            Action::Change,
            "the secret of the telephony hook in Okta, proved by a request that sends no code",
        );
        if self.events.is_some() {
            plan.add(
                Step::EventHook,
                Action::Change,
                "the secret of the event hook in Okta, which Okta then verifies again",
            );
        }
    }

    /// Gives the secret to Okta, and proves that Okta's requests with it are accepted.
    async fn hand_over(&self, secret: &SecretString, context: &Context<'_>) -> Result<(), Failure> {
        context.terminal.progress("Giving the secret to Okta");
        self.okta.set_inline_secret(&self.telephony, secret).await.map_err(RotateError::from)?;
        if let Some(events) = &self.events {
            self.okta.set_event_secret(events, secret).await.map_err(RotateError::from)?;
            // Until it is verified, Okta delivers no events.
            if !self.okta.verify_event_hook(events).await.map_err(RotateError::from)? {
                return Err(RotateError::NotVerified.into());
            }
        }
        context.terminal.progress("Waiting for Okta's request in the hook's log");
        self.prove(context).await
    }

    /// Has Okta call the telephony hook with an expired code, which is never sent. The hook's log shows whether it got it.
    async fn prove(&self, context: &Context<'_>) -> Result<(), Failure> {
        let clock = &context.environment.clock;
        let now = clock.now();
        // A clock that is ahead must not hide the line. The id of the event is found once only.
        let from = Timestamp::from_millis(now.as_millis() - CLOCK_MARGIN_MS);
        let request = CodeRequest::expired(now);
        match self.okta.execute(&self.telephony, &request.body()).await {
            // What Okta answers if the hook reports an error is not documented, so only the log counts.
            Ok(()) | Err(OktaError::Refused { status: 400, .. }) => {}
            Err(error) => return Err(RotateError::from(error).into()),
        }
        let group = context.telephony.logging_config.log_group.clone().ok_or(Failure::NoFunction)?;
        let groups = [group];
        let any_of = vec![("okta_event_id", request.event_id.clone())];
        let started = Instant::now();
        loop {
            let to = Timestamp::from_millis(clock.now().as_millis() + CLOCK_MARGIN_MS);
            let query = Query { from, to, any_of: any_of.clone() };
            let lines = logs::lines(context.aws, &groups, &query).await?;
            let reason = |line: &logs::Line| line.get("reason").and_then(Value::as_str).map(str::to_owned);
            if lines.iter().any(|line| reason(line).as_deref() == Some(Reason::CodeExpired.as_str())) {
                return Ok(());
            }
            if started.elapsed() >= LOG_WAIT {
                return Err(RotateError::NotSeen.into());
            }
            tokio::time::sleep(LOG_PAUSE).await;
        }
    }
}

fn list(secrets: &[SecretString]) -> Value {
    secrets.iter().map(|secret| Value::from(secret.expose_secret())).collect()
}

/// 32 random bytes as 64 hexadecimal digits, which need no escape in JSON and no quotes in a header.
fn new_secret() -> Result<SecretString, Failure> {
    let halves = [secrets_manager::random_hex()?, secrets_manager::random_hex()?];
    Ok(SecretString::from(halves.concat()))
}
