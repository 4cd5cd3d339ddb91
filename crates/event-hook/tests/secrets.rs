//! Secrets in the real binary of the event hook: what INIT fetches and opens, and what a failing secret does to
//! feedback.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]
#![allow(dead_code, unused_imports, clippy::allow_attributes, reason = "other tests use more of the support")]

mod support;

use std::{net::TcpListener, thread, time::Duration};

use sandbox::{OktaOptions, Options, ServiceAppKey, deployment::HOOKS_SECRET_ID};
use serde_json::{Value, json};
use support::{Hook, OKTA_SECRET_ID, sign_in};

const USER: &str = "00uyxxSknGtK8022w0g3";
const NUMBER: &str = "+12025550123";

/// The number of tries of a rejected fetch.
const TRIES: usize = 3;

fn api_token() -> Value {
    json!({"okta_api_token": OktaOptions::default().api_token})
}

mod init {
    use super::*;

    #[test]
    fn without_a_queue_prepares_okta_and_twilio() {
        let hook = Hook::start();
        let started = hook.logged_once("started");
        let ready = json!("ready");
        assert_eq!((&started["secret"], &started["okta_secret"], &started["connection"]), (&ready, &ready, &ready));
        assert_eq!(hook.sqs.requests(), 0);
        assert_eq!(hook.deployment.twilio.connections(), 2, "Okta and Twilio share one stand-in");
        hook.send_code(NUMBER);
        let connections = hook.deployment.twilio.connections();
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.approved(), [NUMBER]);
        assert_eq!(hook.deployment.twilio.connections(), connections, "those of INIT serve the first delivery");
    }

    #[test]
    fn with_a_queue_prepares_only_what_storing_needs() {
        let hook = Hook::with_queue();
        let started = hook.logged_once("started");
        assert_eq!((&started["secret"], &started["connection"]), (&json!("ready"), &json!("ready")));
        assert_eq!(started["okta_secret"], Value::Null);
        assert_eq!(hook.deployment.secrets.fetches(OKTA_SECRET_ID), 0);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.deployment.twilio.connections(), 0);
        hook.send_code(NUMBER);
        hook.work_off();
        assert_eq!(hook.approved(), [NUMBER]);
        assert_eq!(hook.deployment.secrets.fetches(OKTA_SECRET_ID), 1);
    }

    #[test]
    fn with_a_queue_does_not_wait_for_a_silent_twilio() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", silent.local_addr().unwrap());
        let hook = Hook::with_queue();
        let function = support::variables(&hook.deployment, &hook.sqs)
            .env("FEEDBACK_QUEUE_URL", hook.sqs.queue_url())
            .env("TWILIO_VERIFY_URL", url)
            .spawn();
        function.wait_until_ready(Duration::from_secs(10)).unwrap();
        let started = function.wait_for_log(|line| line["message"] == "started", Duration::from_secs(1));
        assert_eq!(started["connection"], "ready");
        silent.set_nonblocking(true).unwrap();
        assert!(silent.accept().is_err(), "no connection");
    }
}

mod trouble {
    use super::*;

    /// The first delivery fetches the Okta secret, and the fetch is rejected.
    fn refused(code: &str) -> Hook {
        let hook = Hook::with(Options::default(), &json!({"okta_api_token": ""}), &[]);
        assert_eq!(hook.logged_once("started")["okta_secret"], "failed");
        hook.send_code(NUMBER);
        hook.deployment.secrets.put(OKTA_SECRET_ID, &api_token());
        hook.deployment.secrets.refuse_next_for(OKTA_SECRET_ID, code, TRIES);
        hook
    }

    #[test]
    fn that_is_transient_makes_okta_redeliver() {
        for code in ["ThrottlingException", "InternalServiceError", "KMSThrottlingException"] {
            let hook = refused(code);
            let events = [sign_in(USER, "SMS_FACTOR")];
            assert_eq!(hook.deliver(&events).status, 503, "{code}");
            let failed = hook.logged_once("feedback_failed");
            assert_eq!((&failed["reason"], &failed["transient"]), (&json!("secret_unavailable"), &json!(true)));
            hook.deployment.secrets.up();
            assert_eq!(hook.deliver(&events).status, 200, "{code}");
            assert_eq!(hook.approved(), [NUMBER]);
        }
    }

