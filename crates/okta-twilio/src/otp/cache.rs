//! A cache of Lookup data in a warm execution environment: the country and the line of a number, for an hour.
//!
//! A number's country and line type change rarely, and Twilio charges for each Lookup. Data that can change within
//! minutes is never cached: pumping risk (Twilio forbids it), SIM swap, line status and call forwarding. The numbers
//! are not stored either: the cache key is an HMAC with a random key of this process.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use aws_lc_rs::{
    hmac::{self, HMAC_SHA256},
    rand,
};
use tokio::time::Instant;

use crate::{phone::PhoneNumber, twilio::lookup::NumberFacts};

/// Maximum number of entries, each of about 300 bytes.
const CAPACITY: usize = 1_000;

/// Lifetime of an entry.
const TIME_TO_LIVE: Duration = Duration::from_secs(3_600);

type Fingerprint = [u8; 32];

/// The cached facts of numbers. Without a random key (the generator failed) it stores nothing.
pub(super) struct Cache {
    key: Option<hmac::Key>,
    entries: HashMap<Fingerprint, Entry>,
    /// Oldest first. An entry that was stored again occurs twice, and its time shows which one is current.
    order: VecDeque<(Fingerprint, Instant)>,
}

struct Entry {
    facts: NumberFacts,
    stored: Instant,
}

impl Default for Cache {
    fn default() -> Self {
        let mut key = [0; 32];
        let key = rand::fill(&mut key).is_ok().then(|| hmac::Key::new(HMAC_SHA256, &key));
        Self { key, entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl Cache {
    /// The cached facts of a number.
    pub(super) fn get(&self, number: &PhoneNumber) -> Option<NumberFacts> {
        let entry = self.entries.get(&self.fingerprint(number)?)?;
        (entry.stored.elapsed() < TIME_TO_LIVE).then(|| entry.facts.clone())
    }

    /// Stores the facts that are safe to cache.
    pub(super) fn insert(&mut self, number: &PhoneNumber, facts: &NumberFacts) {
        let Some(fingerprint) = self.fingerprint(number) else {
            return;
        };
        // The hour starts with Twilio's response, and not when the same facts are stored again with newer ones.
        if self.get(number).is_some_and(|kept| kept.line.is_some()) {
            return;
        }
        let facts = NumberFacts { country: facts.country, line: facts.line.clone(), ..NumberFacts::default() };
        let stored = Instant::now();
        while self.order.len() >= CAPACITY
            || self.order.front().is_some_and(|(_, stored)| stored.elapsed() >= TIME_TO_LIVE)
        {
            self.forget_oldest();
        }
        self.order.push_back((fingerprint, stored));
        self.entries.insert(fingerprint, Entry { facts, stored });
    }

    fn forget_oldest(&mut self) {
        if let Some((fingerprint, stored)) = self.order.pop_front() {
            // Remove the entry unless it has been stored again.
            if self.entries.get(&fingerprint).is_some_and(|entry| entry.stored == stored) {
                self.entries.remove(&fingerprint);
            }
        }
    }

    fn fingerprint(&self, number: &PhoneNumber) -> Option<Fingerprint> {
        let tag = hmac::sign(self.key.as_ref()?, number.expose().as_bytes());
        tag.as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        phone::{self, DialableNumber},
        twilio::lookup::{Line, LineType, SimSwap, SmsPumping},
    };

    fn number(index: usize) -> PhoneNumber {
        match phone::parse(&format!("+1202{index:07}")) {
            Ok((DialableNumber::International(number), Ok(None))) => number,
            other => panic!("{other:?}"),
        }
    }

    fn facts(line_type: LineType) -> NumberFacts {
        NumberFacts {
            country: "US".parse().ok(),
            line: Some(Line { line_type: Some(line_type), ..Line::default() }),
            sms_pumping: Some(SmsPumping { score: Some(95), blocked: true }),
            sim_swap: Some(SimSwap::Recently),
            line_is_inactive: Some(true),
            calls_are_forwarded: Some(true),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_country_and_line_only() {
        let mut cache = Cache::default();
        cache.insert(&number(1), &facts(LineType::Landline));
        let kept = cache.get(&number(1)).unwrap();
        let expected = NumberFacts {
            sms_pumping: None,
            sim_swap: None,
            line_is_inactive: None,
            calls_are_forwarded: None,
            ..facts(LineType::Landline)
        };
        assert_eq!(kept, expected);
        assert_eq!(cache.get(&number(2)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn forgets_after_an_hour_even_if_stored_again() {
        let mut cache = Cache::default();
        cache.insert(&number(1), &facts(LineType::Mobile));
        tokio::time::advance(Duration::from_millis(3_599_999)).await;
        cache.insert(&number(1), &facts(LineType::Mobile));
        assert!(cache.get(&number(1)).is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(cache.get(&number(1)).is_none());
        cache.insert(&number(2), &facts(LineType::Mobile));
        assert_eq!((cache.entries.len(), cache.order.len()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_is_added_to_a_country() {
        let mut cache = Cache::default();
        cache.insert(&number(1), &NumberFacts { line: None, ..facts(LineType::Mobile) });
        assert_eq!(cache.get(&number(1)).unwrap().line, None);
        tokio::time::advance(Duration::from_secs(1)).await;
        cache.insert(&number(1), &facts(LineType::Mobile));
        assert!(cache.get(&number(1)).unwrap().line.is_some());
        // The expiry of the first entry does not remove the second one.
        tokio::time::advance(Duration::from_secs(3_599)).await;
        cache.insert(&number(2), &facts(LineType::Mobile));
        assert!(cache.get(&number(1)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn is_bounded_in_number() {
        let mut cache = Cache::default();
        for index in 0..CAPACITY + 10 {
            cache.insert(&number(index), &facts(LineType::Mobile));
        }
        assert_eq!((cache.entries.len(), cache.order.len()), (CAPACITY, CAPACITY));
        assert!(cache.get(&number(9)).is_none() && cache.get(&number(10)).is_some());
    }

    #[test]
    fn each_instance_has_its_own_key() {
        let fingerprint = |cache: &Cache| cache.fingerprint(&number(1)).unwrap();
        let (one, other) = (Cache::default(), Cache::default());
        assert_eq!(fingerprint(&one), fingerprint(&one));
        assert_ne!(fingerprint(&one), fingerprint(&other));
    }
}
