//! Feedback through the sends table, with the real binary: which verification is approved, which is not, and what
//! happens to an event while the table fails. Unless a test says so, no Okta source is configured.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]

mod support;

use std::{collections::HashMap, time::Duration};

use sandbox::{Fault, Operation, Status, Times, dynamodb::TABLE, exclusive::run_alone, sqs::VISIBILITY};
use serde_json::{Value, json};
use support::{Hook, TABLE_ONLY, ago, enrollment, millis_ago, sent, sign_in};

const USER: &str = "00uyxxSknGtK8022w0g3";
const OTHER_USER: &str = "00uotherSknGtK8022g3";
const NUMBER: &str = "+12025550123";
const OTHER_NUMBER: &str = "+12025550124";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A sign-in of this age.
fn earlier_sign_in(user_id: &str, factor: &'static str, age: Duration) -> Value {
    let mut event = sign_in(user_id, factor);
    event["published"] = json!(ago(age));
    event
}

mod choosing {
    use super::*;

    #[test]
    fn a_right_code_is_approved_by_its_sid_and_deleted_without_a_call_to_okta() {
        let hook = Hook::with_table();
        let sid = hook.send_and_remember(USER, NUMBER, "sms", seconds(20));
        let response = hook.deliver(&[earlier_sign_in(USER, "SMS_FACTOR", seconds(3))]);
        assert_eq!((response.status, response.body), (200, Value::Null));
        assert_eq!(hook.approved_sids(), [sid.as_str()]);
        let update = &hook.deployment.twilio.requests_for(Operation::VerifyUpdate)[0];
        assert!(update.path.ends_with(&format!("/Verifications/{sid}")), "{}", update.path);
        assert_eq!(hook.sends.requests(), ["Query", "DeleteItem"]);
        assert!(hook.sends.items().is_empty());
        assert!(hook.deployment.twilio.okta_requests().is_empty());
        let line = hook.logged_once("feedback_approved");
        assert_eq!((&line["verification_sid"], &line["source"]), (&json!(sid), &json!("sends")));
        let delays: Vec<_> =
            hook.logged("metrics").into_iter().filter_map(|line| line.get("FeedbackDelay")?.as_f64()).collect();
        let [delay] = delays[..] else { panic!("not one delay: {delays:?}") };
        assert!((3_000.0..60_000.0).contains(&delay) && line["delay_ms"].as_f64() == Some(delay), "{delay}");
        assert!(line.get("phone").is_none() && hook.logged_once("started").get("okta_secret").is_none());
    }

    #[test]
    fn without_the_variable_the_table_is_not_called() {
        let hook = Hook::start();
        hook.send_and_remember(USER, NUMBER, "sms", seconds(20));
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!((hook.approved(), hook.sends.requests().len()), (vec![NUMBER.to_owned()], 0));
        assert_eq!(hook.logged_once("feedback_approved")["source"], "factors");
    }

    #[test]
    fn an_enrollment_is_approved_once_whatever_its_delivery_was() {
        for delivery in ["sms", "call"] {
            let hook = Hook::with_table();
            hook.send_and_remember(USER, NUMBER, delivery, seconds(20));
            assert_eq!(hook.deliver(&[enrollment(USER, "SMS_FACTOR"), enrollment(USER, "CALL_FACTOR")]).status, 200);
            assert_eq!((hook.approved(), hook.logged("feedback_approved").len()), (vec![NUMBER.to_owned()], 1));
            let line = hook.logged_once("feedback_not_needed");
            assert!(
                ["not_remembered", "no_pending_verification"].contains(&line["reason"].as_str().expect("a reason"))
            );
            assert_eq!(line["level"], "INFO");
        }
    }

