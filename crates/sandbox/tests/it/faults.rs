//! Faults: what a client sees of each, and whether the message was sent.

use crate::bench::{Answer, Bench, NUMBER};
use sandbox::{Fault, Operation, Sandbox, Times};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Sends one code with the fault, then another one without it, which must succeed.
fn meet(fault: Fault) -> (Result<Answer, reqwest::Error>, Bench) {
    let bench = Bench::new();
    bench.sandbox.fault(Operation::VerifyCreate, fault.clone(), Times::Next(1));
    let form = [("To", NUMBER), ("Channel", "sms"), ("CustomCode", "1234")];
    let answer = bench.try_create(&form);
    if fault != Fault::CloseBeforeReading {
        assert_eq!(bench.sandbox.requests()[0].fault, Some(fault));
    }
    assert_eq!(bench.send("+12025550124", "1234").status, 201, "the fault is over");
    (answer, bench)
}

fn sent(sandbox: &Sandbox) -> bool {
    sandbox.messages().iter().any(|message| message.to == NUMBER)
}

#[test]
fn delay() {
    let started = Instant::now();
    let (answer, bench) = meet(Fault::Delay(Duration::from_millis(200)));
    assert_eq!(answer.unwrap().status, 201);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert!(sent(&bench.sandbox));
}

#[test]
fn close_before_reading() {
    let (answer, bench) = meet(Fault::CloseBeforeReading);
    assert!(answer.is_err());
    assert!(!sent(&bench.sandbox));
    assert_eq!(bench.sandbox.requests().len(), 1, "only the second one arrived");
    assert_eq!(bench.sandbox.connections(), 2);
}

#[test]
fn close_before_reading_also_closes_idle_connections() {
    let bench = Bench::new();
    let mut idle = connect(&bench.sandbox).unwrap();
    assert_eq!(ask(&mut idle), "HTTP/1.1 404 Not Found");
    bench.sandbox.fault(Operation::Lookup, Fault::CloseBeforeReading, Times::Next(1));
    assert!(is_closed(&mut idle));
    assert!(is_closed(&mut connect(&bench.sandbox).unwrap()), "the next connection is the one");
    assert_eq!(ask(&mut connect(&bench.sandbox).unwrap()), "HTTP/1.1 404 Not Found");
}

#[test]
fn close_after_reading() {
    let (answer, bench) = meet(Fault::CloseAfterReading);
    assert!(answer.is_err());
    assert!(!sent(&bench.sandbox));
    assert!(bench.sandbox.requests()[0].swallowed());
}

#[test]
fn close_after_sending() {
    let (answer, bench) = meet(Fault::CloseAfterSending);
    assert!(answer.is_err());
    assert!(sent(&bench.sandbox));
    assert!(bench.sandbox.requests()[0].swallowed());
}

#[test]
fn throttle() {
    let (answer, bench) = meet(Fault::Throttle { reached_rate_limit: false, retry_after: None });
    let answer = answer.unwrap();
    assert_eq!(answer.error(), (429, 20429));
    assert!(answer.header("twilio-reached-rate-limit").is_none() && answer.header("retry-after").is_none());
    assert!(!sent(&bench.sandbox));

    let (answer, _bench) = meet(Fault::Throttle { reached_rate_limit: true, retry_after: Some(7) });
    let answer = answer.unwrap();
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert!(answer.header("twilio-reached-rate-limit").is_some());
}

#[test]
fn status() {
    for status in [500, 503] {
        let (answer, bench) = meet(Fault::Status(status));
        assert_eq!(answer.unwrap().error(), (status, 20000 + u64::from(status)));
        assert!(!sent(&bench.sandbox));
    }
    let (answer, _bench) = meet(Fault::Status(502));
    let answer = answer.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (502, Some("text/html")));
}

#[test]
fn unauthorized() {
    let (answer, bench) = meet(Fault::Unauthorized);
    assert_eq!(answer.unwrap().error(), (401, 20003));
    assert!(!sent(&bench.sandbox));
}

