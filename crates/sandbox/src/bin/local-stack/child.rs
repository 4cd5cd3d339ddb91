//! A child process that cannot outlive this one.
//!
//! The child leads a process group of its own, so that the terminal's Ctrl-C reaches only this process, which then
//! stops its children in order. If this process ends in any other way, even by a panic or SIGKILL, a guard (a `sh` that
//! reads from a pipe of this process) kills the group.

use std::{
    io::{BufRead as _, BufReader, Read},
    os::unix::process::CommandExt as _,
    process::{self, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use sandbox::guard::Guard;

use crate::{error::Error, events::Events, output::Output};

/// The time that a child may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(1);

/// A running child. Dropping it stops the child.
pub(crate) struct Child {
    pid: Pid,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    life: Mutex<Life>,
    changed: Condvar,
}

#[derive(Default)]
struct Life {
    /// Whether this process has started to stop the child.
    unwanted: bool,
    ended: bool,
}

impl Child {
    /// Starts `command`. Each line that it writes goes to `output`. If it ends without a request, `events` receives
    /// that.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        output: &Arc<Output>,
        events: &Events,
    ) -> Result<Self, Error> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|source| Error::Start { name, source })?;
        let pid = Pid::from_child(&child);
        let guard = Guard::start(child.id()).map_err(|source| Error::Start { name: "sh", source })?;
        let readers = [collect(child.stdout.take(), output), collect(child.stderr.take(), output)];
        let state = Arc::<State>::default();
        thread::spawn({
            let (state, output, events) = (Arc::clone(&state), Arc::clone(output), events.clone());
            move || {
                if let Some(status) = watch(child, guard, &state) {
                    wait_for_readers(&readers);
                    // A killed child leaves no message.
                    output.push(status);
                    events.child_ended(Error::ended(name, &output));
                }
            }
        });
        Ok(Self { pid, state })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        for signal in [Signal::TERM, Signal::KILL] {
            let mut life = self.state.lock();
            life.unwanted = true;
            if life.ended {
                return;
            }
            // An error can be ignored: the child is not reaped before `ended` is set.
            let _ = rustix::process::kill_process_group(self.pid, signal);
            let _life = self.state.changed.wait_timeout_while(life, GRACE, |life| !life.ended);
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the end of the child. Returns its exit status, unless this process stopped it.
fn watch(mut child: process::Child, guard: Guard, state: &State) -> Option<String> {
    let pid = WaitId::Pid(Pid::from_child(&child));
    // Wait without reaping. Until the child is reaped below, its id stays in use, and a signal cannot reach another
    // process.
    let _ = rustix::io::retry_on_intr(|| {
        rustix::process::waitid(pid.clone(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    });
    drop(guard);
    let mut life = state.lock();
    let status = child.wait();
    life.ended = true;
    let unwanted = life.unwanted;
    drop(life);
    state.changed.notify_all();
    (!unwanted).then(|| status.map_or_else(|error| error.to_string(), |status| status.to_string()))
}

/// Waits until the last output of a child is read. The wait is short, because a grandchild can keep the pipes open.
fn wait_for_readers(readers: &[Option<JoinHandle<()>>]) {
    let deadline = Instant::now() + GRACE;
    for reader in readers.iter().flatten() {
        while !reader.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Reads to the end, so that the child never blocks on a full pipe.
fn collect(stream: Option<impl Read + Send + 'static>, output: &Arc<Output>) -> Option<JoinHandle<()>> {
    let stream = stream?;
    let output = Arc::clone(output);
    Some(thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(stream.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            output.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events;

    const LIMIT: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// A child that has started, and its output.
    fn start(script: &str) -> (Child, Arc<Output>) {
        let (events, _waiter) = events::channel();
        let output = Arc::default();
        let child = Child::start("the child", shell(script), &output, &events).unwrap();
        output.wait_for(0, LIMIT, |line| line == "started");
        (child, output)
    }

    /// Whether every process that writes to the output ends within the limit, which ends the readers as well.
    fn is_over(output: &Arc<Output>) -> bool {
        let deadline = Instant::now() + LIMIT;
        while Arc::strong_count(output) > 1 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        Arc::strong_count(output) == 1
    }

    #[test]
    fn dropping_ends_the_child_and_what_it_has_started() {
        let (child, output) = start("sleep 600 & echo started; wait");
        drop(child);
        assert!(is_over(&output));
    }

    #[test]
    fn a_child_that_ignores_the_request_is_killed() {
        let (child, output) = start("trap '' TERM; echo started; while :; do sleep 600; done");
        drop(child);
        assert!(is_over(&output));
    }

    #[test]
    fn the_end_of_a_child_ends_a_wait_and_shows_what_it_wrote() {
        let (events, waiter) = events::channel();
        let output = Arc::default();
        let _child = Child::start("the child", shell("echo why; exit 3"), &output, &events).unwrap();
        let error = waiter.until_interrupted().unwrap_err();
        let Error::Ended { name, output } = error else { panic!("{error}") };
        assert_eq!((name, output.as_str()), ("the child", "why\nexit status: 3"));
    }
}
