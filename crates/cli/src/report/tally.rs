//! The sums of a report.

use std::collections::{BTreeMap, HashMap, HashSet};

use clap::ValueEnum;
use serde::{Serialize, Serializer};

use crate::report::attempt::{Attempt, Range};

/// Fewer attempts say nothing about a rate.
pub(super) const MIN_ATTEMPTS: u64 = 20;

/// Numbers that a range must have before its prefix is printed. With fewer, the prefix could name a person.
const MIN_NUMBERS: usize = 20;

/// An hour is unusual from this multiple of the usual number of attempts.
const UNUSUAL_HOUR: f64 = 5.0;

const SECONDS_OF_HOUR: i64 = 3_600;

/// What attempts are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Dimension {
    Country,
    Channel,
    Carrier,
    /// Hour of the day, in UTC
    Hour,
}

impl Dimension {
    pub(super) const ALL: [Self; 4] = [Self::Country, Self::Channel, Self::Carrier, Self::Hour];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Channel => "channel",
            Self::Carrier => "carrier",
            Self::Hour => "hour",
        }
    }

    fn key(self, attempt: &Attempt) -> String {
        match self {
            Self::Country => attempt.country.clone(),
            Self::Channel => attempt.channel.to_owned(),
            Self::Carrier => attempt.carrier.clone(),
            Self::Hour => format!("{:02}:00", attempt.at.as_secs().div_euclid(SECONDS_OF_HOUR).rem_euclid(24)),
        }
    }
}

/// The sums of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Tally {
    pub(super) attempts: u64,
    pub(super) converted: u64,
    pub(super) delivered: u64,
    pub(super) failed: u64,
    #[serde(serialize_with = "money")]
    pub(super) price: f64,
    #[serde(serialize_with = "money")]
    pub(super) unconverted_price: f64,
}

/// Ten thousandths: Twilio's prices have four digits.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn money<S: Serializer>(amount: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((amount * 10_000.0).round() / 10_000.0)
}

impl Tally {
    fn add(&mut self, attempt: &Attempt) {
        self.attempts += 1;
        self.converted += u64::from(attempt.is_converted);
        self.delivered += u64::from(attempt.is_delivered == Some(true));
        self.failed += u64::from(attempt.is_delivered == Some(false));
        self.price += attempt.price;
        if !attempt.is_converted {
            self.unconverted_price += attempt.price;
        }
    }

    /// The share of attempts that were reported as approved.
    pub(super) fn rate(&self) -> f64 {
        ratio(self.converted, self.attempts)
    }

    /// `None` if nothing was converted.
    pub(super) fn price_per_conversion(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        (self.converted > 0).then(|| self.price / self.converted as f64)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[derive(Default)]
struct RangeTally {
    country: String,
    tally: Tally,
    numbers: HashSet<u64>,
}

/// All sums, without a single number.
#[derive(Default)]
pub(super) struct Tallies {
    pub(super) total: Tally,
    groups: BTreeMap<Dimension, BTreeMap<String, Tally>>,
    hours: HashMap<(String, i64), u64>,
    ranges: HashMap<String, RangeTally>,
}

impl Tallies {
    pub(super) fn add(&mut self, attempt: Attempt) {
        self.total.add(&attempt);
        for dimension in Dimension::ALL {
            self.groups.entry(dimension).or_default().entry(dimension.key(&attempt)).or_default().add(&attempt);
        }
        let hour = attempt.at.as_secs().div_euclid(SECONDS_OF_HOUR);
        *self.hours.entry((attempt.country.clone(), hour)).or_default() += 1;
        if let Some(Range { prefix, number }) = &attempt.range {
            let range = self.ranges.entry(prefix.clone()).or_default();
            range.tally.add(&attempt);
            range.numbers.insert(*number);
            range.country = attempt.country;
        }
    }

    /// The groups of a dimension: hours in their order, all others by attempts.
    pub(super) fn groups(&self, dimension: Dimension) -> Vec<(&str, Tally)> {
        let groups = self.groups.get(&dimension).into_iter().flatten();
        let mut groups: Vec<_> = groups.map(|(key, tally)| (key.as_str(), *tally)).collect();
        if dimension != Dimension::Hour {
            groups.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.attempts));
        }
        groups
    }

    /// Whether any attempt was reported as approved. `None` if there are too few to say.
    pub(super) fn feedback_works(&self) -> Option<bool> {
        if self.total.converted > 0 {
            return Some(true);
        }
        (self.total.attempts >= MIN_ATTEMPTS).then_some(false)
    }

    /// Countries and ranges whose codes are rarely used: a third of the usual share, together with a reason to think of
    /// a machine. Without feedback, nothing can be said.
    pub(super) fn suspects(&self, hours: f64) -> Vec<Suspect> {
        if self.feedback_works() != Some(true) {
            return vec![];
        }
        let limit = self.usual_rate() / 3.0;
        let is_rarely_used = |tally: &Tally| tally.attempts >= MIN_ATTEMPTS && tally.rate() < limit;
        let ranges =
            self.ranges.iter().filter(|(_, range)| range.numbers.len() >= MIN_NUMBERS && is_rarely_used(&range.tally));
        let ranges = ranges.map(|(prefix, range)| Suspect {
            country: range.country.clone(),
            prefix: Some(format!("+{prefix}")),
            numbers: Some(range.numbers.len()),
            why: "many numbers of one range",
            tally: range.tally,
        });
        let countries = self.groups.get(&Dimension::Country).into_iter().flatten();
        let countries =
            countries.filter(|(country, tally)| is_rarely_used(tally) && self.has_unusual_hour(country, tally, hours));
        let countries = countries.map(|(country, tally)| Suspect {
            country: country.clone(),
            prefix: None,
            numbers: None,
            why: "an hour with five times the usual attempts",
            tally: *tally,
        });
        let mut suspects: Vec<_> = ranges.chain(countries).collect();
        suspects.sort_by(|one, other| {
            (other.tally.attempts, &one.country, &one.prefix).cmp(&(one.tally.attempts, &other.country, &other.prefix))
        });
        suspects
    }

    /// The median over the countries with enough attempts, or the share of all attempts.
    fn usual_rate(&self) -> f64 {
        let groups = self.groups(Dimension::Country);
        let mut rates: Vec<_> =
            groups.iter().filter(|(_, tally)| tally.attempts >= MIN_ATTEMPTS).map(|(_, tally)| tally.rate()).collect();
        rates.sort_by(f64::total_cmp);
        match rates.len() {
            // The median of two could be the suspect's own.
            0..=2 => self.total.rate(),
            length => rates.get(length / 2).copied().unwrap_or_default(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn has_unusual_hour(&self, country: &str, tally: &Tally, hours: f64) -> bool {
        let busiest = self.hours.iter().filter(|((of, _), _)| of == country).map(|(_, count)| *count).max();
        busiest
            .is_some_and(|count| count >= MIN_ATTEMPTS && count as f64 >= UNUSUAL_HOUR * tally.attempts as f64 / hours)
    }
}

/// A country or a range of numbers whose attempts are probably not people's.
#[derive(Debug, Serialize)]
pub(super) struct Suspect {
    pub(super) country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) numbers: Option<usize>,
    pub(super) why: &'static str,
    #[serde(flatten)]
    pub(super) tally: Tally,
}
