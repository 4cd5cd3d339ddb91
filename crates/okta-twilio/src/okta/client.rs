//! The part of Okta's API that feedback needs: a user's phones.
//!
//! Sources: Okta, "Factors API" (list all factors), "Users API" (retrieve a user), "Implement OAuth for Okta with a
//! service app" and "Rate limits". The scope `okta.users.read` and an admin role that can read users are sufficient. An
//! access token is cached. It is replaced before it expires, and once after Okta rejects it.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use super::{
    OktaSecret,
    credentials::{Credentials, ServiceApp},
    event::PhoneChannel,
    field::{as_text, text, untrimmed_text},
};
use crate::{
    config::{ConfigError, Variables},
    http_client::{self, CallError, HttpResponse},
    id::SafeId,
    phone::{self, DialableNumber, PhoneNumber},
    reason::Reason,
    secrets::{Cached, SecretError},
    telemetry::Log,
    time::{
        clock::{Clock, Timestamp},
        deadline::Deadline,
    },
};

/// Timeout of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Lifetime of Okta's tokens. A longer or missing one in a response counts as this.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3_600);

/// A token is replaced this long before it expires, so that none expires on the way.
const TOKEN_MARGIN: Duration = Duration::from_secs(300);

/// Maximum wait for a rate limit. Okta resets limits every minute, so a longer wait comes from a wrong clock.
const MAX_RATE_LIMIT_DELAY: Duration = Duration::from_secs(300);

/// The configuration for Okta's API.
#[derive(Clone, Debug)]
pub struct OktaConfig {
    /// `OKTA_ORG_URL` (required): the org's own URL. A service app's assertion has it as the audience.
    pub org_url: Url,
    /// `OKTA_API_URL` (`OKTA_ORG_URL`): the target of requests, for tests and proxies.
    pub api_url: Url,
    /// `OKTA_SECRET_ID` (required): name or ARN of the Okta secret.
    pub secret_id: String,
}

impl OktaConfig {
    /// Reads the variables for Okta's API.
    ///
    /// # Errors
    /// Fails at the first invalid variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        const ORG_URL: &str = "OKTA_ORG_URL";
        const EXAMPLE: &str = "https://example.okta.com";
        variables.required(ORG_URL, EXAMPLE)?;
        let missing = || ConfigError::new(ORG_URL, "must be an https URL without query or credentials", EXAMPLE);
        let org_url = variables.base_url(ORG_URL, EXAMPLE)?.ok_or_else(missing)?;
        let first_label = org_url.host_str().and_then(|host| host.split('.').next()).unwrap_or_default();
        if first_label.ends_with("-admin") {
            return Err(ConfigError::new(ORG_URL, "must be the org's URL, without -admin", EXAMPLE));
        }
        let api_url = variables.base_url("OKTA_API_URL", EXAMPLE)?.unwrap_or_else(|| org_url.clone());
        Ok(Self { org_url, api_url, secret_id: variables.required("OKTA_SECRET_ID", "okta-twilio/okta")? })
    }
}

/// Why a call to Okta failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OktaError {
    /// There is no secret for the call.
    #[error("the Okta secret cannot be used: {0}")]
    Secret(SecretError),
    /// The private key cannot sign.
    #[error("the private key cannot sign")]
    Signing,
    /// The token endpoint does not know the service app or its key.
    #[error("Okta rejected the service app's key")]
    ClientRefused,
    /// The service app does not have the scope.
    #[error("the service app lacks the scope okta.users.read")]
    ScopeNotGranted,
    /// The service app requires a proof of possession (`DPoP`).
    #[error("the service app requires DPoP")]
    DpopRequired,
    /// 401: the token is wrong, expired or revoked.
    #[error("Okta rejected the token")]
    Unauthorized,
    /// 403: the token's owner lacks permission to read the user.
    #[error("access to the user is denied")]
    Forbidden,
    /// 404: the user no longer exists.
    #[error("the user does not exist")]
    UserNotFound,
    /// 429.
    #[error("a rate limit is reached")]
    RateLimited {
        /// The time until the limit resets.
        retry_after: Option<Duration>,
    },
    /// 5xx.
    #[error("Okta failed with {0}")]
    Failed(u16),
    /// Any other status, or a body that is not from Okta.
    #[error("Okta's response with status {0} is not understood")]
    NotUnderstood(u16),
    /// There was no response.
    #[error(transparent)]
    NoResponse(#[from] CallError),
}

