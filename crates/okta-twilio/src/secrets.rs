//! The secrets: where they come from, what the hooks secret holds, and how long they are used.
//!
//! [`Cached`] keeps one secret. It is fetched during INIT, used for `SECRET_TTL_SECONDS`, then refreshed beside a
//! request that goes on with the value at hand. A caller's wrong secret or Twilio's 401 makes it fetch at once, at most
//! once in ten seconds: so a rotation needs no redeploy, and an attacker cannot drive the fetches.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{self, Digest};
use aws_sdk_secretsmanager::{config::timeout::TimeoutConfig, error::SdkError};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    config::is_sid,
    http_client::SdkHttpClient,
    logging::{Log, LogEvent},
};

/// Shortest time between two fetches that a request forces.
const FORCED_INTERVAL: Duration = Duration::from_secs(10);

/// Shortest time between two fetches while there is no value at all.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time for one fetch with its retry.
const FETCH_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Longest time for one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// Why there is no usable secret. None holds a text of AWS or of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not answer in time, or not at all.
    #[error("Secrets Manager cannot be reached")]
    Unreachable,
    /// The function's role may not read it.
    #[error("access to the secret is denied")]
    AccessDenied,
    /// There is no such secret, or it has no value yet.
    #[error("the secret does not exist or has no value")]
    NotFound,
    /// Secrets Manager refused for another reason.
    #[error("Secrets Manager refused")]
    Refused,
    /// The value is not a JSON object.
    #[error("the secret is not a JSON object")]
    NotJson,
    /// `auth_secret` is missing, blank, shorter than 16 characters, or there are more than four.
    #[error("auth_secret is missing, shorter than 16 characters, or there are more than 4")]
    AuthSecret,
    /// The Twilio credentials are missing or of the wrong form.
    #[error(
        "neither twilio_api_key_sid (SK…) with twilio_api_key_secret nor twilio_account_sid (AC…) with twilio_auth_token"
    )]
    TwilioCredentials,
    /// Neither an API token nor a service app's id and key.
    #[error("neither okta_api_token nor okta_client_id with okta_private_key")]
    OktaCredentials,
    /// The private key is neither PKCS#8 in PEM nor a JWK, or of a kind that Okta or this program does not use.
    #[error("okta_private_key is no RSA or P-256 key as PKCS#8 PEM or JWK")]
    OktaPrivateKey,
}

impl SecretError {
    /// Whether the secret may be there a moment later without anybody's help.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable)
    }

    /// The stable code.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::AccessDenied => "access_denied",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::NotJson => "not_json",
            Self::AuthSecret => "auth_secret_unusable",
            Self::TwilioCredentials => "twilio_credentials_unusable",
            Self::OktaCredentials => "okta_credentials_unusable",
            Self::OktaPrivateKey => "okta_private_key_unusable",
        }
    }
}

/// What a secret's text must become.
pub trait FromSecret: PartialEq + Sized + Send + Sync + 'static {
    /// Name in the log.
    const NAME: &'static str;

    /// Reads the secret's JSON.
    ///
    /// # Errors
    /// If a field that every request needs is missing or blank.
    fn from_secret(text: &SecretString) -> Result<Self, SecretError>;
}

/// Whom to believe, and how to speak to Twilio.
#[derive(PartialEq)]
pub struct HooksSecret {
    callers: Vec<SecretDigest>,
    /// Credentials for Verify and Lookup.
    pub twilio: TwilioCredentials,
}

impl HooksSecret {
    /// Whether `candidate` is one of the accepted secrets. Takes the same time for each: digests of one length are
    /// compared, and all of them are.
    pub fn accepts(&self, candidate: &[u8]) -> bool {
        let candidate = SecretDigest::of(candidate);
        self.callers.iter().fold(false, |accepted, secret| (*secret == candidate) | accepted)
    }
}

/// User name and password of Twilio's basic authentication.
#[derive(PartialEq)]
pub struct TwilioCredentials {
    user: String,
    password: SecretDigestible,
}

impl TwilioCredentials {
    /// Adds them to a request.
    pub(crate) fn authenticate(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.user, Some(self.password.0.expose_secret()))
    }
}

struct SecretDigestible(SecretString);

impl PartialEq for SecretDigestible {
    fn eq(&self, other: &Self) -> bool {
        SecretDigest::of(self.0.expose_secret().as_bytes()) == SecretDigest::of(other.0.expose_secret().as_bytes())
    }
}

