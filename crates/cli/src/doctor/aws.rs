//! Checks of the AWS account and of the stack.

use okta_twilio::{
    config::{self, StartError, Variables},
    hooks::{events::EventHook, telephony::TelephonyHook},
    okta::OktaSecret,
    secrets::{HooksSecret, SecretError, Warning},
    time::clock::Clock,
};

use crate::{
    aws::{Aws, AwsError, cloudwatch, lambda::FunctionConfiguration, logs, secrets_manager, sqs},
    doctor::{check::Check, facts::Facts, report::Report},
    environment::Environment,
    stack::Hook,
};

/// A caller's secret that is older should be renewed, in days.
const MAX_SECRET_AGE: i64 = 180;

/// Below this much memory, a function has so little CPU that a cold start can be too late for Okta. In MB.
const MIN_MEMORY: u64 = 512;

/// The least time that `telephony-hook` needs after its budget, to log a late response. In milliseconds.
const MIN_MARGIN_MS: u64 = 500;

/// The least time-out of `event-hook`, in seconds. A batch of its queue makes up to ten requests to Twilio.
const MIN_BATCH_TIMEOUT: u64 = 15;

const SECRET_FIX: &str = "Store the secret with `make secrets`.";
const UNREADABLE: &str = "The check could not be made.";

/// Checks A1 to A5 and A7 to A9. A6 is among the checks of the log.
pub(crate) async fn check(facts: &Facts, environment: &Environment, report: &mut Report<'_>) {
    identity(facts, report);
    stack(facts, report);
    hooks_secret(facts, report);
    okta_secret(facts, report);
    functions(facts, &environment.clock, report).await;
    let aws = environment.aws.as_ref().ok();
    let Some((aws, stack)) = aws.zip(facts.stack.as_ref().ok().and_then(Option::as_ref)) else {
        for check in [Check::Queue, Check::Alarms, Check::SecretAge] {
            report.skip(check, "the stack could not be read");
        }
        return;
    };
    if report.includes(Check::Queue) {
        queue(facts, aws, report).await;
    }
    if report.includes(Check::Alarms) {
        let kinds = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"];
        let names: Vec<_> = kinds.into_iter().flat_map(|kind| stack.resources(kind)).collect();
        alarms(facts, aws, &names, report).await;
    }
    if report.includes(Check::SecretAge) {
        secret_age(stack.output("HooksSecretArn"), aws, &environment.clock, report).await;
    }
}

fn identity(facts: &Facts, report: &mut Report<'_>) {
    match &facts.account {
        Ok(account) => report.ok(Check::Identity, format!("account {account}")),
        Err(error) => report.fail(
            Check::Identity,
            error.to_string(),
            "Nothing of the stack can be read.",
            "Sign in to the account of the stack, and run this command again.",
        ),
    }
}

fn stack(facts: &Facts, report: &mut Report<'_>) {
    let check = Check::Stack;
    match &facts.stack {
        Ok(Some(stack)) if stack.status.contains("ROLLBACK") || stack.status.contains("FAILED") => report.fail(
            check,
            format!("{} is in {}", stack.name, stack.status),
            "The last deployment failed. The functions run as before it, or not at all.",
            "Read the stack's events in the CloudFormation console, fix the cause, and run `make deploy`.",
        ),
        Ok(Some(stack)) => report.ok(check, format!("{} is in {}", stack.name, stack.status)),
        Ok(None) => report.fail(
            check,
            "there is no stack of this name in this region",
            "The name or the region is wrong, or nothing was deployed.",
            "Give --stack and --region, or run `make deploy`.",
        ),
        Err(error) if facts.account.is_err() => report.skip(check, error.to_string()),
        Err(error) => report.fail(check, error.to_string(), "Nothing of the stack can be read.", ""),
    }
}

fn hooks_secret(facts: &Facts, report: &mut Report<'_>) {
    let check = Check::HooksSecret;
    match (&facts.hooks_text, facts.hooks_secret()) {
        (_, Some(secret)) => judge_hooks_secret(secret, report),
        (Err(error), None) => report.skip(check, error.to_string()),
        (Ok(_), None) if !matches!(facts.stack, Ok(Some(_))) => report.skip(check, "the stack could not be read"),
        (Ok(_), None) => judge_hooks_secret(Err(SecretError::NotFound), report),
    }
}

