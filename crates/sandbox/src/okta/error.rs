//! Errors in Okta's format: its own for the API, OAuth's for the token endpoint.

use crate::server::Reply;
use http::StatusCode;
use serde_json::json;

/// An error of Okta's API: HTTP status, Okta's code and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OktaError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) summary: String,
}

impl OktaError {
    fn new(status: u16, code: &'static str, summary: impl Into<String>) -> Self {
        Self { status, code, summary: summary.into() }
    }

    pub(crate) fn invalid_token() -> Self {
        Self::new(401, "E0000011", "Invalid token provided")
    }

    pub(crate) fn access_denied() -> Self {
        Self::new(403, "E0000006", "You do not have permission to perform the requested action")
    }

    /// Okta quotes the invalid part.
    pub(crate) fn invalid(what: &str) -> Self {
        Self::new(400, "E0000001", format!("Api validation failed: {what}"))
    }

    /// Okta quotes the requested resource.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, "E0000007", format!("Not found: Resource not found: {what}"))
    }

    pub(crate) fn method_not_supported() -> Self {
        Self::new(405, "E0000022", "The endpoint does not support the provided HTTP method")
    }

    pub(crate) fn too_many_requests() -> Self {
        Self::new(429, "E0000047", "API call exceeded rate limit due to too many requests.")
    }

    pub(crate) fn internal() -> Self {
        Self::new(500, "E0000009", "Internal Server Error")
    }

    /// Okta's error with this status.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::invalid_token(),
            403 => Self::access_denied(),
            404 => Self::not_found("set by a fault of the sandbox"),
            429 => Self::too_many_requests(),
            _ => Self { status, ..Self::internal() },
        }
    }

    pub(crate) fn into_reply(self) -> Reply {
        let body = json!({
            "errorCode": self.code,
            "errorSummary": self.summary,
            "errorLink": self.code,
            "errorId": format!("oae{}", crate::random::hex()),
            "errorCauses": [],
        });
        reply(self.status, &body)
    }
}

/// An error of the token endpoint (RFC 6749, section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OauthError {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
}

impl OauthError {
    pub(crate) fn invalid_client(description: &'static str) -> Self {
        Self { status: 401, error: "invalid_client", description }
    }

    pub(crate) fn bad_request(error: &'static str, description: &'static str) -> Self {
        Self { status: 400, error, description }
    }

    /// The endpoint's error with this status.
    pub(crate) fn of_status(status: u16) -> Self {
        let error = match status {
            401 => "invalid_client",
            400..500 => "invalid_request",
            _ => "server_error",
        };
        Self { status, error, description: "A fault of the sandbox." }
    }

    pub(crate) fn into_reply(self) -> Reply {
        reply(self.status, &json!({ "error": self.error, "error_description": self.description }))
    }
}

fn reply(status: u16, body: &serde_json::Value) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Reply::new(status, "application/json", body.to_string())
}
