//! A cached secret that refreshes itself.
//!
//! INIT fetches the secret, and it is used for `SECRET_TTL_SECONDS`. After that, the next request starts a refresh and
//! continues with the cached value. It waits for the refresh before its response leaves, because Lambda freezes the
//! process after that. A value older than twice its time to live is refreshed before it is used.
//!
//! A caller's wrong secret and a 401 from Twilio force a fetch, at most once in ten seconds. So a rotation needs no
//! redeploy, and an attacker cannot cause many fetches. A fetch never outlives the invocation that started it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout},
};

use crate::{
    secrets::{SecretError, UnknownField},
    telemetry::{ConfigurationWarning, Log, LogEvent},
    time::{deadline::Deadline, moment::Moment},
};

/// Minimum time between two forced fetches.
const FORCED_INTERVAL: Duration = Duration::from_secs(10);

/// Minimum time between two fetches without a value: within one invocation, or if only an admin can fix the cause.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum time for one fetch, if the invocation has more time. The queue's batches have minutes.
const MAX_FETCH_TIME: Duration = Duration::from_secs(5);

/// Maximum time that a response waits for a refresh that it did not need. Secrets Manager takes a tenth of it.
const MAX_SETTLE_TIME: Duration = Duration::from_millis(1_500);

/// A parsed secret.
pub trait Secret: PartialEq + Send + Sync + 'static {
    /// The name in the log.
    const NAME: &'static str;

    /// Problems that an admin should look at, although the secret is usable.
    fn warnings(&self) -> &[Warning];
}

/// A problem of a usable secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// An unused field.
    UnknownField(UnknownField),
    /// `paused` cannot be parsed, so everything is paused.
    PausedUnreadable,
}

/// Reads the secret from its store within a time limit.
type Source<T> = Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = Result<T, SecretError>> + Send>> + Send + Sync>;

/// A cached secret that refreshes itself.
pub struct Cached<T> {
    source: Source<T>,
    ttl: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<Arc<T>>,
    /// When the last fetch that confirmed the value started.
    confirmed: Option<Moment>,
    /// When the last fetch started. Cleared if the next fetch does not have to wait.
    tried: Option<Moment>,
    /// When a request last forced a fetch.
    forced: Option<Moment>,
    /// Why the last fetch failed, if it failed.
    error: Option<SecretError>,
    /// The fetch in progress.
    fetch: Option<Fetch>,
}

/// A fetch in progress. It has its own task, so parallel requests wait for the same fetch.
#[derive(Clone)]
struct Fetch {
    /// Closed when the fetch has ended in any way.
    ended: watch::Receiver<()>,
    task: AbortHandle,
    began: Moment,
    until: Instant,
}

impl Fetch {
    async fn wait(mut self, limit: Duration) {
        // Nothing is ever sent. The channel closes.
        let _ = timeout(limit, self.ended.changed()).await;
    }
}

/// The cause of a fetch. It decides how often a fetch may happen.
#[derive(Clone, Copy)]
enum Cause {
    /// There is no value.
    Missing,
    /// The value is older than its time to live.
    Due,
    /// A caller or Twilio rejected the value.
    Forced,
}

impl<T: Secret> Cached<T> {
    /// Creates a secret that `source` reads. `source` receives its time limit.
    pub fn new<F, Fetched>(ttl: Duration, source: F) -> Arc<Self>
    where
        F: Fn(Duration) -> Fetched + Send + Sync + 'static,
        Fetched: Future<Output = Result<T, SecretError>> + Send + 'static,
    {
        let state = State { value: None, confirmed: None, tried: None, forced: None, error: None, fetch: None };
        Arc::new(Self { source: Box::new(move |limit| Box::pin(source(limit))), ttl, state: Mutex::new(state) })
    }

    /// Fetches the secret during INIT. After a failure, the first request fetches it without a delay. Returns whether
    /// the secret is loaded.
    pub async fn prepare(self: &Arc<Self>, deadline: &Deadline, log: &Log) -> bool {
        let is_ready = self.get(deadline, log).await.is_ok();
        self.settle(log).await;
        self.state().tried = None;
        is_ready
    }

    /// Returns the secret. Without a value it waits until the deadline. If the value is older than twice its time to
    /// live, it waits for half of the remaining time. Otherwise it returns the value at once and refreshes it in
    /// parallel: see [`settle`](Self::settle).
    ///
    /// # Errors
    /// Fails if there is no value and none can be fetched in time.
    pub async fn get(self: &Arc<Self>, deadline: &Deadline, log: &Log) -> Result<Arc<T>, SecretError> {
        let (value, age) = self.value_and_age(log);
        let Some(value) = value else {
            // If a fetch failed a moment ago and a new one has to wait, the old reason still applies.
            if let Some(fetch) = self.fetch(Cause::Missing, deadline, log) {
                fetch.wait(deadline.remaining()).await;
            }
            let state = self.state();
            return state.value.clone().ok_or_else(|| state.error.unwrap_or(SecretError::Unreachable));
        };
        if age < self.ttl {
            return Ok(value);
        }
        let fetch = self.fetch(Cause::Due, deadline, log);
        if age < self.ttl * 2 {
            return Ok(value);
        }
        if let Some(fetch) = fetch {
            // The rest of the time is for the work that needs the secret.
            fetch.wait(deadline.remaining() / 2).await;
        }
        Ok(self.state().value.clone().unwrap_or(value))
    }

