//! Lookup v2: formats and validates a number. Packages with further data must be requested.

use super::error::TwilioError;
use super::exchange::{Form, Transport, value};
use super::magic_numbers::{self, Effect, LookupEffect};
use super::phone_number::{self, PhoneNumber};
use crate::clock::Moment;
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(crate) const PARAMETERS: &[&str] = &["Fields", "CountryCode", "PartnerSubId"];

/// The packages that a request can name in addition to the free `validation`.
const PACKAGES: [&str; 10] = [
    "caller_name",
    "sim_swap",
    "call_forwarding",
    "line_status",
    "line_type_intelligence",
    "identity_match",
    "reassigned_number",
    "sms_pumping_risk",
    "phone_number_quality_score",
    "pre_fill",
];

/// The test network in the list of mobile network codes.
const TEST_NETWORK: (&str, &str, &str) = ("Example Mobile", "001", "01");
/// Canadian carrier data requires Twilio's approval.
const NOT_AUTHORIZED_FOR_CANADA: u32 = 60601;
const NOT_A_MOBILE_NUMBER: u32 = 60612;

/// Looks up a number.
pub(crate) fn fetch(text: &str, form: &Form, now: Moment) -> (Result<Value, TwilioError>, Transport) {
    let country = value(form, "CountryCode").filter(|country| !country.is_empty());
    let number = phone_number::parse(text, country);
    let e164 = number.as_ref().map_or_else(|invalid| &invalid.e164, |number| &number.e164).clone();
    let effect = match magic_numbers::find(&e164).map(|magic| magic.effect) {
        Some(Effect::Lookup(effect)) => Some(effect),
        _ => None,
    };
    let transport = match effect {
        Some(LookupEffect::RespondLate(delay)) => Transport::Late(delay),
        _ => Transport::Prompt,
    };
    let result = requested(form).and_then(|requested| match (effect, &number) {
        (Some(LookupEffect::Fail(429)), _) => Err(TwilioError::too_many_requests(None, None)),
        (Some(LookupEffect::Fail(status)), _) => {
            Err(TwilioError::new(status, 20000 + u32::from(status), "Lookup is not available"))
        }
        (Some(LookupEffect::Invalid(reason)), _) => Ok(invalid(&e164, reason)),
        (_, Err(found)) => Ok(invalid(&e164, found.flaw.name())),
        (_, Ok(number)) => Ok(valid(number, effect, &requested, now)),
    });
    (result, transport)
}

/// The requested packages.
fn requested(form: &Form) -> Result<Vec<&str>, TwilioError> {
    let fields = value(form, "Fields").unwrap_or_default();
    let fields: Vec<&str> = fields.split(',').map(str::trim).filter(|field| !field.is_empty()).collect();
    if let Some(unknown) = fields.iter().find(|field| **field != "validation" && !PACKAGES.contains(field)) {
        let message = format!("Invalid field {unknown}. Valid fields are: validation, {}", PACKAGES.join(", "));
        return Err(TwilioError::new(400, 60200, message));
    }
    if value(form, "PartnerSubId").is_some_and(|text| text.chars().count() > 64) {
        return Err(TwilioError::new(400, 60618, "Malformed parameter: PartnerSubId"));
    }
    Ok(fields)
}

fn valid(number: &PhoneNumber, effect: Option<LookupEffect>, requested: &[&str], now: Moment) -> Value {
    let about = About { number, effect, now };
    let mut body = body(&number.e164);
    let country = (number.country != "001").then_some(number.country);
    body.insert("calling_country_code".to_owned(), number.calling_code.to_string().into());
    body.insert("country_code".to_owned(), country.into());
    body.insert("national_format".to_owned(), number.national_format.as_str().into());
    body.insert("valid".to_owned(), true.into());
    for package in PACKAGES.into_iter().filter(|package| requested.contains(package)) {
        // Twilio returns `null` for the free request and `[]` with some packages.
        body.insert("validation_errors".to_owned(), json!([]));
        body.insert(package.to_owned(), about.package(package));
    }
    body.into()
}

fn invalid(e164: &str, reason: &str) -> Value {
    let mut body = body(e164);
    body.insert("validation_errors".to_owned(), json!([reason]));
    body.into()
}

