//! One deadline for everything that a request does.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::clock::Timestamp;

/// How old a gateway's time may be to be believed: Okta waits no longer than this, so an older one is a recorded
/// event or a clock that is off.
const BELIEVABLE_AGE_MS: i64 = 3_000;

/// The moment by which the answer must leave.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    started: Instant,
    at: Instant,
}

impl Deadline {
    /// Counts `budget` from the gateway's time of the request where that lies within the last 3 s, so that a cold
    /// start counts too; else from now.
    pub fn starting(budget: Duration, now: Timestamp, gateway_time: Option<Timestamp>) -> Self {
        let age_ms = gateway_time.map_or(0, |time| now.as_millis() - time.as_millis());
        let age = match u64::try_from(age_ms) {
            Ok(age) if age_ms <= BELIEVABLE_AGE_MS => Duration::from_millis(age),
            _ => Duration::ZERO,
        };
        let arrived = Instant::now();
        Self { started: arrived.checked_sub(age).unwrap_or(arrived), at: arrived + budget.saturating_sub(age) }
    }

    /// Ends at a given time of day, such as the end that Lambda sets for an invocation.
    pub fn until(end: Timestamp, now: Timestamp) -> Self {
        let left = u64::try_from(end.as_millis().saturating_sub(now.as_millis())).unwrap_or(0);
        let started = Instant::now();
        Self { started, at: started + Duration::from_millis(left) }
    }

    /// One that leaves time for the answer.
    #[must_use]
    pub fn earlier_by(self, margin: Duration) -> Self {
        Self { at: self.at.checked_sub(margin).unwrap_or(self.started).max(self.started), ..self }
    }

    /// What is left; zero once it is over.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// What is left, but no more than `most`.
    pub fn at_most(&self, most: Duration) -> Duration {
        self.remaining().min(most)
    }

    /// Since the request reached the gateway.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn remaining_after(gateway_age_ms: Option<i64>) -> u128 {
        let gateway = gateway_age_ms.map(|age| Timestamp::from_millis(NOW - age));
        let budget = Duration::from_millis(2_600);
        Deadline::starting(budget, Timestamp::from_millis(NOW), gateway).remaining().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_cold_start_counts() {
        assert_eq!(remaining_after(None), 2_600);
        assert_eq!(remaining_after(Some(0)), 2_600);
        assert_eq!(remaining_after(Some(400)), 2_200);
        assert_eq!(remaining_after(Some(2_900)), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unbelievable_time_does_not_count() {
        assert_eq!(remaining_after(Some(3_001)), 2_600);
        assert_eq!(remaining_after(Some(-50)), 2_600);
        assert_eq!(remaining_after(Some(NOW)), 2_600);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_may_be_given() {
        let left = |end| Deadline::until(Timestamp::from_millis(end), Timestamp::from_millis(NOW)).remaining();
        assert_eq!(left(NOW + 700), Duration::from_millis(700));
        assert_eq!(left(NOW - 1), Duration::ZERO);
        let deadline = Deadline::until(Timestamp::from_millis(NOW + 700), Timestamp::from_millis(NOW));
        assert_eq!(deadline.earlier_by(Duration::from_millis(200)).remaining(), Duration::from_millis(500));
        assert_eq!(deadline.earlier_by(Duration::from_secs(1)).remaining(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends() {
        let deadline = Deadline::starting(Duration::from_millis(100), Timestamp::from_millis(NOW), None);
        tokio::time::advance(Duration::from_millis(60)).await;
        assert_eq!(deadline.remaining(), Duration::from_millis(40));
        assert_eq!(deadline.at_most(Duration::from_millis(10)), Duration::from_millis(10));
        tokio::time::advance(Duration::from_millis(60)).await;
        assert_eq!(deadline.remaining(), Duration::ZERO);
        assert_eq!(deadline.elapsed(), Duration::from_millis(120));
    }
}
