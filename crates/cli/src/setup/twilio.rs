//! Twilio's side of `setup`: the Verify service, its rate limits, and a key.

use okta_twilio::id::{SafeId, Sid};
use secrecy::SecretString;

use super::{
    Context, SetupError,
    memory::{self, Memory, Thing},
    secret::{self, HooksFields},
};
use crate::{
    aws::secrets_manager,
    failure::Failure,
    plan::{Action, Plan, Step},
    stack::Stack,
    terminal::Terminal,
    twilio::{
        TwilioError,
        keys::{self, ListedKey},
        services::{Bucket, Service},
    },
};

/// The bucket of a new rate limit: as many sends as Twilio allows for a number.
const BUCKET: Bucket = Bucket { max: 5, interval: 600 };

/// Twilio as it is now.
pub(super) struct State {
    /// The service that the functions use, or will use.
    service: Option<Service>,
    /// The rate limits of telephony-hook that limit nothing yet.
    missing_limits: Vec<String>,
    /// The sid of another service of the same brand.
    namesake: Option<String>,
    /// A key of a run that was broken off. Nobody knows its secret.
    orphan_key: Option<Sid>,
}

impl State {
    /// Reads the service.
    ///
    /// # Errors
    /// Fails if Twilio cannot be read, or the service of the functions does not exist.
    pub(super) async fn read(context: &Context<'_>, secret: &HooksFields, memory: &Memory) -> Result<Self, SetupError> {
        let adopted = context.options.adopt.as_ref();
        if let (Some(adopted), Some(fixed)) = (adopted, &context.fixed_service)
            && adopted != fixed
        {
            return Err(SetupError::OtherService);
        }
        let sid = context.fixed_service.as_ref().or(adopted).or(secret.service.as_ref());
        let service = match sid {
            Some(sid) => match context.twilio()?.service(sid).await {
                Err(TwilioError::NotFound) => return Err(SetupError::NoService),
                service => Some(service?),
            },
            None => Self::own_service(context, memory).await?,
        };
        match service {
            Some(service) => Self::with_service(service, context, secret, memory).await,
            None => Self::without_service(context).await,
        }
    }

    /// The service of a run that was broken off.
    async fn own_service(context: &Context<'_>, memory: &Memory) -> Result<Option<Service>, SetupError> {
        if let Some(sid) = memory.made(Thing::VerifyService).and_then(|id| Sid::parse(id.as_str(), "VA")) {
            return match context.twilio()?.service(&sid).await {
                Err(TwilioError::NotFound) => Ok(None),
                service => Ok(Some(service?)),
            };
        }
        let Some(mark) = memory.creating(Thing::VerifyService) else { return Ok(None) };
        let services = context.twilio()?.services().await?;
        let own = services.into_iter().find(|service| memory::mark_of(&service.friendly_name) == mark.as_str());
        match (&own, &context.brand) {
            (Some(own), Some(brand)) if own.friendly_name != *brand => Err(SetupError::OtherBrand(own.sid.clone())),
            _ => Ok(own),
        }
    }

    async fn with_service(
        service: Service,
        context: &Context<'_>,
        secret: &HooksFields,
        memory: &Memory,
    ) -> Result<Self, SetupError> {
        let sid = sid_of(&service)?;
        let limits = context.twilio()?.rate_limits(&sid).await?;
        let mut missing_limits = Vec::new();
        for name in &context.rate_limits {
            let limit = limits.iter().find(|limit| limit.unique_name == *name);
            let is_limiting = match limit {
                Some(limit) => !context.twilio()?.buckets(&sid, limit).await?.is_empty(),
                None => false,
            };
            if !is_limiting {
                missing_limits.push(name.clone());
            }
        }
        let orphan_key = orphan_key(&service, context, secret, memory).await?;
        Ok(Self { service: Some(service), missing_limits, namesake: None, orphan_key })
    }

    async fn without_service(context: &Context<'_>) -> Result<Self, SetupError> {
        let services = context.twilio()?.services().await?;
        let namesake = services.into_iter().find(|service| Some(&service.friendly_name) == context.brand.as_ref());
        let namesake = namesake.map(|service| service.sid);
        Ok(Self { service: None, missing_limits: context.rate_limits.clone(), namesake, orphan_key: None })
    }

