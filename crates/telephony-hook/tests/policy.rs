//! Whether a code is sent, with the real binary: the request to Lookup, the policy's decision, and the response to
//! Okta.

mod support;

use std::time::Duration;

use sandbox::{
    Channel, Fault, Operation, Options, RecordedRequest, Times,
    deployment::{AUTH_SECRET, Deployment, HOOKS_SECRET_ID, HttpAnswer, TelephonyRequest},
    exclusive::run_alone,
    lambda::StartError,
};
use serde_json::{Value, json};
use support::{Hook, verdict};

const NUMBER: &str = "+12025550123";
const CODE: &str = "867530";

// Magic numbers of the sandbox.
const LANDLINE: &str = "+15005552001";
const NON_FIXED_VOIP: &str = "+15005552004";
const PREMIUM: &str = "+15005552007";
const EXAMPLE_WIRELESS: &str = "+15005552013";
const RISK_60: &str = "+15005553060";
const RISK_61: &str = "+15005553061";
const BLOCKED_BY_FRAUD_GUARD: &str = "+15005553100";
const SIM_SWAPPED_TWO_HOURS_AGO: &str = "+15005554001";
const SIM_SWAPPED_LONG_AGO: &str = "+15005554002";
const SIM_SWAPPED_WITHOUT_DATE: &str = "+15005554003";
const INACTIVE: &str = "+15005555004";
const FORWARDED: &str = "+15005556001";
const PACKAGE_NOT_ENABLED: &str = "+15005557606";
const INVALID: &str = "+15005558101";

fn sms(number: &str) -> TelephonyRequest {
    TelephonyRequest::sms(number, CODE)
}

fn of_type(request: TelephonyRequest, request_type: &str) -> TelephonyRequest {
    request.with("/requestType", format!("com.okta.user.telephony.{request_type}"))
}

fn lookups(hook: &Hook) -> Vec<RecordedRequest> {
    hook.deployment.twilio.requests_for(Operation::Lookup)
}

fn log_lines(hook: &Hook, message: &str) -> Vec<Value> {
    hook.function.log_lines().into_iter().filter(|line| line["message"] == message).collect()
}

/// The values of a metric's dimension, from all lines with the metric.
fn counted(hook: &Hook, metric: &str, dimension: &str) -> Vec<String> {
    let lines = log_lines(hook, "metrics").into_iter().filter(|line| line.get(metric).is_some());
    lines.filter_map(|line| line.get(dimension)?.as_str().map(str::to_owned)).collect()
}

/// Nothing reached a phone or Verify.
fn assert_nothing_sent(hook: &Hook) {
    assert!(hook.sends().is_empty() && hook.messages().is_empty());
}

mod lookup {
    use super::*;

    #[test]
    fn without_variables_it_is_never_called() {
        let hook = Hook::start();
        for number in [NUMBER, PREMIUM, INVALID] {
            assert_eq!(verdict(&hook.ask(&sms(number))), "SUCCESSFUL");
        }
        assert!(lookups(&hook).is_empty());
    }

    #[test]
    fn unset_it_is_never_called_whatever_else_is_set() {
        let hook = Hook::with_variables(&[("BLOCKED_COUNTRIES", "GB"), ("LOOKUP_TIMEOUT_MS", "2000")]);
        assert_eq!(hook.deployment.twilio.connections(), 1, "to Verify");
        assert_eq!(verdict(&hook.ask(&sms(NUMBER))), "SUCCESSFUL");
        assert_eq!(verdict(&hook.ask(&sms("+442079460123"))), "country_blocked");
        assert_eq!(verdict(&hook.ask(&sms("9876543210"))), "phone_number_invalid");
        assert!(lookups(&hook).is_empty());
        assert_eq!(hook.deployment.twilio.connections(), 1);
        assert_eq!(hook.last_log("otp_sent").get("lookup_ms"), None);
        assert!(log_lines(&hook, "metrics").iter().all(|line| line.get("LookupLatency").is_none()));
    }

