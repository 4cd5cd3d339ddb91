//! The time range of `--since` and `--until`.

use okta_twilio::time::clock::Timestamp;

/// A point in time: an age, or a time in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// Milliseconds before now.
    Ago(i64),
    At(Timestamp),
}

impl Bound {
    /// Reads `30m`, `2h`, `7d`, or a time such as `2026-11-25T14:00:00Z`.
    ///
    /// # Errors
    /// Fails for any other text.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "expected 30m, 2h, 7d, or a time such as 2026-11-25T14:00:00Z";
        if let Some(time) = Timestamp::parse(text) {
            return Ok(Self::At(time));
        }
        let minutes = match text.chars().last() {
            Some('m') => 1,
            Some('h') => 60,
            Some('d') => 24 * 60,
            _ => return Err(FORM),
        };
        let number = text.get(..text.len() - 1).unwrap_or_default();
        let count: i64 = number.parse().ok().filter(|count| (1..=10_000).contains(count)).ok_or(FORM)?;
        Ok(Self::Ago(count * minutes * 60_000))
    }

    /// The point in time.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(milliseconds) => Timestamp::from_millis(now.as_millis() - milliseconds),
            Self::At(time) => time,
        }
    }
}

/// A time range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

impl Range {
    /// The range with a margin: the events of a code can lie before and after its log line.
    pub(crate) fn wider(self) -> Self {
        const BEFORE: i64 = 60_000;
        // A code is valid for ten minutes, and feedback may come as late as that.
        const AFTER: i64 = 15 * 60_000;
        Self {
            since: Timestamp::from_millis(self.since.as_millis() - BEFORE),
            until: Timestamp::from_millis(self.until.as_millis() + AFTER),
        }
    }

    /// The range from the first to the last of these times. `None` if there are none.
    pub(crate) fn over(times: impl Iterator<Item = Timestamp>) -> Option<Self> {
        times.fold(None, |range, time| {
            Some(range.map_or(Self { since: time, until: time }, |Self { since, until }| Self {
                since: if time < since { time } else { since },
                until: if time > until { time } else { until },
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn bounds_are_ages_or_times() {
        let now = time("2026-11-25T14:00:00Z");
        for (text, at) in [
            ("30m", "2026-11-25T13:30:00Z"),
            ("2h", "2026-11-25T12:00:00Z"),
            ("7d", "2026-11-18T14:00:00Z"),
            ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00Z"),
        ] {
            assert_eq!(Bound::parse(text).unwrap().at(now), time(at), "{text}");
        }
        for text in ["", "h", "2", "-2h", "2w", "0h", "yesterday", "2é"] {
            assert!(Bound::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_goes_from_the_first_to_the_last_time() {
        let [first, middle, last] = ["2026-11-25T10:00:00Z", "2026-11-25T11:00:00Z", "2026-11-25T12:00:00Z"].map(time);
        assert_eq!(Range::over([middle, first, last].into_iter()), Some(Range { since: first, until: last }));
        assert_eq!(Range::over(std::iter::empty()), None);
    }
}