impl OktaError {
    /// The reason code.
    pub fn reason(self) -> Reason {
        match self {
            Self::Secret(_) => Reason::SecretUnavailable,
            Self::Signing | Self::ClientRefused | Self::DpopRequired | Self::Unauthorized => Reason::OktaAuthentication,
            Self::ScopeNotGranted | Self::Forbidden => Reason::OktaForbidden,
            Self::UserNotFound => Reason::UserNotFound,
            Self::RateLimited { .. } => Reason::OktaRateLimited,
            Self::Failed(_) => Reason::OktaFailed,
            Self::NotUnderstood(_) => Reason::OktaNotUnderstood,
            Self::NoResponse(CallError::NotConnected) => Reason::OktaUnreachable,
            Self::NoResponse(CallError::TimedOut) => Reason::OktaTimeout,
            Self::NoResponse(CallError::Interrupted) => Reason::OktaInterrupted,
        }
    }

    /// What an admin can do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Secret(_) => {
                "See secret_refresh_failed, and check OKTA_SECRET_ID, the function's role and the secret's fields."
            }
            Self::Signing => "Create a new key pair for the service app and store it in the Okta secret.",
            Self::ClientRefused => {
                "Check okta_client_id, okta_key_id and that the public key of okta_private_key is ACTIVE in the service app. OKTA_ORG_URL must be the org's own URL."
            }
            Self::ScopeNotGranted => {
                "Grant okta.users.read to the service app in the Admin Console, the app, Okta API Scopes."
            }
            Self::DpopRequired => {
                "Turn off \"Require Demonstrating Proof of Possession\" in the service app's settings."
            }
            Self::Unauthorized => {
                "The API token was revoked, has not been used for 30 days or belongs to a deactivated admin. Create a new one, or use a service app."
            }
            Self::Forbidden => "Give the service app, or the admin who owns the API token, a role that can read users.",
            Self::UserNotFound => "Do nothing. The user was deleted.",
            Self::RateLimited { .. } => {
                "Do nothing if it clears. Otherwise raise the token's or app's share of Okta's rate limit."
            }
            Self::Failed(_) => "Check Okta's status page.",
            Self::NotUnderstood(_) => "Check OKTA_ORG_URL and OKTA_API_URL.",
            Self::NoResponse(_) => "Check Okta's status page and the function's internet access.",
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Failed(_) | Self::NoResponse(_) => true,
            Self::Secret(error) => error.is_transient(),
            _ => false,
        }
    }
}

/// A client for one org.
#[derive(Clone)]
pub struct OktaClient {
    http: reqwest::Client,
    users: Url,
    token_endpoint: Url,
    /// The token endpoint under the org's own URL. Okta compares the assertion's `aud` with its own address, so it does
    /// not change if `OKTA_API_URL` points to a proxy.
    audience: String,
    secret: Arc<Cached<OktaSecret>>,
    token: Arc<Mutex<Option<Arc<AccessToken>>>>,
    clock: Clock,
}

/// An access token that Okta issued to the service app.
struct AccessToken {
    authorization: HeaderValue,
    /// The secret that the token belongs to.
    secret: Arc<OktaSecret>,
    refresh_at: Instant,
}

impl std::fmt::Debug for OktaClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OktaClient").field("users", &self.users.as_str()).finish_non_exhaustive()
    }
}

impl OktaClient {
    /// Creates a client on the shared HTTP client.
    pub fn new(http: reqwest::Client, config: &OktaConfig, secret: Arc<Cached<OktaSecret>>, clock: Clock) -> Self {
        let below = |base: &Url, path: &str| {
            let mut url = base.clone();
            url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
            url
        };
        Self {
            http,
            users: below(&config.api_url, "/api/v1/users"),
            token_endpoint: below(&config.api_url, "/oauth2/v1/token"),
            audience: below(&config.org_url, "/oauth2/v1/token").into(),
            secret,
            token: Arc::default(),
            clock,
        }
    }

    /// The user's active phones for a channel, in Okta's order, from their factors. Okta lists a phone only if the
    /// enrollment policy allows it for the network of this function.
    ///
    /// # Errors
    /// Fails if Okta does not return them.
    pub async fn factor_phones(
        &self,
        user: &SafeId,
        channel: PhoneChannel,
        deadline: &Deadline,
        log: &Log,
    ) -> Result<Vec<PhoneNumber>, OktaError> {
        let factors = self.get(&format!("{user}/factors"), deadline, log).await?;
        let factors = factors.as_array().ok_or(OktaError::NotUnderstood(StatusCode::OK.as_u16()))?;
        Ok(numbers(factors.iter().filter(|factor| is_active_phone(factor, channel)), &["profile.phoneNumber"]))
    }

