//! `teardown` removes what `setup` has made, and leaves everything of others.

use sandbox::{
    okta_org::{Channel, EventHook},
    twilio_account::{Key, Power, Service},
};
use serde_json::json;

use crate::{
    setup::{Fresh, SETUP, assert_done},
    setup_broken_off::{ends_at_each_request, kill, signal, start},
    world::{HOOKS_SECRET_ARN, SERVICE, hooks_secret},
};

const TEARDOWN: [&str; 2] = ["teardown", "--yes"];
const OTHER_KEY: &str = "SK00000000000000000000000000000007";

/// A stack next to things of others, with names like those of setup.
fn among_others() -> Fresh {
    let fresh = start();
    fresh.world.twilio.change(|account| {
        let service = Service { friendly_name: "Another".to_owned(), ..Service::default() };
        account.services.insert(SERVICE.to_owned(), service);
        let friendly_name = "okta-twilio okta-twilio".to_owned();
        let key = Key { secret: "another-secret".into(), friendly_name, power: Power::Standard };
        account.keys.insert(OTHER_KEY.to_owned(), key);
    });
    fresh.world.okta.change(|org| {
        org.event_hooks.push(EventHook {
            id: "whosandbox00000other".to_owned(),
            name: "Twilio Verify feedback".to_owned(),
            is_active: true,
            is_verified: true,
            events: vec!["user.lifecycle.create".to_owned()],
            filters: vec![],
            channel: Channel { uri: "https://other.example.com/".into(), header: None, secret: String::new() },
        });
    });
    fresh.world.aws.change(|account| {
        let tags = account.tags.entry(HOOKS_SECRET_ARN.to_owned()).or_default();
        tags.insert("okta-twilio".to_owned(), "identity".to_owned());
    });
    fresh
}

fn set_up() -> Fresh {
    let fresh = among_others();
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!(fresh.counts(), [2, 2, 2, 2]);
    fresh
}

/// Everything is as it was before setup.
fn assert_as_before(fresh: &Fresh, context: &str) {
    assert_eq!(fresh.counts(), [1, 1, 1, 1], "{context}");
    fresh.world.twilio.change(|account| {
        assert!(account.services.contains_key(SERVICE) && account.keys.contains_key(OTHER_KEY), "{context}");
    });
    fresh.world.okta.change(|org| {
        assert!(org.inline_hooks[0].id == "calsandbox00000other" && org.inline_hooks[0].is_active, "{context}");
        assert!(org.event_hooks[0].id == "whosandbox00000other" && org.event_hooks[0].is_active, "{context}");
    });
    let secret = json!({"auth_secret": hooks_secret()["auth_secret"], "note": "of somebody else"});
    assert_eq!(fresh.secret(), secret, "{context}");
    assert_eq!(fresh.tags(), [("okta-twilio".to_owned(), "identity".to_owned())].into(), "{context}");
}

fn assert_removes(fresh: &Fresh, context: &str) {
    let output = fresh.world.run(&TEARDOWN);
    assert_eq!(output.status, 0, "{context}{}{}", output.stdout, output.stderr);
    assert_as_before(fresh, context);
}

#[test]
fn it_removes_what_setup_has_made_and_nothing_of_others() {
    let fresh = set_up();
    assert_removes(&fresh, "");
    let (exit, plan) = fresh.world.run_json(&["teardown"]);
    let next = "Nothing that setup has made is left.";
    assert_eq!((exit, &plan), (0, &json!({"applied": false, "lines": [], "next": next})));
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!(fresh.counts(), [2, 2, 2, 2], "setup works again");
}

#[test]
fn its_plan_names_everything_and_changes_nothing() {
    let fresh = set_up();
    let (secret, tags) = (fresh.secret(), fresh.tags());
    let (exit, plan) = fresh.world.run_json(&["teardown", "--plan"]);
    let lines: Vec<_> = plan["lines"].as_array().unwrap().iter().map(|line| (&line["action"], &line["step"])).collect();
    let expected = [
        ("delete", "telephony_hook"),
        ("activate", "other_telephony_hook"),
        ("delete", "event_hook"),
        ("change", "secret_fields"),
        ("delete", "key"),
        ("delete", "verify_service"),
        ("delete", "memory"),
    ];
    let expected: Vec<_> = expected.iter().map(|(action, step)| (json!(action), json!(step))).collect();
    assert_eq!((exit, lines), (0, expected.iter().map(|(action, step)| (action, step)).collect()), "{plan}");
    assert!(plan["lines"][5]["what"].as_str().unwrap().contains("statistics"), "{plan}");
    let output = fresh.world.run(&["teardown"]);
    assert!(output.status == 2 && output.stderr.contains("--yes"), "{}", output.stderr);
    assert_eq!((fresh.counts(), fresh.secret(), fresh.tags()), ([2, 2, 2, 2], secret, tags));
}

#[test]
fn without_setup_there_is_nothing_to_remove() {
    let fresh = among_others();
    let output = fresh.world.run(&TEARDOWN);
    assert_done(&output);
    assert!(output.stdout.contains("Nothing"), "{}", output.stdout);
    assert_as_before(&fresh, "");
}

