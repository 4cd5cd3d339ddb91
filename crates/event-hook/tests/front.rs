//! Events that are not from Okta, with the real binary.

#![expect(clippy::expect_used, clippy::panic, reason = "what goes wrong here fails the test that uses it")]

mod support;

use sandbox::deployment::HttpAnswer;
use serde_json::{Value, json};
use support::Hook;

#[test]
fn another_payload_format_is_named() {
    let hook = Hook::start();
    for method in ["GET", "POST"] {
        let response = HttpAnswer::of(hook.function.invoke(&json!({
            "version": "1.0", "resource": "/events", "path": "/events", "httpMethod": method,
            "headers": {}, "requestContext": {"resourcePath": "/events", "httpMethod": method}, "body": null
        })));
        assert_eq!(response.status, 400);
        let cause = response.body.pointer("/error/errorCauses/0").expect("a cause");
        assert_eq!(cause["reason"], "payload_format");
        assert_eq!(cause["location"], "payloadFormatVersion");
    }
}

#[test]
fn a_ping_logs_nothing() {
    let hook = Hook::start();
    let before = hook.function.log_lines().len();
    for event in [
        json!({}),
        json!({"source": "serverless-plugin-warmup"}),
        json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
    ] {
        let response = HttpAnswer::of(hook.function.invoke(&event));
        assert_eq!((response.status, &response.body), (204, &Value::Null), "{event}");
    }
    assert_eq!(hook.function.log_lines().len(), before, "no line and no metric");
}