    #[test]
    fn basic_requests_no_package() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "basic")]);
        assert_eq!(verdict(&hook.ask(&sms(NUMBER))), "SUCCESSFUL");
        let [request] = &lookups(&hook)[..] else { panic!("one Lookup") };
        assert!(request.authenticated);
        assert_eq!((request.path.as_str(), request.parameters.len()), ("/v2/PhoneNumbers/%2B12025550123", 0));
        assert_eq!(counted(&hook, "Lookups", "Package"), ["basic"]);
        assert_eq!(hook.messages().len(), 1);
    }

    #[test]
    fn packages_are_counted_and_logged() {
        let fields = "line_type_intelligence,sms_pumping_risk";
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", fields)]);
        hook.keep_private(vec!["Example Wireless".to_owned()]);
        assert_eq!(verdict(&hook.ask(&sms(EXAMPLE_WIRELESS))), "SUCCESSFUL");
        let [request] = &lookups(&hook)[..] else { panic!("one Lookup") };
        assert_eq!(request.parameters, [("Fields".to_owned(), fields.to_owned())]);
        assert_eq!(counted(&hook, "Lookups", "Package"), ["line_type_intelligence", "sms_pumping_risk"]);
        let metrics = hook.last_log("metrics");
        assert!(metrics["LookupLatency"].as_f64().is_some_and(|latency| latency > 0.0));
        let log = hook.last_log("otp_sent");
        assert_eq!((&log["line_type"], &log["network"]), (&json!("mobile"), &json!("310-998")));
        assert_eq!((&log["sms_pumping_risk"], &log["country"]), (&json!(5), &json!("US")));
        assert!(log["lookup_ms"].is_u64());
    }

    #[test]
    fn an_invalid_number_is_refused_whatever_is_exempt() {
        let hook = Hook::with_variables(&[
            ("LOOKUP_FIELDS", "basic"),
            ("POLICY_EXEMPT_REQUEST_TYPES", "mfa-verification"),
            ("DENY_RESPONSE", "swallow"),
        ]);
        let response = hook.ask(&sms(INVALID));
        assert_eq!(verdict(&response), "phone_number_invalid");
        assert_eq!(response.body["error"]["errorCauses"][0]["location"], "data.messageProfile.phoneNumber");
        assert_nothing_sent(&hook);
        assert_eq!(hook.last_log("otp_failed")["level"], "WARN");
        assert_eq!(hook.last_log("metrics")["Outcome"], "failed");
    }

    #[test]
    fn lasting_data_is_requested_once() {
        let hook = Hook::with_variables(&[
            ("LOOKUP_FIELDS", "line_type_intelligence,sms_pumping_risk"),
            ("BLOCKED_LINE_TYPES", "nonFixedVoip"),
        ]);
        for _ in 0..3 {
            assert_eq!(verdict(&hook.ask(&sms(NON_FIXED_VOIP))), "line_type_blocked");
        }
        let fields: Vec<_> =
            lookups(&hook).iter().map(|request| request.parameter("Fields").map(str::to_owned)).collect();
        let again = Some("sms_pumping_risk".to_owned());
        assert_eq!(fields, [Some("line_type_intelligence,sms_pumping_risk".to_owned()), again.clone(), again]);
        assert_eq!(verdict(&hook.ask(&sms(PREMIUM))), "SUCCESSFUL", "another number");
    }

    #[test]
    fn cached_data_needs_no_request() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "line_type_intelligence"), ("LANDLINE_TO_CALL", "true")]);
        for _ in 0..3 {
            assert_eq!(verdict(&hook.ask(&sms(LANDLINE))), "SUCCESSFUL");
        }
        assert_eq!(lookups(&hook).len(), 1);
        assert!(hook.messages().iter().all(|message| message.channel == Channel::Call));
        assert_eq!(hook.last_log("otp_sent").get("lookup_ms"), None);
        assert_eq!(hook.last_log("otp_sent")["line_type"], "landline");
    }
}

mod rules {
    use super::*;

    type Variables = &'static [(&'static str, &'static str)];

