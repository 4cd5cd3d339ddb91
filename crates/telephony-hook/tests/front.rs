//! What the hook does before sending, with the real binary: which numbers it parses, which callers it accepts, and what
//! it does with events that are not from Okta.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "what goes wrong here fails the test that uses it"
)]

mod support;

use std::time::Duration;

use sandbox::{
    Operation, Options,
    deployment::{Deployment, HttpAnswer, TelephonyRequest},
    lambda::StartError,
};
use serde_json::{Value, json};
use support::{Hook, verdict};

const NUMBER: &str = "+12025550123";
const CODE: &str = "867530";

fn location(response: &HttpAnswer) -> &Value {
    &response.body["error"]["errorCauses"][0]["location"]
}

mod numbers {
    use super::*;

    #[test]
    fn as_people_write_them() {
        let hook = Hook::start();
        for (text, dialed) in [
            ("+49 (0)30 901820", "+4930901820"),
            ("+49(0)30 901820", "+4930901820"),
            ("0049 (0)30 901820", "+4930901820"),
            ("+44 (0)20 7946 0060", "+442079460060"),
            ("\u{202d}+1 202 555 0123\u{202c}", NUMBER),
            ("\u{feff}+1\u{2060}202\u{200e}555\u{200f}0123", NUMBER),
            ("+1\u{2014}202\u{2212}555\u{2011}0123", NUMBER),
            ("+1\u{a0}202\u{202f}555\u{3000}0123", NUMBER),
            ("＋１（２０２）５５５－０１２３", NUMBER),
            ("+١٢٠٢٥٥٥٠١٢٣", NUMBER),
            ("(+1) 202-555-0123", NUMBER),
            ("tel:+1-202-555-0123;ext=5;isub=12", NUMBER),
        ] {
            hook.deployment.twilio.reset();
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(text, CODE))), "SUCCESSFUL", "{text}");
            assert_eq!(hook.sends()[0].parameter("To"), Some(dialed), "{text}");
            assert_eq!(hook.messages()[0].to, dialed, "{text}");
        }
    }

    #[test]
    fn with_a_control_character_or_two_readings_are_rejected() {
        let hook = Hook::start();
        for text in [
            "+12025550123\n",
            "\r\n+12025550123",
            "+1\t202 555 0123",
            "+1202\u{0}5550123",
            "+1202555\u{85}0123",
            "+1202555\u{2028}0123",
            "+12025550123 ext. 5\n",
            "+39 (0)6 1234 5678",
            "+44 20 (0) 7946 0060",
            "+12025550123, +12025550124",
            "+49 30 901820/21",
            "tel:7042;phone-context=example.com",
        ] {
            for request in [TelephonyRequest::sms(text, CODE), TelephonyRequest::call(text, CODE)] {
                let response = hook.ask(&request);
                assert_eq!(verdict(&response), "phone_number_invalid", "{text:?}");
                assert_eq!(location(&response), "data.messageProfile.phoneNumber", "{text:?}");
            }
        }
        assert!(hook.sends().is_empty());
    }

    #[test]
    fn with_an_invalid_extension_get_messages_and_no_calls() {
        let hook = Hook::start();
        for text in ["+1 501 712 2661 ext. 5 (lobby)", "+15017122661 x", "+15017122661 x1234567890123456"] {
            hook.deployment.twilio.reset();
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::call(text, CODE))), "phone_number_invalid", "{text}");
            assert!(hook.sends().is_empty(), "{text}");
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(text, CODE))), "SUCCESSFUL", "{text}");
            let [send] = &hook.sends()[..] else { panic!("one request: {text}") };
            assert_eq!((send.parameter("To"), send.parameter("SendDigits")), (Some("+15017122661"), None), "{text}");
        }
    }

    #[test]
    fn of_a_landline_with_such_an_extension_get_no_call_instead_of_a_message() {
        // A magic number of the sandbox. Lookup reports it as a landline.
        let landline = "+15005552001";
        let variables = [("LOOKUP_FIELDS", "line_type_intelligence"), ("LANDLINE_TO_CALL", "true")];
        let hook = Hook::with_variables(&variables);
        let request = TelephonyRequest::sms(&format!("{landline} ext. 5 (lobby)"), CODE);
        assert_eq!(verdict(&hook.ask(&request)), "phone_number_invalid");
        assert!(hook.sends().is_empty());
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(&format!("{landline} ext. 5"), CODE))), "SUCCESSFUL");
        assert_eq!(hook.sends()[0].parameter("SendDigits"), Some("ww5"));
    }

    #[test]
    fn with_an_extension_get_a_call_that_dials_it() {
        let hook = Hook::start();
        for (after, keys) in [
            (",,77#", "wwww77#"),
            (";77#", "ww77#"),
            ("p77", "ww77"),
            ("w77", "ww77"),
            (" x 77", "ww77"),
            ("#77", "ww77"),
            (" ext. 77", "ww77"),
            (";ext=77", "ww77"),
        ] {
            hook.deployment.twilio.reset();
            let text = format!("{NUMBER}{after}");
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::call(&text, CODE))), "SUCCESSFUL", "{text}");
            let [message] = &hook.messages()[..] else { panic!("one call: {text}") };
            assert_eq!((message.to.as_str(), message.send_digits.as_deref()), (NUMBER, Some(keys)), "{text}");
        }
    }
}

