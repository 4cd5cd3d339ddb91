//! Secrets in the real binary: fetched, refreshed, frozen, rejected, and parsed in the forms that people store.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]

mod support;

use std::{
    io::copy,
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use sandbox::{
    Options,
    deployment::{AUTH_SECRET, Deployment, HOOKS_SECRET_ID, HttpAnswer, TelephonyRequest},
};
use serde_json::{Value, json};
use support::{Hook, verdict};

const NUMBER: &str = "+12025550123";
const NEW_SECRET: &str = "another-secret-value";

/// The number of tries of a rejected fetch.
const TRIES: usize = 3;

fn sms() -> TelephonyRequest {
    TelephonyRequest::sms(NUMBER, "867530")
}

fn deployment() -> Deployment {
    Deployment::start(Options::default())
}

fn is_refused(response: &HttpAnswer) -> bool {
    response.status == 503 && response.body["error"]["errorCauses"][0]["reason"] == "secret_unavailable"
}

fn events(hook: &Hook, message: &str) -> Vec<Value> {
    hook.function.log_lines().into_iter().filter(|line| line["message"] == message).collect()
}

mod init {
    use super::*;

    #[test]
    fn that_failed_lets_the_first_request_fetch_without_a_delay() {
        for code in ["ThrottlingException", "InternalServiceError", "AccessDeniedException"] {
            let deployment = deployment();
            deployment.secrets.refuse_next(code, TRIES);
            let hook = Hook::on(deployment, &[]);
            assert_eq!(hook.last_log("started")["secret"], "failed", "{code}");
            hook.deployment.secrets.up();
            assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL", "{code}");
        }
    }

    #[test]
    fn a_broken_secret_is_fetched_again_by_the_first_request() {
        let deployment = deployment();
        deployment.secrets.put_text(HOOKS_SECRET_ID, "{");
        let hook = Hook::on(deployment, &[]);
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &hook.deployment.hooks_secret(&[AUTH_SECRET]));
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
    }

    #[test]
    fn after_a_transient_failure_each_request_fetches_again() {
        let deployment = deployment();
        deployment.secrets.refuse("ThrottlingException");
        let hook = Hook::on(deployment, &[]);
        assert!(is_refused(&hook.ask(&sms())));
        let fetches = hook.deployment.secrets.fetches(HOOKS_SECRET_ID);
        assert!(is_refused(&hook.ask(&sms())));
        assert!(hook.deployment.secrets.fetches(HOOKS_SECRET_ID) > fetches);
        hook.deployment.secrets.up();
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
    }

    #[test]
    fn does_not_wait_for_a_silent_lookup() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let lookup = format!("https://{}", silent.local_addr().unwrap());
        let hook = Hook::with_variables(&[("LOOKUP_FIELDS", "basic"), ("TWILIO_LOOKUP_URL", &lookup)]);
        let started = hook.last_log("started");
        assert_eq!((&started["secret"], &started["connection"]), (&json!("ready"), &json!("under_way")));
        let held = started["duration_ms"].as_u64().unwrap();
        assert!(held < 1_500, "connections hold INIT for 300 ms: {held} ms");
        assert_eq!(verdict(&hook.ask(&sms().taken_ago(Duration::from_millis(300)))), "SUCCESSFUL");
        assert_eq!(hook.sends().len(), 1);
    }

    /// Forwards to the sandbox, but never responds on the first connection.
    fn silent_at_first(target: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("the listener's address"));
        let target = target.strip_prefix("https://").expect("an https URL").to_owned();
        thread::spawn(move || {
            let mut connections = listener.incoming();
            let _silent = connections.next();
            for connection in connections {
                let Ok(from) = connection else { continue };
                let Ok(to) = TcpStream::connect(&target) else { continue };
                for (from, to) in [(from.try_clone(), to.try_clone()), (Ok(to), Ok(from))] {
                    let (Ok(mut from), Ok(mut to)) = (from, to) else { continue };
                    thread::spawn(move || copy(&mut from, &mut to));
                }
            }
        });
        url
    }

    #[test]
    fn a_half_open_connection_causes_no_wait_frozen_or_not() {
        for is_frozen in [false, true] {
            let deployment = deployment();
            let url = silent_at_first(&deployment.twilio.https_url());
            let hook = Hook::on(deployment, &[("TWILIO_VERIFY_URL", &url)]);
            assert_eq!(hook.last_log("started")["connection"], "under_way");
            if is_frozen {
                hook.function.freeze();
                thread::sleep(Duration::from_millis(400));
            }
            assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
            assert_eq!(hook.last_log("otp_sent")["attempts"], 1);
        }
    }
}

mod refreshing {
    use super::*;

