//! A running sandbox: tests start it, read what it recorded, and inject faults.

use crate::certificate::{self, CertificateError};
use crate::control;
use crate::okta::records::OktaRequest;
use crate::okta::users::OktaUser;
use crate::options::Options;
use crate::server::{Ports, Server};
use crate::site::Site;
use crate::story::{Door, Hook, Story};
use crate::twilio::faults::{Fault, Operation, Times};
use crate::twilio::records::{Message, RecordedRequest, Status, Verification};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Set by AWS Lambda in every function.
const LAMBDA_VARIABLES: [&str; 3] = ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_EXECUTION_ENV"];

/// A running sandbox. No method blocks for long, except those that wait. Dropping the sandbox stops it.
pub struct Sandbox {
    server: Server,
    site: Arc<Site>,
    ca_file: PathBuf,
    /// Removed when dropped.
    _directory: Option<TempDir>,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The process runs inside AWS Lambda. A sandbox shows every code to anyone on the machine.
    #[error("the sandbox is for development only and does not start inside AWS Lambda ({0} is set)")]
    InsideLambda(&'static str),
    /// A port could not be bound.
    #[error("cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] io::Error),
    /// The certificate authority's file could not be written.
    #[error("cannot write the certificate authority: {0}")]
    CertificateFile(#[source] io::Error),
    /// No certificate could be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Sandbox {
    /// Starts a sandbox, for tests.
    ///
    /// # Panics
    ///
    /// If it cannot start; [`Sandbox::try_start`] returns the reason.
    pub fn start(options: Options) -> Self {
        #[expect(clippy::panic, reason = "a test that has no sandbox has failed")]
        Self::try_start(options).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts a sandbox. When this returns, both ports accept connections.
    ///
    /// # Errors
    ///
    /// The process runs inside AWS Lambda, a port is taken, or the certificate authority cannot be written.
    pub fn try_start(options: Options) -> Result<Self, StartError> {
        refuse_lambda()?;
        let certificate = certificate::make()?;
        let (ca_file, directory) = place_for_ca(options.ca_file.as_deref()).map_err(StartError::CertificateFile)?;
        std::fs::write(&ca_file, &certificate.authority_pem).map_err(StartError::CertificateFile)?;
        let ports = Ports { https: options.https_port, http: options.http_port };
        let site = Arc::new(Site::new(options));
        let handler = Arc::clone(&site);
        let server = Server::start(ports, &certificate, handler).map_err(StartError::Listen)?;
        Ok(Self { server, site, ca_file, _directory: directory })
    }

    /// Base URL over TLS, `https://localhost:PORT`; trust [`Sandbox::ca_file`].
    pub fn https_url(&self) -> String {
        format!("https://localhost:{}", self.server.https.port())
    }

    /// Base URL without TLS, `http://127.0.0.1:PORT`.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.http.port())
    }

    /// The certificate authority to trust (PEM).
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The requests to Twilio that arrived, oldest first, including those that a fault dropped.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.site.twilio.requests()
    }

    /// The requests of one kind, oldest first.
    pub fn requests_for(&self, operation: Operation) -> Vec<RecordedRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.operation == operation);
        requests
    }

    /// The requests to Okta that arrived, oldest first, including those that a fault dropped.
    pub fn okta_requests(&self) -> Vec<OktaRequest> {
        self.site.okta.requests()
    }

    /// The story of each request from Okta, newest first.
    pub fn stories(&self) -> Vec<Story> {
        self.site.settle();
        self.site.stories.all()
    }

    /// The story with this id.
    pub fn story(&self, id: u64) -> Option<Story> {
        self.site.settle();
        self.site.stories.find(id)
    }

    /// Starts the story of a request that the caller is about to send to a function. Returns the story's id.
    pub fn record_request(&self, hook: Hook, event: &Value, recorded: Option<&str>) -> u64 {
        self.site.stories.asked(hook, event, recorded)
    }

    /// Adds the response to the request of that story.
    pub fn record_response(&self, story: u64, status: u16, body: &str, took: Duration) {
        self.site.stories.answered(story, Ok((status, body.to_owned())), took);
    }

    /// Adds a line that a function wrote to its story. Ignores a line that is not the log line of an invocation.
    pub fn record_log_line(&self, line: &str) {
        self.site.stories.log_line(line);
    }

    /// Lets the page send requests to the functions. Only the first call has an effect.
    pub fn connect(&self, door: Arc<dyn Door>) {
        let _ = self.site.door.set(door);
        control::publish_state(&self.site);
    }

    /// The URL of the page.
    pub fn page_url(&self) -> String {
        format!("{}/_sandbox/", self.http_url())
    }

    /// Adds a user to Okta, or changes one.
    pub fn put_okta_user(&self, user: OktaUser) {
        self.site.okta.put_user(user);
    }

    /// The inbox: the messages that reached phones, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.site.twilio.messages()
    }

    /// The verifications, oldest first.
    pub fn verifications(&self) -> Vec<Verification> {
        self.site.twilio.verifications()
    }

    /// The numbers whose verification is approved, sorted.
    pub fn approved(&self) -> Vec<String> {
        let mut verifications = self.verifications();
        verifications.retain(|verification| verification.status == Status::Approved);
        let mut numbers: Vec<_> = verifications.into_iter().map(|verification| verification.to).collect();
        numbers.sort();
        numbers
    }

    /// Sends a code by SMS, as the telephony hook would. The request is not recorded.
    ///
    /// # Panics
    ///
    /// If Twilio would refuse it.
    pub fn send_code(&self, number: &str, code: &str) {
        #[expect(clippy::expect_used, reason = "a test that cannot prepare its case has failed")]
        self.site.twilio.send_code(number, code).expect("Twilio accepts the code");
    }

    /// The number of connections accepted so far, including those that carried no request.
    pub fn connections(&self) -> u64 {
        self.server.connections()
    }

    /// Waits until a condition holds. Returns false if it does not hold within the limit.
    pub fn wait_until(&self, limit: Duration, mut condition: impl FnMut(&Self) -> bool) -> bool {
        self.site.activity.wait_until(limit, || condition(self))
    }

    /// Sets a fault. Several faults for the same operation happen one after the other.
    pub fn fault(&self, operation: Operation, fault: Fault, times: Times) {
        if self.site.add_fault(operation, fault, times) {
            self.close_idle_connections();
        }
    }

    /// Clears all faults.
    pub fn clear_faults(&self) {
        self.site.clear_faults();
    }

    /// Sets the sandbox's clock forward.
    pub fn advance(&self, duration: Duration) {
        self.site.advance(duration);
    }

    /// Removes all stories, requests, messages, verifications, tokens, added users, counts and faults.
    pub fn reset(&self) {
        self.site.reset();
    }

    /// Closes every connection that waits for a request, as a server does after its idle timeout.
    pub fn close_idle_connections(&self) {
        self.server.close_idle_connections();
    }

    /// Refuses connections from now on and closes the idle ones; the ports stay reserved.
    pub fn stop_listening(&self) {
        self.server.stop_listening();
    }

    /// Accepts connections again, on the same ports.
    pub fn resume_listening(&self) {
        self.server.listen();
    }
}

/// The requested file, or one in a temporary directory that is removed with the sandbox.
fn place_for_ca(asked: Option<&Path>) -> io::Result<(PathBuf, Option<TempDir>)> {
    if let Some(path) = asked {
        return Ok((path.to_owned(), None));
    }
    let directory = tempfile::Builder::new().prefix("okta-twilio-sandbox-").tempdir()?;
    Ok((directory.path().join("ca.pem"), Some(directory)))
}

fn refuse_lambda() -> Result<(), StartError> {
    #[expect(clippy::disallowed_methods, reason = "not configuration, but the place where this must never run")]
    let is_set = |name: &&&str| std::env::var_os(name).is_some();
    LAMBDA_VARIABLES.iter().find(is_set).map_or(Ok(()), |name| Err(StartError::InsideLambda(name)))
}
