//! The command line. Secrets are never arguments, because other users can see the arguments of a process.

use clap::{Args, Parser, Subcommand};

use crate::{
    doctor::DoctorOptions,
    explain::ExplainOptions,
    pause::{PauseOptions, ResumeOptions},
    permissions::PermissionsOptions,
    redrive::RedriveOptions,
    report::ReportOptions,
    rotate::RotateOptions,
    setup::{SetupOptions, teardown::TeardownOptions},
};

/// Checks a set-up of Okta's hooks with Twilio, and explains why a user got no code.
///
/// Exit status: 0 if all is well, 1 if something is wrong, 2 if the command could not run.
#[derive(Debug, Parser)]
#[command(name = "okta-twilio", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a set-up: what is wrong, what it means, and what to do
    Doctor(DoctorOptions),
    /// Explain why a user got no code: what happened, and what to do
    Explain(ExplainOptions),
    /// Stop sending, to countries or by channels or altogether, without a deployment
    Pause(PauseOptions),
    /// End a pause
    Resume(ResumeOptions),
    /// Put the dead letters back into the feedback queue
    Redrive(RedriveOptions),
    /// Cost, use and delivery of the codes by country, channel, carrier or hour; suspected pumping
    Report(ReportOptions),
    /// Replace a secret by a new one, in two runs, without a refused request
    Rotate(RotateOptions),
    /// Set Twilio and Okta up for a deployed stack, after one question
    Setup(SetupOptions),
    /// Remove what setup has made, after one question
    Teardown(TeardownOptions),
    /// Print the least permissions that a command needs
    Permissions(PermissionsOptions),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in the format of man
    Man,
}

/// The deployed stack.
#[derive(Debug, Args)]
#[command(next_help_heading = "Stack")]
pub(crate) struct Target {
    /// Name of the CloudFormation stack
    #[arg(long, global = true, env = "STACK", default_value = "okta-twilio", value_name = "NAME")]
    pub(crate) stack: String,
    /// AWS region [default: the one of your AWS configuration]
    #[arg(long, global = true, env = "AWS_REGION", value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// AWS profile
    #[arg(long, global = true, env = "AWS_PROFILE", value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// How to print.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Print JSON on standard output, in the form that docs/cli.md documents
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print without colour and without symbols
    #[arg(long, global = true)]
    pub(crate) plain: bool,
}
