//! Verify's own requests: the sandbox behind the account sends the codes.
//!
//! The account decides who may do what with which service. The sandbox has one service and one key, so a request gets
//! these on its way there, and its response gets the account's service back.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{Account, Answer, TwilioError, call::Call};
use crate::options::Options;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The sandbox behind an account.
#[derive(Debug, Clone)]
pub struct VerifyApi {
    url: String,
    service_sid: String,
    authorization: String,
}

impl VerifyApi {
    /// The sandbox at this address, with its options.
    pub fn new(url: &str, options: &Options) -> Self {
        let credentials = format!("{}:{}", options.api_key_sid, options.api_key_secret);
        Self {
            url: url.to_owned(),
            service_sid: options.service_sid.clone(),
            authorization: format!("Basic {}", BASE64_STANDARD.encode(credentials)),
        }
    }

    fn send(&self, call: &Call, service: &str, path: &str) -> Option<(u16, Value)> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build().into();
        let url = format!("{}/v2/Services/{}/{path}", self.url, self.service_sid);
        let values = call.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let response = agent.post(&url).header("authorization", &self.authorization).send_form(values).ok()?;
        let status = response.status().as_u16();
        let text = response.into_body().read_to_string().ok()?.replace(&self.service_sid, service);
        Some((status, serde_json::from_str(&text).ok()?))
    }
}

impl Account {
    /// Creates or changes a verification.
    pub(super) fn verifications(&self, call: &Call, service: &str, rest: &[&str]) -> Answer {
        let not_found = || TwilioError::not_found(&call.path.join("/"));
        let takes_codes = self.services.get(service).ok_or_else(not_found)?.custom_code_enabled;
        let verify = self.verify.as_ref().ok_or_else(not_found)?;
        if rest.is_empty() && call.value("CustomCode").is_some() && !takes_codes {
            return Err(TwilioError::new(403, 60204, "Service does not support custom code"));
        }
        let path = ["Verifications"].iter().chain(rest).copied().collect::<Vec<_>>().join("/");
        let (status, body) =
            verify.send(call, service, &path).ok_or_else(|| TwilioError::new(503, 20503, "Service unavailable"))?;
        let code = body.get("code").and_then(Value::as_u64).and_then(|code| u32::try_from(code).ok());
        match code {
            Some(code) if status >= 400 => Err(TwilioError::new(status, code, "A refusal of the sandbox")),
            _ => Ok((status, body)),
        }
    }
}
