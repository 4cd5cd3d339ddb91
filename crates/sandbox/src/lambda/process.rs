//! One process of a function: its start and its end.

use std::{
    os::unix::process::CommandExt as _,
    process::Child,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

use rustix::process::{Pid, WaitId, WaitIdOptions};

use super::{builder::Builder, environment::Environment, invocation::Outcome, output::Output, runtime_api};
use crate::{guard::Guard, loopback::Server};

/// A process with a Runtime API of its own, so that a late request from an earlier process cannot take its invocations.
pub(super) struct Process {
    pub(super) environment: Arc<Environment>,
    watcher: Option<JoinHandle<()>>,
    _server: Server,
}

impl Process {
    pub(super) fn start(settings: &Builder, output: &Output) -> Self {
        let environment = Arc::new(Environment::of_function(&settings.name));
        let server = Server::start(runtime_api::router(Arc::clone(&environment)));
        let mut command = settings.command(&server.address().to_string());
        command.process_group(0);
        command.stdout(output.stdout.try_clone().expect("a handle for stdout"));
        command.stderr(output.stderr.try_clone().expect("a handle for stderr"));
        let child = {
            // Locked during the start, so that the first request finds the start time.
            let mut state = environment.lock();
            state.started = Some(Instant::now());
            let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", settings.program.display()));
            state.pid = Some(Pid::from_child(&child));
            child
        };
        let guard = Guard::start(child.id()).expect("sh");
        let watcher = thread::spawn({
            let environment = Arc::clone(&environment);
            move || watch(child, guard, &environment)
        });
        Self { environment, watcher: Some(watcher), _server: server }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.environment.kill();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

/// Waits for the end of the process and notifies the waiting callers.
fn watch(mut child: Child, guard: Guard, environment: &Environment) {
    let pid = WaitId::Pid(Pid::from_child(&child));
    // Wait without reaping. Until the process is reaped below, its id stays in use, and a signal cannot reach another
    // process.
    rustix::io::retry_on_intr(|| rustix::process::waitid(pid.clone(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT))
        .expect("to wait for the function");
    drop(guard);
    let mut state = environment.lock();
    state.exit = Some(child.wait().expect("the function's exit status"));
    state.pid = None;
    if let Some(running) = state.running.take() {
        running.finish(Outcome::Crashed);
    }
    drop(state);
    environment.changed.notify_all();
}
