//! `okta-twilio teardown`: removes what `setup` has made, and nothing else.
//!
//! The tags of the hooks secret say what that is. They go last, so a run that was broken off is continued by the next one.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use okta_twilio::{
    config::{CommonConfig, Variables},
    id::{SafeId, Sid},
};

use super::{
    Interrupts, SetupError, connection,
    context::Deployed,
    memory::{self, Memory, Thing, Trace},
    secret::{self, HooksFields},
    service_app,
};
use crate::{
    aws::Aws,
    environment::Environment,
    failure::Failure,
    okta::{Okta, hooks::Status, token_of_environment},
    plan::{Action, Answer, Closing, Decision, Plan, Stage, Step},
    stack::Stack,
    terminal::Terminal,
    twilio::{
        Addresses, Twilio, TwilioError, credentials_of_environment,
        keys::{ListedKey, replaced_by, replacement_name},
        services::Service,
    },
};

const CLOSING: Closing =
    Closing { nothing: "Nothing that setup has made is left.", applied: "Removed, and read again." };

/// The options of `teardown`.
#[derive(Debug, Args)]
#[command(
    after_help = "Credentials come from the environment: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or TWILIO_API_KEY \
    and TWILIO_API_SECRET of a Main key), and OKTA_API_TOKEN of a super administrator. The stack itself stays."
)]
pub(crate) struct TeardownOptions {
    /// Leave the telephony hook inactive that was active before setup
    #[arg(long)]
    no_reactivate: bool,
    /// Go on although something that setup has made is not there, and forget it
    #[arg(long)]
    forget_missing: bool,
    #[command(flatten)]
    decision: Decision,
}

/// What every step needs.
struct Context<'a> {
    aws: &'a Aws,
    stack: Stack,
    twilio: Twilio,
    okta: Okta,
    /// Name or ARN of the Okta secret, if event-hook has one.
    okta_secret: Option<String>,
    reactivates: bool,
}

/// What is still there of the things that setup has made.
struct State {
    telephony_hook: Option<SafeId>,
    event_hook: Option<SafeId>,
    service_app: service_app::Left,
    /// The built-in connections that were on before.
    connections: Vec<SafeId>,
    /// The telephony hook that was active before, if it can become active again.
    previous: Option<SafeId>,
    secret_fields: Vec<&'static str>,
    /// The key that setup has made, and those of a rotation that is not finished.
    keys: Vec<Sid>,
    service: Option<Sid>,
    /// The service of the functions, if setup did not create it.
    foreign_service: Option<Sid>,
    /// What the tags remember and is not there, although no run was about to delete it.
    missing: Vec<SafeId>,
    /// The ids of what the tags remember.
    made: Vec<(Thing, SafeId)>,
    has_tags: bool,
}

impl State {
    async fn read(context: &Context<'_>) -> Result<Self, Failure> {
        let secret = HooksFields::read(context.aws, &context.stack).await?;
        let memory = Memory::read(context.aws, &context.stack).await?;
        let Telephony { ours: telephony_hook, previous, is_other_active } = telephony(context, &memory).await?;
        let has_place = !is_other_active && previous.is_none();
        let connections = connection::remembered(&context.okta, &memory).await?;
        let event_hook = event_hook(context, &memory).await?;
        let service_app = service_app::Left::read(
            &context.okta,
            context.aws,
            context.okta_secret.as_deref(),
            &context.stack,
            &memory,
        )
        .await?;
        let service = service(context, &secret, &memory).await?;
        let keys = keys(service.as_ref().map(|(service, _)| service), context, &memory).await?;
        let is_own = |(service, is_own): &(Service, bool)| is_own.then(|| Sid::parse(&service.sid, "VA")).flatten();
        let own_service = service.as_ref().and_then(is_own);
        let mut secret_fields = Vec::new();
        let made = made_sid(&memory, Thing::TwilioKey, "SK");
        if secret.key.as_ref().is_some_and(|key| keys.contains(key) || made.as_ref() == Some(key)) {
            secret_fields.extend(["twilio_api_key_sid", "twilio_api_key_secret"]);
        }
        let remembered = made_sid(&memory, Thing::VerifyService, "VA").or_else(|| own_service.clone());
        if secret.service.is_some() && secret.service == remembered {
            secret_fields.push("verify_service_sid");
        }
        let is_there = [
            (Thing::TelephonyHook, telephony_hook.is_some()),
            (Thing::EventHook, event_hook.is_some()),
            (Thing::ServiceApp, service_app.has_app()),
            (Thing::TwilioKey, !keys.is_empty()),
            (Thing::VerifyService, own_service.is_some()),
        ];
        let missing = is_there.into_iter().filter(|(thing, is_there)| !is_there && !memory.is_deleting(*thing));
        let missing = missing.filter_map(|(thing, _)| memory.made(thing).cloned()).collect();
        let made = is_there.into_iter().filter_map(|(thing, _)| Some((thing, memory.made(thing)?.clone()))).collect();
        Ok(Self {
            telephony_hook,
            connections: if context.reactivates && has_place { connections } else { Vec::new() },
            event_hook,
            service_app,
            previous: previous.filter(|_| context.reactivates),
            secret_fields,
            keys,
            foreign_service: secret.service.filter(|service| Some(service) != remembered.as_ref()),
            service: own_service,
            missing,
            made,
            has_tags: !memory.is_empty(),
        })
    }

