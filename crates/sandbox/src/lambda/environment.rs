//! The state of one process of a function, which the test and the Runtime API share.

use std::{
    process::ExitStatus,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::Value;
use tokio::sync::Notify;

use super::invocation::{Event, Outcome, Running};
use crate::aws::{ACCOUNT, REGION};

/// The time that a function may take to request its next event before a freeze, and to end after a kill.
const TRANSITION_TIMEOUT: Duration = Duration::from_secs(5);

/// The state of one process.
pub(super) struct Environment {
    pub(super) arn: String,
    state: Mutex<EnvironmentState>,
    /// Notifies blocking callers of a change of the state.
    pub(super) changed: Condvar,
    /// An event has been queued.
    pub(super) invoked: Notify,
}

#[derive(Default)]
pub(super) struct EnvironmentState {
    /// `None` before the start.
    pub(super) started: Option<Instant>,
    /// `None` before the start and once reaped.
    pub(super) pid: Option<Pid>,
    pub(super) exit: Option<ExitStatus>,
    pub(super) ready_after: Option<Duration>,
    pub(super) init_error: Option<Value>,
    /// Whether the function has requested an event and has not received it yet.
    pub(super) polling: bool,
    pub(super) queued: Option<Event>,
    pub(super) running: Option<Running>,
}

impl Environment {
    pub(super) fn of_function(name: &str) -> Self {
        Self {
            arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"),
            state: Mutex::default(),
            changed: Condvar::new(),
            invoked: Notify::new(),
        }
    }

    /// Ignores poisoning, so that a panic of one test thread is not hidden by a second panic.
    pub(super) fn lock(&self) -> MutexGuard<'_, EnvironmentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait_while(
        &self,
        timeout: Duration,
        mut pending: impl FnMut(&EnvironmentState) -> bool,
    ) -> MutexGuard<'_, EnvironmentState> {
        let (state, _timed_out) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |state| pending(state))
            .unwrap_or_else(PoisonError::into_inner);
        state
    }

    /// Does nothing if the process has ended.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.lock().pid {
            rustix::process::kill_process(pid, signal).expect("to signal the function");
        }
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
        let state = self.wait_while(TRANSITION_TIMEOUT, |state| state.exit.is_none());
        assert!(state.exit.is_some(), "the function is still there after SIGKILL");
    }

    pub(super) fn freeze(&self) {
        let idle = |state: &EnvironmentState| state.polling && state.running.is_none();
        let state = self.wait_while(TRANSITION_TIMEOUT, |state| !idle(state) && state.exit.is_none());
        let pid = state.pid.expect("a function that has not ended");
        assert!(idle(&state), "Lambda freezes a function only once it has asked for its next invocation");
        drop(state);
        self.signal(Signal::STOP);
        rustix::io::retry_on_intr(|| {
            rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT)
        })
        .expect("to see the function stop");
    }

    /// Ends the invocation. Returns `false` if it is not the current one.
    pub(super) fn finish(&self, request_id: &str, outcome: Outcome) -> bool {
        let mut state = self.lock();
        let running = state.running.take_if(|running| running.request_id == request_id);
        running.map(|running| running.finish(outcome)).is_some()
    }
}
