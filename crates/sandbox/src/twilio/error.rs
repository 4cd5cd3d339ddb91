//! Errors in Twilio's format.

use crate::server::Reply;
use http::StatusCode;
use serde_json::json;

/// An error of Twilio's API: HTTP status, Twilio's code and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TwilioError {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) message: String,
    /// `Twilio-Reached-Rate-Limit`: the name of the programmable rate limit that was reached.
    pub(crate) reached_rate_limit: Option<String>,
    /// `Retry-After` in seconds.
    pub(crate) retry_after: Option<u64>,
}

impl TwilioError {
    pub(crate) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), reached_rate_limit: None, retry_after: None }
    }

    pub(crate) fn invalid_parameter(name: &str) -> Self {
        Self::new(400, 60200, format!("Invalid parameter: {name}"))
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(401, 20003, "Authenticate")
    }

    /// Twilio quotes the path, which can contain a phone number.
    pub(crate) fn not_found(path: &str) -> Self {
        let resource = path.strip_prefix("/v2").unwrap_or(path);
        Self::new(404, 20404, format!("The requested resource {resource} was not found"))
    }

    pub(crate) fn too_many_requests(reached_rate_limit: Option<String>, retry_after: Option<u64>) -> Self {
        Self { reached_rate_limit, retry_after, ..Self::new(429, 20429, "Too many requests") }
    }

    pub(crate) fn into_reply(self) -> Reply {
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status,
        });
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Reply::new(status, "application/json", body.to_string());
        if self.status == 401 {
            reply = reply.with("www-authenticate", "Basic realm=\"Twilio API\"");
        }
        if let Some(name) = &self.reached_rate_limit {
            reply = reply.with("twilio-reached-rate-limit", name);
        }
        if let Some(seconds) = self.retry_after {
            reply = reply.with("retry-after", &seconds.to_string());
        }
        reply
    }
}
