//! The checks of the Okta org.

use std::time::Duration;

use okta_twilio::{
    config::{self, ConfigError, Variables},
    hooks::auth::{AuthMode, HeaderName},
    id::SafeId,
    okta::{
        OktaSecret,
        client::{OktaClient, OktaConfig, OktaError as UserError},
    },
    secrets::Cached,
    telemetry::Log,
    time::{clock::Timestamp, deadline::Deadline},
};
use secrecy::SecretString;

use crate::{
    doctor::{check::Check, facts::Facts, hooks, report::Report},
    environment::Environment,
    okta::{
        Okta, OktaError,
        hooks::{Channel, EVENTS, EventHook, InlineHook, Status},
        settings::Organization,
        system_log::{self, EventKind, Query, SENDS},
        token_of_environment,
    },
    stack::Hook,
    terminal::Terminal,
};

/// The checks that need an administrator's API token.
const ADMINISTRATION: [Check; 9] = [
    Check::TelephonyHook,
    Check::OnlyOneHook,
    Check::EventHook,
    Check::EventFilter,
    Check::PhoneAuthenticator,
    Check::Failover,
    Check::Deliveries,
    Check::RateLimitLeft,
    Check::ThroughOkta,
];

/// The checks of the Okta secret.
const SECRET: [Check; 3] = [Check::ServiceApp, Check::UsersReadable, Check::ApiToken];

const HOOKS_PAGE: &str = "Admin Console, Workflow, Inline hooks";
const EVENTS_PAGE: &str = "Admin Console, Workflow, Event hooks";
const BY_ITSELF: &str = "Okta sends its codes by itself.";

const OLD_URL: &str = "`setup` has created the hook, and remembers another URL for it, which Okta does not use yet.";
const AGAIN: &str = "Run `okta-twilio setup` again, or give it the URL that you want.";

/// How far back the System Log is read.
const LOG_HOURS: i64 = 24;

/// Entries that are read at most.
const MAX_ENTRIES: usize = 1_000;

/// A user id that no org has.
const NO_USER: &str = "00u00000000000000000";

/// Runs the selected checks.
///
/// `wait` is for the functions' log, after Okta has called telephony-hook.
pub(super) async fn check(
    wait: Duration,
    facts: &Facts,
    environment: &Environment,
    terminal: Terminal,
    report: &mut Report<'_>,
) {
    let all = || [Check::Organization].into_iter().chain(ADMINISTRATION).chain(SECRET);
    if !all().any(|check| report.includes(check)) {
        return;
    }
    let config = match config(facts) {
        Ok(Some(config)) => config,
        Ok(None) => {
            let why = "OKTA_ORG_URL is set neither at event-hook nor in this environment";
            skip_all(all(), why, report);
            return;
        }
        Err(error) => {
            let means = "Neither the hooks nor this command can ask Okta.";
            report.fail(Check::Organization, error.to_string(), means, "Set OKTA_ORG_URL to the URL of the org.");
            skip_all(ADMINISTRATION.into_iter().chain(SECRET), "see O1", report);
            return;
        }
    };
    let organization = organization(&config, environment, report).await;
    if organization.is_none() {
        skip_all(ADMINISTRATION.into_iter().chain(SECRET), "see O1", report);
        return;
    }
    let needs_token = ADMINISTRATION.iter().any(|check| report.includes(*check));
    let token = if needs_token { token(facts, terminal) } else { None };
    let okta = token.and_then(|token| Okta::new(&environment.http, &config.api_url, &token));
    if okta.is_none() {
        let why = "there is no API token: set OKTA_API_TOKEN to one of a read-only administrator";
        skip_all(ADMINISTRATION, why, report);
    }
    if let Some(okta) = &okta {
        telephony(okta, facts, report).await;
        hooks::through_okta(okta, wait, facts, environment, report).await;
        events(okta, facts, report).await;
        authenticator(okta, organization.as_ref(), report).await;
    }
    secret(&config, facts, environment, report).await;
    if let Some(okta) = &okta {
        failover(okta, environment.clock.now(), report).await;
        deliveries(okta, environment.clock.now(), report).await;
        rate_limit(okta, report);
    }
}

