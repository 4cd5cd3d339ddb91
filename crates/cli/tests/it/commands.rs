//! `pause`, `resume`, `redrive`, `permissions`, `completions` and `man`.

use std::{collections::BTreeSet, process::Command, time::Duration};

use sandbox::AwsEmulator;
use serde_json::{Value, json};

use crate::world::{HOOKS_SECRET_ARN, World, hooks_secret};

/// The hooks secret as it is now.
fn secret(world: &World) -> Value {
    let text = world.aws.change(|account| account.secrets[HOOKS_SECRET_ARN].clone().unwrap());
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_pause_changes_one_field_and_ends() {
    let world = World::healthy();
    let (exit, result) = world.run_json(&["pause", "NG", "call"]);
    assert_eq!((exit, result), (0, json!({"paused": ["NG", "call"]})));
    let mut expected = hooks_secret();
    expected["paused"] = json!(["NG", "call"]);
    assert_eq!(secret(&world), expected);
    assert_eq!(world.run_json(&["pause", "sms", "ng"]).1, json!({"paused": ["NG", "call", "sms"]}));
    assert_eq!(world.run_json(&["resume", "call"]).1, json!({"paused": ["NG", "sms"]}));
    assert_eq!(world.run_json(&["pause", "all"]).1, json!({"paused": true}));
    let partial = world.run(&["resume", "NG"]);
    assert_eq!(partial.status, 2);
    assert!(partial.stderr.contains("`okta-twilio resume` resumes everything"), "{}", partial.stderr);
    let output = world.run(&["resume"]);
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (0, "Nothing is paused. The functions notice within twice SECRET_TTL_SECONDS.\n")
    );
    assert_eq!(secret(&world), hooks_secret());
    assert_eq!(world.aws.change(|account| account.staged_versions()), 0, "no label is left behind");
    for wrong in [&["pause"][..], &["pause", "email"], &["pause", "XX"]] {
        assert_eq!(world.run(wrong).status, 2, "{wrong:?}");
    }
}

#[test]
fn a_pause_does_not_overwrite_another_writer() {
    let world = World::healthy();
    let mut other = hooks_secret();
    other["auth_secret"] = "a-caller-secret-that-was-rotated".into();
    world.aws.change(|account| account.other_writer = Some(other.to_string()));
    let output = world.run(&["pause", "all"]);
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("somebody else changed the secret"), "{}", output.stderr);
    assert_eq!(secret(&world), other);
    assert_eq!(world.aws.change(|account| account.staged_versions()), 0, "no label is left behind");
    assert_eq!(world.run(&["pause", "all"]).status, 0);
    other["paused"] = true.into();
    assert_eq!(secret(&world), other);
}

#[test]
fn a_lost_response_is_no_conflict() {
    for action in ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"] {
        let world = World::healthy();
        world.aws.change(|account| account.lost = Some(action));
        let output = world.run(&["pause", "all"]);
        assert_eq!(output.status, 0, "{action}: {}", output.stderr);
        let mut expected = hooks_secret();
        expected["paused"] = true.into();
        assert_eq!(secret(&world), expected, "{action}");
        assert_eq!(world.aws.change(|account| (account.staged_versions(), account.lost)), (0, None), "{action}");
    }
}

#[test]
fn a_secret_that_is_no_object_is_left_alone() {
    let world = World::healthy();
    for text in [Some("an-example-of-a-caller-secret".to_owned()), None] {
        world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), text.clone()));
        let output = world.run(&["pause", "all"]);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""));
        assert!(!output.stderr.contains("example"), "{}", output.stderr);
        assert_eq!(world.aws.change(|account| account.secrets[HOOKS_SECRET_ARN].clone()), text);
    }
}

/// Each command, and the actions that `permissions` prints for it.
#[test]
fn a_command_uses_the_printed_permissions_only() {
    for arguments in [&["doctor"][..], &["explain"], &["report"], &["pause", "all"], &["resume"]] {
        let world = World::with_hooks();
        let (_, printed) = world.run_json(&["permissions", arguments[0]]);
        let permitted = printed["aws"]["Statement"][0]["Action"].as_array().unwrap().clone();
        world.run(&["pause", "NG"]);
        world.aws.change(|account| account.used.clear());
        assert_ne!(world.run(arguments).status, 2, "{arguments:?}");
        let used: BTreeSet<_> = world.aws.change(|account| account.used.iter().cloned().collect());
        for action in used {
            assert!(permitted.contains(&action.clone().into()), "{arguments:?} uses {action}: {printed}");
        }
    }
}

#[test]
fn completions_and_manual_name_every_command() {
    let world = World::healthy();
    for arguments in [&["completions", "bash"][..], &["completions", "zsh"], &["completions", "fish"], &["man"]] {
        let output = world.run(arguments);
        assert_eq!(output.status, 0);
        for command in ["doctor", "explain", "pause", "resume", "redrive", "report", "permissions"] {
            assert!(output.stdout.contains(command), "{arguments:?}: {command}");
        }
    }
}

#[test]
fn dead_letters_return_to_their_queue() {
    let emulator = AwsEmulator::start();
    let queues = emulator.create_fifo_queue_with_dead_letter("redrive", Duration::from_secs(1), 1).unwrap();
    for number in 0..25 {
        let (body, group) = (json!({ "number": number }).to_string(), format!("00u{}", number % 3));
        queues.dead_letters.send(&body, &group, &format!("event-{number}")).unwrap();
    }
    let run = |url: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-twilio"));
        command.args(["redrive", "--json", "--queue-url", url]).env_clear().envs([
            ("AWS_ENDPOINT_URL", emulator.url().as_str()),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", "us-east-1"),
        ]);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (exit, stdout, stderr) = run(queues.queue.url());
    assert_eq!(exit, Some(0), "{stdout}{stderr}");
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), json!({"moved": 25}));
    assert_eq!((queues.queue.depth().unwrap().visible, queues.dead_letters.depth().unwrap().total()), (25, 0));
    let (exit, stdout, _) = run(queues.queue.url());
    assert_eq!((exit, serde_json::from_str::<Value>(&stdout).unwrap()), (Some(0), json!({"moved": 0})));
    let (exit, _, stderr) = run(queues.dead_letters.url());
    assert!(exit == Some(2) && stderr.contains("no dead-letter queue"), "{stderr}");
}
