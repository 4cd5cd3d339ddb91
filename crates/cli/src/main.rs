//! `okta-twilio`: checks a set-up of the hooks, and explains why a user got no code.

mod arguments;
mod aws;
mod call;
mod doctor;
mod environment;
mod explain;
mod failure;
mod manual;
mod okta;
mod pause;
mod permissions;
mod plan;
mod redrive;
mod report;
mod rotate;
mod secret_fields;
mod setup;
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
    let environment = async || Environment::load(&arguments.target).await;
    match &arguments.command {
        Command::Doctor(options) if options.is_offline() => doctor::run_offline(options, *terminal).await,
        Command::Doctor(options) => doctor::run(options, &environment().await?, terminal).await,
        Command::Explain(options) => explain::run(options, &environment().await?, *terminal).await,
        Command::Pause(options) => pause::pause(options, &environment().await?, *terminal).await,
        Command::Resume(options) => pause::resume(options, &environment().await?, *terminal).await,
        Command::Redrive(options) => redrive::run(options, &environment().await?, *terminal).await,
        Command::Report(options) => report::run(options, &environment().await?, *terminal).await,
        Command::Rotate(options) => rotate::run(options, &environment().await?, *terminal).await,
        Command::Setup(options) => setup::run(options, &environment().await?, *terminal).await,
        Command::Teardown(options) => setup::teardown::run(options, &environment().await?, *terminal).await,
        Command::Permissions(options) => permissions::run(options, *terminal),
        Command::Completions { shell } => manual::completions(*shell, *terminal),
        Command::Man => manual::page(*terminal),
    }
}
