//! `rotate` replaces the key of Twilio and that of the service app, and no message and no user is lost meanwhile.

use std::{process::Stdio, sync::Arc, thread, time::Duration};

use sandbox::{
    Options, Sandbox,
    deployment::TelephonyRequest,
    gate::Gate,
    twilio_account::{RestrictedKeys, VerifyApi},
};
use serde_json::{Value, json};

use crate::{
    rotate::{Traffic, assert_done, exchange, for_each_number, is_held, kill_at, secret, send},
    world::{EVENT_LOG, HOOKS_SECRET_ARN, KEY, OKTA_SECRET_ARN, World},
};

const KEY_BEGIN: [&str; 3] = ["rotate", "twilio-key", "--yes"];
const KEY_FINISH: [&str; 4] = ["rotate", "twilio-key", "--finish", "--yes"];

/// A world without functions: none of them has to be asked.
fn quiet() -> World {
    let world = World::healthy();
    world.set_variable("SECRET_TTL_SECONDS", "1");
    world.aws.change(|account| account.secret_age_days = 1);
    world
}

/// The sids of the keys that exist.
fn keys(world: &World) -> Vec<String> {
    world.twilio.change(|account| account.keys.keys().cloned().collect())
}

/// The key in the hooks secret, which has to exist with this secret.
fn key_in_use(world: &World) -> String {
    let secret = secret(world);
    let sid = secret["twilio_api_key_sid"].as_str().unwrap().to_owned();
    world.twilio.change(|account| assert_eq!(account.keys[&sid].secret, secret["twilio_api_key_secret"]));
    sid
}

/// The functions have read the secret again.
fn pass_time(world: &World) {
    world.aws.change(|account| account.changed.clear());
}

#[test]
fn a_rotation_of_twilios_key_leaves_the_new_key_only() {
    let world = quiet();
    let tag = ("okta-twilio:twilio-key".to_owned(), KEY.to_owned());
    world.aws.change(|account| account.tags.insert(HOOKS_SECRET_ARN.to_owned(), [tag].into()));
    assert_done(&world.run(&KEY_BEGIN));
    let new = key_in_use(&world);
    assert!(new != KEY && keys(&world) == [KEY, new.as_str()]);
    // A second first run continues the rotation.
    let (exit, plan) = world.run_json(&KEY_BEGIN);
    assert_eq!((exit, &plan["applied"], keys(&world).len()), (0, &json!(false), 2));
    let output = world.run(&KEY_FINISH);
    assert!(output.status == 2 && output.stderr.contains("too early"), "{}", output.stderr);
    pass_time(&world);
    assert_done(&world.run(&KEY_FINISH));
    assert_eq!((keys(&world), key_in_use(&world)), (vec![new.clone()], new.clone()));
    let tags = world.aws.change(|account| account.tags[HOOKS_SECRET_ARN].clone());
    assert_eq!(tags["okta-twilio:twilio-key"], new, "teardown finds the new key");
    let (exit, plan) = world.run_json(&KEY_FINISH);
    assert_eq!((exit, &plan["applied"], keys(&world)), (0, &json!(false), vec![new.clone()]));
    // The next rotation starts from the new key.
    assert_done(&world.run(&KEY_BEGIN));
    assert_ne!(key_in_use(&world), new);
}

#[test]
fn a_key_that_is_not_restricted_is_named() {
    let world = quiet();
    world.twilio.change(|account| account.restricted_keys = RestrictedKeys::Refused);
    let (exit, plan) = world.run_json(&KEY_BEGIN);
    assert_eq!(exit, 0, "{plan}");
    assert!(plan["warnings"][0].as_str().unwrap().contains("restricted key"), "{plan}");
}

