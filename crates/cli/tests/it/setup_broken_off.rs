//! `setup` ends at each of its requests: by Ctrl-C, by a request of the system, and by a kill that no program can handle.
//! The next run finishes, and nothing is there twice.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use sandbox::gate::Gate;

use crate::{
    setup::{Fresh, SETUP, assert_done},
    world::{HOOKS_SECRET_ARN, Output, hooks_secret},
};

/// A stack with an active telephony hook of somebody else.
pub(crate) fn start() -> Fresh {
    let fresh = Fresh::start();
    fresh.other_hook();
    fresh.world.set_variable("VERIFY_RATE_LIMITS", "okta_user=user_id");
    fresh
}

fn set_gate(fresh: &Fresh, gate: Option<&Gate>) {
    fresh.world.aws.change(|account| account.gate = gate.cloned());
    fresh.world.twilio.change(|account| account.gate = gate.cloned());
    fresh.world.okta.change(|org| org.gate = gate.cloned());
}

/// Which telephony hooks are active: that of somebody else, and ours.
fn active(fresh: &Fresh) -> Vec<bool> {
    fresh.world.okta.change(|org| org.inline_hooks.iter().map(|hook| hook.is_active).collect())
}

/// Waits until the gate holds a request. False if the program ended before.
fn is_held(child: &mut Child, gate: &Gate) -> bool {
    loop {
        if gate.is_holding() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn assert_no_secret(fresh: &Fresh, text: &str) {
    let secret = fresh.secret();
    let key = secret["twilio_api_key_secret"].as_str().map(str::to_owned);
    let caller = hooks_secret()["auth_secret"].as_str().unwrap().to_owned();
    let variables = ["OKTA_API_TOKEN", "TWILIO_AUTH_TOKEN"].map(|name| fresh.world.environment[name].clone());
    for private in variables.into_iter().chain([caller]).chain(key) {
        assert!(!text.contains(&private), "{text}");
    }
}

/// The state of a whole run, whatever was broken off before.
fn assert_complete(fresh: &Fresh, context: &str) {
    assert_eq!((fresh.counts(), active(fresh)), ([1, 1, 2, 1], vec![false, true]), "{context}");
    let (tags, secret) = (fresh.tags(), fresh.secret());
    let [other, telephony] = [0, 1].map(|place| fresh.world.okta.change(|org| org.inline_hooks[place].id.clone()));
    let (events, is_verified) =
        fresh.world.okta.change(|org| (org.event_hooks[0].id.clone(), org.event_hooks[0].is_verified));
    let expected = [
        ("okta-twilio:event-hook", events),
        ("okta-twilio:inline-hook", telephony),
        ("okta-twilio:previous-hook", other),
        ("okta-twilio:twilio-key", secret["twilio_api_key_sid"].as_str().unwrap().to_owned()),
        ("okta-twilio:verify-service", secret["verify_service_sid"].as_str().unwrap().to_owned()),
    ];
    assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value)).into(), "{context}");
    assert!(is_verified, "{context}");
    let limits = fresh.world.twilio.change(|account| {
        let service = account.services.values().next().unwrap();
        service.rate_limits.iter().map(|limit| limit.buckets.len()).collect::<Vec<_>>()
    });
    assert_eq!(limits, [1], "{context}");
}

/// Ends a run at each of its requests, after the request was carried out, and lets a test go on from there. Returns how
/// many requests a whole run has.
pub(crate) fn ends_at_each_request(
    start: impl Fn() -> Fresh,
    arguments: &[&str],
    end: impl Fn(&mut Child, &Gate),
    then: impl Fn(&Fresh, &str),
) -> u32 {
    for number in 0..200 {
        let (fresh, gate) = (start(), Gate::after(number));
        set_gate(&fresh, Some(&gate));
        let mut command = fresh.world.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if !is_held(&mut child, &gate) {
            assert!(child.wait().unwrap().success());
            return number;
        }
        end(&mut child, &gate);
        let output = child.wait_with_output().unwrap();
        gate.open();
        set_gate(&fresh, None);
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert_no_secret(&fresh, &printed);
        then(&fresh, &format!("ended at request {number}: {printed}"));
    }
    panic!("a run has fewer requests");
}

