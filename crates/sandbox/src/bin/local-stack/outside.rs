//! What the functions have around them: the AWS emulator with their secrets, and the sandbox.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use sandbox::{
    AwsError, Options, Sandbox,
    aws_emulator::{self, QueuePair},
    deployment::{self, AUTH_SECRET, HOOKS_SECRET_ID, OKTA_SECRET_ID},
};
use serde_json::json;

use crate::{
    child::Child,
    error::Error,
    events::{Events, Waiter},
    output::Output,
};

/// Where `make` installs the tools.
pub(crate) const TOOLS: &str = ".tools/venv/bin";

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
    /// Of the AWS emulator, for `AWS_ENDPOINT_URL`.
    pub(crate) aws_endpoint: String,
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
        let aws_endpoint = format!("http://127.0.0.1:{port}");
        let output = Arc::default();
        let emulator = aws_emulator::command(&Path::new(TOOLS).join("ministack"), port);
        let emulator = Child::start("the AWS emulator", emulator, &output, events)?;
        create_secrets(&aws_endpoint, &output, waiter)?;
        let queues = QueuePair::create(&aws_endpoint, "feedback", VISIBILITY_TIMEOUT, MAX_RECEIVE_COUNT)?;
        Ok(Self { _emulator: emulator, aws_endpoint, queues, sandbox })
    }
}

/// Also finds out when the emulator is ready.
fn create_secrets(endpoint: &str, output: &Output, waiter: &Waiter) -> Result<(), Error> {
    let options = Options::default();
    let hooks_secret = deployment::hooks_secret(&options, &[AUTH_SECRET]);
    let create = || match aws_emulator::create_secret(endpoint, HOOKS_SECRET_ID, &hooks_secret) {
        Ok(()) => Ok(Some(())),
        Err(AwsError::NoAnswer(_)) => Ok(None),
        Err(error) => Err(error.into()),
    };
    waiter.until_ready("the AWS emulator", output, create)?;
    let okta_secret = json!({ "okta_api_token": options.okta.api_token });
    Ok(aws_emulator::create_secret(endpoint, OKTA_SECRET_ID, &okta_secret)?)
}

/// The preferred port, or any free one where it is taken.
pub(crate) fn free_port(address: IpAddr, preferred: u16) -> Result<u16, Error> {
    let listener =
        TcpListener::bind((address, preferred)).or_else(|_| TcpListener::bind((address, 0))).map_err(Error::Port)?;
    Ok(listener.local_addr().map_err(Error::Port)?.port())
}
