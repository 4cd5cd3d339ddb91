//! AWS Lambda's side of the Runtime API, for tests that run a function's real binary.
//!
//! A [`Function`] is one execution environment: the process, Lambda's environment variables and an endpoint that the
//! process polls for invocations. It does what Lambda does around a function (one invocation at a time, a deadline,
//! a kill on timeout, a freeze between invocations) and lets a test act in the middle of an invocation.
//! The Runtime API: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. Memory and CPU are not limited.
//!
//! The process never outlives the test:
//! - dropping the [`Function`] kills and reaps it;
//! - when the test process itself is killed, a guard (`sh`, blocked on a pipe that only the test process holds) kills
//!   it, even while it is frozen. `lambda_runtime` would also end by itself once its Runtime API connection is gone,
//!   but not while it is frozen or busy in a handler.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness: what goes wrong here fails the test that uses it"
)]

mod gateway_event;

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    fs::{self, File},
    os::unix::{fs::FileExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{self, DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub use self::gateway_event::{GatewayEvent, gateway_event};
use crate::loopback::Server;

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "123456789012";

/// The largest event of a synchronous invocation: 6 MB.
const EVENT_LIMIT: usize = 6 * 1024 * 1024;

/// The largest response: a little more, as Lambda's own message says.
const RESPONSE_LIMIT: usize = EVENT_LIMIT + 100;

/// How long [`Function::freeze`] waits for the function to ask for its next invocation.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a file is read again while waiting for a log line.
const LOG_POLL: Duration = Duration::from_millis(2);

/// One execution environment of a function: its process and Lambda's side of the Runtime API.
pub struct Function {
    settings: Builder,
    output: Output,
    process: Process,
}

/// What a function is started with.
#[derive(Clone)]
pub struct Builder {
    program: PathBuf,
    name: String,
    environment: BTreeMap<String, String>,
    memory: u32,
    timeout: Duration,
}

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

/// An invocation under way.
#[must_use = "an invocation is only bounded in time by `wait`"]
pub struct PendingInvocation {
    request_id: String,
    started: Instant,
    timeout: Duration,
    finished: mpsc::Receiver<(Outcome, Duration)>,
    environment: Arc<Environment>,
}

/// Why a function did not become ready, with everything that it had written. `Debug` is as readable as `Display`, for
/// the tests that unwrap it.
#[derive(thiserror::Error)]
pub enum StartError {
    /// It reported an error to `/runtime/init/error`.
    #[error("the function reported an init error: {error}\n{output}")]
    InitError {
        /// What it reported.
        error: Value,
        /// Its stdout and stderr.
        output: String,
    },
    /// It ended.
    #[error("the function ended: {status}\n{output}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// Its stdout and stderr.
        output: String,
    },
    /// It is still busy.
    #[error("the function did not ask for an invocation within {timeout:?}\n{output}")]
    TimedOut {
        /// How long it was waited for.
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
        let program = program.as_ref();
        let program = program
            .canonicalize()
            .unwrap_or_else(|error| panic!("no binary at {}: {error}", program.display()));
        let name = program.file_name().expect("a file name").to_string_lossy().into_owned();
        Builder {
            program,
            name,
            environment: BTreeMap::new(),
            memory: 128,
            timeout: Duration::from_secs(10),
        }
    }

    /// Waits until the function asks for its first invocation, and returns how long that took from the start of the
    /// process: Lambda's "Init Duration".
    ///
    /// # Errors
    /// It reported an init error, ended, or is still busy after `timeout`.
    pub fn wait_until_ready(&self, timeout: Duration) -> Result<Duration, StartError> {
        let state = self.process.environment.wait_while(timeout, |state| {
            state.ready_after.is_none() && state.init_error.is_none() && state.exit.is_none()
        });
        let output = self.output();
        match (&state.init_error, state.exit, state.ready_after) {
            (Some(error), _, _) => Err(StartError::InitError {
                error: error.clone(),
                output,
            }),
            (None, Some(status), _) => Err(StartError::Exited { status, output }),
            (None, None, Some(ready_after)) => Ok(ready_after),
            (None, None, None) => Err(StartError::TimedOut { timeout, output }),
        }
    }

    /// Invokes the function with a JSON value, or with a raw string that need not be JSON, and waits for the outcome.
    pub fn invoke(&self, event: &(impl Display + ?Sized)) -> Invocation {
        self.start_invoke(event).wait()
    }

    /// Hands an event over without waiting. Thaws the function first, as Lambda does. Panics while another invocation
    /// is under way: Lambda would start a second environment, which is a second [`Function`].
    pub fn start_invoke(&self, event: &(impl Display + ?Sized)) -> PendingInvocation {
        self.thaw();
        let event = event.to_string();
        assert!(
            event.len() <= EVENT_LIMIT,
            "Lambda refuses an event of {} bytes",
            event.len()
        );
        let environment = Arc::clone(&self.process.environment);
        let request_id = next_request_id();
        let started = Instant::now();
        let (sender, finished) = mpsc::channel();
        let running = Running {
            request_id: request_id.clone(),
            started,
            finished: sender,
        };
        {
            let mut state = environment.lock();
            assert!(
                state.running.is_none(),
                "an execution environment handles one invocation at a time"
            );
            if state.exit.is_some() {
                running.finish(Outcome::Crashed);
            } else {
                let deadline = unix_time() + self.settings.timeout;
                state.queued = Some(Event {
                    request_id: request_id.clone(),
                    deadline,
                    body: event,
                });
                state.running = Some(running);
            }
        }
        environment.invoked.notify_one();
        PendingInvocation {
            request_id,
            started,
            timeout: self.settings.timeout,
            finished,
            environment,
        }
    }

    /// Kills the process and waits until it is gone. An invocation under way ends as [`Outcome::Crashed`].
    pub fn kill(&self) {
        self.process.environment.kill();
    }

    /// A new execution environment of the same function: a new process, with the output of the old one kept.
    pub fn restart(&mut self) {
        self.kill();
        self.process = Process::start(&self.settings, &self.output);
    }

    /// Stops the process as Lambda does between invocations: once the function has asked for its next one.
    pub fn freeze(&self) {
        self.process.environment.freeze();
    }

    /// Lets the process go on.
    pub fn thaw(&self) {
        self.process.environment.signal(Signal::CONT);
    }

    /// The process id, `None` once the process has ended.
    pub fn pid(&self) -> Option<u32> {
        let pid = self.process.environment.lock().pid?;
        Some(pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// The most memory that the process has had in RAM so far (`VmHWM`); `None` once it has ended and on systems
    /// without `/proc`.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// All of stdout, then all of stderr, so far and over restarts. What the function wrote before it answered is in.
    pub fn output(&self) -> String {
        self.output.stdout() + &self.output.stderr()
    }

    /// The lines of stdout so far as JSON. Panics on a line that is not JSON: nothing else may get into the log.
    #[track_caller]
    pub fn log_lines(&self) -> Vec<Value> {
        let stdout = self.output.stdout();
        let complete = stdout.rsplit_once('\n').map_or("", |(complete, _unfinished)| complete);
        let parse = |line: &str| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("a log line is not JSON ({error}): {line}"),
        };
        if complete.is_empty() {
            Vec::new()
        } else {
            complete.split('\n').map(parse).collect()
        }
    }

    /// Waits for the first log line that `wanted` accepts. Panics with the whole output if there is none in time.
    #[track_caller]
    pub fn wait_for_log(&self, wanted: impl Fn(&Value) -> bool, timeout: Duration) -> Value {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(line) = self.log_lines().into_iter().find(&wanted) {
                return line;
            }
            assert!(
                Instant::now() < deadline,
                "no such log line within {timeout:?}:\n{}",
                self.output()
            );
            thread::sleep(LOG_POLL);
        }
    }
}

impl Builder {
    /// Sets an environment variable. The test's own environment is not passed on.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Sets several environment variables.
    #[must_use]
    pub fn envs<N: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        variables
            .into_iter()
            .fold(self, |builder, (name, value)| builder.env(name, value))
    }

    /// The memory size in MB that the function is told, 128 unless set. It is not a limit here.
    #[must_use]
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// The function's timeout, 10 s unless set: the deadline that it is told, and when it is killed.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the process.
    pub fn spawn(self) -> Function {
        let output = Output::new();
        let process = Process::start(&self, &output);
        Function {
            settings: self,
            output,
            process,
        }
    }

    /// Lambda's variables (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>), then the test's.
    fn command(&self, runtime_api: &str) -> Command {
        let folder = self.program.parent().expect("the binary's folder");
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory.to_string())
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name))
            .env(
                "AWS_LAMBDA_LOG_STREAM_NAME",
                "2026/01/01/[$LATEST]00000000000000000000000000000000",
            )
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "example")
            .env("AWS_SESSION_TOKEN", "example")
            .env("LAMBDA_TASK_ROOT", folder)
            .env("LAMBDA_RUNTIME_DIR", "/var/runtime")
            .env("_HANDLER", "bootstrap")
            .env("LANG", "en_US.UTF-8")
            .env("TZ", ":UTC")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(&self.environment);
        command
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
        Invocation {
            request_id: self.request_id,
            outcome,
            duration,
        }
    }
}

