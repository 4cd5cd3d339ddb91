//! `okta-twilio setup`: from a deployed stack to a working pair of hooks.
//!
//! It reads everything first, shows one plan, asks once, applies it, and reads everything again. What it creates is
//! remembered right away, so a second run continues where the first one ended.

mod connection;
mod error;
pub(crate) mod interrupts;
pub(crate) mod memory;
mod okta;
pub(crate) mod okta_secret;
mod part;
mod secret;
mod service_app;
pub(crate) mod service_key;
pub(crate) mod teardown;
mod twilio;
pub(crate) mod url;

use std::process::ExitCode;

use ::url::Url;
use clap::Args;
use okta_twilio::{
    config::{CommonConfig, Variables},
    hooks::auth::AuthMode,
    id::Sid,
    okta::client::OktaConfig,
    otp::config::SendConfig,
    secrets::TwilioCredentials,
};

pub(crate) use self::error::SetupError;
use self::{
    interrupts::Interrupts,
    memory::{Memory, Thing},
    part::Part,
    secret::HooksFields,
    url::HookUrl,
};
use crate::{
    aws::{Aws, lambda::FunctionConfiguration},
    environment::Environment,
    failure::Failure,
    okta::{Okta, token_of_environment},
    plan::{Action, Answer, Closing, Decision, Plan, Step},
    stack::{Hook, Stack},
    terminal::Terminal,
    twilio::{Addresses, Twilio, credentials_of_environment},
};

const CLOSING: Closing = Closing {
    nothing: "Everything is set up. `okta-twilio doctor` checks it.",
    applied: "Set up and read again. Next: `okta-twilio doctor`.",
};

/// The options of `setup`.
#[derive(Debug, Args)]
#[command(
    after_help = "Credentials come from the environment: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or TWILIO_API_KEY \
    and TWILIO_API_SECRET of a Main key), and OKTA_API_TOKEN of a super administrator. At a terminal, what is missing is \
    asked for."
)]
pub(crate) struct SetupOptions {
    /// The brand that stands in every message. It names a new Verify service, with at most 30 characters
    #[arg(long, value_name = "NAME")]
    brand: Option<String>,
    /// Use this Verify service, and do not create one
    #[arg(long, value_name = "SID", value_parser = service_sid)]
    adopt: Option<Sid>,
    /// Set up only these parts, with commas between
    #[arg(long, value_enum, value_name = "PARTS", value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    urls: UrlOptions,
    #[command(flatten)]
    decision: Decision,
    #[command(flatten)]
    token: TokenOptions,
}

/// Where Okta finds the functions.
#[derive(Debug, Args)]
struct UrlOptions {
    /// The URL at which Okta reaches telephony-hook, if it is not the stack's: of a proxy, for example. Later runs know it
    #[arg(long, value_name = "URL", value_parser = HookUrl::parse)]
    telephony_url: Option<HookUrl>,
    /// The same for event-hook
    #[arg(long, value_name = "URL", value_parser = HookUrl::parse)]
    events_url: Option<HookUrl>,
    /// Do not call the URLs first: for a machine that may not reach them
    #[arg(long)]
    no_url_check: bool,
}

impl UrlOptions {
    fn get(&self, hook: Hook) -> Option<&HookUrl> {
        match hook {
            Hook::Telephony => self.telephony_url.as_ref(),
            Hook::Event => self.events_url.as_ref(),
        }
    }
}

/// What becomes of the Okta API token.
#[derive(Debug, Args)]
struct TokenOptions {
    /// Revoke the Okta API token after success, also one that comes from the environment
    #[arg(long, conflicts_with = "keep_token")]
    revoke_token: bool,
    /// Do not revoke an Okta API token that was typed at the prompt
    #[arg(long)]
    keep_token: bool,
}

impl TokenOptions {
    fn revokes(&self, is_typed: bool) -> bool {
        self.revoke_token || (is_typed && !self.keep_token)
    }
}

fn service_sid(text: &str) -> Result<Sid, &'static str> {
    Sid::parse(text, "VA").ok_or("must be VA and 32 hexadecimal digits")
}

