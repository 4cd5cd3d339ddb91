//! What Twilio and Okta's API receive, what Okta and the queue get as the response, and what the log shows, with the
//! real binary.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]

mod support;

use std::time::{Duration, Instant};

use sandbox::{
    Fault, OktaOptions, OktaUser, Operation, Options, ServiceAppKey, Times,
    deployment::{AUTH_SECRET, Deployment, HOOKS_SECRET_ID, OKTA_SECRET_ID},
    exclusive::run_alone,
    lambda::{GatewayEvent, Outcome, StartError},
    sqs::{MAX_RECEIVE_COUNT, Sqs, VISIBILITY},
};
use serde_json::{Value, json};
use support::{Hook, ago, delivery, enrollment, sign_in, variables};

/// A user with one phone, for SMS and calls.
const USER: &str = "00uyxxSknGtK8022w0g3";
const NUMBER: &str = "+12025550123";

/// The magic user with this name.
fn magic(name: &str) -> String {
    format!("00usandbox0{name}")
}

fn get() -> GatewayEvent {
    GatewayEvent::new("GET", "/events")
}

mod requests {
    use super::*;

    const CHALLENGE: &str = "X-Okta-Verification-Challenge";

    #[test]
    fn the_one_time_verification() {
        let hook = Hook::start();
        for challenge in ["aB3-x_9", r#"quo"ted\"#] {
            let response = hook.ask(get().header("auth_secret", AUTH_SECRET).header(CHALLENGE, challenge));
            assert_eq!((response.status, response.body), (200, json!({"verification": challenge})));
            assert_eq!(response.headers["content-type"], "application/json");
        }
        let response = hook.ask(get().header("auth_secret", AUTH_SECRET));
        assert_eq!(response.status, 400);
        assert_eq!(response.body["error"]["errorCauses"][0]["reason"], "challenge_missing");
    }

    #[test]
    fn an_unauthenticated_caller_is_rejected() {
        let hook = Hook::start();
        hook.send_code(NUMBER);
        let body = delivery(&[sign_in(USER, "SMS_FACTOR")]).to_string();
        let requests = [
            get().header(CHALLENGE, "aB3"),
            get().header(CHALLENGE, "aB3").header("auth_secret", "wrong"),
            GatewayEvent::new("POST", "/events").body(&body),
            GatewayEvent::new("POST", "/events").body(&body).header("auth_secret", ""),
            GatewayEvent::new("POST", "/events").body(&body).jwt_claims(&[("sub", "0oa1")]),
        ];
        for request in requests {
            let response = hook.ask(request);
            assert_eq!(response.status, 401);
            assert_eq!(response.body["error"]["errorCauses"][0]["reason"], "not_authenticated");
        }
        assert_eq!((hook.updates(), hook.deployment.twilio.okta_requests().len()), (0, 0));
    }

    #[test]
    fn a_body_that_is_not_a_delivery() {
        let hook = Hook::start();
        let telephony = json!({"eventType": "com.okta.telephony.provider"}).to_string();
        for (body, status) in [("", 400), ("[]", 400), ("{}", 400), (&telephony, 400)] {
            assert_eq!(hook.post(body).status, status);
        }
        for method in ["PUT", "DELETE"] {
            let response = hook.ask(GatewayEvent::new(method, "/events").header("auth_secret", AUTH_SECRET));
            assert_eq!((response.status, &response.headers["allow"]), (405, &json!("GET, POST")));
        }
    }

    #[test]
    fn a_delivery_of_nothing_in_particular() {
        let hook = Hook::start();
        let mut body = delivery(&[json!(null), json!({}), sign_in(USER, "PASSWORD_AS_FACTOR")]);
        assert_eq!(hook.post(&body.to_string()).status, 200);
        body["data"] = Value::Null;
        let response = hook.post(&body.to_string());
        assert_eq!((response.status, response.body), (200, Value::Null));
    }
}

mod configuration {
    use super::*;

