//! `make demo`, `make dev`, `make invoke`, `make pause`, `make resume` and `make account`: both functions on this machine, between an
//! AWS emulator and the sandbox.
//!
//! It needs no account, and no request leaves 127.0.0.1. See `docs/local-stack.md`.

#![expect(clippy::print_stderr, reason = "a program for a person at a terminal")]

mod account;
mod child;
mod demo;
mod dev;
mod error;
mod events;
mod feedback;
mod functions;
mod http;
mod invoke;
mod output;
mod outside;
mod page;
mod pause;
mod request;
mod scene;
mod sending;
mod stories;
mod tally;
mod terminal;

use std::process::ExitCode;

use crate::{error::Error, invoke::Invocation, outside::Outside, terminal::Terminal};

/// The status of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run() {
        // The reader of the output has closed it, as with `make demo | head`.
        Ok(0) | Err(Error::NobodyReads) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(Error::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("local-stack: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the number of unexpected results.
fn run() -> Result<usize, Error> {
    const USAGE: &str = "say `demo`, `demo --all`, `dev`, `invoke FILE [--function NAME] [--port PORT]`, `pause NAMES`, `resume` or `account`; `make` does, from the top folder";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mode = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let terminal = Terminal::of_stdout();
    let (is_demo, shows_all) = match mode[..] {
        ["invoke", ref invocation @ ..] => {
            let invocation = Invocation::parse(invocation).ok_or(Error::Usage(USAGE))?;
            return invocation.run(terminal).map(|()| 0);
        }
        ["pause", names] => return pause::pause(names, terminal).map(|()| 0),
        ["resume"] => return pause::resume(terminal).map(|()| 0),
        ["demo"] => (true, false),
        ["demo", "--all"] => (true, true),
        ["dev"] => (false, false),
        ["account"] => {
            let (events, waiter) = events::channel();
            events.take_signals().map_err(Error::Signals)?;
            return account::run(&waiter, terminal).map(|()| 0);
        }
        _ => return Err(Error::Usage(USAGE)),
    };
    let (events, waiter) = events::channel();
    events.take_signals().map_err(Error::Signals)?;
    terminal.say(terminal.quiet("Starting the AWS emulator, the sandbox and the functions ..."))?;
    let outside = Outside::start(&events, &waiter)?;
    if is_demo {
        demo::run(&outside, &events, &waiter, terminal, shows_all)
    } else {
        dev::run(&outside, &events, &waiter, terminal).map(|()| 0)
    }
}
