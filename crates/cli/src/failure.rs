//! Why a command could not run.

use okta_twilio::{http_client::ClientError, id::SafeId};

use crate::aws::AwsError;

/// Ends a command with exit status 2. Each text is one sentence, and says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the asynchronous runtime cannot start on this machine")]
    NoRuntime,
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("there is no stack {0} in this region: name one with --stack and --region, or run `make deploy`")]
    NoStack(SafeId),
    #[error("{0} is not the name of a CloudFormation stack")]
    BadStackName(&'static str),
    #[error("standard output cannot be written")]
    Output,
}
