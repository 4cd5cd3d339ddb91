//! What must be known and decided before a code is sent.
//!
//! What costs nothing is asked first: the time, the number's syntax, its country. Then Lookup, then the policy once more
//! with what Lookup says.

use crate::{
    okta::telephony::{OTP_EXPIRES, OtpRequest, PHONE_NUMBER},
    otp::{
        config::SendConfig,
        number::{KnownNumber, LookupUsage, NumberLookup},
        outcome::Failure,
        policy::{self, Decision, Facts, Policy},
    },
    phone::{CountryCode, DialableNumber, MaskedPhone, NetworkCode, PhoneNumber, Region},
    reason::Reason,
    telemetry::Log,
    time::{clock::Clock, deadline::Deadline},
    twilio::{
        lookup::{LineType, NumberFacts},
        verify::Channel,
    },
};

/// What is known of a request, and what was decided about it.
pub(super) struct Prepared {
    pub(super) known: Known,
    /// The request to Lookup, if there was one.
    pub(super) lookup: Option<LookupUsage>,
    pub(super) decision: Result<Route, Stop>,
}

/// How a code goes out.
pub(super) struct Route {
    pub(super) to: PhoneNumber,
    /// Where the number belongs; Lookup knows best.
    pub(super) region: Region,
    pub(super) channel: Channel,
    /// Why the policy would refuse it if it did not only observe.
    pub(super) would_refuse: Option<Reason>,
}

/// Why nothing is sent.
pub(super) enum Stop {
    /// The policy says so.
    Refused(Reason),
    /// It cannot be sent.
    Failed(Failure),
}

/// What the log may show of a number.
#[derive(Default)]
pub(super) struct Known {
    pub(super) phone: Option<MaskedPhone>,
    pub(super) country: Option<CountryCode>,
    pub(super) line_type: Option<LineType>,
    pub(super) network: Option<NetworkCode>,
    pub(super) sms_pumping_risk: Option<u8>,
}

impl Known {
    fn of(number: &PhoneNumber) -> Self {
        Self { phone: Some(number.masked()), country: number.country(), ..Self::default() }
    }

    fn with(self, facts: &NumberFacts) -> Self {
        Self {
            country: facts.country.or(self.country),
            line_type: facts.line.as_ref().and_then(|line| line.line_type),
            network: facts.line.as_ref().and_then(|line| line.network),
            sms_pumping_risk: facts.sms_pumping.and_then(|risk| risk.score),
            ..self
        }
    }
}

impl From<Stop> for Prepared {
    fn from(stop: Stop) -> Self {
        Self { known: Known::default(), lookup: None, decision: Err(stop) }
    }
}

/// The way from a request to a decision.
pub(super) struct Preparation<'a> {
    pub(super) config: &'a SendConfig,
    pub(super) policy: &'a Policy,
    pub(super) lookup: Option<&'a NumberLookup>,
    pub(super) clock: &'a Clock,
    pub(super) request: &'a OtpRequest,
    pub(super) deadline: &'a Deadline,
    pub(super) log: &'a Log,
}

impl Preparation<'_> {
    /// Finds out what is needed, and decides.
    pub(super) async fn run(&self) -> Prepared {
        let request = self.request;
        // A preview carries sample dates.
        if !request.preview && request.expires.is_some_and(|expires| expires <= self.clock.now()) {
            return Stop::Failed(Failure::at(OTP_EXPIRES, Reason::CodeExpired)).into();
        }
        let Ok(number) = &request.number else {
            return number_invalid().into();
        };
        match (number, self.lookup) {
            (DialableNumber::International(to), lookup) => match (self.decide(to, None), lookup) {
                // What would be refused costs no Lookup, whether it is refused or not.
                (Ok(Route { would_refuse: None, .. }), Some(lookup)) => self.look_up(lookup, number).await,
                (decision, _) => Prepared { known: Known::of(to), lookup: None, decision },
            },
            (DialableNumber::National(_), Some(lookup)) if lookup.completes_national_numbers() => {
                self.look_up(lookup, number).await
            }
            (DialableNumber::National(_), _) => number_invalid().into(),
        }
    }

    async fn look_up(&self, lookup: &NumberLookup, number: &DialableNumber) -> Prepared {
        let (known, country) = match number {
            DialableNumber::International(to) => (Known::of(to), to.country()),
            DialableNumber::National(_) => (Known::default(), None),
        };
        let packages = self.policy.packages(self.asked(country.into()), lookup.packages());
        let found = lookup.look_up(number, &packages, self.deadline, self.log).await;
        let (known, decision) = match (found.number, number) {
            (KnownNumber::Invalid, _) => (known, Err(number_invalid())),
            (KnownNumber::Valid { number, facts }, _) => {
                (Known::of(&number).with(&facts), self.decide(&number, Some(&facts)))
            }
            // It fails open: what the number itself says has been decided before.
            (KnownNumber::Unknown, DialableNumber::International(to)) => (known, self.decide(to, None)),
            (KnownNumber::Unknown, DialableNumber::National(_)) => {
                (known, Err(Stop::Failed(Failure::at(PHONE_NUMBER, Reason::LookupUnavailable))))
            }
        };
        Prepared { known, lookup: found.usage, decision }
    }

    fn decide(&self, to: &PhoneNumber, lookup: Option<&NumberFacts>) -> Result<Route, Stop> {
        let facts = Facts { country: to.country(), lookup };
        let region = Region::from(lookup.and_then(|facts| facts.country).or(facts.country));
        match self.policy.decide(self.asked(region), facts, self.clock.now()) {
            // Without its extension the code would be read out to whoever answers.
            Decision::Send { channel: Channel::Call, .. } if self.request.extension.is_err() => Err(number_invalid()),
            Decision::Send { channel, would_refuse } => Ok(Route { to: to.clone(), region, channel, would_refuse }),
            Decision::Refuse { reason } => Err(Stop::Refused(reason)),
        }
    }

    fn asked(&self, region: Region) -> policy::Request {
        let channel = self.config.channel(self.request.delivery, region, None);
        policy::Request { channel, request_type: self.request.request_type }
    }
}

fn number_invalid() -> Stop {
    Stop::Failed(Failure::at(PHONE_NUMBER, Reason::PhoneNumberInvalid))
}
