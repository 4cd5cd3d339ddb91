//! Twilio Lookup: data about a phone number, before a message is paid for.
//!
//! Source: Twilio, Lookup v2 API, with the pages of its packages. A request without packages is free and checks whether
//! the number is possible. Each package is billed. A failed package reports that inside a response with status 200, so
//! each package is parsed separately, and an odd value in one does not affect the others.
//!
//! The URL and the response contain the phone number. Neither is stored, and no error quotes them.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use strum::{IntoStaticStr, VariantArray};
use url::Url;

use crate::{
    phone::{self, CountryCode, DialableNumber, NetworkCode, PhoneNumber},
    reason::Reason,
    telemetry::Log,
    time::{clock::Timestamp, deadline::Deadline},
    twilio::client::{CallOptions, Refusal, TwilioClient, TwilioError, body_of, code_of, reason_of_no_response, text},
};

/// The Lookup packages that a decision about sending can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Package {
    /// Line type and carrier.
    LineTypeIntelligence,
    /// The risk of SMS pumping.
    SmsPumpingRisk,
    /// The time of the last SIM change.
    SimSwap,
    /// Whether the phone number is in service.
    LineStatus,
    /// Whether all calls to the number are forwarded.
    CallForwarding,
}

/// A set of packages.
pub type Packages = BTreeSet<Package>;

impl Package {
    /// Twilio's name for it, in `Fields`, in the response and in metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Parses Twilio's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|package| package.as_str() == text)
    }
}

/// The response for a phone number.
#[derive(Clone, Debug, PartialEq)]
pub enum LookupResponse {
    /// The number is impossible.
    Invalid,
    /// The number is possible.
    Valid {
        /// In E.164 form. Missing only in an odd response.
        number: Option<PhoneNumber>,
        /// The data about it.
        facts: NumberFacts,
        /// Requested packages without data, with Twilio's code if there is one.
        without_data: Vec<(Package, Option<u32>)>,
    },
}

/// The data about a phone number. Every field can be missing, because it was not requested or Twilio has no data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberFacts {
    /// The country of the number.
    pub country: Option<CountryCode>,
    /// `line_type_intelligence`
    pub line: Option<Line>,
    /// `sms_pumping_risk`
    pub sms_pumping: Option<SmsPumping>,
    /// `sim_swap`
    pub sim_swap: Option<SimSwap>,
    /// `line_status`: whether the line is `inactive`, so that no message can reach it. A phone that is switched off is
    /// not inactive.
    pub line_is_inactive: Option<bool>,
    /// `call_forwarding`: whether all calls go to another number.
    pub calls_are_forwarded: Option<bool>,
}

/// Line type and carrier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Missing if Twilio does not know it, or returns an undocumented type.
    pub line_type: Option<LineType>,
    /// The carrier's name from Twilio. It is external text: compare it, but never log it.
    pub carrier_name: Option<String>,
    /// The carrier's network codes.
    pub network: Option<NetworkCode>,
}

/// Twilio's line types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "camelCase")]
pub enum LineType {
    /// A landline. Most landlines cannot receive SMS.
    Landline,
    /// A mobile line.
    Mobile,
    /// Internet telephony that is bound to an address.
    FixedVoip,
    /// Internet telephony that anyone can get online.
    NonFixedVoip,
    /// A personal number that follows its owner.
    Personal,
    /// A number that is free for the caller.
    TollFree,
    /// A premium-rate number.
    Premium,
    /// A number with shared costs.
    SharedCost,
    /// A company's universal access number.
    Uan,
    /// A mailbox.
    Voicemail,
    /// A pager.
    Pager,
    /// Valid, but Twilio does not know the type.
    Unknown,
}

impl LineType {
    /// Twilio's name for it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Parses Twilio's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|line_type| line_type.as_str() == text)
    }
}

/// The risk of SMS pumping: someone earns money from messages to the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmsPumping {
    /// 0 to 100. Twilio advises against sending from 90.
    pub score: Option<u8>,
    /// Whether Fraud Guard currently blocks the number.
    pub blocked: bool,
}

/// The last SIM change that the carrier reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SimSwap {
    /// The time of the change.
    At(Timestamp),
    /// Within the carrier's own period of hours or days, but the exact time is unknown.
    Recently,
    /// Not within that period.
    NotRecently,
}