    /// Variables, a number that they refuse, the reason, and a number that they pass.
    const RULES: [(Variables, &str, &str, &str); 11] = [
        (&[("BLOCKED_COUNTRIES", "GB,FR")], "+442079460123", "country_blocked", NUMBER),
        (&[("ALLOWED_COUNTRIES", "US,CA")], "+442079460123", "country_not_allowed", "+14165550123"),
        (&[("ALLOWED_COUNTRIES", "US")], "+881612345678", "country_not_allowed", NUMBER),
        (
            &[("LOOKUP_FIELDS", "line_type_intelligence"), ("BLOCKED_LINE_TYPES", "premium,nonFixedVoip")],
            PREMIUM,
            "line_type_blocked",
            LANDLINE,
        ),
        (
            &[("LOOKUP_FIELDS", "line_type_intelligence"), ("BLOCKED_CARRIERS", "example wireless")],
            EXAMPLE_WIRELESS,
            "carrier_blocked",
            NUMBER,
        ),
        (
            &[("LOOKUP_FIELDS", "line_type_intelligence"), ("BLOCKED_CARRIERS", "Other,310-998")],
            EXAMPLE_WIRELESS,
            "carrier_blocked",
            NUMBER,
        ),
        (
            &[("LOOKUP_FIELDS", "sms_pumping_risk"), ("MAX_SMS_PUMPING_RISK", "60")],
            RISK_61,
            "sms_pumping_risk",
            RISK_60,
        ),
        (
            &[("LOOKUP_FIELDS", "sms_pumping_risk"), ("MAX_SMS_PUMPING_RISK", "100")],
            BLOCKED_BY_FRAUD_GUARD,
            "sms_pumping_risk",
            RISK_61,
        ),
        (
            &[("LOOKUP_FIELDS", "sim_swap"), ("MAX_SIM_SWAP_AGE_HOURS", "72")],
            SIM_SWAPPED_TWO_HOURS_AGO,
            "sim_swapped",
            SIM_SWAPPED_LONG_AGO,
        ),
        (
            &[("LOOKUP_FIELDS", "sim_swap"), ("MAX_SIM_SWAP_AGE_HOURS", "1")],
            SIM_SWAPPED_WITHOUT_DATE,
            "sim_swapped",
            SIM_SWAPPED_TWO_HOURS_AGO,
        ),
        (&[("LOOKUP_FIELDS", "line_status")], INACTIVE, "line_inactive", NUMBER),
    ];

    #[test]
    fn refuse_with_their_reason_and_send_nothing() {
        for (variables, refused, reason, passed) in RULES {
            let hook = Hook::with_variables(variables);
            let response = hook.ask(&sms(refused));
            assert_eq!(verdict(&response), reason, "{variables:?}");
            assert_eq!(response.body["debugContext"]["reason"], reason);
            assert_nothing_sent(&hook);
            let log = hook.last_log("otp_refused");
            assert_eq!((&log["reason"], &log["level"]), (&json!(reason), &json!("WARN")));
            assert!(log["country"].is_string() || reason == "country_not_allowed");
            let metrics = hook.last_log("metrics");
            assert_eq!((&metrics["Outcome"], &metrics["Reason"]), (&json!("refused"), &json!(reason)));
            assert_eq!(verdict(&hook.ask(&sms(passed))), "SUCCESSFUL", "{variables:?}");
            assert_eq!(hook.messages().len(), 1);
        }
    }

