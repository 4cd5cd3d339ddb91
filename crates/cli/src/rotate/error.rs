//! Why `rotate` stopped.

use crate::{okta::OktaError, twilio::TwilioError};

/// Each text is one sentence, and says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotateError {
    #[error("the stack has no output {0}: deploy it again with this version")]
    NoOutput(&'static str),
    #[error("Okta sends an OAuth token (AUTH_MODE=jwt), so there is no caller's secret to rotate")]
    Oauth,
    #[error("LOG_LEVEL=error hides the line that proves the new secret: deploy with LOG_LEVEL=warn first")]
    LogLevel,
    #[error("there is no Okta API token here: set OKTA_API_TOKEN")]
    NoOktaToken,
    #[error("there are no Twilio credentials here: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")]
    NoTwilioCredentials,
    #[error("Okta has no hook with the URL of {0}: `okta-twilio setup` makes one")]
    NoHook(&'static str),
    #[error("{error}. {}", error.advice())]
    Okta {
        #[from]
        error: OktaError,
    },
    #[error("{error}. {}", error.advice())]
    Twilio {
        #[from]
        error: TwilioError,
    },
    #[error("it is too early: some function may not have read the secret yet, so try again in {0} s")]
    TooEarly(u64),
    #[error("AWS does not say when the secret was changed last: `okta-twilio doctor --only A9` says more")]
    UnknownAge,
    #[error(
        "Okta could not verify the event hook, so it delivers no events: run this command again. Both secrets are accepted"
    )]
    NotVerified,
    #[error(
        "the hook's log does not have the request that Okta was asked to send: run this command again, or `okta-twilio \
        doctor --only E2`. Both secrets are accepted"
    )]
    NotSeen,
    #[error("Twilio does not accept the new key, so it was deleted again and the old one stays")]
    KeyRefused,
    #[error("event-hook has no service app whose key is in the Okta secret: `okta-twilio setup` makes one")]
    NoServiceApp,
    #[error(
        "the service app has several keys, and the Okta secret does not say which one it holds: store its okta_key_id"
    )]
    UnknownKey,
    #[error("Twilio's response has no usable sid")]
    NoSid,
}