/// Where Okta is: for event-hook, or else for this program. `None` if neither knows it.
fn config(facts: &Facts) -> Result<Option<OktaConfig>, ConfigError> {
    let function = facts.function(Hook::Event).or_else(|| facts.function(Hook::Telephony));
    let value = |name: &str| {
        let own = function.and_then(|function| function.variable(name)).filter(|value| !value.trim().is_empty());
        own.or_else(|| config::environment(name))
    };
    let lookup = |name: &str| match name {
        // Without a secret, Okta can still be asked with another token.
        "OKTA_SECRET_ID" => value(name).or_else(|| Some("none".to_owned())),
        name => value(name),
    };
    let variables = Variables::new(&lookup);
    if variables.optional("OKTA_ORG_URL").is_none() {
        return Ok(None);
    }
    OktaConfig::from_variables(&variables).map(Some)
}

/// The API token of the environment, or of the Okta secret, or of the person at the terminal.
fn token(facts: &Facts, terminal: Terminal) -> Option<SecretString> {
    let of_secret = || match facts.okta_secret() {
        Some(Ok(secret)) => secret.api_token().cloned(),
        _ => None,
    };
    let ask = || terminal.ask_secret("API token of an Okta administrator (Enter: skip these checks)");
    token_of_environment().or_else(of_secret).or_else(ask)
}

async fn organization(config: &OktaConfig, environment: &Environment, report: &mut Report<'_>) -> Option<Organization> {
    let check = Check::Organization;
    match Okta::organization(&environment.http, &config.api_url).await {
        Ok(organization) => {
            let engine = if organization.is_identity_engine() { "Identity Engine" } else { "Classic Engine" };
            report.ok(check, format!("there is an org on {engine}"));
            Some(organization)
        }
        Err(error @ OktaError::NoResponse(_)) => {
            report.fail(check, error.to_string(), "Nothing of Okta can be read.", error.advice());
            None
        }
        Err(_) => {
            report.fail(
                check,
                "there is no Okta org at OKTA_ORG_URL",
                "Feedback finds no phone numbers, and nothing of Okta can be read.",
                "Set OKTA_ORG_URL to the org's own URL, such as https://example.okta.com.",
            );
            None
        }
    }
}

fn skip_all(checks: impl IntoIterator<Item = Check>, why: &str, report: &mut Report<'_>) {
    for check in checks {
        report.skip(check, why);
    }
}

/// What could not be read is no fault of the set-up.
fn unreadable(check: Check, error: &OktaError, report: &mut Report<'_>) {
    report.skip(check, format!("{error}. {}", error.advice()));
}

async fn telephony(okta: &Okta, facts: &Facts, report: &mut Report<'_>) {
    let url = facts.url(Hook::Telephony);
    let hooks = okta.telephony_hooks().await;
    let (Some(url), Ok(hooks)) = (url, &hooks) else {
        for check in [Check::TelephonyHook, Check::OnlyOneHook] {
            match &hooks {
                Err(error) => unreadable(check, error, report),
                Ok(_) => report.skip(check, "the stack has no telephony-hook"),
            }
        }
        return;
    };
    let (ours, others): (Vec<_>, Vec<_>) =
        hooks.iter().partition(|hook| facts.is_ours(Hook::Telephony, &hook.id, &hook.channel));
    our_hook(&ours, url, facts, report);
    only_one(okta, &others, report).await;
}

fn our_hook(ours: &[&InlineHook], url: &str, facts: &Facts, report: &mut Report<'_>) {
    let check = Check::TelephonyHook;
    let active = ours.iter().find(|hook| hook.status == Status::Active);
    match (active, ours.first()) {
        (None, None) => report.fail(
            check,
            "the org has no telephony inline hook with the URL of telephony-hook",
            BY_ITSELF,
            format!("`okta-twilio setup --only telephony` creates it, or by hand: {HOOKS_PAGE}."),
        ),
        (None, Some(hook)) => {
            report.fail(check, format!("{} is inactive", hook.id), BY_ITSELF, format!("Activate it: {HOOKS_PAGE}."));
        }
        (Some(hook), _) if !hook.channel.is_at(url) => {
            report.warn(check, format!("{} is at another URL", hook.id), OLD_URL, AGAIN);
        }
        (Some(hook), _) => match misfit(&hook.channel, Hook::Telephony, facts) {
            Some(read) => report.fail(
                check,
                read,
                "telephony-hook answers every request with 401, and Okta sends its codes by itself.",
                format!("Correct the hook's authentication: {HOOKS_PAGE}."),
            ),
            None => report.ok(check, format!("{} is active and has our URL", hook.id)),
        },
    }
}

