//! What telephony-hook stores about a send, with the real binary and a stand-in for the table: the item that feedback
//! needs once Twilio has accepted the message, nothing otherwise, and no delay of the send by the table.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]

#[expect(dead_code, reason = "each test program uses a part of it")]
mod support;

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    time::Duration,
};

use sandbox::{
    Fault, Operation, Options, Times,
    deployment::{Deployment, TelephonyRequest},
    dynamodb::{DynamoDb, Item, TABLE},
};
use serde_json::{Value, json};
use support::{Hook, verdict};

const NUMBER: &str = "+12025550123";
const USER: &str = "00uyxxSknGtK8022w0g3";

/// A function with a table.
struct Remembering {
    hook: Hook,
    table: DynamoDb,
}

impl Remembering {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        let table = DynamoDb::start();
        let url = table.url();
        let own = [("SENDS_TABLE", TABLE), ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str())];
        let hook = Hook::on(Deployment::start(Options::default()), &[&own[..], variables].concat());
        Self { hook, table }
    }

    fn only_item(&self) -> Item {
        let items = self.table.items();
        assert_eq!(items.len(), 1, "{} items", items.len());
        items.into_iter().next().expect("one")
    }

    fn logged(&self, message: &str) -> Vec<Value> {
        self.hook.function.log_lines().into_iter().filter(|line| line["message"] == message).collect()
    }

    fn counted(&self, metric: &str) -> usize {
        self.logged("metrics").iter().filter(|line| line.get(metric).is_some()).count()
    }
}

fn number(item: &Item, name: &str) -> i64 {
    item[name]["N"].as_str().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn an_accepted_message_is_stored_with_only_ids_and_times() {
    let remembering = Remembering::start();
    let response = remembering.hook.ask(&TelephonyRequest::sms(NUMBER, "867530"));
    assert_eq!(verdict(&response), "SUCCESSFUL");
    let sid = &response.body["commands"][0]["value"][0]["transactionId"];
    let item = remembering.only_item();
    assert_eq!((&item["user_id"]["S"], &item["verification_sid"]["S"]), (&json!(USER), sid));
    let words = ["delivery", "channel", "request_type"].map(|name| item[name]["S"].clone());
    assert_eq!(words, [json!("sms"), json!("sms"), json!("mfa-verification")]);
    assert_eq!((number(&item, "sends"), number(&item, "first_sent_at")), (1, number(&item, "sent_at")));
    assert_eq!(number(&item, "expires_at"), number(&item, "sent_at") / 1_000 + 900);
    let mut names: Vec<_> = item.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "channel",
        "delivery",
        "expires_at",
        "first_sent_at",
        "request_type",
        "sends",
        "sent_at",
        "user_id",
        "verification_sid",
    ];
    assert_eq!(names, expected, "without RESEND_CHANNELS nothing of the number");
    assert_eq!(remembering.table.requests(), ["UpdateItem"]);
    assert!(remembering.logged("send_not_remembered").is_empty());
}

#[test]
fn a_resend_keeps_the_time_of_the_first_message() {
    let remembering = Remembering::start();
    remembering.hook.ask(&TelephonyRequest::sms(NUMBER, "867530"));
    let first = number(&remembering.only_item(), "first_sent_at");
    remembering.hook.ask(&TelephonyRequest::call(NUMBER, "135799"));
    let item = remembering.only_item();
    assert_eq!((number(&item, "sends"), number(&item, "first_sent_at")), (2, first));
    assert!(number(&item, "sent_at") >= first);
    assert_eq!((&item["delivery"]["S"], &item["channel"]["S"]), (&json!("call"), &json!("call")));
}

#[test]
fn the_item_has_oktas_delivery_and_twilios_channel() {
    let variables = [("LOOKUP_FIELDS", "line_type_intelligence"), ("LANDLINE_TO_CALL", "true")];
    let remembering = Remembering::with(&variables);
    let response = remembering.hook.ask(&TelephonyRequest::sms("+15005552001", "867530"));
    let channel = remembering.hook.last_log("otp_sent")["channel"].clone();
    assert_eq!(verdict(&response), "SUCCESSFUL");
    let item = remembering.only_item();
    assert_eq!((&item["delivery"]["S"], &item["channel"]["S"]), (&json!("sms"), &channel));
}

