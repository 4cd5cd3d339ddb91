//! Faults: what goes wrong, for which requests to Twilio or Okta, and how often.

use crate::clock::Moment;
use crate::server::{Ending, Reply};
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;
use std::time::Duration;

const PROXY_PAGE: &str = "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>\n";

/// The operation of a request.
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
    /// Any other request. Twilio responds with 404 or 405.
    Other,
    /// `GET /api/v1/users/{id}/factors`
    OktaFactors,
    /// `GET /api/v1/users/{id}`
    OktaUser,
    /// `POST /oauth2/v1/token`
    OktaToken,
    /// Any other request below `/api` or `/oauth2`. Okta responds with 404.
    OktaOther,
}

impl Operation {
    /// Whether it is an operation of Okta, not of Twilio.
    pub(crate) fn is_of_okta(self) -> bool {
        matches!(self, Self::OktaFactors | Self::OktaUser | Self::OktaToken | Self::OktaOther)
    }
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The request is processed immediately, but the response is delayed.
    #[serde(rename = "delay_ms", serialize_with = "to_milliseconds", deserialize_with = "from_milliseconds")]
    Delay(Duration),
    /// The next connection is accepted and closed before a byte is read. The operation does not matter, because it is
    /// not known before a read. Idle connections are closed when the fault is set.
    CloseBeforeReading,
    /// The request is read and not processed. The connection is closed without a response.
    CloseAfterReading,
    /// The request is processed (the message is sent). Then the connection is closed without a response.
    CloseAfterSending,
    /// 429 with Twilio's code 20429 or Okta's E0000047. The request is not processed.
    Throttle {
        /// Whether the response has `Twilio-Reached-Rate-Limit`. The header means that the service's own limit was
        /// reached, so that a retry fails again. Okta has no such header.
        reached_rate_limit: bool,
        /// `Retry-After` in seconds. For Okta, the time until `X-Rate-Limit-Reset`.
        retry_after: Option<u64>,
    },
    /// This HTTP status. The request is not processed. 502 and 504 have a proxy's HTML page, any other status has an
    /// error object: Twilio's with the code 20000 plus the status (20500, 20503, …), Okta's with the code that fits.
    Status(u16),
    /// 401 with Twilio's code 20003 or Okta's E0000011, whatever the credentials. The request is not processed.
    Unauthorized,
    /// The request is processed, but the body of the response is HTML.
    NotJson,
    /// The request is processed, but the body of the response is followed by this many spaces, without a declared
    /// length.
    Huge(u64),
    /// The request is processed, but the connection is closed in the middle of the response's body.
    Truncated,
}

impl Fault {
    /// The response to a request that the fault keeps from being processed.
    pub(crate) fn answer_before_arrival(&self) -> Option<Reply> {
        match self {
            Self::CloseAfterReading => {
                let mut nothing = Reply::new(StatusCode::OK, "application/json", "");
                nothing.ending = Ending::Closed;
                Some(nothing)
            }
            Self::Status(status @ (502 | 504)) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
                Some(Reply::new(status, "text/html", PROXY_PAGE))
            }
            _ => None,
        }
    }

    /// Changes the response of a processed request.
    pub(crate) fn spoil(&self, reply: &mut Reply) {
        match self {
            Self::Delay(delay) => reply.delay += *delay,
            Self::CloseAfterSending => reply.ending = Ending::Closed,
            Self::Truncated => reply.ending = Ending::Truncated,
            Self::Huge(blanks) => reply.ending = Ending::Padded(*blanks),
            Self::NotJson => *reply = Reply::new(reply.status, "text/html", PROXY_PAGE),
            _ => {}
        }
    }
}

fn to_milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn from_milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

/// The number of requests or the time for which a fault is in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// For this many requests of the operation.
    Next(u32),
    /// For every request of the operation until the faults are cleared.
    UntilCleared,
    /// For every request of the operation until this moment of the sandbox's clock.
    Until(Moment),
}

impl Times {
    fn are_over(self, now: Moment) -> bool {
        match self {
            Self::Next(left) => left == 0,
            Self::UntilCleared => false,
            Self::Until(end) => now >= end,
        }
    }
}

/// The faults that are set. Faults for the same operation happen one after the other, in the order in which they were
/// set.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<(Operation, Fault, Times)>);

impl Faults {
    pub(crate) fn add(&mut self, operation: Operation, fault: Fault, times: Times) {
        self.0.push_back((operation, fault, times));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The faults that have not happened yet.
    pub(crate) fn left(&self, now: Moment) -> Vec<(Operation, Fault, Times)> {
        self.0.iter().filter(|(_, _, times)| !times.are_over(now)).cloned().collect()
    }

    /// The fault for the next request of this operation.
    pub(crate) fn for_request(&mut self, operation: Operation, now: Moment) -> Option<Fault> {
        self.take(now, |fault_operation, fault| fault_operation == operation && *fault != Fault::CloseBeforeReading)
    }

    /// Whether to close the next connection before reading.
    pub(crate) fn for_connection(&mut self, now: Moment) -> bool {
        self.take(now, |_, fault| *fault == Fault::CloseBeforeReading).is_some()
    }

    fn take(&mut self, now: Moment, applies: impl Fn(Operation, &Fault) -> bool) -> Option<Fault> {
        self.0.retain(|(_, _, times)| !times.are_over(now));
        let (_, fault, times) = self.0.iter_mut().find(|(operation, fault, _)| applies(*operation, fault))?;
        if let Times::Next(left) = times {
            *left -= 1;
        }
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_writes_faults_as_they_are_read() {
        let readme = include_str!("../../README.md");
        let throttle = Fault::Throttle { reached_rate_limit: false, retry_after: None };
        let cases = [
            (r#"{"delay_ms": 1000}"#, Fault::Delay(Duration::from_secs(1))),
            (r#""close_before_reading""#, Fault::CloseBeforeReading),
            (r#""close_after_reading""#, Fault::CloseAfterReading),
            (r#""close_after_sending""#, Fault::CloseAfterSending),
            (r#"{"throttle": {"reached_rate_limit": false, "retry_after": null}}"#, throttle),
            (r#"{"status": 503}"#, Fault::Status(503)),
            (r#""unauthorized""#, Fault::Unauthorized),
            (r#""not_json""#, Fault::NotJson),
            (r#"{"huge": 1000000}"#, Fault::Huge(1_000_000)),
            (r#""truncated""#, Fault::Truncated),
        ];
        for (json, fault) in cases {
            assert!(readme.contains(&format!("`{json}`")), "{json}");
            assert_eq!(serde_json::from_str::<Fault>(json).unwrap(), fault);
        }
        for operation in [
            "verify_create",
            "verify_update",
            "verify_fetch",
            "service_fetch",
            "lookup",
            "other",
            "okta_factors",
            "okta_user",
            "okta_token",
            "okta_other",
        ] {
            assert!(readme.contains(&format!("`{operation}`")), "{operation}");
            serde_json::from_str::<Operation>(&format!("\"{operation}\"")).unwrap();
        }
    }
}