    /// Returns a value other than `seen`, if there is one. Another request may have fetched it already. Otherwise it is
    /// fetched now, at most once in ten seconds. Waits until the deadline at most.
    pub async fn newer_than(self: &Arc<Self>, seen: &Arc<T>, deadline: &Deadline, log: &Log) -> Option<Arc<T>> {
        let newer = || self.state().value.clone().filter(|value| !Arc::ptr_eq(value, seen));
        if let Some(value) = newer() {
            return Some(value);
        }
        let under_way = self.state().fetch.clone();
        if let Some(fetch) = under_way {
            fetch.wait(deadline.remaining()).await;
            let has_failed = self.state().error.is_some();
            if !has_failed {
                return newer();
            }
        }
        self.fetch(Cause::Forced, deadline, log)?.wait(deadline.remaining()).await;
        newer()
    }

    /// Completes the invocation's background work before its response leaves. Waits for a refresh in progress, but at
    /// most 1.5 s or the rest of its time, and then cancels it.
    pub async fn settle(&self, log: &Log) {
        let under_way = self.state().fetch.clone();
        if let Some(fetch) = under_way {
            fetch.clone().wait(MAX_SETTLE_TIME.min(fetch.until.saturating_duration_since(Instant::now()))).await;
            let has_not_ended = self.state().fetch.is_some();
            if has_not_ended {
                fetch.task.abort();
                self.end(fetch.began, Err(SecretError::Unreachable), log);
            }
        }
        let mut state = self.state();
        if state.value.is_none() && state.error.is_none_or(SecretError::is_transient) {
            // Without the secret the next request must be rejected, so it may try at once.
            state.tried = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // The lock covers only assignments, which cannot panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn value_and_age(&self, log: &Log) -> (Option<Arc<T>>, Duration) {
        let state = self.state();
        (state.value.clone(), state.confirmed.map_or(Duration::MAX, |confirmed| confirmed.age(log.clock())))
    }

    /// Returns the fetch in progress, or starts one if the last one for this cause is old enough.
    fn fetch(self: &Arc<Self>, cause: Cause, deadline: &Deadline, log: &Log) -> Option<Fetch> {
        let mut state = self.state();
        if let Some(fetch) = state.fetch.as_ref().filter(|fetch| !fetch.task.is_finished()) {
            return Some(fetch.clone());
        }
        let (last, interval) = match cause {
            Cause::Missing => (state.tried, RETRY_INTERVAL),
            // This matters only after a failure, because a success makes the value current.
            Cause::Due => (state.tried, FORCED_INTERVAL.min(self.ttl)),
            Cause::Forced => (state.forced, FORCED_INTERVAL),
        };
        let limit = deadline.remaining_up_to(MAX_FETCH_TIME);
        if limit.is_zero() || last.is_some_and(|last| last.age(log.clock()) < interval) {
            return None;
        }
        let began = Moment::now(log.clock());
        state.tried = Some(began);
        if matches!(cause, Cause::Forced) {
            state.forced = Some(began);
        }
        let (sender, ended) = watch::channel(());
        let (this, task_log) = (Arc::clone(self), log.clone());
        let task = tokio::spawn(async move {
            let fetched = timeout(limit, (this.source)(limit)).await;
            this.end(began, fetched.unwrap_or(Err(SecretError::Unreachable)), &task_log);
            drop(sender);
        });
        let fetch = Fetch { ended, task: task.abort_handle(), began, until: Instant::now() + limit };
        state.fetch = Some(fetch.clone());
        Some(fetch)
    }

    /// Stores the result of a fetch.
    fn end(&self, began: Moment, fetched: Result<T, SecretError>, log: &Log) {
        let mut state = self.state();
        state.fetch = None;
        state.error = fetched.as_ref().err().copied();
        match fetched {
            Ok(fetched) => {
                // The value is at least as recent as the start of the fetch.
                state.confirmed = Some(began);
                // An equal value keeps its identity, so that `newer_than` can distinguish a change from a refresh.
                let unchanged = state.value.take().filter(|value| **value == fetched);
                let changed = unchanged.is_none();
                let value = unchanged.unwrap_or_else(|| Arc::new(fetched));
                state.value = Some(Arc::clone(&value));
                drop(state);
                log.emit(&LogEvent::SecretRefreshed { secret: T::NAME, changed });
                if changed {
                    for warning in value.warnings() {
                        log.emit(&LogEvent::ConfigurationWarning(warning.describe(T::NAME)));
                    }
                }
            }
            Err(error) => {
                let stale_value_in_use = state.value.is_some();
                drop(state);
                log.emit(&LogEvent::SecretRefreshFailed {
                    secret: T::NAME,
                    reason: error.reason(),
                    field: error.field(),
                    stale_value_in_use,
                });
            }
        }
    }
}

impl Warning {
    fn describe(self, secret: &'static str) -> ConfigurationWarning {
        let (problem, meant) = match self {
            Self::UnknownField(UnknownField { nearest }) => ("the secret has an unused field", nearest),
            Self::PausedUnreadable => ("paused cannot be read, so everything is paused", None),
        };
        ConfigurationWarning { secret: Some(secret), meant, ..ConfigurationWarning::of(problem) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock::{Clock, Timestamp};
    use std::{
        sync::atomic::{AtomicU64, AtomicUsize, Ordering},
        time::UNIX_EPOCH,
    };

    const TTL_SECONDS: u64 = 300;

    #[derive(PartialEq, Debug)]
    struct Numbered(usize);

    impl Secret for Numbered {
        const NAME: &'static str = "test";
        fn warnings(&self) -> &[Warning] {
            &[]
        }
    }

    /// A source with its values, its latency, and a count of its fetches.
    #[derive(Default)]
    struct Source {
        value: AtomicUsize,
        delay_ms: AtomicU64,
        fetches: AtomicUsize,
    }

    /// The source is unavailable.
    const DOWN: usize = 0;
    /// The source has an unusable value.
    const BROKEN: usize = 99;

    impl Source {
        fn with(value: usize) -> Arc<Self> {
            let source = Arc::new(Self::default());
            source.set(value);
            source
        }

        /// A source of 1, and the secret after INIT.
        async fn prepared() -> (Arc<Self>, Arc<Cached<Numbered>>) {
            let source = Self::with(1);
            let secret = source.cached();
            assert!(secret.prepare(&budget(), &log()).await);
            (source, secret)
        }

        fn cached(self: &Arc<Self>) -> Arc<Cached<Numbered>> {
            let source = Arc::clone(self);
            Cached::new(Duration::from_secs(TTL_SECONDS), move |_limit| {
                source.fetches.fetch_add(1, Ordering::Relaxed);
                let value = source.value.load(Ordering::Relaxed);
                let delay = Duration::from_millis(source.delay_ms.load(Ordering::Relaxed));
                async move {
                    tokio::time::sleep(delay).await;
                    match value {
                        DOWN => Err(SecretError::Throttled),
                        BROKEN => Err(SecretError::NotJson),
                        value => Ok(Numbered(value)),
                    }
                }
            })
        }

        fn set(&self, value: usize) {
            self.value.store(value, Ordering::Relaxed);
        }

        fn set_delay(&self, millis: u64) {
            self.delay_ms.store(millis, Ordering::Relaxed);
        }

        fn fetches(&self) -> usize {
            self.fetches.load(Ordering::Relaxed)
        }
    }

    fn log() -> Log {
        log_at(0)
    }

    fn log_at(seconds: u64) -> Log {
        Log::outside_invocations("test", Clock::fixed(UNIX_EPOCH + Duration::from_secs(seconds)))
    }

    fn budget() -> Deadline {
        Deadline::starting(Duration::from_millis(2_600), Timestamp::from_millis(0), None)
    }

    async fn seconds(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    /// One request: its value, and how long it waited for the value and before its response, in milliseconds.
    async fn request(secret: &Arc<Cached<Numbered>>) -> (Result<usize, SecretError>, u128, u128) {
        let started = Instant::now();
        let value = secret.get(&budget(), &log()).await.map(|value| value.0);
        let waited = started.elapsed().as_millis();
        secret.settle(&log()).await;
        (value, waited, started.elapsed().as_millis() - waited)
    }

    #[tokio::test(start_paused = true)]
    async fn is_used_until_it_is_due_and_then_refreshed_in_parallel() {
        let (source, secret) = Source::prepared().await;
        source.set(2);
        source.set_delay(40);
        seconds(TTL_SECONDS - 1).await;
        assert_eq!((request(&secret).await, source.fetches()), ((Ok(1), 0, 0), 1));
        seconds(1).await;
        assert_eq!(request(&secret).await, (Ok(1), 0, 40), "the old value at once, the refresh before the response");
        assert_eq!((request(&secret).await, source.fetches()), ((Ok(2), 0, 0), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_older_than_twice_its_time_is_refreshed_before_it_is_used() {
        let (source, secret) = Source::prepared().await;
        source.set(2);
        source.set_delay(1_200);
        seconds(2 * TTL_SECONDS).await;
        assert_eq!(request(&secret).await, (Ok(2), 1_200, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_freeze_counts_even_if_the_monotonic_clock_stood_still() {
        let (source, secret) = Source::prepared().await;
        source.set(2);
        assert_eq!(secret.get(&budget(), &log_at(2 * TTL_SECONDS)).await.map(|value| value.0), Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_refresh_keeps_the_old_value_and_leaves_time_to_use_it() {
        let (source, secret) = Source::prepared().await;
        source.set(2);
        source.set_delay(60_000);
        seconds(2 * TTL_SECONDS).await;
        assert_eq!(request(&secret).await, (Ok(1), 1_300, 1_300), "half the budget, and the rest before the response");
        assert_eq!(secret.state().error, Some(SecretError::Unreachable));
        assert_eq!(request(&secret).await, (Ok(1), 0, 0), "not again so soon");
        source.set(DOWN);
        source.set_delay(0);
        seconds(1_000).await;
        for _ in 0..5 {
            assert_eq!(request(&secret).await, (Ok(1), 0, 0));
            seconds(1).await;
        }
        assert_eq!(source.fetches(), 3, "one try in ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn no_fetch_outlives_its_invocation() {
        let source = Source::with(1);
        source.set_delay(60_000);
        let secret = source.cached();
        let log = log();
        let short = Deadline::starting(Duration::from_millis(500), Timestamp::from_millis(0), None);
        assert!(!secret.prepare(&short, &log).await);
        assert!(secret.state().fetch.is_none());
        secret.get(&short, &log).await.err();
        secret.settle(&log).await;
        assert!(secret.state().fetch.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_forced_refresh_happens_once_in_ten_seconds() {
        let ((source, secret), log) = (Source::prepared().await, log());
        let newer = async |seen: &Arc<Numbered>| secret.newer_than(seen, &budget(), &log).await.map(|value| value.0);
        let seen = secret.get(&budget(), &log).await.unwrap();
        assert_eq!(newer(&seen).await, None, "fetched, and the same");
        source.set(2);
        for _ in 0..100 {
            assert_eq!(newer(&seen).await, None);
        }
        assert_eq!(source.fetches(), 2);
        seconds(10).await;
        assert_eq!(newer(&seen).await, Some(2));
        assert_eq!(newer(&seen).await, Some(2), "cached, without a fetch");
        assert_eq!(source.fetches(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_a_refresh_in_progress_and_forces_no_second_one() {
        let ((source, secret), log) = (Source::prepared().await, log());
        source.set(2);
        source.set_delay(40);
        seconds(TTL_SECONDS).await;
        let seen = secret.get(&budget(), &log).await.unwrap();
        let newer = secret.newer_than(&seen, &budget(), &log).await.unwrap();
        assert_eq!((seen.0, newer.0, source.fetches()), (1, 2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failed_start_the_first_request_fetches_without_a_delay() {
        for at_the_start in [DOWN, BROKEN] {
            let source = Source::with(at_the_start);
            let secret = source.cached();
            assert!(!secret.prepare(&budget(), &log()).await);
            source.set(1);
            assert_eq!(request(&secret).await.0, Ok(1));
            assert_eq!(source.fetches(), 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_transient_failure_is_retried_by_every_request_and_a_broken_secret_once_a_second() {
        for (value, error, fetches) in [(DOWN, SecretError::Throttled, 10), (BROKEN, SecretError::NotJson, 1)] {
            let source = Source::with(value);
            let secret = source.cached();
            for _ in 0..10 {
                assert_eq!(request(&secret).await.0, Err(error));
            }
            assert_eq!(source.fetches(), fetches, "{error}");
            source.set(1);
            seconds(1).await;
            assert_eq!(request(&secret).await.0, Ok(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn within_one_invocation_a_failure_is_shared() {
        let source = Source::with(DOWN);
        source.set_delay(10);
        let (secret, log, deadline) = (source.cached(), log(), budget());
        let get = || secret.get(&deadline, &log);
        let together = tokio::join!(get(), get(), get());
        assert!(together.0.is_err() && together.1.is_err() && together.2.is_err());
        assert!(get().await.is_err());
        assert_eq!(source.fetches(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_a_slow_secret_until_the_deadline() {
        let source = Source::with(1);
        source.set_delay(1_200);
        assert_eq!(request(&source.cached()).await, (Ok(1), 1_200, 0));
        source.set_delay(2_500);
        assert_eq!(request(&source.cached()).await, (Ok(1), 2_500, 0));
        source.set_delay(60_000);
        assert_eq!(request(&source.cached()).await, (Err(SecretError::Unreachable), 2_600, 0));
    }
}