    fn problem(list: &[(&str, &str)]) -> String {
        let (deployment, sqs) = (Deployment::start(Options::default()), Sqs::start());
        let function = variables(&deployment, &sqs).envs(list.iter().copied()).spawn();
        match function.wait_until_ready(Duration::from_secs(10)) {
            Err(StartError::Exited { .. } | StartError::InitError { .. }) => {
                let line =
                    function.wait_for_log(|line| line["message"] == "configuration_invalid", Duration::from_secs(1));
                line["problem"].as_str().expect("a text").to_owned()
            }
            other => panic!("the function should not start: {other:?}"),
        }
    }

    #[test]
    fn is_refused_at_start_with_a_line_that_helps() {
        for (variable, value) in [
            ("AUTH_MODE", "jwt"),
            ("OKTA_ORG_URL", ""),
            ("OKTA_SECRET_ID", ""),
            ("PHONE_SOURCE", "everything"),
            ("SENDS_TABLE", "https://dynamodb.us-east-1.amazonaws.com"),
            ("FEEDBACK_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/standard"),
        ] {
            let problem = problem(&[(variable, value)]);
            assert!(problem.starts_with(&format!("{variable}: ")) && problem.contains("for example"), "{problem}");
        }
    }

    #[test]
    fn without_an_okta_source_and_a_table_no_verification_can_be_found() {
        let problem = problem(&[("PHONE_SOURCE", "none"), ("OKTA_ORG_URL", ""), ("OKTA_SECRET_ID", "")]);
        assert!(problem.starts_with("PHONE_SOURCE: ") && problem.contains("SENDS_TABLE"), "{problem}");
    }
}

mod without_a_queue {
    use super::*;

    #[test]
    fn a_right_code_is_approved() {
        let hook = Hook::start();
        hook.send_code(NUMBER);
        let event = sign_in(USER, "SMS_FACTOR");
        let response = hook.deliver(std::slice::from_ref(&event));
        assert_eq!((response.status, response.body), (200, Value::Null));
        assert_eq!(hook.approved(), [NUMBER]);
        let verification = &hook.deployment.twilio.verifications()[0];
        let line = hook.logged_once("feedback_approved");
        assert_eq!(line["verification_sid"], verification.sid);
        assert_eq!((&line["event_uuid"], &line["user_id"]), (&event["uuid"], &json!(USER)));
        assert_eq!(
            (&line["channel"], &line["kind"], &line["phone"]),
            (&json!("sms"), &json!("authentication"), &json!("US…23"))
        );
        let metrics = hook.logged("metrics").into_iter().find(|line| line["Feedback"] == 1).expect("a metric");
        assert_eq!(
            (&metrics["Outcome"], &metrics["Channel"], &metrics["Reason"]),
            (&json!("approved"), &json!("sms"), &json!("approved"))
        );
        let update = &hook.deployment.twilio.requests_for(Operation::VerifyUpdate)[0];
        assert!(update.path.ends_with("/Verifications/%2B12025550123") && update.authenticated);
        assert_eq!(update.parameters, [("Status".to_owned(), "approved".to_owned())]);
    }

    #[test]
    fn an_enrollment_is_reported_twice_and_approved_once() {
        let hook = Hook::start();
        hook.send_code(NUMBER);
        let events = [enrollment(USER, "SMS_FACTOR"), enrollment(USER, "CALL_FACTOR")];
        assert_eq!(hook.deliver(&events).status, 200);
        assert_eq!(hook.approved(), [NUMBER]);
        assert_eq!(hook.logged_once("feedback_approved")["channel"], "either");
        assert_eq!(hook.logged_once("feedback_not_needed")["reason"], "no_pending_verification");
    }

    #[test]
    fn only_a_phone_is_approved() {
        let hook = Hook::start();
        hook.send_code(NUMBER);
        let mut failed = sign_in(USER, "SMS_FACTOR");
        failed["outcome"]["result"] = json!("FAILURE");
        let mut session = sign_in(USER, "SMS_FACTOR");
        session["eventType"] = json!("user.session.start");
        let factors =
            ["PASSWORD_AS_FACTOR", "OKTA_VERIFY_PUSH", "EMAIL_FACTOR", "SIGNED_NONCE", "FIDO_WEBAUTHN", "null"];
        let mut events: Vec<_> = factors.iter().map(|factor| sign_in(USER, factor)).collect();
        events.extend([failed, session, enrollment(USER, "EMAIL_FACTOR")]);
        assert_eq!(hook.deliver(&events).status, 200);
        assert!(hook.approved().is_empty());
        assert_eq!((hook.updates(), hook.deployment.twilio.okta_requests().len()), (0, 0));
    }