#[test]
fn what_setup_has_adopted_or_found_stays() {
    let fresh = among_others();
    let secret = json!({
        "auth_secret": hooks_secret()["auth_secret"],
        "twilio_api_key_sid": OTHER_KEY,
        "twilio_api_key_secret": "another-secret",
    });
    fresh.world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(secret.to_string())));
    assert_done(&fresh.world.run(&["setup", "--adopt", SERVICE, "--yes"]));
    let secret = fresh.secret();
    let output = fresh.world.run(&TEARDOWN);
    assert_done(&output);
    assert!(output.stdout.contains("which setup did not create"), "{}", output.stdout);
    assert_eq!((fresh.counts(), fresh.secret()), ([1, 1, 1, 1], secret));
    assert_eq!(fresh.tags().len(), 1);
}

#[test]
fn the_hook_that_was_active_before_stays_inactive_on_request() {
    let fresh = set_up();
    assert_done(&fresh.world.run(&["teardown", "--no-reactivate", "--yes"]));
    assert!(fresh.world.okta.change(|org| org.inline_hooks.len() == 1 && !org.inline_hooks[0].is_active));
}

#[test]
fn a_third_hook_that_is_active_now_stays_active() {
    let fresh = set_up();
    fresh.world.okta.change(|org| {
        org.inline_hooks[1].is_active = false;
        let third = org.inline_hooks[0].clone();
        let id = "calsandbox00000third".to_owned();
        org.inline_hooks.push(sandbox::okta_org::InlineHook { id, is_active: true, ..third });
    });
    assert_done(&fresh.world.run(&TEARDOWN));
    let active = fresh.world.okta.change(|org| org.inline_hooks.iter().map(|hook| hook.is_active).collect::<Vec<_>>());
    assert_eq!(active, [false, true]);
}

#[test]
fn the_keys_of_a_rotation_that_is_not_finished_go_too() {
    let fresh = set_up();
    let old = fresh.secret()["twilio_api_key_sid"].clone();
    let (name, sid) = (format!("okta-twilio AbCdEf replaces {}", old.as_str().unwrap()), format!("SK{:032}", 8));
    fresh.world.twilio.change(|account| {
        let power = account.keys[old.as_str().unwrap()].power.clone();
        account.keys.insert(sid.clone(), Key { secret: "new-secret".into(), friendly_name: name, power });
    });
    let mut secret = fresh.secret();
    (secret["twilio_api_key_sid"], secret["twilio_api_key_secret"]) = (json!(sid), json!("new-secret"));
    fresh.world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(secret.to_string())));
    assert_removes(&fresh, "");
}

#[test]
fn it_uses_the_printed_permissions_only() {
    let fresh = set_up();
    let (_, printed) = fresh.world.run_json(&["permissions", "teardown"]);
    fresh.world.aws.change(|account| account.used.clear());
    fresh.world.twilio.change(|account| account.used.clear());
    assert_done(&fresh.world.run(&TEARDOWN));
    let permitted = |list: &serde_json::Value, used: Vec<String>| {
        assert!(!used.is_empty());
        for name in used {
            assert!(list.as_array().unwrap().contains(&json!(name)), "{name}: {printed}");
        }
    };
    permitted(&printed["aws"]["Statement"][0]["Action"], fresh.world.aws.change(|account| account.used.clone()));
    permitted(&printed["twilio"]["allow"], fresh.world.twilio.change(|account| account.used.clone()));
}

#[test]
fn it_is_continued_after_a_kill_or_a_signal_at_any_request() {
    let requests = ends_at_each_request(set_up, &TEARDOWN, kill, assert_removes);
    assert!(requests > 15, "{requests}");
    let requests = ends_at_each_request(set_up, &TEARDOWN, signal("TERM"), assert_removes);
    assert!(requests > 15, "{requests}");
}

#[test]
fn it_removes_what_a_killed_setup_has_left() {
    let requests = ends_at_each_request(among_others, &SETUP, kill, assert_removes);
    assert!(requests > 30, "{requests}");
}

#[test]
fn a_service_that_was_adopted_stays_whatever_a_tag_announces() {
    let fresh = Fresh::start();
    // A first run was refused, and a person has made the service by hand.
    fresh.world.twilio.change(|account| account.refuses_after = Some(1));
    assert_eq!(fresh.world.run(&SETUP).status, 2);
    fresh.world.twilio.change(|account| account.refuses_after = None);
    let service = Service { friendly_name: "Example".to_owned(), ..Service::default() };
    fresh.world.twilio.change(|account| account.services.insert(SERVICE.to_owned(), service));
    assert_done(&fresh.world.run(&["setup", "--adopt", SERVICE, "--yes"]));
    assert_done(&fresh.world.run(&["teardown", "--yes"]));
    assert_eq!(fresh.counts(), [1, 0, 0, 0]);
}

#[test]
fn what_is_not_in_this_org_is_named_before_its_tag_goes() {
    let fresh = Fresh::start();
    assert_done(&fresh.world.run(&SETUP));
    let hook = fresh.world.okta.change(|org| org.inline_hooks.remove(0).id);
    let output = fresh.world.run(&["teardown", "--plan"]);
    assert!(output.stdout.contains(&format!("keep         {hook}, which is not there")), "{}", output.stdout);
    let (counts, tags) = (fresh.counts(), fresh.tags());
    let output = fresh.world.run(&TEARDOWN);
    assert!(output.status == 2 && output.stderr.contains("--forget-missing"), "{}", output.stderr);
    assert_eq!((fresh.counts(), fresh.tags()), (counts, tags), "in another org, nothing of the right account goes");
    assert_done(&fresh.world.run(&["teardown", "--forget-missing", "--yes"]));
    assert_eq!((fresh.counts(), fresh.tags().len()), ([0; 4], 0));
}
