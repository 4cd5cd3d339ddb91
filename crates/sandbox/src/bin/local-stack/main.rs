//! `make demo` and `make dev`: both functions on this machine, between an AWS emulator and the sandbox.
//!
//! Nothing of it needs an account or leaves 127.0.0.1. See `docs/local-stack.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a person at a terminal")]

mod child;
mod demo;
mod dev;
mod error;
mod events;
mod feedback;
mod functions;
mod http;
mod output;
mod outside;
mod page;
mod request;
mod scene;
mod sending;
mod terminal;

use std::process::ExitCode;

use crate::{error::Error, outside::Outside, terminal::Terminal};

/// The status of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(Error::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("local-stack: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns how much did not end as expected.
fn run() -> Result<usize, Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mode = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let is_demo = match mode[..] {
        ["demo"] => true,
        ["dev"] => false,
        _ => return Err(Error::Usage("say `demo` or `dev`; `make demo` and `make dev` do, from the top folder")),
    };
    let terminal = Terminal::of_stdout();
    let (events, waiter) = events::channel();
    events.take_signals().map_err(Error::Signals)?;
    println!("{}", terminal.quiet("Starting the AWS emulator, the sandbox and the functions ..."));
    let outside = Outside::start(&events, &waiter)?;
    if is_demo {
        demo::run(&outside, &events, &waiter, terminal)
    } else {
        dev::run(&outside, &events, &waiter, terminal).map(|()| 0)
    }
}