    #[test]
    fn a_phone_that_cannot_be_classified_is_logged() {
        let hook = Hook::start();
        let mut event = sign_in(USER, "PHONE_OTP");
        let phone =
            json!({"id": "pae1", "type": "AuthenticatorEnrollment", "displayName": "Phone", "detailEntry": null});
        event["target"].as_array_mut().expect("targets").push(phone);
        assert_eq!(hook.deliver(&[event]).status, 200);
        let line = hook.logged_once("feedback_failed");
        assert_eq!((&line["reason"], &line["level"]), (&json!("event_not_classified"), &json!("ERROR")));
        let counted = hook.logged("metrics").into_iter().any(|line| line["Reason"] == "event_not_classified");
        assert!(counted);
        assert_eq!(hook.updates(), 0);
    }

    #[test]
    fn every_phone_is_tried_until_one_is_pending() {
        let hook = Hook::start();
        // The code went to the second phone.
        hook.send_code("+12025550143");
        hook.send_code("+12025550149");
        let events = [sign_in(&magic("twophones"), "SMS_FACTOR"), sign_in(&magic("formatted"), "SMS_FACTOR")];
        assert_eq!(hook.deliver(&events).status, 200);
        assert_eq!(hook.approved(), ["+12025550143", "+12025550149"]);
    }

    #[test]
    fn the_channel_selects_the_phone() {
        let hook = Hook::start();
        hook.send_code("+12025550144");
        hook.send_code("+12025550145");
        assert_eq!(hook.deliver(&[sign_in(&magic("smsncall0"), "CALL_FACTOR")]).status, 200);
        assert_eq!(hook.approved(), ["+12025550145"]);
    }

