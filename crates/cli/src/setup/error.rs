//! Why `setup` stopped.

use okta_twilio::{config::ConfigError, http_client::CallError};

use crate::{failure::Failure, okta::OktaError, stack::Hook, twilio::TwilioError};

/// Each text is one sentence, and says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error("the stack has no {}: deploy both functions, or set up the other one by docs/set-up.md", .0.name())]
    NoFunction(Hook),
    #[error("the stack has no output {0}: deploy it again with this version")]
    NoOutput(&'static str),
    #[error("a variable of the functions cannot be used: {0}")]
    Config(ConfigError),
    #[error("AUTH_MODE=jwt needs an authorization server, which docs/set-up.md sets up by hand")]
    Oauth,
    #[error("the given URL of {} {problem}", .hook.name())]
    BadUrl { hook: Hook, problem: &'static str },
    #[error("the URL of {} was given, and its part is not set up: name it with --only too", .0.name())]
    UrlOfOtherPart(Hook),
    #[error("the URL of {} is that of the other hook: give each hook its own", .0.name())]
    UrlOfOtherHook(Hook),
    #[error(
        "{}'s URL answers {status} to a request without the secret, where a hook answers 401: something else is there, or \
        stands in between. If it lets Okta pass and this machine not, give --no-url-check", .hook.name()
    )]
    NotOurHook { hook: Hook, status: u16 },
    #[error(
        "{}'s URL cannot be reached from here ({error}): check its domain and certificate. If only this machine may not \
        reach it, give --no-url-check", .hook.name()
    )]
    HookUnreachable { hook: Hook, error: CallError },
    #[error("there are no Twilio credentials here: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")]
    NoTwilioCredentials,
    #[error("the hooks secret has no Verify service or no credentials for it yet: set the part twilio up first")]
    TwilioFirst,
    #[error("there is no Verify service that names the account: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")]
    NoAccount,
    #[error("there is no Okta API token here: set OKTA_API_TOKEN")]
    NoOktaToken,
    #[error("a new Verify service needs a name: give --brand, or --adopt with the sid of a service")]
    NoBrand,
    #[error("the account has a Verify service of this brand already: give --adopt {0} to use it, or another --brand")]
    BrandExists(String),
    #[error("a run that was broken off has created the Verify service {0}: give its --brand, or --adopt {0}")]
    OtherBrand(String),
    #[error("--adopt names another Verify service than VERIFY_SERVICE_SID of the functions")]
    OtherService,
    #[error("the Verify service that the functions use does not exist in this account")]
    NoService,
    #[error("the hooks secret has no auth_secret that can be used: store it with `make secrets`")]
    NoAuthSecret,
    #[error("the hooks secret has too many tags: setup needs thirteen more, of the 50 that a secret can have")]
    TooManyTags,
    #[error("the Okta secret is not a JSON object: `okta-twilio doctor --only A4` says more")]
    OktaSecretUnreadable,
    #[error("the operating system gave no random numbers")]
    NoRandomNumbers,
    #[error("the service app cannot read users yet: {error}. {}", error.advice())]
    ServiceApp { error: okta_twilio::okta::client::OktaError },
    #[error("Okta did not revoke the API token ({0}): revoke it in the Admin Console, Security, API, Tokens")]
    NotRevoked(OktaError),
    #[error("Twilio's response has no usable sid")]
    NoSid,
    #[error("{error}. {}", error.advice())]
    Twilio {
        #[from]
        error: TwilioError,
    },
    #[error("{error}. {}", error.advice())]
    Okta {
        #[from]
        error: OktaError,
    },
    #[error("{0}. Okta's built-in telephony connection is on again")]
    ConnectionOnAgain(Box<Failure>),
    #[error(
        "{failure}. Okta's built-in telephony connection {connection} is off. Run this command again, or switch it on in the \
        Admin Console"
    )]
    ConnectionOff { failure: Box<Failure>, connection: String },
    #[error("{0}. The hook that was active before is active again")]
    RolledBack(Box<Failure>),
    #[error(
        "{failure}. Okta uses no telephony hook now. Run this command again, or activate the hook {hook} in the Admin \
        Console, Workflow, Inline hooks, or by `curl --request POST --header \"Authorization: SSWS $OKTA_API_TOKEN\" \
        $OKTA_ORG_URL/api/v1/inlineHooks/{hook}/lifecycle/activate`"
    )]
    NotRolledBack { failure: Box<Failure>, hook: String },
    #[error("Okta could not verify the event hook: run this command again, or verify it in the Admin Console")]
    NotVerified,
    #[error("this process cannot handle signals")]
    NoSignals,
    #[error("stopped between two steps: run this command again to continue")]
    Interrupted,
    #[error(
        "something that setup has made is not there: if the credentials are of the right org and account, and it was deleted \
        by hand, give --forget-missing"
    )]
    Missing,
    #[error("something is not as planned after all changes: run `okta-twilio doctor`")]
    NotAsPlanned,
}

impl SetupError {
    /// Whether the other system has surely not done what it was asked for.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Twilio { error } => match error {
                TwilioError::Refused { status, .. } => (400..500).contains(status),
                TwilioError::NoResponse(_) | TwilioError::NotUnderstood => false,
                TwilioError::Unauthorized
                | TwilioError::Forbidden { .. }
                | TwilioError::NotFound
                | TwilioError::RateLimited => true,
            },
            Self::Okta { error } => match error {
                OktaError::Refused { status, .. } => (400..500).contains(status),
                OktaError::NoResponse(_) | OktaError::NotUnderstood => false,
                OktaError::Unauthorized
                | OktaError::Forbidden { .. }
                | OktaError::NotFound
                | OktaError::RateLimited => true,
            },
            _ => false,
        }
    }
}
