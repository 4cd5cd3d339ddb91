//! Phone numbers for which Verify or Lookup responds in a particular way: one fictitious number for each kind of
//! response.
//!
//! All of them are `+1 500 555 xxxx`. The last four digits determine the effect; see [`MAGIC_NUMBERS`].

use std::time::Duration;

/// A phone number with a particular response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MagicNumber {
    /// The number (E.164).
    pub number: &'static str,
    /// Its effect. For the other product it is an ordinary mobile number.
    pub effect: Effect,
    /// A description.
    pub meaning: &'static str,
}

/// The effect of a magic number, and the product that it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// In Verify, when a verification is created.
    Verify(VerifyEffect),
    /// In Lookup.
    Lookup(LookupEffect),
}

/// The effect of a number in Verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyEffect {
    /// It responds with an error and sends nothing.
    Refuse(Refusal),
    /// It responds with 429, code 20429 and `Twilio-Reached-Rate-Limit`, as when the service's own limit is reached.
    ReachedRateLimit,
    /// It sends the message immediately, but delays the response.
    RespondLate(Duration),
    /// It sends nothing and closes the connection without a response.
    HangUp,
    /// It sends the message and closes the connection without a response.
    SendAndHangUp,
}

/// An error of Verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Whether the status is an assumption, because Twilio documents the code without one.
    pub status_assumed: bool,
    /// Twilio's error code.
    pub code: u32,
    /// Twilio's text. `{to}` and `{channel}` are replaced.
    pub message: &'static str,
    /// The requests that it refuses. Others are sent.
    pub when: When,
}

/// The requests that a refusal concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Every request.
    Always,
    /// Requests by SMS.
    Sms,
    /// Requests by WhatsApp.
    Whatsapp,
    /// Requests that do not disable Twilio's fraud and geography checks (`RiskCheck=disable`, SMS only).
    RiskChecked,
    /// Requests with a language.
    WithLocale,
}