    #[test]
    fn the_profile_as_a_source() {
        let hook = Hook::with_variables(&[("PHONE_SOURCE", "factors,profile")]);
        for number in ["+12025550146", "+12025550147", NUMBER] {
            hook.send_code(number);
        }
        let users = [magic("mobile000"), magic("primary00"), USER.to_owned()];
        let events: Vec<_> = users.iter().map(|user| sign_in(user, "SMS_FACTOR")).collect();
        assert_eq!(hook.deliver(&events).status, 200);
        assert_eq!(hook.approved(), [NUMBER, "+12025550146", "+12025550147"]);

        let hook = Hook::start();
        hook.send_code("+12025550146");
        assert_eq!(hook.deliver(&[sign_in(&magic("mobile000"), "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.logged_once("feedback_not_needed")["reason"], "no_phone");
    }

    #[test]
    fn events_that_need_no_feedback() {
        for (user, reason) in [
            ("deleted00", "user_not_found"),
            ("nophone00", "no_phone"),
            ("inactive0", "no_phone"),
            ("onephone0", "no_pending_verification"),
        ] {
            let hook = Hook::start();
            assert_eq!(hook.deliver(&[sign_in(&magic(user), "SMS_FACTOR")]).status, 200, "{user}");
            assert_eq!(hook.logged_once("feedback_not_needed")["reason"], reason, "{user}");
            assert!(hook.approved().is_empty());
        }
    }

    #[test]
    fn an_old_event_approves_no_newer_verification() {
        let hook = Hook::with_variables(&[("FEEDBACK_MAX_AGE_SECONDS", "60")]);
        hook.send_code(NUMBER);
        let mut event = sign_in(USER, "SMS_FACTOR");
        event["published"] = json!(ago(Duration::from_secs(70)));
        assert_eq!(hook.deliver(&[event]).status, 200);
        assert_eq!(hook.logged_once("feedback_not_needed")["reason"], "event_too_old");
        assert_eq!((hook.updates(), hook.deployment.twilio.okta_requests().len()), (0, 0));
    }

    #[test]
    fn okta_fails() {
        let _alone = run_alone();
        for (user, status, reason) in [
            ("throttled", 503, "okta_rate_limited"),
            ("failing00", 503, "okta_failed"),
            ("slow00000", 503, "okta_timeout"),
            // Redelivery would not help.
            ("forbidden", 200, "okta_forbidden"),
        ] {
            let hook = Hook::start();
            let response = hook.deliver(&[sign_in(&magic(user), "SMS_FACTOR")]);
            assert_eq!(response.status, status, "{user}");
            assert!(response.duration < Duration::from_secs(3), "{user} took {:?}", response.duration);
            let line = hook.logged_once("feedback_failed");
            assert_eq!((&line["reason"], &line["transient"]), (&json!(reason), &json!(status == 503)), "{user}");
            assert!(line["advice"].is_string());
        }
    }

    #[test]
    fn twilio_fails() {
        let _alone = run_alone();
        for (fault, status, reason) in [
            (Fault::Status(500), 503, "twilio_failed"),
            (Fault::Status(502), 503, "twilio_failed"),
            (Fault::Throttle { reached_rate_limit: false, retry_after: Some(1) }, 503, "throttled"),
            (Fault::CloseAfterReading, 503, "twilio_interrupted"),
            (Fault::Delay(Duration::from_secs(4)), 503, "twilio_timeout"),
            (Fault::Unauthorized, 200, "twilio_authentication"),
            (Fault::Status(403), 200, "twilio_account"),
        ] {
            let hook = Hook::start();
            hook.send_code(NUMBER);
            hook.deployment.twilio.fault(Operation::VerifyUpdate, fault.clone(), Times::UntilCleared);
            let response = hook.deliver(&[sign_in(USER, "SMS_FACTOR")]);
            assert_eq!(response.status, status, "{fault:?}");
            assert!(response.duration < Duration::from_secs(3), "{fault:?} took {:?}", response.duration);
            assert_eq!(hook.logged_once("feedback_failed")["reason"], reason, "{fault:?}");
        }
    }

    #[test]
    fn a_lost_connection_costs_nothing() {
        for fault in [Fault::CloseBeforeReading, Fault::CloseAfterReading, Fault::CloseAfterSending] {
            let hook = Hook::start();
            hook.send_code(NUMBER);
            hook.deployment.twilio.fault(Operation::VerifyUpdate, fault.clone(), Times::Next(1));
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200, "{fault:?}");
            assert_eq!(hook.approved(), [NUMBER], "{fault:?}");
        }
    }

    #[test]
    fn newer_twilio_credentials_are_fetched() {
        let hook = Hook::start();
        hook.send_code(NUMBER);
        hook.deployment.twilio.fault(Operation::VerifyUpdate, Fault::Unauthorized, Times::Next(1));
        let newer = hook.deployment.hooks_secret(&[AUTH_SECRET, "another-secret-to-make-it-new"]);
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &newer);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.approved(), [NUMBER]);
    }

    #[test]
    fn one_failure_does_not_delay_the_others() {
        let hook = Hook::start();
        hook.send_code(NUMBER);
        let events = [sign_in(&magic("failing00"), "SMS_FACTOR"), sign_in(USER, "SMS_FACTOR")];
        assert_eq!(hook.deliver(&events).status, 503);
        assert_eq!(hook.approved(), [NUMBER]);
        // Okta redelivers once.
        assert_eq!(hook.deliver(&events).status, 503);
        assert_eq!(hook.update_statuses(), [Some(200), Some(404)]);
    }
}

mod okta_credentials {
    use super::*;

    fn tokens(hook: &Hook) -> usize {
        let requests = hook.deployment.twilio.okta_requests().into_iter();
        requests.filter(|request| request.operation == Operation::OktaToken).count()
    }

    fn options(key: &ServiceAppKey) -> Options {
        let okta = OktaOptions { public_keys: vec![key.public_jwk()], ..OktaOptions::default() };
        Options { okta, ..Options::default() }
    }

    fn secret(private_key: &Value) -> Value {
        json!({"okta_client_id": OktaOptions::default().client_id, "okta_private_key": private_key})
    }

    #[test]
    fn a_service_app_with_every_kind_of_key() {
        for key in [ServiceAppKey::rsa("key-1"), ServiceAppKey::p256("key-1")] {
            for mut secret in [secret(&key.private_jwk()), secret(&json!(key.private_pem()))] {
                secret["okta_key_id"] = json!("key-1");
                let hook = Hook::with(options(&key), &secret, &[]);
                hook.send_code(NUMBER);
                assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
                assert_eq!(hook.approved(), [NUMBER]);
                let asked = hook.deployment.twilio.okta_requests();
                assert_eq!(
                    asked.iter().filter_map(|request| request.scheme.as_deref()).collect::<Vec<_>>(),
                    ["Bearer"]
                );
            }
        }
    }