    #[test]
    fn a_slow_secret_is_served_within_the_budget() {
        let slow = Duration::from_millis(1_200);
        let deployment = deployment();
        deployment.secrets.delay(slow);
        let hook = Hook::on(deployment, &[("SECRET_TTL_SECONDS", "1")]);
        assert_eq!(hook.last_log("started")["secret"], "ready");
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert!(events(&hook, "secret_refresh_failed").is_empty());

        let deployment = super::deployment();
        deployment.secrets.refuse_next("ThrottlingException", TRIES);
        let hook = Hook::on(deployment, &[]);
        assert_eq!(hook.last_log("started")["secret"], "failed");
        hook.deployment.secrets.delay(slow);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
    }

    #[test]
    fn a_function_frozen_after_every_response_still_notices_a_revoked_secret() {
        let hook = Hook::with_variables(&[("SECRET_TTL_SECONDS", "1")]);
        hook.keep_private(vec![NEW_SECRET.to_owned()]);
        // Slow enough that a refresh is still in progress when Twilio has responded.
        hook.deployment.secrets.delay(Duration::from_millis(150));
        let ask_then_freeze = |secret: &str| {
            let response = hook.ask(&sms().secret(Some(secret)));
            hook.function.freeze();
            response.status
        };
        assert_eq!(ask_then_freeze(AUTH_SECRET), 200);
        hook.deployment.secrets.put(HOOKS_SECRET_ID, &hook.deployment.hooks_secret(&[NEW_SECRET]));
        // Frozen for twice the time to live.
        thread::sleep(Duration::from_millis(2_100));
        assert_eq!(ask_then_freeze(AUTH_SECRET), 401);
        assert_eq!(ask_then_freeze(NEW_SECRET), 200);
        let fetches = hook.deployment.secrets.fetches(HOOKS_SECRET_ID);
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(1_100));
            assert_eq!(ask_then_freeze(NEW_SECRET), 200);
        }
        assert!(hook.deployment.secrets.fetches(HOOKS_SECRET_ID) > fetches);
        assert_eq!(events(&hook, "secret_refresh_failed"), Vec::<Value>::new());
    }

    #[test]
    fn a_due_refresh_ends_before_the_response_leaves() {
        let hook = Hook::with_variables(&[("SECRET_TTL_SECONDS", "1")]);
        hook.deployment.secrets.delay(Duration::from_millis(300));
        thread::sleep(Duration::from_millis(1_100));
        let refreshed = events(&hook, "secret_refreshed").len();
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        hook.function.freeze();
        assert_eq!(events(&hook, "secret_refreshed").len(), refreshed + 1);
    }
}

mod refusals {
    use super::*;

    #[test]
    fn have_a_reason_each() {
        for (code, reason) in [
            ("ThrottlingException", "throttled"),
            ("InternalServiceError", "unreachable"),
            ("AccessDeniedException", "access_denied"),
            ("KMSAccessDeniedException", "kms_key_unusable"),
            ("DecryptionFailure", "kms_key_unusable"),
            ("KMSDisabledException", "kms_key_unusable"),
            ("ResourceNotFoundException", "not_found"),
            ("InvalidRequestException", "not_found"),
            ("InvalidParameterException", "refused"),
        ] {
            let deployment = deployment();
            deployment.secrets.refuse(code);
            let hook = Hook::on(deployment, &[]);
            assert!(is_refused(&hook.ask(&sms())));
            assert_eq!(hook.last_log("secret_refresh_failed")["reason"], reason, "{code}");
        }
    }
}

mod reading {
    use super::*;

