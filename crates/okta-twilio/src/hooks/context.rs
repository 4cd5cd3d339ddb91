//! What both hooks share: their context, the work of INIT, and the response to a rejected request.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use crate::{
    aws,
    config::{CommonConfig, StartError, Variables},
    hooks::{
        auth::{self, AuthMode},
        gateway::{HookRequest, HookResponse, NotARequest},
        warm_up::{self, WarmUp},
    },
    http_client,
    okta::{OktaSecret, telephony::ResponseBody},
    reason::Reason,
    secrets::{Cached, HooksSecret, SecretsManager},
    telemetry::{Log, LogEvent, Metric, Metrics, Readiness},
    time::{clock::Clock, deadline::Deadline},
    twilio::{client::TwilioClient, verify::VerifyClient},
};

/// Maximum time that INIT waits for the secrets. A request that waits for INIT needs them, and Okta waits 3 s for the
/// response.
const SECRETS_TIMEOUT: Duration = Duration::from_millis(2_400);

/// The clients, secrets and settings that both hooks share. They are built once.
#[derive(Clone)]
pub struct HookContext {
    /// How Okta authenticates.
    pub auth: AuthMode,
    /// The shared HTTP client.
    pub http: reqwest::Client,
    /// The AWS SDK's configuration, with the same HTTP client.
    pub sdk: aws_config::SdkConfig,
    /// The client for Secrets Manager.
    pub secrets: SecretsManager,
    /// How long a fetched secret is used before it is refreshed.
    pub secret_ttl: Duration,
    /// Accepted caller secrets, Twilio credentials, the Verify service, and the pause.
    pub hooks_secret: Arc<Cached<HooksSecret>>,
    /// The client for Twilio.
    pub twilio: TwilioClient,
    /// The client for Twilio Verify.
    pub verify: VerifyClient,
    /// The base URL of Verify.
    pub verify_url: Url,
    /// Connections that INIT opens.
    warm_up: Arc<WarmUp>,
    /// The time of day.
    pub clock: Clock,
}

impl std::fmt::Debug for HookContext {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HookContext").field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl HookContext {
    /// Builds the context from the variables of both functions.
    ///
    /// # Errors
    /// Fails if a variable is invalid.
    pub async fn build(variables: &Variables<'_>, clock: Clock) -> Result<Self, StartError> {
        let common = CommonConfig::from_variables(variables)?;
        let auth = AuthMode::from_variables(variables)?;
        let http = http_client::build(common.extra_ca_file.as_deref())?;
        let sdk = aws::sdk_config(common.region, &http).await;
        let secrets = SecretsManager::new(&sdk);
        let (secret_ttl, service_sid) = (common.secret_ttl, common.verify_service_sid);
        let read = move |text: &SecretString| HooksSecret::read(text, service_sid.as_ref());
        let hooks_secret = secrets.cached(&common.hooks_secret_id, secret_ttl, read);
        let twilio = TwilioClient::new(http.clone(), Arc::clone(&hooks_secret));
        let verify = VerifyClient::new(twilio.clone(), common.verify_url.clone());
        Ok(Self {
            auth,
            http,
            sdk,
            secrets,
            secret_ttl,
            hooks_secret,
            twilio,
            verify,
            verify_url: common.verify_url,
            warm_up: Arc::default(),
            clock,
        })
    }

    /// Does the work of INIT, which has the full CPU. Fetches the secrets and opens the connections that the first
    /// request needs. A failure is logged, and the first request tries again.
    pub async fn prepare(&self, okta_secret: Option<&Arc<Cached<OktaSecret>>>, first_urls: &[Url], log: &Log) {
        let started = Instant::now();
        let deadline = Deadline::starting(SECRETS_TIMEOUT, self.clock.now(), None);
        let okta_secret = async {
            match okta_secret {
                Some(secret) => Some(readiness(secret.prepare(&deadline, log).await)),
                None => None,
            }
        };
        let secrets = async { tokio::join!(self.hooks_secret.prepare(&deadline, log), okta_secret) };
        let connections = warm_up::connections(&self.http, first_urls);
        let ((secret, okta_secret), connection) = self.warm_up.hold(connections, secrets).await;
        log.emit(&LogEvent::Started {
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            secret: readiness(secret),
            okta_secret,
            connection,
        });
        self.warm_up.leave(&self.clock);
    }

    /// Begins an invocation. Lambda may have frozen the process since INIT.
    pub fn begin_invocation(&self) {
        self.warm_up.resume(&self.clock);
    }

    /// Ends an invocation. Completes the background work before the response leaves, because Lambda freezes the process
    /// then.
    pub async fn end_invocation(&self, okta_secret: Option<&Arc<Cached<OktaSecret>>>, log: &Log) {
        let okta_secret = async {
            if let Some(secret) = okta_secret {
                secret.settle(log).await;
            }
        };
        tokio::join!(self.hooks_secret.settle(log), okta_secret);
        self.warm_up.end();
    }

    /// Authenticates Okta, and returns the secret that was used.
    ///
    /// # Errors
    /// Fails for any other caller, and if the secret is missing or incomplete.
    pub async fn authenticate(
        &self,
        request: &HookRequest,
        deadline: &Deadline,
        log: &Log,
    ) -> Result<Arc<HooksSecret>, Rejection> {
        auth::authenticate(&self.auth, request, &self.hooks_secret, deadline, log).await.map_err(Rejection::new)
    }
}

fn readiness(ready: bool) -> Readiness {
    if ready { Readiness::Ready } else { Readiness::Failed }
}

/// The value of `location` if the gateway uses a wrong format: the setting of its integration.
const PAYLOAD_FORMAT: &str = "payloadFormatVersion";

impl From<NotARequest> for Rejection {
    fn from(event: NotARequest) -> Self {
        match event {
            NotARequest::PayloadFormat => Self { reason: Reason::PayloadFormat, location: Some(PAYLOAD_FORMAT) },
            NotARequest::Ping | NotARequest::Other => Self::new(Reason::NotAHookRequest),
        }
    }
}

/// A rejected request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why it was rejected.
    pub reason: Reason,
    /// Path of the invalid field, if there is one.
    pub location: Option<&'static str>,
}

impl Rejection {
    /// A rejection without an invalid field.
    pub fn new(reason: Reason) -> Self {
        Self { reason, location: None }
    }

    /// Builds the response, logs the rejection and counts it. `allow` lists the hook's methods.
    pub fn into_response(self, allow: &'static str, log: &Log, metrics: &mut Metrics) -> HookResponse {
        let status = match self.reason {
            Reason::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Reason::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Reason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Reason::SecretUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        metrics.set("Reason", &self.reason).count(Metric::Rejected, 1);
        let (reason, location) = (self.reason, self.location);
        log.emit(&LogEvent::RequestRejected { status: status.as_u16(), reason, location });
        let mut response = HookResponse::json(status, &ResponseBody::of_rejection(reason, location));
        response.allow = (reason == Reason::MethodNotAllowed).then_some(allow);
        response
    }
}