/// Judges a hooks secret that the functions' own parser has read.
pub(super) fn judge_hooks_secret(secret: Result<HooksSecret, SecretError>, report: &mut Report<'_>) {
    let check = Check::HooksSecret;
    match secret {
        Ok(secret) if secret.paused.is_active() => report.warn(
            check,
            "every field can be used, and sending is paused",
            "Users get no code for what is paused.",
            "Run `okta-twilio resume` when the cause is over.",
        ),
        Ok(secret) => match unknown_fields(&secret) {
            Some(read) => report.warn(check, read, "The functions ignore such a field.", SECRET_FIX),
            None => report.ok(check, "every field can be used"),
        },
        Err(error) => {
            let means = "The hooks answer 503, and Okta sends its codes by itself.";
            report.fail(check, error.to_string(), means, advice(error));
        }
    }
}

fn okta_secret(facts: &Facts, report: &mut Report<'_>) {
    let check = Check::OktaSecret;
    let Some(event) = facts.function(Hook::Event) else {
        return report.skip(check, "the event hook could not be read, or the stack has none");
    };
    if Variables::new(&|name| event.variable(name)).optional("OKTA_SECRET_ID").is_none() {
        return report.ok(check, "none, because the event hook does not ask Okta's API");
    }
    match (&facts.okta_text, facts.okta_secret()) {
        (Err(error), _) => report.skip(check, error.to_string()),
        (Ok(_), secret) => judge_okta_secret(secret.unwrap_or(Err(SecretError::NotFound)), report),
    }
}

/// Judges an Okta secret that the functions' own parser has read.
pub(super) fn judge_okta_secret(secret: Result<OktaSecret, SecretError>, report: &mut Report<'_>) {
    const MEANS: &str = "The event hook cannot ask Okta for phone numbers, so that Twilio gets less feedback.";
    const FIX: &str = "Store the secret as docs/set-up.md describes under \"What the function may read in Okta\".";
    let check = Check::OktaSecret;
    match secret {
        Err(error) => report.fail(check, error.to_string(), MEANS, FIX),
        Ok(secret) => match unknown_fields(&secret) {
            Some(read) => report.warn(check, read, "The functions ignore such a field.", FIX),
            None => report.ok(check, "every field can be used"),
        },
    }
}

/// What the functions would warn about. A pause that cannot be read has paused everything, and is reported as a pause.
fn unknown_fields(secret: &impl okta_twilio::secrets::Secret) -> Option<String> {
    let unknown = secret.warnings().iter().find_map(|warning| match warning {
        Warning::UnknownField(field) => Some(field),
        Warning::PausedUnreadable => None,
    })?;
    let meant = unknown.nearest.map(|name| format!(", which was perhaps meant as {name}"));
    Some(format!("the secret has an unknown field{}", meant.unwrap_or_default()))
}

fn advice(error: SecretError) -> &'static str {
    match error {
        SecretError::Unusable(_) => "Store the field again with `make secrets`. docs/set-up.md describes each field.",
        _ => SECRET_FIX,
    }
}

async fn functions(facts: &Facts, clock: &Clock, report: &mut Report<'_>) {
    let check = Check::Functions;
    if !report.includes(check) {
        return;
    }
    for (hook, function) in [(Hook::Telephony, &facts.telephony), (Hook::Event, &facts.event)] {
        if let Err(error) = function {
            return report.skip(check, format!("{}: {error}", hook.name()));
        }
    }
    let (mut faults, mut doubts, mut well) = (Vec::new(), Vec::new(), Vec::new());
    for (hook, function) in facts.functions() {
        let name = hook.name();
        if let Err(error) = build(hook, &|name| function.variable(name), clock).await {
            faults.push(format!("{name} does not start: {error}"));
        }
        faults.extend(timeout_fault(hook, function).map(|fault| format!("{name}: {fault}")));
        let names = function.variable_names();
        doubts.extend(config::misspelled(names).into_iter().map(|misspelled| {
            format!("{name}: the variable {} is not used; {} was perhaps meant", misspelled.name, misspelled.meant)
        }));
        if function.memory_size < MIN_MEMORY {
            doubts.push(format!("{name} has {} MB of memory, less than {MIN_MEMORY}", function.memory_size));
        }
        let architecture =
            function.architectures.first().map_or("unknown", |architecture| match architecture.as_str() {
                "arm64" => "arm64",
                "x86_64" => "x86_64",
                _ => "unknown",
            });
        well.push(format!("{name}: {architecture}, {} MB, {} s", function.memory_size, function.timeout));
    }
    if let [Some(first), Some(second)] = Hook::ALL.map(|hook| facts.function(hook))
        && first.architectures != second.architectures
    {
        doubts.push("the functions have different architectures, although one build makes both".to_owned());
    }
    if well.is_empty() {
        report.skip(check, "the stack could not be read, or has no function");
    } else if !faults.is_empty() {
        faults.extend(doubts);
        report.fail(
            check,
            faults.join("; "),
            "The function does not start, or is ended too early. Okta sends its codes by itself.",
            "Change the parameter in deploy.toml, and run `make deploy`. The README has a table of all variables.",
        );
    } else if !doubts.is_empty() {
        report.warn(
            check,
            doubts.join("; "),
            "The function works, but perhaps not as you want it to.",
            "Change the parameter in deploy.toml, and run `make deploy`.",
        );
    } else {
        report.ok(check, well.join("; "));
    }
}

