//! One deadline for all the work of a request.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::clock::Timestamp;

/// The response must leave within this time after the request reached the gateway, so that Okta still waits for it.
const RESPONSE_LIMIT: Duration = Duration::from_millis(2_850);

/// How long Okta waits for a response.
const OKTA_TIMEOUT: Duration = Duration::from_secs(3);

/// A gateway time older than this comes from a recorded event or a wrong clock.
const MAX_REQUEST_AGE: Duration = Duration::from_secs(30);

/// The time by which the response must leave.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    started: Instant,
    at: Instant,
    /// The latest time by which the response must leave, independent of the budget.
    last: Instant,
}

impl Deadline {
    /// Counts `budget` from the gateway's time if that lies within the last 3 s, so that a cold start counts too.
    /// Otherwise counts from now.
    pub fn starting(budget: Duration, now: Timestamp, gateway_time: Option<Timestamp>) -> Self {
        let age = age(now, gateway_time).filter(|age| *age <= OKTA_TIMEOUT).unwrap_or_default();
        Self::starting_ago(age, budget)
    }

    /// Like [`starting`](Self::starting), but expires at once if Okta has given up: the gateway's time lies 3 s to 30 s
    /// back.
    pub fn while_okta_waits(budget: Duration, now: Timestamp, gateway_time: Option<Timestamp>) -> Self {
        match age(now, gateway_time) {
            Some(age) if age > OKTA_TIMEOUT && age <= MAX_REQUEST_AGE => Self::starting_ago(age, Duration::ZERO),
            _ => Self::starting(budget, now, gateway_time),
        }
    }

    fn starting_ago(age: Duration, budget: Duration) -> Self {
        let arrived = Instant::now();
        let started = arrived.checked_sub(age).unwrap_or(arrived);
        Self { started, at: arrived + budget.saturating_sub(age), last: started + RESPONSE_LIMIT }
    }

    /// Ends at a given time, such as the end of a Lambda invocation.
    pub fn until(end: Timestamp, now: Timestamp) -> Self {
        let left = u64::try_from(end.as_millis().saturating_sub(now.as_millis())).unwrap_or(0);
        let started = Instant::now();
        let at = started + Duration::from_millis(left);
        Self { started, at, last: at }
    }

    /// The earlier of this deadline and the end of the Lambda invocation, with `margin` reserved for the response. A
    /// local emulator may set an end in the past, which is ignored.
    #[must_use]
    pub fn before_end(self, end: Timestamp, now: Timestamp, margin: Duration) -> Self {
        if end <= now {
            return self;
        }
        let end = Self::until(end, now).earlier_by(margin);
        Self { at: self.at.min(end.at), last: self.last.min(end.at), ..self }
    }

    /// A deadline that ends after `max` at the latest.
    #[must_use]
    pub fn within(self, max: Duration) -> Self {
        Self { at: self.at.min(Instant::now() + max), ..self }
    }

    /// A deadline that ends earlier by `margin`, to leave time for the response.
    #[must_use]
    pub fn earlier_by(self, margin: Duration) -> Self {
        Self { at: self.at.checked_sub(margin).unwrap_or(self.started).max(self.started), ..self }
    }

    /// The remaining time. Zero after the deadline.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The remaining time, but at most `max`.
    pub fn remaining_up_to(&self, max: Duration) -> Duration {
        self.remaining().min(max)
    }

    /// The time for work that must happen even if the budget is used up. It is at most `max` and at least `min`, but
    /// never passes the time by which the response must leave.
    pub fn for_required_work(&self, min: Duration, max: Duration) -> Duration {
        self.remaining_up_to(max).max(min).min(self.last.saturating_duration_since(Instant::now()))
    }

