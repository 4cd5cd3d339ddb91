//! The Twilio account and the Okta org are as strict as the vendors, or stricter where the vendors do not say.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use http::{Method, Request};
use sandbox::{
    OktaOptions,
    okta_org::OktaOrg,
    twilio_account::{Key, Power, TwilioAccount},
};
use serde_json::{Value, json};

/// Sends a request. The response is a status and JSON; no body is null.
fn send(request: Request<String>) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.run(request).unwrap();
    let body = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() })
}

/// A request of the account itself.
fn twilio(account: &TwilioAccount, method: Method, path: &str, form: &str) -> (u16, Value) {
    as_caller(
        account,
        "QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTphbi1leGFtcGxlLW9mLWFuLWF1dGgtdG9rZW4=",
        method,
        path,
        form,
    )
}

fn as_caller(account: &TwilioAccount, credentials: &str, method: Method, path: &str, form: &str) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", account.url()))
        .header("authorization", format!("Basic {credentials}"))
        .header("content-type", "application/x-www-form-urlencoded");
    send(request.body(form.to_owned()).unwrap())
}

fn okta(org: &OktaOrg, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", org.url()))
        .header("authorization", format!("SSWS {}", OktaOptions::default().api_token));
    send(request.body(body.to_string()).unwrap())
}

fn channel(url: &str) -> Value {
    let scheme = json!({"type": "HEADER", "key": "auth_secret", "value": "an-example-of-a-secret"});
    json!({"type": "HTTP", "version": "1.0.0", "config": {"uri": url, "method": "POST", "authScheme": scheme}})
}

fn telephony_hook() -> Value {
    let url = "https://hooks.example.com/telephony";
    json!({"name": "A hook", "type": "com.okta.telephony.provider", "version": "1.0.0", "channel": channel(url)})
}

#[test]
fn twilio_refuses_what_it_does_not_document() {
    let account = TwilioAccount::start();
    for (path, form) in [
        ("/v2/Services", "FriendlyName=Example&CustomCodesEnabled=true"),
        ("/v2/Services", "CustomCodeEnabled=true"),
        ("/v2/Services", "FriendlyName=A+name+with+more+than+thirty+characters"),
        ("/v2/Services", "FriendlyName=Example&CustomCodeEnabled=yes"),
        ("/v1/Keys", "AccountSid=AC00000000000000000000000000000002&KeyType=restricted&Policy={\"allow\":[]}"),
        ("/v1/Keys", "AccountSid=AC00000000000000000000000000000001&KeyType=restricted&Policy={\"allow\":[\"/all\"]}"),
    ] {
        let (status, body) = twilio(&account, Method::POST, path, form);
        assert_eq!((status, &body["code"]), (400, &json!(60200)), "{form}: {body}");
    }
    assert_eq!(twilio(&account, Method::GET, "/v2/Attempts?Number=1", "").0, 400);
    assert_eq!(as_caller(&account, "QUM6eA==", Method::GET, "/v2/Services", "").0, 401);
}

#[test]
fn a_rate_limit_and_an_interval_exist_once() {
    let account = TwilioAccount::start();
    let (status, service) = twilio(&account, Method::POST, "/v2/Services", "FriendlyName=Example");
    assert_eq!((status, &service["custom_code_enabled"]), (201, &json!(false)));
    let limits = format!("/v2/Services/{}/RateLimits", service["sid"].as_str().unwrap());
    let (status, limit) = twilio(&account, Method::POST, &limits, "UniqueName=okta_user");
    assert_eq!(status, 201);
    assert_eq!(twilio(&account, Method::POST, &limits, "UniqueName=okta_user").1["code"], 60208);
    assert_eq!(twilio(&account, Method::POST, &limits, "UniqueName=okta+user").1["code"], 60209);
    let buckets = format!("{limits}/{}/Buckets", limit["sid"].as_str().unwrap());
    assert_eq!(twilio(&account, Method::POST, &buckets, "Max=5&Interval=600").0, 201);
    assert_eq!(twilio(&account, Method::POST, &buckets, "Max=9&Interval=600").1["code"], 60211);
    assert_eq!(twilio(&account, Method::GET, &buckets, "").1["buckets"][0]["max"], 5);
}

