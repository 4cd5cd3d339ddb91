//! A function with its surroundings: the Twilio stand-in, Secrets Manager, and the variables that point to both.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    Options, Sandbox,
    clock::unix_time,
    exclusive::Shared,
    lambda::{Builder, Function, GatewayEvent, Invocation, Outcome},
    secrets_manager::SecretsManager,
};

/// Name of the hooks secret.
pub const HOOKS_SECRET_ID: &str = "okta-twilio/hooks";

/// Name of the Okta secret.
pub const OKTA_SECRET_ID: &str = "okta-twilio/okta";

/// What Okta presents in the header `auth_secret`, in the local stack and in the recorded events.
pub const AUTH_SECRET: &str = "local-development-only";

/// The services around a function.
pub struct Deployment {
    /// Twilio.
    pub twilio: Sandbox,
    /// Secrets Manager, with the hooks secret in it.
    pub secrets: SecretsManager,
    options: Options,
    _shared: Shared,
}

impl Deployment {
    /// Starts the stand-ins.
    pub fn start(options: Options) -> Self {
        // This comes first, because the rest takes time.
        let shared = Shared::enter();
        let (twilio, secrets) = (Sandbox::start(options.clone()), SecretsManager::start());
        let deployment = Self { twilio, secrets, options, _shared: shared };
        deployment.secrets.put(HOOKS_SECRET_ID, &deployment.hooks_secret(&[AUTH_SECRET]));
        deployment
    }

    /// The hooks secret that Twilio would accept, with these callers.
    pub fn hooks_secret(&self, callers: &[&str]) -> Value {
        hooks_secret(&self.options, callers)
    }

    /// A function with the variables that every function needs. It logs at the most detailed level.
    pub fn function(&self, program: impl AsRef<Path>) -> Builder {
        Function::builder(program).envs([
            ("HOOKS_SECRET_ID", HOOKS_SECRET_ID),
            ("VERIFY_SERVICE_SID", &self.options.service_sid),
            ("TWILIO_VERIFY_URL", &self.twilio.https_url()),
            ("TWILIO_LOOKUP_URL", &self.twilio.https_url()),
            ("EXTRA_CA_FILE", &self.twilio.ca_file().to_string_lossy()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.secrets.url()),
            ("LOG_LEVEL", "debug"),
            // This would make dependencies log.
            ("RUST_LOG", "trace"),
            ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ])
    }

    /// Every secret that must not appear in any output.
    pub fn private_values(&self) -> Vec<String> {
        vec![AUTH_SECRET.to_owned(), self.options.api_key_secret.clone(), self.options.auth_token.clone()]
    }
}

/// The hooks secret that this Twilio would accept, with these callers.
pub fn hooks_secret(options: &Options, callers: &[&str]) -> Value {
    json!({
        "auth_secret": callers,
        "twilio_api_key_sid": options.api_key_sid,
        "twilio_api_key_secret": options.api_key_secret,
    })
}

/// The response to an HTTP invocation.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Value,
    /// The body; null if it is empty.
    pub body: Value,
    /// The time from the invocation to the response.
    pub duration: Duration,
}

impl HttpAnswer {
    /// Reads an invocation's outcome.
    ///
    /// # Panics
    /// If the function did not respond with JSON in the gateway's format.
    #[expect(
        clippy::panic,
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "a harness: what goes wrong here fails the test that uses it"
    )]
    pub fn of(invocation: Invocation) -> Self {
        let Outcome::Response(response) = invocation.outcome else { panic!("no answer: {:?}", invocation.outcome) };
        let body = response["body"].as_str().unwrap_or_default();
        Self {
            status: response["statusCode"].as_u64().and_then(|status| status.try_into().ok()).expect("a status"),
            headers: response["headers"].clone(),
            body: if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("a JSON body") },
            duration: invocation.duration,
        }
    }
}

