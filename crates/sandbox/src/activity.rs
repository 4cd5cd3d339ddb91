//! Lets tests wait for the effect of a request without sleeping.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The number of requests with a response.
#[derive(Default)]
pub(crate) struct Activity {
    requests: Mutex<u64>,
    changed: Condvar,
}

impl Activity {
    /// Records that a request has been handled.
    pub(crate) fn request_handled(&self) {
        *self.requests() += 1;
        self.changed.notify_all();
    }

    /// Waits until the condition holds. It is evaluated again after every request.
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
            // The loop above handles the timeout, after it has evaluated the condition once more.
            drop(self.changed.wait_timeout_while(self.requests(), left, |requests| *requests == seen));
        }
    }

    fn requests(&self) -> MutexGuard<'_, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
