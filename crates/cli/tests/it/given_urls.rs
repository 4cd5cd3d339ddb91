//! `setup` can be given the URLs at which Okta reaches the functions, and every other command knows them then.

use serde_json::Value;

use crate::{
    setup::{Fresh, SETUP, assert_done, clear},
    world::World,
};

/// The URLs of the stack by another name, as those of a proxy would be.
fn given(world: &World) -> [String; 2] {
    ["TelephonyUrl", "EventsUrl"].map(|output| {
        let url = world.aws.change(|account| account.stack.as_ref().unwrap().outputs[output].clone());
        url.replace("127.0.0.1", "localhost")
    })
}

fn setup_with(world: &World, [telephony, events]: &[String; 2]) -> crate::world::Output {
    world.run(&[&SETUP[..], &["--telephony-url", telephony, "--events-url", events]].concat())
}

/// The URLs that Okta has.
fn urls(world: &World) -> [String; 2] {
    world.okta.change(|org| {
        assert_eq!((org.inline_hooks.len(), org.event_hooks.len()), (1, 1));
        [org.inline_hooks[0].channel.uri.clone(), org.event_hooks[0].channel.uri.clone()]
    })
}

fn changes(world: &World, arguments: &[&str]) -> Vec<Value> {
    let (exit, plan) = world.run_json(arguments);
    assert_eq!(exit, 0, "{plan}");
    plan["lines"].as_array().unwrap().iter().filter(|line| line["action"] != "keep").cloned().collect()
}

#[test]
fn every_command_knows_the_urls_that_setup_was_given() {
    let world = World::with_functions(&[("SECRET_TTL_SECONDS", "1".to_owned())]);
    world.set_variable("SECRET_TTL_SECONDS", "1");
    clear(&world, "the-secret-that-a-deployment-has-made");
    let given = given(&world);
    assert_done(&setup_with(&world, &given));
    assert_eq!(urls(&world), given);

    assert_eq!(changes(&world, &["setup"]), [] as [Value; 0], "the next run needs no option");
    let (exit, report) = world.run_json(&["doctor", "--only", "okta,E1,E2"]);
    assert_eq!((exit, &report["summary"]["warn"]), (0, &0.into()), "{report}");
    assert_done(&world.run(&["rotate", "caller", "--yes"]));
    assert_done(&world.run(&["rotate", "caller", "--finish", "--yes"]));
    assert_eq!(urls(&world), given);

    assert_done(&world.run(&["teardown", "--yes"]));
    assert!(world.okta.change(|org| org.inline_hooks.is_empty() && org.event_hooks.is_empty()));
    assert_done(&world.run(&SETUP));
    let stack = given.map(|url| url.replace("localhost", "127.0.0.1"));
    assert_eq!(urls(&world), stack, "teardown has forgotten them");
}

#[test]
fn the_same_hooks_move_to_another_url_and_back() {
    let fresh = Fresh::start();
    assert_done(&fresh.world.run(&SETUP));
    let (stack, given) = (urls(&fresh.world), given(&fresh.world));
    let tags = fresh.tags();
    assert_done(&setup_with(&fresh.world, &given));
    assert_eq!(urls(&fresh.world), given);
    assert_eq!((fresh.tags().len(), fresh.counts()), (tags.len() + 2, [1, 1, 1, 1]));
    assert_done(&setup_with(&fresh.world, &stack));
    assert_eq!(urls(&fresh.world), stack);
    assert_eq!((fresh.tags(), fresh.counts()), (tags, [1, 1, 1, 1]));
    assert!(fresh.world.okta.change(|org| org.inline_hooks[0].is_active && org.event_hooks[0].is_verified));
}

#[test]
fn nothing_is_changed_if_a_url_does_not_lead_to_a_hook() {
    for output in ["TelephonyUrl", "EventsUrl"] {
        let fresh = Fresh::start();
        fresh.other_hook();
        fresh.world.aws.change(|account| {
            let outputs = &mut account.stack.as_mut().unwrap().outputs;
            outputs.insert(output.to_owned(), "http://127.0.0.1:1/".to_owned());
        });
        let run = fresh.world.run(&SETUP);
        assert!(run.status == 2 && run.stderr.contains("no connection"), "{output}: {}", run.stderr);
        assert_eq!(fresh.counts(), [0, 0, 1, 0]);
        assert!(fresh.world.okta.change(|org| org.inline_hooks[0].is_active));
    }
    // It answers, but it is no hook.
    let fresh = Fresh::start();
    let other = format!("{}/telephony", fresh.world.aws.url());
    let run = fresh.world.run(&[&SETUP[..], &["--telephony-url", &other]].concat());
    assert!(run.status == 2 && run.stderr.contains("where 401 is right"), "{}", run.stderr);
    assert_eq!((fresh.counts(), fresh.tags().len()), ([0; 4], 0));
    // A machine that may not reach the hooks can go on.
    assert_done(&fresh.world.run(&[&SETUP[..], &["--telephony-url", &other, "--no-url-check"]].concat()));
    assert_eq!(urls(&fresh.world)[0], other);
}

#[test]
fn a_url_that_okta_could_not_call_is_refused_at_once() {
    let fresh = Fresh::start();
    for url in ["http://hooks.example.com/telephony", "hooks.example.com", "https://hooks.example.com/?a=b"] {
        let run = fresh.world.run(&[&SETUP[..], &["--telephony-url", url]].concat());
        assert!(run.status == 2 && run.stderr.contains("--telephony-url"), "{}", run.stderr);
    }
    assert_eq!(fresh.counts(), [0; 4]);
}
