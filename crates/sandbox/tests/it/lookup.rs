//! Lookup: formatting, validation and packages.

use crate::bench::{Bench, NUMBER};
use reqwest::Method;
use sandbox::{Effect, Fault, LookupEffect, MAGIC_NUMBERS, Operation, Times};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

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

/// The packages that the functions request.
const ASKED_FOR: [&str; 5] =
    ["sim_swap", "call_forwarding", "line_status", "line_type_intelligence", "sms_pumping_risk"];

impl Bench {
    fn lookup(&self, number: &str, query: &str) -> crate::bench::Answer {
        self.get(&format!("/v2/PhoneNumbers/{}?{query}", number.replace('+', "%2B")))
    }

    /// One package of a number.
    fn package(&self, number: &str, package: &str) -> Value {
        let answer = self.lookup(number, &format!("Fields={package}"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()[package].clone()
    }
}

#[test]
fn the_free_response_formats_and_validates() {
    let bench = Bench::new();
    let answer = bench.lookup(NUMBER, "");
    assert_eq!(answer.status, 200);
    let mut expected = json!({
        "calling_country_code": "1",
        "country_code": "US",
        "phone_number": NUMBER,
        "national_format": "(202) 555-0123",
        "valid": true,
        "validation_errors": null,
        "url": format!("https://lookups.twilio.com/v2/PhoneNumbers/{NUMBER}"),
    });
    for package in PACKAGES {
        expected[package] = Value::Null;
    }
    assert_eq!(answer.json(), expected);
    assert_eq!(bench.lookup(NUMBER, "Fields=validation").json(), expected);
}

#[test]
fn an_invalid_number_gets_a_response() {
    let bench = Bench::new();
    let body = bench.lookup("+120255501234", "Fields=line_type_intelligence").json();
    assert_eq!((&body["valid"], &body["validation_errors"]), (&json!(false), &json!(["TOO_LONG"])));
    assert_eq!(body["phone_number"], "+120255501234");
    for member in ["calling_country_code", "country_code", "national_format", "line_type_intelligence"] {
        assert_eq!(body[member], Value::Null, "{member}");
    }
    assert_eq!(bench.get("/v2/PhoneNumbers/").error(), (404, 20404));
}

#[test]
fn a_national_number_needs_its_country() {
    let bench = Bench::new();
    let number = |query: &str| bench.lookup("02079460123", query).json()["phone_number"].clone();
    assert_eq!(number("CountryCode=GB"), "+442079460123");
    assert_eq!(number(""), "+102079460123", "without a country it is taken for an American one");
    let given = bench.lookup("+442079460123", "CountryCode=DE").json();
    assert_eq!(given["country_code"], "GB", "a calling code takes precedence");
    assert_eq!(
        bench.lookup("0301234567", "CountryCode=QQ").json()["validation_errors"],
        json!(["INVALID_COUNTRY_CODE"])
    );
}

#[test]
fn requested_packages_are_returned() {
    let bench = Bench::new();
    let body = bench.lookup(NUMBER, "Fields=line_type_intelligence,sms_pumping_risk").json();
    assert_eq!(body["validation_errors"], json!([]));
    assert_eq!(
        body["line_type_intelligence"],
        json!({
            "type": "mobile",
            "carrier_name": "Example Mobile",
            "mobile_country_code": "001",
            "mobile_network_code": "01",
            "error_code": null,
        })
    );
    assert_eq!(body["sms_pumping_risk"]["sms_pumping_risk_score"], 5);
    assert_eq!(body["sim_swap"], Value::Null);
    assert_eq!(bench.package("+442079460123", "line_type_intelligence")["type"], "landline");
    assert_eq!(bench.package("+442079460123", "line_type_intelligence")["mobile_network_code"], Value::Null);

    let unknown = bench.lookup(NUMBER, "Fields=line_type");
    assert_eq!(unknown.error(), (400, 60200));
    assert!(unknown.message().contains("line_type_intelligence"));
    assert_eq!(bench.lookup(NUMBER, &format!("PartnerSubId={}", "x".repeat(65))).error(), (400, 60618));
}

#[test]
fn unavailable_packages_have_an_error_code() {
    let bench = Bench::new();
    assert_eq!(bench.package("+14165550123", "line_type_intelligence")["error_code"], 60601);
    assert_eq!(bench.package("+14165550123", "line_type_intelligence")["type"], Value::Null);
    assert_eq!(bench.package("+442079460123", "sim_swap")["error_code"], 60612);
}

#[test]
fn credentials_and_method_are_checked() {
    let bench = Bench::new();
    let path = format!("/v2/PhoneNumbers/{NUMBER}");
    assert_eq!(bench.run(bench.anonymous_request(Method::GET, &path)).unwrap().error(), (401, 20003));
    assert_eq!(bench.try_send(Method::POST, &path, &[]).unwrap().error(), (405, 20004));
    assert_eq!(bench.get(&path).status, 200, "a plus in a path is a plus");
    let requests = bench.sandbox.requests_for(Operation::Lookup);
    assert_eq!(requests.iter().map(|request| request.authenticated).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn faults_of_lookup_leave_verify_alone() {
    let bench = Bench::new();
    bench.sandbox.fault(Operation::Lookup, Fault::Status(500), Times::UntilCleared);
    assert_eq!(bench.lookup(NUMBER, "").error(), (500, 20500));
    assert_eq!(bench.send(NUMBER, "1234").status, 201);
}

#[test]
fn every_magic_number_of_lookup_has_its_effect() {
    let bench = Bench::new();
    for magic in MAGIC_NUMBERS {
        let number = magic.number;
        let Effect::Lookup(effect) = magic.effect else {
            assert_eq!(bench.package(number, "line_type_intelligence")["type"], "mobile", "{magic:?}");
            continue;
        };
        match effect {
            LookupEffect::LineType(line_type) => {
                assert_eq!(bench.package(number, "line_type_intelligence")["type"], line_type);
            }
            LookupEffect::SmsPumpingRisk { score, blocked } => {
                let package = bench.package(number, "sms_pumping_risk");
                assert_eq!(package["sms_pumping_risk_score"], score);
                assert_eq!(package["number_blocked"], blocked);
                assert_eq!(package["number_blocked_date"].is_string(), blocked);
            }
            LookupEffect::SimSwap { hours_ago, swapped_in_period } => {
                let swap = &bench.package(number, "sim_swap")["last_sim_swap"];
                assert_eq!(swap["last_sim_swap_date"].is_string(), hours_ago.is_some());
                assert_eq!(swap["swapped_in_period"], swapped_in_period);
            }
            LookupEffect::LineStatus(status) => assert_eq!(bench.package(number, "line_status")["status"], status),
            LookupEffect::CallForwarding => {
                assert_eq!(bench.package(number, "call_forwarding")["call_forwarding_enabled"], true);
            }
            LookupEffect::Carrier { name, mobile_country_code, mobile_network_code } => {
                let package = bench.package(number, "line_type_intelligence");
                assert_eq!(package["carrier_name"], name);
                assert_eq!(package["mobile_country_code"], mobile_country_code);
                assert_eq!(package["mobile_network_code"], mobile_network_code);
            }
            LookupEffect::PackageError(code) => {
                let body = bench.lookup(number, &format!("Fields={}", ASKED_FOR.join(","))).json();
                assert_eq!(body["valid"], true);
                for package in ASKED_FOR {
                    assert_eq!(body[package]["error_code"], code, "{package}");
                }
            }
            LookupEffect::Invalid(reason) => {
                let body = bench.lookup(number, "Fields=line_type_intelligence").json();
                assert_eq!((&body["valid"], &body["validation_errors"]), (&json!(false), &json!([reason])));
                assert_eq!(body["line_type_intelligence"], Value::Null);
            }
            LookupEffect::RespondLate(delay) => {
                let started = Instant::now();
                assert_eq!(bench.lookup(number, "").json()["valid"], true);
                assert!(started.elapsed() >= delay && delay == Duration::from_secs(1));
            }
            LookupEffect::Fail(status) => {
                assert_eq!(bench.lookup(number, "").error(), (status, 20000 + u64::from(status)));
            }
        }
    }
}

#[test]
fn sim_swap_dates_follow_the_sandboxes_clock() {
    let bench = Bench::new();
    let date = |number| bench.package(number, "sim_swap")["last_sim_swap"]["last_sim_swap_date"].to_string();
    let (two_hours_ago, long_ago) = (date("+15005554001"), date("+15005554002"));
    assert!(long_ago < two_hours_ago);
    bench.sandbox.advance(Duration::from_hours(48));
    assert!(date("+15005554001") > two_hours_ago);
}
