//! Lets a test that measures time run alone. Otherwise the other tests of its process, with their functions and
//! stand-ins, would compete for the CPU.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

static TESTS: Tests = Tests { running: Mutex::new(Running { deployments: 0, alone: None }), changed: Condvar::new() };

struct Tests {
    running: Mutex<Running>,
    changed: Condvar,
}

struct Running {
    /// The number of deployments, without those of the test that runs alone.
    deployments: usize,
    /// The thread of the test that runs alone.
    alone: Option<ThreadId>,
}

/// Waits until no other test of this process has a [`Deployment`](crate::deployment::Deployment), and keeps others from
/// starting one. Call it before the test starts its own deployment, on the same thread.
#[must_use = "the others go on when it is dropped"]
pub fn run_alone() -> Alone {
    let mut running = TESTS.wait_while(|running| running.deployments > 0 || running.alone.is_some());
    running.alone = Some(thread::current().id());
    Alone(())
}

/// Lets other tests run again when dropped.
pub struct Alone(());

impl Drop for Alone {
    fn drop(&mut self) {
        TESTS.change(|running| running.alone = None);
    }
}

/// Counts a deployment until it is dropped.
pub(crate) struct Shared {
    is_counted: bool,
}

impl Shared {
    /// Waits while another test runs alone.
    pub(crate) fn enter() -> Self {
        let this = thread::current().id();
        let mut running = TESTS.wait_while(|running| running.alone.is_some_and(|alone| alone != this));
        let is_counted = running.alone.is_none();
        running.deployments += usize::from(is_counted);
        Self { is_counted }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        TESTS.change(|running| running.deployments -= usize::from(self.is_counted));
    }
}

impl Tests {
    fn wait_while(&self, condition: impl Fn(&Running) -> bool) -> MutexGuard<'_, Running> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.wait_while(running, |running| condition(running)).unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Running)) {
        change(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Duration;

    #[test]
    fn a_test_that_runs_alone_waits_for_the_others_and_they_for_it() {
        const NOT_YET: Duration = Duration::from_millis(50);
        const PATIENCE: Duration = Duration::from_secs(10);
        let (events, seen) = mpsc::channel();
        let other = Shared::enter();
        drop(Shared::enter());
        let alone = thread::spawn({
            let events = events.clone();
            move || {
                let alone = run_alone();
                let _own = Shared::enter();
                events.send("alone").unwrap();
                thread::sleep(NOT_YET);
                events.send("not alone").unwrap();
                drop(alone);
            }
        });
        assert_eq!(seen.recv_timeout(NOT_YET), Err(RecvTimeoutError::Timeout));
        drop(other);
        assert_eq!(seen.recv_timeout(PATIENCE), Ok("alone"));
        let _next = Shared::enter();
        assert_eq!(seen.try_recv(), Ok("not alone"));
        alone.join().unwrap();
    }
}
