//! Lets tests wait for what requests bring about, instead of sleeping.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts the requests that were answered.
#[derive(Default)]
pub(crate) struct Activity {
    requests: Mutex<u64>,
    changed: Condvar,
}

impl Activity {
    /// A request was answered and remembered.
    pub(crate) fn request_handled(&self) {
        *self.requests() += 1;
        self.changed.notify_all();
    }

    /// Waits until the condition holds, which is tried again after every request.
    pub(crate) fn wait_until(&self, limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            let seen = *self.requests();
            if condition() {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // A time-out is noticed above, after one more look.
            drop(self.changed.wait_timeout_while(self.requests(), left, |requests| *requests == seen));
        }
    }

    fn requests(&self) -> MutexGuard<'_, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