    #[test]
    fn a_forwarded_number_gets_no_call() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "call_forwarding")]);
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::call(FORWARDED, CODE))), "call_forwarded");
        assert_nothing_sent(&hook);
        assert_eq!(verdict(&hook.ask(&sms(FORWARDED))), "SUCCESSFUL");
        let fields: Vec<_> = lookups(&hook).iter().map(|request| request.parameters.len()).collect();
        assert_eq!(fields, [1], "an SMS is not forwarded, so no package is paid for");
    }

    #[test]
    fn a_country_refused_by_the_number_costs_no_lookup() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "sms_pumping_risk"), ("ALLOWED_COUNTRIES", "US")]);
        assert_eq!(verdict(&hook.ask(&sms("+442079460123"))), "country_not_allowed");
        assert!(lookups(&hook).is_empty());
        let log = hook.last_log("otp_refused");
        assert_eq!((&log["country"], &log["phone"]), (&json!("GB"), &json!("GB…23")));
    }

    #[test]
    fn an_expired_code_costs_no_lookup() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "basic")]);
        let expired = sms(NUMBER).with("/data/messageProfile/otpExpires", "2022-01-28T21:48:34.321Z");
        assert_eq!(verdict(&hook.ask(&expired)), "code_expired");
        assert!(lookups(&hook).is_empty());
    }

    #[test]
    fn previews_obey() {
        let hook = Hook::with_variables(&[("BLOCKED_COUNTRIES", "US")]);
        let preview = "/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview";
        let response = hook.ask(&sms(NUMBER).with("/data/context/request/url/value", preview));
        assert_eq!(verdict(&response), "country_blocked");
        assert_eq!(hook.last_log("otp_refused")["preview"], true);
        assert_nothing_sent(&hook);
    }

    #[test]
    fn exempt_request_types_pass_and_cost_nothing() {
        let hook = Hook::with_variables(&[
            ("LOOKUP_FIELDS", "sms_pumping_risk"),
            ("MAX_SMS_PUMPING_RISK", "60"),
            ("POLICY_EXEMPT_REQUEST_TYPES", "account-unlock,password-reset"),
        ]);
        for (request_type, expected) in [
            ("pre-enrollment", "sms_pumping_risk"),
            ("mfa-verification", "sms_pumping_risk"),
            ("something-new", "sms_pumping_risk"),
            ("account-unlock", "SUCCESSFUL"),
            ("password-reset", "SUCCESSFUL"),
        ] {
            let response = hook.ask(&of_type(sms(RISK_61), request_type));
            assert_eq!(verdict(&response), expected, "{request_type}");
        }
        let mut packages = counted(&hook, "Lookups", "Package");
        packages.sort_unstable();
        packages.dedup();
        assert_eq!(packages, ["sms_pumping_risk"], "for an exempt request, the cached country was enough");
        assert_eq!(lookups(&hook).len(), 3);
    }

    #[test]
    fn a_landline_gets_a_call_in_a_language_that_calls_have() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "line_type_intelligence"), ("LANDLINE_TO_CALL", "true")]);
        // Arabic is supported in text messages, but not in calls.
        let response = hook.ask(&sms(LANDLINE).with("/data/messageProfile/locale", "ar"));
        assert_eq!(verdict(&response), "SUCCESSFUL");
        let [message] = &hook.messages()[..] else { panic!("one message") };
        assert_eq!((message.channel, message.code.as_str()), (Channel::Call, CODE));
        assert_eq!(hook.sends()[0].parameter("Locale"), None);
        assert_eq!(hook.last_log("otp_sent")["channel"], "call");
        assert_eq!(hook.last_log("metrics")["Channel"], "call");
        assert_eq!(verdict(&hook.ask(&sms(NUMBER))), "SUCCESSFUL");
        assert_eq!(hook.messages()[1].channel, Channel::Sms);
    }

    #[test]
    fn a_blocked_landline_gets_no_call() {
        let hook = Hook::with_variables(&[
            ("LOOKUP_FIELDS", "line_type_intelligence"),
            ("LANDLINE_TO_CALL", "true"),
            ("BLOCKED_LINE_TYPES", "landline"),
        ]);
        assert_eq!(verdict(&hook.ask(&sms(LANDLINE))), "line_type_blocked");
        assert_nothing_sent(&hook);
    }
}

mod refusals {
    use super::*;

    #[test]
    fn as_an_error_okta_falls_back_to_its_own_provider() {
        let hook = Hook::with_variables(&[("BLOCKED_COUNTRIES", "US")]);
        let response = hook.ask(&sms(NUMBER));
        assert_eq!(response.status, 200);
        let text = "We could not send a code to this phone number. Check the number or choose another way to verify.";
        let cause = json!({
            "errorSummary": text, "reason": "country_blocked", "locationType": "body",
            "location": "data.messageProfile.phoneNumber", "domain": "okta-twilio"
        });
        assert_eq!(response.body["error"], json!({"errorSummary": text, "errorCauses": [cause]}));
        assert_eq!(response.body.get("commands"), None);
    }

    #[test]
    fn suppressed_okta_does_not_send_either() {
        let hook = Hook::with_variables(&[("BLOCKED_COUNTRIES", "US"), ("DENY_RESPONSE", "swallow")]);
        let response = hook.ask(&sms(NUMBER));
        assert_eq!(response.status, 200);
        let value = json!({
            "status": "SUCCESSFUL", "provider": "Twilio Verify", "transactionMetadata": "refused:country_blocked"
        });
        assert_eq!(response.body["commands"], json!([{"type": "com.okta.telephony.action", "value": [value]}]));
        assert_eq!(response.body.get("error"), None);
        assert_eq!(response.body["debugContext"]["reason"], "country_blocked");
        assert_nothing_sent(&hook);
        assert_eq!(hook.last_log("otp_refused")["reason"], "country_blocked");
        assert_eq!(hook.last_log("metrics")["Outcome"], "swallowed");
    }

