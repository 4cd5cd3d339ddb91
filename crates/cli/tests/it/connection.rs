//! Okta's built-in connection to a telephony provider: `setup` switches it off, and it comes back.

use crate::{
    setup::{Fresh, SETUP, assert_done},
    setup_broken_off::{ends_at_each_request, kill},
    world::HOOKS_SECRET_ARN,
};

/// A stack whose org sends by two built-in connections.
fn start() -> Fresh {
    let fresh = Fresh::start();
    fresh.world.okta.change(|org| org.telephony_providers = Some(vec![true, true]));
    fresh
}

fn connections(fresh: &Fresh) -> Vec<bool> {
    fresh.world.okta.change(|org| org.telephony_providers.clone().unwrap())
}

#[test]
fn the_plan_names_it_and_teardown_brings_it_back() {
    let fresh = start();
    let output = fresh.world.run(&["setup", "--brand", "Example", "--plan"]);
    assert!(output.stdout.contains("deactivate   Okta's built-in telephony connection oct"), "{}", output.stdout);
    assert_eq!(connections(&fresh), [true, true]);
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!((connections(&fresh), fresh.counts()), (vec![false, false], [1, 1, 1, 1]));
    let (exit, report) = fresh.world.run_json(&["doctor", "--only", "O2,O3"]);
    assert_eq!(exit, 0, "{report}");
    assert_done(&fresh.world.run(&["teardown", "--yes"]));
    assert_eq!((connections(&fresh), fresh.tags().len()), (vec![true, true], 0));
}

#[test]
fn it_is_on_again_if_the_hook_cannot_be_created() {
    let fresh = start();
    fresh.world.okta.change(|org| org.refused_hooks = 1);
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("connection is on again"), "{}", output.stderr);
    assert_eq!(connections(&fresh), [true, true]);
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!(connections(&fresh), [false, false]);
}

#[test]
fn a_kill_at_any_request_is_continued() {
    let part = ["setup", "--only", "telephony", "--yes"];
    let start = || {
        let fresh = start();
        assert_done(&fresh.world.run(&["setup", "--brand", "Example", "--only", "twilio", "--yes"]));
        fresh
    };
    let requests = ends_at_each_request(start, &part, kill, |fresh, context| {
        assert_done(&fresh.world.run(&part));
        assert_eq!((connections(fresh), fresh.counts()), (vec![false, false], [1, 1, 1, 0]), "{context}");
        assert_done(&fresh.world.run(&["teardown", "--yes"]));
        assert_eq!(connections(fresh), [true, true], "{context}");
    });
    assert!(requests > 12, "{requests}");
}

#[test]
fn teardown_leaves_it_off_while_another_hook_is_active() {
    let fresh = start();
    assert_done(&fresh.world.run(&SETUP));
    // Somebody has given the org another hook meanwhile.
    fresh.world.okta.change(|org| org.inline_hooks[0].is_active = false);
    fresh.other_hook();
    assert_done(&fresh.world.run(&["teardown", "--yes"]));
    assert_eq!((connections(&fresh), fresh.counts(), fresh.tags().len()), (vec![false, false], [0, 0, 1, 0], 0));
}

#[test]
fn one_that_a_kill_left_off_is_named_and_comes_back_if_the_hook_cannot_be_created() {
    let fresh = start();
    fresh.world.okta.change(|org| org.telephony_providers = Some(vec![false]));
    let tag = ("okta-twilio:connection".to_owned(), "octsandbox0000000000".to_owned());
    fresh.world.aws.change(|account| account.tags.insert(HOOKS_SECRET_ARN.to_owned(), [tag].into()));
    let output = fresh.world.run(&["setup", "--brand", "Example", "--plan"]);
    assert!(output.stdout.contains("a run that was broken off has switched off"), "{}", output.stdout);
    fresh.world.okta.change(|org| org.refused_hooks = 1);
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("connection is on again"), "{}", output.stderr);
    assert_eq!(connections(&fresh), [true]);
}