/// What every step needs.
struct Context<'a> {
    aws: &'a Aws,
    twilio: Option<Twilio>,
    okta: Option<Okta>,
    stack: Stack,
    options: &'a SetupOptions,
    /// The name of a new Verify service.
    brand: Option<String>,
    /// The service of the functions' variables, which nothing in the secret can replace.
    fixed_service: Option<Sid>,
    /// The rate limits that telephony-hook fills.
    rate_limits: Vec<String>,
    uses_lookup: bool,
    /// The header in which the functions expect the secret.
    header: String,
    /// Okta, if event-hook reads users there.
    source: Option<service_app::Source>,
    /// Whether the API token is revoked at the end.
    revokes_token: bool,
}

impl Context<'_> {
    fn wants(&self, part: Part) -> bool {
        self.options.wants(part)
    }

    fn twilio(&self) -> Result<&Twilio, SetupError> {
        self.twilio.as_ref().ok_or(SetupError::NoTwilioCredentials)
    }

    fn okta(&self) -> Result<&Okta, SetupError> {
        self.okta.as_ref().ok_or(SetupError::NoOktaToken)
    }

    /// Creates a thing, and remembers it before and after.
    ///
    /// # Errors
    /// Fails if it is not created, or a tag cannot be written. What was surely not created is not remembered.
    async fn create<T, E: Into<SetupError>>(
        &self,
        (thing, mark): (Thing, &str),
        creation: impl Future<Output = Result<T, E>>,
        id: impl Fn(&T) -> &str,
    ) -> Result<T, Failure> {
        memory::announce(self.aws, &self.stack, thing, mark).await?;
        match creation.await.map_err(Into::into) {
            Ok(made) => {
                memory::remember(self.aws, &self.stack, thing, id(&made)).await?;
                Ok(made)
            }
            Err(error) => {
                if error.is_refusal() {
                    // A tag that stays harms nothing: the next run looks for the thing.
                    let _ = memory::forget(self.aws, &self.stack, &[thing]).await;
                }
                Err(error.into())
            }
        }
    }

    /// The hooks that are set up.
    fn hooks(&self) -> impl Iterator<Item = Hook> {
        let parts = [(Part::Telephony, Hook::Telephony), (Part::Events, Hook::Event)];
        parts.into_iter().filter(|(part, _)| self.wants(*part)).map(|(_, hook)| hook)
    }

    /// Where Okta finds a function: at the URL that was given now or before, or at the stack's.
    fn url<'a>(&'a self, memory: &'a Memory, hook: Hook) -> Result<&'a str, SetupError> {
        let given = self.options.urls.get(hook).map(HookUrl::as_str);
        given.or_else(|| memory.url(&self.stack, hook)).ok_or(SetupError::NoOutput(hook.url_output()))
    }
}

impl SetupOptions {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn wants_okta(&self) -> bool {
        [Part::Telephony, Part::Events, Part::ServiceApp].into_iter().any(|part| self.wants(part))
    }
}

/// Everything as it is now, of the parts that are wanted.
struct State {
    secret: HooksFields,
    memory: Memory,
    twilio: Option<twilio::State>,
    okta: Option<okta::State>,
    service_app: Option<service_app::State>,
}

impl State {
    async fn read(context: &Context<'_>) -> Result<Self, Failure> {
        let secret = HooksFields::read(context.aws, &context.stack).await?;
        secret.auth_secret()?;
        let memory = Memory::read(context.aws, &context.stack).await?;
        memory.check_room()?;
        let has_service = secret.service.is_some() || context.fixed_service.is_some();
        let twilio = if context.wants(Part::Twilio) {
            Some(twilio::State::read(context, &secret, &memory).await?)
        } else if has_service && secret.has_credentials {
            None
        } else {
            return Err(SetupError::TwilioFirst.into());
        };
        let okta = if context.options.wants_okta() { Some(okta::State::read(context, &memory).await?) } else { None };
        let service_app = match &context.source {
            Some(source) if context.wants(Part::ServiceApp) => {
                Some(service_app::State::read(source, context, &memory).await?)
            }
            _ => None,
        };
        Ok(Self { secret, memory, twilio, okta, service_app })
    }

