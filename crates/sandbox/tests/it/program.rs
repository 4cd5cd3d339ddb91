//! The sandbox as a program.

use sandbox::Options;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.args(["--https-port", "0", "--http-port", "0", "--until-stdin-closes"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ends with the test, even if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_serves_until_its_standard_input_is_closed() {
    let mut running = Running(program().spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut value = |name: &str| {
        let line = lines.find(|line| line.contains(name)).unwrap();
        line.trim().trim_start_matches(name).trim().to_owned()
    };
    let inbox = value("Inbox");
    assert!(value("TWILIO_VERIFY_URL=").starts_with("https://localhost:"));
    let ca_file = value("EXTRA_CA_FILE=");
    assert!(std::fs::read_to_string(&ca_file).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(value("VERIFY_SERVICE_SID="), Options::default().service_sid);
    let secret = lines.find(|line| line.contains('{')).unwrap();
    let secret: serde_json::Value = serde_json::from_str(&secret).unwrap();
    assert_eq!(secret["twilio_api_key_sid"], Options::default().api_key_sid);

    let address = inbox.strip_prefix("http://").unwrap().strip_suffix("/_sandbox/").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET /_sandbox/ HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("<title>Sandbox: what became of each code</title>"));

    drop(running.0.stdin.take());
    assert!(running.0.wait().unwrap().success());
    assert!(!std::path::Path::new(&ca_file).exists());
}

#[test]
fn it_does_not_start_inside_lambda() {
    for variable in ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_EXECUTION_ENV"] {
        let output = program().env(variable, "x").output().unwrap();
        assert!(!output.status.success());
        assert_eq!(output.stdout, b"");
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!(
                "sandbox: the sandbox is for development only and does not start inside AWS Lambda ({variable} is set)\n"
            )
        );
    }
}

#[test]
fn an_invalid_rate_limit_is_an_error() {
    for (text, good) in [("okta_user=5/600", true), ("okta_user=5", false), ("5/600", false), ("a=b/c", false)] {
        let output = program().args(["--rate-limit", text]).output().unwrap();
        assert_eq!(output.status.success(), good, "{text}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).contains("expected KEY=MAX/SECONDS"), !good);
    }
}

#[test]
fn a_taken_port_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output =
        Command::new(env!("CARGO_BIN_EXE_sandbox")).args(["--https-port", &port, "--http-port", "0"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("sandbox: cannot listen on 127.0.0.1: port {port}: ")), "{said}");
    assert!(said.contains("--http-port and --https-port choose others"), "{said}");
}