mod unneeded_values {
    use super::*;

    /// Okta's request with this JSON text in place of a value.
    fn ask_with(hook: &Hook, pointer: &str, raw: &str) -> HttpAnswer {
        hook.deployment.twilio.reset();
        let request = TelephonyRequest::sms(NUMBER, CODE).with(pointer, "@");
        let body = request.body().to_string().replace("\"@\"", raw);
        HttpAnswer::of(hook.function.invoke(&request.event().body(body).build()))
    }

    #[test]
    fn lose_nothing() {
        let hook = Hook::start();
        for pointer in ["/data/userProfile/lastName", "/data/context/request/url", "/eventTime", "/data/userProfile"] {
            for raw in [r#""Mü\ud83d""#, r#""\udc00""#, "1e999", "-1e999", r#"{"\ud83d":[1e400]}"#] {
                assert_eq!(verdict(&ask_with(&hook, pointer, raw)), "SUCCESSFUL", "{pointer} {raw}");
                assert_eq!(hook.sends()[0].parameter("To"), Some(NUMBER), "{pointer} {raw}");
            }
        }
    }

    #[test]
    fn of_required_fields_are_not_guessed() {
        let hook = Hook::start();
        let response = ask_with(&hook, "/data/messageProfile/phoneNumber", r#""+1202555012\ud83d3""#);
        assert_eq!(verdict(&response), "phone_number_invalid");
        for (raw, pointer) in [(r#""8675\ud83d30""#, "otpCode"), ("1e999", "otpCode"), ("1e999", "phoneNumber")] {
            let response = ask_with(&hook, &format!("/data/messageProfile/{pointer}"), raw);
            assert_eq!((response.status, location(&response)), (400, &json!(format!("data.messageProfile.{pointer}"))));
        }
        assert!(hook.sends().is_empty());
    }

    #[test]
    fn may_be_nested_128_deep_in_one_json_value_without_a_byte_order_mark() {
        let hook = Hook::start();
        // The field itself has a depth of 3.
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth - 3), "]".repeat(depth - 3));
        assert_eq!(verdict(&ask_with(&hook, "/data/userProfile/lastName", &nested(128))), "SUCCESSFUL");
        assert_eq!(ask_with(&hook, "/data/userProfile/lastName", &nested(129)).status, 400);
        let request = TelephonyRequest::sms(NUMBER, CODE);
        for body in [format!("\u{feff}{}", request.body()), format!("{} {{}}", request.body())] {
            let response = HttpAnswer::of(hook.function.invoke(&request.event().body(body).build()));
            assert_eq!(response.status, 400);
        }
        assert!(hook.sends().is_empty());
    }

