//! `doctor` finds each fault of the AWS side, and of the functions' log.

use sandbox::aws_account::{Account, Function, LogGroup};
use serde_json::{Value, json};

use crate::world::{
    ALARM, DEAD_LETTERS, EVENT_LOG, HOOKS_SECRET_ARN, OKTA_SECRET_ARN, QUEUE, TELEPHONY_LOG, World, check, hooks_secret,
};

/// A check says ok in a healthy world, and something else, with this text, after a change.
fn finds(id: &str, expected: &str, text: &str, change: impl FnOnce(&World)) {
    let report = crate::world::finds(id, expected, change);
    assert!(report["checks"][0]["read"].as_str().unwrap().contains(text), "{report}");
}

fn telephony(account: &mut Account) -> &mut Function {
    account.stack.as_mut().unwrap().functions.get_mut("TelephonyFunction").unwrap()
}

#[test]
fn a3_a_pause_and_an_unknown_field() {
    let store = |world: &World, name: &str, value: Value| {
        let mut secret = hooks_secret();
        secret[name] = value;
        world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(secret.to_string())));
    };
    finds("A3", "warn", "paused", |world| store(world, "paused", json!(["NG"])));
    finds("A3", "warn", "meant as auth_secret", |world| store(world, "auth_secrets", json!("x")));
}

#[test]
fn a4_an_okta_secret_is_judged_as_the_function_would() {
    for (secret, field) in [
        (json!({"okta_client_id": "0oa1", "okta_private_key": "no key"}), "okta_private_key"),
        (json!({"okta_client_id": "0oa1"}), "okta_private_key"),
        (json!({}), "okta_api_token"),
    ] {
        finds("A4", "fail", field, |world| world.set_okta_secret(&secret));
    }
    finds("A4", "fail", "does not exist", |world| {
        _ = world.aws.change(|account| account.secrets.remove(OKTA_SECRET_ARN));
    });
    let token = json!({"okta_api_token": "00an-example-of-an-api-token", "okta_api_tokn": "x"});
    finds("A4", "warn", "meant as okta_api_token", |world| world.set_okta_secret(&token));
}

#[test]
fn a4_no_okta_secret_is_needed() {
    let world = World::healthy();
    world.set_event_variable("OKTA_SECRET_ID", "");
    world.set_event_variable("OKTA_ORG_URL", "");
    let (status, report) = check(&world, "A4");
    assert_eq!(status, "ok", "{report}");
    assert!(report["checks"][0]["read"].as_str().unwrap().starts_with("none"), "{report}");
}

#[test]
fn a5_variables_with_which_a_function_does_not_start() {
    finds("A5", "fail", "telephony-hook does not start: ALLOWED_COUNTRIES", |world| {
        world.set_variable("ALLOWED_COUNTRIES", "Nigeria");
    });
    finds("A5", "fail", "event-hook does not start: FEEDBACK_QUEUE_URL", |world| {
        world.set_variable("FEEDBACK_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/feedback");
    });
    finds("A5", "fail", "LOG_LEVEL", |world| world.set_variable("LOG_LEVEL", "loud"));
}

#[test]
fn a5_misspelled_names_memory_time_out_and_architecture() {
    finds("A5", "warn", "ALOWED_COUNTRIES is not used; ALLOWED_COUNTRIES", |world| {
        world.set_variable("ALOWED_COUNTRIES", "US");
    });
    finds("A5", "warn", "128 MB", |world| world.aws.change(|account| telephony(account).memory_size = 128));
    finds("A5", "fail", "time-out of 3 s", |world| world.aws.change(|account| telephony(account).timeout = 3));
    finds("A5", "warn", "different architectures", |world| {
        world.aws.change(|account| telephony(account).architecture = "x86_64".to_owned());
    });
}

#[test]
fn a5_a_file_of_the_layer_is_not_missed_here() {
    let world = World::healthy();
    world.set_variable("EXTRA_CA_FILE", "/opt/no-such-file-on-this-machine.pem");
    assert_eq!(check(&world, "A5").0, "ok");
}

#[test]
fn a6_what_aws_has_denied_within_the_last_hour() {
    let denied = |seconds_ago: i64| {
        move |world: &World| {
            let line = json!({"message": "secret_refresh_failed", "secret": "hooks", "reason": "access_denied"});
            world.log(TELEPHONY_LOG, seconds_ago, line);
        }
    };
    finds("A6", "fail", "secretsmanager:GetSecretValue", denied(600));
    finds("A6", "ok", "nothing", denied(2 * 3_600));
    finds("A6", "fail", "sqs:SendMessage", |world| {
        world.log(EVENT_LOG, 60, json!({"message": "feedback_failed", "reason": "queue_forbidden"}));
    });
}

