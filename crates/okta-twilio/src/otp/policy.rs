//! The sending policy: whether a code is sent, and by which channel. A pure function of the request, what is known of
//! the number, the configuration and the time.
//!
//! # Precedence
//!
//! The first rule that objects decides, and its reason is what Okta, the log and the metrics get.
//!
//! | | Rule | Variable | Needs | Reason |
//! |---|---|---|---|---|
//! | 1 | a request type that is exempt skips 2 to 9 | `POLICY_EXEMPT_REQUEST_TYPES` | | |
//! | 2 | the country is blocked | `BLOCKED_COUNTRIES` | | `country_blocked` |
//! | 3 | the country is not among those allowed | `ALLOWED_COUNTRIES` | | `country_not_allowed` |
//! | 4 | the kind of line is blocked | `BLOCKED_LINE_TYPES` | `line_type_intelligence` | `line_type_blocked` |
//! | 5 | the carrier is blocked | `BLOCKED_CARRIERS` | `line_type_intelligence` | `carrier_blocked` |
//! | 6 | nobody has the line at present | none: asking for it is the rule | `line_status` | `line_inactive` |
//! | 7 | the pumping risk is too high, or Fraud Guard blocks the number | `MAX_SMS_PUMPING_RISK` | `sms_pumping_risk` | `sms_pumping_risk` |
//! | 8 | the SIM was changed too recently | `MAX_SIM_SWAP_AGE_HOURS` | `sim_swap` | `sim_swapped` |
//! | 9 | a call would be forwarded to another number | none: asking for it is the rule | `call_forwarding` | `call_forwarded` |
//! | 10 | a message to a landline becomes a call | `LANDLINE_TO_CALL` | `line_type_intelligence` | |
//!
//! So a blocked country stays blocked where it is also allowed, and a landline that is blocked gets no call. Rule 9 asks
//! about the call that rule 10 would make.
//!
//! The numbers of no country (`001`) are expensive and nobody's home: where either list is set, they are refused unless
//! `001` is allowed. The reason is `country_blocked` where `001` is blocked or only a list of blocked countries is set.
//!
//! With `POLICY_MODE=observe` rules 2 to 9 are judged and nothing is refused: the decision says what they would have
//! done. Rule 10 acts.
//!
//! # What is not known
//!
//! Rules 4 to 10 let pass what Lookup has no data for: it fails open. Rules 2 and 3 never do, because a number tells its
//! country by itself. Where Lookup tells another country than the number, Lookup's is the one that must be allowed, and
//! neither may be blocked.
//!
//! A number that Lookup calls invalid does not get here: no exemption can send to it.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    config::{ConfigError, Variables},
    okta::telephony::RequestType,
    phone::{Channel, CountryCode, NetworkCode, Region},
    reason::Reason,
    time::clock::Timestamp,
    twilio::lookup::{Line, LineType, NumberFacts, Package, Packages, SimSwap, SmsPumping},
};

/// The rules, and what a refusal answers. Without any variable it sends everything as asked.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `ALLOWED_COUNTRIES` (none): if set, all others are refused.
    pub allowed_countries: Option<Countries>,
    /// `BLOCKED_COUNTRIES` (none)
    pub blocked_countries: BTreeSet<Region>,
    /// `BLOCKED_LINE_TYPES` (none)
    pub blocked_line_types: BTreeSet<LineType>,
    /// `BLOCKED_CARRIERS` (none)
    pub blocked_carriers: Vec<Carrier>,
    /// `MAX_SMS_PUMPING_RISK` (none): 0 to 100; a higher score is refused.
    pub max_sms_pumping_risk: Option<u8>,
    /// `MAX_SIM_SWAP_AGE_HOURS` (none): a more recent change is refused.
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

/// Whether rules 2 to 9 act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyMode {
    /// What a rule objects to is refused.
    #[default]
    Enforce,
    /// It is sent all the same; the log and the metrics show what would have been refused.
    Observe,
}

