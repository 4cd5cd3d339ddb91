//! The questions that `doctor`, `setup` and `teardown` ask at a terminal.

use std::process::Command;

use serde_json::json;

use crate::{
    setup::Fresh,
    world::{Output, World},
};

/// Runs a program in a terminal, and answers each question when it appears.
const TERMINAL: &str = r#"
import json, os, pty, sys, termios, time

answers = json.loads(sys.argv[1])
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown = b""
unseen = b""
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    unseen += piece
    if answers and answers[0][0].encode() in unseen:
        unseen = b""
        # The question is written before the terminal is ready for its answer.
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            time.sleep(0.01)
        os.write(terminal, answers.pop(0)[1].encode() + b"\r")
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

/// Runs the program in a terminal. What it shows there is in `stdout`.
fn run(world: &World, arguments: &[&str], answers: &[(&str, &str)]) -> Output {
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, &json!(answers).to_string(), env!("CARGO_BIN_EXE_okta-twilio")]).args(arguments);
    let path = okta_twilio::config::environment("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).envs(world.aws.variables()).envs(&world.environment);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn doctor_asks_for_the_api_token_and_does_not_show_it() {
    let mut world = World::healthy();
    let token = world.environment.remove("OKTA_API_TOKEN").unwrap();
    let output = run(&world, &["doctor", "--only", "O2"], &[("API token", &token)]);
    assert_eq!(output.status, 0, "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("ok   O2"), "{}", output.stdout);
    assert!(!output.stdout.contains(&token), "{}", output.stdout);
    let output = run(&world, &["doctor", "--only", "O2"], &[("API token", "")]);
    assert!(output.status == 0 && output.stdout.contains("skip O2"), "{}", output.stdout);
}

#[test]
fn doctor_does_not_ask_for_what_it_does_not_need() {
    let mut world = World::healthy();
    world.environment.remove("OKTA_API_TOKEN");
    let output = run(&world, &["doctor", "--only", "aws,twilio,O1,O7"], &[]);
    assert!(output.status == 0 && !output.stdout.contains("API token of"), "{}", output.stdout);
}

#[test]
fn setup_changes_nothing_before_a_yes() {
    let mut fresh = Fresh::start();
    let arguments = ["setup", "--brand", "Example"];
    for no in ["n", ""] {
        let output = run(&fresh.world, &arguments, &[("Apply this plan?", no)]);
        assert!(output.status == 1 && output.stdout.contains("create"), "{}", output.stdout);
        assert_eq!(fresh.counts(), [0; 4]);
    }
    let token = fresh.world.environment.remove("OKTA_API_TOKEN").unwrap();
    let kept = [&arguments[..], &["--keep-token", "--only", "twilio,telephony"]].concat();
    let output = run(&fresh.world, &kept, &[("API token", &token), ("Apply this plan?", "y")]);
    assert_eq!((output.status, fresh.counts()), (0, [1, 1, 1, 0]), "{}", output.stdout);
    let output = run(&fresh.world, &arguments, &[("API token", &token), ("Apply this plan?", "y")]);
    assert_eq!((output.status, fresh.counts()), (0, [1, 1, 1, 1]), "{}", output.stdout);
    assert!(!output.stdout.contains(&token), "{}", output.stdout);
    assert!(output.stdout.contains("the API token of this run"), "{}", output.stdout);
    assert_ne!(
        fresh.world.okta.change(|org| org.options.api_token.clone()),
        token,
        "a token that was typed is revoked"
    );
}

#[test]
fn setup_asks_for_what_it_cannot_know() {
    let mut fresh = Fresh::start();
    let mut take = |name| fresh.world.environment.remove(name).unwrap();
    let (okta, account, twilio) = (take("OKTA_API_TOKEN"), take("TWILIO_ACCOUNT_SID"), take("TWILIO_AUTH_TOKEN"));
    let answers = [
        ("SID of the Twilio account", account.as_str()),
        ("Auth token of the Twilio account", &twilio),
        ("API token", &okta),
        ("Brand", "Example"),
        ("Apply this plan?", "y"),
    ];
    let output = run(&fresh.world, &["setup"], &answers);
    assert_eq!((output.status, fresh.counts()), (0, [1, 1, 1, 1]), "{}", output.stdout);
    assert!(!output.stdout.contains(&okta) && !output.stdout.contains(&twilio), "{}", output.stdout);
}

#[test]
fn teardown_removes_nothing_before_a_yes() {
    let fresh = Fresh::start();
    assert_eq!(fresh.world.run(&["setup", "--brand", "Example", "--yes"]).status, 0);
    for no in ["n", ""] {
        let output = run(&fresh.world, &["teardown"], &[("Remove all this?", no)]);
        assert!(output.status == 1 && output.stdout.contains("delete"), "{}", output.stdout);
        assert_eq!(fresh.counts(), [1; 4]);
    }
    let output = run(&fresh.world, &["teardown"], &[("Remove all this?", "y")]);
    assert_eq!((output.status, fresh.counts()), (0, [0; 4]), "{}", output.stdout);
}