    #[test]
    fn a_token_is_reused_and_replaced_once_after_a_rejection() {
        let key = ServiceAppKey::p256("key-1");
        let hook = Hook::with(options(&key), &secret(&key.private_jwk()), &[]);
        let events: Vec<_> = (0..20).map(|_| sign_in(USER, "SMS_FACTOR")).collect();
        assert_eq!(hook.deliver(&events).status, 200);
        assert_eq!(tokens(&hook), 1, "parallel requests share one");
        // The token was revoked.
        hook.deployment.twilio.fault(Operation::OktaFactors, Fault::Unauthorized, Times::Next(1));
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!((tokens(&hook), hook.approved().len()), (2, 1));
    }

    #[test]
    fn a_lost_connection_to_the_token_endpoint_costs_nothing() {
        let key = ServiceAppKey::p256("key-1");
        for fault in [Fault::CloseAfterReading, Fault::CloseAfterSending] {
            let hook = Hook::with(options(&key), &secret(&key.private_jwk()), &[]);
            hook.send_code(NUMBER);
            hook.deployment.twilio.fault(Operation::OktaToken, fault, Times::Next(1));
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
            assert_eq!(hook.approved(), [NUMBER]);
        }
    }

    #[test]
    fn failures_that_an_admin_has_to_fix() {
        let key = ServiceAppKey::p256("key-1");
        let mut ungranted = options(&key);
        ungranted.okta.scope_granted = false;
        let unknown = options(&ServiceAppKey::p256("key-1"));
        let wrong_token = json!({"okta_api_token": "00wrong"});
        for (options, secret, reason) in [
            (ungranted, secret(&key.private_jwk()), "okta_forbidden"),
            (unknown, secret(&key.private_jwk()), "okta_authentication"),
            (Options::default(), wrong_token, "okta_authentication"),
        ] {
            let hook = Hook::with(options, &secret, &[]);
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200, "{reason}");
            let line = hook.logged_once("feedback_failed");
            assert_eq!((&line["reason"], &line["level"]), (&json!(reason), &json!("ERROR")));
        }
    }

    #[test]
    fn an_unusable_secret_is_logged_and_causes_no_redelivery() {
        let hook = Hook::with(Options::default(), &json!({"okta_client_id": "0oa1"}), &[]);
        assert_eq!(hook.logged_once("secret_refresh_failed")["reason"], "okta_private_key_unusable");
        assert_eq!(hook.logged_once("started")["okta_secret"], "failed");
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.logged_once("feedback_failed")["reason"], "secret_unavailable");
    }

    #[test]
    fn a_rotated_api_token_is_fetched() {
        let hook = Hook::with(Options::default(), &json!({"okta_api_token": "00retired"}), &[]);
        hook.send_code(NUMBER);
        let token = OktaOptions::default().api_token;
        hook.deployment.secrets.put(OKTA_SECRET_ID, &json!({"okta_api_token": token}));
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.approved(), [NUMBER]);
    }
}

mod storing {
    use super::*;

    #[test]
    fn a_message_has_only_ids_and_times_and_no_other_service_is_called() {
        let hook = Hook::with_queue();
        hook.send_code(NUMBER);
        let event = sign_in(USER, "SMS_FACTOR");
        let response = hook.deliver(&[event.clone(), sign_in(USER, "PASSWORD_AS_FACTOR"), event.clone()]);
        assert_eq!((response.status, response.body), (200, Value::Null));
        let [message] = &hook.sqs.messages()[..] else { panic!("one message") };
        let body: Value = serde_json::from_str(&message.body).expect("JSON");
        let expected = json!({
            "version": "1", "event_uuid": event["uuid"], "user_id": USER, "channel": "sms",
            "kind": "authentication", "published": body["published"],
        });
        assert_eq!(body, expected);
        assert_eq!((message.group.as_str(), &json!(message.deduplication_id)), (USER, &event["uuid"]));
        assert_eq!((hook.updates(), hook.deployment.twilio.okta_requests().len()), (0, 0));
        assert_eq!(hook.logged_once("feedback_queued")["event_uuid"], event["uuid"]);
    }

