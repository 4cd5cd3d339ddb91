//! `okta-twilio explain`: why did this user get no code? It joins the functions' log, Okta's System Log and Twilio's
//! attempts into one story for each code, and works without any of them.

mod error;
mod gather;
mod join;
mod prompt;
mod range;
mod sources;
mod subject;
mod view;

use std::process::ExitCode;

use clap::Args;
use okta_twilio_story::{Answer, Outcome, Verdict};
use secrecy::{ExposeSecret as _, SecretString};

pub(crate) use self::error::ExplainError;
use self::{
    gather::MAX_STORIES,
    join::CodeStory,
    range::{Bound, Range},
    sources::Sources,
    subject::Subject,
};
use crate::{environment::Environment, failure::Failure, terminal::Terminal};

/// The options of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// An Okta user id (00u…), a sid (VE…, VL…, RQ…), a request id, or the id of an Okta event [default: the last
    /// codes that did not go out]
    #[arg(conflicts_with_all = ["ask_user", "ask_phone"])]
    thing: Option<String>,
    /// Begin at this age or time: 30m, 2h, 7d, 2026-11-25T14:00:00Z
    #[arg(long, value_name = "AGE|TIME", default_value = "24h", value_parser = Bound::parse)]
    since: Bound,
    /// End at this age or time [default: now]
    #[arg(long, value_name = "AGE|TIME", value_parser = Bound::parse)]
    until: Option<Bound>,
    /// Ask for a login. Okta resolves it to a user id, and it is not kept
    #[arg(long, conflicts_with = "ask_phone")]
    ask_user: bool,
    /// Ask for a phone number. It goes to Twilio only
    #[arg(long)]
    ask_phone: bool,
}

/// Explains.
///
/// The exit status is 1 if the newest code did not go out, or if nothing was found.
///
/// # Errors
/// Fails if what was entered is no id, if no source can be read, or if the result cannot be printed.
pub(crate) async fn run(
    options: &ExplainOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    let number = options.ask_phone.then(|| prompt::number(&prompt::ask("Phone number, with +")?)).transpose()?;
    let login = options.ask_user.then(|| prompt::ask("Login of the user")).transpose()?;
    let subject = match &options.thing {
        Some(thing) => Subject::parse(thing).ok_or(ExplainError::UnknownThing)?,
        None if number.is_some() => Subject::Number,
        None => Subject::Failures,
    };
    terminal.progress("Finding the stack");
    let mut sources = Sources::open(environment).await;
    let subject = match login {
        Some(login) => user(&login, &sources).await?,
        None => subject,
    };
    terminal.progress("Reading the hook's log, Okta's System Log and Twilio's attempts");
    let now = environment.clock.now();
    let range = Range { since: options.since.at(now), until: options.until.map_or(now, |until| until.at(now)) };
    let evidence = gather::gather(&subject, number, range, &mut sources).await;
    if let [(_, Some(log)), (_, Some(okta)), (_, Some(attempts))] = sources.missing() {
        return Err(ExplainError::NoSource(Box::new([log, okta, attempts].map(Clone::clone))).into());
    }
    let stories = selected(join::stories(evidence), &subject, &sources);
    let nothing = stories.is_empty().then(|| nothing(&subject, &sources));
    view::print(&stories, nothing.as_ref(), &sources, terminal)?;
    let is_good = match (stories.last(), &subject) {
        (Some(story), _) => story.answer(sources.readable()).verdict.is_good(),
        (None, Subject::Failures) => sources.readable().log,
        (None, _) => false,
    };
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn user(login: &SecretString, sources: &Sources<'_>) -> Result<Subject, ExplainError> {
    let user = sources.user(login.expose_secret()).await.map_err(ExplainError::Unresolved)?;
    user.map(Subject::User).ok_or(ExplainError::NoSuchUser)
}

/// The stories that answer the question, the newest ones.
fn selected(mut stories: Vec<CodeStory>, subject: &Subject, sources: &Sources<'_>) -> Vec<CodeStory> {
    let readable = sources.readable();
    match subject {
        Subject::Failures => stories.retain(|story| !story.answer(readable).verdict.is_good()),
        // A rejected request has no user. It belongs here only if Okta's own message came right after it.
        Subject::User(user) => stories.retain(|story| story.asked.user_id.as_deref() == Some(user.as_str())),
        Subject::Uuid(_) => {}
        _ => stories.retain(|story| story.outcome != Outcome::Rejected || !story.okta.is_empty()),
    }
    stories.drain(..stories.len().saturating_sub(MAX_STORIES));
    stories
}

/// The answer if there is no story.
fn nothing(subject: &Subject, sources: &Sources<'_>) -> Answer {
    let readable = sources.readable();
    let (answer, action) = match subject {
        Subject::Failures if readable.log => ("Every code that Okta asked for in this time went out.", ""),
        Subject::User(_) if readable.log && readable.okta => (
            "Okta asked for no code for this user in this time: the hook got no request, and Okta sent no message.",
            "Make sure of the time and of the user id. Was the user asked for a code by SMS or call at all?",
        ),
        Subject::User(_) if readable.log => (
            "The hook got no request for this user in this time. Okta did not call it, or the request was rejected.",
            "Set OKTA_API_TOKEN to read what Okta did, or give a longer time with --since.",
        ),
        _ if readable.log => (
            "The sources that could be read have nothing with this id in this time.",
            "Give a longer time with --since, such as --since 7d.",
        ),
        _ => ("The sources that could be read know nothing of it.", "Run this command with access to the hook's log."),
    };
    Answer { verdict: Verdict::Unknown, answer: answer.to_owned(), action: action.to_owned() }
}
