//! What every step of `setup` needs.

use ::url::Url;
use okta_twilio::{
    config::{CommonConfig, Variables},
    hooks::auth::AuthMode,
    id::Sid,
    okta::client::OktaConfig,
    otp::config::SendConfig,
    secrets::TwilioCredentials,
};

use super::{
    SetupError, SetupOptions,
    memory::{self, Memory, Thing},
    part::Part,
    secret::HooksFields,
    service_app,
    url::{self, HookUrl},
};
use crate::{
    aws::{Aws, lambda::FunctionConfiguration},
    environment::Environment,
    failure::Failure,
    okta::{Okta, hooks::plain, token_of_environment},
    stack::{Hook, Stack},
    terminal::Terminal,
    twilio::{Addresses, Twilio, credentials_of_environment},
};

/// The parts that are hooks.
const HOOKS: [(Part, Hook); 2] = [(Part::Telephony, Hook::Telephony), (Part::Events, Hook::Event)];

/// The stack with both of its functions.
pub(super) struct Deployed<'a> {
    pub(super) aws: &'a Aws,
    pub(super) stack: Stack,
    pub(super) telephony: FunctionConfiguration,
    pub(super) event: FunctionConfiguration,
}

impl<'a> Deployed<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// Fails if AWS does not return them, or one is missing.
    pub(super) async fn read(environment: &'a Environment, terminal: Terminal) -> Result<Self, Failure> {
        let aws = environment.aws()?;
        terminal.progress("Reading the stack");
        let stack = Stack::require(aws, &environment.stack_name).await?;
        let telephony = stack.function(aws, Hook::Telephony).await?.ok_or(SetupError::NoFunction(Hook::Telephony))?;
        let event = stack.function(aws, Hook::Event).await?.ok_or(SetupError::NoFunction(Hook::Event))?;
        Ok(Self { aws, stack, telephony, event })
    }
}

/// What every step needs.
pub(super) struct Context<'a> {
    pub(super) aws: &'a Aws,
    pub(super) twilio: Option<Twilio>,
    pub(super) okta: Option<Okta>,
    pub(super) stack: Stack,
    pub(super) options: &'a SetupOptions,
    /// The name of a new Verify service.
    pub(super) brand: Option<String>,
    /// The service of the functions' variables, which nothing in the secret can replace.
    pub(super) fixed_service: Option<Sid>,
    /// The rate limits that telephony-hook fills.
    pub(super) rate_limits: Vec<String>,
    pub(super) uses_lookup: bool,
    /// The header in which the functions expect the secret.
    pub(super) header: String,
    /// Okta, if event-hook reads users there.
    pub(super) source: Option<service_app::Source>,
    /// Whether the API token is revoked at the end.
    pub(super) revokes_token: bool,
}

impl Context<'_> {
    pub(super) fn wants(&self, part: Part) -> bool {
        self.options.wants(part)
    }

    pub(super) fn twilio(&self) -> Result<&Twilio, SetupError> {
        self.twilio.as_ref().ok_or(SetupError::NoTwilioCredentials)
    }

    pub(super) fn okta(&self) -> Result<&Okta, SetupError> {
        self.okta.as_ref().ok_or(SetupError::NoOktaToken)
    }

    /// Creates a thing, and remembers it before and after.
    ///
    /// # Errors
    /// Fails if it is not created, or a tag cannot be written. What was surely not created is not remembered.
    pub(super) async fn create<T, E: Into<SetupError>>(
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
    pub(super) fn hooks(&self) -> impl Iterator<Item = Hook> {
        HOOKS.into_iter().filter(|(part, _)| self.wants(*part)).map(|(_, hook)| hook)
    }

    /// Calls the hooks without the secret.
    ///
    /// # Errors
    /// Fails if a URL leads to no hook, or to the other one.
    pub(super) async fn check_urls(&self, memory: &Memory, http: &reqwest::Client) -> Result<(), SetupError> {
        let other = |hook: Hook| if hook == Hook::Telephony { Hook::Event } else { Hook::Telephony };
        for hook in self.hooks() {
            let url = self.url(memory, hook)?;
            let others = [self.url(memory, other(hook)).ok(), self.stack.output(other(hook).url_output())];
            if others.into_iter().flatten().any(|other| plain(other) == plain(url)) {
                return Err(SetupError::UrlOfOtherHook(hook));
            }
        }
        if self.options.urls.no_url_check {
            return Ok(());
        }
        for hook in self.hooks() {
            url::check(http, hook, self.url(memory, hook)?).await?;
        }
        Ok(())
    }

    /// Where Okta finds a function: at the URL that was given now or before, or at the stack's.
    pub(super) fn url<'a>(&'a self, memory: &'a Memory, hook: Hook) -> Result<&'a str, SetupError> {
        let given = self.options.urls.get(hook).map(HookUrl::as_str);
        given.or_else(|| memory.url(&self.stack, hook)).ok_or(SetupError::NoOutput(hook.url_output()))
    }
}

/// Reads the stack, and asks at a terminal for what is missing.
///
/// # Errors
/// Fails if the stack cannot be read or set up, or if credentials are missing.
pub(super) async fn gather<'a>(
    options: &'a SetupOptions,
    environment: &'a Environment,
    terminal: Terminal,
) -> Result<Context<'a>, Failure> {
    options.urls.check()?;
    let Deployed { aws, stack, telephony, event } = Deployed::read(environment, terminal).await?;
    for (part, hook) in HOOKS {
        if options.urls.get(hook).is_some() && !options.wants(part) {
            return Err(SetupError::UrlOfOtherPart(hook).into());
        }
    }
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
    let mut context = Context {
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
    };
    if context.brand.is_none() && needs_brand(&context).await? {
        context.brand = terminal.ask_text("Brand, which stands in every message (at most 30 characters)");
    }
    Ok(context)
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
