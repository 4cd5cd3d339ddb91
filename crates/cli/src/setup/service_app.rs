//! The service app with which event-hook reads users: only where Okta is a source of phone numbers.

use okta_twilio::{config::Variables, feedback::approve::FeedbackConfig, id::SafeId, okta::client::OktaConfig};

use super::{
    Context, SetupError,
    memory::{self, Memory, Thing},
    okta_secret::{self, OktaFields},
    service_key::{self, ServiceKey},
};
use crate::{
    aws::{Aws, lambda::FunctionConfiguration},
    environment::Environment,
    failure::Failure,
    okta::{
        Okta, OktaError,
        apps::{App, AppKey, Iam},
    },
    plan::{Action, Plan, Step},
    stack::Stack,
    terminal::Terminal,
    twilio::keys::end_of_arn,
};

/// What event-hook needs of Okta.
pub(super) struct Source {
    config: OktaConfig,
}

impl Source {
    /// `None` if event-hook reads nothing in Okta.
    ///
    /// # Errors
    /// Fails if a variable of event-hook is invalid.
    pub(super) fn of(event: &FunctionConfiguration) -> Result<Option<Self>, SetupError> {
        let lookup = |name: &str| event.variable(name);
        let variables = Variables::new(&lookup);
        let config = FeedbackConfig::from_variables(&variables).map_err(SetupError::Config)?;
        if config.sources.is_empty() || variables.optional("OKTA_SECRET_ID").is_none() {
            return Ok(None);
        }
        OktaConfig::from_variables(&variables).map(|config| Some(Self { config })).map_err(SetupError::Config)
    }

    /// The org's own URL, without a slash at the end.
    fn org(&self) -> &str {
        self.config.org_url.as_str().trim_end_matches('/')
    }
}

/// The service app as it is now.
pub(super) struct State {
    fields: OktaFields,
    app: Option<App>,
    /// Whether a key of the app is in the secret.
    is_stored: bool,
    has_scope: bool,
    has_role: bool,
    /// Keys of the app that nobody has the private half of.
    orphans: usize,
}

impl State {
    /// Reads the secret and the app.
    ///
    /// # Errors
    /// Fails if one of them cannot be read.
    pub(super) async fn read(source: &Source, context: &Context<'_>, memory: &Memory) -> Result<Self, Failure> {
        let fields = OktaFields::read(context.aws, &source.config.secret_id).await?;
        let app = app(context.okta()?, &context.stack, memory).await?;
        let Some(app) = app else {
            // An app of ours that was deleted by hand leaves credentials that no app stands behind.
            let remembered = memory.made(Thing::ServiceApp).map(SafeId::as_str);
            let is_orphaned = remembered.is_some() && fields.client_id.as_deref() == remembered;
            let fields = if is_orphaned { OktaFields::default() } else { fields };
            let (has_scope, has_role) = (false, false);
            return Ok(Self { fields, app: None, is_stored: false, has_scope, has_role, orphans: 0 });
        };
        let okta = context.okta()?;
        let keys = okta.app_keys(&app.id).await.map_err(SetupError::from)?;
        let is_known = keys.iter().any(|key| key.kid.is_some() && key.kid == fields.key_id);
        let is_stored = fields.is_usable && is_known && fields.client_id.as_deref() == Some(app.client_id().as_str());
        let orphans = keys.iter().filter(|key| is_orphan(key, fields.key_id.as_deref())).count();
        let has_scope = okta.has_scope(&app.id).await.map_err(SetupError::from)?;
        let has_role = okta.has_role(app.client_id()).await.map_err(SetupError::from)?;
        Ok(Self { fields, app: Some(app), is_stored, has_scope, has_role, orphans })
    }

    /// Whether the credentials in the secret are of somebody else.
    fn is_foreign(&self) -> bool {
        self.app.is_none() && self.fields.is_usable
    }

    /// Whether everything of the app is there, so that only a use can show whether it works.
    pub(super) fn is_whole(&self) -> bool {
        self.is_stored && self.has_scope && self.has_role
    }

    /// What a run that was broken off has made, with its id.
    pub(super) fn found(&self) -> impl Iterator<Item = (Thing, String)> {
        self.app.iter().map(|app| (Thing::ServiceApp, app.id.to_string()))
    }
}

/// Whether a key of the app is ours, and neither the one in the secret nor the one that a rotation replaces.
fn is_orphan(key: &AppKey, stored: Option<&str>) -> bool {
    key.kid.as_deref().is_some_and(|kid| {
        let is_in_use = stored.is_some_and(|stored| stored == kid || service_key::replaces(stored, kid));
        service_key::is_own(kid) && !is_in_use
    })
}

