//! `doctor` finds each fault of the Okta side.

use sandbox::okta_org::{Channel, EventHook, InlineHook, LogEvent, Org};
use serde_json::json;

use crate::world::{World, check, finds};

fn telephony(org: &mut Org) -> &mut InlineHook {
    &mut org.inline_hooks[0]
}

fn events(org: &mut Org) -> &mut EventHook {
    &mut org.event_hooks[0]
}

/// An event of this moment.
fn event(number: u32, event_type: &str) -> LogEvent {
    let now = okta_twilio::time::clock::Clock::system().now().as_millis() - 60_000;
    let published = okta_twilio::time::clock::Timestamp::from_millis(now / 1_000 * 1_000 + 1).to_rfc3339();
    LogEvent::new(&format!("11111111-6881-11ee-8754-05000000000{number}"), event_type, &published)
}

#[test]
fn o1_another_url() {
    finds("O1", "fail", |world| world.set_event_variable("OKTA_ORG_URL", "https://example-admin.okta.com"));
    finds("O1", "fail", |world| world.set_event_variable("OKTA_API_URL", &world.twilio.url()));
    finds("O1", "fail", |world| world.set_event_variable("OKTA_API_URL", "http://127.0.0.1:1"));
}

#[test]
fn o2_no_hook_or_another_one() {
    finds("O2", "fail", |world| world.okta.change(|org| org.inline_hooks.clear()));
    finds("O2", "fail", |world| world.okta.change(|org| telephony(org).is_active = false));
    finds("O2", "fail", |world| {
        world.okta.change(|org| telephony(org).channel.uri = "https://hooks.example.com/prod/telephony".to_owned());
    });
    finds("O2", "fail", |world| {
        world.okta.change(|org| telephony(org).channel.header = Some("authorization".to_owned()));
    });
    finds("O2", "fail", |world| world.okta.change(|org| telephony(org).channel.header = None));
    finds("O2", "fail", |world| {
        world.set_variable("AUTH_MODE", "jwt");
        world.set_variable("JWT_SCOPE", "okta-twilio");
    });
}

#[test]
fn o2_a_header_is_compared_as_the_function_does() {
    let world = World::healthy();
    world.okta.change(|org| telephony(org).channel.header = Some("Auth-Secret".to_owned()));
    assert_eq!(check(&world, "O2").0, "ok");
}

#[test]
fn o3_another_way_to_send() {
    finds("O3", "fail", |world| {
        world.okta.change(|org| {
            let channel = Channel { uri: "https://other.example.com/otp".to_owned(), ..telephony(org).channel.clone() };
            let other = InlineHook { id: "calsandbox00000other".to_owned(), channel, ..telephony(org).clone() };
            org.inline_hooks.push(other);
        });
    });
    finds("O3", "fail", |world| world.okta.change(|org| org.telephony_providers = Some(vec![false, true])));
    let world = World::healthy();
    world.okta.change(|org| org.telephony_providers = Some(vec![false]));
    assert_eq!(check(&world, "O3").0, "ok", "a provider that is off");
}

#[test]
fn o4_an_event_hook_that_gets_nothing() {
    finds("O4", "fail", |world| world.okta.change(|org| org.event_hooks.clear()));
    finds("O4", "fail", |world| world.okta.change(|org| events(org).is_active = false));
    finds("O4", "fail", |world| world.okta.change(|org| events(org).is_verified = false));
    finds("O4", "fail", |world| world.okta.change(|org| drop(events(org).events.pop())));
    finds("O4", "fail", |world| {
        world.okta.change(|org| events(org).channel.uri = "https://hooks.example.com/telephony".to_owned());
    });
    finds("O4", "fail", |world| world.okta.change(|org| events(org).channel.header = Some("x-key".to_owned())));
}

#[test]
fn o5_a_filter_that_is_never_true() {
    let filter = |expression: &str| vec![("user.authentication.auth_via_mfa".to_owned(), expression.to_owned())];
    finds("O5", "fail", |world| {
        world.okta.change(|org| events(org).filters = filter("event.debugData.factor eq 'SMS_FACTOR'"));
    });
    let world = World::healthy();
    world.okta.change(|org| events(org).filters = filter("event.outcome.result eq 'SUCCESS'"));
    assert_eq!(check(&world, "O5").0, "ok");
}

#[test]
fn o6_a_phone_authenticator_that_is_off() {
    finds("O6", "fail", |world| world.okta.change(|org| org.authenticators.clear()));
    finds("O6", "fail", |world| world.okta.change(|org| org.authenticators[0].is_active = false));
    finds("O6", "fail", |world| {
        world.okta.change(|org| org.authenticators[0].methods = vec![("sms", false), ("voice", false)]);
    });
    finds("O6", "warn", |world| world.okta.change(|org| org.authenticators[0].methods[0].1 = false));
    finds("O6", "warn", |world| world.okta.change(|org| org.authenticators[0].methods[1].1 = false));
}

#[test]
fn o7_a_service_app_without_a_token() {
    finds("O7", "fail", |world| world.okta.change(|org| org.options.public_keys.clear()));
    finds("O7", "fail", |world| world.okta.change(|org| org.options.scope_granted = false));
    finds("O7", "fail", |world| world.okta.change(|org| org.requires_dpop = true));
}