/// Starts the function as far as its variables go.
pub(super) async fn build(
    hook: Hook,
    variable: &dyn Fn(&str) -> Option<String>,
    clock: &Clock,
) -> Result<(), StartError> {
    let lookup = |name: &str| match name {
        // The file is in the function's layer and not on this machine.
        "EXTRA_CA_FILE" => None,
        name => variable(name),
    };
    let variables = Variables::new(&lookup);
    config::log_level(&variables)?;
    match hook {
        Hook::Telephony => TelephonyHook::build(&variables, clock.clone()).await.map(|_hook| ()),
        Hook::Event => EventHook::build(&variables, clock.clone()).await.map(|_hook| ()),
    }
}

fn timeout_fault(hook: Hook, function: &FunctionConfiguration) -> Option<String> {
    let timeout = function.timeout;
    match hook {
        Hook::Telephony => {
            let lookup = |name: &str| function.variable(name);
            let budget_ms = Variables::new(&lookup).optional("HOOK_BUDGET_MS").and_then(|text| text.parse().ok());
            let budget_ms: u64 = budget_ms.unwrap_or(2_600);
            let is_short = timeout.saturating_mul(1_000) < budget_ms.saturating_add(MIN_MARGIN_MS);
            is_short.then(|| format!("the time-out of {timeout} s is too short for HOOK_BUDGET_MS={budget_ms}"))
        }
        Hook::Event => (timeout < MIN_BATCH_TIMEOUT)
            .then(|| format!("the time-out of {timeout} s is shorter than {MIN_BATCH_TIMEOUT} s")),
    }
}

async fn queue(facts: &Facts, aws: &Aws, report: &mut Report<'_>) {
    let check = Check::Queue;
    let Some(event) = facts.function(Hook::Event) else {
        return report.skip(check, "the event hook could not be read, or the stack has none");
    };
    let Some(url) = Variables::new(&|name| event.variable(name)).optional("FEEDBACK_QUEUE_URL") else {
        return report.ok(check, "none, because the event hook gives feedback within Okta's request");
    };
    match read_queue(aws, &url, event.timeout).await {
        Err(error) => report.fail(check, error.to_string(), UNREADABLE, ""),
        Ok(QueueState::Missing) => report.fail(
            check,
            "there is no queue at FEEDBACK_QUEUE_URL",
            "No feedback reaches Twilio.",
            "Run `make deploy`.",
        ),
        Ok(QueueState::Misconfigured(read)) => report.fail(
            check,
            read,
            "Feedback is lost, or given twice.",
            "Set the attribute as in infra/sam/template.yaml, or run `make deploy`.",
        ),
        Ok(QueueState::DeadLetters(count)) => report.fail(
            check,
            format!("{count} messages are in the dead-letter queue"),
            "Their feedback failed eight times, and Twilio does not know that these codes were right.",
            "Find the cause in the log (feedback_failed), mend it, and run `okta-twilio redrive`.",
        ),
        Ok(QueueState::Well(waiting)) => {
            report.ok(check, format!("{waiting} messages wait, and none is in the dead-letter queue"));
        }
    }
}