/// A choice of countries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Countries {
    /// `*`: every country; not `001`.
    every_country: bool,
    /// Those that are named.
    regions: BTreeSet<Region>,
}

impl Countries {
    fn contains(&self, region: Region) -> bool {
        (self.every_country && region != Region::World) || self.regions.contains(&region)
    }
}

/// What Okta is told of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DenyResponse {
    /// An error: Okta then sends the code through its own provider.
    #[default]
    Error,
    /// Success, so that Okta does not send it either.
    Suppress,
}

/// A carrier to recognise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// By its name in lower case.
    Name(String),
    /// By its codes.
    Network(NetworkCode),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct PolicyRequest {
    /// How the code would travel.
    pub channel: Channel,
    /// Which flow asks.
    pub request_type: RequestType,
}

/// What is known of the number.
#[derive(Clone, Copy, Debug)]
pub struct PolicyFacts<'a> {
    /// The country that the number itself tells.
    pub country: Option<CountryCode>,
    /// What Lookup tells; nothing before it was asked, or if it failed.
    pub lookup: Option<&'a NumberFacts>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it.
    Send {
        /// By this channel.
        channel: Channel,
        /// Why it would have been refused, if the policy did not only observe.
        would_refuse: Option<Reason>,
    },
    /// Do not send it.
    Refuse {
        /// For this reason.
        reason: Reason,
    },
}

impl Policy {
    /// Decides. See the module's text for the precedence.
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

    /// The packages, of those that are `available`, that can change the decision about this request, or that the log
    /// is to show. An exempt request costs nothing that cannot change its channel.
    pub fn packages(&self, request: PolicyRequest, available: &Packages) -> Packages {
        let exempt = self.exempts(request.request_type);
        let may_be_rerouted = self.landline_to_call && request.channel != Channel::Call;
        let useful = |package: &Package| match package {
            Package::LineTypeIntelligence => !exempt || may_be_rerouted,
            Package::CallForwarding => !exempt && (may_be_rerouted || request.channel == Channel::Call),
            Package::SmsPumpingRisk | Package::SimSwap | Package::LineStatus => !exempt,
        };
        available.iter().copied().filter(useful).collect()
    }

    fn exempts(&self, request_type: RequestType) -> bool {
        self.exempt_request_types.contains(&request_type)
    }

    fn channel(&self, channel: Channel, facts: PolicyFacts<'_>) -> Channel {
        let line = facts.lookup.and_then(|lookup| lookup.line.as_ref());
        let landline = line.is_some_and(|line| line.line_type == Some(LineType::Landline));
        if landline && self.landline_to_call { Channel::Call } else { channel }
    }

    /// The first rule that objects.
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

    /// A change whose time is not told, only that it was within the carrier's period, may have been a moment ago.
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
    /// A name, or a pair of codes such as `310-260`. What has no letter and is no pair is a mistake.
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
    /// Reads the variables of the policy. `available` are the packages of `LOOKUP_FIELDS`, if Lookup is asked: a rule
    /// without its data would look switched on and never object.
    ///
    /// # Errors
    /// At the first variable that cannot be used, or a rule whose package is missing.
    pub fn from_variables(variables: &Variables<'_>, available: Option<&Packages>) -> Result<Self, ConfigError> {
        let line_types_help = (
            "must be line types of Twilio: landline, mobile, fixedVoip, nonFixedVoip, personal, tollFree, premium, \
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
    "must be country codes of two letters (ISO 3166-1 alpha-2; the United Kingdom is GB), or 001 for numbers of no \
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

/// A type that Okta documents: all others are one and the same here, and an exemption must not reach them by accident.
fn request_type(text: &str) -> Option<RequestType> {
    Some(RequestType::parse(text)).filter(|request_type| *request_type != RequestType::Other)
}

#[cfg(test)]
mod tests;
