//! The services around the functions: the AWS emulator with their secrets, and the sandbox.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use sandbox::{
    Options, Sandbox,
    aws_emulator::{self, QueuePair},
    deployment::{self, AUTH_SECRET, HOOKS_SECRET_ID, OKTA_SECRET_ID},
    dynamodb::TABLE,
    loopback::HeldPort,
};
use serde_json::json;

use crate::{
    child::Child,
    error::Error,
    events::{Events, Waiter},
};

/// The folder in which `make` installs the tools.
pub(crate) const TOOLS: &str = ".tools/venv/bin";

/// The address on which everything except the functions listens.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The ports that are used if they are free, so that commands stay the same.
const AWS_PORT: u16 = 4566;
const SANDBOX_PORT: u16 = 8081;
const SANDBOX_TLS_PORT: u16 = 8443;

/// The queue's visibility timeout, unless the function sets another one.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// The number of receives before a message moves to the dead-letter queue. With the function's back-off this takes some
/// minutes.
const MAX_RECEIVE_COUNT: u32 = 8;

/// The number of attempts to start a part on another port if another process takes its port first.
pub(crate) const STARTS: usize = 3;

/// The running services. Dropping this stops them.
pub(crate) struct Outside {
    _emulator: Child,
    /// The reserved ports.
    _ports: [HeldPort; 3],
    /// The URL of the AWS emulator, for `AWS_ENDPOINT_URL`.
    pub(crate) aws_endpoint: String,
    /// The queue of event-hook and its dead-letter queue.
    pub(crate) queues: QueuePair,
    pub(crate) sandbox: Sandbox,
}

impl Outside {
    /// Starts the services and waits until they respond. There is no Okta secret yet.
    pub(crate) fn start(events: &Events, waiter: &Waiter) -> Result<Self, Error> {
        let (https, http) = (hold(LOOPBACK, SANDBOX_TLS_PORT)?, hold(LOOPBACK, SANDBOX_PORT)?);
        let options = Options { https_port: https.number(), http_port: http.number(), ..Options::default() };
        let sandbox = Sandbox::try_start(options)?;
        let (emulator, port) = start_emulator(events, waiter)?;
        let aws_endpoint = endpoint(&port);
        let hooks_secret = deployment::hooks_secret(&Options::default(), &[AUTH_SECRET]);
        aws_emulator::create_secret(&aws_endpoint, HOOKS_SECRET_ID, &hooks_secret)?;
        aws_emulator::create_sends_table(&aws_endpoint, TABLE)?;
        let queues = QueuePair::create(&aws_endpoint, "feedback", VISIBILITY_TIMEOUT, MAX_RECEIVE_COUNT)?;
        Ok(Self { _emulator: emulator, _ports: [https, http, port], aws_endpoint, queues, sandbox })
    }

    /// Creates what only feedback through Okta's API needs.
    pub(crate) fn create_okta_secret(&self) -> Result<(), Error> {
        let okta_secret = json!({ "okta_api_token": Options::default().okta.api_token });
        Ok(aws_emulator::create_secret(&self.aws_endpoint, OKTA_SECRET_ID, &okta_secret)?)
    }
}

/// Waits until the emulator started here responds. Another emulator on the port does not count.
fn start_emulator(events: &Events, waiter: &Waiter) -> Result<(Child, HeldPort), Error> {
    const NAME: &str = "the AWS emulator";
    let mut preferred = AWS_PORT;
    let mut starts = 0;
    loop {
        let port = hold(LOOPBACK, preferred)?;
        let (endpoint, mark) = (endpoint(&port), aws_emulator::mark());
        let output = Arc::default();
        let command = aws_emulator::command(&Path::new(TOOLS).join("ministack"), port.number(), &mark);
        let emulator = Child::start(NAME, command, &output, events)?;
        starts += 1;
        let is_ready = || Ok(aws_emulator::answers(&endpoint, &mark).then_some(()));
        match waiter.until_ready(NAME, &output, is_ready) {
            Ok(()) => return Ok((emulator, port)),
            Err(error) if error.is_address_in_use() && starts < STARTS => preferred = 0,
            Err(error) => return Err(error),
        }
    }
}

fn endpoint(port: &HeldPort) -> String {
    format!("http://127.0.0.1:{}", port.number())
}

/// The preferred port, or any free one if it is taken.
pub(crate) fn hold(address: IpAddr, preferred: u16) -> Result<HeldPort, Error> {
    HeldPort::take(address, preferred).map_err(Error::Port)
}
