//! The sandbox's clock, which tests can set forward.

pub use okta_twilio_story::Moment;
use std::time::{Duration, SystemTime};

/// The system's time plus the time by which the clock was set forward.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Duration,
}

impl Clock {
    pub(crate) fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that the sandbox injects everywhere")]
        let now = SystemTime::now();
        Moment::from(now.checked_add(self.ahead).unwrap_or(now))
    }

    /// The time by which the clock was set forward.
    pub(crate) fn ahead(&self) -> Duration {
        self.ahead
    }

    pub(crate) fn advance(&mut self, duration: Duration) {
        self.ahead = self.ahead.saturating_add(duration);
    }
}

/// The system's time since 1970, for the timestamps of Lambda and of the gateway.
pub(crate) fn unix_time() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "the function under test compares it with its own clock")]
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