    fn plan(&self) -> Plan {
        let mut plan = Plan::new(CLOSING);
        if let Some(hook) = &self.telephony_hook {
            plan.add(Step::TelephonyHook, Action::Delete, format!("telephony inline hook {hook}"));
        }
        if let Some(hook) = &self.previous {
            let what = format!("the telephony hook {hook}, which was active before setup (not with --no-reactivate)");
            plan.add(Step::OtherTelephonyHook, Action::Activate, what);
        }
        for connection in &self.connections {
            let what = format!("Okta's built-in telephony connection {connection} (not with --no-reactivate)");
            plan.add(Step::Connection, Action::Activate, what);
        }
        if let Some(hook) = &self.event_hook {
            plan.add(Step::EventHook, Action::Delete, format!("event hook {hook}"));
        }
        self.service_app.plan(&mut plan);
        if !self.secret_fields.is_empty() {
            let what = format!("the hooks secret, without {}", self.secret_fields.join(", "));
            plan.add(Step::SecretFields, Action::Change, what);
        }
        for key in &self.keys {
            plan.add(Step::Key, Action::Delete, format!("API key {}", key.as_str()));
        }
        if let Some(service) = &self.service {
            let what = format!("Verify service {}, with its rate limits and its statistics", service.as_str());
            plan.add(Step::VerifyService, Action::Delete, what);
        }
        if let Some(service) = &self.foreign_service {
            let what = format!("Verify service {}, which setup did not create", service.as_str());
            plan.add(Step::VerifyService, Action::Keep, what);
        }
        for id in &self.missing {
            let what = format!("{id}, which is not there: deleted already, or in another org or account than this one");
            plan.add(Step::Memory, Action::Keep, what);
        }
        if self.has_tags {
            plan.add(Step::Memory, Action::Delete, "tags of the hooks secret: what setup has made");
        }
        plan
    }

    /// Remembers that a thing is about to be deleted, so that a later run does not miss it.
    async fn announce(&self, thing: Thing, context: &Context<'_>) -> Result<(), Failure> {
        match self.made.iter().find(|(made, _)| *made == thing) {
            Some((_, id)) => memory::announce_deletion(context.aws, &context.stack, thing, id).await,
            None => Ok(()),
        }
    }

