//! Okta's side: users, tokens, limits and faults, as a client sees them.

use crate::bench::{Answer, Bench};
use reqwest::Method;
use sandbox::{Fault, MAGIC_USERS, OktaOptions, OktaUser, Operation, Options, ServiceAppKey, Times};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const USER: &str = "00usandbox0onephone0";
const HOUR: u64 = 3600;

/// Sends a request with the API token.
fn get(bench: &Bench, path: &str) -> Answer {
    get_as(bench, path, "SSWS sandbox-okta-api-token")
}

fn get_as(bench: &Bench, path: &str, authorization: &str) -> Answer {
    bench.run(bench.anonymous_request(Method::GET, path).header("authorization", authorization)).unwrap()
}

fn factors(bench: &Bench, user: &str) -> Answer {
    get(bench, &format!("/api/v1/users/{user}/factors"))
}

/// The number and status of every phone that can receive codes by this channel.
fn phones(bench: &Bench, user: &str, kind: &str) -> Vec<(String, String)> {
    let answer = factors(bench, user);
    assert_eq!(answer.status, 200);
    let factors = answer.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let phones = factors.as_array().unwrap().iter().filter(|factor| factor["factorType"] == kind);
    phones.map(|factor| (text(&factor["profile"]["phoneNumber"]), text(&factor["status"]))).collect()
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["errorCode"].as_str().unwrap().to_owned())
}

fn expect_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(error(answer), (status, code.to_owned()));
}

fn header(answer: &Answer, name: &str) -> u64 {
    answer.header(name).unwrap().parse().unwrap()
}

fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a client signs with its system time")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A bench with a service app in its org, and the app's key.
fn bench_with(key: &ServiceAppKey) -> Bench {
    let okta = OktaOptions { public_keys: vec![key.public_jwk()], ..OktaOptions::default() };
    Bench::with(Options { okta, ..Options::default() })
}

fn claims(bench: &Bench) -> Value {
    let client = &bench.options.okta.client_id;
    json!({
        "iss": client, "sub": client, "aud": "https://example.okta.com/oauth2/v1/token",
        "exp": now() + HOUR - 60, "jti": "00000000-0000-4000-8000-000000000001"
    })
}

fn ask_for_token(bench: &Bench, assertion: &str, scope: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    bench.run(bench.anonymous_request(Method::POST, "/oauth2/v1/token").form(&form)).unwrap()
}

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["error"].as_str().unwrap().to_owned())
}

mod users {
    use super::*;

    fn active(numbers: &[&str]) -> Vec<(String, String)> {
        numbers.iter().map(|number| ((*number).to_owned(), "ACTIVE".to_owned())).collect()
    }

    #[test]
    fn every_magic_user_is_there() {
        let bench = Bench::new();
        for (user, sms, call) in [
            ("00uyxxSknGtK8022w0g3", &["+12025550123"][..], &["+12025550123"][..]),
            ("00usandbox0onephone0", &["+12025550141"], &[]),
            ("00usandbox0twophones", &["+12025550142", "+12025550143"], &[]),
            ("00usandbox0smsncall0", &["+12025550144"], &["+12025550145"]),
            ("00usandbox0mobile000", &[], &[]),
            ("00usandbox0formatted", &["+1-202-555-0149"], &[]),
            ("00usandbox0nophone00", &[], &[]),
        ] {
            assert_eq!(phones(&bench, user, "sms"), active(sms), "{user}");
            assert_eq!(phones(&bench, user, "call"), active(call), "{user}");
        }
        assert_eq!(phones(&bench, "00usandbox0inactive0", "sms")[0].1, "PENDING_ACTIVATION");
        let profile = |user: &str| get(&bench, &format!("/api/v1/users/{user}")).json()["profile"].clone();
        assert_eq!(profile("00usandbox0mobile000")["mobilePhone"], "+1 (202) 555-0146");
        assert_eq!(profile("00usandbox0primary00")["primaryPhone"], "+12025550147");
        assert_eq!(profile("00usandbox0primary00")["mobilePhone"], Value::Null);
        expect_error(&factors(&bench, "00usandbox0deleted00"), 404, "E0000007");
        expect_error(&factors(&bench, "00usandbox0forbidden"), 403, "E0000006");
        expect_error(&factors(&bench, "00usandbox0failing00"), 500, "E0000009");
        assert_eq!(MAGIC_USERS.len(), 14, "each of them has a test in this file");
    }

    #[test]
    fn the_throttled_user_can_be_read_after_the_reset() {
        let bench = Bench::new();
        for _ in 0..2 {
            let answer = factors(&bench, "00usandbox0throttled");
            expect_error(&answer, 429, "E0000047");
            assert_eq!(header(&answer, "x-rate-limit-remaining"), 0);
            let date = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
            let date = date.duration_since(UNIX_EPOCH).unwrap().as_secs();
            assert!((4..=6).contains(&(header(&answer, "x-rate-limit-reset") - date)));
        }
        bench.sandbox.advance(Duration::from_secs(6));
        assert_eq!(phones(&bench, "00usandbox0throttled", "sms"), active(&["+12025550141"]));
    }

