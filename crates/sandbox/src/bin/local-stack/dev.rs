//! `make dev`: says what to type, then shows what the functions log and what the phones get, until Ctrl-C.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use sandbox::deployment::AUTH_SECRET;

use crate::{
    error::Error,
    events::Waiter,
    stack::Stack,
    terminal::{self, Terminal},
};

/// How soon the threads that show something notice the end.
const TICK: Duration = Duration::from_millis(200);

/// Keeps the stack running.
pub(crate) fn run(stack: &Stack, waiter: &Waiter, terminal: Terminal) -> Result<(), Error> {
    explain(stack, terminal);
    let over = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| show_log(stack, terminal, &over));
        threads.spawn(|| show_messages(stack, terminal, &over));
        let ended = waiter.until_interrupted();
        over.store(true, Ordering::Relaxed);
        ended
    })
}

fn explain(stack: &Stack, terminal: Terminal) {
    let port = stack.functions_port;
    let make_port = if port == 9000 { String::new() } else { format!(" PORT={port}") };
    println!("{}", terminal.title("The local stack is up; Ctrl-C ends it. In another terminal:"));
    for (what, command) in [
        (
            "Okta sends a recorded request",
            format!("make invoke EVENT=events/telephony-sms-mfa-verification.json{make_port}"),
        ),
        (
            "the same by hand",
            format!(
                ".tools/venv/bin/cargo-lambda lambda invoke telephony-hook --invoke-address 127.0.0.1 \
                 --invoke-port {port} --data-file events/telephony-sms-mfa-verification.json"
            ),
        ),
        (
            "a request of your own",
            format!(
                "curl -sS http://127.0.0.1:{port}/lambda-url/telephony-hook/telephony \
                 -H 'auth_secret: {AUTH_SECRET}' -d @body.json"
            ),
        ),
        ("the AWS emulator", format!("AWS_ENDPOINT_URL={}", stack.aws_url)),
    ] {
        println!("  {}\n    {command}", terminal.quiet(what));
    }
    println!("{}", terminal.quiet("Below: the functions' log (metrics left out), the builds, and the phones."));
}

fn show_log(stack: &Stack, terminal: Terminal, over: &AtomicBool) {
    let mut position = 0;
    while !over.load(Ordering::Relaxed) {
        let lines = stack.output.wait_for(position, TICK, |_line| true);
        position += lines.len();
        for line in lines {
            match terminal::log_line(&line) {
                Some(log) => println!(
                    "{}",
                    terminal.row("log", terminal::milliseconds(&log, "milliseconds"), terminal::in_short(&log))
                ),
                None if line.starts_with('{') => {}
                None => println!("{}", terminal.quiet(line)),
            }
        }
    }
}

fn show_messages(stack: &Stack, terminal: Terminal, over: &AtomicBool) {
    let mut shown = 0;
    while !over.load(Ordering::Relaxed) {
        stack.sandbox.wait_until(TICK, |sandbox| sandbox.messages().len() > shown);
        for message in stack.sandbox.messages().into_iter().skip(shown) {
            shown += 1;
            println!("{}", terminal::phone(terminal, &message));
        }
    }
}
