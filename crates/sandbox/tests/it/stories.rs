//! Stories: what the sandbox saw and what a function logged, put together.

use crate::bench::{Bench, NUMBER};
use reqwest::Method;
use sandbox::{Hook, Outcome, Status, Story};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const USER: &str = "00uyxxSknGtK8022w0g3";

impl Bench {
    /// Sends a code as the telephony hook does, and returns the verification's sid.
    fn send_for(&self, event_id: &str, channel: &str) -> String {
        let tags = json!({ "okta_event_id": event_id }).to_string();
        let form = [("To", NUMBER), ("Channel", channel), ("CustomCode", "024680"), ("Tags", &tags)];
        self.create(&form).json()["sid"].as_str().unwrap().to_owned()
    }

    fn log(&self, service: &str, invocation: &str, message: &str, fields: &Value) {
        let mut line = json!({ "message": message, "service": service, "function_request_id": invocation });
        for (name, value) in fields.as_object().unwrap() {
            line[name] = value.clone();
        }
        self.sandbox.record_log_line(&line.to_string());
    }

    fn log_sent(&self, invocation: &str, event_id: &str, channel: &str, sid: &str) {
        let fields = json!({
            "reason": "accepted", "request_type": "mfa-verification", "channel": channel, "phone": "US…23", "country": "US",
            "user_id": USER, "okta_event_id": event_id, "verification_sid": sid, "duration_ms": 21, "verify_ms": 9,
        });
        self.log("telephony-hook", invocation, "otp_sent", &fields);
    }

    /// The only one.
    fn story(&self) -> Story {
        let stories = self.sandbox.stories();
        assert_eq!(stories.len(), 1, "{stories:#?}");
        stories.into_iter().next().unwrap()
    }
}

fn outcomes(story: &Story) -> Vec<&str> {
    story.feedback.iter().map(|step| step.outcome.as_str()).collect()
}

#[test]
fn requests_responses_and_log_lines_make_one_story() {
    let bench = Bench::new();
    bench.get("/warm-up");
    assert!(bench.sandbox.stories().is_empty(), "opening a connection is not a request from Okta");
    let sid = bench.send_for("event-1", "sms");
    let story = bench.story();
    assert_eq!((story.hook, story.outcome), (Hook::Telephony, Outcome::Waiting));
    bench.log("telephony-hook", "invocation-1", "otp_retried", &json!({ "reason": "throttled" }));
    bench.log_sent("invocation-1", "event-1", "sms", &sid);

    let story = bench.story();
    assert_eq!(story.outcome, Outcome::Sent);
    assert_eq!(story.summary, "A code for +12025550123 was sent.");
    assert_eq!((story.asked.flow_text, story.asked.user_id.as_deref()), (Some("sign-in"), Some(USER)));
    assert_eq!(story.asked.number.as_deref(), Some(NUMBER), "the request to Twilio has the whole number");
    let decided = story.decided.unwrap();
    assert_eq!((decided.reason.as_str(), decided.duration_ms, decided.verify_ms), ("accepted", Some(21), Some(9)));
    assert_eq!((story.twilio.len(), story.twilio[0].answer.as_str(), story.twilio[0].good), (1, "201", true));
    assert_eq!(story.response.unwrap().status, Some(200));
    assert_eq!(story.okta_next, "Okta asks the user for the code.");
    assert_eq!((story.phone.len(), story.phone[0].code.as_str()), (1, "024680"));
    assert_eq!(story.verification, Some(Status::Pending));
    let names: Vec<_> = story.log.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(names, ["otp_retried", "otp_sent"], "earlier lines are included");
    let steps = bench.story().steps();
    let steps: Vec<_> = steps.iter().map(|step| (step.label, step.text.as_str())).collect();
    assert_eq!(
        steps,
        [
            ("Okta asks", "for a code by sms to +12025550123 (sign-in)"),
            ("decided", "to send, reason accepted. Twilio accepted the message."),
            ("Twilio", "is asked to send the code: 201"),
            ("Okta gets", "200 SUCCESSFUL"),
            ("phone shows", "Your Example verification code is: 024680 (sms to +12025550123)"),
            ("next", "Okta asks the user for the code."),
        ]
    );

    bench.sandbox.advance(Duration::from_secs(600));
    assert_eq!(bench.story().verification, Some(Status::Expired));
}

#[test]
fn a_retry_is_the_same_story_and_a_resend_is_not() {
    let bench = Bench::new();
    bench.control_fault(503);
    bench.send_for_any("event-1");
    let sid = bench.send_for("event-1", "sms");
    assert_eq!(bench.story().twilio.len(), 2);
    bench.log_sent("invocation-1", "event-1", "sms", &sid);
    bench.send_for("event-2", "sms");
    let stories = bench.sandbox.stories();
    assert_eq!(stories.iter().map(|story| story.id).collect::<Vec<_>>(), [2, 1], "newest first");
}

