//! Faults to order: what goes wrong, with which requests, and how often.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;
use std::time::Duration;

/// What a request asks of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v2/Services/{VA}/Verifications`: send a code.
    VerifyCreate,
    /// `POST /v2/Services/{VA}/Verifications/{VE or number}`: approve or cancel.
    VerifyUpdate,
    /// `GET /v2/Services/{VA}/Verifications/{VE or number}`.
    VerifyFetch,
    /// `GET /v2/Services/{VA}`: the service's settings.
    ServiceFetch,
    /// `GET /v2/PhoneNumbers/{number}`.
    Lookup,
    /// Anything else, which Twilio answers with 404 or 405.
    Other,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Twilio does its work at once, but answers late.
    #[serde(rename = "delay_ms", serialize_with = "to_milliseconds", deserialize_with = "from_milliseconds")]
    Delay(Duration),
    /// The next connection is accepted and closed before a byte is read. As nobody can tell what it would have carried,
    /// the operation does not matter; idle connections are closed when the fault is set.
    CloseBeforeReading,
    /// The request is read and dropped: nothing is done, the connection is closed without an answer.
    CloseAfterReading,
    /// The request is done (the message is sent), then the connection is closed without an answer.
    CloseAfterSending,
    /// 429 with code 20429; nothing is done.
    Throttle {
        /// Whether `Twilio-Reached-Rate-Limit` is there, i.e. whether it is the service's own limit, which a retry would
        /// only hit again.
        reached_rate_limit: bool,
        /// `Retry-After` in seconds.
        retry_after: Option<u64>,
    },
    /// This HTTP status; nothing is done. 502 and 504 come as a proxy's HTML page, any other one with Twilio's
    /// error object and the code 20000 plus the status (20500, 20503, …).
    Status(u16),
    /// 401 with code 20003, whatever the credentials; nothing is done.
    Unauthorized,
    /// The request is done, but the answer's body is HTML.
    NotJson,
    /// The request is done, but the answer's body is followed by this many blanks, without a declared length.
    Huge(u64),
    /// The request is done, but the connection is closed in the middle of the answer's body.
    Truncated,
}

fn to_milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn from_milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

/// How often a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// With the next so many requests of the operation.
    Next(u32),
    /// With every request of the operation until the faults are cleared.
    UntilCleared,
}

/// The ordered faults. Those of one operation happen one after the other, in the order in which they were set.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<(Operation, Fault, Times)>);

impl Faults {
    pub(crate) fn add(&mut self, operation: Operation, fault: Fault, times: Times) {
        self.0.push_back((operation, fault, times));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault of the next request of this operation.
    pub(crate) fn for_request(&mut self, operation: Operation) -> Option<Fault> {
        self.take(|fault_operation, fault| fault_operation == operation && *fault != Fault::CloseBeforeReading)
    }

    /// Whether the next connection is to be closed unread.
    pub(crate) fn for_connection(&mut self) -> bool {
        self.take(|_, fault| *fault == Fault::CloseBeforeReading).is_some()
    }

    fn take(&mut self, applies: impl Fn(Operation, &Fault) -> bool) -> Option<Fault> {
        self.0.retain(|(_, _, times)| *times != Times::Next(0));
        let (_, fault, times) = self.0.iter_mut().find(|(operation, fault, _)| applies(*operation, fault))?;
        if let Times::Next(left) = times {
            *left -= 1;
        }
        Some(fault.clone())
    }
}