    /// What is there of the things that a run creates.
    pub(super) fn found(&self, memory: &Memory) -> Vec<(Thing, String)> {
        let mark = memory.creating(Thing::VerifyService).map(SafeId::as_str);
        let service = self.service.as_ref();
        let service = service.filter(|service| mark == Some(memory::mark_of(&service.friendly_name).as_str()));
        let service = service.map(|service| (Thing::VerifyService, service.sid.clone()));
        service.into_iter().collect()
    }
}

/// The key of a run that was broken off before the hooks secret had it. It is ours: its name has the mark that the run
/// wrote into the tag just before, or the tag has its sid.
async fn orphan_key(
    service: &Service,
    context: &Context<'_>,
    secret: &HooksFields,
    memory: &Memory,
) -> Result<Option<Sid>, SetupError> {
    let made = memory.made(Thing::TwilioKey).and_then(|id| Sid::parse(id.as_str(), "SK"));
    let is_own = |key: &ListedKey| match (memory.creating(Thing::TwilioKey), &made) {
        (Some(mark), _) => key.friendly_name == key_name(&context.stack, mark.as_str()),
        // Other credentials came later: the key can be in use elsewhere.
        (None, Some(made)) => !secret.has_credentials && key.sid == made.as_str(),
        (None, None) => false,
    };
    let is_possible = memory.creating(Thing::TwilioKey).is_some() || (made.is_some() && !secret.has_credentials);
    if !is_possible {
        return Ok(None);
    }
    let account = Sid::parse(&service.account_sid, "AC").ok_or(SetupError::NoSid)?;
    let keys = context.twilio()?.keys(&account).await?;
    let own = keys.iter().filter(|key| is_own(key)).filter_map(|key| Sid::parse(&key.sid, "SK"));
    Ok(own.into_iter().find(|sid| secret.key.as_ref() != Some(sid)))
}

/// The name of a key: the stack and a mark that no other run uses.
pub(super) fn key_name(stack: &Stack, mark: &str) -> String {
    let stack: String = stack.name.as_str().chars().take(24).collect();
    format!("okta-twilio {stack} {mark}")
}

/// Adds Twilio's lines.
///
/// # Errors
/// Fails if a service has to be created and cannot be named.
pub(super) fn plan(
    state: &State,
    secret: &HooksFields,
    context: &Context<'_>,
    plan: &mut Plan,
) -> Result<(), SetupError> {
    match (&state.service, &context.brand, &state.namesake) {
        (Some(service), ..) => {
            let is_stored = context.fixed_service.is_some()
                || secret.service.as_ref().is_some_and(|stored| stored.as_str() == service.sid);
            let action = if is_stored { Action::Keep } else { Action::Change };
            plan.add(Step::VerifyService, action, format!("Verify service {} in the hooks secret", service.sid));
            let action = if service.custom_code_enabled { Action::Keep } else { Action::Change };
            plan.add(Step::CustomCodes, action, "the service takes codes of the caller");
        }
        (None, None, _) => return Err(SetupError::NoBrand),
        (None, Some(_), Some(namesake)) => return Err(SetupError::BrandExists(namesake.clone())),
        (None, Some(_), None) => {
            plan.add(Step::VerifyService, Action::Create, "Verify service that takes codes of the caller");
        }
    }
    for name in &context.rate_limits {
        let action = if state.missing_limits.contains(name) { Action::Create } else { Action::Keep };
        let limit = format!("{} in {} s", BUCKET.max, BUCKET.interval);
        let what =
            if action == Action::Create { format!("rate limit {name}: {limit}") } else { format!("rate limit {name}") };
        plan.add(Step::RateLimit, action, what);
    }
    if let Some(key) = &state.orphan_key {
        let what = format!("API key {}, which a run that was broken off has created and not stored", key.as_str());
        plan.add(Step::OrphanKey, Action::Delete, what);
    }
    if secret.has_credentials {
        // Whether it is a restricted one is not known here. `doctor` finds out.
        plan.add(Step::Key, Action::Keep, "credentials for Twilio in the hooks secret");
    } else {
        plan.add(Step::Key, Action::Create, "API key in the hooks secret, restricted to what the functions need");
    }
    Ok(())
}

