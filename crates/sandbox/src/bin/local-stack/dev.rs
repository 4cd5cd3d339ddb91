//! `make dev`: says what to type, then shows what the functions log and what the phones get, until Ctrl-C.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use sandbox::{
    Sandbox,
    aws_emulator::{ACCESS_KEY, REGION},
    deployment::AUTH_SECRET,
};

use crate::{
    error::Error,
    events::{Events, Waiter},
    functions::{self, EVENT_HOOK, Functions, Mode, TELEPHONY_HOOK},
    outside::{Outside, TOOLS},
    page,
    terminal::{self, Terminal},
};

/// The recorded event that is named.
const EVENT: &str = "telephony-sms-mfa-verification";

/// How soon the threads that show something notice the end.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// Keeps the stack running.
pub(crate) fn run(outside: &Outside, events: &Events, waiter: &Waiter, terminal: Terminal) -> Result<(), Error> {
    let functions = Functions::start(&Mode::Watched, &[&TELEPHONY_HOOK, &EVENT_HOOK], outside, events, waiter)?;
    page::connect(&functions, &outside.sandbox);
    explain(&functions, outside, terminal);
    let over = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| show_log(&functions, terminal, &over));
        threads.spawn(|| page::feed(&functions, &outside.sandbox, &over));
        threads.spawn(|| show_messages(&outside.sandbox, terminal, &over));
        let ended = waiter.until_interrupted();
        over.store(true, Ordering::Relaxed);
        ended
    })
}

fn explain(functions: &Functions, outside: &Outside, terminal: Terminal) {
    let port = functions.port;
    let make_port = if port == functions::PORT { String::new() } else { format!(" PORT={port}") };
    let invoke_address = match functions::address() {
        IpAddr::V4(address) => format!(" --invoke-address {address}"),
        IpAddr::V6(_) => String::new(),
    };
    let invoke_port = if port == functions::PORT { String::new() } else { format!(" --invoke-port {port}") };
    let invoke_options = format!("{invoke_address}{invoke_port}");
    let sandbox = outside.sandbox.http_url();
    println!("{}  {}", terminal.title("See and send on the page"), outside.sandbox.page_url());
    println!("{}", terminal.title("The local stack is up; Ctrl-C ends it. In another terminal:"));
    for (what, command) in [
        ("Okta sends a recorded request", format!("make invoke EVENT=events/{EVENT}.json{make_port}")),
        (
            "the same by hand",
            format!(
                "{TOOLS}/cargo-lambda lambda invoke telephony-hook{invoke_options} --data-file events/{EVENT}.json"
            ),
        ),
        (
            "a request of your own",
            format!(
                "curl -sS '{}/lambda-url/telephony-hook/telephony' -H 'auth_secret: {AUTH_SECRET}' -d @body.json",
                functions::base_url(port)
            ),
        ),
        (
            "let Twilio fail once",
            format!(
                r#"curl -sS {sandbox}/_sandbox/faults -d '{{"operation":"verify_create","fault":{{"status":503}},"times":1}}'"#
            ),
        ),
        (
            "put back what the queue has given up",
            format!(
                "make redrive FEEDBACK_QUEUE_URL={} AWS_ENDPOINT_URL={} AWS_DEFAULT_REGION={} AWS_ACCESS_KEY_ID={} \
                 AWS_SECRET_ACCESS_KEY={}",
                outside.queues.queue.url(),
                outside.aws_endpoint,
                REGION,
                ACCESS_KEY,
                ACCESS_KEY
            ),
        ),
    ] {
        println!("  {}\n    {command}", terminal.quiet(what));
    }
    println!("{}", terminal.quiet("Below: the functions' log (metrics left out), the builds, and the phones."));
}

fn show_log(functions: &Functions, terminal: Terminal, over: &AtomicBool) {
    let mut position = 0;
    while !over.load(Ordering::Relaxed) {
        let lines = functions.output.wait_for(position, TICK, |_line| true);
        position += lines.len();
        for line in lines {
            match terminal::log_line(&line) {
                Some(log) => println!(
                    "{}",
                    terminal.row("log", terminal::milliseconds(&log, "duration_ms"), terminal::in_short(&log))
                ),
                None if line.starts_with('{') => {}
                None => println!("{}", terminal.quiet(line)),
            }
        }
    }
}

fn show_messages(sandbox: &Sandbox, terminal: Terminal, over: &AtomicBool) {
    let mut shown = 0;
    while !over.load(Ordering::Relaxed) {
        sandbox.wait_until(TICK, |sandbox| sandbox.messages().len() > shown);
        for message in sandbox.messages().into_iter().skip(shown) {
            shown += 1;
            println!("{}", terminal::phone(terminal, &message));
        }
    }
}
