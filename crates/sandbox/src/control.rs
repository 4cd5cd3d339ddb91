//! The control plane under `/_sandbox/`: look into the inbox, order faults, set the clock. It shows every code to whoever
//! can open a connection, so it is served on loopback only, and only to requests that name loopback as their host: a web
//! page elsewhere cannot read it through a name that it points here.

use crate::server::{Reply, Request};
use crate::site::Site;
use crate::twilio::faults::{Fault, Operation, Times};
use http::{Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

const PREFIX: &str = "/_sandbox";
const JSON: &str = "application/json";
const PAGE: &str = include_str!("control/page.html");
/// The page needs nothing from anywhere else.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:";
/// Also the furthest that the clock is set forward at a time.
const LONGEST_DELAY: Duration = Duration::from_hours(24 * 365);

/// A fault as it is ordered and listed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderedFault {
    operation: Operation,
    fault: Fault,
    /// With how many requests; none: with every one until the faults are cleared.
    times: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    advance_seconds: u64,
}

/// Answers a request to the control plane; none, if it is for another part of the sandbox.
pub(crate) fn handle(site: &Site, request: &Request) -> Option<Reply> {
    let resource = request.path.strip_prefix(PREFIX)?;
    if !(resource.is_empty() || resource.starts_with('/')) {
        return None;
    }
    if !names_loopback(request) {
        return Some(failure(StatusCode::FORBIDDEN, "the control plane is for localhost only"));
    }
    let (get, post, delete) = (&Method::GET, &Method::POST, &Method::DELETE);
    let method = &request.method;
    let reply = match resource {
        "" | "/" if method == get => page(),
        "/inbox" if method == get => list(&site.twilio.messages()),
        "/requests" if method == get => list(&site.twilio.requests()),
        "/okta-requests" if method == get => list(&site.okta.requests()),
        "/verifications" if method == get => list(&site.twilio.verifications()),
        "/faults" if method == get => faults(site),
        "/faults" if method == post => order(site, request),
        "/faults" if method == delete => {
            site.clear_faults();
            faults(site)
        }
        "/connections" if method == delete => Reply { closes_idle_connections: true, ..done() },
        "/clock" if method == get => clock(site),
        "/clock" if method == post => set_clock(site, request),
        "/reset" if method == post => {
            site.reset();
            done()
        }
        "" | "/" | "/inbox" | "/requests" | "/okta-requests" | "/verifications" | "/faults" | "/connections"
        | "/clock" | "/reset" => failure(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this resource"),
        _ => failure(StatusCode::NOT_FOUND, "there is no such resource; see /_sandbox/"),
    };
    Some(reply.with("cache-control", "no-store"))
}

fn names_loopback(request: &Request) -> bool {
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    matches!(name, "localhost" | "127.0.0.1")
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

fn faults(site: &Site) -> Reply {
    let times = |times| match times {
        Times::Next(times) => Some(times),
        Times::UntilCleared => None,
    };
    let ordered = site.faults().into_iter();
    let ordered = ordered.map(|(operation, fault, left)| OrderedFault { operation, fault, times: times(left) });
    list(&ordered.collect::<Vec<_>>())
}

fn order(site: &Site, request: &Request) -> Reply {
    let OrderedFault { operation, fault, times } = match serde_json::from_slice(&request.body) {
        Ok(ordered) => ordered,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match fault {
        Fault::Delay(delay) if delay > LONGEST_DELAY => {
            return failure(StatusCode::BAD_REQUEST, "the delay is longer than a year");
        }
        Fault::Status(status) if StatusCode::from_u16(status).is_err() || status < 200 => {
            return failure(StatusCode::BAD_REQUEST, "there is no such status");
        }
        _ => {}
    }
    let closes_idle_connections = site.add_fault(operation, fault, times.map_or(Times::UntilCleared, Times::Next));
    Reply { closes_idle_connections, ..faults(site) }
}

fn clock(site: &Site) -> Reply {
    Reply::new(StatusCode::OK, JSON, json!({ "now": site.twilio.now() }).to_string())
}

fn set_clock(site: &Site, request: &Request) -> Reply {
    match serde_json::from_slice::<ClockChange>(&request.body) {
        Ok(change) if Duration::from_secs(change.advance_seconds) <= LONGEST_DELAY => {
            site.advance(Duration::from_secs(change.advance_seconds));
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
