//! The data about a number before a code is sent: from Twilio Lookup, with its own timeout, or from the cache.
//!
//! Lookup fails open. If it refuses or does not respond in time, the send continues without it, and the log event
//! `lookup_failed` and the metric `LookupFailures` report that. Only a national number requires Lookup, because nothing
//! else can complete it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use url::Url;

use super::cache::Cache;
use crate::{
    config::{ConfigError, Variables, default_url},
    phone::{CountryCode, DialableNumber, PhoneNumber},
    reason::Reason,
    telemetry::{Log, LogEvent, LookupFailure},
    time::deadline::Deadline,
    twilio::{
        client::{TwilioClient, TwilioError},
        lookup::{LookupClient, LookupResponse, NumberFacts, Package, Packages, advice_on, reason_of},
    },
};

/// Time reserved for Verify, whatever Lookup does. Verify's responses take about 200 to 400 ms.
const LEFT_FOR_VERIFY: Duration = Duration::from_millis(500);

/// Lookup is skipped if less time than this is left, because it could not respond.
const MIN_TIME: Duration = Duration::from_millis(50);

/// The configuration of Lookup.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupConfig {
    /// `LOOKUP_FIELDS` (none): `basic` or packages.
    pub packages: Packages,
    /// `LOOKUP_TIMEOUT_MS` (700): after this time, the send continues without Lookup.
    pub timeout: Duration,
    /// `DEFAULT_COUNTRY` (none): completes national numbers.
    pub default_country: Option<CountryCode>,
    /// `TWILIO_LOOKUP_URL` (`https://lookups.twilio.com`).
    pub url: Url,
}

impl LookupConfig {
    /// Reads the variables for Lookup. Returns `None` if `LOOKUP_FIELDS` is not set, because Lookup is then never used.
    ///
    /// # Errors
    /// Fails at the first invalid variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Option<Self>, ConfigError> {
        let timeout_help = ("must be a number of milliseconds from 50 to 2000", "700");
        let timeout = variables.number("LOOKUP_TIMEOUT_MS", timeout_help, 50..=2_000, 700)?;
        let country_help = ("must be a country code of two letters (ISO 3166-1 alpha-2)", "US");
        let default_country = variables.read("DEFAULT_COUNTRY", country_help, |text| text.parse().ok())?;
        let url = variables.base_url("TWILIO_LOOKUP_URL", "https://lookups.twilio.com")?;
        let Some(packages) = packages(variables)? else {
            return match default_country {
                Some(_) => Err(ConfigError::new(
                    "LOOKUP_FIELDS",
                    "must be set, because DEFAULT_COUNTRY needs Lookup (basic is free)",
                    "basic",
                )),
                None => Ok(None),
            };
        };
        let url = url.map_or_else(|| default_url("https://lookups.twilio.com"), Ok)?;
        Ok(Some(Self { packages, timeout: Duration::from_millis(timeout), default_country, url }))
    }
}

/// `basic` adds nothing to packages, because every Lookup includes it.
fn packages(variables: &Variables<'_>) -> Result<Option<Packages>, ConfigError> {
    const VARIABLE: &str = "LOOKUP_FIELDS";
    const EXAMPLE: &str = "line_type_intelligence,sms_pumping_risk";
    let Some(value) = variables.optional(VARIABLE) else {
        return Ok(None);
    };
    let mut packages = Packages::new();
    for name in value.split(',').map(str::trim) {
        if name == "basic" {
            continue;
        }
        let package = Package::parse(name).ok_or_else(|| ConfigError::new(VARIABLE, problem_with(name), EXAMPLE))?;
        packages.insert(package);
    }
    Ok(Some(packages))
}

/// Why a name is rejected. Twilio sells more packages than a decision about sending can use.
fn problem_with(name: &str) -> &'static str {
    match name {
        "reassigned_number" => "cannot have reassigned_number: it needs a date of consent, which Okta does not send",
        "phone_number_quality_score" => {
            "cannot have phone_number_quality_score: Twilio documents no values for a decision; use sms_pumping_risk"
        }
        "caller_name" | "identity_match" | "pre_fill" => {
            "cannot have caller_name, identity_match or pre_fill: they describe the person, not the delivery"
        }
        "validation" => "cannot have validation: write basic",
        _ => {
            "must be basic, or packages of line_type_intelligence, sms_pumping_risk, sim_swap, line_status, \
             call_forwarding"
        }
    }
}

/// Looks numbers up.
#[derive(Clone)]
pub struct NumberLookup {
    config: LookupConfig,
    client: LookupClient,
    cache: Arc<Mutex<Cache>>,
}

impl fmt::Debug for NumberLookup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NumberLookup").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The result of a lookup.
pub struct LookedUp {
    /// The data about the number.
    pub number: KnownNumber,
    /// The request to Lookup, if there was one.
    pub usage: Option<LookupUsage>,
}

/// The data about a number.
#[derive(Debug)]
pub enum KnownNumber {
    /// The number is impossible.
    Invalid,
    /// The number is possible.
    Valid {
        /// In E.164 form.
        number: PhoneNumber,
        /// The data from Lookup.
        facts: NumberFacts,
    },
    /// Lookup failed.
    Unknown,
}