#[test]
fn not_json() {
    let (answer, bench) = meet(Fault::NotJson);
    let answer = answer.unwrap();
    assert_eq!(answer.status, 201);
    assert!(serde_json::from_str::<serde_json::Value>(&answer.text).is_err());
    assert!(sent(&bench.sandbox));
}

#[test]
fn huge() {
    let (answer, bench) = meet(Fault::Huge(1_000_000));
    let answer = answer.unwrap();
    assert!(answer.text.len() > 1_000_000);
    assert!(answer.header("content-length").is_none());
    assert_eq!(answer.json()["status"], "pending");
    assert!(sent(&bench.sandbox));
}

#[test]
fn truncated() {
    let (answer, bench) = meet(Fault::Truncated);
    let error = answer.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "the head arrived, the body did not: {error:?}");
    assert!(sent(&bench.sandbox));
}

#[test]
fn faults_follow_each_other_and_leave_other_operations_alone() {
    let bench = Bench::new();
    bench.sandbox.fault(Operation::VerifyCreate, Fault::Status(503), Times::Next(2));
    bench.sandbox.fault(Operation::VerifyCreate, Fault::Status(500), Times::UntilCleared);
    let statuses: Vec<u16> = (0..4).map(|_| bench.send(NUMBER, "1234").status.as_u16()).collect();
    assert_eq!(statuses, [503, 503, 500, 500]);
    assert_eq!(bench.update(NUMBER, "approved").status, 404);
    bench.sandbox.clear_faults();
    assert_eq!(bench.send(NUMBER, "1234").status, 201);
}

#[test]
fn idle_connections_can_be_closed() {
    let bench = Bench::new();
    bench.send(NUMBER, "1234");
    bench.send(NUMBER, "1234");
    assert_eq!(bench.sandbox.connections(), 1, "the connection is reused");

    let mut used = connect(&bench.sandbox).unwrap();
    ask(&mut used);
    ask(&mut used);
    let mut fresh = connect(&bench.sandbox).unwrap();
    // Connections are served in the order in which they come: after this answer, `fresh` is known to the server.
    ask(&mut connect(&bench.sandbox).unwrap());
    bench.sandbox.close_idle_connections();
    assert!(is_closed(&mut used));
    assert!(is_closed(&mut fresh));
    let error = bench.try_create(&[("To", NUMBER), ("Channel", "sms")]).unwrap_err();
    assert!(error.is_request(), "a client that did not look in between writes to a dead connection: {error:?}");
    bench.send(NUMBER, "1234");
    let connections: Vec<u64> = bench.sandbox.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [1, 1, 2, 2, 4, 5]);
}

#[test]
fn connections_can_be_refused() {
    let bench = Bench::new();
    let mut idle = connect(&bench.sandbox).unwrap();
    ask(&mut idle);
    bench.sandbox.stop_listening();
    assert!(is_closed(&mut idle));
    assert_eq!(connect(&bench.sandbox).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let error = bench.try_create(&[("To", NUMBER), ("Channel", "sms")]).unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    bench.sandbox.resume_listening();
    assert_eq!(bench.send(NUMBER, "1234").status, 201);
    assert_eq!(ask(&mut connect(&bench.sandbox).unwrap()), "HTTP/1.1 404 Not Found");
}

/// A plain connection without TLS and without an HTTP client.
pub(crate) fn connect(sandbox: &Sandbox) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(sandbox.http_url().trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// Sends a request and returns the first line of the answer.
pub(crate) fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().lines().next().unwrap().to_owned()
}

pub(crate) fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0))
}

#[test]
fn tests_can_wait_for_requests() {
    let bench = Bench::new();
    assert!(!bench.sandbox.wait_until(Duration::from_millis(1), sent));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.sandbox.wait_until(Duration::from_secs(10), sent));
        bench.send(NUMBER, "1234");
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn the_certificate_file_is_removed_on_drop() {
    let bench = Bench::new();
    let path = bench.sandbox.ca_file().to_owned();
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    drop(bench);
    assert!(!path.exists());
}
