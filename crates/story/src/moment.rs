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

    /// Reads RFC 3339. `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(OffsetDateTime::parse(text, &Rfc3339).ok()?.into()))
    }

    /// From milliseconds since 1970.
    pub fn from_unix_millis(millis: i64) -> Self {
        let since_1970 = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
        Self(SystemTime::UNIX_EPOCH.checked_add(since_1970).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    /// The date: `2026-11-25`.
    pub fn date(self) -> String {
        OffsetDateTime::from(self.0).date().to_string()
    }

    /// The time of the day in UTC, to the millisecond: `14:02:11.204`.
    pub fn time_of_day(self) -> String {
        let time = OffsetDateTime::from(self.0);
        format!("{:02}:{:02}:{:02}.{:03}", time.hour(), time.minute(), time.second(), time.millisecond())
    }

    /// To the millisecond: `2026-11-25T14:02:11.204Z`.
    pub fn to_rfc3339_millis(self) -> String {
        format!("{}T{}Z", self.date(), self.time_of_day())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_it_was_read() {
        for text in ["2026-11-25T14:02:11.204Z", "2026-01-05T00:00:00.007Z"] {
            assert_eq!(Moment::parse(text).map(Moment::to_rfc3339_millis).as_deref(), Some(text));
        }
        let moment = Moment::from_unix_millis(1_643_406_514_321);
        assert_eq!((moment.date(), moment.time_of_day()), ("2022-01-28".to_owned(), "21:48:34.321".to_owned()));
        assert!(Moment::parse("yesterday").is_none());
    }
}
