//! `okta-twilio redrive`: puts the dead letters back into the feedback queue.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::{
    aws::{
        Aws,
        sqs::{self, QueueMessage},
    },
    environment::Environment,
    failure::Failure,
    stack::Stack,
    terminal::Terminal,
};

/// Maximum length of a deduplication id.
const MAX_ID_LENGTH: usize = 128;

/// The options of `redrive`.
#[derive(Debug, Args)]
pub(crate) struct RedriveOptions {
    /// URL of the feedback queue, not of its dead-letter queue [default: the queue of the stack]
    #[arg(long, env = "FEEDBACK_QUEUE_URL", value_name = "URL")]
    queue_url: Option<String>,
}

/// Moves all dead letters that can be received now. The command can be stopped at any time and run again: a message is
/// deleted only after it was stored in its queue.
///
/// AWS has an operation for this (`StartMessageMoveTask`). It says neither when it ends nor how many messages it moved,
/// and emulators do not have it.
///
/// # Errors
/// Fails if there is no dead-letter queue, or if SQS cannot be asked.
pub(crate) async fn run(
    options: &RedriveOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    let aws = environment.aws()?;
    let queue = queue_url(options, environment, aws).await?;
    let dead_letters = sqs::dead_letter_queue(aws, &queue).await?.ok_or(Failure::NoDeadLetterQueue)?;
    let mut moved = 0_usize;
    loop {
        let messages = sqs::receive(aws, &dead_letters).await?;
        if messages.is_empty() {
            break;
        }
        for message in &messages {
            sqs::send(aws, &queue, message, &deduplication_id(message)).await?;
            sqs::delete(aws, &dead_letters, message).await?;
            moved += 1;
        }
        terminal.progress(&format!("{moved} put back"));
    }
    if terminal.is_json() {
        terminal.print_json(&json!({ "moved": moved }))?;
    } else {
        terminal.print(&format!("{moved} dead letters were put back. None is left that can be received now."))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn queue_url(options: &RedriveOptions, environment: &Environment, aws: &Aws) -> Result<String, Failure> {
    if let Some(url) = &options.queue_url {
        return Ok(url.clone());
    }
    let stack = Stack::require(aws, &environment.stack_name).await?;
    stack.output("FeedbackQueueUrl").map(str::to_owned).ok_or(Failure::NoQueue)
}

/// SQS would drop the first id as a duplicate for five minutes. This one is new, and it is the same if the message is
/// put back twice.
fn deduplication_id(message: &QueueMessage) -> String {
    let first: String = message.attributes.message_deduplication_id.chars().take(80).collect();
    format!("{first}-{}", message.message_id).chars().take(MAX_ID_LENGTH).collect()
}