#[test]
fn o8_a_service_app_without_a_role() {
    finds("O8", "fail", |world| {
        world.okta.change(|org| org.denied.insert("okta.users.read"));
    });
    finds("O8", "fail", |world| world.set_okta_secret(&json!({"okta_api_token": "revoked"})));
}

#[test]
fn o9_an_api_token_in_the_secret() {
    finds("O9", "warn", |world| {
        let token = world.okta.change(|org| org.options.api_token.clone());
        world.set_okta_secret(&json!({"okta_api_token": token}));
    });
}

#[test]
fn o10_codes_that_okta_sent_by_itself() {
    let log = |events: Vec<LogEvent>| move |world: &World| world.okta.change(|org| org.log = events);
    let send = || event(1, "system.sms.send_factor_verify_message");
    finds("O10", "warn", log(vec![send().with("isSmsHookFailover", "true")]));
    finds("O10", "warn", log(vec![event(1, "inline_hook.executed")]));
    let world = World::healthy();
    let old = LogEvent { published: "2026-01-15T09:30:00.000Z".to_owned(), ..send().with("isSmsHookFailover", "true") };
    log(vec![old, send().with("isSmsHookFailover", "false")])(&world);
    assert_eq!(check(&world, "O10").0, "ok");
}

#[test]
fn o11_deliveries_that_failed() {
    let delivery = || event(1, "event_hook.delivery");
    finds("O11", "warn", |world| {
        world.okta.change(|org| org.log = vec![LogEvent { result: "FAILURE".to_owned(), ..delivery() }]);
    });
    let world = World::healthy();
    world.okta.change(|org| org.log = vec![delivery()]);
    assert_eq!(check(&world, "O11").0, "ok");
}

#[test]
fn o12_a_rate_limit_that_is_nearly_used() {
    let world = World::healthy();
    let status = || {
        let (_, report) = world.run_json(&["doctor", "--only", "O4,O12"]);
        report["checks"][1]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(), "ok");
    world.okta.change(|org| org.requests_left = 50);
    assert_eq!(status(), "warn");
}

#[test]
fn without_a_token_only_the_org_and_the_secret_are_checked() {
    let mut world = World::healthy();
    world.environment.remove("OKTA_API_TOKEN");
    let (exit, report) = world.run_json(&["doctor", "--only", "okta"]);
    let statuses = |wanted: &str| -> Vec<String> {
        let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == wanted);
        checks.map(|check| check["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((exit, statuses("ok")), (0, ["O1", "O7", "O8", "O9"].map(str::to_owned).into()), "{report}");
    assert_eq!(statuses("skip").len(), 8, "{report}");
    assert!(report["checks"][1]["read"].as_str().unwrap().contains("OKTA_API_TOKEN"), "{report}");
}

#[test]
fn an_api_token_of_the_secret_reads_the_rest_too() {
    let mut world = World::healthy();
    let token = world.environment.remove("OKTA_API_TOKEN").unwrap();
    world.set_okta_secret(&json!({"okta_api_token": token}));
    assert_eq!(check(&world, "O2").0, "ok");
}

#[test]
fn a_token_that_may_not_read_is_no_fault_of_the_set_up() {
    for (id, scope) in [
        ("O2", "okta.inlineHooks.read"),
        ("O4", "okta.eventHooks.read"),
        ("O6", "okta.authenticators.read"),
        ("O10", "okta.logs.read"),
    ] {
        let world = World::healthy();
        world.okta.change(|org| org.denied.insert(scope));
        let (status, report) = check(&world, id);
        assert_eq!(status, "skip", "{report}");
        assert!(report["checks"][0]["read"].as_str().unwrap().contains(scope), "{report}");
    }
}

#[test]
fn doctor_uses_the_printed_scopes_only() {
    let world = World::healthy();
    let (_, printed) = world.run_json(&["permissions", "doctor"]);
    let scopes: Vec<_> = printed["okta"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
    world.okta.change(|org| org.used.clear());
    world.run(&["doctor", "--only", "okta"]);
    let used = world.okta.change(|org| org.used.clone());
    assert!(used.len() > 5, "{used:?}");
    for scope in used {
        let manage = scope.replace(".read", ".manage");
        assert!(scopes.contains(&scope.as_str()) || scopes.contains(&manage.as_str()), "{scope}: {scopes:?}");
    }
}

#[test]
fn no_private_value_of_okta_is_printed() {
    let world = World::healthy();
    world.okta.change(|org| {
        let mut other = telephony(org).clone();
        (other.id, other.channel.uri) = ("calsandbox00000other".to_owned(), "https://private.example.com/".to_owned());
        org.inline_hooks.push(other);
        events(org).is_verified = false;
        events(org).filters = vec![("a".to_owned(), "event.severity eq 'A private text'".to_owned())];
        let send = event(1, "system.sms.send_factor_verify_message").about("00usandbox0onephone0");
        org.log = vec![
            send.with("phoneNumber", "+12025550123").with("isSmsHookFailover", "true"),
            LogEvent { result: "FAILURE".to_owned(), ..event(2, "event_hook.delivery") },
        ];
        org.denied.insert("okta.users.read");
    });
    world
        .assert_no_leak(&["doctor", "--wait", "0"], &["private.example.com", "A private text", "00usandbox0onephone0"]);
}