/// How Okta's way to authenticate differs from the function's.
fn misfit(channel: &Channel, hook: Hook, facts: &Facts) -> Option<&'static str> {
    let function = facts.function(hook)?;
    let mode = AuthMode::from_variables(&Variables::new(&|name| function.variable(name))).ok()?;
    match mode {
        AuthMode::Jwt(_) if channel.is_oauth() => None,
        AuthMode::Jwt(_) => Some("Okta sends no OAuth token, and AUTH_MODE=jwt asks for one"),
        AuthMode::Header(_) if channel.is_oauth() => Some("Okta sends an OAuth token, and the hook asks for a secret"),
        AuthMode::Header(header) => match channel.header().and_then(HeaderName::parse) {
            Some(sent) if sent == header => None,
            Some(_) => Some("Okta sends the secret in another header than AUTH_HEADER says"),
            None => Some("Okta sends no secret"),
        },
    }
}

async fn only_one(okta: &Okta, others: &[&InlineHook], report: &mut Report<'_>) {
    let check = Check::OnlyOneHook;
    let means = "Okta uses one way to send only, and it may be the other one.";
    if let Some(other) = others.iter().find(|hook| hook.status == Status::Active) {
        let fix = format!("Deactivate the one that you do not want: {HOOKS_PAGE}.");
        report.fail(check, format!("another telephony inline hook is active: {}", other.id), means, fix);
        return;
    }
    match okta.telephony_providers().await.map(|providers| providers.iter().any(|provider| provider.enabled)) {
        Ok(true) => report.fail(
            check,
            "a telephony provider without a hook is enabled",
            means,
            "Deactivate it: Admin Console, Customizations, SMS and voice (or Settings, Telephony).",
        ),
        Ok(false) => report.ok(check, "no other hook and no other provider is active"),
        Err(OktaError::Forbidden { .. }) => {
            report.ok(check, "no other hook is active; the token may not read telephony providers");
        }
        Err(error) => unreadable(check, &error, report),
    }
}

async fn events(okta: &Okta, facts: &Facts, report: &mut Report<'_>) {
    let url = facts.url(Hook::Event);
    let hooks = okta.event_hooks().await;
    let (Some(url), Ok(hooks)) = (url, &hooks) else {
        for check in [Check::EventHook, Check::EventFilter] {
            match &hooks {
                Err(error) => unreadable(check, error, report),
                Ok(_) => report.skip(check, "the stack has no event-hook"),
            }
        }
        return;
    };
    let ours = || hooks.iter().filter(|hook| facts.is_ours(Hook::Event, &hook.id, &hook.channel));
    let ours = ours().find(|hook| hook.status == Status::Active).or_else(|| ours().next());
    let Some(hook) = ours else {
        report.fail(
            Check::EventHook,
            "the org has no event hook with the URL of event-hook",
            "No code is reported as used. After five codes in ten minutes Twilio refuses the next one (60203).",
            format!("`okta-twilio setup --only events` creates it, or by hand: {EVENTS_PAGE}."),
        );
        report.skip(Check::EventFilter, "see O4");
        return;
    };
    event_hook(hook, url, facts, report);
    filter(hook, report);
}

fn event_hook(hook: &EventHook, url: &str, facts: &Facts, report: &mut Report<'_>) {
    let missing = EVENTS.iter().find(|event| !hook.events.items.iter().any(|item| item == *event));
    let (read, fix) = if hook.status == Status::Inactive {
        (format!("{} is inactive", hook.id), "Activate it")
    } else if !hook.is_verified() {
        (format!("{} is not verified", hook.id), "Verify it")
    } else if let Some(missing) = missing {
        (format!("{} does not get {missing}", hook.id), "Add the event")
    } else if let Some(misfit) = misfit(&hook.channel, Hook::Event, facts) {
        (misfit.to_owned(), "Correct the hook's authentication")
    } else if !hook.channel.is_at(url) {
        return report.warn(Check::EventHook, format!("{} is at another URL", hook.id), OLD_URL, AGAIN);
    } else {
        report.ok(Check::EventHook, format!("{} is active, verified and has our URL", hook.id));
        return;
    };
    let means = "Codes are not reported as used. After five codes in ten minutes Twilio refuses the next one (60203).";
    report.fail(Check::EventHook, read, means, format!("{fix}: {EVENTS_PAGE}."));
}

