//! Errors that stop the local stack.

use std::{io, path::PathBuf, time::Duration};

use crate::output::Output;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("interrupted")]
    Interrupted,
    /// As with `make demo | head`.
    #[error("the output was closed")]
    NobodyReads,
    #[error("cannot write: {0}")]
    Write(io::Error),
    /// The function's own error text, which names the variable and gives an example.
    #[error("{problem} ({function} does not start)")]
    Configuration { function: &'static str, problem: String },
    #[error("{0}")]
    Usage(&'static str),
    #[error("cannot start {name}: {source}. `make tools` installs what is needed; this runs from the top folder")]
    Start { name: &'static str, source: io::Error },
    #[error("{name} ended by itself. Its last lines:\n{output}")]
    Ended { name: &'static str, output: String },
    #[error("{name} did not respond within {limit:?}. Its last lines:\n{output}")]
    NotReady { name: &'static str, limit: Duration, output: String },
    #[error("{url}: {source}")]
    Http { url: String, source: Box<ureq::Error> },
    #[error("no free port on the loopback interface: {0}")]
    Port(io::Error),
    #[error("EVENT={file}: {problem}. `ls events` shows what there is")]
    Event { file: String, problem: String },
    #[error("the local stack is not running here: start `make dev` in another terminal")]
    NotRunning,
    #[error("{base_url}: {why}. PORT=... asks another port")]
    NoResponse { base_url: String, why: &'static str },
    #[error("cannot write {}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
    #[error("a part of the local stack has a bug; its message is above")]
    Panicked,
    #[error(transparent)]
    Aws(#[from] sandbox::AwsError),
    #[error(transparent)]
    Sandbox(#[from] sandbox::StartError),
}

impl Error {
    pub(crate) fn ended(name: &'static str, output: &Output) -> Self {
        let output = output.tail();
        Self::Ended { name, output }
    }

    /// Whether another process took the port before the child could.
    pub(crate) fn is_address_in_use(&self) -> bool {
        let Self::Ended { output, .. } = self else { return false };
        let output = output.to_ascii_lowercase();
        output.contains("address already in use") || output.contains("is already in use")
    }
}
