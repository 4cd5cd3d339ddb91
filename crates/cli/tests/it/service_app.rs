//! `setup` makes the service app with which event-hook reads users, only where it does, and `teardown` removes it.

use std::process::Stdio;

use sandbox::{
    gate::Gate,
    okta_org::{Named, Org},
};
use serde_json::{Value, json};

use crate::{
    rotate::is_held,
    setup::{Fresh, SETUP, assert_done},
    setup_broken_off::{ends_at_each_request, kill},
    world::OKTA_SECRET_ARN,
};

/// A deployed stack whose Okta secret has no credentials.
fn fresh() -> Fresh {
    let fresh = Fresh::start();
    fresh.world.set_okta_secret(&json!({"note": "of somebody else"}));
    fresh
}

fn okta_secret(fresh: &Fresh) -> Value {
    let text = fresh.world.aws.change(|account| account.secrets[OKTA_SECRET_ARN].clone());
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// The numbers of apps, keys, scopes, assigned roles, custom roles and resource sets.
fn counts(org: &Org) -> [usize; 6] {
    let sum = |count: fn(&sandbox::okta_org::ServiceApp) -> usize| org.apps.iter().map(count).sum();
    let (keys, scopes, roles) = (sum(|app| app.keys.len()), sum(|app| app.scopes.len()), sum(|app| app.roles.len()));
    [org.apps.len(), keys, scopes, roles, org.roles.len(), org.resource_sets.len()]
}

/// One app, whose only key is in the secret, with its scope and its role. Event-hook can use it.
fn assert_whole(fresh: &Fresh, when: &str) {
    let secret = okta_secret(fresh);
    assert_eq!(secret["note"], "of somebody else", "{when}");
    fresh.world.okta.change(|org| {
        assert_eq!(counts(org), [1; 6], "{when}");
        assert_eq!(secret["okta_client_id"], *org.apps[0].id, "{when}");
        assert_eq!(org.apps[0].keys[0].jwk["kid"], secret["okta_key_id"], "{when}");
    });
    let (exit, report) = fresh.world.run_json(&["doctor", "--only", "O7,O8,O9"]);
    assert_eq!((exit, &report["summary"]["warn"]), (0, &0.into()), "{when}: {report}");
}

#[test]
fn event_hook_can_read_users_with_it() {
    let fresh = fresh();
    let output = fresh.world.run(&SETUP);
    assert_done(&output);
    assert_whole(&fresh, "after a first run");
    let private = okta_secret(&fresh)["okta_private_key"].as_str().unwrap().to_owned();
    for line in private.lines().filter(|line| !line.starts_with('-')) {
        assert!(!output.stdout.contains(line) && !output.stderr.contains(line));
    }
    let (before, plan) = (okta_secret(&fresh), fresh.world.run_json(&["setup"]).1);
    assert!(plan["lines"].as_array().unwrap().iter().all(|line| line["action"] == "keep"), "{plan}");
    assert_eq!(okta_secret(&fresh), before, "a second run changes nothing");
    assert_done(&fresh.world.run(&["teardown", "--yes"]));
    assert_eq!(okta_secret(&fresh), json!({"note": "of somebody else"}));
    fresh.world.okta.change(|org| assert_eq!(counts(org), [0; 6]));
    assert_eq!(fresh.tags().len(), 0);
}

#[test]
fn a_secret_without_a_value_gets_its_first() {
    let fresh = Fresh::start();
    fresh.world.aws.change(|account| account.secrets.insert(OKTA_SECRET_ARN.to_owned(), None));
    assert_done(&fresh.world.run(&SETUP));
    assert!(okta_secret(&fresh)["okta_private_key"].is_string());
}

#[test]
fn there_is_none_where_okta_is_no_source() {
    let fresh = fresh();
    fresh.world.set_event_variable("PHONE_SOURCE", "none");
    assert_done(&fresh.world.run(&SETUP));
    fresh.world.okta.change(|org| assert_eq!(counts(org), [0; 6]));
    assert_eq!(okta_secret(&fresh), json!({"note": "of somebody else"}));
}

#[test]
fn credentials_of_somebody_else_stay() {
    let fresh = Fresh::start();
    let before = okta_secret(&fresh);
    assert_done(&fresh.world.run(&SETUP));
    fresh.world.okta.change(|org| assert_eq!(counts(org), [0; 6]));
    assert_done(&fresh.world.run(&["teardown", "--yes"]));
    assert_eq!(okta_secret(&fresh), before);
}

#[test]
fn an_unreadable_secret_is_left_as_it_is() {
    let fresh = Fresh::start();
    fresh.world.aws.change(|account| account.secrets.insert(OKTA_SECRET_ARN.to_owned(), Some("a text".to_owned())));
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("Okta secret is not a JSON object"), "{}", output.stderr);
    assert_eq!(fresh.counts(), [0; 4]);
}

