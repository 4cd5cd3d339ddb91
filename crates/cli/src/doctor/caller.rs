//! Okta's side of a call: its secret, and its request.

use http::{HeaderName, HeaderValue};
use okta_twilio::{config::Variables, hooks::auth::AuthMode, secrets::caller_secrets, time::clock::Timestamp};
use reqwest::RequestBuilder;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{doctor::facts::Facts, stack::Hook};

/// How long a code is good for, as in Okta's requests.
const LIFETIME_MS: i64 = 5 * 60 * 1_000;

/// Okta's side of the authentication.
pub(super) struct Caller {
    header: HeaderName,
    secret: HeaderValue,
}

impl Caller {
    /// The first secret of `auth_secret`, or why there is none to use.
    pub(super) fn of(facts: &Facts) -> Result<Self, &'static str> {
        let lookup = |name: &str| facts.function(Hook::Telephony).and_then(|function| function.variable(name));
        let variables = Variables::new(&lookup);
        match AuthMode::from_variables(&variables) {
            Ok(AuthMode::Header(_)) => {}
            Ok(AuthMode::Jwt(_)) => return Err("the hook takes OAuth tokens, which only Okta can have"),
            Err(_config_error) => return Err("the variables of the function cannot be used"),
        }
        let header = variables.optional("AUTH_HEADER").unwrap_or_else(|| "auth_secret".to_owned());
        let header = HeaderName::try_from(header).map_err(|_no_name| "AUTH_HEADER is no name of a header")?;
        let (Some(Ok(_)), Ok(Some(text))) = (facts.hooks_secret(), &facts.hooks_text) else {
            return Err("the hooks secret cannot be used");
        };
        let secret = caller_secrets(text).ok().and_then(|secrets| secrets.into_iter().next());
        let secret = secret.and_then(|secret| HeaderValue::try_from(secret.expose_secret()).ok());
        let mut secret = secret.ok_or("the hooks secret has no secret of a caller that fits into a header")?;
        secret.set_sensitive(true);
        Ok(Self { header, secret })
    }

    /// Adds the secret and the type of the body.
    pub(super) fn authenticate(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(self.header.clone(), self.secret.clone()).header("content-type", "application/json")
    }
}

/// A request for a code, as Okta makes it.
pub(crate) struct CodeRequest<'a> {
    /// Leads to the request's line in the log.
    pub(crate) event_id: String,
    now: Timestamp,
    expires: Timestamp,
    user_id: Option<&'a str>,
    number: &'a str,
    code: &'a str,
}

impl<'a> CodeRequest<'a> {
    /// For a code that has expired, and a number that cannot exist. The hook checks the time before anything else, and
    /// sends nothing.
    pub(crate) fn expired(now: Timestamp) -> Self {
        let expires = Timestamp::from_millis(now.as_millis() - 2 * LIFETIME_MS);
        Self { event_id: event_id(now), now, expires, user_id: None, number: "+0", code: "000000" }
    }

    /// For a code that is sent.
    pub(super) fn real(now: Timestamp, user_id: &'a str, number: &'a str, code: &'a str) -> Self {
        let expires = Timestamp::from_millis(now.as_millis() + LIFETIME_MS);
        Self { event_id: event_id(now), now, expires, user_id: Some(user_id), number, code }
    }

    /// Okta's body.
    pub(crate) fn body(&self) -> Value {
        json!({
            "eventId": self.event_id,
            "eventTime": self.now.to_rfc3339(),
            "eventType": "com.okta.telephony.provider",
            "eventTypeVersion": "1.0",
            "contentType": "application/json",
            "cloudEventVersion": "0.1",
            "requestType": "com.okta.user.telephony.mfa-verification",
            "data": {
                // Another path than that of a preview, for which the hook does not check the time.
                "context": {"request": {"id": "okta-twilio-doctor", "url": {"value": "/doctor"}}},
                "userProfile": {"userId": self.user_id},
                "messageProfile": {
                    "phoneNumber": self.number,
                    "otpExpires": self.expires.to_rfc3339(),
                    "deliveryChannel": "SMS",
                    "otpCode": self.code,
                    "locale": "EN-US",
                },
            },
        })
    }
}

fn event_id(now: Timestamp) -> String {
    format!("doctor-{}", now.as_millis())
}
