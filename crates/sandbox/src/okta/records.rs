//! The sandbox's records of requests to Okta.

use crate::clock::Moment;
use crate::twilio::faults::{Fault, Operation};
use serde::Serialize;

/// A request that arrived, even if a fault then dropped it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OktaRequest {
    /// The requested operation.
    pub operation: Operation,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as received, without the query.
    pub path: String,
    /// The requested user.
    pub user_id: Option<String>,
    /// The scheme of its `Authorization`: `SSWS` for an API token, `Bearer` for an access token.
    pub scheme: Option<String>,
    /// Whether its token or its client assertion was valid.
    pub authenticated: bool,
    /// The response; `None` if the connection was closed without one.
    pub response: Option<OktaResponse>,
    /// The fault that affected it.
    pub fault: Option<Fault>,
    /// The number of its connection, counted from 1.
    pub connection: u64,
    /// The time of its arrival.
    pub at: Moment,
}

/// The response to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OktaResponse {
    /// HTTP status.
    pub status: u16,
    /// Okta's error code (`E0000007`), or OAuth's (`invalid_client`).
    pub code: Option<&'static str>,
}
