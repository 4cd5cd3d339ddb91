//! `setup` can be given the URLs at which Okta reaches the functions, and every other command knows them then.

use serde_json::Value;

use sandbox::okta_org::{Channel, EventHook};

use crate::{
    setup::{Fresh, SETUP, assert_done, clear},
    setup_broken_off::{ends_at_each_request, kill},
    world::{HOOKS_SECRET_ARN, World, check},
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
    assert!(run.status == 2 && run.stderr.contains("a hook answers 401"), "{}", run.stderr);
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
        assert!(run.status == 2 && run.stderr.contains("URL of telephony-hook"), "{}", run.stderr);
    }
    let with_password = "https://user:private-password@hooks.example.com/telephony";
    let run = fresh.world.run(&[&SETUP[..], &["--events-url", with_password]].concat());
    assert!(run.status == 2 && run.stderr.contains("no user"), "{}", run.stderr);
    assert!(!run.stderr.contains("private-password") && !run.stdout.contains("private-password"), "{}", run.stderr);
    assert_eq!(fresh.counts(), [0; 4]);
}

fn setup_is_broken_off_and_moved(arguments: &[&str], start: impl Fn() -> Fresh) {
    let requests = ends_at_each_request(start, arguments, kill, |fresh, context| {
        let given = given(&fresh.world);
        assert_done(&setup_with(&fresh.world, &given));
        assert_eq!((urls(&fresh.world), fresh.counts()), (given, [1, 1, 1, 1]), "{context}");
        assert_done(&fresh.world.run(&["teardown", "--yes"]));
        assert_eq!((fresh.counts(), fresh.tags().len()), ([0; 4], 0), "{context}");
    });
    assert!(requests > 15, "{requests}");
}

#[test]
fn a_hook_of_a_run_that_was_killed_moves_to_the_given_url() {
    setup_is_broken_off_and_moved(&SETUP, Fresh::start);
}

#[test]
fn a_move_that_was_killed_is_continued_and_torn_down() {
    let start = || {
        let fresh = Fresh::start();
        assert_done(&fresh.world.run(&SETUP));
        fresh
    };
    for number in 0..100 {
        let (fresh, gate) = (start(), sandbox::gate::Gate::after(number));
        let [telephony, events] = given(&fresh.world);
        fresh.world.aws.change(|account| account.gate = Some(gate.clone()));
        fresh.world.okta.change(|org| org.gate = Some(gate.clone()));
        let arguments = [&SETUP[..], &["--telephony-url", &telephony, "--events-url", &events]].concat();
        let mut child = fresh.world.command(&arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
        let is_held = crate::rotate::is_held(&mut child, &gate);
        let _ = child.kill();
        let _ = child.wait();
        gate.open();
        fresh.world.aws.change(|account| account.gate = None);
        fresh.world.okta.change(|org| org.gate = None);
        if !is_held {
            assert!(number > 10, "{number}");
            return;
        }
        assert_done(&fresh.world.run(&["teardown", "--yes"]));
        assert_eq!((fresh.counts(), fresh.tags().len()), ([0; 4], 0), "killed at {number}");
    }
    panic!("a run has fewer requests");
}

#[test]
fn a_move_that_okta_refuses_is_named_by_doctor_and_continued() {
    let fresh = Fresh::start();
    assert_done(&fresh.world.run(&SETUP));
    let (given, stack) = (given(&fresh.world), urls(&fresh.world));
    fresh.world.okta.change(|org| org.denied.insert("okta.inlineHooks.manage"));
    assert_eq!(setup_with(&fresh.world, &given).status, 2);
    assert_eq!(urls(&fresh.world), stack);
    fresh.world.okta.change(|org| org.denied.clear());
    let (status, report) = check(&fresh.world, "O2");
    assert_eq!(status, "warn", "{report}");
    let lines = changes(&fresh.world, &["setup", "--plan"]);
    let names_it = |line: &Value| line["what"].as_str().unwrap().contains(&given[0]);
    assert!(lines.iter().any(names_it), "{lines:?}");
    assert_done(&fresh.world.run(&["setup", "--yes"]));
    assert_eq!(urls(&fresh.world), given);
}

fn hand_made(uri: &str) -> EventHook {
    EventHook {
        id: "whosandbox00000hand0".to_owned(),
        name: "Name of a hook".to_owned(),
        is_active: true,
        is_verified: true,
        events: ["user.authentication.auth_via_mfa", "user.mfa.factor.activate"].map(str::to_owned).into(),
        filters: vec![],
        channel: Channel { uri: uri.to_owned(), header: Some("auth_secret".to_owned()), secret: String::new() },
    }
}

#[test]
fn a_hook_of_somebody_else_at_the_given_url_does_not_become_ours() {
    let fresh = Fresh::start();
    let given = given(&fresh.world);
    // A run was killed after it had announced a hook at another URL.
    let tag = ("okta-twilio:event-hook".to_owned(), "creating name-85944171f73967e8".to_owned());
    fresh.world.aws.change(|account| account.tags.insert(HOOKS_SECRET_ARN.to_owned(), [tag].into()));
    fresh.world.okta.change(|org| org.event_hooks.push(hand_made(&given[1])));
    assert_done(&setup_with(&fresh.world, &given));
    assert_done(&fresh.world.run(&["teardown", "--yes"]));
    assert!(fresh.world.okta.change(|org| org.event_hooks.len() == 1 && org.event_hooks[0].id.ends_with("hand0")));
}

#[test]
fn a_second_active_event_hook_is_reported() {
    let fresh = Fresh::start();
    assert_done(&fresh.world.run(&SETUP));
    let url = urls(&fresh.world)[1].clone();
    fresh.world.okta.change(|org| org.event_hooks.insert(0, hand_made(&url)));
    let (_, plan) = fresh.world.run_json(&["setup"]);
    let lines = plan["lines"].as_array().unwrap();
    assert!(lines.iter().all(|line| line["action"] == "keep"), "{plan}");
    assert!(lines.iter().any(|line| line["what"].as_str().unwrap().contains("whosandbox00000hand0")), "{plan}");
}

#[test]
fn urls_that_cannot_be_meant_are_refused() {
    let fresh = Fresh::start();
    let [telephony, events] = given(&fresh.world);
    for (arguments, named) in [
        (&["--only", "twilio", "--telephony-url", &telephony][..], "--only"),
        (&["--telephony-url", &events.replace("localhost", "127.0.0.1")], "the other hook"),
        (&["--telephony-url", &telephony, "--events-url", &telephony], "the other hook"),
    ] {
        let run = fresh.world.run(&[&SETUP[..], arguments].concat());
        assert!(run.status == 2 && run.stderr.contains(named), "{arguments:?}: {}", run.stderr);
    }
    assert_eq!((fresh.counts(), fresh.tags().len()), ([0; 4], 0));
}
