//! Checks of what the functions themselves have logged.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use okta_twilio::{
    id::SafeId,
    phone::CountryCode,
    reason::Reason,
    time::clock::{Clock, Timestamp},
};
use serde_json::Value;

use crate::{
    aws::{
        Aws, AwsError,
        logs::{self, Line, Query},
    },
    doctor::{check::Check, facts::Facts, report::Report},
    environment::Environment,
    stack::Hook,
};

/// Pause between two looks at the log.
const PAUSE: Duration = Duration::from_secs(2);

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// From so many codes on, a day without any feedback is no chance.
const MIN_SENT: usize = 20;

const CHECKS: [Check; 5] =
    [Check::Roles, Check::SharedService, Check::Countries, Check::LookupPackages, Check::Feedback];

/// Checks A6, T9, T10, T11 and E6.
pub(crate) async fn check(facts: &Facts, environment: &Environment, report: &mut Report<'_>) {
    let skip = |report: &mut Report<'_>, why: &str| CHECKS.into_iter().for_each(|check| report.skip(check, why));
    if !CHECKS.into_iter().any(|check| report.includes(check)) {
        return;
    }
    let groups = facts.log_groups();
    let Some(aws) = environment.aws.as_ref().ok().filter(|_| !groups.is_empty()) else {
        return skip(report, "the stack could not be read");
    };
    let now = environment.clock.now();
    let lines = match read(aws, &groups, now, report).await {
        Ok(lines) => lines,
        Err(error) => return skip(report, &error.to_string()),
    };
    roles(&lines.problems, now, report);
    shared_service(&lines.problems, report);
    countries(&lines.problems, report);
    lookup(&lines.lookup, report);
    if facts.function(Hook::Event).is_none() {
        report.skip(Check::Feedback, "the event hook could not be read, or the stack has none");
    } else {
        feedback(&lines, report);
    }
}

