//! A gate that holds one request after it was carried out, for tests that end a program at each of its steps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

const POLL: Duration = Duration::from_millis(5);

/// Several servers can share one gate: they count their requests together.
#[derive(Debug, Clone)]
pub struct Gate(Arc<State>);

#[derive(Debug)]
struct State {
    left: AtomicU32,
    is_holding: AtomicBool,
    is_open: AtomicBool,
}

impl Gate {
    /// Lets so many requests pass, and holds the next one.
    pub fn after(requests: u32) -> Self {
        Self(Arc::new(State {
            left: AtomicU32::new(requests.saturating_add(1)),
            is_holding: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
        }))
    }

    /// Whether it holds a request: the request was carried out, and its response waits.
    pub fn is_holding(&self) -> bool {
        self.0.is_holding.load(Ordering::SeqCst)
    }

    /// Lets the response go.
    pub fn open(&self) {
        self.0.is_open.store(true, Ordering::SeqCst);
    }

    /// Waits if this is the request to hold.
    pub(crate) async fn pass(&self) {
        let before = self.0.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if before != Ok(1) {
            return;
        }
        self.0.is_holding.store(true, Ordering::SeqCst);
        while !self.0.is_open.load(Ordering::SeqCst) {
            tokio::time::sleep(POLL).await;
        }
    }
}
