//! The functions, which `cargo lambda watch` builds and runs, and the two ways to invoke them: by HTTP, and from the
//! queue.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
};

use sandbox::{
    Options,
    aws_emulator::{ACCESS_KEY, REGION},
    deployment::{HOOKS_SECRET_ID, OKTA_SECRET_ID},
    dynamodb::TABLE,
    loopback::HeldPort,
    queue::{EventSourceMapping, HttpFunction},
};
use serde_json::Value;
use ureq::http::{HeaderMap, Method};

use crate::{
    child::Child,
    error::Error,
    events::{Events, Waiter},
    http::{self, Answer},
    output::Output,
    outside::{Outside, STARTS, TOOLS, hold},
    request::Request,
    terminal::{self, LOG_LIMIT},
};

/// Variables of the functions, by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// A function and the path of its URL.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
}

pub(crate) const TELEPHONY_HOOK: Function = Function { name: "telephony-hook", path: "/telephony" };
pub(crate) const EVENT_HOOK: Function = Function { name: "event-hook", path: "/events" };

/// The port that is used if it is free. It is the default of cargo-lambda.
pub(crate) const PORT: u16 = 9000;

/// The line that cargo-lambda writes when a function's process has ended.
const FUNCTION_ENDED: &str = "command exited";

/// Variables that would connect the functions to a real account instead of this machine.
const FOREIGN_VARIABLES: &[&str] = &[
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_DYNAMODB",
];

