//! Twilio: authentication, routing to Verify and Lookup, faults, and a record of the requests.

pub(crate) mod error;
mod exchange;
pub(crate) mod faults;
mod locales;
mod lookup;
pub(crate) mod magic_numbers;
pub mod management;
mod phone_number;
pub(crate) mod records;
mod verify;

use self::error::TwilioError;
use self::exchange::Transport;
use self::faults::{Fault, Faults, Operation, Times};
use self::records::{Message, RecordedRequest, Status, TwilioResponse, Verification};
use self::verify::Verify;
use crate::clock::{Clock, Moment};
use crate::options::Options;
use crate::server::{Ending, Reply, Request};
use crate::story::Traffic;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The maximum number of recorded requests. The oldest is dropped first.
const MEMORY: usize = 10_000;

/// The account with its Verify service and Lookup.
pub(crate) struct Twilio {
    options: Options,
    started: Moment,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clock: Clock,
    verify: Verify,
    faults: Faults,
    requests: Vec<RecordedRequest>,
}

impl Twilio {
    pub(crate) fn new(options: Options) -> Self {
        phone_number::load_plans();
        Self { options, started: Clock::default().now(), state: Mutex::default() }
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.state().requests.clone()
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.state().verify.messages().to_vec()
    }

    pub(crate) fn verifications(&self) -> Vec<Verification> {
        let state = self.state();
        state.verify.verifications(state.clock.now(), self.options.verification_lifetime)
    }

    /// The status of a verification.
    pub(crate) fn status(&self, sid: &str) -> Option<Status> {
        let state = self.state();
        state.verify.status(sid, state.clock.now(), self.options.verification_lifetime)
    }

    /// Sends a code as a request does.
    pub(crate) fn send_code(&self, number: &str, code: &str) -> Result<(), TwilioError> {
        let form = [("To", number), ("Channel", "sms"), ("CustomCode", code)];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut state = self.state();
        let now = state.clock.now();
        let (result, _transport) = state.verify.create(&self.options, &form, now);
        result.map(drop)
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

    pub(crate) fn now(&self) -> Moment {
        self.state().clock.now()
    }

    /// The time by which the clock was set forward.
    pub(crate) fn ahead(&self) -> Duration {
        self.state().clock.ahead()
    }

    /// Removes everything except the clock.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        state.verify = Verify::default();
        state.faults.clear();
        state.requests.clear();
    }

    pub(crate) fn admits_connection(&self) -> bool {
        let mut state = self.state();
        let now = state.clock.now();
        !state.faults.for_connection(now)
    }

    /// Handles one request and records it. Returns its effect as well.
    pub(crate) fn handle(&self, request: &Request) -> (Reply, Traffic) {
        let arrived = Instant::now();
        let call = Call::of(request, &self.options);
        let mut state = self.state();
        let now = state.clock.now();
        let fault = state.faults.for_request(call.operation, now);
        let messages = state.verify.messages().len();
        let (reply, code) = self.answer(&mut state, &call, fault.as_ref(), now);
        let duration = arrived.elapsed() + reply.delay;
        let reply = reply
            .with("twilio-request-id", &verify::sid("RQ"))
            .with("twilio-concurrent-requests", "1")
            .with("twilio-request-duration", &format!("{:.3}", duration.as_secs_f64()));
        let status = reply.status.as_u16();
        if state.requests.len() >= MEMORY {
            state.requests.drain(..MEMORY / 2);
        }
        let request = RecordedRequest {
            operation: call.operation,
            method: request.method.to_string(),
            path: request.path.clone(),
            ignored_parameters: call.ignored_parameters(),
            parameters: call.parameters,
            authenticated: call.authenticated,
            response: (reply.ending != Ending::Closed).then_some(TwilioResponse { status, code }),
            fault,
            connection: request.connection,
            at: now,
        };
        state.requests.push(request.clone());
        let sent = state.verify.messages();
        let message = (sent.len() != messages).then(|| sent.last().cloned()).flatten();
        (reply, Traffic { request, message })
    }

    /// The response and Twilio's error code, with the fault applied.
    fn answer(&self, state: &mut State, call: &Call, fault: Option<&Fault>, now: Moment) -> (Reply, Option<u32>) {
        if let Some(reply) = fault.and_then(Fault::answer_before_arrival) {
            return (reply, None);
        }
        let instead = match fault {
            Some(Fault::Status(status)) => {
                Some(TwilioError::new(*status, 20000 + u32::from(*status), "A fault of the sandbox"))
            }
            Some(Fault::Throttle { reached_rate_limit, retry_after }) => {
                let name = reached_rate_limit.then(|| "sandbox".to_owned());
                Some(TwilioError::too_many_requests(name, *retry_after))
            }
            Some(Fault::Unauthorized) => Some(TwilioError::unauthenticated()),
            _ => None,
        };
        let (result, transport) = match instead {
            Some(error) => (Err(error), Transport::Prompt),
            None => self.process(&mut state.verify, call, now),
        };
        let code = result.as_ref().err().map(|error| error.code);
        let mut reply = match result {
            Ok((status, body)) => Reply::new(status, "application/json", body.to_string()),
            Err(error) => error.into_reply(),
        };
        match transport {
            Transport::Prompt => {}
            Transport::Late(delay) => reply.delay = delay,
            Transport::HangUp => reply.ending = Ending::Closed,
        }
        if let Some(fault) = fault {
            fault.spoil(&mut reply);
        }
        (reply, code)
    }

