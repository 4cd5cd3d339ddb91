//! A client of the sandbox, as the hooks are.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use sandbox::{Options, Sandbox};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const NUMBER: &str = "+12025550123";
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A sandbox, and a client with its certificate authority and credentials.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) options: Options,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and Twilio's error code.
    pub(crate) fn error(&self) -> (u16, u64) {
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["more_info"], format!("https://www.twilio.com/docs/errors/{}", body["code"]));
        (self.status.as_u16(), body["code"].as_u64().unwrap())
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let sandbox = Sandbox::start(options.clone());
        let authority = std::fs::read(sandbox.ca_file()).unwrap();
        Self {
            client: client(&authority),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            sandbox,
            options,
        }
    }

    /// Sends a request with the API key, over TLS.
    pub(crate) fn try_send(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Result<Answer, reqwest::Error> {
        let request = self.request(method, path).form(form);
        self.run(request)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.anonymous_request(method, path).basic_auth(&self.options.api_key_sid, Some(&self.options.api_key_secret))
    }

    pub(crate) fn anonymous_request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.sandbox.https_url())).timeout(TIME_LIMIT)
    }

    pub(crate) fn run(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        self.runtime.block_on(async {
            let response = request.send().await?;
            Ok(Answer { status: response.status(), headers: response.headers().clone(), text: response.text().await? })
        })
    }

    pub(crate) fn verifications_path(&self) -> String {
        format!("/v2/Services/{}/Verifications", self.options.service_sid)
    }

    pub(crate) fn try_create(&self, form: &[(&str, &str)]) -> Result<Answer, reqwest::Error> {
        self.try_send(Method::POST, &self.verifications_path(), form)
    }

    pub(crate) fn create(&self, form: &[(&str, &str)]) -> Answer {
        self.try_create(form).unwrap()
    }

    /// Sends a code by SMS.
    pub(crate) fn send(&self, to: &str, code: &str) -> Answer {
        self.create(&[("To", to), ("Channel", "sms"), ("CustomCode", code)])
    }

    pub(crate) fn update(&self, key: &str, status: &str) -> Answer {
        let path = format!("{}/{}", self.verifications_path(), key.replace('+', "%2B"));
        self.try_send(Method::POST, &path, &[("Status", status)]).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.run(self.request(Method::GET, path)).unwrap()
    }
}

fn client(authority: &[u8]) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(authority) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox's tests do not depend on the core, which the sandbox tests"
    )]
    let builder = reqwest::Client::builder();
    builder.tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}
