//! Completions and the manual page, made from the command line's own definition.

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::{arguments::Arguments, failure::Failure, terminal::Terminal};

/// Prints the completions for a shell.
///
/// # Errors
/// Fails if standard output cannot be written.
pub(crate) fn completions(shell: clap_complete::Shell, terminal: Terminal) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "okta-twilio", &mut script);
    print(script, terminal)
}

/// Prints the manual page of the program and of each command.
///
/// # Errors
/// Fails if standard output cannot be written.
pub(crate) fn page(terminal: Terminal) -> Result<ExitCode, Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut pages = Vec::new();
    for part in std::iter::once(&command).chain(command.get_subcommands()) {
        clap_mangen::Man::new(part.clone()).render(&mut pages).map_err(|_io_error| Failure::Output)?;
    }
    print(pages, terminal)
}

fn print(text: Vec<u8>, terminal: Terminal) -> Result<ExitCode, Failure> {
    let text = String::from_utf8(text).map_err(|_not_utf8| Failure::Output)?;
    terminal.print(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
