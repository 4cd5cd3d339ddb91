//! AWS Lambda's side of the Runtime API, for tests that run the real binary of a function.
//!
//! A [`Function`] is one execution environment: the process, Lambda's environment variables and an endpoint that the
//! process polls for invocations. It does what Lambda does around a function: one invocation at a time, a deadline, a
//! kill on timeout, a freeze between invocations. A test can act in the middle of an invocation. The Runtime API:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. Memory and CPU are not limited.
//!
//! The process never outlives the test:
//! - dropping the [`Function`] kills and reaps it;
//! - when the test process itself is killed, a guard (a `sh` that reads from a pipe of the test process) kills the
//!   process, even while it is frozen. Without the guard, `lambda_runtime` ends when its Runtime API connection is
//!   closed, but not while it is frozen or busy in a handler.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness: what goes wrong here fails the test that uses it"
)]

mod builder;
mod environment;
mod gateway_event;
mod invocation;
mod output;
mod process;
mod runtime_api;

use std::{
    fmt::{self, Display},
    fs,
    path::Path,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

pub use self::{
    builder::Builder,
    gateway_event::{GatewayEvent, gateway_event},
    invocation::{Invocation, Outcome},
};
use self::{
    environment::Environment,
    invocation::{EVENT_LIMIT, Event, Running},
    output::Output,
    process::Process,
};
use crate::clock::unix_time;

/// The interval between two reads of the output while waiting for a log line.
const LOG_POLL: Duration = Duration::from_millis(2);

/// One execution environment of a function: its process and Lambda's side of the Runtime API.
pub struct Function {
    settings: Builder,
    output: Output,
    process: Process,
}

/// An invocation in progress.
#[must_use = "an invocation is only bounded in time by `wait`"]
pub struct PendingInvocation {
    request_id: String,
    started: Instant,
    timeout: Duration,
    finished: mpsc::Receiver<(Outcome, Duration)>,
    environment: Arc<Environment>,
}

/// The reason why a function did not become ready, with its output. `Debug` is the same as `Display`, for tests that
/// unwrap it.
#[derive(thiserror::Error)]
pub enum StartError {
    /// The function reported an error to `/runtime/init/error`.
    #[error("the function reported an init error: {error}\n{output}")]
    InitError {
        /// The reported error.
        error: Value,
        /// Its stdout and stderr.
        output: String,
    },
    /// The function's process ended.
    #[error("the function ended: {status}\n{output}")]
    Exited {
        /// The exit status.
        status: ExitStatus,
        /// Its stdout and stderr.
        output: String,
    },
    /// The function did not become ready in time.
    #[error("the function did not ask for an invocation within {timeout:?}\n{output}")]
    TimedOut {
        /// The time limit.
        timeout: Duration,
        /// Its stdout and stderr.
        output: String,
    },
}

impl fmt::Debug for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

impl Function {
    /// A function whose `bootstrap` is `program`, in a test usually `env!("CARGO_BIN_EXE_…")`.
    pub fn builder(program: impl AsRef<Path>) -> Builder {
        Builder::new(program.as_ref())
    }

    /// Waits until the function asks for its first invocation, and returns how long that took from the start of the
    /// process: Lambda's "Init Duration".
    ///
    /// # Errors
    /// The function reported an init error, ended, or is still busy after `timeout`.
    pub fn wait_until_ready(&self, timeout: Duration) -> Result<Duration, StartError> {
        let state = self.process.environment.wait_while(timeout, |state| {
            state.ready_after.is_none() && state.init_error.is_none() && state.exit.is_none()
        });
        let output = self.output();
        match (&state.init_error, state.exit, state.ready_after) {
            (Some(error), _, _) => Err(StartError::InitError { error: error.clone(), output }),
            (None, Some(status), _) => Err(StartError::Exited { status, output }),
            (None, None, Some(ready_after)) => Ok(ready_after),
            (None, None, None) => Err(StartError::TimedOut { timeout, output }),
        }
    }

    /// Invokes the function with a JSON value, or with a raw string that need not be JSON, and waits for the outcome.
    pub fn invoke(&self, event: &(impl Display + ?Sized)) -> Invocation {
        self.start_invoke(event).wait()
    }

    /// Passes an event to the function without waiting. Thaws the function first, as Lambda does. Panics while another
    /// invocation is in progress: Lambda would start a second environment, which is a second [`Function`] here.
    pub fn start_invoke(&self, event: &(impl Display + ?Sized)) -> PendingInvocation {
        self.thaw();
        let event = event.to_string();
        assert!(event.len() <= EVENT_LIMIT, "Lambda refuses an event of {} bytes", event.len());
        let environment = Arc::clone(&self.process.environment);
        let request_id = next_request_id();
        let started = Instant::now();
        let (sender, finished) = mpsc::channel();
        let running = Running { request_id: request_id.clone(), started, finished: sender };
        {
            let mut state = environment.lock();
            assert!(state.running.is_none(), "an execution environment handles one invocation at a time");
            if state.exit.is_some() {
                running.finish(Outcome::Crashed);
            } else {
                let deadline = unix_time() + self.settings.timeout;
                state.queued = Some(Event { request_id: request_id.clone(), deadline, body: event });
                state.running = Some(running);
            }
        }
        environment.invoked.notify_one();
        PendingInvocation { request_id, started, timeout: self.settings.timeout, finished, environment }
    }

    /// Kills the process and waits for its end. An invocation in progress ends as [`Outcome::Crashed`].
    pub fn kill(&self) {
        self.process.environment.kill();
    }

    /// Starts a new execution environment of the same function: a new process, which keeps the output of the old one.
    pub fn restart(&mut self) {
        self.kill();
        self.process = Process::start(&self.settings, &self.output);
    }

    /// Freezes the process as Lambda does between invocations, after the function has requested its next event.
    pub fn freeze(&self) {
        self.process.environment.freeze();
    }

    /// Resumes the process.
    pub fn thaw(&self) {
        self.process.environment.signal(Signal::CONT);
    }

    /// The process id, `None` once the process has ended.
    pub fn pid(&self) -> Option<u32> {
        let pid = self.process.environment.lock().pid?;
        Some(pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// The maximum resident memory of the process so far (`VmHWM`); `None` after its end and on systems without
    /// `/proc`.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// The output so far, across restarts: all of stdout, then all of stderr. It includes everything that the function
    /// wrote before its last response.
    pub fn output(&self) -> String {
        self.output.stdout() + &self.output.stderr()
    }

    /// The lines of stdout so far as JSON. Panics on a line that is not JSON, because the log may contain nothing else.
    #[track_caller]
    pub fn log_lines(&self) -> Vec<Value> {
        let stdout = self.output.stdout();
        let complete = stdout.rsplit_once('\n').map_or("", |(complete, _unfinished)| complete);
        let parse = |line: &str| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("a log line is not JSON ({error}): {line}"),
        };
        if complete.is_empty() { Vec::new() } else { complete.split('\n').map(parse).collect() }
    }

    /// Waits for the first log line that `wanted` accepts. Panics with the whole output if none arrives in time.
    #[track_caller]
    pub fn wait_for_log(&self, wanted: impl Fn(&Value) -> bool, timeout: Duration) -> Value {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(line) = self.log_lines().into_iter().find(&wanted) {
                return line;
            }
            assert!(Instant::now() < deadline, "no such log line within {timeout:?}:\n{}", self.output());
            thread::sleep(LOG_POLL);
        }
    }
}

impl Builder {
    /// Starts the process.
    pub fn spawn(self) -> Function {
        let output = Output::new();
        let process = Process::start(&self, &output);
        Function { settings: self, output, process }
    }
}

impl PendingInvocation {
    /// Lambda's request id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Waits for the outcome, at most until the function's timeout.
    pub fn wait(self) -> Invocation {
        let remaining = self.timeout.saturating_sub(self.started.elapsed());
        let (outcome, duration) = self.finished.recv_timeout(remaining).unwrap_or_else(|_timed_out| {
            self.environment.kill();
            (Outcome::TimedOut, self.started.elapsed())
        });
        Invocation { request_id: self.request_id, outcome, duration }
    }
}

/// A request id in Lambda's format, unique within the test process.
fn next_request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("00000000-0000-4000-8000-{count:012x}")
}