#[test]
fn a_refusal_without_a_request_to_twilio_has_a_story() {
    let bench = Bench::new();
    let fields = json!({
        "reason": "country_blocked", "request_type": "account-unlock", "channel": "sms", "phone": "GB…81", "country": "GB",
        "user_id": USER, "duration_ms": 1,
    });
    bench.log("telephony-hook", "invocation-1", "otp_refused", &fields);
    let story = bench.story();
    assert_eq!((story.outcome, story.twilio.len(), story.phone.len()), (Outcome::Refused, 0, 0));
    assert_eq!(story.summary, "A code for GB…81 was refused. The number's country is blocked.");
    assert!(story.okta_next.contains("sends the code itself"), "{}", story.okta_next);

    // Only the metrics show `DENY_RESPONSE=swallow`.
    let metrics = json!({ "_aws": {}, "Sends": 1, "Outcome": "swallowed" });
    bench.log("telephony-hook", "invocation-1", "metrics", &metrics);
    let story = bench.story();
    assert_eq!(story.response.unwrap().word, "SUCCESSFUL");
    assert!(story.okta_next.contains("never arrives"), "{}", story.okta_next);
    assert_eq!(story.log.len(), 1, "metrics are not log lines");
}

#[test]
fn a_response_that_the_function_did_not_wait_for_is_none() {
    let bench = Bench::new();
    let sid = bench.send_for("event-1", "sms");
    let fields = json!({ "reason": "twilio_timeout", "okta_event_id": "event-1", "duration_ms": 2600 });
    bench.log("telephony-hook", "invocation-1", "otp_failed", &fields);
    let story = bench.story();
    assert_eq!(story.verification_sid, Some(sid));
    assert_eq!((story.twilio[0].answer.as_str(), story.twilio[0].good), ("no response in time", false));
    assert_eq!(story.okta_next, "Okta sends the code itself as well. The user receives two messages.");
}

#[test]
fn the_program_that_sends_a_request_can_record_both_sides() {
    let bench = Bench::new();
    let body = json!({
        "requestType": "com.okta.user.telephony.mfa-verification",
        "data": { "messageProfile": { "phoneNumber": NUMBER, "deliveryChannel": "SMS", "locale": "EN-US" } },
    });
    let event = json!({ "body": body.to_string() });
    let id = bench.sandbox.record_request(Hook::Telephony, &event, None);
    let rejection = json!({ "error": { "errorCauses": [{ "reason": "not_authenticated" }] } });
    bench.sandbox.record_response(id, 401, &rejection.to_string(), Duration::from_millis(3));
    let fields = json!({ "reason": "not_authenticated", "status": 401 });
    bench.log("telephony-hook", "invocation-1", "request_rejected", &fields);
    let steps = bench.sandbox.story(id).unwrap().steps();
    let steps: Vec<_> = steps.iter().map(|step| (step.label, step.text.as_str())).collect();
    assert_eq!(
        steps[..4],
        [
            ("Okta asks", "for a code by SMS to +12025550123 (sign-in, EN-US)"),
            ("decided", "to reject, reason not_authenticated. The caller's secret is missing or wrong."),
            ("Okta gets", "401 not_authenticated after 3 ms"),
            ("phone shows", "nothing"),
        ]
    );
    assert!(steps[4].1.starts_with("If the caller was Okta with an outdated secret,"), "{}", steps[4].1);
    let (label, answer) = steps[5];
    let is_complete = answer.starts_with("The hook rejected the request.") && answer.contains("An admin compares");
    assert!(label == "answer" && is_complete, "{answer}");
}

#[test]
fn a_late_response_means_two_messages() {
    let bench = Bench::new();
    let sid = bench.send_for("event-1", "sms");
    let fields =
        json!({ "reason": "accepted", "okta_event_id": "event-1", "verification_sid": sid, "duration_ms": 3001 });
    bench.log("telephony-hook", "invocation-1", "otp_sent", &fields);
    assert!(bench.story().okta_next.contains("gave up after three seconds"));
}

