//! The sending policy: whether a code is sent, and by which channel. It is a pure function of the request, the facts
//! about the number, the configuration and the time.
//!
//! # Precedence
//!
//! The first matching rule decides, and Okta, the log and the metrics get its reason.
//!
//! | | Rule | Variable | Needs | Reason |
//! |---|---|---|---|---|
//! | 1 | an exempt request type skips 2 to 9 | `POLICY_EXEMPT_REQUEST_TYPES` | | |
//! | 2 | the country is blocked | `BLOCKED_COUNTRIES` | | `country_blocked` |
//! | 3 | the country is not on the allow list | `ALLOWED_COUNTRIES` | | `country_not_allowed` |
//! | 4 | the line type is blocked | `BLOCKED_LINE_TYPES` | `line_type_intelligence` | `line_type_blocked` |
//! | 5 | the carrier is blocked | `BLOCKED_CARRIERS` | `line_type_intelligence` | `carrier_blocked` |
//! | 6 | the number is not in use at present | none: requesting the package enables the rule | `line_status` | `line_inactive` |
//! | 7 | the pumping risk is too high, or Fraud Guard blocks the number | `MAX_SMS_PUMPING_RISK` | `sms_pumping_risk` | `sms_pumping_risk` |
//! | 8 | the SIM was changed too recently | `MAX_SIM_SWAP_AGE_HOURS` | `sim_swap` | `sim_swapped` |
//! | 9 | a call would be forwarded to another number | none: requesting the package enables the rule | `call_forwarding` | `call_forwarded` |
//! | 10 | a message to a landline becomes a call | `LANDLINE_TO_CALL` | `line_type_intelligence` | |
//!
//! So a country that is both blocked and allowed is blocked, and a blocked landline gets no call. Rule 9 applies to the
//! call that rule 10 would make.
//!
//! Numbers without a country (`001`) are expensive, and no user lives there. If either country list is set, they are
//! refused unless `001` is allowed. The reason is `country_blocked` if `001` is blocked or only the block list is set.
//!
//! With `POLICY_MODE=observe`, rules 2 to 9 are evaluated but refuse nothing. The decision reports what they would have
//! done. Rule 10 still applies.
//!
//! # Missing data
//!
//! Rules 4 to 10 fail open: they pass a number without data from Lookup. Rules 2 and 3 never fail open, because the
//! number itself shows its country. If Lookup returns another country, that country must be allowed, and neither
//! country can be blocked.
//!
//! A number that Lookup reports as invalid does not reach the policy, so no exemption can send to it.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    config::{ConfigError, Variables},
    okta::telephony::RequestType,
    phone::{Channel, CountryCode, NetworkCode, Region},
    reason::Reason,
    time::clock::Timestamp,
    twilio::lookup::{Line, LineType, NumberFacts, Package, Packages, SimSwap, SmsPumping},
};

/// The rules, and the response to a refusal. Without any variable it sends every request unchanged.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `ALLOWED_COUNTRIES` (none): if set, all other countries are refused.
    pub allowed_countries: Option<Countries>,
    /// `BLOCKED_COUNTRIES` (none)
    pub blocked_countries: BTreeSet<Region>,
    /// `BLOCKED_LINE_TYPES` (none)
    pub blocked_line_types: BTreeSet<LineType>,
    /// `BLOCKED_CARRIERS` (none)
    pub blocked_carriers: Vec<Carrier>,
    /// `MAX_SMS_PUMPING_RISK` (none): 0 to 100. A higher score is refused.
    pub max_sms_pumping_risk: Option<u8>,
    /// `MAX_SIM_SWAP_AGE_HOURS` (none): a more recent SIM change is refused.
    pub max_sim_swap_age: Option<Duration>,
    /// `LANDLINE_TO_CALL` (false)
    pub landline_to_call: bool,
    /// `POLICY_EXEMPT_REQUEST_TYPES` (none)
    pub exempt_request_types: Vec<RequestType>,
    /// `POLICY_MODE` (enforce)
    pub mode: PolicyMode,
    /// `DENY_RESPONSE` (error)
    pub deny_response: DenyResponse,
}