#[test]
fn an_auth_token_is_replaced_by_a_key_and_left_alone_at_twilio() {
    let world = quiet();
    let mut value = secret(&world);
    let fields = value.as_object_mut().unwrap();
    fields.retain(|name, _| !name.starts_with("twilio_api_key"));
    fields.insert("twilio_account_sid".to_owned(), world.environment["TWILIO_ACCOUNT_SID"].clone().into());
    fields.insert("twilio_auth_token".to_owned(), world.environment["TWILIO_AUTH_TOKEN"].clone().into());
    world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(value.to_string())));
    assert_done(&world.run(&KEY_BEGIN));
    let new = key_in_use(&world);
    pass_time(&world);
    let output = world.run(&KEY_FINISH);
    assert_done(&output);
    assert!(output.stdout.contains("still valid"), "{}", output.stdout);
    let secret = secret(&world);
    assert!(secret.get("twilio_auth_token").is_none() && secret.get("twilio_account_sid").is_none());
    assert_eq!(keys(&world), [KEY, new.as_str()], "a key that this stack does not use stays");
}

#[test]
fn a_rotation_of_twilios_key_is_continued_after_a_refusal_or_a_kill_at_each_request() {
    let check = |world: &World, context: &str| {
        key_in_use(world);
        assert_done(&world.run(&KEY_BEGIN));
        assert_eq!(keys(world).len(), 2, "nothing is left over: {context}");
        pass_time(world);
        for arguments in [&KEY_FINISH, &KEY_FINISH] {
            assert_done(&world.run(arguments));
            assert_eq!(keys(world), [key_in_use(world)], "{context}");
        }
    };
    let refusals = for_each_number(|number| {
        let world = quiet();
        world.twilio.change(|account| account.refuses_after = Some(number));
        let output = world.run(&KEY_BEGIN);
        world.twilio.change(|account| account.refuses_after = None);
        check(&world, &format!("refused at {number}: {}", output.stderr));
        output.status != 0
    });
    assert!(refusals >= 4, "{refusals}");
}

/// The real functions, which read the secrets again each second. Event-hook reads users in Okta.
fn busy() -> World {
    let world = World::healthy();
    world.set_okta_secret(&json!({}));
    assert_done(&world.run(&["setup", "--only", "service-app", "--yes"]));
    let variables = [
        ("SECRET_TTL_SECONDS", "1".to_owned()),
        ("SENDS_TABLE", String::new()),
        ("PHONE_SOURCE", "profile".to_owned()),
        ("OKTA_ORG_URL", "https://example.okta.com".to_owned()),
        ("OKTA_API_URL", world.okta.url()),
        ("OKTA_SECRET_ID", OKTA_SECRET_ARN.to_owned()),
    ];
    let world = world.with_processes(&variables);
    world.set_variable("SECRET_TTL_SECONDS", "1");
    world.aws.change(|account| account.secret_age_days = 1);
    world
}

/// Codes for one number after the other.
fn codes(world: &World) -> Traffic {
    let channel = world.okta.change(|org| org.inline_hooks[0].channel.clone());
    Traffic::of(move |number| {
        let request = TelephonyRequest::sms(&format!("+1202466{number:04}"), "483920");
        let request = request.with("/eventId", format!("event-{number}"));
        let response = exchange("POST", &channel, "", &request.body().to_string());
        if response.contains("SUCCESSFUL") { "sent".to_owned() } else { response }
    })
}