    #[test]
    fn only_a_refusal_by_the_policy_is_suppressed() {
        let hook = Hook::with_variables(&[("BLOCKED_COUNTRIES", "GB"), ("DENY_RESPONSE", "swallow")]);
        assert_eq!(verdict(&hook.ask(&sms("+1"))), "phone_number_invalid");
        hook.deployment.twilio.fault(Operation::VerifyCreate, Fault::Status(500), Times::Next(1));
        assert_eq!(verdict(&hook.ask(&sms(NUMBER))), "twilio_failed");
    }
}

mod national_numbers {
    use super::*;

    const NATIONAL: &str = "020 7946 0123";
    const COMPLETED: &str = "+442079460123";

    fn hook(variables: &[(&str, &str)]) -> Hook {
        let default = [("LOOKUP_FIELDS", "basic"), ("DEFAULT_COUNTRY", "GB")];
        let hook = Hook::with_variables(&[&default, variables].concat());
        hook.keep_private(sms(COMPLETED).private_values());
        hook
    }

    #[test]
    fn are_completed() {
        let hook = hook(&[]);
        assert_eq!(verdict(&hook.ask(&sms(NATIONAL))), "SUCCESSFUL");
        assert_eq!(lookups(&hook)[0].parameter("CountryCode"), Some("GB"));
        assert_eq!(hook.messages()[0].to, COMPLETED);
        assert_eq!(hook.last_log("otp_sent")["phone"], "GB…23");
    }

    #[test]
    fn obey_the_policy_of_their_country() {
        let hook = hook(&[("BLOCKED_COUNTRIES", "GB")]);
        assert_eq!(verdict(&hook.ask(&sms(NATIONAL))), "country_blocked");
        assert_nothing_sent(&hook);
    }

    #[test]
    fn that_are_invalid_are_refused() {
        let hook = hook(&[]);
        assert_eq!(verdict(&hook.ask(&sms("020 7946"))), "phone_number_invalid");
        assert_nothing_sent(&hook);
    }

    #[test]
    fn cannot_be_sent_to_without_lookup() {
        let hook = hook(&[]);
        hook.deployment.twilio.fault(Operation::Lookup, Fault::Status(503), Times::UntilCleared);
        let response = hook.ask(&sms(NATIONAL));
        assert_eq!(verdict(&response), "lookup_unavailable");
        assert_nothing_sent(&hook);
        assert_eq!(hook.last_log("otp_failed")["level"], "ERROR");
        assert_eq!(hook.last_log("lookup_failed")["reason"], "twilio_failed");
    }

    #[test]
    fn need_a_default_country() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "basic")]);
        assert_eq!(verdict(&hook.ask(&sms(NATIONAL))), "phone_number_invalid");
        assert!(lookups(&hook).is_empty());
        assert_nothing_sent(&hook);
    }
}

mod lookup_in_trouble {
    use super::*;

    /// Rules that would refuse these numbers if Lookup responded.
    const RULES: [(&str, &str); 3] =
        [("LOOKUP_FIELDS", "line_type_intelligence"), ("BLOCKED_LINE_TYPES", "premium"), ("ALLOWED_COUNTRIES", "US")];

    fn hook(variables: &[(&str, &str)]) -> Hook {
        Hook::with_variables(&[&RULES, variables].concat())
    }

    /// Sends one code while Lookup has a fault.
    fn ask_with_fault(hook: &Hook, fault: Fault, times: Times) -> HttpAnswer {
        hook.deployment.twilio.fault(Operation::Lookup, fault, times);
        hook.ask(&sms(PREMIUM))
    }