    #[test]
    fn of_the_gateway_do_no_harm() {
        let hook = Hook::start();
        for (pointer, value) in [
            ("/routeKey", json!(7)),
            ("/rawPath", json!(null)),
            ("/cookies", json!("a=b")),
            ("/requestContext/accountId", json!(123_456_789_012_u64)),
            ("/requestContext/authorizer", json!("none")),
            ("/requestContext/timeEpoch", json!("soon")),
            ("/requestContext/http/sourceIp", json!([])),
            ("/headers/x-forwarded-for", json!(null)),
            ("/isBase64Encoded", json!(null)),
        ] {
            hook.deployment.twilio.reset();
            let mut event = TelephonyRequest::sms(NUMBER, CODE).event().build();
            let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
            event.pointer_mut(parent).expect("it is there")[field] = value;
            assert_eq!(verdict(&HttpAnswer::of(hook.function.invoke(&event))), "SUCCESSFUL", "{pointer}");
            assert_eq!(hook.messages().len(), 1);
        }
    }
}

mod tokens {
    use super::*;

    fn ask(hook: &Hook, claims: &Value) -> HttpAnswer {
        hook.deployment.twilio.reset();
        let mut event = TelephonyRequest::sms(NUMBER, CODE).event().build();
        event["requestContext"]["authorizer"] = json!({"jwt": {"claims": claims, "scopes": ["telephony"]}});
        let response = HttpAnswer::of(hook.function.invoke(&event));
        if response.status == 401 {
            assert_eq!(response.body["error"]["errorCauses"][0]["reason"], "not_authenticated");
            assert!(hook.sends().is_empty());
        }
        response
    }

    #[test]
    fn need_the_scope() {
        let hook = Hook::with_variables(&[("AUTH_MODE", "jwt"), ("JWT_SCOPE", "telephony")]);
        for scopes in [json!("telephony"), json!("[openid telephony]"), json!("openid telephony"), json!(["telephony"])]
        {
            for claim in ["scp", "scope"] {
                // Claims of other types are next to it.
                let claims = json!({"sub": "0oa1", "exp": 1_800_000_000, "groups": ["a", 7, null], claim: scopes});
                assert_eq!(verdict(&ask(&hook, &claims)), "SUCCESSFUL", "{claims}");
            }
        }
        for claims in [
            json!({"sub": "00u1", "scp": "openid profile"}),
            json!({"sub": "00u1", "scp": "[openid profile]"}),
            json!({"sub": "00u1", "scp": "Telephony"}),
            json!({"sub": "00u1", "scp": "telephony.read"}),
            json!({"sub": "00u1", "scp": ["telephony openid"]}),
            json!({"sub": "telephony", "aud": "telephony"}),
            json!({}),
            json!(null),
            json!("telephony"),
        ] {
            assert_eq!(ask(&hook, &claims).status, 401, "{claims}");
        }
    }

    #[test]
    fn can_be_limited_to_one_client() {
        let client = [("AUTH_MODE", "jwt"), ("JWT_SCOPE", "telephony"), ("JWT_CLIENT_ID", "0oaHook1")];
        let hook = Hook::with_variables(&client);
        assert_eq!(verdict(&ask(&hook, &json!({"scp": "[telephony]", "cid": "0oaHook1"}))), "SUCCESSFUL");
        for cid in [json!("0oaHook2"), json!("0OAHOOK1"), json!(["0oaHook1"]), json!(null)] {
            assert_eq!(ask(&hook, &json!({"scp": "[telephony]", "sub": "0oaHook1", "cid": cid})).status, 401, "{cid}");
        }
        assert_eq!(ask(&hook, &json!({"scp": "[openid]", "cid": "0oaHook1"})).status, 401);
    }

