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

use secrecy::SecretString;
use tokio::time::Instant;

use crate::{
    secrets::SecretError,
    telemetry::{Log, LogEvent},
};

/// Shortest time between two fetches that a request forces.
const FORCED_INTERVAL: Duration = Duration::from_secs(10);

/// Shortest time between two fetches while there is no value at all.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

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
        // Does not wait where a value is at hand.
        if self.value().is_some() {
            return self.get(log).await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock::Clock;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