/// The reason code of a failed Lookup. Lookup has its own codes, so the status decides.
pub fn reason_of(error: &TwilioError) -> Reason {
    match error {
        TwilioError::Refused(refusal) => match refusal.status {
            401 | 403 => Reason::TwilioAuthentication,
            429 => Reason::Throttled,
            500.. => Reason::TwilioFailed,
            _ => Reason::TwilioRefused,
        },
        TwilioError::Unreadable => Reason::TwilioFailed,
        TwilioError::NoResponse(error) => reason_of_no_response(*error),
        TwilioError::NoCredentials(_) => Reason::SecretUnavailable,
    }
}

/// What an admin can do about the code of a package or a refusal. `None` for the many codes that only mean "no data".
pub fn advice_on(code: u32) -> Option<&'static str> {
    Some(match code {
        20003 | 20006 | 20403 => {
            "Check that the Twilio credentials have permission for Lookup. A restricted key needs it explicitly."
        }
        60601 => "Ask Twilio to approve the account for Canadian carrier data.",
        60606 => "Ask Twilio to enable the package for the account, or take it out of LOOKUP_FIELDS.",
        60611 => "The account's quota for the package is used up. Ask Twilio to raise it.",
        60614 | 60619 => {
            "Twilio stores the data of this country in another region. Set TWILIO_LOOKUP_URL to that region."
        }
        20429 | 60616 => "There were too many Lookups at once. Ask Twilio to raise the account's limit.",
        60624 => "A trial account has few Lookups. Upgrade it.",
        _ => return None,
    })
}

/// A client for Lookup.
#[derive(Clone)]
pub struct LookupClient {
    twilio: TwilioClient,
    base: Url,
}

impl LookupClient {
    /// `base` is an HTTP URL.
    pub fn new(twilio: TwilioClient, base: Url) -> Self {
        Self { twilio, base }
    }

    /// Looks up a number. `country` completes a national number. A second request with newer credentials after a 401 is
    /// made only if `min_remaining` is left.
    ///
    /// # Errors
    /// Fails if Twilio refuses, does not respond in time, or responds with something else.
    pub async fn ask(
        &self,
        number: &DialableNumber,
        country: Option<CountryCode>,
        packages: &Packages,
        (deadline, min_remaining): (Deadline, Duration),
        log: &Log,
    ) -> Result<LookupResponse, TwilioError> {
        let url = self.url(number, country, packages);
        let options = CallOptions { deadline, min_remaining, repeatable: true };
        let response = self.twilio.call(options, log, |http, _| http.get(url.clone())).await?.response?;
        if response.status == http::StatusCode::OK {
            read(&body_of(&response), packages).ok_or(TwilioError::Unreadable)
        } else {
            Err(Refusal::of(&response).into())
        }
    }

    fn url(&self, number: &DialableNumber, country: Option<CountryCode>, packages: &Packages) -> Url {
        let mut url = self.base.clone();
        let path = self.base.path().trim_end_matches('/');
        let (number, country) = match number {
            // A plain plus sign would be read as a blank.
            DialableNumber::International(number) => (number.expose().replace('+', "%2B"), None),
            DialableNumber::National(number) => (number.expose().to_owned(), country),
        };
        url.set_path(&format!("{path}/v2/PhoneNumbers/{number}"));
        let names: Vec<_> = packages.iter().map(|package| package.as_str()).collect();
        if !names.is_empty() {
            url.query_pairs_mut().append_pair("Fields", &names.join(","));
        }
        if let Some(country) = country {
            url.query_pairs_mut().append_pair("CountryCode", &country.to_string());
        }
        url
    }
}

/// Parses a response. Returns `None` if it does not say whether the number is valid.
fn read(body: &Value, packages: &Packages) -> Option<LookupResponse> {
    if !body.get("valid")?.as_bool()? {
        return Some(LookupResponse::Invalid);
    }
    let number = text(body, "phone_number").and_then(|text| match phone::parse(text) {
        Ok((DialableNumber::International(number), Ok(None))) => Some(number),
        _ => None,
    });
    let country = text(body, "country_code").and_then(|text| text.parse().ok());
    let mut facts = NumberFacts { country, ..NumberFacts::default() };
    let mut without_data = Vec::new();
    for package in packages {
        if let Err(code) = read_package(body, *package, &mut facts) {
            without_data.push((*package, code));
        }
    }
    Some(LookupResponse::Valid { number, facts, without_data })
}