    #[test]
    fn two_hundred_events_are_stored_in_less_than_a_second() {
        let _alone = run_alone();
        let hook = Hook::with_queue();
        let users: Vec<_> = (0..200).map(|number| format!("00uburst{number:012}")).collect();
        let events: Vec<_> = users.iter().map(|user| sign_in(user, "SMS_FACTOR")).collect();
        let response = hook.deliver(&events);
        assert_eq!((response.status, hook.sqs.messages().len(), hook.sqs.requests()), (200, 200, 20));
        assert!(response.duration < Duration::from_secs(1), "it took {:?}", response.duration);
    }

    #[test]
    fn messages_that_sqs_rejects_are_sent_again() {
        let hook = Hook::with_queue();
        hook.sqs.fail_entries(7);
        let events: Vec<_> = (0..25).map(|_| sign_in(USER, "SMS_FACTOR")).collect();
        assert_eq!(hook.deliver(&events).status, 200);
        assert_eq!(hook.sqs.messages().len(), 25);
    }

    #[test]
    fn an_unavailable_queue_returns_503_and_the_redelivery_stores_each_event_once() {
        let _alone = run_alone();
        let hook = Hook::with_queue();
        let events: Vec<_> = (0..12).map(|_| sign_in(USER, "SMS_FACTOR")).collect();
        hook.sqs.set_down(true);
        let response = hook.deliver(&events);
        assert_eq!(response.status, 503);
        assert!(response.duration < Duration::from_secs(3), "it took {:?}", response.duration);
        let lines = hook.logged("feedback_failed");
        assert!(lines.len() == 12 && lines.iter().all(|line| line["reason"] == "queue_unavailable"));
        hook.sqs.set_down(false);
        for _ in 0..2 {
            assert_eq!(hook.deliver(&events).status, 200);
            assert_eq!(hook.sqs.messages().len(), 12);
        }
    }
}

mod working_off {
    use super::*;

    /// Users with one phone each, and a code on its way to each phone.
    fn users(hook: &Hook, count: usize) -> Vec<(String, String)> {
        let user = |index: usize| (format!("00ucrowd{index:012}"), format!("+1202555{:04}", 1000 + index));
        let users: Vec<_> = (0..count).map(user).collect();
        for (id, number) in &users {
            hook.deployment.twilio.put_okta_user(OktaUser::new(id).sms(number));
            hook.send_code(number);
        }
        users
    }

    fn deliver(hook: &Hook, users: &[(String, String)]) {
        let events: Vec<_> = users.iter().map(|(id, _)| sign_in(id, "SMS_FACTOR")).collect();
        assert_eq!(hook.deliver(&events).status, 200);
    }

    fn numbers(users: &[(String, String)]) -> Vec<&str> {
        users.iter().map(|(_, number)| number.as_str()).collect()
    }

    #[test]
    fn a_batch_is_approved() {
        let hook = Hook::with_queue();
        let users = users(&hook, 10);
        deliver(&hook, &users);
        let batch = hook.sqs.receive().expect("a batch");
        let response = hook.hand_over(&batch);
        assert_eq!(response, json!({"batchItemFailures": []}));
        assert_eq!(hook.approved(), numbers(&users));
        let lines = hook.logged("feedback_approved");
        assert!(lines.iter().all(|line| line["receive_count"] == 1));
        assert!(hook.logged("metrics").iter().any(|line| line["Feedback"] == 10 && line["Outcome"] == "approved"));
        // Lambda may deliver a batch twice.
        assert_eq!(hook.hand_over(&batch), json!({"batchItemFailures": []}));
        assert_eq!(hook.update_statuses().iter().filter(|status| **status == Some(200)).count(), 10);
    }

