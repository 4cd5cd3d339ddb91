//! What can be checked before a deployment, without any network: variables and secrets.

use std::path::Path;

use okta_twilio::{
    config::{self, Variables},
    id::Sid,
    okta::OktaSecret,
    secrets::HooksSecret,
    time::clock::Clock,
};
use secrecy::SecretString;

use super::{aws, check::Check, report::Report};
use crate::{failure::Failure, stack::Hook};

/// Variables that only event-hook has. Without any of them, it is not deployed.
const OF_EVENT_HOOK: [&str; 5] =
    ["FEEDBACK_QUEUE_URL", "FEEDBACK_MAX_AGE_SECONDS", "PHONE_SOURCE", "OKTA_ORG_URL", "OKTA_SECRET_ID"];

/// Checks A3 and A4 of files, and A5 of this program's environment. Without a file, its check is skipped.
///
/// # Errors
/// Fails if a file cannot be read.
pub(super) async fn check(
    hooks_secret: Option<&Path>,
    okta_secret: Option<&Path>,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let variables = Variables::new(&config::environment);
    match hooks_secret {
        Some(file) => {
            let configured = variables.optional("VERIFY_SERVICE_SID").and_then(|sid| Sid::parse(&sid, "VA"));
            let text = read(file, "--hooks-secret")?;
            aws::judge_hooks_secret(HooksSecret::read(&text, configured.as_ref()), report);
        }
        None => report.skip(Check::HooksSecret, "no file was given: --hooks-secret"),
    }
    match okta_secret {
        Some(file) => aws::judge_okta_secret(OktaSecret::read(&read(file, "--okta-secret")?), report),
        None => report.skip(Check::OktaSecret, "no file was given: --okta-secret"),
    }
    functions(&variables, report).await;
    Ok(())
}

async fn functions(variables: &Variables<'_>, report: &mut Report<'_>) {
    let check = Check::Functions;
    let has_events = OF_EVENT_HOOK.into_iter().any(|name| variables.optional(name).is_some());
    let hooks = Hook::ALL.into_iter().filter(|hook| *hook == Hook::Telephony || has_events);
    let (mut faults, mut names) = (Vec::new(), Vec::new());
    for hook in hooks {
        names.push(hook.name());
        if let Err(error) = aws::build(hook, &config::environment, &Clock::system()).await {
            faults.push(format!("{} does not start: {error}", hook.name()));
        }
    }
    let doubts: Vec<_> = config::misspelled(config::names_in_environment())
        .into_iter()
        .map(|misspelled| format!("{} is not used; {} was perhaps meant", misspelled.name, misspelled.meant))
        .collect();
    if !faults.is_empty() {
        faults.extend(doubts);
        let fix = "Change the variable. The README has a table of all variables.";
        report.fail(check, faults.join("; "), "A function with these variables does not start.", fix);
    } else if !doubts.is_empty() {
        report.warn(check, doubts.join("; "), "The functions ignore this variable.", "Correct its name.");
    } else {
        report.ok(check, format!("{} would start with this environment", names.join(" and ")));
    }
}

fn read(file: &Path, option: &'static str) -> Result<SecretString, Failure> {
    std::fs::read_to_string(file).map(SecretString::from).map_err(|_io_error| Failure::UnreadableFile(option))
}
