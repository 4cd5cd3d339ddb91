//! An invocation on its way through a function.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

/// The largest event of a synchronous invocation: 6 MB.
pub(super) const EVENT_LIMIT: usize = 6 * 1024 * 1024;

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// What the handler returned.
    Response(Value),
    /// What the runtime reported as a handler error: `errorType` and `errorMessage`. A response that Lambda would not
    /// pass on is an error as well: `Function.ResponseSizeTooLarge`, or `Sandbox.InvalidJson`.
    Error(Value),
    /// The process ended before it answered.
    Crashed,
    /// No answer within the function's timeout. The process has been killed, as Lambda does.
    TimedOut,
}

/// A finished invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Lambda's request id, which the function may have logged.
    pub request_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// From handing the event over to the outcome. An event handed over before the function is ready waits for it, so
    /// that this includes the rest of the cold start.
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
        // Nobody waits if the test has dropped the pending invocation.
        let _ = self.finished.send((outcome, self.started.elapsed()));
    }
}
