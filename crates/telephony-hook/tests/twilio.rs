//! Calls to Twilio, with the real binary: malformed responses, time limits, pending verifications, and the service and
//! credentials that are used.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what is missing here fails the test")]

mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use sandbox::{
    Fault, Operation, Options, RecordedRequest, SecondCode, Times,
    deployment::{AUTH_SECRET, Deployment, HOOKS_SECRET_ID, HttpAnswer, TelephonyRequest},
};
use serde_json::{Value, json};
use support::{Hook, verdict};

const NUMBER: &str = "+12025550123";
const CODE: &str = "867530";

fn sms() -> TelephonyRequest {
    TelephonyRequest::sms(NUMBER, CODE)
}

fn updates(hook: &Hook) -> Vec<RecordedRequest> {
    hook.deployment.twilio.requests_for(Operation::VerifyUpdate)
}

/// A Twilio that sends the same response to every request.
fn stub(status: u16, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let body = body.clone();
            std::thread::spawn(move || respond_to_all(&stream, status, &body));
        }
    });
    url
}

fn respond_to_all(stream: &TcpStream, status: u16, body: &str) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut is_head, mut length, mut line) = (false, 0, String::new());
        loop {
            line.clear();
            if !matches!(reader.read_line(&mut line), Ok(1..)) {
                return;
            }
            is_head |= line.starts_with("HEAD ");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut request = vec![0; length];
        if reader.read_exact(&mut request).is_err() {
            return;
        }
        let head = format!("HTTP/1.1 {status} Stub\r\ncontent-length: {}\r\n\r\n", body.len());
        let response = if is_head { head } else { head + body };
        if { stream }.write_all(response.as_bytes()).is_err() {
            return;
        }
    }
}

mod odd_answers {
    use super::*;

    const SID: &str = "VEaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const ATTEMPT: &str = "VLaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    /// Okta's response if Verify responds to a start in this way.
    fn response_to(status: u16, body: &str) -> HttpAnswer {
        let url = stub(status, body.to_owned());
        let hook = Hook::with_variables(&[("TWILIO_VERIFY_URL", &url)]);
        hook.ask(&sms())
    }

    #[test]
    fn an_odd_field_of_verify_does_not_lose_the_sid() {
        for attempts in ["null", "{}", r#"["x"]"#, "[[]]", r#"[{"attempt_sid":null}]"#, r#""\ud83d""#, "1e999"] {
            for status in [200, 201] {
                let body = format!(
                    r#"{{"to":7,"status":null,"channel":[],"send_code_attempts":{attempts},"lookup":"\ud83d","sid":"{SID}"}}"#
                );
                let response = response_to(status, &body);
                assert_eq!(verdict(&response), "SUCCESSFUL", "{status} {attempts}");
                let value = &response.body["commands"][0]["value"][0];
                assert_eq!((&value["transactionId"], &value["transactionMetadata"]), (&json!(SID), &Value::Null));
            }
        }
    }

