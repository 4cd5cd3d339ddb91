//! The settings of a function: its program, limits and Lambda's environment variables.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::aws::REGION;

/// The settings of a function.
#[derive(Clone)]
pub struct Builder {
    pub(super) program: PathBuf,
    pub(super) name: String,
    environment: BTreeMap<String, String>,
    memory: u32,
    pub(super) timeout: Duration,
}

impl Builder {
    pub(super) fn new(program: &Path) -> Self {
        let program =
            program.canonicalize().unwrap_or_else(|error| panic!("no binary at {}: {error}", program.display()));
        let name = program.file_name().expect("a file name").to_string_lossy().into_owned();
        Self { program, name, environment: BTreeMap::new(), memory: 128, timeout: Duration::from_secs(10) }
    }

    /// Sets an environment variable. The function does not inherit the test's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Sets several environment variables.
    #[must_use]
    pub fn envs<N: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        variables.into_iter().fold(self, |builder, (name, value)| builder.env(name, value))
    }

    /// The memory size in MB that the environment reports, 128 by default. It is not enforced.
    #[must_use]
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// The function's timeout, 10 s by default. It sets the deadline that the function receives and the time at which
    /// the function is killed.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lambda's variables (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>), then the test's.
    pub(super) fn command(&self, runtime_api: &str) -> Command {
        let folder = self.program.parent().expect("the binary's folder");
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory.to_string())
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]00000000000000000000000000000000")
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "example")
            .env("AWS_SESSION_TOKEN", "example")
            .env("LAMBDA_TASK_ROOT", folder)
            .env("LAMBDA_RUNTIME_DIR", "/var/runtime")
            .env("_HANDLER", "bootstrap")
            .env("LANG", "en_US.UTF-8")
            .env("TZ", ":UTC")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(&self.environment);
        command
    }
}