    #[test]
    fn that_only_an_admin_can_fix_causes_no_redelivery() {
        for (code, reason) in [("AccessDeniedException", "access_denied"), ("KMSDisabledException", "kms_key_unusable")]
        {
            let hook = refused(code);
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200, "{code}");
            assert_eq!(hook.logged_once("feedback_failed")["transient"], false);
            assert_eq!(hook.logged("secret_refresh_failed").last().expect("a line")["reason"], reason);
        }
    }

    #[test]
    fn of_many_parallel_events_causes_few_fetches() {
        let hook = refused("AccessDeniedException");
        let fetches = hook.deployment.secrets.fetches(OKTA_SECRET_ID);
        let events: Vec<_> = (0..40).map(|_| sign_in(USER, "SMS_FACTOR")).collect();
        hook.deliver(&events);
        assert!(hook.deployment.secrets.fetches(OKTA_SECRET_ID) <= fetches + 2);
    }
}

mod freezing {
    use super::*;

    #[test]
    fn a_function_frozen_after_every_response_refreshes_both_secrets_and_logs_no_failure() {
        let hook = Hook::with_variables(&[("SECRET_TTL_SECONDS", "1")]);
        hook.deployment.secrets.delay(Duration::from_millis(100));
        for _ in 0..3 {
            hook.function.freeze();
            thread::sleep(Duration::from_millis(1_100));
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        }
        hook.function.freeze();
        assert_eq!(hook.logged("secret_refresh_failed"), Vec::<Value>::new());
        for secret in ["hooks", "okta"] {
            let refreshed = hook.logged("secret_refreshed").into_iter().filter(|line| line["secret"] == secret);
            assert!(refreshed.count() >= 4, "at the start and by each delivery: {secret}");
        }
    }
}

mod reading {
    use super::*;

    #[test]
    fn a_private_key_is_read_as_people_store_it() {
        let key = ServiceAppKey::rsa("key-1");
        let pem = key.private_pem();
        for stored in [
            pem.replace('\n', " "),
            pem.replace('\n', ""),
            pem.replace('\n', "\\n"),
            pem.replace('\n', "\r\n"),
            format!("\u{feff}{pem}\n"),
        ] {
            let okta = OktaOptions { public_keys: vec![key.public_jwk()], ..OktaOptions::default() };
            let client_id = format!("{}\r\n", okta.client_id);
            let secret = json!({"okta_client_id": client_id, "okta_private_key": stored, "okta_key_id": " key-1 "});
            let hook = Hook::with(Options { okta, ..Options::default() }, &secret, &[]);
            hook.send_code(NUMBER);
            assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
            assert_eq!(hook.approved(), [NUMBER]);
        }
    }

    #[test]
    fn an_unreadable_secret_names_its_field() {
        for (secret, field) in [
            (json!({"okta_api_token": "two words"}), "okta_api_token"),
            (json!({"okta_client_id": "0oa1"}), "okta_private_key"),
            (json!({"okta_client_id": "0oa1", "okta_private_key": "-----BEGIN PRIVATE KEY-----"}), "okta_private_key"),
        ] {
            let hook = Hook::with(Options::default(), &secret, &[]);
            assert_eq!(hook.logged_once("secret_refresh_failed")["field"], field);
        }
    }

    #[test]
    fn the_verify_service_may_be_in_the_secret() {
        let hook = Hook::with_variables(&[("VERIFY_SERVICE_SID", "")]);
        assert_eq!(hook.logged_once("secret_refresh_failed")["field"], "verify_service_sid");
        let mut secret = hook.deployment.hooks_secret(&[sandbox::deployment::AUTH_SECRET]);
        secret["verify_service_sid"] = json!(Options::default().service_sid);
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &secret);
        hook.send_code(NUMBER);
        assert_eq!(hook.deliver(&[sign_in(USER, "SMS_FACTOR")]).status, 200);
        assert_eq!(hook.approved(), [NUMBER]);
    }
}