    #[test]
    fn that_nothing_checks_cause_a_warning() {
        let warnings = |variables: &[(&str, &str)]| {
            let hook = Hook::with_variables(variables);
            let lines = hook.function.log_lines().into_iter().filter(|line| line["message"] == "configuration_warning");
            lines.map(|line| line["variable"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let token = [("JWT_SCOPE", "telephony"), ("JWT_CLIENT_ID", "0oaHook1")];
        assert_eq!(warnings(&token), ["JWT_SCOPE", "JWT_CLIENT_ID"]);
        assert!(warnings(&[token[0], token[1], ("AUTH_MODE", "jwt")]).is_empty());
    }

    #[test]
    fn without_a_required_scope_abort_startup() {
        for (variables, variable) in [
            (&[("AUTH_MODE", "jwt")][..], "JWT_SCOPE"),
            (&[("AUTH_MODE", "jwt"), ("JWT_SCOPE", "a b")], "JWT_SCOPE"),
            (&[("AUTH_MODE", "jwt"), ("JWT_SCOPE", "a"), ("JWT_CLIENT_ID", "a b")], "JWT_CLIENT_ID"),
        ] {
            assert_does_not_start(variables, variable);
        }
    }
}

/// Startup fails with one line that names the variable.
fn assert_does_not_start(variables: &[(&str, &str)], variable: &str) -> String {
    let deployment = Deployment::start(Options::default());
    let function = deployment.function(env!("CARGO_BIN_EXE_telephony-hook")).envs(variables.iter().copied()).spawn();
    let error = function.wait_until_ready(Duration::from_secs(10)).expect_err("it must not start");
    assert!(!matches!(error, StartError::TimedOut { .. }), "{error}");
    let lines = function.log_lines();
    let [line] = &lines[..] else { panic!("one line") };
    assert_eq!(line["message"], "configuration_invalid");
    let problem = line["problem"].as_str().expect("a text").to_owned();
    assert!(problem.starts_with(&format!("{variable}: ")) && problem.contains("; for example "), "{problem}");
    problem
}

mod wiring {
    use super::*;

    /// The same request in payload format 1.0, from a REST API or an HTTP API.
    fn in_format_1(version: Option<&str>) -> Value {
        let event = TelephonyRequest::sms(NUMBER, CODE).event().build();
        let mut old = json!({
            "resource": "/telephony", "path": "/telephony", "httpMethod": "POST", "headers": event["headers"],
            "requestContext": {"resourcePath": "/telephony", "httpMethod": "POST", "requestTimeEpoch": 1_800_000_000_000_u64},
            "body": event["body"], "isBase64Encoded": false
        });
        if let Some(version) = version {
            old["version"] = json!(version);
        }
        old
    }

    #[test]
    fn of_another_payload_format_is_named() {
        let hook = Hook::start();
        for event in [in_format_1(None), in_format_1(Some("1.0"))] {
            let response = HttpAnswer::of(hook.function.invoke(&event));
            assert_eq!((response.status, location(&response)), (400, &json!("payloadFormatVersion")));
            assert_eq!(response.body["error"]["errorCauses"][0]["reason"], "payload_format");
            let log = hook.last_log("request_rejected");
            assert_eq!((&log["reason"], &log["location"]), (&json!("payload_format"), &json!("payloadFormatVersion")));
            assert_eq!(hook.last_log("metrics")["Rejected"], 1);
        }
        assert!(hook.sends().is_empty());
    }

    #[test]
    fn of_a_ping_logs_nothing() {
        let hook = Hook::start();
        let before = hook.function.log_lines().len();
        for event in [
            json!({}),
            json!({"source": "serverless-plugin-warmup"}),
            json!({"warmer": true, "concurrency": 3}),
            json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
        ] {
            let response = HttpAnswer::of(hook.function.invoke(&event));
            assert_eq!((response.status, &response.body), (204, &Value::Null), "{event}");
        }
        assert_eq!(hook.function.log_lines().len(), before, "no line and no metric");
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(NUMBER, CODE))), "SUCCESSFUL");
    }

