//! The parts of the local stack, started in the order in which they need each other.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use sandbox::{
    Options, Sandbox,
    deployment::{AUTH_SECRET, HOOKS_SECRET_ID},
};
use serde_json::json;
use ureq::http::{HeaderMap, Method};

use crate::{
    aws,
    child::{Child, Output},
    error::Error,
    events::{Events, Waiter},
    http::{self, Answer},
    request::Request,
};

/// Where `make` installs the tools.
const TOOLS: &str = ".tools/venv/bin";

/// How long each part may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What cargo-lambda writes when a function's process has ended.
const FUNCTION_ENDED: &str = "command exited";

/// The ports that are used when they are free, so that what is typed stays the same.
const FUNCTIONS_PORT: u16 = 9000;
const AWS_PORT: u16 = 4566;
const SANDBOX_PORT: u16 = 8081;
const SANDBOX_TLS_PORT: u16 = 8443;

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
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Once, from what is built now.
    Demo,
    /// Until Ctrl-C, built anew when the source changes.
    Dev,
}

/// The running stack. Dropping it ends it, the functions first.
pub(crate) struct Stack {
    _functions: Child,
    _aws: Child,
    pub(crate) sandbox: Sandbox,
    pub(crate) functions_port: u16,
    pub(crate) aws_url: String,
    /// What the functions and cargo-lambda write.
    pub(crate) output: Arc<Output>,
}

impl Stack {
    /// Starts everything and waits until it answers.
    pub(crate) fn start(mode: Mode, events: &Events, waiter: &Waiter) -> Result<Self, Error> {
        let sandbox = start_sandbox()?;
        let aws_port = free_port(AWS_PORT)?;
        let aws_url = format!("http://127.0.0.1:{aws_port}");
        let aws_output = Arc::default();
        let aws = Child::start("the AWS emulator", emulator(aws_port), &aws_output, events)?;
        create_secret(&aws_url, &aws_output, waiter)?;

        let functions_port = free_port(FUNCTIONS_PORT)?;
        let output = Arc::default();
        let command = functions(mode, functions_port, &aws_url, &sandbox);
        let functions = Child::start("cargo lambda watch", command, &output, events)?;
        let stack = Self { _functions: functions, _aws: aws, sandbox, functions_port, aws_url, output };
        stack.wait_for_functions(waiter)?;
        Ok(stack)
    }

    /// Sends a request through the front door, where it becomes the event that API Gateway would hand over.
    pub(crate) fn send(&self, waiter: &Waiter, function: &str, request: Request) -> Result<Answer, Error> {
        let Request { method, path, headers, body } = request;
        let url = format!("http://127.0.0.1:{}/lambda-url/{function}{path}", self.functions_port);
        waiter.run(move || http::send(&method, &url, &headers, &body))?
    }

    /// A function starts with its first request. One that it refuses does nothing else.
    fn wait_for_functions(&self, waiter: &Waiter) -> Result<(), Error> {
        let name = "telephony-hook";
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.functions_port));
        let connect = || Ok(TcpStream::connect(address).ok());
        until_ready("cargo lambda watch", waiter, &self.output, connect)?;
        let url = format!("http://{address}/lambda-url/{name}/telephony");
        let request = thread::spawn(move || http::send(&Method::GET, &url, &HeaderMap::new(), ""));
        until_ready(name, waiter, &self.output, || {
            // cargo-lambda would let the request wait for ever.
            if self.output.contains(FUNCTION_ENDED) {
                return Err(Error::ended(name, &self.output));
            }
            Ok(request.is_finished().then_some(()))
        })
    }
}

fn start_sandbox() -> Result<Sandbox, Error> {
    let options =
        Options { https_port: free_port(SANDBOX_TLS_PORT)?, http_port: free_port(SANDBOX_PORT)?, ..Options::default() };
    Ok(Sandbox::try_start(options)?)
}

fn emulator(port: u16) -> Command {
    let mut command = Command::new(Path::new(TOOLS).join("ministack"));
    command
        // Its default is every interface.
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("LOG_LEVEL", "WARNING")
        // Nothing may be left from an earlier run, nor on the disk.
        .env("PERSIST_STATE", "0")
        .env("S3_PERSIST", "0")
        .env_remove("LOCALSTACK_PERSISTENCE");
    command
}

/// Also finds out when the emulator is ready.
fn create_secret(aws_url: &str, output: &Arc<Output>, waiter: &Waiter) -> Result<(), Error> {
    let options = Options::default();
    let secret = json!({
        "auth_secret": AUTH_SECRET,
        "twilio_api_key_sid": options.api_key_sid,
        "twilio_api_key_secret": options.api_key_secret,
    });
    until_ready("the AWS emulator", waiter, output, || match aws::create_secret(aws_url, HOOKS_SECRET_ID, &secret) {
        Ok(()) => Ok(Some(())),
        Err(Error::Http { .. }) => Ok(None),
        Err(error) => Err(error),
    })
}

/// `cargo lambda watch` hands its environment on to the functions.
fn functions(mode: Mode, port: u16, aws_url: &str, sandbox: &Sandbox) -> Command {
    let twilio = sandbox.https_url();
    let mut command = Command::new(Path::new(TOOLS).join("cargo-lambda"));
    match mode {
        // The story must not depend on somebody's own settings of the functions.
        Mode::Demo => {
            command.env_clear().envs(std::env::vars_os().filter(|(name, _value)| is_of_cargo(name)));
        }
        // In `make dev` such settings are what one wants to try, but not those of a real AWS account.
        Mode::Dev => {
            for variable in FOREIGN_VARIABLES {
                command.env_remove(variable);
            }
        }
    }
    command
        .args(["lambda", "watch", "--invoke-address", "127.0.0.1", "--invoke-port"])
        .arg(port.to_string())
        .env("AWS_ENDPOINT_URL", aws_url)
        .env("AWS_REGION", aws::REGION)
        .env("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", aws::ACCESS_KEY)
        .env("HOOKS_SECRET_ID", HOOKS_SECRET_ID)
        .env("VERIFY_SERVICE_SID", Options::default().service_sid)
        .env("TWILIO_VERIFY_URL", &twilio)
        .env("TWILIO_LOOKUP_URL", &twilio)
        .env("EXTRA_CA_FILE", sandbox.ca_file());
    if mode == Mode::Demo {
        command.arg("--ignore-changes");
    }
    command
}

/// Whether cargo needs the variable to find itself and what it has built.
fn is_of_cargo(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    ["PATH", "HOME", "TMPDIR"].contains(&name.as_ref()) || name.starts_with("CARGO") || name.starts_with("RUST")
}

fn until_ready<T>(
    name: &'static str,
    waiter: &Waiter,
    output: &Output,
    ask: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<(), Error> {
    match waiter.poll(START_LIMIT, ask)? {
        Some(_) => Ok(()),
        None => Err(Error::NotReady { name, limit: START_LIMIT, output: output.tail() }),
    }
}

/// The preferred port, or any free one where it is taken.
fn free_port(preferred: u16) -> Result<u16, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, preferred))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .map_err(Error::Port)?;
    Ok(listener.local_addr().map_err(Error::Port)?.port())
}
