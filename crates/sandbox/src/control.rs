//! The control plane under `/_sandbox/`: read the inbox, set faults, set the clock, send requests. It shows every code
//! to any client that can connect, so it listens on loopback only, and refuses requests whose host is not loopback. A
//! foreign web page therefore cannot read it through a DNS name that resolves to loopback (DNS rebinding). Requests
//! from the script of another page carry that page's origin and are refused, too.

mod sending;

use crate::server::{Reply, Request};
use crate::site::Site;
use crate::twilio::faults::{Fault, Operation, Times};
use http::{Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

const PREFIX: &str = "/_sandbox";
const JSON: &str = "application/json";
const PAGE: &str = include_str!("control/page.html");
/// The page loads nothing from other hosts.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:";
/// The maximum delay, and the maximum step by which the clock can be set forward.
const MAX_DELAY: Duration = Duration::from_hours(24 * 365);

/// A fault as requests set it and responses list it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedFault {
    operation: Operation,
    fault: Fault,
    /// The number of requests that it affects. `None`: every request until the faults are cleared.
    times: Option<u32>,
    /// The duration, instead of a number of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    advance_seconds: u64,
}

/// Handles a request to the control plane. Returns `None` if it is for another part of the sandbox.
pub(crate) fn handle(site: &Site, request: &Request) -> Option<Reply> {
    let resource = request.path.strip_prefix(PREFIX)?;
    if !(resource.is_empty() || resource.starts_with('/')) {
        return None;
    }
    if !names_loopback(request) {
        return Some(failure(StatusCode::FORBIDDEN, "the control plane is for localhost only"));
    }
    if !comes_from_own_page(request) {
        return Some(failure(StatusCode::FORBIDDEN, "the control plane is not for other pages"));
    }
    let (get, post, delete) = (&Method::GET, &Method::POST, &Method::DELETE);
    let method = &request.method;
    let reply = match resource {
        "" | "/" if method == get => page(),
        "/stream" if method == get => stream(site),
        "/stories" if method == get => {
            site.settle();
            list(&site.stories.all())
        }
        "/events" if method == get => sending::recorded_events(),
        "/send" if method == post => sending::send_recorded(site, request),
        "/type" if method == post => sending::type_code(site, request),
        "/inbox" if method == get => list(&site.twilio.messages()),
        "/requests" if method == get => list(&site.twilio.requests()),
        "/okta-requests" if method == get => list(&site.okta.requests()),
        "/verifications" if method == get => list(&site.twilio.verifications()),
        "/faults" if method == get => faults(site),
        "/faults" if method == post => set_fault(site, request),
        "/faults" if method == delete => {
            site.clear_faults();
            publish_state(site);
            faults(site)
        }
        "/connections" if method == delete => Reply { closes_idle_connections: true, ..done() },
        "/clock" if method == get => clock(site),
        "/clock" if method == post => set_clock(site, request),
        "/reset" if method == post => {
            site.reset();
            publish_state(site);
            done()
        }
        "" | "/" | "/stream" | "/stories" | "/events" | "/send" | "/type" | "/inbox" | "/requests"
        | "/okta-requests" | "/verifications" | "/faults" | "/connections" | "/clock" | "/reset" => {
            failure(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this resource")
        }
        _ => failure(StatusCode::NOT_FOUND, "there is no such resource; see /_sandbox/"),
    };
    Some(reply.with("cache-control", "no-store"))
}

fn names_loopback(request: &Request) -> bool {
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    matches!(name, "localhost" | "127.0.0.1")
}

/// A browser sends an origin with every request except a plain read from the same page. Scripts and command-line
/// clients send none.
fn comes_from_own_page(request: &Request) -> bool {
    let text = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return !request.headers.contains_key(header::ORIGIN) };
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some() && authority == text(header::HOST)
}

fn page() -> Reply {
    Reply::new(StatusCode::OK, "text/html; charset=utf-8", PAGE).with("content-security-policy", PAGE_POLICY)
}

fn list(records: &impl Serialize) -> Reply {
    match serde_json::to_vec(records) {
        Ok(body) => Reply::new(StatusCode::OK, JSON, body),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// All stories first, then each change.
fn stream(site: &Site) -> Reply {
    site.settle();
    let (all, changes) = site.stories.read(&state(site));
    Reply::new(StatusCode::OK, "text/event-stream", all).followed_by(changes)
}

/// The state that the page shows in addition to the stories.
fn state(site: &Site) -> Value {
    json!({
        "sends": site.door.get().is_some(),
        "ahead_seconds": site.twilio.ahead().as_secs(),
        "faults": listed_faults(site),
    })
}

/// Sends the state to the open pages.
pub(crate) fn publish_state(site: &Site) {
    site.stories.publish("state", &state(site));
}

fn faults(site: &Site) -> Reply {
    list(&listed_faults(site))
}

fn listed_faults(site: &Site) -> Vec<ListedFault> {
    let now = site.twilio.now();
    let ordered = site.faults().into_iter();
    let ordered = ordered.map(|(operation, fault, left)| {
        let (times, seconds) = match left {
            Times::Next(times) => (Some(times), None),
            Times::UntilCleared => (None, None),
            // Rounded up, so that a fault in effect never has zero seconds left.
            Times::Until(end) => (None, Some(end.since(now).as_secs() + 1)),
        };
        ListedFault { operation, fault, times, seconds }
    });
    ordered.collect()
}

fn set_fault(site: &Site, request: &Request) -> Reply {
    let ListedFault { operation, fault, times, seconds } = match serde_json::from_slice(&request.body) {
        Ok(ordered) => ordered,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match fault {
        Fault::Delay(delay) if delay > MAX_DELAY => {
            return failure(StatusCode::BAD_REQUEST, "the delay is longer than a year");
        }
        Fault::Status(status) if StatusCode::from_u16(status).is_err() || status < 200 => {
            return failure(StatusCode::BAD_REQUEST, "there is no such status");
        }
        _ => {}
    }
    let times = match (times, seconds.map(Duration::from_secs)) {
        (Some(_), Some(_)) => return failure(StatusCode::BAD_REQUEST, "it is either times or seconds"),
        (_, Some(long)) if long > MAX_DELAY => {
            return failure(StatusCode::BAD_REQUEST, "the fault lasts longer than a year");
        }
        (Some(times), None) => Times::Next(times),
        (None, Some(duration)) => Times::Until(site.twilio.now().later(duration)),
        (None, None) => Times::UntilCleared,
    };
    let closes_idle_connections = site.add_fault(operation, fault, times);
    publish_state(site);
    Reply { closes_idle_connections, ..faults(site) }
}

fn clock(site: &Site) -> Reply {
    Reply::new(StatusCode::OK, JSON, json!({ "now": site.twilio.now() }).to_string())
}

fn set_clock(site: &Site, request: &Request) -> Reply {
    match serde_json::from_slice::<ClockChange>(&request.body) {
        Ok(change) if Duration::from_secs(change.advance_seconds) <= MAX_DELAY => {
            site.advance(Duration::from_secs(change.advance_seconds));
            publish_state(site);
            clock(site)
        }
        Ok(_too_far) => failure(StatusCode::BAD_REQUEST, "the clock is set forward by a year at most"),
        Err(error) => failure(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn done() -> Reply {
    Reply::new(StatusCode::OK, JSON, "{}")
}

fn failure(status: StatusCode, text: &str) -> Reply {
    Reply::new(status, JSON, json!({ "error": text }).to_string())
}
