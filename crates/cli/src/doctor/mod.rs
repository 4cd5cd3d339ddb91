//! `okta-twilio doctor`: reads the whole set-up, and says what is wrong, what it means, and what to do.

mod aws;
pub(crate) mod caller;
mod check;
pub(crate) mod facts;
mod hooks;
mod log;
mod offline;
mod okta;
mod report;
mod send_to_me;
mod twilio;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;

use crate::{
    doctor::{
        check::{Check, Group},
        facts::Facts,
        report::Report,
    },
    environment::Environment,
    failure::Failure,
    terminal::Terminal,
};

/// The options of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// Check only these groups or checks, with commas between: aws, twilio, okta, hooks, or ids such as T3
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = Selection::parse)]
    only: Vec<Selection>,
    /// A warning counts as a fault: the exit status is 1
    #[arg(long)]
    strict: bool,
    /// Check this environment's variables, and files with secrets, without any network: before a deployment
    #[arg(long)]
    offline: bool,
    /// A file with the hooks secret, for --offline
    #[arg(long, value_name = "FILE", requires = "offline")]
    hooks_secret: Option<PathBuf>,
    /// A file with the Okta secret, for --offline
    #[arg(long, value_name = "FILE", requires = "offline")]
    okta_secret: Option<PathBuf>,
    /// Send real codes to your own phone, and say what arrived (E4, E7). Asks for the number, and before each message
    #[arg(long, conflicts_with = "offline")]
    send_to_me: bool,
    /// How long to wait for a line in the functions' log, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

/// One value of `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selection {
    Group(Group),
    Check(Check),
}

impl Selection {
    fn parse(text: &str) -> Result<Self, String> {
        let group = Group::ALL.iter().find(|group| group.name().eq_ignore_ascii_case(text)).copied().map(Self::Group);
        let check = || Check::ALL.iter().find(|check| check.id().eq_ignore_ascii_case(text)).copied().map(Self::Check);
        group.or_else(check).ok_or_else(|| "neither a group (aws, twilio, okta, hooks) nor a check".to_owned())
    }

    fn includes(self, check: Check) -> bool {
        match self {
            Self::Group(group) => check.group() == group,
            Self::Check(selected) => check == selected,
        }
    }
}

impl DoctorOptions {
    /// Whether the command may not use the network.
    pub(crate) fn is_offline(&self) -> bool {
        self.offline
    }

    fn includes(&self, check: Check) -> bool {
        self.only.is_empty() || self.only.iter().any(|selection| selection.includes(check))
    }
}

/// Runs the selected checks.
///
/// # Errors
/// Fails if the result cannot be printed. Whatever cannot be checked is skipped with its reason.
pub(crate) async fn run(
    options: &DoctorOptions,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    let mut report = Report::new(|check| options.includes(check));
    let wait = Duration::from_secs(options.wait);
    terminal.progress("Reading the stack");
    let mut facts = Facts::gather(environment).await;
    facts.remember(environment).await;
    aws::check(&facts, environment, &mut report).await;
    terminal.progress("Reading Twilio");
    twilio::check(&facts, environment, &mut report).await;
    terminal.progress("Reading Okta");
    okta::check(wait, &facts, environment, *terminal, &mut report).await;
    terminal.progress("Reading the functions' log");
    log::check(&facts, environment, &mut report).await;
    terminal.progress("Calling the hooks");
    hooks::check(&facts, environment, &mut report).await;
    if options.send_to_me {
        send_to_me::check(wait, &facts, environment, &mut report).await;
    }
    finish(&report, options, *terminal)
}

/// Checks what can be checked without a network.
///
/// # Errors
/// Fails if a file cannot be read, or if the result cannot be printed.
pub(crate) async fn run_offline(options: &DoctorOptions, terminal: Terminal) -> Result<ExitCode, Failure> {
    let mut report = Report::new(|check| options.includes(check));
    let (hooks_secret, okta_secret) = (options.hooks_secret.as_deref(), options.okta_secret.as_deref());
    offline::check(hooks_secret, okta_secret, &mut report).await?;
    finish(&report, options, terminal)
}

fn finish(report: &Report<'_>, options: &DoctorOptions, terminal: Terminal) -> Result<ExitCode, Failure> {
    report.print(terminal)?;
    Ok(if report.is_well(options.strict) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