    #[test]
    fn two_users_with_one_phone() {
        let hook = Hook::with_table();
        // The second user's code joins the pending verification of the number.
        let sid = hook.send_and_remember(USER, NUMBER, "sms", seconds(40));
        assert_eq!(hook.send_and_remember(OTHER_USER, NUMBER, "sms", seconds(30)), sid);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!((hook.approved_sids(), hook.sends.items().len()), (vec![sid], 1));
        assert_eq!(hook.deliver(&[sign_in(OTHER_USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.logged_once("feedback_not_needed")["reason"], "no_pending_verification");
        // A later verification of the second user does not belong to the first user.
        let later = hook.send_and_remember(OTHER_USER, NUMBER, "sms", seconds(1));
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert!(!hook.approved_sids().contains(&later));
        assert_eq!(hook.deliver(&[sign_in(OTHER_USER, "SMS_FACTOR")]).status, 200);
        assert!(hook.approved_sids().contains(&later) && hook.sends.items().is_empty());
    }

    #[test]
    fn one_user_with_two_phones_and_two_pending_verifications() {
        let hook = Hook::with_table();
        let first = hook.send_and_remember(USER, NUMBER, "sms", seconds(60));
        let second = hook.send_and_remember(USER, OTHER_NUMBER, "sms", seconds(20));
        // After the first code, and before the second.
        assert_eq!(hook.deliver(&[earlier_sign_in(USER, "SMS_FACTOR", seconds(40))]).status, 200);
        assert_eq!(hook.approved_sids(), [first.as_str()]);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert!(hook.approved_sids().contains(&second));

        // The channel distinguishes them too.
        let hook = Hook::with_table();
        let by_sms = hook.send_and_remember(USER, NUMBER, "sms", seconds(60));
        hook.send_and_remember(USER, OTHER_NUMBER, "call", seconds(20));
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!((hook.approved_sids(), hook.sends.items().len()), (vec![by_sms], 1));
    }

    #[test]
    fn a_newer_verification_is_never_approved_by_an_older_event() {
        // Neither by its sid, nor by the number if Okta is a source.
        for variables in [&TABLE_ONLY[..], &TABLE_ONLY[..1]] {
            let hook = Hook::with_variables(variables);
            hook.send_and_remember(USER, NUMBER, "sms", seconds(5));
            assert_eq!(hook.deliver(&[earlier_sign_in(USER, "SMS_FACTOR", seconds(30))]).status, 200);
            assert!(hook.approved().is_empty() && hook.updates() == 0 && hook.sends.items().len() == 1);
            assert_eq!(hook.logged_once("feedback_not_needed")["reason"], "not_remembered");
        }
    }

    #[test]
    fn a_first_message_before_and_a_resend_after_the_event() {
        let hook = Hook::with_table();
        let sid = hook.send_and_remember(USER, NUMBER, "sms", seconds(60));
        let mut item = sent(USER, &sid, "sms", seconds(60));
        item["sent_at"] = json!({"N": millis_ago(seconds(2)).to_string()});
        item["sends"] = json!({"N": "2"});
        hook.sends.put(&item);
        assert_eq!(hook.deliver(&[earlier_sign_in(USER, "SMS_FACTOR", seconds(30))]).status, 200);
        assert_eq!(hook.approved_sids(), [sid]);
    }

    #[test]
    fn a_verification_that_twilio_does_not_find_is_skipped() {
        let hook = Hook::with_table();
        let sid = hook.send_and_remember(USER, NUMBER, "sms", seconds(60));
        let gone = "VE00000000000000000000000000000404";
        hook.sends.put(&sent(USER, gone, "sms", seconds(20)));
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!((hook.approved_sids(), hook.update_statuses()), (vec![sid], vec![Some(404), Some(200)]));
        assert!(hook.sends.items().is_empty());
    }

    #[test]
    fn an_event_before_its_item_is_visible_and_a_send_that_was_not_stored() {
        let hook = Hook::with_table();
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        let line = hook.logged_once("feedback_not_needed");
        assert_eq!((&line["reason"], &line["level"]), (&json!("not_remembered"), &json!("INFO")));
        assert!(hook.approved().is_empty());

        // Okta returns the number if it is a source.
        let hook = Hook::with_variables(&[("SENDS_TABLE", TABLE)]);
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(
            (hook.approved(), &hook.logged_once("feedback_approved")["source"]),
            (vec![NUMBER.to_owned()], &json!("factors"))
        );
    }

    #[test]
    fn an_old_event_is_approved_by_sid_and_not_by_number() {
        let hook = Hook::with_variables(&[("SENDS_TABLE", TABLE), ("FEEDBACK_MAX_AGE_SECONDS", "60")]);
        let sid = hook.send_and_remember(USER, NUMBER, "sms", seconds(120));
        hook.send_code(OTHER_NUMBER);
        let old = || earlier_sign_in(USER, "SMS_FACTOR", seconds(90));
        assert_eq!(hook.deliver(&[old()]).status, 200);
        assert_eq!(hook.approved_sids(), [sid]);
        assert_eq!(hook.deliver(&[old()]).status, 200);
        assert_eq!(hook.logged_once("feedback_not_needed")["reason"], "event_too_old");
        assert_eq!((hook.updates(), hook.deployment.twilio.okta_requests().len()), (1, 0));
    }

    #[test]
    fn expired_and_malformed_items_are_skipped() {
        let hook = Hook::with_table();
        let sid = hook.send_and_remember(USER, NUMBER, "sms", seconds(60));
        let good = sent(USER, &sid, "sms", seconds(60));
        hook.sends.put(&sent(USER, "VE00000000000000000000000000000001", "sms", seconds(1_000)));
        for (number, (name, value)) in [
            ("delivery", Value::Null),
            ("delivery", json!({"S": "pigeon"})),
            ("first_sent_at", Value::Null),
            ("first_sent_at", json!({"S": "yesterday"})),
            ("first_sent_at", json!({"N": "1e40"})),
            ("expires_at", json!({"NULL": true})),
            ("expires_at", json!({"N": "99999999999999999999"})),
        ]
        .into_iter()
        .enumerate()
        {
            let mut odd = sent(USER, &format!("VE0000000000000000000000000000010{number}"), "sms", seconds(10));
            match value {
                Value::Null => drop(odd.as_object_mut().expect("an item").remove(name)),
                value => odd[name] = value,
            }
            hook.sends.put(&odd);
        }
        let mut no_sid = good;
        no_sid["verification_sid"] = json!({"S": "+12025550123"});
        hook.sends.put(&no_sid);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!((hook.approved_sids(), hook.updates()), (vec![sid], 1));
    }

    #[test]
    fn a_verification_is_not_skipped_while_twilio_fails() {
        let hook = Hook::with_table();
        hook.send_and_remember(USER, NUMBER, "sms", seconds(60));
        let newest = hook.send_and_remember(USER, OTHER_NUMBER, "sms", seconds(20));
        hook.deployment.twilio.fault(Operation::VerifyUpdate, Fault::Status(503), Times::Next(1));
        let event = sign_in(USER, "SMS_FACTOR");
        assert_eq!(hook.deliver(std::slice::from_ref(&event)).status, 503);
        assert_eq!(hook.logged_once("feedback_failed")["verification_sid"], newest);
        assert_eq!((hook.approved().len(), hook.sends.items().len()), (0, 2));
        assert_eq!(hook.deliver(&[event]).status, 200);
        assert_eq!(hook.approved_sids(), [newest]);
    }
}

mod trouble {
    use super::*;

    const TROUBLE: [(&str, &str); 6] = [
        ("InternalServerError", "table_unavailable"),
        ("ProvisionedThroughputExceededException", "table_unavailable"),
        ("ThrottlingException", "table_unavailable"),
        ("AccessDeniedException", "table_forbidden"),
        ("ResourceNotFoundException", "table_not_found"),
        ("ValidationException", "table_refused"),
    ];

    #[test]
    fn without_a_queue_okta_redelivers() {
        // Also if Okta could return the number, because the number could have another verification.
        for variables in [&TABLE_ONLY[..], &TABLE_ONLY[..1]] {
            for (code, reason) in TROUBLE {
                let hook = Hook::with_variables(variables);
                hook.send_and_remember(USER, NUMBER, "sms", seconds(20));
                hook.sends.set_fault(Some(code));
                let event = sign_in(USER, "SMS_FACTOR");
                assert_eq!(hook.deliver(std::slice::from_ref(&event)).status, 503, "{code}");
                let line = hook.logged_once("feedback_failed");
                let level = if reason == "table_unavailable" { "WARN" } else { "ERROR" };
                assert_eq!((&line["reason"], &line["level"]), (&json!(reason), &json!(level)), "{code}");
                assert!(line["advice"].is_string() && hook.updates() == 0, "{code}");
                let counted = |line: &Value| line["TableFailures"] == 1 && line["Reason"] == reason;
                assert!(hook.logged("metrics").iter().any(counted), "{code}");
                hook.sends.set_fault(None);
                assert_eq!(hook.deliver(&[event]).status, 200, "{code}");
                assert_eq!(hook.approved(), [NUMBER], "{code}");
            }
        }
    }

    #[test]
    fn a_table_that_is_slow_or_cannot_be_reached() {
        let _alone = run_alone();
        let hook = Hook::with_table();
        hook.send_and_remember(USER, NUMBER, "sms", seconds(20));
        hook.sends.delay(seconds(4));
        let response = hook.deliver(&[sign_in(USER, "SMS_FACTOR")]);
        assert_eq!(response.status, 503);
        assert!(response.duration < seconds(3), "it took {:?}", response.duration);
        assert_eq!(hook.logged_once("feedback_failed")["reason"], "table_unavailable");

        let mut unreachable = TABLE_ONLY.to_vec();
        unreachable.push(("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1"));
        let hook = Hook::with_variables(&unreachable);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 503);
        assert_eq!(hook.logged_once("feedback_failed")["reason"], "table_unavailable");
    }

    #[test]
    fn with_a_queue_the_feedback_waits() {
        for (code, reason) in TROUBLE {
            let hook = Hook::with_table_and_queue();
            let sid = hook.send_and_remember(USER, NUMBER, "sms", seconds(20));
            hook.sends.set_fault(Some(code));
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200, "{code}");
            hook.work_off();
            assert_eq!(hook.logged_once("feedback_failed")["reason"], reason, "{code}");
            assert_eq!((hook.sqs.messages().len(), hook.updates()), (1, 0), "{code}");
            hook.sends.set_fault(None);
            hook.sqs.advance(VISIBILITY);
            hook.work_off();
            assert_eq!((hook.approved_sids(), hook.sqs.messages().len()), (vec![sid], 0), "{code}");
        }
    }

    #[test]
    fn an_item_that_cannot_be_deleted_does_not_undo_the_feedback() {
        let hook = Hook::with_table();
        hook.send_and_remember(USER, NUMBER, "sms", seconds(20));
        hook.sends.set_fault_of("DeleteItem", Some("AccessDeniedException"));
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.approved(), [NUMBER]);
        assert_eq!(hook.logged_once("feedback_approved")["table_failure"], "table_forbidden");
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.logged_once("feedback_not_needed")["reason"], "no_pending_verification");
    }
}