/// All fields of a response, without any data.
fn body(e164: &str) -> Map<String, Value> {
    let known = ["calling_country_code", "country_code", "national_format", "validation_errors"];
    let mut body: Map<String, Value> =
        known.into_iter().chain(PACKAGES).map(|name| (name.to_owned(), Value::Null)).collect();
    body.insert("phone_number".to_owned(), e164.into());
    body.insert("valid".to_owned(), false.into());
    body.insert("url".to_owned(), format!("https://lookups.twilio.com/v2/PhoneNumbers/{e164}").into());
    body
}

/// The data about a number.
struct About<'lookup> {
    number: &'lookup PhoneNumber,
    effect: Option<LookupEffect>,
    now: Moment,
}

impl About<'_> {
    fn package(&self, name: &str) -> Value {
        let package = match name {
            "sim_swap" => self.sim_swap(),
            "call_forwarding" => self.call_forwarding(),
            "line_status" => self.line_status(),
            "line_type_intelligence" => self.line_type_intelligence(),
            "sms_pumping_risk" => self.sms_pumping_risk(),
            // The functions never request any other package.
            _ => Value::Null,
        };
        match self.effect {
            Some(LookupEffect::PackageError(code)) => failed(package, code),
            _ => package,
        }
    }

    fn sim_swap(&self) -> Value {
        let (hours_ago, swapped_in_period) = match self.effect {
            Some(LookupEffect::SimSwap { hours_ago, swapped_in_period }) => (hours_ago, swapped_in_period),
            _ => (Some(3 * 365 * 24), false),
        };
        let swapped = hours_ago.map(|hours| self.now.earlier_by(Duration::from_hours(hours.into())));
        let (carrier, mobile_country_code, mobile_network_code) = self.carrier();
        let package = json!({
            "last_sim_swap": {
                "last_sim_swap_date": swapped,
                "swapped_period": "PT24H",
                "swapped_in_period": swapped_in_period,
            },
            "carrier_name": carrier,
            "mobile_country_code": mobile_country_code,
            "mobile_network_code": mobile_network_code,
            "error_code": null,
        });
        match phone_number::line_type(self.number) {
            "mobile" => package,
            _ => failed(package, NOT_A_MOBILE_NUMBER),
        }
    }

    fn call_forwarding(&self) -> Value {
        json!({
            "call_forwarding_enabled": self.effect == Some(LookupEffect::CallForwarding),
            "error_code": null,
        })
    }

    fn line_status(&self) -> Value {
        let status = match self.effect {
            Some(LookupEffect::LineStatus(status)) => status,
            _ => "active",
        };
        json!({ "status": status, "error_code": null })
    }

    fn line_type_intelligence(&self) -> Value {
        let line_type = phone_number::line_type(self.number);
        let (carrier, mobile_country_code, mobile_network_code) = self.carrier();
        let mobile = line_type == "mobile";
        let has_carrier = !matches!(line_type, "premium" | "sharedCost" | "uan" | "unknown");
        let package = json!({
            "type": line_type,
            "carrier_name": has_carrier.then_some(carrier),
            "mobile_country_code": mobile.then_some(mobile_country_code),
            "mobile_network_code": mobile.then_some(mobile_network_code),
            "error_code": null,
        });
        if self.number.country == "CA" {
            return failed(package, NOT_AUTHORIZED_FOR_CANADA);
        }
        package
    }

    fn sms_pumping_risk(&self) -> Value {
        let (score, blocked) = match self.effect {
            Some(LookupEffect::SmsPumpingRisk { score, blocked }) => (score, blocked),
            _ => (5, false),
        };
        let category = match score {
            0..=60 => "low",
            61..=75 => "mild",
            76..=90 => "moderate",
            _ => "high",
        };
        json!({
            "carrier_risk_category": category,
            "number_blocked": blocked,
            "number_blocked_date": blocked.then(|| self.now.earlier_by(Duration::from_hours(24))),
            "number_blocked_last_3_months": blocked,
            "sms_pumping_risk_score": score,
            "error_code": null,
        })
    }

    /// Name, country code and network code.
    fn carrier(&self) -> (&'static str, &'static str, &'static str) {
        match self.effect {
            Some(LookupEffect::Carrier { name, mobile_country_code, mobile_network_code }) => {
                (name, mobile_country_code, mobile_network_code)
            }
            _ => TEST_NETWORK,
        }
    }
}

/// A failed package, which has only an error code.
fn failed(package: Value, code: u32) -> Value {
    let Value::Object(mut members) = package else { return package };
    for member in members.values_mut() {
        *member = Value::Null;
    }
    members.insert("error_code".to_owned(), code.into());
    members.into()
}
