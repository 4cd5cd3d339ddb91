//! The sandbox's clock, which tests can set forward, and the format of its times.

use serde::{Serialize, Serializer};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment of the sandbox's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(SystemTime);

impl Moment {
    /// The moment as a [`SystemTime`].
    pub fn time(self) -> SystemTime {
        self.0
    }

    /// The time since `earlier`; zero if `earlier` is in the future.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0).unwrap_or_default()
    }

    pub(crate) fn earlier_by(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    pub(crate) fn later(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(self.0))
    }

    /// To the second, as Twilio writes it: `2015-07-30T20:00:00Z`.
    pub(crate) fn to_iso_8601(self) -> String {
        let whole_seconds = OffsetDateTime::from(self.0).replace_nanosecond(0);
        whole_seconds.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_iso_8601())
    }
}

/// The system's time plus the time by which the clock was set forward.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Duration,
}

impl Clock {
    pub(crate) fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that the sandbox injects everywhere")]
        let now = SystemTime::now();
        Moment(now.checked_add(self.ahead).unwrap_or(now))
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