/// Adds a package's data to the facts. The error is Twilio's code, if there is one.
fn read_package(body: &Value, package: Package, facts: &mut NumberFacts) -> Result<(), Option<u32>> {
    let data = body.get(package.as_str()).filter(|data| data.is_object()).ok_or(None)?;
    // A malformed code does not invalidate the data.
    match data.get("error_code") {
        Some(Value::String(code)) if code.trim().is_empty() => {}
        Some(code @ (Value::Number(_) | Value::String(_))) if code_of(code) != Some(0) => return Err(code_of(code)),
        _ => {}
    }
    let found = match package {
        Package::LineTypeIntelligence => keep(&mut facts.line, line(data)),
        Package::SmsPumpingRisk => keep(&mut facts.sms_pumping, sms_pumping(data)),
        Package::SimSwap => keep(&mut facts.sim_swap, sim_swap(data)),
        Package::LineStatus => keep(&mut facts.line_is_inactive, line_is_inactive(data)),
        Package::CallForwarding => {
            keep(&mut facts.calls_are_forwarded, data.get("call_forwarding_enabled").and_then(Value::as_bool))
        }
    };
    if found { Ok(()) } else { Err(None) }
}

fn keep<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

fn line(data: &Value) -> Option<Line> {
    let line = Line {
        line_type: text(data, "type").and_then(LineType::parse),
        carrier_name: text(data, "carrier_name").map(str::to_owned),
        network: digits(data, "mobile_country_code")
            .zip(digits(data, "mobile_network_code"))
            .and_then(|(country, network)| NetworkCode::parse(&country, &network)),
    };
    (line != Line::default()).then_some(line)
}

/// The digits of a code, written as a text or as a number.
fn digits(data: &Value, field: &str) -> Option<String> {
    match data.get(field)? {
        Value::String(text) => Some(text.trim().to_owned()),
        number => number.as_u64().map(|number| number.to_string()),
    }
}

fn sms_pumping(data: &Value) -> Option<SmsPumping> {
    let score = data.get("sms_pumping_risk_score").and_then(Value::as_u64).and_then(|score| u8::try_from(score).ok());
    let score = score.filter(|score| *score <= 100);
    let blocked = data.get("number_blocked").and_then(Value::as_bool);
    (score.is_some() || blocked.is_some()).then(|| SmsPumping { score, blocked: blocked.unwrap_or(false) })
}

fn sim_swap(data: &Value) -> Option<SimSwap> {
    let last = data.get("last_sim_swap")?;
    if let Some(date) = text(last, "last_sim_swap_date").and_then(Timestamp::parse) {
        return Some(SimSwap::At(date));
    }
    let in_period = last.get("swapped_in_period")?.as_bool()?;
    Some(if in_period { SimSwap::Recently } else { SimSwap::NotRecently })
}

