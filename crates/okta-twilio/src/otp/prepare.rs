//! The checks and the decision before a code is sent.
//!
//! The free checks come first: the time, the number's syntax and its country. Then comes Lookup, and then the policy
//! again with the data from Lookup.

use crate::{
    okta::telephony::{OTP_EXPIRES, OtpRequest, PHONE_NUMBER},
    otp::{
        config::SendConfig,
        number::{KnownNumber, LookupUsage, NumberLookup},
        outcome::SendFailure,
        policy::{self, Decision, Policy, PolicyFacts},
        resend::{Ladder, Resend},
    },
    phone::{Channel, CountryCode, DialableNumber, MaskedPhone, NetworkCode, PhoneNumber, Region},
    reason::Reason,
    secrets::Pause,
    telemetry::Log,
    time::{clock::Clock, deadline::Deadline},
    twilio::lookup::{LineType, NumberFacts, Packages},
};

/// The facts about a request, and the decision.
pub(super) struct PreparedSend {
    pub(super) known: LoggedNumber,
    /// The request to Lookup, if there was one.
    pub(super) lookup: Option<LookupUsage>,
    /// The result of `RESEND_CHANNELS` for the request.
    pub(super) resend: Resend,
    pub(super) decision: Result<Route, Stop>,
}

/// How the code is sent.
pub(super) struct Route {
    pub(super) to: PhoneNumber,
    /// The region of the number. Lookup's data takes precedence.
    pub(super) region: Region,
    pub(super) channel: Channel,
    /// Why the policy would refuse with `POLICY_MODE=enforce`.
    pub(super) would_refuse: Option<Reason>,
}

/// Why nothing is sent.
pub(super) enum Stop {
    /// The policy refused.
    Refused(Reason),
    /// The code cannot be sent.
    Failed(SendFailure),
}

/// The facts about a number that are safe to log.
#[derive(Default)]
pub(super) struct LoggedNumber {
    pub(super) phone: Option<MaskedPhone>,
    pub(super) country: Option<CountryCode>,
    pub(super) line_type: Option<LineType>,
    pub(super) network: Option<NetworkCode>,
    pub(super) sms_pumping_risk: Option<u8>,
}

impl LoggedNumber {
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

impl PreparedSend {
    fn stopped(known: LoggedNumber, stop: Stop) -> Self {
        Self { known, lookup: None, resend: Resend::default(), decision: Err(stop) }
    }
}

impl From<Stop> for PreparedSend {
    fn from(stop: Stop) -> Self {
        Self::stopped(LoggedNumber::default(), stop)
    }
}

/// A method of the policy that selects packages.
type PackagesOf = fn(&Policy, policy::PolicyRequest, &Packages) -> Packages;

/// Takes a request to a decision.
pub(super) struct Preparer<'a> {
    pub(super) config: &'a SendConfig,
    pub(super) policy: &'a Policy,
    pub(super) lookup: Option<&'a NumberLookup>,
    /// Set if `RESEND_CHANNELS` applies to the request.
    pub(super) ladder: Option<Ladder<'a>>,
    /// What is paused.
    pub(super) paused: &'a Pause,
    pub(super) clock: &'a Clock,
    pub(super) request: &'a OtpRequest,
    pub(super) deadline: &'a Deadline,
    pub(super) log: &'a Log,
}

