//! API Gateway in front of functions: a URL for each, so that a program can call them as Okta does.
//!
//! Each request becomes an invocation of the real binary. A test can put faults in front of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State as Extracted,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header::DATE},
};
use serde_json::{Value, json};

use crate::{
    clock::unix_time,
    lambda::{Function, GatewayEvent, Outcome},
    loopback::Server,
};

/// What is wrong in front of the functions.
#[derive(Debug, Clone, Copy, Default)]
pub struct FrontFault {
    /// The gateway responds by itself with this status.
    pub status: Option<u16>,
    /// Each response takes so much longer.
    pub delay: Duration,
    /// How far the gateway's clock is ahead of the true time, in seconds.
    pub clock_ahead: u64,
}

/// A running gateway.
pub struct Front {
    server: Server,
    fault: Arc<Mutex<FrontFault>>,
}

/// Gets a path and the new lines of its function.
type LogReader = Box<dyn Fn(&str, Vec<String>) + Send + Sync>;

struct Gateway {
    /// By path.
    functions: BTreeMap<&'static str, Mutex<Invoked>>,
    fault: Arc<Mutex<FrontFault>>,
    log: LogReader,
}

struct Invoked {
    function: Function,
    /// Lines of the log that were passed on.
    lines: usize,
}

impl Front {
    /// Starts with a function for each path. `log` gets the path and each new line that its function has logged, before
    /// the response is sent.
    pub fn start(
        functions: impl IntoIterator<Item = (&'static str, Function)>,
        log: impl Fn(&str, Vec<String>) + Send + Sync + 'static,
    ) -> Self {
        let invoked = |(path, function)| (path, Mutex::new(Invoked { function, lines: 0 }));
        let fault = Arc::<Mutex<FrontFault>>::default();
        let functions = functions.into_iter().map(invoked).collect();
        let gateway = Arc::new(Gateway { functions, fault: Arc::clone(&fault), log: Box::new(log) });
        Self { server: Server::start(Router::new().fallback(handle).with_state(gateway)), fault }
    }

    /// The URL of a path, such as `/telephony`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    /// Puts a fault in front of the functions, or takes it away.
    pub fn set_fault(&self, fault: FrontFault) {
        *lock(&self.fault) = fault;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(
    Extracted(gateway): Extracted<Arc<Gateway>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let fault = *lock(&gateway.fault);
    tokio::time::sleep(fault.delay).await;
    let event =
        headers.iter().fold(GatewayEvent::new(method.as_str(), uri.path()).body(&body), |event, (name, value)| {
            event.header(name.as_str(), value.to_str().unwrap_or_default())
        });
    let path = uri.path().to_owned();
    let invoke = move || match fault.status {
        Some(status) => respond(status, &json!({}), "{}"),
        None => gateway.invoke(&path, &event.build()),
    };
    let response = tokio::task::spawn_blocking(invoke).await;
    let mut response =
        response.unwrap_or_else(|_panicked| respond(500, &json!({}), r#"{"message":"Internal Server Error"}"#));
    if fault.clock_ahead > 0 {
        let time = std::time::UNIX_EPOCH + unix_time() + Duration::from_secs(fault.clock_ahead);
        if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(time)) {
            response.headers_mut().insert(DATE, date);
        }
    }
    response
}

impl Gateway {
    fn invoke(&self, path: &str, event: &Value) -> Response<Body> {
        let Some(invoked) = self.functions.get(path) else {
            return respond(404, &json!({}), r#"{"message":"Not Found"}"#);
        };
        let mut invoked = lock(invoked);
        let outcome = invoked.function.invoke(event).outcome;
        let lines: Vec<_> = invoked.function.log_lines().iter().skip(invoked.lines).map(Value::to_string).collect();
        invoked.lines += lines.len();
        (self.log)(path, lines);
        let Outcome::Response(response) = outcome else {
            return respond(500, &json!({}), r#"{"message":"Internal Server Error"}"#);
        };
        let member = |name: &str| response.get(name).cloned().unwrap_or_default();
        let status = member("statusCode").as_u64().and_then(|status| u16::try_from(status).ok());
        respond(status.unwrap_or(500), &member("headers"), member("body").as_str().unwrap_or_default())
    }
}

fn respond(status: u16, headers: &Value, body: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers.as_object().into_iter().flatten() {
        let value = value.as_str().and_then(|value| HeaderValue::try_from(value).ok());
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
