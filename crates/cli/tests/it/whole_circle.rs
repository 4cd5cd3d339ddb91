//! One command makes a pair of hooks that works: Okta's request becomes a code on a phone, and Okta's event approves it.

use std::time::Duration;

use sandbox::{
    Options, Sandbox, Status,
    deployment::TelephonyRequest,
    dynamodb::{DynamoDb, TABLE},
    okta_org::Channel,
    twilio_account::VerifyApi,
};
use serde_json::{Value, json};

use crate::{
    rotate::send,
    setup::{SETUP, assert_done, clear},
    world::World,
};

const NUMBER: &str = "+12025550123";
const CODE: &str = "483920";

/// Sends what Okta has stored for a hook, with the secret that Okta has stored.
fn as_okta(channel: &Channel, body: &Value) {
    assert_eq!(send("POST", channel, "", &body.to_string()), 200);
}

/// The event that Okta sends when the user of [`TelephonyRequest`] has typed the code.
fn event() -> Value {
    let recorded = include_str!("../../../../events/event-sms-identity-engine.json");
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    serde_json::from_str(recorded["body"].as_str().unwrap()).unwrap()
}

#[test]
fn a_code_of_the_new_hooks_arrives_and_its_event_approves_it() {
    let (options, table) = (Options::default(), DynamoDb::start());
    let sandbox = Sandbox::start(options.clone());
    let world = World::with_functions(&[
        ("AWS_ENDPOINT_URL_DYNAMODB", table.url()),
        ("SENDS_TABLE", TABLE.to_owned()),
        ("SECRET_TTL_SECONDS", "1".to_owned()),
    ]);
    world.twilio.change(|account| account.verify = Some(VerifyApi::new(&sandbox.http_url(), &options)));
    clear(&world, "the-secret-that-a-deployment-has-made");

    // Before, there is nothing that could send.
    assert!(world.okta.change(|org| org.inline_hooks.is_empty() && org.event_hooks.is_empty()));
    assert_done(&world.run(&SETUP));

    let [telephony, events] =
        world.okta.change(|org| [org.inline_hooks[0].channel.clone(), org.event_hooks[0].channel.clone()]);
    as_okta(&telephony, TelephonyRequest::sms(NUMBER, CODE).body());
    let inbox = sandbox.messages();
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert!(inbox[0].to == NUMBER && inbox[0].code == CODE, "{inbox:?}");
    assert_eq!(sandbox.verifications()[0].status, Status::Pending);

    as_okta(&events, &event());
    sandbox.wait_until(Duration::from_secs(5), |sandbox| sandbox.verifications()[0].status == Status::Approved);
    assert_eq!(sandbox.verifications()[0].status, Status::Approved);

    // A second run changes nothing.
    let before = world.aws.change(|account| account.secrets.clone());
    let (exit, plan) = world.run_json(&["setup"]);
    assert_eq!(exit, 0, "{plan}");
    assert!(plan["lines"].as_array().unwrap().iter().all(|line| line["action"] == json!("keep")), "{plan}");
    assert_eq!(world.aws.change(|account| account.secrets.clone()), before);

    // A rotated secret and key work as well.
    world.set_variable("SECRET_TTL_SECONDS", "1");
    for what in ["caller", "twilio-key"] {
        assert_done(&world.run(&["rotate", what, "--yes"]));
    }
    let telephony = world.okta.change(|org| org.inline_hooks[0].channel.clone());
    as_okta(&telephony, TelephonyRequest::sms(NUMBER, "271828").body());
    assert_eq!(sandbox.messages().last().map(|message| message.code.clone()).as_deref(), Some("271828"));
}
