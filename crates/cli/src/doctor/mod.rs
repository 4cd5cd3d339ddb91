//! `okta-twilio doctor`: reads the whole set-up, and says what is wrong, what it means, and what to do.

mod aws;
mod check;
pub(crate) mod facts;
mod hooks;
mod log;
mod okta;
mod report;
mod twilio;

use std::process::ExitCode;

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
    terminal.progress("Reading the stack");
    let facts = Facts::gather(environment).await;
    aws::check(&facts, environment, &mut report).await;
    terminal.progress("Reading Twilio");
    twilio::check(&facts, environment, &mut report).await;
    terminal.progress("Reading Okta");
    okta::check(&facts, environment, *terminal, &mut report).await;
    terminal.progress("Reading the functions' log");
    log::check(&facts, environment, &mut report).await;
    terminal.progress("Calling the hooks");
    hooks::check(&facts, environment, &mut report).await;
    report.print(*terminal)?;
    Ok(if report.is_well(options.strict) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