/// A line that is about to appear in the log.
pub(super) struct Wanted {
    pub(super) since: Timestamp,
    /// As in [`Query`].
    pub(super) any_of: Vec<(&'static str, String)>,
    /// CloudWatch shows a line some seconds after it was written.
    pub(super) wait: Duration,
}

/// Reads the log until it has a line that `is_found` accepts, or until the time is over. Returns what was read last.
///
/// # Errors
/// Fails if the log cannot be read.
pub(super) async fn wait_for(
    wanted: &Wanted,
    is_found: impl Fn(&Line) -> bool,
    aws: &Aws,
    facts: &Facts,
    clock: &Clock,
) -> Result<Vec<Line>, AwsError> {
    let started = Instant::now();
    let groups = facts.log_groups();
    loop {
        let query = Query { from: wanted.since, to: clock.now(), any_of: wanted.any_of.clone() };
        let lines = logs::lines(aws, &groups, &query).await?;
        if lines.iter().any(&is_found) || started.elapsed() >= wanted.wait {
            return Ok(lines);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The lines that the checks need.
#[derive(Default)]
struct Lines {
    /// Of the last week: what a permission or a setting of Twilio has prevented.
    problems: Vec<Line>,
    /// Of the last week: `lookup_failed`.
    lookup: Vec<Line>,
    /// Of the last day.
    sent: Vec<Line>,
    /// Of the last day.
    approved: Vec<Line>,
}

async fn read(aws: &Aws, groups: &[String], now: Timestamp, report: &Report<'_>) -> Result<Lines, AwsError> {
    let lines = async |is_needed: bool, seconds: i64, any_of: Vec<(&'static str, String)>| {
        if !is_needed {
            return Ok(Vec::new());
        }
        let from = Timestamp::from_millis(now.as_millis() - seconds * 1_000);
        logs::lines(aws, groups, &Query { from, to: now, any_of }).await
    };
    let reason = |reason: Reason| ("reason", reason.as_str().to_owned());
    let message = |name: &str| vec![("message", name.to_owned())];
    let mut problems: Vec<_> =
        [Reason::OwnedByOther, Reason::CountryBlockedByTwilio, Reason::TableForbidden, Reason::QueueForbidden]
            .map(reason)
            .into();
    // The reasons of secrets are not among those of codes.
    problems.extend(["access_denied", "kms_key_unusable"].map(|reason| ("reason", reason.to_owned())));
    let needs_feedback = report.includes(Check::Feedback);
    let needs_problems =
        [Check::Roles, Check::SharedService, Check::Countries].into_iter().any(|check| report.includes(check));
    let (problems, lookup, sent, approved) = tokio::join!(
        lines(needs_problems, WEEK, problems),
        lines(report.includes(Check::LookupPackages), WEEK, message("lookup_failed")),
        lines(needs_feedback, DAY, message("otp_sent")),
        lines(needs_feedback, DAY, message("feedback_approved")),
    );
    Ok(Lines { problems: problems?, lookup: lookup?, sent: sent?, approved: approved? })
}

fn roles(lines: &[Line], now: Timestamp, report: &mut Report<'_>) {
    let is_recent = |line: &&Line| {
        let time = text(line, "timestamp").and_then(Timestamp::parse);
        time.is_some_and(|time| now.as_secs() - time.as_secs() <= HOUR)
    };
    let action = |line: &Line| match (text(line, "reason")?, text(line, "secret")) {
        ("access_denied", Some("okta")) => Some("secretsmanager:GetSecretValue on the Okta secret"),
        ("access_denied", _) => Some("secretsmanager:GetSecretValue on the hooks secret"),
        ("kms_key_unusable", _) => Some("kms:Decrypt on the key of a secret"),
        ("table_forbidden", _) => Some("the actions on the sends table"),
        ("queue_forbidden", _) => Some("sqs:SendMessage on the feedback queue"),
        _ => None,
    };
    let missing: BTreeSet<_> = lines.iter().filter(is_recent).filter_map(action).collect();
    if missing.is_empty() {
        return report.ok(Check::Roles, "nothing was denied within the last hour");
    }
    let missing: Vec<_> = missing.into_iter().collect();
    report.fail(
        Check::Roles,
        format!("within the last hour, AWS denied {}", missing.join("; ")),
        "The functions do not work, or only as long as they have an older secret.",
        "Allow it in the function's role as infra/sam/template.yaml does, and in the policy of the KMS key.",
    );
}

fn shared_service(lines: &[Line], report: &mut Report<'_>) {
    let check = Check::SharedService;
    match count(lines, Reason::OwnedByOther) {
        0 => report.ok(check, "no verification was another's within the last week"),
        found => report.fail(
            check,
            format!("{found} verifications were another integration's within the last week (60735)"),
            "Another integration uses the same Verify service. Each takes the other's verifications.",
            "Create a Verify service for the hooks alone, with custom codes on, and store its sid.",
        ),
    }
}

fn countries(lines: &[Line], report: &mut Report<'_>) {
    let check = Check::Countries;
    let mut countries = BTreeMap::<String, usize>::new();
    for line in lines.iter().filter(|line| text(line, "reason") == Some(Reason::CountryBlockedByTwilio.as_str())) {
        let country = text(line, "country").and_then(|text| text.parse::<CountryCode>().ok());
        *countries.entry(country.map_or_else(|| "unknown".to_owned(), |country| country.to_string())).or_default() += 1;
    }
    if countries.is_empty() {
        return report.ok(check, "Twilio refused no country within the last week");
    }
    let list: Vec<_> = countries.iter().map(|(country, count)| format!("{country} ({count})")).collect();
    report.warn(
        check,
        format!("within the last week, Twilio's Geo permissions refused codes to {} (60605)", list.join(", ")),
        "Users there get no code from Twilio, although your policy allows it.",
        "Allow the country in the Twilio Console, Verify, Settings, Geo permissions, or block it in your policy.",
    );
}

fn lookup(lines: &[Line], report: &mut Report<'_>) {
    const NO_ACCESS: u64 = 60_606;
    let check = Check::LookupPackages;
    let is_unusable = |line: &&Line| line.get("twilio_code").and_then(Value::as_u64) == Some(NO_ACCESS);
    let package = |line: &Line| text(line, "package").and_then(SafeId::parse).map(|name| name.as_str().to_owned());
    let packages: BTreeSet<_> =
        lines.iter().filter(is_unusable).map(|line| package(line).unwrap_or_else(|| "all".to_owned())).collect();
    if !packages.is_empty() {
        let packages: Vec<_> = packages.into_iter().collect();
        return report.fail(
            check,
            format!("the Twilio account may not use these Lookup packages: {} (60606)", packages.join(", ")),
            "The rules that need this data let every number pass.",
            "Ask Twilio to turn the package on, or remove it from LOOKUP_FIELDS with the rules that need it.",
        );
    }
    let unavailable = count(lines, Reason::LookupUnavailable);
    if unavailable > 0 {
        return report.warn(
            check,
            format!("Lookup did not answer {unavailable} times within the last week"),
            "The rules that need its data let these numbers pass.",
            "If it goes on, raise LOOKUP_TIMEOUT_MS, or read docs/runbook.md about Lookup.",
        );
    }
    report.ok(check, "no failure within the last week that needs a change");
}

fn feedback(lines: &Lines, report: &mut Report<'_>) {
    let check = Check::Feedback;
    let (sent, approved) = (lines.sent.len(), lines.approved.len());
    let more = |count: usize| if count >= logs::MAX_LINES { "or more " } else { "" };
    let read = format!(
        "within the last day, {sent} {}codes were sent, and Twilio heard of {approved} {}right ones",
        more(sent),
        more(approved)
    );
    if sent > MIN_SENT && approved == 0 {
        report.fail(
            check,
            read,
            "After five codes within ten minutes, Twilio refuses a number (60203). Fraud Guard learns nothing.",
            "Check the event hook in Okta (O4), the queue (A7), and the log for feedback_failed and feedback_not_needed.",
        );
    } else {
        report.ok(check, read);
    }
}

fn count(lines: &[Line], reason: Reason) -> usize {
    lines.iter().filter(|line| text(line, "reason") == Some(reason.as_str())).count()
}

/// A member of a line that is a text.
pub(super) fn text<'a>(line: &'a Line, member: &str) -> Option<&'a str> {
    line.get(member)?.as_str()
}
