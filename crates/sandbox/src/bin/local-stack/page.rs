//! Connects the sandbox's page to the functions: it sends requests to them and receives their log.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sandbox::{Door, Sandbox};
use serde_json::Value;

use crate::{
    functions::{self, Functions},
    http,
    request::Request,
    terminal::{self, TICK},
};

/// Lets the page send requests to the functions.
pub(crate) fn connect(functions: &Functions, sandbox: &Sandbox) {
    sandbox.connect(Arc::new(FrontDoor { port: functions.port }));
}

/// Passes the functions' log lines to the sandbox until the end.
pub(crate) fn feed(functions: &Functions, sandbox: &Sandbox, over: &AtomicBool) {
    let mut position = 0;
    let mut started = BTreeSet::new();
    while !over.load(Ordering::Relaxed) {
        let lines = functions.output.wait_for(position, TICK, |_line| true);
        position += lines.len();
        for line in lines.iter().filter(|line| !is_probe(line, &mut started)) {
            sandbox.record_log_line(line);
        }
    }
}

/// Whether a line is about the request that started a function, which this program sent, not Okta.
fn is_probe(line: &str, started: &mut BTreeSet<String>) -> bool {
    terminal::log_line(line).is_some_and(|line| {
        let service = line.get("service").and_then(Value::as_str).unwrap_or_default();
        let is_first = line.get("cold_start") == Some(&Value::Bool(true));
        is_first && terminal::message(&line) == "request_rejected" && started.insert(service.to_owned())
    })
}

/// `cargo lambda watch` turns a request to this URL into the gateway's event.
struct FrontDoor {
    port: u16,
}

impl Door for FrontDoor {
    fn send(&self, function: &str, event: &Value) -> Result<(u16, String), String> {
        let Request { method, path, headers, body } = Request::of(event);
        let url = format!("{}/lambda-url/{function}{path}", functions::base_url(self.port));
        let answer = http::send(&method, &url, &headers, &body, http::LIMIT).map_err(|error| error.to_string())?;
        Ok((answer.status, answer.body))
    }
}