/// The configuration of the functions. Only the last case uses the variables of the caller's environment.
pub(crate) enum Mode<'a> {
    /// As the template deploys them, with these additional variables. Each send is stored in the sends table, feedback
    /// goes through the queue, and Okta's API is not used.
    Deployed(&'a Variables),
    /// For recorded requests to send a code, with these variables.
    Sendings(&'a Variables),
    /// For recorded deliveries, with these variables. No send preceded them, so Okta's API supplies the number.
    /// Feedback is sent within the request, so that its outcome is visible immediately.
    Deliveries(&'a Variables),
    /// Rebuilt when the source changes. They use the sends table first and Okta's API if the table has no entry, and
    /// the queue.
    Watched,
}

impl Mode<'_> {
    fn has_queue(&self) -> bool {
        matches!(self, Self::Deployed(_) | Self::Watched)
    }

    fn has_table(&self) -> bool {
        !matches!(self, Self::Deliveries(_))
    }

    fn has_okta_api(&self) -> bool {
        match self {
            Self::Deployed(_) | Self::Sendings(_) => false,
            Self::Deliveries(_) => true,
            Self::Watched => own_variable("PHONE_SOURCE").is_none_or(|source| source != "none"),
        }
    }
}

/// The running functions. Dropping this stops them.
pub(crate) struct Functions {
    /// Passes the queue's messages to event-hook, as Lambda does.
    _event_source_mapping: Option<EventSourceMapping>,
    _cargo_lambda: Child,
    pub(crate) port: u16,
    /// The output of the functions and of cargo-lambda.
    pub(crate) output: Arc<Output>,
}

impl Functions {
    /// Reserves the functions' port until it is dropped.
    pub(crate) fn hold_port() -> Result<HeldPort, Error> {
        hold(address(), PORT)
    }

    /// Starts these functions on the port and waits until they respond. If another process takes the port, they get
    /// another one.
    pub(crate) fn start(
        mode: &Mode<'_>,
        wanted: &[&'static Function],
        port: &mut HeldPort,
        outside: &Outside,
        events: &Events,
        waiter: &Waiter,
    ) -> Result<Self, Error> {
        let mut starts = 1;
        loop {
            match Self::start_on(port.number(), mode, wanted, outside, events, waiter) {
                Err(error) if error.is_address_in_use() && starts < STARTS => *port = hold(address(), 0)?,
                started => return started,
            }
            starts += 1;
        }
    }

    fn start_on(
        port: u16,
        mode: &Mode<'_>,
        wanted: &[&'static Function],
        outside: &Outside,
        events: &Events,
        waiter: &Waiter,
    ) -> Result<Self, Error> {
        let output = Arc::default();
        let cargo_lambda = Child::start("cargo lambda watch", command(mode, port, outside), &output, events)?;
        let functions = Self { _event_source_mapping: None, _cargo_lambda: cargo_lambda, port, output };
        functions.wait(wanted, waiter)?;
        let mapping = mode.has_queue().then(|| {
            let event_hook = HttpFunction::new(&base_url(port), EVENT_HOOK.name);
            EventSourceMapping::start(outside.queues.queue.clone(), Arc::new(event_hook))
        });
        Ok(Self { _event_source_mapping: mapping, ..functions })
    }

    /// Sends a request over HTTP. cargo-lambda turns it into the event that API Gateway would pass on.
    pub(crate) fn send(&self, waiter: &Waiter, function: &Function, request: Request) -> Result<Answer, Error> {
        let Request { method, path, headers, body } = request;
        let url = self.url(function, &path);
        waiter.run(move || http::send(&method, &url, &headers, &body, http::LIMIT))?
    }

    /// Starts a function by its first request. The function rejects this request without any other effect. The log line
    /// about it proves that this is the function started here, not another program on the port.
    fn wait(&self, wanted: &[&'static Function], waiter: &Waiter) -> Result<(), Error> {
        let address = SocketAddr::from((address(), self.port));
        waiter.until_ready("cargo lambda watch", &self.output, || Ok(TcpStream::connect(address).ok()))?;
        for function in wanted {
            let url = self.url(function, function.path);
            let request = thread::spawn(move || http::send(&Method::GET, &url, &HeaderMap::new(), "", http::LIMIT));
            waiter.until_ready(function.name, &self.output, || {
                // Otherwise cargo-lambda would keep the request waiting forever.
                if self.output.contains(FUNCTION_ENDED) {
                    return Err(self.why_ended(function.name));
                }
                let has_refused = self.output.any(|line| terminal::is_refusal(line, function.name));
                Ok((request.is_finished() && has_refused).then_some(()))
            })?;
        }
        Ok(())
    }

    /// A function with an invalid variable logs one line about it, which explains more than the rest of the output.
    fn why_ended(&self, function: &'static str) -> Error {
        let is_problem = |line: &str| {
            terminal::log_line(line).is_some_and(|line| terminal::message(&line) == "configuration_invalid")
        };
        let lines = self.output.wait_for(0, LOG_LIMIT, is_problem);
        let problem = lines
            .iter()
            .filter(|line| is_problem(line))
            .find_map(|line| Some(terminal::log_line(line)?.get("problem")?.as_str()?.to_owned()));
        match problem {
            Some(problem) => Error::Configuration { function, problem },
            None => Error::ended(function, &self.output),
        }
    }

    /// The functions' warnings about their variables.
    pub(crate) fn configuration_warnings(&self) -> Vec<Value> {
        let lines = self.output.all();
        let lines = lines.iter().filter_map(|line| terminal::log_line(line));
        lines.filter(|line| terminal::message(line) == "configuration_warning").collect()
    }

    fn url(&self, function: &Function, path: &str) -> String {
        format!("{}/lambda-url/{}{path}", base_url(self.port), function.name)
    }
}

/// The default address of `cargo lambda invoke`, if this machine has that loopback address.
pub(crate) fn address() -> IpAddr {
    let ipv6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    if TcpListener::bind((ipv6, 0)).is_ok() { ipv6 } else { Ipv4Addr::LOCALHOST.into() }
}

pub(crate) fn base_url(port: u16) -> String {
    format!("http://{}", SocketAddr::from((address(), port)))
}

/// `cargo lambda watch` passes its environment on to the functions.
fn command(mode: &Mode<'_>, port: u16, outside: &Outside) -> Command {
    let options = Options::default();
    let sandbox = outside.sandbox.https_url();
    let mut command = Command::new(Path::new(TOOLS).join("cargo-lambda"));
    command
        .args(["lambda", "watch", "--invoke-address", &address().to_string(), "--invoke-port"])
        .arg(port.to_string());
    match mode {
        Mode::Deployed(variables) | Mode::Sendings(variables) | Mode::Deliveries(variables) => {
            fix(&mut command);
            command.envs(*variables);
        }
        Mode::Watched => {
            for variable in FOREIGN_VARIABLES {
                command.env_remove(variable);
            }
            if hides_warnings() {
                // Otherwise a warning about a misspelt variable would never reach this program.
                command.env("LOG_LEVEL", "warn");
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
        .env("EXTRA_CA_FILE", outside.sandbox.ca_file());
    if mode.has_okta_api() {
        command
            .env("OKTA_SECRET_ID", OKTA_SECRET_ID)
            .env("OKTA_ORG_URL", options.okta.org_url)
            .env("OKTA_API_URL", &sandbox);
    } else {
        command.env_remove("OKTA_SECRET_ID").env_remove("OKTA_ORG_URL").env("PHONE_SOURCE", "none");
    }
    if mode.has_table() {
        command.env("SENDS_TABLE", TABLE);
    }
    if mode.has_queue() {
        command.env("FEEDBACK_QUEUE_URL", outside.queues.queue.url());
    }
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the functions would inherit, which is no configuration of this program"
)]
fn own_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Whether the caller wants to see errors only.
pub(crate) fn hides_warnings() -> bool {
    own_variable("LOG_LEVEL").is_some_and(|level| level.to_string_lossy().trim().eq_ignore_ascii_case("error"))
}

/// Makes the functions independent of source changes and of the caller's variables.
fn fix(command: &mut Command) {
    command.arg("--ignore-changes").env_clear();
    command.envs(std::env::vars_os().filter(|(name, _value)| is_of_cargo(name)));
}

/// Whether cargo needs the variable to find its toolchain and its build output.
fn is_of_cargo(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    ["PATH", "HOME", "TMPDIR"].contains(&name.as_ref()) || name.starts_with("CARGO") || name.starts_with("RUST")
}
