//! The parts of both binaries that surround their invocations.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use tracing::Level;

use crate::{
    config::{self, ConfigError, MisspelledVariable, StartError, Variables},
    id::SafeId,
    telemetry::{ConfigurationWarning, Log, LogEvent, StackName, log},
    time::clock::Clock,
};

/// A Lambda function's process.
#[derive(Debug)]
pub struct Function {
    log: Log,
    has_been_invoked: AtomicBool,
}

impl Function {
    /// Installs logging. `main` calls it first.
    ///
    /// # Errors
    /// Fails if `LOG_LEVEL` is invalid, and logs that.
    pub fn start(service: &'static str) -> Result<Self, ExitCode> {
        let variables = Self::variables();
        let (level, stack) = (config::log_level(&variables), stack_name(&variables));
        let log = Log::outside_invocations(service, Clock::system());
        let log = log.of_stack(stack.clone().unwrap_or_default());
        log::install(*level.as_ref().unwrap_or(&Level::INFO), &log);
        let function = Self { log, has_been_invoked: AtomicBool::new(false) };
        match level.and(stack) {
            Ok(_) => {
                function.warn();
                Ok(function)
            }
            Err(error) => Err(function.cannot_start(error.into())),
        }
    }

    /// Warns about variables that look like mistakes. No variable is ignored silently.
    fn warn(&self) {
        let warn = |warning| self.log.emit(&LogEvent::ConfigurationWarning(warning));
        for MisspelledVariable { name, meant } in config::misspelled(config::names_in_environment()) {
            let problem = "a variable is not used, but its name is close to the name of a known variable";
            warn(ConfigurationWarning {
                variable: Some(name),
                meant: Some(meant),
                ..ConfigurationWarning::of(problem)
            });
        }
        let variables = Self::variables();
        // One warning is enough, because these variables are usually set together.
        if let Some(variable) = config::PROXY_VARIABLES.iter().find(|name| variables.optional(name).is_some()) {
            let problem = "the proxy is not used: the function connects directly";
            warn(ConfigurationWarning { variable: SafeId::parse(variable), ..ConfigurationWarning::of(problem) });
        }
        let is_jwt = variables.optional("AUTH_MODE").is_some_and(|mode| mode == "jwt");
        for variable in ["JWT_SCOPE", "JWT_CLIENT_ID"] {
            if !is_jwt && variables.optional(variable).is_some() {
                let problem = "the variable is not used: tokens are checked only with AUTH_MODE=jwt";
                warn(ConfigurationWarning { variable: SafeId::parse(variable), ..ConfigurationWarning::of(problem) });
            }
        }
    }

    /// The process environment.
    pub fn variables() -> Variables<'static> {
        Variables::new(&config::environment)
    }

    /// The clock.
    pub fn clock(&self) -> Clock {
        self.log.clock().clone()
    }

    /// The log for everything outside invocations.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The log of one invocation. The first one is the cold start.
    pub fn log_of_invocation(&self, function_request_id: &str) -> Log {
        let cold_start = !self.has_been_invoked.swap(true, Ordering::Relaxed);
        self.log.of_invocation(function_request_id, cold_start)
    }

    /// Logs why the function cannot start. The process exits with the returned status, and Lambda's INIT fails.
    pub fn cannot_start(&self, problem: StartError) -> ExitCode {
        self.log.emit(&LogEvent::ConfigurationInvalid { problem });
        ExitCode::FAILURE
    }
}

/// A handler panicked because of a bug. The log has the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handler panicked")]
pub struct Panicked;

/// Runs a handler. The runtime would report the text of a panic, which could quote the input, to Lambda. The gateway
/// writes that report to its access log.
///
/// # Errors
/// [`Panicked`] if the handler panics.
pub async fn without_panic_text<T>(handler: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut handler = pin!(handler);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(_text) => Err(Panicked).into(),
    })
    .await
}

/// `METRICS_STACK` (`okta-twilio`): value of the metric dimension `Stack`.
fn stack_name(variables: &Variables<'_>) -> Result<StackName, ConfigError> {
    let help = ("must be 1 to 128 letters, digits, -, _, . or /", "okta-twilio-staging");
    Ok(variables.read("METRICS_STACK", help, StackName::parse)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_leaves_without_its_text() {
        assert_eq!(without_panic_text(async { 7 }).await, Ok(7));
        let number = "+12025550123";
        let panicked = without_panic_text(async {
            tokio::task::yield_now().await;
            assert!(number.is_empty(), "{number}");
        });
        let error = panicked.await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(number));
    }
}