    #[test]
    fn the_code_is_sent_anyway() {
        for (fault, reason) in [
            (Fault::Status(400), "twilio_refused"),
            (Fault::Status(404), "twilio_refused"),
            (Fault::Status(500), "twilio_failed"),
            (Fault::Status(502), "twilio_failed"),
            (Fault::Status(503), "twilio_failed"),
            (Fault::Throttle { reached_rate_limit: false, retry_after: Some(1) }, "throttled"),
            (Fault::Unauthorized, "twilio_authentication"),
            (Fault::CloseAfterReading, "twilio_interrupted"),
            (Fault::NotJson, "twilio_failed"),
            (Fault::Truncated, "twilio_failed"),
            (Fault::Huge(50_000_000), "twilio_failed"),
        ] {
            let hook = hook(&[]);
            let response = ask_with_fault(&hook, fault.clone(), Times::UntilCleared);
            assert_eq!(verdict(&response), "SUCCESSFUL", "{fault:?}");
            assert_eq!((hook.sends().len(), hook.messages().len()), (1, 1));
            let failures = log_lines(&hook, "lookup_failed");
            let [failure] = &failures[..] else { panic!("one lookup_failed: {fault:?}") };
            assert_eq!((&failure["reason"], &failure["level"]), (&json!(reason), &json!("WARN")));
            assert_eq!(counted(&hook, "LookupFailures", "Reason"), [reason]);
            let country = hook.ask(&sms("+442079460123"));
            assert_eq!(verdict(&country), "country_not_allowed", "the number's own country does not fail open");
        }
    }

    #[test]
    fn a_lost_connection_is_retried_once() {
        for fault in [Fault::CloseAfterReading, Fault::CloseAfterSending] {
            let hook = hook(&[]);
            assert_eq!(verdict(&ask_with_fault(&hook, fault, Times::Next(1))), "line_type_blocked");
            assert_eq!(lookups(&hook).len(), 2);
            assert_nothing_sent(&hook);
        }
    }

    #[test]
    fn it_delays_the_send_by_its_timeout_at_most() {
        let _alone = run_alone();
        let hook = hook(&[("LOOKUP_TIMEOUT_MS", "300")]);
        let response = ask_with_fault(&hook, Fault::Delay(Duration::from_secs(30)), Times::UntilCleared);
        assert_eq!(verdict(&response), "SUCCESSFUL");
        let log = hook.last_log("otp_sent");
        let waited = log["lookup_ms"].as_u64().expect("milliseconds");
        assert!((290..650).contains(&waited), "waited {waited} ms for Lookup");
        assert!(response.duration < Duration::from_millis(1_500), "{:?}", response.duration);
        assert_eq!(hook.last_log("lookup_failed")["reason"], "twilio_timeout");
        assert_eq!(lookups(&hook).len(), 1, "a timeout is not retried");
        assert_eq!(counted(&hook, "Lookups", "Package"), ["line_type_intelligence"], "Twilio may charge for it");
    }

    #[test]
    fn a_response_within_the_timeout_counts() {
        let hook = hook(&[]);
        let response = ask_with_fault(&hook, Fault::Delay(Duration::from_millis(350)), Times::Next(1));
        assert_eq!(verdict(&response), "line_type_blocked");
    }

    #[test]
    fn lookup_and_verify_stay_within_the_budget() {
        let _alone = run_alone();
        let hook = hook(&[("LOOKUP_TIMEOUT_MS", "2000"), ("HOOK_BUDGET_MS", "1500")]);
        let slow = Fault::Delay(Duration::from_secs(30));
        hook.deployment.twilio.fault(Operation::VerifyCreate, slow.clone(), Times::UntilCleared);
        let response = ask_with_fault(&hook, slow, Times::UntilCleared);
        assert_eq!(verdict(&response), "twilio_timeout");
        assert!(response.duration < Duration::from_millis(1_700), "{:?}", response.duration);
        let log = hook.last_log("otp_failed");
        let waited = |field: &str| log[field].as_u64().expect("milliseconds");
        assert!(waited("lookup_ms") <= 1_050, "500 ms are reserved for Verify: {log}");
        assert!(waited("verify_ms") >= 400, "{log}");
    }

    #[test]
    fn after_a_slow_cold_start_it_is_skipped() {
        let hook = hook(&[]);
        let response = hook.ask(&sms(PREMIUM).taken_ago(Duration::from_millis(2_080)));
        assert_eq!(verdict(&response), "SUCCESSFUL");
        assert!(lookups(&hook).is_empty());
        assert_eq!(hook.last_log("lookup_failed")["reason"], "out_of_time");
        assert!(counted(&hook, "Lookups", "Package").is_empty());
    }

