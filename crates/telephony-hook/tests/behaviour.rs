//! What Twilio receives, what Okta gets as the response, and what the log shows, with the real binary.

#![expect(clippy::indexing_slicing, reason = "a response without the field fails the test")]

mod support;

use std::time::Duration;

use sandbox::{
    Channel, Fault, Operation, Options, RateLimit, Times,
    deployment::{AUTH_SECRET, Deployment, HOOKS_SECRET_ID, HttpAnswer, TelephonyRequest},
    exclusive::run_alone,
    lambda::StartError,
};
use serde_json::{Value, json};
use support::{Hook, verdict};

const NUMBER: &str = "+12025550123";
const CODE: &str = "867530";
const BUDGET: Duration = Duration::from_millis(2_600);

fn sms() -> TelephonyRequest {
    TelephonyRequest::sms(NUMBER, CODE)
}

/// Makes one request while Verify has a fault, and returns the response to Okta.
fn ask_with_fault(hook: &Hook, fault: Fault, times: Times) -> HttpAnswer {
    hook.deployment.twilio.fault(Operation::VerifyCreate, fault, times);
    hook.ask(&sms())
}

mod sending {
    use super::*;

    #[test]
    fn an_sms() {
        let hook = Hook::start();
        let response = hook.ask(&sms());
        assert_eq!(verdict(&response), "SUCCESSFUL");
        let [message] = &hook.messages()[..] else { panic!("one message") };
        assert_eq!((message.to.as_str(), message.code.as_str(), message.channel), (NUMBER, CODE, Channel::Sms));
        let value = &response.body["commands"][0]["value"][0];
        assert_eq!(value["provider"], "Twilio Verify");
        assert_eq!(value["transactionId"], message.verification_sid);
        assert_eq!(value["transactionMetadata"], message.attempt_sid);
        let [request] = &hook.sends()[..] else { panic!("one request") };
        assert!(request.authenticated && request.ignored_parameters.is_empty());
        let mut names: Vec<_> = request.parameters.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["Channel", "CustomCode", "Locale", "Tags", "To"]);
        assert_eq!(request.parameter("Locale"), Some("en"));

