//! What the sandbox remembers of requests to Okta.

use crate::clock::Moment;
use crate::twilio::faults::{Fault, Operation};
use serde::Serialize;

/// A request that arrived, also if a fault then swallowed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OktaRequest {
    /// What it asked for.
    pub operation: Operation,
    /// `GET`, `POST`, …
    pub method: String,
    /// As on the wire, without the query.
    pub path: String,
    /// Whom it asked for.
    pub user_id: Option<String>,
    /// First word of its `Authorization`: `SSWS` for an API token, `Bearer` for an access token.
    pub scheme: Option<String>,
    /// Whether its token, or its client assertion, was right.
    pub authenticated: bool,
    /// What was answered; none if the connection was closed instead.
    pub answered: Option<OktaAnswered>,
    /// The fault that happened to it.
    pub fault: Option<Fault>,
    /// Which connection carried it, counted from 1.
    pub connection: u64,
    /// When it arrived.
    pub at: Moment,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OktaAnswered {
    /// HTTP status.
    pub status: u16,
    /// Okta's error code (`E0000007`), or OAuth's (`invalid_client`).
    pub code: Option<&'static str>,
}
