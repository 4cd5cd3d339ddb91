//! The functions, which `cargo lambda watch` builds and runs, and the two doors to them.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use sandbox::{
    Options,
    aws_emulator::{ACCESS_KEY, REGION},
    deployment::{HOOKS_SECRET_ID, OKTA_SECRET_ID},
    queue::{EventSourceMapping, HttpFunction},
};
use serde_json::{Value, json};
use ureq::http::{HeaderMap, Method};

use crate::{
    child::Child,
    error::Error,
    events::{Events, Waiter},
    http::{self, Answer},
    output::Output,
    outside::{Outside, TOOLS, free_port},
    request::Request,
    terminal,
};

/// A function, and the path of the front door that leads to it.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
}

pub(crate) const TELEPHONY_HOOK: Function = Function { name: "telephony-hook", path: "/telephony" };
pub(crate) const EVENT_HOOK: Function = Function { name: "event-hook", path: "/events" };

/// The port that is used when it is free. It is cargo-lambda's own default.
pub(crate) const PORT: u16 = 9000;

/// What cargo-lambda writes when a function's process has ended.
const FUNCTION_ENDED: &str = "command exited";

/// Variables that would lead the functions away from this machine, to somebody's real account.
const FOREIGN_VARIABLES: &[&str] = &[
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_DYNAMODB",
];

/// How the functions are run.
pub(crate) enum Mode<'a> {
    /// For recorded events: from what is built now, with these variables and nobody's own. Feedback is given within the
    /// request, so that its outcome can be seen at once.
    Recorded(&'a BTreeMap<String, String>),
    /// For a sign-in from end to end: from what is built now, with nobody's own variables. Feedback goes through the queue.
    EndToEnd,
    /// Built anew when the source changes, with the variables of whoever runs it. Feedback goes through the queue.
    Watched,
}

impl Mode<'_> {
    fn has_queue(&self) -> bool {
        !matches!(self, Self::Recorded(_))
    }
}

/// The running functions. Dropping them ends them.
pub(crate) struct Functions {
    /// Hands the queue's messages to event-hook, as Lambda does.
    _event_source_mapping: Option<EventSourceMapping>,
    _cargo_lambda: Child,
    /// Name of the one that was started last.
    last: &'static str,
    pub(crate) port: u16,
    /// What the functions and cargo-lambda write.
    pub(crate) output: Arc<Output>,
}

impl Functions {
    /// Starts these functions and waits until they answer.
    pub(crate) fn start(
        mode: &Mode<'_>,
        wanted: &[&'static Function],
        outside: &Outside,
        events: &Events,
        waiter: &Waiter,
    ) -> Result<Self, Error> {
        let port = free_port(address(), PORT)?;
        let output = Arc::default();
        let cargo_lambda = Child::start("cargo lambda watch", command(mode, port, outside), &output, events)?;
        let last = wanted.last().map_or("", |function| function.name);
        let functions = Self { _event_source_mapping: None, _cargo_lambda: cargo_lambda, last, port, output };
        functions.wait(wanted, waiter)?;
        let mapping = mode.has_queue().then(|| {
            let event_hook = HttpFunction::new(&base_url(port), EVENT_HOOK.name);
            EventSourceMapping::start(outside.queues.queue.clone(), Arc::new(event_hook))
        });
        Ok(Self { _event_source_mapping: mapping, ..functions })
    }

    /// Sends a request through the front door, where it becomes the event that API Gateway would hand over.
    pub(crate) fn send(&self, waiter: &Waiter, function: &Function, request: Request) -> Result<Answer, Error> {
        let Request { method, path, headers, body } = request;
        let url = self.url(function, &path);
        waiter.run(move || http::send(&method, &url, &headers, &body))?
    }

    /// What each function has logged of its start.
    pub(crate) fn start_lines(&self, limit: Duration) -> Vec<Value> {
        let started = |line: &str| terminal::log_line(line).filter(|line| terminal::message(line) == "started");
        // They answered one after the other, but the lines may still be on their way.
        let is_last = |line: &str| started(line).is_some_and(|line| line.get("service") == Some(&json!(self.last)));
        self.output.wait_for(0, limit, is_last).iter().filter_map(|line| started(line)).collect()
    }

    /// A function starts with its first request. This one it refuses, and does nothing else.
    fn wait(&self, wanted: &[&'static Function], waiter: &Waiter) -> Result<(), Error> {
        let address = SocketAddr::from((address(), self.port));
        waiter.until_ready("cargo lambda watch", &self.output, || Ok(TcpStream::connect(address).ok()))?;
        for function in wanted {
            let url = self.url(function, function.path);
            let request = thread::spawn(move || http::send(&Method::GET, &url, &HeaderMap::new(), ""));
            waiter.until_ready(function.name, &self.output, || {
                // cargo-lambda would let the request wait for ever.
                if self.output.contains(FUNCTION_ENDED) {
                    return Err(Error::ended(function.name, &self.output));
                }
                Ok(request.is_finished().then_some(()))
            })?;
        }
        Ok(())
    }

    fn url(&self, function: &Function, path: &str) -> String {
        format!("{}/lambda-url/{}{path}", base_url(self.port), function.name)
    }
}

/// The loopback address that `cargo lambda invoke` asks unless told otherwise, where this machine has it.
pub(crate) fn address() -> IpAddr {
    let ipv6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    if TcpListener::bind((ipv6, 0)).is_ok() { ipv6 } else { Ipv4Addr::LOCALHOST.into() }
}

pub(crate) fn base_url(port: u16) -> String {
    format!("http://{}", SocketAddr::from((address(), port)))
}

/// `cargo lambda watch` hands its environment on to the functions.
fn command(mode: &Mode<'_>, port: u16, outside: &Outside) -> Command {
    let options = Options::default();
    let sandbox = outside.sandbox.https_url();
    let mut command = Command::new(Path::new(TOOLS).join("cargo-lambda"));
    command
        .args(["lambda", "watch", "--invoke-address", &address().to_string(), "--invoke-port"])
        .arg(port.to_string());
    match mode {
        Mode::Recorded(variables) => {
            fix(&mut command);
            command.envs(*variables);
        }
        Mode::EndToEnd => fix(&mut command),
        Mode::Watched => {
            for variable in FOREIGN_VARIABLES {
                command.env_remove(variable);
            }
        }
    }
    command
        .env("AWS_ENDPOINT_URL", &outside.aws_endpoint)
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", ACCESS_KEY)
        .env("HOOKS_SECRET_ID", HOOKS_SECRET_ID)
        .env("VERIFY_SERVICE_SID", options.service_sid)
        .env("TWILIO_VERIFY_URL", &sandbox)
        .env("TWILIO_LOOKUP_URL", &sandbox)
        .env("OKTA_SECRET_ID", OKTA_SECRET_ID)
        .env("OKTA_ORG_URL", options.okta.org_url)
        .env("OKTA_API_URL", &sandbox)
        .env("EXTRA_CA_FILE", outside.sandbox.ca_file());
    if mode.has_queue() {
        command.env("FEEDBACK_QUEUE_URL", outside.queues.queue.url());
    }
    command
}

/// Makes the functions independent of changes of the source and of somebody's own variables.
fn fix(command: &mut Command) {
    command.arg("--ignore-changes").env_clear();
    command.envs(std::env::vars_os().filter(|(name, _value)| is_of_cargo(name)));
}

/// Whether cargo needs the variable to find itself and what it has built.
fn is_of_cargo(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    ["PATH", "HOME", "TMPDIR"].contains(&name.as_ref()) || name.starts_with("CARGO") || name.starts_with("RUST")
}