#[test]
fn only_its_part_can_be_set_up() {
    let fresh = fresh();
    assert_done(&fresh.world.run(&SETUP));
    assert_done(&fresh.world.run(&["teardown", "--yes"]));
    assert_done(&fresh.world.run(&["setup", "--brand", "Example", "--only", "twilio", "--yes"]));
    assert_done(&fresh.world.run(&["setup", "--only", "service-app", "--yes"]));
    fresh.world.okta.change(|org| assert_eq!((counts(org), org.inline_hooks.len()), ([1; 6], 0)));
}

#[test]
fn a_missing_right_is_named_and_the_next_run_continues() {
    for scope in ["okta.apps.manage", "okta.appGrants.manage", "okta.roles.manage"] {
        let fresh = fresh();
        fresh.world.okta.change(|org| org.denied.insert(scope));
        let output = fresh.world.run(&SETUP);
        assert!(output.status == 2 && output.stderr.contains(scope), "{}", output.stderr);
        fresh.world.okta.change(|org| org.denied.clear());
        assert_done(&fresh.world.run(&SETUP));
        assert_whole(&fresh, scope);
    }
}

#[test]
fn it_continues_after_a_failure_at_any_request_to_okta() {
    for number in 0..100 {
        let fresh = fresh();
        assert_done(&fresh.world.run(&["setup", "--brand", "Example", "--only", "twilio", "--yes"]));
        fresh.world.okta.change(|org| org.refuses_after = Some(number));
        let output = fresh.world.run(&["setup", "--only", "service-app", "--yes"]);
        fresh.world.okta.change(|org| org.refuses_after = None);
        if output.status == 0 {
            assert!(number > 8, "{number}");
            return;
        }
        assert_done(&fresh.world.run(&["setup", "--only", "service-app", "--yes"]));
        assert_whole(&fresh, &format!("after request {number}"));
    }
    panic!("a run has fewer requests");
}

#[test]
fn a_key_that_could_not_be_stored_is_replaced() {
    let fresh = fresh();
    assert_done(&fresh.world.run(&["setup", "--brand", "Example", "--only", "twilio", "--yes"]));
    fresh.world.aws.change(|account| account.denied.insert("secretsmanager:PutSecretValue"));
    let output = fresh.world.run(&["setup", "--only", "service-app", "--yes"]);
    assert!(output.status == 2 && output.stderr.contains("PutSecretValue"), "{}", output.stderr);
    fresh.world.aws.change(|account| account.denied.clear());
    assert_done(&fresh.world.run(&["setup", "--only", "service-app", "--yes"]));
    assert_whole(&fresh, "after a write that was refused");
}

#[test]
fn a_new_event_hook_has_a_filter_where_the_org_has_filters() {
    for (is_on, filters) in [(true, 2), (false, 0)] {
        let fresh = fresh();
        fresh.world.okta.change(|org| org.features.insert("Event Hook Filtering".to_owned(), is_on));
        assert_done(&fresh.world.run(&SETUP));
        fresh.world.okta.change(|org| {
            assert_eq!(org.event_hooks[0].filters.len(), filters);
            let is_success = |(_, expression): &(String, String)| expression == "event.outcome.result eq 'SUCCESS'";
            assert!(org.event_hooks[0].filters.iter().all(is_success) && org.event_hooks[0].is_verified);
        });
        let (exit, report) = fresh.world.run_json(&["doctor", "--only", "okta"]);
        assert_eq!(exit, 0, "{report}");
    }
}

#[test]
fn the_api_token_is_revoked_on_request_and_only_after_success() {
    let mut fresh = fresh();
    let token = fresh.world.environment["OKTA_API_TOKEN"].clone();
    let is_valid = |fresh: &Fresh| fresh.world.okta.change(|org| org.options.api_token == token);
    fresh.world.okta.change(|org| org.denied.insert("okta.eventHooks.manage"));
    let revoke = [&SETUP[..], &["--revoke-token"]].concat();
    assert_eq!(fresh.world.run(&revoke).status, 2);
    assert!(is_valid(&fresh), "a run that fails keeps the token");
    fresh.world.okta.change(|org| org.denied.clear());
    assert_done(&fresh.world.run(&revoke));
    assert!(!is_valid(&fresh));
    let output = fresh.world.run(&["setup", "--plan"]);
    assert!(output.status == 2 && output.stderr.contains("refused the API token"), "{}", output.stderr);
    let token = fresh.world.okta.change(|org| org.options.api_token.clone());
    fresh.world.environment.insert("OKTA_API_TOKEN", token.clone());
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!(fresh.world.okta.change(|org| org.options.api_token.clone()), token, "one of the environment stays");
}