    #[test]
    fn an_odd_sid_does_not_lose_the_attempt() {
        for sid in ["null", "{}", "7", r#"["VE"]"#] {
            let body = format!(r#"{{"sid":{sid},"send_code_attempts":[7,{{"attempt_sid":"{ATTEMPT}"}}]}}"#);
            let response = response_to(201, &body);
            assert_eq!(verdict(&response), "SUCCESSFUL", "{sid}");
            let value = &response.body["commands"][0]["value"][0];
            assert_eq!((&value["transactionId"], &value["transactionMetadata"]), (&Value::Null, &json!(ATTEMPT)));
        }
    }

    #[test]
    fn an_odd_field_of_a_refusal_does_not_lose_its_code() {
        for (body, reason) in [
            (r#"{"code":60605,"message":null,"status":"403","more_info":{}}"#, "country_blocked_by_twilio"),
            (r#"{"code":"60605","message":["Invalid parameter: To"]}"#, "country_blocked_by_twilio"),
            (r#"{"code":60605,"message":"\ud83d"}"#, "country_blocked_by_twilio"),
            (r#"{"code":{},"message":7}"#, "twilio_authentication"),
            ("[60605]", "twilio_authentication"),
        ] {
            assert_eq!(verdict(&response_to(403, body)), reason, "{body}");
        }
    }

    #[test]
    fn an_odd_field_of_lookup_does_not_affect_its_neighbors() {
        for odd in ["null", "{}", r#"["x"]"#, "true", r#""\ud83d""#] {
            let body = format!(
                r#"{{"valid":true,"phone_number":{odd},"country_code":{odd},"caller_name":{odd},"line_type_intelligence":
                {{"error_code":null,"type":"premium","carrier_name":{odd},"mobile_country_code":{odd}}}}}"#
            );
            let url = stub(200, body);
            let hook = Hook::with_variables(&[
                ("TWILIO_LOOKUP_URL", &url),
                ("LOOKUP_FIELDS", "line_type_intelligence"),
                ("BLOCKED_LINE_TYPES", "premium"),
            ]);
            assert_eq!(verdict(&hook.ask(&sms())), "line_type_blocked", "{odd}");
            assert!(hook.sends().is_empty());
        }
    }
}

mod time {
    use super::*;

    #[test]
    fn a_request_that_okta_has_given_up_is_not_sent() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "line_type_intelligence")]);
        for age_ms in [3_000, 3_500, 5_000, 29_000] {
            let response = hook.ask(&sms().taken_ago(Duration::from_millis(age_ms)));
            assert_eq!(verdict(&response), "out_of_time", "{age_ms}");
        }
        assert!(hook.sends().is_empty());
        assert!(hook.deployment.twilio.requests_for(Operation::Lookup).is_empty(), "and no Lookup is paid for");
        assert!(hook.last_log("otp_failed")["duration_ms"].as_u64().unwrap() >= 29_000);
    }

    #[test]
    fn a_recorded_event_is_sent() {
        let hook = Hook::start();
        for age_s in [31, 3_600] {
            assert_eq!(verdict(&hook.ask(&sms().taken_ago(Duration::from_secs(age_s)))), "SUCCESSFUL", "{age_s}");
        }
        let mut event = sms().event().build();
        event["requestContext"]["timeEpoch"] = json!(4_102_444_800_000_i64);
        assert_eq!(verdict(&HttpAnswer::of(hook.function.invoke(&event))), "SUCCESSFUL", "in the future");
        assert_eq!(hook.sends().len(), 3);
    }

    #[test]
    fn lambdas_own_deadline_counts() {
        let deployment = Deployment::start(Options::default());
        let function = deployment.function(env!("CARGO_BIN_EXE_telephony-hook"));
        let function = function.timeout(Duration::from_millis(1_500)).spawn();
        function.wait_until_ready(Duration::from_secs(10)).expect("the function starts");
        deployment.twilio.fault(Operation::VerifyCreate, Fault::Delay(Duration::from_secs(8)), Times::Next(1));
        let response = HttpAnswer::of(function.invoke(&sms().event().build()));
        assert_eq!(verdict(&response), "twilio_timeout");
        let log = function.log_lines().into_iter().find(|line| line["message"] == "otp_failed").expect("a line");
        assert!(log["duration_ms"].as_u64().unwrap() < 1_500);
    }
}

mod protection {
    use super::*;

    const FRAUD: &str = "+15005550410";
    const GEO: &str = "+15005550605";

    #[test]
    fn twilios_blocks_are_suppressed_like_the_policys_refusals() {
        let hook = Hook::with_variables(&[("DENY_RESPONSE", "swallow")]);
        for (number, reason) in [(FRAUD, "blocked_as_fraud"), (GEO, "country_blocked_by_twilio")] {
            let response = hook.ask(&TelephonyRequest::sms(number, CODE));
            assert_eq!(verdict(&response), "SUCCESSFUL");
            let value = &response.body["commands"][0]["value"][0];
            assert_eq!(value["transactionMetadata"], format!("refused:{reason}"));
            assert_eq!(value["transactionId"], Value::Null);
            let log = hook.last_log("otp_refused");
            assert_eq!((&log["reason"], &log["level"]), (&json!(reason), &json!("WARN")));
            assert!(log["twilio_code"].is_u64() && log["advice"].is_string());
        }
        assert!(hook.messages().is_empty());
        // Other failures are errors in any case.
        hook.deployment.twilio.fault(Operation::VerifyCreate, Fault::Status(500), Times::Next(1));
        assert_eq!(verdict(&hook.ask(&sms())), "twilio_failed");
    }