    /// Time since the request reached the gateway.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// How long ago the gateway received the request. `None` if the time is missing or in the future.
fn age(now: Timestamp, gateway_time: Option<Timestamp>) -> Option<Duration> {
    let age = now.as_millis().checked_sub(gateway_time?.as_millis())?;
    u64::try_from(age).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn remaining_after(gateway_age_ms: Option<i64>) -> u128 {
        let gateway = gateway_age_ms.map(|age| Timestamp::from_millis(NOW_MS - age));
        let budget = Duration::from_millis(2_600);
        Deadline::starting(budget, Timestamp::from_millis(NOW_MS), gateway).remaining().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_cold_start_counts() {
        assert_eq!(remaining_after(None), 2_600);
        assert_eq!(remaining_after(Some(0)), 2_600);
        assert_eq!(remaining_after(Some(400)), 2_200);
        assert_eq!(remaining_after(Some(2_900)), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_implausible_time_does_not_count() {
        assert_eq!(remaining_after(Some(3_001)), 2_600);
        assert_eq!(remaining_after(Some(-50)), 2_600);
        assert_eq!(remaining_after(Some(NOW_MS)), 2_600);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_okta_has_given_up_is_over() {
        let remaining = |age_ms: i64| {
            let gateway = Some(Timestamp::from_millis(NOW_MS - age_ms));
            let budget = Duration::from_millis(2_600);
            Deadline::while_okta_waits(budget, Timestamp::from_millis(NOW_MS), gateway).remaining().as_millis()
        };
        for (age_ms, expected) in
            [(0, 2_600), (400, 2_200), (2_900, 0), (3_000, 0), (3_001, 0), (5_000, 0), (30_000, 0)]
        {
            assert_eq!(remaining(age_ms), expected, "{age_ms}");
        }
        for age_ms in [30_001, 3_600_000, NOW_MS, -1, -5_000, i64::MIN / 2] {
            assert_eq!(remaining(age_ms), 2_600, "counted from arrival: {age_ms}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lambdas_end_counts_if_it_is_earlier() {
        let (now, margin) = (Timestamp::from_millis(NOW_MS), Duration::from_millis(100));
        let deadline = Deadline::starting(Duration::from_millis(2_600), now, None);
        for (end, expected) in
            [(NOW_MS + 1_500, 1_400), (NOW_MS + 10_000, 2_600), (NOW_MS + 50, 0), (NOW_MS, 2_600), (600_000, 2_600)]
        {
            let remaining = deadline.before_end(Timestamp::from_millis(end), now, margin).remaining();
            assert_eq!(remaining.as_millis(), expected, "{end}");
        }
        assert_eq!(deadline.within(Duration::from_millis(400)).remaining().as_millis(), 400);
        assert_eq!(deadline.within(Duration::from_secs(5)).remaining().as_millis(), 2_600);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_can_have_a_given_end() {
        let left = |end| Deadline::until(Timestamp::from_millis(end), Timestamp::from_millis(NOW_MS)).remaining();
        assert_eq!(left(NOW_MS + 700), Duration::from_millis(700));
        assert_eq!(left(NOW_MS - 1), Duration::ZERO);
        let deadline = Deadline::until(Timestamp::from_millis(NOW_MS + 700), Timestamp::from_millis(NOW_MS));
        assert_eq!(deadline.earlier_by(Duration::from_millis(200)).remaining(), Duration::from_millis(500));
        assert_eq!(deadline.earlier_by(Duration::from_secs(1)).remaining(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn required_work_has_time_until_the_last_moment() {
        let (min, max) = (Duration::from_millis(150), Duration::from_millis(300));
        let now = Timestamp::from_millis(NOW_MS);
        let left = |age: i64, end: Option<i64>| {
            let gateway = Some(Timestamp::from_millis(NOW_MS - age));
            let deadline = Deadline::starting(Duration::from_millis(2_600), now, gateway);
            let end = end.map_or(now, |end| Timestamp::from_millis(NOW_MS + end));
            deadline.before_end(end, now, Duration::from_millis(100)).for_required_work(min, max).as_millis()
        };
        assert_eq!(left(0, None), 300);
        assert_eq!(left(2_400, None), 200, "what the budget has left");
        assert_eq!(left(2_590, None), 150, "the least");
        assert_eq!(left(2_650, None), 150, "the least, where the budget has passed");
        assert_eq!(left(2_800, None), 50, "until the last moment");
        assert_eq!(left(2_900, None), 0);
        assert_eq!(left(0, Some(180)), 80, "Lambda ends the invocation before");
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_end_earlier() {
        let deadline = Deadline::starting(Duration::from_millis(100), Timestamp::from_millis(NOW_MS), None);
        assert_eq!(deadline.within(Duration::from_millis(60)).remaining(), Duration::from_millis(60));
        assert_eq!(deadline.within(Duration::from_millis(160)).remaining(), Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends() {
        let deadline = Deadline::starting(Duration::from_millis(100), Timestamp::from_millis(NOW_MS), None);
        tokio::time::advance(Duration::from_millis(60)).await;
        assert_eq!(deadline.remaining(), Duration::from_millis(40));
        assert_eq!(deadline.remaining_up_to(Duration::from_millis(10)), Duration::from_millis(10));
        tokio::time::advance(Duration::from_millis(60)).await;
        assert_eq!(deadline.remaining(), Duration::ZERO);
        assert_eq!(deadline.elapsed(), Duration::from_millis(120));
    }
}
