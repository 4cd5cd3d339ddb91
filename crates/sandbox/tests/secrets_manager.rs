//! The stand-in for Secrets Manager, with requests like those of the AWS SDK.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "test helpers")]

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use sandbox::secrets_manager::SecretsManager;
use serde_json::{Value, json};

fn connect(secrets: &SecretsManager) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(secrets.url().strip_prefix("http://").unwrap())?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(BufReader::new(stream))
}

/// Requests a secret on a reused connection.
fn call(connection: &mut BufReader<TcpStream>, operation: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: secrets\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: {operation}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    let head: Vec<String> =
        connection.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut content = vec![0; length.parse().unwrap()];
    connection.read_exact(&mut content).unwrap();
    (status, serde_json::from_slice(&content).unwrap())
}

fn get(secrets: &SecretsManager, id: &str) -> (u16, Value) {
    let body = json!({ "SecretId": id }).to_string();
    call(&mut connect(secrets).unwrap(), "secretsmanager.GetSecretValue", &body)
}

#[test]
fn a_secret_can_be_fetched_by_name_and_by_arn() {
    let secrets = SecretsManager::start();
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:okta/hooks-a1B2c3";
    secrets.put("hooks", &json!({ "auth_secret": "one" }));
    secrets.put(arn, &json!({ "auth_secret": "two" }));

    let (status, by_name) = get(&secrets, "hooks");
    assert_eq!(status, 200);
    assert_eq!(by_name["SecretString"], r#"{"auth_secret":"one"}"#);
    assert_eq!(by_name["Name"], "hooks");
    assert_eq!(by_name["ARN"], "arn:aws:secretsmanager:us-east-1:123456789012:secret:hooks-a1B2c3");

    let (_, by_arn) = get(&secrets, arn);
    assert_eq!(by_arn["SecretString"], r#"{"auth_secret":"two"}"#);
    assert_eq!((&by_arn["Name"], &by_arn["ARN"]), (&json!("okta/hooks"), &json!(arn)));
}

#[test]
fn a_new_value_is_a_new_version() {
    let secrets = SecretsManager::start();
    secrets.put("hooks", &json!(1));
    let (_, first) = get(&secrets, "hooks");
    secrets.put("hooks", &json!(2));
    let (_, second) = get(&secrets, "hooks");
    assert_eq!((&first["SecretString"], &second["SecretString"]), (&json!("1"), &json!("2")));
    assert_ne!(first["VersionId"], second["VersionId"]);
}

#[test]
fn fetches_are_counted_whatever_the_response() {
    let secrets = SecretsManager::start();
    assert_eq!(get(&secrets, "hooks").1["__type"], "ResourceNotFoundException");
    secrets.put("hooks", &json!({}));
    assert_eq!(get(&secrets, "hooks").0, 200);
    secrets.remove("hooks");
    assert_eq!(get(&secrets, "hooks").0, 400);
    assert_eq!((secrets.fetches("hooks"), secrets.fetches("other")), (3, 0));
}

#[test]
fn faults_last_until_up() {
    let secrets = SecretsManager::start();
    secrets.put("hooks", &json!({}));
    secrets.deny();
    let (status, body) = get(&secrets, "hooks");
    assert_eq!((status, &body["__type"]), (400, &json!("AccessDeniedException")));
    secrets.internal_error();
    let (status, body) = get(&secrets, "hooks");
    assert_eq!((status, &body["__type"]), (500, &json!("InternalServiceError")));
    secrets.up();
    assert_eq!(get(&secrets, "hooks").0, 200);
}

#[test]
fn an_error_can_come_a_number_of_times() {
    let secrets = SecretsManager::start();
    secrets.put("hooks", &json!({}));
    secrets.refuse_next("ThrottlingException", 2);
    for expected in [400, 400, 200] {
        assert_eq!(get(&secrets, "hooks").0, expected);
    }
    secrets.put("okta", &json!({}));
    secrets.refuse_next_for("okta", "ThrottlingException", 1);
    for (id, expected) in [("hooks", 200), ("okta", 400), ("okta", 200)] {
        assert_eq!(get(&secrets, id).0, expected);
    }
}

#[test]
fn a_secret_can_be_binary() {
    let secrets = SecretsManager::start();
    secrets.put_bytes("hooks", b"{}");
    let (status, body) = get(&secrets, "hooks");
    assert_eq!((status, &body["SecretBinary"], &body["SecretString"]), (200, &json!("e30="), &json!(null)));
}

#[test]
fn a_response_can_be_delayed() {
    let secrets = SecretsManager::start();
    secrets.put("hooks", &json!({}));
    secrets.delay(Duration::from_millis(200));
    let started = Instant::now();
    assert_eq!(get(&secrets, "hooks").0, 200);
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[test]
fn down_closes_kept_connections_and_refuses_new_ones_until_up() {
    let secrets = SecretsManager::start();
    secrets.put("hooks", &json!({}));
    let mut kept = connect(&secrets).unwrap();
    assert_eq!(call(&mut kept, "secretsmanager.GetSecretValue", r#"{"SecretId":"hooks"}"#).0, 200);
    for _ in 0..2 {
        secrets.down();
        secrets.down();
        assert_eq!(connect(&secrets).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let closed = kept.read(&mut [0]);
        assert!(matches!(closed, Ok(0)) || closed.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        secrets.up();
        kept = connect(&secrets).unwrap();
        assert_eq!(call(&mut kept, "secretsmanager.GetSecretValue", r#"{"SecretId":"hooks"}"#).0, 200);
    }
}

#[test]
fn other_operations_and_requests_without_a_name_are_refused() {
    let secrets = SecretsManager::start();
    let mut connection = connect(&secrets).unwrap();
    let (status, body) = call(&mut connection, "secretsmanager.PutSecretValue", "{}");
    assert_eq!((status, &body["__type"]), (400, &json!("UnknownOperationException")));
    let (status, body) = call(&mut connection, "secretsmanager.GetSecretValue", "{}");
    assert_eq!((status, &body["__type"]), (400, &json!("InvalidParameterException")));
}