    #[test]
    fn by_default_okta_sends_what_twilio_blocks() {
        let hook = Hook::start();
        for (number, reason) in [(FRAUD, "blocked_as_fraud"), (GEO, "country_blocked_by_twilio")] {
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(number, CODE))), reason);
            assert_eq!(hook.last_log("otp_failed")["reason"], reason);
        }
    }
}

mod replacing {
    use super::*;

    fn replacing() -> Hook {
        Hook::with_variables(&[("REPLACE_PENDING", "true")])
    }

    #[test]
    fn a_pending_verification_is_canceled_before_a_send() {
        let hook = replacing();
        let first = hook.ask(&sms());
        assert_eq!(hook.last_log("otp_sent")["replaced"], "nothing_pending");
        let second = hook.ask(&TelephonyRequest::sms(NUMBER, "112233"));
        assert_eq!(hook.last_log("otp_sent")["replaced"], "canceled");
        let sid = |response: &HttpAnswer| response.body["commands"][0]["value"][0]["transactionId"].clone();
        assert_ne!(sid(&first), sid(&second), "a new verification with its own code");
        let updates = updates(&hook);
        assert_eq!(updates.len(), 2, "404 is not a failure");
        assert!(updates.iter().all(|update| update.parameter("Status") == Some("canceled")));
        assert!(updates.iter().all(|update| update.path.ends_with("/Verifications/%2B12025550123")));
        assert!(updates[1].at < hook.sends()[1].at);
        assert_eq!(hook.sends().len(), 2);
    }

    #[test]
    fn the_phone_gets_the_newest_code_whatever_verify_keeps() {
        for (second_code, replace_pending, expected) in [
            (SecondCode::First, "false", CODE),
            (SecondCode::First, "true", "112233"),
            (SecondCode::Newest, "true", "112233"),
        ] {
            let options = Options { second_code, ..Options::default() };
            let hook = Hook::with(options, &[("REPLACE_PENDING", replace_pending)]);
            hook.ask(&sms());
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(NUMBER, "112233"))), "SUCCESSFUL");
            assert_eq!(hook.messages()[1].code, expected, "{second_code:?} {replace_pending}");
        }
    }

    #[test]
    fn a_failure_to_cancel_does_not_stop_the_send() {
        for (fault, reason) in [
            (Fault::Status(500), "twilio_failed"),
            (Fault::Delay(Duration::from_secs(8)), "twilio_timeout"),
            (Fault::Throttle { reached_rate_limit: false, retry_after: None }, "throttled"),
        ] {
            let hook = replacing();
            hook.deployment.twilio.fault(Operation::VerifyUpdate, fault, Times::UntilCleared);
            let response = hook.ask(&sms());
            assert_eq!(verdict(&response), "SUCCESSFUL", "{reason}");
            let log = hook.last_log("otp_sent");
            assert_eq!((&log["replaced"], &log["replace_failure"]), (&json!("failed"), &json!(reason)));
            assert_eq!((updates(&hook).len(), hook.sends().len()), (1, 1), "{reason}");
        }
    }

    #[test]
    fn a_retry_cancels_nothing() {
        let hook = replacing();
        hook.deployment.twilio.fault(Operation::VerifyCreate, Fault::Status(503), Times::Next(1));
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert_eq!((updates(&hook).len(), hook.sends().len()), (1, 2));
    }

    #[test]
    fn a_refused_request_cancels_nothing() {
        let hook = Hook::with_variables(&[("REPLACE_PENDING", "true"), ("BLOCKED_COUNTRIES", "US")]);
        assert_eq!(verdict(&hook.ask(&sms())), "country_blocked");
        assert!(updates(&hook).is_empty());
    }

    #[test]
    fn by_default_nothing_is_canceled() {
        let hook = Hook::start();
        hook.ask(&sms());
        hook.ask(&sms());
        assert!(updates(&hook).is_empty());
        assert!(hook.last_log("otp_sent").get("replaced").is_none());
    }

    #[test]
    fn sends_without_a_limit_cause_a_warning() {
        let hook = replacing();
        let warning = hook.last_log("configuration_warning");
        assert_eq!(warning["level"], "WARN");
        assert!(warning["problem"].as_str().unwrap().contains("VERIFY_RATE_LIMITS"));
        let limited = Hook::with_variables(&[("REPLACE_PENDING", "true"), ("VERIFY_RATE_LIMITS", "okta_user=user_id")]);
        assert!(limited.function.log_lines().iter().all(|line| line["message"] != "configuration_warning"));
    }
}