    /// The numbers in the user's profile: the mobile number, then the primary one. They are free text and may differ
    /// from the enrolled numbers.
    ///
    /// # Errors
    /// Fails if Okta does not return them.
    pub async fn profile_phones(
        &self,
        user: &SafeId,
        deadline: &Deadline,
        log: &Log,
    ) -> Result<Vec<PhoneNumber>, OktaError> {
        let user = self.get(user.as_str(), deadline, log).await?;
        Ok(numbers(std::iter::once(&user), &["profile.mobilePhone", "profile.primaryPhone"]))
    }

    /// Reads a resource of a user. A [`SafeId`] cannot change the rest of the path.
    async fn get(&self, path: &str, deadline: &Deadline, log: &Log) -> Result<Value, OktaError> {
        let secret = self.secret.get(deadline, log).await.map_err(OktaError::Secret)?;
        match self.try_get(path, &secret, deadline).await {
            // The secret was replaced or the token was revoked. Try once more with the new one.
            Err(error @ (OktaError::Unauthorized | OktaError::ClientRefused)) => {
                let newer = self.secret.newer_than(&secret, deadline, log).await;
                let token_may_be_old =
                    error == OktaError::Unauthorized && matches!(secret.credentials, Credentials::ServiceApp(_));
                match newer.or(token_may_be_old.then_some(secret)) {
                    Some(secret) => self.try_get(path, &secret, deadline).await,
                    None => Err(error),
                }
            }
            other => other,
        }
    }

    async fn try_get(&self, path: &str, secret: &Arc<OktaSecret>, deadline: &Deadline) -> Result<Value, OktaError> {
        let (authorization, access_token) = match &secret.credentials {
            Credentials::ApiToken(token) => (authorization("SSWS", token)?, None),
            Credentials::ServiceApp(app) => {
                let token = self.access_token(app, secret, deadline).await?;
                (token.authorization.clone(), Some(token))
            }
        };
        let request = self.http.get(format!("{}/{path}", self.users)).header(header::ACCEPT, "application/json");
        let request = request.header(header::AUTHORIZATION, authorization);
        let response = http_client::call_repeatable(request, deadline.remaining_up_to(CALL_TIMEOUT)).await?;
        if response.status == StatusCode::OK {
            return body_of(&response);
        }
        let error = self.error_of(&response);
        if let (OktaError::Unauthorized, Some(refused)) = (error, &access_token) {
            self.forget(refused).await;
        }
        Err(error)
    }

    /// The cached token, or a new one. Parallel requests wait for the same response.
    async fn access_token(
        &self,
        app: &ServiceApp,
        secret: &Arc<OktaSecret>,
        deadline: &Deadline,
    ) -> Result<Arc<AccessToken>, OktaError> {
        let mut slot = self.token.lock().await;
        let usable =
            |token: &&Arc<AccessToken>| Arc::ptr_eq(&token.secret, secret) && Instant::now() < token.refresh_at;
        if let Some(token) = slot.as_ref().filter(usable) {
            return Ok(Arc::clone(token));
        }
        let granted = match self.ask_for_token(app, deadline).await {
            // Try once more on a new connection with a new assertion, because Okta rejects an assertion that it has
            // seen.
            Err(OktaError::NoResponse(CallError::NotConnected | CallError::Interrupted)) => {
                self.ask_for_token(app, deadline).await?
            }
            granted => granted?,
        };
        let lifetime = granted.expires_in.map_or(TOKEN_LIFETIME, Duration::from_secs).min(TOKEN_LIFETIME);
        let token = Arc::new(AccessToken {
            authorization: authorization("Bearer", &granted.access_token)?,
            secret: Arc::clone(secret),
            // A short lifetime has no room for the whole margin.
            refresh_at: Instant::now() + lifetime.saturating_sub(TOKEN_MARGIN.min(lifetime / 2)),
        });
        *slot = Some(Arc::clone(&token));
        Ok(token)
    }

