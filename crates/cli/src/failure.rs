//! Why a command could not run.

use okta_twilio::{config::ConfigError, http_client::ClientError, id::SafeId};

use crate::{
    aws::{AwsError, secrets_manager::WriteError},
    explain::ExplainError,
    rotate::RotateError,
    setup::SetupError,
    twilio::TwilioError,
};

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
    #[error(transparent)]
    SecretNotWritten(#[from] WriteError),
    #[error("the hooks secret does not exist, or has no value yet: store it with `make secrets`")]
    NoHooksSecret,
    #[error("the hooks secret is not a JSON object: `okta-twilio doctor --only A3` says more")]
    HooksSecretUnreadable,
    #[error("everything is paused, so a part of it cannot be resumed: `okta-twilio resume` resumes everything")]
    EverythingIsPaused,
    #[error("the hooks secret cannot be used: `okta-twilio doctor --only A3` says more")]
    HooksSecretUnusable,
    #[error("the configuration of the functions cannot be read: `okta-twilio doctor --only aws` says more")]
    NoFunction,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}. {advice}", advice = .0.advice())]
    Twilio(#[from] TwilioError),
    #[error("the page cannot be written: does its folder exist?")]
    PageNotWritten,
    #[error("the stack has no feedback queue: name one with --queue-url")]
    NoQueue,
    #[error("this queue has no dead-letter queue: is it the URL of the queue, and not of its dead-letter queue?")]
    NoDeadLetterQueue,
    #[error("the file of {0} cannot be read, or is not UTF-8")]
    UnreadableFile(&'static str),
    #[error(transparent)]
    Rotate(#[from] RotateError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Explain(#[from] ExplainError),
    #[error("there is no terminal to ask: give --yes to apply the plan, or --plan to see it")]
    NotConfirmed,
    #[error("standard output cannot be written")]
    Output,
}
