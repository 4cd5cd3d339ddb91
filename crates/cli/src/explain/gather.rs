//! Asks the sources, from one id to the next.

use okta_twilio::{
    id::{SafeId, Sid},
    time::clock::Timestamp,
};
use secrecy::SecretString;

use super::{join::Evidence, range::Range, sources::Sources, subject::Subject};
use crate::{
    aws::logs::Line,
    okta::system_log::{self, LogEvent},
};

/// Codes that are explained at once, at most.
pub(crate) const MAX_STORIES: usize = 10;

/// Invocations that are read in whole. A code has one, and its feedback one or two more.
const MAX_INVOCATIONS: usize = 3 * MAX_STORIES;

/// Events of a telephony hook. They name no user.
const HOOK_EVENTS: [&str; 2] = ["inline_hook.executed", "inline_hook.response.processed"];

/// A rejected request lies at most so long before or after Okta's own message, in milliseconds.
const REJECTION_MARGIN_MS: i64 = 10_000;

/// Reads everything about the subject. `number` belongs to [`Subject::Number`].
pub(crate) async fn gather(
    subject: &Subject,
    number: Option<SecretString>,
    range: Range,
    sources: &mut Sources<'_>,
) -> Evidence {
    let mut evidence = Evidence::default();
    match (subject, number) {
        (Subject::Attempt(sid), _) => evidence.attempts.extend(sources.attempt(sid).await),
        (Subject::Number, Some(number)) => evidence.attempts = sources.attempts_to(number, range).await,
        _ => {}
    }
    evidence.lines = lines(subject, range, &evidence, sources).await;
    evidence.events = events(subject, range, &evidence.lines, sources).await;
    let failovers = evidence.events.iter().filter(|event| event.details.is_failover);
    if let Some(around) = Range::over(failovers.map(|event| event.published)) {
        let shifted = |time: Timestamp, by| Timestamp::from_millis(time.as_millis() + by);
        let around = Range {
            since: shifted(around.since, -REJECTION_MARGIN_MS),
            until: shifted(around.until, REJECTION_MARGIN_MS),
        };
        let rejections = ["request_rejected", "panicked"].map(|message| ("message", message.to_owned()));
        let rejections = sources.lines(around, rejections.into()).await;
        for line in rejections {
            if text(&line, "service") == Some("telephony-hook") && !evidence.lines.contains(&line) {
                evidence.lines.push(line);
            }
        }
    }
    attempts(&mut evidence, sources).await;
    evidence
}

/// The lines that fit the subject, then the whole invocations that wrote them, and the feedback of their verifications.
async fn lines(subject: &Subject, range: Range, evidence: &Evidence, sources: &mut Sources<'_>) -> Vec<Line> {
    let mut conditions = subject.conditions();
    conditions.extend(
        evidence.attempts.iter().map(|attempt| ("verification_sid", attempt.verification_sid.as_str().to_owned())),
    );
    unique(&mut conditions);
    let mut found = sources.lines(range, conditions.clone()).await;
    // A line of feedback leads to the code that it is about, and that one to its invocation.
    for _ in 0..3 {
        let ids = ["function_request_id", "verification_sid"];
        let newest = found.iter().rev();
        let mut next: Vec<_> =
            newest.flat_map(|line| ids.iter().filter_map(|name| Some((*name, text(line, name)?.to_owned())))).collect();
        unique(&mut next);
        next.truncate(2 * MAX_INVOCATIONS);
        if next.iter().all(|condition| conditions.contains(condition)) {
            break;
        }
        let whole = sources.lines(range.wider(), next.clone()).await;
        if whole.is_empty() {
            break;
        }
        (found, conditions) = (whole, next);
    }
    found
}

async fn events(subject: &Subject, range: Range, lines: &[Line], sources: &mut Sources<'_>) -> Vec<LogEvent> {
    let mut users: Vec<(&str, String)> = match subject {
        Subject::User(user) => vec![("target.id", user.as_str().to_owned())],
        _ => lines.iter().rev().filter_map(|line| Some(("target.id", text(line, "user_id")?.to_owned()))).collect(),
    };
    unique(&mut users);
    users.retain(|(_, user)| SafeId::parse(user).is_some());
    users.truncate(MAX_STORIES);
    let of_lines = Range::over(lines.iter().filter_map(|line| Timestamp::parse(text(line, "timestamp")?)));
    let of_users = if matches!(subject, Subject::User(_)) { Some(range) } else { of_lines };
    let mut events = Vec::new();
    if let Some(range) = of_users.filter(|_| !users.is_empty()) {
        let users: Vec<_> = users.iter().map(|(member, user)| format!("{member} eq \"{user}\"")).collect();
        let filter = format!("{} and ({})", system_log::any_of(&system_log::SENDS), users.join(" or "));
        events = sources.events(range.wider(), &filter).await;
    }
    if let Some(range) = of_lines {
        events.extend(sources.events(range.wider(), &system_log::any_of(&HOOK_EVENTS)).await);
    }
    events
}

async fn attempts(evidence: &mut Evidence, sources: &mut Sources<'_>) {
    let of_lines = evidence.lines.iter().rev().filter_map(|line| text(line, "verification_sid").map(str::to_owned));
    let of_events = evidence.events.iter().rev();
    let of_events =
        of_events.filter_map(|event| Some(event.details.provider_transaction.as_ref()?.as_str().to_owned()));
    let of_attempts = evidence.attempts.iter().map(|attempt| attempt.verification_sid.as_str().to_owned());
    let mut sids: Vec<_> = of_lines.chain(of_events).chain(of_attempts).map(|sid| ("", sid)).collect();
    unique(&mut sids);
    let sids: Vec<_> = sids.iter().filter_map(|(_, sid)| Sid::parse(sid, "VE")).take(MAX_STORIES).collect();
    for sid in sids {
        for attempt in sources.attempts_of(sid).await {
            if !evidence.attempts.iter().any(|known| known.sid == attempt.sid) {
                evidence.attempts.push(attempt);
            }
        }
    }
}

fn unique(pairs: &mut Vec<(&'static str, String)>) {
    let mut known = std::collections::HashSet::new();
    pairs.retain(|pair| known.insert(pair.clone()));
}

fn text<'a>(line: &'a Line, name: &str) -> Option<&'a str> {
    line.get(name)?.as_str()
}
