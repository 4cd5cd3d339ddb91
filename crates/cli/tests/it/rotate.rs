//! `rotate` replaces a secret while Okta's requests arrive, and no request is refused, wherever a run is broken off.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use sandbox::{gate::Gate, okta_org::Channel};
use serde_json::{Value, json};

use crate::world::{HOOKS_SECRET_ARN, KEY, Output, World, hooks_secret};

const BEGIN: [&str; 3] = ["rotate", "caller", "--yes"];
const FINISH: [&str; 4] = ["rotate", "caller", "--finish", "--yes"];

/// Worlds at work at the same time. Most of a rotation is waiting.
const PARALLEL: u32 = 6;

/// The real functions, which read the secret again each second.
fn start() -> World {
    let world = World::with_functions(&[("SECRET_TTL_SECONDS", "1".to_owned())]);
    world.set_variable("SECRET_TTL_SECONDS", "1");
    world
}

pub(crate) fn secret(world: &World) -> Value {
    let text = world.aws.change(|account| account.secrets[HOOKS_SECRET_ARN].clone());
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// The caller's secrets that are accepted.
fn accepted(world: &World) -> Vec<String> {
    match &secret(world)["auth_secret"] {
        Value::Array(list) => list.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    }
}

/// What Okta sends to both hooks.
fn at_okta(world: &World) -> [String; 2] {
    world
        .okta
        .change(|org| [&org.inline_hooks[0].channel, &org.event_hooks[0].channel].map(|channel| channel.secret.clone()))
}

pub(crate) fn assert_done(output: &Output) {
    assert_eq!(output.status, 0, "{}{}", output.stdout, output.stderr);
}

/// Sends one request as Okta does, and returns the status.
pub(crate) fn send(method: &str, channel: &Channel, more: &str, body: &str) -> u16 {
    exchange(method, channel, more, body).split(' ').nth(1).unwrap().parse().unwrap()
}

/// The same, and returns the whole response.
pub(crate) fn exchange(method: &str, channel: &Channel, more: &str, body: &str) -> String {
    let (host, path) = channel.uri.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (header, secret, length) = (channel.header.as_deref().unwrap(), &channel.secret, body.len());
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\n{header}: {secret}\r\ncontent-type: application/json\r\n{more}\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// A code that has expired, so nothing is sent.
fn expired_code() -> String {
    let profile = json!({
        "phoneNumber": "+0", "otpExpires": "2026-01-01T00:00:00.000Z", "deliveryChannel": "SMS", "otpCode": "000000",
    });
    let data =
        json!({"context": {"request": {"url": {"value": "/idp"}}}, "userProfile": {}, "messageProfile": profile});
    json!({"eventId": "event", "eventType": "com.okta.telephony.provider", "requestType": "com.okta.user.telephony.mfa-verification", "data": data})
        .to_string()
}

fn telephony_status(channel: &Channel) -> u16 {
    send("POST", channel, "", &expired_code())
}

fn events_status(channel: &Channel) -> u16 {
    send("GET", channel, "x-okta-verification-challenge: challenge\r\n", "")
}

/// Okta's requests, one after the other. Each has a result in words.
pub(crate) struct Traffic {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<Vec<String>>>,
}

impl Traffic {
    /// Requests to both hooks, with what Okta has at that moment.
    fn start(world: &World) -> Self {
        let okta = Arc::clone(&world.okta);
        let mut is_telephony = false;
        Self::of(move |_number| {
            is_telephony = !is_telephony;
            let [telephony, events] =
                okta.change(|org| [org.inline_hooks[0].channel.clone(), org.event_hooks[0].channel.clone()]);
            if is_telephony { telephony_status(&telephony) } else { events_status(&events) }.to_string()
        })
    }

    /// Requests with the numbers 0, 1 and so on.
    pub(crate) fn of(mut request: impl FnMut(u32) -> String + Send + 'static) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut results = Vec::new();
            while !over.load(Ordering::SeqCst) {
                results.push(request(u32::try_from(results.len()).unwrap()));
                thread::sleep(Duration::from_millis(25));
            }
            results
        });
        Self { is_over, thread: Some(thread) }
    }

    /// Ends the traffic. Each request had the status 200.
    fn assert_accepted(self, context: &str) {
        self.assert_results("200", context);
    }

    /// Ends the traffic. Each request had this result.
    pub(crate) fn assert_results(mut self, expected: &str, context: &str) {
        self.is_over.store(true, Ordering::SeqCst);
        let results = self.thread.take().unwrap().join().unwrap();
        assert!(results.len() > 20, "{} requests: {context}", results.len());
        let others: Vec<_> = results.iter().filter(|result| *result != expected).collect();
        assert!(others.is_empty(), "{} of {}, {others:?}: {context}", others.len(), results.len());
    }
}