    #[test]
    fn the_slow_user_gets_a_late_response() {
        let bench = Bench::new();
        let started = Instant::now();
        assert_eq!(phones(&bench, "00usandbox0slow00000", "sms").len(), 1);
        assert!(started.elapsed() >= Duration::from_secs(6));
    }

    #[test]
    fn added_by_a_test() {
        let bench = Bench::new();
        expect_error(&factors(&bench, "00uadded000000000001"), 404, "E0000007");
        bench.sandbox.put_okta_user(OktaUser::new("00uadded000000000001").sms("+12025550150").call("+12025550151"));
        assert_eq!(phones(&bench, "00uadded000000000001", "sms"), active(&["+12025550150"]));
        assert_eq!(phones(&bench, "00uadded000000000001", "call"), active(&["+12025550151"]));
        bench.sandbox.reset();
        expect_error(&factors(&bench, "00uadded000000000001"), 404, "E0000007");
    }
}

mod access {
    use super::*;

    #[test]
    fn only_with_a_token() {
        let bench = Bench::new();
        let path = format!("/api/v1/users/{USER}/factors");
        for wrong in ["SSWS wrong", "Bearer sandbox-okta-api-token", "Basic eDp5", "SSWS"] {
            expect_error(&get_as(&bench, &path, wrong), 401, "E0000011");
        }
        expect_error(&bench.run(bench.anonymous_request(Method::GET, &path)).unwrap(), 401, "E0000011");
        assert!(bench.sandbox.okta_requests().iter().all(|request| !request.authenticated));
        assert_eq!(get(&bench, &path).status, 200);
        let requests = bench.sandbox.okta_requests();
        let last = requests.last().unwrap();
        assert_eq!((last.operation, last.scheme.as_deref()), (Operation::OktaFactors, Some("SSWS")));
        assert_eq!((last.user_id.as_deref(), last.authenticated), (Some(USER), true));
        assert!(bench.sandbox.requests().is_empty(), "none of these requests is for Twilio");
    }

    #[test]
    fn an_access_token_lasts_an_hour() {
        for key in [ServiceAppKey::rsa("rsa-1"), ServiceAppKey::p256("ec-1")] {
            let bench = bench_with(&key);
            let answer = ask_for_token(&bench, &key.assertion(&claims(&bench)), "okta.users.read");
            assert_eq!(answer.status, 200, "{}", answer.text);
            let granted = answer.json();
            assert_eq!(granted["token_type"], "Bearer");
            assert_eq!((&granted["expires_in"], &granted["scope"]), (&json!(HOUR), &json!("okta.users.read")));
            let authorization = format!("Bearer {}", granted["access_token"].as_str().unwrap());
            let path = format!("/api/v1/users/{USER}");
            assert_eq!(get_as(&bench, &path, &authorization).status, 200);
            bench.sandbox.advance(Duration::from_secs(HOUR - 60));
            assert_eq!(get_as(&bench, &path, &authorization).status, 200);
            bench.sandbox.advance(Duration::from_secs(61));
            expect_error(&get_as(&bench, &path, &authorization), 401, "E0000011");
        }
    }

    #[test]
    fn every_claim_of_the_assertion_is_checked() {
        let key = ServiceAppKey::p256("ec-1");
        let bench = bench_with(&key);
        let with = |name: &str, value: Value| {
            let mut claims = claims(&bench);
            claims[name] = value;
            key.assertion(&claims)
        };
        let good = key.assertion(&claims(&bench));
        let (signed, _signature) = good.rsplit_once('.').unwrap();
        for (wrong, what) in [
            (with("iss", json!("0oaother")), "issuer"),
            (with("sub", Value::Null), "subject"),
            (with("aud", json!("https://example.com/oauth2/v1/token")), "audience"),
            (with("aud", json!("https://example.okta.com")), "audience"),
            (with("exp", json!(now() - 1)), "end"),
            (with("exp", json!(now() + HOUR + 60)), "end"),
            (with("exp", json!("soon")), "end"),
            (ServiceAppKey::p256("ec-1").assertion(&claims(&bench)), "key"),
            (ServiceAppKey::p256("ec-2").assertion(&claims(&bench)), "key id"),
            (ServiceAppKey::rsa("ec-1").assertion(&claims(&bench)), "kind of key"),
            (format!("{signed}."), "signature"),
            ("no.jwt".to_owned(), "form"),
        ] {
            let refused = refusal(&ask_for_token(&bench, &wrong, "okta.users.read"));
            assert_eq!(refused, (401, "invalid_client".to_owned()), "{what}");
        }
        assert_eq!(ask_for_token(&bench, &good, "okta.users.read").status, 200);
        let again = refusal(&ask_for_token(&bench, &good, "okta.users.read"));
        assert_eq!(again, (401, "invalid_client".to_owned()), "used before");
    }