    #[test]
    fn a_package_without_data_is_logged() {
        let hook = Hook::with_variables(&[
            ("LOOKUP_FIELDS", "line_type_intelligence,sms_pumping_risk"),
            ("MAX_SMS_PUMPING_RISK", "0"),
            ("BLOCKED_LINE_TYPES", "mobile"),
        ]);
        assert_eq!(verdict(&hook.ask(&sms(PACKAGE_NOT_ENABLED))), "SUCCESSFUL");
        let failures = log_lines(&hook, "lookup_failed");
        let packages: Vec<_> = failures.iter().map(|line| line["package"].as_str().unwrap()).collect();
        assert_eq!(packages, ["line_type_intelligence", "sms_pumping_risk"]);
        for line in &failures {
            assert_eq!((&line["reason"], &line["twilio_code"]), (&json!("no_data"), &json!(60606)));
            assert!(line["advice"].as_str().unwrap().contains("enable the package"));
        }
        // The cache has no line of this number, so the package is requested again.
        hook.ask(&sms(PACKAGE_NOT_ENABLED));
        let again = "line_type_intelligence,sms_pumping_risk";
        assert_eq!(lookups(&hook)[1].parameter("Fields"), Some(again));
    }

    #[test]
    fn newer_credentials_serve_lookup_and_verify() {
        let hook = hook(&[]);
        hook.deployment.twilio.fault(Operation::Lookup, Fault::Unauthorized, Times::Next(1));
        let mut rotated = hook.deployment.hooks_secret(&[AUTH_SECRET]);
        let account = Options::default();
        for field in ["twilio_api_key_sid", "twilio_api_key_secret"] {
            rotated.as_object_mut().unwrap().remove(field);
        }
        rotated["twilio_account_sid"] = json!(account.account_sid);
        rotated["twilio_auth_token"] = json!(account.auth_token);
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &rotated);
        assert_eq!(verdict(&hook.ask(&sms(PREMIUM))), "line_type_blocked");
        assert_eq!(lookups(&hook).len(), 2);
        assert_eq!(verdict(&hook.ask(&sms(NUMBER))), "SUCCESSFUL");
        assert!(log_lines(&hook, "lookup_failed").is_empty());
    }

    #[test]
    fn slow_secrets_do_not_delay_the_send() {
        let _alone = run_alone();
        let hook = hook(&[("LOOKUP_TIMEOUT_MS", "300")]);
        hook.deployment.secrets.delay(Duration::from_secs(30));
        let response = ask_with_fault(&hook, Fault::Unauthorized, Times::UntilCleared);
        assert_eq!(verdict(&response), "SUCCESSFUL");
        assert!(response.duration < Duration::from_millis(1_500), "{:?}", response.duration);
    }

    #[test]
    fn twilio_down_at_the_start() {
        let deployment = Deployment::start(Options::default());
        deployment.twilio.stop_listening();
        let hook = Hook::on(deployment, &RULES);
        assert_eq!(hook.last_log("started")["connection"], "failed");
        hook.deployment.twilio.resume_listening();
        assert_eq!(verdict(&hook.ask(&sms(PREMIUM))), "line_type_blocked");
    }
}

mod configuration {
    use super::*;

