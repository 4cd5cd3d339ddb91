//! Okta's rate limits: a number of requests per minute and endpoint, reported in three headers.

use crate::clock::Moment;
use crate::server::Reply;
use crate::twilio::faults::Operation;
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

const WINDOW: Duration = Duration::from_mins(1);

/// The requests of the current minute, by endpoint.
#[derive(Default)]
pub(crate) struct RateLimits(HashMap<Operation, Bucket>);

#[derive(Clone, Copy)]
struct Bucket {
    used: u32,
    reset: Moment,
}

/// The values of the rate-limit headers of a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    limit: u32,
    remaining: u32,
    reset: Moment,
}

impl RateLimits {
    /// Counts a request. A request over the limit gets an error.
    pub(crate) fn count(&mut self, endpoint: Operation, limit: u32, now: Moment) -> Result<Allowance, Allowance> {
        let fresh = Bucket { used: 0, reset: now.later(WINDOW) };
        let bucket = self.0.entry(endpoint).or_insert(fresh);
        if now >= bucket.reset {
            *bucket = fresh;
        }
        if bucket.used >= limit {
            return Err(Allowance { limit, remaining: 0, reset: bucket.reset });
        }
        bucket.used += 1;
        Ok(Allowance { limit, remaining: limit - bucket.used, reset: bucket.reset })
    }
}

impl Allowance {
    /// An exhausted limit, until `reset`.
    pub(crate) fn exhausted(limit: u32, reset: Moment) -> Self {
        Self { limit, remaining: 0, reset }
    }

    pub(crate) fn add_headers(self, reply: Reply) -> Reply {
        let since_1970 = self.reset.time().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Rounded up to whole seconds, so that the header never names a time before the reset.
        let reset = since_1970.as_secs() + u64::from(since_1970.subsec_nanos() > 0);
        reply
            .with("x-rate-limit-limit", &self.limit.to_string())
            .with("x-rate-limit-remaining", &self.remaining.to_string())
            .with("x-rate-limit-reset", &reset.to_string())
    }
}
