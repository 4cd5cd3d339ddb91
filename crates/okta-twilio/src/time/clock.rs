//! Injected time. The wall clock is here. Durations use `tokio::time`, which tests can pause.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
    time::SystemTime,
};

use aws_smithy_types::{DateTime, date_time::Format};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The source of the wall clock time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
        Self(Arc::new(SystemTime::now))
    }

    /// A clock that does not move, for tests.
    pub fn fixed(now: SystemTime) -> Self {
        Self(Arc::new(move || now))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        Timestamp(DateTime::from((self.0)()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

/// A point in time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Timestamp(DateTime);

impl Timestamp {
    /// Parses RFC 3339, such as Okta's `2026-11-23T21:43:40.000Z`. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::from_str(text.trim(), Format::DateTimeWithOffset).ok().map(Self)
    }

    /// Parses the date of an HTTP header, such as `Mon, 23 Nov 2026 21:43:40 GMT`. Returns `None` for any other text.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        DateTime::from_str(text.trim(), Format::HttpDate).ok().map(Self)
    }

    /// From milliseconds since 1970, the unit of the gateway and of EMF.
    pub fn from_millis(millis: i64) -> Self {
        Self(DateTime::from_millis(millis))
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0.to_millis().unwrap_or_default()
    }

    /// Seconds since 1970.
    pub fn as_secs(self) -> i64 {
        self.0.secs()
    }

    /// RFC 3339, always with three digits of milliseconds: `2026-11-23T21:43:40.520Z`.
    pub fn to_rfc3339(self) -> String {
        let mut text = self.to_rfc3339_seconds();
        if text.pop().is_some() {
            // In the same allocation. Writing to a text cannot fail.
            let _ = write!(text, ".{:03}Z", self.as_millis().rem_euclid(1_000));
        }
        text
    }

    /// RFC 3339 in whole seconds, rounded down: `2026-11-23T21:43:40Z`.
    pub fn to_rfc3339_seconds(self) -> String {
        DateTime::from_secs(self.as_millis().div_euclid(1_000)).fmt(Format::DateTime).unwrap_or_default()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no time in RFC 3339"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339() {
        let time = Timestamp::parse("2022-01-28T21:48:34.321Z").unwrap();
        assert_eq!(time.as_millis(), 1_643_406_514_321);
        assert_eq!(time.to_rfc3339(), "2022-01-28T21:48:34.321Z");
        assert_eq!(Timestamp::parse("2022-01-28T23:48:34.321+02:00"), Some(time));
        assert_eq!(Timestamp::from_millis(1_643_406_514_321), time);
        assert!(Timestamp::parse("yesterday").is_none());
    }

    #[test]
    fn milliseconds_have_three_digits_and_whole_seconds_none() {
        for millis in ["000", "007", "050", "500", "520", "999"] {
            let text = format!("2026-11-25T14:02:11.{millis}Z");
            let time = Timestamp::parse(&text).unwrap();
            assert_eq!(time.to_rfc3339(), text);
            assert_eq!(serde_json::to_value(time).unwrap(), text);
            assert_eq!(time.to_rfc3339_seconds(), "2026-11-25T14:02:11Z");
        }
        let before_1970 = Timestamp::from_millis(-1);
        assert_eq!(before_1970.to_rfc3339(), "1969-12-31T23:59:59.999Z");
        assert_eq!(before_1970.to_rfc3339_seconds(), "1969-12-31T23:59:59Z");
    }
}
