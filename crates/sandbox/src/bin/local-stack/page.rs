//! What the sandbox's page needs of the functions: a way to send to them, and what they log.

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

/// Lets the page send to the functions.
pub(crate) fn connect(functions: &Functions, sandbox: &Sandbox) {
    sandbox.connect(Arc::new(FrontDoor { port: functions.port }));
}

/// Hands the functions' log lines over until the end.
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

/// Whether a line is about the request that has started a function, which is this program's and not Okta's.
fn is_probe(line: &str, started: &mut BTreeSet<String>) -> bool {
    terminal::log_line(line).is_some_and(|line| {
        let service = line.get("service").and_then(Value::as_str).unwrap_or_default();
        let is_first = line.get("cold_start") == Some(&Value::Bool(true));
        is_first && terminal::message(&line) == "request_rejected" && started.insert(service.to_owned())
    })
}

/// Where `cargo lambda watch` makes the gateway's event of a request.
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
