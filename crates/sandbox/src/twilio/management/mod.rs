//! A Twilio account with its Verify services, keys, templates and attempts, for tests of the command line tool.
//!
//! One address serves `api.twilio.com`, `iam.twilio.com` and `verify.twilio.com`, because no path exists twice. A key can
//! do only what its kind and its policy allow. A parameter that Twilio does not document is refused. A test changes the
//! account by [`TwilioAccount::change`].

mod attempts;
mod call;
mod keys;
mod services;
mod verify_api;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    attempts::Attempt,
    keys::{Key, Power, RestrictedKeys},
    services::{Bucket, RateLimit, Service, Template},
    verify_api::VerifyApi,
};
use super::error::TwilioError;
use crate::{exchanges, gate::Gate, loopback::Server};

/// A running account.
pub struct TwilioAccount {
    server: Server,
    account: Arc<Mutex<Account>>,
}

/// What is in the account.
#[derive(Debug)]
pub struct Account {
    /// `AC…`
    pub sid: String,
    /// The password of the account itself.
    pub auth_token: String,
    /// `active`, `suspended` or `closed`.
    pub status: &'static str,
    /// `Full` or `Trial`.
    pub kind: &'static str,
    /// The API keys, by sid.
    pub keys: BTreeMap<String, Key>,
    /// What becomes of a restricted key that someone wants.
    pub restricted_keys: RestrictedKeys,
    /// The Verify services, by sid.
    pub services: BTreeMap<String, Service>,
    /// The message templates.
    pub templates: Vec<Template>,
    /// The sandbox that sends the codes. `None`: there are no verifications.
    pub verify: Option<VerifyApi>,
    /// The attempts to deliver a code, the newest first.
    pub attempts: Vec<Attempt>,
    /// How many of the next requests are answered with 429.
    pub throttled: u32,
    /// After so many requests, the caller has lost its rights.
    pub refuses_after: Option<u32>,
    /// Holds one of the requests. Messages are not counted: functions can send them while a program is held.
    pub gate: Option<Gate>,
    /// Entries of a page. Twilio's limit is 1000: a small one makes every reader follow the pages.
    pub page_limit: usize,
    /// The permissions that were used, in order.
    pub used: Vec<String>,
    made: u32,
}

impl TwilioAccount {
    /// Starts with an account without services.
    pub fn start() -> Self {
        let account = Account {
            sid: "AC00000000000000000000000000000001".to_owned(),
            auth_token: "an-example-of-an-auth-token".to_owned(),
            status: "active",
            kind: "Full",
            keys: BTreeMap::new(),
            restricted_keys: RestrictedKeys::Made,
            services: BTreeMap::new(),
            templates: Vec::new(),
            verify: None,
            attempts: Vec::new(),
            throttled: 0,
            refuses_after: None,
            gate: None,
            page_limit: 2,
            used: Vec::new(),
            made: 0,
        };
        let account = Arc::new(Mutex::new(account));
        let server = Server::start(exchanges::recorded(
            Router::new().fallback(handle).with_state(Arc::clone(&account)),
            "twilio",
        ));
        Self { server, account }
    }

    /// The address of all three hosts.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Changes the account.
    pub fn change<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        change(&mut lock(&self.account))
    }
}

fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(
    State(account): State<Arc<Mutex<Account>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = Call::read(&method, &uri, &headers, &body);
    // The sandbox behind the account blocks.
    let is_message = method == Method::POST && call.path.last().is_some_and(|part| part == "Verifications");
    let answer = move || {
        let mut account = lock(&account);
        (account.answer(&call), account.gate.clone().filter(|_| !is_message))
    };
    let unavailable = |_panicked| (Err(TwilioError::new(500, 20500, "Internal server error")), None);
    let (answer, gate) = tokio::task::spawn_blocking(answer).await.unwrap_or_else(unavailable);
    if let Some(gate) = gate {
        gate.pass().await;
    }
    call::respond(answer)
}

/// A status and a body, or an error in Twilio's form.
type Answer = Result<(u16, Value), TwilioError>;

impl Account {
    fn answer(&mut self, call: &Call) -> Answer {
        let caller = self.authenticate(call)?;
        if self.throttled > 0 {
            self.throttled -= 1;
            return Err(TwilioError::too_many_requests(None, Some(1)));
        }
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let permission = permission(&call.method, &path).ok_or_else(|| TwilioError::not_found(&call.path.join("/")))?;
        self.used.push(permission.to_owned());
        let is_over = self.refuses_after == Some(0);
        self.refuses_after = self.refuses_after.map(|left| left.saturating_sub(1));
        if is_over || !caller.allows(permission) {
            return Err(TwilioError::new(403, 20006, "Access Denied"));
        }
        match (call.method.as_str(), path.as_slice()) {
            ("GET", ["2010-04-01", "Accounts", file]) => self.describe(file),
            (_, ["v1", "Keys", rest @ ..]) => self.keys(call, rest),
            ("POST", ["v2", "Services", service, "Verifications", rest @ ..]) => {
                self.verifications(call, service, rest)
            }
            (_, ["v2", "Services", rest @ ..]) => self.services(call, rest),
            ("GET", ["v2", "Templates"]) => self.templates(call),
            ("GET", ["v2", "Attempts", rest @ ..]) => self.attempts(call, rest),
            _ => Err(TwilioError::not_found(&call.path.join("/"))),
        }
    }

    fn authenticate(&self, call: &Call) -> Result<Power, TwilioError> {
        let (user, password) = call.credentials.as_ref().ok_or_else(TwilioError::unauthenticated)?;
        let power = if *user == self.sid {
            (*password == self.auth_token).then_some(Power::Main)
        } else {
            self.keys.get(user).filter(|key| key.secret == *password).map(|key| key.power.clone())
        };
        // Twilio closes the API, but for the account itself, to an account that was suspended or closed.
        power.ok_or_else(TwilioError::unauthenticated)
    }

