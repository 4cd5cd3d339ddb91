//! A telephony-hook under test: the real binary, run as Lambda runs it, between stand-ins for Twilio and Okta.

#![expect(clippy::expect_used, clippy::panic, reason = "what goes wrong here fails the test that uses it")]

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sandbox::{
    Message, Operation, Options, RecordedRequest,
    deployment::{Deployment, HttpAnswer, TelephonyRequest},
    lambda::Function,
};
use serde_json::Value;

/// A running function. When it is dropped, its output is searched for every private value that it received.
pub(crate) struct Hook {
    pub(crate) deployment: Deployment,
    pub(crate) function: Function,
    private_values: Mutex<Vec<String>>,
}

impl Hook {
    /// Starts it with the defaults.
    pub(crate) fn start() -> Self {
        Self::with(Options::default(), &[])
    }

    /// Starts it with these additional variables.
    pub(crate) fn with_variables(variables: &[(&str, &str)]) -> Self {
        Self::with(Options::default(), variables)
    }

    /// Starts it with these Twilio settings and variables.
    pub(crate) fn with(options: Options, variables: &[(&str, &str)]) -> Self {
        Self::on(Deployment::start(options), variables)
    }

    /// Starts it in a prepared deployment.
    pub(crate) fn on(deployment: Deployment, variables: &[(&str, &str)]) -> Self {
        let function = deployment.function(env!("CARGO_BIN_EXE_telephony-hook"));
        let function = function.envs(variables.iter().copied()).spawn();
        function.wait_until_ready(Duration::from_secs(10)).expect("the function starts");
        let private_values = Mutex::new(deployment.private_values());
        Self { deployment, function, private_values }
    }

    /// Sends Okta's request.
    pub(crate) fn ask(&self, request: &TelephonyRequest) -> HttpAnswer {
        self.keep_private(request.private_values());
        HttpAnswer::of(self.function.invoke(&request.event().build()))
    }

    /// Adds values that the output must not contain.
    pub(crate) fn keep_private(&self, values: Vec<String>) {
        self.private_values.lock().unwrap_or_else(PoisonError::into_inner).extend(values);
    }

    /// The messages that phones received.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.deployment.twilio.messages()
    }

    /// The requests to Verify that send a code.
    pub(crate) fn sends(&self) -> Vec<RecordedRequest> {
        self.deployment.twilio.requests_for(Operation::VerifyCreate)
    }

    /// The last log line of this event.
    pub(crate) fn last_log(&self, message: &str) -> Value {
        let lines = self.function.log_lines().into_iter();
        lines.rev().find(|line| line["message"] == message).unwrap_or_else(|| panic!("no {message} in the log"))
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let output = self.function.output();
        let values = self.private_values.lock().unwrap_or_else(PoisonError::into_inner);
        for value in values.iter() {
            // The value itself is not printed, because test output is output too.
            let is_shown = sandbox::recorded_events::PrivateValue::of(value).is_in(&output);
            assert!(!is_shown, "a private value of {} characters is in the output", value.len());
        }
    }
}

/// `SUCCESSFUL`, or the reason in the error object.
pub(crate) fn verdict(response: &HttpAnswer) -> &str {
    assert_eq!(response.status, 200);
    let status = response.body.pointer("/commands/0/value/0/status");
    let reason = response.body.pointer("/error/errorCauses/0/reason");
    status.or(reason).and_then(Value::as_str).expect("commands or error")
}
