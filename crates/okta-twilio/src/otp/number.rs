//! What is known of a number before a code is sent to it: asked of Twilio Lookup, within its own time, or remembered.
//!
//! Lookup fails open. Where it does not answer in time, or says no, the send goes on without it, and `lookup_failed` in
//! the log and the metric `LookupFailures` tell. Only a national number needs it: nothing else can complete that.

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

/// What Verify needs of the deadline, whatever Lookup does. Its answers take some 200 to 400 ms.
const LEFT_FOR_VERIFY: Duration = Duration::from_millis(500);

/// Lookup is not asked if it has less time than this: it could not answer.
const MIN_TIME: Duration = Duration::from_millis(50);

/// How to look numbers up.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupConfig {
    /// `LOOKUP_FIELDS` (none): `basic`, or packages.
    pub packages: Packages,
    /// `LOOKUP_TIMEOUT_MS` (700): the send goes on after this.
    pub timeout: Duration,
    /// `DEFAULT_COUNTRY` (none): completes national numbers.
    pub default_country: Option<CountryCode>,
    /// `TWILIO_LOOKUP_URL` (`https://lookups.twilio.com`).
    pub url: Url,
}

impl LookupConfig {
    /// Reads the variables of Lookup; nothing if `LOOKUP_FIELDS` is not set, because then Lookup is never asked.
    ///
    /// # Errors
    /// At the first variable that cannot be used.
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

/// `basic` adds nothing to packages: every Lookup has it.
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

/// Why a name is not taken. Twilio sells more than a decision about sending can use.
fn problem_with(name: &str) -> &'static str {
    match name {
        "reassigned_number" => "cannot have reassigned_number: it needs a date of consent, which Okta does not tell",
        "phone_number_quality_score" => {
            "cannot have phone_number_quality_score: Twilio documents no values to decide by; use sms_pumping_risk"
        }
        "caller_name" | "identity_match" | "pre_fill" => {
            "cannot have caller_name, identity_match or pre_fill: they tell about the person, not about the sending"
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

/// What came of looking a number up.
pub struct LookedUp {
    /// What is known.
    pub number: KnownNumber,
    /// The request that was made, if any.
    pub usage: Option<LookupUsage>,
}

/// What is known of a number.
#[derive(Debug)]
pub enum KnownNumber {
    /// Nobody can have it.
    Invalid,
    /// It can be dialled.
    Valid {
        /// In E.164 form.
        number: PhoneNumber,
        /// What Lookup tells.
        facts: NumberFacts,
    },
    /// Lookup failed.
    Unknown,
}

/// A request to Lookup, for the metrics.
#[derive(Debug)]
pub struct LookupUsage {
    /// Waiting for it, over all attempts.
    pub latency: Duration,
    /// Packages that were asked for; none: the free check.
    pub packages: Packages,
    /// Why there is no answer.
    pub failure: Option<Reason>,
}

impl LookupUsage {
    /// What was asked for, by Twilio's names; `basic` is free. Nothing if no request got out.
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
    /// Looks numbers up as configured.
    pub fn new(config: LookupConfig, twilio: TwilioClient) -> Self {
        let client = LookupClient::new(twilio, config.url.clone());
        Self { config, client, cache: Arc::default() }
    }

    /// The packages that may be asked for.
    pub fn packages(&self) -> &Packages {
        &self.config.packages
    }

    /// Whether national numbers can be completed.
    pub fn completes_national_numbers(&self) -> bool {
        self.config.default_country.is_some()
    }

    /// What is known of a number; `packages` that are at hand are not asked for again.
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
                    // What is at hand still holds.
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

    /// Keeps what may be kept, and adds what was kept before.
    fn remember(
        &self,
        asked: &DialableNumber,
        completed: Option<PhoneNumber>,
        mut facts: NumberFacts,
        remembered: Option<NumberFacts>,
    ) -> KnownNumber {
        let number = match asked {
            // Okta's own spelling goes on to Verify: feedback finds the verification by it.
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
        // The lock is held for plain look-ups and assignments only, which cannot panic half way.
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
