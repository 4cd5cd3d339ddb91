//! An Okta org as its administrators use it: hooks, authenticators, the System Log and tokens, for tests of the command
//! line tool.
//!
//! It executes and verifies hooks by really calling their URLs. A field or parameter that Okta does not document is
//! refused. A test changes the org by [`OktaOrg::change`].

mod apps;
mod call;
mod filter;
mod hooks;
mod settings;
mod system_log;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use serde_json::{Value, json};

use self::call::Call;
pub use self::{
    apps::{AppKey, Named, ServiceApp},
    hooks::{Channel, EventHook, InlineHook},
    settings::{ApiToken, Authenticator},
    system_log::LogEvent,
};
use super::{error::OktaError, options::OktaOptions, tokens::Tokens, users::OktaUser};
use crate::{clock::Clock, exchanges, gate::Gate, loopback::Server};

/// A running org.
pub struct OktaOrg {
    server: Server,
    org: Arc<Mutex<Org>>,
}

/// What is in the org.
pub struct Org {
    /// The service app, and the org's own URL. Its `api_token` is a token of a super administrator.
    pub options: OktaOptions,
    /// The inline hooks.
    pub inline_hooks: Vec<InlineHook>,
    /// The event hooks.
    pub event_hooks: Vec<EventHook>,
    /// The authenticators.
    pub authenticators: Vec<Authenticator>,
    /// The telephony providers without a hook: whether each is enabled. `None`: the org does not have the feature.
    pub telephony_providers: Option<Vec<bool>>,
    /// The names of the early-access features, and whether each is on.
    pub features: BTreeMap<String, bool>,
    /// What Okta knows of its API tokens.
    pub api_tokens: Vec<ApiToken>,
    /// The service apps. A test can leave them out, and give one by `options`.
    pub apps: Vec<ServiceApp>,
    /// The custom roles.
    pub roles: Vec<Named>,
    /// The resource sets.
    pub resource_sets: Vec<Named>,
    /// The System Log, the oldest first.
    pub log: Vec<LogEvent>,
    /// User ids, by login.
    pub users: BTreeMap<String, String>,
    /// OAuth scopes whose requests are refused, such as `okta.logs.read`: the caller's role does not cover them.
    pub denied: BTreeSet<&'static str>,
    /// Requests that are left in this minute.
    pub requests_left: u32,
    /// Each response comes so much later than what it reports.
    pub delay: Duration,
    /// After so many requests, the caller has lost its rights.
    pub refuses_after: Option<u32>,
    /// Holds one of the requests.
    pub gate: Option<Gate>,
    /// How many of the next inline hooks are not created, because Okta fails.
    pub refused_hooks: u32,
    /// How many of the next inline hooks are created, while the caller gets 500.
    pub lost_hooks: u32,
    /// Whether the service app requires a proof of possession.
    pub requires_dpop: bool,
    /// The scopes that were used, in order.
    pub used: Vec<String>,
    tokens: Tokens,
    clock: Clock,
    made: u32,
}

impl OktaOrg {
    /// Starts with an org without hooks.
    pub fn start(options: OktaOptions) -> Self {
        let org = Org {
            options,
            inline_hooks: Vec::new(),
            event_hooks: Vec::new(),
            authenticators: Vec::new(),
            telephony_providers: None,
            features: BTreeMap::new(),
            api_tokens: Vec::new(),
            apps: Vec::new(),
            roles: Vec::new(),
            resource_sets: Vec::new(),
            log: Vec::new(),
            users: BTreeMap::new(),
            denied: BTreeSet::new(),
            requests_left: 600,
            delay: Duration::ZERO,
            refuses_after: None,
            gate: None,
            refused_hooks: 0,
            lost_hooks: 0,
            requires_dpop: false,
            used: Vec::new(),
            tokens: Tokens::default(),
            clock: Clock::default(),
            made: 0,
        };
        let org = Arc::new(Mutex::new(org));
        let server =
            Server::start(exchanges::recorded(Router::new().fallback(handle).with_state(Arc::clone(&org)), "okta"));
        Self { server, org }
    }

    /// The address.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Changes the org.
    pub fn change<T>(&self, change: impl FnOnce(&mut Org) -> T) -> T {
        change(&mut lock(&self.org))
    }
}

fn lock(org: &Mutex<Org>) -> MutexGuard<'_, Org> {
    org.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(
    State(org): State<Arc<Mutex<Org>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = Call::read(&method, &uri, &headers, &body);
    let (answer, left, now, delay, gate) = {
        let mut org = lock(&org);
        (org.answer(&call), org.requests_left, org.clock.now(), org.delay, org.gate.clone())
    };
    tokio::time::sleep(delay).await;
    let answer = match answer {
        Ok(Step::Call(request)) => {
            // A hook's call blocks, and the hook can ask this org meanwhile.
            let outcome = tokio::task::spawn_blocking(move || request.send()).await.unwrap_or_default();
            lock(&org).after(outcome)
        }
        Ok(Step::Done(answered)) => Ok(answered),
        Err(error) => Err(error),
    };
    if let Some(gate) = gate {
        gate.pass().await;
    }
    call::respond(answer, left, now)
}

/// A response.
struct Answered {
    status: u16,
    body: Value,
    /// The `Link` header's target.
    next: Option<String>,
}

/// What has to happen.
enum Step {
    /// Nothing more.
    Done(Answered),
    /// A hook has to be called first.
    Call(hooks::HookCall),
}

type Answer = Result<Step, OktaError>;