    #[test]
    fn of_anything_else_is_rejected() {
        let hook = Hook::start();
        for event in [
            json!({"Records": []}),
            json!(null),
            json!([]),
            json!("ping"),
            TelephonyRequest::sms(NUMBER, CODE).body().clone(),
        ] {
            let response = HttpAnswer::of(hook.function.invoke(&event));
            assert_eq!(response.status, 400, "{event}");
            assert_eq!(hook.last_log("request_rejected")["reason"], "not_a_hook_request");
        }
        assert!(hook.sends().is_empty());
    }
}

mod countries {
    use super::*;

    const PREMIUM: &str = "+97912345678";
    const SATELLITE: &str = "+881612345678";
    const UNASSIGNED: &str = "+21012345678";
    const RUSSIA: &str = "+79161234567";

    fn reason(hook: &Hook, number: &str) -> String {
        hook.deployment.twilio.reset();
        let reason = verdict(&hook.ask(&TelephonyRequest::sms(number, CODE))).to_owned();
        assert_eq!(hook.sends().is_empty(), reason.starts_with("country_"), "{number}");
        reason
    }

    #[test]
    fn that_are_none_need_to_be_allowed_once_there_is_a_list() {
        for (variables, world, america, russia) in [
            (&[][..], "sent", "sent", "sent"),
            (&[("BLOCKED_COUNTRIES", "RU")], "country_blocked", "sent", "country_blocked"),
            (&[("BLOCKED_COUNTRIES", "001")], "country_blocked", "sent", "sent"),
            (&[("ALLOWED_COUNTRIES", "US,CA")], "country_not_allowed", "sent", "country_not_allowed"),
            (&[("ALLOWED_COUNTRIES", "US,001")], "sent", "sent", "country_not_allowed"),
            (&[("ALLOWED_COUNTRIES", "*")], "country_not_allowed", "sent", "sent"),
            (&[("ALLOWED_COUNTRIES", "*,001")], "sent", "sent", "sent"),
            (
                &[("ALLOWED_COUNTRIES", "*"), ("BLOCKED_COUNTRIES", "RU")],
                "country_not_allowed",
                "sent",
                "country_blocked",
            ),
            (&[("ALLOWED_COUNTRIES", "*,001"), ("BLOCKED_COUNTRIES", "RU")], "sent", "sent", "country_blocked"),
            (&[("ALLOWED_COUNTRIES", "*,001"), ("BLOCKED_COUNTRIES", "001")], "country_blocked", "sent", "sent"),
        ] {
            let hook = Hook::with_variables(variables);
            for (number, expected) in
                [(PREMIUM, world), (SATELLITE, world), (UNASSIGNED, world), (NUMBER, america), (RUSSIA, russia)]
            {
                let reason = reason(&hook, number);
                // What Twilio does with an allowed number is outside this test.
                let is_as_expected =
                    if expected == "sent" { !reason.starts_with("country_") } else { reason == expected };
                assert!(is_as_expected, "{variables:?} {number}: {reason}");
            }
        }
    }

    #[test]
    fn that_are_invalid_abort_startup() {
        for (variable, value) in [
            ("ALLOWED_COUNTRIES", "US,1"),
            ("ALLOWED_COUNTRIES", "US,**"),
            ("BLOCKED_COUNTRIES", "*"),
            ("BLOCKED_COUNTRIES", "002"),
        ] {
            assert_does_not_start(&[(variable, value)], variable);
        }
    }
}

mod rules_by_country {
    use super::*;

    const TEMPLATE: &str = "HJ0123456789abcdef0123456789abcdef";
    const OTHER_TEMPLATE: &str = "HJ00000000000000000000000000000001";
    const BRITAIN: &str = "+447400123456";
    const BRAZIL: &str = "+5511987654321";

    /// Channel, template and locale of the only request to Verify.
    fn sent(hook: &Hook, request: &TelephonyRequest) -> [Option<String>; 3] {
        hook.deployment.twilio.reset();
        hook.ask(request);
        let [send] = &hook.sends()[..] else { panic!("one request") };
        ["Channel", "TemplateSid", "Locale"].map(|name| send.parameter(name).map(str::to_owned))
    }