fn line_is_inactive(data: &Value) -> Option<bool> {
    match text(data, "status")? {
        "inactive" => Some(true),
        "active" | "reachable" | "unreachable" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn all() -> Packages {
        Package::VARIANTS.iter().copied().collect()
    }

    fn facts(body: &Value) -> (NumberFacts, Vec<(Package, Option<u32>)>) {
        match read(body, &all()).unwrap() {
            LookupResponse::Valid { facts, without_data, .. } => (facts, without_data),
            LookupResponse::Invalid => panic!("invalid"),
        }
    }

    fn response() -> Value {
        json!({
            "calling_country_code": "1", "country_code": "US", "phone_number": "+12025550123",
            "national_format": "(202) 555-0123", "valid": true, "validation_errors": null, "caller_name": null,
            "line_type_intelligence": {
                "error_code": null, "mobile_country_code": "310", "mobile_network_code": "998",
                "carrier_name": "Example Wireless", "type": "nonFixedVoip"
            },
            "sms_pumping_risk": {
                "carrier_risk_category": "high", "number_blocked": true, "number_blocked_date": "2026-01-02T03:04:05Z",
                "number_blocked_last_3_months": true, "sms_pumping_risk_score": 95, "error_code": null
            },
            "sim_swap": {
                "last_sim_swap": {
                    "last_sim_swap_date": "2026-01-02T03:04:05Z", "swapped_period": "PT24H", "swapped_in_period": true
                },
                "carrier_name": "Example Wireless", "mobile_country_code": "310", "mobile_network_code": "998",
                "error_code": null
            },
            "line_status": {"status": "inactive", "error_code": null},
            "call_forwarding": {"call_forwarding_enabled": true, "error_code": null}
        })
    }

    #[test]
    fn reads_every_package() {
        let (facts, without_data) = facts(&response());
        assert_eq!(facts.country.unwrap().to_string(), "US");
        assert_eq!(
            facts.line.unwrap(),
            Line {
                line_type: Some(LineType::NonFixedVoip),
                carrier_name: Some("Example Wireless".to_owned()),
                network: NetworkCode::parse("310", "998"),
            }
        );
        assert_eq!(facts.sms_pumping, Some(SmsPumping { score: Some(95), blocked: true }));
        assert_eq!(facts.sim_swap, Timestamp::parse("2026-01-02T03:04:05Z").map(SimSwap::At));
        assert_eq!(facts.line_is_inactive, Some(true));
        assert_eq!(facts.calls_are_forwarded, Some(true));
        assert!(without_data.is_empty());
    }

    #[test]
    fn a_failed_package_is_no_data_and_loses_no_other() {
        for (code, expected) in
            [(json!(60606), Some(60606)), (json!("60606"), Some(60606)), (json!("no"), None), (json!(-1), None)]
        {
            for package in Package::VARIANTS.iter().copied() {
                let mut body = response();
                body[package.as_str()]["error_code"] = code.clone();
                let (facts, without_data) = facts(&body);
                assert_eq!(without_data, [(package, expected)], "{code}");
                let known = [
                    facts.line.is_some(),
                    facts.sms_pumping.is_some(),
                    facts.sim_swap.is_some(),
                    facts.line_is_inactive.is_some(),
                    facts.calls_are_forwarded.is_some(),
                ];
                assert_eq!(known.iter().filter(|known| !**known).count(), 1, "{}", package.as_str());
            }
        }
    }

    #[test]
    fn an_odd_field_does_not_affect_its_neighbors() {
        for odd in [json!(null), json!({}), json!(["x"]), json!(true), json!("")] {
            for package in ["line_type_intelligence", "sms_pumping_risk", "sim_swap", "line_status", "call_forwarding"]
            {
                let mut body = response();
                body[package]["error_code"] = odd.clone();
                assert_eq!(facts(&body), facts(&response()), "{package} {odd}");
            }
            for field in ["carrier_name", "mobile_country_code", "mobile_network_code"] {
                let mut body = response();
                body["line_type_intelligence"][field] = odd.clone();
                assert_eq!(facts(&body).0.line.unwrap().line_type, Some(LineType::NonFixedVoip), "{field} {odd}");
            }
            for field in ["country_code", "phone_number", "calling_country_code", "national_format", "url"] {
                let mut body = response();
                body[field] = odd.clone();
                assert_eq!(facts(&body).0.line, facts(&response()).0.line, "{field} {odd}");
            }
            let mut body = response();
            body["line_type_intelligence"]["type"] = odd.clone();
            body["sms_pumping_risk"]["number_blocked"] = odd.clone();
            let (facts, _) = facts(&body);
            assert_eq!(facts.line.unwrap().network, NetworkCode::parse("310", "998"), "{odd}");
            assert_eq!(facts.sms_pumping.unwrap().score, Some(95), "{odd}");
        }
    }

    #[test]
    fn a_networks_codes_may_be_numbers() {
        let mut body = response();
        body["line_type_intelligence"]["mobile_country_code"] = json!(310);
        body["line_type_intelligence"]["mobile_network_code"] = json!(998);
        assert_eq!(facts(&body), facts(&response()));
    }

    #[test]
    fn an_odd_package_counts_as_missing_data() {
        for odd in [json!(null), json!([]), json!("x"), json!(7), json!({}), json!({"type": null, "status": "unknown"})]
        {
            for package in Package::VARIANTS.iter().copied() {
                let mut body = response();
                body[package.as_str()] = odd.clone();
                assert_eq!(facts(&body).1, [(package, None)], "{} {odd}", package.as_str());
            }
        }
        for score in [json!(101), json!(-1), json!("95"), json!(1.5), json!(null)] {
            let mut body = response();
            body["sms_pumping_risk"]["sms_pumping_risk_score"] = score;
            assert_eq!(facts(&body).0.sms_pumping, Some(SmsPumping { score: None, blocked: true }));
        }
    }

    #[test]
    fn an_unrequested_package_is_not_read() {
        let response = read(&response(), &Packages::new()).unwrap();
        let LookupResponse::Valid { facts, without_data, .. } = response else { panic!() };
        assert!(facts.country.is_some() && without_data.is_empty());
        assert_eq!(NumberFacts { country: None, ..facts }, NumberFacts::default());
    }

    #[test]
    fn reads_a_swap_without_a_date() {
        for (last, expected) in [
            (json!({"last_sim_swap_date": null, "swapped_in_period": true}), Some(SimSwap::Recently)),
            (json!({"swapped_period": "PT24H", "swapped_in_period": false}), Some(SimSwap::NotRecently)),
            (json!({"last_sim_swap_date": "soon", "swapped_in_period": true}), Some(SimSwap::Recently)),
            (json!({"swapped_period": "PT24H"}), None),
            (json!(null), None),
        ] {
            assert_eq!(sim_swap(&json!({"last_sim_swap": last})), expected, "{last}");
        }
    }

    #[test]
    fn knows_what_twilio_calls_a_line_and_its_status() {
        for line_type in LineType::VARIANTS.iter().copied() {
            assert_eq!(line(&json!({"type": line_type.as_str()})).unwrap().line_type, Some(line_type));
        }
        assert_eq!(LineType::parse("satellite"), None);
        for (status, inactive) in [
            ("active", Some(false)),
            ("reachable", Some(false)),
            ("unreachable", Some(false)),
            ("inactive", Some(true)),
            ("unknown", None),
        ] {
            assert_eq!(line_is_inactive(&json!({"status": status})), inactive, "{status}");
        }
    }

    #[test]
    fn an_invalid_number_is_a_valid_response() {
        for errors in [json!(["TOO_LONG"]), json!(null), json!([]), json!("NOT_A_NUMBER")] {
            let body = json!({"valid": false, "validation_errors": errors, "phone_number": "+120255501234"});
            assert_eq!(read(&body, &all()), Some(LookupResponse::Invalid));
        }
    }

    #[test]
    fn a_response_without_validity_is_rejected() {
        for body in [json!({}), json!([]), json!(null), json!({"valid": "true"}), json!({"valid": null})] {
            assert_eq!(read(&body, &all()), None, "{body}");
        }
    }

    #[test]
    fn the_url_has_the_number_the_packages_and_the_country() {
        let base = Url::parse("http://127.0.0.1:9/proxy/").unwrap();
        let client = LookupClient { twilio: crate::twilio::client::tests::client(), base };
        let country: Option<CountryCode> = "GB".parse().ok();
        let url = |number: &str, packages: &[Package]| {
            let (number, _) = phone::parse(number).unwrap();
            client.url(&number, country, &packages.iter().copied().collect()).to_string()
        };
        assert_eq!(url("+442079460060", &[]), "http://127.0.0.1:9/proxy/v2/PhoneNumbers/%2B442079460060");
        assert_eq!(
            url("+442079460060", &[Package::SimSwap, Package::LineTypeIntelligence]),
            "http://127.0.0.1:9/proxy/v2/PhoneNumbers/%2B442079460060?Fields=line_type_intelligence%2Csim_swap"
        );
        assert_eq!(url("020 7946 0060", &[]), "http://127.0.0.1:9/proxy/v2/PhoneNumbers/02079460060?CountryCode=GB");
    }

    proptest! {
        #[test]
        fn never_panics(field in 0_usize..Package::VARIANTS.len(), name in "[a-z_]{0,24}", value in any::<i64>()) {
            let mut body = response();
            body[Package::VARIANTS[field].as_str()] = json!({name: value, "last_sim_swap": value});
            prop_assert!(read(&body, &all()).is_some());
        }
    }
}
