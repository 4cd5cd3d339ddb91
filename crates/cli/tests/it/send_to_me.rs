//! `doctor --send-to-me`, with the real functions, a phone, and a person who types.

use std::{
    io::Write as _,
    process::{ChildStdin, Stdio},
    time::Duration,
};

use sandbox::{Options, Sandbox, SecondCode, dynamodb::DynamoDb, front::FrontFault};
use serde_json::Value;

use crate::world::{KEY, SERVICE, World, hooks_secret};

const PHONE: &str = "+12025550123";
const PATIENCE: Duration = Duration::from_secs(30);

/// A world whose functions send codes to a phone.
struct Scene {
    world: World,
    twilio: Sandbox,
    _table: DynamoDb,
}

/// What the person types.
struct Keyboard(ChildStdin);

impl Keyboard {
    fn type_line(&mut self, line: &str) {
        writeln!(self.0, "{line}").unwrap();
    }
}

impl Scene {
    fn new(options: Options) -> Self {
        let secret = hooks_secret()["twilio_api_key_secret"].as_str().unwrap().to_owned();
        let options =
            Options { api_key_sid: KEY.to_owned(), api_key_secret: secret, service_sid: SERVICE.to_owned(), ..options };
        let (twilio, table) = (Sandbox::start(options), DynamoDb::start());
        let variables = [("TWILIO_VERIFY_URL", twilio.http_url()), ("AWS_ENDPOINT_URL_DYNAMODB", table.url())];
        Self { world: World::with_functions(&variables), twilio, _table: table }
    }

    /// The code of a message.
    fn code(&self, message: usize) -> String {
        assert!(self.twilio.wait_until(PATIENCE, |twilio| twilio.messages().len() > message), "no message {message}");
        self.twilio.messages()[message].code.clone()
    }