#[test]
fn a_key_does_what_its_policy_says_and_shows_its_secret_once() {
    let account = TwilioAccount::start();
    let policy = "%7B%22allow%22%3A%5B%22%2Ftwilio%2Fverify%2Fservice%2Flist%22%5D%7D";
    let form =
        format!("AccountSid=AC00000000000000000000000000000001&FriendlyName=a&KeyType=restricted&Policy={policy}");
    let (status, key) = twilio(&account, Method::POST, "/v1/Keys", &form);
    assert_eq!((status, key["secret"].is_string()), (201, true));
    let path = format!("/v1/Keys/{}", key["sid"].as_str().unwrap());
    let (_, read) = twilio(&account, Method::GET, &path, "");
    assert_eq!((&read["policy"]["allow"][0], &read["secret"]), (&json!("/twilio/verify/service/list"), &Value::Null));
    // SK1:x
    let limited = Key {
        secret: "x".into(),
        friendly_name: "a".into(),
        power: Power::restricted(&["/twilio/verify/service/list"]),
    };
    account.change(|account| account.keys.insert("SK1".into(), limited));
    assert_eq!(as_caller(&account, "U0sxOng=", Method::GET, "/v2/Services", "").0, 200);
    let (status, body) = as_caller(&account, "U0sxOng=", Method::POST, "/v2/Services", "FriendlyName=Example");
    assert_eq!((status, &body["code"]), (403, &json!(20006)));
    // A standard key reads no keys.
    account.change(|account| account.keys.get_mut("SK1").unwrap().power = Power::Standard);
    assert_eq!(as_caller(&account, "U0sxOng=", Method::GET, &path, "").0, 403);
}

#[test]
fn okta_takes_one_active_telephony_hook_and_deletes_inactive_ones_only() {
    let org = OktaOrg::start(OktaOptions::default());
    let (status, hook) = okta(&org, Method::POST, "/api/v1/inlineHooks", &telephony_hook());
    assert_eq!((status, &hook["status"]), (200, &json!("ACTIVE")));
    assert_eq!(hook["channel"]["config"]["authScheme"]["value"], Value::Null, "the secret is never returned");
    assert_eq!(okta(&org, Method::POST, "/api/v1/inlineHooks", &telephony_hook()).0, 400);
    let path = format!("/api/v1/inlineHooks/{}", hook["id"].as_str().unwrap());
    assert_eq!(okta(&org, Method::DELETE, &path, &Value::Null).0, 400);
    assert_eq!(okta(&org, Method::POST, &format!("{path}/lifecycle/deactivate"), &Value::Null).0, 200);
    assert_eq!(okta(&org, Method::POST, "/api/v1/inlineHooks", &telephony_hook()).0, 200);
    assert_eq!(okta(&org, Method::DELETE, &path, &Value::Null).0, 204);
    let mut unknown = telephony_hook();
    unknown["channel"]["config"]["url"] = json!("https://hooks.example.com");
    assert_eq!(okta(&org, Method::POST, "/api/v1/inlineHooks", &unknown).1["errorCode"], "E0000001");
}

#[test]
fn okta_verifies_an_event_hook_again_after_its_channel_has_changed() {
    let org = OktaOrg::start(OktaOptions::default());
    let hook = |url: &str| {
        let events = json!({"type": "EVENT_TYPE", "items": ["user.mfa.factor.activate"]});
        json!({"name": "A hook", "events": events, "channel": channel(url)})
    };
    let (_, created) = okta(&org, Method::POST, "/api/v1/eventHooks", &hook("https://hooks.example.com/events"));
    assert_eq!((&created["status"], &created["verificationStatus"]), (&json!("ACTIVE"), &json!("UNVERIFIED")));
    let path = format!("/api/v1/eventHooks/{}", created["id"].as_str().unwrap());
    org.change(|org| org.event_hooks[0].is_verified = true);
    let replace = |url: &str| okta(&org, Method::PUT, &path, &hook(url)).1["verificationStatus"].clone();
    assert_eq!(replace("https://hooks.example.com/events"), "VERIFIED");
    assert_eq!(replace("https://hooks.example.com/others"), "UNVERIFIED");
    let mut filtered = hook("https://hooks.example.com/events");
    let condition = json!({"expression": "event.outcome.result eq 'SUCCESS'"});
    filtered["events"]["filter"] =
        json!({"eventFilterMap": [{"event": "user.mfa.factor.activate", "condition": condition}]});
    assert_eq!(okta(&org, Method::PUT, &path, &filtered).0, 400, "the feature is off");
    org.change(|org| org.features.insert("Event hook filters".to_owned(), true));
    assert_eq!(okta(&org, Method::PUT, &path, &filtered).0, 200);
}

#[test]
fn okta_reports_a_hook_that_does_not_answer() {
    let org = OktaOrg::start(OktaOptions::default());
    // No hook is at the org's own address.
    let mut hook = telephony_hook();
    hook["channel"] = channel(&format!("{}/telephony", org.url()));
    let (_, created) = okta(&org, Method::POST, "/api/v1/inlineHooks", &hook);
    let path = format!("/api/v1/inlineHooks/{}/execute", created["id"].as_str().unwrap());
    assert_eq!(okta(&org, Method::POST, &path, &json!({})).0, 400);
    org.change(|org| org.denied.insert("okta.inlineHooks.manage"));
    assert_eq!(okta(&org, Method::POST, &path, &json!({})).1["errorCode"], "E0000006");
    org.change(|org| org.requests_left = 0);
    assert_eq!(okta(&org, Method::GET, "/api/v1/eventHooks", &Value::Null).1["errorCode"], "E0000047");
}