    /// What a run that was broken off has made and could not remember, with its id.
    fn unremembered(&self, context: &Context<'_>) -> Vec<(Thing, String)> {
        // A service that was given by --adopt is somebody else's, whatever its name.
        let twilio = self.twilio.iter().filter(|_| context.options.adopt.is_none());
        let twilio = twilio.flat_map(|twilio| twilio.found(&self.memory));
        let okta = self.okta.iter().flat_map(okta::State::found);
        let service_app = self.service_app.iter().flat_map(service_app::State::found);
        twilio.chain(okta).chain(service_app).filter(|(thing, _)| self.memory.creating(*thing).is_some()).collect()
    }

    /// Whether a run has announced a Verify service, and a person now gives another one.
    fn is_announced_in_vain(&self, context: &Context<'_>) -> bool {
        context.options.adopt.is_some() && self.memory.creating(Thing::VerifyService).is_some()
    }

    /// The URLs that were given now and are not remembered.
    fn new_urls<'a>(&self, context: &'a Context<'_>) -> Vec<(Hook, &'a HookUrl)> {
        let given = Hook::ALL.into_iter().filter_map(|hook| Some((hook, context.options.urls.get(hook)?)));
        given.filter(|(hook, url)| self.memory.url(&context.stack, *hook) != Some(url.as_str())).collect()
    }

    fn plan(&self, context: &Context<'_>) -> Result<Plan, SetupError> {
        let mut plan = Plan::new(CLOSING);
        for (hook, url) in self.new_urls(context) {
            let what = format!("tags of the hooks secret: {} is at {}", hook.name(), url.as_str());
            plan.add(Step::Memory, Action::Change, what);
        }
        if !self.unremembered(context).is_empty() || self.okta.as_ref().is_some_and(okta::State::has_replaced) {
            plan.add(Step::Memory, Action::Change, "tags of the hooks secret: what a run that was broken off has made");
        }
        if self.is_announced_in_vain(context) {
            plan.add(Step::Memory, Action::Change, "tags of the hooks secret: no Verify service was created");
        }
        if let Some(twilio) = &self.twilio {
            twilio::plan(twilio, &self.secret, context, &mut plan)?;
        }
        if let Some(okta) = &self.okta {
            okta::plan(okta, context, &mut plan);
        }
        if let Some(service_app) = &self.service_app {
            service_app::plan(service_app, &mut plan);
        }
        if context.revokes_token && !plan.is_done() {
            plan.add(
                Step::OktaToken,
                Action::Delete,
                "the API token of this run, as the last step (not with --keep-token)",
            );
        }
        Ok(plan)
    }
}