/// No program can handle this.
pub(crate) fn kill(child: &mut Child, _gate: &Gate) {
    child.kill().unwrap();
}

/// Sends a signal while the response to a request is on its way.
pub(crate) fn signal(name: &str) -> impl Fn(&mut Child, &Gate) {
    move |child, gate| {
        assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
        // The program handles the signal before the response comes, or it has ended.
        std::thread::sleep(Duration::from_millis(20));
        gate.open();
    }
}

/// Another run of setup finishes, and a third one changes nothing.
fn assert_continues(fresh: &Fresh, context: &str) {
    let output = fresh.world.run(&SETUP);
    assert_eq!(output.status, 0, "{context}{}{}", output.stdout, output.stderr);
    assert_complete(fresh, context);
    let output = fresh.world.run(&["setup", "--json"]);
    assert_done(&output);
    assert!(!output.stdout.contains("create") && !output.stdout.contains("change"), "{}", output.stdout);
}

#[test]
fn a_kill_at_any_request_leaves_nothing_that_the_next_run_does_not_find() {
    let requests = ends_at_each_request(start, &SETUP, kill, assert_continues);
    assert!(requests > 30, "{requests}");
}

#[test]
fn a_signal_at_any_request_leaves_the_org_with_an_active_hook() {
    for name in ["INT", "TERM"] {
        let requests = ends_at_each_request(start, &SETUP, signal(name), |fresh, context| {
            assert!(active(fresh).contains(&true), "{context}");
            assert_continues(fresh, context);
        });
        assert!(requests > 30, "{requests}");
    }
}

/// As a kill leaves it right after the hook of somebody else was deactivated.
fn without_active_hook() -> Fresh {
    let fresh = start();
    let id = fresh.world.okta.change(|org| {
        org.inline_hooks[0].is_active = false;
        org.inline_hooks[0].id.clone()
    });
    fresh.world.aws.change(|account| {
        let tags = account.tags.entry(HOOKS_SECRET_ARN.to_owned()).or_default();
        tags.insert("okta-twilio:deactivated-hook".to_owned(), id);
    });
    fresh
}

#[test]
fn a_plan_says_that_no_telephony_hook_is_active() {
    let fresh = without_active_hook();
    let output = fresh.world.run(&["setup", "--brand", "Example", "--plan"]);
    assert!(output.stdout.contains("Okta uses no telephony hook now"), "{}", output.stdout);
    assert_continues(&fresh, "");
}

#[test]
fn the_hook_of_somebody_else_comes_back_in_the_next_run() {
    let fresh = without_active_hook();
    fresh.world.okta.change(|org| org.refused_hooks = 1);
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("active again"), "{}", output.stderr);
    assert_eq!(active(&fresh), [true]);
    assert!(!fresh.tags().contains_key("okta-twilio:deactivated-hook"), "{:?}", fresh.tags());
    assert_continues(&fresh, "");
}

#[test]
fn a_hook_whose_response_was_lost_is_used() {
    for fresh in [start(), without_active_hook()] {
        fresh.world.okta.change(|org| org.lost_hooks = 1);
        assert_continues(&fresh, "");
    }
    let fresh = Fresh::start();
    fresh.world.okta.change(|org| org.lost_hooks = 1);
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!((fresh.counts(), fresh.tags().len()), ([1, 1, 1, 1], 4));
}

#[test]
fn a_hook_that_cannot_come_back_is_named_with_the_command_that_brings_it_back() {
    let scope = "okta.inlineHooks.manage";
    // The other hook goes, and then the role is lost.
    let loses_role_after = |requests| {
        let fresh = start();
        fresh.world.okta.change(|org| org.refuses_after = Some(requests));
        let output = fresh.world.run(&SETUP);
        (fresh, output)
    };
    let is_gone = |(fresh, output): &(Fresh, Output)| output.status == 2 && active(fresh) == [false];
    let (fresh, output) = (0..30).map(loses_role_after).find(is_gone).expect("a run without an active hook");
    assert!(output.stderr.contains("/api/v1/inlineHooks/calsandbox00000other/lifecycle/activate"), "{}", output.stderr);
    assert!(output.stderr.contains(scope), "{}", output.stderr);
    fresh.world.okta.change(|org| org.refuses_after = None);
    assert_continues(&fresh, "");
}