const ROTATE: [&str; 3] = ["rotate", "okta-key", "--yes"];
const FINISH: [&str; 4] = ["rotate", "okta-key", "--finish", "--yes"];

/// A stack with a service app, whose functions read secrets again each second.
fn with_app() -> Fresh {
    let fresh = fresh();
    fresh.world.set_variable("SECRET_TTL_SECONDS", "1");
    assert_done(&fresh.world.run(&["setup", "--brand", "Example", "--only", "twilio,service-app", "--yes"]));
    fresh
}

fn keys(fresh: &Fresh) -> usize {
    fresh.world.okta.change(|org| org.apps[0].keys.len())
}

#[test]
fn its_key_is_rotated_in_two_runs() {
    let fresh = with_app();
    let before = okta_secret(&fresh);
    assert_done(&fresh.world.run(&ROTATE));
    let after = okta_secret(&fresh);
    assert!(keys(&fresh) == 2 && after["okta_key_id"] != before["okta_key_id"]);
    let output = fresh.world.run(&FINISH);
    assert!(output.status == 2 && output.stderr.contains("too early"), "{}", output.stderr);
    // Neither a further first run nor setup disturbs a rotation.
    assert_done(&fresh.world.run(&ROTATE));
    assert_done(&fresh.world.run(&["setup", "--only", "service-app", "--yes"]));
    assert_eq!((keys(&fresh), okta_secret(&fresh)), (2, after));
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_done(&fresh.world.run(&FINISH));
    assert_whole(&fresh, "after a rotation");
    let (exit, plan) = fresh.world.run_json(&FINISH);
    assert_eq!((exit, &plan["applied"]), (0, &json!(false)), "nothing is left to finish");
    assert_done(&fresh.world.run(&ROTATE));
    assert_eq!(keys(&fresh), 2, "a second rotation");
    fresh.world.assert_no_leak(&["rotate", "okta-key", "--plan"], &[]);
}

#[test]
fn a_rotation_of_its_key_continues_after_a_failure_at_any_request() {
    for number in 0..100 {
        let fresh = with_app();
        fresh.world.okta.change(|org| org.refuses_after = Some(number));
        let output = fresh.world.run(&ROTATE);
        fresh.world.okta.change(|org| org.refuses_after = None);
        if output.status == 0 {
            assert!(number > 3, "{number}");
            return;
        }
        let (exit, report) = fresh.world.run_json(&["doctor", "--only", "O7,O8"]);
        assert_eq!(exit, 0, "after request {number}: {report}");
        assert_done(&fresh.world.run(&ROTATE));
        assert_eq!(keys(&fresh), 2, "after request {number}");
    }
    panic!("a run has fewer requests");
}

#[test]
fn a_key_of_a_rotation_that_could_not_be_stored_is_deleted() {
    let fresh = with_app();
    fresh.world.aws.change(|account| account.denied.insert("secretsmanager:PutSecretValue"));
    assert_eq!(fresh.world.run(&ROTATE).status, 2);
    fresh.world.aws.change(|account| account.denied.clear());
    assert_eq!(keys(&fresh), 2);
    assert_done(&fresh.world.run(&ROTATE));
    let kid = okta_secret(&fresh)["okta_key_id"].clone();
    fresh.world.okta.change(|org| {
        assert!(org.apps[0].keys.len() == 2 && org.apps[0].keys.iter().any(|key| key.jwk["kid"] == kid));
    });
}