/// Sets everything up that is missing.
///
/// # Errors
/// Fails if something cannot be read or changed. What was changed before stays, and the next run continues there.
pub(crate) async fn run(
    options: &SetupOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    let mut context = context(options, environment, terminal).await?;
    if context.brand.is_none() && needs_brand(&context).await? {
        context.brand = terminal.ask_text("Brand, which stands in every message (at most 30 characters)");
    }
    let context = context;
    terminal.progress("Reading Twilio and Okta");
    let state = State::read(&context).await?;
    if !options.urls.no_url_check {
        terminal.progress("Calling the hooks without the secret");
        for hook in context.hooks() {
            url::check(&environment.http, hook, context.url(&state.memory, hook)?).await?;
        }
    }
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
        plan.print(terminal, true, &after.memory.all_made())?;
        return Err(SetupError::NotAsPlanned.into());
    }
    if plan.has(Step::OktaToken, Action::Delete) {
        terminal.progress("Revoking the API token");
        if let Err(error) = context.okta()?.revoke_own_token().await {
            plan.remove(Step::OktaToken);
            plan.print(terminal, true, &after.memory.all_made())?;
            return Err(SetupError::NotRevoked(error).into());
        }
    }
    plan.print(terminal, true, &after.memory.all_made())?;
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
    for (hook, url) in state.new_urls(context) {
        memory::remember_url(context.aws, &context.stack, hook, url).await?;
    }
    if state.is_announced_in_vain(context) {
        memory::forget(context.aws, &context.stack, &[Thing::VerifyService]).await?;
    }
    for (thing, id) in state.unremembered(context) {
        memory::remember(context.aws, &context.stack, thing, &id).await?;
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

async fn context<'a>(
    options: &'a SetupOptions,
    environment: &'a Environment,
    terminal: Terminal,
) -> Result<Context<'a>, Failure> {
    let aws = environment.aws()?;
    terminal.progress("Reading the stack");
    let stack = Stack::require(aws, &environment.stack_name).await?;
    let telephony = stack.function(aws, Hook::Telephony).await?.ok_or(SetupError::NoFunction(Hook::Telephony))?;
    let event = stack.function(aws, Hook::Event).await?.ok_or(SetupError::NoFunction(Hook::Event))?;
    let lookup = |name: &str| telephony.variable(name);
    let variables = Variables::new(&lookup);
    let common = CommonConfig::from_variables(&variables).map_err(SetupError::Config)?;
    let config = SendConfig::from_variables(&variables).map_err(SetupError::Config)?;
    if matches!(AuthMode::from_variables(&variables).map_err(SetupError::Config)?, AuthMode::Jwt(_)) {
        return Err(SetupError::Oauth.into());
    }
    let addresses = Addresses::new(common.verify_url).map_err(SetupError::Config)?;
    let twilio = if options.wants(Part::Twilio) {
        let credentials = credentials_of_environment().or_else(|| ask_for_credentials(terminal));
        Some(credentials.ok_or(SetupError::NoTwilioCredentials)?)
    } else {
        None
    };
    let mut is_token_typed = false;
    let okta = if options.wants_okta() {
        let api = okta_address(Some(&event))?;
        let token = token_of_environment();
        is_token_typed = token.is_none();
        let token = token.or_else(|| terminal.ask_secret("API token of an Okta super administrator"));
        let okta = token.and_then(|token| Okta::new(&environment.http, &api, &token));
        Some(okta.ok_or(SetupError::NoOktaToken)?)
    } else {
        None
    };
    Ok(Context {
        aws,
        twilio: twilio.map(|credentials| Twilio::new(&environment.http, &addresses, credentials)),
        okta,
        stack,
        options,
        brand: options.brand.clone(),
        fixed_service: common.verify_service_sid,
        rate_limits: config.rate_limits.iter().map(|limit| limit.key().to_owned()).collect(),
        uses_lookup: variables.optional("LOOKUP_FIELDS").is_some(),
        header: variables.optional("AUTH_HEADER").unwrap_or_else(|| "auth_secret".to_owned()),
        source: service_app::Source::of(&event)?,
        revokes_token: options.token.revokes(is_token_typed),
    })
}

/// Whether a new Verify service has to be named.
async fn needs_brand(context: &Context<'_>) -> Result<bool, Failure> {
    if !context.wants(Part::Twilio) || context.options.adopt.is_some() || context.fixed_service.is_some() {
        return Ok(false);
    }
    let memory = Memory::read(context.aws, &context.stack).await?;
    let secret = HooksFields::read(context.aws, &context.stack).await?;
    Ok(secret.service.is_none() && memory.made(Thing::VerifyService).is_none())
}

fn ask_for_credentials(terminal: Terminal) -> Option<TwilioCredentials> {
    let account = terminal.ask_text("SID of the Twilio account (AC…)")?;
    let token = terminal.ask_secret("Auth token of the Twilio account")?;
    Some(TwilioCredentials::new(account, token))
}

/// Okta's address: event-hook's, or that of this program's environment.
///
/// # Errors
/// Fails if there is none, or it is no URL.
pub(crate) fn okta_address(event: Option<&FunctionConfiguration>) -> Result<Url, SetupError> {
    let lookup = |name: &str| {
        let value = event.and_then(|event| event.variable(name)).filter(|value| !value.trim().is_empty());
        let value = value.or_else(|| okta_twilio::config::environment(name));
        // Hooks need no secret for Okta's API.
        value.or_else(|| (name == "OKTA_SECRET_ID").then(|| "none".to_owned()))
    };
    OktaConfig::from_variables(&Variables::new(&lookup)).map(|config| config.api_url).map_err(SetupError::Config)
}