#[expect(clippy::unnecessary_wraps, reason = "most branches end with it")]
fn done(status: u16, body: Value) -> Answer {
    Ok(Step::Done(Answered { status, body, next: None }))
}

impl Org {
    fn answer(&mut self, call: &Call) -> Answer {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        if call.path == [".well-known", "okta-organization"] {
            let body = json!({ "id": "00osandbox0org000000", "pipeline": "idx", "_links": {} });
            return done(200, body);
        }
        if call.path == ["oauth2", "v1", "token"] {
            return self.grant(call);
        }
        let scope = scope(&call.method, &path).ok_or_else(|| OktaError::not_found(&call.path.join("/")))?;
        self.authenticate(call, scope)?;
        if self.requests_left == 0 {
            return Err(OktaError::too_many_requests());
        }
        self.requests_left -= 1;
        self.used.push(scope.to_owned());
        let is_over = self.refuses_after == Some(0);
        self.refuses_after = self.refuses_after.map(|left| left.saturating_sub(1));
        if is_over || self.denied.contains(scope) {
            return Err(OktaError::access_denied());
        }
        match path.as_slice() {
            ["api", "v1", "inlineHooks", rest @ ..] => self.inline_hooks(call, rest),
            ["api", "v1", "eventHooks", rest @ ..] => self.event_hooks(call, rest),
            ["api", "v1", "logs"] => self.logs(call),
            ["api", "v1", "users", rest @ ..] => self.users(call, rest),
            ["api", "v1", "apps", rest @ ..] => self.service_apps(call, rest),
            ["api", "v1", "iam", rest @ ..] => self.iam(call, rest),
            ["oauth2", "v1", "clients", client, "roles"] => self.client_roles(call, client),
            ["api", "v1", rest @ ..] => self.settings(call, rest),
            _ => Err(OktaError::not_found(&call.path.join("/"))),
        }
    }

    fn authenticate(&self, call: &Call, scope: &str) -> Result<(), OktaError> {
        let (scheme, token) = call.authorization.as_ref().ok_or_else(OktaError::invalid_token)?;
        match scheme.as_str() {
            "SSWS" if *token == self.options.api_token => Ok(()),
            "Bearer" if self.tokens.accepts(token, self.clock.now()) => {
                // The only scope that the service app can have.
                if scope == "okta.users.read" && self.may_read_users() {
                    Ok(())
                } else {
                    Err(OktaError::access_denied())
                }
            }
            _ => Err(OktaError::invalid_token()),
        }
    }

    fn grant(&mut self, call: &Call) -> Answer {
        let oauth = |error: &str| {
            let status = if error == "invalid_client" { 401 } else { 400 };
            done(status, json!({ "error": error, "error_description": "A text of Okta, which nobody must see." }))
        };
        if self.requires_dpop {
            return oauth("invalid_dpop_proof");
        }
        let endpoint = format!("{}/oauth2/v1/token", self.options.org_url.trim_end_matches('/'));
        let now = self.clock.now();
        match self.tokens.grant(&self.options, &call.form, |audience| audience == endpoint, now) {
            Ok(body) => done(200, body),
            Err(error) => oauth(error.error),
        }
    }

    fn users(&self, call: &Call, rest: &[&str]) -> Answer {
        let profile = |login: &str, id: &str| {
            let mut profile = OktaUser::new(id).profile(&self.options.org_url);
            if let Some(login_field) = profile.pointer_mut("/profile/login") {
                *login_field = login.into();
            }
            profile
        };
        match rest {
            [] => {
                call.allow(&["limit", "after", "q", "filter", "search"])?;
                let users = self.users.iter().map(|(login, id)| profile(login, id));
                done(200, users.take(call.number("limit", 200)?).collect())
            }
            [who] => {
                let found = self.users.iter().find(|(login, id)| login == who || id == who);
                let (login, id) = found.ok_or_else(|| OktaError::not_found(&format!("{who} (User)")))?;
                done(200, profile(login, id))
            }
            _ => Err(OktaError::not_found("User")),
        }
    }

    /// A new id of Okta's form.
    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}sandbox{:010}", self.made)
    }
}

/// The OAuth scope that a request needs.
fn scope(method: &Method, path: &[&str]) -> Option<&'static str> {
    let is_read = method == Method::GET;
    let scopes = match path {
        ["api", "v1", "inlineHooks", ..] => ("okta.inlineHooks.read", "okta.inlineHooks.manage"),
        ["api", "v1", "eventHooks", ..] => ("okta.eventHooks.read", "okta.eventHooks.manage"),
        ["api", "v1", "authenticators", ..] => ("okta.authenticators.read", "okta.authenticators.manage"),
        ["api", "v1", "telephony-providers", ..] => {
            ("okta.customTelephonyProvider.read", "okta.customTelephonyProvider.manage")
        }
        ["api", "v1", "features", ..] => ("okta.features.read", "okta.features.manage"),
        ["api", "v1", "api-tokens", ..] => ("okta.apiTokens.read", "okta.apiTokens.manage"),
        ["api", "v1", "apps", _, "grants", ..] => ("okta.appGrants.read", "okta.appGrants.manage"),
        ["api", "v1", "apps", ..] => ("okta.apps.read", "okta.apps.manage"),
        ["api", "v1", "iam", ..] | ["oauth2", "v1", "clients", _, "roles"] => ("okta.roles.read", "okta.roles.manage"),
        ["api", "v1", "logs"] if is_read => ("okta.logs.read", "okta.logs.read"),
        ["api", "v1", "users", ..] if is_read => ("okta.users.read", "okta.users.read"),
        _ => return None,
    };
    Some(if is_read { scopes.0 } else { scopes.1 })
}