/// Whether rules 2 to 9 refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyMode {
    /// The rules refuse.
    #[default]
    Enforce,
    /// The rules do not refuse. The log and the metrics show what they would have refused.
    Observe,
}

/// A set of countries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Countries {
    /// `*`: every country, but not `001`.
    every_country: bool,
    /// The named regions.
    regions: BTreeSet<Region>,
}

impl Countries {
    fn contains(&self, region: Region) -> bool {
        (self.every_country && region != Region::World) || self.regions.contains(&region)
    }
}

/// The response to Okta after a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DenyResponse {
    /// An error. Okta then sends the code through its own provider.
    #[default]
    Error,
    /// Success, so that Okta does not send the code either.
    Suppress,
}

/// A carrier in the block list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Its name in lower case.
    Name(String),
    /// Its network codes.
    Network(NetworkCode),
}

/// The request to decide on.
#[derive(Clone, Copy, Debug)]
pub struct PolicyRequest {
    /// The channel that the code would use.
    pub channel: Channel,
    /// The flow that needs the code.
    pub request_type: RequestType,
}

/// The facts about the number.
#[derive(Clone, Copy, Debug)]
pub struct PolicyFacts<'a> {
    /// The country by the number's prefix.
    pub country: Option<CountryCode>,
    /// The data from Lookup. `None` before the lookup and after a failure.
    pub lookup: Option<&'a NumberFacts>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send the code.
    Send {
        /// The channel to use.
        channel: Channel,
        /// Why the policy would have refused it with `POLICY_MODE=enforce`.
        would_refuse: Option<Reason>,
    },
    /// Do not send the code.
    Refuse {
        /// The reason for Okta, the log and the metrics.
        reason: Reason,
    },
}

impl Policy {
    /// Makes the decision. The module documentation has the precedence.
    pub fn decide(&self, request: PolicyRequest, facts: PolicyFacts<'_>, now: Timestamp) -> Decision {
        let channel = self.channel(request.channel, facts);
        match self.objection(channel, facts, now) {
            Some(reason) if !self.exempts(request.request_type) => match self.mode {
                PolicyMode::Enforce => Decision::Refuse { reason },
                PolicyMode::Observe => Decision::Send { channel, would_refuse: Some(reason) },
            },
            _ => Decision::Send { channel, would_refuse: None },
        }
    }

    /// The `available` packages that can change the decision about this request, or that the log must show. For an
    /// exempt request, these are only the packages that can change its channel.
    pub fn packages(&self, request: PolicyRequest, available: &Packages) -> Packages {
        if self.exempts(request.request_type) {
            return self.rerouting_packages(request, available);
        }
        let may_be_call = request.channel == Channel::Call || self.landline_to_call;
        available.iter().copied().filter(|package| *package != Package::CallForwarding || may_be_call).collect()
    }

    /// The `available` packages that can change the channel of this request.
    pub fn rerouting_packages(&self, request: PolicyRequest, available: &Packages) -> Packages {
        let may_be_rerouted = self.landline_to_call && request.channel != Channel::Call;
        available.iter().copied().filter(|it| may_be_rerouted && *it == Package::LineTypeIntelligence).collect()
    }

    fn exempts(&self, request_type: RequestType) -> bool {
        self.exempt_request_types.contains(&request_type)
    }

    fn channel(&self, channel: Channel, facts: PolicyFacts<'_>) -> Channel {
        let line = facts.lookup.and_then(|lookup| lookup.line.as_ref());
        let landline = line.is_some_and(|line| line.line_type == Some(LineType::Landline));
        if landline && self.landline_to_call { Channel::Call } else { channel }
    }