/// A process with the Runtime API that serves it alone, so that a late request of an earlier process cannot take an
/// invocation away from a later one.
struct Process {
    environment: Arc<Environment>,
    watcher: Option<JoinHandle<()>>,
    _server: Server,
}

impl Process {
    fn start(settings: &Builder, output: &Output) -> Self {
        let environment = Arc::new(Environment {
            arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", settings.name),
            state: Mutex::default(),
            changed: Condvar::new(),
            invoked: Notify::new(),
        });
        let server = Server::start(runtime_api(Arc::clone(&environment)));
        let mut command = settings.command(&server.address().to_string());
        command.stdout(output.stdout.try_clone().expect("a handle for stdout"));
        command.stderr(output.stderr.try_clone().expect("a handle for stderr"));
        let child = {
            // Held over the start, so that the first request finds the moment of the start.
            let mut state = environment.lock();
            state.started = Some(Instant::now());
            let child = command
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", settings.program.display()));
            state.pid = Some(Pid::from_child(&child));
            child
        };
        let guard = Guard::start(child.id());
        let watcher = thread::spawn({
            let environment = Arc::clone(&environment);
            move || watch(child, guard, &environment)
        });
        Self {
            environment,
            watcher: Some(watcher),
            _server: server,
        }
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

/// Kills the function when the test process ends without doing it: its pipe to the shell closes then.
struct Guard(Child);

impl Guard {
    fn start(pid: u32) -> Self {
        let guard = Command::new("sh")
            .args(["-c", r#"read -r _; kill -KILL "$1""#, "lambda-guard", &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of the terminal's Ctrl-C, which ends the test process.
            .process_group(0)
            .spawn()
            .expect("sh");
        Self(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// stdout and stderr of a function. Files rather than pipes: what a function wrote before it answered is there to be
/// read as soon as the answer is. They have no name, so nothing is left behind.
struct Output {
    stdout: File,
    stderr: File,
}

impl Output {
    fn new() -> Self {
        let file = || tempfile::tempfile().expect("a temporary file");
        Self {
            stdout: file(),
            stderr: file(),
        }
    }

    fn stdout(&self) -> String {
        read_all(&self.stdout)
    }

    fn stderr(&self) -> String {
        read_all(&self.stderr)
    }
}

/// Reads the file without moving the position, which the function's process shares.
fn read_all(file: &File) -> String {
    let length = file.metadata().expect("the output's length").len();
    let mut content = vec![0; usize::try_from(length).expect("an output that fits into memory")];
    file.read_exact_at(&mut content, 0).expect("the output");
    String::from_utf8_lossy(&content).into_owned()
}

/// What the test and the Runtime API know of one process.
struct Environment {
    arn: String,
    state: Mutex<EnvironmentState>,
    /// The state has changed in a way that a blocking caller may wait for.
    changed: Condvar,
    /// An event has been queued.
    invoked: Notify,
}

#[derive(Default)]
struct EnvironmentState {
    /// `None` before the start.
    started: Option<Instant>,
    /// `None` before the start and once reaped.
    pid: Option<Pid>,
    exit: Option<ExitStatus>,
    ready_after: Option<Duration>,
    init_error: Option<Value>,
    /// The function has asked for an event and has not got one yet.
    polling: bool,
    queued: Option<Event>,
    running: Option<Running>,
}

/// An event on its way to the function.
struct Event {
    request_id: String,
    /// Since 1970.
    deadline: Duration,
    body: String,
}

/// An invocation without an outcome.
struct Running {
    request_id: String,
    started: Instant,
    finished: mpsc::Sender<(Outcome, Duration)>,
}

impl Running {
    fn finish(self, outcome: Outcome) {
        // Nobody waits if the test has dropped the pending invocation.
        let _ = self.finished.send((outcome, self.started.elapsed()));
    }
}

impl Environment {
    /// A panic of one test thread while it holds the lock must not hide its message behind a second one.
    fn lock(&self) -> MutexGuard<'_, EnvironmentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(
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
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.lock().pid {
            rustix::process::kill_process(pid, signal).expect("to signal the function");
        }
    }

    fn kill(&self) {
        self.signal(Signal::KILL);
        let state = self.wait_while(IDLE_TIMEOUT, |state| state.exit.is_none());
        assert!(state.exit.is_some(), "the function is still there after SIGKILL");
    }

    fn freeze(&self) {
        let idle = |state: &EnvironmentState| state.polling && state.running.is_none();
        let state = self.wait_while(IDLE_TIMEOUT, |state| !idle(state) && state.exit.is_none());
        let pid = state.pid.expect("a function that has not ended");
        assert!(
            idle(&state),
            "Lambda freezes a function only once it has asked for its next invocation"
        );
        drop(state);
        self.signal(Signal::STOP);
        rustix::io::retry_on_intr(|| {
            rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT)
        })
        .expect("to see the function stop");
    }

    fn finish(&self, request_id: &str, outcome: Outcome) -> StatusCode {
        let mut state = self.lock();
        match state.running.take_if(|running| running.request_id == request_id) {
            Some(running) => {
                running.finish(outcome);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

fn runtime_api(environment: Arc<Environment>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        // Read to its end even when it is too large: the function has to see the answer.
        .layer(DefaultBodyLimit::disable())
        .with_state(environment)
}

async fn next(State(environment): State<Arc<Environment>>) -> Response {
    {
        let mut state = environment.lock();
        let started = state.started;
        state.ready_after = state.ready_after.or(started.map(|started| started.elapsed()));
        state.polling = true;
    }
    environment.changed.notify_all();
    let event = loop {
        {
            let mut state = environment.lock();
            if let Some(event) = state.queued.take() {
                state.polling = false;
                break event;
            }
        }
        environment.invoked.notified().await;
    };
    let trace_id = format!(
        "Root=1-{:08x}-{:024x};Parent={:016x};Sampled=0",
        event.deadline.as_secs(),
        1,
        1
    );
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("Lambda-Runtime-Aws-Request-Id", event.request_id),
        ("Lambda-Runtime-Deadline-Ms", event.deadline.as_millis().to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", environment.arn.clone()),
        ("Lambda-Runtime-Trace-Id", trace_id),
    ];
    (headers, event.body).into_response()
}

async fn response(
    State(environment): State<Arc<Environment>>,
    extract::Path(request_id): extract::Path<String>,
    body: Bytes,
) -> Response {
    if body.len() > RESPONSE_LIMIT {
        let error = json!({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."),
        });
        environment.finish(&request_id, Outcome::Error(error));
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    }
    status(environment.finish(&request_id, parse(&body).map_or_else(Outcome::Error, Outcome::Response)))
}

async fn error(
    State(environment): State<Arc<Environment>>,
    extract::Path(request_id): extract::Path<String>,
    body: Bytes,
) -> Response {
    let (Ok(error) | Err(error)) = parse(&body);
    status(environment.finish(&request_id, Outcome::Error(error)))
}

async fn init_error(State(environment): State<Arc<Environment>>, body: Bytes) -> Response {
    let (Ok(error) | Err(error)) = parse(&body);
    environment.lock().init_error = Some(error);
    environment.changed.notify_all();
    status(StatusCode::ACCEPTED)
}

/// What the function sent, or an error that shows it.
fn parse(body: &Bytes) -> Result<Value, Value> {
    serde_json::from_slice(body).map_err(|error| {
        let text = String::from_utf8_lossy(body);
        json!({ "errorType": "Sandbox.InvalidJson", "errorMessage": format!("{error}: {text}") })
    })
}

/// An answer as the Runtime API words it.
fn status(status: StatusCode) -> Response {
    let body = match status {
        StatusCode::ACCEPTED => r#"{"status":"OK"}"#,
        StatusCode::PAYLOAD_TOO_LARGE => {
            r#"{"errorMessage":"Exceeded maximum allowed payload size","errorType":"RequestEntityTooLarge"}"#
        }
        _ => r#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#,
    };
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Looks like Lambda's and is unique within the test process.
fn next_request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("00000000-0000-4000-8000-{count:012x}")
}

/// Since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the harness is outside: it plays the clock of Lambda and of the gateway"
)]
fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
}
