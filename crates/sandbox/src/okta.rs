//! The part of Okta's API that feedback uses: authentication, users, faults, and a record of the requests.

mod error;
pub(crate) mod magic_users;
pub mod management;
pub(crate) mod options;
mod rate_limit;
pub(crate) mod records;
pub(crate) mod service_app;
mod tokens;
pub(crate) mod users;

use self::error::{OauthError, OktaError};
use self::magic_users::UserEffect;
use self::options::OktaOptions;
use self::rate_limit::{Allowance, RateLimits};
use self::records::{OktaRequest, OktaResponse};
use self::tokens::Tokens;
use self::users::OktaUser;
use crate::clock::{Clock, Moment};
use crate::server::{Ending, Reply, Request};
use crate::twilio::faults::{Fault, Faults, Operation, Times};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The maximum number of recorded requests. The oldest is dropped first.
const MEMORY: usize = 10_000;
/// The time until `X-Rate-Limit-Reset` if the fault does not set one.
const THROTTLED_SECONDS: u64 = 60;

/// An org.
pub(crate) struct Okta {
    options: OktaOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clock: Clock,
    tokens: Tokens,
    rate_limits: RateLimits,
    /// The users that tests have added.
    users: HashMap<String, OktaUser>,
    /// The end of a magic user's rate limit, after the first request for that user.
    throttled_until: HashMap<&'static str, Moment>,
    faults: Faults,
    requests: Vec<OktaRequest>,
}

impl Okta {
    pub(crate) fn new(options: OktaOptions) -> Self {
        Self { options, state: Mutex::default() }
    }

    /// Whether a request is for Okta and not for Twilio.
    pub(crate) fn is_asked(request: &Request) -> bool {
        request.path.starts_with("/api/") || request.path.starts_with("/oauth2/")
    }

    pub(crate) fn requests(&self) -> Vec<OktaRequest> {
        self.state().requests.clone()
    }

    pub(crate) fn put_user(&self, user: OktaUser) {
        self.state().users.insert(user.id.clone(), user);
    }

    pub(crate) fn add_fault(&self, operation: Operation, fault: Fault, times: Times) {
        self.state().faults.add(operation, fault, times);
    }

