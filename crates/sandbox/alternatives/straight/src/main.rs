//! The HTTPS calls of both hooks, written straight down with the same crates. It checks the secret, sends the code or
//! approves the verification of each event, and does nothing else: no policy, no time budget, no retry, no cache, no
//! masking, no metrics. Like the hooks, it fetches the secret and opens the connections before the first request.

use std::{env, error::Error as StdError};

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};

struct Hook {
    http: reqwest::Client,
    verify: String,
    lookup: Option<String>,
    table: Option<(aws_sdk_dynamodb::Client, String)>,
    secret: Value,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let http = client()?;
    let sdk = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(env::var("AWS_REGION").ok().map(aws_config::Region::new))
        .credentials_provider(aws_config::environment::EnvironmentVariableCredentialsProvider::new())
        .http_client(Connector(http.clone()))
        .load()
        .await;
    let verify = env::var("TWILIO_VERIFY_URL")?;
    let lookup = env::var("LOOKUP_FIELDS").is_ok().then(|| env::var("TWILIO_LOOKUP_URL")).transpose()?;
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    let (secret, _connected, _lookup_connected) = tokio::join!(
        secrets.get_secret_value().secret_id(env::var("HOOKS_SECRET_ID")?).send(),
        http.head(&verify).send(),
        async {
            if let Some(lookup) = &lookup {
                let _ = http.head(lookup).send().await;
            }
        },
    );
    let secret = serde_json::from_str(secret?.secret_string().unwrap_or_default())?;
    let table = env::var("SENDS_TABLE").ok().map(|table| (aws_sdk_dynamodb::Client::new(&sdk), table));
    let hook = &Hook {
        http,
        verify: format!("{verify}/v2/Services/{}/Verifications", env::var("VERIFY_SERVICE_SID")?),
        lookup,
        table,
        secret,
    };
    run(service_fn(|event: LambdaEvent<Value>| hook.answer(event.payload))).await
}

fn client() -> Result<reqwest::Client, Error> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in CertificateDer::pem_file_iter(env::var("EXTRA_CA_FILE")?)? {
        roots.add(certificate?)?;
    }
    let mut tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build()?)
}

