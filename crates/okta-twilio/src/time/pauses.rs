//! Pauses between retries. They grow, so that many functions do not overload a service that is recovering.

use std::time::Duration;

use aws_lc_rs::rand;

/// The pauses between the tries of one request. Each base value is twice the one before, up to a maximum, and a random
/// part shortens each pause by up to half.
#[derive(Debug)]
pub struct Pauses {
    next: Duration,
    max: Duration,
    random: fn() -> u8,
}

impl Pauses {
    /// Begins with `first`. No pause is longer than `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        Self::by(random, first, max)
    }

    fn by(random: fn() -> u8, first: Duration, max: Duration) -> Self {
        Self { next: first, max, random }
    }

    /// The next pause.
    pub fn take(&mut self) -> Duration {
        let full = self.next.min(self.max);
        self.next = full.saturating_mul(2);
        let half = full / 2;
        half + half * u32::from((self.random)()) / u32::from(u8::MAX)
    }
}

/// A random number. Always the same number if the system has no randomness.
fn random() -> u8 {
    let mut byte = [0];
    // Without randomness the pauses still grow.
    let _ = rand::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(random: fn() -> u8) -> Vec<u128> {
        let mut pauses = Pauses::by(random, Duration::from_millis(50), Duration::from_millis(800));
        (0..6).map(|_| pauses.take().as_millis()).collect()
    }

    #[test]
    fn they_double_up_to_the_maximum_and_randomness_removes_up_to_half() {
        assert_eq!(pauses(|| u8::MAX), [50, 100, 200, 400, 800, 800]);
        assert_eq!(pauses(|| 0), [25, 50, 100, 200, 400, 400]);
    }

    #[test]
    fn functions_do_not_pause_in_step() {
        let all: std::collections::BTreeSet<_> = (0..100).map(|_| pauses(random)).collect();
        assert!(all.len() > 1);
    }
}