    #[test]
    fn no_rule_starts_with_a_malformed_value_or_without_its_data() {
        for (variable, value, named) in [
            ("ALLOWED_COUNTRIES", "US;CA", "ALLOWED_COUNTRIES"),
            ("BLOCKED_COUNTRIES", "UK", "BLOCKED_COUNTRIES"),
            ("BLOCKED_LINE_TYPES", "voip", "BLOCKED_LINE_TYPES"),
            ("BLOCKED_LINE_TYPES", "premium", "LOOKUP_FIELDS"),
            ("BLOCKED_CARRIERS", "310", "BLOCKED_CARRIERS"),
            ("BLOCKED_CARRIERS", "310-998", "LOOKUP_FIELDS"),
            ("MAX_SMS_PUMPING_RISK", "high", "MAX_SMS_PUMPING_RISK"),
            ("MAX_SMS_PUMPING_RISK", "75", "LOOKUP_FIELDS"),
            ("MAX_SIM_SWAP_AGE_HOURS", "3d", "MAX_SIM_SWAP_AGE_HOURS"),
            ("MAX_SIM_SWAP_AGE_HOURS", "72", "LOOKUP_FIELDS"),
            ("LANDLINE_TO_CALL", "yes", "LANDLINE_TO_CALL"),
            ("LANDLINE_TO_CALL", "true", "LOOKUP_FIELDS"),
            ("POLICY_EXEMPT_REQUEST_TYPES", "recovery", "POLICY_EXEMPT_REQUEST_TYPES"),
            ("DENY_RESPONSE", "deny", "DENY_RESPONSE"),
            ("LOOKUP_FIELDS", "carrier", "LOOKUP_FIELDS"),
            ("LOOKUP_FIELDS", "reassigned_number", "LOOKUP_FIELDS"),
            ("LOOKUP_TIMEOUT_MS", "0", "LOOKUP_TIMEOUT_MS"),
            ("DEFAULT_COUNTRY", "Britain", "DEFAULT_COUNTRY"),
            ("DEFAULT_COUNTRY", "GB", "LOOKUP_FIELDS"),
            ("TWILIO_LOOKUP_URL", "http://lookups.example.com", "TWILIO_LOOKUP_URL"),
        ] {
            let deployment = Deployment::start(Options::default());
            let function = deployment.function(env!("CARGO_BIN_EXE_telephony-hook")).env(variable, value).spawn();
            let error = function.wait_until_ready(Duration::from_secs(10)).unwrap_err();
            assert!(!matches!(error, StartError::TimedOut { .. }), "{error}");
            let lines = function.log_lines();
            let [line] = &lines[..] else { panic!("one line: {variable}={value}") };
            assert_eq!(line["message"], "configuration_invalid");
            let problem = line["problem"].as_str().unwrap();
            assert!(problem.starts_with(&format!("{named}: ")) && problem.contains("; for example "), "{problem}");
        }
    }
}

/// The recipes of `docs/policy.md`, line by line.
mod recipes {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/policy.md");

    /// A running stack, and the events to send to it with their expected results.
    struct Recipe<'a> {
        variables: Vec<(&'a str, &'a str)>,
        events: Vec<(&'a str, &'a str)>,
    }

    #[expect(clippy::expect_used, reason = "a recipe of another form fails the test")]
    fn recipes() -> Vec<Recipe<'static>> {
        let mut recipes = Vec::new();
        for line in PAGE.lines() {
            if let Some(variables) = line.strip_suffix(" make dev") {
                let variables = variables.split(' ').map(|pair| pair.split_once('=').expect("NAME=value"));
                // The shell takes the quotes of a value away.
                let variables = variables.map(|(name, value)| (name, value.trim_matches('\''))).collect();
                recipes.push(Recipe { variables, events: Vec::new() });
            } else if let Some(event) = line.strip_prefix("make invoke EVENT=") {
                let (file, outcome) = event.split_once('#').expect("the expected result");
                recipes.last_mut().expect("a started stack").events.push((file.trim(), outcome.trim()));
            }
        }
        recipes
    }

    #[test]
    fn do_what_they_say() {
        let recipes = recipes();
        assert!(recipes.len() >= 9, "the page has its recipes");
        for recipe in recipes {
            let hook = Hook::with_variables(&recipe.variables);
            assert!(!recipe.events.is_empty(), "{:?}", recipe.variables);
            for (file, outcome) in recipe.events {
                let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
                let event = std::fs::read_to_string(path).expect("a recorded event");
                let event: Value = serde_json::from_str(&event).expect("JSON");
                let sends = hook.messages().len();
                let response = HttpAnswer::of(hook.function.invoke(&event));
                let metadata = response.body.pointer("/commands/0/value/0/transactionMetadata").and_then(Value::as_str);
                let refused = metadata.filter(|metadata| metadata.starts_with("refused:"));
                let reported = [Some(verdict(&response)), refused].into_iter().flatten().collect::<Vec<_>>().join(" ");
                assert_eq!(reported, outcome, "{:?} {file}", recipe.variables);
                assert_eq!(hook.messages().len() - sends, usize::from(outcome == "SUCCESSFUL"), "{file}");
            }
        }
    }
}