/// Okta's request to send a code, as the gateway passes it to the function.
#[derive(Clone, Debug)]
pub struct TelephonyRequest {
    body: Value,
    auth_secret: Option<String>,
    gateway_time: Option<u64>,
}

impl TelephonyRequest {
    /// An SMS for a user who signs in.
    pub fn sms(number: &str, code: &str) -> Self {
        let body = json!({
            "eventId": "uS5871kJThSsU8qlA1LTcg",
            "eventTime": "2026-11-23T21:43:40.000Z",
            "eventType": "com.okta.telephony.provider",
            "eventTypeVersion": "1.0",
            "contentType": "application/json",
            "cloudEventVersion": "0.1",
            "source": "https://example.okta.com/api/v1/inlineHooks/calz6lVQA77AwFeEe0g3",
            "requestType": "com.okta.user.telephony.mfa-verification",
            "data": {
                "context": {"request": {
                    "id": "reqRgSk8IBBRhuo0YdlEDTmUw", "method": "POST",
                    "url": {"value": "/idp/idx/challenge"}, "ipAddress": "203.0.113.10"
                }},
                "userProfile": {
                    "firstName": "Zaphod", "lastName": "Beeblebrox", "login": "zaphod.beeblebrox@example.com",
                    "userId": "00uyxxSknGtK8022w0g3"
                },
                "messageProfile": {
                    "msgTemplate": format!("Your code is {code}"), "phoneNumber": number,
                    "otpExpires": "2099-12-31T23:59:59.000Z", "deliveryChannel": "SMS", "otpCode": code,
                    "locale": "EN-US"
                }
            }
        });
        Self { body, auth_secret: Some(AUTH_SECRET.to_owned()), gateway_time: None }
    }

    /// The same by voice call.
    pub fn call(number: &str, code: &str) -> Self {
        Self::sms(number, code).with("/data/messageProfile/deliveryChannel", "voice call")
    }

    /// Replaces the value at a JSON pointer.
    ///
    /// # Panics
    /// If the request has no value at the pointer.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a harness: what goes wrong here fails the test that uses it")]
    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        *self.body.pointer_mut(pointer).expect("a field of the request") = value.into();
        self
    }

    /// Replaces the secret, or removes it.
    #[must_use]
    pub fn secret(mut self, secret: Option<&str>) -> Self {
        self.auth_secret = secret.map(str::to_owned);
        self
    }

    /// Sets the time at which the gateway received the request to `age` ago, as after a cold start.
    #[must_use]
    pub fn taken_ago(mut self, age: Duration) -> Self {
        self.gateway_time = unix_time().checked_sub(age).and_then(|time| time.as_millis().try_into().ok());
        self
    }

    /// Okta's body.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// The invocation.
    pub fn event(&self) -> GatewayEvent {
        let mut event = GatewayEvent::new("POST", "/telephony").body(self.body.to_string());
        event = event.header("content-type", "application/json");
        if let Some(secret) = &self.auth_secret {
            event = event.header("auth_secret", secret);
        }
        match self.gateway_time {
            Some(time) => event.time_epoch(time),
            None => event,
        }
    }

    /// The private values of the request, which must not appear in any output: number and code in every notation, and
    /// all data of the person.
    pub fn private_values(&self) -> Vec<String> {
        let text = |pointer: &str| match self.body.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let number = text("/data/messageProfile/phoneNumber");
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let person = ["firstName", "lastName", "login"].map(|field| text(&format!("/data/userProfile/{field}")));
        let mut values = vec![text("/data/messageProfile/otpCode"), number];
        // Seven consecutive digits would reveal the number. The last two may appear.
        values.extend(digits.as_bytes().windows(7).map(|part| String::from_utf8_lossy(part).into_owned()));
        values.extend(person);
        values.extend(self.auth_secret.clone());
        // Shorter sequences occur in any timestamp.
        values.retain(|value| value.len() >= 4);
        values
    }
}