    /// Handles a request without a fault.
    fn process(
        &self,
        verify: &mut Verify,
        call: &Call,
        now: Moment,
    ) -> (Result<(StatusCode, Value), TwilioError>, Transport) {
        if let Err(error) = self.check(call) {
            return (Err(error), Transport::Prompt);
        }
        let (options, form) = (&self.options, call.parameters.as_slice());
        let found = |body| (StatusCode::OK, body);
        let result = match call.operation {
            Operation::VerifyCreate => {
                let (result, transport) = verify.create(options, form, now);
                return (result.map(|body| (StatusCode::CREATED, body)), transport);
            }
            Operation::VerifyUpdate => verify.update(options, &call.key, form, now, &call.path).map(found),
            Operation::VerifyFetch => verify.fetch(options, &call.key, now, &call.path).map(found),
            Operation::ServiceFetch => Ok(found(verify::service(options, self.started))),
            Operation::Lookup => {
                let (result, transport) = lookup::fetch(&call.key, form, now);
                return (result.map(found), transport);
            }
            _ => Err(TwilioError::not_found(&call.path)),
        };
        (result, Transport::Prompt)
    }

    /// The checks for every request.
    fn check(&self, call: &Call) -> Result<(), TwilioError> {
        if call.operation == Operation::Other && !call.wrong_method {
            return Err(TwilioError::not_found(&call.path));
        }
        if !call.authenticated {
            return Err(TwilioError::unauthenticated());
        }
        if call.wrong_method {
            return Err(TwilioError::new(405, 20004, "Method not allowed"));
        }
        match &call.service {
            Some(sid) if *sid != self.options.service_sid => Err(TwilioError::not_found(&call.path)),
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A parsed request.
struct Call {
    operation: Operation,
    /// Whether the path is known and only the method is wrong.
    wrong_method: bool,
    /// Decoded.
    path: String,
    /// `VA…` of the path.
    service: Option<String>,
    /// The last part of the path: a sid or a phone number.
    key: String,
    parameters: Vec<(String, String)>,
    authenticated: bool,
}

impl Call {
    fn of(request: &Request, options: &Options) -> Self {
        let path = percent_decode_str(&request.path).decode_utf8_lossy().into_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let get = matches!(request.method, Method::GET | Method::HEAD);
        let post = request.method == Method::POST;
        let (allowed, operation, service, key) = match segments.as_slice() {
            ["v2", "Services", service, "Verifications"] => (post, Operation::VerifyCreate, Some(*service), ""),
            ["v2", "Services", service, "Verifications", key] if get => {
                (true, Operation::VerifyFetch, Some(*service), *key)
            }
            ["v2", "Services", service, "Verifications", key] => (post, Operation::VerifyUpdate, Some(*service), *key),
            ["v2", "Services", service] => (get, Operation::ServiceFetch, Some(*service), ""),
            ["v2", "PhoneNumbers", number] if !number.is_empty() => (get, Operation::Lookup, None, *number),
            _ => (true, Operation::Other, None, ""),
        };
        Self {
            operation: if allowed { operation } else { Operation::Other },
            wrong_method: !allowed,
            service: service.map(str::to_owned),
            key: key.to_owned(),
            parameters: parameters(request),
            authenticated: authenticates(request, options),
            path,
        }
    }

    /// Names of parameters that the operation does not have.
    fn ignored_parameters(&self) -> Vec<String> {
        let known = match self.operation {
            Operation::VerifyCreate => verify::CREATE_PARAMETERS,
            Operation::VerifyUpdate => verify::UPDATE_PARAMETERS,
            Operation::Lookup => lookup::PARAMETERS,
            _ => &[],
        };
        let names = self.parameters.iter().map(|(name, _)| name);
        names.filter(|name| !known.contains(&name.as_str())).cloned().collect()
    }
}

/// The query's parameters, then those of the body if it is a form.
fn parameters(request: &Request) -> Vec<(String, String)> {
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    let query = request.query.as_deref().unwrap_or_default().as_bytes();
    let body = if is_form { request.body.as_ref() } else { &[] };
    let pairs = url::form_urlencoded::parse(query).chain(url::form_urlencoded::parse(body));
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn authenticates(request: &Request, options: &Options) -> bool {
    let credentials = || {
        let value = request.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = value.split_once(' ')?;
        let decoded = BASE64_STANDARD.decode(encoded).ok()?;
        scheme.eq_ignore_ascii_case("basic").then_some(String::from_utf8(decoded).ok()?)
    };
    let accepted = [(&options.api_key_sid, &options.api_key_secret), (&options.account_sid, &options.auth_token)];
    credentials().is_some_and(|given| accepted.iter().any(|(name, secret)| given == format!("{name}:{secret}")))
}
