//! `doctor --offline`: variables and secrets before a deployment, without any network.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::world::hooks_secret;

/// Runs the checks with this environment only.
fn run(variables: &[(&str, &str)], arguments: &[&str]) -> (i32, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-twilio"));
    // A program that used the network would fail here.
    command.env_clear().env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").envs(variables.iter().copied());
    let output = command.args(["doctor", "--offline", "--json"]).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), report, text(&output.stdout) + &text(&output.stderr))
}

fn status(report: &Value, id: &str) -> String {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["id"] == id).unwrap()["status"].as_str().unwrap().to_owned()
}

/// A file that lives as long as the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &Value) -> Self {
        let path = std::env::temp_dir().join(format!("okta-twilio-{}-{name}.json", std::process::id()));
        fs::write(&path, content.to_string()).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const GOOD: [(&str, &str); 2] = [("HOOKS_SECRET_ID", "hooks"), ("SENDS_TABLE", "sends")];

#[test]
fn variables_are_judged_as_the_functions_would() {
    let (exit, report, _) = run(&GOOD, &[]);
    assert_eq!((exit, status(&report, "A5"), status(&report, "A3")), (0, "ok".into(), "skip".into()), "{report}");
    let (exit, report, _) = run(&[GOOD[0], ("ALLOWED_COUNTRIES", "Nigeria")], &[]);
    assert_eq!((exit, status(&report, "A5")), (1, "fail".into()), "{report}");
    let (exit, report, _) = run(&[GOOD[0], GOOD[1], ("FEEDBACK_QUEUE_URL", "https://example.com/no-fifo")], &[]);
    assert_eq!((exit, status(&report, "A5")), (1, "fail".into()), "{report}");
    let (exit, report, _) = run(&[GOOD[0], GOOD[1], ("ALOWED_COUNTRIES", "US")], &[]);
    assert_eq!((exit, status(&report, "A5")), (0, "warn".into()), "{report}");
    assert_eq!(run(&[GOOD[0], GOOD[1], ("ALOWED_COUNTRIES", "US")], &["--strict"]).0, 1);
}

#[test]
fn secrets_come_from_files_and_are_not_printed() {
    let good = File::new("good", &hooks_secret());
    let mut wrong = hooks_secret();
    wrong["twilio_api_key_sid"] = wrong["verify_service_sid"].clone();
    let wrong = File::new("wrong", &wrong);
    let okta = File::new("okta", &json!({"okta_api_token": "00an-example-of-an-api-token"}));
    let (exit, report, _) = run(&GOOD, &["--hooks-secret", good.path(), "--okta-secret", okta.path()]);
    assert_eq!((exit, status(&report, "A3"), status(&report, "A4")), (0, "ok".into(), "ok".into()), "{report}");
    let (exit, report, text) = run(&GOOD, &["--hooks-secret", wrong.path(), "--okta-secret", good.path()]);
    assert_eq!((exit, status(&report, "A3"), status(&report, "A4")), (1, "fail".into(), "fail".into()), "{report}");
    assert!(!text.contains("example-of"), "{text}");
    let (exit, _, text) = run(&GOOD, &["--hooks-secret", "/no/such/file"]);
    assert!(exit == 2 && text.contains("--hooks-secret"), "{text}");
}