async fn app(okta: &Okta, stack: &Stack, memory: &Memory) -> Result<Option<App>, SetupError> {
    match memory.get(Thing::ServiceApp) {
        None => Ok(None),
        Some(memory::Trace::Creating(_)) => Ok(okta.app_of_label(&label(stack)?).await?),
        Some(memory::Trace::Made(id) | memory::Trace::Deleting(id)) => match okta.app(id).await {
            Err(OktaError::NotFound) => Ok(None),
            app => Ok(Some(app?)),
        },
    }
}

/// The name of the app, of its role and of its resource set in Okta. The end of the secret's ARN is random, so another stack
/// with the same name, in another account or region, has another one.
pub(super) fn label(stack: &Stack) -> Result<String, SetupError> {
    let secret = stack.output("HooksSecretArn").ok_or(SetupError::NoOutput("HooksSecretArn"))?;
    let name: String = stack.name.as_str().chars().take(30).collect();
    Ok(format!("okta-twilio {name} {}", end_of_arn(secret)))
}

/// Adds the lines of the service app.
pub(super) fn plan(state: &State, plan: &mut Plan) {
    if state.is_foreign() {
        plan.add(Step::ServiceApp, Action::Keep, "credentials in the Okta secret, which setup did not make");
        return;
    }
    let action = |is_there: bool| if is_there { Action::Keep } else { Action::Create };
    plan.add(Step::ServiceApp, action(state.app.is_some()), "service app with which event-hook reads users");
    plan.add(Step::ServiceKey, action(state.is_stored), "key of the service app in the Okta secret");
    if state.orphans > 0 {
        plan.add(Step::OrphanServiceKey, Action::Delete, "keys of the service app that are not in the Okta secret");
    }
    plan.add(Step::Scope, action(state.has_scope), "scope okta.users.read of the service app");
    plan.add(Step::Role, action(state.has_role), "custom role of the service app that reads users, and nothing else");
}

/// Creates what is missing, and proves that users can be read.
///
/// # Errors
/// Fails if Okta refuses, or the secret cannot be written.
pub(super) async fn apply(
    state: &State,
    source: &Source,
    plan: &Plan,
    context: &Context<'_>,
    environment: &Environment,
    terminal: Terminal,
) -> Result<(), Failure> {
    const STEPS: [Step; 5] = [Step::ServiceApp, Step::ServiceKey, Step::OrphanServiceKey, Step::Scope, Step::Role];
    let changes = |step: &Step| plan.has(*step, Action::Create) || plan.has(*step, Action::Delete);
    if !STEPS.iter().any(changes) {
        return Ok(());
    }
    terminal.progress("Setting up the service app");
    let okta = context.okta()?;
    let secret_id = &source.config.secret_id;
    let (app, kid) = match &state.app {
        Some(app) if state.is_stored => (app.clone(), state.fields.key_id.clone()),
        app => {
            let key = ServiceKey::generate()?;
            let app = match app {
                Some(app) => {
                    okta.add_app_key(&app.id, &key.public).await.map_err(SetupError::from)?;
                    app.clone()
                }
                None => create_app(&key, context).await?,
            };
            okta_secret::store(context.aws, secret_id, app.client_id().as_str(), &key).await?;
            (app, Some(key.kid))
        }
    };
    for key in okta.app_keys(&app.id).await.map_err(SetupError::from)? {
        if is_orphan(&key, kid.as_deref()) {
            okta.delete_app_key(&app.id, &key).await.map_err(SetupError::from)?;
        }
    }
    if !state.has_scope {
        okta.grant_scope(&app.id, source.org()).await.map_err(SetupError::from)?;
    }
    if !state.has_role {
        let role = named(Iam::Role, Thing::Role, source, context).await?;
        let resource_set = named(Iam::ResourceSet, Thing::ResourceSet, source, context).await?;
        okta.assign_role(app.client_id(), &role, &resource_set).await.map_err(SetupError::from)?;
    }
    prove(source, context, environment).await
}

/// Reads a user as event-hook does.
///
/// # Errors
/// Fails if users cannot be read.
pub(super) async fn prove(source: &Source, context: &Context<'_>, environment: &Environment) -> Result<(), Failure> {
    okta_secret::prove(&source.config, context.aws, environment).await
}

