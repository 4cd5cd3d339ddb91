//! What both binaries do before and around their invocations.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use tracing::Level;

use crate::{
    config::{self, ConfigError, Variables},
    http_client::ClientError,
    telemetry::log::{self, Log, LogEvent},
    time::clock::Clock,
};

/// A Lambda function's process.
#[derive(Debug)]
pub struct Function {
    log: Log,
    has_been_invoked: AtomicBool,
}

/// Why a function cannot start. The text names the variable to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A variable cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Function {
    /// Installs logging: the first thing in `main`.
    ///
    /// # Errors
    /// If `LOG_LEVEL` cannot be used; that is logged.
    pub fn start(service: &'static str) -> Result<Self, ExitCode> {
        let log = Log::outside_invocations(service, Clock::system());
        let level = config::log_level(&Self::variables());
        log::install(*level.as_ref().unwrap_or(&Level::INFO), &log);
        let function = Self { log, has_been_invoked: AtomicBool::new(false) };
        match level {
            Ok(_) => Ok(function),
            Err(error) => Err(function.cannot_start(&error.into())),
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

    /// The log of what happens outside any invocation.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The log of one invocation; the first one is the cold start's.
    pub fn log_of_invocation(&self, function_request_id: &str) -> Log {
        let cold_start = !self.has_been_invoked.swap(true, Ordering::Relaxed);
        self.log.of_invocation(function_request_id, cold_start)
    }

    /// Says why the function cannot start; the process ends with this status, and Lambda's INIT with it.
    pub fn cannot_start(&self, error: &StartError) -> ExitCode {
        self.log.emit(&LogEvent::ConfigurationInvalid { problem: error.to_string() });
        ExitCode::FAILURE
    }
}