    #[test]
    fn an_outage_of_twilio_beyond_the_visibility_timeout_delays_but_loses_nothing() {
        let hook = Hook::with_queue();
        let users = users(&hook, 12);
        deliver(&hook, &users);
        hook.deployment.twilio.fault(Operation::VerifyUpdate, Fault::Status(503), Times::UntilCleared);
        let mut waits = Vec::new();
        let mut passed = Duration::ZERO;
        while passed <= VISIBILITY {
            hook.work_off();
            assert_eq!(hook.sqs.messages().len(), 12);
            let wait = hook.sqs.first_hidden_for();
            waits.push(wait.as_secs());
            hook.sqs.advance(wait);
            passed += wait;
        }
        assert_eq!(waits, [5, 10, 20, 40]);
        hook.deployment.twilio.clear_faults();
        hook.work_off();
        assert!(hook.sqs.messages().is_empty() && hook.sqs.dead_letters().is_empty());
        assert_eq!(hook.approved(), numbers(&users));
    }

    #[test]
    fn a_failure_delays_only_its_own_user() {
        let hook = Hook::with_queue();
        hook.send_code(NUMBER);
        let failing = magic("failing00");
        let events = [sign_in(&failing, "SMS_FACTOR"), sign_in(&failing, "SMS_FACTOR"), sign_in(USER, "SMS_FACTOR")];
        assert_eq!(hook.deliver(&events).status, 200);
        let batch = hook.sqs.receive().expect("a batch");
        let response = hook.hand_over(&batch);
        let mut failed: Vec<_> = response["batchItemFailures"].as_array().expect("failures").clone();
        failed.sort_by_key(ToString::to_string);
        let id = |index: usize| json!({"itemIdentifier": batch["Records"][index]["messageId"]});
        assert_eq!(failed, [id(0), id(1)]);
        let asked = hook.deployment.twilio.okta_requests();
        let asked: Vec<_> = asked.iter().filter(|request| request.user_id.as_ref() == Some(&failing)).collect();
        assert_eq!(asked.len(), 1, "the later event waits for the earlier one");
        assert_eq!(hook.approved(), [NUMBER]);
    }

    #[test]
    fn oktas_reset_is_respected() {
        let _alone = run_alone();
        let hook = Hook::with_queue();
        let retry_after = Some(42);
        let throttle = Fault::Throttle { reached_rate_limit: false, retry_after };
        hook.deployment.twilio.fault(Operation::OktaFactors, throttle, Times::Next(1));
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        let started = Instant::now();
        hook.work_off();
        assert!(started.elapsed() < Duration::from_secs(5), "it does not sleep");
        let wait = hook.sqs.first_hidden_for().as_secs();
        assert!((41..=43).contains(&wait), "{wait}");
        hook.sqs.advance(Duration::from_secs(43));
        hook.work_off();
        assert_eq!(hook.approved(), [NUMBER]);
    }

    #[test]
    fn a_failure_that_only_an_admin_can_fix_ends_in_the_dead_letter_queue() {
        let hook = Hook::with_queue();
        assert_eq!(hook.deliver(&[sign_in(&magic("forbidden"), "SMS_FACTOR")]).status, 200);
        for _ in 0..=MAX_RECEIVE_COUNT {
            hook.work_off();
            hook.sqs.advance(VISIBILITY);
        }
        assert_eq!((hook.sqs.messages().len(), hook.sqs.dead_letters().len()), (0, 1));
        let lines = hook.logged("feedback_failed");
        assert_eq!(lines.len(), usize::try_from(MAX_RECEIVE_COUNT).expect("a small number"));
        assert!(lines.iter().all(|line| line["reason"] == "okta_forbidden" && line["level"] == "ERROR"));
    }

    #[test]
    fn a_foreign_message_ends_in_the_dead_letter_queue() {
        let hook = Hook::with_queue();
        hook.send_code(NUMBER);
        let foreign = json!({"version": "2", "event_uuid": "a", "user_id": USER, "channel": "sms"}).to_string();
        for body in [r#"{"approve":"everything"}"#, "not JSON", &foreign] {
            hook.sqs.put(body, "group");
        }
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        for _ in 0..4 * (MAX_RECEIVE_COUNT + 1) {
            hook.work_off();
            hook.sqs.advance(VISIBILITY);
        }
        assert_eq!((hook.sqs.messages().len(), hook.sqs.dead_letters().len()), (0, 3));
        assert_eq!((hook.approved(), hook.updates()), (vec![NUMBER.to_owned()], 1));
        assert!(hook.logged("feedback_failed").iter().all(|line| line["reason"] == "message_unreadable"));
    }

