//! Connections that INIT opens for the first request.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};
use url::Url;

use crate::{
    http_client,
    telemetry::Readiness,
    time::{clock::Clock, moment::Moment},
};

/// Maximum time that INIT waits for connections.
const HOLD: Duration = Duration::from_millis(300);

/// Timeout of one connection, across INIT and the first request.
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(2_600);

/// After INIT, Lambda freezes the process unless a request is waiting. If a request comes later than this, the process
/// was frozen.
const MAX_TIME_WITHOUT_FREEZE: Duration = Duration::from_millis(200);

/// Connections in progress. A slow one continues during the first request, which uses it if it is ready before its own.
#[derive(Default)]
pub struct WarmUp(Mutex<UnderWay>);

#[derive(Default)]
struct UnderWay {
    connections: JoinSet<bool>,
    /// When INIT ended.
    left: Option<Moment>,
}

/// Starts to open a connection to each URL. The response does not matter.
pub fn connections(http: &reqwest::Client, urls: &[Url]) -> JoinSet<bool> {
    let connect = |url: &Url| {
        let request = http.head(url.clone());
        async move { http_client::call(request, CONNECTION_TIMEOUT).await.is_ok() }
    };
    urls.iter().map(connect).collect()
}

impl WarmUp {
    /// Waits for `connections`: at most 300 ms, or until `other` is done if that takes longer. Keeps the connections
    /// that are not ready by then.
    pub async fn hold<T>(&self, mut connections: JoinSet<bool>, other: impl Future<Output = T>) -> (T, Readiness) {
        let until = Instant::now() + HOLD;
        let mut all_ready = true;
        let opened = async {
            while let Ok(Some(opened)) = timeout_at(until, connections.join_next()).await {
                all_ready &= opened.unwrap_or(false);
            }
        };
        let (done, ()) = tokio::join!(other, opened);
        while let Some(opened) = connections.try_join_next() {
            all_ready &= opened.unwrap_or(false);
        }
        let preparation = match (all_ready, connections.is_empty()) {
            (false, _) => Readiness::Failed,
            (true, true) => Readiness::Ready,
            (true, false) => Readiness::UnderWay,
        };
        self.under_way().connections = connections;
        (done, preparation)
    }

    /// Ends INIT.
    pub fn leave(&self, clock: &Clock) {
        self.under_way().left = Some(Moment::now(clock));
    }

    /// Begins a request. Drops a half-open connection if Lambda froze the process.
    pub fn resume(&self, clock: &Clock) {
        let mut under_way = self.under_way();
        if under_way.left.is_some_and(|left| left.age(clock) > MAX_TIME_WITHOUT_FREEZE) {
            under_way.connections.abort_all();
        }
    }

    /// Ends a request and drops the connections in progress, because Lambda may freeze the process now.
    pub fn end(&self) {
        self.under_way().connections.abort_all();
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, UnderWay> {
        // The lock covers only assignments, which cannot panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::UNIX_EPOCH,
    };

    fn clock() -> Clock {
        Clock::fixed(UNIX_EPOCH)
    }

    /// What INIT reports for connections that take these times, and how long INIT takes with other work of `other_ms`.
    async fn held(connections: &[(u64, bool)], other_ms: u64) -> (Readiness, u128) {
        let mut opening = JoinSet::new();
        for (millis, opened) in connections.iter().copied() {
            opening.spawn(async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                opened
            });
        }
        let started = Instant::now();
        let other = tokio::time::sleep(Duration::from_millis(other_ms));
        let ((), preparation) = WarmUp::default().hold(opening, other).await;
        (preparation, started.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn init_waits_for_connections_for_at_most_300_ms() {
        for (connections, other_ms, expected) in [
            (&[][..], 20, (Readiness::Ready, 20)),
            (&[(40, true), (60, true)], 20, (Readiness::Ready, 60)),
            (&[(40, true), (60, false)], 20, (Readiness::Failed, 60)),
            (&[(40, true), (1_000, true)], 20, (Readiness::UnderWay, 300)),
            (&[(40, false), (1_000, true)], 20, (Readiness::Failed, 300)),
            // The secret takes longer than the connection.
            (&[(1_000, true)], 1_200, (Readiness::Ready, 1_200)),
        ] {
            assert_eq!(held(connections, other_ms).await, expected, "{connections:?} {other_ms}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_connection_continues_in_the_first_request_unless_it_was_frozen() {
        for (millis_until_the_request, made) in [(0, 1), (100, 1), (60_000, 0)] {
            let made_count = Arc::new(AtomicUsize::new(0));
            let (warm_up, counter) = (WarmUp::default(), Arc::clone(&made_count));
            let mut opening = JoinSet::new();
            opening.spawn(async move {
                tokio::time::sleep(Duration::from_millis(500)).await;
                counter.fetch_add(1, Ordering::Relaxed);
                true
            });
            warm_up.hold(opening, async {}).await;
            warm_up.leave(&clock());
            // While a process is frozen, time passes and nothing runs.
            let thawed = Clock::fixed(UNIX_EPOCH + Duration::from_millis(millis_until_the_request));
            warm_up.resume(&thawed);
            tokio::time::sleep(Duration::from_millis(300)).await;
            warm_up.end();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(made_count.load(Ordering::Relaxed), made, "{millis_until_the_request}");
        }
    }
}