fn filter(hook: &EventHook, report: &mut Report<'_>) {
    match (hook.events.filters(), hook.events.has_usable_filters()) {
        (0, _) => report.ok(Check::EventFilter, "there is no filter, so every sign-in of the org is delivered"),
        (filters, true) => report.ok(Check::EventFilter, format!("{filters} filters use fields that a filter can see")),
        (_, false) => report.fail(
            Check::EventFilter,
            "a filter uses a field that a filter cannot see",
            "It is never true, so no event of this type is delivered.",
            format!("Use event.outcome.result eq 'SUCCESS': {EVENTS_PAGE}."),
        ),
    }
}

async fn authenticator(okta: &Okta, organization: Option<&Organization>, report: &mut Report<'_>) {
    let check = Check::PhoneAuthenticator;
    if !report.includes(check) {
        return;
    }
    if !organization.is_some_and(Organization::is_identity_engine) {
        report.skip(check, "the org is on Classic Engine, which has factors and no authenticators");
        return;
    }
    let fix = "Turn it on: Admin Console, Security, Authenticators, Phone.";
    let authenticators = match okta.authenticators().await {
        Ok(authenticators) => authenticators,
        Err(error) => return unreadable(check, &error, report),
    };
    let phone = authenticators.iter().find(|authenticator| authenticator.is_phone());
    let Some(phone) = phone.filter(|phone| phone.status == Status::Active) else {
        report.fail(check, "the phone authenticator is not active", "Nobody is asked for a code by phone.", fix);
        return;
    };
    let methods = match okta.methods(phone).await {
        Ok(methods) => methods,
        Err(error) => return unreadable(check, &error, report),
    };
    let is_on = |kind: &str| methods.iter().any(|method| method.kind == kind && method.status == Status::Active);
    match (is_on("sms"), is_on("voice")) {
        (true, true) => report.ok(check, "the phone authenticator is active, with SMS and voice calls"),
        (true, false) => report.warn(check, "voice calls are off", "Users cannot ask for a call.", fix),
        (false, true) => report.warn(check, "SMS is off", "Users cannot ask for an SMS.", fix),
        (false, false) => {
            report.fail(check, "SMS and voice calls are off", "Nobody is asked for a code by phone.", fix);
        }
    }
}

/// Uses the Okta secret as event-hook does.
async fn secret(config: &OktaConfig, facts: &Facts, environment: &Environment, report: &mut Report<'_>) {
    if !SECRET.iter().any(|check| report.includes(*check)) {
        return;
    }
    let (text, is_token) = match (&facts.okta_text, facts.okta_secret()) {
        (Ok(Some(text)), Some(Ok(secret))) => (text.clone(), secret.api_token().is_some()),
        (_, None) => return skip_all(SECRET, "there is no Okta secret", report),
        _ => return skip_all(SECRET, "the Okta secret cannot be used: see A4", report),
    };
    let cached = Cached::new(Duration::from_secs(3_600), move |_limit| {
        let secret = OktaSecret::read(&text);
        async move { secret }
    });
    let client = OktaClient::new(environment.http.clone(), config, cached, environment.clock.clone());
    let log = Log::outside_invocations("okta-twilio", environment.clock.clone());
    let deadline = Deadline::starting(Duration::from_secs(10), environment.clock.now(), None);
    let Some(user) = SafeId::parse(NO_USER) else { return };
    let found = client.profile_phones(&user, &deadline, &log).await.map(|_phones| ());
    // That the user does not exist proves that users can be read.
    let read = found.or_else(|error| if error == UserError::UserNotFound { Ok(()) } else { Err(error) });
    judge_secret(read, is_token, report);
}