    /// Applies the plan: first what sends requests to the functions, then what the functions use, and the tags last.
    async fn apply(&self, context: &Context<'_>, terminal: Terminal) -> Result<(), Failure> {
        let (aws, stack) = (context.aws, &context.stack);
        let mut interrupts = Interrupts::start()?;
        if let Some(hook) = &self.telephony_hook {
            terminal.progress("Deleting the telephony hook");
            self.announce(Thing::TelephonyHook, context).await?;
            context.okta.delete_inline_hook(hook).await.map_err(SetupError::from)?;
        }
        if let Some(hook) = &self.previous {
            terminal.progress("Activating the telephony hook that was active before");
            context.okta.set_inline_hook(hook, Status::Active).await.map_err(SetupError::from)?;
        }
        for connection in &self.connections {
            terminal.progress("Switching Okta's built-in telephony connection on");
            context.okta.set_telephony_provider(connection, Status::Active).await.map_err(SetupError::from)?;
        }
        interrupts.check().await?;
        if let Some(hook) = &self.event_hook {
            terminal.progress("Deleting the event hook");
            self.announce(Thing::EventHook, context).await?;
            context.okta.delete_event_hook(hook).await.map_err(SetupError::from)?;
            interrupts.check().await?;
        }
        if self.service_app.has_app() {
            self.announce(Thing::ServiceApp, context).await?;
        }
        self.service_app.remove(&context.okta, context.aws, context.okta_secret.as_deref(), terminal).await?;
        interrupts.check().await?;
        if !self.secret_fields.is_empty() {
            terminal.progress("Removing fields of the hooks secret");
            secret::remove(aws, stack, &self.secret_fields).await?;
            interrupts.check().await?;
        }
        if !self.keys.is_empty() {
            self.announce(Thing::TwilioKey, context).await?;
        }
        for key in &self.keys {
            terminal.progress("Deleting the API key");
            context.twilio.delete_key(key).await.map_err(SetupError::from)?;
            interrupts.check().await?;
        }
        if let Some(service) = &self.service {
            terminal.progress("Deleting the Verify service");
            self.announce(Thing::VerifyService, context).await?;
            context.twilio.delete_service(service).await.map_err(SetupError::from)?;
            interrupts.check().await?;
        }
        if self.has_tags { memory::forget_all(aws, stack).await } else { Ok(()) }
    }
}

/// Removes what `setup` has made.
///
/// # Errors
/// Fails if something cannot be read or removed. The next run continues there.
pub(crate) async fn run(
    options: &TeardownOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    let context = context(options, environment, terminal).await?;
    terminal.progress("Reading Twilio and Okta");
    let state = State::read(&context).await?;
    let plan = state.plan();
    let none = BTreeMap::new();
    if !state.missing.is_empty() && !options.forget_missing && !options.decision.plan {
        plan.print(terminal, Stage::Planned, &none)?;
        return Err(SetupError::Missing.into());
    }
    match plan.confirm(&options.decision, "Remove all this?", &none, terminal)? {
        Answer::Yes => {}
        other => return Ok(other.exit_code()),
    }
    state.apply(&context, terminal).await?;
    terminal.progress("Reading everything again");
    let after = State::read(&context).await?.plan();
    plan.print(terminal, if after.is_done() { Stage::Applied } else { Stage::Unfinished }, &none)?;
    if after.is_done() { Ok(ExitCode::SUCCESS) } else { Err(SetupError::NotAsPlanned.into()) }
}

async fn context<'a>(
    options: &TeardownOptions,
    environment: &'a Environment,
    terminal: Terminal,
) -> Result<Context<'a>, Failure> {
    let Deployed { aws, stack, telephony, event } = Deployed::read(environment, terminal).await?;
    let lookup = |name: &str| telephony.variable(name);
    let common = CommonConfig::from_variables(&Variables::new(&lookup)).map_err(SetupError::Config)?;
    let addresses = Addresses::new(common.verify_url).map_err(SetupError::Config)?;
    let credentials = credentials_of_environment().ok_or(SetupError::NoTwilioCredentials)?;
    let api = super::okta_address(Some(&event))?;
    let token = token_of_environment();
    let token = token.or_else(|| terminal.ask_secret("API token of an Okta super administrator"));
    let okta = token.and_then(|token| Okta::new(&environment.http, &api, &token)).ok_or(SetupError::NoOktaToken)?;
    let twilio = Twilio::new(&environment.http, &addresses, credentials);
    let okta_secret = event.variable("OKTA_SECRET_ID").filter(|id| !id.trim().is_empty());
    Ok(Context { aws, stack, twilio, okta, okta_secret, reactivates: !options.no_reactivate })
}

/// The telephony hooks that matter.
struct Telephony {
    ours: Option<SafeId>,
    /// The one that was active before, if it is inactive and no third one is active.
    previous: Option<SafeId>,
    is_other_active: bool,
}