enum QueueState {
    Missing,
    Misconfigured(&'static str),
    DeadLetters(u64),
    /// So many messages wait.
    Well(u64),
}

/// `timeout` is the function's, in seconds.
async fn read_queue(aws: &Aws, url: &str, timeout: u64) -> Result<QueueState, AwsError> {
    let Some(queue) = sqs::find(aws, url).await? else { return Ok(QueueState::Missing) };
    if !queue.is_fifo() {
        return Ok(QueueState::Misconfigured("the queue is no FIFO queue"));
    }
    // AWS, "Configuring an Amazon SQS queue to use with Lambda".
    if queue.visibility_timeout().is_none_or(|seconds| seconds < timeout.saturating_mul(6)) {
        return Ok(QueueState::Misconfigured(
            "the visibility timeout is shorter than six times the function's time-out",
        ));
    }
    Ok(match sqs::find_dead_letters(aws, &queue).await? {
        None => QueueState::Misconfigured("the queue has no dead-letter queue"),
        Some(dead_letters) if dead_letters.depth() > 0 => QueueState::DeadLetters(dead_letters.depth()),
        Some(_empty) => QueueState::Well(queue.depth()),
    })
}

async fn alarms(facts: &Facts, aws: &Aws, names: &[&str], report: &mut Report<'_>) {
    let check = Check::Alarms;
    let alarms = match cloudwatch::alarms(aws, names).await {
        Ok(alarms) => alarms,
        Err(error) => return report.fail(check, error.to_string(), UNREADABLE, ""),
    };
    let mut problems = Vec::new();
    let count = |is_such: fn(&cloudwatch::Alarm) -> bool| alarms.iter().filter(|alarm| is_such(alarm)).count();
    let (mute, ringing) = (count(|alarm| !alarm.has_action), count(|alarm| alarm.state == "ALARM"));
    if alarms.len() < names.len() || names.is_empty() {
        problems.push(format!("{} of {} alarms exist", alarms.len(), names.len()));
    }
    if mute > 0 {
        problems.push(format!("{mute} of {} alarms tell no one", alarms.len()));
    }
    if ringing > 0 {
        problems.push(format!("{ringing} alarms are in the state ALARM"));
    }
    let mut is_metric_lost = false;
    for (hook, function) in facts.functions() {
        let name = hook.name();
        if matches!(function.logging_config.application_log_level.as_deref(), Some("WARN" | "ERROR" | "FATAL")) {
            is_metric_lost = true;
            problems.push(format!("Lambda drops {name}'s lines of the level INFO, and its metrics with them"));
        }
        let Some(group) = &function.logging_config.log_group else { continue };
        match logs::retention_days(aws, group).await {
            Err(error) => return report.fail(check, error.to_string(), UNREADABLE, ""),
            Ok(None) => problems.push(format!("{name} has no log group yet")),
            Ok(Some(None)) => problems.push(format!("{name}'s log is never deleted")),
            Ok(Some(Some(_days))) => {}
        }
    }
    let read = problems.join("; ");
    if is_metric_lost {
        report.fail(
            check,
            read,
            "Alarms and dashboard see nothing.",
            "Set ApplicationLogLevel to TRACE, as infra/sam/template.yaml does. LOG_LEVEL decides what is written.",
        );
    } else if problems.is_empty() {
        report.ok(check, format!("{} alarms, each with an action, and every log has a retention", alarms.len()));
    } else {
        report.warn(
            check,
            read,
            "A fault may stay unnoticed, or data may be kept for longer than it should be.",
            "Set AlarmEmail or AlarmTopicArn, and LogRetentionDays, in deploy.toml, run `make deploy`, and read docs/runbook.md.",
        );
    }
}

async fn secret_age(id: Option<&str>, aws: &Aws, clock: &Clock, report: &mut Report<'_>) {
    let check = Check::SecretAge;
    let Some(id) = id else { return report.skip(check, "the stack does not name its secret") };
    let changed = match secrets_manager::last_changed(aws, id).await {
        Ok(Some(changed)) => changed,
        Ok(None) => return report.skip(check, "the secret has no date"),
        Err(error) => return report.fail(check, error.to_string(), UNREADABLE, ""),
    };
    let days = (clock.now().as_secs() - changed.as_secs()).max(0) / 86_400;
    let read = format!("the hooks secret was changed {days} days ago");
    if days > MAX_SECRET_AGE {
        report.warn(
            check,
            read,
            "The longer a secret is used, the more people and machines have seen it.",
            "Renew auth_secret and the API key: docs/runbook.md, \"Rotating a secret\".",
        );
    } else {
        report.ok(check, read);
    }
}
