//! Replays every recorded invocation of `events/` for this function with the real binary. Checks the response and the
//! approvals at Twilio, and that no private value reaches the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::Duration,
};

use sandbox::{
    MAGIC_USERS, MagicUser, Options,
    deployment::{Deployment, HttpAnswer, OKTA_SECRET_ID},
    dynamodb::DynamoDb,
    events::OTHER_FACTORS,
    lambda::{Function, Outcome},
    recorded_events::{self, Feedback, PrivateValue, RecordedEvent},
};
use serde_json::{Value, json};

/// The code that is on its way before an event.
const CODE: &str = "867530";
/// The complete responses with a body, in one file per event.
const ANSWERS: &str = "answers";

/// A function without a queue, and its environment.
struct Hook {
    deployment: Deployment,
    function: Function,
    /// An empty sends table, for the events that name one.
    _table: DynamoDb,
}

#[test]
fn every_event_has_its_response() {
    let mut by_variables: BTreeMap<_, Vec<RecordedEvent<Feedback>>> = BTreeMap::new();
    for event in recorded_events::of_event_hook() {
        by_variables.entry(event.variables.clone()).or_default().push(event);
    }
    // One function for each set of variables, in parallel.
    thread::scope(|threads| {
        for (variables, events) in &by_variables {
            threads.spawn(move || {
                let hook = Hook::start(variables);
                hook.function.wait_until_ready(Duration::from_secs(10)).expect("the function starts");
                for event in events {
                    hook.replay(event);
                }
                assert_nothing_private(&hook.function.output(), events);
            });
        }
    });
}

impl Hook {
    fn start(variables: &BTreeMap<String, String>) -> Self {
        let options = Options::default();
        let deployment = Deployment::start(options.clone());
        deployment.secrets.put(OKTA_SECRET_ID, &json!({"okta_api_token": options.okta.api_token}));
        let table = DynamoDb::start();
        let function = deployment.function(env!("CARGO_BIN_EXE_event-hook")).envs([
            ("AWS_ENDPOINT_URL_DYNAMODB", table.url().as_str()),
            ("OKTA_ORG_URL", options.okta.org_url.as_str()),
            ("OKTA_API_URL", &deployment.twilio.https_url()),
            ("OKTA_SECRET_ID", OKTA_SECRET_ID),
        ]);
        let function = function.envs(variables).spawn();
        Self { deployment, function, _table: table }
    }

    fn replay(&self, event: &RecordedEvent<Feedback>) {
        let RecordedEvent { name, expected, .. } = event;
        self.deployment.twilio.reset();
        for number in &expected.pending {
            self.deployment.twilio.send_code(number, CODE);
        }
        let lines_before = self.function.log_lines().len();
        let invocation = self.function.invoke(&event.event());
        match &expected.batch_failures {
            Some(failures) => assert_batch_response(name, &invocation.outcome, failures),
            None => assert_http_response(name, &HttpAnswer::of(invocation), expected),
        }
        let lines = self.function.log_lines();
        let mut feedback: Vec<_> = lines.iter().skip(lines_before).filter_map(outcome).collect();
        feedback.sort();
        assert_eq!(feedback, expected.feedback, "{name}");
        assert_eq!(self.deployment.twilio.approved(), expected.approved, "{name}");
    }
}

fn assert_batch_response(name: &str, outcome: &Outcome, failures: &[String]) {
    let failures: Vec<_> = failures.iter().map(|id| json!({"itemIdentifier": id})).collect();
    let expected = json!({"batchItemFailures": failures});
    assert_eq!(*outcome, Outcome::Response(expected.clone()), "{name}");
    assert_response_matches(name, &expected);
}

fn assert_http_response(name: &str, response: &HttpAnswer, expected: &Feedback) {
    assert_eq!(Some(response.status), expected.status, "{name}");
    let cause = |field: &str| response.body.pointer(&format!("/error/errorCauses/0/{field}")).cloned();
    assert_eq!(cause("reason"), expected.reason.as_ref().map(|reason| json!(reason)), "{name}");
    assert_eq!(cause("location"), expected.location.as_ref().map(|location| json!(location)), "{name}");
    if response.body.is_null() {
        // Okta reads only the status.
        assert_eq!(response.headers, json!({"cache-control": "no-store"}), "{name}");
    } else {
        let response = json!({"status": response.status, "headers": response.headers, "body": response.body});
        assert_response_matches(name, &response);
    }
}

/// The result of an event, if this log line has one.
fn outcome(line: &Value) -> Option<String> {
    let text = |field: &str| line.get(field)?.as_str();
    let outcome = text("message")?.strip_prefix("feedback_")?;
    let reason = text("reason")?;
    Some(if reason == outcome { outcome.to_owned() } else { format!("{outcome}: {reason}") })
}

/// Compares with the stored response.
fn assert_response_matches(name: &str, response: &Value) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(ANSWERS);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!(name, response));
}

fn assert_nothing_private(output: &str, events: &[RecordedEvent<Feedback>]) {
    let numbers = |user: &MagicUser| {
        let factors = user.factors.iter().map(|factor| factor.number);
        factors.chain(user.mobile_phone).chain(user.primary_phone).collect::<Vec<_>>()
    };
    for number in MAGIC_USERS.iter().flat_map(numbers) {
        let digits = number.chars().filter(char::is_ascii_digit).collect();
        assert!(!PrivateValue::Number(digits).is_in(output), "a number from Okta is in the output");
    }
    for event in events {
        for value in event.private_values() {
            // The value itself is not printed, because test output is output too.
            assert!(!value.is_in(output), "the {} of {} is in the output", value.kind(), event.name);
        }
    }
}

#[test]
fn each_stored_response_belongs_to_an_event() {
    let events: BTreeSet<_> = recorded_events::of_event_hook().into_iter().map(|event| event.name).collect();
    let folder = fs::read_dir(format!("{}/tests/{ANSWERS}", env!("CARGO_MANIFEST_DIR"))).expect("the answers' folder");
    let names = folder.map(|file| file.expect("a file").file_name().into_string().expect("a name in UTF-8"));
    let responses: BTreeSet<_> = names.filter_map(|name| name.strip_suffix(".snap").map(str::to_owned)).collect();
    assert_eq!(responses.difference(&events).next(), None, "of no event");
    assert!(responses.contains("event-verification"));
}

#[test]
fn every_factor_that_is_not_a_phone_has_an_event() {
    let bodies: Vec<_> = recorded_events::of_event_hook().iter().map(|event| event.event().to_string()).collect();
    for factor in OTHER_FACTORS {
        let shown = format!(r#"\"factor\":\"{}\""#, factor.name);
        assert!(bodies.iter().any(|body| body.contains(&shown)), "no event shows {}", factor.name);
    }
}
