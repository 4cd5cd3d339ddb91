//! Checks from one end to the other: the hooks are called as Okta calls them. No check here sends a message.

use std::time::{Duration, Instant};

use http::StatusCode;
use okta_twilio::{
    http_client::CallError,
    reason::Reason,
    time::clock::{Clock, Timestamp},
};
use serde_json::Value;

use crate::{
    aws::logs::Line,
    call::{self, Response},
    doctor::{
        caller::{Caller, CodeRequest},
        check::Check,
        facts::Facts,
        log::{self, Wanted},
        report::Report,
    },
    environment::Environment,
    okta::{Okta, OktaError, hooks::Status},
    stack::Hook,
};

/// Okta gives a hook so much time.
const OKTA_TIMEOUT: Duration = Duration::from_secs(3);

/// From here on, a slow moment is enough for Okta to give up.
const SLOW: Duration = Duration::from_millis(2_500);

/// Calls that measure the latency. The first one may start the function.
const CALLS: usize = 5;

/// AWS refuses requests of a clock that is off by five minutes, and Okta refuses assertions.
const MAX_SKEW_SECONDS: i64 = 60;

/// Checks E1, E3 and E5.
pub(crate) async fn check(facts: &Facts, environment: &Environment, report: &mut Report<'_>) {
    let checks = [Check::Routes, Check::Latency, Check::ClockSkew];
    if !checks.into_iter().any(|check| report.includes(check)) {
        return;
    }
    let urls = Urls::of(facts);
    if urls.all().next().is_none() {
        return checks.into_iter().for_each(|check| report.skip(check, "the stack could not be read, or has no hook"));
    }
    routes(&urls, environment, report).await;
    if report.includes(Check::Latency) {
        latency(&urls, facts, environment, report).await;
    }
}

/// Where the stack's hooks are.
struct Urls<'a> {
    telephony: Option<&'a str>,
    events: Option<&'a str>,
}

impl<'a> Urls<'a> {
    fn of(facts: &'a Facts) -> Self {
        Self { telephony: facts.url(Hook::Telephony), events: facts.url(Hook::Event) }
    }

    fn all(&self) -> impl Iterator<Item = (Hook, &'a str)> {
        [(Hook::Telephony, self.telephony), (Hook::Event, self.events)]
            .into_iter()
            .filter_map(|(hook, url)| Some((hook, url?)))
    }
}

/// Calls each hook without a secret. The time of the responses is that of AWS.
async fn routes(urls: &Urls<'_>, environment: &Environment, report: &mut Report<'_>) {
    let mut faults = Vec::new();
    let mut skew = None;
    for (hook, url) in urls.all() {
        let request = || match hook {
            Hook::Telephony => environment.http.post(url).body("{}"),
            Hook::Event => environment.http.get(url),
        };
        let response = call::repeatable(request).await;
        if let Ok(response) = &response {
            skew = skew.or_else(|| skew_seconds(response, &environment.clock));
        }
        faults
            .extend(route_fault(&response).map(|(read, means, fix)| (format!("{}: {read}", hook.name()), means, fix)));
    }
    let check = Check::Routes;
    match faults.first() {
        None => report.ok(check, "each hook refuses a request without the secret"),
        Some((_, means, fix)) => {
            let read: Vec<_> = faults.iter().map(|(read, ..)| read.as_str()).collect();
            report.fail(check, read.join("; "), *means, *fix);
        }
    }
    let check = Check::ClockSkew;
    match skew {
        None => report.skip(check, "no hook has said what time it is"),
        Some(seconds) if seconds.abs() > MAX_SKEW_SECONDS => report.fail(
            check,
            format!("this machine's clock is off by {} s", seconds.abs()),
            "AWS and Okta refuse signatures of another time.",
            "Set the clock of this machine, best by NTP.",
        ),
        Some(_small) => report.ok(check, "this machine's clock agrees with AWS's"),
    }
}

/// What is wrong, what it means, and what to do.
fn route_fault(response: &Result<Response, CallError>) -> Option<(String, &'static str, &'static str)> {
    let response = match response {
        Ok(response) => response,
        Err(error) => {
            let fix = "Check the domain, its certificate, and this machine's way to the Internet.";
            return Some((
                error.to_string(),
                "Okta cannot reach the hook either, unless only this machine cannot.",
                fix,
            ));
        }
    };
    let (means, fix) = match response.status {
        StatusCode::UNAUTHORIZED => return None,
        status if status.is_success() => (
            "The hook is open: everybody can send messages at your cost.",
            "Deactivate the hook in Okta, delete the route, and find out what answers there.",
        ),
        StatusCode::NOT_FOUND => (
            "The gateway has no such route, or the address belongs to something else.",
            "Compare the address with the stack's outputs, and run `make deploy`.",
        ),
        StatusCode::FORBIDDEN => (
            "Something in front of the function refuses the request.",
            "Check the firewall and the custom domain of the gateway.",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            "The gateway throttles, also Okta's requests.",
            "Raise the throttle in deploy.toml, or find out who calls.",
        ),
        _ => ("The function does not answer as it should.", "Read its log: `make logs`, and docs/runbook.md."),
    };
    Some((format!("a request without the secret got {}", response.status.as_u16()), means, fix))
}

fn skew_seconds(response: &Response, clock: &Clock) -> Option<i64> {
    let theirs = Timestamp::parse_http_date(response.header("date")?)?;
    Some(clock.now().as_secs() - theirs.as_secs())
}