    #[test]
    fn the_audience_may_be_the_url_that_was_asked() {
        let key = ServiceAppKey::p256("ec-1");
        let bench = bench_with(&key);
        let mut claims = claims(&bench);
        claims["aud"] = json!(format!("{}/oauth2/v1/token", bench.sandbox.https_url()));
        assert_eq!(ask_for_token(&bench, &key.assertion(&claims), "okta.users.read").status, 200);
    }

    #[test]
    fn only_the_scope_that_was_granted() {
        let key = ServiceAppKey::p256("ec-1");
        let invalid_scope = (400, "invalid_scope".to_owned());
        let bench = bench_with(&key);
        assert_eq!(
            refusal(&ask_for_token(&bench, &key.assertion(&claims(&bench)), "okta.users.manage")),
            invalid_scope
        );
        let okta = OktaOptions { scope_granted: false, ..bench.options.okta.clone() };
        let bench = Bench::with(Options { okta, ..Options::default() });
        assert_eq!(refusal(&ask_for_token(&bench, &key.assertion(&claims(&bench)), "okta.users.read")), invalid_scope);
    }
}

mod limits_and_faults {
    use super::*;

    #[test]
    fn requests_per_minute_are_limited_for_each_endpoint() {
        let okta = OktaOptions { rate_limit: 2, ..OktaOptions::default() };
        let bench = Bench::with(Options { okta, ..Options::default() });
        for remaining in [1, 0] {
            let answer = factors(&bench, USER);
            assert_eq!(answer.status, 200);
            assert_eq!(header(&answer, "x-rate-limit-limit"), 2);
            assert_eq!(header(&answer, "x-rate-limit-remaining"), remaining);
        }
        expect_error(&factors(&bench, USER), 429, "E0000047");
        assert_eq!(get(&bench, &format!("/api/v1/users/{USER}")).status, 200, "another endpoint");
        bench.sandbox.advance(Duration::from_mins(1));
        assert_eq!(factors(&bench, USER).status, 200);
    }

    #[test]
    fn faults() {
        let bench = Bench::new();
        let once = |fault: Fault| {
            bench.sandbox.fault(Operation::OktaFactors, fault, Times::Next(1));
            factors(&bench, USER)
        };
        expect_error(&once(Fault::Status(403)), 403, "E0000006");
        expect_error(&once(Fault::Status(503)), 503, "E0000009");
        expect_error(&once(Fault::Unauthorized), 401, "E0000011");
        let throttled = once(Fault::Throttle { reached_rate_limit: false, retry_after: Some(7) });
        expect_error(&throttled, 429, "E0000047");
        let ahead = header(&throttled, "x-rate-limit-reset") - now();
        assert!((6..=8).contains(&ahead), "{ahead}");
        assert!(once(Fault::Status(502)).text.starts_with("<html>"));
        assert!(once(Fault::NotJson).text.starts_with("<html>"));
        let started = Instant::now();
        assert_eq!(once(Fault::Delay(Duration::from_millis(200))).status, 200);
        assert!(started.elapsed() >= Duration::from_millis(200));
        bench.sandbox.fault(Operation::OktaFactors, Fault::CloseAfterReading, Times::Next(1));
        let path = format!("/api/v1/users/{USER}/factors");
        assert!(bench.run(bench.anonymous_request(Method::GET, &path)).is_err());
        assert_eq!(bench.sandbox.okta_requests().last().unwrap().response, None);
        assert_eq!(factors(&bench, USER).status, 200);
    }

    #[test]
    fn faults_of_the_token_endpoint_are_oauths() {
        let key = ServiceAppKey::p256("ec-1");
        let bench = bench_with(&key);
        for (fault, status, code) in [
            (Fault::Unauthorized, 401, "invalid_client"),
            (Fault::Status(400), 400, "invalid_request"),
            (Fault::Status(500), 500, "server_error"),
        ] {
            bench.sandbox.fault(Operation::OktaToken, fault, Times::Next(1));
            let answer = ask_for_token(&bench, &key.assertion(&claims(&bench)), "okta.users.read");
            assert_eq!(refusal(&answer), (status, code.to_owned()));
        }
    }

    #[test]
    fn tests_can_wait_for_requests_to_okta() {
        let bench = Bench::new();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                bench.sandbox.wait_until(Duration::from_secs(10), |sandbox| sandbox.okta_requests().len() == 2)
            });
            let other = std::thread::spawn({
                let url = bench.sandbox.http_url();
                move || {
                    use std::io::{Read, Write};
                    for _ in 0..2 {
                        let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://")).unwrap();
                        stream.write_all(b"GET /api/v1/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
                        stream.read_to_end(&mut Vec::new()).unwrap();
                    }
                }
            });
            other.join().unwrap();
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn unknown_resources() {
        let bench = Bench::new();
        expect_error(&get(&bench, "/api/v1/groups"), 404, "E0000007");
        let path = format!("/api/v1/users/{USER}");
        let delete = bench.anonymous_request(Method::DELETE, &path);
        let answer = bench.run(delete.header("authorization", "SSWS sandbox-okta-api-token")).unwrap();
        expect_error(&answer, 405, "E0000022");
        assert_eq!(refusal(&get(&bench, "/oauth2/v1/token")).0, 400);
    }
}
