//! What both hooks have in common: what they are built of, what INIT prepares, and how a request is turned away.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::Instant;

use crate::{
    aws,
    config::{CommonConfig, StartError, Variables},
    hooks::{
        auth::{self, AuthMode},
        gateway::{NotARequest, Request, Response},
    },
    http_client,
    okta::{OktaSecret, telephony::AnswerBody},
    otp::number::NumberLookup,
    reason::Reason,
    secrets::{Cached, FromSecret, HooksSecret, SecretsManager},
    telemetry::{Log, LogEvent, Metric, Metrics, Readiness},
    time::{clock::Clock, deadline::Deadline},
    twilio::{client::TwilioClient, verify::VerifyClient},
};

/// Longest time that INIT waits for the secrets and the connection. What is not ready then is made good later.
const PREPARATION_TIMEOUT: Duration = Duration::from_millis(1_600);

/// What a hook is built of, once.
#[derive(Clone)]
pub struct Parts {
    /// How a caller proves to be Okta.
    pub auth: AuthMode,
    /// The one HTTP client.
    pub http: reqwest::Client,
    /// The AWS SDK's configuration, on the same client.
    pub sdk: aws_config::SdkConfig,
    /// Where secrets are.
    pub secrets: SecretsManager,
    /// How long a fetched secret is used.
    pub secret_ttl: Duration,
    /// Whom to believe, and how to speak to Twilio.
    pub hooks_secret: Arc<Cached<HooksSecret>>,
    /// Calls to Twilio.
    pub twilio: TwilioClient,
    /// The Verify service.
    pub verify: VerifyClient,
    /// The time of day.
    pub clock: Clock,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Parts").field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl Parts {
    /// Builds them from the variables of both functions.
    ///
    /// # Errors
    /// If a variable cannot be used.
    pub async fn build(variables: &Variables<'_>, clock: Clock) -> Result<Self, StartError> {
        let common = CommonConfig::from_variables(variables)?;
        let auth = AuthMode::from_variables(variables)?;
        let http = http_client::build(common.extra_ca_file.as_deref())?;
        let sdk = aws::sdk_config(common.region, &http).await;
        let secrets = SecretsManager::new(&sdk);
        let hooks_secret = secrets.cached(&common.hooks_secret_id, common.secret_ttl);
        let twilio = TwilioClient::new(http.clone(), Arc::clone(&hooks_secret));
        let verify = VerifyClient::new(twilio.clone(), common.verify_url, common.verify_service_sid);
        Ok(Self { auth, http, sdk, secrets, secret_ttl: common.secret_ttl, hooks_secret, twilio, verify, clock })
    }

    /// Fetches the secrets and opens the connections to Twilio, side by side: INIT has the full CPU, a request has not.
    /// A failure is logged and made good on the first request.
    pub async fn prepare(
        &self,
        okta_secret: Option<&Arc<Cached<OktaSecret>>>,
        lookup: Option<&NumberLookup>,
        log: &Log,
    ) {
        let started = Instant::now();
        let okta_secret = async {
            match okta_secret {
                Some(secret) => Some(fetch(secret, log).await),
                None => None,
            }
        };
        let lookup = async {
            match lookup {
                Some(lookup) => lookup.connect(PREPARATION_TIMEOUT).await,
                None => Ok(()),
            }
        };
        let verify = self.verify.connect(PREPARATION_TIMEOUT);
        let (secret, okta_secret, verify, lookup) =
            tokio::join!(fetch(&self.hooks_secret, log), okta_secret, verify, lookup);
        log.emit(&LogEvent::Started {
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            secret,
            okta_secret,
            connection: readiness(verify.is_ok() && lookup.is_ok()),
        });
    }

    /// Lets Okta in.
    ///
    /// # Errors
    /// For any other caller, and while the secret is missing or incomplete.
    pub async fn authenticate(&self, request: &Request, deadline: &Deadline, log: &Log) -> Result<(), Rejection> {
        let authenticated = auth::authenticate(&self.auth, request, &self.hooks_secret, deadline, log).await;
        match authenticated {
            Ok(secret) if self.verify.has_service(&secret) => Ok(()),
            // It lacks verify_service_sid, and VERIFY_SERVICE_SID is not set either.
            Ok(_) => Err(Rejection::new(Reason::SecretUnavailable)),
            Err(reason) => Err(Rejection::new(reason)),
        }
    }
}

async fn fetch<T: FromSecret>(secret: &Arc<Cached<T>>, log: &Log) -> Readiness {
    readiness(matches!(tokio::time::timeout(PREPARATION_TIMEOUT, secret.get(log)).await, Ok(Ok(_))))
}

fn readiness(ready: bool) -> Readiness {
    if ready { Readiness::Ready } else { Readiness::Failed }
}

/// What `location` names where the gateway is of the wrong kind: the setting of its integration.
const PAYLOAD_FORMAT: &str = "payloadFormatVersion";

impl From<NotARequest> for Rejection {
    fn from(event: NotARequest) -> Self {
        match event {
            NotARequest::PayloadFormat => Self { reason: Reason::PayloadFormat, location: Some(PAYLOAD_FORMAT) },
            NotARequest::Ping | NotARequest::Other => Self::new(Reason::NotAHookRequest),
        }
    }
}

/// A request that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// Path of the field at fault, where one is.
    pub location: Option<&'static str>,
}

impl Rejection {
    /// Where no field is at fault.
    pub fn new(reason: Reason) -> Self {
        Self { reason, location: None }
    }

    /// The answer, with its log line and its measurement. `allow` names the hook's methods.
    pub fn answer(self, allow: &'static str, log: &Log, metrics: &mut Metrics) -> Response {
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
        let mut response = Response::json(status, &AnswerBody::of_rejection(reason, location));
        response.allow = (reason == Reason::MethodNotAllowed).then_some(allow);
        response
    }
}
