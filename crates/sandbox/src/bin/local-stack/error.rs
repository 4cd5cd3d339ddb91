//! Why the local stack cannot go on.

use std::{io, time::Duration};

use crate::output::Output;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Usage(&'static str),
    #[error("cannot start {name}: {source}. `make tools` installs what is needed; this runs from the top folder")]
    Start { name: &'static str, source: io::Error },
    #[error("{name} ended by itself. Its last lines:\n{output}")]
    Ended { name: &'static str, output: String },
    #[error("{name} gave no answer within {limit:?}. Its last lines:\n{output}")]
    NotReady { name: &'static str, limit: Duration, output: String },
    #[error("{url}: {source}")]
    Http { url: String, source: Box<ureq::Error> },
    #[error("no free port on the loopback interface: {0}")]
    Port(io::Error),
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
    #[error("a part of the local stack met a bug; its message is above")]
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
}