#[test]
fn an_unsent_message_is_not_stored() {
    let remembering = Remembering::with(&[("ALLOWED_COUNTRIES", "US")]);
    let refused = remembering.hook.ask(&TelephonyRequest::sms("+442079460060", "867530"));
    assert_eq!(verdict(&refused), "country_not_allowed");
    let twilio = &remembering.hook.deployment.twilio;
    twilio.fault(Operation::VerifyCreate, Fault::Delay(Duration::from_secs(8)), Times::Next(1));
    assert_eq!(verdict(&remembering.hook.ask(&TelephonyRequest::sms(NUMBER, "867530"))), "twilio_timeout");
    let no_requests: [String; 0] = [];
    assert_eq!(remembering.table.requests(), no_requests);
    assert!(remembering.logged("send_not_remembered").is_empty());
}

#[test]
fn without_a_user_feedback_cannot_be_exact_and_the_log_says_so() {
    let remembering = Remembering::start();
    let response =
        remembering.hook.ask(&TelephonyRequest::sms(NUMBER, "867530").with("/data/userProfile", json!(null)));
    assert_eq!(verdict(&response), "SUCCESSFUL");
    assert!(remembering.table.items().is_empty());
    let lines = remembering.logged("send_not_remembered");
    assert_eq!((lines.len(), &lines[0]["reason"]), (1, &json!("event_without_user")));
    assert_eq!(remembering.counted("TableFailures"), 0, "the table works");
}

#[test]
fn a_failing_table_loses_the_item_but_never_the_code() {
    for (code, reason) in [
        ("ProvisionedThroughputExceededException", "table_unavailable"),
        ("ThrottlingException", "table_unavailable"),
        ("InternalServerError", "table_unavailable"),
        ("AccessDeniedException", "table_forbidden"),
        ("ResourceNotFoundException", "table_not_found"),
        ("ValidationException", "table_refused"),
    ] {
        let remembering = Remembering::start();
        remembering.table.set_fault(Some(code));
        assert_eq!(verdict(&remembering.hook.ask(&TelephonyRequest::sms(NUMBER, "867530"))), "SUCCESSFUL", "{code}");
        let lines = remembering.logged("send_not_remembered");
        assert_eq!(
            (lines.len(), &lines[0]["reason"], &lines[0]["user_id"]),
            (1, &json!(reason), &json!(USER)),
            "{code}"
        );
        assert!(lines[0]["advice"].is_string() && lines[0]["verification_sid"].is_string());
        assert_eq!(remembering.counted("TableFailures"), 1, "{code}");
    }
}

#[test]
fn a_silent_table_times_out() {
    let remembering = Remembering::start();
    remembering.table.delay(Duration::from_secs(20));
    let response = remembering.hook.ask(&TelephonyRequest::sms(NUMBER, "867530"));
    assert_eq!(verdict(&response), "SUCCESSFUL");
    assert_eq!(remembering.logged("send_not_remembered")[0]["reason"], "table_unavailable");
    assert!(response.duration < Duration::from_secs(5), "{:?}", response.duration);
}

#[test]
fn without_the_variable_the_table_is_not_called() {
    let table = DynamoDb::start();
    let hook = Hook::with_variables(&[("AWS_ENDPOINT_URL_DYNAMODB", table.url().as_str())]);
    assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(NUMBER, "867530"))), "SUCCESSFUL");
    assert!(table.requests().is_empty());
}

#[test]
fn the_connection_to_the_table_is_opened_before_the_first_request() {
    for (is_on, expected) in [(true, Some("HEAD / HTTP/1.1")), (false, None)] {
        let table = TcpListener::bind("127.0.0.1:0").expect("a port");
        table.set_nonblocking(true).expect("a socket that does not block");
        let url = format!("http://{}", table.local_addr().expect("an address"));
        let table_name = if is_on { TABLE } else { "" };
        let variables = [("SENDS_TABLE", table_name), ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str())];
        let hook = Hook::on(Deployment::start(Options::default()), &variables);
        let started = hook.function.log_lines().into_iter().find(|line| line["message"] == "started");
        assert!(started.is_some(), "the function is ready");
        let first_line = table.accept().ok().map(|(connection, _)| {
            connection.set_nonblocking(false).expect("a socket that blocks");
            let mut line = String::new();
            BufReader::new(connection).read_line(&mut line).expect("a request");
            line.trim_end().to_owned()
        });
        assert_eq!(first_line.as_deref(), expected);
    }
}