/// By which secrets are compared: of one length, and in constant time.
pub(crate) struct SecretDigest(Digest);

impl SecretDigest {
    pub(crate) fn of(value: &[u8]) -> Self {
        Self(digest::digest(&digest::SHA256, value))
    }
}

impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_ref(), other.0.as_ref()).is_ok()
    }
}

#[derive(Deserialize)]
struct HooksSecretFields {
    auth_secret: Option<OneOrMany>,
    twilio_api_key_sid: Option<String>,
    twilio_api_key_secret: Option<SecretString>,
    twilio_account_sid: Option<String>,
    twilio_auth_token: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(SecretString),
    Many(Vec<SecretString>),
}

impl FromSecret for HooksSecret {
    const NAME: &'static str = "hooks";

    fn from_secret(text: &SecretString) -> Result<Self, SecretError> {
        let fields: HooksSecretFields =
            serde_json::from_str(text.expose_secret()).map_err(|_serde_error| SecretError::NotJson)?;
        let callers = match fields.auth_secret {
            Some(OneOrMany::One(secret)) => vec![secret],
            Some(OneOrMany::Many(secrets)) => secrets,
            None => Vec::new(),
        };
        let usable = (1..=4).contains(&callers.len()) && callers.iter().all(is_strong);
        if !usable {
            return Err(SecretError::AuthSecret);
        }
        let callers = callers.iter().map(|secret| SecretDigest::of(secret.expose_secret().as_bytes())).collect();
        let api_key = credentials("SK", fields.twilio_api_key_sid, fields.twilio_api_key_secret)?;
        let account = credentials("AC", fields.twilio_account_sid, fields.twilio_auth_token)?;
        let twilio = api_key.or(account).ok_or(SecretError::TwilioCredentials)?;
        Ok(Self { callers, twilio })
    }
}

fn is_strong(secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    // A header's value arrives without blanks around it, so one that has them could never match.
    secret.chars().count() >= 16 && secret.trim() == secret
}

/// One of the two pairs. Half a pair, or one that is not of its kind, is a mistake to be told and not to be passed over.
fn credentials(
    prefix: &str,
    user: Option<String>,
    password: Option<SecretString>,
) -> Result<Option<TwilioCredentials>, SecretError> {
    let user = user.map(|user| user.trim().to_owned()).filter(|user| !user.is_empty());
    let password = password.filter(|password| !password.expose_secret().trim().is_empty());
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) if is_sid(&user, prefix) => {
            Ok(Some(TwilioCredentials { user, password: SecretDigestible(password) }))
        }
        _ => Err(SecretError::TwilioCredentials),
    }
}

type Fetch<T> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, SecretError>> + Send>> + Send + Sync>;

/// One secret, kept and refreshed.
pub struct Cached<T> {
    source: Fetch<T>,
    ttl: Duration,
    state: Mutex<State<T>>,
    /// Held while fetching, so that requests side by side make one fetch.
    fetching: tokio::sync::Mutex<()>,
}

struct State<T> {
    value: Option<Arc<T>>,
    /// When the value was last known to be current.
    confirmed: Option<Instant>,
    /// When a fetch last began.
    tried: Option<Instant>,
    /// When a request last forced one.
    forced: Option<Instant>,
    /// Why the last fetch failed.
    error: Option<SecretError>,
}

/// What makes a fetch, and so how often it may.
#[derive(Clone, Copy)]
enum Cause {
    /// There is no value.
    Missing,
    /// The value is older than its time to live.
    Due,
    /// The value did not fit a caller, or Twilio.
    Forced,
}

impl<T: FromSecret> Cached<T> {
    /// A secret that `fetch` reads.
    pub fn new<F, Answer>(ttl: Duration, fetch: F) -> Arc<Self>
    where
        F: Fn() -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<T, SecretError>> + Send + 'static,
    {
        Arc::new(Self {
            source: Box::new(move || Box::pin(fetch())),
            ttl,
            state: Mutex::new(State { value: None, confirmed: None, tried: None, forced: None, error: None }),
            fetching: tokio::sync::Mutex::new(()),
        })
    }

    /// The secret. Waits only where no value is at hand; an old one is given at once and refreshed beside the caller.
    ///
    /// # Errors
    /// If there is no value and none can be fetched.
    pub async fn get(self: &Arc<Self>, log: &Log) -> Result<Arc<T>, SecretError> {
        let Some(value) = self.value() else {
            let fetched = self.fetch(Cause::Missing, log).await?;
            // A fetch failed a moment ago, and the next one has to wait: its reason still holds.
            return fetched.ok_or_else(|| self.state().error.unwrap_or(SecretError::Unreachable));
        };
        if self.is_due() {
            let (this, log) = (Arc::clone(self), log.clone());
            tokio::spawn(async move { this.fetch(Cause::Due, &log).await });
        }
        Ok(value)
    }