async fn create_app(key: &ServiceKey, context: &Context<'_>) -> Result<App, Failure> {
    let label = label(&context.stack)?;
    let creation = context.okta()?.create_app(&label, &key.public);
    context.create((Thing::ServiceApp, &memory::mark_of(&label)), creation, |app| app.id.as_str()).await
}

/// The role or the resource set of this stack, which is created if it is not there.
async fn named(kind: Iam, thing: Thing, source: &Source, context: &Context<'_>) -> Result<SafeId, Failure> {
    let (okta, label) = (context.okta()?, label(&context.stack)?);
    if let Some(id) = okta.iam_of_label(kind, &label).await.map_err(SetupError::from)? {
        memory::remember(context.aws, &context.stack, thing, id.as_str()).await?;
        return Ok(id);
    }
    let creation = okta.create_iam(kind, &label, source.org());
    context.create((thing, &memory::mark_of(&label)), creation, SafeId::as_str).await
}

/// What is left of the service app that `setup` has made, for `teardown`.
pub(super) struct Left {
    app: Option<App>,
    /// Whether the Okta secret has a key of it.
    is_stored: bool,
    role: Option<SafeId>,
    resource_set: Option<SafeId>,
}

impl Left {
    /// Finds what is left.
    ///
    /// # Errors
    /// Fails if Okta or the secret cannot be read.
    pub(super) async fn read(
        okta: &Okta,
        aws: &Aws,
        secret_id: Option<&str>,
        stack: &Stack,
        memory: &Memory,
    ) -> Result<Self, Failure> {
        let remembered = memory.made(Thing::ServiceApp);
        let app = app(okta, stack, memory).await?;
        let is_stored = match secret_id {
            Some(id) if memory.get(Thing::ServiceApp).is_some() => {
                let client_id = OktaFields::read(aws, id).await?.client_id;
                let own = app.as_ref().map(App::client_id).or(remembered);
                client_id.is_some() && client_id.as_deref() == own.map(SafeId::as_str)
            }
            _ => false,
        };
        let role = named_left(Iam::Role, Thing::Role, okta, stack, memory).await?;
        let resource_set = named_left(Iam::ResourceSet, Thing::ResourceSet, okta, stack, memory).await?;
        Ok(Self { app, is_stored, role, resource_set })
    }

    /// Whether the app is still there.
    pub(super) fn has_app(&self) -> bool {
        self.app.is_some()
    }

    /// Adds a line for each of them.
    pub(super) fn plan(&self, plan: &mut Plan) {
        if self.is_stored {
            plan.add(Step::ServiceKey, Action::Delete, "key of the service app in the Okta secret");
        }
        if let Some(app) = &self.app {
            plan.add(Step::ServiceApp, Action::Delete, format!("service app {}", app.id));
        }
        if let Some(role) = &self.role {
            plan.add(Step::Role, Action::Delete, format!("custom role {role}"));
        }
        if let Some(resource_set) = &self.resource_set {
            plan.add(Step::ResourceSet, Action::Delete, format!("resource set {resource_set}"));
        }
    }

    /// Removes it: the app first, because Okta keeps a role that is assigned.
    ///
    /// # Errors
    /// Fails if Okta refuses, or the secret cannot be written.
    pub(super) async fn remove(
        &self,
        okta: &Okta,
        aws: &Aws,
        secret_id: Option<&str>,
        terminal: Terminal,
    ) -> Result<(), Failure> {
        if let (true, Some(id)) = (self.is_stored, secret_id) {
            terminal.progress("Removing the key of the service app from the Okta secret");
            okta_secret::clear(aws, id).await?;
        }
        if let Some(app) = &self.app {
            terminal.progress("Deleting the service app");
            okta.delete_app(&app.id).await.map_err(SetupError::from)?;
        }
        for (kind, id) in [(Iam::Role, &self.role), (Iam::ResourceSet, &self.resource_set)] {
            if let Some(id) = id {
                okta.delete_iam(kind, id).await.map_err(SetupError::from)?;
            }
        }
        Ok(())
    }
}

/// A role or a resource set that setup has made, if it is still there.
async fn named_left(
    kind: Iam,
    thing: Thing,
    okta: &Okta,
    stack: &Stack,
    memory: &Memory,
) -> Result<Option<SafeId>, SetupError> {
    if memory.get(thing).is_none() {
        return Ok(None);
    }
    let found = okta.iam_of_label(kind, &label(stack)?).await?;
    Ok(found.filter(|id| memory.made(thing).is_none_or(|made| made == id)))
}