#[test]
fn a_key_that_another_run_has_stored_meanwhile_is_not_deleted() {
    let fresh = with_app();
    fresh.world.aws.change(|account| account.denied.insert("secretsmanager:PutSecretValue"));
    assert_eq!(fresh.world.run(&ROTATE).status, 2);
    fresh.world.aws.change(|account| account.denied.clear());
    fresh.world.aws.change(|account| account.secret_age_days = 1);
    let mut secret = okta_secret(&fresh);
    let kids = || fresh.world.okta.change(|org| org.apps[0].keys.iter().map(|key| key.jwk["kid"].clone()).collect());
    let other = |kids: Vec<Value>| kids.into_iter().find(|kid| *kid != secret["okta_key_id"]).unwrap();
    let other = other(kids());
    // The second request to Okta lists the keys. Then the other run stores the one that nobody seems to use.
    let gate = Gate::after(1);
    fresh.world.okta.change(|org| org.gate = Some(gate.clone()));
    let mut command = fresh.world.command(&FINISH);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(is_held(&mut child, &gate));
    secret["okta_key_id"] = other.clone();
    fresh.world.set_okta_secret(&secret);
    gate.open();
    assert!(child.wait().unwrap().success());
    let kids: Vec<Value> = kids();
    assert!(kids.len() == 2 && kids.contains(&other), "{kids:?}");
}

#[test]
fn a_kill_at_any_request_leaves_nothing_that_the_next_run_does_not_find() {
    let start = || {
        let fresh = fresh();
        assert_done(&fresh.world.run(&["setup", "--brand", "Example", "--only", "twilio", "--yes"]));
        fresh
    };
    let again = ["setup", "--only", "service-app", "--yes"];
    let requests = ends_at_each_request(start, &again, kill, |fresh, context| {
        assert_done(&fresh.world.run(&again));
        assert_whole(fresh, context);
        assert_done(&fresh.world.run(&["teardown", "--yes"]));
        fresh.world.okta.change(|org| assert_eq!(counts(org), [0; 6], "{context}"));
    });
    assert!(requests > 20, "{requests}");
}

#[test]
fn a_kill_at_any_request_of_a_rotation_loses_no_key() {
    let requests = ends_at_each_request(with_app, &ROTATE, kill, |fresh, context| {
        let (exit, report) = fresh.world.run_json(&["doctor", "--only", "O7,O8"]);
        assert_eq!(exit, 0, "{context}: {report}");
        assert_done(&fresh.world.run(&ROTATE));
        assert_eq!(keys(fresh), 2, "{context}");
    });
    assert!(requests > 8, "{requests}");
}

#[test]
fn an_app_that_stopped_working_is_named() {
    let fresh = fresh();
    assert_done(&fresh.world.run(&SETUP));
    fresh.world.okta.change(|org| org.requires_dpop = true);
    let output = fresh.world.run(&["setup"]);
    assert!(output.status == 2 && output.stderr.contains("cannot read users yet"), "{}", output.stderr);
}

#[test]
fn the_role_of_another_stack_with_the_same_name_is_not_touched() {
    let fresh = fresh();
    let other = |id: &str| Named { id: id.to_owned(), label: "okta-twilio okta-twilio ZzYyXx".to_owned() };
    fresh.world.okta.change(|org| {
        org.roles.push(other("cr0other"));
        org.resource_sets.push(other("iamother"));
    });
    assert_done(&fresh.world.run(&SETUP));
    fresh.world.okta.change(|org| assert_eq!(counts(org), [1, 1, 1, 1, 2, 2]));
    assert_done(&fresh.world.run(&["teardown", "--yes"]));
    fresh.world.okta.change(|org| {
        assert_eq!((org.roles[0].id.as_str(), org.resource_sets[0].id.as_str()), ("cr0other", "iamother"));
        assert_eq!(counts(org), [0, 0, 0, 0, 1, 1]);
    });
}

#[test]
fn a_role_that_cannot_be_read_again_is_not_forgotten() {
    for number in 0..100 {
        let fresh = fresh();
        assert_done(&fresh.world.run(&SETUP));
        fresh.world.okta.change(|org| {
            org.apps[0].roles.clear();
            org.refuses_after = Some(number);
        });
        let status = fresh.world.run(&["setup", "--yes"]).status;
        fresh.world.okta.change(|org| org.refuses_after = None);
        assert_done(&fresh.world.run(&["teardown", "--yes"]));
        fresh.world.okta.change(|org| assert_eq!(counts(org), [0; 6], "refused at {number}"));
        if status == 0 {
            assert!(number > 5, "{number}");
            return;
        }
    }
    panic!("a run has fewer requests");
}

#[test]
fn an_app_that_was_deleted_by_hand_is_made_again() {
    let fresh = fresh();
    assert_done(&fresh.world.run(&SETUP));
    fresh.world.okta.change(|org| org.apps.clear());
    assert_done(&fresh.world.run(&["setup", "--yes"]));
    assert_whole(&fresh, "after the app was deleted");
}
