//! The control plane, as a person with curl or a browser uses it.

use crate::bench::{Answer, Bench, NUMBER};
use reqwest::Method;
use serde_json::{Value, json};

impl Bench {
    fn control(&self, method: Method, resource: &str, body: Option<Value>) -> Answer {
        let request = self.anonymous_request(method, &format!("/_sandbox{resource}"));
        self.run(request.body(body.map(|body| body.to_string()).unwrap_or_default())).unwrap()
    }

    fn read(&self, resource: &str) -> Value {
        let answer = self.control(Method::GET, resource, None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

#[test]
fn records_can_be_read() {
    let bench = Bench::new();
    bench.send(NUMBER, "024680");
    let inbox = bench.read("/inbox");
    assert_eq!(inbox[0]["to"], NUMBER);
    assert_eq!(inbox[0]["code"], "024680");
    assert_eq!(inbox[0]["channel"], "sms");
    let verifications = bench.read("/verifications");
    assert_eq!(verifications[0]["status"], "pending");
    assert_eq!(verifications[0]["attempts"][0]["sid"], inbox[0]["attempt_sid"]);
    let requests = bench.read("/requests");
    assert_eq!(requests[0]["operation"], "verify_create");
    assert_eq!(requests[0]["response"], json!({ "status": 201, "code": null }));
    assert_eq!(requests.as_array().unwrap().len(), 1, "the control plane is not Twilio");
}

#[test]
fn the_page_loads_nothing_from_other_hosts() {
    let bench = Bench::new();
    for path in ["", "/"] {
        let page = bench.control(Method::GET, path, None);
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert!(!page.text.contains("//cdn") && !page.text.contains("http"), "no foreign address");
        for resource in ["inbox", "verifications", "requests", "okta-requests"] {
            assert!(page.text.contains(&format!("href=\"/_sandbox/{resource}\"")), "the page leads to {resource}");
        }
    }
}

#[test]
fn faults_can_be_set_listed_and_cleared() {
    let bench = Bench::new();
    let faults = [
        json!({ "operation": "verify_create", "fault": { "delay_ms": 1 }, "times": 1 }),
        json!({ "operation": "verify_create", "fault": { "throttle": { "reached_rate_limit": true, "retry_after": 3 } }, "times": 1 }),
        json!({ "operation": "verify_create", "fault": { "status": 503 }, "times": 2 }),
        json!({ "operation": "verify_create", "fault": "not_json", "times": 1 }),
        json!({ "operation": "lookup", "fault": "unauthorized", "times": null }),
        json!({ "operation": "okta_user", "fault": { "status": 500 }, "times": 1 }),
    ];
    for (index, fault) in faults.iter().enumerate() {
        let answer = bench.control(Method::POST, "/faults", Some(fault.clone()));
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json().as_array().unwrap().len(), index + 1);
    }
    assert_eq!(bench.read("/faults"), json!(faults));
    let statuses: Vec<u16> = (0..3).map(|_| bench.send(NUMBER, "1234").status.as_u16()).collect();
    assert_eq!(statuses, [201, 429, 503]);
    assert_eq!(bench.get("/api/v1/users/00usandbox0onephone0").status, 500);
    assert_eq!(bench.read("/okta-requests")[0]["fault"], json!({ "status": 500 }));
    assert_eq!(
        bench.read("/faults")[0],
        json!({ "operation": "verify_create", "fault": { "status": 503 }, "times": 1 })
    );
    assert_eq!(bench.control(Method::DELETE, "/faults", None).json(), json!([]));
    assert_eq!(bench.send(NUMBER, "1234").status, 201);
}

#[test]
fn a_fault_can_last_for_a_time() {
    let bench = Bench::new();
    let down = json!({ "operation": "verify_create", "fault": { "status": 503 }, "seconds": 10 });
    assert_eq!(bench.control(Method::POST, "/faults", Some(down)).status, 200);
    assert_eq!(bench.send(NUMBER, "1234").status, 503);
    assert_eq!(bench.send(NUMBER, "1234").status, 503, "more than once");
    let left = bench.read("/faults")[0]["seconds"].as_u64().unwrap();
    assert!((1..=10).contains(&left), "{left}");
    bench.control(Method::POST, "/clock", Some(json!({ "advance_seconds": 10 })));
    assert_eq!(bench.read("/faults"), json!([]));
    assert_eq!(bench.send(NUMBER, "1234").status, 201);
}

#[test]
fn connections_can_be_closed() {
    let bench = Bench::new();
    for order in [
        (Method::DELETE, "/connections", None),
        (Method::POST, "/faults", Some(json!({ "operation": "lookup", "fault": "close_before_reading", "times": 1 }))),
    ] {
        let mut idle = crate::faults::connect(&bench.sandbox).unwrap();
        crate::faults::ask(&mut idle);
        let (method, resource, body) = order;
        assert_eq!(bench.control(method, resource, body).status, 200);
        assert!(crate::faults::is_closed(&mut idle));
    }
}

#[test]
fn the_clock_can_be_set_forward() {
    let bench = Bench::new();
    bench.send(NUMBER, "1234");
    let before = bench.read("/clock")["now"].as_str().unwrap().to_owned();
    let after = bench.control(Method::POST, "/clock", Some(json!({ "advance_seconds": 600 }))).json();
    assert!(after["now"].as_str().unwrap() > before.as_str());
    assert_eq!(bench.read("/verifications")[0]["status"], "expired");
}

#[test]
fn everything_can_be_reset() {
    let bench = Bench::new();
    bench.send(NUMBER, "1234");
    assert_eq!(bench.control(Method::POST, "/reset", None).status, 200);
    for resource in ["/inbox", "/verifications", "/requests", "/okta-requests", "/faults"] {
        assert_eq!(bench.read(resource), json!([]), "{resource}");
    }
}

#[test]
fn invalid_requests_get_an_error() {
    let bench = Bench::new();
    let year = 365 * 24 * 3600;
    let cases = [
        (Method::POST, "/faults", Some(json!({})), 400, "missing field `operation`"),
        (
            Method::POST,
            "/faults",
            Some(json!({ "operation": "send", "fault": "not_json" })),
            400,
            "unknown variant `send`",
        ),
        (
            Method::POST,
            "/faults",
            Some(json!({ "operation": "lookup", "fault": { "status": 99 } })),
            400,
            "no such status",
        ),
        (
            Method::POST,
            "/faults",
            Some(json!({ "operation": "lookup", "fault": { "delay_ms": u64::MAX } })),
            400,
            "year",
        ),
        (
            Method::POST,
            "/faults",
            Some(json!({ "operation": "lookup", "fault": "not_json", "times": 1, "seconds": 1 })),
            400,
            "either times or seconds",
        ),
        (
            Method::POST,
            "/faults",
            Some(json!({ "operation": "lookup", "fault": "not_json", "seconds": year + 1 })),
            400,
            "year",
        ),
        (Method::POST, "/send", Some(json!({ "event": "no-such-event" })), 404, "no such recorded event"),
        (Method::POST, "/send", Some(json!({ "event": "telephony-sms-mfa-verification" })), 409, "make dev"),
        (Method::POST, "/type", Some(json!({ "story": 1 })), 404, "no such story"),
        (Method::GET, "/send", None, 405, "method"),
        (Method::POST, "/clock", Some(json!({ "advance_seconds": -1 })), 400, "invalid value"),
        (Method::POST, "/clock", Some(json!({ "advance_seconds": year + 1 })), 400, "year"),
        (Method::POST, "/clock", None, 400, "EOF"),
        (Method::DELETE, "/inbox", None, 405, "method"),
        (Method::GET, "/reset", None, 405, "method"),
        (Method::GET, "/messages", None, 404, "no such resource"),
    ];
    for (method, resource, body, status, text) in cases {
        let answer = bench.control(method, resource, body);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, status, "{resource}: {error}");
        assert!(error.contains(text), "{resource}: {error}");
    }
    assert_eq!(bench.control(Method::GET, "x", None).error(), (404, 20404), "not the control plane");
}

#[test]
fn only_requests_to_localhost_are_accepted() {
    let bench = Bench::new();
    for (host, status) in
        [("localhost", 200), ("127.0.0.1:1", 200), ("inbox.example.com", 403), ("localhost.example.com:80", 403)]
    {
        let request = bench.anonymous_request(Method::GET, "/_sandbox/inbox").header("host", host);
        assert_eq!(bench.run(request).unwrap().status, status, "{host}");
    }
}

#[test]
fn requests_from_other_pages_are_refused() {
    let bench = Bench::new();
    let own = bench.sandbox.https_url();
    for (origin, status) in
        [(own.as_str(), 200), ("https://example.com", 403), ("http://localhost:3000", 403), ("null", 403), ("", 403)]
    {
        let request = bench.anonymous_request(Method::POST, "/_sandbox/reset").header("origin", origin);
        assert_eq!(bench.run(request).unwrap().status, status, "{origin:?}");
    }
}