        let log = hook.last_log("otp_sent");
        assert_eq!(log["verification_sid"], message.verification_sid);
        assert_eq!(log["user_id"], "00uyxxSknGtK8022w0g3");
        assert_eq!(log["phone"], "US…23");
        let metrics = hook.last_log("metrics");
        assert_eq!(
            (&metrics["Sends"], &metrics["Outcome"], &metrics["Country"]),
            (&json!(1), &json!("sent"), &json!("US"))
        );
        assert_eq!(metrics["SendErrors"], 0);
        assert!(metrics["VerifyLatency"].as_f64().is_some_and(|latency| latency > 0.0));
        assert_eq!(response.body["debugContext"]["requestId"], log["function_request_id"]);
    }

    #[test]
    fn the_last_attempt_of_a_repeated_message() {
        let hook = Hook::start();
        let first = hook.ask(&sms());
        let second = hook.ask(&TelephonyRequest::sms(NUMBER, "112233"));
        let value = |response: &HttpAnswer, field: &str| response.body["commands"][0]["value"][0][field].clone();
        assert_eq!(value(&first, "transactionId"), value(&second, "transactionId"));
        assert_ne!(value(&first, "transactionMetadata"), value(&second, "transactionMetadata"));
        assert_eq!(value(&second, "transactionMetadata"), hook.messages()[1].attempt_sid);
    }

    #[test]
    fn a_call_with_an_extension() {
        let hook = Hook::start();
        let response = hook.ask(&TelephonyRequest::call("+12025550123 x4567", CODE));
        assert_eq!(verdict(&response), "SUCCESSFUL");
        let [message] = &hook.messages()[..] else { panic!("one message") };
        assert_eq!((message.to.as_str(), message.channel), (NUMBER, Channel::Call));
        assert_eq!(message.send_digits.as_deref(), Some("ww4567"));
    }

    #[test]
    fn an_extension_is_not_for_sms() {
        let hook = Hook::start();
        hook.ask(&TelephonyRequest::sms("+12025550123 x4567", CODE));
        assert_eq!(hook.sends()[0].parameter("SendDigits"), None);
        assert_eq!(hook.messages().len(), 1);
    }

    #[test]
    fn whatsapp() {
        let hook = Hook::with_variables(&[("SMS_CHANNEL", "whatsapp"), ("VERIFY_TEMPLATE_SID", TEMPLATE)]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert_eq!(hook.messages()[0].channel, Channel::Whatsapp);
        assert_eq!(hook.sends()[0].parameter("TemplateSid"), None, "templates are not for WhatsApp");
        assert_eq!(hook.last_log("otp_sent")["channel"], "whatsapp");
    }

    #[test]
    fn without_whatsapp_the_code_goes_by_sms() {
        let options = Options { whatsapp_configured: false, ..Options::default() };
        let hook = Hook::with(options, &[("SMS_CHANNEL", "whatsapp")]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        let [message] = &hook.messages()[..] else { panic!("one message") };
        assert_eq!(message.channel, Channel::Sms);
        assert_eq!(hook.sends().len(), 2);
        assert_eq!(hook.last_log("otp_sent")["channel"], "sms");
        assert_eq!(hook.last_log("otp_retried")["reason"], "channel_unavailable");
    }

    const TEMPLATE: &str = "HJ0123456789abcdef0123456789abcdef";

    #[test]
    fn a_template_and_rate_limits() {
        let rate_limits = "okta_user=user_id, number=phone, address=ip, flow=request_type";
        let hook = Hook::with_variables(&[("VERIFY_TEMPLATE_SID", TEMPLATE), ("VERIFY_RATE_LIMITS", rate_limits)]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        let requests = hook.sends();
        assert_eq!(requests[0].parameter("TemplateSid"), Some(TEMPLATE));
        let sent: Value = serde_json::from_str(requests[0].parameter("RateLimits").unwrap()).unwrap();
        let expected = json!({
            "okta_user": "00uyxxSknGtK8022w0g3", "number": NUMBER, "address": "203.0.113.10", "flow": "mfa-verification"
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn the_services_rate_limit_ends_it() {
        let limit = RateLimit { unique_name: "okta_user".into(), max: 2, interval: Duration::from_secs(60) };
        let options = Options { rate_limits: vec![limit], ..Options::default() };
        let hook = Hook::with(options, &[("VERIFY_RATE_LIMITS", "okta_user=user_id")]);
        let responses = ["+12025550111", "+12025550122", "+12025550133"]
            .map(|number| hook.ask(&TelephonyRequest::sms(number, CODE)));
        assert_eq!(responses.each_ref().map(verdict), ["SUCCESSFUL", "SUCCESSFUL", "rate_limited"]);
        assert_eq!(hook.sends().len(), 3, "no retry");
    }

    #[test]
    fn languages() {
        for (choice, okta, sent) in [
            ("okta", "pt_BR", Some("pt-BR")),
            ("okta", "xx-YY", None),
            ("auto", "pt-BR", None),
            ("de", "pt-BR", Some("de")),
        ] {
            let hook = Hook::with_variables(&[("VERIFY_LOCALE", choice)]);
            assert_eq!(verdict(&hook.ask(&sms().with("/data/messageProfile/locale", okta))), "SUCCESSFUL");
            assert_eq!(hook.sends()[0].parameter("Locale"), sent, "{choice} {okta}");
        }
    }

    #[test]
    fn a_preview_is_sent_although_its_dates_are_samples() {
        let preview = "/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview";
        let expired = sms().with("/data/messageProfile/otpExpires", "2022-01-28T21:48:34.321Z");
        let hook = Hook::start();
        assert_eq!(verdict(&hook.ask(&expired)), "code_expired");
        assert!(hook.sends().is_empty());
        assert_eq!(verdict(&hook.ask(&expired.with("/data/context/request/url/value", preview))), "SUCCESSFUL");
    }

    #[test]
    fn five_messages_in_ten_minutes() {
        let hook = Hook::start();
        for _ in 0..5 {
            assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        }
        assert_eq!(verdict(&hook.ask(&sms())), "too_many_sends");
        assert_eq!(hook.last_log("otp_failed")["twilio_code"], 60203);
        hook.deployment.twilio.advance(Duration::from_secs(601));
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
    }

    #[test]
    fn an_invalid_number_receives_nothing() {
        let hook = Hook::start();
        for number in ["9876543210", "+1", "12", "+1202FLOWERS", "+99999999999999999"] {
            let response = hook.ask(&TelephonyRequest::sms(number, CODE));
            assert_eq!(verdict(&response), "phone_number_invalid", "{number}");
            assert!(hook.last_log("metrics")["SendErrors"].is_null(), "no alarm for what the user can fix");
            assert_eq!(response.body["error"]["errorCauses"][0]["location"], "data.messageProfile.phoneNumber");
        }
        assert!(hook.sends().is_empty());
    }
}

mod callers {
    use super::*;

    /// Each of these is rejected, and nothing reaches Twilio.
    fn assert_refused(hook: &Hook, request: &TelephonyRequest) {
        let response = hook.ask(request);
        assert_eq!(response.status, 401);
        assert_eq!(response.body["error"]["errorCauses"][0]["reason"], "not_authenticated");
        assert!(hook.sends().is_empty());
    }

    #[test]
    fn without_the_secret_nothing_is_sent() {
        let hook = Hook::start();
        assert_refused(&hook, &sms().secret(None));
        for wrong in ["", "wrong", "local-development-onl", "local-development-only ", "LOCAL-DEVELOPMENT-ONLY"] {
            // A gateway trims the blanks around a value. Without that, the value is rejected.
            assert_refused(&hook, &sms().secret(Some(wrong)));
        }
        let twice = sms().event().header("auth_secret", AUTH_SECRET).build();
        assert_eq!(HttpAnswer::of(hook.function.invoke(&twice)).status, 401, "joined by the gateway");
        let both = sms().event().header("auth-secret", AUTH_SECRET).build();
        assert_eq!(HttpAnswer::of(hook.function.invoke(&both)).status, 401, "under two spellings");
        assert!(hook.sends().is_empty());
        let log = hook.last_log("request_rejected");
        assert_eq!((&log["status"], &log["reason"]), (&json!(401), &json!("not_authenticated")));
        assert_eq!(hook.last_log("metrics")["Rejected"], 1);
    }

    #[test]
    fn the_header_has_the_name_that_is_configured() {
        let hook = Hook::with_variables(&[("AUTH_HEADER", "X-Okta_Key")]);
        assert_refused(&hook, &sms());
        let event = sms().secret(None).event().header("x-okta-key", AUTH_SECRET).build();
        assert_eq!(verdict(&HttpAnswer::of(hook.function.invoke(&event))), "SUCCESSFUL");
    }

    #[test]
    fn a_gateways_token() {
        let hook = Hook::with_variables(&[("AUTH_MODE", "jwt"), ("JWT_SCOPE", "telephony")]);
        assert_refused(&hook, &sms());
        assert_refused(&hook, &sms().secret(None));
        let empty = sms().event().jwt_claims(&[]).build();
        assert_eq!(HttpAnswer::of(hook.function.invoke(&empty)).status, 401);
        let event = sms().secret(None).event().jwt_claims(&[("sub", "0oa1"), ("scp", "telephony")]).build();
        assert_eq!(verdict(&HttpAnswer::of(hook.function.invoke(&event))), "SUCCESSFUL");
    }

    #[test]
    fn several_secrets_are_accepted() {
        let deployment = Deployment::start(Options::default());
        deployment.secrets.put(HOOKS_SECRET_ID, &deployment.hooks_secret(&["the-new-secret-value", AUTH_SECRET]));
        let hook = Hook::on(deployment, &[]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert_eq!(verdict(&hook.ask(&sms().secret(Some("the-new-secret-value")))), "SUCCESSFUL");
        let log = hook.ask(&sms().secret(Some("the-old-secret-value")));
        assert_eq!(log.status, 401);
    }

    #[test]
    fn events_that_are_not_requests() {
        let hook = Hook::start();
        let ask = |method: &str, body: &[u8]| {
            let event = sandbox::lambda::GatewayEvent::new(method, "/telephony").header("auth_secret", AUTH_SECRET);
            HttpAnswer::of(hook.function.invoke(&event.body(body).build()))
        };
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let response = ask(method, b"");
            assert_eq!((response.status, &response.headers["allow"]), (405, &json!("POST")), "{method}");
        }
        for body in
            [&b""[..], b"{", b"null", b"[]", b"{}", b"\xff\xfe", br#"{"eventType":"com.okta.oauth2.tokens.transform"}"#]
        {
            assert_eq!(ask("POST", body).status, 400);
        }
        let missing = sms().with("/data/messageProfile/otpCode", Value::Null);
        let response = hook.ask(&missing);
        assert_eq!(response.status, 400);
        assert_eq!(response.body["error"]["errorCauses"][0]["location"], "data.messageProfile.otpCode");
        assert_eq!(ask("POST", &vec![b' '; 64 * 1024 + 1]).status, 413);
        assert_eq!(ask("POST", &vec![b' '; 64 * 1024]).status, 400, "the limit itself is read");
        for event in ["null", "[]", r#"{"Records":[]}"#] {
            let response = HttpAnswer::of(hook.function.invoke(event));
            assert_eq!(response.status, 400, "{event}");
        }
        let base64 = sms().event().base64().build();
        assert_eq!(verdict(&HttpAnswer::of(hook.function.invoke(&base64))), "SUCCESSFUL");
        let mut broken = base64;
        broken["body"] = json!("no base64!");
        assert_eq!(HttpAnswer::of(hook.function.invoke(&broken)).status, 400);
        assert_eq!(hook.sends().len(), 1);
    }
}

mod twilio_fails {
    use super::*;

    #[test]
    fn slow_beyond_the_budget() {
        let _alone = run_alone();
        let hook = Hook::start();
        let response = ask_with_fault(&hook, Fault::Delay(Duration::from_secs(8)), Times::Next(1));
        assert_eq!(verdict(&response), "twilio_timeout");
        assert!(response.duration < BUDGET + Duration::from_millis(300), "{:?}", response.duration);
        assert_eq!((hook.sends().len(), hook.messages().len()), (1, 1), "not repeated, because it was sent");
        assert_eq!(hook.last_log("metrics")["SendErrors"], 1);
    }

    #[test]
    fn a_cold_start_counts_against_the_budget() {
        let _alone = run_alone();
        let hook = Hook::start();
        hook.deployment.twilio.fault(Operation::VerifyCreate, Fault::Delay(Duration::from_secs(8)), Times::Next(1));
        let response = hook.ask(&sms().taken_ago(Duration::from_millis(1_600)));
        assert_eq!(verdict(&response), "twilio_timeout");
        assert!(response.duration < Duration::from_millis(1_300), "{:?}", response.duration);
        assert!(hook.last_log("otp_failed")["duration_ms"].as_u64().unwrap() >= 2_500);
    }

    #[test]
    fn nothing_is_sent_without_time_left() {
        let hook = Hook::start();
        let response = hook.ask(&sms().taken_ago(Duration::from_millis(2_550)));
        assert_eq!(verdict(&response), "out_of_time");
        assert!(hook.sends().is_empty());
    }

    #[test]
    fn connection_refused() {
        let _alone = run_alone();
        let hook = Hook::start();
        hook.deployment.twilio.stop_listening();
        let response = hook.ask(&sms());
        assert_eq!(verdict(&response), "twilio_unreachable");
        assert!(response.duration < BUDGET);
        hook.deployment.twilio.resume_listening();
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert_eq!(hook.messages().len(), 1);
    }

    #[test]
    fn connection_closed_before_the_request_was_written() {
        let hook = Hook::start();
        let response = ask_with_fault(&hook, Fault::CloseBeforeReading, Times::Next(1));
        assert_eq!(verdict(&response), "SUCCESSFUL");
        assert_eq!(hook.messages().len(), 1);
    }

    #[test]
    fn connection_closed_after_the_request_was_written() {
        for (fault, messages) in [(Fault::CloseAfterReading, 0), (Fault::CloseAfterSending, 1)] {
            let hook = Hook::start();
            let response = ask_with_fault(&hook, fault, Times::Next(1));
            assert_eq!(verdict(&response), "twilio_interrupted");
            assert_eq!(
                (hook.sends().len(), hook.messages().len()),
                (1, messages),
                "not repeated, because it may have been sent"
            );
        }
    }

    #[test]
    fn an_idle_connection_closed_by_the_peer_costs_nothing() {
        let hook = Hook::start();
        for sent in 1..=3 {
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(&format!("+1202555011{sent}"), CODE))), "SUCCESSFUL");
            assert_eq!((hook.sends().len(), hook.messages().len()), (sent, sent));
            // Lambda does this between invocations. The server's close stays in the socket until the function
            // continues.
            hook.function.freeze();
            hook.deployment.twilio.close_idle_connections();
            hook.function.thaw();
        }
    }

    #[test]
    fn connections_are_used_again() {
        let hook = Hook::start();
        for _ in 0..3 {
            hook.ask(&sms());
        }
        let requests = hook.sends();
        assert!(requests.iter().all(|request| request.connection == requests[0].connection));
    }

    #[test]
    fn throttled_for_a_moment() {
        let hook = Hook::start();
        let fault = Fault::Throttle { reached_rate_limit: false, retry_after: None };
        assert_eq!(verdict(&ask_with_fault(&hook, fault, Times::Next(1))), "SUCCESSFUL");
        assert_eq!((hook.sends().len(), hook.messages().len()), (2, 1));
        assert_eq!(hook.last_log("otp_sent")["attempts"], 2);
    }

    #[test]
    fn throttled_for_longer_than_the_budget() {
        let _alone = run_alone();
        let hook = Hook::start();
        let fault = Fault::Throttle { reached_rate_limit: false, retry_after: Some(30) };
        let response = ask_with_fault(&hook, fault, Times::UntilCleared);
        assert_eq!(verdict(&response), "throttled");
        assert_eq!(hook.sends().len(), 1);
        assert!(response.duration < Duration::from_secs(1), "answered at once: {:?}", response.duration);
    }

    #[test]
    fn a_rate_limit_of_the_service_is_not_retried() {
        let hook = Hook::start();
        let fault = Fault::Throttle { reached_rate_limit: true, retry_after: Some(1) };
        assert_eq!(verdict(&ask_with_fault(&hook, fault, Times::Next(1))), "rate_limited");
        assert_eq!((hook.sends().len(), hook.messages().len()), (1, 0));
    }

    #[test]
    fn unavailable_once_and_twice() {
        let hook = Hook::start();
        assert_eq!(verdict(&ask_with_fault(&hook, Fault::Status(503), Times::Next(1))), "SUCCESSFUL");
        assert_eq!((hook.sends().len(), hook.messages().len()), (2, 1));
        let hook = Hook::start();
        assert_eq!(verdict(&ask_with_fault(&hook, Fault::Status(503), Times::UntilCleared)), "twilio_failed");
        assert_eq!((hook.sends().len(), hook.messages().len()), (2, 0));
    }

    #[test]
    fn a_failure_after_a_possible_send_is_not_repeated() {
        for status in [500, 502, 504] {
            let hook = Hook::start();
            assert_eq!(verdict(&ask_with_fault(&hook, Fault::Status(status), Times::Next(1))), "twilio_failed");
            assert_eq!(hook.sends().len(), 1);
        }
    }

    #[test]
    fn an_odd_response_after_the_message_was_sent() {
        for fault in [Fault::NotJson, Fault::Huge(50_000_000), Fault::Truncated] {
            let hook = Hook::start();
            let response = ask_with_fault(&hook, fault.clone(), Times::Next(1));
            assert_eq!(verdict(&response), "SUCCESSFUL", "{fault:?}");
            assert_eq!(response.body["commands"][0]["value"][0]["transactionId"], Value::Null);
            assert_eq!((hook.sends().len(), hook.messages().len()), (1, 1));
            assert!(hook.function.peak_memory_kib().is_none_or(|peak| peak < 64 * 1024), "the response is not stored");
        }
    }

    #[test]
    fn a_language_that_twilio_rejects() {
        // Responds with 60200 about `Locale` to any request that has one.
        let refusing = sandbox::MAGIC_NUMBERS.iter().find(|magic| {
            matches!(magic.effect, sandbox::Effect::Verify(sandbox::VerifyEffect::Refuse(refusal))
                if refusal.when == sandbox::When::WithLocale)
        });
        let hook = Hook::start();
        let response = hook.ask(&TelephonyRequest::sms(refusing.expect("a magic number").number, CODE));
        assert_eq!(verdict(&response), "SUCCESSFUL");
        let locales: Vec<_> =
            hook.sends().iter().map(|request| request.parameter("Locale").map(str::to_owned)).collect();
        assert_eq!(locales, [Some("en".to_owned()), None]);
        assert_eq!(hook.messages().len(), 1);
    }

    #[test]
    fn custom_codes_that_are_off() {
        let hook = Hook::with(Options { custom_code_enabled: false, ..Options::default() }, &[]);
        let response = hook.ask(&sms());
        assert_eq!(verdict(&response), "verify_service");
        let log = hook.last_log("otp_failed");
        assert_eq!((&log["twilio_code"], &log["level"]), (&json!(60204), &json!("ERROR")));
        assert!(log["advice"].as_str().unwrap().contains("custom codes"));
    }
}

mod secrets {
    use super::*;

    fn refused(response: &HttpAnswer) -> bool {
        response.status == 503 && response.body["error"]["errorCauses"][0]["reason"] == "secret_unavailable"
    }

    #[test]
    fn unusable_ones_let_no_caller_in() {
        let good = |change: &dyn Fn(&mut Value)| {
            let mut secret = Deployment::start(Options::default()).hooks_secret(&[AUTH_SECRET]);
            change(&mut secret);
            secret.to_string()
        };
        for text in [
            String::new(),
            "{}".to_owned(),
            "not json".to_owned(),
            good(&|secret| secret["auth_secret"] = json!("")),
            good(&|secret| secret["auth_secret"] = json!([])),
            good(&|secret| secret["auth_secret"] = json!([AUTH_SECRET, ""])),
            good(&|secret| secret["auth_secret"] = Value::Null),
            good(&|secret| secret["twilio_api_key_secret"] = json!("")),
            good(&|secret| secret["twilio_api_key_sid"] = json!("VA00000000000000000000000000000000")),
        ] {
            let deployment = Deployment::start(Options::default());
            deployment.secrets.put_text(HOOKS_SECRET_ID, &text);
            let hook = Hook::on(deployment, &[]);
            for secret in [None, Some(""), Some(AUTH_SECRET)] {
                let response = hook.ask(&sms().secret(secret));
                assert!(response.status == 401 || refused(&response), "{}", response.status);
            }
            assert!(hook.sends().is_empty());
            assert_eq!(hook.last_log("secret_refresh_failed")["level"], "ERROR");
        }
    }

    #[test]
    fn missing_and_denied() {
        let deployment = Deployment::start(Options::default());
        deployment.secrets.remove(HOOKS_SECRET_ID);
        let hook = Hook::on(deployment, &[]);
        assert!(refused(&hook.ask(&sms())));
        assert_eq!(hook.last_log("secret_refresh_failed")["reason"], "not_found");

        let deployment = Deployment::start(Options::default());
        deployment.secrets.deny();
        let hook = Hook::on(deployment, &[]);
        assert!(refused(&hook.ask(&sms())));
        assert_eq!(hook.last_log("secret_refresh_failed")["reason"], "access_denied");
    }

    #[test]
    fn down_at_the_start_and_back_later() {
        let deployment = Deployment::start(Options::default());
        deployment.secrets.down();
        let hook = Hook::on(deployment, &[]);
        assert_eq!(hook.last_log("started")["secret"], "failed");
        assert!(refused(&hook.ask(&sms())));
        assert!(hook.sends().is_empty());
        hook.deployment.secrets.up();
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL", "the next request fetches again");
    }

    #[test]
    fn down_while_warm() {
        let _alone = run_alone();
        let hook = Hook::with_variables(&[("SECRET_TTL_SECONDS", "1")]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        hook.deployment.secrets.down();
        std::thread::sleep(Duration::from_millis(1_100));
        let response = hook.ask(&sms());
        assert_eq!(verdict(&response), "SUCCESSFUL");
        assert!(response.duration < Duration::from_millis(500), "does not wait for the refresh");
        let stale = |line: &Value| line["message"] == "secret_refresh_failed" && line["stale_value_in_use"] == true;
        assert_eq!(hook.function.wait_for_log(stale, Duration::from_secs(5))["level"], "WARN");
    }

    #[test]
    fn slow_at_the_start() {
        let _alone = run_alone();
        let deployment = Deployment::start(Options::default());
        deployment.secrets.delay(Duration::from_secs(30));
        let hook = Hook::on(deployment, &[]);
        let response = hook.ask(&sms());
        assert!(refused(&response));
        assert!(response.duration < Duration::from_secs(3), "{:?}", response.duration);
    }

    #[test]
    fn the_callers_secret_rotated_while_warm() {
        let hook = Hook::start();
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        let new = "another-secret-value";
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &hook.deployment.hooks_secret(&[new]));
        assert_eq!(verdict(&hook.ask(&sms().secret(Some(new)))), "SUCCESSFUL");
        assert_eq!(hook.ask(&sms()).status, 401, "the old one is rejected");
    }

    #[test]
    fn twilios_key_rotated_while_warm() {
        let hook = Hook::start();
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        hook.deployment.twilio.fault(Operation::VerifyCreate, Fault::Unauthorized, Times::Next(1));
        let mut rotated = hook.deployment.hooks_secret(&[AUTH_SECRET]);
        let account = Options::default();
        for field in ["twilio_api_key_sid", "twilio_api_key_secret"] {
            rotated.as_object_mut().unwrap().remove(field);
        }
        rotated["twilio_account_sid"] = json!(account.account_sid);
        rotated["twilio_auth_token"] = json!(account.auth_token);
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &rotated);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert_eq!((hook.sends().len(), hook.messages().len()), (3, 2));
    }

    #[test]
    fn twilios_key_revoked() {
        let hook = Hook::start();
        let response = ask_with_fault(&hook, Fault::Unauthorized, Times::UntilCleared);
        assert_eq!(verdict(&response), "twilio_authentication");
        assert_eq!(hook.sends().len(), 1, "the secret is the same, so a retry is useless");
        assert_eq!(hook.last_log("otp_failed")["level"], "ERROR");
    }

    #[test]
    fn an_attacker_cannot_cause_many_fetches() {
        let hook = Hook::start();
        for _ in 0..50 {
            assert_eq!(hook.ask(&sms().secret(Some("a-wrong-secret-value"))).status, 401);
        }
        assert!(hook.deployment.secrets.fetches(HOOKS_SECRET_ID) <= 2, "at the start, and once in ten seconds");
    }
}

mod configuration {
    use super::*;

    #[test]
    fn an_invalid_value_aborts_startup_with_one_line() {
        for (variable, value) in [
            ("HOOKS_SECRET_ID", ""),
            ("VERIFY_SERVICE_SID", "MG0123456789abcdef0123456789abcdef"),
            ("LOG_LEVEL", "trace"),
            ("AUTH_MODE", "off"),
            ("EXTRA_CA_FILE", "/does/not/exist.pem"),
            ("SMS_CHANNEL", "pigeon"),
        ] {
            let deployment = Deployment::start(Options::default());
            let function = deployment.function(env!("CARGO_BIN_EXE_telephony-hook")).env(variable, value).spawn();
            let error = function.wait_until_ready(Duration::from_secs(10)).unwrap_err();
            assert!(!matches!(error, StartError::TimedOut { .. }), "{error}");
            let lines = function.log_lines();
            let [line] = &lines[..] else { panic!("one line") };
            assert_eq!(line["message"], "configuration_invalid");
            let problem = line["problem"].as_str().unwrap();
            assert!(problem.starts_with(&format!("{variable}: ")) && problem.contains("; for example "), "{problem}");
        }
    }

    #[test]
    fn the_start_is_logged() {
        let hook = Hook::start();
        let started = hook.last_log("started");
        assert_eq!((&started["secret"], &started["connection"]), (&json!("ready"), &json!("ready")));
        assert_eq!(hook.deployment.twilio.connections(), 1);
        hook.ask(&sms());
        assert_eq!(hook.deployment.twilio.connections(), 1, "the connection of INIT serves the first request");
        assert_eq!(hook.deployment.secrets.fetches(HOOKS_SECRET_ID), 1);
        let cold = |line: &Value| line["cold_start"] == true && line["message"] == "otp_sent";
        assert!(hook.function.log_lines().iter().any(cold));
        hook.ask(&sms());
        assert_eq!(hook.last_log("otp_sent")["cold_start"], false);
    }

    #[test]
    fn twilio_down_at_the_start() {
        let deployment = Deployment::start(Options::default());
        deployment.twilio.stop_listening();
        let hook = Hook::on(deployment, &[]);
        assert_eq!(hook.last_log("started")["connection"], "failed");
        hook.deployment.twilio.resume_listening();
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
    }
}
