//! One process of a function: its start and its end, and what the test and the Runtime API share about it.

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, ExitStatus},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::Value;
use tokio::sync::Notify;

use super::{ACCOUNT, Builder, Outcome, Output, REGION, runtime_api};
use crate::{guard::Guard, loopback::Server};

/// How long a function may take to ask for its next invocation before a freeze, and to be gone after a kill.
const TRANSITION_TIMEOUT: Duration = Duration::from_secs(5);

/// A process with the Runtime API that serves it alone, so that a late request of an earlier process cannot take an
/// invocation away from a later one.
pub(super) struct Process {
    pub(super) environment: Arc<Environment>,
    watcher: Option<JoinHandle<()>>,
    _server: Server,
}

impl Process {
    pub(super) fn start(settings: &Builder, output: &Output) -> Self {
        let environment = Arc::new(Environment {
            arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", settings.name),
            state: Mutex::default(),
            changed: Condvar::new(),
            invoked: Notify::new(),
        });
        let server = Server::start(runtime_api::router(Arc::clone(&environment)));
        let mut command = settings.command(&server.address().to_string());
        command.process_group(0);
        command.stdout(output.stdout.try_clone().expect("a handle for stdout"));
        command.stderr(output.stderr.try_clone().expect("a handle for stderr"));
        let child = {
            // Held over the start, so that the first request finds the moment of the start.
            let mut state = environment.lock();
            state.started = Some(Instant::now());
            let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", settings.program.display()));
            state.pid = Some(Pid::from_child(&child));
            child
        };
        let guard = Guard::start(child.id()).expect("sh");
        let watcher = thread::spawn({
            let environment = Arc::clone(&environment);
            move || watch(child, guard, &environment)
        });
        Self { environment, watcher: Some(watcher), _server: server }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.environment.kill();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

/// Waits for the end of the process and tells it to everyone who waits.
fn watch(mut child: Child, guard: Guard, environment: &Environment) {
    let pid = WaitId::Pid(Pid::from_child(&child));
    // Without reaping it: until that is done below, the id stays taken and nobody's signal can hit a stranger.
    rustix::io::retry_on_intr(|| rustix::process::waitid(pid.clone(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT))
        .expect("to wait for the function");
    drop(guard);
    let mut state = environment.lock();
    state.exit = Some(child.wait().expect("the function's exit status"));
    state.pid = None;
    if let Some(running) = state.running.take() {
        running.finish(Outcome::Crashed);
    }
    drop(state);
    environment.changed.notify_all();
}

/// What the test and the Runtime API know of one process.
pub(super) struct Environment {
    pub(super) arn: String,
    state: Mutex<EnvironmentState>,
    /// The state has changed in a way that a blocking caller may wait for.
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
    /// The function has asked for an event and has not got one yet.
    pub(super) polling: bool,
    pub(super) queued: Option<Event>,
    pub(super) running: Option<Running>,
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

impl Environment {
    /// A panic of one test thread while it holds the lock must not hide its message behind a second one.
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

    /// Does nothing once the process has ended.
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

    /// Ends the invocation; `false` if it is not the one under way.
    pub(super) fn finish(&self, request_id: &str, outcome: Outcome) -> bool {
        let mut state = self.lock();
        let running = state.running.take_if(|running| running.request_id == request_id);
        running.map(|running| running.finish(outcome)).is_some()
    }
}
