//! A moment, and the format in which Twilio and the page write it.

use serde::{Serialize, Serializer};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment of the system's clock, or of the sandbox's.
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

    /// The moment before this one by `duration`.
    #[must_use]
    pub fn earlier_by(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    /// The moment after this one by `duration`.
    #[must_use]
    pub fn later(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(self.0))
    }

    /// To the second, as Twilio writes it: `2015-07-30T20:00:00Z`.
    pub fn to_iso_8601(self) -> String {
        let whole_seconds = OffsetDateTime::from(self.0).replace_nanosecond(0);
        whole_seconds.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_iso_8601())
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self(time)
    }
}
