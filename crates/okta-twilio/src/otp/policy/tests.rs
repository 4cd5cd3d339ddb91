use std::collections::BTreeSet;

use proptest::{prelude::*, sample};
use strum::VariantArray as _;

use super::*;
use crate::config::tests::lookup;

const NOW_SECONDS: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW_SECONDS * 1_000)
}

fn hours_ago(hours: i64) -> SimSwap {
    SimSwap::At(Timestamp::from_millis((NOW_SECONDS - hours * 3_600) * 1_000))
}

fn country(code: &str) -> CountryCode {
    code.parse().unwrap()
}

fn all_packages() -> Packages {
    Package::VARIANTS.iter().copied().collect()
}

fn read_with(packages: Option<&Packages>, list: &[(&'static str, &'static str)]) -> Result<Policy, ConfigError> {
    Policy::from_variables(&Variables::new(&lookup(list)), packages)
}

fn policy(list: &[(&'static str, &'static str)]) -> Policy {
    read_with(Some(&all_packages()), list).unwrap()
}

const SMS: PolicyRequest = PolicyRequest { channel: Channel::Sms, request_type: RequestType::MfaVerification };

fn refused(reason: Reason) -> Decision {
    Decision::Refuse { reason }
}

fn sent(channel: Channel) -> Decision {
    Decision::Send { channel, would_refuse: None }
}

fn decide(policy: &Policy, request: PolicyRequest, number: &str, lookup: &NumberFacts) -> Decision {
    let facts = PolicyFacts { country: number.parse().ok(), lookup: Some(lookup) };
    policy.decide(request, facts, now())
}

fn line(line_type: LineType) -> NumberFacts {
    let carrier_name = Some(" Example WIRELESS ".to_owned());
    let network = NetworkCode::parse("310", "098");
    NumberFacts { line: Some(Line { line_type: Some(line_type), carrier_name, network }), ..NumberFacts::default() }
}

/// A number that every rule refuses.
fn suspect() -> NumberFacts {
    NumberFacts {
        country: None,
        sms_pumping: Some(SmsPumping { score: Some(95), blocked: false }),
        sim_swap: Some(hours_ago(2)),
        line_is_inactive: Some(true),
        calls_are_forwarded: Some(true),
        ..line(LineType::Landline)
    }
}

/// Every rule, in order of precedence.
const RULES: [(&str, &str, Reason); 8] = [
    ("BLOCKED_COUNTRIES", "US", Reason::CountryBlocked),
    ("ALLOWED_COUNTRIES", "GB", Reason::CountryNotAllowed),
    ("BLOCKED_LINE_TYPES", "landline", Reason::LineTypeBlocked),
    ("BLOCKED_CARRIERS", "310-98", Reason::CarrierBlocked),
    ("LANDLINE_TO_CALL", "true", Reason::LineInactive),
    ("MAX_SMS_PUMPING_RISK", "60", Reason::SmsPumpingRisk),
    ("MAX_SIM_SWAP_AGE_HOURS", "72", Reason::SimSwapped),
    ("LANDLINE_TO_CALL", "true", Reason::CallForwarded),
];

/// The suspect number, without the data that the rules above `rule` would refuse.
fn suspect_from(rule: usize) -> NumberFacts {
    let line_is_inactive = Some(rule <= 4);
    NumberFacts { line_is_inactive, ..suspect() }
}

#[test]
fn without_rules_everything_is_sent_as_asked() {
    for channel in [Channel::Sms, Channel::WhatsApp, Channel::Call] {
        for line_type in LineType::VARIANTS.iter().copied() {
            assert_eq!(
                decide(&Policy::default(), PolicyRequest { channel, ..SMS }, "US", &line(line_type)),
                sent(channel)
            );
        }
        let unknown = PolicyFacts { country: None, lookup: None };
        assert_eq!(Policy::default().decide(PolicyRequest { channel, ..SMS }, unknown, now()), sent(channel));
    }
}