impl Hook {
    async fn answer(&self, event: Value) -> Result<Value, Error> {
        let callers = self.secret["auth_secret"].as_array().ok_or("auth_secret")?;
        if !callers.contains(&event["headers"]["auth_secret"]) {
            return Ok(json!({ "statusCode": 401 }));
        }
        let request: Value = serde_json::from_str(event["body"].as_str().unwrap_or_default())?;
        if let Some(events) = request["data"]["events"].as_array() {
            return self.approve(events).await;
        }
        let message = &request["data"]["messageProfile"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (number, code) = (text(&message["phoneNumber"]), text(&message["otpCode"]));
        let (key, key_secret) = (text(&self.secret["twilio_api_key_sid"]), text(&self.secret["twilio_api_key_secret"]));
        if let Some(lookup) = &self.lookup {
            let url = format!("{lookup}/v2/PhoneNumbers/{number}");
            let known = self.http.get(url).basic_auth(&key, Some(&key_secret)).send().await?.error_for_status()?;
            let known: Value = serde_json::from_slice(&known.bytes().await?)?;
            if known["valid"] != true {
                return Err("an invalid number".into());
            }
        }
        let form = [("To", number.as_str()), ("Channel", "sms"), ("CustomCode", &code), ("Locale", "en")];
        let sent = self.http.post(&self.verify).basic_auth(key, Some(key_secret)).form(&form).send().await?;
        let sent: Value = serde_json::from_slice(&sent.error_for_status()?.bytes().await?)?;
        if let Some((client, table)) = &self.table {
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?;
            client
                .update_item()
                .table_name(table)
                .key("user_id", S(text(&request["data"]["userProfile"]["userId"])))
                .key("verification_sid", S(text(&sent["sid"])))
                .update_expression(
                    "SET #delivery = :delivery, #sent_at = :sent_at, \
                     #first_sent_at = if_not_exists(#first_sent_at, :sent_at), #expires_at = :expires_at ADD #sends :one",
                )
                .expression_attribute_names("#delivery", "delivery")
                .expression_attribute_names("#sent_at", "sent_at")
                .expression_attribute_names("#first_sent_at", "first_sent_at")
                .expression_attribute_names("#expires_at", "expires_at")
                .expression_attribute_names("#sends", "sends")
                .expression_attribute_values(":delivery", S("sms".to_owned()))
                .expression_attribute_values(":sent_at", N(now.as_millis().to_string()))
                .expression_attribute_values(":expires_at", N((now.as_secs() + 900).to_string()))
                .expression_attribute_values(":one", N("1".to_owned()))
                .send()
                .await?;
        }
        let attempt =
            sent["send_code_attempts"].as_array().and_then(|attempts| attempts.last()).unwrap_or(&Value::Null);
        println!("{}", json!({ "event": "sent", "sid": sent["sid"] }));
        let body = json!({ "commands": [{ "type": "com.okta.telephony.action", "value": [{
            "status": "SUCCESSFUL", "provider": "Twilio Verify",
            "transactionId": sent["sid"], "transactionMetadata": attempt["attempt_sid"],
        }] }] });
        Ok(json!({ "statusCode": 200, "headers": { "content-type": "application/json" }, "body": body.to_string() }))
    }
}

impl Hook {
    /// Approves the verification of each event that says that a code of an SMS was right.
    async fn approve(&self, events: &[Value]) -> Result<Value, Error> {
        let (client, table) = self.table.as_ref().ok_or("SENDS_TABLE")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (key, key_secret) = (&self.secret["twilio_api_key_sid"], &self.secret["twilio_api_key_secret"]);
        for event in events {
            let is_right = event["outcome"]["result"] == "SUCCESS"
                && event["debugContext"]["debugData"]["factor"] == "SMS_FACTOR";
            if !is_right {
                continue;
            }
            let targets = event["target"].as_array().into_iter().flatten();
            let user = targets.into_iter().find(|target| target["type"] == "User").ok_or("no user")?;
            let user = S(text(&user["id"]));
            let found = client
                .query()
                .table_name(table)
                .consistent_read(true)
                .key_condition_expression("#user_id = :user_id")
                .expression_attribute_names("#user_id", "user_id")
                .expression_attribute_values(":user_id", user.clone())
                .send()
                .await?;
            let newest = found.items().iter().max_by_key(|item| item.get("sent_at").and_then(|at| at.as_n().ok()));
            let sid = newest.and_then(|item| item.get("verification_sid")?.as_s().ok()).ok_or("no verification")?;
            let url = format!("{}/{sid}", self.verify);
            let request = self.http.post(url).basic_auth(text(key), Some(text(key_secret)));
            let approved = request.form(&[("Status", "approved")]).send().await?;
            let approved: Value = serde_json::from_slice(&approved.error_for_status()?.bytes().await?)?;
            println!("{}", json!({ "event": "approved", "sid": approved["sid"] }));
            let delete = client.delete_item().table_name(table).key("user_id", user);
            delete.key("verification_sid", S(sid.clone())).send().await?;
        }
        Ok(json!({ "statusCode": 200 }))
    }
}

/// The SDK on the same client.
#[derive(Clone, Debug)]
struct Connector(reqwest::Client);

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { call(client, request).await.map_err(|error| ConnectorError::io(error)) })
    }
}

async fn call(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Box<dyn StdError + Send + Sync>> {
    let (parts, body) = request.try_into_http1x()?.into_parts();
    let body = body.bytes().map(Bytes::copy_from_slice).unwrap_or_default();
    let response = client.execute(http::Request::from_parts(parts, body).try_into()?).await?;
    let (status, headers) = (StatusCode::try_from(response.status().as_u16())?, response.headers().clone());
    let mut answer = HttpResponse::new(status, SdkBody::from(response.bytes().await?));
    for (name, value) in &headers {
        answer.headers_mut().append(name.as_str().to_owned(), value.to_str()?.to_owned());
    }
    Ok(answer)
}
