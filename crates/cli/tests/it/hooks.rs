//! `doctor` finds each fault on the way to the real functions.

use std::time::Duration;

use sandbox::front::FrontFault;
use serde_json::Value;

use crate::world::{TELEPHONY_LOG, World};

fn check(world: &World, id: &str) -> (String, String) {
    let (exit, report) = world.run_json(&["doctor", "--only", id]);
    let check: &Value = &report["checks"][0];
    assert_eq!(exit, i32::from(check["status"] == "fail"), "{report}");
    (check["status"].as_str().unwrap().to_owned(), check["read"].as_str().unwrap().to_owned())
}

fn with_fault(id: &str, fault: FrontFault) -> (String, String) {
    let world = World::with_hooks();
    let (status, read) = check(&world, id);
    assert_eq!(status, "ok", "{read}");
    world.front.as_ref().unwrap().set_fault(fault);
    check(&world, id)
}

fn with_status(status: u16) -> (String, String) {
    with_fault("E1", FrontFault { status: Some(status), ..FrontFault::default() })
}

#[test]
fn e1_a_hook_that_answers_without_the_secret() {
    for status in [200, 403, 404, 429, 503] {
        let (found, read) = with_status(status);
        assert_eq!(found, "fail", "{read}");
        assert!(read.contains(&format!("telephony-hook: a request without the secret got {status}")), "{read}");
        assert!(read.contains("event-hook"), "{read}");
    }
}

#[test]
fn e1_a_hook_that_is_not_there() {
    let mut world = World::with_hooks();
    world.front = None;
    let (status, read) = check(&world, "E1");
    assert_eq!(status, "fail", "{read}");
}

/// E2 with a short wait for the log.
fn through_okta(world: &World) -> (String, String) {
    let (_, report) = world.run_json(&["doctor", "--only", "E2", "--wait", "1"]);
    let text = |name: &str| report["checks"][0][name].as_str().unwrap().to_owned();
    (text("status"), text("read"))
}

#[test]
fn e2_okta_reaches_the_hook() {
    let world = World::with_hooks();
    let (status, read) = through_okta(&world);
    assert_eq!(status, "ok", "{read}");
    let lines = world.aws.change(|account| account.log_groups[TELEPHONY_LOG].lines.clone());
    let expired = lines.iter().filter(|line| line.contains("otp_failed") && line.contains("code_expired")).count();
    assert_eq!(expired, 1, "{lines:?}");
}

#[test]
fn e2_okta_has_another_secret() {
    let world = World::with_hooks();
    world.okta.change(|org| org.inline_hooks[0].channel.secret = "another-secret-of-a-caller".to_owned());
    assert_eq!(through_okta(&world), ("fail".to_owned(), "the hook refused Okta's request".to_owned()));
}

#[test]
fn e2_okta_does_not_reach_the_hook() {
    let world = World::with_hooks();
    world.front.as_ref().unwrap().set_fault(FrontFault { status: Some(503), ..FrontFault::default() });
    let (status, read) = through_okta(&world);
    assert_eq!(status, "fail", "{read}");
    assert!(read.starts_with("the hook's log does not have Okta's request"), "{read}");
}

#[test]
fn e2_needs_an_active_hook_and_a_token() {
    let world = World::with_hooks();
    world.okta.change(|org| org.inline_hooks[0].is_active = false);
    assert_eq!(through_okta(&world).0, "skip");
    let mut world = World::with_hooks();
    world.environment.remove("OKTA_API_TOKEN");
    assert_eq!(through_okta(&world).0, "skip");
}

#[test]
fn e3_a_slow_way_to_the_function() {
    let slow = |millis| FrontFault { delay: Duration::from_millis(millis), ..FrontFault::default() };
    for (millis, expected) in [(2_600, "warn"), (3_000, "fail")] {
        let (status, read) = with_fault("E3", slow(millis));
        assert_eq!(status, expected, "{read}");
    }
}

#[test]
fn e3_a_function_that_refuses_the_stored_secret() {
    let (status, read) = with_fault("E3", FrontFault { status: Some(401), ..FrontFault::default() });
    assert_eq!((status.as_str(), read.as_str()), ("fail", "the hook refused the caller's secret"));
}

#[test]
fn e3_another_program_at_the_address() {
    let (status, read) = with_fault("E3", FrontFault { status: Some(200), ..FrontFault::default() });
    assert_eq!(status, "fail", "{read}");
}

#[test]
fn e3_sends_nothing() {
    let world = World::with_hooks();
    check(&world, "E3");
    assert!(world.twilio.change(|account| account.attempts.is_empty()));
    let lines = world.aws.change(|account| account.log_groups[TELEPHONY_LOG].lines.clone());
    let expired = lines.iter().filter(|line| line.contains("otp_failed") && line.contains("code_expired")).count();
    assert_eq!(expired, 5, "{lines:?}");
}

#[test]
fn e3_is_skipped_where_okta_presents_a_token() {
    let world = World::with_hooks();
    world.set_variable("AUTH_MODE", "jwt");
    world.set_variable("JWT_SCOPE", "telephony");
    assert_eq!(check(&world, "E3").0, "skip");
}

#[test]
fn e5_a_clock_that_is_off() {
    let (status, read) = with_fault("E5", FrontFault { clock_ahead: 300, ..FrontFault::default() });
    assert_eq!(status, "fail", "{read}");
}

#[test]
fn nothing_private_is_printed() {
    World::with_hooks().assert_no_leak(&["doctor"], &["+0\"", "okta-twilio-doctor"]);
}