#[test]
fn each_rule_objects_by_itself() {
    for (index, (variable, value, reason)) in RULES.into_iter().enumerate() {
        let policy = policy(&[(variable, value)]);
        assert_eq!(decide(&policy, SMS, "US", &suspect_from(index)), refused(reason), "{variable}");
    }
}

#[test]
fn observing_names_the_rule_and_sends() {
    for (index, (variable, value, reason)) in RULES.into_iter().enumerate() {
        let policy = policy(&[(variable, value), ("POLICY_MODE", "observe")]);
        let channel = if variable == "LANDLINE_TO_CALL" { Channel::Call } else { Channel::Sms };
        let decision = decide(&policy, SMS, "US", &suspect_from(index));
        assert_eq!(decision, Decision::Send { channel, would_refuse: Some(reason) }, "{variable}");
    }
}

/// `LANDLINE_TO_CALL`, `RESEND_CHANNELS`, `COUNTRY_RULES`, `SMS_CHANNEL`: the first of each pair wins.
#[test]
fn precedence_of_the_channel() {
    use crate::{okta::telephony::DeliveryChannel, otp::config::SendConfig};
    let landline = line(LineType::Landline);
    let mobile = line(LineType::Mobile);
    for to_call in [false, true] {
        for resend in [None, Some(Channel::Sms), Some(Channel::WhatsApp), Some(Channel::Call)] {
            for by_country in [None, Some("sms"), Some("whatsapp")] {
                for sms_channel in ["sms", "whatsapp"] {
                    for facts in [&landline, &mobile] {
                        let rules = by_country.map_or(String::new(), |it| format!(r#"{{"US":{{"channel":"{it}"}}}}"#));
                        let variables = |name: &str| match name {
                            "SMS_CHANNEL" => Some(sms_channel.to_owned()),
                            "COUNTRY_RULES" => Some(rules.clone()),
                            _ => None,
                        };
                        let config = SendConfig::from_variables(&Variables::new(&variables)).unwrap();
                        let policy = Policy { landline_to_call: to_call, ..Policy::default() };
                        let region = Region::Country(country("US"));
                        let decided = |delivery| {
                            let channel = config.channel(delivery, region, resend);
                            decide(&policy, PolicyRequest { channel, ..SMS }, "US", facts)
                        };
                        let word = |it: &str| if it == "sms" { Channel::Sms } else { Channel::WhatsApp };
                        let expected = if to_call && facts == &landline {
                            Channel::Call
                        } else if let Some(resend) = resend {
                            resend
                        } else {
                            word(by_country.unwrap_or(sms_channel))
                        };
                        let case = format!("{to_call} {resend:?} {by_country:?} {sms_channel} {facts:?}");
                        assert_eq!(decided(DeliveryChannel::Sms), sent(expected), "{case}");
                        assert_eq!(decided(DeliveryChannel::Call), sent(Channel::Call), "{case}");
                        // Another country's rule has no effect.
                        let elsewhere = config.channel(DeliveryChannel::Sms, Region::World, resend);
                        assert_eq!(elsewhere, resend.unwrap_or(word(sms_channel)), "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn of_two_rules_the_first_decides() {
    for (first, (variable, value, reason)) in RULES.into_iter().enumerate() {
        for (other_variable, other_value, _) in RULES.into_iter().skip(first + 1) {
            let policy = policy(&[(variable, value), (other_variable, other_value)]);
            let decision = decide(&policy, SMS, "US", &suspect_from(first));
            assert_eq!(decision, refused(reason), "{variable} and {other_variable}");
        }
    }
}

/// Numbers without a country, with each combination of the allow list and the block list.
#[test]
fn numbers_without_a_country() {
    let allowed: [(&str, Option<bool>); 6] = [
        ("", None),
        ("US", Some(false)),
        ("001", Some(true)),
        ("us, 001", Some(true)),
        ("*", Some(false)),
        ("*,001", Some(true)),
    ];
    for (allowed, by_allowed) in allowed {
        for (blocked, is_named) in [("", false), ("RU", false), ("001", true), ("RU,001", true)] {
            let policy = policy(&[("ALLOWED_COUNTRIES", allowed), ("BLOCKED_COUNTRIES", blocked)]);
            let expected = match (by_allowed, is_named) {
                (_, true) => refused(Reason::CountryBlocked),
                (Some(false), false) => refused(Reason::CountryNotAllowed),
                (None, false) if !blocked.is_empty() => refused(Reason::CountryBlocked),
                _ => sent(Channel::Sms),
            };
            let nowhere = PolicyFacts { country: None, lookup: None };
            assert_eq!(policy.decide(SMS, nowhere, now()), expected, "allowed {allowed}, blocked {blocked}");
            let exempt = Policy { exempt_request_types: vec![SMS.request_type], ..policy };
            assert_eq!(exempt.decide(SMS, nowhere, now()), sent(Channel::Sms), "exempt");
        }
    }
}

#[test]
fn countries() {
    let both = [("ALLOWED_COUNTRIES", "US,GB"), ("BLOCKED_COUNTRIES", "GB")];
    for (rules, number, by_lookup, expected) in [
        // Only the number's own country.
        (&both[..1], Some("US"), None, sent(Channel::Sms)),
        (&both[..1], Some("CA"), None, refused(Reason::CountryNotAllowed)),
        (&both[..1], None, None, refused(Reason::CountryNotAllowed)),
        (&both[1..], Some("US"), None, sent(Channel::Sms)),
        (&both[1..], Some("GB"), None, refused(Reason::CountryBlocked)),
        (&both[1..], None, None, refused(Reason::CountryBlocked)),
        (&both[1..], None, Some("US"), sent(Channel::Sms)),
        (&both[1..], None, Some("GB"), refused(Reason::CountryBlocked)),
        (&both[..], None, None, refused(Reason::CountryNotAllowed)),
        (&both[..], Some("GB"), None, refused(Reason::CountryBlocked)),
        (&both[..], Some("US"), None, sent(Channel::Sms)),
        // Lookup's country must be allowed, and neither country can be blocked.
        (&both[..1], Some("CA"), Some("US"), sent(Channel::Sms)),
        (&both[..1], Some("US"), Some("CA"), refused(Reason::CountryNotAllowed)),
        (&both[..1], None, Some("US"), sent(Channel::Sms)),
        (&both[1..], Some("JE"), Some("GB"), refused(Reason::CountryBlocked)),
        (&both[1..], Some("GB"), Some("JE"), refused(Reason::CountryBlocked)),
    ] {
        let facts = NumberFacts { country: by_lookup.map(country), ..NumberFacts::default() };
        let facts = PolicyFacts { country: number.map(country), lookup: Some(&facts) };
        assert_eq!(policy(rules).decide(SMS, facts, now()), expected, "{rules:?} {facts:?}");
    }
}

#[test]
fn countries_need_no_lookup() {
    for (variable, value, reason) in RULES.into_iter().take(2) {
        let policy = read_with(None, &[(variable, value)]).unwrap();
        let facts = PolicyFacts { country: Some(country("US")), lookup: None };
        assert_eq!(policy.decide(SMS, facts, now()), refused(reason));
    }
}

#[test]
fn missing_data_does_not_refuse() {
    let rules: Vec<_> = RULES.iter().skip(2).map(|(variable, value, _)| (*variable, *value)).collect();
    let policy = policy(&rules);
    for lookup in [None, Some(&NumberFacts::default())] {
        let facts = PolicyFacts { country: Some(country("US")), lookup };
        assert_eq!(policy.decide(SMS, facts, now()), sent(Channel::Sms));
    }
    // Twilio responded, but without a type and a carrier.
    let facts = NumberFacts { line: Some(Line::default()), ..NumberFacts::default() };
    assert_eq!(decide(&policy, SMS, "US", &facts), sent(Channel::Sms));
}

#[test]
fn line_types() {
    let policy = policy(&[("BLOCKED_LINE_TYPES", "premium, tollFree ,unknown")]);
    for line_type in LineType::VARIANTS.iter().copied() {
        let blocked = matches!(line_type, LineType::Premium | LineType::TollFree | LineType::Unknown);
        let expected = if blocked { refused(Reason::LineTypeBlocked) } else { sent(Channel::Sms) };
        assert_eq!(decide(&policy, SMS, "US", &line(line_type)), expected, "{}", line_type.as_str());
    }
}

#[test]
fn carriers_by_name_and_by_codes() {
    for (value, blocked) in [
        ("Example Wireless", true),
        ("EXAMPLE WIRELESS", true),
        ("Other,  example wireless ", true),
        ("310-98", true),
        ("310-098", true),
        ("310-980", false),
        ("Example", false),
        ("Example Wireless Inc.", false),
    ] {
        let expected = if blocked { refused(Reason::CarrierBlocked) } else { sent(Channel::Sms) };
        let decision = decide(&policy(&[("BLOCKED_CARRIERS", value)]), SMS, "US", &line(LineType::Mobile));
        assert_eq!(decision, expected, "{value}");
    }
}

#[test]
fn pumping_risk() {
    for (max, score, blocked, refuse) in [
        ("60", Some(60), false, false),
        ("60", Some(61), false, true),
        ("0", Some(0), false, false),
        ("0", Some(1), false, true),
        ("100", Some(100), false, false),
        ("100", Some(0), true, true),
        ("60", None, true, true),
        ("60", None, false, false),
    ] {
        let facts = NumberFacts { sms_pumping: Some(SmsPumping { score, blocked }), ..NumberFacts::default() };
        let expected = if refuse { refused(Reason::SmsPumpingRisk) } else { sent(Channel::Sms) };
        assert_eq!(decide(&policy(&[("MAX_SMS_PUMPING_RISK", max)]), SMS, "US", &facts), expected, "{max} {facts:?}");
        assert_eq!(decide(&Policy::default(), SMS, "US", &facts), sent(Channel::Sms));
    }
}

#[test]
fn sim_swaps() {
    for (swap, refuse) in [
        (hours_ago(71), true),
        (hours_ago(72), false),
        (hours_ago(10_000), false),
        // The carrier's clock is ahead.
        (hours_ago(-1), true),
        (SimSwap::Recently, true),
        (SimSwap::NotRecently, false),
    ] {
        let facts = NumberFacts { sim_swap: Some(swap), ..NumberFacts::default() };
        let expected = if refuse { refused(Reason::SimSwapped) } else { sent(Channel::Sms) };
        assert_eq!(decide(&policy(&[("MAX_SIM_SWAP_AGE_HOURS", "72")]), SMS, "US", &facts), expected, "{swap:?}");
    }
}

#[test]
fn a_landline_gets_a_call() {
    let policy = policy(&[("LANDLINE_TO_CALL", "true")]);
    for channel in [Channel::Sms, Channel::WhatsApp, Channel::Call] {
        let request = PolicyRequest { channel, ..SMS };
        assert_eq!(decide(&policy, request, "US", &line(LineType::Landline)), sent(Channel::Call));
        assert_eq!(decide(&policy, request, "US", &line(LineType::FixedVoip)), sent(channel));
        assert_eq!(decide(&Policy::default(), request, "US", &line(LineType::Landline)), sent(channel));
    }
}

#[test]
fn a_forwarded_number_gets_no_call_and_may_get_a_message() {
    let facts = NumberFacts { calls_are_forwarded: Some(true), ..line(LineType::Mobile) };
    let call = PolicyRequest { channel: Channel::Call, ..SMS };
    assert_eq!(decide(&Policy::default(), call, "US", &facts), refused(Reason::CallForwarded));
    assert_eq!(decide(&Policy::default(), SMS, "US", &facts), sent(Channel::Sms));
}

#[test]
fn an_exempt_request_type_skips_every_refusal_but_not_the_call() {
    let mut rules: Vec<_> = RULES.iter().map(|(variable, value, _)| (*variable, *value)).collect();
    rules.push(("POLICY_EXEMPT_REQUEST_TYPES", "account-unlock, com.okta.user.telephony.password-reset"));
    let policy = policy(&rules);
    for request_type in [RequestType::AccountUnlock, RequestType::PasswordReset] {
        assert_eq!(decide(&policy, PolicyRequest { request_type, ..SMS }, "US", &suspect()), sent(Channel::Call));
    }
    for request_type in [RequestType::PreEnrollment, RequestType::MfaVerification, RequestType::Other] {
        let decision = decide(&policy, PolicyRequest { request_type, ..SMS }, "US", &suspect());
        assert_eq!(decision, refused(Reason::CountryBlocked));
    }
}

#[test]
fn requests_only_packages_that_matter() {
    use Package::{CallForwarding, LineTypeIntelligence};
    let exempt = [("POLICY_EXEMPT_REQUEST_TYPES", "mfa-verification"), ("LANDLINE_TO_CALL", "true")];
    let call = PolicyRequest { channel: Channel::Call, ..SMS };
    let without = |package: Package| all_packages().into_iter().filter(|it| *it != package).collect::<Packages>();
    assert_eq!(Policy::default().packages(SMS, &all_packages()), without(CallForwarding));
    assert_eq!(Policy::default().packages(call, &all_packages()), all_packages());
    assert_eq!(policy(&exempt[1..]).packages(SMS, &all_packages()), all_packages());
    assert_eq!(policy(&exempt[..1]).packages(SMS, &all_packages()), Packages::new());
    assert_eq!(policy(&exempt).packages(SMS, &all_packages()), [LineTypeIntelligence].into());
    assert_eq!(policy(&exempt).packages(call, &all_packages()), Packages::new());
    assert_eq!(policy(&exempt).packages(SMS, &Packages::new()), Packages::new());
}

#[test]
fn a_malformed_value_is_rejected() {
    for (variable, value) in [
        ("ALLOWED_COUNTRIES", "US;CA"),
        ("ALLOWED_COUNTRIES", "US,"),
        ("ALLOWED_COUNTRIES", "UK"),
        ("ALLOWED_COUNTRIES", "+1"),
        ("BLOCKED_COUNTRIES", "USA"),
        ("BLOCKED_COUNTRIES", "*"),
        ("BLOCKED_COUNTRIES", "US,*"),
        ("ALLOWED_COUNTRIES", "**"),
        ("ALLOWED_COUNTRIES", "002"),
        ("ALLOWED_COUNTRIES", "1"),
        ("BLOCKED_COUNTRIES", "XX"),
        ("BLOCKED_LINE_TYPES", "voip"),
        ("BLOCKED_LINE_TYPES", "toll_free"),
        ("BLOCKED_LINE_TYPES", "premium,,uan"),
        ("BLOCKED_CARRIERS", "310"),
        ("BLOCKED_CARRIERS", "310-"),
        ("BLOCKED_CARRIERS", "310-1234"),
        ("BLOCKED_CARRIERS", "Example,"),
        ("MAX_SMS_PUMPING_RISK", "101"),
        ("MAX_SMS_PUMPING_RISK", "-1"),
        ("MAX_SMS_PUMPING_RISK", "high"),
        ("MAX_SMS_PUMPING_RISK", "75.5"),
        ("MAX_SIM_SWAP_AGE_HOURS", "0"),
        ("MAX_SIM_SWAP_AGE_HOURS", "3d"),
        ("LANDLINE_TO_CALL", "yes"),
        ("LANDLINE_TO_CALL", "TRUE"),
        ("POLICY_EXEMPT_REQUEST_TYPES", "recovery"),
        ("POLICY_EXEMPT_REQUEST_TYPES", "other"),
        ("POLICY_EXEMPT_REQUEST_TYPES", "account-unlock,"),
        ("DENY_RESPONSE", "success"),
        ("DENY_RESPONSE", "Swallow"),
    ] {
        let error = read_with(Some(&all_packages()), &[(variable, value)]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{variable}: must be ")), "{error}");
        assert!(error.contains(&format!("; for example {variable}=")), "{error}");
    }
}

#[test]
fn a_rule_without_its_data_is_rejected() {
    for (variable, value, package) in [
        ("BLOCKED_LINE_TYPES", "premium", Package::LineTypeIntelligence),
        ("BLOCKED_CARRIERS", "Example Wireless", Package::LineTypeIntelligence),
        ("LANDLINE_TO_CALL", "true", Package::LineTypeIntelligence),
        ("MAX_SMS_PUMPING_RISK", "75", Package::SmsPumpingRisk),
        ("MAX_SIM_SWAP_AGE_HOURS", "72", Package::SimSwap),
    ] {
        let mut others = all_packages();
        others.remove(&package);
        for available in [None, Some(&Packages::new()), Some(&others)] {
            let error = read_with(available, &[(variable, value)]).unwrap_err().to_string();
            let name = package.as_str();
            let expected =
                format!("LOOKUP_FIELDS: must have {name}, which {variable} needs; for example LOOKUP_FIELDS={name}");
            assert_eq!(error, expected);
        }
        assert!(read_with(Some(&[package].into()), &[(variable, value)]).is_ok());
    }
}

#[test]
fn every_example_in_an_error_is_valid() {
    for variable in [
        "ALLOWED_COUNTRIES",
        "BLOCKED_COUNTRIES",
        "BLOCKED_LINE_TYPES",
        "BLOCKED_CARRIERS",
        "MAX_SMS_PUMPING_RISK",
        "MAX_SIM_SWAP_AGE_HOURS",
        "LANDLINE_TO_CALL",
        "POLICY_EXEMPT_REQUEST_TYPES",
        "POLICY_MODE",
        "DENY_RESPONSE",
    ] {
        let error = read_with(Some(&all_packages()), &[(variable, ",")]).unwrap_err().to_string();
        let example = error.rsplit_once('=').unwrap().1.to_owned();
        let taken = move |name: &str| (name == variable).then(|| example.clone());
        assert!(Policy::from_variables(&Variables::new(&taken), Some(&all_packages())).is_ok(), "{error}");
    }
}

fn documented_types() -> Vec<RequestType> {
    RequestType::VARIANTS.iter().copied().filter(|it| *it != RequestType::Other).collect()
}

fn some_country() -> impl Strategy<Value = CountryCode> {
    sample::select(vec!["US", "CA", "GB", "JE", "DE", "FR", "KZ", "RU"]).prop_map(country)
}

fn some_regions() -> impl Strategy<Value = BTreeSet<Region>> {
    let region = prop_oneof![4 => some_country().prop_map(Region::Country), 1 => Just(Region::World)];
    proptest::collection::btree_set(region, 0..4)
}

fn some_countries() -> impl Strategy<Value = Option<Countries>> {
    let countries = (any::<bool>(), some_regions());
    proptest::option::of(countries.prop_map(|(every_country, regions)| Countries { every_country, regions }))
}

fn some_line_type() -> impl Strategy<Value = LineType> {
    sample::select(LineType::VARIANTS.to_vec())
}

prop_compose! {
    fn some_line()(
        line_type in proptest::option::of(some_line_type()),
        carrier_name in proptest::option::of(sample::select(vec!["Example Wireless", "Other Wireless"])),
        network in proptest::option::of(1_u16..4),
    ) -> Line {
        Line {
            line_type,
            carrier_name: carrier_name.map(str::to_owned),
            network: network.and_then(|network| NetworkCode::parse("310", &network.to_string())),
        }
    }
}

prop_compose! {
    fn some_facts()(
        country in proptest::option::of(some_country()),
        line in proptest::option::of(some_line()),
        sms_pumping in proptest::option::of((proptest::option::of(0_u8..=100), any::<bool>())),
        sim_swap in proptest::option::of(
            prop_oneof![(0_i64..200).prop_map(hours_ago), Just(SimSwap::Recently), Just(SimSwap::NotRecently)]
        ),
        line_is_inactive in proptest::option::of(any::<bool>()),
        calls_are_forwarded in proptest::option::of(any::<bool>()),
    ) -> NumberFacts {
        let sms_pumping = sms_pumping.map(|(score, blocked)| SmsPumping { score, blocked });
        NumberFacts { country, line, sms_pumping, sim_swap, line_is_inactive, calls_are_forwarded }
    }
}

prop_compose! {
    fn some_policy()(
        allowed_countries in some_countries(),
        blocked_countries in some_regions(),
        blocked_line_types in proptest::collection::btree_set(some_line_type(), 0..4),
        blocked_carriers in proptest::collection::vec(
            sample::select(vec!["example wireless", "310-1", "310-2"]), 0..3
        ),
        max_sms_pumping_risk in proptest::option::of(0_u8..=100),
        max_sim_swap_age in proptest::option::of(1_u64..200),
        landline_to_call in any::<bool>(),
        exempt_request_types in sample::subsequence(documented_types(), 0..=4),
    ) -> Policy {
        Policy {
            allowed_countries,
            blocked_countries,
            blocked_line_types,
            blocked_carriers: blocked_carriers.into_iter().filter_map(Carrier::parse).collect(),
            max_sms_pumping_risk,
            max_sim_swap_age: max_sim_swap_age.map(|hours| Duration::from_secs(hours * 3_600)),
            landline_to_call,
            exempt_request_types,
            mode: PolicyMode::Enforce,
            deny_response: DenyResponse::Error,
        }
    }
}

fn some_request() -> impl Strategy<Value = PolicyRequest> {
    let channel = sample::select(vec![Channel::Sms, Channel::Call, Channel::WhatsApp]);
    (channel, sample::select(RequestType::VARIANTS))
        .prop_map(|(channel, request_type)| PolicyRequest { channel, request_type })
}

proptest! {
    #[test]
    fn an_allowed_country_is_never_refused_by_country(
        mut policy in some_policy(), request in some_request(), facts in some_facts(), number in some_country(),
    ) {
        for country in [Some(number), facts.country].into_iter().flatten() {
            policy.allowed_countries.get_or_insert_default().regions.insert(Region::Country(country));
            policy.blocked_countries.remove(&Region::Country(country));
        }
        let decision = policy.decide(request, PolicyFacts { country: Some(number), lookup: Some(&facts) }, now());
        prop_assert!(decision != refused(Reason::CountryBlocked) && decision != refused(Reason::CountryNotAllowed));
    }

    #[test]
    fn blocked_always_wins(
        mut policy in some_policy(), request in some_request(), facts in proptest::option::of(some_facts()),
        number in some_country(),
    ) {
        policy.blocked_countries.insert(Region::Country(number));
        policy.allowed_countries.get_or_insert_default().regions.insert(Region::Country(number));
        policy.exempt_request_types.clear();
        let decision = policy.decide(request, PolicyFacts { country: Some(number), lookup: facts.as_ref() }, now());
        prop_assert_eq!(decision, refused(Reason::CountryBlocked));
    }

    /// Each rule again, from the point of view of a sent code.
    #[test]
    fn a_sent_code_breaks_no_rule(policy in some_policy(), request in some_request(), facts in some_facts()) {
        let decision = policy.decide(request, PolicyFacts { country: None, lookup: Some(&facts) }, now());
        let Decision::Send { channel, .. } = decision else { return Ok(()) };
        if policy.exempt_request_types.contains(&request.request_type) {
            return Ok(());
        }
        let region = Region::from(facts.country);
        prop_assert!(!policy.blocked_countries.contains(&region));
        match &policy.allowed_countries {
            Some(allowed) => {
                let by_star = allowed.every_country && facts.country.is_some();
                prop_assert!(by_star || allowed.regions.contains(&region));
            }
            None => prop_assert!(facts.country.is_some() || policy.blocked_countries.is_empty()),
        }
        if let Some(Line { line_type, carrier_name, network }) = &facts.line {
            prop_assert!(line_type.is_none_or(|line_type| !policy.blocked_line_types.contains(&line_type)));
            let name = carrier_name.as_deref().map(|name| Carrier::Name(name.to_lowercase()));
            let network = network.map(Carrier::Network);
            prop_assert!([name, network].iter().flatten().all(|known| !policy.blocked_carriers.contains(known)));
            let landline = *line_type == Some(LineType::Landline);
            prop_assert!(!(landline && policy.landline_to_call) || channel == Channel::Call);
        }
        if let (Some(max), Some(risk)) = (policy.max_sms_pumping_risk, facts.sms_pumping) {
            prop_assert!(!risk.blocked && risk.score.is_none_or(|score| score <= max));
        }
        if let (Some(max), Some(swap)) = (policy.max_sim_swap_age, facts.sim_swap) {
            let hours = i64::try_from(max.as_secs() / 3_600).unwrap();
            let old = (hours..=200).map(hours_ago).any(|old| old == swap);
            prop_assert!(swap == SimSwap::NotRecently || old);
        }
        prop_assert!(facts.line_is_inactive != Some(true));
        prop_assert!(channel != Channel::Call || facts.calls_are_forwarded != Some(true));
    }

    /// Observe mode sends everything, and reports the channel and the reason that enforce mode would use.
    #[test]
    fn observing_judges_like_enforcing(
        policy in some_policy(), request in some_request(), facts in proptest::option::of(some_facts()),
        number in proptest::option::of(some_country()),
    ) {
        let observing = Policy { mode: PolicyMode::Observe, ..policy.clone() };
        let facts = PolicyFacts { country: number, lookup: facts.as_ref() };
        let Decision::Send { channel, would_refuse } = observing.decide(request, facts, now()) else {
            return Err(TestCaseError::fail("observing refused"));
        };
        match policy.decide(request, facts, now()) {
            Decision::Refuse { reason } => prop_assert_eq!(would_refuse, Some(reason)),
            sent @ Decision::Send { .. } => prop_assert_eq!(sent, Decision::Send { channel, would_refuse }),
        }
        prop_assert_eq!(policy.packages(request, &all_packages()), observing.packages(request, &all_packages()));
    }

    #[test]
    fn an_exempt_request_is_always_sent(
        mut policy in some_policy(), request in some_request(), facts in proptest::option::of(some_facts()),
        number in proptest::option::of(some_country()),
    ) {
        policy.exempt_request_types.push(request.request_type);
        let decision = policy.decide(request, PolicyFacts { country: number, lookup: facts.as_ref() }, now());
        prop_assert!(matches!(decision, Decision::Send { .. }), "{:?}", decision);
    }

    #[test]
    fn without_lookup_only_countries_are_refused(
        policy in some_policy(), request in some_request(), number in proptest::option::of(some_country()),
    ) {
        let decision = policy.decide(request, PolicyFacts { country: number, lookup: None }, now());
        let by_country = [Reason::CountryBlocked, Reason::CountryNotAllowed].map(refused);
        prop_assert!(decision == sent(request.channel) || by_country.contains(&decision));
    }

    /// A package that is not requested would not have changed the decision.
    #[test]
    fn an_unrequested_package_does_not_change_the_decision(
        policy in some_policy(), request in some_request(), facts in some_facts(), number in some_country(),
    ) {
        let asked = policy.packages(request, &all_packages());
        let known = NumberFacts {
            country: facts.country,
            line: facts.line.clone().filter(|_| asked.contains(&Package::LineTypeIntelligence)),
            sms_pumping: facts.sms_pumping.filter(|_| asked.contains(&Package::SmsPumpingRisk)),
            sim_swap: facts.sim_swap.filter(|_| asked.contains(&Package::SimSwap)),
            line_is_inactive: facts.line_is_inactive.filter(|_| asked.contains(&Package::LineStatus)),
            calls_are_forwarded: facts.calls_are_forwarded.filter(|_| asked.contains(&Package::CallForwarding)),
        };
        let decide = |facts| policy.decide(request, PolicyFacts { country: Some(number), lookup: Some(facts) }, now());
        prop_assert_eq!(decide(&known), decide(&facts));
    }
}
