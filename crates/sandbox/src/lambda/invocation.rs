//! An invocation of a function.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

/// The largest event of a synchronous invocation: 6 MB.
pub(super) const EVENT_LIMIT: usize = 6 * 1024 * 1024;

/// The result of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// What the handler returned.
    Response(Value),
    /// What the runtime reported as a handler error: `errorType` and `errorMessage`. A response that Lambda would not
    /// deliver is an error as well: `Function.ResponseSizeTooLarge`, or `Sandbox.InvalidJson`.
    Error(Value),
    /// The process ended before it responded.
    Crashed,
    /// The function did not respond within its timeout. The process has been killed, as Lambda does.
    TimedOut,
}

/// A finished invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// Its result.
    pub outcome: Outcome,
    /// The time from the start of the invocation to its outcome. If the function is not ready yet, this includes the
    /// rest of the cold start.
    pub duration: Duration,
}

/// An event on its way to the function.
pub(super) struct Event {
    pub(super) request_id: String,
    /// Since 1970.
    pub(super) deadline: Duration,
    pub(super) body: String,
}

/// An invocation without an outcome.
pub(super) struct Running {
    pub(super) request_id: String,
    pub(super) started: Instant,
    pub(super) finished: mpsc::Sender<(Outcome, Duration)>,
}

impl Running {
    pub(super) fn finish(self, outcome: Outcome) {
        // Sending fails if the test has dropped the pending invocation.
        let _ = self.finished.send((outcome, self.started.elapsed()));
    }
}
