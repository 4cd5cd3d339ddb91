//! `make dev`: prints example commands, then shows the functions' log and the messages to phones, until Ctrl-C.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use sandbox::{
    Sandbox,
    aws_emulator::{ACCESS_KEY, REGION},
    deployment::AUTH_SECRET,
};

use serde_json::Value;

use crate::{
    error::Error,
    events::{Events, Waiter},
    functions::{self, EVENT_HOOK, Functions, Mode, TELEPHONY_HOOK},
    invoke::Announcement,
    outside::Outside,
    page,
    terminal::{self, TICK, Terminal},
};

/// The recorded events in the example commands. Both are about the same user.
const SENDING: &str = "telephony-sms-mfa-verification";
const FEEDBACK: &str = "event-sms-identity-engine";

/// Keeps the stack running.
pub(crate) fn run(outside: &Outside, events: &Events, waiter: &Waiter, terminal: Terminal) -> Result<(), Error> {
    outside.create_okta_secret()?;
    let mut port = Functions::hold_port()?;
    let wanted = [&TELEPHONY_HOOK, &EVENT_HOOK];
    let functions = Functions::start(&Mode::Watched, &wanted, &mut port, outside, events, waiter)?;
    let _announcement = Announcement::make(functions.port, &outside.aws_endpoint)?;
    page::connect(&functions, &outside.sandbox);
    warn(&functions, terminal)?;
    explain(&functions, outside, terminal)?;
    let over = AtomicBool::new(false);
    let show = |shown: Result<(), Error>| {
        if shown.is_err() {
            // The reader of the output has gone.
            events.interrupt();
        }
    };
    thread::scope(|threads| {
        threads.spawn(|| show(show_log(&functions, terminal, &over)));
        threads.spawn(|| page::feed(&functions, &outside.sandbox, &over));
        threads.spawn(|| show(show_messages(&outside.sandbox, terminal, &over)));
        let ended = waiter.until_interrupted();
        over.store(true, Ordering::Relaxed);
        ended
    })
}

/// Shows the functions' warnings about their variables, because a rule with a misspelt variable has no effect.
fn warn(functions: &Functions, terminal: Terminal) -> Result<(), Error> {
    warnings(&functions.configuration_warnings()).iter().try_for_each(|warning| terminal.say(terminal.bad(warning)))
}

/// The texts of warnings. Both functions have the same variables, so each text is there once.
fn warnings(lines: &[Value]) -> BTreeSet<String> {
    lines.iter().map(warning).collect()
}

fn warning(line: &Value) -> String {
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    let subject = text("variable").or(text("secret")).unwrap_or_default();
    let meant = text("meant").map_or_else(String::new, |meant| format!(". Did you mean {meant}?"));
    format!("Warning: {subject}: {}{meant}", text("problem").unwrap_or_default())
}

fn explain(functions: &Functions, outside: &Outside, terminal: Terminal) -> Result<(), Error> {
    let sandbox = outside.sandbox.http_url();
    let page = outside.sandbox.page_url();
    terminal
        .say(format!("{}  {page}", terminal.title("Page with each decision, where you can also send requests:")))?;
    terminal.say(terminal.title("The local stack is running. Ctrl-C stops it. In another terminal:"))?;
    for (what, command) in [
        ("Okta asks to send a code", format!("make invoke EVENT=events/{SENDING}.json")),
        ("the user typed the code: Okta's event", format!("make invoke EVENT=events/{FEEDBACK}.json")),
        ("a request of your own", own_request(functions.port)),
        (
            "let Twilio fail once",
            format!(
                r#"curl -sS --noproxy '*' {sandbox}/_sandbox/faults -d '{{"operation":"verify_create","fault":{{"status":503}},"times":1}}'"#
            ),
        ),
        (
            "with a policy: stop this first, then",
            "LOOKUP_FIELDS=sms_pumping_risk MAX_SMS_PUMPING_RISK=75 make dev".to_owned(),
        ),
        (
            "and a number that the policy refuses",
            "make invoke EVENT=events/telephony-policy-pumping-high.json".to_owned(),
        ),
        (
            "return messages from the dead-letter queue",
            format!(
                "make redrive FEEDBACK_QUEUE_URL={} AWS_ENDPOINT_URL={} AWS_DEFAULT_REGION={REGION} \
                 AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={ACCESS_KEY}",
                outside.queues.queue.url(),
                outside.aws_endpoint,
            ),
        ),
    ] {
        terminal.say(terminal.command(what, &command))?;
    }
    terminal.say(terminal.quiet("Below: the functions' log (metrics left out), the builds, and the phones."))
}

/// A command with only the fields that the hook requires.
fn own_request(port: u16) -> String {
    let body = r#"{"eventType":"com.okta.telephony.provider","data":{"messageProfile":{"phoneNumber":"+12025550123","otpCode":"123456","deliveryChannel":"SMS"}}}"#;
    format!(
        "curl -sS --noproxy '*' '{}/lambda-url/telephony-hook/telephony' -H 'auth_secret: {AUTH_SECRET}' -d '{body}'",
        functions::base_url(port)
    )
}

fn show_log(functions: &Functions, terminal: Terminal, over: &AtomicBool) -> Result<(), Error> {
    let hides_warnings = functions::hides_warnings();
    // Earlier lines are about the requests that started the functions.
    let mut position = functions.output.position();
    while !over.load(Ordering::Relaxed) {
        let lines = functions.output.wait_for(position, TICK, |_line| true);
        position += lines.len();
        for line in lines {
            match terminal::log_line(&line) {
                Some(log) if hides_warnings && log.get("level").is_some_and(|level| level == "WARN") => {}
                Some(log) => terminal.say(terminal.row("log", terminal::in_short(&log)))?,
                None if line.starts_with('{') => {}
                None => terminal.say(terminal.quiet(line))?,
            }
        }
    }
    Ok(())
}

fn show_messages(sandbox: &Sandbox, terminal: Terminal, over: &AtomicBool) -> Result<(), Error> {
    let mut shown = 0;
    while !over.load(Ordering::Relaxed) {
        sandbox.wait_until(TICK, |sandbox| sandbox.messages().len() > shown);
        for message in sandbox.messages().into_iter().skip(shown) {
            shown += 1;
            terminal.say(terminal::phone(terminal, &message))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_warning_of_both_functions_is_shown_once() {
        let line = |variable| json!({"variable": variable, "problem": "is unknown", "meant": "BLOCKED_COUNTRIES"});
        let both = [line("BLOKED_COUNTRIES"), line("COUNTRIES"), line("BLOKED_COUNTRIES"), line("COUNTRIES")];
        let shown = warnings(&both);
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown.contains("Warning: COUNTRIES: is unknown. Did you mean BLOCKED_COUNTRIES?"), "{shown:?}");
    }
}