#[test]
fn a7_a_queue_that_loses_feedback() {
    finds("A7", "fail", "no FIFO", |world| {
        world.aws.change(|account| account.queues.get_mut(QUEUE).unwrap().is_fifo = false);
    });
    finds("A7", "fail", "six times", |world| {
        world.aws.change(|account| account.queues.get_mut(QUEUE).unwrap().visibility_timeout = 60);
    });
    finds("A7", "fail", "no dead-letter queue", |world| {
        world.aws.change(|account| account.queues.get_mut(QUEUE).unwrap().dead_letter_queue = None);
    });
    finds("A7", "fail", "no queue", |world| _ = world.aws.change(|account| account.queues.remove(QUEUE)));
    finds("A7", "fail", "no dead-letter queue", |world| {
        _ = world.aws.change(|account| account.queues.remove(DEAD_LETTERS));
    });
}

#[test]
fn a7_dead_letters() {
    finds("A7", "fail", "1 messages", |world| {
        world.aws.change(|account| account.queues.get_mut(DEAD_LETTERS).unwrap().in_flight = 1);
    });
}

#[test]
fn a8_alarms_that_nobody_hears_and_logs_that_stay_for_ever() {
    finds("A8", "warn", "tell no one", |world| {
        world.aws.change(|account| account.alarms.get_mut(ALARM).unwrap().actions.clear());
    });
    finds("A8", "warn", "tell no one", |world| {
        world.aws.change(|account| account.alarms.get_mut(ALARM).unwrap().is_enabled = false);
    });
    finds("A8", "warn", "state ALARM", |world| {
        world.aws.change(|account| account.alarms.get_mut(ALARM).unwrap().state = "ALARM");
    });
    finds("A8", "warn", "0 of 1 alarms exist", |world| world.aws.change(|account| account.alarms.clear()));
    finds("A8", "warn", "never deleted", |world| {
        world.aws.change(|account| account.log_groups.insert(EVENT_LOG.to_owned(), LogGroup::default()));
    });
    finds("A8", "fail", "drops telephony-hook's lines", |world| {
        world.aws.change(|account| telephony(account).application_log_level = Some("WARN".to_owned()));
    });
}

#[test]
fn a9_an_old_secret() {
    finds("A9", "warn", "200 days", |world| world.aws.change(|account| account.secret_age_days = 200));
}

#[test]
fn t9_a_shared_verify_service() {
    finds("T9", "fail", "60735", |world| {
        world.log(EVENT_LOG, 3 * 86_400, json!({"message": "feedback_failed", "reason": "owned_by_other"}));
    });
}

#[test]
fn t10_a_country_that_twilio_refuses() {
    finds("T10", "warn", "NG (2)", |world| {
        for _ in 0..2 {
            let line = json!({"message": "otp_failed", "reason": "country_blocked_by_twilio", "country": "NG"});
            world.log(TELEPHONY_LOG, 86_400, line);
        }
    });
}

#[test]
fn t11_a_lookup_package_without_access() {
    let failed = |code: u32| json!({"message": "lookup_failed", "reason": "no_data", "package": "sim_swap", "twilio_code": code});
    finds("T11", "fail", "sim_swap", |world| world.log(TELEPHONY_LOG, 86_400, failed(60_606)));
    finds("T11", "ok", "no failure", |world| world.log(TELEPHONY_LOG, 86_400, failed(60_600)));
    finds("T11", "warn", "1 times", |world| {
        world.log(TELEPHONY_LOG, 60, json!({"message": "lookup_failed", "reason": "lookup_unavailable"}));
    });
}

#[test]
fn e6_codes_without_feedback() {
    let sent = |world: &World| {
        for number in 0..21 {
            world.log(TELEPHONY_LOG, 60 + number, json!({"message": "otp_sent", "reason": "accepted"}));
        }
    };
    finds("E6", "fail", "21 codes", sent);
    finds("E6", "ok", "21 codes", |world| {
        sent(world);
        world.log(EVENT_LOG, 60, json!({"message": "feedback_approved", "reason": "approved"}));
    });
}

#[test]
fn a_check_that_aws_forbids_names_the_action() {
    for (id, action) in [
        ("A7", "sqs:GetQueueAttributes"),
        ("A8", "cloudwatch:DescribeAlarms"),
        ("A8", "logs:DescribeLogGroups"),
        ("A9", "secretsmanager:DescribeSecret"),
        ("T9", "logs:StartQuery"),
    ] {
        let world = World::healthy();
        world.aws.change(|account| account.denied.insert(action));
        let (status, report) = check(&world, id);
        assert_ne!(status, "ok", "{report}");
        assert!(report["checks"][0]["read"].as_str().unwrap().contains(action), "{report}");
    }
}