mod account {
    use super::*;

    #[test]
    fn the_send_carries_oktas_event_id() {
        let hook = Hook::start();
        hook.ask(&sms());
        let log = hook.last_log("otp_sent");
        let requests = hook.sends();
        let tags: Value = serde_json::from_str(requests[0].parameter("Tags").unwrap()).unwrap();
        assert_eq!(tags, json!({"okta_event_id": log["okta_event_id"]}));
        // An invalid id is not sent as a tag.
        for odd in [json!(null), json!("an event of jane.doe@example.com"), json!(["x"])] {
            let hook = Hook::start();
            assert_eq!(verdict(&hook.ask(&sms().with("/eventId", odd))), "SUCCESSFUL");
            assert_eq!(hook.sends()[0].parameter("Tags"), None);
        }
    }

    #[test]
    fn a_refused_key_is_one_retry_in_the_log() {
        let hook = Hook::start();
        hook.deployment.twilio.fault(Operation::VerifyCreate, Fault::Unauthorized, Times::Next(1));
        let mut rotated = hook.deployment.hooks_secret(&[AUTH_SECRET, "another-secret-value"]);
        rotated["verify_service_sid"] = Value::Null;
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &rotated);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        let retried = hook.last_log("otp_retried");
        assert_eq!((&retried["reason"], &retried["twilio_code"]), (&json!("twilio_authentication"), &json!(20003)));
        assert_eq!(hook.last_log("otp_sent")["attempts"], 2);
    }

    #[test]
    fn a_key_that_lookup_rejected_is_not_used_at_verify() {
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "line_type_intelligence")]);
        hook.deployment.twilio.fault(Operation::Lookup, Fault::Unauthorized, Times::Next(1));
        let options = Options::default();
        let rotated = json!({
            "auth_secret": AUTH_SECRET,
            "twilio_account_sid": options.account_sid,
            "twilio_auth_token": options.auth_token
        });
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &rotated);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert_eq!(hook.deployment.twilio.requests_for(Operation::Lookup).len(), 2);
        assert_eq!(hook.sends().len(), 1, "the newer key at once");
        assert_eq!(hook.deployment.secrets.fetches(HOOKS_SECRET_ID), 2);
    }

    fn with_service_in_secret(service_sid: &Value) -> Hook {
        let deployment = Deployment::start(Options::default());
        let mut secret = deployment.hooks_secret(&[AUTH_SECRET]);
        secret["verify_service_sid"] = service_sid.clone();
        deployment.secrets.put(HOOKS_SECRET_ID, &secret);
        // A blank variable counts as unset.
        Hook::on(deployment, &[("VERIFY_SERVICE_SID", "")])
    }

    #[test]
    fn the_service_may_be_in_the_secret() {
        let hook = with_service_in_secret(&json!(Options::default().service_sid));
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert_eq!(hook.messages().len(), 1);
    }

    #[test]
    fn the_variable_takes_precedence_over_the_secret() {
        let deployment = Deployment::start(Options::default());
        let mut secret = deployment.hooks_secret(&[AUTH_SECRET]);
        secret["verify_service_sid"] = json!("VA00000000000000000000000000000000");
        deployment.secrets.put(HOOKS_SECRET_ID, &secret);
        let hook = Hook::on(deployment, &[]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
    }

    #[test]
    fn without_a_service_every_request_is_refused() {
        for service_sid in [json!(null), json!(""), json!("VA123"), json!("AC00000000000000000000000000000000")] {
            let hook = with_service_in_secret(&service_sid);
            let response = hook.ask(&sms());
            assert_eq!(response.status, 503, "{service_sid}");
            assert_eq!(response.body["error"]["errorCauses"][0]["reason"], "secret_unavailable");
            assert!(hook.sends().is_empty());
        }
    }
}