/// Creates or changes the service, and stores its sid at once.
///
/// # Errors
/// Fails if Twilio refuses, or the secret cannot be written.
pub(super) async fn apply_service(
    state: &State,
    plan: &Plan,
    context: &Context<'_>,
    terminal: Terminal,
) -> Result<Service, Failure> {
    let service = match (&state.service, &context.brand) {
        (Some(service), _) => service.clone(),
        (None, Some(brand)) => {
            terminal.progress("Creating the Verify service");
            let creation = context.twilio()?.create_service(brand);
            let mark = memory::mark_of(brand);
            context.create((Thing::VerifyService, &mark), creation, |service| service.sid.as_str()).await?
        }
        (None, None) => return Err(SetupError::NoBrand.into()),
    };
    if !plan.has(Step::VerifyService, Action::Keep) {
        let sid = SecretString::from(service.sid.clone());
        secret::store(context.aws, &context.stack, &[("verify_service_sid", &sid)]).await?;
    }
    if plan.has(Step::CustomCodes, Action::Change) {
        terminal.progress("Turning custom codes on");
        context.twilio()?.enable_custom_codes(&sid_of(&service)?).await.map_err(SetupError::from)?;
    }
    Ok(service)
}

/// Creates rate limits and buckets that are missing.
///
/// # Errors
/// Fails if Twilio refuses.
pub(super) async fn apply_rate_limits(
    service: &Service,
    plan: &Plan,
    context: &Context<'_>,
    terminal: Terminal,
) -> Result<(), SetupError> {
    if !plan.has(Step::RateLimit, Action::Create) {
        return Ok(());
    }
    terminal.progress("Creating rate limits");
    let sid = sid_of(service)?;
    let existing = context.twilio()?.rate_limits(&sid).await?;
    for name in &context.rate_limits {
        let limit = match existing.iter().find(|limit| limit.unique_name == *name) {
            Some(limit) => limit.clone(),
            None => context.twilio()?.create_rate_limit(&sid, name).await?,
        };
        if context.twilio()?.buckets(&sid, &limit).await?.is_empty() {
            context.twilio()?.create_bucket(&sid, &limit, &BUCKET).await?;
        }
    }
    Ok(())
}

/// Deletes the key of a run that was broken off.
///
/// # Errors
/// Fails if Twilio refuses.
pub(super) async fn delete_orphan(state: &State, context: &Context<'_>, terminal: Terminal) -> Result<(), Failure> {
    let Some(key) = &state.orphan_key else { return Ok(()) };
    terminal.progress("Deleting the API key of a run that was broken off");
    context.twilio()?.delete_key(key).await.map_err(SetupError::from)?;
    memory::forget(context.aws, &context.stack, &[Thing::TwilioKey]).await
}

/// Creates a restricted key, and stores it at once: Twilio shows its secret only now. Where the account gets no
/// restricted keys, it is a Standard key, and the plan warns.
///
/// # Errors
/// Fails if Twilio refuses, or the secret cannot be written.
pub(super) async fn create_key(
    service: &Service,
    plan: &mut Plan,
    context: &Context<'_>,
    terminal: Terminal,
) -> Result<(), Failure> {
    terminal.progress("Creating the API key");
    let account = Sid::parse(&service.account_sid, "AC").ok_or(SetupError::NoSid)?;
    let lookup = context.uses_lookup.then_some(keys::LOOKUP);
    let permissions: Vec<_> = keys::FUNCTIONS.into_iter().chain(lookup).collect();
    let mark = format!("key-{}", secrets_manager::random_hex()?.chars().take(16).collect::<String>());
    let name = key_name(&context.stack, &mark);
    let creation = context.twilio()?.create_key_with_fallback(&account, &name, &permissions);
    let key = context.create((Thing::TwilioKey, &mark), creation, |key| key.sid.as_str()).await?;
    if !key.is_restricted() {
        // At once, because a later step can fail, and then there is no summary.
        terminal.progress(keys::NOT_RESTRICTED);
        plan.warn(keys::NOT_RESTRICTED);
    }
    let sid = SecretString::from(key.sid);
    let fields = [("twilio_api_key_sid", &sid), ("twilio_api_key_secret", &key.secret)];
    secret::store(context.aws, &context.stack, &fields).await
}

fn sid_of(service: &Service) -> Result<Sid, SetupError> {
    Sid::parse(&service.sid, "VA").ok_or(SetupError::NoSid)
}