/// Asks for an expired code, which is never sent, with the caller's secret.
async fn latency(urls: &Urls<'_>, facts: &Facts, environment: &Environment, report: &mut Report<'_>) {
    let check = Check::Latency;
    let Some(url) = urls.telephony else { return report.skip(check, "the stack has no telephony hook") };
    let caller = match Caller::of(facts) {
        Ok(caller) => caller,
        Err(why) => return report.skip(check, why),
    };
    let body = CodeRequest::expired(environment.clock.now()).body();
    let mut durations = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        let response = call::once(caller.authenticate(environment.http.post(url).body(body.to_string()))).await;
        durations.push(started.elapsed());
        if let Some((read, means, fix)) = reply_fault(response) {
            return report.fail(check, read, means, fix);
        }
    }
    let slowest = durations.iter().max().copied().unwrap_or_default();
    let read = format!(
        "the first call took {} ms, the slowest {} ms, with the way from this machine",
        durations.first().copied().unwrap_or_default().as_millis(),
        slowest.as_millis()
    );
    let means = "Okta waits for 3 s. Then it sends the code by itself, and the user may get two.";
    let fix =
        "Raise MemorySize, or set ProvisionedConcurrency. If this machine is far away, run the check near the stack.";
    if slowest >= OKTA_TIMEOUT {
        report.fail(check, read, means, fix);
    } else if slowest >= SLOW {
        report.warn(check, read, means, fix);
    } else {
        report.ok(check, read);
    }
}

/// What is wrong with the reply to an expired code.
fn reply_fault(response: Result<Response, CallError>) -> Option<(String, &'static str, &'static str)> {
    let response = match response {
        Ok(response) => response,
        Err(error) => return Some((error.to_string(), "Okta gets no answer either.", "Read the log: `make logs`.")),
    };
    if response.status == StatusCode::UNAUTHORIZED {
        let means = "The function does not accept the secret that is stored now.";
        return Some((
            "the hook refused the caller's secret".to_owned(),
            means,
            "Check HOOKS_SECRET_ID and AUTH_HEADER.",
        ));
    }
    if reason(&response).as_deref() == Some(Reason::CodeExpired.as_str()) {
        return None;
    }
    let read = format!("the hook answered {}, but not as it does for an expired code", response.status.as_u16());
    Some((read, "Something else answers at this address, or another version.", "Run `make deploy`, and read the log."))
}

/// Has Okta call the hook with an expired code. The hook's own log says whether the request arrived, because Okta's
/// answer to an error object is not documented.
pub(super) async fn through_okta(
    okta: &Okta,
    wait: Duration,
    facts: &Facts,
    environment: &Environment,
    report: &mut Report<'_>,
) {
    let check = Check::ThroughOkta;
    if !report.includes(check) {
        return;
    }
    let (true, Ok(aws)) = (facts.url(Hook::Telephony).is_some(), environment.aws()) else {
        return report.skip(check, "the stack could not be read, or has no telephony-hook");
    };
    let hooks = match okta.telephony_hooks().await {
        Ok(hooks) => hooks,
        Err(error) => return report.skip(check, error.to_string()),
    };
    let ours = hooks
        .iter()
        .find(|hook| hook.status == Status::Active && facts.is_ours(Hook::Telephony, &hook.id, &hook.channel));
    let Some(hook) = ours else { return report.skip(check, "Okta has no active hook with our URL (O2)") };
    let started = environment.clock.now();
    let request = CodeRequest::expired(started);
    let executed = okta.execute(&hook.id, &request.body()).await;
    if let Err(error @ (OktaError::Forbidden { .. } | OktaError::Unauthorized | OktaError::RateLimited)) = &executed {
        return report.skip(check, error.to_string());
    }
    let wanted = Wanted {
        since: started,
        any_of: vec![
            ("okta_event_id", request.event_id.clone()),
            ("reason", Reason::NotAuthenticated.as_str().to_owned()),
        ],
        wait,
    };
    let is_ours = |line: &Line| log::text(line, "okta_event_id") == Some(request.event_id.as_str());
    let lines = match log::wait_for(&wanted, is_ours, aws, facts, &environment.clock).await {
        Ok(lines) => lines,
        Err(error) => return report.skip(check, error.to_string()),
    };
    let reason = lines.iter().find(|line| is_ours(line)).map(|line| log::text(line, "reason"));
    let is_refused = lines.iter().any(|line| log::text(line, "reason") == Some(Reason::NotAuthenticated.as_str()));
    match reason {
        Some(Some("code_expired")) => report.ok(check, "Okta reached the hook, and the hook knew the code as expired"),
        Some(_other) => report.fail(
            check,
            "Okta reached the hook, but the hook did not see that the code has expired",
            "The clocks differ, or another version runs.",
            "Check E5, and run `make deploy`.",
        ),
        None if is_refused => report.fail(
            check,
            "the hook refused Okta's request",
            "The secret in Okta differs from auth_secret. Okta sends its codes by itself.",
            "Enter auth_secret of the hooks secret in Okta: Admin Console, Workflow, Inline hooks.",
        ),
        None => report.fail(
            check,
            match executed {
                Ok(()) => "the hook's log does not have Okta's request".to_owned(),
                Err(error) => format!("the hook's log does not have Okta's request; {error}"),
            },
            "Okta does not reach the hook, or the log came late.",
            "Compare the hook's URL in Okta with the stack's output TelephonyUrl, or with the one that setup was given. If they are equal, try --wait 180.",
        ),
    }
}

/// The reason in the hook's error object.
fn reason(response: &Response) -> Option<String> {
    let body: Value = response.json()?;
    body.pointer("/error/errorCauses/0/reason")?.as_str().map(str::to_owned)
}