async fn telephony(context: &Context<'_>, memory: &Memory) -> Result<Telephony, SetupError> {
    let hooks = context.okta.telephony_hooks().await?;
    let ours = hooks.iter().find(|hook| memory.is_own_hook(Thing::TelephonyHook, &hook.id, &hook.channel));
    let ours = ours.map(|hook| hook.id.clone());
    let is_other_active = hooks.iter().any(|hook| hook.status == Status::Active && Some(&hook.id) != ours.as_ref());
    let find = |thing: Thing| {
        let id = memory.made(thing)?;
        hooks.iter().find(|hook| hook.id == *id && hook.status == Status::Inactive).map(|hook| hook.id.clone())
    };
    let previous = find(Thing::DeactivatedHook).or_else(|| find(Thing::PreviousHook));
    Ok(Telephony { ours, previous: previous.filter(|_| !is_other_active), is_other_active })
}

async fn event_hook(context: &Context<'_>, memory: &Memory) -> Result<Option<SafeId>, SetupError> {
    let hooks = context.okta.event_hooks().await?;
    let ours = hooks.into_iter().find(|hook| memory.is_own_hook(Thing::EventHook, &hook.id, &hook.channel));
    Ok(ours.map(|hook| hook.id))
}

/// The Verify service that setup has made, or that the functions use, and whether setup has made it.
async fn service(
    context: &Context<'_>,
    secret: &HooksFields,
    memory: &Memory,
) -> Result<Option<(Service, bool)>, SetupError> {
    if let Some(mark) = memory.creating(Thing::VerifyService) {
        let services = context.twilio.services().await?;
        let ours = services.into_iter().find(|service| memory::mark_of(&service.friendly_name) == mark.as_str());
        return Ok(ours.map(|service| (service, true)));
    }
    let made = made_sid(memory, Thing::VerifyService, "VA");
    for (sid, is_own) in [(made.as_ref(), true), (secret.service.as_ref(), false)] {
        let Some(sid) = sid else { continue };
        match context.twilio.service(sid).await {
            Err(TwilioError::NotFound) => {}
            service => return Ok(Some((service?, is_own))),
        }
    }
    Ok(None)
}

/// The key that setup has made and those that a rotation has made to replace it, if they are still there.
async fn keys(service: Option<&Service>, context: &Context<'_>, memory: &Memory) -> Result<Vec<Sid>, Failure> {
    let Some(trace) = memory.get(Thing::TwilioKey) else { return Ok(Vec::new()) };
    let account = service.map_or(context.twilio.user(), |service| service.account_sid.as_str());
    let account = Sid::parse(account, "AC").ok_or(SetupError::NoAccount)?;
    let secret = context.stack.output("HooksSecretArn").ok_or(SetupError::NoOutput("HooksSecretArn"))?;
    let name = match trace {
        Trace::Creating(mark) => super::twilio::key_name(&context.stack, mark.as_str()),
        Trace::Made(id) | Trace::Deleting(id) => match Sid::parse(id.as_str(), "SK") {
            Some(sid) => replacement_name(secret, &sid),
            None => return Ok(Vec::new()),
        },
    };
    let made = memory.made(Thing::TwilioKey);
    let keys = context.twilio.keys(&account).await.map_err(SetupError::from)?;
    // A rotation that was broken off at its very end has moved the tag to the new key already.
    let made_key = keys.iter().find(|key| made.is_some_and(|made| key.sid == made.as_str()));
    let replaced = made_key.and_then(|key| replaced_by(&key.friendly_name, secret));
    let is_own = |key: &&ListedKey| {
        let is_replaced = replaced.as_ref().is_some_and(|replaced| key.sid == replaced.as_str());
        key.friendly_name == name || is_replaced || made.is_some_and(|made| key.sid == made.as_str())
    };
    Ok(keys.iter().filter(is_own).filter_map(|key| Sid::parse(&key.sid, "SK")).collect())
}

fn made_sid(memory: &Memory, thing: Thing, prefix: &str) -> Option<Sid> {
    Sid::parse(memory.made(thing)?.as_str(), prefix)
}
