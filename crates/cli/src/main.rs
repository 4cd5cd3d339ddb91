//! `okta-twilio`: checks a set-up of the hooks, and explains why a user got no code.

#![expect(dead_code, reason = "the commands that use the rest come with the next commits")]

mod arguments;
mod aws;
mod call;
mod doctor;
mod environment;
mod failure;
mod okta;
mod stack;
mod terminal;
mod twilio;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    arguments::{Arguments, Command},
    environment::Environment,
    failure::Failure,
    terminal::Terminal,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let terminal = Terminal::new(&arguments.output);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_io_error) => return Terminal::failed(&Failure::NoRuntime),
    };
    match runtime.block_on(run(&arguments, &terminal)) {
        Ok(status) => status,
        Err(failure) => Terminal::failed(&failure),
    }
}

async fn run(arguments: &Arguments, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let environment = Environment::load(&arguments.target).await?;
    match &arguments.command {
        Command::Doctor(options) => doctor::run(options, &environment, terminal).await,
    }
}