    pub(crate) fn faults(&self) -> Vec<(Operation, Fault, Times)> {
        let state = self.state();
        state.faults.left(state.clock.now())
    }

    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.state().clock.advance(duration);
    }

    /// Removes everything except the clock.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        *state = State { clock: std::mem::take(&mut state.clock), ..State::default() };
    }

    /// Handles one request and records it.
    pub(crate) fn handle(&self, request: &Request) -> Reply {
        let call = Call::of(request);
        let mut state = self.state();
        let now = state.clock.now();
        let fault = state.faults.for_request(call.operation, now);
        let answer = self.answer(&mut state, &call, fault.as_ref(), now);
        // The sandbox's time, so that a client can compute the time until the reset from the response alone.
        let reply = answer.reply.with("date", &httpdate::fmt_http_date(now.time()));
        if state.requests.len() >= MEMORY {
            state.requests.drain(..MEMORY / 2);
        }
        state.requests.push(OktaRequest {
            operation: call.operation,
            method: request.method.to_string(),
            path: request.path.clone(),
            user_id: call.user_id.map(str::to_owned),
            scheme: call.scheme.map(str::to_owned),
            authenticated: answer.authenticated,
            response: (reply.ending != Ending::Closed)
                .then_some(OktaResponse { status: reply.status.as_u16(), code: answer.code }),
            fault,
            connection: request.connection,
            at: now,
        });
        reply
    }

    fn answer(&self, state: &mut State, call: &Call<'_>, fault: Option<&Fault>, now: Moment) -> Answer {
        if let Some(answer) = fault.and_then(|fault| self.answer_instead(fault, call.operation, now)) {
            return Answer { authenticated: self.accepts(state, call, now), ..answer };
        }
        let mut answer = match call.operation {
            Operation::OktaToken => self.grant(state, call, now),
            _ => self.respond(state, call, now),
        };
        if let Some(fault) = fault {
            fault.spoil(&mut answer.reply);
        }
        answer
    }

    /// Handles a request to the API.
    fn respond(&self, state: &mut State, call: &Call<'_>, now: Moment) -> Answer {
        let authenticated = self.accepts(state, call, now);
        let (result, allowance, delay) = self.look_up(state, call, authenticated, now);
        let mut answer = match result {
            Ok(body) => Answer::new(Reply::new(StatusCode::OK, "application/json", body.to_string()), None),
            Err(error) => Answer::of_error(error),
        };
        answer.authenticated = authenticated;
        answer.reply.delay = delay;
        if let Some(allowance) = allowance {
            answer.reply = allowance.add_headers(answer.reply);
        }
        answer
    }

    /// The response for a fault that prevents the request.
    fn answer_instead(&self, fault: &Fault, operation: Operation, now: Moment) -> Option<Answer> {
        if let Some(reply) = fault.answer_before_arrival() {
            return Some(Answer::new(reply, None));
        }
        match fault {
            Fault::Status(status) if operation == Operation::OktaToken => {
                Some(Answer::of_refusal(OauthError::of_status(*status)))
            }
            Fault::Status(status) => Some(Answer::of_error(OktaError::of_status(*status))),
            Fault::Unauthorized if operation == Operation::OktaToken => {
                Some(Answer::of_refusal(OauthError::of_status(401)))
            }
            Fault::Unauthorized => Some(Answer::of_error(OktaError::invalid_token())),
            Fault::Throttle { retry_after, .. } => {
                let reset = now.later(Duration::from_secs(retry_after.unwrap_or(THROTTLED_SECONDS)));
                let mut answer = Answer::of_error(OktaError::too_many_requests());
                answer.reply = Allowance::exhausted(self.options.rate_limit, reset).add_headers(answer.reply);
                Some(answer)
            }
            _ => None,
        }
    }

    fn grant(&self, state: &mut State, call: &Call<'_>, now: Moment) -> Answer {
        if !call.method_allowed {
            return Answer::of_refusal(OauthError::bad_request("invalid_request", "The endpoint takes POST only."));
        }
        match state.tokens.grant(&self.options, &call.form, |url| self.is_token_endpoint(url, call.host), now) {
            Ok(body) => {
                let reply = Reply::new(StatusCode::OK, "application/json", body.to_string());
                Answer { authenticated: true, ..Answer::new(reply.with("cache-control", "no-store"), None) }
            }
            Err(error) => Answer::of_refusal(error),
        }
    }

    fn is_token_endpoint(&self, url: &str, host: &str) -> bool {
        let base_urls = [self.options.org_url.clone(), format!("https://{host}"), format!("http://{host}")];
        base_urls.iter().any(|base_url| url == format!("{}/oauth2/v1/token", base_url.trim_end_matches('/')))
    }

    fn accepts(&self, state: &State, call: &Call<'_>, now: Moment) -> bool {
        match (call.scheme, call.token) {
            (Some("SSWS"), Some(token)) => token == self.options.api_token,
            (Some("Bearer"), Some(token)) => state.tokens.accepts(token, now),
            _ => false,
        }
    }

    /// Handles a request without a fault. Returns the response, the rest of the rate limit, and a delay.
    fn look_up(
        &self,
        state: &mut State,
        call: &Call<'_>,
        authenticated: bool,
        now: Moment,
    ) -> (Result<Value, OktaError>, Option<Allowance>, Duration) {
        let prompt = |result, allowance| (result, allowance, Duration::ZERO);
        if !authenticated {
            return prompt(Err(OktaError::invalid_token()), None);
        }
        let user_id = match (call.user_id, call.method_allowed) {
            (Some(user_id), true) => user_id,
            (Some(_), false) => return prompt(Err(OktaError::method_not_supported()), None),
            (None, _) => return prompt(Err(OktaError::not_found(call.path)), None),
        };
        let limit = self.options.rate_limit;
        let allowance = match state.rate_limits.count(call.operation, limit, now) {
            Ok(allowance) => allowance,
            Err(exhausted) => return prompt(Err(OktaError::too_many_requests()), Some(exhausted)),
        };
        let magic = magic_users::find(user_id);
        let delay = match magic.map_or(UserEffect::Found, |magic| magic.effect) {
            UserEffect::Found => Duration::ZERO,
            UserEffect::RespondLate(delay) => delay,
            UserEffect::Deleted => return prompt(Err(no_such_user(user_id)), Some(allowance)),
            UserEffect::Forbidden => return prompt(Err(OktaError::access_denied()), Some(allowance)),
            UserEffect::Failing => return prompt(Err(OktaError::internal()), Some(allowance)),
            UserEffect::Throttled(duration) => {
                let key = magic.map_or("", |magic| magic.id);
                let reset = *state.throttled_until.entry(key).or_insert_with(|| now.later(duration));
                if now < reset {
                    let exhausted = Allowance::exhausted(limit, reset);
                    return prompt(Err(OktaError::too_many_requests()), Some(exhausted));
                }
                Duration::ZERO
            }
        };
        let added = state.users.get(user_id).cloned();
        let user = added.or_else(|| magic.map(OktaUser::magic)).ok_or_else(|| no_such_user(user_id));
        let body = user.map(|user| match call.operation {
            Operation::OktaFactors => user.factors(&self.options.org_url),
            _ => user.profile(&self.options.org_url),
        });
        (body, Some(allowance), delay)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_such_user(id: &str) -> OktaError {
    OktaError::not_found(&format!("{id} (User)"))
}

struct Answer {
    reply: Reply,
    code: Option<&'static str>,
    authenticated: bool,
}

impl Answer {
    fn new(reply: Reply, code: Option<&'static str>) -> Self {
        Self { reply, code, authenticated: false }
    }

    fn of_error(error: OktaError) -> Self {
        let code = error.code;
        Self::new(error.into_reply(), Some(code))
    }

    /// An error of the token endpoint.
    fn of_refusal(error: OauthError) -> Self {
        let code = error.error;
        Self::new(error.into_reply(), Some(code))
    }
}

/// A parsed request.
struct Call<'a> {
    operation: Operation,
    method_allowed: bool,
    path: &'a str,
    user_id: Option<&'a str>,
    host: &'a str,
    /// The two parts of `Authorization`.
    scheme: Option<&'a str>,
    token: Option<&'a str>,
    form: Vec<(String, String)>,
}

impl<'a> Call<'a> {
    fn of(request: &'a Request) -> Self {
        let segments: Vec<&str> = request.path.split('/').skip(1).collect();
        let get = matches!(request.method, Method::GET | Method::HEAD);
        let (operation, user_id, method_allowed) = match segments.as_slice() {
            ["api", "v1", "users", id, "factors"] => (Operation::OktaFactors, Some(*id), get),
            ["api", "v1", "users", id] => (Operation::OktaUser, Some(*id), get),
            ["oauth2", "v1", "token"] => (Operation::OktaToken, None, request.method == Method::POST),
            _ => (Operation::OktaOther, None, true),
        };
        let authorization = text(&request.headers, &header::AUTHORIZATION).and_then(|value| value.split_once(' '));
        let is_form = text(&request.headers, &header::CONTENT_TYPE)
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let body = if is_form { request.body.as_ref() } else { &[] };
        Self {
            operation,
            method_allowed,
            path: &request.path,
            user_id,
            host: text(&request.headers, &header::HOST).unwrap_or_default(),
            scheme: authorization.map(|(scheme, _)| scheme),
            token: authorization.map(|(_, token)| token),
            form: url::form_urlencoded::parse(body).into_owned().collect(),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