#[test]
fn a_rotation_of_twilios_key_loses_no_message_wherever_it_is_killed() {
    let start = || {
        let (world, sandbox) = (busy(), Sandbox::start(Options::default()));
        let verify = VerifyApi::new(&sandbox.http_url(), &Options::default());
        world.twilio.change(|account| account.verify = Some(verify));
        (world, sandbox)
    };
    let finish = |world: &World, context: &str| {
        thread::sleep(Duration::from_secs(5));
        assert_done(&world.run(&KEY_FINISH));
        assert_eq!(keys(world), [key_in_use(world)], "{context}");
    };
    let kills = for_each_number(|number| {
        let (world, _sandbox) = start();
        let (traffic, context) = (codes(&world), format!("killed at {number}"));
        if !kill_at(&world, &KEY_BEGIN, number) {
            return false;
        }
        key_in_use(&world);
        assert_done(&world.run(&KEY_BEGIN));
        assert_eq!(keys(&world).len(), 2, "nothing is left over: {context}");
        finish(&world, &context);
        traffic.assert_results("sent", &context);
        true
    });
    assert!(kills >= 12, "{kills}");
    let kills = for_each_number(|number| {
        let (world, _sandbox) = start();
        let (traffic, context) = (codes(&world), format!("killed at {number} of the second run"));
        assert_done(&world.run(&KEY_BEGIN));
        thread::sleep(Duration::from_secs(5));
        let is_killed = kill_at(&world, &KEY_FINISH, number);
        finish(&world, &context);
        traffic.assert_results("sent", &context);
        is_killed
    });
    assert!(kills >= 10, "{kills}");
}

#[test]
fn a_key_that_another_run_has_stored_meanwhile_is_not_deleted() {
    let world = quiet();
    world.aws.change(|account| account.denied.insert("secretsmanager:PutSecretValue"));
    assert_eq!(world.run(&KEY_BEGIN).status, 2);
    world.aws.change(|account| account.denied.clear());
    let other = keys(&world).into_iter().find(|key| key != KEY).unwrap();
    // The second request to Twilio lists the keys. Then the other run stores the one that nobody seems to use.
    let gate = Gate::after(1);
    world.twilio.change(|account| account.gate = Some(gate.clone()));
    let mut child = world.command(&KEY_FINISH).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(is_held(&mut child, &gate));
    let mut value = secret(&world);
    value["twilio_api_key_sid"] = json!(other);
    value["twilio_api_key_secret"] = world.twilio.change(|account| account.keys[&other].secret.clone()).into();
    world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(value.to_string())));
    gate.open();
    assert!(child.wait().unwrap().success());
    assert_eq!((key_in_use(&world), keys(&world).len()), (other, 2));
}

/// Events of users whom event-hook looks up. The result is the reason in its log.
fn events(world: &World) -> Traffic {
    let channel = world.okta.change(|org| org.event_hooks[0].channel.clone());
    let aws = Arc::clone(&world.aws);
    Traffic::of(move |number| {
        let user = format!("00uuser{number:013}");
        let body = include_str!("../../../../events/event-sms-identity-engine.json");
        let recorded: Value = serde_json::from_str(body).unwrap();
        let body = recorded["body"].as_str().unwrap().replace("00uyxxSknGtK8022w0g3", &user);
        let body = body.replace("8268476c-d39b-4e0d-8250-32db6e53b943", &format!("event-{number}"));
        assert_eq!(send("POST", &channel, "", &body), 200);
        let lines = aws.change(|account| account.log_groups[EVENT_LOG].lines.clone());
        let lines = lines.iter().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.into_iter().find(|line| line["reason"].is_string());
        line.map_or_else(String::new, |line| line["reason"].as_str().unwrap().to_owned())
    })
}

#[test]
fn a_rotation_of_the_service_apps_key_loses_no_user_wherever_it_is_killed() {
    const BEGIN: [&str; 3] = ["rotate", "okta-key", "--yes"];
    const FINISH: [&str; 4] = ["rotate", "okta-key", "--finish", "--yes"];
    let kills = for_each_number(|number| {
        let world = busy();
        let (traffic, context) = (events(&world), format!("killed at {number}"));
        if !kill_at(&world, &BEGIN, number) {
            return false;
        }
        assert_done(&world.run(&BEGIN));
        thread::sleep(Duration::from_secs(5));
        let _ = kill_at(&world, &FINISH, number);
        assert_done(&world.run(&FINISH));
        thread::sleep(Duration::from_secs(3));
        assert_eq!(world.okta.change(|org| org.apps[0].keys.len()), 1, "{context}");
        traffic.assert_results("user_not_found", &context);
        true
    });
    assert!(kills >= 8, "{kills}");
}