    fn expected(values: [Option<&str>; 3]) -> [Option<String>; 3] {
        values.map(|value| value.map(str::to_owned))
    }

    #[test]
    fn choose_channel_template_and_locale() {
        let rules = format!(
            r#"{{"*":{{"channel":"whatsapp"}},"US":{{"template":"{OTHER_TEMPLATE}","locale":"pt-BR"}},"GB":{{"locale":"fr"}}}}"#
        );
        let hook = Hook::with_variables(&[("COUNTRY_RULES", &rules), ("VERIFY_TEMPLATE_SID", TEMPLATE)]);
        for (number, by_sms, by_call) in [
            (BRAZIL, [Some("whatsapp"), None, Some("en-us")], [Some("call"), Some(TEMPLATE), Some("en")]),
            (
                NUMBER,
                [Some("sms"), Some(OTHER_TEMPLATE), Some("pt-BR")],
                [Some("call"), Some(OTHER_TEMPLATE), Some("pt-BR")],
            ),
            (BRITAIN, [Some("sms"), Some(TEMPLATE), Some("fr")], [Some("call"), Some(TEMPLATE), Some("fr")]),
        ] {
            assert_eq!(sent(&hook, &TelephonyRequest::sms(number, CODE)), expected(by_sms), "{number}");
            assert_eq!(sent(&hook, &TelephonyRequest::call(number, CODE)), expected(by_call), "{number}");
        }
    }

