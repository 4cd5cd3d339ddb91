//! Difficult deliveries, with the real binary: sizes at the limit, unreadable parts, and failures of AWS.

#![expect(clippy::expect_used, clippy::panic, reason = "clippy knows tests, but not the functions that they share")]

mod support;

use std::time::Duration;

use sandbox::{
    Fault, Operation, Status, Times,
    deployment::{AUTH_SECRET, HttpAnswer},
    exclusive::run_alone,
    lambda::GatewayEvent,
};
use serde_json::{Value, json};
use support::{Hook, OKTA_SECRET_ID, delivery, enrollment, sign_in, variables};

const USER: &str = "00uyxxSknGtK8022w0g3";
const NUMBER: &str = "+12025550123";

mod unreadable {
    use super::*;

    const ODD: [&str; 3] = [r#""M\u00fc\ud83d""#, "1e999", r#"{"\udc00":[-1e999,"\ud83d\ud83d"]}"#];

    #[test]
    fn unreadable_unused_parts_do_no_harm() {
        let hook = Hook::with_queue();
        let mut stored = 0;
        for odd in ODD {
            let (first, last) = (sign_in(USER, "SMS_FACTOR"), sign_in(USER, "CALL_FACTOR"));
            let mut spoilt = sign_in(USER, "SMS_FACTOR");
            spoilt["actor"]["displayName"] = json!("spoil");
            let mut body = delivery(&[first, json!("spoil"), spoilt, last]);
            body["source"] = json!("spoil");
            let response = hook.post(&body.to_string().replace(r#""spoil""#, odd));
            stored += 3;
            assert_eq!((response.status, hook.sqs.messages().len()), (200, stored), "{odd}");
        }
    }

    #[test]
    fn the_whole_is_one_json_value_without_a_byte_order_mark_and_of_a_limited_depth() {
        let hook = Hook::with_queue();
        let nested = |depth: usize| {
            let mut body = delivery(&[sign_in(USER, "SMS_FACTOR")]);
            body["spoil"] = json!("spoil");
            let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
            body.to_string().replace(r#""spoil":"spoil""#, &format!(r#""spoil":{open}{close}"#))
        };
        let (good, deep) = (nested(128), nested(129));
        let (marked, twice) = (format!("\u{feff}{good}"), format!("{good}{good}"));
        for body in [deep, marked, twice] {
            assert_eq!(hook.post(&body).status, 400);
        }
        assert!(hook.sqs.messages().is_empty());
        assert_eq!((hook.post(&good).status, hook.sqs.messages().len()), (200, 1));
    }

    #[test]
    fn a_message_is_read_whatever_else_it_and_its_record_hold() {
        let hook = Hook::with_queue();
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        let mut batch = hook.sqs.receive().expect("a batch");
        let body =
            batch["Records"][0]["body"].as_str().expect("a text").replacen('{', r#"{"note":"\ud83d","n":1e999,"#, 1);
        batch["Records"][0]["body"] = json!(body);
        batch["Records"][0]["messageAttributes"] = json!("spoil");
        let event = batch.to_string().replace(r#""spoil""#, r#"{"a":"\ud83d","b":[1e999]}"#);
        assert_eq!(hook.hand_over(&event), json!({"batchItemFailures": []}));
        assert_eq!(hook.approved(), [NUMBER]);
    }
}

mod sizes {
    use super::*;

    /// Lambda accepts 6 MB per invocation. The gateway's envelope and the escapes in the body need some of that.
    const LARGE: usize = 5_000_000;

    #[test]
    fn a_delivery_may_have_lambdas_maximum_size_and_memory_stays_small() {
        // The function answers 503 if it cannot store everything within Okta's time limit.
        let _alone = run_alone();
        let hook = Hook::with_queue();
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        let before = hook.function.peak_memory_kib().expect("the process");
        let mut events = vec![sign_in(USER, "SMS_FACTOR")];
        let mut size = 0;
        while size < LARGE {
            let mut noise = sign_in(USER, "PASSWORD_AS_FACTOR");
            noise["debugContext"]["debugData"]["behaviors"] = json!("x".repeat(60_000));
            size += noise.to_string().len();
            events.push(noise);
        }
        events.push(sign_in(USER, "CALL_FACTOR"));
        assert_eq!(hook.deliver(&events).status, 200);
        assert_eq!(hook.sqs.messages().len(), 3);
        let grown = hook.function.peak_memory_kib().expect("the process") - before;
        // Three copies of the text (15 MB measured), and no tree of all its values.
        assert!(grown < 40_000, "{grown} KiB for {size} bytes");
    }

    #[test]
    fn more_than_a_mebibyte_of_phone_events_is_stored() {
        // The function answers 503 if it cannot store everything within Okta's time limit.
        let _alone = run_alone();
        let hook = Hook::with_queue();
        let event = |number: usize| {
            let mut event = sign_in(&format!("00uburst{number:012}"), "SMS_FACTOR");
            event["debugContext"]["debugData"]["behaviors"] = json!("x".repeat(5_000));
            event
        };
        let events: Vec<_> = (0..200).map(event).collect();
        assert!(delivery(&events).to_string().len() > 1024 * 1024);
        assert_eq!(hook.deliver(&events).status, 200);
        assert_eq!(hook.sqs.messages().len(), 200);
    }
}

mod aws_in_trouble {
    use super::*;

    #[test]
    fn a_throttled_secret_never_ends_in_200() {
        let hook = Hook::start_in(|deployment| deployment.secrets.throttle(OKTA_SECRET_ID));
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 503);
        let line = hook.logged_once("feedback_failed");
        assert_eq!((&line["reason"], &line["transient"]), (&json!("secret_unavailable"), &json!(true)));
    }

    #[test]
    fn a_throttling_queue_gets_at_most_twelve_requests() {
        let _alone = run_alone();
        for code in ["RequestThrottled", "KmsThrottled", "InternalError", "ServiceUnavailable", "ThrottlingException"] {
            let hook = Hook::with_queue();
            hook.sqs.set_fault(Some(code));
            let response = hook.deliver(&[sign_in(USER, "SMS_FACTOR")]);
            assert_eq!(response.status, 503, "{code}");
            assert!(response.duration < Duration::from_secs(3), "{code} took {:?}", response.duration);
            assert!((2..=12).contains(&hook.sqs.requests()), "{code}: {} requests", hook.sqs.requests());
            let line = hook.logged_once("feedback_failed");
            assert_eq!((&line["reason"], &line["level"]), (&json!("queue_unavailable"), &json!("WARN")), "{code}");
        }
    }

    #[test]
    fn an_unusable_key_has_its_own_reason() {
        for code in ["KmsAccessDenied", "KMS.AccessDeniedException", "KmsDisabled", "KmsInvalidState", "KmsNotFound"] {
            let hook = Hook::with_queue();
            hook.sqs.set_fault(Some(code));
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 503, "{code}");
            assert_eq!(hook.sqs.requests(), 1, "{code}");
            let line = hook.logged_once("feedback_failed");
            assert_eq!((&line["reason"], &line["level"]), (&json!("queue_forbidden"), &json!("ERROR")), "{code}");
            let advice = line["advice"].as_str().expect("advice");
            assert!(advice.contains("kms:GenerateDataKey") && !advice.contains("status page"), "{code}: {advice}");
        }
    }

    #[test]
    fn a_missing_permission_or_queue_has_its_own_reason() {
        for (code, reason, advice) in [
            ("AccessDenied", "queue_forbidden", "sqs:SendMessage"),
            ("QueueDoesNotExist", "queue_not_found", "FEEDBACK_QUEUE_URL"),
        ] {
            let hook = Hook::with_queue();
            hook.sqs.set_fault(Some(code));
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 503, "{code}");
            assert_eq!(hook.sqs.requests(), 1, "{code}");
            let line = hook.logged_once("feedback_failed");
            assert_eq!(line["reason"], reason);
            assert!(line["advice"].as_str().is_some_and(|text| text.contains(advice)), "{line}");
        }
    }

    #[test]
    fn a_throttled_entry_is_sent_again_even_if_sqs_blames_the_sender() {
        for code in ["RequestThrottled", "KmsThrottled", "InternalError"] {
            let hook = Hook::with_queue();
            hook.sqs.fail_entries_with(3, code, true);
            let events: Vec<_> = (0..12).map(|_| sign_in(USER, "SMS_FACTOR")).collect();
            assert_eq!(hook.deliver(&events).status, 200, "{code}");
            assert_eq!(hook.sqs.messages().len(), 12, "{code}");
        }
    }
}

mod time {
    use super::*;

    #[test]
    fn lambdas_own_deadline_counts() {
        for silent in [Operation::OktaFactors, Operation::VerifyUpdate] {
            let hook = Hook::start();
            hook.send_code(NUMBER);
            hook.deployment.twilio.fault(silent, Fault::Delay(Duration::from_secs(8)), Times::UntilCleared);
            let function = variables(&hook.deployment, &hook.sqs).timeout(Duration::from_millis(1_500)).spawn();
            function.wait_until_ready(Duration::from_secs(10)).expect("the function starts");
            let request = GatewayEvent::new("POST", "/events").header("auth_secret", AUTH_SECRET);
            let request = request.body(delivery(&[sign_in(USER, "SMS_FACTOR")]).to_string());
            let response = HttpAnswer::of(function.invoke(&request.build()));
            assert_eq!(response.status, 503, "{silent:?}");
            let failed = |line: &Value| line["message"] == "feedback_failed" && line["transient"] == true;
            assert!(function.log_lines().iter().any(failed), "{silent:?}");
        }
    }
}

mod words {
    use super::*;

    #[test]
    fn the_log_says_enrollment_and_the_queues_words_of_both_releases_are_read() {
        let hook = Hook::with_queue();
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[enrollment(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.logged_once("feedback_queued")["kind"], "enrollment");
        // The release before this one reads only its own word.
        let written: Value = serde_json::from_str(&hook.sqs.messages()[0].body).expect("JSON");
        assert_eq!(written["kind"], "enrolment");
        let mut next = written.clone();
        next["kind"] = json!("enrollment");
        hook.sqs.put(&next.to_string(), USER);
        hook.work_off();
        assert_eq!(hook.logged_once("feedback_approved")["kind"], "enrollment");
        assert_eq!(hook.logged_once("feedback_not_needed")["kind"], "enrollment");
        assert_eq!(hook.deployment.twilio.verifications()[0].status, Status::Approved);
    }
}