/// Does something for numbers from 0 on, in several threads, until it returns false. Returns how often it was true.
pub(crate) fn for_each_number(try_number: impl Fn(u32) -> bool + Sync) -> u32 {
    let mut from = 0;
    loop {
        let results: Vec<bool> = thread::scope(|scope| {
            let threads: Vec<_> = (from..from + PARALLEL)
                .map(|number| {
                    let try_number = &try_number;
                    scope.spawn(move || try_number(number))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        if let Some(end) = results.iter().position(|is_true| !is_true) {
            return from + u32::try_from(end).unwrap();
        }
        from += PARALLEL;
        assert!(from < 200, "a run has fewer requests");
    }
}

#[test]
fn a_rotation_of_the_callers_secret_refuses_no_request() {
    let world = start();
    let old = accepted(&world);
    let traffic = Traffic::start(&world);
    assert_done(&world.run(&BEGIN));
    let both = accepted(&world);
    assert_eq!((both.len(), &both[1]), (2, &old[0]));
    assert!(both[0].len() == 64 && at_okta(&world) == [both[0].clone(), both[0].clone()]);
    assert!(world.okta.change(|org| org.event_hooks[0].is_verified));
    // A second first run continues the rotation.
    assert_done(&world.run(&BEGIN));
    assert_eq!(accepted(&world), both);
    assert_done(&world.run(&FINISH));
    traffic.assert_accepted("a whole rotation");
    assert_eq!((accepted(&world), secret(&world)["twilio_api_key_sid"].as_str()), (both[..1].to_vec(), Some(KEY)));
    // The functions have read it, and know the old one no more.
    thread::sleep(Duration::from_secs(3));
    let mut channel = world.okta.change(|org| org.inline_hooks[0].channel.clone());
    assert_eq!(telephony_status(&channel), 200);
    channel.secret.clone_from(&old[0]);
    assert_eq!(telephony_status(&channel), 401);
    // There is nothing left to finish.
    let (exit, plan) = world.run_json(&FINISH);
    assert_eq!((exit, &plan["applied"], accepted(&world).len()), (0, &json!(false), 1));
}

#[test]
fn nothing_but_the_secret_of_a_hook_is_changed() {
    let world = start();
    world.okta.change(|org| {
        org.features.insert("Event hook filters".to_owned(), true);
        org.event_hooks[0].filters =
            vec![("user.authentication.auth_via_mfa".to_owned(), "event.outcome.result eq 'SUCCESS'".to_owned())];
    });
    let hooks = || {
        world.okta.change(|org| {
            let (mut telephony, mut events) = (org.inline_hooks[0].clone(), org.event_hooks[0].clone());
            telephony.channel.secret.clear();
            events.channel.secret.clear();
            format!("{telephony:?}{events:?}")
        })
    };
    let before = hooks();
    assert_done(&world.run(&BEGIN));
    assert_eq!(hooks(), before);
}

#[test]
fn finish_does_not_need_the_first_run_but_its_time() {
    let world = start();
    let output = world.run(&BEGIN);
    assert_done(&output);
    world.run(&["pause", "NG"]);
    let output = world.run(&FINISH);
    assert!(output.status == 2 && output.stderr.contains("too early"), "{}", output.stderr);
    assert_eq!(accepted(&world).len(), 2);
    let (exit, plan) = world.run_json(&["rotate", "caller", "--finish", "--plan"]);
    assert_eq!((exit, &plan["lines"][0]["action"]), (0, &json!("wait")), "{plan}");
}

/// Two secrets that somebody has stored by hand. Okta still has the older one.
fn with_two_secrets() -> World {
    let world = start();
    let old = accepted(&world).remove(0);
    let mut value = hooks_secret();
    value["auth_secret"] = json!(["a-new-secret-by-somebody", old]);
    world.aws.change(|account| {
        account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(value.to_string()));
        account.secret_age_days = 1;
    });
    // Nobody calls the functions meanwhile, so the next request makes them read the secret.
    thread::sleep(Duration::from_secs(3));
    world
}

#[test]
fn a_first_run_is_continued_after_a_refusal_at_each_request_to_okta() {
    let requests = for_each_number(|number| {
        let world = start();
        let traffic = Traffic::start(&world);
        world.okta.change(|org| org.refuses_after = Some(number));
        let output = world.run(&BEGIN);
        world.okta.change(|org| org.refuses_after = None);
        if output.status == 0 {
            return false;
        }
        let context = format!("refused at {number}: {}", output.stderr);
        let before = accepted(&world);
        assert_done(&world.run(&BEGIN));
        let both = accepted(&world);
        assert!(both.len() == 2 && (before.len() == 1 || before == both), "{context}");
        assert_eq!(at_okta(&world), [both[0].clone(), both[0].clone()], "{context}");
        traffic.assert_accepted(&context);
        true
    });
    assert!(requests >= 8, "{requests}");
}

#[test]
fn a_second_run_is_continued_after_a_refusal_at_each_request_to_okta() {
    let requests = for_each_number(|number| {
        let world = with_two_secrets();
        let traffic = Traffic::start(&world);
        world.okta.change(|org| org.refuses_after = Some(number));
        let output = world.run(&FINISH);
        world.okta.change(|org| org.refuses_after = None);
        if output.status == 0 {
            return false;
        }
        let context = format!("refused at {number}: {}", output.stderr);
        assert_eq!(accepted(&world).len(), 2, "{context}");
        assert_done(&world.run(&FINISH));
        assert_eq!(accepted(&world), ["a-new-secret-by-somebody"], "{context}");
        traffic.assert_accepted(&context);
        true
    });
    assert!(requests >= 8, "{requests}");
}

fn set_gate(world: &World, gate: Option<&Gate>) {
    world.aws.change(|account| account.gate = gate.cloned());
    world.twilio.change(|account| account.gate = gate.cloned());
    world.okta.change(|org| org.gate = gate.cloned());
}

/// Waits until the gate holds a request. False if the program ended before.
pub(crate) fn is_held(child: &mut Child, gate: &Gate) -> bool {
    loop {
        if gate.is_holding() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a run after so many requests, the functions' own included. False if it has fewer.
pub(crate) fn kill_at(world: &World, arguments: &[&str], number: u32) -> bool {
    let gate = Gate::after(number);
    set_gate(world, Some(&gate));
    let mut child = world.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is_held = is_held(&mut child, &gate);
    let _ = child.kill();
    let _ = child.wait();
    gate.open();
    set_gate(world, None);
    is_held
}

#[test]
fn a_first_run_is_continued_after_a_kill_at_each_request() {
    let requests = for_each_number(|number| {
        let world = start();
        let traffic = Traffic::start(&world);
        if !kill_at(&world, &BEGIN, number) {
            return false;
        }
        let context = format!("killed at {number}");
        let before = accepted(&world);
        assert_done(&world.run(&BEGIN));
        let both = accepted(&world);
        assert!(both.len() == 2 && (before.len() == 1 || before == both), "{context}");
        assert_eq!(at_okta(&world), [both[0].clone(), both[0].clone()], "{context}");
        traffic.assert_accepted(&context);
        true
    });
    assert!(requests >= 15, "{requests}");
}

#[test]
fn a_second_run_is_continued_after_a_kill_at_each_request() {
    let requests = for_each_number(|number| {
        let world = with_two_secrets();
        let traffic = Traffic::start(&world);
        if !kill_at(&world, &FINISH, number) {
            return false;
        }
        let context = format!("killed at {number}");
        assert_done(&world.run(&FINISH));
        assert_eq!(accepted(&world), ["a-new-secret-by-somebody"], "{context}");
        traffic.assert_accepted(&context);
        true
    });
    assert!(requests >= 15, "{requests}");
}

#[test]
fn a_write_that_fails_or_whose_response_is_lost_is_harmless() {
    for action in ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"] {
        let world = start();
        let traffic = Traffic::start(&world);
        world.aws.change(|account| account.denied.insert(action));
        let output = world.run(&BEGIN);
        assert!(output.status == 2 && output.stderr.contains(action), "{}", output.stderr);
        world.aws.change(|account| account.denied.clear());
        assert_eq!(accepted(&world).len(), 1);
        world.aws.change(|account| account.lost = Some(action));
        assert_done(&world.run(&BEGIN));
        assert_eq!(accepted(&world).len(), 2);
        traffic.assert_accepted(action);
    }
}

#[test]
fn another_writer_wins() {
    let world = start();
    let mut other = hooks_secret();
    other["paused"] = json!(true);
    world.aws.change(|account| account.other_writer = Some(other.to_string()));
    let output = world.run(&BEGIN);
    assert!(output.status == 2 && output.stderr.contains("somebody else"), "{}", output.stderr);
    assert_eq!(secret(&world), other);
}

#[test]
fn nothing_is_changed_for_a_plan_or_without_a_yes_and_nothing_private_is_printed() {
    for what in ["caller", "twilio-key"] {
        let world = start();
        let before = (secret(&world), at_okta(&world));
        world.assert_no_leak(&["rotate", what, "--plan"], &[]);
        let output = world.run(&["rotate", what]);
        assert!(output.status == 2 && output.stderr.contains("--yes"), "{}", output.stderr);
        assert_eq!((secret(&world), at_okta(&world)), before);
        let output = world.run(&["rotate", what, "--yes"]);
        assert_done(&output);
        let after = secret(&world);
        for private in [&after["auth_secret"][0], &after["twilio_api_key_secret"]] {
            let is_found = private.as_str().is_some_and(|text| (output.stdout.clone() + &output.stderr).contains(text));
            assert!(!is_found, "{}{}", output.stdout, output.stderr);
        }
    }
}

#[test]
fn it_uses_the_printed_permissions_only() {
    let world = start();
    let (_, printed) = world.run_json(&["permissions", "rotate"]);
    for arguments in [&BEGIN[..], &["rotate", "twilio-key", "--yes"]] {
        assert_done(&world.run(arguments));
        thread::sleep(Duration::from_secs(5));
        assert_done(&world.run(&[arguments, &["--finish"]].concat()));
    }
    let permitted = |list: &Value, used: Vec<String>| {
        let list: Vec<_> = list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        for name in used {
            assert!(list.contains(&name.as_str()), "{name}: {printed}");
        }
    };
    permitted(&printed["aws"]["Statement"][0]["Action"], world.aws.change(|account| account.used.clone()));
    // The proof of a key is that key's own request.
    let used = world.twilio.change(|account| account.used.clone());
    let used = used.into_iter().filter(|permission| permission != "/twilio/verify/verification/update").collect();
    permitted(&printed["twilio"]["allow"], used);
    let used = world.okta.change(|org| org.used.iter().map(|scope| scope.replace(".read", ".manage")).collect());
    permitted(&printed["okta"], used);
}

#[test]
fn ctrl_c_leaves_no_hook_unverified() {
    let kill = |child: &Child| {
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    };
    let world = start();
    let traffic = Traffic::start(&world);
    // The sixth request to Okta gives the secret to the event hook.
    let gate = Gate::after(5);
    world.okta.change(|org| org.gate = Some(gate.clone()));
    let mut child = world.command(&BEGIN).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(is_held(&mut child, &gate));
    assert!(!world.okta.change(|org| org.event_hooks[0].is_verified), "the secret has just changed");
    kill(&child);
    gate.open();
    child.wait().unwrap();
    assert!(world.okta.change(|org| org.event_hooks[0].is_verified));
    traffic.assert_accepted("interrupted");
}

#[test]
fn a_log_without_the_line_of_the_proof_is_named_before_anything_is_changed() {
    let world = World::healthy();
    world.set_variable("LOG_LEVEL", "error");
    let before = secret(&world);
    let output = world.run(&BEGIN);
    assert!(output.status == 2 && output.stderr.contains("LOG_LEVEL=warn"), "{}", output.stderr);
    assert_eq!(secret(&world), before);
}