    #[test]
    fn go_before_the_global_channel_and_behind_a_landline() {
        let hook = Hook::with_variables(&[
            ("COUNTRY_RULES", r#"{"US":{"channel":"sms"}}"#),
            ("SMS_CHANNEL", "whatsapp"),
            ("LOOKUP_FIELDS", "line_type_intelligence"),
            ("LANDLINE_TO_CALL", "true"),
        ]);
        let channel = |number| sent(&hook, &TelephonyRequest::sms(number, CODE))[0].clone();
        assert_eq!(channel(NUMBER).as_deref(), Some("sms"));
        assert_eq!(channel(BRITAIN).as_deref(), Some("whatsapp"));
        assert_eq!(channel("+15005552001").as_deref(), Some("call"), "a landline");
    }

    #[test]
    fn fall_back_to_sms_where_the_account_has_no_whatsapp() {
        let options = Options { whatsapp_configured: false, ..Options::default() };
        let hook = Hook::with(options, &[("COUNTRY_RULES", r#"{"US":{"channel":"whatsapp"}}"#)]);
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(NUMBER, CODE))), "SUCCESSFUL");
        let channels: Vec<_> = hook.sends().iter().map(|send| send.parameter("Channel").map(str::to_owned)).collect();
        assert_eq!(channels, [Some("whatsapp".to_owned()), Some("sms".to_owned())]);
    }

    #[test]
    fn that_are_invalid_abort_startup_and_name_country_and_field() {
        let whatsapp = format!(r#"{{"DE":{{"channel":"whatsapp","template":"{TEMPLATE}"}}}}"#);
        let long = format!("{{{}}}", " ".repeat(2_560));
        for (value, named) in [
            ("sms", "a JSON object"),
            (r#"{"UK":{}}"#, "UK: "),
            (r#"{"DE":{"channel":"call"}}"#, "DE, channel: "),
            (r#"{"DE":{"locale":"german"}}"#, "DE, locale: "),
            (&whatsapp, "DE, template: "),
            (&long, "2560 bytes"),
        ] {
            let problem = assert_does_not_start(&[("COUNTRY_RULES", value)], "COUNTRY_RULES");
            assert!(problem.contains(named), "{problem}");
        }
    }
}

mod observing {
    use super::*;

    fn lines(hook: &Hook, message: &str) -> Vec<Value> {
        hook.function.log_lines().into_iter().filter(|line| line["message"] == message).collect()
    }

    #[test]
    fn sends_and_shows_what_would_be_refused() {
        let observe = [
            ("POLICY_MODE", "observe"),
            ("BLOCKED_COUNTRIES", "GB"),
            ("BLOCKED_LINE_TYPES", "premium"),
            ("LOOKUP_FIELDS", "line_type_intelligence"),
            ("DENY_RESPONSE", "swallow"),
        ];
        let hook = Hook::with_variables(&observe);
        // A magic number of the sandbox. Lookup reports it as premium.
        for (number, reason, lookups) in [
            ("+442079460123", Some("country_blocked"), 0),
            ("+97912345678", Some("country_blocked"), 0),
            ("+15005552007", Some("line_type_blocked"), 1),
            (NUMBER, None, 1),
        ] {
            hook.deployment.twilio.reset();
            let before = (lines(&hook, "would_refuse").len(), lines(&hook, "otp_refused").len());
            hook.ask(&TelephonyRequest::sms(number, CODE));
            assert_eq!(hook.sends().len(), 1, "{number}");
            assert_eq!(hook.deployment.twilio.requests_for(Operation::Lookup).len(), lookups, "{number}");
            let would_refuse = lines(&hook, "would_refuse");
            assert_eq!(would_refuse.len() - before.0, usize::from(reason.is_some()), "{number}");
            assert_eq!(lines(&hook, "otp_refused").len(), before.1, "{number}");
            if let Some(reason) = reason {
                let line = would_refuse.last().expect("a line");
                assert_eq!((&line["reason"], &line["channel"]), (&json!(reason), &json!("sms")), "{number}");
                let metrics = lines(&hook, "metrics");
                let counted = metrics.iter().rev().find(|line| line.get("WouldRefuse").is_some()).expect("a count");
                assert_eq!((&counted["WouldRefuse"], &counted["Reason"]), (&json!(1), &json!(reason)), "{number}");
            }
        }
    }

    #[test]
    fn a_landline_that_would_be_refused_still_gets_a_call() {
        // A magic number of the sandbox. Lookup reports it as a landline.
        let landline = "+15005552001";
        let hook = Hook::with_variables(&[
            ("POLICY_MODE", "observe"),
            ("ALLOWED_COUNTRIES", "DE"),
            ("LOOKUP_FIELDS", "line_type_intelligence,sms_pumping_risk"),
            ("LANDLINE_TO_CALL", "true"),
        ]);
        hook.ask(&TelephonyRequest::sms(landline, CODE));
        assert_eq!(hook.sends()[0].parameter("Channel"), Some("call"));
        let line = hook.last_log("would_refuse");
        assert_eq!((&line["reason"], &line["channel"]), (&json!("country_not_allowed"), &json!("call")));
        let lookups = || hook.deployment.twilio.requests_for(Operation::Lookup);
        assert_eq!(lookups()[0].parameter("Fields"), Some("line_type_intelligence"), "the rules need no data");
        // No data can change a call.
        hook.ask(&TelephonyRequest::call(NUMBER, CODE));
        assert_eq!((hook.sends().len(), lookups().len()), (2, 1));
    }

    #[test]
    fn does_not_send_to_an_impossible_number() {
        let hook = Hook::with_variables(&[("POLICY_MODE", "observe"), ("LOOKUP_FIELDS", "basic")]);
        let expired =
            TelephonyRequest::sms(NUMBER, CODE).with("/data/messageProfile/otpExpires", "2022-01-28T21:48:34.321Z");
        assert_eq!(verdict(&hook.ask(&expired)), "code_expired");
        // A magic number of the sandbox. Lookup reports it as invalid.
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms("+15005558101", CODE))), "phone_number_invalid");
        assert!(hook.sends().is_empty() && lines(&hook, "would_refuse").is_empty());
    }

    #[test]
    fn or_enforcing_and_nothing_else() {
        assert_does_not_start(&[("POLICY_MODE", "off")], "POLICY_MODE");
    }
}
