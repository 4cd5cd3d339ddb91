//! `doctor` finds each of its faults, and nothing when all is well.

use serde_json::Value;

use crate::world::{HOOKS_SECRET_ARN, World, hooks_secret};

/// The status of one check.
fn status(report: &Value, id: &str) -> String {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id}: {report}"));
    check["status"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_is_wrong_with_a_healthy_set_up() {
    let world = World::with_hooks();
    let (exit, report) = world.run_json(&["doctor"]);
    assert_eq!((exit, &report["summary"]["fail"], &report["summary"]["warn"]), (0, &0.into(), &0.into()), "{report}");
    let output = world.run(&["doctor"]);
    assert!(output.stdout.contains("ok   A1  AWS credentials: account 123456789012"), "{}", output.stdout);
}

#[test]
fn expired_credentials_are_found() {
    let world = World::healthy();
    world.aws.change(|account| account.is_expired = true);
    let (exit, report) = world.run_json(&["doctor", "--only", "aws"]);
    assert_eq!((exit, status(&report, "A1"), status(&report, "A2")), (1, "fail".into(), "skip".into()), "{report}");
}

#[test]
fn a_missing_or_broken_stack_is_found() {
    let world = World::healthy();
    let (exit, report) = world.run_json(&["doctor", "--only", "A2", "--stack", "another"]);
    assert_eq!((exit, status(&report, "A2")), (1, "fail".into()), "{report}");
    let broken = |account: &mut sandbox::aws_account::Account| {
        account.stack.as_mut().unwrap().status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
    };
    world.aws.change(broken);
    let (exit, report) = world.run_json(&["doctor", "--only", "A2"]);
    assert_eq!((exit, status(&report, "A2")), (1, "fail".into()), "{report}");
}

#[test]
fn a_hooks_secret_is_judged_as_the_functions_would() {
    let world = World::healthy();
    let mut wrong = hooks_secret();
    // A frequent mistake: the sid of the service where the sid of the key belongs.
    wrong["twilio_api_key_sid"] = wrong["verify_service_sid"].clone();
    let mut short = hooks_secret();
    short["auth_secret"] = "short".into();
    for (value, field) in
        [(Some(wrong.to_string()), "twilio_api_key_sid"), (Some(short.to_string()), "auth_secret"), (None, "no value")]
    {
        world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), value));
        let (exit, report) = world.run_json(&["doctor", "--only", "A3"]);
        assert_eq!((exit, status(&report, "A3")), (1, "fail".into()), "{report}");
        assert!(report["checks"][0]["read"].as_str().unwrap().contains(field), "{report}");
    }
}
