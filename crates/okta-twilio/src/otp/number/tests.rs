use strum::VariantArray as _;

use super::*;
use crate::config::tests::lookup as variables;

fn read(list: &[(&'static str, &'static str)]) -> Result<Option<LookupConfig>, ConfigError> {
    LookupConfig::from_variables(&Variables::new(&variables(list)))
}

fn problem(list: &[(&'static str, &'static str)]) -> String {
    read(list).unwrap_err().to_string()
}

#[test]
fn without_fields_there_is_no_lookup() {
    assert_eq!(read(&[]).unwrap(), None);
    assert_eq!(read(&[("LOOKUP_FIELDS", " "), ("LOOKUP_TIMEOUT_MS", "500")]).unwrap(), None);
}

#[test]
fn basic_is_not_a_package() {
    let config = read(&[("LOOKUP_FIELDS", "basic")]).unwrap().unwrap();
    assert!(config.packages.is_empty() && config.default_country.is_none());
    assert_eq!(config.timeout, Duration::from_millis(700));
    assert_eq!(config.url.as_str(), "https://lookups.twilio.com/");
}

#[test]
fn takes_every_package_once() {
    let names = "sim_swap, line_type_intelligence,sms_pumping_risk,line_status,call_forwarding,basic,sim_swap";
    let config = read(&[("LOOKUP_FIELDS", names), ("DEFAULT_COUNTRY", "gb")]).unwrap().unwrap();
    assert_eq!(config.packages, Package::VARIANTS.iter().copied().collect());
    assert_eq!(config.default_country.unwrap().to_string(), "GB");
}

#[test]
fn a_malformed_value_is_rejected() {
    for (variable, value) in [
        ("LOOKUP_FIELDS", "carrier"),
        ("LOOKUP_FIELDS", "line_type_intelligence,"),
        ("LOOKUP_FIELDS", "Basic"),
        ("LOOKUP_FIELDS", "line_type_intelligence sim_swap"),
        ("LOOKUP_FIELDS", "reassigned_number"),
        ("LOOKUP_FIELDS", "phone_number_quality_score"),
        ("LOOKUP_FIELDS", "sim_swap,caller_name"),
        ("LOOKUP_FIELDS", "validation"),
        ("LOOKUP_TIMEOUT_MS", "0"),
        ("LOOKUP_TIMEOUT_MS", "2001"),
        ("LOOKUP_TIMEOUT_MS", "0.7s"),
        ("DEFAULT_COUNTRY", "UK"),
        ("DEFAULT_COUNTRY", "US,CA"),
        ("TWILIO_LOOKUP_URL", "http://lookups.example.com"),
    ] {
        let error = problem(&[(variable, value)]);
        assert!(error.starts_with(&format!("{variable}: ")) && error.contains("; for example "), "{error}");
    }
    assert!(problem(&[("LOOKUP_FIELDS", "reassigned_number")]).contains("date of consent"));
}

#[test]
fn a_default_country_requires_lookup() {
    assert_eq!(
        problem(&[("DEFAULT_COUNTRY", "US")]),
        "LOOKUP_FIELDS: must be set, because DEFAULT_COUNTRY needs Lookup (basic is free); \
         for example LOOKUP_FIELDS=basic"
    );
}

#[test]
fn a_request_that_was_not_sent_is_not_counted() {
    let usage = |packages: &[Package], failure| {
        let packages = packages.iter().copied().collect();
        LookupUsage { latency: Duration::ZERO, packages, failure }.asked()
    };
    assert_eq!(usage(&[], None), ["basic"]);
    assert_eq!(usage(&[Package::SimSwap, Package::LineStatus], None), ["sim_swap", "line_status"]);
    assert_eq!(usage(&[Package::SimSwap], Some(Reason::TwilioTimeout)), ["sim_swap"]);
    assert!(usage(&[Package::SimSwap], Some(Reason::TwilioUnreachable)).is_empty());
    assert!(usage(&[Package::SimSwap], Some(Reason::OutOfTime)).is_empty());
}