    fn describe(&self, file: &str) -> Answer {
        if file.strip_suffix(".json") != Some(self.sid.as_str()) {
            return Err(TwilioError::unauthenticated());
        }
        Ok((
            200,
            json!({
                "sid": self.sid, "owner_account_sid": self.sid, "friendly_name": "The name of a customer",
                "status": self.status, "type": self.kind, "auth_token": self.auth_token,
                "date_created": "Thu, 15 Jan 2026 09:30:00 +0000", "date_updated": "Thu, 15 Jan 2026 09:30:00 +0000",
                "uri": format!("/2010-04-01/Accounts/{}.json", self.sid),
            }),
        ))
    }

    /// A new sid.
    fn sid(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{:032x}", 0xa0_0000 + self.made)
    }

    /// One page of a list.
    fn page(&self, call: &Call, key: &str, path: &str, rows: &[Value]) -> Answer {
        let number = |name: &str, default: usize| match call.value(name) {
            None => Ok(default),
            Some(text) => text.parse::<usize>().map_err(|_no_number| TwilioError::invalid_parameter(name)),
        };
        let asked = number("PageSize", 50)?;
        if !(1..=1000).contains(&asked) {
            return Err(TwilioError::invalid_parameter("PageSize"));
        }
        let (page, size) = (number("Page", 0)?, asked.min(self.page_limit));
        let url = |page: usize| {
            let mut url = url::form_urlencoded::Serializer::new(format!("https://verify.twilio.com/{path}?"));
            let rest = call.values.iter().filter(|(name, _)| !matches!(name.as_str(), "Page" | "PageSize"));
            url.extend_pairs(rest).append_pair("PageSize", &asked.to_string()).append_pair("Page", &page.to_string());
            url.finish()
        };
        let next = ((page + 1) * size < rows.len()).then(|| url(page + 1));
        let rows: Vec<_> = rows.iter().skip(page * size).take(size).collect();
        let meta = json!({
            "key": key, "page": page, "page_size": asked, "first_page_url": url(0), "url": url(page),
            "previous_page_url": page.checked_sub(1).map(url), "next_page_url": next,
        });
        Ok((200, json!({ key: rows, "meta": meta })))
    }
}

/// The permission that a request needs, as a policy writes it.
fn permission(method: &Method, path: &[&str]) -> Option<&'static str> {
    Some(match (method.as_str(), path) {
        ("GET", ["2010-04-01", "Accounts", _]) => "/twilio/iam/accounts/read",
        ("GET", ["v1", "Keys", ..]) => "/twilio/iam/api-keys/read",
        ("POST", ["v1", "Keys"]) => "/twilio/iam/api-keys/create",
        ("POST", ["v1", "Keys", _]) => "/twilio/iam/api-keys/update",
        ("DELETE", ["v1", "Keys", _]) => "/twilio/iam/api-keys/delete",
        ("GET", ["v2", "Services"]) => "/twilio/verify/service/list",
        ("POST", ["v2", "Services"]) => "/twilio/verify/service/create",
        ("GET", ["v2", "Services", _]) => "/twilio/verify/service/read",
        ("POST", ["v2", "Services", _]) => "/twilio/verify/service/update",
        ("DELETE", ["v2", "Services", _]) => "/twilio/verify/service/delete",
        ("POST", ["v2", "Services", _, "Verifications"]) => "/twilio/verify/verification/create",
        ("POST", ["v2", "Services", _, "Verifications", _]) => "/twilio/verify/verification/update",
        ("GET", ["v2", "Services", _, "RateLimits"]) => "/twilio/verify/rate-limit/list",
        ("POST", ["v2", "Services", _, "RateLimits"]) => "/twilio/verify/rate-limit/create",
        ("GET", ["v2", "Services", _, "RateLimits", _, "Buckets"]) => "/twilio/verify/bucket/list",
        ("POST", ["v2", "Services", _, "RateLimits", _, "Buckets"]) => "/twilio/verify/bucket/create",
        ("POST", ["v2", "Services", _, "RateLimits", _, "Buckets", _]) => "/twilio/verify/bucket/update",
        ("GET", ["v2", "Templates"]) => "/twilio/verify/verification-template/list",
        ("GET", ["v2", "Attempts"]) => "/twilio/verify/verification-attempt/list",
        ("GET", ["v2", "Attempts", "Summary"]) => "/twilio/verify/verification-attempts-summary/read",
        ("GET", ["v2", "Attempts", _]) => "/twilio/verify/verification-attempt/read",
        _ => return None,
    })
}

/// The permissions that a policy can have.
fn is_permission(text: &str) -> bool {
    const FUNCTIONS: [&str; 4] = [
        "/twilio/verify/verification/create",
        "/twilio/verify/verification/update",
        "/twilio/verify/verification/read",
        "/twilio/lookup/phone-numbers/read",
    ];
    let tools: BTreeSet<_> =
        ["accounts/read", "api-keys/read", "api-keys/create", "api-keys/update", "api-keys/delete"]
            .map(|action| format!("/twilio/iam/{action}"))
            .into();
    let verify = [
        "service/list",
        "service/create",
        "service/read",
        "service/update",
        "service/delete",
        "rate-limit/list",
        "rate-limit/create",
        "bucket/list",
        "bucket/create",
        "bucket/update",
        "verification-template/list",
        "verification-attempt/list",
        "verification-attempt/read",
        "verification-attempts-summary/read",
    ];
    FUNCTIONS.contains(&text)
        || tools.contains(text)
        || text.strip_prefix("/twilio/verify/").is_some_and(|action| verify.contains(&action))
}