#[test]
fn two_thousand_sign_ins_through_queue_and_table_are_approved_once_each_by_their_own_sid() {
    const BURST: usize = 2_000;
    let hook = Hook::with_table_and_queue();
    let user = |index: usize| format!("00ucrowd{index:012}");
    let number = |index: usize| format!("+1202555{index:04}");
    for index in 0..BURST {
        hook.deployment.twilio.send_code(&number(index), "867530");
    }
    let pending = hook.deployment.twilio.verifications().into_iter();
    let pending: HashMap<_, _> = pending.map(|verification| (verification.to, verification.sid)).collect();
    let mut sids: Vec<_> = (0..BURST).map(|index| pending[&number(index)].clone()).collect();
    for (index, sid) in sids.iter().enumerate() {
        hook.sends.put(&sent(&user(index), sid, "sms", seconds(20)));
    }
    let others = hook.send_and_remember(OTHER_USER, "+12025559999", "sms", seconds(20));
    let events: Vec<_> = (0..BURST).map(|index| sign_in(&user(index), "SMS_FACTOR")).collect();
    // Okta delivers each event twice. On a busy machine, the time of a delivery may end before all of it is stored.
    for events in events.chunks(100).chain(events.rchunks(100)) {
        assert!((0..5).any(|_| hook.deliver(events).status == 200));
    }
    assert_eq!(hook.sqs.messages().len(), BURST);
    hook.work_off();
    // On a busy machine, a call can time out. Its message comes again, and nothing is approved twice.
    let is_quiet = hook.sqs.messages().is_empty();
    for _ in 0..3 {
        hook.sqs.advance(VISIBILITY);
        hook.work_off();
    }
    assert!(hook.sqs.messages().is_empty() && hook.sqs.dead_letters().is_empty());
    sids.sort();
    assert_eq!(hook.approved_sids(), sids);
    let approvals = hook.update_statuses().into_iter().filter(|status| *status == Some(200)).count();
    assert_eq!(approvals, BURST);
    assert!(!is_quiet || hook.updates() == BURST, "{} updates", hook.updates());
    assert_eq!(hook.sends.items().len(), 1, "only the one whose code nobody has typed is left");
    let verifications = hook.deployment.twilio.verifications();
    assert!(verifications.iter().any(|it| it.sid == others && it.status == Status::Pending));
}