    /// The reason of the first rule that refuses.
    fn objection(&self, channel: Channel, facts: PolicyFacts<'_>, now: Timestamp) -> Option<Reason> {
        if let Some(reason) = self.country_objection(facts) {
            return Some(reason);
        }
        let NumberFacts { country: _, line, sms_pumping, sim_swap, line_is_inactive, calls_are_forwarded } =
            facts.lookup?;
        if line.as_ref().is_some_and(|line| self.blocks_line_type(line)) {
            Some(Reason::LineTypeBlocked)
        } else if line.as_ref().is_some_and(|line| self.blocked_carriers.iter().any(|carrier| carrier.is_of(line))) {
            Some(Reason::CarrierBlocked)
        } else if *line_is_inactive == Some(true) {
            Some(Reason::LineInactive)
        } else if sms_pumping.is_some_and(|risk| self.is_too_risky(risk)) {
            Some(Reason::SmsPumpingRisk)
        } else if sim_swap.is_some_and(|swap| self.is_too_recent(swap, now)) {
            Some(Reason::SimSwapped)
        } else if channel == Channel::Call && *calls_are_forwarded == Some(true) {
            Some(Reason::CallForwarded)
        } else {
            None
        }
    }

    fn country_objection(&self, facts: PolicyFacts<'_>) -> Option<Reason> {
        let by_lookup = facts.lookup.and_then(|lookup| lookup.country);
        let region = Region::from(by_lookup.or(facts.country));
        let by_number = facts.country.map(Region::Country);
        if by_number.into_iter().chain([region]).any(|region| self.blocked_countries.contains(&region)) {
            return Some(Reason::CountryBlocked);
        }
        if let Some(allowed) = &self.allowed_countries {
            return (!allowed.contains(region)).then_some(Reason::CountryNotAllowed);
        }
        let is_refused = region == Region::World && !self.blocked_countries.is_empty();
        is_refused.then_some(Reason::CountryBlocked)
    }

    fn blocks_line_type(&self, line: &Line) -> bool {
        line.line_type.is_some_and(|line_type| self.blocked_line_types.contains(&line_type))
    }

    fn is_too_risky(&self, risk: SmsPumping) -> bool {
        self.max_sms_pumping_risk.is_some_and(|max| risk.blocked || risk.score.is_some_and(|score| score > max))
    }

    /// A change without an exact time, only within the carrier's period, may have happened a moment ago.
    fn is_too_recent(&self, swap: SimSwap, now: Timestamp) -> bool {
        self.max_sim_swap_age.is_some_and(|max| match swap {
            SimSwap::At(time) => {
                now.as_secs().saturating_sub(time.as_secs()) < i64::try_from(max.as_secs()).unwrap_or(i64::MAX)
            }
            SimSwap::Recently => true,
            SimSwap::NotRecently => false,
        })
    }
}

impl Carrier {
    /// Parses a name, or a pair of codes such as `310-260`. A text without letters that is not a pair is an error.
    fn parse(text: &str) -> Option<Self> {
        let network = text.split_once('-').and_then(|(country, network)| NetworkCode::parse(country, network));
        let name = text.chars().any(char::is_alphabetic).then(|| Self::Name(text.trim().to_lowercase()));
        network.map(Self::Network).or(name)
    }

    fn is_of(&self, line: &Line) -> bool {
        match self {
            Self::Name(name) => {
                line.carrier_name.as_ref().is_some_and(|carrier| carrier.trim().to_lowercase() == *name)
            }
            Self::Network(network) => line.network == Some(*network),
        }
    }
}