    /// A value other than `seen`, if there is one: another request may have fetched it already, else it is fetched now,
    /// at most once in ten seconds.
    pub async fn newer_than(&self, seen: &Arc<T>, log: &Log) -> Option<Arc<T>> {
        let differs = |value: &Arc<T>| !Arc::ptr_eq(value, seen);
        if let Some(value) = self.value().filter(differs) {
            return Some(value);
        }
        self.fetch(Cause::Forced, log).await.ok().flatten().filter(differs)
    }

    /// As [`get`](Self::get), but waits no longer than `limit`.
    ///
    /// # Errors
    /// If there is no value and none can be fetched in time.
    pub async fn get_within(self: &Arc<Self>, limit: Duration, log: &Log) -> Result<Arc<T>, SecretError> {
        let (this, log) = (Arc::clone(self), log.clone());
        finish_within(limit, async move { this.get(&log).await }).await.unwrap_or(Err(SecretError::Unreachable))
    }

    /// As [`newer_than`](Self::newer_than), but waits no longer than `limit`.
    pub async fn newer_than_within(self: &Arc<Self>, limit: Duration, seen: &Arc<T>, log: &Log) -> Option<Arc<T>> {
        let (this, seen, log) = (Arc::clone(self), Arc::clone(seen), log.clone());
        finish_within(limit, async move { this.newer_than(&seen, &log).await }).await.flatten()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        // The lock is held for plain assignments only, which cannot panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn value(&self) -> Option<Arc<T>> {
        self.state().value.clone()
    }

    fn is_due(&self) -> bool {
        self.state().confirmed.is_none_or(|confirmed| confirmed.elapsed() >= self.ttl)
    }

    /// Whether a fetch for this cause may begin now; if so, it counts as begun.
    fn begin(&self, cause: Cause) -> bool {
        let mut state = self.state();
        let (last, interval) = match cause {
            Cause::Missing => (state.tried, RETRY_INTERVAL),
            // Matters after a failure only: a success makes the value current.
            Cause::Due => (state.tried, FORCED_INTERVAL.min(self.ttl)),
            Cause::Forced => (state.forced, FORCED_INTERVAL),
        };
        if last.is_some_and(|last| last.elapsed() < interval) {
            return false;
        }
        let now = Instant::now();
        state.tried = Some(now);
        if matches!(cause, Cause::Forced) {
            state.forced = Some(now);
        }
        true
    }

    /// Fetches, if the cause's last fetch is long enough ago; else what is at hand is the answer.
    async fn fetch(&self, cause: Cause, log: &Log) -> Result<Option<Arc<T>>, SecretError> {
        let _alone = self.fetching.lock().await;
        if !self.begin(cause) {
            return Ok(self.value());
        }
        match (self.source)().await {
            Ok(fetched) => {
                let mut state = self.state();
                state.confirmed = Some(Instant::now());
                // An equal value keeps its identity, so that `newer_than` tells a change from a mere refresh.
                let unchanged = state.value.take().filter(|value| **value == fetched);
                let changed = unchanged.is_none();
                let value = unchanged.unwrap_or_else(|| Arc::new(fetched));
                state.value = Some(Arc::clone(&value));
                drop(state);
                log.emit(&LogEvent::SecretRefreshed { secret: T::NAME, changed });
                Ok(Some(value))
            }
            Err(error) => {
                self.state().error = Some(error);
                let stale_value_in_use = self.value().is_some();
                let (secret, reason) = (T::NAME, error.reason());
                log.emit(&LogEvent::SecretRefreshFailed { secret, reason, stale_value_in_use });
                Err(error)
            }
        }
    }
}

/// Waits for `work` no longer than `limit`. It goes on in a task of its own: a fetch given up half way would keep the next
/// one from beginning for ten seconds.
async fn finish_within<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    tokio::time::timeout(limit, tokio::spawn(work)).await.ok()?.ok()
}

/// Secrets Manager.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    client: aws_sdk_secretsmanager::Client,
}