    /// Runs the checks while the person types. Neither number nor code is printed.
    fn run(&self, person: impl FnOnce(&Self, &mut Keyboard)) -> (Value, Value) {
        let arguments = ["doctor", "--only", "E4,E7", "--send-to-me", "--wait", "2", "--json"];
        let mut command = self.world.command(&arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut keyboard = Keyboard(child.stdin.take().unwrap());
        person(self, &mut keyboard);
        drop(keyboard);
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let codes = self.twilio.messages().into_iter().map(|message| message.code);
        for private in codes.chain([PHONE.to_owned(), "2025550123".to_owned()]) {
            assert!(!stdout.contains(&private) && !stderr.contains(&private), "{private}: {stdout}{stderr}");
        }
        let report: Value = serde_json::from_str(&stdout).unwrap();
        let find =
            |id: &str| report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap().clone();
        (find("E4"), find("E7"))
    }
}

#[test]
fn a_code_arrives_and_twilio_learns_that_it_was_right() {
    let scene = Scene::new(Options::default());
    let (delivery, second) = scene.run(|scene, keyboard| {
        keyboard.type_line(PHONE);
        keyboard.type_line("yes");
        keyboard.type_line(&scene.code(0));
        keyboard.type_line("no");
    });
    assert_eq!((&delivery["status"], &second["status"]), (&"ok".into(), &"skip".into()), "{delivery}");
    assert_eq!(delivery["read"], "the code arrived, and Twilio knows that it was right");
    assert_eq!((scene.twilio.messages().len(), scene.twilio.approved().len()), (1, 1));
}

#[test]
fn a_second_code_is_the_new_one_or_the_old_one() {
    for (second_code, status) in [(SecondCode::Newest, "ok"), (SecondCode::First, "fail")] {
        let scene = Scene::new(Options { second_code, ..Options::default() });
        let (delivery, second) = scene.run(|scene, keyboard| {
            keyboard.type_line(PHONE);
            keyboard.type_line("yes");
            keyboard.type_line(&scene.code(0));
            keyboard.type_line("yes");
            keyboard.type_line(&scene.code(1));
        });
        assert_eq!((&delivery["status"], &second["status"]), (&"ok".into(), &status.into()), "{delivery} {second}");
    }
}

#[test]
fn nothing_is_sent_without_a_yes() {
    let scene = Scene::new(Options::default());
    for lines in [&[PHONE, "no"][..], &[PHONE], &["", "yes"], &["hello", "yes"], &[]] {
        let (delivery, second) = scene.run(|_, keyboard| lines.iter().for_each(|line| keyboard.type_line(line)));
        assert_eq!((&delivery["status"], &second["status"]), (&"skip".into(), &"skip".into()), "{lines:?}");
    }
    assert!(scene.twilio.messages().is_empty());
}

#[test]
fn a_code_that_does_not_arrive_or_is_another_one() {
    let scene = Scene::new(Options::default());
    for (typed, read) in [("", "none arrived"), ("not-the-code", "another code")] {
        let (delivery, _) =
            scene.run(|_, keyboard| [PHONE, "yes", typed, "no"].into_iter().for_each(|line| keyboard.type_line(line)));
        assert_eq!(delivery["status"], "fail");
        assert!(delivery["read"].as_str().unwrap().contains(read), "{delivery}");
    }
}

#[test]
fn a_refusal_by_twilio_and_a_lost_feedback_are_found() {
    let scene = Scene::new(Options { custom_code_enabled: false, ..Options::default() });
    let (delivery, second) =
        scene.run(|_, keyboard| [PHONE, "yes"].into_iter().for_each(|line| keyboard.type_line(line)));
    assert_eq!((&delivery["status"], &second["status"]), (&"fail".into(), &"skip".into()), "{delivery}");
    assert!(delivery["read"].as_str().unwrap().contains("verify_service"), "{delivery}");

    let scene = Scene::new(Options::default());
    scene.world.aws.change(|account| {
        let elsewhere = scene.world.front.as_ref().unwrap().url("/nothing");
        account.stack.as_mut().unwrap().outputs.insert("EventsUrl".to_owned(), elsewhere);
    });
    let (delivery, _) = scene.run(|scene, keyboard| {
        keyboard.type_line(PHONE);
        keyboard.type_line("yes");
        keyboard.type_line(&scene.code(0));
        keyboard.type_line("no");
    });
    assert_eq!((&delivery["status"], &delivery["read"]), (&"fail".into(), &"event-hook answered 404".into()));
}

/// What E4 says where something happens after the code has arrived.
fn after_the_code(happens: impl FnOnce(&Scene)) -> (String, String) {
    let scene = Scene::new(Options::default());
    let (delivery, _) = scene.run(|scene, keyboard| {
        keyboard.type_line(PHONE);
        keyboard.type_line("yes");
        let code = scene.code(0);
        happens(scene);
        keyboard.type_line(&code);
        keyboard.type_line("no");
    });
    let text = |name: &str| delivery[name].as_str().unwrap().to_owned();
    (text("status"), text("read"))
}

fn event_hook_answers(status: u16) -> (String, String) {
    let fault = FrontFault { status: Some(status), ..FrontFault::default() };
    after_the_code(|scene| scene.world.front.as_ref().unwrap().set_fault(fault))
}

#[test]
fn feedback_that_does_not_reach_twilio_is_found() {
    let found = |(status, read): (String, String), text: &str| assert!(status == "fail" && read == text, "{read}");
    found(event_hook_answers(401), "event-hook refused the caller's secret");
    found(event_hook_answers(200), "the code arrived, and no feedback is in the log yet");
    found(after_the_code(|scene| scene.twilio.reset()), "the code arrived, and its feedback failed");
}

#[test]
fn without_a_sends_table_the_code_is_what_counts() {
    let scene = Scene::new(Options::default());
    scene.world.set_event_variable("SENDS_TABLE", " ");
    let (delivery, _) = scene.run(|scene, keyboard| {
        keyboard.type_line(PHONE);
        keyboard.type_line("yes");
        keyboard.type_line(&scene.code(0));
        keyboard.type_line("no");
    });
    assert_eq!(delivery["status"], "ok", "{delivery}");
    assert!(delivery["read"].as_str().unwrap().contains("no sends table"), "{delivery}");
    assert!(scene.twilio.approved().is_empty());
}