fn judge_secret(read: Result<(), UserError>, is_token: bool, report: &mut Report<'_>) {
    let means = "Feedback finds no phone numbers, so codes are not reported as used.";
    if is_token {
        report.skip(Check::ServiceApp, "the Okta secret has an API token, and no service app");
    } else {
        match read {
            Ok(()) | Err(UserError::Forbidden) => {
                report.ok(Check::ServiceApp, "Okta gives the service app a token with the scope okta.users.read");
            }
            Err(error) if is_of_token(error) => {
                report.fail(Check::ServiceApp, error.to_string(), means, error.advice());
            }
            Err(error) => report.skip(Check::ServiceApp, error.to_string()),
        }
    }
    match read {
        Ok(()) => report.ok(Check::UsersReadable, "users can be read"),
        Err(error) if !is_token && is_of_token(error) => report.skip(Check::UsersReadable, "see O7"),
        Err(error @ (UserError::Forbidden | UserError::Unauthorized)) => {
            report.fail(Check::UsersReadable, error.to_string(), means, error.advice());
        }
        Err(error) => report.skip(Check::UsersReadable, error.to_string()),
    }
    if is_token {
        report.warn(
            Check::ApiToken,
            "the Okta secret has an API token",
            "Whoever reads the secret has all rights of its administrator. The token ends after 30 days without use.",
            "Use a service app with the scope okta.users.read. docs/deploy.md describes each step.",
        );
    } else {
        report.ok(Check::ApiToken, "the Okta secret has a service app, and no API token");
    }
}

/// Whether an error comes from the token endpoint, or from the key that signs for it.
fn is_of_token(error: UserError) -> bool {
    matches!(
        error,
        UserError::Signing | UserError::ClientRefused | UserError::ScopeNotGranted | UserError::DpopRequired
    )
}

async fn failover(okta: &Okta, now: Timestamp, report: &mut Report<'_>) {
    let check = Check::Failover;
    if !report.includes(check) {
        return;
    }
    let filter = system_log::any_of(&[&SENDS[..], &["inline_hook.executed"]].concat());
    let query = Query { since: hours_before(now), until: now, filter: &filter };
    let events = match okta.system_log(&query, MAX_ENTRIES).await {
        Ok(events) => events,
        Err(error) => return unreadable(check, &error, report),
    };
    let failovers = || events.iter().filter(|event| event.details.is_failover);
    let failures = events.iter().filter(|event| event.kind == EventKind::InlineHookFailed).count();
    match (failovers().next(), failures) {
        (None, 0) => report.ok(check, format!("Okta has sent no code by itself in {LOG_HOURS} hours")),
        (None, failures) => report.warn(
            check,
            format!("in {LOG_HOURS} hours Okta could not use {failures} responses of an inline hook"),
            "Okta may have sent the codes by itself.",
            "Look for these times in the hook's log: docs/runbook.md.",
        ),
        (Some(last), failures) => report.warn(
            check,
            format!(
                "in {LOG_HOURS} hours Okta has sent {} codes by itself, the last at {}, and could not use {failures} responses",
                failovers().count(),
                last.published.to_rfc3339()
            ),
            "The hook refused these codes, failed, or was too slow.",
            "Find the reasons with `okta-twilio explain`, or in docs/runbook.md.",
        ),
    }
}

async fn deliveries(okta: &Okta, now: Timestamp, report: &mut Report<'_>) {
    let check = Check::Deliveries;
    if !report.includes(check) {
        return;
    }
    let filter = "eventType eq \"event_hook.delivery\" and outcome.result eq \"FAILURE\"";
    let query = Query { since: hours_before(now), until: now, filter };
    match okta.system_log(&query, MAX_ENTRIES).await {
        Err(error) => unreadable(check, &error, report),
        Ok(failed) => match failed.first() {
            None => report.ok(check, format!("no delivery to an event hook has failed in {LOG_HOURS} hours")),
            Some(last) => report.warn(
                check,
                format!(
                    "in {LOG_HOURS} hours {} deliveries to an event hook have failed, the last at {}",
                    failed.len(),
                    last.published.to_rfc3339()
                ),
                "Okta does not deliver these events again. If they were ours, the codes are not reported as used.",
                "Look for these times in event-hook's log: docs/runbook.md.",
            ),
        },
    }
}

fn hours_before(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis() - LOG_HOURS * 3_600_000)
}

fn rate_limit(okta: &Okta, report: &mut Report<'_>) {
    let check = Check::RateLimitLeft;
    match okta.lowest_allowance() {
        None => report.skip(check, "no other check of Okta was selected, or Okta does not say what is left"),
        Some(allowance) if allowance.is_low() => report.warn(
            check,
            format!("{} of {} requests are left in this minute", allowance.remaining, allowance.limit),
            "Other programs use Okta's API a lot. Event-hook may have to wait for its requests.",
            "Raise the share of the service app: Admin Console, Reports, Rate limits.",
        ),
        Some(allowance) => {
            report
                .ok(check, format!("{} of {} requests are left in this minute", allowance.remaining, allowance.limit));
        }
    }
}
