//! A point in time whose age is never underestimated.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::clock::{Clock, Timestamp};

/// A point in time on two clocks: the process's monotonic clock and the wall clock.
///
/// Lambda freezes the process between invocations. In measurements, the monotonic clock continues during a freeze, but
/// AWS does not promise that. The wall clock always continues, but it can be set back. The age is the larger of the
/// two: a freeze always counts, and a changed wall clock can only make something look older.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    monotonic: Instant,
    time_of_day: Timestamp,
}

impl Moment {
    /// The current moment.
    pub fn now(clock: &Clock) -> Self {
        Self { monotonic: Instant::now(), time_of_day: clock.now() }
    }

    /// Its age by the clock that shows more.
    pub fn age(&self, clock: &Clock) -> Duration {
        let millis = clock.now().as_millis().saturating_sub(self.time_of_day.as_millis());
        let by_time_of_day = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        self.monotonic.elapsed().max(by_time_of_day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn clock_at(seconds: u64) -> Clock {
        Clock::fixed(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn the_older_of_both_ages_counts() {
        let moment = Moment::now(&clock_at(1_000));
        assert_eq!(moment.age(&clock_at(1_000)), Duration::ZERO);
        assert_eq!(moment.age(&clock_at(1_060)), Duration::from_secs(60), "the monotonic clock stood still");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(moment.age(&clock_at(900)), Duration::from_secs(5), "the time of day was set back");
    }
}
