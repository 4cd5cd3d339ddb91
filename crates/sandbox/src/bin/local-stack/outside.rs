//! What the functions have around them: the AWS emulator with their secrets, and the sandbox.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

use sandbox::{
    Options, Sandbox,
    aws_emulator::QueuePair,
    deployment::{AUTH_SECRET, HOOKS_SECRET_ID},
};
use serde_json::json;

use crate::{
    aws::Aws,
    child::{Child, Output},
    error::Error,
    events::{Events, Waiter},
};

/// Where `make` installs the tools.
pub(crate) const TOOLS: &str = ".tools/venv/bin";

/// Name of the Okta secret.
pub(crate) const OKTA_SECRET_ID: &str = "okta-twilio/okta";

/// Where all but the functions listen.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The ports that are used when they are free, so that what is typed stays the same.
const AWS_PORT: u16 = 4566;
const SANDBOX_PORT: u16 = 8081;
const SANDBOX_TLS_PORT: u16 = 8443;

/// How long a message is hidden while the function works on it, if the function does not say otherwise.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a message is handed over before it goes to the dead-letter queue: with the function's back-off, some minutes.
const MAX_RECEIVE_COUNT: u32 = 8;

/// The running surroundings. Dropping them ends them.
pub(crate) struct Outside {
    _emulator: Child,
    pub(crate) aws: Aws,
    /// Of event-hook, with its dead-letter queue.
    pub(crate) queues: QueuePair,
    pub(crate) sandbox: Sandbox,
}

impl Outside {
    /// Starts everything and waits until it answers.
    pub(crate) fn start(events: &Events, waiter: &Waiter) -> Result<Self, Error> {
        let sandbox = Sandbox::try_start(Options {
            https_port: free_port(LOOPBACK, SANDBOX_TLS_PORT)?,
            http_port: free_port(LOOPBACK, SANDBOX_PORT)?,
            ..Options::default()
        })?;
        let port = free_port(LOOPBACK, AWS_PORT)?;
        let aws = Aws::new(format!("http://127.0.0.1:{port}"));
        let output = Arc::default();
        let emulator = Child::start("the AWS emulator", emulator(port), &output, events)?;
        create_secrets(&aws, &output, waiter)?;
        let queues = QueuePair::create(aws.endpoint(), "feedback", VISIBILITY_TIMEOUT, MAX_RECEIVE_COUNT)?;
        Ok(Self { _emulator: emulator, aws, queues, sandbox })
    }
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
fn create_secrets(aws: &Aws, output: &Output, waiter: &Waiter) -> Result<(), Error> {
    let options = Options::default();
    let hooks_secret = json!({
        "auth_secret": AUTH_SECRET,
        "twilio_api_key_sid": options.api_key_sid,
        "twilio_api_key_secret": options.api_key_secret,
    });
    let create = || match aws.create_secret(HOOKS_SECRET_ID, &hooks_secret) {
        Ok(()) => Ok(Some(())),
        Err(Error::Http { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    waiter.until_ready("the AWS emulator", output, create)?;
    aws.create_secret(OKTA_SECRET_ID, &json!({ "okta_api_token": options.okta.api_token }))
}

/// The preferred port, or any free one where it is taken.
pub(crate) fn free_port(address: IpAddr, preferred: u16) -> Result<u16, Error> {
    let listener =
        TcpListener::bind((address, preferred)).or_else(|_| TcpListener::bind((address, 0))).map_err(Error::Port)?;
    Ok(listener.local_addr().map_err(Error::Port)?.port())
}