    async fn ask_for_token(&self, app: &ServiceApp, deadline: &Deadline) -> Result<Granted, OktaError> {
        let assertion = app.assertion(&self.audience, self.clock.now()).map_err(|_unspecified| OktaError::Signing)?;
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "okta.users.read"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.expose_secret()),
        ];
        let request =
            self.http.post(self.token_endpoint.clone()).header(header::ACCEPT, "application/json").form(&form);
        let response = http_client::call(request, deadline.remaining_up_to(CALL_TIMEOUT)).await?;
        if response.status == StatusCode::OK {
            return body_of(&response);
        }
        Err(match field_of(&response, "error").as_deref() {
            Some("invalid_client" | "unauthorized_client") => OktaError::ClientRefused,
            Some("invalid_scope" | "consent_required" | "access_denied") => OktaError::ScopeNotGranted,
            Some("invalid_dpop_proof" | "use_dpop_nonce") => OktaError::DpopRequired,
            Some("server_error" | "temporarily_unavailable") => OktaError::Failed(response.status.as_u16()),
            Some("slow_down") => OktaError::RateLimited { retry_after: retry_after(&response, self.clock.now()) },
            _ => match self.error_of(&response) {
                OktaError::Unauthorized => OktaError::ClientRefused,
                error => error,
            },
        })
    }

    /// Drops a rejected token, unless another request has replaced it already.
    async fn forget(&self, refused: &Arc<AccessToken>) {
        let mut slot = self.token.lock().await;
        if slot.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            *slot = None;
        }
    }

    fn error_of(&self, response: &HttpResponse) -> OktaError {
        let rate_limited = || OktaError::RateLimited { retry_after: retry_after(response, self.clock.now()) };
        let status = response.status.as_u16();
        let code = field_of(response, "errorCode");
        match code.as_deref() {
            Some("E0000047") => rate_limited(),
            // Okta's internal error, and its read-only mode.
            Some("E0000009" | "E0000010") => OktaError::Failed(status),
            Some("E0000004" | "E0000005" | "E0000011") => OktaError::Unauthorized,
            Some("E0000006") => OktaError::Forbidden,
            Some("E0000007") => OktaError::UserNotFound,
            _ => match status {
                401 => OktaError::Unauthorized,
                403 => OktaError::Forbidden,
                // A 404 from another server would make all feedback look unneeded.
                404 if code.is_some() => OktaError::UserNotFound,
                429 => rate_limited(),
                408 | 500.. => OktaError::Failed(status),
                status => OktaError::NotUnderstood(status),
            },
        }
    }
}

/// A body of the expected type. A truncated body is probably complete the next time.
fn body_of<T: serde::de::DeserializeOwned>(response: &HttpResponse) -> Result<T, OktaError> {
    if response.body.is_none() {
        return Err(OktaError::NoResponse(CallError::Interrupted));
    }
    response.json().ok_or(OktaError::NotUnderstood(response.status.as_u16()))
}

/// A header that `Debug` does not show. Okta would not accept a text that cannot be a header.
fn authorization(scheme: &'static str, token: &SecretString) -> Result<HeaderValue, OktaError> {
    let value = HeaderValue::try_from(format!("{scheme} {}", token.expose_secret()));
    let mut value = value.map_err(|_invalid| OktaError::Unauthorized)?;
    value.set_sensitive(true);
    Ok(value)
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    /// In seconds. A malformed value does not invalidate the token.
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(as_text(&Value::deserialize(deserializer)?).and_then(|text| text.parse().ok()))
}

/// A text field of a response's body. `None` if it is missing or the body is not JSON.
fn field_of(response: &HttpResponse, name: &str) -> Option<String> {
    text(&response.json()?, name)
}

/// The time until the rate limit resets. Okta sends a time in seconds since 1970 on its own clock, which is the
/// response's date.
fn retry_after(response: &HttpResponse, now: Timestamp) -> Option<Duration> {
    let reset: i64 = response.header("x-rate-limit-reset")?.trim().parse().ok()?;
    let okta_now = response.header("date").and_then(Timestamp::parse_http_date).unwrap_or(now);
    let seconds = reset.saturating_sub(okta_now.as_secs());
    // At least one second, because the limit may still apply at the exact time of the reset.
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0).max(1)).min(MAX_RATE_LIMIT_DELAY))
}

fn is_active_phone(factor: &Value, channel: PhoneChannel) -> bool {
    let is = |path, expected: &str| text(factor, path).is_some_and(|text| text.eq_ignore_ascii_case(expected));
    let of_channel = match channel {
        PhoneChannel::Sms => is("factorType", "sms"),
        PhoneChannel::Call => is("factorType", "call"),
        PhoneChannel::Either => is("factorType", "sms") || is("factorType", "call"),
    };
    of_channel && is("status", "ACTIVE")
}