#[test]
fn feedback_goes_to_the_code_that_it_is_about() {
    let bench = Bench::new();
    let first = bench.send_for("event-1", "sms");
    bench.log_sent("invocation-1", "event-1", "sms", &first);
    let second = bench.send_for("event-2", "sms");
    bench.log_sent("invocation-2", "event-2", "sms", &second);
    bench.send_for("event-3", "call");
    bench.log_sent("invocation-3", "event-3", "call", &second);
    let event = json!({ "event_uuid": "uuid-1", "user_id": USER, "channel": "sms", "reason": "queued" });
    bench.log("event-hook", "invocation-4", "feedback_queued", &event);
    let find = |id| bench.sandbox.stories().into_iter().find(|story: &Story| story.id == id).unwrap();
    assert_eq!(outcomes(&find(2)), ["queued"], "the newest SMS of the user, and not the call");
    assert_eq!(outcomes(&find(4)), ["queued"], "the delivery has a row of its own");

    // The queue hands it over in another invocation, and now the verification is known: another one than it seemed.
    let other = bench.create(&[("To", "+12025550155"), ("Channel", "sms"), ("CustomCode", "1234")]).json();
    let mut approved = event;
    approved["verification_sid"] = other["sid"].clone();
    approved["reason"] = json!("approved");
    bench.log("event-hook", "invocation-5", "feedback_approved", &approved);
    assert!(find(2).feedback.is_empty(), "it belongs to another code");
    assert_eq!(outcomes(&find(5)), ["approved"]);
    assert_eq!(outcomes(&find(4)), ["approved"], "one event, one entry");
    assert_eq!(find(4).invocations, ["invocation-4", "invocation-5"]);
}

#[test]
fn a_rejected_request_is_not_the_one_that_reached_twilio() {
    let bench = Bench::new();
    let rejected = json!({ "reason": "not_authenticated", "status": 401 });
    bench.log("telephony-hook", "invocation-1", "request_rejected", &rejected);
    bench.log("event-hook", "invocation-2", "request_rejected", &rejected);
    let stories = bench.sandbox.stories();
    assert_eq!(stories.iter().map(|story| story.outcome).collect::<Vec<_>>(), [Outcome::Rejected, Outcome::Rejected]);
    assert!(stories[0].okta_next.contains("drops the delivery"), "{}", stories[0].okta_next);
    assert!(stories[1].okta_next.contains("sends the code itself"), "{}", stories[1].okta_next);
    bench.sandbox.reset();
    bench.send_for("event-1", "sms");
    bench.log("telephony-hook", "invocation-3", "request_rejected", &rejected);
    assert_eq!(bench.sandbox.stories().len(), 2, "a rejected request does not reach Twilio");
}

#[test]
fn other_lines_are_ignored() {
    let bench = Bench::new();
    for line in
        ["", "no JSON", "[]", r#"{"message":"started","service":"telephony-hook"}"#, r#"{"function_request_id":1}"#]
    {
        bench.sandbox.record_log_line(line);
    }
    bench.log("another-function", "invocation-1", "otp_sent", &json!({}));
    assert!(bench.sandbox.stories().is_empty());
}

#[test]
fn changes_come_as_server_sent_events() {
    let bench = Bench::new();
    bench.send_for("event-1", "sms");
    let address = bench.sandbox.http_url();
    let mut connection = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.write_all(b"GET /_sandbox/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut lines = BufReader::new(connection).lines().map(Result::unwrap);
    let mut next = |event: &str| -> Value {
        lines.by_ref().find(|line| *line == format!("event: {event}")).unwrap();
        serde_json::from_str(lines.next().unwrap().strip_prefix("data: ").unwrap()).unwrap()
    };
    let all = next("all");
    assert_eq!(all["stories"][0]["phone"][0]["code"], "024680");
    assert_eq!(all["state"], json!({ "sends": false, "ahead_seconds": 0, "faults": [] }));
    bench.log_sent("invocation-1", "event-1", "sms", "VE1");
    assert_eq!(next("story")["outcome"], "sent");
    bench.post("/clock", &json!({ "advance_seconds": 600 }));
    assert_eq!(next("state")["ahead_seconds"], 600);
    // A stream is not an idle connection: it stays open, and closing idle connections does not wait for it.
    assert_eq!(bench.run(bench.anonymous_request(Method::DELETE, "/_sandbox/connections")).unwrap().status, 200);
    bench.sandbox.reset();
    assert_eq!(next("reset"), Value::Null);
}

impl Bench {
    fn post(&self, resource: &str, body: &Value) {
        let request = self.anonymous_request(Method::POST, &format!("/_sandbox{resource}")).body(body.to_string());
        assert_eq!(self.run(request).unwrap().status, 200);
    }

    /// Makes Twilio respond to the next request for a code like this.
    fn control_fault(&self, status: u16) {
        self.post("/faults", &json!({ "operation": "verify_create", "fault": { "status": status }, "times": 1 }));
    }

    /// A request that need not succeed.
    fn send_for_any(&self, event_id: &str) {
        let tags = json!({ "okta_event_id": event_id }).to_string();
        self.create(&[("To", NUMBER), ("Channel", "sms"), ("CustomCode", "024680"), ("Tags", &tags)]);
    }
}
