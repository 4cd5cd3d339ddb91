//! Pauses between tries that grow, so that many functions at once do not keep a service down that has just begun to
//! recover.

use std::time::Duration;

use aws_lc_rs::rand;

/// The pauses between the tries of one request: each up to twice as long as the one before it, and chance shortens it by
/// up to a half.
#[derive(Debug)]
pub struct Pauses {
    next: Duration,
    longest: Duration,
    chance: fn() -> u8,
}

impl Pauses {
    /// Begins with `first`; none is longer than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self::by(chance, first, longest)
    }

    fn by(chance: fn() -> u8, first: Duration, longest: Duration) -> Self {
        Self { next: first, longest, chance }
    }

    /// The next pause.
    pub fn take(&mut self) -> Duration {
        let full = self.next.min(self.longest);
        self.next = full.saturating_mul(2);
        let half = full / 2;
        half + half * u32::from((self.chance)()) / u32::from(u8::MAX)
    }
}

/// Any number; where the system has no chance to give, always the same one.
fn chance() -> u8 {
    let mut byte = [0];
    // Without it the pauses still grow.
    let _ = rand::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(chance: fn() -> u8) -> Vec<u128> {
        let mut pauses = Pauses::by(chance, Duration::from_millis(50), Duration::from_millis(800));
        (0..6).map(|_| pauses.take().as_millis()).collect()
    }

    #[test]
    fn they_double_up_to_the_longest_and_chance_takes_up_to_a_half() {
        assert_eq!(pauses(|| u8::MAX), [50, 100, 200, 400, 800, 800]);
        assert_eq!(pauses(|| 0), [25, 50, 100, 200, 400, 400]);
    }

    #[test]
    fn no_two_functions_keep_step() {
        let all: std::collections::BTreeSet<_> = (0..100).map(|_| pauses(chance)).collect();
        assert!(all.len() > 1);
    }
}