impl SecretsManager {
    /// A client with time-outs that fit a hook, on the shared HTTP client.
    pub fn new(sdk: &aws_config::SdkConfig) -> Self {
        Self { client: aws_sdk_secretsmanager::Client::new(sdk) }
    }

    /// One secret, kept.
    pub fn cached<T: FromSecret>(&self, id: &str, ttl: Duration) -> Arc<Cached<T>> {
        let (this, id) = (self.clone(), id.to_owned());
        Cached::new(ttl, move || {
            let (this, id) = (this.clone(), id.clone());
            async move { T::from_secret(&this.read(&id).await?) }
        })
    }

    async fn read(&self, id: &str) -> Result<SecretString, SecretError> {
        let answer = self.client.get_secret_value().secret_id(id).send().await;
        let answer = answer.map_err(|error| match error {
            SdkError::ServiceError(refusal) => {
                let refusal = refusal.into_err();
                if refusal.is_resource_not_found_exception() {
                    SecretError::NotFound
                } else if refusal.meta().code() == Some("AccessDeniedException") {
                    SecretError::AccessDenied
                } else if refusal.is_internal_service_error() {
                    SecretError::Unreachable
                } else {
                    SecretError::Refused
                }
            }
            _ => SecretError::Unreachable,
        })?;
        answer.secret_string.map(SecretString::from).ok_or(SecretError::NotFound)
    }
}