    #[test]
    fn a_malformed_batch_approves_nothing_and_stays() {
        let hook = Hook::with_queue();
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        let message = hook.sqs.messages().remove(0);
        let request = GatewayEvent::new("POST", "/events").header("auth_secret", AUTH_SECRET).build();
        for records in [json!(null), json!({}), json!([{"body": message.body, "eventSource": "aws:sqs"}])] {
            let mut event = request.clone();
            event["Records"] = records;
            assert_eq!(hook.hand_over(&event), json!({"batchItemFailures": [{"itemIdentifier": ""}]}), "{event}");
        }
        let sns = json!({"Records": [{"messageId": "m", "body": message.body, "eventSource": "aws:sns"}]});
        assert_eq!(hook.hand_over(&sns), json!({"batchItemFailures": [{"itemIdentifier": "m"}]}));
        assert_eq!(hook.updates(), 0);
    }

    #[test]
    fn messages_without_time_left_are_redelivered() {
        let hook = Hook::with_queue();
        let users = users(&hook, 3);
        deliver(&hook, &users);
        let batch = hook.sqs.receive().expect("a batch");
        let hurried = hook.with_timeout(Duration::from_millis(1_200));
        let Outcome::Response(response) = hurried.invoke(&batch).outcome else { panic!("no answer") };
        assert_eq!(response["batchItemFailures"].as_array().map(Vec::len), Some(3));
        assert!(hurried.output().contains("out_of_time"));
        assert_eq!(hook.updates(), 0);
        hook.sqs.settle(&batch, &response);
        hook.sqs.advance(VISIBILITY);
        hook.work_off();
        assert_eq!(hook.approved(), numbers(&users));
    }

    #[test]
    fn a_function_killed_in_the_middle_of_a_batch_loses_nothing() {
        let mut hook = Hook::with_queue();
        let users = users(&hook, 10);
        deliver(&hook, &users);
        let batch = hook.sqs.receive().expect("a batch");
        hook.deployment.twilio.fault(Operation::VerifyUpdate, Fault::Delay(Duration::from_secs(3)), Times::Next(4));
        let pending = hook.function.start_invoke(&batch);
        assert!(
            hook.deployment.twilio.wait_until(Duration::from_secs(5), |twilio| {
                twilio.requests_for(Operation::VerifyUpdate).len() >= 4
            })
        );
        hook.function.kill();
        pending.wait();
        hook.function.restart();
        assert!(!hook.work_off_a_batch(), "still hidden");
        hook.sqs.advance(VISIBILITY);
        hook.work_off();
        assert!(hook.sqs.messages().is_empty() && hook.sqs.dead_letters().is_empty());
        assert_eq!(hook.approved(), numbers(&users));
    }

    #[test]
    fn a_burst_is_approved_exactly_once_and_nothing_else_is() {
        const BURST: usize = 300;
        let okta = OktaOptions { rate_limit: 100_000, ..OktaOptions::default() };
        let hook = Hook::with_queue_and(Options { okta, ..Options::default() });
        let users = users(&hook, BURST);
        hook.send_code(NUMBER);
        // Every delivery comes twice, and the last users first.
        let deliveries: Vec<_> = users
            .rchunks(100)
            .map(|users| users.iter().map(|(id, _)| sign_in(id, "SMS_FACTOR")).collect::<Vec<_>>())
            .collect();
        for events in deliveries.iter().chain(&deliveries) {
            assert_eq!(hook.deliver(events).status, 200);
        }
        assert_eq!(hook.sqs.messages().len(), BURST);
        let trouble = Fault::Throttle { reached_rate_limit: false, retry_after: None };
        hook.deployment.twilio.fault(Operation::VerifyUpdate, trouble, Times::Next(40));
        hook.deployment.twilio.fault(Operation::OktaFactors, Fault::Status(500), Times::Next(40));
        while !hook.sqs.messages().is_empty() {
            hook.work_off();
            hook.sqs.advance(Duration::from_secs(120));
        }
        assert!(hook.sqs.dead_letters().is_empty());
        assert_eq!(hook.approved(), numbers(&users));
        let approvals = hook.update_statuses().into_iter().filter(|status| *status == Some(200)).count();
        assert_eq!(approvals, BURST);
    }
}