    /// The function sends with a secret that is stored in this form.
    fn serves(store: impl Fn(&Deployment)) {
        let deployment = deployment();
        store(&deployment);
        let hook = Hook::on(deployment, &[]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        assert_eq!(hook.messages().len(), 1);
        assert!(events(&hook, "configuration_warning").is_empty());
    }

    #[test]
    fn secrets_are_read_as_people_store_them() {
        let shapes: [fn(String) -> String; 6] = [
            |json| format!("\u{feff}{json}\r\n"),
            |json| json.replace(AUTH_SECRET, &format!(" {AUTH_SECRET}\\r\\n")),
            |json| json.replace(AUTH_SECRET, &format!("{AUTH_SECRET}\n")),
            |json| json.replace("\"SK", "\"\t SK"),
            |json| json.replace("\"}", "\\r\\n\"}"),
            |json| json.replace("\"}", "\u{a0}\r\n\"}\u{0}"),
        ];
        for shape in shapes {
            serves(|deployment| {
                let text = shape(deployment.hooks_secret(&[AUTH_SECRET]).to_string());
                assert_ne!(text, deployment.hooks_secret(&[AUTH_SECRET]).to_string());
                deployment.secrets.put_text(HOOKS_SECRET_ID, &text);
            });
        }
        serves(|deployment| {
            let text = deployment.hooks_secret(&[AUTH_SECRET]).to_string();
            deployment.secrets.put_bytes(HOOKS_SECRET_ID, text.as_bytes());
        });
    }

    #[test]
    fn an_unreadable_secret_names_its_field() {
        for (field, value, reason) in [
            ("auth_secret", json!("short"), "auth_secret_unusable"),
            ("twilio_api_key_sid", json!("SK0"), "twilio_credentials_unusable"),
            ("twilio_api_key_secret", json!(7), "twilio_credentials_unusable"),
            ("twilio_api_key_secret", json!(" "), "twilio_credentials_unusable"),
        ] {
            let deployment = deployment();
            let mut secret = deployment.hooks_secret(&[AUTH_SECRET]);
            secret[field] = value;
            deployment.secrets.put(HOOKS_SECRET_ID, &secret);
            let hook = Hook::on(deployment, &[]);
            assert!(is_refused(&hook.ask(&sms())));
            let failed = hook.last_log("secret_refresh_failed");
            assert_eq!((&failed["reason"], &failed["field"]), (&json!(reason), &json!(field)));
        }
    }

    #[test]
    fn the_verify_service_may_be_in_the_secret() {
        let with_service = |service: Value| {
            let deployment = deployment();
            let mut secret = deployment.hooks_secret(&[AUTH_SECRET]);
            secret["verify_service_sid"] = service;
            deployment.secrets.put(HOOKS_SECRET_ID, &secret);
            deployment
        };
        let own = json!(Options::default().service_sid);
        let other = json!("VA00000000000000000000000000000000");
        let hook = Hook::on(with_service(own), &[("VERIFY_SERVICE_SID", "")]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        let hook = Hook::on(with_service(other), &[]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL", "the variable wins");
        for none in [Value::Null, json!("MG00000000000000000000000000000000")] {
            let hook = Hook::on(with_service(none), &[("VERIFY_SERVICE_SID", "")]);
            assert!(is_refused(&hook.ask(&sms())));
            assert_eq!(hook.last_log("secret_refresh_failed")["field"], "verify_service_sid");
        }
    }
}

mod warnings {
    use super::*;

    #[test]
    fn a_valid_configuration_logs_none() {
        assert!(events(&Hook::start(), "configuration_warning").is_empty());
    }

    #[test]
    fn a_misspelled_variable_and_an_unused_proxy_are_logged_once() {
        let proxy = "http://proxy-user:proxy-password@proxy.example.com:3128";
        let hook = Hook::with_variables(&[
            ("BLOCKED_COUNTRY", "NG"),
            ("HTTPS_PROXY", proxy),
            ("https_proxy", proxy),
            ("STAGE", "production"),
        ]);
        hook.keep_private(vec!["proxy-password".to_owned(), "proxy.example.com".to_owned()]);
        assert_eq!(verdict(&hook.ask(&sms())), "SUCCESSFUL");
        let warnings: Vec<_> = events(&hook, "configuration_warning");
        let named: Vec<_> = warnings.iter().map(|line| (&line["variable"], &line["meant"], &line["level"])).collect();
        let (misspelled, meant) = (json!("BLOCKED_COUNTRY"), json!("BLOCKED_COUNTRIES"));
        let (proxy, warn) = (json!("HTTPS_PROXY"), json!("WARN"));
        assert_eq!(named, [(&misspelled, &meant, &warn), (&proxy, &Value::Null, &warn)]);
    }

    #[test]
    fn an_unknown_field_and_an_unreadable_pause_are_logged_without_their_values() {
        let deployment = deployment();
        let mut secret = deployment.hooks_secret(&[AUTH_SECRET]);
        secret["auth_secrets"] = json!("pasted-by-mistake");
        secret["paused"] = json!(["Atlantis"]);
        deployment.secrets.put(HOOKS_SECRET_ID, &secret);
        let hook = Hook::on(deployment, &[]);
        hook.keep_private(vec!["pasted-by-mistake".to_owned(), "Atlantis".to_owned()]);
        let warnings: Vec<_> = events(&hook, "configuration_warning");
        let seen: Vec<_> = warnings.iter().map(|line| (&line["secret"], &line["meant"])).collect();
        let hooks = json!("hooks");
        assert_eq!(seen, [(&hooks, &json!("auth_secret")), (&hooks, &Value::Null)]);
        assert!(warnings[1]["problem"].as_str().is_some_and(|problem| problem.contains("everything is paused")));
    }
}