/// The SDK's configuration: region and credentials from the variables that Lambda sets, so that no file and no metadata
/// service is asked at cold start.
pub async fn sdk_config(region: Option<String>, client: &reqwest::Client) -> aws_config::SdkConfig {
    let timeouts =
        TimeoutConfig::builder().operation_timeout(FETCH_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let retries =
        aws_config::retry::RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(50));
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(region.map(aws_config::Region::new))
        .credentials_provider(aws_config::environment::EnvironmentVariableCredentialsProvider::new())
        .http_client(SdkHttpClient(client.clone()))
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const API_KEY: &str = r#""twilio_api_key_sid":"SK00000000000000000000000000000000","twilio_api_key_secret":"key""#;
    const ACCOUNT: &str = r#""twilio_account_sid":"AC00000000000000000000000000000000","twilio_auth_token":"token""#;

    fn read(json: &str) -> Result<HooksSecret, SecretError> {
        HooksSecret::from_secret(&SecretString::from(json))
    }

    #[test]
    fn accepts_one_or_several_callers() {
        let secret = read(&format!(r#"{{"auth_secret":"0123456789abcdef",{API_KEY}}}"#)).unwrap();
        assert!(secret.accepts(b"0123456789abcdef"));
        for wrong in
            ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdef,0123456789abcdef"]
        {
            assert!(!secret.accepts(wrong.as_bytes()), "{wrong}");
        }
        let secret = read(&format!(r#"{{"auth_secret":["0123456789abcdef","fedcba9876543210"],{API_KEY}}}"#)).unwrap();
        assert!(secret.accepts(b"0123456789abcdef") && secret.accepts(b"fedcba9876543210"));
    }

    #[test]
    fn prefers_the_api_key() {
        let secret = read(&format!(r#"{{"auth_secret":"0123456789abcdef",{API_KEY},{ACCOUNT}}}"#)).unwrap();
        assert!(secret.twilio.user.starts_with("SK"));
        let secret = read(&format!(r#"{{"auth_secret":"0123456789abcdef",{ACCOUNT}}}"#)).unwrap();
        assert!(secret.twilio.user.starts_with("AC"));
    }

    #[test]
    fn nothing_is_let_in_because_something_is_unset() {
        let strong = r#""auth_secret":"0123456789abcdef""#;
        for (json, error) in [
            (String::new(), SecretError::NotJson),
            ("null".into(), SecretError::NotJson),
            ("[]".into(), SecretError::NotJson),
            ("plain text".into(), SecretError::NotJson),
            ("{}".into(), SecretError::AuthSecret),
            (format!("{{{API_KEY}}}"), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":"",{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":null,{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":"                ",{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":"short",{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":[],{API_KEY}}}"#), SecretError::AuthSecret),
            (format!(r#"{{"auth_secret":["0123456789abcdef",""],{API_KEY}}}"#), SecretError::AuthSecret),
            (
                format!(
                    r#"{{"auth_secret":["0123456789abcde1","0123456789abcde2","0123456789abcde3","0123456789abcde4","0123456789abcde5"],{API_KEY}}}"#
                ),
                SecretError::AuthSecret,
            ),
            (format!("{{{strong}}}"), SecretError::TwilioCredentials),
            (
                format!(r#"{{{strong},"twilio_api_key_sid":"SK00000000000000000000000000000000"}}"#),
                SecretError::TwilioCredentials,
            ),
            (
                format!(
                    r#"{{{strong},"twilio_api_key_sid":"AC00000000000000000000000000000000","twilio_api_key_secret":"x"}}"#
                ),
                SecretError::TwilioCredentials,
            ),
            (
                format!(
                    r#"{{{strong},"twilio_api_key_sid":"SK00000000000000000000000000000000","twilio_api_key_secret":" "}}"#
                ),
                SecretError::TwilioCredentials,
            ),
        ] {
            assert_eq!(read(&json).err(), Some(error), "{json}");
        }
    }

    #[derive(PartialEq, Debug)]
    struct Numbered(usize);

    impl FromSecret for Numbered {
        const NAME: &'static str = "test";
        fn from_secret(_: &SecretString) -> Result<Self, SecretError> {
            unreachable!()
        }
    }

    /// What the source answers, and how often it was asked.
    #[derive(Default)]
    struct Source {
        value: AtomicUsize,
        fetches: AtomicUsize,
    }

    impl Source {
        /// A secret that is the source's value; 0 means that the source is down.
        fn cached(self: &Arc<Self>) -> Arc<Cached<Numbered>> {
            let source = Arc::clone(self);
            Cached::new(Duration::from_secs(300), move || {
                source.fetches.fetch_add(1, Ordering::Relaxed);
                let value = source.value.load(Ordering::Relaxed);
                async move { if value == 0 { Err(SecretError::Unreachable) } else { Ok(Numbered(value)) } }
            })
        }

        fn set(&self, value: usize) {
            self.value.store(value, Ordering::Relaxed);
        }

        fn fetches(&self) -> usize {
            self.fetches.load(Ordering::Relaxed)
        }
    }

    fn log() -> Log {
        Log::outside_invocations("test", Clock::fixed(std::time::UNIX_EPOCH))
    }

    async fn seconds(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        // Lets what was spawned run.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }

    #[tokio::test(start_paused = true)]
    async fn is_used_until_it_is_due_and_then_refreshed_beside_the_request() {
        let source = Arc::new(Source::default());
        source.set(1);
        let secret = source.cached();
        assert_eq!(secret.get(&log()).await.unwrap().0, 1);
        source.set(2);
        seconds(299).await;
        assert_eq!((secret.get(&log()).await.unwrap().0, source.fetches()), (1, 1));
        seconds(1).await;
        assert_eq!(secret.get(&log()).await.unwrap().0, 1, "the old value, at once");
        seconds(0).await;
        assert_eq!((secret.get(&log()).await.unwrap().0, source.fetches()), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_the_old_value_while_the_source_is_down() {
        let source = Arc::new(Source::default());
        source.set(1);
        let secret = source.cached();
        secret.get(&log()).await.unwrap();
        source.set(0);
        seconds(1_000).await;
        for _ in 0..5 {
            assert_eq!(secret.get(&log()).await.unwrap().0, 1);
            seconds(1).await;
        }
        assert_eq!(source.fetches(), 2, "one try in ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn a_forced_refresh_happens_once_in_ten_seconds() {
        let source = Arc::new(Source::default());
        source.set(1);
        let secret = source.cached();
        let seen = secret.get(&log()).await.unwrap();
        assert!(secret.newer_than(&seen, &log()).await.is_none(), "fetched, and the same");
        source.set(2);
        for _ in 0..100 {
            assert!(secret.newer_than(&seen, &log()).await.is_none());
        }
        assert_eq!(source.fetches(), 2);
        seconds(10).await;
        assert_eq!(secret.newer_than(&seen, &log()).await.unwrap().0, 2);
        assert_eq!(secret.newer_than(&seen, &log()).await.unwrap().0, 2, "at hand, without a fetch");
        assert_eq!(source.fetches(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_value_every_request_fails_and_one_a_second_asks() {
        let source = Arc::new(Source::default());
        let secret = source.cached();
        assert_eq!(secret.get(&log()).await.err(), Some(SecretError::Unreachable));
        for _ in 0..10 {
            assert_eq!(secret.get(&log()).await.err(), Some(SecretError::Unreachable));
        }
        assert_eq!(source.fetches(), 1);
        source.set(1);
        seconds(1).await;
        assert_eq!(secret.get(&log()).await.unwrap().0, 1);
    }
}