/// The effect of a number in Lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupEffect {
    /// `line_type_intelligence.type`
    LineType(&'static str),
    /// `sms_pumping_risk.sms_pumping_risk_score`
    SmsPumpingRisk {
        /// 0 to 100.
        score: u8,
        /// `number_blocked`
        blocked: bool,
    },
    /// `sim_swap.last_sim_swap`
    SimSwap {
        /// The time since the swap; `None`: the date is not known.
        hours_ago: Option<u32>,
        /// Whether the swap was within the carrier's period (24 hours).
        swapped_in_period: bool,
    },
    /// `line_status.status`
    LineStatus(&'static str),
    /// `call_forwarding.call_forwarding_enabled` is true.
    CallForwarding,
    /// The carrier's name and its codes.
    Carrier {
        /// `carrier_name`
        name: &'static str,
        /// `mobile_country_code`
        mobile_country_code: &'static str,
        /// `mobile_network_code`
        mobile_network_code: &'static str,
    },
    /// Every requested package fails with this error code.
    PackageError(u32),
    /// `valid` is false, and these are the `validation_errors`.
    Invalid(&'static str),
    /// The response is delayed.
    RespondLate(Duration),
    /// Lookup fails as a whole, with this status and the code 20000 plus the status.
    Fail(u16),
}

/// The effect of a number, if it is a magic one.
pub(crate) fn find(number: &str) -> Option<&'static MagicNumber> {
    MAGIC_NUMBERS.iter().find(|magic| magic.number == number)
}

/// Every magic number. For Verify, the last four digits are those of the error code.
// One line per number is easier to read than rustfmt's one line per argument.
#[rustfmt::skip]
pub const MAGIC_NUMBERS: &[MagicNumber] = &[
    refuse("+15005550200", 400, 60200, When::Always, "Invalid parameter `To`: {to}", "no phone number"),
    refuse("+15005551211", 400, 21211, When::Always, "Invalid 'To' Phone Number: {to}", "no phone number, as Messaging says it"),
    assume("+15005551608", 400, 21608, When::Always, "The number {to} is unverified. Trial accounts cannot send messages to unverified numbers", "trial account, number not verified"),
    refuse("+15005551614", 400, 21614, When::Sms, "'To' number is not a valid mobile number: {to}", "cannot get SMS"),
    refuse("+15005550203", 429, 60203, When::Always, "Max send attempts reached", "five messages within ten minutes"),
    refuse("+15005550204", 403, 60204, When::Always, "Custom code not allowed", "the service does not take custom codes"),
    refuse("+15005550205", 403, 60205, When::Sms, "SMS is not supported by landline phone number", "landline, by SMS"),
    refuse("+15005550212", 429, 60212, When::Always, "Too many concurrent requests for phone number", "many verifications at the same time"),
    refuse("+15005550220", 400, 60220, When::Always, "Use case vetting required for sending to China", "China: not vetted"),
    refuse("+15005550223", 400, 60223, When::Always, "Delivery channel disabled: {channel}", "the channel is switched off on the service"),
    assume("+15005550228", 400, 60228, When::Always, "Template was not found", "no such template"),
    assume("+15005550229", 400, 60229, When::WithLocale, "Template translation was not found", "the template has not this language"),
    assume("+15005550238", 403, 60238, When::Always, "Verification creation attempt blocked", "blocked by Twilio"),
    assume("+15005550242", 400, 60242, When::Whatsapp, "No approved WhatsApp template was found", "no WhatsApp template in this language"),
    assume("+15005550245", 429, 60245, When::Always, "You have exceeded your messaging limits", "messaging limit of the account"),
    assume("+15005550250", 403, 60250, When::Always, "Registration is required for sending to Australia", "Australia: sender not registered"),
    assume("+15005550410", 403, 60410, When::RiskChecked, "Verification delivery attempt blocked", "Fraud Guard blocks the prefix"),
    assume("+15005550412", 403, 60412, When::Always, "Verification blocked by Fraudulent Signup Prevention", "blocked as a fraudulent sign-up"),
    assume("+15005550413", 403, 60413, When::Always, "Verification blocked by Device Intelligence", "blocked because of the device"),
    assume("+15005550428", 400, 60428, When::Always, "Unsupported channel: {channel}", "the channel does not exist"),
    assume("+15005550600", 400, 60600, When::Always, "Unprovisioned or out of coverage", "number not in service"),
    refuse("+15005550605", 403, 60605, When::RiskChecked, "The destination phone number has been blocked by Verify Geo-Permissions. [US] is blocked for {channel} channel for all services", "country not allowed"),
    assume("+15005550735", 409, 60735, When::Always, "Verification is owned by a different integration", "the service is also used by another integration"),
    assume("+15005558008", 400, 68008, When::Whatsapp, "Verify WhatsApp channel is not configured", "no WhatsApp sender"),
    refuse("+15005550003", 401, 20003, When::Always, "Authenticate", "credentials refused"),
    assume("+15005550005", 401, 20005, When::Always, "Account not active", "account closed or unpaid"),
    assume("+15005550006", 403, 20006, When::Always, "Access denied", "key without the permission"),
    refuse("+15005550008", 403, 20008, When::Always, "Resource not accessible with Test Account Credentials", "test credentials"),
    refuse("+15005550403", 403, 20403, When::Always, "Forbidden", "account suspended"),
    refuse("+15005550404", 404, 20404, When::Always, "The requested resource was not found", "no such Verify service"),
    refuse("+15005550429", 429, 20429, When::Always, "Too many requests", "the account's limit: a retry is safe"),
    verify("+15005559429", VerifyEffect::ReachedRateLimit, "the service's own limit: a retry is useless"),
    refuse("+15005550500", 500, 20500, When::Always, "Internal server error", "Twilio fails"),
    refuse("+15005550503", 503, 20503, When::Always, "Service unavailable", "Twilio is down"),
    assume("+15005559999", 400, 99999, When::Always, "Something that is not documented", "an unknown error code"),
    verify("+15005559001", VerifyEffect::RespondLate(Duration::from_secs(1)), "slow"),
    verify("+15005559005", VerifyEffect::RespondLate(Duration::from_secs(5)), "slower than any hook may be"),
    verify("+15005559010", VerifyEffect::HangUp, "connection lost, nothing sent"),
    verify("+15005559011", VerifyEffect::SendAndHangUp, "connection lost, but sent"),
    lookup("+15005552001", LookupEffect::LineType("landline"), "landline"),
    lookup("+15005552002", LookupEffect::LineType("mobile"), "mobile"),
    lookup("+15005552003", LookupEffect::LineType("fixedVoip"), "Internet telephone with an address"),
    lookup("+15005552004", LookupEffect::LineType("nonFixedVoip"), "Internet telephone without an address"),
    lookup("+15005552005", LookupEffect::LineType("personal"), "personal number"),
    lookup("+15005552006", LookupEffect::LineType("tollFree"), "toll-free number"),
    lookup("+15005552007", LookupEffect::LineType("premium"), "premium-rate number"),
    lookup("+15005552008", LookupEffect::LineType("sharedCost"), "shared-cost number"),
    lookup("+15005552009", LookupEffect::LineType("uan"), "universal access number"),
    lookup("+15005552010", LookupEffect::LineType("voicemail"), "voicemail"),
    lookup("+15005552011", LookupEffect::LineType("pager"), "pager"),
    lookup("+15005552012", LookupEffect::LineType("unknown"), "line type not known"),
    lookup("+15005552013", carrier("Example Wireless", "310", "998"), "a carrier to block by name or code"),
    lookup("+15005553000", risk(0, false), "no risk"),
    lookup("+15005553060", risk(60, false), "the last score that counts as low"),
    lookup("+15005553061", risk(61, false), "mild risk"),
    lookup("+15005553080", risk(80, false), "moderate risk"),
    lookup("+15005553095", risk(95, false), "high risk"),
    lookup("+15005553100", risk(100, true), "high risk, and blocked by Twilio"),
    lookup("+15005554001", sim_swap(Some(2), true), "SIM swapped two hours ago"),
    lookup("+15005554002", sim_swap(Some(9600), false), "SIM swapped 400 days ago"),
    lookup("+15005554003", sim_swap(None, true), "SIM swapped within the carrier's period, date unknown"),
    lookup("+15005554004", sim_swap(None, false), "SIM not swapped within the carrier's period, date unknown"),
    lookup("+15005555001", LookupEffect::LineStatus("active"), "line active"),
    lookup("+15005555002", LookupEffect::LineStatus("reachable"), "line reachable"),
    lookup("+15005555003", LookupEffect::LineStatus("unreachable"), "line not reachable"),
    lookup("+15005555004", LookupEffect::LineStatus("inactive"), "line not in use"),
    lookup("+15005555005", LookupEffect::LineStatus("unknown"), "line status not known"),
    lookup("+15005556001", LookupEffect::CallForwarding, "calls are forwarded"),
    lookup("+15005557003", LookupEffect::PackageError(60003), "no data"),
    lookup("+15005557005", LookupEffect::PackageError(60005), "the carrier fails"),
    lookup("+15005557008", LookupEffect::PackageError(60008), "the carrier does not take part"),
    lookup("+15005557600", LookupEffect::PackageError(60600), "out of coverage"),
    lookup("+15005557601", LookupEffect::PackageError(60601), "not authorized for Canadian data"),
    lookup("+15005557606", LookupEffect::PackageError(60606), "package not enabled"),
    lookup("+15005557607", LookupEffect::PackageError(60607), "package not available in the country"),
    lookup("+15005557608", LookupEffect::PackageError(60608), "package fails"),
    lookup("+15005558101", LookupEffect::Invalid("INVALID_BUT_POSSIBLE"), "not assigned to anybody"),
    lookup("+15005558102", LookupEffect::Invalid("TOO_SHORT"), "too short"),
    lookup("+15005558103", LookupEffect::Invalid("TOO_LONG"), "too long"),
    lookup("+15005558201", LookupEffect::RespondLate(Duration::from_secs(1)), "Lookup is slow"),
    lookup("+15005558429", LookupEffect::Fail(429), "too many Lookups"),
    lookup("+15005558500", LookupEffect::Fail(500), "Lookup fails"),
    lookup("+15005558503", LookupEffect::Fail(503), "Lookup is down"),
];

const fn verify(number: &'static str, effect: VerifyEffect, meaning: &'static str) -> MagicNumber {
    MagicNumber { number, effect: Effect::Verify(effect), meaning }
}

const fn lookup(number: &'static str, effect: LookupEffect, meaning: &'static str) -> MagicNumber {
    MagicNumber { number, effect: Effect::Lookup(effect), meaning }
}

/// A refusal whose status is documented.
const fn refuse(
    number: &'static str,
    status: u16,
    code: u32,
    when: When,
    message: &'static str,
    meaning: &'static str,
) -> MagicNumber {
    let refusal = Refusal { status, status_assumed: false, code, message, when };
    verify(number, VerifyEffect::Refuse(refusal), meaning)
}

/// A refusal whose status is not documented.
const fn assume(
    number: &'static str,
    status: u16,
    code: u32,
    when: When,
    message: &'static str,
    meaning: &'static str,
) -> MagicNumber {
    let refusal = Refusal { status, status_assumed: true, code, message, when };
    verify(number, VerifyEffect::Refuse(refusal), meaning)
}

const fn risk(score: u8, blocked: bool) -> LookupEffect {
    LookupEffect::SmsPumpingRisk { score, blocked }
}

const fn sim_swap(hours_ago: Option<u32>, swapped_in_period: bool) -> LookupEffect {
    LookupEffect::SimSwap { hours_ago, swapped_in_period }
}

const fn carrier(
    name: &'static str,
    mobile_country_code: &'static str,
    mobile_network_code: &'static str,
) -> LookupEffect {
    LookupEffect::Carrier { name, mobile_country_code, mobile_network_code }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const README: &str = include_str!("../../README.md");

    /// A row of the README's tables.
    fn row(magic: &MagicNumber) -> String {
        let answer = match magic.effect {
            Effect::Verify(effect) => verify_answer(effect),
            Effect::Lookup(effect) => lookup_answer(effect),
        };
        format!("| `{}` | {answer} | {} |", magic.number, magic.meaning)
    }

    fn verify_answer(effect: VerifyEffect) -> String {
        match effect {
            VerifyEffect::Refuse(refusal) => {
                let assumed = if refusal.status_assumed { "?" } else { "" };
                let when = match refusal.when {
                    When::Always => "",
                    When::Sms => ", by SMS only",
                    When::Whatsapp => ", by WhatsApp only",
                    When::RiskChecked => ", unless SMS with `RiskCheck=disable`",
                    When::WithLocale => ", with `Locale` only",
                };
                format!("{}{assumed} / {}{when}", refusal.status, refusal.code)
            }
            VerifyEffect::ReachedRateLimit => "429 / 20429 with `Twilio-Reached-Rate-Limit`".to_owned(),
            VerifyEffect::RespondLate(delay) => format!("201 after {} s", delay.as_secs()),
            VerifyEffect::HangUp | VerifyEffect::SendAndHangUp => "none".to_owned(),
        }
    }

    fn lookup_answer(effect: LookupEffect) -> String {
        match effect {
            LookupEffect::LineType(line_type) => format!("`line_type_intelligence`: `{line_type}`"),
            LookupEffect::SmsPumpingRisk { score, .. } => format!("`sms_pumping_risk`: {score}"),
            LookupEffect::SimSwap { .. } => "`sim_swap`".to_owned(),
            LookupEffect::LineStatus(status) => format!("`line_status`: `{status}`"),
            LookupEffect::CallForwarding => "`call_forwarding`".to_owned(),
            LookupEffect::Carrier { name, mobile_country_code, mobile_network_code } => {
                format!("`line_type_intelligence`: {name}, {mobile_country_code}-{mobile_network_code}")
            }
            LookupEffect::PackageError(code) => format!("every package: {code}"),
            LookupEffect::Invalid(reason) => format!("not valid: `{reason}`"),
            LookupEffect::RespondLate(delay) => format!("200 after {} s", delay.as_secs()),
            LookupEffect::Fail(status) => format!("{status} / {}", 20000 + u32::from(status)),
        }
    }

    #[test]
    fn the_readme_has_every_number_and_no_other() {
        let expected: Vec<String> = MAGIC_NUMBERS.iter().map(row).collect();
        let found: Vec<&str> = README.lines().filter(|line| line.starts_with("| `+1500555")).collect();
        assert_eq!(found, expected, "the rows that belong there:\n{}\n", expected.join("\n"));
    }

    #[test]
    fn a_number_ends_with_its_code() {
        let numbers: BTreeSet<&str> = MAGIC_NUMBERS.iter().map(|magic| magic.number).collect();
        assert_eq!(numbers.len(), MAGIC_NUMBERS.len(), "no number stands for two things");
        for magic in MAGIC_NUMBERS {
            assert!(magic.number.starts_with("+1500555") && magic.number.len() == 12);
            if let Effect::Verify(VerifyEffect::Refuse(refusal)) = magic.effect {
                assert_eq!(magic.number[8..], refusal.code.to_string()[1..]);
            }
        }
    }
}