impl Preparer<'_> {
    /// Collects the facts and makes the decision.
    pub(super) async fn run(&self) -> PreparedSend {
        let request = self.request;
        // A preview has sample dates.
        if !request.preview && request.expires.is_some_and(|expires| expires <= self.clock.now()) {
            return Stop::Failed(SendFailure::at(OTP_EXPIRES, Reason::CodeExpired)).into();
        }
        let Ok(number) = &request.number else {
            return number_invalid().into();
        };
        match (number, self.lookup) {
            (DialableNumber::International(to), lookup) => match self.first_decision(to) {
                Err(stop) => PreparedSend::stopped(LoggedNumber::of(to), stop),
                Ok(route) => {
                    let question =
                        lookup.and_then(|lookup| Some((lookup, self.packages_for(&route, lookup.packages())?)));
                    if let Some((lookup, packages)) = question {
                        return self.look_up(lookup, number, &packages).await;
                    }
                    let resend = self.resend(to).await;
                    let decision = self.decide(to, None, resend.channel);
                    PreparedSend { known: LoggedNumber::of(to), lookup: None, resend, decision }
                }
            },
            (DialableNumber::National(_), Some(lookup)) if lookup.completes_national_numbers() => {
                if self.paused.is_of_everything() {
                    return Stop::Refused(Reason::Paused).into();
                }
                let packages = self.packages(Region::World, lookup.packages(), Policy::packages);
                self.look_up(lookup, number, &packages).await
            }
            (DialableNumber::National(_), _) => number_invalid().into(),
        }
    }

    async fn look_up(&self, lookup: &NumberLookup, number: &DialableNumber, packages: &Packages) -> PreparedSend {
        let known = match number {
            DialableNumber::International(to) => LoggedNumber::of(to),
            DialableNumber::National(_) => LoggedNumber::default(),
        };
        let question = lookup.look_up(number, packages, self.deadline, self.log);
        let (found, mut resend) = match number {
            DialableNumber::International(to) => tokio::join!(question, self.resend(to)),
            DialableNumber::National(_) => (question.await, Resend::default()),
        };
        let (known, decision) = match (found.number, number) {
            (KnownNumber::Invalid, _) => (known, Err(number_invalid())),
            (KnownNumber::Valid { number: to, facts }, _) => {
                if let DialableNumber::National(_) = number {
                    resend = self.resend(&to).await;
                }
                (LoggedNumber::of(&to).with(&facts), self.decide(&to, Some(&facts), resend.channel))
            }
            // Lookup fails open. The decision on the number itself was made before.
            (KnownNumber::Unknown, DialableNumber::International(to)) => (known, self.decide(to, None, resend.channel)),
            (KnownNumber::Unknown, DialableNumber::National(_)) => {
                (known, Err(Stop::Failed(SendFailure::at(PHONE_NUMBER, Reason::LookupUnavailable))))
            }
        };
        PreparedSend { known, lookup: found.usage, resend, decision }
    }

    async fn resend(&self, to: &PhoneNumber) -> Resend {
        match &self.ladder {
            Some(ladder) => ladder.step(to, self.clock.now(), self.deadline).await,
            None => Resend::default(),
        }
    }

    /// The decision on the number alone, before Lookup. The channel can still change.
    fn first_decision(&self, to: &PhoneNumber) -> Result<Route, Stop> {
        let route = self.judge(to, None, None)?;
        if self.paused.applies_to_region(route.region) { Err(Stop::Refused(Reason::Paused)) } else { Ok(route) }
    }

    /// The final decision. A pause takes precedence over exemptions and `POLICY_MODE=observe`.
    fn decide(&self, to: &PhoneNumber, lookup: Option<&NumberFacts>, resend: Option<Channel>) -> Result<Route, Stop> {
        let route = self.judge(to, lookup, resend)?;
        if self.paused.applies(route.region, route.channel) { Err(Stop::Refused(Reason::Paused)) } else { Ok(route) }
    }

    fn judge(&self, to: &PhoneNumber, lookup: Option<&NumberFacts>, resend: Option<Channel>) -> Result<Route, Stop> {
        let facts = PolicyFacts { country: to.country(), lookup };
        let region = Region::from(lookup.and_then(|facts| facts.country).or(facts.country));
        match self.policy.decide(self.asked(region, resend), facts, self.clock.now()) {
            // Without its extension, the code would be read out to whoever answers the call.
            Decision::Send { channel: Channel::Call, .. } if self.request.extension.is_err() => Err(number_invalid()),
            Decision::Send { channel, would_refuse } => Ok(Route { to: to.clone(), region, channel, would_refuse }),
            Decision::Refuse { reason } => Err(Stop::Refused(reason)),
        }
    }

    /// The packages to request for a number whose country is judged. A request that the policy would refuse does not pay
    /// for a Lookup, even in observe mode, unless the code could become a call. `None` if no Lookup is needed.
    fn packages_for(&self, route: &Route, available: &Packages) -> Option<Packages> {
        if route.would_refuse.is_none() {
            return Some(self.packages(route.region, available, Policy::packages));
        }
        Some(self.packages(route.region, available, Policy::rerouting_packages)).filter(|packages| !packages.is_empty())
    }

    /// The packages that `of` names, for every channel of the ladder.
    fn packages(&self, region: Region, available: &Packages, of: PackagesOf) -> Packages {
        let ways = self.ladder.as_ref().map_or(&[][..], |ladder| ladder.channels);
        let asked = ways.iter().map(|channel| self.asked(region, Some(*channel))).chain([self.asked(region, None)]);
        asked.flat_map(|asked| of(self.policy, asked, available)).collect()
    }

    fn asked(&self, region: Region, resend: Option<Channel>) -> policy::PolicyRequest {
        let channel = self.config.channel(self.request.delivery, region, resend);
        policy::PolicyRequest { channel, request_type: self.request.request_type }
    }
}

fn number_invalid() -> Stop {
    Stop::Failed(SendFailure::at(PHONE_NUMBER, Reason::PhoneNumberInvalid))
}