impl Policy {
    /// Reads the variables for the policy. `available` are the packages of `LOOKUP_FIELDS`, if Lookup is used. A rule
    /// without its package would look enabled but never refuse.
    ///
    /// # Errors
    /// Fails at the first invalid variable, and for a rule whose package is missing.
    pub fn from_variables(variables: &Variables<'_>, available: Option<&Packages>) -> Result<Self, ConfigError> {
        let line_types_help = (
            "must be Twilio line types: landline, mobile, fixedVoip, nonFixedVoip, personal, tollFree, premium, \
             sharedCost, uan, voicemail, pager, unknown",
            "premium,tollFree,nonFixedVoip",
        );
        let carriers_help =
            ("must be carriers' names without commas, or MCC-MNC pairs of digits", "Example Wireless,310-998");
        let exempt_help = (
            "must be request types: pre-enrollment, mfa-verification, account-unlock, password-reset",
            "account-unlock,password-reset",
        );
        let deny = |value: &str| match value {
            "error" => Some(DenyResponse::Error),
            "swallow" => Some(DenyResponse::Suppress),
            _ => None,
        };
        let mode = |value: &str| match value {
            "enforce" => Some(PolicyMode::Enforce),
            "observe" => Some(PolicyMode::Observe),
            _ => None,
        };
        let risk_help = ("must be a whole number from 0 to 100", "75");
        let hours_help = ("must be a whole number of hours from 1 to 8760", "72");
        let policy = Self {
            allowed_countries: allowed_countries(variables)?,
            blocked_countries: BTreeSet::from_iter(
                variables.list("BLOCKED_COUNTRIES", COUNTRIES_HELP, |text| text.parse().ok())?,
            ),
            blocked_line_types: BTreeSet::from_iter(variables.list(
                "BLOCKED_LINE_TYPES",
                line_types_help,
                LineType::parse,
            )?),
            blocked_carriers: variables.list("BLOCKED_CARRIERS", carriers_help, Carrier::parse)?,
            max_sms_pumping_risk: variables.optional_number("MAX_SMS_PUMPING_RISK", risk_help, 0..=100)?,
            max_sim_swap_age: variables
                .optional_number("MAX_SIM_SWAP_AGE_HOURS", hours_help, 1..=8_760_u64)?
                .map(|hours| Duration::from_secs(hours * 3_600)),
            landline_to_call: variables.flag("LANDLINE_TO_CALL")?,
            exempt_request_types: variables.list("POLICY_EXEMPT_REQUEST_TYPES", exempt_help, request_type)?,
            mode: variables.read("POLICY_MODE", ("must be enforce or observe", "observe"), mode)?.unwrap_or_default(),
            deny_response: variables
                .read("DENY_RESPONSE", ("must be error or swallow", "error"), deny)?
                .unwrap_or_default(),
        };
        policy.check_packages(available)?;
        Ok(policy)
    }

    fn check_packages(&self, available: Option<&Packages>) -> Result<(), ConfigError> {
        use Package::{LineTypeIntelligence, SimSwap, SmsPumpingRisk};
        let line = "line_type_intelligence";
        let rules = [
            (
                !self.blocked_line_types.is_empty(),
                LineTypeIntelligence,
                ("must have line_type_intelligence, which BLOCKED_LINE_TYPES needs", line),
            ),
            (
                !self.blocked_carriers.is_empty(),
                LineTypeIntelligence,
                ("must have line_type_intelligence, which BLOCKED_CARRIERS needs", line),
            ),
            (
                self.landline_to_call,
                LineTypeIntelligence,
                ("must have line_type_intelligence, which LANDLINE_TO_CALL needs", line),
            ),
            (
                self.max_sms_pumping_risk.is_some(),
                SmsPumpingRisk,
                ("must have sms_pumping_risk, which MAX_SMS_PUMPING_RISK needs", "sms_pumping_risk"),
            ),
            (
                self.max_sim_swap_age.is_some(),
                SimSwap,
                ("must have sim_swap, which MAX_SIM_SWAP_AGE_HOURS needs", "sim_swap"),
            ),
        ];
        let missing = rules
            .into_iter()
            .find(|(on, package, _)| *on && !available.is_some_and(|available| available.contains(package)));
        missing.map_or(Ok(()), |(_, _, (problem, example))| Err(ConfigError::new("LOOKUP_FIELDS", problem, example)))
    }
}

const COUNTRIES_HELP: (&str, &str) = (
    "must be country codes of two letters (ISO 3166-1 alpha-2; the United Kingdom is GB), or 001 for numbers without a \
     country; ALLOWED_COUNTRIES may have * for every country",
    "US,CA,GB",
);

fn allowed_countries(variables: &Variables<'_>) -> Result<Option<Countries>, ConfigError> {
    let read = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
    let list: Vec<Option<Region>> = variables.list("ALLOWED_COUNTRIES", COUNTRIES_HELP, read)?;
    let every_country = list.contains(&None);
    let is_set = !list.is_empty();
    Ok(is_set.then(|| Countries { every_country, regions: list.into_iter().flatten().collect() }))
}

/// A documented request type. All others share one value, so an exemption for them could apply to an unknown type.
fn request_type(text: &str) -> Option<RequestType> {
    Some(RequestType::parse(text)).filter(|request_type| *request_type != RequestType::Other)
}

#[cfg(test)]
mod tests;