/// A request to Lookup, for metrics.
#[derive(Debug)]
pub struct LookupUsage {
    /// The time spent on it, for all attempts.
    pub latency: Duration,
    /// The requested packages. Empty for the free check.
    pub packages: Packages,
    /// Why there is no response.
    pub failure: Option<Reason>,
}

impl LookupUsage {
    /// The requested packages by Twilio's names, or `basic`, which is free. Empty if no request was sent.
    pub fn asked(&self) -> Vec<&'static str> {
        if matches!(self.failure, Some(Reason::OutOfTime | Reason::TwilioUnreachable)) {
            Vec::new()
        } else if self.packages.is_empty() {
            vec!["basic"]
        } else {
            self.packages.iter().map(|package| package.as_str()).collect()
        }
    }
}

impl NumberLookup {
    /// Creates a client with this configuration.
    pub fn new(config: LookupConfig, twilio: TwilioClient) -> Self {
        let client = LookupClient::new(twilio, config.url.clone());
        Self { config, client, cache: Arc::default() }
    }

    /// The configured packages.
    pub fn packages(&self) -> &Packages {
        &self.config.packages
    }

    /// Whether it can complete national numbers.
    pub fn completes_national_numbers(&self) -> bool {
        self.config.default_country.is_some()
    }

    /// Looks a number up. It does not request `packages` whose data is cached.
    pub async fn look_up(
        &self,
        number: &DialableNumber,
        packages: &Packages,
        deadline: &Deadline,
        log: &Log,
    ) -> LookedUp {
        let remembered = match number {
            DialableNumber::International(number) => self.cache().get(number),
            DialableNumber::National(_) => None,
        };
        let mut missing = packages.clone();
        if remembered.as_ref().is_some_and(|facts| facts.line.is_some()) {
            missing.remove(&Package::LineTypeIntelligence);
        }
        if let (Some(facts), DialableNumber::International(number), true) = (&remembered, number, missing.is_empty()) {
            let number = KnownNumber::Valid { number: number.clone(), facts: facts.clone() };
            return LookedUp { number, usage: None };
        }
        let time = deadline.remaining().saturating_sub(LEFT_FOR_VERIFY).min(self.config.timeout);
        let started = Instant::now();
        let response = self.ask(number, &missing, deadline.within(time), log).await;
        let latency = started.elapsed();
        let mut usage = LookupUsage { latency, packages: missing.clone(), failure: None };
        let number = match response {
            Ok(LookupResponse::Invalid) => KnownNumber::Invalid,
            Ok(LookupResponse::Valid { number: completed, facts, without_data }) => {
                for (package, code) in without_data {
                    let (package, advice) = (package.as_str(), code.and_then(advice_on));
                    log.emit(&LogEvent::LookupFailed(LookupFailure::of_package(package, code, advice)));
                }
                self.remember(number, completed, facts, remembered)
            }
            Err(failure) => {
                usage.failure = Some(failure.reason);
                log.emit(&LogEvent::LookupFailed(failure));
                match (remembered, number) {
                    // The cached data is still valid.
                    (Some(facts), DialableNumber::International(number)) => {
                        KnownNumber::Valid { number: number.clone(), facts }
                    }
                    _ => KnownNumber::Unknown,
                }
            }
        };
        LookedUp { number, usage: Some(usage) }
    }

    async fn ask(
        &self,
        number: &DialableNumber,
        packages: &Packages,
        deadline: Deadline,
        log: &Log,
    ) -> Result<LookupResponse, LookupFailure> {
        if deadline.remaining() < MIN_TIME {
            return Err(LookupFailure::of(Reason::OutOfTime));
        }
        let response = self.client.ask(number, self.config.default_country, packages, (deadline, MIN_TIME), log).await;
        response.map_err(|error| failure_of(&error))
    }

    /// Stores the facts that are safe to cache, and adds those that were cached before.
    fn remember(
        &self,
        asked: &DialableNumber,
        completed: Option<PhoneNumber>,
        mut facts: NumberFacts,
        remembered: Option<NumberFacts>,
    ) -> KnownNumber {
        let number = match asked {
            // Verify gets the number in Okta's form, because feedback searches the verification by that form.
            DialableNumber::International(number) => Some(number.clone()),
            DialableNumber::National(_) => completed,
        };
        let Some(number) = number else {
            return KnownNumber::Unknown;
        };
        facts.line = facts.line.or_else(|| remembered.and_then(|facts| facts.line));
        self.cache().insert(&number, &facts);
        KnownNumber::Valid { number, facts }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        // The lock covers only look-ups and assignments, which cannot panic halfway.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure_of(error: &TwilioError) -> LookupFailure {
    let failure = LookupFailure::of(reason_of(error));
    match error {
        TwilioError::Refused(refusal) => LookupFailure {
            twilio_status: Some(refusal.status),
            twilio_code: refusal.code,
            twilio_request_id: refusal.request_id.clone(),
            advice: refusal.code.and_then(advice_on),
            ..failure
        },
        _ => failure,
    }
}

#[cfg(test)]
mod tests;