/// The international numbers at these paths, without duplicates. Twilio cannot use a national number.
fn numbers<'a>(values: impl Iterator<Item = &'a Value>, paths: &[&str]) -> Vec<PhoneNumber> {
    let mut numbers = Vec::new();
    for text in values.flat_map(|value| paths.iter().filter_map(|path| untrimmed_text(value, path))) {
        if let Ok((DialableNumber::International(number), _)) = phone::parse(&text)
            && !numbers.contains(&number)
        {
            numbers.push(number);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::tests::lookup, okta::private_key::tests::new_pem};
    use serde_json::json;

    fn config(list: &[(&'static str, &'static str)]) -> Result<OktaConfig, ConfigError> {
        let okta = [("OKTA_ORG_URL", "https://example.okta.com"), ("OKTA_SECRET_ID", "okta-twilio/okta")];
        OktaConfig::from_variables(&Variables::new(&lookup(&[&okta, list].concat())))
    }

    #[test]
    fn the_api_url_defaults_to_the_org_url() {
        assert_eq!(config(&[]).unwrap().api_url.as_str(), "https://example.okta.com/");
        let proxied = config(&[("OKTA_API_URL", "https://proxy.example.com/okta/")]).unwrap();
        assert_eq!(proxied.org_url.as_str(), "https://example.okta.com/");
        assert_eq!(proxied.api_url.as_str(), "https://proxy.example.com/okta/");
    }

    #[test]
    fn a_malformed_value_is_rejected() {
        for (variable, value) in [
            ("OKTA_ORG_URL", ""),
            ("OKTA_ORG_URL", "example.okta.com"),
            ("OKTA_ORG_URL", "https://example-admin.okta.com"),
            ("OKTA_API_URL", "http://proxy.example.com"),
            ("OKTA_SECRET_ID", " "),
        ] {
            let error = config(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{variable}: ")), "{error}");
        }
    }

    fn response(status: u16, headers: &[(&'static str, &str)], body: &str) -> HttpResponse {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        let status = StatusCode::from_u16(status).unwrap();
        HttpResponse { status, headers: headers.collect(), body: Some(body.to_owned().into()) }
    }

    #[test]
    fn a_reset_is_measured_on_oktas_clock() {
        let now = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let reset = now.as_secs() + 40;
        let wait = |date: &[(&'static str, &str)], reset: &str| {
            let headers = [date, &[("x-rate-limit-reset", reset)]].concat();
            retry_after(&response(429, &headers, ""), now).map(|wait| wait.as_secs())
        };
        // Okta's clock is ahead of ours by 30 s.
        assert_eq!(wait(&[("date", "Mon, 23 Nov 2026 12:00:30 GMT")], &reset.to_string()), Some(10));
        assert_eq!(wait(&[], &reset.to_string()), Some(40));
        assert_eq!(wait(&[], &(reset - 60).to_string()), Some(1));
        assert_eq!(wait(&[], &i64::MAX.to_string()), Some(300));
        assert_eq!(wait(&[], "soon"), None);
    }

    fn factors() -> Value {
        let factor = |kind: &str, status: &str, profile: Value| json!({"id": "sms1", "factorType": kind, "provider": "OKTA", "status": status, "profile": profile});
        json!([
            factor("email", "ACTIVE", json!({"email": "test.user@example.com"})),
            factor("question", "ACTIVE", json!({"phoneNumber": "+12025550100"})),
            factor("sms", "PENDING_ACTIVATION", json!({"phoneNumber": "+12025550101"})),
            factor("sms", "ACTIVE", json!({"phoneNumber": "+1-202-555-0102"})),
            factor("sms", "ACTIVE", json!({"phoneNumber": "202-555-0103"})),
            factor("sms", "ACTIVE", json!({"phoneNumber": "+12025550104"})),
            factor("call", "ACTIVE", json!({"phoneNumber": "+12025550105", "phoneExtension": "1234"})),
            factor("call", "ACTIVE", json!({"phoneNumber": "+12025550104", "phoneExtension": null})),
            null_profile(),
            Value::Null,
        ])
    }

    fn null_profile() -> Value {
        json!({"factorType": "sms", "status": "ACTIVE", "profile": null})
    }

    #[test]
    fn takes_every_active_phone_of_the_channel_in_e164() {
        for (channel, expected) in [
            (PhoneChannel::Sms, &["+12025550102", "+12025550104"][..]),
            (PhoneChannel::Call, &["+12025550105", "+12025550104"]),
            (PhoneChannel::Either, &["+12025550102", "+12025550104", "+12025550105"]),
        ] {
            let factors = factors();
            let active = factors.as_array().unwrap().iter().filter(|factor| is_active_phone(factor, channel));
            let found = numbers(active, &["profile.phoneNumber"]);
            assert_eq!(found.iter().map(PhoneNumber::expose).collect::<Vec<_>>(), expected, "{channel:?}");
        }
    }

    fn client() -> OktaClient {
        let http = http_client::build(None).unwrap();
        let secret = Cached::new(Duration::from_secs(300), |_limit| async { Err(SecretError::NotFound) });
        OktaClient::new(http, &config(&[]).unwrap(), secret, Clock::fixed(std::time::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn a_token_of_any_lifetime_is_used() {
        for response in [
            r#"{"access_token":"token","expires_in":18446744073709551615}"#,
            r#"{"access_token":"token","expires_in":9223372036854775807}"#,
            r#"{"access_token":"token","expires_in":0}"#,
            r#"{"access_token":"token","expires_in":"soon"}"#,
        ] {
            let base = format!("http://{}", http_client::tests::server(response));
            let mut client = client();
            client.token_endpoint = format!("{base}/token").parse().unwrap();
            let secret = json!({"okta_client_id": "0oa1", "okta_private_key": new_pem()}).to_string();
            let secret = Arc::new(OktaSecret::read(&secret.into()).ok().unwrap());
            let Credentials::ServiceApp(app) = &secret.credentials else { panic!() };
            let deadline = Deadline::starting(CALL_TIMEOUT, client.clock.now(), None);
            let token = client.access_token(app, &secret, &deadline).await;
            assert!(token.is_ok_and(|token| token.refresh_at <= Instant::now() + TOKEN_LIFETIME), "{response}");
        }
    }

    #[test]
    fn oktas_code_decides_and_otherwise_the_status() {
        let error = |status, body: &str| client().error_of(&response(status, &[], body));
        let limited = OktaError::RateLimited { retry_after: None };
        for (status, body, expected) in [
            (429, r#"{"errorCode":"E0000047"}"#, limited),
            (403, r#"{"errorCode":"E0000047"}"#, limited),
            (400, r#"{"errorCode":"E0000009"}"#, OktaError::Failed(400)),
            (403, r#"{"errorCode":"E0000010"}"#, OktaError::Failed(403)),
            (403, r#"{"errorCode":"E0000011"}"#, OktaError::Unauthorized),
            (500, r#"{"errorCode":"E0000006"}"#, OktaError::Forbidden),
            (404, r#"{"errorCode":"E0000007","errorSummary":"\ud83d"}"#, OktaError::UserNotFound),
            (404, r#"{"errorCode":null}"#, OktaError::NotUnderstood(404)),
            (404, "<html>", OktaError::NotUnderstood(404)),
            (429, "<html>", limited),
            (408, "", OktaError::Failed(408)),
            (503, r#"{"errorCode":{}}"#, OktaError::Failed(503)),
            (302, "", OktaError::NotUnderstood(302)),
        ] {
            assert_eq!(error(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_odd_field_does_not_lose_the_token_or_the_phones() {
        for lifetime in
            ["", r#","expires_in":null"#, r#","expires_in":{}"#, r#","expires_in":1e999"#, r#","x":"\ud83d""#]
        {
            let body = format!(r#"{{"access_token":"abc"{lifetime}}}"#);
            let granted: Granted = body_of(&response(200, &[], &body)).unwrap();
            assert_eq!((granted.access_token.expose_secret(), granted.expires_in), ("abc", None), "{body}");
        }
        for lifetime in ["3600", r#""3600""#] {
            let body = format!(r#"{{"access_token":"abc","expires_in":{lifetime}}}"#);
            assert_eq!(body_of::<Granted>(&response(200, &[], &body)).unwrap().expires_in, Some(3_600));
        }
        let body = r#"[null, 7, {"factorType": null}, {"factorType": "sms", "status": ["ACTIVE"]},
            {"id": 1e999, "factorType": "sms", "status": "ACTIVE", "profile": {"phoneNumber": "+12025550102", "x": "\ud83d"}}]"#;
        let factors: Value = body_of(&response(200, &[], body)).unwrap();
        let active = factors.as_array().unwrap().iter().filter(|factor| is_active_phone(factor, PhoneChannel::Sms));
        assert_eq!(numbers(active, &["profile.phoneNumber"]).len(), 1);
    }
}
